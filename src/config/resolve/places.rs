//! Each message names the line of its key.

use super::super::raw;
use super::tests::machine;
use super::*;
use crate::event::Value;
use proptest::prelude::*;
use std::path::Path;

/// Returns every message, with its place.
fn said(yaml: &str) -> Vec<ConfigFault> {
    let faults = Faults::new(Path::new("c.yaml"));
    match raw::parse(yaml.as_bytes(), &faults) {
        Err(faults) => faults.0,
        Ok(root) => match resolve(root, faults, &machine()) {
            Ok(settings) => settings.warnings,
            Err(faults) => faults.0,
        },
    }
}

/// Files, each with the key that is told of; the line is that of the mark.
const FAULTY: &[(&str, &str)] = &[
    ("server:\n\n  ip: nowhere #!\n", "server.ip"),
    ("server:\n  auth: #!\n    - x\n", "server.auth"),
    (
        "server:\n  llm: 1\n  auth:\n    enable: on #!\n",
        "server.auth.enable",
    ),
    ("gatway: {} #!\n", "gatway"),
    ("a: 1\ngateway:\n  # ports\n  port: 1 #!\n", "gateway.port"),
    (
        "gateway:\n  admin:\n    listen: nowhere #!\n",
        "gateway.admin.listen",
    ),
    ("gateway:\n  ip: #!\n  ports: [1]\n", "gateway.ip"),
    (
        "gateway:\n  ports:\n  - 1\n\n  - 70000 #!\n",
        "gateway.ports[1]",
    ),
    (
        "gateway:\n  ports: [1,\n    {port: x}] #!\n",
        "gateway.ports[1].port",
    ),
    (
        "gateway:\n  ports:\n  - port: 1\n    proxy: on #!\n",
        "gateway.ports[0].proxy",
    ),
    (
        "gateway:\n  ports:\n  - 1\n  -\n    proxy_protocol: on #!\n",
        "gateway.ports[1].port",
    ),
    ("gateway:\n  ports: [] #!\n", "gateway.ports"),
    (
        "gateway:\n  behind_proxy:\n  - 10.0.0.0/8\n  - nginx #!\n",
        "gateway.behind_proxy[1]",
    ),
    (
        "gateway:\n  behind_proxy: [10.0.0.1,\n    0.0.0.0/0] #!\n",
        "gateway.behind_proxy[1]",
    ),
    (
        "gateway:\n  tls:\n    certificates:\n    - cert: a\n      key: b\n    - cert: c #!\n",
        "gateway.tls.certificates[1].key",
    ),
    (
        "gateway:\n  tls:\n    names:\n    - a.b\n    - 'http://h' #!\n",
        "gateway.tls.names[1]",
    ),
    ("gateway:\n  tls:\n    mode: maybe #!\n", "gateway.tls.mode"),
    (
        "gateway:\n  tls:\n    acme:\n      email: me #!\n      challenge: http-01\n    names: [a.example.com]\n",
        "gateway.tls.acme.email",
    ),
    (
        "gateway:\n  firmware:\n    pin:\n      a: 1.0\n      a.b: newest #!\n",
        "gateway.firmware.pin.a.b",
    ),
    (
        "gateway:\n  firmware: {pin: {},\n    projects: [one]} #!\n",
        "gateway.firmware.projects",
    ),
    (
        "gateway:\n  proxy:\n    routes:\n      /a: http://h:1\n      /b/: ftp://h #!\n",
        "gateway.proxy.routes./b/",
    ),
    (
        "gateway:\n  limits:\n    idle: 0 #!\n",
        "gateway.limits.idle",
    ),
    ("firmware_cache_ttl: soon #!\n", "firmware_cache_ttl"),
    ("log:\n  log_level: loud #!\n", "log.log_level"),
    (
        "server:\n  auth:\n    enabled: on #!\n",
        "server.auth.enabled",
    ),
    (
        "server:\n  auth: {enabled: on}\n  auth_key: ${KEY} #!\n",
        "server.auth_key",
    ),
    (
        "x: &x\n  idle: 0 #!\ngateway:\n  limits: *x\n",
        "gateway.limits.idle",
    ),
    (
        "x: &x\n  idle: 0 #!\ngateway:\n  limits:\n    <<: *x\n    drain: 1s\n",
        "gateway.limits.idle",
    ),
    (
        "x: &x 0\ngateway:\n  limits:\n    idle: *x #!\n",
        "gateway.limits.idle",
    ),
    (
        "x: &x 0\ngateway:\n  ports:\n  - 1\n  - &y x #!\n",
        "gateway.ports[1]",
    ),
    ("a:\n- b\n- '<<': {} #!\n", "<<"),
    ("base: &base {auth: 1}\nserver:\n  <<: base #!\n", "<<"),
    (
        "base: &base {auth: 1}\nserver:\n  <<: [*base, base] #!\n",
        "<<",
    ),
    ("server:\n  ip: 127.0.0.1\n  ip: 0.0.0.0 #!\n", "server.ip"),
    ("gateway: {}\nserver: {}\ngateway: {} #!\n", "gateway"),
    ("a: 1\nb: c: d #!\n", ""),
    ("a: 1\n# one\n# \u{7} #!\n", ""),
    ("# one\n---\na: 1\n--- #!\nb: 1\n", ""),
    ("a: 1\nb: \"\\q\" #!\n", ""),
];

#[test]
fn each_message_names_the_line_of_its_key() {
    for (yaml, key) in FAULTY {
        let line = yaml.lines().position(|line| line.ends_with("#!"));
        let line = line.map(|before| before + 1);
        let said = said(yaml);
        assert!(!said.is_empty(), "{yaml}");
        for fault in said {
            let named = match fault.event.field("key") {
                Some(Value::Text(named)) => named,
                _ => "",
            };
            assert_eq!((fault.place.line, named), (line, *key), "{yaml}: {fault}");
            let begin = format!("c.yaml:{}: {key}", line.unwrap_or_default());
            assert!(fault.to_string().starts_with(&begin), "{yaml}: {fault}");
        }
    }
}

#[test]
fn a_clash_names_both_keys() {
    let tls = "server: {vision_explain: 'https://h.com/mcp/vision/explain'}\n";
    for (yaml, words) in [
        (
            "gateway:\n  ports:\n  - 8003\n  - port: 8003\n".to_owned(),
            "c.yaml:4: gateway.ports[1]: \"8003\": listed twice (gateway.ports[0] stands at c.yaml:3): write",
        ),
        (
            "gateway:\n  proxy:\n    websocket: http://h:1\n    routes:\n      /xiaozhi/v1: http://h:2\n".to_owned(),
            "c.yaml:5: gateway.proxy.routes./xiaozhi/v1: \"http://h:2\": /xiaozhi/v1 goes by gateway.proxy.websocket already \
             (gateway.proxy.websocket stands at c.yaml:3)",
        ),
        (
            "gateway:\n  ports: [8000]\n  proxy:\n    websocket: http://127.0.0.1:8000\n".to_owned(),
            "round in circles (gateway.ports stands at c.yaml:2): give",
        ),
        (
            "server:\n  http_port: 8000\ngateway:\n  proxy:\n    websocket: http://127.0.0.1:8000\n".to_owned(),
            "round in circles (server.http_port stands at c.yaml:2): give",
        ),
        (
            format!("{tls}gateway:\n  http_fallback: off\n  tls:\n    mode: off\n"),
            "c.yaml:3: gateway.http_fallback: \"off\": plain HTTP is over and gateway.tls.mode is off, so that nobody could \
             connect (gateway.tls.mode stands at c.yaml:5): set one",
        ),
        (
            format!("{tls}gateway:\n  http_fallback: off\n  behind_proxy: on\n"),
            "(gateway.behind_proxy stands at c.yaml:4)",
        ),
        (
            "server:\n  ota: http://h.com/xiaozhi/ota/\ngateway:\n  http_fallback: off\n".to_owned(),
            "(server.ota stands at c.yaml:2): give server.ota",
        ),
        (
            "server:\n  ota: https://h.lan/xiaozhi/ota/\ngateway:\n  tls:\n    mode: acme\n".to_owned(),
            "c.yaml:5: gateway.tls.mode: \"h.lan\": mode acme takes the public address's host as the name, and no public CA gives a \
             certificate for this one (server.ota stands at c.yaml:2)",
        ),
        (
            "gateway:\n  tls:\n    acme: {}\n    mode: off\n".to_owned(),
            "c.yaml:3: gateway.tls.acme: is not used, for gateway.tls.mode is off (gateway.tls.mode stands at c.yaml:4)",
        ),
    ] {
        let said: Vec<_> = said(&yaml).iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|s| s.contains(words)), "{yaml}: {said:?}");
    }
}

#[test]
fn what_is_found_later_finds_its_line() {
    let yaml = "server:\n  ip: 0.0.0.0\ngateway:\n  tls:\n    certificates:\n    - cert: a\n      key: b\n    - cert: c\n      key: d\n  \
                ports: [1]\n";
    let faults = Faults::new(Path::new("c.yaml"));
    let root = raw::parse(yaml.as_bytes(), &faults).unwrap();
    let places = resolve(root, faults, &machine()).unwrap().places;
    for (key, place) in [
        ("gateway.tls.certificates[1]", "c.yaml:8"),
        ("gateway.tls.certificates[1].key", "c.yaml:9"),
        ("gateway.tls.certificates[7]", "c.yaml:5"),
        ("gateway.tls.mode", "c.yaml:4"),
        ("server.vision_explain", "c.yaml:1"),
        ("gateway.ports", "c.yaml:10"),
        ("firmware_cache_ttl", "c.yaml"),
    ] {
        assert_eq!(places.place(key).to_string(), place, "{key}");
    }
    assert!(!format!("{places:?}").contains("0.0.0.0"));
}

/// Lines as an operator may write them, at any depth and in any order.
fn lines() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "server:",
        "gateway:",
        "auth:",
        "enabled:",
        "auth_key: HUSH",
        "ports:",
        "- 1",
        "- port: 2",
        "tls:",
        "mode:",
        "off",
        "'off'",
        "certificates:",
        "- cert: a",
        "names: [a, b]",
        "acme:",
        "<<: *x",
        "'<<': *x",
        "&x",
        "*x",
        "limits: {idle: 0}",
        "ip: ~",
        "# HUSH",
        "proxy:",
        "routes: {/a: http://h}",
        "firmware:",
        "pin: {a: 1}",
        "[",
        "}",
        "|",
        "? a",
        "!!str 1",
        "allowed_devices: [1, b]",
    ]);
    let line = (0..4_usize, prop::collection::vec(word, 1..3));
    let line =
        line.prop_map(|(depth, words)| format!("{}{}\n", "  ".repeat(depth), words.join(" ")));
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn whatever_is_written_is_judged(yaml in lines()) {
        for fault in said(&yaml) {
            let line = fault.place.line.unwrap_or(1);
            prop_assert!((1..=yaml.lines().count().max(1)).contains(&line), "{}: {}", yaml, fault);
            prop_assert!(!fault.to_string().contains("HUSH"), "{}: {}", yaml, fault);
        }
    }
}
