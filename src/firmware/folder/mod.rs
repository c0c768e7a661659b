//! The thread behind the catalogue: what the folder shows and what the kernel
//! says of its writers, turned into snapshots. What becomes of each file,
//! `state.rs` decides.

mod file;
mod files;
pub(super) mod glance;
mod handle;
pub(super) mod judge;
mod kind;
mod news;
pub(super) mod reader;
pub(super) mod scan;
mod state;
pub(super) mod unusable;
mod watch;

use super::FolderSettings;
use super::snapshot::Entry;
use crate::util::file_state::FileState;
use crate::util::paths::absolute;
use crate::util::supervise;
use crate::util::sync::lock;
use crate::util::threads::NoThread;
use crate::util::way;
pub(super) use handle::{KeeperHandle, Shared};

use crate::event::kinds::FOLDER_UNWATCHED;
use crate::event::standing::STANDING;
use crate::event::text::Text;
use crate::event::{self, Event, event, tell};
use files::{Files, GATHER};
use handle::Message;
use kind::Folders;
use reader::{Done, Job};
use scan::Listing;
use state::{FileEvent, Hope, Moment, Occasion, State};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use std::{fs, io, mem, thread};
use watch::{Change, Watch};

/// Time between two checks that the folder is still the one that is watched. The
/// kernel's watch follows the folder, and not its path: of parents that are moved,
/// links that are pointed elsewhere and mounts nobody tells.
const GLANCE: Duration = Duration::from_secs(1);
/// Time between two looks at a folder that cannot be watched, or when a file in it
/// cannot even be looked at.
const UNWATCHED: Duration = Duration::from_secs(2);
/// Time between two snapshots while many files are read.
const PUBLISH: Duration = Duration::from_millis(100);
/// Time between two reports on the reading of many files.
const REPORT: Duration = Duration::from_secs(2);

/// Begins to keep `shared` true to the folder, until the handle is dropped.
pub(super) fn keep(
    settings: FolderSettings,
    shared: Arc<Shared>,
) -> Result<KeeperHandle, NoThread> {
    let (messages, inbox) = mpsc::channel();
    let read = messages.clone();
    let jobs = reader::start(move |done| read.send(Message::Read(Box::new(done))).is_ok())?;
    let mut keeper = Keeper::new(settings, shared, messages.clone(), jobs);
    let part = Text::new("查看固件目录", "what keeps the firmware folder");
    thread::Builder::new()
        .name("catalogue".into())
        .spawn(move || supervise::thread(part, || keeper.run(&inbox)))
        .map_err(|error| NoThread { part, error })?;
    Ok(KeeperHandle(messages))
}

struct Keeper {
    settings: FolderSettings,
    shared: Arc<Shared>,
    messages: Sender<Message>,
    jobs: Sender<Job>,
    began: Instant,
    watch: Option<Watch>,
    watches: u64,
    watch_failed: bool,
    folder_failed: Option<String>,
    /// Tells that it is known what lies in the folder.
    was_listed: bool,
    files: Files,
    folders: Folders,
    reading: Option<Progress>,
    published: Moment,
    looked: Moment,
    looked_unasked: Moment,
    glanced: Moment,
}

/// Files that are read one after the other.
struct Progress {
    began: Moment,
    reported: Moment,
    done: usize,
    /// Tells that the reader has one of them.
    is_busy: bool,
}

impl Keeper {
    fn new(
        settings: FolderSettings,
        shared: Arc<Shared>,
        messages: Sender<Message>,
        jobs: Sender<Job>,
    ) -> Self {
        Self {
            settings,
            shared,
            messages,
            jobs,
            began: Instant::now(),
            watch: None,
            watches: 0,
            watch_failed: false,
            folder_failed: None,
            was_listed: false,
            files: Files::default(),
            folders: Folders::default(),
            reading: None,
            published: Moment::ZERO,
            looked: Moment::ZERO,
            looked_unasked: Moment::ZERO,
            glanced: Moment::ZERO,
        }
    }

    /// Keeps the snapshot until nobody wants to know any more. Where it broke it goes on
    /// with what it knew.
    fn run(&mut self, inbox: &Receiver<Message>) {
        let mut is_first = !*lock(&self.shared.first_look_done);
        if is_first {
            self.files.news.begin();
            self.look(Occasion::Start);
        } else {
            self.reading = None;
            self.files.apply_to_all(FileEvent::Lost, self.now());
            // What came meanwhile may be half a file.
            self.look(Occasion::Told);
        }
        self.go_on();
        loop {
            if is_first && self.reading.is_none() {
                is_first = false;
                self.files.news.end(&self.settings.dir);
                self.tell();
                *lock(&self.shared.first_look_done) = true;
                self.shared.first_look.notify_all();
            }
            let wait = self.wakes().saturating_sub(self.now());
            let mut message = match inbox.recv_timeout(wait) {
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => None,
                Ok(message) => Some(message),
            };
            while let Some(told) = message {
                if matches!(told, Message::End) {
                    return;
                }
                self.take(told);
                message = inbox.try_recv().ok();
            }
            self.look_if_due();
            self.go_on();
        }
    }

    fn now(&self) -> Moment {
        self.began.elapsed()
    }

    /// Returns when there is something to be done though nobody says anything.
    fn wakes(&self) -> Moment {
        let unasked = self.looked_unasked + self.interval();
        let wakes = unasked.min(self.glanced + GLANCE);
        let publish = self.files.is_stale.then_some(self.published + PUBLISH);
        let others = self.files.look_at.into_iter().chain(publish);
        others.fold(wakes, Moment::min)
    }

    fn interval(&self) -> Duration {
        if self.watch.is_none() {
            UNWATCHED.min(self.settings.ttl)
        } else {
            self.settings.ttl
        }
    }

    fn look_if_due(&mut self) {
        let now = self.now();
        if now >= self.looked_unasked + self.interval() {
            self.look(Occasion::Unasked);
        } else if self.files.look_at.is_some_and(|at| at <= now) {
            self.look(Occasion::Told);
        } else if now >= self.glanced + GLANCE {
            self.glance();
        }
    }

    /// Looks whether the folder is the one that it was, and whether what could not be
    /// opened can.
    fn glance(&mut self) {
        let now = self.now();
        self.glanced = now;
        let watched = self.watch.as_ref().map(|watch| watch.inode);
        let is_another = !self.watch_failed && watched != self.inode();
        let may_pass = |state: &State| matches!(state, State::Unusable { may_pass: true });
        if is_another
            || self.folder_failed.is_some()
            || (now >= self.looked + UNWATCHED && !self.files.names(may_pass).is_empty())
        {
            self.look(Occasion::Told);
        }
        let is_shut = |state: &State| {
            let hope = Hope::Open;
            matches!(state, State::Refused { hope: h, .. } if *h == hope)
        };
        for name in self.files.names(is_shut) {
            if scan::open(&self.settings.dir.join(&name)).is_ok() {
                self.files.apply(&name, FileEvent::Open, now);
            }
        }
    }

    fn inode(&self) -> Option<(u64, u64)> {
        let about = fs::metadata(&self.settings.dir);
        about.map(|m| FileState::from(&m).inode).ok()
    }

    fn take(&mut self, message: Message) {
        let now = self.now();
        match message {
            Message::Heard { watch, change } => {
                // What an older watch heard may be of another folder.
                if self.watch.as_ref().is_some_and(|w| w.id == watch) {
                    self.take_change(change);
                }
            }
            Message::Read(done) => self.take_read(*done),
            Message::Doubt(file) => self.doubt(&file),
            Message::LookAgain => {
                self.files.read_again(|_| false, now);
                self.files.look_by(now + GATHER);
            }
            Message::Settings(settings) => self.take_settings(settings),
            Message::End => {}
        }
    }

    fn take_change(&mut self, change: Change) {
        let now = self.now();
        let files = &mut self.files;
        let (file, event) = match change {
            Change::Created(file) => (file, FileEvent::Created),
            Change::Written(file) => (file, FileEvent::Written),
            Change::Whole(file) => (file, FileEvent::Closed),
            // After a move away or a deletion the name says nothing more; after a
            // chmod a writer is still one.
            Change::Other(file)
                if files.is(&file, |_| true) && !self.settings.dir.join(&file).exists() =>
            {
                (file, FileEvent::Gone)
            }
            Change::Other(_) | Change::Folder => return files.look_by(now + GATHER),
            Change::Lost => {
                files.apply_to_all(FileEvent::Lost, now);
                return files.look_by(now + GATHER);
            }
            Change::FolderGone => {
                // Deleted or moved away; one that is made again may even have
                // its inode.
                self.watch = None;
                return files.look_by(now + GATHER);
            }
        };
        files.apply(&file, event, now);
    }

    /// A download could not open a file: if nobody can, it is not offered.
    fn doubt(&mut self, name: &str) {
        let now = self.now();
        let path = self.settings.dir.join(name);
        if self.files.is(name, State::is_offered)
            && let Err(e) = scan::open(&path)
            && !reader::is_our_own(&e)
        {
            self.files.apply(name, FileEvent::Shut, now);
            self.files.withdraw(name);
            let why = Event::from(&kind::unreadable(&path, &e));
            self.files.refuse(name, why);
        }
        self.files.look_by(now + GATHER);
    }

    /// Takes up other settings, and has those files read again that other rules may be
    /// for or against.
    fn take_settings(&mut self, settings: FolderSettings) {
        let now = self.now();
        let dir = self.settings.dir.clone();
        let before = mem::replace(&mut self.settings, FolderSettings { dir, ..settings });
        let settings = &self.settings;
        let ttl = before.ttl;
        if before
            == (FolderSettings {
                ttl,
                ..settings.clone()
            })
        {
            return;
        }
        let in_doubt = |entry: &Entry| judge::is_in_doubt(entry, settings);
        self.files.read_again(in_doubt, now);
        self.files.remark_homes(settings);
        self.files.look_by(now + GATHER);
    }

    /// Watches the folder, anew if it was deleted and made again.
    fn keep_watch(&mut self) {
        let inode = self.inode();
        if self.watch.as_ref().is_some_and(|w| Some(w.inode) == inode) {
            return;
        }
        self.watch = None;
        self.files.apply_to_all(FileEvent::Lost, self.now());
        if inode.is_none() {
            return; // The look that follows says so.
        }
        self.watches += 1;
        let (watch, messages) = (self.watches, self.messages.clone());
        // A closed channel: the keeper has ended, and its watch with it.
        let heard = move |change| drop(messages.send(Message::Heard { watch, change }));
        match Watch::new(&self.settings.dir, watch, heard) {
            Ok(watch) => {
                self.watch = Some(watch);
                self.watch_failed = false;
                STANDING.ended(&FOLDER_UNWATCHED, |_| true);
            }
            Err(e) if !self.watch_failed => {
                self.watch_failed = true;
                tell!(
                    FOLDER_UNWATCHED,
                    dir = absolute(&self.settings.dir),
                    error = e.to_string(),
                    every = format!("{UNWATCHED:?}"),
                );
            }
            Err(_) => {}
        }
    }

    fn look(&mut self, on: Occasion) {
        self.keep_watch();
        let now = self.now();
        (self.looked, self.glanced, self.files.look_at) = (now, now, None);
        if on != Occasion::Told {
            self.looked_unasked = now;
        }
        if let Some(listing) = self.list() {
            self.was_listed = true;
            self.files.see(listing, on, now);
        }
        if self.files.is_stale {
            self.publish();
        }
        self.tell();
    }

    /// Lists the folder. Where that fails, its known files are looked at one by one:
    /// what cannot be opened is not offered.
    fn list(&mut self) -> Option<Listing> {
        let dir = self.settings.dir.clone();
        let error = match scan::list(&dir, &mut self.folders) {
            Ok(listing) => {
                if self.folder_failed.take().is_some() {
                    *lock(&self.shared.fault) = None;
                    tell!(FOLDER_BACK, dir = absolute(&dir));
                }
                return Some(listing);
            }
            Err(e) => e,
        };
        let is_gone = matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        );
        let mut listing = Listing::default();
        if !is_gone {
            for file in self.files.names(|_| true) {
                match scan::judge(&dir, &file, true, &mut self.folders) {
                    Ok(Some(found)) => listing.found.push(found),
                    Ok(None) => {}
                    Err(why) => listing.unusable.push((file, why)),
                }
            }
        }
        let what = way::to_folder(&dir).or_else(|| kind::cause(&dir, &error));
        let error = error.to_string();
        if self.folder_failed.as_ref() != Some(&error) {
            self.folder_failed = Some(error.clone());
            *lock(&self.shared.fault) = Some(error.clone());
            self.files.news.push(if listing.found.is_empty() {
                event!(
                    FOLDER_UNAVAILABLE,
                    dir = absolute(&dir),
                    error = error,
                    what = what
                )
            } else {
                event!(
                    FOLDER_UNREADABLE,
                    dir = absolute(&dir),
                    error = error,
                    what = what
                )
            });
        }
        // What was never read may hold anything.
        (is_gone || self.was_listed).then_some(listing)
    }

    /// Hands out the next file to be read, and publishes what was read.
    fn go_on(&mut self) {
        let now = self.now();
        if !self.reading.as_ref().is_some_and(|r| r.is_busy) {
            self.hand_out();
        }
        let is_due = self.reading.is_none() || now >= self.published + PUBLISH;
        if self.files.is_stale && is_due {
            self.publish();
        }
        if !self.files.is_stale {
            self.tell();
        }
    }

    fn hand_out(&mut self) {
        let now = self.now();
        let Some((next, state)) = self.files.next(now) else {
            if let Some(done) = self.reading.take() {
                let took = now.saturating_sub(done.began);
                if took >= REPORT {
                    tell!(FILES_READ, files = done.done, seconds = took.as_secs());
                }
            }
            return;
        };
        let reading = self.reading.get_or_insert(Progress {
            began: now,
            reported: now,
            done: 0,
            is_busy: false,
        });
        reading.is_busy = true;
        let job = Job {
            path: self.settings.dir.join(&next.file),
            file: next.file,
            listed: next.listed,
            state,
            settings: self.settings.clone(),
        };
        // The reader ends with its keeper only.
        let _ = self.jobs.send(job);
    }

    fn take_read(&mut self, done: Done) {
        let now = self.now();
        self.files.take_read(done, &self.settings, now);
        if let Some(reading) = &mut self.reading {
            reading.is_busy = false;
            reading.done += 1;
            if now >= reading.reported + REPORT {
                let total = reading.done + self.files.waiting();
                tell!(FILES_READING, done = reading.done, total = total);
                reading.reported = now;
            }
        }
    }

    fn publish(&mut self) {
        self.published = self.now();
        if self.was_listed {
            let snapshot = self.files.snapshot(&self.settings.dir);
            self.shared.snapshot.store(Arc::new(snapshot));
        }
    }

    /// Says what has come true.
    fn tell(&mut self) {
        for news in self.files.news.take() {
            event::say(&news);
        }
    }
}

#[cfg(test)]
mod tests;
