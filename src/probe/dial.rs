//! Resolves names and opens connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Time for which a device waits for a connection (`esp_tls_cfg_t.timeout_ms`,
/// lwIP's own retries).
pub(crate) const CONNECT: Duration = Duration::from_secs(10);
/// Time for which a name is waited for.
const RESOLVE: Duration = Duration::from_secs(10);

/// Address of a host that its name does not lead to yet, as in `--resolve
/// HOST=ADDRESS[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    host: String,
    /// Port that the device asks for, where only one is meant.
    of_port: Option<u16>,
    ip: IpAddr,
    port: Option<u16>,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "it must be HOST[:PORT]=ADDRESS[:PORT]".to_owned();
        let (name, place) = text.split_once('=').ok_or_else(form)?;
        let (host, of_port) = match name.split_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| form())?)),
            None => (name, None),
        };
        if host.is_empty() {
            return Err(form());
        }
        let (ip, port) = match place.parse::<SocketAddr>() {
            Ok(address) => (address.ip(), Some(address.port())),
            Err(_) => (place.parse().map_err(|_| form())?, None),
        };
        Ok(Self {
            host: host.to_owned(),
            of_port,
            ip,
            port,
        })
    }
}

/// Returns the address that the operator gave for a host.
pub(crate) fn placed(host: &str, port: u16, places: &[Place]) -> Option<SocketAddr> {
    let fits = |place: &&Place| {
        place.host.eq_ignore_ascii_case(host) && place.of_port.is_none_or(|of| of == port)
    };
    let place = places.iter().find(fits)?;
    Some(SocketAddr::new(place.ip, place.port.unwrap_or(port)))
}

/// Returns the addresses of a host, in the resolver's order.
pub(crate) async fn resolve(
    host: &str,
    port: u16,
    places: &[Place],
) -> io::Result<Vec<SocketAddr>> {
    if let Some(address) = placed(host, port, places) {
        return Ok(vec![address]);
    }
    match timeout(RESOLVE, lookup_host((host, port))).await {
        Ok(found) => Ok(found?.collect()),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Connects over TCP, for no longer than a device waits.
pub(crate) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = match timeout(CONNECT, TcpStream::connect(address)).await {
        Ok(stream) => stream?,
        Err(_) => return Err(io::ErrorKind::TimedOut.into()),
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let place: Result<Place, _> = "ota.example.com:443=127.0.0.1:8443".parse();
        let expected = Place {
            host: "ota.example.com".into(),
            of_port: Some(443),
            ip: IpAddr::from([127, 0, 0, 1]),
            port: Some(8443),
        };
        assert_eq!(place, Ok(expected));
        for text in ["a=::1", "a=[::1]:80", "a=1.2.3.4"] {
            assert!(text.parse::<Place>().is_ok(), "{text}");
        }
        for text in ["", "a", "=1.2.3.4", "a=b", "a:x=1.2.3.4", "a=1.2.3.4:x"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
