//! Forecasts of the commands: what known devices would be told of a file.

use super::output::say;
use crate::app::known::{Forecast, Known, known};
use crate::config::Settings;
use crate::event::text::Lang;
use crate::firmware::{Glances, entry_of};
use serde::Serialize;
use std::cell::OnceCell;
use std::path::Path;
use xiaozhi_device::checkin::DEFAULT_MODEL;
use xiaozhi_device::image::Inspection;

/// Known devices and the firmware folder, each read once it is asked for.
pub(super) struct Forecaster<'a> {
    settings: &'a Settings,
    known: OnceCell<Known>,
    glances: Glances,
}

/// Forecast of one file, for people and programs.
#[derive(Debug, Serialize)]
pub(super) struct Fleet {
    /// Number of known devices.
    known: u64,
    /// Number of those that the file is for.
    of_model: u64,
    /// Number of those to which it is offered at their next check.
    gets: u64,
    /// Number of those that run it.
    runs: u64,
    /// Number of those that would get it, if the upstream did not have them offered nothing.
    held: u64,
    /// The others, those among them.
    stays: Vec<Stay>,
    #[serde(skip)]
    lines: Vec<String>,
}

/// Devices that would not get a file, for one reason.
#[derive(Debug, Serialize)]
struct Stay {
    /// Id of the reason.
    why: &'static str,
    devices: u64,
    /// Versions that they run.
    versions: String,
    /// The reason.
    words: String,
}

impl<'a> Forecaster<'a> {
    pub(super) fn new(settings: &'a Settings) -> Self {
        Self {
            settings,
            known: OnceCell::new(),
            glances: Glances::default(),
        }
    }

    /// Returns what is known of devices. Where that cannot be read, it says so, once.
    fn known(&self) -> &Known {
        self.known.get_or_init(|| {
            let known = known(self.settings);
            if let Some(why) = &known.unread {
                say(&format!("note: {why}\n"));
            }
            known
        })
    }

    /// Returns the number of known devices that report a board of this name.
    pub(super) fn reports(&self, board: &str) -> u64 {
        self.known().crowd.reports(board)
    }

    /// Says who would get a file of this name and content, if it is in the firmware folder.
    /// `None` where no devices are known, or the name has no model.
    pub(super) fn of(&mut self, path: &Path, inspection: &Inspection) -> Option<Fleet> {
        let entry = entry_of(path, inspection.clone())?;
        let (catalogue, policy) = (&self.settings.catalogue, &self.settings.policy);
        let crowd = &self.known().crowd;
        let devices = crowd.devices();
        if devices == 0 {
            return None;
        }
        let names: Vec<_> = policy.names(&entry.model).collect();
        // To read the folder would tell nothing.
        if entry.model != DEFAULT_MODEL && !crowd.may_ask_for(names.iter().copied()) {
            let none = Forecast {
                known: devices,
                ..Forecast::default()
            };
            return Some(none.into());
        }
        let mut glances = std::mem::take(&mut self.glances);
        let is_wanted = |model: &str| names.contains(&model);
        let snapshot = glances.snapshot(catalogue, is_wanted, &entry);
        let forecast = snapshot.map(|snapshot| {
            let crowd = &self.known().crowd;
            crowd.forecast(&snapshot, policy, &entry).into()
        });
        self.glances = glances;
        // A folder that cannot be listed is told of by the command itself.
        forecast.ok()
    }
}

impl From<Forecast> for Fleet {
    fn from(forecast: Forecast) -> Self {
        let words = forecast.events().into_iter();
        let stays = forecast.stays.iter().map(|stays| Stay {
            why: stays.why.kind.id,
            devices: stays.devices,
            versions: stays.versions(),
            words: stays.why.words(Lang::En),
        });
        Self {
            known: forecast.known,
            of_model: forecast.of_model,
            gets: forecast.gets,
            runs: forecast.runs,
            held: forecast.held,
            stays: stays.collect(),
            lines: words.map(|event| event.words(Lang::En)).collect(),
        }
    }
}

impl Fleet {
    /// Returns it in words: all in numbers, then each reason.
    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }
}
