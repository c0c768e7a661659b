//! `xiaozhi-ota prune`: takes the oldest images out of the firmware folder.

use super::output::{Printed, print, print_json, say};
use crate::app::known::{Content, RunImage, known};
use crate::event::Event;
use crate::firmware::name::ImageName;
use crate::firmware::prune::removal::{Item, Pruning, Unremoved};
use crate::firmware::prune::{Fate, Models, Reason};
use crate::ota::decide::Policy;
use crate::util::durable::Durability;
use crate::util::terminal::{file_name, one_line};
use crate::{app, config};
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use xiaozhi_device::image::AppImage;
use xiaozhi_device::version::Version;

#[derive(Debug, Args)]
pub(super) struct PruneArgs {
    /// Number of versions that stay of each model: its highest ones, pre-releases
    /// counted
    #[arg(long, value_name = "N", value_parser = number)]
    keep: NonZeroUsize,

    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,

    /// Print a JSON object for each file, one a line, and one with their numbers
    #[arg(long)]
    json: bool,
}

fn number(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse();
    number.map_err(|_| {
        "write a number from 1 on: of each model at least one version stays".to_owned()
    })
}

impl Models for Policy {
    fn key(&self, model: &str) -> String {
        self.names(model).min().unwrap_or(model).to_owned()
    }

    fn pin(&self, model: &str) -> Option<Version> {
        self.pin(model).cloned()
    }
}

impl PruneArgs {
    pub(super) fn run(self, config: Option<&Path>) -> anyhow::Result<ExitCode> {
        let settings = config::load(config, &app::machine())?;
        let (is_dry, policy) = (self.dry_run, &settings.policy);
        let known = known(&settings);
        let run_by = |name: &ImageName, app: &AppImage, sha256: &[u8; 32]| {
            let image = RunImage {
                content: Content::of(sha256),
                elf_sha256: app.elf_sha256,
                versions: [&app.version, name.version.as_str()],
            };
            known.crowd.run_by(&image, policy.names(&name.model))
        };
        let pruning = Pruning::plan(&settings.catalogue, self.keep, policy, run_by, is_dry)?;
        let mut sums = Sums {
            dry_run: is_dry,
            ..Sums::default()
        };
        let mut output = Output {
            is_json: self.json,
            is_wanted: true,
        };
        for item in &pruning.items {
            let report = self.settle(item, &mut sums);
            if self.json {
                output.write(&serde_json::to_string(&report)?);
            } else {
                output.write(&report.in_words(item, is_dry)?);
            }
        }
        sums.warnings.extend(pruning.warnings.iter().cloned());
        sums.warnings
            .extend(known.unread.iter().map(Event::to_string));
        if self.json {
            output.write(&serde_json::to_string(&sums)?);
        } else {
            output.write(&sums.in_words()?);
        }
        Ok(if sums.failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// Does with a file what the plan says, and says what came of it.
    fn settle(&self, item: &Item, sums: &mut Sums) -> Report {
        let mut report = Report::of(item);
        match &item.fate {
            Fate::Goes => {
                let done = if self.dry_run {
                    item.try_removal().map(|()| Durability::Synced)
                } else {
                    item.remove()
                };
                match done {
                    Ok(durability) => {
                        if let Durability::Unsynced(why) = durability {
                            sums.is_unsynced(&why);
                        }
                        if self.dry_run {
                            sums.would_remove += 1;
                        } else {
                            sums.removed += 1;
                        }
                        sums.bytes += item.frees;
                        report.bytes = Some(item.frees);
                        report.action = if self.dry_run {
                            Action::WouldRemove
                        } else {
                            Action::Removed
                        };
                        report.reason = item
                            .is_draft
                            .then(|| "a publish that was killed left it behind".to_owned());
                    }
                    Err(Unremoved(why)) => {
                        sums.failed += 1;
                        report.action = Action::Failed;
                        report.reason = Some(why.to_string());
                    }
                }
            }
            Fate::Stays(reason) => {
                sums.stay += 1;
                if let Reason::Run(devices) = reason {
                    report.devices = Some(*devices);
                }
                report.reason = Some(reason.to_string());
            }
            Fate::LeftAlone(reason) => {
                sums.left_alone += 1;
                report.action = Action::LeftAlone;
                report.reason = Some(reason.clone());
            }
        }
        report
    }
}

/// Standard output, whose end ends nothing: what was begun is done.
struct Output {
    is_json: bool,
    is_wanted: bool,
}

impl Output {
    fn write(&mut self, text: &str) {
        if !self.is_wanted {
            return;
        }
        let printed = if self.is_json {
            print_json(text)
        } else {
            print(text)
        };
        match printed {
            Ok(printed) => self.is_wanted = printed == Printed::Whole,
            Err(e) => {
                self.is_wanted = false;
                say(&format!(
                    "{text}\nwarning: {e:#}; what follows is done, and not shown\n"
                ));
            }
        }
    }
}

/// Deed at a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    Stays,
    LeftAlone,
    Removed,
    WouldRemove,
    Failed,
}

/// Word on one file.
#[derive(Serialize)]
struct Report {
    file: String,
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// Number of devices for which it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<u64>,
    /// The file with its release notes.
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
    /// Number of bytes that became free.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

impl Report {
    fn of(item: &Item) -> Self {
        Self {
            file: file_name(&item.path),
            action: Action::Stays,
            reason: None,
            model: item.name.as_ref().map(|name| name.model.clone()),
            version: item.name.as_ref().map(|name| name.version.to_string()),
            devices: None,
            notes: item.notes.as_deref().map(file_name),
            bytes: None,
        }
    }

    fn in_words(&self, item: &Item, is_dry: bool) -> Result<String, std::fmt::Error> {
        let of_dry = |real, dry| if is_dry { dry } else { real };
        let mut text = format!("{}: ", self.file);
        text += match self.action {
            Action::Stays => of_dry("stays", "would stay"),
            Action::LeftAlone => of_dry("left alone", "would be left alone"),
            Action::Removed | Action::WouldRemove => of_dry("removed", "would be removed"),
            Action::Failed => of_dry("cannot be removed", "could not be removed"),
        };
        if let (Some(notes), Some(_)) =
            (item.notes.as_deref().and_then(Path::file_name), self.bytes)
        {
            write!(text, " with its notes, {}", file_name(notes))?;
        }
        if let Some(bytes) = self.bytes {
            write!(text, " ({bytes} bytes)")?;
        }
        if let Some(reason) = &self.reason {
            write!(text, ": {}", one_line(reason))?;
        }
        text.push('\n');
        Ok(text)
    }
}

/// Numbers of a run.
#[derive(Debug, Default, Serialize)]
struct Sums {
    removed: usize,
    would_remove: usize,
    stay: usize,
    left_alone: usize,
    failed: usize,
    /// Number of bytes that became free.
    bytes: u64,
    dry_run: bool,
    warnings: Vec<String>,
}

impl Sums {
    /// Notes, once, that the disk was not made to remember.
    fn is_unsynced(&mut self, why: &io::Error) {
        let warning = format!(
            "the folder's file system could not be made to write this down ({why}): a power cut within the next minute \
             may bring files back"
        );
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn in_words(&self) -> Result<String, std::fmt::Error> {
        let Self {
            removed,
            would_remove,
            stay,
            left_alone,
            failed,
            bytes,
            ..
        } = self;
        let mut text = if self.dry_run {
            format!(
                "would be removed: {would_remove} ({bytes} bytes); would stay: {stay}; would be left alone: {left_alone}"
            )
        } else {
            format!(
                "removed: {removed} ({bytes} bytes freed); stay: {stay}; left alone: {left_alone}"
            )
        };
        if *failed > 0 {
            let cannot = if self.dry_run { "could not" } else { "cannot" };
            write!(text, "; {cannot} be removed: {failed}")?;
        }
        text.push('\n');
        for warning in &self.warnings {
            writeln!(text, "warning: {}", one_line(warning))?;
        }
        Ok(text)
    }
}
