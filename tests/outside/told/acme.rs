//! What an ACME order cannot work with, said before the CA says it.

use super::super::support::Reserved;
use super::super::support::certificate::{Authority, Key};
use super::super::support::connect::serve_page;
use super::super::support::server::{BINARY, PATIENT, Setup};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use xiaozhi_ota::event::kinds;
use xiaozhi_ota::event::text::Lang;

/// A proxy that is not there: no test asks a real CA.
pub(super) const NOWHERE: &str = "http://127.0.0.1:1";

/// HMAC key of a contract, as pebble's own configuration has one.
pub(super) const HMAC: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

/// Runs the program with the given proxies and no others.
pub(super) fn program(proxies: &[(&str, &str)]) -> Command {
    let mut command = Command::new(BINARY);
    for name in [
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
    ] {
        command.env_remove(name);
    }
    command.envs(proxies.iter().copied());
    command
}

pub(super) fn validated(dir: &Path, yaml: &str, proxies: &[(&str, &str)]) -> (bool, String) {
    fs::write(dir.join("c.yaml"), yaml).unwrap();
    let mut command = program(proxies);
    let output = command
        .args(["validate", "c.yaml"])
        .current_dir(dir)
        .env_remove("COLUMNS")
        .output();
    let output = output.unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.success(), text)
}

/// Words of a kind up to its first field, by which a text that has no ids shows it.
pub(super) fn words(id: &str, lang: Lang) -> &'static str {
    let kind = kinds::all().find(|kind| kind.id == id).unwrap();
    let remedy = kind.remedy.unwrap_or(kind.words).to(lang);
    remedy
        .split('{')
        .max_by_key(|piece| piece.len())
        .unwrap()
        .rsplit('}')
        .next()
        .unwrap()
}

#[test]
fn settings_that_no_ca_can_work_with_are_warned_of_at_start_and_by_validate() {
    let public = "server: {ota: 'https://ota.example.com/xiaozhi/ota/'}\n";
    for (gateway, id, fields) in [
        (
            "behind_proxy: true, ports: [0], tls: {mode: acme}",
            "acme.behind-proxy",
            &[("challenge", "tls-alpn-01")][..],
        ),
        (
            "behind_proxy: [127.0.0.1], ports: [0], tls: {mode: acme}",
            "acme.behind-proxy",
            &[],
        ),
        (
            "behind_proxy: true, ports: [0], tls: {acme: {challenge: http-01}}",
            "acme.behind-proxy-http",
            &[("challenge", "http-01")],
        ),
        (
            "ip: 127.0.0.1, ports: [0], tls: {mode: acme}",
            "acme.loopback",
            &[("port", "443")],
        ),
        (
            "ports: [0], tls: {mode: acme}",
            "certificate.acme-port",
            &[("port", "443")],
        ),
        (
            "ports: [0], tls: {acme: {challenge: http-01}}",
            "certificate.acme-port",
            &[("port", "80")],
        ),
        (
            "ports: [0], tls: {acme: {email: me@example.com}}",
            "acme.email",
            &[("email", "me@example.com")],
        ),
        (
            "ports: [0], tls: {acme: {email: ops@box.local}}",
            "acme.email",
            &[],
        ),
        (
            "ports: [0], tls: {acme: {directory: 'https://acme.zerossl.com/v2/DV90'}}",
            "acme.eab-missing",
            &[("directory", "zerossl")],
        ),
        (
            "ports: [0], tls: {names: [203.0.113.7], acme: {directory: 'https://acme-v01.api.letsencrypt.org/directory'}}",
            "acme.directory-unknown",
            &[("known", "acme-v02.api.letsencrypt.org/directory")],
        ),
        (
            "ports: [0], tls: {acme: {eab: {key_id: k, hmac_file: open.key}}}",
            "acme.eab-open",
            &[("mode", "0644")],
        ),
    ] {
        let setup = Setup::new();
        let key = setup.path().join("open.key");
        fs::write(&key, HMAC).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let yaml = format!("{public}gateway: {{{gateway}}}\n");
        let nowhere = [("HTTPS_PROXY", NOWHERE)];
        let (good, text) = validated(setup.path(), &yaml.replace("[0]", "[8003]"), &nowhere);
        assert!(
            good && text.contains(words(id, Lang::En)),
            "{gateway}: {text}"
        );
        let server = setup.start_by(&yaml, &mut program(&nowhere));
        let line = server.event(id, fields);
        assert!(line.contains("data/.config.yaml:"), "{line}");
    }
    // What works is not spoken of.
    for gateway in [
        "behind_proxy: [10.0.0.1], ports: [{port: 443, proxy_protocol: true}], tls: {mode: acme, acme: {email: me@xiaozhi.dev}}",
        "ports: [443], tls: {mode: acme, acme: {email: me@example.com.cn}}",
        "ip: 127.0.0.1, ports: [443], tls: {acme: {directory: 'https://ca.lan/dir'}}",
        "ports: [80], tls: {acme: {challenge: http-01}}",
    ] {
        let yaml = format!("{public}gateway: {{{gateway}}}\n");
        let (good, text) = validated(Setup::new().path(), &yaml, &[("HTTPS_PROXY", NOWHERE)]);
        assert!(
            good && !text.contains("no certificate comes") && !text.contains("acme.directory"),
            "{gateway}: {text}"
        );
    }
}

#[test]
fn names_that_no_ca_signs_stop_the_start() {
    for (names, directory, words) in [
        ("[ota_1.example.com]", "", "no underscore"),
        ("[a..example.com]", "", "a part of the name is empty"),
        ("[a-.example.com]", "", "a hyphen"),
        ("[256.1.1.1]", "", "it is no IP address"),
        ("[1.2.3.4.5]", "", "it is no IP address"),
        ("[localhost]", "", "no public CA"),
        ("[xiaozhi]", "", "no public CA"),
        ("[nas.local]", "", "no public CA"),
        ("[nas.home.arpa]", "", "no public CA"),
        ("[ota.corp]", "", "no public CA"),
        ("[192.168.1.5]", "", "no public CA"),
        ("[100.100.1.1]", "", "no public CA"),
        ("[198.18.0.1]", "", "no public CA"),
        ("[240.0.0.1]", "", "no public CA"),
        ("['::ffff:10.0.0.1']", "", "no public CA"),
        ("['fd00::1']", "", "no public CA"),
        ("['*.example.com']", "", "a wildcard"),
        ("[小智.cn]", "", "punycode"),
        ("[ｏｔａ.example.com]", "", "U+FF4F"),
        ("['https://ota.example.com']", "", "no scheme, port or path"),
        ("['ota.example.com:443']", "", "no scheme, port or path"),
        ("['ota.example.com/']", "", "no scheme, port or path"),
        (&*format!("[{}.com]", "a".repeat(64)), "", "63"),
        (
            &format!(
                "[{}]",
                (0..101)
                    .map(|n| format!("a{n}.example.com"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            "",
            "101 names",
        ),
        (
            "[ota_1.lan, localhost, '10.0.0.1', ota.example.com., OTA.example.com]",
            ", directory: 'https://ca.lan/dir'",
            "",
        ),
        (
            "[ota.example.com, OTA.Example.com, ota.example.com.]",
            "",
            "",
        ),
        ("[xn--gmqw5ax7d.cn, 203.0.113.7]", "", ""),
    ] {
        let yaml = format!(
            "gateway: {{ports: [443], tls: {{names: {names}, acme: {{challenge: tls-alpn-01{directory}}}}}}}\n"
        );
        let setup = Setup::new();
        let (good, text) = validated(setup.path(), &yaml, &[("HTTPS_PROXY", NOWHERE)]);
        assert_eq!(good, words.is_empty(), "{names}: {text}");
        assert!(text.contains(words), "{names}: {text}");
    }
}

/// A configuration that orders from a directory whose root lies beside it.
pub(super) fn ordering(port: &Reserved, directory: &str, more: &str) -> String {
    let port = port.port();
    format!(
        "server: {{ota: 'https://ota.example.com/xiaozhi/ota/'}}\ngateway:\n  ip: 127.0.0.1\n  ports: [{port}]\n{PATIENT}\
         \x20 tls:\n    names: [ota.example.com]\n    acme: {{directory: '{directory}', root: root.pem{more}}}\n"
    )
}

pub(super) fn setup(authority: &Authority) -> Setup {
    let setup = Setup::new();
    fs::write(setup.path().join("root.pem"), &authority.pem).unwrap();
    setup
}

/// Opens a port that speaks plain HTTP, once.
fn plain_port() -> u16 {
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = plain.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = plain.accept().unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    port
}

#[test]
fn a_directory_that_is_something_else_is_named_as_what_it_is() {
    let authority = Authority::new();
    let reply = |status: &str, more: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for (reply, more, words) in [
        (
            reply(
                "200 OK",
                "Content-Type: text/html\r\n",
                "<!DOCTYPE html><title>Hello</title>",
            ),
            "",
            "is a web page, and no ACME directory",
        ),
        (reply("200 OK", "", "  <html>"), "", "is a web page"),
        (
            reply("200 OK", "", "{\"hello\": 1}"),
            "",
            "is JSON without newNonce",
        ),
        (reply("200 OK", "", "[]"), "", "is JSON without newNonce"),
        (
            reply("200 OK", "", "hello"),
            "",
            "is something that is no JSON",
        ),
        (reply("200 OK", "", ""), "", "is an empty answer"),
        (
            reply("404 Not Found", "", "<html>"),
            "",
            "answers 404 Not Found",
        ),
        (
            reply("301 Moved", "Location: https://h/dir?token=hush\r\n", ""),
            "",
            "which leads to https://h/dir, and",
        ),
        (reply("503 Down", "", ""), "", "answers 503"),
        (
            reply(
                "200 OK",
                "",
                "{\"newNonce\": \"https://h/a\", \"newAccount\": \"https://h/b\", \"newOrder\": \"https://h/c\", \
                                 \"meta\": {\"externalAccountRequired\": true}}",
            ),
            "",
            "bound to a contract",
        ),
    ] {
        let directory = format!("https://localhost:{}/dir", serve_page(&authority, reply));
        let port = Reserved::new();
        let yaml = ordering(&port, &directory, more);
        let setup = setup(&authority);
        let (good, text) = validated(setup.path(), &yaml, &[]);
        assert!(good && text.contains(words), "{words}: {text}");
        assert!(!text.contains("hush"), "{text}");
        let server = setup.start_by(&yaml, &mut program(&[]));
        let line = server.event("acme.failed", &[("message", words)]);
        assert!(!line.contains("hush"), "{line}");
    }
    // Of another authority, and of nobody.
    let directory = format!(
        "https://localhost:{}/dir",
        serve_page(&authority, String::new())
    );
    let port = Reserved::new();
    let (good, text) = validated(
        setup(&Authority::new()).path(),
        &ordering(&port, &directory, ""),
        &[],
    );
    assert!(
        good && text.contains("cannot be trusted") && text.contains("gateway.tls.acme.root"),
        "{text}"
    );
    let directory = format!("https://localhost:{}/dir", plain_port());
    let (good, text) = validated(
        setup(&authority).path(),
        &ordering(&port, &directory, ""),
        &[],
    );
    assert!(good && text.contains("speaks no TLS"), "{text}");
    let (good, text) = validated(
        setup(&authority).path(),
        &ordering(&port, "https://127.0.0.1:1/dir", ""),
        &[],
    );
    assert!(
        good && !text.contains("127.0.0.1:1 does not answer"),
        "{text}"
    );
}

pub(super) fn contract(dir: &Path, key: &str) {
    let file = dir.join("eab.key");
    fs::write(&file, key).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_contract_that_cannot_be_read_stops_the_start() {
    let key = STANDARD.encode([7; 3]);
    for (eab, content, words) in [
        ("{hmac_file: eab.key}", HMAC, "eab.key_id: missing"),
        ("{key_id: k}", HMAC, "eab.hmac_file: missing"),
        (
            "{key_id: k, hmac: x}",
            HMAC,
            "eab.hmac: no such key: write one of key_id, hmac_file",
        ),
        (
            "{key_id: 'a b', hmac_file: eab.key}",
            HMAC,
            "eab.key_id: \"a b\"",
        ),
        ("[k]", HMAC, "gateway.tls.acme.eab"),
        (
            "{key_id: k, hmac_file: none.key}",
            HMAC,
            "none.key: it cannot be read (No such file",
        ),
        ("{key_id: k, hmac_file: .}", HMAC, "it is a folder"),
        (
            "{key_id: k, hmac_file: eab.key}",
            "",
            "eab.key: it is empty",
        ),
        (
            "{key_id: k, hmac_file: eab.key}",
            " \n",
            "eab.key: it is empty",
        ),
        ("{key_id: k, hmac_file: eab.key}", &key, "too short"),
        (
            "{key_id: k, hmac_file: eab.key}",
            "hmac_key: zWNDZM6eQGHWpSRTPal5eIUY",
            "it holds no base64",
        ),
        (
            "{key_id: k, hmac_file: zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W}",
            "",
            "eab.hmac_file: \"***\": name the file",
        ),
    ] {
        let setup = Setup::new();
        contract(setup.path(), content);
        let yaml =
            format!("gateway: {{tls: {{names: [ota.example.com], acme: {{eab: {eab}}}}}}}\n");
        let (good, text) = validated(setup.path(), &yaml, &[("HTTPS_PROXY", NOWHERE)]);
        assert!(!good && text.contains(words), "{eab}: {text}");
        assert!(text.starts_with("c.yaml:1: gateway.tls.acme.eab"), "{text}");
        assert!(!text.contains("zWND"), "{text}");
        let mut command = program(&[("HTTPS_PROXY", NOWHERE)]);
        let ended = command
            .args(["-c", "c.yaml"])
            .current_dir(setup.path())
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), Some(78), "{ended:?}");
    }
}

/// Where the names lead that the server asks for, in a network of its own: to itself, to
/// another server, to nobody, and nowhere.
#[test]
fn a_name_that_leads_elsewhere_is_told_of_before_the_ca_comes() {
    let authority = Authority::new();
    let setup = setup(&authority);
    let dir = setup.path();
    authority.sign(
        dir,
        "ca",
        Key::P256,
        &["localhost", "acme-v02.api.letsencrypt.org"],
    );
    fs::write(
        dir.join("hosts"),
        "127.0.0.1 localhost\n127.0.0.1 here.example.com\n127.0.0.7 other.example.com\n192.0.2.9 nobody.example.com\n\
         10.9.9.9 private.example.com\n127.0.0.8 acme-v02.api.letsencrypt.org\n127.0.0.7 both.example.com\n127.0.0.1 both.example.com\n",
    )
    .unwrap();
    fs::write(
        dir.join("network.py"),
        "import fcntl, http.server, os, socket, ssl, struct, sys, threading\n\
         fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 1))\n\
         class Directory(http.server.BaseHTTPRequestHandler):\n\
         \x20   def do_GET(self):\n\
         \x20       body = b'{\"newNonce\": \"https://acme-v02.api.letsencrypt.org/a\", \"newAccount\": \"https://acme-v02.api.letsencrypt.org/b\", \"newOrder\": \"https://acme-v02.api.letsencrypt.org/c\"}'\n\
         \x20       self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers(); self.wfile.write(body)\n\
         ca = http.server.ThreadingHTTPServer(('127.0.0.8', 443), Directory)\n\
         context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
         context.load_cert_chain('ca.pem', 'ca.key')\n\
         ca.socket = context.wrap_socket(ca.socket, server_side=True)\n\
         other = http.server.ThreadingHTTPServer(('127.0.0.7', 443), http.server.SimpleHTTPRequestHandler)\n\
         if os.fork() == 0:\n\
         \x20   threading.Thread(target=other.serve_forever).start()\n\
         \x20   ca.serve_forever()\n\
         os.execv(sys.argv[1], sys.argv[1:])\n",
    )
    .unwrap();
    let yaml = format!(
        "server: {{ota: 'https://here.example.com/xiaozhi/ota/'}}\ngateway:\n  ip: 127.0.0.1\n  ports: [443]\n{PATIENT}  tls:\n    \
         names: [here.example.com, other.example.com, nobody.example.com, private.example.com, unknown.example.com]\n    \
         acme: {{root: root.pem}}\n"
    );
    let mut command = Command::new("unshare");
    command.args([
        "--map-root-user",
        "--mount",
        "--net",
        "--pid",
        "--fork",
        "--kill-child",
        "sh",
        "-c",
    ]);
    command.args([
        "mount --bind hosts /etc/hosts && exec /usr/bin/python3 network.py \"$0\"",
        BINARY,
    ]);
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    let server = setup.start_by(&yaml, &mut command);
    let line = server.event(
        "acme.name-elsewhere",
        &[("name", "other.example.com"), ("address", "127.0.0.7")],
    );
    assert!(line.contains("404") && line.contains("port 443"), "{line}");
    server.event(
        "acme.name-foreign",
        &[("name", "nobody.example.com"), ("addresses", "192.0.2.9")],
    );
    server.event(
        "acme.name-private",
        &[("name", "private.example.com"), ("addresses", "10.9.9.9")],
    );
    server.event("acme.name-unknown", &[("name", "unknown.example.com")]);
    server.event("acme.failed", &[]);
    assert_eq!(
        server.events_of("acme.name-", &[("name", "here.example.com")]),
        [""; 0]
    );
    // Once, and not at each try.
    assert_eq!(server.events_of("acme.name-", &[]).len(), 4);
}
