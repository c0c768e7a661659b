//! Finds the file whose name is nearly a model's: for a device whose model has none.

use super::suggest::{self, LONGEST};
use super::{Misnamed, NameError, model_key, parse};
use crate::event::unseen::is_unseen;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use unicode_normalization::UnicodeNormalization as _;
use xiaozhi_device::checkin::DEFAULT_MODEL;
use xiaozhi_device::version::Version;

/// Word in the place of a version that nobody knows.
const VERSION: &str = "VERSION";
/// Number of characters below which a name is too short to tell a slip from another
/// model.
const SHORT: usize = 6;

/// The file whose name is nearly a model's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearFile {
    /// Its name.
    pub file: String,
    /// The model that it is nearly for, as the device reports it.
    pub model: String,
    /// The name that it should have; `None` where it has it.
    pub name: Option<String>,
    /// Model of a file's name that may be one with the device's: the one that this file
    /// says, or, where no file name can carry the device's, one that stands for it.
    pub says: Option<String>,
    /// Tells that a file's name can carry the device's model.
    pub can_be_named: bool,
    /// Tells that it is an archive, which no other name makes an image.
    pub is_archive: bool,
    /// Tells that a file is there which is meant for the model, and no other's: its devices
    /// wait for it, and get nobody else's.
    pub is_waited_for: bool,
}

/// Nearness of a name, the nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Nearness {
    /// It is the model, in a name that cannot be used.
    Same,
    /// Case, separators, width.
    Spelling,
    /// The model goes on where the name's version begins.
    CutShort,
    /// One has a manufacturer in front.
    Prefix,
    /// One letter.
    Slip,
    /// One of these, of an archive: an image is nearer, however it is spelt.
    Archive,
}

impl Nearness {
    /// Tells whether a file is meant for the model that it is this near to, and for no other.
    ///
    /// So it is where nobody gets it by its name, or its name is the model's but for case,
    /// width, blanks and other separators: of all boards of xiaozhi-esp32, from its first
    /// release on, no two differ by those alone. One with a word in front or a letter more may
    /// be a board of its own.
    fn is_waited_for(self, known: &Known) -> bool {
        !known.is_good || self <= Self::CutShort
    }
}

/// Names of the files of a folder, ready to be compared. Whatever a stranger calls his
/// device, a few of them are.
#[derive(Debug, Default)]
pub struct NameIndex {
    names: Vec<Known>,
    /// Places of the names that have a shape, by its hash.
    by_shape: HashMap<u64, Vec<usize>>,
    /// Length of the longest one in bytes, as it is compared.
    longest: usize,
    hasher: RandomState,
}

#[derive(Debug)]
struct Known {
    file: String,
    model: String,
    version: Option<Version>,
    key: String,
    joined: String,
    is_good: bool,
    is_archive: bool,
}

impl Known {
    /// Returns the name without the folder.
    fn name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or_default()
    }
}

impl NameIndex {
    /// Reads the names of all files in a folder, in whatever order. One that lies in a folder
    /// of its own has that in front.
    pub fn new<'a>(files: impl IntoIterator<Item = &'a str>) -> Self {
        let mut index = Self {
            names: files.into_iter().filter_map(known).collect(),
            ..Self::default()
        };
        for (at, known) in index.names.iter().enumerate() {
            let mut note = |shape: &str| {
                let shape = index.hasher.hash_one(shape);
                index.by_shape.entry(shape).or_default().push(at);
            };
            each_shape(&known.key, &known.joined, LONGEST, &mut note);
            index.longest = index.longest.max(known.key.len());
            each_cut(known.name(), note);
        }
        index
    }

    /// Returns the names that have a shape of a model's: all that are near it, and few others.
    fn alike(&self, wanted: &Wanted<'_>) -> impl Iterator<Item = &Known> {
        let mut places = Vec::new();
        let mut look = |shape: &str| {
            let found = self.by_shape.get(&self.hasher.hash_one(shape));
            places.extend(found.into_iter().flatten().copied());
        };
        each_shape(&wanted.key, &wanted.joined, self.longest, &mut look);
        look(wanted.model);
        places.sort_unstable();
        places.dedup();
        places.into_iter().map(|at| &self.names[at])
    }

    /// Tells whether a file of this model is there whose name can be used.
    pub(crate) fn has(&self, model: &str) -> bool {
        let key = model_key(model);
        let mut names = self.names.iter();
        names.any(|known| known.is_good && known.model == key)
    }

    /// Returns the file among those that `are` wanted whose name is nearest to one that
    /// somebody asked for: of the same model in whatever spelling, and of the same version;
    /// else of the highest.
    pub(crate) fn nearest_file(&self, asked: &str, are: impl Fn(&str) -> bool) -> Option<&str> {
        // No file has a longer name, and a stranger pays nothing for one.
        let asked = known(asked).filter(|_| asked.len() <= LONGEST)?;
        let wanted = Wanted::new(&asked.model);
        let ranked = self.alike(&wanted).filter_map(|known| {
            let nearness = wanted.nearness(known).filter(|_| are(&known.file))?;
            let is_same_version = known.version == asked.version;
            let version = Reverse(&known.version);
            let is_same_model = nearness <= Nearness::Spelling;
            let rank = (!is_same_model, !is_same_version, nearness, version);
            Some((rank, &*known.file))
        });
        ranked.min().map(|(_, file)| file)
    }

    /// Returns the file whose name is nearest to one of `models`, of which the most
    /// precise stands first. `others` are what the device is called, too, though nobody
    /// looks for it under these names. Of equals the highest version counts.
    pub fn nearest(&self, models: &[&str], others: &[&str]) -> Option<NearFile> {
        let mut best: Option<(Nearness, &str, &Known)> = None;
        let mut is_waited_for = false;
        let rank = |(nearness, _, known): &(Nearness, &str, &Known)| {
            let version = known.version.clone();
            (*nearness, Reverse(version), known.file.clone())
        };
        // What is longer stands in no file's name.
        let can_be = |model: &&&str| **model != DEFAULT_MODEL && model.len() <= LONGEST;
        for model in models.iter().chain(others).filter(can_be) {
            let wanted = Wanted::new(model);
            let alike = self.alike(&wanted);
            for known in alike.filter(|known| known.key != DEFAULT_MODEL) {
                let found = wanted.nearness(known).map(|near| (near, *model, known));
                let Some(found) = found else { continue };
                is_waited_for |= models.contains(model) && found.0.is_waited_for(known);
                // The first model's are kept where another's are no nearer.
                if best.as_ref().is_none_or(|best| {
                    let same = best.1 == found.1;
                    found.0 < best.0 || same && rank(&found) < rank(best)
                }) {
                    best = Some(found);
                }
            }
        }
        let (_, model, known) = best?;
        let is_looked_for = models.contains(&model);
        let model = if is_looked_for {
            model
        } else {
            models.first()?
        };
        let version = known.version.as_ref().map_or(VERSION, Version::as_str);
        if !can_be_named(model) {
            let near = under_another_name(known, model, version);
            return Some(NearFile {
                is_waited_for,
                ..near
            });
        }
        let name = format!("{model}_{version}.bin");
        Some(NearFile {
            file: known.file.clone(),
            model: model.to_owned(),
            name: Some(name).filter(|name| name.len() <= LONGEST),
            says: Some(known.model.clone()).filter(|says| known.is_good && says != model),
            can_be_named: true,
            is_archive: known.is_archive,
            is_waited_for,
        })
    }
}

/// Tells whether a file's name can carry a model: none of its underscores begins a
/// version.
fn can_be_named(model: &str) -> bool {
    let carries = parse(&format!("{model}_1.bin"));
    carries.is_ok_and(|name| name.model == model_key(model))
        && !model.starts_with('.')
        && !model.contains('/')
}

/// Returns what stands for a model that no file's name can carry.
fn under_another_name(known: &Known, model: &str, version: &str) -> NearFile {
    let cut_short = known.name().strip_prefix(model);
    let is_good = known.is_good && cut_short.is_none();
    let plain = |c: char| {
        if c.is_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    let stand_in: String = model.chars().map(plain).collect();
    let stand_in = stand_in.trim_matches(['-', '.']);
    // What the grammar takes for a version begins too early.
    let behind = cut_short.and_then(|rest| parse(&format!("x{rest}")).ok());
    let version = behind.map_or(version.to_owned(), |name| name.version.to_string());
    NearFile {
        file: known.file.clone(),
        model: model.to_owned(),
        name: (!is_good).then(|| format!("{stand_in}_{version}.bin")),
        says: Some(if is_good {
            known.model.clone()
        } else {
            stand_in.to_owned()
        }),
        can_be_named: false,
        is_archive: known.is_archive,
        is_waited_for: false,
    }
}

/// Reads the name of a file, as well as it can be read.
fn known(path: &str) -> Option<Known> {
    let file = path.rsplit('/').next()?;
    let named = parse(file).ok();
    let misnamed = Misnamed::find(file);
    let suggested = misnamed.as_ref().and_then(Misnamed::suggested);
    let suggested = suggested.and_then(|name| parse(&name).ok());
    // What lies in a folder of its own is not looked at.
    let is_good = misnamed.is_none() && file == path;
    let is_archive = suggest::is_called(file) == Some(NameError::Archive);
    let (model, version) = match suggested.or(named) {
        Some(name) => (name.model, Some(name.version)),
        // Without a version anything may be called so: a folder, a page.
        None if file.to_ascii_lowercase().ends_with(".bin") => (suggest::parts(file)?.0, None),
        None => return None,
    };
    let key = key(&model);
    Some(Known {
        joined: joined(&key),
        key,
        file: path.to_owned(),
        model,
        version,
        is_good,
        is_archive,
    })
}

/// A model that has no file, ready to be compared.
struct Wanted<'a> {
    model: &'a str,
    composed: Cow<'a, str>,
    key: String,
    joined: String,
}

impl<'a> Wanted<'a> {
    fn new(model: &'a str) -> Self {
        let key = key(model);
        Self {
            joined: joined(&key),
            composed: model_key(model),
            model,
            key,
        }
    }

    fn nearness(&self, known: &Known) -> Option<Nearness> {
        let nearness = self.nearness_of_name(known)?;
        Some(if known.is_archive {
            Nearness::Archive
        } else {
            nearness
        })
    }

    fn nearness_of_name(&self, known: &Known) -> Option<Nearness> {
        let (ours, theirs) = (&*self.key, &*known.key);
        if ours.is_empty() || theirs.is_empty() {
            return None;
        }
        if known.model == self.composed {
            return Some(Nearness::Same);
        }
        if ours == theirs || self.joined == known.joined {
            return Some(Nearness::Spelling);
        }
        let rest = known.name().strip_prefix(self.model);
        let rest = rest.and_then(|rest| rest.strip_prefix('_'));
        if rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            return Some(Nearness::CutShort);
        }
        if has_prefix(ours, theirs) || has_prefix(theirs, ours) {
            return Some(Nearness::Prefix);
        }
        is_slip(ours, theirs).then_some(Nearness::Slip)
    }
}

/// Returns a model in one case, with one sign for all that separates its words.
fn key(model: &str) -> String {
    let seen = model.chars().filter(|c| !is_unseen(*c));
    let plain = seen.nfkc().flat_map(char::to_lowercase);
    let mut key = String::with_capacity(model.len());
    for c in plain {
        if c.is_alphanumeric() {
            key.push(c);
        } else if !key.ends_with('-') && !key.is_empty() {
            key.push('-');
        }
    }
    key.truncate(key.trim_end_matches('-').len());
    key
}

fn joined(key: &str) -> String {
    key.replace('-', "")
}

/// Takes each form of a name in which it is the same as one that is near it: without its
/// separators, without the word in front, without one letter. Where the others are no longer
/// than `longest`, one that is much longer is near none by a letter.
fn each_shape(key: &str, joined: &str, longest: usize, mut take: impl FnMut(&str)) {
    take(key);
    if joined != key {
        take(joined);
    }
    if let Some((_, rest)) = key.split_once('-') {
        take(rest);
    }
    // A letter has four bytes at most.
    if (SHORT..=longest + 4).contains(&key.len()) {
        let mut shape = String::with_capacity(key.len());
        for (at, c) in key.char_indices().filter(|(_, c)| c.is_alphabetic()) {
            shape.clear();
            shape.push_str(&key[..at]);
            shape.push_str(&key[at + c.len_utf8()..]);
            take(&shape);
        }
    }
}

/// Takes each beginning of a file's name behind which a version might stand.
fn each_cut(file: &str, mut take: impl FnMut(&str)) {
    for (at, _) in file.match_indices('_') {
        if file[at + 1..].starts_with(|c: char| c.is_ascii_digit()) {
            take(&file[..at]);
        }
    }
}

/// Tells whether `long` is `short` with one word in front: the manufacturer's.
fn has_prefix(long: &str, short: &str) -> bool {
    let prefix = long
        .strip_suffix(short)
        .and_then(|rest| rest.strip_suffix('-'));
    let is_word = |prefix: &str| !prefix.contains('-') && prefix.contains(char::is_alphabetic);
    short.chars().count() >= SHORT && prefix.is_some_and(is_word)
}

/// Tells whether two names differ by one letter: one too many, one too few, another one,
/// or two that changed places.
///
/// Boards of one series differ so, too (`atoms3` and `atoms3r`, `1.85` and `1.85c`,
/// `box` and `box3`), but at a digit. A letter beside one is no slip.
fn is_slip(one: &str, other: &str) -> bool {
    // A character has four bytes at most.
    if one.len().abs_diff(other.len()) > 4 {
        return false;
    }
    let [one, other]: [Vec<char>; 2] = [one, other].map(|name| name.chars().collect());
    let (short, long) = if one.len() <= other.len() {
        (one, other)
    } else {
        (other, one)
    };
    if short.len() < SHORT || long.len() - short.len() > 1 {
        return false;
    }
    let same = short.iter().zip(&long);
    let begin = same.take_while(|(one, other)| one == other).count();
    let same = short[begin..].iter().rev().zip(long[begin..].iter().rev());
    let end = same.take_while(|(one, other)| one == other).count();
    let left = &short[begin..short.len() - end];
    let right = &long[begin..long.len() - end];
    let is_one = match (left, right) {
        ([] | [_], [_]) => true,
        ([_, _], [_, _]) => left.iter().eq(right.iter().rev()),
        _ => false,
    };
    let before = begin.checked_sub(1).and_then(|at| long.get(at));
    let around = [before, long.get(begin + right.len())];
    let is_letter = |c: &char| c.is_alphabetic();
    is_one
        && left.iter().chain(right).all(is_letter)
        && around
            .into_iter()
            .flatten()
            .all(|c| is_letter(c) || *c == '-')
        && around.into_iter().flatten().any(is_letter)
}

#[cfg(test)]
mod tests;
