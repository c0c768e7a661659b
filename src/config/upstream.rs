//! The sections that xiaozhi-server reads too, as it reads them.

use super::Machine;
use super::gateway::{log_rate, log_style, turnover};
use super::placeholder;
use super::python::{self, Type};
use super::section::{Section, Text};
use super::signs::OddSign;
use super::slips;
use super::values;
use super::wanted;
use crate::event::misread::{advice, consequence};
use crate::event::text::Text as Words;
use crate::event::{Event, event};
use crate::ota::credentials::{Secret, TokenAuth, Voice};
use crate::ota::public_url::{PublicAddress, Scheme, Source, Url, WEBSOCKET_PATH};
use crate::ota::websocket_url::{WebSocketUrl, beside};
use crate::telemetry::logs;
use std::collections::HashSet;
use std::net::IpAddr;
use tracing::Level;
use xiaozhi_device::endpoint::{self, AddressKind};

const DEFAULT_VOICE_PORT: u16 = 8000;

/// Keys that xiaozhi-server needs as texts, by their sections.
const TEXTS: [(&str, &[&str]); 3] = [
    (
        "server",
        &[
            "ip",
            "websocket",
            "vision_explain",
            "ota",
            "auth_key",
            "mqtt_gateway",
            "mqtt_signature_key",
        ],
    ),
    ("manager-api", &["secret"]),
    ("log", &["log_level", "log_dir", "log_file"]),
];

/// Warns of what is no text to xiaozhi-server where it needs one.
pub(super) fn expect_texts(root: &Section<'_>) {
    for (section, keys) in TEXTS {
        if let Some(section) = root.mapping(section) {
            python::expect_texts(&section, keys);
        }
    }
}

/// Returns a text that is set. One that still holds the placeholder of xiaozhi-server's
/// own configuration (`http://你的ip或者域名:端口号/...`) is not set.
fn set_text<'a>(section: &Section<'a>, key: &str) -> Option<&'a str> {
    section.text(key).filter(|text| !text.contains('你'))
}

/// Returns an address that is set. Of a placeholder that somebody has begun to fill in
/// it is said that it counts as unset.
fn set_address<'a>(section: &Section<'a>, key: &str, instead: Words) -> Option<&'a str> {
    let is_begun = |text: &&str| text.contains('你') && !text.contains("你的ip或者域名:端口号");
    let written = section.has(key).then(|| section.scalar(key)).flatten();
    let written = written.map_or("", |scalar| &scalar.text);
    if written.trim() != written && !written.trim().is_empty() {
        section.about(key).warn(event!(CONFIG_OUTER_BLANKS));
    }
    if let Some(text) = section.text(key).filter(is_begun) {
        let event = event!(ADDRESS_UNFILLED, instead = instead);
        section.about(key).value(text).warn(event);
    }
    set_text(section, key)
}

/// Finds the public address; `made_up` makes it of this machine's where none is written.
pub(super) fn public(
    server: &Section<'_>,
    made_up: impl FnOnce() -> PublicAddress,
) -> PublicAddress {
    let url = |key: &str| {
        let instead = Words::new(
            "设备会得到它访问本服务器所用的地址",
            "devices are handed the address by which they come to this server",
        );
        let text = set_address(server, key, instead)?;
        // It is handed out with its scheme in lower case.
        let handed_out = match text.split_once("://") {
            Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
            None => text.to_owned(),
        };
        let read = match endpoint::read(&handed_out, AddressKind::Http) {
            Ok(_) => Url::parse(text).map_err(|e| Event::from(&e)),
            Err(misread) => Err(advice(&misread)),
        };
        read.map_err(|what| server.fault(key, Some(text), event!(CONFIG_ADDRESS, what = what)))
            .ok()
    };
    let vision = url("vision_explain");
    match (url("ota"), vision) {
        (Some(ota), vision) => PublicAddress::from_ota(ota, vision.as_ref()),
        (None, Some(vision)) => PublicAddress::from_vision_explain(&vision),
        (None, None) => made_up(),
    }
}

/// Finds the WebSocket address that devices are told, or the way in which it is made up.
/// A voice server that is passed on here, or lies behind an https address, is reached as
/// this server is.
pub(super) fn websocket(
    server: &Section<'_>,
    public: &PublicAddress,
    passed_on: bool,
) -> WebSocketUrl {
    let port = python::port_of(server, "port").unwrap_or(DEFAULT_VOICE_PORT);
    let instead = Words::new(
        "设备会得到它访问本服务器所用的主机名或地址，端口为 server.port",
        "devices are handed the host by which they come to this server, with server.port",
    );
    if let Some(url) = set_address(server, "websocket", instead) {
        if let Err(misread) = endpoint::read(url, AddressKind::WebSocket) {
            let event = event!(CONFIG_ADDRESS, what = advice(&misread));
            server.fault("websocket", Some(url), event);
        }
        return WebSocketUrl::Fixed(url.to_owned());
    }
    let is_derived = public.source() == Source::Derived;
    if is_derived && passed_on {
        WebSocketUrl::Here
    } else if is_derived {
        WebSocketUrl::Beside(port)
    } else if passed_on || public.url().scheme == Scheme::Https {
        WebSocketUrl::Fixed(public.ota().websocket_url(WEBSOCKET_PATH))
    } else {
        WebSocketUrl::OnMachine(port)
    }
}

/// Says why no WebSocket address is made up here that devices could read.
fn no_voice(websocket: &WebSocketUrl, public: &PublicAddress, own: IpAddr) -> Option<Event> {
    let host = || match own {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let url = match websocket {
        WebSocketUrl::Fixed(_) => return None,
        WebSocketUrl::Here => public.ota().websocket_url(WEBSOCKET_PATH),
        WebSocketUrl::Beside(port) | WebSocketUrl::OnMachine(port) => beside(&host(), *port),
    };
    let misread = endpoint::read(&url, AddressKind::WebSocket).err()?;
    Some(event!(
        CONFIG_NO_VOICE,
        url = url,
        why = consequence(&misread)
    ))
}

/// Finds how devices reach their voice server.
pub(super) fn voice(
    root: &Section<'_>,
    server: &Section<'_>,
    websocket: &WebSocketUrl,
    public: &PublicAddress,
    machine: &Machine,
    enabled: bool,
) -> Voice {
    let auth = server.section("auth");
    let mqtt = mqtt_gateway(server);
    // One that makes no token is not looked at.
    let read = if mqtt.is_none() { secret } else { any_secret };
    let key = enabled
        .then(|| read(server, "auth_key").or_else(|| read(&root.section("manager-api"), "secret")));
    let key = key.flatten();
    let allowed = auth.texts("allowed_devices").unwrap_or_default();
    let auth = match (enabled, key) {
        (false, _) => None,
        (true, None) => {
            let written = auth.scalar("enabled").map(|scalar| scalar.text.as_str());
            let is_plain = written.and_then(values::boolean) == Some(true);
            let meant = (!is_plain).then(|| event!(CONFIG_TRUE_TO_PYTHON));
            auth.fault("enabled", written, event!(CONFIG_NO_KEY, meant = meant));
            None
        }
        (true, Some(key)) => Some(TokenAuth {
            key,
            allowed_devices: allow_list(&auth, &allowed),
        }),
    };
    if let Some(endpoint) = mqtt {
        return Voice::Mqtt {
            endpoint: endpoint.to_owned(),
            signature_key: secret(server, "mqtt_signature_key"),
        };
    }
    if let Some(why) = no_voice(websocket, public, machine.local_ip) {
        server.about("websocket").warn(why);
    }
    Voice::WebSocket { auth }
}

fn mqtt_gateway<'a>(server: &Section<'a>) -> Option<&'a str> {
    let instead = Words::new("设备使用 WebSocket", "devices get the WebSocket");
    let endpoint = set_address(server, "mqtt_gateway", instead)?;
    if endpoint == "null" {
        server.fault("mqtt_gateway", Some(endpoint), event!(CONFIG_QUOTED_NULL));
    } else if let Err(misread) = endpoint::read(endpoint, AddressKind::Mqtt) {
        let event = event!(CONFIG_ADDRESS, what = advice(&misread));
        server.fault("mqtt_gateway", Some(endpoint), event);
    }
    Some(endpoint)
}

/// Returns a key, which must be one: what everybody can read in a template would let
/// everybody in.
fn secret(section: &Section<'_>, key: &str) -> Option<Secret> {
    let text = key_text(section, key)?;
    // Quotes of another kind are no template's brackets.
    let is_quote = |c| OddSign::of(c).is_some_and(|odd| matches!(odd.meant, Some('"' | '\'')));
    let quote = text
        .chars()
        .next()
        .filter(|c| is_quote(*c))
        .and_then(OddSign::of);
    let inner = text.trim_matches(is_quote);
    match (placeholder::kind(text), quote) {
        (Some(_), Some(quote)) if placeholder::kind(inner).is_none() => {
            section.fault(key, None, slips::sign(quote));
        }
        (Some(kind), _) => section.fault(key, None, event!(CONFIG_PLACEHOLDER, is = kind)),
        (None, _) => {}
    }
    Some(Secret::new(text.to_owned()))
}

fn any_secret(section: &Section<'_>, key: &str) -> Option<Secret> {
    key_text(section, key).map(|text| Secret::new(text.to_owned()))
}

/// Returns a key as xiaozhi-server takes it: blanks at its ends are part of it.
fn key_text<'a>(section: &Section<'a>, key: &str) -> Option<&'a str> {
    set_text(section, key)?;
    Some(&section.scalar(key)?.text)
}

/// Reads the devices that need no token. One that is no text as it is written is none
/// of them to xiaozhi-server, which then wants a token: a MAC address of six two-digit
/// numbers below 60 is one number in base 60. A token never hurts, so such a device
/// gets one.
fn allow_list(auth: &Section<'_>, texts: &[Text<'_>]) -> HashSet<String> {
    if !auth.is_list("allowed_devices") {
        if let [one] = texts {
            one.about().warn(event!(CONFIG_TEXT_FOR_LIST));
        }
        return HashSet::new();
    }
    let is_meant = |device: &Text<'_>| {
        let is_text = Type::of(device.scalar) == Type::Text;
        if !is_text {
            let event = event!(CONFIG_UNQUOTED_DEVICE, device = device.text());
            device.item.about().warn(event);
        } else if let Some(event) = no_device(device.text()) {
            device.about().warn(event);
        }
        is_text
    };
    let devices = texts.iter().filter(|device| is_meant(device));
    devices.map(|device| device.text().to_owned()).collect()
}

/// Says that no device reports itself so: a MAC address in another spelling, several of them,
/// or a pattern. Other clients may have any name.
fn no_device(text: &str) -> Option<Event> {
    let word = text.trim().to_lowercase();
    if word.contains('*') || ["all", "any", "everyone", "所有", "全部"].contains(&&*word) {
        return Some(event!(CONFIG_EVERY_DEVICE));
    }
    let is_parting = |c: char| !c.is_alphanumeric();
    let digits: String = word.chars().filter(|c| !is_parting(*c)).collect();
    let is_mac = !digits.is_empty()
        && digits.len().is_multiple_of(12)
        && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_mac {
        return None;
    }
    let pairs: Vec<_> = (0..digits.len())
        .step_by(2)
        .map(|at| &digits[at..at + 2])
        .collect();
    let macs = pairs.chunks(6).map(|mac| format!("\"{}\"", mac.join(":")));
    let write = macs.collect::<Vec<_>>().join(", ");
    (write.trim_matches('"') != text).then(|| event!(CONFIG_NO_DEVICE, write = write))
}

/// Reads xiaozhi-server's own keys of `log`; its defaults for the folder and the name count
/// only where one of the two is set. `ours` is `gateway.log`.
pub(super) fn log(section: &Section<'_>, ours: &Section<'_>) -> logs::Settings {
    let level = section.read("log_level", wanted::LOG_LEVEL, |text| {
        match text.to_ascii_uppercase().as_str() {
            "TRACE" => Some(Level::TRACE),
            "DEBUG" => Some(Level::DEBUG),
            "INFO" | "SUCCESS" => Some(Level::INFO),
            "WARNING" | "WARN" => Some(Level::WARN),
            "ERROR" | "CRITICAL" => Some(Level::ERROR),
            _ => None,
        }
    });
    let (dir, file) = (section.path("log_dir"), section.path("log_file"));
    let file = (dir.is_some() || file.is_some()).then(|| {
        let file = file.unwrap_or_else(|| "server.log".into());
        dir.unwrap_or_else(|| "tmp".into()).join(file)
    });
    logs::Settings {
        level: level.unwrap_or(Level::INFO),
        turnover: turnover(ours, file.is_some()),
        rate: log_rate(ours),
        file,
        style: log_style(ours),
    }
}
