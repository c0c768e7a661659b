//! Measures what was made fast on purpose, beside the plain way of doing it, in CPU
//! time an operation: `cargo bench --bench paths`.
//!
//! Rounds alternate; the table shows the median of each, and the lowest and highest.
//! What no longer wins clearly is written plainly.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a bench prints, and ends where it cannot measure"
)]

use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use std::hint::black_box;
use xiaozhi_device::checkin::Report;
use xiaozhi_ota::util::terminal::keep_on_one_line;

const ROUNDS: usize = 15;
const OPERATIONS: u32 = 200_000;
/// Check-in of a device, as `tests/bench/run` posts it.
const BODY: &[u8] = include_bytes!("checkin.json");
/// Line of the log that tells of an offer.
const LINE: &str = "为设备 30:ed:a0:00:00:00 下发固件 1.7.0 [如果地址前缀有误，请检查配置文件中的server.vision_explain]-> https://ota.example.com/xiaozhi/ota/download/bench-board_1.7.0.bin";

/// One operation that is measured.
type Operation<'a> = Box<dyn FnMut() + 'a>;

/// Returns the CPU time of this thread, in nanoseconds.
fn cpu() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("the kernel counts CPU time");
    let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
    microseconds as f64 * 1000.0
}

fn main() {
    let (mut escaped, mut plain) = (LINE.to_owned(), LINE.to_owned());
    let mut paths: Vec<(&str, Operation<'_>)> = vec![
        (
            "reading a check-in's body",
            Box::new(|| drop(black_box(Report::read(black_box(BODY))))),
        ),
        (
            "looking for what steers a terminal in a line",
            Box::new(|| keep_on_one_line(black_box(&mut escaped), 0)),
        ),
        (
            "the same, character by character",
            Box::new(|| {
                let _ = black_box(black_box(&mut plain).chars().any(char::is_control));
            }),
        ),
    ];
    paths.push((
        "the time in front of a line, made anew",
        Box::new(|| {
            let now = Timestamp::now().to_zoned(TimeZone::system());
            black_box(now.strftime("%Y-%m-%d %H:%M:%S").to_string());
        }),
    ));
    let mut measured = vec![Vec::new(); paths.len()];
    for _ in 0..ROUNDS {
        for ((_, operation), measured) in paths.iter_mut().zip(&mut measured) {
            let before = cpu();
            for _ in 0..OPERATIONS {
                operation();
            }
            measured.push((cpu() - before) / f64::from(OPERATIONS));
        }
    }
    println!("| | ns of CPU |\n| --- | ---: |");
    for ((name, _), measured) in paths.iter().zip(&mut measured) {
        measured.sort_by(f64::total_cmp);
        let (lowest, highest) = (measured[0], measured[ROUNDS - 1]);
        let median = measured[ROUNDS / 2];
        println!("| {name} | {median:.0} ({lowest:.0}..{highest:.0}) |");
    }
}
