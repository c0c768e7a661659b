use super::*;
use crate::event::kinds;
use crate::fleet::about::{Build, KeptPartition, Profile};
use crate::fleet::offer_end::OfferEnd;
use crate::fleet::outcome::{Content, FAILED, Failure, History, OFFERS, Offer, OfferedImage};
use crate::fleet::record::ClientId;
use crate::ota::device_memory::OwnModel;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use xiaozhi_device::mac::Mac;

mod any;
mod large;
mod wiped;

use any::{any_id, record};

/// A moment: none of the addresses that these tests write is too old.
const NOW: u64 = 1_764_000_000_000;

fn mac(number: u64) -> DeviceId {
    DeviceId::Mac(Mac::from_bits(0x0200_0000_0000 | number).unwrap())
}

fn opened(folder: &TempDir) -> Database {
    Database::open(&place(folder), Options::default()).unwrap()
}

fn place(folder: &TempDir) -> Place {
    Place::new(folder.path().to_owned())
}

/// Reads all of a store; what failed comes first, and nothing twice.
fn all(database: &Database) -> BTreeMap<DeviceId, Record> {
    let mut found = BTreeMap::new();
    let mut load = database.load(u64::MAX);
    loop {
        let read = load.next().unwrap();
        if read.is_empty() {
            break;
        }
        for (id, record) in read {
            assert!(
                record
                    .history
                    .as_ref()
                    .is_some_and(|h| !h.failed.is_empty())
            );
            assert!(found.insert(id, record).is_none());
        }
    }
    let mut load = load.others();
    loop {
        let read = load.next().unwrap();
        if read.is_empty() {
            break;
        }
        for (id, record) in read {
            assert!(record.history.as_ref().is_none_or(|h| h.failed.is_empty()));
            assert!(found.insert(id, record).is_none());
        }
    }
    assert_eq!(load.damaged(), 0);
    found
}

fn record_of(client: &str) -> Record {
    Record::new(ClientId::new(client), Arc::default(), Arc::default(), NOW)
}

fn some(devices: impl IntoIterator<Item = (DeviceId, Record)>) -> Vec<Changed> {
    let devices = devices.into_iter();
    devices.map(|(id, record)| (id, Some(record))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_written_is_read(
        first in proptest::collection::hash_map(any_id(), record(), 1..12),
        second in vec(record(), 12),
        served: u64,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut database = opened(&folder);
        let first: BTreeMap<_, _> = first.into_iter().collect();
        database.write(&some(first.clone()), served, NOW).unwrap();
        prop_assert_eq!(database.rows(), first.len() as u64);
        prop_assert_eq!(&all(&database), &first);
        // Others in their places, and some that go.
        let mut wanted = BTreeMap::new();
        let mut changes = Vec::new();
        for (n, (id, record)) in first.keys().zip(second).enumerate() {
            let record = (n % 3 > 0).then_some(record);
            wanted.extend(record.clone().map(|record| (id.clone(), record)));
            changes.push((id.clone(), record));
        }
        database.write(&changes, served, NOW).unwrap();
        database.begin_sweep(true).unwrap();
        while database.sweep(NOW).unwrap() {}
        drop(database);
        let database = opened(&folder);
        prop_assert_eq!(database.rows(), wanted.len() as u64);
        prop_assert_eq!(database.served().unwrap(), served);
        prop_assert_eq!(&all(&database), &wanted);
        let mut reader = read_only(folder.path()).unwrap().unwrap();
        let mut found = BTreeMap::new();
        reader.devices(|id, record| drop(found.insert(id, record))).unwrap();
        prop_assert_eq!(&found, &wanted);
    }
}

#[test]
fn an_address_goes_after_thirty_days() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = opened(&folder);
    let mut record = record_of("c");
    record.set_address("192.0.2.77".parse().unwrap());
    let device = [(mac(1), Some(record))];
    database.write(&device, 0, NOW).unwrap();
    let address = |database: &Database| all(database)[&mac(1)].address;
    assert!(!address(&database).is_unspecified());
    for (age, is_kept) in [(30 * 86_400_000 - 1, true), (30 * 86_400_000, false)] {
        database.begin_sweep(true).unwrap();
        while database.sweep(NOW + age).unwrap() {}
        assert_eq!(!address(&database).is_unspecified(), is_kept);
    }
    database.write(&device, 0, NOW + 30 * 86_400_000).unwrap();
    assert!(address(&database).is_unspecified());
}

fn values(database: &Database, table: &str) -> u64 {
    let count = format!("SELECT count(*) FROM {table}");
    let count: i64 = database
        .connection
        .query_row(&count, [], |row| row.get(0))
        .unwrap();
    count.cast_unsigned()
}

#[test]
fn values_that_nobody_has_are_swept_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = opened(&folder);
    let with = |name: &str| {
        let profile = Profile {
            model: Some(name.into()),
            ..Profile::default()
        };
        let mut record = record_of("c");
        record.profile = profile.into();
        record
    };
    let devices = (1..=9).map(|n| (mac(n), with(&n.to_string())));
    database.write(&some(devices), 0, NOW).unwrap();
    assert_eq!(values(&database, "profile"), 9);
    // 1 to 5 go, 6 says what 1 said, and one comes while the sweep is under way.
    let gone = (1..=5).map(|n| (mac(n), None));
    database.write(&gone.collect::<Vec<_>>(), 0, NOW).unwrap();
    database
        .write(&[(mac(6), Some(with("1")))], 0, NOW)
        .unwrap();
    database.begin_sweep(true).unwrap();
    assert!(database.sweep(NOW).unwrap());
    database
        .write(&[(mac(10), Some(with("2")))], 0, NOW)
        .unwrap();
    while database.sweep(NOW).unwrap() {}
    assert_eq!(values(&database, "profile"), 5);
    let said = |n: u64| all(&database)[&mac(n)].profile.model.clone().unwrap();
    for (n, name) in [(6, "1"), (7, "7"), (8, "8"), (9, "9"), (10, "2")] {
        assert_eq!(&*said(n), name);
    }
}

/// What it noted as somebody's before stays, and a device that is forgotten leaves nothing.
#[test]
fn a_sweep_that_is_due_while_one_is_under_way_follows_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = opened(&folder);
    let profile = Profile {
        model: Some("its own".into()),
        ..Profile::default()
    };
    let mut record = record_of("c");
    record.profile = profile.into();
    database.write(&some([(mac(1), record)]), 0, NOW).unwrap();
    database.begin_sweep(true).unwrap();
    assert!(database.sweep(NOW).unwrap());
    database.write(&[(mac(1), None)], 0, NOW).unwrap();
    database.begin_sweep(true).unwrap();
    while database.sweep(NOW).unwrap() {}
    assert_eq!(values(&database, "profile"), 1);
    // The next turn of the writer asks for none.
    database.begin_sweep(false).unwrap();
    while database.sweep(NOW).unwrap() {}
    assert_eq!(values(&database, "profile"), 0);
    database.begin_sweep(false).unwrap();
    assert!(!database.sweep(NOW).unwrap());
}

#[test]
fn counts_of_an_hour_add_up_and_go_after_a_year() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = opened(&folder);
    let hours = |database: &Database| {
        let sql = "SELECT hour, sum(count) FROM hourly GROUP BY hour ORDER BY hour";
        let mut statement = database.connection.prepare(sql).unwrap();
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        rows.collect::<Result<Vec<(i64, i64)>, _>>().unwrap()
    };
    let count = |label: &str, count| [("version", label.to_owned(), count)];
    for (hour, label, number) in [(0, "a", 2), (0, "a", 3), (0, "b", 1), (1, "a", 1)] {
        database.count(hour, &count(label, number)).unwrap();
    }
    assert_eq!(hours(&database), [(0, 6), (1, 1)]);
    // How many run a version is counted again by the next process of the same hour.
    let versions = |label: &str, count| [(VERSIONS, label.to_owned(), count)];
    for hour in [0, 1, 1] {
        database.count(hour, &versions("gone by then", 7)).unwrap();
        database.count(hour, &versions("x 1.0", 5)).unwrap();
    }
    assert_eq!(hours(&database), [(0, 11), (1, 6)]);
    database.count(1, &count("a", 1)).unwrap();
    assert_eq!(hours(&database), [(0, 11), (1, 7)]);
    database.count(HOURS, &count("a", 1)).unwrap();
    assert_eq!(hours(&database).len(), 3);
    database.count(HOURS + 1, &count("a", 1)).unwrap();
    assert_eq!(hours(&database)[0], (1, 7));
}

#[test]
fn a_store_is_its_users_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let mut database = opened(&folder);
    database
        .write(&some([(mac(1), record_of("c"))]), 0, NOW)
        .unwrap();
    copy(folder.path(), &folder.path().join("copy")).unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
    }
}

#[test]
fn a_copy_is_whole_while_somebody_writes() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy");
    assert!(!copy(folder.path(), &to).unwrap());
    assert!(!to.exists());
    assert!(read_only(folder.path()).unwrap().is_none());
    let mut database = opened(&folder);
    let devices: BTreeMap<_, _> = (1..=3000)
        .map(|n| (mac(n), record_of(&n.to_string())))
        .collect();
    database.write(&some(devices.clone()), 7, NOW).unwrap();
    // Not committed: nobody sees it.
    let open = begin(&mut database.connection).unwrap();
    open.execute("DELETE FROM device", []).unwrap();
    assert!(copy(folder.path(), &to).unwrap());
    open.rollback().unwrap();
    let other = tempfile::tempdir().unwrap();
    fs::rename(to, place(&other).file()).unwrap();
    let copied = opened(&other);
    assert_eq!(all(&copied), devices);
    assert_eq!(copied.served().unwrap(), 7);
}

#[test]
fn an_older_store_becomes_one_of_today_and_a_copy_stays() {
    static STEPS: [&str; 2] = [schema::STEPS[0], "ALTER TABLE device ADD COLUMN more TEXT"];
    static WRONG: [&str; 2] = [
        schema::STEPS[0],
        "ALTER TABLE device ADD COLUMN x; nonsense",
    ];
    let folder = tempfile::tempdir().unwrap();
    let devices: BTreeMap<_, _> = (1..=9)
        .map(|n| (mac(n), record_of(&n.to_string())))
        .collect();
    let mut database = opened(&folder);
    database.write(&some(devices.clone()), 7, NOW).unwrap();
    drop(database);
    let options = |steps| Options {
        steps,
        most_pages: None,
    };
    // A step that fails changes nothing.
    assert!(Database::open(&place(&folder), options(&WRONG)).is_err());
    assert_eq!(all(&opened(&folder)), devices);
    let newer = Database::open(&place(&folder), options(&STEPS)).unwrap();
    assert_eq!(schema::version(&newer.connection).unwrap(), 2);
    assert_eq!(all(&newer), devices);
    // With a log beside it, which alone says so, and without.
    for is_open in [true, false] {
        if !is_open {
            newer.settle().unwrap();
        }
        let known = [
            fs::read(place(&folder).file()),
            fs::read(place(&folder).with("-wal")),
        ];
        let fault = Fault::Newer {
            version: 2,
            known: 1,
        };
        let found = Database::open(&place(&folder), Options::default());
        assert_eq!(found.err(), Some(fault.clone()));
        assert_eq!(read_only(folder.path()).err(), Some(fault));
        let now = [
            fs::read(place(&folder).file()),
            fs::read(place(&folder).with("-wal")),
        ];
        assert_eq!(known.map(Result::unwrap), now.map(Result::unwrap));
    }
    assert_eq!(place(&folder).older(), [place(&folder).with(".before-2")]);
    let other = tempfile::tempdir().unwrap();
    fs::rename(place(&folder).with(".before-2"), place(&other).file()).unwrap();
    assert_eq!(all(&opened(&other)), devices);
}

#[test]
fn what_makes_no_sense_in_a_row_is_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = opened(&folder);
    let mut devices: Vec<_> = (1..=16)
        .map(|n| (mac(n), record_of(&n.to_string())))
        .collect();
    devices[14].1.profile = Arc::new(Profile {
        model: Some("spoiled".into()),
        ..Profile::default()
    });
    database.write(&some(devices), 0, NOW).unwrap();
    let spoil = |n: u64, what: &str| {
        let sql = format!("UPDATE device SET {what} WHERE id = ?1");
        assert_eq!(
            database
                .connection
                .execute(&sql, [row::key(&mac(n))])
                .unwrap(),
            1
        );
    };
    spoil(1, "offers = 'x'");
    spoil(2, "profile = 99, why = 'an.unknown-kind'");
    spoil(3, "offers = '[[1,\"offered\",0,0,0,99,99,1,1]]'");
    spoil(4, "id = x'030405'");
    spoil(5, "client = x'00', own = '{}'");
    // Bytes that are no text, wherever one stands.
    let texts = ["client", "why", "own", "at_first", "former", "offers"];
    for (n, column) in (7..).zip(texts) {
        spoil(n, &format!("{column} = CAST(x'ff' AS TEXT)"));
    }
    spoil(13, "client = 5");
    let shared = "UPDATE profile SET said = CAST(x'ff' AS TEXT) WHERE said LIKE '%spoiled%'";
    assert_eq!(database.connection.execute(shared, []).unwrap(), 1);
    let mut load = database.load(u64::MAX).others();
    let found: HashMap<_, _> = load.next().unwrap().into_iter().collect();
    assert_eq!(found.len(), 15);
    assert_eq!(load.damaged(), 13);
    assert_eq!(found[&mac(2)].why, None);
    for n in 8..=12 {
        assert_eq!(found[&mac(n)], record_of(&n.to_string()), "{n}");
    }
    for n in [7, 13] {
        assert_eq!(found[&mac(n)], record_of(""), "{n}");
    }
    for n in [6, 14, 15, 16] {
        assert_eq!(found[&mac(n)], record_of(&n.to_string()), "{n}");
    }
    database.begin_sweep(true).unwrap();
    while database.sweep(NOW).unwrap() {}
}

/// To take it for nothing would offer again what may have bricked the device.
#[test]
fn where_what_failed_cannot_be_read_anything_may_have() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = opened(&folder);
    let devices: Vec<_> = (1..=5)
        .map(|n| (mac(n), record_of(&n.to_string())))
        .collect();
    database.write(&some(devices), 0, NOW).unwrap();
    let known = format!("\"{}\",1,6", "11".repeat(16));
    let cells = [
        "'x'",
        "CAST(x'ff' AS TEXT)",
        &format!("'[[\"zz\",2,5],[{known}]]'"),
        &format!("'[[{known}]]'"),
    ];
    for (n, cell) in (1..).zip(cells) {
        let spoil = format!("UPDATE device SET failed = {cell} WHERE id = ?1");
        let spoilt = database.connection.execute(&spoil, [row::key(&mac(n))]);
        assert_eq!(spoilt, Ok(1));
    }
    let mut load = database.load(u64::MAX);
    let failed: BTreeMap<_, _> = load.next().unwrap().into_iter().collect();
    assert_eq!((failed.len(), load.damaged()), (4, 3));
    let times = |found: &BTreeMap<DeviceId, Record>, n: u64, content: u8| {
        let history = found[&mac(n)].history.as_deref().unwrap();
        history.times_failed(Content([content; 16]))
    };
    for n in 1..=3 {
        assert_eq!(times(&failed, n, 0x22), None, "{n}");
    }
    assert_eq!(times(&failed, 3, 0x11), Some(1));
    assert_eq!(times(&failed, 4, 0x22), Some(0));
    // It is written so, too.
    database.write(&some(failed), 0, NOW).unwrap();
    let mut load = database.load(u64::MAX);
    let failed: BTreeMap<_, _> = load.next().unwrap().into_iter().collect();
    assert_eq!((failed.len(), load.damaged()), (4, 0));
    assert_eq!(times(&failed, 2, 0x22), None);
}

/// The time served was lost, or is damaged.
#[test]
fn no_term_that_is_read_began_later_than_now() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = opened(&folder);
    let offer = |since| Offer {
        number: 1,
        end: OfferEnd::ALL[0],
        attempt: 0,
        forced: 0,
        forced_at: 0,
        image: Arc::default(),
        before: Arc::default(),
        at: NOW,
        since,
    };
    let devices = [500, 900_000_000, u64::MAX].map(|since| {
        let history = History {
            offers: vec![offer(since)],
            failed: Vec::new(),
        };
        let history = Some(Box::new(history));
        (
            mac(since.min(1_000_000_000)),
            Record {
                history,
                ..record_of("c")
            },
        )
    });
    database.write(&some(devices), 0, NOW).unwrap();
    let mut load = database.load(1000).others();
    let found = load.next().unwrap().into_iter();
    let begins: Vec<_> = found
        .map(|(_, r)| r.history.unwrap().offers[0].since)
        .collect();
    assert_eq!(begins, [500, 1000, 1000]);
}
