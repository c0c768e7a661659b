//! The kernel's word on the firmware folder: who is still writing what.

use super::FolderSettings;
use crate::util::file_state::FileState;
use crate::util::supervise;
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::path::{self, Path};
use std::sync::mpsc::Sender;
use tracing::error;

/// What happened in the folder, or what somebody asks of its keeper.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A file came into being; its writer may not have begun.
    Created(String),
    /// Bytes were written or cut: a writer has it open.
    Written(String),
    /// A writer closed it, or it was moved here whole.
    Whole(String),
    /// Deleted, moved away, or its permissions changed.
    Other(String),
    /// The folder itself was deleted or moved away, and the watch with it.
    FolderGone,
    /// Somebody asks: look again.
    LookAgain,
    /// Other settings hold from now on, in the same folder.
    Settings(FolderSettings),
    /// Events were lost: what is known of writers is void.
    Lost,
    /// The catalogue is gone; so is its keeper.
    End,
}

/// A watch on one folder, until it is dropped.
pub(super) struct Watch {
    _watcher: RecommendedWatcher,
    /// The folder's inode: one that is made anew needs a new watch.
    pub(super) inode: (u64, u64),
}

impl Watch {
    pub(super) fn new(dir: &Path, changes: Sender<Change>) -> notify::Result<Self> {
        let inode = FileState::from(&dir.metadata()?).inode;
        // notify names absolute paths, whatever it was given.
        let folder = path::absolute(dir)?;
        let to_watch = folder.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Its thread is not ours to begin again, and must not end.
            let translated = match event {
                Ok(event) => supervise::caught(|| translate(&event, &folder)).unwrap_or_else(|broken| {
                    error!("what reads the kernel's word on the firmware folder broke, and the folder is looked at anew; please report it: {broken}");
                    vec![Change::Lost]
                }),
                Err(_) => vec![Change::Lost],
            };
            for change in translated {
                // A closed channel: the keeper has ended, and we with it.
                let _ = changes.send(change);
            }
        })?;
        watcher.watch(&to_watch, RecursiveMode::NonRecursive)?;
        Ok(Self {
            _watcher: watcher,
            inode,
        })
    }
}

fn translate(event: &Event, folder: &Path) -> Vec<Change> {
    if event.need_rescan() {
        return vec![Change::Lost];
    }
    let of_folder = event.paths.iter().any(|path| path == folder);
    if of_folder
        && matches!(
            event.kind,
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
        )
    {
        return vec![Change::FolderGone];
    }
    let make: fn(String) -> Change = match event.kind {
        EventKind::Create(CreateKind::File | CreateKind::Any | CreateKind::Other) => {
            Change::Created
        }
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => Change::Written,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Change::Whole,
        // Of one rename inside the folder the second path is the new name.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => {
            let mut names = event.paths.iter().filter_map(|p| file_name(p));
            let from = names.next().map(Change::Other);
            let to = names.next().map(Change::Whole);
            return from.into_iter().chain(to).collect();
        }
        EventKind::Modify(ModifyKind::Name(_) | ModifyKind::Metadata(_) | ModifyKind::Other)
        | EventKind::Create(CreateKind::Folder)
        | EventKind::Remove(_) => Change::Other,
        // Reading, ours above all, is no change.
        EventKind::Access(_) | EventKind::Any | EventKind::Other => return Vec::new(),
    };
    event
        .paths
        .iter()
        .filter_map(|p| file_name(p))
        .map(make)
        .collect()
}

fn file_name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{DataChange, RemoveKind};

    fn translated(kind: EventKind, files: &[&str]) -> Vec<Change> {
        let folder = Path::new("/f");
        let event = files
            .iter()
            .fold(Event::new(kind), |e, f| e.add_path(folder.join(f)));
        translate(&event, folder)
    }

    #[test]
    fn a_file_is_whole_once_its_writer_closes_it_or_it_is_moved_here() {
        let whole = || [Change::Whole("a".into())];
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let name = |mode| EventKind::Modify(ModifyKind::Name(mode));
        assert_eq!(translated(closed, &["a"]), whole());
        assert_eq!(translated(name(RenameMode::To), &["a"]), whole());
        let both = translated(name(RenameMode::Both), &["b", "a"]);
        let [from, to] = ["b", "a"].map(String::from);
        assert_eq!(both, [Change::Other(from), Change::Whole(to)]);
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert_eq!(translated(written, &["a"]), [Change::Written("a".into())]);
        let read = EventKind::Access(AccessKind::Close(AccessMode::Read));
        assert_eq!(translated(read, &["a"]), []);
        let gone = EventKind::Remove(RemoveKind::Folder);
        assert_eq!(translated(gone, &[""]), [Change::FolderGone]);
    }
}
