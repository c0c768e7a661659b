//! Wiping: of a device that is forgotten, nothing is to be left in the file.
//!
//! `secure_delete` overwrites what is deleted where it lies, and not where it lay: a page
//! whose rows move to another one keeps their bytes in its unused part (`rebuildPage` in
//! SQLite's `btree.c`). It is rare, so the file is looked through for a device's own bytes,
//! and only if there are any is all of it written anew.

use crate::fleet::id::DeviceId;
use crate::fleet::record::ClientId;
use memchr::memmem::Finder;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// Number of texts that are looked for one by one. Where there are more, writing the file
/// anew is cheaper.
pub(super) const MANY: usize = 32;
/// Number of bytes below which a text is anybody's.
const SHORT: usize = 6;
/// Number of bytes that are read at once.
const BLOCK: usize = 1 << 20;

/// Returns what would tell of a device in the bytes of a file.
pub(crate) fn traces(id: &DeviceId, client: &ClientId) -> Vec<Vec<u8>> {
    // Behind the first byte, which tells the kinds of ids.
    let id = super::row::key(id).split_off(1);
    let client = match client {
        ClientId::Uuid(bytes) => bytes.to_vec(),
        ClientId::Text(text) => text.as_bytes().to_vec(),
    };
    let traces = [id, client].into_iter();
    traces.filter(|trace| trace.len() >= SHORT).collect()
}

/// Tells whether a file holds any of these.
pub(super) fn holds(file: &File, traces: &[Vec<u8>]) -> io::Result<bool> {
    let finders: Vec<_> = traces.iter().map(Finder::new).collect();
    let longest = traces.iter().map(Vec::len).max().unwrap_or_default();
    let mut bytes = vec![0; BLOCK + longest];
    let mut at = 0;
    loop {
        // Each block begins with the end of the one before.
        let mut length = 0;
        while let Some(rest) = bytes.get_mut(length..)
            && !rest.is_empty()
        {
            match file.read_at(rest, at + length as u64)? {
                0 => break,
                read => length += read,
            }
        }
        let read = bytes.get(..length).unwrap_or_default();
        if finders.iter().any(|finder| finder.find(read).is_some()) {
            return Ok(true);
        }
        if length < bytes.len() {
            return Ok(false);
        }
        at += BLOCK as u64;
    }
}
