//! Lines that are meant as marks of PEM and are none: chats, mail and word processors
//! change dashes, put signs in front of each line, and leave what nobody sees.

use super::{Found, der};
use crate::event::text::Text;
use crate::event::{Event, Value, event};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;

/// Labels of the blocks that people bring.
const LABELS: [&str; 12] = [
    "CERTIFICATE",
    "X509 CERTIFICATE",
    "TRUSTED CERTIFICATE",
    "CERTIFICATE REQUEST",
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "PUBLIC KEY",
    "EC PARAMETERS",
    "PKCS7",
];
const AGAIN: Text = Text::new(
    "没有命令能修复它：请重新获取该文件，并作为文件传送，不要经过聊天、邮件正文或网页",
    "no command mends that: get the file again, and send it as a file, not through a chat, the text of a mail or a web page",
);

/// Number of signs in a row that are no word but content.
const BASE64: usize = 20;

/// A line that is meant as a mark, and the first sign in it that does not fit.
#[derive(Debug)]
pub(super) struct BadMark {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) sign: Value,
    /// Sign that belongs there.
    pub(super) due: Value,
    /// The line as it should be.
    pub(super) mark: String,
    label: &'static str,
}

impl BadMark {
    /// Finds the first one.
    pub(super) fn find(text: &str) -> Option<Self> {
        Self::first(text, |_, _, _| true)
    }

    /// Finds the first one that begins a block of a label that ends so, and keeps that from
    /// being read. What somebody put behind a `#` may stay there, and so may words that
    /// no block follows.
    pub(super) fn lost(text: &str, label: &str) -> Option<Self> {
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/".contains(c);
        let is_content = |line: &&str| {
            let mut runs = line.split(|c| !is_base64(c));
            runs.any(|run| run.len() >= BASE64)
        };
        Self::first(text, |found, line, behind| {
            let begins = found.mark.starts_with("-----BEGIN ") && found.label.ends_with(label);
            let is_comment = line.trim_start().starts_with('#');
            let behind = behind.iter().take(3);
            let mut content = behind.take_while(|line| !line.starts_with("-----"));
            begins && !is_comment && content.any(&is_content)
        })
    }

    fn first(text: &str, is_it: impl Fn(&Self, &str, &[&str]) -> bool) -> Option<Self> {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let lines: Vec<_> = text.split('\n').collect();
        let mut open = None;
        lines.iter().enumerate().find_map(|(at, line)| {
            let behind = lines.get(at + 1..).unwrap_or_default();
            let (mark, label) = meant(line, behind, open)?;
            open = mark.starts_with("-----BEGIN ").then_some(label);
            let plain = line.trim_end_matches(' ');
            let signs = plain.chars().map(Some).chain([None]);
            let due = mark.chars().map(Some).chain([None]);
            let (column, (sign, due)) = signs.zip(due).enumerate().find(|(_, (a, b))| a != b)?;
            let found = Self {
                line: at + 1,
                column: column + 1,
                sign: shown(sign),
                due: shown(due),
                mark,
                label,
            };
            is_it(&found, line, behind).then_some(found)
        })
    }

    /// Says so, with what mends the file.
    pub(super) fn event(self, found: Found<'_>, text: &str) -> Event {
        let (made, command) = mends(found, self.command(text, &found.word()));
        event!(
            PAIR_MARK,
            line = self.line,
            column = self.column,
            sign = self.sign,
            due = self.due,
            mark = self.mark,
            made = made,
            command = command
        )
    }

    /// Returns the command that mends the file, if that is one that holds a whole block
    /// then. `file` is a word of a shell.
    fn command(&self, text: &str, file: &str) -> Option<String> {
        if !is_whole(&mended(text, self.label), self.label) {
            return None;
        }
        let label = self.label;
        let last = last_word(label);
        let mark = |word: &str| format!("s/.*{word}.*{last}.*/-----{word} {label}-----/I");
        let (begin, end) = (mark("BEGIN"), mark("END"));
        Some(format!(
            "LC_ALL=C sed -E 's/[^\\t -~]//g;{begin};{end};/^-----/!{{s|[^A-Za-z0-9+/=]+$||;s|.*[^A-Za-z0-9+/=]||}}' \
             {file} > {file}.pem"
        ))
    }
}

/// Returns the mark that a line is meant as, by its letters, and its label. One may go on
/// on the next line. A label that nobody knows should be that of the other end, which for
/// an end is `open`.
fn meant(
    line: &str,
    behind: &[&str],
    open: Option<&'static str>,
) -> Option<(String, &'static str)> {
    let letters = |line: &str| {
        let letters = line.chars().filter(char::is_ascii_alphanumeric);
        letters.collect::<String>().to_ascii_uppercase()
    };
    let (own, next) = (letters(line), behind.first().map_or("", |next| next));
    let is_dashed = line.contains(DASHES);
    let by_letters = ["BEGIN", "END"].into_iter().find_map(|word| {
        let label = LABELS.into_iter().find(|label| {
            let joined = label.replace(' ', "");
            let whole = format!("{word}{joined}");
            let is_split = is_dashed && own.ends_with(word) && letters(next) == joined;
            own == whole || is_dashed && own.ends_with(&whole) || is_split
        })?;
        // An end closes what is open.
        let label = open.filter(|_| word == "END").unwrap_or(label);
        Some((format!("-----{word} {label}-----"), label))
    });
    let by_other_end = || {
        let known = |label: &str| LABELS.into_iter().find(|known| *known == label);
        if labelled(line, "END").is_some() {
            return open.map(|label| (format!("-----END {label}-----"), label));
        }
        labelled(line, "BEGIN")?;
        let mut ends = behind.iter();
        let label = ends
            .find_map(|line| labelled(line, "END"))
            .and_then(known)?;
        Some((format!("-----BEGIN {label}-----"), label))
    };
    by_letters.or_else(by_other_end)
}

/// Signs that people and programs write in a dash's place.
const DASHES: [char; 13] = [
    '-', '‐', '‑', '‒', '–', '—', '―', '−', '－', '─', '_', '=', '*',
];

/// Returns the label of a line that is a mark.
fn labelled<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let inner = line.strip_prefix("-----")?.strip_suffix("-----")?;
    inner.strip_prefix(word)?.strip_prefix(' ')
}

fn shown(sign: Option<char>) -> Value {
    match sign {
        None => Text::new("行尾", "the end of the line").into(),
        Some('"') => "'\"'".into(),
        Some(sign) if sign.is_ascii_graphic() || sign == ' ' => format!("\"{sign}\"").into(),
        Some(sign) => format!("U+{:04X}", u32::from(sign)).into(),
    }
}

fn last_word(label: &str) -> &str {
    label.rsplit(' ').next().unwrap_or(label)
}

/// Does to a text what the command does.
fn mended(text: &str, label: &str) -> String {
    let last = last_word(label);
    let is_junk = |c: char| !c.is_ascii_alphanumeric() && !"+/=".contains(c);
    let line = |line: &str| {
        let plain: String = line
            .chars()
            .filter(|c| matches!(c, '\t' | ' '..='~'))
            .collect();
        let upper = plain.to_ascii_uppercase();
        let is = |word: &str| {
            let at = upper.find(word).map(|at| at + word.len());
            at.is_some_and(|at| upper.get(at..).is_some_and(|rest| rest.contains(last)))
        };
        if let Some(word) = ["BEGIN", "END"].into_iter().find(|word| is(word)) {
            return format!("-----{word} {label}-----");
        }
        if plain.starts_with("-----") {
            return plain;
        }
        let plain = plain.trim_end_matches(is_junk);
        plain.rsplit(is_junk).next().unwrap_or_default().to_owned()
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Returns the number of the first line that ends a block which none begins.
pub(super) fn without_begin(text: &str) -> Option<usize> {
    let mut is_open = false;
    let line = text.lines().position(|line| {
        let is_lost = line.starts_with("-----END ") && !is_open;
        if line.starts_with("-----") {
            is_open = line.starts_with("-----BEGIN ");
        }
        is_lost
    });
    line.map(|line| line + 1)
}

/// Tells whether a line holds two marks.
pub(super) fn is_run_together(text: &str) -> bool {
    let count =
        |line: &str| line.matches("-----BEGIN ").count() + line.matches("-----END ").count();
    text.split(['\n', '\r']).any(|line| count(line) > 1)
}

/// Returns the command that parts marks and lines which ran together, tags and entities of
/// web pages between them included, if it does. `file` is a word of a shell.
pub(super) fn apart(text: &str, file: &str) -> Option<String> {
    let parted = parted(text);
    let has = |label: &&&str| parted.contains(&format!("-----BEGIN {label}-----"));
    let label = LABELS.iter().find(has)?;
    is_whole(&parted, label).then(|| format!(
        "sed -E 's/<[^>]*>|&#1[03];/ /g;s/ *(-----(BEGIN|END) [A-Z0-9 ]+-----) */\\n\\1\\n/g' {file} | \
         sed '/^-----/!s/ /\\n/g' > {file}.pem"
    ))
}

/// Returns the file that a command makes and the command, or what to do where none mends.
pub(super) fn mends(found: Found<'_>, command: Option<String>) -> (Option<String>, Value) {
    let made = command
        .is_some()
        .then(|| format!("{}.pem", found.path.display()));
    (made, command.map_or(AGAIN.into(), Value::from))
}

/// Does to a text what that command does.
fn parted(text: &str) -> String {
    let mut plain = String::new();
    for (i, part) in text.split('<').enumerate() {
        let behind = part
            .split_once('>')
            .filter(|(tag, _)| i > 0 && !tag.contains('\n'));
        plain.push_str(behind.map_or(if i > 0 { "<" } else { "" }, |_| " "));
        plain.push_str(behind.map_or(part, |(_, behind)| behind));
    }
    let plain = plain.replace("&#10;", " ").replace("&#13;", " ");
    let (mut parted, mut rest) = (String::new(), &*plain);
    let marks = ["-----BEGIN ", "-----END "];
    while let Some(at) = marks.iter().filter_map(|mark| rest.find(mark)).min() {
        let (before, from) = rest.split_at(at);
        let Some((label, behind)) = from.get(5..).and_then(|from| from.split_once("-----")) else {
            break;
        };
        let before = before.trim_end_matches(' ').replace(' ', "\n");
        // Writing to a String cannot fail.
        let _ = write!(parted, "{before}\n-----{label}-----\n");
        rest = behind.trim_start_matches(' ');
    }
    parted + &rest.replace(' ', "\n")
}

/// Tells whether a text has blocks of a label, each with DER that is as long as it says.
fn is_whole(text: &str, label: &str) -> bool {
    let (begin, end) = (
        format!("-----BEGIN {label}-----\n"),
        format!("\n-----END {label}-----"),
    );
    let mut blocks = text.split(&begin).skip(1).peekable();
    let is_good = |block: &str| {
        let inner = block.split_once(&end).map(|(inner, _)| inner);
        let content = inner.and_then(|inner| STANDARD.decode(inner.replace(['\n', '\r'], "")).ok());
        content.is_some_and(|content| der::is_whole(&content))
    };
    blocks.peek().is_some() && blocks.all(is_good)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";

    #[test]
    fn the_sign_that_does_not_fit_is_named() {
        for (from, to, line, column, sign, due) in [
            ("-----BEGIN", "—--BEGIN", 1, 1, "U+2014", "\"-\""),
            ("-----BEGIN", "----BEGIN", 1, 5, "\"B\"", "\"-\""),
            ("-----BEGIN", "# -----BEGIN", 1, 1, "\"#\"", "\"-\""),
            ("BEGIN C", "begin c", 1, 6, "\"b\"", "\"B\""),
            ("BEGIN C", "BEGIN\u{a0}C", 1, 11, "U+00A0", "\" \""),
            ("END", "E\u{200b}ND", 3, 7, "U+200B", "\"N\""),
            ("BEGIN C", "BEGIN\nC", 1, 11, "the end of the line", "\" \""),
            (
                "END CERTIFICATE-----",
                "END CERTIFICATE----",
                3,
                25,
                "the end of the line",
                "\"-\"",
            ),
            (
                "E-----\nM",
                "E-----\t\nM",
                1,
                28,
                "U+0009",
                "the end of the line",
            ),
            ("BEGIN CERTI", "BEGIN CERI", 1, 15, "\"I\"", "\"T\""),
            ("END CERTI", "END CERTIFI", 3, 17, "\"F\"", "\"C\""),
            ("-----END", "'-----END", 3, 1, "\"'\"", "\"-\""),
        ] {
            let text = GOOD.replacen(from, to, 1);
            let found = BadMark::find(&text).unwrap();
            let words = |value: &Value| {
                let mut to = String::new();
                value.write(crate::event::text::Lang::En, &mut to);
                to
            };
            let seen = (
                found.line,
                found.column,
                words(&found.sign),
                words(&found.due),
            );
            assert_eq!(
                seen,
                (line, column, sign.to_owned(), due.to_owned()),
                "{text}"
            );
        }
        for text in [
            GOOD,
            "the end of a certificate",
            "BEGIN",
            "-----BEGIN CERTIFICATE-----  \n",
        ] {
            assert!(BadMark::find(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[-—> BEGINDCERTIFAbgy\r\n\u{a0}]{0,60}") {
            if let Some(found) = BadMark::find(&text) {
                prop_assert!(found.line > 0 && found.column > 0);
                found.command(&text, "a.pem");
            }
        }

        #[test]
        fn what_stands_in_front_of_each_line_is_taken_off(
            front in "[ \t>#|*]{1,3}|[0-9]{1,3}[: .]|\u{a0}|// ",
        ) {
            let lines: Vec<_> = GOOD.lines().map(|line| format!("{front}{line}")).collect();
            let text = lines.join("\n") + "\n";
            let found = BadMark::find(&text).unwrap();
            prop_assert_eq!(mended(&text, found.label), GOOD);
        }
    }
}
