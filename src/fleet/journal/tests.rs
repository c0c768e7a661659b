use super::*;
use crate::event::witness::witness;
use crate::fleet::database::{Fault, copy, read_only};
use crate::fleet::id::DeviceId;
use crate::fleet::outcome::{Content, Failure, History};
use crate::fleet::record::{ClientId, Record};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use xiaozhi_device::mac::Mac;

mod broken;
mod place;
mod rights;
mod terms;

/// A memory as small as it can be.
#[derive(Default)]
struct Memory(Mutex<Inside>);

#[derive(Default)]
struct Inside {
    known: BTreeMap<DeviceId, Record>,
    changed: BTreeSet<DeviceId>,
    served: u64,
    has_terms: bool,
    /// The next reading breaks off.
    breaks_off: bool,
    hour: Vec<(&'static str, String, u64)>,
    /// What the journal said, in its order.
    said: Vec<String>,
}

impl Memory {
    fn put(&self, number: u64, client: &str) {
        self.put_record(number, record(client));
    }

    fn put_record(&self, number: u64, record: Record) {
        let mut inside = lock(&self.0);
        inside.known.insert(mac(number), record);
        inside.changed.insert(mac(number));
    }

    fn forget(&self, number: u64) {
        let mut inside = lock(&self.0);
        inside.known.remove(&mac(number));
        inside.changed.insert(mac(number));
    }

    fn said(&self) -> Vec<String> {
        lock(&self.0).said.clone()
    }

    fn known(&self) -> BTreeMap<DeviceId, Record> {
        lock(&self.0).known.clone()
    }
}

impl Kept for Memory {
    fn take_changed(&self, most: usize) -> Vec<(DeviceId, Option<Record>)> {
        let mut inside = lock(&self.0);
        let taken: Vec<_> = inside.changed.iter().take(most).cloned().collect();
        let record = |id: DeviceId| {
            inside.changed.remove(&id);
            let record = inside.known.get(&id).cloned();
            (id, record)
        };
        taken.into_iter().map(record).collect()
    }

    fn changed_again(&self, devices: Vec<(DeviceId, Option<Record>)>) {
        let devices = devices.into_iter().map(|(id, _)| id);
        lock(&self.0).changed.extend(devices);
    }

    fn all_changed(&self) {
        let mut inside = lock(&self.0);
        let known: Vec<_> = inside.known.keys().cloned().collect();
        inside.changed.extend(known);
        inside.said.push("all changed".to_owned());
    }

    fn waiting(&self) -> usize {
        lock(&self.0).changed.len()
    }

    fn served(&self) -> u64 {
        lock(&self.0).served
    }

    fn has_terms(&self) -> bool {
        lock(&self.0).has_terms
    }

    fn read_served(&self, served: u64) {
        let mut inside = lock(&self.0);
        inside.served += served;
        inside.said.push(format!("served {served}"));
    }

    fn read(&self, devices: Vec<(DeviceId, Record)>) {
        let breaks_off = std::mem::take(&mut lock(&self.0).breaks_off);
        assert!(!breaks_off, "as it was told to");
        let mut inside = lock(&self.0);
        let number = devices.len();
        inside.said.push(format!("read {number}"));
        for (id, record) in devices {
            if !inside.changed.contains(&id) {
                inside.known.entry(id).or_insert(record);
            }
        }
    }

    fn failures_known(&self) {
        lock(&self.0).said.push("failures known".to_owned());
    }

    fn all_read(&self) {
        lock(&self.0).said.push("all read".to_owned());
    }

    fn is_newer(&self) {
        lock(&self.0).said.push("newer".to_owned());
    }

    fn take_hour(&self) -> Vec<(&'static str, String, u64)> {
        std::mem::take(&mut lock(&self.0).hour)
    }
}

fn mac(number: u64) -> DeviceId {
    DeviceId::Mac(Mac::from_bits(0x0200_0000_0000 | number).unwrap())
}

fn record(client: &str) -> Record {
    Record::new(
        ClientId::new(client),
        Arc::default(),
        Arc::default(),
        1_764_000_000_000,
    )
}

fn failed() -> Record {
    let failure = Failure {
        content: Content([7; 16]),
        times: 2,
        at: 1,
    };
    let history = History {
        offers: Vec::new(),
        failed: vec![failure],
    };
    Record {
        history: Some(Box::new(history)),
        ..record("failed")
    }
}

/// A writer whose time is the test's.
struct Bench {
    folder: TempDir,
    memory: Arc<Memory>,
    writer: Writer,
    now: Now,
}

impl Bench {
    fn new(folder: TempDir) -> Self {
        Self::with(folder, Options::default())
    }

    fn with(folder: TempDir, options: Options) -> Self {
        let memory = Arc::new(Memory::default());
        let now = Instant::now();
        let place = Place::new(folder.path().to_owned());
        let kept: Arc<dyn Kept> = Arc::clone(&memory) as _;
        let writer = Writer::new(place, kept, Arc::new(State::new(now)), options);
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_000_000);
        Self {
            folder,
            memory,
            writer,
            now: Now { at: now, wall },
        }
    }

    fn turn(&mut self) {
        self.writer.turn(self.now);
        self.now.at += Duration::from_millis(500);
        self.now.wall += Duration::from_millis(500);
    }

    /// Takes as many turns as half a second has in so many seconds.
    fn turns(&mut self, seconds: u64) {
        for _ in 0..seconds * 2 {
            self.turn();
        }
    }

    fn health(&self) -> StoreHealth {
        let state = self.writer.state();
        state.health(self.memory.waiting(), self.now.at)
    }

    fn why(&self) -> Option<&'static str> {
        self.health().why.map(|event| event.kind.id)
    }

    /// Number of devices in the store.
    fn rows(&self) -> u64 {
        self.writer.database().rows()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("fleet.db")
    }

    /// Tells whether the store holds what is in memory, and nothing else.
    fn is_written(&self) -> bool {
        self.memory.waiting() == 0 && stored(self.folder.path()) == self.memory.known()
    }
}

fn stored(folder: &Path) -> BTreeMap<DeviceId, Record> {
    let mut found = BTreeMap::new();
    let mut reader = read_only(folder).unwrap().unwrap();
    reader
        .devices(|id, record| drop(found.insert(id, record)))
        .unwrap();
    found
}

type Told = Arc<Mutex<Vec<&'static str>>>;

/// Keeps the ids of all that is said.
fn told() -> (Told, impl Drop) {
    let told = Told::default();
    let to = Arc::clone(&told);
    let guard = witness(move |event| lock(&to).push(event.kind.id));
    (told, guard)
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A folder whose store knows 9 devices, of which one failed.
fn written() -> TempDir {
    let mut bench = Bench::new(folder());
    bench.turn();
    lock(&bench.memory.0).served = 77;
    for number in 1..=8 {
        bench.memory.put(number, &number.to_string());
    }
    bench.memory.put_record(9, failed());
    bench.turn();
    assert!(bench.is_written());
    bench.writer.finish(bench.now);
    bench.folder
}

#[test]
fn what_failed_is_read_first_and_what_changes_is_written() {
    let mut bench = Bench::new(written());
    assert!(bench.health().reading);
    bench.turn();
    let said = [
        "served 77",
        "read 1",
        "failures known",
        "read 8",
        "all read",
    ];
    assert_eq!(bench.memory.said(), said);
    let health = bench.health();
    assert!(health.ok && !health.reading, "{health:?}");
    assert_eq!(
        (bench.rows(), bench.writer.tries(), health.lag_ms),
        (9, 0, 0)
    );
    bench.memory.put(1, "another");
    bench.memory.forget(2);
    for number in 10..=5_009 {
        bench.memory.put(number, "new");
    }
    assert!(bench.health().lag_ms <= 1000);
    bench.turn();
    assert_eq!(bench.rows(), 5008);
    assert!(bench.is_written());
    // A device that changed in memory before it was read is newer there.
    bench.writer.finish(bench.now);
    let mut bench = Bench::new(bench.folder);
    bench.memory.put(3, "newer");
    bench.turn();
    assert_eq!(bench.memory.known().len(), 5008);
    assert_eq!(
        stored(bench.folder.path())[&mac(3)].client,
        ClientId::new("newer")
    );
}

#[test]
fn the_time_served_and_the_counts_are_written_where_nobody_says_anything() {
    let mut bench = Bench::new(folder());
    bench.turn();
    {
        let mut inside = lock(&bench.memory.0);
        inside.served = 5;
        inside.hour = vec![("end", "silent".to_owned(), 2)];
    }
    bench.turns(61);
    bench.writer.finish(bench.now);
    let connection = Connection::open(bench.file()).unwrap();
    let one = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert_eq!(one("SELECT value FROM meta WHERE name = 'served'"), 5);
    assert_eq!(
        one("SELECT count FROM hourly WHERE hour = 490000 AND kind = 'end'"),
        2
    );
}

#[test]
fn a_full_store_keeps_all_in_memory_and_recovers() {
    let (told, _guard) = told();
    let options = Options {
        most_pages: Some(60),
        ..Options::default()
    };
    let mut bench = Bench::with(folder(), options);
    for number in 1..=3_000 {
        bench.memory.put(number, &"x".repeat(100));
    }
    bench.turns(60);
    assert_eq!(bench.why(), Some("store.full"));
    let health = bench.health();
    let tries = bench.writer.tries();
    assert!((5..15).contains(&tries), "{tries}");
    assert!(health.lag_ms >= 55_000, "{health:?}");
    assert!(!health.reading);
    assert!(bench.memory.waiting() > 0);
    bench.writer.database().limit(100_000);
    bench.turns(11);
    assert!(bench.is_written());
    assert!(bench.health().ok);
    assert_eq!(*lock(&told), ["store.full", "store.recovered"]);
}

#[test]
fn a_lock_of_another_program_is_told_after_a_while_and_passes() {
    let (told, _guard) = told();
    let mut bench = Bench::new(written());
    bench.turn();
    let other = Connection::open(bench.file()).unwrap();
    for (seconds, words) in [(2, &[][..]), (60, &["store.locked"])] {
        lock(&told).clear();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        bench.memory.put(1, &format!("during {seconds}"));
        bench.turns(seconds);
        assert_eq!(bench.memory.waiting(), 1);
        assert_eq!(*lock(&told), words);
        other.execute_batch("ROLLBACK").unwrap();
        bench.turns(11);
        assert!(bench.is_written());
    }
    assert_eq!(*lock(&told), ["store.locked", "store.recovered"]);
}

#[test]
fn a_store_that_is_deleted_or_loses_its_log_is_begun_anew_with_everything() {
    let (told, _guard) = told();
    let mut bench = Bench::new(written());
    bench.turn();
    for ends in [&[""][..], &["-wal"], &["", "-wal", "-shm"], &["-shm"]] {
        lock(&told).clear();
        bench.memory.put(1, &format!("{ends:?}"));
        for end in ends {
            fs::remove_file(bench.folder.path().join(format!("fleet.db{end}"))).unwrap();
        }
        bench.turns(3);
        assert!(bench.is_written(), "{ends:?}");
        assert_eq!(lock(&told).first(), Some(&"store.gone"), "{ends:?}");
        assert_eq!(bench.rows(), 9);
    }
}

/// The log of the old one would be taken for the new one's.
#[test]
fn a_store_that_is_replaced_is_read_and_written() {
    let other = folder();
    let mut bench = Bench::new(folder());
    bench.memory.put(9_999, "restored");
    bench.turn();
    copy(bench.folder.path(), &other.path().join("copy")).unwrap();
    let mut bench = Bench::new(written());
    bench.turn();
    for number in 10..=2_000 {
        bench.memory.put(number, "in the log alone");
    }
    bench.turn();
    fs::rename(other.path().join("copy"), bench.file()).unwrap();
    bench.turns(3);
    assert!(bench.is_written());
    assert_eq!(bench.memory.known().len(), 2_001);
    let connection = Connection::open(bench.file()).unwrap();
    let check: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn a_forgotten_device_leaves_no_trace() {
    let folder = written();
    let mut bench = Bench::new(folder);
    bench.memory.put(50, "client of the fiftieth");
    bench.memory.put(51, "client of another");
    bench.turn();
    let holds = |bench: &Bench, text: &[u8]| {
        let mut entries = fs::read_dir(bench.folder.path()).unwrap();
        entries.any(|entry| {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            memchr::memmem::find(&bytes, text).is_some()
        })
    };
    let texts: [&[u8]; 2] = [b"client of the fiftieth", b"\x02\0\0\0\0\x32"];
    for text in texts {
        assert!(holds(&bench, text));
    }
    // Somebody who reads meanwhile holds up the wiping, and nothing else.
    let reader = Connection::open(bench.file()).unwrap();
    reader
        .execute_batch("BEGIN; SELECT * FROM device LIMIT 1")
        .unwrap();
    bench.memory.forget(50);
    let traces = traces(&mac(50), &ClientId::new("client of the fiftieth"));
    bench.writer.state().forget(traces);
    bench.turns(3);
    assert!(bench.is_written());
    reader.execute_batch("ROLLBACK").unwrap();
    bench.turns(3);
    for text in texts {
        assert!(!holds(&bench, text));
    }
    assert!(holds(&bench, b"client of another"));
    assert!(bench.health().ok);
}

#[test]
fn the_thread_writes_by_itself_and_all_of_it_at_the_end() {
    let folder = folder();
    let held = StateFolder::open(folder.path()).unwrap();
    let memory = Arc::new(Memory::default());
    let kept: Arc<dyn Kept> = Arc::clone(&memory) as _;
    let journal = Journal::start(Some(&held), kept).unwrap();
    memory.put(1, "x");
    journal.nudge();
    while memory.waiting() > 0 {
        thread::yield_now();
    }
    while stored(folder.path()).is_empty() {
        thread::yield_now();
    }
    assert_eq!(journal.health().lag_ms, 0);
    for number in 2..=9_999 {
        memory.put(number, "y");
    }
    memory.forget(1);
    journal.forget(&mac(1), &ClientId::new("x"));
    journal.end();
    let entries: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    // Beside the lock.
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert_eq!(stored(folder.path()), memory.known());
}

#[test]
fn without_a_folder_nobody_waits() {
    let memory = Arc::new(Memory::default());
    let journal = Journal::start(None, Arc::clone(&memory) as _).unwrap();
    assert_eq!(memory.said(), ["failures known", "all read"]);
    memory.put(1, "x");
    journal.nudge();
    let health = journal.health();
    assert!(
        health.ok && !health.reading && health.lag_ms == 0,
        "{health:?}"
    );
    journal.end();
}
