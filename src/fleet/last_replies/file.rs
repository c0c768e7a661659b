//! The file: how it is laid out, opened, written, and set aside.

use super::LastReply;
use crate::event;
use crate::fleet::id::DeviceId;
use crate::fleet::state_folder::move_aside;
use rusqlite::{Connection, ErrorCode, params};
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Most pages of 4 KB that the file has: 1 GiB, some million replies. Without a state folder
/// they stand in memory, and there are fewer.
const PAGES: u32 = 1 << 18;
const PAGES_IN_MEMORY: u32 = 1 << 14;
/// Share of the replies that go where there is no room, the oldest first.
const SHARE_THAT_GOES: i64 = 16;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS last_reply (
    device TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    is_held INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS last_reply_at ON last_reply (at);";

pub(super) fn put(
    store: &mut Connection,
    news: &HashMap<DeviceId, Option<LastReply>>,
) -> rusqlite::Result<()> {
    let change = store.transaction()?;
    {
        let mut keep = change.prepare_cached(
            "INSERT INTO last_reply (device, at, is_held, origin, body) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (device) DO UPDATE SET at = ?2, is_held = ?3, origin = ?4, body = ?5",
        )?;
        let mut forget = change.prepare_cached("DELETE FROM last_reply WHERE device = ?1")?;
        for (device, reply) in news {
            let device = device.to_string();
            match reply {
                None => forget.execute([&device])?,
                Some(reply) => {
                    let at = i64::try_from(reply.at).unwrap_or(i64::MAX);
                    keep.execute(params![device, at, reply.is_held, reply.origin, reply.body])?
                }
            };
        }
    }
    change.commit()
}

/// Lets the oldest replies go: some, and more than are to come.
pub(super) fn make_room(store: &Connection, to_come: usize) -> rusqlite::Result<()> {
    let all: i64 = store.query_row("SELECT count(*) FROM last_reply", [], |row| row.get(0))?;
    let to_come = i64::try_from(2 * to_come).unwrap_or(i64::MAX);
    let most = (all / SHARE_THAT_GOES).max(to_come);
    let go = "DELETE FROM last_reply WHERE device IN (SELECT device FROM last_reply ORDER BY at LIMIT ?1)";
    store.execute(go, [most]).map(drop)
}

pub(super) fn on_disk(file: &Path) -> rusqlite::Result<Connection> {
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

pub(super) fn in_memory() -> rusqlite::Result<Connection> {
    prepared(Connection::open_in_memory()?, PAGES_IN_MEMORY)
}

pub(super) fn prepared(store: Connection, pages: u32) -> rusqlite::Result<Connection> {
    store.pragma_update(None, "secure_delete", true)?;
    store.pragma_update(None, "max_page_count", pages)?;
    store.execute_batch(SCHEMA)?;
    Ok(store)
}

/// Moves a damaged file out of the way: it is a copy of what another server knows.
pub(super) fn set_aside(file: &Path, error: &rusqlite::Error) {
    if let Ok((_, event)) = move_aside(file, &error.to_string(), SystemTime::now()) {
        event::say(&event);
        for beside in with_log(file).into_iter().skip(1) {
            drop(std::fs::remove_file(beside));
        }
    }
}

/// Returns a database's file, and those that SQLite has beside it.
pub(super) fn with_log(file: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        name.into()
    })
}

pub(super) fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
    )
}
