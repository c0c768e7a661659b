//! Times as people read them: in the zone of this machine, and how long ago.

use super::terminal::one_line;
use crate::event::redacted;
use crate::event::text::Lang;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::SystemTime;

/// Times for people, in the zone of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    pub(crate) zone: TimeZone,
    pub(crate) now: Timestamp,
}

impl Times {
    /// Returns those of this moment, here.
    pub(crate) fn here() -> Self {
        Self::at(SystemTime::now())
    }

    /// Returns those of a moment, here.
    pub(crate) fn at(now: SystemTime) -> Self {
        Self {
            zone: TimeZone::system(),
            now: Timestamp::try_from(now).unwrap_or(Timestamp::MAX),
        }
    }

    /// Returns a time to the minute, without a year where it is this one.
    pub(crate) fn short(&self, time: &str) -> String {
        let Ok(time) = time.parse::<Timestamp>() else {
            return one_line(&redacted(time));
        };
        let time = time.to_zoned(self.zone.clone());
        let this_year = self.now.to_zoned(self.zone.clone()).year();
        let format = if time.year() == this_year {
            "%m-%d %H:%M"
        } else {
            "%Y-%m-%d"
        };
        time.strftime(format).to_string()
    }

    /// Returns a time to the second, without a date where it is today, nor a year where it is
    /// this one.
    pub(crate) fn to_second(&self, time: &str) -> String {
        let Ok(time) = time.parse::<Timestamp>() else {
            return one_line(&redacted(time));
        };
        let time = time.to_zoned(self.zone.clone());
        let now = self.now.to_zoned(self.zone.clone());
        let format = match (time.year() == now.year(), time.date() == now.date()) {
            (true, true) => "%H:%M:%S",
            (true, false) => "%m-%d %H:%M:%S",
            (false, _) => "%Y-%m-%d %H:%M:%S",
        };
        time.strftime(format).to_string()
    }

    /// Returns a time to the second, with its zone, and how long ago that was.
    pub(crate) fn long(&self, time: &str, lang: Lang) -> String {
        let Ok(time) = time.parse::<Timestamp>() else {
            return one_line(&redacted(time));
        };
        let shown = time.to_zoned(self.zone.clone());
        let shown = shown.strftime("%Y-%m-%d %H:%M:%S %:z");
        let seconds = self.now.duration_since(time).as_secs();
        let ago = |count: i64, zh: &str, en: &str| {
            lang.pick(format!("{count} {zh}前"), format!("{count} {en} ago"))
        };
        let age = match seconds {
            ..60 => lang.pick("刚刚", "just now").to_owned(),
            60..3600 => ago(seconds / 60, "分钟", "min"),
            3600..172_800 => ago(seconds / 3600, "小时", "h"),
            _ => ago(seconds / 86_400, "天", "days"),
        };
        lang.pick(format!("{shown}（{age}）"), format!("{shown} ({age})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local_and_as_long_as_needed() {
        let times = Times {
            zone: TimeZone::fixed(jiff::tz::offset(8)),
            now: "2026-06-14T08:00:00Z".parse().unwrap(),
        };
        assert_eq!(times.short("2026-06-14T07:30:00Z"), "06-14 15:30");
        assert_eq!(times.short("2025-12-31T15:59:00Z"), "2025-12-31");
        assert_eq!(times.short("2025-12-31T16:00:00Z"), "01-01 00:00");
        assert_eq!(times.to_second("2026-06-14T07:30:05Z"), "15:30:05");
        assert_eq!(times.to_second("2026-06-13T07:30:05Z"), "06-13 15:30:05");
        assert_eq!(
            times.to_second("2025-06-13T07:30:05Z"),
            "2025-06-13 15:30:05"
        );
        for (time, en, zh) in [
            ("2026-06-14T07:59:30Z", "just now", "刚刚"),
            ("2026-06-14T07:55:00Z", "5 min ago", "5 分钟前"),
            ("2026-06-13T08:00:00Z", "24 h ago", "24 小时前"),
            ("2026-06-01T08:00:00Z", "13 days ago", "13 天前"),
            ("2026-06-14T09:00:00Z", "just now", "刚刚"),
        ] {
            let long = |lang| times.long(time, lang);
            assert!(
                long(Lang::En).ends_with(&format!("+08:00 ({en})")),
                "{time}"
            );
            assert!(
                long(Lang::Zh).ends_with(&format!("+08:00（{zh}）")),
                "{time}"
            );
        }
        assert_eq!(times.short("\u{1b}[2J"), "\\u{1b}[2J");
    }
}
