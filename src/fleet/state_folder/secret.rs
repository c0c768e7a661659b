//! Secrets of the state folder: made once, read ever after, and nobody else's to read.

use super::aside::set_aside;
use crate::util::{durable, small_file};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::SystemTime;

/// Name of the file with the key of download tokens.
const TOKEN_KEY: &str = "token.key";
/// Name of the file with the administrator's token.
const ADMIN_TOKEN: &str = "admin.token";
/// Rights of a secret.
const MODE: u32 = 0o600;

/// Returns the key of download tokens. It is made where there is none.
pub(super) fn key(dir: &Path) -> io::Result<[u8; 32]> {
    kept(&dir.join(TOKEN_KEY))
}

/// Returns the administrator's token. It is made where there is none.
pub(super) fn admin_token(dir: &Path) -> io::Result<String> {
    Ok(written(&kept(&dir.join(ADMIN_TOKEN))?))
}

/// Reads the administrator's token where there is one.
pub(super) fn read_admin_token(dir: &Path) -> io::Result<String> {
    let text = small_file::read(&dir.join(ADMIN_TOKEN))?;
    let token = secret_of(&text).map(|token| written(&token));
    token.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, NO_TOKEN))
}

const NO_TOKEN: &str = "it holds no token of 43 base64url characters";

fn secret_of(text: &[u8]) -> Option<[u8; 32]> {
    let secret = URL_SAFE_NO_PAD.decode(text.trim_ascii()).ok()?;
    secret.try_into().ok()
}

fn written(secret: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(secret)
}

/// Reads a secret, or makes one. What is there and is none is set aside; what cannot be read
/// for another reason may be right a moment later, and stays.
fn kept(file: &Path) -> io::Result<[u8; 32]> {
    use io::ErrorKind::{FileTooLarge, InvalidInput, NotFound};
    let why = match small_file::read(file) {
        Ok(text) => match secret_of(&text) {
            Some(secret) => {
                shut(file);
                return Ok(secret);
            }
            None if text.trim_ascii().is_empty() => Some("it is empty".to_owned()),
            None => Some("it holds no secret as this server writes one".to_owned()),
        },
        Err(error) if error.kind() == NotFound => None,
        Err(error) if [InvalidInput, FileTooLarge].contains(&error.kind()) => {
            Some(error.to_string())
        }
        Err(error) => return Err(error),
    };
    let mut secret = [0; 32];
    rand::fill(&mut secret).map_err(|_| io::Error::other("the system has no random numbers"))?;
    if let Some(why) = why {
        set_aside(file, &why, SystemTime::now())?;
    }
    // A power cut that undoes it costs a new one.
    let text = written(&secret) + "\n";
    let _ = durable::replace(file, text.as_bytes(), MODE)?;
    Ok(secret)
}

/// Shuts a secret to others that came back from somewhere with other rights.
fn shut(file: &Path) {
    let mode = fs::metadata(file).map(|about| about.permissions().mode());
    if mode.is_ok_and(is_open_to_others) {
        let _ = fs::set_permissions(file, Permissions::from_mode(MODE));
    }
}

/// Tells whether others than its owner have a right to what has this mode.
pub(super) fn is_open_to_others(mode: u32) -> bool {
    [0o040, 0o020, 0o010, 0o004, 0o002, 0o001]
        .iter()
        .any(|right| mode & right != 0)
}
