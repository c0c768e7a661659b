//! Restoring of a backup: everything is staged beside its place, then all of it takes its
//! place.

use super::check::{Checked, Member};
use super::layout::{self, DATABASE, OF_DATABASE, OF_STATE, Places};
use super::links;
use super::moves::{self, Move};
use crate::event::{Event, event};
use crate::fleet::state_folder::{RESTORE_JOURNAL, StateError, StateFolder};
use crate::util::durable;
use crate::util::paths::absolute;
use aws_lc_rs::rand;
use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use std::collections::{BTreeSet, HashSet};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::fs::{PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// Beginning of the names of what a restore has staged, and of what was there before.
const STAGED: &str = ".restore-";
/// Number of files that are named where they are in the way.
const NAMED: usize = 5;

/// A restore that was done.
#[derive(Debug)]
pub(crate) struct Restored {
    /// Number of files that took their places.
    pub(crate) files: usize,
    /// Firmware that lay there and is in no backup: it stays, and is offered.
    pub(crate) others: Vec<PathBuf>,
}

/// Finishes a restore that was interrupted. Returns `false` where there is none.
///
/// # Errors
///
/// A server holds the state folder, or the event names what cannot be finished.
pub(crate) fn finish(state: &Path) -> Result<bool, Event> {
    let journal = absolute(state).join(RESTORE_JOURNAL);
    if fs::symlink_metadata(&journal).is_err() {
        return Ok(false);
    }
    let _folder = lock(state)?;
    match moves::read(&journal) {
        Ok(Some(list)) => {
            moves::finish(&list, &journal)?;
            Ok(true)
        }
        Ok(None) => Ok(false),
        Err(error) => Err(event!(
            RESTORE_STUCK,
            journal = &journal,
            path = &journal,
            error = &error
        )),
    }
}

/// Restores a backup that was checked. `others` are state folders that a server may hold, too:
/// those of the configuration which is there now. `tell` is told of each member.
///
/// # Errors
///
/// The event says why nothing was restored: all is as it was.
pub(crate) fn restore(
    backup: &mut Checked,
    places: &Places,
    others: &[PathBuf],
    force: bool,
    mut tell: impl FnMut(usize, usize, &Path),
) -> Result<Restored, Event> {
    let targets = targets(backup, places)?;
    links::follow_none_of_others(&places.state)?;
    if !force {
        let replaced = targets.iter().map(|(_, to)| to.clone());
        let there = replaced.chain(of_another_time(places, &targets));
        let there = there.filter(|to| fs::symlink_metadata(to).is_ok());
        let there: Vec<_> = there.map(|to| to.display().to_string()).collect();
        if !there.is_empty() {
            let (count, first) = (there.len(), there.iter().take(NAMED).cloned());
            let first: Vec<_> = first.collect();
            return Err(event!(RESTORE_EXISTS, files = &*first, count = count));
        }
    }
    let mut made = Made::default();
    // Each once, whatever leads there: the second time this very process would have it.
    let mut taken = HashSet::from([landed(&absolute(&places.state))]);
    let others = others.iter().filter(|other| other.is_dir());
    let _folders = others
        .filter(|other| taken.insert(landed(&absolute(other))))
        .map(|other| lock(other))
        .collect::<Result<Vec<_>, _>>()?;
    made.folder(&places.state, 0o700)?;
    let folder = lock(&places.state)?;
    let journal = folder.path().join(RESTORE_JOURNAL);
    let file = folder.path().join("lock");
    if let Ok(made) = open(&file) {
        give(&made, &file);
    }
    let mut planned: Vec<_> = targets.iter().map(|(_, to)| planned(to)).collect();
    let gone = of_another_time(places, &targets).into_iter();
    let gone = gone.filter(|to| fs::symlink_metadata(to).is_ok());
    planned.extend(gone.map(|to| Move {
        staged: None,
        old: beside(&to),
        to,
    }));
    // What could not be finished by the next one is not begun.
    moves::may_list(&planned, &journal).inspect_err(|_| made.undo())?;
    let folders: BTreeSet<_> = targets.iter().map(|(_, to)| durable::folder(to)).collect();
    for folder in &folders {
        clear(folder);
    }
    let total = targets.len();
    for (number, ((member, _), one)) in targets.iter().zip(&planned).enumerate() {
        tell(number + 1, total, &member.name);
        if let Err(event) = stage(backup, member, one, &mut made) {
            moves::discard(&planned);
            made.undo();
            return Err(event);
        }
    }
    for folder in folders {
        let _ = durable::sync_folder(folder);
    }
    moves::carry_out(&planned, &journal).inspect_err(|_| made.undo())?;
    Ok(Restored {
        files: total,
        others: other_firmware(places, &targets),
    })
}

/// Returns what must not stay beside what is restored: what is known of devices here and is not
/// in the backup, or it would be taken for a part of that, and what belongs to the database
/// that goes. The administrator's token stays: it says who may ask, and not what is known.
fn of_another_time(places: &Places, targets: &[(Member, PathBuf)]) -> Vec<PathBuf> {
    let state = absolute(&places.state);
    let is_restored = |name: &str| {
        let member = Path::new("state").join(name);
        targets.iter().any(|(target, _)| target.name == member)
    };
    let others = OF_STATE.into_iter().filter(|name| !is_restored(name));
    let of_old = OF_DATABASE.map(|end| format!("{DATABASE}{end}"));
    let names = others.map(str::to_owned).chain(of_old);
    names.map(|name| state.join(name)).collect()
}

/// Takes a state folder, so that no server does meanwhile.
fn lock(dir: &Path) -> Result<StateFolder, Event> {
    StateFolder::lock(dir).map_err(|error| match error {
        StateError::Held(event) => event!(RESTORE_HELD, why = event),
        StateError::Unwritable(event) | StateError::Unfinished(event) => event,
    })
}

/// Returns where each member goes, the configuration first: a server that starts between two
/// renames then looks for its state folder where the list of them lies.
fn targets(backup: &Checked, places: &Places) -> Result<Vec<(Member, PathBuf)>, Event> {
    let mut targets = Vec::new();
    let mut taken = HashSet::new();
    for member in backup.members() {
        let to = places.of(&member.name).map(|to| absolute(&to));
        to.as_deref().map_or(Ok(()), links::follow_none_of_others)?;
        let Some(to) = to.and_then(|to| Some(landed(&to)).filter(|to| taken.insert(to.clone())))
        else {
            let member = member.name.display().to_string();
            return Err(event!(RESTORE_UNPLACED, member = member));
        };
        if to.is_dir() {
            let error = io::Error::from(io::ErrorKind::IsADirectory);
            return Err(event!(RESTORE_FAILED, path = &to, error = &error));
        }
        targets.push((member.clone(), to));
    }
    targets.sort_by_key(|(member, _)| !member.name.starts_with("config"));
    Ok(targets)
}

/// Follows a link, as certbot makes them: what it leads to is replaced, and the link stays.
fn landed(to: &Path) -> PathBuf {
    fs::canonicalize(to).unwrap_or_else(|_| to.to_owned())
}

/// Returns a name in the folder of a file that nobody has.
fn beside(to: &Path) -> PathBuf {
    let mut random = [0; 8];
    // Without random numbers the name is taken already, and making the file says so.
    let _ = rand::fill(&mut random);
    to.with_file_name(format!("{STAGED}{:016x}", u64::from_ne_bytes(random)))
}

/// Returns the move of a file to its place.
fn planned(to: &Path) -> Move {
    Move {
        staged: Some(beside(to)),
        to: to.to_owned(),
        old: beside(to),
    }
}

/// Writes a member beside its place, and brings it to the disk.
fn stage(backup: &mut Checked, member: &Member, one: &Move, made: &mut Made) -> Result<(), Event> {
    let Some(staged) = &one.staged else {
        return Ok(());
    };
    let folder = durable::folder(&one.to);
    let is_private = member.name.starts_with("certs");
    made.folder(folder, if is_private { 0o700 } else { 0o755 })?;
    let mut write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(staged)?;
        backup.copy(member, |part| file.write_all(part))?;
        file.set_permissions(Permissions::from_mode(member.mode & 0o777))?;
        // In the place of another, as that one: a configuration in /etc is root's, and its
        // group the server's.
        match fs::symlink_metadata(&one.to) {
            Ok(old) if old.is_file() && old.nlink() == 1 => give_like(&file, &old),
            _ => give(&file, staged),
        }
        file.sync_all()
    };
    write().map_err(|error| {
        let _ = fs::remove_file(staged);
        event!(RESTORE_FAILED, path = &one.to, error = &error)
    })
}

/// Folders that were made on the way.
#[derive(Debug, Default)]
struct Made {
    folders: Vec<PathBuf>,
}

impl Made {
    /// Makes a folder, and those on the way to it.
    fn folder(&mut self, dir: &Path, mode: u32) -> Result<(), Event> {
        let dir = absolute(dir);
        let steps = dir.ancestors().take_while(|step| !step.is_dir());
        let steps: Vec<_> = steps.map(Path::to_owned).collect();
        for step in steps.into_iter().rev() {
            let mode = if step == dir { mode } else { 0o755 };
            let outcome = DirBuilder::new().mode(mode).create(&step);
            outcome.map_err(|error| event!(RESTORE_FAILED, path = &step, error = &error))?;
            // Whatever the umask: others may read firmware.
            let _ = durable::set_folder_mode(&step, mode);
            if let Ok(folder) = open(&step) {
                give(&folder, &step);
            }
            self.folders.push(step);
        }
        Ok(())
    }

    /// Removes the folders again that are empty.
    fn undo(&self) {
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Opens what was just made. Whoever has the folder in which it lies may have put a link in its
/// place.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits()).open(path)
}

/// Gives what root made, and has open, to whoever has the folder of it: the server runs as
/// another user.
fn give(made: &File, path: &Path) {
    if let Ok(above) = fs::metadata(durable::folder(path)) {
        give_like(made, &above);
    }
}

/// Gives what root made, and has open, to whoever has something else.
fn give_like(made: &File, other: &Metadata) {
    if !geteuid().is_root() {
        return;
    }
    let Ok(about) = made.metadata() else {
        return;
    };
    // What is another's, or has another name, is not what was made here.
    if about.uid() == 0 && (about.is_dir() || about.nlink() == 1) {
        let _ = fchown(made, Some(other.uid()), Some(other.gid()));
    }
}

/// Lists the firmware that is in no backup.
fn other_firmware(places: &Places, targets: &[(Member, PathBuf)]) -> Vec<PathBuf> {
    let known: HashSet<_> = targets.iter().map(|(_, to)| to.clone()).collect();
    let items = fs::read_dir(&places.firmware).into_iter().flatten();
    let files = items.filter_map(|item| {
        let item = item.ok()?;
        let is_file = item.file_type().ok()?.is_file() && !layout::is_passing(&item.file_name());
        let is_hidden = item.file_name().to_string_lossy().starts_with('.');
        (is_file && !is_hidden).then(|| item.path())
    });
    let mut others: Vec<_> = files
        .filter(|file| !known.contains(&landed(&absolute(file))))
        .collect();
    others.sort_unstable();
    others
}

/// Removes what a restore left that was killed while it staged: no list speaks of it, for that
/// would have been finished.
fn clear(folder: &Path) {
    for item in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = item.file_name();
        let name = name.to_string_lossy();
        let random = name.strip_prefix(STAGED).unwrap_or_default();
        let is_left = random.len() == 16 && random.bytes().all(|b| b.is_ascii_hexdigit());
        if is_left && item.file_type().is_ok_and(|kind| kind.is_file()) {
            let _ = fs::remove_file(item.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{chown, symlink};

    /// A user whom no file here belongs to.
    const NOBODY: u32 = 65_533;

    #[test]
    fn what_root_made_is_given_away_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for file in ["outside", "lock", "twice", "kept", "new"] {
            fs::write(at(file), "").unwrap();
        }
        fs::hard_link(at("twice"), at("other")).unwrap();
        symlink(at("outside"), at("link")).unwrap();
        assert!(open(&at("link")).is_err());
        if !geteuid().is_root() {
            return;
        }
        chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        for file in ["lock", "twice", "link"] {
            if let Ok(made) = open(&at(file)) {
                give(&made, &at(file));
            }
        }
        chown(at("kept"), Some(0), Some(NOBODY)).unwrap();
        let kept = fs::metadata(at("kept")).unwrap();
        give_like(&open(&at("new")).unwrap(), &kept);
        let new = fs::metadata(at("new")).unwrap();
        assert_eq!((new.uid(), new.gid()), (0, NOBODY));
        let owner = |name: &str| fs::metadata(at(name)).unwrap().uid();
        assert_eq!(
            (owner("lock"), owner("twice"), owner("outside")),
            (NOBODY, 0, 0)
        );
    }
}
