//! The built binary, running in a folder of its own.

use super::event::{self, field};
use super::reply::find_end_of_head;
pub(crate) use super::whole::PATIENT;
use super::whole::whole;
use super::{PATIENCE, Reply, until};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use xiaozhi_ota::firmware::name::is_passed_over;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_xiaozhi-ota");

/// Returns the binary under a clock that is read from a file.
pub(crate) fn with_clock(setup: &Setup, time: &str) -> Command {
    let file = setup.path().join("clock");
    fs::write(&file, time).unwrap();
    let library = Path::new("/usr/lib")
        .join(format!("{}-linux-gnu", std::env::consts::ARCH))
        .join("faketime/libfaketime.so.1");
    assert!(library.exists(), "{}: install faketime", library.display());
    let mut command = Command::new(BINARY);
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", &file)
        .env("FAKETIME_CACHE_DURATION", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("DONT_FAKE_MONOTONIC", "1");
    command
}

/// The server without the right to read whatever it likes, which root has.
pub(crate) fn without_privilege() -> Command {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Command::new(BINARY);
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-dac_override,-dac_read_search", BINARY]);
    command
}

/// Both schemes of one port.
pub(crate) const SCHEMES: [&str; 2] = ["http", "https"];

/// A running server. Ends with its value.
pub(crate) struct Server {
    pub(crate) dir: TempDir,
    pub(crate) ports: Vec<u16>,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

/// A server that is about to be started.
pub(crate) struct Setup {
    dir: TempDir,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir_all(dir.path().join("data/bin")).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A firmware file with a content.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.dir.path().join("data/bin").join(name), content).unwrap();
        self
    }

    /// Starts with `config`. The ports of the `gateway` section are free ones
    /// on 127.0.0.1, and its limits patient, unless it has its own. What lies in
    /// the folder has been looked into.
    pub(crate) fn start(self, config: &str) -> Server {
        self.start_by(config, &mut Command::new(BINARY))
    }

    /// Starts through another command, which is given the binary's place.
    pub(crate) fn start_by(self, config: &str, command: &mut Command) -> Server {
        let files = self.files();
        let server = self.start_early(config, command);
        // The first look holds up the first answer for a moment only.
        for file in files {
            until(&file, || {
                let says = |line: &String| {
                    let ids = ["file.ready", "file.refused", "file.served", "file.waiting"];
                    ids.iter().any(|id| event::is(line, id, &[("file", &file)]))
                };
                server.log().iter().any(says).then_some(())
            });
        }
        server
    }

    /// The names of what lies in the folder, but for what nobody looks at.
    fn files(&self) -> Vec<String> {
        let items = fs::read_dir(self.dir.path().join("data/bin"));
        let names = items
            .into_iter()
            .flatten()
            .map(|item| item.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !is_passed_over(name)).collect()
    }

    /// The same, without a wait for the folder.
    pub(crate) fn start_early(self, config: &str, command: &mut Command) -> Server {
        let file = self.dir.path().join("data/.config.yaml");
        fs::write(file, whole(config)).unwrap();
        let mut child = command
            .current_dir(self.dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        follow(child.stdout.take().unwrap(), &lines);
        follow(child.stderr.take().unwrap(), &lines);
        let mut server = Server {
            dir: self.dir,
            ports: Vec::new(),
            child,
            lines,
        };
        // The vision address is the last line of the start.
        until("the server's start", || {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {:#?}", server.log());
            server.events("address.vision", &[]).pop()
        });
        server.ports = server
            .log()
            .iter()
            .filter(|line| event::id(line) == Some("listening"))
            .map(|line| {
                let address: SocketAddr = field(line, "address").unwrap().parse().unwrap();
                address.port()
            })
            .collect();
        server
    }
}

fn follow(output: impl Read + Send + 'static, lines: &Arc<Mutex<Vec<String>>>) {
    let lines = Arc::clone(lines);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            lines.lock().unwrap().push(line);
        }
    });
}

impl Server {
    /// With these files, each holding `firmware {name}`, and this configuration.
    pub(crate) fn start(config: &str, files: &[&str]) -> Self {
        let setup = files.iter().fold(Setup::new(), |setup, file| {
            setup.file(file, format!("firmware {file}"))
        });
        setup.start(config)
    }

    pub(crate) fn bin(&self) -> PathBuf {
        self.dir.path().join("data/bin")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that was logged.
    pub(crate) fn log(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub(crate) fn find_line(&self, words: &str) -> Option<String> {
        self.log().into_iter().find(|line| line.contains(words))
    }

    pub(crate) fn count_lines(&self, words: &str) -> usize {
        self.log()
            .iter()
            .filter(|line| line.contains(words))
            .count()
    }

    /// Waits for a line of the log.
    #[track_caller]
    pub(crate) fn line(&self, words: &str) -> String {
        until(words, || self.find_line(words))
    }

    /// Waits until all that was said so far is in the log, which nobody waits for: it has
    /// one more thing said, and the log keeps the order.
    #[track_caller]
    pub(crate) fn settle(&self) {
        static SETTLED: AtomicU64 = AtomicU64::new(0);
        let device = format!("settled-{}", SETTLED.fetch_add(1, Ordering::Relaxed));
        let headers = [("Device-Id", &*device), ("Client-Id", "c")];
        self.send("http", &request("POST", "/xiaozhi/ota/", &headers, b"{}"));
        self.event("check-in", &[("device", &device)]);
    }

    /// The file that it reads its settings from.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.dir.path().join("data/.config.yaml")
    }

    /// Puts another configuration in place of its own, in one step.
    pub(crate) fn configure(&self, config: &str) {
        let draft = self.dir.path().join("draft.yaml");
        fs::write(&draft, whole(config)).unwrap();
        fs::rename(draft, self.config_file()).unwrap();
    }

    /// Has it read its configuration again, and returns what it says of that.
    #[track_caller]
    pub(crate) fn reload(&self) -> Vec<String> {
        let before = self.log().len();
        self.signal("HUP");
        until("what became of the configuration", || {
            let said = self.log().split_off(before);
            let ends = ["config.changed", "config.same", "config.refused"];
            let is_said = said
                .iter()
                .any(|line| event::id(line).is_some_and(|id| ends.contains(&id)));
            is_said.then_some(said)
        })
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.pid().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Ends it at once; its folder is there for the next one.
    pub(crate) fn stop(mut self) -> Setup {
        let _ = self.child.kill();
        let _ = self.child.wait();
        Setup {
            dir: std::mem::replace(&mut self.dir, TempDir::new().unwrap()),
        }
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        until("the server's end", || self.child.try_wait().unwrap())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.ports[0]).into()
    }

    pub(crate) fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A TLS connection that trusts `pem` (else the server's own certificate).
    pub(crate) fn tls(
        &self,
        name: &str,
        pem: Option<&str>,
    ) -> StreamOwned<ClientConnection, TcpStream> {
        self.tls_over(self.tcp(), name, pem)
    }

    /// The same on a connection that is there already.
    pub(crate) fn tls_over(
        &self,
        stream: TcpStream,
        name: &str,
        pem: Option<&str>,
    ) -> StreamOwned<ClientConnection, TcpStream> {
        let own = || fs::read_to_string(self.dir.path().join("certs/self-signed.crt")).unwrap();
        let pem = pem.map_or_else(own, str::to_owned);
        let mut roots = RootCertStore::empty();
        roots.add(der(&pem).remove(0)).unwrap();
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        StreamOwned::new(
            ClientConnection::new(Arc::new(config), name).unwrap(),
            stream,
        )
    }

    /// Sends raw bytes over `http` or `https` and reads one reply.
    #[track_caller]
    pub(crate) fn send(&self, scheme: &str, request: &[u8]) -> Reply {
        match scheme {
            "http" => exchange(&mut self.tcp(), request),
            "https" => exchange(&mut self.tls("localhost", None), request),
            other => panic!("no scheme: {other}"),
        }
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("http", &request("GET", path, &[], b""))
    }

    /// A check-in of `model` at `version` over plain HTTP.
    #[track_caller]
    pub(crate) fn check_in(&self, model: &str, version: &str) -> Reply {
        self.send("http", &check_in(model, version))
    }

    /// The file that a check-in is offered, if it is offered one.
    #[track_caller]
    pub(crate) fn offered(&self, model: &str, version: &str) -> Option<String> {
        let (_, url) = self.check_in(model, version).firmware();
        url.rsplit('/')
            .next()
            .map(str::to_owned)
            .filter(|file| !file.is_empty())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log().join("\n"));
        }
    }
}

/// The certificates of a PEM text.
pub(crate) fn der(pem: &str) -> Vec<CertificateDer<'static>> {
    rustls_pemfile::certs(&mut pem.as_bytes())
        .map(Result::unwrap)
        .collect()
}

/// A request as a device would write it.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    if !body.is_empty() || method == "POST" {
        text.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
    }
    text += "\r\n";
    [text.as_bytes(), body].concat()
}

/// A check-in as a device would write it.
pub(crate) fn check_in(model: &str, version: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"application":{{"name":"xiaozhi","version":"{version}"}},"board":{{"type":"{model}"}}}}"#
    );
    post("/xiaozhi/ota/", body.as_bytes())
}

/// A check-in with any body.
pub(crate) fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let headers = [
        ("Device-Id", "aa:bb:cc:dd:ee:ff"),
        ("Client-Id", "7b94d69a-9808-4c59-9c9b-704333b38aff"),
        ("User-Agent", "bread-compact-wifi/1.6.0"),
        ("Content-Type", "application/json"),
    ];
    request("POST", path, &headers, body)
}

/// Sends a request and reads one reply to its end.
#[track_caller]
pub(crate) fn exchange(stream: &mut (impl Read + Write), request: &[u8]) -> Reply {
    stream.write_all(request).unwrap();
    stream.flush().unwrap();
    read_reply(stream, request.starts_with(b"HEAD"))
}

/// Reads one reply: its head, and as much body as it announces or as comes.
#[track_caller]
pub(crate) fn read_reply(stream: &mut impl Read, bodiless: bool) -> Reply {
    Reply::parse(&read_bytes(stream, bodiless), bodiless)
}

/// Sends a request and reads one reply, if there is one.
pub(crate) fn try_exchange(
    stream: &mut (impl Read + Write),
    request: &[u8],
) -> Result<Reply, String> {
    let written = stream.write_all(request).and_then(|()| stream.flush());
    let bytes = read_bytes(stream, false);
    if find_end_of_head(&bytes).is_none() {
        return Err(format!(
            "no reply, {} bytes; sent: {written:?}",
            bytes.len()
        ));
    }
    Ok(Reply::parse(&bytes, false))
}

fn read_bytes(stream: &mut impl Read, bodiless: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut block = vec![0; 64 * 1024];
    loop {
        if let Some(end) = find_end_of_head(&bytes) {
            let head = Reply::parse(&bytes[..end], true);
            let length = head
                .header("Content-Length")
                .and_then(|l| l.parse().ok())
                .unwrap_or(0);
            let length = if bodiless || head.status == 304 {
                0
            } else {
                length
            };
            if bytes.len() >= end + length {
                return bytes;
            }
        }
        match stream.read(&mut block) {
            Ok(n) if n > 0 => bytes.extend_from_slice(&block[..n]),
            // A cut connection ends what there is; whether that was enough is
            // for the test to say.
            Ok(_) | Err(_) => return bytes,
        }
    }
}
