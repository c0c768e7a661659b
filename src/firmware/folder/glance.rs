//! The folder as a server offers it, for a command that looks at it: only the files of some
//! models are read, and each once.

use super::super::FolderSettings;
use super::super::name::near::NameIndex;
use super::super::name::{self, ImageName};
use super::super::snapshot::{Entry, Snapshot};
use super::judge::Use;
use super::kind::Folders;
use super::reader::look_at;
use super::scan::{self, Found, Listing};
use crate::util::file_state::FileState;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use xiaozhi_device::image::Inspection;

/// Looks at the firmware folder, and what was read of it.
#[derive(Debug, Default)]
pub(crate) struct Glances {
    read: HashMap<String, (FileState, Option<Arc<Entry>>)>,
}

impl Glances {
    /// Returns the snapshot of the folder in which the files of those models are that
    /// `is_wanted` says, and all names. `added` is in it, too, in place of a file of its name.
    /// A folder that is not there is empty.
    ///
    /// # Errors
    ///
    /// The folder cannot be listed.
    pub(crate) fn snapshot(
        &mut self,
        settings: &FolderSettings,
        is_wanted: impl Fn(&str) -> bool,
        added: &Arc<Entry>,
    ) -> io::Result<Snapshot> {
        let listing = match scan::list(&settings.dir, &mut Folders::default()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Listing::default(),
            listing => listing?,
        };
        let Listing {
            found, unusable, ..
        } = listing;
        let files = found.iter().map(|found| &found.file);
        let files = files.chain(unusable.iter().map(|(file, _)| file));
        let mut names: HashSet<String> = files.cloned().collect();
        names.insert(added.file.clone());
        let models = names.iter().filter_map(|file| name::parse(file).ok());
        let models = models.map(|name| name.model).collect();
        let mut entries = vec![Arc::clone(added)];
        for found in found {
            let is_wanted = |name: &ImageName| is_wanted(&name.model);
            if found.file != added.file && found.listed.name.as_ref().is_ok_and(is_wanted) {
                entries.extend(self.entry(settings, found));
            }
        }
        let names = NameIndex::new(names.iter().map(String::as_str));
        Ok(Snapshot::new(entries, models).with_names(Arc::new(names)))
    }

    /// Returns what a server offers of a file, if it offers it.
    fn entry(&mut self, settings: &FolderSettings, found: Found) -> Option<Arc<Entry>> {
        if let Some((state, entry)) = self.read.get(&found.file)
            && *state == found.identity
        {
            return entry.clone();
        }
        let (file, state) = (found.file.clone(), found.identity);
        let path = settings.dir.join(&file);
        let entry = match look_at(settings, found).judged {
            Ok(Use::Offered(name, inspection)) => {
                let entry = Entry::new(path, file.clone(), name, state, inspection);
                Some(Arc::new(entry))
            }
            Ok(Use::Served(..)) | Err(_) => None,
        };
        self.read.insert(file, (state, entry.clone()));
        entry
    }
}

/// Makes the entry of a file that is not in the folder, or is not read from there. `None`
/// where its name has no model.
pub(crate) fn entry_of(path: &Path, inspection: Inspection) -> Option<Arc<Entry>> {
    let file = path.file_name()?.to_str()?;
    let name = name::parse(file).ok()?;
    let state = FileState {
        inode: (0, 0),
        size: inspection.size,
        modified: (0, 0),
        changed: (0, 0),
    };
    let entry = Entry::new(path.to_owned(), file.to_owned(), name, state, inspection);
    Some(Arc::new(entry))
}
