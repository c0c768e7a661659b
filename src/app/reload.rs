//! SIGHUP: the configuration, the certificates and the firmware folder are read again.
//! A configuration that the start would refuse changes nothing.

use super::admin::RunningAdmin;
use super::audit::Auditor;
use super::changes::{Changes, Process};
use super::said::say_upstream;
use super::{acme, front_settings, machine, refused};
use crate::config::{self, ConfigError, ConfigFault, ConfigFaults, Settings};
use crate::event::{self, tell};
use crate::firmware::catalogue::Catalogue;
use crate::fleet::Fleet;
use crate::http::Front;
use crate::server::{Bind, Limits, Port};
use crate::telemetry::logs::Threshold;
use crate::tls::Certificates;
use crate::tls::acme::{CertificateKeeper, Challenges};
use crate::util::nofile;
use crate::util::supervise::blocking;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::signal::unix::Signal;
use tokio::sync::{Mutex, watch};

/// The settings that run, and everybody who is told of a change.
#[derive(Debug)]
pub(super) struct Reloader {
    /// The settings that run. Those that need a restart are as the file had them then.
    pub(super) running: Arc<ArcSwap<Settings>>,
    /// The ports, as bound.
    pub(super) ports: Vec<u16>,
    /// Number of connections that there may be.
    pub(super) connections: usize,
    pub(super) threshold: Threshold,
    pub(super) front: Arc<Front>,
    /// Memory of devices.
    pub(super) fleet: Arc<Fleet>,
    pub(super) limits: Arc<ArcSwap<Limits>>,
    /// The admin address; `None` where it is off.
    pub(super) admin: Option<RunningAdmin>,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) keepers: Option<watch::Sender<CertificateKeeper>>,
    pub(super) auditor: Arc<Auditor>,
}

impl Reloader {
    /// Reads everything again at each SIGHUP. One that comes meanwhile is not lost;
    /// many are one.
    pub(super) async fn follow(self: &Arc<Self>, hangup: &Mutex<Signal>) {
        let mut hangup = hangup.lock().await;
        while hangup.recv().await.is_some() {
            tell!(RELOAD);
            let here = Arc::clone(self);
            // Files are read, and may lie on a disk that hangs.
            blocking(move || here.reload()).await;
            // Certificates that stand where they stood may be others.
            self.auditor.look(Certificates::reload).await;
            let auditor = Arc::clone(&self.auditor);
            blocking(move || auditor.say_news()).await;
            self.auditor.look_up_again();
            self.catalogue.look_again();
        }
    }

    fn reload(&self) {
        // Whatever is wrong with the configuration: somebody may know the one before.
        if let Some(admin) = &self.admin {
            admin.read_own();
        }
        if let Err(e) = self.take() {
            let faults = match e.downcast_ref() {
                Some(ConfigError { faults, .. }) => Some(faults),
                _ => e.downcast_ref::<ConfigFaults>(),
            };
            match faults {
                Some(ConfigFaults(faults)) => {
                    for fault in faults {
                        tell!(CONFIG_REFUSED, what = &fault.event);
                    }
                }
                None => {
                    for line in format!("{e:#}").lines() {
                        tell!(CONFIG_REFUSED, what = line);
                    }
                }
            }
        }
    }

    /// Takes up the configuration, or nothing of it.
    fn take(&self) -> anyhow::Result<()> {
        let running = self.running.load_full();
        let mut machine = machine();
        // Defaults that follow it hold to the end.
        machine.memory = running.machine_memory;
        let ports = running.bind.ports.iter().zip(&self.ports);
        machine.bound = Some(Bind {
            ip: running.bind.ip,
            ports: ports
                .map(|(port, &number)| Port { number, ..*port })
                .collect(),
        });
        let new = config::load_again(running.file.as_deref(), &machine)?;
        let process = Process {
            ports: &self.ports,
            has_room_behind: nofile::raise(2).is_none_or(|r| r.connections >= self.connections),
            now: SystemTime::now(),
        };
        let changes = Changes::between(&running, new, process);
        let settings = &changes.settings;
        let keeper = acme::keeper(settings, self.challenges().as_ref())?;
        // Another token may stand in a file of the same name.
        let admin = self.admin.as_ref();
        let tokens = admin.map(|_| RunningAdmin::read(settings)).transpose()?;
        // The last that can fail, and the first that is seen from outside.
        if let Some(certificates) = &self.certificates
            && settings.tls != running.tls
        {
            let change = certificates.change(&settings.tls, SystemTime::now());
            change.map_err(|e| refused(settings, e.by_setting()))?;
        }
        // An audit holds the certificates that answer against these.
        self.running.store(Arc::new(settings.clone()));
        if let (Some(keepers), Some(keeper)) = (&self.keepers, keeper)
            && settings.tls != running.tls
        {
            keepers.send_replace(keeper);
        }
        if let (Some(admin), Some(tokens)) = (admin, tokens) {
            admin.change(tokens, &settings.limits);
        }
        self.front.change(front_settings(settings));
        self.fleet.change(settings.fleet);
        self.catalogue.change(settings.catalogue.clone());
        self.limits.store(Arc::new(Limits {
            connections: self.connections,
            ..settings.limits.clone()
        }));
        let said = &running.warnings;
        // One that has moved to another line is no news.
        let is_new = |w: &&ConfigFault| !said.iter().any(|before| before.says_same(w));
        for warning in settings.warnings.iter().filter(is_new) {
            event::say(&warning.event);
        }
        say(&changes);
        if settings.upstream != running.upstream {
            say_upstream(settings.upstream.as_ref());
        }
        // Last: a higher level would keep all that from being said.
        self.threshold.set(settings.log.level);
        Ok(())
    }

    fn challenges(&self) -> Option<Arc<Challenges>> {
        self.certificates.as_ref().map(|kept| kept.challenges())
    }
}

/// Says what became of a configuration, by its keys.
fn say(changes: &Changes) {
    for (key, wait) in &changes.waiting {
        let place = changes.settings.places.place(key).to_string();
        event::say(&wait.event(key).of("place", place));
    }
    if changes.taken.is_empty() {
        tell!(CONFIG_SAME);
    } else {
        tell!(CONFIG_CHANGED, keys = &*changes.taken);
    }
}
