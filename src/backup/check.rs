//! Check of a backup: every byte of it is looked at before anything is touched.

use super::layout::{self, LONGEST_TEXT, MANIFEST, MOST, SUMS, VERSION};
use super::tarball::{Fault, Found, Reader, shown};
use crate::event::{Event, event};
use crate::util::small_file::LONGEST;
use aws_lc_rs::digest::{Context, SHA256};
use nix::fcntl::OFlag;
use serde_json::Value;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Number of damaged members that are named.
const NAMED: usize = 10;

/// A backup of which every byte was looked at.
#[derive(Debug)]
pub(crate) struct Checked {
    file: File,
    path: PathBuf,
    /// Its members, in their order, but for those that speak of the others.
    members: Vec<Member>,
    manifest: Value,
}

/// A member of a backup.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) name: PathBuf,
    pub(super) size: u64,
    pub(super) mode: u32,
    /// Place of its first byte in the backup.
    offset: u64,
    pub(super) hash: [u8; 32],
}

/// Opens a backup, and looks whether it is whole.
///
/// # Errors
///
/// The event names what is no backup, or which members are damaged.
pub(crate) fn check(path: &Path) -> Result<Checked, Event> {
    let unread = |error: &io::Error| event!(BACKUP_UNREAD, file = path, error = error);
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
        .map_err(|e| unread(&e))?;
    let about = file.metadata().map_err(|e| unread(&e))?;
    if !about.is_file() {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
        return Err(unread(&error));
    }
    let mut members: Vec<Member> = Vec::new();
    let mut places = HashMap::new();
    let (mut manifest, mut sums) = (None, None);
    let mut reader = Reader::new(BufReader::new(&file));
    loop {
        let last = members.last().map(|member| &*member.name);
        let found = reader.next().map_err(|fault| in_words(path, fault, last))?;
        let Some(found) = found else {
            break;
        };
        let odd = |why| {
            event!(
                BACKUP_ODD,
                file = path,
                member = shown(&found.name),
                why = why
            )
        };
        let Some(name) = layout::member(&found.name) else {
            return Err(odd("no backup has a member of this name"));
        };
        if sums.is_some() {
            return Err(odd("it stands behind the list of sums"));
        }
        if members.len() >= MOST {
            return Err(odd("there are more members than any backup has"));
        }
        if places.insert(name.clone(), members.len()).is_some() {
            return Err(odd("it is there twice"));
        }
        let is_text = name == Path::new(MANIFEST) || name == Path::new(SUMS);
        if is_text && found.size > LONGEST_TEXT {
            return Err(odd("it is longer than any that a backup has"));
        }
        let (hash, text) = read(&mut reader, &found, is_text)
            .map_err(|fault| in_words(path, fault, Some(&name)))?;
        if name == Path::new(SUMS) {
            places.remove(&name);
            sums = Some(text);
            continue;
        }
        if name == Path::new(MANIFEST) {
            manifest = Some(text);
        }
        members.push(Member {
            name,
            size: found.size,
            mode: found.mode,
            offset: found.offset,
            hash,
        });
    }
    let (Some(manifest), Some(sums)) = (manifest, sums) else {
        return Err(event!(BACKUP_NONE, file = path));
    };
    hold_against(&sums, &members, path)?;
    let manifest = of_version(&manifest, path)?;
    members.retain(|member| member.name != Path::new(MANIFEST));
    Ok(Checked {
        file,
        path: path.to_owned(),
        members,
        manifest,
    })
}

/// Reads a member, and keeps its content where it is asked for.
fn read(
    reader: &mut Reader<BufReader<&File>>,
    found: &Found,
    is_text: bool,
) -> Result<([u8; 32], Vec<u8>), Fault> {
    let mut hash = Context::new(&SHA256);
    let mut text = Vec::new();
    reader.content(found.size, |part| {
        hash.update(part);
        if is_text {
            text.extend(part);
        }
        Ok(())
    })?;
    Ok((finish(hash), text))
}

fn finish(hash: Context) -> [u8; 32] {
    hash.finish().as_ref().try_into().unwrap_or_default()
}

/// Says what is wrong with an archive. `member` is the last one that was begun.
fn in_words(path: &Path, fault: Fault, member: Option<&Path>) -> Event {
    match fault {
        Fault::Cut => event!(BACKUP_CUT, file = path, member = member),
        Fault::Damaged if member.is_none() => event!(BACKUP_NONE, file = path),
        Fault::Damaged => {
            let behind = member.map(|member| member.display().to_string());
            event!(BACKUP_BROKEN, file = path, member = behind)
        }
        Fault::Odd(name, why) => {
            event!(BACKUP_ODD, file = path, member = shown(&name), why = why)
        }
        Fault::Error(error) => event!(BACKUP_UNREAD, file = path, error = &error),
    }
}

/// Holds members against the list of sums, line for line. Both say the same, or the backup is
/// damaged.
fn hold_against(sums: &[u8], members: &[Member], path: &Path) -> Result<(), Event> {
    let lines = sums.split_inclusive(|b| *b == b'\n');
    let lines: std::collections::HashSet<&[u8]> = lines.collect();
    let is_wrong = |member: &&Member| {
        let line = layout::sum_line(&member.hash, &member.name);
        !lines.contains(&*line)
    };
    let wrong: Vec<_> = members.iter().filter(is_wrong).collect();
    if wrong.is_empty() && lines.len() == members.len() {
        return Ok(());
    }
    let names = wrong.iter().take(NAMED);
    let mut names: Vec<_> = names.map(|m| m.name.display().to_string()).collect();
    if names.is_empty() {
        names.push(SUMS.to_owned());
    }
    Err(event!(BACKUP_DAMAGED, file = path, members = &*names))
}

/// Reads what a backup says of itself.
fn of_version(manifest: &[u8], path: &Path) -> Result<Value, Event> {
    let manifest: Value = serde_json::from_slice(manifest).unwrap_or_default();
    match manifest.get("version").and_then(Value::as_u64) {
        Some(VERSION) => Ok(manifest),
        Some(newer) if newer > VERSION => Err(event!(BACKUP_NEWER, file = path, version = newer)),
        _ => Err(event!(BACKUP_NONE, file = path)),
    }
}

impl Checked {
    /// Returns the time at which the backup was made, as it says.
    pub(crate) fn made_at(&self) -> &str {
        self.manifest
            .get("made")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Returns the name of its configuration, and the place that this had.
    pub(crate) fn config(&self) -> Option<(&Path, PathBuf)> {
        let member = self.members.iter().find(|m| m.name.starts_with("config"))?;
        let name = member.name.display().to_string();
        let members = self.manifest.get("members")?.as_array()?;
        let of = members
            .iter()
            .find(|member| member.get("member").and_then(Value::as_str) == Some(&name))?;
        let from = of.get("from")?.as_str()?;
        Some((&member.name, PathBuf::from(from)))
    }

    /// Reads its configuration; `None` where it has none.
    ///
    /// # Errors
    ///
    /// The backup cannot be read any more, or its configuration is longer than any that is
    /// read.
    pub(crate) fn read_config(&mut self) -> Result<Option<Vec<u8>>, Event> {
        let config = self.members.iter().find(|m| m.name.starts_with("config"));
        let Some(member) = config.cloned() else {
            return Ok(None);
        };
        if member.size > LONGEST {
            let name = member.name.display().to_string();
            let why = "it is longer than any that is read";
            return Err(event!(
                BACKUP_ODD,
                file = &self.path,
                member = name,
                why = why
            ));
        }
        let mut text = Vec::new();
        self.copy(&member, |part| {
            text.extend(part);
            Ok(())
        })
        .map_err(|error| event!(BACKUP_UNREAD, file = &self.path, error = &error))?;
        Ok(Some(text))
    }

    /// Returns the members that become files.
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Hands out the bytes of a member, which are held against its sum once more: the disk is
    /// read a second time.
    pub(super) fn copy(
        &mut self,
        member: &Member,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(member.offset))?;
        let mut from = (&self.file).take(member.size);
        let mut hash = Context::new(&SHA256);
        let mut buffer = vec![0; 128 << 10];
        loop {
            let read = from.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            let part = buffer.get(..read).unwrap_or_default();
            hash.update(part);
            take(part)?;
        }
        if finish(hash) == member.hash {
            Ok(())
        } else {
            let what = format!("{} changed while it was read", self.path.display());
            Err(io::Error::new(io::ErrorKind::InvalidData, what))
        }
    }
}
