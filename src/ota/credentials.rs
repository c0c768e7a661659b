//! Makes what a device needs to reach its voice server: the WebSocket token or the MQTT
//! account, as xiaozhi-server makes and checks them.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use std::collections::HashSet;
use std::fmt;
use xiaozhi_device::checkin::CheckIn;

/// A value that no log, page or `Debug` shows.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MASKED")
    }
}

/// Way by which devices reach their voice server. MQTT wins over the WebSocket on the
/// device, so only one of the two is ever sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voice {
    /// `server.mqtt_gateway`.
    Mqtt {
        /// `host:port`.
        endpoint: String,
        /// `server.mqtt_signature_key`; without it the password is empty.
        signature_key: Option<Secret>,
    },
    /// The WebSocket, at the address of its own setting.
    WebSocket {
        /// `server.auth`, if it is enabled.
        auth: Option<TokenAuth>,
    },
}

/// Settings by which WebSocket tokens are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenAuth {
    /// The key that xiaozhi-server checks with.
    pub key: Secret,
    /// Devices that need no token, by exact `Device-Id`, as xiaozhi-server
    /// compares them.
    pub allowed_devices: HashSet<String>,
}

/// The block of the reply that leads to the voice server. Its strings go to
/// flash under their keys: a key over 15 characters aborts the device, so no
/// key may be added here without a look at its length.
#[derive(Debug, PartialEq, Eq)]
pub enum VoiceBlock<'a> {
    /// `mqtt{...}`
    Mqtt(MqttBlock<'a>),
    /// `websocket{...}`
    WebSocket(WebSocketBlock<'a>),
}

/// `mqtt{...}`: the firmware's own keys.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[expect(missing_docs, reason = "the firmware's own keys")]
pub struct MqttBlock<'a> {
    pub endpoint: &'a str,
    pub client_id: String,
    pub username: &'static str,
    pub password: String,
    pub publish_topic: &'static str,
    pub subscribe_topic: String,
}

/// `websocket{...}`: the firmware's own keys.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[expect(missing_docs, reason = "the firmware's own keys")]
pub struct WebSocketBlock<'a> {
    pub url: &'a str,
    pub token: String,
}

/// base64 of `{"ip": "unknown"}`, all that xiaozhi-server says of the client.
const MQTT_USERNAME: &str = "eyJpcCI6ICJ1bmtub3duIn0=";

impl Voice {
    /// Makes the block for one device at `unix_seconds`, with this WebSocket address.
    /// Where there is no address that a device could read it gets neither block, for one
    /// that it misreads would abort it.
    pub fn block<'a>(
        &'a self,
        check_in: &CheckIn<'_>,
        websocket: Option<&'a str>,
        unix_seconds: u64,
    ) -> Option<VoiceBlock<'a>> {
        Some(match self {
            Self::Mqtt {
                endpoint,
                signature_key,
            } => {
                let mac = check_in.device.replace(':', "_");
                let model = check_in.upstream_model().replace([':', ' '], "_");
                let client_id = format!("GID_{model}@@@{mac}@@@{mac}");
                let password = signature_key.as_ref().map_or_else(String::new, |key| {
                    STANDARD.encode(sign(key, &format!("{client_id}|{MQTT_USERNAME}")))
                });
                VoiceBlock::Mqtt(MqttBlock {
                    endpoint,
                    client_id,
                    username: MQTT_USERNAME,
                    password,
                    publish_topic: "device-server",
                    subscribe_topic: format!("devices/p2p/{mac}"),
                })
            }
            Self::WebSocket { auth } => VoiceBlock::WebSocket(WebSocketBlock {
                url: websocket?,
                token: auth
                    .as_ref()
                    .map_or_else(String::new, |auth| auth.token(check_in, unix_seconds)),
            }),
        })
    }
}

impl TokenAuth {
    /// `base64url(HMAC-SHA256(key, "client|device|time")).time`, or nothing for
    /// a device that needs none.
    fn token(&self, check_in: &CheckIn<'_>, unix_seconds: u64) -> String {
        if self.allowed_devices.contains(check_in.device) {
            return String::new();
        }
        let signed = format!("{}|{}|{unix_seconds}", check_in.client, check_in.device);
        format!(
            "{}.{unix_seconds}",
            URL_SAFE_NO_PAD.encode(sign(&self.key, &signed))
        )
    }
}

/// HMAC-SHA256.
fn sign(key: &Secret, text: &str) -> hmac::Tag {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.bytes());
    hmac::sign(&key, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use xiaozhi_device::checkin::Report;

    fn check_in(body: &str) -> CheckIn<'_> {
        CheckIn {
            device: "aa:bb:cc:dd:ee:ff",
            client: "7b94d69a-9808-4c59-9c9b-704333b38aff",
            report: Report::read(body.as_bytes()),
            ..CheckIn::default()
        }
    }

    fn json(block: Option<VoiceBlock<'_>>) -> String {
        match block {
            Some(VoiceBlock::Mqtt(block)) => serde_json::to_string(&block),
            Some(VoiceBlock::WebSocket(block)) => serde_json::to_string(&block),
            None => Ok(String::new()),
        }
        .unwrap_or_default()
    }

    #[test]
    fn mqtt_as_recorded_from_xiaozhi_server() {
        let voice = Voice::Mqtt {
            endpoint: "mqtt.example.com:1883".into(),
            signature_key: Some(Secret::new("Sig-Key-123".into())),
        };
        let c = check_in(r#"{"board":{"type":"esp32s3","name":"never-this-one"}}"#);
        let json = json(voice.block(&c, Some("ws://h/"), 0));
        assert_eq!(
            json,
            r#"{"endpoint":"mqtt.example.com:1883","client_id":"GID_esp32s3@@@aa_bb_cc_dd_ee_ff@@@aa_bb_cc_dd_ee_ff","username":"eyJpcCI6ICJ1bmtub3duIn0=","password":"wxicJ+QlQroytN3Bl6Cu5tJXiuMS6YHLPnll/UT5Yos=","publish_topic":"device-server","subscribe_topic":"devices/p2p/aa_bb_cc_dd_ee_ff"}"#
        );
    }

    #[test]
    fn a_token_only_where_one_is_needed() {
        let auth = |allowed: &[&str]| Voice::WebSocket {
            auth: Some(TokenAuth {
                key: Secret::new("golden-key".into()),
                allowed_devices: allowed.iter().map(|&d| d.to_owned()).collect(),
            }),
        };
        let c = check_in("");
        let token = |voice: &Voice| match voice.block(&c, Some("ws://h/"), 1_765_000_000) {
            Some(VoiceBlock::WebSocket(block)) => block.token,
            Some(VoiceBlock::Mqtt(_)) | None => panic!("another kind"),
        };
        // openssl dgst -sha256 -hmac golden-key over "{client}|{device}|{time}"
        assert_eq!(
            token(&auth(&[])),
            "HOnhgo9uo2UkeuquCoU77dk_vOH5kPnYmFWOzrUTZ7A.1765000000"
        );
        assert_eq!(token(&auth(&["aa:bb:cc:dd:ee:ff"])), "");
        assert_eq!(token(&auth(&["AA:BB:CC:DD:EE:FF"])), token(&auth(&[])));
    }

    #[test]
    fn without_an_address_there_is_no_block() {
        let voice = Voice::WebSocket { auth: None };
        assert_eq!(voice.block(&check_in(""), None, 0), None);
    }

    #[test]
    fn no_key_of_a_block_is_too_long_for_flash() {
        let c = check_in("");
        for voice in [
            Voice::Mqtt {
                endpoint: String::new(),
                signature_key: None,
            },
            Voice::WebSocket { auth: None },
        ] {
            let value: serde_json::Value =
                serde_json::from_str(&json(voice.block(&c, Some("ws://h/"), 0)))
                    .unwrap_or_default();
            for key in value
                .as_object()
                .into_iter()
                .flat_map(serde_json::Map::keys)
            {
                assert!(key.len() <= 15, "{key}");
            }
        }
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", Secret::new("hush".into())), "MASKED");
    }
}
