//! Every endpoint: method, path, who may have it, and what answers. A route is made from a
//! row of this list and from nothing else, so that none can be without its role.

use super::api;
use super::auth::{Caller, Role};
use super::openapi;
use super::parts::Sources;
use super::reply::{Refusal, json};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use hyper::{Method, StatusCode};

/// Rights that an answer needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody.
    Open,
    /// Bearers of a token, from this role on.
    From(Role),
}

/// One endpoint.
pub(super) struct Endpoint {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) access: Access,
    route: MethodRouter<Sources>,
}

impl Endpoint {
    fn new<H: Handler<T, Sources>, T: 'static>(
        (method, filter): (Method, MethodFilter),
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        let guard = move |request: Request, next: Next| guard(access, request, next);
        Self {
            method,
            path,
            access,
            route: on(filter, handler).route_layer(from_fn(guard)),
        }
    }
}

/// Returns every endpoint.
pub(super) fn endpoints() -> Vec<Endpoint> {
    const OPEN: Access = Access::Open;
    const READ: Access = Access::From(Role::Read);
    const OPERATE: Access = Access::From(Role::Operate);
    // It answers HEAD, too.
    let get = || (Method::GET, MethodFilter::GET);
    let post = || (Method::POST, MethodFilter::POST);
    let delete = || (Method::DELETE, MethodFilter::DELETE);
    let device = "/api/v1/devices/{mac}";
    vec![
        Endpoint::new(get(), "/healthz", OPEN, api::healthz),
        Endpoint::new(get(), "/readyz", OPEN, api::readyz),
        Endpoint::new(get(), "/metrics", READ, api::metrics),
        Endpoint::new(get(), "/openapi.json", READ, description),
        Endpoint::new(get(), "/api/v1/openapi.json", READ, description),
        Endpoint::new(get(), "/api/v1/fleet", READ, api::fleet),
        Endpoint::new(get(), "/api/v1/devices", READ, api::devices),
        Endpoint::new(get(), device, READ, api::device),
        Endpoint::new(delete(), device, OPERATE, api::forget),
        Endpoint::new(post(), "/api/v1/devices/{mac}/retry", OPERATE, api::retry),
        Endpoint::new(get(), "/api/v1/firmware", READ, api::firmware),
        Endpoint::new(get(), "/api/v1/offers", READ, api::offers),
    ]
}

/// Makes the router of the endpoints.
pub(super) fn router(sources: Sources) -> Router {
    let endpoints = endpoints().into_iter();
    endpoints
        .fold(Router::new(), |router, endpoint| {
            router.route(endpoint.path, endpoint.route)
        })
        .fallback(async || Refusal::NotFound)
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(api::LONGEST_BODY))
        .with_state(sources)
}

/// Tells whether everybody may have the answer to a request.
pub(super) fn is_open(endpoints: &[Endpoint], method: &Method, path: &str) -> bool {
    let method = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let mut open = endpoints.iter().filter(|row| row.access == Access::Open);
    open.any(|row| row.method == *method && row.path == path)
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

async fn description() -> Response {
    json(StatusCode::OK, &openapi::description())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn who_may_have_what() {
        let rows: Vec<_> = endpoints()
            .iter()
            .map(|row| (row.method.to_string(), row.path, row.access))
            .collect();
        let open: Vec<_> = rows.iter().filter(|row| row.2 == Access::Open).collect();
        let open: Vec<_> = open.iter().map(|row| row.1).collect();
        // What is added here anybody may have.
        assert_eq!(open, ["/healthz", "/readyz"]);
        for (method, path, access) in &rows {
            let changes = !["GET", "HEAD"].contains(&method.as_str());
            assert_eq!(
                changes,
                *access == Access::From(Role::Operate),
                "{method} {path}"
            );
        }
    }

    #[test]
    fn what_is_open_is_so_by_its_method_and_whole_path() {
        let endpoints = endpoints();
        for (method, path, open) in [
            (Method::GET, "/healthz", true),
            (Method::HEAD, "/readyz", true),
            (Method::POST, "/healthz", false),
            (Method::GET, "/healthz/", false),
            (Method::GET, "/metrics", false),
            (Method::GET, "/api/v1/../../healthz", false),
        ] {
            assert_eq!(is_open(&endpoints, &method, path), open, "{method} {path}");
        }
    }

    #[test]
    fn the_description_has_every_endpoint() {
        let description = serde_json::to_value(openapi::description()).unwrap();
        let mut described = BTreeSet::new();
        for (path, item) in description["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let ways = operation["security"].as_array();
                let is_open = ways.is_some_and(|ways| ways.contains(&serde_json::json!({})));
                described.insert((method.to_uppercase(), path.clone(), is_open));
            }
        }
        let listed: BTreeSet<_> = endpoints()
            .iter()
            .filter(|row| !row.path.ends_with("openapi.json"))
            .map(|row| {
                let is_open = row.access == Access::Open;
                (row.method.to_string(), row.path.to_owned(), is_open)
            })
            .collect();
        assert_eq!(described, listed);
    }
}
