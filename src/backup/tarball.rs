//! Tar, as far as a backup needs it: regular files with names of any length. What else an
//! archive may hold (links, devices, folders, sparse files) is refused by who reads one.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use tar::{EntryType, Header};

/// Size of a block.
pub(super) const BLOCK: usize = 512;
/// Length of a name that a header holds.
const SHORT: usize = 100;
/// Length of the longest name that is read.
const LONGEST: u64 = 4096;
/// Name of the member that holds a long name.
const LONG_LINK: &[u8] = b"././@LongLink";

/// Returns the header of a file, and in front of it what holds a name that is too long for it.
pub(super) fn header(member: &Path, size: u64, mode: u32, seconds: u64) -> Vec<u8> {
    let name = member.as_os_str().as_bytes();
    let mut bytes = Vec::new();
    if name.len() > SHORT {
        let length = name.len() as u64 + 1;
        bytes.extend(block(LONG_LINK, EntryType::GNULongName, length, 0o644, 0));
        bytes.extend(name);
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    }
    let start = name.get(..SHORT).unwrap_or(name);
    bytes.extend(block(start, EntryType::Regular, size, mode, seconds));
    bytes
}

fn block(name: &[u8], kind: EntryType, size: u64, mode: u32, seconds: u64) -> Vec<u8> {
    let mut header = Header::new_gnu();
    if let Some(gnu) = header.as_gnu_mut() {
        for (to, from) in gnu.name.iter_mut().zip(name) {
            *to = *from;
        }
    }
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(seconds);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// Returns the number of bytes that fill the last block of a file.
pub(super) fn padding(size: u64) -> usize {
    let rest = usize::try_from(size % BLOCK as u64).unwrap_or_default();
    (BLOCK - rest) % BLOCK
}

/// A file in an archive.
#[derive(Debug)]
pub(super) struct Found {
    /// Its name, as it stands there.
    pub(super) name: Vec<u8>,
    pub(super) size: u64,
    pub(super) mode: u32,
    /// Place of its first byte.
    pub(super) offset: u64,
}

/// Reason why an archive cannot be read on.
#[derive(Debug)]
pub(super) enum Fault {
    /// It ends too early.
    Cut,
    /// A header makes no sense, or what should be empty is not.
    Damaged,
    /// It holds what no backup does.
    Odd(Vec<u8>, &'static str),
    /// The system's error.
    Error(io::Error),
}

/// Reader of an archive, one file after the other.
#[derive(Debug)]
pub(super) struct Reader<R> {
    from: R,
    at: u64,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, at: 0 }
    }

    /// Finds the next file; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Found>, Fault> {
        let mut long: Option<Vec<u8>> = None;
        loop {
            let bytes = self.block()?;
            if bytes.iter().all(|b| *b == 0) {
                // Nothing stands behind the end.
                return match (self.rest_is_empty()?, long) {
                    (true, None) => Ok(None),
                    _ => Err(Fault::Damaged),
                };
            }
            let header = Header::from_byte_slice(&bytes);
            let sum = header.cksum().map_err(|_| Fault::Damaged)?;
            if sum != checksum(&bytes) {
                return Err(Fault::Damaged);
            }
            let size = header.entry_size().map_err(|_| Fault::Damaged)?;
            let name = long.take();
            let name = name.unwrap_or_else(|| header.path_bytes().into_owned());
            match header.entry_type() {
                EntryType::GNULongName if size <= LONGEST => {
                    let mut name = Vec::new();
                    self.content(size, |part| {
                        name.extend(part);
                        Ok(())
                    })?;
                    while name.last() == Some(&0) {
                        name.pop();
                    }
                    long = Some(name);
                }
                EntryType::Regular => {
                    let mode = header.mode().map_err(|_| Fault::Damaged)?;
                    return Ok(Some(Found {
                        name,
                        size,
                        mode,
                        offset: self.at,
                    }));
                }
                EntryType::Symlink | EntryType::Link => {
                    return Err(Fault::Odd(name, "it is a link"));
                }
                EntryType::Directory => return Err(Fault::Odd(name, "it is a folder")),
                EntryType::Char | EntryType::Block | EntryType::Fifo => {
                    return Err(Fault::Odd(name, "it is a device or a pipe"));
                }
                _ => return Err(Fault::Odd(name, "it is no plain file")),
            }
        }
    }

    /// Hands out the bytes of the file that was found last, and goes behind it.
    pub(super) fn content(
        &mut self,
        size: u64,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Fault> {
        let mut left = size;
        let mut buffer = vec![0; 128 << 10];
        while left > 0 {
            let room = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let Some(part) = buffer.get_mut(..room) else {
                return Err(Fault::Damaged);
            };
            let read = self.from.read(part).map_err(Fault::Error)?;
            if read == 0 {
                return Err(Fault::Cut);
            }
            take(part.get(..read).unwrap_or_default()).map_err(Fault::Error)?;
            self.at += read as u64;
            left -= read as u64;
        }
        let mut filled = vec![0; padding(size)];
        self.exactly(&mut filled)?;
        if filled.iter().any(|b| *b != 0) {
            return Err(Fault::Damaged);
        }
        Ok(())
    }

    fn block(&mut self) -> Result<[u8; BLOCK], Fault> {
        let mut bytes = [0; BLOCK];
        self.exactly(&mut bytes)?;
        Ok(bytes)
    }

    fn exactly(&mut self, bytes: &mut [u8]) -> Result<(), Fault> {
        self.at += bytes.len() as u64;
        self.from.read_exact(bytes).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                Fault::Cut
            } else {
                Fault::Error(error)
            }
        })
    }

    /// Reads to the end. Behind one empty block there is at least another.
    fn rest_is_empty(&mut self) -> Result<bool, Fault> {
        let mut buffer = vec![0; 64 << 10];
        let mut length = 0;
        loop {
            let read = self.from.read(&mut buffer).map_err(Fault::Error)?;
            if read == 0 {
                break;
            }
            length += read;
            if buffer
                .get(..read)
                .unwrap_or_default()
                .iter()
                .any(|b| *b != 0)
            {
                return Ok(false);
            }
        }
        if length < BLOCK {
            Err(Fault::Cut)
        } else {
            Ok(true)
        }
    }
}

/// Returns the sum of a header's bytes, its own place taken for blanks.
fn checksum(bytes: &[u8; BLOCK]) -> u32 {
    let sum = bytes.iter().enumerate().map(|(at, byte)| {
        let is_own = (148..156).contains(&at);
        u32::from(if is_own { b' ' } else { *byte })
    });
    sum.sum()
}

/// Returns the name of a member as it is shown.
pub(super) fn shown(name: &[u8]) -> String {
    Path::new(OsStr::from_bytes(name)).display().to_string()
}
