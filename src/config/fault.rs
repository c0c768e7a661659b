//! Messages about the file: the place, the key, what is wrong with it, what to do.
//! Every message of this room is made here.

use crate::event::{Event, event};
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
    /// The key, in dots: `gateway.tls.mode`. Empty for the file as a whole.
    pub key: String,
    /// The value as written, if there is one to show. Never a secret.
    pub value: Option<String>,
    /// The fault in words. Empty where the remedy says it.
    pub what: String,
    /// The other keys that it clashes with, and where they stand.
    pub beside: Vec<(String, Place)>,
    /// The remedy in words.
    pub remedy: String,
}

impl ConfigFault {
    /// Returns the warning as an event.
    pub fn event(&self) -> Event {
        let (place, what) = (self.place.to_string(), Unplaced(self).to_string());
        event!(CONFIG_WARNING, place = place, what = what)
    }

    /// Tells whether both say the same, be it of another line.
    pub fn says_same(&self, other: &Self) -> bool {
        let said = |fault: &Self| {
            let keys = fault.beside.iter().map(|(key, _)| key.clone());
            let keys: Vec<_> = keys.collect();
            (
                fault.key.clone(),
                fault.value.clone(),
                fault.what.clone(),
                keys,
                fault.remedy.clone(),
            )
        };
        said(self) == said(other)
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, Unplaced(self))
    }
}

/// Shows a fault without its place.
pub(crate) struct Unplaced<'a>(pub(crate) &'a ConfigFault);

impl fmt::Display for Unplaced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConfigFault {
            key,
            value,
            what,
            beside,
            remedy,
            ..
        } = self.0;
        match (key.as_str(), value) {
            ("", _) => {}
            (key, None) => write!(f, "{key}: ")?,
            (key, Some(value)) => write!(f, "{key}: {value:?}: ")?,
        }
        f.write_str(what)?;
        for (key, place) in beside {
            write!(f, " ({key} stands at {place})")?;
        }
        let between = if what.is_empty() || remedy.is_empty() {
            ""
        } else {
            ": "
        };
        write!(f, "{between}{remedy}")
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
            key: key.into(),
            line,
            is_written: true,
            value: None,
            beside: Vec::new(),
        }
    }

    /// Returns the warnings, or every fault.
    pub(super) fn into_result(self) -> Result<Vec<ConfigFault>, ConfigFaults> {
        let errors = self.errors.into_inner();
        if errors.is_empty() {
            Ok(self.warnings.into_inner())
        } else {
            Err(ConfigFaults(errors))
        }
    }
}

/// Adds a fault that has not been told: a section may be looked for more than once.
fn note(known: &RefCell<Vec<ConfigFault>>, fault: ConfigFault) {
    let mut known = known.borrow_mut();
    if !known.contains(&fault) {
        known.push(fault);
    }
}

/// A key, its value and its place, of which something is to be said.
#[must_use]
pub(super) struct About<'a> {
    faults: &'a Faults,
    key: String,
    line: Option<usize>,
    is_written: bool,
    value: Option<String>,
    beside: Vec<(String, Place)>,
}

impl About<'_> {
    /// Shows the value, without what may be secret in it.
    pub(super) fn value<'v>(mut self, value: impl Into<Option<&'v str>>) -> Self {
        self.value = value.into().map(|text| redact::shown(text).into_owned());
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
            self.beside.push((other.key.clone(), place));
        }
        self
    }

    /// Stops the start.
    pub(super) fn fault(self, what: impl Into<String>, remedy: impl Into<String>) {
        let faults = self.faults;
        let fault = self.into_fault(what.into(), remedy.into());
        note(&faults.errors, fault);
    }

    /// Warns, and stops nothing.
    pub(super) fn warn(self, what: impl Into<String>, remedy: impl Into<String>) {
        let faults = self.faults;
        let fault = self.into_fault(what.into(), remedy.into());
        note(&faults.warnings, fault);
    }

    /// Returns the message itself.
    pub(super) fn into_fault(self, what: String, remedy: String) -> ConfigFault {
        ConfigFault {
            place: Place {
                file: self.faults.file(),
                line: self.line,
            },
            key: self.key,
            value: self.value,
            what,
            beside: self.beside,
            remedy,
        }
    }
}
