//! SIGHUP, as devices and the operator see it: what can change does, what cannot is
//! named, and what the start would refuse changes nothing.

use super::command_line::run;
use super::support::backend::Backend;
use super::support::certificate::{Authority, Key};
use super::support::over::Over;
use super::support::server::{PATIENT, Setup, check_in, exchange, read_reply, request};
use super::support::{Reply, Server, event, make_pipe, until};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const FILES: [&str; 3] = ["a_1.6.6.bin", "a_1.7.0.bin", "default_9.0.bin"];

/// Takes up a configuration, and returns the keys that are said to have changed.
#[track_caller]
fn taken(server: &Server, config: &str) -> String {
    server.configure(config);
    let said = server.reload();
    let line = said.iter().find(|line| {
        let ids = ["config.changed", "config.same"];
        ids.iter().any(|id| event::is(line, id, &[]))
    });
    let line = line.unwrap_or_else(|| panic!("{said:#?}"));
    event::field(line, "keys").unwrap_or_default()
}

/// Returns the keys that a reload says were taken up.
fn changed(said: &[String]) -> Option<String> {
    let line = said
        .iter()
        .find(|line| event::is(line, "config.changed", &[]))?;
    event::field(line, "keys")
}

/// Tells whether a reload says that keys which begin so wait for a restart.
fn waits(said: &[String], key: &str) -> bool {
    said.iter()
        .any(|line| event::is(line, "config.needs-restart", &[("key", key)]))
}

fn firmware(reply: &Value) -> [&str; 2] {
    ["version", "url"].map(|key| reply["firmware"][key].as_str().unwrap())
}

#[test]
fn what_is_offered_changes_on_the_wire() {
    let server = Server::start("", &FILES);
    let pid = server.pid();
    assert_eq!(server.offered("a", "1.0"), Some("a_1.7.0.bin".into()));
    let keys = taken(&server, "gateway:\n  firmware: {pin: {a: 1.6.6}}\n");
    assert_eq!(keys, "gateway.firmware.pin");
    assert_eq!(server.offered("a", "1.0"), Some("a_1.6.6.bin".into()));
    let keys = taken(&server, "gateway:\n  firmware: {default_for: unreported}\n");
    assert_eq!(keys, "gateway.firmware.default_for, gateway.firmware.pin");
    assert_eq!(server.offered("other", "1.0"), None);
    // No ESP images: refused from now on, and taken back in later.
    let keys = taken(&server, "gateway:\n  firmware: {verify: strict}\n");
    assert!(keys.ends_with("gateway.firmware.verify"), "{keys}");
    server.event("file.refused", &[("why", "image.strict")]);
    until("nothing is offered", || {
        server.offered("a", "1.0").is_none().then_some(())
    });
    assert_eq!(server.get("/xiaozhi/ota/download/a_1.7.0.bin").status, 404);
    taken(&server, "");
    until("it is offered again", || server.offered("a", "1.0"));
    let keys = taken(&server, "gateway:\n  firmware: {projects: [xiaozhi, x]}\n");
    assert_eq!(keys, "gateway.firmware.projects");
    assert_eq!(taken(&server, ""), "gateway.firmware.projects");
    assert_eq!(taken(&server, ""), "");
    assert_eq!(server.pid(), pid);
}

#[test]
fn addresses_and_keys_change_on_the_wire() {
    let server = Server::start("", &FILES);
    let told = |key: &str, sub: &str| {
        let reply = server.check_in("a", "1.0").json();
        reply[key][sub].as_str().unwrap_or_default().to_owned()
    };
    let keys = taken(
        &server,
        "server: {ota: 'http://b.example.com/edge/xiaozhi/ota/', timezone_offset: 1}\n",
    );
    assert!(
        keys.starts_with("server.ota") && keys.ends_with("server.timezone_offset"),
        "{keys}"
    );
    assert!(told("firmware", "url").starts_with("http://b.example.com/edge/xiaozhi/ota/download/"));
    assert_eq!(server.get("/edge/xiaozhi/ota/").status, 200);
    let reply = server.check_in("a", "1.0").json();
    assert_eq!(reply["server_time"]["timezone_offset"], 60);
    let keys = taken(
        &server,
        "server: {websocket: 'ws://voice.example.com:8000/xiaozhi/v1/'}\n",
    );
    assert!(
        keys.contains("server.ota") && keys.contains("server.websocket"),
        "{keys}"
    );
    assert_eq!(
        told("websocket", "url"),
        "ws://voice.example.com:8000/xiaozhi/v1/"
    );
    assert_eq!(told("websocket", "token"), "");
    assert_eq!(server.get("/edge/xiaozhi/ota/").status, 404);
    let auth = "server: {websocket: 'ws://voice.example.com:8000/xiaozhi/v1/', auth: {enabled: true}, auth_key: Hk3-Zq8}\n";
    assert_eq!(taken(&server, auth), "server.auth.enabled");
    let first = told("websocket", "token");
    assert!(first.contains('.'), "{first}");
    assert_eq!(
        taken(&server, &auth.replace("Hk3-Zq8", "Zq8-Hk3")),
        "server.auth_key"
    );
    let sign = |token: &str| token.split('.').next().map(str::to_owned);
    assert_ne!(sign(&told("websocket", "token")), sign(&first));
    let keys = taken(&server, "server: {mqtt_gateway: 'mqtt.example.com:1883'}\n");
    assert!(keys.contains("server.mqtt_gateway"), "{keys}");
    assert_eq!(told("mqtt", "endpoint"), "mqtt.example.com:1883");
    assert_eq!(told("websocket", "url"), "");
    assert!(!server.log().join("\n").contains("Hk3-Zq8"));
}

#[test]
fn plain_http_the_log_and_what_goes_on_change_on_the_wire() {
    let https =
        "server: {ota: 'https://localhost/xiaozhi/ota/', websocket: 'ws://v.example.com/'}\n";
    let limits = PATIENT.replace('}', ", connections: 99}");
    let tls = format!("  ip: 127.0.0.1\n  ports: [0, 0]\n{limits}  tls: {{names: [localhost]}}\n");
    let server = Server::start(&format!("{https}gateway:\n{tls}"), &FILES);
    let ended =
        format!("{https}log: {{log_level: DEBUG}}\ngateway:\n  http_fallback: false\n{tls}");
    let keys = taken(&server, &ended);
    assert_eq!(keys, "gateway.http_fallback, log.log_level");
    assert_eq!(server.check_in("a", "1.0").status, 403);
    assert_eq!(server.send("https", &check_in("a", "1.0")).status, 200);
    server.line("check-in reported");
    taken(&server, &format!("{https}gateway:\n{tls}"));
    let before = server.count_lines("check-in reported");
    assert_eq!(server.check_in("a", "1.0").status, 200);
    let backend =
        Backend::answering(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec());
    let proxied = format!(
        "{https}gateway:\n{tls}  proxy: {{routes: {{/elsewhere/: 'http://{}'}}}}\n",
        backend.address
    );
    assert_eq!(server.get("/elsewhere/a").status, 404);
    assert_eq!(taken(&server, &proxied), "gateway.proxy");
    assert_eq!(server.get("/elsewhere/a").text(), "ok");
    assert_eq!(server.count_lines("check-in reported"), before);
}

#[test]
fn limits_of_time_hold_for_connections_that_come_later() {
    let server = Server::start("", &FILES);
    let mut old = server.tcp();
    assert_eq!(exchange(&mut old, &check_in("a", "1.0")).status, 200);
    let limits = PATIENT.replace("headers: 1h", "headers: 1s");
    assert_eq!(
        taken(
            &server,
            &format!("gateway:\n  ip: 127.0.0.1\n  ports: [0, 0]\n{limits}")
        ),
        "gateway.limits.headers"
    );
    // Nobody says anything: it is closed, and not in an hour.
    assert_eq!(server.tcp().read(&mut [0]).unwrap(), 0);
    assert_eq!(exchange(&mut old, &check_in("a", "1.0")).status, 200);
}

fn with_pair(name: &str, more: &str) -> String {
    format!(
        "gateway:\n  tls: {{certificates: [{{cert: certs/{name}.pem, key: certs/{name}.key}}]}}\n{more}"
    )
}

#[test]
fn certificates_of_other_names_and_paths() {
    let setup = Setup::new();
    let authorities = ["a", "b"].map(|name| {
        let authority = Authority::new();
        authority.sign(&setup.path().join("certs"), name, Key::P256, &["localhost"]);
        authority
    });
    let files = FILES
        .iter()
        .fold(setup, |setup, file| setup.file(file, file));
    let server = files.start(&with_pair("a", ""));
    let reaches = |authority: &Authority| {
        let mut tls = server.tls("localhost", Some(&authority.pem));
        tls.write_all(&check_in("a", "1.0")).is_ok() && read_reply(&mut tls, false).status == 200
    };
    assert!(reaches(&authorities[0]));
    assert_eq!(
        taken(&server, &with_pair("b", "")),
        "gateway.tls.certificates"
    );
    assert!(reaches(&authorities[1]));
    // One that cannot be read stops all of it, in the words of the start.
    let broken = with_pair("c", "  firmware: {pin: {a: 1.6.6}}\n");
    server.configure(&broken);
    server.reload();
    let file = server.dir.path().join("certs/c.pem");
    let words = format!(
        "data/.config.yaml:5: gateway.tls.certificates[0]: {}: cannot be read",
        file.display()
    );
    server.event(
        "config.refused",
        &[("message", &words), ("what", "config.certificate")],
    );
    assert!(reaches(&authorities[1]));
    assert_eq!(server.offered("a", "1.0"), Some("a_1.7.0.bin".into()));
    // What is signed here instead.
    let own = "gateway:\n  tls: {mode: self-signed, names: [localhost]}\n";
    assert_eq!(taken(&server, own), "gateway.tls.mode");
    assert_eq!(server.send("https", &check_in("a", "1.0")).status, 200);
    let named = own.replace("[localhost]", "[localhost, b.example.com]");
    assert_eq!(taken(&server, &named), "gateway.tls.names");
    server
        .tls("b.example.com", None)
        .write_all(&check_in("a", "1.0"))
        .unwrap();
}

#[test]
fn what_the_start_refuses_changes_nothing_and_says_why() {
    let good = "gateway:\n  firmware: {pin: {a: 1.6.6}}\n";
    let server = Server::start(good, &FILES);
    let file = server.config_file();
    let text = fs::read_to_string(&file).unwrap();
    let same = || {
        assert_eq!(server.offered("a", "1.0"), Some("a_1.6.6.bin".into()));
    };
    for broken in [
        "gateway: {firmware: {pin: {a: 1.7.0}, verify: maybe}, colour: red}\nserver: {http_port: x}\n",
        "gateway: [\n",
        "gateway: {ports: [0]}\nx: 1\ngateway: {ports: [0]}\n",
        "server: {auth: {enabled: true}, auth_key: changeme}\n",
        "server: {websocket: 'nothing'}\n",
    ] {
        fs::write(&file, broken).unwrap();
        server.reload();
        // The very words of the start.
        let (ok, _, error) = run(server.dir.path(), &[]);
        assert!(!ok, "{broken}");
        for line in error.lines() {
            server.event("config.refused", &[("message", line)]);
        }
        same();
    }
    let change = |what: &str, words: &str, make: &dyn Fn()| {
        let _ = fs::remove_file(&file);
        let _ = fs::remove_dir(&file);
        make();
        let said = server.reload();
        let refused = [("message", words)];
        assert!(
            said.iter()
                .any(|line| event::is(line, "config.refused", &refused)),
            "{what}: {said:#?}"
        );
        same();
    };
    change(
        "gone",
        "data/.config.yaml: cannot be read: No such file",
        &|| {},
    );
    change("emptied", "it is empty", &|| {
        fs::write(&file, " \n").unwrap();
    });
    change("a folder", "it is a folder", &|| {
        fs::create_dir(&file).unwrap();
    });
    change("a dead link", "which does not exist", &|| {
        symlink("gone", &file).unwrap();
    });
    change("a pipe", "it is no regular file", &|| make_pipe(&file));
    fs::remove_file(&file).unwrap();
    // And the next good one is taken up.
    fs::write(&file, text.replace("1.6.6", "1.7.0")).unwrap();
    assert_eq!(changed(&server.reload()).unwrap(), "gateway.firmware.pin");
    assert_eq!(server.offered("a", "1.0"), Some("a_1.7.0.bin".into()));
}

#[test]
fn who_had_no_file_is_given_one() {
    let server = Server::start("", &FILES);
    let setup = server.stop();
    let file = setup.path().join("data/.config.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let path = setup.path().join("other.yaml");
    fs::rename(&file, &path).unwrap();
    // By the command line it is the same file again that is read.
    let mut command = std::process::Command::new(super::support::server::BINARY);
    let server = setup.start_by("", command.args(["-c", "other.yaml"]));
    fs::write(
        server.dir.path().join("other.yaml"),
        text + "  firmware: {pin: {a: 1.6.6}}\n",
    )
    .unwrap();
    assert_eq!(changed(&server.reload()).unwrap(), "gateway.firmware.pin");
    assert_eq!(server.offered("a", "1.0"), Some("a_1.6.6.bin".into()));
}

#[test]
fn what_needs_a_restart_is_named_and_the_rest_is_taken() {
    let public =
        "server: {ota: 'http://a.example.com/xiaozhi/ota/', websocket: 'ws://v.example.com/'}\n";
    let before = format!("{public}gateway:\n  behind_proxy: true\n");
    let server = Server::start(&before, &FILES);
    let limits = PATIENT.replace('}', ", connections: 77}");
    server.configure(&format!(
        "server: {{ota: 'http://b.example.com/xiaozhi/ota/', websocket: 'ws://w.example.com/'}}\nlog: {{log_file: x.log}}\n\
         gateway:\n  behind_proxy: true\n  ip: 127.0.0.2\n  ports: [0]\n{limits}  firmware: {{dir: elsewhere, memory: 1MiB, pin: {{a: 1.6.6}}}}\n\
         \x20 tls: {{mode: off}}\n  log: {{lang: zh}}\n"
    ));
    for round in 1..=2 {
        let said = server.reload();
        for key in [
            "gateway.log",
            "log.log_file",
            "gateway.ip",
            "gateway.ports",
            "gateway.limits.connections",
            "gateway.firmware.dir",
            "gateway.firmware.memory",
            "gateway.tls.mode",
        ] {
            assert!(waits(&said, key), "{round}: {key}: {said:#?}");
        }
        let keys = "server.ota, server.websocket, gateway.firmware.pin";
        let taken = (round == 1).then_some(keys);
        assert_eq!(changed(&said).as_deref(), taken, "{said:#?}");
    }
    let reply = server.check_in("a", "1.0").json();
    let url = "http://b.example.com/xiaozhi/ota/download/a_1.6.6.bin";
    assert_eq!(firmware(&reply), ["1.6.6", url]);
    assert_eq!(reply["websocket"]["url"], "ws://w.example.com/");
    assert_eq!(server.send("https", &check_in("a", "1.0")).status, 200);
    // Back to what runs: nobody asks for a restart any more.
    server.configure(&before);
    assert!(!waits(&server.reload(), ""));
    // An address at which nobody would listen before the restart.
    let moved =
        "server: {ota: 'http://127.0.0.1:9003/xiaozhi/ota/', websocket: 'ws://v.example.com/'}\n";
    let server = Server::start("", &FILES);
    server.configure(&format!(
        "{moved}gateway:\n  ip: 127.0.0.1\n  ports: [9003]\n{PATIENT}"
    ));
    server.reload();
    let keys = [("key", "server.ota"), ("other", "gateway.ports")];
    server.event("config.needs-restart-with", &keys);
    let (_, url) = server.check_in("a", "1.0").firmware();
    assert!(!url.contains("9003"), "{url}");
}

#[test]
fn a_request_keeps_what_it_began_with() {
    let image = vec![7; 8 << 20];
    let server = Setup::new()
        .file("a_1.6.6.bin", &image)
        .start("server: {ota: 'http://a.example.com/xiaozhi/ota/'}\n");
    let bytes = check_in("a", "1.0");
    // Its head is in, and its body is asked for.
    let text = String::from_utf8(bytes.clone()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut begun = server.tcp();
    write!(begun, "{head}\r\nExpect: 100-continue\r\n\r\n").unwrap();
    let mut go_on = [0; 25];
    begun.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    let mut download = server.tcp();
    download
        .write_all(&request(
            "GET",
            "/xiaozhi/ota/download/a_1.6.6.bin",
            &[],
            b"",
        ))
        .unwrap();
    let mut first = vec![0; 4096];
    download.read_exact(&mut first).unwrap();
    taken(
        &server,
        "server: {ota: 'http://b.example.com/xiaozhi/ota/'}\n",
    );
    begun.write_all(body.as_bytes()).unwrap();
    let (_, url) = read_reply(&mut begun, false).firmware();
    assert!(url.starts_with("http://a.example.com/"), "{url}");
    let (_, url) = exchange(&mut begun, &bytes).firmware();
    assert!(url.starts_with("http://b.example.com/"), "{url}");
    let mut all = first;
    let end = |all: &[u8]| super::support::reply::find_end_of_head(all).unwrap() + image.len();
    while all.len() < end(&all) {
        let mut block = vec![0; 65536];
        let n = download.read(&mut block).unwrap();
        assert!(n > 0, "cut at {}", all.len());
        all.extend_from_slice(&block[..n]);
    }
    assert!(all.ends_with(&image));
}

#[test]
fn a_storm_of_signals_shows_no_mixture() {
    let of = |name: &str, version: &str| {
        format!(
            "server: {{ota: 'http://{name}.example.com/xiaozhi/ota/', websocket: 'ws://{name}.example.com/'}}\n\
             gateway:\n  firmware: {{pin: {{a: {version}}}}}\n"
        )
    };
    let configs = [of("a", "1.6.6"), of("b", "1.7.0")];
    let server = Server::start(&configs[0], &FILES);
    let over = AtomicBool::new(false);
    let told = |reply: &Reply| {
        let reply = reply.json();
        let [version, url] = firmware(&reply);
        let socket = reply["websocket"]["url"].as_str().unwrap();
        match version {
            "1.6.6" => assert!(url.contains("//a.") && socket.contains("//a."), "{reply}"),
            "1.7.0" => assert!(url.contains("//b.") && socket.contains("//b."), "{reply}"),
            other => panic!("{other}"),
        }
        version == "1.7.0"
    };
    thread::scope(|scope| {
        let asking = Over(&over);
        let devices: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut stream = server.tcp();
                    let mut seen = [0; 2];
                    while !over.load(Ordering::Relaxed) {
                        let reply = exchange(&mut stream, &check_in("a", "1.0"));
                        seen[usize::from(told(&reply))] += 1;
                    }
                    seen
                })
            })
            .collect();
        for round in 0..60 {
            server.configure(&configs[round % 2]);
            for _ in 0..5 {
                server.signal("HUP");
            }
        }
        server.configure(&configs[1]);
        until("the last one", || {
            server.signal("HUP");
            told(&server.check_in("a", "1.0")).then_some(())
        });
        drop(asking);
        for device in devices {
            let seen = device.join().unwrap();
            assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
        }
    });
    assert!(server.events("config.refused", &[]).is_empty());
}

#[test]
fn what_would_hurt_devices_is_said_again_where_it_is_new() {
    let server = Server::start("", &FILES);
    let bad = "server: {ota: 'http://127.0.0.1:9/xiaozhi/ota/'}\n";
    taken(&server, bad);
    let port = [("port", "9"), ("setting", "server.ota")];
    server.event("address.port", &port);
    let findings = || {
        let lines = server.log().into_iter();
        lines
            .filter(|line| event::id(line).is_some_and(|id| id.starts_with("address.")))
            .count()
    };
    let said = findings();
    // What was said is said once.
    for _ in 0..3 {
        assert_eq!(taken(&server, bad), "");
    }
    server.signal("HUP");
    server.reload();
    assert_eq!(findings(), said);
    let alone = format!("{bad}gateway:\n  firmware: {{projects: [xiaozhi]}}\n");
    taken(&server, &alone);
    server.event(
        "config.one-project",
        &[
            ("key", "gateway.firmware.projects"),
            ("project", "\"xiaozhi\""),
        ],
    );
}
