//! Requests and connections that are nothing here: paths, methods, headers, bodies.
