use super::file::{Unread, parse};
use super::*;
use crate::event::Value;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

mod again;
mod elsewhere;

const MAC: &str = "aa:bb:cc:00:00:01";
const OTHER: &str = "aa:bb:cc:00:00:02";

/// Returns the second of a day in 2026.
fn second(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000 + second)
}

struct Place {
    dir: TempDir,
    folder: StateFolder,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(dir.path()).unwrap();
        Self { dir, folder }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join(NAME)
    }

    fn write(&self, text: impl AsRef<[u8]>) {
        fs::write(self.file(), text).unwrap();
    }

    fn open(&self) -> (Orders, Option<&'static str>) {
        let (orders, event) = Orders::open(Some(&self.folder));
        (orders, event.map(|event| event.kind.id))
    }

    fn good(&self) -> Orders {
        let (orders, event) = self.open();
        assert_eq!(event, None);
        orders
    }

    fn aside(&self) -> Vec<PathBuf> {
        let items = fs::read_dir(self.dir.path()).unwrap();
        let paths = items.map(|item| item.unwrap().path());
        let is_aside = |path: &PathBuf| path.display().to_string().contains(".broken-");
        paths.filter(is_aside).collect()
    }
}

impl Orders {
    /// Orders one file again, or all.
    fn retry(
        &self,
        device: &str,
        file: Option<(&str, [u8; 16])>,
        by: &str,
        from: &str,
        now: SystemTime,
    ) -> io::Result<()> {
        let files = file.as_ref().map(std::slice::from_ref);
        self.retry_all(device, files, by, from, now)
    }
}

fn id(error: &io::Error) -> &'static str {
    let event = error.get_ref().and_then(|e| e.downcast_ref::<Event>());
    event.unwrap().kind.id
}

#[test]
fn an_order_outlives_the_process() {
    let place = Place::new();
    let orders = place.good();
    assert_eq!((orders.acts(), place.file().exists()), (vec![], false));
    let file = Some(("x_1.2.3.bin", [0xab; 16]));
    orders
        .retry(MAC, file, "admin", "127.0.0.1", second(1))
        .unwrap();
    orders.retry(OTHER, None, "ci", "::1", second(2)).unwrap();
    let text = fs::read_to_string(place.file()).unwrap();
    assert_eq!(
        text,
        "{\"version\": 1, \"acts\": [\n\
         {\"at\":\"2026-09-21T14:13:21.000Z\",\"act\":\"retry\",\"by\":\"admin\",\"from\":\"127.0.0.1\",\
         \"device\":\"aa:bb:cc:00:00:01\",\"file\":\"x_1.2.3.bin\",\"content\":\"abababababababababababababababab\"},\n\
         {\"at\":\"2026-09-21T14:13:22.000Z\",\"act\":\"retry\",\"by\":\"ci\",\"from\":\"::1\",\"device\":\"aa:bb:cc:00:00:02\"}\n]}\n"
    );
    let mode = place.file().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = place.good();
    assert_eq!(again.acts(), orders.acts());
    assert_eq!(again.acts()[0].by, "ci");
    let of = |device: &str, content, at| RetryOrder {
        device: device.to_owned(),
        content,
        at: second(at),
    };
    let both = [of(MAC, Some([0xab; 16]), 1), of(OTHER, None, 2)];
    assert_eq!(again.retries(), both);
    // A newer one covers it: of the same image, or of all.
    again.retry(MAC, file, "admin", "::1", second(3)).unwrap();
    again
        .retry(MAC, Some(("y", [1; 16])), "admin", "::1", second(4))
        .unwrap();
    let three = [
        of(OTHER, None, 2),
        of(MAC, Some([0xab; 16]), 3),
        of(MAC, Some([1; 16]), 4),
    ];
    assert_eq!(again.retries(), three);
    again.retry(MAC, None, "admin", "::1", second(5)).unwrap();
    assert_eq!(again.retries(), [of(OTHER, None, 2), of(MAC, None, 5)]);
    assert_eq!(again.acts().len(), 5);
}

#[test]
fn what_is_forgotten_has_no_name_left() {
    let place = Place::new();
    let later = format!(
        "{{\"version\":1,\"mark\":\"kept\",\"acts\":[{{\"at\":\"2026-01-01T00:00:00Z\",\"act\":\"halt\",\"by\":\"a\",\"from\":\"b\",\
         \"device\":\"{MAC}\",\"new\":{{\"of\":[\"{MAC}\",\"x\"]}}}},7,{{\"device\":\"{MAC}\"}}]}}"
    );
    place.write(later);
    let (orders, event) = place.open();
    assert_eq!(event, Some("orders.odd"));
    orders
        .retry(MAC, Some(("x.bin", [3; 16])), "admin", "::1", second(1))
        .unwrap();
    orders
        .retry(OTHER, None, "admin", "::1", second(2))
        .unwrap();
    orders.forget(MAC, "admin", "10.0.0.1", second(3)).unwrap();
    let text = fs::read_to_string(place.file()).unwrap();
    assert!(!text.contains(MAC) && !text.contains("x.bin"), "{text}");
    // All else is as it was.
    for part in [
        "\"mark\": \"kept\"",
        "\"halt\"",
        "{\"of\":[\"x\"]}",
        "\n7,\n",
        OTHER,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let acts = orders.acts();
    let acts: Vec<_> = acts
        .iter()
        .map(|act| (&act.kind, act.device.as_deref()))
        .collect();
    let halt = ActKind::Other("halt".to_owned());
    assert_eq!(
        acts,
        [
            (&ActKind::Forget, None),
            (&ActKind::Retry, Some(OTHER)),
            (&ActKind::Retry, None),
            (&halt, None)
        ]
    );
    assert_eq!(orders.retries().len(), 1);
    assert_eq!(place.open().0.acts(), orders.acts());
}

/// An id is whatever a device says.
#[test]
fn forgetting_a_device_with_an_odd_name_loses_no_order() {
    let content = "abababababababababababababababab";
    let names = [
        "retry",
        "forget",
        "at",
        "act",
        "by",
        "from",
        "device",
        "file",
        "content",
        "version",
        "acts",
        "admin.token",
        "127.0.0.1",
        "x.bin",
        content,
        "2026-09-21T14:13:21.000Z",
    ];
    for name in names {
        let place = Place::new();
        place.write(format!(
            "{{\"version\":1,\"of\":[\"{name}\",\"kept\"],\"acts\":[\"{name}\",[\"{name}\"]]}}"
        ));
        let orders = place.open().0;
        let file = Some(("x.bin", [0xab; 16]));
        let by = "admin.token";
        orders.retry(MAC, file, by, "127.0.0.1", second(1)).unwrap();
        orders.retry(OTHER, None, by, "::1", second(2)).unwrap();
        let before = (orders.retries(), orders.acts());
        orders.retry(name, file, by, "::1", second(3)).unwrap();
        orders.forget(name, by, "::1", second(4)).unwrap();
        let again = place.open().0;
        assert_eq!(again.retries(), before.0, "{name}");
        let acts = again.acts();
        assert_eq!(acts[2..], before.1, "{name}");
        let ([forgotten, retried, ..], None) = (&*acts, &acts[1].device) else {
            panic!("{name}: {acts:?}");
        };
        assert_eq!(
            (&forgotten.kind, &retried.kind),
            (&ActKind::Forget, &ActKind::Retry)
        );
        assert_eq!((&retried.file, retried.content), (&None, None), "{name}");
        let text = fs::read_to_string(place.file()).unwrap();
        let head = "{\"version\": 1, \"of\": [\"kept\"], \"acts\": [\nnull,\n[],\n";
        assert!(text.starts_with(head), "{text}");
    }
}

#[test]
fn what_was_done_to_files_is_kept_and_orders_nothing() {
    let place = Place::new();
    let (orders, _) = place.open();
    let note = |kind, file, content, at| {
        orders.note_file(kind, (file, content), "admin", "::1", second(at))
    };
    note(ActKind::Publish, "a_1.0.bin", Some([7; 16]), 1).unwrap();
    note(ActKind::Delete, "b_1.0.bin", None, 2).unwrap();
    // What was not done is taken back, and nothing else of its name.
    let undone = note(ActKind::Delete, "b_1.0.bin", None, 3).unwrap();
    orders.take_back(&undone).unwrap();
    orders.take_back(&undone).unwrap();
    orders
        .forget("a_1.0.bin", "admin", "::1", second(3))
        .unwrap();
    let acts = place.open().0.acts();
    assert_eq!(acts, orders.acts());
    let acts: Vec<_> = acts
        .iter()
        .map(|act| (&act.kind, act.file.as_deref(), act.content))
        .collect();
    assert_eq!(
        acts,
        [
            (&ActKind::Forget, None, None),
            (&ActKind::Delete, Some("b_1.0.bin"), None),
            (&ActKind::Publish, Some("a_1.0.bin"), Some([7; 16])),
        ]
    );
    assert_eq!(orders.retries(), []);
}

#[test]
fn several_files_are_ordered_at_once_or_not_at_all() {
    let place = Place::new();
    let orders = place.good();
    orders
        .retry_all(MAC, Some(&[]), "a", "b", second(1))
        .unwrap();
    assert!(!place.file().exists());
    let files = [("x.bin", [1; 16]), ("x.bin", [2; 16])];
    orders
        .retry_all(MAC, Some(&files), "a", "b", second(1))
        .unwrap();
    let contents = |orders: &Orders| {
        let retries = orders.retries();
        retries
            .iter()
            .map(|order| order.content)
            .collect::<Vec<_>>()
    };
    let both = [Some([1; 16]), Some([2; 16])];
    assert_eq!(contents(&place.good()), both);
    fs::remove_file(place.file()).unwrap();
    fs::create_dir(place.file()).unwrap();
    let more = [("y.bin", [3; 16]), ("y.bin", [4; 16])];
    let refused = orders.retry_all(MAC, Some(&more), "a", "b", second(2));
    assert_eq!(id(&refused.unwrap_err()), "orders.unwritten");
    assert_eq!(contents(&orders), both);
}

#[test]
fn a_broken_file_is_moved_aside() {
    let cut = "{\"version\": 1, \"acts\": [\n{\"at\":\"2026";
    for broken in [
        "",
        " ",
        "null",
        "[]",
        "\u{0}\u{0}\u{0}",
        cut,
        "{}",
        "{\"version\":1}",
        "{\"version\":0,\"acts\":[]}",
        "{\"version\":\"2\",\"acts\":[]}",
    ] {
        let place = Place::new();
        place.write(broken);
        let (orders, event) = place.open();
        assert_eq!(event, Some("state.set-aside"), "{broken}");
        let aside = place.aside();
        assert_eq!(fs::read_to_string(&aside[0]).unwrap(), broken);
        assert!(!orders.is_unknown() && orders.acts().is_empty());
        orders.forget(MAC, "admin", "::1", second(1)).unwrap();
        assert_eq!(place.good().acts().len(), 1);
    }
    let place = Place::new();
    fs::create_dir(place.file()).unwrap();
    let (orders, event) = Orders::open(Some(&place.folder));
    let event = event.unwrap();
    let moved = place.aside().remove(0);
    assert_eq!(event.field("moved"), Some(&Value::from(&moved)));
    assert_eq!(event.field("file"), Some(&Value::from(place.file())));
    assert!(moved.is_dir() && !orders.is_unknown());
}

#[test]
fn entries_without_sense_hide_no_others() {
    let place = Place::new();
    let good = "{\"at\":\"2026-01-01T00:00:00.5Z\",\"act\":\"retry\",\"by\":\"a\",\"from\":\"b\",\"device\":\"d\"}";
    let bad = [
        "7",
        "null",
        "{}",
        "{\"at\":\"soon\",\"act\":\"retry\",\"by\":\"a\",\"from\":\"b\"}",
        "{\"at\":\"2026-01-01T00:00:00Z\",\"act\":\"retry\",\"by\":\"a\",\"from\":\"b\",\"content\":\"xy\"}",
        "{\"at\":\"2026-01-01T00:00:00Z\",\"act\":\"retry\",\"by\":\"a\",\"from\":\"b\",\"device\":7}",
    ];
    for bad in bad {
        place.write(format!("{{\"version\":1,\"acts\":[{bad},{good},{bad}]}}"));
        let (orders, event) = place.open();
        assert_eq!(
            (event, orders.acts().len()),
            (Some("orders.odd"), 1),
            "{bad}"
        );
        assert_eq!(orders.retries().len(), 1);
    }
}

#[test]
fn what_a_newer_version_wrote_is_left_alone() {
    let place = Place::new();
    let newer = "{\"version\": 2, \"acts\": {}}";
    place.write(newer);
    let (orders, event) = place.open();
    assert_eq!(event, Some("orders.newer"));
    assert!(orders.is_unknown() && orders.acts().is_empty() && orders.retries().is_empty());
    let refused = orders
        .retry(MAC, None, "admin", "::1", second(1))
        .unwrap_err();
    assert_eq!(id(&refused), "orders.unknown");
    assert_eq!(fs::read_to_string(place.file()).unwrap(), newer);
    assert_eq!(place.aside().len(), 0);
}

#[test]
fn what_cannot_be_kept_is_not_taken() {
    let (orders, event) = Orders::open(None);
    assert_eq!(event, None);
    let refused = orders
        .retry(MAC, None, "admin", "::1", second(1))
        .unwrap_err();
    assert_eq!(
        (id(&refused), orders.retries().len()),
        ("orders.no-folder", 0)
    );
    assert!(!orders.is_unknown());
    let place = Place::new();
    let orders = place.good();
    orders.retry(MAC, None, "admin", "::1", second(1)).unwrap();
    fs::remove_dir_all(place.dir.path()).unwrap();
    let refused = orders.forget(MAC, "admin", "::1", second(2)).unwrap_err();
    assert_eq!(id(&refused), "orders.away");
    // What was in force is so still.
    assert_eq!(orders.retries().len(), 1);
}

#[test]
fn orders_come_back_with_their_disk() {
    let place = Place::new();
    let link = |to: &Path| {
        let _ = fs::remove_file(place.file());
        std::os::unix::fs::symlink(to, place.file()).unwrap();
    };
    // Neither there nor not there.
    link(&place.file());
    let (orders, event) = place.open();
    assert_eq!(
        (event, orders.is_unknown()),
        (Some("orders.unreadable"), true)
    );
    let refused = orders.forget(MAC, "a", "b", second(1)).unwrap_err();
    assert_eq!(id(&refused), "orders.unknown");
    fs::remove_file(place.file()).unwrap();
    orders.forget(MAC, "a", "b", second(1)).unwrap();
    assert!(!orders.is_unknown());
}

#[test]
fn the_oldest_go_and_those_in_force_last() {
    let place = Place::new();
    let orders = place.good();
    orders.retry(MAC, None, "admin", "::1", second(0)).unwrap();
    let (mut file, text) = {
        let text = fs::read(place.file()).unwrap();
        (parse(&text).unwrap(), text)
    };
    assert_eq!(file.bounded(KEPT, LONGEST).as_bytes(), text);
    let act = |kind, device: Option<String>, at| Act {
        at: second(at),
        kind,
        by: "a".to_owned(),
        from: "b".to_owned(),
        device,
        file: None,
        content: None,
    };
    for at in 1..=5 {
        file.push(Entry::of(&act(ActKind::Forget, None, at)));
    }
    file.bounded(4, LONGEST);
    let ats = |file: &File| {
        let acts = file.acts();
        let since = |act: &Act| act.at.duration_since(second(0)).unwrap().as_secs();
        acts.iter().map(since).collect::<Vec<_>>()
    };
    assert_eq!(ats(&file), [5, 4, 3, 0]);
    for at in 6..=9 {
        file.push(Entry::of(&act(ActKind::Retry, Some(format!("d{at}")), at)));
    }
    file.bounded(4, LONGEST);
    // A quarter is for what is no retry.
    assert_eq!(ats(&file), [9, 8, 7, 5]);
    file.push(Entry::of(&act(ActKind::Publish, None, 10)));
    file.bounded(4, LONGEST);
    assert_eq!(ats(&file), [10, 9, 8, 7]);
    // Ids are anybody's, and the file is read whole.
    for at in 11..=30 {
        file.push(Entry::of(&act(ActKind::Retry, Some("x".repeat(1000)), at)));
    }
    assert!(file.bounded(KEPT, 10_000).len() <= 10_000);
    assert_eq!(ats(&file)[0], 30);
}

#[test]
fn orders_from_several_at_once_are_all_kept() {
    let place = Place::new();
    let orders = place.good();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let orders = &orders;
            scope.spawn(move || {
                for n in 0..5 {
                    let device = format!("d{thread}-{n}");
                    orders.retry(&device, None, "a", "b", second(n)).unwrap();
                }
            });
        }
    });
    assert_eq!(place.good().retries().len(), 20);
}

proptest! {
    #[test]
    fn any_bytes_are_judged_and_any_text_is_kept(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in "\\PC{0,20}",
        device in "\\PC{1,20}",
    ) {
        let _ = parse(&bytes);
        let place = Place::new();
        let orders = place.good();
        orders.retry(&device, Some((&text, [9; 16])), &text, &text, second(1)).unwrap();
        let acts = place.good().acts();
        prop_assert_eq!(acts[0].device.as_deref(), Some(&*device));
        prop_assert_eq!(&acts, &orders.acts());
        // Cut anywhere, it is no file of orders, or it says the same.
        let whole = fs::read(place.file()).unwrap();
        for end in 0..whole.len() - 1 {
            prop_assert!(matches!(parse(&whole[..end]), Err(Unread::Broken(_))));
        }
    }
}
