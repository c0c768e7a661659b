//! Plain HTTP while a fleet migrates, and after.

use super::support::server::{check_in, post, request};
use super::support::{Server, server::SCHEMES};

const HTTPS: &str = "server: {vision_explain: 'https://ota.example.com/mcp/vision/explain', websocket: 'wss://ota.example.com/xiaozhi/v1/'}\n";

#[test]
fn an_end_of_plain_http_is_a_refusal_and_never_a_redirect() {
    for end in ["false", "2020-01-01"] {
        let config = format!("{HTTPS}gateway:\n  http_fallback: {end}\n");
        let server = Server::start(&config, &["esp32s3_1.6.6.bin"]);
        for bytes in [
            check_in("esp32s3", "1.0"),
            post("/xiaozhi/ota", b"{}"),
            post("/xiaozhi/ota/activate", b"{}"),
            request("GET", "/xiaozhi/ota/", &[], b""),
            request("GET", "/xiaozhi/ota/download/esp32s3_1.6.6.bin", &[], b""),
        ] {
            let reply = server.send("http", &bytes);
            reply.hold_to_contract("refused");
            assert_eq!(reply.status, 403);
            assert!(
                reply
                    .text()
                    .contains("https://ota.example.com/xiaozhi/ota/"),
                "{}",
                reply.text()
            );
            assert_eq!(server.send("https", &bytes).status, 200);
        }
        server.event("plain-http.refused", &[("device", "aa:bb:cc:dd:ee:ff")]);
    }
}

#[test]
fn each_device_is_named_once_a_day() {
    let config = format!("{HTTPS}gateway:\n  http_fallback: 2099-12-31\n");
    let server = Server::start(&config, &[]);
    for _ in 0..3 {
        for scheme in SCHEMES {
            assert_eq!(server.send(scheme, &check_in("esp32s3", "1.0")).status, 200);
        }
    }
    let other = request(
        "POST",
        "/xiaozhi/ota/",
        &[("Device-Id", "11:22:33:44:55:66"), ("Client-Id", "c")],
        b"{}",
    );
    server.send("http", &other);
    server.event("plain-http.ends", &[("device", "11:22:33:44:55:66")]);
    let last_day = [("last_day", "2099-12-31")];
    assert_eq!(server.events("plain-http.ends", &last_day).len(), 2);
    assert_eq!(server.events("plain-http.ends", &[]).len(), 2);
}
