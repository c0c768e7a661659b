//! Part of the first page: what came over time, from the counts of each hour.

use super::chart::{COLOURS, Column, Scale, columns, key};
use super::reader::Reader;
use super::show::{self, message, number, percent, short};
use super::words::words;
use crate::admin::counted::{NAMED, Past, Versions, most};
use crate::admin::parts::Sources;
use crate::admin::query::Span;
use crate::admin::shared::patience;
use crate::event::text::Text;
use crate::fleet::{Hours, Step};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;
use xiaozhi_device::version;

words! {
    VERSIONS = "各版本的设备数，随时间", "Devices by version over time";
    VERSIONS_OF = "各时段运行各版本的设备数；最后一列是现在", "How many devices ran each version; the last column is now";
    TRANSPORTS = "签到使用的协议，随时间", "Check-ins by scheme over time";
    TRANSPORTS_OF = "各时段的签到中使用 https 和 http 的比例", "How many of the check-ins came over https, and how many over http";
    NUMBERS = "数字", "The numbers";
    TIME = "时间", "Time";
    OTHERS = "其他版本", "other versions";
    UNNAMED = "（未报告版本）", "(reported none)";
    NOT_YET = "还没有历史：每小时计数一次，保存一年；第一个数字会在一小时内出现",
        "There is no history yet: it is counted once an hour and kept for a year. The first numbers stand here within an hour";
    LATE = "正在读取历史，请稍后重新载入本页", "The history is still being read: load this page again in a moment";
    NO_CHECK_INS = "这段时间里没有签到", "No device checked in during this time";
    NOT_KEPT = "没有历史：状态目录（gateway.state）不可写，重启后不保留任何记录",
        "There is no history: the state folder (gateway.state) cannot be written, and a restart loses what is known";
    DAYS = "2 天", "2 days";
    MONTH = "30 天", "30 days";
    YEAR = "1 年", "a year";
    HIGHEST = "最高", "highest";
    SHOW = "显示：", "Show:";
    BY_HOUR = "每列一小时", "a column is an hour";
    BY_DAY = "每列一天", "a column is a day";
    BY_WEEK = "每列一周", "a column is a week";
}

/// Number of columns in which there must be something for the longer of two views to be
/// shown by itself.
const ENOUGH: usize = 3;
// The last colour is that of all others.
const _: () = assert!(NAMED == COLOURS - 1);

/// Counts over time, as far as they were read.
pub(super) struct Shown {
    span: Span,
    /// `None` where reading them takes long.
    past: Option<Arc<Past>>,
}

impl Span {
    /// Returns the hours of a column, how many columns there are, and at what they begin.
    const fn columns(self) -> (u64, u64, u64) {
        match self {
            Self::Days => (1, 48, 1),
            Self::Month => (24, 30, 24),
            Self::Year => (168, 52, 24),
        }
    }

    const fn name(self) -> Text {
        match self {
            Self::Days => DAYS,
            Self::Month => MONTH,
            Self::Year => YEAR,
        }
    }

    const fn by(self) -> Text {
        match self {
            Self::Days => BY_HOUR,
            Self::Month => BY_DAY,
            Self::Year => BY_WEEK,
        }
    }

    /// Returns the hours of each column, of which the last one holds `now`, in hours after
    /// 1970. `offset` is that of the clock on the wall, in hours: days begin by it.
    fn hours(self, now: u64, offset: i64) -> Vec<Hours> {
        let (length, count, begin) = self.columns();
        let local = now.saturating_add_signed(offset);
        let end = (local / begin + 1) * begin;
        let end = end.saturating_add_signed(-offset).max(now + 1);
        let stretch =
            |ago| end.saturating_sub((ago + 1) * length)..end.saturating_sub(ago * length);
        (0..count).rev().map(stretch).collect()
    }
}

fn hour(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH)
        .map_or(0, |age| age.as_secs() / 3600)
}

fn offset(zone: &TimeZone, now: Timestamp) -> i64 {
    i64::from(zone.to_offset(now).seconds() / 3600)
}

/// Reads what there is of a stretch of time; of the one that shows most where none was asked
/// for.
pub(super) async fn read(sources: &Sources, reader: &Reader, span: Option<Span>) -> Shown {
    // However many are asked for.
    let end = patience();
    if let Some(span) = span {
        return of(sources, reader, span, end).await;
    }
    let month = of(sources, reader, Span::Month, end).await;
    if month.filled() >= ENOUGH {
        return month;
    }
    let days = of(sources, reader, Span::Days, end).await;
    if days.past.is_none() { month } else { days }
}

async fn of(sources: &Sources, reader: &Reader, span: Span, end: Instant) -> Shown {
    let offset = offset(&reader.times.zone, reader.times.now);
    let hours = span.hours(hour((sources.clock)()), offset);
    let shared = sources.counted.past.get(span as usize);
    let make = || {
        let (sources, hours) = (sources.clone(), hours.clone());
        async move {
            let read = sources.blocking(move |source| Past::of(source, hours));
            read.await.ok()
        }
    };
    let past = match shared {
        Some(shared) => shared.get_until(end, make).await,
        None => None,
    };
    Shown { span, past }
}

impl Shown {
    fn steps(&self) -> &[Step] {
        match self.past.as_deref().map(|past| &past.read) {
            Some(Ok(Some(steps))) => steps,
            _ => &[],
        }
    }

    /// Returns in how many columns there is something.
    fn filled(&self) -> usize {
        let is_filled = |step: &&Step| !step.versions.is_empty() || step.transports != [0, 0];
        self.steps().iter().filter(is_filled).count()
    }

    /// Shows the links to the other stretches of time.
    pub(super) fn links(&self, reader: &Reader) -> Markup {
        html! {
            p.small {
                (reader.say(SHOW))
                @for span in Span::ALL {
                    " "
                    a href={ "/?past=" (span.key()) } aria-current=[(span == self.span).then_some("true")] {
                        (reader.say(span.name()))
                    }
                }
                span.soft { " · " (reader.say(self.span.by())) }
            }
        }
    }

    /// Returns why there is nothing to show, if that is so.
    fn nothing(&self, reader: &Reader) -> Option<Markup> {
        let words = match self.past.as_deref().map(|past| &past.read) {
            Some(Ok(Some(_))) if self.filled() > 0 => return None,
            Some(Ok(Some(_))) => NOT_YET,
            Some(Ok(None)) => NOT_KEPT,
            Some(Err(event)) => {
                return Some(html! { p.notice { (message(event, reader.lang)) } });
            }
            None => LATE,
        };
        Some(html! { p.soft { (reader.say(words)) } })
    }

    /// Shows how many devices ran which version. The last column is `now`.
    pub(super) fn versions(&self, reader: &Reader, now: &Versions) -> Markup {
        let nothing = self.nothing(reader);
        let past = self.steps().split_last().map_or(&[][..], |(_, past)| past);
        let names = named(past, now);
        let series: Vec<Option<String>> = names.iter().cloned().map(Some).chain([None]).collect();
        let rows = past.iter().map(|step| row(step, &names));
        let rows: Vec<Vec<u64>> = rows.chain([now.row(&names)]).collect();
        let has_others = rows
            .iter()
            .any(|row| row.last().is_some_and(|others| *others > 0));
        let shown = series.len() - usize::from(!has_others);
        let name = |series: &Option<String>| match series {
            Some(name) if name.is_empty() => html! { (reader.say(UNNAMED)) },
            Some(name) => short(name),
            None => html! { (reader.say(OTHERS)) },
        };
        let names: Vec<_> = series.iter().take(shown).map(name).collect();
        html! {
            h3 { (reader.say(VERSIONS)) }
            @if let Some(nothing) = nothing { (nothing) } @else {
                (self.picture(reader, (Scale::Count, VERSIONS_OF), &names, &rows))
            }
        }
    }

    /// Shows by which scheme devices checked in.
    pub(super) fn transports(&self, reader: &Reader) -> Markup {
        let steps = self.steps();
        let rows = steps.iter().map(|step| {
            let [http, https] = step.transports;
            vec![https, http]
        });
        let rows: Vec<Vec<u64>> = rows.collect();
        let is_none = rows.iter().flatten().all(|count| *count == 0);
        let names = ["https", "http"].map(|name| html! { (name) });
        html! {
            h3 { (reader.say(TRANSPORTS)) }
            @if let Some(nothing) = self.nothing(reader) { (nothing) } @else if is_none {
                p.soft { (reader.say(NO_CHECK_INS)) }
            } @else {
                (self.picture(reader, (Scale::Share, TRANSPORTS_OF), &names, &rows))
            }
        }
    }

    /// Draws rows of numbers, a column each, with their names and their table.
    fn picture(
        &self,
        reader: &Reader,
        (scale, about): (Scale, Text),
        names: &[Markup],
        rows: &[Vec<u64>],
    ) -> Markup {
        // The last colour is that of all others.
        let colour = |at: usize| match scale {
            Scale::Count if at + 1 == names.len() && names.len() > NAMED => NAMED,
            Scale::Count => at,
            Scale::Share => [2, 1].get(at).copied().unwrap_or(NAMED),
        };
        let hours = self.past.iter().flat_map(|past| &past.hours);
        let times: Vec<_> = hours.map(|hours| self.time(reader, hours)).collect();
        let drawn = times.iter().zip(rows).map(|(time, row)| Column {
            label: format!("{time}: {}", numbers(row, scale)),
            parts: row
                .iter()
                .enumerate()
                .map(|(at, count)| (colour(at), *count))
                .collect(),
        });
        let drawn: Vec<_> = drawn.collect();
        let highest = rows
            .iter()
            .map(|row| sum(row.iter().copied()))
            .max()
            .unwrap_or(0);
        let keys: Vec<_> = names
            .iter()
            .cloned()
            .enumerate()
            .map(|(at, name)| (colour(at), name))
            .collect();
        let id = match scale {
            Scale::Count => "versions-table",
            Scale::Share => "transports-table",
        };
        let head = html! {
            th scope="col" { (reader.say(TIME)) }
            @for name in names { th.n scope="col" { (name) } }
        };
        let is_filled = |row: &[u64]| row.iter().any(|count| *count > 0);
        let body = html! {
            @for (time, row) in times.iter().zip(rows).rev().filter(|(_, row)| is_filled(row)) {
                tr {
                    th.nowrap scope="row" { (time) }
                    @for count in row.iter().take(names.len()) { td.n { (number(*count)) } }
                }
            }
        };
        html! {
            div.chart {
                @if scale == Scale::Count {
                    p.small.soft { (reader.say(HIGHEST)) " " (number(highest)) }
                }
                (columns(&drawn, scale, reader.say(about)))
                p.span.small.soft {
                    span { (times.first().map_or("", |time| time)) }
                    span { (times.last().map_or("", |time| time)) }
                }
                (key(&keys))
            }
            details id=(id) {
                summary { (reader.say(NUMBERS)) }
                (show::table(reader.say(about), &head, &body))
            }
        }
    }

    fn time(&self, reader: &Reader, hours: &Hours) -> String {
        let second = i64::try_from(hours.start.saturating_mul(3600)).unwrap_or(i64::MAX);
        let time = Timestamp::from_second(second).unwrap_or_default();
        let time = time.to_zoned(reader.times.zone.clone());
        let format = match self.span {
            Span::Days => "%m-%d %H:%M",
            Span::Month => "%m-%d",
            Span::Year => "%Y-%m-%d",
        };
        time.strftime(format).to_string()
    }
}

/// Returns the number that stands for a column.
fn numbers(row: &[u64], scale: Scale) -> String {
    let all = sum(row.iter().copied());
    match (scale, row.first()) {
        (Scale::Share, Some(https)) => format!("https {} %", percent(*https, all)),
        _ => number(all),
    }
}

/// Returns the versions that most devices run, or ran, the lowest first.
fn named(past: &[Step], now: &Versions) -> Vec<String> {
    let past = past.iter().flat_map(|step| &step.versions);
    let past = past.filter_map(|(version, count)| Some((version.as_deref()?, *count)));
    let now = now.most.iter().map(|(version, count)| (&**version, *count));
    let mut highest: HashMap<&str, u64> = HashMap::new();
    for (version, count) in past.chain(now) {
        let known = highest.entry(version).or_default();
        *known = count.max(*known);
    }
    let names = most(highest).into_iter();
    let mut names: Vec<_> = names.map(|(version, _)| version).collect();
    names.sort_by(|one, other| version::compare(one, other).then_with(|| one.cmp(other)));
    names
}

/// Returns the number of devices of each of these versions, and of all others.
fn row(step: &Step, names: &[String]) -> Vec<u64> {
    let step = &step.versions;
    let count = |name: &String| step.get(&Some(name.clone())).copied().unwrap_or(0);
    let mut counts: Vec<_> = names.iter().map(count).collect();
    let is_other =
        |version: &Option<String>| version.as_ref().is_none_or(|name| !names.contains(name));
    let others = step.iter().filter(|(version, _)| is_other(version));
    counts.push(sum(others.map(|(_, count)| *count)));
    counts
}

/// Adds counts up. What is damaged in the store may be any number.
fn sum(counts: impl IntoIterator<Item = u64>) -> u64 {
    counts.into_iter().fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Summary;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn columns_follow_each_other_up_to_now(now in 0..10_000_000u64, offset in -12..=14i64, span in 0..3usize) {
            let span = Span::ALL[span];
            let hours = span.hours(now, offset);
            prop_assert_eq!(hours.len() as u64, span.columns().1);
            for pair in hours.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
            }
            let last = hours.last().unwrap();
            prop_assert!(last.contains(&now), "{last:?}");
        }
    }

    #[test]
    fn days_begin_by_the_clock_on_the_wall() {
        // 2026-06-14 at 15:00 in UTC, which is 23:00 in Shanghai.
        let now = 494_847;
        let hours = Span::Month.hours(now, 8);
        assert_eq!(hours[29], 494_824..494_848);
        let hours = Span::Month.hours(now + 1, 8);
        assert_eq!(hours[29], 494_848..494_872);
    }

    #[test]
    fn the_most_frequent_versions_have_names_and_all_count() {
        let step = |counts: &[(Option<&str>, u64)]| {
            let counts = counts
                .iter()
                .map(|(version, count)| (version.map(str::to_owned), *count));
            Step {
                versions: counts.collect(),
                ..Step::default()
            }
        };
        let steps = [
            step(&[
                (Some("1.9"), 5),
                (Some("1.10"), 9),
                (Some("1.1"), 1),
                (None, 3),
            ]),
            step(&[
                (Some("2.0"), 8),
                (Some("1.2"), 2),
                (Some("1.3"), 3),
                (Some("1.4"), 4),
            ]),
        ];
        let names = named(&steps, &Versions::default());
        assert_eq!(names, ["1.3", "1.4", "1.9", "1.10", "2.0"]);
        assert_eq!(row(&steps[0], &names), [0, 0, 5, 9, 0, 4]);
        assert_eq!(row(&steps[1], &names), [3, 4, 0, 0, 8, 2]);
        // Those of this moment count beside them, of whatever model, and are never looked through.
        let own = [
            ("a", "1.1", 2),
            ("b", "1.1", 5),
            ("a", "1.9", 6),
            ("a", "1.2", 1),
        ];
        let strangers = (0..20_000).map(|number| format!("9.{number}"));
        let strangers = strangers.map(|version| ("x".to_owned(), version, 1));
        let own = own.map(|(model, version, count)| (model.to_owned(), version.to_owned(), count));
        let now = Versions::of(&Summary {
            versions: own.into_iter().chain(strangers).collect(),
            ..Summary::default()
        });
        assert_eq!(now.most.len(), NAMED);
        let names = named(&steps, &now);
        assert_eq!(names, ["1.1", "1.4", "1.9", "1.10", "2.0"]);
        assert_eq!(now.row(&names), [7, 0, 6, 0, 0, 20_001]);
    }
}
