//! Files that stand in the configuration's place and are none: files that another tool holds
//! shut, that have another encoding, or are of another kind.

use crate::event::shell::quoted;
use crate::event::text::Text;
use crate::event::{Event, event};
use std::path::Path;

/// A line, if it is one that is at fault, and what is to be said of it.
pub(super) type Found = (Option<usize>, Event);

/// Judges the bytes of a file before anybody reads them as text. `file` is its name, for
/// the command that opens it.
pub(super) fn of_bytes(bytes: &[u8], file: &Path) -> Option<Found> {
    let word = quoted(&file.display().to_string()).into_owned();
    let shut = |tool: &str, open: &str| {
        let open = open.replace("FILE", &word);
        Some((Some(1), event!(CONFIG_SHUT, tool = tool, open = open)))
    };
    let is = |is: Text| Some((Some(1), event!(CONFIG_OTHER_FORMAT, is = is)));
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let begins = |begin: &[u8]| text.trim_ascii_start().starts_with(begin);
    if bytes.starts_with(b"\0GITCRYPT\0") {
        return shut("git-crypt", "git-crypt unlock");
    }
    if begins(b"$ANSIBLE_VAULT") {
        return shut("ansible-vault", "ansible-vault decrypt FILE");
    }
    if begins(b"age-encryption.org/") || begins(b"-----BEGIN AGE ENCRYPTED FILE-----") {
        return shut("age", "age --decrypt -i KEY FILE");
    }
    if begins(b"-----BEGIN PGP MESSAGE-----") || is_openpgp(bytes) {
        return shut("GnuPG", "gpg --decrypt FILE");
    }
    if bytes.starts_with(b"Salted__") || begins(b"U2FsdGVkX1") {
        return shut("openssl enc / transcrypt", "openssl enc -d -in FILE");
    }
    if begins(b"-----BEGIN PKCS7-----") || begins(b"-----BEGIN CMS-----") {
        return shut("openssl cms", "openssl cms -decrypt -inform PEM -in FILE");
    }
    if begins(b"version https://git-lfs.github.com/spec/") {
        return shut("Git LFS", "git lfs pull");
    }
    if begins(b"-----BEGIN ") {
        return is(Text::new(
            "证书或密钥（PEM）",
            "a certificate or a key (PEM)",
        ));
    }
    for (begin, what) in [
        (
            &b"PK\x03\x04"[..],
            Text::new(
                "一个 ZIP 或 Office 文件",
                "a ZIP archive or an Office document",
            ),
        ),
        (
            b"\x1f\x8b",
            Text::new("一个 gzip 压缩文件", "a gzip archive"),
        ),
        (b"7z\xbc\xaf", Text::new("一个 7z 压缩文件", "a 7z archive")),
        (b"Rar!", Text::new("一个 RAR 压缩文件", "a RAR archive")),
        (b"\xfd7zXZ", Text::new("一个 xz 压缩文件", "an xz archive")),
        (
            b"\x28\xb5\x2f\xfd",
            Text::new("一个 zstd 压缩文件", "a zstd archive"),
        ),
        (
            b"\xd0\xcf\x11\xe0",
            Text::new("一个 Office 文件", "an Office document"),
        ),
        (b"{\\rtf", Text::new("一个 RTF 文档", "an RTF document")),
        (b"%PDF", Text::new("一个 PDF 文档", "a PDF document")),
        (
            b"SQLite format",
            Text::new("一个 SQLite 数据库", "an SQLite database"),
        ),
        (b"\x7fELF", Text::new("程序", "a program")),
    ] {
        if bytes.starts_with(begin) {
            return is(what);
        }
    }
    encoding(bytes).map(|(encoding, line)| {
        let to =
            format!("iconv -f {encoding} -t UTF-8 {word} > {word}.new && mv {word}.new {word}");
        let valid = std::str::from_utf8(bytes).map_or_else(|e| e.valid_up_to(), str::len);
        let byte = if encoding == "GB18030" { valid } else { 0 };
        (
            Some(line),
            event!(
                CONFIG_NOT_UTF8,
                byte = byte,
                encoding = encoding,
                command = to
            ),
        )
    })
}

/// Judges a file that the reader of YAML gave up, or that holds no keys: which other kind
/// of file is it?
pub(super) fn of_text(text: &str) -> Option<Found> {
    let is = |line: usize, is: Text| Some((Some(line), event!(CONFIG_OTHER_FORMAT, is = is)));
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let start = text.trim_start();
    let first = start.lines().next().unwrap_or_default();
    let at = text.len() - start.len();
    let first_line = line_behind(&text.as_bytes()[..at]);
    let lower = first.to_ascii_lowercase();
    if lower.starts_with("<!doctype") || lower.starts_with("<html") || lower.starts_with("<head") {
        return is(first_line, Text::new("网页（HTML）", "a web page (HTML)"));
    }
    if lower.starts_with("<?xml") {
        return is(first_line, Text::new("一个 XML 文件", "an XML file"));
    }
    if first.starts_with("#!") || lower.starts_with("cat ") && lower.contains("<<") {
        return is(first_line, Text::new("一个 shell 脚本", "a shell script"));
    }
    if first.starts_with("diff --git ") || first.starts_with("--- a/") {
        return is(first_line, Text::new("补丁（diff）", "a patch (diff)"));
    }
    let of_json = first.strip_prefix('{').map(str::trim_start);
    if of_json.is_some_and(|rest| rest.is_empty() || rest.starts_with(['"', '/'])) {
        return is(first_line, Text::new("一个 JSON 文件", "a JSON file"));
    }
    let is_section = |line: &str| {
        let inner = line
            .trim()
            .strip_prefix('[')
            .and_then(|l| l.strip_suffix(']'));
        inner.is_some_and(|name| {
            let name = name.trim_matches(['[', ']']);
            !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_.- ".contains(c))
        })
    };
    let is_assigned = |line: &str| {
        let line = line.trim().strip_prefix("export ").unwrap_or(line.trim());
        line.split_once('=').is_some_and(|(name, _)| {
            let name = name.trim();
            !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        })
    };
    let is_content = |line: &str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with(['#', ';'])
    };
    let (number, line) = lines.find(|(_, line)| is_content(line))?;
    if is_section(line) && lines.clone().any(|(_, line)| is_assigned(line)) {
        return is(
            number,
            Text::new("一个 TOML 或 INI 文件", "a TOML or INI file"),
        );
    }
    if is_assigned(line) && !line.contains(": ") {
        return is(
            number,
            Text::new(
                "`键=值` 的文件（TOML、.env 或 properties）",
                "a file of `key=value` lines (TOML, .env or properties)",
            ),
        );
    }
    let opens = |line: &str| line.trim_end().ends_with('{');
    if opens(line) && text.contains(';') {
        return is(
            number,
            Text::new("一个 Nginx 配置", "an Nginx configuration"),
        );
    }
    None
}

/// Returns the line on which something stands that comes behind `before`.
pub(super) fn line_behind(before: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', before).count() + 1
}

/// Judges a file by its uppermost keys: those of other programs' files are none that
/// xiaozhi-server or this server has.
///
/// `line_of` returns the line of a key's value, if the key is there and its line known.
pub(super) fn of_tree(line_of: impl Fn(&str) -> Option<Option<usize>>) -> Option<Found> {
    if line_of("server").is_some() || line_of("gateway").is_some() {
        return None;
    }
    for (keys, is) in [
        (
            &["services"][..],
            Text::new("一个 Docker Compose 文件", "a Docker Compose file"),
        ),
        (
            &["apiVersion", "kind"],
            Text::new("一个 Kubernetes 清单", "a Kubernetes manifest"),
        ),
    ] {
        let found: Vec<_> = keys.iter().filter_map(|key| line_of(key)).collect();
        if let Some(line) = found.first().filter(|_| found.len() == keys.len()) {
            return Some((*line, event!(CONFIG_OTHER_FORMAT, is = is)));
        }
    }
    None
}

/// Finds that the file's values are locked by sops, which leaves its keys readable.
pub(super) fn of_locked_values(text: &str, file: &Path) -> Option<Found> {
    let is_locked = text.contains("ENC[AES256_GCM,");
    let is_sops =
        |line: &str| line.starts_with("sops:") || line.trim_start().starts_with("\"sops\":");
    let line = text.lines().position(is_sops).filter(|_| is_locked)?;
    let open = format!("sops --decrypt --in-place {}", file.display());
    Some((
        Some(line + 1),
        event!(CONFIG_SHUT, tool = "sops", open = open),
    ))
}

/// Tells whether a file begins as binary messages of `GnuPG` do: a packet of a session key
/// (RFC 4880, section 4.2), by the old format or the new one, with a version that there is.
fn is_openpgp(bytes: &[u8]) -> bool {
    match bytes {
        [0x84 | 0xc1, _, 3, ..] | [0x85 | 0xc1, _, _, 3, ..] => bytes.len() > 100,
        [0x8c | 0xc3, _, 4 | 5, ..] => bytes.len() > 40,
        _ => false,
    }
}

/// Returns the encoding that the file seems to have where it is not UTF-8, and the first
/// line that shows it.
fn encoding(bytes: &[u8]) -> Option<(&'static str, usize)> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Some(("UTF-32", 1)),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some(("UTF-16", 1)),
        _ => {}
    }
    // Without a mark ASCII has a zero in every other byte.
    let begin = &bytes[..bytes.len().min(256)];
    let zeros = |odd: usize| {
        let half = begin.iter().skip(odd).step_by(2);
        (half.clone().filter(|b| **b == 0).count(), half.len())
    };
    let ((even, _), (odd, of)) = (zeros(0), zeros(1));
    if of >= 4 {
        if odd * 2 > of && even * 8 < of {
            return Some(("UTF-16LE", 1));
        }
        if even * 2 > of && odd * 8 < of {
            return Some(("UTF-16BE", 1));
        }
    }
    let valid = std::str::from_utf8(bytes).err()?.valid_up_to();
    let line = line_behind(&bytes[..valid]);
    looks_like_gb18030(bytes).then_some(("GB18030", line))
}

/// Tells whether all that is not ASCII are pairs as GBK has them.
fn looks_like_gb18030(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut pairs = 0;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first.is_ascii() {
            if first == 0 {
                return false;
            }
            continue;
        }
        match after {
            [second, behind @ ..]
                if (0x81..=0xfe).contains(&first)
                    && (0x40..=0xfe).contains(second)
                    && *second != 0x7f =>
            {
                pairs += 1;
                rest = behind;
            }
            _ => return false,
        }
    }
    pairs > 0
}
