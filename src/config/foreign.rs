//! Files that stand in the configuration's place and are none: files that another tool holds
//! shut, that have another encoding, or are of another kind.

use super::stray;
use crate::event::shell::quoted;
use crate::event::text::Text;
use crate::event::{Event, event};
use std::path::Path;

/// A line, if it is one that is at fault, and what is to be said of it.
pub(super) type Found = (Option<usize>, Event);

/// Judges the bytes of a file before anybody reads them as text. `file` is its name, for
/// the command that opens it.
pub(super) fn of_bytes(bytes: &[u8], file: &Path) -> Option<Found> {
    let word = word(file);
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
        return shut(
            "age",
            "age --decrypt -i KEY -o FILE.new FILE && mv FILE.new FILE",
        );
    }
    if begins(b"-----BEGIN PGP MESSAGE-----")
        || begins(b"-----BEGIN PGP SIGNED")
        || is_openpgp(bytes)
    {
        return shut(
            "GnuPG",
            "gpg --output FILE.new --decrypt FILE && mv FILE.new FILE",
        );
    }
    if bytes.starts_with(b"Salted__") || begins(b"U2FsdGVkX1") {
        return shut(
            "openssl enc / transcrypt",
            "openssl enc -d -in FILE -out FILE.new && mv FILE.new FILE",
        );
    }
    if begins(b"-----BEGIN PKCS7-----") || begins(b"-----BEGIN CMS-----") {
        return shut(
            "openssl cms",
            "openssl cms -decrypt -inform PEM -in FILE -out FILE.new && mv FILE.new FILE",
        );
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
    for (begin, tool, open) in PACKED {
        if bytes.starts_with(begin) {
            return shut(tool, open);
        }
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return shut("tar", "tar -xf FILE");
    }
    for (begin, what) in OTHERS {
        if bytes.starts_with(begin) {
            return is(what);
        }
    }
    if let Some(found) = in_other_encoding(bytes, file) {
        return Some(found);
    }
    let zeros = memchr::memchr_iter(0, bytes).count();
    if zeros > 0 && (bytes.ends_with(&[0]) || std::str::from_utf8(bytes).is_ok()) {
        let first = memchr::memchr(0, bytes).unwrap_or_default();
        let line = line_behind(&bytes[..first]);
        return Some((Some(line), event!(CONFIG_ZEROS, zeros = zeros)));
    }
    let begin = &bytes[..bytes.len().min(512)];
    let is_control = |b: &&u8| b.is_ascii_control() && !b.is_ascii_whitespace();
    if std::str::from_utf8(bytes).is_err()
        && begin.iter().filter(is_control).count() * 50 > begin.len()
    {
        return is(Text::new(
            "二进制数据（由其他工具加密或压缩，或被别的文件覆盖）",
            "binary data, which another tool holds shut, or another file that was written over it",
        ));
    }
    None
}

/// Returns the file's name as a command takes it.
fn word(file: &Path) -> String {
    quoted(&file.display().to_string()).into_owned()
}

/// Files that must be unpacked, or opened with a password: how they begin, by what they were
/// made, and how to open them.
const PACKED: [(&[u8], &str, &str); 14] = [
    (b"PK\x03\x04", "ZIP", "unzip FILE"),
    (b"PK\x05\x06", "ZIP", "unzip FILE"),
    (b"\x1f\x8b", "gzip", "mv FILE FILE.gz && gunzip FILE.gz"),
    (b"\x1f\x9d", "compress", "mv FILE FILE.Z && gunzip FILE.Z"),
    (b"BZh", "bzip2", "mv FILE FILE.bz2 && bunzip2 FILE.bz2"),
    (b"\xfd7zXZ", "xz", "mv FILE FILE.xz && unxz FILE.xz"),
    (b"]\0\0", "lzma", "mv FILE FILE.lzma && unlzma FILE.lzma"),
    (b"LZIP", "lzip", "mv FILE FILE.lz && lzip -d FILE.lz"),
    (
        b"\x28\xb5\x2f\xfd",
        "zstd",
        "mv FILE FILE.zst && unzstd --rm FILE.zst",
    ),
    (
        b"\x04\x22\x4d\x18",
        "lz4",
        "mv FILE FILE.lz4 && unlz4 --rm FILE.lz4",
    ),
    (b"7z\xbc\xaf", "7z", "7z x FILE"),
    (b"Rar!", "RAR", "unrar x FILE"),
    (b"VimCrypt~", "vim", "vim -c 'set key=' -c wq FILE"),
    (b"AES\x02", "AES Crypt", "aescrypt -d FILE"),
];

/// Files of other kinds, by how they begin.
const OTHERS: [(&[u8], Text); 7] = [
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
    (
        b"b0VIM ",
        Text::new(
            "vim 的交换文件（vim -r 可以恢复内容）",
            "a swap file of vim (vim -r recovers what was written)",
        ),
    ),
    (
        b"\0\x05\x16\x07",
        Text::new(
            "macOS 存放文件属性的 ._ 文件",
            "one of macOS's ._ files, which hold attributes of another",
        ),
    ),
];

/// Names the encoding of a file that is no UTF-8, and the command that mends it.
fn in_other_encoding(bytes: &[u8], file: &Path) -> Option<Found> {
    let word = word(file);
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
pub(super) fn of_text(text: &str, file: &Path) -> Option<Found> {
    if let Some((line, event)) = stray::numbered(text, file) {
        return Some((Some(line), event));
    }
    let is = |line: usize, is: Text| Some((Some(line), event!(CONFIG_OTHER_FORMAT, is = is)));
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let start = text.trim_start();
    let first = start.lines().next().unwrap_or_default();
    let at = text.len() - start.len();
    let first_line = line_behind(&text.as_bytes()[..at]);
    let lower = first.to_ascii_lowercase();
    if let Some(what) = markup(first, text) {
        return is(first_line, what);
    }
    if start.contains("\\n") && start.trim_end().lines().count() == 1 && start.len() > 20 {
        return is(
            first_line,
            Text::new(
                "一行文本，其中换行写成了 \\n（printf '%b' 可以还原）",
                "one line with \\n where lines should end (printf '%b' makes lines of it)",
            ),
        );
    }
    if first.starts_with("#!") || lower.starts_with("cat ") && lower.contains("<<") {
        return is(first_line, Text::new("一个 shell 脚本", "a shell script"));
    }
    if first.starts_with("diff --git ") || first.starts_with("--- a/") {
        return is(first_line, Text::new("补丁（diff）", "a patch (diff)"));
    }
    let is_section = |line: &str| {
        let inner = line
            .trim()
            .strip_prefix('[')
            .and_then(|l| l.strip_suffix(']'));
        inner.is_some_and(|name| {
            let name = name.trim_matches(['[', ']', '"', '\'']);
            !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_.- ".contains(c))
        })
    };
    let is_assigned = |line: &str| {
        let line = line.trim().strip_prefix("export ").unwrap_or(line.trim());
        line.split_once('=').is_some_and(|(name, value)| {
            let name = name.trim();
            // Base64 may end so.
            let is_filled = !value.trim_matches('=').is_empty() || name.len() < 20;
            is_filled
                && !name.is_empty()
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
    if is_section(line) {
        return is(
            number,
            Text::new("一个 TOML 或 INI 文件", "a TOML or INI file"),
        );
    }
    let of_json = start.strip_prefix(['{', '[']).map(str::trim_start);
    if of_json.is_some_and(|rest| rest.starts_with(['"', '/', '{'])) {
        return is(first_line, Text::new("一个 JSON 文件", "a JSON file"));
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

/// Says that a file is a page, or what a server says of one that it has not. `first` is its
/// first line.
fn markup(first: &str, text: &str) -> Option<Text> {
    let is_tag = first.starts_with('<') && !first.starts_with("<<");
    let text = text.to_ascii_lowercase();
    let of_page = [
        "<!doctype html",
        "<html",
        "<head",
        "<body",
        "<script",
        "<div",
        "<p>",
    ];
    if is_tag && of_page.iter().any(|tag| text.contains(tag)) || first.starts_with("404") {
        return Some(Text::new(
            "网页（HTML）或网站的出错信息",
            "a web page (HTML), or what a web server says of a fault",
        ));
    }
    // A comment may stand in front of anything.
    let is_xml = first.starts_with("<?xml") || first.ends_with('>');
    let is_xml = is_tag && is_xml && !first.starts_with("<!--");
    is_xml.then(|| Text::new("一个 XML 文件", "an XML file"))
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
    let open = format!("sops --decrypt --in-place {}", word(file));
    Some((
        Some(line + 1),
        event!(CONFIG_SHUT, tool = "sops", open = open),
    ))
}

/// Tells whether a file begins as binary messages of `GnuPG` do: a packet of a session key
/// (RFC 9580, section 4.2), by the old format or the new one, with a version that there is.
fn is_openpgp(bytes: &[u8]) -> bool {
    // Locked by a key, or by a pass phrase; compressed, or signed. In no text does one of
    // these stand so far in front.
    matches!(
        bytes,
        [0x84 | 0xc1, _, 3 | 6, ..]
            | [0x85 | 0xc1, _, _, 3 | 6, ..]
            | [0x8c | 0xc3, _, 4..=6, ..]
            | [0xa3, 1..=3, ..]
    )
}

/// Returns the encoding that the file seems to have where it is not UTF-8, and the first
/// line that shows it.
fn encoding(bytes: &[u8]) -> Option<(&'static str, usize)> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Some(("UTF-32", 1)),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some(("UTF-16", 1)),
        [a, 0, 0, 0, b, 0, 0, 0, ..] if a.min(b) > &0 => return Some(("UTF-32LE", 1)),
        [0, 0, 0, a, 0, 0, 0, b, ..] if a.min(b) > &0 => return Some(("UTF-32BE", 1)),
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
    // What was UTF-8 up to here was cut, or has another text behind it.
    (bytes[..valid].is_ascii() && looks_like_gb18030(bytes)).then_some(("GB18030", line))
}

/// Tells whether all that is not ASCII are pairs as GBK has them, one of them at least of the
/// signs in common use (GB 2312): a letter with an accent makes a pair with the one behind it.
fn looks_like_gb18030(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut has_common = false;
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
                has_common |= first >= 0xa1 && *second >= 0xa1;
                rest = behind;
            }
            _ => return false,
        }
    }
    has_common
}
