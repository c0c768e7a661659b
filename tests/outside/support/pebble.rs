//! Let's Encrypt's test CA, as Debian packages it, with a DNS in which every
//! name is this machine; and something before it that adds what it lacks.

use super::certificate::{Authority, Key};
use super::process::Process;
use super::server::{der, read_reply, request};
use super::{PATIENCE, Reply, Reserved, until};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// How a pebble is to be.
pub(crate) struct Wanted {
    /// Where it listens; it refuses until it runs.
    pub(crate) port: Reserved,
    /// Where it looks for answers to both challenges.
    pub(crate) validates_at: u16,
    /// How long its certificates live, in seconds.
    pub(crate) seconds: u32,
    /// How many good nonces of a hundred it refuses.
    pub(crate) bad_nonces: u8,
    /// Contracts, by key id, and whether it makes accounts without one.
    pub(crate) contracts: Option<(&'static [(&'static str, &'static str)], bool)>,
}

impl Wanted {
    pub(crate) fn at(validates_at: &Reserved) -> Self {
        Self {
            port: Reserved::new(),
            validates_at: validates_at.port(),
            seconds: 90 * 86_400,
            bad_nonces: 0,
            contracts: None,
        }
    }

    pub(crate) fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port.port())
    }
}

/// A running pebble. Ends with its value.
pub(crate) struct Pebble {
    /// The authority of its directory's certificate, not of those it gives.
    pub(crate) authority: Arc<Authority>,
    pub(crate) port: u16,
    management: Reserved,
    _process: Process,
    dir: TempDir,
}

impl Pebble {
    pub(crate) fn start(wanted: &Wanted) -> Self {
        Self::start_as(wanted, &Arc::new(Authority::new()))
    }

    /// With a directory's certificate from `authority`.
    pub(crate) fn start_as(wanted: &Wanted, authority: &Arc<Authority>) -> Self {
        let dir = TempDir::new().unwrap();
        authority.sign(dir.path(), "pebble", Key::P256, &["localhost", "127.0.0.1"]);
        let management = Reserved::new();
        let (contracts, is_free) = wanted.contracts.unwrap_or((&[], true));
        let contracts: std::collections::HashMap<_, _> = contracts.iter().copied().collect();
        let config = serde_json::json!({"pebble": {
            "listenAddress": wanted.port.address(),
            "managementListenAddress": management.address(),
            "certificate": dir.path().join("pebble.pem"),
            "privateKey": dir.path().join("pebble.key"),
            "httpPort": wanted.validates_at,
            "tlsPort": wanted.validates_at,
            "certificateValidityPeriod": wanted.seconds,
            "externalAccountBindingRequired": !is_free,
            "externalAccountMACKeys": contracts,
        }});
        let file = dir.path().join("pebble.json");
        fs::write(&file, config.to_string()).unwrap();
        let log = fs::File::create(dir.path().join("pebble.log")).unwrap();
        let process = Command::new("pebble")
            .arg("-config")
            .arg(&file)
            .args(["-dnsserver", &every_name_is_here().to_string()])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", wanted.bad_nonces.to_string())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let pebble = Self {
            authority: Arc::clone(authority),
            port: wanted.port.port(),
            management,
            _process: Process(process),
            dir,
        };
        for port in [pebble.port, pebble.management.port()] {
            until("pebble's ports", || {
                TcpStream::connect(("127.0.0.1", port)).ok()
            });
        }
        pebble
    }

    pub(crate) fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }

    /// The root above the certificates that it gives.
    pub(crate) fn root(&self) -> String {
        let reply = ask(
            &self.authority,
            self.management.port(),
            &request("GET", "/roots/0", &[("Connection", "close")], b""),
        );
        reply.text().to_owned()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir.path().join("pebble.log"));
            eprintln!("pebble's log:\n{}", log.unwrap_or_default());
        }
    }
}

/// A name server that knows every name, and each of them is this machine. Its
/// thread outlives the test.
fn every_name_is_here() -> SocketAddr {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            if let Some(answer) = answer(&query[..length]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    address
}

/// What it says to a query (RFC 1035, section 4.1): 127.0.0.1 to who asks for an
/// IPv4 address, and nothing to everybody else.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let name = query.get(12..)?.iter().position(|byte| *byte == 0)?;
    let question = query.get(12..12 + name + 5)?;
    let is_for_ipv4 = question.ends_with(&[0, 0, 1, 0, 1]);
    // An answer, recursion available, no error; one question.
    let mut answer = [
        &query[..2],
        &[0x81, 0x80, 0, 1, 0, u8::from(is_for_ipv4), 0, 0, 0, 0],
        question,
    ]
    .concat();
    if is_for_ipv4 {
        // The name above, its address, for no time at all.
        answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}

fn ask(authority: &Authority, port: u16, request: &[u8]) -> Reply {
    let mut roots = RootCertStore::empty();
    roots.add(der(&authority.pem).remove(0)).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, tcp);
    stream.write_all(request).unwrap();
    let (mut bytes, mut block) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let text = String::from_utf8_lossy(&bytes);
        // pebble sends what is long in chunks.
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && head.contains("Transfer-Encoding: chunked")
        {
            if body.ends_with("0\r\n\r\n") {
                let head = head.replace("Transfer-Encoding: chunked", "Content-Length: 0");
                let mut reply = Reply::parse(format!("{head}\r\n\r\n").as_bytes(), true);
                reply.body = unchunked(body);
                return reply;
            }
        } else if text.contains("\r\n\r\n") {
            drop(text);
            let mut whole = bytes.as_slice().chain(&mut stream);
            return read_reply(&mut whole, request.starts_with(b"HEAD"));
        }
        let n = stream.read(&mut block).unwrap();
        assert!(n > 0, "pebble broke off");
        bytes.extend_from_slice(&block[..n]);
    }
}

fn unchunked(mut text: &str) -> Vec<u8> {
    let mut body = String::new();
    while let Some((length, rest)) = text.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        body += &rest[..length];
        text = &rest[length + 2..];
    }
    body.into_bytes()
}

/// Stands before a pebble and offers what that one lacks: renewal information
/// and profiles.
pub(crate) struct Better {
    pub(crate) port: u16,
    /// The payload of every new order.
    pub(crate) orders: Arc<Mutex<Vec<serde_json::Value>>>,
    /// How often a certificate is not to be had yet.
    pub(crate) unfetched: Arc<Mutex<u32>>,
    /// What was asked for renewal information.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl Better {
    /// Would have every certificate renewed within `window`; without one it
    /// takes no order for two hours.
    pub(crate) fn start(pebble: &Pebble, window: Option<[&'static str; 2]>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let read = |file: &str| fs::read_to_string(pebble.dir.path().join(file)).unwrap();
        let key = PrivateKeyDer::Pkcs8(
            rustls_pemfile::pkcs8_private_keys(&mut read("pebble.key").as_bytes())
                .next()
                .unwrap()
                .unwrap(),
        );
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(der(&read("pebble.pem")), key)
            .unwrap();
        let config = Arc::new(config);
        let better = Self {
            port,
            orders: Arc::default(),
            unfetched: Arc::default(),
            asked: Arc::default(),
        };
        let (orders, asked) = (Arc::clone(&better.orders), Arc::clone(&better.asked));
        let unfetched = Arc::clone(&better.unfetched);
        // Its thread outlives the test; pebble must not.
        let pebble = (Arc::clone(&pebble.authority), pebble.port);
        std::thread::spawn(move || {
            for tcp in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, tcp.unwrap());
                let (orders, asked) = (Arc::clone(&orders), Arc::clone(&asked));
                let (pebble, unfetched) = (pebble.clone(), Arc::clone(&unfetched));
                std::thread::spawn(move || {
                    while let Some(request) = read_request(&mut stream) {
                        let fails = request.starts_with(b"POST /certZ/") && {
                            let mut left = unfetched.lock().unwrap();
                            let fails = *left > 0;
                            *left -= u32::from(fails);
                            fails
                        };
                        let reply = if fails {
                            written(503, &[], "<html>Down</html>")
                        } else {
                            better_reply(&pebble, port, window, &orders, &asked, &request)
                        };
                        if stream.write_all(&reply).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        better
    }

    pub(crate) fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }
}

fn read_request(stream: &mut impl Read) -> Option<Vec<u8>> {
    let (mut bytes, mut block) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head
                .split_once("content-length: ")
                .map_or(0, |(_, rest)| rest.lines().next().unwrap().parse().unwrap());
            if body.len() >= length {
                return Some(bytes);
            }
        }
        match stream.read(&mut block) {
            Ok(n) if n > 0 => bytes.extend_from_slice(&block[..n]),
            _ => return None,
        }
    }
}

fn better_reply(
    (authority, pebble): &(Arc<Authority>, u16),
    port: u16,
    window: Option<[&str; 2]>,
    orders: &Mutex<Vec<serde_json::Value>>,
    asked: &Mutex<Vec<String>>,
    request: &[u8],
) -> Vec<u8> {
    let text = String::from_utf8_lossy(request).into_owned();
    let path = text.split(' ').nth(1).unwrap().to_owned();
    let Some(window) = window.or((path != "/order-plz").then_some(["", ""])) else {
        let body = r#"{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many"}"#;
        return written(429, &[("Retry-After".into(), "7200".into())], body);
    };
    if let Some(id) = path.strip_prefix("/renewal/") {
        asked.lock().unwrap().push(id.to_owned());
        let body = serde_json::json!({"suggestedWindow": {"start": window[0], "end": window[1]}});
        return written(
            200,
            &[("Retry-After".into(), "21600".into())],
            &body.to_string(),
        );
    }
    let mut reply = ask(authority, *pebble, request);
    let mut replaces = None;
    if path == "/order-plz" {
        let jws: serde_json::Value =
            serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
        let payload = URL_SAFE_NO_PAD
            .decode(jws["payload"].as_str().unwrap())
            .unwrap();
        let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        replaces = payload.get("replaces").cloned();
        orders.lock().unwrap().push(payload);
    }
    if path == "/dir" || replaces.is_some() {
        let mut json = reply.json();
        if path == "/dir" {
            json["renewalInfo"] = format!("https://localhost:{port}/renewal").into();
            json["meta"]["profiles"] = serde_json::json!({"classic": "90 d", "shortlived": "6 d"});
        } else {
            json["replaces"] = replaces.unwrap();
        }
        reply.body = json.to_string().into_bytes();
    }
    let bodiless = request.starts_with(b"HEAD");
    let body = String::from_utf8(reply.body).unwrap();
    written(
        reply.status,
        &reply.headers,
        if bodiless { "" } else { &body },
    )
}

fn written(status: u16, headers: &[(String, String)], body: &str) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} x\r\n");
    for (name, value) in headers {
        if !name.eq_ignore_ascii_case("content-length") {
            text.extend([name, ": ", value, "\r\n"]);
        }
    }
    text.extend([
        "Content-Length: ",
        &body.len().to_string(),
        "\r\n\r\n",
        body,
    ]);
    text.into_bytes()
}
