//! `xiaozhi-ota publish`: a file into the firmware folder, whole or not at all.

use super::inspect::in_words;
use super::output::{print, say};
use crate::app;
use crate::config::{self, Settings};
use crate::event::Event;
use crate::firmware::notes::{self, Notes};
use crate::firmware::publish::Staged;
use crate::firmware::{homes, name, signing};
use crate::util::durable::Durability;
use crate::util::terminal::{file_name, one_line};
use crate::util::way;
use anyhow::{Context as _, bail};
use clap::Args;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use xiaozhi_device::image::Verdict;
use xiaozhi_device::version::Version;

#[derive(Debug, Args)]
pub(super) struct PublishArgs {
    /// The app image, build/xiaozhi.bin; `-` for standard input
    file: PathBuf,

    /// The model whose devices get it, as they report it (board.name or
    /// board.type); asked for on a terminal
    #[arg(long)]
    model: Option<String>,

    /// The version to offer it as [default: the one inside the image]
    #[arg(long)]
    version: Option<String>,

    /// Take what is no ESP image, for devices of another kind
    #[arg(long)]
    foreign: bool,

    /// Release notes: a text of at most 64 KiB, kept beside the image as
    /// {model}_{version}.md
    #[arg(long, value_name = "FILE")]
    notes: Option<PathBuf>,

    /// Overwrite a file of the same name, and its notes
    #[arg(long)]
    force: bool,
}

impl PublishArgs {
    pub(super) fn run(self, config: Option<&Path>) -> anyhow::Result<ExitCode> {
        let settings = config::load(config, &app::machine())?;
        let dir = &settings.catalogue.dir;
        let is_new = !dir.exists();
        let projects = &settings.catalogue.projects;
        let notes = self.notes.as_deref().map(Notes::read).transpose()?;
        let staged = Staged::copy(&self.file, dir, &settings.catalogue, self.foreign)?;
        let version = staged.version(self.version.as_deref())?;
        let models = models(dir);
        let model = match self.model {
            Some(model) => model,
            None => ask(&models)?,
        };
        let mut warnings = match &staged.inspection.verdict {
            Verdict::App(app) => in_words(&app.remarks(Some(&Version::new(&version)), projects)),
            Verdict::Foreign(foreign) => {
                let what = Event::from(foreign);
                vec![format!("{what}: an ESP32 refuses it at its first byte")]
            }
            Verdict::Rejected(_) => Vec::new(),
        };
        let kind = match &staged.inspection.verdict {
            Verdict::App(app) if projects.is_xiaozhi(&app.project) => {
                Some(format!("with the chip {}", signing::chips(app)))
            }
            Verdict::App(app) => Some(format!(
                "with the chip {}, which run the project {:?}",
                signing::chips(app),
                app.project
            )),
            Verdict::Foreign(_) => Some("that report no ESP32's chip".to_owned()),
            Verdict::Rejected(_) => None,
        };
        let app = match &staged.inspection.verdict {
            Verdict::App(app) => Some(app.clone()),
            Verdict::Foreign(_) | Verdict::Rejected(_) => None,
        };
        let (path, kept) = staged.publish(&model, &version, notes.as_ref(), self.force)?;
        let version = Version::new(&version);
        let (effect, warning) = effect(&settings, &models, &model, &version, kind.as_deref());
        warnings.extend(warning);
        if let Some(app) = &app {
            let home = homes::remark(app, &settings.catalogue);
            warnings.extend(home.iter().map(Event::to_string));
            let beside = signing::beside(dir, &path, app);
            warnings.extend(beside.iter().map(Event::to_string));
        }
        let shut = way::shut_to_others(&path);
        warnings.extend(shut.iter().map(Event::to_string));
        if let Durability::Unsynced(why) = kept {
            warnings.push(format!(
                "the folder's file system could not be made to write the file down ({why}): a power cut within the next \
                 minute may undo this; see that it is still there after one"
            ));
        }
        if is_new {
            warnings.push(format!(
                "there was no folder {} here, and it was made: is this where the server runs?",
                std::path::absolute(dir)?.display()
            ));
        }
        let mut text = format!("{}: published; {}\n", file_name(&path), one_line(&effect));
        if let Some(beside) = notes::find(&path) {
            let are = match notes {
                Some(_) => "its notes",
                None => "its notes, which were there already",
            };
            writeln!(text, "{}: {are}", file_name(&beside))?;
        }
        if let Some(homes) = app.as_deref().and_then(homes::named) {
            writeln!(text, "{}: OTA address in it: {homes}", file_name(&path))?;
        }
        for warning in warnings {
            writeln!(text, "warning: {}", one_line(&warning))?;
        }
        if let Err(e) = print(&text) {
            // It is published all the same.
            say(&format!("{text}warning: {e:#}\n"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the models that the folder has files for, each with its highest version.
fn models(dir: &Path) -> BTreeMap<String, Version> {
    let mut models = BTreeMap::new();
    let names = fs::read_dir(dir).into_iter().flatten().flatten();
    for name in names.filter_map(|item| name::parse(item.file_name().to_str()?).ok()) {
        let highest = models
            .entry(name.model)
            .or_insert_with(|| name.version.clone());
        if name.version > *highest {
            *highest = name.version;
        }
    }
    models
}

/// Asks for the model on the terminal.
fn ask(models: &BTreeMap<String, Version>) -> anyhow::Result<String> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        bail!(
            "an image does not say which model it is for: add --model with the name that devices report"
        );
    }
    if !models.is_empty() {
        let names: Vec<_> = models.keys().map(|name| one_line(name)).collect();
        say(&format!("Models with files here: {}\n", names.join(", ")));
    }
    say("Model, as devices report it (board.name or board.type): ");
    let mut line = String::new();
    stdin
        .lock()
        .read_line(&mut line)
        .context("no answer could be read")?;
    Ok(line.trim().to_owned())
}

/// Says what follows for devices, and why some may get another version all the
/// same.
fn effect(
    settings: &Settings,
    models: &BTreeMap<String, Version>,
    model: &str,
    version: &Version,
    kind: Option<&str>,
) -> (String, Option<String>) {
    let mut whom = if model == "default" {
        "devices without files of their own model".to_owned()
    } else {
        format!("devices of the model {model}")
    };
    if let Some(kind) = kind {
        whom = format!("{whom} {kind}");
    }
    let offered =
        format!("a running server offers it to {whom} below {version} at their next check");
    let policy = &settings.policy;
    let highest = policy.names(model).filter_map(|name| models.get(name));
    match (policy.pin(model), highest.max()) {
        (Some(pin), _) if pin == version => (
            format!("a running server brings {whom} to it at their next check, for it is pinned"),
            None,
        ),
        (Some(pin), _) => (
            "it is not offered".into(),
            Some(format!(
                "gateway.firmware.pin holds the model {model} at {pin}"
            )),
        ),
        (None, Some(highest)) if highest >= version && highest.as_str() != version.as_str() => (
            offered,
            Some(format!(
                "the folder holds {highest} for the model {model}, which goes before {version}"
            )),
        ),
        _ => (offered, None),
    }
}
