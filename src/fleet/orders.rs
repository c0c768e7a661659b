//! Orders: what people asked for, in a small file that people can read. It is replaced
//! durably before an order is acknowledged, so that a lost database forgets what devices said
//! and never what people ordered.

mod act;
mod file;

pub use act::{Act, ActKind, RetryOrder};

use super::state_folder::{StateFolder, move_aside};
use crate::event::{Event, event, say, tell};
use crate::util::durable;
use crate::util::sync::lock;
use file::{Entry, File, Unread};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

/// Name of the file.
pub(crate) const NAME: &str = "orders.json";
/// Rights of the file: addresses of people stand in it.
const MODE: u32 = 0o600;
/// Number of acts that are kept.
const KEPT: usize = 1_000;
/// Number of bytes that the file may have: more than [`KEPT`] acts take, and less than is
/// read.
const LONGEST: usize = 768 << 10;

/// All that was ordered.
#[derive(Debug)]
pub struct Orders {
    /// The folder and the file in it; `None` where none can be written.
    place: Option<Place>,
    /// Number of the folder in which the file was read or written last. Whoever gives an order
    /// waits here for the disk. No check-in does.
    turn: Mutex<u64>,
    /// Held for moments only.
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Place {
    folder: StateFolder,
    path: PathBuf,
}

/// An act that was written down, until it is known whether it was done.
#[derive(Debug)]
pub struct Noted(Entry);

/// Orders as they are known.
#[derive(Debug, Clone)]
enum Kept {
    Known(File),
    /// There may be orders that nobody here can read, for this reason.
    Unknown(Event),
}

impl Orders {
    /// Reads the orders of a state folder. Returns what is to be said of the file, too. One
    /// that makes no sense is renamed and never deleted. Without a folder there are none, and
    /// none are taken.
    pub fn open(folder: Option<&StateFolder>) -> (Self, Option<Event>) {
        let place = folder.map(|folder| Place {
            folder: folder.clone(),
            path: folder.path().join(NAME),
        });
        let (kept, event) = match &place {
            Some(place) => read(&place.path),
            None => (Kept::Known(File::default()), None),
        };
        let number = folder.and_then(|folder| folder.standing().ok());
        let orders = Self {
            place,
            turn: Mutex::new(number.unwrap_or_default()),
            kept: Mutex::new(kept),
        };
        (orders, event)
    }

    /// Goes on in a state folder that was taken in the place of another: orders that stand
    /// there hold, and those of before are written behind them. Nothing is done where the
    /// folder is the same, or is not this server's now.
    ///
    /// # Errors
    ///
    /// They could not be written, and hold all the same. It is to be tried again.
    pub fn follow(&self) -> Result<(), Event> {
        let mut turn = lock(&self.turn);
        let Some(place) = &self.place else {
            return Ok(());
        };
        match place.folder.standing() {
            Ok(number) if number != *turn => self.join(place, number, &mut turn),
            _ => Ok(()),
        }
    }

    /// Joins the orders that stand in another folder.
    fn join(&self, place: &Place, number: u64, turn: &mut u64) -> Result<(), Event> {
        let (found, event) = read(&place.path);
        if let Some(event) = event {
            say(&event);
        }
        let own = lock(&self.kept).clone();
        let kept = match (found, own) {
            (Kept::Known(mut found), Kept::Known(own)) => {
                if found.append(&own) {
                    let text = found.bounded(KEPT, LONGEST);
                    write(&place.path, &text).map_err(|error| {
                        event!(ORDERS_UNKEPT, file = &place.path, error = &error)
                    })?;
                }
                Kept::Known(found)
            }
            (found, _) => found,
        };
        *lock(&self.kept) = kept;
        *turn = number;
        Ok(())
    }

    /// Tells whether there may be orders that cannot be read: a newer version's, or those on a
    /// disk that fails. Until they are, nothing may be offered that one of them might forbid.
    pub fn is_unknown(&self) -> bool {
        self.unread().is_some()
    }

    /// Returns why there may be orders that cannot be read, where that is so.
    pub fn unread(&self) -> Option<Event> {
        match &*lock(&self.kept) {
            Kept::Known(_) => None,
            Kept::Unknown(why) => Some(why.clone()),
        }
    }

    /// Tries again to read orders that cannot be read. What becomes of it is said, once.
    pub fn read_again(&self) {
        let _turn = lock(&self.turn);
        if let Some(place) = &self.place {
            self.known(&place.path);
        }
    }

    /// Returns the orders, and reads them again where they could not be read: a disk may have
    /// come back. It is for whoever has the turn.
    fn known(&self, path: &Path) -> Option<File> {
        let kept = lock(&self.kept).clone();
        let before = match kept {
            Kept::Known(file) => return Some(file),
            Kept::Unknown(why) => why,
        };
        let (kept, event) = read(path);
        let is_known = matches!(kept, Kept::Known(_));
        if let Some(event) = event.filter(|event| is_known || event.kind.id != before.kind.id) {
            say(&event);
        }
        if is_known {
            tell!(ORDERS_READ, file = path);
        }
        *lock(&self.kept) = kept.clone();
        match kept {
            Kept::Known(file) => Some(file),
            Kept::Unknown(_) => None,
        }
    }

    /// Orders that a device is offered again what it failed: `files`, by their names and the
    /// first 16 bytes of their images' SHA-256, all of them or none; without them all that
    /// failed. Where there are no files, nothing is ordered. When it returns the orders are on
    /// the disk.
    ///
    /// # Errors
    ///
    /// The orders could not be written, and none of them is in force. The error says so in
    /// words, as an [`Event`].
    pub fn retry_all(
        &self,
        device: &str,
        files: Option<&[(&str, [u8; 16])]>,
        by: &str,
        from: &str,
        now: SystemTime,
    ) -> io::Result<()> {
        let act = |file: Option<(&str, [u8; 16])>| Act {
            at: now,
            kind: ActKind::Retry,
            by: by.to_owned(),
            from: from.to_owned(),
            device: Some(device.to_owned()),
            file: file.map(|(name, _)| name.to_owned()),
            content: file.map(|(_, content)| content),
        };
        let acts: Vec<_> = match files {
            None => vec![act(None)],
            Some(files) => files.iter().map(|file| act(Some(*file))).collect(),
        };
        if acts.is_empty() {
            return Ok(());
        }
        self.change(|file| {
            for act in &acts {
                file.push(Entry::of(act));
            }
        })
    }

    /// Notes that a device is to be forgotten: older acts about it lose its name, and this one
    /// has none. When it returns that is on the disk.
    ///
    /// # Errors
    ///
    /// As those of [`Self::retry_all`]; nothing was forgotten then.
    pub fn forget(&self, device: &str, by: &str, from: &str, now: SystemTime) -> io::Result<()> {
        let act = Act {
            at: now,
            kind: ActKind::Forget,
            by: by.to_owned(),
            from: from.to_owned(),
            device: None,
            file: None,
            content: None,
        };
        self.change(|file| {
            file.forget(device);
            file.push(Entry::of(&act));
        })
    }

    /// Notes what is about to be done to a file of the firmware folder: its name, and the first
    /// 16 bytes of its SHA-256 where they are known. When it returns that is on the disk.
    ///
    /// # Errors
    ///
    /// As those of [`Self::retry_all`]; nothing is to be done then.
    pub fn note_file(
        &self,
        kind: ActKind,
        file: (&str, Option<[u8; 16]>),
        by: &str,
        from: &str,
        now: SystemTime,
    ) -> io::Result<Noted> {
        let (name, content) = file;
        let act = Act {
            at: now,
            kind,
            by: by.to_owned(),
            from: from.to_owned(),
            device: None,
            file: Some(name.to_owned()),
            content,
        };
        let noted = Noted(Entry::of(&act));
        self.change(|file| file.push(noted.0.clone()))?;
        Ok(noted)
    }

    /// Takes an act back that was not done after all. When it returns that is on the disk.
    ///
    /// # Errors
    ///
    /// As those of [`Self::retry_all`]; the act stands there as before.
    pub fn take_back(&self, noted: &Noted) -> io::Result<()> {
        self.change(|file| file.take_back(&noted.0))
    }

    /// Returns the orders in force to offer devices again what they failed.
    pub fn retries(&self) -> Vec<RetryOrder> {
        match &*lock(&self.kept) {
            Kept::Known(file) => file.retries(),
            Kept::Unknown(_) => Vec::new(),
        }
    }

    /// Returns all acts that can be read, the newest first.
    pub fn acts(&self) -> Vec<Act> {
        match &*lock(&self.kept) {
            Kept::Known(file) => file.acts(),
            Kept::Unknown(_) => Vec::new(),
        }
    }

    /// Changes the orders on the disk, and then here.
    fn change(&self, change: impl FnOnce(&mut File)) -> io::Result<()> {
        let mut turn = lock(&self.turn);
        let Some(place) = &self.place else {
            return Err(io::Error::other(event!(ORDERS_NO_FOLDER)));
        };
        let path = &place.path;
        let unwritten = |error: &io::Error| {
            let event = event!(ORDERS_UNWRITTEN, file = path, error = error);
            io::Error::new(error.kind(), event)
        };
        // Another server's orders are not replaced by this one's.
        let number = place.folder.look();
        let number = number.map_err(|lost| io::Error::other(event!(ORDERS_AWAY, why = lost)))?;
        if number != *turn {
            let joined = self.join(place, number, &mut turn);
            joined.map_err(io::Error::other)?;
        }
        let Some(mut file) = self.known(path) else {
            return Err(io::Error::other(event!(ORDERS_UNKNOWN, file = path)));
        };
        change(&mut file);
        let text = file.bounded(KEPT, LONGEST);
        write(path, &text).map_err(|error| unwritten(&error))?;
        *lock(&self.kept) = Kept::Known(file);
        Ok(())
    }
}

/// Writes the file to the disk.
fn write(path: &Path, text: &str) -> io::Result<()> {
    durable::replace(path, text.as_bytes(), MODE)?.kept()
}

/// Reads the file, and returns what is to be said of it.
fn read(path: &Path) -> (Kept, Option<Event>) {
    let error = match file::read(path) {
        Ok(file) => {
            let odd = file.odd();
            let event = (odd > 0).then(|| event!(ORDERS_ODD, file = path, acts = odd));
            return (Kept::Known(file), event);
        }
        Err(Unread::Newer(version)) => {
            let event = event!(ORDERS_NEWER, file = path, version = version);
            return (Kept::Unknown(event.clone()), Some(event));
        }
        Err(Unread::Broken(why)) => match move_aside(path, &why, SystemTime::now()) {
            Ok((_, event)) => return (Kept::Known(File::default()), Some(event)),
            Err(error) => error,
        },
        Err(Unread::Error(error)) => error,
    };
    let event = event!(ORDERS_UNREADABLE, file = path, error = &error);
    (Kept::Unknown(event.clone()), Some(event))
}

#[cfg(test)]
mod tests;
