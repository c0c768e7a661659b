//! Versions: our order, and the device's.
//!
//! Two comparisons live here, for they differ, and an update succeeds only
//! where both agree (or where the server says `force`):
//!
//! * [`Version`]'s order is the operator's: semantic versioning, in which
//!   `1.7.0-beta` comes before `1.7.0` and `1.9.2_2` after `1.9.2`.
//! * [`device_accepts`] is the firmware's own (`Ota::ParseVersion` and
//!   `Ota::IsNewVersionAvailable` in `main/ota.cc`), which reads a number at the
//!   start of each dotted part and ignores the rest.

use std::cmp::Ordering;
use std::fmt;

/// A version as somebody wrote it, ordered as the operator means it.
///
/// The leading dotted numbers compare first, padded with zeros. What follows is
/// read as words and numbers: a word makes a pre-release (below its release), a
/// number a later build (above it). Everything from a `+` on is build metadata
/// without rank. Any text is a version; one without digits in front ranks below
/// all that have some.
///
/// Equality is equality of rank: `1.6` equals `1.6.0`.
#[derive(Debug, Clone)]
pub struct Version(Box<str>);

impl Version {
    /// Takes any text; the order above is total.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

/// [`Version`]'s order without making one: the way of a check-in allocates
/// nothing here.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (ranked(a), ranked(b));
    let (a_len, b_len) = (release_len(a), release_len(b));
    let (mut left, mut right) = (numbers(&a[..a_len]), numbers(&b[..b_len]));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => break,
            (l, r) => compare_digits(l.unwrap_or(""), r.unwrap_or("")),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    let (mut left, mut right) = (Tokens(&a[a_len..]), Tokens(&b[b_len..]));
    loop {
        let (l, r) = (left.next(), right.next());
        let order = match (&l, &r) {
            (None, None) => return Ordering::Equal,
            (Some(Token::Number(l)), Some(Token::Number(r))) => compare_digits(l, r),
            (Some(Token::Word(l)), Some(Token::Word(r))) => compare_words(l, r),
            _ => rank(l.as_ref()).cmp(&rank(r.as_ref())),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// The version without its build metadata (semver.org, item 10).
fn ranked(text: &str) -> &str {
    text.split('+').next().unwrap_or("")
}

/// Returns the length of the leading `1.2.3`, in bytes.
fn release_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = 0;
    loop {
        let start = if end == 0 { 0 } else { end + 1 };
        let digits = bytes[start.min(bytes.len())..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        if digits == 0 {
            return end;
        }
        end = start + digits;
        if bytes.get(end) != Some(&b'.') {
            return end;
        }
    }
}

fn numbers(release: &str) -> impl Iterator<Item = &str> {
    release.split('.').filter(|part| !part.is_empty())
}

/// Compares decimal digits by value, of whatever length.
fn compare_digits(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn compare_words(a: &str, b: &str) -> Ordering {
    let lower = |s: &str| {
        s.bytes()
            .map(|b| b.to_ascii_lowercase())
            .collect::<Vec<_>>()
    };
    lower(a).cmp(&lower(b))
}

enum Token<'a> {
    Word(&'a str),
    Number(&'a str),
}

/// A pre-release word ranks below the end of the text, a build number above it.
fn rank(token: Option<&Token<'_>>) -> u8 {
    match token {
        Some(Token::Word(_)) => 0,
        None => 1,
        Some(Token::Number(_)) => 2,
    }
}

/// The words and numbers of a suffix, separators dropped.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let text = self.0.trim_start_matches(|c: char| !c.is_alphanumeric());
        let digit = |c: char| c.is_ascii_digit();
        let word = |c: char| c.is_alphanumeric() && !c.is_ascii_digit();
        let first = text.chars().next()?;
        let run = |class: &dyn Fn(char) -> bool| {
            let end = text.find(|c| !class(c)).unwrap_or(text.len());
            text.split_at(end)
        };
        if digit(first) {
            let (token, rest) = run(&digit);
            self.0 = rest;
            Some(Token::Number(token))
        } else {
            let (token, rest) = run(&word);
            self.0 = rest;
            Some(Token::Word(token))
        }
    }
}

/// The number that a version begins with.
pub fn major(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text[..end.unwrap_or(text.len())].parse().ok()
}

/// Tells whether the device's parser survives `text`: every dotted part begins with a
/// number that fits an `int`. One that does not throws, and the device restarts, at every
/// check.
pub fn is_device_safe(text: &str) -> bool {
    device_parts(text).all(|part| device_number(part).is_some())
}

/// Tells whether firmware that reports `own` installs `offered` unforced: number by number,
/// more parts winning when all else is equal. `false` where either one would crash it.
pub fn device_accepts(own: &str, offered: &str) -> bool {
    is_device_safe(own) && is_device_safe(offered) && device_finds_newer(own, offered)
}

/// [`device_accepts`] for two versions that are known to be safe.
pub fn device_finds_newer(own: &str, offered: &str) -> bool {
    let mut own = device_parts(own).filter_map(device_number);
    let mut offered = device_parts(offered).filter_map(device_number);
    loop {
        match (offered.next(), own.next()) {
            (Some(new), Some(old)) if new == old => {}
            (Some(new), Some(old)) => return new > old,
            (Some(_), None) => return true,
            (None, _) => return false,
        }
    }
}

/// `std::getline` with '.': an empty last part does not come out.
fn device_parts(text: &str) -> impl Iterator<Item = &str> {
    text.split_terminator('.')
}

/// `std::stoi`: white space, a sign, digits; `None` where it throws.
fn device_number(part: &str) -> Option<i32> {
    let part = part.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
    let (negative, digits) = match part.as_bytes().first() {
        Some(b'-') => (true, &part[1..]),
        Some(b'+') => (false, &part[1..]),
        _ => (false, part),
    };
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    let digits = digits[..end].trim_start_matches('0');
    if end == 0 || digits.len() > 10 {
        return None;
    }
    let value = digits
        .bytes()
        .fold(0i64, |n, b| n * 10 + i64::from(b - b'0'));
    i32::try_from(if negative { -value } else { value }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_guides_order() {
        for (low, high) in [
            ("1.6.6", "1.6.7"),
            ("1.6.9", "1.7.0"),
            ("1.9.9", "2.0.0"),
            ("1.9.9", "1.10.0"),
            ("1.6", "1.6.6"),
            ("1.6.6", "1.7.0-beta"),
            ("1.7.0-beta", "1.7.0"),
            ("1.7.0-rc2", "1.7.0-rc10"),
            ("1.7.0-alpha", "1.7.0-beta"),
            ("1.7.0-beta", "1.7.0-beta2"),
            ("1.7.0-beta.2", "1.7.0-rc.1"),
            ("1.7.0rc1", "1.7.0"),
            ("1.9.2", "1.9.2_2"),
            ("1.9.2-2", "1.9.2-10"),
            ("1.9.2_2-beta", "1.9.2_2"),
            ("1.9.2_2", "1.9.3"),
            ("1.9.2_2", "1.9.2.1"),
            ("99999999999999999999998", "99999999999999999999999"),
            ("v1", "0"),
            ("", "0-1"),
        ] {
            assert_eq!(compare(low, high), Ordering::Less, "{low} < {high}");
            assert_eq!(compare(high, low), Ordering::Greater, "{high} > {low}");
        }
    }

    #[test]
    fn what_ranks_equal() {
        for (a, b) in [
            ("1.6", "1.6.0"),
            ("1.6-beta", "1.6.0-beta"),
            ("1.9.2_2", "1.9.2-2"),
            ("1.07", "1.7"),
            ("1.7.0-RC1", "1.7.0-rc1"),
            ("1.6.0+abc", "1.6.0"),
        ] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} = {b}");
        }
    }

    /// The firmware's parser, written down once more from its C++ source, step
    /// by step, as the model that the fast one above is held to.
    fn stoi_model(part: &str) -> Option<i32> {
        let mut chars = part.chars().peekable();
        while chars
            .peek()
            .is_some_and(|c| " \t\n\u{b}\u{c}\r".contains(*c))
        {
            chars.next();
        }
        let sign = match chars.peek() {
            Some('-') => {
                chars.next();
                -1i128
            }
            Some('+') => {
                chars.next();
                1
            }
            _ => 1,
        };
        let mut value: Option<i128> = None;
        while let Some(d) = chars.peek().and_then(|c| c.to_digit(10)) {
            chars.next();
            value = Some((value.unwrap_or(0) * 10 + i128::from(d)).min(1 << 100));
        }
        i32::try_from(sign * value?).ok()
    }

    fn parse_model(text: &str) -> Option<Vec<i32>> {
        let mut parts: Vec<&str> = text.split('.').collect();
        if parts.last() == Some(&"") {
            parts.pop();
        }
        parts.into_iter().map(stoi_model).collect()
    }

    fn newer_model(own: &[i32], new: &[i32]) -> bool {
        for i in 0..own.len().min(new.len()) {
            if new[i] != own[i] {
                return new[i] > own[i];
            }
        }
        new.len() > own.len()
    }

    #[test]
    fn what_crashes_a_device() {
        for bad in [
            "2.0.x",
            "1..2",
            "v1",
            "1.202511211530",
            ".1",
            "1.2147483648",
            "x",
            "1.-",
        ] {
            assert!(!is_device_safe(bad), "{bad}");
        }
        for good in [
            "1.6.6",
            "1.7.0-beta",
            "1.9.2_2",
            "2.0.0.0",
            "1.2147483647",
            "1.2.",
            "0",
            "",
        ] {
            assert!(is_device_safe(good), "{good}");
        }
    }

    #[test]
    fn what_a_device_accepts() {
        assert!(device_accepts("1.6.0", "1.6.1"));
        assert!(device_accepts("2.0.0", "2.0.0.0"));
        assert!(device_accepts("1.6.6", "1.7.0-beta"));
        assert!(!device_accepts("1.7.0-beta", "1.7.0"));
        assert!(!device_accepts("1.9.2", "1.9.2_2"));
        assert!(!device_accepts("1.6.1", "1.6.1"));
        assert!(!device_accepts("v1", "2.0.0"));
    }

    fn version_like() -> impl Strategy<Value = String> {
        prop_oneof![
            "[0-9]{1,3}(\\.[0-9]{1,3}){0,4}([-_.]?(beta|rc|alpha|[0-9]{1,2})){0,3}",
            "[0-9a-z._+ -]{0,16}",
            any::<String>(),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_order_is_total(a in version_like(), b in version_like(), c in version_like()) {
            prop_assert_eq!(compare(&a, &a), Ordering::Equal);
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b) != Ordering::Greater && compare(&b, &c) != Ordering::Greater {
                prop_assert_ne!(compare(&a, &c), Ordering::Greater);
            }
            if compare(&a, &b) == Ordering::Equal {
                prop_assert_eq!(compare(&a, &c), compare(&b, &c));
            }
        }

        #[test]
        fn dotted_numbers_compare_as_padded_lists(
            a in prop::collection::vec(0u32..50, 1..5),
            b in prop::collection::vec(0u32..50, 1..5),
        ) {
            let text = |v: &[u32]| v.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
            let (mut x, mut y) = (a.clone(), b.clone());
            x.resize(5, 0);
            y.resize(5, 0);
            prop_assert_eq!(compare(&text(&a), &text(&b)), x.cmp(&y));
        }

        #[test]
        fn a_word_makes_a_pre_release_and_a_number_a_build(
            release in "[0-9]{1,3}(\\.[0-9]{1,3}){0,3}", word in "[a-z]{1,6}", n in 0u32..1000,
        ) {
            let pre = format!("{release}-{word}{n}");
            let build = format!("{release}_{n}");
            prop_assert_eq!(compare(&pre, &release), Ordering::Less);
            prop_assert_eq!(compare(&build, &release), Ordering::Greater);
        }

        #[test]
        fn the_device_check_agrees_with_the_model(a in version_like(), b in version_like()) {
            prop_assert_eq!(is_device_safe(&a), parse_model(&a).is_some());
            let expected = match (parse_model(&a), parse_model(&b)) {
                (Some(own), Some(new)) => newer_model(&own, &new),
                _ => false,
            };
            prop_assert_eq!(device_accepts(&a, &b), expected);
        }
    }
}
