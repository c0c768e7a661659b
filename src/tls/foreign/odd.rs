//! Certificates that are X.509 and that clients refuse all the same, and keys that are
//! the right ones in another form.

use super::der::{NAMED_CURVE, children, children_of};
use super::word;
use crate::event::text::Text;
use crate::event::{Event, event};
use crate::tls::PairPaths;
use crate::trust::certificate;
use rustls::pki_types::CertificateDer;
use std::path::Path;
use webpki::EndEntityCert;
use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::error::X509Error;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Algorithm of an RSA key that is for RSASSA-PSS only (RFC 4055).
const RSA_PSS: &str = "1.2.840.113549.1.1.10";

/// Names why clients refuse a certificate of a file, whoever signed it. Of one that is no
/// leaf only what it cannot be read for counts.
pub(in crate::tls) fn certificate_fault(
    path: &Path,
    place: usize,
    is_leaf: bool,
    der: &[u8],
) -> Option<Event> {
    let number = place + 1;
    let malformed = |what: Text| event!(PAIR_MALFORMED, file = path, number = number, what = what,);
    let parsed = match X509Certificate::from_der(der) {
        Ok(([], parsed)) => parsed,
        Ok(_) => return Some(malformed(BEHIND)),
        Err(_) if !is_x509(der) => {
            return Some(event!(PAIR_BAD_CERTIFICATE, file = path, number = number));
        }
        Err(error) => return Some(malformed(unread(&error))),
    };
    if !is_leaf {
        return None;
    }
    let version = parsed.version().0 + 1;
    if version != 3 {
        return Some(event!(PAIR_VERSION, file = path, version = version));
    }
    let error = EndEntityCert::try_from(&CertificateDer::from(der)).err()?;
    Some(match error {
        webpki::Error::UnsupportedCriticalExtension => {
            let extension = certificate::unknown_extension(&parsed);
            let extension = extension.unwrap_or_else(|| error.to_string());
            event!(
                PAIR_EXTENSION,
                file = path,
                number = number,
                extension = extension
            )
        }
        error => malformed(refused(&error)),
    })
}

const BEHIND: Text = Text::new("证书之后还有多余的字节", "bytes stand behind its end");

/// Tells whether DER has the outline of a certificate.
fn is_x509(der: &[u8]) -> bool {
    let tags = children(der).map(|parts| parts.iter().map(|part| part.header.tag()).collect());
    let outline: Option<Vec<Tag>> = tags;
    outline.as_deref() == Some(&[Tag::Sequence, Tag::Sequence, Tag::BitString])
}

fn unread(error: &x509_parser::nom::Err<X509Error>) -> Text {
    let (x509_parser::nom::Err::Error(error) | x509_parser::nom::Err::Failure(error)) = error
    else {
        return NO_DER;
    };
    match error {
        X509Error::InvalidDate => Text::new(
            "其中的日期不是 X.509 的写法（YYMMDDHHMMSSZ）",
            "a date in it is none that X.509 knows (YYMMDDHHMMSSZ)",
        ),
        X509Error::InvalidSerial => Text::new("它没有序列号", "it has no serial number"),
        X509Error::InvalidVersion => Text::new("它的版本号无法识别", "its version is none"),
        _ => NO_DER,
    }
}

fn refused(error: &webpki::Error) -> Text {
    match error {
        webpki::Error::ExtensionValueInvalid => Text::new(
            "同一个扩展出现了两次",
            "the same extension stands in it twice",
        ),
        webpki::Error::SignatureAlgorithmMismatch => Text::new(
            "两处写的签名算法不同",
            "it names two algorithms for its one signature",
        ),
        webpki::Error::TrailingData(_) => Text::new(
            "其中有多余的内容（如第 2 版的 uniqueID）",
            "something stands in it that has no place there (as a unique ID of version 2)",
        ),
        webpki::Error::InvalidSerialNumber => {
            Text::new("它的序列号无效", "its serial number is none")
        }
        _ => NO_DER,
    }
}

const NO_DER: Text = Text::new(
    "其中有一部分不符合 DER 编码",
    "a part of it is not encoded as DER wants",
);

/// Names a certificate that has the public key of the file, in a form in which clients do
/// not take it.
pub(in crate::tls) fn other_form(paths: &PairPaths, der: &[u8], own: &[u8]) -> Option<Event> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let public = parsed.public_key().raw;
    if essence(public)? != essence(own)? {
        return None;
    }
    let (form, change) = form(public)?;
    let [cert, key] = [&paths.cert, &paths.key].map(|path| word(path));
    let sign = if parsed.issuer() == parsed.subject() {
        format!("openssl x509 -in {cert} -signkey {key}.pem -days 3650 -out {cert}.pem")
    } else {
        format!(
            "openssl req -new -key {key}.pem -subj /CN=NAME -addext subjectAltName=DNS:NAME -out {cert}.csr"
        )
    };
    Some(event!(
        PAIR_FORM,
        cert = &paths.cert,
        key = &paths.key,
        form = form,
        command = format!("openssl pkey -in {key}{change} -out {key}.pem && {sign}")
    ))
}

/// Names the form of a public key, and the options of openssl that change it.
fn form(public: &[u8]) -> Option<(Text, &'static str)> {
    let parts = children(public)?;
    let algorithm = children_of(parts.first()?)?;
    let oid = algorithm.first()?.clone().oid().ok()?.to_id_string();
    if algorithm
        .get(1)
        .is_some_and(|p| p.header.tag() == Tag::Sequence)
        && oid != RSA_PSS
    {
        return Some((
            Text::new(
                "写出曲线全部参数的形式（应只写曲线的名称）",
                "with the parameters of its curve written out, where the curve's name belongs",
            ),
            NAMED_CURVE,
        ));
    }
    let first = parts.get(1)?.data.get(1)?;
    Some(if oid == RSA_PSS {
        (
            Text::new(
                "只用于 RSASSA-PSS 的形式",
                "as an RSA key for RSASSA-PSS only",
            ),
            "",
        )
    } else if matches!(first, 2 | 3) {
        (
            Text::new("压缩点的形式", "as a compressed point"),
            NAMED_CURVE,
        )
    } else {
        (
            Text::new("不常见的编码", "in an encoding that is not the usual one"),
            "",
        )
    })
}

/// Returns what tells a public key from others in whatever form: the modulus, or the first
/// coordinate of the point.
fn essence(public: &[u8]) -> Option<Vec<u8>> {
    let parts = children(public)?;
    let bits = parts.get(1)?.data.get(1..)?;
    if let Some(rsa) = children(bits) {
        let modulus: &Any<'_> = rsa.first()?;
        let zeros = modulus.data.iter().take_while(|byte| **byte == 0).count();
        return Some(modulus.data.get(zeros..)?.to_vec());
    }
    match bits {
        [4, both @ ..] => Some(both.get(..both.len() / 2)?.to_vec()),
        [2 | 3, x @ ..] => Some(x.to_vec()),
        _ => None,
    }
}
