//! Wiping: of a device that is forgotten, nothing is to be left in the file.
//!
//! `secure_delete` overwrites what is deleted where it lies, and not where it lay: a page
//! whose rows move to another one keeps their bytes in its unused part (`rebuildPage` in
//! SQLite's `btree.c`). It is rare, so the file is looked through for a device's own bytes,
//! and only if there are any is all of it written anew.
//!
//! Anew means: into a second file beside it, and from there back over the first, a page at a
//! time. `VACUUM` alone does the same by way of a file that lies wherever the system keeps
//! such files, which may be memory, or nowhere. It takes twice the room of the store for so
//! long, and none of it in memory.

use super::fault::Fault;
use super::place::Place;
use super::row;
use crate::fleet::id::DeviceId;
use crate::fleet::record::ClientId;
use memchr::memmem::Finder;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Number of texts that are looked for one by one. Where there are more, writing the file
/// anew is cheaper.
pub(super) const MANY: usize = 32;
/// Number of bytes of a MAC address: an id that has fewer is looked for with the byte before
/// it, which tells the kinds of ids.
const OF_MAC: usize = 6;
/// Number of bytes below which a client id is anybody's.
const SHORT: usize = 8;
/// Number of bytes that are read at once.
const BLOCK: usize = 1 << 20;

/// Bytes that would tell of a device in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trace {
    /// Its id, which nobody else has.
    Id(Vec<u8>),
    /// Its client id: others may have the same.
    Client(ClientId),
}

impl Trace {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Id(bytes) => bytes,
            Self::Client(ClientId::Uuid(bytes)) => bytes,
            Self::Client(ClientId::Text(text)) => text.as_bytes(),
        }
    }
}

/// Returns what would tell of a device in the bytes of a file.
pub(crate) fn traces(id: &DeviceId, client: &ClientId) -> Vec<Trace> {
    let mut id = row::key(id);
    if id.len() > OF_MAC {
        id.remove(0);
    }
    let traces = [Trace::Id(id), Trace::Client(client.clone())];
    let is_sought = |trace: &Trace| match trace {
        Trace::Id(_) => true,
        Trace::Client(_) => trace.bytes().len() >= SHORT,
    };
    traces.into_iter().filter(is_sought).collect()
}

/// Tells whether a file holds any of these that no device of the store has.
pub(super) fn holds(file: &File, traces: &[Trace], connection: &Connection) -> Result<bool, Fault> {
    for found in found(file, traces)? {
        match found {
            Trace::Id(_) => return Ok(true),
            Trace::Client(client) => {
                let others = "SELECT EXISTS(SELECT 1 FROM device WHERE client = ?1)";
                let mut others = connection.prepare_cached(others)?;
                let is_others: bool = others.query_row([row::client(client)], |row| row.get(0))?;
                if !is_others {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// Writes a store anew, without what is in it and was deleted.
///
/// # Errors
///
/// [`Fault::Full`] where there is no room for it. The store is what it was.
pub(super) fn write_anew(connection: &mut Connection, place: &Place) -> Result<(), Fault> {
    let draft = place.draft();
    place.remove_draft()?;
    let written = write_by(connection, &draft);
    let removed = place.remove_draft();
    written?;
    Ok(removed?)
}

fn write_by(connection: &mut Connection, draft: &Path) -> Result<(), Fault> {
    let mut options = OpenOptions::new();
    // SQLite takes an empty file, and leaves its rights.
    options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)?;
    let path = draft.as_os_str().as_bytes();
    connection.execute(
        "VACUUM INTO ?1",
        [ToSqlOutput::Borrowed(ValueRef::Text(path))],
    )?;
    let anew = Connection::open_with_flags(draft, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    match Backup::new(&anew, connection)?.step(-1)? {
        StepResult::Done => Ok(()),
        _ => Err(Fault::Locked),
    }
}

/// Looks for these in a file, up to the first id.
fn found<'t>(file: &File, traces: &'t [Trace]) -> io::Result<Vec<&'t Trace>> {
    let finder = |trace: &'t Trace| (trace, Finder::new(trace.bytes()));
    let mut finders: Vec<_> = traces.iter().map(finder).collect();
    let longest = traces.iter().map(|trace| trace.bytes().len()).max();
    let mut bytes = vec![0; BLOCK + longest.unwrap_or_default()];
    let (mut at, mut all) = (0, Vec::new());
    loop {
        // Each block begins with the end of the one before.
        let mut length = 0;
        while let Some(rest) = bytes.get_mut(length..)
            && !rest.is_empty()
        {
            match file.read_at(rest, at + length as u64)? {
                0 => break,
                read => length += read,
            }
        }
        let read = bytes.get(..length).unwrap_or_default();
        let here = finders.extract_if(.., |(_, finder)| finder.find(read).is_some());
        all.extend(here.map(|(trace, _)| trace));
        let is_enough = all.iter().any(|trace| matches!(trace, Trace::Id(_)));
        if is_enough || finders.is_empty() || length < bytes.len() {
            return Ok(all);
        }
        at += BLOCK as u64;
    }
}
