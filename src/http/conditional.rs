//! Conditional requests (RFC 9110, section 13): finds out whether the client already
//! has the image, and whether it still wants a part of it.

use std::time::SystemTime;

/// The conditional headers of a request.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Conditions<'a> {
    pub(super) if_match: Option<&'a str>,
    pub(super) if_unmodified_since: Option<&'a str>,
    pub(super) if_none_match: Option<&'a str>,
    pub(super) if_modified_since: Option<&'a str>,
    pub(super) if_range: Option<&'a str>,
}

/// Validators of the image: a strong entity tag, in quotes, and an HTTP date.
#[derive(Debug, Clone, Copy)]
pub(super) struct Validators<'a> {
    pub(super) etag: &'a str,
    pub(super) last_modified: &'a str,
}

/// Outcome of the conditions of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evaluation {
    /// Send the image.
    Proceed,
    /// The client has the image already: 304.
    NotModified,
    /// The client wants another image: 412.
    PreconditionFailed,
}

/// Evaluates the conditions in the order of RFC 9110, section 13.2.2.
pub(super) fn evaluate(conditions: &Conditions<'_>, current: Validators<'_>) -> Evaluation {
    let modified = date(current.last_modified);
    if let Some(tags) = conditions.if_match {
        // Strong comparison: a weak tag never matches.
        if !lists(tags, current.etag, false) {
            return Evaluation::PreconditionFailed;
        }
    } else if let Some(since) = conditions.if_unmodified_since.and_then(date)
        && modified.is_some_and(|m| m > since)
    {
        return Evaluation::PreconditionFailed;
    }
    if let Some(tags) = conditions.if_none_match {
        if lists(tags, current.etag, true) {
            return Evaluation::NotModified;
        }
    } else if let Some(since) = conditions.if_modified_since.and_then(date)
        && modified.is_some_and(|m| m <= since)
    {
        return Evaluation::NotModified;
    }
    Evaluation::Proceed
}

/// Returns whether a `Range` counts: there is no `If-Range`, or it names exactly the
/// current validators (section 13.1.5).
pub(super) fn range_counts(conditions: &Conditions<'_>, current: Validators<'_>) -> bool {
    conditions
        .if_range
        .is_none_or(|wanted| wanted == current.etag || wanted == current.last_modified)
}

fn date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).ok()
}

/// Returns whether a list of entity tags holds `etag`. Ours hold no comma.
fn lists(tags: &str, etag: &str, weak: bool) -> bool {
    tags.trim() == "*"
        || tags.split(',').map(str::trim).any(|tag| {
            let tag = if weak {
                tag.strip_prefix("W/").unwrap_or(tag)
            } else {
                tag
            };
            tag == etag
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURRENT: Validators<'_> = Validators {
        etag: "\"abc\"",
        last_modified: "Tue, 14 Nov 2023 22:13:20 GMT",
    };
    const BEFORE: &str = "Tue, 14 Nov 2023 22:13:19 GMT";

    fn evaluated(change: impl FnOnce(&mut Conditions<'static>)) -> Evaluation {
        let mut conditions = Conditions::default();
        change(&mut conditions);
        evaluate(&conditions, CURRENT)
    }

    #[test]
    fn each_condition() {
        assert_eq!(evaluated(|_| {}), Evaluation::Proceed);
        for (tags, expected) in [
            ("\"abc\"", Evaluation::NotModified),
            ("W/\"abc\"", Evaluation::NotModified),
            ("\"x\", \"abc\"", Evaluation::NotModified),
            ("*", Evaluation::NotModified),
            ("\"x\"", Evaluation::Proceed),
            ("abc", Evaluation::Proceed),
        ] {
            assert_eq!(
                evaluated(|c| c.if_none_match = Some(tags)),
                expected,
                "{tags}"
            );
        }
        assert_eq!(
            evaluated(|c| c.if_modified_since = Some(CURRENT.last_modified)),
            Evaluation::NotModified
        );
        assert_eq!(
            evaluated(|c| c.if_modified_since = Some(BEFORE)),
            Evaluation::Proceed
        );
        assert_eq!(
            evaluated(|c| c.if_modified_since = Some("yesterday")),
            Evaluation::Proceed
        );
        assert_eq!(
            evaluated(|c| c.if_match = Some("\"abc\"")),
            Evaluation::Proceed
        );
        assert_eq!(
            evaluated(|c| c.if_match = Some("W/\"abc\"")),
            Evaluation::PreconditionFailed
        );
        assert_eq!(
            evaluated(|c| c.if_unmodified_since = Some(BEFORE)),
            Evaluation::PreconditionFailed
        );
    }

    #[test]
    fn tags_outrank_dates() {
        assert_eq!(
            evaluated(|c| {
                c.if_none_match = Some("\"x\"");
                c.if_modified_since = Some(CURRENT.last_modified);
            }),
            Evaluation::Proceed
        );
    }

    #[test]
    fn a_range_counts_only_for_the_same_content() {
        let counts = |wanted| {
            range_counts(
                &Conditions {
                    if_range: wanted,
                    ..Conditions::default()
                },
                CURRENT,
            )
        };
        assert!(counts(None) && counts(Some("\"abc\"")) && counts(Some(CURRENT.last_modified)));
        assert!(!counts(Some("W/\"abc\"")) && !counts(Some(BEFORE)) && !counts(Some("\"x\"")));
    }
}
