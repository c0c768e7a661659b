//! Findings: what is wrong and needs a hand, each in the words of whoever found it, with what
//! to do about it.

use super::reader::Reader;
use super::show::stranger;
use super::words::words;
use crate::event::text::Lang;
use crate::event::{Event, Severity, Value};
use crate::util::terminal::{one_line, shown};
use maud::{Markup, html};

words! {
    REMEDY = "处理办法：", "What to do: ";
    WHERE = "位置：", "Where: ";
    ALL_WELL = "没有发现本服务器的问题。升级失败的设备见“设备概况”。", "No problem with this server is known. Devices that failed stand on the page Fleet.";
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

/// Names the files that a finding is about and its words do not name.
pub(super) fn files_of(finding: &Event, lang: Lang) -> Markup {
    let said = finding.write(lang, &mut String::new());
    let files = finding.unsaid(said).filter(|(name, _)| *name == "file");
    html! {
        @for (_, file) in files { strong { (stranger(&written(file, lang))) } ": " }
    }
}

fn written(value: &Value, lang: Lang) -> String {
    let mut text = String::new();
    value.write(lang, &mut text);
    text
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
    let others = unsaid.filter(|(name, _)| *name != "file");
    html! {
        div class=(class) {
            p {
                (files_of(finding, lang))
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
                @for (name, value) in others { bdi.mono { (name) "=" (one_line(&written(value, lang))) } " · " }
                code { (finding.kind.id) }
            }
        }
    }
}
