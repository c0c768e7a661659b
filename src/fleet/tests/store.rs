//! The store, what it brings back, and what devices said before it did.

use super::*;
use crate::firmware::snapshot::tests::snapshot;
use crate::fleet::outcome::{ENOUGH, Failure};
use crate::fleet::table::STRETCH;
use std::time::SystemTime;

const BODY: &str = r#"{"application":{"version":"1.0"},"board":{"name":"a"}}"#;

/// Makes a fleet whose store is not read yet, with orders of these times, in milliseconds
/// since 1970.
fn unread(retries: &[u64]) -> Fleet {
    let retries = retries.iter();
    Fleet::new(FleetStart {
        is_kept: true,
        retries: retries.map(|at| (id(1), None, *at)).collect(),
        ..FleetStart::default()
    })
}

fn id(number: usize) -> DeviceId {
    DeviceId::new(&mac(number))
}

/// Record of a device of the store on which these images failed.
fn stored(failed: Vec<Failure>) -> Record {
    let history = History {
        offers: Vec::new(),
        failed,
    };
    Record {
        history: Some(Box::new(history)),
        ..Record::new(ClientId::new("c"), Arc::default(), Arc::default(), 1000)
    }
}

/// Reads all of a store.
fn read(fleet: &Fleet, devices: Vec<(DeviceId, Record)>) {
    fleet.read(devices);
    fleet.failures_known();
    fleet.all_read();
}

/// Lets a device check in, and returns what it is told.
fn asks(fleet: &Fleet, number: usize, second: u64) -> String {
    let (device, files) = (mac(number), snapshot(&["a_2.0.bin"]));
    let asks = (&*device, BODY);
    told(fleet, asks, &files, &Policy::default(), second)
}

fn now() -> u64 {
    wall(SystemTime::now())
}

#[test]
fn where_nobody_can_read_what_failed_nothing_is_offered_until_an_order() {
    let before = now();
    // An order from before it was found so frees nothing.
    let fleet = unread(&[before - 1000]);
    read(&fleet, vec![(id(1), stored(vec![Failure::UNKNOWN]))]);
    // It is written with the time at which it was found.
    let written = fleet.take_changed(10).pop().unwrap().1.unwrap();
    let failed = written.history.as_ref().unwrap().failed.clone();
    assert!((before..=now()).contains(&failed[0].at), "{failed:?}");
    assert!(asks(&fleet, 1, 2000).contains("TooMuchFailed"));
    assert_eq!(fleet.failed_before(&id(1), None), 1);
    assert_eq!(fleet.retry(&id(1), None), Some(1));
    assert_eq!(asks(&fleet, 1, 2100), "a_2.0.bin");
    // An order whose effect was not written any more counts at the next start.
    let after = failed[0].at + 1;
    while now() < after {
        std::thread::yield_now();
    }
    for (orders, is_offered) in [(&[][..], false), (&[after], true)] {
        let fleet = unread(orders);
        read(&fleet, vec![(id(1), written.clone())]);
        assert_eq!(fleet.waiting(), 0);
        assert_eq!(asks(&fleet, 1, 2000) == "a_2.0.bin", is_offered);
    }
    let twice = Failure {
        content: Content([1; 16]),
        times: ENOUGH,
        at: 1,
    };
    let fleet = unread(&[]);
    read(&fleet, vec![(id(1), stored(vec![twice]))]);
    assert_eq!(asks(&fleet, 1, 2000), "a_2.0.bin");
}

#[test]
fn an_order_that_is_given_before_a_device_is_read_holds_for_what_is_read() {
    let content = |n: u8| Content([n; 16]);
    let failure = |n: u8| Failure {
        content: content(n),
        times: ENOUGH,
        at: u64::MAX / 2,
    };
    for (contents, left) in [
        (None, vec![]),
        (Some([content(1)]), vec![failure(2), failure(3)]),
    ] {
        let fleet = unread(&[]);
        assert!(asks(&fleet, 1, 2000).contains("Unread"));
        let contents = contents.as_ref().map(<[_; 1]>::as_slice);
        fleet.retry(&id(1), contents).unwrap();
        let failed = vec![failure(1), failure(2), failure(3)];
        read(
            &fleet,
            vec![(id(1), stored(failed.clone())), (id(2), stored(failed))],
        );
        let failed = |number| {
            let history = fleet.find(&id(number)).unwrap().history;
            history.map_or(Vec::new(), |history| history.failed)
        };
        assert_eq!(failed(1), left);
        assert_eq!(failed(2).len(), 3);
    }
}

/// A part of a fleet of a million has 65,536: whoever checks in does not wait for all of them.
#[test]
fn that_all_changed_is_marked_a_stretch_at_a_time() {
    let fleet = unread(&[]);
    fleet.all_read();
    for number in 0..4_000 {
        asks(&fleet, number, 2000);
    }
    assert_eq!(fleet.take_changed(10_000).len(), 4_000);
    let mut last = None;
    for (part, stretch) in [(0, 1), (0, 2), (1, 3)] {
        let mut shard = lock(fleet.table.parts().nth(part).unwrap());
        last = shard.some_changed(last.as_ref().filter(|_| part == 0), STRETCH);
        assert!(last.is_some());
        drop(shard);
        assert!(fleet.waiting() <= stretch * STRETCH && fleet.waiting() > (stretch - 1) * STRETCH);
    }
    fleet.all_changed();
    assert_eq!(fleet.waiting(), 4_000);
}

#[test]
fn where_much_waits_the_writer_is_called_once() {
    use std::sync::atomic::AtomicUsize;
    let fleet = unread(&[]);
    fleet.all_read();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let call = move || {
        counted.fetch_add(1, Ordering::Relaxed);
    };
    fleet.call_at(50, Box::new(call));
    let mut next = 0;
    let mut calls_after = |changes: usize| {
        for number in next..next + changes {
            // However often each of them changes.
            asks(&fleet, number, 2000);
            asks(&fleet, number, 2001);
        }
        next += changes;
        calls.load(Ordering::Relaxed)
    };
    assert_eq!([49, 1, 200].map(&mut calls_after), [0, 1, 1]);
    assert_eq!(fleet.take_changed(1000).len(), 250);
    assert_eq!([49, 1].map(&mut calls_after), [1, 2]);
}

#[test]
fn an_hour_in_which_a_fleet_comes_is_counted_again_as_it_grows() {
    let fleet = Fleet::new(FleetStart::default());
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let runs = |fleet: &Fleet| {
        let counts = fleet.take_counts(now).into_iter();
        let versions = counts.filter(|(kind, ..)| *kind == past::VERSIONS);
        versions.map(|(.., count)| count).sum::<u64>()
    };
    assert_eq!(runs(&fleet), 0);
    let mut number = 0;
    for (until, counted) in [(1, 1), (2, 2), (3, 0), (4, 4), (7, 0)] {
        while number < until {
            asks(&fleet, number, 1);
            number += 1;
        }
        assert_eq!(runs(&fleet), counted, "{until}");
    }
}
