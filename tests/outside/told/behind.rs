//! What is to go to a server behind this one, and cannot.

use super::connections::sent;
use crate::proxy::fine;
use crate::support::backend::Backend;
use crate::support::certificate::{Authority, Key};
use crate::support::server::{Setup, exchange, read_reply};
use crate::support::{PATIENCE, Server, event};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn an_upload_that_does_not_come_whole_is_named() {
    let backend = Backend::answering(fine);
    let proxy = format!(
        "vision: 'http://{}', body_limit: 1000, timeout: 500ms",
        backend.address
    );
    let server = Setup::new().start(&format!("gateway:\n  proxy: {{{proxy}}}\n"));
    let path = "/mcp/vision/explain";
    for (device, more, body, kind) in [
        ("c1", "Content-Length: 2000", "", "upload.too-big"),
        (
            "c2",
            "Transfer-Encoding: chunked",
            &*format!("7d0\r\n{}\r\n0\r\n\r\n", "x".repeat(2000)),
            "upload.too-big",
        ),
        ("c3", "Content-Length: 100", "x", "upload.too-slow"),
        ("c4", "Transfer-Encoding: chunked", "zz\r\n", "upload.cut"),
    ] {
        let mut stream = server.tcp();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nDevice-Id: {device}\r\n{more}\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        assert!(read_reply(&mut stream, false).status >= 400, "{device}");
        server.event(kind, &[("device", device), ("path", path)]);
    }
    let head = format!("GET {path}/../x HTTP/1.1\r\nHost: h\r\nDevice-Id: c5\r\n\r\n");
    assert_eq!(exchange(&mut server.tcp(), head.as_bytes()).status, 400);
    server.event("request.refused", &[("device", "c5"), ("status", "400")]);
}

/// A server that shakes hands, and nothing else.
fn tls_only() -> Backend {
    let dir = tempfile::tempdir().unwrap();
    Authority::new().sign(dir.path(), "x", Key::P256, &["localhost"]);
    let read = |end: &str| fs::read(dir.path().join(format!("x.{end}"))).unwrap();
    let chain = CertificateDer::pem_slice_iter(&read("pem"))
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_slice(&read("key")).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key);
    let config = Arc::new(config.unwrap());
    Backend::start(move |connection| {
        let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        while tls.is_handshaking() && tls.read_tls(&mut connection.stream).is_ok_and(|n| n > 0) {
            let result = tls.process_new_packets();
            while tls.wants_write() {
                let _ = tls.write_tls(&mut connection.stream);
            }
            if result.is_err() {
                break;
            }
        }
        let _ = connection.stream.shutdown(Shutdown::Write);
        connection.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = connection.stream.read_to_end(&mut Vec::new());
    })
}

#[test]
fn a_backend_that_wants_tls_or_is_no_web_server_is_named_so() {
    let page = |body: &'static str| {
        Backend::answering(move |_| {
            let length = body.len();
            format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {length}\r\n\r\n{body}")
                .into_bytes()
        })
    };
    let ssh = Backend::start(|connection| {
        let _ = connection.head();
        connection.send("SSH-2.0-OpenSSH_9.2\r\n");
        connection.ended();
    });
    let hung_up = Backend::start(|connection| {
        let _ = connection.head();
    });
    for (backend, status, why) in [
        (tls_only(), "502", "backend.tls"),
        (
            page("<center>The plain HTTP request was sent to HTTPS port</center>"),
            "400",
            "backend.tls",
        ),
        (
            page("Client sent an HTTP request to an HTTPS server.\n"),
            "400",
            "backend.tls",
        ),
        (
            page("Reason: You're speaking plain HTTP to an SSL-enabled server port."),
            "400",
            "backend.tls",
        ),
        (
            page("This combination of host and port requires TLS."),
            "400",
            "backend.tls",
        ),
        (ssh, "502", "backend.no-http"),
        (hung_up, "502", "backend.closed"),
    ] {
        let config = format!(
            "gateway:\n  proxy: {{websocket: 'http://{0}', vision: 'http://{0}'}}\n",
            backend.address
        );
        for head in [
            "POST /mcp/vision/explain HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
            "GET /xiaozhi/v1/ HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        ] {
            let server = Server::start(&config, &[]);
            let reply = sent(server.tcp(), head.as_bytes());
            assert!(reply.contains(&format!(" {status} ")), "{why}: {reply}");
            let line = server.event(
                "backend.down",
                &[("backend", &format!("http://{}", backend.address))],
            );
            assert_eq!(event::field(&line, "why").as_deref(), Some(why), "{line}");
        }
    }
}

#[test]
fn a_backend_that_answers_400_is_back() {
    for (page, method) in [
        ("Content-Length: 13\r\n\r\nno such tool\n", "GET"),
        ("Content-Length: 0\r\n\r\n", "GET"),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "GET"),
        ("Connection: close\r\n\r\n", "GET"),
        ("Content-Length: 13\r\n\r\n", "HEAD"),
    ] {
        // The first one it leaves without an answer.
        let is_up = AtomicBool::new(false);
        let backend = Backend::start(move |connection| {
            if connection.head().is_some() && is_up.swap(true, Ordering::Relaxed) {
                connection.send(format!("HTTP/1.1 400 Bad Request\r\n{page}"));
            }
        });
        let config = format!(
            "gateway:\n  proxy: {{vision: 'http://{}'}}\n",
            backend.address
        );
        let server = Server::start(&config, &[]);
        let ask = |method: &str| {
            let head = format!(
                "{method} /mcp/vision/explain HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            );
            sent(server.tcp(), head.as_bytes())
        };
        // It changes something, and is not sent again.
        assert!(ask("POST").contains(" 502 "), "{page:?}");
        server.event("backend.down", &[("why", "backend.closed")]);
        assert!(ask(method).contains(" 400 "), "{page:?}");
        server.event("backend.back", &[]);
    }
}
