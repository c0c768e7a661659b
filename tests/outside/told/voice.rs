//! Paths of xiaozhi-server that come here, and voice that a proxy in front broke.

use super::requests::{CONFIG, URL, asked};
use crate::behind_proxy::connect;
use crate::proxy::{fine, talk};
use crate::support::backend::Backend;
use crate::support::server::{exchange, request};
use crate::support::{Server, event, until};

/// How a WebSocket is asked for.
const OPENING: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
];

#[test]
fn paths_of_xiaozhi_server_are_told_by_the_key_that_passes_them_on() {
    let server = Server::start(CONFIG, &[]);
    for (n, (method, path, key)) in [
        ("GET", "/xiaozhi/v1/", "gateway.proxy.websocket"),
        ("GET", "/xiaozhi/v1", "gateway.proxy.websocket"),
        ("GET", "//XiaoZhi/V1/", "gateway.proxy.websocket"),
        ("GET", "/edge/xiaozhi/v1/", "gateway.proxy.websocket"),
        ("POST", "/mcp/vision/explain", "gateway.proxy.vision"),
        (
            "GET",
            "/mcp_endpoint/health",
            "gateway.proxy.routes: {/mcp_endpoint/:",
        ),
        (
            "GET",
            "/xiaozhi/config/server-base",
            "gateway.proxy.routes: {/xiaozhi:",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let device = format!("dd:{n}");
        let mut headers = vec![("Device-Id", &*device)];
        if key.ends_with("websocket") {
            headers.extend(OPENING);
        }
        let reply = server.send("http", &request(method, path, &headers, b""));
        assert_eq!(reply.status, 404, "{path}");
        let line = server.event("path.unserved", &[("device", &device), ("path", path)]);
        assert!(line.contains(key), "{path}: {line}");
    }
}

#[test]
fn a_path_beside_them_is_told_the_right_one() {
    let server = Server::start(CONFIG, &[]);
    // Where nobody passes it on, that is said, too.
    for (n, (path, right, key)) in [
        ("/xiaozi/v1/", "/xiaozhi/v1/", "gateway.proxy.websocket"),
        ("/ws", "/xiaozhi/v1/", "gateway.proxy.websocket"),
        ("/", "/xiaozhi/v1/", "gateway.proxy.websocket"),
        ("/ota/", "/xiaozhi/v1/", "gateway.proxy.websocket"),
        (
            "/MCP/vision/explian/",
            "/mcp/vision/explain",
            "gateway.proxy.vision",
        ),
        ("/mcp/vision", "/mcp/vision/explain", "gateway.proxy.vision"),
    ]
    .into_iter()
    .enumerate()
    {
        let device = format!("de:{n}");
        let mut headers = vec![("Device-Id", &*device)];
        if key.ends_with("websocket") {
            headers.extend(OPENING);
        }
        let reply = server.send("http", &request("GET", path, &headers, b""));
        assert_eq!(reply.status, 404, "{path}");
        let fields = [("device", &*device), ("right", right), ("besides", key)];
        server.event("path.beside", &fields);
    }
    // Scanners ask for a WebSocket at the root.
    server.send("http", &request("GET", "/", &OPENING, b""));
    server.settle();
    assert!(
        server
            .events("path.beside", &[("method", "GET")])
            .iter()
            .all(|line| line.contains("device="))
    );
    // And where they are passed on, the same.
    let backend = Backend::answering(fine);
    let (config, address) = (CONFIG, backend.address);
    let config = format!(
        "{config}gateway:\n  proxy: {{websocket: 'http://{address}', vision: 'http://{address}'}}\n"
    );
    let server = Server::start(&config, &[]);
    for (n, (path, right)) in [
        ("/xiaozi/v1/", "/xiaozhi/v1/"),
        ("/xiaozhi/v2/", "/xiaozhi/v1/"),
        ("/mcp/vision/explian", "/mcp/vision/explain"),
    ]
    .into_iter()
    .enumerate()
    {
        let device = format!("dd:{n}");
        assert_eq!(
            server.send("http", &asked("GET", path, &device)).status,
            404,
            "{path}"
        );
        server.event(
            "path.beside",
            &[("device", &device), ("path", path), ("right", right)],
        );
    }
    assert!(backend.seen().is_empty());
    // Spellings of the right one go on as it is.
    for (path, passed) in [
        ("//xiaozhi/v1/?a=%2F", "/xiaozhi/v1/?a=%2F"),
        ("/xiaozhi/v1", "/xiaozhi/v1/"),
        ("/edge/XiaoZhi/V1", "/xiaozhi/v1/"),
        ("/mcp/vision/explain/", "/mcp/vision/explain"),
        ("/MCP//vision/explain%20", "/mcp/vision/explain"),
        ("/xiaozhi/v1/below", "/xiaozhi/v1/below"),
    ] {
        assert_eq!(
            server.send("http", &request("GET", path, &[], b"")).status,
            200,
            "{path}"
        );
        assert_eq!(backend.last().line(), format!("GET {passed} HTTP/1.1"));
    }
}

#[test]
fn a_websocket_without_its_upgrade_is_told_what_nginx_lacks() {
    let backend = Backend::answering(fine);
    let passed_on = format!(
        "gateway:\n  proxy: {{websocket: 'http://{}'}}\n",
        backend.address
    );
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (config, status) in [("", "404"), (&*passed_on, "200")] {
        let server = Server::start(config, &[]);
        for (n, (version, lines, why)) in [
            (
                "1.1",
                "Connection: close\r\n".to_owned(),
                "websocket.no-upgrade-header",
            ),
            (
                "1.1",
                format!("{key}Connection: close\r\n"),
                "websocket.no-upgrade-header",
            ),
            (
                "1.1",
                "Upgrade: websocket\r\nConnection: close\r\n".to_owned(),
                "websocket.no-connection-upgrade",
            ),
            (
                "1.1",
                "Upgrade: h2c\r\nConnection: Upgrade, close\r\n".to_owned(),
                "websocket.no-upgrade-header",
            ),
            (
                "1.0",
                "Upgrade: websocket\r\nConnection: Upgrade\r\n".to_owned(),
                "websocket.http-1.0",
            ),
            ("1.0", key.to_owned(), "websocket.http-1.0"),
        ]
        .into_iter()
        .enumerate()
        {
            let device = format!("ee:{n}");
            let head = format!(
                "GET /xiaozhi/v1/ HTTP/{version}\r\nHost: h\r\nDevice-Id: {device}\r\n{lines}\r\n"
            );
            let reply = talk(&server, head.as_bytes());
            assert!(reply.contains(&format!(" {status} ")), "{head}: {reply}");
            let line = server.event(
                "websocket.no-upgrade",
                &[("device", &device), ("path", "/xiaozhi/v1/")],
            );
            assert_eq!(event::field(&line, "why").as_deref(), Some(why), "{line}");
            assert!(
                line.contains("proxy_set_header Upgrade $http_upgrade"),
                "{line}"
            );
            assert_eq!(
                line.contains("gateway.proxy.websocket"),
                status == "404",
                "{line}"
            );
        }
        // A look by a browser is one, and no more.
        let head = "GET /xiaozhi/v1/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        talk(&server, head.as_bytes());
        let kind = if status == "404" {
            "path.unserved"
        } else {
            "websocket.plain-get"
        };
        server.event(kind, &[("path", "/xiaozhi/v1/")]);
    }
}

#[test]
fn who_mixes_up_the_two_addresses_is_told_of() {
    let backend = Backend::answering(fine);
    let passed_on = format!(
        "{CONFIG}gateway:\n  proxy: {{websocket: 'http://{}'}}\n",
        backend.address
    );
    for config in [CONFIG, &passed_on] {
        let server = Server::start(config, &[]);
        for (device, path) in [("f1", "/xiaozhi/v1/"), ("f2", "//xiaozhi/V1")] {
            server.send("http", &asked("POST", path, device));
            let url = "https://ota.example.com/edge/xiaozhi/ota/";
            let fields = [("device", device), ("path", path), ("url", url)];
            server.event("path.voice", &fields);
        }
        let headers = [
            ("Device-Id", "f3"),
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
        ];
        let asked = request("GET", "/xiaozhi/ota/", &headers, b"");
        assert_eq!(server.send("http", &asked).status, 200);
        let fields = [("device", "f3"), ("right", "/xiaozhi/v1/")];
        server.event("websocket.at-ota", &fields);
    }
}

/// Monitors call themselves as devices do.
#[test]
fn a_user_agent_alone_is_no_device() {
    let backend = Backend::answering(fine);
    let passed_on = format!(
        "{CONFIG}gateway:\n  proxy: {{websocket: 'http://{}'}}\n",
        backend.address
    );
    for (config, at_voice) in [
        (CONFIG, "path.unserved"),
        (&*passed_on, "websocket.plain-get"),
    ] {
        let server = Server::start(config, &[]);
        for (n, agent) in [
            (1, "kube-probe/1.29"),
            (2, "ELB-HealthChecker/2.0"),
            (3, "GoogleHC/1.0"),
            (4, "Prometheus/2.45.0"),
            (5, "PostmanRuntime/7"),
            (6, "esp-box-3/2.0.1"),
        ] {
            let ask = |path| {
                let asked = request("GET", path, &[("User-Agent", agent)], b"");
                exchange(&mut connect([127, 0, 0, n], server.address()), &asked)
            };
            for _ in 0..2 {
                assert_eq!(ask("/healthz").status, 404, "{agent}");
            }
            let fields = [("path", "/healthz"), ("agent", agent), ("url", URL)];
            let line = server.event("path.agent", &fields);
            assert!(line.contains(" - INFO - "), "{line}");
            ask("/xiaozhi/v1/");
            let is_its = |line: &String| line.contains(&format!("peer=127.0.0.{n}:"));
            until(at_voice, || {
                server.events(at_voice, &[]).into_iter().find(is_its)
            });
        }
        server.settle();
        assert_eq!(server.events("path.agent", &[]).len(), 6);
        assert_eq!(server.events("path.unknown", &[]), [""; 0]);
        assert_eq!(server.events("websocket.no-upgrade", &[]), [""; 0]);
    }
}

/// A port that answers, and is not what was meant.
#[test]
fn a_backend_that_answers_otherwise_is_named_with_its_setting() {
    let status = |request: &crate::support::backend::Request| -> Vec<u8> {
        let asked = request.headers("device-id");
        let status = asked.first().unwrap().rsplit('-').next().unwrap();
        format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nno").into_bytes()
    };
    let backend = Backend::answering(status);
    let server = Server::start(
        &format!(
            "gateway:\n  proxy: {{websocket: 'http://{0}', vision: 'http://{0}'}}\n",
            backend.address
        ),
        &[],
    );
    for (status, why) in [
        ("200", "begins no WebSocket"),
        ("301", "a redirect"),
        ("401", "server.auth_key"),
        ("403", "server.auth_key"),
        ("404", "no such path"),
        ("426", "begins no WebSocket"),
        ("502", "look into its log"),
    ] {
        let device = format!("voice-{status}");
        let mut headers = vec![("Device-Id", &*device)];
        headers.extend(OPENING);
        for _ in 0..2 {
            let reply = server.send("http", &request("GET", "/xiaozhi/v1/", &headers, b""));
            assert_eq!(reply.status.to_string(), status);
        }
        let fields = [
            ("device", &*device),
            ("status", status),
            ("why", why),
            ("setting", "gateway.proxy.websocket"),
        ];
        server.event("backend.no-upgrade", &fields);
        let device = format!("vision-{status}");
        let sent = request(
            "POST",
            "/mcp/vision/explain",
            &[("Device-Id", &*device)],
            b"x",
        );
        server.send("http", &sent);
        if status != "200" {
            let fields = [
                ("device", &*device),
                ("status", status),
                ("setting", "gateway.proxy.vision"),
            ];
            server.event("backend.refuses", &fields);
        }
    }
    server.settle();
    assert_eq!(server.events("backend.no-upgrade", &[]).len(), 7);
    assert_eq!(server.events("backend.refuses", &[]).len(), 6);
}

/// What is no upgrade is no sign of life either.
#[test]
fn a_backend_that_upgrades_to_nothing_is_down_once() {
    let switching = |_: &_| b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
    let backend = Backend::answering(switching);
    let config = format!(
        "gateway:\n  proxy: {{websocket: 'http://{}'}}\n",
        backend.address
    );
    let server = Server::start(&config, &[]);
    let asked = request(
        "GET",
        "/xiaozhi/v1/",
        &[("Connection", "Upgrade"), ("Upgrade", "websocket")],
        b"",
    );
    for _ in 0..3 {
        assert_eq!(server.send("http", &asked).status, 502);
    }
    server.settle();
    assert_eq!(server.events_of("backend.", &[]).len(), 1);
}
