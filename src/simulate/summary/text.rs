//! Summary of a simulation in words.

use super::{End, Summary, key};
use crate::event::text::{Lang, Text};
use crate::simulate::bad::Bad;
use crate::simulate::book::OfferEnd;
use crate::simulate::plan::{bytes, grouped};
use crate::simulate::tally::DeviceState;
use crate::util::terminal::{columns, one_line};
use std::fmt::{self, Write as _};
use std::time::Duration;

/// Lateness of this program from which on its figures suffer.
const TOO_LATE: Duration = Duration::from_millis(500);
/// Number of versions that are listed.
const MOST_VERSIONS: usize = 10;

impl Summary {
    /// Writes the summary in words.
    pub(crate) fn text(&self, lang: Lang) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text, lang);
        text
    }

    fn write(&self, out: &mut String, lang: Lang) -> fmt::Result {
        writeln!(out, "{}\n", self.verdict(lang))?;
        writeln!(out, "{}", lang.pick("设备", "devices"))?;
        for state in DeviceState::ALL {
            let count = self.tally.count(state);
            if count > 0 || state.is_end() && !state.is_bad() {
                row(out, &state_name(state, lang), &grouped(count.into()))?;
            }
        }
        self.write_versions(out, lang)?;
        self.write_events(out, lang)?;
        self.write_book(out, lang)?;
        self.write_times(out, lang)?;
        self.write_errors(out, lang)?;
        self.write_notes(out, lang)
    }

    fn verdict(&self, lang: Lang) -> String {
        let time = span(self.time, lang);
        let devices = grouped(self.devices.into());
        let good = grouped(self.tally.count(DeviceState::UpToDate).into());
        let why = match (self.is_good(), self.end, lang) {
            (true, _, Lang::Zh) if self.devices == 1 => "这台设备已是最新".to_owned(),
            (true, _, Lang::En) if self.devices == 1 => "the device is up to date".to_owned(),
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
            row(out, &one_line(version), &grouped((*count).into()))?;
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
        if injected.total() > injected.power_losses {
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
        if injected.power_losses > 0 {
            let count = grouped(injected.power_losses);
            let lost = match lang {
                Lang::Zh => format!("{count} 台设备，固件末尾尚未读取"),
                Lang::En => format!("{count} devices, the end of an image unread"),
            };
            row(out, lang.pick("断电", "power lost"), &lost)?;
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

    fn write_book(&self, out: &mut String, lang: Lang) -> fmt::Result {
        let ends = OfferEnd::ALL.map(|end| (end, self.book.count(end)));
        let mut ends = ends.into_iter().filter(|(_, count)| *count > 0).peekable();
        if ends.peek().is_some() {
            let title = lang.pick("升级的结果", "how offers ended");
            writeln!(out, "{title}")?;
        }
        for (end, count) in ends {
            row(out, end_name(end).to(lang), &grouped(count))?;
        }
        let met = Bad::ALL.map(|bad| (bad, self.book.count_bad(bad)));
        if met.iter().all(|(_, count)| *count == 0) {
            return Ok(());
        }
        let title = lang.pick(
            "遇到坏固件的设备（--bad）",
            "devices with a bad release (--bad)",
        );
        writeln!(out, "{title}")?;
        for (bad, count) in met.into_iter().filter(|(_, count)| *count > 0) {
            let (count, words) = (grouped(count), bad.words().to(lang));
            let value = match lang {
                Lang::Zh => format!("{count} 台：{words}"),
                Lang::En => format!("{count} {words}"),
            };
            row(out, bad.key(), &value)?;
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
        let scheme = self.url.split(':').next().unwrap_or_default();
        let tls = scheme.eq_ignore_ascii_case("https");
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
        for (kind, noted) in errors {
            row(out, &kind.name(lang), &grouped(noted.count))?;
            if let Some(example) = &noted.example {
                writeln!(out, "    {}{example}", lang.pick("例如：", "for example: "))?;
            }
            writeln!(out, "    {}", kind.remedy(lang))?;
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
        if tally.checks > 0 && tally.offered == 0 {
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
}

const NO_UPDATE: Text = Text::new(
    "没有设备收到升级：服务器上是否有适用于这些型号（--boards）且高于 --version 的固件？",
    "no device was offered an update: does the server have firmware for these --boards, above --version?",
);
const LATE: Text = Text::new(
    "：模拟器自身最多落后了这么久，以上用时偏大，超时也可能是它自身造成的；请减少设备，使用 --ramp，或换一台机器运行",
    "is how late the simulator was itself: the times above are too long, and what timed out may be its own doing; take \
     fewer devices, --ramp, or another machine",
);
const UNCONFIRMED: Text = Text::new(
    "台设备运行着未经检查确认的新固件：下次重启会回退到旧版本",
    "devices run new firmware that no check has confirmed: their next restart takes them back to the old one",
);
const AT_ONCE: Text = Text::new(
    "个连接是同时打开的上限，其余设备排队等候：受打开文件数限制（ulimit -Hn）",
    "connections at once, the others waited their turn: limit of open files (ulimit -Hn)",
);

/// Returns a state's name for people.
pub(in super::super) fn state_name(state: DeviceState, lang: Lang) -> String {
    let chinese = match state {
        DeviceState::Off => "未开机",
        DeviceState::Waiting => "排队",
        DeviceState::Checking => "检查中",
        DeviceState::BackingOff => "等待重试",
        DeviceState::Downloading => "下载中",
        DeviceState::Rebooting => "重启中",
        DeviceState::UpToDate => "已是最新",
        DeviceState::Failed => "升级失败",
        DeviceState::GivenUp => "放弃检查",
        DeviceState::BadVerify => "坏固件：被拒绝",
        DeviceState::BadCrash => "坏固件：已回退",
        DeviceState::BadDead => "坏固件：失联",
    };
    match lang {
        Lang::Zh => chinese.to_owned(),
        Lang::En => key(state).replace('_', " "),
    }
}

/// Returns the name of an offer's end for people.
fn end_name(end: OfferEnd) -> Text {
    match end {
        OfferEnd::Offered => Text::new("已提供", "offered"),
        OfferEnd::Fetching => Text::new("下载中", "fetching"),
        OfferEnd::Fetched => Text::new("已下载", "fetched"),
        OfferEnd::Succeeded => Text::new("成功", "succeeded"),
        OfferEnd::RolledBack => Text::new("已回退", "rolled-back"),
        OfferEnd::Silent => Text::new("失联", "silent"),
        OfferEnd::Interrupted => Text::new("中断", "interrupted"),
        OfferEnd::Superseded => Text::new("被取代", "superseded"),
    }
}

/// Writes a time so that it is read at a glance.
pub(in super::super) fn millis(time: Duration) -> String {
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

fn row(out: &mut String, name: &str, value: &str) -> fmt::Result {
    writeln!(out, "  {} {value}", padded(name, 18))
}

/// Fills a text up to so many columns.
fn padded(text: &str, wanted: usize) -> String {
    format!("{text}{}", " ".repeat(wanted.saturating_sub(columns(text))))
}
