//! What of a text that an operator wrote may be shown in a message.
//!
//! A message is copied into chats and bug reports, and a log is read by more
//! people than a key file. So whatever may be a key, a token or a password is
//! left out of it, wherever in the text it stands.

use std::borrow::Cow;

/// What stands where something was left out.
pub const HIDDEN: &str = "***";

/// How long a run of base64 is that nobody types as a name, in characters. The
/// shortest private key (Ed25519, PKCS#8) has 64.
const KEY_LIKE: usize = 60;

/// Returns `text` without what may be secret in it: keys whole, the user name and
/// password of an address, and what stands behind its `?`.
///
/// A password may hold any sign, `/`, `?` and `@` too, where somebody pasted it as
/// it is. So everything up to the last `@` counts as one: to show too little of a
/// path does no harm.
pub fn shown(text: &str) -> Cow<'_, str> {
    if holds_key(text) {
        return HIDDEN.into();
    }
    let (scheme, rest) = match text.find("://") {
        Some(at) => text.split_at(at + 3),
        None => ("", text),
    };
    // Without a scheme only `user:password@` is no e-mail address.
    let user = rest
        .rfind('@')
        .filter(|at| !scheme.is_empty() || rest[..*at].contains(':'));
    let behind = &rest[user.unwrap_or(0)..];
    let query = behind.find('?').filter(|at| at + 1 < behind.len());
    if user.is_none() && query.is_none() {
        return text.into();
    }
    let mut shown = scheme.to_owned();
    if user.is_some() {
        shown.push_str(HIDDEN);
    }
    shown.push_str(&behind[..query.map_or(behind.len(), |at| at + 1)]);
    if query.is_some() {
        shown.push_str(HIDDEN);
    }
    shown.into()
}

/// Tells whether a text holds a key in one of the forms in which keys are kept:
/// PEM, whole or in pieces, or nothing but base64. A path is no base64, though its
/// signs may all be.
pub fn holds_key(text: &str) -> bool {
    let text = text.trim();
    let is_path = ["/", "./", "../", "~/"]
        .iter()
        .any(|begin| text.starts_with(begin));
    let is_sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let has = |kind: fn(&char) -> bool| text.chars().any(|c| kind(&c));
    let is_base64 = text.len() >= KEY_LIKE
        && !is_path
        && text.chars().all(|c| is_sign(c) || c.is_whitespace())
        && has(char::is_ascii_uppercase)
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_digit);
    text.contains("-----") || text.contains("PRIVATE KEY") || is_base64
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
        fn any_text_can_be_shown(text in any::<String>()) {
            let _ = shown(&text);
        }
    }
}
