//! Lines of the file as they are written, for what is said of a file that no reader of YAML
//! takes.

/// A line that is no comment and no part of a block of text.
pub(super) struct Line<'t> {
    pub(super) number: usize,
    pub(super) text: &'t str,
}

/// Returns the lines that are keys, values and items. What stands in a block (`|`, `>`) is
/// text, and may hold anything.
pub(super) fn structure(text: &str) -> Vec<Line<'_>> {
    let mut block: Option<usize> = None;
    let mut lines = Vec::new();
    for (at, text) in text.lines().enumerate() {
        let indent = indent_of(text);
        let is_blank = text.trim().is_empty();
        if let Some(outer) = block {
            if is_blank || indent > outer {
                continue;
            }
            block = None;
        }
        if is_blank || text.trim_start().starts_with('#') {
            continue;
        }
        if begins_block(text) {
            block = Some(indent);
        }
        lines.push(Line {
            number: at + 1,
            text,
        });
    }
    lines
}

/// Tells whether a block of text follows: `prompt: |-`, `- >`, with a tag or an anchor or
/// without.
fn begins_block(line: &str) -> bool {
    let line = line.split(" #").next().unwrap_or_default().trim_end();
    let Some(word) = line.rsplit([' ', '\t']).next() else {
        return false;
    };
    let Some(sign) = word.strip_prefix(['|', '>']) else {
        return false;
    };
    let before = line[..line.len() - word.len()].trim_end();
    let is_begun = before.is_empty()
        || before.ends_with([':', '-', '：'])
        || before
            .rsplit(' ')
            .next()
            .is_some_and(|w| w.starts_with(['!', '&']));
    is_begun && sign.len() <= 2 && sign.chars().all(|c| c.is_ascii_digit() || "+-".contains(c))
}

/// Returns key and value of a line, the dashes of items left out; what stands behind the
/// colon as it is.
pub(super) fn key_and_value(line: &str) -> Option<(&str, &str)> {
    let line = without_dashes(line);
    let end = line.find(':')?;
    let key = line[..end].trim_matches(['"', '\'']);
    let is_sign = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    (!key.is_empty() && key.chars().all(is_sign)).then_some((key, &line[end + 1..]))
}

/// Returns a line without blanks and dashes in front.
pub(super) fn without_dashes(line: &str) -> &str {
    let mut line = line.trim_start_matches([' ', '\t']);
    while let Some(rest) = line.strip_prefix("- ") {
        line = rest.trim_start();
    }
    line
}

/// Returns the number of blanks in front of a line.
pub(super) fn indent(line: &Line<'_>) -> usize {
    indent_of(line.text)
}

/// Returns the number of blanks in front of a text.
pub(super) fn indent_of(text: &str) -> usize {
    text.len() - text.trim_start_matches(' ').len()
}
