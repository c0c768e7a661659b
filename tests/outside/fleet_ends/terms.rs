//! When ends show, and what an outage of ours does to them.

use super::{FILE, check_in, config, end, ends, fetch, known, until_end};
use crate::support::server::Setup;
use crate::support::{Server, until};
use std::thread;
use std::time::{Duration, Instant};
use xiaozhi_image_builder::Image;

const GOOD: &str = "02:00:00:00:02:01";
const OTHER: &str = "02:00:00:00:02:02";
const GONE: &str = "02:00:00:00:02:03";
/// Longest time that an end may take to show.
const SHOWN: Duration = Duration::from_secs(5);

fn setup() -> Setup {
    Setup::new().file(FILE, Image::new("1.7.0").build())
}

/// Fetches, and returns the times before and behind that.
fn fetched(server: &Server, device: &str) -> [Instant; 2] {
    let before = Instant::now();
    fetch(server, device);
    [before, Instant::now()]
}

#[test]
fn in_a_home_of_three_the_one_that_never_comes_again_is_silent_in_time() {
    let term = Duration::from_secs(5);
    let server = setup().start(&config("5s"));
    for device in [GOOD, OTHER] {
        fetch(&server, device);
        check_in(&server, device, "1.7.0");
        assert_eq!(ends(&server, device), ["succeeded"]);
        server.event("offer.succeeded", &[("device", device)]);
    }
    // From here on nobody asks for anything: a quiet fleet stops no term.
    let [before, behind] = fetched(&server, GONE);
    let mut looked = Instant::now();
    let mut stalled = Duration::ZERO;
    until("silence", || {
        stalled = stalled.max(looked.elapsed());
        looked = Instant::now();
        (end(&server, GONE) == "silent").then_some(())
    });
    assert!(before.elapsed() >= term, "{:?}", before.elapsed());
    let late = behind.elapsed().saturating_sub(term);
    assert!(late <= SHOWN + stalled, "{late:?}; stalled {stalled:?}");
    server.event("offer.silent", &[("device", GONE)]);
    for device in [GOOD, OTHER] {
        assert_eq!(ends(&server, device), ["succeeded"]);
    }
    // It was off, and runs the new image after all.
    check_in(&server, GONE, "1.7.0");
    assert_eq!(ends(&server, GONE), ["succeeded"]);
    assert_eq!(known(&server, GONE).unwrap()["version"], "1.7.0");
}

/// An outage of twice the term, behind three quarters of it.
fn outage(signal: &str) {
    let term = Duration::from_secs(8);
    for _ in 0..3 {
        let mut server = setup().start(&config("8s"));
        let [before, behind] = fetched(&server, GONE);
        // Nothing happens any more, and what was served is kept all the same.
        while behind.elapsed() < term * 3 / 4 {
            thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(end(&server, GONE), "fetched");
        server.signal(signal);
        server.end();
        let (at_most, at_least) = (before.elapsed(), behind.elapsed());
        thread::sleep(2 * term);

        let begun = Instant::now();
        let server = server.stop().start(&config("8s"));
        // From this very machine devices can come, whatever network it has.
        check_in(&server, OTHER, "1.6.0");
        let ready = Instant::now();
        let at_once = end(&server, GONE);
        let mut looked = Instant::now();
        let mut stalled = begun.elapsed();
        until("silence", || {
            stalled = stalled.max(looked.elapsed());
            looked = Instant::now();
            (end(&server, GONE) == "silent").then_some(())
        });
        // Nobody was silent because of us: the rest of the term had to pass.
        let rest = term.saturating_sub(at_most);
        assert!(
            begun.elapsed() >= rest,
            "{signal}: {at_once}, {:?}",
            begun.elapsed()
        );
        // And it was the rest: it did not begin anew. A second of what was served may be lost
        // where the process is killed, and one passes between two looks.
        let took = ready.elapsed();
        let rest = term.saturating_sub(at_least);
        if took < rest + Duration::from_secs(4) {
            assert!(rest + Duration::from_secs(4) < term, "it proves nothing");
            return;
        }
        assert!(
            stalled > Duration::from_secs(1),
            "{signal}: {took:?} behind the start, of {rest:?} that were left"
        );
    }
    panic!("this machine keeps a thread waiting for seconds");
}

#[test]
fn a_stop_of_ours_makes_nobody_silent_and_the_term_goes_on() {
    outage("TERM");
}

#[test]
fn a_kill_makes_nobody_silent_and_the_term_goes_on() {
    outage("KILL");
}

#[test]
fn who_comes_late_is_no_roll_back_and_who_comes_new_is_a_success() {
    let server = setup().start(&config("5s"));
    fetch(&server, GOOD);
    fetch(&server, GONE);
    for device in [GOOD, GONE] {
        until_end(&server, device, "silent");
    }
    // Its boot loader refused the image: it runs on, and this is its next boot.
    assert!(check_in(&server, GONE, "1.6.0").is_some());
    assert_eq!(ends(&server, GONE), ["silent", "offered"]);
    check_in(&server, GOOD, "1.7.0");
    assert_eq!(ends(&server, GOOD), ["succeeded"]);
    let ended = |event, device| server.events(event, &[("device", device)]).len();
    server.settle();
    assert_eq!(ended("offer.silent", GONE), 1);
    assert_eq!(ended("offer.rolled-back", GONE), 0);
}
