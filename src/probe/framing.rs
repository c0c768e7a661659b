//! What a device makes of a reply's head and framing: the same code reads the
//! answer to a check and the image.

use super::line::{HttpClient, Kind};
use super::report::Finding;
use super::rules::{reply as rules, tls};
use super::wire::{Framing, Head, WireError};

/// What a reply answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// `POST` to the OTA address.
    Check,
    /// `GET` of `firmware.url`.
    Download,
}

/// How servers say that a port of theirs wanted TLS (Nginx, Apache, Go).
const WANTED_TLS: [&str; 3] = [
    "plain HTTP request was sent to HTTPS port",
    "speaking plain HTTP to an SSL-enabled server port",
    "HTTP request to an HTTPS server",
];

/// What `EspHttp::Open` says of every head that it does not get or take.
const NO_HEADERS: &str = "E (…) EspHttp: Failed to fetch headers";

/// Judges status, length and names. `begins` is how the body begins, `is_json`
/// whether all of it is JSON.
pub fn judge(head: &Head, begins: &[u8], is_json: bool, asked: Asked, kind: Kind) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(status(head, begins, is_json, asked, kind));
    if head.status == 200 {
        findings.extend(length(head, asked, kind));
        findings.extend(coding(head, asked));
        findings.extend(names(head, asked, kind));
    }
    findings
}

fn status(head: &Head, begins: &[u8], is_json: bool, asked: Asked, kind: Kind) -> Option<Finding> {
    let code = head.status;
    if code == 200 {
        return None;
    }
    let text = String::from_utf8_lossy(begins);
    let evidence = |line: Option<String>| match line {
        Some(line) => format!("{}\n{line}", head.status_line),
        None => head.status_line.clone(),
    };
    let serial = match asked {
        Asked::Check if kind.minds_status() => {
            format!("E (…) Ota: Failed to check version, status code: {code}")
        }
        Asked::Check => "E (…) Ota: Failed to parse JSON response".to_owned(),
        Asked::Download if kind.minds_status() => {
            format!("E (…) Ota: Failed to get firmware, status code: {code}")
        }
        Asked::Download => "E (…) Ota: Failed to write OTA data: …".to_owned(),
    };
    let finding = if WANTED_TLS.iter().any(|words| text.contains(words)) {
        let said = text
            .lines()
            .find(|l| WANTED_TLS.iter().any(|w| l.contains(w)));
        Finding::fail(&tls::WRONG_SCHEME, evidence(said.map(str::to_owned)))
    } else if (300..400).contains(&code) && code != 304 {
        Finding::fail(&rules::REDIRECT, evidence(head.line("Location")))
    } else if code == 206 {
        Finding::fail(
            &rules::PARTIAL_CONTENT,
            evidence(head.line("Content-Range")),
        )
    } else {
        let first = text.lines().map(str::trim).find(|line| !line.is_empty());
        let said = first.map(|line| line.chars().take(200).collect());
        // Old firmware reads a JSON body whatever the status says.
        let passes = asked == Asked::Check && is_json;
        let hit = |k: Kind| k.minds_status() || !passes;
        let finding = Finding::on(&rules::STATUS, kind, hit, evidence(said))?;
        return Some(if hit(kind) {
            finding.serial(serial)
        } else {
            finding
        });
    };
    Some(finding.serial(serial))
}

/// Before 1.8 the Wi-Fi client fails on a length that it does not know
/// (`EspHttp::Open`); a download fails with every one.
fn length(head: &Head, asked: Asked, kind: Kind) -> Option<Finding> {
    let fails = |k: Kind| asked == Asked::Download || k.http() == HttpClient::EspHttp;
    let serial = if kind.http() == HttpClient::EspHttp {
        NO_HEADERS
    } else {
        "E (…) Ota: Failed to get content length"
    };
    let line = |name| head.line(name).unwrap_or_default();
    let (rule, evidence) = match head.framing() {
        Framing::Length(0) => {
            let finding = Finding::fail(&rules::ZERO_CONTENT_LENGTH, line("Content-Length"));
            return Some(finding.serial(match (asked, kind.http()) {
                (Asked::Check, http) if http != HttpClient::EspHttp => {
                    "E (…) Ota: Failed to parse JSON response"
                }
                _ => serial,
            }));
        }
        Framing::Length(_) => return None,
        Framing::Unreadable(_) => {
            let finding = Finding::fail(&rules::BAD_CONTENT_LENGTH, line("Content-Length"));
            return Some(finding.serial(serial));
        }
        Framing::Chunked => (&rules::CHUNKED, line("Transfer-Encoding")),
        Framing::UntilClose => (&rules::NO_CONTENT_LENGTH, listed(head)),
    };
    let finding = Finding::on(rule, kind, fails, evidence)?;
    Some(if fails(kind) {
        finding.serial(serial)
    } else {
        finding
    })
}

fn coding(head: &Head, asked: Asked) -> Option<Finding> {
    let coding = head.header("Content-Encoding")?;
    if coding.is_empty() || coding.eq_ignore_ascii_case("identity") {
        return None;
    }
    let line = head.line("Content-Encoding").unwrap_or_default();
    Some(Finding::fail(&rules::COMPRESSED, line).serial(match asked {
        Asked::Check => "E (…) Ota: Failed to parse JSON response",
        Asked::Download => "E (…) Ota: Failed to write OTA data: …",
    }))
}

/// A check gets by without a length, a download does not.
fn names(head: &Head, asked: Asked, kind: Kind) -> Option<Finding> {
    let line = head.line("Content-Length")?;
    if head.header_by_case("Content-Length").is_some() {
        return None;
    }
    let hit = |k: Kind| k.reads_names_by_case();
    match asked {
        Asked::Check => Some(Finding::warn(&rules::LOWER_CASE_NAMES, line)),
        Asked::Download => {
            let finding = Finding::on(&rules::LOWER_CASE_NAMES, kind, hit, line)?;
            Some(if hit(kind) {
                finding.serial("E (…) Ota: Failed to get content length")
            } else {
                finding
            })
        }
    }
}

fn listed(head: &Head) -> String {
    let names: Vec<&str> = head.headers.iter().map(|(name, _)| name.as_str()).collect();
    format!("{}\n{}", head.status_line, names.join(", "))
}

/// What became of a reply that did not come whole.
pub fn broken(error: &WireError, asked: Asked, kind: Kind) -> Finding {
    let http = kind.http();
    let unparsed = match http {
        HttpClient::EspHttp => NO_HEADERS,
        HttpClient::Ml307Http => {
            "E (…) Ml307Http: HTTP request error: Data reception parsing failed"
        }
        HttpClient::StrictHttpClient | HttpClient::HttpClient => {
            "E (…) HttpClient: Invalid status line: …"
        }
    };
    let half = match asked {
        Asked::Check => "E (…) Ota: Failed to parse JSON response",
        Asked::Download => "E (…) Ota: Failed to read HTTP data: …",
    };
    let (finding, serial) = match error {
        WireError::NotHttp(bytes) => {
            let rule = if is_tls(bytes) {
                &tls::WRONG_SCHEME
            } else {
                &rules::NOT_HTTP
            };
            (Finding::fail(rule, escaped(bytes)), unparsed)
        }
        WireError::TimedOut(_) => (
            Finding::fail(&rules::STALLED, error),
            match http {
                HttpClient::EspHttp => half,
                HttpClient::Ml307Http => {
                    "E (…) Ml307Http: Timeout waiting for HTTP content to be received"
                }
                HttpClient::StrictHttpClient | HttpClient::HttpClient => {
                    "E (…) HttpClient: Wait for HTTP content receive timeout"
                }
            },
        ),
        WireError::Closed(_) | WireError::Io(_) => (
            Finding::fail(&rules::CUT_SHORT, error),
            if http == HttpClient::HttpClient {
                "E (…) HttpClient: Connection closed prematurely, expected … bytes"
            } else {
                half
            },
        ),
        WireError::LongHead | WireError::Chunk(_) => (
            Finding::fail(&rules::BROKEN_HTTP, error),
            match http {
                HttpClient::EspHttp | HttpClient::Ml307Http => unparsed,
                HttpClient::StrictHttpClient | HttpClient::HttpClient => {
                    "E (…) HttpClient: HTTP parse error"
                }
            },
        ),
    };
    finding.serial(serial)
}

/// The same for a reply whose head did not come.
pub fn headless(error: &WireError, asked: Asked, kind: Kind) -> Finding {
    match error {
        WireError::TimedOut(_) | WireError::Closed(0) | WireError::Io(_) => {
            Finding::fail(&rules::NO_REPLY, error).serial(match kind.http() {
                HttpClient::EspHttp => NO_HEADERS,
                HttpClient::Ml307Http => {
                    "E (…) Ml307Http: Timeout waiting for HTTP headers to be received"
                }
                HttpClient::StrictHttpClient | HttpClient::HttpClient => {
                    "E (…) HttpClient: Wait for HTTP headers receive timeout"
                }
            })
        }
        _ => broken(error, asked, kind),
    }
}

/// Whether an answer begins with a TLS record: an alert, or a handshake (RFC
/// 8446, section 5.1).
pub fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, 3, ..])
}

fn escaped(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}
