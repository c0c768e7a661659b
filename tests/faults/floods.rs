//! Much of one kind: bodies, promises of bodies, headers, TLS greetings.

use super::crowd::{Crowd, Role, addresses, hello};
use super::sized;
use super::watch::{IMAGE, Meanwhile, Scenario, image};
use crate::support::backend::Backend;
use crate::support::server::{PATIENT, Server, Setup};
use crate::support::until;
use socket2::{Domain, Socket, Type};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

fn server(gateway: &str) -> Server {
    let config = format!("gateway:\n{PATIENT}{gateway}");
    Setup::new().file(IMAGE, image()).start(&config)
}

/// Sees what comes of a crowd while the device asks, and whether it is told only this.
#[track_caller]
fn only_told(crowd: &mut Crowd, meanwhile: &Meanwhile<'_>, statuses: &[u16]) {
    crowd.come();
    meanwhile.while_it_asks(|| crowd.act());
    for status in crowd.told.keys() {
        assert!(statuses.contains(status), "{:?}", crowd.told);
    }
}

/// MiB that an allocator may keep of such bodies.
const KEPT: u64 = 80;

/// A body that lacks its end, of the largest size that is gathered.
fn almost_whole() -> Role {
    let head = "POST /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n";
    Role::sending([head.as_bytes(), &vec![b' '; 65_000]].concat())
}

/// Bodies as devices send them are exempt, whatever the others take.
#[test]
fn bodies_that_lack_their_end() {
    let Some(scenario) = Scenario::new("bodies_that_lack_their_end") else {
        return;
    };
    let server = server("");
    let head = "POST /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4096\r\n\r\n";
    let small = Role::sending([head.as_bytes(), &[b' '; 4000]].concat());
    let mut small = Crowd::new(server.address(), 50, &[[127, 0, 2, 9]], &[small]);
    let size = sized(1100, 12_000);
    let large = almost_whole().once();
    let mut large = Crowd::new(server.address(), size, &addresses(50), &[large]);
    // What is gathered of all bodies, in blocks of which a third may be empty, and what a
    // connection takes by itself: 8 KiB to read into, its task, and what is behind both.
    let most = 64 * 3 / 2 + (size as u64 * 22).div_ceil(1024) + 16;
    let did = format!("{size} connections with 64 KB of body each, beside 50 with 4 KB");
    let scenario = scenario.most(most).kept(KEPT);
    scenario.run(&server, did, |meanwhile| {
        small.come();
        small.act_until_sent();
        large.come();
        large.act_until_sent();
        meanwhile.while_it_asks(|| {
            large.act();
            small.act();
        });
        // What was sent is not read yet, where the machine is slow.
        until("bodies to be turned away", || {
            large.act();
            (large.told(503) > 0).then_some(())
        });
        assert_eq!(large.let_go, 0, "{:?}", large.told);
        assert_eq!((small.size(), &small.told), (50, &[].into()));
        large.leave();
        small.leave();
    });
}

#[test]
fn a_gigabyte_is_announced() {
    let Some(scenario) = Scenario::new("a_gigabyte_is_announced") else {
        return;
    };
    let backend = Backend::start(|connection| while connection.request().is_some() {});
    let proxy = format!(
        "  proxy: {{routes: {{/x/: 'http://{}'}}}}\n",
        backend.address
    );
    let server = server(&proxy);
    let mut roles = Vec::new();
    for path in [
        "/xiaozhi/ota/",
        "/xiaozhi/ota/activate",
        "/xiaozhi/ota/download/x.bin",
        "/x/",
        "/",
    ] {
        for announced in [
            "Content-Length: 1073741824\r\n\r\n",
            "Content-Length: 99999999999999999999999\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n",
            "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
            "Transfer-Encoding: chunked\r\n\r\n00000000000000000000000000000000000000000000000000ff",
        ] {
            let begins = format!("POST {path} HTTP/1.1\r\nHost: x\r\n{announced}{{");
            roles.push(Role::sending(begins).once());
        }
    }
    let size = sized(50, 1000);
    let mut crowd = Crowd::new(server.address(), size, &addresses(5), &roles);
    let did = format!("{size} bodies of 1 GB and more announced");
    scenario.most(32).run(&server, did, |meanwhile| {
        only_told(&mut crowd, meanwhile, &[200, 400, 404, 405, 413]);
        assert!(
            crowd.told(413) > 0 && crowd.told(400) > 0,
            "{:?}",
            crowd.told
        );
        crowd.leave();
    });
}

#[test]
fn headers_without_end() {
    let Some(scenario) = Scenario::new("headers_without_end") else {
        return;
    };
    let server = server("");
    let begin = "GET /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\n";
    let roles = [
        Role::sending(format!("{begin}{}\r\n", "X-A: b\r\n".repeat(10_000))).once(),
        Role::sending(format!("{begin}X-A: {}\r\n\r\n", "b".repeat(1 << 20))).once(),
        Role::sending(format!("{begin}{}: b\r\n\r\n", "X".repeat(1 << 20))).once(),
        Role::sending(format!("GET /{} HTTP/1.1\r\n", "x".repeat(1 << 20))).once(),
        Role::sending(begin).then("X-A: b\r\n").once(),
        Role::sending(format!("{begin}X-A: ")).then("b").once(),
        Role::sending("").then("G").once(),
        Role::sending("").then("\r\n").once(),
    ];
    let size = sized(40, 1000);
    let mut crowd = Crowd::new(server.address(), size, &addresses(5), &roles);
    let did = format!("{size} heads of many headers, of long ones, and without an end");
    scenario.most(sized(32, 64)).run(&server, did, |meanwhile| {
        for _ in 0..sized(2, 10) {
            only_told(&mut crowd, meanwhile, &[400, 414, 431]);
        }
        assert!(crowd.told(431) + crowd.told(414) > 0, "{:?}", crowd.told);
        crowd.leave();
    });
}

/// Greetings in a second, of all who greet.
fn rate() -> u32 {
    sized(400, 16_000)
}

/// Greetings that each of them has under way: whoever is greeted so often that it falls
/// behind has that many to answer.
const UNDER_WAY: usize = 1000;

/// Greets the server at its part of the rate until the end, and reads nothing: it costs this
/// machine, which is the server's too, as little as can be. Returns how often it did.
fn greets(server: &Server, from: [u8; 4], hello: &[u8], over: &AtomicBool) -> usize {
    let (mut greeted, mut under_way) = (0, VecDeque::new());
    let pause = Duration::from_secs(1) * u32::from(GREETERS) / rate();
    let begun = Instant::now();
    for number in 1.. {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&server.address().into());
        greeted += usize::from(socket.send(hello).is_ok());
        under_way.push_back(socket);
        if under_way.len() > UNDER_WAY {
            under_way.pop_front();
        }
        while begun.elapsed() < pause * number {
            if over.load(Ordering::Relaxed) {
                return greeted;
            }
            // A machine that cannot sleep for less makes up for it in one go.
            thread::sleep(Duration::from_millis(1));
        }
        if over.load(Ordering::Relaxed) {
            break;
        }
    }
    greeted
}

const GREETERS: u8 = 2;

#[test]
fn greetings_without_end() {
    let Some(scenario) = Scenario::new("greetings_without_end") else {
        return;
    };
    let server = server("");
    let (hello, over, rate) = (hello(), AtomicBool::new(false), AtomicUsize::new(0));
    let scenario = scenario.only_tls().wait(Duration::from_millis(300));
    let did = format_args!("{rate:?} ClientHellos a second from {GREETERS} addresses");
    scenario.run(&server, did, |meanwhile| {
        thread::scope(|scope| {
            let begun = Instant::now();
            let greet = |from| greets(&server, from, &hello, &over);
            let greeters: Vec<_> = addresses(GREETERS)
                .into_iter()
                .map(|from| scope.spawn(move || greet(from)))
                .collect();
            for _ in 0..sized(1, 5) {
                meanwhile.while_it_asks(|| {});
            }
            over.store(true, Ordering::Relaxed);
            let greeted: usize = greeters.into_iter().map(|g| g.join().unwrap()).sum();
            let millis = usize::try_from(begun.elapsed().as_millis()).unwrap();
            rate.store(greeted * 1000 / millis.max(1), Ordering::Relaxed);
        });
    });
}
