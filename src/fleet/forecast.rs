//! Forecast: what becomes of a file once every known device has checked in again. Pure.
//!
//! Nothing is explained here a second time: each group of devices that have all in common is
//! decided on as at a check-in, and the reasons are those of the decision.

use super::crowd::{Crowd, Group, Heeds};
use super::id::DeviceId;
use super::outcome::Content;
use super::record::Record;
use crate::event::kinds::FORECAST_HIGHER;
use crate::event::text::Lang;
use crate::event::{Event, event, redacted as shown};
use crate::firmware::name;
use crate::firmware::snapshot::{Entry, Snapshot};
use crate::ota::decide::{Decision, Outcome, Policy, Withheld, decide};
use crate::ota::upstream::Hold;
use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;
use xiaozhi_device::checkin::{CheckIn, DEFAULT_MODEL};
use xiaozhi_device::guards::{Reason, ReportedDevice};
use xiaozhi_device::version::{self, Version};

/// Number of reasons that are told apart: what devices report makes them many.
const REASONS: usize = 16;

/// Prospects of one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forecast {
    /// Number of known devices, whatever their model.
    pub known: u64,
    /// Number of those that the file is for: they look for files under its model's names; or
    /// have none of their own, where it is for such.
    pub of_model: u64,
    /// Number of those to which it is offered.
    pub gets: u64,
    /// Number of those that run it.
    pub runs: u64,
    /// Number of those that the server behind has offered nothing: they would get it.
    pub held: u64,
    /// The others, most first, those among them.
    pub stays: Vec<Stays>,
}

/// Devices that would not get a file, all for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stays {
    /// The reason.
    pub why: Event,
    /// Number of devices.
    pub devices: u64,
    /// The lowest version that one of them runs.
    pub lowest: Box<str>,
    /// The highest version that one of them runs.
    pub highest: Box<str>,
}

/// Fate of the devices of a file that is to go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Departure {
    /// Number of devices to which it is offered now.
    pub gets: u64,
    /// Number of those that run it.
    pub runs: u64,
    /// Files that the former are offered in its place, by name, most devices first; `None` is
    /// for nothing.
    pub instead: Vec<(Option<String>, u64)>,
}

/// Fate of a file at one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is not for it: other files are looked for.
    None(Event),
    /// It is offered to it.
    Gets(Event),
    /// It runs it.
    Runs(Event),
    /// It is for it, and not offered.
    Stays(Event),
}

impl Fate {
    /// Returns the reason.
    pub fn why(&self) -> &Event {
        match self {
            Self::None(why) | Self::Gets(why) | Self::Runs(why) | Self::Stays(why) => why,
        }
    }
}

/// Prospect of one file at one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prospect {
    /// Name of the file.
    pub file: String,
    /// Content of the file.
    pub content: Content,
    /// Fate of it, if the device checked in now as it did last.
    pub fate: Fate,
}

/// Says what would become of each file of the snapshot if a device checked in now: by the
/// decision itself. Those that are for it come first.
pub fn prospects(
    record: &Record,
    heeds: Heeds,
    snapshot: &Snapshot,
    policy: &Policy,
) -> Vec<Prospect> {
    let group = Group::of(record, heeds);
    let check_in = group.check_in();
    let decided = Decided::new(&group, &check_in, snapshot, policy);
    let mut prospects: Vec<_> = snapshot
        .entries()
        .map(|entry| Prospect {
            file: entry.file.clone(),
            content: Content::of(&entry.sha256),
            fate: decided.fate(entry),
        })
        .collect();
    prospects.sort_by_cached_key(|one| {
        let place = match one.fate {
            Fate::Gets(_) => 0,
            Fate::Runs(_) | Fate::Stays(_) => 1,
            Fate::None(_) => 2,
        };
        // The highest come first where nothing else tells.
        let name = name::parse(&one.file).ok();
        let version = name.map(|name| name.version);
        (place, Reverse(version), one.file.clone())
    });
    prospects
}

/// Counts, for each file by its name, the known devices that could get it: those whose model
/// it is, and from which no guard keeps it. Which version they run, which are pinned, and
/// whether a higher file is there counts for nothing. Files for nobody are left out.
///
/// `each` hands every known device to the function that it is given.
pub fn forecast_all(
    each: impl FnOnce(&mut dyn FnMut(&DeviceId, &Record)),
    snapshot: &Snapshot,
    policy: &Policy,
) -> HashMap<String, u64> {
    let mut crowd = Crowd::default();
    each(&mut |id, record| crowd.add(id, record));
    let mut could_get = HashMap::new();
    for (group, devices) in crowd.groups() {
        let check_in = group.check_in();
        let decision = decide(&check_in, snapshot, policy, group);
        if matches!(decision.outcome, Outcome::Silent) {
            continue;
        }
        let device = reported(&check_in, policy);
        for entry in candidates(&decision, snapshot, policy) {
            let file = entry.candidate();
            if device.runs(&file).is_some() || device.refuses(&file).is_none() {
                *could_get.entry(entry.file.clone()).or_default() += devices;
            }
        }
    }
    could_get
}

impl Crowd {
    /// Says what becomes of a file of the snapshot once each device has checked in again.
    pub fn forecast(&self, snapshot: &Snapshot, policy: &Policy, entry: &Entry) -> Forecast {
        let mut forecast = Forecast {
            known: self.devices(),
            ..Forecast::default()
        };
        let mut reasons = Reasons::default();
        for (group, devices) in self.groups() {
            let check_in = group.check_in();
            let decided = Decided::new(group, &check_in, snapshot, policy);
            match decided.fate(entry) {
                Fate::None(_) => continue,
                Fate::Gets(_) => forecast.gets += devices,
                Fate::Runs(_) => forecast.runs += devices,
                Fate::Stays(why) => {
                    let is_hold = |hold: Hold| Event::from(&hold.reason()) == why;
                    if group.hold().is_some_and(is_hold) {
                        forecast.held += devices;
                    }
                    reasons.add(why, devices, group.version());
                }
            }
            forecast.of_model += devices;
        }
        forecast.stays = reasons.sorted();
        forecast
    }
}

impl Crowd {
    /// Says what becomes of devices when a file of the snapshot goes.
    pub fn departure(&self, snapshot: &Snapshot, policy: &Policy, entry: &Entry) -> Departure {
        let without = snapshot.without(&entry.file);
        let mut departure = Departure::default();
        let mut instead = HashMap::<Option<&str>, u64>::new();
        for (group, devices) in self.groups() {
            let check_in = group.check_in();
            match Decided::new(group, &check_in, snapshot, policy).fate(entry) {
                Fate::None(_) | Fate::Stays(_) => {}
                Fate::Runs(_) => departure.runs += devices,
                Fate::Gets(_) => {
                    departure.gets += devices;
                    let decision = decide(&check_in, &without, policy, group);
                    let other = match decision.outcome {
                        Outcome::Offer { entry, .. } => Some(&*entry.served.file),
                        Outcome::UpToDate | Outcome::Silent => None,
                    };
                    let other = other.and_then(|other| Some(&*snapshot.file(other)?.file));
                    *instead.entry(other).or_default() += devices;
                }
            }
        }
        let instead = instead.into_iter();
        departure.instead = instead
            .map(|(other, devices)| (other.map(str::to_owned), devices))
            .collect();
        departure
            .instead
            .sort_by(|(one, a), (other, b)| b.cmp(a).then_with(|| one.cmp(other)));
        departure
    }
}

/// Reasons while they are counted: strangers can have one each, and what finds one must not
/// look through all.
#[derive(Default)]
struct Reasons(HashMap<Event, Stays>);

impl Reasons {
    fn add(&mut self, why: Event, devices: u64, version: &str) {
        let one = Stays {
            why: why.clone(),
            devices,
            lowest: version.into(),
            highest: version.into(),
        };
        match self.0.entry(why) {
            Slot::Occupied(mut known) => known.get_mut().join(one),
            Slot::Vacant(new) => {
                new.insert(one);
            }
        }
    }

    /// Returns the reasons, most devices first, and makes one of those that are too many.
    fn sorted(self) -> Vec<Stays> {
        let mut stays: Vec<_> = self.0.into_values().collect();
        stays.sort_by_cached_key(|one| (Reverse(one.devices), one.why.words(Lang::En)));
        let mut others = stays.split_off(stays.len().min(REASONS));
        if let Some(mut rest) = others.pop() {
            rest.why = event!(FORECAST_MORE);
            for other in others {
                rest.join(other);
            }
            stays.push(rest);
        }
        stays
    }
}

impl Forecast {
    /// Says it: all in numbers, and then each reason.
    pub fn events(&self) -> Vec<Event> {
        if self.of_model == 0 {
            return vec![event!(FORECAST_NONE, known = self.known)];
        }
        let [runs, held] = [self.runs, self.held].map(|devices| (devices > 0).then_some(devices));
        let numbers = event!(
            FORECAST,
            of_model = self.of_model,
            gets = self.gets,
            runs = runs,
            held = held
        );
        let reasons = self.stays.iter().map(Stays::event);
        std::iter::once(numbers).chain(reasons).collect()
    }
}

impl Stays {
    fn join(&mut self, other: Self) {
        self.devices += other.devices;
        if version::compare(&other.lowest, &self.lowest) == Ordering::Less {
            self.lowest = other.lowest;
        }
        if version::compare(&other.highest, &self.highest) == Ordering::Greater {
            self.highest = other.highest;
        }
    }

    /// Returns the versions that they run: one, or from the lowest to the highest.
    pub fn versions(&self) -> String {
        if version::compare(&self.lowest, &self.highest) == Ordering::Equal {
            return self.lowest.to_string();
        }
        format!("{}…{}", self.lowest, self.highest)
    }

    /// Says it, with the id of the reason.
    pub fn event(&self) -> Event {
        event!(
            FORECAST_STAYS,
            devices = self.devices,
            runs = self.versions(),
            why = &self.why,
            id = self.why.kind.id
        )
    }
}

/// Returns what is known of the device that makes this check-in.
fn reported<'a>(check_in: &'a CheckIn<'_>, policy: &'a Policy) -> ReportedDevice<'a> {
    ReportedDevice::of(&check_in.report, check_in.version(), &policy.projects)
}

/// Returns the files that were looked through for a decision.
fn candidates<'a>(
    decision: &Decision<'_>,
    snapshot: &'a Snapshot,
    policy: &Policy,
) -> Vec<&'a Arc<Entry>> {
    match decision {
        Decision { candidates: 0, .. } => Vec::new(),
        Decision { is_own: true, .. } => {
            let names = policy.names(decision.model);
            names.flat_map(|name| snapshot.model(name)).collect()
        }
        Decision { .. } => snapshot.model(DEFAULT_MODEL).iter().collect(),
    }
}

/// Decision about a device, of which files are held up against it.
struct Decided<'a> {
    check_in: &'a CheckIn<'a>,
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    hold: Option<Hold>,
    decision: Decision<'a>,
    candidates: Vec<&'a Arc<Entry>>,
}

impl<'a> Decided<'a> {
    fn new(
        group: &Group,
        check_in: &'a CheckIn<'a>,
        snapshot: &'a Snapshot,
        policy: &'a Policy,
    ) -> Self {
        let decision = decide(check_in, snapshot, policy, group);
        Self {
            check_in,
            snapshot,
            policy,
            hold: group.hold(),
            candidates: candidates(&decision, snapshot, policy),
            decision,
        }
    }

    /// Returns what becomes of a file. What would be offered is not where the server behind
    /// does not want that.
    fn fate(&self, entry: &Entry) -> Fate {
        let fate = self.fate_here(entry);
        let is_offer = match &fate {
            Fate::Gets(_) => true,
            Fate::Stays(why) => why.kind.id == FORECAST_HIGHER.id,
            Fate::None(_) | Fate::Runs(_) => false,
        };
        match self.hold.filter(|_| is_offer) {
            Some(hold) => Fate::Stays(Event::from(&hold.reason())),
            None => fate,
        }
    }

    /// Returns what this server alone makes of a file.
    fn fate_here(&self, entry: &Entry) -> Fate {
        let (decision, check_in) = (&self.decision, self.check_in);
        let is_it = |file: &str| file == entry.file;
        let is_kept_back = decision.candidates == 0
            && entry.model == DEFAULT_MODEL
            && decision.withheld.iter().any(|held| {
                let mut files = self.snapshot.model(DEFAULT_MODEL).iter();
                files.any(|file| *file.file == *held.what)
            });
        if !is_kept_back && !self.candidates.iter().any(|file| is_it(&file.file)) {
            let (model, looks) = (&entry.model, shown(decision.model));
            return Fate::None(event!(FORECAST_OTHER, model = model, looks = &*looks));
        }
        match decision.outcome {
            Outcome::Offer { entry, .. } if is_it(&entry.file) => {
                return Fate::Gets(event!(FORECAST_GETS));
            }
            Outcome::Silent => return Fate::Stays(event!(FORECAST_SILENT)),
            Outcome::Offer { .. } | Outcome::UpToDate => {}
        }
        if let Some(held) = decision.withheld.iter().find(|held| is_it(held.what)) {
            let why = Event::from(&held.reason);
            return match held.reason {
                Reason::AlreadyRunning { .. } => Fate::Runs(why),
                _ => Fate::Stays(why),
            };
        }
        let runs = reported(check_in, self.policy).runs(&entry.candidate());
        if let Some(runs) = runs {
            return Fate::Runs(Event::from(&runs));
        }
        let order = version::compare(entry.version.as_str(), check_in.version());
        // What is no image tells nothing but its version.
        if order == Ordering::Equal && entry.app.is_none() {
            return Fate::Runs(event!(FORECAST_SAME_VERSION));
        }
        let pin = self.policy.pin(decision.model);
        Fate::Stays(passed_over(decision, pin, entry, order))
    }
}

/// Returns why a file was passed over that nothing is held against: `order` is that of its
/// version beside the device's.
fn passed_over(
    decision: &Decision<'_>,
    pin: Option<&Version>,
    entry: &Entry,
    order: Ordering,
) -> Event {
    if let Some(pin) = pin.filter(|pin| entry.version != **pin) {
        return event!(FORECAST_PINNED, pin = pin.as_str());
    }
    match (order, &decision.outcome, decision.withheld.last()) {
        (Ordering::Equal, ..) => event!(FORECAST_SAME_VERSION),
        (Ordering::Less, ..) => event!(FORECAST_LOWER),
        (_, Outcome::Offer { entry, .. }, _) => event!(FORECAST_HIGHER, other = &entry.file),
        (_, _, Some(Withheld { what, reason })) => {
            event!(FORECAST_HELD, other = *what, why = Event::from(reason))
        }
        _ => event!(FORECAST_MORE),
    }
}

#[cfg(test)]
mod tests;
