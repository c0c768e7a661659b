//! Names of files that fit no rule, and the sign in them that does not.
