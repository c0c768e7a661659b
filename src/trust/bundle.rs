//! Roots that a device trusts: Espressif's bundle, which is Mozilla's list at the
//! time of a release (`components/mbedtls/esp_crt_bundle/cacrt_all.pem`). Release
//! branches get no newer list (espressif/esp-idf issue 16157), so roots that came
//! later are not in it, and some that Mozilla has removed are.

use rustls::pki_types::{CertificateDer, TrustAnchor};

/// Roots that Mozilla took in after the last of those bundles, by common name.
/// A test holds them against webpki-roots.
pub(crate) const LACKING: &[&str] = &[
    "OISTE Server Root ECC G1",
    "OISTE Server Root RSA G1",
    "SECOM TLS ECC Root CA 2024",
    "SECOM TLS RSA Root CA 2024",
    "Telia EC TLS Root CA v3",
    "Telia RSA TLS Root CA v3",
    "e-Szigno TLS Root CA 2023",
];

/// Roots that Mozilla took in between ESP-IDF 5.3 and 5.5: whether firmware has
/// them depends on what it was built with.
pub(crate) const LACKING_BEFORE_5_5: &[&str] = &[
    "D-TRUST BR Root CA 2 2023",
    "D-TRUST EV Root CA 2 2023",
    "SecureSign Root CA14",
    "SecureSign Root CA15",
    "SwissSign RSA TLS Root CA 2022 - 1",
    "TWCA CYBER Root CA",
    "TrustAsia TLS ECC Root CA",
    "TrustAsia TLS RSA Root CA",
];

/// Roots that no list holds yet: Let's Encrypt's generation Y (organization
/// `ISRG`), cross-signed by ISRG Root X1 and X2.
pub(crate) const TOO_NEW: &[&str] = &["Root YE", "Root YR"];

/// Roots that the bundles of ESP-IDF 5.3 to 5.5 hold and Mozilla's list does not
/// any more. These are the ones that servers' chains still lead to: Google's and
/// Cloudflare's to the first, Sectigo's to the second.
pub(crate) const REMOVED: &[&str] = &[
    "GlobalSign Root CA",
    "AAA Certificate Services",
    "Baltimore CyberTrust Root",
    "COMODO Certification Authority",
    "Certigna",
    "DigiCert Assured ID Root CA",
    "DigiCert Global Root CA",
    "DigiCert High Assurance EV Root CA",
    "Entrust Root Certification Authority",
    "Entrust Root Certification Authority - EC1",
    "Entrust Root Certification Authority - G2",
    "SecureTrust CA",
    "Trustwave Global Certification Authority",
];

/// Roots that one probe or fleet goes by.
#[derive(Debug)]
pub(crate) struct Roots {
    /// Roots of browsers, and those named by `--ca`.
    pub(crate) all: Vec<TrustAnchor<'static>>,
    /// Roots of devices: without [`LACKING`].
    pub(crate) device: Vec<TrustAnchor<'static>>,
    /// Certificates named by `--ca`, as they were given.
    pub(crate) extra: Vec<CertificateDer<'static>>,
}

impl Roots {
    pub(crate) fn new(extra: Vec<CertificateDer<'static>>) -> Result<Self, rustls::Error> {
        let mut own = Vec::new();
        for root in &extra {
            let anchor = webpki::anchor_from_trusted_cert(root)
                .map_err(|e| rustls::Error::General(format!("a root is unusable: {e}")))?;
            own.push(anchor.to_owned());
        }
        let public = webpki_roots::TLS_SERVER_ROOTS.iter();
        let known = |anchor: &&TrustAnchor<'_>| !has_name(&anchor.subject, LACKING);
        let device = public.clone().filter(known).cloned();
        Ok(Self {
            all: public.cloned().chain(own.iter().cloned()).collect(),
            device: device.chain(own.iter().cloned()).collect(),
            extra,
        })
    }
}

/// Returns whether a name (the content of its SEQUENCE) holds one of these as a
/// whole string: behind the string's own tag and length.
pub(crate) fn has_name(subject: &[u8], names: &[&str]) -> bool {
    names.iter().any(|name| {
        let name = name.as_bytes();
        subject.windows(name.len() + 2).any(|window| {
            let (head, text) = window.split_at(2);
            text == name
                && matches!(head, [0x0c | 0x13 | 0x14, len] if usize::from(*len) == name.len())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_mozillas_list(name: &str) -> bool {
        webpki_roots::TLS_SERVER_ROOTS
            .iter()
            .any(|root| has_name(&root.subject, &[name]))
    }

    #[test]
    fn the_tables_agree_with_mozillas_list() {
        for name in LACKING.iter().chain(LACKING_BEFORE_5_5) {
            assert!(in_mozillas_list(name), "{name} is not a root any more");
        }
        for name in REMOVED.iter().chain(TOO_NEW) {
            assert!(!in_mozillas_list(name), "{name} is a root after all");
        }
        for name in ["ISRG Root X1", "ISRG Root X2"] {
            assert!(in_mozillas_list(name) && !LACKING.contains(&name));
        }
    }

    #[test]
    fn what_lacks_is_left_out() {
        let roots = Roots::new(Vec::new()).unwrap();
        assert_eq!(roots.all.len() - roots.device.len(), LACKING.len());
        assert!(Roots::new(vec![CertificateDer::from(vec![1, 2, 3])]).is_err());
    }
}
