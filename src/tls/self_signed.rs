//! The certificate that this server signs itself: kept, used again, and made
//! anew before it ends or when its names no longer fit.

use super::PairPaths;
use super::keep::replace;
use super::pem::{Pair, PairError};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd,
};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tracing::info;

/// For how long it is made. Devices have no use for a shorter one: nobody but
/// its owner can replace what they trust.
const YEARS: i32 = 20;
/// How long before its end it is made anew, in seconds.
const MARGIN: i64 = 90 * 86_400;

/// Why no certificate could be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// rcgen refuses the names.
    #[error("gateway.tls.names: no certificate can be made for {names:?}: {error}")]
    Names {
        /// The names.
        names: Vec<String>,
        /// Why.
        error: rcgen::Error,
    },
    /// The folder or a file in it.
    #[error("{}: {error}: the certificate that this server signs is kept there", path.display())]
    Keep {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What was just written cannot be read.
    #[error(transparent)]
    Pair(#[from] PairError),
}

/// The kept certificate if it still serves `names`, else a new one.
pub(super) fn ensure(dir: &Path, names: &[String], now: SystemTime) -> Result<Pair, SignError> {
    let paths = PairPaths {
        cert: dir.join("self-signed.crt"),
        key: dir.join("self-signed.key"),
    };
    let why = match Pair::load(&paths) {
        Ok(pair) => match unfit(&pair, names, now) {
            None => return Ok(pair),
            Some(why) => why,
        },
        Err(_) if !paths.cert.exists() && !paths.key.exists() => "there was none",
        Err(_) => "the kept one could not be read",
    };
    sign(dir, &paths, names, now)?;
    info!(cert = %paths.cert.display(), names = ?names, "certificate signed, for {why}");
    Ok(Pair::load(&paths)?)
}

/// Why `pair` has to be made anew, if it has to.
pub(super) fn unfit(pair: &Pair, names: &[String], now: SystemTime) -> Option<&'static str> {
    let now = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    if pair.not_after - MARGIN < i64::try_from(now).unwrap_or(i64::MAX) {
        return Some("the kept one ends soon");
    }
    let covered = names.iter().all(|name| pair.names.contains(&normal(name)));
    (!covered).then_some("the names changed")
}

/// Names as they come out of a certificate again.
pub(super) fn normal(name: &str) -> String {
    name.parse::<IpAddr>()
        .map_or_else(|_| name.to_ascii_lowercase(), |ip| ip.to_string())
}

fn sign(dir: &Path, paths: &PairPaths, names: &[String], now: SystemTime) -> Result<(), SignError> {
    let keep = |path: &Path| {
        let path = path.to_owned();
        move |error| SignError::Keep { path, error }
    };
    let refuse = |error| SignError::Names {
        names: names.to_owned(),
        error,
    };
    let mut params = CertificateParams::default();
    for name in names {
        let as_dns = || {
            normal(name)
                .try_into()
                .map(SanType::DnsName)
                .map_err(refuse)
        };
        if let Ok(ip) = name.parse() {
            params.subject_alt_names.push(SanType::IpAddress(ip));
        }
        // mbedTLS before 3.5 compares an IP address with host names only.
        params.subject_alt_names.push(as_dns()?);
    }
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "xiaozhi-ota");
    // A device's clock may say 1970.
    params.not_before = date_time_ymd(1970, 1, 1);
    let year = i32::try_from(
        now.duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |d| d.as_secs())
            / 31_556_952,
    );
    params.not_after = date_time_ymd(1970 + year.unwrap_or(0) + YEARS, 1, 1);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(refuse)?;
    let certificate = params.self_signed(&key).map_err(refuse)?;
    fs::create_dir_all(dir).map_err(keep(dir))?;
    // A power cut between the two leaves a pair that does not match, and the
    // next start makes a new one.
    replace(&paths.key, key.serialize_pem().as_bytes(), 0o600).map_err(keep(&paths.key))?;
    replace(&paths.cert, certificate.pem().as_bytes(), 0o644).map_err(keep(&paths.cert))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|&n| n.to_owned()).collect()
    }

    fn serial_free_identity(pair: &Pair) -> Vec<u8> {
        pair.certified.cert[0].to_vec()
    }

    #[test]
    fn kept_used_again_and_made_anew_when_it_no_longer_fits() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let first = ensure(
            dir.path(),
            &names(&["ota.example.com", "127.0.0.1", "::1"]),
            now,
        )
        .unwrap();
        assert_eq!(first.names, ["ota.example.com", "127.0.0.1", "::1"]);
        assert!(first.is_ecdsa && first.is_self_signed && first.not_before == 0);
        let mode = fs::metadata(dir.path().join("self-signed.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = ensure(dir.path(), &names(&["OTA.example.com"]), now).unwrap();
        assert_eq!(serial_free_identity(&first), serial_free_identity(&again));
        let renamed = ensure(dir.path(), &names(&["other.example.com"]), now).unwrap();
        assert_ne!(serial_free_identity(&first), serial_free_identity(&renamed));
        let late = now + Duration::from_secs(86_400 * 365 * 21);
        let renewed = ensure(dir.path(), &names(&["other.example.com"]), late).unwrap();
        assert_ne!(
            serial_free_identity(&renamed),
            serial_free_identity(&renewed)
        );
    }

    #[test]
    fn a_half_written_pair_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let list = names(&["a.example.com"]);
        let first = ensure(dir.path(), &list, SystemTime::now()).unwrap();
        let other = tempfile::tempdir().unwrap();
        ensure(other.path(), &list, SystemTime::now()).unwrap();
        fs::copy(
            other.path().join("self-signed.key"),
            dir.path().join("self-signed.key"),
        )
        .unwrap();
        let second = ensure(dir.path(), &list, SystemTime::now()).unwrap();
        assert_ne!(serial_free_identity(&first), serial_free_identity(&second));
        fs::write(dir.path().join("self-signed.crt"), "cut").unwrap();
        ensure(dir.path(), &list, SystemTime::now()).unwrap();
    }
}
