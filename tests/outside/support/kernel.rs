//! What the kernel says of sockets.

use std::net::{SocketAddr, SocketAddrV4};

/// `TCP_LISTEN` in its `tcp_states.h`.
const LISTENS: u8 = 0x0A;

/// A socket of this machine, as it stands in `/proc/net/tcp`.
pub(crate) struct Held {
    /// Bytes that were sent and have not arrived, as far as it knows.
    pub(crate) unsent: u64,
    /// Bytes that were not read; of a listening socket, connections that were not
    /// accepted.
    pub(crate) unread: u64,
    pub(crate) listens: bool,
}

/// The sockets whose own address this is.
pub(crate) fn held(address: SocketAddr) -> Vec<Held> {
    let SocketAddr::V4(address) = address else {
        panic!("{address} stands in another table")
    };
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let lines = table.lines().skip(1);
    lines.filter_map(|line| socket(line, address)).collect()
}

fn socket(line: &str, address: SocketAddrV4) -> Option<Held> {
    let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let ip = u32::from_ne_bytes(address.ip().octets());
    let local = format!("{ip:08X}:{:04X}", address.port());
    let fields: Vec<_> = line.split_whitespace().collect();
    let (unsent, unread) = fields[4].split_once(':')?;
    (fields[1] == local).then(|| Held {
        unsent: hex(unsent),
        unread: hex(unread),
        listens: hex(fields[3]) == u64::from(LISTENS),
    })
}
