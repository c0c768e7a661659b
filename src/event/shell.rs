//! Words of commands that people are told to type.

use super::unseen::is_unshown;
use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns a word as a shell takes it for one: in quotes where it holds more than letters,
/// digits and a few signs, and by number (bash, zsh and ksh read `$'…'`) what a line of
/// the log could not show as it is. What begins with a dash is no option.
pub(crate) fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:@%+=,".contains(c);
    let word: Cow<'_, str> = if word.starts_with('-') {
        format!("./{word}").into()
    } else {
        word.into()
    };
    if !word.is_empty() && word.chars().all(is_plain) {
        return word;
    }
    if !word.chars().any(is_unshown) {
        return format!("'{}'", word.replace('\'', r"'\''")).into();
    }
    let mut quoted = "$'".to_owned();
    // Writing to a String cannot fail.
    for c in word.chars() {
        let code = u32::from(c);
        let _ = match c {
            '\'' | '\\' => write!(quoted, "\\{c}"),
            c if c.is_ascii() && is_unshown(c) => write!(quoted, "\\x{code:02x}"),
            c if is_unshown(c) => write!(quoted, "\\U{code:08x}"),
            c => write!(quoted, "{c}"),
        };
    }
    (quoted + "'").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    #[test]
    fn what_is_plain_stays_and_all_else_is_quoted() {
        for (word, as_typed) in [
            ("/etc/ssl/a.pem", "/etc/ssl/a.pem"),
            ("/srv/固件/a_1.0.bin", "/srv/固件/a_1.0.bin"),
            ("a b", "'a b'"),
            ("Ann's", r"'Ann'\''s'"),
            ("$HOME`id`", "'$HOME`id`'"),
            ("a（1）", "'a（1）'"),
            ("~/a", "'~/a'"),
            ("", "''"),
            ("-rf", "./-rf"),
            ("-r f", "'./-r f'"),
            ("a\n'\\b", r"$'a\x0a\'\\b'"),
            ("a\u{202e}b", r"$'a\U0000202eb'"),
        ] {
            assert_eq!(quoted(word), as_typed);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_reads_the_word_that_was_meant(word in "[^-\0][^\0]{0,12}") {
            let bash = ["-c".into(), format!("printf %s {}", quoted(&word))];
            let read = Command::new("bash").env("LC_ALL", "C.UTF-8").args(bash).output();
            let read = read.unwrap().stdout;
            prop_assert_eq!(String::from_utf8_lossy(&read), word);
        }
    }
}
