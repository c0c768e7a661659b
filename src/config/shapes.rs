//! Forms of what was meant: of sections in whose place a value stands (`tls: off` is no
//! section, and `tls: {mode: off}` was meant), and of keys of other programs.

use super::raw::{Kind, Node};
use super::values;
use crate::firmware::name::parse;
use xiaozhi_device::redact;

/// Forms of sections, for whom the value says nothing.
const FORMS: [(&str, &str); 19] = [
    ("server", "server: {http_port: 8003}"),
    ("server.auth", "auth: {enabled: true}"),
    ("manager-api", "manager-api: {secret: '…'}"),
    ("log", "log: {log_level: INFO}"),
    ("gateway", "gateway: {ports: [8003, 8443]}"),
    ("gateway.tls", "tls: {mode: self-signed}"),
    (
        "gateway.tls.certificates",
        "certificates: [{cert: certs/fullchain.pem, key: certs/privkey.pem}]",
    ),
    (
        "gateway.tls.certificates[]",
        "certificates: [{cert: certs/fullchain.pem, key: certs/privkey.pem}]",
    ),
    ("gateway.tls.acme", "acme: {email: me@example.com}"),
    (
        "gateway.tls.acme.eab",
        "eab: {key_id: '…', hmac_file: certs/eab.key}",
    ),
    ("gateway.firmware", "firmware: {dir: data/bin}"),
    ("gateway.firmware.pin", "pin: {esp32s3: 1.6.6}"),
    ("gateway.firmware.alias", "alias: {old-name: new-name}"),
    ("gateway.log", "log: {lang: en}"),
    ("gateway.proxy", "proxy: {websocket: http://127.0.0.1:8000}"),
    ("gateway.admin", "admin: {listen: 127.0.0.1:8009}"),
    (
        "gateway.admin.tokens",
        "tokens: [{name: me, role: operate, token_file: certs/me.token}]",
    ),
    (
        "gateway.admin.tokens[]",
        "tokens: [{name: me, role: operate, token_file: certs/me.token}]",
    ),
    ("gateway.limits", "limits: {connections: 16000}"),
];

/// Returns how a section is written; `None` for one whose keys nobody has in mind.
pub(super) fn form(name: &str, text: &str) -> Option<String> {
    let known = || FORMS.iter().find(|(known, _)| *known == name);
    of(name, text).or_else(|| Some(known()?.1.to_owned()))
}

/// Returns the section that a value was meant for, where it says so.
pub(super) fn of(name: &str, text: &str) -> Option<String> {
    let text = text.trim();
    let is_plain = |c: char| c.is_alphanumeric() || "-_./@:[]".contains(c);
    if text.is_empty() || !text.chars().all(is_plain) {
        return None;
    }
    let (key, keys) = (name.trim_end_matches("[]").rsplit('.').next()?, name);
    let boolean = values::boolean(text);
    let inner = match keys {
        "gateway.tls" if boolean == Some(false) => "mode: off".to_owned(),
        "gateway.tls" if ["files", "acme", "self-signed"].contains(&text) => {
            format!("mode: {text}")
        }
        "gateway.tls.acme" if text.contains('@') => format!("email: {text}"),
        "gateway.tls.certificates" | "gateway.tls.certificates[]" if text.ends_with(".key") => {
            return Some(format!(
                "{key}: [{{cert: certs/fullchain.pem, key: {text}}}]"
            ));
        }
        "gateway.tls.certificates" | "gateway.tls.certificates[]" if text.contains('.') => {
            return Some(format!("{key}: [{{cert: {text}, key: certs/privkey.pem}}]"));
        }
        "gateway.firmware" if text.contains('/') => format!("dir: {text}"),
        "gateway.firmware.pin" => {
            let name = text.rsplit('/').next()?;
            let file = parse(name)
                .or_else(|_| parse(&format!("{name}.bin")))
                .ok()?;
            format!("{}: {}", file.model, file.version)
        }
        "gateway.admin" if boolean == Some(false) => "listen: off".to_owned(),
        "gateway.log" if ["en", "zh"].contains(&text) => format!("lang: {text}"),
        "gateway.log" if ["text", "json"].contains(&text) => format!("format: {text}"),
        "gateway.proxy" if text.contains("://") => format!("websocket: {text}"),
        "gateway.limits" if values::integer(text).is_some() => format!("connections: {text}"),
        "server.auth" if boolean.is_some() => format!("enabled: {}", boolean?),
        "log" if text.chars().all(|c| c.is_ascii_alphabetic()) => format!("log_level: {text}"),
        _ => return None,
    };
    Some(format!("{key}: {{{inner}}}"))
}

/// Returns what to write for a key of another program: with the address that it holds, where
/// one is wanted.
pub(super) fn for_key(at: &str, value: &'static str, node: &Node) -> String {
    let text = match &node.kind {
        Kind::Scalar(scalar) if at == "server.ota" => scalar.text.trim(),
        _ => return value.to_owned(),
    };
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let authority = rest.split('/').next().unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    if !["http", "https"].contains(&scheme)
        || authority.len() < 3
        || !authority.chars().all(is_plain)
    {
        return value.to_owned();
    }
    let port = if authority.contains(':') || scheme == "https" {
        ""
    } else {
        ":8003"
    };
    let form = format!("{scheme}://{authority}{port}/xiaozhi/ota/");
    redact::shown(&form).into_owned()
}
