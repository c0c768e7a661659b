//! The last events, in the reader's language.

use super::units::millis;
use crate::admin::page::reader::Reader;
use crate::admin::page::words::words;
use crate::event::lately::Said;
use crate::event::text::{Lang, Text};
use crate::event::{Event, Severity, Value};
use crate::util::terminal::one_line;
use maud::{Markup, html};

words! {
    ABOUT = "只在内存中，重启后清空；错误和警告比其他事件保留得更久。全部在日志里。",
        "In memory only, and gone after a restart; errors and warnings stay longer than the rest. The log has all.";
    NONE = "还没有。", "None yet.";
    NO_WARNING = "没有错误和警告。", "No errors, no warnings.";
    TROUBLE = "错误和警告", "Errors and warnings";
    OTHERS = "其他事件", "All others";
    EARLIER = "更早的", "Earlier ones";
    INFO = "信息", "info";
    WARNING = "警告", "warning";
    ERROR = "错误", "error";
}

/// Number of events that are shown at once; the others open by a click.
const SHOWN: usize = 15;

/// Shows the events, those that are worth a look first.
pub(super) fn events(reader: &Reader, lately: &[Said]) -> Markup {
    let is_info = |said: &&Said| said.event.kind.severity == Severity::Info;
    let (infos, trouble): (Vec<_>, Vec<_>) = lately.iter().partition(is_info);
    html! {
        p.soft { (reader.say(ABOUT)) }
        h3 { (reader.say(TROUBLE)) }
        @if trouble.is_empty() { p.good { (reader.say(NO_WARNING)) } }
        @else { (some(reader, "trouble", &trouble)) }
        h3 { (reader.say(OTHERS)) }
        @if infos.is_empty() { p.soft { (reader.say(NONE)) } }
        @else { (some(reader, "others", &infos)) }
    }
}

fn some(reader: &Reader, id: &str, all: &[&Said]) -> Markup {
    let (first, rest) = all.split_at(all.len().min(SHOWN));
    html! {
        (list(reader, first))
        @if !rest.is_empty() {
            details id=(id) {
                summary { (reader.say(EARLIER)) ": " (rest.len()) }
                (list(reader, rest))
            }
        }
    }
}

fn list(reader: &Reader, all: &[&Said]) -> Markup {
    html! {
        ol.log {
            @for said in all {
                @let severity = said.event.kind.severity;
                li {
                    span.small {
                        (reader.moment(millis(said.at))) " "
                        span class=(class(severity)) { (weight(severity).to(reader.lang)) }
                    }
                    (line(reader, &said.event))
                }
            }
        }
    }
}

fn class(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "soft",
        Severity::Warning => "warn",
        Severity::Error => "bad",
    }
}

/// Returns the word for a weight.
pub(super) fn weight(severity: Severity) -> Text {
    match severity {
        Severity::Info => INFO,
        Severity::Warning => WARNING,
        Severity::Error => ERROR,
    }
}

/// Shows an event: its words, the values that they do not show, its id.
pub(super) fn line(reader: &Reader, event: &Event) -> Markup {
    let (words, rest) = words_of(event, reader.lang);
    html! {
        div { bdi { (words) } }
        div.soft.small {
            @if !rest.is_empty() { bdi.mono { (rest) } " " }
            code { (event.kind.id) }
        }
    }
}

/// Returns the words of an event, and the values that they do not show, as the log has them.
pub(super) fn words_of(event: &Event, lang: Lang) -> (String, String) {
    let (mut words, mut rest) = (String::new(), String::new());
    let shown = event.write(lang, &mut words);
    // That something is not so is no news.
    let unsaid = event.unsaid(shown);
    for (name, value) in unsaid.filter(|(_, value)| *value != Value::Flag(false)) {
        if !rest.is_empty() {
            rest.push(' ');
        }
        rest.push_str(name);
        rest.push('=');
        value.write(lang, &mut rest);
    }
    // A stranger's line is none of ours.
    (one_line(&words), one_line(&rest))
}
