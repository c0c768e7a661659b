//! The page of the server: what was found wrong and still is, settings, the last events, and
//! the text to paste into an issue, which holds nobody's secret.

use super::secrets::{MISPLACED, broken, holds_nothing_of, key_of};
use super::support::admin::ask;
use super::support::server::{BINARY, Setup, check_in, post, request};
use super::support::{Reply, Reserved, Server, until};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// The admin address at a port that the kernel chooses.
const ADMIN: &str = "gateway:\n  admin: {listen: 0}\n";
/// Languages in which a page can be read.
const LANGUAGES: [&str; 2] = ["en", "zh"];

/// Somebody who signed in on the page.
struct Reader<'a> {
    server: &'a Server,
    cookie: String,
}

impl<'a> Reader<'a> {
    #[track_caller]
    fn of(server: &'a Server) -> Self {
        Self::by(server, &server.admin_token())
    }

    #[track_caller]
    fn by(server: &'a Server, token: &str) -> Self {
        let host = server.admin_address().to_string();
        let origin = format!("http://{host}");
        let headers = [
            ("Origin", &*origin),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let form = format!("token={token}");
        let mut stream = server.admin_tcp();
        let reply = ask(&mut stream, "POST", "/sign-in", &host, &headers, &form);
        assert_eq!(reply.status, 303, "{}", reply.text());
        let cookies = reply.headers.iter();
        let mut cookies = cookies.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        let cookie = cookies.next().expect("a session").1.split(';').next();
        let cookie = cookie.unwrap().to_owned();
        Self { server, cookie }
    }

    #[track_caller]
    fn get(&self, path: &str, lang: &str) -> Reply {
        let host = self.server.admin_address().to_string();
        let headers = [("Cookie", &*self.cookie), ("Accept-Language", lang)];
        let mut stream = self.server.admin_tcp();
        let reply = ask(&mut stream, "GET", path, &host, &headers, "");
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply
    }

    /// Everything that is shown of the server, in both languages.
    #[track_caller]
    fn everything(&self) -> String {
        let pages = LANGUAGES.iter().flat_map(|lang| {
            ["/server", "/server/diagnostics"].map(|path| self.get(path, lang).text().to_owned())
        });
        pages.collect()
    }

    /// The ids of what is shown as wrong, but for what is said of the address of a machine
    /// on which tests run.
    #[track_caller]
    fn faults(&self) -> Vec<String> {
        let found = self.findings().into_iter();
        found.filter(|id| !id.starts_with("address.")).collect()
    }

    /// The ids of what is shown as wrong.
    #[track_caller]
    fn findings(&self) -> Vec<String> {
        let page = self.get("/server", "en");
        let (_, section) = page.text().split_once("<section id=\"findings\"").unwrap();
        let (section, _) = section.split_once("</section>").unwrap();
        let ids = section.split("<code>").skip(1);
        ids.map(|id| id.split('<').next().unwrap().to_owned())
            .collect()
    }

    #[track_caller]
    fn finds(&self, id: &str) {
        until(id, || {
            self.findings()
                .iter()
                .any(|found| found == id)
                .then_some(())
        });
    }

    #[track_caller]
    fn finds_no_more(&self, id: &str) {
        let is_gone = || !self.findings().iter().any(|found| found == id);
        until(&format!("{id} to be gone"), || is_gone().then_some(()));
    }
}

fn private(path: &Path, content: &str) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Writes a certificate and its key for a name, which ends in a year.
fn certificate(dir: &Path, name: &str, until: i32) {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    private(&dir.join("a.key"), &key.serialize_pem());
    fs::write(dir.join("a.pem"), pem).unwrap();
}

#[test]
fn nothing_is_wrong_with_a_server_that_is_well() {
    let server = Setup::new().start(ADMIN);
    let reader = Reader::of(&server);
    assert_eq!(reader.faults(), Vec::<String>::new());
    let page = reader.get("/server", "zh");
    for word in [
        "需要处理的问题",
        "/xiaozhi/ota/",
        "self-signed.crt",
        "gateway.limits.idle",
        env!("CARGO_PKG_VERSION"),
        "admin.listening",
    ] {
        assert!(page.text().contains(word), "{word}");
    }
    let text = reader.get("/server/diagnostics", "en");
    let kind = text.header("Content-Type").unwrap();
    assert_eq!(kind, "text/plain; charset=utf-8");
    for word in [
        "checks (/readyz): catalogue ok, certificate ok, store ok",
        "gateway.limits.idle: 1h  # data/.config.yaml:",
        "gateway.fleet.silent_after: 10m\n",
        "devices: 0\n",
        "succeeded 0",
        "up_to_date 0",
        "event=listening",
    ] {
        assert!(text.text().contains(word), "{word}: {}", text.text());
    }
}

#[test]
fn it_is_shown_to_whoever_signed_in_and_to_nobody_else() {
    let setup = Setup::new();
    private(&setup.path().join("reader"), "reader-reader-reader\n");
    let server = setup.start(
        "gateway:\n  admin: {listen: 0, tokens: [{name: dashboard, role: read, token_file: reader}]}\n",
    );
    let host = server.admin_address().to_string();
    for path in ["/server", "/server/diagnostics"] {
        let reply = ask(&mut server.admin_tcp(), "GET", path, &host, &[], "");
        assert_eq!(reply.status, 401, "{path}");
        assert!(!reply.text().contains("gateway."), "{}", reply.text());
        Reader::by(&server, "reader-reader-reader").get(path, "en");
    }
}

#[test]
fn a_fault_of_the_configuration_stands_until_it_is_mended() {
    let config = |server: &str, gateway: &str| format!("{server}\n{ADMIN}{gateway}");
    let bad = "server: {ota: 'http://host.docker.internal:8003/xiaozhi/ota/', timezone_ofset: 8}";
    // What is said of them is no line of such a log.
    let quiet = format!("log: {{log_level: ERROR}}\n{bad}");
    for bad in [bad, &quiet] {
        let server = Setup::new().start(ADMIN);
        let reader = Reader::of(&server);
        server.configure(&config(bad, ""));
        server.signal("HUP");
        reader.finds("address.docker");
        reader.finds("config.near-miss");
        let page = reader.get("/server", "en");
        assert!(
            page.text().contains("data/.config.yaml:"),
            "{}",
            page.text()
        );
        server.configure(&config("", ""));
        server.signal("HUP");
        reader.finds_no_more("address.docker");
        reader.finds_no_more("config.near-miss");
        // One that the start would refuse is not taken, and what is shown is what runs.
        server.configure(&config("server: {timezone_offset: later}", ""));
        server.signal("HUP");
        reader.finds("config.refused");
        server.configure(&config("", "  state: elsewhere\n"));
        server.signal("HUP");
        reader.finds("config.needs-restart");
        reader.finds_no_more("config.refused");
        server.configure(&config("", ""));
        server.signal("HUP");
        reader.finds_no_more("config.needs-restart");
        assert_eq!(reader.faults(), Vec::<String>::new());
    }
}

#[test]
fn a_token_that_everybody_may_read_stands_there_until_its_file_is_shut() {
    let setup = Setup::new();
    let file = setup.path().join("reader");
    private(&file, "reader-reader-reader\n");
    let chmod = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    chmod(0o644);
    let config =
        "gateway:\n  admin: {listen: 0, tokens: [{name: d, role: read, token_file: reader}]}\n";
    let server = setup.start(config);
    let reader = Reader::of(&server);
    reader.finds("admin-token.open");
    // One that is not taken mends nothing.
    server.configure(&format!("server: {{timezone_offset: later}}\n{config}"));
    server.signal("HUP");
    reader.finds("config.refused");
    assert!(reader.faults().contains(&"admin-token.open".to_owned()));
    chmod(0o600);
    assert!(!reader.faults().contains(&"admin-token.open".to_owned()));
    chmod(0o644);
    server.configure(ADMIN);
    server.signal("HUP");
    reader.finds_no_more("admin-token.open");
}

#[test]
fn a_file_that_is_not_used_stands_there_until_it_is() {
    let setup = Setup::new().file("firmware.bin", "x");
    let server = setup.file("esp-box_1.0.bin", "x").start(ADMIN);
    let reader = Reader::of(&server);
    reader.finds("file.refused");
    reader.finds("file.foreign");
    let page = reader.get("/server", "en");
    assert!(page.text().contains("firmware.bin"), "{}", page.text());
    fs::remove_file(server.bin().join("firmware.bin")).unwrap();
    reader.finds_no_more("file.refused");
    // A device whose board has no file, and nearly has.
    server.send("http", &check_in("esp-bx", "0.9"));
    reader.finds("model.near");
    let alias = format!("{ADMIN}  firmware: {{alias: {{esp-box: esp-bx}}}}\n");
    server.configure(&alias);
    server.reload();
    reader.finds_no_more("model.near");
    server.configure(ADMIN);
    server.reload();
    reader.finds("model.near");
    let from = server.bin().join("esp-box_1.0.bin");
    fs::rename(from, server.bin().join("esp-bx_1.0.bin")).unwrap();
    reader.finds_no_more("model.near");
    reader.finds("file.foreign");
}

#[test]
fn many_files_alike_are_counted_and_not_listed() {
    let files = (0..30).map(|number| format!("firmware{number:02}.bin"));
    let setup = files.fold(Setup::new(), |setup, file| setup.file(&file, "x"));
    // Not every one of them is in the log, for which a start waits.
    let server = setup.start_early(ADMIN, &mut Command::new(BINARY));
    let reader = Reader::of(&server);
    reader.finds("files.more");
    let found = reader.faults();
    let refused = found.iter().filter(|id| *id == "file.refused").count();
    assert_eq!((refused, found.len()), (10, 11), "{found:?}");
}

#[test]
fn a_certificate_stands_there_until_it_is_renewed() {
    let setup = Setup::new();
    certificate(setup.path(), "ota.example.com", 2021);
    let server = setup.start(&format!(
        "server: {{ota: 'https://ota.example.com/xiaozhi/ota/'}}\n{ADMIN}  tls: {{certificates: [{{cert: a.pem, key: a.key}}]}}\n"
    ));
    let reader = Reader::of(&server);
    reader.finds("certificate.expired");
    let page = reader.get("/server", "en");
    let ended = "<strong class=\"bad\">ended ";
    assert!(page.text().contains(ended), "{}", page.text());
    // A new one that is of no use is not taken, which is another finding.
    let good = fs::read(server.dir.path().join("a.key")).unwrap();
    private(&server.dir.path().join("a.key"), "x");
    reader.finds("certificate.not-replaced");
    fs::write(server.dir.path().join("a.key"), good).unwrap();
    server.signal("HUP");
    reader.finds_no_more("certificate.not-replaced");
    reader.finds("certificate.expired");
    certificate(server.dir.path(), "ota.example.com", 2100);
    server.signal("HUP");
    reader.finds_no_more("certificate.expired");
    let page = reader.get("/server", "en");
    assert!(
        !page.text().contains("<strong class=\"bad\">"),
        "{}",
        page.text()
    );
}

#[test]
fn a_server_behind_stands_there_until_it_answers() {
    let behind = Reserved::new();
    let port = behind.port();
    let server = Setup::new().start(&format!(
        "{ADMIN}  proxy: {{routes: {{/extra/: 'http://127.0.0.1:{port}'}}}}\n"
    ));
    let reader = Reader::of(&server);
    let page = reader.get("/server", "en");
    assert!(page.text().contains("not asked since the start"));
    assert_eq!(server.get("/extra/x").status, 502);
    reader.finds("backend.down");
    let listener = behind.listen();
    let answer = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(reply).unwrap();
    });
    assert_eq!(server.get("/extra/x").status, 200);
    answer.join().unwrap();
    reader.finds_no_more("backend.down");
    let page = reader.get("/server", "en");
    assert!(page.text().contains("answered the last request"));
}

#[test]
fn a_state_folder_that_cannot_be_written_is_said_where_somebody_looks() {
    let setup = Setup::new();
    private(&setup.path().join("ops"), "operator-operator\n");
    // Not even root can make a folder there.
    let server = setup.start(
        "gateway:\n  state: /proc/xiaozhi-ota\n  admin: {listen: 0, tokens: [{name: ops, role: operate, token_file: ops}]}\n",
    );
    let reader = Reader::by(&server, "operator-operator");
    let found = reader.findings();
    assert_eq!(
        found.first().map(String::as_str),
        Some("state.unwritable"),
        "{found:?}"
    );
    // One finding for one thing.
    assert!(!found.iter().any(|id| id == "ready.state"), "{found:?}");
    let text = reader.get("/server/diagnostics", "en");
    assert!(text.text().contains("store ready.state"), "{}", text.text());
}

#[test]
fn the_last_events_are_so_many_and_the_rare_ones_stay() {
    let server = Setup::new().file("firmware.bin", "x").start(ADMIN);
    let reader = Reader::of(&server);
    for number in 0..150 {
        let body = format!("{{\"application\":{{\"version\":\"1.{number}\"}}}}");
        server.send("http", &post("/xiaozhi/ota/", body.as_bytes()));
    }
    server.settle();
    let page = reader.get("/server", "en");
    let (_, section) = page.text().split_once("<section id=\"events\"").unwrap();
    let (section, _) = section.split_once("</section>").unwrap();
    let count = |text: &str| section.matches(text).count();
    assert_eq!(
        count("<li>"),
        count(">info<") + count(">warning<") + count(">error<")
    );
    assert_eq!(count(">info<"), 60);
    assert!(count("file.refused") > 0, "{section}");
    // Of single devices nothing is pasted that is as it should be.
    let text = reader.get("/server/diagnostics", "en");
    let events = text.text().split("## last events").nth(1).unwrap();
    assert!(
        events.lines().count() <= 200 && !events.contains("event=check-in\n"),
        "{events}"
    );
    assert!(events.contains("event=file.refused"), "{events}");
}

#[test]
fn what_is_pasted_names_no_device_and_no_client() {
    let server = Setup::new().file("esp-box_1.0.bin", "x").start(&format!(
        "server:\n  auth: {{enabled: true, allowed_devices: ['11:22:33:44:55:66']}}\n  auth_key: H7shhPassw0rd7H7shhPassw0rd7\n{ADMIN}"
    ));
    let reader = Reader::of(&server);
    server.send("http", &check_in("esp-bx", "1.6.0"));
    let body = br#"{"board":{"type":"esp-bx","ssid":"Sesam "Offen" Netz","rssi":-50},"mac_address":"aa:bb:cc:dd:ee:ff"}"#;
    server.send("http", &post("/xiaozhi/ota/", body));
    let path = "/aa%3Abb%3Acc%3Add%3Aee%3Aff/203.0.113.7/7b94d69a?token=H7shhPassw0rd";
    for path in [
        path,
        "/aabbccddeeff",
        "/xiaozhi/ota/download/aa-bb-cc-dd-ee-ff_1.bin",
    ] {
        server.send(
            "http",
            &request("GET", path, &[("Device-Id", "aa:bb:cc:dd:ee:ff")], b""),
        );
    }
    server.settle();
    reader.finds("model.near");
    for lang in LANGUAGES {
        let text = reader.get("/server/diagnostics", lang);
        let text = text.text().to_lowercase();
        for secret in [
            "aa:bb",
            "aa-bb",
            "aa%3abb",
            "aabbcc",
            "11:22",
            "sesam",
            "offen",
            "netz",
            "203.0.113",
            "h7shh",
            "passw0rd",
            &server.admin_token(),
        ] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        assert!(
            text.contains("model.near") && text.contains("[device]"),
            "{text}"
        );
    }
    // Whoever may look at the page may know devices, and no key.
    let page = reader.get("/server", "en");
    assert!(page.text().contains("aa:bb:cc:dd:ee:ff"), "{}", page.text());
    assert!(!page.text().contains("H7shh"), "{}", page.text());
}

#[test]
fn no_secret_of_any_kind_is_shown() {
    let setup = Setup::new();
    private(&setup.path().join("ops"), "H7shhPassw0rd-operator\n");
    let admin = "  admin: {listen: 0, tokens: [{name: ops, role: operate, token_file: ops}]}\n";
    let config = |server: &str| format!("{server}\ngateway:\n{admin}");
    let keys = [
        "server:\n  auth: {enabled: true}\n  auth_key: H7shhPassw0rd7H7shhPassw0rd7",
        "server:\n  auth: {enabled: true}\nmanager-api: {secret: H7shhPassw0rd7H7shhPassw0rd7}",
        "server:\n  mqtt_gateway: 'a.example.com:8883'\n  mqtt_signature_key: H7shhPassw0rd7H7shhPassw0rd7",
        "server:\n  auth_key: H7shhPassw0rd7H7shhPassw0rd7",
        "server:\n  websocket: 'wss://a.example.com/xiaozhi/v1/?token=H7shhPassw0rd7'",
    ];
    let server = setup.start(&config(keys[0]));
    let reader = Reader::by(&server, "H7shhPassw0rd-operator");
    let hold = |what: &str| {
        let said = reader.everything();
        for piece in ["H7shh", "Passw0rd", server.admin_token().as_str()] {
            assert!(!said.contains(piece), "{what}: {piece} is in {said}");
        }
    };
    hold(keys[0]);
    for yaml in &keys[1..] {
        server.configure(&config(yaml));
        server.reload();
        hold(yaml);
    }
    // What the start would refuse is said on the page, too.
    for yaml in MISPLACED {
        fs::write(server.config_file(), yaml.replace("HUSH", "H7shhPassw0rd")).unwrap();
        server.reload();
        reader.finds("config.refused");
        hold(yaml);
    }
}

#[test]
fn no_part_of_a_broken_key_is_shown() {
    let setup = Setup::new();
    let key = key_of(&setup);
    let files = "  tls: {certificates: [{cert: a.pem, key: a.key}]}\n";
    let server = setup.start(&format!("{ADMIN}{files}"));
    let reader = Reader::of(&server);
    for (what, broken) in broken(&key) {
        fs::write(server.dir.path().join("a.key"), broken).unwrap();
        server.signal("HUP");
        reader.finds("certificate.not-replaced");
        holds_nothing_of(&key, what, &reader.everything());
    }
}
