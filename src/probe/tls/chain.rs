//! Findings of the probe on a chain, in the words of its rules.

use crate::probe::line::Kind;
use crate::probe::report::{Evidence, Finding};
use crate::probe::rule::Rule;
use crate::probe::rules::tls as rules;
use crate::trust::bundle::Roots;
use crate::trust::{self, ChainFault, End, Weakness};
use rustls::pki_types::CertificateDer;

/// Lines of a handshake that the bundle refused: mbedTLS makes a fatal error of it.
const NOT_TRUSTED: &str = "E (…) esp-x509-crt-bundle: Failed to verify certificate\n\
     E (…) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x3000";
/// Line of a handshake that mbedTLS itself refused.
const NOT_VERIFIED: &str = "E (…) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x2700";

/// Line for a message in more than one record, before mbedTLS 3.6.3.
const FRAGMENTED: &str = "E (…) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x7080";
/// Line for an extension that mbedTLS does not know and must not pass over.
const BAD_EXTENSION: &str = "E (…) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x2562";

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
    let judged = trust::judge(chain, Some(host), now, roots);
    let findings = judged.faults.into_iter();
    Judged {
        leaf: judged.leaf,
        findings: findings.filter_map(|fault| finding(fault, kind)).collect(),
    }
}

/// Makes a finding of a fault on which every device fails that verifies.
fn fault(
    kind: Kind,
    rule: &'static Rule,
    evidence: impl Into<Evidence>,
    serial: &str,
) -> Option<Finding> {
    let finding = Finding::on(rule, kind, Kind::verifies, evidence)?;
    // It is a Wi-Fi device's own line.
    Some(if kind.verifies() {
        finding.serial(serial)
    } else {
        finding
    })
}

fn finding(found: ChainFault, kind: Kind) -> Option<Finding> {
    let fault = |rule, evidence: Evidence, serial| fault(kind, rule, evidence, serial);
    match found {
        ChainFault::Nothing(why) => Some(Finding::fail(&rules::UNREADABLE_CERTIFICATE, why)),
        ChainFault::Long { count, bytes } => {
            let evidence = Evidence::both(
                format!("{count} 张证书，共 {bytes} 字节"),
                format!("{count} certificates in {bytes} bytes"),
            );
            fault(&rules::LONG_CERTIFICATES, evidence, FRAGMENTED)
        }
        ChainFault::Ed25519 { subject, is_leaf } => {
            let evidence = format!("{subject}: Ed25519").into();
            // What is left: nothing at all, or a leaf without its issuer.
            let serial = if is_leaf { NOT_VERIFIED } else { NOT_TRUSTED };
            fault(&rules::ED25519_CERTIFICATE, evidence, serial)
        }
        ChainFault::Weak { subject, how, .. } => {
            let how = match how {
                Weakness::ShortRsa(bits) => format!("an RSA key of {bits} bits"),
                Weakness::OldHash => "signed with SHA-1 or MD5".to_owned(),
            };
            let evidence = format!("{subject}: {how}").into();
            fault(&rules::WEAK_CERTIFICATE, evidence, NOT_VERIFIED)
        }
        ChainFault::SelfSigned { subject } => {
            fault(&rules::SELF_SIGNED, subject.into(), NOT_TRUSTED)
        }
        ChainFault::YoungRoot { root } => {
            let evidence = Evidence::both(
                format!("ESP-IDF 5.3 和 5.4 里没有根证书 {root}"),
                format!("the root {root} is missing in ESP-IDF 5.3 and 5.4"),
            );
            kind.verifies()
                .then(|| Finding::warn(&rules::ROOT_NOT_IN_BUNDLE, evidence))
        }
        ChainFault::OldRoot(end) if kind.verifies() => {
            Some(Finding::warn(&rules::OLD_ROOT, told(&end)))
        }
        ChainFault::OldRoot(end) | ChainFault::UnknownIssuer(end) => {
            fault(&rules::UNKNOWN_ISSUER, told(&end), NOT_TRUSTED)
        }
        ChainFault::WrongOrder(end) => fault(&rules::WRONG_ORDER, told(&end), NOT_TRUSTED),
        ChainFault::CrossSigned(end) => fault(&rules::CROSS_SIGNED_ROOT, told(&end), NOT_TRUSTED),
        ChainFault::UnknownToDevices(end) => {
            fault(&rules::ROOT_NOT_IN_BUNDLE, told(&end), NOT_TRUSTED)
        }
        ChainFault::NotForServers { subject } => {
            fault(&rules::NOT_FOR_SERVERS, subject.into(), NOT_VERIFIED)
        }
        ChainFault::BadSignature(End { last, issuer }) => {
            let evidence = Evidence::both(
                format!("{last} 的签名不是由名为 {issuer} 的证书的密钥所作"),
                format!("the signature of {last} is not by the key of {issuer}"),
            );
            fault(&rules::BROKEN_CHAIN, evidence, NOT_TRUSTED)
        }
        ChainFault::Unable { subject, why } => {
            let evidence = format!("{subject}: {}", why.sign()).into();
            fault(&rules::BROKEN_CHAIN, evidence, NOT_TRUSTED)
        }
        ChainFault::UnknownExtension { subject, extension } => {
            let evidence = format!("{subject}: {extension}").into();
            fault(&rules::UNREADABLE_CERTIFICATE, evidence, BAD_EXTENSION)
        }
        ChainFault::Odd { subject, error } => {
            let evidence = format!("{subject}: {error}");
            Some(Finding::warn(&rules::ODD_CERTIFICATE, evidence))
        }
        ChainFault::LeafOnly { end, source } => {
            let evidence = match source {
                Some(source) => told(&end).and(&format!("\n{source}")),
                None => told(&end),
            };
            fault(&rules::LEAF_ONLY_CHAIN, evidence, NOT_TRUSTED)
        }
        ChainFault::Torn(end) => fault(&rules::BROKEN_CHAIN, told(&end), NOT_TRUSTED),
        ChainFault::WrongName { names, host } => {
            let evidence = Evidence::both(
                format!("证书用于 {names}，不是 {host}"),
                format!("for {names}, not for {host}"),
            );
            fault(&rules::WRONG_NAME, evidence, NOT_VERIFIED)
        }
        ChainFault::NameInSubject { subject } => {
            Some(Finding::warn(&rules::NAME_IN_SUBJECT_ONLY, subject))
        }
        ChainFault::Ended { subject, day, .. } => {
            let evidence = Evidence::both(
                format!("{subject}：有效期至 {day}"),
                format!("{subject}: valid until {day}"),
            );
            Some(Finding::warn(&rules::EXPIRED_CERTIFICATE, evidence))
        }
        ChainFault::Early { subject, day, .. } => {
            let evidence = Evidence::both(
                format!("{subject}：生效时间 {day}"),
                format!("{subject}: valid from {day}"),
            );
            Some(Finding::warn(&rules::NOT_YET_VALID, evidence))
        }
    }
}

/// Says where a path ends.
fn told(end: &End) -> Evidence {
    let End { last, issuer } = end;
    Evidence::both(
        format!("证书链止于 {last}，它的签发者是 {issuer}"),
        format!("the chain ends at {last}, whose issuer is {issuer}"),
    )
}

#[cfg(test)]
mod tests;
