//! Bad releases, lost power and further boots.

use super::*;
use serde_json::{Value, json};

fn image(payload: usize) -> Vec<u8> {
    let image = Image {
        payload: vec![7; payload],
        ..Image::new("1.7.0")
    };
    image.build()
}

/// A fleet to which 1.7.0 is offered, and given.
fn updated(plan: Plan, payload: usize) -> Lived {
    let bytes = image(payload);
    let at_once = plan.devices as usize;
    lived(plan, at_once, move |_, request| {
        if request.starts_with("GET") {
            Some(reply(&bytes))
        } else {
            Some(offered("1.7.0"))
        }
    })
}

/// Returns the book without the MACs: the bad release and the ends of each device.
fn ends(lived: &Lived) -> Vec<(Value, Value)> {
    let pages = lived.book.json().into_iter();
    pages
        .map(|page| (page["bad"].clone(), page["ends"].clone()))
        .collect()
}

#[test]
fn a_bad_release_ends_as_its_kind_has_it() {
    let [verify, crash, dead] = ["verify", "crash", "dead"].map(|kind| Plan {
        bad: format!("100%:{kind}").parse().unwrap(),
        ..plan(1)
    });
    let of = |plan: &Plan, boots, silent_after| {
        let plan = Plan {
            boots,
            silent_after: Duration::from_secs(silent_after),
            ..plan.clone()
        };
        updated(plan, 100)
    };
    let (back, silent) = ("rolled-back", "silent");
    for (plan, boots, silent_after, state, times, expected) in [
        (
            &verify,
            1,
            600,
            DeviceState::BadVerify,
            &[0, 0][..],
            json!([silent]),
        ),
        (
            &verify,
            3,
            600,
            DeviceState::BadVerify,
            &[0, 0, 12, 12, 24, 24],
            json!([back, back, silent]),
        ),
        (
            &verify,
            2,
            5,
            DeviceState::BadVerify,
            &[0, 0, 12, 12],
            json!([silent, silent]),
        ),
        (
            &crash,
            1,
            600,
            DeviceState::BadCrash,
            &[0, 0, 4, 4, 8, 8, 12],
            json!([back, back, back, "interrupted"]),
        ),
        (
            &dead,
            5,
            600,
            DeviceState::BadDead,
            &[0, 0],
            json!([silent]),
        ),
    ] {
        let lived = of(plan, boots, silent_after);
        assert_eq!(seconds(&lived), times);
        let page = &ends(&lived)[0];
        assert_eq!(page.1, expected, "{page:?}");
        let tally = &lived.tally;
        assert_eq!(tally.count(state), 1);
        assert_eq!(tally.versions.get("1.6.0"), Some(&1));
        assert!(tally.errors.is_empty(), "{:?}", tally.errors);
        let crashes = if page.0 == "crash" { 3 } else { 0 };
        assert_eq!((tally.rolled_back, tally.updates), (crashes, crashes));
        for (_, request) in &lived.seen {
            assert!(!request.contains("/1.7.0\r\n"), "{request}");
        }
    }
}

#[test]
fn who_was_offered_no_more_than_a_bad_release_is_not_up_to_date() {
    let bytes = Image::new("1.7.0").build();
    let crash = Plan {
        bad: "100%:crash".parse().unwrap(),
        ..plan(1)
    };
    // As a server that has seen enough.
    let lived = lived(crash, 1, move |number, request| {
        if request.starts_with("GET") {
            Some(reply(&bytes))
        } else if number < 3 {
            Some(offered("1.7.0"))
        } else {
            Some(offered("1.6.0"))
        }
    });
    assert_eq!(lived.tally.count(DeviceState::BadCrash), 1);
    assert_eq!(ends(&lived)[0].1, json!(["rolled-back", "rolled-back"]));
}

#[test]
fn who_is_offered_nothing_comes_again_until_it_has_booted_so_often() {
    let often = Plan {
        boots: 3,
        ..plan(1)
    };
    let idle = lived(often.clone(), 1, |_, _| Some(offered("1.6.0")));
    assert_eq!(seconds(&idle), [0, 12, 24]);
    assert_eq!(idle.tally.count(DeviceState::UpToDate), 1);
    assert_eq!(ends(&idle)[0], (Value::Null, json!([])));
    // Two boots of its update are two boots.
    let lived = updated(often, 100);
    assert_eq!(seconds(&lived), [0, 0, 3, 15]);
    assert_eq!(lived.tally.count(DeviceState::UpToDate), 1);
    assert_eq!(ends(&lived)[0].1, json!(["succeeded"]));
}

#[test]
fn power_that_fails_behind_the_last_byte_leaves_the_end_unread() {
    let unlucky = Plan {
        power_loss: "100%".parse().unwrap(),
        ..plan(20)
    };
    // Longer than the end, and shorter.
    for payload in [100_000, 1_000] {
        let lived = updated(unlucky.clone(), payload);
        let tally = &lived.tally;
        assert_eq!(tally.count(DeviceState::UpToDate), 20);
        assert_eq!(
            (tally.injected.power_losses, tally.injected.total()),
            (20, 20)
        );
        assert_eq!((tally.downloads, tally.downloads_failed), (20, 0));
        // Each fetched it twice, and the first time not whole.
        let (fetched, length) = (tally.bytes / 20, image(payload).len() as u64);
        assert!(fetched > length * 5 / 4, "{fetched} of {length}");
        assert!(fetched < length * 2, "{fetched} of {length}");
        let again = seconds(&lived);
        assert!(again.contains(&11) && again.contains(&20), "{again:?}");
        for page in ends(&lived) {
            assert_eq!(page, (Value::Null, json!(["succeeded"])));
        }
    }
}

#[test]
fn the_same_seed_is_the_same_book_whatever_fails_beside() {
    let mixed = Plan {
        bad: "10%:verify,10%:crash,10%:dead".parse().unwrap(),
        power_loss: "10%".parse().unwrap(),
        fail: "10%".parse().unwrap(),
        boots: 2,
        ..plan(200)
    };
    let first = updated(mixed.clone(), 100);
    assert_eq!(ends(&first), ends(&updated(mixed.clone(), 100)));
    let calm = Plan {
        fail: "0%".parse().unwrap(),
        ..mixed
    };
    let met = |lived: &Lived| {
        ends(lived)
            .into_iter()
            .map(|page| page.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(met(&first), met(&updated(calm, 100)));
    for (bad, state) in [
        (Bad::Verify, DeviceState::BadVerify),
        (Bad::Crash, DeviceState::BadCrash),
        (Bad::Dead, DeviceState::BadDead),
    ] {
        let count = first.book.count_bad(bad);
        assert!((8..35).contains(&count), "{bad:?}: {count}");
        assert_eq!(count, u64::from(first.tally.count(state)));
    }
}
