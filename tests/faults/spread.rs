//! How load spreads: the kernel gives a connection to a worker whatever that one has to
//! do, and whoever comes to the busiest is answered all the same.

use super::watch::{IMAGE, Over, Scenario, image, quantiles};
use super::{is_long, sized};
use crate::support::kernel::held;
use crate::support::server::{PATIENT, Server, Setup, check_in, request, try_exchange};
use crate::support::{PATIENCE, noise, until};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv};
use socket2::{Domain, SockRef, Socket, Type};
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const LARGE: &str = "large_1.0.bin";
/// What a device draws in one of its looks, ten a second.
const PACE: usize = 4800;
const LOOK: Duration = Duration::from_millis(100);

/// Connects from this address and port, or from any port.
fn connect(port: u16, server: &Server) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    let own = SocketAddr::from(([127, 0, 5, 1], port));
    socket.bind(&own.into()).unwrap();
    socket.connect(&server.address().into()).unwrap();
    let stream = TcpStream::from(socket);
    // Whatever is left of it would keep the next one from its port.
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Connections that wait for each worker, in the order in which the kernel names them.
fn waiting(server: &Server) -> Vec<u64> {
    let sockets = held(server.address()).into_iter();
    let sockets = sockets.filter(|socket| socket.listens);
    sockets.map(|socket| socket.unread).collect()
}

/// Connects while nobody accepts, until the first worker is to have so many connections,
/// and the ports are known from which one comes to the first and to the second.
fn choose(server: &Server, count: usize, ports: usize) -> (Vec<TcpStream>, [Vec<u16>; 2]) {
    server.signal("STOP");
    until("a stop", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
        stat.contains(") T ").then_some(())
    });
    let (mut chosen, mut known, mut others) = (Vec::new(), [vec![], vec![]], Vec::new());
    let mut before = waiting(server);
    while chosen.len() < count || known.iter().any(|known| known.len() < ports) {
        let stream = connect(0, server);
        let after = waiting(server);
        let place = after
            .iter()
            .zip(&before)
            .position(|(after, before)| after > before);
        before = after;
        let place = place.unwrap();
        if place == 0 && chosen.len() < count {
            chosen.push(stream);
            continue;
        }
        if let Some(known) = known.get_mut(place) {
            known.push(stream.local_addr().unwrap().port());
        }
        others.push(stream);
    }
    drop(others);
    server.signal("CONT");
    (chosen, known)
}

/// Asks for the large image, more often than it can be sent meanwhile.
fn ask(server: &Server, stream: TcpStream, scheme: &str) -> TcpStream {
    let path = format!("/xiaozhi/ota/download/{LARGE}");
    let asked = request("GET", &path, &[], b"").repeat(sized(20, 1000));
    if scheme == "http" {
        (&stream).write_all(&asked).unwrap();
        return stream;
    }
    let mut tls = server.tls_over(stream, "localhost", None);
    tls.write_all(&asked).unwrap();
    tls.sock
}

/// Takes what comes until the end: of the first ones as much as a device does, of the
/// rest all, and without a look at it.
fn take(paced: &[TcpStream], fast: &[TcpStream], over: &AtomicBool, taken: &AtomicU64) {
    let take = |stream: &TcpStream, most: usize, room: &mut [u8]| {
        let flags = MsgFlags::MSG_TRUNC | MsgFlags::MSG_DONTWAIT;
        let taken = recv(stream.as_raw_fd(), &mut room[..most], flags);
        taken.unwrap_or_default() as u64
    };
    let mut room = vec![0; 1 << 20];
    let mut look = Instant::now();
    while !over.load(Ordering::Relaxed) {
        if look <= Instant::now() {
            look += LOOK;
            for stream in paced {
                take(stream, PACE, &mut room);
            }
        }
        let mut ready: Vec<_> = fast
            .iter()
            .map(|stream| PollFd::new(stream.as_fd(), PollFlags::POLLIN))
            .collect();
        poll(&mut ready, PollTimeout::from(10_u8)).unwrap();
        for (stream, ready) in fast.iter().zip(&ready) {
            if ready.any() == Some(true) {
                taken.fetch_add(take(stream, 1 << 20, &mut room), Ordering::Relaxed);
            }
        }
    }
}

/// Checks in from a port, and returns how long that took.
fn check(server: &Server, port: u16, scheme: &str) -> Duration {
    let begun = Instant::now();
    let mut stream = connect(port, server);
    let asked = check_in("faults", "1.6.6");
    let reply = if scheme == "http" {
        try_exchange(&mut stream, &asked)
    } else {
        try_exchange(&mut server.tls_over(stream, "localhost", None), &asked)
    };
    assert_eq!(reply.map(|reply| reply.status), Ok(200), "{scheme}");
    begun.elapsed()
}

fn downloads_of_one_worker(name: &'static str, scheme: &str) {
    let Some(scenario) = Scenario::new(name) else {
        return;
    };
    let server = Setup::new()
        .file(IMAGE, image())
        .file(LARGE, noise(4 << 20, 1))
        .start(&format!("gateway:\n{PATIENT}"));
    if waiting(&server).len() < 2 {
        eprintln!("\n| {name} | there is one worker |");
        return;
    }
    let (paced, fast, checks) = sized((10, 4, 10), (300, 100, 200));
    let (chosen, ports) = choose(&server, paced + fast, 50);
    let chosen: Vec<_> = chosen
        .into_iter()
        .map(|stream| ask(&server, stream, scheme))
        .collect();
    let (paced, fast) = chosen.split_at(paced);
    let did = format!(
        "{} paced and {} fast downloads over {scheme} on one worker",
        paced.len(),
        fast.len()
    );
    let (over, taken) = (AtomicBool::new(false), AtomicU64::new(0));
    let begun = Instant::now();
    scenario.kept(sized(40, 64)).run(&server, did, |_| {
        thread::scope(|scope| {
            let _over = Over(&over);
            scope.spawn(|| take(paced, fast, &over, &taken));
            for scheme in ["http", "https"] {
                for (place, ports) in ["busy", "idle"].into_iter().zip(&ports) {
                    let mut took: Vec<_> = (0..checks)
                        .map(|n| check(&server, ports[n % ports.len()], scheme))
                        .collect();
                    let [median, most, worst] = quantiles(&mut took);
                    eprintln!(
                        "\n{scheme} to the {place} worker: {median:.1} / {most:.1} / {worst:.1} ms"
                    );
                    // A handshake is two round trips more.
                    let usual = if scheme == "http" { 50.0 } else { 150.0 };
                    let is_soon = median <= usual && most <= 300.0;
                    assert!(!is_long() || is_soon, "{scheme}, {place}");
                }
            }
        });
        let rate = taken.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64() / 1e6;
        eprintln!("\n{rate:.0} MB/s");
    });
}

#[test]
fn downloads_of_one_worker_plain() {
    downloads_of_one_worker("downloads_of_one_worker_plain", "http");
}

#[test]
fn downloads_of_one_worker_over_tls() {
    downloads_of_one_worker("downloads_of_one_worker_over_tls", "https");
}
