//! Reading of a store that somebody else may be writing.

use super::fault::Fault;
use super::load::{Walk, Which};
use super::place::Place;
use super::schema;
use crate::fleet::id::DeviceId;
use crate::fleet::record::Record;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time for which a lock is waited for, which in this mode only a recovery takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// A store to read from.
pub(crate) struct Reader {
    connection: Connection,
}

/// Opens the store in a state folder, for whoever only reads. `None` where there is none.
/// A server may be writing meanwhile.
///
/// # Errors
///
/// Why it cannot be read.
pub(crate) fn read_only(dir: &Path) -> Result<Option<Reader>, Fault> {
    match open(dir, |connection| is_known(connection, schema::STEPS)) {
        // A server is just beginning it.
        Err(Fault::Older { version: 0, .. }) => Ok(None),
        connection => Ok(connection?.map(|connection| Reader { connection })),
    }
}

/// Opens the store in a state folder, if there is one that passes the look.
fn open(
    dir: &Path,
    look: impl Fn(&Connection) -> Result<(), Fault>,
) -> Result<Option<Connection>, Fault> {
    let place = Place::new(dir.to_owned());
    place.holds_files()?;
    match std::fs::metadata(place.file()) {
        Ok(data) if data.len() == 0 => return Ok(None),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    // Where nothing can be made beside it, and nothing lies there, nobody writes.
    let connection = connect(&place, false).and_then(|connection| {
        look(&connection)?;
        Ok(connection)
    });
    let connection = match connection {
        Err(Fault::ReadOnly(_)) if !place.has_log() => {
            let connection = connect(&place, true)?;
            look(&connection)?;
            connection
        }
        other => other?,
    };
    Ok(Some(connection))
}

/// Writes a whole copy of the store in a state folder to a file that only this user may read,
/// while a server may be writing to the store. Returns false where there is none.
///
/// # Errors
///
/// Why it cannot be read, or the copy not be written. What was at `to` stays.
pub(crate) fn copy(dir: &Path, to: &Path) -> Result<bool, Fault> {
    // Whatever program wrote it: what is copied is not read.
    let look = |connection: &Connection| {
        connection.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
        Ok(())
    };
    let Some(connection) = open(dir, look)? else {
        return Ok(false);
    };
    schema::copy_to(&connection, to)?;
    let copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    quick_check(&copy)?;
    Ok(true)
}

impl Reader {
    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Hands every device to `each`, in no order that means anything. A server may change
    /// devices meanwhile: each is what it was at one moment.
    ///
    /// # Errors
    ///
    /// Why it cannot be read on.
    pub(crate) fn devices(&mut self, mut each: impl FnMut(DeviceId, Record)) -> Result<(), Fault> {
        let mut walk = Walk::new(Which::All);
        loop {
            let begun = self.connection.transaction()?;
            let found = walk.next(&begun)?;
            begun.commit()?;
            if found.is_empty() {
                return Ok(());
            }
            for (id, record) in found {
                each(id, record);
            }
        }
    }
}

/// Looks at all of a store, through a connection of its own.
///
/// # Errors
///
/// [`Fault::Broken`], or why it cannot be read.
pub(super) fn check(place: &Place) -> Result<(), Fault> {
    quick_check(&connect(place, false)?)
}

fn quick_check(connection: &Connection) -> Result<(), Fault> {
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))?;
    if found == "ok" {
        Ok(())
    } else {
        Err(Fault::Broken(found))
    }
}

/// Opens a connection that changes nothing. One to a store that `is_still` takes no locks:
/// nobody may write it.
pub(super) fn connect(place: &Place, is_still: bool) -> Result<Connection, Fault> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if is_still {
        flags |= OpenFlags::SQLITE_OPEN_URI;
        Connection::open_with_flags(still(place.file()), flags)?
    } else {
        Connection::open_with_flags(place.file(), flags)?
    };
    connection.busy_timeout(PATIENCE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

/// Writes a path as SQLite's URIs have it (<https://sqlite.org/uri.html>).
fn still(file: &Path) -> PathBuf {
    use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
    use std::os::unix::ffi::OsStrExt as _;
    const SPECIAL: &AsciiSet = &CONTROLS.add(b'?').add(b'#').add(b'%').add(b' ');
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let path = percent_encode(absolute.as_os_str().as_bytes(), SPECIAL);
    format!("file://{path}?immutable=1").into()
}

/// Tells whether a store's version is the one that is read here.
pub(super) fn is_known(connection: &Connection, steps: &[&str]) -> Result<(), Fault> {
    let (version, known) = (schema::version(connection)?, schema::latest(steps));
    if version < known {
        return Err(Fault::Older { version, known });
    }
    is_not_newer(connection, steps)
}

/// Tells whether a store's version is one that is known here.
pub(super) fn is_not_newer(connection: &Connection, steps: &[&str]) -> Result<(), Fault> {
    let (version, known) = (schema::version(connection)?, schema::latest(steps));
    if version > known {
        return Err(Fault::Newer { version, known });
    }
    Ok(())
}
