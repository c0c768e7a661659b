//! Reads the JSON that answers a check as a device does (`Ota::CheckVersion` in the
//! firmware's `main/ota.cc`).

mod voice;

use super::address::{self, Target, Use};
use super::device::Device;
use super::line::{Kind, Line};
use super::report::{Evidence, Finding, StepVerdict};
use super::rules::reply as rules;
use super::serial;
use serde_json::{Map, Value};
use xiaozhi_device::redact;
use xiaozhi_device::version::{device_finds_newer, is_device_safe};

/// Bytes of a body at which a device stops reading (`MAX_BODY_CHUNKS_SIZE` in
/// esp-ml307's `http_client.h`).
const QUEUE: usize = 8 * 1024;
/// Line that ends a program which took a null pointer for a text.
const PANIC: &str =
    "Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.";
/// Values of which firmware before 1.6.6 makes a `std::string`, whatever their
/// type: of what is no text that is a null pointer. Elsewhere it reads numbers,
/// which are 0 then. Each with the first line that reads it.
const TAKEN_UNCHECKED: [(&str, Line); 5] = [
    ("activation.challenge", Line::V1_6),
    ("activation.code", Line::V1_5),
    ("activation.message", Line::V1_5),
    ("firmware.url", Line::V1_5),
    ("firmware.version", Line::V1_5),
];
/// Length of the longest value that is shown, in characters.
const SHOWN: usize = 120;

/// Contents that the device takes from a reply.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct CheckReply {
    /// Update that the device is to install.
    pub(crate) update: Option<Update>,
    /// Version that was named, installed or not.
    pub(crate) version: Option<String>,
    /// Voice server.
    pub(crate) websocket: Option<Websocket>,
    /// MQTT endpoint, which wins over the WebSocket.
    pub(crate) mqtt: Option<String>,
    /// True where the device asks `…/activate` before it does anything else: for its
    /// answer to a challenge, since 1.6.0.
    pub(crate) activation: bool,
}

/// Update that this device installs.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Update {
    /// Version as it was offered.
    pub(crate) version: String,
    /// Address of the image.
    pub(crate) url: String,
    /// True where `force` makes the device take it.
    pub(crate) forced: bool,
}

/// Voice server, as it was handed out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Websocket {
    pub(crate) url: String,
    /// Token for `Authorization`.
    pub(crate) token: String,
    /// Value of `Protocol-Version`.
    pub(crate) version: u64,
}

/// Parses the first JSON value of a body: what follows it is nothing to cJSON, and
/// neither are a byte order mark or bytes that are no UTF-8.
pub(crate) fn json(body: &[u8]) -> Result<Value, String> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}');
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    match values.next() {
        Some(Ok(value)) => Ok(value),
        Some(Err(e)) => Err(e.to_string()),
        None => Err("it is empty".to_owned()),
    }
}

/// Judges the body of a check's reply. `asked` is the address of the check.
pub(crate) fn judge(body: &[u8], device: &Device, asked: &Target) -> (CheckReply, Vec<Finding>) {
    let mut judge = Judge {
        device,
        kind: device.kind,
        asked,
        findings: Vec::new(),
        reply: CheckReply::default(),
    };
    judge.body(body);
    (judge.reply, judge.findings)
}

struct Judge<'a> {
    device: &'a Device,
    kind: Kind,
    asked: &'a Target,
    findings: Vec<Finding>,
    reply: CheckReply,
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
            let evidence = format!("{} > {QUEUE}", body.len());
            let stops = Kind::stops_at_the_queue;
            let finding = Finding::on(&rules::TOO_LONG, self.kind, stops, evidence);
            self.findings.extend(finding);
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
            for key in ["code", "message"] {
                self.text(activation, "activation", key);
            }
            let challenge = self.text(activation, "activation", "challenge");
            self.reply.activation = challenge.is_some() && self.kind.line >= Line::V1_6;
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
        self.fail(Finding::fail(&rules::NOT_JSON, evidence).serial(serial::NO_JSON));
    }

    /// Fails firmware that takes a value without a look at its type.
    fn unchecked(&mut self, rule: &'static super::rule::Rule, path: &str, evidence: String) {
        let taken = TAKEN_UNCHECKED.iter().find(|(taken, _)| *taken == path);
        let Some((_, since)) = taken else {
            return self.warn(rule, evidence);
        };
        let crashes = |k: Kind| (*since..Line::V1_6_6).contains(&k.line);
        let finding = Finding::on(rule, self.kind, crashes, evidence);
        self.findings
            .extend(finding.map(|f| f.serial_of_failure(PANIC)));
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
            let shown = if redact::is_secret(path) {
                redact::HIDDEN.to_owned()
            } else {
                cut(&value.to_string())
            };
            let evidence = format!("{path}: {shown}");
            self.unchecked(&rules::WRONG_TYPE, path, evidence);
        }
    }

    /// Reads a text below `object`.
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
        let abort = serial::NO_NUMBER;
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
                finding.verdict = StepVerdict::Warn;
                finding.serial = None;
            }
        }
    }

    fn half_firmware(&mut self, lacks: &str) {
        let evidence = missing(&format!("{lacks:?}"));
        let fails = |k: Kind| k.line == Line::V1_5;
        let serial = "E (…) Ota: Failed to get firmware object";
        let finding = Finding::on(&rules::NO_FIRMWARE, self.kind, fails, evidence);
        self.findings
            .extend(finding.map(|f| f.serial_of_failure(serial)));
    }

    /// Returns whether the device is made to install it (since 1.6.0).
    fn forced(&mut self, firmware: &Map<String, Value>, version: &str) -> bool {
        let Some(force) = firmware.get("force") else {
            return false;
        };
        if !force.is_number() && !force.is_null() {
            let evidence = format!("firmware.force: {}", cut(&force.to_string()));
            self.warn(&rules::FORCE_NOT_A_NUMBER, evidence);
        }
        // `valueint` of cJSON, cut at the point. That of `true` is 1, and before 1.6.6
        // nobody looked whether it is a number.
        let is_one = match force {
            Value::Bool(true) => self.kind.line < Line::V1_6_6,
            force => force.as_f64().is_some_and(|n| (1.0..2.0).contains(&n)),
        };
        if !is_one || self.kind.line < Line::V1_6 {
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

    /// Judges the image's address, which may be fine for this machine and for no
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

/// Returns whether the reply is a refusal with 200: the Python server says
/// `success`, the console's manager-api `error`.
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
