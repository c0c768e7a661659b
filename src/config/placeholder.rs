//! Texts that stand for a key and are none.
//!
//! A configuration is often a template: something else was to fill in the key
//! before the server starts. Where that did not happen the template's own text
//! is the key, which everybody knows who has seen the template.

/// What the text of another tool begins with that was to fetch or open a key.
const SHUT: [&str; 26] = [
    "!secret",
    "!vault",
    "$ansible_vault",
    "-----begin",
    "age-encryption.org",
    "akv:",
    "ansible_vault",
    "arn:aws",
    "bw://",
    "enc(",
    "enc:",
    "enc[",
    "gcp:",
    "keyring:",
    "kms:",
    "op://",
    "pass:",
    "projects/",
    "ref+",
    "secret:",
    "secretref",
    "sops:",
    "ssm:",
    "vault:",
    "{cipher}",
    "{vault}",
];
/// What the name of a file or a variable begins with.
const FILES: [&str; 9] = [
    "file:",
    "/run/",
    "/var/run/",
    "/etc/",
    "/secrets/",
    "/mnt/secrets",
    "~/",
    "./",
    "../",
];
const VARIABLES: [&str; 6] = [
    "env:",
    "env://",
    "env.",
    "$env:",
    "os.environ",
    "process.env",
];
/// How the words of a template begin and end that ask for a key.
const ASKING: [&str; 9] = [
    "your", "insert", "replace", "change", "enter", "put", "todo", "tbd", "fixme",
];
const ASKED_FOR: [&str; 10] = [
    "key", "secret", "token", "password", "me", "it", "here", "todo", "tbd", "fixme",
];
const WORDS: [&str; 3] = ["none", "null", "undefined"];
const IN_CHINESE: [&str; 7] = ["你", "您", "请", "填", "替换", "密钥", "随机"];

/// Says what kind of placeholder a text is; `None` for what may be a key.
pub(super) fn kind(text: &str) -> Option<&'static str> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let begins = |with: &[&str]| with.iter().any(|prefix| lower.starts_with(prefix));
    if is_variable(text) || begins(&VARIABLES) {
        Some("a variable that nobody filled in")
    } else if begins(&SHUT) {
        Some("a secret that another tool holds shut, or was to fetch")
    } else if is_template(text) {
        Some("a template that nobody filled in")
    } else if begins(&FILES) {
        Some("the name of a file, which is not read")
    } else if is_filler(text, &lower) {
        Some("the word of a template that stands where the key should")
    } else {
        None
    }
}

/// Whether `inner` stands between the two, somewhere in the text.
fn has_between(text: &str, open: &str, close: &str) -> bool {
    let begin = text.find(open);
    begin.is_some_and(|at| text[at + open.len()..].contains(close))
}

/// Whether the two stand around the whole text.
fn is_within(text: &str, open: &str, close: &str) -> bool {
    let inner = text.strip_prefix(open);
    let inner = inner.and_then(|rest| rest.strip_suffix(close));
    inner.is_some_and(|inner| !inner.is_empty())
}

fn is_variable(text: &str) -> bool {
    let is_name = |name: &str| {
        let mut chars = name.chars();
        let first = chars.next();
        first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    has_between(text, "${", "}")
        || has_between(text, "$(", ")")
        || text.strip_prefix('$').is_some_and(is_name)
        || is_within(text, "%", "%") && is_name(text.trim_matches('%'))
}

fn is_template(text: &str) -> bool {
    let between = [("{{", "}}"), ("{%", "%}"), ("<%", "%>")];
    let within = [
        ("#{", "}"),
        ("#{", "}#"),
        ("@", "@"),
        ("__", "__"),
        ("[[", "]]"),
        ("{", "}"),
        ("<", ">"),
    ];
    between
        .iter()
        .any(|(open, close)| has_between(text, open, close))
        || within
            .iter()
            .any(|(open, close)| is_within(text, open, close))
}

fn is_filler(text: &str, lower: &str) -> bool {
    let words: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    let is_blank = |c: char| matches!(c, 'x' | 'X' | '*' | '.' | '-' | '_' | '?' | '…');
    let asks = ASKING.iter().any(|word| words.starts_with(word))
        && ASKED_FOR.iter().any(|word| words.ends_with(word));
    asks || WORDS.contains(&words.as_str())
        || IN_CHINESE.iter().any(|word| text.contains(word))
        || lower.contains("placeholder")
        || !text.is_empty() && text.chars().all(is_blank)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_the_world_knows_is_no_key() {
        for text in [
            "${AUTH_KEY}",
            "${AUTH_KEY:-none}",
            "prefix-${AUTH_KEY}",
            "$AUTH_KEY",
            "$(cat key)",
            "%AUTH_KEY%",
            "{{ auth_key }}",
            "{{auth_key}}-1",
            "<%= auth_key %>",
            "#{AUTH_KEY}#",
            "@@AUTH_KEY@@",
            "__AUTH_KEY__",
            "{auth_key}",
            "ENC[AES256_GCM,data:xyz,iv:abc,tag:def,type:str]",
            "ENC(abc=)",
            "$ANSIBLE_VAULT;1.1;AES256",
            "vault:secret/data/xiaozhi#auth_key",
            "op://vault/item/field",
            "ref+vault://secret/xiaozhi",
            "arn:aws:secretsmanager:x",
            "{cipher}AQB",
            "env:AUTH_KEY",
            "file:///run/secrets/auth_key",
            "/run/secrets/auth_key",
            "<your-auth-key>",
            "your-secret-key",
            "your_auth_key",
            "YOUR_KEY_HERE",
            "changeme",
            "change-me",
            "xxxxxxxx",
            "********",
            "请填写密钥",
            "-----BEGIN PGP MESSAGE-----",
        ] {
            assert!(kind(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_may_be_a_key_is_left_alone() {
        for text in [
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "7b94d69a-9808-4c59-9c9b-704333b38aff",
            "hush-hush",
            "a$b{c}d%e",
            "/aB3dEfGhIjKlMnOpQrStUvWxYz0123456789+=",
            "golden-key",
            "Sig-Key-123",
            "correct horse battery staple",
            "k",
        ] {
            assert_eq!(kind(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn random_keys_are_keys(hex in "[0-9a-f]{32}", base64 in "[A-Za-z0-9+]{43}=") {
            prop_assert_eq!(kind(&hex), None);
            prop_assert_eq!(kind(&base64), None);
        }

        #[test]
        fn any_text_is_judged(text in any::<String>()) {
            let _ = kind(&text);
        }
    }
}
