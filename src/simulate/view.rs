//! Progress of a simulation on stderr: a few lines that are drawn again on a
//! terminal, one line now and then elsewhere.

use super::plan::{Plan, bytes, grouped};
use super::ports::range;
use super::summary::{millis, state_name};
use super::tally::{DeviceState, Tally};
use crate::event::text::Lang;
use crate::util::screen::Screen;
use crate::util::terminal::{columns, one_line};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;
use xiaozhi_device::redact;

/// Time between two pictures on a terminal.
const REDRAW: Duration = Duration::from_millis(500);
/// Time between two lines elsewhere.
const LINE: Duration = Duration::from_secs(5);
/// Number of versions and of errors that are shown.
const MOST: usize = 4;
/// Width of a terminal on which every line fits, in columns.
const COLUMNS: usize = 78;
/// Cuts lines on a narrower terminal (DECAWM): in two they would not be erased
/// whole.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

/// Gives connections more ports.
const PORTS_REMEDY: &str = "sysctl net.ipv4.ip_local_port_range=\"1024 65535\"";

/// Progress view, with the counters as they were shown last.
pub(super) struct View {
    lang: Lang,
    screen: Screen,
    /// Number of lines of the last picture.
    drawn: usize,
    shown: Duration,
    checks: u64,
    bytes: u64,
}

impl View {
    pub(super) fn new(lang: Lang) -> Self {
        Self {
            lang,
            screen: Screen::of(&io::stderr()).with_utf8(lang == Lang::Zh),
            drawn: 0,
            shown: Duration::ZERO,
            checks: 0,
            bytes: 0,
        }
    }

    /// Says what is about to happen.
    pub(super) fn begin(&self, plan: &Plan, addresses: &[SocketAddr], at_once: usize) {
        let devices = u64::from(plan.devices);
        let open = at_once as u64;
        let address = addresses
            .first()
            .map_or_else(String::new, |address| address.ip().to_string());
        let (count, host) = (grouped(devices), &plan.target.host);
        let url = redact::shown(&plan.url);
        let mut text = match self.lang {
            Lang::Zh => format!("{count} 台设备，{url}"),
            Lang::En => format!("{count} devices against {url}"),
        };
        if *host != address {
            let line = match self.lang {
                Lang::Zh => format!("（{host} 只解析一次：{address}）"),
                Lang::En => format!(" ({host} is looked up once: {address})"),
            };
            text.push_str(&line);
        }
        text.push('\n');
        if open < devices {
            let line = match self.lang {
                Lang::Zh => format!(
                    "最多同时打开 {} 个连接，其余设备排队等候：受打开文件数限制（ulimit -Hn）",
                    grouped(open)
                ),
                Lang::En => format!(
                    "{} at once, the others wait their turn: limit of open files (ulimit -Hn)",
                    grouped(open)
                ),
            };
            text.push_str(&line);
            text.push('\n');
        }
        let ports = range().map_or(u64::MAX, |(_, count)| count.into());
        if open > ports / 10 * 9 {
            let line = match self.lang {
                Lang::Zh => format!(
                    "本机只有 {} 个本地端口，可能不够用：可执行 {PORTS_REMEDY}",
                    grouped(ports)
                ),
                Lang::En => format!(
                    "this machine has {} local ports, which may be too few: use {PORTS_REMEDY}",
                    grouped(ports)
                ),
            };
            text.push_str(&line);
            text.push('\n');
        }
        say(&self.screen.text(&text));
    }

    /// Shows the counters, if it is time.
    pub(super) fn show(&mut self, tally: &Tally, devices: u32, now: Duration) {
        let every = if self.screen.redraws() { REDRAW } else { LINE };
        let since = now.saturating_sub(self.shown);
        if since < every {
            return;
        }
        let checks = tally.checks + tally.checks_failed + tally.injected.checks_cut;
        let seconds = since.as_secs_f64();
        let rates = Rates {
            checks: (checks - self.checks) as f64 / seconds,
            bytes: (tally.bytes - self.bytes) as f64 / seconds,
        };
        (self.shown, self.checks, self.bytes) = (now, checks, tally.bytes);
        let lines = picture(self.lang, tally, devices, now, &rates);
        if self.screen.redraws() {
            self.erase();
            let picture = self.screen.text(&lines.join("\n"));
            self.drawn = picture.lines().count();
            say(&format!("{NO_WRAP}{picture}\n{WRAP}"));
        } else {
            // The errors, if there are any, stand in the last line.
            let line = lines
                .iter()
                .map(|line| line.trim().trim_end_matches(','))
                .collect::<Vec<_>>();
            say(&self.screen.text(&(line.join("; ") + "\n")));
        }
    }

    /// Erases the last picture, for the summary stands in its place.
    pub(super) fn end(&mut self) {
        self.erase();
    }

    fn erase(&mut self) {
        if self.drawn > 0 {
            // A key that was pressed, Ctrl-C too, has moved the cursor.
            say(&format!("\r\x1b[{}A\x1b[J", self.drawn));
            self.drawn = 0;
        }
    }
}

struct Rates {
    checks: f64,
    bytes: f64,
}

/// Writes the counters as a few lines that fit any terminal.
fn picture(lang: Lang, tally: &Tally, devices: u32, now: Duration, rates: &Rates) -> Vec<String> {
    let up_to_date = tally.count(DeviceState::UpToDate);
    let seconds = now.as_secs();
    let label = state_name(DeviceState::UpToDate, lang);
    let of = format!(
        "{} / {}",
        grouped(up_to_date.into()),
        grouped(devices.into())
    );
    let mut lines = vec![lang.pick(
        format!("{seconds} 秒：{label} {of}"),
        format!("{seconds} s: {label} {of}"),
    )];
    let others = DeviceState::ALL
        .into_iter()
        .filter(|state| *state != DeviceState::UpToDate && tally.count(*state) > 0)
        .map(|state| {
            let count = grouped(tally.count(state).into());
            format!("{} {count}", state_name(state, lang))
        });
    lines.extend(wrapped("", others));
    let rate = bytes(rates.bytes);
    let mut pace = match lang {
        Lang::Zh => format!("  每秒检查 {:.0} 次，{rate}/s", rates.checks),
        Lang::En => format!("  {:.0} checks/s, {rate}/s", rates.checks),
    };
    if tally.check.count() > 0 {
        pace.push_str(lang.pick("；检查用时 ", "; a check takes "));
        let (p50, p99) = (tally.check.quantile(500), tally.check.quantile(990));
        let max = millis(tally.check.max());
        // Writing to a String cannot fail.
        let _ = write!(pace, "p50 {}, p99 {}, max {max}", millis(p50), millis(p99));
    }
    lines.push(pace);
    let versions = tally.versions.iter();
    let versions = most(versions.map(|(version, n)| (one_line(version), (*n).into())));
    lines.extend(wrapped(lang.pick("版本", "versions"), versions));
    let injected = tally.injected.total();
    let made = (injected > 0).then(|| grouped(injected));
    lines.extend(wrapped(
        lang.pick("注入的故障", "injected failures"),
        made.into_iter(),
    ));
    let errors = tally.errors.iter();
    let errors = most(errors.map(|(kind, noted)| (kind.name(lang), noted.count)));
    lines.extend(wrapped(lang.pick("错误", "errors"), errors));
    lines
}

/// Returns the most frequent items.
fn most(items: impl Iterator<Item = (String, u64)>) -> impl Iterator<Item = String> {
    let mut items: Vec<_> = items.collect();
    items.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    let more = (items.len() > MOST).then(|| "…".to_owned());
    let shown = items.into_iter().take(MOST);
    let text = |(name, count)| format!("{name}: {}", grouped(count));
    shown.map(text).chain(more)
}

/// Writes items into as many lines as they need.
fn wrapped(label: &str, items: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for item in items {
        if !line.is_empty() && columns(&line) + columns(&item) + 2 > COLUMNS {
            lines.push(line + ",");
            line = String::new();
        }
        if line.is_empty() {
            line.push(' ');
            if lines.is_empty() && !label.is_empty() {
                line.push(' ');
                line.push_str(label);
            } else if !label.is_empty() {
                line.push(' ');
            }
            line.push(' ');
        } else {
            line.push_str(", ");
        }
        line.push_str(&item);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

fn say(text: &str) {
    // A closed stderr leaves nobody to tell.
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::failure::{Failure, FailureKind};
    use super::*;
    use std::rc::Rc;

    #[test]
    fn the_picture_is_small_and_whole() {
        let old: Rc<str> = "1.6.0".into();
        let mut tally = Tally::new(20_000, &old);
        for (n, state) in DeviceState::ALL.into_iter().enumerate() {
            for _ in 0..=n {
                tally.moved(DeviceState::Off, state);
            }
        }
        for n in 0..12_000 {
            tally.moved(DeviceState::Off, DeviceState::Checking);
            if n > 5_000 {
                tally.moved(DeviceState::Checking, DeviceState::UpToDate);
                tally.now_runs(&old, &"1.7.0".into());
            }
            tally.check.record(Duration::from_millis(12));
        }
        for status in 500..510 {
            tally.note(Failure::new(FailureKind::Status(status)));
        }
        let rates = Rates {
            checks: 1930.4,
            bytes: 46.1e6,
        };
        for lang in [Lang::Zh, Lang::En] {
            let lines = picture(lang, &tally, 20_000, Duration::from_secs(12), &rates);
            assert!(lines.len() <= 8, "{lines:?}");
            assert!(lines.iter().all(|line| columns(line) < 80), "{lines:?}");
            let text = lines.join("\n");
            for words in [
                "12",
                "7,006 / 20,000",
                "1930",
                "46.1 MB/s",
                "1.7.0: 6,999",
                "…",
            ] {
                assert!(text.contains(words), "{words}: {text}");
            }
        }
    }
}
