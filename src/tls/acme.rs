//! ACME (RFC 8555): orders and renews certificates of a public authority. What it keeps
//! is a file; the file is taken up like any other that changes, so nothing here stands
//! in the way of a connection.
//!
//! Key and chain share that file, so that a power cut cannot part them. `http` declares
//! what it asks (`AnswersChallenges`), `Challenges` has the answers, and `app` joins
//! the two. A CA's own connection (ALPN `acme-tls/1`) ends with the handshake.

mod challenges;
mod client;
mod error;
mod files;
mod keeper;
mod order;
mod schedule;
mod signing;

pub(crate) use challenges::Challenges;
pub(crate) use challenges::PROTOCOL;
pub(crate) use client::RootError;
pub(crate) use keeper::CertificateKeeper;

use super::PairPaths;
use super::pem::Pair;
use super::self_signed::normal;
use crate::event::{Event, event};
use std::fmt;
use std::path::PathBuf;

/// Directory of Let's Encrypt's public service.
pub(crate) const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Settings of `gateway.tls.acme`, and the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeSettings {
    /// Folder in which account, keys and certificates are kept.
    pub dir: PathBuf,
    /// Host names and IP addresses of the certificate.
    pub names: Vec<String>,
    /// E-mail address that the CA may write to.
    pub email: Option<String>,
    /// Address of the CA's directory.
    pub directory: String,
    /// Challenge by which the CA checks that the names are ours.
    pub challenge: Challenge,
    /// Root to trust for the directory, besides the public ones.
    pub root: Option<PathBuf>,
}

/// Challenge by which the CA checks that a name is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// TLS handshake with port 443 (RFC 8737).
    TlsAlpn01,
    /// HTTP request to port 80 (RFC 8555, section 8.3).
    Http01,
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Http01 => "http-01",
        })
    }
}

impl Challenge {
    fn port(self) -> u16 {
        match self {
            Self::TlsAlpn01 => 443,
            Self::Http01 => 80,
        }
    }
}

impl AcmeSettings {
    /// Returns the folder of the configured CA. Each CA has its own: a trial with one
    /// leaves the other's account and certificate alone.
    pub(super) fn folder(&self) -> PathBuf {
        let ca = self.directory.trim_start_matches("https://");
        self.dir.join("acme").join(file_name(ca))
    }

    fn account(&self) -> PathBuf {
        self.folder().join("account.json")
    }

    /// Returns the path of the times until which the CA is left alone.
    fn waits(&self) -> PathBuf {
        self.folder().join("waits.json")
    }

    /// Returns the path of the order that the CA is to sign, and its key.
    fn signing(&self) -> PathBuf {
        self.folder().join("signing.json")
    }

    /// Returns the path of certificate and key: one file, so that no power cut can part
    /// them, and one name, whichever order the names stand in.
    pub(crate) fn paths(&self) -> PairPaths {
        let file = self.folder().join("certificate.pem");
        PairPaths {
            cert: file.clone(),
            key: file,
        }
    }

    /// Returns the names that `pair` does not hold for.
    pub(super) fn lacking(&self, pair: &Pair) -> Vec<&str> {
        let lacks = |name: &&String| !pair.names.contains(&normal(name));
        self.names
            .iter()
            .filter(lacks)
            .map(String::as_str)
            .collect()
    }
}

fn file_name(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    text.chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect()
}

/// Finds out whether the CA can reach this server: it comes to one port only.
pub(crate) fn audit(settings: &AcmeSettings, ports: &[u16]) -> Option<Event> {
    let (challenge, port) = (settings.challenge, settings.challenge.port());
    (!ports.contains(&port)).then(|| {
        let challenge = challenge.to_string();
        event!(
            ACME_PORT,
            setting = "gateway.tls.acme.challenge",
            challenge = challenge,
            port = port
        )
    })
}
