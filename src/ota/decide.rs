//! The offer decision: check-in, snapshot and policy in, what to tell the
//! device out. Pure; everything else stands around it.
//!
//! The candidates of one model are looked at, highest version first:
//!
//! 1. The model is the first of the device's own that may have a file or is pinned;
//!    else `default`, where the policy allows it.
//! 2. A version of its own that the device's parser cannot take, whatever a header
//!    says: nothing about firmware.
//! 3. Pinned, every other version is passed over. Equal to the device's version: it
//!    is up to date, end. Below it and not pinned: the same.
//! 4. The device runs this very image: withheld, **end**.
//! 5. A guard forbids it ([`guards`](xiaozhi_device::guards)): withheld, the next.
//! 6. The device's own comparison would refuse: forced, where that ends. What was
//!    forced three times in vain is withheld, and ends it; what cannot be forced is
//!    withheld, the next.
//! 7. Offered.
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

use crate::event::Event;
use crate::firmware::snapshot::{Entry, Snapshot};
use std::cmp::Ordering;
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
    /// `gateway.firmware.projects`.
    pub projects: Projects,
}

/// Answer to a device, and its reasons.
#[derive(Debug)]
pub struct Decision<'a> {
    /// The model whose files were looked through.
    pub model: &'a str,
    /// Number of files that the model has.
    pub candidates: usize,
    /// The answer.
    pub outcome: Outcome<'a>,
    /// Candidates above the device's version that were not offered.
    pub withheld: Vec<Withheld<'a>>,
    /// Tells that a file which could serve the device is there and not read yet.
    pub is_early: bool,
}

impl Decision<'_> {
    /// Takes the offer back, if there is one, for a reason that lies in this
    /// server.
    pub(crate) fn withdraw(&mut self) {
        if let Outcome::Offer { entry, .. } = self.outcome {
            self.withheld.push(Withheld {
                what: &entry.file,
                reason: Reason::NoAddress,
            });
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

/// Image that was forced on a device before, while it reported what it reports now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forced {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Number of check-ins at which it was, those of one boot counted as one.
    pub times: u32,
}

/// Times that an image is forced on a device that goes on reporting the same. The device
/// would try it at every check, for ever.
const FORCED: u32 = 3;

/// Decides what the device that checked in is told. `forced` is asked only where
/// an image would have to be forced.
pub fn decide<'a>(
    check_in: &'a CheckIn<'_>,
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    forced: impl Fn() -> Option<Forced>,
) -> Decision<'a> {
    let own = check_in.version();
    let (model, candidates) = candidates(check_in, snapshot, policy);
    let mut decision = Decision {
        model,
        candidates: candidates.len(),
        outcome: Outcome::UpToDate,
        withheld: Vec::new(),
        is_early: may_yet_serve(check_in, snapshot, policy, model),
    };
    // A header may name another version: the device parses its own all the same.
    let reported = check_in.report.version.as_deref().unwrap_or(own);
    if !version::is_device_safe(own) || !version::is_device_safe(reported) {
        decision.outcome = Outcome::Silent;
        return decision;
    }
    let pin = policy.pins.get(model);
    let mut pin_found = false;
    let mut device = None;
    for entry in candidates {
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
        let reason = reason.or_else(|| {
            if !force {
                return None;
            }
            let no_proof = device.cannot_be_forced(&file).map(Reason::NeedsForce);
            no_proof.or_else(|| {
                let times = forced().filter(|f| f.sha256 == entry.sha256)?.times;
                (times >= FORCED).then_some(Reason::Failed { times })
            })
        });
        if let Some(reason) = reason {
            // What would have to be forced below it would push it out of the
            // memory of what was forced in vain, and bring it back.
            let end = matches!(reason, Reason::Failed { .. });
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
    decision
}

/// The first of the device's models that has files, and those files, highest
/// first; else what is meant for devices without.
///
/// A model whose files are all unusable just now (one is being copied, say) has
/// files: its devices wait, and get no other board's. So has one that is pinned.
fn candidates<'a>(
    check_in: &'a CheckIn<'_>,
    snapshot: &'a Snapshot,
    policy: &Policy,
) -> (&'a str, &'a [Arc<Entry>]) {
    let known = |model: &&str| snapshot.may_have(model) || policy.pins.contains_key(*model);
    if let Some(model) = check_in.models().find(known) {
        return (model, snapshot.model(model));
    }
    match check_in.models().next() {
        // A body that broke too early could be any board's.
        None if check_in.is_unidentified() => (DEFAULT_MODEL, &[]),
        None => (DEFAULT_MODEL, snapshot.model(DEFAULT_MODEL)),
        Some(named) => match (policy.default_for, snapshot.model(DEFAULT_MODEL)) {
            (DefaultFor::Unreported, _) | (_, []) => (named, &[]),
            (DefaultFor::Unmatched, entries) => (DEFAULT_MODEL, entries),
        },
    }
}

/// Returns whether the device could be served by a file that is not read yet: one of the
/// model that was looked through, or of those for everybody where that has none.
fn may_yet_serve(
    check_in: &CheckIn<'_>,
    snapshot: &Snapshot,
    policy: &Policy,
    model: &str,
) -> bool {
    if model == DEFAULT_MODEL && check_in.is_unidentified() {
        return false;
    }
    let may_yet = |model: &str| {
        let own = check_in.version();
        snapshot.may_yet_have(model, |version| match policy.pins.get(model) {
            Some(pin) => version == pin,
            None => version::compare(version.as_str(), own) == Ordering::Greater,
        })
    };
    let falls = policy.default_for == DefaultFor::Unmatched
        && !snapshot.may_have(model)
        && !policy.pins.contains_key(model);
    may_yet(model) || falls && may_yet(DEFAULT_MODEL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firmware::name;
    use crate::firmware::snapshot::tests::{entry, snapshot};
    use proptest::prelude::*;
    use xiaozhi_device::checkin::Report;

    fn said(model: &str, version: &str) -> String {
        format!(r#"{{"application":{{"version":"{version}"}},"board":{{"type":"{model}"}}}}"#)
    }

    /// The file offered, or what else is said.
    fn answer(body: &str, files: &[&str], policy: &Policy) -> String {
        let check_in = CheckIn {
            report: Report::read(body.as_bytes()),
            ..CheckIn::default()
        };
        let snapshot = snapshot(files);
        let decision = decide(&check_in, &snapshot, policy, || None);
        let mut text = match decision.outcome {
            Outcome::Offer { entry, .. } => entry.file.clone(),
            Outcome::UpToDate => "up to date".to_owned(),
            Outcome::Silent => "silent".to_owned(),
        };
        for w in &decision.withheld {
            text = format!("{text}; {} {:?}", w.what, w.reason);
        }
        text
    }

    fn plain(body: &str, files: &[&str]) -> String {
        answer(body, files, &Policy::default())
    }

    #[test]
    fn the_highest_above_the_devices_own() {
        let files = [
            "a_1.6.5.bin",
            "a_1.6.6.bin",
            "a_1.7.0-beta.bin",
            "b_9.bin",
            "default_1.0.0.bin",
        ];
        assert_eq!(plain(&said("a", "1.6.0"), &files), "a_1.7.0-beta.bin");
        assert_eq!(plain(&said("a", "1.7.0"), &files), "up to date");
        assert_eq!(plain(&said("a", "9.0.0"), &files), "up to date");
        assert_eq!(plain(&said("c", "0.0.1"), &files), "default_1.0.0.bin");
        assert_eq!(plain("", &files), "default_1.0.0.bin");
    }

    #[test]
    fn the_precise_board_wins() {
        let body = r#"{"application":{"version":"1.0"},"board":{"type":"t","name":"n"}}"#;
        assert_eq!(plain(body, &["t_9.bin", "n_2.bin"]), "n_2.bin");
        assert_eq!(plain(body, &["t_9.bin", "m_2.bin"]), "t_9.bin");
    }

    #[test]
    fn a_model_whose_files_are_unusable_just_now_gets_no_other_boards() {
        let body = r#"{"application":{"version":"1.0"},"board":{"type":"t","name":"n"}}"#;
        let check_in = CheckIn {
            report: Report::read(body.as_bytes()),
            ..CheckIn::default()
        };
        let entries = || ["default_9.bin", "t_9.bin"].map(entry);
        let models = ["default", "t", "n"].map(str::to_owned);
        let policy = Policy::default();
        // The precise board's file is being copied.
        let snapshot = Snapshot::new(entries(), models.into());
        let decision = decide(&check_in, &snapshot, &policy, || None);
        assert!(matches!(decision.outcome, Outcome::UpToDate) && decision.model == "n");
        // Nobody has looked yet.
        let snapshot = Snapshot::default();
        assert!(matches!(
            decide(&check_in, &snapshot, &policy, || None).outcome,
            Outcome::UpToDate
        ));
    }

    #[test]
    fn a_file_that_is_not_read_yet_may_serve_its_devices_and_no_others() {
        let files = ["a_1.5.bin", "b_2.0.bin", "default_3.0.bin"];
        let names = || files.map(|f| (f.to_owned(), name::parse(f).ok()));
        let models = || ["a", "b", "default"].map(str::to_owned).into();
        let early = |body: &str, unread: &[&str], policy: &Policy| {
            let read = files.iter().filter(|f| !unread.contains(f));
            let waiting = names().into_iter().filter(|(f, _)| unread.contains(&&**f));
            let snapshot = Snapshot::new(read.map(|f| entry(f)), models()).with_unread(waiting);
            let check_in = CheckIn {
                report: Report::read(body.as_bytes()),
                ..CheckIn::default()
            };
            decide(&check_in, &snapshot, policy, || None).is_early
        };
        let plain = Policy::default();
        assert!(early(&said("a", "1.4"), &["a_1.5.bin"], &plain));
        assert!(!early(&said("a", "1.4"), &["b_2.0.bin"], &plain));
        // Nothing that it holds would be new.
        assert!(!early(&said("a", "1.5"), &["a_1.5.bin"], &plain));
        // Whose model has no file waits for the one for everybody, if it may have that.
        assert!(early(&said("c", "1.0"), &["default_3.0.bin"], &plain));
        assert!(!early(&said("a", "1.0"), &["default_3.0.bin"], &plain));
        assert!(early("", &["default_3.0.bin"], &plain));
        assert!(!early("]", &["default_3.0.bin"], &plain));
        let narrow = Policy {
            default_for: DefaultFor::Unreported,
            ..Policy::default()
        };
        assert!(!early(&said("c", "1.0"), &["default_3.0.bin"], &narrow));
        let pinned = Policy {
            pins: HashMap::from([("a".to_owned(), Version::new("1.5"))]),
            ..Policy::default()
        };
        assert!(early(&said("a", "9.0"), &["a_1.5.bin"], &pinned));
        // Nobody has looked yet.
        let snapshot = Snapshot::default();
        let body = said("a", "1.0");
        let check_in = CheckIn {
            report: Report::read(body.as_bytes()),
            ..CheckIn::default()
        };
        assert!(decide(&check_in, &snapshot, &plain, || None).is_early);
    }

    #[test]
    fn default_can_be_narrowed() {
        let narrow = Policy {
            default_for: DefaultFor::Unreported,
            ..Policy::default()
        };
        let files = ["default_1.0.0.bin"];
        assert_eq!(answer(&said("c", "0.1"), &files, &narrow), "up to date");
        assert_eq!(
            answer(r#"{"application":{"version":"0.1"}}"#, &files, &narrow),
            "default_1.0.0.bin"
        );
    }

    #[test]
    fn a_broken_body_gets_no_strangers_firmware() {
        let files = ["default_1.0.0.bin", "esp32s3_1.7.0.bin"];
        assert_eq!(
            plain(r#"{"board":{"type":"esp32s3""#, &files),
            "esp32s3_1.7.0.bin"
        );
        assert_eq!(plain(r#"{"board":{"type":"esp32"#, &files), "up to date");
        assert_eq!(plain("]", &files), "up to date");
    }

    #[test]
    fn what_the_device_would_refuse_waits_and_a_lower_one_goes_out() {
        assert_eq!(
            plain(&said("a", "1.7.0-beta"), &["a_1.7.0.bin"]),
            "up to date; a_1.7.0.bin NeedsForce(NoImage)"
        );
        assert_eq!(
            plain(&said("a", "1.9.2"), &["a_1.9.2_2.bin"]),
            "up to date; a_1.9.2_2.bin NeedsForce(NoImage)"
        );
    }

    #[test]
    fn a_version_that_crashes_its_device_is_met_with_silence() {
        for own in ["v1.6.0", "2.0.x", "1..2", "1.202511211530"] {
            assert_eq!(plain(&said("a", own), &["a_9.0.bin"]), "silent", "{own}");
        }
    }

    #[test]
    fn a_pin_names_the_version_exactly() {
        let policy = Policy {
            pins: HashMap::from([("a".to_owned(), Version::new("1.6.6"))]),
            ..Policy::default()
        };
        let files = ["a_1.6.5.bin", "a_1.6.6.bin", "a_1.7.0.bin"];
        assert_eq!(answer(&said("a", "1.6.5"), &files, &policy), "a_1.6.6.bin");
        assert_eq!(answer(&said("a", "1.6.6"), &files, &policy), "up to date");
        assert_eq!(
            answer(&said("a", "1.7.0"), &files, &policy),
            "up to date; a_1.6.6.bin NeedsForce(NoImage)"
        );
        assert_eq!(
            answer(&said("a", "1.0"), &files[..1], &policy),
            "up to date; 1.6.6 PinnedVersionMissing"
        );
    }

    proptest! {
        #[test]
        fn what_is_offered_is_newer_for_us_and_for_the_device(
            own in "[0-9]{1,2}(\\.[0-9]{1,2}){0,3}([-_](rc)?[0-9])?",
            versions in prop::collection::vec("[0-9]{1,2}(\\.[0-9]{1,2}){0,3}([-_](rc)?[0-9])?", 0..8),
        ) {
            let files: Vec<String> = versions.iter().map(|v| format!("a_{v}.bin")).collect();
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            let body = said("a", &own);
            let check_in = CheckIn { report: Report::read(body.as_bytes()), ..CheckIn::default() };
            let (snapshot, policy) = (snapshot(&files), Policy::default());
            let fits = |v: &str| {
                version::compare(v, &own) == Ordering::Greater && version::device_accepts(&own, v)
            };
            match decide(&check_in, &snapshot, &policy, || None).outcome {
                Outcome::Offer { entry: e, .. } => {
                    prop_assert!(fits(e.version.as_str()));
                    for v in versions.iter().filter(|v| fits(v)) {
                        prop_assert!(version::compare(v, e.version.as_str()) != Ordering::Greater);
                    }
                }
                _ => prop_assert!(!versions.iter().any(|v| fits(v))),
            }
        }
    }
}
