//! Wishes about a draft, as a query or a form has them.

use crate::admin::page::guard::Fields;
use crate::admin::release_source::Wish;
use percent_encoding::percent_decode_str;

/// Longest model or version, in bytes: no file's name has a longer one.
const LONGEST: usize = 255;

impl Wish {
    /// Reads the fields of a form. What is empty is no wish.
    pub(super) fn of(fields: &Fields) -> Self {
        Self::read(|name| fields.get(name).map(str::to_owned))
    }

    /// Reads a query.
    pub(super) fn of_query(query: Option<&str>) -> Self {
        Self::read(|name| {
            let pairs = query.unwrap_or_default().split('&');
            let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
            let (_, value) = pairs.find(|(found, _)| *found == name)?;
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value).decode_utf8().ok()?;
            Some(value.into_owned())
        })
    }

    fn read(field: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name| {
            let text = field(name)?.trim().to_owned();
            (!text.is_empty() && text.len() <= LONGEST).then_some(text)
        };
        Self {
            model: text("model"),
            version: text("version"),
            replaces: text("replace").is_some(),
            over: text("over"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_is_no_wish() {
        let of = |query| Wish::of_query(Some(query));
        assert_eq!(Wish::of_query(None), Wish::default());
        assert_eq!(of("model=&version=+&replace="), Wish::default());
        let wish = Wish {
            model: Some("小 b".to_owned()),
            version: Some("1.6+2".to_owned()),
            replaces: true,
            over: None,
        };
        assert_eq!(of("version=1.6%2b2&model=%E5%B0%8F+b&replace=1&x"), wish);
        assert_eq!(of("model=%ff"), Wish::default());
        assert_eq!(of(&format!("model={}", "x".repeat(256))), Wish::default());
    }
}
