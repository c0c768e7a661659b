//! Keeps a [`Snapshot`] true to the firmware folder, from a thread of its own:
//! a check-in reads the snapshot and waits for nothing.
//!
//! A file enters the snapshot when it is whole. What lies there at start counts
//! as whole. Afterwards the kernel tells when a writer closes a file or moves it
//! in; a file that appears without such word (a network file system, a hard
//! link) must look the same twice, [`SETTLE`] apart.

use super::Identity;
use super::scan::{self, Found, Listing, Unusable};
use super::snapshot::{Entry, Snapshot, hex};
use super::watch::{Change, Watch};
use arc_swap::{ArcSwap, Guard};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io, thread};
use tracing::{error, info, warn};

/// How long a file that no kernel event speaks of must stay the same.
const SETTLE: Duration = Duration::from_secs(2);
/// How long events are gathered before a look: a copy comes with several.
const GATHER: Duration = Duration::from_millis(100);
/// How often the folder is looked at when it cannot be watched.
const UNWATCHED: Duration = Duration::from_secs(2);
/// How often a partial snapshot goes out while many files are read.
const PUBLISH: Duration = Duration::from_millis(100);
/// How often the reading of many files is reported.
const REPORT: Duration = Duration::from_secs(2);

/// Where the firmware lies and how often the folder is looked at unasked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder: `gateway.firmware.dir`.
    pub dir: PathBuf,
    /// `firmware_cache_ttl`.
    pub ttl: Duration,
}

/// The folder as it is offered now.
#[derive(Debug)]
pub struct Catalogue {
    shared: Arc<Shared>,
    changes: Sender<Change>,
}

#[derive(Debug, Default)]
struct Shared {
    snapshot: ArcSwap<Snapshot>,
    first_look_done: Mutex<bool>,
    first_look: Condvar,
}

impl Catalogue {
    /// Makes the folder if it is missing and begins to keep it.
    pub fn start(settings: Settings) -> io::Result<Self> {
        fs::create_dir_all(&settings.dir)?;
        let shared = Arc::new(Shared::default());
        let (changes, inbox) = mpsc::channel();
        let keeper = Keeper {
            settings,
            shared: Arc::clone(&shared),
            changes: changes.clone(),
            watch: None,
            watch_failed: false,
            folder_failed: None,
            images: HashMap::new(),
            unusable: HashMap::new(),
            writing: HashMap::new(),
            whole: HashSet::new(),
            settling: HashMap::new(),
        };
        thread::Builder::new()
            .name("catalogue".into())
            .spawn(move || keeper.run(&inbox))?;
        Ok(Self { shared, changes })
    }

    /// What can be offered now.
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.shared.snapshot.load()
    }

    /// Asks for a look at the folder; returns at once.
    pub fn look_again(&self) {
        let _ = self.changes.send(Change::LookAgain);
    }

    /// Waits until what lay in the folder at start is in the snapshot, but no
    /// longer than `limit`: a big folder must not keep the server from
    /// answering.
    pub fn wait_for_first_look(&self, limit: Duration) {
        let done = self
            .shared
            .first_look_done
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Whether it timed out does not matter.
        drop(
            self.shared
                .first_look
                .wait_timeout_while(done, limit, |done| !*done),
        );
    }
}

impl Drop for Catalogue {
    fn drop(&mut self) {
        let _ = self.changes.send(Change::End);
    }
}

/// What is known of a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    /// The file was created; nothing was written yet, or it is a hard link.
    Maybe,
    /// Bytes came, and no close since.
    AtWork,
}

struct Keeper {
    settings: Settings,
    shared: Arc<Shared>,
    changes: Sender<Change>,
    watch: Option<Watch>,
    watch_failed: bool,
    folder_failed: Option<String>,
    /// What is offered, by file name.
    images: HashMap<String, Arc<Entry>>,
    /// What was said of files that are not, so that it is said once.
    unusable: HashMap<String, String>,
    writing: HashMap<String, Writer>,
    /// Files of which the kernel said that they are whole.
    whole: HashSet<String>,
    /// Files without such word: their state, and since when.
    settling: HashMap<String, (Identity, Instant)>,
}

impl Keeper {
    fn run(mut self, inbox: &Receiver<Change>) {
        self.keep_watch();
        self.look(true);
        *self
            .shared
            .first_look_done
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.first_look.notify_all();
        let mut last_look = Instant::now();
        loop {
            let wait = self.interval().saturating_sub(last_look.elapsed());
            let mut look = match inbox.recv_timeout(wait) {
                Ok(Change::End) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(change) => self.take_note(change),
                Err(RecvTimeoutError::Timeout) => true,
            };
            let gather_until = Instant::now() + GATHER;
            while let Ok(change) =
                inbox.recv_timeout(gather_until.saturating_duration_since(Instant::now()))
            {
                if change == Change::End {
                    return;
                }
                look |= self.take_note(change);
            }
            if look {
                self.keep_watch();
                self.look(false);
                last_look = Instant::now();
            }
        }
    }

    fn interval(&self) -> Duration {
        if !self.settling.is_empty() {
            SETTLE / 2
        } else if self.watch.is_none() {
            UNWATCHED.min(self.settings.ttl)
        } else {
            self.settings.ttl
        }
    }

    /// Notes what the kernel said; whether the folder is worth a look now. A
    /// slow copy sends an event for each block and must not cost a scan each.
    fn take_note(&mut self, change: Change) -> bool {
        match change {
            Change::Created(file) => {
                self.whole.remove(&file);
                self.writing.entry(file).or_insert(Writer::Maybe);
                true
            }
            Change::Written(file) => {
                self.whole.remove(&file);
                self.writing.insert(file, Writer::AtWork) != Some(Writer::AtWork)
            }
            Change::Whole(file) => {
                self.writing.remove(&file);
                self.whole.insert(file);
                true
            }
            Change::Other(file) => {
                // After a move away or a deletion the name says nothing more;
                // after a chmod a writer is still one.
                if !self.settings.dir.join(&file).exists() {
                    self.writing.remove(&file);
                    self.whole.remove(&file);
                }
                true
            }
            Change::Lost => {
                self.writing.clear();
                self.whole.clear();
                true
            }
            Change::LookAgain => true,
            Change::End => false,
        }
    }

    /// Watches the folder, anew if it was deleted and made again.
    fn keep_watch(&mut self) {
        let inode = fs::metadata(&self.settings.dir)
            .map(|m| Identity::from(&m).inode)
            .ok();
        if self.watch.as_ref().is_some_and(|w| Some(w.inode) == inode) {
            return;
        }
        self.watch = None;
        self.writing.clear();
        if inode.is_none() {
            return; // The look that follows says so.
        }
        match Watch::new(&self.settings.dir, self.changes.clone()) {
            Ok(watch) => {
                self.watch = Some(watch);
                self.watch_failed = false;
            }
            Err(e) if !self.watch_failed => {
                self.watch_failed = true;
                warn!(
                    dir = %self.settings.dir.display(), error = %e,
                    "the firmware folder cannot be watched and is looked at every {UNWATCHED:?} instead \
                     (raise fs.inotify.max_user_watches or max_user_instances)"
                );
            }
            Err(_) => {}
        }
    }

    fn look(&mut self, at_start: bool) {
        let Listing { found, unusable } = match scan::list(&self.settings.dir) {
            Ok(listing) => {
                if self.folder_failed.take().is_some() {
                    info!(dir = %self.settings.dir.display(), "the firmware folder can be read again");
                }
                listing
            }
            Err(e) => {
                let gone = e.kind() == io::ErrorKind::NotFound;
                if self.folder_failed.replace(e.to_string()) != Some(e.to_string()) {
                    let consequence = if gone {
                        "nothing is offered"
                    } else {
                        "the last known files stay offered"
                    };
                    error!(dir = %self.settings.dir.display(), error = %e, "the firmware folder cannot be read: {consequence}");
                }
                if !gone {
                    return;
                }
                Listing::default()
            }
        };
        let seen: HashSet<String> = found
            .iter()
            .map(|f| f.file.clone())
            .chain(unusable.iter().map(|(file, _)| file.clone()))
            .collect();
        self.settling.retain(|file, _| seen.contains(file));
        self.unusable.retain(|file, _| seen.contains(file));
        self.whole.retain(|file| seen.contains(file));
        for (file, why) in unusable {
            self.refuse(&file, &why);
        }
        let fresh = self.sort_out(found, &seen, at_start);
        if fresh.is_empty() {
            return;
        }
        self.read(fresh);
    }

    /// Withdraws what is gone or changed, at once, and says which files are to
    /// be read: the highest versions first, for they are what devices get.
    fn sort_out(
        &mut self,
        found: Vec<Found>,
        seen: &HashSet<String>,
        at_start: bool,
    ) -> Vec<Found> {
        let before = self.images.len();
        let mut fresh = Vec::new();
        let mut waiting = Vec::new();
        let mut current = HashSet::new();
        for f in found {
            if self
                .images
                .get(&f.file)
                .is_some_and(|e| e.identity == f.identity)
            {
                // What the kernel said of this state must not vouch for the next.
                self.whole.remove(&f.file);
                current.insert(f.file);
            } else if at_start || self.is_whole(&f) {
                fresh.push(f);
            } else {
                waiting.push(f.file);
            }
        }
        let fresh_names: HashSet<&str> = fresh.iter().map(|f| f.file.as_str()).collect();
        self.images.retain(|file, entry| {
            let stays = current.contains(file);
            if !stays && !fresh_names.contains(file.as_str()) {
                if seen.contains(file) {
                    info!(file = %file, version = %entry.version, "image withdrawn: it is being changed");
                } else {
                    info!(file = %file, version = %entry.version, "image removed: the file is gone");
                }
            }
            stays
        });
        for file in waiting {
            self.say(
                &file,
                "is being written, or appeared just now: offered when it is whole",
                false,
            );
        }
        if self.images.len() != before {
            self.publish();
        }
        fresh.sort_by(|a, b| {
            b.name
                .version
                .cmp(&a.name.version)
                .then_with(|| a.file.cmp(&b.file))
        });
        fresh
    }

    fn is_whole(&mut self, f: &Found) -> bool {
        if self.whole.contains(&f.file) {
            return true;
        }
        if self.writing.get(&f.file) == Some(&Writer::AtWork) {
            self.settling.remove(&f.file);
            return false;
        }
        let now = Instant::now();
        match self.settling.get(&f.file) {
            Some((identity, since)) if *identity == f.identity => {
                now.duration_since(*since) >= SETTLE
            }
            _ => {
                self.settling.insert(f.file.clone(), (f.identity, now));
                false
            }
        }
    }

    fn read(&mut self, fresh: Vec<Found>) {
        let total = fresh.len();
        let (started, mut published, mut reported) =
            (Instant::now(), Instant::now(), Instant::now());
        for (done, f) in fresh.into_iter().enumerate() {
            let path = self.settings.dir.join(&f.file);
            match scan::hash(&path, &f.identity) {
                Ok(sha256) => self.admit(Entry::new(path, f.file, f.name, f.identity, sha256)),
                // It goes on changing: the kernel will say when it is whole.
                Err(Unusable::Changed) => {
                    self.whole.remove(&f.file);
                    self.settling.insert(f.file, (f.identity, Instant::now()));
                }
                Err(why) => self.refuse(&f.file, &why),
            }
            if published.elapsed() >= PUBLISH {
                self.publish();
                published = Instant::now();
            }
            if reported.elapsed() >= REPORT {
                info!(done = done + 1, total, "reading firmware files");
                reported = Instant::now();
            }
        }
        self.publish();
        if started.elapsed() >= REPORT {
            info!(
                files = total,
                seconds = started.elapsed().as_secs(),
                "firmware files read"
            );
        }
    }

    fn admit(&mut self, entry: Entry) {
        self.unusable.remove(&entry.file);
        self.settling.remove(&entry.file);
        self.whole.remove(&entry.file);
        self.writing.remove(&entry.file);
        info!(
            file = %entry.file, model = %entry.model, version = %entry.version,
            bytes = entry.size(), sha256 = %hex(&entry.sha256), "image ready"
        );
        let twin = self
            .images
            .values()
            .find(|e| e.model == entry.model && e.version == entry.version && e.file != entry.file);
        if let Some(twin) = twin {
            warn!(
                file = %entry.file, other = %twin.file,
                "two files of one model have versions of the same rank: the first by name is offered, delete one"
            );
        }
        self.images.insert(entry.file.clone(), Arc::new(entry));
    }

    fn refuse(&mut self, file: &str, why: &Unusable) {
        self.say(file, &why.to_string(), true);
    }

    /// Says something of a file, once.
    fn say(&mut self, file: &str, what: &str, refused: bool) {
        if self.unusable.get(file).is_some_and(|said| said == what) {
            return;
        }
        self.unusable.insert(file.to_owned(), what.to_owned());
        if refused {
            warn!(file = ?file, "file not used: {what}");
        } else {
            info!(file = ?file, "file {what}");
        }
    }

    fn publish(&self) {
        self.shared
            .snapshot
            .store(Arc::new(Snapshot::new(self.images.values().cloned())));
    }
}
