//! Making of a backup, while a server may be running.

use super::layout::{
    self, DATABASE, DEEPEST, LONGEST_TEXT, MANIFEST, MOST, ORDERS, Places, SUMS, VERSION,
};
use super::tarball::{BLOCK, header, padding};
use crate::event::{Event, event};
use crate::fleet::database::{self, Fault};
use crate::util::durable::{self, Draft, Durability, NotCreated};
use crate::util::paths::absolute;
use crate::util::way;
use aws_lc_rs::digest::{Context, SHA256};
use nix::fcntl::OFlag;
use serde_json::json;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

/// Rights of a backup: private keys lie in it.
const MODE: u32 = 0o600;
/// Number of times that a file is read which changes meanwhile, and the time between two.
const TRIES: u32 = 10;
const AGAIN: Duration = Duration::from_millis(200);
/// Time after which a file system's clock has moved.
const TICK: Duration = Duration::from_millis(50);
/// Time after which what an order did is in the database, too, but for one in trouble.
const OBEYED: Duration = Duration::from_secs(2);

/// A backup that was made.
#[derive(Debug)]
pub(crate) struct Made {
    /// Number of files in it.
    pub(crate) files: usize,
    /// Number of bytes of the backup.
    pub(crate) bytes: u64,
    /// State of the backup on the disk.
    pub(crate) durability: Durability,
}

/// A file that belongs into a backup.
#[derive(Debug)]
struct Source {
    member: PathBuf,
    file: PathBuf,
    /// True where it may go while the backup is made: somebody removes firmware.
    may_go: bool,
}

/// Makes a backup of all places in `file`, whole or not at all. `tell` is told of each member,
/// with its number and the number of all.
///
/// # Errors
///
/// The event says which file could not be read or written. `file` is as it was.
pub(crate) fn make(
    places: &Places,
    file: &Path,
    force: bool,
    made_at: &str,
    mut tell: impl FnMut(usize, usize, &Path),
) -> Result<Made, Event> {
    let file = &absolute(file);
    let unwritable = |error: &io::Error| {
        let what = way::to_write(file);
        event!(BACKUP_UNWRITTEN, file = file, error = error, what = what)
    };
    if file.is_dir() {
        return Err(unwritable(&io::Error::from(io::ErrorKind::IsADirectory)));
    }
    let folder = durable::folder(file);
    if !folder.exists() {
        return Err(event!(BACKUP_NO_FOLDER, file = file, dir = folder));
    }
    if !force && fs::symlink_metadata(file).is_ok() {
        return Err(event!(BACKUP_EXISTS, file = file));
    }
    let sources = sources(places)?;
    may_come_back(sources.len(), 0)?;
    may_take(file, places, &sources)?;
    let draft = Draft::begin(durable::folder(file), MODE).map_err(|e| unwritable(&e))?;
    let mut archive = Archive {
        draft,
        length: 0,
        sums: Vec::new(),
    };
    let mut kept = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        tell(number + 1, sources.len(), &source.member);
        if archive.add(source, file)? {
            kept.push(source);
        }
    }
    let manifest = manifest(&kept, made_at);
    let unwritten = |error: io::Error| unwritable(&error);
    archive
        .add_text(MANIFEST, manifest.as_bytes())
        .map_err(unwritten)?;
    let sums = std::mem::take(&mut archive.sums);
    may_come_back(kept.len(), manifest.len().max(sums.len()))?;
    archive.add_text(SUMS, &sums).map_err(unwritten)?;
    archive.write(&[0; 2 * BLOCK]).map_err(unwritten)?;
    let (files, bytes) = (kept.len(), archive.length);
    let finished = archive.draft.finished().map_err(unwritten)?;
    let durability = if force {
        finished.replace(file).map_err(unwritten)?
    } else {
        finished.create(file).map_err(|error| match error {
            NotCreated::Exists => event!(BACKUP_EXISTS, file = file),
            NotCreated::Error(error) => unwritable(&error),
        })?
    };
    Ok(Made {
        files,
        bytes,
        durability,
    })
}

/// Refuses what no restore would take: too many files, or too long a text about them.
fn may_come_back(files: usize, longest_text: usize) -> Result<(), Event> {
    // The two texts are members, too.
    if files + 2 > MOST || longest_text as u64 > LONGEST_TEXT {
        return Err(event!(BACKUP_TOO_MANY, files = files));
    }
    Ok(())
}

/// Says what each member is.
fn manifest(kept: &[&Source], made_at: &str) -> String {
    let members: Vec<_> = kept
        .iter()
        .map(|source| {
            let (member, file) = (source.member.display(), source.file.display());
            json!({"member": member.to_string(), "from": file.to_string()})
        })
        .collect();
    let manifest = json!({
        "what": "backup of xiaozhi-ota",
        "version": VERSION,
        "made": made_at,
        "program": env!("CARGO_PKG_VERSION"),
        "members": members,
    });
    format!("{manifest:#}\n")
}

/// Refuses a place that the backup must not have: keys in the firmware folder are given to
/// whoever knows the name, and `--force` must overwrite nothing that is backed up, nor a device.
fn may_take(file: &Path, places: &Places, sources: &[Source]) -> Result<(), Event> {
    if let Ok(about) = fs::metadata(file)
        && !about.is_file()
    {
        return Err(event!(BACKUP_NO_FILE, file = file));
    }
    // Links lead to the same place.
    let real = |path: &Path| fs::canonicalize(path).ok();
    let folder = real(durable::folder(file));
    for dir in [&places.firmware, &places.state, &places.certificates] {
        let dir = real(dir);
        if let (Some(folder), Some(dir)) = (&folder, &dir)
            && folder.starts_with(dir)
        {
            return Err(event!(BACKUP_INSIDE, file = file, dir = dir));
        }
    }
    let itself = real(file);
    let is_it = |source: &Source| itself.is_some() && real(&source.file) == itself;
    if sources.iter().any(is_it) {
        return Err(event!(BACKUP_ITSELF, file = file));
    }
    Ok(())
}

/// Lists what is backed up, in the order of the archive.
fn sources(places: &Places) -> Result<Vec<Source>, Event> {
    let mut found = Vec::new();
    if let Some(config) = &places.config {
        let name = config.file_name().unwrap_or_default();
        found.push(Source {
            member: Path::new("config").join(name),
            file: config.clone(),
            may_go: false,
        });
    }
    let mut state = list(&places.state, Path::new("state"), 1)?;
    // The database behind the orders: a device that is forgotten between the two would be
    // known again after a restore, and nobody would know that it was to be forgotten.
    state.sort_by_key(|source| source.file.file_name().is_some_and(|name| name == DATABASE));
    let is_kept = |source: &Source| {
        let name = source.file.file_name();
        name.is_some_and(|name| !layout::is_left_out(name))
    };
    let mut listed: Vec<_> = state.into_iter().filter(is_kept).collect();
    listed.extend(list(&places.certificates, Path::new("certs"), DEEPEST)?);
    listed.extend(list(&places.firmware, Path::new("firmware"), 1)?);
    // Two members with one place could not be restored.
    let mut taken: HashSet<_> = listed.iter().map(|source| absolute(&source.file)).collect();
    for (index, file) in places.named.iter().enumerate() {
        let member = places.member_of_named(index, file);
        found.extend(
            member
                .filter(|_| taken.insert(absolute(file)))
                .map(|member| Source {
                    member,
                    file: file.clone(),
                    may_go: false,
                }),
        );
    }
    found.extend(listed);
    Ok(found)
}

/// Lists the files in a folder, those of folders in it too, down to `depth` of them. Where
/// there is no folder there are none.
fn list(dir: &Path, member: &Path, depth: usize) -> Result<Vec<Source>, Event> {
    let unread = |error: io::Error| event!(BACKUP_UNREAD, file = dir, error = &error);
    let items = match fs::read_dir(dir) {
        Ok(items) => items,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unread(error)),
    };
    let mut names: Vec<OsString> = Vec::new();
    for item in items {
        names.push(item.map_err(unread)?.file_name());
    }
    names.sort_unstable();
    let mut found = Vec::new();
    for name in names.into_iter().filter(|name| !layout::is_passing(name)) {
        let (file, member) = (dir.join(&name), member.join(&name));
        // Links are followed: what they lead to is what is used.
        match fs::metadata(&file) {
            Ok(about) if about.is_file() => found.push(Source {
                member,
                file,
                may_go: true,
            }),
            Ok(about) if about.is_dir() && depth > 1 => {
                found.extend(list(&file, &member, depth - 1)?);
            }
            // Neither a pipe, nor a link that leads nowhere, holds anything.
            _ => {}
        }
    }
    Ok(found)
}

/// The archive that is written.
struct Archive {
    draft: Draft,
    length: u64,
    sums: Vec<u8>,
}

/// Reason why a file is not in the archive.
enum Missed {
    /// It changed while it was read.
    Changed,
    Read(io::Error),
    Write(io::Error),
}

impl Archive {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.draft.write(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Adds a text of ours.
    fn add_text(&mut self, name: &str, text: &[u8]) -> io::Result<()> {
        let mut hash = Context::new(&SHA256);
        hash.update(text);
        let size = text.len() as u64;
        self.write(&header(Path::new(name), size, MODE, 0))?;
        self.write(text)?;
        self.write(&vec![0; padding(size)])?;
        self.note(hash, Path::new(name));
        Ok(())
    }

    fn note(&mut self, hash: Context, member: &Path) {
        let line = layout::sum_line(hash.finish().as_ref(), member);
        self.sums.extend(line);
    }

    /// Adds a file. Returns `false` for one that has gone since it was listed.
    fn add(&mut self, source: &Source, to: &Path) -> Result<bool, Event> {
        let copy = if source.member == Path::new("state").join(DATABASE) {
            let folder = durable::folder(to);
            await_orders(&source.file.with_file_name(ORDERS));
            Some(
                copy_database(&source.file, folder)
                    .map_err(|error| event!(BACKUP_DATABASE, file = &source.file, error = error))?,
            )
        } else {
            None
        };
        let file = copy.as_ref().map_or(&*source.file, |copy| copy.path());
        for _ in 0..TRIES {
            let before = self.length;
            let error = match self.try_add(file, &source.member, copy.is_some()) {
                Ok(()) => return Ok(true),
                Err(Missed::Changed) => None,
                Err(Missed::Read(error)) if error.kind() == io::ErrorKind::NotFound => {
                    if source.may_go {
                        return Ok(false);
                    }
                    Some(event!(BACKUP_UNREAD, file = &source.file, error = &error))
                }
                Err(Missed::Read(error)) => {
                    Some(event!(BACKUP_UNREAD, file = &source.file, error = &error))
                }
                Err(Missed::Write(error)) => {
                    Some(event!(BACKUP_UNWRITTEN, file = to, error = &error))
                }
            };
            if let Some(error) = error {
                return Err(error);
            }
            let cut = self.draft.cut(before);
            cut.map_err(|error| event!(BACKUP_UNWRITTEN, file = to, error = &error))?;
            self.length = before;
            thread::sleep(AGAIN);
        }
        Err(event!(BACKUP_CHANGING, file = &source.file))
    }

    /// Reads a file by one opening of it, and looks at its end whether it is the same still.
    /// `is_ours` says that nobody else writes to it.
    fn try_add(&mut self, file: &Path, member: &Path, is_ours: bool) -> Result<(), Missed> {
        let mut from = open(file).map_err(Missed::Read)?;
        let about = from.metadata().map_err(Missed::Read)?;
        if !about.is_file() || !is_ours && is_fresh(&about) {
            return Err(Missed::Changed);
        }
        let since = |at: std::time::SystemTime| at.duration_since(UNIX_EPOCH).ok();
        let modified = about.modified().ok().and_then(since);
        let seconds = modified.map_or(0, |at| at.as_secs());
        let head = header(member, about.len(), about.mode() & 0o777, seconds);
        self.write(&head).map_err(Missed::Write)?;
        let mut hash = Context::new(&SHA256);
        let mut buffer = vec![0; 128 << 10];
        let mut left = about.len();
        loop {
            let read = from.read(&mut buffer).map_err(Missed::Read)?;
            let part = buffer.get(..read).unwrap_or_default();
            let Some(rest) = left.checked_sub(read as u64) else {
                return Err(Missed::Changed);
            };
            if read == 0 {
                break;
            }
            left = rest;
            hash.update(part);
            self.write(part).map_err(Missed::Write)?;
        }
        let now = from.metadata().map_err(Missed::Read)?;
        if left > 0 || stamp(&now) != stamp(&about) {
            return Err(Missed::Changed);
        }
        self.write(&vec![0; padding(about.len())])
            .map_err(Missed::Write)?;
        self.note(hash, member);
        Ok(())
    }
}

/// Waits until the server has done what was ordered last: it writes that to the database a
/// moment later.
fn await_orders(orders: &Path) {
    let age = || fs::metadata(orders).ok()?.modified().ok()?.elapsed().ok();
    for _ in 0..TRIES {
        if age().is_none_or(|age| age >= OBEYED) {
            return;
        }
        thread::sleep(AGAIN);
    }
}

/// Opens a file. A pipe that took its place would keep us waiting.
fn open(file: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(file)
}

/// Tells whether a file was written to so lately that another write might leave its time as it
/// is: the clock of a file system ticks every few milliseconds.
fn is_fresh(about: &Metadata) -> bool {
    let age = about.modified().ok().and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| age < TICK)
}

/// Returns what changes when a file is written to.
fn stamp(about: &Metadata) -> (u64, i64, i64) {
    (about.len(), about.mtime(), about.mtime_nsec())
}

/// Copies a database that a server may be writing to, as it is at one moment.
fn copy_database(file: &Path, folder: &Path) -> Result<tempfile::NamedTempFile, String> {
    let mut builder = tempfile::Builder::new();
    let copy = builder.prefix(".draft-").suffix(".tmp").tempfile_in(folder);
    let copy = copy.map_err(|error| error.to_string())?;
    let mut tries = 0;
    loop {
        match database::copy(durable::folder(file), copy.path()) {
            // One that holds nothing, or went meanwhile, is an empty file.
            Ok(_) => return Ok(copy),
            Err(Fault::Locked) if tries < TRIES => tries += 1,
            Err(fault) => return Err(fault.to_string()),
        }
        thread::sleep(AGAIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_backup_is_made_that_no_restore_takes() {
        let text = usize::try_from(LONGEST_TEXT).unwrap();
        for (files, longest_text, is_taken) in [
            (0, 0, true),
            (MOST - 2, text, true),
            (MOST - 1, 0, false),
            (3, text + 1, false),
        ] {
            let made = may_come_back(files, longest_text);
            assert_eq!(made.is_ok(), is_taken, "{files} {longest_text}");
        }
    }
}
