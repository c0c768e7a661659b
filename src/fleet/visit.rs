//! One check-in: what it tells of the device that makes it, what the decision asks of that
//! device's past, and what the device is told in the end.

use super::about::{Build, Profile};
use super::commons::Whose;
use super::full::{DEVICES, FILES_OF_THEIR_OWN, FORCED_IN_VAIN};
use super::news::say_end;
use super::offer_end::OfferEnd;
use super::outcome::{Content, History, Moment};
use super::protected::{BOOT, Id, OwnRecord, image};
use super::record::{ClientId, Record};
use super::token::{Ticket, TokenFile};
use super::{DeviceId, Fleet, Knowledge};
use crate::event::Kind;
use crate::event::kinds;
use crate::firmware::snapshot::Entry;
use crate::ota::decide::{Decision, Outcome};
use crate::ota::device_memory::{DeviceMemory, NoRoom, OwnModel, Unknown};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;
use xiaozhi_device::checkin::CheckIn;

/// Way by which a check-in came.
#[derive(Debug, Clone, Copy)]
pub struct Came {
    /// Address of the peer.
    pub address: IpAddr,
    /// True over TLS.
    pub is_secure: bool,
    /// Time of it.
    pub at: SystemTime,
}

/// A check-in, while it is answered.
#[derive(Debug)]
pub struct Visit<'a> {
    fleet: &'a Fleet,
    check_in: &'a CheckIn<'a>,
    id: DeviceId,
    came: Came,
    moment: Moment,
    /// False while the clock is not set.
    learns: bool,
    /// The name that the device gave when it came before.
    named_before: Option<Box<str>>,
    /// False where it does not say what it runs: that ends no offer.
    says_build: bool,
    /// False where there is no room for what it runs: nobody could tell later whether it was
    /// rolled back to that.
    keeps_build: bool,
}

/// Things that are left to do for a check-in that was decided on.
#[derive(Debug, PartialEq, Eq)]
pub struct Noted {
    /// Tells that what is withheld from the device is news.
    pub is_news: bool,
    /// Token that its download is to carry.
    pub token: Option<String>,
}

/// Number of bytes of the longest name under which a device comes first that is remembered:
/// each device has its own.
const FIRST_NAME: usize = 64;

impl Fleet {
    /// Takes a check-in, before it is decided on: what it reports ends the offer before.
    pub fn visit<'a>(&'a self, check_in: &'a CheckIn<'a>, came: Came) -> Visit<'a> {
        let mut visit = Visit {
            fleet: self,
            check_in,
            id: DeviceId::new(check_in.device),
            came,
            moment: self.moment(came.at),
            learns: self.may_learn(came.at),
            named_before: None,
            says_build: Build::is_said_by(check_in),
            keeps_build: true,
        };
        if came.address.is_loopback() {
            self.clock.came_from_here();
        }
        if visit.learns {
            visit.learn();
        }
        visit
    }
}

impl Visit<'_> {
    /// Learns what the device says of itself.
    fn learn(&mut self) {
        let (fleet, check_in, moment) = (self.fleet, self.check_in, self.moment);
        let mut shard = fleet.table.shard(&self.id);
        let Some(known) = shard.get(&self.id) else {
            let (described, nothing) = {
                let mut commons = fleet.commons();
                let said = (Some(Profile::of(check_in)), Some(Build::of(check_in)));
                (commons.describe(said, Whose::Newcomer), commons.nothing())
            };
            let profile = described.profile.unwrap_or(nothing.0);
            let build = described.build.unwrap_or(nothing.1);
            let client = ClientId::new(check_in.client);
            let mut record = Record::new(client, profile, build, moment.wall);
            record.boots = 1;
            self.say_of_itself(&mut record);
            fleet.table.admit(&mut shard, &self.id, record);
            drop(shard);
            if described.is_lost {
                fleet.tell_crowded(check_in.device, self.came.at);
            }
            return;
        };
        let whose = Whose::of(known);
        self.named_before = known.named().map(Into::into);
        // What it says nothing of is as it was: a body was lost, or a part of it, and not a
        // board. Some firmware never says what runs: what it says else counts.
        let is_whole = self.says_build || !known.build.is_said();
        let is_other = is_whole && Profile::is_said_by(check_in) && !known.profile.is_of(check_in);
        let new_profile = is_other.then(|| Profile::of(check_in));
        let is_other = self.says_build && !known.build.is_of(check_in);
        let new_build = is_other.then(|| Build::of(check_in));
        let is_new = new_profile.is_some() || new_build.is_some();
        let said = (new_profile, new_build);
        let made = is_new.then(|| fleet.commons().describe(said, whose));
        let made = made.unwrap_or_default();
        let (lost_build, is_lost) = (made.lost_build, made.is_lost);
        let change = fleet.table.change(&mut shard, &self.id, |record| {
            if let Some(profile) = made.profile {
                record.profile = profile;
            }
            if let Some(build) = made.build {
                record.build = build;
            }
            self.count_boot(record);
            if !self.says_build {
                return None;
            }
            let kept = Arc::clone(&record.build);
            let build = lost_build.as_ref().unwrap_or(&kept);
            record.history.as_mut()?.checked(build, moment)
        });
        let change = change.flatten();
        let is_update = change.is_some_and(|change| change.to == OfferEnd::Succeeded);
        let mut has_room = true;
        if let Some(record) = shard.get_mut(&self.id) {
            self.say_of_itself(record);
            if let Some(build) = &lost_build {
                self.keeps_build = fleet.stand_in(record, build) || !record.is_settled;
            }
            if !record.is_settled && (record.boots >= 2 || is_update) {
                has_room = fleet.settle(&mut shard, &self.id);
            }
        }
        let ended = change.and_then(|change| shard.ended(&self.id, change));
        drop(shard);
        if let Some(ended) = &ended {
            say_end(ended);
        }
        if !has_room {
            let limit = fleet.table.room().settled;
            fleet.tell_full(check_in.device, DEVICES, limit, self.came.at);
        }
        if is_lost {
            fleet.tell_crowded(check_in.device, self.came.at);
        }
    }

    /// Counts a boot: a check soon after the last is of the same, unless an image was
    /// fetched between.
    fn count_boot(&self, record: &mut Record) {
        let apart = self.moment.wall.abs_diff(record.last_seen);
        let has_fetched = record.history.as_deref().is_some_and(|history| {
            let ends = [OfferEnd::Fetched, OfferEnd::Silent];
            let last = history.offers.last();
            // A small image may be there within the millisecond.
            last.is_some_and(|last| ends.contains(&last.end) && last.at >= record.last_seen)
        });
        if u128::from(apart) >= BOOT.as_millis() || has_fetched {
            record.boots = record.boots.saturating_add(1);
        }
    }

    fn say_of_itself(&self, record: &mut Record) {
        record.last_seen = self.moment.wall;
        record.is_secure = self.came.is_secure;
        record.set_address(self.came.address);
        if !record.client.is(self.check_in.client) {
            record.client = ClientId::new(self.check_in.client);
        }
    }

    fn hash_of_id(&self) -> u64 {
        self.fleet.hash(&self.id)
    }

    /// Returns the hashes of the device and its version.
    fn hashes(&self) -> Id {
        Id {
            device: self.hash_of_id(),
            version: self.fleet.hash(super::about::kept(self.check_in.version())),
        }
    }

    /// Notes what the device is told.
    pub fn told(self, decision: &Decision<'_>) -> Noted {
        let fleet = self.fleet;
        let withheld = fleet.hash(&decision.withheld);
        let offer = match decision.outcome {
            Outcome::Offer { entry, force } => Some((entry, force)),
            Outcome::UpToDate | Outcome::Silent => None,
        };
        let mut shard = fleet.table.shard(&self.id);
        let known = shard.get(&self.id);
        let is_settled = known.is_some_and(|known| known.is_settled);
        let is_news =
            !decision.withheld.is_empty() && known.is_none_or(|known| known.withheld != withheld);
        if !is_settled {
            self.protect(offer);
        }
        let mut noted = Noted {
            is_news,
            token: None,
        };
        if !self.learns {
            return noted;
        }
        let why = why(decision);
        let fresh = fresh_number(self.moment.wall);
        let made = fleet.table.change(&mut shard, &self.id, |record| {
            record.withheld = withheld;
            record.why = Some(why);
            let is_kept = self.remember_names(record, decision);
            let offered = offer.map(|(entry, force)| {
                let forced = force.then_some(record.boots);
                let image = fleet.image(record, entry);
                let before = Arc::clone(&record.build);
                let history = record.history.get_or_insert_default();
                history.offered(&image, &before, forced, fresh, self.moment)
            });
            (offered, is_kept)
        });
        let mut ended = Vec::new();
        let mut is_kept = Ok(());
        if let Some((offered, kept)) = made {
            is_kept = kept;
            if let Some((number, changes)) = offered {
                let changes = changes.into_iter().flatten();
                ended.extend(changes.filter_map(|change| shard.ended(&self.id, change)));
                noted.token = offer.and_then(|(entry, _)| self.token(entry, number));
            }
        }
        drop(shard);
        if is_kept.is_err() {
            let limit = fleet.protected().room().own;
            fleet.tell_full(
                self.check_in.device,
                FILES_OF_THEIR_OWN,
                limit,
                self.came.at,
            );
        }
        for ended in &ended {
            say_end(ended);
        }
        noted
    }

    /// Remembers what is forced on a newcomer.
    fn protect(&self, offer: Option<(&Arc<Entry>, bool)>) {
        let id = self.hashes();
        let mut protected = self.fleet.protected();
        match offer {
            Some((entry, true)) => {
                protected.count(id, image(Content::of(&entry.sha256)), self.came.at);
            }
            _ => protected.got_on(id),
        }
    }

    /// Returns the token of an offer.
    fn token(&self, entry: &Entry, offer: u16) -> Option<String> {
        let mac = self.id.mac()?;
        let fleet = self.fleet;
        let is_tracked = fleet.settings.load().track;
        is_tracked.then(|| {
            let file = TokenFile {
                name: &entry.file,
                content: Content::of(&entry.sha256),
            };
            fleet.key.token(Ticket { mac, offer }, file)
        })
    }

    /// Tells whether the store may know more of a device than `record` says.
    fn is_unread(&self, record: Option<&Record>) -> bool {
        self.fleet.knowledge() != Knowledge::Everything
            && record.is_none_or(|record| !record.is_stored)
    }

    /// Returns the model under which the device had files of its own, and the hash of the
    /// name under which it came first.
    fn own(&self, record: Option<&Record>) -> Result<Option<OwnRecord>, NoRoom> {
        let fleet = self.fleet;
        if let Some(record) = record {
            if let Some(own) = &record.own {
                let at_first = record.at_first();
                return Ok(Some(OwnRecord {
                    model: Arc::clone(own),
                    at_first: at_first.map(|name| fleet.hash(name)),
                }));
            }
            if record.is_settled {
                return if record.has_lost_own {
                    Err(NoRoom)
                } else {
                    Ok(None)
                };
            }
        }
        let protected = fleet.protected();
        Ok(protected.own(self.hash_of_id())?.cloned())
    }

    /// Tells whether a device that comes as `named` is back under the name that it had before
    /// it had files of its `own`, which were another name's.
    fn is_back(&self, own: &OwnRecord, named: Option<&str>) -> bool {
        named.map(super::about::kept).is_some_and(|named| {
            own.at_first == Some(self.fleet.hash(named)) && *own.model.named != *named
        })
    }

    /// Takes over what is remembered of the names of a device. An error says that there was
    /// no room for the model of its own.
    fn remember_names(&self, record: &mut Record, decision: &Decision<'_>) -> Result<(), NoRoom> {
        let fleet = self.fleet;
        let own = self.own(Some(record)).ok().flatten();
        if own.is_none() && record.at_first().is_none() {
            let named = decision.named.filter(|_| decision.own_files.is_none());
            if let Some(named) = named {
                // Of a longer one it is not known when it is back, which holds back more.
                let named = Some(named).filter(|named| named.len() <= FIRST_NAME);
                record.set_at_first(named.map(Into::into));
            }
        }
        let is_unmatched = decision.is_unmatched();
        let former = is_unmatched.then(|| self.former(record, own.as_ref(), decision));
        record.set_former(former.flatten());
        let Some(files) = decision.own_files else {
            return Ok(());
        };
        let [named, files] = [decision.model, files].map(super::about::kept);
        let is_it = |own: &Arc<OwnModel>| *own.named == *named && *own.files == *files;
        if record.own.as_ref().is_some_and(is_it) {
            return Ok(());
        }
        let new = fleet.commons().own(
            OwnModel {
                named: named.into(),
                files: files.into(),
            },
            Whose::of(record),
        );
        record.own = Some(Arc::clone(&new));
        if record.is_settled {
            record.has_lost_own = false;
            return Ok(());
        }
        let at_first = record.at_first().map(|name| fleet.hash(name));
        let mut protected = fleet.protected();
        protected.keep_own(self.hash_of_id(), OwnModel::clone(&new), at_first)
    }

    /// Returns the model as which a device came before that has none with files now.
    fn former(
        &self,
        record: &Record,
        own: Option<&OwnRecord>,
        decision: &Decision<'_>,
    ) -> Option<Arc<OwnModel>> {
        let named = decision.named.map(super::about::kept);
        let is_own_still = |own: &OwnModel| named.is_some_and(|named| own.has_files_of(named));
        match (own, &self.named_before) {
            (Some(own), _) if self.is_back(own, decision.named) => None,
            (Some(own), _) if !is_own_still(&own.model) => Some(Arc::clone(&own.model)),
            (_, Some(before)) if Some(&**before) != named => {
                let former = OwnModel {
                    named: before.clone(),
                    files: before.clone(),
                };
                self.fleet.commons().former(former, Whose::of(record))
            }
            _ => record.former().cloned(),
        }
    }
}

impl DeviceMemory for Visit<'_> {
    fn forced(&self, sha256: &[u8; 32]) -> Result<u32, Unknown> {
        let fleet = self.fleet;
        let content = Content::of(sha256);
        let shard = fleet.table.shard(&self.id);
        let record = shard.get(&self.id);
        if self.is_unread(record) {
            return Err(Unknown::Unread);
        }
        let known = record.and_then(|record| {
            let history = record.history.as_deref()?;
            Some(history.times_forced(content, &record.build))
        });
        let is_settled = record.is_some_and(|record| record.is_settled);
        drop(shard);
        let protected = fleet.protected();
        let limit = protected.room().forced;
        let forced = protected.forced(self.hashes(), image(content));
        drop(protected);
        match forced {
            Ok(times) => Ok(times.max(known.unwrap_or(0))),
            Err(NoRoom) if is_settled => Ok(known.unwrap_or(0)),
            Err(NoRoom) => {
                fleet.tell_full(self.check_in.device, FORCED_IN_VAIN, limit, self.came.at);
                Err(Unknown::NoRoom)
            }
        }
    }

    fn failed(&self, sha256: &[u8; 32]) -> Result<u32, Unknown> {
        match self.fleet.knowledge() {
            Knowledge::Newer => return Err(Unknown::Newer),
            _ if self.fleet.has_unknown_orders() => return Err(Unknown::Orders),
            Knowledge::Nothing => return Err(Unknown::Unread),
            Knowledge::Failures | Knowledge::Everything => {}
        }
        let shard = self.fleet.table.shard(&self.id);
        let history = shard
            .get(&self.id)
            .and_then(|record| record.history.as_deref());
        if !self.keeps_build {
            return Err(Unknown::NoRoom);
        }
        if !self.says_build && history.is_some_and(History::has_fetched) {
            return Err(Unknown::Unsaid);
        }
        let times = history.map_or(Some(0), |history| history.times_failed(Content::of(sha256)));
        times.ok_or(Unknown::TooMuch)
    }

    fn own_model(&self, named: Option<&str>) -> Result<Option<OwnModel>, Unknown> {
        let shard = self.fleet.table.shard(&self.id);
        let record = shard.get(&self.id);
        if self.is_unread(record) {
            return Err(Unknown::Unread);
        }
        let own = self.own(record)?;
        drop(shard);
        let own = own.filter(|own| !self.is_back(own, named));
        Ok(own.map(|own| OwnModel::clone(&own.model)))
    }
}

/// Returns the kind of an answer: an offer, or the reason why there is none.
fn why(decision: &Decision<'_>) -> &'static Kind {
    match decision.outcome {
        Outcome::Offer { .. } => &kinds::OFFER,
        Outcome::Silent => &kinds::SILENT,
        Outcome::UpToDate => {
            let withheld = decision.withheld.first();
            match withheld.map(|withheld| withheld.event().kind) {
                Some(kind) => kind,
                None if decision.is_early => &kinds::STILL_READING,
                None => &kinds::UP_TO_DATE,
            }
        }
    }
}

/// Returns a number for a new offer: not the one that a device had before in a store that is
/// not read yet.
fn fresh_number(wall: u64) -> u16 {
    u16::try_from(wall / 16 % (1 << 16)).unwrap_or(0)
}
