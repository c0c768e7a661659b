//! PROXY protocol: reads the header in which a proxy names its client, before the
//! client's own first byte.
//! <https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt>
//!
//! The header is looked at before it is read, and never a byte behind it is read: what
//! follows is then met as on any other port.

use crate::event::{Event, event};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Beginning of version 1 (section 2.1).
pub(super) const V1: &[u8] = b"PROXY ";
/// Length of its longest line, the line's end included (section 2.1).
const V1_LONGEST: usize = 107;
/// Beginning of version 2 (section 2.2).
pub(super) const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Length of what stands in front of version 2's addresses.
const V2_HEAD: usize = 16;
/// Length limit of what stands behind that. Proxies send some hundred bytes at most:
/// the addresses, and what they know of the client's TLS.
const V2_LONGEST: usize = 2048;

/// Origin of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A client.
    Client(SocketAddr),
    /// The proxy itself: a health check.
    Proxy,
    /// A client whose address the proxy does not tell: it is not the proxy, though the
    /// socket's address is.
    Unknown,
}

/// Header that came whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Length in bytes.
    length: usize,
    origin: Origin,
}

/// Error in the bytes that should be a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderError {
    Missing,
    Cut,
    Line,
    LongLine,
    Version,
    Command,
    Family,
    Short,
    Long,
}

impl From<HeaderError> for Event {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::Missing => event!(PROXY_HEADER_MISSING),
            HeaderError::Cut => event!(PROXY_HEADER_CUT),
            HeaderError::Line => event!(PROXY_HEADER_LINE),
            HeaderError::LongLine => event!(PROXY_HEADER_LONG_LINE, longest = V1_LONGEST),
            HeaderError::Version => event!(PROXY_HEADER_VERSION),
            HeaderError::Command => event!(PROXY_HEADER_COMMAND),
            HeaderError::Family => event!(PROXY_HEADER_FAMILY),
            HeaderError::Short => event!(PROXY_HEADER_SHORT),
            HeaderError::Long => event!(PROXY_HEADER_LONG, longest = V2_LONGEST),
        }
    }
}

/// Reason why a connection's header was not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// Nothing came: a check that only wants to know of an open port.
    Nothing,
    /// The bytes are no header.
    Invalid(HeaderError),
}

/// Reads the header that begins a connection, and nothing of what follows it.
pub(super) async fn read(stream: &mut TcpStream) -> Result<Origin, Unread> {
    let mut bytes = vec![0; V2_HEAD + V2_LONGEST];
    let mut read = 0;
    loop {
        let seen = stream.peek(&mut bytes[read..]).await.unwrap_or(0);
        match (seen, read) {
            (0, 0) => return Err(Unread::Nothing),
            (0, _) => return Err(Unread::Invalid(HeaderError::Cut)),
            _ => {}
        }
        let header = parse(&bytes[..read + seen]).map_err(Unread::Invalid)?;
        // Of a header that is not whole yet, all that came is part; left in the
        // kernel, it would wake this task again and again.
        let end = header.map_or(read + seen, |header| header.length);
        let seen = stream.read_exact(&mut bytes[read..end]).await;
        seen.map_err(|_| Unread::Invalid(HeaderError::Cut))?;
        read = end;
        if let Some(header) = header {
            return Ok(header.origin);
        }
    }
}

/// Parses the header at the front of `bytes`; `None` while all of them are part of one
/// and more must come. An error is returned as soon as it shows.
fn parse(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(a, b)| a == b);
    if begins(V1) {
        v1(bytes)
    } else if begins(V2) {
        v2(bytes)
    } else {
        Err(HeaderError::Missing)
    }
}

/// Parses version 1: one line of text (section 2.1).
fn v1(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    let longest = &bytes[..bytes.len().min(V1_LONGEST)];
    let Some(end) = longest.iter().position(|b| *b == b'\n') else {
        return if bytes.len() < V1_LONGEST {
            Ok(None)
        } else {
            Err(HeaderError::LongLine)
        };
    };
    let line = longest[..end]
        .strip_suffix(b"\r")
        .ok_or(HeaderError::Line)?;
    let line = line.get(V1.len()..).ok_or(HeaderError::Line)?;
    Ok(Some(Header {
        length: end + 1,
        origin: v1_origin(line)?,
    }))
}

fn v1_origin(line: &[u8]) -> Result<Origin, HeaderError> {
    // Whatever follows that word is to be ignored, be it text or not.
    if line == b"UNKNOWN" || line.starts_with(b"UNKNOWN ") {
        return Ok(Origin::Unknown);
    }
    let line = str::from_utf8(line).map_err(|_| HeaderError::Line)?;
    let words: Vec<_> = line.split(' ').collect();
    let [family, from, to, from_port, to_port] = words[..] else {
        return Err(HeaderError::Line);
    };
    let ip = match family {
        "TCP4" => both::<Ipv4Addr>(from, to)?.into(),
        "TCP6" => both::<Ipv6Addr>(from, to)?.into(),
        _ => return Err(HeaderError::Line),
    };
    port(to_port)?;
    Ok(Origin::Client(client(ip, port(from_port)?)))
}

/// Returns the first of two addresses, if both are of the family.
fn both<A: FromStr>(from: &str, to: &str) -> Result<A, HeaderError> {
    to.parse::<A>().map_err(|_| HeaderError::Line)?;
    from.parse().map_err(|_| HeaderError::Line)
}

/// Parses a port: digits only, without zeroes in front.
fn port(text: &str) -> Result<u16, HeaderError> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain).ok_or(HeaderError::Line)
}

/// Parses version 2: a head of 16 bytes, which tells the length of the rest (section
/// 2.2).
fn v2(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    let Some((head, rest)) = bytes.split_first_chunk::<V2_HEAD>() else {
        return Ok(None);
    };
    let [.., version_and_command, family, high, low] = *head;
    if version_and_command >> 4 != 2 {
        return Err(HeaderError::Version);
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > V2_LONGEST {
        return Err(HeaderError::Long);
    }
    let addresses = match (version_and_command & 0xf, family) {
        // LOCAL, the proxy itself: whatever follows is to be ignored.
        (0, _) | (1, 0x00) => 0,
        (1, 0x11 | 0x12) => 12,
        (1, 0x21 | 0x22) => 36,
        (1, 0x31 | 0x32) => 216,
        (1, _) => return Err(HeaderError::Family),
        _ => return Err(HeaderError::Command),
    };
    if length < addresses {
        return Err(HeaderError::Short);
    }
    let Some(rest) = rest.get(..length) else {
        return Ok(None);
    };
    // Both addresses, then both ports; behind them what is not for us (TLVs). A
    // client of a UNIX socket, or one that sends datagrams, has no address that
    // could be this connection's.
    let origin = match (version_and_command & 0xf, family, rest) {
        (1, 0x11, &[a, b, c, d, _, _, _, _, high, low, ..]) => Origin::Client(client(
            Ipv4Addr::new(a, b, c, d).into(),
            u16::from_be_bytes([high, low]),
        )),
        (1, 0x21, rest) => {
            let (ip, behind) = rest.split_first_chunk::<16>().ok_or(HeaderError::Short)?;
            let &[high, low] = behind
                .get(16..18)
                .and_then(|b| b.first_chunk())
                .ok_or(HeaderError::Short)?;
            Origin::Client(client(
                Ipv6Addr::from(*ip).into(),
                u16::from_be_bytes([high, low]),
            ))
        }
        (0, ..) => Origin::Proxy,
        _ => Origin::Unknown,
    };
    Ok(Some(Header {
        length: V2_HEAD + length,
        origin,
    }))
}

/// Makes the client's address: an IPv4 one is never written as IPv6.
fn client(ip: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(ip.to_canonical(), port)
}

#[cfg(test)]
mod tests;
