//! Past of the fleet, as its store keeps it.

use crate::event::{Event, event};
use crate::fleet::database::read_only;
use crate::fleet::{Hours, Step};
use crate::util::paths::absolute;
use std::path::Path;

/// Reads what was counted in each of these stretches of time, by a connection of its own;
/// `None` where nothing is kept.
///
/// # Errors
///
/// Why it cannot be read.
pub(super) fn read(dir: Option<&Path>, stretches: &[Hours]) -> Result<Option<Vec<Step>>, Event> {
    let Some(dir) = dir.map(absolute) else {
        return Ok(None);
    };
    let read = read_only(&dir).and_then(|reader| {
        let read = reader.map(|mut reader| reader.past(stretches));
        read.transpose()
    });
    read.map_err(|fault| event!(STORE_PAST_UNREAD, dir = dir, error = fault.to_string()))
}
