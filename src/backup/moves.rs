//! The last step of a restore: many files take their places, all or none. What is to be done
//! is written down first, so that a run which was killed in the middle is finished by the
//! next one.

use crate::event::{Event, event};
use crate::util::durable::{self, Durability};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Length of the longest list that is written and read, in bytes: a hundred thousand files, each
/// of which has some hundred bytes in its three paths.
const LONGEST: u64 = 256 << 20;
/// Bytes of a list that stand around the paths of one move, at most.
const AROUND: u64 = 64;

/// A file that takes its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move {
    /// The new file, in the folder where it belongs; `None` where one only goes.
    pub(super) staged: Option<PathBuf>,
    /// Its place.
    pub(super) to: PathBuf,
    /// Place of the file that was there, until all is done.
    pub(super) old: PathBuf,
}

/// Does all of it. The list of it is at `journal` meanwhile.
///
/// # Errors
///
/// One file could not take its place: all is as it was, and what was staged is gone; or, where
/// even that could not be, the list stays.
pub(super) fn carry_out(moves: &[Move], journal: &Path) -> Result<(), Event> {
    let failed =
        |path: &Path, error: &io::Error| event!(RESTORE_FAILED, path = path, error = error);
    let written = durable::replace(journal, write(moves).as_bytes(), 0o600);
    if let Err(error) = written.and_then(Durability::kept) {
        discard(moves);
        let _ = fs::remove_file(journal);
        return Err(failed(journal, &error));
    }
    finish(moves, journal)
}

/// Does what is left of it.
///
/// # Errors
///
/// As those of [`carry_out`].
pub(super) fn finish(moves: &[Move], journal: &Path) -> Result<(), Event> {
    for one in moves {
        if let Err(error) = forward(one) {
            let failed = event!(RESTORE_FAILED, path = &one.to, error = &error);
            for done in moves.iter().rev() {
                if let Err(error) = back(done) {
                    let to = &done.to;
                    return Err(event!(
                        RESTORE_STUCK,
                        journal = journal,
                        path = to,
                        error = &error
                    ));
                }
            }
            discard(moves);
            let _ = durable::remove(journal);
            return Err(failed);
        }
    }
    // What was there before goes only when the disk has what came.
    let folders: BTreeSet<_> = moves.iter().map(|one| durable::folder(&one.to)).collect();
    for folder in folders {
        let _ = durable::sync_folder(folder);
    }
    for one in moves {
        let _ = fs::remove_file(&one.old);
    }
    durable::remove(journal).map_err(|error| {
        event!(
            RESTORE_STUCK,
            journal = journal,
            path = journal,
            error = &error
        )
    })
}

/// Refuses moves of which the list would be longer than any that is read again.
///
/// # Errors
///
/// It would be.
pub(super) fn may_list(moves: &[Move], journal: &Path) -> Result<(), Event> {
    within(moves, LONGEST, journal)
}

fn within(moves: &[Move], longest: u64, journal: &Path) -> Result<(), Event> {
    let length = listed(moves);
    if length > longest {
        let what = format!("it would have {length} bytes, and {longest} at most are read");
        let error = io::Error::new(io::ErrorKind::FileTooLarge, what);
        return Err(event!(RESTORE_FAILED, path = journal, error = &error));
    }
    Ok(())
}

/// Returns the length of a list in bytes, or somewhat more.
fn listed(moves: &[Move]) -> u64 {
    // base64 has four letters for three bytes.
    let written = |path: &Path| path.as_os_str().len().div_ceil(3) as u64 * 4;
    let each = moves.iter().map(|one| {
        let staged = one.staged.as_deref().map_or(0, written);
        AROUND + staged + written(&one.to) + written(&one.old)
    });
    each.sum()
}

/// Reads a list; `None` where there is none.
///
/// # Errors
///
/// There is one, and it cannot be read, or is somebody else's: whoever may write where it lies
/// could have any file replaced by it.
pub(super) fn read(journal: &Path) -> io::Result<Option<Vec<Move>>> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits())
        .open(journal);
    let file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let (about, user) = (file.metadata()?, geteuid().as_raw());
    if !about.is_file() {
        let what = "it is no regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    if ![0, user].contains(&about.uid()) {
        let what = format!(
            "it is user {}'s, and this is run by user {user}: nobody else's list is followed",
            about.uid()
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    let mut text = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST {
        let what = format!("it has more than {LONGEST} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "it makes no sense");
    let list: Value = serde_json::from_slice(&text).map_err(|_| broken())?;
    let items = list.as_array().ok_or_else(broken)?;
    let moves: Option<Vec<_>> = items.iter().map(of_json).collect();
    moves.map(Some).ok_or_else(broken)
}

/// Names are bytes, and JSON has none.
fn write(moves: &[Move]) -> String {
    let text = |path: &Path| STANDARD.encode(path.as_os_str().as_bytes());
    let item = |one: &Move| {
        let staged = one.staged.as_deref().map(text);
        json!({"staged": staged, "to": text(&one.to), "old": text(&one.old)}).to_string()
    };
    let items: Vec<_> = moves.iter().map(item).collect();
    format!("[{}]\n", items.join(",\n"))
}

fn of_json(item: &Value) -> Option<Move> {
    let path = |name: &str| {
        let bytes = STANDARD.decode(item.get(name)?.as_str()?).ok()?;
        Some(PathBuf::from(OsStr::from_bytes(&bytes)))
    };
    let staged = match item.get("staged")? {
        Value::Null => None,
        _ => Some(path("staged")?),
    };
    Some(Move {
        staged,
        to: path("to")?,
        old: path("old")?,
    })
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Moves a file into its place, or what is left of that.
fn forward(one: &Move) -> io::Result<()> {
    if one
        .staged
        .as_deref()
        .is_some_and(|staged| !is_there(staged))
    {
        // It was done.
        return Ok(());
    }
    if is_there(&one.to) && !is_there(&one.old) {
        fs::rename(&one.to, &one.old)?;
    }
    match &one.staged {
        Some(staged) => fs::rename(staged, &one.to),
        None => Ok(()),
    }
}

/// Moves what was there before back, or what is left of that.
fn back(one: &Move) -> io::Result<()> {
    if let Some(staged) = &one.staged
        && !is_there(staged)
        && is_there(&one.to)
    {
        fs::rename(&one.to, staged)?;
    }
    if is_there(&one.old) {
        fs::rename(&one.old, &one.to)?;
    }
    Ok(())
}

/// Removes what was staged.
pub(super) fn discard(moves: &[Move]) {
    for staged in moves.iter().filter_map(|one| one.staged.as_ref()) {
        let _ = fs::remove_file(staged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three files: one that is replaced, one that is new, one that goes.
    fn scene(dir: &Path) -> Vec<Move> {
        let at = |name: &str| dir.join(name);
        for (name, text) in [
            ("a", "old a"),
            ("c", "old c"),
            (".new-a", "new a"),
            (".new-b", "new b"),
        ] {
            fs::write(at(name), text).unwrap();
        }
        let one = |staged: Option<&str>, to: &str| Move {
            staged: staged.map(at),
            to: at(to),
            old: at(&format!(".old-{to}")),
        };
        vec![
            one(Some(".new-a"), "a"),
            one(Some(".new-b"), "b"),
            one(None, "c"),
        ]
    }

    fn files(dir: &Path) -> Vec<(String, String)> {
        let mut files: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|item| item.unwrap())
            .map(|item| {
                let name = item.file_name().into_string().unwrap();
                (name, fs::read_to_string(item.path()).unwrap_or_default())
            })
            .collect();
        files.sort();
        files
    }

    fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn all_take_their_places() {
        let dir = tempfile::tempdir().unwrap();
        let moves = scene(dir.path());
        carry_out(&moves, &dir.path().join("journal")).unwrap();
        assert_eq!(files(dir.path()), named(&[("a", "new a"), ("b", "new b")]));
    }

    #[test]
    fn wherever_it_was_killed_the_next_one_finishes() {
        // A run does so many renames at most; `undone` of the last are not done yet.
        for done in 0..=5 {
            let dir = tempfile::tempdir().unwrap();
            let moves = scene(dir.path());
            let journal = dir.path().join("journal");
            fs::write(&journal, write(&moves)).unwrap();
            let renames = [
                ("a", ".old-a"),
                (".new-a", "a"),
                (".new-b", "b"),
                ("c", ".old-c"),
            ];
            for (from, to) in renames.iter().take(done) {
                fs::rename(dir.path().join(from), dir.path().join(to)).unwrap();
            }
            if done == 5 {
                fs::remove_file(dir.path().join(".old-a")).unwrap();
            }
            let read = read(&journal).unwrap().unwrap();
            assert_eq!(read, moves);
            finish(&read, &journal).unwrap();
            assert_eq!(
                files(dir.path()),
                named(&[("a", "new a"), ("b", "new b")]),
                "{done}"
            );
        }
    }

    #[test]
    fn what_cannot_be_done_is_undone() {
        let dir = tempfile::tempdir().unwrap();
        let mut moves = scene(dir.path());
        // A folder that is not there takes nothing.
        fs::write(dir.path().join(".new-d"), "").unwrap();
        moves.push(Move {
            staged: Some(dir.path().join(".new-d")),
            to: dir.path().join("none/d"),
            old: dir.path().join("none/.old-d"),
        });
        let error = carry_out(&moves, &dir.path().join("journal")).unwrap_err();
        assert_eq!(error.kind.id, "restore.failed");
        assert_eq!(files(dir.path()), named(&[("a", "old a"), ("c", "old c")]));
    }

    #[test]
    fn a_list_of_many_files_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("journal");
        let folder = Path::new("/srv/xiaozhi-ota/data/bin");
        let moves = (0..20_000).map(|number| Move {
            staged: (number % 7 > 0).then(|| folder.join(format!(".restore-{number:016x}"))),
            to: folder.join(format!("bread-compact-wifi-{number}_2.0.0.bin")),
            old: folder.join(format!(".restore-{:016x}", !number)),
        });
        let moves: Vec<_> = moves.collect();
        let text = write(&moves);
        assert!(text.len() > 4 << 20, "{}", text.len());
        fs::write(&journal, text).unwrap();
        assert!(read(&journal).unwrap().is_some_and(|read| read == moves));
    }

    #[test]
    fn a_list_that_would_not_be_read_again_is_refused_before() {
        let journal = Path::new("/srv/xiaozhi-ota/state/.restore-journal");
        let one = |length: usize| Move {
            staged: Some("/s".into()),
            to: Path::new("/").join("n".repeat(length)),
            old: "/o".into(),
        };
        for length in (0..9).chain([4000]) {
            let moves = vec![one(length); 100];
            let written = write(&moves).len() as u64;
            // What is reckoned is never less than what is written, and little more.
            assert!(within(&moves, written - 1, journal).is_err(), "{length}");
            let refused = within(&moves, written + 100 * AROUND, journal);
            assert!(refused.is_ok(), "{length}");
        }
        let refused = within(&[one(1)], 10, journal).unwrap_err();
        assert_eq!(refused.kind.id, "restore.failed");
    }

    /// Whoever may write into the state folder is not to say which files root replaces.
    #[test]
    fn nobody_elses_list_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("journal");
        fs::write(&journal, write(&scene(dir.path()))).unwrap();
        assert!(read(&journal).unwrap().is_some());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&journal, &link).unwrap();
        assert!(read(&link).is_err());
        if geteuid().is_root() {
            std::os::unix::fs::chown(&journal, Some(65534), None).unwrap();
            let error = read(&journal).unwrap_err();
            assert!(error.to_string().contains("65534"), "{error}");
        }
    }

    #[test]
    fn a_list_without_sense_is_no_list() {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("journal");
        assert!(read(&journal).unwrap().is_none());
        for text in [
            "",
            "{}",
            "[1]",
            "[{\"staged\":null,\"to\":7,\"old\":\"\"}]",
            "[{}]",
        ] {
            fs::write(&journal, text).unwrap();
            assert!(read(&journal).is_err(), "{text}");
        }
    }
}
