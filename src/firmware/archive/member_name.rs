//! Names of members: what they say, and which no file should have.

use super::ArchiveFault;
use super::fields::extra_field;
use crate::event::text::Text;
use crate::firmware::name::model_key;
use encoding_rs::GBK;
use flate2::Crc;
use std::str::Utf8Error;

/// Longest name, in bytes: a path on Linux may have 4096 with what stands in front of it.
const LONGEST: usize = 1024;

/// Reads a member's name. `is_utf8` is what its flag says (bit 11, APPNOTE.TXT, 4.4.4).
/// Without it the name is UTF-8 all the same, or in the code page of whoever packed it; of those
/// only the Chinese one is known, and the name says nothing but which member is meant.
pub(super) fn read(raw: &[u8], is_utf8: bool, extra: &[u8]) -> Result<String, ArchiveFault> {
    let as_it_stands = match str::from_utf8(raw) {
        Ok(name) => name.to_owned(),
        Err(_) if is_utf8 => {
            let member = String::from_utf8_lossy(raw).into_owned();
            return Err(fault(
                &member,
                Text::new(
                    "声称是 UTF-8，实际不是",
                    "says that it is UTF-8, and is not",
                ),
            ));
        }
        Err(_) => GBK
            .decode_without_bom_handling_and_without_replacement(raw)
            .map_or_else(|| String::from_utf8_lossy(raw).into_owned(), Into::into),
    };
    check(&as_it_stands)?;
    let unicode = extra_field(extra, UNICODE_PATH)
        .map_err(|_| bad_extra(&as_it_stands))?
        .and_then(|field| unicode_path(field, raw));
    match unicode {
        None => Ok(as_it_stands),
        Some(Ok(name)) => {
            check(name)?;
            Ok(name.to_owned())
        }
        Some(Err(_)) => Err(fault(
            &as_it_stands,
            Text::new(
                "声称是 UTF-8，实际不是",
                "says that it is UTF-8, and is not",
            ),
        )),
    }
}

/// Returns the fault of a member whose extra fields cannot be read.
pub(super) fn bad_extra(name: &str) -> ArchiveFault {
    ArchiveFault::Lies {
        member: name.to_owned(),
        what: Text::new(
            "它的附加字段与其声称的不符",
            "its extra fields are not what they say they are",
        ),
    }
}

/// Info-ZIP's field for a name in UTF-8 (APPNOTE.TXT, 4.6.9).
const UNICODE_PATH: u16 = 0x7075;

/// Returns the name in that field, where it belongs to the name in the header.
fn unicode_path<'a>(field: &'a [u8], raw: &[u8]) -> Option<Result<&'a str, Utf8Error>> {
    let (version, rest) = field.split_first()?;
    let (sum, name) = rest.split_first_chunk()?;
    let mut crc = Crc::new();
    crc.update(raw);
    let is_meant = *version == 1 && u32::from_le_bytes(*sum) == crc.sum();
    is_meant.then(|| str::from_utf8(name))
}

/// Returns the one spelling of a path, by which two are compared.
pub(super) fn key(name: &str) -> String {
    let parts = name.split('/').filter(|part| !matches!(*part, "" | "."));
    model_key(&parts.collect::<Vec<_>>().join("/")).into_owned()
}

/// Returns the fault of a name.
pub(super) fn fault(name: &str, why: Text) -> ArchiveFault {
    ArchiveFault::Name {
        member: name.to_owned(),
        why,
    }
}

/// Refuses what would lead out of the folder that it is unpacked to, on any system, and what no
/// file is called. Nothing is unpacked here; but nobody who builds firmware makes such a name.
fn check(name: &str) -> Result<(), ArchiveFault> {
    let is_drive = |name: &str| {
        let mut signs = name.chars();
        signs.next().is_some_and(|c| c.is_ascii_alphabetic()) && signs.next() == Some(':')
    };
    let why = if name.is_empty() {
        Text::new("为空", "is empty")
    } else if name.len() > LONGEST {
        Text::new("过长", "is too long")
    } else if name.chars().any(char::is_control) {
        Text::new("含有控制字符", "holds a control character")
    } else if name.contains('\\') {
        Text::new("含有反斜杠", "holds a backslash")
    } else if name.starts_with('/') {
        Text::new("是绝对路径", "is an absolute path")
    } else if is_drive(name) {
        Text::new("以盘符开头", "begins with a drive letter")
    } else if name.split('/').any(|part| part == "..") {
        Text::new(
            "会指向解压目录之外（..）",
            "leads out of the folder that it is unpacked to (..)",
        )
    } else {
        return Ok(());
    };
    Err(fault(name, why))
}
