//! Tests of what is left of devices that were forgotten.

use super::*;

/// Tells whether any file in a folder holds these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    let mut entries = fs::read_dir(folder).unwrap();
    let finder = memchr::memmem::Finder::new(bytes);
    entries.any(|entry| {
        finder
            .find(&fs::read(entry.unwrap().path()).unwrap())
            .is_some()
    })
}

/// Or one that many firmwares have would have all written anew for each of them.
#[test]
fn what_others_have_is_no_trace_of_a_device() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = opened(&folder);
    let shared = record_of("the same client of all");
    let id = |n: u64| mac(0x1a_2b3c_4d50 + n);
    let devices = (1..=3).map(|n| (id(n), shared.clone()));
    database.write(&some(devices), 0, NOW).unwrap();
    let wipe = |database: &mut Database, n: u64, client: &str| {
        database.owe_wipe().unwrap();
        database.write(&[(id(n), None)], 0, NOW).unwrap();
        let wiped = database.wipe(&traces(&id(n), &ClientId::new(client)));
        let wiped = wiped.unwrap();
        assert!(wiped.is_done && !database.owes_wipe());
        wiped.is_anew
    };
    assert!(!wipe(&mut database, 1, "the same client of all"));
    assert!(!wipe(&mut database, 2, "device"));
    // Here the bytes are left where no device has them.
    database
        .connection
        .execute_batch("INSERT INTO hourly VALUES(1, 'x', 'a client of nobody', 1)")
        .unwrap();
    assert!(wipe(&mut database, 4, "a client of nobody"));
    assert_eq!(all(&database), BTreeMap::from([(id(3), shared)]));
    let short = traces(&DeviceId::Other("ab".into()), &ClientId::new("x"));
    assert_eq!(short, [Trace::Id(b"\x02ab".to_vec())]);
}

#[test]
fn a_wipe_that_was_not_done_is_owed_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = opened(&folder);
    database
        .write(&some([(mac(1), record_of("c"))]), 5, NOW)
        .unwrap();
    assert!(!database.owes_wipe());
    database.owe_wipe().unwrap();
    database.write(&[(mac(1), None)], 6, NOW).unwrap();
    drop(database);
    // Killed in the middle of it.
    fs::write(place(&folder).draft(), "half of it").unwrap();
    let mut database = opened(&folder);
    assert!(database.owes_wipe() && !place(&folder).draft().exists());
    let wiped = database.wipe(&[]).unwrap();
    assert_eq!(
        wiped,
        Wiped {
            is_done: true,
            is_anew: true
        }
    );
    assert!(!place(&folder).draft().exists());
    drop(database);
    let database = opened(&folder);
    assert!(!database.owes_wipe());
    assert_eq!((database.served().unwrap(), database.rows()), (6, 0));
    assert_eq!(schema::version(&database.connection).unwrap(), 1);
}

/// Rows grow and move from page to page before they go.
#[test]
fn what_is_forgotten_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = opened(&folder);
    let bytes = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let id = |n: u64| DeviceId::Mac(Mac::from_bits(bytes(n) >> 16).unwrap());
    let client = |n: u64| -> [u8; 16] {
        let half = bytes(n + 100_000).to_be_bytes();
        [half, bytes(n + 200_000).to_be_bytes()]
            .concat()
            .try_into()
            .unwrap()
    };
    let device = |n: u64, own: usize| {
        let mut record = record_of("");
        record.client = ClientId::Uuid(client(n));
        record.set_at_first(Some("x".repeat(own).into()));
        (id(n), Some(record))
    };
    for round in [1, 120, 30] {
        for batch in (1..=6000).collect::<Vec<u64>>().chunks(1500) {
            let batch: Vec<_> = batch
                .iter()
                .map(|n| device(*n, round + usize::try_from(*n % 40).unwrap()))
                .collect();
            database.write(&batch, 0, NOW).unwrap();
        }
    }
    let is_forgotten = |n: u64| n.is_multiple_of(7);
    assert!(holds(folder.path(), &client(7)));
    let forgotten: Vec<_> = (1..=6000).filter(|n| is_forgotten(*n)).collect();
    for batch in forgotten.chunks(50) {
        let batch: Vec<_> = batch.iter().map(|n| (id(*n), None)).collect();
        database.write(&batch, 0, NOW).unwrap();
    }
    // Few are looked for, and with many all is written anew.
    let traces = |n: u64| traces(&id(n), &ClientId::Uuid(client(n)));
    for few in forgotten.chunks(16).take(20) {
        assert!(
            database
                .wipe(&few.iter().flat_map(|n| traces(*n)).collect::<Vec<_>>())
                .unwrap()
                .is_done
        );
    }
    let sought: Vec<_> = forgotten.iter().take(320).collect();
    let mut left = Vec::new();
    for n in sought {
        let mac = row::key(&id(*n));
        if holds(folder.path(), &client(*n)) || holds(folder.path(), &mac[1..]) {
            left.push(*n);
        }
    }
    assert_eq!(left, Vec::<u64>::new(), "of {}", forgotten.len());
    assert!(holds(folder.path(), &client(8)));
    assert!(
        database
            .wipe(
                &forgotten
                    .iter()
                    .flat_map(|n| traces(*n))
                    .collect::<Vec<_>>()
            )
            .unwrap()
            .is_done
    );
    let left = forgotten
        .iter()
        .filter(|n| holds(folder.path(), &row::key(&id(**n))[1..]));
    assert_eq!(left.count(), 0);
}
