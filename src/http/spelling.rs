//! Spellings of a path: people type the address into devices, and a device sends it as
//! it was typed.
//!
//! What comes of a path here is compared with paths of ours, and with nothing else: it
//! opens no file. So a spelling can at most reach what the right one reaches.

use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use strsim::osa_distance;

/// Returns the path that was plainly meant, without a last slash: in small letters,
/// decoded, without empty parts and `.`, and without what gets pasted around the parts.
/// Of an address that was pasted whole, the path behind its host. `None` for one that
/// holds `..`, or is no UTF-8: another may be meant.
pub(super) fn plain(path: &str) -> Option<Cow<'_, str>> {
    if is_plain(path) {
        return Some(path.trim_end_matches('/').into());
    }
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    let narrow: String = decoded.chars().map(narrow).collect();
    let path = narrow.split(['?', '#']).next().unwrap_or_default();
    let mut plain = String::with_capacity(path.len());
    let mut host_follows = false;
    for part in path.split(['/', '\\']) {
        let bare = part.split(';').next().unwrap_or_default();
        if bare.trim_matches(|c| is_stray(c) && c != '.') == ".." {
            return None;
        }
        let part = part.trim_start_matches(is_stray);
        let (scheme, part) = (part, part.trim_end_matches(is_stray));
        if matches!(scheme, "http:" | "https:" | "ws:" | "wss:") {
            plain.clear();
            host_follows = true;
        } else if !part.is_empty() && !std::mem::take(&mut host_follows) {
            plain.push('/');
            plain.push_str(part);
        }
    }
    Some(plain.into())
}

/// Returns whether a path is what [`plain`] would make of it, but for one last slash.
fn is_plain(path: &str) -> bool {
    let is_own = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_~.".contains(&b);
    let mut parts = path.strip_suffix('/').unwrap_or(path).split('/');
    parts.next() == Some("")
        && parts.all(|part| {
            let has_dot = part.starts_with('.') || part.ends_with('.');
            !part.is_empty() && !has_dot && part.bytes().all(is_own)
        })
}

/// Returns the sign that a full-width one stands for, in small letters.
fn narrow(c: char) -> char {
    let narrow = match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{3000}' => ' ',
        c => c,
    };
    narrow.to_ascii_lowercase()
}

/// Returns whether a sign is none of an address's own, but one of the text around it: a
/// blank, seen or unseen, a quote, a bracket, or a full stop, Chinese ones too.
fn is_stray(c: char) -> bool {
    const SIGNS: &str = "+%\"'`<>()[]{}.,;:!|*“”‘’„«»‹›「」『』《》〈〉【】〔〕。、…·•—–";
    let is_unseen = matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' | '\u{FFFD}');
    c.is_whitespace() || c.is_control() || is_unseen || SIGNS.contains(c)
}

/// Number of parts of a path, and of bytes, in which something of ours is looked for.
const PARTS: usize = 16;
const BYTES: usize = 256;

/// Returns the beginning of a path, longer than any that somebody means who looks for us: a
/// stranger's may be as long as a head, and each of its parts is compared with ours.
pub(super) fn beginning(path: &str) -> &str {
    let path = &path[..path.floor_char_boundary(BYTES)];
    let end = path.match_indices('/').nth(PARTS);
    end.map_or(path, |(at, _)| &path[..at])
}

/// Returns whether a part of a path is nearly `wanted`: a letter or two amiss.
pub(super) fn is_nearly(part: &str, wanted: &str) -> bool {
    let amiss = if wanted.len() < 6 { 1 } else { 2 };
    part.len() > 1
        && part.len().abs_diff(wanted.len()) <= amiss
        && osa_distance(part, wanted) <= amiss
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_type_is_read_as_they_meant_it() {
        for path in [
            "/xiaozhi/ota",
            "/xiaozhi/ota/",
            "//xiaozhi//ota//",
            "/./xiaozhi/./ota/.",
            "/XiaoZhi/OTA/",
            "/xiaozhi/ota/%20",
            "/%20xiaozhi%20/%09ota%0A",
            "/xiaozhi/ota+/+",
            "/xiaozhi/ota/\u{3000}",
            "/xiaozhi/ota/%E3%80%80",
            "/xiaozhi/ota/\u{200b}",
            "/xiaozhi/ota/。",
            "/xiaozhi/ota，",
            "/xiaozhi/ota/、；",
            "/xiaozhi/ota/.,;",
            "/\"xiaozhi/ota/\"",
            "/“xiaozhi/ota/”",
            "/<xiaozhi/ota/>",
            "/%78iaozhi/ot%61/",
            "/xiaozhi%2Fota%2F",
            "/xiaozhi\\ota\\",
            "／ｘｉａｏｚｈｉ／ｏｔａ／",
            "/xiaozhi/ota/%3Fa=b",
            "/xiaozhi/ota/？",
            "/http://h:8003/xiaozhi/ota/",
            "/x/https:/h/xiaozhi/ota/",
        ] {
            assert_eq!(plain(path).as_deref(), Some("/xiaozhi/ota"), "{path}");
        }
        for path in ["", "/", "//", "/.", "/%20"] {
            assert_eq!(plain(path).as_deref(), Some(""), "{path}");
        }
        for path in [
            "/..",
            "/x/../xiaozhi/ota",
            "/x/%2e%2E/xiaozhi/ota",
            "/x/..%2fxiaozhi/ota",
            "/x/..\\xiaozhi/ota",
            "/x/..;a/xiaozhi/ota",
            "/x/%20..%20/xiaozhi/ota",
            "/xiaozhi/ota/..",
            "/xiaozhi/ota/%ff",
        ] {
            assert_eq!(plain(path), None, "{path}");
        }
    }

    #[test]
    fn a_letter_or_two_amiss() {
        for (part, wanted, is) in [
            ("xiaozi", "xiaozhi", true),
            ("xaiozhi", "xiaozhi", true),
            ("oat", "ota", true),
            ("otaa", "ota", true),
            ("", "ota", false),
            ("a", "ota", false),
            ("env", "ota", false),
            ("robots.txt", "ota", false),
            ("wp-login.php", "xiaozhi", false),
        ] {
            assert_eq!(is_nearly(part, wanted), is, "{part}");
        }
    }

    #[test]
    fn a_beginning_is_short() {
        assert_eq!(beginning("/xiaozhi/ota"), "/xiaozhi/ota");
        assert_eq!(beginning(&"/ota".repeat(4000)), "/ota".repeat(16));
        assert_eq!(beginning(&format!("/{}", "智".repeat(5000))).len(), 256);
    }

    proptest! {
        #[test]
        fn a_plain_path_has_plain_parts(path in "(/?[a-zA-Z.%2/ _+~-]{0,4}){0,6}") {
            if let Some(plain) = plain(&path) {
                prop_assert!(!plain.ends_with('/') && !plain.contains("//"), "{plain}");
                prop_assert!(!plain.split('/').any(|part| matches!(part, "." | "..")), "{plain}");
                prop_assert!(plain.is_empty() || plain.starts_with('/'), "{plain}");
            }
        }

        #[test]
        fn the_short_way_says_the_same(path in "(/[a-z.]{1,3}){0,4}/?") {
            let long = path.replace('a', "%61");
            prop_assert_eq!(plain(&path), plain(&long));
        }

        #[test]
        fn any_text_can_be_read(path in any::<String>()) {
            let _ = plain(&path);
        }
    }
}
