//! While the server behind is away, or answers what is of no use.

use super::super::support::Reserved;
use super::*;
use std::net::Shutdown;
use std::time::{Duration, Instant};

/// The body of an answer whose time was made anew, without that time.
fn without_time(reply: &Reply) -> serde_json::Value {
    let mut json = reply.whole_json();
    json["server_time"]["timestamp"] = json!(0);
    json["server_time"]["timeZone"] = json!(0);
    json["firmware"] = json!(0);
    json
}

/// Answers that are none, each with the reason that is said of it.
fn wrong() -> Vec<(&'static str, &'static str, Answer)> {
    let end = |bytes: &'static [u8]| {
        move |_: &Request, connection: &mut Connection| {
            connection.send(bytes);
            let _ = connection.stream.shutdown(Shutdown::Both);
        }
    };
    vec![
        (
            "late",
            "upstream.late",
            Box::new(|_, connection| connection.ended()),
        ),
        (
            "500",
            "upstream.status",
            Box::new(|_, c| c.send(reply("500 Oh", "", &bound()))),
        ),
        (
            "201",
            "upstream.status",
            Box::new(|_, c| c.send(reply("201 Created", "", &bound()))),
        ),
        (
            "204",
            "upstream.status",
            Box::new(|_, c| c.send("HTTP/1.1 204 No Content\r\n\r\n")),
        ),
        (
            "404",
            "upstream.not-found",
            Box::new(|_, c| c.send(reply("404 Not Found", "", "{}"))),
        ),
        (
            "302",
            "upstream.redirect",
            Box::new(|_, c| c.send(reply("302 Found", "Location: /login?token=hush\r\n", ""))),
        ),
        (
            "cut",
            "upstream.cut",
            Box::new(end(
                b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{\"websocket\":{",
            )),
        ),
        (
            "cut chunks",
            "upstream.cut",
            Box::new(end(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"web",
            )),
        ),
        ("closed", "upstream.unreached", Box::new(end(b""))),
        (
            "no HTTP",
            "upstream.unreached",
            Box::new(end(b"SSH-2.0-OpenSSH\r\n")),
        ),
        (
            "html",
            "upstream.no-json",
            Box::new(|_, c| c.send(ok("<html>login</html>"))),
        ),
        ("empty", "upstream.no-json", Box::new(|_, c| c.send(ok("")))),
        (
            "cut JSON",
            "upstream.no-json",
            Box::new(|_, c| c.send(ok(&bound()[..60]))),
        ),
        (
            "list",
            "upstream.no-json",
            Box::new(|_, c| c.send(ok("[1]"))),
        ),
        (
            "code 500",
            "upstream.no-block",
            Box::new(|_, c| c.send(ok(r#"{"code":500,"msg":"oh","data":null}"#))),
        ),
        (
            "nothing",
            "upstream.no-block",
            Box::new(|_, c| c.send(ok(r#"{"server_time":{"timestamp":1}}"#))),
        ),
        (
            "unfit",
            "upstream.left-out",
            Box::new(|_, c| c.send(ok(r#"{"websocket":{"url":"ws://h:x/"}}"#))),
        ),
        (
            "gzip",
            "upstream.coded",
            Box::new(|_, c| c.send(reply("200 OK", "Content-Encoding: gzip\r\n", "hush"))),
        ),
        (
            "huge",
            "upstream.too-big",
            Box::new(|_, c| c.send(ok(&format!("{{\"a\":\"{}\"}}", "v".repeat(70_000))))),
        ),
    ]
}

#[test]
fn every_answer_that_is_none_is_made_up_for() {
    let behind = StandIn::new(bound());
    // Nobody waits longer than a moment for what never comes.
    let server = setup().start(&behind.config("manager-api", ", timeout: 300ms"));
    let good = check_in(&server, &mac(1));
    for (number, (name, why, answer)) in wrong().into_iter().enumerate() {
        // Between two of them it answers well: nothing adds up.
        behind.says(bound());
        assert_eq!(check_in(&server, &mac(1)).status, 200, "{name}");
        behind.does(answer);
        let began = Instant::now();
        let told = check_in(&server, &mac(1));
        assert_eq!(told.status, 200, "{name}");
        assert_eq!(without_time(&told), without_time(&good), "{name}");
        assert!(told.text().contains(r#""token":"hush.\u0031""#), "{name}");
        assert!(
            !told.text().contains("1700000000123"),
            "{name}: the time is of then"
        );
        // One that nobody knows is to try again.
        let stranger = mac(100 + u32::try_from(number).unwrap());
        let turned_away = check_in(&server, &stranger);
        assert_eq!(turned_away.status, 503, "{name}: {}", turned_away.text());
        assert!(began.elapsed() < Duration::from_secs(60), "{name}");
        server.event("upstream.kept", &[("device", &mac(1)), ("why", why)]);
        server.event(
            "upstream.unanswered",
            &[("device", &stranger), ("why", why)],
        );
    }
    server.settle();
    assert_eq!(server.find_line("hush"), None);
}

#[test]
fn an_outage_is_said_once_and_so_is_its_end() {
    let reserved = Reserved::new();
    let url = format!("http://{}/xiaozhi/ota/", reserved.address());
    let config = format!(
        "gateway:\n  upstream: {{url: '{url}', kind: other}}\n  admin: {{listen: 127.0.0.1:0}}\n"
    );
    let server = setup().start(&config);
    for _ in 0..5 {
        assert_eq!(check_in(&server, &mac(1)).status, 503);
    }
    // What it runs is known all the same, and that it came.
    let (_, device) = server.admin_json("GET", &format!("/api/v1/devices/{}", mac(1)), "");
    assert_eq!(device["version"], "1.0.0");
    server.event("upstream.down", &[("upstream", &url)]);
    let listener = reserved.listen();
    let _behind = Backend::on(listener, |connection| {
        while connection.request().is_some() {
            connection.send(ok(&bound()));
        }
    });
    assert_eq!(offered(&server, &mac(1)).as_deref(), Some("a_1.1.0.bin"));
    assert_eq!(offered(&server, &mac(2)).as_deref(), Some("a_1.1.0.bin"));
    server.event("upstream.back", &[("upstream", &url)]);
    assert_eq!(server.events("upstream.down", &[]).len(), 1);
    assert_eq!(server.events("upstream.back", &[]).len(), 1);
}

#[test]
fn what_is_kept_outlives_a_restart_and_is_the_owners_alone() {
    let behind = StandIn::new(format!("{{{BOUND}}}"));
    let config = behind.config("manager-api", "");
    let mut server = setup().start(&config);
    assert_eq!(offered(&server, &mac(1)), None);
    server.signal("TERM");
    server.end();
    let folder = server.stop();
    let kept = folder.path().join("data/state/upstream.db");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(kept).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    behind.sends(reply("500 Oh", "", ""));
    let server = folder.start(&config);
    // Held stays held.
    assert_eq!(offered(&server, &mac(1)), None);
    server.event("withheld.updates-off", &[("device", &mac(1))]);
    assert!(check_in(&server, &mac(1)).text().contains("hush"));
}

#[test]
fn who_was_unbound_last_is_told_nothing_again() {
    let behind = StandIn::new(bound());
    let config = behind.config("other", "") + "  admin: {listen: 127.0.0.1:0}\n";
    let server = setup().start(&config);
    for number in 1..=3 {
        assert_eq!(check_in(&server, &mac(number)).status, 200);
    }
    behind.says(format!("{{{BOUND},{ACTIVATION}}}"));
    assert!(check_in(&server, &mac(1)).text().contains("123456"));
    // Who is forgotten here is forgotten wholly.
    let (status, _) = server.admin_json("DELETE", &format!("/api/v1/devices/{}", mac(2)), "");
    assert_eq!(status, 200);
    behind.sends(reply("500 Oh", "", ""));
    let told = [1, 2, 3].map(|number| check_in(&server, &mac(number)).status);
    assert_eq!(told, [503, 503, 200]);
}

#[test]
fn what_is_too_old_is_told_nobody() {
    let behind = StandIn::new(bound());
    let config = behind.config("other", ", keep: 1h");
    let setup = setup();
    let mut early = super::super::support::server::with_clock(&setup, "@2026-06-01 10:00:00");
    let server = setup.start_by(&config, &mut early);
    assert_eq!(check_in(&server, &mac(1)).status, 200);
    behind.sends(reply("500 Oh", "", ""));
    assert_eq!(check_in(&server, &mac(1)).status, 200);
    let clock = server.dir.path().join("clock");
    std::fs::write(clock, "@2026-06-01 11:30:00").unwrap();
    super::super::support::until("the age to be noticed", || {
        (check_in(&server, &mac(1)).status == 503).then_some(())
    });
}

#[test]
fn one_devices_bad_reply_is_its_own() {
    let behind = StandIn::new("");
    behind.does(|request, connection| {
        let is_bad = request.headers("device-id") == [mac(1)];
        connection.send(if is_bad {
            ok(r#"{"code":500}"#)
        } else {
            ok(&bound())
        });
    });
    let server = behind.in_front("other");
    for _ in 0..10 {
        assert_eq!(check_in(&server, &mac(1)).status, 503);
    }
    assert_eq!(check_in(&server, &mac(2)).status, 200);
    assert_eq!(behind.backend.seen().len(), 11);
    server.settle();
    assert_eq!(
        server
            .events("upstream.bad-reply", &[("device", &mac(1))])
            .len(),
        1
    );
    assert!(server.events("upstream.down", &[]).is_empty());
}
