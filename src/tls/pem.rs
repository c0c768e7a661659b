//! PEM files: reads certificates and keys. The only user of rustls-pemfile, which is
//! archived: a move to another reader touches this file alone.

use super::PairPaths;
use crate::util::small_file;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureAlgorithm};
use rustls_pemfile::Item;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Certificate chain with its key, checked to belong together.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    /// Chain and key as rustls serves them.
    pub certified: Arc<CertifiedKey>,
    /// True for an ECDSA key, false for an RSA one.
    pub is_ecdsa: bool,
    /// Length of the key, in bits; 0 if that cannot be told.
    pub key_bits: usize,
    /// Number of the first certificate, counted from 1, whose signer is not in the
    /// file, though there are others that nothing leads to.
    pub gap: Option<usize>,
    /// Host names of the leaf, lower case, and its IP addresses.
    pub names: Vec<String>,
    /// Begin of its validity, in seconds since 1970.
    pub not_before: i64,
    /// End of its validity, in seconds since 1970.
    pub not_after: i64,
    /// True where the leaf is signed with its own key.
    pub is_self_signed: bool,
    /// Paths of the files.
    pub paths: PairPaths,
}

/// Error where a certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PairError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    /// The file is no PEM.
    #[error("{}: not a PEM file: {fault}", path.display())]
    Pem { path: PathBuf, fault: PemFault },
    /// The file holds no certificate.
    #[error("{}: holds no certificate: name the file with -----BEGIN CERTIFICATE-----, the chain included (fullchain.pem)", path.display())]
    NoCertificate { path: PathBuf },
    /// The file holds no key.
    #[error("{}: holds no private key without a pass phrase: name the file with -----BEGIN PRIVATE KEY----- (privkey.pem)", path.display())]
    NoKey { path: PathBuf },
    /// The certificate is damaged.
    #[error("{}: its first certificate is damaged, or is none: copy it again, or have it issued anew", path.display())]
    BadCertificate { path: PathBuf },
    /// The key is damaged, or of a kind that nobody has.
    #[error(
        "{}: its key is damaged, or of a kind that is not known here: use a P-256 key, or an RSA key of 2048 to 4096 bits",
        path.display()
    )]
    BadKey { path: PathBuf },
    /// The key is an Ed25519 one, which no device can read.
    #[error("{}: is an Ed25519 key, which devices (mbedTLS) cannot use: make a P-256 or RSA one", path.display())]
    Ed25519 { path: PathBuf },
    /// The certificate and the key are not one pair.
    #[error("{}: is not the key of {}: name the two files that were made together", key.display(), cert.display())]
    Mismatch { cert: PathBuf, key: PathBuf },
}

/// Fault that keeps a file from being read as PEM.
///
/// None of them holds a byte of the file, which may be a key: the library's own
/// messages do, and are not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PemFault {
    /// Line breaks were written out as `\n`, as environment variables and JSON have
    /// them.
    #[error(
        "its line breaks have become the two characters \\n: write it as lines (printf '%b' \"$(cat FILE)\" > NEW)"
    )]
    EscapedBreaks,
    /// Beginning, content and end stand on one line.
    #[error(
        "its lines have run together: -----BEGIN ...----- and -----END ...----- must stand on lines of their own, with the \
         content between them"
    )]
    RunTogether,
    /// A block that begins and does not end.
    #[error("a block of it has no -----END ...----- line: it was cut off; copy it again")]
    NoEnd,
    /// The text between the two lines is no base64.
    #[error("the content of a block is no base64: it is damaged; copy it again")]
    NoBase64,
}

impl PemFault {
    fn of(error: &rustls_pemfile::Error, text: &[u8]) -> Self {
        let holds = |what: &[u8]| text.windows(what.len()).any(|window| window == what);
        let is_one_line = |line: &[u8]| {
            let begins = line.windows(11).position(|window| window == b"-----BEGIN ");
            begins.is_some_and(|at| line[at..].windows(9).any(|window| window == b"-----END "))
        };
        if holds(b"-----\\n") || holds(b"-----\\r\\n") {
            Self::EscapedBreaks
        } else if text.split(|b| matches!(b, b'\n' | b'\r')).any(is_one_line) {
            Self::RunTogether
        } else {
            match error {
                rustls_pemfile::Error::MissingSectionEnd { .. } => Self::NoEnd,
                rustls_pemfile::Error::IllegalSectionStart { .. } => Self::RunTogether,
                rustls_pemfile::Error::Base64Decode(_) => Self::NoBase64,
            }
        }
    }
}

impl Pair {
    /// Reads and checks a pair.
    pub(crate) fn load(paths: &PairPaths) -> Result<Self, PairError> {
        Self::parse(paths, &read(&paths.cert)?, &read(&paths.key)?)
    }

    /// Checks a pair that was read from `paths`, or is to be written there.
    pub(super) fn parse(paths: &PairPaths, cert: &[u8], key: &[u8]) -> Result<Self, PairError> {
        let chain = certificates(&paths.cert, cert)?;
        let key = private_key(&paths.key, key)?;
        let bad = || PairError::BadCertificate {
            path: paths.cert.clone(),
        };
        let leaf = chain.first().ok_or_else(|| PairError::NoCertificate {
            path: paths.cert.clone(),
        })?;
        let (_, parsed) = X509Certificate::from_der(leaf).map_err(|_| bad())?;
        let names = names(&parsed);
        let (not_before, not_after) = (
            parsed.validity().not_before.timestamp(),
            parsed.validity().not_after.timestamp(),
        );
        let is_self_signed = parsed.issuer() == parsed.subject();
        let key_bits = parsed.public_key().parsed().map_or(0, |key| key.key_size());
        let gap = gap(&chain);

        let signer = any_supported_type(&key).map_err(|_| PairError::BadKey {
            path: paths.key.clone(),
        })?;
        let algorithm = signer.algorithm();
        if algorithm == SignatureAlgorithm::ED25519 {
            return Err(PairError::Ed25519 {
                path: paths.key.clone(),
            });
        }
        let certified = CertifiedKey::new(chain, signer);
        match certified.keys_match() {
            // A key that cannot show its public half is tried as it is.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(PairError::Mismatch {
                    cert: paths.cert.clone(),
                    key: paths.key.clone(),
                });
            }
            Err(_) => return Err(bad()),
        }
        Ok(Self {
            is_ecdsa: algorithm == SignatureAlgorithm::ECDSA,
            key_bits,
            gap,
            certified: Arc::new(certified),
            names,
            not_before,
            not_after,
            is_self_signed,
            paths: paths.clone(),
        })
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let san = certificate.subject_alternative_name().ok().flatten();
    let general_names = san
        .map(|san| san.value.general_names.as_slice())
        .unwrap_or_default();
    let mut names = Vec::new();
    for name in general_names {
        let text = match name {
            GeneralName::DNSName(name) => name.to_ascii_lowercase(),
            GeneralName::IPAddress(bytes) => {
                match (<[u8; 4]>::try_from(*bytes), <[u8; 16]>::try_from(*bytes)) {
                    (Ok(v4), _) => std::net::Ipv4Addr::from(v4).to_string(),
                    (_, Ok(v6)) => std::net::Ipv6Addr::from(v6).to_string(),
                    _ => continue,
                }
            }
            _ => continue,
        };
        if !names.contains(&text) {
            names.push(text);
        }
    }
    names
}

/// Returns the number of the first certificate, counted from 1, from which no other one
/// in the file leads on, though there are some that the leaf does not lead to. Their
/// order matters to no client.
fn gap(chain: &[CertificateDer<'_>]) -> Option<usize> {
    let read = |der| Some(X509Certificate::from_der(der).ok()?.1);
    let all: Vec<_> = chain.iter().map(|der| read(der)).collect();
    let (mut reached, mut next, mut last) = (vec![0], 0, None);
    while let Some(&i) = reached.get(next) {
        next += 1;
        let below = all.get(i)?.as_ref()?;
        if below.issuer() == below.subject() {
            return None;
        }
        let signs = |above: &X509Certificate<'_>| above.subject() == below.issuer();
        let above: Vec<_> = (0..all.len())
            .filter(|j| all.get(*j).and_then(Option::as_ref).is_some_and(signs))
            .collect();
        if above.is_empty() {
            last = last.or(Some(i + 1));
        }
        reached.extend(
            above
                .into_iter()
                .filter(|j| !reached.contains(j))
                .collect::<Vec<_>>(),
        );
    }
    last.filter(|_| reached.len() < all.len())
}

/// Reads the certificates of a PEM file that the configuration names as roots.
pub(super) fn roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, PairError> {
    certificates(path, &read(path)?)
}

/// Reads certificates as [`roots`] does, from a file that a command line names, which
/// may be a pipe.
pub(crate) fn roots_named(path: &Path) -> Result<Vec<CertificateDer<'static>>, PairError> {
    let text = small_file::read_or_pipe(path).map_err(unreadable(path))?;
    certificates(path, &text)
}

fn certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, PairError> {
    let mut chain = Vec::new();
    for item in items(text) {
        if let Item::X509Certificate(certificate) = item.map_err(no_pem(path))? {
            chain.push(certificate);
        }
    }
    if chain.is_empty() {
        return Err(PairError::NoCertificate { path: path.into() });
    }
    Ok(chain)
}

fn private_key(path: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, PairError> {
    for item in items(text) {
        match item.map_err(no_pem(path))? {
            Item::Pkcs1Key(key) => return Ok(key.into()),
            Item::Pkcs8Key(key) => return Ok(key.into()),
            Item::Sec1Key(key) => return Ok(key.into()),
            _ => {}
        }
    }
    Err(PairError::NoKey { path: path.into() })
}

fn no_pem(path: &Path) -> impl Fn(PemFault) -> PairError {
    move |fault| PairError::Pem {
        path: path.into(),
        fault,
    }
}

/// Returns the blocks of a PEM text, to the first one that cannot be read.
fn items(text: &[u8]) -> impl Iterator<Item = Result<Item, PemFault>> {
    let mut rest = Some(text);
    iter::from_fn(move || match rustls_pemfile::read_one_from_slice(rest?) {
        Ok(Some((item, behind))) => {
            rest = Some(behind);
            Some(Ok(item))
        }
        Ok(None) => None,
        Err(error) => {
            rest = None;
            Some(Err(PemFault::of(&error, text)))
        }
    })
}

fn read(path: &Path) -> Result<Vec<u8>, PairError> {
    small_file::read(path).map_err(unreadable(path))
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> PairError {
    move |error| PairError::Read {
        path: path.into(),
        error,
    }
}
