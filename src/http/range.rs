//! One byte range of a `Range` header (RFC 9110, section 14.2).

/// Part of a body that a `Range` header selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selected {
    /// The whole body: no range that we serve. Several ranges count as none, which the
    /// RFC allows, and so does what is no range at all.
    Whole,
    /// `start..end`, within the body and not empty.
    Part { start: u64, end: u64 },
    /// Nothing: no byte of the range lies within the body.
    Unsatisfiable,
}

/// Reads a `Range` header for a body of `length` bytes.
pub(super) fn select(header: &str, length: u64) -> Selected {
    let Some((unit, set)) = header.split_once('=') else {
        return Selected::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return Selected::Whole;
    }
    let Some((first, last)) = set.trim().split_once('-') else {
        return Selected::Whole;
    };
    match (position(first), position(last)) {
        (Position::None, Position::At(0)) => Selected::Unsatisfiable,
        (Position::None, Position::At(suffix)) => {
            part(length.saturating_sub(suffix), length, length)
        }
        (Position::At(first), Position::None) => part(first, length, length),
        (Position::At(first), Position::At(last)) if first <= last => {
            part(first, last.saturating_add(1), length)
        }
        _ => Selected::Whole,
    }
}

fn part(start: u64, end: u64, length: u64) -> Selected {
    if start < length {
        Selected::Part {
            start,
            end: end.min(length),
        }
    } else {
        Selected::Unsatisfiable
    }
}

enum Position {
    None,
    At(u64),
    Bad,
}

fn position(text: &str) -> Position {
    match text {
        "" => Position::None,
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            Position::At(digits.parse().unwrap_or(u64::MAX))
        }
        _ => Position::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_form() {
        for (header, selected) in [
            ("bytes=0-0", Selected::Part { start: 0, end: 1 }),
            ("bytes=0-", Selected::Part { start: 0, end: 10 }),
            ("bytes=5-100", Selected::Part { start: 5, end: 10 }),
            ("Bytes = 5-7", Selected::Part { start: 5, end: 8 }),
            ("bytes=-3", Selected::Part { start: 7, end: 10 }),
            ("bytes=-100", Selected::Part { start: 0, end: 10 }),
            (
                "bytes=9-18446744073709551615",
                Selected::Part { start: 9, end: 10 },
            ),
            ("bytes=10-", Selected::Unsatisfiable),
            ("bytes=-0", Selected::Unsatisfiable),
            ("bytes=99999999999999999999-", Selected::Unsatisfiable),
            ("bytes=5-4", Selected::Whole),
            ("bytes=0-1,3-4", Selected::Whole),
            ("bytes=-", Selected::Whole),
            ("bytes=a-b", Selected::Whole),
            ("bytes=+1-2", Selected::Whole),
            ("items=0-1", Selected::Whole),
            ("bytes", Selected::Whole),
            ("", Selected::Whole),
        ] {
            assert_eq!(select(header, 10), selected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_body(header in "bytes ?= ?[0-9]{0,4}-[0-9]{0,4}|.{0,20}", length in 0u64..5000) {
            if let Selected::Part { start, end } = select(&header, length) {
                prop_assert!(start < end && end <= length);
            }
        }

        #[test]
        fn what_is_asked_for_is_what_comes(first in 0u64..5000, more in 0u64..5000, length in 1u64..5000) {
            let last = first + more;
            let expected = if first < length {
                Selected::Part { start: first, end: (last + 1).min(length) }
            } else {
                Selected::Unsatisfiable
            };
            prop_assert_eq!(select(&format!("bytes={first}-{last}"), length), expected);
        }
    }
}
