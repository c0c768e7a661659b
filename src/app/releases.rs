//! Releases: what the page puts into the firmware folder and takes out of it, by the code of
//! the commands.

mod plan;
mod shut;

use super::fleet::Known;
use super::publishing::{effect, models};
use crate::admin::{Done, FileView, Leaving, Orderer, Plan, ReleaseSource, Said, Undone, Wish};
use crate::config::Settings;
use crate::event::kinds::DRAFT_UNWRITTEN;
use crate::event::text::Text;
use crate::event::{Event, event, tell};
use crate::firmware::catalogue::Catalogue;
use crate::firmware::drafts::{Draft, Drafts, Upload};
use crate::firmware::notes::{self, Notes};
use crate::firmware::prune::removal::Single;
use crate::firmware::publish::{PublishError, Published, Source};
use crate::firmware::signing::{self, ModelImage};
use crate::firmware::snapshot::{ServedFile, Snapshot};
use crate::firmware::store::{ImageContent, Store};
use crate::firmware::{homes, name};
use crate::fleet::orders::{self, ActKind, Noted};
use crate::fleet::state_folder::StateFolder;
use crate::fleet::{Content, Departure};
use crate::util::durable::Durability;
use crate::util::paths::absolute;
use crate::util::supervise::{Supervisor, blocking};
use crate::util::way;
use arc_swap::ArcSwap;
use plan::{Planner, tag_of};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use tokio::time::{MissedTickBehavior, interval};
use xiaozhi_device::version::Version;

/// Time for which a change of the folder is waited for, so that whoever made it sees it.
const SEEN: Duration = Duration::from_secs(2);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Time between two looks for drafts that have waited for too long.
const EXPIRY: Duration = Duration::from_secs(60);

/// Removes the drafts that have waited for too long.
pub(super) fn keep(supervisor: &Supervisor, releases: &Releases) {
    let Some(drafts) = releases.drafts.clone() else {
        return;
    };
    let kept = supervisor.clone();
    tokio::spawn(async move {
        let expire = || expire(&drafts);
        kept.task(
            Text::new("清理待发布的文件", "the removal of old drafts"),
            expire,
        )
        .await;
    });
}

async fn expire(drafts: &Arc<Drafts>) {
    let mut every = interval(EXPIRY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let drafts = Arc::clone(drafts);
        blocking(move || drafts.expire(SystemTime::now())).await;
    }
}

/// Parts of this server that releases need.
pub(super) struct Releases {
    known: Known,
    catalogue: Arc<Catalogue>,
    store: Arc<Store>,
    /// `None` where the state folder is not this server's.
    drafts: Option<Arc<Drafts>>,
    /// Settings that hold now.
    running: Arc<ArcSwap<Settings>>,
}

impl Releases {
    /// Begins without drafts.
    pub(super) fn new(
        known: &Known,
        catalogue: &Arc<Catalogue>,
        store: &Arc<Store>,
        state: Option<&StateFolder>,
        running: &Arc<ArcSwap<Settings>>,
    ) -> Self {
        Self {
            known: known.clone(),
            catalogue: Arc::clone(catalogue),
            store: Arc::clone(store),
            drafts: state.map(|state| Arc::new(Drafts::open(state.path()))),
            running: Arc::clone(running),
        }
    }

    fn no_state(&self) -> Event {
        event!(READY_NO_STATE, dir = absolute(&self.running.load().state))
    }

    /// Waits until the catalogue has seen a change, for a moment.
    fn see(&self, is_seen: impl Fn(&Snapshot) -> bool) {
        self.catalogue.look_again();
        let begun = Instant::now();
        while !is_seen(&self.catalogue.snapshot()) && begun.elapsed() < SEEN {
            thread::sleep(LOOK);
        }
    }

    /// Writes an act down.
    fn note(
        &self,
        kind: ActKind,
        file: (&str, Option<&[u8; 32]>),
        by: Orderer<'_>,
    ) -> Result<Noted, Undone> {
        let (file, sha256) = file;
        let content = sha256.map(|sha256| Content::of(sha256).0);
        let from = by.from.to_string();
        let orders = &self.known.orders;
        let noted = orders.note_file(kind, (file, content), by.name, &from, by.now);
        noted.map_err(|error| Undone::Unwritten(event_of(&error)))
    }

    /// Takes an act back that was written down and not done.
    fn take_back(&self, noted: &Noted) {
        if let Err(error) = self.known.orders.take_back(noted) {
            tell!(ORDERS_STAND, error = event_of(&error));
        }
    }
}

/// Returns the event that an error of the orders is.
pub(super) fn event_of(error: &io::Error) -> Event {
    let inner = error.get_ref();
    let event = inner.and_then(|inner| inner.downcast_ref::<Event>());
    event
        .cloned()
        .unwrap_or_else(|| event!(ORDERS_UNWRITTEN, file = orders::NAME, error = error))
}

fn undone(error: &PublishError) -> Undone {
    let why = error.by_name();
    match error {
        PublishError::Folder { .. } => Undone::Unwritten(why),
        _ => Undone::Refused(why),
    }
}

/// Returns what is to be said of a file's place on the disk, and of its rights.
fn warning(kept: Durability, path: &Path) -> Option<Event> {
    match kept {
        Durability::Unsynced(reason) => Some(event!(PUBLISH_UNSYNCED, reason = &reason)),
        Durability::Synced => way::shut_to_others(path).into_iter().next(),
    }
}

impl ReleaseSource for Releases {
    fn folder(&self) -> String {
        let dir = absolute(&self.running.load().catalogue.dir);
        dir.display().to_string()
    }

    fn shut(&self) -> Option<Event> {
        shut::folder(&self.running.load().catalogue.dir)
    }

    fn takes_none(&self) -> Option<Event> {
        if self.drafts.is_none() {
            return Some(self.no_state());
        }
        self.shut()
    }

    fn said(&self, files: &[FileView]) -> Vec<Said> {
        let settings = &self.running.load().catalogue;
        let mut of_models = HashMap::<&str, Vec<ModelImage<'_>>>::new();
        for entry in files.iter().filter_map(|file| file.entry.as_deref()) {
            let images = of_models.entry(&entry.model).or_default();
            images.extend(ModelImage::of(entry));
        }
        let changes = of_models
            .into_iter()
            .flat_map(|(model, images)| signing::changes(model, images));
        let mut changes: HashMap<_, _> = changes
            .filter_map(|(file, change)| Some((file, change?)))
            .collect();
        let said = files.iter().map(|file| {
            let mut said = Said::default();
            if file.entry.as_ref().is_some_and(|entry| entry.app.is_none()) {
                said.warnings.push(event!(PAGE_NO_ESP));
            }
            if let Some(entry) = &file.entry
                && let Some(app) = &entry.app
            {
                let remarks = app.remarks(Some(&entry.version), &settings.projects);
                said.warnings.extend(remarks.iter().map(Event::from));
                said.warnings.extend(homes::remark(app, settings));
                said.warnings.extend(changes.remove(&*file.file));
            }
            let notes = Notes::beside(&settings.dir.join(&file.file));
            said.notes = notes.map(|notes| match notes {
                Ok(notes) => Ok(notes.text().to_owned()),
                Err(error) => Err(Event::from(&error)),
            });
            said
        });
        said.collect()
    }

    fn drafts(&self, now: SystemTime) -> Vec<Draft> {
        let drafts = self.drafts.as_ref();
        drafts.map_or_else(Vec::new, |drafts| drafts.list(now))
    }

    fn begin(&self, name: &str, length: Option<u64>, now: SystemTime) -> Result<Upload, Undone> {
        let Some(drafts) = &self.drafts else {
            return Err(Undone::Unwritten(self.no_state()));
        };
        // Sixteen megabytes would come in vain.
        if let Some(shut) = self.shut() {
            return Err(Undone::Unwritten(shut));
        }
        drafts.begin(name, length, now).map_err(|why| {
            if why.kind.id == DRAFT_UNWRITTEN.id {
                Undone::Unwritten(why)
            } else {
                Undone::Refused(why)
            }
        })
    }

    fn plan(&self, id: &str, wish: &Wish, now: SystemTime) -> Option<Plan> {
        let drafts = self.drafts.as_ref()?;
        let draft = drafts.find(id, now)?;
        let (settings, snapshot) = (self.running.load(), self.catalogue.snapshot());
        let spare = drafts.spare(&settings.catalogue.dir);
        let planner = Planner::new(&settings, &self.known.fleet, &snapshot, spare);
        Some(planner.plan(draft, wish))
    }

    fn publish(&self, id: &str, wish: &Wish, by: Orderer<'_>) -> Result<Done, Undone> {
        let gone = || Undone::Gone(event!(DRAFT_GONE));
        let drafts = self.drafts.as_ref().ok_or_else(gone)?;
        let draft = drafts.find(id, by.now).ok_or_else(gone)?;
        if let Some(shut) = self.shut() {
            return Err(Undone::Unwritten(shut));
        }
        let settings = self.running.load();
        let snapshot = self.catalogue.snapshot().clone();
        let dir = &settings.catalogue.dir;
        let spare = drafts.spare(dir);
        let planner = Planner::new(&settings, &self.known.fleet, &snapshot, spare);
        let read = || {
            let source = Source::read(&draft.path, &settings.catalogue, false, false)?;
            let (_, target) = planner.target(&source, &draft, wish)?;
            // What was not shown is not replaced.
            let is_it = wish.over.is_some() && tag_of(&target.path) == wish.over;
            let replaces = wish.replaces && is_it;
            source.check_name(&target, replaces)?;
            // From here on nothing takes room.
            let source = source.staged(dir)?;
            way::to_keep(dir, 0, spare).map_err(|reason| PublishError::Folder {
                dir: dir.clone(),
                reason,
            })?;
            Ok((source, target, replaces))
        };
        let (source, target, replaces) = read().map_err(|error| undone(&error))?;
        let (file, sha256) = (target.file(), source.inspection.sha256);
        let version = Version::new(&target.version);
        let (effect, lower) = effect(&settings, &models(dir), (&target.model, &version), &source);
        let noted = self.note(ActKind::Publish, (&file, Some(&sha256)), by)?;
        let published = source.publish(&target, None, replaces);
        let Published { kept, .. } = published.map_err(|error| {
            self.take_back(&noted);
            undone(&error)
        })?;
        drafts.remove(id);
        self.see(|snapshot| {
            let served = snapshot.file(&file);
            served.is_some_and(|served| served.sha256 == sha256) || snapshot.unused(&file).is_some()
        });
        let warning = warning(kept, &target.path);
        let said = match self.catalogue.snapshot().unused(&file) {
            Some(why) => event!(PAGE_UNOFFERED, file = &file, why = why, warning = warning),
            None => event!(
                PAGE_PUBLISHED,
                file = &file,
                effect = effect.foretold(),
                lower = lower,
                warning = warning
            ),
        };
        Ok(Done { file, said })
    }

    fn throw_away(&self, id: &str, now: SystemTime) -> Option<String> {
        let drafts = self.drafts.as_ref()?;
        let draft = drafts.find(id, now)?;
        drafts.remove(id).then(|| draft.name().to_owned())
    }

    fn leaving(&self, file: &str) -> Option<Leaving> {
        let snapshot = self.catalogue.snapshot();
        let settings = self.running.load();
        let path = settings.catalogue.dir.join(file);
        if !is_known(&snapshot, file) {
            return None;
        }
        let entry = snapshot.entries().find(|entry| entry.file == file);
        let pin = name::parse(file).ok().and_then(|name| {
            let pin = settings.policy.pin(&name.model)?;
            let is_it = *pin == Version::new(name.version.as_str());
            is_it.then(|| event!(REMOVE_PINNED, model = name.model, pin = pin.as_str()))
        });
        let departure = entry.map_or_else(Departure::default, |entry| {
            let planner = Planner::new(&settings, &self.known.fleet, &snapshot, 0);
            planner
                .crowd()
                .departure(&snapshot, &settings.policy, entry)
        });
        let single = Single::find(&settings.catalogue.dir, file);
        // What is said is said of what the catalogue has, which the folder may not have any more.
        let shown = match (snapshot.file(file), &single) {
            (Some(served), _) => served.identity.tag(),
            (None, Ok(single)) => single.tag(),
            (None, Err(_)) => String::new(),
        };
        let hindrance = self.shut().or_else(|| {
            let no_orders = self.drafts.is_none().then(|| self.no_state());
            no_orders.or_else(|| single.err())
        });
        let notes = notes::find(&path);
        let notes = notes.as_deref().and_then(Path::file_name);
        Some(Leaving {
            hindrance,
            shown,
            model: entry.map(|entry| entry.model.clone()),
            departure,
            pin,
            notes: notes.map(|name| name.to_string_lossy().into_owned()),
        })
    }

    fn delete(&self, file: &str, shown: &str, by: Orderer<'_>) -> Result<Done, Undone> {
        let snapshot = self.catalogue.snapshot().clone();
        if !is_known(&snapshot, file) {
            return Err(Undone::Gone(event!(REMOVE_GONE)));
        }
        if self.drafts.is_none() {
            return Err(Undone::Unwritten(self.no_state()));
        }
        if let Some(shut) = self.shut() {
            return Err(Undone::Unwritten(shut));
        }
        let dir = &self.running.load().catalogue.dir;
        let single = Single::find(dir, file).map_err(Undone::Refused)?;
        let sha256 = snapshot.file(file).map(|served| served.sha256);
        if single.tag() != shown {
            return Err(Undone::Refused(event!(REMOVE_CHANGED)));
        }
        let noted = self.note(ActKind::Delete, (file, sha256.as_ref()), by)?;
        let kept = single.remove().map_err(|why| {
            self.take_back(&noted);
            Undone::Unwritten(why)
        })?;
        self.see(|snapshot| !is_known(snapshot, file));
        let warning = match kept {
            Durability::Unsynced(reason) => Some(event!(REMOVE_UNSYNCED, reason = &reason)),
            Durability::Synced => None,
        };
        let file = file.to_owned();
        let said = event!(PAGE_DELETED, file = &file, warning = warning);
        Ok(Done { file, said })
    }

    fn open(&self, file: &str) -> Option<io::Result<(Arc<ServedFile>, ImageContent)>> {
        let served = self.catalogue.snapshot().file(file).cloned()?;
        let content = match self.store.hot(&served) {
            Some(content) => Ok(content),
            None => self.store.open(&served),
        };
        Some(content.map(|content| (served, content)))
    }
}

/// Tells whether the catalogue has a file of this name, whatever it is.
fn is_known(snapshot: &Snapshot, file: &str) -> bool {
    snapshot.file(file).is_some() || snapshot.is_unread(file) || snapshot.unused(file).is_some()
}
