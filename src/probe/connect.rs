//! Connects to an address as one device does.

use super::address::Target;
use super::dial::{self, Place};
use super::line::Kind;
use super::reach;
use super::report::Finding;
use super::rules::connect as rules;
use super::serial;
use super::tls;
use super::wire::PATIENCE;
use crate::event::text::Lang;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Limit of each further handshake that is tried to give a failed one its name.
const AGAIN: Duration = Duration::from_secs(5);

/// Connection over TCP or TLS.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Result of one part of the way.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Observation in one line; `None` where this part was not reached.
    pub(crate) seen: Option<String>,
    pub(crate) findings: Vec<Finding>,
}

/// Result of trying to connect.
pub(crate) struct Opened {
    pub(crate) stream: Option<Box<dyn Io>>,
    /// Address of the server, connected or not.
    pub(crate) address: Option<SocketAddr>,
    /// Resolution of the name; not reached for an address.
    pub(crate) dns: Part,
    /// TCP connection.
    pub(crate) tcp: Part,
    /// TLS handshake; not reached without TLS.
    pub(crate) tls: Part,
}

impl Opened {
    /// Returns the findings of all parts.
    pub(crate) fn findings(self) -> Vec<Finding> {
        let parts = [self.dns.findings, self.tcp.findings, self.tls.findings];
        parts.into_iter().flatten().collect()
    }
}

/// Connects as one device does.
pub(crate) struct Network {
    /// Device that connects.
    pub(crate) kind: Kind,
    pub(crate) tls: tls::TlsClient,
    /// Addresses of hosts that their names do not lead to.
    pub(crate) places: Vec<Place>,
    /// True where a certificate that the device refuses is only reported.
    pub(crate) insecure: bool,
    /// Language of the observations.
    pub(crate) lang: Lang,
}

/// Addresses of a host that are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Families {
    /// One of each address family, to report on both.
    Each,
    /// The first of the device's own family; of the other only where that fails.
    First,
}

impl Network {
    /// Connects to a target.
    pub(crate) async fn open(&self, target: &Target, families: Families) -> Opened {
        let mut opened = Opened {
            stream: None,
            address: None,
            dns: Part::default(),
            tcp: Part::default(),
            tls: Part::default(),
        };
        let addresses = match self.resolve(target, &mut opened.dns).await {
            Ok(addresses) => addresses,
            Err(finding) => {
                opened.dns.findings.push(finding);
                return opened;
            }
        };
        let Some((stream, address)) = self.connect(&addresses, families, &mut opened.tcp).await
        else {
            return opened;
        };
        opened.address = Some(address);
        if !target.tls {
            opened.stream = Some(Box::new(stream));
            return opened;
        }
        match self.tls.handshake(stream, &target.host, PATIENCE).await {
            Ok(secured) => {
                let refused = secured.findings.iter().any(Finding::is_failure);
                opened.tls.seen = Some(secured.seen);
                opened.tls.findings = secured.findings;
                if self.insecure || !refused {
                    opened.stream = Some(Box::new(secured.stream));
                }
            }
            Err(refused) => {
                let again = || dial::connect(address);
                opened.tls.seen = Some(self.lang.pick("没有握手成功", "no handshake").to_owned());
                let name = self.tls.diagnose(refused, again, &target.host, AGAIN);
                opened.tls.findings = name.await;
            }
        }
        opened
    }

    async fn resolve(&self, target: &Target, dns: &mut Part) -> Result<Vec<SocketAddr>, Finding> {
        let started = Instant::now();
        let found = dial::resolve(&target.host, target.port, &self.places).await;
        let took = started.elapsed().as_millis();
        let name = &target.host;
        let serial = serial::no_address(self.kind, name, target.tls);
        let addresses = match found {
            Ok(addresses) if !addresses.is_empty() => addresses,
            Err(e) if e.kind() == io::ErrorKind::TimedOut => {
                dns.seen = Some(name.clone());
                return Err(Finding::fail(&rules::NAME_TIMEOUT, name).serial(serial));
            }
            Ok(_) => {
                dns.seen = Some(name.clone());
                return Err(Finding::fail(&rules::NAME_NOT_FOUND, name).serial(serial));
            }
            Err(e) => {
                dns.seen = Some(name.clone());
                let evidence = format!("{name}: {e}");
                return Err(Finding::fail(&rules::NAME_NOT_FOUND, evidence).serial(serial));
            }
        };
        if name.parse::<IpAddr>().is_ok() {
            return Ok(addresses);
        }
        let list: Vec<String> = addresses.iter().map(|a| a.ip().to_string()).collect();
        let list = list.join(", ");
        if !addresses.iter().any(SocketAddr::is_ipv4) {
            dns.findings
                .push(Finding::fail(&rules::NO_IPV4, list.clone()).serial(serial));
        }
        // The operator's own word is taken as it is.
        if dial::placed(name, target.port, &self.places).is_none() {
            let v4 = |address: &SocketAddr| match address.ip() {
                IpAddr::V4(ip) => Some(ip),
                IpAddr::V6(_) => None,
            };
            let v4: Vec<Ipv4Addr> = addresses.iter().filter_map(v4).collect();
            dns.findings.extend(reach::name(name, &v4));
        }
        dns.seen = Some(format!("{name} = {list} ({took} ms)"));
        Ok(addresses)
    }

    /// Connects to the first address of each family. A device has IPv4 alone: where
    /// that fails it fails, and over IPv6 the probe sees what else there is.
    async fn connect(
        &self,
        addresses: &[SocketAddr],
        families: Families,
        tcp: &mut Part,
    ) -> Option<(TcpStream, SocketAddr)> {
        let v4 = addresses.iter().find(|a| a.is_ipv4());
        let v6 = addresses.iter().find(|a| a.is_ipv6());
        let mut seen = String::new();
        let mut open = None;
        for address in v4.into_iter().chain(v6) {
            // A dead address costs ten seconds.
            if open.is_some() && families == Families::First {
                break;
            }
            let started = Instant::now();
            let connected = dial::connect(*address).await;
            let took = started.elapsed().as_millis();
            if !seen.is_empty() {
                seen.push_str("; ");
            }
            // Writing to a String cannot fail.
            let _ = match (&connected, open.is_some()) {
                (Ok(_), _) => write!(seen, "{address} ({took} ms)"),
                (Err(e), _) => write!(seen, "{address}: {e}"),
            };
            match connected {
                Ok(stream) if open.is_none() => open = Some((stream, *address)),
                Ok(_) => {}
                // That says nothing of the server, and a device goes without, too.
                Err(e) if open.is_some() && family_is_missing(&e) => {}
                Err(e) if open.is_some() => {
                    let evidence = format!("{address}: {e}");
                    tcp.findings
                        .push(Finding::warn(&rules::IPV6_BROKEN, evidence));
                }
                // With IPv6 alone here, nothing is known of IPv4.
                Err(e) if v6.is_some() && address.is_ipv4() && family_is_missing(&e) => {
                    let evidence = format!("{address}: {e}");
                    tcp.findings
                        .push(Finding::warn(&rules::THIS_MACHINE, evidence));
                }
                Err(e) => tcp.findings.push(self.not_connected(*address, &e)),
            }
        }
        tcp.seen = Some(seen);
        open
    }

    fn not_connected(&self, address: SocketAddr, e: &io::Error) -> Finding {
        let rule = match e.kind() {
            io::ErrorKind::ConnectionRefused => &rules::REFUSED,
            io::ErrorKind::TimedOut => &rules::CONNECT_TIMEOUT,
            io::ErrorKind::AddrNotAvailable => &rules::THIS_MACHINE,
            // Too many open files, in this process or on this machine.
            _ if matches!(e.raw_os_error(), Some(23 | 24)) => &rules::THIS_MACHINE,
            _ => &rules::UNREACHABLE,
        };
        Finding::fail(rule, format!("{address}: {e}")).serial(serial::not_connected(self.kind))
    }
}

/// Returns whether this machine has no way out in the address's family:
/// `EAFNOSUPPORT`, `EADDRNOTAVAIL`, `ENETUNREACH` of Linux.
fn family_is_missing(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(97 | 99 | 101))
}

#[cfg(test)]
mod tests {
    use super::super::line::{Hardware, Line};
    use super::*;
    use std::net::{Ipv6Addr, UdpSocket};
    use tokio::net::{TcpListener, TcpSocket};

    fn network() -> Network {
        let kind = Kind {
            line: Line::V2,
            hardware: Hardware::Wifi,
        };
        Network {
            kind,
            tls: tls::TlsClient::new(kind, Vec::new()).unwrap(),
            places: Vec::new(),
            insecure: false,
            lang: Lang::En,
        }
    }

    /// Listens on a port; `None` where this machine has no such address.
    async fn listening(ip: IpAddr) -> Option<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind((ip, 0)).await.ok()?;
        let address = listener.local_addr().unwrap();
        Some((listener, address))
    }

    /// Holds a port on which nobody listens, and nobody else can as long as the
    /// socket is held.
    fn refusing(ip: IpAddr) -> (TcpSocket, SocketAddr) {
        let socket = match ip {
            IpAddr::V4(_) => TcpSocket::new_v4(),
            IpAddr::V6(_) => TcpSocket::new_v6(),
        };
        let socket = socket.unwrap();
        socket.bind((ip, 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    fn rules(part: &Part) -> Vec<(&str, bool)> {
        let findings = part.findings.iter();
        findings.map(|f| (f.rule.id, f.is_failure())).collect()
    }

    #[tokio::test]
    async fn ipv4_decides() {
        let (Some((_v4, v4)), Some((_v6, v6))) = (listening(V4).await, listening(V6).await) else {
            return;
        };
        let mut part = Part::default();
        let open = network()
            .connect(&[v4, v6], Families::Each, &mut part)
            .await;
        assert_eq!(open.map(|(_, address)| address), Some(v4));
        assert_eq!(rules(&part), []);

        let (_held, closed) = refusing(V4);
        let mut part = Part::default();
        let open = network()
            .connect(&[closed, v6], Families::Each, &mut part)
            .await;
        assert_eq!(open.map(|(_, address)| address), Some(v6));
        assert_eq!(rules(&part), [("refused", true)]);
    }

    #[tokio::test]
    async fn an_ipv6_that_refuses_is_worth_a_word_and_none_here_is_not() {
        let (Some((_v4, v4)), Some(_)) = (listening(V4).await, listening(V6).await) else {
            return;
        };
        let (_held, mut closed) = refusing(V6);
        let mut part = Part::default();
        let open = network()
            .connect(&[v4, closed], Families::Each, &mut part)
            .await;
        assert!(open.is_some());
        assert_eq!(rules(&part), [("ipv6-broken", false)]);

        // On a machine without a way out over IPv6, which a datagram's socket knows
        // without a word to anybody.
        closed.set_ip("2001:db8::1".parse().unwrap());
        let way = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).and_then(|s| s.connect(closed));
        if way.is_err_and(|e| family_is_missing(&e)) {
            let mut part = Part::default();
            let open = network()
                .connect(&[v4, closed], Families::Each, &mut part)
                .await;
            assert!(open.is_some());
            assert_eq!(rules(&part), []);
        }
    }
}
