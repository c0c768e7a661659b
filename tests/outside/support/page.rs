//! A reply, byte by byte, that can be made as wrong as a test wants it.

use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

/// A connection of either kind.
pub(super) trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// What follows the bytes of a reply.
#[derive(Debug, Clone)]
pub(crate) enum Then {
    /// The end of the connection.
    Close,
    /// Nothing, until the client goes.
    Silence,
    /// These bytes, again and again, with a pause between them.
    Endless(Vec<u8>, Duration),
}

/// One reply.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) status: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) then: Then,
    /// Everything, where there is no such thing as a status.
    pub(crate) raw: Option<Vec<u8>>,
    /// How long it takes to come.
    pub(crate) delay: Duration,
}

impl Page {
    pub(super) fn new(status: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut page = Self {
            status: status.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            then: Then::Close,
            raw: None,
            delay: Duration::ZERO,
        };
        page.put("Connection", "close");
        page.set_body(body);
        page
    }

    /// A body with its length.
    pub(crate) fn set_body(&mut self, body: impl Into<Vec<u8>>) {
        self.body = body.into();
        self.put("Content-Length", &self.body.len().to_string());
    }

    /// A status with a body that says so.
    pub(crate) fn set_status(&mut self, status: &str) {
        status.clone_into(&mut self.status);
        self.set_body(format!("{status}\n"));
    }

    /// Sends the client elsewhere.
    pub(crate) fn redirect(&mut self, to: &str) {
        self.set_status("301 Moved Permanently");
        self.put("Location", to);
    }

    /// A header in place of the one of that name, if there is one.
    pub(crate) fn put(&mut self, name: &str, value: &str) {
        self.take(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn take(&mut self, name: &str) {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// Changes the JSON in the body.
    pub(crate) fn json(&mut self, change: impl FnOnce(&mut Value)) {
        let mut json = serde_json::from_slice(&self.body).unwrap();
        change(&mut json);
        self.set_body(json.to_string());
    }

    /// The same body in chunks.
    pub(crate) fn chunk(&mut self) {
        self.take("Content-Length");
        self.put("Transfer-Encoding", "chunked");
        self.body = [
            format!("{:x}\r\n", self.body.len()).as_bytes(),
            &self.body,
            b"\r\n0\r\n\r\n",
        ]
        .concat();
    }

    /// Header names as HTTP/2 servers write them.
    pub(crate) fn lower_case(&mut self) {
        for (name, _) in &mut self.headers {
            name.make_ascii_lowercase();
        }
    }

    fn bytes(&self) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let mut head = format!("HTTP/1.1 {}\r\n", self.status);
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }

    pub(super) fn send(&self, stream: &mut impl Stream) -> Option<()> {
        std::thread::sleep(self.delay);
        stream.write_all(&self.bytes()).ok()?;
        stream.flush().ok()?;
        match &self.then {
            Then::Close => {}
            Then::Silence => wait(stream),
            Then::Endless(bytes, pause) => loop {
                stream.write_all(bytes).ok()?;
                stream.flush().ok()?;
                std::thread::sleep(*pause);
            },
        }
        Some(())
    }
}

/// Reads until the other side ends, or nothing comes for long.
pub(super) fn wait(stream: &mut impl Stream) {
    let mut block = [0; 4096];
    loop {
        match stream.read(&mut block) {
            Ok(n) if n > 0 => {}
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => return,
        }
    }
}
