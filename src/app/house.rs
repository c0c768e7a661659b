//! View of this server for the admin address: devices and their orders, files, what is
//! measured, and whether anything is lacking.

use super::audit::Auditor;
use super::behind;
use super::fleet::Known;
use super::releases::event_of;
use crate::admin::metrics::{MetricsSource, Readings, UpstreamReading, Validity};
use crate::admin::{
    BackendView, Check, FileView, FleetSource, ListenerView, OrderError, Orderer, Readiness,
    RetryDone, Start, open_orders,
};
use crate::config::Settings;
use crate::event::kinds::FILE_WAITING;
use crate::event::{Event, event, tell};
use crate::firmware::catalogue::Catalogue;
use crate::firmware::name;
use crate::firmware::store::Store;
use crate::fleet::orders::Act;
use crate::fleet::state_folder::StateFolder;
use crate::fleet::{
    Content, DeviceId, Fleet, Heeds, Hours, Knowledge, OfferEnd, Profile, Prospect, Record, Step,
    forecast_all, prospects,
};
use crate::http::{BackendState as Seen, Front};
use crate::tls::Certificates;
use crate::util::counts::COUNTS;
use crate::util::paths::absolute;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Names of the ends of an offer, in the order of their numbers.
static ENDS: [&str; OfferEnd::ALL.len()] = {
    let mut names = [""; OfferEnd::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = OfferEnd::ALL[at].key();
        at += 1;
    }
    names
};

/// Parts of this server that the admin address shows.
pub(super) struct House {
    pub(super) known: Known,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) store: Arc<Store>,
    /// `None` where no TLS is spoken.
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) front: Arc<Front>,
    pub(super) auditor: Arc<Auditor>,
    /// Addresses that are listened on.
    pub(super) listeners: Vec<ListenerView>,
    /// Settings that hold now.
    pub(super) running: Arc<ArcSwap<Settings>>,
    /// Settings of the start: the folders in them hold to the end.
    pub(super) settings: Settings,
    /// The state folder; `None` where it could not be had at the start.
    pub(super) state: Option<StateFolder>,
    pub(super) started: SystemTime,
}

impl Readiness for House {
    fn checks(&self) -> Vec<Check> {
        let dir = || absolute(&self.settings.catalogue.dir);
        let looked = self.catalogue.has_looked();
        let no_certificate = |kept: &Arc<Certificates>| kept.pairs().is_empty();
        let lacks = self.certificates.as_ref().is_some_and(no_certificate);
        let check = |name, why| Check { name, why };
        vec![
            check(
                "catalogue",
                if looked {
                    let fault = self.catalogue.fault();
                    fault.map(|error| event!(READY_FOLDER, dir = dir(), error = error))
                } else {
                    Some(event!(READY_NO_CATALOGUE, dir = dir()))
                },
            ),
            check("certificate", lacks.then(|| event!(READY_NO_CERTIFICATE))),
            check("store", self.store_lacks()),
            check("orders", self.known.orders.unread()),
        ]
    }
}

impl House {
    /// Returns what keeps what is known of devices from being read and written.
    pub(super) fn store_lacks(&self) -> Option<Event> {
        let dir = absolute(&self.settings.state);
        match &self.state {
            None => return Some(event!(READY_NO_STATE, dir = dir)),
            Some(state) => {
                if let Err(lost) = state.standing() {
                    return Some(lost);
                }
            }
        }
        let health = self.known.journal.health();
        if health.ok && !health.reading {
            return None;
        }
        let unread = || event!(READY_STORE_UNREAD, dir = dir);
        Some(health.why.unwrap_or_else(unread))
    }
}

impl House {
    /// Returns why nothing is known of a device: it may be among those that are not read yet.
    fn unknown(&self) -> OrderError {
        if self.known.fleet.knowledge() == Knowledge::Everything {
            OrderError::NoDevice
        } else {
            OrderError::StillReading
        }
    }

    /// Takes no order that could not be followed: about devices that a newer program keeps.
    fn may_order(&self) -> Result<(), OrderError> {
        if self.known.fleet.knowledge() != Knowledge::Newer {
            return Ok(());
        }
        let unread = || event!(READY_STORE_UNREAD, dir = absolute(&self.settings.state));
        let why = self.store_lacks().unwrap_or_else(unread);
        Err(OrderError::NotKept(Box::new(why)))
    }
}

impl FleetSource for House {
    fn fleet(&self) -> &Fleet {
        &self.known.fleet
    }

    fn files(&self) -> Vec<FileView> {
        let snapshot = self.catalogue.snapshot();
        let view = |file: &str, verdict, why: Option<&Event>| {
            let named = name::parse(file).ok();
            let (model, version) = named.map(|name| (name.model, name.version)).unzip();
            FileView {
                file: file.to_owned(),
                model,
                version: version.map(|version| version.to_string()),
                size: None,
                sha256: None,
                verdict,
                entry: None,
                why: why.cloned(),
            }
        };
        let offered = snapshot.entries().map(|entry| (&*entry.file, entry));
        let offered: HashMap<_, _> = offered.collect();
        let served = snapshot.served().map(|served| {
            let entry = offered.get(&*served.file).map(|entry| Arc::clone(entry));
            let verdict = if entry.is_some() { "ready" } else { "served" };
            FileView {
                size: Some(served.size()),
                sha256: Some(served.sha256),
                entry,
                ..view(&served.file, verdict, None)
            }
        });
        let unread = snapshot.unread().map(|file| view(file, "waiting", None));
        let unused = snapshot.all_unused().map(|unused| {
            let is_waiting = unused.why.kind.id == FILE_WAITING.id;
            let verdict = if is_waiting { "waiting" } else { "refused" };
            view(unused.file, verdict, Some(unused.why))
        });
        let mut files: Vec<_> = served.chain(unread).chain(unused).collect();
        files.sort_by(|a, b| a.file.cmp(&b.file));
        files
    }

    fn could_get(&self) -> HashMap<String, u64> {
        let snapshot = self.catalogue.snapshot();
        let each = |look: &mut dyn FnMut(&DeviceId, &Record)| self.known.fleet.each(look);
        let mut could_get = forecast_all(each, &snapshot, &self.running.load().policy);
        for entry in snapshot.entries() {
            could_get.entry(entry.file.clone()).or_default();
        }
        could_get
    }

    fn acts(&self) -> Vec<Act> {
        self.known.orders.acts()
    }

    fn offered(&self) -> HashMap<Content, String> {
        let snapshot = self.catalogue.snapshot();
        let entries = snapshot.entries();
        let named = entries.map(|entry| (Content::of(&entry.sha256), entry.file.clone()));
        named.collect()
    }

    fn has_files(&self, profiles: &[&Profile]) -> Vec<bool> {
        let (snapshot, settings) = (self.catalogue.snapshot(), self.running.load());
        let has = |profile: &&Profile| settings.policy.has_files(profile.names(), &snapshot);
        profiles.iter().map(has).collect()
    }

    fn prospects(&self, record: &Record) -> Vec<Prospect> {
        let snapshot = self.catalogue.snapshot();
        let settings = self.running.load();
        let heeds = Heeds::of(settings.upstream.is_some());
        prospects(record, heeds, &snapshot, &settings.policy)
    }

    fn past(&self, stretches: &[Hours]) -> Result<Option<Vec<Step>>, Event> {
        super::past::read(self.state.as_ref().map(StateFolder::path), stretches)
    }

    fn upstream(&self) -> Option<BackendView> {
        self.front.upstream().map(behind::shown)
    }

    fn start(&self) -> Start {
        Start {
            // As this machine's address makes it now.
            ota_url: self.auditor.settings().public.ota_url(),
            folder: absolute(&self.settings.catalogue.dir).display().to_string(),
            ready: self.catalogue.snapshot().len(),
        }
    }

    fn retry(
        &self,
        device: &DeviceId,
        file: Option<&str>,
        by: Orderer<'_>,
    ) -> Result<RetryDone, OrderError> {
        let Orderer { name, from, now } = by;
        self.may_order()?;
        let (id, from) = (device.to_string(), from.to_string());
        let contents = match file {
            None => self.known.fleet.find(device).map(|_| None),
            Some(file) => self.known.fleet.contents(device, file).map(Some),
        };
        let contents = contents.ok_or_else(|| self.unknown())?;
        // What the name holds now may not have been offered yet, and have failed under
        // another name.
        let contents = contents.map(|mut contents| {
            let snapshot = self.catalogue.snapshot();
            let now = file.and_then(|file| snapshot.file(file));
            let now = now.map(|file| Content::of(&file.sha256));
            contents.extend(now.filter(|now| !contents.contains(now)));
            contents
        });
        let fleet = &self.known.fleet;
        // Before all is read, something may have failed of which nobody knows yet.
        let is_all_known = fleet.knowledge() == Knowledge::Everything;
        if contents.as_ref().is_some_and(Vec::is_empty) {
            return Err(if is_all_known {
                OrderError::NoFile
            } else {
                OrderError::StillReading
            });
        }
        let mut each: Vec<Option<Content>> = contents.as_ref().map_or_else(
            || vec![None],
            |contents| contents.iter().copied().map(Some).collect(),
        );
        let mut cleared = 0;
        each.retain(|content| {
            let failed = fleet.failed_before(device, *content);
            cleared += failed;
            // An order without effect would only push out one that has some.
            failed > 0 || !is_all_known
        });
        if each.is_empty() {
            return Ok(RetryDone::default());
        }
        let files = file.map(|file| {
            let contents = each.iter().flatten();
            let files = contents.map(|Content(content)| (file, *content));
            files.collect::<Vec<_>>()
        });
        let orders = &self.known.orders;
        let written = orders.retry_all(&id, files.as_deref(), name, &from, now);
        written.map_err(|error| not_kept(&error))?;
        self.known.hear_orders();
        let retried = fleet.retry(device, contents.as_deref());
        self.known.journal.nudge();
        let retried = retried.ok_or(OrderError::NoDevice)?;
        let count = |count| u64::try_from(count).unwrap_or(u64::MAX);
        Ok(RetryDone {
            retried: count(retried),
            // Something may have, before all is read.
            cleared: count(cleared.max(retried).max(1)),
        })
    }

    fn forget(&self, device: &DeviceId, by: Orderer<'_>) -> Result<(), OrderError> {
        self.may_order()?;
        let record = self.known.fleet.find(device);
        let record = record.ok_or_else(|| self.unknown())?;
        let Orderer { name, from, now } = by;
        let (id, from) = (device.to_string(), from.to_string());
        let written = self.known.orders.forget(&id, name, &from, now);
        written.map_err(|error| not_kept(&error))?;
        self.known.hear_orders();
        // One that went meanwhile is forgotten, too.
        self.known.fleet.forget(device);
        self.known.journal.forget(device, &record.client);
        let at = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        self.known.replies.forget(device, at);
        let older = self.known.journal.older();
        if !older.is_empty() {
            let files: Vec<_> = older
                .iter()
                .map(|file| file.display().to_string())
                .collect();
            tell!(STORE_COPIES, files = &*files);
        }
        Ok(())
    }
}

fn not_kept(error: &io::Error) -> OrderError {
    OrderError::NotKept(Box::new(event_of(error)))
}

impl MetricsSource for House {
    fn readings(&self) -> Readings {
        let pairs = self
            .certificates
            .iter()
            .flat_map(|kept| kept.pairs().to_vec());
        let certificates = pairs.map(|pair| Validity {
            file: absolute(&pair.paths.cert).display().to_string(),
            not_before: pair.not_before,
            not_after: pair.not_after,
        });
        Readings {
            started: self.started,
            devices: self.known.fleet.len() as u64,
            open_orders: open_orders(self.known.orders.acts(), &self.known.fleet) as u64,
            ends: &ENDS,
            files: self.catalogue.snapshot().verdicts(),
            image_bytes: self.store.used(),
            image_bytes_limit: self.settings.memory,
            certificates: certificates.collect(),
            upstream: self.front.upstream().map(|seen| UpstreamReading {
                is_up: !matches!(seen.state, Seen::Fails(_)),
                held: COUNTS.held(),
            }),
        }
    }
}
