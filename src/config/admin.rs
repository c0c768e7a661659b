//! `gateway.admin`: where this server is watched and operated, and by whom.

use super::section::{self, Section, Text};
use super::{values, wanted};
use crate::admin::auth::Role;
use crate::admin::settings::{AdminSettings, DEFAULT_LISTEN, TokenFile};
use crate::event::event;
use crate::server::Bind;
use crate::tls::Mode;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Longest name of a token, in bytes: log lines hold it.
const LONGEST_NAME: usize = 64;

/// Reads the admin address, and the files of its tokens. `bind` has the ports of devices.
pub(super) fn admin(gateway: &Section<'_>, bind: &Bind, tls: &Mode) -> AdminSettings {
    let section = gateway.section("admin");
    section.only_known();
    let listen = section.read("listen", wanted::ADMIN_LISTEN, listen);
    let settings = AdminSettings {
        listen: match listen {
            None => Some(DEFAULT_LISTEN),
            Some(Listen::Off) => None,
            Some(Listen::At(address)) => Some(address),
        },
        names: names(&section),
        tokens: tokens(&section),
    };
    let Some(address) = settings.listen else {
        return settings;
    };
    let about = || section.about("listen").value(section.text("listen"));
    let mode = gateway.section("tls");
    if *tls == Mode::Off && !address.ip().is_loopback() {
        let about = about().beside(&mode.about("mode"));
        about.fault(event!(CONFIG_ADMIN_IN_CLEAR));
    }
    let is_theirs = |ip: Option<IpAddr>| {
        ip.is_none_or(|ip| {
            ip.is_unspecified() || address.ip().is_unspecified() || ip == address.ip()
        })
    };
    let port = address.port();
    if port > 0 && bind.numbers().contains(&port) && is_theirs(bind.ip) && section.has("listen") {
        let about = about().beside(&gateway.about("ports"));
        about.fault(event!(CONFIG_ADMIN_PORT, port = port));
    }
    settings
}

/// Value of `gateway.admin.listen`.
enum Listen {
    Off,
    At(SocketAddr),
}

/// Reads `off`, an address with its port, or a port alone, which is loopback's.
fn listen(text: &str) -> Option<Listen> {
    // YAML 1.1 makes a boolean of `off`, and 0 is a port.
    if text != "0" && values::boolean(text) == Some(false) {
        return Some(Listen::Off);
    }
    let loopback = |port: u16| Listen::At((Ipv4Addr::LOCALHOST, port).into());
    // A port that begins with 0 is octal to YAML 1.1.
    let is_cut = text.len() > 1 && text.starts_with('0') && !text.contains(['.', ':']);
    if let Some(port) = section::port(text).filter(|_| !is_cut) {
        return Some(loopback(port));
    }
    match text.rsplit_once(':') {
        Some((host, port)) if host.eq_ignore_ascii_case("localhost") => {
            let is_number = port.bytes().all(|b| b.is_ascii_digit());
            let port = port.parse().ok().filter(|_| is_number)?;
            Some(loopback(port))
        }
        _ => text.parse().ok().map(Listen::At),
    }
}

/// Reads the names by which it may be asked for.
fn names(section: &Section<'_>) -> Vec<String> {
    let given = section.texts("names").unwrap_or_default();
    let name = |given: &Text<'_>| {
        let text = given.text().trim().trim_end_matches('.');
        let name = text.trim_start_matches('[').trim_end_matches(']');
        let is_ip = name.parse::<IpAddr>().is_ok();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let is_name = !text.is_empty() && text.len() <= 253 && text.chars().all(plain);
        if !is_ip && !is_name {
            let event = event!(CONFIG_VALUE, wanted = wanted::ADMIN_NAME);
            given.about().fault(event);
            return None;
        }
        Some(name.to_ascii_lowercase())
    };
    given.iter().filter_map(name).collect()
}

/// Reads which tokens there are. Their files are read at the start.
fn tokens(section: &Section<'_>) -> Vec<TokenFile> {
    let mut tokens = Vec::<TokenFile>::new();
    for item in section.sections("tokens") {
        item.only_known();
        for (key, wanted) in [
            ("name", wanted::ADMIN_TOKEN_NAME),
            ("role", wanted::ADMIN_ROLE),
            ("token_file", wanted::ADMIN_TOKEN_FILE),
        ] {
            if !item.has(key) {
                item.fault(key, None, event!(CONFIG_MISSING, wanted = wanted));
            }
        }
        let name = item.read("name", wanted::ADMIN_TOKEN_NAME, |text| {
            let is_fit = text.len() <= LONGEST_NAME && !text.contains(char::is_control);
            let is_new = tokens.iter().all(|known| known.name != text);
            (is_fit && is_new).then(|| text.to_owned())
        });
        let role = item.read("role", wanted::ADMIN_ROLE, Role::parse);
        let file = item.path("token_file");
        if let (Some(name), Some(role), Some(file)) = (name, role, file) {
            tokens.push(TokenFile { name, role, file });
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::super::resolve::tests::{faults, good};
    use super::*;

    fn bad(yaml: &str) -> String {
        faults(yaml).join("\n")
    }

    #[test]
    fn where_it_listens() {
        for (text, address) in [
            ("127.0.0.1:8009", Some("127.0.0.1:8009")),
            ("9000", Some("127.0.0.1:9000")),
            ("0", Some("127.0.0.1:0")),
            ("localhost:9000", Some("127.0.0.1:9000")),
            ("'[::1]:8009'", Some("[::1]:8009")),
            ("0.0.0.0:8009", Some("0.0.0.0:8009")),
            ("127.0.0.1:0", Some("127.0.0.1:0")),
            ("off", None),
            ("\"off\"", None),
            ("false", None),
            ("no", None),
        ] {
            let settings = good(&format!("gateway: {{admin: {{listen: {text}}}}}"));
            let found = settings.admin.listen.map(|address| address.to_string());
            assert_eq!(found.as_deref(), address, "{text}");
        }
        assert_eq!(good("").admin, AdminSettings::default());
        assert_eq!(good("gateway: {admin: {}}").admin, AdminSettings::default());
    }

    #[test]
    fn what_it_takes_beside_that() {
        let settings = good(
            "gateway:\n  admin:\n    names: [Ota.Example.com, '[fd00::7]', 192.168.1.5]\n    \
             tokens: [{name: grafana, role: read, token_file: t/a}, {name: me, role: operate, token_file: /b}]\n",
        );
        let admin = settings.admin;
        assert_eq!(admin.names, ["ota.example.com", "fd00::7", "192.168.1.5"]);
        let tokens = admin.tokens.iter();
        let tokens: Vec<_> = tokens
            .map(|token| {
                (
                    token.name.as_str(),
                    token.role,
                    token.file.to_str().unwrap(),
                )
            })
            .collect();
        let expected = [("grafana", Role::Read, "t/a"), ("me", Role::Operate, "/b")];
        assert_eq!(tokens, expected);
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (admin, words) in [
            ("listen: true", "gateway.admin.listen: \"true\": write"),
            ("listen: 70000", "gateway.admin.listen: \"70000\""),
            ("listen: '08009'", "gateway.admin.listen: \"08009\""),
            ("listen: '::1'", "gateway.admin.listen: \"::1\""),
            (
                "listen: 'localhost:'",
                "gateway.admin.listen: \"localhost:\"",
            ),
            ("listen: 'http://127.0.0.1:8009'", "gateway.admin.listen"),
            ("listen: 'ota.lan:8009'", "gateway.admin.listen"),
            (
                "listen: 8003",
                "gateway.admin.listen: \"8003\": devices come to port 8003",
            ),
            ("names: ['https://a.lan']", "gateway.admin.names[0]"),
            ("names: ['a.lan:8009']", "gateway.admin.names[0]"),
            (
                "tokens: [{name: a, role: admin, token_file: f}]",
                "gateway.admin.tokens[0].role: \"admin\": write read",
            ),
            (
                "tokens: [{role: read, token_file: f}]",
                "gateway.admin.tokens[0].name: missing",
            ),
            (
                "tokens: [{name: a, token_file: f}]",
                "gateway.admin.tokens[0].role: missing",
            ),
            (
                "tokens: [{name: a, role: read}]",
                "gateway.admin.tokens[0].token_file: missing",
            ),
            (
                "tokens: [{name: a, role: read, token_file: f}, {name: a, role: read, token_file: g}]",
                "gateway.admin.tokens[1].name: \"a\"",
            ),
            (
                "tokens: [{name: a, role: read, token: f}]",
                "gateway.admin.tokens[0].token",
            ),
            ("tokens: secret", "gateway.admin.tokens"),
            ("listne: 1", "gateway.admin.listne"),
        ] {
            let found = bad(&format!("gateway: {{admin: {{{admin}}}}}"));
            assert!(found.contains(words), "{admin}: {found}");
        }
    }

    #[test]
    fn no_token_goes_over_the_wire_in_clear() {
        for listen in ["0.0.0.0:8009", "192.168.1.5:8009", "'[::]:8009'"] {
            let yaml = format!("gateway:\n  tls: {{mode: off}}\n  admin: {{listen: {listen}}}\n");
            let found = bad(&yaml);
            assert!(
                found.contains("c.yaml:3: gateway.admin.listen")
                    && found.contains("gateway.tls.mode stands at c.yaml:2"),
                "{found}"
            );
            good(&format!("gateway: {{admin: {{listen: {listen}}}}}"));
        }
        good("gateway: {tls: {mode: off}, admin: {listen: '[::1]:8009'}}");
    }
}
