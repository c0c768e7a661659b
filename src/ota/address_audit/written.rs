//! Addresses that devices read as they are written, and that were meant otherwise: the path
//! of another interface, the port of another scheme, two addresses in the place of one.

use super::super::public_url::{OTA_PATH, PublicAddress, Source, VISION_PATH, WEBSOCKET_PATH};
use super::{Origin, Role, Surroundings, effect_of, form_of, is_here};
use crate::event::text::Text;
use crate::event::{Event, event};
use xiaozhi_device::endpoint::{self, AddressKind};
use xiaozhi_device::redact;

/// An address as it is written.
struct Written<'a> {
    role: Role,
    setting: &'static str,
    text: String,
    /// Behind host and port, without query, fragment and last slash.
    path: &'a str,
}

pub(super) fn audit(address: &PublicAddress, around: &Surroundings<'_>) -> Vec<Event> {
    let ota = (address.source() == Source::Ota).then(|| address.url().to_string());
    let vision = address.vision_is_set().then(|| address.vision_url());
    let websocket = around
        .websocket
        .filter(|_| around.websocket_from == Origin::Written);
    let texts = [
        (Role::Ota, "server.ota", ota.as_deref()),
        (Role::Vision, "server.vision_explain", vision),
        (Role::WebSocket, "server.websocket", websocket),
        (Role::Mqtt, "server.mqtt_gateway", around.mqtt),
    ];
    let mut found = Vec::new();
    for (role, setting, text) in texts {
        let Some(text) = text else { continue };
        let one = Written {
            role,
            setting,
            text: redact::shown(text).into_owned(),
            path: path(text),
        };
        match sign(&one, text) {
            Some(sign) => found.push(sign),
            None => found.extend(other_path(&one, address)),
        }
        found.extend(port(&one, text, around));
    }
    found.extend(
        around
            .mqtt
            .and_then(|mqtt| mqtt_here(mqtt, address, around)),
    );
    found
}

/// Returns the path of an address, without its last slash.
fn path(text: &str) -> &str {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let path = &rest[rest.find('/').unwrap_or(rest.len())..];
    let end = path.find(['?', '#']).unwrap_or(path.len());
    path[..end].trim_end_matches('/')
}

/// Finds a sign behind which another address, or nothing of one, stands.
fn sign(one: &Written<'_>, text: &str) -> Option<Event> {
    // The query goes to the server as it is.
    let text = text.split('?').next().unwrap_or_default();
    let sign = text.chars().find(|c| matches!(c, ';' | ',' | '|' | '#'))?;
    Some(event!(
        ADDRESS_SIGN,
        setting = one.setting,
        url = &*one.text,
        sign = sign.to_string(),
        effect = effect_of(one.role),
        form = form_of(one.setting)
    ))
}

/// Finds the path of another interface, or of none.
fn other_path(one: &Written<'_>, address: &PublicAddress) -> Option<Event> {
    let path = one.path;
    let has = |of: &str| path.contains(of.trim_end_matches('/'));
    let is = if one.role != Role::Ota && has(OTA_PATH) {
        Text::new("OTA 接口的路径", "the path of the OTA interface")
    } else if one.role != Role::Vision && has(VISION_PATH) {
        Text::new("视觉接口的路径", "the path of the vision interface")
    } else if matches!(one.role, Role::Ota | Role::Vision) && has(WEBSOCKET_PATH) {
        Text::new("WebSocket 的路径", "the path of the WebSocket")
    } else if one.role == Role::Ota && (!path.ends_with("/ota") || path.contains("//") || path.matches("/ota").count() > 1)
        // Where it is the public address more is said of it.
        || one.role == Role::Vision && !path.ends_with(VISION_PATH) && address.source() == Source::Ota
    {
        Text::new("没有设备会用的路径", "a path that no device comes by")
    } else {
        return None;
    };
    let effect = if one.role == Role::Ota {
        Text::new(
            "下载地址也从那里开始，而前面的程序（Nginx 等）和别的工具只认 /xiaozhi/ota/",
            "downloads begin there, too, and whatever stands in front (Nginx and its like) knows /xiaozhi/ota/ alone",
        )
    } else {
        effect_of(one.role)
    };
    Some(event!(
        ADDRESS_PATH,
        setting = one.setting,
        url = &*one.text,
        is = is,
        effect = effect,
        form = form_of(one.setting)
    ))
}

/// Finds a port at which another scheme is spoken. Our own ports take both.
fn port(one: &Written<'_>, text: &str, around: &Surroundings<'_>) -> Option<Event> {
    let (kind, plain): (_, &[u16]) = match one.role {
        Role::Ota => (AddressKind::Http, &[80]),
        Role::Vision => (AddressKind::Http, &[80, 8003, 8004]),
        Role::WebSocket => (AddressKind::WebSocket, &[80, 8000]),
        Role::Mqtt => return None,
    };
    let port = endpoint::read(text, kind).ok()?.port;
    if around.tls && !around.behind_proxy && around.ports.contains(&port) {
        return None;
    }
    let is_secure = text.starts_with("https://") || text.starts_with("wss://");
    let speaks = match (is_secure, port) {
        (true, port) if plain.contains(&port) => Text::new(
            "设备在那里发起 TLS 握手，而该端口通常是明文的",
            "devices begin a TLS handshake there, and plain text is what that port mostly speaks",
        ),
        (false, 443 | 8443) => Text::new(
            "设备在那里发送明文，而该端口通常要求 TLS",
            "devices send plain text there, and TLS is what that port mostly wants",
        ),
        _ => return None,
    };
    Some(event!(
        ADDRESS_SCHEME_PORT,
        setting = one.setting,
        url = &*one.text,
        port = port,
        speaks = speaks,
        effect = effect_of(one.role),
        form = form_of(one.setting)
    ))
}

/// Finds an MQTT endpoint that is a port of this server, which speaks HTTP.
fn mqtt_here(mqtt: &str, address: &PublicAddress, around: &Surroundings<'_>) -> Option<Event> {
    let read = endpoint::read(mqtt, AddressKind::Mqtt).ok()?;
    let is_here = !around.behind_proxy && is_here(read.host, read.port, address.url(), around);
    is_here.then(|| {
        event!(
            ADDRESS_MQTT_HERE,
            setting = "server.mqtt_gateway",
            endpoint = redact::shown(mqtt),
            port = read.port
        )
    })
}
