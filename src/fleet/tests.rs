use super::protected::Room as ProtectedRoom;
use super::*;
use crate::firmware::snapshot::Snapshot;
use crate::firmware::snapshot::tests::image_entry;
use crate::ota::decide::{Decision, Outcome, Policy, Withheld, decide};
use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};
use xiaozhi_device::checkin::{CheckIn, Report};
use xiaozhi_device::guards::Reason;
use xiaozhi_device::version::Version;
use xiaozhi_image_builder::Image;

fn decision(withheld: &'static [&'static str]) -> Decision<'static> {
    let reason = Reason::NoSlot;
    let held = |what: &&'static str| Withheld {
        what,
        reason: reason.clone(),
    };
    Decision {
        model: "a",
        named: Some("a"),
        is_own: true,
        own_files: Some("a"),
        candidates: 1,
        outcome: Outcome::UpToDate,
        withheld: withheld.iter().map(held).collect(),
        is_early: false,
        near: None,
        unused: None,
    }
}

#[test]
fn what_is_withheld_is_news_once_until_it_changes() {
    let fleet = Fleet::default();
    let note = |version: &str, files, second| {
        let now = UNIX_EPOCH + Duration::from_secs(second);
        fleet.note("d", version, &decision(files), now)
    };
    assert!(!note("1.0", &[], 1));
    assert!(note("1.0", &["x"], 2) && !note("1.0", &["x"], 3));
    // The device has changed, what is withheld has not.
    assert!(!note("1.1", &["x"], 4));
    assert!(note("1.1", &["x", "y"], 5) && !note("1.1", &[], 6));
    assert!(note("1.1", &["x", "y"], 7));
    let last = fleet.last("d");
    let seen = last.as_ref().map(|last| (last.checks, &*last.version));
    assert_eq!(seen, Some((7, "1.1")));
    assert_eq!(last.map(|last| last.withheld.len()), Some(2));
}

#[test]
fn invented_devices_push_out_only_those_that_stay_away() {
    let fleet = Fleet::default();
    let note = |device: &str| fleet.note(device, "1.0", &decision(&["x"]), UNIX_EPOCH);
    assert!(note("real") && note("gone"));
    for n in 0..4 * GENERATION {
        note(&format!("invented {n}"));
        if n % 1000 == 0 {
            assert!(!note("real"));
        }
    }
    assert!(fleet.len() <= 2 * GENERATION);
    assert!(!note("real") && fleet.last("gone").is_none());
}

#[test]
fn what_is_kept_of_one_device_is_bounded() {
    let fleet = Fleet::default();
    let long = "é".repeat(10_000);
    fleet.note(&long, &long, &decision(&["x"; 100]), UNIX_EPOCH);
    let kept = fleet
        .last(&long)
        .map(|last| (last.version.len(), last.withheld.len()));
    assert_eq!(kept, Some((KEPT, WITHHELD_KEPT)));
}

#[test]
fn what_was_forced_in_vain_is_not_forced_for_ever() {
    let image = Image::new("1.7.0");
    // A second one of the same rank would have to be forced, too.
    let twin = Image::new("1.7");
    let snapshot = Snapshot::new(
        [
            image_entry("a_1.7.0.bin", &image, 2048),
            image_entry("a_1.7.bin", &twin, 2048),
        ],
        ["a".to_owned()].into(),
    );
    let pins = HashMap::from([("a".to_owned(), Version::new("1.7.0"))]);
    let policy = Policy {
        pins,
        ..Policy::default()
    };
    let fleet = Fleet::default();
    let forces = |version: &str, second: u64| {
        let body = format!(r#"{{"application":{{"version":"{version}"}},"board":{{"type":"a"}}}}"#);
        let check_in = CheckIn {
            report: Report::read(body.as_bytes()),
            ..CheckIn::default()
        };
        let now = UNIX_EPOCH + Duration::from_secs(second);
        let memory = fleet.device("d", version, now);
        let decision = decide(&check_in, &snapshot, &policy, &memory);
        fleet.note("d", version, &decision, now);
        matches!(decision.outcome, Outcome::Offer { force: true, .. })
    };
    // Retries within one boot are one try.
    assert!((0..10).all(|second| forces("1.8.0", second)));
    assert!(forces("1.8.0", 60) && forces("1.8.0", 120));
    assert!(!forces("1.8.0", 180) && !forces("1.8.0", 86_400));
    // A device that has got on is another matter.
    assert!(forces("1.9.0", 90_000));
}

#[test]
fn a_board_that_is_renamed_gets_no_other_boards_files() {
    use crate::firmware::snapshot::tests::snapshot;
    let fleet = Fleet::default();
    let files = snapshot(&["old_2.0.bin", "default_9.0.bin"]);
    let offered = |device: &str, name: &str, policy: &Policy| {
        let body = format!(r#"{{"application":{{"version":"1.0"}},"board":{{"name":"{name}"}}}}"#);
        let check_in = CheckIn {
            report: Report::read(body.as_bytes()),
            ..CheckIn::default()
        };
        let decision = decide(
            &check_in,
            &files,
            policy,
            &fleet.device(device, "1.0", UNIX_EPOCH),
        );
        fleet.note(device, "1.0", &decision, UNIX_EPOCH);
        match decision.outcome {
            Outcome::Offer { entry, .. } => entry.file.clone(),
            _ => format!("{:?}", decision.withheld),
        }
    };
    let plain = Policy::default();
    assert_eq!(offered("d", "old", &plain), "old_2.0.bin");
    assert_eq!(fleet.former("d"), None);
    // However often it comes, and whatever it calls itself.
    for name in ["new", "new", "newer", "default"] {
        assert!(offered("d", name, &plain).contains("Renamed"), "{name}");
    }
    assert!(offered("d", "new", &plain).contains("Renamed"));
    assert_eq!(fleet.former("d"), Some(own("old", "old")));
    // Nobody remembers another one, nor what was nobody's own.
    assert_eq!(offered("e", "new", &plain), "default_9.0.bin");
    assert_eq!(offered("e", "newer", &plain), "default_9.0.bin");
    assert_eq!(fleet.former("e"), Some(own("new", "new")));
    let mut aliases = plain.aliases.clone();
    aliases.add("old", "new");
    let one_model = Policy {
        aliases,
        ..plain.clone()
    };
    assert_eq!(offered("d", "new", &one_model), "old_2.0.bin");
    assert_eq!(fleet.former("d"), None);
    // It never had another name than this one, by which it had files.
    assert_eq!(offered("f", "new", &one_model), "old_2.0.bin");
    assert!(offered("f", "new", &plain).contains("Unaliased { files: \"old\" }"));
    assert_eq!(fleet.former("f"), Some(own("new", "old")));
    assert!(offered("f", "newer", &plain).contains("Renamed { old: \"new\" }"));
    assert!(offered("f", "old", &plain).contains("old_2.0.bin"));
}

#[test]
fn who_gives_anothers_id_holds_it_back_until_it_is_back() {
    use crate::firmware::snapshot::tests::snapshot;
    let fleet = Fleet::default();
    let files = snapshot(&["old_2.0.bin", "default_9.0.bin"]);
    let policy = Policy::default();
    let offered = |device: &str, name: &str| {
        let body = format!(r#"{{"application":{{"version":"1.0"}},"board":{{{name}}}}}"#);
        let check_in = CheckIn {
            report: Report::read(body.as_bytes()),
            ..CheckIn::default()
        };
        let decision = decide(
            &check_in,
            &files,
            &policy,
            &fleet.device(device, "1.0", UNIX_EPOCH),
        );
        fleet.note(device, "1.0", &decision, UNIX_EPOCH);
        match decision.outcome {
            Outcome::Offer { entry, .. } => entry.file.clone(),
            _ => format!("{:?}", decision.withheld),
        }
    };
    let named = |name: &str| format!(r#""name":"{name}""#);
    for (device, before) in [("d", None), ("e", Some(String::new()))] {
        let victim = named("mine");
        if let Some(before) = before {
            assert_eq!(offered(device, &before), "default_9.0.bin");
        }
        assert_eq!(offered(device, &victim), "default_9.0.bin");
        for _ in 0..3 {
            assert_eq!(offered(device, &named("old")), "old_2.0.bin");
            assert!(offered(device, &named("new")).contains("Renamed"));
            // Without a name it may be any board.
            assert!(offered(device, "").contains("Renamed"));
            // As it came before, it gets what it got.
            for _ in 0..2 {
                assert_eq!(offered(device, &victim), "default_9.0.bin");
                assert_eq!(
                    fleet.former(device).filter(|own| &*own.named == "old"),
                    None
                );
            }
        }
        // Under a third name it gets no default: once it had files of its own.
        assert!(offered(device, &named("x")).contains("Renamed"));
        assert_eq!(offered(device, &named("old")), "old_2.0.bin");
        assert_eq!(offered(device, &victim), "default_9.0.bin");
    }
}

/// Forgotten by what is remembered of its last check-in, not by what protects it.
#[test]
fn what_protects_a_device_is_forgotten_for_nobody() {
    use crate::firmware::snapshot::tests::snapshot;
    let image = Image::new("1.7.0");
    let forcing = Snapshot::new(
        [image_entry("a_1.7.0.bin", &image, 2048)],
        ["a".to_owned()].into(),
    );
    let files = snapshot(&["old_2.0.bin", "default_9.0.bin"]);
    let fleet = Fleet::default();
    // No more of them than in this test.
    let forced = 34_000;
    fleet.memory().protected = Protected::new(Room {
        forced,
        ..Room::default()
    });
    let pins = HashMap::from([("a".to_owned(), Version::new("1.7.0"))]);
    let policy = Policy {
        pins,
        ..Policy::default()
    };
    let told = |device: &str, name: &str, files: &Snapshot, second| {
        let now = UNIX_EPOCH + Duration::from_secs(second);
        let body =
            format!(r#"{{"application":{{"version":"1.8.0"}},"board":{{"name":"{name}"}}}}"#);
        let check_in = CheckIn {
            report: Report::read(body.as_bytes()),
            ..CheckIn::default()
        };
        let decision = decide(
            &check_in,
            files,
            &policy,
            &fleet.device(device, "1.8.0", now),
        );
        fleet.note(device, "1.8.0", &decision, now);
        match decision.outcome {
            Outcome::Offer { entry, force } => format!("{} {force}", entry.file),
            _ => format!("{:?}", decision.withheld),
        }
    };
    for minute in 0..3 {
        assert_eq!(told("vain", "a", &forcing, 60 * minute), "a_1.7.0.bin true");
    }
    assert_eq!(told("renamed", "old", &files, 200), "old_2.0.bin false");
    // Strangers, whom the same image is forced on, and who have files of their own.
    for n in 1..forced {
        let stranger = format!("{n:012x}");
        assert_eq!(told(&stranger, "a", &forcing, 300), "a_1.7.0.bin true");
        if n % 8 == 0 {
            let stranger = format!("o{n}");
            assert_eq!(told(&stranger, "old", &files, 400), "old_2.0.bin false");
        }
    }
    assert!(fleet.last("vain").is_none() && fleet.last("renamed").is_none());
    for minute in 10..20 {
        assert!(told("vain", "a", &forcing, 60 * minute).contains("Failed { times: 3 }"));
        assert!(told("renamed", "new", &files, 60 * minute).contains("Renamed"));
    }
    // There is no room: those who come new get nothing that might harm.
    assert!(told("newcomer", "a", &forcing, 3000).contains("NoRoom"));
    assert_eq!(told("newcomer", "old", &files, 3000), "old_2.0.bin false");
}
