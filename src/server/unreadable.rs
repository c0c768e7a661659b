//! Names what came on a connection and was no request that anybody could answer: hyper
//! answers it itself, or closes, and says to nobody why.

use super::Port;
use super::first_line::{Head, Requests};
use super::proxy_header::{V1, V2};
use crate::event::text::Text;
use crate::event::{self, Event, event, kinds};
use hyper::Uri;
use std::net::SocketAddr;
use std::time::Duration;

/// Number of headers that hyper takes.
const HEADERS: usize = 100;
/// Number of bytes of what came that the log shows.
const SHOWN: usize = 64;
/// Number of those of a first word that is no method.
const WORD: usize = 16;
/// Methods of HTTP that are known by sight.
const METHODS: [&str; 9] = [
    "GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "PATCH", "DELETE", "PRI",
];
/// Reasons that the right address may mend.
const MENDED_BY_THE_ADDRESS: [&str; 5] = [
    kinds::REQUEST_LINE.id,
    kinds::REQUEST_BLANK.id,
    kinds::REQUEST_NO_VERSION.id,
    kinds::REQUEST_TOO_LONG.id,
    kinds::REQUEST_HEADER.id,
];

/// Connection that ended with an error.
pub(super) struct Ended<'a> {
    pub(super) error: &'a hyper::Error,
    pub(super) requests: &'a Requests,
    pub(super) peer: SocketAddr,
    /// Port that it came to.
    pub(super) port: Port,
    /// `limits.headers`.
    pub(super) patience: Duration,
    /// Size limit of a head, in bytes.
    pub(super) longest: usize,
    /// Returns the address that is right.
    pub(super) url: &'a dyn Fn() -> Option<String>,
}

impl Ended<'_> {
    /// Returns what there is to tell of it: `None` where a client went away, or was idle
    /// between two requests.
    pub(super) fn event(&self) -> Option<Event> {
        let (error, peer) = (self.error, self.peer);
        let head = self.requests.head();
        let begin = head.map_or(&[][..], Head::begin);
        let under_way = head.filter(|head| head.is_under_way());
        if error.is_timeout() && head.is_some_and(|head| head.bytes == 0) {
            // It shook hands, and no more.
            let limit = format!("{:?}", self.patience);
            return Some(event!(REQUEST_SILENT, peer = peer, limit = limit));
        }
        if !error.is_parse() && under_way.is_none() {
            return None;
        }
        if let Some(version) = proxy_header(begin) {
            return Some(self.with_proxy_header(version));
        }
        let begins = shown(begin);
        let device = self.requests.device();
        let why = match (foreign(begin), under_way) {
            _ if error.is_parse() && self.requests.is_unannounced() => event!(REQUEST_UNANNOUNCED),
            (Some(why), _) => why,
            (None, _) if error.is_parse() => self.why(head, begin),
            (None, Some(head)) if error.is_timeout() => {
                return Some(event!(
                    REQUEST_LATE,
                    device = device,
                    peer = peer,
                    bytes = head.bytes,
                    limit = format!("{:?}", self.patience),
                    begins = begins,
                ));
            }
            (None, Some(head)) if error.is_incomplete_message() => {
                event!(REQUEST_CUT, bytes = head.bytes)
            }
            _ => return None,
        };
        let is_http = MENDED_BY_THE_ADDRESS.contains(&why.kind.id);
        Some(event!(
            REQUEST_UNREADABLE,
            device = device,
            peer = peer,
            why = why,
            url = is_http.then(self.url).flatten(),
            begins = begins
        ))
    }

    fn with_proxy_header(&self, version: u8) -> Event {
        let Port {
            number,
            proxy_protocol,
        } = self.port;
        if proxy_protocol {
            return event!(
                PROXY_HEADER_TWICE,
                peer = self.peer,
                version = version,
                port = number
            );
        }
        event!(
            PROXY_HEADER_UNEXPECTED,
            peer = self.peer,
            version = version,
            port = number,
            setting = format!("gateway.ports: [{{port: {number}, proxy_protocol: true}}]"),
        )
    }

    /// Returns the reason why hyper cannot read a head.
    fn why(&self, head: Option<&Head>, begin: &[u8]) -> Event {
        let lines = head.map_or(0, |head| head.lines);
        if self.error.is_parse_too_large() {
            let is_long = head.is_none_or(|head| head.bytes >= self.longest);
            return if lines > HEADERS && !is_long {
                event!(REQUEST_TOO_MANY, limit = HEADERS)
            } else {
                event!(REQUEST_TOO_LONG, limit = self.longest)
            };
        }
        let error = self.error.to_string();
        if begin.is_empty() {
            return event!(REQUEST_NO_HTTP, error = error);
        }
        let end = begin.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let line = String::from_utf8_lossy(&begin[..end.unwrap_or(begin.len())]);
        let words: Vec<_> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let (method, rest) = words.split_first().unwrap_or((&"", &[]));
        let (address, last) = match rest {
            [] => return event!(REQUEST_NO_HTTP),
            [address, ..] => (*address, rest.last().copied().unwrap_or_default()),
        };
        let is_http = METHODS.contains(method)
            || (last.starts_with("HTTP/") && method.bytes().all(|b| b.is_ascii_uppercase()));
        let is_spoken = matches!(last, "HTTP/1.0" | "HTTP/1.1");
        let is_version = |word: &str| {
            let (name, number) = word.split_once('/').unwrap_or_default();
            name.bytes().all(|b| b.is_ascii_alphabetic())
                && number.starts_with(|c: char| c.is_ascii_digit())
        };
        match rest.len() {
            _ if !is_http => event!(REQUEST_NO_HTTP),
            1 if end.is_some() && is_sane(address) => event!(REQUEST_NO_VERSION),
            1 if end.is_some() => event!(REQUEST_NO_HTTP),
            _ if line.starts_with(' ') => event!(REQUEST_INDENTED),
            // Of a long line the end is not known.
            _ if end.is_none() && lines == 0 => event!(REQUEST_LINE, error = error),
            2.. if !is_spoken && (last.starts_with("HTTP/") || is_version(last)) => {
                event!(REQUEST_VERSION, version = last)
            }
            3.. if end.is_some() => event!(REQUEST_BLANK),
            2 if is_spoken && lines > 0 && is_sane(address) => {
                event!(REQUEST_HEADER, error = error)
            }
            _ => event!(REQUEST_LINE, error = error),
        }
    }
}

/// Returns whether nothing is wrong with an address, as far as can be seen.
fn is_sane(address: &str) -> bool {
    address.parse::<Uri>().is_ok()
        && !address.contains('\u{FFFD}')
        && ["/", "*", "http"]
            .iter()
            .any(|begin| address.starts_with(begin))
}

/// Returns the version of the PROXY header at the front of `begin`, if there is one, or the
/// beginning of one that was cut.
fn proxy_header(begin: &[u8]) -> Option<u8> {
    let is = |signature: &[u8], least| {
        let common = begin.len().min(signature.len());
        common >= least && begin[..common].eq_ignore_ascii_case(&signature[..common])
    };
    if is(V1, 4) {
        Some(1)
    } else {
        is(V2, 5).then_some(2)
    }
}

/// Words with which clients of other protocols begin, in capital letters, and what they
/// speak.
const WORDS: [(&str, &str); 24] = [
    ("EHLO", "SMTP"),
    ("HELO", "SMTP"),
    ("LHLO", "LMTP"),
    ("MAIL", "SMTP"),
    ("RCPT", "SMTP"),
    ("AUTH PLAIN", "SMTP"),
    ("AUTH LOGIN", "SMTP"),
    ("AUTH TLS", "FTP"),
    ("AUTH SSL", "FTP"),
    ("FEAT", "FTP"),
    ("SYST", "FTP"),
    ("USER", "FTP, POP3, IRC"),
    ("PASS", "FTP, POP3, IRC"),
    ("APOP", "POP3"),
    ("CAPA", "POP3"),
    ("NICK", "IRC"),
    ("CAP", "IRC"),
    ("AUTH", "Redis"),
    ("PING", "Redis"),
    ("INFO", "Redis"),
    ("SELECT", "Redis"),
    ("CONFIG", "Redis"),
    ("STATS", "memcached"),
    ("RFB", "VNC"),
];
/// Commands of IMAP, behind a tag of the client's own.
const IMAP: [&str; 6] = [
    "LOGIN",
    "CAPABILITY",
    "AUTHENTICATE",
    "STARTTLS",
    "NOOP",
    "ID",
];

/// Returns the protocol that begins like this, where it is not HTTP/1.
fn foreign(begin: &[u8]) -> Option<Event> {
    let starts = |with: &[u8]| begin.starts_with(with);
    let has = |text: &[u8]| memchr::memmem::find(begin, text).is_some();
    let protocol = match begin {
        [0x16, 3, ..] | [0x80..=0xFF, _, 1, ..] => return Some(event!(REQUEST_TLS)),
        _ if starts(b"PRI * HTTP/2") => return Some(event!(REQUEST_HTTP2)),
        [0x10, rest @ ..]
            if has(b"MQTT") || rest.get(3..).is_some_and(|r| r.starts_with(b"MQIsdp")) =>
        {
            return Some(event!(REQUEST_MQTT));
        }
        [0xC0 | 0xE0, 0] => return Some(event!(REQUEST_MQTT)),
        [4 | 5, 1..=3, ..] => "SOCKS",
        [3, 0, 0, ..] => "RDP",
        [0, 0, 0, _, 0xFE | 0xFF, b'S', b'M', b'B', ..] => "SMB",
        [0, 0, 0, _, 0x04, 0xD2, 0x16, _, ..] | [0, 0, _, _, 0, 3, 0, 0, ..] => "PostgreSQL",
        [0x30, _, 2, 1, _, 0x60..=0x77, ..] => "LDAP",
        [0xFF, 0xFB..=0xFE, ..] => "Telnet",
        [b'*', b'0'..=b'9', ..] => "Redis",
        _ if starts(b"SSH-") => "SSH",
        _ if starts(b"AMQP") => "AMQP",
        _ if starts(b"\x13BitTorrent") => "BitTorrent",
        _ if starts(b"HTTP/") || starts(b"ICY ") => {
            let words = Text::new("HTTP 的应答（服务器所说的话）", "HTTP as a server does");
            return Some(event!(REQUEST_FOREIGN, protocol = words));
        }
        _ if starts(b"{") => {
            let words = Text::new("没有 HTTP 的 JSON", "JSON without HTTP");
            return Some(event!(REQUEST_FOREIGN, protocol = words));
        }
        _ if starts(b"<") => {
            let words = Text::new("没有 HTTP 的 XML", "XML without HTTP");
            return Some(event!(REQUEST_FOREIGN, protocol = words));
        }
        _ => foreign_line(begin)?,
    };
    Some(event!(REQUEST_FOREIGN, protocol = protocol))
}

/// Returns the protocol whose lines are words, where the first line is one of its.
fn foreign_line(begin: &[u8]) -> Option<&'static str> {
    let line = begin.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let line = str::from_utf8(line).ok()?.to_ascii_uppercase();
    if line.ends_with(" RTSP/1.0") {
        return Some("RTSP");
    }
    if line.ends_with(" SIP/2.0") {
        return Some("SIP");
    }
    let mut words = line.split(' ');
    let (first, second) = (words.next()?, words.next());
    if METHODS.contains(&first) || line.contains(" HTTP/") {
        return None;
    }
    let is_said = |words: &str| {
        let rest = line.strip_prefix(words);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let found = WORDS.iter().find(|(words, _)| is_said(words));
    let is_imap = second.is_some_and(|second| IMAP.contains(&second));
    found
        .map(|(_, protocol)| *protocol)
        .or(is_imap.then_some("IMAP"))
}

/// Returns the part of what came that the log may show: of a request its first line,
/// without what may be a secret in its address; of anything else its first word, for
/// behind that may stand whatever a client of another protocol says, a password too.
fn shown(begin: &[u8]) -> Option<String> {
    let begin = begin.trim_ascii_start();
    let end = begin.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let line = String::from_utf8_lossy(&begin[..end.unwrap_or(begin.len())]);
    let words = line.split(' ').filter(|word| !word.is_empty());
    let mut words = words.peekable();
    if !words.peek().is_some_and(|word| METHODS.contains(word)) {
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '/');
        let word: String = line.chars().take_while(is_plain).take(WORD).collect();
        return (!word.is_empty()).then_some(word);
    }
    let mut shown = String::new();
    for word in words {
        if !shown.is_empty() {
            shown.push(' ');
        }
        let word = event::redacted(word);
        shown.extend(word.chars().take(SHOWN.saturating_sub(shown.len())));
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn protocols_are_known_by_how_they_begin() {
        for (begin, words) in [
            (&b"\x16\x03\x01\x02\x00"[..], "TLS"),
            (b"\x80\x2e\x01\x00\x02", "TLS"),
            (b"PRI * HTTP/2.0\r\n\r\nSM", "HTTP/2"),
            (b"\x10\x1a\x00\x04MQTT\x04", "MQTT"),
            (b"\x10\x1a\x00\x06MQIsdp\x03", "MQTT"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
            (b"*1\r\n$4\r\nPING\r\n", "Redis"),
            (b"\x05\x01\x00", "SOCKS"),
            (b"\x03\x00\x00\x13", "RDP"),
            (b"\x00\x00\x00\x45\xffSMBr", "SMB"),
            (b"OPTIONS rtsp://h/ RTSP/1.0\r\n", "RTSP"),
            (b"OPTIONS sip:nm SIP/2.0\r\nVia: x", "SIP"),
            (b"{\"version\":2}", "JSON"),
        ] {
            let event = foreign(begin).map(|event| event.to_string());
            assert!(event.is_some_and(|said| said.contains(words)), "{words}");
        }
        for begin in [&b"GET /x HTTP/1.1\r\n"[..], b"", b"\0\0", b"hello"] {
            assert!(foreign(begin).is_none(), "{begin:?}");
        }
    }

    #[test]
    fn what_is_shown_holds_no_token() {
        for (begin, expected) in [
            (
                &b"GET /xiaozhi/v1/?token=abc HTTP/1.2"[..],
                "GET /xiaozhi/v1/?*** HTTP/1.2",
            ),
            (b"GET /x HTTP/1.2\r\nAuthorization: b", "GET /x HTTP/1.2"),
            (
                b"GET /xiaozhi/ota/download/a_1.bin?t=ab HTTP/1.2",
                "GET /xiaozhi/ota/download/a_1.bin?*** HTTP/1.2",
            ),
            (
                b"GET wss://u:secret@h/x y HTTP/1.1\r\n",
                "GET wss://***@h/x y HTTP/1.1",
            ),
            (b"PASS secret\r\n", "PASS"),
            (b"AUTH secret", "AUTH"),
            (b"Authorization: Bearer secret\r\n", "Authorization"),
            (b"{\"password\":\"secret\"}", ""),
            (b"\x10\x1a\0\x04MQTT\x04\xc2secret", ""),
            (b"hello\r\n", "hello"),
            (b"SSH-2.0-x", "SSH-2.0-x"),
        ] {
            assert_eq!(shown(begin).unwrap_or_default(), expected, "{begin:?}");
        }
    }

    proptest! {
        #[test]
        fn any_beginning_can_be_looked_at(begin in any::<Vec<u8>>()) {
            let _ = (foreign(&begin), proxy_header(&begin));
            prop_assert!(shown(&begin).unwrap_or_default().len() <= 5 * SHOWN);
        }
    }
}
