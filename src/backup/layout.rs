//! Layout of a backup: which member is which file here.

use crate::fleet::LAST_REPLIES;
use crate::util::paths::absolute;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

/// Name of the member that says what each other one is.
pub(super) const MANIFEST: &str = "MANIFEST.json";
/// Name of the last member: a line for each other one, as `sha256sum` writes it.
pub(super) const SUMS: &str = "SHA256SUMS";
/// Version of the layout.
pub(super) const VERSION: u64 = 1;
/// Name of the database in the state folder, which is copied by its own means.
pub(super) const DATABASE: &str = "fleet.db";
/// Names of what a state folder says of devices: what lies there and is not in a backup belongs
/// to another time.
pub(super) const OF_STATE: [&str; 4] = [DATABASE, ORDERS, "token.key", LAST_REPLIES];
/// Name of the file of orders in the state folder.
pub(super) const ORDERS: &str = "orders.json";
/// Beginnings of the names of what belongs to a run and not to a backup.
const PASSING: [&str; 2] = [".draft-", ".restore-"];
/// Endings of what belongs to an open database.
pub(super) const OF_DATABASE: [&str; 3] = ["-wal", "-shm", "-journal"];
/// Number of members that a backup has at most, those that speak of others among them: more are
/// no fleet's firmware.
pub(super) const MOST: usize = 100_000;
/// Length of the longest text of ours that a backup has, in bytes.
pub(super) const LONGEST_TEXT: u64 = 64 << 20;
/// Number of folders within each other below that of certificates.
pub(super) const DEEPEST: usize = 6;

/// Places of what is backed up, by the configuration.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The configuration; `None` where there is none.
    pub(crate) config: Option<PathBuf>,
    /// The folder of certificates that this server makes or orders.
    pub(crate) certificates: PathBuf,
    /// Files that the configuration names: certificates, keys and tokens, in its order.
    pub(crate) named: Vec<PathBuf>,
    /// The firmware folder.
    pub(crate) firmware: PathBuf,
    /// The state folder.
    pub(crate) state: PathBuf,
}

impl Places {
    /// Returns where a member belongs; `None` for one that belongs nowhere.
    pub(super) fn of(&self, member: &Path) -> Option<PathBuf> {
        let mut parts = member.components();
        let Component::Normal(room) = parts.next()? else {
            return None;
        };
        let rest = parts.as_path();
        match room.as_bytes() {
            b"config" => self.config.clone(),
            b"certs" => Some(self.certificates.join(rest)),
            b"firmware" => Some(self.firmware.join(rest)),
            b"state" => Some(self.state.join(rest)),
            b"named" => self.named.get(index(rest)?).cloned(),
            _ => None,
        }
    }

    /// Returns the member of a file that the configuration names; `None` where it lies in the
    /// folder of certificates, and is a member by that.
    pub(super) fn member_of_named(&self, index: usize, file: &Path) -> Option<PathBuf> {
        let is_inside = absolute(file).starts_with(absolute(&self.certificates));
        let name = file.file_name()?.to_string_lossy();
        (!is_inside).then(|| Path::new("named").join(format!("{index}-{name}")))
    }
}

/// Reads the number in front of the name of a file that the configuration names.
fn index(rest: &Path) -> Option<usize> {
    let (number, _) = rest.to_str()?.split_once('-')?;
    number.parse().ok()
}

/// Tells whether a file belongs to a run, and not to a backup.
pub(super) fn is_passing(name: &OsStr) -> bool {
    let name = name.as_bytes();
    PASSING
        .iter()
        .any(|begin| name.starts_with(begin.as_bytes()))
}

/// Tells whether a file of the state folder is left out: the lock; what belongs to an open
/// database, of which a copy is made by other means; and what another server answered of late,
/// which it answers again.
pub(super) fn is_left_out(name: &OsStr) -> bool {
    let name = name.as_bytes();
    // What was set aside of it holds the same.
    let is_ours = name == b"lock" || name.starts_with(LAST_REPLIES.as_bytes());
    is_ours || OF_DATABASE.iter().any(|end| name.ends_with(end.as_bytes()))
}

/// Reads the name of a member, and tells whether it is one that a backup has: it leads nowhere
/// else, and is in the room of something that is kept.
pub(super) fn member(name: &[u8]) -> Option<PathBuf> {
    let odd = |part: &[u8]| part.is_empty() || part == b"." || part == b"..";
    if name.contains(&0) || name.split(|b| *b == b'/').any(odd) {
        return None;
    }
    let path = PathBuf::from(OsStr::from_bytes(name));
    let last = path.file_name()?.to_owned();
    let parts = name.split(|b| *b == b'/').count();
    let is_known = match (name.split(|b| *b == b'/').next()?, parts) {
        (_, 1) => name == MANIFEST.as_bytes() || name == SUMS.as_bytes(),
        (b"config" | b"firmware", 2) => true,
        (b"state", 2) => !is_left_out(&last),
        (b"certs", 2..) => parts <= DEEPEST + 1,
        (b"named", 2) => index(Path::new(&last)).is_some(),
        _ => false,
    };
    (is_known && !is_passing(&last)).then_some(path)
}

/// Returns the line of a member in the list of sums, as `sha256sum` writes it.
pub(super) fn sum_line(hash: &[u8], member: &Path) -> Vec<u8> {
    let name = member.as_os_str().as_bytes();
    let mut line = Vec::new();
    let is_odd = |b: &u8| matches!(b, b'\\' | b'\n' | b'\r');
    if name.iter().any(is_odd) {
        line.push(b'\\');
    }
    for byte in hash {
        line.extend(format!("{byte:02x}").bytes());
    }
    line.extend(b"  ");
    for byte in name {
        match byte {
            b'\\' => line.extend(b"\\\\"),
            b'\n' => line.extend(b"\\n"),
            b'\r' => line.extend(b"\\r"),
            byte => line.push(*byte),
        }
    }
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_a_backup_has_is_a_member() {
        for name in [
            "MANIFEST.json",
            "SHA256SUMS",
            "config/.config.yaml",
            "firmware/a_1.0.bin",
            "certs/self-signed.key",
            "certs/acme/x/account.json",
            "named/0-fullchain.pem",
            "named/12-..",
            "state/fleet.db",
        ] {
            assert!(member(name.as_bytes()).is_some(), "{name}");
        }
        for name in [
            "",
            "/",
            "/etc/passwd",
            "x",
            "config",
            "config/",
            "config/a/b",
            "config/../x",
            "firmware/..",
            "firmware//a",
            "./firmware/a",
            "firmware/./a",
            "firmware/a/b",
            "firmware/.draft-x.tmp",
            "firmware/.restore-x",
            "state/lock",
            "state/upstream.db",
            "state/fleet.db-wal",
            "state/fleet.db-shm",
            "named/x",
            "named/-x",
            "certs/a/b/c/d/e/f/g/h",
            "certs/a\0b",
            "other/x",
        ] {
            assert_eq!(member(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn lines_are_those_of_sha256sum() {
        let line = |name: &str| String::from_utf8(sum_line(&[0xab, 1], Path::new(name))).unwrap();
        assert_eq!(line("firmware/a b"), "ab01  firmware/a b\n");
        assert_eq!(line("firmware/a\nb\\"), "\\ab01  firmware/a\\nb\\\\\n");
    }

    proptest! {
        #[test]
        fn no_member_leaves_its_room(name in "(certs|firmware|state|named|config)?[a./0-]{0,9}", bytes: Vec<u8>) {
            let _ = member(&bytes);
            let places = Places {
                config: Some("/c/config".into()),
                certificates: "/c/certs".into(),
                named: vec!["/c/n".into()],
                firmware: "/c/bin".into(),
                state: "/c/state".into(),
            };
            if let Some(to) = member(name.as_bytes()).and_then(|member| places.of(&member)) {
                prop_assert!(to.starts_with("/c"));
                prop_assert!(!to.components().any(|part| part == Component::ParentDir));
            }
        }
    }
}
