//! The reading of files, on a thread of its own: while one is read, which may take
//! long, the keeper goes on hearing what happens to the others.

use super::super::{FolderSettings, command, notes};
use super::judge::{self, Listed, Use};
use super::kind::{self, Folders};
use super::scan::{self, Found, Listing};
use super::state::{Hope, ReadResult};
use super::unusable::Unusable;
use crate::event::text::Text;
use crate::util::file_state::FileState;
use crate::util::paths::absolute;
use crate::util::supervise;
use crate::util::threads::NoThread;
use nix::errno::Errno;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::thread;
use xiaozhi_device::image::Verdict;
use xiaozhi_device::version::Version;

/// A file to be read.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) path: PathBuf,
    pub(super) file: String,
    pub(super) listed: Listed,
    /// The state in which it counts.
    pub(super) state: FileState,
    /// The rules by which it is judged.
    pub(super) settings: FolderSettings,
}

/// A file that was read, or could not be.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) job: Job,
    pub(super) judged: Result<Use, Unusable>,
    pub(super) found: ReadResult,
    /// Name of the file with its release notes.
    pub(super) notes: Option<String>,
    /// Command that makes a firmware of what is none as it lies there.
    pub(super) command: Option<String>,
}

impl Job {
    /// Reads the file and judges it.
    pub(super) fn run(self) -> Done {
        // The keeper waits for it, whatever happens.
        let read = supervise::caught(|| self.read()).unwrap_or_else(|broken| {
            let why = broken.to_string();
            Err((Unusable::Breaks { why }, Hope::None))
        });
        let (judged, found) = match read {
            Ok(use_of_it) => (Ok(use_of_it), ReadResult::Good),
            Err((Unusable::Changed, _)) => {
                let now = fs::metadata(&self.path).map(|m| FileState::from(&m)).ok();
                (Err(Unusable::Changed), ReadResult::Changed { now })
            }
            Err((why, hope)) => (Err(why), ReadResult::Bad(hope)),
        };
        let notes = judged.is_ok().then(|| notes::find(&self.path)).flatten();
        let notes = notes.and_then(|path| path.file_name()?.to_str().map(str::to_owned));
        let command = self.mending(&judged).map(command::from_anywhere);
        Done {
            job: self,
            judged,
            found,
            notes,
            command,
        }
    }

    fn mending(&self, judged: &Result<Use, Unusable>) -> Option<String> {
        let (path, config) = (absolute(&self.path), self.settings.config.as_deref());
        match judged {
            Err(why) => command::mending(why, &path, config),
            Ok(Use::Offered(_, inspection)) => match inspection.verdict {
                Verdict::Foreign(foreign) => command::mending_foreign(foreign, &path, config),
                Verdict::App(_) | Verdict::Rejected(_) => None,
            },
            Ok(Use::Served(..)) => None,
        }
    }

    fn read(&self) -> Result<Use, (Unusable, Hope)> {
        let mut file = scan::open(&self.path).map_err(|e| {
            if is_our_own(&e) {
                (Unusable::Changed, Hope::Open)
            } else {
                (kind::unreadable(&self.path, &e), Hope::Open)
            }
        })?;
        let inspection = scan::inspect(&mut file, &self.state).map_err(|why| {
            let hope = match why {
                Unusable::Unreadable { .. } => Hope::Disk,
                _ => Hope::None,
            };
            (why, hope)
        })?;
        let is_taken = |name: &str| fs::symlink_metadata(self.path.with_file_name(name)).is_ok();
        judge::use_of(&self.listed, inspection, &self.settings, is_taken)
            .map_err(|why| (why, Hope::None))
    }
}

/// A file of the folder as it is found by whoever looks once.
#[derive(Debug)]
pub(in crate::firmware) struct Looked {
    /// The file's name, as far as it is text.
    pub(in crate::firmware) file: String,
    /// Use of it by a server, or the reason why it has none.
    pub(in crate::firmware) judged: Result<Use, Unusable>,
    /// State in which it was read.
    pub(in crate::firmware) state: Option<FileState>,
}

/// Reads every file of the folder, and judges it as a server does.
pub(in crate::firmware) fn look_through(settings: &FolderSettings) -> io::Result<Vec<Looked>> {
    let Listing {
        found, unusable, ..
    } = scan::list(&settings.dir, &mut Folders::default())?;
    let unusable = unusable.into_iter().map(|(file, why)| Looked {
        file,
        judged: Err(why),
        state: None,
    });
    let read = found.into_iter().map(|found| look_at(settings, found));
    Ok(unusable.chain(read).collect())
}

/// Reads a file of the folder, and judges it as a server does.
pub(super) fn look_at(settings: &FolderSettings, found: Found) -> Looked {
    let job = Job {
        path: settings.dir.join(&found.file),
        file: found.file,
        listed: found.listed,
        state: found.identity,
        settings: settings.clone(),
    };
    let Done { job, judged, .. } = job.run();
    Looked {
        file: job.file,
        judged,
        state: Some(job.state),
    }
}

/// Tells whether the folder still shows what was looked through.
pub(in crate::firmware) fn is_still(dir: &Path, looked: &[Looked]) -> bool {
    let Ok(now) = scan::list(dir, &mut Folders::default()) else {
        return false;
    };
    let now: HashMap<_, _> = now
        .found
        .iter()
        .map(|found| (&*found.file, found.identity))
        .collect();
    let then = looked
        .iter()
        .filter_map(|looked| Some((&*looked.file, looked.state?)));
    now == then.collect()
}

/// Tells whether a file cannot be opened for a reason that lies in this process or
/// machine, and says nothing of the file.
pub(super) fn is_our_own(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| {
        matches!(
            Errno::from_raw(code),
            Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM
        )
    })
}

/// Starts the thread, which ends with the sender that is returned, or when nobody
/// listens to it any more.
pub(super) fn start(tell: impl Fn(Done) -> bool + Send + 'static) -> Result<Sender<Job>, NoThread> {
    let (jobs, inbox) = mpsc::channel::<Job>();
    let part = Text::new("读取固件文件", "what reads firmware files");
    thread::Builder::new()
        .name("reader".into())
        .spawn(move || {
            supervise::thread(part, || {
                for job in &inbox {
                    if !tell(job.run()) {
                        return;
                    }
                }
            });
        })
        .map_err(|error| NoThread { part, error })?;
    Ok(jobs)
}

/// The order in which files are read, the next one last: each model's highest
/// version first, then each one's second. Of these the small ones come first, so that
/// as many devices as possible wait for as short as possible. What has no model comes last.
pub(super) fn order(mut due: Vec<QueuedFile>) -> Vec<QueuedFile> {
    due.sort_by(|a, b| {
        (a.again.cmp(&b.again))
            .then_with(|| b.version().cmp(&a.version()))
            .then_with(|| a.file.cmp(&b.file))
    });
    let mut ranks = HashMap::<String, usize>::new();
    let mut ranked: Vec<_> = due
        .into_iter()
        .map(|queued| {
            let Ok(name) = &queued.listed.name else {
                return (usize::MAX, queued);
            };
            let rank = ranks.entry(name.model.clone()).or_default();
            *rank += 1;
            (*rank, queued)
        })
        .collect();
    // Stable: what is equal stays in the order from above.
    ranked.sort_by_key(|(rank, queued)| (queued.again, *rank, queued.size));
    ranked.reverse();
    ranked.into_iter().map(|(_, queued)| queued).collect()
}

/// A file that waits to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueuedFile {
    pub(super) file: String,
    pub(super) listed: Listed,
    pub(super) size: u64,
    /// It is offered, and only to be looked into again.
    pub(super) again: bool,
}

impl QueuedFile {
    fn version(&self) -> Option<&Version> {
        let name = self.listed.name.as_ref().ok()?;
        Some(&name.version)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::name;
    use super::*;

    #[test]
    fn each_models_highest_first_and_the_small_ones_before_the_large() {
        let queued = |file: &str, size, again| QueuedFile {
            file: file.into(),
            listed: Listed {
                name: name::parse(file).map_err(|_| Unusable::Changed),
                target: None,
            },
            size,
            again,
        };
        let due = vec![
            queued("a_1.9.bin", 10, false),
            queued("a_1.10.bin", 900, false),
            queued("b_3.0.bin", 100, false),
            queued("b_4.0.bin", 200, false),
            queued("c_9.0.bin", 1, true),
            queued("default_0.1.bin", 50, false),
            queued("assets.bin", 2, false),
        ];
        let mut order: Vec<_> = order(due).into_iter().map(|q| q.file).collect();
        order.reverse();
        assert_eq!(
            order,
            [
                "default_0.1.bin",
                "b_4.0.bin",
                "a_1.10.bin",
                "a_1.9.bin",
                "b_3.0.bin",
                "assets.bin",
                "c_9.0.bin",
            ]
        );
    }
}
