//! First bytes of a connection, by which TLS and plain HTTP are told apart.

use super::hello::HANDSHAKE;
use std::io;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Number of bytes that are read of a connection before it is known what it is: a check-in
/// has 2,000, a TLS client's first message 200 to 2,000.
const OPENING: usize = 3 * 1024;

/// Beginning of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    Tls,
    /// A hello as SSL 2.0 has it: two bytes of length, the first bit set, type 1, and the
    /// highest version that the client speaks, which may be a younger one.
    Ssl2(Option<u16>),
    /// Anything else.
    Http,
}

/// Reads the first bytes of a connection, mostly a whole check-in: to look at them and leave
/// them would be one more system call of each. `None` where there are none.
pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Option<(Opening, Vec<u8>)>> {
    // Whoever says nothing has no room yet.
    stream.readable().await?;
    let mut bytes = Vec::with_capacity(OPENING);
    stream.read_buf(&mut bytes).await?;
    let opening = match *bytes {
        [] => return Ok(None),
        [HANDSHAKE, ..] => Opening::Tls,
        // The rest may come later.
        [0x80..=0xff, _, 1] | [0x80..=0xff, _, 1, _] => Opening::Ssl2(None),
        [0x80..=0xff, _, 1, high, low, ..] => Opening::Ssl2(Some(u16::from_be_bytes([high, low]))),
        _ => Opening::Http,
    };
    Ok(Some((opening, bytes)))
}
