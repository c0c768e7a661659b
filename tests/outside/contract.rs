//! Every reply on a device's path, errors too, held to what devices can bear.

use super::support::Server;
use super::support::server::{SCHEMES, check_in, exchange, post, read_reply, request};
use std::io::{Read, Write};

const VISION: &str = "server:\n  vision_explain: http://yourdomain.com/edge/mcp/vision/explain\n";

fn server() -> Server {
    Server::start(
        VISION,
        &["esp32s3_1.6.6.bin", "小 板+_1.0.bin", "a..b_2.0.bin"],
    )
}

/// What is asked, which status it gets, and how it is asked.
#[expect(clippy::too_many_lines, reason = "a table")]
fn asked() -> Vec<(&'static str, u16, Vec<u8>)> {
    let file = "/xiaozhi/ota/download/esp32s3_1.6.6.bin";
    let big = vec![b' '; 70 * 1024];
    vec![
        ("check-in", 200, check_in("esp32s3", "1.6.0")),
        ("up to date", 200, check_in("esp32s3", "1.6.6")),
        ("no slash", 200, post("/xiaozhi/ota", b"{}")),
        ("prefix", 200, post("/edge/xiaozhi/ota/", b"{}")),
        ("prefix, no slash", 200, post("/edge/xiaozhi/ota", b"{}")),
        ("query", 200, post("/xiaozhi/ota/?a=b", b"{}")),
        (
            "absolute form",
            200,
            post("http://127.0.0.1/xiaozhi/ota/", b"{}"),
        ),
        ("a blank behind", 200, post("/xiaozhi/ota/ ", b"{}")),
        ("a blank, no slash", 200, post("/xiaozhi/ota ", b"{}")),
        ("blanks behind", 200, post("/edge/xiaozhi/ota/   ", b"{}")),
        (
            "a blank behind, shown",
            200,
            request("GET", "/xiaozhi/ota/ ", &[], b""),
        ),
        (
            "a blank behind a file",
            200,
            request("GET", &format!("{file} "), &[], b""),
        ),
        (
            "a blank within",
            400,
            request("GET", "/xiaozhi /ota/", &[], b""),
        ),
        ("not JSON", 200, post("/xiaozhi/ota/", b"\xff\x00{{{")),
        (
            "no identity",
            200,
            request("POST", "/xiaozhi/ota/", &[], b"{}"),
        ),
        (
            "empty identity",
            200,
            request(
                "POST",
                "/xiaozhi/ota/",
                &[("Device-Id", ""), ("Client-Id", "c")],
                b"{}",
            ),
        ),
        ("show", 200, request("GET", "/xiaozhi/ota/", &[], b"")),
        ("show head", 200, request("HEAD", "/xiaozhi/ota/", &[], b"")),
        (
            "options",
            200,
            request("OPTIONS", "/xiaozhi/ota/", &[], b""),
        ),
        ("activate", 200, post("/xiaozhi/ota/activate", b"{}")),
        (
            "activate, prefix",
            200,
            post("/edge/xiaozhi/ota/activate", b"{}"),
        ),
        ("download", 200, request("GET", file, &[], b"")),
        ("download head", 200, request("HEAD", file, &[], b"")),
        (
            "download, prefix",
            200,
            request(
                "GET",
                "/edge/xiaozhi/ota/download/esp32s3_1.6.6.bin",
                &[],
                b"",
            ),
        ),
        (
            "range",
            206,
            request("GET", file, &[("Range", "bytes=3-5")], b""),
        ),
        (
            "bad range",
            416,
            request("GET", file, &[("Range", "bytes=99-")], b""),
        ),
        (
            "etag",
            304,
            request("GET", file, &[("If-None-Match", "*")], b""),
        ),
        (
            "precondition",
            412,
            request("GET", file, &[("If-Match", "\"x\"")], b""),
        ),
        (
            "missing",
            404,
            request("GET", "/xiaozhi/ota/download/esp32s3_9.bin", &[], b""),
        ),
        (
            "no bin",
            400,
            request("GET", "/xiaozhi/ota/download/x.txt", &[], b""),
        ),
        (
            "empty name",
            400,
            request("GET", "/xiaozhi/ota/download/", &[], b""),
        ),
        (
            "traversal",
            400,
            request(
                "GET",
                "/xiaozhi/ota/download/..%2f..%2fdata%2f.config.yaml",
                &[],
                b"",
            ),
        ),
        (
            "traversal to a bin",
            400,
            request(
                "GET",
                "/xiaozhi/ota/download/..%2fbin%2fesp32s3_1.6.6.bin",
                &[],
                b"",
            ),
        ),
        (
            "raw traversal",
            400,
            request(
                "GET",
                "/xiaozhi/ota/download/../bin/esp32s3_1.6.6.bin",
                &[],
                b"",
            ),
        ),
        (
            "NUL",
            400,
            request("GET", "/xiaozhi/ota/download/a%00_1.bin", &[], b""),
        ),
        (
            "no UTF-8",
            400,
            request("GET", "/xiaozhi/ota/download/%ff_1.bin", &[], b""),
        ),
        (
            "wrong method",
            405,
            request("DELETE", "/xiaozhi/ota/", &[], b""),
        ),
        (
            "wrong method on a file",
            405,
            request("PUT", file, &[], b"x"),
        ),
        ("elsewhere", 404, request("GET", "/", &[], b"")),
        ("almost", 404, request("GET", "/xiaozhi/otax", &[], b"")),
        ("too big", 413, post("/xiaozhi/ota/", &big)),
        ("no HTTP", 400, b"hello\r\n\r\n".to_vec()),
        (
            "head too big",
            431,
            // A little more than is read, so that all of it is on its way when the
            // connection ends.
            request("GET", "/xiaozhi/ota/", &[("X", &"y".repeat(16_500))], b""),
        ),
        (
            "HTTP/1.0",
            200,
            b"GET /xiaozhi/ota/ HTTP/1.0\r\n\r\n".to_vec(),
        ),
    ]
}

#[test]
fn every_reply_keeps_the_rules() {
    let server = server();
    for (name, status, bytes) in asked() {
        for scheme in SCHEMES {
            let reply = server.send(scheme, &bytes);
            assert_eq!(reply.status, status, "{name} over {scheme}");
            reply.hold_to_contract(name);
            assert!(reply.whole, "{name}");
        }
    }
}

#[test]
fn connections_are_kept_and_closed_as_asked() {
    let server = server();
    let mut stream = server.tcp();
    for _ in 0..3 {
        let reply = exchange(&mut stream, &check_in("esp32s3", "1.6.0"));
        assert_eq!((reply.status, reply.header("Connection")), (200, None));
    }
    // What no parser can take ends the connection, not the server.
    let close = request("GET", "/xiaozhi/ota/", &[("Connection", "close")], b"");
    let reply = exchange(&mut stream, &close);
    assert_eq!(reply.header("Connection"), Some("close"));
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    // A body that is too big: the reply comes though the client is still
    // sending, and the connection ends with it.
    let reply = server.send("http", &post("/xiaozhi/ota/", &vec![b'x'; 600 * 1024]));
    assert_eq!(
        (reply.status, reply.header("Connection")),
        (413, Some("close"))
    );
    assert!(reply.text().contains("65536"));
    assert_eq!(
        server
            .send("http", &post("/xiaozhi/ota/", &vec![b' '; 64 * 1024]))
            .status,
        200
    );
}

#[test]
fn a_name_that_is_offered_can_be_fetched() {
    let server = server();
    for (model, file) in [
        ("小 板+", "%E5%B0%8F%20%E6%9D%BF%2B_1.0.bin"),
        ("a..b", "a..b_2.0.bin"),
    ] {
        let offered = server.offered(model, "0.1").unwrap();
        assert_eq!(offered, file);
        let reply = server.get(&format!("/xiaozhi/ota/download/{offered}"));
        assert_eq!(
            (reply.status, reply.body.starts_with(b"firmware ")),
            (200, true)
        );
    }
}

#[test]
fn the_url_has_the_scheme_host_port_and_prefix_of_the_configuration() {
    for (config, base) in [
        (
            "server:\n  vision_explain: https://localhost:8003/mcp/vision/explain\n",
            "https://localhost:8003/xiaozhi/ota/download/",
        ),
        (
            "server:\n  vision_explain: https://d.com/edge/mcp/vision/explain\n",
            "https://d.com/edge/xiaozhi/ota/download/",
        ),
        (
            "server:\n  vision_explain: http://d.com/edge/mcp/vision/explain\n  ota: https://e.com/my/ota/\n",
            "https://e.com/my/ota/download/",
        ),
    ] {
        let server = Server::start(config, &["esp32s3_1.6.6.bin"]);
        for scheme in SCHEMES {
            let (_, url) = server.send(scheme, &check_in("esp32s3", "1.0")).firmware();
            assert_eq!(
                url,
                format!("{base}esp32s3_1.6.6.bin"),
                "{config} over {scheme}"
            );
            // And that path is served here, and the one beside the vision address.
            if config.contains("/edge/") {
                assert_eq!(
                    server
                        .send(scheme, &post("/edge/xiaozhi/ota/", b"{}"))
                        .status,
                    200
                );
            }
            let path = url.splitn(4, '/').nth(3).unwrap();
            assert_eq!(
                server
                    .send(scheme, &request("GET", &format!("/{path}"), &[], b""))
                    .status,
                200
            );
        }
    }
}

#[test]
fn a_device_that_any_firmware_object_would_restart_gets_none() {
    let server = server();
    for own in ["v1.6.0", "2.0.x", "1..2", "1.202511211530"] {
        let json = server.check_in("esp32s3", own).json();
        assert!(json.get("firmware").is_none(), "{own}: {json}");
        assert!(json["websocket"]["url"].is_string());
        server.event("device.version-aborts", &[("version", own)]);
    }
}

#[test]
fn a_check_is_small_and_holds_no_null() {
    let server = server();
    let reply = server.check_in("esp32s3", "1.6.0");
    assert!(reply.body.len() < 1024);
    assert!(!reply.text().contains("null"));
    assert!(reply.json().get("activation").is_none() && reply.json().get("mqtt").is_none());
}

#[test]
fn a_reply_that_needs_no_body_comes_though_one_is_still_being_sent() {
    let server = server();
    for path in [
        "/xiaozhi/ota/activate",
        "/nowhere",
        "/xiaozhi/ota/download/x_1.bin",
    ] {
        let mut stream = server.tcp();
        stream
            .write_all(
                format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n")
                    .as_bytes(),
            )
            .unwrap();
        for _ in 0..3 {
            stream.write_all(&vec![b' '; 100_000]).unwrap();
            std::thread::yield_now();
        }
        let reply = read_reply(&mut stream, false);
        reply.hold_to_contract(path);
        // And the connection is good for another one.
        assert_eq!(
            exchange(&mut stream, &check_in("esp32s3", "1.0")).status,
            200,
            "{path}"
        );
    }
}

/// What a device sends whose owner typed a blank behind the address.
#[test]
fn a_blank_behind_the_address_gets_the_offer() {
    let server = server();
    for scheme in SCHEMES {
        let typed = String::from_utf8(check_in("esp32s3", "1.6.0")).unwrap();
        let typed = typed.replacen(" HTTP/1.1", "  HTTP/1.1", 1);
        assert!(typed.starts_with("POST /xiaozhi/ota/  HTTP/1.1\r\n"));
        let reply = server.send(scheme, typed.as_bytes());
        assert_eq!(reply.firmware().0, "1.6.6");
        // On a connection that is kept, too.
        let mut stream = server.tcp();
        for _ in 0..2 {
            assert_eq!(
                exchange(&mut stream, typed.as_bytes()).firmware().0,
                "1.6.6"
            );
        }
    }
}

#[test]
fn a_body_that_is_announced_too_big_is_refused_at_once() {
    // Nobody waits for the idle time here: it is longer than any test.
    let config = format!("{VISION}gateway:\n  limits: {{idle: 1h}}\n");
    let server = Server::start(&config, &["esp32s3_1.6.6.bin"]);
    for (method, path, status) in [
        ("POST", "/xiaozhi/ota/", 413),
        ("POST", "/edge/xiaozhi/ota", 413),
        ("POST", "/nowhere", 404),
        ("PUT", "/xiaozhi/ota/", 405),
        ("GET", "/xiaozhi/ota/download/esp32s3_1.6.6.bin", 200),
    ] {
        for length in ["1000000000", "9223372036854775807", "70000000"] {
            let mut stream = server.tcp();
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: h\r\nDevice-Id: d\r\nClient-Id: c\r\nContent-Length: {length}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            let reply = read_reply(&mut stream, false);
            reply.hold_to_contract(path);
            assert_eq!(reply.status, status, "{method} {path} {length}");
            assert_eq!(reply.header("Connection"), Some("close"), "{method} {path}");
        }
    }
    // One that says nothing of its length, as soon as it is too long; and who asks
    // first is told before it sends.
    let mut stream = server.tcp();
    stream
        .write_all(b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n12000\r\n")
        .unwrap();
    stream.write_all(&vec![b' '; 0x11000]).unwrap();
    assert_eq!(read_reply(&mut stream, false).status, 413);
    let mut stream = server.tcp();
    stream
        .write_all(b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n")
        .unwrap();
    assert_eq!(read_reply(&mut stream, false).status, 413);
    // Who sends all of it nevertheless sees the answer.
    let mut stream = server.tcp();
    stream
        .write_all(b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n")
        .unwrap();
    stream.write_all(&vec![b' '; 4_000_000]).unwrap();
    assert_eq!(read_reply(&mut stream, false).status, 413);
    assert_eq!(server.check_in("esp32s3", "1.6.0").status, 200);
}

#[test]
fn no_cache_hands_out_what_was() {
    let server = server();
    let file = "/xiaozhi/ota/download/esp32s3_1.6.6.bin";
    let etag = server.get(file).header("Etag").unwrap().to_owned();
    for (headers, status) in [
        (&[][..], 200),
        (&[("Range", "bytes=1-2")], 206),
        (&[("If-None-Match", &*etag)], 304),
    ] {
        for method in ["GET", "HEAD"] {
            let reply = server.send("http", &request(method, file, headers, b""));
            if method == "GET" || status != 206 {
                assert_eq!(reply.status, status);
            }
            // RFC 9111, section 5.2.2.4: not without asking.
            assert_eq!(
                reply.header("Cache-Control"),
                Some("no-cache, no-transform")
            );
        }
    }
    for (name, status, bytes) in asked() {
        if status == 431 {
            continue;
        }
        let reply = server.send("http", &bytes);
        if reply.status == 400 && reply.header("Content-Type").is_none() {
            continue; // hyper's own, which no cache stores (RFC 9110, section 15.1).
        }
        let control = reply.header("Cache-Control");
        let is_image = matches!(status, 200 | 206 | 304)
            && reply.header("Content-Type") == Some("application/octet-stream");
        let expected = if is_image {
            "no-cache, no-transform"
        } else {
            "no-store"
        };
        assert_eq!(control, Some(expected), "{name}");
    }
}

#[test]
fn a_client_that_shuts_its_side_gets_its_reply() {
    let server = server();
    let mut stream = server.tcp();
    stream
        .write_all(&request(
            "GET",
            "/xiaozhi/ota/download/esp32s3_1.6.6.bin",
            &[],
            b"",
        ))
        .unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let reply = read_reply(&mut stream, false);
    assert_eq!((reply.status, reply.whole), (200, true));
}
