//! An OTA server that is right but for what a test says: bytes are sent as they
//! are given, for no library would send most of them.
//!
//! It is [`HOST`] on ports 80 and 443, as far as a probe is told where those are.

use super::backend::Request;
use super::chain::{Chain, Tls};
pub(crate) use super::page::{Page, Then};
use super::page::{Stream, wait};
use super::reply::find_end_of_head;
use super::{PATIENCE, Reserved, until};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use xiaozhi_image_builder::Image;

/// The host of every address that is handed out.
pub(crate) const HOST: &str = "ota.example.com";

/// What is on record of a WebSocket that ended as it should.
pub(crate) const GOODBYE: &str = "goodbye";

/// What was asked for.
pub(crate) struct Asked<'a> {
    /// The request's first line.
    pub(crate) line: &'a str,
    pub(crate) path: &'a str,
    /// How many of this kind were asked before.
    pub(crate) before: usize,
    /// Whether the device has installed what it was offered.
    pub(crate) updated: bool,
}

/// What a port does.
pub(crate) enum Port {
    /// HTTP; what is none gets a 400.
    Plain,
    /// HTTP; what is none is waited for to become some.
    Patient,
    /// HTTP below TLS.
    Tls,
    /// Sends everybody to the same path in https.
    Redirects,
    /// Nothing listens.
    Refuses,
    /// Lets everybody in, and out at once.
    Cuts,
    /// Says nothing.
    Silent,
    /// Answers the first bytes with these.
    Says(&'static [u8]),
}

type Spoil = Box<dyn Fn(&mut Page, &Asked<'_>) + Send + Sync>;

/// A server that is about to be started.
pub(crate) struct Wrong {
    /// `http` or `https`: of the addresses that are handed out.
    scheme: &'static str,
    port_80: Port,
    port_443: Port,
    chain: Chain,
    tls: Tls,
    version: String,
    image: Vec<u8>,
    check: Spoil,
    download: Spoil,
    websocket: Spoil,
    hello: Vec<u8>,
}

/// The right one, over TLS.
pub(crate) fn right() -> Wrong {
    Wrong {
        scheme: "https",
        port_80: Port::Plain,
        port_443: Port::Tls,
        chain: Chain::new(),
        tls: Tls::Both,
        version: "1.6.1".to_owned(),
        image: Image::new("1.6.1").build(),
        check: Box::new(|_, _| {}),
        download: Box::new(|_, _| {}),
        websocket: Box::new(|_, _| {}),
        hello: text_frame(
            br#"{"type":"hello","transport":"websocket","session_id":"1","audio_params":{"format":"opus","sample_rate":24000,"channels":1,"frame_duration":60}}"#,
        ),
    }
}

/// The right one, without TLS.
pub(crate) fn plain() -> Wrong {
    Wrong {
        scheme: "http",
        ..right()
    }
}

impl Wrong {
    /// What is wrong with a check's reply.
    pub(crate) fn check(self, spoil: impl Fn(&mut Page) + Send + Sync + 'static) -> Self {
        self.each_check(move |page, _| spoil(page))
    }

    pub(crate) fn each_check(
        self,
        spoil: impl Fn(&mut Page, &Asked<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            check: Box::new(spoil),
            ..self
        }
    }

    /// What is wrong with its JSON, while an update is offered.
    pub(crate) fn offer(self, change: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        self.each_check(move |page, asked| {
            if !asked.updated {
                page.json(&change);
            }
        })
    }

    /// What is wrong with its JSON, always.
    pub(crate) fn json(self, change: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        self.check(move |page| page.json(&change))
    }

    pub(crate) fn download(self, spoil: impl Fn(&mut Page) + Send + Sync + 'static) -> Self {
        Self {
            download: Box::new(move |page, _| spoil(page)),
            ..self
        }
    }

    pub(crate) fn websocket(self, spoil: impl Fn(&mut Page) + Send + Sync + 'static) -> Self {
        Self {
            websocket: Box::new(move |page, _| spoil(page)),
            ..self
        }
    }

    /// What its WebSocket sends in answer to the device's hello.
    pub(crate) fn hello(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            hello: bytes.into(),
            ..self
        }
    }

    pub(crate) fn port_80(self, port_80: Port) -> Self {
        Self { port_80, ..self }
    }

    pub(crate) fn port_443(self, port_443: Port) -> Self {
        Self { port_443, ..self }
    }

    pub(crate) fn chain(self, change: impl FnOnce(Chain) -> Chain) -> Self {
        Self {
            chain: change(self.chain),
            ..self
        }
    }

    pub(crate) fn tls(self, tls: Tls) -> Self {
        Self { tls, ..self }
    }

    pub(crate) fn image(self, image: impl Into<Vec<u8>>) -> Self {
        Self {
            image: image.into(),
            ..self
        }
    }

    /// What it offers, and an image with that version in it.
    pub(crate) fn version(self, version: &str) -> Self {
        Self {
            version: version.to_owned(),
            image: Image::new(version).build(),
            ..self
        }
    }

    pub(crate) fn start(self) -> Running {
        let (issued, tls) = self.chain.issue(self.tls);
        let shared = Arc::new(Shared {
            wrong: self,
            seen: Arc::default(),
        });
        let ports = [Reserved::new(), Reserved::new()];
        let [port_80, port_443] = [&ports[0], &ports[1]].map(Reserved::address);
        let scheme = shared.wrong.scheme;
        let seen = Arc::clone(&shared.seen);
        let mut refusing = Vec::new();
        for (port, https) in ports.into_iter().zip([false, true]) {
            if matches!(shared.port(https), Port::Refuses) {
                refusing.push(port);
                continue;
            }
            let listener = port.listen();
            let (shared, tls) = (Arc::clone(&shared), Arc::clone(&tls));
            std::thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    let (shared, tls) = (Arc::clone(&shared), Arc::clone(&tls));
                    std::thread::spawn(move || shared.meet(stream, https, tls));
                }
            });
        }
        Running {
            scheme,
            port_80,
            port_443,
            root: issued,
            seen,
            _refusing: refusing,
        }
    }
}

/// A server that runs until the test ends.
pub(crate) struct Running {
    pub(crate) scheme: &'static str,
    pub(crate) port_80: SocketAddr,
    pub(crate) port_443: SocketAddr,
    /// The certificate that devices would have to trust, as PEM.
    pub(crate) root: String,
    seen: Arc<Mutex<Vec<Request>>>,
    _refusing: Vec<Reserved>,
}

impl Running {
    /// Every request that came, in its order.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until a request of this kind has come.
    pub(crate) fn saw(&self, words: &str) -> Request {
        until(words, || {
            self.seen().into_iter().find(|r| r.head.contains(words))
        })
    }
}

struct Shared {
    wrong: Wrong,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Shared {
    fn port(&self, https: bool) -> &Port {
        if https {
            &self.wrong.port_443
        } else {
            &self.wrong.port_80
        }
    }

    fn meet(&self, mut stream: TcpStream, https: bool, tls: Arc<ServerConfig>) {
        stream.set_read_timeout(Some(PATIENCE * 2)).unwrap();
        stream.set_write_timeout(Some(PATIENCE * 2)).unwrap();
        match self.port(https) {
            Port::Plain | Port::Redirects if is_tls(&stream) => {
                let mut page = Page::new("400 Bad Request", "");
                page.set_status("400 Bad Request");
                let _ = page.send(&mut stream);
            }
            Port::Plain | Port::Patient => self.answer(&mut stream),
            Port::Redirects => redirect(&mut stream),
            Port::Tls => {
                let mut secure = StreamOwned::new(ServerConnection::new(tls).unwrap(), stream);
                self.answer(&mut secure);
                secure.conn.send_close_notify();
                // `flush` would wait for the end of a handshake that failed.
                while secure.conn.wants_write() && secure.conn.write_tls(&mut secure.sock).is_ok() {
                }
                stream = secure.sock;
            }
            Port::Silent => wait(&mut stream),
            Port::Says(bytes) => {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(bytes);
            }
            Port::Cuts | Port::Refuses => {}
        }
        // What was not read would make a reset of the end, and a reset may
        // overtake the reply; so the client's own end is waited for.
        let _ = stream.shutdown(Shutdown::Write);
        wait(&mut stream);
    }

    fn answer(&self, stream: &mut impl Stream) {
        let Some(request) = read_request(stream) else {
            return;
        };
        let path = path_of(&request).to_owned();
        let (is_download, is_voice) = (path.contains("/download/"), path.contains("/v1/"));
        let mut seen = self.seen.lock().unwrap();
        let same = |r: &&Request| path_of(r) == path && r.line() == request.line();
        let before = seen.iter().filter(same).count();
        seen.push(request.clone());
        drop(seen);
        let said: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let own = said["application"]["version"].as_str().unwrap_or_default();
        let asked = Asked {
            line: request.line(),
            path: &path,
            before,
            updated: own == self.wrong.version,
        };
        let (mut page, spoil) = if is_download {
            let mut page = Page::new("200 OK", self.wrong.image.clone());
            page.put("Content-Type", "application/octet-stream");
            (page, &self.wrong.download)
        } else if is_voice {
            (accepted(&request), &self.wrong.websocket)
        } else {
            let mut page = Page::new("200 OK", self.reply(&asked).to_string());
            page.put("Content-Type", "application/json");
            (page, &self.wrong.check)
        };
        spoil(&mut page, &asked);
        if page.send(stream).is_some() && is_voice && page.status.starts_with("101") {
            self.talk(stream);
        }
    }

    fn reply(&self, asked: &Asked<'_>) -> Value {
        let Wrong {
            scheme, version, ..
        } = &self.wrong;
        let url = if asked.updated {
            String::new()
        } else {
            format!("{scheme}://{HOST}/xiaozhi/ota/download/esp32s3_{version}.bin")
        };
        let voice = scheme.replace("http", "ws");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = u64::try_from(now.unwrap().as_millis()).unwrap();
        json!({
            "server_time": {"timestamp": now, "timezone_offset": 480},
            "firmware": {"version": version, "url": url},
            "websocket": {"url": format!("{voice}://{HOST}/xiaozhi/v1/"), "token": ""},
        })
    }

    /// One hello, and whatever comes after it.
    fn talk(&self, stream: &mut impl Stream) {
        let mut head = [0; 2];
        if stream.read_exact(&mut head).is_err() {
            return;
        }
        let _ = stream.write_all(&self.wrong.hello);
        let _ = stream.flush();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        // A close of a normal end, masked with zeros.
        if rest.ends_with(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8]) {
            let goodbye = Request {
                head: GOODBYE.to_owned(),
                body: Vec::new(),
            };
            self.seen.lock().unwrap().push(goodbye);
        }
    }
}

fn read_request(stream: &mut impl Stream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    let mut more = |bytes: &mut Vec<u8>| {
        let n = stream.read(&mut block).ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&block[..n]);
        Some(())
    };
    let end = loop {
        if let Some(end) = find_end_of_head(&bytes) {
            break end;
        }
        more(&mut bytes)?;
    };
    let mut request = Request {
        head: String::from_utf8_lossy(&bytes[..end]).into_owned(),
        body: Vec::new(),
    };
    let length = match request.headers("content-length")[..] {
        [length] => length.parse().ok()?,
        _ => 0,
    };
    while bytes.len() < end + length {
        more(&mut bytes)?;
    }
    request.body = bytes.split_off(end);
    Some(request)
}

/// Whether a client begins with a TLS record.
fn is_tls(stream: &TcpStream) -> bool {
    let mut first = [0];
    stream.peek(&mut first).is_ok_and(|n| n == 1) && first[0] == 0x16
}

fn path_of(request: &Request) -> &str {
    request.line().split(' ').nth(1).unwrap_or_default()
}

fn redirect(stream: &mut impl Stream) {
    if let Some(request) = read_request(stream) {
        let mut page = Page::new("301 Moved Permanently", "");
        page.redirect(&format!("https://{HOST}{}", path_of(&request)));
        let _ = page.send(stream);
    }
}

fn accepted(request: &Request) -> Page {
    let key = request.headers("sec-websocket-key");
    let key = key.first().copied().unwrap_or_default();
    let together = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, together.as_bytes());
    let mut page = Page::new("101 Switching Protocols", "");
    page.take("Content-Length");
    page.put("Connection", "Upgrade");
    page.put("Upgrade", "websocket");
    page.put("Sec-WebSocket-Accept", &STANDARD.encode(digest));
    page
}

/// A whole text message, as servers send it.
pub(crate) fn text_frame(text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    if text.len() < 126 {
        frame.push(u8::try_from(text.len()).unwrap());
    } else {
        frame.push(126);
        frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    }
    frame.extend(text);
    frame
}
