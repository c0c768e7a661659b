//! Decides what becomes of a file that was read: it is offered, given for download and
//! offered to nobody, or refused.

use super::super::name::ImageName;
use super::super::snapshot::Entry;
use super::super::{FolderSettings, Verify};
use super::unusable::{Unusable, image_offerable, offerable};
use std::fs;
use std::path::Path;
use xiaozhi_device::image::{Inspection, Verdict};

/// Name and place of a file, as a look at the folder shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::firmware) struct Listed {
    /// Its model and version, or the reason why its name has none.
    pub(in crate::firmware) name: Result<ImageName, Unusable>,
    /// Place to which it leads, where that is outside of the folder.
    pub(in crate::firmware) target: Option<String>,
}

/// Use of a file that was read.
#[derive(Debug)]
pub(in crate::firmware) enum Use {
    /// It is offered as what its name says.
    Offered(ImageName, Inspection),
    /// It can be fetched, and is offered to nobody. An image has a reason for that.
    Served(Option<Unusable>, Inspection),
}

/// Decides what becomes of a file. Whoever knows a name can fetch what is not refused, so
/// what may hold secrets is: parts of a flash chip, and all but images behind a link that
/// leads elsewhere, for there it may be anything that this process can read.
pub(super) fn use_of(
    listed: &Listed,
    inspection: Inspection,
    settings: &FolderSettings,
    is_taken: impl Fn(&str) -> bool,
) -> Result<Use, Unusable> {
    let verdict = &inspection.verdict;
    let is_data = matches!(verdict, Verdict::Foreign(foreign) if foreign.is_data());
    if let (Verdict::Foreign(foreign), Some(target)) = (verdict, &listed.target) {
        return Err(Unusable::LeadsOut {
            target: target.clone(),
            foreign: *foreign,
        });
    }
    if is_data {
        return Ok(Use::Served(None, inspection));
    }
    match &listed.name {
        Ok(name) => {
            offerable(verdict, settings)?;
            Ok(Use::Offered(name.clone(), inspection))
        }
        Err(why) => match (verdict, why) {
            (Verdict::App(app), Unusable::Name(misnamed)) => {
                let misnamed = misnamed.clone().of_image(&app.version, is_taken);
                if misnamed.can_be_fetched() {
                    Ok(Use::Served(Some(misnamed.into()), inspection))
                } else {
                    Err(misnamed.into())
                }
            }
            // To give it a name would not help.
            (Verdict::Foreign(foreign), Unusable::Name(misnamed))
                if !foreign.is_named() || misnamed.says_enough(foreign) =>
            {
                Err(misnamed.clone().of_zip(foreign.is_zip()).into())
            }
            (Verdict::Foreign(foreign), _) => Err(Unusable::Other(*foreign)),
            (Verdict::Rejected(fault), _) => Err(fault.clone().into()),
            (Verdict::App(_), _) => Err(why.clone()),
        },
    }
}

/// Tells whether a file that is offered has to be judged again once these settings hold: they
/// may be against it.
pub(super) fn is_in_doubt(entry: &Entry, settings: &FolderSettings) -> bool {
    match &entry.app {
        None => settings.verify == Verify::Strict,
        Some(app) => image_offerable(app, settings).is_err(),
    }
}

/// Returns where a link in the firmware folder leads, if that is outside of it.
pub(crate) fn leads_out(path: &Path, dir: &Path) -> Option<String> {
    if !fs::symlink_metadata(path).ok()?.is_symlink() {
        return None;
    }
    let place = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let place = fs::canonicalize(place.unwrap_or(Path::new("."))).ok()?;
    if fs::canonicalize(dir).ok().as_ref() != Some(&place) {
        return None;
    }
    let target = fs::canonicalize(path);
    let inside = target
        .as_ref()
        .is_ok_and(|target| target.starts_with(&place));
    (!inside).then(|| target.map_or_else(|e| e.to_string(), |target| target.display().to_string()))
}
