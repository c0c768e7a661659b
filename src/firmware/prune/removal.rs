//! The folder as `prune` finds it, and the removal of what its plan says.

use super::super::folder::judge::Use;
use super::super::folder::reader::{Looked, is_still, look_through};
use super::super::folder::unusable::Unusable;
use super::super::name::{ImageName, notes::image_of};
use super::super::{FolderSettings, notes, signing};
use super::{Candidate, Fate, Models, Reason, plan};
use crate::event::{Event, event};
use crate::util::durable::{self, Durability, Life, Spare, Turn};
use crate::util::file_state::FileState;
use crate::util::way;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use xiaozhi_device::image::{AppImage, Verdict};

/// Reason why nothing was pruned.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", dir.display())]
pub(crate) struct PruneError {
    dir: PathBuf,
    reason: io::Error,
}

/// Plan for a folder, in the order of names. Nobody else changes which files it has meanwhile.
#[derive(Debug)]
pub(crate) struct Pruning {
    /// The files, and what becomes of each.
    pub(crate) items: Vec<Item>,
    /// Consequences that may not be meant.
    pub(crate) warnings: Vec<String>,
    _turn: Option<Turn>,
}

/// A file, and what becomes of it.
#[derive(Debug)]
pub(crate) struct Item {
    /// Its path.
    pub(crate) path: PathBuf,
    /// Its fate.
    pub(crate) fate: Fate,
    /// Model and version of an image that is counted.
    pub(crate) name: Option<ImageName>,
    /// Its release notes.
    pub(crate) notes: Option<PathBuf>,
    /// Number of bytes that become free with it and its notes.
    pub(crate) frees: u64,
    /// Tells that it is no file of the folder, but what a killed run left behind.
    pub(crate) is_draft: bool,
    /// State in which it was judged.
    state: Option<FileState>,
    app: Option<Box<AppImage>>,
    /// Lock of a draft that goes.
    _lock: Option<File>,
}

/// Error where a file was not removed, in words.
#[derive(Debug)]
pub(crate) struct Unremoved(pub(crate) Event);

impl Pruning {
    /// Looks at the folder, and decides. `run_by` tells how many devices run an image of this
    /// name and SHA-256. With `is_dry` nothing will be done.
    pub(crate) fn plan(
        settings: &FolderSettings,
        keep: NonZeroUsize,
        models: &impl Models,
        run_by: impl Fn(&ImageName, &AppImage, &[u8; 32]) -> u64,
        is_dry: bool,
    ) -> Result<Self, PruneError> {
        let dir = &settings.dir;
        let failed = |reason| PruneError {
            dir: dir.clone(),
            reason,
        };
        // To read all of them may take long, and so nobody waits for that, unless they change.
        let mut looked = look_through(settings).map_err(failed)?;
        let turn = (!is_dry).then(|| Turn::take(dir)).transpose();
        let turn = turn.map_err(failed)?;
        if !is_still(dir, &looked) {
            looked = look_through(settings).map_err(failed)?;
        }
        let links = links(dir).map_err(failed)?;
        let mut items = Vec::new();
        let mut candidates = Vec::new();
        for Looked {
            file,
            judged,
            state,
        } in looked
        {
            let own = links.iter().find(|link| link.name == file);
            let sha256 = match &judged {
                Ok(Use::Offered(_, inspection)) => inspection.sha256,
                Ok(Use::Served(..)) | Err(_) => [0; 32],
            };
            let (verdict, app) = verdict(judged, own);
            let devices = match (&verdict, &app) {
                (Ok(name), Some(app)) => run_by(name, app, &sha256),
                _ => 0,
            };
            let leads_here = |link: &&Link| link.inside.as_deref() == Some(file.as_ref());
            let link = links.iter().find(leads_here);
            candidates.push(Candidate {
                file: file.clone(),
                verdict: verdict.clone(),
                link: link.map(|link| link.name.clone()),
                devices,
            });
            items.push(Item {
                path: dir.join(&file),
                fate: Fate::Goes,
                name: verdict.ok(),
                notes: None,
                frees: 0,
                is_draft: false,
                state,
                app,
                _lock: None,
            });
        }
        let mut fates = plan(&candidates, keep, models);
        for (candidate, item) in candidates.iter().zip(&mut items) {
            let fate = fates.remove(&candidate.file);
            // Two names that are no text can look the same.
            item.fate = fate.unwrap_or_else(|| Fate::LeftAlone("its name is no text".to_owned()));
            item.notes = notes::find(&item.path);
        }
        let warnings = lost_chips(&items, models);
        items.extend(orphans(dir, &items).map_err(failed)?);
        items.sort_by(|a, b| a.path.cmp(&b.path));
        items.extend(drafts(dir).map_err(failed)?);
        count_bytes(&mut items);
        Ok(Self {
            items,
            warnings,
            _turn: turn,
        })
    }
}

impl Item {
    fn left(path: PathBuf, fate: Fate) -> Self {
        Self {
            path,
            fate,
            name: None,
            notes: None,
            frees: 0,
            is_draft: false,
            state: None,
            app: None,
            _lock: None,
        }
    }

    /// Tells whether it could be removed.
    pub(crate) fn try_removal(&self) -> Result<(), Unremoved> {
        for path in [Some(&self.path), self.notes.as_ref()]
            .into_iter()
            .flatten()
        {
            way::to_remove(path).map_err(|e| unremoved(path, &e))?;
        }
        Ok(())
    }

    /// Removes it, and its notes. Where that fails both are there as before.
    pub(crate) fn remove(&self) -> Result<Durability, Unremoved> {
        let failed = |path: &Path, e: &io::Error| unremoved(path, e);
        if let Some(judged) = &self.state {
            let now = fs::symlink_metadata(&self.path).map(|about| FileState::from(&about));
            match now {
                Ok(now) if now.same_but_for_change_time(judged) => {}
                // Somebody was faster.
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Durability::Synced),
                Ok(_) => return Err(Unremoved(event!(REMOVE_CHANGED))),
                Err(e) => return Err(failed(&self.path, &e)),
            }
        }
        // Whoever is killed between the two leaves an image that the next run removes, and a
        // hidden file, which goes with it.
        let dir = self.path.parent().unwrap_or(Path::new("."));
        let hidden = match &self.notes {
            Some(notes) => match Spare::instead(notes, dir) {
                Ok(spare) => Some((notes, spare)),
                // They were another spelling's, too, and went with it.
                Err(e) if e.kind() == io::ErrorKind::NotFound => None,
                Err(e) => return Err(failed(notes, &e)),
            },
            None => None,
        };
        if let Err(e) = fs::remove_file(&self.path) {
            if let Some((notes, spare)) = hidden {
                // By the name that it had a moment ago: that takes no room.
                let _ = spare.restore(notes);
            }
            return match e.kind() {
                io::ErrorKind::NotFound => Ok(Durability::Synced),
                _ => Err(failed(&self.path, &e)),
            };
        }
        drop(hidden);
        Ok(durable::forget(&self.path))
    }
}

fn unremoved(path: &Path, error: &io::Error) -> Unremoved {
    let what = way::unremoved(path);
    Unremoved(event!(REMOVE_FAILED, reason = error, what = what))
}

/// A file of the folder that somebody wants to be gone. Nobody else changes which files the
/// folder has meanwhile.
#[derive(Debug)]
pub(crate) struct Single {
    item: Item,
    _turn: Turn,
}

impl Single {
    /// Looks at a file of the folder. A link stays, as with a [`Pruning`], and so does what
    /// a link of the folder leads to.
    ///
    /// # Errors
    ///
    /// It may not go, or could not, and the event says why.
    pub(crate) fn find(dir: &Path, file: &str) -> Result<Self, Event> {
        let path = dir.join(file);
        let failed = |error: &io::Error| unremoved(&path, error).0;
        let turn = Turn::take(dir).map_err(|error| failed(&error))?;
        // No name leads out of the folder.
        if path.parent() != Some(dir) || path.file_name().is_none() {
            return Err(event!(REMOVE_GONE));
        }
        let about = match fs::symlink_metadata(&path) {
            Ok(about) => about,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(event!(REMOVE_GONE)),
            Err(e) => return Err(failed(&e)),
        };
        let links = links(dir).map_err(|error| failed(&error))?;
        if let Some(link) = links.iter().find(|link| link.name == file) {
            return Err(event!(REMOVE_LINK, target = &link.target));
        }
        let leads_here = |link: &&Link| link.inside.as_deref() == path.file_name();
        if let Some(link) = links.iter().find(leads_here) {
            return Err(event!(REMOVE_LINKED, link = &link.name));
        }
        if !about.is_file() {
            return Err(event!(REMOVE_NO_FILE));
        }
        let mut item = Item::left(path, Fate::Goes);
        item.state = Some(FileState::from(&about));
        item.try_removal().map_err(|Unremoved(why)| why)?;
        Ok(Self { item, _turn: turn })
    }

    /// Returns the tag of the state in which it was looked at.
    pub(crate) fn tag(&self) -> String {
        let state = self.item.state.as_ref();
        state.map(FileState::tag).unwrap_or_default()
    }

    /// Removes it. Its release notes stay.
    ///
    /// # Errors
    ///
    /// It is there as before, and the event says why.
    pub(crate) fn remove(&self) -> Result<Durability, Event> {
        self.item.remove().map_err(|Unremoved(why)| why)
    }
}

/// Returns what is counted of a file, or what it is instead.
fn verdict(
    judged: Result<Use, Unusable>,
    link: Option<&Link>,
) -> (Result<ImageName, String>, Option<Box<AppImage>>) {
    if let Some(Link { target, .. }) = link {
        return (Err(format!("it is a link to {}", target.display())), None);
    }
    let why = match judged {
        Ok(Use::Offered(name, inspection)) => match inspection.verdict {
            Verdict::App(app) => return (Ok(name), Some(app)),
            Verdict::Foreign(foreign) => format!("foreign: {}", Event::from(&foreign)),
            Verdict::Rejected(fault) => format!("rejected: {}", Event::from(&fault)),
        },
        Ok(Use::Served(Some(why), _)) => format!("it is offered to nobody: {why}"),
        Ok(Use::Served(None, inspection)) => match inspection.verdict {
            Verdict::Foreign(foreign) => format!("data: {}", Event::from(&foreign)),
            Verdict::App(_) | Verdict::Rejected(_) => "data".to_owned(),
        },
        Err(
            why @ (Unusable::NotAFile { .. } | Unusable::Unreadable { .. } | Unusable::Changed),
        ) => why.to_string(),
        Err(why) => format!("rejected: {why}"),
    };
    (Err(why), None)
}

/// A link in the folder.
struct Link {
    name: String,
    /// Place to which it leads in the end, where there is one.
    target: PathBuf,
    /// The file of the folder that it is.
    inside: Option<OsString>,
}

/// Returns the links in the folder. A file to which one of them leads is another board's
/// firmware, or the newest, under a second name.
fn links(dir: &Path) -> io::Result<Vec<Link>> {
    let place = fs::canonicalize(dir)?;
    let mut links = Vec::new();
    for item in fs::read_dir(dir)? {
        let item = item?;
        if !item.file_type()?.is_symlink() {
            continue;
        }
        let target = fs::canonicalize(item.path()).or_else(|_| fs::read_link(item.path()))?;
        let is_inside = target.parent() == Some(&*place);
        links.push(Link {
            name: item.file_name().to_string_lossy().into_owned(),
            inside: target.file_name().filter(|_| is_inside).map(OsString::from),
            target,
        });
    }
    links.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(links)
}

/// Returns the names of the links in a folder that lead to a file of it, as far as they can be
/// read.
pub(crate) fn links_to(dir: &Path, file: &str) -> Vec<String> {
    let links = links(dir).unwrap_or_default().into_iter();
    let here = links.filter(|link| link.inside.as_deref().is_some_and(|inside| inside == file));
    here.map(|link| link.name).collect()
}

/// Returns the release notes whose image is not there.
fn orphans(dir: &Path, items: &[Item]) -> io::Result<Vec<Item>> {
    let claimed: BTreeSet<_> = items.iter().filter_map(|item| item.notes.clone()).collect();
    let mut orphans = Vec::new();
    for item in fs::read_dir(dir)? {
        let item = item?;
        let path = item.path();
        let name = item.file_name();
        let is_notes = name.to_str().is_some_and(|name| image_of(name).is_some());
        if is_notes && item.file_type()?.is_file() && !claimed.contains(&path) {
            let why = "they are the notes of an image that is not there".to_owned();
            orphans.push(Item::left(path, Fate::LeftAlone(why)));
        }
    }
    Ok(orphans)
}

/// Returns the drafts in the folder.
fn drafts(dir: &Path) -> io::Result<Vec<Item>> {
    let drafts = durable::drafts(dir)?.into_iter();
    let items = drafts.map(|path| {
        let left_alone = |why: &str| Fate::LeftAlone(why.to_owned());
        let (fate, lock) = match durable::life(&path) {
            Life::Left(lock) => (Fate::Goes, lock),
            Life::Written => (left_alone("a publish that is running writes it"), None),
            Life::Unknown => (
                left_alone(
                    "nothing tells here whether a publish still writes it; it goes when it is a day old",
                ),
                None,
            ),
        };
        Item {
            is_draft: true,
            _lock: lock,
            ..Item::left(path, fate)
        }
    });
    Ok(items.collect())
}

/// Counts what becomes free. What has another name that stays frees nothing.
fn count_bytes(items: &mut [Item]) {
    let mut names = HashMap::<(u64, u64), u64>::new();
    for item in items.iter_mut().filter(|item| item.fate == Fate::Goes) {
        let files = [Some(&item.path), item.notes.as_ref()]
            .into_iter()
            .flatten();
        let abouts: Vec<_> = files
            .filter_map(|path| fs::symlink_metadata(path).ok())
            .collect();
        for about in abouts {
            let gone = names.entry((about.dev(), about.ino())).or_default();
            *gone += 1;
            if *gone == about.nlink() {
                item.frees += about.len();
            }
        }
    }
}

/// Returns what is said of chips for which a model has no image any more.
fn lost_chips(items: &[Item], models: &impl Models) -> Vec<String> {
    let mut of_models = BTreeMap::<String, Vec<(&Item, &AppImage)>>::new();
    for item in items {
        if let (Some(name), Some(app)) = (&item.name, &item.app) {
            let images = of_models.entry(models.key(&name.model)).or_default();
            images.push((item, app));
        }
    }
    let mut warnings = BTreeSet::new();
    for (model, images) in of_models {
        let goes = |item: &Item| item.fate == Fate::Goes;
        for (_, app) in images.iter().filter(|(item, _)| goes(item)) {
            let mut stay = images.iter().filter(|(item, _)| !goes(item));
            if stay.all(|(_, other)| app.shares_no_chip_with(other)) {
                warnings.insert(format!(
                    "no image of the model {model} is left for the chip {}; --keep counts versions, whatever their chip",
                    signing::chips(app)
                ));
            }
        }
    }
    warnings.into_iter().collect()
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Highest => f.write_str("its version is one of the highest"),
            Self::Pinned => f.write_str("gateway.firmware.pin holds its model at this version"),
            Self::Run(devices) => write!(
                f,
                "known devices that run this version, or were offered it last: {devices}"
            ),
            Self::Linked(link) => write!(f, "{link} is a link to this version"),
        }
    }
}
