use super::super::logs::RATE;
use super::super::output::{LogFile, Turnover, open};
use super::*;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

fn file(path: PathBuf) -> Output {
    let opened = open(&path).unwrap();
    Output::File(LogFile::new(path, Some(opened), Turnover::default()))
}

#[test]
fn a_stalled_output_costs_lines_and_says_how_many() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("logs/server.log");
    let mut outputs = [file(path.clone())];
    let sinks = Sinks::new(Style::default(), RATE, &outputs);
    let line = format!("{}\n", "x".repeat(1023));
    for _ in 0..5000 {
        sinks.sinks[0].push(&line);
    }
    assert_eq!(sinks.sinks[0].waiting().dropped, 5000 - 4096);
    sinks.sinks[0].waiting().closed = true;
    sinks.write_out(0, &mut outputs[0]);
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text.lines().count(), 4097);
    assert!(
        text.lines()
            .next_back()
            .unwrap()
            .ends_with("lines=904 event=log.dropped"),
        "{text:.200}"
    );
}

#[test]
fn all_that_may_come_at_once_finds_memory() {
    for rate in [16 << 10, 2 * RATE] {
        let sinks = Sinks::new(Style::default(), rate, &[Output::Console]);
        let line = format!("{}\n", "x".repeat(1023));
        let now = Timestamp::now();
        for _ in 0..10_000 {
            sinks.hand_over(Whose::Server, &line, now);
        }
        let waiting = sinks.sinks[0].waiting();
        let burst = usize::try_from(4 * rate).unwrap();
        assert_eq!((waiting.lines.len(), waiting.dropped), (burst, 0), "{rate}");
    }
}

#[test]
fn a_write_that_does_not_return_is_found_once() {
    let sinks = Sinks::new(Style::default(), RATE, &[Output::Console]);
    let sink = &sinks.sinks[0];
    sink.waiting().writing = Instant::now().checked_sub(STALLED);
    assert!(sink.push("a line\n").is_some_and(|since| since >= STALLED));
    assert_eq!(sink.push("another\n"), None);
    sink.waiting().writing = Some(Instant::now());
    assert_eq!(sink.push("a third\n"), None);
}

#[test]
fn at_the_end_it_says_what_was_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.log");
    let mut outputs = [file(path.clone())];
    let sinks = Sinks::new(Style::default(), RATE, &outputs);
    let peer = Whose::Client(Some(IpAddr::from([192, 0, 2, 7])));
    let lines = format!("{}\n", "x".repeat(99)).repeat(10);
    let now = Timestamp::now();
    for _ in 0..5000 {
        sinks.hand_over(peer, &lines, now);
    }
    thread::scope(|threads| {
        threads.spawn(|| sinks.write_out(0, &mut outputs[0]));
        sinks.close(|_| ());
    });
    let text = fs::read_to_string(path).unwrap();
    assert!(text.len() <= 4 << 20, "{}", text.len());
    let told = text.lines().next_back().unwrap();
    let taken = text.lines().count() - 1;
    assert_eq!(taken % 10, 0, "all ten of them or none");
    assert!(
        told.contains(&format!("192.0.2.7 ({})", 50_000 - taken)),
        "{told}"
    );
}
