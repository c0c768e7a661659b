//! Last good replies of the xiaozhi server behind this one, a device each, for when it is
//! away: `upstream.db` in the state folder.
//!
//! They hold what devices sign in with, so the file is its owner's alone, what is deleted is
//! overwritten, and nothing of them is ever logged. One thread has the file: it writes what is
//! new in a transaction twice a second, and answers look-ups meanwhile. A reply that is lost
//! with the power was half a second old; the device asks again.
//!
//! The file is a copy of what another server knows: one that is damaged is set aside, and
//! begun anew.

mod file;

use super::id::DeviceId;
use super::state_folder::StateFolder;
use crate::event::tell;
use crate::event::text::Text;
use crate::util::supervise;
use crate::util::sync::lock;
use crate::util::threads::NoThread;
use file::{in_memory, is_damaged, make_room, on_disk, put, set_aside, with_log};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

/// Name of the file in the state folder.
pub const FILE: &str = "upstream.db";
/// Name of the thread, and of the part in messages.
const THREAD: &str = "upstream";
const PART: Text = Text::new("上游应答的保留", "the keeper of the upstream's replies");
/// Time between two transactions.
const WRITE: Duration = Duration::from_millis(500);
/// Time between two looks for what is too old.
const SWEEP: Duration = Duration::from_secs(600);
/// Number of questions that wait for the thread.
const WAITING: usize = 2_048;
/// Number of replies in memory that are written at once, and of those that wait for it, of
/// 8 KB each. What comes when there are more is not kept.
const BATCH: usize = 2_000;
const MOST: usize = 2 * BATCH;
/// Greatest age of what is told again, which is kept where no other is set.
const OLDEST: Duration = Duration::from_secs(30 * 86_400);
/// Longest time that the end waits.
const END: Duration = Duration::from_secs(5);
/// Time for which it is remembered that a device was forgotten, in milliseconds: what was
/// asked before and is answered only now is kept no more.
const REMEMBERED: u64 = 60_000;

/// Reply that is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct LastReply {
    /// Body of it, as the device is told it again.
    pub body: Vec<u8>,
    /// True where automatic updates were off for the device.
    pub is_held: bool,
    /// Digest of whose it is, beside the device's: who looks for it knows what it must be.
    pub origin: i64,
    /// Time at which it was asked for, in milliseconds since 1970.
    pub at: u64,
}

enum Ask {
    /// There is something new to write.
    Write,
    Find(DeviceId, oneshot::Sender<Option<LastReply>>),
    /// Write, and end.
    End(SyncSender<()>),
}

/// Replies that are not written yet, and devices that were forgotten of late.
#[derive(Debug, Default)]
struct News {
    /// Replies of devices; `None` forgets.
    replies: HashMap<DeviceId, Option<LastReply>>,
    /// Times of the last questions whose answers had devices forgotten.
    forgotten: HashMap<DeviceId, u64>,
    /// Age up to which replies are told again, in milliseconds.
    keep: u64,
}

/// Keeper of last replies. Its thread begins with the first use.
#[derive(Debug)]
pub struct LastReplies {
    file: Option<PathBuf>,
    news: Arc<Mutex<News>>,
    thread: Mutex<Option<SyncSender<Ask>>>,
}

impl LastReplies {
    /// Makes one that keeps replies in the state folder, or in memory where there is none.
    pub fn new(state: Option<&StateFolder>) -> Self {
        Self {
            file: state.map(|state| state.path().join(FILE)),
            news: Arc::default(),
            thread: Mutex::default(),
        }
    }

    /// Keeps replies for as long as `keep` from now on.
    ///
    /// # Errors
    ///
    /// There is no thread for it.
    pub(crate) fn keep_for(&self, keep: Duration) -> Result<(), NoThread> {
        lock(&self.news).keep = millis_of(keep);
        let mut thread = lock(&self.thread);
        if thread.is_some() {
            return Ok(());
        }
        let (sender, asked) = sync_channel(WAITING);
        let (file, news) = (self.file.clone(), Arc::clone(&self.news));
        let run = move || Keeper::new(file.clone(), Arc::clone(&news)).run(&asked);
        thread::Builder::new()
            .name(THREAD.into())
            .spawn(move || supervise::thread(PART, run))
            .map_err(|error| NoThread { part: PART, error })?;
        *thread = Some(sender);
        Ok(())
    }

    fn ask(&self, ask: Ask) -> Option<()> {
        lock(&self.thread).as_ref()?.try_send(ask).ok()
    }

    /// Keeps a device's last good reply, unless it was told something else since. Where the
    /// disk is too slow for it, the one before stays.
    pub fn keep(&self, device: &DeviceId, reply: LastReply) {
        let news = lock(&self.news);
        let is_older = |at: &u64| *at > reply.at;
        let newer = match news.replies.get(device) {
            Some(Some(other)) => Some(&other.at),
            Some(None) | None => news.forgotten.get(device),
        };
        if newer.is_none_or(|at| !is_older(at)) {
            self.note(news, device, Some(reply), MOST);
        }
    }

    /// Forgets a device's, as of `at`, in milliseconds since 1970. That finds room where others
    /// do not: what is kept may be another owner's by then.
    pub fn forget(&self, device: &DeviceId, at: u64) {
        // The file is looked for where no thread has it alone: check-ins come by here.
        let is_there = || self.file.as_deref().is_some_and(Path::exists);
        if lock(&self.thread).is_none() && is_there() {
            // Of a time at which another server stood behind. Nobody looks for more of it.
            let _ = self.keep_for(OLDEST);
        }
        let mut news = lock(&self.news);
        if news.forgotten.len() >= MOST {
            let now = millis(SystemTime::now());
            news.forgotten
                .retain(|_, at| now.saturating_sub(*at) < REMEMBERED);
        }
        if news.forgotten.len() < 2 * MOST {
            news.forgotten.insert(device.clone(), at);
        }
        self.note(news, device, None, 2 * MOST);
    }

    /// Notes what is new. The thread is woken for the first, and where there are many: it
    /// would cost more than all else to wake it for each.
    fn note(
        &self,
        mut news: MutexGuard<'_, News>,
        device: &DeviceId,
        new: Option<LastReply>,
        most: usize,
    ) {
        let replies = &mut news.replies;
        if replies.len() >= most && !replies.contains_key(device) {
            return;
        }
        let is_another = replies.insert(device.clone(), new).is_none();
        let count = replies.len();
        drop(news);
        if is_another && (count == 1 || count == BATCH) {
            self.ask(Ask::Write);
        }
    }

    /// Writes what is not written yet, and ends. It may block.
    pub fn end(&self) {
        let thread = lock(&self.thread).take();
        let (sender, ended) = sync_channel(1);
        if thread.is_some_and(|thread| thread.send(Ask::End(sender)).is_ok()) {
            let _ = ended.recv_timeout(END);
        }
    }

    /// Returns a device's last good reply, if it is not too old.
    pub async fn find(&self, device: &DeviceId) -> Option<LastReply> {
        let (sender, found) = oneshot::channel();
        self.ask(Ask::Find(device.clone(), sender))?;
        found.await.ok().flatten()
    }
}

struct Keeper {
    file: Option<PathBuf>,
    store: Option<Connection>,
    news: Arc<Mutex<News>>,
    is_failing: bool,
    written: Instant,
    swept: Option<Instant>,
}

impl Keeper {
    fn new(file: Option<PathBuf>, news: Arc<Mutex<News>>) -> Self {
        Self {
            file,
            store: None,
            news,
            is_failing: false,
            written: Instant::now(),
            swept: None,
        }
    }

    /// Does what is asked, until nobody is left to ask.
    fn run(&mut self, asked: &Receiver<Ask>) {
        loop {
            let is_idle = lock(&self.news).replies.is_empty() && self.store.is_some();
            let wait = if is_idle {
                SWEEP
            } else {
                WRITE.saturating_sub(self.written.elapsed())
            };
            match asked.recv_timeout(wait) {
                Ok(Ask::Write) => {}
                Ok(Ask::End(ended)) => {
                    self.write();
                    self.forget_all_unless_written();
                    // Closed first: what waits for the end may look at the file.
                    self.store = None;
                    let _ = ended.send(());
                    return;
                }
                Ok(Ask::Find(device, answer)) => drop(answer.send(self.find(&device))),
                Err(RecvTimeoutError::Timeout) => self.write(),
                Err(RecvTimeoutError::Disconnected) => return self.write(),
            }
            let is_crowded = !self.is_failing && lock(&self.news).replies.len() >= BATCH;
            if self.written.elapsed() >= WRITE || is_crowded {
                self.write();
            }
        }
    }

    fn find(&mut self, device: &DeviceId) -> Option<LastReply> {
        let new = lock(&self.news).replies.get(device).cloned();
        let found = match new {
            Some(new) => new,
            None => self.read(device),
        };
        let oldest = self.oldest();
        found.filter(|reply| reply.at >= oldest)
    }

    /// Returns the time of the oldest reply that is told again.
    fn oldest(&self) -> u64 {
        millis(SystemTime::now()).saturating_sub(lock(&self.news).keep)
    }

    fn read(&mut self, device: &DeviceId) -> Option<LastReply> {
        let found = self.open().and_then(|store| {
            let find = "SELECT body, is_held, origin, at FROM last_reply WHERE device = ?1";
            let mut find = store.prepare_cached(find)?;
            let read = |row: &rusqlite::Row<'_>| {
                Ok(LastReply {
                    body: row.get(0)?,
                    is_held: row.get(1)?,
                    origin: row.get(2)?,
                    at: row.get::<_, i64>(3)?.try_into().unwrap_or(0),
                })
            };
            find.query_row([device.to_string()], read).optional()
        });
        self.said(found).flatten()
    }

    /// Writes what is new.
    fn write(&mut self) {
        self.written = Instant::now();
        let is_due = self.swept.is_none_or(|swept| swept.elapsed() >= SWEEP);
        let news = std::mem::take(&mut lock(&self.news).replies);
        if news.is_empty() && !is_due {
            return;
        }
        let oldest = self.oldest();
        let forgets = news.values().any(Option::is_none);
        let written = self.open().and_then(|store| {
            if is_due {
                let old = "DELETE FROM last_reply WHERE at < ?1";
                store.execute(old, [i64::try_from(oldest).unwrap_or(i64::MAX)])?;
            }
            match put(store, &news) {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                    make_room(store, news.len())?;
                    put(store, &news)
                }
                written => written,
            }?;
            if forgets {
                // What was overwritten in the file lies in the log of it still.
                let pragma = "PRAGMA wal_checkpoint(TRUNCATE)";
                store.query_row(pragma, [], |_| Ok(()))?;
            }
            Ok(())
        });
        if is_due {
            self.swept = Some(Instant::now());
        }
        if self.said(written).is_none() {
            // They are tried again, unless newer ones came: who is to be forgotten, always, and
            // of the others no more than one batch.
            let mut newer = lock(&self.news);
            let mut left = BATCH;
            for (device, reply) in news {
                left = left.saturating_sub(usize::from(reply.is_some()));
                if reply.is_none() || left > 0 {
                    newer.replies.entry(device).or_insert(reply);
                }
            }
        }
    }

    /// Removes the file where it still has what was to be forgotten: the next start would tell
    /// it again, to who has another owner by then.
    fn forget_all_unless_written(&mut self) {
        let replies = &lock(&self.news).replies;
        if let Some(file) = &self.file
            && replies.values().any(Option::is_none)
        {
            self.store = None;
            for file in with_log(file) {
                drop(std::fs::remove_file(file));
            }
        }
    }

    /// Returns the store, opened where it is not.
    fn open(&mut self) -> rusqlite::Result<&mut Connection> {
        if self.store.is_none() {
            self.store = Some(match &self.file {
                None => in_memory()?,
                Some(file) => match on_disk(file) {
                    Err(error) if is_damaged(&error) => {
                        set_aside(file, &error);
                        on_disk(file)?
                    }
                    opened => opened?,
                },
            });
        }
        // It was put there just now.
        self.store.as_mut().ok_or(rusqlite::Error::InvalidQuery)
    }

    /// Takes what came of a use of the store, and says it where that changed.
    fn said<T>(&mut self, outcome: rusqlite::Result<T>) -> Option<T> {
        let file = self.file.as_deref().unwrap_or(Path::new(FILE));
        match outcome {
            Ok(value) => {
                if std::mem::take(&mut self.is_failing) {
                    tell!(UPSTREAM_KEEPS, file = file);
                }
                Some(value)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_failing, true) {
                    tell!(
                        UPSTREAM_KEEPS_NOTHING,
                        file = file,
                        error = error.to_string()
                    );
                }
                // Opened anew: the file may be another by then.
                self.store = None;
                if let Some(file) = self.file.as_deref().filter(|_| is_damaged(&error)) {
                    set_aside(file, &error);
                }
                None
            }
        }
    }
}

fn millis(time: SystemTime) -> u64 {
    millis_of(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn millis_of(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Shows nothing of what it holds.
impl std::fmt::Debug for LastReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("LastReply");
        shown
            .field("bytes", &self.body.len())
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
