//! Addresses that leave the server and do not bring a device where it should go.

use super::super::command_line::run;
use super::super::support::Server;
use super::super::support::server::{BINARY, Setup};
use std::fs;
use std::process::Command;

/// Hosts in the place of an address, and the event that each must raise.
const HOSTS: [(&str, &[&str]); 12] = [
    (
        "address.loopback",
        &[
            "127.0.0.1",
            "127.9.8.7",
            "127.1",
            "0x7f.1",
            "2130706433",
            "localhost",
            "ota.localhost",
            "LOCALHOST",
        ],
    ),
    ("address.unspecified", &["0.0.0.0", "0"]),
    (
        "address.docker",
        &[
            "172.17.0.2",
            "host.docker.internal",
            "gateway.docker.internal",
            "host.containers.internal",
            "ota.default.svc",
        ],
    ),
    ("address.no-dot", &["xiaozhi-server", "nas"]),
    (
        "address.numbers",
        &[
            "192.168.1.300",
            "192.168.1",
            "192.168.01.5",
            "192.168.1.2.3",
            "192.168.1.l00",
        ],
    ),
    (
        "address.placeholder",
        &[
            "yourdomain.com",
            "ota.example.com",
            "your-ip",
            "xxx.xxx.xxx.xxx",
            "192.168.x.x",
            "111.111.111.111",
            "1.2.3.4",
        ],
    ),
    ("address.link-local", &["169.254.7.9"]),
    (
        "address.tunnel",
        &["198.18.0.7", "100.64.0.9", "nas.tail1234.ts.net", "nas.zt"],
    ),
    (
        "address.virtual-switch",
        &["pc.mshome.net", "ubuntu.wsl.localhost"],
    ),
    ("address.mdns", &["nas.local"]),
    (
        "address.local-name",
        &["nas.lan", "nas.home.arpa", "ota.corp.internal"],
    ),
    (
        "address.nowhere",
        &[
            "203.0.113.7",
            "255.255.255.255",
            "224.0.0.251",
            "240.0.0.1",
            "192.168.7.255",
            "ota.my.test",
            "ota.invalid",
            "abc.onion",
            "ota.my.cn.",
            "ota..cn",
        ],
    ),
];

/// A free port: what has `mqtt_gateway` in it is given none.
const OURS: &str = "gateway:\n  log: {lang: en}\n";

/// Starts with a configuration, and an empty folder.
fn started(config: &str) -> Server {
    Setup::new().start_early(config, &mut Command::new(BINARY))
}

#[test]
fn each_address_is_judged_by_its_host() {
    let settings = [
        ("server.ota", "http://HOST:8003/xiaozhi/ota/"),
        (
            "server.vision_explain",
            "http://HOST:8004/mcp/vision/explain",
        ),
        ("server.websocket", "ws://HOST:8000/xiaozhi/v1/"),
        ("server.mqtt_gateway", "HOST:1883"),
    ];
    let all: Vec<_> = HOSTS
        .iter()
        .flat_map(|(event, hosts)| hosts.iter().map(move |host| (*event, *host)))
        .collect();
    // Three addresses of one configuration are judged each by itself.
    for (n, three) in all.chunks(3).enumerate() {
        let mut config = format!("{OURS}server:\n");
        // MQTT in place of the WebSocket, by turns.
        let used = if n % 2 == 0 { [0, 1, 2] } else { [0, 1, 3] };
        let cases: Vec<_> = used
            .iter()
            .zip(three)
            .map(|(at, case)| (settings[*at], *case))
            .collect();
        for ((setting, form), (_, host)) in &cases {
            let key = setting.strip_prefix("server.").unwrap();
            config.extend(["  ", key, ": '", &form.replace("HOST", host), "'\n"]);
        }
        let server = started(&config);
        for (line, ((setting, _), (event, host))) in cases.iter().enumerate() {
            let place = format!("data/.config.yaml:{}", line + 8);
            let line = server.event(
                event,
                &[("setting", setting), ("host", host), ("place", &place)],
            );
            assert!(
                line.contains(" - WARNING - ") && line.contains("Remedy: "),
                "{line}"
            );
        }
    }
}

#[test]
fn pairs_of_addresses_that_do_not_fit_together() {
    let ota = "https://ota.my.com:8003/xiaozhi/ota/";
    for (config, event, fields) in [
        (
            "server: {ota: 'http://47.93.1.2:8003/xiaozhi/ota/', websocket: 'ws://192.168.7.5:8000/xiaozhi/v1/'}".to_owned(),
            "address.private",
            &[("setting", "server.websocket"), ("beside", "server.ota")][..],
        ),
        (
            "server: {ota: 'http://10.7.0.5:8003/xiaozhi/ota/', websocket: 'ws://47.93.1.2:8000/xiaozhi/v1/'}".to_owned(),
            "address.private",
            &[("setting", "server.ota"), ("beside", "server.websocket")],
        ),
        (
            "server: {ota: 'http://47.93.1.2:8003/xiaozhi/ota/', mqtt_gateway: '192.168.7.5:1883'}".to_owned(),
            "address.private",
            &[("setting", "server.mqtt_gateway")],
        ),
        (
            format!("server: {{ota: '{ota}', mqtt_gateway: '47.93.1.2:1883'}}"),
            "address.mqtt-plain",
            &[("port", "1883")],
        ),
        (
            "server: {ota: 'http://47.93.1.2:8003/xiaozhi/ota/', mqtt_gateway: '47.93.1.2:443'}".to_owned(),
            "address.mqtt-port",
            &[("port", "443")],
        ),
        (
            format!("server: {{ota: '{ota}', vision_explain: 'http://47.93.1.2:8004/mcp/vision/explain'}}"),
            "address.vision-plain",
            &[("setting", "server.vision_explain")],
        ),
        (
            format!("server: {{ota: '{ota}', websocket: 'ws://47.93.1.2:8000/xiaozhi/v1/'}}"),
            "address.voice-plain",
            &[("setting", "server.websocket")],
        ),
        (
            format!("server: {{ota: '{ota}', websocket: 'wss://47.93.1.2:8443/xiaozhi/v1/'}}"),
            "address.modem-plain",
            &[("port", "8443")],
        ),
        (
            "server: {ota: 'http://47.93.1.2:8003/xiaozhi/ota/', websocket: 'ws://47.93.1.2:443/xiaozhi/v1/'}".to_owned(),
            "address.modem-tls",
            &[("setting", "server.websocket")],
        ),
    ] {
        let server = started(&format!("{OURS}{config}\n"));
        assert!(server.event(event, fields).contains(" - WARNING - "), "{config}");
    }
}

/// Addresses that devices read, and that lead them to what was not meant.
const WRITTEN: &str = include_str!("addresses-written.txt");

#[test]
fn what_an_address_was_not_meant_to_have_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let rows = WRITTEN.lines().filter(|line| line.starts_with("server."));
    for row in rows {
        let [setting, words, config] = row.splitn(3, '|').collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        let config: String = serde_json::from_str(config).unwrap();
        fs::write(dir.path().join("c.yaml"), config + "\n").unwrap();
        let (ok, text, error) = run(dir.path(), &["validate", "c.yaml"]);
        let begin = format!(": warning: {}: ", setting.trim());
        let warnings: Vec<_> = text.lines().filter(|line| line.contains(&begin)).collect();
        let is_told = match words.trim() {
            "" => warnings.is_empty(),
            words => warnings
                .iter()
                .any(|line| line.contains(words) && line.contains("Remedy: ")),
        };
        assert!(ok && is_told, "{row}: {text}{error}");
    }
}

#[test]
fn a_placeholder_that_was_half_filled_in_counts_as_unset_and_is_named() {
    let server = Server::start(
        "server:\n  ota: http://你的ip:8003/xiaozhi/ota/\n  websocket: ws://你的域名:8000/xiaozhi/v1/\n  \
         vision_explain: http://你的ip或者域名:端口号/mcp/vision/explain\n",
        &["a_2.0.bin"],
    );
    for (key, place) in [
        ("server.ota: ", "data/.config.yaml:2"),
        ("server.websocket: ", "data/.config.yaml:3"),
    ] {
        server.event("address.unfilled", &[("key", key), ("place", place)]);
    }
    // That of xiaozhi-server's own file says of itself what it is.
    assert_eq!(server.events("address.unfilled", &[]).len(), 2);
    let reply = server.check_in("a", "1.0").json();
    let port = server.ports[0];
    assert_eq!(
        reply["firmware"]["url"],
        format!("http://127.0.0.1:{port}/xiaozhi/ota/download/a_2.0.bin")
    );
}

/// Names are looked up beside the start, which waits for none.
#[test]
fn a_name_is_judged_by_what_it_leads_to() {
    for (hosts, event, fields) in [
        (
            "127.0.0.1 other.cn",
            "address.unresolved",
            &[("host", "ota.my.cn")][..],
        ),
        (
            "fd00::7 ota.my.cn",
            "address.only-ipv6",
            &[("leads", "fd00::7")],
        ),
        (
            "198.18.0.7 ota.my.cn",
            "address.leads-nowhere",
            &[("leads", "198.18.0.7")],
        ),
        (
            "127.0.1.1 ota.my.cn",
            "address.leads-nowhere",
            &[("leads", "127.0.1.1")],
        ),
    ] {
        let setup = Setup::new();
        fs::write(setup.path().join("hosts"), format!("{hosts}\n")).unwrap();
        let script = format!("mount --bind hosts /etc/hosts && exec {BINARY}");
        let mut command = Command::new("unshare");
        command
            .args(["--map-root-user", "--mount", "sh", "-c", &script])
            // A name server that is slow is none of what is tried here.
            .env("RES_OPTIONS", "attempts:1 timeout:1");
        let server = setup.start_early(
            "server: {ota: 'http://ota.my.cn:8003/xiaozhi/ota/', websocket: 'ws://47.93.1.2:8000/xiaozhi/v1/'}\n",
            &mut command,
        );
        let line = server.event(event, &[&[("setting", "server.ota")], fields].concat());
        assert!(
            line.contains(" - WARNING - ") && line.contains("Remedy: "),
            "{line}"
        );
        assert_eq!(server.check_in("x", "1.0").status, 200);
    }
}

#[test]
fn a_name_that_comes_with_a_reload_is_looked_up() {
    let server = started("");
    server.configure("server: {websocket: 'ws://voice.nobody.invalid.cn:8000/xiaozhi/v1/'}\n");
    server.reload();
    let fields = [
        ("setting", "server.websocket"),
        ("host", "voice.nobody.invalid.cn"),
    ];
    server.event("address.unresolved", &fields);
}

#[test]
fn a_network_of_its_own_is_no_fault() {
    let dir = tempfile::tempdir().unwrap();
    for server in [
        "ota: 'http://192.168.7.100:8003/xiaozhi/ota/', websocket: 'ws://192.168.7.100:8000/xiaozhi/v1/'",
        "vision_explain: 'http://192.168.7.100:8003/mcp/vision/explain', websocket: 'ws://192.168.7.101:8000/xiaozhi/v1/'",
        "ota: 'http://10.7.0.255:8003/xiaozhi/ota/', mqtt_gateway: '10.7.0.5:1883'",
        "ota: 'http://47.93.1.2:8003/xiaozhi/ota/', websocket: 'ws://47.93.1.2:8000/xiaozhi/v1/'",
        "ota: 'http://47.93.1.2:8003/xiaozhi/ota/', mqtt_gateway: '47.93.1.2:8883'",
    ] {
        let proxied = "gateway: {proxy: {vision: 'http://127.0.0.1:8004'}}";
        fs::write(
            dir.path().join("c.yaml"),
            format!("server: {{{server}}}\n{proxied}\n"),
        )
        .unwrap();
        let (ok, text, _) = run(dir.path(), &["validate", "c.yaml"]);
        assert!(ok && !text.contains(": warning: "), "{server}: {text}");
    }
}
