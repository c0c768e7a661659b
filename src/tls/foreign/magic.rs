//! Files that their first bytes tell: key stores, archives, what is shut, wide texts.

use super::Found;
use crate::event::{Event, event};

/// Beginnings of keys as Windows keeps them, with their names, and openssl's.
const MICROSOFT: &[(&[u8], &str, &str)] = &[
    (b"\x1e\xf1\xb5\xb0", "PVK", "PVK"),
    (b"\x07\x02\0\0\0\xa4\0\0RSA2", "PRIVATEKEYBLOB", "MSBLOB"),
];

/// Beginnings of key stores of Java, with keytool's names of them and what it needs.
const KEY_STORES: [(&[u8], &str, &str); 5] = [
    (b"\xfe\xed\xfe\xed", "JKS", ""),
    (b"\xce\xce\xce\xce", "JCEKS", ""),
    (b"\0\0\0\x02\0\0\0\x14", "BKS", CASTLE),
    (b"\0\0\0\x01\0\0\0\x14", "BKS", CASTLE),
    (b"\0\0\0\x01\0\0\0\x10", "UBER", CASTLE),
];
const CASTLE: &str =
    " -providerclass org.bouncycastle.jce.provider.BouncyCastleProvider -providerpath bcprov.jar";

/// Returns the encoding of a text of two or four bytes a character, as iconv names it.
pub(super) fn encoding(content: &[u8]) -> Option<&'static str> {
    for (begin, encoding) in [
        (b"\xff\xfe\0\0", "UTF-32"),
        (b"\0\0\xfe\xff", "UTF-32"),
        (b"-\0\0\0", "UTF-32LE"),
        (b"\0\0\0-", "UTF-32BE"),
    ] {
        if content.starts_with(begin) {
            return Some(encoding);
        }
    }
    if content.starts_with(b"\xff\xfe") || content.starts_with(b"\xfe\xff") {
        return Some("UTF-16");
    }
    let head = content.get(..64).unwrap_or(content);
    let is_text = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let zeros = |odd: usize| {
        let mut pairs = head.chunks_exact(2);
        head.len() >= 8 && pairs.all(|pair| pair[odd] == 0 && is_text(pair[1 - odd]))
    };
    match (zeros(0), zeros(1)) {
        (false, true) => Some("UTF-16LE"),
        (true, false) => Some("UTF-16BE"),
        _ => None,
    }
}

/// Names what its first bytes tell.
pub(super) fn named(found: Found<'_>, content: &[u8]) -> Option<Event> {
    let file = &found.word();
    let begins = |with: &[&[u8]]| with.iter().any(|with| content.starts_with(with));
    for (magic, format, with) in KEY_STORES {
        if content.starts_with(magic) {
            let command = format!(
                "keytool -importkeystore -srckeystore {file} -srcstoretype {format}{with} -destkeystore {file}.p12 \
                 -deststoretype PKCS12"
            );
            return Some(event!(PAIR_KEY_STORE, format = format, command = command));
        }
    }
    if begins(&[
        b"SQLite format 3\0",
        b"\x00\x06\x15\x61",
        b"\x61\x15\x06\x00",
    ]) {
        return Some(event!(PAIR_NSS));
    }
    for (magic, format, tool) in MICROSOFT {
        if content.starts_with(magic) {
            let command = format!("openssl rsa -inform {tool} -in {file} -out {file}.pem");
            return Some(event!(PAIR_FORMAT, format = *format, command = command));
        }
    }
    let archives: [(&[u8], _, String); 7] = [
        (b"PK\x03\x04", "zip", format!("unzip {file}")),
        (
            b"\x1f\x8b",
            "gzip",
            format!("tar xzf {file} || gunzip {file}"),
        ),
        (b"7z\xbc\xaf\x27\x1c", "7z", format!("7z x {file}")),
        (b"Rar!", "rar", format!("unrar x {file}")),
        (b"BZh", "bzip2", format!("tar xjf {file}")),
        (b"\xfd7zXZ\x00", "xz", format!("tar xJf {file}")),
        (
            b"\x28\xb5\x2f\xfd",
            "zstd",
            format!("tar --zstd -xf {file}"),
        ),
    ];
    for (magic, format, command) in archives {
        if content.starts_with(magic) {
            return Some(event!(PAIR_ARCHIVE, format = format, command = command));
        }
    }
    if content.get(257..262) == Some(b"ustar") {
        let command = format!("tar xf {file}");
        return Some(event!(PAIR_ARCHIVE, format = "tar", command = command));
    }
    let locks: [(&[u8], _, String); 7] = [
        (
            b"age-encryption.org/",
            "age",
            format!("age -d -i KEY {file} > {file}.pem"),
        ),
        (
            b"-----BEGIN AGE ",
            "age",
            format!("age -d -i KEY {file} > {file}.pem"),
        ),
        (
            b"$ANSIBLE_VAULT;",
            "ansible-vault",
            format!("ansible-vault decrypt {file}"),
        ),
        (
            b"\x00GITCRYPT\x00",
            "git-crypt",
            "git-crypt unlock".to_owned(),
        ),
        (
            b"Salted__",
            "openssl enc",
            format!("openssl enc -d -aes-256-cbc -pbkdf2 -in {file} -out {file}.pem"),
        ),
        (
            b"U2FsdGVkX1",
            "openssl enc",
            format!("openssl enc -d -a -aes-256-cbc -pbkdf2 -in {file} -out {file}.pem"),
        ),
        (b"ENC[", "sops", format!("sops -d {file} > {file}.pem")),
    ];
    for (magic, tool, command) in locks {
        if content.starts_with(magic) {
            return Some(event!(PAIR_LOCKED, tool = tool, command = command));
        }
    }
    None
}
