//! The guard of every page: nobody passes without a session and a role that is enough; what
//! changes something comes from a form of ours.

use super::drain::drain;
use super::reader::{Reader, choose_language};
use super::refused;
use crate::admin::auth::Role;
use crate::admin::origin::is_ours;
use crate::admin::parts::Sources;
use crate::admin::reply::Refusal;
use crate::admin::route::{Access, Brings, Endpoint};
use crate::admin::session::Session;
use crate::server::Peer;
use axum::extract::{Form, FromRequest as _, FromRequestParts as _, Request, State};
use axum::handler::Handler;
use axum::response::{IntoResponse as _, Response};
use hyper::Method;
use percent_encoding::percent_decode_str;

/// Fields of a form that this session sent.
#[derive(Debug, Clone)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Returns the first field of a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| &**value)
    }
}

/// Makes the endpoint of a page.
pub(super) fn page<H: Handler<T, Sources>, T: 'static>(
    method: Method,
    path: &'static str,
    role: Role,
    brings: Brings,
    handler: H,
) -> Endpoint {
    let guarded = move |State(sources): State<Sources>, request: Request| {
        guarded(sources, request, role, brings, handler)
    };
    Endpoint::new(method, path, Access::Page(role, brings), guarded)
}

async fn guarded<H: Handler<T, Sources>, T: 'static>(
    sources: Sources,
    request: Request,
    role: Role,
    brings: Brings,
    handler: H,
) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Some(chosen) = choose_language(&parts) {
        return chosen;
    }
    let Some(session) = parts.extensions.get::<Session>().cloned() else {
        return Refusal::NoToken.into_response();
    };
    let Ok(reader) = Reader::from_request_parts(&mut parts, &sources).await else {
        return Refusal::NoToken.into_response();
    };
    let seen = parts.clone();
    let refuse = |refusal: &Refusal| refused::page(refusal, Some(&reader), &seen);
    // No page has a name that is no text.
    if percent_decode_str(parts.uri.path()).decode_utf8().is_err() {
        return refuse(&Refusal::NotFound);
    }
    let is_secure = parts
        .extensions
        .get::<Peer>()
        .is_some_and(|peer| peer.secure);
    let is_forged = brings != Brings::Nothing && !is_ours(&parts.headers, is_secure);
    let refusal = if session.caller.role < role {
        Some(Refusal::Forbidden)
    } else {
        is_forged.then_some(Refusal::Forged)
    };
    if let Some(refusal) = refusal {
        if brings == Brings::File {
            drain(body, u64::MAX).await;
        }
        return refuse(&refusal);
    }
    let mut request = Request::from_parts(parts, body);
    if brings == Brings::Fields {
        let (parts, body) = request.into_parts();
        let form = Request::from_parts(parts.clone(), body);
        let fields = match Form::<Vec<(String, String)>>::from_request(form, &()).await {
            Ok(Form(fields)) => Fields(fields),
            Err(error) => return refuse(&Refusal::BadBody(error.body_text())),
        };
        if !session.confirms(fields.get("csrf").unwrap_or_default()) {
            return refuse(&Refusal::Forged);
        }
        request = Request::from_parts(parts, axum::body::Body::empty());
        request.extensions_mut().insert(fields);
    }
    // What was to be said is said where the page is made, be that here.
    if let Some(notice) = &reader.notice {
        sources.sessions.notice(&session, notice.clone());
    }
    let reply = handler.call(request, sources.clone()).await;
    match reply.extensions().get::<Refusal>() {
        Some(refusal) => refuse(refusal),
        None => reply,
    }
}
