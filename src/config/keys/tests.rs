use super::super::fault::Faults;
use super::super::resolve::tests::{good, machine};
use super::super::{raw, resolve::settings_of};
use super::*;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// Looks every key up that there is.
const WHOLE: [&str; 3] = [
    "server:\n  ip: 127.0.0.1\n  auth: {enabled: true, allowed_devices: []}\ngateway:\n  ports: [{port: 1}]\n  \
     tls: {certificates: [{cert: a, key: b}]}\n  admin: {tokens: [{name: a, role: read, token_file: f}]}\n",
    "server: {mqtt_gateway: 'h:1883'}\nmanager-api: {secret: k}\nlog: {}\ngateway:\n  tls: {mode: acme, names: [a.example.com]}\n  \
     firmware: {pin: {a: 1.0}, alias: {}}\n  proxy: {routes: {}}\n  limits: {}\n  upstream: {}\n",
    "server: {auth: {enabled: true}}\nmanager-api: {secret: k}\n",
];

#[test]
fn every_key_of_the_list_is_looked_up() {
    // That what is looked up is in the list is asserted at each look-up.
    let asked: BTreeSet<_> = WHOLE
        .into_iter()
        .flat_map(|yaml| {
            let faults = Faults::new(Path::new("c.yaml"));
            let root = raw::parse(yaml.as_bytes(), &faults).unwrap();
            settings_of(&root, &faults, &machine());
            faults.asked()
        })
        .collect();
    for key in KEYS {
        assert!(asked.contains(key.name), "nobody looks for {}", key.name);
    }
}

#[test]
fn a_default_that_is_written_changes_nothing() {
    let shown = |yaml: &str| {
        let mut settings = good(yaml);
        settings.places = good("").places;
        assert_eq!(settings.warnings, [], "{yaml}");
        format!("{settings:?}")
    };
    let mut held = 0;
    for key in KEYS {
        let Value(default) = key.default else {
            continue;
        };
        // Items have no default of their own.
        if key.name.contains("[]") {
            continue;
        }
        // A CA is asked where its section stands.
        let (before, without) = if key.name.contains(".acme.") {
            let public = "server: {ota: 'https://ota.example.com/xiaozhi/ota/'}\n";
            (public, format!("{public}gateway: {{tls: {{mode: acme}}}}"))
        } else if ["gateway.log.max_size", "gateway.log.keep"].contains(&key.name) {
            (
                "log: {log_dir: logs}\n",
                "log: {log_dir: logs}\n".to_owned(),
            )
        } else if key.name.starts_with("gateway.upstream.") {
            // It stands there as a whole, and in one section.
            let (own, section) = (
                key.name.rsplit('.').next(),
                "gateway: {upstream: {url: 'http://h:1/xiaozhi/ota/', kind: other",
            );
            let written = format!("{section}, {}: {default}}}}}", own.unwrap_or_default());
            assert_eq!(
                shown(&written),
                shown(&format!("{section}}}}}")),
                "{written}"
            );
            continue;
        } else {
            ("", String::new())
        };
        let mut yaml = before.to_owned();
        for (depth, part) in key.name.split('.').enumerate() {
            write!(yaml, "\n{}{part}:", "  ".repeat(depth)).unwrap();
        }
        assert_eq!(
            shown(&format!("{yaml} {default}")),
            shown(&without),
            "{yaml}"
        );
        held += 1;
    }
    assert!(held > 15, "{held}");
}

#[test]
fn sections_know_their_keys() {
    assert_eq!(
        of_section(""),
        [
            "server",
            "manager-api",
            "firmware_cache_ttl",
            "log",
            "gateway"
        ]
    );
    assert_eq!(of_section("gateway.ports[]"), ["port", "proxy_protocol"]);
    assert!(of_section("gateway.tls").contains(&"acme"));
    assert_eq!(of_section("gateway.firmware.pin"), [""; 0]);
    assert!(is_known("gateway.tls") && is_known("gateway.tls.certificates[].cert"));
    assert!(!is_known("gateway.t") && !is_known("server.llm") && !is_known("gateway.pin"));
    assert!(is_section("gateway.tls") && is_section("gateway.firmware.pin"));
    assert!(!is_section("gateway.ports") && !is_section("server.ip"));
}
