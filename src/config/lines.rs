//! Lines of the file as they are written, for what is said of a file that no reader of YAML
//! takes.

use super::signs::as_meant;
use crate::event::text::Lang;

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

/// Returns the language that `gateway.log.lang` asks for, however much of the file is no
/// YAML: a refusal is for who reads that language, too.
pub(super) fn language(bytes: &[u8]) -> Option<Lang> {
    // What is left of UTF-16, too.
    let bytes: Vec<_> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
    let text = String::from_utf8_lossy(&bytes).replace('\r', "\n");
    let mut is_ours = false;
    let mut lang = None;
    for line in structure(&text) {
        let line = as_meant(line.text);
        if !line.starts_with([' ', '\t']) {
            is_ours = line.trim_start_matches(['"', '\'']).starts_with("gateway");
        }
        let begins = line.match_indices("lang").filter(|(at, _)| {
            let before = line[..*at].chars().next_back();
            before.is_none_or(|c| !c.is_alphanumeric() && !"_-".contains(c))
        });
        for (at, word) in begins.filter(|_| is_ours) {
            let is_outer = |c: char| " \t\"'".contains(c);
            let rest = line[at + word.len()..].trim_start_matches(is_outer);
            let Some(value) = rest.strip_prefix([':', '=']) else {
                continue;
            };
            let value = value.trim_start_matches(is_outer);
            let end = value.find(|c: char| !c.is_alphanumeric() && !"_-".contains(c));
            lang = match &value[..end.unwrap_or(value.len())] {
                "zh" => Some(Lang::Zh),
                "en" => Some(Lang::En),
                _ => lang,
            };
        }
    }
    lang
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_language_of_a_file_that_cannot_be_read() {
        let utf16: Vec<u8> = "gateway:\n  log: {lang: zh}\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(language(&utf16), Some(Lang::Zh));
        for text in [
            "gateway: {log: {lang: zh}, ports: [99999]}\n",
            "gateway:\n  log:\n    lang: \"zh\"\nserver: {\n",
            "gateway:\n  log:\n    lang：zh # x\n",
            "gateway：\n\tlog:\n\t\tlang: 'zh'\n",
            "gateway.log.lang: zh\n",
            "\"gateway\": {\"log\": {\"lang\": \"zh\"",
        ] {
            assert_eq!(language(text.as_bytes()), Some(Lang::Zh), "{text}");
        }
        for text in [
            "TTS: {lang: zh}\ngateway: {ports: [x]}\n",
            "gateway: {ports: [x]}\nTTS:\n  lang: zh\n",
            "gateway: {text_lang: zh}\n",
            "gateway: {log: {lang: zh-CN}}\n",
            "# gateway: {log: {lang: zh}}\n",
            "",
        ] {
            assert_eq!(language(text.as_bytes()), None, "{text}");
        }
        assert_eq!(language(b"gateway: {log: {lang: en}}"), Some(Lang::En));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_a_panic(bytes in any::<Vec<u8>>(), text in "(gateway|lang|:|=|\n| |zh|\\{|　){0,12}") {
            let _ = (language(&bytes), language(text.as_bytes()));
        }
    }
}
