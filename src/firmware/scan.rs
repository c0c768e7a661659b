//! One look at the firmware folder, and the reading of one file.

use super::Identity;
use super::name::{self, ImageName, NameError};
use super::version::is_device_safe;
use aws_lc_rs::digest::{Context, SHA256};
use nix::fcntl::OFlag;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Why a file in the folder is not offered, in words for the log.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("the name is not UTF-8: rename it to {{model}}_{{version}}.bin")]
    NotUtf8,
    #[error("not a regular file")]
    NotAFile,
    #[error("the file is empty: copy it again")]
    Empty,
    /// The firmware's parser (`main/ota.cc`, `ParseVersion`) throws on it.
    #[error(
        "a device that is offered version {version} restarts at every check, for a part of it \
         is no number below 2147483648: rename the file"
    )]
    UnsafeVersion { version: String },
    #[error("it cannot be read ({reason}): see to its permissions (chmod a+r) or its disk")]
    Unreadable { reason: String },
    /// What the folder says and what was read are not one state.
    #[error("it changed while it was read")]
    Changed,
}

/// A file of the folder whose name and kind are right.
pub(super) struct Found {
    pub(super) file: String,
    pub(super) name: ImageName,
    pub(super) identity: Identity,
}

/// Everything that the folder shows at one moment.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) found: Vec<Found>,
    pub(super) unusable: Vec<(String, Unusable)>,
}

/// Lists the folder. Names that begin with a dot are temporary files of those
/// who copy (rsync, editors) and are passed over.
pub(super) fn list(dir: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for item in fs::read_dir(dir)? {
        let os_name = item?.file_name();
        let Some(file) = os_name.to_str() else {
            let shown = os_name.to_string_lossy().into_owned();
            listing.unusable.push((shown, Unusable::NotUtf8));
            continue;
        };
        if file.starts_with('.') {
            continue;
        }
        match judge(dir, file) {
            Ok(Some(found)) => listing.found.push(found),
            Ok(None) => {}
            Err(why) => listing.unusable.push((file.to_owned(), why)),
        }
    }
    Ok(listing)
}

/// `None`: it vanished while we looked.
fn judge(dir: &Path, file: &str) -> Result<Option<Found>, Unusable> {
    let name = name::parse(file)?;
    // Follows links: people link to the newest build.
    let metadata = match fs::metadata(dir.join(file)) {
        Ok(m) => m,
        Err(e)
            if e.kind() == io::ErrorKind::NotFound
                && fs::symlink_metadata(dir.join(file)).is_err() =>
        {
            return Ok(None);
        }
        Err(e) => {
            return Err(Unusable::Unreadable {
                reason: e.to_string(),
            });
        }
    };
    if !metadata.is_file() {
        return Err(Unusable::NotAFile);
    }
    if metadata.len() == 0 {
        return Err(Unusable::Empty);
    }
    if !is_device_safe(name.version.as_str()) {
        let version = name.version.to_string();
        return Err(Unusable::UnsafeVersion { version });
    }
    Ok(Some(Found {
        file: file.to_owned(),
        name,
        identity: Identity::from(&metadata),
    }))
}

/// Opens a firmware file for reading, without ever hanging on a pipe that
/// stands in its place.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
}

/// Reads the file once and hashes it, in constant memory. It must be in the
/// state `expected` before and after.
pub(super) fn hash(path: &Path, expected: &Identity) -> Result<[u8; 32], Unusable> {
    let unreadable = |e: io::Error| Unusable::Unreadable {
        reason: e.to_string(),
    };
    let mut file = open(path).map_err(unreadable)?;
    let same = |file: &File| {
        file.metadata()
            .map(|m| Identity::from(&m) == *expected)
            .map_err(unreadable)
    };
    if !same(&file)? {
        return Err(Unusable::Changed);
    }
    let sum = hash_reader(&mut file).map_err(unreadable)?;
    if same(&file)? {
        Ok(sum)
    } else {
        Err(Unusable::Changed)
    }
}

/// SHA-256 of what is left in `reader`.
pub(super) fn hash_reader(reader: &mut impl Read) -> io::Result<[u8; 32]> {
    let mut sum = Context::new(&SHA256);
    let mut block = vec![0; 256 * 1024];
    loop {
        match reader.read(&mut block) {
            Ok(0) => break,
            Ok(n) => sum.update(&block[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    sum.finish().as_ref().try_into().map_err(io::Error::other)
}
