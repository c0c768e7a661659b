use super::journal::Kept as _;
use super::protected::Room as ProtectedRoom;
use super::*;
use crate::firmware::snapshot::Snapshot;
use crate::firmware::snapshot::tests::image_entry;
use crate::ota::decide::{Decision, Outcome, Policy, Withheld, decide};
use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};
use xiaozhi_device::checkin::{CheckIn, Report};
use xiaozhi_device::guards::Reason;
use xiaozhi_device::mac::Mac;
use xiaozhi_device::version::Version;
use xiaozhi_image_builder::Image;

mod crowded;
mod retried;
mod store;
mod terms;
mod unsaid;

fn own_model(named: &str, files: &str) -> OwnModel {
    let [named, files] = [named, files].map(Into::into);
    OwnModel { named, files }
}

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

fn came(second: u64) -> Came {
    Came {
        address: [192, 0, 2, 1].into(),
        is_secure: true,
        at: UNIX_EPOCH + Duration::from_secs(second),
    }
}

fn check_in<'a>(device: &'a str, body: &'a str) -> CheckIn<'a> {
    CheckIn {
        device,
        report: Report::read(body.as_bytes()),
        ..CheckIn::default()
    }
}

/// Lets a device check in, and returns what it is told.
fn told(
    fleet: &Fleet,
    (device, body): (&str, &str),
    snapshot: &Snapshot,
    policy: &Policy,
    second: u64,
) -> String {
    let check_in = check_in(device, body);
    let visit = fleet.visit(&check_in, came(second));
    let decision = decide(&check_in, snapshot, policy, &visit);
    visit.told(&decision);
    match decision.outcome {
        Outcome::Offer { entry, force: true } => format!("{} forced", entry.file),
        Outcome::Offer { entry, .. } => entry.file.clone(),
        _ => format!("{:?}", decision.withheld),
    }
}

/// Notes a decision, and returns whether it is news.
fn note(fleet: &Fleet, device: &str, version: &str, decision: &Decision<'_>, second: u64) -> bool {
    let body = format!(r#"{{"application":{{"version":"{version}"}}}}"#);
    let check_in = check_in(device, &body);
    fleet.visit(&check_in, came(second)).told(decision).is_news
}

#[test]
fn what_is_withheld_is_news_once_until_it_changes() {
    let fleet = Fleet::default();
    for device in ["d", "02:00:00:00:00:01"] {
        let note =
            |version: &str, files, second| note(&fleet, device, version, &decision(files), second);
        assert!(!note("1.0", &[], 1));
        assert!(note("1.0", &["x"], 2) && !note("1.0", &["x"], 3));
        // The device has changed, what is withheld has not.
        assert!(!note("1.1", &["x"], 4));
        assert!(note("1.1", &["x", "y"], 5) && !note("1.1", &[], 6));
        assert!(note("1.1", &["x", "y"], 7));
    }
}

fn mac(number: usize) -> String {
    Mac::from_bits(0x0200_0000_0000 + number as u64)
        .unwrap()
        .to_string()
}

#[test]
fn invented_devices_push_out_newcomers_alone() {
    let room = Room {
        newcomers: 1600,
        settled: 3,
        others: 100,
    };
    let fleet = Fleet::with_room(FleetStart::default(), room);
    let note = |device: &str, second| note(&fleet, device, "1.0", &decision(&["x"]), second);
    // Settled are those that were seen at two boots.
    for n in 1..=3 {
        assert!(note(&mac(n), 0) && !note(&mac(n), 60));
    }
    assert!(note(&mac(4), 0) && note("gone", 0));
    for n in 0..10_000 {
        note(&mac(100 + n), 100);
        note(&format!("invented {n}"), 100);
    }
    assert!(fleet.len() <= 1603, "{}", fleet.len());
    assert!((1..=3).all(|n| !note(&mac(n), 200)));
    assert!(note(&mac(4), 200) && note("gone", 200));
    // There is room for three of them; the fourth is answered all the same.
    note(&mac(4), 300);
    let is_settled = |n| {
        fleet
            .find(&DeviceId::new(&mac(n)))
            .map(|known| known.is_settled)
    };
    assert_eq!((is_settled(3), is_settled(4)), (Some(true), Some(false)));
    assert!(fleet.forget(&DeviceId::new(&mac(3))) && !fleet.forget(&DeviceId::new(&mac(3))));
    note(&mac(4), 400);
    assert_eq!((is_settled(3), is_settled(4)), (None, Some(true)));
}

/// Those who settled or were forgotten take nobody's place.
#[test]
fn newcomers_go_for_newcomers_alone() {
    let room = Room {
        newcomers: 16 * 4,
        settled: 10_000,
        others: 4,
    };
    let fleet = Fleet::with_room(FleetStart::default(), room);
    let come = |device: &str, second| note(&fleet, device, "1.0", &decision(&[]), second);
    let knows = |device: &str| fleet.knows(device);
    come(&mac(0), 0);
    come("first", 0);
    for n in 1..=5_000 {
        come(&mac(n), 10);
        come(&mac(n), 100);
    }
    assert_eq!(fleet.len(), 5_001);
    assert!(knows(&mac(0)), "who settled pushed it out");
    // As many as there is room for may come and be forgotten, and come again.
    for n in 0..100 {
        let device = format!("gone {n}");
        come(&device, 200);
        assert!(fleet.forget(&DeviceId::new(&device)));
    }
    assert!(knows("first"), "who is gone pushed it out");
    come("again", 300);
    fleet.forget(&DeviceId::new("again"));
    come("second", 301);
    come("again", 302);
    assert!(knows("first") && knows("second") && knows("again"));
    // Who came first goes first, and who came again goes by that.
    for (device, gone) in [("a", None), ("b", Some("first")), ("c", Some("second"))] {
        come(device, 400);
        let all = ["first", "second", "again"];
        let left = all.iter().filter(|device| knows(device)).count();
        assert!(gone.is_none_or(|gone| !knows(gone)), "{device}: {left}");
    }
    assert!(knows("again"));
}

/// A disk may be full for days.
#[test]
fn where_nothing_can_be_written_what_waits_for_it_is_bounded() {
    let room = Room {
        newcomers: 160,
        settled: 3,
        others: 10,
    };
    let start = FleetStart {
        is_kept: true,
        ..FleetStart::default()
    };
    let fleet = Fleet::with_room(start, room);
    let check = |number| note(&fleet, &mac(number), "1.0", &decision(&[]), 100);
    for n in 0..5_000 {
        check(n);
        if n % 50 == 0 {
            let taken = fleet.take_changed(2_000);
            fleet.changed_again(taken);
        }
    }
    assert!(fleet.waiting() <= 160, "{}", fleet.waiting());
    // Those that were written are to be removed when they go.
    let written = fleet.take_changed(2_000);
    for n in 5_000..6_000 {
        check(n);
    }
    let gone = fleet.take_changed(2_000);
    let gone = gone.iter().filter(|(_, record)| record.is_none()).count();
    assert_eq!(gone, written.len());
}

#[test]
fn what_is_kept_of_one_device_is_bounded() {
    let fleet = Fleet::default();
    let long = "é".repeat(10_000);
    let body = format!(r#"{{"application":{{"version":"{long}"}},"board":{{"name":"{long}"}}}}"#);
    let check_in = CheckIn {
        client: &long,
        ..check_in(&long, &body)
    };
    fleet.visit(&check_in, came(1)).told(&decision(&["x"; 100]));
    let known = fleet.find(&DeviceId::new(&long)).unwrap();
    let texts = [
        known.build.version(),
        known.named().unwrap(),
        &known.client.to_string(),
    ];
    assert!(texts.iter().all(|text| text.len() <= 128), "{known:?}");
}

#[test]
fn one_device_has_one_record_whatever_the_spelling() {
    let fleet = Fleet::default();
    for (n, id) in ["AA-BB-CC-00-11-22", "aabbcc001122", "aa:bb:cc:00:11:22"]
        .iter()
        .enumerate()
    {
        note(&fleet, id, "1.0", &decision(&[]), 60 * n as u64);
    }
    let page = fleet.devices(&Filter::default(), None, 10);
    let found: Vec<_> = page
        .devices
        .iter()
        .map(|(id, known)| (id.to_string(), known.boots))
        .collect();
    assert_eq!(found, [("aa:bb:cc:00:11:22".to_owned(), 3)]);
}

#[test]
fn a_check_soon_after_the_last_is_of_one_boot() {
    let fleet = Fleet::default();
    let boots = |second| {
        note(&fleet, &mac(1), "1.0", &decision(&[]), second);
        fleet.find(&DeviceId::new(&mac(1))).unwrap().boots
    };
    assert_eq!([0, 9, 18, 28, 100, 109].map(boots), [1, 1, 1, 2, 3, 3]);
}

#[test]
fn nothing_is_learned_while_the_clock_is_not_set() {
    let built = UNIX_EPOCH + Duration::from_secs(1000);
    let fleet = Fleet::new(FleetStart {
        built,
        ..FleetStart::default()
    });
    assert!(note(&fleet, &mac(1), "1.0", &decision(&["x"]), 999));
    assert_eq!(fleet.len(), 0);
    note(&fleet, &mac(1), "1.0", &decision(&["x"]), 1000);
    assert_eq!(fleet.len(), 1);
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
    for device in ["d", "02:00:00:00:00:01"] {
        let fleet = Fleet::default();
        let forces = |version: &str, second: u64| {
            let body =
                format!(r#"{{"application":{{"version":"{version}"}},"board":{{"type":"a"}}}}"#);
            told(&fleet, (device, &body), &snapshot, &policy, second).ends_with("forced")
        };
        // Retries within one boot are one try.
        assert!((0..10).all(|second| forces("1.8.0", second)));
        assert!(forces("1.8.0", 60) && forces("1.8.0", 120));
        assert!(!forces("1.8.0", 180) && !forces("1.8.0", 86_400));
        // A device that has got on is another matter.
        assert!(forces("1.9.0", 90_000));
    }
}

#[test]
fn a_board_that_is_renamed_gets_no_other_boards_files() {
    use crate::firmware::snapshot::tests::snapshot;
    let fleet = Fleet::default();
    let files = snapshot(&["old_2.0.bin", "default_9.0.bin"]);
    let offered = |device: &str, name: &str, policy: &Policy| {
        let body = format!(r#"{{"application":{{"version":"1.0"}},"board":{{"name":"{name}"}}}}"#);
        told(&fleet, (device, &body), &files, policy, 0)
    };
    let plain = Policy::default();
    assert_eq!(offered("d", "old", &plain), "old_2.0.bin");
    assert_eq!(fleet.former("d"), None);
    // However often it comes, and whatever it calls itself.
    for name in ["new", "new", "newer", "default"] {
        assert!(offered("d", name, &plain).contains("Renamed"), "{name}");
    }
    assert!(offered("d", "new", &plain).contains("Renamed"));
    assert_eq!(fleet.former("d"), Some(own_model("old", "old")));
    // Nobody remembers another one, nor what was nobody's own.
    assert_eq!(offered("e", "new", &plain), "default_9.0.bin");
    assert_eq!(offered("e", "newer", &plain), "default_9.0.bin");
    assert_eq!(fleet.former("e"), Some(own_model("new", "new")));
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
    assert_eq!(fleet.former("f"), Some(own_model("new", "old")));
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
        told(&fleet, (device, &body), &files, &policy, 0)
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
    *fleet.protected() = Protected::new(ProtectedRoom {
        forced,
        ..ProtectedRoom::default()
    });
    let pins = HashMap::from([("a".to_owned(), Version::new("1.7.0"))]);
    let policy = Policy {
        pins,
        ..Policy::default()
    };
    let told = |device: &str, name: &str, files: &Snapshot, second| {
        let body =
            format!(r#"{{"application":{{"version":"1.8.0"}},"board":{{"name":"{name}"}}}}"#);
        told(&fleet, (device, &body), files, &policy, second)
    };
    for minute in 0..3 {
        assert_eq!(
            told("vain", "a", &forcing, 60 * minute),
            "a_1.7.0.bin forced"
        );
    }
    assert_eq!(told("renamed", "old", &files, 200), "old_2.0.bin");
    // Strangers, whom the same image is forced on, and who have files of their own.
    for n in 1..forced {
        let stranger = format!("{n:012x}");
        assert_eq!(told(&stranger, "a", &forcing, 300), "a_1.7.0.bin forced");
        if n % 8 == 0 {
            let stranger = format!("o{n}");
            assert_eq!(told(&stranger, "old", &files, 400), "old_2.0.bin");
        }
    }
    assert!(!fleet.knows("vain") && !fleet.knows("renamed"));
    for minute in 10..20 {
        assert!(told("vain", "a", &forcing, 60 * minute).contains("Failed { times: 3 }"));
        assert!(told("renamed", "new", &files, 60 * minute).contains("Renamed"));
    }
    // There is no room: those who come new get nothing that might harm.
    assert!(told("newcomer", "a", &forcing, 3000).contains("NoRoom"));
    assert_eq!(told("newcomer", "old", &files, 3000), "old_2.0.bin");
}
