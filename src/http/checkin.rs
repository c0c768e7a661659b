//! The check-in: what a device posts, and what it is told.

use super::front::{Front, Head};
use super::input::{self, NoBody};
use super::reply::{self, Reply};
use crate::ota::checkin::{CheckIn, Report};
use crate::ota::decide::{Outcome, decide};
use crate::ota::reply::{since_epoch, write};
use crate::server::Peer;
use crate::telemetry::logs::GUIDE_TARGET;
use hyper::StatusCode;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName, USER_AGENT};
use std::borrow::Cow;
use std::time::SystemTime;
use tracing::{Level, debug, enabled, info, warn};

/// How much of a body the log shows.
const BODY_SHOWN: usize = 4096;
/// How much of any other value that a device sent the log shows.
const SHOWN: usize = 128;

const DEVICE_ID: HeaderName = HeaderName::from_static("device-id");
const CLIENT_ID: HeaderName = HeaderName::from_static("client-id");
/// Headers that name a model or a version, most important first, as
/// xiaozhi-server looks for them.
const MODEL_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("device-model"),
    HeaderName::from_static("device_model"),
    HeaderName::from_static("model"),
];
const VERSION_HEADERS: [HeaderName; 5] = [
    HeaderName::from_static("device-version"),
    HeaderName::from_static("device_version"),
    HeaderName::from_static("firmware-version"),
    HeaderName::from_static("app-version"),
    HeaderName::from_static("application-version"),
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
pub(super) fn device_id(head: &Head) -> Option<Cow<'_, str>> {
    header(&head.headers, &DEVICE_ID)
}

/// What of a value that a device sent goes into the log: strangers must not
/// fill it.
pub(super) fn shown(value: &str) -> &str {
    value
        .char_indices()
        .nth(SHOWN)
        .map_or(value, |(end, _)| &value[..end])
}

/// `POST`: the check-in itself. Whatever the device reports, it is answered
/// with 200: an OTA fault must not keep it from its voice server.
pub(super) async fn answer(
    front: &Front,
    peer: Peer,
    head: &Head,
    body: Incoming,
    now: SystemTime,
) -> Reply {
    let body = match input::read(body, front.parts.idle).await {
        Ok(body) => body,
        Err(NoBody::TooBig) => {
            info!(peer = %peer.address, limit = input::LIMIT, "check-in refused: its body is too big");
            let text = format!("the body is larger than {} bytes\n", input::LIMIT);
            return reply::closing(reply::error(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        Err(NoBody::TooSlow) => {
            return reply::closing(reply::error(
                StatusCode::REQUEST_TIMEOUT,
                "the body did not come in time\n",
            ));
        }
        Err(NoBody::Broken) => {
            return reply::closing(reply::error(
                StatusCode::BAD_REQUEST,
                "the body ended early\n",
            ));
        }
    };
    let headers = &head.headers;
    let (Some(device), Some(client)) = (header(headers, &DEVICE_ID), header(headers, &CLIENT_ID))
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
    info!(target: GUIDE_TARGET, "OTA请求设备ID: {}", shown(&device));
    if enabled!(Level::DEBUG) {
        log_report(&check_in, peer, headers, &body);
    }
    decided(front, &check_in, now)
}

fn decided(front: &Front, check_in: &CheckIn<'_>, now: SystemTime) -> Reply {
    let parts = &front.parts;
    let snapshot = parts.catalogue.snapshot();
    let decision = decide(check_in, &snapshot, &parts.policy);
    let (device, own) = (shown(check_in.device), check_in.version());
    let (model, count) = (shown(decision.model), decision.candidates);
    match check_in.models().next() {
        // The guide tells operators to compare the device's model with the files.
        Some(reported) if reported != decision.model => {
            let reported = shown(reported);
            info!(target: GUIDE_TARGET, reported, "查找型号 {model} 的固件，找到 {count} 个候选");
        }
        _ => info!(target: GUIDE_TARGET, "查找型号 {model} 的固件，找到 {count} 个候选"),
    }
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
        Outcome::UpToDate => {
            info!(target: GUIDE_TARGET, "设备 {device} 固件已是最新: {}", shown(own))
        }
        Outcome::Silent => warn!(
            %device, version = shown(own),
            "the device's own version restarts it at every check that mentions firmware: it is told nothing about \
             firmware; flash it by cable with a version of numbers and dots"
        ),
    }
    for withheld in &decision.withheld {
        info!(%device, version = shown(own), withheld = withheld.what, "not offered: {}", withheld.reason);
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
    let body_shown = String::from_utf8_lossy(&body[..body.len().min(BODY_SHOWN)]);
    let user_agent = header(headers, &USER_AGENT).unwrap_or_default();
    debug!(
        device = shown(check_in.device),
        version = shown(check_in.version()),
        model = shown(check_in.models().next().unwrap_or_default()),
        client = shown(check_in.client),
        peer = %peer.address,
        scheme = if peer.secure { "https" } else { "http" },
        user_agent = shown(&user_agent),
        bytes = body.len(),
        "check-in reported {body_shown}"
    );
}

/// A header's text, if it is there and not empty. What is no UTF-8 in it is
/// replaced.
fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    let value = headers.get(name)?.as_bytes().trim_ascii();
    (!value.is_empty()).then(|| String::from_utf8_lossy(value))
}

fn first<'a>(headers: &'a HeaderMap, names: &[HeaderName]) -> Option<Cow<'a, str>> {
    names.iter().find_map(|name| header(headers, name))
}
