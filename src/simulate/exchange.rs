//! One check, or one download, on a connection that is open.

use super::fault::{Failure, Fault};
use super::network::Stream;
use crate::firmware::version::{device_finds_newer, is_device_safe};
use crate::probe::line::{HttpClient, Kind, Line};
use crate::probe::wire::{Framing, Head, PATIENCE, Wire};
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// The most of a check's answer that is read, in bytes.
const LONGEST_REPLY: usize = 64 * 1024;
/// How long a device's connection stays for the server to close it.
const GOODBYE: Duration = Duration::from_secs(1);

/// A connection on which a request is made.
pub(super) type Link = Wire<Box<dyn Stream>>;

/// What an answer means to the device that asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// It runs what it is to run.
    Nothing,
    /// It is to fetch this.
    Image(String),
    /// One of the versions throws in the device's parser.
    Restart,
}

/// Sends a check and reads what comes.
pub(super) async fn check(
    link: &mut Link,
    request: &[u8],
    kind: Kind,
    own: &str,
) -> Result<Offer, Failure> {
    link.send(request).await?;
    let head = link.head().await?;
    let (body, fault) = link.body(head.framing()).read(LONGEST_REPLY).await;
    let failed = || Failure::with(Fault::Status(head.status), &head.status_line);
    if head.status != 200 && kind.minds_status() {
        return Err(failed());
    }
    if let Some(fault) = fault {
        return Err(fault.into());
    }
    match offer(&body, kind, own) {
        // Firmware that does not mind the status fails here.
        Err(_) if head.status != 200 => Err(failed()),
        read => read,
    }
}

/// Reads an answer as `Ota::CheckVersion` does.
fn offer(body: &[u8], kind: Kind, own: &str) -> Result<Offer, Failure> {
    let bad = |why: String| Failure::with(Fault::BadReply, why);
    let reply: Value = serde_json::from_slice(body).map_err(|e| bad(e.to_string()))?;
    if !reply.is_object() {
        return Err(bad("no JSON object".to_owned()));
    }
    let firmware = match reply.get("firmware") {
        Some(firmware) if firmware.is_object() => firmware,
        _ if kind.line == Line::V1_5 => return Err(bad("no object \"firmware\"".to_owned())),
        _ => return Ok(Offer::Nothing),
    };
    let text = |key| firmware.get(key).and_then(Value::as_str);
    let (Some(version), Some(url)) = (text("version"), text("url")) else {
        return if kind.line == Line::V1_5 {
            Err(bad("\"version\" or \"url\" is missing".to_owned()))
        } else {
            Ok(Offer::Nothing)
        };
    };
    if !is_device_safe(own) || !is_device_safe(version) {
        return Ok(Offer::Restart);
    }
    let force = firmware.get("force").and_then(Value::as_f64) == Some(1.0);
    let is_forced = force && kind.line > Line::V1_5;
    Ok(if is_forced || device_finds_newer(own, version) {
        Offer::Image(url.to_owned())
    } else {
        Offer::Nothing
    })
}

/// Sends a request for an image and reads the head of what comes: how long the
/// image is.
pub(super) async fn fetch(
    link: &mut Link,
    request: &[u8],
    kind: Kind,
    most: u64,
) -> Result<u64, Failure> {
    link.send(request).await?;
    let head = link.head().await?;
    if head.status != 200 {
        return Err(Failure::with(Fault::Status(head.status), &head.status_line));
    }
    match length(&head, kind) {
        None => Err(Failure::new(Fault::NoLength)),
        Some(length) if length > most => Err(Failure::with(
            Fault::TooLong,
            format!("{length} bytes, and the flash has {most}"),
        )),
        Some(length) => Ok(length),
    }
}

fn length(head: &Head, kind: Kind) -> Option<u64> {
    if kind.reads_names_by_case() {
        head.header_by_case("Content-Length")?;
    }
    match head.framing() {
        Framing::Length(length) => Some(length).filter(|length| *length > 0),
        Framing::Chunked | Framing::UntilClose | Framing::Unreadable(_) => None,
    }
}

/// Ends a connection whose reply has come. Who asked for `Connection: close`
/// lets the server go first, as it does when it is a real device's turn: else
/// the port stays taken on this machine for a minute.
pub(super) async fn close(link: Link, kind: Kind) {
    let (mut stream, _) = link.into_parts();
    let leaving = async {
        if kind.http() != HttpClient::EspHttp {
            let mut rest = [0; 64];
            while stream.read(&mut rest).await.is_ok_and(|n| n > 0) {}
        }
        stream.shutdown().await
    };
    // It is over either way.
    let _ = timeout(GOODBYE, leaving).await;
}

/// Takes a connection over.
pub(super) fn link(stream: Box<dyn Stream>) -> Link {
    Wire::new(stream, PATIENCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::line::Client;

    #[test]
    fn answers_are_read_as_in_the_firmware() {
        let read = |line, body: &str| {
            let kind = Kind {
                line,
                client: Client::Wifi,
            };
            offer(body.as_bytes(), kind, "1.6.0").map_err(|failure| failure.fault)
        };
        let firmware = |inner: &str| format!(r#"{{"firmware":{{{inner}}}}}"#);
        let newer = firmware(r#""version":"1.7.0","url":"http://a""#);
        let image = || Ok(Offer::Image("http://a".into()));
        for line in Line::ALL {
            assert_eq!(read(line, &newer), image());
            let same = firmware(r#""version":"1.6.0","url":"""#);
            assert_eq!(read(line, &same), Ok(Offer::Nothing));
            let restart = firmware(r#""version":"v1.7","url":"http://a""#);
            assert_eq!(read(line, &restart), Ok(Offer::Restart));
            assert_eq!(read(line, "<html>"), Err(Fault::BadReply));
            assert_eq!(read(line, "[]"), Err(Fault::BadReply));
        }
        let forced = firmware(r#""version":"1.5.0","url":"http://a","force":1"#);
        assert_eq!(read(Line::V1_5, &forced), Ok(Offer::Nothing));
        assert_eq!(read(Line::V1_6, &forced), image());
        assert_eq!(read(Line::V1_5, "{}"), Err(Fault::BadReply));
        assert_eq!(read(Line::V2, "{}"), Ok(Offer::Nothing));
        let lie = firmware(r#""version":"1.5.0","url":"http://a","force":true"#);
        assert_eq!(read(Line::V2, &lie), Ok(Offer::Nothing));
    }
}
