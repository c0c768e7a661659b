//! Judges a chain as mbedTLS and Espressif's bundle do (`x509_crt_verify_chain` in
//! mbedTLS 3.6's `x509_crt.c`, `esp_crt_verify_callback` in ESP-IDF's
//! `esp_crt_bundle.c`): from the leaf upwards, each certificate's issuer is the
//! first behind it that has its name; at the end of that path, the bundle must know
//! the issuer of the last.

use super::bundle::{self, Roots};
use super::certificate::{self, CertificateNames};
use crate::probe::line::Kind;
use crate::probe::report::{Evidence, Finding};
use crate::probe::rule::Rule;
use crate::probe::rules::tls as rules;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Lines of a handshake that the bundle refused: mbedTLS makes a fatal error of it.
const NOT_TRUSTED: &str = "E (…) esp-x509-crt-bundle: Failed to verify certificate\n\
     E (…) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x3000";
/// Line of a handshake that mbedTLS itself refused.
const NOT_VERIFIED: &str = "E (…) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x2700";

/// Line for a message in more than one record, before mbedTLS 3.6.3.
const FRAGMENTED: &str = "E (…) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x7080";
/// Line for an extension that mbedTLS does not know and must not pass over.
const BAD_EXTENSION: &str = "E (…) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x2562";
/// Bytes that a device takes in a record (`CONFIG_MBEDTLS_SSL_IN_CONTENT_LEN`).
const RECORD: usize = 16_384;

/// Judgement on a chain.
#[derive(Debug)]
pub(super) struct Judged {
    /// Leaf, in a few words.
    pub(super) leaf: String,
    pub(super) findings: Vec<Finding>,
}

/// Judges a chain for a host at a time in seconds since 1970.
pub(super) fn judge(
    chain: &[CertificateDer<'_>],
    host: &str,
    now: i64,
    roots: &Roots,
    kind: Kind,
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
        kind,
        findings: Vec::new(),
    };
    case.length(chain);
    if !case.ed25519() {
        case.strength();
        case.trust(now);
    }
    case.name(leaf, host);
    case.dates(now);
    Judged {
        leaf: format!(
            "{}, until {}",
            certificate::subject(leaf),
            certificate::day(leaf.validity().not_after.timestamp())
        ),
        findings: case.findings,
    }
}

fn unreadable(why: &str) -> Judged {
    Judged {
        leaf: "unreadable certificate".to_owned(),
        findings: vec![Finding::fail(&rules::UNREADABLE_CERTIFICATE, why)],
    }
}

type Sent<'a> = (&'a CertificateDer<'a>, X509Certificate<'a>);

/// Returns the places of the certificates on mbedTLS's path, from the leaf up.
fn walk(all: &[Sent<'_>]) -> Vec<usize> {
    let mut path = vec![0];
    let mut at = 0;
    while let Some((_, child)) = all.get(at) {
        let issuer = |(i, (_, parent)): (usize, &Sent<'_>)| {
            (parent.subject() == child.issuer() && parent.is_ca()).then_some(i)
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
    kind: Kind,
    findings: Vec<Finding>,
}

impl<'a> Case<'a> {
    fn on_path(&self) -> impl Iterator<Item = &'a X509Certificate<'a>> + use<'a> {
        let (all, path) = (self.all, self.path);
        path.iter().filter_map(|i| all.get(*i)).map(|sent| &sent.1)
    }

    /// Adds a fault on which every device fails that verifies.
    fn fault(&mut self, rule: &'static Rule, evidence: impl Into<Evidence>, serial: &str) {
        let finding = Finding::on(rule, self.kind, Kind::verifies, evidence);
        let finding = finding.map(|f| {
            // It is a Wi-Fi device's own line.
            if self.kind.verifies() {
                f.serial(serial)
            } else {
                f
            }
        });
        self.findings.extend(finding);
    }

    fn length(&mut self, chain: &[CertificateDer<'_>]) {
        // RFC 5246, section 7.4.2: each with three bytes for its length, and
        // three for them all, behind the message's own four.
        let length: usize = chain.iter().map(|der| der.len() + 3).sum::<usize>() + 7;
        if length > RECORD {
            let evidence = Evidence::both(
                format!("{} 张证书，共 {length} 字节", chain.len()),
                format!("{} certificates in {length} bytes", chain.len()),
            );
            self.fault(&rules::LONG_CERTIFICATES, evidence, FRAGMENTED);
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
        let evidence = format!("{}: Ed25519", certificate::subject(found));
        // What is left: nothing at all, or a leaf without its issuer.
        let serial = if i == 0 { NOT_VERIFIED } else { NOT_TRUSTED };
        self.fault(&rules::ED25519_CERTIFICATE, evidence, serial);
        true
    }

    fn strength(&mut self) {
        // A root's own signature proves nothing, and nobody looks at it.
        let weak = self.on_path().find_map(|certificate| {
            let why = certificate::weakness(certificate)?;
            Some(format!("{}: {why}", certificate::subject(certificate)))
        });
        if let Some(evidence) = weak {
            self.fault(&rules::WEAK_CERTIFICATE, evidence, NOT_VERIFIED);
        }
    }

    /// Judges whether the bundle knows the issuer of the last certificate.
    fn trust(&mut self, now: i64) {
        let (Some((der, leaf)), Some(top)) = (self.all.first(), self.on_path().last()) else {
            return;
        };
        if leaf.subject() == leaf.issuer() {
            // Its own root: the bundle holds its name and key.
            if !self.roots.extra.iter().any(|root| root == *der) {
                self.fault(&rules::SELF_SIGNED, certificate::subject(leaf), NOT_TRUSTED);
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
            if self.kind.verifies() && bundle::has_name(issuer, bundle::LACKING_BEFORE_5_5) {
                let root = certificate::name(top.issuer());
                let evidence = Evidence::both(
                    format!("ESP-IDF 5.3 和 5.4 里没有根证书 {root}"),
                    format!("the root {root} is missing in ESP-IDF 5.3 and 5.4"),
                );
                let finding = Finding::warn(&rules::ROOT_NOT_IN_BUNDLE, evidence);
                self.findings.push(finding);
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
        let (end, above) = (certificate::subject(top), certificate::name(top.issuer()));
        let evidence = Evidence::both(
            format!("证书链止于 {end}，它的签发者是 {above}"),
            format!("the chain ends at {end}, whose issuer is {above}"),
        );
        let old = bundle::has_name(issuer, bundle::REMOVED);
        if old && self.kind.verifies() && is_about_trust(&error) {
            let finding = Finding::warn(&rules::OLD_ROOT, evidence);
            self.findings.push(finding);
            return;
        }
        let rule = if self.verify(der, &every, &self.roots.device, time).is_ok() {
            if self.all.iter().any(|(_, c)| c.subject() == top.issuer()) {
                &rules::WRONG_ORDER
            } else {
                &rules::CROSS_SIGNED_ROOT
            }
        } else if self.verify(der, &every, &self.roots.all, time).is_ok()
            || (bundle::has_name(issuer, bundle::TOO_NEW) && bundle::has_name(issuer, &["ISRG"]))
        {
            &rules::ROOT_NOT_IN_BUNDLE
        } else {
            return self.untrusted(leaf, top, &error, evidence);
        };
        self.fault(rule, evidence, NOT_TRUSTED);
    }

    /// Names the reason for which nobody trusts the chain.
    fn untrusted(
        &mut self,
        leaf: &X509Certificate<'_>,
        top: &X509Certificate<'_>,
        error: &webpki::Error,
        evidence: Evidence,
    ) {
        if matches!(error, webpki::Error::RequiredEkuNotFoundContext(_)) {
            let usage = certificate::subject(leaf);
            return self.fault(&rules::NOT_FOR_SERVERS, usage, NOT_VERIFIED);
        }
        if matches!(error, webpki::Error::InvalidSignatureForPublicKey) {
            let evidence = evidence.and(&format!(": {error}"));
            return self.fault(&rules::BROKEN_CHAIN, evidence, NOT_TRUSTED);
        }
        if matches!(error, webpki::Error::UnsupportedCriticalExtension) {
            // `MBEDTLS_X509_ALLOW_UNSUPPORTED_CRITICAL_EXTENSION` is off.
            let evidence = format!("{}: {error}", certificate::subject(leaf));
            return self.fault(&rules::UNREADABLE_CERTIFICATE, evidence, BAD_EXTENSION);
        }
        if !is_about_trust(error) {
            // A CA as the leaf, version 1: mbedTLS 3.6 takes both.
            let evidence = format!("{}: {error}", certificate::subject(leaf));
            self.findings
                .push(Finding::warn(&rules::ODD_CERTIFICATE, evidence));
            return;
        }
        // Every public authority says where its certificate lies.
        let source = certificate::issuer_address(top);
        let alone = self.all.len() == 1;
        let incomplete = alone && (source.is_some() || !self.roots.extra.is_empty());
        let rule = if incomplete {
            &rules::LEAF_ONLY_CHAIN
        } else if self.path.len() < self.all.len() {
            &rules::BROKEN_CHAIN
        } else {
            &rules::UNKNOWN_ISSUER
        };
        let evidence = match source {
            Some(source) if incomplete => evidence.and(&format!("\n{source}")),
            _ => evidence,
        };
        self.fault(rule, evidence, NOT_TRUSTED);
    }

    fn name(&mut self, leaf: &X509Certificate<'_>, host: &str) {
        let names = CertificateNames::of(leaf);
        if !names.hold(host) {
            let list = names.list();
            let evidence = Evidence::both(
                format!("证书用于 {list}，不是 {host}"),
                format!("for {list}, not for {host}"),
            );
            self.fault(&rules::WRONG_NAME, evidence, NOT_VERIFIED);
        } else if names.in_subject_only {
            let evidence = certificate::subject(leaf);
            let finding = Finding::warn(&rules::NAME_IN_SUBJECT_ONLY, evidence);
            self.findings.push(finding);
        }
    }

    fn dates(&mut self, now: i64) {
        let past = self
            .on_path()
            .find(|c| c.validity().not_after.timestamp() < now);
        let early = self
            .on_path()
            .find(|c| c.validity().not_before.timestamp() > now);
        let rules = [
            (past, &rules::EXPIRED_CERTIFICATE, "until", "有效期至"),
            (early, &rules::NOT_YET_VALID, "from", "生效时间"),
        ];
        for (found, rule, word, zh) in rules {
            let Some(found) = found else { continue };
            let validity = found.validity();
            let end = if word == "until" {
                validity.not_after
            } else {
                validity.not_before
            };
            let (whose, day) = (
                certificate::subject(found),
                certificate::day(end.timestamp()),
            );
            let evidence = Evidence::both(
                format!("{whose}：{zh} {day}"),
                format!("{whose}: valid {word} {day}"),
            );
            self.findings.push(Finding::warn(rule, evidence));
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

#[cfg(test)]
mod tests;
