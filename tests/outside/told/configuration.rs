//! What people do to the configuration, named with its line and the remedy.
