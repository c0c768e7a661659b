//! Names what a file is instead of a certificate or a key in PEM, with the command that
//! makes one of it. No name holds a byte of the content, which may be a key.

mod der;
mod magic;
mod marks;
mod odd;

pub(super) use der::{by_content, key_fault};
pub(super) use odd::{certificate_fault, other_form};

use crate::event::shell::quoted;
use crate::event::text::Text;
use crate::event::{Event, Value, event};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use marks::BadMark;
use std::path::Path;
use std::str;

/// Header of a key that old OpenSSL encrypted.
const TRADITIONAL: &str = "Proc-Type: 4,ENCRYPTED";

/// Content that is wanted of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Certificate,
    Key,
}

impl Wanted {
    pub(super) fn text(self) -> Text {
        match self {
            Self::Certificate => Text::new("证书", "certificate"),
            Self::Key => Text::new("私钥", "private key"),
        }
    }

    /// Returns the end of the labels that such blocks have.
    fn label(self) -> &'static str {
        match self {
            Self::Certificate => "CERTIFICATE",
            Self::Key => "PRIVATE KEY",
        }
    }

    /// Returns the name that such a file usually has.
    pub(super) fn usual(self) -> &'static str {
        match self {
            Self::Certificate => "fullchain.pem",
            Self::Key => "privkey.pem",
        }
    }
}

/// A file whose content is to be named.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) path: &'a Path,
    pub(super) wanted: Wanted,
}

impl Found<'_> {
    /// Returns the file as a word of a command.
    fn word(&self) -> String {
        word(self.path)
    }

    /// Adds the file and what is wanted of it to what is said of its content.
    fn told(self, event: Event) -> Event {
        if event.field("file").is_some() {
            return event;
        }
        event.of("wanted", self.wanted.text()).of("file", self.path)
    }
}

/// Returns a path as a word of a command.
fn word(path: &Path) -> String {
    quoted(&path.to_string_lossy()).into_owned()
}

/// Names what stands in a file in which what is wanted was not found. `fault` is what
/// the reader of PEM said, if it broke.
pub(super) fn named(found: Found<'_>, content: &[u8], fault: Option<PemFault>) -> Event {
    found.told(instead(found, content, fault))
}

/// Names a block that is meant as one of what is wanted and was not read, in a file of
/// which others were: what is sent without it is no chain.
pub(super) fn torn(found: Found<'_>, content: &[u8]) -> Option<Event> {
    if has_bom(content) {
        return Some(event!(PAIR_BOM).of("file", found.path));
    }
    let text = String::from_utf8_lossy(content);
    let is_old = |label: &&String| match found.wanted {
        Wanted::Certificate => OLD.contains(&&***label),
        Wanted::Key => false,
    };
    let labels = labels(content);
    let event = if marks::is_run_together(&text) {
        run_together(found, &text)
    } else if let Some(bad) = BadMark::lost(&text, found.wanted.label()) {
        bad.event(found, &text)
    } else if let Some(label) = labels.iter().find(is_old) {
        by_label(found, label)?
    } else {
        event!(PAIR_NO_BEGIN, line = marks::without_begin(&text)?)
    };
    Some(event.of("file", found.path))
}

/// Labels of blocks with certificates that only some programs read.
const OLD: [&str; 5] = [
    "TRUSTED CERTIFICATE",
    "X509 CERTIFICATE",
    "PKCS7",
    "CMS",
    "PKCS #7 SIGNED DATA",
];

/// Tells whether a byte order mark keeps the first block from being read.
fn has_bom(content: &[u8]) -> bool {
    let text = content.strip_prefix(b"\xef\xbb\xbf");
    text.is_some_and(|text| text.trim_ascii_start().starts_with(b"-----BEGIN "))
}

fn instead(found: Found<'_>, content: &[u8], fault: Option<PemFault>) -> Event {
    if content.iter().all(u8::is_ascii_whitespace) {
        return event!(PAIR_EMPTY);
    }
    if content.iter().all(|byte| *byte == 0) {
        return event!(PAIR_ZEROS);
    }
    if let Some(encoding) = magic::encoding(content) {
        return event!(PAIR_UTF16, encoding = encoding);
    }
    if has_bom(content) {
        return event!(PAIR_BOM);
    }
    if let Some(event) = magic::named(found, content) {
        return event;
    }
    if let Some(event) = der::named(found, content, None) {
        return event;
    }
    by_text(found, content, fault)
}

/// Names a text.
fn by_text(found: Found<'_>, content: &[u8], fault: Option<PemFault>) -> Event {
    let whole = String::from_utf8_lossy(content);
    let text = whole.trim_start_matches('\u{feff}').trim_start();
    if is_encrypted(content) && found.wanted == Wanted::Key {
        return event!(PAIR_PASS_PHRASE, form = TRADITIONAL);
    }
    if let Some(event) = by_marks(found, &whole) {
        return event;
    }
    if let Some(fault) = fault {
        return of_fault(found, fault, &whole);
    }
    let named = |label: &String| openssh(found, label, &whole).or_else(|| by_label(found, label));
    if let Some(event) = labels(content).iter().find_map(named) {
        return event;
    }
    if let Some(line) = marks::without_begin(&whole) {
        return event!(PAIR_NO_BEGIN, line = line);
    }
    if let Some(event) = by_beginning(found, text) {
        return event;
    }
    if let Some(event) = bare_base64(found, text) {
        return event;
    }
    event!(PAIR_NOTHING, name = found.wanted.usual())
}

/// Names what became of the marks of PEM.
fn by_marks(found: Found<'_>, text: &str) -> Option<Event> {
    let is_escaped = |behind: &str| {
        let letters = behind.trim_start_matches('\\');
        letters.len() < behind.len() && letters.starts_with(['n', 'r'])
    };
    if text.split("-----").skip(1).any(is_escaped) {
        return Some(event!(PAIR_ESCAPED_BREAKS));
    }
    if marks::is_run_together(text) {
        return Some(run_together(found, text));
    }
    Some(BadMark::find(text)?.event(found, text))
}

fn run_together(found: Found<'_>, text: &str) -> Event {
    let (made, command) = marks::mends(found, marks::apart(text, &found.word()));
    event!(PAIR_RUN_TOGETHER, made = made, command = command)
}

/// Names a key of OpenSSH that is of no use whatever its form. Its kind stands in it twice.
fn openssh(found: Found<'_>, label: &str, text: &str) -> Option<Event> {
    let (_, block) = text.split_once("-----BEGIN OPENSSH PRIVATE KEY-----")?;
    let inner: String = block.split("-----").next()?.split_whitespace().collect();
    let content = STANDARD.decode(inner).ok()?;
    let is = |kind: &[u8]| content.windows(kind.len()).any(|window| window == kind);
    if label != "OPENSSH PRIVATE KEY" || found.wanted != Wanted::Key {
        None
    } else if is(b"sk-") {
        Some(event!(PAIR_KEY_KIND, file = found.path, kind = "FIDO"))
    } else if is(b"ssh-ed25519") {
        Some(event!(PAIR_ED25519, file = found.path))
    } else {
        is(b"ssh-dss").then(|| event!(PAIR_KEY_KIND, file = found.path, kind = "DSA"))
    }
}

/// Names a text by the way it begins.
fn by_beginning(found: Found<'_>, text: &str) -> Option<Event> {
    let begins = |with: &[&str]| with.iter().any(|with| text.starts_with(with));
    if begins(&["{", "["]) && text.contains("\"kty\"") {
        return Some(event!(PAIR_JWK));
    }
    if begins(&[
        "<RSAKeyValue",
        "<DSAKeyValue",
        "<ECDSAKeyValue",
        "<ECKeyValue",
    ]) {
        return Some(event!(PAIR_XML_KEY));
    }
    if begins(&["<"]) {
        return Some(event!(PAIR_WEB_PAGE));
    }
    if begins(&["version https://git-lfs"]) {
        return Some(event!(PAIR_LFS));
    }
    if begins(&["PuTTY-User-Key-File-"]) {
        return Some(event!(PAIR_PUTTY));
    }
    if begins(&["ssh-", "ecdsa-sha2-", "sk-", "---- BEGIN SSH2"]) {
        return Some(event!(PAIR_SSH_PUBLIC));
    }
    let is_json = begins(&["{", "["]);
    let is_store = begins(&["apiVersion:", "kind:"])
        || text.contains("tls.crt:")
        || text.contains("\"tls.crt\"");
    if is_store || is_json && (text.contains("\"Certificates\"") || text.contains("LS0tLS1CRUdJTi"))
    {
        return Some(event!(PAIR_STORE, command = store(found, text)));
    }
    if is_json {
        return Some(event!(PAIR_JSON));
    }
    let first = text.lines().next().unwrap_or_default();
    let is_printed = |tool: &str| {
        let file = found.word();
        Some(event!(
            PAIR_PRINTOUT,
            command = format!("openssl {tool} -in ORIGINAL -out {file}")
        ))
    };
    if first.contains("Private-Key:") {
        return is_printed("pkey");
    }
    if first.starts_with("Certificate:") && text.contains("Signature Algorithm") {
        return is_printed("x509");
    }
    if text.lines().count() == 1 && !text.contains(' ') && text.trim_end().ends_with(".pem") {
        let target = format!("{:?}", text.trim_end());
        return Some(event!(PAIR_LINK_TEXT, target = target));
    }
    None
}

/// Fault that keeps a file from being read as PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PemFault {
    /// A block begins on a line that holds more.
    RunTogether,
    /// A block that begins and does not end.
    NoEnd,
    /// The text between the two lines is no base64.
    NoBase64,
}

fn of_fault(found: Found<'_>, fault: PemFault, text: &str) -> Event {
    match fault {
        PemFault::RunTogether => run_together(found, text),
        PemFault::NoEnd => event!(PAIR_NO_END),
        PemFault::NoBase64 => event!(PAIR_NO_BASE64, line = no_base64(text)),
    }
}

/// Returns the number of the first line within a block that is no base64.
fn no_base64(text: &str) -> Option<usize> {
    let is_sign = |c: char| c.is_ascii_alphanumeric() || "+/= \t\r".contains(c);
    let mut is_inside = false;
    let mut lines = text.lines();
    let line = lines.position(|line| {
        if line.starts_with("-----") {
            is_inside = line.starts_with("-----BEGIN ");
        }
        is_inside && !line.starts_with("-----") && !line.chars().all(is_sign)
    });
    line.map(|line| line + 1)
}

/// Tells whether a key has a pass phrase in the manner of old OpenSSL.
fn is_encrypted(content: &[u8]) -> bool {
    let mark = TRADITIONAL.as_bytes();
    content.windows(mark.len()).any(|window| window == mark)
}

/// Returns the labels of the blocks of a PEM text, known or not.
fn labels(content: &[u8]) -> Vec<String> {
    let lines = content.split(|b| matches!(b, b'\n' | b'\r'));
    let label = |line: &[u8]| {
        let line = str::from_utf8(line).ok()?.trim_end();
        let label = line.strip_prefix("-----BEGIN ")?.strip_suffix("-----")?;
        Some(label.to_owned())
    };
    lines.filter_map(label).collect()
}

/// Names a block by its label.
fn by_label(found: Found<'_>, label: &str) -> Option<Event> {
    let wants_key = found.wanted == Wanted::Key;
    Some(match label {
        "CERTIFICATE" if wants_key => event!(PAIR_CERTIFICATE_HERE),
        "TRUSTED CERTIFICATE" | "X509 CERTIFICATE" if wants_key => {
            event!(PAIR_CERTIFICATE_HERE)
        }
        "TRUSTED CERTIFICATE" | "X509 CERTIFICATE" => {
            event!(PAIR_OLD_LABEL, label = label)
        }
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => event!(PAIR_REQUEST),
        "X509 CRL" => event!(PAIR_REVOCATIONS),
        "PKCS7" | "CMS" | "PKCS #7 SIGNED DATA" => event!(PAIR_PKCS7, form = "pem"),
        "PUBLIC KEY" | "RSA PUBLIC KEY" => event!(PAIR_PUBLIC_KEY),
        "ENCRYPTED PRIVATE KEY" if wants_key => {
            event!(PAIR_PASS_PHRASE, form = "ENCRYPTED PRIVATE KEY")
        }
        "OPENSSH PRIVATE KEY" if wants_key => event!(PAIR_OPENSSH),
        "DSA PRIVATE KEY" if wants_key => {
            event!(PAIR_KEY_KIND, file = found.path, kind = "DSA")
        }
        _ if label.starts_with("PGP ") => event!(PAIR_PGP),
        _ if label.ends_with("PRIVATE KEY") && !wants_key => event!(PAIR_KEY_HERE),
        // In front of a key they are taken; alone they are none.
        _ if label.ends_with("PARAMETERS") => event!(PAIR_PARAMETERS, label = label),
        _ => return None,
    })
}

/// Returns the command that takes certificates out of another program's file.
fn store(found: Found<'_>, text: &str) -> Value {
    let file = &found.word();
    let (of_traefik, of_old, of_kubernetes) = match found.wanted {
        Wanted::Certificate => ("certificate", "Certificate", "tls.crt"),
        Wanted::Key => ("key", "Key", "tls.key"),
    };
    let to = found.wanted.usual();
    if text.contains("tls.crt") {
        let is_json = text.starts_with(['{', '[']);
        let command = if is_json {
            format!("jq -r '.data[\"{of_kubernetes}\"]' {file} | base64 -d > {to}")
        } else {
            format!("sed -n 's/^ *{of_kubernetes}: *//p' {file} | base64 -d > {to}")
        };
        return command.into();
    }
    if text.contains("\"Certificates\"") {
        return format!(
            "jq -r '[.. | .Certificates? // empty | .[]][0] | .{of_traefik} // .{of_old}' {file} | base64 -d > {to}"
        )
        .into();
    }
    Text::new(
        "请用保存它的程序导出 PEM",
        "let the program that keeps it export PEM",
    )
    .into()
}

/// Names base64 that stands alone.
fn bare_base64(found: Found<'_>, text: &str) -> Option<Event> {
    let file = &found.word();
    let plain: String = text.split_ascii_whitespace().collect();
    if plain.len() < 64 {
        return None;
    }
    let content = STANDARD.decode(&plain).ok()?;
    if labels(&content).is_empty() {
        return der::named(found, &content, Some(&format!("base64 -d {file} | ")));
    }
    let what = Text::new("PEM 文件", "a PEM file");
    let command = format!("base64 -d {file} > {file}.pem");
    Some(event!(PAIR_BASE64, what = what, command = command))
}

/// Makes the event of what is DER, or base64 of it, by the command that reads it.
fn binary(from: Option<&str>, what: Text, command: impl Into<Value>) -> Event {
    let command: Value = command.into();
    if from.is_some() {
        event!(PAIR_BASE64, what = what, command = command)
    } else {
        event!(PAIR_DER, what = what, command = command)
    }
}
