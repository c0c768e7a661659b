//! Shakes hands as the device's client does: mbedTLS 3.6 with the defaults of
//! ESP-IDF 5.3 to 5.5. The offers of the 4G modems are not known; they are taken
//! for the same, and verify no certificate.

mod chain;
mod diagnose;
mod offer;
#[cfg(test)]
mod tests;

use self::chain::{Judged, judge};
use self::offer::TlsOffer;
use super::framing::is_tls;
use super::line::Kind;
use super::report::{Evidence, Finding};
use super::rule::Rule;
use super::rules::tls as rules;
use crate::trust::bundle::Roots;
use crate::util::alert::alert_name;
use crate::util::sync::lock;
use aws_lc_rs::digest;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{AlertDescription, ClientConnection, Error, InvalidMessage};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Number of chains with their hosts that are remembered: a fleet meets a handful.
const REMEMBERED: usize = 64;

/// TLS client of one device: its offers, and the roots that it trusts. Made once;
/// its clones share what they have judged.
#[derive(Clone)]
pub(crate) struct TlsClient {
    kind: Kind,
    roots: Arc<Roots>,
    connector: TlsConnector,
    judged: Arc<Mutex<HashMap<[u8; 32], Arc<Judged>>>>,
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsClient({})", self.kind)
    }
}

/// Open TLS connection.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) stream: TlsStream<TcpStream>,
    /// Version, cipher suite, group and leaf, in a line.
    pub(crate) seen: String,
    /// Findings on the certificates.
    pub(crate) findings: Vec<Finding>,
}

/// Handshake that failed.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Findings on it; never empty.
    pub(crate) findings: Vec<Finding>,
    reason: RefusalReason,
}

/// Reason for which a handshake failed, for [`TlsClient::diagnose`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RefusalReason {
    Alert(AlertDescription),
    NotTls,
    Certificate,
    Incompatible,
    Cut,
    Reset,
    Timeout,
    Other,
}

impl TlsClient {
    /// Makes the client of a device that trusts `extra_roots` beside Espressif's
    /// bundle.
    ///
    /// # Errors
    ///
    /// One of them is no certificate.
    pub(crate) fn new(
        kind: Kind,
        extra_roots: Vec<CertificateDer<'static>>,
    ) -> Result<Self, Error> {
        Ok(Self {
            kind,
            roots: Arc::new(Roots::new(extra_roots)?),
            connector: TlsConnector::from(Arc::new(TlsOffer::Device.config(None)?)),
            judged: Arc::default(),
        })
    }

    /// Shakes hands over an open connection within `limit`. `host` is the name that
    /// the certificate must hold for, and goes out as SNI unless it is an IP
    /// address (mbedTLS would send that, too). The certificates are judged, and
    /// whatever is found, the connection stands: the caller decides.
    ///
    /// # Errors
    ///
    /// The server would not go on, or speaks no TLS that a device knows.
    pub(crate) async fn handshake(
        &self,
        stream: TcpStream,
        host: &str,
        limit: Duration,
    ) -> Result<Secured, Refused> {
        let Ok(name) = ServerName::try_from(host.to_owned()) else {
            let evidence = format!("{host:?} is no host name");
            return Err(self.refused(&rules::CANNOT_BE_JUDGED, RefusalReason::Other, evidence));
        };
        let stream = match timeout(limit, self.connector.connect(name, stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(self.failure(&error)),
            Err(_) => {
                let seconds = limit.as_secs_f32();
                let evidence = Evidence::both(
                    format!("{seconds} 秒内没有回应"),
                    format!("nothing within {seconds} s"),
                );
                return Err(self.refused(
                    &rules::HANDSHAKE_TIMEOUT,
                    RefusalReason::Timeout,
                    evidence,
                ));
            }
        };
        let connection = stream.get_ref().1;
        let chain = connection.peer_certificates().unwrap_or_default();
        let judged = self.judge(chain, host);
        Ok(Secured {
            seen: format!("{}, {}", parameters(connection), judged.leaf),
            findings: judged.findings.clone(),
            stream,
        })
    }

    /// Judges a chain, once.
    fn judge(&self, chain: &[CertificateDer<'_>], host: &str) -> Arc<Judged> {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in chain.iter().map(AsRef::as_ref).chain([host.as_bytes()]) {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let digest = context.finish();
        let mut key = [0; 32];
        key.copy_from_slice(digest.as_ref());
        let remembered = || lock(&self.judged);
        if let Some(judged) = remembered().get(&key) {
            return Arc::clone(judged);
        }
        let judged = Arc::new(judge(chain, host, now(), &self.roots, self.kind));
        let mut remembered = remembered();
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(key, Arc::clone(&judged));
        judged
    }

    fn refused(
        &self,
        rule: &'static Rule,
        reason: RefusalReason,
        evidence: impl Into<Evidence>,
    ) -> Refused {
        let mut finding = if rule == &rules::CANNOT_BE_JUDGED {
            Finding::warn(rule, evidence)
        } else {
            Finding::fail(rule, evidence)
        };
        // mbedTLS's `ssl.h` and `net_sockets.h`: a fatal alert; the end of the
        // connection; its reset; a record that is none. The rest has no line
        // that is the same in every version.
        let code = match reason {
            RefusalReason::Alert(_) | RefusalReason::Incompatible => Some("7780"),
            RefusalReason::Cut => Some("7280"),
            RefusalReason::Reset => Some("0050"),
            RefusalReason::NotTls => Some("7200"),
            RefusalReason::Certificate | RefusalReason::Timeout | RefusalReason::Other => None,
        };
        if let Some(code) = code
            && self.kind.verifies()
        {
            finding = finding.serial(format!(
                "E (…) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x{code}"
            ));
        }
        Refused {
            findings: vec![finding],
            reason,
        }
    }

    /// Names the failure that the error of a handshake stands for.
    fn failure(&self, error: &io::Error) -> Refused {
        let Some(inner) = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Error>())
        else {
            let reason = match error.kind() {
                io::ErrorKind::ConnectionReset => RefusalReason::Reset,
                _ => RefusalReason::Cut,
            };
            return self.refused(&rules::HANDSHAKE_CUT, reason, error.to_string());
        };
        match inner {
            Error::AlertReceived(alert) => {
                let evidence = format!("alert {} ({})", alert_name(*alert), u8::from(*alert));
                self.refused(&rules::TLS_ALERT, RefusalReason::Alert(*alert), evidence)
            }
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => self.refused(
                &rules::WRONG_SCHEME,
                RefusalReason::NotTls,
                Evidence::both(
                    "对 TLS 握手的回答不是 TLS",
                    "the answer to a TLS handshake is no TLS",
                ),
            ),
            Error::InvalidCertificate(_) => self.refused(
                &rules::UNREADABLE_CERTIFICATE,
                RefusalReason::Certificate,
                inner.to_string(),
            ),
            Error::PeerIncompatible(_) => self.refused(
                &rules::TLS_ALERT,
                RefusalReason::Incompatible,
                inner.to_string(),
            ),
            _ => self.refused(
                &rules::BAD_HANDSHAKE,
                RefusalReason::Other,
                inner.to_string(),
            ),
        }
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// Writes `TLS 1.2, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, X25519`.
fn parameters(connection: &ClientConnection) -> String {
    let suite = connection.negotiated_cipher_suite();
    let suite = suite.map_or_else(String::new, |s| format!(", {:?}", s.suite()));
    let group = connection.negotiated_key_exchange_group();
    let group = group.map_or_else(String::new, |g| format!(", {:?}", g.name()));
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "TLS 1.2",
    };
    format!("{version}{suite}{group}")
}

/// Returns the first line of the answer to a GET of `path` without TLS, escaped and cut at
/// 128 bytes; `None` where there is none within `limit`, or it is TLS.
pub(crate) async fn plain_answer(
    mut stream: TcpStream,
    host: &str,
    path: &str,
    limit: Duration,
) -> Option<String> {
    let is_sane = path.bytes().all(|byte| byte.is_ascii_graphic());
    let path = if is_sane { path } else { "/" };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let exchange = async {
        stream.write_all(request.as_bytes()).await.ok()?;
        while answer.len() < 128 && !answer.contains(&b'\n') {
            let mut block = [0; 128];
            match stream.read(&mut block).await {
                Ok(read @ 1..) => answer.extend_from_slice(block.get(..read)?),
                _ => break,
            }
        }
        Some(())
    };
    // What came until then counts.
    let _ = timeout(limit, exchange).await;
    let line = answer.split(|b| *b == b'\r' || *b == b'\n').next()?;
    let line = line.get(..128).unwrap_or(line);
    (!line.is_empty() && !is_tls(line))
        .then(|| String::from_utf8_lossy(line).escape_debug().to_string())
}
