//! Judges a reply's head and framing as the device does: the same code reads the
//! answer to a check and the image.

use super::line::{Asked, HttpStack, Kind};
use super::report::Finding;
use super::rules::{reply as rules, tls};
use super::serial;
use super::wire::{Framing, ReplyHead, WireError};

/// First byte of an image (`ESP_IMAGE_HEADER_MAGIC`).
const IMAGE: u8 = 0xE9;

/// Words of servers for plain HTTP to a port that wants TLS (Nginx, Apache, Go).
const WANTED_TLS: [&str; 3] = [
    "plain HTTP request was sent to HTTPS port",
    "speaking plain HTTP to an SSL-enabled server port",
    "HTTP request to an HTTPS server",
];

/// Judges status, length and names. `begins` is the beginning of the body,
/// `is_json` whether all of it is JSON.
pub(crate) fn judge(
    head: &ReplyHead,
    begins: &[u8],
    is_json: bool,
    asked: Asked,
    kind: Kind,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(status(head, begins, is_json, asked, kind));
    if !findings.iter().any(Finding::is_failure) {
        findings.extend(length(head, asked, kind));
        findings.extend(coding(head, asked));
        findings.extend(names(head, asked, kind));
    }
    findings
}

fn status(
    head: &ReplyHead,
    begins: &[u8],
    is_json: bool,
    asked: Asked,
    kind: Kind,
) -> Option<Finding> {
    let code = head.status;
    if code == 200 {
        return None;
    }
    let text = String::from_utf8_lossy(begins);
    let evidence = |line: Option<String>| match line {
        Some(line) => format!("{}\n{line}", head.status_line),
        None => head.status_line.clone(),
    };
    // What comes all the same is read: JSON, or an image.
    let passes = |k: Kind| match asked {
        Asked::Check => is_json && k.reads_a_check_under(code),
        Asked::Download => begins.first() == Some(&IMAGE) && k.flashes_under(code),
    };
    let (rule, evidence) = if WANTED_TLS.iter().any(|words| text.contains(words)) {
        let said = text
            .lines()
            .find(|l| WANTED_TLS.iter().any(|w| l.contains(w)));
        (&tls::WRONG_SCHEME, evidence(said.map(str::to_owned)))
    } else if (300..400).contains(&code) && code != 304 {
        (&rules::REDIRECT, evidence(head.line("Location")))
    } else if code == 206 {
        (
            &rules::PARTIAL_CONTENT,
            evidence(head.line("Content-Range")),
        )
    } else {
        let first = text.lines().map(str::trim).find(|line| !line.is_empty());
        let said = first.map(|line| line.chars().take(200).collect());
        (&rules::STATUS, evidence(said))
    };
    let finding = Finding::on(rule, kind, |k| !passes(k), evidence)?;
    Some(finding.serial_of_failure(serial::status(kind, asked, code)))
}

/// Judges how the length is told. A download needs one; of a check `EspHttp` reads
/// as many bytes as it was told, and nothing where it was not (`GetBody`, since
/// esp-ml307 2.1 `ReadAll`).
fn length(head: &ReplyHead, asked: Asked, kind: Kind) -> Option<Finding> {
    let counts = |k: Kind| asked == Asked::Download || k.http() == HttpStack::EspHttp;
    let line = |name| head.line(name).unwrap_or_default();
    let serial = serial::no_length(kind, asked);
    let finding = match head.framing() {
        Framing::Length(0) => {
            Finding::fail(&rules::ZERO_CONTENT_LENGTH, line("Content-Length")).serial(serial)
        }
        Framing::Length(_) => return None,
        Framing::Unreadable(text) => {
            return unreadable(&text, line("Content-Length"), asked, kind);
        }
        Framing::Chunked => {
            // Who does not know the name takes what stands between the chunks for JSON.
            let cased = head.header_by_case("Transfer-Encoding").is_some();
            let mixed = |k: Kind| !cased && k.http() == HttpStack::StrictHttpClient;
            let hit = |k: Kind| counts(k) || mixed(k);
            Finding::on(&rules::CHUNKED, kind, hit, line("Transfer-Encoding"))?
                .serial_of_failure(serial)
        }
        Framing::UntilClose => Finding::on(&rules::NO_CONTENT_LENGTH, kind, counts, listed(head))?
            .serial_of_failure(serial),
    };
    Some(finding)
}

/// Judges a length that is no number: it is 0 to `HttpClient` (`strtoul`), ends
/// `EspHttp`'s parser, and throws in `Ml307Http` (`std::stoul`, which nobody
/// catches).
fn unreadable(text: &str, line: String, asked: Asked, kind: Kind) -> Option<Finding> {
    // One that is too big is none that ever comes.
    let is_huge = text.bytes().all(|b| b.is_ascii_digit());
    let passes = |k: Kind| {
        let is_zero = matches!(
            k.http(),
            HttpStack::StrictHttpClient | HttpStack::HttpClient
        );
        asked == Asked::Check && is_zero && !is_huge
    };
    let serial = match kind.http() {
        HttpStack::EspHttp => serial::NO_HEADERS,
        HttpStack::Ml307Http if is_huge => serial::HUGE_NUMBER,
        HttpStack::Ml307Http => serial::NO_NUMBER,
        HttpStack::StrictHttpClient | HttpStack::HttpClient => serial::no_length(kind, asked),
    };
    let finding = Finding::on(&rules::BAD_CONTENT_LENGTH, kind, |k| !passes(k), line)?;
    Some(finding.serial_of_failure(serial))
}

fn coding(head: &ReplyHead, asked: Asked) -> Option<Finding> {
    let coding = head.header("Content-Encoding")?;
    if coding.is_empty() || coding.eq_ignore_ascii_case("identity") {
        return None;
    }
    let line = head.line("Content-Encoding").unwrap_or_default();
    Some(Finding::fail(&rules::COMPRESSED, line).serial(match asked {
        Asked::Check => serial::NO_JSON.to_owned(),
        Asked::Download => serial::no_image(),
    }))
}

/// Judges the case of header names: a check gets by without a length, a download
/// does not.
fn names(head: &ReplyHead, asked: Asked, kind: Kind) -> Option<Finding> {
    let line = head.line("Content-Length")?;
    if head.header_by_case("Content-Length").is_some() {
        return None;
    }
    let hit = |k: Kind| k.reads_names_by_case();
    match asked {
        Asked::Check => Some(Finding::warn(&rules::LOWER_CASE_NAMES, line)),
        Asked::Download => {
            let finding = Finding::on(&rules::LOWER_CASE_NAMES, kind, hit, line)?;
            Some(finding.serial_of_failure(serial::NO_LENGTH))
        }
    }
}

fn listed(head: &ReplyHead) -> String {
    let names: Vec<&str> = head.headers.iter().map(|(name, _)| name.as_str()).collect();
    format!("{}\n{}", head.status_line, names.join(", "))
}

/// Judges a reply that did not come whole.
pub(crate) fn broken(error: &WireError, asked: Asked, kind: Kind) -> Finding {
    match error {
        WireError::NotHttp(bytes) => {
            let rule = if is_tls(bytes) {
                &tls::WRONG_SCHEME
            } else {
                &rules::NOT_HTTP
            };
            Finding::fail(rule, escaped(bytes)).serial(serial::no_http(kind))
        }
        WireError::TimedOut(_) => {
            Finding::fail(&rules::STALLED, error).serial(serial::half_a_body(kind, asked, true))
        }
        WireError::Closed(_) | WireError::Io(_) => {
            Finding::fail(&rules::CUT_SHORT, error).serial(serial::half_a_body(kind, asked, false))
        }
        WireError::LongHead | WireError::Chunk(_) => {
            Finding::fail(&rules::BROKEN_HTTP, error).serial(serial::broken_http(kind))
        }
    }
}

/// Judges a reply whose head did not come.
pub(crate) fn headless(error: &WireError, asked: Asked, kind: Kind) -> Finding {
    match error {
        WireError::TimedOut(_) | WireError::Closed(0) | WireError::Io(_) => {
            Finding::fail(&rules::NO_REPLY, error).serial(serial::no_head(kind))
        }
        _ => broken(error, asked, kind),
    }
}

/// Returns whether an answer begins with a TLS record: an alert, or a handshake
/// (RFC 8446, section 5.1).
pub(crate) fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, 3, ..])
}

fn escaped(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}
