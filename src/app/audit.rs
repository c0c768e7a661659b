//! Audits the settings that run for what would hurt devices: at the start, after each
//! change, and once a day.

use super::machine::{network, own_address};
use super::names;
use crate::config::{Settings, self_signed_names};
use crate::event::{self, Event, event, tell};
use crate::firmware;
use crate::firmware::catalogue::Catalogue;
use crate::ota::address_audit::{self, Lookup, Origin, PassedOn, Surroundings, to_look_up};
use crate::ota::credentials::Voice;
use crate::ota::network::Network;
use crate::ota::pins;
use crate::ota::public_url::{Scheme, Source, VISION_PATH, WEBSOCKET_PATH};
use crate::tls::{self, Certificates, Mode, acme};
use crate::util::addresses::own_addresses;
use crate::util::supervise::blocking;
use crate::util::sync::lock;
use arc_swap::ArcSwap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;

/// Period of the audit where nothing changes but the time.
const EVERY: Duration = Duration::from_secs(86_400);
/// First rest before a name without an address is looked up again; each one that follows
/// is twice as long.
const RETRY: Duration = Duration::from_secs(60);

/// Returns what would hurt devices, from the addresses and from the certificates.
pub(crate) fn audit(
    settings: &Settings,
    certificates: Option<&Certificates>,
    ports: &[u16],
    lookups: &[Lookup],
) -> Vec<Event> {
    let mut findings = audit_address(settings, ports, &network(), lookups);
    findings.extend(audit_certificates(settings, certificates));
    findings
}

/// Returns the aliases and pins that hold nobody, by the names of the files alone: none of
/// them is looked into.
pub(crate) fn audit_names(settings: &Settings) -> Vec<Event> {
    // A folder that cannot be read is spoken of elsewhere.
    let Ok(files) = firmware::names(&settings.catalogue.dir) else {
        return Vec::new();
    };
    let mut findings = settings.policy.aliases.audit(&files);
    findings.extend(pins::audit_names(&settings.policy, &files));
    findings
}

/// Returns what of the addresses would hurt devices where these ports are listened on.
pub(super) fn audit_address(
    settings: &Settings,
    ports: &[u16],
    network: &Network,
    lookups: &[Lookup],
) -> Vec<Event> {
    let websocket = settings.websocket_url();
    let proxied = ports.iter().zip(&settings.bind.ports);
    let proxied = proxied.filter(|(_, port)| port.proxy_protocol);
    let proxied: Vec<_> = proxied.map(|(number, _)| *number).collect();
    let around = Surroundings {
        proxied: &proxied,
        ..surroundings(settings, ports, network, lookups, websocket.as_deref())
    };
    let mut findings = address_audit::audit(&settings.public, &around);
    if let Mode::Acme(acme) = &settings.tls {
        // A CA sends no PROXY header.
        let both = ports.iter().zip(&settings.bind.ports);
        let direct = both.filter(|(_, port)| !port.proxy_protocol);
        let direct: Vec<_> = direct.map(|(number, _)| *number).collect();
        // What sends such a header may pass on TLS as it came.
        let passes_tls =
            settings.behind_proxy && settings.bind.ports.iter().any(|p| p.proxy_protocol);
        let reachable = (!passes_tls).then_some(acme::Reachable {
            ports: &direct,
            is_loopback: settings.bind.ip.is_some_and(|ip| ip.is_loopback()),
            is_behind: settings.behind_proxy,
        });
        findings.extend(acme::audit(acme, reachable));
        if settings.public.source() != Source::Derived
            && settings.public.url().scheme == Scheme::Http
        {
            findings.push(event!(
                ACME_PLAIN_ADDRESS,
                setting = settings.public.source().setting(),
                url = settings.public.url().to_string(),
                name = acme.names.first()
            ));
        }
    }
    findings
}

fn surroundings<'a>(
    settings: &'a Settings,
    ports: &'a [u16],
    network: &'a Network,
    lookups: &'a [Lookup],
    websocket: Option<&'a str>,
) -> Surroundings<'a> {
    let (websocket, mqtt) = match &settings.voice {
        Voice::WebSocket { .. } => (websocket, None),
        Voice::Mqtt { endpoint, .. } => (None, Some(&**endpoint)),
    };
    // Then another server hands out where devices speak, and where pictures go.
    let is_ours = settings.upstream.is_none();
    let (websocket, mqtt) = (websocket.filter(|_| is_ours), mqtt.filter(|_| is_ours));
    Surroundings {
        bound: settings.bind.ip,
        ports,
        proxied: &[],
        tls: settings.tls != Mode::Off,
        behind_proxy: settings.behind_proxy,
        http_ends: settings.plain_http.ends(),
        websocket,
        websocket_from: if settings.websocket.is_made_up()
            || !settings.places.is_written("server.websocket")
        {
            Origin::MadeUp
        } else {
            Origin::Written
        },
        mqtt,
        passed_on: PassedOn {
            voice: settings.proxy.passes_on(WEBSOCKET_PATH),
            vision: !is_ours || settings.proxy.passes_on(VISION_PATH),
        },
        network,
        lookups,
    }
}

/// Looks up the names that devices are handed. Blocks for a while.
pub(crate) fn look_up_names(settings: &Settings) -> Vec<Lookup> {
    let websocket = settings.websocket_url();
    let network = Network::default();
    let around = surroundings(settings, &[], &network, &[], websocket.as_deref());
    names::look_up(to_look_up(&settings.public, &around))
}

/// Returns the settings as this machine's address makes them now.
fn as_of_now(settings: &Settings, port: Option<u16>) -> Settings {
    let mut now = settings.clone();
    let own = own_address().map_or(Ipv4Addr::LOCALHOST.into(), IpAddr::V4);
    now.machine_ip = own;
    if settings.public.source() == Source::Derived
        && let Some(port) = port
    {
        now.local_ip = match settings.bind.ip {
            Some(bound) if !bound.is_unspecified() => bound,
            _ => own,
        };
        now.make_up(port, SystemTime::now());
    }
    now
}

fn audit_certificates(settings: &Settings, certificates: Option<&Certificates>) -> Vec<Event> {
    let url = settings.public.url();
    // A proxy that names its clients in a PROXY header may leave their TLS to us.
    let ends_here =
        !settings.behind_proxy || settings.bind.ports.iter().any(|port| port.proxy_protocol);
    if url.scheme != Scheme::Https || !ends_here || settings.tls == Mode::Off {
        return Vec::new();
    }
    let pairs = certificates.map(Certificates::pairs).unwrap_or_default();
    tls::audit::audit(&url.host, &settings.tls, &pairs, SystemTime::now())
}

/// Says what an audit found, and remembers what was said.
#[derive(Debug)]
pub(super) struct Auditor {
    running: Arc<ArcSwap<Settings>>,
    certificates: Option<Arc<Certificates>>,
    catalogue: Arc<Catalogue>,
    /// True once the names in the settings were held against those of the files.
    has_held_names: AtomicBool,
    /// The ports, as bound.
    ports: Vec<u16>,
    told: Mutex<Vec<Event>>,
    /// Outcomes of the names that devices are handed, as far as they were looked up.
    lookups: Mutex<Vec<Lookup>>,
    /// Names that may be others.
    renamed: Notify,
    /// The OTA address that was said last, where it is this machine's.
    said: Mutex<String>,
}

impl Auditor {
    pub(super) fn new(
        running: Arc<ArcSwap<Settings>>,
        certificates: Option<Arc<Certificates>>,
        catalogue: Arc<Catalogue>,
        ports: Vec<u16>,
    ) -> Self {
        Self {
            running,
            certificates,
            catalogue,
            has_held_names: AtomicBool::new(false),
            ports,
            told: Mutex::default(),
            lookups: Mutex::default(),
            renamed: Notify::new(),
            said: Mutex::default(),
        }
    }

    /// Returns the settings that run, as this machine's address makes them now.
    pub(super) fn settings(&self) -> Settings {
        as_of_now(&self.running.load(), self.ports.first().copied())
    }

    /// Returns what the last round found, hints too, each with its place in the configuration.
    pub(super) fn findings(&self) -> Vec<Event> {
        let running = self.running.load();
        let placed = |finding: &Event| {
            let place = running.places.place(finding.setting());
            finding.clone().of("place", place.to_string())
        };
        lock(&self.told).iter().map(placed).collect()
    }

    /// Says what there is now and was not there last time.
    pub(super) fn say_news(&self) {
        let settings = self.settings();
        let lookups = lock(&self.lookups).clone();
        let mut findings = audit(
            &settings,
            self.certificates.as_deref(),
            &self.ports,
            &lookups,
        );
        findings.extend(self.audit_names(&settings));
        for finding in news(&mut lock(&self.told), findings) {
            let place = settings.places.place(finding.setting());
            event::say(&finding.of("place", place.to_string()));
        }
    }

    /// Says all there is of the certificates, for they are others now.
    fn say_of_certificates(&self) {
        let settings = self.running.load();
        let findings = audit_certificates(&settings, self.certificates.as_deref());
        lock(&self.told).retain(|told| !findings.iter().any(|finding| finding.is_like(told)));
        self.say_news();
    }

    /// Returns the aliases and pins that hold nobody, once the folder has been looked at.
    fn audit_names(&self, settings: &Settings) -> Vec<Event> {
        if !self.catalogue.has_looked() {
            return Vec::new();
        }
        self.has_held_names.store(true, Ordering::Relaxed);
        let (snapshot, policy) = (self.catalogue.snapshot(), &settings.policy);
        let mut findings = policy.aliases.audit(snapshot.names());
        findings.extend(pins::audit_files(policy, &snapshot));
        findings
    }

    /// Says each day what is new, and looks the names up that devices are handed: at the
    /// start, after a change, once a day, and again and again where one has no address,
    /// for the network may come later than this server.
    pub(super) async fn each_day(self: &Arc<Self>) {
        let mut rest = RETRY;
        loop {
            let settings = self.settings();
            let Some(lookups) = blocking(move || look_up_names(&settings)).await else {
                return;
            };
            let is_whole = lookups.iter().all(|lookup| lookup.found.is_ok());
            *lock(&self.lookups) = lookups;
            let here = Arc::clone(self);
            blocking(move || here.say_news()).await;
            rest = if is_whole { EVERY } else { rest };
            tokio::select! {
                () = tokio::time::sleep(rest) => rest = (rest * 2).min(EVERY),
                () = self.renamed.notified() => rest = RETRY,
            }
            if is_whole {
                rest = RETRY;
            }
        }
    }

    /// Has the names looked up again.
    pub(super) fn look_up_again(&self) {
        self.renamed.notify_one();
    }

    /// Follows this machine's address: says it where it is the OTA address and has
    /// changed, and has it in the certificate that is signed here.
    pub(super) fn follow_address(&self) {
        // A big folder may have taken longer than the start.
        if self.catalogue.has_looked() && !self.has_held_names.load(Ordering::Relaxed) {
            self.say_news();
        }
        let settings = self.settings();
        if let Some(certificates) = &self.certificates
            && matches!(settings.tls, Mode::SelfSigned { follows: true, .. })
        {
            let names = self_signed_names(&settings.public.host(), &own_addresses());
            certificates.follow(names, SystemTime::now());
        }
        if settings.public.source() != Source::Derived {
            return;
        }
        let url = settings.public.ota_url();
        let before = std::mem::replace(&mut *lock(&self.said), url.clone());
        if !before.is_empty() && before != url {
            tell!(OTA_ADDRESS, url = url);
            self.say_news();
        }
    }

    /// Looks for new certificates by `how`, and says what there is of them.
    pub(super) async fn look(&self, how: fn(&Certificates, SystemTime) -> bool) {
        let Some(certificates) = self.certificates.clone() else {
            return;
        };
        if blocking(move || how(&certificates, SystemTime::now())).await == Some(true) {
            self.say_of_certificates();
        }
    }
}

/// Returns those of the findings that were not told of last time.
fn news(told: &mut Vec<Event>, findings: Vec<Event>) -> Vec<Event> {
    let before = std::mem::replace(told, findings.clone());
    let is_new = |finding: &Event| !before.iter().any(|told| told.is_like(finding));
    findings.into_iter().filter(is_new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::event;

    #[test]
    fn a_day_says_what_is_new_and_no_more() {
        let ends = |days: u8, hours: u64| {
            event!(
                CERTIFICATE_EXPIRING,
                setting = "",
                file = "a.pem",
                days = days,
                hours = hours,
                acme = false
            )
        };
        let other = || event!(CERTIFICATE_SELF_SIGNED, setting = "", file = "b.pem");
        let mut told = Vec::new();
        let mut said = |findings| news(&mut told, findings).len();
        assert_eq!(said(vec![other(), ends(30, 700)]), 2);
        assert_eq!(said(vec![other(), ends(30, 676)]), 0);
        assert_eq!(said(vec![other(), ends(14, 330)]), 1);
        assert_eq!(said(vec![ends(14, 306)]), 0);
        assert_eq!(said(vec![other(), ends(7, 160)]), 2);
    }
}
