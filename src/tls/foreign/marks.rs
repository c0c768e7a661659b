//! Lines that are meant as marks of PEM and are none: chats, mail and word processors
//! change dashes, put signs in front of each line, and leave what nobody sees.

use super::der;
use crate::event::Value;
use crate::event::text::Text;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

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
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let lines: Vec<_> = text.split('\n').collect();
        let mut open = None;
        for (at, line) in lines.iter().enumerate() {
            let behind = lines.get(at + 1..).unwrap_or_default();
            let Some((mark, label)) = meant(line, behind, open) else {
                continue;
            };
            open = mark.starts_with("-----BEGIN ").then_some(label);
            let line = line.trim_end_matches(' ');
            if line == mark {
                continue;
            }
            let signs = line.chars().map(Some).chain([None]);
            let due = mark.chars().map(Some).chain([None]);
            let (column, (sign, due)) = signs.zip(due).enumerate().find(|(_, (a, b))| a != b)?;
            return Some(Self {
                line: at + 1,
                column: column + 1,
                sign: shown(sign),
                due: shown(due),
                mark,
                label,
            });
        }
        None
    }

    /// Returns the command that mends the file, if that is one that holds a whole block
    /// then; else what to do instead. `file` is a word of a shell.
    pub(super) fn command(&self, text: &str, file: &str) -> Value {
        if !is_whole(&mended(text, self.label), self.label) {
            return AGAIN.into();
        }
        let label = self.label;
        let last = last_word(label);
        let mark = |word: &str| format!("s/.*{word}.*{last}.*/-----{word} {label}-----/I");
        let (begin, end) = (mark("BEGIN"), mark("END"));
        format!(
            "LC_ALL=C sed -E 's/[^\\t -~]//g;{begin};{end};/^-----/!{{s|[^A-Za-z0-9+/=]+$||;s|.*[^A-Za-z0-9+/=]||}}' \
             {file} > {file}.pem"
        )
        .into()
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

/// Tells whether a text has blocks of a label, each with DER that is as long as it says.
fn is_whole(text: &str, label: &str) -> bool {
    let (begin, end) = (
        format!("-----BEGIN {label}-----\n"),
        format!("\n-----END {label}-----"),
    );
    let mut blocks = text.split(&begin).skip(1).peekable();
    let is_good = |block: &str| {
        let inner = block.split_once(&end).map(|(inner, _)| inner);
        let content = inner.and_then(|inner| STANDARD.decode(inner.replace('\n', "")).ok());
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
