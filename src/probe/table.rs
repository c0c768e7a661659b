//! Shows a report to people.

use super::report::{Finding, ProbeReport, StepReport, StepVerdict};
use crate::event::text::Lang;
use crate::util::terminal::shown;
use std::fmt;

/// Width at which long lines of a text are broken, in columns.
const COLUMNS: usize = 100;

impl ProbeReport {
    /// Writes a table, and below each step what is wrong with it.
    pub(crate) fn write(&self, lang: Lang, out: &mut impl fmt::Write) -> fmt::Result {
        for step in &self.steps {
            step.write(lang, out)?;
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
            _ => writeln!(
                out,
                "{}",
                lang.pick("正常：设备一路顺利。", "OK: a device gets the whole way.")
            ),
        }
    }
}

impl StepReport {
    fn write(&self, lang: Lang, out: &mut impl fmt::Write) -> fmt::Result {
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
            writeln!(out, "{:17}{line}", "")?;
        }
        for finding in &self.findings {
            finding.write(lang, out)?;
        }
        Ok(())
    }
}

impl Finding {
    fn write(&self, lang: Lang, out: &mut impl fmt::Write) -> fmt::Result {
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
                wrapped(&shown(&self.consequence(lang))),
            ),
            (
                lang.pick("处理", "remedy"),
                wrapped(self.rule.remedy.to(lang)),
            ),
        ];
        for (title, text) in parts {
            // Two columns for each of the two characters of a Chinese title.
            let gap = lang.pick(5, 9 - title.len());
            let mut lines = text.lines();
            let first = lines.next().unwrap_or_default();
            writeln!(out, "        {title}{:gap$}{first}", "")?;
            for line in lines {
                writeln!(out, "{:17}{line}", "")?;
            }
        }
        Ok(())
    }
}

/// Breaks long lines, between words, and in Chinese wherever no punctuation
/// would begin a line.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if !out.is_empty() {
            out.push('\n');
        }
        let mut column = 0;
        for word in words(line) {
            let width: usize = word.trim_end().chars().map(columns).sum();
            if column > 0 && column + width > COLUMNS {
                out.truncate(out.trim_end_matches(' ').len());
                out.push('\n');
                column = 0;
            }
            out.push_str(word);
            column += word.chars().map(columns).sum::<usize>();
        }
    }
    out
}

/// Splits a line into pieces between which it may be broken.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let mut chars = rest.char_indices().peekable();
        chars.peek()?;
        let mut end = rest.len();
        while let Some((_, c)) = chars.next() {
            let Some((at, next)) = chars.peek().copied() else {
                break;
            };
            let after_wide = columns(c) == 2 || columns(next) == 2;
            let may_break =
                c == ' ' || after_wide && !"，。、；：！？）”".contains(next) && !"（“".contains(c);
            if may_break && next != ' ' {
                end = at;
                break;
            }
        }
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

/// Counts the columns that a terminal takes for a character: two from the first
/// wide block of Unicode on.
pub(crate) fn columns(c: char) -> usize {
    1 + usize::from(c >= '\u{1100}' && !('\u{2000}'..'\u{2E80}').contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_where_they_may_be() {
        let words = "word ".repeat(40);
        let zh = "设备只接受状态码，".repeat(12);
        for text in [words.trim_end(), &zh] {
            let broken = wrapped(text);
            assert!(broken.lines().count() > 1);
            for line in broken.lines() {
                assert!(
                    line.chars().map(columns).sum::<usize>() <= COLUMNS + 2,
                    "{line}"
                );
                assert!(
                    !line.starts_with([' ', '，']) && !line.ends_with(' '),
                    "{line}"
                );
            }
            let joined: String = broken.split('\n').collect();
            assert_eq!(joined.replace(' ', ""), text.replace(' ', ""));
        }
        assert_eq!(wrapped("one\ntwo"), "one\ntwo");
    }
}
