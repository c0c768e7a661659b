//! TLS handshakes that find no common ground, each by its reason.
