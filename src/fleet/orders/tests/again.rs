//! Orders that could not be read, and are read again.

use super::*;
use crate::event::witness::witness;
use std::sync::Arc;

#[test]
fn what_becomes_of_orders_that_are_read_again_is_said_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&told);
    let _guard = witness(move |event| lock(&to).push(event.kind.id));
    let place = Place::new();
    lock(&told).clear();
    place.write("{\"version\": 2, \"acts\": []}");
    let (orders, event) = place.open();
    assert_eq!(event, Some("orders.newer"));
    let unread = |orders: &Orders| orders.unread().map(|event| event.kind.id);
    for _ in 0..3 {
        orders.read_again();
        assert_eq!(unread(&orders), Some("orders.newer"));
    }
    assert_eq!(*lock(&told), [""; 0]);
    // Neither there nor not there.
    fs::remove_file(place.file()).unwrap();
    std::os::unix::fs::symlink(place.file(), place.file()).unwrap();
    for _ in 0..3 {
        orders.read_again();
        let refused = orders.forget(MAC, "a", "b", second(1)).unwrap_err();
        assert_eq!(id(&refused), "orders.unknown");
    }
    assert_eq!(unread(&orders), Some("orders.unreadable"));
    assert_eq!(*lock(&told), ["orders.unreadable"]);
    fs::remove_file(place.file()).unwrap();
    place.write("nonsense");
    orders.forget(MAC, "a", "b", second(1)).unwrap();
    assert_eq!((unread(&orders), orders.acts().len()), (None, 1));
    let said = ["orders.unreadable", "state.set-aside", "orders.read"];
    assert_eq!(*lock(&told), said);
    orders.read_again();
    assert_eq!(orders.acts().len(), 1);
    assert_eq!(lock(&told).len(), 3);
}
