//! Settings of the admin address, which `config` fills, and the tokens that their files
//! hold.

use super::auth::{AdminToken, Role, hash};
use crate::event::{Event, event};
use crate::util::paths::absolute;
use crate::util::small_file;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Address of `gateway.admin.listen` where none is written.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8009);

/// Length of the shortest token that is taken, in bytes: 16 letters cannot be guessed.
const SHORTEST: usize = 16;

/// Settings of the admin address, where this server is watched and operated: `gateway.admin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// Address that is listened on; `None` where it is turned off.
    pub listen: Option<SocketAddr>,
    /// Names by which it may be asked for, beside its address: in lower case, without a
    /// port.
    pub names: Vec<String>,
    /// Files with tokens, beside the token that this server makes.
    pub tokens: Vec<TokenFile>,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self {
            listen: Some(DEFAULT_LISTEN),
            names: Vec::new(),
            tokens: Vec::new(),
        }
    }
}

/// File with a token: an item of `gateway.admin.tokens`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFile {
    /// Name under which the log shows what its bearer did.
    pub name: String,
    /// Its bearer's rights.
    pub role: Role,
    /// Path of the file.
    pub file: PathBuf,
}

/// Tokens that were read, and what is to be said of their files.
#[derive(Debug, Default)]
pub(crate) struct ReadTokens {
    /// The tokens, in the order of the settings.
    pub(crate) tokens: Vec<AdminToken>,
    /// Keys of items that cannot be used, each with the reason.
    pub(crate) faults: Vec<(String, Event)>,
    /// Keys of items that others may read, each with what is to be said.
    pub(crate) warnings: Vec<(String, Event)>,
}

/// Reads the tokens of `files`. Whatever is wrong is among the faults, by its key.
pub(crate) fn read_tokens(files: &[TokenFile]) -> ReadTokens {
    let mut read = ReadTokens::default();
    for (at, item) in files.iter().enumerate() {
        let key = format!("gateway.admin.tokens[{at}].token_file");
        let path = absolute(&item.file);
        let token = match read_token(&item.file) {
            Ok(token) => token,
            Err(TokenFault::Unreadable(error)) => {
                let event = event!(ADMIN_TOKEN_UNREADABLE, file = path, error = &error);
                read.faults.push((key, event));
                continue;
            }
            Err(TokenFault::Empty) => {
                read.faults
                    .push((key, event!(ADMIN_TOKEN_EMPTY, file = path)));
                continue;
            }
            Err(TokenFault::Spaced) => {
                read.faults
                    .push((key, event!(ADMIN_TOKEN_SPACED, file = path)));
                continue;
            }
            Err(TokenFault::Short) => {
                let event = event!(ADMIN_TOKEN_SHORT, file = path, least = SHORTEST);
                read.faults.push((key, event));
                continue;
            }
        };
        if let Some(twin) = read.tokens.iter().find(|known| known.hash == token) {
            let event = event!(ADMIN_TOKEN_TWICE, file = path, other = twin.name.as_str());
            read.faults.push((key, event));
            continue;
        }
        if let Some(mode) = open_to_others(&item.file) {
            let event = event!(ADMIN_TOKEN_OPEN, file = path, mode = mode);
            read.warnings.push((key, event));
        }
        read.tokens.push(AdminToken {
            name: item.name.clone(),
            role: item.role,
            hash: token,
        });
    }
    read
}

/// Reason why a file holds no token that can be used.
enum TokenFault {
    Unreadable(io::Error),
    Empty,
    Spaced,
    Short,
}

/// Returns the hash of the token in a file. What a program or an editor put around it, a
/// line's end above all, is no part of it.
fn read_token(path: &Path) -> Result<[u8; 32], TokenFault> {
    let bytes = small_file::read(path).map_err(TokenFault::Unreadable)?;
    let token = bytes.trim_ascii();
    if token.is_empty() {
        Err(TokenFault::Empty)
    } else if !token.iter().all(u8::is_ascii_graphic) {
        // A header cannot carry it.
        Err(TokenFault::Spaced)
    } else if token.len() < SHORTEST {
        Err(TokenFault::Short)
    } else {
        Ok(hash(token))
    }
}

/// Returns the mode of a file that everybody on this machine may read, as `chmod` has it.
pub(crate) fn open_to_others(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o004 != 0).then(|| format!("{mode:03o}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, file: PathBuf) -> TokenFile {
        TokenFile {
            name: name.to_owned(),
            role: Role::Read,
            file,
        }
    }

    #[test]
    fn each_file_that_cannot_be_used_is_named_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str, mode: u32| {
            let path = dir.path().join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let files = [
            item("good", file("good", "0123456789abcdef\n", 0o600)),
            item("gone", dir.path().join("gone")),
            item("empty", file("empty", " \n", 0o600)),
            item("short", file("short", "0123456789abcde\n", 0o600)),
            item("two lines", file("lines", "0123456789abcdef\nx\n", 0o600)),
            item("twin", file("twin", "\u{20}0123456789abcdef", 0o600)),
            item("open", file("open", "another-0123456789", 0o644)),
            item("folder", dir.path().to_owned()),
        ];
        let read = read_tokens(&files);
        let names: Vec<_> = read.tokens.iter().map(|token| &*token.name).collect();
        assert_eq!(names, ["good", "open"]);
        let ids: Vec<_> = read
            .faults
            .iter()
            .map(|(key, event)| (key.as_str(), event.kind.id))
            .collect();
        let key = |at: usize| format!("gateway.admin.tokens[{at}].token_file");
        let keys = [1, 2, 3, 4, 5, 7].map(key);
        let expected = [
            (keys[0].as_str(), "admin-token.unreadable"),
            (keys[1].as_str(), "admin-token.empty"),
            (keys[2].as_str(), "admin-token.short"),
            (keys[3].as_str(), "admin-token.spaced"),
            (keys[4].as_str(), "admin-token.twice"),
            (keys[5].as_str(), "admin-token.unreadable"),
        ];
        assert_eq!(ids, expected);
        let [(warned, event)] = &read.warnings[..] else {
            panic!("{:?}", read.warnings);
        };
        assert_eq!(
            (warned.as_str(), event.kind.id),
            (&*key(6), "admin-token.open")
        );
        // No message holds a token.
        let said = format!("{:?}{:?}{:?}", read.faults, read.warnings, read.tokens);
        assert!(!said.contains("0123456789"), "{said}");
    }
}
