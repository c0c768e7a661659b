//! A client of this machine's own admin address, for commands that ask the server. It finds
//! the address where the server does: in the configuration.

use crate::config::Settings;
use crate::tls::Mode;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Time for which the server may be still.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest reply that is read, in bytes.
const LONGEST: u64 = 64 << 20;

/// Reason why the admin address cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// It is turned off.
    #[error("there is no admin address to ask: gateway.admin.listen is off")]
    Off,
    /// The kernel chose its port.
    #[error(
        "gateway.admin.listen has port 0, and which one the kernel chose says only the log (admin.listening): give it a number"
    )]
    Unknown,
    /// Nobody answers.
    #[error(
        "{address} does not answer: {error}: is the server running, and with this configuration?"
    )]
    Silent {
        /// The address that was asked.
        address: SocketAddr,
        /// The reason of the system.
        error: io::Error,
    },
    /// Something else answers.
    #[error("what answers at {0} is not this server: see gateway.admin.listen")]
    Stranger(SocketAddr),
}

/// A reply.
#[derive(Debug)]
pub(super) struct ClientReply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// The admin address of a configuration.
#[derive(Debug)]
pub(super) struct AdminClient {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

impl AdminClient {
    /// Finds the address that a server listens on which runs with these settings.
    ///
    /// # Errors
    ///
    /// It is off, or has a port that only the server knows.
    pub(super) fn of(settings: &Settings) -> Result<Self, ClientError> {
        let listen = settings.admin.listen.ok_or(ClientError::Off)?;
        if listen.port() == 0 {
            return Err(ClientError::Unknown);
        }
        // Every address is loopback, too.
        let ip = match listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let speaks_tls = !listen.ip().is_loopback() && settings.tls != Mode::Off;
        Ok(Self {
            address: SocketAddr::new(ip, listen.port()),
            tls: speaks_tls.then(config),
        })
    }

    /// Returns the address that is asked.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks for a path that everybody may have.
    ///
    /// # Errors
    ///
    /// Nobody answers, or somebody else.
    pub(super) fn get(&self, path: &str) -> Result<ClientReply, ClientError> {
        let address = self.address;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let bytes = self.exchange(request.as_bytes());
        let bytes = bytes.map_err(|error| ClientError::Silent { address, error })?;
        parse(&bytes).ok_or(ClientError::Stranger(address))
    }

    fn exchange(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let tcp = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_write_timeout(Some(PATIENCE))?;
        match &self.tls {
            None => transfer(tcp, request),
            Some(config) => {
                let name = ServerName::from(self.address.ip());
                let client = ClientConnection::new(Arc::clone(config), name);
                transfer(
                    StreamOwned::new(client.map_err(io::Error::other)?, tcp),
                    request,
                )
            }
        }
    }
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

fn config() -> Arc<ClientConfig> {
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

/// Takes this machine's own server whatever its certificate: that is for the names by which
/// devices come, and no secret is sent.
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
}
