//! Diagnoses a failed handshake, by shaking hands again with other offers.

use super::offer::{Notes, TlsOffer};
use super::{RefusalReason, Refused, TlsClient, plain_answer};
use crate::probe::report::{Evidence, Finding, StepVerdict};
use crate::probe::rule::Rule;
use crate::probe::rules::tls as rules;
use crate::trust::certificate;
use rustls::AlertDescription;
use rustls::pki_types::{CertificateDer, ServerName};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Result of a handshake with some offer.
struct Trial {
    agreed: bool,
    notes: Arc<Notes>,
}

impl TlsClient {
    /// Gives a failed handshake its right name. `connect` opens a connection to
    /// the same port; there are at most five, each with `limit` to itself.
    pub(crate) async fn diagnose<C, F>(
        &self,
        refused: Refused,
        connect: C,
        host: &str,
        limit: Duration,
    ) -> Vec<Finding>
    where
        C: Fn() -> F,
        F: Future<Output = io::Result<TcpStream>>,
    {
        let named = match refused.reason {
            RefusalReason::NotTls | RefusalReason::Timeout => {
                self.plain(refused.reason, &connect, host, limit).await
            }
            RefusalReason::Cut | RefusalReason::Reset => {
                match self.plain(refused.reason, &connect, host, limit).await {
                    None => self.other_offers(false, &connect, host, limit).await,
                    plain => plain,
                }
            }
            RefusalReason::Alert(alert) => {
                let open = alert == AlertDescription::HandshakeFailure;
                self.other_offers(open, &connect, host, limit).await
            }
            RefusalReason::Incompatible => self.other_offers(true, &connect, host, limit).await,
            RefusalReason::Certificate | RefusalReason::Other => {
                self.chain(&connect, host, limit).await
            }
        };
        named.unwrap_or(refused.findings)
    }

    /// Tries whether the port speaks plain HTTP.
    async fn plain<C, F>(
        &self,
        reason: RefusalReason,
        connect: &C,
        host: &str,
        limit: Duration,
    ) -> Option<Vec<Finding>>
    where
        C: Fn() -> F,
        F: Future<Output = io::Result<TcpStream>>,
    {
        let stream = timeout(limit, connect()).await.ok()?.ok()?;
        let line = plain_answer(stream, host, "/", limit).await?;
        // TLS ports answer plain HTTP with a 400, too: that proves nothing where
        // it is not what came in answer to a handshake.
        if reason != RefusalReason::NotTls && line.split(' ').nth(1) == Some("400") {
            return None;
        }
        let evidence = Evidence::both(
            format!("不用 TLS 时的回答：{line}"),
            format!("without TLS it answers: {line}"),
        );
        Some(
            self.refused(&rules::WRONG_SCHEME, reason, evidence)
                .findings,
        )
    }

    /// Tries whether the server agrees to something that devices lack. `open`:
    /// where it does not, devices may still offer what it wants.
    async fn other_offers<C, F>(
        &self,
        open: bool,
        connect: &C,
        host: &str,
        limit: Duration,
    ) -> Option<Vec<Finding>>
    where
        C: Fn() -> F,
        F: Future<Output = io::Result<TcpStream>>,
    {
        for offer in [
            TlsOffer::Device,
            TlsOffer::Ed25519,
            TlsOffer::Chacha,
            TlsOffer::Tls13,
        ] {
            let trial = trial(offer, connect, host, limit).await?;
            if trial.notes.asked() && !trial.agreed {
                let evidence = "CertificateRequest";
                return Some(self.named(&rules::CLIENT_CERTIFICATE, evidence));
            }
            if !trial.agreed {
                continue;
            }
            let ed25519 = trial.notes.chain().first().and_then(ed25519);
            let mut findings = match offer {
                // It works now.
                TlsOffer::Device => return None,
                TlsOffer::Ed25519 => Vec::new(),
                TlsOffer::Chacha => self.named(
                    &rules::CHACHA_ONLY,
                    Evidence::both(
                        "在 TLS 1.2 下，只有提供 ChaCha20-Poly1305 时握手才成功",
                        "with TLS 1.2 it agrees as soon as ChaCha20-Poly1305 is offered",
                    ),
                ),
                TlsOffer::Tls13 => self.named(
                    &rules::TLS13_ONLY,
                    Evidence::both(
                        "拒绝 TLS 1.2，接受 TLS 1.3",
                        "it refuses TLS 1.2, and agrees to TLS 1.3",
                    ),
                ),
            };
            if let Some(subject) = ed25519 {
                let evidence = format!("{subject}: Ed25519");
                findings.extend(self.named(&rules::ED25519_CERTIFICATE, evidence));
            }
            return (!findings.is_empty()).then_some(findings);
        }
        let evidence = Evidence::both(
            "拒绝 TLS 1.3，以及 TLS 1.2 下的 AES-GCM 和 ChaCha20",
            "it refuses TLS 1.2 with AES-GCM and ChaCha20, and TLS 1.3",
        );
        open.then(|| vec![Finding::warn(&rules::CANNOT_BE_JUDGED, evidence)])
    }

    /// Fetches the chain, and judges whether it tells why.
    async fn chain<C, F>(&self, connect: &C, host: &str, limit: Duration) -> Option<Vec<Finding>>
    where
        C: Fn() -> F,
        F: Future<Output = io::Result<TcpStream>>,
    {
        let trial = trial(TlsOffer::Device, connect, host, limit).await?;
        let chain = trial.notes.chain();
        if chain.is_empty() {
            return None;
        }
        let findings = self.judge(&chain, host).findings.clone();
        let tells = findings.iter().any(|f| f.verdict == StepVerdict::Fail);
        tells.then_some(findings)
    }

    /// Names a failure of every device, for which the server sends an alert.
    fn named(&self, rule: &'static Rule, evidence: impl Into<Evidence>) -> Vec<Finding> {
        let alert = RefusalReason::Alert(AlertDescription::HandshakeFailure);
        self.refused(rule, alert, evidence).findings
    }
}

/// Shakes hands once. Returns `None` where no connection came about.
async fn trial<C, F>(offer: TlsOffer, connect: &C, host: &str, limit: Duration) -> Option<Trial>
where
    C: Fn() -> F,
    F: Future<Output = io::Result<TcpStream>>,
{
    let notes = Arc::new(Notes::default());
    let config = offer.config(Some(Arc::clone(&notes))).ok()?;
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let stream = timeout(limit, connect()).await.ok()?.ok()?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let agreed = matches!(timeout(limit, handshake).await, Ok(Ok(_)));
    Some(Trial { agreed, notes })
}

fn ed25519(der: &CertificateDer<'_>) -> Option<String> {
    let (_, leaf) = X509Certificate::from_der(der).ok()?;
    certificate::is_ed25519(&leaf).then(|| certificate::subject(&leaf))
}
