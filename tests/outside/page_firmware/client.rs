//! A browser of the page, as far as forms and cookies go.

use super::super::support::admin::ask;
use super::super::support::server::{exchange, read_reply};
use super::super::support::{Reply, Server};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::io::Write as _;
use std::net::TcpStream;

/// What stands between the parts of a form.
const BOUNDARY: &str = "----------boundary-7f3a";

/// Somebody who signed in.
pub(super) struct Browser<'a> {
    server: &'a Server,
    cookie: String,
    pub(super) csrf: String,
    pub(super) language: &'static str,
}

/// A part of a form.
pub(super) enum Part<'a> {
    Text(&'a str, &'a str),
    File(&'a str, &'a str, &'a [u8]),
}

/// Text between two others.
pub(super) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

/// The numbers on the cards of a page.
pub(super) fn numbers(page: &str) -> Vec<u64> {
    let cards = page.split("class=\"number\">").skip(1);
    let number = |card: &str| card.split('<').next().unwrap().parse().unwrap();
    cards.map(number).collect()
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

impl<'a> Browser<'a> {
    /// Signs in with a token.
    #[track_caller]
    pub(super) fn sign_in(server: &'a Server, token: &str) -> Self {
        let mut browser = Self {
            server,
            cookie: String::new(),
            csrf: String::new(),
            language: "en",
        };
        let form = format!("token={}&to=%2F", encoded(token));
        let reply = browser.send_form("/sign-in", &form);
        assert_eq!(reply.status, 303, "{}", reply.text());
        let cookie = reply.header("Set-Cookie").unwrap();
        cookie
            .split(';')
            .next()
            .unwrap()
            .clone_into(&mut browser.cookie);
        let page = browser.get("/firmware");
        assert_eq!(page.status, 200, "{}", page.text());
        let csrf = between(page.text(), "name=\"csrf\" value=\"", "\"").unwrap();
        csrf.clone_into(&mut browser.csrf);
        browser
    }

    /// Signs in with the server's own token.
    #[track_caller]
    pub(super) fn of(server: &'a Server) -> Self {
        Self::sign_in(server, &server.admin_token())
    }

    fn host(&self) -> String {
        self.server.admin_address().to_string()
    }

    #[track_caller]
    pub(super) fn get(&self, path: &str) -> Reply {
        let headers = [
            ("Cookie", &*self.cookie),
            ("Accept", "text/html"),
            ("Accept-Language", self.language),
        ];
        ask(
            &mut self.server.admin_tcp(),
            "GET",
            path,
            &self.host(),
            &headers,
            "",
        )
    }

    /// Sends a form of this session.
    #[track_caller]
    pub(super) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let mut form = format!("csrf={}", encoded(&self.csrf));
        for (name, value) in fields {
            form.extend(["&", name, "=", &encoded(value)]);
        }
        self.send_form(path, &form)
    }

    /// Deletes a file, as the page that shows what follows does.
    #[track_caller]
    pub(super) fn delete(&self, file: &str) -> Reply {
        let path = format!("/firmware/files/{file}/delete");
        let page = self.get(&path);
        let shown = between(page.text(), "name=\"shown\" value=\"", "\"").unwrap();
        self.post(&path, &[("shown", shown)])
    }

    /// Publishes a draft in the place of a file, as the page of `query` does.
    #[track_caller]
    pub(super) fn replace(&self, draft: &str, query: &str) -> Reply {
        let page = self.get(&format!("{draft}?{query}"));
        let over = between(page.text(), "name=\"over\" value=\"", "\"").unwrap();
        self.post(
            &format!("{draft}/publish"),
            &[("replace", "1"), ("over", over)],
        )
    }

    #[track_caller]
    fn send_form(&self, path: &str, form: &str) -> Reply {
        let origin = format!("http://{}", self.host());
        let headers = [
            ("Cookie", &*self.cookie),
            ("Origin", &*origin),
            ("Accept", "text/html"),
            ("Accept-Language", self.language),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let mut stream = self.server.admin_tcp();
        ask(&mut stream, "POST", path, &self.host(), &headers, form)
    }

    /// Head of a request with a file, but for the last line's end.
    pub(super) fn head(&self, length: usize, origin: &str) -> String {
        let host = self.host();
        let origin = match origin {
            "" => String::new(),
            "own" => format!("Origin: http://{host}\r\n"),
            other => format!("Origin: {other}\r\n"),
        };
        format!(
            "POST /firmware/upload HTTP/1.1\r\nHost: {host}\r\nCookie: {}\r\nAccept: text/html\r\nAccept-Language: {}\r\n\
             {origin}Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n",
            self.cookie, self.language
        )
    }

    pub(super) fn connect(&self) -> TcpStream {
        self.server.admin_tcp()
    }

    /// Sends a form with parts as they are.
    #[track_caller]
    pub(super) fn send_parts(&self, parts: &[Part<'_>], origin: &str) -> Reply {
        let body = body(parts);
        let head = self.head(body.len(), origin) + "\r\n";
        exchange(&mut self.connect(), &[head.as_bytes(), &body].concat())
    }

    /// Sends a file, as the page's form does.
    #[track_caller]
    pub(super) fn upload(&self, name: &str, bytes: &[u8]) -> Reply {
        let parts = [
            Part::Text("csrf", &self.csrf),
            Part::File("file", name, bytes),
        ];
        self.send_parts(&parts, "own")
    }

    /// Sends a file, and returns where its draft is shown.
    #[track_caller]
    pub(super) fn draft(&self, name: &str, bytes: &[u8]) -> String {
        let reply = self.upload(name, bytes);
        assert_eq!(reply.status, 303, "{}", reply.text());
        reply.header("Location").unwrap().to_owned()
    }

    /// Begins to send a file of so many bytes, and returns the connection.
    #[track_caller]
    pub(super) fn begin(&self, name: &str, bytes: &[u8], sent: usize) -> (TcpStream, Vec<u8>) {
        let parts = [
            Part::Text("csrf", &self.csrf),
            Part::File("file", name, bytes),
        ];
        let mut body = body(&parts);
        let rest = body.split_off(sent);
        let head = self.head(body.len() + rest.len(), "own") + "\r\n";
        let mut stream = self.connect();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        (stream, rest)
    }

    /// Reads the reply on a connection.
    #[track_caller]
    pub(super) fn read(stream: &mut TcpStream) -> Reply {
        read_reply(stream, false)
    }
}

fn body(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        body.extend_from_slice(format!("--{BOUNDARY}\r\n").as_bytes());
        match part {
            Part::Text(name, text) => body.extend_from_slice(
                format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
                    .as_bytes(),
            ),
            Part::File(name, file, bytes) => {
                let head = format!(
                    "Content-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\nContent-Type: \
                     application/octet-stream\r\n\r\n"
                );
                body.extend_from_slice(head.as_bytes());
                body.extend_from_slice(bytes);
                body.extend_from_slice(b"\r\n");
            }
        }
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}
