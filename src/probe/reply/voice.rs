//! Judges what a check's reply says of the voice server: `websocket` and `mqtt`.

use super::{Judge, Websocket, cut};
use crate::probe::address::{self, misread};
use crate::probe::line::{Kind, Line};
use crate::probe::report::{Evidence, Finding};
use crate::probe::rules::{reply as rules, websocket as voice};
use serde_json::{Map, Value};
use xiaozhi_device::endpoint::{self, AddressFault, AddressKind, Effect, LONGEST_STORED, Misread};

/// Length of the longest key that NVS takes (`NVS_KEY_NAME_MAX_SIZE` in ESP-IDF's
/// `nvs.h`).
const KEY: usize = 15;

impl Judge<'_> {
    pub(super) fn voice(&mut self, root: &Map<String, Value>) {
        for key in ["websocket", "mqtt"] {
            match root.get(key) {
                Some(Value::Object(block)) => self.flash(key, block),
                Some(other) => self.wrong_type(key, other),
                None => {}
            }
        }
        // In 1.6.2 whatever is there counts (`if (mqtt != NULL)`); before it nothing
        // does, for the protocol is compiled in.
        if let Some(other) = root.get("mqtt").filter(|mqtt| !mqtt.is_object()) {
            let evidence = format!("\"mqtt\":{}", cut(&other.to_string()));
            let counts = |k: Kind| k.line == Line::V1_6_2;
            let finding = Finding::on(&voice::EMPTY_MQTT, self.kind, counts, evidence);
            self.findings.extend(finding);
        }
        let mqtt = root.get("mqtt").and_then(Value::as_object);
        let websocket = root.get("websocket").and_then(Value::as_object);
        if let Some(mqtt) = mqtt {
            self.mqtt(mqtt);
        }
        match (mqtt, websocket) {
            (None, None) => self.warn(
                &voice::NO_PROTOCOL,
                Evidence::both(
                    "没有 \"websocket\" 和 \"mqtt\"",
                    "\"websocket\" and \"mqtt\" are missing",
                ),
            ),
            (Some(_), Some(_)) => self.warn(&voice::MQTT_AND_WEBSOCKET, "\"mqtt\", \"websocket\""),
            _ => {}
        }
        let Some(websocket) = websocket else { return };
        let token = self.text(websocket, "websocket", "token");
        if let Some(url) = self.text(websocket, "websocket", "url") {
            if self.asked.tls && url.to_ascii_lowercase().starts_with("ws://") {
                self.warn(
                    &voice::WS_BEHIND_HTTPS,
                    format!("websocket.url: {:?}", cut(&url)),
                );
            }
            self.reply.websocket = Some(Websocket {
                url,
                token: token.unwrap_or_default(),
                version: websocket
                    .get("version")
                    .and_then(Value::as_u64)
                    .unwrap_or(1),
            });
        }
    }

    fn mqtt(&mut self, mqtt: &Map<String, Value>) {
        match self.text(mqtt, "mqtt", "endpoint") {
            Some(endpoint) if !endpoint.is_empty() => {
                self.endpoint(&endpoint);
                self.reply.mqtt = Some(endpoint);
            }
            _ => {
                let text = cut(&Value::Object(mqtt.clone()).to_string());
                let evidence = format!("\"mqtt\":{text}");
                let wins = Kind::reads_websocket;
                let serial = "W (…) MQTT: MQTT endpoint is not specified";
                let finding = Finding::on(&voice::EMPTY_MQTT, self.kind, wins, evidence);
                self.findings
                    .extend(finding.map(|f| f.serial_of_failure(serial)));
            }
        }
    }

    /// Judges the MQTT endpoint. A device connects there at every boot.
    fn endpoint(&mut self, text: &str) {
        for (effect, rule) in [
            (Effect::Aborts, &voice::MQTT_ABORTS),
            (Effect::Mute, &voice::MQTT_MUTE),
        ] {
            let has = |k: Kind| {
                let misread = misread_endpoint(text, k);
                misread.filter(|misread| misread.effect == effect)
            };
            let mute = || "E (…) MQTT: Failed to connect to endpoint".to_owned();
            let seen = has(self.kind).or_else(|| Kind::all().find_map(has));
            let Some(seen) = seen else { continue };
            let serial = match effect {
                Effect::Aborts => misread::exception(&seen),
                Effect::Mute | Effect::Fails => mute(),
            };
            let evidence = misread::evidence("mqtt.endpoint", text, &seen);
            if seen.may_work() {
                self.warn(rule, evidence);
                continue;
            }
            let hit = |k: Kind| has(k).is_some();
            let finding = Finding::on(rule, self.kind, hit, evidence);
            let finding = finding.map(|f| f.serial_of_failure(serial));
            // A port as it is to be written is nothing to warn of, whatever firmware
            // before 1.6.2 made of it.
            let is_well_written = endpoint::read(text, AddressKind::Mqtt).is_ok();
            let finding = finding.filter(|f| f.is_failure() || !is_well_written);
            let aborts =
                effect == Effect::Aborts && finding.as_ref().is_some_and(Finding::is_failure);
            self.findings.extend(finding);
            // It is worse than what others make of it.
            if aborts {
                return;
            }
        }
        if let Some(host) = host_of_endpoint(text, self.kind) {
            let evidence = misread::quoted("mqtt.endpoint", text);
            self.findings
                .extend(address::handed_out_host(host, evidence, self.asked));
        }
    }

    /// Judges the keys and values of a block: each text and number is written to
    /// flash under its own key.
    fn flash(&mut self, of: &str, block: &Map<String, Value>) {
        for (key, value) in block {
            let stores = |k: Kind| is_stored(of, value, k);
            let call = if value.is_number() {
                "nvs_set_i32"
            } else {
                "nvs_set_str"
            };
            let serial = |code| format!("ESP_ERROR_CHECK failed: esp_err_t {code} at {call}");
            if key.len() > KEY {
                let evidence = format!("{of}: {:?}: {} > {KEY}", cut(key), key.len());
                let finding = Finding::on(&rules::LONG_KEY, self.kind, stores, evidence);
                let serial = serial("0x1109 (ESP_ERR_NVS_KEY_TOO_LONG)");
                self.findings
                    .extend(finding.map(|f| f.serial_of_failure(serial)));
            }
            if let Some(text) = value.as_str().filter(|text| text.len() > LONGEST_STORED) {
                let evidence = format!("{of}.{}: {} > {LONGEST_STORED}", cut(key), text.len());
                let finding = Finding::on(&rules::LONG_VALUE, self.kind, stores, evidence);
                let serial = serial("0x110e (ESP_ERR_NVS_VALUE_TOO_LONG)");
                self.findings
                    .extend(finding.map(|f| f.serial_of_failure(serial)));
            }
        }
    }
}

/// Returns the host that this device connects to for MQTT, if it does.
fn host_of_endpoint(text: &str, kind: Kind) -> Option<&str> {
    match misread_endpoint(text, kind) {
        Some(misread) => misread.may_work().then(|| text.split(':').next())?,
        None if kind.reads_websocket() => {
            let end = endpoint::read(text, AddressKind::Mqtt).ok()?;
            Some(end.host)
        }
        None => Some(text),
    }
}

/// Returns the fault of an MQTT endpoint as this device reads it: since 1.6.2 as
/// the server's own reader says; before, all of it was the host's name
/// (`MqttProtocol::StartMqttClient`).
fn misread_endpoint(text: &str, kind: Kind) -> Option<Misread> {
    let misread = endpoint::read(text, AddressKind::Mqtt).err();
    if kind.reads_websocket() {
        // What is too long is not stored, and has a rule of its own.
        return misread.filter(|misread| misread.fault != AddressFault::Long);
    }
    let in_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let sign = text.chars().find(|c| !in_name(*c))?;
    Some(Misread {
        kind: AddressKind::Mqtt,
        effect: Effect::Mute,
        fault: AddressFault::HostSign,
        part: sign.to_string(),
        is_huge: false,
    })
}

/// Returns whether a device writes this value of a block to its flash
/// (`Ota::CheckVersion`, `Settings` in the firmware's `main/settings.cc`).
fn is_stored(of: &str, value: &Value, kind: Kind) -> bool {
    let is_websocket = of == "websocket";
    let is_read = match value {
        Value::String(_) => true,
        Value::Number(_) => is_websocket || kind.line >= Line::V1_7_5,
        _ => false,
    };
    // What is there already is not written again: nothing is there under a key that
    // cannot be one.
    let is_nothing = value.as_str() == Some("") || value.as_f64() == Some(0.0);
    let compares = !is_websocket || kind.line >= Line::V1_7_5;
    is_read && (!is_websocket || kind.reads_websocket()) && !(is_nothing && compares)
}
