//! Addresses that leave the server and do not bring a device where it should go.
