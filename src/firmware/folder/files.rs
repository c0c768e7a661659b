//! All files of the folder: the state of each, what is offered of them, what waits to
//! be read, and what is to be said.

use super::super::FolderSettings;
use super::super::homes;
use super::super::name::near::NameIndex;
use super::super::name::{self, notes};
use super::super::signing::{self, ModelImage};
use super::super::snapshot::{Entry, ServedFile, Snapshot};
use super::file::File;
use super::judge::Use;
use super::news::{self, News};
use super::reader::{self, Done, QueuedFile};
use super::scan::Listing;
use super::state::{self, Action, FileEvent, Moment, Occasion, Since, State};
use super::unusable::Unusable;
use crate::event::{Event, Severity, event};
use crate::util::file_state::FileState;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{iter, mem};
use tracing::debug;
use xiaozhi_device::image::Verdict;

/// Time for which a model stays known after its last file went: who replaces a file by
/// `rm` and `cp` must not send its devices another board's firmware meanwhile.
const MODEL_GONE: Duration = Duration::from_secs(300);
/// Time for which events are gathered before a look: a copy comes with several.
pub(super) const GATHER: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct Files {
    known: HashMap<String, File>,
    /// The models of all files in the folder, usable or not, and when they were
    /// last seen there.
    models: HashMap<String, Moment>,
    /// The names of all files, as they were compared last, and ready for that.
    names: (Vec<String>, Arc<NameIndex>),
    /// Names of release notes whose image is not there.
    orphans: BTreeSet<String>,
    /// Models whose images are to be held against each other.
    uncompared: BTreeSet<String>,
    /// Files to be read, the next one last; `None` where they are to be put in order
    /// again.
    queue: Option<Vec<QueuedFile>>,
    /// Lines to be said once the snapshot shows what they say.
    pub(super) news: News,
    /// Tells that the snapshot is not what is known.
    pub(super) is_stale: bool,
    /// Moment of the next look at the folder that has a reason.
    pub(super) look_at: Option<Moment>,
}

impl Files {
    pub(super) fn look_by(&mut self, at: Moment) {
        self.look_at = Some(self.look_at.map_or(at, |before| before.min(at)));
    }

    /// Tells a file's state what happened, and returns what is left to be done.
    pub(super) fn apply(&mut self, name: &str, event: FileEvent, now: Moment) -> Action {
        let file = self.known.entry(name.to_owned()).or_default();
        let before = file.state;
        let (after, action) = state::step(before, event, now);
        file.state = after;
        self.is_stale |= before.is_unread() != after.is_unread();
        match action {
            Action::Look => self.look_by(now + GATHER),
            Action::Queue => self.queue = None,
            // What is not offered whatever is in it, a log that grows, is no news each time.
            Action::Wait if self.may_be_offered(name) => {
                self.say(name, event!(FILE_WAITING, file = name));
            }
            Action::Wait | Action::Nothing | Action::Offer | Action::Refuse => {}
        }
        action
    }

    fn may_be_offered(&self, name: &str) -> bool {
        let listed = self.known.get(name).and_then(|file| file.listed.as_ref());
        listed.is_none_or(|listed| listed.name.is_ok())
    }

    pub(super) fn apply_to_all(&mut self, event: FileEvent, now: Moment) {
        for name in self.names(|_| true) {
            self.apply(&name, event, now);
        }
    }

    /// Has files read again: what was refused, what is with the reader, and of what is
    /// offered what is `in_doubt`.
    pub(super) fn read_again(&mut self, in_doubt: impl Fn(&Entry) -> bool, now: Moment) {
        let again = |file: &File| match file.state {
            State::Offered {
                news: Since::Reading { .. },
                ..
            }
            | State::Refused { .. }
            | State::Reading { .. } => true,
            _ => file.entry.as_deref().is_some_and(&in_doubt),
        };
        let again = self.known.iter().filter(|(_, file)| again(file));
        let again: Vec<String> = again.map(|(name, _)| name.clone()).collect();
        for name in again {
            self.apply(&name, FileEvent::Again, now);
        }
    }

    /// The names of files in certain states.
    pub(super) fn names(&self, are: impl Fn(&State) -> bool) -> Vec<String> {
        let known = self.known.iter().filter(|(_, file)| are(&file.state));
        known.map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn is(&self, name: &str, so: impl Fn(&State) -> bool) -> bool {
        self.known.get(name).is_some_and(|file| so(&file.state))
    }

    /// Takes in what a look at the folder has shown.
    pub(super) fn see(&mut self, listing: Listing, on: Occasion, now: Moment) {
        let Listing {
            found,
            unusable,
            notes,
        } = listing;
        let mut seen = HashSet::new();
        for (file, why) in unusable {
            let event = match why {
                Unusable::Empty => FileEvent::Empty,
                Unusable::Unreadable { .. } => FileEvent::Unusable { may_pass: true },
                _ => FileEvent::Unusable { may_pass: false },
            };
            if self.apply(&file, event, now) == Action::Refuse {
                self.refuse(&file, Event::from(&why));
            }
            if let Unusable::NotAFile { holds, .. } = why {
                let known = &mut self.known.entry(file.clone()).or_default().holds;
                self.is_stale |= *known != holds;
                *known = holds;
            }
            seen.insert(file);
        }
        for f in found {
            let state = f.identity;
            self.known.entry(f.file.clone()).or_default().listed = Some(f.listed);
            self.apply(&f.file, FileEvent::Seen { state, on }, now);
            seen.insert(f.file);
        }
        self.forget_all_but(&seen);
        self.note_orphans(notes);
        for name in self.names(|state| !state.is_offered()) {
            self.withdraw(&name);
        }
        self.note_models(&seen, on, now);
        let wakes = self.known.values().filter_map(|file| file.state.wakes());
        if let Some(at) = wakes.min() {
            self.look_by(at);
        }
    }

    fn forget_all_but(&mut self, seen: &HashSet<String>) {
        let gone = |name: &&String| !seen.contains(*name);
        let gone: Vec<String> = self.known.keys().filter(gone).cloned().collect();
        for name in gone {
            if let Some(file) = self.known.remove(&name) {
                self.is_stale = true;
                if file.is_in_snapshot() {
                    let entry = file.entry.as_ref();
                    let version = entry.map(|entry| entry.version.as_str());
                    self.news
                        .push(event!(FILE_REMOVED, file = &name, version = version));
                }
            }
        }
    }

    /// Names release notes whose image is not there, once, to whoever reads everything: they
    /// harm nobody.
    fn note_orphans(&mut self, notes: Vec<String>) {
        let images: HashSet<_> = self
            .known
            .keys()
            .filter_map(|file| key(name::parse(file).ok()))
            .collect();
        let is_orphan = |notes: &String| {
            let image = key(notes::image_of(notes));
            image.is_some_and(|image| !images.contains(&image))
        };
        let orphans: BTreeSet<_> = notes.into_iter().filter(is_orphan).collect();
        for file in orphans.difference(&self.orphans) {
            debug!(file = %file, "release notes of an image that is not there");
        }
        self.orphans = orphans;
    }

    /// Takes a file that may be fetched no longer out of the snapshot.
    pub(super) fn withdraw(&mut self, name: &str) {
        let Some(file) = self.known.get_mut(name) else {
            return;
        };
        let (entry, served) = (file.entry.take(), file.served.take());
        if entry.is_some() || served.is_some() {
            self.is_stale = true;
            // What is read in a moment is spoken of then, and of what is refused it is
            // said why.
            let is_told = matches!(file.state, State::Refused { .. } | State::Unusable { .. });
            if !file.state.is_unread() && !is_told {
                let version = entry.as_ref().map(|entry| entry.version.as_str());
                self.news
                    .push(event!(FILE_CHANGING, file = name, version = version));
            }
        }
    }

    /// A model that has a file here is known here, even while none of its files
    /// can be offered: its devices must not fall to `default`, which may be
    /// another board's firmware.
    fn note_models(&mut self, seen: &HashSet<String>, on: Occasion, now: Moment) {
        let before = self.models.len();
        let names = seen.iter().filter_map(|file| name::parse(file).ok());
        self.models.extend(names.map(|name| (name.model, now)));
        let added = self.models.len() != before;
        let mut offered = self.known.values().filter_map(|file| file.entry.as_ref());
        let has_default = offered.any(|entry| entry.model == "default");
        let known = self.models.len();
        let news = &mut self.news;
        self.models.retain(|model, seen| {
            let stays = now.saturating_sub(*seen) < MODEL_GONE;
            if !stays && has_default {
                news.push(event!(MODEL_GONE, model = model));
            }
            stays
        });
        self.is_stale |= added || self.models.len() != known || on == Occasion::Start;
    }

    /// The next file to be read, and the state in which it counts. How many wait
    /// behind it, [`Files::waiting`] tells.
    pub(super) fn next(&mut self, now: Moment) -> Option<(QueuedFile, FileState)> {
        let mut queue = match mem::take(&mut self.queue) {
            Some(queue) => queue,
            None => self.in_order(),
        };
        let mut next = None;
        while let Some(queued) = queue.pop() {
            // Much may have happened to it since it was put there.
            let known = self.known.get(&queued.file);
            if let Some(state) = known.and_then(|file| file.state.due()) {
                self.apply(&queued.file, FileEvent::Begun, now);
                next = Some((queued, state));
                break;
            }
        }
        self.queue = Some(queue);
        next
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.as_ref().map_or(0, Vec::len)
    }

    fn in_order(&self) -> Vec<QueuedFile> {
        let due = self.known.iter().filter_map(|(file, known)| {
            let state = known.state.due()?;
            Some(QueuedFile {
                file: file.clone(),
                listed: known.listed.clone()?,
                size: state.size,
                again: known.state.is_offered(),
            })
        });
        reader::order(due.collect())
    }

    /// Takes in what the reading of a file has shown.
    pub(super) fn take_read(&mut self, done: Done, settings: &FolderSettings, now: Moment) {
        let Done {
            job,
            judged,
            found,
            notes,
            command,
        } = done;
        let event = FileEvent::Read {
            of: job.state,
            found,
        };
        if !self.known.contains_key(&job.file) {
            return; // It went meanwhile.
        }
        match (self.apply(&job.file, event, now), judged) {
            (Action::Offer, Ok(Use::Offered(name, inspection))) => {
                let foreign = match &inspection.verdict {
                    Verdict::Foreign(foreign) => {
                        Some(Event::from(foreign).with("command", command))
                    }
                    Verdict::App(_) | Verdict::Rejected(_) => None,
                };
                let entry = Entry::new(job.path, job.file, name, job.state, inspection);
                self.offer(&Arc::new(entry), foreign, notes, settings);
            }
            (Action::Offer, Ok(Use::Served(why, inspection))) => {
                let sum = inspection.sha256;
                let served = ServedFile::new(job.path, job.file, job.state, sum);
                let news = news::served(&served, why.as_ref(), &inspection.verdict);
                self.serve(&Arc::new(served), news);
            }
            (Action::Refuse, Err(why)) => {
                self.withdraw(&job.file);
                self.refuse(&job.file, why.with_command(command));
            }
            _ if self.is(&job.file, State::is_offered) => {}
            _ => self.withdraw(&job.file),
        }
    }

    fn offer(
        &mut self,
        entry: &Arc<Entry>,
        foreign: Option<Event>,
        notes: Option<String>,
        settings: &FolderSettings,
    ) {
        let offered = self.known.values().filter_map(|file| file.entry.as_ref());
        let same = |e: &&Arc<Entry>| {
            e.model == entry.model && e.version == entry.version && e.file != entry.file
        };
        let twin = offered.into_iter().find(same).cloned();
        let file = self.known.entry(entry.file.clone()).or_default();
        (file.said, file.served) = (None, None);
        let before = file.entry.replace(Arc::clone(entry));
        self.is_stale = true;
        // The same content with another change time is no news.
        if before.is_none_or(|before| before.sha256 != entry.sha256) {
            file.said_of_home = None;
            file.remarks.clear();
            let twin = twin.as_deref();
            let ready = news::ready(entry, foreign, twin, notes, &settings.projects);
            let remarks = ready.iter();
            let remarks = remarks.filter(|said| said.kind.severity == Severity::Warning);
            file.remarks.extend(remarks.cloned());
            self.news.extend(ready);
        }
        self.remark_home(&entry.file, settings);
        self.uncompared.insert(entry.model.clone());
    }

    /// Says of each image that is offered, once, if it carries another home.
    pub(super) fn remark_homes(&mut self, settings: &FolderSettings) {
        for name in self.names(State::is_offered) {
            self.remark_home(&name, settings);
        }
    }

    fn remark_home(&mut self, name: &str, settings: &FolderSettings) {
        let Some(file) = self.known.get_mut(name) else {
            return;
        };
        let app = file.entry.as_ref().and_then(|entry| entry.app.as_deref());
        let remark = app.and_then(|app| homes::remark(app, settings));
        let remark = remark.map(|what| event!(FILE_REMARK, file = name, what = what));
        if file.said_of_home != remark {
            file.said_of_home.clone_from(&remark);
            self.news.extend(remark);
        }
    }

    /// Says of each image of a model, once, if its signature is another than that of an
    /// earlier one. They are read in no order that would tell.
    fn compare_signatures(&mut self) {
        let models = mem::take(&mut self.uncompared);
        if models.is_empty() {
            return;
        }
        let entries = self.known.values().filter_map(|file| file.entry.clone());
        let entries: Vec<_> = entries.filter(|e| models.contains(&e.model)).collect();
        let mut of_models = BTreeMap::<&str, Vec<_>>::new();
        for entry in &entries {
            let images = of_models.entry(&entry.model).or_default();
            images.extend(ModelImage::of(entry));
        }
        for (model, images) in of_models {
            for (image, change) in signing::changes(model, images) {
                let Some(file) = self.known.get_mut(image) else {
                    continue;
                };
                if file.said_of_signature != change {
                    file.said_of_signature.clone_from(&change);
                    self.news.extend(change);
                }
            }
        }
    }

    fn serve(&mut self, served: &Arc<ServedFile>, news: Event) {
        let file = self.known.entry(served.file.clone()).or_default();
        file.entry = None;
        let before = file.served.replace(Arc::clone(served));
        self.is_stale = true;
        if before.is_none_or(|before| before.sha256 != served.sha256) {
            self.say(&served.file, news);
        }
    }

    pub(super) fn refuse(&mut self, name: &str, why: Event) {
        self.say(name, event!(FILE_REFUSED, file = name, why = why));
    }

    /// Says something of a file, once.
    fn say(&mut self, name: &str, news: Event) {
        let said = &mut self.known.entry(name.to_owned()).or_default().said;
        if said.as_ref() != Some(&news) {
            *said = Some(news.clone());
            self.news.push(news);
            self.is_stale = true;
        }
    }

    /// Returns the names of all files, ready to be compared. That takes a while, and names
    /// change seldom.
    fn names_to_compare(&mut self) -> Arc<NameIndex> {
        let known = self.known.iter();
        let names = known.flat_map(|(name, file)| iter::once(name).chain(file.holds.iter()));
        let mut names: Vec<_> = names.cloned().collect();
        names.sort_unstable();
        if self.names.0 != names {
            let index = NameIndex::new(names.iter().map(String::as_str));
            self.names = (names, Arc::new(index));
        }
        Arc::clone(&self.names.1)
    }

    /// Returns the warnings that hold of the files of `dir`, as the log has them: some of each
    /// kind, and how many more there are.
    fn warnings(&self, dir: &Path) -> Vec<Event> {
        let mut known: Vec<_> = self.known.iter().collect();
        known.sort_unstable_by_key(|(name, _)| *name);
        let is_offered = |name: &str| {
            self.known
                .get(name)
                .is_some_and(|file| file.entry.is_some())
        };
        let mut news = News::default();
        news.begin();
        for (_, file) in known {
            news.extend(file.warnings(&is_offered).cloned());
        }
        news.end(dir);
        news.take()
    }

    /// Makes the snapshot of what can be offered now.
    pub(super) fn snapshot(&mut self, dir: &Path) -> Snapshot {
        self.is_stale = false;
        self.compare_signatures();
        let names = self.names_to_compare();
        let entries = self.known.values().filter_map(|file| file.entry.clone());
        let served = self.known.values().filter_map(|file| file.served.clone());
        let models = self.models.keys().cloned().collect();
        let unread = self.known.iter().filter(|(_, f)| f.state.is_unread());
        let unread = unread.filter_map(|(file, known)| {
            let name = known.listed.as_ref()?.name.as_ref().ok().cloned();
            Some((file.clone(), name))
        });
        Snapshot::new(entries, models)
            .with_served(served)
            .with_unread(unread)
            .with_unused(self.known.iter().filter_map(|(file, known)| {
                let why = known.unused()?.clone();
                Some((file.clone(), why))
            }))
            .with_warnings(self.warnings(dir))
            .with_names(names)
    }
}

/// Returns what an image and its notes have in common.
fn key(name: Option<name::ImageName>) -> Option<(String, String)> {
    name.map(|name| (name.model, name.version.to_string()))
}
