//! `kill -9` at random points under load: what was answered more than a second before is
//! there, and so is every order that was acknowledged.

use super::{FILE, all, body, check_in, check_in_with, config, ends, path, until_end};
use crate::faults::{is_long, sized};
use crate::support::server::{Server, Setup, request};
use crate::support::until;
use rusqlite::Connection;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use xiaozhi_image_builder::Image;

/// Threads that check in without a pause.
const CLIENTS: usize = 4;
/// Time for which what was said may be lost.
const LOST: Duration = Duration::from_secs(1);

/// A check-in that was made.
struct Made {
    mac: String,
    version: String,
    path: Option<String>,
    /// Time of the answer; none where none came.
    answered: Option<Instant>,
}

/// Load on a server until it is killed.
#[derive(Default)]
struct Load {
    is_over: AtomicBool,
    made: Mutex<Vec<Made>>,
    /// Devices whose orders were acknowledged.
    ordered: Mutex<Vec<String>>,
}

/// Number of the next device, over all rounds.
static NEXT: AtomicU64 = AtomicU64::new(0);

fn mac(number: u64) -> String {
    let [.., a, b, c, d] = number.to_be_bytes();
    format!("02:4b:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// Sends one request on a connection of its own; none where the server is gone.
fn send(address: SocketAddr, request: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .ok()?;
    stream.write_all(request).ok()?;
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, got)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "))?;
            if got.len() >= length.parse().ok()? {
                return Some(got.to_owned()).filter(|_| head.contains(" 200 "));
            }
        }
        match stream.read(&mut block) {
            Ok(n) if n > 0 => bytes.extend_from_slice(&block[..n]),
            _ => return None,
        }
    }
}

impl Load {
    /// Lets devices check in, each three times with other versions.
    fn devices(&self, address: SocketAddr) {
        while !self.is_over.load(Ordering::Relaxed) {
            let mac = mac(NEXT.fetch_add(1, Ordering::Relaxed));
            for boot in 0..3 {
                let version = format!("1.6.{boot}");
                let mut body = body(&Image::new("1.6.0"));
                body["application"]["version"] = version.as_str().into();
                let headers = [("Device-Id", &*mac), ("Client-Id", "c")];
                let body = body.to_string();
                let check_in = request("POST", "/xiaozhi/ota/", &headers, body.as_bytes());
                let at = {
                    let mut made = self.made.lock().unwrap();
                    made.push(Made {
                        mac: mac.clone(),
                        version,
                        path: None,
                        answered: None,
                    });
                    made.len() - 1
                };
                let Some(json) = send(address, &check_in) else {
                    break;
                };
                let answered = Some(Instant::now());
                let json: Value = serde_json::from_str(&json).unwrap();
                let url = json["firmware"]["url"].as_str();
                let one = &mut self.made.lock().unwrap()[at];
                one.path = url.filter(|url| !url.is_empty()).map(path);
                one.answered = answered;
            }
        }
    }

    /// Orders one thing after the other.
    fn orders(&self, address: SocketAddr, token: &str) {
        while !self.is_over.load(Ordering::Relaxed) {
            let device = self
                .made
                .lock()
                .unwrap()
                .last()
                .map(|last| last.mac.clone());
            let Some(device) = device else { continue };
            let path = format!("/api/v1/devices/{device}/retry");
            let bearer = format!("Bearer {token}");
            let order = request("POST", &path, &[("Authorization", &bearer)], b"");
            if send(address, &order).is_some() {
                self.ordered.lock().unwrap().push(device);
            }
            thread::sleep(Duration::from_millis(30));
        }
    }
}

/// Looks at a copy of the store as it was left: the server is to mend it by itself.
fn is_sound(state: &Path) {
    let copy = tempfile::tempdir().unwrap();
    for file in ["fleet.db", "fleet.db-wal"] {
        if state.join(file).exists() {
            fs::copy(state.join(file), copy.path().join(file)).unwrap();
        }
    }
    let connection = Connection::open(copy.path().join("fleet.db")).unwrap();
    let said: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(said, "ok");
}

/// Puts a server under load and kills it after this time. Returns what it had answered, and
/// the longest time for which this machine kept a thread waiting.
fn killed(server: &Server, after: Duration) -> (Load, Instant, Duration) {
    let load = Load::default();
    let (address, admin) = (server.address(), server.admin_address());
    let token = server.admin_token();
    let mut stalled = Duration::ZERO;
    let at = thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| load.devices(address));
        }
        scope.spawn(|| load.orders(admin, &token));
        let begun = Instant::now();
        while begun.elapsed() < after {
            let before = Instant::now();
            thread::sleep(Duration::from_millis(10));
            stalled = stalled.max(before.elapsed());
        }
        let at = Instant::now();
        server.signal("KILL");
        load.is_over.store(true, Ordering::Relaxed);
        at
    });
    (load, at, stalled)
}

/// Versions of devices, by their addresses.
type Versions = HashMap<String, String>;

fn versions(server: &Server) -> Versions {
    let devices = all(server);
    let text = |device: &Value, key: &str| device[key].as_str().unwrap_or_default().to_owned();
    devices
        .iter()
        .map(|device| (text(device, "mac"), text(device, "version")))
        .collect()
}

/// Holds what is known after a restart against what was answered before the kill, and
/// returns how many check-ins that were.
fn is_kept(
    server: &Server,
    known: &Versions,
    load: &Load,
    killed: Instant,
    lost: Duration,
) -> usize {
    let made = load.made.lock().unwrap();
    let mut count = 0;
    for (at, one) in made.iter().enumerate() {
        let ago = one
            .answered
            .map(|answered| killed.saturating_duration_since(answered));
        let Some(ago) = ago.filter(|ago| *ago > lost) else {
            continue;
        };
        count += 1;
        // What it said later may be known, answered or not.
        let version = known.get(&one.mac);
        let mut later = made[at..].iter().filter(|later| later.mac == one.mac);
        let is_known = version.is_some_and(|version| later.any(|later| later.version == *version));
        assert!(
            is_known,
            "{} at {}, {ago:?} before the kill: {version:?}",
            one.mac, one.version
        );
    }
    let orders = fs::read_to_string(server.dir.path().join("data/state/orders.json")).unwrap();
    let ordered = load.ordered.lock().unwrap();
    for device in &*ordered {
        assert!(orders.contains(device), "the order for {device} is lost");
    }
    count
}

#[test]
fn nothing_is_lost_that_was_said_a_second_before_a_kill() {
    let rounds = sized(
        3,
        std::env::var("KILLS")
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(50),
    );
    let mut server = Setup::new()
        .file(FILE, Image::new("1.7.0").build())
        .start(&config("10m"));
    // A device that failed twice, and one whose token is of the first run.
    let (failed, waiting) = ("02:4c:00:00:00:01", "02:4c:00:00:00:02");
    for _ in 0..2 {
        super::fetch(&server, failed);
        check_in(&server, failed, "1.6.0");
    }
    super::fetch(&server, waiting);
    let token = check_in(&server, waiting, "1.6.0").unwrap();
    server.signal("TERM");
    assert!(server.end().success());
    server = server.stop().start(&config("10m"));
    let mut before = Versions::new();
    let mut random = std::process::id();
    let (mut kept, mut ordered) = (0, 0);
    for round in 0..rounds {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Early ones too, at the whole size: what a server reads it does not lose.
        let (least, most) = sized((3_500, 6_000), (0, 3_700));
        let after = Duration::from_millis(least + u64::from(random >> 8) % (most - least));
        let (load, at, stalled) = killed(&server, after);
        let state = server.dir.path().join("data/state");
        server.end();
        is_sound(&state);
        server = server.stop().start(&config("10m"));
        until("the store to be read", || {
            let reply = server.admin("GET", "/readyz", "", "");
            (reply.status == 200).then_some(())
        });
        // A machine on which the writer itself was kept waiting may lose as much more.
        let lost = LOST + stalled.max(if is_long() { Duration::ZERO } else { 2 * LOST });
        let known = versions(&server);
        let found = is_kept(&server, &known, &load, at, lost);
        // What outlived one kill outlives the next.
        for (mac, version) in &before {
            assert_eq!(known.get(mac), Some(version), "{mac}");
        }
        let orders = load.ordered.lock().unwrap().len();
        eprintln!(
            "round {round}: killed after {after:?}, stalled {stalled:?}: {found} check-ins, {orders} orders"
        );
        (kept, ordered) = (kept + found, ordered + orders);
        assert_eq!(check_in(&server, failed, "1.6.0"), None);
        assert_eq!(ends(&server, failed), ["rolled-back"; 2]);
        // A token of the run before counts.
        let made = load.made.lock().unwrap();
        before = known;
        // Of older ones the first may have made room for others.
        let of_round: HashSet<_> = made.iter().map(|one| &one.mac).collect();
        before.retain(|mac, _| of_round.contains(mac));
        let is_old = |one: &&Made| {
            let answered = one
                .answered
                .filter(|answered| at.saturating_duration_since(*answered) > lost);
            answered.is_some() && one.path.is_some()
        };
        if let Some(one) = made.iter().find(is_old) {
            assert_eq!(server.get(one.path.as_ref().unwrap()).status, 200);
            until_end(&server, &one.mac, "fetched");
        }
    }
    assert!(ordered > 0 && kept > 0, "{kept} {ordered}");
    assert_eq!(server.get(&token).status, 200);
    until_end(&server, waiting, "fetched");
    check_in_with(&server, waiting, "c", &body(&Image::new("1.7.0")));
    assert_eq!(ends(&server, waiting), ["rolled-back", "succeeded"]);
    eprintln!("| {rounds} kills: {kept} check-ins and {ordered} orders, none lost |");
}
