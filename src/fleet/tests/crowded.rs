//! Strangers who say much of themselves.

use super::*;
use crate::firmware::snapshot::tests::snapshot;

/// Room for what some twenty strangers say.
const ROOM: usize = 64 << 10;

fn fleet() -> Fleet {
    Fleet::new(FleetStart {
        room: FleetRoom {
            descriptions: ROOM,
            ..FleetRoom::default()
        },
        ..FleetStart::default()
    })
}

/// A body of which everything is somebody's own.
fn body(number: usize, version: &str) -> String {
    let text = |what: &str| format!("{what}{number:06}{}", "x".repeat(110));
    let lines = (0..24).map(|line| {
        format!(r#"{{"label":"{number:06}{line:02}","type":1,"subtype":2,"address":3,"size":4}}"#)
    });
    let lines = lines.collect::<Vec<_>>().join(",");
    let (board, kind, project) = (text("b"), text("t"), text("p"));
    format!(
        r#"{{"chip_model_name":"esp32s3","application":{{"name":"{project}","version":"{version}"}},"partition_table":[{lines}],"board":{{"name":"{board}","type":"{kind}"}}}}"#
    )
}

/// Lets strangers come, each at so many boots.
fn strangers(fleet: &Fleet, numbers: std::ops::Range<usize>, boots: u64) {
    for number in numbers {
        for boot in 0..boots {
            let body = body(number, &format!("1.0.{boot}"));
            let device = (&*mac(10_000 + number), &*body);
            let files = Snapshot::default();
            told(fleet, device, &files, &Policy::default(), 60 * (boot + 1));
        }
    }
}

/// Lets one of ours come, and returns what it is told.
fn ours(fleet: &Fleet, number: usize, version: &str, files: &[&str], second: u64) -> String {
    let body = format!(r#"{{"application":{{"version":"{version}"}},"board":{{"name":"a"}}}}"#);
    let device = (&*mac(number), &*body);
    told(fleet, device, &snapshot(files), &Policy::default(), second)
}

fn find(fleet: &Fleet, number: usize) -> Record {
    fleet.find(&DeviceId::new(&mac(number))).unwrap()
}

/// Has the newest offer of one fetched whole.
fn fetched(fleet: &Fleet, number: usize, second: u64) {
    let id = DeviceId::new(&mac(number));
    let moment = fleet.moment(UNIX_EPOCH + Duration::from_secs(second));
    let mut shard = fleet.table.shard(&id);
    let offered = fleet.table.change(&mut shard, &id, |record| {
        let history = record.history.as_mut()?;
        let number = history.offers.last()?.number;
        history.begun(number, moment)?;
        history.fetched(number, moment)
    });
    assert!(offered.flatten().is_some());
}

fn end(fleet: &Fleet, number: usize) -> &'static str {
    let history = find(fleet, number).history.unwrap();
    history.offers.last().unwrap().end.key()
}

#[test]
fn what_newcomers_say_fills_half_of_the_room() {
    let fleet = fleet();
    strangers(&fleet, 0..2_000, 1);
    let (bytes, most) = fleet.commons().fill();
    assert!(bytes <= most / 2 && bytes > most / 3, "{bytes} of {most}");
    assert!(find(&fleet, 10_000).named().is_some());
    assert_eq!(find(&fleet, 11_999).named(), None);
    // Those that go leave their room to others.
    for number in 0..2_000 {
        fleet.forget(&DeviceId::new(&mac(10_000 + number)));
    }
    strangers(&fleet, 2_000..4_000, 1);
    let kept = (2_000..4_000).filter(|n| find(&fleet, 10_000 + n).named().is_some());
    assert!(kept.count() > 5);
    // A known device says something new.
    for second in [0, 60, 120] {
        ours(&fleet, 1, &format!("1.{second}"), &[], second);
    }
    assert_eq!(find(&fleet, 1).build.version(), "1.120");
}

#[test]
fn strangers_that_come_often_fill_the_room_and_known_devices_go_on() {
    let fleet = fleet();
    for (number, second) in [(1, 0), (1, 60), (2, 0), (2, 60)] {
        assert!(ours(&fleet, number, "1.0", &[], second).starts_with("[]"));
    }
    strangers(&fleet, 0..2_000, 4);
    let (bytes, most) = fleet.commons().fill();
    assert!(bytes <= most && bytes > most / 3 * 2, "{bytes} of {most}");
    // One of ours is offered an image, and runs what nobody reported before.
    let files = ["a_2.0.bin"];
    assert_eq!(ours(&fleet, 1, "1.0", &files, 1000), "a_2.0.bin");
    fetched(&fleet, 1, 1001);
    assert_eq!(ours(&fleet, 1, "2.0", &files, 1002), "[]");
    assert_eq!(end(&fleet, 1), "succeeded");
    let known = find(&fleet, 1);
    assert_eq!((known.build.version(), known.named()), ("2.0", Some("a")));
    // It goes on from there, and is found to be rolled back.
    let files = ["a_2.0.bin", "a_3.0.bin"];
    for round in 0..2 {
        let second = 2000 + 100 * round;
        assert_eq!(ours(&fleet, 1, "2.0", &files, second), "a_3.0.bin");
        fetched(&fleet, 1, second + 1);
        ours(&fleet, 1, "2.0", &files, second + 2);
    }
    assert!(ours(&fleet, 1, "2.0", &files, 3000).contains("Failed { times: 2 }"));
    // Another one says what nobody else does: it might be rolled back to that, unseen.
    assert!(ours(&fleet, 2, "1.5", &files, 3000).contains("NoRoom"));
    assert_eq!(find(&fleet, 2).build.version(), "1.0");
    assert_eq!(ours(&fleet, 2, "1.0", &files, 3100), "a_3.0.bin");
    // A new one of a known kind is as any, and one that says something new is answered.
    assert_eq!(ours(&fleet, 3, "1.0", &files, 3000), "a_3.0.bin");
    assert_eq!(find(&fleet, 3).named(), Some("a"));
    assert_eq!(ours(&fleet, 4, "1.5", &files, 3000), "a_3.0.bin");
}

/// A store of a larger machine, or of another time.
#[test]
fn a_store_with_more_than_there_is_room_for_is_read() {
    use crate::fleet::about::{Build, Profile};
    let fleet = fleet();
    let record = |number: usize| {
        let body = body(number, "1.0");
        let check_in = check_in("d", &body);
        let (profile, build) = (Profile::of(&check_in), Build::of(&check_in));
        let client = ClientId::new("c");
        let mut record = Record::new(client, profile.into(), build.into(), 0);
        record.is_settled = true;
        record
    };
    let devices = (0..500).map(|n| (DeviceId::new(&mac(n)), record(n)));
    fleet.read(devices.collect());
    let (bytes, most) = fleet.commons().fill();
    assert!(bytes <= most, "{bytes} of {most}");
    assert_eq!(fleet.len(), 500);
    assert!(find(&fleet, 0).named().is_some() && find(&fleet, 499).named().is_none());
}
