//! Audit of certificates: finds what would make a device refuse them at this public
//! address, now or soon, and says what to change.

use super::pem::Pair;
use super::{Mode, judge};
use crate::event::{Event, event};
use crate::util::paths::absolute;
use rustls::pki_types::ServerName;
use std::net::IpAddr;
use std::time::SystemTime;
use webpki::EndEntityCert;

const DAY: i64 = 86_400;
/// Days before its end from which on a certificate is warned of.
const STEPS: [i64; 4] = [1, 7, 14, 30];
/// Longest validity of a certificate that is made for days, in seconds: Let's Encrypt's
/// live for six.
const SHORT: i64 = 10 * DAY;

/// Judges the certificates against the host of an https public address. `pairs`
/// may be empty where `mode` says enough.
pub(crate) fn audit(host: &str, mode: &Mode, pairs: &[Pair], now: SystemTime) -> Vec<Event> {
    let mut findings = Vec::new();
    if let Mode::SelfSigned { dir, .. } = mode {
        findings.push(event!(
            CERTIFICATE_SELF_SIGNED,
            setting = "gateway.tls.mode",
            file = absolute(dir).join("self-signed.crt")
        ));
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    findings.extend(names(host, mode, pairs));
    let now = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    for (i, pair) in pairs.iter().enumerate() {
        let setting = match mode {
            Mode::Files(_) => format!("gateway.tls.certificates[{i}]"),
            Mode::Off | Mode::SelfSigned { .. } | Mode::Acme(_) => "gateway.tls.mode".to_owned(),
        };
        findings.extend(judge::mended(&setting, pair));
        findings.extend(judge::leaf(&setting, pair));
        findings.extend(judge::chain(&setting, mode, pair, now));
        findings.extend(key(&setting, pair));
        findings.extend(time(&setting, mode, pair, now));
    }
    let setting = match mode {
        Mode::Files(_) => "gateway.tls.certificates",
        Mode::Off | Mode::SelfSigned { .. } | Mode::Acme(_) => "gateway.tls.mode",
    };
    findings.extend(judge::only_ecdsa(setting, pairs, mode));
    findings
}

/// Finds a host that no certificate holds for.
fn names(host: &str, mode: &Mode, pairs: &[Pair]) -> Option<Event> {
    let setting = match mode {
        Mode::Files(_) => "gateway.tls.certificates",
        Mode::Off | Mode::SelfSigned { .. } | Mode::Acme(_) => "gateway.tls.names",
    };
    // Who asks for an address gets the first certificate, whatever its names.
    let asked = if host.parse::<IpAddr>().is_ok() {
        &pairs[..pairs.len().min(1)]
    } else {
        pairs
    };
    let has_host = |names: &[String]| names.iter().any(|name| name.eq_ignore_ascii_case(host));
    let is_file = matches!(mode, Mode::Off | Mode::Files(_));
    if let Some(pair) = asked
        .iter()
        .find(|pair| is_file && judge::has_as_dns(pair, host))
        && !asked.iter().any(|pair| covers(pair, host))
    {
        let file = &pair.paths.cert;
        return Some(event!(
            CERTIFICATE_NAME_FORM,
            setting = setting,
            host = host,
            file = file
        ));
    }
    let (covered, names) = match mode {
        Mode::SelfSigned { names, .. } => (has_host(names), names.clone()),
        // What is there may be about to be replaced: what is wanted counts.
        Mode::Acme(acme) => (has_host(&acme.names), acme.names.clone()),
        Mode::Off | Mode::Files(_) => (
            asked.is_empty() || asked.iter().any(|pair| covers(pair, host)),
            asked.iter().flat_map(|p| p.names.clone()).collect(),
        ),
    };
    if covered
        && let Mode::Acme(acme) = mode
        && let served = asked.iter().filter(|pair| !pair.is_self_signed)
        && served.clone().count() > 0
        && !served.clone().any(|pair| covers(pair, host))
    {
        let names: Vec<_> = served.flat_map(|pair| pair.names.clone()).collect();
        return Some(event!(
            CERTIFICATE_NAME_ORDERED,
            setting = setting,
            host = host,
            names = &*names,
            directory = &acme.directory
        ));
    }
    let names: Vec<_> = names
        .into_iter()
        .filter(|name| !judge::is_odd(name))
        .collect();
    (!covered).then(|| {
        event!(
            CERTIFICATE_NAME,
            setting = setting,
            host = host,
            names = (!names.is_empty()).then_some(&*names)
        )
    })
}

/// Finds a key that devices cannot use.
fn key(setting: &str, pair: &Pair) -> Option<Event> {
    let (file, bits) = (&pair.paths.cert, pair.key_bits);
    match (pair.is_ecdsa, bits) {
        (false, 4097..) => Some(event!(
            CERTIFICATE_KEY_LONG,
            setting = setting,
            file = file,
            bits = bits
        )),
        (true, 385..) => Some(event!(CERTIFICATE_CURVE, setting = setting, file = file)),
        _ => None,
    }
}

/// Finds a certificate that does not hold now, or not for long. mbedTLS on a device
/// checks no date by default, and a modem no certificate.
fn time(setting: &str, mode: &Mode, pair: &Pair, now: i64) -> Option<Event> {
    let file = &pair.paths.cert;
    let is_ordered = matches!(mode, Mode::Acme(_));
    if pair.not_after < now {
        return Some(event!(
            CERTIFICATE_EXPIRED,
            setting = setting,
            file = file,
            acme = is_ordered
        ));
    }
    if pair.not_before > now {
        return Some(event!(CERTIFICATE_EARLY, setting = setting, file = file));
    }
    let (left, length) = (
        pair.not_after - now,
        pair.not_after.saturating_sub(pair.not_before),
    );
    let step = STEPS.into_iter().find(|days| left <= days * DAY)?;
    // One that is renewed here, or that lives for days only, is no news before
    // the time of its renewal is well over.
    if left > length / 4 && (is_ordered || length <= SHORT) {
        return None;
    }
    Some(event!(
        CERTIFICATE_EXPIRING,
        setting = setting,
        file = file,
        days = step.unsigned_abs(),
        hours = (left / 3600).unsigned_abs(),
        acme = is_ordered,
    ))
}

fn covers(pair: &Pair, host: &str) -> bool {
    let Some(leaf) = pair.certified.cert.first() else {
        return false;
    };
    let (Ok(leaf), Ok(name)) = (EndEntityCert::try_from(leaf), ServerName::try_from(host)) else {
        return false;
    };
    leaf.verify_is_valid_for_subject_name(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::{PairPaths, acme};
    use super::*;
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
        PKCS_ECDSA_P521_SHA512, SignatureAlgorithm, date_time_ymd,
    };
    use std::time::Duration;

    const NAME: &str = "ota.example.com";

    /// Makes a certificate from 2026-01-01 to the given day, with its chain and one of
    /// a stranger.
    fn pair(until: (u8, u8), key: &'static SignatureAlgorithm, stranger: bool) -> Pair {
        let authority = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
            let pem = params.self_signed(&key).unwrap().pem();
            (Issuer::new(params, key), pem)
        };
        let ((issuer, above), (_, other)) = (authority("authority"), authority("stranger"));
        let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, until.0, until.1);
        let key = KeyPair::generate_for(key).unwrap();
        let own = params.signed_by(&key, &issuer).unwrap().pem();
        let chain = own + if stranger { &other } else { &above };
        let paths = PairPaths {
            cert: "a.pem".into(),
            key: "a.key".into(),
        };
        Pair::parse(&paths, chain.as_bytes(), key.serialize_pem().as_bytes()).unwrap()
    }

    fn at(pair: &Pair, mode: &Mode, before_end: i64) -> Vec<String> {
        let now = u64::try_from(pair.not_after - before_end).unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
        let findings = told(NAME, mode, std::slice::from_ref(pair), now);
        findings.iter().map(ToString::to_string).collect()
    }

    /// Audits, but for what every certificate of these tests is told of: all are ECDSA,
    /// and signed by nobody whom devices know.
    fn told(host: &str, mode: &Mode, pairs: &[Pair], now: SystemTime) -> Vec<Event> {
        let mut findings = audit(host, mode, pairs, now);
        let usual = ["certificate.only-ecdsa", "certificate.authority"];
        findings.retain(|finding| !usual.contains(&finding.kind.id));
        findings
    }

    fn ordered() -> Mode {
        Mode::Acme(acme::AcmeSettings {
            dir: "certs".into(),
            names: vec![NAME.into()],
            email: None,
            directory: acme::LETS_ENCRYPT.into(),
            challenge: acme::Challenge::TlsAlpn01,
            root: None,
            eab: None,
        })
    }

    #[test]
    fn the_end_is_told_of_in_steps() {
        let pair = pair((4, 1), &PKCS_ECDSA_P256_SHA256, false);
        let files = Mode::Files(vec![pair.paths.clone()]);
        for (mode, days, words) in [
            (&files, 31, None),
            (&files, 30, Some("within 30 d")),
            (&files, 14, Some("within 14 d")),
            (&files, 7, Some("within 7 d")),
            (&files, 1, Some("within 1 d (24 h left)")),
            (&files, -1, Some("has expired")),
            (&files, 91, Some("does not hold yet")),
            // Its renewal may just be under way.
            (&ordered(), 28, None),
            (&ordered(), 14, Some("within 14 d")),
        ] {
            let found = at(&pair, mode, days * DAY);
            match words {
                None => assert!(found.is_empty(), "{days}: {found:?}"),
                Some(words) => assert!(
                    found.len() == 1 && found[0].contains(words),
                    "{days}: {found:?}"
                ),
            }
        }
    }

    #[test]
    fn one_that_lives_for_days_is_told_of_when_its_renewal_is_over() {
        let pair = pair((1, 7), &PKCS_ECDSA_P256_SHA256, false);
        for mode in [ordered(), Mode::Files(vec![pair.paths.clone()])] {
            assert!(at(&pair, &mode, 2 * DAY).is_empty());
            assert!(at(&pair, &mode, DAY)[0].contains("within 1 d"));
        }
    }

    #[test]
    fn a_chain_that_leads_nowhere_and_a_key_that_few_read() {
        let pair = pair((12, 1), &PKCS_ECDSA_P521_SHA512, true);
        let found = at(&pair, &ordered(), 100 * DAY);
        assert!(found[0].contains("that signed number 1 in it is missing"));
        assert!(found[1].contains("more than 384 bits"), "{found:?}");
    }
    /// Returns the gap in a chain of a leaf, three above it and a stranger, in the
    /// order of `files`.
    fn gap(files: &[usize]) -> Option<usize> {
        let made = |name: &str, by: Option<&Issuer<'_, KeyPair>>| {
            let mut params = CertificateParams::new([name.to_owned()]).unwrap();
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
            let pem = match by {
                Some(by) => params.signed_by(&key, by).unwrap().pem(),
                None => params.self_signed(&key).unwrap().pem(),
            };
            (pem, key.serialize_pem(), Issuer::new(params, key))
        };
        let root = made("root", None);
        let upper = made("upper", Some(&root.2));
        let lower = made("lower", Some(&upper.2));
        let leaf = made(NAME, Some(&lower.2));
        let stranger = made("stranger", None);
        let all = [&leaf.0, &lower.0, &upper.0, &root.0, &stranger.0];
        let text: String = files.iter().map(|i| all[*i].as_str()).collect();
        let paths = PairPaths {
            cert: "a.pem".into(),
            key: "a.key".into(),
        };
        let pair = Pair::parse(&paths, text.as_bytes(), leaf.1.as_bytes());
        pair.unwrap().gap
    }

    #[test]
    fn a_chain_may_stand_in_any_order() {
        for (files, expected) in [
            (&[0, 1, 2, 3][..], None),
            (&[0, 1, 2], None),
            (&[0, 1], None),
            (&[0, 3, 2, 1], None),
            (&[0, 2, 1], None),
            (&[0, 3, 1, 4, 2], None),
            (&[0, 2], Some(1)),
            (&[0, 4], Some(1)),
            (&[4, 0], Some(2)),
            (&[0, 1, 3], None),
            (&[0, 1, 4], None),
        ] {
            assert_eq!(gap(files), expected, "{files:?}");
        }
    }

    #[test]
    fn an_address_that_stands_as_a_name_is_told_apart() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let paths = PairPaths {
            cert: "a.pem".into(),
            key: "a.key".into(),
        };
        let mode = Mode::Files(vec![paths.clone()]);
        let name = |text: &str| rcgen::SanType::DnsName(text.try_into().unwrap());
        let address = rcgen::SanType::IpAddress([192, 0, 2, 1].into());
        for (names, host, id, shows) in [
            (
                vec![name("192.0.2.1")],
                "192.0.2.1",
                "certificate.name-form",
                "subjectAltName=IP:192.0.2.1,",
            ),
            (vec![name("192.0.2.1"), address], "192.0.2.1", "", ""),
            (
                vec![name("https://a"), name("b.example.com")],
                NAME,
                "certificate.name",
                "(they are for b.example.com)",
            ),
        ] {
            let mut params = CertificateParams::default();
            params.subject_alt_names = names;
            let pem = params.self_signed(&key).unwrap().pem();
            let pair = Pair::parse(&paths, pem.as_bytes(), key.serialize_pem().as_bytes());
            let found = super::names(host, &mode, &[pair.unwrap()]);
            let found = found.map(|event| (event.kind.id, event.to_string()));
            let (found, text) = found.unwrap_or_default();
            assert_eq!(found, id);
            assert!(text.contains(shows), "{text}");
        }
    }

    #[test]
    fn what_is_served_counts_besides_what_is_ordered() {
        let pair = pair((4, 1), &PKCS_ECDSA_P256_SHA256, false);
        let Mode::Acme(mut acme) = ordered() else {
            return;
        };
        acme.names.push("new.example.com".into());
        let now = SystemTime::UNIX_EPOCH
            + Duration::from_secs(u64::try_from(pair.not_after - 40 * DAY).unwrap());
        let mode = Mode::Acme(acme);
        let pairs = [pair];
        let found = told("new.example.com", &mode, &pairs, now);
        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .to_string()
                .contains("in use is not made for new.example.com")
        );
        assert!(told(NAME, &mode, &pairs, now).is_empty());
    }
}
