//! TLS: certificates read from files or signed here, chosen for each client, replaced
//! while connections go on.

pub mod acme;
pub(crate) mod audit;
mod foreign;
mod judge;
mod links;
mod order;
mod pem;
mod resolver;
mod self_signed;

pub(crate) use links::Link;
pub(crate) use pem::{PairError, of_machine, roots_named};
pub(crate) use resolver::Certificates;
pub(crate) use self_signed::SignError;

use crate::event::{Event, event};
use crate::util::paths::absolute;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::server::NoServerSessionStorage;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Source of certificates: `gateway.tls.mode`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// No TLS at all.
    Off,
    /// Certificate that this server signs and keeps in `dir`.
    SelfSigned {
        /// Folder that keeps certificate and key.
        dir: PathBuf,
        /// Host names and IP addresses of the certificate.
        names: Vec<String>,
        /// True where nobody configured them: they follow this machine's addresses.
        follows: bool,
    },
    /// Files that somebody else renews.
    Files(Vec<PairPaths>),
    /// Certificate of a public authority, ordered and renewed here.
    Acme(acme::AcmeSettings),
}

/// Paths of a certificate chain and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairPaths {
    /// PEM file with the leaf first and its chain behind it.
    pub cert: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

impl PairPaths {
    /// Returns them from the root on, as they are told.
    fn absolute(&self) -> Self {
        Self {
            cert: absolute(&self.cert),
            key: absolute(&self.key),
        }
    }
}

/// Error where TLS could not be set up.
#[derive(Debug)]
pub(crate) enum TlsError {
    /// Configured pairs cannot be used: their places in the list, and their errors.
    Pairs(Vec<(usize, PairError)>),
    /// The certificate that a CA gave cannot be used.
    Kept(PairError),
    /// The certificate that this server signs cannot be made or kept.
    Sign(SignError),
    /// rustls refuses the settings.
    Rustls(rustls::Error),
}

impl From<SignError> for TlsError {
    fn from(error: SignError) -> Self {
        Self::Sign(error)
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Rustls(error)
    }
}

impl TlsError {
    /// Returns each setting that it comes from, and what is wrong there.
    pub(crate) fn by_setting(&self) -> Vec<(String, Event)> {
        let (setting, event) = match self {
            Self::Pairs(faults) => return faults.iter().map(of_pair).collect(),
            Self::Sign(error) => ("gateway.tls.mode", Event::from(error)),
            Self::Kept(error) => ("gateway.tls.mode", Event::from(error)),
            Self::Rustls(error) => ("gateway.tls", event!(TLS_SETUP, error = error.to_string())),
        };
        vec![(setting.to_owned(), event)]
    }
}

fn of_pair((i, fault): &(usize, PairError)) -> (String, Event) {
    (format!("gateway.tls.certificates[{i}]"), Event::from(fault))
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (setting, what)) in self.by_setting().iter().enumerate() {
            let line = if i > 0 { "\n" } else { "" };
            write!(f, "{line}{setting}: {what}")?;
        }
        Ok(())
    }
}

impl std::error::Error for TlsError {}

/// Makes the TLS settings for every port: TLS 1.2 beside 1.3 (ESP-IDF builds without
/// 1.3 by default), X25519 and P-256 only (rustls follows the client's order of groups,
/// and mbedTLS 2.28 would get the far dearer P-384), HTTP/1.1 only, no session that could
/// be resumed: no firmware keeps one (`esp_ssl.cc` and `EspHttp.cc` of esp-ml307 give
/// esp-tls none, and the modems are not told to), and a ticket costs 2.5 % of a handshake
/// and 200 bytes on the air, a session that is stored a lock that all workers share.
pub(crate) fn server_config(
    certificates: Arc<Certificates>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![kx_group::X25519, kx_group::SECP256R1];
    // Our order counts: AES-128 is enough, and mbedTLS asks for AES-256 first,
    // which costs its chip and ours more.
    provider.cipher_suites = vec![
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    let mut protocols = vec![b"http/1.1".to_vec(), b"http/1.0".to_vec()];
    if certificates.answers_challenges() {
        // Last: only who speaks nothing else is a CA that looks for its answer.
        protocols.push(acme::PROTOCOL.to_vec());
    }
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.ignore_client_order = true;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = protocols;
    Ok(Arc::new(config))
}
