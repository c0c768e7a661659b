//! Values that many devices have in common, each kept once.

use super::Fleet;
use super::about::{Build, Profile, Shared, kept};
use super::outcome::{Content, OfferedImage};
use super::record::Record;
use crate::firmware::snapshot::Entry;
use crate::ota::device_memory::OwnModel;
use std::sync::Arc;

/// Number of kinds of devices, of builds, of images and of models that are shared: more than
/// newcomers can have.
const KINDS: usize = 1 << 17;

/// Values that records share.
#[derive(Debug)]
pub(super) struct Commons {
    pub(super) profiles: Shared<Profile>,
    pub(super) builds: Shared<Build>,
    pub(super) images: Shared<OfferedImage>,
    pub(super) own: Shared<OwnModel>,
}

impl Default for Commons {
    fn default() -> Self {
        Self {
            profiles: Shared::new(KINDS),
            builds: Shared::new(KINDS),
            images: Shared::new(KINDS),
            own: Shared::new(KINDS),
        }
    }
}

impl Fleet {
    /// Returns an image as it is kept beside offers: mostly it is the one that the device was
    /// offered before.
    pub(super) fn image(&self, record: &Record, entry: &Entry) -> Arc<OfferedImage> {
        let content = Content::of(&entry.sha256);
        let mut offers = record.history.iter().flat_map(|history| &history.offers);
        let known = offers.find(|offer| {
            offer.image.content == content && *offer.image.file == *entry.file.as_str()
        });
        if let Some(known) = known {
            return Arc::clone(&known.image);
        }
        let app = entry.app.as_deref();
        self.commons().images.take(OfferedImage {
            file: entry.file.as_str().into(),
            version: entry.version.as_str().into(),
            inside: app.map(|app| kept(&app.version).into()),
            elf_sha256: app.and_then(|app| app.elf_sha256),
            content,
        })
    }

    pub(super) fn own_model(&self, named: &str, files: &str) -> Arc<OwnModel> {
        let [named, files] = [named, files].map(|name| kept(name).into());
        self.commons().own.take(OwnModel { named, files })
    }
}
