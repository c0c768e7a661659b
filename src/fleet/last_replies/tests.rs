use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const DAY: Duration = Duration::from_secs(86_400);

fn reply(text: &str, at: SystemTime) -> LastReply {
    LastReply {
        body: text.into(),
        is_held: text.contains("held"),
        at: millis(at),
    }
}

fn begun(state: Option<&StateFolder>) -> LastReplies {
    let replies = LastReplies::new(state);
    replies.keep_for(DAY).unwrap();
    replies
}

fn id(number: u32) -> DeviceId {
    let [.., high, low] = number.to_be_bytes();
    DeviceId::new(&format!("02:00:00:00:{high:02x}:{low:02x}"))
}

#[tokio::test]
async fn replies_outlive_the_process_and_are_forgotten_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let state = StateFolder::open(&dir).unwrap();
    let now = SystemTime::now();
    let replies = begun(Some(&state));
    replies.keep(&id(1), reply("held", now));
    replies.keep(&id(2), reply("old", now - 2 * DAY));
    replies.keep(&id(3), reply("gone", now));
    replies.forget(&id(3));
    assert_eq!(replies.find(&id(1)).await, Some(reply("held", now)));
    assert_eq!(replies.find(&id(2)).await, None);
    replies.end();
    assert_eq!(
        fs::metadata(dir.join(FILE)).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let replies = begun(Some(&state));
    assert_eq!(replies.find(&id(1)).await, Some(reply("held", now)));
    assert_eq!(
        (replies.find(&id(2)).await, replies.find(&id(3)).await),
        (None, None)
    );
    replies.keep_for(Duration::ZERO).unwrap();
    assert_eq!(replies.find(&id(1)).await, None);
    replies.end();

    fs::write(
        dir.join(FILE),
        "no database, and long enough to be read as a page of one",
    )
    .unwrap();
    let replies = begun(Some(&state));
    replies.keep(&id(1), reply("anew", now));
    replies.end();
    let replies = begun(Some(&state));
    assert_eq!(replies.find(&id(1)).await, Some(reply("anew", now)));
    let names = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert!(
        names
            .into_iter()
            .any(|name| name.to_string_lossy().contains("upstream.db.broken-"))
    );
}

#[tokio::test]
async fn without_a_folder_they_are_kept_for_this_run() {
    let replies = begun(None);
    replies.keep(&id(1), reply("a", SystemTime::now()));
    assert!(replies.find(&id(1)).await.is_some());
    assert!(replies.find(&id(2)).await.is_none());
}

#[test]
fn the_oldest_go_where_there_is_no_room() {
    let mut store = in_memory().unwrap();
    store.pragma_update(None, "max_page_count", 200).unwrap();
    let mut keeper = Keeper::new(None, Arc::default(), DAY);
    for number in 0..2000u32 {
        let at = SystemTime::now() - Duration::from_secs(u64::from(2000 - number));
        lock(&keeper.news).insert(id(number), Some(reply(&"x".repeat(1000), at)));
        if number % 50 == 49 {
            keeper.store.get_or_insert_with(|| {
                std::mem::replace(&mut store, Connection::open_in_memory().unwrap())
            });
            keeper.write();
            assert!(!keeper.is_failing, "{number}");
        }
    }
    assert!(keeper.find(&id(1999)).is_some());
    assert!(keeper.find(&id(0)).is_none());
}

#[test]
fn what_waits_for_a_disk_is_bounded_and_a_device_is_forgotten_all_the_same() {
    // Nobody writes.
    let replies = LastReplies::new(None);
    let now = SystemTime::now();
    let count = u32::try_from(MOST).unwrap();
    for number in 0..count + 10 {
        replies.keep(&id(number), reply("a", now));
    }
    assert_eq!(lock(&replies.news).len(), MOST);
    replies.keep(&id(0), reply("b", now));
    replies.forget(&id(count));
    let mut keeper = Keeper::new(None, Arc::clone(&replies.news), DAY);
    assert_eq!(keeper.find(&id(0)), Some(reply("b", now)));
    keeper.write();
    assert!(lock(&replies.news).is_empty());
    for (number, is_kept) in [(0, true), (count - 1, true), (count, false)] {
        assert_eq!(keeper.find(&id(number)).is_some(), is_kept, "{number}");
    }
}
