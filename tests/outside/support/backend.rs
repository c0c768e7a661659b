//! A server behind the server: std sockets, a thread a connection, and a record
//! of every request, byte for byte.

use super::reply::find_end_of_head;
use super::{PATIENCE, until};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What a backend got.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// As it came.
    pub(crate) head: String,
    /// Without its chunks.
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    /// All values of a header, whatever its spelling.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|l| l.split_once(": "));
        lines
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

/// One connection, from the backend's side.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    ahead: Vec<u8>,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Connection {
    fn more(&mut self) -> Option<()> {
        let mut block = [0; 16 * 1024];
        let n = self.stream.read(&mut block).ok().filter(|n| *n > 0)?;
        self.ahead.extend_from_slice(&block[..n]);
        Some(())
    }

    /// Exactly so many bytes, or fewer at the end.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        while self.ahead.len() < length && self.more().is_some() {}
        self.ahead.drain(..length.min(self.ahead.len())).collect()
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.ahead.windows(2).position(|w| w == b"\r\n") {
                let line = self.ahead.drain(..end + 2).take(end).collect();
                return Some(String::from_utf8(line).unwrap());
            }
            self.more()?;
        }
    }

    /// The head of the next request; it is on record from here on.
    pub(crate) fn head(&mut self) -> Option<Request> {
        let end = loop {
            if let Some(end) = find_end_of_head(&self.ahead) {
                break end;
            }
            self.more()?;
        };
        let head = self.ahead.drain(..end).collect();
        let request = Request {
            head: String::from_utf8(head).unwrap(),
            body: Vec::new(),
        };
        self.seen.lock().unwrap().push(request.clone());
        Some(request)
    }

    /// One chunk of a body; the last is empty.
    pub(crate) fn chunk(&mut self) -> Option<Vec<u8>> {
        let length = usize::from_str_radix(&self.line()?, 16).unwrap();
        let data = self.bytes(length);
        (data.len() == length && self.line()?.is_empty()).then_some(data)
    }

    /// The next request with its body; `None` if it does not come whole.
    pub(crate) fn request(&mut self) -> Option<Request> {
        let mut request = self.head()?;
        if !request.headers("transfer-encoding").is_empty() {
            loop {
                let chunk = self.chunk()?;
                if chunk.is_empty() {
                    break;
                }
                request.body.extend(chunk);
            }
        } else if let [length] = request.headers("content-length")[..] {
            let length = length.parse().unwrap();
            let body = self.bytes(length);
            if body.len() < length {
                return None;
            }
            request.body = body;
        }
        self.seen
            .lock()
            .unwrap()
            .last_mut()
            .unwrap()
            .body
            .clone_from(&request.body);
        Some(request)
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// A reply of 200 with a length.
    pub(crate) fn reply(&mut self, body: &str) {
        let length = body.len();
        self.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
    }

    /// Waits for the other side's end.
    pub(crate) fn ended(&mut self) {
        while self.more().is_some() {}
    }
}

/// Listens until the test ends.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Backend {
    /// Each connection is given to `serve`, and ends when that returns.
    pub(crate) fn start(serve: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), serve)
    }

    pub(crate) fn on(
        listener: TcpListener,
        serve: impl Fn(&mut Connection) + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (serve, record) = (Arc::new(serve), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let (serve, seen) = (Arc::clone(&serve), Arc::clone(&record));
                std::thread::spawn(move || {
                    serve(&mut Connection {
                        stream,
                        ahead: Vec::new(),
                        seen,
                    });
                });
            }
        });
        Self { address, seen }
    }

    /// Answers every request with what `answer` makes of it.
    pub(crate) fn answering(answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start(move |connection| {
            while let Some(request) = connection.request() {
                connection.send(answer(&request));
            }
        })
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn last(&self) -> Request {
        self.seen().pop().expect("a request")
    }

    /// Waits until it has seen so many requests.
    #[track_caller]
    pub(crate) fn saw(&self, count: usize) {
        until("requests at the backend", || {
            (self.seen().len() >= count).then_some(())
        });
    }
}
