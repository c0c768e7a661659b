//! Answers to those for whom there is no room: a device whose connection is closed before
//! it has a reply waits for one for 30 s.

use super::hello::HANDSHAKE;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Time that an answer may take: somebody waits for the permit.
const SOON: Duration = Duration::from_secs(1);
/// Number of bytes that are read at once, and the number of times.
const READ: (usize, usize) = (4096, 32);

/// Writes a whole reply and an end. What has come is read before the close: left in the
/// kernel, it would make that a reset, which can take the reply from its reader.
pub(super) async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, reply: &[u8]) {
    let said = async {
        stream.write_all(reply).await?;
        stream.flush().await?;
        stream.shutdown().await?;
        // On the heap: an array would be room in the task of every connection.
        let mut block = vec![0; READ.0];
        for _ in 0..READ.1 {
            let read = poll_fn(|cx| {
                let mut buffer = ReadBuf::new(&mut block);
                let read = Pin::new(&mut stream).poll_read(cx, &mut buffer);
                if read.is_pending() {
                    return Poll::Ready(Ok(0));
                }
                ready!(read)?;
                Poll::Ready(io::Result::Ok(buffer.filled().len()))
            });
            if read.await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    };
    // Who does not take it in time goes without.
    let _ = timeout(SOON, said).await;
}

/// The same of a connection of which nothing was read yet, without a wait. In a TLS
/// handshake it is closed: nothing can be said there.
pub(super) fn at_once(stream: TcpStream, reply: &[u8]) {
    let Ok(mut stream) = stream.into_std() else {
        return;
    };
    let mut block = [0; READ.0];
    let read = stream.read(&mut block).unwrap_or(0);
    if read > 0 && block[0] == HANDSHAKE {
        return;
    }
    let said = stream
        .write_all(reply)
        .and_then(|()| stream.shutdown(Shutdown::Write));
    for _ in 0..READ.1 {
        if said.is_err() || !matches!(stream.read(&mut block), Ok(1..)) {
            break;
        }
    }
}
