//! Other settings for the same folder, while it is kept.

use super::super::watch::Change;
use super::super::{FolderSettings, Verify};
use super::{Entry, Keeper};
use xiaozhi_device::version::is_device_safe;

impl Keeper {
    /// Takes up settings, and tells whether the folder is worth a look.
    pub(super) fn take_settings(&mut self, settings: FolderSettings) -> bool {
        let settings = FolderSettings {
            dir: self.settings.dir.clone(),
            ..settings
        };
        let before = std::mem::replace(&mut self.settings, settings);
        let now = &self.settings;
        let is_changed = (before.verify, &before.projects) != (now.verify, &now.projects);
        if is_changed {
            self.judge_again();
        }
        is_changed
    }

    /// Has those files read again that other rules may be for or against.
    fn judge_again(&mut self) {
        let FolderSettings {
            verify, projects, ..
        } = &self.settings;
        let is_in_doubt = |entry: &Entry| match &entry.app {
            None => *verify == Verify::Strict,
            Some(app) => projects.is_xiaozhi(&app.project) && !is_device_safe(&app.version),
        };
        let in_doubt = self.images.values().filter(|entry| is_in_doubt(entry));
        let in_doubt: Vec<_> = in_doubt.map(|entry| entry.file.clone()).collect();
        for file in in_doubt {
            self.images.remove(&file);
            self.whole.insert(file);
        }
        self.take_note(Change::LookAgain);
    }
}
