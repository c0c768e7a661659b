//! Ports on which nobody listens, and that nobody else is given meanwhile.

use socket2::{Domain, Socket, Type};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A port that is held and not listened on, as long as this value lives: whoever
/// connects is refused, and the kernel gives it to nobody who leaves the choice to
/// it, be it to listen or to connect. A port that was only found free is another
/// test's a moment later.
///
/// Who is told its number may listen on it all the same, if he sets `SO_REUSEADDR`
/// as all here do: this server, pebble, Nginx, `HAProxy`.
pub(crate) struct Reserved {
    socket: Socket,
}

impl Reserved {
    pub(crate) fn new() -> Self {
        Self::at(Ipv4Addr::LOCALHOST.into())
    }

    pub(crate) fn at(ip: IpAddr) -> Self {
        let address = SocketAddr::new(ip, 0);
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&address.into()).unwrap();
        Self { socket }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap().as_socket().unwrap()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address().port()
    }

    /// Lets everybody in from now on.
    pub(crate) fn listen(self) -> std::net::TcpListener {
        self.socket.listen(128).unwrap();
        self.socket.into()
    }
}
