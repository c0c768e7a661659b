//! `gateway.tls.acme`: a CA, and the names that it is asked for.

use super::fault::About;
use super::section::{Section, Text};
use super::wanted;
use crate::event::event;
use crate::event::text as words;
use crate::ota::public_url::PublicAddress;
use crate::tls::acme::{
    AcmeSettings, Challenge, EabSettings, LETS_ENCRYPT, is_public, is_public_authority,
};
use hyper::Uri;
use rustls::pki_types::ServerName;
use std::net::IpAddr;
use xiaozhi_device::redact;

/// Most names that a public CA puts into one certificate.
const MOST: usize = 100;

/// Reads the CA and the names. `tls` is the section around it, `listed` are the names
/// that it lists, and `setting` is the key of the public address.
pub(super) fn acme(
    tls: &Section<'_>,
    listed: Option<&[Text<'_>]>,
    public: &PublicAddress,
    setting: &About<'_>,
    dir: &str,
) -> AcmeSettings {
    let section = tls.section("acme");
    section.only_known();
    let directory = section.read("directory", wanted::DIRECTORY, |text| {
        is_https(text).then(|| text.to_owned())
    });
    let directory = directory.unwrap_or_else(|| LETS_ENCRYPT.to_owned());
    let email = section.read("email", wanted::EMAIL, |text| {
        is_email(text).then(|| text.to_owned())
    });
    let challenge = section.read("challenge", wanted::CHALLENGE, |text| match text {
        "tls-alpn-01" => Some(Challenge::TlsAlpn01),
        "http-01" => Some(Challenge::Http01),
        _ => None,
    });
    AcmeSettings {
        dir: dir.into(),
        names: names(tls, listed, public, setting, &directory),
        email,
        directory,
        challenge: challenge.unwrap_or(Challenge::TlsAlpn01),
        root: section.path("root"),
        eab: eab(&section),
    }
}

/// Reads the contract that an account is bound to.
fn eab(acme: &Section<'_>) -> Option<EabSettings> {
    let section = acme.section("eab");
    section.only_known();
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
    let key_id = section.read("key_id", wanted::KEY_ID, |text| {
        plain(text).then(|| text.to_owned())
    });
    // Some write the key itself there, which is not to be shown as a file that is missing.
    let hmac_file = section.read("hmac_file", wanted::HMAC_FILE, |text| {
        (!text.is_empty() && !redact::holds_key(text)).then(|| text.into())
    });
    for (key, wanted) in [("key_id", wanted::KEY_ID), ("hmac_file", wanted::HMAC_FILE)] {
        if acme.has("eab") && !section.has(key) {
            section.fault(key, None, event!(CONFIG_MISSING, wanted = wanted));
        }
    }
    Some(EabSettings {
        key_id: key_id?,
        hmac_file: hmac_file?,
    })
}

fn names(
    tls: &Section<'_>,
    listed: Option<&[Text<'_>]>,
    public: &PublicAddress,
    setting: &About<'_>,
    directory: &str,
) -> Vec<String> {
    let given: Vec<_> = match listed {
        Some(listed) => listed
            .iter()
            .map(|name| (name.text().to_owned(), name.about()))
            .collect(),
        None => vec![(public.host(), tls.about("mode").beside(setting))],
    };
    let is_public = is_public_authority(directory);
    let mut names = Vec::new();
    for (name, about) in given {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let about = about.value(name.as_str());
        if name.contains('*') {
            about.fault(event!(CONFIG_WILDCARD));
        } else if let Some(why) = no_dns_name(&name, is_public) {
            about.fault(event!(CONFIG_NO_DNS_NAME, why = why));
        } else if is_public && !is_reachable(&name) {
            about.fault(if listed.is_some() {
                event!(CONFIG_PRIVATE_NAME)
            } else {
                event!(CONFIG_PRIVATE_HOST)
            });
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if is_public && names.len() > MOST {
        let event = event!(CONFIG_TOO_MANY_NAMES, names = names.len(), most = MOST);
        tls.about("names").fault(event);
    }
    names
}

/// Says why a name cannot be one of DNS (RFC 1123, section 2.1), or none of those that
/// public CAs sign.
fn no_dns_name(name: &str, is_public: bool) -> Option<words::Text> {
    if name.parse::<IpAddr>().is_ok() {
        return None;
    }
    let mut labels = name.split('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    if is_public && name.contains('_') {
        Some(wanted::UNDERSCORE)
    } else if !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) {
        Some(wanted::DIGITS)
    } else if name.len() > 253 || labels.clone().any(|label| label.len() > 63) {
        Some(wanted::LONG_NAME)
    } else if labels.any(|l| l.is_empty() || l.starts_with('-') || l.ends_with('-')) {
        Some(wanted::LABELS)
    } else {
        None
    }
}

fn is_https(text: &str) -> bool {
    let Ok(address) = text.parse::<Uri>() else {
        return false;
    };
    let is_host = |host: &str| {
        let ip = host.trim_start_matches('[').trim_end_matches(']');
        ip.parse::<IpAddr>().is_ok() || ServerName::try_from(host).is_ok()
    };
    // A port that is no number is none.
    let names_port = address.authority().is_some_and(|to| {
        let behind_host = to
            .as_str()
            .rsplit_once(']')
            .map_or(to.as_str(), |(_, rest)| rest);
        behind_host.contains(':')
    });
    address.scheme_str() == Some("https")
        && address.host().is_some_and(is_host)
        && names_port == address.port_u16().is_some_and(|port| port > 0)
        && !text.contains(['@', '?', '#'])
}

fn is_email(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !",;?:".contains(c);
    text.split_once('@')
        .is_some_and(|(who, host)| !who.is_empty() && host.contains('.') && !host.contains('@'))
        && text.chars().all(plain)
}

/// Tells whether the whole internet can know this name.
fn is_reachable(name: &str) -> bool {
    let local = [
        "local",
        "localhost",
        "lan",
        "internal",
        "home",
        "localdomain",
        "arpa",
        "test",
        "invalid",
        "example",
        "onion",
        "corp",
        "intranet",
        "private",
        "localnet",
    ];
    let is_name = || {
        let parts = name.rsplit_once('.');
        parts.is_some_and(|(rest, last)| !rest.is_empty() && !local.contains(&last))
    };
    name.parse().map_or_else(|_| is_name(), is_public)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_internet_knows() {
        for name in ["ota.example.com", "203.0.113.7", "2001:db8::1", "a.b.cn"] {
            assert!(is_reachable(name), "{name}");
        }
        for name in [
            "gateway",
            "ota.lan",
            "192.168.1.5",
            "10.0.0.1",
            "127.0.0.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "localhost",
            ".com",
        ] {
            assert!(!is_reachable(name), "{name}");
        }
    }

    #[test]
    fn whose_directory_it_is() {
        assert!(is_public_authority(LETS_ENCRYPT));
        assert!(is_public_authority("https://acme.zerossl.com/v2/DV90"));
        assert!(!is_public_authority("https://ca.lan:14000/dir"));
        assert!(!is_public_authority("https://notletsencrypt.org/dir"));
        for text in [
            "https://ca.lan:14000/dir",
            "https://[fd00::7]:14000/dir",
            LETS_ENCRYPT,
        ] {
            assert!(is_https(text), "{text}");
        }
        for text in [
            "http://ca.lan/dir",
            "https://ca.lan:port/dir",
            "https://ca.lan:/dir",
            "https://ca.lan:0/dir",
            "https://ca.lan:80000/dir",
            "https:///dir",
            "https://:1/dir",
            "https://me:hush@ca.lan/dir",
            "https://ca.lan/dir?token=hush",
            "https://ca.lan/dir#hush",
            "https://ca.lan/a b",
            "https://你.lan/",
            "https://ca..lan/dir",
        ] {
            assert!(!is_https(text), "{text}");
        }
        assert!(is_email("me@example.com") && !is_email("me@example.com, you@example.com"));
    }
}
