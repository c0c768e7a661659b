//! Lines that came into the file with what it was copied from: fences of Markdown, marks of
//! editors and terminals, comments of other languages, and numbers in front of every line.

use crate::event::shell::quoted;
use crate::event::text::Text;
use crate::event::{Event, event};
use std::path::Path;

const FENCE: Text = Text::new(
    "Markdown 的代码块标记（```）",
    "a fence of Markdown (```), which is none of the code in it",
);
const MARKUP: Text = Text::new(
    "Markdown 或邮件的引用标记（>）",
    "the mark of a quotation (>), as Markdown and mail have it",
);
const SHELL: Text = Text::new(
    "用来写出本文件的 shell 命令或命令行提示符的一部分",
    "a part of the shell's prompt, or of the command that was to write this file",
);
const EDITOR: Text = Text::new(
    "编辑器或分页程序显示的内容",
    "what an editor or a pager shows, and no part of a file",
);
const COMMENT: Text = Text::new(
    "其他语言的注释（YAML 的注释以 # 开头）",
    "a comment as another language has it (one of YAML begins with #)",
);
const PATCH: Text = Text::new(
    "补丁（diff）的标记（行首的 +）",
    "the mark of a patch (+ in front of a line)",
);
const RULE: Text = Text::new(
    "分隔线或省略号",
    "a dividing line, or dots for what was left out",
);

/// Says what a line is that has no place in the file; `None` for one that may have.
pub(super) fn of_line(line: &str) -> Option<Event> {
    let text = line.trim();
    let begins = |with: &[&str]| with.iter().any(|begin| text.starts_with(begin));
    let is_row = |sign: char| text.len() > 3 && text.chars().all(|c| c == sign);
    let first = text.split(' ').next().unwrap_or_default();
    let is_prompt = first.contains('@') && first.ends_with(['$', '#']) || begins(&["$ "]);
    let is = if begins(&["```", "~~~"]) {
        FENCE
    } else if line.starts_with('+') {
        PATCH
    } else if begins(&["> "]) {
        MARKUP
    } else if text == "EOF" || begins(&["<<<<<<<"]) || is_prompt {
        SHELL
    } else if ["~", "^D", "^C", "^Z", "^X", "(END)"].contains(&text)
        || begins(&[":w", ":q", ":x", "--More--", "GNU nano", "-- INSERT"])
    {
        EDITOR
    } else if text.contains("8<")
        || ['=', '-', '*', '_', '.', '…'].into_iter().any(is_row)
        || ["...", "…", "---"].contains(&text) && line.starts_with(' ')
        || line.starts_with("--- ") && text.ends_with(':')
    {
        RULE
    } else if begins(&["//", "/*", "*/", "<!--", "-->", "; ", "-- ", "REM ", "＃"]) || text == ";"
    {
        COMMENT
    } else {
        return None;
    };
    Some(event!(CONFIG_STRAY, is = is))
}

/// Says that a comment of another language stands behind a value.
pub(super) fn comment_behind(text: &str) -> Option<Event> {
    let (value, _) = text.split_once(" //")?;
    (!value.is_empty()).then(|| event!(CONFIG_STRAY, is = COMMENT))
}

/// Says that a number stands in front of every line, as `cat -n` and editors show them.
pub(super) fn numbered(text: &str, file: &Path) -> Option<(usize, Event)> {
    let mut before: Option<(u64, &str)> = None;
    let mut shared = usize::MAX;
    let (mut count, mut first) = (0, 1);
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let from = line.trim_start_matches(' ');
        let rest = from.trim_start_matches(|c: char| c.is_ascii_digit());
        let number: u64 = from[..from.len() - rest.len()].parse().ok()?;
        let follows = |(last, _): (u64, &str)| last.checked_add(1) == Some(number);
        if !before.is_none_or(follows) {
            return None;
        }
        count += 1;
        // A line that was empty has nothing but its number, and signs behind it.
        let has_text = rest.contains(char::is_alphanumeric);
        match &mut before {
            Some((last, _)) if !has_text => *last = number,
            Some((last, behind)) => {
                let same = rest.chars().zip(behind.chars());
                let same = same.take_while(|(a, b)| a == b && !a.is_alphanumeric());
                shared = shared.min(same.count());
                (*last, *behind) = (number, rest);
            }
            None => {
                first = at + 1;
                before = has_text.then_some((number, rest));
            }
        }
    }
    if count < 2 || shared == 0 || shared == usize::MAX {
        return None;
    }
    let file = file.display().to_string();
    let file = quoted(&file);
    let command = format!("sed -i -E 's/^ *[0-9]+.{{0,{shared}}}//' {file}");
    Some((first, event!(CONFIG_LINE_NUMBERS, command = command)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_in_front_of_every_line() {
        let numbered = |text: &str| {
            let (_, event) = numbered(text, Path::new("c.yaml"))?;
            event.field("command").map(|c| format!("{c:?}"))
        };
        for (text, taken) in [
            ("     1\tserver:\n     2\t  ip: x\n", ".{0,1}"),
            ("1: server:\n2:   ip: x\n3:\n4: gateway:\n", ".{0,2}"),
            ("1 server:\n\n2   ip: x\n", ".{0,1}"),
            ("  9 | server:\n 10 |   ip: x\n", ".{0,3}"),
            ("1  server:\n2    ip: x\n", ".{0,2}"),
        ] {
            let found = numbered(text);
            assert!(
                found.as_ref().is_some_and(|c| c.contains(taken)),
                "{found:?}"
            );
        }
        for text in ["1: a\n", "1: a\n3: b\n", "server:\n2: b\n", "1\n2\n", ""] {
            assert_eq!(numbered(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_a_panic(text in any::<String>(), lines in "([ 0-9:.|\t]{0,6}\n?){0,9}") {
            for text in [text, lines] {
                let _ = (numbered(&text, Path::new("c")), of_line(&text), comment_behind(&text));
            }
        }
    }
}
