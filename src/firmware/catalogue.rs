//! Keeps a [`Snapshot`] true to the firmware folder, from a thread of its own:
//! a check-in reads the snapshot and waits for nothing.
//!
//! A file enters the snapshot when it is whole. What lies there at start counts
//! as whole. Afterwards the kernel tells when a writer closes a file or moves it
//! in; a file that appears without such word (a network file system, a hard
//! link) must look the same twice, two seconds apart.
//!
//! One that is written to is withdrawn at once, and a writer that pauses is still one
//! for ten minutes. Where only the change time moved (chmod, a hard link, a backup) it
//! stays offered and is read again, and a download under way hashes it before it goes
//! on. A model stays known for five minutes after its last file went, so that replacing
//! a file by `rm` and `cp` sends its devices nothing of another board's.
//!
//! No verdict on a file outlives the process. One that was kept would vouch, on the word
//! of a time stamp, for bytes that a dying disk or a restored backup has changed; reading
//! anew proves what lies there. 200 images of 4 MB take 4 to 5 s on one slow core, while
//! the server already answers, each model's highest version first.

use super::FolderSettings;
use super::folder::{self, KeeperHandle, Shared};
use super::snapshot::Snapshot;
use crate::event::tell;
use crate::util::durable;
use crate::util::paths::absolute;
use crate::util::sync::lock;
use crate::util::threads::NoThread;
use arc_swap::Guard;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

/// The folder as it is offered now.
#[derive(Debug)]
pub(crate) struct Catalogue {
    shared: Arc<Shared>,
    keeper: KeeperHandle,
}

/// Reason why the folder is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogueError {
    /// The folder cannot be made.
    #[error(transparent)]
    Folder(#[from] io::Error),
    /// A thread that keeps it cannot be started.
    #[error(transparent)]
    Thread(#[from] NoThread),
}

impl Catalogue {
    /// Makes the folder if it is missing and begins to keep it. Where a full or
    /// read-only disk takes no folder there is no firmware, and devices are
    /// answered all the same.
    pub(crate) fn start(settings: FolderSettings) -> Result<Self, CatalogueError> {
        let was_there = settings.dir.exists();
        match fs::create_dir_all(&settings.dir) {
            Err(e) if durable::is_full(&e) => {}
            Ok(()) if was_there => {}
            Ok(()) => tell!(FOLDER_MADE, dir = absolute(&settings.dir)),
            Err(e) => return Err(e.into()),
        }
        let shared = Arc::new(Shared::default());
        let keeper = folder::keep(settings, Arc::clone(&shared))?;
        Ok(Self { shared, keeper })
    }

    /// Returns the images that can be offered now.
    pub(crate) fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.shared.snapshot.load()
    }

    /// Asks for a look at the folder; returns at once.
    pub(crate) fn look_again(&self) {
        self.keeper.look_again();
    }

    /// Keeps the folder by other settings from now on; returns at once. The folder
    /// itself stays.
    pub(crate) fn change(&self, settings: FolderSettings) {
        self.keeper.change(settings);
    }

    /// Says that a file which is offered could not be opened; returns at once. If
    /// nobody can open it, it is taken out of the snapshot until somebody can.
    pub(crate) fn doubt(&self, file: &str) {
        self.keeper.doubt(file);
    }

    /// Returns whether what lay in the folder at start is in the snapshot.
    pub(crate) fn has_looked(&self) -> bool {
        *lock(&self.shared.first_look_done)
    }

    /// Returns why the folder could not be listed at the last look; `None` where it was.
    pub(crate) fn fault(&self) -> Option<String> {
        lock(&self.shared.fault).clone()
    }

    /// Waits until what lay in the folder at start is in the snapshot, but no
    /// longer than `limit`: a big folder must not keep the server from
    /// answering.
    pub(crate) fn wait_for_first_look(&self, limit: Duration) {
        let done = lock(&self.shared.first_look_done);
        // Whether it timed out does not matter.
        drop(
            self.shared
                .first_look
                .wait_timeout_while(done, limit, |done| !*done),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ForeignHome, Verify};
    use super::*;
    use xiaozhi_device::project::Projects;

    #[test]
    fn what_lies_there_at_start_is_offered_after_the_first_look() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a_1.bin"), "one").unwrap();
        let catalogue = Catalogue::start(FolderSettings {
            dir: dir.path().to_owned(),
            ttl: Duration::from_secs(3600),
            verify: Verify::Warn,
            projects: Projects::default(),
            config: None,
            home: None,
            foreign_home: ForeignHome::Warn,
        });
        let catalogue = catalogue.unwrap();
        catalogue.wait_for_first_look(Duration::from_secs(3600));
        assert!(catalogue.snapshot().file("a_1.bin").is_some());
    }
}
