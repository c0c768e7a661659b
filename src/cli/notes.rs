//! Release notes as `inspect` shows them: how they begin.

use crate::firmware::notes::beginning;
use crate::util::terminal::one_line;
use std::fmt::{self, Write as _};

/// Writes the first lines of the notes of a file, which has others behind them.
pub(super) fn in_words(file: &str, notes: Option<&str>) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let (lines, more) = beginning(notes.unwrap_or_default());
    let mut label = "notes";
    for line in lines {
        writeln!(text, "  {label:<11} {}", one_line(&line.replace('\t', " ")))?;
        label = "";
    }
    if more > 0 {
        let notes = file.strip_suffix(".bin").unwrap_or(file);
        writeln!(text, "  {label:<11} (further lines: {more}, in {notes}.md)")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_they_begin() {
        let shown = |notes: &str| in_words("data/a_1.bin", Some(notes)).unwrap();
        assert_eq!(in_words("a", None).unwrap(), "");
        assert_eq!(
            shown("# 1\r\n\n- a\tb\n"),
            "  notes       # 1\n              - a b\n"
        );
        let long = shown(&format!("{}\n\u{202e}", "x".repeat(121)));
        assert!(
            long.contains("x…\n") && long.contains("\\u{202e}\n"),
            "{long}"
        );
        let text = shown("1\n2\n3\n4\n5\n6\n7");
        assert!(
            text.ends_with("5\n              (further lines: 2, in data/a_1.md)\n"),
            "{text}"
        );
    }
}
