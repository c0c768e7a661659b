//! Fleet: every device that checked in, what it is and runs, what it was told, and how each
//! offer ended.
//!
//! It lives in memory, which answers check-ins; a journal writes what changed behind them.
//! It is bounded: anybody can invent devices. Those that were seen at two boots, or were
//! updated once, are settled and go for nobody; newcomers have a place of their own.

mod about;
mod act;
mod clock;
mod commons;
mod crowd;
pub(crate) mod database;
mod devices;
mod fetch;
mod forecast;
mod full;
mod haste;
mod id;
pub(crate) mod journal;
mod keep;
mod last_replies;
mod newcomers;
mod news;
mod offer_end;
pub mod orders;
mod outcome;
mod overview;
mod past;
mod protected;
mod record;
mod search;
pub mod settings;
pub mod state_folder;
mod table;
mod token;
mod view;
mod visit;
mod weight;

pub use about::{Build, KeptPartition, Profile, check_in};
pub use crowd::{Crowd, Heeds, RunImage};
pub use fetch::Fetch;
pub use forecast::{Departure, Fate, Forecast, Prospect, Stays, forecast_all, prospects};
pub use id::DeviceId;
pub use last_replies::{FILE as LAST_REPLIES, LastReplies, LastReply};
pub use offer_end::OfferEnd;
pub use outcome::{Change, Content, Failure, History, Moment, Offer, OfferedImage};
pub use overview::{FailedDevice, ImageEnds, Overview, Summary};
pub use past::{Hours, Step};
pub use record::{ClientId, Names, Record};
pub use settings::{FleetRoom, FleetSettings};
pub use token::TokenKey;
pub(crate) use view::{Ended, EndsByContent};
pub use view::{Filter, Page};
pub use visit::{Came, Noted, Visit};

use crate::event::Event;
use crate::ota::device_memory::{NoRoom, OwnModel};
use crate::util::once::{HOUR, Once};
use crate::util::sync::lock;
use arc_swap::ArcSwap;
use clock::ServedClock;
use commons::Commons;
use outcome::millis;
use protected::Protected;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};
use table::{Room, Shard, Table};

/// Number of lines about one device that are remembered.
const SAID: usize = 1 << 16;

/// Knowledge of what came before this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Knowledge {
    /// None yet: nothing is offered, for it might have failed.
    Nothing,
    /// Knowledge of what failed; the rest is still being read.
    Failures,
    /// All is known.
    Everything,
    /// The store is a newer program's: nothing is offered that might have failed.
    Newer,
}

impl Knowledge {
    const ALL: [Self; 4] = [Self::Nothing, Self::Failures, Self::Everything, Self::Newer];
}

/// Parts that a fleet begins with.
#[derive(Debug)]
pub struct FleetStart {
    /// Settings of this moment.
    pub settings: FleetSettings,
    /// Room for what is known of devices.
    pub room: FleetRoom,
    /// Key of the tokens.
    pub key: TokenKey,
    /// Time before which no clock that was set can be: nothing is learned then.
    pub built: SystemTime,
    /// True where a journal keeps what changes, and will say what it has read.
    pub is_kept: bool,
    /// Orders to try images again: a store that is older than one must not overrule it.
    pub retries: Vec<Retry>,
}

/// Order to try an image again, or all, on a device, and the time at which it was given, in
/// milliseconds since 1970.
pub type Retry = (DeviceId, Option<Content>, u64);

impl Default for FleetStart {
    fn default() -> Self {
        Self {
            settings: FleetSettings::default(),
            room: FleetRoom::default(),
            key: TokenKey::new(&[0; 32]),
            built: UNIX_EPOCH,
            is_kept: false,
            retries: Vec::new(),
        }
    }
}

/// All devices that checked in.
#[derive(Debug)]
pub struct Fleet {
    table: Table,
    commons: Mutex<Commons>,
    protected: Mutex<Protected>,
    hasher: RandomState,
    said: Once,
    /// Places that were found full and are to be said so.
    full: Mutex<Vec<Event>>,
    settings: ArcSwap<FleetSettings>,
    clock: ServedClock,
    knowledge: AtomicU8,
    key: TokenKey,
    built: SystemTime,
    retries: ArcSwap<Retries>,
    /// Orders to try images again that were given while the store was being read.
    given: Mutex<Given>,
    /// Devices that were forgotten while the store was being read.
    forgotten: Mutex<HashSet<DeviceId>>,
    /// True while there may be orders that nobody can read.
    has_unknown_orders: AtomicBool,
    before: Mutex<news::Before>,
    /// Place at which old addresses are looked for, in each part.
    swept: Mutex<Vec<Option<DeviceId>>>,
}

impl Default for Fleet {
    fn default() -> Self {
        Self::new(FleetStart::default())
    }
}

impl Fleet {
    /// Makes one without devices.
    pub fn new(start: FleetStart) -> Self {
        let room = Room {
            settled: start.room.settled,
            newcomers: start.room.newcomers,
            ..Room::default()
        };
        Self::with_room(start, room)
    }

    fn with_room(start: FleetStart, room: Room) -> Self {
        let knowledge = if start.is_kept {
            Knowledge::Nothing
        } else {
            Knowledge::Everything
        };
        let table = Table::new(room, start.is_kept);
        let parts = table.parts().count();
        Self {
            table,
            commons: Mutex::new(Commons::new(start.room.descriptions)),
            protected: Mutex::default(),
            hasher: RandomState::default(),
            said: Once::new(HOUR, SAID),
            full: Mutex::default(),
            settings: ArcSwap::from_pointee(start.settings),
            clock: ServedClock::default(),
            knowledge: AtomicU8::new(knowledge as u8),
            key: start.key,
            built: start.built,
            retries: ArcSwap::from_pointee(by_device(start.retries)),
            given: Mutex::default(),
            forgotten: Mutex::default(),
            has_unknown_orders: AtomicBool::new(false),
            before: Mutex::default(),
            swept: Mutex::new(vec![None; parts]),
        }
    }

    /// Goes on by other settings.
    pub fn change(&self, settings: FleetSettings) {
        self.settings.store(Arc::new(settings));
    }

    /// Returns what is known of what came before this process.
    pub fn knowledge(&self) -> Knowledge {
        let at = usize::from(self.knowledge.load(Ordering::Acquire));
        Knowledge::ALL.get(at).copied().unwrap_or(Knowledge::Newer)
    }

    /// Takes whether there may be orders that nobody here can read: nothing is offered then.
    pub fn orders_are_unknown(&self, are_unknown: bool) {
        self.has_unknown_orders
            .store(are_unknown, Ordering::Relaxed);
    }

    /// Tells whether there may be orders that nobody here can read.
    pub fn has_unknown_orders(&self) -> bool {
        self.has_unknown_orders.load(Ordering::Relaxed)
    }

    fn know(&self, knowledge: Knowledge) {
        self.knowledge.store(knowledge as u8, Ordering::Release);
    }

    /// Returns the time at which something happens.
    fn moment(&self, now: SystemTime) -> Moment {
        Moment {
            wall: wall(now),
            served: self.clock.served(),
            term: millis(self.settings.load().silent_after),
        }
    }

    /// Tells whether the clock was set: nothing is learned before.
    fn may_learn(&self, now: SystemTime) -> bool {
        now >= self.built
    }

    /// Takes that a moment has passed, about a second: ends terms that are over.
    /// `has_network` says whether this machine has an address of a network, by which devices
    /// can reach it. Returns true where more of them are over: it is to be called again.
    pub fn tick(&self, has_network: bool, now: SystemTime) -> bool {
        self.clock.tick(has_network);
        let moment = self.moment(now);
        let mut has_more = false;
        if self.knowledge() != Knowledge::Nothing && self.may_learn(now) {
            let ended;
            (ended, has_more) = self.table.expire(moment);
            for ended in &ended {
                news::say_end(ended);
            }
        }
        self.drop_addresses(moment.wall);
        self.say_full();
        has_more
    }

    /// Forgets addresses that were kept long enough, some of them at each call.
    fn drop_addresses(&self, now: u64) {
        /// Number of devices of each part that are looked at.
        const LOOKED_AT: usize = 128;
        let mut swept = lock(&self.swept);
        self.table.drop_addresses(&mut swept, LOOKED_AT, now);
    }

    /// Returns the model as which `device` came before, if it has none with files now.
    pub fn former(&self, device: &str) -> Option<OwnModel> {
        let id = DeviceId::new(device);
        let shard = self.table.shard(&id);
        shard.get(&id)?.former().map(|own| OwnModel::clone(own))
    }

    /// Returns whether something may be said of `device` now, once an hour, and takes
    /// that it is.
    pub(crate) fn is_due(&self, device: &str, what: &impl Hash, now: SystemTime) -> bool {
        self.said.is_due(&(device, what), now)
    }

    /// Returns whether `device` has checked in, and is still remembered.
    pub(crate) fn knows(&self, device: &str) -> bool {
        let id = DeviceId::new(device);
        self.table.shard(&id).get(&id).is_some()
    }

    /// Returns the number of devices that are remembered by their MAC addresses.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Settles a device, and takes over what protected it as a newcomer. Returns false where
    /// there is no room.
    fn settle(&self, shard: &mut Shard, id: &DeviceId) -> bool {
        let is_newcomer = shard.get(id).is_some_and(|known| !known.is_settled);
        if !is_newcomer || id.mac().is_none() {
            return true;
        }
        if !self.table.settle(shard, id) {
            return false;
        }
        self.take_over(shard, id);
        true
    }

    /// Takes over what protected a device as a newcomer.
    fn take_over(&self, shard: &mut Shard, id: &DeviceId) {
        let Some(record) = shard.get_mut(id) else {
            return;
        };
        let mut protected = self.protected();
        let device = self.hash(id);
        match protected.own(device) {
            Ok(Some(own)) if record.own.is_none() => record.own = Some(Arc::clone(&own.model)),
            Ok(_) => {}
            Err(NoRoom) => record.has_lost_own = true,
        }
        protected.leave_own(device);
    }

    fn commons(&self) -> MutexGuard<'_, Commons> {
        lock(&self.commons)
    }

    fn protected(&self) -> MutexGuard<'_, Protected> {
        lock(&self.protected)
    }

    fn hash(&self, what: &(impl Hash + ?Sized)) -> u64 {
        self.hasher.hash_one(what)
    }
}

/// Orders in force to try images again, by device.
type Retries = HashMap<DeviceId, Vec<(Option<Content>, u64)>>;

/// Contents that are to be tried again, or all, by device.
type Given = HashMap<DeviceId, Vec<Option<Content>>>;

fn by_device(retries: Vec<Retry>) -> Retries {
    let mut found = Retries::new();
    for (id, content, at) in retries {
        found.entry(id).or_default().push((content, at));
    }
    found
}

/// Returns a time in milliseconds since 1970.
fn wall(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, millis)
}

#[cfg(test)]
mod tests;
