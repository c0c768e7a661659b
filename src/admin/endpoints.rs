//! Every endpoint: method, path, who may have it, and what answers.

use super::api;
use super::auth::Role;
use super::openapi;
use super::page;
use super::parts::Sources;
use super::reply::{Refusal, json};
use super::route::{Access, Endpoint, PATIENCE};
use super::session::Session;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::{IntoResponse as _, Response};
use hyper::{Method, StatusCode};
use std::time::Duration;

/// Returns every endpoint.
pub(super) fn endpoints() -> Vec<Endpoint> {
    const OPEN: Access = Access::Open;
    const READ: Access = Access::From(Role::Read);
    const OPERATE: Access = Access::From(Role::Operate);
    // It answers HEAD, too.
    let (get, post, delete) = (|| Method::GET, || Method::POST, || Method::DELETE);
    let device = "/api/v1/devices/{mac}";
    let mut rows = vec![
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
    ];
    rows.extend(page::rows());
    rows
}

/// Makes the router of the endpoints.
pub(super) fn router(sources: Sources) -> Router {
    let endpoints = endpoints().into_iter();
    endpoints
        .fold(Router::new(), |router, endpoint| {
            router.route(endpoint.path, endpoint.route)
        })
        .fallback(async |State(sources): State<Sources>, request: Request| {
            unknown(Refusal::NotFound, &sources, request).await
        })
        .method_not_allowed_fallback(async |State(sources): State<Sources>, request: Request| {
            unknown(Refusal::MethodNotAllowed, &sources, request).await
        })
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

/// Returns the time from the head of a request to the head of its reply.
pub(super) fn patience(endpoints: &[Endpoint], method: &Method, path: &str) -> Duration {
    let mut rows = endpoints.iter();
    let row = rows.find(|row| row.method == *method && is_at(row.path, path));
    row.map_or(PATIENCE, |row| row.patience)
}

/// Tells whether a path is one of a row's.
fn is_at(row: &str, path: &str) -> bool {
    let (row, path) = (row.split('/'), path.split('/'));
    let is_same = |(known, part): (&str, &str)| known == part || known.starts_with('{');
    row.clone().count() == path.clone().count() && row.zip(path).all(is_same)
}

/// Answers what is no endpoint, as whoever asks reads it.
async fn unknown(refusal: Refusal, sources: &Sources, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match parts.extensions.get::<Session>() {
        Some(_) => page::refuse(&refusal, sources, parts).await,
        None => refusal.into_response(),
    }
}

async fn description() -> Response {
    json(StatusCode::OK, &openapi::description())
}

#[cfg(test)]
mod tests {
    use super::super::route::Brings;
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
        let is_asset = |path: &&str| path.starts_with("/assets/");
        let (assets, open): (Vec<_>, Vec<_>) = open.into_iter().partition(is_asset);
        // What is added here anybody may have.
        assert_eq!(open, ["/healthz", "/readyz", "/sign-in", "/sign-in"]);
        assert_eq!(assets.len(), 3);
        for (method, path, access) in &rows {
            let changes = !["GET", "HEAD"].contains(&method.as_str());
            let expected = match access {
                Access::From(role) | Access::Page(role, _) => *role == Role::Operate,
                Access::Open => false,
            };
            // Signing in and out changes nothing that others see.
            let is_session = path.starts_with("/sign-");
            assert_eq!(changes && !is_session, expected, "{method} {path}");
            if let Access::Page(_, brings) = access {
                assert_eq!(changes, *brings != Brings::Nothing, "{method} {path}");
            }
        }
    }

    #[test]
    fn what_the_page_changes_is_tried_from_outside() {
        let rows = endpoints().into_iter().filter_map(|row| match row.access {
            Access::Page(role, brings) if brings != Brings::Nothing => {
                Some(format!("{} {role} {brings:?} {}", row.method, row.path))
            }
            _ => None,
        });
        let listed = include_str!("../../tests/outside/page_door.txt").lines();
        assert_eq!(rows.collect::<Vec<_>>(), listed.collect::<Vec<_>>());
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
    fn a_file_may_take_an_hour_and_who_waits_for_the_folder_some_minutes() {
        let endpoints = endpoints();
        let of = |method, path| patience(&endpoints, &method, path).as_secs();
        assert_eq!(of(Method::POST, "/firmware/upload"), 3600);
        assert_eq!(of(Method::GET, "/firmware/upload"), 60);
        assert_eq!(of(Method::POST, "/firmware/drafts/a/publish"), 300);
        assert_eq!(of(Method::POST, "/firmware/files/a_1.bin/delete"), 300);
        for short in [
            "/firmware/drafts/a/drop",
            "/firmware/drafts/a",
            "/firmware/drafts/a/publish/b",
        ] {
            assert_eq!(of(Method::POST, short), 60, "{short}");
        }
        let longer = endpoints.iter().filter(|row| row.patience > PATIENCE);
        assert_eq!(longer.count(), 3);
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
            .filter(|row| !row.path.ends_with("openapi.json") && !page::is_page(row))
            .map(|row| {
                let is_open = row.access == Access::Open;
                (row.method.to_string(), row.path.to_owned(), is_open)
            })
            .collect();
        assert_eq!(described, listed);
    }
}
