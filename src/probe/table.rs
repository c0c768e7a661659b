//! Shows a report to people.

use super::report::{Finding, ProbeReport, Step, StepReport, StepVerdict};
use crate::event::text::Lang;
use crate::util::terminal::{fit, shown};
use std::fmt;

/// Width at which long lines of a text are broken, in columns, where there is room.
const COLUMNS: usize = 100;
/// Column at which texts begin.
const BEGIN: usize = 17;
/// Narrowest column of text.
const NARROWEST: usize = 12;

impl ProbeReport {
    /// Writes a table for a screen of this width, and below each step what is wrong with
    /// it.
    pub(crate) fn write(
        &self,
        lang: Lang,
        width: Option<usize>,
        out: &mut impl fmt::Write,
    ) -> fmt::Result {
        let room = width.map_or(COLUMNS, |width| width.saturating_sub(BEGIN));
        let room = room.clamp(NARROWEST, COLUMNS);
        for step in &self.steps {
            step.write(lang, room, out)?;
        }
        writeln!(out)?;
        let failing = self.steps.iter().find(|s| s.verdict() == StepVerdict::Fail);
        match (self.verdict(), failing) {
            (StepVerdict::Fail, Some(step)) => {
                let name = step.step.name();
                writeln!(
                    out,
                    "{}",
                    match lang {
                        Lang::Zh => format!("失败：设备会在这一步失败：{name}。"),
                        Lang::En => format!("FAIL: a device fails at this step: {name}."),
                    }
                )
            }
            (StepVerdict::Warn, _) => writeln!(
                out,
                "{}",
                lang.pick(
                    "警告：这台设备能通过，但上面有需要处理的问题。",
                    "WARN: this device passes; see what is said above."
                )
            ),
            _ if self.was_offered_nothing() => writeln!(
                out,
                "{}",
                lang.pick(
                    "正常：设备一路顺利；没有升级下发给它。",
                    "OK: a device gets the whole way; it was offered no update."
                )
            ),
            _ => writeln!(
                out,
                "{}",
                lang.pick("正常：设备一路顺利。", "OK: a device gets the whole way.")
            ),
        }
    }
}

impl ProbeReport {
    /// Tells whether a device had nothing to fetch.
    fn was_offered_nothing(&self) -> bool {
        let is_unfetched =
            |s: &StepReport| s.step == Step::Download && s.verdict() == StepVerdict::Skipped;
        self.steps.iter().any(is_unfetched)
    }
}

impl StepReport {
    fn write(&self, lang: Lang, room: usize, out: &mut impl fmt::Write) -> fmt::Result {
        let mark = match self.verdict() {
            StepVerdict::Skipped => "-",
            StepVerdict::Ok => "OK",
            StepVerdict::Warn => "WARN",
            StepVerdict::Fail => "FAIL",
        };
        let seen = shown(&self.seen);
        let mut lines = seen.lines();
        let first = lines.next().unwrap_or_default();
        writeln!(out, "{mark:<5} {:<10} {first}", self.step.name())?;
        for line in lines {
            writeln!(out, "{:BEGIN$}{line}", "")?;
        }
        for finding in &self.findings {
            finding.write(lang, room, out)?;
        }
        Ok(())
    }
}

impl Finding {
    fn write(&self, lang: Lang, room: usize, out: &mut impl fmt::Write) -> fmt::Result {
        let mark = if self.verdict == StepVerdict::Fail {
            "FAIL"
        } else {
            "WARN"
        };
        writeln!(out, "      {mark} {}", self.rule.id)?;
        let parts = [
            (lang.pick("证据", "evidence"), shown(self.evidence.to(lang))),
            (
                lang.pick("设备", "device"),
                fit(&shown(&self.consequence(lang)), room, 0),
            ),
            (
                lang.pick("处理", "remedy"),
                fit(self.rule.remedy.to(lang), room, 0),
            ),
        ];
        for (title, text) in parts {
            // Two columns for each of the two characters of a Chinese title.
            let gap = lang.pick(5, 9 - title.len());
            let mut lines = text.lines();
            let first = lines.next().unwrap_or_default();
            writeln!(out, "        {title}{:gap$}{first}", "")?;
            for line in lines {
                writeln!(out, "{:BEGIN$}{line}", "")?;
            }
        }
        Ok(())
    }
}
