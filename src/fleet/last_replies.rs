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

use super::id::DeviceId;
use super::state_folder::{StateFolder, move_aside};
use crate::event::text::Text;
use crate::event::{self, tell};
use crate::util::supervise;
use crate::util::sync::lock;
use crate::util::threads::NoThread;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
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
/// Most pages of 4 KB that the file has: 1 GiB, some million replies. Without a state folder
/// they stand in memory, and there are fewer.
const PAGES: u32 = 1 << 18;
const PAGES_IN_MEMORY: u32 = 1 << 14;
/// Longest time that the end waits.
const END: Duration = Duration::from_secs(5);
/// Share of the replies that go where there is no room, the oldest first.
const SHARE_THAT_GOES: i64 = 16;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS reply (
    device TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    is_held INTEGER NOT NULL,
    body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS reply_at ON reply (at);";

/// Reply that is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct LastReply {
    /// Body of it, as the device is told it again.
    pub body: Vec<u8>,
    /// True where automatic updates were off for the device.
    pub is_held: bool,
    /// Time of it, in milliseconds since 1970.
    pub at: u64,
}

enum Ask {
    /// There is something new to write.
    Write,
    Find(DeviceId, oneshot::Sender<Option<LastReply>>),
    /// Replies are kept for so long.
    Age(Duration),
    /// Write, and end.
    End(SyncSender<()>),
}

/// Replies that are not written yet; `None` forgets.
type News = HashMap<DeviceId, Option<LastReply>>;

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
        let mut thread = lock(&self.thread);
        if let Some(thread) = &*thread {
            let _ = thread.try_send(Ask::Age(keep));
            return Ok(());
        }
        let (sender, asked) = sync_channel(WAITING);
        let (file, news) = (self.file.clone(), Arc::clone(&self.news));
        let run = move || Keeper::new(file, news, keep).run(&asked);
        thread::Builder::new()
            .name(THREAD.into())
            .spawn(move || drop(supervise::caught(run)))
            .map_err(|error| NoThread { part: PART, error })?;
        *thread = Some(sender);
        Ok(())
    }

    fn ask(&self, ask: Ask) -> Option<()> {
        lock(&self.thread).as_ref()?.try_send(ask).ok()
    }

    /// Keeps a device's last good reply. Where the disk is too slow for it, the one before
    /// stays.
    pub fn keep(&self, device: &DeviceId, reply: LastReply) {
        self.note(device, Some(reply), MOST);
    }

    /// Forgets a device's. That finds room where others do not: what is kept may be another
    /// owner's by then.
    pub fn forget(&self, device: &DeviceId) {
        self.note(device, None, 2 * MOST);
    }

    /// Notes what is new. The thread is woken for the first, and where there are many: it
    /// would cost more than all else to wake it for each.
    fn note(&self, device: &DeviceId, new: Option<LastReply>, most: usize) {
        let mut news = lock(&self.news);
        if news.len() >= most && !news.contains_key(device) {
            return;
        }
        let is_another = news.insert(device.clone(), new).is_none();
        let count = news.len();
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
    keep: Duration,
    store: Option<Connection>,
    news: Arc<Mutex<News>>,
    is_failing: bool,
    written: Instant,
    swept: Option<Instant>,
}

impl Keeper {
    fn new(file: Option<PathBuf>, news: Arc<Mutex<News>>, keep: Duration) -> Self {
        Self {
            file,
            keep,
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
            let is_idle = lock(&self.news).is_empty() && self.store.is_some();
            let wait = if is_idle {
                SWEEP
            } else {
                WRITE.saturating_sub(self.written.elapsed())
            };
            match asked.recv_timeout(wait) {
                Ok(Ask::Write) => {}
                Ok(Ask::Age(keep)) => self.keep = keep,
                Ok(Ask::End(ended)) => {
                    self.write();
                    // Closed first: what waits for the end may look at the file.
                    self.store = None;
                    let _ = ended.send(());
                    return;
                }
                Ok(Ask::Find(device, answer)) => drop(answer.send(self.find(&device))),
                Err(RecvTimeoutError::Timeout) => self.write(),
                Err(RecvTimeoutError::Disconnected) => return self.write(),
            }
            let is_crowded = !self.is_failing && lock(&self.news).len() >= BATCH;
            if self.written.elapsed() >= WRITE || is_crowded {
                self.write();
            }
        }
    }

    fn find(&mut self, device: &DeviceId) -> Option<LastReply> {
        let new = lock(&self.news).get(device).cloned();
        let found = match new {
            Some(new) => new,
            None => self.read(device),
        };
        let oldest = millis(SystemTime::now()).saturating_sub(millis_of(self.keep));
        found.filter(|reply| reply.at >= oldest)
    }

    fn read(&mut self, device: &DeviceId) -> Option<LastReply> {
        let found = self.open().and_then(|store| {
            let find = "SELECT body, is_held, at FROM reply WHERE device = ?1";
            let mut find = store.prepare_cached(find)?;
            let read = |row: &rusqlite::Row<'_>| {
                Ok(LastReply {
                    body: row.get(0)?,
                    is_held: row.get(1)?,
                    at: row.get::<_, i64>(2)?.try_into().unwrap_or(0),
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
        let news = std::mem::take(&mut *lock(&self.news));
        if news.is_empty() && !is_due {
            return;
        }
        let oldest = millis(SystemTime::now()).saturating_sub(millis_of(self.keep));
        let written = self.open().and_then(|store| {
            if is_due {
                let old = "DELETE FROM reply WHERE at < ?1";
                store.execute(old, [i64::try_from(oldest).unwrap_or(i64::MAX)])?;
            }
            match put(store, &news) {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                    make_room(store, news.len())?;
                    put(store, &news)
                }
                written => written,
            }
        });
        if is_due {
            self.swept = Some(Instant::now());
        }
        if self.said(written).is_none() {
            // They are tried again, unless newer ones came; and no more of them than one batch.
            let mut newer = lock(&self.news);
            for (device, reply) in news.into_iter().take(BATCH) {
                newer.entry(device).or_insert(reply);
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
                        let why = error.to_string();
                        if let Ok((_, event)) = move_aside(file, &why, SystemTime::now()) {
                            event::say(&event);
                            for end in ["-wal", "-shm"] {
                                let mut beside = file.clone().into_os_string();
                                beside.push(end);
                                drop(std::fs::remove_file(beside));
                            }
                        }
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
                None
            }
        }
    }
}

fn put(store: &mut Connection, news: &News) -> rusqlite::Result<()> {
    let change = store.transaction()?;
    {
        let mut keep = change.prepare_cached(
            "INSERT INTO reply (device, at, is_held, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (device) DO UPDATE SET at = ?2, is_held = ?3, body = ?4",
        )?;
        let mut forget = change.prepare_cached("DELETE FROM reply WHERE device = ?1")?;
        for (device, reply) in news {
            let device = device.to_string();
            match reply {
                None => forget.execute([&device])?,
                Some(reply) => {
                    let at = i64::try_from(reply.at).unwrap_or(i64::MAX);
                    keep.execute(params![device, at, reply.is_held, reply.body])?
                }
            };
        }
    }
    change.commit()
}

/// Lets the oldest replies go: some, and more than are to come.
fn make_room(store: &Connection, to_come: usize) -> rusqlite::Result<()> {
    let all: i64 = store.query_row("SELECT count(*) FROM reply", [], |row| row.get(0))?;
    let to_come = i64::try_from(2 * to_come).unwrap_or(i64::MAX);
    let most = (all / SHARE_THAT_GOES).max(to_come);
    let go = "DELETE FROM reply WHERE device IN (SELECT device FROM reply ORDER BY at LIMIT ?1)";
    store.execute(go, [most]).map(drop)
}

fn on_disk(file: &Path) -> rusqlite::Result<Connection> {
    // SQLite would make it readable for more than its owner; files beside it have its mode.
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let opened = options.open(file);
    let store = Connection::open(file).map_err(|error| match &opened {
        Ok(_) => error,
        Err(_) => rusqlite::Error::InvalidPath(file.to_owned()),
    })?;
    store.busy_timeout(Duration::from_millis(100))?;
    store.pragma_update(None, "journal_mode", "WAL")?;
    store.pragma_update(None, "synchronous", "NORMAL")?;
    prepared(store, PAGES)
}

fn in_memory() -> rusqlite::Result<Connection> {
    prepared(Connection::open_in_memory()?, PAGES_IN_MEMORY)
}

fn prepared(store: Connection, pages: u32) -> rusqlite::Result<Connection> {
    store.pragma_update(None, "secure_delete", true)?;
    store.pragma_update(None, "max_page_count", pages)?;
    store.execute_batch(SCHEMA)?;
    Ok(store)
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
    )
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
