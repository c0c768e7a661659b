//! What stands on the way to a CA, or in its place: a proxy that opens ways, and a
//! server of one page.

use super::certificate::{Authority, Key};
use super::server::der;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// An HTTP proxy that knows `CONNECT`. Its threads outlive the test.
pub(crate) struct ConnectProxy {
    pub(crate) port: u16,
    /// The first lines of what was asked for, with who asked.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl ConnectProxy {
    /// Starts one that answers everybody, or only whoever sends this header.
    pub(crate) fn start(wants: Option<&'static str>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            asked: Arc::default(),
        };
        let asked = Arc::clone(&proxy.asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let asked = Arc::clone(&asked);
                std::thread::spawn(move || pass_on(stream.unwrap(), wants, &asked));
            }
        });
        proxy
    }
}

fn pass_on(mut client: TcpStream, wants: Option<&str>, asked: &Mutex<Vec<String>>) -> Option<()> {
    let head = head(&mut client)?;
    let mut lines = head.lines();
    let first = lines.next()?.to_owned();
    asked.lock().unwrap().push(first.clone());
    if wants.is_some_and(|wants| !lines.any(|line| line == wants)) {
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
        return client.write_all(refusal).ok();
    }
    let to = first.split(' ').nth(1)?;
    let Ok(mut server) = TcpStream::connect(to) else {
        return client.write_all(b"HTTP/1.1 502 No Such Place\r\n\r\n").ok();
    };
    client
        .write_all(b"HTTP/1.1 200 Here It Is\r\nVia: 1.1 test\r\n\r\n")
        .ok()?;
    let (mut from_client, mut to_server) = (client.try_clone().ok()?, server.try_clone().ok()?);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut server, &mut client);
    client.shutdown(Shutdown::Write).ok()
}

/// Reads the head of a request, and nothing behind it.
fn head(stream: &mut impl Read) -> Option<String> {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).ok()
}

/// Serves one reply to everything over TLS, as localhost, and returns its port. Its
/// threads outlive the test.
pub(crate) fn serve_page(authority: &Authority, reply: String) -> u16 {
    let dir = tempfile::tempdir().unwrap();
    authority.sign(dir.path(), "page", Key::P256, &["localhost"]);
    let read = |file: &str| fs::read_to_string(dir.path().join(file)).unwrap();
    let key = rustls_pemfile::pkcs8_private_keys(&mut read("page.key").as_bytes())
        .next()
        .unwrap()
        .unwrap();
    let key = PrivateKeyDer::Pkcs8(key);
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(der(&read("page.pem")), key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (config, reply) = (Arc::clone(&config), reply.clone());
            std::thread::spawn(move || {
                let connection = ServerConnection::new(config).unwrap();
                let mut stream = StreamOwned::new(connection, stream.unwrap());
                while head(&mut stream).is_some() {
                    stream.write_all(reply.as_bytes()).ok()?;
                    stream.flush().ok()?;
                }
                Some(())
            });
        }
    });
    port
}
