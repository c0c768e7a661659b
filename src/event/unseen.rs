//! Characters that nobody sees, or that turn others round. Pure.
//!
//! One list for all who look for them: the log and the console, which escape them; commands
//! to be typed, names of files and the configuration, which tell what was meant.

/// Tells whether a character leaves no mark on paper, or turns the direction of others.
pub(crate) fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
    )
}

/// Tells whether a character fills a place and shows nothing there, or belongs to the one
/// before it and is not seen itself: fillers, selectors of variants, tags.
pub(crate) fn is_filler(c: char) -> bool {
    is_selector(c)
        || matches!(
            c,
            '\u{34f}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{17b4}'
                | '\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{ffa0}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Tells whether a character chooses how the one before it looks, as in most pictures of a
/// Wi-Fi's name.
fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}')
}

/// Tells whether a character is none that a line can show: it steers a terminal, ends the
/// line, turns the direction of the text, leaves no mark, or has no meaning that everybody
/// knows (private or unassigned). Blanks of any width are shown.
pub(crate) fn is_unshown(c: char) -> bool {
    match c {
        '\0'..='\u{7f}' => c.is_ascii_control(),
        // Most of what is not ASCII here: Latin, Chinese and its signs.
        '\u{a1}'..='\u{ac}'
        | '\u{ae}'..='\u{2ff}'
        | '\u{3001}'..='\u{303e}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ff00}'..='\u{ff5e}' => false,
        c if is_selector(c) => false,
        '\u{2028}' | '\u{2029}' => true,
        _ => c.is_control() || is_unseen(c) || is_filler(c) || !is_assigned(c),
    }
}

/// Tells whether Unicode says what a character looks like. The standard library knows that,
/// and says it by what it escapes behind another one: alone an accent would be escaped, too.
fn is_assigned(c: char) -> bool {
    let mut pair = [b'a'; 5];
    let length = c.encode_utf8(&mut pair[1..]).len();
    let pair = std::str::from_utf8(&pair[..=length]);
    c.is_whitespace() || pair.is_ok_and(|pair| pair.escape_debug().nth(1) == Some(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_cannot_show() {
        let unshown = [
            0x0..=0x1f,            // Control characters
            0x7f..=0x9f,           //
            0xad..=0xad,           // Soft hyphen
            0x34f..=0x34f,         // Joins nothing that is seen
            0x378..=0x379,         // Unassigned
            0x600..=0x605,         // Signs that enclose the digits behind them
            0x61c..=0x61c,         // Turns the direction
            0x6dd..=0x6dd,         //
            0x115f..=0x1160,       // Fillers
            0x17b4..=0x17b5,       //
            0x180b..=0x180f,       //
            0x200b..=0x200f,       // Without width, or turns the direction
            0x2028..=0x202e,       // Ends of lines and of paragraphs; turns the direction
            0x2060..=0x206f,       //
            0x2800..=0x2800,       // An empty pattern of Braille
            0x3164..=0x3164,       //
            0xe000..=0xf8ff,       // Private
            0xfdd0..=0xfdef,       // No characters
            0xfeff..=0xfeff,       // Order of bytes
            0xffa0..=0xffa0,       //
            0xfff0..=0xfffb,       //
            0xfffe..=0xffff,       //
            0x1d173..=0x1d17a,     // Steer music
            0xe0000..=0xe0fff,     // Tags
            0xf0000..=0x0010_ffff, // Private
        ];
        for code in unshown.into_iter().flatten() {
            let c = char::from_u32(code).unwrap();
            assert!(is_unshown(c), "{code:x}");
        }
        let shown = "aZ~ é ñ ß\u{301} Ω Я ש ع 小智。，「」（）　\u{a0}… “” – ⚠\u{fe0f} 😀 한 ｱ \u{2007}\u{fffd}";
        for c in shown.chars() {
            assert!(!is_unshown(c), "{c:?}");
        }
    }
}
