//! Plans for drafts: what would come of each, as `xiaozhi-ota publish --dry-run` says it.

use super::shut;
use crate::admin::{Inside, Needs, Outcome, Plan, Ready, Wish};
use crate::app::publishing::{self, ToldModel, app_of, effect, models};
use crate::config::Settings;
use crate::event::{Event, event};
use crate::firmware::command::Publish;
use crate::firmware::drafts::Draft;
use crate::firmware::entry_of;
use crate::firmware::name::near::NameIndex;
use crate::firmware::publish::{PublishError, Room, Source, Target};
use crate::firmware::snapshot::Snapshot;
use crate::fleet::{Crowd, Fleet, Heeds};
use crate::util::file_state::FileState;
use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::Path;
use xiaozhi_device::version::Version;

/// Number of models that are suggested.
const SUGGESTED: usize = 200;

/// A draft's file as it was read, or what is wrong with it.
pub(super) type Seen = Result<Source, PublishError>;

/// Planner of what becomes of drafts now.
pub(super) struct Planner<'a> {
    settings: &'a Settings,
    fleet: &'a Fleet,
    snapshot: &'a Snapshot,
    /// Number of bytes that stay free on the disk of the firmware folder.
    spare: u64,
    crowd: OnceCell<Crowd>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        fleet: &'a Fleet,
        snapshot: &'a Snapshot,
        spare: u64,
    ) -> Self {
        Self {
            settings,
            fleet,
            snapshot,
            spare,
            crowd: OnceCell::new(),
        }
    }

    /// Returns the devices that are known.
    pub(super) fn crowd(&self) -> &Crowd {
        self.crowd.get_or_init(|| {
            let heeds = Heeds::of(self.settings.upstream.is_some());
            let mut crowd = Crowd::new(heeds);
            self.fleet.each(|id, record| crowd.add(id, record));
            crowd
        })
    }

    /// Plans what would come of a draft.
    pub(super) fn plan(&self, draft: Draft, seen: &Seen, wish: &Wish) -> Plan {
        let fault;
        let source = match seen {
            Ok(source) => match source.check(&self.settings.catalogue, false) {
                Ok(()) => Ok(source),
                Err(error) => {
                    fault = error;
                    Err(&fault)
                }
            },
            Err(error) => Err(error),
        };
        let inside = source.ok().map(inside);
        let outcome = match source {
            Ok(source) => match self.ready(source, &draft, wish) {
                Ok(ready) => Outcome::Ready(ready),
                Err(error) => {
                    let hint = source.disagreement().filter(|_| wish.version.is_none());
                    self.refused(&error, hint)
                }
            },
            Err(error) => self.refused(error, None),
        };
        Plan {
            draft,
            inside,
            outcome,
        }
    }

    /// Finds the name that the image of a draft gets.
    pub(super) fn target(
        &self,
        source: &Source,
        draft: &Draft,
        wish: &Wish,
    ) -> Result<(ToldModel, Target), PublishError> {
        let command = Publish {
            file: &draft.path,
            model: None,
            version: None,
            notes: None,
            force: false,
            config: None,
        };
        let reports = |board: &str| self.crowd().reports(board);
        let told = ToldModel::of(command, wish.model.as_deref(), reports)?;
        let version = source.version(wish.version.as_deref())?;
        let Some(model) = &told.model else {
            let path = draft.path.clone();
            return Err(PublishError::NoModel { path });
        };
        let target = Target::of(&self.settings.catalogue.dir, model, &version)?;
        Ok((told, target))
    }

    fn ready(
        &self,
        source: &Source,
        draft: &Draft,
        wish: &Wish,
    ) -> Result<Box<Ready>, PublishError> {
        let catalogue = &self.settings.catalogue;
        let (told, target) = self.target(source, draft, wish)?;
        let over = tag_of(&target.path).filter(|_| wish.replaces);
        let mut room = Room::beside(self.spare);
        source.rehearse(&target, None, wish.replaces, &mut room)?;
        let version = Version::new(&target.version);
        let folder = models(&catalogue.dir);
        let (effect, lower) = effect(self.settings, &folder, (&target.model, &version), source);
        let is_asked = wish.version.is_some();
        let mut warnings = publishing::remarks(source, &target, is_asked, catalogue);
        warnings.extend(lower);
        warnings.extend(publishing::links(&target, catalogue));
        let mut hints = Vec::new();
        if let (Some(model), Some((other, devices))) = (&told.model, &told.instead_of) {
            hints.push(event!(
                PUBLISH_REPORTED,
                model = model,
                other = other,
                devices = *devices
            ));
        }
        if let Some(app) = app_of(source) {
            warnings.extend(publishing::remarks_beside(app, &target, catalogue));
            if app.needs_assets(&catalogue.projects) {
                hints.push(event!(PUBLISH_NEEDS_ASSETS));
            }
        }
        let entry = entry_of(&target.path, source.inspection.clone());
        let entry = entry.filter(|_| self.crowd().devices() > 0);
        let forecast = entry.map(|entry| {
            let snapshot = self.snapshot.with(&entry);
            self.crowd()
                .forecast(&snapshot, &self.settings.policy, &entry)
        });
        let known = self.known();
        let is_for_none = forecast.as_ref().is_some_and(|cast| cast.of_model == 0);
        let meant = if is_for_none {
            self.meant(&target.file(), &known)
        } else {
            Vec::new()
        };
        Ok(Box::new(Ready {
            file: target.file(),
            replaces: over.is_some(),
            over,
            model: target.model,
            effect: effect.foretold(),
            forecast,
            warnings,
            hints,
            known,
            meant,
        }))
    }

    fn refused(&self, error: &PublishError, hint: Option<Event>) -> Outcome {
        let needs = match error {
            PublishError::NoModel { .. } | PublishError::ModelName { .. } => {
                self.needs_model(Vec::new())
            }
            PublishError::EitherModel { models, .. } => self.needs_model(models.to_vec()),
            PublishError::VersionName { .. } | PublishError::UnsafeVersion { .. } => Needs::Version,
            PublishError::Folder { .. } => Needs::Place,
            PublishError::Exists { same: true, .. } => Needs::Nothing,
            PublishError::Exists { .. } => Needs::Name,
            PublishError::ForOthers { version, .. } => Needs::Rank(version.clone()),
            _ => Needs::File,
        };
        let shut = match error {
            PublishError::Folder { dir, .. } => shut::folder(dir),
            _ => None,
        };
        Outcome::Refused {
            why: shut.unwrap_or_else(|| error.by_name()),
            needs,
            hints: hint.into_iter().collect(),
        }
    }

    fn needs_model(&self, candidates: Vec<String>) -> Needs {
        Needs::Model {
            candidates,
            known: self.known(),
        }
    }

    /// Returns those of the known models, with the number of their devices, that the name of a
    /// file nearly says.
    fn meant(&self, file: &str, known: &[String]) -> Vec<(String, u64)> {
        let index = NameIndex::new([file]);
        let near = |model: &&String| index.nearest(&[model.as_str()], &[]).is_some();
        let near = known.iter().filter(near);
        near.map(|model| (model.clone(), self.crowd().reports(model)))
            .filter(|(_, devices)| *devices > 0)
            .collect()
    }

    /// Returns the models that have files here, and those that known devices report.
    fn known(&self) -> Vec<String> {
        let mut reported = Reported::default();
        self.fleet.each(|_, record| {
            if let Some(named) = record.profile.named() {
                reported.add(named, record.is_settled);
            }
        });
        let of_files = models(&self.settings.catalogue.dir).into_keys();
        reported.behind(of_files)
    }
}

/// Models that devices report. Anybody can invent some: those of newcomers come last, and take
/// no place of others.
#[derive(Debug, Default)]
struct Reported {
    /// Number of settled devices by model.
    settled: HashMap<String, u64>,
    newcomers: BTreeSet<String>,
}

impl Reported {
    fn add(&mut self, named: &str, is_settled: bool) {
        // No file's name has one, nor does a form bring it back as it was.
        if named.chars().any(char::is_control) {
            return;
        }
        if is_settled {
            match self.settled.get_mut(named) {
                Some(devices) => *devices += 1,
                None => drop(self.settled.insert(named.to_owned(), 1)),
            }
        } else if self.newcomers.len() < SUGGESTED && !self.newcomers.contains(named) {
            self.newcomers.insert(named.to_owned());
        }
    }

    /// Returns some models, and behind them those that most devices report.
    fn behind(self, first: impl Iterator<Item = String>) -> Vec<String> {
        let mut settled: Vec<_> = self.settled.into_iter().collect();
        settled.sort_by(|(one, many), (other, more)| more.cmp(many).then_with(|| one.cmp(other)));
        let settled = settled.into_iter().map(|(model, _)| model);
        let mut seen = HashSet::new();
        let all = first.chain(settled).chain(self.newcomers);
        all.filter(|model| seen.insert(model.clone()))
            .take(SUGGESTED)
            .collect()
    }
}

/// Returns the tag of what has a path now.
pub(super) fn tag_of(path: &Path) -> Option<String> {
    let about = fs::symlink_metadata(path).ok()?;
    Some(FileState::from(&about).tag())
}

fn inside(source: &Source) -> Inside {
    let origin = &source.origin;
    Inside {
        size: source.inspection.size,
        app: app_of(source).cloned(),
        place: origin.in_words(),
        left: origin.left.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_take_no_models_place() {
        let mut reported = Reported::default();
        for stranger in 0..1000 {
            reported.add(&format!("a{stranger:03}"), false);
        }
        for (model, devices) in [("few", 1), ("many", 3), ("of-a-file", 2)] {
            for _ in 0..devices {
                reported.add(model, true);
            }
        }
        reported.add("many", false);
        reported.add("a\0", true);
        let files = ["z-of-a-file", "of-a-file"].map(str::to_owned);
        let known = reported.behind(files.into_iter());
        assert_eq!(known[..4], ["z-of-a-file", "of-a-file", "many", "few"]);
        assert_eq!((known.len(), &*known[4]), (SUGGESTED, "a000"));
    }
}
