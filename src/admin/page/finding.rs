//! Findings: what is wrong and needs a hand, each in the words of whoever found it, with what
//! to do about it.

use super::reader::Reader;
use super::show::stranger;
use super::words::words;
use crate::event::{Event, Severity, Value};
use crate::util::terminal::{one_line, shown};
use maud::{Markup, html};

words! {
    REMEDY = "处理办法：", "What to do: ";
    WHERE = "位置：", "Where: ";
    ALL_WELL = "目前没有发现问题。", "Nothing is known to be wrong.";
    HINT = "提示", "hint";
    WARNING = "警告", "warning";
    ERROR = "错误", "error";
}

/// Shows what is wrong, the worst first; or that nothing is.
pub(super) fn findings(reader: &Reader, findings: &[Event]) -> Markup {
    html! {
        @if findings.is_empty() {
            div.hand.good { p { (reader.say(ALL_WELL)) } }
        }
        @for finding in findings { (finding_card(reader, finding)) }
    }
}

/// Shows one finding: its words, what to do about it, where it was found, and what of it the
/// words do not name.
pub(super) fn finding_card(reader: &Reader, finding: &Event) -> Markup {
    let (class, weight) = match finding.kind.severity {
        Severity::Info => ("hand good", HINT),
        Severity::Warning => ("hand", WARNING),
        Severity::Error => ("hand bad", ERROR),
    };
    let lang = reader.lang;
    let said = finding.write(lang, &mut String::new());
    // That something is not so is no news.
    let unsaid = finding.unsaid(said);
    let unsaid = unsaid.filter(|(_, value)| *value != Value::Flag(false));
    let (files, others): (Vec<_>, Vec<_>) = unsaid.partition(|(name, _)| *name == "file");
    let text = |value: &Value| {
        let mut text = String::new();
        value.write(lang, &mut text);
        text
    };
    html! {
        div class=(class) {
            p {
                @for (_, file) in files { strong { (stranger(&text(file))) } ": " }
                bdi { (shown(&finding.words(lang))) }
            }
            @if let Some(remedy) = finding.remedy(lang) {
                p { strong { (reader.say(REMEDY)) } bdi { (shown(&remedy)) } }
            }
            p.soft.small {
                (reader.say(weight)) " · "
                @if let Some(place) = finding.lead(lang) {
                    (reader.say(WHERE)) span.mono { (stranger(place.trim_end_matches([':', '：', ' ']))) } " · "
                }
                @for (name, value) in others { bdi.mono { (name) "=" (one_line(&text(value))) } " · " }
                code { (finding.kind.id) }
            }
        }
    }
}
