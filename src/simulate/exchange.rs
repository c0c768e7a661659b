//! One check, or one download, on a connection that is open.

use super::failure::{Failure, FailureKind};
use super::network::Stream;
use crate::probe::address::Target;
use crate::probe::device::Device;
use crate::probe::line::{HttpStack, Kind};
use crate::probe::reply::{self, Update};
use crate::probe::rule::Rule;
use crate::probe::rules::{reply as rules, websocket as voice};
use crate::probe::wire::{Framing, PATIENCE, ReplyHead, Wire};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// Longest answer to a check that is read, in bytes.
const LONGEST_REPLY: usize = 64 * 1024;
/// Longest time for which a connection stays open, so that the server closes it
/// first.
const GOODBYE: Duration = Duration::from_secs(1);

/// Connection on which one request is made.
pub(super) type Link = Wire<Box<dyn Stream>>;

/// Meaning of an answer for the device that asked.
#[derive(Debug, PartialEq)]
pub(super) enum Offer {
    /// The device runs what it is to run.
    Nothing,
    /// The device is to fetch this update.
    Image(Update),
    /// Something in the answer restarts the device.
    Restart(String),
}

/// Sends a check and reads what comes.
pub(super) async fn check(
    link: &mut Link,
    target: &Target,
    device: &Device,
    request: &[u8],
) -> Result<Offer, Failure> {
    link.send(request).await?;
    let head = link.head().await?;
    let (body, broken) = link.body(head.framing()).read(LONGEST_REPLY).await;
    let failed = || Failure::with(FailureKind::Status(head.status), &head.status_line);
    if !device.kind.reads_a_check_under(head.status) {
        return Err(failed());
    }
    if let Some(broken) = broken {
        return Err(broken.into());
    }
    match offer(&body, device, target) {
        // Firmware that does not mind the status fails here.
        Err(_) if head.status != 200 => Err(failed()),
        read => read,
    }
}

/// Reads an answer as the device does.
fn offer(body: &[u8], device: &Device, target: &Target) -> Result<Offer, Failure> {
    let (reply, findings) = reply::judge(body, device, target);
    for finding in findings.iter().filter(|finding| finding.is_failure()) {
        let is = |rules: &[&Rule]| rules.contains(&finding.rule);
        let named = || format!("{}: {}", finding.rule.id, finding.evidence);
        if is(&[
            &rules::CRASH_VERSION,
            &rules::OWN_VERSION_CRASHES,
            &rules::NULL_FIELD,
            &rules::WRONG_TYPE,
            &rules::LONG_KEY,
            &rules::LONG_VALUE,
        ]) {
            return Ok(Offer::Restart(named()));
        }
        if is(&[
            &rules::NOT_JSON,
            &rules::REQUEST_ERROR,
            &rules::NO_FIRMWARE,
            &rules::TOO_LONG,
        ]) {
            return Err(Failure::with(FailureKind::BadReply, named()));
        }
        if is(&[&rules::EMPTY_URL]) {
            return Ok(Offer::Image(Update::default()));
        }
        // Its voice comes behind the update.
        if is(&[&voice::MQTT_ABORTS]) && reply.update.is_none() {
            return Ok(Offer::Restart(named()));
        }
    }
    Ok(reply.update.map_or(Offer::Nothing, Offer::Image))
}

/// Sends a request for an image, reads the head of the reply, and returns the
/// length of the image.
pub(super) async fn fetch(
    link: &mut Link,
    request: &[u8],
    kind: Kind,
    most: u64,
) -> Result<u64, Failure> {
    link.send(request).await?;
    let head = link.head().await?;
    if head.status != 200 {
        return Err(Failure::with(
            FailureKind::Status(head.status),
            &head.status_line,
        ));
    }
    match length(&head, kind) {
        None => Err(Failure::new(FailureKind::NoLength)),
        Some(length) if length > most => Err(Failure::with(
            FailureKind::TooLong,
            format!("{length} bytes, and the flash has {most}"),
        )),
        Some(length) => Ok(length),
    }
}

fn length(head: &ReplyHead, kind: Kind) -> Option<u64> {
    if kind.reads_names_by_case() {
        head.header_by_case("Content-Length")?;
    }
    match head.framing() {
        Framing::Length(length) => Some(length).filter(|length| *length > 0),
        Framing::Chunked | Framing::UntilClose | Framing::Unreadable(_) => None,
    }
}

/// Ends a connection whose reply has come. A client that asked for `Connection:
/// close` lets the server close first, as a real device does: else the port stays
/// taken on this machine for a minute.
pub(super) async fn close(link: Link, kind: Kind) {
    let (mut stream, _) = link.into_parts();
    let leaving = async {
        if kind.http() != HttpStack::EspHttp {
            let mut rest = [0; 64];
            while stream.read(&mut rest).await.is_ok_and(|n| n > 0) {}
        }
        stream.shutdown().await
    };
    // It is over either way.
    let _ = timeout(GOODBYE, leaving).await;
}

/// Ends a connection on which an image has come: a device counts its length, and closes at
/// once (`Ota::Upgrade` in `main/ota.cc`), whatever it asked for.
pub(super) async fn hang_up(link: Link) {
    let (mut stream, _) = link.into_parts();
    let leaving = async {
        stream.shutdown().await?;
        let mut rest = [0; 64];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // It is over either way.
    let _ = timeout(GOODBYE, leaving).await;
}

/// Ends a connection as the loss of power, or of the way, does: without a goodbye.
pub(super) fn lose(link: Link) {
    let (stream, _) = link.into_parts();
    stream.reset_at_end();
}

/// Takes a connection over.
pub(super) fn link(stream: Box<dyn Stream>) -> Link {
    Wire::new(stream, PATIENCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::line::Line;
    use crate::simulate::plan::tests::plan;

    #[test]
    fn answers_are_read_as_in_the_firmware() {
        let read = |line, body: &str| {
            let plan = plan(1);
            let mut device = plan.device(0);
            device.kind.line = line;
            offer(body.as_bytes(), &device, &plan.target).map_err(|failure| failure.kind)
        };
        let firmware = |inner: &str| format!(r#"{{"firmware":{{{inner}}}}}"#);
        let newer = firmware(r#""version":"1.7.0","url":"http://a""#);
        let image =
            |read| matches!(read, Ok(Offer::Image(Update { url, .. })) if url == "http://a");
        for line in Line::ALL {
            assert!(image(read(line, &newer)));
            let same = firmware(r#""version":"1.6.0","url":"""#);
            assert_eq!(read(line, &same), Ok(Offer::Nothing));
            let restart = firmware(r#""version":"v1.7","url":"http://a""#);
            assert!(matches!(read(line, &restart), Ok(Offer::Restart(_))));
            assert_eq!(read(line, "<html>"), Err(FailureKind::BadReply));
            assert_eq!(read(line, "[]"), Err(FailureKind::BadReply));
        }
        let forced = firmware(r#""version":"1.5.0","url":"http://a","force":1"#);
        assert_eq!(read(Line::V1_5, &forced), Ok(Offer::Nothing));
        assert!(image(read(Line::V1_6, &forced)));
        assert_eq!(read(Line::V1_5, "{}"), Err(FailureKind::BadReply));
        assert_eq!(read(Line::V2, "{}"), Ok(Offer::Nothing));
        let null = firmware(r#""version":null,"url":"""#);
        assert!(matches!(read(Line::V1_6, &null), Ok(Offer::Restart(_))));
        assert_eq!(read(Line::V2, &null), Ok(Offer::Nothing));
        let mqtt = r#","mqtt":{"endpoint":"mqtt://h:1883"}}"#;
        let aborts = newer.trim_end_matches('}').to_owned() + "}" + mqtt;
        assert!(image(read(Line::V2, &aborts)));
        let aborts = aborts.replace("1.7.0", "1.6.0");
        assert!(matches!(read(Line::V2, &aborts), Ok(Offer::Restart(_))));
        assert_eq!(read(Line::V1_6, &aborts), Ok(Offer::Nothing));
    }
}
