//! What of a text that an operator wrote may be shown in a message.
//!
//! A message is copied into chats and bug reports, and a log is read by more
//! people than a key file. So whatever may be a key, a token or a password is
//! left out of it, wherever in the text it stands.

use std::borrow::Cow;

/// What stands where something was left out.
pub const HIDDEN: &str = "***";

/// How long a word is that may be a key, in characters. A password is shorter, and
/// nobody can tell it from a name.
const WORD: usize = 16;
/// How long a text is that is a key as a whole.
const KEY: usize = 32;
/// How keys begin that say so themselves.
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
    let user = last_at(rest).filter(|at| {
        let before = &rest[..at.0];
        !scheme.is_empty() || before.contains([':', '：', '/']) || before.contains("%3")
    });
    let behind = &rest[user.map_or(0, |at| at.0)..];
    let query = behind.find(['?', '#']).filter(|at| at + 1 < behind.len());
    let plain = &behind[..query.map_or(behind.len(), |at| at + 1)];
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

/// The fields of JSON whose values are secret, as their names end.
const FIELDS: [&str; 7] = [
    "token\"",
    "password\"",
    "passwd\"",
    "secret\"",
    "key\"",
    "authorization\"",
    "hmac\"",
];

/// Returns what somebody said, be it words, addresses or JSON that may be cut off,
/// without what may be secret in the addresses and fields in it.
pub fn said(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '<' | '>' | '(' | ')');
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(ends).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        let is_address = piece.contains("://")
            || piece.contains(['@', '＠'])
            || piece.find('?').is_some_and(|at| piece[at..].contains('='));
        said.push_str(&if is_address {
            shown(piece)
        } else {
            piece.into()
        });
        let sign = behind.chars().next();
        said.extend(sign);
        rest = &behind[sign.map_or(0, char::len_utf8)..];
        let lower = said
            .len()
            .checked_sub(20)
            .and_then(|at| said.get(at..))
            .unwrap_or(&said);
        let lower = lower.to_ascii_lowercase().replace('\\', "");
        if sign == Some('"') && FIELDS.iter().any(|field| lower.ends_with(field)) {
            let (value, behind) = field_value(rest);
            if let Some(before) = value {
                said.push_str(before);
                said.push_str(HIDDEN);
                rest = behind;
            }
        }
    }
    said
}

/// What stands in front of a text of JSON behind its field's name, if one does, and
/// what behind it, from the mark that ends it on.
fn field_value(text: &str) -> (Option<&str>, &str) {
    let blank = |c: char| c.is_whitespace() || c == '\\';
    let value = text.trim_start_matches(blank).strip_prefix(':');
    let value = value.and_then(|value| value.trim_start_matches(blank).strip_prefix('"'));
    let Some(value) = value else {
        return (None, text);
    };
    let before = &text[..text.len() - value.len()];
    (
        Some(before),
        value.find('"').map_or("", |end| &value[end..]),
    )
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

/// Where the last sign stands that ends a user name: `@`, as Chinese keyboards have
/// it, or written out for an address. Its place, and its length.
fn last_at(text: &str) -> Option<(usize, usize)> {
    let ways = ["@", "＠", "%40"];
    let last = ways
        .iter()
        .filter_map(|way| Some((text.rfind(way)?, way.len())));
    last.max()
}

/// Tells whether a text holds a key in one of the forms in which keys are kept:
/// PEM, whole or in pieces, a JSON key, or nothing but base64 or hexadecimal
/// digits, in whatever lines. A path is no base64, though its signs may all be.
pub fn holds_key(text: &str) -> bool {
    let text = text.trim();
    if text.contains("-----")
        || text.contains("PRIVATE KEY")
        || text.contains("\"kty\"")
        || SAID
            .iter()
            .any(|said| text.starts_with(said) && text.len() >= WORD)
    {
        return true;
    }
    let is_path = ["/", "./", "../", "~/"]
        .iter()
        .any(|begin| text.starts_with(begin));
    let signs = || text.chars().filter(|c| !c.is_whitespace());
    let is_long = signs().count() >= KEY;
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_');
    let is_hex = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '-' | ',');
    let digits = signs().filter(char::is_ascii_hexdigit).count();
    is_long
        && (!is_path && signs().all(is_base64) && is_mixed(text)
            || signs().all(is_hex) && digits >= KEY)
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

/// Tells whether a text is as long and as mixed as a key is.
pub fn is_random(text: &str) -> bool {
    text.len() >= WORD && is_mixed(text)
}

/// Tells whether letters and digits stand in no order that a person would choose:
/// in random text every second sign is of another kind than the one before it
/// (small letter, capital, digit), in a name every seventh or less.
fn is_mixed(text: &str) -> bool {
    let kind = |c: char| match c {
        'a'..='z' => Some(0),
        'A'..='Z' => Some(1),
        '0'..='9' => Some(2),
        _ => None,
    };
    let kinds: Vec<u8> = text.chars().filter_map(kind).collect();
    let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
    kinds.contains(&2) && 10 * changes >= 3 * kinds.len()
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
            ("AGE-SECRET-KEY-1QQPQ", "***"),
            ("sk-proj-hushhushhush", "***"),
            ("wss://h/ghx7Kp2vT9wQ4sLm1a/b", "wss://h/***/b"),
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
                "\"{\\\"token\\\":\\\"***\"",
            ),
            ("{\"token\": 1, \"key\"}", "{\"token\": 1, \"key\"}"),
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
