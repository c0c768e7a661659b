//! Content of files in DER, and faults of keys.

use super::{Found, Wanted, binary, word};
use crate::event::text::Text;
use crate::event::{Event, event};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use std::path::Path;
use x509_parser::asn1_rs::{Any, FromDer as _, Oid, Tag};
use x509_parser::der_parser::oid;
use x509_parser::prelude::X509Certificate;

/// Container of PKCS #7 (RFC 5652): the number of its first arc.
const PKCS7: &str = "1.2.840.113549.1.7.";
/// Options of `openssl pkey` that write a key of an elliptic curve as everybody reads it.
pub(super) const NAMED_CURVE: &str = " -ec_param_enc named_curve -ec_conv_form uncompressed";
/// Algorithms of PKCS #5 and #12 that encrypt a key.
const LOCKED: [&str; 2] = ["1.2.840.113549.1.5.", "1.2.840.113549.1.12."];

/// Names what DER is. `from` is the command in front that makes DER of a file, where it
/// is none.
pub(super) fn named(found: Found<'_>, content: &[u8], from: Option<&str>) -> Option<Event> {
    if content.first() != Some(&0x30) {
        return None;
    }
    let file = &found.word();
    let read = |tool: &str| match from {
        None => format!("openssl {tool} -inform der -in {file} -out {file}.pem"),
        Some(from) => format!("{from}openssl {tool} -inform der -out {file}.pem"),
    };
    if X509Certificate::from_der(content).is_ok() {
        let what = Text::new("证书", "a certificate");
        return Some(binary(from, what, read("x509")));
    }
    let parts = children(content)?;
    let tags: Vec<_> = parts.iter().map(|part| part.header.tag()).collect();
    let first_oid = |part: &Any<'_>| -> Option<String> {
        let inner = children_of(part)?;
        inner
            .first()?
            .clone()
            .oid()
            .ok()
            .map(|oid| oid.to_id_string())
    };
    let event = match tags.as_slice() {
        // EncryptedPrivateKeyInfo.
        [Tag::Sequence, Tag::OctetString]
            if first_oid(&parts[0])
                .is_some_and(|oid| LOCKED.iter().any(|locked| oid.starts_with(locked))) =>
        {
            let what = Text::new("有口令的私钥", "a private key with a pass phrase");
            binary(from, what, read("pkey"))
        }
        // ContentInfo.
        [Tag::Oid, ..] => {
            let oid = parts[0].clone().oid().ok()?.to_id_string();
            if !oid.starts_with(PKCS7) {
                return None;
            }
            event!(PAIR_PKCS7, form = "der")
        }
        // PFX: version 3, and a ContentInfo.
        [Tag::Integer, Tag::Sequence] | [Tag::Integer, Tag::Sequence, Tag::Sequence]
            if first_oid(&parts[1]).is_some_and(|oid| oid.starts_with(PKCS7)) =>
        {
            event!(PAIR_PKCS12)
        }
        // PKCS #8, SEC 1, PKCS #1, and DSA's own.
        [Tag::Integer, Tag::Sequence, Tag::OctetString, ..]
        | [Tag::Integer, Tag::OctetString, ..]
        | [Tag::Integer, Tag::Integer, Tag::Integer, Tag::Integer, ..] => {
            let what = Text::new("私钥", "a private key");
            binary(from, what, read("pkey"))
        }
        [Tag::Sequence, Tag::BitString] => event!(PAIR_PUBLIC_KEY),
        [Tag::Sequence, Tag::Sequence, Tag::BitString] => request_or_list(&parts[0])?,
        [Tag::Integer, Tag::Integer, ..] => {
            event!(PAIR_PARAMETERS, label = "DH PARAMETERS")
        }
        _ => return None,
    };
    Some(event)
}

/// Tells a request from a list of revoked certificates: one begins with its version and
/// two sequences, name and key; the other has dates.
fn request_or_list(body: &Any<'_>) -> Option<Event> {
    let inner = children_of(body)?;
    let has_date = inner
        .iter()
        .any(|part| matches!(part.header.tag(), Tag::UtcTime | Tag::GeneralizedTime));
    Some(if has_date {
        event!(PAIR_REVOCATIONS)
    } else {
        event!(PAIR_REQUEST)
    })
}

pub(super) fn children(der: &[u8]) -> Option<Vec<Any<'_>>> {
    let (_, outer) = Any::from_der(der).ok()?;
    (outer.header.tag() == Tag::Sequence).then(|| parts(outer.data))
}

pub(super) fn children_of<'a>(part: &Any<'a>) -> Option<Vec<Any<'a>>> {
    (part.header.tag() == Tag::Sequence).then(|| parts(part.data))
}

/// Tells whether all of it is one SEQUENCE.
pub(super) fn is_whole(der: &[u8]) -> bool {
    Any::from_der(der).is_ok_and(|(rest, any)| rest.is_empty() && any.header.tag() == Tag::Sequence)
}

fn parts(mut data: &[u8]) -> Vec<Any<'_>> {
    let mut parts = Vec::new();
    while let Ok((rest, part)) = Any::from_der(data) {
        parts.push(part);
        data = rest;
        if data.is_empty() {
            break;
        }
    }
    parts
}

/// Returns a key as what its content is, for people write labels by hand.
pub(in crate::tls) fn by_content(key: PrivateKeyDer<'static>) -> PrivateKeyDer<'static> {
    let der = key.secret_der();
    let tags: Vec<_> = children(der)
        .unwrap_or_default()
        .iter()
        .map(|part| part.header.tag())
        .collect();
    match tags.as_slice() {
        [Tag::Integer, Tag::Sequence, Tag::OctetString, ..] => {
            PrivatePkcs8KeyDer::from(der.to_vec()).into()
        }
        [Tag::Integer, Tag::OctetString, ..] => PrivateSec1KeyDer::from(der.to_vec()).into(),
        all if all.len() >= 9 && all.iter().all(|tag| *tag == Tag::Integer) => {
            PrivatePkcs1KeyDer::from(der.to_vec()).into()
        }
        _ => key,
    }
}

/// Names why a key cannot be used.
pub(in crate::tls) fn key_fault(path: &Path, key: &PrivateKeyDer<'_>) -> Event {
    let tags = children(key.secret_der()).unwrap_or_default();
    let mut tags = tags.iter().map(|part| part.header.tag());
    if (tags.next(), tags.next()) == (Some(Tag::Sequence), Some(Tag::OctetString)) {
        let (path, wanted) = (path, Wanted::Key);
        return Found { path, wanted }.told(event!(PAIR_PASS_PHRASE, form = "PKCS#8"));
    }
    let kind = match key {
        PrivateKeyDer::Pkcs1(key) => rsa(key.secret_pkcs1_der()),
        PrivateKeyDer::Sec1(key) => sec1(key.secret_sec1_der()),
        PrivateKeyDer::Pkcs8(key) => pkcs8(key.secret_pkcs8_der()),
        _ => None,
    };
    match kind {
        Some(Kind::Rsa(bits)) if !(2048..=8192).contains(&bits) => {
            event!(PAIR_KEY_LENGTH, file = path, bits = bits)
        }
        Some(Kind::Explicit) => {
            let file = word(path);
            let command = format!("openssl pkey -in {file}{NAMED_CURVE} -out {file}.pem");
            event!(PAIR_CURVE, file = path, command = command)
        }
        Some(Kind::Other(name)) => event!(PAIR_KEY_KIND, file = path, kind = name),
        _ => event!(PAIR_BAD_KEY, file = path),
    }
}

/// Kind of a key.
enum Kind {
    /// RSA, with the length of its modulus in bits.
    Rsa(usize),
    /// A curve whose parameters are written out, and a name is wanted.
    Explicit,
    /// Anything else, by its name.
    Other(String),
}

fn rsa(der: &[u8]) -> Option<Kind> {
    let parts = children(der)?;
    let modulus = parts.get(1)?.data;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let significant = modulus.get(zeros..)?;
    let first = usize::try_from(significant.first()?.leading_zeros()).ok()?;
    Some(Kind::Rsa(significant.len() * 8 - first))
}

fn sec1(der: &[u8]) -> Option<Kind> {
    let parts = children(der)?;
    let inner = parts.get(2)?;
    let (_, curve) = Any::from_der(inner.data).ok()?;
    curve_kind(&curve)
}

fn pkcs8(der: &[u8]) -> Option<Kind> {
    let parts = children(der)?;
    let algorithm = children_of(parts.get(1)?)?;
    let oid = algorithm.first()?.clone().oid().ok()?;
    let known = [
        (oid!(1.2.840.10040.4.1), "DSA"),
        (oid!(1.2.840.113549.1.1.10), "RSA-PSS"),
        (oid!(1.3.101.110), "X25519"),
        (oid!(1.3.101.111), "X448"),
        (oid!(1.3.101.113), "Ed448"),
        (oid!(1.2.840.113549.1.3.1), "Diffie-Hellman"),
    ];
    if let Some((_, name)) = known.iter().find(|(known, _)| *known == oid) {
        return Some(Kind::Other((*name).to_owned()));
    }
    if oid == oid!(1.2.840.113549.1.1.1) {
        return rsa(parts.get(2)?.data);
    }
    if oid == oid!(1.2.840.10045.2.1) {
        return curve_kind(algorithm.get(1)?);
    }
    Some(Kind::Other(oid.to_id_string()))
}

/// Names a curve that is none of those that are known here.
fn curve_kind(curve: &Any<'_>) -> Option<Kind> {
    if curve.header.tag() != Tag::Oid {
        return Some(Kind::Explicit);
    }
    let oid = curve.clone().oid().ok()?;
    // P-256, P-384 and P-521: the fault is another one.
    let good = [
        oid!(1.2.840.10045.3.1.7),
        oid!(1.3.132.0.34),
        oid!(1.3.132.0.35),
    ];
    if good.contains(&oid) {
        return None;
    }
    let known: [(Oid<'_>, &str); 7] = [
        (oid!(1.3.132.0.10), "secp256k1"),
        (oid!(1.3.132.0.33), "secp224r1"),
        (oid!(1.2.840.10045.3.1.1), "secp192r1"),
        (oid!(1.3.36.3.3.2.8.1.1.7), "brainpoolP256r1"),
        (oid!(1.3.36.3.3.2.8.1.1.11), "brainpoolP384r1"),
        (oid!(1.3.36.3.3.2.8.1.1.13), "brainpoolP512r1"),
        (oid!(1.2.156.10197.1.301), "SM2"),
    ];
    let name = known.iter().find(|(known, _)| *known == oid);
    let name = name.map_or_else(|| oid.to_id_string(), |(_, name)| (*name).to_owned());
    Some(Kind::Other(name))
}
