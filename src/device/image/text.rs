//! Texts in place of an image: pages and answers of servers, stand-ins, sources, and bytes
//! that are written as text.

use super::ImageFault;
use super::lookalike::Lookalike;

/// The beginning of a text.
pub(super) struct Text {
    encoding: &'static str,
    /// The text, as far as it is ASCII.
    content: String,
}

/// Reads the beginning of a file, or all of it if `is_whole`, as a text.
pub(super) fn read(bytes: &[u8], is_whole: bool) -> Option<Text> {
    let text = |encoding, content: String| {
        let is_clean =
            !content.contains(|c: char| c.is_control() && !c.is_ascii_whitespace() && c != '\x1b');
        (is_clean && !content.trim().is_empty()).then_some(Text { encoding, content })
    };
    let has = |mark: &[u8]| bytes.starts_with(mark);
    if has(b"\xff\xfe") || has(b"\xfe\xff") {
        let units = utf16(&bytes[2..], has(b"\xfe\xff"))?;
        return text("UTF-16", units);
    }
    if let Some(content) = utf8(bytes, is_whole) {
        if let Some(found) = text("UTF-8", content.trim_start_matches('\u{feff}').to_owned()) {
            return Some(found);
        }
        // Windows leaves the mark out at times: every other byte is then zero.
        return [true, false]
            .into_iter()
            .filter(|is_big| bytes.len() >= 4 && bytes[usize::from(!*is_big)] == 0)
            .find_map(|is_big| text("UTF-16", utf16(bytes, is_big)?));
    }
    gbk(bytes, is_whole).and_then(|content| text("GBK", content))
}

/// The bytes as UTF-8; a letter that is cut off at the end of a part is left out.
fn utf8(bytes: &[u8], is_whole: bool) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(e) if !is_whole && e.error_len().is_none() => {
            std::str::from_utf8(&bytes[..e.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

fn utf16(bytes: &[u8], is_big: bool) -> Option<String> {
    let (units, _) = bytes.as_chunks::<2>();
    let unit = if is_big {
        u16::from_be_bytes
    } else {
        u16::from_le_bytes
    };
    let units = units.iter().map(|bytes| unit(*bytes));
    // The last one may be half of a letter.
    let letters: Vec<_> = char::decode_utf16(units).collect();
    let end = letters.len().saturating_sub(1);
    letters
        .into_iter()
        .enumerate()
        .filter(|(at, letter)| *at < end || letter.is_ok())
        .map(|(_, letter)| letter.ok())
        .collect()
}

/// Pairs of bytes as GBK has them, in between ASCII; what they say is not looked at.
fn gbk(bytes: &[u8], is_whole: bool) -> Option<String> {
    let mut content = String::new();
    let mut rest = bytes;
    while let [first, behind @ ..] = rest {
        rest = behind;
        match (first, rest) {
            (0..=0x7F, _) => content.push(char::from(*first)),
            (0x81..=0xFE, [0x40..=0x7E | 0x80..=0xFE, behind @ ..]) => {
                rest = behind;
                content.push(char::REPLACEMENT_CHARACTER);
            }
            (0x81..=0xFE, []) if !is_whole => {}
            _ => return None,
        }
    }
    Some(content)
}

impl Text {
    /// Tells what kind of text it is; an error for one that is secret.
    pub(super) fn kind(&self) -> Result<Lookalike, ImageFault> {
        let text = self.content.trim_start();
        let small = text.to_ascii_lowercase();
        if is_private_key(text) {
            return Err(ImageFault::PrivateKey);
        }
        // A device's console writes its memory there; the other is what an NVS partition is made
        // from.
        if text.contains("CORE DUMP START") {
            return Err(ImageFault::FlashPart { part: "core dump" });
        }
        if small.starts_with("key,type,encoding,value") {
            return Err(ImageFault::FlashPart { part: "NVS" });
        }
        let is_pointer = |line: &str| small.starts_with(line);
        Ok(
            if is_pointer("version https://git-lfs") || is_pointer("version https://hawser") {
                Lookalike::GitLfsPointer
            } else if small.starts_with('<') {
                markup(&small)
            } else if is_json(text) {
                Lookalike::Answer("JSON")
            } else if text.starts_with("diff --git ") && text.contains("\nGIT binary patch") {
                Lookalike::Delta("git")
            } else if let Some(format) = encoded(text) {
                Lookalike::Encoded(format)
            } else if is_partition_csv(&small) {
                Lookalike::PartitionCsv
            } else if is_source(text) {
                Lookalike::Source
            } else {
                Lookalike::Text(self.encoding)
            },
        )
    }
}

/// Tells whether a text is a private key, in one of the forms in which programs write theirs.
fn is_private_key(text: &str) -> bool {
    let has = |word: &str| text.contains(word);
    let packed = || {
        let signs = text.chars().filter(|c| !c.is_whitespace());
        signs.collect::<String>()
    };
    (has("-- BEGIN ") || has("--BEGIN ")) && has("PRIVATE KEY")
        || has("AGE-SECRET-KEY-")
        || text.starts_with("PuTTY-User-Key-File-")
        || text.starts_with("untrusted comment:") && has("secret key")
        || has("PrivateKey =") && has("[Interface]")
        || has("<RSAKeyValue>") && has("<D>")
        // A JWK, alone or in a set: RFC 7517.
        || has("\"kty\"") && {
            let packed = packed();
            packed.contains(r#""d":""#) || packed.contains(r#""k":""#)
        }
}

fn markup(text: &str) -> Lookalike {
    let page = [
        "<html",
        "<!doctype html",
        "<head",
        "<body",
        "<script",
        "<meta",
        "<title",
        "<!--",
    ];
    let is_page = page.iter().any(|tag| text.contains(tag));
    if is_page || !text.contains("<?xml") && !text.contains("</") {
        Lookalike::WebPage
    } else {
        Lookalike::Answer("XML")
    }
}

fn is_json(text: &str) -> bool {
    let value = |c: char| matches!(c, '{' | '[' | ']' | '"' | '-' | '0'..='9');
    match text.split_at_checked(1) {
        Some(("{", rest)) => rest.trim_start().starts_with(['"', '}']),
        Some(("[", rest)) => rest.trim_start().starts_with(value),
        _ => false,
    }
}

/// Names the format of bytes that are written as text.
fn encoded(text: &str) -> Option<&'static str> {
    let line = text.lines().next().unwrap_or_default().trim_end();
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let digits = |text: &str| text.len() >= 8 && is_hex(text);
    if line.strip_prefix(':').is_some_and(digits) {
        return Some("Intel HEX");
    }
    let record = line.strip_prefix('S').and_then(|rest| rest.get(1..));
    if record.is_some_and(digits) && line.as_bytes().get(1).is_some_and(u8::is_ascii_digit) {
        return Some("Motorola S-record");
    }
    if line.starts_with('@')
        && text
            .lines()
            .nth(1)
            .is_some_and(|line| is_hex(&line.replace(' ', "")))
    {
        return Some("TI-TXT");
    }
    let (place, rest) = line.split_once([' ', ':']).unwrap_or((line, ""));
    let bytes: String = rest
        .chars()
        .filter(|c| !matches!(c, ' ' | ':'))
        .take(8)
        .collect();
    if (6..=16).contains(&place.len()) && is_hex(place) && bytes.len() == 8 && is_hex(&bytes) {
        return Some("hex dump");
    }
    let letters = || text.bytes().filter(|b| !b.is_ascii_whitespace());
    if letters().count() < 64 {
        None
    } else if letters().all(|b| b.is_ascii_hexdigit()) {
        Some("hex digits")
    } else if letters().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
        && !line.contains(' ')
    {
        Some("Base64")
    } else {
        None
    }
}

/// Tells whether a line is one of ESP-IDF's `partitions.csv`.
fn is_partition_csv(text: &str) -> bool {
    text.lines().any(|line| {
        let mut fields = line.split(',').map(str::trim);
        let (_, kind, subtype) = (fields.next(), fields.next(), fields.next());
        let known = [
            "nvs", "ota", "phy", "spiffs", "factory", "ota_0", "ota_1", "fat", "subtype",
        ];
        matches!(kind, Some("app" | "data" | "type")) && subtype.is_some_and(|s| known.contains(&s))
    })
}

fn is_source(text: &str) -> bool {
    let begins = [
        "#include ",
        "#define ",
        "/*",
        "//",
        "import ",
        "const ",
        "function ",
        "def ",
        "module.exports",
        "\"use strict\"",
        "'use strict'",
        "set -e",
        "@echo off",
    ];
    let is_from = |line: &str| line.starts_with("from ") && line.contains(" import ");
    let mut lines = text.lines().take(40);
    text.starts_with("#!")
        || lines.any(|line| is_from(line) || begins.iter().any(|b| line.starts_with(b)))
}
