//! One device as a row.

use super::said::{Said, Table};
use crate::event::{Kind, kinds};
use crate::fleet::about::{Build, Profile};
use crate::fleet::id::DeviceId;
use crate::fleet::offer_end::OfferEnd;
use crate::fleet::outcome::{Content, Failure, History, Offer, OfferedImage};
use crate::fleet::record::{ClientId, Names, Record};
use crate::ota::device_memory::OwnModel;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use xiaozhi_device::hex;
use xiaozhi_device::mac::Mac;

/// First byte of an id that is a MAC address, and of one that is another text.
const MAC: u8 = 1;
const OTHER: u8 = 2;

/// Bits of `flags`.
const SECURE: i64 = 1;
const SETTLED: i64 = 2;
const LOST_OWN: i64 = 4;

/// Columns, in the order in which [`Reading::device`] reads them.
pub(super) const COLUMNS: &str = "id, client, profile, build, first_seen, last_seen, address, \
    boots, flags, why, own, at_first, former, offers, failed";

/// Statements that write a row: the second one where the first one finds none.
pub(super) const UPDATE: &str = "UPDATE device SET client = ?2, profile = ?3, build = ?4, \
    first_seen = ?5, last_seen = ?6, address = ?7, boots = ?8, flags = ?9, why = ?10, own = ?11, \
    at_first = ?12, former = ?13, offers = ?14, failed = ?15 WHERE id = ?1";
pub(super) const INSERT: &str = "INSERT INTO device(id, client, profile, build, first_seen, \
    last_seen, address, boots, flags, why, own, at_first, former, offers, failed) \
    VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

/// An offer: number, state, attempt, boots at which it was forced, the last of them, image,
/// what ran before, last change, begin of its term.
#[derive(Serialize, Deserialize)]
pub(super) struct OfferText<'a>(
    u16,
    &'a str,
    u8,
    u8,
    u32,
    /// Number in `image`.
    pub(super) i64,
    /// Number in `build`.
    pub(super) i64,
    u64,
    u64,
);

/// Writes an id.
pub(super) fn key(id: &DeviceId) -> Vec<u8> {
    match id {
        DeviceId::Mac(mac) => {
            let [_, _, bytes @ ..] = mac.bits().to_be_bytes();
            [&[MAC], &bytes[..]].concat()
        }
        DeviceId::Other(text) => [&[OTHER], text.as_bytes()].concat(),
    }
}

/// Reads an id. `None` for what [`key`] never wrote.
fn id(key: &[u8]) -> Option<DeviceId> {
    let (tag, rest) = key.split_first()?;
    match *tag {
        MAC => {
            let bytes: [u8; 6] = rest.try_into().ok()?;
            let bits = bytes
                .iter()
                .fold(0, |bits, byte| bits << 8 | u64::from(*byte));
            Mac::from_bits(bits).map(DeviceId::Mac)
        }
        OTHER => Some(DeviceId::Other(str::from_utf8(rest).ok()?.into())),
        _ => None,
    }
}

/// Gives the numbers of values that rows share, for one transaction.
pub(super) struct Numbers<'c> {
    connection: &'c Connection,
    /// By the place in memory, where a value stays as long as the records are there.
    known: HashMap<(Table, usize), i64>,
    added: usize,
}

impl<'c> Numbers<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            known: HashMap::new(),
            added: 0,
        }
    }

    fn number<T: Said>(&mut self, value: &Arc<T>) -> rusqlite::Result<i64> {
        let place = (T::TABLE, Arc::as_ptr(value).addr());
        if let Some(number) = self.known.get(&place) {
            return Ok(*number);
        }
        let text = value.write();
        let [find, insert] = T::TABLE.pick([
            [
                "SELECT id FROM profile WHERE said = ?1",
                "INSERT INTO profile(said) VALUES(?1)",
            ],
            [
                "SELECT id FROM build WHERE said = ?1",
                "INSERT INTO build(said) VALUES(?1)",
            ],
            [
                "SELECT id FROM image WHERE said = ?1",
                "INSERT INTO image(said) VALUES(?1)",
            ],
        ]);
        let mut find = self.connection.prepare_cached(find)?;
        let found = find.query_row([&text], |row| row.get(0)).optional()?;
        let number = if let Some(number) = found {
            number
        } else {
            self.added += 1;
            self.connection.prepare_cached(insert)?.insert([&text])?
        };
        self.known.insert(place, number);
        Ok(number)
    }

    /// Returns every number that was given.
    pub(super) fn given(&self) -> impl Iterator<Item = (Table, i64)> {
        self.known
            .iter()
            .map(|((table, _), number)| (*table, *number))
    }

    /// Returns the number of values that were new.
    pub(super) fn added(&self) -> usize {
        self.added
    }

    fn offers(&mut self, history: &History) -> rusqlite::Result<Option<String>> {
        let mut texts = Vec::new();
        for offer in &history.offers {
            texts.push(OfferText(
                offer.number,
                offer.end.key(),
                offer.attempt,
                offer.forced,
                offer.forced_at,
                self.number(&offer.image)?,
                self.number(&offer.before)?,
                offer.at,
                offer.since,
            ));
        }
        Ok((!texts.is_empty()).then(|| json(&texts)))
    }

    /// Writes a record with [`UPDATE`] or [`INSERT`]. Returns the number of rows that it made.
    pub(super) fn write(
        &mut self,
        [update, insert]: [&mut CachedStatement<'_>; 2],
        id: &DeviceId,
        record: &Record,
        now: u64,
    ) -> rusqlite::Result<u64> {
        let history = record.history.as_deref();
        let offers = history.map_or(Ok(None), |history| self.offers(history))?;
        let failed = history.and_then(failed);
        let (profile, build) = (self.number(&record.profile)?, self.number(&record.build)?);
        let values = params![
            key(id),
            client(&record.client),
            profile,
            build,
            record.first_seen.cast_signed(),
            record.last_seen.cast_signed(),
            address(record, now),
            record.boots,
            flags(record),
            record.why.map(|kind| kind.id),
            record.own.as_deref().map(own),
            record.at_first(),
            record.former().map(|former| own(former)),
            offers,
            failed,
        ];
        if update.execute(values)? > 0 {
            return Ok(0);
        }
        insert.execute(values).map(|rows| rows as u64)
    }
}

fn json(value: &impl Serialize) -> String {
    // It cannot fail: there are no maps, and no numbers but whole ones.
    serde_json::to_string(value).unwrap_or_default()
}

fn own(own: &OwnModel) -> String {
    json(&(&*own.named, &*own.files))
}

/// Writes a client id.
pub(super) fn client(client: &ClientId) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match client {
        ClientId::Uuid(bytes) => ValueRef::Blob(bytes),
        ClientId::Text(text) => ValueRef::Text(text.as_bytes()),
    })
}

fn flags(record: &Record) -> i64 {
    [
        (record.is_secure, SECURE),
        (record.is_settled, SETTLED),
        (record.has_lost_own, LOST_OWN),
    ]
    .into_iter()
    .filter_map(|(is_set, bit)| is_set.then_some(bit))
    .sum()
}

/// Returns the address as long as it is to be kept, in its own length.
fn address(record: &Record, now: u64) -> Option<Vec<u8>> {
    record.address(now)?;
    let address = record.address;
    Some(match address.to_ipv4_mapped() {
        Some(address) => address.octets().to_vec(),
        None => address.octets().to_vec(),
    })
}

/// Writes what failed: the content, how often, and when last.
fn failed(history: &History) -> Option<String> {
    let failed = history.failed.iter();
    let texts: Vec<_> = failed
        .map(|failed| (hex::encode(&failed.content.0), failed.times, failed.at))
        .collect();
    (!texts.is_empty()).then(|| json(&texts))
}

/// Reads rows, and keeps what they share.
pub(super) struct Reading {
    profiles: HashMap<i64, Option<Arc<Profile>>>,
    builds: HashMap<i64, Option<Arc<Build>>>,
    images: HashMap<i64, Option<Arc<OfferedImage>>>,
    models: HashMap<Box<str>, Arc<OwnModel>>,
    kinds: HashMap<&'static str, &'static Kind>,
    nothing: Nothing,
    /// Time served, in milliseconds: no term began later. Where that time was lost, or is
    /// damaged, one that did would never end.
    pub(super) served: u64,
    /// Number of rows of which something could not be read.
    pub(super) damaged: u64,
}

/// Values that stand for what cannot be read.
#[derive(Default)]
struct Nothing {
    profile: Arc<Profile>,
    build: Arc<Build>,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            profiles: HashMap::new(),
            builds: HashMap::new(),
            images: HashMap::new(),
            models: HashMap::new(),
            kinds: kinds::all().map(|kind| (kind.id, kind)).collect(),
            nothing: Nothing::default(),
            served: u64::MAX,
            damaged: 0,
        }
    }
}

fn shared<T: Said>(
    connection: &Connection,
    known: &mut HashMap<i64, Option<Arc<T>>>,
    number: i64,
) -> rusqlite::Result<Option<Arc<T>>> {
    if let Some(value) = known.get(&number) {
        return Ok(value.clone());
    }
    let find = T::TABLE.pick([
        "SELECT said FROM profile WHERE id = ?1",
        "SELECT said FROM build WHERE id = ?1",
        "SELECT said FROM image WHERE id = ?1",
    ]);
    let mut find = connection.prepare_cached(find)?;
    let read = |row: &Row<'_>| {
        let said = row.get_ref(0)?.as_str().ok();
        Ok(said.and_then(T::read).map(Arc::new))
    };
    let value = find.query_row([number], read).optional()?.flatten();
    known.insert(number, value.clone());
    Ok(value)
}

/// Values of a row. One that makes no sense is taken for none: bytes that are no text, in one
/// row, must not cost all other devices what is known of them.
struct Cells<'r, 's> {
    row: &'r Row<'s>,
    /// False once something could not be read.
    is_whole: bool,
}

impl<'r> Cells<'r, '_> {
    /// Returns a text: `None` where there is none.
    fn text(&mut self, at: usize) -> rusqlite::Result<Option<&'r str>> {
        let text = self.row.get_ref(at)?.as_str_or_null();
        self.is_whole &= text.is_ok();
        Ok(text.unwrap_or_default())
    }

    fn number(&mut self, at: usize) -> rusqlite::Result<Option<i64>> {
        let number = self.row.get_ref(at)?.as_i64().ok();
        self.is_whole &= number.is_some();
        Ok(number)
    }

    /// Returns a number that is never below 0.
    fn unsigned(&mut self, at: usize) -> rusqlite::Result<u64> {
        Ok(self.number(at)?.unwrap_or_default().cast_unsigned())
    }

    fn client(&mut self, at: usize) -> rusqlite::Result<ClientId> {
        let client = match self.row.get_ref(at)? {
            ValueRef::Blob(bytes) => bytes.try_into().ok().map(ClientId::Uuid),
            other => other.as_str().ok().map(|text| ClientId::Text(text.into())),
        };
        self.is_whole &= client.is_some();
        Ok(client.unwrap_or_else(|| ClientId::new("")))
    }

    /// Takes whether a value made sense, and returns it.
    fn sense<T>(&mut self, (value, is_whole): (T, bool)) -> T {
        self.is_whole &= is_whole;
        value
    }
}

impl Reading {
    /// Reads a row of [`COLUMNS`]. `None` for one that names no device.
    ///
    /// # Errors
    ///
    /// Those of the store itself. What a row says that makes no sense is counted, and left out.
    pub(super) fn device(
        &mut self,
        connection: &Connection,
        row: &Row<'_>,
    ) -> rusqlite::Result<Option<(DeviceId, Record)>> {
        let Some(id) = id(row.get_ref(0)?.as_blob()?) else {
            self.damaged += 1;
            return Ok(None);
        };
        let is_whole = true;
        let mut cells = Cells { row, is_whole };
        let numbers = [cells.number(2)?, cells.number(3)?];
        let [profile, build] = numbers.map(Option::unwrap_or_default);
        let profile = shared(connection, &mut self.profiles, profile)?;
        let build = shared(connection, &mut self.builds, build)?;
        cells.is_whole &= profile.is_some() && build.is_some();
        let flags = cells.number(8)?.unwrap_or_default();
        let offers = self.offers(connection, cells.text(13)?)?;
        let offers = cells.sense(offers);
        let failed = cells.sense(read_failed(row.get_ref(14)?));
        let history = History { offers, failed };
        let own = self.model(cells.text(10)?);
        let own = cells.sense(own);
        let former = self.model(cells.text(12)?);
        let former = cells.sense(former);
        let record = Record {
            client: cells.client(1)?,
            profile: profile.unwrap_or_else(|| Arc::clone(&self.nothing.profile)),
            build: build.unwrap_or_else(|| Arc::clone(&self.nothing.build)),
            first_seen: cells.unsigned(4)?,
            last_seen: cells.unsigned(5)?,
            address: read_address(row.get_ref(6)?),
            boots: u32::try_from(cells.unsigned(7)?).unwrap_or_default(),
            is_secure: flags & SECURE != 0,
            is_settled: flags & SETTLED != 0,
            has_lost_own: flags & LOST_OWN != 0,
            is_stored: false,
            why: cells.text(9)?.and_then(|why| self.kinds.get(why).copied()),
            own,
            names: Names::of(cells.text(11)?.map(Into::into), former),
            withheld: 0,
            history: (!history.is_empty()).then(|| Box::new(history)),
        };
        self.damaged += u64::from(!cells.is_whole);
        Ok(Some((id, record)))
    }

    fn offers(
        &mut self,
        connection: &Connection,
        text: Option<&str>,
    ) -> rusqlite::Result<(Vec<Offer>, bool)> {
        let Some(text) = text else {
            return Ok((Vec::new(), true));
        };
        let Ok(texts) = serde_json::from_str::<Vec<OfferText<'_>>>(text) else {
            return Ok((Vec::new(), false));
        };
        let mut offers = Vec::with_capacity(texts.len());
        let mut is_whole = true;
        for OfferText(number, end, attempt, forced, forced_at, image, before, at, since) in texts {
            let image = shared(connection, &mut self.images, image)?;
            let before = shared(connection, &mut self.builds, before)?;
            let (Some(end), Some(image), Some(before)) = (OfferEnd::from_key(end), image, before)
            else {
                is_whole = false;
                continue;
            };
            offers.push(Offer {
                number,
                end,
                attempt,
                forced,
                forced_at,
                image,
                before,
                at,
                since: since.min(self.served),
            });
        }
        Ok((offers, is_whole))
    }

    fn model(&mut self, text: Option<&str>) -> (Option<Arc<OwnModel>>, bool) {
        let Some(text) = text else {
            return (None, true);
        };
        if let Some(known) = self.models.get(text) {
            return (Some(Arc::clone(known)), true);
        }
        let Ok((named, files)) = serde_json::from_str(text) else {
            return (None, false);
        };
        let model = Arc::new(OwnModel { named, files });
        self.models.insert(text.into(), Arc::clone(&model));
        (Some(model), true)
    }
}

/// Reads what failed. Where that cannot be read, nobody knows what did: for what is left out
/// there is an image that nobody can name, and to take it for none would offer that again.
fn read_failed(value: ValueRef<'_>) -> (Vec<Failure>, bool) {
    let text = match value.as_str_or_null() {
        Ok(None) => return (Vec::new(), true),
        Ok(Some(text)) => text,
        Err(_) => "",
    };
    let Ok(texts) = serde_json::from_str::<Vec<(&str, u32, u64)>>(text) else {
        return (vec![Failure::UNKNOWN], false);
    };
    let number = texts.len();
    let mut failed: Vec<_> = texts
        .into_iter()
        .filter_map(|(content, times, at)| {
            let content = Content(hex::decode(content)?);
            Some(Failure { content, times, at })
        })
        .collect();
    let is_whole = failed.len() == number;
    failed.extend((!is_whole).then_some(Failure::UNKNOWN));
    failed.shrink_to_fit();
    (failed, is_whole)
}

fn read_address(value: ValueRef<'_>) -> Ipv6Addr {
    let bytes = value.as_blob_or_null().ok().flatten().unwrap_or_default();
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Ipv4Addr::from(bytes).to_ipv6_mapped();
    }
    let bytes = <[u8; 16]>::try_from(bytes);
    bytes.map_or(Ipv6Addr::UNSPECIFIED, Ipv6Addr::from)
}
