//! Tables of the store, and how an older one becomes one of today.

use super::fault::Fault;
use super::place::Place;
use crate::event::tell;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, TransactionBehavior};
use std::fs;
use std::path::Path;

/// Steps from each version to the next. A step that was released is never changed.
pub(super) const STEPS: &[&str] = &[FIRST];

/// Version 1.
///
/// A row of `device` has no more than a hundred bytes of its own: what many devices share is
/// text in `profile`, `build` and `image`, and the row has its number. Numbers are never
/// given twice, so that a reader may keep what it read. `device.id` is 1 and the six bytes
/// of a MAC address, or 2 and another text. `hourly` counts what happened in the hour that
/// begins so many hours after 1970.
const FIRST: &str = "
CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE profile(id INTEGER PRIMARY KEY AUTOINCREMENT, said TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE build(id INTEGER PRIMARY KEY AUTOINCREMENT, said TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE image(id INTEGER PRIMARY KEY AUTOINCREMENT, said TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE device(
    id BLOB PRIMARY KEY,
    client ANY NOT NULL,
    profile INTEGER NOT NULL,
    build INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    address BLOB,
    boots INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    why TEXT,
    own TEXT,
    at_first TEXT,
    former TEXT,
    offers TEXT,
    failed TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX device_failed ON device(id) WHERE failed IS NOT NULL;
CREATE TABLE hourly(
    hour INTEGER NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY(hour, kind, label)
) STRICT, WITHOUT ROWID;
";

/// Returns the version that so many steps lead to.
pub(super) fn latest(steps: &[&str]) -> u32 {
    u32::try_from(steps.len()).unwrap_or(u32::MAX)
}

/// Returns the version of a store; 0 where nothing is in it.
pub(super) fn version(connection: &Connection) -> Result<u32, Fault> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    u32::try_from(version).map_err(|_| Fault::Broken(format!("user_version {version}")))
}

/// Brings a store to the latest version, each step whole or not at all.
///
/// # Errors
///
/// [`Fault::Newer`] where it is beyond that: it is not touched. Any other where a copy cannot
/// be made, or a step fails: it stays what it was.
pub(super) fn migrate(
    connection: &mut Connection,
    place: &Place,
    steps: &[&str],
) -> Result<(), Fault> {
    let known = latest(steps);
    let from = version(connection)?;
    if from > known {
        return Err(Fault::Newer {
            version: from,
            known,
        });
    }
    for (number, step) in (1..=known).zip(steps).skip(from as usize) {
        let copy = place.with(&format!(".before-{number}"));
        if from > 0 {
            copy_to(connection, &copy)?;
        }
        let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        begun.execute_batch(step)?;
        begun.pragma_update(None, "user_version", number)?;
        begun.commit()?;
        if from > 0 {
            tell!(
                STORE_MIGRATED,
                file = place.file(),
                from = number - 1,
                to = number,
                copy = copy
            );
        }
    }
    Ok(())
}

/// Writes a whole copy of what a connection reads, which nobody else may read. It has its
/// name only once it is on the disk.
pub(super) fn copy_to(connection: &Connection, to: &Path) -> Result<(), Fault> {
    let folder = to.parent().unwrap_or(Path::new("."));
    // With a name that nobody guesses, and the rights of a file of secrets.
    let draft = tempfile::NamedTempFile::new_in(folder)?;
    let mut copy = Connection::open(draft.path())?;
    // The draft is thrown away where anything fails: one sync at its end is enough.
    copy.pragma_update(None, "synchronous", "OFF")?;
    // All at once: SQLite begins anew whenever somebody writes between two steps, which in a
    // store that is busy is always.
    let step = Backup::new(connection, &mut copy)?.step(-1)?;
    if !matches!(step, StepResult::Done) {
        return Err(Fault::Locked);
    }
    // A copy is one file, without a log beside it.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    drop(copy);
    draft.as_file().sync_all()?;
    draft.persist(to).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()?;
    Ok(())
}
