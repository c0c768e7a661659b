//! Memory that a release may take while it is read: whoever sends one must not have the server
//! killed by it.

use super::archive::TOGETHER;
use super::folder::scan;
use crate::util::memory::Memory;
use std::io::{self, Read};

/// Part of the machine's memory that it may take, as a divisor. That is beside what the settings
/// deal out: one is read at a time, for a moment, and all else is seldom full at once.
const PART: u64 = 4;
/// Number of bytes that it may take on the smallest machine.
const FEWEST: u64 = 8 << 20;

/// Returns the number of bytes that a release may take with what comes out of it.
pub(super) fn most() -> u64 {
    of(Memory::look())
}

fn of(memory: Memory) -> u64 {
    let least = memory.least();
    least.map_or(TOGETHER, |bytes| (bytes / PART).clamp(FEWEST, TOGETHER))
}

/// Reads what may have `most` bytes; `None` where it has more. `length` is how many are known to
/// come: room that grows by doubling would take twice as much.
///
/// # Errors
///
/// It cannot be read.
pub(super) fn read(from: &mut impl Read, length: u64, most: u64) -> io::Result<Option<Vec<u8>>> {
    if length > most {
        return Ok(None);
    }
    let room = usize::try_from(length).unwrap_or_default();
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(room).map_err(io::Error::other)?;
    let mut from = from.take(most.saturating_add(1));
    scan::each_block(&mut from, |block| bytes.extend_from_slice(block))?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_release_takes_a_quarter_of_what_there_is() {
        for (machine, group, most) in [
            (None, None, 160),
            (Some(4096), None, 160),
            (Some(512), None, 128),
            (Some(4096), Some(128), 32),
            (Some(4096), Some(16), 8),
        ] {
            let [machine, group] = [machine, group].map(|all: Option<u64>| all.map(|n| n * MIB));
            assert_eq!(of(Memory { machine, group }), most * MIB);
        }
    }

    #[test]
    fn nothing_is_taken_for_more_than_there_is_room_for() {
        for (length, most, is_read) in [(5, 5, true), (0, 5, true), (5, 4, false), (0, 4, false)] {
            let read = read(&mut &b"bytes"[..], length, most).unwrap();
            assert_eq!(read.is_some(), is_read, "{length} {most}");
        }
        let read = read(&mut &b"bytes"[..], 5, 100).unwrap().unwrap();
        assert_eq!((read.capacity(), &*read), (5, &b"bytes"[..]));
    }
}
