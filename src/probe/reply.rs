//! What a device makes of the JSON that answers its check (`Ota::CheckVersion`
//! in the firmware's `main/ota.cc`).

use super::address::{self, Target, Use};
use super::device::Device;
use super::line::{HttpClient, Kind, Line};
use super::report::{Evidence, Finding, Verdict};
use super::rules::reply as rules;
use crate::firmware::version::{device_finds_newer, is_device_safe};
use serde_json::{Map, Value};

/// What a device stops reading at, in bytes (`MAX_BODY_CHUNKS_SIZE` in
/// esp-ml307's `http_client.h`).
const QUEUE: usize = 8 * 1024;
/// The longest key and text that NVS takes (`NVS_KEY_NAME_MAX_SIZE`, and
/// `nvs_set_str` in ESP-IDF's `nvs.h`).
const KEY: usize = 15;
const VALUE: usize = 3999;
/// The line that ends a program which took a null pointer for a text.
const PANIC: &str =
    "Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.";
/// What firmware before 1.8 makes a `std::string` of, whatever its type: of what
/// is no text that is a null pointer. Elsewhere it reads numbers, which are 0 then.
const TAKEN_UNCHECKED: [&str; 4] = [
    "activation.code",
    "activation.message",
    "firmware.url",
    "firmware.version",
];
/// What is shown of a value.
const SHOWN: usize = 120;

/// What the device takes from a reply.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Reply {
    /// What it is to install.
    pub update: Option<Update>,
    /// The version that was named, installed or not.
    pub version: Option<String>,
    /// Where its voice server is.
    pub websocket: Option<Websocket>,
    /// The MQTT endpoint, which wins over the WebSocket.
    pub mqtt: Option<String>,
    /// Whether the device asks to be activated before it does anything else.
    pub activation: bool,
}

/// An update that this device installs.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Update {
    /// As it was offered.
    pub version: String,
    /// Where the image is.
    pub url: String,
    /// Whether `force` makes the device take it.
    pub forced: bool,
}

/// The voice server.
#[derive(Debug, Clone, PartialEq)]
pub struct Websocket {
    /// Its address.
    pub url: String,
    /// Handed on as `Authorization`.
    pub token: String,
    /// `Protocol-Version`.
    pub version: u64,
}

/// The first JSON value of a body: what follows it is nothing to cJSON, and
/// neither are a byte order mark or bytes that are no UTF-8.
pub fn json(body: &[u8]) -> Result<Value, String> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}');
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    match values.next() {
        Some(Ok(value)) => Ok(value),
        Some(Err(e)) => Err(e.to_string()),
        None => Err("it is empty".to_owned()),
    }
}

/// Judges the body of a check's reply. `asked` is where the check went.
pub fn judge(body: &[u8], device: &Device, asked: &Target) -> (Reply, Vec<Finding>) {
    let mut judge = Judge {
        device,
        kind: device.kind,
        asked,
        findings: Vec::new(),
        reply: Reply::default(),
    };
    judge.body(body);
    (judge.reply, judge.findings)
}

struct Judge<'a> {
    device: &'a Device,
    kind: Kind,
    asked: &'a Target,
    findings: Vec<Finding>,
    reply: Reply,
}

impl Judge<'_> {
    fn fail(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn warn(&mut self, rule: &'static super::rule::Rule, evidence: impl Into<Evidence>) {
        self.findings.push(Finding::warn(rule, evidence));
    }

    fn body(&mut self, body: &[u8]) {
        if body.len() >= QUEUE {
            let stops = |k: Kind| {
                matches!(
                    k.http(),
                    HttpClient::HttpClient | HttpClient::StrictHttpClient
                )
            };
            let evidence = format!("{} > {QUEUE}", body.len());
            let finding = Finding::on(&rules::TOO_LONG, self.kind, stops, evidence);
            self.findings.extend(
                finding
                    .map(|f| f.serial("E (…) HttpClient: Wait for HTTP content receive timeout")),
            );
        }
        let root = match json(body) {
            Ok(Value::Object(root)) => root,
            Ok(other) => return self.not_json(cut(&other.to_string())),
            Err(why) => {
                let begins = String::from_utf8_lossy(&body[..body.len().min(SHOWN)]);
                return self.not_json(format!("{why}\n{begins:?}"));
            }
        };
        if is_refusal(&root) {
            let text = Value::Object(root).to_string();
            return self.fail(Finding::fail(&rules::REQUEST_ERROR, cut(&text)));
        }
        self.nulls("", &root, 0);
        self.firmware(&root);
        self.voice(&root);
        self.time(&root);
        if let Some(Value::Object(activation)) = root.get("activation")
            && (activation.contains_key("code") || activation.contains_key("challenge"))
        {
            self.reply.activation = true;
            for key in ["code", "message"] {
                self.text(activation, "activation", key);
            }
            let text = format!("\"activation\":{}", Value::Object(activation.clone()));
            self.warn(&rules::ACTIVATION, cut(&text));
        }
    }

    fn not_json(&mut self, evidence: String) {
        // Of what is too long the device does not see the end, and neither do we.
        if self
            .findings
            .iter()
            .any(|f| f.rule == &rules::TOO_LONG && f.is_failure())
        {
            return;
        }
        self.fail(
            Finding::fail(&rules::NOT_JSON, evidence)
                .serial("E (…) Ota: Failed to parse JSON response"),
        );
    }

    /// Fails firmware that takes a value without a look at its type.
    fn unchecked(&mut self, rule: &'static super::rule::Rule, path: &str, evidence: String) {
        if !TAKEN_UNCHECKED.contains(&path) {
            return self.warn(rule, evidence);
        }
        let crashes = |k: Kind| k.line < Line::V1_8;
        let finding = Finding::on(rule, self.kind, crashes, evidence);
        let crashes = crashes(self.kind);
        self.findings
            .extend(finding.map(|f| if crashes { f.serial(PANIC) } else { f }));
    }

    fn nulls(&mut self, path: &str, members: &Map<String, Value>, depth: usize) {
        for (key, value) in members {
            // Most replies hold none, and a fleet reads many.
            let path = || match (path, cut(key)) {
                ("", key) => key,
                (path, key) => format!("{path}.{key}"),
            };
            match value {
                Value::Null => {
                    let path = path();
                    self.unchecked(&rules::NULL_FIELD, &path, format!("{path}: null"));
                }
                Value::Object(members) if depth < 2 => self.nulls(&path(), members, depth + 1),
                _ => {}
            }
        }
    }

    fn wrong_type(&mut self, path: &str, value: &Value) {
        // A null has a rule of its own.
        if !value.is_null() {
            let evidence = format!("{path}: {}", cut(&value.to_string()));
            self.unchecked(&rules::WRONG_TYPE, path, evidence);
        }
    }

    /// A text below `object`.
    fn text(&mut self, object: &Map<String, Value>, of: &str, key: &str) -> Option<String> {
        match object.get(key)? {
            Value::String(text) => Some(text.clone()),
            other => {
                self.wrong_type(&format!("{of}.{key}"), other);
                None
            }
        }
    }

    fn firmware(&mut self, root: &Map<String, Value>) {
        let firmware = match root.get("firmware") {
            Some(Value::Object(firmware)) => firmware,
            other => {
                if let Some(other) = other {
                    self.wrong_type("firmware", other);
                }
                if is_device_safe(&self.device.version) {
                    self.half_firmware("firmware");
                }
                return;
            }
        };
        let version = self.text(firmware, "firmware", "version");
        let url = self.text(firmware, "firmware", "url");
        for key in ["version", "url"] {
            if !firmware.contains_key(key) {
                self.half_firmware(&format!("firmware.{key}"));
            }
        }
        let (Some(version), Some(url)) = (version, url) else {
            return;
        };
        self.reply.version = Some(version.clone());
        let abort = "terminate called after throwing an instance of 'std::invalid_argument'\nabort() was called …";
        if !is_device_safe(&self.device.version) {
            let evidence = format!("{:?}, firmware: {version:?}", self.device.version);
            let finding = Finding::fail(&rules::OWN_VERSION_CRASHES, evidence);
            return self.fail(finding.serial(abort));
        }
        if !is_device_safe(&version) {
            let finding = Finding::fail(
                &rules::CRASH_VERSION,
                format!("firmware.version: {version:?}"),
            );
            self.fail(finding.serial(abort));
            // What else is wrong with the offer is worth knowing too.
            self.address(&url);
            return;
        }
        let forced = self.forced(firmware, &version);
        let newer = device_finds_newer(&self.device.version, &version);
        if newer || forced {
            if url.is_empty() {
                let evidence = format!("firmware: {version:?}, url: \"\"");
                let finding = Finding::fail(&rules::EMPTY_URL, evidence);
                return self.fail(finding.serial("E (…) HttpClient: Invalid URL format: "));
            }
            self.address(&url);
            self.reply.update = Some(Update {
                forced: forced && !newer,
                version,
                url,
            });
        } else if !url.is_empty() && version != self.device.version {
            let (runs, url_is) = (&self.device.version, cut(&url));
            let evidence = Evidence::both(
                format!("{version:?}，设备正在运行 {runs:?}\n{url_is}"),
                format!("{version:?}, and the device runs {runs:?}\n{url_is}"),
            );
            self.warn(&rules::NOT_NEWER, evidence);
            // Nobody goes there yet.
            let before = self.findings.len();
            self.address(&url);
            for finding in &mut self.findings[before..] {
                finding.verdict = Verdict::Warn;
                finding.serial = None;
            }
        }
    }

    fn half_firmware(&mut self, lacks: &str) {
        let evidence = missing(&format!("{lacks:?}"));
        let fails = |k: Kind| k.line == Line::V1_5;
        let finding = Finding::on(&rules::NO_FIRMWARE, self.kind, fails, evidence);
        let fails = fails(self.kind);
        self.findings.extend(finding.map(|f| {
            if fails {
                f.serial("E (…) Ota: Failed to get firmware object")
            } else {
                f
            }
        }));
    }

    /// Whether the device is made to install it (since 1.6.0).
    fn forced(&mut self, firmware: &Map<String, Value>, version: &str) -> bool {
        let Some(force) = firmware.get("force") else {
            return false;
        };
        match force.as_f64() {
            None => {
                if !force.is_null() {
                    let evidence = format!("firmware.force: {}", cut(&force.to_string()));
                    self.warn(&rules::FORCE_NOT_A_NUMBER, evidence);
                }
                return false;
            }
            // `valueint`, cut at the point.
            Some(number) if !(1.0..2.0).contains(&number) => return false,
            Some(_) => {}
        }
        if self.kind.line < Line::V1_6 {
            return false;
        }
        if version == self.device.version {
            let evidence = Evidence::both(
                format!("firmware: {version:?}, force: 1，设备正在运行 {version:?}"),
                format!("firmware: {version:?}, force: 1, and the device runs {version:?}"),
            );
            self.fail(Finding::fail(&rules::FORCE_LOOP, evidence));
        }
        true
    }

    /// The image's address, which may be fine for this machine and for no
    /// device.
    fn address(&mut self, url: &str) {
        match address::handed_out(url, Use::Firmware, self.kind, self.asked) {
            Err(finding) => self.fail(finding),
            Ok((target, findings)) => {
                self.findings.extend(findings);
                if self.asked.tls && !target.tls {
                    self.warn(&rules::HTTP_BEHIND_HTTPS, format!("firmware.url: {url:?}"));
                }
            }
        }
    }

    fn voice(&mut self, root: &Map<String, Value>) {
        for key in ["websocket", "mqtt"] {
            match root.get(key) {
                Some(Value::Object(block)) => self.flash(key, block),
                Some(other) => self.wrong_type(key, other),
                None => {}
            }
        }
        // Before 1.8 whatever is there counts (`if (mqtt != NULL)`).
        if let Some(other) = root.get("mqtt").filter(|mqtt| !mqtt.is_object()) {
            let evidence = format!("\"mqtt\":{}", cut(&other.to_string()));
            let counts = |k: Kind| k.line < Line::V1_8;
            let finding = Finding::on(&rules::EMPTY_MQTT, self.kind, counts, evidence);
            self.findings.extend(finding);
        }
        let mqtt = root.get("mqtt").and_then(Value::as_object);
        let websocket = root.get("websocket").and_then(Value::as_object);
        if let Some(mqtt) = mqtt {
            match self.text(mqtt, "mqtt", "endpoint") {
                Some(endpoint) if !endpoint.is_empty() => self.reply.mqtt = Some(endpoint),
                _ => {
                    let text = cut(&Value::Object(mqtt.clone()).to_string());
                    let finding = Finding::fail(&rules::EMPTY_MQTT, format!("\"mqtt\":{text}"));
                    self.fail(finding.serial("W (…) MQTT: MQTT endpoint is not specified"));
                }
            }
        }
        match (mqtt, websocket) {
            (None, None) => self.warn(
                &rules::NO_PROTOCOL,
                Evidence::both(
                    "没有 \"websocket\" 和 \"mqtt\"",
                    "\"websocket\" and \"mqtt\" are missing",
                ),
            ),
            (Some(_), Some(_)) => self.warn(&rules::MQTT_AND_WEBSOCKET, "\"mqtt\", \"websocket\""),
            _ => {}
        }
        let Some(websocket) = websocket else { return };
        let token = self.text(websocket, "websocket", "token");
        if let Some(url) = self.text(websocket, "websocket", "url") {
            if self.asked.tls && url.to_ascii_lowercase().starts_with("ws://") {
                self.warn(
                    &rules::WS_BEHIND_HTTPS,
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

    /// Each text and number is written to flash under its own key.
    fn flash(&mut self, of: &str, block: &Map<String, Value>) {
        for (key, value) in block {
            if !value.is_string() && !value.is_number() {
                continue;
            }
            let serial = |code| format!("ESP_ERROR_CHECK failed: esp_err_t {code} at nvs_set_str");
            if key.len() > KEY {
                let evidence = format!("{of}: {:?}: {} > {KEY}", cut(key), key.len());
                let finding = Finding::fail(&rules::LONG_KEY, evidence);
                self.fail(finding.serial(serial("0x1109 (ESP_ERR_NVS_KEY_TOO_LONG)")));
            }
            if value.as_str().is_some_and(|text| text.len() > VALUE) {
                let evidence = format!(
                    "{of}.{}: {} > {VALUE}",
                    cut(key),
                    value.as_str().map_or(0, str::len)
                );
                let finding = Finding::fail(&rules::LONG_VALUE, evidence);
                self.fail(finding.serial(serial("0x110e (ESP_ERR_NVS_VALUE_TOO_LONG)")));
            }
        }
    }

    fn time(&mut self, root: &Map<String, Value>) {
        let Some(Value::Object(time)) = root.get("server_time") else {
            return self.warn(&rules::NO_SERVER_TIME, missing("\"server_time\""));
        };
        // Seconds of these years are below it, milliseconds far above.
        if let Some(stamp) = time.get("timestamp") {
            match stamp.as_f64() {
                Some(number) if number > 1e11 => {}
                Some(_) => self.warn(
                    &rules::SERVER_TIME,
                    format!("server_time.timestamp: {stamp}"),
                ),
                None => self.wrong_type("server_time.timestamp", stamp),
            }
        }
        let day = 24.0 * 60.0;
        let offset = time.get("timezone_offset").and_then(Value::as_f64);
        // Nowhere on earth is it 30 minutes or less from UTC, but at none.
        if let Some(offset) = offset
            && (offset.abs() > day || (offset != 0.0 && offset.abs() < 30.0))
        {
            self.warn(
                &rules::SERVER_TIME,
                format!("server_time.timezone_offset: {offset}"),
            );
        }
    }
}

/// What the Python server (`success`) and the console's manager-api (`error`) say,
/// with 200.
fn is_refusal(root: &Map<String, Value>) -> bool {
    let hands_out = ["firmware", "websocket", "mqtt"]
        .iter()
        .any(|key| root.contains_key(*key));
    root.get("success") == Some(&Value::Bool(false))
        || !hands_out && root.get("error").is_some_and(Value::is_string)
}

fn missing(what: &str) -> Evidence {
    Evidence::both(format!("没有 {what}"), format!("{what} is missing"))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
