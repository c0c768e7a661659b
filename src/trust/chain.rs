//! Judges a chain as mbedTLS and Espressif's bundle do (`x509_crt_verify_chain` in
//! mbedTLS 3.6's `x509_crt.c`, `esp_crt_verify_callback` in ESP-IDF's
//! `esp_crt_bundle.c`): from the leaf upwards, each certificate's issuer is the
//! first behind it that has its name; at the end of that path, the bundle must know
//! the issuer of the last.

use super::bundle::{self, Roots};
use super::certificate::{self, CertificateNames};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::prelude::{FromDer, X509Certificate};

pub(crate) use super::certificate::{Unable, Weakness};

/// Bytes that a device takes in a record (`CONFIG_MBEDTLS_SSL_IN_CONTENT_LEN`).
const RECORD: usize = 16_384;

/// Fault of a chain, or what is odd about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChainFault {
    /// Nothing that can be judged was sent.
    Nothing(&'static str),
    /// The message with the certificates is longer than a record.
    Long { count: usize, bytes: usize },
    /// A key or signature on the path is Ed25519.
    Ed25519 { subject: String, is_leaf: bool },
    /// A key or signature on the path is weaker than devices take.
    Weak {
        subject: String,
        is_leaf: bool,
        how: Weakness,
    },
    /// The leaf is its own root.
    SelfSigned { subject: String },
    /// ESP-IDF before 5.5 lacks the root.
    YoungRoot { root: String },
    /// The root was removed from the lists of browsers.
    OldRoot(End),
    /// Sorted, the certificates would lead to a root.
    WrongOrder(End),
    /// The cross-signed certificate leads devices past the root that they know.
    CrossSigned(End),
    /// Browsers know the root, and devices do not.
    UnknownToDevices(End),
    /// The leaf is not made for servers.
    NotForServers { subject: String },
    /// The signature of the last is not by the key that has its issuer's name, whether
    /// that was sent or is known.
    BadSignature(End),
    /// A certificate cannot stand for those below it.
    Unable { subject: String, why: Unable },
    /// An extension must be understood, and is not.
    UnknownExtension { subject: String, extension: String },
    /// Something of the leaf that mbedTLS passes over, as a CA's that serves.
    Odd { subject: String, error: String },
    /// The leaf is alone, and its issuer's certificate lies at `source`.
    LeafOnly { end: End, source: Option<String> },
    /// Certificates were sent that the path does not lead to.
    Torn(End),
    /// Nobody knows the issuer.
    UnknownIssuer(End),
    /// The leaf is made for other names.
    WrongName { names: String, host: String },
    /// The name stands in the subject alone.
    NameInSubject { subject: String },
    /// A certificate on the path has ended.
    Ended {
        subject: String,
        is_leaf: bool,
        day: String,
    },
    /// A certificate on the path does not hold yet.
    Early {
        subject: String,
        is_leaf: bool,
        day: String,
    },
}

/// End of a path: its last certificate, and the issuer of that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) last: String,
    pub(crate) issuer: String,
}

/// Judgement on a chain.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Leaf, in a few words.
    pub(crate) leaf: String,
    pub(crate) faults: Vec<ChainFault>,
}

/// Judges a chain at a time in seconds since 1970, and for a host, if there is one.
pub(crate) fn judge(
    chain: &[CertificateDer<'_>],
    host: Option<&str>,
    now: i64,
    roots: &Roots,
) -> Judged {
    let read = |der: &'_ CertificateDer<'_>| X509Certificate::from_der(der).is_ok();
    let Some(readable) = chain.first().map(read) else {
        return unreadable("no certificate was sent");
    };
    if !readable {
        return unreadable("the first certificate is no X.509");
    }
    // What cannot be read leads nowhere.
    let all: Vec<_> = chain
        .iter()
        .filter_map(|der| Some((der, X509Certificate::from_der(der).ok()?.1)))
        .collect();
    let path = walk(&all);
    let Some((_, leaf)) = all.first() else {
        return unreadable("no certificate can be read");
    };
    let mut case = Case {
        all: &all,
        path: &path,
        roots,
        faults: Vec::new(),
    };
    case.length(chain);
    if !case.ed25519() && !case.extension() {
        case.strength();
        case.trust(now);
    }
    if let Some(host) = host {
        case.name(leaf, host);
    }
    case.dates(now);
    Judged {
        leaf: format!(
            "{}, until {}",
            certificate::subject(leaf),
            certificate::day(leaf.validity().not_after.timestamp())
        ),
        faults: case.faults,
    }
}

fn unreadable(why: &'static str) -> Judged {
    Judged {
        leaf: "unreadable certificate".to_owned(),
        faults: vec![ChainFault::Nothing(why)],
    }
}

type Sent<'a> = (&'a CertificateDer<'a>, X509Certificate<'a>);

/// Returns the places of the certificates on mbedTLS's path, from the leaf up.
fn walk(all: &[Sent<'_>]) -> Vec<usize> {
    let mut path = vec![0];
    let mut at = 0;
    while let Some((_, child)) = all.get(at) {
        let issuer = |(i, (_, parent)): (usize, &Sent<'_>)| {
            let is_it = parent.subject() == child.issuer();
            (is_it && certificate::unable(parent, path.len() - 1).is_none()).then_some(i)
        };
        let Some(next) = all.iter().enumerate().skip(at + 1).find_map(issuer) else {
            break;
        };
        path.push(next);
        at = next;
    }
    path
}

struct Case<'a> {
    all: &'a [Sent<'a>],
    path: &'a [usize],
    roots: &'a Roots,
    faults: Vec<ChainFault>,
}

impl<'a> Case<'a> {
    fn on_path(&self) -> impl Iterator<Item = &'a X509Certificate<'a>> + use<'a> {
        let (all, path) = (self.all, self.path);
        path.iter().filter_map(|i| all.get(*i)).map(|sent| &sent.1)
    }

    fn length(&mut self, chain: &[CertificateDer<'_>]) {
        // RFC 5246, section 7.4.2: each with three bytes for its length, and
        // three for them all, behind the message's own four.
        let bytes: usize = chain.iter().map(|der| der.len() + 3).sum::<usize>() + 7;
        if bytes > RECORD {
            let count = chain.len();
            self.faults.push(ChainFault::Long { count, bytes });
        }
    }

    /// Returns whether mbedTLS passes over a certificate on the path, for it cannot
    /// read it (`ssl_parse_certificate_chain`): no other question arises then.
    fn ed25519(&mut self) -> bool {
        let Some((i, found)) = self
            .on_path()
            .enumerate()
            .find(|(_, certificate)| certificate::is_ed25519(certificate))
        else {
            return false;
        };
        let (subject, is_leaf) = (certificate::subject(found), i == 0);
        self.faults.push(ChainFault::Ed25519 { subject, is_leaf });
        true
    }

    /// Returns whether mbedTLS breaks off at a certificate, wherever it stands, for an
    /// extension that it does not know and must
    /// (`MBEDTLS_X509_ALLOW_UNSUPPORTED_CRITICAL_EXTENSION` is off).
    fn extension(&mut self) -> bool {
        let found = self.all.iter().find_map(|(_, certificate)| {
            let extension = certificate::unknown_extension(certificate)?;
            let subject = certificate::subject(certificate);
            Some(ChainFault::UnknownExtension { subject, extension })
        });
        let is_found = found.is_some();
        self.faults.extend(found);
        is_found
    }

    fn strength(&mut self) {
        // A root's own signature proves nothing, and nobody looks at it.
        let weak = self.on_path().enumerate().find_map(|(i, certificate)| {
            let how = certificate::weakness(certificate)?;
            let subject = certificate::subject(certificate);
            let is_leaf = i == 0;
            Some(ChainFault::Weak {
                subject,
                is_leaf,
                how,
            })
        });
        self.faults.extend(weak);
    }

    /// Judges whether the bundle knows the issuer of the last certificate.
    fn trust(&mut self, now: i64) {
        let (Some((der, leaf)), Some(top)) = (self.all.first(), self.on_path().last()) else {
            return;
        };
        if leaf.subject() == leaf.issuer() {
            // Its own root: the bundle holds its name and key.
            if !self.roots.extra.iter().any(|root| root == *der) {
                let subject = certificate::subject(leaf);
                self.faults.push(ChainFault::SelfSigned { subject });
            }
            return;
        }
        let time = self.time(now);
        let issuer = contents(top.issuer().as_raw());
        let known = self.roots.device.iter();
        let above: Vec<_> = known
            .filter(|root| root.subject.as_ref() == issuer)
            .cloned()
            .collect();
        let sent: Vec<_> = self.path.iter().skip(1).copied().collect();
        let Err(error) = self.verify(der, &sent, &above, time) else {
            if bundle::has_name(issuer, bundle::LACKING_BEFORE_5_5) {
                let root = certificate::name(top.issuer());
                self.faults.push(ChainFault::YoungRoot { root });
            }
            return;
        };
        let error = if above.is_empty() {
            // Whatever else webpki minds.
            webpki::Error::UnknownIssuer
        } else {
            error
        };
        let every: Vec<_> = (1..self.all.len()).collect();
        let end = End {
            last: certificate::subject(top),
            issuer: certificate::name(top.issuer()),
        };
        let fault = if bundle::has_name(issuer, bundle::REMOVED) && is_about_trust(&error) {
            ChainFault::OldRoot(end)
        } else if self.verify(der, &every, &self.roots.device, time).is_ok() {
            if self.all.iter().any(|(_, c)| c.subject() == top.issuer()) {
                ChainFault::WrongOrder(end)
            } else {
                ChainFault::CrossSigned(end)
            }
        } else if self.verify(der, &every, &self.roots.all, time).is_ok()
            || (bundle::has_name(issuer, bundle::TOO_NEW) && bundle::has_name(issuer, &["ISRG"]))
        {
            ChainFault::UnknownToDevices(end)
        } else {
            let broken = self.broken(der, top, time);
            broken.unwrap_or_else(|| self.untrusted(leaf, top, &error, end))
        };
        self.faults.push(fault);
    }

    /// Finds a certificate that does not stand for the one below it, whoever trusts the
    /// authority above them.
    fn broken(
        &self,
        leaf: &CertificateDer<'_>,
        top: &X509Certificate<'_>,
        time: UnixTime,
    ) -> Option<ChainFault> {
        let read = |place: &usize| self.all.get(*place).map(|(der, read)| (*der, read));
        for (n, place) in self.path.iter().enumerate().skip(1) {
            let (der, above) = read(place)?;
            let sent = self.path.get(1..n).unwrap_or_default();
            let anchor = webpki::anchor_from_trusted_cert(der).ok()?;
            let below = self.path.get(n - 1).and_then(read);
            if let (Err(error), Some((_, below))) =
                (self.verify(leaf, sent, &[anchor], time), below)
                && is_about_signature(&error)
            {
                return Some(ChainFault::BadSignature(End {
                    last: certificate::subject(below),
                    issuer: certificate::subject(above),
                }));
            }
        }
        let others = (1..self.all.len()).filter(|place| !self.path.contains(place));
        let mut others = others.filter_map(|place| self.all.get(place));
        others.find_map(|(_, other)| {
            let why = certificate::unable(other, self.path.len() - 1)?;
            let subject = certificate::subject(other);
            (other.subject() == top.issuer()).then_some(ChainFault::Unable { subject, why })
        })
    }

    /// Names the reason for which nobody trusts the chain.
    fn untrusted(
        &self,
        leaf: &X509Certificate<'_>,
        top: &X509Certificate<'_>,
        error: &webpki::Error,
        end: End,
    ) -> ChainFault {
        let subject = certificate::subject(leaf);
        if matches!(error, webpki::Error::RequiredEkuNotFoundContext(_)) {
            return ChainFault::NotForServers { subject };
        }
        let text = error.to_string();
        if is_about_signature(error) {
            return ChainFault::BadSignature(end);
        }
        if !is_about_trust(error) {
            // A CA as the leaf, version 1: mbedTLS 3.6 takes both.
            return ChainFault::Odd {
                subject,
                error: text,
            };
        }
        // Every public authority says where its certificate lies.
        let source = certificate::issuer_address(top);
        let alone = self.all.len() == 1;
        if alone && (source.is_some() || !self.roots.extra.is_empty()) {
            ChainFault::LeafOnly { end, source }
        } else if self.path.len() < self.all.len() {
            ChainFault::Torn(end)
        } else {
            ChainFault::UnknownIssuer(end)
        }
    }

    fn name(&mut self, leaf: &X509Certificate<'_>, host: &str) {
        let names = CertificateNames::of(leaf);
        if !names.hold(host) {
            self.faults.push(ChainFault::WrongName {
                names: names.list(),
                host: host.to_owned(),
            });
        } else if names.in_subject_only {
            let subject = certificate::subject(leaf);
            self.faults.push(ChainFault::NameInSubject { subject });
        }
    }

    fn dates(&mut self, now: i64) {
        let mut path = self.on_path().enumerate();
        let past = path.find(|(_, c)| c.validity().not_after.timestamp() < now);
        let mut path = self.on_path().enumerate();
        let early = path.find(|(_, c)| c.validity().not_before.timestamp() > now);
        let told = |(i, found): (usize, &X509Certificate<'_>), end: i64| {
            (certificate::subject(found), i == 0, certificate::day(end))
        };
        if let Some(past) = past {
            let (subject, is_leaf, day) = told(past, past.1.validity().not_after.timestamp());
            self.faults.push(ChainFault::Ended {
                subject,
                is_leaf,
                day,
            });
        }
        if let Some(early) = early {
            let (subject, is_leaf, day) = told(early, early.1.validity().not_before.timestamp());
            self.faults.push(ChainFault::Early {
                subject,
                is_leaf,
                day,
            });
        }
    }

    /// Returns a time at which the whole path holds, for devices check no dates
    /// (`CONFIG_MBEDTLS_HAVE_TIME_DATE` is off by default).
    fn time(&self, now: i64) -> UnixTime {
        let from = self.on_path().map(|c| c.validity().not_before.timestamp());
        let until = self.on_path().map(|c| c.validity().not_after.timestamp());
        let (from, until) = (from.max().unwrap_or(now), until.min().unwrap_or(now));
        let time = if from <= until {
            now.clamp(from, until)
        } else {
            now
        };
        UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(time).unwrap_or(0)))
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[usize],
        anchors: &[TrustAnchor<'_>],
        time: UnixTime,
    ) -> Result<(), webpki::Error> {
        let others: Vec<_> = others
            .iter()
            .filter_map(|i| self.all.get(*i))
            .map(|(der, _)| (*der).clone())
            .collect();
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        EndEntityCert::try_from(leaf)?
            .verify_for_usage(
                algorithms.all,
                anchors,
                &others,
                time,
                KeyUsage::server_auth(),
                None,
                None,
            )
            .map(|_| ())
    }
}

/// Tells whether another key made a signature, of the same kind or of another one.
fn is_about_signature(error: &webpki::Error) -> bool {
    matches!(
        error,
        webpki::Error::InvalidSignatureForPublicKey
            | webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
    )
}

fn is_about_trust(error: &webpki::Error) -> bool {
    matches!(error, webpki::Error::UnknownIssuer)
}

/// Returns the contents of a SEQUENCE: webpki keeps names so.
fn contents(sequence: &[u8]) -> &[u8] {
    let header = match sequence.get(1) {
        Some(length @ 0x80..) => 2 + usize::from(length & 0x7f),
        _ => 2,
    };
    sequence.get(header..).unwrap_or_default()
}
