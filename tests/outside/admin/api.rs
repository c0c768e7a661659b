//! The API of the admin address: every reply is held against its description.

use super::super::support::admin::ask;
use super::super::support::server::{BINARY, Setup, request};
use super::super::support::{Reserved, Server, until};
use super::{ANY_PORT, READER, is_error, started, with_reader};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use xiaozhi_image_builder::Image;

#[test]
fn what_is_told_is_as_it_is_described() {
    let server = Server::start(
        ANY_PORT,
        &["esp32s3_1.6.6.bin", "esp32s3_1.6.7.bin", "noname.bin"],
    );
    let (_, files) = server.admin_json("GET", "/api/v1/firmware", "");
    let files = files["files"].as_array().unwrap().clone();
    let names: Vec<_> = files
        .iter()
        .map(|file| file["file"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["esp32s3_1.6.6.bin", "esp32s3_1.6.7.bin", "noname.bin"]
    );
    assert_eq!(files[0]["model"], "esp32s3");
    assert_eq!(files[0]["verdict"], "ready");
    assert_eq!(files[0]["sha256"].as_str().map(str::len), Some(64));
    for (path, status) in [
        ("/api/v1/fleet", 200),
        ("/api/v1/devices", 200),
        (
            "/api/v1/devices?model=a&version=1&board=b&end=silent&seen_since=1h&q=x&limit=5",
            200,
        ),
        ("/api/v1/devices?modle=a", 400),
        ("/api/v1/devices?limit=0", 400),
        ("/api/v1/devices?after=!", 400),
        ("/api/v1/devices/no%2Fbody", 404),
        ("/api/v1/devices/%ff", 404),
        ("/api/v1/offers?end=silent&file=a&limit=1", 200),
        ("/api/v1/offers?newest=true&end=silent", 200),
        ("/api/v1/offers?newest=yes", 400),
        ("/api/v1/offers?end=failed", 400),
    ] {
        assert_eq!(server.admin_json("GET", path, "").0, status, "{path}");
    }
    let retry = "/api/v1/devices/aa:bb:cc:dd:ee:ff/retry";
    for (body, status) in [
        ("", 404),
        ("{\"file\": \"a.bin\"}", 404),
        ("{", 400),
        ("[]", 400),
    ] {
        assert_eq!(server.admin_json("POST", retry, body).0, status, "{body}");
    }
    let long = "x".repeat(20_000);
    let reply = server.admin("POST", retry, &server.admin_token(), &long);
    is_error(&reply, 413, "long-body");
    assert_eq!(server.admin_json("DELETE", "/api/v1/devices/a", "").0, 404);
    let both = ["/openapi.json", "/api/v1/openapi.json"];
    let both = both.map(|path| server.admin("GET", path, &server.admin_token(), "").json());
    assert_eq!(both[0], both[1]);
    assert!(both[0]["openapi"].as_str().unwrap().starts_with("3."));
}

#[test]
fn a_device_that_checks_in_is_shown() {
    let server = Server::start(ANY_PORT, &["esp32s3_1.6.6.bin"]);
    let offered = server.offered("esp32s3", "1.6.0").unwrap();
    assert!(offered.starts_with("esp32s3_1.6.6.bin"), "{offered}");
    let (_, page) = server.admin_json("GET", "/api/v1/devices", "");
    let [device] = &page["devices"].as_array().unwrap()[..] else {
        panic!("{page:#}");
    };
    for (key, value) in [
        ("mac", "aa:bb:cc:dd:ee:ff"),
        ("client_id", "7b94d69a-9808-4c59-9c9b-704333b38aff"),
        ("version", "1.6.0"),
        ("transport", "http"),
        ("address", "127.0.0.1"),
    ] {
        assert_eq!(device[key], value, "{device:#}");
    }
    assert_eq!(device["board"]["type"], "esp32s3");
    let offer = &device["offers"][0];
    assert_eq!(
        (&offer["file"], &offer["end"]),
        (&"esp32s3_1.6.6.bin".into(), &"offered".into())
    );
    for id in [
        "aa:bb:cc:dd:ee:ff",
        "AA-BB-CC-DD-EE-FF",
        "aabbccddeeff",
        "AABB.CCDD.EEFF",
        "%61a:bb:cc:dd:ee:ff",
    ] {
        let (status, found) = server.admin_json("GET", &format!("/api/v1/devices/{id}"), "");
        assert_eq!((status, &found), (200, device), "{id}");
    }
    let (_, fleet) = server.admin_json("GET", "/api/v1/fleet", "");
    assert_eq!(fleet["devices"], 1);
    assert_eq!(fleet["models"][0]["model"], "esp32s3");
    assert_eq!(fleet["ends"]["offered"], 1);
    let (_, offers) = server.admin_json("GET", "/api/v1/offers?end=offered", "");
    assert_eq!(offers["offers"][0]["mac"], "aa:bb:cc:dd:ee:ff");
    let (_, files) = server.admin_json("GET", "/api/v1/firmware", "");
    assert_eq!(files["files"][0]["ends"]["offered"], 1);
    for (query, count) in [
        ("version=1.6.0", 1),
        ("version=1.6.6", 0),
        ("q=DD-EE", 1),
        ("q=dd:ee", 1),
        ("end=offered", 1),
    ] {
        let (_, page) = server.admin_json("GET", &format!("/api/v1/devices?{query}"), "");
        assert_eq!(page["devices"].as_array().unwrap().len(), count, "{query}");
    }
    // An id that is no MAC address.
    let headers = [("Device-Id", "a/b c"), ("Client-Id", "c")];
    server.send("http", &request("POST", "/xiaozhi/ota/", &headers, b"{}"));
    let (status, other) = server.admin_json("GET", "/api/v1/devices/a%2Fb%20c", "");
    assert_eq!((status, &other["mac"]), (200, &"a/b c".into()));
}

#[test]
fn orders_are_written_down_and_a_forgotten_device_leaves_nothing() {
    let image = Image::new("1.6.6").build();
    let server = Setup::new()
        .file("esp32s3_1.6.6.bin", image)
        .start(ANY_PORT);
    // With the token in it, which ties the download to the device.
    let told = server.check_in("esp32s3", "1.6.0").whole_json();
    let url = told["firmware"]["url"].as_str().unwrap();
    let path = format!("/{}", url.splitn(4, '/').nth(3).unwrap());
    let device = "/api/v1/devices/aa:bb:cc:dd:ee:ff";
    assert_eq!(server.get(&path).status, 200);
    let end = || server.admin_json("GET", device, "").1["offers"][0]["end"].clone();
    until("it has it", || (end() == "fetched").then_some(()));
    // It comes again with what it ran before.
    server.offered("esp32s3", "1.6.0");
    let (_, failed) = server.admin_json("GET", device, "");
    assert_eq!(failed["failed"][0]["file"], "esp32s3_1.6.6.bin");
    assert_eq!(failed["failed"][0]["times"], 1);
    let retry = format!("{device}/retry");
    let (status, error) = server.admin_json("POST", &retry, "{\"file\": \"other.bin\"}");
    assert_eq!((status, &error["error"]["id"]), (404, &"no-file".into()));
    let orders = server.dir.path().join("data/state/orders.json");
    let mut written = String::new();
    // It failed once; and then nothing has failed, of which nothing is written.
    for (cleared, body) in [(1, "{\"file\": \"esp32s3_1.6.6.bin\"}"), (0, ""), (0, "{}")] {
        let (status, told) = server.admin_json("POST", &retry, body);
        assert_eq!(
            (status, &told["device"]),
            (200, &"aa:bb:cc:dd:ee:ff".into()),
            "{told}"
        );
        assert_eq!(told["retried"], 0);
        assert_eq!(told["cleared"], cleared, "{told}");
        let now = fs::read_to_string(&orders).unwrap();
        assert_eq!(now != written, cleared > 0, "{now}");
        written = now;
    }
    let by = [("device", "aa:bb:cc:dd:ee:ff"), ("by", "admin.token")];
    server.event("admin.retried", &by);
    assert!(
        written.contains("aa:bb:cc:dd:ee:ff") && written.contains("esp32s3_1.6.6.bin"),
        "{written}"
    );
    let (status, told) = server.admin_json("DELETE", "/api/v1/devices/AABBCCDDEEFF", "");
    assert_eq!((status, &told["forgotten"]), (200, &true.into()));
    assert_eq!(server.admin_json("GET", device, "").0, 404);
    assert_eq!(server.admin_json("DELETE", device, "").0, 404);
    let written = fs::read_to_string(&orders).unwrap();
    assert!(
        !written.contains("aa:bb:cc") && written.contains("admin.token"),
        "{written}"
    );
    let line = server.event("admin.forgot", &[("by", "admin.token")]);
    assert!(!line.contains("aa:bb:cc"), "{line}");
    let (_, page) = server.admin_json("GET", "/api/v1/devices", "");
    assert_eq!(page["devices"].as_array().unwrap().len(), 0);
}

#[test]
fn what_is_measured_is_told_to_who_may_look() {
    let server = with_reader();
    let reply = server.admin("GET", "/metrics", READER, "");
    assert_eq!(reply.status, 200);
    let media_type = reply.header("Content-Type").unwrap();
    assert!(
        media_type.starts_with("text/plain") || media_type.contains("openmetrics"),
        "{media_type}"
    );
    for name in ["xiaozhi_ota_build_info{", "process_start_time_seconds "] {
        assert!(reply.text().contains(name), "{}", reply.text());
    }
}

#[test]
fn a_device_is_found_by_a_part_of_its_address_as_people_type_it() {
    let port = Reserved::new();
    let address = format!("127.0.0.1:{}", port.port());
    drop(port);
    let config = format!("gateway:\n  admin: {{listen: '{address}'}}\n");
    let server = Setup::new().start(&config);
    for device in ["aa:bb:cc:dd:ee:01", "AA-BB-0C-DD-EE-02", "1aabb2000003"] {
        let body = br#"{"application":{"version":"1.6.0"},"board":{"name":"some-board"}}"#;
        let headers = [("Device-Id", device), ("Client-Id", "c")];
        let check = request("POST", "/xiaozhi/ota/", &headers, body);
        assert_eq!(server.send("http", &check).status, 200);
    }
    let [one, two, three] = [
        "aa:bb:cc:dd:ee:01",
        "aa:bb:0c:dd:ee:02",
        "1a:ab:b2:00:00:03",
    ];
    for (q, found) in [
        ("aa-bb", vec![two, one]),
        ("AABB", vec![three, two, one]),
        ("aa:bb:c", vec![one]),
        ("aabb.cc", vec![one]),
        ("AA-BB-0", vec![two]),
        ("AABBCCDDEE01", vec![one]),
        ("aabb.0cdd.ee02", vec![two]),
        ("b2-00", vec![three]),
        ("some-BOARD", vec![three, two, one]),
        ("1.6", vec![three, two, one]),
        ("aa-cc", vec![]),
    ] {
        let (status, page) = server.admin_json("GET", &format!("/api/v1/devices?q={q}"), "");
        assert_eq!(status, 200, "{q}");
        let devices = page["devices"].as_array().unwrap().iter();
        let macs: Vec<_> = devices
            .map(|device| device["mac"].as_str().unwrap())
            .collect();
        assert_eq!(macs, found, "{q}");
        for by in [&["devices", q][..], &["devices", "--q", q]] {
            let mut command = Command::new(BINARY);
            let command = command.args(by).arg("--csv").current_dir(server.dir.path());
            let output = command.output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{by:?}: {said}");
            for mac in [one, two, three] {
                assert_eq!(said.contains(mac), found.contains(&mac), "{by:?}: {said}");
            }
        }
    }
}

/// Returns what is shown of connections: accepted, shaken hands with, failed to, turned away.
#[track_caller]
fn of_connections(server: &Server) -> [u64; 4] {
    let reply = server.admin("GET", "/metrics", &server.admin_token(), "");
    assert_eq!(reply.status, 200);
    let text = reply.text();
    [
        "connections_accepted_total",
        "tls_handshakes_total",
        "tls_handshake_failures_total",
        "connections_turned_away_total",
    ]
    .map(|name| {
        let of_it = |line: &&str| line.starts_with(&format!("xiaozhi_ota_{name}"));
        let lines = text.lines().filter(of_it);
        let values = lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
        values.sum()
    })
}

/// Alerts hold them against the permits of devices, and against devices' handshakes.
#[test]
fn connections_of_devices_alone_are_measured() {
    let server = started();
    let before = of_connections(&server);
    let address = server.admin_address();
    for _ in 0..3 {
        assert_eq!(server.admin("GET", "/healthz", "", "").status, 200);
        let mut stream = server.tls_over(server.admin_tcp(), "localhost", None);
        let reply = ask(&mut stream, "GET", "/healthz", "localhost", &[], "");
        assert_eq!(reply.status, 200);
        // What begins as a handshake, and is none.
        let mut stream = server.admin_tcp();
        stream.write_all(b"\x16\x03\x01\x00\x05hello").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    // More than there is room for, of which somebody has to go.
    let connect = |_| TcpStream::connect(address).unwrap();
    let crowd: Vec<TcpStream> = (0..100).map(connect).collect();
    until("somebody who is turned away", || {
        crowd.iter().find_map(|mut stream| {
            stream.set_nonblocking(true).unwrap();
            let read = stream.read(&mut [0; 64]);
            read.is_ok().then_some(())
        })
    });
    drop(crowd);
    let after = until("room for an answer", || {
        let reply = server.admin("GET", "/healthz", "", "");
        (reply.status == 200).then(|| of_connections(&server))
    });
    assert_eq!(after, before);
    assert_eq!(server.check_in("esp32s3", "1.0.0").status, 200);
    let check = request("GET", "/", &[], b"");
    assert!(server.send("https", &check).status > 0);
    let mut stream = server.tcp();
    stream.write_all(b"\x16\x03\x01\x00\x05hello").unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
    let [accepted, shaken, failed, turned_away] = before;
    until("those of devices", || {
        let now = of_connections(&server);
        (now == [accepted + 3, shaken + 1, failed + 1, turned_away]).then_some(())
    });
}
