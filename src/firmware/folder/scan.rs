//! One look at the firmware folder, and the reading of one file.

use super::super::name::near::NameIndex;
use super::super::name::{self, Misnamed, notes};
use super::judge::{self, Listed};
use super::kind::{self, Folders};
use super::unusable::{LONGEST, Unusable};
use crate::util::file_state::FileState;
use crate::util::supervise;
use aws_lc_rs::digest::{Context, SHA256};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{SFlag, fstat, major, minor};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Cursor, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use xiaozhi_device::image::{HEAD, Inspection, Inspector, version_at_head};

/// A file of the folder that is to be read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) file: String,
    pub(super) listed: Listed,
    pub(super) identity: FileState,
}

/// Everything that the folder shows at one moment.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) found: Vec<Found>,
    pub(super) unusable: Vec<(String, Unusable)>,
    /// Names of release notes.
    pub(super) notes: Vec<String>,
}

/// Lists the folder, but for what is plainly no firmware.
pub(super) fn list(dir: &Path, folders: &mut Folders) -> io::Result<Listing> {
    let mut listing = Listing::default();
    folders.begin();
    for item in fs::read_dir(dir)? {
        let item = item?;
        let os_name = item.file_name();
        let Some(file) = os_name.to_str() else {
            let shown = os_name.to_string_lossy().into_owned();
            if !name::is_passed_over(&shown) {
                let path = dir.join(&os_name);
                let other = fs::metadata(&path).ok();
                let other = other.and_then(|about| kind::other(&path, &about, folders));
                let why = other.unwrap_or_else(|| not_utf8(dir, &path, os_name.as_bytes()).into());
                listing.unusable.push((shown, why));
            }
            continue;
        };
        if name::is_passed_over(file) {
            if notes::image_of(file).is_some() {
                listing.notes.push(file.to_owned());
            }
            continue;
        }
        let may_be_link = item.file_type().is_ok_and(|kind| kind.is_symlink());
        match judge(dir, file, may_be_link, folders) {
            Ok(Some(found)) => listing.found.push(found),
            Ok(None) => {}
            Err(why) => listing.unusable.push((file.to_owned(), why)),
        }
    }
    Ok(listing)
}

/// Reads the names in the folder alone, for those that are to be held against them.
pub(crate) fn names(dir: &Path) -> io::Result<NameIndex> {
    let names = fs::read_dir(dir)?.filter_map(|item| item.ok()?.file_name().into_string().ok());
    let names: Vec<_> = names.filter(|file| !name::is_passed_over(file)).collect();
    Ok(NameIndex::new(names.iter().map(String::as_str)))
}

/// Looks at one file of the folder. `None`: it vanished while we looked.
pub(super) fn judge(
    dir: &Path,
    file: &str,
    may_be_link: bool,
    folders: &mut Folders,
) -> Result<Option<Found>, Unusable> {
    let path = dir.join(file);
    // Follows links: people link to the newest build. That costs a look at each file, which
    // on a share is slow.
    let about = fs::metadata(&path);
    // What a thing is goes before what it is called.
    if let Ok(about) = &about
        && let Some(other) = kind::other(&path, about, folders)
    {
        return Err(other);
    }
    let found = state(&path, about);
    let name = match Misnamed::find(file) {
        // What is in it tells what it is, and whether another name would do.
        Some(misnamed) => match found {
            Err(Unusable::Empty | Unusable::TooLong { .. }) => return Err(misnamed.into()),
            _ => Err(misnamed.into()),
        },
        // By the same grammar: it does not fail.
        None => name::parse(file).map_err(|_| Unusable::Changed),
    };
    Ok(found?.map(|identity| Found {
        file: file.to_owned(),
        listed: Listed {
            name,
            target: may_be_link.then(|| judge::leads_out(&path, dir)).flatten(),
        },
        identity,
    }))
}

/// Returns what is said of a file whose name is no text. Nothing can ask for it, so that its
/// first bytes alone are looked at.
fn not_utf8(dir: &Path, path: &Path, name: &[u8]) -> Misnamed {
    let misnamed = Misnamed::not_utf8(name);
    let mut head = Vec::with_capacity(HEAD);
    let read = open(path).and_then(|file| file.take(HEAD as u64).read_to_end(&mut head));
    match version_at_head(&head).filter(|_| read.is_ok()) {
        Some(inside) => {
            misnamed.of_image(&inside, |name| fs::symlink_metadata(dir.join(name)).is_ok())
        }
        None => misnamed,
    }
}

/// Returns the state of a file that is worth reading. `None`: it vanished while we looked.
fn state(path: &Path, about: io::Result<Metadata>) -> Result<Option<FileState>, Unusable> {
    let metadata = match about {
        Ok(m) => m,
        Err(e) if e.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
            return Ok(None);
        }
        Err(e) => return Err(kind::unreadable(path, &e)),
    };
    if metadata.len() == 0 {
        return Err(Unusable::Empty);
    }
    if metadata.len() > LONGEST {
        let length = metadata.len();
        return Err(Unusable::TooLong { length });
    }
    Ok(Some(FileState::from(&metadata)))
}

/// Opens a firmware file for reading, without ever hanging on a pipe that
/// stands in its place, or reading what is no firmware for hours.
pub(in crate::firmware) fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    let about = file.metadata()?;
    let length = about.len();
    // A device such as /dev/zero has no end.
    if !about.is_file() {
        Err(io::Error::other("not a regular file"))
    } else if length > LONGEST {
        Err(io::Error::other(Unusable::TooLong { length }))
    } else {
        Ok(file)
    }
}

/// Reads a file once, from its beginning, and inspects it, in constant memory. It must
/// be in the state `expected` before and after.
pub(in crate::firmware) fn inspect(
    file: &mut File,
    expected: &FileState,
) -> Result<Inspection, Unusable> {
    let unreadable = |e: io::Error| kind::failed(&e);
    let same = |file: &File| {
        file.metadata()
            .map(|m| FileState::from(&m) == *expected)
            .map_err(unreadable)
    };
    if !same(file)? {
        return Err(Unusable::Changed);
    }
    // One file must not keep all others from being looked into.
    let inspection = supervise::caught(|| inspect_reader(file));
    let inspection = inspection.map_err(|broken| Unusable::Breaks {
        why: broken.to_string(),
    })?;
    let inspection = inspection.map_err(unreadable)?;
    if same(file)? {
        Ok(inspection)
    } else {
        Err(Unusable::Changed)
    }
}

/// Inspects a file that nobody offers yet.
pub(in crate::firmware) fn inspect_file(path: &Path) -> io::Result<Inspection> {
    inspect_reader(&mut open(path)?)
}

/// Reason why what an operator names was not inspected.
pub(crate) enum Uninspected {
    /// Nobody knows what it is.
    Unreadable(String),
    /// It is not worth reading.
    Unusable(Unusable),
}

/// Inspects what an operator names: a file, a pipe, or standard input as `-`.
pub(crate) fn inspect_named(path: &Path) -> Result<Inspection, Uninspected> {
    let inspection = open_named(path).and_then(|mut source| inspect_reader(&mut source));
    inspection.map_err(|e| match e.downcast::<Unusable>() {
        Ok(why) => Uninspected::Unusable(why),
        Err(e) => Uninspected::Unreadable(match kind::cause(path, &e) {
            Some(cause) => format!("{e}: {cause}"),
            None => e.to_string(),
        }),
    })
}

/// Opens what an operator names: a file, a pipe, or standard input as `-`.
fn open_named(path: &Path) -> io::Result<Box<dyn Read>> {
    // Whoever has a pipe looked into waits for its writer.
    open_or_read(path, |path| Ok(Box::new(File::open(path)?)))
}

/// Opens the same for one that waits for nobody: of a pipe its writer must be there.
pub(in crate::firmware) fn open_written(path: &Path) -> io::Result<Box<dyn Read>> {
    open_or_read(path, |path| {
        let mut pipe = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path)?;
        let mut first = [0];
        let begin: &[u8] = match pipe.read(&mut first) {
            Ok(0) => return Err(io::Error::other("nobody writes to this pipe")),
            Ok(_) => &first,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => &[],
            Err(e) => return Err(e),
        };
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::empty()))?;
        Ok(Box::new(Cursor::new(begin.to_vec()).chain(pipe)))
    })
}

fn open_or_read(
    path: &Path,
    other: impl Fn(&Path) -> io::Result<Box<dyn Read>>,
) -> io::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return if is_null(io::stdin()) {
            Err(io::Error::other(
                "there is no standard input: it is closed, or /dev/null; write `- < FILE`, or a pipe in front",
            ))
        } else {
            Ok(Box::new(io::stdin().lock()))
        };
    }
    let about = fs::metadata(path)?;
    if about.is_dir() {
        Err(io::Error::other("it is a folder, and a file is wanted"))
    } else if about.is_file() {
        Ok(Box::new(open(path)?))
    } else {
        other(path)
    }
}

/// Returns whether a stream is `/dev/null`, which Rust opens in the place of one that was
/// closed.
fn is_null(stream: impl AsFd) -> bool {
    let is_char = SFlag::S_IFCHR.bits();
    fstat(stream).is_ok_and(|about| {
        let device = (major(about.st_rdev), minor(about.st_rdev));
        about.st_mode & SFlag::S_IFMT.bits() == is_char && device == (1, 3)
    })
}

/// Inspects what is left in `reader`, in constant memory.
fn inspect_reader(reader: &mut impl Read) -> io::Result<Inspection> {
    let mut inspector = Inspector::new();
    each_block(reader, |block| inspector.update(block))?;
    Ok(inspector.finish())
}

/// SHA-256 of what is left in `reader`.
pub(in crate::firmware) fn hash_reader(reader: &mut impl Read) -> io::Result<[u8; 32]> {
    let mut sum = Context::new(&SHA256);
    each_block(reader, |block| sum.update(block))?;
    sum.finish().as_ref().try_into().map_err(io::Error::other)
}

pub(in crate::firmware) fn each_block(
    reader: &mut impl Read,
    mut take: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut block = vec![0; 256 * 1024];
    let mut length = 0;
    loop {
        match reader.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                // It may grow while it is read.
                length += n as u64;
                if length > LONGEST {
                    return Err(io::Error::other(Unusable::TooLong { length }));
                }
                take(&block[..n]);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}
