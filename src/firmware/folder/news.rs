//! What the log is told of the folder's files, once the snapshot shows it: who reads
//! that an image is ready, or withdrawn, may ask for it at once.

use super::super::snapshot::Entry;
use std::path::PathBuf;
use std::sync::Arc;
use tracing::{error, info, warn};
use xiaozhi_device::hex::encode;
use xiaozhi_device::image::Foreign;
use xiaozhi_device::project::Projects;

/// The room that an operator looks for.
pub(super) const LOG: &str = "xiaozhi_ota::firmware::catalogue";

/// Something that waits to be true.
#[derive(Debug)]
pub(super) enum News {
    /// An image is offered.
    Ready {
        entry: Arc<Entry>,
        foreign: Option<Foreign>,
        /// Another file of its model whose version has the same rank.
        twin: Option<Arc<Entry>>,
    },
    /// An image is no longer offered, for this reason.
    Withdrawn {
        entry: Arc<Entry>,
        why: &'static str,
    },
    /// A file is not used, for this reason.
    Unused { file: String, why: String },
    /// A file is not whole yet, as far as anybody knows.
    Waits { file: String },
    /// The folder cannot be read.
    FolderFailed {
        dir: PathBuf,
        error: String,
        consequence: &'static str,
    },
    /// The last file of a model went long ago, and there is one for everybody.
    ModelGone { model: String },
}

/// Text about a file that is waited for.
pub(super) const WAITS: &str = "is being written, or appeared just now: offered when it is whole";

impl News {
    pub(super) fn tell(&self, projects: &Projects) {
        match self {
            Self::Ready {
                entry,
                foreign,
                twin,
            } => {
                announce(entry, *foreign, projects);
                if let Some(twin) = twin {
                    warn!(target: LOG, file = %entry.file, other = %twin.file,
                        "two files of one model have versions of the same rank: the first by name is offered, delete one"
                    );
                }
            }
            Self::Withdrawn { entry, why } => {
                info!(target: LOG, file = %entry.file, version = %entry.version, "image {why}");
            }
            Self::Unused { file, why } => warn!(target: LOG, ?file, "file not used: {why}"),
            Self::Waits { file } => info!(target: LOG, ?file, "file {WAITS}"),
            Self::FolderFailed {
                dir,
                error,
                consequence,
            } => {
                error!(target: LOG, dir = %dir.display(), %error, "the firmware folder cannot be read: {consequence}");
            }
            Self::ModelGone { model } => {
                warn!(target: LOG, %model, "no file of this model is left: its devices may be offered default_*.bin now");
            }
        }
    }
}

fn announce(entry: &Entry, foreign: Option<Foreign>, projects: &Projects) {
    let (file, model, version) = (&entry.file, &entry.model, &entry.version);
    let (bytes, sha256) = (entry.size(), encode(&entry.sha256));
    if let Some(app) = &entry.app {
        info!(target: LOG, %file, %model, %version, chip = %app.chip, project = ?app.project, bytes, %sha256,
            "image ready"
        );
        for remark in app.remarks(Some(version), projects) {
            warn!(target: LOG, %file, "{remark}");
        }
    } else {
        info!(target: LOG, %file, %model, %version, bytes, %sha256, "image ready");
    }
    if let Some(foreign) = foreign {
        warn!(target: LOG, %file, "{}", foreign.offered());
    }
}
