//! `xiaozhi-ota inspect`: says what firmware files are, before a device is offered
//! them.

use super::facts::{Facts, range};
use super::forecast::{Fleet, Forecaster};
use super::notes;
use super::output::{Printed, print, print_json};
use crate::event::{Event, event};
use crate::firmware::FolderSettings;
use crate::firmware::name::{self, ImageName, Misnamed};
use crate::firmware::notes::Notes;
use crate::firmware::{
    Uninspected, Unusable, command, homes, inspect_named, leads_out, offerable, signing,
};
use crate::util::terminal::{file_name, one_line};
use crate::{app, config};
use clap::Args;
use serde::Serialize;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use xiaozhi_device::hex::encode;
use xiaozhi_device::image::{AppImage, Remark, Verdict};
use xiaozhi_device::project::Projects;
use xiaozhi_device::version::{Version, is_device_safe};

#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// The files to look into: also pipes, `-` for standard input, and folders, of which
    /// each *.bin counts, but for those in folders below
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Print a JSON object for each file, one a line
    #[arg(long)]
    json: bool,
}

impl InspectArgs {
    pub(super) fn run(self, config: Option<&Path>) -> anyhow::Result<ExitCode> {
        let all = config::load(config, &app::machine())?;
        let settings = &all.catalogue;
        let mut forecaster = Forecaster::new(&all);
        let mut worst = Readiness::Ready;
        let mut seen = HashSet::new();
        for (file, content) in self.files.iter().flat_map(|file| named(file)) {
            if !seen.insert(place(&file)) {
                continue;
            }
            let report = match content {
                Ok(()) => FileReport::of(&file, settings, &mut forecaster).with_notes(&file),
                Err(why) => FileReport::unreadable(&file, why),
            };
            worst = worst.max(report.state);
            let printed = if self.json {
                print_json(&serde_json::to_string(&report)?)
            } else {
                print(&report.in_words()?)
            };
            // Nobody wants to know of the others.
            if printed? == Printed::Unwanted {
                return Ok(ExitCode::SUCCESS);
            }
        }
        Ok(match worst {
            Readiness::Ready | Readiness::Data | Readiness::Foreign => ExitCode::SUCCESS,
            Readiness::Rejected => ExitCode::FAILURE,
            Readiness::Unreadable => ExitCode::from(2),
        })
    }
}

/// Returns the files that a name on the command line stands for: itself, or what of a
/// folder is firmware by its name, in order. Where there is none, says why.
fn named(given: &Path) -> Vec<(PathBuf, Result<(), String>)> {
    if !given.is_dir() {
        return vec![(given.to_owned(), Ok(()))];
    }
    let unreadable = |why: String| vec![(given.to_owned(), Err(why))];
    if is_firmware(given.file_name()) {
        return unreadable(FOLDER.to_owned());
    }
    let items = match given.read_dir() {
        Ok(items) => items,
        Err(e) => return unreadable(e.to_string()),
    };
    let mut files = Vec::new();
    for item in items {
        match item {
            Ok(item) if is_firmware(Some(&item.file_name())) => {
                let file = item.path();
                let is_folder = file.is_dir();
                let content = if is_folder {
                    Err(FOLDER.to_owned())
                } else {
                    Ok(())
                };
                files.push((file, content));
            }
            Ok(_) => {}
            Err(e) => files.extend(unreadable(e.to_string())),
        }
    }
    files.sort();
    if files.is_empty() {
        return unreadable(
            "it is a folder without firmware: no file in it ends in .bin or .zip".to_owned(),
        );
    }
    files
}

/// Reason of a folder that has the name of a file. Docker makes one where it is told to
/// mount a file that is not there.
const FOLDER: &str = "it is a folder that has the name of a file";

/// Tells whether a name is one of firmware, as the catalogue has it, or of an archive, which
/// `publish` takes.
fn is_firmware(file: Option<&OsStr>) -> bool {
    let file = file.unwrap_or_default().to_string_lossy();
    let is_called = |end: &str| file.to_ascii_lowercase().ends_with(end);
    (file.ends_with(".bin") || is_called(".zip")) && !name::is_passed_over(&file)
}

/// Returns what tells a file from all others: two names in one folder are two files, and
/// two ways to one name are not.
pub(super) fn place(file: &Path) -> PathBuf {
    let folder = match file.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => return file.to_owned(),
    };
    match (folder.canonicalize(), file.file_name()) {
        (Ok(folder), Some(name)) if file != Path::new("-") => folder.join(name),
        _ => file.to_owned(),
    }
}

/// State of a file, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Readiness {
    Ready,
    /// It can be fetched, and is offered to nobody.
    Data,
    Foreign,
    /// It would fail on every device.
    Rejected,
    /// Nobody knows what it is.
    Unreadable,
}

/// Findings on one file.
#[derive(Serialize)]
struct FileReport {
    file: String,
    state: Readiness,
    /// Reason for which the file is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Facts>,
    /// Devices that would get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    offered_to: Option<String>,
    /// Forecast for known devices, as if it were in the firmware folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet: Option<Fleet>,
    /// Release notes beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
    warnings: Vec<String>,
}

impl FileReport {
    fn new(path: &Path, state: Readiness, reason: Option<String>) -> Self {
        Self {
            file: file_name(path),
            state,
            reason,
            size: None,
            sha256: None,
            image: None,
            offered_to: None,
            fleet: None,
            notes: None,
            warnings: Vec::new(),
        }
    }

    fn unreadable(path: &Path, why: String) -> Self {
        Self::new(path, Readiness::Unreadable, Some(why))
    }

    fn of(path: &Path, settings: &FolderSettings, forecaster: &mut Forecaster<'_>) -> Self {
        let projects = &settings.projects;
        let config = settings.config.as_deref();
        let reason = |why: &Unusable| command::reason(why, path, config).to_string();
        let inspection = match inspect_named(path) {
            Ok(inspection) => inspection,
            Err(Uninspected::Unreadable(why)) => return Self::unreadable(path, why),
            Err(Uninspected::Unusable(why)) => {
                return Self::new(path, Readiness::Rejected, Some(why.to_string()));
            }
        };
        let mut report = Self::new(path, Readiness::Rejected, None);
        report.size = Some(inspection.size);
        report.sha256 = Some(encode(&inspection.sha256));
        let file_name = path.file_name().and_then(|name| name.to_str());
        let named = file_name.and_then(|file| name::parse(file).ok());
        let version = named.as_ref().map(|named| &named.version);
        if let Verdict::App(app) = &inspection.verdict {
            report.warnings = in_words(&app.remarks(version, projects));
            let home = homes::remark(app, settings);
            let beside = beside(path, settings, app);
            report
                .warnings
                .extend(home.iter().chain(&beside).map(Event::to_string));
            report.image = Some(Facts::from(&**app));
        }
        if let Verdict::Foreign(foreign) = &inspection.verdict
            && let Some(target) = leads_out(path, &settings.dir)
        {
            let (target, foreign) = (target, *foreign);
            report.reason = Some(reason(&Unusable::LeadsOut { target, foreign }));
            return report;
        }
        if let Verdict::Foreign(foreign) = &inspection.verdict
            && foreign.is_data()
        {
            report.state = Readiness::Data;
            report.reason = Some(Event::from(foreign).to_string());
            return report;
        }
        if let Err(why) = offerable(&inspection.verdict, settings).and_then(|()| safe(version)) {
            report.reason = Some(reason(&why));
            return report;
        }
        let app = match &inspection.verdict {
            Verdict::App(app) => {
                report.state = Readiness::Ready;
                Some(&**app)
            }
            Verdict::Foreign(foreign) => {
                report.state = Readiness::Foreign;
                let other = Unusable::Other(*foreign);
                let what = command::reason(&other, path, config);
                let is_offered = named.is_some();
                let offered = |what| event!(IMAGE_FOREIGN_OFFERED, what = what);
                let what = if is_offered { offered(what) } else { what };
                report.reason = Some(what.to_string());
                None
            }
            Verdict::Rejected(_) => None,
        };
        report.offered_to = Some(offered_to(named.as_ref(), app, inspection.size, projects));
        report.fleet = forecaster.of(path, &inspection);
        report
    }

    fn with_notes(mut self, path: &Path) -> Self {
        match Notes::beside(path) {
            None => {}
            Some(Ok(notes)) => self.notes = Some(notes.text().to_owned()),
            Some(Err(why)) => self.warnings.push(why.to_string()),
        }
        self
    }

    fn in_words(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let state = match self.state {
            Readiness::Ready => "ready",
            Readiness::Data => "data",
            Readiness::Foreign => "foreign",
            Readiness::Rejected => "rejected",
            Readiness::Unreadable => "cannot be read",
        };
        match &self.reason {
            Some(reason) => writeln!(text, "{}: {state}: {}", self.file, one_line(reason))?,
            None => writeln!(text, "{}: {state}", self.file)?,
        }
        let image = self.image.iter().flat_map(Facts::in_words);
        let size = self.size.map(|size| ("file", format!("{size} bytes")));
        let sum = self.sha256.clone().map(|sum| ("SHA-256", sum));
        let whom = self.offered_to.clone().map(|whom| ("offered to", whom));
        let lines = self.fleet.iter().flat_map(Fleet::lines).cloned();
        let devices = lines.map(|line| ("devices", line));
        for (what, value) in image.chain(size).chain(sum).chain(whom).chain(devices) {
            writeln!(text, "  {what:<11} {}", one_line(&value))?;
        }
        text += &notes::in_words(&self.file, self.notes.as_deref())?;
        for warning in &self.warnings {
            writeln!(text, "  warning: {}", one_line(warning))?;
        }
        Ok(text)
    }
}

/// Returns what is to be said of an image because of others in its folder; where it lies
/// somewhere else, because of those in the firmware folder.
fn beside(path: &Path, settings: &FolderSettings, app: &AppImage) -> Vec<Event> {
    let own = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let own = own.unwrap_or(Path::new("."));
    let found = signing::beside(own, path, app);
    if found.is_empty() && own != settings.dir {
        signing::beside(&settings.dir, path, app)
    } else {
        found
    }
}

/// Returns remarks on an image in words.
pub(super) fn in_words(remarks: &[Remark]) -> Vec<String> {
    let words = remarks.iter().map(|remark| Event::from(remark).to_string());
    words.collect()
}

fn safe(version: Option<&Version>) -> Result<(), Unusable> {
    match version {
        Some(version) if !is_device_safe(version.as_str()) => {
            Err(Misnamed::unsafe_version(version).into())
        }
        _ => Ok(()),
    }
}

/// Names the devices that get a file of this name and content.
fn offered_to(
    named: Option<&ImageName>,
    app: Option<&AppImage>,
    size: u64,
    projects: &Projects,
) -> String {
    let Some(ImageName { model, version }) = named else {
        let whom = "nobody under this name: it is no {model}_{version}.bin";
        let gives_one = "; xiaozhi-ota publish gives it one";
        return whom.to_owned() + app.map_or("", |_| gives_one);
    };
    let mut whom = if model == "default" {
        "devices without files of their own model".to_owned()
    } else {
        format!("devices of the model {model}")
    };
    // Writing to a String cannot fail.
    let _ = write!(whom, " that report a version below {version}");
    if let Some(app) = app {
        let revision = range("revision", app.min_revision, app.max_revision);
        if !projects.is_xiaozhi(&app.project) {
            let _ = write!(whom, ", run the project {}", app.project);
        }
        let _ = write!(whom, ", with the chip {}{revision}", app.chip);
        if app.needs_assets(projects) {
            whom.push_str(", a partition named assets");
        }
    } else {
        whom.push_str(", without an ESP32's chip");
    }
    let _ = write!(
        whom,
        " and a free app slot of {size} bytes or more (what a device does not report is not judged)"
    );
    whom
}
