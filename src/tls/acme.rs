//! ACME (RFC 8555): orders and renews certificates of a public authority. What it keeps
//! is a file; the file is taken up like any other that changes, so nothing here stands
//! in the way of a connection.
//!
//! Key and chain share that file, so that a power cut cannot part them. `http` declares
//! what it asks (`AnswersChallenges`), `Challenges` has the answers, and `app` joins
//! the two. A CA's own connection (ALPN `acme-tls/1`) ends with the handshake.

mod authorities;
mod challenges;
mod client;
mod eab;
mod error;
mod files;
mod keeper;
mod order;
pub(crate) mod preflight;
mod proxy;
mod schedule;
mod signing;
mod unreachable;

pub(crate) use authorities::is_public_authority;
pub(crate) use challenges::Challenges;
pub(crate) use challenges::PROTOCOL;
pub(crate) use client::RootError;
pub(crate) use keeper::CertificateKeeper;

use super::PairPaths;
use super::pem::Pair;
use super::self_signed::normal;
use crate::event::{Event, event};
use crate::util::paths::absolute;
use authorities::{BINDING, is_of};
use std::fmt;
use std::net::IpAddr;
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
    /// Contract that the account is bound to.
    pub eab: Option<EabSettings>,
}

/// Settings of `gateway.tls.acme.eab`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EabSettings {
    /// Name of the key, which the CA gives.
    pub key_id: String,
    /// File with the key itself.
    pub hmac_file: PathBuf,
}

/// Tells whether an address is one of the whole internet.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let local = ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared;
            let special =
                a == 0 || a >= 224 || (a, b, c) == (192, 0, 0) || a == 198 && b & 0xFE == 18;
            !local && !special
        }
        // 2000::/3 is all that is given out.
        IpAddr::V6(ip) => ip.segments()[0] & 0xE000 == 0x2000,
    }
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
    /// Tells whether the CA vouches for what the whole internet can reach.
    pub(crate) fn is_public_authority(&self) -> bool {
        is_public_authority(&self.directory)
    }

    /// Returns the folder of the configured CA. Each CA has its own: a trial with one
    /// leaves the other's account and certificate alone.
    pub(super) fn folder(&self) -> PathBuf {
        let ca = self.directory.trim_start_matches("https://");
        // As it is told: a log is read where nobody knows where the server was started.
        absolute(&self.dir).join("acme").join(file_name(ca))
    }

    /// Tells whether an account is wanted that is bound to a contract, and there is none.
    fn lacks_contract(&self, is_wanted: bool) -> bool {
        is_wanted && self.eab.is_none() && !self.account().exists()
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

/// Ways on which this server can be reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reachable<'a> {
    /// Ports that are open to everybody, without a PROXY header.
    pub(crate) ports: &'a [u16],
    /// True where it listens on the loopback only.
    pub(crate) is_loopback: bool,
    /// True where a server in front answers the public address and sends on what it
    /// understands.
    pub(crate) is_behind: bool,
}

/// Finds out what would keep a CA from giving a certificate, as far as the settings show.
/// `reachable` is `None` where nothing can be said of it.
pub(crate) fn audit(settings: &AcmeSettings, reachable: Option<Reachable<'_>>) -> Vec<Event> {
    let mut findings: Vec<_> = reachable
        .and_then(|ways| way(settings, ways))
        .into_iter()
        .collect();
    findings.extend(authorities::directory(settings));
    findings.extend(authorities::address(settings));
    if let Some(email) = &settings.email
        && settings.is_public_authority()
        && has_no_mail(email)
    {
        findings.push(event!(
            ACME_EMAIL,
            setting = "gateway.tls.acme.email",
            email = email
        ));
    }
    if let Some(eab) = &settings.eab {
        findings.extend(eab::audit(eab));
    }
    findings.extend(no_contract(settings, is_of(&settings.directory, &BINDING)));
    findings
}

/// Finds what would keep a CA from coming here.
fn way(settings: &AcmeSettings, reachable: Reachable<'_>) -> Option<Event> {
    let port = settings.challenge.port();
    let challenge = settings.challenge.to_string();
    if reachable.is_behind {
        let setting = "gateway.behind_proxy";
        Some(match settings.challenge {
            Challenge::TlsAlpn01 => {
                event!(ACME_BEHIND_PROXY, setting = setting, challenge = challenge)
            }
            Challenge::Http01 => event!(
                ACME_BEHIND_PROXY_HTTP,
                setting = setting,
                challenge = challenge
            ),
        })
    } else if reachable.is_loopback && settings.is_public_authority() {
        Some(event!(ACME_LOOPBACK, setting = "gateway.ip", port = port))
    } else if !reachable.ports.contains(&port) {
        Some(event!(
            ACME_PORT,
            setting = "gateway.tls.acme.challenge",
            challenge = challenge,
            port = port
        ))
    } else {
        None
    }
}

/// Finds a contract missing that the CA wants.
fn no_contract(settings: &AcmeSettings, is_wanted: bool) -> Option<Event> {
    settings.lacks_contract(is_wanted).then(|| {
        event!(
            ACME_EAB_MISSING,
            setting = "gateway.tls.acme.eab",
            directory = &settings.directory
        )
    })
}

/// Tells whether nobody ever gets mail at an address: its domain is one of examples (RFC
/// 2606, RFC 6761).
fn has_no_mail(email: &str) -> bool {
    let domain = email.rsplit('@').next().unwrap_or_default();
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    let examples = ["example.com", "example.net", "example.org"];
    let reserved = ["example", "invalid", "test", "localhost", "local"];
    let last = domain.rsplit('.').next().unwrap_or_default();
    examples.iter().any(|name| domain == *name) || reserved.contains(&last)
}
