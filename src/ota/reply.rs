//! The JSON that answers a check-in: its keys, their order and their types are
//! what every firmware version since v1.5 can read.
//!
//! No `null`; no key beyond those that firmware knows in `websocket` and `mqtt`, and none
//! over 15 characters, for they become keys in its flash. `force` is the number 1 beside
//! an image that is forced, and is not there otherwise. `firmware` holds `version` and
//! `url` both, or is not there at all (for a device whose own version its parser cannot
//! take).

use super::credentials::{MqttBlock, VoiceBlock, WebSocketBlock};
use super::decide::{Decision, Outcome};
use serde::Serialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Answer to a request without its identifying headers, with status 200, as in
/// xiaozhi-server.
pub(crate) const REQUEST_ERROR: &str = r#"{"success":false,"message":"request error."}"#;

#[derive(Serialize)]
struct CheckInReply<'a> {
    server_time: ServerTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    firmware: Option<Firmware<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mqtt: Option<MqttBlock<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    websocket: Option<WebSocketBlock<'a>>,
}

/// `server_time`.
#[derive(Debug, Serialize)]
pub(crate) struct ServerTime {
    timestamp: u64,
    timezone_offset: i32,
}

/// Makes the time of a reply; the offset is in minutes.
pub(crate) fn server_time(now: SystemTime, timezone_offset: i32) -> ServerTime {
    let millis = since_epoch(now).as_millis();
    ServerTime {
        timestamp: u64::try_from(millis).unwrap_or(u64::MAX),
        timezone_offset,
    }
}

/// `firmware`. Both keys are always there: v1.5 firmware takes them unchecked.
#[derive(Debug, Serialize)]
pub struct Firmware<'a> {
    version: &'a str,
    url: &'a str,
    /// Install it whatever the device's own comparison says (since v1.6.0).
    #[serde(skip_serializing_if = "Option::is_none")]
    force: Option<u8>,
}

impl<'a> Firmware<'a> {
    /// Returns what a device is told of firmware. `own` is its version, `url` the download
    /// address if an image is offered.
    pub(crate) fn of(decision: &Decision<'a>, own: &'a str, url: &'a str) -> Option<Self> {
        match decision.outcome {
            Outcome::Offer { entry, force } => Some(Self {
                version: entry.version.as_str(),
                url,
                force: force.then_some(1),
            }),
            Outcome::UpToDate => Some(Self::up_to_date(own)),
            Outcome::Silent => None,
        }
    }

    /// Says that there is nothing newer than a device's `own` version.
    pub const fn up_to_date(own: &'a str) -> Self {
        Self {
            version: own,
            url: "",
            force: None,
        }
    }
}

/// Writes the reply. `own` is the device's version, `url` the download address
/// if an image is offered, `timezone_offset` in minutes.
pub fn write(
    decision: &Decision<'_>,
    own: &str,
    url: &str,
    voice: Option<VoiceBlock<'_>>,
    now: SystemTime,
    timezone_offset: i32,
) -> Vec<u8> {
    // One of the two and never both: an empty block counts as present.
    let (mqtt, websocket) = match voice {
        Some(VoiceBlock::Mqtt(block)) => (Some(block), None),
        Some(VoiceBlock::WebSocket(block)) => (None, Some(block)),
        None => (None, None),
    };
    let reply = CheckInReply {
        server_time: server_time(now, timezone_offset),
        firmware: Firmware::of(decision, own, url),
        mqtt,
        websocket,
    };
    let mut json = Vec::with_capacity(512);
    // Strings and numbers into memory: there is nothing that could fail.
    let _ = serde_json::to_writer(&mut json, &reply);
    json
}

/// The time since 1970; none for a clock that stands before it.
pub(crate) fn since_epoch(now: SystemTime) -> Duration {
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firmware::snapshot::tests::entry;

    fn json(outcome: Outcome<'_>, own: &str, url: &str) -> String {
        let decision = Decision {
            model: "a",
            named: Some("a"),
            is_own: true,
            own_files: Some("a"),
            candidates: 1,
            outcome,
            withheld: Vec::new(),
            is_early: false,
            near: None,
            unused: None,
        };
        let voice = VoiceBlock::WebSocket(WebSocketBlock {
            url: "ws://h/",
            token: String::new(),
        });
        let now = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        String::from_utf8(write(&decision, own, url, Some(voice), now, 480)).unwrap()
    }

    #[test]
    fn compact_and_in_order() {
        let entry = &entry("a_1.1.bin");
        let offer = |force| Outcome::Offer { entry, force };
        assert_eq!(
            json(offer(false), "1.0", "https://h/a_1.1.bin"),
            r#"{"server_time":{"timestamp":1700000000123,"timezone_offset":480},"firmware":{"version":"1.1","url":"https://h/a_1.1.bin"},"websocket":{"url":"ws://h/","token":""}}"#
        );
        assert!(json(offer(true), "1.0", "u").contains(r#""url":"u","force":1}"#));
        assert!(
            json(Outcome::UpToDate, "1.0", "").contains(r#""firmware":{"version":"1.0","url":""}"#)
        );
    }

    #[test]
    fn silence_leaves_the_whole_object_out() {
        let text = json(Outcome::Silent, "v1", "");
        assert!(
            !text.contains("firmware") && !text.contains("null"),
            "{text}"
        );
    }
}
