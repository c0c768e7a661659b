//! Redaction: leaves out of an operator's text what must not be shown in a message.
//!
//! A message is copied into chats and bug reports, and a log is read by more people
//! than a key file. So whatever may be a key, a token or a password is left out of it,
//! wherever in the text it stands.

use std::borrow::Cow;

/// Placeholder for what was left out.
pub const HIDDEN: &str = "***";

/// Length of a word that may be a key, in characters. A password is shorter, and nobody
/// can tell it from a name.
const WORD: usize = 16;
/// Length of a text that is a key as a whole.
const KEY: usize = 32;
/// Length of a run of letters and digits that makes a longer text a key.
const SAID_RUN: usize = 8;
/// Prefixes of keys that say so themselves.
const SAID: [&str; 12] = [
    "AGE-SECRET-KEY-",
    "AKIA",
    "eyJ",
    "ghp_",
    "github_pat_",
    "glpat-",
    "hvs.",
    "sk-",
    "sk_live_",
    "ssh-ed25519 ",
    "ssh-rsa ",
    "xoxb-",
];

/// Signs that end the name of a user in an address: also as Chinese keyboards have it,
/// and percent-encoded.
const ATS: [&str; 3] = ["@", "＠", "%40"];
/// Marks in an address behind which secrets stand.
const BEHIND: [&str; 13] = [
    "?",
    "#",
    "？",
    "＃",
    "%3f",
    "%23",
    "token=",
    "key=",
    "password=",
    "passwd=",
    "secret=",
    "auth=",
    "sign=",
];

/// Returns `text` without what may be secret in it: keys whole, the user name and
/// password of an address, what stands behind its `?` or `#`, and words that look
/// as keys do.
///
/// A password may hold any sign, `/`, `?` and `@` too, where somebody pasted it as
/// it is. So everything up to the last `@` counts as one: to show too little of a
/// path does no harm.
pub fn shown(text: &str) -> Cow<'_, str> {
    if holds_key(text) {
        return HIDDEN.into();
    }
    // What stands before it may be a password, too.
    let is_scheme = |begin: &str| {
        begin.len() < WORD
            && begin
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let (scheme, rest) = match text.find("://") {
        Some(at) if is_scheme(&text[..at]) => text.split_at(at + 3),
        _ => ("", text),
    };
    // Without a scheme only `user:password@` is no e-mail address.
    let user = without_user(rest).filter(|behind| {
        let before = &rest[..rest.len() - behind.len()];
        !scheme.is_empty() || before.contains([':', '：', '/']) || before.contains("%3")
    });
    let behind = user.unwrap_or(rest);
    let query = behind_marks(behind).or_else(|| behind_colons(behind));
    let plain = &behind[..query.unwrap_or(behind.len())];
    let words = without_words(plain);
    if user.is_none() && query.is_none() && words == plain {
        return text.into();
    }
    let mut shown = without_words(scheme);
    if user.is_some() {
        shown.push_str(HIDDEN);
    }
    shown.push_str(&words);
    if query.is_some() {
        shown.push_str(HIDDEN);
    }
    shown.into()
}

/// Returns what stands behind the name and password of a user, from the sign on that
/// ends them; `None` where there are none.
pub fn without_user(text: &str) -> Option<&str> {
    let last = ATS.iter().filter_map(|at| text.rfind(at)).max()?;
    Some(&text[last..])
}

/// Returns the place behind the first mark, if anything stands there.
fn behind_marks(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let ends = BEHIND
        .iter()
        .filter_map(|mark| Some(lower.find(mark)? + mark.len()));
    ends.min().filter(|end| *end < text.len())
}

/// Returns the place behind a third colon, if anything stands there: no host and port
/// have one, but a name and a password that were put behind them. IPv6 and MAC
/// addresses have nothing but digits between theirs.
fn behind_colons(text: &str) -> Option<usize> {
    let host = &text[..text.find('/').unwrap_or(text.len())];
    let is_address = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '[' | ']' | '.');
    let (third, _) = host.match_indices([':', '：']).nth(2)?;
    (!host.chars().all(is_address))
        .then(|| third + host[third..].chars().next().map_or(0, char::len_utf8))
}

/// Endings of the names of JSON fields whose values are secret.
const FIELDS: [&str; 11] = [
    "authorization",
    "credential",
    "credentials",
    "hmac",
    "key",
    "passwd",
    "password",
    "pwd",
    "secret",
    "signature",
    "token",
];

/// Returns whether a field of this name has a value that is secret.
pub fn is_secret(field: &str) -> bool {
    let lower = field.to_ascii_lowercase();
    FIELDS.iter().any(|name| lower.ends_with(name))
}

/// Returns a stranger's text, be it words, addresses or JSON that may be cut off,
/// without what may be secret in the addresses and fields in it.
pub fn said(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>');
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(ends).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        let is_address = piece.contains("://")
            || ATS.iter().any(|at| piece.contains(at))
            || piece
                .find(['?', '？'])
                .is_some_and(|at| piece[at..].contains('='));
        said.push_str(&if is_address {
            shown(piece)
        } else {
            piece.into()
        });
        let sign = behind.chars().next();
        said.extend(sign);
        rest = &behind[sign.map_or(0, char::len_utf8)..];
        // The mark of its own may be escaped.
        if sign == Some('"')
            && is_secret(piece.trim_end_matches('\\'))
            && let Some((before, behind)) = field_value(rest)
        {
            said.push_str(before);
            said.push_str(HIDDEN);
            rest = behind;
        }
    }
    said
}

/// Splits what follows a JSON field's name at its value, if there is one: what stands
/// in front of the value, and what behind it. A text ends at the mark that is escaped
/// as often as its first one; a list or a mapping is taken for all that is left.
fn field_value(text: &str) -> Option<(&str, &str)> {
    let blank = |c: char| c.is_whitespace() || c == '\\';
    let behind_colon = text
        .trim_start_matches(char::is_whitespace)
        .strip_prefix(':')?;
    let value = behind_colon.trim_start_matches(blank);
    let before = |rest: &str| &text[..text.len() - rest.len()];
    let Some(inner) = value.strip_prefix('"') else {
        let end = if value.starts_with(['[', '{']) {
            value.len()
        } else {
            value.find([',', '}', '\n']).unwrap_or(value.len())
        };
        return (end > 0).then(|| (before(value), &value[end..]));
    };
    let escapes = |text: &str| text.len() - text.trim_end_matches('\\').len();
    let first = escapes(before(value));
    let mut marks = inner.match_indices('"').map(|(at, _)| at);
    let end = marks.find(|at| escapes(&inner[..*at]) == first);
    Some((before(inner), end.map_or("", |end| &inner[end - first..])))
}

/// Returns a name that somebody chose, such as a key of a mapping, without what may
/// be secret in it: `auth_key:hush` and `auth_key=hush` lack a blank. MAC addresses
/// are names.
pub fn name(text: &str) -> Cow<'_, str> {
    let is_mac = text.split(':').count() == 6
        && text
            .split(':')
            .all(|pair| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit()));
    let ends = |c: char| ":=：＝\"'{,;|>".contains(c);
    match text.find(ends) {
        Some(at) if !is_mac && !holds_key(text) => {
            let sign = text[at..].chars().next().map_or(0, char::len_utf8);
            let (begin, end) = text.split_at(at + sign);
            let hidden = if end.is_empty() { "" } else { HIDDEN };
            format!("{}{hidden}", shown(begin)).into()
        }
        _ if is_mac => text.into(),
        _ => shown(text),
    }
}

/// Returns whether a text holds a key in one of the forms in which keys are kept: PEM,
/// whole or in pieces, a JSON key, one that says what it is, or nothing but base64 or
/// hexadecimal digits, in whatever lines. A path is no base64, though its signs may all
/// be, and a name of several words is none.
pub fn holds_key(text: &str) -> bool {
    let text = text.trim();
    let says_so = |said: &&str| {
        let rest = text.strip_prefix(*said);
        rest.is_some_and(|rest| runs(rest).any(|run| run.len() >= SAID_RUN && is_mixed(run)))
    };
    if ["-----BEGIN", "-----END", "PRIVATE KEY", "\"kty\""]
        .iter()
        .any(|mark| text.contains(mark))
        || SAID.iter().any(says_so)
    {
        return true;
    }
    let is_path = ["/", "./", "../", "~/"]
        .iter()
        .any(|begin| text.starts_with(begin));
    let signs: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if signs.len() < KEY {
        return false;
    }
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_');
    let is_hex = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '-' | ',');
    let digits = signs.chars().filter(char::is_ascii_hexdigit).count();
    let mixed = runs(&signs).filter(|run| run.len() >= SAID_RUN && is_mixed(run));
    let mixed: usize = mixed.map(str::len).sum();
    !is_path && signs.chars().all(is_base64) && 2 * mixed >= signs.len()
        || signs.chars().all(is_hex) && digits >= KEY
}

/// Returns the runs of letters and digits without a sign between them.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|run| !run.is_empty())
}

/// Hides the words that look as keys do.
fn without_words(text: &str) -> String {
    let is_sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '=' | '-' | '_');
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_sign(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        shown.push_str(if is_random(word) { HIDDEN } else { word });
        let sign = behind.chars().next().map_or(0, char::len_utf8);
        shown.push_str(&behind[..sign]);
        rest = &behind[sign..];
    }
    shown
}

/// Returns whether a text is as long and as mixed as a key is, or a UUID. Names of
/// boards are long and mixed, too, but not between two of their signs.
pub fn is_random(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    let is_uuid =
        lengths.eq([8, 4, 4, 4, 12]) && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    is_uuid || runs(text).any(|run| run.len() >= WORD && is_mixed(run))
}

/// Returns whether letters and digits stand in no order that a person would choose. In
/// most random texts every second to fourth sign is of another kind (small letter,
/// capital, digit) than the one before it, in a name fewer; hexadecimal digits are told
/// by being nothing else.
fn is_mixed(run: &str) -> bool {
    let kind = |c: char| match c {
        'a'..='z' => Some(0),
        'A'..='Z' => Some(1),
        '0'..='9' => Some(2),
        _ => None,
    };
    let kinds: Vec<u8> = run.chars().filter_map(kind).collect();
    let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let is_hex = run.len() >= WORD && run.bytes().all(|b| b.is_ascii_hexdigit());
    kinds.contains(&2) && (4 * changes >= kinds.len() || is_hex && changes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_may_be_secret_is_left_out() {
        for (text, expected) in [
            ("192.168.1.7:1883", "192.168.1.7:1883"),
            ("me@example.com", "me@example.com"),
            ("https://me:pa/ss?w#o@rd@h/a?b", "https://***@h/a?***"),
            ("device:pa/ss@h:1883", "***@h:1883"),
            (
                "/home/Alice/Documents/SmartHome/Xiaozhi/Esp32/Firmware/Releases/Stable2",
                "/home/Alice/Documents/SmartHome/Xiaozhi/Esp32/Firmware/Releases/Stable2",
            ),
            (
                "device:hush@mqtt.example.com:1883",
                "***@mqtt.example.com:1883",
            ),
            ("https://device:hush@h/a", "https://***@h/a"),
            ("https://hush@h", "https://***@h"),
            ("https://a:hu@sh@h:1/x@y", "https://***@y"),
            ("wss://h/v1/?token=hush", "wss://h/v1/?***"),
            ("wss://h?", "wss://h?"),
            ("wss://h/#hush", "wss://h/#***"),
            ("http:/device:hush@h/a", "***@h/a"),
            ("//device:hush@h/a", "***@h/a"),
            ("device：hush＠h/a", "***＠h/a"),
            ("device%3Ahush%40h/a", "***%40h/a"),
            ("http://h1/a http://u:hush@h2/b", "http://***@h2/b"),
            ("30:2e:02:01:00:30", "30:2e:02:01:00:30"),
            (
                "30:2e:02:01:00:30:05:06:03:2b:65:70:04:22:04:20:d4:ee:72:db:f9:13:58:4a:d5:b6:d8:f1:f7:69:f8:ad:3a:fe:7c:28:cb:f1:d4:fb:e0:97:a8:8f:44:75:58:42",
                "***",
            ),
            (
                "MC4CAQAwBQYDK2VwBCIEIJ+D\nYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9q\nfSnF",
                "***",
            ),
            ("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "***"),
            ("{\"kty\":\"OKP\",\"d\":\"hush\"}", "***"),
            ("eyJhbGciOiJIUzI1NiJ9.e30.hush", "***"),
            ("AGE-SECRET-KEY-1QQPQ3Z9", "***"),
            ("sk-proj-9aK3hushX7bQ", "***"),
            ("wss://h/ghx7Kp2vT9wQ4sLm1a/b", "wss://h/***/b"),
            ("wss://h/deadbeefcafe0123456789012345abcd/", "wss://h/***/"),
            (
                "wss://h/7b94d69a-9808-4c59-9c9b-704333b38aff/",
                "wss://h/***/",
            ),
            ("wss://h/v1/？token=hush", "wss://h/v1/？***"),
            ("wss://h/v1/%3Ftoken=hush", "wss://h/v1/%3F***"),
            ("wss://h&token=hush:x/", "wss://h&token=***"),
            ("h:1883:user:hush", "h:1883:user:***"),
            ("[fd00::7:1]:1883", "[fd00::7:1]:1883"),
            ("aa:bb:cc:dd:ee:ff", "aa:bb:cc:dd:ee:ff"),
            ("192.168.1:4:8015", "192.168.1:4:8015"),
            ("esp32-s3-touch-lcd-1.46", "esp32-s3-touch-lcd-1.46"),
            (
                "esp32-p4-wifi6-touch-lcd-7b-1024x600",
                "esp32-p4-wifi6-touch-lcd-7b-1024x600",
            ),
            (
                "lichuangdevesp32s3_1.6.6.bin",
                "lichuangdevesp32s3_1.6.6.bin",
            ),
            ("sk-firmware-images", "sk-firmware-images"),
            ("data/a-----b", "data/a-----b"),
            ("-----BEGIN PRIVATE KEY-----\nhush", "***"),
            ("-----BEGIN EC PRIVATE KEY-----\\nhush\\n-----END", "***"),
            (
                "/etc/letsencrypt/live/ota.example.com/privkey.pem",
                "/etc/letsencrypt/live/ota.example.com/privkey.pem",
            ),
            (
                "MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF",
                "***",
            ),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_somebody_said_is_shown_without_it() {
        for (text, expected) in [
            (
                "HTTP/1.1 301 Moved\nLocation: https://me:hush@h/a?b",
                "HTTP/1.1 301 Moved\nLocation: https://***@h/a?***",
            ),
            (
                "{\"token\":\"hush\",\"url\":\"wss://h/?t=hush\"}",
                "{\"token\":\"***\",\"url\":\"wss://h/?***\"}",
            ),
            (
                "{\"mqtt\": {\"password\" : \"hu",
                "{\"mqtt\": {\"password\" : \"***",
            ),
            (
                "\"{\\\"token\\\":\\\"hush\\\"",
                "\"{\\\"token\\\":\\\"***\\\"",
            ),
            ("{\"a\": 1, \"key\"}", "{\"a\": 1, \"key\"}"),
            (
                "firmware.version: \"1.6.1\", 设备",
                "firmware.version: \"1.6.1\", 设备",
            ),
        ] {
            assert_eq!(said(text), expected);
        }
    }

    proptest! {
        #[test]
        fn a_password_is_never_shown(
            scheme in "(|https://|mqtt://)", user in "[a-z]{1,5}", password in "[/?#+=:@]{0,3}[A-Z]{8}[/?#+=:@]{0,3}",
            rest in "[a-z0-9./:?#]{0,20}",
        ) {
            let text = format!("{scheme}{user}:{password}@{rest}");
            let secret = password.trim_matches(|c: char| !c.is_ascii_uppercase());
            prop_assert!(!shown(&text).contains(secret), "{text}");
        }

        #[test]
        fn a_key_behind_a_name_is_not_shown(key in "auth_?key", between in "[:=] ?", secret in "[A-Z]{4,20}") {
            let text = format!("{key}{between}{secret}");
            prop_assert!(!name(&text).contains(&secret), "{}", name(&text));
        }

        #[test]
        fn any_text_can_be_shown(text in any::<String>()) {
            let _ = shown(&text);
            let _ = name(&text);
            let _ = said(&text);
        }
    }
}
