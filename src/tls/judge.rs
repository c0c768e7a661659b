//! Judgement on the files of a pair, as devices make it: on the chain, by the facts that
//! the probe judges by, and on what was mended before it is served.

use super::Mode;
use super::pem::Pair;
use crate::event::text::Text;
use crate::event::{Event, event};
use crate::trust::bundle::Roots;
use crate::trust::{self, ChainFault, End, Unable, Weakness, certificate};
use std::net::IpAddr;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Finds what of a pair's files is served otherwise than it stands there.
pub(super) fn mended(setting: &str, pair: &Pair) -> Vec<Event> {
    let (file, mended) = (&pair.paths.cert, pair.mended);
    let mut found = Vec::new();
    if mended.is_sorted {
        found.push(event!(
            CERTIFICATE_ORDER,
            setting = setting,
            file = file,
            leaf = mended.leaf
        ));
    }
    if mended.doubles > 0 {
        found.push(event!(
            CERTIFICATE_DOUBLES,
            setting = setting,
            file = file,
            count = mended.doubles
        ));
    }
    if mended.keys > 1 {
        let file = &pair.paths.key;
        let count = mended.keys;
        found.push(event!(
            CERTIFICATE_KEYS,
            setting = setting,
            file = file,
            count = count
        ));
    }
    found
}

/// Finds what the leaf lacks, whoever signed it.
pub(super) fn leaf(setting: &str, pair: &Pair) -> Vec<Event> {
    let file = &pair.paths.cert;
    let mut found = Vec::new();
    if pair.names.is_empty() {
        found.push(event!(CERTIFICATE_NO_NAMES, setting = setting, file = file));
    }
    if let Some(name) = pair.names.iter().find(|name| is_odd(name)) {
        found.push(event!(
            CERTIFICATE_NAME_ODD,
            setting = setting,
            file = file,
            name = if name.is_empty() { "\"\"" } else { name }
        ));
    }
    let Some(Ok((_, leaf))) = pair
        .certified
        .cert
        .first()
        .map(|der| X509Certificate::from_der(der))
    else {
        return found;
    };
    if let Some((der, date)) = odd_date(pair) {
        found.push(event!(
            CERTIFICATE_DATE_FORM,
            setting = setting,
            file = file,
            subject = certificate::subject(&der),
            date = date
        ));
    }
    if leaf.is_ca() && (!pair.is_self_signed || pair.names.is_empty()) {
        found.push(event!(CERTIFICATE_IS_CA, setting = setting, file = file));
    }
    let usage = leaf.extended_key_usage().ok().flatten();
    let serves = usage.is_none_or(|usage| usage.value.server_auth || usage.value.any);
    let key = leaf.key_usage().ok().flatten();
    let signs = key.is_none_or(|key| key.value.digital_signature());
    if !serves || !signs && !leaf.is_ca() {
        let lacks = if serves {
            "keyUsage=digitalSignature"
        } else {
            "extendedKeyUsage=serverAuth"
        };
        found.push(event!(
            CERTIFICATE_NOT_FOR_SERVERS,
            setting = setting,
            file = file,
            lacks = lacks
        ));
    }
    found
}

/// Tells whether a name is one of no host. A star for one whole label, the first, is all that
/// devices know.
pub(super) fn is_odd(name: &str) -> bool {
    if name.parse::<IpAddr>().is_ok() {
        return false;
    }
    let rest = name.strip_prefix("*.").unwrap_or(name);
    let is_sign = |c: char| c.is_ascii_alphanumeric() || "-_.*".contains(c);
    let has_empty = rest.split('.').any(str::is_empty);
    let is_whole = rest.contains('.') || name == rest;
    !rest.chars().all(is_sign) || has_empty || rest.contains('*') || !is_whole
}

/// Tells whether an address stands in a certificate as a host name, which browsers do not
/// take for it.
pub(super) fn has_as_dns(pair: &Pair, host: &str) -> bool {
    let leaf = pair.certified.cert.first();
    let leaf = leaf.and_then(|der| X509Certificate::from_der(der).ok());
    let san = leaf
        .as_ref()
        .and_then(|(_, leaf)| leaf.subject_alternative_name().ok().flatten());
    let mut names = san.iter().flat_map(|san| &san.value.general_names);
    host.parse::<IpAddr>().is_ok()
        && names.any(|name| matches!(name, GeneralName::DNSName(name) if *name == host))
}

/// Returns the first certificate with a date that devices do not read, and that date.
fn odd_date(pair: &Pair) -> Option<(X509Certificate<'_>, String)> {
    pair.certified.cert.iter().find_map(|der| {
        let date = certificate::odd_date(der)?;
        Some((X509Certificate::from_der(der).ok()?.1, date))
    })
}

/// Finds a chain that leads devices to no root that they know.
pub(super) fn chain(setting: &str, mode: &Mode, pair: &Pair, now: i64) -> Vec<Event> {
    let file = &pair.paths.cert;
    if pair.is_self_signed {
        return match mode {
            Mode::Files(_) => vec![event!(
                CERTIFICATE_SELF_SIGNED,
                setting = setting,
                file = file
            )],
            Mode::Acme(acme) => vec![event!(
                CERTIFICATE_INTERIM,
                setting = setting,
                file = file,
                directory = &acme.directory
            )],
            Mode::Off | Mode::SelfSigned { .. } => Vec::new(),
        };
    }
    let Ok(roots) = Roots::new(Vec::new()) else {
        return Vec::new();
    };
    let faults = trust::judge(&pair.certified.cert, None, now, &roots).faults;
    let mut found = Vec::new();
    let stranger = faults.iter().find_map(|fault| match fault {
        ChainFault::UnknownIssuer(end)
        | ChainFault::Torn(end)
        | ChainFault::LeafOnly { end, .. } => authority(end).map(|who| (end, who)),
        _ => None,
    });
    let is_lost = faults.iter().any(|fault| {
        matches!(
            fault,
            ChainFault::UnknownIssuer(_) | ChainFault::Torn(_) | ChainFault::LeafOnly { .. }
        )
    });
    let gap = if let Some((end, who)) = stranger {
        Some(event!(
            CERTIFICATE_AUTHORITY,
            setting = setting,
            file = file,
            issuer = &end.issuer,
            who = who
        ))
    } else if !is_lost {
        None
    } else if pair.certified.cert.len() == 1 {
        Some(event!(CERTIFICATE_ALONE, setting = setting, file = file))
    } else {
        let number = pair.gap;
        number.map(|number| {
            event!(
                CERTIFICATE_GAP,
                setting = setting,
                file = file,
                number = number
            )
        })
    };
    let has_gap = gap.is_some();
    found.extend(gap);
    let told = faults
        .into_iter()
        .filter_map(|fault| of_fault(setting, pair, has_gap, fault));
    found.extend(told);
    found
}

/// Words a fault of a chain. `has_gap`: where it leads nowhere was said.
fn of_fault(setting: &str, pair: &Pair, has_gap: bool, fault: ChainFault) -> Option<Event> {
    of_certificate(setting, pair, &fault)
        .or_else(|| (!has_gap).then(|| of_path(setting, pair, fault)).flatten())
}

/// Words a fault of one certificate.
fn of_certificate(setting: &str, pair: &Pair, fault: &ChainFault) -> Option<Event> {
    let file = &pair.paths.cert;
    Some(match fault {
        ChainFault::Long { count, bytes } => event!(
            CERTIFICATE_LONG,
            setting = setting,
            file = file,
            count = *count,
            bytes = *bytes
        ),
        ChainFault::Ed25519 { subject, .. } => event!(
            CERTIFICATE_CHAIN_ED25519,
            setting = setting,
            file = file,
            subject = subject
        ),
        ChainFault::UnknownExtension { subject, extension } => event!(
            CERTIFICATE_EXTENSION,
            setting = setting,
            file = file,
            subject = subject,
            extension = extension
        ),
        ChainFault::Weak { subject, how, .. } => {
            let how = match how {
                Weakness::ShortRsa(_) => Text::new(
                    "不足 2048 位的 RSA 密钥",
                    "an RSA key of less than 2048 bits",
                ),
                Weakness::OldHash => {
                    Text::new("SHA-1 或 MD5 签名", "a signature with SHA-1 or MD5")
                }
            };
            event!(
                CERTIFICATE_WEAK,
                setting = setting,
                file = file,
                subject = subject,
                how = how
            )
        }
        ChainFault::Ended {
            subject,
            is_leaf: false,
            day,
        } => event!(
            CERTIFICATE_CHAIN_EXPIRED,
            setting = setting,
            file = file,
            subject = subject,
            day = day
        ),
        ChainFault::Early {
            subject,
            is_leaf: false,
            day,
        } => event!(
            CERTIFICATE_CHAIN_EARLY,
            setting = setting,
            file = file,
            subject = subject,
            day = day
        ),
        _ => return None,
    })
}

/// Words where the path leads to.
fn of_path(setting: &str, pair: &Pair, fault: ChainFault) -> Option<Event> {
    let file = &pair.paths.cert;
    let event = match fault {
        ChainFault::YoungRoot { root } => {
            event!(
                CERTIFICATE_ROOT_YOUNG,
                setting = setting,
                file = file,
                root = root
            )
        }
        ChainFault::OldRoot(end) => event!(
            CERTIFICATE_ROOT_OLD,
            setting = setting,
            file = file,
            root = end.issuer
        ),
        ChainFault::UnknownToDevices(end) => event!(
            CERTIFICATE_ROOT_UNKNOWN,
            setting = setting,
            file = file,
            root = end.issuer
        ),
        ChainFault::CrossSigned(end) => event!(
            CERTIFICATE_CROSS_SIGNED,
            setting = setting,
            file = file,
            last = end.last,
            root = end.issuer
        ),
        ChainFault::BadSignature(end) => event!(
            CERTIFICATE_BAD_SIGNATURE,
            setting = setting,
            file = file,
            last = end.last,
            issuer = end.issuer
        ),
        ChainFault::Unable { subject, why } => {
            let why = match why {
                Unable::NoAuthority => Text::new(
                    "它不是颁发机构的证书（CA:FALSE）",
                    "it is no authority's (CA:FALSE)",
                ),
                Unable::NoSigning => Text::new(
                    "它的 keyUsage 没有 keyCertSign",
                    "its keyUsage lacks keyCertSign",
                ),
                Unable::TooDeep => Text::new(
                    "它的 pathlen 不允许下面再有这么多级机构",
                    "its pathlen allows fewer authorities below it",
                ),
            };
            event!(
                CERTIFICATE_UNABLE,
                setting = setting,
                file = file,
                subject = subject,
                why = why
            )
        }
        ChainFault::UnknownIssuer(end)
        | ChainFault::Torn(end)
        | ChainFault::LeafOnly { end, .. } => event!(
            CERTIFICATE_AUTHORITY,
            setting = setting,
            file = file,
            issuer = end.issuer,
            who = event!(AUTHORITY_OWN)
        ),
        // Said of the leaf, or mended by the order in which it is served.
        _ => return None,
    };
    Some(event)
}

/// Names an authority that is known for what it is, and that no device trusts.
fn authority(end: &End) -> Option<Event> {
    let is = |names: &[&str]| {
        let mut names = names.iter();
        names.any(|name| end.issuer.contains(name) || end.last.contains(name))
    };
    if is(&["(STAGING)", "Fake LE "]) {
        Some(event!(AUTHORITY_STAGING))
    } else if is(&["CloudFlare Origin", "Cloudflare Origin"]) {
        Some(event!(AUTHORITY_CLOUDFLARE))
    } else if is(&[
        "mkcert",
        "Caddy Local Authority",
        "minica root",
        "Smallstep",
    ]) {
        Some(event!(AUTHORITY_LOCAL))
    } else {
        None
    }
}

/// Hints at an RSA certificate where every one is ECDSA.
pub(super) fn only_ecdsa(setting: &str, pairs: &[Pair], mode: &Mode) -> Option<Event> {
    // What is signed or ordered here is.
    let is_ours = matches!(mode, Mode::SelfSigned { .. } | Mode::Acme(_));
    let is_all = !pairs.is_empty() || is_ours;
    (is_all && pairs.iter().all(|pair| pair.is_ecdsa))
        .then(|| event!(CERTIFICATE_ONLY_ECDSA, setting = setting))
}

#[cfg(test)]
mod tests {
    use super::super::PairPaths;
    use super::*;
    use rcgen::{CertificateParams, KeyPair};

    /// Of roots that nobody here can sign with: the event of each fault.
    #[test]
    fn where_a_chain_leads_is_worded() {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["ota.example.com".to_owned()]).unwrap();
        let cert = params.self_signed(&key).unwrap().pem();
        let paths = PairPaths {
            cert: "a.pem".into(),
            key: "a.key".into(),
        };
        let pair = Pair::parse(&paths, cert.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        let end = || End {
            last: "CN=ISRG Root X1".into(),
            issuer: "CN=DST Root CA X3".into(),
        };
        let root = "CN=TWCA CYBER Root CA".to_owned();
        for (fault, id, shows) in [
            (
                ChainFault::YoungRoot { root },
                "certificate.root-young",
                "TWCA",
            ),
            (
                ChainFault::CrossSigned(end()),
                "certificate.cross-signed",
                "DST Root",
            ),
            (
                ChainFault::UnknownToDevices(end()),
                "certificate.root-unknown",
                "DST Root",
            ),
            (
                ChainFault::OldRoot(end()),
                "certificate.root-old",
                "DST Root",
            ),
        ] {
            let event = of_fault("gateway.tls.mode", &pair, false, fault.clone()).unwrap();
            assert_eq!(event.kind.id, id);
            assert!(event.to_string().contains(shows), "{event}");
            // Where it leads nowhere, that says it all.
            assert!(of_fault("gateway.tls.mode", &pair, true, fault).is_none());
        }
    }
}
