//! Requests that are not a device's: of pages in somebody's browser, and of those who
//! hope that two servers read one request in two ways.

use super::watch::{IMAGE, Scenario, image};
use crate::support::Reply;
use crate::support::server::{PATIENT, Server, Setup, exchange, post};
use std::fmt::Write as _;

const KEY: &str = "server: {auth: {enabled: true}, auth_key: Hk3-Zq8-page}\n";

fn server(config: &str, gateway: &str) -> Server {
    let config = format!("{config}gateway:\n{PATIENT}{gateway}");
    Setup::new().file(IMAGE, image()).start(&config)
}

/// A check-in that a page of this origin makes.
fn by_page(server: &Server, origin: &str) -> Reply {
    let body = r#"{"application":{"name":"xiaozhi","version":"1.0"},"board":{"type":"x"}}"#;
    let text = String::from_utf8(post("/xiaozhi/ota/", body.as_bytes())).unwrap();
    let mut asked = String::new();
    let (first, rest) = text.split_once("\r\n").unwrap();
    write!(asked, "{first}\r\nOrigin: {origin}\r\n{rest}").unwrap();
    exchange(&mut server.tcp(), asked.as_bytes())
}

/// Tells whether a page that gets this reply can read a token in it.
fn tells_a_token(reply: &Reply, origin: &str) -> bool {
    let allowed = reply.header("Access-Control-Allow-Origin");
    let is_shown = allowed.is_some_and(|allowed| allowed == "*" || allowed == origin);
    let json: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    is_shown
        && json["websocket"]["token"]
            .as_str()
            .is_some_and(|token| !token.is_empty())
}

const PAGES: [&str; 4] = [
    "http://evil.example",
    "https://evil.example:8443",
    "null",
    "http://127.0.0.1:1",
];

#[test]
fn pages_of_strangers_get_no_token() {
    let Some(scenario) = Scenario::new("pages_of_strangers_get_no_token") else {
        return;
    };
    let server = server(KEY, "");
    let did = format!("check-ins by pages of {} other origins", PAGES.len());
    scenario.run(&server, did, |_| {
        for origin in PAGES {
            let reply = by_page(&server, origin);
            assert!(!tells_a_token(&reply, origin), "{origin}: {reply:?}");
        }
    });
}

#[test]
fn pages_that_are_listed_get_a_token() {
    let Some(scenario) = Scenario::new("pages_that_are_listed_get_a_token") else {
        return;
    };
    let server = server(KEY, "  cors: ['https://console.example.com']\n");
    scenario.run(
        &server,
        "check-ins by a page that is listed, and by others",
        |_| {
            let listed = "https://console.example.com";
            let reply = by_page(&server, listed);
            assert!(tells_a_token(&reply, listed), "{reply:?}");
            for origin in PAGES
                .into_iter()
                .chain(["https://console.example.com.evil.example"])
            {
                let reply = by_page(&server, origin);
                assert!(!tells_a_token(&reply, origin), "{origin}: {reply:?}");
            }
        },
    );
}

#[test]
fn without_tokens_pages_are_answered_as_ever() {
    let Some(scenario) = Scenario::new("without_tokens_pages_are_answered_as_ever") else {
        return;
    };
    let server = server("", "");
    scenario.run(
        &server,
        "check-ins by pages, where there are no tokens",
        |_| {
            for origin in PAGES {
                let reply = by_page(&server, origin);
                assert_eq!(reply.status, 200);
                assert_eq!(reply.header("Access-Control-Allow-Origin"), Some("*"));
            }
        },
    );
}

#[test]
fn requests_that_can_be_read_in_two_ways() {
    let Some(scenario) = Scenario::new("requests_that_can_be_read_in_two_ways") else {
        return;
    };
    let server = server("", "");
    let check = |version: &str, headers: &str| {
        format!("POST /xiaozhi/ota/ {version}\r\n{headers}Connection: close\r\n\r\n")
    };
    let refused = [
        check("HTTP/1.1", "Host: a\r\nHost: b\r\nContent-Length: 2\r\n") + "{}",
        check("HTTP/1.1", "Host: a\r\nhost: a\r\nContent-Length: 2\r\n") + "{}",
        check("HTTP/1.0", "Host: a\r\nHost: b\r\nContent-Length: 2\r\n") + "{}",
        check("HTTP/1.1", "Content-Length: 2\r\n") + "{}",
        check(
            "HTTP/1.1",
            "Host: a\r\nTransfer-Encoding: identity, chunked\r\n",
        ) + "2\r\n{}\r\n0\r\n\r\n",
        check(
            "HTTP/1.1",
            "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n",
        ) + "2\r\n{}\r\n0\r\n\r\n",
        check(
            "HTTP/1.1",
            "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ) + "0\r\n\r\n",
        check(
            "HTTP/1.1",
            "Host: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n",
        ) + "{}",
        "GET /xiaozhi/ota/ HTTP/1.1\r\n\r\n".to_owned(),
        "GET /xiaozhi/ota/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
        format!("GET /xiaozhi/ota/download/{IMAGE} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        "OPTIONS /xiaozhi/ota/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
    ];
    let fine = [
        check("HTTP/1.0", "Content-Length: 2\r\n") + "{}",
        check("HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked\r\n") + "2\r\n{}\r\n0\r\n\r\n",
        "GET /xiaozhi/ota/ HTTP/1.0\r\n\r\n".to_owned(),
    ];
    let did = format!("{} requests that can be read in two ways", refused.len());
    scenario.run(&server, did, |_| {
        for asked in refused {
            let reply = exchange(&mut server.tcp(), asked.as_bytes());
            assert!([400, 501].contains(&reply.status), "{asked}{reply:?}");
            reply.hold_to_contract(&asked);
        }
        for asked in fine {
            let reply = exchange(&mut server.tcp(), asked.as_bytes());
            assert_eq!(reply.status, 200, "{asked}");
        }
    });
}
