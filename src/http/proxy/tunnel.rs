//! Tunnels: each one an open WebSocket whose bytes go both ways untouched. Frames are
//! looked at for where they end, and only so that a goodbye of ours can stand between
//! two.

use super::activity::Activity;
use super::backend::quiet;
use crate::event::{self, event, tell};
use crate::server::{LOOK, ResetWatch};
use futures_util::future::{Either, select};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Size in bytes of the buffer of one direction. Voice comes in packets of 60 ms.
const BUFFER: usize = 8 * 1024;
/// Time of silence after which a WebSocket is ended when this server stops.
const STILL: Duration = Duration::from_secs(2);
/// Time after which this server, when it stops, ends any other WebSocket. Both are
/// less where the drain time is
/// short.
const GOODBYE: Duration = Duration::from_secs(10);
/// Time for the other side's own goodbye.
const FAREWELL: Duration = Duration::from_secs(1);
/// Time that one side may be still once the other has ended: half a WebSocket leads
/// nowhere.
const HALF: Duration = Duration::from_secs(10);
/// Close frames with the code 1001, "going away" (RFC 6455, section 7.4.1), as a
/// server sends them and, masked with zeros, as a client does.
const CLOSE_TO_CLIENT: &[u8] = &[0x88, 2, 0x03, 0xE9];
const CLOSE_TO_SERVER: &[u8] = &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE9];

/// Client, backend and limits of one WebSocket.
#[derive(Debug)]
pub(super) struct Session {
    /// `Device-Id` as the log shows it.
    pub(super) device: String,
    pub(super) peer: SocketAddr,
    pub(super) backend: String,
    /// Time that it may be still in both directions.
    pub(super) idle: Duration,
    /// Time that it may go on when this server stops, at the very most.
    pub(super) drain: Duration,
    /// Number of open tunnels, this one counted.
    pub(super) open: TunnelCount,
    /// Watch for the client's reset, for while nothing is read of it.
    pub(super) watch: ResetWatch,
}

/// Counts one open tunnel until it is dropped.
#[derive(Debug)]
pub(super) struct TunnelCount(Arc<AtomicUsize>);

impl TunnelCount {
    pub(super) fn count(all: &Arc<AtomicUsize>) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(all))
    }

    fn how_many(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for TunnelCount {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Carries a WebSocket to its end.
pub(super) async fn carry(
    client: impl AsyncRead + AsyncWrite,
    backend: impl AsyncRead + AsyncWrite,
    session: Session,
    stop: CancellationToken,
) {
    let begun = Instant::now();
    let (device, peer) = (&*session.device, session.peer);
    let server = &*session.backend;
    tell!(
        WEBSOCKET_OPENED,
        device = device,
        peer = peer,
        backend = server,
        open = session.open.how_many(),
    );
    let activity = Activity::new();
    let (from_client, to_client) = split(client);
    let (from_backend, to_backend) = split(backend);
    let look = Look {
        due: Notify::new(),
        watch: session.watch.clone(),
    };
    let mut up = Direction::new(from_client, to_backend, &activity, &look);
    let mut down = Direction::new(from_backend, to_client, &activity, &look);
    let why = tokio::select! {
        // What has come already is still carried: on a busy machine it may wait
        // together with the news that its time is over.
        biased;
        ended = both(up.pump(), down.pump(), &activity, &look) => {
            ended.map_or_else(|e| event!(WEBSOCKET_BROKE, error = &e), |()| event!(WEBSOCKET_CLOSED))
        }
        () = quiet(&activity, session.idle) => {
            part(&mut up, &mut down, FAREWELL).await;
            event!(WEBSOCKET_STILL, idle = format!("{:?}", session.idle))
        }
        () = stopping(&stop, &activity, session.drain) => {
            part(&mut up, &mut down, FAREWELL.min(session.drain / 4)).await;
            event!(WEBSOCKET_STOPPED)
        }
    };
    let ended = why
        .with("device", device)
        .with("peer", peer)
        .with("backend", server)
        .with("seconds", begun.elapsed().as_secs())
        .with("up", up.bytes)
        .with("down", down.bytes);
    event::say(&ended);
}

/// Carries both directions. A fault ends both, for the other side must hear of it; an
/// end is passed on, and the other side may still finish.
async fn both(
    up: impl Future<Output = io::Result<()>>,
    down: impl Future<Output = io::Result<()>>,
    activity: &Activity,
    look: &Look,
) -> io::Result<()> {
    let (up, down) = (pin!(up), pin!(down));
    match select(up, down).await {
        Either::Left((ended, down)) => {
            ended?;
            finish(down, activity, look).await
        }
        Either::Right((ended, up)) => {
            ended?;
            finish(up, activity, look).await
        }
    }
}

async fn finish(
    other: impl Future<Output = io::Result<()>>,
    activity: &Activity,
    look: &Look,
) -> io::Result<()> {
    tokio::select! {
        ended = other => ended,
        () = look.now_and_then() => Ok(()),
        () = quiet(activity, HALF) => Ok(()),
    }
}

/// Look for the client's reset, which shows by itself only where something is read of the
/// client or written to it: not while the backend takes nothing, nor behind the client's
/// own end.
struct Look {
    due: Notify,
    watch: ResetWatch,
}

impl Look {
    /// Has whoever waits for something to carry look, until dropped.
    async fn now_and_then(&self) {
        loop {
            sleep(LOOK).await;
            self.due.notify_one();
        }
    }
}

/// Says goodbye to both sides.
async fn part<C, B>(
    up: &mut Direction<'_, C, B>,
    down: &mut Direction<'_, B, C>,
    patience: Duration,
) where
    C: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let goodbye = async { tokio::join!(up.close(CLOSE_TO_SERVER), down.close(CLOSE_TO_CLIENT)) };
    // Who does not answer has been told.
    let _ = timeout(patience, goodbye).await;
}

/// Waits until the server stops, and then for a moment at which nobody speaks.
async fn stopping(stop: &CancellationToken, activity: &Activity, drain: Duration) {
    stop.cancelled().await;
    let _ = timeout(
        GOODBYE.min(drain / 2),
        quiet(activity, STILL.min(drain / 4)),
    )
    .await;
}

/// One direction of a WebSocket.
struct Direction<'a, R, W> {
    from: ReadHalf<R>,
    to: WriteHalf<W>,
    activity: &'a Activity,
    look: &'a Look,
    frames: Frames,
    bytes: u64,
}

impl<'a, R: AsyncRead, W: AsyncWrite> Direction<'a, R, W> {
    fn new(from: ReadHalf<R>, to: WriteHalf<W>, activity: &'a Activity, look: &'a Look) -> Self {
        Self {
            from,
            to,
            activity,
            look,
            frames: Frames::default(),
            bytes: 0,
        }
    }

    /// Carries bytes until one side ends.
    async fn pump(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let n = match self.next(&mut buffer).await {
                // TLS without a goodbye of its own: devices end so.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => 0,
                read => read?,
            };
            if n == 0 {
                return self.to.shutdown().await;
            }
            self.activity.note();
            let mut rest = &buffer[..n];
            while !rest.is_empty() {
                // Counted as they leave: who stops us in between must know
                // where in a frame that was.
                let n = tokio::select! {
                    biased;
                    written = self.to.write(rest) => written?,
                    () = self.look.now_and_then() => continue,
                };
                if n == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                self.frames.see(&rest[..n]);
                self.bytes += n as u64;
                rest = &rest[n..];
            }
            self.to.flush().await?;
            self.activity.note();
        }
    }

    /// Reads the next bytes; looks for the client's reset meanwhile, where that is due.
    async fn next(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            tokio::select! {
                biased;
                read = self.from.read(buffer) => return read,
                () = self.look.due.notified() => {
                    self.look.watch.ask();
                    self.to.flush().await?;
                }
            }
        }
    }

    /// Says goodbye if that does not fall into a frame, and ends this direction; then
    /// reads what the other side still sends.
    async fn close(&mut self, frame: &[u8]) -> io::Result<()> {
        if self.frames.are_whole() {
            self.to.write_all(frame).await?;
        }
        self.to.shutdown().await?;
        let mut rest = [0; 512];
        while self.from.read(&mut rest).await? > 0 {}
        Ok(())
    }
}

/// Finds where frames end (RFC 6455, section 5.2).
#[derive(Debug, Default)]
struct Frames {
    header: [u8; 14],
    filled: usize,
    payload: u64,
}

impl Frames {
    fn are_whole(&self) -> bool {
        self.filled == 0 && self.payload == 0
    }

    fn see(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.payload > 0 {
                let n = usize::try_from(self.payload).map_or(rest.len(), |n| n.min(rest.len()));
                self.payload -= n as u64;
                rest = &rest[n..];
                continue;
            }
            self.header[self.filled] = rest[0];
            self.filled += 1;
            rest = &rest[1..];
            if let Some(payload) = self.payload_length() {
                self.filled = 0;
                self.payload = payload;
            }
        }
    }

    /// Returns the length of the payload, once the header is whole.
    fn payload_length(&self) -> Option<u64> {
        let header = &self.header[..self.filled];
        let second = *header.get(1)?;
        let (short, mask) = (second & 0x7F, if second & 0x80 == 0 { 0 } else { 4 });
        let (extended, length) = match short {
            126 => (
                2,
                u64::from(u16::from_be_bytes(*header.get(2..)?.first_chunk()?)),
            ),
            127 => (8, u64::from_be_bytes(*header.get(2..)?.first_chunk()?)),
            short => (0, u64::from(short)),
        };
        (self.filled == 2 + extended + mask).then_some(length)
    }
}

#[cfg(test)]
mod tests;
