//! Places of the members: each behind the other, from the first byte to the directory. What a
//! member's own header says must be what the directory says of it; some programs read only
//! this, and some only that.

use super::directory::{Directory, Member, Sizes, is_encrypted};
use super::fields::{BadExtra, Fields, widened};
use super::member_name::bad_extra;
use super::{ArchiveFault, directory::Method};
use crate::event::text::Text;
use std::ops::Range;

/// Signatures of a member's own header and of what may stand behind its bytes (APPNOTE.TXT,
/// 4.3.7, 4.3.9).
const HEADER: u32 = 0x0403_4B50;
const DESCRIPTOR: u32 = 0x0807_4B50;

/// Returns where the packed bytes of each member are, in the order of the directory.
pub(super) fn places(
    archive: &[u8],
    directory: &Directory<'_>,
) -> Result<Vec<Range<usize>>, ArchiveFault> {
    let mut order: Vec<_> = directory.members.iter().enumerate().collect();
    order.sort_by_key(|(_, member)| member.at);
    let mut places = vec![0..0; order.len()];
    match order.first() {
        Some((_, first)) if first.at > 0 => {
            return Err(ArchiveFault::Stray {
                member: first.name.clone(),
                bytes: usize::try_from(first.at).unwrap_or(usize::MAX),
                is_behind: false,
            });
        }
        None if directory.at > 0 => {
            let what = Text::new("其中有内容，却没有成员", "it has bytes, and no members");
            return Err(ArchiveFault::Damaged { what });
        }
        _ => {}
    }
    for (n, (number, member)) in order.iter().enumerate() {
        let next = order.get(n + 1).map(|(_, next)| *next);
        let end = match next {
            Some(next) => usize::try_from(next.at)
                .ok()
                .filter(|at| *at <= directory.at),
            None => Some(directory.at),
        };
        let overlap = || match next {
            Some(next) => ArchiveFault::Overlap {
                member: member.name.clone(),
                other: next.name.clone(),
            },
            None => lies(
                member,
                Text::new("它一直延伸到目录里", "it goes on into the directory"),
            ),
        };
        let end = end.ok_or_else(|| {
            lies(
                next.unwrap_or(member),
                Text::new(
                    "它的开头在目录处或目录之后",
                    "it begins where the directory is or behind it",
                ),
            )
        })?;
        let place = place(archive, member, end, &overlap)?;
        if let Some(of_member) = places.get_mut(*number) {
            *of_member = place;
        }
    }
    Ok(places)
}

fn lies(member: &Member<'_>, what: Text) -> ArchiveFault {
    ArchiveFault::Lies {
        member: member.name.clone(),
        what,
    }
}

/// A member's own header, as it stands.
struct Header<'a> {
    flags: u16,
    method: u16,
    crc: u32,
    packed: u32,
    unpacked: u32,
    name: &'a [u8],
    extra: &'a [u8],
}

fn header<'a>(fields: &mut Fields<'a>) -> Option<Header<'a>> {
    if fields.u32()? != HEADER {
        return None;
    }
    // The version that it takes.
    fields.take(2)?;
    let (flags, method) = (fields.u16()?, fields.u16()?);
    // Time and date.
    fields.take(4)?;
    let (crc, packed, unpacked) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let (name, extra) = (fields.u16()?, fields.u16()?);
    Some(Header {
        flags,
        method,
        crc,
        packed,
        unpacked,
        name: fields.take(name.into())?,
        extra: fields.take(extra.into())?,
    })
}

/// Returns where the bytes of a member are that must end at `end`, with what may stand behind
/// them.
fn place(
    archive: &[u8],
    member: &Member<'_>,
    end: usize,
    overlap: &dyn Fn() -> ArchiveFault,
) -> Result<Range<usize>, ArchiveFault> {
    let begin = usize::try_from(member.at).ok().filter(|at| *at < end);
    let mut fields = Fields::new(
        begin
            .and_then(|at| archive.get(at..end))
            .ok_or_else(overlap)?,
    );
    let header = header(&mut fields);
    let header = header.ok_or_else(|| {
        lies(
            member,
            Text::new(
                "它应在的位置没有成员",
                "where it should begin no member does",
            ),
        )
    })?;
    if is_encrypted(header.flags, header.method) {
        let member = member.name.clone();
        return Err(ArchiveFault::Encrypted { member });
    }
    if header.name != member.raw_name {
        return Err(lies(
            member,
            Text::new(
                "它自己的头部里是另一个名称",
                "in its own header it has another name",
            ),
        ));
    }
    let method = match header.method {
        0 => Some(Method::Stored),
        8 => Some(Method::Deflated),
        _ => None,
    };
    if method != Some(member.method) {
        return Err(lies(
            member,
            Text::new(
                "它自己的头部里是另一种压缩方法",
                "in its own header it has another method",
            ),
        ));
    }
    let numbers = [header.unpacked, header.packed];
    let [unpacked, packed] =
        widened(numbers, header.extra).map_err(|BadExtra| bad_extra(&member.name))?;
    let start = end - fields.left();
    let length = usize::try_from(member.sizes.packed).ok();
    let taken = length.and_then(|length| fields.take(length));
    let Some(taken) = taken else {
        return Err(overlap());
    };
    let said = Sizes {
        crc: header.crc,
        packed,
        unpacked,
    };
    let place = start..start + taken.len();
    match fields.left() {
        0 if said == member.sizes => Ok(place),
        0 => Err(lies(
            member,
            Text::new(
                "它自己的头部里的大小或校验和不同",
                "in its own header it has other sizes or another checksum",
            ),
        )),
        _ if describes(fields, &member.sizes) => {
            // What was packed as it came has none of them in front.
            let is_open = |said: u64, known: u64| said == 0 || said == known;
            if is_open(said.crc.into(), member.sizes.crc.into())
                && is_open(said.packed, member.sizes.packed)
                && is_open(said.unpacked, member.sizes.unpacked)
            {
                Ok(place)
            } else {
                Err(lies(
                    member,
                    Text::new(
                        "它自己的头部里的大小或校验和不同",
                        "in its own header it has other sizes or another checksum",
                    ),
                ))
            }
        }
        bytes => Err(ArchiveFault::Stray {
            member: member.name.clone(),
            bytes,
            is_behind: true,
        }),
    }
}

/// Tells whether what stands behind a member's bytes says the same of them: checksum and
/// sizes, of four or eight bytes, with a signature or without.
fn describes(fields: Fields<'_>, sizes: &Sizes) -> bool {
    let same = |mut fields: Fields<'_>, is_signed: bool, is_wide: bool| {
        if is_signed && fields.u32()? != DESCRIPTOR {
            return None;
        }
        let size = |fields: &mut Fields<'_>| {
            if is_wide {
                fields.u64()
            } else {
                fields.u32().map(u64::from)
            }
        };
        let crc = fields.u32()?;
        let (packed, unpacked) = (size(&mut fields)?, size(&mut fields)?);
        let said = Sizes {
            crc,
            packed,
            unpacked,
        };
        Some(said == *sizes)
    };
    let (is_signed, is_wide) = match fields.left() {
        12 => (false, false),
        16 => (true, false),
        20 => (false, true),
        24 => (true, true),
        _ => return false,
    };
    same(fields, is_signed, is_wide) == Some(true)
}
