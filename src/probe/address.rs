//! What the device's URL parser makes of an address (`HttpClient::ParseUrl` in
//! esp-ml307's `src/http_client.cc`, `Ml307Http::Open`, `WebSocket::Connect`).

use super::line::{Client, HttpClient, Kind, Line};
use super::report::{Finding, Verdict};
use super::rules::address as rules;
use std::net::IpAddr;

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether the connection is TLS.
    pub tls: bool,
    /// A host name or an IPv4 address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// With its first slash and its query.
    pub path: String,
}

impl Target {
    /// What stands in `Host`: the port only where it is not the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == if self.tls { 443 } else { 80 } {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Typed into the device.
    Ota,
    /// `firmware.url`.
    Firmware,
    /// `websocket.url`.
    Websocket,
}

/// Takes an address apart as this device does. What it cannot take apart is a
/// failure; of what it can, the findings say what will go wrong with it.
pub fn parse(text: &str, used: Use, kind: Kind) -> Result<(Target, Vec<Finding>), Finding> {
    // `CheckVersion` takes nothing shorter for an address.
    if used == Use::Ota && text.len() < 10 {
        return Err(Finding::fail(&rules::NO_ADDRESS, quoted(text))
            .serial("E (…) Ota: Check version URL is not properly set"));
    }
    if let Some(c) = text
        .chars()
        .find(|c| c.is_whitespace() || c.is_control() || !c.is_ascii())
    {
        return Err(Finding::fail(
            &rules::BAD_CHARACTER,
            format!("{c:?} in {}", quoted(text)),
        ));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(Finding::fail(&rules::NO_SCHEME, quoted(text)).serial(invalid(used, text)));
    };
    let lower = scheme.to_ascii_lowercase();
    let tls = match (used, lower.as_str()) {
        (Use::Ota | Use::Firmware, "http") | (Use::Websocket, "ws") => false,
        (Use::Ota | Use::Firmware, "https") | (Use::Websocket, "wss") => true,
        _ => return Err(Finding::fail(&rules::UNKNOWN_SCHEME, quoted(text))),
    };
    // `esp_http_client` and the newest parser take any case; the others compare the
    // scheme as it stands.
    let by_case = matches!(
        kind.http(),
        HttpClient::StrictHttpClient | HttpClient::Ml307Http
    );
    let cased = scheme != lower && (used == Use::Websocket || by_case);
    if cased && tls {
        return Err(Finding::fail(&rules::UPPER_CASE_SCHEME, quoted(text)));
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(Finding::fail(&rules::USER_NAME, quoted(text)));
    }
    if authority.starts_with('[') || authority.matches(':').count() > 1 {
        return Err(Finding::fail(&rules::IPV6_LITERAL, quoted(text))
            .serial("E (…) HttpClient: Invalid port: …"));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    // `WebSocket::Connect` looks for a port's colon in the path, too.
    if used == Use::Websocket && port.is_none() && path.contains(':') {
        return Err(Finding::fail(&rules::BAD_PORT, quoted(text)));
    }
    if host.is_empty() {
        return Err(Finding::fail(&rules::NO_HOST, quoted(text)));
    }
    let port = match port {
        None if tls => 443,
        None => 80,
        Some(text_of_port) => match text_of_port.parse::<u16>() {
            Ok(port) if port > 0 && !text_of_port.starts_with('+') => port,
            _ => {
                return Err(Finding::fail(&rules::BAD_PORT, quoted(text))
                    .serial(format!("E (…) HttpClient: Invalid port: {text_of_port}")));
            }
        },
    };
    let target = Target {
        tls,
        host: host.to_owned(),
        port,
        path: if path.is_empty() { "/" } else { path }.to_owned(),
    };
    let findings = judge(text, used, kind, &target);
    Ok((target, findings))
}

/// [`parse`], of an address that the server at `ota` hands out. One that leads to
/// this machine, or into Docker, fails where the server itself is elsewhere:
/// that it works here proves nothing.
pub fn handed_out(
    text: &str,
    used: Use,
    kind: Kind,
    ota: &Target,
) -> Result<(Target, Vec<Finding>), Finding> {
    let (target, mut findings) = parse(text, used, kind)?;
    if !ota.host.eq_ignore_ascii_case(&target.host) {
        let strands = |rule| rule == &rules::LOOPBACK || rule == &rules::CONTAINER_ADDRESS;
        for finding in findings.iter_mut().filter(|f| strands(f.rule)) {
            finding.verdict = Verdict::Fail;
        }
    }
    Ok((target, findings))
}

/// What will go wrong with an address that can be taken apart.
fn judge(text: &str, used: Use, kind: Kind, target: &Target) -> Vec<Finding> {
    let mut findings = Vec::new();
    if target.path.contains('#') {
        findings.push(Finding::warn(&rules::FRAGMENT, quoted(text)));
    }
    if used == Use::Ota && !target.path.contains("/ota") {
        findings.push(Finding::warn(&rules::NOT_AN_OTA_PATH, quoted(text)));
    }
    let host = target.host.to_ascii_lowercase();
    let ip: Option<IpAddr> = host.parse().ok();
    if ip.is_some_and(|ip| ip.is_unspecified()) {
        findings.push(Finding::fail(&rules::UNSPECIFIED_ADDRESS, quoted(text)));
    } else if ip.is_some_and(|ip| ip.is_loopback())
        || host == "localhost"
        || host.ends_with(".localhost")
    {
        findings.push(Finding::warn(&rules::LOOPBACK, quoted(text)));
    } else if matches!(ip, Some(IpAddr::V4(ip)) if ip.octets()[..2] == [172, 17]) {
        findings.push(Finding::warn(&rules::CONTAINER_ADDRESS, quoted(text)));
    } else if ip.is_none() && !host.contains('.') {
        findings.push(Finding::warn(&rules::SHORT_NAME, quoted(text)));
    }
    let modem = kind.client == Client::Ml307;
    if modem && target.tls && target.port != 443 && kind.line >= Line::V2 {
        findings.push(Finding::fail(&rules::ML307_PORT, quoted(text)));
    }
    if modem && !target.tls && used == Use::Websocket && kind.line < Line::V1_8 {
        findings.push(Finding::fail(&rules::MODEM_NEEDS_WSS, quoted(text)));
    } else if kind.client.is_modem() && !target.tls {
        findings.push(Finding::warn(&rules::MODEM_PLAIN, quoted(text)));
    }
    findings
}

fn invalid(used: Use, text: &str) -> String {
    match used {
        Use::Websocket => "E (…) WebSocket: Invalid URI format".to_owned(),
        Use::Ota | Use::Firmware => format!("E (…) HttpClient: Invalid URL format: {text}"),
    }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIFI: Kind = Kind {
        line: Line::V2,
        client: Client::Wifi,
    };

    fn rule(text: &str, used: Use, kind: Kind) -> Option<&'static str> {
        match parse(text, used, kind) {
            Ok((_, findings)) => findings.first().map(|f| f.rule.id),
            Err(finding) => Some(finding.rule.id),
        }
    }

    #[test]
    fn addresses_come_apart_as_in_the_firmware() {
        let parsed = parse("https://h.example:8443/a/ota?b=1", Use::Ota, WIFI);
        let target = parsed.map(|(target, _)| target);
        let expected = Target {
            tls: true,
            host: "h.example".into(),
            port: 8443,
            path: "/a/ota?b=1".into(),
        };
        assert_eq!(target, Ok(expected));
        for (text, expected) in [
            ("http://h.example/xiaozhi/ota", None),
            ("HTTP://h.example/xiaozhi/ota", None),
            ("http://1", Some("no-address")),
            ("h.example/xiaozhi/ota/", Some("no-scheme")),
            ("ftp://h.example/xiaozhi/ota/", Some("unknown-scheme")),
            ("http:///xiaozhi/ota/", Some("no-host")),
            ("http://[::1]:8003/xiaozhi/ota/", Some("ipv6-literal")),
            ("http://::1/xiaozhi/ota/", Some("ipv6-literal")),
            ("http://h.example:0/xiaozhi/ota/", Some("bad-port")),
            ("http://h.example:80x/xiaozhi/ota/", Some("bad-port")),
            ("http://h.example:/xiaozhi/ota/", Some("bad-port")),
            ("http://u:p@h.example/xiaozhi/ota/", Some("user-name")),
            ("http://h.example/xiao zhi/ota/", Some("bad-character")),
            ("http://h.example", Some("not-an-ota-path")),
            ("http://127.0.0.1/xiaozhi/ota/", Some("loopback")),
            ("http://0.0.0.0/xiaozhi/ota/", Some("unspecified-address")),
            ("http://172.17.0.2/xiaozhi/ota/", Some("container-address")),
            ("http://server/xiaozhi/ota/", Some("short-name")),
        ] {
            assert_eq!(rule(text, Use::Ota, WIFI), expected, "{text}");
        }
    }

    #[test]
    fn modems_have_rules_of_their_own() {
        let ml307 = |line| Kind {
            line,
            client: Client::Ml307,
        };
        let url = "https://h.example:8003/xiaozhi/ota/";
        assert_eq!(rule(url, Use::Ota, ml307(Line::V2)), Some("ml307-port"));
        assert_eq!(rule(url, Use::Ota, ml307(Line::V1_8)), None);
        let voice = "ws://h.example:8000/xiaozhi/v1/";
        let modem_16 = ml307(Line::V1_6);
        assert_eq!(
            rule(voice, Use::Websocket, modem_16),
            Some("modem-needs-wss")
        );
        assert_eq!(rule(voice, Use::Websocket, WIFI), None);
        let colon = "wss://h.example/xiaozhi/v1/?id=aa:bb";
        assert_eq!(rule(colon, Use::Websocket, WIFI), Some("bad-port"));
        let colon = "wss://h.example:443/xiaozhi/v1/?id=aa:bb";
        assert_eq!(rule(colon, Use::Websocket, WIFI), None);
    }

    #[test]
    fn a_scheme_in_upper_case_is_taken_by_some() {
        let url = "HTTPS://h.example/xiaozhi/ota/";
        let wifi = |line| Kind {
            line,
            client: Client::Wifi,
        };
        for (line, expected) in [
            (Line::V1_6, None),
            (Line::V1_8, Some("upper-case-scheme")),
            (Line::V2, None),
        ] {
            assert_eq!(rule(url, Use::Ota, wifi(line)), expected, "{line}");
        }
    }
}
