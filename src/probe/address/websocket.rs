//! Reads the address of a voice server as the device does (`WebSocket::Connect`).
//! Host and port are found by the server's own reader.

use super::{Target, UrlFault, misread};
use crate::probe::line::Kind;
use crate::probe::rules::{reply, websocket as rules};
use xiaozhi_device::endpoint::{self, AddressFault, AddressKind, Effect, Misread};

/// Line of the firmware for a voice server that it does not get to.
pub(crate) const NOT_CONNECTED: &str = "E (…) WS: Failed to connect to websocket server";

/// Takes an address apart as this device does.
pub(super) fn read(text: &str, kind: Kind) -> Result<Target, UrlFault> {
    let Some((scheme, rest)) = text.split_once("://") else {
        let evidence = misread::quoted("websocket.url", text);
        return Err(UrlFault {
            rule: &rules::MUTE,
            evidence: evidence.into(),
            serial: Some("E (…) WebSocket: Invalid URI format".to_owned()),
        });
    };
    // The port that goes without saying is 443 behind `wss` alone.
    let usual = if scheme == "wss" { "wss" } else { "ws" };
    let as_read = format!("{usual}://{rest}");
    let path_at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(path_at);
    // A sign in the path is the server's business: it is sent as it stands.
    let judged = match endpoint::read(&as_read, AddressKind::WebSocket) {
        Err(fault)
            if fault.fault == AddressFault::PathSign && !path.contains(['\0', '\n', '\r']) =>
        {
            let authority = format!("{usual}://{authority}");
            endpoint::read(&authority, AddressKind::WebSocket)
                .map(|end| (end.host.to_owned(), end.port))
        }
        // That is said beside it.
        Err(Misread {
            fault: AddressFault::OtherPort(port),
            ..
        }) if oddly_written(text).is_some() => {
            let host = rest.split(':').next().unwrap_or(rest);
            Ok((host.to_owned(), u16::try_from(port).unwrap_or_default()))
        }
        read => read.map(|end| (end.host.to_owned(), end.port)),
    };
    let (host, port) = judged.map_err(|fault| {
        let (rule, serial) = match fault.effect {
            // It was stored before it is read, and that fails first.
            _ if fault.fault == AddressFault::Long => (&reply::LONG_VALUE, String::new()),
            Effect::Aborts => (&rules::ABORTS, misread::exception(&fault)),
            Effect::Mute | Effect::Fails => (&rules::MUTE, NOT_CONNECTED.to_owned()),
        };
        UrlFault {
            rule,
            evidence: misread::evidence("websocket.url", text, &fault),
            serial: Some(serial).filter(|serial| !serial.is_empty()),
        }
    })?;
    // TLS was meant, and is not spoken: with a capital letter, or with https before
    // 1.7.7; or it is spoken to the port of http. (Of wss to who goes by the port a
    // rule of its own tells.)
    let tls = kind.websocket_tls(scheme, port);
    let unspoken = means_tls(scheme) && scheme != "wss" && !tls;
    if unspoken || scheme == "https" && port == 80 {
        return Err(UrlFault {
            rule: &rules::MUTE,
            evidence: misread::quoted("websocket.url", text).into(),
            serial: Some(NOT_CONNECTED.to_owned()),
        });
    }
    Ok(Target {
        tls,
        host,
        port,
        path: if path.is_empty() { "/" } else { path }.to_owned(),
    })
}

/// Returns what is odd in the form of an address that leads to the right place all
/// the same.
pub(super) fn oddly_written(text: &str) -> Option<Misread> {
    let misread = endpoint::read(text, AddressKind::WebSocket).err()?;
    misread.may_work().then_some(misread)
}

/// Returns whether this device goes by the port where the scheme says otherwise
/// about TLS.
pub(super) fn port_decides(text: &str, port: u16, kind: Kind) -> bool {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    kind.goes_by_the_port() && kind.websocket_tls(scheme, port) != means_tls(scheme)
}

/// Returns whether firmware takes a scheme for another than it is, and connects all
/// the same.
pub(super) fn is_odd(text: &str) -> bool {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    !["ws", "wss"].contains(&scheme)
}

fn means_tls(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("wss") || scheme.eq_ignore_ascii_case("https")
}
