//! Links of a chain, for people: whose each certificate is, who signed it, and until when it
//! holds.

use super::pem::Pair;
use crate::trust::certificate::{name, subject};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// One certificate of a chain.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// End of its validity, in seconds since 1970.
    pub(crate) not_after: i64,
}

impl Pair {
    /// Returns the links of its chain, the leaf first. One that cannot be read is left out.
    pub(crate) fn links(&self) -> Vec<Link> {
        let chain = self.certified.cert.iter().filter_map(|der| {
            let (_, certificate) = X509Certificate::from_der(der).ok()?;
            Some(Link {
                subject: subject(&certificate),
                issuer: name(certificate.issuer()),
                not_after: certificate.validity().not_after.timestamp(),
            })
        });
        chain.collect()
    }
}
