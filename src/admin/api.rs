//! Answers of the endpoints. Who may have them is said where they are listed, in
//! `endpoints.rs`.

use super::auth::Caller;
use super::fleet_source::RetryDone;
use super::metrics::CONTENT_TYPE;
use super::order::Order;
use super::parts::Sources;
use super::query::{self, DeviceQuery, OfferQuery};
use super::reply::{ErrorBody, Refusal, json, text, with_type};
use super::scan;
use super::standing::StandingOrders;
use super::types::{
    Device, Devices, Firmware, FleetCounts, Forgotten, Offers, Part, Ready, Retried, RetryBody,
};
use crate::fleet::DeviceId;
use crate::server::Peer;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Extension, Path, RawQuery, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::body::Bytes;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Longest body of a request, in bytes.
pub(super) const LONGEST_BODY: usize = 16 << 10;

/// Words on a part that is not there, for whoever shows no token.
const UNTOLD: &str =
    "the log says why, and so does this address to who shows a token (Authorization: Bearer TOKEN)";

type Answer = Result<Response, Refusal>;

/// Is this server alive?
#[utoipa::path(get, path = "/healthz", tag = "health", security(()),
    responses((status = 200, body = str, content_type = "text/plain")))]
pub(super) async fn healthz() -> Response {
    text(StatusCode::OK, "ok\n")
}

/// Can this server do its work? Who shows no token is told which part is not there, and not why.
#[utoipa::path(get, path = "/readyz", tag = "health", security((), ("token" = [])),
    responses((status = 200, body = Ready), (status = 503, body = Ready, description = "A part is not there")))]
pub(super) async fn readyz(
    State(sources): State<Sources>,
    caller: Option<Extension<Caller>>,
) -> Answer {
    let readiness = Arc::clone(&sources.readiness);
    // Not among the few: whoever looks through the fleet must not make it look ill.
    let checks = tokio::task::spawn_blocking(move || readiness.checks()).await;
    let checks = checks.map_err(|_| Refusal::Late)?;
    let parts = checks.iter().map(|check| {
        let ok = check.why.is_none();
        // Reasons name folders, and what their system says of them.
        let why = match caller {
            Some(_) => check.words(),
            None => (!ok).then(|| UNTOLD.to_owned()),
        };
        (check.name, Part { ok, why })
    });
    let ready = Ready {
        ready: checks.iter().all(|check| check.why.is_none()),
        checks: parts.collect(),
    };
    let status = if ready.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Ok(json(status, &ready))
}

/// Counts of what this server does, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, body = str, content_type = "text/plain")))]
pub(super) async fn metrics(State(sources): State<Sources>) -> Answer {
    let text = tokio::task::spawn_blocking(move || (sources.metrics)()).await;
    let text = text.map_err(|_| Refusal::Late)?;
    Ok(with_type(StatusCode::OK, CONTENT_TYPE, text.into_bytes()))
}

/// The fleet in numbers.
#[utoipa::path(get, path = "/api/v1/fleet", tag = "fleet",
    responses((status = 200, body = FleetCounts), (status = 401, body = ErrorBody)))]
pub(super) async fn fleet(State(sources): State<Sources>, RawQuery(query): RawQuery) -> Answer {
    query::nothing(query.as_deref())?;
    let now = (sources.clock)();
    let counts = sources
        .blocking(move |source| scan::counts(source.fleet(), source.upstream(), now))
        .await?;
    Ok(json(StatusCode::OK, &counts))
}

/// Devices, a page at a time.
#[utoipa::path(get, path = "/api/v1/devices", tag = "fleet",
    params(
        ("model" = Option<String>, Query, description = "Its model, by which `fleet` counts it: the most precise name that it reports; `default` where it reports none"),
        ("version" = Option<String>, Query),
        ("board" = Option<String>, Query, description = "Name or type of its board"),
        ("end" = Option<String>, Query, description = "End of its newest offer"),
        ("file" = Option<String>, Query, description = "File of its newest offer"),
        ("transport" = Option<String>, Query, description = "`http` or `https`: the way in which it came last"),
        ("seen_since" = Option<String>, Query, description = "A time by RFC 3339, or for how long: `15m`, `1h`, `7d`"),
        ("q" = Option<String>, Query, description = "Part of its MAC address, in any spelling, or of its board, version, address or client id"),
        ("limit" = Option<u32>, Query, description = "From 1 to 1000; 100 where it is left out"),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses((status = 200, body = Devices), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn devices(State(sources): State<Sources>, RawQuery(query): RawQuery) -> Answer {
    let now = (sources.clock)();
    let query = DeviceQuery::read(query.as_deref(), now)?;
    let page = sources.blocking(move |source| {
        let orders = StandingOrders::of(source.acts());
        scan::devices(source.fleet(), &orders, &query, now)
    });
    let page = page.await??;
    Ok(json(StatusCode::OK, &page))
}

/// A device, by its MAC address in any spelling, or by its id, percent-encoded.
#[utoipa::path(get, path = "/api/v1/devices/{mac}", tag = "fleet",
    params(("mac" = String, Path)),
    responses((status = 200, body = Device), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn device(
    State(sources): State<Sources>,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Answer {
    query::nothing(query.as_deref())?;
    let id = of_path(id)?;
    let now = (sources.clock)();
    let device = sources.single(move |source| {
        let record = source.fleet().find(&id)?;
        let orders = StandingOrders::of(source.acts());
        Some(Device::new(&id, &record, &orders, now))
    });
    let device = device.await?.ok_or(Refusal::NoDevice)?;
    Ok(json(StatusCode::OK, &device))
}

/// The files of the firmware folder: what becomes of each, and how its offers ended.
#[utoipa::path(get, path = "/api/v1/firmware", tag = "fleet",
    responses((status = 200, body = Firmware), (status = 401, body = ErrorBody)))]
pub(super) async fn firmware(State(sources): State<Sources>, RawQuery(query): RawQuery) -> Answer {
    query::nothing(query.as_deref())?;
    let files = sources.blocking(scan::firmware).await?;
    Ok(json(StatusCode::OK, &files))
}

/// The newest offers of all devices, a page at a time.
#[utoipa::path(get, path = "/api/v1/offers", tag = "fleet",
    params(
        ("end" = Option<String>, Query, description = "How it ended"),
        ("file" = Option<String>, Query),
        ("newest" = Option<bool>, Query, description = "Only the newest offer of each device"),
        ("limit" = Option<u32>, Query, description = "From 1 to 1000; 100 where it is left out"),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses((status = 200, body = Offers), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn offers(State(sources): State<Sources>, RawQuery(query): RawQuery) -> Answer {
    let query = OfferQuery::read(query.as_deref())?;
    let page = sources
        .blocking(move |source| scan::offers(source.fleet(), &query))
        .await??;
    Ok(json(StatusCode::OK, &page))
}

/// Lets a device have again what failed on it: a file, or all.
#[utoipa::path(post, path = "/api/v1/devices/{mac}/retry", tag = "orders",
    params(("mac" = String, Path)), request_body = Option<RetryBody>,
    responses((status = 200, body = Retried), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(super) async fn retry(
    State(sources): State<Sources>,
    id: Result<Path<String>, PathRejection>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    RawQuery(query): RawQuery,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    query::nothing(query.as_deref())?;
    let id = of_path(id)?;
    let body = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::LongBody(LONGEST_BODY),
        _ => Refusal::BadBody(error.body_text()),
    })?;
    let RetryBody { file } = retry_body(&body)?;
    let order = Order {
        caller,
        peer,
        now: (sources.clock)(),
    };
    let retried = sources.single(move |source| {
        let (done, _) = order.retry(source, &id, file.as_deref())?;
        let RetryDone { retried, cleared } = done;
        Ok::<_, Refusal>(Retried {
            device: id.to_string(),
            retried,
            cleared,
        })
    });
    Ok(json(StatusCode::OK, &retried.await??))
}

/// Forgets a device, whole.
#[utoipa::path(delete, path = "/api/v1/devices/{mac}", tag = "orders",
    params(("mac" = String, Path)),
    responses((status = 200, body = Forgotten), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(super) async fn forget(
    State(sources): State<Sources>,
    id: Result<Path<String>, PathRejection>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    RawQuery(query): RawQuery,
) -> Answer {
    query::nothing(query.as_deref())?;
    let id = of_path(id)?;
    let order = Order {
        caller,
        peer,
        now: (sources.clock)(),
    };
    let forgotten = sources.single(move |source| {
        order.forget(source, &id)?;
        Ok::<_, Refusal>(Forgotten { forgotten: true })
    });
    Ok(json(StatusCode::OK, &forgotten.await??))
}

/// Returns the id in a path. No device has one that is no text.
pub(super) fn of_path(id: Result<Path<String>, PathRejection>) -> Result<DeviceId, Refusal> {
    let id = id.map(|Path(id)| DeviceId::new(&id));
    id.map_err(|_| Refusal::NoDevice)
}

/// Reads the body of an order to try again: none, or a JSON object.
fn retry_body(body: &[u8]) -> Result<RetryBody, Refusal> {
    if body.trim_ascii().is_empty() {
        return Ok(RetryBody::default());
    }
    let refused = |error: serde_json::Error| {
        Refusal::BadBody(format!(
            "{error}: send no body, or {{\"file\": \"NAME.bin\"}}"
        ))
    };
    // An array would be taken for its fields in their order.
    let object: Map<String, Value> = serde_json::from_slice(body).map_err(refused)?;
    serde_json::from_value(Value::Object(object)).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_retry_may_say() {
        let file = |body: &str| retry_body(body.as_bytes()).map(|body| body.file);
        for none in ["", " \n", "{}", "{\"file\": null}"] {
            assert_eq!(file(none), Ok(None), "{none}");
        }
        assert_eq!(
            file("{\"file\": \"a_1.bin\"}"),
            Ok(Some("a_1.bin".to_owned()))
        );
        for wrong in [
            "null",
            "[]",
            "{\"files\": 1}",
            "{\"file\": 1}",
            "a_1.bin",
            "{",
        ] {
            assert!(matches!(file(wrong), Err(Refusal::BadBody(_))), "{wrong}");
        }
    }
}
