//! Whole lives in no time: the clock stands still while anybody is busy, and
//! jumps to the next timer when nobody is.

use super::super::network::{Opening, Stream};
use super::super::plan::tests::plan;
use super::*;
use crate::probe::pace::Pace;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::{LocalSet, spawn_local};
use xiaozhi_image_builder::Image;

mod bad;

/// What is answered to a request, `None` to hang up: by how many connections
/// there were before, and the request.
type Answer = Box<dyn Fn(usize, &str) -> Option<Vec<u8>>>;

/// A server without a network.
struct Fake {
    answer: Rc<Answer>,
    /// When each connection came, and what was asked.
    seen: Rc<RefCell<Vec<(Duration, String)>>>,
    begun: Instant,
    open: Rc<RefCell<(usize, usize)>>,
}

impl Stream for DuplexStream {
    /// There is only one way to end it.
    fn reset_at_end(&self) {}
}

impl Connect for Fake {
    fn open<'a>(&'a self, _: &'a Target, _: bool) -> Opening<'a> {
        let (client, mut server) = tokio::io::duplex(512);
        let (answer, seen) = (Rc::clone(&self.answer), Rc::clone(&self.seen));
        let number = seen.borrow().len();
        let now = self.begun.elapsed();
        seen.borrow_mut().push((now, String::new()));
        let open = Rc::clone(&self.open);
        {
            let (now, most) = &mut *open.borrow_mut();
            *now += 1;
            *most = (*most).max(*now);
        }
        spawn_local(async move {
            let mut request = Vec::new();
            let mut block = [0; 512];
            while let Ok(n @ 1..) = server.read(&mut block).await {
                request.extend_from_slice(&block[..n]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("Content-Length: "))
                    .map_or(0, |length| length.parse().unwrap());
                if body.len() < length {
                    continue;
                }
                seen.borrow_mut()[number].1.clone_from(&text);
                if let Some(reply) = answer(number, &text) {
                    let _ = server.write_all(&reply).await;
                }
                break;
            }
            open.borrow_mut().0 -= 1;
        });
        Box::pin(async { Ok(Box::new(client) as Box<dyn Stream>) })
    }
}

fn reply(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A check's answer: this version, whoever asks.
fn offered(version: &str) -> Vec<u8> {
    let firmware =
        format!(r#"{{"firmware":{{"version":"{version}","url":"http://h.example/a.bin"}}}}"#);
    reply(firmware.as_bytes())
}

/// What a fleet has lived.
struct Lived {
    tally: Tally,
    book: Book,
    seen: Vec<(Duration, String)>,
    time: Duration,
    /// Connections that were open at once.
    most: usize,
}

fn lived(
    plan: Plan,
    at_once: usize,
    answer: impl Fn(usize, &str) -> Option<Vec<u8>> + 'static,
) -> Lived {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    LocalSet::new().block_on(&runtime.unwrap(), async {
        let begun = Instant::now();
        let fake = Fake {
            answer: Rc::new(Box::new(answer)),
            seen: Rc::default(),
            begun,
            open: Rc::default(),
        };
        let fleet = Rc::new(SimulatedFleet::new(plan, fake, at_once));
        for number in 0..fleet.plan.devices {
            spawn_local(live(Rc::clone(&fleet), number));
        }
        fleet.done.notified().await;
        let (tally, seen) = (fleet.tally.borrow().clone(), fleet.network.seen.take());
        let most = fleet.network.open.borrow().1;
        Lived {
            tally,
            book: fleet.book.take(),
            seen,
            time: begun.elapsed(),
            most,
        }
    })
}

fn seconds(lived: &Lived) -> Vec<u64> {
    let times = lived.seen.iter().map(|(time, _)| time.as_secs());
    times.collect()
}

fn count(lived: &Lived, kind: FailureKind) -> u64 {
    lived.tally.errors.get(&kind).map_or(0, |noted| noted.count)
}

#[test]
fn ten_tries_each_twice_as_late_as_the_one_before() {
    let lived = lived(plan(1), 1, |_, _| None);
    assert_eq!(
        seconds(&lived),
        [0, 10, 30, 70, 150, 310, 630, 1270, 2550, 5110]
    );
    assert_eq!(lived.tally.count(DeviceState::GivenUp), 1);
    assert_eq!((lived.tally.checks, lived.tally.checks_failed), (0, 10));
    assert_eq!(count(&lived, FailureKind::CutShort), 10);
}

#[test]
fn an_answer_begins_the_count_anew_and_404_is_none() {
    let lived = lived(plan(1), 1, |number, _| match number {
        0..3 => Some(b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n".to_vec()),
        _ => Some(offered("1.6.0")),
    });
    assert_eq!(seconds(&lived), [0, 10, 30, 70]);
    assert_eq!(lived.tally.count(DeviceState::UpToDate), 1);
    assert_eq!(count(&lived, FailureKind::Status(404)), 3);
}

#[test]
fn an_update_from_the_first_check_to_the_second() {
    let image = Image::new("1.7.0");
    let (bytes, elf) = (image.build(), image.elf_hex());
    let length = bytes.len() as u64;
    let slow = Plan {
        pace: Pace::new(length / 7),
        ..plan(1)
    };
    let lived = lived(slow, 1, move |_, request| {
        if request.starts_with("GET") {
            Some(reply(&bytes))
        } else {
            Some(offered("1.7.0"))
        }
    });
    assert_eq!(seconds(&lived), [0, 0, 10], "7 s of download, 3 to restart");
    let [first, get, second] = [0, 1, 2].map(|n| lived.seen[n].1.as_str());
    assert!(first.contains("/1.6.0\r\n") && first.contains(r#""ota":{"label":"ota_0"}"#));
    assert!(get.starts_with("GET /a.bin HTTP/1.1\r\n") && !get.contains("Device-Id"));
    assert!(second.contains("/1.7.0\r\n") && second.contains(r#""ota":{"label":"ota_1"}"#));
    assert!(second.contains(&elf) && !first.contains(&elf));
    let tally = &lived.tally;
    assert_eq!(tally.count(DeviceState::UpToDate), 1);
    assert_eq!(
        (tally.updates, tally.bytes, tally.unconfirmed),
        (1, length, 0)
    );
    assert_eq!(tally.versions.get("1.7.0"), Some(&1));
}

#[test]
fn what_no_check_confirms_is_rolled_back_at_the_next_restart() {
    let bytes = Image::new("1.7.0").build();
    let restarted = Plan {
        restarts: 1,
        ..plan(1)
    };
    let lived = lived(restarted, 1, move |_, request| {
        if request.starts_with("GET") {
            Some(reply(&bytes))
        } else if request.contains("/1.7.0\r\n") {
            None
        } else {
            Some(offered("1.7.0"))
        }
    });
    let tally = &lived.tally;
    assert_eq!(tally.count(DeviceState::GivenUp), 1);
    assert_eq!(
        (tally.updates, tally.rolled_back, tally.unconfirmed),
        (2, 1, 1)
    );
    assert_eq!(lived.seen.len(), 2 * 12);
}

#[test]
fn updates_that_lead_nowhere_have_an_end() {
    // The file's name says 1.8.0.
    let mislabelled = Image::new("1.6.9").build();
    let once = lived(plan(1), 1, move |_, request| {
        if request.starts_with("GET") {
            Some(reply(&mislabelled))
        } else {
            Some(offered("1.8.0"))
        }
    });
    assert_eq!(
        (once.tally.updates, count(&once, FailureKind::Loop)),
        (1, 1)
    );
    assert_eq!(once.tally.count(DeviceState::Failed), 1);

    // Each time another one, so that nothing but the number gives it away.
    let v2 = Plan {
        version: "2.0.0".into(),
        ..plan(1)
    };
    let often = lived(v2, 1, |number, request| {
        if request.starts_with("GET") {
            let mut image = Image::new("2.0.0");
            image.elf_sha256 = [number.try_into().unwrap(); 32];
            Some(reply(&image.build()))
        } else {
            Some(offered("2.8.0"))
        }
    });
    assert_eq!(
        (often.tally.updates, count(&often, FailureKind::Loop)),
        (3, 1)
    );
    assert_eq!(often.tally.count(DeviceState::Failed), 1);
}

#[test]
fn what_would_not_boot_is_not_booted() {
    let good = Image::new("1.7.0").build();
    let mut damaged = good.clone();
    damaged[300] ^= 1;
    let mut other_chip = Image::new("1.7.0");
    other_chip.chip = 5;
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
    let mut short = reply(&good);
    short.truncate(short.len() - 1);
    let long = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n";
    for (got, kind) in [
        (Some(reply(&damaged)), FailureKind::ImageDamaged),
        (Some(reply(b"no image")), FailureKind::ImageDamaged),
        (Some(reply(&other_chip.build())), FailureKind::ImageUnfit),
        (Some(reply(b"")), FailureKind::NoLength),
        (Some(chunked.to_vec()), FailureKind::NoLength),
        (Some(short), FailureKind::CutShort),
        (Some(long.to_vec()), FailureKind::TooLong),
    ] {
        let lived = lived(plan(1), 1, move |_, request| {
            if request.starts_with("GET") {
                got.clone()
            } else {
                Some(offered("1.7.0"))
            }
        });
        assert_eq!(count(&lived, kind), 1, "{kind:?}: {:?}", lived.tally.errors);
        assert_eq!(lived.tally.count(DeviceState::Failed), 1);
        assert_eq!(
            (lived.tally.updates, lived.tally.downloads_failed > 0),
            (0, true)
        );
    }
}

#[test]
fn a_version_that_restarts_devices_is_no_update() {
    let lived = lived(plan(1), 1, |_, _| Some(offered("v1.7")));
    assert_eq!(count(&lived, FailureKind::Restarts), 1);
    assert_eq!(lived.tally.count(DeviceState::Failed), 1);
}

#[test]
fn injected_failures_are_overcome_and_count_as_no_errors() {
    let bytes = Image::new("1.7.0").build();
    let unlucky = Plan {
        fail: "30%".parse().unwrap(),
        ..plan(200)
    };
    let once = |at_once| {
        let bytes = bytes.clone();
        lived(unlucky.clone(), at_once, move |_, request| {
            if request.starts_with("GET") {
                Some(reply(&bytes))
            } else {
                Some(offered("1.7.0"))
            }
        })
    };
    let first = once(200);
    let tally = &first.tally;
    assert_eq!(tally.count(DeviceState::UpToDate), 200, "{tally:?}");
    let injected = tally.injected;
    assert!(injected.checks_cut > 50 && injected.downloads_cut > 10 && injected.power_cuts > 10);
    assert!(tally.errors.is_empty(), "{:?}", tally.errors);
    assert_eq!((tally.checks_failed, tally.downloads_failed), (0, 0));

    // The same seed, whoever comes first.
    let second = once(7);
    assert_eq!(second.tally.injected.total(), injected.total());
    assert!(second.most <= 7 && first.most > 7);

    let hopeless = Plan {
        fail: "100%".parse().unwrap(),
        ..plan(3)
    };
    let lived = lived(hopeless, 3, |_, _| Some(offered("1.6.0")));
    assert_eq!(lived.tally.count(DeviceState::GivenUp), 3);
    assert_eq!(lived.tally.injected.checks_cut, 30);
    assert_eq!(lived.tally.checks_failed, 0);
}

#[test]
fn a_ramp_switches_them_on_one_by_one() {
    let ramp = Plan {
        ramp: Duration::from_secs(60),
        ..plan(6)
    };
    let lived = lived(ramp, 6, |_, _| Some(offered("1.6.0")));
    assert_eq!(seconds(&lived), [0, 10, 20, 30, 40, 50]);
    assert_eq!(lived.time.as_secs(), 50);
}
