//! Account binding (RFC 8555, section 7.3.4): the key by which a CA ties an account here
//! to a contract there.

use super::EabSettings;
use crate::event::text::Text;
use crate::event::{Event, event};
use crate::util::paths::absolute;
use crate::util::small_file;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use instant_acme::ExternalAccountKey;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// Shortest key that a CA gives, in bytes.
const SHORTEST: usize = 16;

/// Key of a contract, and its name.
#[derive(Clone)]
pub(super) struct EabKey {
    pub(super) id: String,
    hmac: Vec<u8>,
}

/// Without what is secret.
impl fmt::Debug for EabKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EabKey({:?})", self.id)
    }
}

/// Fault of the file with the key. It holds nothing of the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EabFault {
    file: String,
    why: Event,
}

impl EabFault {
    /// Returns what is said of the setting.
    pub(crate) fn event(&self) -> Event {
        event!(EAB_FILE, file = &self.file, why = &self.why)
    }
}

impl EabKey {
    /// Reads the key that is configured.
    pub(super) fn load(settings: &EabSettings) -> Result<Self, EabFault> {
        let path = &absolute(&settings.hmac_file);
        let fault = |why| EabFault {
            file: path.display().to_string(),
            why,
        };
        let text = small_file::read(path).map_err(|e| fault(event!(EAB_UNREAD, error = &e)))?;
        let hmac = decoded(&text).map_err(|why| fault(event!(EAB_NO_KEY, why = why)))?;
        Ok(Self {
            id: settings.key_id.clone(),
            hmac,
        })
    }

    /// Returns the key as the library takes it.
    pub(super) fn key(&self) -> ExternalAccountKey {
        ExternalAccountKey::new(self.id.clone(), &self.hmac)
    }
}

/// Reads a key as CAs print it: base64 in either alphabet, however it is wrapped.
fn decoded(text: &[u8]) -> Result<Vec<u8>, Text> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let text = std::str::from_utf8(text).map_err(|_| NO_BASE64)?;
    let signs: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let signs = signs
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_");
    if signs.is_empty() {
        return Err(EMPTY);
    }
    match URL_SAFE_NO_PAD.decode(signs) {
        Ok(hmac) if hmac.len() < SHORTEST => Err(SHORT),
        Ok(hmac) => Ok(hmac),
        Err(_) => Err(NO_BASE64),
    }
}

const EMPTY: Text = Text::new(
    "文件为空：请将 CA 提供的 HMAC 密钥写入其中",
    "it is empty: put the HMAC key into it that the CA gave",
);
const NO_BASE64: Text = Text::new(
    "其中不是 base64：只写 CA 提供的 HMAC 密钥本身，不带名称和引号",
    "it holds no base64: put the HMAC key alone into it, as the CA gave it, without its name and without quotes",
);
const SHORT: Text = Text::new(
    "其中的密钥过短：请检查是否完整，以及是否误写了 key id",
    "the key in it is too short: see that it is whole, and not the key id",
);

/// Finds a key that other users of this machine can read.
pub(super) fn audit(settings: &EabSettings) -> Option<Event> {
    let about = fs::metadata(&settings.hmac_file).ok()?;
    let mode = about.permissions().mode() & 0o777;
    (mode & 0o007 != 0).then(|| {
        event!(
            ACME_EAB_OPEN,
            setting = "gateway.tls.acme.eab.hmac_file",
            file = absolute(&settings.hmac_file),
            mode = format!("{mode:04o}")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_as_cas_print_them() {
        let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
        let bytes = URL_SAFE_NO_PAD.decode(key).unwrap();
        let (one, two) = key.split_at(30);
        for text in [
            key.to_owned(),
            format!("{key}\n"),
            format!("  {one}\r\n{two}\r\n"),
            format!("\u{feff}{key}"),
            format!("{key}=="),
        ] {
            assert_eq!(decoded(text.as_bytes()), Ok(bytes.clone()), "{text:?}");
        }
        assert_eq!(
            decoded(b"++//++//++//++//++//++//"),
            decoded(b"--__--__--__--__--__--__")
        );
        for (text, why) in [
            ("", EMPTY),
            (" \n\t", EMPTY),
            ("=", EMPTY),
            ("c2hvcnQ", SHORT),
            ("hmac: abcdefghijklmnopqrstuvwx", NO_BASE64),
            ("\"abcdefghijklmnopqrstuvwx\"", NO_BASE64),
            ("{\"hmac\":\"x\"}", NO_BASE64),
            ("密钥", NO_BASE64),
        ] {
            assert_eq!(decoded(text.as_bytes()), Err(why), "{text:?}");
        }
        assert_eq!(decoded(b"\xff\xfea\0b\0"), Err(NO_BASE64));
    }

    #[test]
    fn a_key_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let hmac_file = dir.path().join("hmac");
        fs::write(&hmac_file, "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajV").unwrap();
        let settings = EabSettings {
            key_id: "kid-1".into(),
            hmac_file,
        };
        let key = EabKey::load(&settings).unwrap();
        assert_eq!(format!("{key:?}"), "EabKey(\"kid-1\")");
    }
}
