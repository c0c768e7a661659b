//! What is watched while something is done to the server: a well-behaved device that
//! goes on checking in and fetching its image, a new connection each time, and the
//! memory and the open files of the process.

use super::{LATER, is_long, sized};
use crate::behind_proxy::connect;
use crate::support::server::{request, try_exchange};
use crate::support::{PATIENCE, Reply, Server, noise};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fmt::Display;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The image of the device.
pub(super) const IMAGE: &str = "faults_1.6.6.bin";
const IMAGE_PATH: &str = "/xiaozhi/ota/download/faults_1.6.6.bin";

/// Milliseconds by which two times of this machine differ, whatever is done.
const GRAIN: f64 = 0.5;

/// The image's content.
pub(super) fn image() -> Vec<u8> {
    noise(64 << 10, 66)
}

/// What is done to a server, and what must hold meanwhile and afterwards.
pub(super) struct Scenario {
    name: &'static str,
    from: [u8; 4],
    fetches: bool,
    only_tls: bool,
    wait: Duration,
    most: Option<u64>,
    kept: u64,
    open: usize,
    /// Address of a server to which nothing is done, and the factor.
    beside: Option<(SocketAddr, f64)>,
}

/// What was seen of it.
struct Seen {
    answered: AtomicUsize,
    /// How long each answer took.
    took: Mutex<Vec<Duration>>,
    /// How long each answer to a check-in took that came over plain HTTP, and those of the
    /// other server.
    checks: [Mutex<Vec<Duration>>; 2],
    failures: Mutex<Vec<String>>,
    over: AtomicBool,
    /// Most memory of the process and of the kernel's sockets, in KiB.
    most: Mutex<Memory>,
}

/// The watching, as who does something to the server sees it.
pub(super) struct Meanwhile<'a>(&'a Seen);

#[derive(Debug, Clone, Copy, Default)]
struct Memory {
    /// Of the process, without what it shares with others of its kind.
    own: u64,
    /// Of the kernel for all sockets of this machine.
    sockets: u64,
}

impl Scenario {
    /// A scenario with this name; `None` if it waits for what the server cannot do yet.
    pub(super) fn new(name: &'static str) -> Option<Self> {
        if let Some((_, what)) = LATER.iter().find(|(later, _)| *later == name) {
            eprintln!("\n| {name} | waits for {what} |");
            return None;
        }
        // Both ends of some thousand connections.
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
        Some(Self {
            name,
            from: [127, 0, 0, 1],
            fetches: true,
            only_tls: false,
            wait: Duration::from_secs(2),
            most: None,
            kept: sized(24, 48),
            // A connection or two of the device's own may be on their way out.
            open: 4,
            beside: None,
        })
    }

    /// The device comes from this address.
    pub(super) fn from(self, from: [u8; 4]) -> Self {
        Self { from, ..self }
    }

    /// It only checks in: its image may be gone.
    pub(super) fn checks_only(self) -> Self {
        let fetches = false;
        Self { fetches, ..self }
    }

    /// It comes over TLS each time.
    pub(super) fn only_tls(self) -> Self {
        let only_tls = true;
        Self { only_tls, ..self }
    }

    /// How long the device may wait for an answer, where the scenario is whole.
    pub(super) fn wait(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    /// How many MiB the process may take beyond what it had before.
    pub(super) fn most(self, mib: u64) -> Self {
        let most = Some(mib);
        Self { most, ..self }
    }

    /// How many MiB it may keep of them afterwards.
    pub(super) fn kept(self, mib: u64) -> Self {
        Self { kept: mib, ..self }
    }

    /// How many files it may have open beyond those that it had: connections to servers
    /// behind are kept for a while.
    pub(super) fn open(self, open: usize) -> Self {
        Self { open, ..self }
    }

    /// Where the scenario is whole, the 99th percentile of the time that a check-in takes may
    /// be so many times that of `other`, to which nothing is done. Both are asked in turn: what
    /// else this machine has to do keeps both waiting.
    pub(super) fn beside(self, other: &Server, times: f64) -> Self {
        let beside = Some((other.address(), times));
        Self { beside, ..self }
    }

    /// Does something to a server while a device goes on, prints the row, and holds what
    /// must hold.
    #[track_caller]
    pub(super) fn run<T>(
        self,
        server: &Server,
        did: impl Display,
        deed: impl FnOnce(&Meanwhile<'_>) -> T,
    ) -> T {
        let seen = Seen {
            answered: AtomicUsize::new(0),
            took: Mutex::default(),
            checks: Default::default(),
            failures: Mutex::default(),
            over: AtomicBool::new(false),
            most: Mutex::default(),
        };
        // Whatever a process takes once and for all, it has taken after these.
        for _ in 0..2 {
            self.round(server, &seen);
        }
        assert_eq!(*seen.failures.lock().unwrap(), [""; 0], "before all");
        seen.took.lock().unwrap().clear();
        for times in &seen.checks {
            times.lock().unwrap().clear();
        }
        seen.answered.store(0, Ordering::SeqCst);
        let (before, files) = (Memory::of(server), open_files(server));
        let begun = Instant::now();
        let done = thread::scope(|scope| {
            scope.spawn(|| {
                // Once at least: a deed may be over before this thread begins.
                loop {
                    self.round(server, &seen);
                    if seen.over.load(Ordering::SeqCst) {
                        break;
                    }
                }
            });
            scope.spawn(|| {
                while !seen.over.load(Ordering::SeqCst) {
                    seen.most.lock().unwrap().grow(Memory::of(server));
                    thread::sleep(Duration::from_millis(100));
                }
            });
            // A deed that fails ends the watching, too.
            let _over = Over(&seen.over);
            deed(&Meanwhile(&seen))
        });
        let after = self.settle(server, before, files);
        let did = format!("{did}, in {:.1} s", begun.elapsed().as_secs_f64());
        self.print(&did, &seen, before, after);
        self.hold(&seen, before, after);
        self.compare(&seen);
        done
    }

    /// A check-in and a download, plain and over TLS.
    fn round(&self, server: &Server, seen: &Seen) {
        // No scenario has a device of this name.
        let headers = [("Device-Id", "02:fa:00:00:00:01"), ("Client-Id", "c")];
        let body =
            br#"{"application":{"name":"xiaozhi","version":"1.6.6"},"board":{"type":"faults"}}"#;
        let check = request("POST", "/xiaozhi/ota/", &headers, body);
        let fetch = request("GET", IMAGE_PATH, &[("Connection", "close")], b"");
        for scheme in ["http", "https"] {
            if self.only_tls && scheme == "http" {
                continue;
            }
            if scheme == "http" {
                self.ask_beside(&check, seen);
            }
            let took = seen.note(|| {
                let reply = self.ask(server, scheme, &check)?;
                let is_good = reply.text().contains("\"version\":\"1.6.6\"");
                is_good.then_some(()).ok_or_else(|| reply.text().to_owned())
            });
            if scheme == "http" {
                seen.checks[0].lock().unwrap().extend(took);
            }
            if self.fetches {
                seen.note(|| {
                    let reply = self.ask(server, scheme, &fetch)?;
                    let is_good = reply.body == image();
                    is_good.then_some(()).ok_or("another image".to_owned())
                });
            }
            thread::sleep(sized(Duration::from_millis(60), Duration::from_millis(5)));
        }
    }

    /// Asks the other server the same.
    fn ask_beside(&self, check: &[u8], seen: &Seen) {
        let Some((address, _)) = self.beside.filter(|_| !seen.over.load(Ordering::SeqCst)) else {
            return;
        };
        let begun = Instant::now();
        let mut stream = connect(self.from, address);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let reply = try_exchange(&mut stream, check);
        assert_eq!(reply.map(|reply| reply.status), Ok(200), "beside");
        seen.checks[1].lock().unwrap().push(begun.elapsed());
    }

    /// Holds the time that check-ins took against that of the other server.
    #[track_caller]
    fn compare(&self, seen: &Seen) {
        let Some((_, times)) = self.beside else {
            return;
        };
        let [own, other] = [0, 1].map(|of| quantiles(&mut seen.checks[of].lock().unwrap()));
        let name = self.name;
        eprintln!("\n{name}: check-ins, in ms: {own:.2?}; beside: {other:.2?}");
        let most = other[1] * times + GRAIN;
        assert!(!is_long() || own[1] <= most, "{name}: {own:?}, {other:?}");
    }

    /// Asks for something, as one who is known by no connection.
    fn ask(&self, server: &Server, scheme: &str, request: &[u8]) -> Result<Reply, String> {
        let stream = connect(self.from, server.address());
        // As long as a device waits.
        let wait = Some(Duration::from_secs(30));
        stream.set_read_timeout(wait).unwrap();
        stream.set_write_timeout(wait).unwrap();
        let reply = exchange(server, stream, scheme, request);
        let reply = reply.map_err(|e| format!("{scheme}: {e}"))?;
        if reply.status != 200 || !reply.whole {
            let (status, whole) = (reply.status, reply.whole);
            return Err(format!("{scheme}: {status}, whole: {whole}"));
        }
        Ok(reply)
    }

    /// Waits until memory and files have gone back as far as they must.
    fn settle(&self, server: &Server, before: Memory, files: usize) -> Memory {
        let end = Instant::now() + sized(PATIENCE, Duration::from_secs(30));
        loop {
            let now = Memory::of(server);
            let is_back = now.own <= before.own + (self.kept << 10);
            let are_closed = open_files(server) <= files + self.open;
            if is_back && are_closed || Instant::now() > end {
                assert!(are_closed, "{} files, {files} before", open_files(server));
                return now;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn print(&self, did: &str, seen: &Seen, before: Memory, after: Memory) {
        let most = *seen.most.lock().unwrap();
        let [median, most_of_all, worst] = quantiles(&mut seen.took.lock().unwrap());
        let mib = |kib: u64| kib.div_ceil(1 << 10);
        eprintln!(
            "\n| {} | {did} | {} answered: median {median:.1} ms, 99 % in {most_of_all:.1} ms, worst {worst:.1} ms; {} failed | {} / {} / {} MiB | {} / {} / {} MiB |",
            self.name,
            seen.answered.load(Ordering::SeqCst),
            seen.failures.lock().unwrap().len(),
            mib(before.own),
            mib(most.own),
            mib(after.own),
            mib(before.sockets),
            mib(most.sockets),
            mib(after.sockets),
        );
    }

    #[track_caller]
    fn hold(&self, seen: &Seen, before: Memory, after: Memory) {
        let name = self.name;
        let failures = seen.failures.lock().unwrap();
        let answered = seen.answered.load(Ordering::SeqCst);
        assert!(failures.is_empty(), "{name}: of {answered}: {failures:#?}");
        assert!(answered > 0, "{name}: nobody was answered");
        let worst = seen.took.lock().unwrap().iter().max().copied();
        let worst = worst.unwrap_or_default();
        assert!(!is_long() || worst <= self.wait, "{name}: {worst:?}");
        if let Some(most) = self.most {
            let grown = seen.most.lock().unwrap().own.saturating_sub(before.own);
            assert!(grown >> 10 <= most, "{name}: {grown} KiB more");
        }
        let kept = after.own.saturating_sub(before.own);
        assert!(kept >> 10 <= self.kept, "{name}: {kept} KiB are kept");
    }
}

/// Ends what goes on meanwhile with its own end.
pub(super) struct Over<'a>(pub(super) &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Seen {
    /// Returns how long it took; `None` at the end.
    fn note(&self, ask: impl FnOnce() -> Result<(), String>) -> Option<Duration> {
        if self.over.load(Ordering::SeqCst) {
            return None;
        }
        let begun = Instant::now();
        let outcome = ask();
        let took = begun.elapsed();
        self.took.lock().unwrap().push(took);
        match outcome {
            Ok(()) => {
                self.answered.fetch_add(1, Ordering::SeqCst);
            }
            Err(why) => {
                let mut failures = self.failures.lock().unwrap();
                failures.push(format!("after {took:?}: {why}"));
            }
        }
        Some(took)
    }
}

impl Meanwhile<'_> {
    /// Goes on with something until the device has been answered often enough since,
    /// or is not answered any more.
    #[track_caller]
    pub(super) fn while_it_asks(&self, mut step: impl FnMut()) {
        let begun = self.0.answered.load(Ordering::SeqCst);
        let end = Instant::now() + sized(PATIENCE, 5 * PATIENCE);
        loop {
            step();
            let answered = self.0.answered.load(Ordering::SeqCst) - begun;
            let is_lost = !self.0.failures.lock().unwrap().is_empty();
            if answered >= sized(8, 100) || is_lost {
                return;
            }
            assert!(Instant::now() < end, "{answered} answers");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Memory {
    fn of(server: &Server) -> Self {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", server.pid()));
        let rollup = rollup.unwrap_or_default();
        let line = rollup.lines().find(|line| line.starts_with("Pss_Anon:"));
        let own = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        let table = fs::read_to_string("/proc/net/sockstat").unwrap();
        let line = table.lines().find(|line| line.starts_with("TCP:"));
        let pages: u64 = line.map_or(0, |line| {
            let last = line.split_whitespace().last();
            last.unwrap().parse().unwrap()
        });
        Self {
            own: own.unwrap_or_default(),
            sockets: pages * 4,
        }
    }

    fn grow(&mut self, other: Self) {
        self.own = self.own.max(other.own);
        self.sockets = self.sockets.max(other.sockets);
    }
}

/// Median, 99th percentile and worst of some times, in milliseconds.
pub(super) fn quantiles(took: &mut [Duration]) -> [f64; 3] {
    took.sort_unstable();
    let last = took.len().saturating_sub(1);
    [50, 99, 100].map(|percent| {
        let at = took.get(last * percent / 100);
        at.copied().unwrap_or_default().as_secs_f64() * 1e3
    })
}

/// Number of the files that a server has open.
pub(super) fn open_files(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid()))
        .unwrap()
        .count()
}

/// Sends a request over `http` or `https` on a connection, and reads one reply.
fn exchange(
    server: &Server,
    mut stream: TcpStream,
    scheme: &str,
    request: &[u8],
) -> Result<Reply, String> {
    if scheme == "http" {
        return try_exchange(&mut stream, request);
    }
    try_exchange(&mut server.tls_over(stream, "localhost", None), request)
}
