//! Answers to the challenges by which a CA checks that a name is ours: they are there
//! for as long as an order is under way.

use super::Challenge;
use crate::util::sync::lock;
use rcgen::{CertificateParams, CustomExtension, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// ALPN protocol by which a CA asks for its answer (RFC 8737).
pub(crate) const PROTOCOL: &[u8] = b"acme-tls/1";

/// Answers to challenges that are pending.
#[derive(Debug, Default)]
pub(crate) struct Challenges {
    /// Certificates that answer tls-alpn-01, by the name that the CA's handshake asks
    /// for.
    certificates: Mutex<HashMap<String, Arc<CertifiedKey>>>,
    /// Texts that answer http-01, by token.
    texts: Mutex<HashMap<String, String>>,
}

/// Error where no answer could be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("rcgen: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("rustls: {0}")]
    Key(#[from] rustls::Error),
    #[error("the CA's token is malformed")]
    Digest,
}

impl Challenges {
    /// Returns the text that answers an http-01 challenge, while one is pending.
    pub(crate) fn text(&self, token: &str) -> Option<String> {
        lock(&self.texts).get(token).cloned()
    }

    /// Returns the certificate that answers a tls-alpn-01 challenge.
    pub(in crate::tls) fn certificate(&self, server_name: &str) -> Option<Arc<CertifiedKey>> {
        let name = server_name.trim_end_matches('.').to_ascii_lowercase();
        lock(&self.certificates).get(&name).cloned()
    }

    /// Answers for a token until the guard is dropped.
    pub(super) fn answer_text(self: &Arc<Self>, token: &str, text: &str) -> Pending {
        lock(&self.texts).insert(token.to_owned(), text.to_owned());
        Pending {
            challenges: Arc::clone(self),
            challenge: Challenge::Http01,
            key: token.to_owned(),
        }
    }

    /// Answers a challenge until the guard is dropped.
    pub(super) fn answer(
        self: &Arc<Self>,
        challenge: Challenge,
        name: &str,
        token: &str,
        text: &str,
        digest: &[u8],
    ) -> Result<Pending, AnswerError> {
        let key = match challenge {
            Challenge::Http01 => return Ok(self.answer_text(token, text)),
            Challenge::TlsAlpn01 => {
                let server_name = server_name(name);
                let certificate = Arc::new(certificate(name, digest)?);
                lock(&self.certificates).insert(server_name.clone(), certificate);
                server_name
            }
        };
        Ok(Pending {
            challenges: Arc::clone(self),
            challenge,
            key,
        })
    }
}

/// Guard of a challenge that is answered.
#[derive(Debug)]
pub(super) struct Pending {
    challenges: Arc<Challenges>,
    challenge: Challenge,
    key: String,
}

impl Drop for Pending {
    fn drop(&mut self) {
        match self.challenge {
            Challenge::Http01 => drop(lock(&self.challenges.texts).remove(&self.key)),
            Challenge::TlsAlpn01 => drop(lock(&self.challenges.certificates).remove(&self.key)),
        }
    }
}

/// Returns the name that the CA's handshake asks for: the name itself, or its reverse
/// form for an address (RFC 8738, section 6), which SNI cannot carry.
fn server_name(name: &str) -> String {
    match name.parse() {
        Ok(IpAddr::V4(ip)) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        Ok(IpAddr::V6(ip)) => {
            let nibbles = ip.octets().into_iter().rev();
            let text: Vec<_> = nibbles
                .map(|byte| format!("{:x}.{:x}", byte & 0xF, byte >> 4))
                .collect();
            text.join(".") + ".ip6.arpa"
        }
        Err(_) => name.to_ascii_lowercase(),
    }
}

fn certificate(name: &str, digest: &[u8]) -> Result<CertifiedKey, AnswerError> {
    // rcgen takes 32 bytes or panics.
    let digest = <[u8; 32]>::try_from(digest).map_err(|_| AnswerError::Digest)?;
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&digest)];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.self_signed(&key)?;
    let signer = any_supported_type(&PrivateKeyDer::from(key))?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], signer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_asked_for_by_their_reverse_names() {
        assert_eq!(server_name("192.0.2.7"), "7.2.0.192.in-addr.arpa");
        assert_eq!(
            server_name("2001:db8::567:89ab"),
            "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
        assert_eq!(server_name("OTA.example.com"), "ota.example.com");
    }

    #[test]
    fn answered_while_pending_and_no_longer() {
        let challenges = Arc::new(Challenges::default());
        let answer = |challenge| {
            challenges
                .answer(challenge, "192.0.2.7", "token", "token.thumb", &[1; 32])
                .unwrap()
        };
        let pending = answer(Challenge::Http01);
        assert_eq!(challenges.text("token").as_deref(), Some("token.thumb"));
        drop(pending);
        assert_eq!(challenges.text("token"), None);
        let pending = answer(Challenge::TlsAlpn01);
        assert!(challenges.certificate("7.2.0.192.in-addr.arpa").is_some());
        assert!(challenges.certificate("192.0.2.7").is_none());
        drop(pending);
        assert!(challenges.certificate("7.2.0.192.in-addr.arpa").is_none());
    }
}
