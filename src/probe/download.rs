//! Downloads the image as a device does.

use super::address::Target;
use super::device::Device;
use super::framing;
use super::line::Asked;
use super::pace::Pace;
use super::report::{Evidence, Finding};
use super::rules::{image as images, reply as replies};
use super::wire::{Framing, PATIENCE, Wire, WireError};
use bytes::Bytes;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use xiaozhi_device::image::{Inspection, Inspector};

/// Longest image, in bytes: no flash that firmware knows is longer.
const LONGEST: u64 = 64 << 20;

/// Slowest download that is waited for: so many bytes a second, for so long.
const CRAWL: u64 = 1024;
const CRAWLING: Duration = Duration::from_secs(30);

/// Result of a download.
pub(crate) struct Fetched {
    /// Observation in one line.
    pub(crate) seen: String,
    pub(crate) findings: Vec<Finding>,
    /// Inspection of the image, if all of it came.
    pub(crate) inspection: Option<Inspection>,
}

/// Progress of a download.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DownloadProgress {
    /// Bytes that have come.
    pub(crate) bytes: u64,
    /// Bytes in all, where that was announced.
    pub(crate) of: Option<u64>,
}

/// Downloads over an open connection, no faster than the pace.
pub(crate) async fn fetch<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    target: &Target,
    device: &Device,
    pace: Option<Pace>,
    mut watch: impl FnMut(DownloadProgress),
) -> Fetched {
    let mut fetched = Fetched {
        seen: String::new(),
        findings: Vec::new(),
        inspection: None,
    };
    let started = Instant::now();
    let mut wire = Wire::new(stream, PATIENCE);
    let asked = Asked::Download;
    let head = match ask(&mut wire, &device.download(target)).await {
        Ok(head) => head,
        Err(e) => {
            fetched
                .findings
                .push(framing::headless(&e, asked, device.kind));
            return fetched;
        }
    };
    fetched.seen.clone_from(&head.status_line);
    let framing = head.framing();
    let mut body = wire.body(framing.clone());
    let mut inspector = Inspector::new();
    let mut bytes = 0;
    let mut begins = Bytes::new();
    if head.status != 200 {
        // What the error says, or an image that old firmware flashes all the same.
        begins = body.next().await.ok().flatten().unwrap_or_default();
        inspector.update(&begins);
        bytes += begins.len() as u64;
    }
    fetched.findings = framing::judge(&head, &begins, false, asked, device.kind);
    if head.status != 200 && fetched.findings.iter().any(Finding::is_failure) {
        return fetched;
    }
    let of = match framing {
        Framing::Length(0) | Framing::Unreadable(_) => return fetched,
        Framing::Length(length) if length > LONGEST => {
            let evidence = format!("Content-Length: {length}");
            fetched
                .findings
                .push(Finding::fail(&images::TOO_BIG, evidence));
            return fetched;
        }
        Framing::Length(length) => Some(length),
        Framing::Chunked | Framing::UntilClose => None,
    };
    loop {
        match body.next().await {
            Ok(None) => break,
            Ok(Some(piece)) => {
                bytes += piece.len() as u64;
                inspector.update(&piece);
                watch(DownloadProgress { bytes, of });
            }
            Err(e) => {
                let of = of.map_or_else(String::new, |of| format!(" ({bytes} / {of})"));
                let mut finding = framing::broken(&e, asked, device.kind);
                finding.evidence = finding.evidence.and(&of);
                fetched.findings.push(finding);
                return fetched;
            }
        }
        if bytes > LONGEST {
            let evidence = format!("> {LONGEST}");
            fetched
                .findings
                .push(Finding::fail(&images::TOO_BIG, evidence));
            return fetched;
        }
        let crawls = bytes < CRAWL * started.elapsed().as_secs();
        if started.elapsed() > CRAWLING
            && crawls
            && pace.is_none_or(|pace| pace.bytes_per_second() > 2 * CRAWL)
        {
            let seconds = started.elapsed().as_secs();
            let evidence = Evidence::both(
                format!("{seconds} 秒 {bytes} 字节"),
                format!("{bytes} bytes, {seconds} s"),
            );
            fetched
                .findings
                .push(Finding::fail(&replies::STALLED, evidence));
            return fetched;
        }
        if let Some(pace) = pace {
            let due = started + pace.after(bytes);
            tokio::time::sleep_until(due.into()).await;
        }
    }
    let took = started.elapsed();
    let speed = bytes as f64 / 1024.0 / took.as_secs_f64().max(0.001);
    fetched.seen = format!(
        "{}, {bytes} bytes, {:.1} s, {speed:.0} KB/s",
        head.status_line,
        took.as_secs_f64()
    );
    fetched.inspection = Some(inspector.finish());
    fetched
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    request: &[u8],
) -> Result<super::wire::ReplyHead, WireError> {
    wire.send(request).await?;
    wire.head().await
}
