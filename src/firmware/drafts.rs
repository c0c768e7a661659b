//! Drafts: files that somebody sent and that are not published yet. They wait in the state
//! folder, for an hour at most, a few at a time, and nobody else may read them.
//!
//! A draft is looked up in memory, by an id of ours; no text of a stranger ever becomes a
//! path but for the last part of the file's name, within a folder of its own. What a server
//! that was killed left behind goes at the next start.

use crate::event::{Event, event};
use crate::util::once::age;
use crate::util::sync::lock;
use crate::util::way;
use aws_lc_rs::rand;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use xiaozhi_device::hex;

/// Name of their folder in the state folder.
pub(crate) const FOLDER: &str = "drafts";
/// Time for which a draft waits.
pub(crate) const LIFE: Duration = Duration::from_secs(3600);
/// Number of drafts at once, those that are still coming among them.
pub(crate) const MOST: usize = 8;
/// Length of the longest file, in bytes: twice the largest image, or a build's whole folder.
pub(crate) const LONGEST: u64 = 64 << 20;
/// Number of bytes of all drafts together.
const TOGETHER: u64 = 256 << 20;
/// Number of bytes that stay free on their disk, for what is kept of devices.
const SPARE: u64 = 8 << 20;
/// Length of the longest name, in bytes (`NAME_MAX`).
const LONGEST_NAME: usize = 255;
/// Name of a file that has none that can be kept.
const NAMELESS: &str = "upload.bin";

/// A draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    /// Its id: hexadecimal digits, of chance.
    pub(crate) id: String,
    /// Path of the file, whose last part is the name under which it was sent.
    pub(crate) path: PathBuf,
    /// Length in bytes.
    pub(crate) size: u64,
    /// Name of whoever sent it.
    pub(crate) by: String,
    /// Time at which it was whole.
    pub(crate) at: SystemTime,
}

impl Draft {
    /// Returns the name under which it was sent.
    pub(crate) fn name(&self) -> &str {
        let name = self.path.file_name().and_then(|name| name.to_str());
        name.unwrap_or(NAMELESS)
    }

    /// Returns the time at which it goes.
    pub(crate) fn until(&self) -> SystemTime {
        self.at + LIFE
    }

    /// A clock that was set back ends it, too.
    fn is_alive(&self, now: SystemTime) -> bool {
        age(self.at, now).is_some_and(|age| age < LIFE)
    }
}

/// All drafts of a server.
#[derive(Debug)]
pub(crate) struct Drafts {
    dir: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    drafts: BTreeMap<String, Draft>,
    /// Files that are coming, by id.
    coming: BTreeMap<String, Coming>,
}

/// A file that is coming, in bytes.
#[derive(Debug)]
struct Coming {
    /// Length that it may have at most.
    room: u64,
    /// Part of that which is on the disk.
    written: u64,
}

impl Drafts {
    /// Begins without drafts: what an earlier server left in the state folder is removed.
    pub(crate) fn open(state: &Path) -> Self {
        let dir = state.join(FOLDER);
        let is_folder = fs::symlink_metadata(&dir).is_ok_and(|about| about.is_dir());
        if is_folder {
            // What cannot be removed does no harm: nothing of it is ever shown.
            let _ = fs::remove_dir_all(&dir);
        }
        Self {
            dir,
            kept: Mutex::default(),
        }
    }

    /// Begins a draft of a file of this name. `length` is what is known to come at most, in
    /// bytes.
    ///
    /// # Errors
    ///
    /// There are too many, or there is no room for it.
    pub(crate) fn begin(
        self: &Arc<Self>,
        name: &str,
        length: Option<u64>,
        now: SystemTime,
    ) -> Result<Upload, Event> {
        self.expire(now);
        let id = id().map_err(|reason| self.unwritten(&reason))?;
        // A form has some bytes around the file, so that more may be announced.
        let room = length.unwrap_or(LONGEST).min(LONGEST);
        let before = {
            let mut kept = lock(&self.kept);
            if kept.drafts.len() + kept.coming.len() >= MOST {
                return Err(event!(DRAFT_TOO_MANY, most = MOST));
            }
            if kept.bytes() + room > TOGETHER {
                return Err(event!(DRAFT_TOO_MUCH, most = TOGETHER));
            }
            // The disk does not know yet of what others were promised.
            let before = kept.unwritten();
            let written = 0;
            kept.coming.insert(id.clone(), Coming { room, written });
            before
        };
        let mut upload = Upload {
            drafts: Arc::clone(self),
            path: self.dir.join(&id).join(safe_name(name)),
            id,
            file: None,
            size: 0,
            is_done: false,
        };
        let opened = way::to_keep(&self.dir, room, before + SPARE).and_then(|()| upload.open());
        upload.file = Some(opened.map_err(|reason| self.unwritten(&reason))?);
        Ok(upload)
    }

    /// Returns all of them, the newest first.
    pub(crate) fn list(&self, now: SystemTime) -> Vec<Draft> {
        self.expire(now);
        let mut drafts: Vec<_> = lock(&self.kept).drafts.values().cloned().collect();
        drafts.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
        drafts
    }

    /// Returns the draft of an id.
    pub(crate) fn find(&self, id: &str, now: SystemTime) -> Option<Draft> {
        self.expire(now);
        lock(&self.kept).drafts.get(id).cloned()
    }

    /// Returns the number of files that are still coming.
    pub(crate) fn coming(&self) -> usize {
        lock(&self.kept).coming.len()
    }

    /// Removes a draft. Returns whether there was one.
    pub(crate) fn remove(&self, id: &str) -> bool {
        let draft = lock(&self.kept).drafts.remove(id);
        draft.is_some_and(|draft| {
            remove(&draft.path);
            true
        })
    }

    /// Removes what has waited for too long.
    pub(crate) fn expire(&self, now: SystemTime) {
        let mut gone = Vec::new();
        lock(&self.kept).drafts.retain(|_, draft| {
            let stays = draft.is_alive(now);
            if !stays {
                gone.push(draft.path.clone());
            }
            stays
        });
        for path in &gone {
            remove(path);
        }
    }

    /// Returns the number of bytes that a file for this folder leaves free: none on another
    /// disk than that of the drafts.
    pub(crate) fn spare(&self, folder: &Path) -> u64 {
        let device = |dir: &Path| fs::metadata(dir).map(|about| about.dev()).ok();
        let own = device(&self.dir);
        if own.is_some() && own == device(folder) {
            SPARE
        } else {
            0
        }
    }

    fn unwritten(&self, reason: &io::Error) -> Event {
        event!(DRAFT_UNWRITTEN, dir = &self.dir, reason = reason)
    }
}

impl Kept {
    fn bytes(&self) -> u64 {
        let drafts = self.drafts.values().map(|draft| draft.size);
        drafts
            .chain(self.coming.values().map(|coming| coming.room))
            .sum()
    }

    /// Number of bytes that are still to come at most.
    fn unwritten(&self) -> u64 {
        let coming = self.coming.values();
        coming
            .map(|coming| coming.room.saturating_sub(coming.written))
            .sum()
    }
}

fn too_long() -> Event {
    event!(DRAFT_TOO_LONG, longest = LONGEST)
}

/// Returns an id that nobody guesses.
fn id() -> io::Result<String> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| io::Error::other("the system has no random bytes"))?;
    Ok(hex::encode(&bytes))
}

/// Removes a draft's file, and the folder that is its own.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
    if let Some(folder) = path.parent() {
        let _ = fs::remove_dir(folder);
    }
}

/// Returns the last part of a name as a file can have it: a browser sends a name alone, and
/// whoever sends a path means the file at its end.
fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|c| !c.is_control()).collect();
    let plain = plain.trim().trim_start_matches('.');
    match plain {
        "" => NAMELESS.to_owned(),
        long if long.len() > LONGEST_NAME => NAMELESS.to_owned(),
        plain => plain.to_owned(),
    }
}

/// A draft that is still coming. It vanishes with this value.
#[derive(Debug)]
pub(crate) struct Upload {
    drafts: Arc<Drafts>,
    id: String,
    path: PathBuf,
    file: Option<File>,
    size: u64,
    is_done: bool,
}

impl Upload {
    /// Appends bytes. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// It is too long, or the disk takes no more.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Event> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > LONGEST {
            return Err(too_long());
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let written = file.write_all(bytes);
        written.map_err(|reason| self.drafts.unwritten(&reason))?;
        if let Some(coming) = lock(&self.drafts.kept).coming.get_mut(&self.id) {
            coming.written = self.size;
        }
        Ok(())
    }

    /// Keeps it, for an hour.
    ///
    /// # Errors
    ///
    /// Nothing is in it.
    pub(crate) fn finish(mut self, by: &str, now: SystemTime) -> Result<Draft, Event> {
        if self.size == 0 {
            return Err(event!(DRAFT_EMPTY));
        }
        let draft = Draft {
            id: self.id.clone(),
            path: self.path.clone(),
            size: self.size,
            by: by.to_owned(),
            at: now,
        };
        self.is_done = true;
        let mut kept = lock(&self.drafts.kept);
        kept.coming.remove(&self.id);
        kept.drafts.insert(self.id.clone(), draft.clone());
        Ok(draft)
    }

    fn open(&self) -> io::Result<File> {
        let folder = |dir: &Path| match DirBuilder::new().mode(0o700).create(dir) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
            _ => Ok(()),
        };
        folder(&self.drafts.dir)?;
        if let Some(own) = self.path.parent() {
            folder(own)?;
        }
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.path)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.is_done {
            lock(&self.drafts.kept).coming.remove(&self.id);
            remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    struct Place {
        dir: tempfile::TempDir,
        drafts: Arc<Drafts>,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let drafts = Arc::new(Drafts::open(dir.path()));
            Self { dir, drafts }
        }

        fn draft(&self, name: &str, now: SystemTime) -> Draft {
            let mut upload = self.drafts.begin(name, None, now).unwrap();
            upload.write(b"one ").unwrap();
            upload.write(b"two").unwrap();
            upload.finish("me", now).unwrap()
        }

        /// Number of things in their folder.
        fn count(&self) -> usize {
            fs::read_dir(self.dir.path().join(FOLDER)).map_or(0, Iterator::count)
        }
    }

    fn id_of<T>(result: Result<T, Event>) -> &'static str {
        result.err().map_or("", |event| event.kind.id)
    }

    #[test]
    fn a_draft_waits_for_an_hour_and_nobody_else_may_read_it() {
        let place = Place::new();
        let draft = place.draft("a_1.0.bin", START);
        assert_eq!(fs::read(&draft.path).unwrap(), b"one two");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&draft.path), 0o600);
        let folder = draft.path.parent().unwrap();
        assert_eq!(
            (mode(folder), mode(folder.parent().unwrap())),
            (0o700, 0o700)
        );
        assert_eq!((draft.name(), draft.size), ("a_1.0.bin", 7));
        let just = START + LIFE - Duration::from_secs(1);
        assert_eq!(place.drafts.find(&draft.id, just), Some(draft.clone()));
        let later = place.draft("b_1.0.bin", just);
        assert_eq!(place.drafts.list(just), [later.clone(), draft.clone()]);
        let left = place.drafts.list(START + LIFE);
        assert_eq!(left, std::slice::from_ref(&later));
        assert!(!draft.path.exists() && place.count() == 1);
        assert_eq!(place.drafts.find(&draft.id, just), None);
        // Who came before it was whole, and is answered behind it, ends nothing.
        assert_eq!(
            place.drafts.list(just - Duration::from_secs(1)),
            std::slice::from_ref(&later)
        );
        assert!(place.drafts.remove(&later.id) && !place.drafts.remove(&later.id));
        assert_eq!(place.count(), 0);
    }

    #[test]
    fn a_start_and_a_cut_leave_nothing() {
        let place = Place::new();
        let kept = place.draft("a_1.0.bin", START);
        let mut cut = place.drafts.begin("b_1.0.bin", None, START).unwrap();
        cut.write(b"half").unwrap();
        assert_eq!(place.count(), 2);
        drop(cut);
        assert_eq!((place.count(), place.drafts.list(START).len()), (1, 1));
        let empty = place.drafts.begin("c_1.0.bin", None, START).unwrap();
        assert_eq!(id_of(empty.finish("me", START)), "draft.empty");
        assert_eq!(place.count(), 1);
        let again = Drafts::open(place.dir.path());
        assert!(!kept.path.exists() && place.count() == 0);
        assert_eq!(again.find(&kept.id, START), None);
        // What is no folder is somebody's, and leads nowhere.
        let other = tempfile::tempdir().unwrap();
        let link = other.path().join(FOLDER);
        std::os::unix::fs::symlink(place.dir.path(), &link).unwrap();
        fs::write(place.dir.path().join("mine"), "").unwrap();
        Drafts::open(other.path());
        assert!(place.dir.path().join("mine").exists());
    }

    #[test]
    fn they_are_few_and_no_longer_than_is_said() {
        let place = Place::new();
        let begin = |length| place.drafts.begin("a_1.0.bin", length, START);
        let mut long = begin(Some(10)).unwrap();
        long.size = LONGEST;
        assert_eq!(id_of(long.write(b"x")), "draft.too-long");
        drop(long);
        // Together they may be less than that many of the longest.
        let large: Vec<_> = (0..4).map(|_| begin(Some(LONGEST)).unwrap()).collect();
        assert_eq!(id_of(begin(Some(LONGEST))), "draft.too-much");
        drop(large);
        let many: Vec<_> = (0..MOST).map(|_| begin(Some(10)).unwrap()).collect();
        assert_eq!(id_of(begin(Some(10))), "draft.too-many");
        drop(many);
        assert_eq!(place.count(), 0);
        let others: Vec<_> = (0..MOST).map(|n| place.draft("a", after(n))).collect();
        assert_eq!(
            id_of(place.drafts.begin("a", None, after(9))),
            "draft.too-many"
        );
        assert_eq!(others.len(), MOST);
        // The oldest make room once their hour is over.
        assert!(place.drafts.begin("a", None, START + LIFE).is_ok());
    }

    fn after(seconds: usize) -> SystemTime {
        START + Duration::from_secs(seconds as u64)
    }

    #[test]
    fn no_name_leads_out() {
        for (sent, kept) in [
            ("a_1.0.bin", "a_1.0.bin"),
            ("../../a_1.0.bin", "a_1.0.bin"),
            ("C:\\build\\a_1.0.bin", "a_1.0.bin"),
            ("/etc/passwd", "passwd"),
            ("小智 板_1.0.bin", "小智 板_1.0.bin"),
            ("a\0b\n_1.bin", "ab_1.bin"),
            ("..", NAMELESS),
            ("...", NAMELESS),
            (".hidden.bin", "hidden.bin"),
            ("a/", NAMELESS),
            ("", NAMELESS),
            (" ", NAMELESS),
        ] {
            assert_eq!(safe_name(sent), kept, "{sent:?}");
        }
        assert_eq!(safe_name(&"x".repeat(256)), NAMELESS);
        let place = Place::new();
        let draft = place.draft("../../../x", START);
        assert!(draft.path.starts_with(place.dir.path().join(FOLDER)));
        for id in ["", ".", "..", "../x", &draft.id[1..], "%2e%2e"] {
            assert!(place.drafts.find(id, START).is_none() && !place.drafts.remove(id));
        }
    }
}
