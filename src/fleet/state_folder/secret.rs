//! Secrets of the state folder: made once, read ever after, and nobody else's to read.

use super::aside::set_aside;
use super::rights::{is_open_to_others, shown};
use crate::event::tell;
use crate::util::{durable, small_file};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::SystemTime;

/// Name of the file with the key of download tokens.
pub(super) const TOKEN_KEY: &str = "token.key";
/// Name of the file with the administrator's token.
pub(super) const ADMIN_TOKEN: &str = "admin.token";
/// Rights of a secret.
const MODE: u32 = 0o600;

/// A secret, as it is used.
pub(super) type Secret = [u8; 32];

/// State of the file of a secret that is in use.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// It holds that secret, or does so again.
    Same,
    /// It holds another one, and stays.
    Another,
}

const EMPTY: &str = "it is empty";
const NO_TOKEN: &str = "it holds no token of 43 base64url characters";

/// Reads a secret.
///
/// # Errors
///
/// The file cannot be read (`InvalidInput`, `FileTooLarge`: it never can), or holds none
/// (`InvalidData`).
pub(super) fn read(file: &Path) -> io::Result<Secret> {
    let text = small_file::read(file)?;
    let text = text.trim_ascii();
    let secret = URL_SAFE_NO_PAD.decode(text).ok();
    let secret = secret.and_then(|secret| secret.try_into().ok());
    secret.ok_or_else(|| {
        let why = if text.is_empty() { EMPTY } else { NO_TOKEN };
        io::Error::new(ErrorKind::InvalidData, why)
    })
}

/// Returns the text of a secret, as it is written to its file and shown by who bears it.
pub(super) fn written(secret: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(secret)
}

/// Reads a secret, or makes one. What is there and is none is set aside; what cannot be read
/// for another reason may be right a moment later, and stays. `is_shut` says that nobody else
/// could have come to the file.
pub(super) fn kept(file: &Path, is_shut: bool) -> io::Result<Secret> {
    match read(file) {
        Ok(secret) => {
            shut(file, is_shut);
            Ok(secret)
        }
        Err(error) => {
            let secret = random()?;
            replace(file, &secret, error)?;
            Ok(secret)
        }
    }
}

/// Makes a secret in the place of what is there, if anything is.
pub(super) fn make(file: &Path) -> io::Result<Secret> {
    let secret = random()?;
    write(file, &secret)?;
    Ok(secret)
}

/// Writes a secret that is in use to where none is. Another one stays.
pub(super) fn keep(file: &Path, secret: &Secret, is_shut: bool) -> io::Result<Again> {
    match read(file) {
        Ok(found) => {
            shut(file, is_shut);
            let is_same = found == *secret;
            Ok(if is_same { Again::Same } else { Again::Another })
        }
        Err(error) => replace(file, secret, error).map(|()| Again::Same),
    }
}

/// Writes a secret where a file could not be read, for this reason: nothing was there, or
/// nothing of use, which is set aside.
fn replace(file: &Path, secret: &Secret, why: io::Error) -> io::Result<()> {
    use ErrorKind::{FileTooLarge, InvalidData, InvalidInput, NotFound};
    match why.kind() {
        NotFound => {}
        InvalidData | InvalidInput | FileTooLarge => {
            set_aside(file, &why.to_string(), SystemTime::now())?;
        }
        _ => return Err(why),
    }
    write(file, secret)
}

fn write(file: &Path, secret: &Secret) -> io::Result<()> {
    let text = written(secret) + "\n";
    // A power cut that undoes it costs a new one.
    let _ = durable::replace(file, text.as_bytes(), MODE)?;
    Ok(())
}

fn random() -> io::Result<Secret> {
    let mut secret = [0; 32];
    rand::fill(&mut secret).map_err(|_| io::Error::other("the system has no random numbers"))?;
    Ok(secret)
}

/// Shuts a secret to others that came back from somewhere with other rights. Where others
/// could come to it, that is said: they may know it.
pub(super) fn shut(file: &Path, is_shut: bool) {
    let Ok(about) = fs::metadata(file) else {
        return;
    };
    let mode = about.permissions().mode() & 0o7777;
    if !is_open_to_others(mode) {
        return;
    }
    let error = fs::set_permissions(file, Permissions::from_mode(MODE)).err();
    if error.is_some() || !is_shut {
        let error = error.as_ref();
        tell!(
            STATE_SECRET_OPEN,
            file = file,
            mode = shown(mode),
            error = error
        );
    }
}
