use super::super::machine;
use super::*;
use crate::config;
use proptest::prelude::*;
use std::fs;

fn read(yaml: &str) -> Settings {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.yaml");
    fs::write(&path, yaml).unwrap();
    config::load(Some(&path), &machine()).unwrap_or_else(|e| panic!("{yaml}: {e}"))
}

const PROCESS: Process<'_> = Process {
    ports: &[8003, 8443],
    has_room_behind: true,
    now: SystemTime::UNIX_EPOCH,
};

fn between(running: &str, new: &str) -> Changes {
    let mut running = read(running);
    // Not of the file, but of where it lies.
    running.file = None;
    Changes::between(&running, read(new), PROCESS)
}

/// Returns the keys that are taken, and those that wait.
fn keys(running: &str, new: &str) -> (String, String) {
    let changes = between(running, new);
    let waiting = changes.waiting.iter().map(|(key, with)| match with {
        Wait::For(with) => format!("{key} with {with}"),
        Wait::Itself | Wait::Files => (*key).to_owned(),
    });
    let waiting: Vec<_> = waiting.collect();
    (changes.taken.join(", "), waiting.join(", "))
}

fn takes(running: &str, new: &str, key: &str) {
    assert_eq!(keys(running, new), (key.to_owned(), String::new()), "{new}");
    // What was taken is what runs: a second time nothing is new.
    let mut changes = between(running, new);
    changes.settings.file = None;
    let again = Changes::between(&changes.settings, read(new), PROCESS);
    assert!(again.taken.is_empty(), "{new}: {again:?}");
}

#[test]
fn what_can_change_does_by_its_key() {
    for (running, new, key) in [
        ("", "log: {log_level: DEBUG}", "log.log_level"),
        ("", "server: {timezone_offset: 1}", "server.timezone_offset"),
        ("", "firmware_cache_ttl: 3", "firmware_cache_ttl"),
        (
            "",
            "gateway: {firmware: {default_for: unreported}}",
            "gateway.firmware.default_for",
        ),
        (
            "",
            "gateway: {firmware: {alias: {a: b}}}",
            "gateway.firmware.alias",
        ),
        (
            "gateway: {firmware: {pin: {a: 1.6.6}}}",
            "gateway: {firmware: {pin: {a: 1.6.7}}}",
            "gateway.firmware.pin",
        ),
        (
            "gateway: {firmware: {projects: [xiaozhi, a]}}",
            "gateway: {firmware: {projects: [xiaozhi, b]}}",
            "gateway.firmware.projects",
        ),
        (
            "",
            "gateway: {firmware: {verify: strict}}",
            "gateway.firmware.verify",
        ),
        (
            "",
            "gateway: {firmware: {foreign_home: refuse}}",
            "gateway.firmware.foreign_home",
        ),
        (
            "",
            "gateway: {limits: {handshake: 1s}}",
            "gateway.limits.handshake",
        ),
        (
            "",
            "gateway: {limits: {headers: 1s}}",
            "gateway.limits.headers",
        ),
        ("", "gateway: {limits: {idle: 1s}}", "gateway.limits.idle"),
        ("", "gateway: {limits: {drain: 1s}}", "gateway.limits.drain"),
        (
            "",
            "gateway: {fleet: {silent_after: 5s}}",
            "gateway.fleet.silent_after",
        ),
        (
            "gateway: {fleet: {track: false}}",
            "",
            "gateway.fleet.track",
        ),
    ] {
        takes(running, new, key);
    }
}

#[test]
fn addresses_keys_and_certificates_change_by_theirs() {
    for (running, new, key) in [
        (
            "server: {ota: 'http://a.com:8003/xiaozhi/ota/', websocket: 'ws://v/'}",
            "server: {ota: 'http://b.com:8003/xiaozhi/ota/', websocket: 'ws://v/'}",
            "server.ota, gateway.tls.names",
        ),
        (
            "server: {vision_explain: 'http://a.com:8003/mcp/vision/explain'}",
            "server: {vision_explain: 'http://b.com:8003/mcp/vision/explain'}",
            "server.vision_explain, gateway.tls.names",
        ),
        (
            "server: {websocket: 'ws://a/'}",
            "server: {websocket: 'ws://b/'}",
            "server.websocket",
        ),
        (
            "server: {mqtt_gateway: 'a:1883'}",
            "server: {mqtt_gateway: 'b:1883'}",
            "server.mqtt_gateway",
        ),
        (
            "server: {mqtt_gateway: 'a:1883'}",
            "server: {mqtt_gateway: 'a:1883', mqtt_signature_key: Hk3-Zq8}",
            "server.mqtt_signature_key",
        ),
        (
            "",
            "server: {mqtt_gateway: 'a:1883'}",
            "server.mqtt_gateway",
        ),
        (
            "server: {auth: {enabled: true}, auth_key: Hk3-Zq8}",
            "server: {auth: {enabled: true}, auth_key: Zq8-Hk3}",
            "server.auth_key",
        ),
        (
            "",
            "server: {auth: {enabled: true}, auth_key: Hk3-Zq8}",
            "server.auth.enabled",
        ),
        (
            "server: {auth: {enabled: true}, auth_key: Hk3-Zq8}",
            "server: {auth: {enabled: true, allowed_devices: ['aa:bb:cc:dd:ee:ff']}, auth_key: Hk3-Zq8}",
            "server.auth.allowed_devices",
        ),
        (
            "",
            "gateway: {proxy: {routes: {/a/: 'http://127.0.0.1:1'}}}",
            "gateway.proxy",
        ),
        (
            "gateway: {tls: {certificates: [{cert: a, key: b}]}}",
            "gateway: {tls: {certificates: [{cert: c, key: d}]}}",
            "gateway.tls.certificates",
        ),
        (
            "gateway: {tls: {certificates: [{cert: a, key: b}]}}",
            "gateway: {tls: {names: [a]}}",
            "gateway.tls.mode",
        ),
        (
            "gateway: {tls: {names: [a]}}",
            "gateway: {tls: {names: [b]}}",
            "gateway.tls.names",
        ),
        (
            "gateway: {tls: {names: [a.com], acme: {}}}",
            "gateway: {tls: {names: [b.com], acme: {}}}",
            "gateway.tls.names",
        ),
        (
            "gateway: {tls: {names: [a.com], acme: {}}}",
            "gateway: {tls: {names: [a.com], acme: {email: me@example.com}}}",
            "gateway.tls.acme",
        ),
    ] {
        takes(running, new, key);
    }
}

#[test]
fn what_cannot_is_named_and_stays() {
    for (running, new, key) in [
        ("", "gateway: {ports: [8005]}", "gateway.ports"),
        (
            "gateway: {ports: [8003]}",
            "gateway: {ports: [{port: 8003, proxy_protocol: true}], behind_proxy: 10.0.0.1}",
            "gateway.ports, gateway.behind_proxy",
        ),
        (
            "gateway: {ip: 127.0.0.1}",
            "gateway: {ip: 127.0.0.2}",
            "gateway.ip",
        ),
        ("", "server: {http_port: 8005}", "server.http_port"),
        (
            "",
            "gateway: {limits: {connections: 7}}",
            "gateway.limits.connections",
        ),
        ("", "gateway: {firmware: {dir: b}}", "gateway.firmware.dir"),
        (
            "",
            "gateway: {firmware: {memory: 1MiB}}",
            "gateway.firmware.memory",
        ),
        ("", "gateway: {behind_proxy: true}", "gateway.behind_proxy"),
        ("", "gateway: {tls: {mode: off}}", "gateway.tls.mode"),
        (
            "gateway: {tls: {names: [a.com]}}",
            "gateway: {tls: {names: [a.com], acme: {}}}",
            "gateway.tls.mode",
        ),
        (
            "gateway: {tls: {names: [a.com], acme: {}}}",
            "gateway: {tls: {names: [a.com], acme: {challenge: http-01}}}",
            "gateway.tls.acme.challenge",
        ),
        ("", "log: {log_dir: elsewhere}", "log.log_dir"),
    ] {
        let server = "server: {ota: 'http://a.com:8003/xiaozhi/ota/', websocket: 'ws://v/'";
        let with = |yaml: &str| match yaml.strip_prefix("server: {") {
            Some(rest) => format!("{server}, {rest}"),
            None => format!("{server}}}\n{yaml}"),
        };
        let found = keys(&with(running), &with(new));
        assert_eq!(found, (String::new(), key.to_owned()), "{new}");
        let changes = between(&with(running), &with(new));
        let before = read(&with(running));
        assert_eq!(changes.settings.bind, before.bind, "{new}");
        assert_eq!(changes.settings.limits, before.limits, "{new}");
        assert_eq!(changes.settings.tls, before.tls, "{new}");
        // Each was read from a file of its own.
        let catalogue = |settings: &Settings| FolderSettings {
            config: None,
            ..settings.catalogue.clone()
        };
        let after = catalogue(&changes.settings);
        assert_eq!(after, catalogue(&before), "{new}");
    }
}

#[test]
fn the_admin_address_stays_and_its_tokens_change() {
    let admin = |keys: &str| format!("gateway: {{admin: {{{keys}}}}}");
    for (keys_of_it, key) in [
        ("listen: off", "gateway.admin.listen"),
        ("listen: 9009", "gateway.admin.listen"),
        ("names: [a.lan]", "gateway.admin.names"),
    ] {
        let found = keys("", &admin(keys_of_it));
        assert_eq!(found, (String::new(), key.to_owned()), "{keys_of_it}");
    }
    // What is the default is no change.
    assert_eq!(
        keys("", &admin("listen: 8009")),
        (String::new(), String::new())
    );
    let token = admin("tokens: [{name: a, role: read, token_file: f}]");
    takes("", &token, "gateway.admin.tokens");
}

#[test]
fn addresses_wait_for_the_door_that_they_need() {
    let public = |url: &str| format!("server: {{ota: '{url}/xiaozhi/ota/', websocket: 'ws://v/'}}");
    let http = public("http://a.com:8003");
    // Nobody listens there before the restart.
    let moved = format!(
        "{}\ngateway: {{ports: [9003]}}",
        public("http://a.com:9003")
    );
    let words = "server.ota with gateway.ports, gateway.ports";
    assert_eq!(keys(&http, &moved), (String::new(), words.to_owned()));
    // Nor is the certificate made for a name that nobody is told yet.
    let renamed = format!(
        "{}\ngateway: {{ports: [9003]}}",
        public("http://b.com:9003")
    );
    let words = "server.ota with gateway.ports, gateway.ports, gateway.tls.names";
    assert_eq!(keys(&http, &renamed), (String::new(), words.to_owned()));
    // One that is good with either does not wait, and what else changed does neither.
    let other = format!(
        "{}\ngateway: {{ports: [8003, 9003], firmware: {{pin: {{a: 1.0}}}}}}",
        public("http://b.com:8003")
    );
    let taken = "server.ota, gateway.tls.names, gateway.firmware.pin";
    assert_eq!(keys(&http, &other), (taken.into(), "gateway.ports".into()));
    // Without TLS an https address leads nowhere, and without HTTP nobody comes.
    let off = format!("{http}\ngateway: {{tls: {{mode: off}}}}");
    let https = format!(
        "{}\ngateway: {{http_fallback: no}}",
        public("https://a.com:8443")
    );
    let words = "server.ota with gateway.tls.mode, gateway.http_fallback with gateway.tls.mode, gateway.tls.mode";
    assert_eq!(keys(&off, &https), (String::new(), words.to_owned()));
    // A server behind that would be this one.
    let behind = format!(
        "{http}\ngateway: {{ports: [9003], proxy: {{routes: {{/a/: 'http://127.0.0.1:8003'}}}}}}"
    );
    let words = "gateway.proxy with gateway.ports, gateway.ports";
    assert_eq!(keys(&http, &behind), (String::new(), words.to_owned()));
    // No room for a second connection each.
    let narrow = Process {
        has_room_behind: false,
        ..PROCESS
    };
    let new = read("gateway: {proxy: {routes: {/a/: 'http://127.0.0.1:1'}}}");
    let changes = Changes::between(&read(""), new, narrow);
    assert_eq!(changes.waiting, [("gateway.proxy", Wait::Files)]);
}

proptest! {
    #[test]
    fn nothing_is_both_and_what_runs_is_of_one_file_or_the_other(
        before in prop::collection::vec(0..2usize, 8),
        after in prop::collection::vec(0..2usize, 8),
    ) {
        let yaml = |pick: &[usize]| format!(
            "server: {{ota: 'http://{}.com:8003/xiaozhi/ota/', websocket: 'ws://{}/', timezone_offset: {}}}\n\
             gateway: {{ports: [{}], limits: {{idle: {}s, connections: {}}}, firmware: {{dir: {}, pin: {{a: 1.{}}}}}}}\n",
            ["a", "b"][pick[0]], ["v", "w"][pick[1]], pick[2], [8003, 8443][pick[3]], 5 + pick[4],
            100 + pick[5], ["d", "e"][pick[6]], pick[7],
        );
        let (before, after) = (yaml(&before), yaml(&after));
        let changes = between(&before, &after);
        for (key, _) in &changes.waiting {
            prop_assert!(!changes.taken.contains(key));
        }
        if before == after {
            prop_assert!(changes.taken.is_empty() && changes.waiting.is_empty());
        }
        let (old, new, runs) = (read(&before), read(&after), changes.settings);
        prop_assert_eq!(&runs.bind, &old.bind);
        prop_assert_eq!(runs.limits.connections, old.limits.connections);
        prop_assert_eq!(&runs.catalogue.dir, &old.catalogue.dir);
        prop_assert_eq!(&runs.policy, &new.policy);
        prop_assert_eq!(runs.limits.idle, new.limits.idle);
        prop_assert_eq!(runs.timezone_offset, new.timezone_offset);
    }
}
