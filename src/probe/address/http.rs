//! Reads an address as the device's HTTP clients do: `http_parser_parse_url` of
//! ESP-IDF behind `EspHttp`, `HttpClient::ParseUrl` and `Ml307Http::Open` of
//! esp-ml307.

use super::{Target, UrlFault};
use crate::probe::line::{HttpStack, Kind};
use crate::probe::rules::address as rules;
use crate::probe::serial;

/// Takes an address apart as this device does. A blank behind it is named for
/// what it is, where the rest would do.
pub(super) fn read(text: &str, kind: Kind) -> Result<Target, UrlFault> {
    let as_it_is = read_as_it_is(text, kind);
    let rest = text.trim_end_matches(' ');
    match as_it_is {
        Err(fault) if rest.len() < text.len() && read_as_it_is(rest, kind).is_ok() => {
            Err(UrlFault {
                rule: &rules::TRAILING_BLANK,
                ..fault
            })
        }
        read => read,
    }
}

fn read_as_it_is(text: &str, kind: Kind) -> Result<Target, UrlFault> {
    let stack = kind.http();
    let refused = |rule| UrlFault::of(rule, text).serial(serial::bad_address(kind, text));
    // One refuses what is no address at all (`HTTP_PARSER_STRICT`); the others send
    // it, and a line break would end the request's first line.
    let odd = text.chars().find(|c| match stack {
        HttpStack::EspHttp => !c.is_ascii_graphic(),
        _ => matches!(c, '\0' | '\n' | '\r'),
    });
    if let Some(c) = odd {
        return Err(UrlFault::of_character(c, text).serial(serial::bad_address(kind, text)));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(refused(&rules::NO_SCHEME));
    };
    let tls = match (stack, scheme.to_ascii_lowercase().as_str()) {
        // `protocol_ == "https"`, without a look at the case.
        (HttpStack::Ml307Http, "https") if scheme != "https" => {
            return Err(UrlFault::of(&rules::UPPER_CASE_SCHEME, text));
        }
        (_, "https") => true,
        // Whatever is not https is http to those two.
        (_, "http") | (HttpStack::StrictHttpClient | HttpStack::HttpClient, _) => false,
        _ => return Err(UrlFault::of(&rules::UNKNOWN_SCHEME, text)),
    };
    let is_esp = stack == HttpStack::EspHttp;
    let ends: &[char] = if is_esp { &['/', '?'] } else { &['/'] };
    let (authority, path) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
    let authority = match authority.rsplit_once('@') {
        None => authority,
        // The name is known there, and not sent.
        Some((user, host)) if is_esp && !user.contains('@') => host,
        Some(_) => return Err(refused(&rules::USER_NAME)),
    };
    if authority.starts_with('[') || authority.matches(':').count() > 1 {
        return Err(UrlFault::of(&rules::IPV6_LITERAL, text));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    if host.is_empty() {
        return Err(UrlFault::of(&rules::NO_HOST, text));
    }
    let in_name = |c: &char| c.is_ascii_alphanumeric() || "-.".contains(*c) || !is_esp && *c == '_';
    if let Some(c) = host.chars().find(|c| !in_name(c)) {
        return Err(UrlFault::of_character(c, text).serial(serial::bad_address(kind, text)));
    }
    let port = match port {
        None if tls => 443,
        None => 80,
        Some(text_of_port) => {
            let number = match stack {
                HttpStack::StrictHttpClient | HttpStack::HttpClient => strtol(text_of_port),
                HttpStack::EspHttp | HttpStack::Ml307Http => digits(text_of_port),
            };
            let serial = serial::bad_port(kind, text, text_of_port);
            number.ok_or_else(|| UrlFault::of(&rules::BAD_PORT, text).serial(serial))?
        }
    };
    // `EspHttp` keeps the part behind a # to itself.
    let path = match path.split_once('#') {
        Some((path, _)) if is_esp => path,
        _ => path,
    };
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(Target {
        tls,
        host: host.to_owned(),
        port,
        path: format!("{slash}{path}"),
    })
}

fn digits(text: &str) -> Option<u16> {
    let number = text.parse().ok().filter(|port| *port > 0);
    number.filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

/// Reads white space, a sign and digits, with nothing behind them.
fn strtol(text: &str) -> Option<u16> {
    let from_sign = text.trim_start_matches([' ', '\t', '\u{b}', '\u{c}']);
    digits(from_sign.strip_prefix('+').unwrap_or(from_sign))
}
