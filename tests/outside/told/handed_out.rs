//! Where no address is configured a device is handed what it has just reached.

use super::super::support::server::{BINARY, SCHEMES, Setup, check_in, read_reply, request};
use super::super::support::{Server, until};
use std::fs;
use std::io::Write;
use std::process::Command;

/// A check-in by this `Host`.
fn asking(host: &str, lines: &str) -> Vec<u8> {
    let text = String::from_utf8(check_in("a", "1.0")).unwrap();
    let host = if host.is_empty() {
        String::new()
    } else {
        format!("Host: {host}\r\n")
    };
    text.replace("Host: 127.0.0.1\r\n", &format!("{host}{lines}"))
        .into_bytes()
}

/// What a device is handed: the image's address and the voice server's.
fn handed(server: &Server, scheme: &str, request: &[u8]) -> (String, String) {
    let reply = server.send(scheme, request).json();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    (
        text(&reply["firmware"]["url"]),
        text(&reply["websocket"]["url"]),
    )
}

#[test]
fn scheme_host_and_port_are_those_by_which_it_came() {
    let server = Server::start("", &["a_2.0.bin"]);
    for scheme in SCHEMES {
        for (host, name, port) in [
            ("192.168.7.9:18003", "192.168.7.9", ":18003"),
            ("nas.lan:8003", "nas.lan", ":8003"),
            ("ota.my.cn", "ota.my.cn", ""),
            ("OTA.my.cn:443", "ota.my.cn", ":443"),
            ("47.93.1.2", "47.93.1.2", ""),
        ] {
            let origin = format!("{scheme}://{name}{port}/xiaozhi/ota");
            let expected = (
                format!("{origin}/download/a_2.0.bin"),
                format!("ws://{name}:8000/xiaozhi/v1/"),
            );
            assert_eq!(
                handed(&server, scheme, &asking(host, "")),
                expected,
                "{host}"
            );
            server.event("offer", &[("url", &expected.0)]);
            // People who look are shown the same.
            let get = |path: &str| {
                let text = String::from_utf8(request("GET", path, &[], b"")).unwrap();
                let text = text.replace("Host: 127.0.0.1", &format!("Host: {host}"));
                server.send(scheme, text.as_bytes()).text().to_owned()
            };
            assert!(get("/xiaozhi/ota/").contains(&expected.1), "{host}");
            assert!(get("/nothing").contains(&format!("{origin}/")), "{host}");
        }
    }
}

#[test]
fn a_host_that_is_none_is_passed_over() {
    let server = Server::start("", &["a_2.0.bin"]);
    let own = format!(
        "http://127.0.0.1:{}/xiaozhi/ota/download/a_2.0.bin",
        server.ports[0]
    );
    let long = format!("{}.cn", "a".repeat(250));
    for host in [
        "",
        "localhost",
        "localhost:8003",
        "127.0.0.1:9",
        "127.1",
        "0.0.0.0:8003",
        "[::1]:8003",
        "[fd00::7]",
        "fd00::7",
        "h:0",
        "h:65536",
        "h:+80",
        "h:8a",
        "h:1:2",
        "user@h",
        "192.168.7.300",
        "192.168.7",
        "255.255.255.255",
        "a..cn",
        "小智.cn",
        "h\",\"x\":\"y",
        "h\\",
        "h;x",
        &long,
    ] {
        let reply = server.send("http", &asking(host, ""));
        if reply.status == 400 {
            // It is no HTTP at all.
            continue;
        }
        assert_eq!(reply.firmware().1, own, "{host:?}");
    }
    let twice = asking("nas.lan", "Host: evil.cn\r\n");
    let reply = server.send("http", &twice);
    assert!(
        reply.status == 400 || reply.firmware().1 == own,
        "{}",
        reply.text()
    );
    // Who lied is answered, and nobody else hears of it.
    let lie = handed(&server, "http", &asking("evil.cn:1", ""));
    assert_eq!(lie.0, "http://evil.cn:1/xiaozhi/ota/download/a_2.0.bin");
    assert_eq!(handed(&server, "http", &check_in("a", "1.0")).0, own);
    // What a proxy says is nobody's word here, and what it came by is its own.
    let claimed = asking(
        "nas.lan:8003",
        "X-Forwarded-Host: evil.cn\r\nX-Forwarded-Proto: https\r\n",
    );
    let reply = server.send("http", &claimed);
    assert_eq!(reply.firmware().1, "");
    for host in ["evil.cn", "nas.lan", "127.0.0.1"] {
        assert!(!reply.text().contains(host), "{}", reply.text());
    }
    server.event("address.in-front", &[("sign", "x-forwarded-host")]);
}

#[test]
fn voice_that_is_passed_on_is_wss_where_the_device_came_over_tls() {
    let server = Server::start(
        "gateway:\n  proxy: {websocket: 'http://127.0.0.1:1'}\n",
        &["a_2.0.bin"],
    );
    let voice = |scheme, host| handed(&server, scheme, &asking(host, "")).1;
    assert_eq!(
        voice("https", "nas.lan:8443"),
        "wss://nas.lan:8443/xiaozhi/v1/"
    );
    assert_eq!(voice("https", "ota.my.cn"), "wss://ota.my.cn/xiaozhi/v1/");
    assert_eq!(
        voice("http", "nas.lan:8003"),
        "ws://nas.lan:8003/xiaozhi/v1/"
    );
}

#[test]
fn what_is_configured_is_handed_to_everybody() {
    for (config, url) in [
        (
            "server: {ota: 'https://ota.my.cn/xiaozhi/ota/'}\n",
            "https://ota.my.cn/xiaozhi/ota/download/a_2.0.bin",
        ),
        (
            "server: {vision_explain: 'http://47.93.1.2:8003/edge/mcp/vision/explain'}\n",
            "http://47.93.1.2:8003/edge/xiaozhi/ota/download/a_2.0.bin",
        ),
    ] {
        let server = Server::start(config, &["a_2.0.bin"]);
        for scheme in SCHEMES {
            assert_eq!(handed(&server, scheme, &asking("nas.lan:1", "")).0, url);
        }
    }
    // Of what stands in front nobody knows what it makes of the header.
    let server = Server::start("gateway:\n  behind_proxy: true\n", &["a_2.0.bin"]);
    let own = format!(
        "http://127.0.0.1:{}/xiaozhi/ota/download/a_2.0.bin",
        server.ports[0]
    );
    assert_eq!(handed(&server, "https", &asking("nas.lan:1", "")).0, own);
}

#[test]
fn a_client_elsewhere_is_never_handed_loopback() {
    let server = Server::start(
        "gateway:\n  ip: 127.0.0.1\n  ports: [{port: 0, proxy_protocol: true}]\n",
        &["a_2.0.bin"],
    );
    let ask = |client: &str, host: &str| {
        let mut stream = server.tcp();
        let header = format!("PROXY TCP4 {client} 127.0.0.1 4711 8003\r\n");
        stream.write_all(header.as_bytes()).unwrap();
        stream.write_all(&asking(host, "")).unwrap();
        read_reply(&mut stream, false).text().to_owned()
    };
    assert!(ask("203.0.113.9", "nas.lan:8003").contains("http://nas.lan:8003/"));
    let reply = ask("203.0.113.9", "localhost:8003");
    assert!(
        !reply.contains("127.0.0.1") && !reply.contains("localhost"),
        "{reply}"
    );
    server.event("withheld.no-address", &[("file", "a_2.0.bin")]);
}

/// A server in a network of its own, which has none yet.
struct Alone {
    server: Server,
}

impl Alone {
    fn start(config: &str) -> Self {
        let script = format!("ip link set lo up && exec {BINARY}");
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net", "sh", "-c", &script]);
        let setup = Setup::new().file("a_2.0.bin", "firmware a_2.0.bin");
        Self {
            server: setup.start_by(config, &mut command),
        }
    }

    /// Runs something where the server is.
    fn run(&self, script: &str) -> String {
        let target = self.server.pid().to_string();
        let output = Command::new("nsenter")
            .args([
                "--preserve-credentials",
                "-U",
                "-n",
                "-t",
                &target,
                "sh",
                "-e",
                "-c",
                script,
            ])
            .current_dir(self.server.dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Checks in at an address of this machine, without a host that would help.
    fn checked_in(&self, url: &str) -> String {
        self.asked(&format!("-H 'Host: localhost' {url}"))
    }

    /// Checks in as these arguments of curl say.
    fn asked(&self, arguments: &str) -> String {
        let body = r#"{"application":{"version":"1.0"},"board":{"type":"a"}}"#;
        self.run(&format!(
            "curl -sk --max-time 60 -H 'Device-Id: aa:bb:cc:dd:ee:ff' -H 'Client-Id: x' -d '{body}' {arguments}"
        ))
    }
}

const OPEN: &str =
    "gateway:\n  ports: [8003]\n  limits: {handshake: 1h, headers: 1h, idle: 1h, drain: 1h}\n";

#[test]
fn a_network_that_comes_late_or_changes_is_followed() {
    let alone = Alone::start(OPEN);
    let (server, dir) = (&alone.server, alone.server.dir.path());
    server.event("address.no-network", &[]);
    let key = || fs::read(dir.join("certs/self-signed.key")).unwrap();
    let pinned = key();
    for (n, address) in ["192.168.7.5", "10.7.0.9"].into_iter().enumerate() {
        alone.run(&format!(
            "ip link add eth{n} type veth peer name peer{n} && ip link set peer{n} up && ip addr add {address}/24 dev eth{n} && ip link set eth{n} up; \
             ip link del eth{} 2>/dev/null || true",
            n.wrapping_sub(1)
        ));
        // At once: the socket has it.
        for scheme in SCHEMES {
            let ota = format!("{scheme}://{address}:8003/xiaozhi/ota/");
            let reply = alone.checked_in(&ota);
            assert!(
                reply.contains(&format!("\"url\":\"{ota}download/a_2.0.bin?t=")),
                "{reply}"
            );
            assert!(reply.contains(&format!("ws://{address}:8000/")), "{reply}");
        }
        // What is printed and what is signed follow.
        server.event(
            "address.ota",
            &[("url", &format!("http://{address}:8003/xiaozhi/ota/"))],
        );
        server.event(
            "certificate.signed",
            &[
                ("names", &format!("{address}, localhost, 127.0.0.1, ::1")),
                ("key", "kept"),
            ],
        );
    }
    assert_eq!(key(), pinned, "firmware may pin it");
}

#[test]
fn the_first_page_says_the_address_of_now() {
    let alone = Alone::start(&format!("{OPEN}  admin: {{listen: '127.0.0.1:8009'}}\n"));
    alone.run(
        "curl -s -c jar -o page -H 'Origin: http://127.0.0.1:8009' --data-urlencode token@data/state/admin.token http://127.0.0.1:8009/sign-in",
    );
    for (n, address) in ["192.168.7.5", "10.7.0.9"].into_iter().enumerate() {
        alone.run(&format!(
            "ip link add eth{n} type veth peer name peer{n} && ip link set peer{n} up && ip addr add {address}/24 dev eth{n} && ip link set eth{n} up; \
             ip link del eth{} 2>/dev/null || true",
            n.wrapping_sub(1)
        ));
        let said = format!("<bdi>http://{address}:8003/xiaozhi/ota/</bdi>");
        until("what to type into a device", || {
            let page = alone.run("curl -s -b jar http://127.0.0.1:8009/");
            assert!(page.contains("No device has checked in yet"), "{page}");
            page.contains(&said).then_some(())
        });
    }
}

/// Requests that a proxy passed on, as curl makes them.
const PASSED_ON: [&str; 11] = [
    "-H 'X-Forwarded-For: 203.0.113.7' -H 'Host: xiaozhi_backend'",
    "-H 'X-Forwarded-For: 203.0.113.7' -H 'X-Forwarded-Proto: https' -H 'Host: ota.my.cn'",
    "-H 'X-Real-IP: 203.0.113.7' -H 'Host: ota.my.cn'",
    "-H 'Forwarded: for=203.0.113.7;host=ota.my.cn' -H 'Host: backend:8003'",
    "-H 'Via: 1.1 proxy' -H 'Host: backend'",
    "-H 'REMOTE-HOST: 203.0.113.7' -H 'Host: ota.my.cn'",
    "-H 'CF-Connecting-IP: 203.0.113.7' -H 'Host: ota.my.cn'",
    "-0 -H 'Host: 127.0.0.1:8003'",
    "-0 -H 'Host: xiaozhi_backend'",
    "-H 'Connection: upgrade' -H 'Host: 127.0.0.1:8003'",
    "-H 'Connection: Upgrade' -H 'Host: xiaozhi_backend'",
];

#[test]
fn whoever_comes_by_ipv6_or_a_proxy_is_handed_this_machines_ipv4_address() {
    let alone = Alone::start(OPEN);
    alone.run(
        "ip link add eth0 type veth peer name peer0 && ip link set peer0 up && ip addr add 192.168.7.5/24 dev eth0 && ip -6 addr add fd00::7/64 dev eth0 nodad && \
         ip link set eth0 up",
    );
    let ota = "\"url\":\"http://192.168.7.5:8003/xiaozhi/ota/download/a_2.0.bin?t=";
    let url = "http://[fd00::7]:8003/xiaozhi/ota/";
    // The address is looked up anew, within a second.
    until("this machine's IPv4 address", || {
        let reply = alone.checked_in(url);
        assert!(!reply.contains("fd00") && !reply.contains("[::"), "{reply}");
        reply.contains(ota).then_some(())
    });
    // A proxy that nobody configured, on this machine or not.
    for peer in ["127.0.0.1", "192.168.7.5"] {
        for scheme in SCHEMES {
            for passed_on in PASSED_ON {
                let url = format!("{passed_on} {scheme}://{peer}:8003/xiaozhi/ota/");
                let reply = alone.asked(&url);
                assert!(
                    reply.contains(ota) && reply.contains("\"ws://192.168.7.5:8000/xiaozhi/v1/\""),
                    "{url}: {reply}"
                );
            }
        }
        let line = alone.server.event("address.in-front", &[("peer", peer)]);
        for words in [
            "x-forwarded-for",
            "http://192.168.7.5:8003/xiaozhi/ota/",
            "gateway.behind_proxy",
        ] {
            assert!(line.contains(words), "{line}");
        }
    }
    alone.run("curl -s -H 'X-Real-IP: x' http://127.0.0.1:8003/xiaozhi/ota/ | grep -q ws://192.168.7.5:8000/");
    alone.run(
        "curl -s -d '{}' -H 'Device-Id: last' -H 'Client-Id: x' http://127.0.0.1:8003/xiaozhi/ota/",
    );
    alone.server.event("check-in", &[("device", "last")]);
    // Once an hour for each proxy.
    assert_eq!(alone.server.events("address.in-front", &[]).len(), 2);
}

#[test]
fn a_tunnel_is_not_taken_for_the_network() {
    let alone = Alone::start(OPEN);
    alone.run(
        "ip link add eth0 type veth peer name peer0 && ip link set peer0 up && ip addr add 192.168.7.5/24 dev eth0 && ip link set eth0 up && \
         ip link add Meta type veth peer name peer1 && ip link set peer1 up && ip addr add 198.18.0.1/30 dev Meta && ip link set Meta up && \
         ip route add default dev Meta",
    );
    let said = ("url", "http://192.168.7.5:8003/xiaozhi/ota/");
    alone.server.event("address.ota", &[said]);
    let reply = alone.checked_in("http://192.168.7.5:8003/xiaozhi/ota/");
    assert!(reply.contains("ws://192.168.7.5:8000/"), "{reply}");
}

#[test]
fn an_address_that_is_another_machines_is_named() {
    let config = format!("server: {{ota: 'http://192.168.7.6:8003/xiaozhi/ota/'}}\n{OPEN}");
    let alone = Alone::start(&config);
    alone.run(
        "ip link add eth0 type veth peer name peer0 && ip link set peer0 up && ip addr add 192.168.7.5/24 dev eth0 && ip link set eth0 up",
    );
    // It is looked at again where the configuration is.
    alone.server.signal("HUP");
    let other = [("setting", "server.ota"), ("host", "192.168.7.6")];
    alone.server.event("address.elsewhere", &other);
}
