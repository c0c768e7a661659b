//! What came of it, as text and as JSON.

use super::histogram::Histogram;
use super::plan::{Plan, bytes, grouped};
use super::tally::{State, Tally};
use crate::probe::text::{Lang, Text};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde_json::{Map, Value, json};
use std::fmt::{self, Write as _};
use std::time::Duration;

/// From here on this program was so late itself that its figures suffer.
const TOO_LATE: Duration = Duration::from_millis(500);
/// Lines of versions that are written.
const MOST_VERSIONS: usize = 10;

/// Why it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everybody has nothing more to do.
    Done,
    /// The time was over.
    Time,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

/// What came of a simulation.
#[derive(Debug, Clone)]
pub struct Summary {
    url: String,
    devices: u32,
    seed: u64,
    at_once: usize,
    tally: Tally,
    end: End,
    time: Duration,
    /// CPU time of this process.
    cpu: Duration,
    /// The most memory that it held, in bytes.
    memory: u64,
}

impl Summary {
    pub(super) fn new(plan: &Plan, tally: Tally, end: End, time: Duration, at_once: usize) -> Self {
        let (cpu, memory) = usage();
        Self {
            url: plan.url.clone(),
            devices: plan.devices,
            seed: plan.seed,
            at_once,
            tally,
            end,
            time,
            cpu,
            memory,
        }
    }

    /// Whether every device ended up to date.
    pub fn is_good(&self) -> bool {
        self.tally.count(State::UpToDate) == self.devices
    }

    /// As JSON. Times are in milliseconds, where no other unit is named.
    pub fn json(&self) -> Value {
        let tally = &self.tally;
        let states = State::ALL.map(|state| (key(state).to_owned(), json!(tally.count(state))));
        let versions = tally.versions.iter();
        let versions: Map<String, Value> =
            versions.map(|(v, n)| (v.to_string(), json!(n))).collect();
        let errors: Vec<Value> = tally
            .errors
            .iter()
            .map(|(fault, noted)| {
                let mut error = json!({
                    "kind": fault.key(), "count": noted.count, "of_simulator": fault.is_ours(),
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
            "devices": self.devices,
            "seed": self.seed,
            "connections_at_once": self.at_once,
            "seconds": self.time.as_secs_f64(),
            "states": states.into_iter().collect::<Map<_, _>>(),
            "versions": versions,
            "checks": {"answered": tally.checks, "failed": tally.checks_failed,
                       "per_second": self.per_second(tally.checks)},
            "downloads": {"whole": tally.downloads, "failed": tally.downloads_failed,
                          "bytes": tally.bytes, "bytes_per_second": self.per_second(tally.bytes)},
            "updates": tally.updates,
            "rolled_back": tally.rolled_back,
            "unconfirmed": tally.unconfirmed,
            "injected": {"checks_cut": tally.injected.checks_cut,
                         "downloads_cut": tally.injected.downloads_cut,
                         "power_cuts": tally.injected.power_cuts},
            "errors": errors,
            "latency_ms": {"connect": times(&tally.connect), "check": times(&tally.check),
                           "download": times(&tally.download)},
            "simulator": {"cpu_seconds": self.cpu.as_secs_f64(), "memory_bytes": self.memory,
                          "late_ms": in_millis(tally.lag)},
        })
    }

    /// In words.
    pub fn text(&self, lang: Lang) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text, lang);
        text
    }

    fn write(&self, out: &mut String, lang: Lang) -> fmt::Result {
        writeln!(out, "{}\n", self.verdict(lang))?;
        writeln!(out, "{}", lang.pick("设备", "devices"))?;
        for state in State::ALL {
            let count = self.tally.count(state);
            if count > 0 || state.is_end() {
                row(out, &state_name(state, lang), &grouped(count.into()))?;
            }
        }
        self.write_versions(out, lang)?;
        self.write_events(out, lang)?;
        self.write_times(out, lang)?;
        self.write_errors(out, lang)?;
        self.write_notes(out, lang)
    }

    fn verdict(&self, lang: Lang) -> String {
        let time = span(self.time, lang);
        let devices = grouped(self.devices.into());
        let good = grouped(self.tally.count(State::UpToDate).into());
        let why = match (self.is_good(), self.end, lang) {
            (true, _, Lang::Zh) => format!("全部 {devices} 台设备都已是最新"),
            (true, _, Lang::En) => format!("all {devices} devices are up to date"),
            (_, End::Done, Lang::Zh) => format!("{devices} 台设备中 {good} 台已是最新"),
            (_, End::Done, Lang::En) => format!("{good} of {devices} devices are up to date"),
            (_, End::Time, Lang::Zh) => {
                format!("时间到（--for）：{devices} 台设备中 {good} 台已是最新")
            }
            (_, End::Time, Lang::En) => {
                format!("the time is over (--for): {good} of {devices} devices are up to date")
            }
            (_, End::Interrupted, Lang::Zh) => {
                format!("已中断：{devices} 台设备中 {good} 台已是最新")
            }
            (_, End::Interrupted, Lang::En) => {
                format!("interrupted: {good} of {devices} devices are up to date")
            }
        };
        match lang {
            Lang::Zh => format!("{why}，用时 {time}：{}", self.url),
            Lang::En => format!("{why}, after {time}: {}", self.url),
        }
    }

    fn write_versions(&self, out: &mut String, lang: Lang) -> fmt::Result {
        writeln!(
            out,
            "{}",
            lang.pick("正在运行的版本", "versions that they run")
        )?;
        let versions = &self.tally.versions;
        for (version, count) in versions.iter().take(MOST_VERSIONS) {
            row(out, &visible(version), &grouped((*count).into()))?;
        }
        if let Some(more) = versions.len().checked_sub(MOST_VERSIONS).filter(|n| *n > 0) {
            let others = lang.pick("其他版本", "other versions");
            row(out, others, &grouped(more as u64))?;
        }
        Ok(())
    }

    fn write_events(&self, out: &mut String, lang: Lang) -> fmt::Result {
        let tally = &self.tally;
        let injected = tally.injected;
        writeln!(out, "{}", lang.pick("经过", "what happened"))?;
        let zh = matches!(lang, Lang::Zh);
        let per_second = self.per_second(tally.checks);
        let checks = grouped(tally.checks);
        let checks_failed = grouped(tally.checks_failed);
        let (downloads, downloads_failed) =
            (grouped(tally.downloads), grouped(tally.downloads_failed));
        let volume = bytes(tally.bytes as f64);
        if zh {
            row(
                out,
                "检查",
                &format!("{checks} 次成功（每秒 {per_second:.0} 次），{checks_failed} 次失败"),
            )?;
            row(
                out,
                "下载",
                &format!("{downloads} 次完成，{downloads_failed} 次失败，共 {volume}"),
            )?;
            row(
                out,
                "升级",
                &format!("{} 次启动了新固件", grouped(tally.updates)),
            )?;
        } else {
            row(
                out,
                "checks",
                &format!("{checks} answered ({per_second:.0} a second), {checks_failed} failed"),
            )?;
            row(
                out,
                "downloads",
                &format!("{downloads} whole, {downloads_failed} failed, {volume} in all"),
            )?;
            row(
                out,
                "updates",
                &format!("{} boots into new firmware", grouped(tally.updates)),
            )?;
        }
        if injected.total() > 0 {
            let (checks, downloads, power) = (
                grouped(injected.checks_cut),
                grouped(injected.downloads_cut),
                grouped(injected.power_cuts),
            );
            let made = match lang {
                Lang::Zh => format!("检查中断 {checks}，下载中断 {downloads}，下载中断电 {power}"),
                Lang::En => format!(
                    "{checks} checks cut, {downloads} downloads cut, {power} power cuts in a download"
                ),
            };
            row(out, lang.pick("注入的故障", "injected"), &made)?;
        }
        if tally.rolled_back > 0 {
            let count = grouped(tally.rolled_back);
            let back = match lang {
                Lang::Zh => format!("{count} 次：新固件未经检查确认"),
                Lang::En => format!("{count}: no check had confirmed the new firmware"),
            };
            row(out, lang.pick("回退", "rolled back"), &back)?;
        }
        Ok(())
    }

    fn write_times(&self, out: &mut String, lang: Lang) -> fmt::Result {
        let title = lang.pick("用时", "how long it took");
        writeln!(
            out,
            "{}{:>10}{:>10}{:>10}{:>10}",
            padded(title, 20),
            "p50",
            "p90",
            "p99",
            "max"
        )?;
        let tally = &self.tally;
        let tls = self.url.len() > 5 && self.url[..5].eq_ignore_ascii_case("https");
        let connect = match (lang, tls) {
            (Lang::Zh, true) => "连接（TCP 和 TLS）",
            (Lang::Zh, false) => "连接（TCP）",
            (Lang::En, true) => "connect, with TLS",
            (Lang::En, false) => "connect",
        };
        for (name, times) in [
            (connect, &tally.connect),
            (lang.pick("检查", "check"), &tally.check),
            (lang.pick("下载", "download"), &tally.download),
        ] {
            if times.count() > 0 {
                write!(out, "  {}", padded(name, 18))?;
                for time in [500, 900, 990].map(|permille| times.quantile(permille)) {
                    write!(out, "{:>10}", millis(time))?;
                }
                writeln!(out, "{:>10}", millis(times.max()))?;
            }
        }
        Ok(())
    }

    fn write_errors(&self, out: &mut String, lang: Lang) -> fmt::Result {
        if self.tally.errors.is_empty() {
            return Ok(());
        }
        writeln!(out, "{}", lang.pick("错误", "errors"))?;
        let mut errors: Vec<_> = self.tally.errors.iter().collect();
        errors.sort_by_key(|(_, noted)| std::cmp::Reverse(noted.count));
        for (fault, noted) in errors {
            row(out, &fault.name(lang), &grouped(noted.count))?;
            if let Some(example) = &noted.example {
                writeln!(out, "    {}{example}", lang.pick("例如：", "for example: "))?;
            }
            writeln!(out, "    {}", fault.remedy(lang))?;
        }
        Ok(())
    }

    fn write_notes(&self, out: &mut String, lang: Lang) -> fmt::Result {
        let tally = &self.tally;
        let (cpu, memory) = (self.cpu.as_secs_f64(), bytes(self.memory as f64));
        let share = 100.0 * cpu / self.time.as_secs_f64().max(0.001);
        match lang {
            Lang::Zh => writeln!(
                out,
                "\n模拟器自身：CPU {cpu:.1} 秒（占一个核心的 {share:.0}%），内存最多 {memory}"
            )?,
            Lang::En => writeln!(
                out,
                "\nthe simulator itself: {cpu:.1} s of CPU ({share:.0}% of one core), at most {memory} of memory"
            )?,
        }
        if tally.checks > 0 && tally.downloads + tally.downloads_failed == 0 {
            writeln!(out, "{}", NO_UPDATE.to(lang))?;
        }
        let wait = LATE.to(lang);
        if tally.lag >= TOO_LATE {
            writeln!(out, "{} {wait}", millis(tally.lag))?;
        }
        if tally.unconfirmed > 0 {
            let count = grouped(tally.unconfirmed);
            writeln!(out, "{count} {}", UNCONFIRMED.to(lang))?;
        }
        if (self.at_once as u64) < u64::from(self.devices) {
            let open = grouped(self.at_once as u64);
            writeln!(out, "{open} {}", AT_ONCE.to(lang))?;
        }
        Ok(())
    }

    fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.time.as_secs_f64().max(0.001)
    }
}

const NO_UPDATE: Text = Text::new(
    "没有设备收到升级：服务器上是否有适用于这些型号（--boards）且高于 --version 的固件？",
    "no device was offered an update: does the server have firmware for these --boards, above --version?",
);
const LATE: Text = Text::new(
    "：模拟器自身最多落后了这么久，以上用时偏大；请减少设备，使用 --ramp，或换一台机器运行",
    "is how late the simulator was itself: the times above are too long; take fewer devices, --ramp, or another \
     machine",
);
const UNCONFIRMED: Text = Text::new(
    "台设备运行着未经检查确认的新固件：下次重启会回退到旧版本",
    "devices run new firmware that no check has confirmed: their next restart takes them back to the old one",
);
const AT_ONCE: Text = Text::new(
    "个连接是同时打开的上限，其余设备排队等候：受打开文件数限制（ulimit -Hn）",
    "connections at once, the others waited their turn: limit of open files (ulimit -Hn)",
);

/// A state's name in JSON.
fn key(state: State) -> &'static str {
    match state {
        State::Off => "off",
        State::Waiting => "waiting",
        State::Checking => "checking",
        State::BackingOff => "backing_off",
        State::Downloading => "downloading",
        State::Rebooting => "rebooting",
        State::UpToDate => "up_to_date",
        State::Failed => "failed",
        State::GivenUp => "given_up",
    }
}

/// A state's name for people.
pub(super) fn state_name(state: State, lang: Lang) -> String {
    let chinese = match state {
        State::Off => "未开机",
        State::Waiting => "排队",
        State::Checking => "检查中",
        State::BackingOff => "等待重试",
        State::Downloading => "下载中",
        State::Rebooting => "重启中",
        State::UpToDate => "已是最新",
        State::Failed => "升级失败",
        State::GivenUp => "放弃检查",
    };
    match lang {
        Lang::Zh => chinese.to_owned(),
        Lang::En => key(state).replace('_', " "),
    }
}

/// A time at a glance.
pub(super) fn millis(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.01 {
        format!("{:.1} ms", seconds * 1000.0)
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.1} s")
    }
}

fn span(time: Duration, lang: Lang) -> String {
    let (minutes, seconds) = (time.as_secs() / 60, time.as_secs() % 60);
    match (minutes, lang) {
        (0, Lang::Zh) => format!("{:.1} 秒", time.as_secs_f64()),
        (0, Lang::En) => format!("{:.1} s", time.as_secs_f64()),
        (_, Lang::Zh) => format!("{minutes} 分 {seconds} 秒"),
        (_, Lang::En) => format!("{minutes} min {seconds} s"),
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

fn row(out: &mut String, name: &str, value: &str) -> fmt::Result {
    writeln!(out, "  {} {value}", padded(name, 18))
}

/// Filled up to so many columns.
fn padded(text: &str, wanted: usize) -> String {
    format!("{text}{}", " ".repeat(wanted.saturating_sub(columns(text))))
}

/// How many columns of a terminal a text takes: a Chinese character two.
pub(super) fn columns(text: &str) -> usize {
    let width = |c| if c < '\u{1100}' || c == '…' { 1 } else { 2 };
    text.chars().map(width).sum()
}

/// What stands in an image may hold anything.
pub(super) fn visible(text: &str) -> String {
    let safe = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(safe).collect()
}

/// CPU time of this process, and the most memory that it held in bytes.
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
    use super::super::fault::{Failure, Fault};
    use super::super::plan::tests::plan;
    use super::*;
    use std::rc::Rc;

    fn summary() -> Summary {
        let old: Rc<str> = "1.6.0".into();
        let mut tally = Tally::new(3, &old);
        tally.moved(State::Off, State::UpToDate);
        tally.moved(State::Off, State::Failed);
        tally.moved(State::Off, State::GivenUp);
        tally.now_runs(&old, &"1.7.0\x1b[2J".into());
        tally.unconfirmed = 1;
        tally.injected.power_cuts = 4;
        tally.lag = Duration::from_secs(2);
        tally.check.record(Duration::from_millis(1500));
        tally.note(Failure::with(Fault::ImageDamaged, "its checksum"));
        Summary::new(&plan(3), tally, End::Done, Duration::from_secs(75), 2)
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
    fn the_json_adds_up() {
        let json = summary().json();
        let states = json["states"].as_object().map(|states| {
            let counts = states.values().filter_map(Value::as_u64);
            counts.sum::<u64>()
        });
        assert_eq!(states, Some(3));
        assert_eq!(json["good"], false);
        assert_eq!(json["ended"], "done");
        assert_eq!(json["errors"][0]["kind"], "image damaged");
        assert_eq!(json["latency_ms"]["check"]["count"], 1);
        assert_eq!(json["latency_ms"]["download"]["p50"], 0.0);
    }
}
