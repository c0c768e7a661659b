//! Reasons why an archive is refused, each with what to do about it.

use super::{MEMBERS, MOST, TOGETHER};
use crate::event::Event;
use xiaozhi_device::image::Verdict;

/// Longest part of a member's name that is shown, in characters.
const SHOWN: usize = 100;
/// Number of members that are named where all would be too many.
const NAMED: usize = 5;

/// Advice about an archive that no build makes.
const GET_ANEW: &str = "nothing is taken from such an archive; get it anew from whoever built \
                        it, or publish the image itself";

/// Reason why an archive is refused. Nothing was taken from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveFault {
    /// The archive is too long.
    #[error("it has {bytes} bytes, and an archive may have {MOST}: publish the image itself")]
    TooLarge {
        /// Its length in bytes.
        bytes: u64,
    },
    /// Its directory is not there, or makes no sense.
    #[error("it is cut off or damaged, for {what}: download it again")]
    Damaged {
        /// The fault.
        what: &'static str,
    },
    /// It is one of several files.
    #[error("it is a part of an archive in several files: join them, or publish the image itself")]
    Split,
    /// It has too many members.
    #[error(
        "it says that it has {count} members, and an archive may have {MEMBERS}: pack the image \
         alone, or publish it as it is"
    )]
    TooManyMembers {
        /// Their number.
        count: u64,
    },
    /// A member with which it would unpack to too much.
    #[error(
        "{}: it says that it unpacks to {bytes} bytes, and the archive and what is in it may have \
         {TOGETHER} together: publish the image itself",
        shown(member)
    )]
    Bomb {
        /// The member's name.
        member: String,
        /// Its length in bytes, as it says.
        bytes: u64,
    },
    /// A member whose name no file should have.
    #[error("{}: its name {why}; {GET_ANEW}", shown(member))]
    Name {
        /// The member's name.
        member: String,
        /// The fault.
        why: &'static str,
    },
    /// Two members of one name.
    #[error("{}: two members have this name; {GET_ANEW}", shown(member))]
    Twice {
        /// The member's name.
        member: String,
    },
    /// A member that takes a password.
    #[error(
        "{}: it is encrypted: unpack it with its password, and publish the image",
        shown(member)
    )]
    Encrypted {
        /// The member's name.
        member: String,
    },
    /// A member that is packed by another method.
    #[error(
        "{}: it is packed by {method}, and this program unpacks deflate: unpack it, and publish \
         the image",
        shown(member)
    )]
    Method {
        /// The member's name.
        member: String,
        /// The method's name, or its number.
        method: String,
    },
    /// A member that leads to another file.
    #[error("{}: it is a link; {GET_ANEW}", shown(member))]
    Link {
        /// The member's name.
        member: String,
    },
    /// A member that is no file.
    #[error("{}: it is {kind}; {GET_ANEW}", shown(member))]
    Special {
        /// The member's name.
        member: String,
        /// Its kind.
        kind: &'static str,
    },
    /// A member that is an archive, or compressed.
    #[error(
        "{}: it is an archive in the archive ({kind}): unpack this one, and publish what is in it",
        shown(member)
    )]
    Nested {
        /// The member's name.
        member: String,
        /// Name of the format.
        kind: String,
    },
    /// A member that says two things of itself, or another than it is.
    #[error(
        "{}: {what}: it is damaged or made to deceive; {GET_ANEW}",
        shown(member)
    )]
    Lies {
        /// The member's name.
        member: String,
        /// The contradiction.
        what: &'static str,
    },
    /// Two members that share bytes.
    #[error("{}: it shares bytes with {}; {GET_ANEW}", shown(member), shown(other))]
    Overlap {
        /// The member's name.
        member: String,
        /// The name of the one behind it.
        other: String,
    },
    /// Bytes that are no member's.
    #[error(
        "{}: {bytes} bytes that belong to no member stand {side} it; {GET_ANEW}",
        shown(member)
    )]
    Stray {
        /// Name of the member that is next to them.
        member: String,
        /// Their number.
        bytes: usize,
        /// `behind`, or `in front of`.
        side: &'static str,
    },
    /// Several images, of which nobody can tell the right one.
    #[error(
        "it holds {} images: {}; unpack it, and publish the one that is meant", members.len(),
        list(members)
    )]
    Several {
        /// The members' names.
        members: Vec<String>,
    },
    /// An app image, and a full flash image with another app.
    #[error(
        "{} is not the app that is in {}: unpack it, and publish the one that is meant",
        shown(app),
        shown(flash)
    )]
    Different {
        /// Name of the app image.
        app: String,
        /// Name of the full flash image.
        flash: String,
    },
    /// No image at all.
    #[error("{}", no_image(held))]
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

/// Shows a name: quoted, without signs that would garble a line, and not all of a long one.
fn shown(name: &str) -> String {
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", name.get(..end).unwrap_or_default()),
        None => format!("{name:?}"),
    }
}

fn list(names: &[String]) -> String {
    let mut shown: Vec<_> = names.iter().take(NAMED).map(|name| shown(name)).collect();
    if names.len() > NAMED {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

/// Says what is there in place of an image: what is nearly one first.
fn no_image(held: &[Held]) -> String {
    const ASK: &str = "it must hold an app image (xiaozhi.bin) or a full flash image \
                       (merged-binary.bin)";
    if held.is_empty() {
        return format!("it holds no file; {ASK}");
    }
    let rank = |held: &&Held| match held.verdict {
        Some(Verdict::Rejected(_)) => 0,
        Some(_) => 1,
        None => 2,
    };
    let mut held: Vec<_> = held.iter().collect();
    held.sort_by_key(rank);
    let of_one = |held: &&Held| {
        let name = shown(&held.member);
        match &held.verdict {
            Some(Verdict::Rejected(fault)) => format!("{name}: {}", Event::from(fault)),
            Some(Verdict::Foreign(foreign)) => format!("{name}: {}", Event::from(foreign)),
            _ => name,
        }
    };
    let mut shown: Vec<_> = held.iter().take(NAMED).map(of_one).collect();
    if held.len() > NAMED {
        shown.push("…".to_owned());
    }
    format!("it holds no image: {ASK}; in it are {}", shown.join("; "))
}
