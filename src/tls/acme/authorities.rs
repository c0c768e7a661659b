//! Certificate authorities that are known by name: what they vouch for, what they ask,
//! and where their directories are.

use super::AcmeSettings;
use crate::event::{Event, event};
use std::net::IpAddr;

/// Authorities that vouch for what the whole internet can reach, and for
/// nothing else.
const PUBLIC: [&str; 14] = [
    "letsencrypt.org",
    "zerossl.com",
    "pki.goog",
    "ssl.com",
    "buypass.com",
    "actalis.com",
    "digicert.com",
    "sectigo.com",
    "globalsign.com",
    "harica.gr",
    "trustasia.com",
    "freessl.cn",
    "litessl.com",
    "certum.pl",
];

/// Authorities among them that make no account without a contract.
pub(super) const BINDING: [&str; 6] = [
    "zerossl.com",
    "pki.goog",
    "ssl.com",
    "digicert.com",
    "sectigo.com",
    "globalsign.com",
];

/// Directories of authorities that have no others, each by what is in their hosts' names,
/// misspelt ones too.
const DIRECTORIES: [(&[&str], &[&str]); 5] = [
    (
        &["pki.goog"],
        &[
            "https://dv.acme-v02.api.pki.goog/directory",
            "https://dv.acme-v02.test-api.pki.goog/directory",
        ],
    ),
    (
        &["letsenc", "acme-v0", "acme-staging"],
        &[
            super::LETS_ENCRYPT,
            "https://acme-staging-v02.api.letsencrypt.org/directory",
        ],
    ),
    (&["zerossl"], &["https://acme.zerossl.com/v2/DV90"]),
    (
        &["acme.ssl.com"],
        &[
            "https://acme.ssl.com/sslcom-dv-rsa",
            "https://acme.ssl.com/sslcom-dv-ecc",
        ],
    ),
    (
        &["actalis"],
        &["https://acme-api.actalis.com/acme/directory"],
    ),
];

/// Tells whether an address of a directory is a public authority's.
pub(crate) fn is_public_authority(directory: &str) -> bool {
    is_of(directory, &PUBLIC)
}

pub(super) fn is_of(directory: &str, names: &[&str]) -> bool {
    let host = host(directory);
    names.iter().any(|name| {
        let below = host.strip_suffix(name);
        below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

fn host(directory: &str) -> &str {
    let (_, rest) = directory.split_once("://").unwrap_or(("", directory));
    rest.split(['/', ':', '?']).next().unwrap_or_default()
}

/// Finds an address that is no directory, and one of trials.
pub(super) fn directory(settings: &AcmeSettings) -> Option<Event> {
    let (setting, directory) = ("gateway.tls.acme.directory", &*settings.directory);
    let host = host(directory);
    let is_among = |names: &[&str]| names.iter().any(|name| host.contains(name));
    let known = DIRECTORIES.iter().find(|(names, _)| is_among(names));
    let known = known.map(|(_, known)| *known);
    let has_path = directory.trim_end_matches('/').matches('/').count() > 2;
    match known {
        Some(known) if !known.contains(&directory) => Some(event!(
            ACME_DIRECTORY_UNKNOWN,
            setting = setting,
            directory = directory,
            known = known
        )),
        None if !has_path => Some(event!(
            ACME_DIRECTORY_ROOT,
            setting = setting,
            directory = directory
        )),
        _ if is_among(&["acme-staging-v02.", ".test-api.pki.goog"]) => {
            Some(event!(ACME_TRIAL, setting = setting, directory = directory))
        }
        _ => None,
    }
}

/// Finds an IP address among the names that a public authority is to sign.
pub(super) fn address(settings: &AcmeSettings) -> Option<Event> {
    let is_address = |name: &&String| name.parse::<IpAddr>().is_ok();
    let name = settings.names.iter().find(is_address)?;
    let setting = "gateway.tls.names";
    if is_of(&settings.directory, &["letsencrypt.org"]) {
        Some(event!(ACME_NAME_SHORT, setting = setting, name = name))
    } else if settings.is_public_authority() {
        let directory = &settings.directory;
        Some(event!(
            ACME_NAME_ADDRESS,
            setting = setting,
            name = name,
            directory = directory
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::acme::Challenge;

    #[test]
    fn directories_are_known_by_their_addresses() {
        for (address, id) in [
            (crate::tls::acme::LETS_ENCRYPT, ""),
            ("https://acme.zerossl.com/v2/DV90", ""),
            ("https://ca.lan/dir", ""),
            ("https://ca.lan:9000/acme/acme/directory", ""),
            (
                "https://acme-staging-v02.api.letsencrypt.org/directory",
                "acme.trial",
            ),
            (
                "https://dv.acme-v02.test-api.pki.goog/directory",
                "acme.trial",
            ),
            ("https://ca.lan", "acme.directory-root"),
            ("https://ca.lan:9000/", "acme.directory-root"),
            (
                "https://acme-v02.api.letsencrypt.org",
                "acme.directory-unknown",
            ),
            (
                "https://acme-v02.api.letsencrypt.org/",
                "acme.directory-unknown",
            ),
            (
                "https://acme-v02.api.letsencrypt.org/directory/",
                "acme.directory-unknown",
            ),
            (
                "https://acme-v01.api.letsencrypt.org/directory",
                "acme.directory-unknown",
            ),
            (
                "https://acme-staging.api.letsencrypt.org/directory",
                "acme.directory-unknown",
            ),
            (
                "https://acme-v02-staging.api.letsencrypt.org/directory",
                "acme.directory-unknown",
            ),
            (
                "https://acme-v02.api.letsencypt.org/directory",
                "acme.directory-unknown",
            ),
            ("https://letsencrypt.org", "acme.directory-unknown"),
            ("https://acme.zerossl.com", "acme.directory-unknown"),
            ("https://pki.goog/directory", "acme.directory-unknown"),
        ] {
            let settings = AcmeSettings {
                dir: "certs".into(),
                names: Vec::new(),
                email: None,
                directory: address.to_owned(),
                challenge: Challenge::TlsAlpn01,
                root: None,
                eab: None,
            };
            let found = directory(&settings);
            assert_eq!(found.map_or("", |event| event.kind.id), id, "{address}");
        }
    }
}
