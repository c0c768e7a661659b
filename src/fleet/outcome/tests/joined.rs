//! Devices that came before their rows were read.

use super::*;

#[test]
fn what_happened_since_the_start_goes_on_where_the_store_ends() {
    for (steps, ends, times) in [
        ("old a start old b read", &["superseded", "offered"][..], 0),
        (
            "old a begin start old b begin read",
            &["superseded", "fetching"],
            0,
        ),
        (
            "old a begin cut start old b read",
            &["superseded", "offered"],
            0,
        ),
        ("old a start old a begin read", &["fetching"], 0),
        ("old a begin whole start old read", &["rolled-back"], 1),
        (
            "old a begin whole start old b read",
            &["rolled-back", "offered"],
            1,
        ),
        ("old a begin whole start new read", &["succeeded"], 0),
        ("old a begin whole start unsaid read", &["fetched"], 0),
        ("old a begin whole start unsaid a read", &["offered"], 0),
        (
            "old a begin whole start unsaid b read",
            &["superseded", "offered"],
            0,
        ),
        // What failed since the start counts.
        ("old start old a begin whole old read", &["rolled-back"], 1),
        (
            "old a begin whole old start old a begin whole old read",
            &["rolled-back", "rolled-back"],
            2,
        ),
        (
            "old a begin whole old start old a begin whole new read",
            &["succeeded", "succeeded"],
            0,
        ),
        (
            "old a begin whole old start old a begin whole wait read",
            &["rolled-back", "silent"],
            2,
        ),
    ] {
        let world = played(steps);
        assert_eq!(world.ends(), ends, "{steps}");
        let content = world.images[0].content;
        assert_eq!(world.history.times_failed(content), Some(times), "{steps}");
    }
}
