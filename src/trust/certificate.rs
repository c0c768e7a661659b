//! Reads what one certificate says of itself.

use std::fmt::Write as _;
use std::net::IpAddr;
use x509_parser::asn1_rs::{Any, FromDer as _, Tag};
use x509_parser::der_parser::{oid, oid::Oid};
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};
use x509_parser::oid_registry::{OID_PKCS1_MD5WITHRSAENC, OID_PKCS1_SHA1WITHRSA, OID_SIG_ED25519};
use x509_parser::prelude::{X509Certificate, X509Name};
use x509_parser::public_key::PublicKey;

/// ecdsa-with-SHA1 (RFC 3279, section 2.2.3).
const ECDSA_WITH_SHA1: Oid<'_> = oid!(1.2.840.10045.4.1);
/// Number of names in a line of evidence.
const LISTED: usize = 8;
/// Length of the longest of them, in characters.
const LENGTH: usize = 128;

/// Names that a certificate is made for, as `x509_crt_verify_name` reads them: the
/// CN counts where there is no subjectAltName.
#[derive(Debug)]
pub(crate) struct CertificateNames {
    hosts: Vec<String>,
    addresses: Vec<IpAddr>,
    /// True where the certificate has no subjectAltName.
    pub(crate) in_subject_only: bool,
}

impl CertificateNames {
    pub(crate) fn of(certificate: &X509Certificate<'_>) -> Self {
        let mut names = Self {
            hosts: Vec::new(),
            addresses: Vec::new(),
            in_subject_only: false,
        };
        let Ok(Some(san)) = certificate.subject_alternative_name() else {
            names.in_subject_only = true;
            let subject = certificate.subject().iter_common_name();
            names.hosts = subject
                .filter_map(|cn| cn.as_str().ok())
                .map(str::to_owned)
                .collect();
            return names;
        };
        for name in &san.value.general_names {
            match name {
                GeneralName::DNSName(name) => names.hosts.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => names.addresses.extend(address(bytes)),
                _ => {}
            }
        }
        names
    }

    /// Returns whether the certificate is made for this host. A dNSName that spells
    /// an address counts, too.
    pub(crate) fn hold(&self, host: &str) -> bool {
        let address = host.parse::<IpAddr>();
        self.hosts
            .iter()
            .any(|name| name.eq_ignore_ascii_case(host) || is_wildcard_of(name, host))
            || address.is_ok_and(|address| self.addresses.contains(&address))
    }

    /// Lists the names as evidence.
    pub(crate) fn list(&self) -> String {
        let addresses = self.addresses.iter().map(IpAddr::to_string);
        let all: Vec<_> = self.hosts.iter().cloned().chain(addresses).collect();
        if all.is_empty() {
            return "no name at all".to_owned();
        }
        let mut text = String::new();
        for (i, name) in all.iter().take(LISTED).enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}{}", cut(name));
        }
        if all.len() > LISTED {
            let _ = write!(text, " and {} more", all.len() - LISTED);
        }
        text
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// Returns whether a name covers a host by a star for the first label, whole
/// (`x509_check_wildcard`).
fn is_wildcard_of(name: &str, host: &str) -> bool {
    match (name.strip_prefix('*'), host.find('.')) {
        (Some(rest), Some(dot @ 1..)) if rest.len() > 1 && rest.starts_with('.') => host
            .get(dot..)
            .is_some_and(|parent| parent.eq_ignore_ascii_case(rest)),
        _ => false,
    }
}

/// Describes a certificate in a few words.
pub(crate) fn subject(certificate: &X509Certificate<'_>) -> String {
    let subject = certificate.subject();
    if subject.iter().next().is_some() {
        return name(subject);
    }
    // The CA/Browser Forum would rather have no CN at all.
    CertificateNames::of(certificate).list()
}

/// Returns the common name, or the whole name where there is none.
pub(crate) fn name(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().find_map(|cn| cn.as_str().ok());
    match common {
        Some(common) => format!("CN={}", cut(common)),
        None => cut(&name.to_string()),
    }
}

/// Writes a day: `2026-12-01`.
pub(crate) fn day(timestamp: i64) -> String {
    let time = jiff::Timestamp::from_second(timestamp);
    time.map_or_else(|_| timestamp.to_string(), |t| t.strftime("%F").to_string())
}

/// Returns the address of its issuer's certificate (authorityInfoAccess).
pub(crate) fn issuer_address(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate.extensions().iter().find_map(|extension| {
        let ParsedExtension::AuthorityInfoAccess(access) = extension.parsed_extension() else {
            return None;
        };
        access.accessdescs.iter().find_map(|description| {
            // id-ad-caIssuers
            let issuers = description.access_method.to_id_string() == "1.3.6.1.5.5.7.48.2";
            match &description.access_location {
                GeneralName::URI(uri) if issuers => Some(cut(uri)),
                _ => None,
            }
        })
    })
}

/// Returns whether its key or its signature is Ed25519.
pub(crate) fn is_ed25519(certificate: &X509Certificate<'_>) -> bool {
    certificate.signature_algorithm.algorithm == OID_SIG_ED25519
        || certificate.public_key().algorithm.algorithm == OID_SIG_ED25519
}

/// Reason for which a certificate cannot stand for those below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unable {
    /// It is no authority's (basicConstraints).
    NoAuthority,
    /// It is an authority's, and not to sign certificates (keyUsage).
    NoSigning,
    /// It lets fewer authorities stand below it (pathlen).
    TooDeep,
}

impl Unable {
    /// Returns what of the certificate shows it.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::NoAuthority => "CA:FALSE",
            Self::NoSigning => "keyUsage without keyCertSign",
            Self::TooDeep => "pathlen",
        }
    }
}

/// Returns why a certificate may not sign one with so many authorities on the path between
/// it and the leaf, which mbedTLS asks of each that might (`x509_crt_find_parent_in`).
pub(crate) fn unable(certificate: &X509Certificate<'_>, below: usize) -> Option<Unable> {
    let usage = certificate.key_usage().ok().flatten();
    let constraints = certificate.basic_constraints().ok().flatten();
    let depth = constraints.and_then(|c| c.value.path_len_constraint);
    if !certificate.is_ca() {
        Some(Unable::NoAuthority)
    } else if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
        Some(Unable::NoSigning)
    } else {
        let is_deep =
            depth.is_some_and(|most| usize::try_from(most).is_ok_and(|most| below > most));
        is_deep.then_some(Unable::TooDeep)
    }
}

/// Weakness of a certificate, which mbedTLS's default profile
/// (`mbedtls_x509_crt_profile_default`) does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weakness {
    /// An RSA key of so many bits.
    ShortRsa(usize),
    /// A signature with SHA-1 or MD5.
    OldHash,
}

/// Returns what is too weak in it.
pub(crate) fn weakness(certificate: &X509Certificate<'_>) -> Option<Weakness> {
    if let Ok(PublicKey::RSA(key)) = certificate.public_key().parsed()
        && key.key_size() < 2048
    {
        return Some(Weakness::ShortRsa(key.key_size()));
    }
    let old = [
        OID_PKCS1_MD5WITHRSAENC,
        OID_PKCS1_SHA1WITHRSA,
        ECDSA_WITH_SHA1,
    ];
    let is_root = certificate.subject() == certificate.issuer();
    (!is_root && old.contains(&certificate.signature_algorithm.algorithm))
        .then_some(Weakness::OldHash)
}

/// Extensions that mbedTLS knows (`oid_x509_ext` in its `oid.c`), by the last arc of
/// 2.5.29: the identifiers of keys, usage, names, constraints, policies, extended usage.
const KNOWN: [&str; 7] = ["14", "15", "17", "19", "32", "35", "37"];
/// The policy that every one is (RFC 5280, section 4.2.1.4), encoded.
const ANY_POLICY: &[u8] = b"\x06\x04\x55\x1d\x20\x00";

/// Returns the first extension that a client must know and mbedTLS does not, by name and
/// number.
pub(crate) fn unknown_extension(certificate: &X509Certificate<'_>) -> Option<String> {
    let is_known = |extension: &X509Extension<'_>| {
        let oid = extension.oid.to_id_string();
        // Of policies it takes that one alone where they are critical.
        let is_any = || extension.value.windows(6).any(|part| part == ANY_POLICY);
        match oid.strip_prefix("2.5.29.") {
            Some("32") => is_any(),
            Some(arc) => KNOWN.contains(&arc),
            // nsCertType.
            None => oid == "2.16.840.1.113730.1.1",
        }
    };
    let mut extensions = certificate.extensions().iter();
    let found = extensions.find(|extension| extension.critical && !is_known(extension))?;
    let oid = found.oid.to_id_string();
    let name = match oid.as_str() {
        "2.5.29.30" => "nameConstraints",
        "2.5.29.31" => "cRLDistributionPoints",
        "2.5.29.32" => "certificatePolicies",
        "2.5.29.33" => "policyMappings",
        "2.5.29.36" => "policyConstraints",
        "2.5.29.54" => "inhibitAnyPolicy",
        "1.3.6.1.5.5.7.1.1" => "authorityInfoAccess",
        "1.3.6.1.5.5.7.1.3" => "qcStatements",
        "1.3.6.1.5.5.7.1.24" => "tlsFeature, must-staple",
        "1.3.6.1.4.1.11129.2.4.3" => "poison of a pre-certificate",
        _ => return Some(oid),
    };
    Some(format!("{name}, {oid}"))
}

/// Returns the first of its dates that is not written as mbedTLS reads it
/// (`mbedtls_x509_get_time`): to the second, in UTC.
pub(crate) fn odd_date(der: &[u8]) -> Option<String> {
    let inside = |der: &[u8]| Any::from_der(der).ok().map(|(_, any)| any.data.to_vec());
    let parts = |mut data: &[u8]| {
        let mut found = Vec::new();
        while let Ok((rest, part)) = Any::from_der(data) {
            found.push((part.header.tag(), part.data.to_vec()));
            data = rest;
        }
        found
    };
    let body = inside(&inside(der)?)?;
    let all = parts(&body);
    let dates = all.iter().map(|(_, data)| parts(data)).find(|dates| {
        let is_date = |tag: Tag| matches!(tag, Tag::UtcTime | Tag::GeneralizedTime);
        dates.len() == 2 && dates.iter().all(|(tag, _)| is_date(*tag))
    })?;
    let is_odd = |(tag, date): &(Tag, Vec<u8>)| {
        let digits = if *tag == Tag::UtcTime { 12 } else { 14 };
        let (number, rest) = date.split_at_checked(digits).unwrap_or((&[], date));
        !(number.len() == digits
            && number.iter().all(u8::is_ascii_digit)
            && matches!(rest, b"" | b"Z"))
    };
    let odd = dates.into_iter().find(is_odd)?;
    Some(cut(&String::from_utf8_lossy(&odd.1)))
}

fn cut(text: &str) -> String {
    let escaped = text.escape_debug();
    if text.chars().nth(LENGTH).is_none() {
        return escaped.to_string();
    }
    let head: String = text.chars().take(LENGTH).collect();
    format!("{}…", head.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_as_in_mbedtls() {
        let names = CertificateNames {
            hosts: vec!["*.example.com".into(), "10.0.0.9".into()],
            addresses: vec![IpAddr::from([10, 0, 0, 8])],
            in_subject_only: false,
        };
        for (host, held) in [
            ("ota.example.com", true),
            ("OTA.Example.com", true),
            ("example.com", false),
            ("a.b.example.com", false),
            (".example.com", false),
            ("10.0.0.8", true),
            ("10.0.0.9", true),
            ("10.0.0.7", false),
        ] {
            assert_eq!(names.hold(host), held, "{host}");
        }
        assert!(!is_wildcard_of("*.", "a."));
        assert_eq!(names.list(), "*.example.com, 10.0.0.9, 10.0.0.8");
    }

    #[test]
    fn days() {
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(1_764_547_200), "2025-12-01");
        assert_eq!(day(i64::MAX), i64::MAX.to_string());
    }
}
