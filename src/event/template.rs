//! Templates of words: text with `{field}` where the value of one belongs, and
//! `{before|field|after}` for one that may be absent, and what stands around it then. In
//! commands a name is in quotes, `{'file'}`: its value is written as a shell reads it.

use memchr::{memchr, memchr_iter};

/// A piece of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// Text as it stands.
    Text(&'t str),
    /// The value of a field, and what stands around it if there is one.
    Field {
        before: &'t str,
        name: &'t str,
        after: &'t str,
        /// `true` if it may be absent.
        is_optional: bool,
        /// `true` if it is a word of a command.
        is_word: bool,
    },
}

/// Returns the pieces of a template.
pub(super) fn pieces(template: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let inner = rest
            .strip_prefix('{')
            .and_then(|inner| Some(inner.split_at(memchr(b'}', inner.as_bytes())?)));
        if let Some((inner, behind)) = inner {
            rest = &behind[1..];
            let mut bars = memchr_iter(b'|', inner.as_bytes());
            let (before, name, after, is_optional) = match (bars.next(), bars.next()) {
                (Some(first), Some(second)) => {
                    let after = bars.next().unwrap_or(inner.len());
                    let (before, name) = (&inner[..first], &inner[first + 1..second]);
                    (before, name, &inner[second + 1..after], true)
                }
                _ => ("", inner, "", false),
            };
            return Some(Piece::Field {
                before,
                name: name.trim_matches('\''),
                after,
                is_optional,
                is_word: name.starts_with('\''),
            });
        }
        // A bracket that nothing closes is text.
        let end = memchr(b'{', rest.as_bytes()).filter(|at| *at > 0);
        let (text, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind;
        Some(Piece::Text(text))
    })
}
