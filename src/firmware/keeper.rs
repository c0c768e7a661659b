//! The thread behind the catalogue: what the folder shows and what the kernel
//! says of its writers, turned into snapshots.

mod settings;

use super::FolderSettings;
use super::name;
use super::scan::{self, Found, Listing, Unusable};
use super::snapshot::{Entry, Snapshot};
use super::watch::{Change, Watch};
use crate::util::file_state::FileState;
use crate::util::sync::lock;
use arc_swap::ArcSwap;
use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use std::{fs, io, mem};
use tracing::{error, info, warn};
use xiaozhi_device::hex::encode;
use xiaozhi_device::image::{Foreign, Verdict};
use xiaozhi_device::project::Projects;

/// The room that an operator looks for.
const LOG: &str = "xiaozhi_ota::firmware::catalogue";
/// How long a file that no kernel event speaks of must stay the same.
const SETTLE: Duration = Duration::from_secs(2);
/// How long a writer may pause. An upload that stalls for longer is given up.
const WRITER_GONE: Duration = Duration::from_secs(600);
/// How long a model stays known after its last file went: who replaces a file by
/// `rm` and `cp` must not send its devices another board's firmware meanwhile.
const MODEL_GONE: Duration = Duration::from_secs(300);
/// How long events are gathered before a look: a copy comes with several.
const GATHER: Duration = Duration::from_millis(100);
/// How often the folder is looked at when it cannot be watched.
const UNWATCHED: Duration = Duration::from_secs(2);
/// How often a partial snapshot goes out while many files are read.
const PUBLISH: Duration = Duration::from_millis(100);
/// How often the reading of many files is reported.
const REPORT: Duration = Duration::from_secs(2);

/// What the keeper and the catalogue's users share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) snapshot: ArcSwap<Snapshot>,
    pub(super) first_look_done: Mutex<bool>,
    pub(super) first_look: Condvar,
}

/// What is known of a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    /// The file was created; nothing was written yet, or it is a hard link.
    Maybe,
    /// Bytes came, the last ones then, and no close since.
    AtWork(Instant),
}

pub(super) struct Keeper {
    settings: FolderSettings,
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
    settling: HashMap<String, (FileState, Instant)>,
    /// Files that were read and refused, in which state, and whether the reason
    /// may pass by itself: those are tried again when the folder is looked at
    /// unasked, the others when they change.
    refused: HashMap<String, (FileState, bool)>,
    /// The models of all files in the folder, usable or not, and when they were
    /// last seen there.
    models: HashMap<String, Instant>,
    /// What is to be said once the snapshot shows it: who reads that an image is
    /// ready, or withdrawn, may ask for it at once.
    news: Vec<Line>,
}

/// A line of the log that waits to be true.
type Line = Box<dyn FnOnce() + Send>;

/// Why the folder is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// What lies there counts as whole.
    Start,
    /// The kernel, or somebody, said that something changed.
    Told,
    /// It was time.
    Unasked,
}

impl Keeper {
    pub(super) fn new(
        settings: FolderSettings,
        shared: Arc<Shared>,
        changes: Sender<Change>,
    ) -> Self {
        Self {
            settings,
            shared,
            changes,
            watch: None,
            watch_failed: false,
            folder_failed: None,
            images: HashMap::new(),
            unusable: HashMap::new(),
            writing: HashMap::new(),
            whole: HashSet::new(),
            settling: HashMap::new(),
            refused: HashMap::new(),
            models: HashMap::new(),
            news: Vec::new(),
        }
    }

    /// Keeps the snapshot until the catalogue is gone. Where it broke it goes on with
    /// what it knew.
    pub(super) fn run(&mut self, inbox: &Receiver<Change>) {
        self.keep_watch();
        // What came meanwhile may be half a file.
        let began_before = *lock(&self.shared.first_look_done);
        self.look(if began_before {
            Occasion::Told
        } else {
            Occasion::Start
        });
        *lock(&self.shared.first_look_done) = true;
        self.shared.first_look.notify_all();
        let mut last_look = Instant::now();
        loop {
            let wait = self.interval().saturating_sub(last_look.elapsed());
            let mut look = match inbox.recv_timeout(wait) {
                Ok(Change::End) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(change) => self.take_note(change).then_some(Occasion::Told),
                Err(RecvTimeoutError::Timeout) => Some(Occasion::Unasked),
            };
            let gather_until = Instant::now() + GATHER;
            while let Ok(change) =
                inbox.recv_timeout(gather_until.saturating_duration_since(Instant::now()))
            {
                if change == Change::End {
                    return;
                }
                if self.take_note(change) {
                    look = look.or(Some(Occasion::Told));
                }
            }
            if let Some(occasion) = look {
                self.keep_watch();
                self.look(occasion);
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
                self.writing.insert(file, Writer::Maybe);
                true
            }
            Change::Written(file) => {
                self.whole.remove(&file);
                let before = self.writing.insert(file, Writer::AtWork(Instant::now()));
                !matches!(before, Some(Writer::AtWork(_)))
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
            Change::FolderGone => {
                // Deleted or moved away; one that is made again may even have
                // its inode.
                self.watch = None;
                true
            }
            Change::Settings(settings) => self.take_settings(settings),
            Change::LookAgain => {
                for (file, _) in mem::take(&mut self.refused) {
                    if !self.is_at_work(&file) {
                        self.whole.insert(file);
                    }
                }
                true
            }
            Change::End => false,
        }
    }

    /// Watches the folder, anew if it was deleted and made again.
    fn keep_watch(&mut self) {
        let inode = fs::metadata(&self.settings.dir)
            .map(|m| FileState::from(&m).inode)
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
                warn!(target: LOG, dir = %self.settings.dir.display(), error = %e,
                    "the firmware folder cannot be watched and is looked at every {UNWATCHED:?} instead \
                     (raise fs.inotify.max_user_watches or max_user_instances)"
                );
            }
            Err(_) => {}
        }
    }

    fn look(&mut self, occasion: Occasion) {
        let Listing { found, unusable } = match scan::list(&self.settings.dir) {
            Ok(listing) => {
                if self.folder_failed.take().is_some() {
                    info!(target: LOG, dir = %self.settings.dir.display(), "the firmware folder can be read again");
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
                    let dir = self.settings.dir.clone();
                    self.news.push(Box::new(move || error!(target: LOG, dir = %dir.display(), error = %e, "the firmware folder cannot be read: {consequence}")));
                }
                if !gone {
                    self.tell();
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
        self.refused.retain(|file, _| seen.contains(file));
        self.whole.retain(|file| seen.contains(file));
        for (file, why) in unusable {
            if why == Unusable::Empty && self.writing.contains_key(&file) {
                self.say_waiting(&file); // A copy that has just begun.
            } else {
                self.refuse(&file, &why);
            }
        }
        let fresh = self.sort_out(found, &seen, occasion);
        self.note_models(&seen, occasion);
        self.tell();
        if !fresh.is_empty() {
            self.read(fresh);
        }
    }

    /// A model that has a file here is known here, even while none of its files
    /// can be offered: its devices must not fall to `default`, which may be
    /// another board's firmware.
    fn note_models(&mut self, seen: &HashSet<String>, occasion: Occasion) {
        let now = Instant::now();
        let before = self.models.len();
        let names = seen.iter().filter_map(|file| name::parse(file).ok());
        self.models.extend(names.map(|name| (name.model, now)));
        let added = self.models.len() != before;
        let has_default = self.images.values().any(|entry| entry.model == "default");
        let known = self.models.len();
        self.models.retain(|model, seen| {
            let stays = now.duration_since(*seen) < MODEL_GONE;
            if !stays && has_default {
                let model = model.clone();
                self.news.push(Box::new(move || warn!(target: LOG, model = %model, "no file of this model is left: its devices may be offered default_*.bin now")));
            }
            stays
        });
        if added || self.models.len() != known || occasion == Occasion::Start {
            self.publish();
        }
    }

    /// Withdraws what is gone or changed, at once, and says which files are to
    /// be read: the highest versions first, for they are what devices get.
    fn sort_out(
        &mut self,
        found: Vec<Found>,
        seen: &HashSet<String>,
        occasion: Occasion,
    ) -> Vec<Found> {
        let mut fresh = Vec::new();
        let mut stays = HashSet::new();
        for f in found {
            let known = self.images.get(&f.file).map(|entry| entry.identity);
            let at_work = self.is_at_work(&f.file);
            if known == Some(f.identity) && !at_work {
                // What the kernel said of this state must not vouch for the next.
                self.whole.remove(&f.file);
                stays.insert(f.file);
            } else if known.is_some_and(|k| k.same_but_for_change_time(&f.identity)) && !at_work {
                // chmod, a hard link, a backup: the content is the same unless
                // somebody set the modification time back, which reading it
                // will show.
                stays.insert(f.file.clone());
                fresh.push(f);
            } else if self.refused.get(&f.file).is_some_and(|(state, may_pass)| {
                *state == f.identity && !(*may_pass && occasion == Occasion::Unasked)
            }) {
                // Nothing has changed that could make it better.
            } else if occasion == Occasion::Start || self.is_whole(&f) {
                fresh.push(f);
            } else if !self.refused.contains_key(&f.file) {
                self.say_waiting(&f.file);
            }
        }
        self.withdraw(
            |file| stays.contains(file),
            |file| {
                if !seen.contains(file) {
                    Some("removed: the file is gone")
                } else if fresh.iter().any(|f| f.file == *file) {
                    None // It is read in a moment, and that is said.
                } else {
                    Some("withdrawn: the file is being changed")
                }
            },
        );
        fresh.sort_by(|a, b| {
            b.name
                .version
                .cmp(&a.name.version)
                .then_with(|| a.file.cmp(&b.file))
        });
        fresh
    }

    fn withdraw(
        &mut self,
        stays: impl Fn(&str) -> bool,
        why: impl Fn(&str) -> Option<&'static str>,
    ) {
        let before = self.images.len();
        self.images.retain(|file, entry| {
            let stays = stays(file);
            if !stays && let Some(why) = why(file) {
                let entry = Arc::clone(entry);
                self.news.push(Box::new(move || info!(target: LOG, file = %entry.file, version = %entry.version, "image {why}")));
            }
            stays
        });
        if self.images.len() != before {
            self.publish();
        }
    }

    /// Whether somebody has the file open and writes to it. A writer of whom
    /// nothing was heard for long is none: truncate(2) writes and never closes.
    fn is_at_work(&self, file: &str) -> bool {
        match self.writing.get(file) {
            Some(Writer::AtWork(last)) => last.elapsed() < WRITER_GONE,
            Some(Writer::Maybe) | None => false,
        }
    }

    fn is_whole(&mut self, f: &Found) -> bool {
        if self.whole.contains(&f.file) {
            return true;
        }
        if self.is_at_work(&f.file) {
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
            let judged = scan::inspect(&path, &f.identity).and_then(|inspection| {
                let FolderSettings {
                    verify, projects, ..
                } = &self.settings;
                scan::offerable(&inspection.verdict, *verify, projects).map(|()| inspection)
            });
            match judged {
                Ok(inspection) => {
                    let foreign = match inspection.verdict {
                        Verdict::Foreign(foreign) => Some(foreign),
                        Verdict::App(_) | Verdict::Rejected(_) => None,
                    };
                    let entry = Entry::new(path, f.file, f.name, f.identity, inspection);
                    self.admit(entry, foreign);
                }
                Err(Unusable::Changed) => self.changed_while_read(f),
                Err(why) => {
                    self.images.remove(&f.file);
                    self.settling.remove(&f.file);
                    // What vouched for this state must not vouch for the next.
                    self.whole.remove(&f.file);
                    self.refuse(&f.file, &why);
                    let may_pass = matches!(why, Unusable::Unreadable { .. });
                    self.refused.insert(f.file, (f.identity, may_pass));
                }
            }
            if published.elapsed() >= PUBLISH {
                self.publish();
                self.tell();
                published = Instant::now();
            }
            if reported.elapsed() >= REPORT {
                info!(target: LOG, done = done + 1, total, "reading firmware files");
                reported = Instant::now();
            }
        }
        self.publish();
        self.tell();
        if started.elapsed() >= REPORT {
            info!(target: LOG, files = total,
                seconds = started.elapsed().as_secs(),
                "firmware files read"
            );
        }
    }

    /// It goes on changing: the next event, or the next look, reads it again.
    fn changed_while_read(&mut self, f: Found) {
        let now = fs::metadata(self.settings.dir.join(&f.file)).map(|m| FileState::from(&m));
        let known = self.images.get(&f.file).map(|entry| entry.identity);
        // A second chmod in a row leaves the content what it was.
        let same = |now: FileState| known.is_some_and(|k| k.same_but_for_change_time(&now));
        if !now.is_ok_and(same) && self.images.remove(&f.file).is_some() {
            let file = f.file.clone();
            self.news.push(Box::new(
                move || info!(target: LOG, %file, "image withdrawn: the file is being changed"),
            ));
        }
        self.whole.remove(&f.file);
        self.settling.insert(f.file, (f.identity, Instant::now()));
    }

    fn admit(&mut self, entry: Entry, foreign: Option<Foreign>) {
        self.unusable.remove(&entry.file);
        self.refused.remove(&entry.file);
        self.settling.remove(&entry.file);
        self.whole.remove(&entry.file);
        self.writing.remove(&entry.file);
        if self
            .images
            .get(&entry.file)
            .is_some_and(|known| known.sha256 == entry.sha256)
        {
            // The same content with another change time: no news.
            self.images.insert(entry.file.clone(), Arc::new(entry));
            return;
        }
        let entry = Arc::new(entry);
        let twin = self
            .images
            .values()
            .find(|e| e.model == entry.model && e.version == entry.version && e.file != entry.file);
        let (twin, projects) = (twin.cloned(), self.settings.projects.clone());
        let ready = Arc::clone(&entry);
        self.news.push(Box::new(move || {
            announce(&ready, foreign, &projects);
            if let Some(twin) = twin {
                warn!(target: LOG, file = %ready.file, other = %twin.file,
                    "two files of one model have versions of the same rank: the first by name is offered, delete one"
                );
            }
        }));
        self.images.insert(entry.file.clone(), entry);
    }

    fn refuse(&mut self, file: &str, why: &Unusable) {
        self.say(file, &why.to_string(), true);
    }

    fn say_waiting(&mut self, file: &str) {
        self.say(
            file,
            "is being written, or appeared just now: offered when it is whole",
            false,
        );
    }

    /// Says something of a file, once.
    fn say(&mut self, file: &str, what: &str, refused: bool) {
        if self.unusable.get(file).is_some_and(|said| said == what) {
            return;
        }
        self.unusable.insert(file.to_owned(), what.to_owned());
        let (file, what) = (file.to_owned(), what.to_owned());
        self.news.push(Box::new(move || {
            if refused {
                warn!(target: LOG, ?file, "file not used: {what}");
            } else {
                info!(target: LOG, ?file, "file {what}");
            }
        }));
    }

    /// Says what has come true.
    fn tell(&mut self) {
        for line in self.news.drain(..) {
            line();
        }
    }

    fn publish(&self) {
        self.shared.snapshot.store(Arc::new(Snapshot::new(
            self.images.values().cloned(),
            self.models.keys().cloned().collect(),
        )));
    }
}

fn announce(entry: &Entry, foreign: Option<Foreign>, projects: &Projects) {
    let (file, model, version) = (&entry.file, &entry.model, &entry.version);
    let (bytes, sha256) = (entry.size(), encode(&entry.sha256));
    if let Some(app) = &entry.app {
        info!(target: LOG, %file, %model, %version, chip = %app.chip, project = ?app.project, bytes, %sha256,
            "image ready"
        );
        for remark in app.remarks(Some(version), projects) {
            warn!(target: LOG, %file, "{remark}");
        }
    } else {
        info!(target: LOG, %file, %model, %version, bytes, %sha256, "image ready");
    }
    if let Some(foreign) = foreign {
        warn!(target: LOG, %file, "{}", foreign.offered());
    }
}

#[cfg(test)]
mod tests;
