//! The sections that xiaozhi-server reads too, as it reads them.

use super::Machine;
use super::placeholder;
use super::python::{self, Type};
use super::section::{Section, Text};
use crate::http::proxy::WEBSOCKET_PATH;
use crate::ota::credentials::{Secret, TokenAuth, Voice};
use crate::ota::public_url::{PublicAddress, Scheme, Url};
use crate::telemetry::line::Style;
use crate::telemetry::logs;
use std::collections::HashSet;
use std::net::IpAddr;
use tracing::Level;
use xiaozhi_device::endpoint::{self, AddressKind, Misread};

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

pub(super) fn public(server: &Section<'_>, local_ip: IpAddr, first_port: u16) -> PublicAddress {
    let url = |key: &str| {
        let text = set_text(server, key)?;
        // It is handed out with its scheme in lower case.
        let handed_out = match text.split_once("://") {
            Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
            None => text.to_owned(),
        };
        let read = match endpoint::read(&handed_out, AddressKind::Http) {
            Ok(_) => Url::parse(text).map_err(|e| e.to_string()),
            Err(misread) => Err(misread.to_string()),
        };
        read.map_err(|message| server.fault(key, Some(text), message, ""))
            .ok()
    };
    let vision = url("vision_explain");
    match (url("ota"), vision) {
        (Some(ota), vision) => PublicAddress::from_ota(ota, vision.as_ref()),
        (None, Some(vision)) => PublicAddress::from_vision_explain(&vision),
        (None, None) => PublicAddress::derived(local_ip, first_port),
    }
}

/// Finds the WebSocket address that devices are told. A voice server that is passed
/// on here, or lies behind an https address, is reached as this server is.
///
/// # Errors
///
/// Says in words why there is none that devices can read. What is configured and
/// cannot be read is a fault besides; nobody wrote what is made up here.
pub(super) fn websocket(
    server: &Section<'_>,
    public: &PublicAddress,
    passed_on: bool,
    machine: &Machine,
) -> Result<String, String> {
    let port = python::port_of(server, "port").unwrap_or(DEFAULT_VOICE_PORT);
    if let Some(url) = set_text(server, "websocket") {
        if let Err(misread) = endpoint::read(url, AddressKind::WebSocket) {
            server.fault("websocket", Some(url), misread.to_string(), "");
        }
        return Ok(url.to_owned());
    }
    let url = if passed_on || public.url().scheme == Scheme::Https {
        public.websocket_url(WEBSOCKET_PATH)
    } else {
        let host = match machine.local_ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        format!("ws://{host}:{port}/xiaozhi/v1/")
    };
    match endpoint::read(&url, AddressKind::WebSocket) {
        Ok(_) => Ok(url),
        Err(misread) => Err(no_voice(&url, &misread)),
    }
}

fn no_voice(url: &str, misread: &Misread) -> String {
    format!(
        "it is not set, and no address for it can be made up here that devices can read: of {url}, {}. None is handed out, and \
         devices have no voice",
        misread.consequence()
    )
}

/// Finds how devices reach their voice server.
pub(super) fn voice(
    root: &Section<'_>,
    server: &Section<'_>,
    websocket: &Result<String, String>,
) -> Voice {
    let auth = server.section("auth");
    let enabled = python::is_true(&auth, "enabled").unwrap_or(false);
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
            auth.fault(
                "enabled",
                Some("true"),
                "tokens need the key that xiaozhi-server checks them with",
                "set server.auth_key to the same value in both (or manager-api.secret)",
            );
            None
        }
        (true, Some(key)) => Some(TokenAuth {
            key,
            allowed_devices: allow_list(&auth, &allowed),
        }),
    };
    match (mqtt, websocket) {
        (Some(endpoint), _) => Voice::Mqtt {
            endpoint: endpoint.to_owned(),
            signature_key: secret(server, "mqtt_signature_key"),
        },
        (None, Ok(url)) => Voice::WebSocket {
            url: url.to_owned(),
            auth,
        },
        (None, Err(why)) => {
            let remedy = "Remedy: set it to a name or an IPv4 address, as in ws://192.168.1.100:8000/xiaozhi/v1/";
            server.about("websocket").warn(why.as_str(), remedy);
            Voice::Unreachable
        }
    }
}

fn mqtt_gateway<'a>(server: &Section<'a>) -> Option<&'a str> {
    let endpoint = set_text(server, "mqtt_gateway")?;
    if endpoint == "null" {
        server.fault(
            "mqtt_gateway",
            Some(endpoint),
            "in quotes it is the name of a host to xiaozhi-server",
            "write null without quotes, or take the key out",
        );
    } else if let Err(misread) = endpoint::read(endpoint, AddressKind::Mqtt) {
        server.fault("mqtt_gateway", Some(endpoint), misread.to_string(), "");
    }
    Some(endpoint)
}

/// Returns a key, which must be one: what everybody can read in a template would let
/// everybody in.
fn secret(section: &Section<'_>, key: &str) -> Option<Secret> {
    let text = key_text(section, key)?;
    if let Some(kind) = placeholder::kind(text) {
        section.fault(
            key,
            None,
            format!(
                "this is {kind}, and would itself be the key, which everybody knows who has seen it"
            ),
            "write the key here, the same that xiaozhi-server and the MQTT gateway have",
        );
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
            let what = "it is one text to xiaozhi-server, and no list: no device is on it";
            one.about().warn(what, "put it in brackets");
        }
        return HashSet::new();
    }
    let is_meant = |device: &Text<'_>| {
        let is_text = Type::of(device.scalar) == Type::Text;
        if !is_text {
            let about = device.item.about();
            about.warn(
                format!(
                    "{} is a number to xiaozhi-server unless it is quoted; this device is given a token, which works either way",
                    device.text()
                ),
                "put it in quotes",
            );
        }
        is_text
    };
    let devices = texts.iter().filter(|device| is_meant(device));
    devices.map(|device| device.text().to_owned()).collect()
}

/// Reads xiaozhi-server's own keys of `log`; its defaults for the folder and the name count
/// only where one of the two is set.
pub(super) fn log(section: &Section<'_>, style: Style) -> logs::Settings {
    let level = section.read(
        "log_level",
        "write DEBUG, INFO, WARNING or ERROR",
        |text| match text.to_ascii_uppercase().as_str() {
            "TRACE" => Some(Level::TRACE),
            "DEBUG" => Some(Level::DEBUG),
            "INFO" | "SUCCESS" => Some(Level::INFO),
            "WARNING" | "WARN" => Some(Level::WARN),
            "ERROR" | "CRITICAL" => Some(Level::ERROR),
            _ => None,
        },
    );
    let (dir, file) = (section.path("log_dir"), section.path("log_file"));
    let file = (dir.is_some() || file.is_some()).then(|| {
        let file = file.unwrap_or_else(|| "server.log".into());
        dir.unwrap_or_else(|| "tmp".into()).join(file)
    });
    logs::Settings {
        level: level.unwrap_or(Level::INFO),
        file,
        style,
    }
}
