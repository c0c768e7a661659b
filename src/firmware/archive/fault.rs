//! Reasons why an archive is refused, each with what to do about it.

use super::{MEMBERS, MOST};
use crate::event::text::Text;
use crate::event::{Event, Value, event};
use std::fmt;
use xiaozhi_device::image::Verdict;

/// Longest part of a member's name that is shown, in characters.
const SHOWN: usize = 100;
/// Number of members that are named where all would be too many.
const NAMED: usize = 5;

/// Reason why an archive is refused. Nothing was taken from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveFault {
    /// The archive is too long.
    TooLarge {
        /// Its length in bytes.
        bytes: u64,
    },
    /// Its directory is not there, or makes no sense.
    Damaged {
        /// The fault.
        what: Text,
    },
    /// It is one of several files.
    Split,
    /// It has too many members.
    TooManyMembers {
        /// Their number.
        count: u64,
    },
    /// A member with which it would unpack to too much.
    Bomb {
        /// The member's name.
        member: String,
        /// Its length in bytes, as it says.
        bytes: u64,
        /// Number of bytes that all may have together.
        most: u64,
    },
    /// A member whose name no file should have.
    Name {
        /// The member's name.
        member: String,
        /// The fault.
        why: Text,
    },
    /// Two members of one name.
    Twice {
        /// The member's name.
        member: String,
    },
    /// A member that takes a password.
    Encrypted {
        /// The member's name.
        member: String,
    },
    /// A member that is packed by another method.
    Method {
        /// The member's name.
        member: String,
        /// The method's name, or its number.
        method: String,
    },
    /// A member that leads to another file.
    Link {
        /// The member's name.
        member: String,
    },
    /// A member that is no file.
    Special {
        /// The member's name.
        member: String,
        /// Its kind.
        kind: Text,
    },
    /// A member that is an archive, or compressed.
    Nested {
        /// The member's name.
        member: String,
        /// Name of the format.
        kind: String,
    },
    /// A member that says two things of itself, or another than it is.
    Lies {
        /// The member's name.
        member: String,
        /// The contradiction.
        what: Text,
    },
    /// Two members that share bytes.
    Overlap {
        /// The member's name.
        member: String,
        /// The name of the one behind it.
        other: String,
    },
    /// Bytes that are no member's.
    Stray {
        /// Name of the member that is next to them.
        member: String,
        /// Their number.
        bytes: usize,
        /// True where they stand behind it, and not in front.
        is_behind: bool,
    },
    /// Several images, of which nobody can tell the right one.
    Several {
        /// The members' names.
        members: Vec<String>,
    },
    /// An app image, and a full flash image with another app.
    Different {
        /// Name of the app image.
        app: String,
        /// Name of the full flash image.
        flash: String,
    },
    /// No image at all.
    NoImage {
        /// The members that it holds instead.
        held: Vec<Held>,
    },
}

/// A member that is no image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The member's name.
    pub member: String,
    /// Result of its inspection; `None` where nobody looked.
    pub verdict: Option<Verdict>,
}

impl From<&ArchiveFault> for Event {
    fn from(fault: &ArchiveFault) -> Self {
        match fault {
            ArchiveFault::TooLarge { bytes } => {
                event!(ARCHIVE_TOO_LARGE, bytes = *bytes, longest = MOST)
            }
            ArchiveFault::Damaged { what } => event!(ARCHIVE_DAMAGED, what = *what),
            ArchiveFault::Split => event!(ARCHIVE_SPLIT),
            ArchiveFault::TooManyMembers { count } => {
                event!(ARCHIVE_MEMBERS, count = *count, most = MEMBERS)
            }
            ArchiveFault::Bomb {
                member,
                bytes,
                most,
            } => event!(
                ARCHIVE_BOMB,
                member = shown(member),
                bytes = *bytes,
                most = *most
            ),
            ArchiveFault::Name { member, why } => {
                event!(ARCHIVE_NAME, member = shown(member), why = *why)
            }
            ArchiveFault::Twice { member } => event!(ARCHIVE_TWICE, member = shown(member)),
            ArchiveFault::Encrypted { member } => {
                event!(ARCHIVE_ENCRYPTED, member = shown(member))
            }
            ArchiveFault::Method { member, method } => {
                event!(ARCHIVE_METHOD, member = shown(member), method = method)
            }
            ArchiveFault::Link { member } => event!(ARCHIVE_LINK, member = shown(member)),
            ArchiveFault::Special { member, kind } => {
                event!(ARCHIVE_SPECIAL, member = shown(member), what = *kind)
            }
            ArchiveFault::Nested { member, kind } => {
                event!(ARCHIVE_NESTED, member = shown(member), what = kind)
            }
            ArchiveFault::Lies { member, what } => {
                event!(ARCHIVE_LIES, member = shown(member), what = *what)
            }
            ArchiveFault::Overlap { member, other } => {
                event!(
                    ARCHIVE_OVERLAP,
                    member = shown(member),
                    other = shown(other)
                )
            }
            ArchiveFault::Stray {
                member,
                bytes,
                is_behind: true,
            } => event!(ARCHIVE_STRAY_BEHIND, member = shown(member), bytes = *bytes),
            ArchiveFault::Stray { member, bytes, .. } => {
                event!(ARCHIVE_STRAY_BEFORE, member = shown(member), bytes = *bytes)
            }
            ArchiveFault::Several { members } => event!(
                ARCHIVE_SEVERAL,
                count = members.len(),
                members = few(members.iter().map(|name| shown(name).into()))
            ),
            ArchiveFault::Different { app, flash } => {
                event!(ARCHIVE_DIFFERENT, app = shown(app), flash = shown(flash))
            }
            ArchiveFault::NoImage { held } if held.is_empty() => event!(ARCHIVE_NO_FILE),
            ArchiveFault::NoImage { held } => event!(ARCHIVE_NO_IMAGE, held = shown_of(held)),
        }
    }
}

impl fmt::Display for ArchiveFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Event::from(self).fmt(f)
    }
}

impl std::error::Error for ArchiveFault {}

/// Shows a name: quoted, without signs that would garble a line, and not all of a long one.
fn shown(name: &str) -> String {
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", name.get(..end).unwrap_or_default()),
        None => format!("{name:?}"),
    }
}

/// Returns the first of several values, and a mark for the others.
fn few(values: impl Iterator<Item = Value>) -> Value {
    let mut values: Vec<_> = values.take(NAMED + 1).collect();
    if values.len() > NAMED {
        values.truncate(NAMED);
        values.push("…".into());
    }
    Value::List(values)
}

/// Says what is there in place of an image: what is nearly one first.
fn shown_of(held: &[Held]) -> Value {
    let rank = |held: &&Held| match held.verdict {
        Some(Verdict::Rejected(_)) => 0,
        Some(_) => 1,
        None => 2,
    };
    let mut held: Vec<_> = held.iter().collect();
    held.sort_by_key(rank);
    few(held.into_iter().map(|held| {
        let member = shown(&held.member);
        let what = match &held.verdict {
            Some(Verdict::Rejected(fault)) => Event::from(fault),
            Some(Verdict::Foreign(foreign)) => Event::from(foreign),
            _ => return member.into(),
        };
        event!(ARCHIVE_HELD, member = member, what = what).into()
    }))
}
