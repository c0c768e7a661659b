//! Addresses of which some are protected and others not, and firmware that goes by the
//! port where the scheme says otherwise.

use super::super::public_url::{PublicAddress, Scheme, Source, Url};
use super::{Origin, Surroundings};
use crate::event::{Event, event};
use xiaozhi_device::endpoint::{self, AddressKind};
use xiaozhi_device::redact;

/// Port of MQTT over TLS.
const MQTT_TLS: u16 = 8883;

pub(super) fn audit(address: &PublicAddress, around: &Surroundings<'_>) -> Vec<Event> {
    let url = address.url();
    let mut found = Vec::new();
    if let Some(handed_out) = around.websocket {
        // One that is made up beside another goes by what each device has reached.
        let both = around.websocket_from == Origin::MadeUp && address.source() == Source::Derived;
        if !both {
            found.extend(websocket(url, handed_out));
        }
        found.extend(modem(url, handed_out, around));
    }
    found.extend(around.mqtt.and_then(|endpoint| mqtt(url, endpoint)));
    found.extend(vision(address));
    found
}

fn websocket(url: &Url, websocket: &str) -> Option<Event> {
    let shown = redact::shown(websocket);
    match (url.scheme, websocket.starts_with("wss://")) {
        (Scheme::Https, false) => Some(event!(
            ADDRESS_VOICE_PLAIN,
            setting = "server.websocket",
            voice = shown
        )),
        (Scheme::Http, true) => Some(event!(
            ADDRESS_FIRMWARE_PLAIN,
            setting = "server.websocket",
            voice = shown
        )),
        _ => None,
    }
}

fn vision(address: &PublicAddress) -> Option<Event> {
    let vision = address.vision_url();
    let is_plain = address.source() == Source::Ota
        && address.url().scheme == Scheme::Https
        && vision.starts_with("http://");
    is_plain.then(|| {
        event!(
            ADDRESS_VISION_PLAIN,
            setting = "server.vision_explain",
            vision = vision
        )
    })
}

/// Both MQTT clients of the firmware, the modem's and the Wi-Fi one's, use TLS where the
/// port is 8883, and nowhere else (`ml307_mqtt.cc`, `esp_mqtt.cc` in esp-ml307).
fn mqtt(url: &Url, endpoint: &str) -> Option<Event> {
    let port = endpoint::read(endpoint, AddressKind::Mqtt).ok()?.port;
    let shown = redact::shown(endpoint);
    if port == MQTT_TLS {
        None
    } else if matches!(port, 443 | 8443 | 8884) {
        Some(event!(
            ADDRESS_MQTT_PORT,
            setting = "server.mqtt_gateway",
            endpoint = shown,
            port = port
        ))
    } else {
        (url.scheme == Scheme::Https).then(|| {
            event!(
                ADDRESS_MQTT_PLAIN,
                setting = "server.mqtt_gateway",
                endpoint = shown,
                port = port
            )
        })
    }
}

/// Between 1.6.2 and 1.7.6 the firmware of ML307 boards spoke TLS to a WebSocket
/// on port 443, and nowhere else, whatever the scheme said
/// (`Ml307SslTransport::Connect` in esp-ml307 1.9.1 to 2.2; from 3.0 on the scheme
/// counts, and check-ins and downloads always went by it).
fn modem(url: &Url, websocket: &str, around: &Surroundings<'_>) -> Option<Event> {
    let voice = endpoint::read(websocket, AddressKind::WebSocket).ok()?;
    let secure = websocket.starts_with("wss://");
    if secure == (voice.port == 443) {
        return None;
    }
    // Our own ports answer both, whichever the device speaks.
    let is_here = voice.host.eq_ignore_ascii_case(&url.host) && around.ports.contains(&voice.port);
    let answers_both = around.tls && !around.http_ends;
    if is_here && around.passed_on.voice && answers_both && !around.behind_proxy {
        return None;
    }
    let shown = redact::shown(websocket);
    Some(if secure {
        event!(
            ADDRESS_MODEM_PLAIN,
            setting = "server.websocket",
            voice = shown,
            port = voice.port
        )
    } else {
        event!(
            ADDRESS_MODEM_TLS,
            setting = "server.websocket",
            voice = shown
        )
    })
}
