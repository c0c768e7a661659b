//! What `deploy/` promises: the page "from Nginx to xiaozhi-ota", tried with a
//! real Nginx and a stand-in for xiaozhi-server, one key for both programs, and
//! a unit that systemd takes. `tests/run` installs these peers and includes the tests
//! that need them.

use super::support::certificate::{Authority, Key};
use super::support::process::Process;
use super::support::server::{BINARY, Setup};
use super::support::{Reserved, Server, until};
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::{env, fs};
use xiaozhi_image_builder::Image;

const HOST: &str = "ota.example.com";
const FILE: &str = "esp32s3_1.6.1.bin";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Debian's own, for it has Debian's modules.
fn python() -> Command {
    Command::new("/usr/bin/python3")
}

pub(super) fn nginx() -> PathBuf {
    let places = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "nginx"];
    let runs = |place: &&&str| Command::new(place).arg("-v").output().is_ok();
    let place = places.iter().find(runs);
    place
        .expect("nginx is missing: apt-get install nginx-light")
        .into()
}

/// The only block of a kind on the page.
pub(super) fn block(page: &str, kind: &str) -> String {
    let text = fs::read_to_string(root().join("deploy").join(page)).unwrap();
    let blocks: Vec<&str> = text.split(&format!("```{kind}\n")).skip(1).collect();
    let [block] = blocks[..] else {
        panic!("{page} has {} blocks of {kind}", blocks.len())
    };
    block.split("```").next().unwrap().to_owned()
}

/// Puts test's own in place of what is shown; what is shown must be there.
#[track_caller]
pub(super) fn replaced(text: &str, pairs: &[(&str, String)]) -> String {
    pairs.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in:\n{text}");
        text.replace(from, to)
    })
}

/// The stand-in for xiaozhi-server.
pub(super) struct StandIn {
    http: u16,
    voice: u16,
    seen: Arc<Mutex<Vec<String>>>,
    _process: Process,
}

impl StandIn {
    pub(super) fn start(bin: &Path, vision_explain: &str, websocket: &str, key: &str) -> Self {
        let mut child = python()
            .arg(root().join("tests/peers/xiaozhi_server.py"))
            .args(["--vision-explain", vision_explain, "--websocket", websocket])
            .args(["--auth-key", key, "--bin"])
            .arg(bin)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let process = Process(child);
        let ports = lines.next().expect("the line with the ports").unwrap();
        let (http, voice) = ports.split_once(' ').unwrap();
        let port = |text: &str, key: &str| text.strip_prefix(key).unwrap().parse().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                into.lock().unwrap().push(line);
            }
        });
        Self {
            http: port(http, "http="),
            voice: port(voice, "websocket="),
            seen,
            _process: process,
        }
    }

    pub(super) fn ports(&self) -> Behind {
        Behind {
            http: self.http,
            voice: self.voice,
        }
    }

    /// What reached it since the last time, of these paths. A line stands there
    /// before its request is answered.
    fn take(&self, paths: &[&str]) -> Vec<String> {
        let mut seen = std::mem::take(&mut *self.seen.lock().unwrap());
        seen.retain(|line| paths.iter().any(|path| line.contains(path)));
        seen
    }
}

/// Where devices find ports 80 and 443 of the public host.
#[derive(Clone, Copy)]
pub(super) struct Front {
    pub(super) http: u16,
    pub(super) https: u16,
}

/// Ports of what stands behind Nginx.
#[derive(Clone, Copy)]
pub(super) struct Behind {
    http: u16,
    voice: u16,
}

/// A running Nginx, and its ports. Ends with its value.
pub(super) struct Nginx {
    _process: Process,
    _ports: [Reserved; 2],
}

/// Nginx with the page's configuration.
pub(super) fn start_nginx(program: &Path, dir: &Path, behind: Behind) -> (Front, Nginx) {
    let ports = [Reserved::new(), Reserved::new()];
    let front = Front {
        http: ports[0].port(),
        https: ports[1].port(),
    };
    let site = replaced(
        &block("from-nginx.md", "nginx"),
        &[
            ("listen 80;", format!("listen 127.0.0.1:{};", front.http)),
            (
                "listen 443 ssl",
                format!("listen 127.0.0.1:{} ssl", front.https),
            ),
            (
                "/etc/letsencrypt/live/ota.example.com",
                dir.join("certs").display().to_string(),
            ),
            ("/var/log/nginx", dir.display().to_string()),
            (
                "http://127.0.0.1:8003;",
                format!("http://127.0.0.1:{};", behind.http),
            ),
            (
                "http://127.0.0.1:8000;",
                format!("http://127.0.0.1:{};", behind.voice),
            ),
        ],
    );
    let folders: String = ["client_body", "proxy", "fastcgi", "scgi", "uwsgi"]
        .map(|kind| format!("{kind}_temp_path {kind};\n"))
        .concat();
    let main = format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nevents {{}}\nhttp {{\n{folders}{site}}}\n"
    );
    let config = dir.join("nginx.conf");
    fs::write(&config, main).unwrap();
    let log = fs::File::create(dir.join("nginx.log")).unwrap();
    let mut process = Process(
        Command::new(program)
            .args(["-e", "stderr", "-p"])
            .arg(dir)
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap(),
    );
    until("Nginx's start", || {
        let ended = process.0.try_wait().unwrap();
        let said = || fs::read_to_string(dir.join("nginx.log")).unwrap();
        assert!(ended.is_none(), "it ended: {}", said());
        let mut both = [front.http, front.https].into_iter();
        both.all(|port| TcpStream::connect(("127.0.0.1", port)).is_ok())
            .then_some(())
    });
    let nginx = Nginx {
        _process: process,
        _ports: ports,
    };
    (front, nginx)
}

/// What a device's day came to.
struct Day {
    passed: bool,
    said: String,
}

impl Day {
    /// Goes from here to the OTA address.
    fn of(ota: &str, front: Front, authority: &Path) -> Self {
        let output = python()
            .arg(root().join("tests/peers/xiaozhi_device.py"))
            .arg(ota)
            .args(["--to", &format!("{HOST}:80=127.0.0.1:{}", front.http)])
            .args(["--to", &format!("{HOST}:443=127.0.0.1:{}", front.https)])
            .arg("--ca")
            .arg(authority)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.is_empty(), "{error}");
        Self {
            passed: output.status.success(),
            said: String::from_utf8_lossy(&output.stdout).into_owned(),
        }
    }

    #[track_caller]
    fn passes_by(&self, scheme: &str, image: usize) {
        assert!(self.passed, "{}", self.said);
        let voice = if scheme == "https" { "wss" } else { "ws" };
        for line in [
            format!("firmware 1.6.1 {scheme}://{HOST}/xiaozhi/ota/download/{FILE}"),
            format!("update: {image} bytes"),
            format!("voice: {voice}://{HOST}/xiaozhi/v1/"),
            format!("picture: {scheme}://{HOST}/mcp/vision/explain"),
        ] {
            assert!(self.said.contains(&line), "{line}:\n{}", self.said);
        }
    }

    #[track_caller]
    fn fails_with(&self, why: &str) {
        assert!(
            !self.passed && self.said.contains(&format!("failed: {why}")),
            "{why}:\n{}",
            self.said
        );
    }
}

/// A folder with an image, and certificates as on the page.
pub(super) fn prepared() -> (Setup, PathBuf, usize) {
    let mut image = Image::new("1.6.1");
    image.payload = image.payload.repeat(1000);
    let image = image.build();
    let setup = Setup::new().file(FILE, &image);
    let authority = Authority::new();
    let certs = setup.path().join("certs");
    authority.sign(&certs, "fullchain", Key::P256, &[HOST]);
    fs::rename(certs.join("fullchain.key"), certs.join("privkey.pem")).unwrap();
    let root = setup.path().join("authority.pem");
    fs::write(&root, authority.pem).unwrap();
    (setup, root, image.len())
}

/// Ours, by a configuration that is shown, in front of the stand-in.
pub(super) fn start_ours(
    setup: Setup,
    shown: &str,
    ports: &str,
    behind: &StandIn,
) -> (Front, Server) {
    let config = replaced(
        shown,
        &[
            ("ip: 0.0.0.0", "ip: 127.0.0.1".to_owned()),
            (ports, "ports: [0, 0, 0]".to_owned()),
            (
                "http://127.0.0.1:8000",
                format!("http://127.0.0.1:{}", behind.voice),
            ),
            (
                "http://127.0.0.1:8004",
                format!("http://127.0.0.1:{}", behind.http),
            ),
        ],
    );
    let server = setup.start(&config);
    let front = Front {
        http: server.ports[2],
        https: server.ports[1],
    };
    (front, server)
}

/// Both schemes of the OTA address that is typed into a device.
pub(super) const HTTP: &str = "http://ota.example.com/xiaozhi/ota/";
pub(super) const HTTPS: &str = "https://ota.example.com/xiaozhi/ota/";
/// What both proxies pass on.
const PASSED_ON: [&str; 2] = ["/xiaozhi/v1/", "/mcp/vision/explain"];

#[test]
#[ignore = "needs Nginx and python3-websockets: tests/run installs them"]
fn the_same_device_passes_through_nginx_and_through_ours_in_its_place() {
    let program = nginx();
    let (setup, authority, image) = prepared();
    let behind = StandIn::start(
        &setup.path().join("data/bin"),
        "https://ota.example.com/mcp/vision/explain",
        "wss://ota.example.com/xiaozhi/v1/",
        "",
    );
    let (front, process) = start_nginx(&program, setup.path(), behind.ports());
    let day = Day::of(HTTPS, front, &authority);
    day.passes_by("https", image);
    assert!(day.said.contains("activation: 404"), "{}", day.said);
    let through_nginx = behind.take(&PASSED_ON);
    assert_eq!(through_nginx.len(), 2, "{through_nginx:#?}");
    // Whoever has the http address typed in is sent elsewhere, and does not go.
    Day::of(HTTP, front, &authority)
        .fails_with(&format!("check-in: {HTTP}: status 301, to https:"));
    drop(process);

    behind.take(&[]);
    let shown = block("from-nginx.md", "yaml");
    let (front, server) = start_ours(setup, &shown, "ports: [8003, 443, 80]", &behind);
    let day = Day::of(HTTPS, front, &authority);
    day.passes_by("https", image);
    assert!(day.said.contains("activation: 200"), "{}", day.said);
    // xiaozhi-server sees the very same, and nothing of check-ins and updates.
    assert_eq!(behind.take(&["/"]), through_nginx);
    Day::of(HTTP, front, &authority).passes_by("https", image);
    server.event("websocket.opened", &[]);
}

#[test]
#[ignore = "needs Nginx and python3-websockets: tests/run installs them"]
fn nginx_hands_out_http_and_redirects_it_and_ours_does_not() {
    let program = nginx();
    let (setup, authority, image) = prepared();
    let (vision, voice) = (
        "http://ota.example.com/mcp/vision/explain",
        "ws://ota.example.com/xiaozhi/v1/",
    );
    let behind = StandIn::start(&setup.path().join("data/bin"), vision, voice, "");
    let (front, process) = start_nginx(&program, setup.path(), behind.ports());
    let day = Day::of(HTTPS, front, &authority);
    let url = format!("http://{HOST}/xiaozhi/ota/download/{FILE}");
    assert!(day.said.contains(&format!("firmware 1.6.1 {url}")));
    day.fails_with(&format!("update: {url}: status 301, to https:"));
    drop(process);

    // The very same addresses in the configuration: http is answered here.
    let shown = block("from-nginx.md", "yaml");
    let same = replaced(
        &shown,
        &[
            ("https://ota", "http://ota".to_owned()),
            ("wss://ota", "ws://ota".to_owned()),
        ],
    );
    let (front, server) = start_ours(setup, &same, "ports: [8003, 443, 80]", &behind);
    for ota in [HTTP, HTTPS] {
        Day::of(ota, front, &authority).passes_by("http", image);
    }
    drop(server);

    // And as the page has it: https, whatever the device comes by. (Where pictures
    // go says xiaozhi-server, which reads the same line.)
    let (setup, authority, image) = prepared();
    let behind = StandIn::start(
        &setup.path().join("data/bin"),
        &vision.replace("http:", "https:"),
        voice,
        "",
    );
    let (front, _server) = start_ours(setup, &shown, "ports: [8003, 443, 80]", &behind);
    for ota in [HTTP, HTTPS] {
        Day::of(ota, front, &authority).passes_by("https", image);
    }
}

#[test]
#[ignore = "needs Nginx and python3-websockets: tests/run installs them"]
fn nginx_may_stay_in_front_of_ours() {
    let program = nginx();
    let (setup, authority, image) = prepared();
    let behind = StandIn::start(
        &setup.path().join("data/bin"),
        "https://ota.example.com/mcp/vision/explain",
        "wss://ota.example.com/xiaozhi/v1/",
        "",
    );
    let shown = replaced(
        &block("from-nginx.md", "yaml"),
        &[(
            "  proxy:\n",
            "  behind_proxy: [127.0.0.1]\n  proxy:\n".to_owned(),
        )],
    );
    let (front, server) = start_ours(setup, &shown, "ports: [8003, 443, 80]", &behind);
    let (http, voice) = (front.http, front.http);
    let dir = tempfile::tempdir().unwrap();
    let certs = dir.path().join("certs");
    fs::create_dir(&certs).unwrap();
    for file in ["fullchain.pem", "privkey.pem"] {
        fs::copy(server.dir.path().join("certs").join(file), certs.join(file)).unwrap();
    }
    let (front, _process) = start_nginx(&program, dir.path(), Behind { http, voice });
    Day::of(HTTPS, front, &authority).passes_by("https", image);
    // Ours believes Nginx, and says the same to what is behind it.
    let passed_on = behind.take(&["/"]);
    assert_eq!(passed_on.len(), 2, "{passed_on:#?}");
    for line in passed_on {
        assert!(line.contains("x-forwarded-proto=https"), "{line}");
    }
}

#[test]
fn one_key_serves_both_programs() {
    let shown = fs::read_to_string(root().join("deploy/beside-xiaozhi-server.yaml")).unwrap();
    let shown = replaced(
        &shown,
        &[
            (
                "auth_key: 你的auth_key",
                "auth_key: 0123456789abcdef".to_owned(),
            ),
            ("enabled: false", "enabled: true".to_owned()),
        ],
    );
    for (key, fits) in [("0123456789abcdef", true), ("another", false)] {
        let (setup, authority, image) = prepared();
        let behind = StandIn::start(
            &setup.path().join("data/bin"),
            "https://ota.example.com/mcp/vision/explain",
            "wss://ota.example.com/xiaozhi/v1/",
            key,
        );
        let (front, _server) = start_ours(setup, &shown, "ports: [8003, 443]", &behind);
        let day = Day::of(HTTPS, front, &authority);
        if fits {
            day.passes_by("https", image);
        } else {
            day.fails_with("voice: the server says 认证失败");
        }
    }
}

#[test]
fn the_page_has_the_same_configurations_in_both_languages() {
    for kind in ["nginx", "yaml"] {
        let without_comments = |page| {
            let block = block(page, kind);
            let lines = block
                .lines()
                .map(|l| l.split('#').next().unwrap().trim_end());
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(
            without_comments("from-nginx.md"),
            without_comments("from-nginx.zh-CN.md"),
            "{kind}"
        );
    }
}

#[test]
#[ignore = "needs systemd: tests/run installs it"]
fn systemd_takes_the_unit_and_finds_little_exposed() {
    let unit = fs::read_to_string(root().join("deploy/xiaozhi-ota.service")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("xiaozhi-ota.service");
    let binary = ("ExecStart=xiaozhi-ota\n", format!("ExecStart={BINARY}\n"));
    fs::write(&file, replaced(&unit, &[binary])).unwrap();
    for arguments in [
        &["verify"][..],
        // Tenths: 10.0 is everything, 2.0 and less is "OK".
        &["security", "--offline=true", "--threshold=20"],
    ] {
        let output = Command::new("systemd-analyze")
            .args(arguments)
            .arg(&file)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
