//! Slips of the pen: what people write where the reader of YAML stops, or reads something
//! else than was meant. The reader names the place where it could not go on, which is often
//! a line or more behind the slip.

use super::grammar;
use super::keys;
use super::lines::{Line, indent, key_and_value, structure, without_dashes};
use super::placeholder::{TEMPLATE, VARIABLE};
use super::signs::{OddSign, as_meant, is_odd_blank};
use super::stray;
use crate::event::text::Text;
use crate::event::{Event, event};

/// A line, from 1 on, and what is to be said of it.
pub(super) type Slip = (usize, Event);

/// Beginnings of the lines that Git writes around what it could not merge.
const CONFLICT: [&str; 4] = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];

/// Finds the marks that a merge left behind. In a text of several lines there are none, for
/// that is indented.
pub(super) fn conflict(text: &str) -> Option<Slip> {
    let is_mark = |line: &str, mark: &str| {
        let rest = line.strip_prefix(mark);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\r']))
    };
    let mut lines = text.lines().enumerate();
    // A row of equal signs alone may underline a heading.
    let (at, _) = lines.find(|(_, line)| {
        CONFLICT
            .iter()
            .any(|mark| *mark != "=======" && is_mark(line, mark))
    })?;
    Some((at + 1, event!(CONFIG_MERGE_CONFLICT)))
}

/// Explains why the reader stopped on line `at`, or found no keys at all: by the slip that
/// stands there or just before. Further up only a key that is read here says so; what else
/// there is may be meant.
pub(super) fn explain(text: &str, at: Option<usize>) -> Option<Slip> {
    let lines = structure(text);
    let Some(at) = at else {
        let slips = lines
            .iter()
            .find_map(|line| Some((line.number, slip(line.text)?)));
        return slips;
    };
    let before: Vec<_> = lines.iter().filter(|line| line.number <= at + 1).collect();
    let near = before.iter().rev().take(NEAR);
    let slips = near.filter_map(|line| Some((line.number, slip(line.text)?)));
    let further = before.iter().rev().skip(NEAR);
    let known = further.filter(|line| is_of_known_key(line.text));
    let known = known.filter_map(|line| Some((line.number, slip(line.text)?)));
    // A quote that nothing closes swallows what follows, and hides the real place.
    let slip = slips.chain(known).next();
    slip.or_else(|| open_quote(&lines))
        .or_else(|| indentation(&before, at))
}

/// Says that a line is indented otherwise than its neighbours: deeper than a key that has a
/// value already, or by a number of blanks that no line above has.
fn indentation(lines: &[&Line<'_>], at: usize) -> Option<Slip> {
    let mut upwards = lines.iter().rev().skip_while(|line| line.number > at);
    let here = upwards.next()?;
    let above: Vec<_> = upwards.collect();
    key_and_value(here.text)?;
    let before = above.first()?;
    let (blanks, of_before) = (indent(here), indent(before));
    let has_value = key_and_value(before.text).is_some_and(|(_, value)| {
        let value = value.trim();
        !value.is_empty() && !value.starts_with(['#', '&', '|', '>'])
    });
    let is_deeper = blanks > of_before && has_value;
    let is_between = blanks < of_before && !above.iter().any(|line| indent(line) == blanks);
    if !is_deeper && !is_between {
        return None;
    }
    Some((
        here.number,
        event!(CONFIG_INDENT, blanks = blanks, wanted = of_before),
    ))
}

/// Number of lines, the one where the reader stopped among them, on which any slip counts.
const NEAR: usize = 4;

/// Tells whether a line has a key that is read here.
fn is_of_known_key(line: &str) -> bool {
    let meant = as_meant(without_dashes(line));
    let key = meant.trim().split(':').next().unwrap_or_default();
    keys::is_word(key.trim().trim_matches(['"', '\'']))
}

/// Finds what this server reads and `PyYAML` does not: it takes no tab between a key and its
/// value, and none behind one.
pub(super) fn tab(text: &str) -> Option<usize> {
    let is_tabbed = |line: &Line<'_>| {
        let Some((_, value)) = key_and_value(line.text) else {
            return false;
        };
        if value.contains(['"', '\'']) {
            return value.starts_with('\t');
        }
        let comment = value
            .match_indices('#')
            .find(|(at, _)| value[..*at].ends_with([' ', '\t']));
        let value = comment.map_or(value, |(at, _)| value[..at].trim_end_matches(' '));
        value.starts_with('\t')
            || value.trim_start_matches(' ').starts_with('\t')
            || value.ends_with('\t')
    };
    structure(text)
        .iter()
        .find(|line| is_tabbed(line))
        .map(|line| line.number)
}

/// Finds a key that is read here and has nothing but a comment for its value, which is one
/// word, as values are. Returns its line and whole name.
pub(super) fn comment_for_value(text: &str) -> Option<(usize, String)> {
    let lines = structure(text);
    lines.iter().enumerate().find_map(|(at, line)| {
        let (key, value) = key_and_value(line.text)?;
        let word = value.trim().strip_prefix('#')?.trim_end_matches('#');
        let is_word = word.len() > 1 && word.chars().all(|c| c.is_ascii_graphic() && c != '#');
        let has_more = lines.get(at + 1).is_some_and(|next| {
            indent(next) > indent(line) || without_dashes(next.text) != next.text.trim_start()
        });
        let name = name_of(&lines[..at], line, key);
        (is_word && keys::is_known(&name) && !has_more).then_some((line.number, name))
    })
}

/// Finds a tag that has Python make an object, which neither program does.
pub(super) fn python_tag(text: &str) -> Option<Slip> {
    let lines = structure(text).into_iter();
    let mut lines = lines.filter(|line| !line.text.contains(['"', '\'']));
    let line = lines.find(|line| line.text.contains(" !!python/"))?;
    Some((line.number, event!(CONFIG_LEFT_IN, is = TAG)))
}

/// Returns the whole name of a key, by the lines above it that stand further out.
fn name_of(above: &[Line<'_>], line: &Line<'_>, key: &str) -> String {
    let mut name = key.to_owned();
    let mut outer = indent(line);
    for line in above.iter().rev() {
        if indent(line) < outer
            && let Some((key, _)) = key_and_value(line.text)
        {
            outer = indent(line);
            name = format!("{key}.{name}");
        }
    }
    name
}

/// Says what is amiss in the text of a scalar that stands where a section is wanted, as in
/// `port：8003` below `server:`.
pub(super) fn in_place_of_section(text: &str) -> Option<Event> {
    text.lines().find_map(slip)
}

/// Says what is amiss in a line, if it is one of the slips that are known.
fn slip(line: &str) -> Option<Event> {
    let indent = line.trim_start_matches(' ');
    if indent.starts_with('\t') {
        return Some(event!(CONFIG_TAB));
    }
    if let Some(blank) = indent.chars().next().filter(|c| is_odd_blank(*c)) {
        let odd = OddSign::of(blank)?;
        return Some(event!(
            CONFIG_INVISIBLE,
            sign = odd.shown(),
            name = odd.name()
        ));
    }
    if let Some(odd) = OddSign::of_item(line) {
        return Some(sign(odd));
    }
    if let Some(event) = stray::of_line(line).or_else(|| grammar::dashed(line)) {
        return Some(event);
    }
    if indent.strip_prefix('-').is_some_and(is_plain_item) {
        // The item may be secret.
        return Some(event!(CONFIG_NO_BLANK, behind = "-", write = "- …"));
    }
    let whole = line;
    let line = without_dashes(line);
    let is_directive = line.starts_with("%YAML") || line.starts_with("%TAG");
    if line.starts_with(['$', '%', '@']) && !is_directive
        || line.starts_with("{%")
        || line.starts_with("{{")
    {
        return Some(event!(CONFIG_LEFT_IN, is = TEMPLATE));
    }
    if let Some(event) = odd_key(line).or_else(|| grammar::without_colon(whole)) {
        return Some(event);
    }
    let (key, value) = key_and_value(line)?;
    if keys::is_word(key)
        && !value.is_empty()
        && !value.starts_with([' ', '\t', '\r'])
        && !value.starts_with("//")
    {
        return Some(
            match value
                .chars()
                .next()
                .filter(|c| is_odd_blank(*c))
                .and_then(OddSign::of)
            {
                Some(odd) => sign(odd),
                None => joined(key, None),
            },
        );
    }
    if let Some(key) = joined_in_flow(line) {
        return Some(joined(key, None));
    }
    if let Some(event) = grammar::in_brackets(line) {
        return Some(event);
    }
    let value = value.trim();
    if value.starts_with("{{") || value.starts_with("{%") || value.starts_with("<%") {
        return Some(event!(CONFIG_LEFT_IN, is = TEMPLATE));
    }
    let is_between = |sign: char| {
        value
            .strip_prefix(sign)
            .is_some_and(|rest| rest.contains(sign))
    };
    if is_between('%') || is_between('@') {
        return Some(event!(CONFIG_LEFT_IN, is = VARIABLE));
    }
    let tag = value
        .strip_prefix('!')
        .and_then(|rest| rest.split_whitespace().next());
    if let Some(tag) = tag
        && !matches!(
            tag,
            "!str" | "!int" | "!bool" | "!float" | "!null" | "!map" | "!seq"
        )
    {
        return Some(event!(CONFIG_LEFT_IN, is = TAG));
    }
    if value.starts_with('[') && value.contains("](") {
        return Some(event!(CONFIG_LEFT_IN, is = LINK));
    }
    odd_value(value).or_else(|| grammar::value(key, value))
}

/// Says that no blank, or another sign, stands between a key and its value.
pub(super) fn joined(key: &str, odd: Option<OddSign>) -> Event {
    match odd {
        Some(odd) => sign(odd),
        None => event!(CONFIG_NO_BLANK, behind = ":", write = format!("{key}: …")),
    }
}

/// Finds a key in braces that is read here, and that no blank parts from its value.
fn joined_in_flow(line: &str) -> Option<&str> {
    let mut parts = line.split(['{', ',']).skip(1);
    parts.find_map(|part| {
        let (key, value) = part.trim().split_once(':')?;
        let is_joined = !value.is_empty() && !value.starts_with([' ', '\t', '/']);
        (is_joined && keys::is_word(key)).then_some(key)
    })
}

/// Tells whether a dash in front of it was to make an item: a number, an address, a name.
fn is_plain_item(item: &str) -> bool {
    let item = item.trim_end();
    item.starts_with(|c: char| c.is_ascii_alphanumeric())
        && item
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-_/".contains(c))
}

const TAG: Text = Text::new(
    "其他工具的标签（!vault、!ENV、!include、!Ref 之类），这里和 xiaozhi-server 都不认识",
    "a tag of another tool (such as !vault, !ENV, !include, !Ref), which neither this server nor xiaozhi-server knows",
);
const LINK: Text = Text::new("Markdown 的链接", "a link as Markdown writes it");

/// Says that a key has an odd sign in it, or behind it in place of the colon.
fn odd_key(line: &str) -> Option<Event> {
    let is_colon = |c| c == ':' || OddSign::of(c).is_some_and(|odd| odd.meant == Some(':'));
    let (key, rest) = line.split_at(line.find(is_colon)?);
    let meant = as_meant(key);
    let name = meant.trim().trim_matches(['"', '\'']);
    // A line of a text is no key, whatever stands in it.
    if name.is_empty() || name.contains(char::is_whitespace) || name.len() > 64 {
        return None;
    }
    let odd =
        OddSign::find(key).or_else(|| OddSign::find(&rest[..rest.chars().next()?.len_utf8()]));
    Some(sign(odd?))
}

/// Says that a value begins or ends with quotes or brackets of another kind.
fn odd_value(value: &str) -> Option<Event> {
    let first = value.chars().next().and_then(OddSign::of)?;
    Some(sign(first))
}

/// Names an odd sign, and what to write in its place.
pub(super) fn sign(odd: OddSign) -> Event {
    match odd.meant {
        Some(meant) => event!(CONFIG_SIGN, sign = odd.shown(), write = meant.to_string()),
        None => event!(CONFIG_INVISIBLE, sign = odd.shown(), name = odd.name()),
    }
}

/// Finds the line with a quote that its own line does not close.
fn open_quote(lines: &[Line<'_>]) -> Option<Slip> {
    let line = lines.iter().find(|line| {
        let Some((_, value)) = key_and_value(line.text) else {
            return false;
        };
        let value = value.trim();
        let quote = value.chars().next();
        match quote {
            Some('"') => {
                let inner = value[1..].replace("\\\\", "").replace("\\\"", "");
                !inner.contains('"')
            }
            Some('\'') => !value[1..].replace("''", "").contains('\''),
            _ => false,
        }
    })?;
    Some((line.number, event!(CONFIG_OPEN_QUOTE)))
}
