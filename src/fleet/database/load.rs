//! Reading of devices, in batches of their keys' order. No statement outlives a batch: a
//! reader that rests would hold up the writer's log for ever.

use super::fault::Fault;
use super::row::{COLUMNS, Reading};
use crate::fleet::id::DeviceId;
use crate::fleet::record::Record;
use rusqlite::Connection;
use std::collections::HashSet;
use std::sync::LazyLock;

/// Number of devices that are read at once.
pub(super) const BATCH: u32 = 5_000;

/// Reads what lies behind a key.
static ALL: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {COLUMNS} FROM device WHERE id > ?1 ORDER BY id LIMIT ?2"));
/// Reads those of it on which an image failed, which an index knows.
static FAILED: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS} FROM device INDEXED BY device_failed \
         WHERE failed IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2"
    )
});

/// Selects the devices that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Selects all.
    All,
    /// Selects those on which an image failed.
    Failed,
}

/// A walk through the devices of a store.
pub(super) struct Walk {
    which: Which,
    /// Key of the last device that was read.
    after: Vec<u8>,
    /// Keys of devices that are left out.
    but: HashSet<Vec<u8>>,
    pub(super) reading: Reading,
}

impl Walk {
    pub(super) fn new(which: Which) -> Self {
        Self {
            which,
            after: Vec::new(),
            but: HashSet::new(),
            reading: Reading::default(),
        }
    }

    /// Begins a walk through all others.
    pub(super) fn others(self) -> Self {
        Self {
            which: Which::All,
            after: Vec::new(),
            ..self
        }
    }

    /// Reads the next ones. Empty at the end.
    pub(super) fn next(
        &mut self,
        connection: &Connection,
    ) -> rusqlite::Result<Vec<(DeviceId, Record)>> {
        let which = self.which;
        let mut statement = connection.prepare_cached(match which {
            Which::All => &ALL,
            Which::Failed => &FAILED,
        })?;
        loop {
            let mut found = Vec::new();
            let mut number = 0;
            let mut rows = statement.query((&self.after, BATCH))?;
            let mut last = Vec::new();
            while let Some(row) = rows.next()? {
                number += 1;
                let key = row.get_ref(0)?.as_blob()?;
                last.clear();
                last.extend_from_slice(key);
                match which {
                    Which::Failed => drop(self.but.insert(last.clone())),
                    Which::All if self.but.contains(&last) => continue,
                    Which::All => {}
                }
                found.extend(self.reading.device(connection, row)?);
            }
            drop(rows);
            if number == 0 {
                return Ok(Vec::new());
            }
            self.after = last;
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
}

/// Reading of all devices.
pub(crate) struct Load<'d> {
    connection: &'d Connection,
    walk: Walk,
    number: u64,
}

impl<'d> Load<'d> {
    /// Begins with those on which an image failed. No term began after so many milliseconds
    /// that were `served`.
    pub(super) fn begin(connection: &'d Connection, served: u64) -> Self {
        let mut walk = Walk::new(Which::Failed);
        walk.reading.served = served;
        Self {
            connection,
            walk,
            number: 0,
        }
    }

    /// Reads the next devices. Empty once those on which an image failed, or all, are read.
    pub(crate) fn next(&mut self) -> Result<Vec<(DeviceId, Record)>, Fault> {
        let found = self.walk.next(self.connection)?;
        self.number += found.len() as u64;
        Ok(found)
    }

    /// Goes on with all others.
    #[must_use]
    pub(crate) fn others(self) -> Self {
        Self {
            walk: self.walk.others(),
            ..self
        }
    }

    /// Returns the number of devices that were read so far.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the number of rows of which something could not be read.
    pub(crate) fn damaged(&self) -> u64 {
        self.walk.reading.damaged
    }
}
