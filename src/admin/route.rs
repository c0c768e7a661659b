//! A row of the list of what is answered: method, path, who may have it, and what answers. A
//! route is made from a row and from nothing else, so that none can be without its role.

use super::auth::{Caller, Role};
use super::parts::Sources;
use super::reply::Refusal;
use axum::extract::{DefaultBodyLimit, Request};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use hyper::Method;
use std::time::Duration;

/// Rights that an answer needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody.
    Open,
    /// Bearers of a token, from this role on.
    From(Role),
    /// People who signed in on the page, from this role on. The guard of the pages makes
    /// them, and takes what they bring from our own forms alone.
    Page(Role, Brings),
}

/// Load that a request of a page brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brings {
    /// Nothing: it changes nothing.
    Nothing,
    /// Fields of a form. The guard reads them before the handler.
    Fields,
    /// A form with a file, which the handler reads, and whose first field it has to hold
    /// against the session's word.
    File,
}

/// One endpoint.
pub(super) struct Endpoint {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) access: Access,
    pub(super) route: MethodRouter<Sources>,
    /// Time from the head of a request to the head of its reply.
    pub(super) patience: Duration,
}

/// Time for a request that brings no file.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

impl Endpoint {
    /// Makes a row. A page's session is looked at by the guard of the pages, for it is shown
    /// another way.
    pub(super) fn new<H: Handler<T, Sources>, T: 'static>(
        method: Method,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        let guard = move |request: Request, next: Next| guard(access, request, next);
        // What is none of these would answer nothing.
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::OPTIONS);
        Self {
            method,
            path,
            access,
            route: on(filter, handler).route_layer(from_fn(guard)),
            patience: PATIENCE,
        }
    }

    /// Takes bodies of so many bytes, which may take so long: a file comes as fast as its
    /// sender's line.
    pub(super) fn with_body(mut self, bytes: usize, patience: Duration) -> Self {
        self.route = self.route.layer(DefaultBodyLimit::max(bytes));
        self.with_patience(patience)
    }

    /// May take so long.
    pub(super) fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

/// Lets those pass who may have an answer. Who has shown no token is none of them, whatever
/// stands in front of this.
async fn guard(access: Access, request: Request, next: Next) -> Response {
    if let Access::From(role) = access {
        match request.extensions().get::<Caller>() {
            None => return Refusal::NoToken.into_response(),
            Some(caller) if caller.role < role => return Refusal::Forbidden.into_response(),
            Some(_) => {}
        }
    }
    next.run(request).await
}
