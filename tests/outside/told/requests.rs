//! Connections and requests that are turned away, and what each is told.

use crate::behind_proxy::connect;
use crate::proxy::{fine, talk};
use crate::support::backend::Backend;
use crate::support::server::{SCHEMES, exchange, request};
use crate::support::{Server, event, until};
use std::collections::HashMap;

pub(super) const URL: &str = "https://ota.example.com/edge/xiaozhi/ota/";
pub(super) const CONFIG: &str = "server: {ota: 'https://ota.example.com/edge/xiaozhi/ota/'}\n";

/// A request as a device makes it.
pub(super) fn asked(method: &str, path: &str, device: &str) -> Vec<u8> {
    let headers = [
        ("Device-Id", device),
        ("Client-Id", "7b94d69a-9808-4c59-9c9b-704333b38aff"),
        ("User-Agent", "bread-compact-wifi/1.6.0"),
    ];
    let body: &[u8] = if method == "POST" { b"{}" } else { b"" };
    request(method, path, &headers, body)
}

/// The paths that are plainly the OTA address.
fn spellings() -> Vec<&'static str> {
    vec![
        "//xiaozhi/ota/",
        "/xiaozhi//ota",
        "/xiaozhi/ota//",
        "///xiaozhi///ota///",
        "/XiaoZhi/OTA/",
        "/EDGE/xiaozhi/ota",
        "/xiaozhi/ota/%20",
        "/xiaozhi/ota%20/",
        "/%20/xiaozhi/ota/",
        "/%20xiaozhi/ota/",
        "/xiaozhi/ota/+",
        "/xiaozhi/ota/%09",
        "/xiaozhi/ota/\t",
        "/xiaozhi/ota/\t \t",
        "/xiaozhi/ota/%0A",
        "/xiaozhi/ota/%0d%0a",
        "/xiaozhi/ota/%E3%80%80",
        "/xiaozhi/ota/\u{3000}",
        "/xiaozhi/ota/%C2%A0",
        "/xiaozhi/ota/\u{feff}",
        "/xiaozhi/ota/\"",
        "/\"xiaozhi/ota/\"",
        "/xiaozhi/ota/%22",
        "/xiaozhi/ota/'",
        "/xiaozhi/ota/”",
        "/xiaozhi/ota/.",
        "/xiaozhi/ota.",
        "/xiaozhi/ota/,",
        "/xiaozhi/ota/;",
        "/xiaozhi/ota/。",
        "/xiaozhi/ota，",
        "/xiaozhi/ota/、",
        "/xiaozhi/ota/)",
        "/xiaozhi/ota/%3C%3E",
        "/xiaozhi/%6Fta/",
        "/%78%69%61%6f%7a%68%69/%6f%74%61/",
        "/xiaozhi%2Fota%2f",
        "/./xiaozhi/./ota/.",
        "/xiaozhi\\ota\\",
        "/ｘｉａｏｚｈｉ/ｏｔａ/",
        "/xiaozhi/ota//?a=b",
        "/xiaozhi/ota/%3Fa=b",
        "/xiaozhi/ota/xiaozhi/ota/",
        "/http://ota.example.com:8003/xiaozhi/ota/",
        "/xiaozhi/ota/https://ota.example.com/edge/xiaozhi/ota/",
        "http://127.0.0.1/XiaoZhi//ota/",
    ]
}

#[test]
fn every_spelling_that_is_plainly_the_ota_address_is_answered() {
    let backend = Backend::answering(fine);
    let server = Server::start(
        &format!(
            "{CONFIG}gateway:\n  proxy: {{routes: {{/: 'http://{0}', /xiaozhi: 'http://{0}'}}}}\n",
            backend.address
        ),
        &["bread-compact-wifi_1.6.6.bin"],
    );
    for path in spellings() {
        for scheme in SCHEMES {
            let reply = server.send(scheme, &asked("POST", path, "aa:aa"));
            reply.hold_to_contract(path);
            assert_eq!(
                reply.status,
                200,
                "{path:?} over {scheme}: {}",
                reply.text()
            );
            assert!(reply.json()["server_time"].is_object(), "{path:?}");
        }
    }
    for path in [
        "//xiaozhi/ota/activate",
        "/xiaozhi/OTA/Activate/",
        "/xiaozhi/ota//activate%20",
    ] {
        let reply = server.send("http", &asked("POST", path, "aa:aa"));
        assert_eq!(reply.json()["success"], true, "{path:?}");
    }
    let file = "bread-compact-wifi_1.6.6.bin";
    for folder in [
        "//xiaozhi/ota/download/",
        "/XiaoZhi/OTA/Download/",
        "/xiaozhi/ota//download//",
        "/xiaozhi/%6fta/download/",
        "/xiaozhi/ota/./download/",
    ] {
        let reply = server.send(
            "http",
            &request("GET", &format!("{folder}{file}"), &[], b""),
        );
        assert_eq!(
            reply.body,
            format!("firmware {file}").as_bytes(),
            "{folder}"
        );
        // The name is taken as it stands, and leads out of the folder by no spelling.
        for name in [
            "..%2f..%2f.config.yaml",
            "%2e%2e%2fbin%2fx_1.bin",
            "x%00_1.bin",
            &file.to_uppercase(),
        ] {
            let reply = server.send(
                "http",
                &request("GET", &format!("{folder}{name}"), &[], b""),
            );
            assert!([400, 404].contains(&reply.status), "{folder}{name}");
        }
    }
    assert!(backend.seen().is_empty(), "{:#?}", backend.seen());
    server.settle();
    assert!(server.events_of("path.", &[]).is_empty());
}

/// No spelling is a way around what the right one must keep to.
#[test]
fn every_spelling_is_judged_as_the_address_is() {
    let server = Server::start(&format!("{CONFIG}gateway:\n  http_fallback: false\n"), &[]);
    for path in spellings() {
        let reply = server.send("http", &asked("POST", path, "aa:aa"));
        assert_eq!(reply.status, 403, "{path:?}");
        assert_eq!(
            server.send("https", &asked("PUT", path, "aa:aa")).status,
            405,
            "{path:?}"
        );
    }
    // A backend for everything else gets nothing of what stands below the OTA address.
    let backend = Backend::answering(fine);
    let config = format!(
        "{CONFIG}gateway:\n  proxy: {{routes: {{/: 'http://{}'}}}}\n",
        backend.address
    );
    let server = Server::start(&config, &[]);
    for path in [
        "/xiaozhi/ota/else",
        "/xiaozhi/OTA/else",
        "//xiaozhi/ota/else",
        "/xiaozhi/%6fta/else",
        "/xiaozhi%2fota/else",
        "/xiaozhi/ota/../v1",
        "/xiaozhi/%6fta/../v1",
        "/xiaozhi/ota/%2e%2e",
    ] {
        assert_eq!(
            server.send("http", &asked("GET", path, "aa:aa")).status,
            404,
            "{path}"
        );
    }
    assert!(backend.seen().is_empty(), "{:#?}", backend.seen());
    // What is only a part of it is the backend's.
    for (seen, path) in ["/", "/ota/", "/xiaozhi/", "/x/xiaozhi/ota/"]
        .into_iter()
        .enumerate()
    {
        assert_eq!(
            server.send("http", &asked("POST", path, "aa:aa")).status,
            200,
            "{path}"
        );
        assert_eq!(backend.seen()[seen].line(), format!("POST {path} HTTP/1.1"));
    }
}

#[test]
fn a_device_that_asks_for_nothing_here_is_told_what_to_type() {
    let server = Server::start(CONFIG, &[]);
    for (n, (method, path)) in [
        ("POST", "/xiaozi/ota/"),
        ("POST", "/xiaozhi/oat/"),
        ("POST", "/xiaozhi/ota/index.html"),
        ("POST", "/xiaozhi/ota/ota"),
        ("POST", "/xiaozhiota/"),
        ("POST", "/api/update"),
        ("GET", "/"),
        ("GET", "/ota/"),
        ("POST", "/xiaozhi/../xiaozhi/ota/"),
        ("POST", "/%E5%9B%BA%E4%BB%B6/"),
        ("POST", "/固件/"),
    ]
    .into_iter()
    .enumerate()
    {
        let device = format!("aa:{n}");
        for _ in 0..2 {
            let reply = server.send("http", &asked(method, path, &device));
            reply.hold_to_contract(path);
            assert_eq!(reply.status, 404, "{path}");
            assert!(reply.text().contains(URL), "{path}");
        }
        let fields = [
            ("device", &*device),
            ("path", path),
            ("url", URL),
            ("method", method),
        ];
        server.event("path.unknown", &fields);
        server.settle();
        assert_eq!(
            server.events("path.unknown", &[("device", &device)]).len(),
            1,
            "{path}"
        );
    }
    // Whoever is near, too, once for the address.
    for path in ["/xiaozhi/otaa", "/xiaozhi/oat"] {
        let asked = request("POST", path, &[], b"");
        assert_eq!(server.send("http", &asked).status, 404);
    }
    server.settle();
    let lines = server.events("path.unknown", &[]);
    let unnamed = lines
        .iter()
        .filter(|line| event::field(line, "device").is_none());
    assert_eq!(unnamed.count(), 1, "{lines:#?}");
}

#[test]
fn a_device_that_left_out_a_part_is_answered_and_told() {
    let server = Server::start(CONFIG, &["bread-compact-wifi_1.6.6.bin"]);
    for (n, path) in [
        "/",
        "/ota",
        "/ota/",
        "/xiaozhi",
        "/Xiaozhi//",
        "/edge/",
        "/x/xiaozhi/ota/",
    ]
    .into_iter()
    .enumerate()
    {
        let device = format!("bb:{n}");
        let reply = server.send("http", &asked("POST", path, &device));
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.json()["server_time"].is_object(), "{path}");
        server.event(
            "path.part",
            &[("device", &device), ("path", path), ("url", URL)],
        );
    }
    // Whoever is no device is not.
    for headers in [&[][..], &[("Device-Id", "bb:bb")]] {
        assert_eq!(
            server
                .send("http", &request("POST", "/ota/", headers, b"{}"))
                .status,
            404
        );
    }
}

#[test]
fn scanners_and_browsers_fill_no_log() {
    let server = Server::start(CONFIG, &[]);
    for path in [
        "/",
        "/favicon.ico",
        "/robots.txt",
        "/wp-login.php",
        "/.env",
        "/.git/config",
        "/cgi-bin/luci",
        "/api/v1/models",
        "/vendor/phpunit/eval.php",
        "/actuator/health",
        "/data",
    ] {
        for (method, agent) in [
            ("GET", "Mozilla/5.0 (X11)"),
            ("POST", "curl/8.5.0"),
            ("GET", "zgrab/0.x"),
        ] {
            let reply = server.send(
                "http",
                &request(method, path, &[("User-Agent", agent)], b""),
            );
            assert_eq!(reply.status, 404, "{path}");
            assert!(reply.text().contains(URL), "{path}");
        }
    }
    server.send("http", &asked("GET", "/last", "cc:cc"));
    server.event("path.unknown", &[("path", "/last")]);
    assert_eq!(server.events_of("path.", &[]).len(), 1);
}

#[test]
fn a_method_that_is_not_allowed_is_named() {
    let server = Server::start("", &["x_1.0.bin"]);
    for (n, (method, path)) in [
        ("PUT", "/xiaozhi/ota/"),
        ("PATCH", "/xiaozhi//ota"),
        ("DELETE", "/xiaozhi/ota/activate"),
        ("POST", "/xiaozhi/ota/download/x_1.0.bin"),
    ]
    .into_iter()
    .enumerate()
    {
        let device = format!("ff:{n}");
        assert_eq!(
            server.send("http", &asked(method, path, &device)).status,
            405
        );
        let fields = [("device", &*device), ("method", method), ("path", path)];
        server.event("method.not-allowed", &fields);
    }
    talk(
        &server,
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    server.event("method.not-allowed", &[("method", "CONNECT")]);
}

#[test]
fn a_request_with_blanks_in_front_of_its_path_is_named() {
    let server = Server::start("", &[]);
    let mut stream = server.tcp();
    let reply = exchange(
        &mut stream,
        b"POST  /xiaozhi/ota/ HTTP/1.1\r\nHost: h\r\nDevice-Id: a\r\n\r\n",
    );
    assert_eq!(reply.status, 400);
    let line = server.event("request.unreadable", &[("device", "a")]);
    assert_eq!(
        event::field(&line, "why").as_deref(),
        Some("request.spaced")
    );
    // A check-in without one of its headers, too: each from an address of its own, for
    // that is the client where no device is named.
    for (n, header, missing) in [
        (1, "Device-Id: a", "Client-Id"),
        (2, "Client-Id: a", "Device-Id"),
        (3, "X: y", "Device-Id, Client-Id"),
    ] {
        let head = format!(
            "POST /xiaozhi/ota/ HTTP/1.1\r\nHost: h\r\n{header}\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        let mut stream = connect([127, 0, 0, n], server.address());
        assert_eq!(exchange(&mut stream, head.as_bytes()).status, 200);
        server.event("check-in.unnamed", &[("missing", missing)]);
    }
}

#[test]
fn invented_names_fill_no_log_and_a_device_that_was_served_is_named() {
    let server = Server::start("", &[]);
    server.send("http", &asked("POST", "/xiaozhi/ota/", "own"));
    let mut stream = server.tcp();
    let mut ask = |device: &str| {
        let head = format!("GET /xiaozhi/otta HTTP/1.1\r\nHost: h\r\nDevice-Id: {device}\r\n\r\n");
        assert_eq!(exchange(&mut stream, head.as_bytes()).status, 404);
    };
    for n in 0..520 {
        ask(&format!("stranger-{n}"));
    }
    ask("own");
    server.event("path.unknown", &[("device", "own")]);
    server.event("names.more", &[("peer", "127.0.0.1")]);
    // Hundreds of devices can be behind one router.
    server.event("path.unknown", &[("device", "stranger-350")]);
    assert_eq!(server.events("path.unknown", &[]).len(), 501);
    assert_eq!(server.events("names.more", &[]).len(), 1);
}

/// Names of files that are not here, and the one that is nearest, each of which is fetched
/// at its address.
const NEAR: [(&str, &str); 20] = [
    ("M_2.0.0.bin", "m_2.0.0.bin"),
    ("m_2.0.0.BIN", "m_2.0.0.bin"),
    ("m_2.0.0.bin%20", "m_2.0.0.bin"),
    ("%20m_2.0.0.bin", "m_2.0.0.bin"),
    ("m_2.0.0.bin%2520", "m_2.0.0.bin"),
    ("m_2.0.0.bin+", "m_2.0.0.bin"),
    ("m_2.0.0.bin.", "m_2.0.0.bin"),
    ("m_2.0.0.bin%E3%80%80", "m_2.0.0.bin"),
    ("m_2.0.0", "m_2.0.0.bin"),
    ("m_v2.0.0.bin", "m_2.0.0.bin"),
    ("m-2.0.0.bin", "m_2.0.0.bin"),
    ("m_2.0.0%20(1).bin", "m_2.0.0.bin"),
    ("bin/m_2.0.0.bin", "m_2.0.0.bin"),
    ("bin%2Fm_2.0.0.bin", "m_2.0.0.bin"),
    ("m_2.0.1.bin", "m_2.1.0.bin"),
    ("m_9.9.bin", "m_2.1.0.bin"),
    ("m.bin", "m_2.1.0.bin"),
    ("xmni-c3_2.0.0.bin", "xmini-c3_2.0.0.bin"),
    ("xmini_c3_1.0.0.bin", "xmini-c3_2.0.0.bin"),
    ("default_1.bin", "default_1.0.1.bin"),
];

#[test]
fn a_download_of_a_name_that_is_nearly_a_files_is_told_what_to_type() {
    let files = [
        "m_2.0.0.bin",
        "m_2.1.0.bin",
        "xmini-c3_2.0.0.bin",
        "default_1.0.1.bin",
    ];
    let server = Server::start("", &files);
    let mut told = HashMap::<_, usize>::new();
    for (asked, near) in NEAR {
        let reply = server.get(&format!("/xiaozhi/ota/download/{asked}"));
        assert!(matches!(reply.status, 400 | 404), "{asked}");
        *told.entry(near).or_default() += 1;
        let right = format!("/xiaozhi/ota/download/{near}");
        until(asked, || {
            let lines = server.events_of("download.", &[("near", near), ("right", &right)]);
            (lines.len() == told[near]).then_some(())
        });
    }
    // One that is near to none, and one that lies there and is not used.
    std::fs::write(server.bin().join("n_1.0.bin"), [0; 300]).unwrap();
    server.event("file.refused", &[("file", "n_1.0.bin")]);
    for (file, unused) in [("n_1.0.bin", "image.blank"), ("other-board_1.0.bin", "")] {
        server.get(&format!("/xiaozhi/ota/download/{file}"));
        let line = server.event("download.unknown", &[("file", file), ("message", unused)]);
        assert!(!line.contains("nearest"), "{line}");
    }
    // Once for each name.
    server.get("/xiaozhi/ota/download/M_2.0.0.bin");
    server.settle();
    let lines = server.events("download.unknown", &[("file", "M_2.0.0.bin")]);
    assert_eq!(lines.len(), 1);
}

#[test]
fn an_image_that_is_asked_for_elsewhere_is_named_with_its_address() {
    let server = Server::start("", &["m_2.0.0.bin"]);
    for (path, id) in [
        ("/m_2.0.0.bin", "path.image"),
        ("/data/bin/m_2.0.0.bin", "path.image"),
        ("/xiaozhi/ota/m_2.0.0.bin", "path.image"),
        ("/xiaozhi/ota/dowload/m_2.0.0.bin", "path.image"),
    ] {
        let device = format!("02:00:00:00:00:{:02x}", path.len());
        let reply = server.send(
            "http",
            &request("GET", path, &[("Device-Id", &*device)], b""),
        );
        assert_eq!(reply.status, 404, "{path}");
        let right = "/xiaozhi/ota/download/m_2.0.0.bin";
        server.event(
            id,
            &[("device", &*device), ("path", path), ("right", right)],
        );
    }
}
