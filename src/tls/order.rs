//! Order of the certificates of a file: the server's own first, and behind each the one
//! that signed it. mbedTLS looks for a signer behind a certificate only.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Places of the certificates of a file, in the order in which they are served.
#[derive(Debug)]
pub(super) struct Ordered {
    /// Places in the file, from 0 on, without those that stood there before.
    pub(super) places: Vec<usize>,
    /// True where a signer stood in front of what it signed.
    pub(super) is_sorted: bool,
}

/// Puts certificates in order, the leaf first. What is in order stays as it is, for only
/// a CA knows what its cross-signed ones are for.
pub(super) fn ordered(chain: &[CertificateDer<'_>], leaf: usize) -> Ordered {
    let read: Vec<_> = chain
        .iter()
        .map(|der| X509Certificate::from_der(der).ok().map(|(_, read)| read))
        .collect();
    let is_new = |at: usize| !chain.iter().take(at).any(|der| Some(der) == chain.get(at));
    let mut rest: Vec<usize> = (0..chain.len())
        .filter(|at| *at != leaf && is_new(*at) && chain.get(*at) != chain.get(leaf))
        .collect();
    let (mut path, mut is_sorted) = (vec![leaf], leaf != 0);
    let mut at = leaf;
    while let Some(Some(below)) = read.get(at) {
        if below.issuer() == below.subject() {
            break;
        }
        let signs = |other: &usize| {
            let other = read.get(*other).and_then(Option::as_ref);
            other.is_some_and(|other| other.subject() == below.issuer())
        };
        let behind = rest.iter().position(|other| *other > at && signs(other));
        let Some(next) = behind.or_else(|| rest.iter().position(signs)) else {
            break;
        };
        is_sorted |= behind.is_none();
        at = rest.remove(next);
        path.push(at);
    }
    let places = if is_sorted {
        path.into_iter().chain(rest).collect()
    } else {
        let mut places: Vec<_> = path.into_iter().chain(rest).collect();
        places.sort_unstable();
        places
    };
    Ordered { places, is_sorted }
}

impl Ordered {
    /// Returns the number of the leaf, counted from 1, if none of the others signed it.
    /// Further up nobody can tell a gap from the end, for a root is not sent.
    pub(super) fn gap(&self, chain: &[CertificateDer<'_>]) -> Option<usize> {
        let read = |at: &usize| Some(X509Certificate::from_der(chain.get(*at)?).ok()?.1);
        let (place, others) = self.places.split_first()?;
        let leaf = read(place)?;
        let signs = |above: X509Certificate<'_>| above.subject() == leaf.issuer();
        let is_signed = others.iter().filter_map(read).any(signs);
        let is_alone = others.is_empty() || leaf.issuer() == leaf.subject();
        (!is_alone && !is_signed).then_some(place + 1)
    }
}
