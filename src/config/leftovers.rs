//! Values that are no value: what another tool was to fill in, signs of another width, what
//! runs on over the line, and comments that are none. They are looked for in every key that
//! is read here, before anybody asks what it means.

use super::fault::Faults;
use super::keys;
use super::placeholder::{self, TEMPLATE, VARIABLE};
use super::raw::{Kind, Node, Scalar, Style};
use super::signs::{OddSign, as_meant};
use super::{full_name, shapes, slips, stray};
use crate::event::text::Text;
use crate::event::{Event, event, kinds};
use xiaozhi_device::redact;

/// Keys whose values may be secret, and hold any sign.
const SECRETS: [&str; 3] = [
    "server.auth_key",
    "server.mqtt_signature_key",
    "manager-api.secret",
];
/// Keys of addresses, whose reader names the sign that devices misread.
const ADDRESSES: [&str; 4] = [
    "server.websocket",
    "server.vision_explain",
    "server.ota",
    "server.mqtt_gateway",
];
/// Keys of files and folders, whose names may hold any sign that is seen.
const FILES: [&str; 7] = [
    "log.log_dir",
    "log.log_file",
    "gateway.firmware.dir",
    "gateway.tls.certificates[].cert",
    "gateway.tls.certificates[].key",
    "gateway.tls.acme.root",
    "gateway.tls.acme.eab.hmac_file",
];

/// Looks through all values that are read here.
pub(super) fn check(root: &Node, faults: &Faults) {
    look("", "", root, faults);
}

fn look(path: &str, name: &str, node: &Node, faults: &Faults) {
    match &node.kind {
        Kind::Map(entries) => {
            for (key, value) in entries {
                let below = keys::below(name, key);
                if keys::is_known(&below) {
                    look(&full_name(path, key), &below, value, faults);
                } else if keys::is_free(name) {
                    if let Some(odd) = quotes_around(key).or_else(|| OddSign::find_unseen(key)) {
                        faults
                            .about(full_name(path, key), value.line)
                            .fault(slips::sign(odd));
                    }
                    if value.kind == Kind::Null
                        && let Some(event) = joined(key)
                    {
                        faults.about(full_name(path, key), value.line).fault(event);
                    }
                    look(&full_name(path, key), name, value, faults);
                }
            }
        }
        Kind::List(items) => {
            let of_items = format!("{name}[]");
            for (i, item) in items.iter().enumerate() {
                let is_map = matches!(item.kind, Kind::Map(_));
                let name = if is_map { &of_items } else { name };
                look(&format!("{path}[{i}]"), name, item, faults);
            }
        }
        Kind::Scalar(scalar) => judge(path, name, node.line, scalar, faults),
        Kind::Null => {}
    }
}

fn judge(path: &str, name: &str, line: Option<usize>, scalar: &Scalar, faults: &Faults) {
    let text = scalar.text.trim_matches([' ', '\n']);
    if SECRETS.contains(&name) {
        // Both programs take it as it is written, which nobody may have wanted.
        if let Some(odd) = OddSign::find(text).filter(|_| !text.contains('你')) {
            let event = event!(CONFIG_SIGN_IN_KEY, sign = odd.shown());
            faults.about(path, line).warn(event);
        }
        return;
    }
    // Placeholders of xiaozhi-server's own configuration count as nothing.
    if text.is_empty() || text.contains('你') {
        return;
    }
    let Some(event) = found(path, name, text, scalar) else {
        return;
    };
    let is_item = OddSign::of_item(text).is_some() && !keys::is_section(name);
    // What runs on may have swallowed a key.
    let is_whole = !keys::is_section(name) && event.kind.id != kinds::CONFIG_RUNS_ON.id;
    let line = match scalar.lines {
        Some((first, _)) if !is_whole || is_item => Some(first),
        _ => line,
    };
    faults
        .about(path, line)
        .value(is_whole.then_some(text))
        .fault(event);
}

fn found(path: &str, name: &str, text: &str, scalar: &Scalar) -> Option<Event> {
    if keys::is_section(name) && (!keys::is_free(name) || path == name) {
        if shapes::of(name, text).is_some() {
            return None;
        }
        return slips::in_place_of_section(text).or_else(|| joined(text).filter(|_| path == name));
    }
    if let Some(odd) = OddSign::of_item(text) {
        return Some(slips::sign(odd));
    }
    if let Some(is) = left_in(text) {
        return Some(event!(CONFIG_LEFT_IN, is = is));
    }
    let in_address = || in_address(text).filter(|_| ADDRESSES.contains(&name));
    if let Some(is) = in_address() {
        return Some(event!(CONFIG_LEFT_IN, is = is));
    }
    if let Some(write) = without_brackets(name, text) {
        return Some(event!(CONFIG_BRACKETS, write = write));
    }
    if let Some((first, last)) = scalar.lines
        && last > first
        && text.contains(char::is_whitespace)
    {
        return Some(event!(CONFIG_RUNS_ON, last = last));
    }
    let odd = if FILES.contains(&name) {
        OddSign::find_unseen(text).or_else(|| quotes_around(text))
    } else if ADDRESSES.contains(&name) {
        // Signs behind the scheme are named by how devices misread them.
        let is_spoilt = !text.contains("://") && as_meant(text).contains("://");
        let scheme = OddSign::find(text).filter(|_| is_spoilt);
        quotes_around(text).or(scheme)
    } else {
        OddSign::find(text)
    };
    if let Some(odd) = odd {
        return Some(slips::sign(odd));
    }
    if let Some(event) = stray::comment_behind(text).filter(|_| !FILES.contains(&name)) {
        return Some(event);
    }
    let (value, comment) = text.split_once('#')?;
    // A fragment is part of an address, and a file may have any name.
    let is_comment = scalar.style == Style::Plain && !value.is_empty() && !comment.is_empty();
    let may_be_meant = FILES.contains(&name) || name == "gateway.firmware.projects";
    (is_comment && !may_be_meant).then(|| event!(CONFIG_HASH))
}

/// Says that no blank parts key and value where a mapping with keys of one's own is wanted:
/// `esp32s3:1.6.6`. Models and versions are no secrets.
fn joined(text: &str) -> Option<Event> {
    let line = text.lines().next()?;
    let is_sign = |c| ":=".contains(c) || OddSign::of(c).is_some_and(|o| o.meant == Some(':'));
    let (key, value) = line.split_at(line.find(is_sign)?);
    let sign = value.chars().next()?;
    let value = &value[sign.len_utf8()..];
    let is_joined =
        !value.is_empty() && !value.starts_with([' ', '/']) && !key.trim().contains(' ');
    if !is_joined {
        return None;
    }
    let (key, value) = (key.trim(), value.trim());
    let is_plain = |text: &str| text.len() < 64 && redact::shown(text) == text;
    Some(match OddSign::of(sign) {
        Some(odd) => slips::sign(odd),
        None if is_plain(key) && is_plain(value) && !value.contains([':', '=']) => {
            event!(
                CONFIG_NO_BLANK,
                behind = sign.to_string(),
                write = format!("{key}: {value}")
            )
        }
        None => slips::joined(&redact::name(key), None),
    })
}

/// Returns the list that was meant where several values stand without brackets, or behind
/// dashes that no blank follows.
fn without_brackets(name: &str, text: &str) -> Option<String> {
    let is_list = ["gateway.ports", "gateway.tls.names", "gateway.behind_proxy"].contains(&name)
        || name == "server.auth.allowed_devices" && text.starts_with('-');
    if !is_list || !text.is_ascii() {
        return None;
    }
    let parts = text.split([',', ';', ' ', '\n']);
    let parts = parts
        .map(|part| part.trim_start_matches('-'))
        .filter(|part| !part.is_empty());
    let parts: Vec<_> = parts.collect();
    let is_one = parts.len() < 2 && !text.starts_with('-');
    let are_plain = parts.iter().all(|part| {
        part.chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-_/:*".contains(c))
    });
    (!is_one && !parts.is_empty() && are_plain).then(|| format!("[{}]", parts.join(", ")))
}

/// Says what stands in the place of an address's host, if it is a template's text:
/// `http://<ip>:8003/`, `服务器IP:1883`, `*.example.com`. What devices could read as a host is
/// left to the audit, and what they take for a port to the reader of addresses.
fn in_address(text: &str) -> Option<Text> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let around = ["<>", "{}", "()", "[]", "（）", "【】", "《》", "@@", "##"];
    let is_around = around.iter().any(|signs| {
        let [Some(open), Some(close)] = [signs.chars().next(), signs.chars().last()] else {
            return false;
        };
        let inner = authority.split_once(open).map(|(_, inner)| inner);
        let inner = inner.and_then(|inner| inner.split_once(close));
        // An IPv6 address stands in brackets, too.
        inner.is_some_and(|(inner, _)| !inner.is_empty() && !inner.contains(':'))
    });
    let host = authority.split(':').next().unwrap_or_default();
    let words = [
        "地址",
        "域名",
        "服务器",
        "主机",
        "本机",
        "公网",
        "内网",
        "局域网",
        "端口",
        "您",
        "某",
    ];
    if host.contains('*') {
        return Some(Text::new(
            "一个通配符，它代表许多主机，而不是一个",
            "a pattern, which stands for many hosts and is none",
        ));
    }
    let is_left = is_around
        || authority.starts_with('?')
        || host.contains('…')
        || words.iter().any(|word| host.contains(word));
    is_left.then_some(TEMPLATE)
}

/// Finds quotes of another kind around a text, which YAML takes for a part of it.
fn quotes_around(text: &str) -> Option<OddSign> {
    let first = text.chars().next().and_then(OddSign::of)?;
    matches!(first.meant, Some('"' | '\'')).then_some(first)
}

/// Says what a tool was to fill in.
fn left_in(text: &str) -> Option<Text> {
    let within = |open: &str, close: &str| {
        let inner = text
            .strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close));
        inner.is_some_and(|inner| {
            let is_sign = |c: char| c.is_alphanumeric() || "_-. ".contains(c);
            inner.starts_with(char::is_alphabetic) && inner.chars().all(is_sign)
        })
    };
    let between = |open: &str, close: &str| {
        let rest = text.split_once(open).map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest.contains(close))
    };
    let of_shell = text.match_indices('$').any(|(at, _)| {
        let name = text[at + 1..]
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .next();
        name.is_some_and(|name| {
            name.len() > 1
                && name.starts_with(|c: char| c.is_ascii_uppercase())
                && !name.contains(|c: char| c.is_ascii_lowercase())
        })
    });
    // A home directory has words of its own.
    let is_path = text.starts_with("$HOME") || text.starts_with("%USERPROFILE%");
    if is_path {
        None
    } else if placeholder::is_braced(text)
        || of_shell
        || between("$(", ")")
        || between("%{", "}")
        || within("%", "%")
        || is_windows_variable(text)
    {
        Some(VARIABLE)
    } else if between("{{", "}}")
        || between("{%", "%}")
        || between("<%", "%>")
        || ["@", "@@", "__"].iter().any(|sign| within(sign, sign))
        || within("<", ">")
        || within("{", "}")
        || within("#{", "}")
        || within("#{", "}#")
        || within("[[", "]]")
        || within("((", "))")
    {
        Some(TEMPLATE)
    } else if text.starts_with("ENC[")
        || text.starts_with("!vault")
        || text.starts_with("$ANSIBLE_VAULT")
    {
        Some(Text::new(
            "由其他工具加密的值",
            "a value that another tool holds shut",
        ))
    } else {
        None
    }
}

/// Tells whether a variable of Windows stands in a text: `%APPDATA%\ota`.
fn is_windows_variable(text: &str) -> bool {
    let mut parts = text.split('%');
    parts.next();
    let name = parts.next();
    parts.next().is_some()
        && name.is_some_and(|name| {
            name.len() > 2
                && name
                    .chars()
                    .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        })
}
