//! What an ACME order cannot work with, said before the CA says it.
