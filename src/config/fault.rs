//! Messages about the file: the place, the key, what is wrong with it, what to do.
//! Every message of this room is made here.

use super::signs::OddSign;
use crate::event::{Event, kinds};
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use xiaozhi_device::redact;

/// A place in the file. It is shown as compilers show theirs: `data/.config.yaml:12`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// Its line, from 1 on; `None` where it is the file as a whole, or not known.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// One thing in the file that cannot be meant, or (as a warning) may be meant
/// otherwise than it is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The place where it stands.
    pub place: Place,
    /// The event, which shows the place, the key in dots (none for the file as a whole),
    /// the value, and the key that it clashes with.
    pub event: Event,
}

impl ConfigFault {
    /// Makes a message about a key, or about the file as a whole.
    pub fn new(place: Place, key: &str, event: Event) -> Self {
        // A key may hold anything, a line break too, and what nobody sees.
        let key = if OddSign::find_unseen(key).is_some() || key.contains(char::is_control) {
            Cow::Owned(key.escape_debug().to_string())
        } else {
            Cow::Borrowed(key)
        };
        let shown = (!key.is_empty()).then_some(key);
        let event = event.of("key", shown).of("place", place.to_string());
        debug_assert!(
            event.fields().iter().all(|(name, _)| {
                let mut known = event.kind.fields.iter();
                known.any(|known| known.trim_end_matches(['?', '~']) == *name)
            }),
            "{event:?}"
        );
        Self { place, event }
    }

    /// Tells whether both say the same, be it of another line.
    pub fn says_same(&self, other: &Self) -> bool {
        self.event.is_like(&other.event)
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.event.fmt(f)
    }
}

/// All faults of a file, a line for each.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct ConfigFaults(pub Vec<ConfigFault>);

fn lines(faults: &[ConfigFault]) -> String {
    let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Number of characters of a value that are shown.
const LONGEST: usize = 200;

/// Kinds that say why a value cannot be read, whatever was wanted.
const SLIPS: [&str; 13] = [
    kinds::CONFIG_BRACKETS.id,
    kinds::CONFIG_DASHES.id,
    kinds::CONFIG_HASH.id,
    kinds::CONFIG_INVISIBLE.id,
    kinds::CONFIG_LEFT_IN.id,
    kinds::CONFIG_NO_BLANK.id,
    kinds::CONFIG_NO_COLON.id,
    kinds::CONFIG_NOT_PATH.id,
    kinds::CONFIG_ONE_LINE.id,
    kinds::CONFIG_QUOTE.id,
    kinds::CONFIG_RUNS_ON.id,
    kinds::CONFIG_SIGN.id,
    kinds::CONFIG_STRAY.id,
];

/// Kinds of faults that say that something is not written.
const MISSED: [&str; 6] = [
    kinds::CONFIG_HTTP_ADDRESS.id,
    kinds::CONFIG_MISSING.id,
    kinds::CONFIG_NO_CERTIFICATE.id,
    kinds::CONFIG_NO_DOOR.id,
    kinds::CONFIG_NO_KEY.id,
    kinds::CONFIG_PRIVATE_HOST.id,
];

/// Kinds of warnings that may be the reason for such a fault.
const EXPLAINING: [&str; 4] = [
    kinds::CONFIG_COMMENT.id,
    kinds::CONFIG_MISPLACED.id,
    kinds::CONFIG_NEAR_MISS.id,
    kinds::CONFIG_OTHER_NAME.id,
];

/// Collects faults and warnings of one file, so that one start tells of all of them.
pub(super) struct Faults {
    file: Arc<Path>,
    errors: RefCell<Vec<ConfigFault>>,
    warnings: RefCell<Vec<ConfigFault>>,
    /// The keys that were looked for.
    #[cfg(test)]
    asked: RefCell<std::collections::BTreeSet<String>>,
}

impl Faults {
    pub(super) fn new(file: &Path) -> Self {
        Self {
            file: file.into(),
            errors: RefCell::default(),
            warnings: RefCell::default(),
            #[cfg(test)]
            asked: RefCell::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn note_asked(&self, name: String) {
        self.asked.borrow_mut().insert(name);
    }

    #[cfg(test)]
    pub(super) fn asked(&self) -> std::collections::BTreeSet<String> {
        self.asked.borrow().clone()
    }

    pub(super) fn file(&self) -> Arc<Path> {
        Arc::clone(&self.file)
    }

    /// Begins a message about a key that stands on a line.
    pub(super) fn about(&self, key: impl Into<String>, line: Option<usize>) -> About<'_> {
        About {
            faults: self,
            file: self.file(),
            key: key.into(),
            line,
            is_written: true,
            value: None,
            beside: None,
        }
    }

    /// Begins a message about a variable of the environment, which stands in no file.
    pub(super) fn of_environment(&self, name: &str) -> About<'_> {
        About {
            file: Path::new("environment").into(),
            ..self.about(name, None)
        }
    }

    /// Returns the warnings, or every fault.
    pub(super) fn into_result(self) -> Result<Vec<ConfigFault>, ConfigFaults> {
        let mut errors = self.errors.into_inner();
        let warnings = self.warnings.into_inner();
        if errors.is_empty() {
            return Ok(warnings);
        }
        // What is missed may stand there by another name.
        let is_missed = |fault: &ConfigFault| MISSED.contains(&fault.event.kind.id);
        if errors.iter().any(is_missed) {
            let explains = |fault: &ConfigFault| EXPLAINING.contains(&fault.event.kind.id);
            errors.extend(warnings.into_iter().filter(explains));
        }
        Err(ConfigFaults(errors))
    }
}

/// Adds a fault that has not been told: a section may be looked for more than once, and a
/// value that a slip of the pen spoilt cannot be read, either.
fn note(known: &RefCell<Vec<ConfigFault>>, fault: ConfigFault) {
    let mut known = known.borrow_mut();
    let is_told = |told: &ConfigFault| {
        told == &fault
            || SLIPS.contains(&told.event.kind.id)
                && told.event.field("key") == fault.event.field("key")
                && told.event.field("key").is_some()
    };
    if !known.iter().any(is_told) {
        known.push(fault);
    }
}

/// A key, its value and its place, of which something is to be said.
#[must_use]
pub(super) struct About<'a> {
    faults: &'a Faults,
    file: Arc<Path>,
    key: String,
    line: Option<usize>,
    is_written: bool,
    value: Option<String>,
    beside: Option<(String, Place)>,
}

impl About<'_> {
    /// Shows the value, without what may be secret in it.
    pub(super) fn value<'v>(mut self, value: impl Into<Option<&'v str>>) -> Self {
        self.value = value.into().map(|text| {
            let mut text = redact::shown(text).into_owned();
            if let Some((end, _)) = text.char_indices().nth(LONGEST) {
                text.truncate(end);
                text.push('…');
            }
            text
        });
        self
    }

    /// Says that the key is not written: its line is that of what it is missed in.
    pub(super) fn unwritten(mut self) -> Self {
        self.is_written = false;
        self
    }

    /// Names another key that this one clashes with, if it is written.
    pub(super) fn beside(mut self, other: &About<'_>) -> Self {
        if other.is_written {
            let place = Place {
                file: self.faults.file(),
                line: other.line,
            };
            self.beside = Some((other.key.clone(), place));
        }
        self
    }

    /// Stops the start.
    pub(super) fn fault(self, event: Event) {
        let faults = self.faults;
        note(&faults.errors, self.into_fault(event));
    }

    /// Warns, and stops nothing.
    pub(super) fn warn(self, event: Event) {
        let faults = self.faults;
        note(&faults.warnings, self.into_fault(event));
    }

    /// Returns the refusal of the whole file.
    pub(super) fn refusal(self, event: Event) -> ConfigFaults {
        ConfigFaults(vec![self.into_fault(event)])
    }

    /// Returns the message itself.
    pub(super) fn into_fault(self, event: Event) -> ConfigFault {
        let place = Place {
            file: self.file,
            line: self.line,
        };
        let (beside, beside_place) = self.beside.unzip();
        let event = event
            .of("beside_place", beside_place.map(|place| place.to_string()))
            .of("beside", beside)
            .of("value", self.value.map(|value| format!("{value:?}")));
        ConfigFault::new(place, &self.key, event)
    }
}
