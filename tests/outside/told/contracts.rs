//! Ways to a CA, and accounts that are bound to a contract with it: pebble, Let's
//! Encrypt's own test server, asks for one.

use super::super::support::connect::ConnectProxy;
use super::super::support::pebble::{Pebble, Wanted};
use super::super::support::server::Setup;
use super::super::support::{Reserved, Server};
use super::acme::{HMAC, NOWHERE, contract, ordering, program, setup, validated, words};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use xiaozhi_ota::event::text::Lang;

const CONTRACTS: &[(&str, &str)] = &[("kid-1", HMAC), ("kid-2", HMAC)];

#[test]
#[ignore = "needs pebble: tests/run installs it"]
fn a_ca_is_reached_through_the_proxy_of_the_environment() {
    let authorized = format!("Proxy-Authorization: Basic {}", STANDARD.encode("me:h@sh"));
    let authorized: &'static str = authorized.leak();
    let pebble_at = Reserved::new();
    let pebble = Pebble::start(&Wanted::at(&pebble_at));
    let open = ConnectProxy::start(None);
    let closed = ConnectProxy::start(Some(authorized));
    let address =
        |proxy: &ConnectProxy, user: &str| format!("http://{user}127.0.0.1:{}", proxy.port);
    let [plain, known, stranger] = [
        address(&open, ""),
        address(&closed, "me:h%40sh@"),
        address(&closed, "me:hush@"),
    ];
    let bare = plain.trim_start_matches("http://").to_owned();
    let mut port = Some(pebble_at);
    for (proxies, asked, fault) in [
        (&[("HTTPS_PROXY", plain.as_str())][..], Some(&open), ""),
        (
            &[("https_proxy", bare.as_str()), ("HTTPS_PROXY", NOWHERE)],
            Some(&open),
            "",
        ),
        (&[("ALL_PROXY", plain.as_str())], Some(&open), ""),
        (&[("HTTPS_PROXY", known.as_str())], Some(&closed), ""),
        (
            &[
                ("HTTPS_PROXY", NOWHERE),
                ("NO_PROXY", "example.com, localhost"),
            ],
            None,
            "",
        ),
        (&[("HTTPS_PROXY", NOWHERE), ("no_proxy", "*")], None, ""),
        (&[("HTTP_PROXY", NOWHERE)], None, ""),
        (
            &[("HTTPS_PROXY", stranger.as_str())],
            Some(&closed),
            "wants another user and password (407)",
        ),
        (
            &[("HTTPS_PROXY", NOWHERE)],
            None,
            "the proxy 127.0.0.1:1 of HTTPS_PROXY does not answer",
        ),
        (
            &[("ALL_PROXY", "socks5://127.0.0.1:1080")],
            None,
            "ALL_PROXY: SOCKS proxies are not spoken",
        ),
        (
            &[("HTTPS_PROXY", "https://127.0.0.1:3128")],
            None,
            "HTTPS_PROXY: only http://",
        ),
        (
            &[("HTTPS_PROXY", "http://me:hush@:x")],
            None,
            "HTTPS_PROXY: it is no address",
        ),
    ] {
        let before = asked.map_or(0, |proxy| proxy.asked.lock().unwrap().len());
        // Where the CA comes for the first answer, it comes for all.
        let here = port.take().unwrap();
        let yaml = ordering(&here, &pebble.directory(), "");
        let server = setup(&pebble.authority).start_by(&yaml, &mut program(proxies));
        if fault.is_empty() {
            server.event("acme.obtained", &[]);
        } else {
            server.event("acme.failed", &[("message", fault)]);
            let (good, text) = validated(server.dir.path(), &yaml, proxies);
            // Whether one answers, the next moment may show.
            assert_eq!(
                text.contains(fault),
                good && !fault.contains("does not answer"),
                "{fault}: {text}"
            );
        }
        let log = server.log().join("\n");
        assert!(!log.contains("hush") && !log.contains("h%40sh"), "{log}");
        if let Some(proxy) = asked {
            let lines = proxy.asked.lock().unwrap();
            let to = format!("CONNECT localhost:{} HTTP/1.1", pebble.port);
            assert!(
                lines.len() > before && lines.iter().all(|line| *line == to),
                "{lines:?}"
            );
        }
        drop(server);
        port = Some(here);
    }
}

#[test]
#[ignore = "needs pebble: tests/run installs it"]
fn an_account_is_bound_to_its_contract() {
    let port = Reserved::new();
    let pebble = Pebble::start(&Wanted {
        contracts: Some((CONTRACTS, false)),
        ..Wanted::at(&port)
    });
    let yaml = |key_id: &str| {
        ordering(
            &port,
            &pebble.directory(),
            &format!(", eab: {{key_id: {key_id}, hmac_file: eab.key}}"),
        )
    };
    // Without one, and with another one's, it is named before an order.
    let bare = ordering(&port, &pebble.directory(), "");
    let (good, text) = validated(setup(&pebble.authority).path(), &bare, &[]);
    assert!(
        good && text.contains(words("acme.eab-missing", Lang::En)),
        "{text}"
    );
    let server = setup(&pebble.authority).start_by(&bare, &mut program(&[]));
    server.event(
        "acme.failed",
        &[(
            "message",
            "set gateway.tls.acme.eab with key_id and hmac_file",
        )],
    );
    // It takes a reload.
    contract(
        server.dir.path(),
        &format!("{}\r\n{}=\n", &HMAC[..40], &HMAC[40..]),
    );
    server.configure(&yaml("kid-1"));
    server.reload();
    server.event("config.changed", &[("keys", "gateway.tls.acme")]);
    server.event("acme.obtained", &[]);
    let holds_no_key = |server: &Server| {
        let log = server.log().join("\n");
        assert!(
            !log.contains(&HMAC[..12]) && !log.contains(&HMAC[40..]),
            "{log}"
        );
    };
    holds_no_key(&server);
    // The account is kept, and goes with its contract.
    let kept = server.stop();
    let account = fs::read_dir(kept.path().join("certs/acme"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::remove_file(account.join("certificate.pem")).unwrap();
    let server = kept.start_by(&yaml("kid-2"), &mut program(&[]));
    server.event("acme.account-aside", &[]);
    server.event("acme.obtained", &[]);
    let kept = server.stop();
    assert!(account.join("account.json.other").is_file());
    fs::remove_file(account.join("certificate.pem")).unwrap();
    fs::remove_file(account.join("waits.json")).unwrap();
    let server = kept.start_by(&yaml("kid-2"), &mut program(&[]));
    server.event("acme.obtained", &[]);
    assert_eq!(server.events("acme.account-aside", &[]), [""; 0]);
    assert_eq!(server.events("acme.account", &[]), [""; 0]);
    drop(server);
    // One that the CA does not know, and a key that is another one's.
    for (key_id, key) in [
        ("kid-9", HMAC),
        ("kid-1", "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"),
    ] {
        let setup = setup(&pebble.authority);
        contract(setup.path(), key);
        let server = setup.start_by(&yaml(key_id), &mut program(&[]));
        let line = server.event(
            "acme.failed",
            &[("message", "check gateway.tls.acme.eab: that key_id")],
        );
        assert!(!line.contains(key), "{line}");
    }
}

#[test]
#[ignore = "needs pebble: tests/run installs it"]
fn a_ca_that_wants_no_contract_gives_a_certificate_all_the_same() {
    let port = Reserved::new();
    let pebble = Pebble::start(&Wanted::at(&port));
    let setup = setup(&pebble.authority);
    contract(setup.path(), HMAC);
    let more = ", eab: {key_id: kid-1, hmac_file: eab.key}";
    let server = setup.start_by(
        &ordering(&port, &pebble.directory(), more),
        &mut program(&[]),
    );
    server.event("acme.obtained", &[]);
}

#[test]
fn a_proxy_that_opens_no_way_is_named() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    thread::spawn(move || {
        for stream in proxy.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden by \x1b[31mrule\r\n\r\n");
        }
    });
    let yaml = "gateway: {ports: [443], tls: {names: [ota.example.com], mode: acme}}\n";
    let setup = Setup::new();
    let (good, text) = validated(setup.path(), yaml, &[("HTTPS_PROXY", &address)]);
    let words = words("acme.proxy-refuses", Lang::En);
    assert!(
        good && text.contains(words) && text.contains("403 Forbidden"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "{text}");
}

/// Directories, names and addresses that no order comes to anything with.
#[test]
fn an_order_that_comes_to_nothing_is_told_of_by_validate() {
    for (ota, tls, id) in [
        (
            "https://ota.example.com",
            "acme: {directory: 'https://acme-v02.api.letsencrypt.org'}",
            "acme.directory-unknown",
        ),
        (
            "https://ota.example.com",
            "acme: {directory: 'https://acme-staging.api.letsencrypt.org/directory'}",
            "acme.directory-unknown",
        ),
        (
            "https://ota.example.com",
            "acme: {directory: 'https://ca.lan:9000/'}",
            "acme.directory-root",
        ),
        (
            "https://ota.example.com",
            "acme: {directory: 'https://acme-staging-v02.api.letsencrypt.org/directory'}",
            "acme.trial",
        ),
        (
            "https://ota.example.com",
            "acme: {directory: 'https://dv.acme-v02.api.pki.goog/directory'}",
            "acme.eab-missing",
        ),
        ("https://203.0.113.7", "mode: acme", "acme.name-short"),
        (
            "https://203.0.113.7",
            "acme: {directory: 'https://acme.zerossl.com/v2/DV90'}",
            "acme.name-address",
        ),
        ("http://ota.example.com", "mode: acme", "acme.plain-address"),
    ] {
        let yaml = format!(
            "server: {{ota: '{ota}/xiaozhi/ota/'}}\ngateway: {{ports: [443], tls: {{{tls}}}}}\n"
        );
        let (good, text) = validated(Setup::new().path(), &yaml, &[("HTTPS_PROXY", NOWHERE)]);
        assert!(good && text.contains(words(id, Lang::En)), "{tls}: {text}");
    }
}
