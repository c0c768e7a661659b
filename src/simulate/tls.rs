//! TLS as a device speaks it, in as few lines as will do: the seam behind which
//! the probe's own client belongs.

use super::fault::{Failure, Fault};
use super::network::Stream;
use super::plan::Trust;
use crate::probe::dial::CONNECT;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, version};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Secures connections.
pub(super) struct Client(TlsConnector);

impl Client {
    /// TLS 1.2 without resumption and with AES-GCM, as ESP-IDF comes.
    pub(super) fn new(trust: &Trust) -> Result<Self, String> {
        let mut provider = default_provider();
        provider.cipher_suites = vec![
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ];
        let provider = Arc::new(provider);
        let verifier = Arc::new(Once::new(trust, &provider)?);
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS12])
            .map_err(|e| e.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Shakes hands.
    pub(super) async fn secure(
        &self,
        stream: TcpStream,
        host: &str,
    ) -> Result<Box<dyn Stream>, Failure> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Failure::with(Fault::Tls, format!("{host:?} is no name for TLS")))?;
        match timeout(CONNECT, self.0.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            // So rustls says what it does not like.
            Ok(Err(e)) if e.kind() == io::ErrorKind::InvalidData => {
                Err(Failure::with(Fault::Tls, e.to_string()))
            }
            Ok(Err(e)) => Err(Failure::with(Fault::CutShort, e.to_string())),
            Err(_) => Err(Failure::with(Fault::Silent, "no handshake within 10 s")),
        }
    }
}

/// Verifies a chain once: the next device that is shown the very same one
/// believes it. What it proves, it proves anew to everybody.
#[derive(Debug)]
struct Once {
    /// `None` believes everybody.
    verifier: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    last_good: Mutex<Option<(ServerName<'static>, Vec<CertificateDer<'static>>)>>,
}

impl Once {
    fn new(trust: &Trust, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let verifier = if trust.insecure {
            None
        } else {
            let mut roots = RootCertStore::empty();
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            for root in &trust.roots {
                roots.add(root.clone()).map_err(|e| e.to_string())?;
            }
            let builder =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
            Some(builder.build().map_err(|e| e.to_string())?)
        };
        Ok(Self {
            verifier,
            provider: Arc::clone(provider),
            last_good: Mutex::new(None),
        })
    }
}

impl ServerCertVerifier for Once {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(verifier) = &self.verifier else {
            return Ok(ServerCertVerified::assertion());
        };
        let mut last = self
            .last_good
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let same = |(good, chain): &(ServerName<'_>, Vec<CertificateDer<'_>>)| {
            good == name && chain.iter().eq(std::iter::once(leaf).chain(rest))
        };
        if last.as_ref().is_some_and(same) {
            return Ok(ServerCertVerified::assertion());
        }
        let good = verifier.verify_server_cert(leaf, rest, name, stapled, now)?;
        let chain = std::iter::once(leaf).chain(rest);
        let chain = chain.map(|cert| cert.clone().into_owned()).collect();
        *last = Some((name.to_owned(), chain));
        Ok(good)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
