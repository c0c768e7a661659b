//! Tells what a request was for that came to where nothing is, or not as it should.

use super::request::{DEVICE_ID, Head, shown, text};
use super::router::below;
use super::spelling;
use super::upgrade_headers;
use crate::ota::public_url::WEBSOCKET_PATH;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, USER_AGENT};
use xiaozhi_device::checkin::Report;
use xiaozhi_device::redact;

/// Programs whose `User-Agent` looks as a device's does.
const TOOLS: [&str; 10] = [
    "curl",
    "wget",
    "go-http-client",
    "python-",
    "okhttp",
    "axios",
    "httpie",
    "java",
    "lua-resty-http",
    "zgrab",
];

/// Names by which the libraries of ESP-IDF and of Arduino call themselves.
const LIBRARIES: [&str; 3] = ["ESP32 HTTP Client", "ESP32HTTPClient", "ESP8266HTTPClient"];

/// Settings that pass voice and vision on.
pub(super) const VOICE: &str = "gateway.proxy.websocket: http://127.0.0.1:8000";
pub(super) const VISION: &str = "gateway.proxy.vision: http://127.0.0.1:8004";
/// Paths of xiaozhi-server's companions, as [`spelling::plain`] has them, and the
/// settings that pass them on.
const COMPANIONS: [(&str, &str); 9] = [
    (
        "/mcp_endpoint",
        "gateway.proxy.routes: {/mcp_endpoint/: 'http://127.0.0.1:8005'}",
    ),
    ("/xiaozhi/otamag", MANAGER),
    ("/xiaozhi/config", MANAGER),
    ("/xiaozhi/agent", MANAGER),
    ("/xiaozhi/device", MANAGER),
    ("/xiaozhi/user", MANAGER),
    ("/xiaozhi/admin", MANAGER),
    ("/xiaozhi/models", MANAGER),
    ("/xiaozhi/doc.html", MANAGER),
];
const MANAGER: &str = "gateway.proxy.routes: {/xiaozhi: 'http://127.0.0.1:8002'}";

/// Returns the setting that would pass a plain path on, where it is a companion's of
/// xiaozhi-server.
pub(super) fn companion(plain: &str) -> Option<&'static str> {
    let mut companions = COMPANIONS.iter();
    let found = companions.find(|(known, _)| below(plain, known).is_some());
    found.map(|(_, setting)| *setting)
}

/// Returns the name of the image that a request asks for, as it stands in the path.
pub(super) fn image(head: &Head) -> Option<&str> {
    let (_, file) = head.uri.path().rsplit_once('/')?;
    (file.len() > 4 && file.ends_with(".bin")).then(|| shown(file))
}

/// Returns whether a request is a device's, by what no other client sends.
pub(super) fn is_device(head: &Head) -> bool {
    head.headers.contains_key(&DEVICE_ID)
}

/// Returns the `User-Agent` of a request, if it is one as the firmware has it. Monitors have
/// such, too.
pub(super) fn agent(head: &Head) -> Option<String> {
    let agent = head.headers.get(USER_AGENT).and_then(text)?;
    is_firmware(&agent).then(|| redact::shown(shown(&agent)).into_owned())
}

/// Returns whether a `User-Agent` is as the firmware's: `{board}/{version}`, or ESP-IDF's
/// own.
fn is_firmware(agent: &str) -> bool {
    let (board, version) = agent.split_once('/').unwrap_or((agent, ""));
    let lower = board.to_ascii_lowercase();
    let is_board = board
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let is_version = version.starts_with(|c: char| c.is_ascii_digit()) && !version.contains(' ');
    LIBRARIES.contains(&board)
        || (is_board && is_version && !TOOLS.iter().any(|tool| lower.starts_with(tool)))
}

/// Returns whether a request may be a check-in whose headers a proxy took away: its body
/// tells.
pub(super) fn may_be_stripped(head: &Head) -> bool {
    head.method == Method::POST && !is_device(head) && is_json(head)
}

/// Returns whether a body is what a device reports of itself.
pub(super) fn is_report(body: &[u8]) -> bool {
    let report = Report::read(body);
    report.has_board && (report.version.is_some() || report.chip_name.is_some())
}

/// Returns whether a request says that its body is JSON, as a check-in's is and a
/// picture is not.
pub(super) fn is_json(head: &Head) -> bool {
    let kind = head.headers.get(CONTENT_TYPE).and_then(text);
    kind.is_some_and(|kind| kind.starts_with("application/json"))
}

/// Returns whether a plain path is the voice's, below whatever prefix.
pub(super) fn is_voice(plain: &str) -> bool {
    plain.ends_with(WEBSOCKET_PATH.trim_end_matches('/'))
}

/// Returns whether a request that is nowhere is for voice: it asks for a WebSocket, or
/// its path is nearly that one.
pub(super) fn wants_voice(head: &Head, plain: &str) -> bool {
    let mut parts = plain.split('/');
    let is_version = |part: &str| {
        part.strip_prefix('v')
            .is_some_and(|n| n.parse::<u8>().is_ok())
    };
    // Scanners ask for one at the root.
    (asks_for_websocket(head) && (is_device(head) || !plain.is_empty()))
        || is_voice(plain)
        || below(plain, WEBSOCKET_PATH.trim_end_matches('/')).is_some()
        || (parts.any(|part| spelling::is_nearly(part, "xiaozhi"))
            && parts.any(|part| is_version(part) || matches!(part, "ws" | "websocket")))
}

/// Returns whether a plain path is nearly that of vision.
pub(super) fn wants_vision(plain: &str) -> bool {
    let has = |wanted| {
        plain
            .split('/')
            .any(|part| spelling::is_nearly(part, wanted))
    };
    has("vision") && (has("mcp") || has("explain"))
}

/// Returns whether a request has a header that only the opening of a WebSocket has.
fn asks_for_websocket(head: &Head) -> bool {
    head.headers.contains_key("sec-websocket-key") || upgrade_headers::no_upgrade(head).is_none()
}

/// Returns whether a request for the voice's path is a device's, or another's that wants
/// to speak there, and no look by a browser.
pub(super) fn asks_for_voice(head: &Head) -> bool {
    asks_for_websocket(head) || is_device(head) || upgrade_headers::has_upgrade(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_as_the_firmware_has_it() {
        for (agent, is) in [
            ("bread-compact-wifi/1.6.0", true),
            ("esp-box-3/2.0.1", true),
            ("lilygo-t-cameraplus-s3_v1_2/2.2.0", true),
            ("ESP32 HTTP Client/1.0", true),
            ("ESP32HTTPClient", true),
            ("ESP32", false),
            ("curl/8.5.0", false),
            ("python-requests/2.31.0", false),
            ("Go-http-client/1.1", false),
            ("Mozilla/5.0 (X11; Linux x86_64)", false),
            ("", false),
        ] {
            assert_eq!(is_firmware(agent), is, "{agent}");
        }
    }

    #[test]
    fn what_is_nearly_vision() {
        for path in ["/mcp/vision", "/mcp/vision/explian", "/x/vision/explain"] {
            assert!(wants_vision(path), "{path}");
        }
        for path in ["", "/vision", "/mcp", "/xiaozhi/ota"] {
            assert!(!wants_vision(path), "{path}");
        }
    }
}
