//! Hourly counts, as they are written and read.

use super::fault::Fault;
use super::reader::Reader;
use crate::fleet::past::{Hours, Step, TRANSPORTS, VERSIONS};
use rusqlite::{Connection, OptionalExtension as _};
use std::time::Duration;

/// Hours for which hourly counts are kept: a year.
pub(super) const HOURS: u64 = 366 * 24;
/// Most labels of one kind that are read of an hour.
const LABELS: u32 = 256;
/// Longest time that a lock is waited for, which only a recovery takes.
const PATIENCE: Duration = Duration::from_millis(200);

impl Reader {
    /// Reads what was counted in each of these stretches; nothing of hours in which none was.
    /// What it reads is of one moment, and no more than a year.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    pub(crate) fn past(&mut self, stretches: &[Hours]) -> Result<Vec<Step>, Fault> {
        let connection = self.connection();
        connection.busy_timeout(PATIENCE)?;
        let begun = connection.transaction()?;
        let kept = kept(&begun)?;
        let steps = stretches.iter().map(|hours| {
            let hours = hours.start.max(kept.start)..hours.end.min(kept.end);
            step(&begun, hours)
        });
        let steps = steps.collect::<Result<_, _>>()?;
        begun.commit()?;
        Ok(steps)
    }
}

/// Returns the hours of which there are counts, and no more than are kept: a clock that was
/// wrong leaves some behind.
fn kept(connection: &Connection) -> Result<Hours, Fault> {
    let ask = |which: &str| {
        let ask = format!("SELECT {which}(hour) FROM hourly");
        let found = connection.query_row(&ask, [], |row| row.get::<_, Option<i64>>(0));
        Ok::<_, Fault>(found.optional()?.flatten().map(i64::cast_unsigned))
    };
    Ok(match (ask("min")?, ask("max")?) {
        (Some(first), Some(last)) => first..last.saturating_add(1),
        _ => 0..0,
    })
}

fn step(connection: &Connection, hours: Hours) -> Result<Step, Fault> {
    let mut step = Step::default();
    let first = hours.start.max(hours.end.saturating_sub(HOURS));
    for hour in (first..hours.end).rev() {
        if step.versions.is_empty() {
            each(connection, hour, VERSIONS, |label, count| {
                step.add_version(label, count);
            })?;
        }
        each(connection, hour, TRANSPORTS, |label, count| {
            step.add_transport(label, count);
        })?;
    }
    Ok(step)
}

fn each(
    connection: &Connection,
    hour: u64,
    kind: &str,
    mut take: impl FnMut(&str, u64),
) -> Result<(), Fault> {
    let read = "SELECT label, count FROM hourly WHERE hour = ?1 AND kind = ?2 LIMIT ?3";
    let mut read = connection.prepare_cached(read)?;
    let mut rows = read.query((hour.cast_signed(), kind, LABELS))?;
    while let Some(row) = rows.next()? {
        // What is damaged counts for nothing.
        if let (Ok(label), Ok(count)) = (row.get_ref(0)?.as_str(), row.get::<_, i64>(1)) {
            take(label, u64::try_from(count).unwrap_or(0));
        }
    }
    Ok(())
}
