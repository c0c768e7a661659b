use super::super::raw;
use super::*;
use crate::ota::decide::DefaultFor;
use crate::tls::acme::{Challenge, LETS_ENCRYPT};
use std::path::Path;
use std::time::Duration;
use tracing::Level;

pub(crate) fn machine() -> Machine {
    Machine {
        bound: None,
        local_ip: IpAddr::from([192, 168, 1, 100]),
        addresses: vec![IpAddr::from([192, 168, 1, 100])],
        names: Vec::new(),
        now: "2026-06-15T12:00:00Z".parse().unwrap_or_default(),
        time_zone: TimeZone::UTC,
        zone_doubt: None,
        memory: Memory::default(),
        state: "data/state".into(),
    }
}

fn lines(faults: &ConfigFaults) -> Vec<String> {
    faults.0.iter().map(ToString::to_string).collect()
}

pub(crate) fn read(yaml: &str) -> Result<Settings, Vec<String>> {
    let faults = Faults::new(Path::new("c.yaml"));
    let root = raw::parse(yaml.as_bytes(), &faults).map_err(|faults| lines(&faults))?;
    resolve(root, faults, &machine()).map_err(|faults| lines(&faults))
}

pub(crate) fn good(yaml: &str) -> Settings {
    read(yaml).unwrap_or_else(|faults| panic!("{yaml}: {faults:?}"))
}

pub(crate) fn faults(yaml: &str) -> Vec<String> {
    read(yaml)
        .err()
        .unwrap_or_else(|| panic!("accepted: {yaml}"))
}

#[test]
fn nothing_is_needed() {
    let s = good("");
    assert_eq!((s.bind.ip, s.bind.numbers()), (None, vec![8003, 8443]));
    assert_eq!(s.public.ota_url(), "http://192.168.1.100:8003/xiaozhi/ota/");
    assert_eq!(
        s.websocket_url().as_deref(),
        Some("ws://192.168.1.100:8000/xiaozhi/v1/")
    );
    assert_eq!(
        (s.timezone_offset, s.memory, s.catalogue.ttl.as_secs()),
        (480, 256 << 20, 30)
    );
    assert!(s.warnings.is_empty() && s.log.file.is_none());
    let Mode::SelfSigned { names, .. } = s.tls else {
        panic!("another kind")
    };
    assert_eq!(names, ["192.168.1.100", "localhost", "127.0.0.1", "::1"]);
}

#[test]
fn xiaozhi_servers_keys_are_honoured() {
    let s = good(
        "server:\n  ip: 0.0.0.0\n  port: 9000\n  http_port: 8004\n  timezone_offset: +8\n  auth_key: 你的密钥\n  \
         vision_explain: http://你的ip或者域名:端口号/mcp/vision/explain\n  websocket: ws://你的ip或者域名:端口号/xiaozhi/v1/\n  \
         mqtt_gateway: null\nfirmware_cache_ttl: 60\nlog: {log_level: WARNING, log_dir: tmp}\nprompt: |\n  hello\n",
    );
    assert_eq!(s.bind.numbers(), [8004, 8443]);
    assert_eq!(s.public.ota_url(), "http://192.168.1.100:8004/xiaozhi/ota/");
    assert_eq!(
        s.websocket_url().as_deref(),
        Some("ws://192.168.1.100:9000/xiaozhi/v1/")
    );
    assert_eq!((s.catalogue.ttl.as_secs(), s.log.level), (60, Level::WARN));
    assert_eq!(s.log.file, Some("tmp/server.log".into()));
    assert!(matches!(s.voice, Voice::WebSocket { auth: None, .. }));
    let s = good("server: {mqtt_gateway: 'h:1883', timezone_offset: -3.5}");
    assert!(matches!(
        s.voice,
        Voice::Mqtt {
            signature_key: None,
            ..
        }
    ));
    assert_eq!(s.timezone_offset, -210);
}

#[test]
fn the_gateway_section_overrides() {
    let s = good(
        "server: {ip: 127.0.0.1, http_port: 8004, vision_explain: 'https://h.com/edge/mcp/vision/explain'}\n\
         gateway:\n  ip: 0.0.0.0\n  ports: [8003, 443]\n  http_fallback: 2026-06-15\n  behind_proxy: yes\n  \
         tls: {certificates: [{cert: a.pem, key: a.key}, {cert: b.pem, key: b.key}]}\n  \
         firmware: {dir: fw, default_for: unreported, pin: {esp32s3: 1.10}, memory: 0}\n  \
         limits: {connections: 100, handshake: 5s, headers: 6, idle: 500ms, drain: 1m}\n",
    );
    assert_eq!(
        (s.bind.ip, s.bind.numbers()),
        (Some(IpAddr::from([0, 0, 0, 0])), vec![8003, 443])
    );
    assert!(matches!(&s.tls, Mode::Files(pairs) if pairs.len() == 2));
    assert_eq!(s.policy.pins["esp32s3"].as_str(), "1.10");
    assert_eq!(
        (s.policy.default_for, s.memory),
        (DefaultFor::Unreported, 0)
    );
    assert_eq!(
        (s.limits.connections, s.limits.idle),
        (100, Duration::from_millis(500))
    );
    // To the end of that day.
    let at = |text: &str| {
        text.parse::<Timestamp>()
            .map_or(std::time::UNIX_EPOCH, Into::into)
    };
    assert!(s.plain_http.allowed(at("2026-06-15T23:59:59Z")));
    assert!(!s.plain_http.allowed(at("2026-06-16T00:00:00Z")));
}

#[test]
fn a_certificate_is_ordered_for_the_public_host_or_the_names() {
    let s =
        good("server: {ota: 'https://OTA.example.com/xiaozhi/ota/'}\ngateway: {tls: {mode: acme}}");
    let Mode::Acme(acme) = s.tls else {
        panic!("another kind")
    };
    assert_eq!(acme.names, ["ota.example.com"]);
    assert_eq!(
        (acme.directory.as_str(), acme.challenge),
        (LETS_ENCRYPT, Challenge::TlsAlpn01)
    );
    let s = good(
        "gateway:\n  tls:\n    names: [a.lan, 10.0.0.1]\n    acme: {email: me@a.lan, directory: 'https://ca.lan/dir', challenge: http-01, root: ca.pem}\n",
    );
    let Mode::Acme(acme) = s.tls else {
        panic!("another kind")
    };
    assert_eq!(acme.names, ["a.lan", "10.0.0.1"]);
    assert_eq!(
        (acme.challenge, acme.root),
        (Challenge::Http01, Some("ca.pem".into()))
    );
    let s = good("gateway: {tls: {mode: off, acme: {email: me@example.com}}}");
    assert!(matches!(s.tls, Mode::Off) && s.warnings.len() == 1);
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    for (yaml, words) in [
        ("server: 5", "server: must be a mapping"),
        (
            "server: {http_port: 80000}",
            "server.http_port: \"80000\": write a port",
        ),
        (
            "server: {http_port: [1]}",
            "server.http_port: must be a plain value",
        ),
        ("server: {ip: nowhere}", "server.ip: \"nowhere\""),
        (
            "server: {timezone_offset: 99}",
            "server.timezone_offset: \"99\"",
        ),
        (
            "server: {vision_explain: 'ftp://h/mcp/vision/explain'}",
            "scheme must be http or https",
        ),
        (
            "server: {ota: 'h.com/xiaozhi/ota/'}",
            "server.ota: \"h.com/xiaozhi/ota/\": it has no scheme",
        ),
        ("server: {auth: {enabled: true}}", "server.auth_key"),
        ("firmware_cache_ttl: soon", "firmware_cache_ttl: \"soon\""),
        ("log: {log_level: loud}", "log.log_level: \"loud\""),
        ("gateway: {port: [1]}", "did you mean `ports`?"),
        (
            "gateway: {sorts: 1, x: 1}",
            "c.yaml:1: gateway.x: no such key: write one of ip, ports",
        ),
        (
            "gateway: {ports: [8003, 65536]}",
            "gateway.ports[1]: \"65536\"",
        ),
        ("gateway: {ports: [8003, 8003]}", "listed twice"),
        ("gateway: {ports: []}", "gateway.ports: the list is empty"),
        (
            "gateway: {http_fallback: never}",
            "gateway.http_fallback: \"never\"",
        ),
        (
            "server: {ota: 'http://h.com/'}\ngateway: {http_fallback: false}",
            "devices would be handed what is not served",
        ),
        (
            "gateway: {http_fallback: 2026-06-14, behind_proxy: true}",
            "devices would be handed what is not served",
        ),
        ("gateway: {tls: {mode: files}}", "names no file"),
        (
            "gateway: {tls: {certificates: [{cert: a.pem, key: ''}]}}",
            "gateway.tls.certificates[0].key: missing",
        ),
        (
            "gateway: {tls: {certificates: [{cert: a.pem}]}}",
            "gateway.tls.certificates[0].key: missing",
        ),
        (
            "gateway: {tls: {names: ['https://h']}}",
            "host names and IP addresses only",
        ),
        (
            "gateway: {firmware: {pin: {a: newest}}}",
            "gateway.firmware.pin.a: \"newest\"",
        ),
        (
            "gateway: {firmware: {memory: lots}}",
            "gateway.firmware.memory: \"lots\"",
        ),
        ("gateway: {limits: {idle: 0}}", "gateway.limits.idle: \"0\""),
        (
            "gateway: {limits: {idle: ''}}",
            "gateway.limits.idle: \"\": it is empty",
        ),
        ("gateway: {ip: ' '}", "gateway.ip: \"\": it is empty"),
        ("gateway: {ip: }", "gateway.ip: \"\": it is empty"),
        (
            "gateway: {firmware: {pin: {a: }}}",
            "gateway.firmware.pin.a: write the version",
        ),
    ] {
        let found = faults(yaml);
        assert!(found.iter().any(|f| f.contains(words)), "{yaml}: {found:?}");
    }
}

#[test]
fn what_means_something_else_than_it_seems_is_refused_by_name() {
    for (yaml, words) in [
        (
            "x: &x {a: 1}\nserver: {'<<': *x}",
            "c.yaml:2: <<: in quotes it merges nothing",
        ),
        (
            "server:\n  mqtt_gateway: 'null'",
            "c.yaml:2: server.mqtt_gateway: \"null\": in quotes it is the name of a host",
        ),
        (
            "server: {http_port: '0x1f43'}",
            "server.http_port: \"0x1f43\": write a port",
        ),
        (
            "gateway: {firmware: {dir: 'https://ota.example.com/bin'}}",
            "gateway.firmware.dir: \"https://ota.example.com/bin\": this is an address",
        ),
        (
            "gateway: {tls: {names: [xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.com]}}",
            "host names and IP addresses only",
        ),
        (
            "gateway: {'tls:hush': 1}",
            "gateway.tls:***: no blank stands behind",
        ),
    ] {
        let found = faults(yaml);
        assert!(found.iter().any(|f| f.contains(words)), "{yaml}: {found:?}");
    }
}

#[test]
fn an_address_that_devices_misread_is_refused_by_name() {
    for (yaml, words) in [
        ("server: {websocket: 'http://h/'}", "ws or wss"),
        (
            "server: {vision_explain: 'http://[fd00::7]:8003/mcp/vision/explain'}",
            "server.vision_explain: \"http://[fd00::7]:8003/mcp/vision/explain\": \"[fd00::7]:8003\" is an IPv6 address",
        ),
        (
            "server: {websocket: 'ws://192.168.1.4:端口号/xiaozhi/v1/'}",
            "\"端口号\" is no number, and abort whenever",
        ),
        (
            "server: {websocket: 'ws://192.168.1:4:8015/'}",
            "read 4 from \"4:8015\", which is no port from 1 to 65535 as it stands, so that devices are mute; write",
        ),
        (
            "server: {mqtt_gateway: 'mqtt://192.168.1.7:1883'}",
            "\"//192.168.1.7:1883\" is no number, and abort when they start MQTT, at every boot; take the scheme",
        ),
        (
            "server: {mqtt_gateway: '[fd00::7]:1883'}",
            "server.mqtt_gateway: \"[fd00::7]:1883\": \"[fd00::7]:1883\" is an IPv6 address",
        ),
    ] {
        let found = faults(yaml);
        assert!(found.iter().any(|f| f.contains(words)), "{yaml}: {found:?}");
    }
}

#[test]
fn plain_http_may_end_behind_a_proxy_that_can_say_who_came_over_https() {
    let ended = "server: {vision_explain: 'https://h.com/mcp/vision/explain'}\ngateway: {http_fallback: false, ";
    let s = good(&format!("{ended}behind_proxy: true}}"));
    assert_eq!(s.warnings[0].event.kind.id, "config.proxy-over-http");
    let listed = good(&format!(
        "{ended}behind_proxy: 10.0.0.1, tls: {{mode: off}}}}"
    ));
    assert!(listed.warnings.is_empty(), "{:?}", listed.warnings);
    let found = faults(&format!("{ended}behind_proxy: true, tls: {{mode: off}}}}"));
    assert!(found[0].contains("nobody could connect"), "{found:?}");
}

#[test]
fn what_no_ca_would_give_is_refused_by_name() {
    for (yaml, words) in [
        (
            "gateway: {tls: {mode: acme}}",
            "gateway.tls.mode: \"192.168.1.100\": mode acme takes the public address's host",
        ),
        (
            "gateway: {tls: {mode: acme, names: [gateway]}}",
            "gateway.tls.names[0]: \"gateway\": no public CA",
        ),
        (
            "gateway: {tls: {mode: acme, names: ['*.example.com']}}",
            "a wildcard",
        ),
        (
            "gateway: {tls: {acme: {directory: 'http://ca.lan/dir'}}}",
            "gateway.tls.acme.directory: \"http://ca.lan/dir\"",
        ),
        (
            "gateway: {tls: {acme: {challenge: dns-01}}}",
            "gateway.tls.acme.challenge: \"dns-01\": write tls-alpn-01 or http-01",
        ),
        ("gateway: {tls: {acme: {mail: x}}}", "did you mean `email`?"),
        (
            "gateway: {tls: {acme: {email: me}}}",
            "gateway.tls.acme.email: \"me\"",
        ),
    ] {
        let found = faults(yaml);
        assert!(found.iter().any(|f| f.contains(words)), "{yaml}: {found:?}");
    }
}

#[test]
fn every_fault_is_told_at_once() {
    let found = faults("server: {http_port: x, port: y}\ngateway: {ports: z, limits: {drain: w}}");
    assert_eq!(found.len(), 4, "{found:?}");
}

#[test]
fn a_secret_is_in_no_message_and_no_debug() {
    let s =
        good("server: {auth_key: hush-hush, auth: {enabled: on}, mqtt_signature_key: hush-hush}");
    assert!(!format!("{s:?}").contains("hush"));
    let found = faults("server: {auth_key: [hush-hush], auth: {enabled: on}}");
    assert!(!found.concat().contains("hush"), "{found:?}");
}

#[test]
fn a_password_in_an_address_is_in_no_message() {
    for yaml in [
        "server: {ota: 'https://me:hush-hush@h/xiaozhi/ota/'}",
        "server: {vision_explain: 'https://h/mcp/vision/explain?token=hush-hush'}",
        "server: {websocket: 'ws://me:hush-hush@h:8000/'}",
        "server: {websocket: 'ws://h/xiaozhi/v1/?token=hush-hush:1'}",
        "server: {mqtt_gateway: 'me:hush-hush@h:1883'}",
        "gateway: {proxy: {websocket: 'http://me:hush-hush@h:8000'}}",
        "gateway: {proxy: {routes: {/x: 'ftp://me:hush-hush@h:8000'}}}",
        "gateway: {tls: {acme: {directory: 'https://me:hush-hush@ca/dir'}}}",
        "gateway: {tls: {certificates: [{cert: a.pem, key: '-----BEGIN PRIVATE KEY----- hush'}]}}",
        "gateway: {tls: {mode: '-----BEGIN PRIVATE KEY----- hush'}}",
    ] {
        let found = faults(yaml).concat();
        assert!(!found.contains("hush"), "{yaml}: {found}");
    }
}

#[test]
fn a_key_that_the_world_knows_is_none() {
    for (yaml, key) in [
        (
            "server: {auth: {enabled: on}, auth_key: '${AUTH_KEY}'}",
            "server.auth_key",
        ),
        (
            "server: {auth: {enabled: on}, auth_key: 'ENC[AES256_GCM,data:x]'}",
            "server.auth_key",
        ),
        (
            "server: {auth: {enabled: on}}\nmanager-api: {secret: '{{ secret }}'}",
            "manager-api.secret",
        ),
        (
            "server: {mqtt_gateway: 'h:1883', mqtt_signature_key: your-signature-key}",
            "server.mqtt_signature_key",
        ),
    ] {
        let found = faults(yaml);
        assert!(
            found.len() == 1 && found[0].contains(&format!(": {key}: ")),
            "{yaml}: {found:?}"
        );
    }
    // Nothing is signed with these.
    good("server: {auth_key: '${AUTH_KEY}', mqtt_signature_key: '${KEY}'}");
    good("server: {mqtt_gateway: 'h:1883', auth: {enabled: on}, auth_key: '${AUTH_KEY}'}");
}

#[test]
fn a_section_that_stands_twice_is_refused_and_a_key_named() {
    for (yaml, words) in [
        (
            "gateway: {ip: 127.0.0.1}\nserver: {}\ngateway:\n  ports: [8003]\n",
            "gateway: it is written more than once (lines 1 and 3)",
        ),
        (
            "server:\n  auth: {enabled: on}\n  auth_key: k\nserver:\n  ip: 0.0.0.0\n",
            "server: it is written more than once (lines 1 and 4)",
        ),
        (
            "server:\n  auth: {enabled: on}\n  auth_key: k\n  auth:\n",
            "server.auth: it is written more than once (lines 2 and 4)",
        ),
        (
            "manager-api: {secret: k}\nmanager-api:\n",
            "manager-api: it is written",
        ),
        (
            "gateway:\n  tls: {mode: off}\n  tls: {}\n",
            "gateway.tls: it is written more than once (lines 2 and 3)",
        ),
        (
            "gateway:\n  proxy: {routes: {}, routes: {}}\n",
            "gateway.proxy.routes: it is written",
        ),
        (
            "gateway: {}\n'gateway': {}\n\"gateway\": {}\n",
            "(lines 1, 2 and 3)",
        ),
    ] {
        let found = faults(yaml);
        assert!(found.iter().any(|f| f.contains(words)), "{yaml}: {found:?}");
    }
    let s = good(
        "server:\n  ip: 127.0.0.1\n  llm: a\n  ip: 0.0.0.0\n  llm: b\nx: 1\nx: 2\ngateway: {ports: [1], ports: [2]}\n",
    );
    assert_eq!(
        (s.bind.ip, s.bind.numbers()),
        (Some(IpAddr::from([0, 0, 0, 0])), vec![2])
    );
    assert_eq!(s.warnings.len(), 2, "{:?}", s.warnings);
    assert!(s.warnings[0].to_string().starts_with(
        "c.yaml:4: server.ip: it is written more than once (lines 2 and 4): the last one counts"
    ));
}

#[test]
fn an_address_that_nobody_wrote_stops_nothing() {
    let s = good("server: {ip: 'fd00::7'}\ngateway: {proxy: {websocket: 'http://h:8000'}}");
    assert!(s.websocket_url().is_none() && matches!(s.voice, Voice::WebSocket { .. }));
    assert!(
        s.warnings.len() == 1 && s.warnings[0].event.kind.id == "config.no-voice",
        "{:?}",
        s.warnings
    );
    let s = good("server: {ip: 'fd00::7', websocket: 'ws://192.168.1.4:8000/'}");
    assert!(s.warnings.is_empty() && matches!(s.voice, Voice::WebSocket { .. }));
    // Where they are told another way nobody asks for it.
    let s = good("server: {ip: 'fd00::7', mqtt_gateway: '192.168.1.4:1883'}");
    assert!(s.warnings.is_empty() && matches!(s.voice, Voice::Mqtt { .. }));
}
