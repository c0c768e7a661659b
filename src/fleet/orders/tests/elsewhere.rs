//! Orders and a state folder that is made again.

use super::*;

#[test]
fn another_folder_gets_the_orders_in_force_and_keeps_its_own() {
    let place = Place::new();
    let orders = place.good();
    orders.retry(MAC, None, "a", "b", second(1)).unwrap();
    orders.retry(OTHER, None, "a", "b", second(2)).unwrap();
    orders.forget(OTHER, "a", "b", second(3)).unwrap();
    let whole = fs::read_to_string(place.file()).unwrap();
    let taken = |text: Option<&str>| {
        fs::remove_dir_all(place.dir.path()).unwrap();
        fs::create_dir(place.dir.path()).unwrap();
        if let Some(text) = text {
            place.write(text);
        }
        place.folder.look().unwrap();
    };
    taken(None);
    orders.follow().unwrap();
    assert_eq!(fs::read_to_string(place.file()).unwrap(), whole);
    orders.follow().unwrap();
    // One that is older, with what was forgotten since, and what others ordered.
    let before = r#"{"at":"2026-09-21T14:13:20.000Z","act":"retry","by":"x","from":"y","device":"02:00:00:00:00:01"}"#;
    let since = r#"{"at":"2026-09-21T14:13:22.000Z","act":"retry","by":"a","from":"b","device":"aa:bb:cc:00:00:02"}"#;
    let old = format!("{{\"version\": 1, \"more\": 1, \"acts\": [\n{before},\n{since}\n]}}\n");
    taken(Some(&old));
    // The next order finds them, too.
    orders
        .retry(MAC, Some(("x.bin", [1; 16])), "a", "b", second(5))
        .unwrap();
    let text = fs::read_to_string(place.file()).unwrap();
    assert!(
        !text.contains(OTHER) && text.contains("\"more\": 1"),
        "{text}"
    );
    let retries = orders.retries().into_iter().map(|order| order.device);
    let devices: Vec<_> = retries.collect();
    assert_eq!(devices, ["02:00:00:00:00:01", MAC, MAC]);
    assert_eq!(place.good().acts(), orders.acts());
    // What cannot be written holds all the same, and is tried again.
    fs::remove_dir_all(place.dir.path()).unwrap();
    fs::create_dir(place.dir.path()).unwrap();
    place.folder.look().unwrap();
    fs::remove_dir_all(place.dir.path()).unwrap();
    assert_eq!(orders.follow().unwrap_err().kind.id, "orders.unkept");
    assert_eq!(orders.retries().len(), 3);
    fs::create_dir(place.dir.path()).unwrap();
    place.folder.look().unwrap();
    orders.follow().unwrap();
    assert_eq!(place.good().acts(), orders.acts());
    // A broken one is moved aside, and replaced.
    taken(Some(""));
    orders.follow().unwrap();
    assert_eq!(place.aside().len(), 1);
    assert_eq!(place.good().acts(), orders.acts());
}
