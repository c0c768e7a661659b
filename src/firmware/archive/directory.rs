//! The directory at the end of an archive: which members there are, and what each says of
//! itself. What no member may be is refused here, before a byte is unpacked.

use super::fields::{BadExtra, Fields, widened};
use super::member_name::{self, bad_extra};
use super::{ArchiveFault, MEMBERS, MOST};
use crate::event::text::Text;
use std::collections::HashSet;

/// Signatures and lengths of the records (APPNOTE.TXT, 4.3.12, 4.3.14 to 4.3.16).
const ENTRY: u32 = 0x0201_4B50;
const END: u32 = 0x0605_4B50;
const END_LENGTH: usize = 22;
const WIDE_END: u32 = 0x0606_4B50;
const LOCATOR: u32 = 0x0706_4B50;
const LOCATOR_LENGTH: usize = 20;

/// Deflate makes of one byte 1032 at most: a match of 258 bytes in two bits.
const MOST_OF_A_BYTE: u64 = 1032;

/// Length of what a member packs, and its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    /// CRC-32 of the bytes that come out.
    pub(super) crc: u32,
    /// Number of bytes in the archive.
    pub(super) packed: u64,
    /// Number of bytes that come out.
    pub(super) unpacked: u64,
}

/// Method by which a member is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// As it is.
    Stored,
    /// By deflate.
    Deflated,
}

/// A member, as the directory has it.
#[derive(Debug)]
pub(super) struct Member<'a> {
    /// Its name, as a text.
    pub(super) name: String,
    /// Its name, as it stands.
    pub(super) raw_name: &'a [u8],
    /// Sizes and checksum.
    pub(super) sizes: Sizes,
    /// Its method.
    pub(super) method: Method,
    /// Offset of its own header.
    pub(super) at: u64,
    /// True for a folder.
    pub(super) is_folder: bool,
}

/// All members, in the order of the directory.
#[derive(Debug)]
pub(super) struct Directory<'a> {
    /// The members.
    pub(super) members: Vec<Member<'a>>,
    /// Offset of the directory itself.
    pub(super) at: usize,
}

/// Reads the directory of an archive, which may have `most` bytes with what it unpacks to.
pub(super) fn read(archive: &[u8], most: u64) -> Result<Directory<'_>, ArchiveFault> {
    let length = archive.len() as u64;
    if length > MOST {
        return Err(ArchiveFault::TooLarge { bytes: length });
    }
    if archive.starts_with(b"PK\x07\x08") || archive.starts_with(b"PK00PK") {
        return Err(ArchiveFault::Split);
    }
    let end = end(archive)?;
    let no_place = damaged(Text::new(
        "目录不在它声称的位置",
        "its directory is not where it says",
    ));
    let (Ok(at), Ok(size)) = (usize::try_from(end.at), usize::try_from(end.size)) else {
        return Err(no_place);
    };
    if at.checked_add(size) != Some(end.starts) {
        return Err(no_place);
    }
    let mut fields = Fields::new(archive.get(at..end.starts).ok_or(no_place)?);
    let mut members = Vec::new();
    let mut names = HashSet::new();
    let mut left = most.saturating_sub(length);
    for _ in 0..end.members {
        let member = entry(&mut fields, &mut left, most)?;
        if !names.insert(member_name::key(&member.name)) {
            return Err(ArchiveFault::Twice {
                member: member.name,
            });
        }
        members.push(member);
    }
    if fields.left() > 0 {
        return Err(damaged(Text::new(
            "目录比它声称的长",
            "its directory is longer than it says",
        )));
    }
    Ok(Directory { members, at })
}

fn damaged(what: Text) -> ArchiveFault {
    ArchiveFault::Damaged { what }
}

/// The record behind the directory.
struct End {
    members: u64,
    /// Length and offset of the directory.
    size: u64,
    at: u64,
    /// Offset of the record itself, or of what goes on with it.
    starts: usize,
}

/// Finds the end of the directory, and its wider form where there is one.
fn end(archive: &[u8]) -> Result<End, ArchiveFault> {
    let at = place_of_end(archive)?;
    let cut = damaged(Text::new(
        "目录的结尾被截断",
        "the end of its directory is cut off",
    ));
    let record = Fields::at(archive, at).and_then(narrow_end);
    let narrow = record.ok_or_else(|| cut.clone())?;
    let wide = match at.checked_sub(LOCATOR_LENGTH) {
        Some(locator) => wide_end(archive, locator)?,
        None => None,
    };
    let mut disks = narrow.disks;
    let mut end = End {
        members: narrow.members.into(),
        size: narrow.size.into(),
        at: narrow.at.into(),
        starts: at,
    };
    if let Some((wide, wide_disks)) = wide {
        // A record that says less than it could has the same numbers, or leaves them to the other.
        let agrees = |narrow: u64, most: u64, wide: u64| narrow == most || narrow == wide;
        let agree = agrees(end.members, u16::MAX.into(), wide.members)
            && agrees(end.size, u32::MAX.into(), wide.size)
            && agrees(end.at, u32::MAX.into(), wide.at);
        if !agree {
            return Err(damaged(Text::new(
                "目录的两个结尾互相矛盾",
                "the two ends of its directory contradict each other",
            )));
        }
        (end, disks) = (wide, wide_disks);
    } else if narrow.members == u16::MAX || narrow.size == u32::MAX || narrow.at == u32::MAX {
        return Err(cut);
    }
    if disks.is_split(end.members) {
        return Err(ArchiveFault::Split);
    }
    if end.members > MEMBERS {
        return Err(ArchiveFault::TooManyMembers { count: end.members });
    }
    Ok(end)
}

/// Returns the offset of the one record with which the archive can end.
fn place_of_end(archive: &[u8]) -> Result<usize, ArchiveFault> {
    let last = archive.len().checked_sub(END_LENGTH);
    let last = last.ok_or(damaged(Text::new("它太短", "it is too short")))?;
    let first = last.saturating_sub(u16::MAX.into());
    let ends_here = |at: &usize| {
        let comment = || {
            let mut fields = Fields::at(archive, *at).filter(|f| f.left() >= END_LENGTH)?;
            if fields.u32()? != END {
                return None;
            }
            fields.take(END_LENGTH - 6)?;
            Some(usize::from(fields.u16()?) == fields.left())
        };
        comment() == Some(true)
    };
    let mut places = (first..=last).rev().filter(ends_here);
    let at = places.next().ok_or(damaged(Text::new(
        "结尾没有目录",
        "it has no directory at its end",
    )))?;
    // One within the comment of another: which of them counts is each reader's own idea.
    if places.next().is_some() {
        return Err(damaged(Text::new("它有两种结尾", "it ends in two ways")));
    }
    Ok(at)
}

/// Numbers of files that an archive was split into.
#[derive(Debug, Clone, Copy)]
struct Disks {
    this: u32,
    of_directory: u32,
    /// Number of members in this file.
    members: u64,
}

impl Disks {
    fn is_split(self, members: u64) -> bool {
        self.this != 0 || self.of_directory != 0 || self.members != members
    }
}

/// The record that every archive ends with.
struct NarrowEnd {
    disks: Disks,
    members: u16,
    size: u32,
    at: u32,
}

fn narrow_end(mut fields: Fields<'_>) -> Option<NarrowEnd> {
    fields.u32()?;
    let disks = Disks {
        this: fields.u16()?.into(),
        of_directory: fields.u16()?.into(),
        members: fields.u16()?.into(),
    };
    Some(NarrowEnd {
        disks,
        members: fields.u16()?,
        size: fields.u32()?,
        at: fields.u32()?,
    })
}

/// Reads the end for zip64, where a locator at `locator` leads to one.
fn wide_end(archive: &[u8], locator: usize) -> Result<Option<(End, Disks)>, ArchiveFault> {
    let leads_to = || {
        let mut fields = Fields::at(archive, locator)?;
        if fields.u32()? != LOCATOR {
            return None;
        }
        let disk = fields.u32()?;
        Some((disk, fields.u64()?, fields.u32()?))
    };
    let Some((disk, at, disks)) = leads_to() else {
        return Ok(None);
    };
    if disk != 0 || disks > 1 {
        return Err(ArchiveFault::Split);
    }
    let read = |starts: usize| {
        let mut fields = Fields::at(archive, starts)?;
        if fields.u32()? != WIDE_END {
            return None;
        }
        // The length of what stands behind itself, up to the locator.
        let length = usize::try_from(fields.u64()?).ok()?;
        if starts.checked_add(12)?.checked_add(length)? != locator {
            return None;
        }
        // The versions that made it, and that it takes.
        fields.take(4)?;
        let (this, of_directory) = (fields.u32()?, fields.u32()?);
        let here = fields.u64()?;
        let disks = Disks {
            this,
            of_directory,
            members: here,
        };
        let end = End {
            members: fields.u64()?,
            size: fields.u64()?,
            at: fields.u64()?,
            starts,
        };
        Some((end, disks))
    };
    let found = usize::try_from(at).ok().and_then(read);
    let found = found.ok_or(damaged(Text::new(
        "zip64 的目录结尾不在它声称的位置",
        "the end of its directory for zip64 is not where it says",
    )))?;
    Ok(Some(found))
}

/// An entry of the directory, as it stands.
struct Entry<'a> {
    flags: u16,
    method: u16,
    crc: u32,
    /// Bytes packed and unpacked, and the offset of its own header.
    packed: u32,
    unpacked: u32,
    at: u32,
    disk: u16,
    external: u32,
    name: &'a [u8],
    extra: &'a [u8],
}

fn fields_of_entry<'a>(fields: &mut Fields<'a>) -> Option<Entry<'a>> {
    if fields.u32()? != ENTRY {
        return None;
    }
    // The versions that made it, and that it takes.
    fields.take(4)?;
    let (flags, method) = (fields.u16()?, fields.u16()?);
    // Time and date.
    fields.take(4)?;
    let (crc, packed, unpacked) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let [name, extra, comment] = [fields.u16()?, fields.u16()?, fields.u16()?];
    let disk = fields.u16()?;
    // Whether it is a text.
    fields.take(2)?;
    let (external, at) = (fields.u32()?, fields.u32()?);
    let entry = Entry {
        flags,
        method,
        crc,
        packed,
        unpacked,
        at,
        disk,
        external,
        name: fields.take(name.into())?,
        extra: fields.take(extra.into())?,
    };
    fields.take(comment.into())?;
    Some(entry)
}

/// Reads the next member, and refuses what none may be. `left` is what is left of the
/// `most` bytes that all may come to.
fn entry<'a>(
    fields: &mut Fields<'a>,
    left: &mut u64,
    most: u64,
) -> Result<Member<'a>, ArchiveFault> {
    let entry = fields_of_entry(fields);
    let entry = entry.ok_or(damaged(Text::new(
        "目录在某个成员中间就结束了",
        "its directory ends within a member",
    )))?;
    let name = member_name::read(entry.name, entry.flags & UTF8 != 0, entry.extra)?;
    if is_encrypted(entry.flags, entry.method) {
        return Err(ArchiveFault::Encrypted { member: name });
    }
    let numbers = [entry.unpacked, entry.packed, entry.at];
    let [unpacked, packed, at] =
        widened(numbers, entry.extra).map_err(|BadExtra| bad_extra(&name))?;
    if entry.disk != 0 && entry.disk != u16::MAX {
        return Err(ArchiveFault::Split);
    }
    let is_folder = kind(&entry, &name, unpacked)?;
    if !is_folder && member_name::key(&name).is_empty() {
        return Err(member_name::fault(
            &name,
            Text::new("不是文件名", "names no file"),
        ));
    }
    let sizes = Sizes {
        crc: entry.crc,
        packed,
        unpacked,
    };
    let Some(rest) = left.checked_sub(unpacked) else {
        return Err(ArchiveFault::Bomb {
            member: name,
            bytes: unpacked,
            most,
        });
    };
    *left = rest;
    let method = method(&entry, &name, sizes)?;
    Ok(Member {
        name,
        raw_name: entry.name,
        sizes,
        method,
        at,
        is_folder,
    })
}

/// Flag of a name in UTF-8 (APPNOTE.TXT, 4.4.4).
const UTF8: u16 = 1 << 11;

/// Tells whether a member takes a password: encrypted, strongly, or its header hidden
/// (APPNOTE.TXT, 4.4.4), or by AES (method 99, APPNOTE.TXT, appendix E).
pub(super) fn is_encrypted(flags: u16, method: u16) -> bool {
    flags & (1 | 1 << 6 | 1 << 13) != 0 || method == 99
}

/// Reads the method, and holds it against the sizes.
fn method(entry: &Entry<'_>, name: &str, sizes: Sizes) -> Result<Method, ArchiveFault> {
    let lies = |what| {
        Err(ArchiveFault::Lies {
            member: name.to_owned(),
            what,
        })
    };
    match entry.method {
        // Data for a patch, which is no file by itself.
        0 | 8 if entry.flags & 1 << 5 != 0 => Err(ArchiveFault::Method {
            member: name.to_owned(),
            method: "patches".to_owned(),
        }),
        0 if sizes.packed == sizes.unpacked => Ok(Method::Stored),
        0 => lies(Text::new(
            "它没有压缩，却有两个不同的大小",
            "it is stored as it is, and has two sizes",
        )),
        8 if sizes.unpacked <= sizes.packed.saturating_mul(MOST_OF_A_BYTE) => Ok(Method::Deflated),
        8 => lies(Text::new(
            "它声称解压后的大小超过这么少的字节所能有的",
            "it says that it unpacks to more than so few bytes can",
        )),
        number => Err(ArchiveFault::Method {
            member: name.to_owned(),
            method: name_of_method(number),
        }),
    }
}

/// Names a method (APPNOTE.TXT, 4.4.5).
fn name_of_method(number: u16) -> String {
    let name = match number {
        1 => "shrink",
        2..=5 => "reduce",
        6 => "implode",
        9 => "deflate64",
        12 => "bzip2",
        14 => "LZMA",
        20 | 93 => "zstd",
        95 => "xz",
        98 => "PPMd",
        number => return format!("method {number}"),
    };
    name.to_owned()
}

/// Tells whether a member is a folder, and refuses what is neither that nor a file. The upper
/// half of the attributes is a mode of Unix (`sys/stat.h`), whatever system says that it made
/// the archive: Python writes one on Windows, too.
fn kind(entry: &Entry<'_>, name: &str, unpacked: u64) -> Result<bool, ArchiveFault> {
    /// `FILE_ATTRIBUTE_REPARSE_POINT`: how 7-Zip packs a link of Windows.
    const REPARSE_POINT: u32 = 0x400;
    /// `FILE_ATTRIBUTE_DIRECTORY`.
    const FOLDER: u32 = 0x10;
    let special = |kind| {
        Err(ArchiveFault::Special {
            member: name.to_owned(),
            kind,
        })
    };
    let mode = entry.external >> 28;
    if mode == 0xA || entry.external & REPARSE_POINT != 0 {
        return Err(ArchiveFault::Link {
            member: name.to_owned(),
        });
    }
    match mode {
        0x2 | 0x6 => return special(Text::new("设备文件", "a device")),
        0xC => return special(Text::new("套接字", "a socket")),
        // What `zip -` read from a pipe is a file.
        0x1 if unpacked == 0 => return special(Text::new("管道", "a pipe")),
        0x0 | 0x1 | 0x4 | 0x8 => {}
        _ => {
            return special(Text::new(
                "不存在的文件类型",
                "no kind of file that there is",
            ));
        }
    }
    let is_folder = name.ends_with('/') || mode == 0x4 || entry.external & FOLDER != 0;
    if is_folder && unpacked > 0 {
        return Err(ArchiveFault::Lies {
            member: name.to_owned(),
            what: Text::new("它是目录，却含有内容", "it is a folder, and holds bytes"),
        });
    }
    Ok(is_folder)
}
