//! Texts that stand for a key and are none.
//!
//! A configuration is often a template: something else was to fill in the key
//! before the server starts. Where that did not happen the template's own text
//! is the key, which everybody knows who has seen the template.

use crate::event::text::Text;
use xiaozhi_device::redact;

/// Beginnings of the texts of tools that were to fetch or open a key.
const SHUT: [&str; 29] = [
    "$ansible_vault",
    "-----begin",
    "1password:",
    "@microsoft.keyvault(",
    "age-encryption.org",
    "akv:",
    "ansible_vault",
    "arn:aws",
    "bitwarden:",
    "doppler:",
    "enc:",
    "gcp:",
    "gopass:",
    "hashivault:",
    "jasypt:",
    "keychain:",
    "keyring:",
    "keyvault:",
    "kms:",
    "lpass:",
    "projects/",
    "ref+",
    "sealed:",
    "secret:",
    "secretref",
    "secretsmanager:",
    "sops:",
    "ssm:",
    "vault:",
];
/// Beginnings of calls and indexes that open a key or ask for one.
const CALLS: [&str; 15] = [
    "aes",
    "cipher",
    "dec",
    "decrypt",
    "enc",
    "encrypted",
    "env",
    "file",
    "getenv",
    "lookup",
    "pgp",
    "ref",
    "secret",
    "sub",
    "vault",
];
/// Beginnings of the names of files.
const FILES: [&str; 20] = [
    "../",
    "./",
    "/app/",
    "/config/",
    "/data/",
    "/etc/",
    "/home/",
    "/media/",
    "/mnt/",
    "/opt/",
    "/root/",
    "/run/",
    "/secrets/",
    "/srv/",
    "/tmp/",
    "/usr/",
    "/users/",
    "/var/",
    "file:",
    "~/",
];
/// Beginnings of variables of some language; the name follows.
const VARIABLES: [&str; 15] = [
    "$env:",
    "%env(",
    "config.",
    "env.",
    "env:",
    "getenv ",
    "local.",
    "os.environ",
    "os.getenv",
    "process.env",
    "secretkeyref",
    "secrets.",
    "system.getenv",
    "valuefrom",
    "var.",
];
/// The words of templates, of which some ask for a key.
const WORDS: &str = "a access admin an and any app apikey api auth authentication authorization bar base be bit bits by char character characters chars \
    device empty false foo for from generated gateway hash hex hmac hub id in is iot it jwt key keys least length long manager me minimum mqtt mysecret new \
    no not of ok or ota own pass passphrase passwd password pwd private public random real rest same secret secure server \
    session sha shared sign signature signing some string strong super symmetric the this to token true unknown user value \
    var variable very voice websocket with xiaozhi";
/// Words that ask, or say that nothing is there.
const ASKING: &str = "actual change changeit changeme default dummy edit enter example fake fill fixme goes here hidden insert \
    masked missing modify must my none null placeholder please provide put redacted removed replace replaced sample set should some \
    supply tbd template todo type undefined unset update use write your yours";
const IN_CHINESE: [&str; 9] = [
    "你", "您", "请", "填", "替换", "密钥", "随机", "占位", "示例",
];
/// Length of a text that is a key whatever stands beside it.
const SHORT: usize = 6;

pub(super) const VARIABLE: Text = Text::new("没有填写的变量", "a variable that nobody filled in");
pub(super) const TEMPLATE: Text = Text::new("没有填写的模板", "a template that nobody filled in");

/// Says what kind of placeholder a text is; `None` for what may be a key.
pub(super) fn kind(text: &str) -> Option<Text> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let begins = |with: &[&str]| with.iter().any(|prefix| lower.starts_with(prefix));
    if is_variable(text, &lower) {
        Some(VARIABLE)
    } else if begins(&SHUT) || is_shut(text, &lower) {
        Some(Text::new(
            "由其他工具加密或本应由其取得的密钥",
            "a secret that another tool holds shut, or was to fetch",
        ))
    } else if begins(&FILES) || is_windows_path(text) {
        Some(Text::new(
            "文件名，而该文件不会被读取",
            "the name of a file, which is not read",
        ))
    } else if is_template(text) {
        Some(TEMPLATE)
    } else if is_filler(text, &lower) {
        Some(Text::new(
            "模板中占据密钥位置的词",
            "the word of a template that stands where the key should",
        ))
    } else {
        None
    }
}

/// Tells whether `open` and `close` stand in the text, one behind the other.
fn has_between(text: &str, open: &str, close: &str) -> bool {
    let begin = text.find(open);
    begin.is_some_and(|at| text[at + open.len()..].contains(close))
}

/// Returns what stands between the two, where they stand around the whole text.
fn within<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let inner = text.strip_prefix(open)?.strip_suffix(close)?;
    (!inner.is_empty()).then_some(inner)
}

/// Tells whether a text is a name as programs and templates have it. A random text is
/// none, though its signs may be those of one.
fn is_name(text: &str) -> bool {
    let is_sign = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | ':' | '/');
    let text = text.trim();
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(is_sign)
        && !redact::is_random(text)
}

/// Tells whether it is `${AUTH_KEY}`, with a default (`${AUTH_KEY:-none}`), or cut off.
pub(super) fn is_braced(text: &str) -> bool {
    text.match_indices("${").any(|(at, _)| {
        let inner = &text[at + 2..];
        let is_sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let name = &inner[..inner.find(|c| !is_sign(c)).unwrap_or(inner.len())];
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && inner[name.len()..]
                .chars()
                .next()
                .is_none_or(|end| matches!(end, '}' | ':' | '('))
    })
}

/// Tells whether it is a name as variables of the environment have it: `AUTH_KEY`.
fn is_capital(text: &str) -> bool {
    let is_sign = |c: char| c.is_ascii_uppercase() || matches!(c, '_' | '-');
    let letters = text.trim_end_matches(|c: char| c.is_ascii_digit());
    text.starts_with(is_sign) && letters.chars().all(is_sign)
}

fn is_variable(text: &str, lower: &str) -> bool {
    let behind_dollar = text.trim_start_matches('$');
    let is_snake = behind_dollar.contains('_')
        && behind_dollar
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let of_shell = behind_dollar.len() < text.len()
        && (is_capital(behind_dollar) || is_snake || is_phrase(behind_dollar));
    // What a call or an index asks for: `env("AUTH_KEY")`.
    let of_language = VARIABLES.iter().find_map(|begin| lower.strip_prefix(begin));
    let of_language = of_language.is_some_and(|rest| {
        let name = rest.trim_matches(|c: char| !c.is_alphanumeric());
        let has_digits = name.contains(|c: char| c.is_ascii_digit());
        rest.is_empty() || is_name(name) && (!has_digits || name.contains('_'))
    });
    is_braced(text)
        || has_between(text, "$(", ")")
        || has_between(text, "$[", "]")
        || has_between(text, "%(", ")s")
        || has_between(text, "%{", "}")
        || within(text, "%", "%").is_some_and(is_name)
        || of_shell
        || of_language
}

/// Tells whether another tool is asked: `op://vault/item`, `ENC[…]`, `!Ref Key`,
/// `{cipher}…`, `pass:folder/name`.
fn is_shut(text: &str, lower: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-._@:".contains(c))
    };
    let behind_word = |sign: &str| {
        let (word, rest) = text.split_once(sign)?;
        is_word(word).then_some(rest)
    };
    let is_address = behind_word("://").is_some();
    // What is between the two is a name, or what a known tool has locked.
    let is_call = |open: &str, close: &str| {
        let inner = text
            .strip_suffix(close)
            .and_then(|text| text.split_once(open));
        inner.is_some_and(|(word, inner)| {
            let is_plain = word
                .chars()
                .all(|c| c.is_ascii_alphabetic() || "_.".contains(c));
            let name = inner.trim_matches(['"', '\'', ' ']);
            let is_known = CALLS.contains(&word.to_ascii_lowercase().as_str());
            !word.is_empty()
                && !inner.is_empty()
                && (is_known || is_plain && is_name(name) && is_phrase(name))
        })
    };
    let is_tag = text
        .strip_prefix('!')
        .and_then(|tag| tag.split_once([' ', '|']));
    let is_cipher = text.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    let is_letters = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic());
    is_address
        || is_call("(", ")")
        || is_call("[", "]")
        || text
            .split_once("::")
            .is_some_and(|(word, _)| CALLS.contains(&word.to_ascii_lowercase().as_str()))
        || lower
            .strip_prefix("pass:")
            .is_some_and(|rest| rest.contains('/'))
        || is_tag.is_some_and(|(tag, _)| is_word(tag))
        || ["!secret", "!vault"].contains(&lower)
        || is_cipher.is_some_and(|(word, rest)| is_letters(word) && !rest.is_empty())
}

fn is_windows_path(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.next() == Some(':')
        && chars.next().is_some_and(|c| matches!(c, '\\' | '/'))
        || text.starts_with("\\\\")
}

fn is_template(text: &str) -> bool {
    let between = [("{{", "}}"), ("{%", "%}"), ("<%", "%>")];
    let around = [
        ("#{", "}#"),
        ("#{", "}"),
        ("@@", "@@"),
        ("##", "##"),
        ("__", "__"),
        ("[[", "]]"),
        ("((", "))"),
        ("{", "}"),
        ("<", ">"),
        ("[", "]"),
        ("(", ")"),
        ("@", "@"),
        ("#", "#"),
        ("`", "`"),
        ("\"", "\""),
        ("'", "'"),
        ("_", "_"),
        ("（", "）"),
        ("【", "】"),
        ("《", "》"),
        ("「", "」"),
        ("“", "”"),
    ];
    text.starts_with("{{")
        || text.starts_with("<%")
        || between
            .iter()
            .any(|(open, close)| has_between(text, open, close))
        || around
            .iter()
            .any(|(open, close)| within(text, open, close).is_some_and(is_name))
}

fn is_filler(text: &str, lower: &str) -> bool {
    let is_blank = |c: char| {
        matches!(
            c,
            'x' | 'X' | '*' | '.' | '-' | '_' | '?' | '…' | '#' | '•' | '＊'
        )
    };
    let letters = lower.chars().filter(char::is_ascii_alphanumeric).count();
    let chinese = text
        .chars()
        .filter(|c| c.is_alphabetic() && !c.is_ascii())
        .count();
    let words = IN_CHINESE
        .iter()
        .filter(|word| text.contains(**word))
        .count();
    let asks_in_chinese = letters < SHORT && (words > 1 || words == 1 && chinese < SHORT);
    is_phrase(lower)
        || asks_in_chinese
        || lower.contains("placeholder")
        || !text.is_empty() && text.chars().all(is_blank)
}

/// Tells whether a text is made of a template's words and nothing else, and asks for a
/// key or names one: `your-secret-key`, `AUTH_KEY`, `ChangeMe123`.
fn is_phrase(text: &str) -> bool {
    let letters: String = text
        .chars()
        .filter(char::is_ascii_alphabetic)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let counts_up = "12345678901234567890".starts_with(&digits);
    let others = text
        .chars()
        .any(|c| c.is_ascii_punctuation() && !"-_.!?*<>[]()".contains(c));
    // Words of another language are chosen, too, unless they ask for a key.
    let foreign = text.chars().any(|c| c.is_alphabetic() && !c.is_ascii());
    let is_chosen = foreign && !IN_CHINESE.iter().any(|word| text.contains(word));
    // Digits are few, as in `sha256`, or count up; others are chosen.
    if letters.is_empty() || digits.len() > 3 && !counts_up || others || is_chosen {
        return false;
    }
    // Whether the letters up to here are words, and whether one of them asks.
    let mut ends = vec![None; letters.len() + 1];
    ends[0] = Some((false, 0));
    for at in 0..letters.len() {
        let Some((asks, count)) = ends[at] else {
            continue;
        };
        let rest = &letters[at..];
        let row = rest.len() - rest.trim_start_matches('x').len();
        let words = WORDS.split_whitespace().map(|word| (word, false));
        let asking = ASKING.split_whitespace().map(|word| (word, true));
        let begun = words
            .chain(asking)
            .filter(|(word, _)| rest.starts_with(word));
        let crossed = (row > 2).then(|| (&rest[..row], true));
        for (word, here) in begun.chain(crossed) {
            let end = &mut ends[at + word.len()];
            let new = (asks || here, count + 1);
            *end = Some(end.map_or(new, |known: (bool, usize)| {
                (known.0 || new.0, known.1.max(new.1))
            }));
        }
    }
    let is_named = [
        "key",
        "keys",
        "secret",
        "token",
        "password",
        "passwd",
        "passphrase",
    ]
    .iter()
    .any(|word| letters.ends_with(word));
    ends[letters.len()].is_some_and(|(asks, count)| asks || is_named && count > 1)
}

#[cfg(test)]
mod tests;
