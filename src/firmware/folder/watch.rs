//! The kernel's word on the firmware folder: who is still writing what.

use crate::event::tell;
use crate::util::file_state::FileState;
use crate::util::supervise;
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::path::{self, Path};

/// Something that happened in the folder.
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
    /// The folder's own permissions changed.
    Folder,
    /// The folder itself was deleted or moved away, and the watch with it.
    FolderGone,
    /// Events were lost: what is known of writers is void.
    Lost,
}

/// A watch on one folder, until it is dropped.
pub(super) struct Watch {
    _watcher: RecommendedWatcher,
    /// Tells what it hears from what the watch before it heard, which may have been
    /// another folder.
    pub(super) id: u64,
    /// The folder's inode: one that is made anew needs a new watch.
    pub(super) inode: (u64, u64),
}

impl Watch {
    pub(super) fn new(
        dir: &Path,
        id: u64,
        tell: impl Fn(Change) + Send + 'static,
    ) -> notify::Result<Self> {
        let inode = FileState::from(&dir.metadata()?).inode;
        // notify names absolute paths, whatever it was given.
        let folder = path::absolute(dir)?;
        let to_watch = folder.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Its thread is not ours to begin again, and must not end.
            let translated = match event {
                Ok(event) => {
                    supervise::caught(|| translate(&event, &folder)).unwrap_or_else(|broken| {
                        tell!(FOLDER_WATCH_BROKE, error = broken.to_string());
                        vec![Change::Lost]
                    })
                }
                Err(_) => vec![Change::Lost],
            };
            translated.into_iter().for_each(&tell);
        })?;
        // Where its thread could not be started nobody says so, and what comes next would
        // panic. This asks the thread, and fails without one; so does its end, which must
        // not come in the middle of another panic.
        if let Err(error) = watcher.configure(Config::default()) {
            drop(supervise::caught(|| drop(watcher)));
            return Err(error);
        }
        watcher.watch(&to_watch, RecursiveMode::NonRecursive)?;
        Ok(Self {
            _watcher: watcher,
            id,
            inode,
        })
    }
}

fn translate(event: &Event, folder: &Path) -> Vec<Change> {
    if event.need_rescan() {
        return vec![Change::Lost];
    }
    if event.paths.iter().any(|path| path == folder) {
        return match event.kind {
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
                vec![Change::FolderGone]
            }
            EventKind::Modify(_) => vec![Change::Folder],
            _ => Vec::new(),
        };
    }
    let make: fn(String) -> Change = match event.kind {
        EventKind::Create(CreateKind::File | CreateKind::Any | CreateKind::Other) => {
            Change::Created
        }
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => Change::Written,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Change::Whole,
        // Reading, ours above all, is no change, and both ends of a rename are told one
        // by one, too.
        EventKind::Access(_)
        | EventKind::Any
        | EventKind::Other
        | EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return Vec::new(),
        EventKind::Modify(ModifyKind::Name(_) | ModifyKind::Metadata(_) | ModifyKind::Other)
        | EventKind::Create(CreateKind::Folder)
        | EventKind::Remove(_) => Change::Other,
    };
    event
        .paths
        .iter()
        .filter_map(|p| file_name(p))
        .map(make)
        .collect()
}

/// Names that begin with a dot are nobody's business: see [`super::scan::list`].
fn file_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy();
    (!name.starts_with('.')).then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{DataChange, MetadataKind, RemoveKind};

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
        assert_eq!(
            translated(name(RenameMode::From), &["b"]),
            [Change::Other("b".into())]
        );
        // Both are told beforehand, one by one.
        assert_eq!(translated(name(RenameMode::Both), &["b", "a"]), []);
        // From a hidden name to one that is not.
        assert_eq!(translated(name(RenameMode::From), &[".b"]), []);
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert_eq!(translated(written, &["a"]), [Change::Written("a".into())]);
        let read = EventKind::Access(AccessKind::Close(AccessMode::Read));
        assert_eq!(translated(read, &["a"]), []);
        let gone = EventKind::Remove(RemoveKind::Folder);
        assert_eq!(translated(gone, &[""]), [Change::FolderGone]);
        let shut = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
        assert_eq!(translated(shut, &[""]), [Change::Folder]);
    }
}
