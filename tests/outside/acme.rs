//! Certificates ordered from a CA: pebble, Let's Encrypt's own test server,
//! comes to our port and looks whether the names are ours.

use super::support::certificate::Authority;
use super::support::event::{field, is};
use super::support::pebble::{Better, Pebble, Wanted};
use super::support::server::{
    BINARY, PATIENT, Setup, check_in, der, exchange, read_reply, request,
};
use super::support::{Reserved, Server, noise, until};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Barrier};

/// When a CA would have had it renewed: then it is, after a tenth of its life.
const OVER: [&str; 2] = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"];
const NAMES: &str = "[ota.example.com, www.example.com, 127.0.0.1]";

/// A configuration that orders from `directory`, whose root lies beside it.
fn config(port: &Reserved, directory: &str, names: &str, more: &str) -> String {
    let port = port.port();
    format!(
        "server: {{ota: 'https://ota.example.com/xiaozhi/ota/'}}\ngateway:\n  ip: 127.0.0.1\n  ports: [{port}]\n{more}{PATIENT}\
         \x20 tls:\n    names: {names}\n    acme: {{email: me@example.com, directory: '{directory}', root: root.pem, \
         challenge: {}}}\n",
        if more.contains("http_fallback") {
            "http-01"
        } else {
            "tls-alpn-01"
        }
    )
}

fn setup(authority: &Authority) -> Setup {
    let setup = Setup::new();
    fs::write(setup.path().join("root.pem"), &authority.pem).unwrap();
    setup
}

/// The file in which certificate and key are kept.
fn kept(dir: &Path) -> PathBuf {
    let acme = fs::read_dir(dir.join("certs/acme")).unwrap();
    let folders: Vec<_> = acme.map(|item| item.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].join("certificate.pem")
}

/// Shakes hands and says which chain came; `None` if the server would not.
fn chain(server: &Server, name: &str, root: &str, alpn: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
    let mut roots = RootCertStore::empty();
    roots.add(der(root).remove(0)).unwrap();
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = server.tcp();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).ok()?;
    }
    let certificates = connection.peer_certificates()?;
    Some(certificates.iter().map(|c| c.to_vec()).collect())
}

/// Waits until the server got no certificate for this reason, which names what the CA
/// did. On a busy machine it may have been too late for the CA before.
fn fault(server: &Server, why: &str) -> String {
    server.event("acme.failed", &[("message", why)])
}

/// The moment that a field of a line names.
fn moment(line: &str, name: &str) -> jiff::Timestamp {
    field(line, name).unwrap().parse().unwrap()
}

/// Waits until the server serves what the CA gave.
fn obtained(server: &Server) {
    server.event("acme.obtained", &[]);
    server.event("certificate.replaced", &[]);
}

#[test]
#[ignore = "needs pebble: tests/run installs it"]
fn by_tls_alpn_for_names_and_an_address_and_kept_for_the_next_start() {
    let port = Reserved::new();
    let wanted = Wanted::at(&port);
    let pebble = Pebble::start(&wanted);
    let config = config(&port, &pebble.directory(), NAMES, "");
    let server = setup(&pebble.authority).start(&config);
    obtained(&server);
    let root = pebble.root();
    let file = kept(server.dir.path());
    // The whole chain as it came, and the key, for nobody else to read.
    let text = fs::read_to_string(&file).unwrap();
    let on_disk: Vec<_> = der(&text).iter().map(|c| c.to_vec()).collect();
    assert!(on_disk.len() == 2 && text.contains("PRIVATE KEY"));
    for name in ["ota.example.com", "www.example.com", "127.0.0.1"] {
        let offers: [&[&[u8]]; 3] = [&[], &[b"http/1.1"], &[b"h2", b"http/1.1"]];
        for alpn in offers {
            let now = chain(&server, name, &root, alpn);
            assert_eq!(now.as_ref(), Some(&on_disk), "{name} {alpn:?}");
        }
    }
    // Renewal is from two thirds of its life on.
    let line = server.event("acme.kept", &[]);
    let before_its_end = moment(&line, "until").duration_since(moment(&line, "renewal"));
    let share = before_its_end.as_secs_f64() / f64::from(wanted.seconds);
    assert!((0.29..0.34).contains(&share), "{share}: {line}");
    // Nobody is asked for an answer now, so none is given.
    assert_eq!(
        chain(&server, "ota.example.com", &root, &[b"acme-tls/1"]),
        None
    );
    let account = file.with_file_name("account.json");
    for file in [&file, &account] {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    // The next start needs no CA.
    let authority = Arc::clone(&pebble.authority);
    drop(pebble);
    let setup = server.stop();
    let server = setup.start(&config);
    let now = chain(&server, "ota.example.com", &root, &[]);
    assert_eq!(now.as_ref(), Some(&on_disk));
    server.event("acme.kept", &[]);
    assert_eq!(server.events("acme.failed", &[]), [""; 0]);
    // A half-written file is told of and replaced; by a CA, too, that has
    // forgotten us.
    let setup = server.stop();
    fs::write(&file, &text[..text.len() / 2]).unwrap();
    let pebble = Pebble::start_as(&wanted, &authority);
    let server = setup.start(&config);
    server.event("certificate.stand-in", &[]);
    let own = fs::read_to_string(file.with_file_name("self-signed.crt")).unwrap();
    assert!(chain(&server, "ota.example.com", &own, &[]).is_some());
    server.event("acme.account-aside", &[]);
    obtained(&server);
    assert!(chain(&server, "ota.example.com", &pebble.root(), &[]).is_some());
}

#[test]
#[ignore = "needs pebble: tests/run installs it"]
fn by_http_when_plain_http_has_ended_and_nonces_are_bad() {
    let port = Reserved::new();
    let pebble = Pebble::start(&Wanted {
        bad_nonces: 15,
        ..Wanted::at(&port)
    });
    let config = config(
        &port,
        &pebble.directory(),
        NAMES,
        "  http_fallback: false\n",
    );
    let server = setup(&pebble.authority).start(&config);
    obtained(&server);
    assert!(chain(&server, "www.example.com", &pebble.root(), &[]).is_some());
    assert_eq!(server.check_in("esp32s3", "1.0").status, 403);
    let reply = server.get("/.well-known/acme-challenge/none");
    assert_eq!(reply.status, 404, "answered only while it is wanted");
    reply.hold_to_contract("a challenge that is over");
}

#[test]
#[ignore = "needs pebble: tests/run installs it"]
fn renewed_while_200_downloads_run() {
    let port = Reserved::new();
    // Soon after it came, and long before it ends.
    let pebble = Pebble::start(&Wanted {
        seconds: 100,
        ..Wanted::at(&port)
    });
    let better = Better::start(&pebble, Some(OVER));
    let image = noise(3 << 20, 5);
    let setup = setup(&pebble.authority).file("esp32s3_1.6.6.bin", &image);
    let server = setup.start(&config(&port, &better.directory(), "[ota.example.com]", ""));
    obtained(&server);
    let root = pebble.root();
    let first = chain(&server, "ota.example.com", &root, &[]).unwrap();
    let go_on = Barrier::new(201);
    std::thread::scope(|scope| {
        let downloads: Vec<_> = (0..200)
            .map(|_| {
                scope.spawn(|| {
                    let mut stream = server.tls("ota.example.com", Some(&root));
                    let path = "/xiaozhi/ota/download/esp32s3_1.6.6.bin";
                    stream.write_all(&request("GET", path, &[], b"")).unwrap();
                    let mut beginning = vec![0; 4096];
                    stream.read_exact(&mut beginning).unwrap();
                    go_on.wait();
                    let mut whole = beginning.as_slice().chain(stream);
                    read_reply(&mut whole, false).body == image
                })
            })
            .collect();
        until("a renewal", || {
            let now = chain(&server, "ota.example.com", &root, &[])?;
            (now != first).then_some(())
        });
        go_on.wait();
        for download in downloads {
            assert!(download.join().unwrap(), "a download was cut");
        }
    });
}

#[test]
#[ignore = "needs pebble: tests/run installs it"]
fn a_ca_that_is_down_is_asked_again() {
    let port = Reserved::new();
    let wanted = Wanted::at(&port);
    let directory = wanted.directory();
    let authority = Arc::new(Authority::new());
    let server = setup(&authority).start(&config(&port, &directory, "[ota.example.com]", ""));
    fault(&server, "does not answer");
    let own = kept(server.dir.path()).with_file_name("self-signed.crt");
    let own = fs::read_to_string(own).unwrap();
    let mut stream = server.tls("ota.example.com", Some(&own));
    assert_eq!(
        exchange(&mut stream, &check_in("esp32s3", "1.0")).status,
        200
    );
    let pebble = Pebble::start_as(&wanted, &authority);
    obtained(&server);
    assert!(chain(&server, "ota.example.com", &pebble.root(), &[]).is_some());
}

#[test]
#[ignore = "needs pebble: tests/run installs it"]
fn a_directory_of_a_stranger_is_not_trusted() {
    let port = Reserved::new();
    let pebble = Pebble::start(&Wanted::at(&port));
    let server = setup(&Authority::new()).start(&config(
        &port,
        &pebble.directory(),
        "[ota.example.com]",
        "",
    ));
    let line = fault(&server, "cannot be trusted");
    assert!(line.contains("gateway.tls.acme.root"), "{line}");
    assert_eq!(server.check_in("esp32s3", "1.0").status, 200);
}

#[test]
#[ignore = "needs pebble: tests/run installs it"]
fn a_refusal_says_which_name_and_what_to_check() {
    for (more, challenge, check) in [
        ("", "tls-alpn-01", "port 443 of ota.example.com"),
        (
            "  http_fallback: false\n",
            "http-01",
            "port 80 of ota.example.com",
        ),
    ] {
        let port = Reserved::new();
        // It comes to a port where nobody answers.
        let nobody = Reserved::new();
        let pebble = Pebble::start(&Wanted::at(&nobody));
        let config = config(&port, &pebble.directory(), "[ota.example.com]", more);
        let server = setup(&pebble.authority).start(&config);
        let failed = format!("ota.example.com by {challenge} failed: it says \"");
        let line = fault(&server, &failed);
        assert!(line.contains(check), "{check}: {line}");
    }
}

fn limit_files(server: &Server, limit: &str) {
    let status = Command::new("prlimit")
        .args(["--pid", &server.pid().to_string()])
        .arg(format!("--fsize={limit}"))
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
#[ignore = "needs pebble: tests/run installs it"]
fn a_disk_that_takes_nothing_leaves_the_last_good_one_in_use() {
    let port = Reserved::new();
    let pebble = Pebble::start(&Wanted {
        seconds: 100,
        ..Wanted::at(&port)
    });
    let better = Better::start(&pebble, Some(OVER));
    let config = config(&port, &better.directory(), "[ota.example.com]", "");
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\"", BINARY]);
    let server = setup(&pebble.authority).start_by(&config, &mut command);
    obtained(&server);
    let root = pebble.root();
    let first = chain(&server, "ota.example.com", &root, &[]).unwrap();
    let before = fs::read(kept(server.dir.path())).unwrap();
    limit_files(&server, "0:unlimited");
    let line = fault(&server, "there is room");
    // That of the one that answers meanwhile.
    assert!(moment(&line, "until") > jiff::Timestamp::now(), "{line}");
    assert_eq!(fs::read(kept(server.dir.path())).unwrap(), before);
    let now = chain(&server, "ota.example.com", &root, &[]);
    assert_eq!(now.as_ref(), Some(&first));
    limit_files(&server, "unlimited:unlimited");
    until("a renewal", || {
        let now = chain(&server, "ota.example.com", &root, &[])?;
        (now != first).then_some(())
    });
}

#[test]
#[ignore = "needs pebble: tests/run installs it"]
fn other_names_are_ordered_without_a_restart() {
    let port = Reserved::new();
    let pebble = Pebble::start(&Wanted::at(&port));
    let with = |names: &str| config(&port, &pebble.directory(), names, "");
    let server = setup(&pebble.authority).start(&with("[ota.example.com]"));
    obtained(&server);
    let root = pebble.root();
    assert!(chain(&server, "www.example.com", &root, &[]).is_none());
    server.configure(&with("[ota.example.com, www.example.com]"));
    let taken = [("keys", "gateway.tls.names")];
    let said = server.reload();
    assert!(
        said.iter().any(|line| is(line, "config.changed", &taken)),
        "{said:#?}"
    );
    until("the other certificate", || {
        chain(&server, "www.example.com", &root, &[]).map(|_| ())
    });
    assert_eq!(server.events("acme.obtained", &[]).len(), 2);
    assert_eq!(server.events("acme.failed", &[]), [""; 0]);
}

#[test]
#[ignore = "needs pebble: tests/run installs it"]
fn a_ca_that_says_when_to_renew_is_heard() {
    let port = Reserved::new();
    let pebble = Pebble::start(&Wanted {
        seconds: 100,
        ..Wanted::at(&port)
    });
    let better = Better::start(&pebble, Some(OVER));
    let server = setup(&pebble.authority).start(&config(&port, &better.directory(), NAMES, ""));
    server.event("acme.window", &[]);
    // Long before two thirds of its life are over; and again after that.
    until("a renewal", || {
        (server.events("acme.obtained", &[]).len() >= 2).then_some(())
    });
    let orders = better.orders.lock().unwrap().clone();
    let asked = better.asked.lock().unwrap().clone();
    assert_eq!(orders[0].get("replaces"), None);
    assert_eq!(orders[1]["replaces"], asked[0]);
    for order in orders {
        assert_eq!(order["profile"], "shortlived", "{order}");
    }
}

#[test]
#[ignore = "needs pebble: tests/run installs it"]
fn a_ca_that_has_had_enough_is_left_alone_for_as_long_as_it_says() {
    let port = Reserved::new();
    let pebble = Pebble::start(&Wanted::at(&port));
    let better = Better::start(&pebble, None);
    let config = config(&port, &better.directory(), "[ota.example.com]", "");
    let before = jiff::Timestamp::now();
    let server = setup(&pebble.authority).start(&config);
    let line = fault(&server, "it says \"too many\" (rateLimited)");
    let after = jiff::Timestamp::now();
    let next = moment(&line, "next");
    let earliest = next.duration_since(before).as_secs();
    let latest = next.duration_since(after).as_secs();
    // It is written in whole seconds.
    assert!(earliest >= 7199 && latest <= 7200, "{line}");
}

#[test]
#[ignore = "needs pebble: tests/run installs it"]
fn what_is_signed_already_is_fetched_again_and_not_ordered_anew() {
    let port = Reserved::new();
    let pebble = Pebble::start(&Wanted::at(&port));
    let better = Better::start(
        &pebble,
        Some(["2030-01-01T00:00:00Z", "2030-01-02T00:00:00Z"]),
    );
    *better.unfetched.lock().unwrap() = u32::MAX;
    let config = config(&port, &better.directory(), "[ota.example.com]", "");
    let server = setup(&pebble.authority).start(&config);
    let line = fault(&server, "answers 503");
    for words in ["localhost:", "gateway.tls.acme.directory"] {
        assert!(line.contains(words), "{words}: {line}");
    }
    let signing = kept(server.dir.path()).with_file_name("signing.json");
    let mode = fs::metadata(&signing).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let setup = server.stop();
    *better.unfetched.lock().unwrap() = 1;
    let server = setup.start(&config);
    server.event("acme.asked-again", &[]);
    obtained(&server);
    assert_eq!(*better.unfetched.lock().unwrap(), 0);
    assert_eq!(better.orders.lock().unwrap().len(), 1);
    assert!(!signing.exists());
    // The names in another order are served by the same one.
    let text = config.replace("[ota.example.com]", "[www.example.com, ota.example.com]");
    let server = server.stop().start(&text);
    assert_eq!(server.events("certificate.stand-in", &[]), [""; 0]);
    obtained(&server);
    let text = text.replace(
        "www.example.com, ota.example.com",
        "ota.example.com, www.example.com",
    );
    let server = server.stop().start(&text);
    server.event("acme.kept", &[]);
    assert!(chain(&server, "www.example.com", &pebble.root(), &[]).is_some());
    assert_eq!(better.orders.lock().unwrap().len(), 2);
}

#[test]
#[ignore = "needs pebble: tests/run installs it"]
fn a_wait_that_the_ca_asked_for_outlives_a_restart() {
    let port = Reserved::new();
    let pebble = Pebble::start(&Wanted::at(&port));
    let better = Better::start(&pebble, None);
    let config = config(&port, &better.directory(), "[ota.example.com]", "");
    let server = setup(&pebble.authority).start(&config);
    let then = moment(&fault(&server, "(rateLimited)"), "next");
    let server = server.stop().start(&config);
    let line = server.event("acme.waits", &[]);
    // Kept in whole seconds, and rounded up.
    let moved = moment(&line, "next").duration_since(then).as_secs();
    assert!((-1..=1).contains(&moved), "{line}, and not {then}");
    assert!(
        field(&line, "kept").unwrap().ends_with("waits.json"),
        "{line}"
    );
    assert_eq!(server.events("acme.ordered", &[]), [""; 0]);
}

#[test]
#[ignore = "needs pebble: tests/run installs it"]
fn an_end_does_not_wait_for_a_ca() {
    let port = Reserved::new();
    // It takes the connection, and says nothing.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let directory = format!("https://{}/dir", silent.local_addr().unwrap());
    let mut server =
        setup(&Authority::new()).start(&config(&port, &directory, "[ota.example.com]", ""));
    let _asked = silent.accept().unwrap();
    server.signal("TERM");
    assert!(server.end().success());
    // Who had waited would have said what became of it.
    server.event("stopped", &[]);
    assert_eq!(server.events("acme.failed", &[]), [""; 0]);
}
