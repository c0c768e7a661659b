//! Mounts of this process, as `/proc/self/mountinfo` has them (proc(5)): which one a path is
//! on, and whether anything can be written there.

use super::paths::absolute;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Place at which it is mounted.
    pub(crate) place: PathBuf,
    /// Folder of its file system that is seen there: of a bind mount, the path on its disk.
    pub(crate) root: PathBuf,
    /// Kind of its file system.
    pub(crate) kind: String,
    /// True where nothing can be written to it, by the mount or by the file system itself.
    pub(crate) is_read_only: bool,
}

/// Lists the mounts of this process, the last one of a place being the one that is seen.
pub(crate) fn mounts() -> Vec<Mount> {
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    parse(&table)
}

/// Returns the mount that a path is on; of one that is not there, the one on which it would
/// be made. Links are followed.
pub(crate) fn mount_of(path: &Path) -> Option<Mount> {
    let path = absolute(path);
    let there = path
        .ancestors()
        .find_map(|step| fs::canonicalize(step).ok())?;
    find(mounts(), &there)
}

fn find(mounts: Vec<Mount>, path: &Path) -> Option<Mount> {
    let on = mounts.into_iter().filter(|m| path.starts_with(&m.place));
    // Of two at one place the later one covers the other: `max_by_key` returns the last.
    on.max_by_key(|m| m.place.components().count())
}

fn parse(table: &[u8]) -> Vec<Mount> {
    let lines = table.split(|b| *b == b'\n');
    lines.filter_map(line).collect()
}

/// Reads a line: id, parent, device, root, place, options, optional fields, `-`, kind, source,
/// options of the file system.
fn line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|b| *b == b' ');
    let root = fields.nth(3)?;
    let place = fields.next()?;
    let options = fields.next()?;
    fields.by_ref().find(|field| *field == b"-")?;
    let kind = fields.next()?;
    let of_all = fields.nth(1).unwrap_or_default();
    let is_read_only = |options: &[u8]| options.split(|b| *b == b',').any(|one| one == b"ro");
    Some(Mount {
        place: path_of(place),
        root: path_of(root),
        kind: String::from_utf8_lossy(kind).into_owned(),
        is_read_only: is_read_only(options) || is_read_only(of_all),
    })
}

fn path_of(field: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(unescaped(field)))
}

/// Tells whether something is mounted in a file's place, as containers do it.
pub(crate) fn is_mounted(file: &Path) -> bool {
    let Ok(file) = fs::canonicalize(file) else {
        return false;
    };
    let is_it = |mount: &Mount| mount.place.as_os_str().as_bytes() == file.as_os_str().as_bytes();
    mounts().iter().any(is_it)
}

/// Returns a path of the table as it is: a blank, a tab, a line's end and a backslash are
/// written in octal, `\040`.
fn unescaped(path: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, behind @ ..] = rest {
        let octal = behind.first_chunk::<3>().and_then(|digits| {
            let digits = str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        if let (b'\\', Some(byte)) = (first, octal) {
            plain.push(byte);
            rest = behind.get(3..).unwrap_or_default();
        } else {
            plain.push(*first);
            rest = behind;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
        30 22 8:1 /home/u/a\\040b/data /srv/x/data ro,relatime master:1 shared:2 - ext4 /dev/sda1 rw\n\
        31 22 8:2 / /srv/x/da rw - xfs /dev/sdb ro,attr2\n\
        32 30 0:40 / /srv/x/data/bin\\134\\011c rw,nosuid - tmpfs tmpfs rw\n\
        33 32 0:41 / /srv/x/data/bin\\134\\011c ro,nosuid - tmpfs tmpfs rw\n\
        broken\n34 22 8:1 / /y rw\n";

    #[test]
    fn the_mount_of_a_path_is_the_deepest_and_the_last() {
        let of = |path: &str| {
            let mount = find(parse(TABLE), Path::new(path)).unwrap();
            (
                mount.place.display().to_string(),
                mount.root.display().to_string(),
                mount.kind,
                mount.is_read_only,
            )
        };
        let mount = |place: &str, root: &str, kind: &str, is_read_only| {
            (
                place.to_owned(),
                root.to_owned(),
                kind.to_owned(),
                is_read_only,
            )
        };
        for path in ["/", "/srv/x/database", "/y"] {
            assert_eq!(of(path), mount("/", "/", "ext4", false), "{path}");
        }
        let data = mount("/srv/x/data", "/home/u/a b/data", "ext4", true);
        assert_eq!(of("/srv/x/data/bin"), data);
        assert_eq!(of("/srv/x/da/bin"), mount("/srv/x/da", "/", "xfs", true));
        let deep = "/srv/x/data/bin\\\tc";
        assert_eq!(of(&format!("{deep}/d")), mount(deep, "/", "tmpfs", true));
    }

    #[test]
    fn this_machine_has_some() {
        assert!(is_mounted(Path::new("/proc")) && !is_mounted(Path::new("/proc/self/none")));
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_mounted(dir.path()));
        let mount = mount_of(&dir.path().join("a/b/c")).unwrap();
        assert!(!mount.is_read_only, "{mount:?}");
        assert_eq!(unescaped(br"/a\040b\134\9"), br"/a b\\9");
    }
}
