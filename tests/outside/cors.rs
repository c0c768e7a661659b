//! Web pages that check in: whose page gets a token, where there is one.

use super::support::server::{SCHEMES, Setup, request};
use super::support::{Reply, Server, event};

const PATH: &str = "/xiaozhi/ota/";
const AUTH: &str = "server: {auth: {enabled: true}, auth_key: k-0123456789abcdef}\n";

fn ask(server: &Server, scheme: &str, method: &str, path: &str, origin: Option<&str>) -> Reply {
    let mut headers = vec![
        ("Device-Id", "aa:bb:cc:dd:ee:ff"),
        ("Client-Id", "7b94d69a"),
    ];
    headers.extend(origin.map(|origin| ("Origin", origin)));
    let body: &[u8] = if method == "POST" { b"{}" } else { b"" };
    let reply = server.send(scheme, &request(method, path, &headers, body));
    reply.hold_to_contract(path);
    reply
}

fn cors(reply: &Reply) -> [Option<&str>; 2] {
    ["Access-Control-Allow-Origin", "Vary"].map(|name| reply.header(name))
}

fn has_token(reply: &Reply) -> bool {
    reply.status == 200
        && !reply.json()["websocket"]["token"]
            .as_str()
            .unwrap()
            .is_empty()
}

#[test]
fn a_token_goes_to_no_page_of_another_origin() {
    let config =
        format!("{AUTH}gateway:\n  cors: ['http://Page.lan:8006/', 'https://tools.example']\n");
    let server = Setup::new().start(&config);
    for scheme in SCHEMES {
        // A device names none, and nothing changes for it.
        let reply = ask(&server, scheme, "POST", PATH, None);
        assert!(has_token(&reply));
        assert_eq!(cors(&reply), [Some("*"), None]);
        let own = format!("{scheme}://127.0.0.1");
        let own = if scheme == "http" {
            own
        } else {
            format!("{own}:443")
        };
        for origin in ["http://page.lan:8006", "https://tools.example", &own] {
            let reply = ask(&server, scheme, "POST", PATH, Some(origin));
            assert!(has_token(&reply), "{origin}");
            assert_eq!(cors(&reply), [Some(origin), Some("Origin")]);
            let reply = ask(&server, scheme, "OPTIONS", PATH, Some(origin));
            assert_eq!(reply.status, 200, "{origin}");
            assert_eq!(cors(&reply), [Some(origin), Some("Origin")]);
            let methods = reply.header("Access-Control-Allow-Methods");
            assert_eq!(methods, Some("GET, POST, OPTIONS"));
        }
        for origin in [
            "null",
            "",
            "http://evil.example",
            "http://page.lan",
            "https://page.lan:8006",
            "http://page.lan:8006.evil.example",
            "http://page.lan:8006, http://evil.example",
            "https://tools.example:8443",
            "file://",
            "http://127.0.0.1:1",
        ] {
            // A preflight, and a simple request, which has none.
            for (method, path) in [
                ("OPTIONS", PATH),
                ("POST", PATH),
                ("POST", "/xiaozhi/ota"),
                ("POST", "/ota"),
            ] {
                let reply = ask(&server, scheme, method, path, Some(origin));
                assert_eq!(reply.status, 403, "{method} {path} {origin}");
                assert!(!reply.text().contains("token\""), "{}", reply.text());
                assert_eq!(
                    cors(&reply),
                    [None, Some("Origin")],
                    "{method} {path} {origin}"
                );
            }
        }
        // What holds no token is anybody's to read, as it was.
        for (method, path) in [
            ("GET", PATH),
            ("POST", "/xiaozhi/ota/activate"),
            ("OPTIONS", "/xiaozhi/ota/activate"),
        ] {
            let reply = ask(&server, scheme, method, path, Some("http://evil.example"));
            assert_eq!(
                (reply.status, cors(&reply)),
                (200, [Some("*"), None]),
                "{method} {path}"
            );
        }
    }
    let fields = [("origin", "null"), ("device", "aa:bb:cc:dd:ee:ff")];
    let line = server.event("page.foreign", &fields);
    // Nobody can list it.
    assert!(!line.contains("gateway.cors"), "{line}");
}

#[test]
fn a_page_that_is_turned_away_is_told_of_with_what_to_write() {
    let server = Setup::new().start(AUTH);
    let origin = "http://192.168.1.5:8006";
    assert_eq!(ask(&server, "http", "POST", PATH, Some(origin)).status, 403);
    let line = server.event("page.foreign", &[("origin", origin)]);
    let listed = format!("cors: [\"{origin}\"]");
    assert!(line.contains(&format!("write gateway.{listed} ")), "{line}");
    // As it is said, and without a restart.
    server.configure(&format!("{AUTH}gateway:\n  {listed}\n"));
    let said = server.reload();
    assert!(
        said.iter()
            .any(|line| event::field(line, "keys").as_deref() == Some("gateway.cors")),
        "{said:#?}"
    );
    assert!(has_token(&ask(&server, "http", "POST", PATH, Some(origin))));
}

#[test]
fn an_attackers_name_that_leads_here_makes_no_page_ours() {
    let server = Setup::new().start(AUTH);
    let name = "evil.example:8003";
    let text = |origin: &str| {
        format!(
            "POST {PATH} HTTP/1.1\r\nHost: {name}\r\nOrigin: {origin}\r\nDevice-Id: d\r\nClient-Id: c\r\nContent-Length: 2\r\n\r\n{{}}"
        )
    };
    let reply = server.send("http", text("http://evil.example:8003").as_bytes());
    assert_eq!(reply.status, 403);
}

#[test]
fn an_mqtt_password_is_as_good_as_a_token() {
    let config = "server: {auth: {enabled: true}, auth_key: k-0123456789abcdef, mqtt_gateway: '192.168.1.9:1883', mqtt_signature_key: Sign-0123456789abcdef}\n";
    let server = Setup::new().start(config);
    assert_eq!(
        ask(&server, "http", "POST", PATH, Some("http://evil.example")).status,
        403
    );
    assert_eq!(ask(&server, "http", "POST", PATH, None).status, 200);
}

#[test]
fn without_tokens_any_page_may_ask() {
    let server = Setup::new().start("gateway:\n  cors: ['https://tools.example']\n");
    server.event("config.cors-unused", &[]);
    for method in ["POST", "OPTIONS"] {
        let reply = ask(&server, "http", method, PATH, Some("http://evil.example"));
        assert_eq!((reply.status, cors(&reply)), (200, [Some("*"), None]));
    }
}
