//! Summary of a simulation, as JSON; `text` says it in words.

mod text;

pub(super) use self::text::{millis, state_name};

use super::book::Book;
use super::histogram::Histogram;
use super::plan::Plan;
use super::tally::{DeviceState, Tally};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde_json::{Map, Value, json};
use std::time::Duration;
use xiaozhi_device::redact;

/// Reason for which a simulation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// No device has anything more to do.
    Done,
    /// The time was over.
    Time,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

/// Results of a simulation.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    url: String,
    devices: u32,
    seed: u64,
    at_once: usize,
    tally: Tally,
    book: Book,
    end: End,
    time: Duration,
    /// CPU time of this process.
    cpu: Duration,
    /// Most memory that this process held, in bytes.
    memory: u64,
}

impl Summary {
    pub(super) fn new(
        plan: &Plan,
        (tally, book): (Tally, Book),
        end: End,
        time: Duration,
        at_once: usize,
    ) -> Self {
        let (cpu, memory) = usage();
        Self {
            url: redact::shown(&plan.url).into_owned(),
            devices: plan.devices,
            seed: plan.seed,
            at_once,
            tally,
            book,
            end,
            time,
            cpu,
            memory,
        }
    }

    /// Returns whether every device ended up to date. One that met a bad release
    /// did not.
    pub(crate) fn is_good(&self) -> bool {
        self.tally.count(DeviceState::UpToDate) == self.devices
    }

    /// Writes the summary as JSON. Times are in milliseconds, where no other unit
    /// is named.
    pub(crate) fn json(&self) -> Value {
        let tally = &self.tally;
        let states =
            DeviceState::ALL.map(|state| (key(state).to_owned(), json!(tally.count(state))));
        let versions = tally.versions.iter();
        let versions: Map<String, Value> =
            versions.map(|(v, n)| (v.to_string(), json!(n))).collect();
        let errors: Vec<Value> = tally
            .errors
            .iter()
            .map(|(kind, noted)| {
                let mut error = json!({
                    "kind": kind.key(), "count": noted.count, "of_simulator": kind.is_ours(),
                });
                if let Some(example) = &noted.example {
                    error["example"] = json!(example);
                }
                error
            })
            .collect();
        let end = match self.end {
            End::Done => "done",
            End::Time => "time",
            End::Interrupted => "interrupted",
        };
        json!({
            "url": self.url,
            "good": self.is_good(),
            "ended": end,
            "devices": self.book.json(),
            "seed": self.seed,
            "connections_at_once": self.at_once,
            "seconds": self.time.as_secs_f64(),
            "states": states.into_iter().collect::<Map<_, _>>(),
            "versions": versions,
            "checks": {"answered": tally.checks, "offered": tally.offered,
                       "failed": tally.checks_failed,
                       "per_second": self.per_second(tally.checks)},
            "downloads": {"whole": tally.downloads, "failed": tally.downloads_failed,
                          "bytes": tally.bytes, "bytes_per_second": self.per_second(tally.bytes)},
            "updates": tally.updates,
            "rolled_back": tally.rolled_back,
            "unconfirmed": tally.unconfirmed,
            "injected": {"checks_cut": tally.injected.checks_cut,
                         "downloads_cut": tally.injected.downloads_cut,
                         "power_cuts": tally.injected.power_cuts,
                         "power_losses": tally.injected.power_losses},
            "errors": errors,
            "latency_ms": {"connect": times(&tally.connect), "check": times(&tally.check),
                           "download": times(&tally.download)},
            "simulator": {"cpu_seconds": self.cpu.as_secs_f64(), "memory_bytes": self.memory,
                          "late_ms": in_millis(tally.lag)},
        })
    }

    fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.time.as_secs_f64().max(0.001)
    }
}

/// Returns a state's name in JSON.
fn key(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Off => "off",
        DeviceState::Waiting => "waiting",
        DeviceState::Checking => "checking",
        DeviceState::BackingOff => "backing_off",
        DeviceState::Downloading => "downloading",
        DeviceState::Rebooting => "rebooting",
        DeviceState::UpToDate => "up_to_date",
        DeviceState::Failed => "failed",
        DeviceState::GivenUp => "given_up",
        DeviceState::BadVerify => "bad_verify",
        DeviceState::BadCrash => "bad_crash",
        DeviceState::BadDead => "bad_dead",
    }
}

fn in_millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn times(times: &Histogram) -> Value {
    json!({
        "count": times.count(),
        "p50": in_millis(times.quantile(500)),
        "p90": in_millis(times.quantile(900)),
        "p99": in_millis(times.quantile(990)),
        "max": in_millis(times.max()),
    })
}

/// Returns the CPU time of this process, and the most memory that it held in bytes.
fn usage() -> (Duration, u64) {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return (Duration::ZERO, 0);
    };
    let time = |time: TimeVal| {
        let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
        Duration::from_micros(micros.try_into().unwrap_or(0))
    };
    let memory = u64::try_from(usage.max_rss()).unwrap_or(0) * 1024;
    (time(usage.user_time()) + time(usage.system_time()), memory)
}

#[cfg(test)]
mod tests {
    use super::super::bad::Bad;
    use super::super::failure::{Failure, FailureKind};
    use super::super::plan::MacPrefix;
    use super::super::plan::tests::plan;
    use super::*;
    use crate::event::text::Lang;
    use std::rc::Rc;

    fn summary() -> Summary {
        let old: Rc<str> = "1.6.0".into();
        let mut tally = Tally::new(3, &old);
        tally.moved(DeviceState::Off, DeviceState::UpToDate);
        tally.moved(DeviceState::Off, DeviceState::Failed);
        tally.moved(DeviceState::Off, DeviceState::GivenUp);
        tally.now_runs(&old, &"1.7.0\x1b[2J".into());
        tally.unconfirmed = 1;
        tally.injected.power_cuts = 4;
        tally.injected.power_losses = 6;
        tally.lag = Duration::from_secs(2);
        tally.check.record(Duration::from_millis(1500));
        tally.note(Failure::with(FailureKind::ImageDamaged, "its checksum"));
        let mut book = Book::new(3, Duration::ZERO, MacPrefix::default());
        book.met(1, Bad::Crash);
        book.offered(1, "http://h.example/a.bin");
        let time = Duration::from_secs(75);
        Summary::new(&plan(3), (tally, book), End::Done, time, 2)
    }

    #[test]
    fn the_text_says_all_of_it_and_nothing_that_a_terminal_obeys() {
        for (lang, words) in [
            (
                Lang::En,
                [
                    "1 of 3 devices are up to date, after 1 min 15 s",
                    "image damaged",
                    "for example: its checksum",
                    "4 power cuts",
                    "6 devices, the end of an image unread",
                    "1 crashed at its first boot",
                    "offered            1",
                    "2.0 s is how late",
                    "1.5 s",
                    "1 devices run new firmware",
                    "2 connections at once",
                ],
            ),
            (
                Lang::Zh,
                [
                    "3 台设备中 1 台已是最新，用时 1 分 15 秒",
                    "固件损坏",
                    "例如：its checksum",
                    "断电 4",
                    "6 台设备，固件末尾尚未读取",
                    "1 台：新固件崩溃",
                    "已提供             1",
                    "落后",
                    "1.5 s",
                    "1 台设备运行着",
                    "2 个连接",
                ],
            ),
        ] {
            let text = summary().text(lang);
            for word in words {
                assert!(text.contains(word), "{word}: {text}");
            }
            assert!(!text.contains('\x1b'), "{text:?}");
        }
    }

    #[test]
    fn a_fleet_that_still_downloads_was_offered_something() {
        let said = |offered| {
            let mut summary = summary();
            (summary.tally.checks, summary.tally.offered) = (3, offered);
            summary.text(Lang::En).contains("no device was offered")
        };
        assert!(said(0) && !said(1));
    }

    #[test]
    fn the_json_adds_up() {
        let json = summary().json();
        let states = json["states"].as_object().map(|states| {
            let counts = states.values().filter_map(Value::as_u64);
            counts.sum::<u64>()
        });
        assert_eq!(states, Some(3));
        assert_eq!(json["good"], false);
        assert_eq!(json["devices"].as_array().map(Vec::len), Some(3));
        assert_eq!(json["devices"][1]["bad"], "crash");
        assert_eq!(json["ended"], "done");
        assert_eq!(json["errors"][0]["kind"], "image damaged");
        assert_eq!(json["latency_ms"]["check"]["count"], 1);
        assert_eq!(json["latency_ms"]["download"]["p50"], 0.0);
    }
}
