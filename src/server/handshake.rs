//! TLS handshake of a client. Its first message is read here and kept while it lasts, so
//! that one that fails can be told by its reason. What costs waits for its turn.

use super::turns::{Crowd, Spot};
use super::write_timeout::WriteTimeout;
use rustls::ServerConfig;
use rustls::server::{Accepted, Acceptor};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::StartHandshake;
use tokio_rustls::server::TlsStream;

/// Number of bytes in a full record. With header, nonce and tag (RFC 5288: 5 + 8 + 16 bytes)
/// it takes 14 KiB of memory, the largest size that the allocator packs closely: the 16 KiB
/// that TLS allows take 20.
const RECORD: usize = 14 * 1024 - 29;
/// Header of a record, which rustls counts in.
const RECORD_HEADER: usize = 5;
/// Number of bytes that a connection holds encrypted for a client that reads slowly: two
/// records. More makes no download cheaper, measured up to 1 MiB; with one a fast one costs
/// a third more.
const BUFFER: usize = 2 * RECORD;
/// Bytes of the first message that are kept: a device's has 200, a browser's 2,000.
const KEPT: usize = 4096;
/// Room for a first message that comes in one piece.
const USUAL: usize = 2048;

/// Connection below TLS.
type Stream = WriteTimeout<TcpStream>;

/// TLS settings of the ports.
#[derive(Debug)]
pub(super) struct Door {
    config: Arc<ServerConfig>,
    /// The same, for clients that would speak none of our protocols inside: they are
    /// answered as if they had named none, for most of them speak HTTP/1.1 all the same.
    /// rustls would send them away.
    mute: Arc<ServerConfig>,
}

/// Part of the handshake in which it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The client's first message had not come whole, or was refused.
    Hello,
    /// The client waited for its turn.
    Waiting,
    /// Our answer, with the certificate, had gone out.
    Answered,
}

/// Reason for which a handshake failed.
#[derive(Debug)]
pub(super) enum Cause {
    /// It was not over in time.
    Late,
    /// The connection ended.
    Ended,
    /// TLS went wrong, on either side.
    Tls(rustls::Error),
}

/// Handshake that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) stage: Stage,
    pub(super) cause: Cause,
    /// Numbers of those that waited for their turns when it failed.
    pub(super) crowd: Crowd,
    /// Beginning of what the client sent.
    pub(super) hello: Vec<u8>,
}

impl Door {
    pub(super) fn new(config: &ServerConfig) -> Self {
        let mut config = config.clone();
        config.max_fragment_size = Some(RECORD + RECORD_HEADER);
        let mut mute = config.clone();
        mute.alpn_protocols.clear();
        Self {
            config: Arc::new(config),
            mute: Arc::new(mute),
        }
    }

    /// Returns the settings of every port.
    pub(super) fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// Shakes hands until `end`, in the turns of `spot`.
    pub(super) async fn shake(
        &self,
        mut stream: Stream,
        end: Instant,
        mut spot: Spot<'_>,
    ) -> Result<TlsStream<Stream>, Failure> {
        let mut hello = Vec::with_capacity(USUAL);
        let mut stage = Stage::Hello;
        let shaken = async {
            let accepted = first_message(&mut stream, &mut hello).await?;
            stage = Stage::Waiting;
            turn(&mut spot, &stream).await?;
            stage = Stage::Answered;
            let config = Arc::clone(self.config_for(&accepted));
            let mut shaken = StartHandshake::from_parts(accepted, stream)
                .into_stream_with(config, |tls| tls.set_buffer_limit(Some(BUFFER)));
            let steps = poll_fn(|cx| spot.poll_step(cx, |cx| Pin::new(&mut shaken).poll(cx)));
            steps.await.map_err(Cause::of)
        };
        let cause = match timeout_at(end, shaken).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(cause)) => cause,
            Err(_) => Cause::Late,
        };
        spot.leave();
        Err(Failure {
            stage,
            cause,
            crowd: spot.crowd(),
            hello,
        })
    }

    fn config_for(&self, accepted: &Accepted) -> &Arc<ServerConfig> {
        let ours = &self.config.alpn_protocols;
        let is_ours = |theirs: &[u8]| ours.iter().any(|ours| ours == theirs);
        let theirs = accepted.client_hello().alpn();
        if ours.is_empty() || theirs.is_none_or(|mut theirs| theirs.any(is_ours)) {
            &self.config
        } else {
            &self.mute
        }
    }
}

/// Waits for the turn of a client whose first message is whole; of one that leaves
/// meanwhile nobody waits for the answer.
async fn turn(spot: &mut Spot<'_>, stream: &Stream) -> Result<(), Cause> {
    poll_fn(|cx| {
        let had_to_wait = spot.waits();
        let turn = spot.poll(cx);
        // Where it is free at once nobody asks.
        if (had_to_wait || turn.is_pending()) && stream.poll_ended(cx).is_ready() {
            return Poll::Ready(Err(Cause::Ended));
        }
        turn.map(Ok)
    })
    .await
}

/// Reads a client's first message, and keeps its beginning in `kept`.
async fn first_message<S>(stream: &mut S, kept: &mut Vec<u8>) -> Result<Accepted, Cause>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut acceptor = Acceptor::default();
    loop {
        kept.truncate(KEPT);
        let from = kept.len();
        if stream.read_buf(kept).await.map_err(Cause::of)? == 0 {
            return Err(Cause::Ended);
        }
        let mut new = kept.get(from..).unwrap_or_default();
        while !new.is_empty() {
            acceptor.read_tls(&mut new).map_err(Cause::of)?;
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(accepted),
            Ok(None) => {}
            Err((error, mut alert)) => {
                let mut bytes = Vec::new();
                // Writing to memory cannot fail; a client that is gone needs no alert.
                let _ = alert.write_all(&mut bytes);
                let _ = stream.write_all(&bytes).await;
                let _ = stream.flush().await;
                return Err(Cause::Tls(error));
            }
        }
    }
}

impl Cause {
    fn of(error: io::Error) -> Self {
        match error.downcast::<rustls::Error>() {
            Ok(error) => Self::Tls(error),
            // A first message that is longer than rustls takes.
            Err(error) if error.kind() == io::ErrorKind::Other => {
                Self::Tls(rustls::Error::General(error.to_string()))
            }
            Err(_) => Self::Ended,
        }
    }
}
