//! Findings: what is wrong and needs a hand, each in the words of whoever found it, with what
//! to do about it.

use super::reader::Reader;
use super::words::words;
use crate::event::{Event, Severity};
use maud::{Markup, html};

words! {
    REMEDY = "处理办法：", "What to do: ";
    WHERE = "位置：", "Where: ";
    ALL_WELL = "目前没有发现问题。", "Nothing is known to be wrong.";
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

/// Shows one finding.
pub(super) fn finding_card(reader: &Reader, finding: &Event) -> Markup {
    let class = match finding.kind.severity {
        Severity::Info => "hand good",
        Severity::Warning => "hand",
        Severity::Error => "hand bad",
    };
    let place = finding.lead(reader.lang);
    html! {
        div class=(class) {
            p { bdi { (finding.words(reader.lang)) } }
            @if let Some(remedy) = finding.remedy(reader.lang) {
                p { strong { (reader.say(REMEDY)) } bdi { (remedy) } }
            }
            p.soft.small {
                @if let Some(place) = place {
                    (reader.say(WHERE)) bdi.mono { (place.trim_end_matches([':', '：', ' '])) } " · "
                }
                code { (finding.kind.id) }
            }
        }
    }
}
