use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const DAY: Duration = Duration::from_secs(86_400);

fn reply(text: &str, at: SystemTime) -> LastReply {
    LastReply {
        body: text.into(),
        is_held: text.contains("held"),
        origin: 7,
        at: millis(at),
    }
}

fn begun(state: Option<&StateFolder>) -> LastReplies {
    let replies = LastReplies::new(state);
    replies.keep_for(DAY).unwrap();
    replies
}

fn kept_for_a_day() -> Arc<Mutex<News>> {
    let news = News {
        keep: millis_of(DAY),
        ..News::default()
    };
    Arc::new(Mutex::new(news))
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
    replies.forget(&id(3), millis(now));
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
    let mut keeper = Keeper::new(None, kept_for_a_day());
    for number in 0..2000u32 {
        let at = SystemTime::now() - Duration::from_secs(u64::from(2000 - number));
        lock(&keeper.news)
            .replies
            .insert(id(number), Some(reply(&"x".repeat(1000), at)));
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
    lock(&replies.news).keep = millis_of(DAY);
    let now = SystemTime::now();
    let count = u32::try_from(MOST).unwrap();
    for number in 0..count + 10 {
        replies.keep(&id(number), reply("a", now));
    }
    assert_eq!(lock(&replies.news).replies.len(), MOST);
    replies.keep(&id(0), reply("b", now));
    replies.forget(&id(count), millis(now));
    let mut keeper = Keeper::new(None, Arc::clone(&replies.news));
    assert_eq!(keeper.find(&id(0)), Some(reply("b", now)));
    keeper.write();
    assert!(lock(&replies.news).replies.is_empty());
    for (number, is_kept) in [(0, true), (count - 1, true), (count, false)] {
        assert_eq!(keeper.find(&id(number)).is_some(), is_kept, "{number}");
    }
}

#[test]
fn an_answer_that_comes_late_brings_nothing_back() {
    let replies = LastReplies::new(None);
    let now = SystemTime::now();
    let (before, later) = (now - Duration::from_secs(1), now + Duration::from_secs(1));
    replies.forget(&id(1), millis(now));
    replies.keep(&id(1), reply("of an owner before", before));
    replies.keep(&id(2), reply("new", now));
    replies.keep(&id(2), reply("old", before));
    let news = Arc::clone(&replies.news);
    let of = |number| lock(&news).replies.get(&id(number)).cloned();
    assert_eq!(of(1), Some(None));
    assert_eq!(of(2), Some(Some(reply("new", now))));
    // Written meanwhile, or not.
    lock(&news).replies.clear();
    replies.keep(&id(1), reply("of an owner before", before));
    assert_eq!(of(1), None);
    replies.keep(&id(1), reply("of the next owner", later));
    assert_eq!(of(1), Some(Some(reply("of the next owner", later))));
}

#[test]
fn who_is_to_be_forgotten_is_so_though_nothing_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    let replies = LastReplies::new(None);
    let now = SystemTime::now();
    for number in 0..3_000 {
        replies.forget(&id(number), millis(now));
    }
    replies.keep(&id(6_000), reply("a", now));
    // A folder stands where the file is to be.
    fs::create_dir(&file).unwrap();
    let mut keeper = Keeper::new(Some(file.clone()), Arc::clone(&replies.news));
    keeper.write();
    assert!(keeper.is_failing);
    assert_eq!(lock(&replies.news).replies.len(), 3_001);
    // And where it has the last word, nothing stays that might be told again.
    fs::remove_dir(&file).unwrap();
    fs::write(&file, "old").unwrap();
    keeper.forget_all_unless_written();
    assert!(!file.exists());
}

#[tokio::test]
async fn a_file_that_is_damaged_within_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let state = StateFolder::open(&dir).unwrap();
    let now = SystemTime::now();
    let replies = begun(Some(&state));
    for number in 0..300 {
        replies.keep(&id(number), reply(&"x".repeat(3_000), now));
    }
    replies.end();
    let mut bytes = fs::read(dir.join(FILE)).unwrap();
    for page in bytes.chunks_mut(4096).skip(2) {
        page[..64].fill(0xa5);
    }
    fs::write(dir.join(FILE), bytes).unwrap();
    let replies = begun(Some(&state));
    for number in 0..300 {
        drop(replies.find(&id(number)).await);
        replies.keep(&id(number), reply("anew", now));
    }
    replies.end();
    let replies = begun(Some(&state));
    assert_eq!(replies.find(&id(7)).await, Some(reply("anew", now)));
}

#[tokio::test]
async fn a_device_is_forgotten_though_no_server_stands_behind_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateFolder::open(&folder.path().join("state")).unwrap();
    let now = SystemTime::now();
    let replies = begun(Some(&state));
    replies.keep(&id(1), reply("a", now));
    replies.keep(&id(2), reply("b", now));
    replies.end();
    // Nobody has asked for anything to be kept since.
    let replies = LastReplies::new(Some(&state));
    replies.forget(&id(1), millis(now));
    replies.end();
    let replies = begun(Some(&state));
    assert_eq!(replies.find(&id(1)).await, None);
    assert_eq!(replies.find(&id(2)).await, Some(reply("b", now)));
}
