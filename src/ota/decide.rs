//! The offer decision: check-in, snapshot and policy in, what to tell the
//! device out. Pure; everything else stands around it.
//!
//! The candidates of one model are looked at, highest version first:
//!
//! 1. The model is the first of the device's own that may have a file or is pinned,
//!    under whichever of its names ([`Aliases`]); else `default`, where the policy allows
//!    it, the device is not remembered to have had files of its own under another name, and
//!    none lies there that is meant for its model, under a name that does not do.
//! 2. A version of its own that the device's parser cannot take, whatever a header
//!    says: nothing about firmware.
//! 3. Pinned, every other version is passed over. Equal to the device's version: it
//!    is up to date, end. Below it and not pinned: the same.
//! 4. The device runs this very image: withheld, **end**.
//! 5. A guard forbids it ([`guards`](xiaozhi_device::guards)): withheld, the next.
//! 6. It failed on the device twice, or nobody knows whether it did: withheld; of the former
//!    the next, with the latter it ends.
//! 7. The device's own comparison would refuse: forced, where that ends. What was
//!    forced three times in vain is withheld, and ends it, and so is what would have to
//!    be forced where nobody could count that; what cannot be forced is withheld, the
//!    next.
//! 8. Offered.
//!
//! Why 4 ends: let `a_1.8.0.bin` hold 1.6.9, beside an honest `a_1.7.0.bin`. A device
//! that installed the former reports 1.6.9. Were it given the next lower file, it
//! would go to 1.7.0, from there to "1.8.0", and so on at every boot.
//!
//! Without an ELF hash on either side the version inside stands for it: a device that
//! reports that version already would report it again after the update, so it counts
//! as running. And only a file whose name has the version inside can be forced: the
//! device then reports what it was offered, which is step 3. With both hashes any
//! image can be, for step 4 knows it again.

use super::alias::Aliases;
use super::device_memory::{DeviceMemory, OwnModel};
use crate::event::Event;
use crate::firmware::name::model_key;
use crate::firmware::name::near::NearFile;
use crate::firmware::snapshot::{Entry, Snapshot, UnusedFile};
use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::sync::Arc;
use xiaozhi_device::checkin::{CheckIn, DEFAULT_MODEL};
use xiaozhi_device::guards::{Reason, ReportedDevice};
use xiaozhi_device::project::Projects;
use xiaozhi_device::version::{self, Version};

/// Devices that get the files named `default_{version}.bin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DefaultFor {
    /// Devices whose model has no file here, and those that name none.
    #[default]
    Unmatched,
    /// Only devices that name no model, as in xiaozhi-server.
    Unreported,
}

/// The operator's wishes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// `gateway.firmware.default_for`.
    pub default_for: DefaultFor,
    /// `gateway.firmware.pin`: a model's exact version.
    pub pins: HashMap<String, Version>,
    /// `gateway.firmware.alias`: names that are one model.
    pub aliases: Aliases,
    /// `gateway.firmware.projects`.
    pub projects: Projects,
}

impl Policy {
    /// Returns all names of a model, this one first.
    pub(crate) fn names<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a str> {
        std::iter::once(model).chain(self.aliases.others(model))
    }

    /// Returns the version that a model is held at, under whichever of its names.
    pub(crate) fn pin(&self, model: &str) -> Option<&Version> {
        let mut names = self.names(model);
        names.find_map(|name| self.pins.get(&*model_key(name)))
    }

    /// Tells whether a model has files of its own, or is to wait for one.
    pub(crate) fn is_known(&self, model: &str, snapshot: &Snapshot) -> bool {
        self.names(model).any(|name| snapshot.may_have(name)) || self.pin(model).is_some()
    }

    /// Tells whether there is an image for a device of these models, or a file that may yet be
    /// one. What [`Self::is_known`] goes by is kept longer than the files are.
    pub(crate) fn has_files<'a>(
        &self,
        models: impl Iterator<Item = &'a str>,
        snapshot: &Snapshot,
    ) -> bool {
        let has =
            |name: &str| !snapshot.model(name).is_empty() || snapshot.may_yet_have(name, |_| true);
        let mut models = models.peekable();
        let gets_default = models.peek().is_none() || self.default_for == DefaultFor::Unmatched;
        models.any(|model| self.names(model).any(has)) || gets_default && has(DEFAULT_MODEL)
    }
}

/// Answer to a device, and its reasons.
#[derive(Debug)]
pub struct Decision<'a> {
    /// The model whose files were looked through.
    pub model: &'a str,
    /// The model that the device names first.
    pub named: Option<&'a str>,
    /// Tells that the model is one of the device's own.
    pub is_own: bool,
    /// Model of the files that are the device's own, if it has any.
    pub own_files: Option<&'a str>,
    /// Number of files that the model has.
    pub candidates: usize,
    /// The answer.
    pub outcome: Outcome<'a>,
    /// Candidates above the device's version that were not offered.
    pub withheld: Vec<Withheld<'a>>,
    /// Tells that a file which could serve the device is there and not read yet.
    pub is_early: bool,
    /// The file whose name is nearly its model's, where that has none.
    pub near: Option<NearFile>,
    /// A file of its model that is not used, where there is nothing newer.
    pub unused: Option<UnusedFile<'a>>,
}

impl Decision<'_> {
    /// Tells whether the device names a model, and none of those that it names has a
    /// file.
    pub(crate) fn is_unmatched(&self) -> bool {
        self.named.is_some() && !self.is_own
    }

    /// Takes the offer back, if there is one, for a reason that does not lie in the image.
    pub(crate) fn withdraw(&mut self, reason: Reason<'static>) {
        if let Outcome::Offer { entry, .. } = self.outcome {
            let what = &entry.file;
            self.withheld.insert(0, Withheld { what, reason });
            self.outcome = Outcome::UpToDate;
        }
    }
}

/// The answer to a check-in.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// Install this.
    Offer {
        /// The image.
        entry: &'a Arc<Entry>,
        /// Whatever its own comparison says: the image proves that this ends.
        force: bool,
    },
    /// Nothing newer: the device hears its own version back.
    UpToDate,
    /// The device's own version is one that its parser cannot take: any
    /// `firmware` object in the reply would restart it.
    Silent,
}

/// A candidate that was not offered.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Withheld<'a> {
    /// Its file name, or the version that was asked for where no file has it.
    pub what: &'a str,
    /// The reason for which it was not offered.
    pub reason: Reason<'a>,
}

impl Withheld<'_> {
    /// Returns the reason as an event, with the file, or the version that was asked
    /// for, in front.
    pub fn event(&self) -> Event {
        let what = match self.reason {
            Reason::PinnedVersionMissing => "pin",
            _ => "file",
        };
        Event::from(&self.reason).of(what, self.what)
    }
}

/// Times that an image is forced on a device that goes on reporting the same. The device
/// would try it at every check, for ever.
pub const FORCED: u32 = 3;
/// Times that an image may fail on a device that fetched it.
pub const FAILED: u32 = 2;

/// Decides what the device that checked in is told.
pub fn decide<'a>(
    check_in: &'a CheckIn<'_>,
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    memory: &impl DeviceMemory,
) -> Decision<'a> {
    let own = check_in.version();
    let candidates = candidates(check_in, snapshot, policy, memory);
    let model = candidates.model;
    let mut decision = Decision {
        model,
        named: check_in.models().next(),
        is_own: candidates.is_own,
        own_files: candidates.own_files(),
        candidates: candidates.files.len() + candidates.merged.len(),
        outcome: Outcome::UpToDate,
        withheld: Vec::new(),
        is_early: may_yet_serve(check_in, snapshot, policy, &candidates),
        near: candidates.near,
        unused: None,
    };
    // A header may name another version: the device parses its own all the same.
    let reported = check_in.report.version.as_deref().unwrap_or(own);
    if !version::is_device_safe(own) || !version::is_device_safe(reported) {
        decision.outcome = Outcome::Silent;
        return decision;
    }
    let newer = |version: &Version| version::compare(version.as_str(), own) == Ordering::Greater;
    if let Some(reason) = candidates.kept_back {
        let mut default = snapshot.model(DEFAULT_MODEL).iter();
        let kept_back = default.find(|entry| newer(&entry.version));
        decision.withheld.extend(kept_back.map(|entry| Withheld {
            what: &entry.file,
            reason,
        }));
        return decision;
    }
    let pin = policy.pin(model);
    let mut pin_found = false;
    let mut device = None;
    for entry in candidates.files.iter().chain(candidates.merged) {
        let order = version::compare(entry.version.as_str(), own);
        match pin {
            Some(pin) if entry.version != *pin => continue,
            Some(_) => pin_found = true,
            None => {}
        }
        if order == Ordering::Equal || (order == Ordering::Less && pin.is_none()) {
            break; // The highest come first: nothing newer follows.
        }
        // Most check-ins never get here, and leave their partition table unread.
        let device = device
            .get_or_insert_with(|| ReportedDevice::of(&check_in.report, own, &policy.projects));
        let (what, file) = (&entry.file, entry.candidate());
        if let Some(reason) = device.runs(&file) {
            // What follows is lower than what it runs, whatever that calls
            // itself: to offer it would send the device back and forth.
            decision.withheld.push(Withheld { what, reason });
            break;
        }
        // Both are safe: the device's was looked at above, the scan lets in no other.
        let force = !version::device_finds_newer(own, entry.version.as_str());
        let reason = device.refuses(&file);
        let reason = reason.or_else(|| match memory.failed(&entry.sha256) {
            Ok(times) => (times >= FAILED).then_some(Reason::Failed { times }),
            Err(unknown) => Some(unknown.reason()),
        });
        let reason = reason.or_else(|| {
            if !force {
                return None;
            }
            let no_proof = device.cannot_be_forced(&file).map(Reason::NeedsForce);
            no_proof.or_else(|| match memory.forced(&entry.sha256) {
                Ok(times) => (times >= FORCED).then_some(Reason::Failed { times }),
                // Nobody would count how often it fails.
                Err(unknown) => Some(unknown.reason()),
            })
        });
        if let Some(reason) = reason {
            // What would have to be forced below it would push it out of the
            // memory of what was forced in vain, and bring it back. And what is not known
            // of this one is not known of the next.
            let end = match reason {
                Reason::Failed { .. } => force,
                Reason::NoRoom
                | Reason::Unread
                | Reason::NewerStore
                | Reason::UnknownOrders
                | Reason::Unsaid => true,
                _ => false,
            };
            decision.withheld.push(Withheld { what, reason });
            if end {
                break;
            }
            continue;
        }
        decision.outcome = Outcome::Offer { entry, force };
        break;
    }
    if let Some(pin) = pin.filter(|_| !pin_found) {
        decision.withheld.push(Withheld {
            what: pin.as_str(),
            reason: Reason::PinnedVersionMissing,
        });
    }
    if matches!(decision.outcome, Outcome::UpToDate) && decision.is_own {
        let wanted = |version: &Version| pin.map_or_else(|| newer(version), |pin| version == pin);
        let mut names = policy.names(model);
        decision.unused = names.find_map(|name| snapshot.unused_of(name, wanted));
    }
    decision
}

/// Files that a device is held against, highest version first.
struct Candidates<'a> {
    /// The model that they are for, as the device or the file calls it.
    model: &'a str,
    /// Tells that it is one of the device's own.
    is_own: bool,
    files: &'a [Arc<Entry>],
    /// All files of a model that has some under several names.
    merged: Vec<&'a Arc<Entry>>,
    /// The file whose name is nearly the model's, where that has none.
    near: Option<NearFile>,
    /// Reason for which the device is kept from `default`.
    kept_back: Option<Reason<'a>>,
}

impl<'a> Candidates<'a> {
    fn new(model: &'a str, files: &'a [Arc<Entry>]) -> Self {
        Self {
            model,
            is_own: false,
            files,
            merged: Vec::new(),
            near: None,
            kept_back: None,
        }
    }

    /// Finds the files of a model under all of its names. The highest version counts,
    /// whatever name it has: a device that took the old name's last release must go on to
    /// the new name's. Of equal ones the device's own name goes first.
    fn own(model: &'a str, snapshot: &'a Snapshot, policy: &'a Policy) -> Self {
        let names = policy.names(model).map(|name| snapshot.model(name));
        let mut lists = names.filter(|files| !files.is_empty());
        let mut own = Self::new(model, lists.next().unwrap_or_default());
        own.is_own = true;
        let others: Vec<_> = lists.flatten().collect();
        if !others.is_empty() {
            own.merged = own.files.iter().chain(others).collect();
            own.merged.sort_by_key(|entry| Reverse(&entry.version));
            own.files = &[];
        }
        own
    }

    /// Returns the model that stands in the names of the files which are the device's
    /// own. What it calls itself may be an alias, and the setting may go.
    fn own_files(&self) -> Option<&'a str> {
        let is_called_so = |entry: &&Arc<Entry>| entry.model == model_key(self.model);
        let mut files = self.files.iter().chain(self.merged.iter().copied());
        let first = files.clone().next()?;
        let model = match files.find(is_called_so) {
            Some(_) => self.model,
            None => &first.model,
        };
        (self.is_own && model != DEFAULT_MODEL).then_some(model)
    }
}

/// The first of the device's models that has files, and those files, highest
/// first; else what is meant for devices without.
///
/// A model whose files are all unusable just now (one is being copied, say) has
/// files: its devices wait, and get no other board's. So has one that is pinned.
///
/// A model whose file lies there under a name that is nearly its own waits, too, until
/// somebody gives it that name: the server knows which file was meant.
///
/// Boards are renamed between releases: a device that had files of its own and comes
/// under another name, or under none any more, is no board without files.
fn candidates<'a>(
    check_in: &'a CheckIn<'_>,
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    memory: &impl DeviceMemory,
) -> Candidates<'a> {
    let is_another = |own: &OwnModel| !check_in.models().any(|model| own.has_files_of(model));
    let before = || match memory.own_model(check_in.models().next()) {
        Ok(own) => Some(own.filter(is_another)?.keeps_back(check_in.models())),
        // It may be one that had files of its own.
        Err(unknown) => Some(unknown.reason()),
    };
    let kept_back = |named, reason| Candidates {
        kept_back: Some(reason),
        ..Candidates::new(named, &[])
    };
    let mut models = check_in.models();
    if let Some(model) = models.find(|model| policy.is_known(model, snapshot)) {
        // Memory is asked only of a device that calls itself so.
        let before = (model == DEFAULT_MODEL).then(before).flatten();
        return match before {
            Some(reason) => kept_back(model, reason),
            None => Candidates::own(model, snapshot, policy),
        };
    }
    let default = Candidates::new(DEFAULT_MODEL, snapshot.model(DEFAULT_MODEL));
    let Some(named) = check_in.models().next() else {
        if check_in.is_unidentified() {
            // A body that broke too early, or was lost, could be any board's.
            return Candidates::new(DEFAULT_MODEL, &[]);
        }
        return match before() {
            Some(reason) if !default.files.is_empty() => kept_back(DEFAULT_MODEL, reason),
            _ => default,
        };
    };
    let near = near(check_in, snapshot);
    let meant = near.as_ref().filter(|near| near.is_waited_for);
    let found = if policy.default_for == DefaultFor::Unreported || default.files.is_empty() {
        Candidates::new(named, &[])
    } else if let Some(reason) = before() {
        kept_back(named, reason)
    } else if let Some(NearFile { file, .. }) = meant {
        let near = file.clone().into();
        kept_back(named, Reason::NearName { near })
    } else {
        default
    };
    Candidates { near, ..found }
}

/// Returns the file whose name is nearly that of a device whose model has none. A header
/// that names a model stands alone, and may be what is wrong.
fn near(check_in: &CheckIn<'_>, snapshot: &Snapshot) -> Option<NearFile> {
    let models: Vec<_> = check_in.models().collect();
    let report = &check_in.report;
    let of_body = [&report.board_name, &report.board_type, &report.model];
    let of_body = of_body.into_iter().flatten().map(AsRef::as_ref);
    let others: Vec<_> = of_body.filter(|name| !models.contains(name)).collect();
    snapshot.near(&models, &others)
}

/// Returns whether the device could be served by a file that is not read yet: one of the
/// model that was looked through, or of those for everybody where that has none.
fn may_yet_serve(
    check_in: &CheckIn<'_>,
    snapshot: &Snapshot,
    policy: &Policy,
    candidates: &Candidates<'_>,
) -> bool {
    let model = candidates.model;
    if model == DEFAULT_MODEL && check_in.is_unidentified() || candidates.kept_back.is_some() {
        return false;
    }
    let may_yet = |model: &str| {
        let own = check_in.version();
        let pin = policy.pin(model);
        let wanted = |version: &Version| match pin {
            Some(pin) => version == pin,
            None => version::compare(version.as_str(), own) == Ordering::Greater,
        };
        let mut names = policy.names(model);
        names.any(|name| snapshot.may_yet_have(name, wanted))
    };
    let waits = candidates.near.as_ref();
    let falls = policy.default_for == DefaultFor::Unmatched
        && !policy.is_known(model, snapshot)
        && !waits.is_some_and(|near| near.is_waited_for);
    may_yet(model) || falls && may_yet(DEFAULT_MODEL)
}

#[cfg(test)]
mod tests;
