//! Signs that a keyboard or a chat program puts where YAML wants another one, and signs
//! that nobody sees.

use crate::event::text::Text;
use crate::event::unseen;

/// A sign that stands where another one, or none, was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OddSign {
    /// The sign.
    pub(super) sign: char,
    /// The sign that was meant; `None` where none was, or a blank.
    pub(super) meant: Option<char>,
}

impl OddSign {
    /// Judges a sign; `None` for one that may be meant.
    pub(super) fn of(sign: char) -> Option<Self> {
        let odd = |meant| Some(Self { sign, meant });
        match meant(sign) {
            Some(meant) => odd(Some(meant)),
            None if is_unseen(sign) => odd(None),
            None => None,
        }
    }

    /// Judges the first sign of an item: a bullet, or a dash of another kind, with a blank
    /// behind it, where `- ` was meant.
    pub(super) fn of_item(text: &str) -> Option<Self> {
        let mut signs = text.trim_start().chars();
        let sign = signs.next()?;
        let is_dash = meant(sign) == Some('-') || "•·●▪▸►‣◦∙○■◆★※".contains(sign);
        let is_parted = signs.next().is_some_and(char::is_whitespace);
        (is_dash && is_parted).then_some(Self {
            sign,
            meant: Some('-'),
        })
    }

    /// Finds the first such sign in a text.
    pub(super) fn find(text: &str) -> Option<Self> {
        text.chars().find_map(Self::of)
    }

    /// Finds the first sign that nobody sees.
    pub(super) fn find_unseen(text: &str) -> Option<Self> {
        let sign = text.chars().find(|c| is_unseen(*c))?;
        Some(Self { sign, meant: None })
    }

    /// Returns the sign as a message shows it: one that nobody sees by its number alone.
    pub(super) fn shown(self) -> String {
        let number = u32::from(self.sign);
        if self.meant.is_some() {
            format!("{} (U+{number:04X})", self.sign)
        } else {
            format!("U+{number:04X}")
        }
    }

    /// Returns what a sign that nobody sees is called.
    pub(super) fn name(self) -> Text {
        match self.sign {
            '\u{3000}' => Text::new("全角空格", "a full-width blank"),
            '\u{a0}' | '\u{202f}' => Text::new("不换行空格", "a no-break space"),
            '\u{feff}' => Text::new("字节顺序标记（BOM）", "a byte order mark"),
            '\u{ad}' => Text::new("软连字符", "a soft hyphen"),
            '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' => {
                Text::new("零宽字符", "a sign without width")
            }
            '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{206f}'
            | '\u{61c}' => Text::new(
                "书写方向控制符",
                "a sign that turns the direction of writing",
            ),
            c if c.is_whitespace() => Text::new("特殊空白", "a blank of another kind"),
            _ => Text::new("看不见的字符", "a sign that nobody sees"),
        }
    }
}

/// Returns the text as it was meant: odd signs turned into those that were meant, and what
/// nobody sees left out.
pub(super) fn as_meant(text: &str) -> String {
    let meant = text.chars().filter_map(|c| match OddSign::of(c) {
        Some(odd) => odd.meant,
        None => Some(c),
    });
    meant.collect()
}

/// Tells whether a sign is a blank that YAML takes for a letter.
pub(super) fn is_odd_blank(sign: char) -> bool {
    is_unseen(sign)
        && (sign.is_whitespace() || matches!(sign, '\u{200b}' | '\u{feff}' | '\u{2800}'))
}

/// Returns the ASCII sign that was meant. Letters and signs in full width have the order
/// of ASCII.
fn meant(sign: char) -> Option<char> {
    Some(match sign {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(sign) - 0xfee0)?,
        '。' | '｡' => '.',
        '、' | '､' => ',',
        '﹕' | '︓' | '︰' | '∶' | '꞉' | 'ː' => ':',
        '“' | '”' | '„' | '‟' | '«' | '»' | '「' | '」' | '『' | '』' | '〝' | '〞' | '″' => {
            '"'
        }
        '‘' | '’' | '‚' | '‛' | '′' | '´' => '\'',
        '【' | '〔' | '〖' => '[',
        '】' | '〕' | '〗' => ']',
        '‐'..='―' | '−' | '﹣' | '﹘' => '-',
        '∕' | '⁄' => '/',
        _ => return None,
    })
}

fn is_unseen(sign: char) -> bool {
    let is_plain_blank = matches!(sign, ' ' | '\t' | '\n' | '\r');
    !is_plain_blank && (sign.is_whitespace() || sign.is_control())
        || unseen::is_unseen(sign)
        || unseen::is_filler(sign)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_meant() {
        for (text, meant) in [
            ("server：", "server:"),
            ("“８００３”，", "\"8003\","),
            ("\u{3000}\u{a0}ip\u{200b}", "ip"),
            ("【ａ．ｂ】", "[a.b]"),
            ("你好", "你好"),
            ("a b\tc", "a b\tc"),
        ] {
            assert_eq!(as_meant(text), meant, "{text}");
        }
        let odd = |text: &str| OddSign::find(text).map(OddSign::shown);
        assert_eq!(odd("a：b").as_deref(), Some("： (U+FF1A)"));
        assert_eq!(odd("a\u{202e}b").as_deref(), Some("U+202E"));
        assert_eq!(odd("端口 a:b, 'c' \"d\""), None);
    }

    proptest! {
        #[test]
        fn what_is_meant_has_no_odd_sign(text in any::<String>()) {
            let meant = as_meant(&text);
            prop_assert_eq!(OddSign::find(&meant), None);
            if text.is_ascii() && !text.contains(|c: char| c.is_control()) {
                prop_assert_eq!(meant, text);
            }
        }
    }
}
