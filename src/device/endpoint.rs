//! Reads the host and the port of an address as the device reads them that is handed it.
//!
//! The firmware has three readers, and none of them is a URL parser. Two take
//! what stands behind the *first* colon for a port and call `std::stoi` on it
//! without a handler, so that a wrong address does not fail: the device aborts,
//! at every boot or whenever somebody speaks to it. Everything that leaves this
//! server is read here first, as the device will read it:
//!
//! * WebSocket: `WebSocket::Connect` in esp-ml307's `src/web_socket.cc`, the
//!   same from 1.8 to 3.6;
//! * MQTT: `MqttProtocol::StartMqttClient` in the firmware's
//!   `main/protocols/mqtt_protocol.cc`; before v1.6.2 the whole endpoint was the
//!   host's name;
//! * HTTP: `HttpClient::ParseUrl` in esp-ml307's `src/http_client.cc`.

use crate::redact;
use std::net::Ipv6Addr;

/// Use that a device makes of an address, which decides how it reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// Check-ins, downloads, pictures: `http(s)://host[:port]/path`.
    Http,
    /// `websocket.url`: `ws(s)://host[:port]/path`.
    WebSocket,
    /// `mqtt.endpoint`: `host[:port]`.
    Mqtt,
}

impl AddressKind {
    /// The longest address of this kind, in bytes.
    pub const fn longest(self) -> usize {
        match self {
            Self::Http => LONGEST_HTTP,
            Self::WebSocket | Self::Mqtt => LONGEST_STORED,
        }
    }
}

/// Host and port that a device connects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint<'a> {
    /// A host name or an IPv4 address.
    pub host: &'a str,
    /// From 1 to 65535.
    pub port: u16,
}

/// Effect of a misread address on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// `std::stoi` throws, nobody catches it, and the device restarts.
    Aborts,
    /// The device connects to nothing, or to something else, and has no voice.
    Mute,
    /// The device's HTTP client refuses the address: no update, no picture.
    Fails,
}

/// An address that a device does not read as it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misread {
    /// Use of the address.
    pub kind: AddressKind,
    /// Effect on the device.
    pub effect: Effect,
    /// The fault of the address.
    pub fault: AddressFault,
    /// The part of the address that is to blame, without what may be secret.
    pub part: String,
    /// True where the text that is taken for the port is a number, and too large for `int`.
    pub is_huge: bool,
}

/// Fault of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressFault {
    /// There is no `://`, and so no address to the device.
    NoScheme,
    /// It does not begin with a scheme that the device speaks there, in lower
    /// case.
    Scheme,
    /// There is no host in front of port or path.
    NoHost,
    /// The host holds a sign that no name has.
    HostSign,
    /// An IPv6 literal, which the first colon cuts in two.
    Ipv6,
    /// A user name and password, which no device knows.
    User,
    /// Nothing stands where the port is looked for.
    NoPort,
    /// The text there begins with no digit.
    NoNumber,
    /// The number there is above what `std::stoi` takes.
    Huge,
    /// The device reads this number, and the address means no such port.
    OtherPort(i32),
    /// The port is left out, and a colon in path or query is taken for its own.
    ColonInPath,
    /// The path holds a sign that breaks the request line.
    PathSign,
    /// A host name of more than [`LONGEST_HOST`] bytes, or a label in it of more than
    /// [`LONGEST_LABEL`]: no resolver takes it.
    HostLong,
    /// More bytes than [`AddressKind::longest`].
    Long,
}

/// The longest text that a device can store, in bytes: 4000 with the zero behind it
/// (`nvs_set_str` in ESP-IDF's `nvs.h`). It aborts on a longer one.
pub const LONGEST_STORED: usize = 3999;
/// The longest address of check-ins, downloads and pictures, in bytes. A reply holds
/// several, and devices before v1.8 hang for good on one of 8 KB (`src/http_client.cc`
/// in esp-ml307); the ML307 modem sends one in a single command.
pub const LONGEST_HTTP: usize = 1000;
/// The longest name of a host and label of one, in bytes (RFC 1035, section 2.3.4).
pub const LONGEST_HOST: usize = 253;
/// See [`LONGEST_HOST`].
pub const LONGEST_LABEL: usize = 63;
/// The port of MQTT over TLS, where an endpoint names none.
const MQTT_PORT: u16 = 8883;

/// Reads an address as a device reads it.
pub fn read(text: &str, kind: AddressKind) -> Result<Endpoint<'_>, Misread> {
    let mut misread = Misread {
        kind,
        effect: match kind {
            AddressKind::Http => Effect::Fails,
            AddressKind::WebSocket | AddressKind::Mqtt => Effect::Mute,
        },
        fault: AddressFault::Long,
        part: String::new(),
        is_huge: false,
    };
    if text.len() > kind.longest() {
        if kind != AddressKind::Http {
            misread.effect = Effect::Aborts;
        }
        misread.part = text.len().to_string();
        return Err(misread);
    }
    let judged = match take_apart(text, kind) {
        Ok(parts) => {
            let number = parts.port.map(number);
            misread.is_huge = number == Some(Err(Number::Huge));
            // What throws is worse than what is misunderstood, and said in its place.
            if kind != AddressKind::Http && matches!(number, Some(Err(Number::None | Number::Huge)))
            {
                misread.effect = Effect::Aborts;
            }
            parts.judge(number)
        }
        Err(fault) => Err(fault),
    };
    judged.map_err(|(fault, part)| {
        misread.fault = fault;
        misread.part = part_shown(text, &part);
        misread
    })
}

/// Tells whether a host's name is as short as names are.
pub fn is_short_enough(host: &str) -> bool {
    host.len() <= LONGEST_HOST && host.split('.').all(|label| label.len() <= LONGEST_LABEL)
}

/// A fault, and the part that is to blame.
type Blamed = (AddressFault, String);

/// An address, cut where its reader cuts it.
struct Parts<'a> {
    /// Behind the scheme.
    rest: &'a str,
    /// Offset in `rest` at which the path begins.
    path: usize,
    /// The colon in `rest` that is taken for the port's.
    colon: Option<usize>,
    host: &'a str,
    port: Option<&'a str>,
    /// The port that goes without saying; `None` behind a scheme that is none here.
    usual_port: Option<u16>,
    scheme: &'a str,
}

fn take_apart(text: &str, kind: AddressKind) -> Result<Parts<'_>, Blamed> {
    let (usual_port, scheme, rest) = match kind {
        AddressKind::Mqtt => (Some(MQTT_PORT), "", text),
        AddressKind::Http | AddressKind::WebSocket => {
            let no_scheme = || (AddressFault::NoScheme, text.to_owned());
            let (scheme, rest) = text.split_once("://").ok_or_else(no_scheme)?;
            (usual_port(scheme, kind), scheme, rest)
        }
    };
    // An endpoint of MQTT has no path.
    let path = match kind {
        AddressKind::Mqtt => rest.len(),
        _ => rest.find('/').unwrap_or(rest.len()),
    };
    // An HTTP address is cut at its path first, the others at any colon.
    let colon = match kind {
        AddressKind::Http => rest[..path].find(':'),
        _ => rest.find(':'),
    };
    let (host, port) = match colon {
        None => (&rest[..path], None),
        Some(at) => {
            let behind = &rest[at + 1..];
            let end = match kind {
                AddressKind::Mqtt => behind.len(),
                _ => behind.find('/').unwrap_or(behind.len()),
            };
            (&rest[..at], Some(&behind[..end]))
        }
    };
    Ok(Parts {
        rest,
        path,
        colon,
        host,
        port,
        usual_port,
        scheme,
    })
}

/// The port that goes without saying. The scheme of a WebSocket is compared by
/// case: any other than `wss` is no TLS.
fn usual_port(scheme: &str, kind: AddressKind) -> Option<u16> {
    match (kind, scheme) {
        (AddressKind::WebSocket, ws) if ws.eq_ignore_ascii_case("ws") => Some(80),
        (AddressKind::Http, "http") => Some(80),
        (AddressKind::WebSocket, "wss") | (AddressKind::Http, "https") => Some(443),
        _ => None,
    }
}

impl<'a> Parts<'a> {
    fn judge(&self, number: Option<Result<u16, Number>>) -> Result<Endpoint<'a>, Blamed> {
        let (host, authority) = (self.host, &self.rest[..self.path]);
        let blame = |fault, part: &str| Err((fault, part.to_owned()));
        // Whatever the scheme, a WebSocket's port is read, and what throws is worse.
        let throws = matches!(number, Some(Err(Number::None | Number::Huge)));
        if self.usual_port.is_none() && !throws {
            return blame(AddressFault::Scheme, self.scheme);
        }
        let is_ipv6 = authority.starts_with('[')
            || authority.matches(':').count() > 1
                && (authority.parse::<Ipv6Addr>().is_ok() || authority.contains("::"));
        if is_ipv6 {
            return blame(AddressFault::Ipv6, authority);
        }
        if authority.contains('@') {
            return blame(AddressFault::User, authority);
        }
        if self.colon.is_some_and(|at| at > self.path) {
            return blame(AddressFault::ColonInPath, self.port.unwrap_or_default());
        }
        let port = match number {
            None => self.usual_port.unwrap_or_default(),
            Some(Ok(port)) => port,
            Some(Err(number)) => {
                let port = self.port.unwrap_or_default();
                let fault = match number {
                    Number::None if port.trim().is_empty() => AddressFault::NoPort,
                    Number::None => AddressFault::NoNumber,
                    Number::Huge => AddressFault::Huge,
                    Number::Other(read) => AddressFault::OtherPort(read),
                };
                return blame(fault, port);
            }
        };
        if host.is_empty() {
            return blame(AddressFault::NoHost, self.rest);
        }
        let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if let Some(sign) = host.chars().find(|c| !in_name(*c)) {
            return blame(AddressFault::HostSign, &sign.to_string());
        }
        if !is_short_enough(host) {
            return blame(AddressFault::HostLong, host);
        }
        let path = &self.rest[self.path..];
        if let Some(sign) = path.chars().find(|c| !c.is_ascii_graphic()) {
            return blame(AddressFault::PathSign, &sign.to_string());
        }
        Ok(Endpoint { host, port })
    }
}

/// Text that is no port from 1 to 65535 to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    /// `std::invalid_argument`.
    None,
    /// `std::out_of_range`.
    Huge,
    /// A number all the same.
    Other(i32),
}

/// `std::stoi`: white space, a sign, digits; what follows them is passed over. It
/// is refused all the same: nobody means it, a query is lost with it, and firmware
/// before v1.6.2 takes the whole for a host's name.
fn number(text: &str) -> Result<u16, Number> {
    let from_sign = text.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
    let unsigned = from_sign.strip_prefix(['+', '-']).unwrap_or(from_sign);
    let count = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let digits = &unsigned[..count];
    if digits.is_empty() {
        return Err(Number::None);
    }
    let sign = if from_sign.starts_with('-') { "-" } else { "" };
    let read: i32 = format!("{sign}{digits}")
        .parse()
        .map_err(|_| Number::Huge)?;
    match u16::try_from(read) {
        Ok(port) if port > 0 && digits == text => Ok(port),
        _ => Err(Number::Other(read)),
    }
}

/// The part that is to blame, unless it may be secret: a password in front of the
/// last `@`, or a token behind the `?`.
fn part_shown(text: &str, part: &str) -> String {
    let is_behind_query = text
        .find('?')
        .is_some_and(|query| text[query..].contains(part));
    if is_behind_query && !part.is_empty() {
        return "what stands behind the ?".to_owned();
    }
    let is_of_user = || {
        let behind = redact::without_user(text);
        behind.is_some_and(|behind| text[..text.len() - behind.len()].contains(part))
    };
    match redact::without_user(part) {
        Some(host) => format!("{}{}", redact::HIDDEN, redact::shown(host)),
        None if !part.is_empty() && is_of_user() => redact::HIDDEN.to_owned(),
        // It is shown as it is within the whole.
        None if text.contains(part) && !redact::shown(text).contains(part) => {
            redact::HIDDEN.to_owned()
        }
        None => redact::shown(part).into_owned(),
    }
}

/// The exception that ends the program where nobody catches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exception {
    /// `std::invalid_argument`: no number.
    InvalidArgument,
    /// `std::out_of_range`: a number above 2147483647.
    OutOfRange,
}

impl Misread {
    /// Tells which exception aborts the device, if one does.
    pub fn exception(&self) -> Option<Exception> {
        let is_thrown = self.effect == Effect::Aborts && self.fault != AddressFault::Long;
        is_thrown.then_some(if self.is_huge {
            Exception::OutOfRange
        } else {
            Exception::InvalidArgument
        })
    }

    /// Tells whether firmware from v1.6.2 on gets to the right place nevertheless,
    /// for what it passes over does no harm.
    pub fn may_work(&self) -> bool {
        let is_port = matches!(self.fault, AddressFault::OtherPort(1..=65535));
        is_port && !self.part.contains([':', '?', '#'])
    }
}

#[cfg(test)]
mod tests;
