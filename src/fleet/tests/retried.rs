//! Orders to try images again.

use super::*;

/// Images that were forced in vain on a newcomer are known apart from its record, which may be gone.
#[test]
fn an_order_for_one_file_clears_what_was_forced_of_no_other() {
    let image = Image::new("1.7.0");
    let snapshot = Snapshot::new(
        [image_entry("a_1.7.0.bin", &image, 2048)],
        ["a".to_owned()].into(),
    );
    let file = snapshot.file("a_1.7.0.bin").unwrap();
    let (own, other) = (Content::of(&file.sha256), Content([7; 16]));
    let pins = HashMap::from([("a".to_owned(), Version::new("1.7.0"))]);
    let policy = Policy {
        pins,
        ..Policy::default()
    };
    let room = Room {
        others: 1,
        ..Room::default()
    };
    let fleet = Fleet::with_room(FleetStart::default(), room);
    let body = r#"{"application":{"version":"1.8.0"},"board":{"type":"a"}}"#;
    let asks = |device: &str, second| told(&fleet, (device, body), &snapshot, &policy, second);
    let is_forced = |second| asks("d", second).ends_with("forced");
    assert!([0, 60, 120].into_iter().all(is_forced) && !is_forced(180));
    // Another one pushes its record out.
    asks("e", 200);
    assert!(!fleet.knows("d"));
    assert!(!is_forced(240));
    let id = DeviceId::new("d");
    assert_eq!(fleet.failed_before(&id, Some(other)), 0);
    assert_eq!(fleet.retry(&id, Some(&[other])), Some(0));
    assert!(!is_forced(300));
    for contents in [Some(&[other, own][..]), None] {
        assert_eq!(fleet.failed_before(&id, contents.map(|_| own)), 1);
        fleet.retry(&id, contents).unwrap();
        assert!([400, 460, 520].into_iter().all(is_forced) && !is_forced(580));
        asks("e", 600);
        assert!(!is_forced(640));
    }
}
