//! The check-in: what a device posts, and what it is told.

use super::front::Front;
use super::reply::{self, Reply};
use crate::ota::checkin::{CheckIn, Report};
use crate::ota::decide::{Outcome, decide};
use crate::ota::reply::{since_epoch, write};
use crate::server::Peer;
use crate::telemetry::logs::GUIDE_TARGET;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{HeaderMap, USER_AGENT};
use hyper::{Request, StatusCode};
use std::borrow::Cow;
use std::time::{Duration, SystemTime};
use tokio::time::timeout;
use tracing::{Level, debug, enabled, info, warn};

/// What a body may hold; a real one has 1.3 KB.
const BODY_LIMIT: usize = 64 * 1024;
/// What is read of a body that is too big before the reply: a client that is
/// cut off while it sends does not see why.
const PATIENCE: usize = 1024 * 1024;
/// How much of a body the log shows.
const SHOWN: usize = 4096;

/// Headers that name a model or a version, most important first, as
/// xiaozhi-server looks for them.
const MODEL_HEADERS: [&str; 3] = ["device-model", "device_model", "model"];
const VERSION_HEADERS: [&str; 5] = [
    "device-version",
    "device_version",
    "firmware-version",
    "app-version",
    "application-version",
];

/// `GET`: whether it works, in the guide's words.
pub(super) fn show(front: &Front) -> Reply {
    reply::text(format!(
        "OTA接口运行正常，向设备发送的websocket地址是：{}",
        front.parts.websocket
    ))
}

/// Nothing needs activation here. Firmware v1.6 wants a body all the same.
pub(super) fn activate() -> Reply {
    reply::json(br#"{"success":true}"#.to_vec())
}

/// The `Device-Id` of a request, if it has one.
pub(super) fn device_id(request: &Request<Incoming>) -> Option<Cow<'_, str>> {
    header(request.headers(), "device-id")
}

/// `POST`: the check-in itself. Whatever the device reports, it is answered
/// with 200: an OTA fault must not keep it from its voice server.
pub(super) async fn answer(
    front: &Front,
    peer: Peer,
    request: Request<Incoming>,
    now: SystemTime,
) -> Reply {
    let (head, body) = request.into_parts();
    let body = match read(body, front.parts.idle).await {
        Ok(body) => body,
        Err(NoBody::TooBig) => {
            info!(peer = %peer.address, limit = BODY_LIMIT, "check-in refused: its body is too big");
            return reply::final_error(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is larger than 65536 bytes\n",
            );
        }
        Err(NoBody::TooSlow) => {
            return reply::final_error(
                StatusCode::REQUEST_TIMEOUT,
                "the body did not come in time\n",
            );
        }
        Err(NoBody::Broken) => {
            return reply::final_error(StatusCode::BAD_REQUEST, "the body ended early\n");
        }
    };
    let headers = &head.headers;
    let (Some(device), Some(client)) = (header(headers, "device-id"), header(headers, "client-id"))
    else {
        info!(peer = %peer.address, "check-in refused: no Device-Id or no Client-Id header");
        return reply::request_error();
    };
    let model_header = first(headers, &MODEL_HEADERS);
    let version_header = first(headers, &VERSION_HEADERS);
    let check_in = CheckIn {
        device: &device,
        client: &client,
        model_header: model_header.as_deref(),
        version_header: version_header.as_deref(),
        report: Report::read(&body),
    };
    info!(target: GUIDE_TARGET, "OTA请求设备ID: {device}");
    if enabled!(Level::DEBUG) {
        log_report(&check_in, peer, headers, &body);
    }
    decided(front, &check_in, now)
}

fn decided(front: &Front, check_in: &CheckIn<'_>, now: SystemTime) -> Reply {
    let parts = &front.parts;
    let snapshot = parts.catalogue.snapshot();
    let decision = decide(check_in, &snapshot, &parts.policy);
    let (device, own) = (check_in.device, check_in.version());
    info!(target: GUIDE_TARGET, "查找型号 {} 的固件，找到 {} 个候选", decision.model, decision.candidates);
    if let Some(fault) = check_in.report.fault {
        let consequence = if check_in.is_unidentified() {
            "it does not say which board this is: no firmware is offered"
        } else {
            "what stood in front of it is used"
        };
        warn!(%device, offset = fault.offset, fault = fault.what, "the check-in's body is no JSON: {consequence}");
    }
    let mut url = String::new();
    match decision.outcome {
        Outcome::Offer(entry) => {
            url.reserve(front.download_base.len() + entry.url_name.len());
            url.push_str(&front.download_base);
            url.push_str(&entry.url_name);
            info!(
                target: GUIDE_TARGET,
                "为设备 {device} 下发固件 {} [如果地址前缀有误，请检查配置文件中的server.vision_explain]-> {url}", entry.version
            );
        }
        Outcome::UpToDate => info!(target: GUIDE_TARGET, "设备 {device} 固件已是最新: {own}"),
        Outcome::Silent => warn!(
            %device, version = own,
            "the device's own version restarts it at every check that mentions firmware: it is told nothing about \
             firmware; flash it by cable with a version of numbers and dots"
        ),
    }
    for withheld in &decision.withheld {
        info!(%device, version = own, withheld = withheld.what, "not offered: {}", withheld.reason);
    }
    let voice = parts.voice.block(check_in, since_epoch(now).as_secs());
    reply::json(write(
        &decision,
        own,
        &url,
        voice,
        now,
        parts.timezone_offset,
    ))
}

/// Everything that was reported, the version above all (the guide's FAQ 3).
fn log_report(check_in: &CheckIn<'_>, peer: Peer, headers: &HeaderMap, body: &Bytes) {
    let shown = String::from_utf8_lossy(&body[..body.len().min(SHOWN)]);
    let user_agent = header(headers, USER_AGENT.as_str()).unwrap_or_default();
    debug!(
        device = check_in.device,
        version = check_in.version(),
        model = check_in.models().next().unwrap_or_default(),
        client = check_in.client,
        peer = %peer.address,
        scheme = if peer.secure { "https" } else { "http" },
        user_agent = &*user_agent,
        bytes = body.len(),
        "check-in reported {shown}"
    );
}

/// A header's text, if it is there and not empty. What is no UTF-8 in it is
/// replaced.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<Cow<'a, str>> {
    let value = headers.get(name)?.as_bytes().trim_ascii();
    (!value.is_empty()).then(|| String::from_utf8_lossy(value))
}

fn first<'a>(headers: &'a HeaderMap, names: &[&str]) -> Option<Cow<'a, str>> {
    names.iter().find_map(|name| header(headers, name))
}

enum NoBody {
    TooBig,
    TooSlow,
    Broken,
}

/// Reads a body up to the limit, each part of it within `idle`.
async fn read(mut body: Incoming, idle: Duration) -> Result<Bytes, NoBody> {
    let announced = body.size_hint().lower();
    if announced > PATIENCE as u64 {
        return Err(NoBody::TooBig);
    }
    let mut first = Bytes::new();
    let mut whole = Vec::new();
    let mut length = 0;
    loop {
        let frame = match timeout(idle, body.frame()).await {
            Err(_) => return Err(NoBody::TooSlow),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(NoBody::Broken),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length += data.len();
        if length > PATIENCE {
            break;
        }
        if length > BODY_LIMIT {
            continue; // Read on, so that the client gets to see the reply.
        }
        // Nearly always there is one frame, and nothing to put together.
        if first.is_empty() && whole.is_empty() {
            first = data;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&data);
        }
    }
    match length {
        0..=BODY_LIMIT if whole.is_empty() => Ok(first),
        0..=BODY_LIMIT => Ok(whole.into()),
        _ => Err(NoBody::TooBig),
    }
}
