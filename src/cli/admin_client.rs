//! A client of an admin address, for commands that ask a running server. It finds the address
//! where the server does, in the configuration, or is told it.

use super::patience::{Patience, PatientStream};
use crate::config::Settings;
use crate::event::{Event, event};
use crate::tls::Mode;
use crate::util::addresses::own_addresses;
use hyper::Uri;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    StreamOwned,
};
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;

/// Longest reply that is read, in bytes.
const LONGEST: u64 = 64 << 20;

/// Certificates that are taken of a server on another machine.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// Certificates that are trusted beside those of public authorities.
    pub(super) roots: Vec<CertificateDer<'static>>,
    /// True where any certificate is taken.
    pub(super) is_blind: bool,
}

/// A reply.
#[derive(Debug)]
pub(super) struct ClientReply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// The admin address of a server.
#[derive(Debug)]
pub(super) struct AdminClient {
    /// Name or address, and port: what `Host` says.
    host: String,
    addresses: Vec<SocketAddr>,
    /// Name that a certificate must have, where TLS is spoken.
    tls: Option<ServerName<'static>>,
    trust: Trust,
}

impl AdminClient {
    /// Finds the address that a server listens on which runs with these settings.
    ///
    /// # Errors
    ///
    /// It is off, or has a port that only the server knows.
    pub(super) fn of(settings: &Settings) -> Result<Self, Event> {
        let listen = settings.admin.listen.ok_or_else(|| event!(ASK_OFF))?;
        if listen.port() == 0 {
            return Err(event!(ASK_PORT_UNKNOWN));
        }
        // Every address is loopback, too.
        let ip = match listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let speaks_tls = !listen.ip().is_loopback() && settings.tls != Mode::Off;
        let address = SocketAddr::new(ip, listen.port());
        Ok(Self {
            host: address.to_string(),
            addresses: vec![address],
            tls: speaks_tls.then(|| ServerName::from(ip)),
            trust: Trust::default(),
        })
    }

    /// Finds the server that an operator names: `http://HOST:PORT` or `https://HOST:PORT`.
    ///
    /// # Errors
    ///
    /// It is no such address, has a name that leads nowhere, or a token would go over the
    /// network in clear.
    pub(super) fn named(server: &str, trust: Trust) -> Result<Self, Event> {
        let bad = || event!(ASK_BAD_SERVER, value = server);
        let uri: Uri = server.parse().map_err(|_| bad())?;
        let speaks_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(bad()),
        };
        let has_more = uri.path() != "/" || uri.query().is_some() || server.contains(['#', '@']);
        let host = uri.host().filter(|_| !has_more).ok_or_else(bad)?;
        let port = uri.port_u16().unwrap_or(if speaks_tls { 443 } else { 80 });
        let name = host.trim_matches(['[', ']']);
        let shown = format!("{host}:{port}");
        let unreached = |error: &io::Error| event!(ASK_SILENT, address = &shown, error = error);
        let addresses = (name, port).to_socket_addrs();
        let addresses: Vec<_> = addresses.map_err(|error| unreached(&error))?.collect();
        if !speaks_tls && !addresses.iter().all(|address| address.ip().is_loopback()) {
            return Err(event!(ASK_IN_CLEAR, address = shown));
        }
        let certified = ServerName::try_from(name.to_owned()).map_err(|_| bad())?;
        Ok(Self {
            host: shown,
            addresses,
            tls: speaks_tls.then_some(certified),
            trust,
        })
    }

    /// Takes other certificates of a server that is on another machine.
    #[must_use]
    pub(super) fn with(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    /// Tells whether all that is asked is on this machine, wherever its name leads: it may be
    /// shown the token of this machine's server.
    pub(super) fn is_of_this_machine(&self) -> bool {
        let own = own_addresses();
        let is_own = |ip: IpAddr| ip.is_loopback() || own.contains(&ip);
        let mut addresses = self.addresses.iter();
        addresses.all(|address| is_own(address.ip().to_canonical()))
    }

    /// Returns the address that is asked, as people read it.
    pub(super) fn address(&self) -> &str {
        &self.host
    }

    /// Asks whether a server answers as ours does, before it is shown a token. That keeps a
    /// token from what answers there by mistake, and from no liar: any program on this machine
    /// that has taken the port can say the same.
    ///
    /// # Errors
    ///
    /// Nobody answers, or somebody else.
    pub(super) fn greet(&self, patience: Patience) -> Result<(), Event> {
        let reply = self.send("GET", "/healthz", (None, None), patience)?;
        let address = self.address();
        match reply.status {
            200 if reply.body == b"ok\n" => Ok(()),
            421 => Err(event!(ASK_MISDIRECTED, address = address)),
            400 if self.tls.is_none() && reply.body.starts_with(b"this address speaks TLS") => {
                Err(event!(ASK_WANTS_TLS, address = address))
            }
            _ => Err(self.stranger()),
        }
    }

    /// Returns what is said of somebody else who answers.
    pub(super) fn stranger(&self) -> Event {
        event!(ASK_STRANGER, address = self.address())
    }

    /// Sends a request, with a token and a JSON body where there are such.
    ///
    /// # Errors
    ///
    /// Nobody answers, or not in time, or somebody who speaks no HTTP, or whose certificate is
    /// not trusted.
    pub(super) fn send(
        &self,
        method: &str,
        path: &str,
        (token, body): (Option<&str>, Option<&str>),
        patience: Patience,
    ) -> Result<ClientReply, Event> {
        let host = &self.host;
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        // Writing to a String cannot fail.
        if let Some(token) = token {
            let _ = write!(request, "Authorization: Bearer {token}\r\n");
        }
        if let Some(body) = body {
            let length = body.len();
            let _ = write!(
                request,
                "Content-Type: application/json\r\nContent-Length: {length}\r\n"
            );
        }
        let request = request + "\r\n" + body.unwrap_or_default();
        let tcp = patience.connect(&self.addresses);
        let tcp = tcp.map_err(|error| self.unanswered(&error))?;
        let bytes = self.exchange(PatientStream { tcp, patience }, request.as_bytes());
        let bytes = bytes.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => {
                let look = (method != "GET").then_some("xiaozhi-ota device");
                event!(
                    ASK_HANGS,
                    address = self.address(),
                    seconds = patience.seconds(),
                    look = look
                )
            }
            _ => self.unanswered(&error),
        })?;
        parse(&bytes).ok_or_else(|| self.stranger())
    }

    fn unanswered(&self, error: &io::Error) -> Event {
        let address = self.address();
        let tls = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
        match tls {
            Some(Error::InvalidCertificate(why)) => {
                event!(ASK_UNTRUSTED, address = address, error = why.to_string())
            }
            // What answers speaks no TLS.
            Some(Error::InvalidMessage(_)) => self.stranger(),
            _ => event!(ASK_SILENT, address = address, error = error),
        }
    }

    fn exchange(&self, stream: PatientStream, request: &[u8]) -> io::Result<Vec<u8>> {
        let Some(name) = self.tls.clone() else {
            return transfer(stream, request);
        };
        let config = if self.trust.is_blind || is_here(&stream.tcp) {
            anybody()
        } else {
            self.trust.config()
        };
        let client = ClientConnection::new(config, name);
        let client = client.map_err(io::Error::other)?;
        transfer(StreamOwned::new(client, stream), request)
    }
}

/// Tells whether a connection leads to this very machine.
fn is_here(tcp: &TcpStream) -> bool {
    let ends = tcp.local_addr().ok().zip(tcp.peer_addr().ok());
    ends.is_some_and(|(local, peer)| local.ip() == peer.ip() || peer.ip().is_loopback())
}

fn transfer(mut stream: impl Read + Write, request: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(request)?;
    stream.flush()?;
    let mut bytes = Vec::new();
    match stream.take(LONGEST).read_to_end(&mut bytes) {
        // A server that closes without TLS's own end has said all the same what it said.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof || bytes.is_empty() => {
            Err(error)
        }
        _ => Ok(bytes),
    }
}

/// Takes a reply apart. `None` for what is none of HTTP/1, or is cut.
fn parse(bytes: &[u8]) -> Option<ClientReply> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.eq_ignore_ascii_case("content-length");
        is_it.then(|| value.trim().parse::<usize>().ok())?
    });
    let body = bytes.get(end + 4..)?;
    Some(ClientReply {
        status: status.parse().ok()?,
        body: body.get(..length?)?.to_vec(),
    })
}

impl Trust {
    /// Returns what verifies a server on another machine.
    fn config(&self) -> Arc<ClientConfig> {
        let public = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        let mut roots: RootCertStore = public.collect();
        roots.add_parsable_certificates(self.roots.iter().cloned());
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        // Both versions are the provider's own.
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.unwrap_or_else(|_| ClientConfig::builder());
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

fn anybody() -> Arc<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(OwnServer(Arc::clone(&provider)));
    let builder = ClientConfig::builder_with_provider(provider);
    // Both versions are the provider's own.
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.unwrap_or_else(|_| ClientConfig::builder());
    let builder = builder.dangerous();
    let builder = builder.with_custom_certificate_verifier(verifier);
    Arc::new(builder.with_no_client_auth())
}

/// Takes a server on this machine whatever its certificate, which is for the names by which
/// devices come: what is sent does not leave the machine.
#[derive(Debug)]
struct OwnServer(Arc<CryptoProvider>);

impl ServerCertVerifier for OwnServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_whole_or_none() {
        let reply =
            parse(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nok").unwrap();
        assert_eq!((reply.status, &*reply.body), (503, &b"ok"[..]));
        for other in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
            "HTTP/1.1 2\r\nContent-Length: 0\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n\r\n",
        ] {
            assert!(parse(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn the_token_of_this_machine_is_for_this_machine() {
        let own = own_addresses().into_iter();
        let own = own.map(|ip| (SocketAddr::new(ip, 8009).to_string(), true));
        let others = [
            ("127.0.0.1:8009", true),
            ("[::1]:8009", true),
            ("[::ffff:127.0.0.1]:8009", true),
            ("localhost:8009", true),
            // Nobody has these (RFC 5737, RFC 3849).
            ("192.0.2.7:8009", false),
            ("[2001:db8::7]:8009", false),
        ];
        let others = others.map(|(address, is_here)| (address.to_owned(), is_here));
        for (address, is_here) in own.chain(others) {
            let client = AdminClient::named(&format!("https://{address}"), Trust::default());
            assert_eq!(client.unwrap().is_of_this_machine(), is_here, "{address}");
        }
    }

    #[test]
    fn who_takes_the_connection_and_says_nothing_is_told_from_who_is_not_there() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let span = std::time::Duration::from_millis(100);
        let send = |scheme: &str, method: &str| {
            let server = format!("{scheme}://{address}");
            let client = AdminClient::named(&server, Trust::default()).unwrap();
            let answer = client.send(method, "/x", (None, None), Patience::within(span));
            let event = answer.unwrap_err();
            (event.kind.id, event.message(crate::event::text::Lang::En))
        };
        for (scheme, method) in [
            ("http", "GET"),
            ("https", "GET"),
            ("http", "POST"),
            ("http", "DELETE"),
        ] {
            let (id, words) = send(scheme, method);
            assert_eq!(id, "ask.hangs", "{words}");
            assert!(words.contains("within 0.1 s"), "{words}");
            // What it did of an order nobody knows.
            let is_order = method != "GET";
            assert_eq!(words.contains("whether the order"), is_order, "{words}");
        }
        drop(listener);
        assert_eq!(send("http", "GET").0, "ask.silent");
    }

    #[test]
    fn a_server_is_named_by_scheme_host_and_port() {
        let named = |server: &str| AdminClient::named(server, Trust::default());
        for (server, host, speaks_tls) in [
            ("http://127.0.0.1:8009", "127.0.0.1:8009", false),
            ("http://localhost:8009/", "localhost:8009", false),
            ("http://[::1]:8009", "[::1]:8009", false),
            ("https://192.0.2.7:8009", "192.0.2.7:8009", true),
            ("https://127.0.0.1", "127.0.0.1:443", true),
        ] {
            let client = named(server).unwrap();
            assert_eq!(client.address(), host);
            assert_eq!(client.tls.is_some(), speaks_tls, "{server}");
        }
        for (server, id) in [
            ("127.0.0.1:8009", "ask.bad-server"),
            ("", "ask.bad-server"),
            ("ftp://127.0.0.1:8009", "ask.bad-server"),
            ("http://127.0.0.1:8009/api", "ask.bad-server"),
            ("http://127.0.0.1:8009?x", "ask.bad-server"),
            ("http://user@127.0.0.1:8009", "ask.bad-server"),
            ("http://192.0.2.7:8009", "ask.in-clear"),
            ("http://name.invalid:8009", "ask.silent"),
        ] {
            assert_eq!(named(server).unwrap_err().kind.id, id, "{server}");
        }
    }
}
