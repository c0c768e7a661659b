//! Replies of the admin address: JSON, errors, and what stands in the head of each.

use super::release_source::Undone;
use crate::event::Event;
use crate::event::text::{Lang, Text};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    REFERRER_POLICY, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// Marks a reply, in its extensions, as a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page;

/// Head of every reply: nothing of it is guessed at, framed, or read by another site.
const SECURITY: [(HeaderName, &str); 6] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // With less a form of ours would say that it comes from nowhere.
    (REFERRER_POLICY, "same-origin"),
    (X_FRAME_OPTIONS, "DENY"),
    (OPENER, "same-origin"),
    (RESOURCE, "same-origin"),
    (
        PERMISSIONS,
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), serial=(), usb=()",
    ),
];
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");

/// Policy of a page: its own style, script and icon, its own forms, and nothing within it.
const OF_PAGES: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
/// Policy of everything else: it loads nothing.
const OF_OTHERS: &str =
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Body of a reply that is an error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    error: ErrorDetail,
}

/// An error: an id for programs, and words for people.
#[derive(Debug, Serialize, ToSchema)]
struct ErrorDetail {
    /// Never changes once it was released.
    #[schema(example = "no-device")]
    id: &'static str,
    /// Words on what is wrong, and what to do.
    #[schema(example = "no device of this id is known: GET /api/v1/devices lists them")]
    message: String,
}

/// A part of a query that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadPart {
    /// The part, or its key.
    pub(super) part: String,
    /// Fault of it, or values that may stand there.
    pub(super) why: Text,
    /// List that `why` leads to, in no language.
    pub(super) list: String,
}

impl BadPart {
    /// Says what is wrong in a language.
    pub(super) fn words(&self, lang: Lang) -> String {
        let Self { part, why, list } = self;
        format!("{part}{}{}{list}", lang.pick("：", ": "), why.to(lang))
    }
}

/// Reason why a request is not answered as it was meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Several or unreadable `Host`s.
    #[error("a request has one Host, and this one has more, or one that cannot be read")]
    BadHost,
    /// A `Host` that is not ours.
    #[error(
        "this server is not asked for by this Host: ask for the address that it listens on, or list the name in gateway.admin.names"
    )]
    Misdirected,
    /// Plain HTTP where TLS is spoken.
    #[error("this address speaks TLS: ask for https://")]
    PlainHttp,
    /// No token.
    #[error(
        "a token is needed: send Authorization: Bearer TOKEN; the log line with event=admin.listening says which file holds one (token_file=)"
    )]
    NoToken,
    /// A token that is nobody's.
    #[error(
        "this token is nobody's here: see gateway.admin.tokens, and admin.token in the state folder"
    )]
    WrongToken,
    /// Too many of them.
    #[error("too many wrong tokens came from this address: a right one is taken as ever")]
    TooManyGuesses(Duration),
    /// A form that is none of ours.
    #[error("this request was not sent by a page of this server")]
    Forged,
    /// A token whose role is too small.
    #[error(
        "this token may look only: this needs one with the role operate (gateway.admin.tokens)"
    )]
    Forbidden,
    /// A path that is nothing.
    #[error("there is nothing at this path: GET /api/v1/openapi.json says what there is")]
    NotFound,
    /// A method that is not taken.
    #[error("this path does not take this method: the header Allow says which it takes")]
    MethodNotAllowed,
    /// A device that nobody knows.
    #[error("no device of this id is known: GET /api/v1/devices lists them")]
    NoDevice,
    /// Devices that are still being read.
    #[error(
        "what is known of devices is still being read from the state folder, and of this one that is not known yet: try again in a moment, and see GET /readyz"
    )]
    StillReading,
    /// A file that the device was not offered.
    #[error(
        "this device was not offered a file of this name: its offers are in GET /api/v1/devices/{{mac}}"
    )]
    NoFile,
    /// A part of the query.
    #[error("{}", .0.words(Lang::En))]
    BadQuery(BadPart),
    /// A body.
    #[error("{0}")]
    BadBody(String),
    /// A body that is too long.
    #[error("the body is longer than {0} bytes, and no request needs that many")]
    LongBody(usize),
    /// An order that cannot be written down, and is not acknowledged.
    #[error("the order is not taken, for it cannot be written down: {0}")]
    NotKept(Box<Event>),
    /// A reason that has words of its own.
    #[error("{1}")]
    Said(StatusCode, Box<Event>),
    /// It took too long.
    #[error(
        "this took too long, and may be done all the same: look what came of it before you try again"
    )]
    Late,
}

impl Refusal {
    /// Returns the status, and the id that programs go by.
    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::BadHost => (StatusCode::BAD_REQUEST, "bad-host"),
            Self::Misdirected => (StatusCode::MISDIRECTED_REQUEST, "misdirected"),
            Self::PlainHttp => (StatusCode::BAD_REQUEST, "plain-http"),
            Self::NoToken => (StatusCode::UNAUTHORIZED, "no-token"),
            Self::WrongToken => (StatusCode::UNAUTHORIZED, "wrong-token"),
            Self::TooManyGuesses(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many-guesses"),
            Self::Forged => (StatusCode::FORBIDDEN, "forged"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed"),
            Self::NoDevice => (StatusCode::NOT_FOUND, "no-device"),
            Self::StillReading => (StatusCode::SERVICE_UNAVAILABLE, "still-reading"),
            Self::NoFile => (StatusCode::NOT_FOUND, "no-file"),
            Self::BadQuery(_) => (StatusCode::BAD_REQUEST, "bad-query"),
            Self::BadBody(_) => (StatusCode::BAD_REQUEST, "bad-body"),
            Self::LongBody(_) => (StatusCode::PAYLOAD_TOO_LARGE, "long-body"),
            Self::NotKept(_) => (StatusCode::SERVICE_UNAVAILABLE, "not-kept"),
            Self::Said(status, why) => (*status, why.kind.id),
            Self::Late => (StatusCode::SERVICE_UNAVAILABLE, "late"),
        }
    }
}

impl From<Undone> for Refusal {
    fn from(undone: Undone) -> Self {
        let (status, why) = match undone {
            Undone::Gone(why) => (StatusCode::NOT_FOUND, why),
            Undone::Refused(why) => (StatusCode::CONFLICT, why),
            Undone::Unwritten(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
        };
        Self::Said(status, Box::new(why))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, id) = self.kind();
        // Whoever typed an address into a browser reads it.
        if self == Self::PlainHttp {
            return text(status, &format!("{self}\n"));
        }
        let message = self.to_string();
        let error = ErrorDetail { id, message };
        let mut reply = json(status, &ErrorBody { error });
        let head = reply.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            head.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Self::TooManyGuesses(left) = self {
            head.insert(RETRY_AFTER, HeaderValue::from(left.as_secs().max(1)));
        }
        // A page says it in its reader's language.
        reply.extensions_mut().insert(self);
        reply
    }
}

/// Returns `body` as JSON.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => with_type(status, "application/json", bytes),
        // No type of ours can fail to be written.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Returns `words` as plain text.
pub(super) fn text(status: StatusCode, words: &str) -> Response {
    with_type(
        status,
        "text/plain; charset=utf-8",
        words.as_bytes().to_vec(),
    )
}

/// Returns bytes of a media type.
pub(super) fn with_type(status: StatusCode, media_type: &'static str, bytes: Vec<u8>) -> Response {
    let mut reply = Response::new(Body::from(bytes));
    *reply.status_mut() = status;
    let media_type = HeaderValue::from_static(media_type);
    reply.headers_mut().insert(CONTENT_TYPE, media_type);
    reply
}

/// Puts in place what every reply's head has. `Allow` is written as its readers expect it.
pub(super) fn finish(reply: &mut Response) {
    let is_page = reply.extensions().get::<Page>().is_some();
    let head = reply.headers_mut();
    for (name, value) in SECURITY {
        head.insert(name, HeaderValue::from_static(value));
    }
    let policy = HeaderValue::from_static(if is_page { OF_PAGES } else { OF_OTHERS });
    head.insert(CONTENT_SECURITY_POLICY, policy);
    // An asset alone may be kept: its name has its hash.
    head.entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    let allowed = head.get(ALLOW).and_then(|value| value.to_str().ok());
    let allowed = allowed.map(|methods| methods.replace(',', ", "));
    if let Some(Ok(value)) = allowed.map(HeaderValue::try_from) {
        head.insert(ALLOW, value);
    }
}
