//! Offers in a handshake, as rustls settings.

use crate::util::sync::lock;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    SupportedProtocolVersion,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use webpki::RawPublicKeyEntity;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Set of versions, suites and signatures that is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsOffer {
    /// The device's own, by the defaults of ESP-IDF's `components/mbedtls/Kconfig`
    /// (5.3 to 5.5): TLS 1.2, no `ChaCha20`, no DHE. Our stack cannot offer CBC,
    /// CCM, static RSA and ECDH, P-521, brainpool, and an IP address as SNI.
    Device,
    /// The device's own, and Ed25519.
    Ed25519,
    /// The device's own, Ed25519 and `ChaCha20`.
    Chacha,
    /// Everything that TLS 1.3 has.
    Tls13,
}

impl TlsOffer {
    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        static NEW: [&SupportedProtocolVersion; 1] = [&TLS13];
        static OLD: [&SupportedProtocolVersion; 1] = [&TLS12];
        if self == Self::Tls13 { &NEW } else { &OLD }
    }

    fn provider(self) -> CryptoProvider {
        let mut provider = aws_lc_rs::default_provider();
        provider.kx_groups = vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
        if matches!(self, Self::Device | Self::Ed25519) {
            // AES-256 first, as in mbedTLS.
            provider.cipher_suites = vec![
                cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            ];
        }
        provider
    }

    /// Returns the signatures that mbedTLS verifies, and Ed25519 where it is tried.
    fn schemes(self) -> Vec<SignatureScheme> {
        let mut schemes = vec![
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA256,
        ];
        if self != Self::Device {
            schemes.push(SignatureScheme::ED25519);
        }
        schemes
    }

    /// Makes the settings of rustls. No ALPN, and no session to resume: devices
    /// have neither.
    pub(super) fn config(self, notes: Option<Arc<Notes>>) -> Result<ClientConfig, Error> {
        let provider = self.provider();
        let verifier = Arc::new(Verifier {
            algorithms: provider.signature_verification_algorithms,
            schemes: self.schemes(),
            notes: notes.clone(),
        });
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(self.versions())?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match notes {
            Some(notes) => builder.with_client_cert_resolver(notes),
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

/// Notes on a handshake, even on one that failed.
#[derive(Debug, Default)]
pub(super) struct Notes {
    chain: Mutex<Vec<CertificateDer<'static>>>,
    asked: AtomicBool,
}

impl Notes {
    /// Returns the server's certificates.
    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        let chain = self.chain.lock();
        chain.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether the server asked for a certificate of the client's.
    pub(super) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for Notes {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// Accepts every chain, which is judged afterwards, and only servers that hold the
/// key of its first certificate.
#[derive(Debug)]
struct Verifier {
    algorithms: WebPkiSupportedAlgorithms,
    schemes: Vec<SignatureScheme>,
    notes: Option<Arc<Notes>>,
}

impl Verifier {
    /// Verifies by the key alone: webpki's own way refuses certificates that
    /// mbedTLS takes (version 1, extensions that it does not know).
    fn verify(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let refused = |error| Err(Error::InvalidCertificate(error));
        let Ok((_, parsed)) = X509Certificate::from_der(leaf) else {
            return refused(CertificateError::BadEncoding);
        };
        let key = SubjectPublicKeyInfoDer::from(parsed.public_key().raw);
        let Ok(key) = RawPublicKeyEntity::try_from(&key) else {
            return refused(CertificateError::BadEncoding);
        };
        let mapping = self.algorithms.mapping.iter();
        let algorithms = mapping
            .filter(|(scheme, _)| *scheme == signed.scheme)
            .flat_map(|(_, algorithms)| algorithms.iter());
        for algorithm in algorithms {
            if key
                .verify_signature(*algorithm, message, signed.signature())
                .is_ok()
            {
                return Ok(HandshakeSignatureValid::assertion());
            }
        }
        refused(CertificateError::BadSignature)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(notes) = &self.notes {
            let all = std::iter::once(leaf).chain(others);
            let all = all.map(|der| der.clone().into_owned()).collect();
            *lock(&notes.chain) = all;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
