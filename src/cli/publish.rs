//! `xiaozhi-ota publish`: what people have into the firmware folder, whole or not at all.

mod given;
mod report;

use super::forecast::Forecaster;
use super::output::{self, Failure, Printed, print, print_json, say};
use crate::app;
use crate::app::publishing::{self, ToldModel, app_of, effect, models};
use crate::config::{self, Settings};
use crate::event::text::Lang;
use crate::event::{Event, event};
use crate::firmware::command::Publish;
use crate::firmware::homes;
use crate::firmware::notes::{self, Notes};
use crate::firmware::publish::{PublishError, Published, Room, Source, Taken, Target};
use crate::util::durable::Durability;
use crate::util::terminal::{file_name, one_line};
use crate::util::way;
use anyhow::{Context as _, bail};
use clap::Args;
use given::Given;
use report::{Outcome, Row, Step, Sums};
use std::collections::{BTreeMap, HashSet};
use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use xiaozhi_device::version::Version;

#[derive(Debug, Args)]
#[expect(
    clippy::doc_markdown,
    clippy::struct_excessive_bools,
    reason = "the text of --help, and each is an option"
)]
pub(super) struct PublishArgs {
    /// Archives of releases (v2.1.0_board.zip), full flash images (merged-binary.bin), app
    /// images (build/xiaozhi.bin), folders of them (their own files, but for hidden ones);
    /// `-` for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// The model whose devices get it, as they report it (board.name or
    /// board.type) [default: the one in the file's name; else asked for on a
    /// terminal]
    #[arg(long)]
    model: Option<String>,

    /// The version to offer one file as [default: the one inside the image]
    #[arg(long)]
    version: Option<String>,

    /// Take what is no ESP image, for devices of another kind
    #[arg(long)]
    foreign: bool,

    /// Release notes of one file: a text of at most 64 KiB, kept beside the
    /// image as {model}_{version}.md
    #[arg(long, value_name = "FILE")]
    notes: Option<PathBuf>,

    /// Overwrite a file of the same name, and its notes; an archive or a full
    /// flash image under a firmware's name in the firmware folder is replaced
    #[arg(long)]
    force: bool,

    /// Say what would be published as what, and write nothing
    #[arg(long)]
    dry_run: bool,

    /// Print a JSON object with a row for each file
    #[arg(long)]
    json: bool,
}

impl PublishArgs {
    pub(super) fn run(self, config: Option<&Path>) -> anyhow::Result<ExitCode> {
        let given = given::expand(&self.files);
        let is_batch = given.len() > 1 || self.files.iter().any(|file| file.is_dir());
        if given.len() > 1 {
            let one = [
                ("--version", self.version.is_some()),
                ("--notes", self.notes.is_some()),
            ];
            if let Some((option, _)) = one.into_iter().find(|(_, is_given)| *is_given) {
                let count = given.len();
                let why = format!("{option} belongs to one file, and these are {count}\n");
                let kind = clap::error::ErrorKind::ArgumentConflict;
                return Ok(output::usage(clap::Error::raw(kind, why)));
            }
        }
        let settings = config::load(config, &app::machine())?;
        let notes = self.notes.as_deref().map(Notes::read).transpose();
        let notes = match notes {
            Ok(notes) => notes,
            Err(e) => {
                output::report(&Failure::from(anyhow::Error::from(e)));
                return Ok(ExitCode::FAILURE);
            }
        };
        let dir = &settings.catalogue.dir;
        let mut run = Run {
            is_new: !dir.exists(),
            models: models(dir),
            arguments: &self,
            settings: &settings,
            notes,
            is_batch,
            taken: Taken::of(given.iter().map(|one| &*one.path)),
            forecaster: Forecaster::new(&settings),
            room: Room::default(),
        };
        let mut screen = Output {
            is_wanted: true,
            said: HashSet::new(),
        };
        let mut rows = Vec::with_capacity(given.len());
        for (n, one) in given.iter().enumerate() {
            let step = is_batch.then_some(Step {
                number: n + 1,
                of: given.len(),
            });
            let row = run.settle(one);
            if !self.json {
                screen.write(&row, step)?;
            } else if let Some(step) = step {
                say(&format!("{step} {}\n", row.progress()));
            }
            rows.push(row);
        }
        let sums = Sums::of(rows, self.dry_run);
        if self.json {
            screen.print(&serde_json::to_string(&sums)?, print_json);
        } else if is_batch {
            screen.print(&sums.in_words(), print);
        }
        for row in sums.failed(is_batch) {
            output::report(&Failure::from(row.failure(is_batch)));
        }
        Ok(if sums.is_good(is_batch) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// Standard output, whose end ends nothing: what was begun is done.
struct Output {
    is_wanted: bool,
    /// Warnings that were said already.
    said: HashSet<String>,
}

impl Output {
    fn write(&mut self, row: &Row, step: Option<Step>) -> anyhow::Result<()> {
        let text = row.in_words(step, &mut self.said)?;
        if !text.is_empty() {
            self.print(&text, print);
        }
        Ok(())
    }

    fn print(&mut self, text: &str, print: fn(&str) -> anyhow::Result<Printed>) {
        if !self.is_wanted {
            return;
        }
        match print(text) {
            Ok(printed) => self.is_wanted = printed == Printed::Whole,
            Err(e) => {
                // It is published all the same.
                self.is_wanted = false;
                let end = if text.ends_with('\n') { "" } else { "\n" };
                say(&format!("{text}{end}warning: {e:#}\n"));
            }
        }
    }
}

/// One call of the command.
struct Run<'a> {
    arguments: &'a PublishArgs,
    settings: &'a Settings,
    notes: Option<Notes>,
    is_batch: bool,
    /// True where there was no firmware folder.
    is_new: bool,
    /// Models with files in the folder, each with its highest version.
    models: BTreeMap<String, Version>,
    taken: Taken,
    forecaster: Forecaster<'a>,
    room: Room,
}

impl Run<'_> {
    /// Publishes a file, or finds out what that would come to.
    fn settle(&mut self, given: &Given) -> Row {
        let mut row = Row::of(&given.path);
        if let Err(e) = self.publish(given, &mut row) {
            row.fail(&e);
        }
        row
    }

    fn publish(&mut self, given: &Given, row: &mut Row) -> anyhow::Result<()> {
        let path = &given.path;
        if let Some(fault) = &given.fault {
            bail!("{}: {fault}", path.display());
        }
        let (arguments, settings) = (self.arguments, self.settings);
        let (foreign, is_dry) = (arguments.foreign, arguments.dry_run);
        let told = self.told_model(path, row);
        // Nothing is made in vain, the folder neither; what is wrong with the file goes first.
        let is_in_vain = !matches!(&told, Ok(model) if model.is_some() || self.may_ask());
        let source = Source::read(path, &settings.catalogue, foreign, is_dry || is_in_vain)?;
        row.describe(&source);
        let version = source.version(arguments.version.as_deref())?;
        let model = match told? {
            Some(model) => model,
            None if self.may_ask() => ask(&self.models)?,
            None => {
                let path = path.clone();
                return Err(PublishError::NoModel { path }.into());
            }
        };
        let dir = &settings.catalogue.dir;
        let target = Target::of(dir, &model, &version)?;
        row.aim(&target);
        if arguments.force {
            self.taken.check_sources(&target, &source)?;
        }
        self.taken.check(&target, &source)?;
        let is_asked = arguments.version.is_some();
        let remarks = publishing::remarks(&source, &target, is_asked, &settings.catalogue);
        row.warnings = in_words(&remarks);
        let sum = source.inspection.sha256;
        let app = app_of(&source).cloned();
        let stays = source.stays(&target, arguments.force);
        let inspection = source.inspection.clone();
        let version = Version::new(&version);
        let (effect, warning) = effect(settings, &self.models, (&model, &version), &source);
        self.deed(source, &target, row)?;
        if stays {
            row.lines.push(format!(
                "{}: stays where it is, and is of no use there: it can be deleted",
                file_name(path)
            ));
        }
        self.taken.note(&target, path, sum);
        row.effect = effect.told().to_string();
        row.warnings.extend(warning.iter().map(Event::to_string));
        if let Some(app) = &app {
            if !self.is_batch && app.needs_assets(&settings.catalogue.projects) {
                row.lines.push(event!(PUBLISH_NEEDS_ASSETS).to_string());
            }
            row.ota_addresses = app.homes.iter().map(ToString::to_string).collect();
            let homes = homes::named(app);
            row.lines.extend(homes.map(|homes| {
                let path = file_name(&target.path);
                format!("{path}: OTA address in it: {homes}")
            }));
            let beside = publishing::remarks_beside(app, &target, &settings.catalogue);
            row.warnings.extend(in_words(&beside));
        }
        let links = publishing::links(&target, &settings.catalogue);
        row.warnings.extend(in_words(&links));
        if std::mem::take(&mut self.is_new) {
            let made = if arguments.dry_run {
                "would be made"
            } else {
                "was made"
            };
            row.warnings.push(format!(
                "there was no folder {} here, and it {made}: is this where the server runs?",
                std::path::absolute(dir)?.display()
            ));
        }
        self.note_model(&target.model, version);
        row.foresee(self.forecaster.of(&target.path, &inspection));
        Ok(())
    }

    /// Gives the image its name, or finds out what would keep it from that.
    fn deed(&mut self, source: Source, target: &Target, row: &mut Row) -> Result<(), PublishError> {
        let (notes, force) = (self.notes.as_ref(), self.arguments.force);
        if self.arguments.dry_run {
            let old = source.rehearse(target, notes, force, &mut self.room)?;
            row.removed = old.as_deref().map(file_name);
            row.lines.extend(
                row.removed
                    .iter()
                    .map(|old| format!("{old}: would be removed, for its app is there instead")),
            );
            let shut = way::shut_to_others(&self.settings.catalogue.dir);
            row.warnings.extend(shut.iter().map(Event::to_string));
            row.outcome = Outcome::Planned;
            return Ok(());
        }
        let Published { kept, replaced } = source.publish(target, notes, force)?;
        row.outcome = Outcome::Published;
        let shut = way::shut_to_others(&target.path);
        row.warnings.extend(shut.iter().map(Event::to_string));
        if let Durability::Unsynced(why) = kept {
            row.warnings
                .push(event!(PUBLISH_UNSYNCED, reason = &why).to_string());
        }
        if let Some(beside) = notes::find(&target.path) {
            let are = match self.notes {
                Some(_) => "its notes",
                None => "its notes, which were there already",
            };
            row.lines.push(format!("{}: {are}", file_name(&beside)));
        }
        if let Some((old, removed)) = replaced {
            let orphans = notes::find(&old);
            let old = file_name(&old);
            match removed {
                Ok(()) => {
                    let gone = format!("{old}: removed, for its app is there instead");
                    row.lines.push(gone);
                    row.removed = Some(old);
                    row.lines.extend(orphans.iter().map(|orphans| {
                        let orphans = file_name(orphans);
                        format!(
                            "{orphans}: notes of the file that was removed; rename or delete them"
                        )
                    }));
                }
                Err(e) => row.warnings.push(format!(
                    "{old} could not be removed ({e}), and is of no use beside its app: delete it"
                )),
            }
        }
        Ok(())
    }

    /// Returns the model of a file: the one that was asked for, or the one in its name. Where
    /// that may be two boards', it is the one that known devices report.
    fn told_model(&self, file: &Path, row: &mut Row) -> Result<Option<String>, PublishError> {
        let arguments = self.arguments;
        let command = Publish {
            file,
            model: None,
            version: arguments.version.as_deref(),
            notes: arguments.notes.as_deref(),
            force: arguments.force,
            config: self.settings.catalogue.config.as_deref(),
        };
        let reports = |board: &str| self.forecaster.reports(board);
        let told = ToldModel::of(command, arguments.model.as_deref(), reports)?;
        if let (Some(model), Some((other, devices))) = (&told.model, &told.instead_of) {
            row.reported(model, other, *devices);
        }
        Ok(told.model)
    }

    /// Tells whether somebody is there to answer.
    fn may_ask(&self) -> bool {
        !self.is_batch && !self.arguments.json && io::stdin().is_terminal()
    }

    /// Notes what the folder holds now, or would hold.
    fn note_model(&mut self, model: &str, version: Version) {
        let highest = self
            .models
            .entry(model.to_owned())
            .or_insert_with(|| version.clone());
        if version > *highest {
            *highest = version;
        }
    }
}

/// Returns events in words.
fn in_words(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.message(Lang::En)).collect()
}

/// Asks for the model on the terminal.
fn ask(models: &BTreeMap<String, Version>) -> anyhow::Result<String> {
    if !models.is_empty() {
        let names: Vec<_> = models.keys().map(|name| one_line(name)).collect();
        say(&format!("Models with files here: {}\n", names.join(", ")));
    }
    say("Model, as devices report it (board.name or board.type): ");
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .context("no answer could be read")?;
    Ok(line.trim().to_owned())
}
