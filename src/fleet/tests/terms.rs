//! Ends of terms.

use super::*;
use crate::firmware::snapshot::tests::snapshot;

/// Whoever changes the term sees it on the devices that wait already.
#[test]
fn a_term_that_is_changed_holds_for_offers_that_wait() {
    let fleet = Fleet::default();
    let files = snapshot(&["a_2.0.bin"]);
    let body = r#"{"application":{"version":"1.0"},"board":{"name":"a"}}"#;
    let now = UNIX_EPOCH + Duration::from_secs(120);
    let term = |seconds| {
        fleet.change(FleetSettings {
            silent_after: Duration::from_secs(seconds),
            ..FleetSettings::default()
        });
        assert!(!fleet.tick(true, now));
    };
    let open = |fleet: &Fleet| fleet.summary(now).ends[OfferEnd::Offered as usize];
    // One waits for 300 s, of 600, and another one from now on.
    for (n, since) in [(1, 300_000), (2, 0)] {
        told(&fleet, (&*mac(n), body), &files, &Policy::default(), 60);
        fleet.read_served(since);
    }
    term(600);
    assert_eq!(open(&fleet), 2);
    term(310);
    assert_eq!(open(&fleet), 2);
    term(200);
    assert_eq!(open(&fleet), 1);
    // Longer, and the usual end is none.
    term(6000);
    fleet.read_served(5_000_000);
    term(6000);
    assert_eq!(open(&fleet), 1);
    term(600);
    assert_eq!(open(&fleet), 0);
}

#[test]
fn terms_that_end_together_end_once_each_and_some_at_a_time() {
    let room = Room {
        newcomers: 4096,
        ..Room::default()
    };
    let fleet = Fleet::with_room(FleetStart::default(), room);
    let files = snapshot(&["a_2.0.bin"]);
    let body = r#"{"application":{"version":"1.0"},"board":{"name":"a"}}"#;
    let offer = |n| {
        let device = (&*mac(n), body);
        assert_eq!(
            told(&fleet, device, &files, &Policy::default(), 60),
            "a_2.0.bin"
        );
    };
    // Those that were pushed out leave their looks behind, and no more than a few.
    (0..20_000).for_each(offer);
    let looks = |fleet: &Fleet| {
        let parts = fleet.table.parts();
        parts.map(|part| lock(part).looks()).sum::<usize>()
    };
    assert!(looks(&fleet) <= 2 * 4096 + 17 * 1100, "{}", looks(&fleet));
    // A check in between moves the term of one.
    let term = FleetSettings::default().silent_after.as_millis();
    let term = u64::try_from(term).unwrap();
    fleet.read_served(term / 2);
    offer(19_999);
    let now = UNIX_EPOCH + Duration::from_secs(120);
    assert!(!fleet.tick(true, now));
    let ends = |fleet: &Fleet| {
        let ends = fleet.summary(now).ends;
        (
            ends[OfferEnd::Offered as usize],
            ends[OfferEnd::Interrupted as usize],
        )
    };
    let devices = fleet.len() as u64;
    assert!(devices > 3000 && ends(&fleet) == (devices, 0));
    fleet.read_served(term / 2);
    let mut rounds = 1;
    while fleet.tick(true, now) {
        rounds += 1;
    }
    assert!((3..100).contains(&rounds), "{rounds}");
    assert_eq!(ends(&fleet), (1, devices - 1));
    fleet.read_served(term / 2);
    assert!(!fleet.tick(true, now));
    assert_eq!((ends(&fleet), looks(&fleet)), ((0, devices), 0));
}
