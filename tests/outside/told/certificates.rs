//! Files that are something else than the certificate or key that they should be.
