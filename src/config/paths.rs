//! Names of files and folders that are none of this machine's: what a shell, Windows, Docker
//! or a network would make of them. A folder that is not there is made, so nothing else
//! tells that its name was not meant.

use super::placeholder::{TEMPLATE, VARIABLE};
use super::signs::OddSign;
use super::slips;
use crate::event::text::Text;
use crate::event::{Event, event};
use std::path::Path;

const HOME: Text = Text::new(
    "只有 shell 才会展开的 ~",
    "the shell's way of writing, and nothing but a shell expands ~",
);
const OF_SHELL: Text = Text::new(
    "一个 shell 变量，这里不会展开",
    "a variable of the shell, which is not expanded here",
);
const COMMAND: Text = Text::new(
    "shell 的命令替换，这里不会执行",
    "a command of the shell, which is not run here",
);
const ADDRESS: Text = Text::new("网址的写法", "the form of an address");
const WINDOWS: Text = Text::new("一个 Windows 路径", "a path of Windows");
const BACKSLASHES: Text = Text::new("一个 Windows 写法的路径", "a path in the way of Windows");
const OF_WINDOWS: Text = Text::new(
    "一个 Windows 变量，这里不会展开",
    "a variable of Windows, which is not expanded here",
);
const SHARE: Text = Text::new(
    "一个网络路径，须先挂载",
    "a network path, which must be mounted first",
);
const VOLUME: Text = Text::new(
    "Docker 的挂载写法（宿主机路径:容器内路径），而这里只写容器内的路径",
    "how Docker mounts a folder (host:container), and only the path inside of the container is wanted",
);
const PATTERN: Text = Text::new(
    "一个通配符，而这里要写一个名称",
    "a pattern, and one name is wanted",
);
const SEVERAL: Text = Text::new(
    "多个名称，或末尾多了一个符号，而这里要写一个名称",
    "several names, or one with a sign too many, and one name is wanted",
);
const QUOTES: Text = Text::new(
    "引号里又有引号，里面的会成为名称的一部分",
    "a name with quotes within quotes, of which the inner ones become a part",
);

/// Says why the name of a file or folder is none here, and what to write; `None` for one that
/// may be.
pub(super) fn no_path(text: &str) -> Option<Event> {
    let found = of_other_systems(text).or_else(|| of_signs(text));
    if let Some((is, write)) = found {
        return Some(event!(CONFIG_NOT_PATH, is = is, write = write));
    }
    if text.contains(['<', '>']) {
        return Some(event!(CONFIG_LEFT_IN, is = TEMPLATE));
    }
    if text.starts_with('$') {
        return Some(event!(CONFIG_LEFT_IN, is = VARIABLE));
    }
    // Any sign may stand in a name, but none of another width parts names.
    let parts = |odd: &OddSign| matches!(odd.meant, Some('/' | '\\'));
    let quotes = |odd: &OddSign| matches!(odd.meant, Some('~' | '"' | '\''));
    let parting = text.chars().filter_map(OddSign::of).find(parts);
    let first = text.chars().next().and_then(OddSign::of);
    Some(slips::sign(parting.or(first.filter(quotes))?))
}

/// Finds what a shell or another system would expand or mount.
fn of_other_systems(text: &str) -> Option<(Text, String)> {
    let bytes = text.as_bytes();
    let is_drive = matches!(bytes, [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic());
    let slashes = |rest: &str| rest.replace('\\', "/");
    let mounted = |rest: &str| {
        let name = rest.rsplit(['\\', '/']).find(|part| !part.is_empty());
        format!("/mnt/{}", name.unwrap_or("share"))
    };
    Some(if let Some(rest) = text.strip_prefix("file://") {
        let path = rest.strip_prefix("localhost").unwrap_or(rest);
        (ADDRESS, path.to_owned())
    } else if text == "~" || text.starts_with('~') && text.contains('/') {
        let rest = &text[text.find('/').unwrap_or(text.len())..];
        (HOME, format!("/home/me{rest}"))
    } else if let Some(rest) = text
        .strip_prefix("$HOME")
        .or_else(|| text.strip_prefix("${HOME}"))
    {
        (OF_SHELL, format!("/home/me{rest}"))
    } else if is_drive {
        let drive = text[..1].to_ascii_lowercase();
        (WINDOWS, format!("/mnt/{drive}/{}", slashes(&text[3..])))
    } else if let Some(rest) = text.strip_prefix("%USERPROFILE%") {
        (OF_WINDOWS, format!("/mnt/c/Users/me{}", slashes(rest)))
    } else if text.to_ascii_lowercase().starts_with("$env:") {
        (OF_WINDOWS, "/srv/xiaozhi".to_owned())
    } else if let Some(rest) = text.strip_prefix("\\\\") {
        (SHARE, mounted(rest))
    } else if text.contains('\\') {
        (BACKSLASHES, slashes(text))
    } else if let Some(rest) = text
        .strip_prefix("//")
        .filter(|_| !Path::new(text).exists())
    {
        // To this system it is the same as with one slash, where that is there.
        (SHARE, mounted(rest))
    } else if let Some((before, behind)) = text
        .split_once(":/")
        .filter(|(_, rest)| !rest.starts_with('/'))
    {
        if before.contains('/') || before == "." {
            let inside = behind.split(':').next().unwrap_or_default();
            (VOLUME, format!("/{inside}"))
        } else {
            (SHARE, mounted(behind))
        }
    } else {
        return None;
    })
}

/// Finds a sign that has a meaning to whoever wrote it, and none here.
fn of_signs(text: &str) -> Option<(Text, String)> {
    let quotes: &[char] = &['"', '\''];
    let inner = text.trim_matches(quotes);
    Some(if text.contains('`') {
        (COMMAND, "/srv/xiaozhi".to_owned())
    } else if text.len() > 1 && text.starts_with(quotes) && text.ends_with(quotes) {
        (QUOTES, inner.to_owned())
    } else if let Some(at) = text.find('*') {
        let folder = text[..at].rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = if folder.is_empty() {
            "data/bin"
        } else {
            folder
        };
        (PATTERN, folder.to_owned())
    } else if let Some(at) = text.find(';').or_else(|| {
        let is_end = |odd: OddSign| matches!(odd.meant, Some(',' | ';' | ':' | '.'));
        let is_odd = |c| c == ',' || OddSign::of(c).is_some_and(is_end);
        text.strip_suffix(is_odd).map(str::len)
    }) {
        (SEVERAL, text[..at].to_owned())
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_may_be_meant() {
        for name in [
            "data/bin",
            "/srv/固件（新）/bin",
            "固件，新/bin",
            "./a b/c",
            "../x",
            "a:b/c",
            "data/$x",
            "a,b/c",
            "it's/here",
            "C",
            "x=1",
            "//",
        ] {
            assert_eq!(no_path(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_a_panic(text in any::<String>(), odd in "[／，；~$:/*;,`'\"\\\\<>a]{0,8}") {
            let _ = (no_path(&text), no_path(&odd));
        }
    }
}
