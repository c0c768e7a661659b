//! PEM files: reads certificates and keys. The only user of rustls-pemfile, which is
//! archived: a move to another reader touches this file alone. What is no PEM,
//! `foreign.rs` names.

use super::PairPaths;
use super::foreign::{self, Found, PemFault, Wanted};
use super::order;
use crate::event::text::Text;
use crate::event::{Event, Value, event, kinds};
use crate::util::paths::absolute;
use crate::util::small_file;
use rustls::SignatureAlgorithm;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pemfile::Item;
use std::fmt;
use std::fs;
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
    /// Number of the leaf, counted from 1, if others stand in the file and none of them
    /// signed it.
    pub gap: Option<usize>,
    /// Host names of the leaf, lower case, and its IP addresses.
    pub names: Vec<String>,
    /// Begin of its validity, in seconds since 1970.
    pub not_before: i64,
    /// End of its validity, in seconds since 1970.
    pub not_after: i64,
    /// True where it stands in its files; false for one in memory only.
    pub is_kept: bool,
    /// True where the leaf is signed with its own key.
    pub is_self_signed: bool,
    /// Oddities of the files that are mended where it is served.
    pub mended: Mended,
    /// Paths of the files.
    pub paths: PairPaths,
}

/// Oddities of a pair's files, which are served as they should be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mended {
    /// Place of the leaf in its file, counted from 1.
    pub leaf: usize,
    /// True where the others were not in the order in which they sign.
    pub is_sorted: bool,
    /// Number of certificates that stood there before.
    pub doubles: usize,
    /// Number of keys in the key's file.
    pub keys: usize,
}

/// Error where a certificate and key cannot be used.
#[derive(Debug)]
pub(crate) struct PairError(Box<Event>);

impl From<Event> for PairError {
    fn from(event: Event) -> Self {
        Self(Box::new(event))
    }
}

impl From<&PairError> for Event {
    fn from(error: &PairError) -> Self {
        Self::clone(&error.0)
    }
}

impl PairError {
    /// Returns what is wrong with a file of ours or a CA's, with which nobody has anything
    /// to do.
    pub(super) fn in_short(&self) -> Value {
        let text = match self.0.kind.id {
            id if id == kinds::PAIR_MISMATCH.id => {
                Text::new("密钥与证书不符", "key and certificate are no pair")
            }
            id if [
                kinds::PAIR_MALFORMED.id,
                kinds::PAIR_VERSION.id,
                kinds::PAIR_EXTENSION.id,
                kinds::PAIR_BAD_CERTIFICATE.id,
            ]
            .contains(&id) =>
            {
                Text::new(
                    "证书不合 X.509 的规定",
                    "a certificate in it is not as X.509 wants it",
                )
            }
            _ => Text::new("其中没有完整的 PEM 证书链", "it is no whole PEM chain"),
        };
        text.into()
    }
}

impl fmt::Display for PairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Event::from(self).fmt(f)
    }
}

impl std::error::Error for PairError {}

impl Pair {
    /// Reads and checks a pair.
    pub(crate) fn load(paths: &PairPaths) -> Result<Self, PairError> {
        // A log is read where nobody knows from where relative paths go on.
        let paths = &paths.absolute();
        let cert = read(Found {
            path: &paths.cert,
            wanted: Wanted::Certificate,
        })?;
        let key = read(Found {
            path: &paths.key,
            wanted: Wanted::Key,
        })?;
        Self::parse(paths, &cert, &key)
    }

    /// Checks a pair that was read from `paths`, or is to be written there.
    pub(super) fn parse(paths: &PairPaths, cert: &[u8], key: &[u8]) -> Result<Self, PairError> {
        let chain = match certificates(&paths.cert, cert) {
            Ok(chain) => chain,
            Err(error) => return Err(swapped(paths, cert, key).unwrap_or(error)),
        };
        let signers = signers(&paths.key, private_keys(&paths.key, key)?)?;
        let keys = signers.len();
        let found = Found {
            path: &paths.key,
            wanted: Wanted::Key,
        };
        // Another key than the one that is meant may be all that was read.
        let (leaf, signer) = matching(paths, &chain, &signers)
            .map_err(|error| foreign::torn(found, key).map_or(error, PairError::from))?;
        let ordered = order::ordered(&chain, leaf);
        let gap = ordered.gap(&chain);
        let mended = Mended {
            leaf: leaf + 1,
            is_sorted: ordered.is_sorted,
            doubles: chain.len() - ordered.places.len(),
            keys,
        };
        let places = ordered.places.iter();
        let chain: Vec<_> = places.filter_map(|i| chain.get(*i)).cloned().collect();
        let first = chain.first().map(AsRef::as_ref).unwrap_or_default();
        if let Some(fault) = foreign::certificate_fault(&paths.cert, leaf, true, first) {
            return Err(fault.into());
        }
        let (_, parsed) = X509Certificate::from_der(first)
            .map_err(|_| event!(PAIR_BAD_CERTIFICATE, file = &paths.cert, number = leaf + 1))?;
        let algorithm = signer.algorithm();
        Ok(Self {
            is_ecdsa: algorithm == SignatureAlgorithm::ECDSA,
            key_bits: parsed.public_key().parsed().map_or(0, |key| key.key_size()),
            gap,
            names: names(&parsed),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            is_kept: true,
            is_self_signed: parsed.issuer() == parsed.subject(),
            certified: Arc::new(CertifiedKey::new(chain, signer)),
            mended,
            paths: paths.clone(),
        })
    }
}

/// Returns the error of two files that stand in each other's place.
fn swapped(paths: &PairPaths, cert: &[u8], key: &[u8]) -> Option<PairError> {
    let is_key = private_keys(&paths.cert, cert).is_ok();
    let is_certificate = certificates(&paths.key, key).is_ok();
    let has_key = private_keys(&paths.key, key).is_ok();
    (is_key && is_certificate && !has_key)
        .then(|| event!(PAIR_SWAPPED, cert = &paths.cert, key = &paths.key).into())
}

/// Makes signers of keys. One that cannot be used is a fault where it is alone.
fn signers(
    path: &Path,
    keys: Vec<PrivateKeyDer<'static>>,
) -> Result<Vec<Arc<dyn SigningKey>>, PairError> {
    let mut signers = Vec::new();
    let mut fault = None;
    for key in keys {
        match any_supported_type(&key) {
            Ok(signer) => match signer.algorithm() {
                SignatureAlgorithm::RSA | SignatureAlgorithm::ECDSA => signers.push(signer),
                SignatureAlgorithm::ED25519 => {
                    fault = fault.or(Some(event!(PAIR_ED25519, file = path)));
                }
                other => {
                    let kind = format!("{other:?}");
                    fault = fault.or(Some(event!(PAIR_KEY_KIND, file = path, kind = kind)));
                }
            },
            Err(_) => fault = fault.or(Some(foreign::key_fault(path, &key))),
        }
    }
    match fault {
        Some(fault) if signers.is_empty() => Err(fault.into()),
        _ => Ok(signers),
    }
}

/// Returns the certificate and the key that belong together: the first of each if they
/// do.
fn matching(
    paths: &PairPaths,
    chain: &[CertificateDer<'static>],
    signers: &[Arc<dyn SigningKey>],
) -> Result<(usize, Arc<dyn SigningKey>), PairError> {
    let mut public = Vec::new();
    for (i, der) in chain.iter().enumerate() {
        if let Some(fault) = foreign::certificate_fault(&paths.cert, i, false, der) {
            return Err(fault.into());
        }
        let parsed = X509Certificate::from_der(der);
        public.push(parsed.map_or_else(|_| Vec::new(), |(_, c)| c.public_key().raw.to_vec()));
    }
    let keys = signers.len();
    for signer in signers {
        let Some(own) = signer.public_key() else {
            // A key that cannot show its public half is tried as it is.
            return Ok((0, Arc::clone(signer)));
        };
        if let Some(leaf) = public.iter().position(|public| public == own.as_ref()) {
            return Ok((leaf, Arc::clone(signer)));
        }
    }
    let own = signers.iter().filter_map(|signer| signer.public_key());
    let mut pairs = own.flat_map(|own| chain.iter().map(move |der| (der, own.clone())));
    if let Some(event) = pairs.find_map(|(der, own)| foreign::other_form(paths, der, &own)) {
        return Err(event.into());
    }
    Err(event!(
        PAIR_MISMATCH,
        cert = &paths.cert,
        key = &paths.key,
        keys = keys
    )
    .into())
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

/// Reads the certificates of a PEM file that the configuration names as roots.
pub(super) fn roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, PairError> {
    let path = &absolute(path);
    let text = read(Found {
        path,
        wanted: Wanted::Certificate,
    })?;
    certificates(path, &text)
}

/// Files in which systems have the authorities that they trust: Debian, Fedora, Alpine.
const MACHINE_ROOTS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// Returns the authorities that this machine trusts, as OpenSSL finds them: a company's own
/// may be among them. None where there is no such file.
pub(crate) fn of_machine() -> Vec<CertificateDer<'static>> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let mut files = named.into_iter().chain(MACHINE_ROOTS.map(PathBuf::from));
    files.find_map(|file| roots(&file).ok()).unwrap_or_default()
}

/// Reads certificates as [`roots`] does, from a file that a command line names, which
/// may be a pipe.
pub(crate) fn roots_named(path: &Path) -> Result<Vec<CertificateDer<'static>>, PairError> {
    let found = Found {
        path,
        wanted: Wanted::Certificate,
    };
    let text = small_file::read_or_pipe(path).map_err(|error| unreadable(found, &error))?;
    certificates(path, &text)
}

fn certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, PairError> {
    let wanted = Wanted::Certificate;
    let found = Found { path, wanted };
    let mut chain = Vec::new();
    for item in items(text) {
        match item {
            Ok(Item::X509Certificate(certificate)) => chain.push(certificate),
            Ok(_) => {}
            Err(fault) => return Err(foreign::named(found, text, Some(fault)).into()),
        }
    }
    if chain.is_empty() {
        return Err(foreign::named(found, text, None).into());
    }
    match foreign::torn(found, text) {
        Some(event) => Err(event.into()),
        None => Ok(chain),
    }
}

fn private_keys(path: &Path, text: &[u8]) -> Result<Vec<PrivateKeyDer<'static>>, PairError> {
    let wanted = Wanted::Key;
    let mut keys = Vec::new();
    for item in items(text) {
        match item {
            Ok(Item::Pkcs1Key(key)) => keys.push(foreign::by_content(key.into())),
            Ok(Item::Pkcs8Key(key)) => keys.push(foreign::by_content(key.into())),
            Ok(Item::Sec1Key(key)) => keys.push(foreign::by_content(key.into())),
            Ok(_) => {}
            // What stands behind a key is no concern of its.
            Err(_) if !keys.is_empty() => break,
            Err(fault) => {
                return Err(foreign::named(Found { path, wanted }, text, Some(fault)).into());
            }
        }
    }
    if keys.is_empty() {
        return Err(foreign::named(Found { path, wanted }, text, None).into());
    }
    Ok(keys)
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
            Some(Err(fault(&error)))
        }
    })
}

/// Tells why a text cannot be read as PEM. The library's own messages hold bytes of it.
fn fault(error: &rustls_pemfile::Error) -> PemFault {
    match error {
        rustls_pemfile::Error::MissingSectionEnd { .. } => PemFault::NoEnd,
        rustls_pemfile::Error::IllegalSectionStart { .. } => PemFault::RunTogether,
        rustls_pemfile::Error::Base64Decode(_) => PemFault::NoBase64,
    }
}

fn read(found: Found<'_>) -> Result<Vec<u8>, PairError> {
    small_file::read(found.path).map_err(|error| unreadable(found, &error))
}

/// Names why a file cannot be read.
fn unreadable(found: Found<'_>, error: &io::Error) -> PairError {
    let path = found.path;
    if path.is_dir() {
        let (wanted, name) = (found.wanted.text(), found.wanted.usual());
        return event!(PAIR_FOLDER, file = path, wanted = wanted, name = name).into();
    }
    let event = match error.kind() {
        io::ErrorKind::NotFound => {
            if let Ok(target) = fs::read_link(path) {
                event!(PAIR_DANGLING, file = path, target = &target, error = error)
            } else {
                event!(PAIR_ABSENT, file = path, error = error)
            }
        }
        io::ErrorKind::PermissionDenied => {
            let user = nix::unistd::geteuid().to_string();
            event!(PAIR_FORBIDDEN, file = path, user = user, error = error)
        }
        _ => event!(PAIR_UNREADABLE, file = path, error = error),
    };
    event.into()
}
