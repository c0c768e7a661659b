//! Last wait of a connection for its client, where a [delivery](super::delivery) is pending.
//!
//! Whether the client's kernel has acknowledged all is told by no call that is safe Rust
//! (`SIOCOUTQ`, `TCP_INFO`), but by the socket itself: once both sides have ended, it is over
//! for the kernel only when the client has acknowledged our end, which lies behind the last
//! byte, and from then on it has no peer (`getpeername`: `ENOTCONN`). A reset and a time
//! that ran out end it, too, and leave an error. Seen so on Linux from every order of ends.

use super::delivery::Delivery;
use super::leftover::{self, LOOKS, Leaves};
use socket2::SockRef;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Time for which a client is waited for that is to go, or that the stop finds here: it has
/// all, and its end is on its way.
const HASTE: Duration = Duration::from_secs(1);
/// Number of bytes that a client may still send: TLS's goodbye has 31, and a request that was
/// sent too late a few hundred.
const MOST: usize = 64 * 1024;

/// Waits until a client to which all was handed over has closed, for `idle` at most, and less
/// `in_haste` or where the server stops. Then the delivery is whole; else it is cut.
pub(super) async fn wait(
    mut stream: TcpStream,
    delivery: Delivery,
    idle: Duration,
    in_haste: bool,
    stop: CancellationToken,
) {
    if leftover::sent(&stream, idle).await.is_err() {
        return delivery.cut();
    }
    let haste = async {
        if !in_haste {
            stop.cancelled().await;
        }
        sleep(HASTE).await;
    };
    let has_closed = tokio::select! {
        biased;
        closed = timeout(idle, has_closed(&mut stream)) => closed.unwrap_or(false),
        () = haste => false,
    };
    if has_closed {
        delivery.whole();
    } else {
        delivery.cut();
    }
}

/// Ends our side, and waits until both have ended. Returns whether it did so cleanly.
async fn has_closed(stream: &mut TcpStream) -> bool {
    // Where it has ended already, how is seen below.
    let _ = SockRef::from(&*stream).shutdown(Shutdown::Write);
    let (mut rest, mut count) = ([0; 512], 0);
    loop {
        match stream.read(&mut rest).await {
            Ok(0) => break,
            Ok(more) if count + more <= MOST => count += more,
            Ok(_) | Err(_) => return false,
        }
    }
    let (mut look, longest) = LOOKS;
    loop {
        // Asked first: a reset leaves its error before it takes the peer.
        let is_over = is_over(stream);
        if stream.is_reset() {
            return false;
        }
        if is_over {
            return true;
        }
        sleep(look).await;
        look = longest.min(2 * look);
    }
}

/// Returns whether the connection is over for the kernel.
fn is_over(stream: &TcpStream) -> bool {
    stream
        .peer_addr()
        .is_err_and(|error| error.kind() == ErrorKind::NotConnected)
}

#[cfg(test)]
mod tests;
