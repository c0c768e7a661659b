//! Words on each file that was to be published, for people and for programs.

use super::super::forecast::Fleet;
use crate::event::text::Lang;
use crate::firmware::publish::{Origin, PublishError, Source, Target};
use crate::util::terminal::{file_name, one_line};
use anyhow::anyhow;
use serde::Serialize;
use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::path::Path;
use xiaozhi_device::hex::encode;

/// End of the way of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// It is in the folder.
    Published,
    /// It would be, but for `--dry-run`.
    Planned,
    /// Nothing was changed.
    Refused,
    /// It was in the folder before, under the same name.
    Same,
}

/// Word on one file.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// The file as it was named.
    source: String,
    pub(super) outcome: Outcome,
    /// The file in the firmware folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// Length of the image, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// SHA-256 of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// Name of the archive's member that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<String>,
    /// App slot of the full flash image that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<String>,
    /// Models that it may be for, where its name does not tell which of two.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<String>,
    /// Parts of the source that are not published.
    left: Vec<String>,
    /// OTA addresses in the image.
    pub(super) ota_addresses: Vec<String>,
    /// File of the firmware folder that was removed, or would be, for its app is there instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) removed: Option<String>,
    pub(super) warnings: Vec<String>,
    /// Reason why it was not published.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Number of known devices whose board is the model, where its name alone would not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    model_reported_by: Option<u64>,
    /// Forecast for known devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet: Option<Fleet>,
    /// Place of the image in the source.
    #[serde(skip)]
    place: Option<String>,
    /// Consequence for devices.
    #[serde(skip)]
    pub(super) effect: String,
    /// Further lines: notes, files that go or stay.
    #[serde(skip)]
    pub(super) lines: Vec<String>,
}

impl Row {
    pub(super) fn of(source: &Path) -> Self {
        Self {
            source: file_name(source),
            outcome: Outcome::Refused,
            path: None,
            model: None,
            version: None,
            size: None,
            sha256: None,
            member: None,
            slot: None,
            candidates: Vec::new(),
            left: Vec::new(),
            ota_addresses: Vec::new(),
            removed: None,
            warnings: Vec::new(),
            reason: None,
            model_reported_by: None,
            fleet: None,
            place: None,
            effect: String::new(),
            lines: Vec::new(),
        }
    }

    /// Takes what is known of the image.
    pub(super) fn describe(&mut self, source: &Source) {
        self.size = Some(source.inspection.size);
        self.sha256 = Some(encode(&source.inspection.sha256));
        let Origin {
            member, slot, left, ..
        } = &source.origin;
        self.member.clone_from(member);
        self.slot.clone_from(slot);
        self.left = left.iter().map(|part| part.in_words(Lang::En)).collect();
        self.place = source.origin.in_words().map(|place| place.to_string());
    }

    /// Takes the name that it gets.
    pub(super) fn aim(&mut self, target: &Target) {
        self.path = Some(file_name(&target.path));
        self.model = Some(target.model.clone());
        self.version = Some(target.version.clone());
    }

    /// Takes that its name may be two boards', and that known devices report this one alone.
    pub(super) fn reported(&mut self, board: &str, other: &str, devices: u64) {
        self.model_reported_by = Some(devices);
        self.lines.push(format!(
            "{}: its name may be two boards', {board} and {other}; it is taken for {board}, which is reported by known \
             devices ({devices}), and {other} by none",
            self.source
        ));
    }

    /// Takes what known devices are told of it.
    pub(super) fn foresee(&mut self, fleet: Option<Fleet>) {
        let path = self.path.as_deref().unwrap_or_default();
        let lines = fleet.iter().flat_map(Fleet::lines);
        self.lines
            .extend(lines.map(|line| format!("{path}: {line}")));
        self.fleet = fleet;
    }

    /// Takes the reason why it is not published.
    pub(super) fn fail(&mut self, error: &anyhow::Error) {
        let known = error.downcast_ref::<PublishError>();
        if let Some(PublishError::EitherModel { models, .. }) = known {
            self.candidates = models.to_vec();
        }
        self.outcome = if known.is_some_and(PublishError::is_same) {
            Outcome::Same
        } else {
            Outcome::Refused
        };
        self.reason = Some(one_line(&format!("{error:#}")));
    }

    /// Returns the reason why it was not published; in a batch with the file in front that it
    /// is about.
    pub(super) fn failure(&self, is_batch: bool) -> anyhow::Error {
        let reason = self.reason.as_deref().unwrap_or_default();
        if is_batch && !reason.starts_with(&self.source) {
            anyhow!("{}: {reason}", self.source)
        } else {
            anyhow!("{reason}")
        }
    }

    /// Returns what came of it, in few words.
    pub(super) fn progress(&self) -> String {
        let outcome = match self.outcome {
            Outcome::Published => "published",
            Outcome::Planned => "would be published",
            Outcome::Refused => "refused",
            Outcome::Same => "there already",
        };
        format!("{}: {outcome}", self.source)
    }

    /// Writes what came of it. In a batch `step` says which of how many it is. A warning
    /// that was `said` of another file is not repeated.
    pub(super) fn in_words(
        &self,
        step: Option<Step>,
        said: &mut HashSet<String>,
    ) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let (source, path) = (&self.source, self.path.as_deref().unwrap_or_default());
        if let Some(step) = step {
            write!(text, "{step} {source}: ")?;
        }
        match (self.outcome, step) {
            (Outcome::Published, Some(_)) => writeln!(text, "published as {path}")?,
            (Outcome::Planned, Some(_)) => writeln!(text, "would be published as {path}")?,
            (Outcome::Same, Some(_)) => {
                writeln!(text, "{path} is there already, with the same content")?;
            }
            (Outcome::Published, None) => {
                writeln!(text, "{path}: published; {}", one_line(&self.effect))?;
            }
            (Outcome::Planned, None) => {
                writeln!(
                    text,
                    "{path}: would be published; {}",
                    one_line(&self.effect)
                )?;
            }
            (Outcome::Refused, Some(_)) => {
                let reason = self.reason.as_deref().unwrap_or_default();
                writeln!(text, "refused: {reason}")?;
            }
            (Outcome::Refused | Outcome::Same, None) => return Ok(text),
        }
        if matches!(self.outcome, Outcome::Refused | Outcome::Same) {
            return Ok(text);
        }
        if let Some(place) = &self.place {
            let left = if self.left.is_empty() {
                String::new()
            } else {
                format!("; left: {}", self.left.join(", "))
            };
            let line = format!("{source}: taken out of {place}{left}");
            writeln!(text, "{}", one_line(&line))?;
        }
        for line in &self.lines {
            writeln!(text, "{}", one_line(line))?;
        }
        for warning in self.warnings.iter().map(|warning| one_line(warning)) {
            if step.is_none() || said.insert(warning.clone()) {
                writeln!(text, "warning: {warning}")?;
            }
        }
        Ok(text)
    }
}

/// Number of a file in a batch, and how many there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) number: usize,
    pub(super) of: usize,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// Word on all of them.
#[derive(Debug, Serialize)]
pub(super) struct Sums {
    pub(super) dry_run: bool,
    published: usize,
    planned: usize,
    same: usize,
    refused: usize,
    sources: Vec<Row>,
}

impl Sums {
    pub(super) fn of(sources: Vec<Row>, dry_run: bool) -> Self {
        let count = |outcome| sources.iter().filter(|row| row.outcome == outcome).count();
        Self {
            dry_run,
            published: count(Outcome::Published),
            planned: count(Outcome::Planned),
            same: count(Outcome::Same),
            refused: count(Outcome::Refused),
            sources,
        }
    }

    /// Tells whether all is in the folder, or would be. Whoever publishes one file that is
    /// there already may have forgotten to raise the version; a batch may be run again.
    pub(super) fn is_good(&self, is_batch: bool) -> bool {
        self.refused == 0 && (is_batch || self.same == 0)
    }

    /// Returns those that have a reason to be named at the end.
    pub(super) fn failed(&self, is_batch: bool) -> impl Iterator<Item = &Row> {
        let is_failed = move |row: &&Row| match row.outcome {
            Outcome::Refused => true,
            Outcome::Same => !is_batch,
            Outcome::Published | Outcome::Planned => false,
        };
        self.sources.iter().filter(is_failed)
    }

    pub(super) fn in_words(&self) -> String {
        let (done, what) = if self.dry_run {
            (self.planned, "would be published")
        } else {
            (self.published, "published")
        };
        let Self { same, refused, .. } = self;
        format!("{what}: {done}; there already: {same}; refused: {refused}\n")
    }
}
