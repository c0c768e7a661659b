//! Self-signed certificate: kept, used again, and made anew before it ends or when its
//! names no longer fit.

use super::PairPaths;
use super::pem::{Pair, PairError};
use crate::event::{Event, event, tell};
use crate::util::durable::{self, Durability};
use crate::util::paths::absolute;
use crate::util::way;
use nix::unistd::geteuid;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd,
};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Years that it is made for. Devices have no use for a shorter one: nobody but its
/// owner can replace what they trust.
const YEARS: i32 = 20;
/// Time before its end at which it is made anew, in seconds.
const MARGIN: i64 = 90 * 86_400;

/// Error where no certificate could be made or kept.
#[derive(Debug)]
pub(crate) enum SignError {
    /// rcgen refuses what it is to sign.
    Make(rcgen::Error),
    /// The kept one is of another user, and devices may pin its key: it is not replaced.
    Others {
        file: PathBuf,
        owner: u32,
        mode: u32,
    },
    /// The folder or a file in it cannot be written.
    Keep {
        /// Folder or file.
        path: PathBuf,
        error: io::Error,
    },
    /// The file that was just written cannot be read.
    Pair(PairError),
}

impl From<PairError> for SignError {
    fn from(error: PairError) -> Self {
        Self::Pair(error)
    }
}

impl From<&SignError> for Event {
    fn from(error: &SignError) -> Self {
        match error {
            SignError::Make(error) => event!(TLS_SETUP, error = error.to_string()),
            SignError::Others { file, owner, mode } => event!(
                SIGN_OTHERS,
                file = file,
                folder = file.parent().unwrap_or(file),
                owner = *owner,
                mode = format!("{mode:04o}"),
                user = geteuid().as_raw()
            ),
            SignError::Keep { path, error } => {
                let way = way::to_write(path);
                event!(SIGN_KEEP, file = path, error = error, way = way)
            }
            SignError::Pair(error) => error.into(),
        }
    }
}

fn paths(dir: &Path) -> PairPaths {
    let dir = absolute(dir);
    PairPaths {
        cert: dir.join("self-signed.crt"),
        key: dir.join("self-signed.key"),
    }
}

/// Returns the kept certificate if it still serves `names`, else a new one, else
/// one that is not kept: a disk that is full or read-only must not keep devices
/// from being answered.
pub(super) fn at_any_rate(
    dir: &Path,
    names: &[String],
    now: SystemTime,
) -> Result<Pair, SignError> {
    let why = match ensure(dir, names, now) {
        Err(SignError::Make(error)) => return Err(SignError::Make(error)),
        Err(why) => why,
        done => return done,
    };
    let paths = paths(dir);
    if let Ok(pair) = Pair::load(&paths)
        && !has_ended(&pair, now)
    {
        let reason = unfit(&pair, names, now).unwrap_or_else(|| event!(CERTIFICATE_DUE));
        tell!(
            CERTIFICATE_KEPT_UNFIT,
            names = &*pair.names,
            reason = reason,
            why = Event::from(&why),
        );
        return Ok(pair);
    }
    let (key, certificate) = sign(names, kept_key(&paths), now)?;
    let mut pair = Pair::parse(&paths, certificate.as_bytes(), key.as_bytes())?;
    pair.is_kept = false;
    tell!(CERTIFICATE_UNKEPT, names = names, why = Event::from(&why));
    Ok(pair)
}

fn has_ended(pair: &Pair, now: SystemTime) -> bool {
    pair.not_after < seconds(now)
}

fn seconds(now: SystemTime) -> i64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// Returns the kept certificate if it still serves `names`, else a new one.
pub(super) fn ensure(dir: &Path, names: &[String], now: SystemTime) -> Result<Pair, SignError> {
    let paths = paths(dir);
    let why = match Pair::load(&paths) {
        Ok(pair) => match unfit(&pair, names, now) {
            None => return Ok(pair),
            Some(why) => why,
        },
        Err(_) if !paths.cert.exists() && !paths.key.exists() => event!(CERTIFICATE_NONE),
        Err(_) => {
            others(&paths)?;
            event!(CERTIFICATE_UNREADABLE)
        }
    };
    let key = kept_key(&paths);
    let key_is_kept = key.is_some();
    let (key, certificate) = sign(names, key, now)?;
    let kept = keep(dir, &paths, &key, &certificate)?;
    let unsure = match kept {
        Durability::Synced => None,
        Durability::Unsynced(why) => Some(format!(
            "a power cut may undo it, for the folder knows no fsync ({why})"
        )),
    };
    tell!(
        CERTIFICATE_SIGNED,
        cert = &paths.cert,
        names = names,
        why = why,
        key = key_is_kept.then_some("kept"),
        unsure = unsure
    );
    Ok(Pair::load(&paths)?)
}

/// Fails where a file of the kept pair is another user's, and shut.
fn others(paths: &PairPaths) -> Result<(), SignError> {
    for file in [&paths.key, &paths.cert] {
        let read = fs::File::open(file);
        if read.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
            let about = fs::metadata(file);
            return Err(SignError::Others {
                file: file.clone(),
                owner: about.as_ref().map_or(0, MetadataExt::uid),
                mode: about.map_or(0, |about| about.mode() & 0o7777),
            });
        }
    }
    Ok(())
}

/// Returns why `pair` has to be made anew, if it has to.
pub(super) fn unfit(pair: &Pair, names: &[String], now: SystemTime) -> Option<Event> {
    if pair.not_after - MARGIN < seconds(now) {
        return Some(event!(CERTIFICATE_ENDS_SOON));
    }
    let covered = names.iter().all(|name| pair.names.contains(&normal(name)));
    (!covered).then(|| event!(CERTIFICATE_NAMES_CHANGED))
}

/// Returns a name as it comes out of a certificate again.
pub(super) fn normal(name: &str) -> String {
    name.parse::<IpAddr>()
        .map_or_else(|_| name.to_ascii_lowercase(), |ip| ip.to_string())
}

/// Returns the key of the last certificate, if it can be used again: firmware that pins
/// it goes on with the next one.
fn kept_key(paths: &PairPaths) -> Option<KeyPair> {
    let pem = fs::read_to_string(&paths.key).ok()?;
    let key = KeyPair::from_pem(&pem).ok()?;
    key.is_compatible(&PKCS_ECDSA_P256_SHA256).then_some(key)
}

/// Makes the certificate, and a key if there is none yet, as PEM.
fn sign(
    names: &[String],
    key: Option<KeyPair>,
    now: SystemTime,
) -> Result<(String, String), SignError> {
    let refuse = SignError::Make;
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
    let year = i32::try_from(seconds(now) / 31_556_952);
    params.not_after = date_time_ymd(1970 + year.unwrap_or(0) + YEARS, 1, 1);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = match key {
        Some(key) => key,
        None => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(refuse)?,
    };
    let certificate = params.self_signed(&key).map_err(refuse)?;
    Ok((key.serialize_pem(), certificate.pem()))
}

/// Keeps key and certificate. A power cut between the two leaves a pair that does not
/// match, and the next start makes a new one.
fn keep(
    dir: &Path,
    paths: &PairPaths,
    key: &str,
    certificate: &str,
) -> Result<Durability, SignError> {
    fs::create_dir_all(dir).map_err(|error| SignError::Keep {
        path: absolute(dir),
        error,
    })?;
    durable::replace_both([
        (&paths.key, key.as_bytes(), 0o600),
        (&paths.cert, certificate.as_bytes(), 0o644),
    ])
    .map_err(|(path, error)| SignError::Keep { path, error })
}

#[cfg(test)]
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
        let key = || fs::read(dir.path().join("self-signed.key")).unwrap();
        let pinned = key();
        let renamed = ensure(dir.path(), &names(&["other.example.com"]), now).unwrap();
        assert_ne!(serial_free_identity(&first), serial_free_identity(&renamed));
        assert_eq!(key(), pinned, "firmware may pin it");
        let late = now + Duration::from_secs(86_400 * 365 * 21);
        let renewed = ensure(dir.path(), &names(&["other.example.com"]), late).unwrap();
        assert_ne!(
            serial_free_identity(&renamed),
            serial_free_identity(&renewed)
        );
        assert_eq!(key(), pinned, "firmware may pin it");
        // One that is of no use is replaced.
        fs::write(dir.path().join("self-signed.key"), "cut").unwrap();
        ensure(dir.path(), &names(&["other.example.com"]), now).unwrap();
        assert_ne!(key(), pinned);
    }

    #[test]
    fn a_name_that_cannot_be_signed_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let made = ensure(dir.path(), &names(&["例子"]), SystemTime::now());
        assert!(matches!(made, Err(SignError::Make(_))), "{made:?}");
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
