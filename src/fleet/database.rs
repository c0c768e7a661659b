//! The store of what is known of devices, in SQLite: `fleet.db` in the state folder.
//!
//! One connection writes, by one thread ([`super::journal`]). A write-ahead log lets others
//! read meanwhile, also from other processes. Each transaction is brought to the disk
//! (`synchronous=FULL`): there is one in half a second, and only when devices said something.
//! What is deleted is overwritten (`secure_delete`; [`wipe`] says why that is not enough),
//! and pages that are free are used again instead of being given back (`auto_vacuum=NONE`),
//! which moves no page.

mod fault;
mod hourly;
mod load;
mod place;
mod reader;
mod row;
mod said;
mod schema;
mod sweep;
mod wipe;

pub(crate) use fault::Fault;
pub(crate) use place::{Identity, Place};
pub(crate) use reader::{copy, read_only};
pub(crate) use wipe::{Trace, traces};

use super::id::DeviceId;
pub(crate) use super::past::VERSIONS;
use super::record::Record;
use crate::event::tell;
use hourly::HOURS;
use load::Load;
use row::Numbers;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior};
use std::fs::{File, Metadata};
use std::time::Duration;
use sweep::Sweep;

/// Time for which another process's lock is waited for. The writer comes again by itself.
const PATIENCE: Duration = Duration::from_millis(100);
/// Number of new values that rows share after which those that nobody has are looked for.
const NEW_VALUES: usize = 4_096;
/// Number of hours that are removed at once: a clock that is wrong for a moment costs no more.
const HOURS_AT_ONCE: u32 = 48;

/// Length of the file up to which all of it is checked now and then: a million devices have
/// 180 MB, which take 0.3 s where the system has them in memory.
const CHECKED: u64 = 256 << 20;
/// Name in `meta` of what is said there while a device was forgotten, and the file not wiped.
const WIPE: &str = "wipe";

/// One device that was read.
pub(crate) type Read = (DeviceId, Record);
/// One device to write: as it is now, or that it is gone.
pub(crate) type Changed = (DeviceId, Option<Record>);

/// Options that differ in tests only.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Steps from each version to the next.
    pub(crate) steps: &'static [&'static str],
    /// Most pages that the store may have.
    pub(crate) most_pages: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            steps: schema::STEPS,
            most_pages: None,
        }
    }
}

/// The store, open for its one writer.
pub(crate) struct Database {
    connection: Connection,
    place: Place,
    /// The file itself, to look at its head. It is closed behind the connection:
    /// [`place`] says why.
    file: File,
    identity: Option<Identity>,
    beside: [Option<Identity>; 2],
    unwritable: Option<Fault>,
    rows: u64,
    /// Length of the file, as it was seen last. It grows only, but for [`Database::wipe`].
    length: u64,
    sweep: Option<Sweep>,
    /// True where one is to follow: what went since the last began may have been noted by it.
    owes_sweep: bool,
    /// Number of values that were added since the last sweep.
    new_values: usize,
    owed: Owed,
}

/// State of what is left of devices that were forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    Nothing,
    /// Traces of some may be left.
    Some,
    /// Traces may be left, and nobody knows which: an earlier process was to wipe them.
    Unknown,
}

/// Outcome of a wipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wiped {
    /// True if nothing is left. False where somebody reads meanwhile, and it has to be tried
    /// again.
    pub(crate) is_done: bool,
    /// True if all was written anew for it.
    pub(crate) is_anew: bool,
}

impl Database {
    /// Opens the store, and begins or brings it to the latest version. One that may only be
    /// read is opened for that.
    ///
    /// # Errors
    ///
    /// Any fault; the file is what it was.
    pub(crate) fn open(place: &Place, options: Options) -> Result<Self, Fault> {
        let (file, mut unwritable) = match place.hold() {
            Ok(file) => (file, None),
            Err(fault) => match place.look() {
                Ok(Some(file)) => (file, Some(fault)),
                _ => return Err(fault),
            },
        };
        look(place, &file, options)?;
        let mut connection = None;
        if unwritable.is_none() {
            match writer(place, options) {
                Ok(opened) => connection = Some(opened),
                Err(fault @ Fault::ReadOnly(_)) => unwritable = Some(fault),
                Err(fault) => return Err(fault),
            }
        }
        let connection = match connection {
            Some(connection) => connection,
            None => reader::connect(place, !place.has_log())?,
        };
        let mut database = Self {
            connection,
            place: place.clone(),
            file,
            identity: place.identity(),
            beside: [None; 2],
            unwritable,
            rows: 0,
            length: 0,
            sweep: None,
            owes_sweep: false,
            new_values: 0,
            owed: Owed::Nothing,
        };
        if database.unwritable.is_some() {
            reader::is_known(&database.connection, options.steps)?;
        }
        database.length = database.file.metadata()?.len();
        database.beside = place.identities_beside();
        database.rows = database.number("devices")?.unwrap_or_default();
        if database.unwritable.is_none() {
            place.remove_draft()?;
        }
        if database.number(WIPE)?.is_some_and(|owed| owed > 0) {
            database.owed = Owed::Unknown;
        }
        Ok(database)
    }

    /// Returns why it can only be read, where that is so.
    pub(crate) fn unwritable(&self) -> Option<&Fault> {
        self.unwritable.as_ref()
    }

    /// Returns which file it is.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Takes the number of devices that were read from it.
    pub(crate) fn has_rows(&mut self, rows: u64) {
        self.rows = rows;
    }

    /// Returns the number of devices that it holds.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the time served that was written last, in milliseconds.
    pub(crate) fn served(&self) -> Result<u64, Fault> {
        Ok(self.number("served")?.unwrap_or_default())
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Fault> {
        let find = "SELECT value FROM meta WHERE name = ?1";
        let mut find = self.connection.prepare_cached(find)?;
        let found = find.query_row([name], |row| row.get::<_, i64>(0));
        Ok(found.optional()?.map(i64::cast_unsigned))
    }

    /// Begins to read all devices, first those on which an image failed. No term began after
    /// this time served, in milliseconds.
    pub(crate) fn load(&self, served: u64) -> Load<'_> {
        Load::begin(&self.connection, served)
    }

    /// Writes devices as they are now, and the time served, all or nothing.
    pub(crate) fn write(
        &mut self,
        devices: &[Changed],
        served: u64,
        now: u64,
    ) -> Result<(), Fault> {
        let begun = begin(&mut self.connection)?;
        let mut numbers = Numbers::new(&begun);
        let mut rows = self.rows;
        {
            let mut update = begun.prepare_cached(row::UPDATE)?;
            let mut insert = begun.prepare_cached(row::INSERT)?;
            let mut delete = begun.prepare_cached("DELETE FROM device WHERE id = ?1")?;
            for (id, record) in devices {
                if let Some(record) = record {
                    let statements = [&mut update, &mut insert];
                    rows += numbers.write(statements, id, record, now)?;
                } else {
                    let gone = delete.execute([row::key(id)])?;
                    rows = rows.saturating_sub(gone as u64);
                }
            }
            let mut set = begun.prepare_cached("REPLACE INTO meta(name, value) VALUES(?1, ?2)")?;
            for (name, value) in [("served", served), ("devices", rows)] {
                set.execute((name, value.cast_signed()))?;
            }
        }
        let given: Vec<_> = numbers.given().collect();
        self.new_values += numbers.added();
        drop(numbers);
        if let Some(sweep) = &mut self.sweep {
            for (table, number) in given {
                sweep.keep(table, number);
            }
        }
        begun.commit()?;
        self.rows = rows;
        Ok(())
    }

    /// Adds counts to those of an hour, of which each begins so many hours after 1970, and
    /// forgets those that are a year old. Those of [`VERSIONS`] take the place of what was
    /// there: each process counts them once an hour.
    pub(crate) fn count(
        &mut self,
        hour: u64,
        counts: &[(&'static str, String, u64)],
    ) -> Result<(), Fault> {
        let begun = begin(&mut self.connection)?;
        {
            if counts.iter().any(|(kind, ..)| *kind == VERSIONS) {
                begun
                    .prepare_cached("DELETE FROM hourly WHERE hour = ?1 AND kind = ?2")?
                    .execute((hour.cast_signed(), VERSIONS))?;
            }
            let mut add = begun.prepare_cached(
                "INSERT INTO hourly(hour, kind, label, count) VALUES(?1, ?2, ?3, ?4) \
                 ON CONFLICT DO UPDATE SET count = count + excluded.count",
            )?;
            for (kind, label, count) in counts {
                let count = i64::try_from(*count).unwrap_or(i64::MAX);
                add.execute((hour.cast_signed(), kind, label, count))?;
            }
            begun
                .prepare_cached(
                    "DELETE FROM hourly WHERE hour IN \
                     (SELECT DISTINCT hour FROM hourly WHERE hour < ?1 ORDER BY hour LIMIT ?2)",
                )?
                .execute((hour.saturating_sub(HOURS).cast_signed(), HOURS_AT_ONCE))?;
        }
        begun.commit()?;
        Ok(())
    }

    /// Begins a sweep, where one is worth it, or is `due`. Where one is under way that is due,
    /// another one follows.
    pub(crate) fn begin_sweep(&mut self, is_due: bool) -> Result<(), Fault> {
        self.owes_sweep |= is_due;
        if self.sweep.is_none() && (self.owes_sweep || self.new_values >= NEW_VALUES) {
            self.sweep = Some(Sweep::begin(&self.connection)?);
            self.owes_sweep = false;
            self.new_values = 0;
        }
        Ok(())
    }

    /// Does a step of the sweep that is under way. Returns true if there is more to do.
    pub(crate) fn sweep(&mut self, now: u64) -> Result<bool, Fault> {
        let Some(sweep) = &mut self.sweep else {
            return Ok(false);
        };
        let begun = begin(&mut self.connection)?;
        let is_done = sweep.step(&begun, now)?;
        begun.commit()?;
        if is_done {
            self.sweep = None;
        }
        Ok(!is_done)
    }

    /// Brings all into the store itself, and empties the log beside it. Returns false where
    /// somebody reads meanwhile, and it has to be tried again.
    pub(crate) fn settle(&self) -> Result<bool, Fault> {
        let truncate = "PRAGMA wal_checkpoint(TRUNCATE)";
        let mut truncate = self.connection.prepare_cached(truncate)?;
        let is_busy: i64 = truncate.query_row([], |row| row.get(0))?;
        Ok(is_busy == 0)
    }

    /// Notes in the store that traces of forgotten devices may be left in it, without naming
    /// any: another process has to wipe them if this one is killed. To be called before they
    /// are removed.
    pub(crate) fn owe_wipe(&mut self) -> Result<(), Fault> {
        if self.owed == Owed::Nothing {
            self.set(WIPE, 1)?;
            self.owed = Owed::Some;
        }
        Ok(())
    }

    /// Tells whether traces of forgotten devices may be left.
    pub(crate) fn owes_wipe(&self) -> bool {
        self.owed != Owed::Nothing
    }

    fn set(&self, name: &str, value: i64) -> Result<(), Fault> {
        let set = "REPLACE INTO meta(name, value) VALUES(?1, ?2)";
        self.connection
            .prepare_cached(set)?
            .execute((name, value))?;
        Ok(())
    }

    /// Leaves none of these traces of devices that were removed, in the file or beside it.
    ///
    /// # Errors
    ///
    /// [`Fault::Full`] where it has to be written anew, and there is no room for that.
    pub(crate) fn wipe(&mut self, traces: &[Trace]) -> Result<Wiped, Fault> {
        let (mut is_done, mut is_anew) = (self.settle()?, false);
        if is_done {
            is_anew = self.owed == Owed::Unknown
                || traces.len() > wipe::MANY
                || wipe::holds(&self.file, traces, &self.connection)?;
        }
        if is_anew {
            self.length = 0;
            let written = wipe::write_anew(&mut self.connection, &self.place);
            is_done = self.settle()?;
            written?;
        }
        if is_done && self.owed != Owed::Nothing {
            self.set(WIPE, 0)?;
            self.owed = Owed::Nothing;
        }
        Ok(Wiped { is_done, is_anew })
    }

    /// Looks at all of a store that is not large, as whoever opens it would: what its own
    /// connection has in memory may hide that the file is broken.
    ///
    /// # Errors
    ///
    /// [`Fault::Broken`].
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.length > CHECKED {
            return Ok(());
        }
        match reader::check(&self.place) {
            Err(fault @ Fault::Broken(_)) => Err(fault),
            // Whether it can be read now is another question, which a write asks.
            _ => Ok(()),
        }
    }

    /// Looks whether its path still leads to it, and whether it still looks like a store.
    ///
    /// # Errors
    ///
    /// [`Fault::Gone`], also where only the log beside it is: what it held is lost.
    pub(crate) fn look(&mut self) -> Result<(), Fault> {
        let is_there = self.identity.is_some() && self.place.identity() == self.identity;
        if !is_there || self.place.identities_beside() != self.beside {
            return Err(Fault::Gone);
        }
        let length = self.file.metadata()?.len();
        if length < self.length {
            return Err(Fault::Broken("it was cut".to_owned()));
        }
        self.length = length;
        place::head(&self.file).map(drop)
    }

    /// Closes it without touching what lies at its path, which is another's, or broken.
    pub(crate) fn leave(self) {
        let _ = self
            .connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }

    /// Closes a store that is gone, and removes what it left beside it.
    pub(crate) fn leave_gone(self) {
        let (place, beside) = (self.place.clone(), self.beside);
        self.leave();
        place.remove_beside(beside);
    }

    /// Bounds the number of its pages.
    #[cfg(test)]
    pub(crate) fn limit(&self, pages: u32) {
        let _: i64 = self
            .connection
            .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| {
                row.get(0)
            })
            .unwrap();
    }
}

fn begin(connection: &mut Connection) -> Result<Transaction<'_>, Fault> {
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

/// Looks whether a file is a store that this program may open for writing. A newer one is
/// looked at only: even to recover its log would be to change it.
fn look(place: &Place, file: &File, options: Options) -> Result<(), Fault> {
    let data = file.metadata()?;
    if data.len() == 0 {
        return look_at_empty(place, &data);
    }
    let head = place::head(file)?;
    if place.has_log() {
        let connection = reader::connect(place, false)?;
        return reader::is_not_newer(&connection, options.steps);
    }
    let (version, known) = (head.version, schema::latest(options.steps));
    if version > known {
        return Err(Fault::Newer { version, known });
    }
    Ok(())
}

/// Tells of a file that is there and empty: so a file system leaves one that crashed. SQLite
/// takes it for one that was never begun, and removes the log beside it.
fn look_at_empty(place: &Place, empty: &Metadata) -> Result<(), Fault> {
    if place.is_begun(empty) {
        return Ok(());
    }
    if place.has_log() {
        let why = "it is empty, and a log lies beside it that belongs to it";
        return Err(Fault::Broken(why.to_owned()));
    }
    place.begins(empty);
    tell!(STORE_EMPTY, file = place.file());
    Ok(())
}

/// Opens the connection that writes.
fn writer(place: &Place, options: Options) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(place.file(), flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // 8 MiB; and a log that grew stays no larger than 4.
    connection.pragma_update(None, "cache_size", -8192)?;
    connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
    if let Some(pages) = options.most_pages {
        let limit = format!("PRAGMA max_page_count = {pages}");
        let _: i64 = connection.query_row(&limit, [], |row| row.get(0))?;
    }
    if let Err(fault) = schema::migrate(&mut connection, place, options.steps) {
        let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        return Err(fault);
    }
    Ok(connection)
}

#[cfg(test)]
mod tests;
