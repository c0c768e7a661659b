//! Local ports. The kernel looks for a free one in turn, beginning where it
//! found the last: with 20,000 of its 28,232 taken that costs more than all the
//! rest of a check. A fleet that needs so many draws them by lot.

use super::random::Random;
use crate::probe::dial;
use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Number of draws before the kernel is asked after all.
const DRAWS: usize = 16;

/// Local ports of a fleet's connections.
#[derive(Debug)]
pub(super) struct Ports {
    /// First port and number of ports, where they are drawn here.
    drawn: Option<(u16, u16)>,
    random: RefCell<Random>,
}

impl Ports {
    /// Prepares ports for so many connections at once.
    pub(super) fn new(at_once: usize, seed: u64) -> Self {
        let scarce = |(_, count): &(u16, u16)| at_once > usize::from(*count) / 4;
        Self {
            drawn: range().filter(scarce),
            random: RefCell::new(Random::of(seed, u32::MAX)),
        }
    }

    /// Connects to an address from a free local port.
    pub(super) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let Some((first, count)) = self.drawn else {
            return dial::connect(address).await;
        };
        for _ in 0..DRAWS {
            let lot = self.random.borrow_mut().below(u64::from(count));
            let port = first + u16::try_from(lot).unwrap_or(0);
            match connect_from(port, address).await {
                // Somebody has it, or had it a moment ago.
                Err(e) if is_taken(&e) => {}
                done => return done,
            }
        }
        dial::connect(address).await
    }
}

async fn connect_from(port: u16, address: SocketAddr) -> io::Result<TcpStream> {
    let (socket, any) = match address {
        SocketAddr::V4(_) => (TcpSocket::new_v4()?, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
        SocketAddr::V6(_) => (TcpSocket::new_v6()?, IpAddr::from(Ipv6Addr::UNSPECIFIED)),
    };
    // A port may still wait for the end of another connection.
    socket.set_reuseaddr(true)?;
    socket.set_nodelay(true)?;
    socket.bind((any, port).into())?;
    match timeout(dial::CONNECT, socket.connect(address)).await {
        Ok(connected) => connected,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn is_taken(error: &io::Error) -> bool {
    let kind = error.kind();
    matches!(
        kind,
        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable
    )
}

/// Returns the kernel's own range of local ports: the first, and how many.
pub(super) fn range() -> Option<(u16, u16)> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ends = text.split_whitespace().map(|end| end.parse::<u16>().ok());
    let (first, last) = (ends.next()??, ends.next()??);
    Some((first, (last.checked_sub(first)?).checked_add(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn drawn_ports_lead_to_the_server_and_taken_ones_are_drawn_again() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        // Room for 64 in all, some of which this machine may have taken.
        let (first, count) = range().unwrap();
        let ports = Ports {
            drawn: Some((first + count / 2, 64)),
            random: RefCell::new(Random::of(1, 1)),
        };
        let mut open = Vec::new();
        for _ in 0..40 {
            open.push(ports.connect(address).await.unwrap());
        }
        let used: BTreeSet<_> = open
            .iter()
            .map(|stream| stream.local_addr().unwrap().port())
            .collect();
        assert_eq!(used.len(), 40);
        // Held, so that it is nobody else's.
        let nobody = TcpSocket::new_v4().unwrap();
        nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = nobody.local_addr().unwrap();
        let refused = ports.connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn small_fleets_leave_the_choice_to_the_kernel() {
        assert_eq!(Ports::new(100, 1).drawn, None);
        assert!(Ports::new(1 << 20, 1).drawn.is_some());
    }
}
