//! A name that would do in place of one that does not, as far as model and version can
//! be told from it.

use super::copies::{without_copy_in_front, without_copy_marks};
use super::{NameError, fits_version, is_version, parse};
use crate::event::unseen::is_unseen;
use percent_encoding::percent_decode_str;
use std::ops::RangeInclusive;
use unicode_normalization::UnicodeNormalization as _;
use xiaozhi_device::version::is_device_safe;

/// Longest name that a file system takes, in bytes.
pub(super) const LONGEST: usize = 255;

/// Ends of names that stand in the place of `.bin`, in lower case.
const OTHER_ENDS: [&str; 32] = [
    ".tar.gz", ".tar.xz", ".tar.bz2", ".zip", ".rar", ".7z", ".tar", ".tgz", ".gz", ".xz", ".bz2",
    ".zst", ".lz4", ".img", ".fw", ".ota", ".rom", ".hex", ".elf", ".uf2", ".dfu", ".txt", ".bak",
    ".old", ".orig", ".dat", ".binary", ".bn", ".bi", ".html", ".htm", ".json",
];

/// Ends of names that may be those of an image all the same.
const IMAGE_ENDS: [&str; 13] = [
    "img", "fw", "ota", "rom", "bak", "old", "orig", "dat", "binary", "bn", "bi", "ib", "beta",
];

/// Number of those, at the beginning, that are archives.
const ARCHIVES: usize = 13;

/// Signs that people put between model and version.
const PARTING: [char; 17] = [
    ' ', '_', '-', '.', '~', '@', '#', '+', '=', '(', '[', ',', ':', '|', '\\', ';', '!',
];

/// Words that people put in front of a version, in lower case; of two that begin alike the
/// longer one first.
const VERSION_WORDS: [&str; 13] = [
    "version", "ver", "v", "release", "rel", "r", "firmware", "fw", "build", "版本", "版", "固件",
    "发布",
];

/// Signs that stand around a name, and are no part of it.
const QUOTES: [char; 16] = [
    '"', '\'', '`', '“', '”', '‘', '’', '„', '«', '»', '「', '」', '『', '』', '《', '》',
];

/// Words in the names of full flash images.
const FULL_FLASH: [&str; 8] = [
    "merged",
    "merge-bin",
    "full-flash",
    "full_flash",
    "fullflash",
    "flash_dump",
    "flash-dump",
    "flashdump",
];

/// Returns what a file is by its name, where that is something of its own kind.
pub(super) fn is_called(file: &str) -> Option<NameError> {
    let lower = file.trim_end().to_ascii_lowercase();
    if OTHER_ENDS[..ARCHIVES]
        .iter()
        .any(|end| lower.ends_with(end))
    {
        return Some(NameError::Archive);
    }
    (lower.ends_with(".bin") && FULL_FLASH.iter().any(|word| lower.contains(word)))
        .then_some(NameError::FullFlash)
}

/// Returns a name that would do, by the grammar, for devices, and on a disk.
pub(super) fn name(file: &str) -> Option<String> {
    if is_of_another_kind(file) {
        return None;
    }
    let (model, version) = parts(file)?;
    let name = format!("{model}_{}.bin", version?);
    // Nobody knows what stood where a control character stands within a model.
    let is_guess = name.contains(' ') && file.chars().any(char::is_control);
    (!is_guess && is_good(&name)).then_some(name)
}

/// Returns the name of an image that holds the version `inside`, as far as its file's name
/// tells the model.
pub(super) fn of_image(file: &str, inside: &str) -> Option<String> {
    let version = version_of(inside)?;
    let plain = plain(file);
    let stem = without_end(&plain);
    let model = before_version(stem, version).or_else(|| {
        let (model, named) = parts(file)?;
        named.map(|_| model)
    })?;
    let name = format!("{model}_{version}.bin");
    let is_guess = name.contains(' ') && file.chars().any(char::is_control);
    (!is_guess && is_good(&name)).then_some(name)
}

/// Returns the part of the version inside an image that a name can carry, and devices read.
fn version_of(inside: &str) -> Option<&str> {
    let version = without_v(inside)?;
    let end = version.find(|c: char| !fits_version(c));
    let version = version[..end.unwrap_or(version.len())].trim_end_matches(['-', '_', '.']);
    is_device_safe(version).then_some(version)
}

/// Returns the model in front of a version, wherever that stands, without what parts the two.
fn before_version(stem: &str, version: &str) -> Option<String> {
    let is_whole = |(at, _): &(usize, &str)| {
        let (before, behind) = (&stem[..*at], &stem[at + version.len()..]);
        let goes_on = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        let is_longer = goes_on(behind) || behind.strip_prefix('.').is_some_and(goes_on);
        let ends = |text: &str| text.ends_with(|c: char| c.is_ascii_digit());
        let is_later = ends(before) || before.strip_suffix('.').is_some_and(ends);
        !is_longer && !is_later
    };
    let (at, _) = stem.match_indices(version).filter(is_whole).last()?;
    let mut before = &stem[..at];
    // By the grammar an underscore parts them, whatever stands in front of it.
    while !before.ends_with('_') {
        let parted = before.trim_end_matches(|c| PARTING.contains(&c) || QUOTES.contains(&c));
        let without = VERSION_WORDS.iter().find_map(|word| {
            let at = parted.len().checked_sub(word.len())?;
            let (model, end) = (parted.get(..at)?, parted.get(at..)?);
            let is_word = model.ends_with(PARTING) || matches!(*word, "版本" | "版" | "固件");
            // `xmini-c3v2.0.6`, but `lichuang-dev2.0.6`.
            let is_v = *word == "v" && parted == before && !model.to_lowercase().ends_with("de");
            (end.to_lowercase() == *word && (is_word || is_v)).then_some(model)
        });
        before = without.unwrap_or(parted);
        if without.is_none() {
            break;
        }
    }
    let model = tidied_model(before);
    model.contains(char::is_alphabetic).then_some(model)
}

/// Tells whether a name ends as those of other files of a build do, or of other programs
/// (`.elf`, `.map`, `.pem`), which no other name makes an image.
fn is_of_another_kind(file: &str) -> bool {
    let lower = file.trim_end().to_ascii_lowercase();
    let Some((_, end)) = lower.rsplit_once('.') else {
        return false;
    };
    let is_word = (2..=5).contains(&end.len()) && end.bytes().all(|b| b.is_ascii_lowercase());
    is_word && !lower.contains(".bin") && is_called(file).is_none() && !IMAGE_ENDS.contains(&end)
}

/// Tells whether a name can be suggested.
pub(super) fn is_good(name: &str) -> bool {
    let parsed = parse(name);
    name.len() <= LONGEST
        && !super::is_passed_over(name)
        && parsed.is_ok_and(|parsed| {
            is_device_safe(parsed.version.as_str())
                && tidied_model(&parsed.model) == parsed.model
                && format!("{}_{}.bin", parsed.model, parsed.version) == name
        })
}

/// Returns the model that a name means, and the version where it tells one.
pub(super) fn parts(file: &str) -> Option<(String, Option<String>)> {
    let plain = plain(file);
    let stem = without_copy_marks(without_end(&plain));
    if let Some((model, version)) = split(stem) {
        return Some((model, Some(version)));
    }
    let model = tidied_model(stem);
    (!model.is_empty()).then_some((model, None))
}

/// Returns a model as it was meant: without blanks, underscores and dots around it,
/// without signs that nobody sees, full-width ones in their plain form.
pub(super) fn tidied_model(model: &str) -> String {
    let narrow = |c: char| match c {
        '\u{ff10}'..='\u{ff19}'
        | '\u{ff21}'..='\u{ff3a}'
        | '\u{ff41}'..='\u{ff5a}'
        | '．'
        | '＿'
        | '－' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        c if c.is_whitespace() => ' ',
        c => c,
    };
    let seen = model.chars().filter(|c| !is_unseen(*c)).map(narrow);
    let seen: String = seen.nfc().collect();
    let around = |c| matches!(c, ' ' | '_' | '.' | '-') || QUOTES.contains(&c);
    let trimmed = seen.trim_matches(around);
    without_copy_in_front(trimmed).to_owned()
}

/// Returns a sign that stands in a name and does not fit there, as it may be shown.
pub(super) fn sign(file: &str, error: &NameError, name: Option<&str>) -> Option<String> {
    let odd = file.chars().find(|c| c.is_control() || is_unseen(*c));
    let found = odd.or_else(|| match error {
        NameError::NoVersion => unfit(file.strip_suffix(".bin")?, name),
        NameError::NotBin => {
            let end = end_of_bin(&file.to_ascii_lowercase())?;
            file[end..].chars().next()
        }
        _ => None,
    });
    found.map(shown)
}

/// Shows a sign: itself, where it can be seen, and by its number where it is not of
/// ASCII.
pub(super) fn shown(c: char) -> String {
    let number = format!("U+{:04X}", u32::from(c));
    if c.is_control() || is_unseen(c) || (c.is_whitespace() && c != ' ') {
        number
    } else if c.is_ascii() {
        format!("'{c}'")
    } else {
        format!("'{c}' ({number})")
    }
}

/// Returns the sign for which nothing in `stem` is a version. `name` is what would do.
fn unfit(stem: &str, name: Option<&str>) -> Option<char> {
    for (at, _) in stem.match_indices('_').filter(|(at, _)| *at > 0) {
        let tail = &stem[at + 1..];
        let mut signs = tail.chars();
        let first = signs.next()?;
        if first.is_ascii_digit() {
            return tail.chars().find(|c| !fits_version(*c));
        }
        let next = signs.next();
        let before_digit = next.is_some_and(|next| as_digit(next).is_some() || next == '.');
        if as_digit(first).is_some() || (matches!(first, 'v' | 'V') && before_digit) {
            return Some(first);
        }
    }
    let wide = |c: &char| !c.is_ascii() && c.nfkc().eq(['_']);
    if let Some(wide) = stem.chars().find(wide) {
        return Some(wide);
    }
    let version = parse(name?).ok()?.version;
    if stem.contains('%') && plain(stem) != stem {
        return Some('%');
    }
    // What stands where the underscore should, or behind it.
    let at = stem.rfind(version.as_str()).filter(|at| *at > 0)?;
    let before = &stem[..at];
    let parted = before.trim_end_matches(PARTING);
    let front = parted.trim_end_matches(char::is_alphabetic);
    let word = &parted[front.len()..];
    let is_version = VERSION_WORDS.contains(&&*word.to_lowercase());
    let sign = match front.strip_suffix('_') {
        Some(_) if is_version => word.chars().next(),
        _ if is_version => front.chars().next_back(),
        _ => before.chars().next_back(),
    };
    sign.filter(|c| is_version && front.ends_with('_') || !c.is_alphanumeric())
}

/// Returns the digit that a character is, in whatever width or script.
fn as_digit(c: char) -> Option<char> {
    // Zeros of the scripts whose digits are no other form of ours: Arabic, Persian, Indian
    // ones, Thai, Lao, Tibetan, Burmese, Khmer. Nine more follow each.
    const ZEROS: [u32; 14] = [
        0x660, 0x6F0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xE50, 0xED0, 0xF20, 0x1040,
        0x17E0,
    ];
    let number = |zero: &u32| u32::from(c).checked_sub(*zero).filter(|n| *n < 10);
    if let Some(digit) = ZEROS.iter().find_map(number) {
        return char::from_digit(digit, 10);
    }
    let mut plain = c.nfkc();
    plain
        .next()
        .filter(|c| c.is_ascii_digit() && plain.next().is_none())
}

/// Returns a text in plain signs: what is full-width, circled or without a mark on
/// paper is what it looks like.
fn plain(text: &str) -> String {
    // As an address has it.
    let text = percent_decode_str(text).decode_utf8_lossy();
    let seen = text.chars().filter(|c| !is_unseen(*c));
    let plain = seen.nfkc().map(|c| match c {
        '٫' | '٬' => '.',
        c if as_digit(c).is_some() => as_digit(c).unwrap_or(c),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '。' | '·' => '.',
        c if c.is_whitespace() || c.is_control() => ' ',
        c => c,
    });
    plain.collect()
}

/// Returns where `.bin` ends for the first time, in lower case.
fn end_of_bin(lower: &str) -> Option<usize> {
    let ends = lower
        .match_indices(".bin")
        .map(|(at, found)| at + found.len());
    ends.filter(|end| !lower[*end..].starts_with(|c: char| c.is_ascii_alphanumeric()))
        .min()
}

/// Returns a name up to its `.bin`, or what stands in its place.
fn without_end(name: &str) -> &str {
    let lower = name.to_ascii_lowercase();
    let mut stem = match end_of_bin(&lower) {
        Some(end) => &name[..end - ".bin".len()],
        None => name.trim_end(),
    };
    while let Some(end) = OTHER_ENDS.iter().find(|end| {
        let lower = stem.to_ascii_lowercase();
        lower.len() > end.len() && lower.ends_with(**end)
    }) {
        stem = &stem[..stem.len() - end.len()];
    }
    stem
}

/// Splits a stem into model and version, in whatever order and with whatever between.
fn split(stem: &str) -> Option<(String, String)> {
    let behind = |at: usize, version: &str| {
        let model = tidied_model(&stem[..at]);
        let version = tidied_version(version)?;
        (!model.is_empty() && model.contains(char::is_alphanumeric)).then_some((model, version))
    };
    let mut underscores = stem.match_indices('_').map(|(at, _)| at);
    if let Some(found) = underscores.find_map(|at| behind(at, without_v(&stem[at..])?)) {
        return Some(found);
    }
    if let Some(found) = wrong_way_round(stem) {
        return Some(found);
    }
    // The last place where a number with a dot begins.
    let mut places = stem.char_indices().rev().map(|(at, _)| at);
    let at = places.find(|&at| at > 0 && begins_version(&stem[..at], &stem[at..]))?;
    behind(at, without_v(&stem[at..])?)
}

/// Tells whether a version begins here, with a `v` or behind a sign that parts it from
/// the model. A single dot makes none: `1.54` is the size of a screen.
fn begins_version(before: &str, text: &str) -> bool {
    let Some(number) = without_v(text) else {
        return false;
    };
    let end = number.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, rest) = number.split_at(end.unwrap_or(number.len()));
    let has_v = text
        .trim_start_matches(PARTING)
        .starts_with(['v', 'V', '版']);
    let is_version = number.matches('.').count() >= if has_v { 1 } else { 2 };
    if !is_version || rest.starts_with(char::is_alphabetic) {
        return false;
    }
    // `xmini-c3.2.0.6`: what stands before the dot is no number.
    let word = before.rsplit(|c: char| !c.is_alphanumeric()).next();
    let is_parted = if text.starts_with('.') {
        word.is_some_and(|word| word.contains(char::is_alphabetic))
    } else {
        text.starts_with(PARTING)
    };
    is_parted || has_v && text.starts_with(['v', 'V', '版'])
}

/// Reads `1.7.0_xmini-c3` and `v2.1.0_xmini-c3`.
fn wrong_way_round(stem: &str) -> Option<(String, String)> {
    let number = without_v(stem)?;
    let end = number.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (version, rest) = number.split_at(end);
    let model = tidied_model(rest.strip_prefix(['_', '-', ' '])?);
    let version = tidied_version(version)?;
    (version.contains('.') && model.contains(char::is_alphabetic)).then_some((model, version))
}

/// Returns what stands behind the signs that part a version from a model, and behind a
/// `v`; `None` where no digit follows.
fn without_v(text: &str) -> Option<&str> {
    let text = text.trim_start_matches(PARTING);
    let lower = text.to_ascii_lowercase();
    let word = VERSION_WORDS.iter().find(|word| lower.starts_with(**word));
    let rest = word.map_or(text, |word| text[word.len()..].trim_start_matches(PARTING));
    rest.starts_with(|c: char| c.is_ascii_digit())
        .then_some(rest)
}

/// Returns a version by the grammar that devices can read, made of one that is neither.
fn tidied_version(text: &str) -> Option<String> {
    let mut version = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if fits_version(c) => version.push(c),
            ',' => version.push('.'),
            _ if version.ends_with('-') => {}
            _ => version.push('-'),
        }
    }
    let mut tidied = String::with_capacity(version.len());
    for part in version.split('.').filter(|part| !part.is_empty()) {
        let digits = part
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(part.len());
        match tidied.is_empty() {
            true => {}
            // What is no number continues the part before it.
            false if digits == 0 => tidied.push('-'),
            false => tidied.push('.'),
        }
        // A date with a time, which is more than the device's number holds.
        if digits == part.len() && is_date_with_time(part) {
            tidied.push_str(&part[..8]);
            tidied.push('.');
            tidied.push_str(&part[8..]);
        } else {
            tidied.push_str(part);
        }
    }
    tidied.truncate(tidied.trim_end_matches(['-', '_', '.']).len());
    (is_version(&tidied) && is_device_safe(&tidied)).then_some(tidied)
}

/// Tells whether digits are a date with hours, and with minutes and seconds or without:
/// `2025121115`, `202512111530`. Of another long number nobody knows what it means.
fn is_date_with_time(digits: &str) -> bool {
    if !matches!(digits.len(), 10 | 12 | 14) {
        return false;
    }
    let two = |at: usize| {
        digits
            .get(at..at + 2)
            .and_then(|two| two.parse::<u8>().ok())
    };
    let is_in = |at, range: RangeInclusive<u8>| two(at).is_none_or(|two| range.contains(&two));
    is_in(0, 19..=20)
        && is_in(4, 1..=12)
        && is_in(6, 1..=31)
        && is_in(8, 0..=23)
        && is_in(10, 0..=59)
        && is_in(12, 0..=59)
}
