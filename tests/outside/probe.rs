//! `xiaozhi-ota probe`: what it is told, what it says, and the addresses that it
//! is given. A right server passes here with every kind of device, or nothing
//! that is found of a wrong one would prove anything.

use super::support::Reserved;
use super::support::probed::{Case, Probe, hold};
use super::support::wrong::{GOODBYE, HOST, Port, plain, right};
use serde_json::json;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// Lines of the firmware with a version of each, and what is offered to it.
const LINES: [(&str, &str, &str); 12] = [
    ("v1.5", "1.5.8", "1.6.1"),
    ("v1.6", "1.6.0", "1.6.1"),
    ("v1.6.2", "1.6.2", "1.6.6"),
    ("v1.6.6", "1.6.6", "1.7.0"),
    ("v1.7", "1.7.2", "1.7.5"),
    ("v1.7.5", "1.7.6", "1.7.7"),
    ("v1.7.7", "1.7.7", "1.8.0"),
    ("v1.8", "1.8.1", "1.8.2"),
    ("v1.8.2", "1.8.4", "1.8.5"),
    ("v1.8.5", "1.9.1", "1.9.2"),
    ("v1.9.2", "1.9.2_2", "1.9.4"),
    ("v2", "2.0.0", "2.0.1"),
];
const CLIENTS: [&str; 3] = ["wifi", "ml307", "ec801e"];

#[test]
fn every_kind_of_device_gets_the_whole_way_with_a_right_server() {
    let mut cases = Vec::new();
    for (line, own, offered) in LINES {
        for client in CLIENTS {
            // The EC801E is known since 1.7.7.
            if client == "ec801e" && line < "v1.7.7" {
                continue;
            }
            let with = [
                "--firmware-line",
                line,
                "--version",
                own,
                "--client",
                client,
                "--flash",
                "8",
            ];
            cases.push(Case::new(line, right().version(offered), &with, &[]));
            // The line is that of the version.
            let with = ["--version", own, "--client", client];
            cases.push(Case::new(own, right().version(offered), &with, &[]));
        }
        let with = ["--version", offered];
        cases.push(Case::new(
            "nothing newer",
            right().version(offered),
            &with,
            &[],
        ));
        let with = ["--version", own];
        cases.push(Case::new(
            "without TLS",
            plain().version(offered),
            &with,
            &[],
        ));
    }
    hold(cases);
}

#[test]
fn an_update_is_followed_to_its_end_and_asked_for_as_a_device_asks() {
    let server = right().start();
    let probed = Probe::of(&server).run();
    probed.finds(&[]);
    for step in [
        "address",
        "dns",
        "tcp",
        "tls",
        "check",
        "websocket",
        "download",
        "image",
        "reboot",
    ] {
        assert_eq!(probed.verdict(step), "ok", "{}", probed.stdout);
    }
    let check = server.saw("POST /xiaozhi/ota/ HTTP/1.1\r\n");
    assert_eq!(check.headers("Host"), [HOST]);
    for (name, value) in [
        ("Device-Id", 17),
        ("Client-Id", 36),
        ("User-Agent", "esp32s3/1.6.0".len()),
    ] {
        let values = check.headers(name);
        assert_eq!(values.len(), 1, "{name}: {}", check.head);
        assert_eq!(values[0].len(), value, "{name}: {}", check.head);
    }
    let body: serde_json::Value = serde_json::from_slice(&check.body).unwrap();
    assert_eq!(body["application"]["version"], "1.6.0");
    assert_eq!(body["board"]["type"], "esp32s3");
    assert!(body["minimum_free_heap_size"].is_string());
    // Without it xiaozhi-server's log would have an error for each probe.
    server.saw(GOODBYE);
    // A download names nobody.
    let download = server.saw("GET /xiaozhi/ota/download/esp32s3_1.6.1.bin HTTP/1.1\r\n");
    for name in ["Device-Id", "Client-Id", "Authorization", "Range"] {
        assert!(download.headers(name).is_empty(), "{}", download.head);
    }
    // And after it, it is the device that it has become.
    let checks: Vec<_> = server
        .seen()
        .into_iter()
        .filter(|r| r.head.starts_with("POST /xiaozhi/ota"))
        .filter_map(|r| serde_json::from_slice::<serde_json::Value>(&r.body).ok())
        .map(|body| body["application"]["version"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(checks.last().unwrap(), "1.6.1", "{checks:?}");

    let up_to_date = Probe::of(&server).with(&["--version", "1.6.1"]).run();
    up_to_date.finds(&[]);
    for step in ["download", "image", "reboot"] {
        assert_eq!(up_to_date.verdict(step), "skipped", "{}", up_to_date.stdout);
    }
    let unheard = Probe::of(&server).with(&["--skip", "websocket"]).run();
    unheard.finds(&[]);
    assert_eq!(unheard.verdict("websocket"), "skipped");
    let mac = Probe::of(&server)
        .with(&["--mac", "12:34:56:78:9a:bc"])
        .run();
    mac.finds(&[]);
    server.saw("Device-Id: 12:34:56:78:9a:bc\r\n");
}

#[test]
fn people_are_told_in_their_language_and_programs_in_json() {
    let fine = right().start();
    let redirects = plain().port_80(Port::Redirects).start();
    let slashless = right()
        .each_check(|page, asked| {
            if !asked.path.ends_with('/') {
                page.set_status("404 Not Found");
            }
        })
        .start();
    for (server, code, zh, en) in [
        (&fine, 0, "正常", "OK:"),
        (&slashless, 1, "警告", "WARN:"),
        (&redirects, 2, "失败", "FAIL:"),
    ] {
        for (lang, word) in [("zh", zh), ("en", en)] {
            let told = Probe::of(server).told(lang);
            assert_eq!(told.code, Some(code), "{}{}", told.stdout, told.stderr);
            let last = told.stdout.trim_end().lines().last().unwrap();
            assert!(last.starts_with(word), "{last}");
        }
        let json = Probe::of(server).run();
        assert_eq!(json.code, Some(code));
        assert_eq!(
            json.json()["url"],
            format!("{}://{HOST}/xiaozhi/ota/", server.scheme)
        );
        assert!(!json.json()["device"].as_str().unwrap().is_empty());
    }
    // The remedy is there, and the server's own bytes.
    let told = Probe::of(&redirects).told("en").stdout;
    for words in [
        "FAIL redirect",
        "HTTP/1.1 301 Moved Permanently",
        "Location: https://",
    ] {
        assert!(told.contains(words), "{words}:\n{told}");
    }
}

#[test]
fn what_cannot_be_meant_is_no_verdict() {
    for arguments in [
        &["--client", "ec801e", "--firmware-line", "v1.5"][..],
        &["--flash", "5"],
        &["--pace", "fast"],
        &["--chip", "z80"],
        &["--mac", "12:34"],
        &["--resolve", "ota.example.com"],
        &["--ca", "no-such-file.pem"],
        &["--skip", "breakfast"],
    ] {
        let url = format!("http://{HOST}/xiaozhi/ota/");
        let probed = Probe::new(&url).at(80, 9).with(arguments).run();
        assert!(
            probed.stdout.is_empty() && !probed.stderr.is_empty() && probed.code != Some(0),
            "{arguments:?}: {probed:?}"
        );
    }
}

/// A probe of an address at which nobody needs to be.
fn address(url: &str) -> Probe {
    Probe::new(url)
}

#[test]
fn addresses_that_no_device_can_use() {
    let unreached = [
        ("http://1", "address fail no-address"),
        (
            "http://ota.example.com/xiao zhi/ota/",
            "address fail bad-character",
        ),
        ("ota.example.com/xiaozhi/ota/", "address fail no-scheme"),
        (
            "ftp://ota.example.com/xiaozhi/ota/",
            "address fail unknown-scheme",
        ),
        (
            "http://[::1]:8003/xiaozhi/ota/",
            "address fail ipv6-literal",
        ),
        ("http:///xiaozhi/ota/", "address fail no-host"),
        (
            "http://ota.example.com:80x/xiaozhi/ota/",
            "address fail bad-port",
        ),
    ];
    let mut cases: Vec<_> = unreached
        .into_iter()
        .map(|(url, finds)| Case::at(url, address(url), &[finds]))
        .collect();
    let by_client = [
        (
            "HTTPS://ota.example.com/xiaozhi/ota/",
            &["--client", "ml307"],
            "address fail upper-case-scheme",
        ),
        (
            "http://u:p@ota.example.com/xiaozhi/ota/",
            &["--firmware-line", "v2"],
            "address fail user-name",
        ),
    ];
    cases.extend(
        by_client
            .into_iter()
            .map(|(url, with, finds)| Case::at(url, address(url).with(with), &[finds])),
    );
    // They work from here.
    let nowhere = [
        ("0.0.0.0", "address fail unspecified-address"),
        ("169.254.7.9", "address fail link-local-address"),
        ("198.18.0.7", "address fail fake-address"),
        ("203.0.113.7", "address fail nobodys-address"),
        ("239.1.2.3", "address fail nobodys-address"),
    ];
    cases.extend(nowhere.map(|(ip, finds)| {
        Case::new(ip, plain(), &[], &[finds]).probed(|server| {
            Probe::of(server)
                .url(&format!("http://{ip}:8003/xiaozhi/ota/"))
                .placed(ip, server.port_80.port())
        })
    }));
    hold(cases);
}

#[test]
fn addresses_that_work_here_and_perhaps_not_on_a_device() {
    let at = |name, url: &'static str, host: &str, finds: &[&'static str]| {
        let place = host.to_owned();
        Case::new(name, plain(), &[], finds).probed(|server| {
            Probe::of(server)
                .url(url)
                .placed(&place, server.port_80.port())
        })
    };
    hold(vec![
        at(
            "this machine",
            "http://127.0.0.1/xiaozhi/ota/",
            "127.0.0.1",
            &["address warn loopback"],
        ),
        at(
            "Docker",
            "http://172.17.0.2/xiaozhi/ota/",
            "172.17.0.2",
            &["address warn container-address"],
        ),
        at(
            "a container",
            "http://xiaozhi/xiaozhi/ota/",
            "xiaozhi",
            &["address warn short-name"],
        ),
        at(
            "a page",
            "http://h.example.com/xiaozhi/",
            "h.example.com",
            &["address warn not-an-ota-path"],
        ),
        at(
            "a fragment",
            "http://h.example.com/xiaozhi/ota/#a",
            "h.example.com",
            &["address warn fragment"],
        ),
    ]);
}

/// All of them are this machine.
const HOSTS: &str = "127.0.0.1 localhost ota.example.com files.example.com voice.example.com\n";

/// What a hosts file, or a proxy's resolver, says of a name is not what devices are
/// told: a way through is none of theirs.
#[test]
#[ignore = "needs a mount namespace, for a hosts file of its own"]
fn names_that_lead_nowhere() {
    let at_port = |host: &'static str, name, finds: &[&'static str]| {
        Case::new(name, plain().version("1.6.0"), &[], finds).probed(|server| {
            let url = format!("http://{host}:{}/xiaozhi/ota/", server.port_80.port());
            let skip = ["--skip", "websocket"];
            Probe::new(&url).with_hosts(HOSTS).with(&skip)
        })
    };
    hold(vec![
        at_port(
            HOST,
            "found in the hosts file",
            &["dns warn name-leads-nowhere"],
        ),
        // Said before it is looked up.
        at_port("localhost", "localhost", &["address warn loopback"]),
        // What the operator says counts.
        Case::new("placed there", plain(), &[], &[])
            .probed(|server| Probe::of(server).with_hosts(HOSTS)),
    ]);
    // Handed out, too: each name is told of where the device comes to it.
    let port = Arc::new(AtomicU16::new(0));
    let at = Arc::clone(&port);
    let server = plain()
        .json(move |json| {
            let port = at.load(Ordering::Relaxed);
            let voice = format!("ws://voice.example.com:{port}/xiaozhi/v1/");
            json["websocket"]["url"] = json!(voice);
            if json["firmware"]["url"] != "" {
                let image = format!("http://files.example.com:{port}/download/a_1.6.1.bin");
                json["firmware"]["url"] = json!(image);
            }
        })
        .start();
    port.store(server.port_80.port(), Ordering::Relaxed);
    let probed = Probe::of(&server).with_hosts(HOSTS).run();
    probed.finds(&[
        "websocket warn name-leads-nowhere",
        "download warn name-leads-nowhere",
    ]);
}

#[test]
fn hosts_that_are_not_there() {
    let nobody = Reserved::new();
    let nobody_over_ipv6 = Reserved::at(Ipv6Addr::LOCALHOST.into());
    let over_ipv6 = format!("ota.example.com={}", nobody_over_ipv6.address());
    hold(vec![
        Case::at(
            "no such name",
            address("http://no-such-name.invalid/xiaozhi/ota/"),
            &["dns fail name-not-found"],
        ),
        Case::at(
            "IPv6 alone",
            address("http://ota.example.com/xiaozhi/ota/").with(&["--resolve", &over_ipv6]),
            // And nobody listens there.
            &["dns fail no-ipv4", "tcp fail refused"],
        ),
        Case::at(
            "nobody listens",
            address("http://ota.example.com/xiaozhi/ota/").at(80, nobody.port()),
            &["tcp fail refused"],
        ),
        Case::new(
            "nobody listens for TLS",
            right().port_443(Port::Refuses),
            &[],
            &["tcp fail refused"],
        ),
    ]);
}
