//! In front of another xiaozhi server: what it answers reaches devices, but for `firmware`.

mod apart;
mod away;
mod bounds;
mod fleets;
mod replies;

use super::support::backend::{Backend, Connection, Request};
use super::support::server::{Setup, request};
use super::support::{Reply, Server};
use serde_json::json;
use std::sync::{Arc, Mutex};
use xiaozhi_image_builder::Image;

/// `firmware` of manager-api for a device that is to be left alone.
const NOT_ACTIVATED: &str = r#"{"version":"1.0.0","url":"http://xiaozhi.server.com:8002/xiaozhi/otaMag/download/NOT_ACTIVATED_FIRMWARE_THIS_IS_A_INVALID_URL"}"#;
/// A reply of manager-api to a device that is bound, but for `firmware`.
const BOUND: &str = r#""server_time":{"timestamp":1700000000123,"timeZone":"Asia/Shanghai","timezone_offset":480},"websocket":{"url":"ws://192.168.1.25:8000/xiaozhi/v1/", "token":"hush.\u0031"}"#;
const ACTIVATION: &str = r#""activation":{"code":"123456","message":"http://xiaozhi.server.com\n123456","challenge":"02:00:00:00:00:01"}"#;

type Answer = Box<dyn Fn(&Request, &mut Connection) + Send>;

/// A stand-in for the server behind, which answers in one way until it is told another.
struct StandIn {
    backend: Backend,
    way: Arc<Mutex<Answer>>,
}

/// A whole reply of HTTP.
fn reply(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

fn ok(body: &str) -> Vec<u8> {
    reply("200 OK", "Content-Type: application/json\r\n", body)
}

/// Manager-api's reply to a bound device, with updates on.
fn bound() -> String {
    format!(r#"{{{BOUND},"firmware":{NOT_ACTIVATED}}}"#)
}

impl StandIn {
    fn new(body: impl Into<String>) -> Self {
        let way: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(|_, _| {})));
        let ways = Arc::clone(&way);
        let backend = Backend::start(move |connection| {
            while let Some(request) = connection.request() {
                // Nobody waits for another's answer.
                let way = ways.lock().unwrap();
                way(&request, connection);
            }
        });
        let stand_in = Self { backend, way };
        stand_in.says(body);
        stand_in
    }

    fn does(&self, answer: impl Fn(&Request, &mut Connection) + Send + 'static) {
        *self.way.lock().unwrap() = Box::new(answer);
    }

    /// Answers everybody with these bytes.
    fn sends(&self, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        self.does(move |_, connection| connection.send(&bytes));
    }

    /// Answers everybody with 200 and this body.
    fn says(&self, body: impl Into<String>) {
        self.sends(ok(&body.into()));
    }

    fn url(&self) -> String {
        format!("http://{}/xiaozhi/ota/", self.backend.address)
    }

    fn config(&self, kind: &str, more: &str) -> String {
        let url = self.url();
        format!("gateway:\n  upstream: {{url: '{url}', kind: {kind}{more}}}\n")
    }

    fn in_front(&self, kind: &str) -> Server {
        setup().start(&self.config(kind, ""))
    }
}

fn setup() -> Setup {
    Setup::new().file("a_1.1.0.bin", Image::new("1.1.0").build())
}

fn mac(number: u32) -> String {
    format!("02:00:00:00:00:{number:02x}")
}

fn check_in_of(mac: &str) -> Vec<u8> {
    let body = json!({
        "application": {"name": "xiaozhi", "version": "1.0.0", "elf_sha256": "ee".repeat(32)},
        "board": {"type": "a"},
        "chip_model_name": "esp32s3",
    });
    let headers = [("Device-Id", mac), ("Client-Id", "c")];
    request(
        "POST",
        "/xiaozhi/ota/",
        &headers,
        body.to_string().as_bytes(),
    )
}

fn check_in(server: &Server, mac: &str) -> Reply {
    let reply = server.send("http", &check_in_of(mac));
    reply.hold_to_contract(if reply.status == 200 {
        "a check-in"
    } else {
        "an error"
    });
    reply
}

/// The file that a device is offered.
fn offered(server: &Server, mac: &str) -> Option<String> {
    let json = check_in(server, mac).whole_json();
    let url = json["firmware"]["url"].as_str()?.to_owned();
    let file = url.rsplit('/').next()?.split('?').next()?;
    (!file.is_empty()).then(|| file.to_owned())
}
