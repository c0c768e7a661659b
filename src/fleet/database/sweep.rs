//! Sweeping of the store, a little at a time, between two writes: what no device names any
//! more goes, and so do addresses that are too old to be kept.

use super::row::OfferText;
use super::said::Table;
use crate::fleet::record::ADDRESS_KEPT;
use rusqlite::{Connection, params};
use std::collections::HashSet;

/// Number of rows that are looked at, or removed, in one step.
const STEP: u32 = 5_000;

/// A sweep that is under way.
#[derive(Debug)]
pub(super) struct Sweep {
    /// Latest number of each table as it began: what is newer was not there.
    newest: [i64; 3],
    used: [HashSet<i64>; 3],
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Looking at devices behind this key.
    Devices(Vec<u8>),
    /// Looking at the values of a table behind this number.
    Values(Table, i64),
    Done,
}

impl Sweep {
    pub(super) fn begin(connection: &Connection) -> rusqlite::Result<Self> {
        let newest = |table: Table| {
            let find = table.pick([
                "SELECT max(id) FROM profile",
                "SELECT max(id) FROM build",
                "SELECT max(id) FROM image",
            ]);
            let newest: Option<i64> = connection.query_row(find, [], |row| row.get(0))?;
            Ok::<_, rusqlite::Error>(newest.unwrap_or_default())
        };
        let [profile, build, image] = Table::ALL.map(newest);
        Ok(Self {
            newest: [profile?, build?, image?],
            used: Default::default(),
            stage: Stage::Devices(Vec::new()),
        })
    }

    /// Takes that a device that is written now names a value.
    pub(super) fn keep(&mut self, table: Table, number: i64) {
        table.pick(self.used.each_mut()).insert(number);
    }

    /// Does the next step. Returns true once all is done.
    pub(super) fn step(&mut self, connection: &Connection, now: u64) -> rusqlite::Result<bool> {
        self.stage = match &self.stage {
            Stage::Devices(after) => match self.devices(connection, &after.clone(), now)? {
                Some(last) => Stage::Devices(last),
                None => Stage::Values(Table::Profile, 0),
            },
            Stage::Values(table, after) => {
                let (table, after) = (*table, *after);
                let next = table.pick([
                    Stage::Values(Table::Build, 0),
                    Stage::Values(Table::Image, 0),
                    Stage::Done,
                ]);
                let last = self.values(connection, table, after)?;
                last.map_or(next, |last| Stage::Values(table, last))
            }
            Stage::Done => return Ok(true),
        };
        Ok(matches!(self.stage, Stage::Done))
    }

    /// Notes what some devices name. Returns the last one's key.
    fn devices(
        &mut self,
        connection: &Connection,
        after: &[u8],
        now: u64,
    ) -> rusqlite::Result<Option<Vec<u8>>> {
        let kept = u64::try_from(ADDRESS_KEPT.as_millis()).unwrap_or(u64::MAX);
        let oldest = now.saturating_sub(kept).cast_signed();
        let mut statement = connection.prepare_cached(
            "SELECT id, profile, build, offers, address IS NOT NULL AND last_seen BETWEEN 0 AND ?2 \
             FROM device WHERE id > ?1 ORDER BY id LIMIT ?3",
        )?;
        let [profiles, builds, images] = self.used.each_mut();
        let mut rows = statement.query(params![after, oldest, STEP])?;
        let mut last = None;
        let mut expired: Vec<Vec<u8>> = Vec::new();
        while let Some(row) = rows.next()? {
            let key: Vec<u8> = row.get(0)?;
            // What cannot be read is left out by whoever reads it, too.
            profiles.extend(row.get_ref(1)?.as_i64());
            builds.extend(row.get_ref(2)?.as_i64());
            let offers = row.get_ref(3)?.as_str_or_null().ok().flatten();
            let offers = offers.unwrap_or("[]");
            let offers: Vec<OfferText<'_>> = serde_json::from_str(offers).unwrap_or_default();
            for offer in offers {
                images.insert(offer.5);
                builds.insert(offer.6);
            }
            if row.get(4)? {
                expired.push(key.clone());
            }
            last = Some(key);
        }
        drop(rows);
        let mut forget =
            connection.prepare_cached("UPDATE device SET address = NULL WHERE id = ?1")?;
        for key in expired {
            forget.execute([key])?;
        }
        Ok(last)
    }

    /// Removes values that no device names. Returns the last one's number.
    fn values(
        &self,
        connection: &Connection,
        table: Table,
        after: i64,
    ) -> rusqlite::Result<Option<i64>> {
        let (used, newest) = (table.pick(self.used.each_ref()), table.pick(self.newest));
        let [find, remove] = table.pick([
            [
                "SELECT id FROM profile WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
                "DELETE FROM profile WHERE id = ?1",
            ],
            [
                "SELECT id FROM build WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
                "DELETE FROM build WHERE id = ?1",
            ],
            [
                "SELECT id FROM image WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
                "DELETE FROM image WHERE id = ?1",
            ],
        ]);
        let mut find = connection.prepare_cached(find)?;
        let ids = find.query_map(params![after, newest, STEP], |row| row.get(0))?;
        let ids: Vec<i64> = ids.collect::<Result<_, _>>()?;
        let mut remove = connection.prepare_cached(remove)?;
        for id in ids.iter().filter(|id| !used.contains(id)) {
            remove.execute([id])?;
        }
        Ok(ids.last().copied())
    }
}
