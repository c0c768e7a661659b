//! The composition root: from settings to parts, from parts to listeners, and
//! to the end. Everything that can fail is built before the first byte is
//! served.

use crate::config::{Machine, Settings};
use crate::finding::Finding;
use crate::firmware::catalogue::Catalogue;
use crate::firmware::store::Store;
use crate::fleet::Fleet;
use crate::http::proxy::WEBSOCKET_PATH;
use crate::http::{AnswersChallenges, Front, FrontParts};
use crate::ota::address_audit::{self, PassedOn, Surroundings};
use crate::ota::credentials::Voice;
use crate::ota::public_url::{PublicAddress, Scheme, Source, VISION_PATH};
use crate::server::{Listeners, Service, raise_file_limit, shutdown};
use crate::tls::acme::{self, CertificateKeeper, Challenges};
use crate::tls::{self, Certificates, Mode};
use crate::util::sync::lock;
use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::ifaddrs::getifaddrs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};
use tokio::signal::unix::Signal;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// How long the first look at the firmware folder may hold up the first answer.
const FIRST_LOOK: Duration = Duration::from_millis(200);
/// How often certificate files are looked at. Links into other folders, as
/// certbot makes them, are beyond what the kernel's watches follow.
const CERTIFICATE_LOOK: Duration = Duration::from_secs(2);
/// How often certificates are audited where nothing changes but the time.
const AUDIT: Duration = Duration::from_secs(86_400);
/// How long what orders certificates rests if it breaks.
const KEEPER_AGAIN: Duration = Duration::from_secs(3600);

/// Runs the server until it is asked to stop.
pub async fn serve(settings: Settings) -> anyhow::Result<()> {
    let mut settings = settings;
    if let Some(file) = &settings.file {
        info!(file = %file.display(), "configuration read");
    } else {
        info!(
            "no {}: every setting has its default",
            crate::config::DEFAULT_FILE
        );
    }
    for warning in &settings.warnings {
        warn!("{warning}");
    }
    let stop = shutdown::on_signals().context("signals cannot be handled")?;
    let hangup = shutdown::on_hangup().context("signals cannot be handled")?;
    // One that is passed on holds another to the server behind.
    let files_each = if settings.proxy.routes.is_empty() {
        1
    } else {
        2
    };
    settings.limits.connections = raise_file_limit(settings.limits.connections, files_each);
    let listeners = Listeners::bind(&settings.bind)?;
    let ports = listeners.ports();
    if settings.public.source() == Source::Derived
        && let Some(&port) = ports.first()
    {
        // A port that the kernel chose is known only now.
        settings.public = PublicAddress::derived(settings.local_ip, port);
    }
    let certificates = certificates(&settings)?;
    let tls = certificates.clone().map(tls::server_config).transpose()?;
    let challenges = certificates.as_ref().map(|kept| kept.challenges());
    let keeper = keeper(&settings, challenges.as_ref())?;
    let dir = settings.catalogue.dir.clone();
    let catalogue = Catalogue::start(settings.catalogue.clone())
        .with_context(|| format!("gateway.firmware.dir: {}: cannot be kept", dir.display()))?;
    let catalogue = Arc::new(catalogue);

    for finding in audit(&settings, certificates.as_deref(), &ports) {
        warn!("{finding}");
    }
    let certificates = certificates.map(|kept| Arc::new(Audited::new(kept, settings.clone())));
    catalogue.wait_for_first_look(FIRST_LOOK);
    if let Some(certificates) = certificates.clone() {
        tokio::spawn(audit_daily(Arc::clone(&certificates)));
        tokio::spawn(watch_certificates(certificates));
    }
    tokio::spawn(follow_hangups(hangup, Arc::clone(&catalogue), certificates));

    announce(&settings, &listeners, &catalogue);
    let drain = settings.limits.drain;
    let service = Service {
        handler: Arc::new(front(&settings, catalogue, challenges)),
        tls,
        limits: settings.limits,
        // Behind a proxy that nobody here knows, every connection may come from
        // one address.
        fair: !settings.behind_proxy || !settings.trusted.is_empty(),
        trusted: settings.trusted,
    };
    // It runs once connections are accepted: a CA comes by one of them.
    let keeper = keeper.map(|keeper| tokio::spawn(keep(keeper, stop.asked.clone())));
    listeners.serve(service, &stop).await?;
    if let Some(keeper) = keeper {
        // A certificate that the CA is signing just now is not lost.
        tokio::select! {
            _ = tokio::time::timeout(drain, keeper) => {}
            () = stop.forced.cancelled() => {}
        }
    }
    info!("stopped");
    Ok(())
}

/// What orders certificates, if they are ordered.
fn keeper(
    settings: &Settings,
    challenges: Option<&Arc<Challenges>>,
) -> anyhow::Result<Option<CertificateKeeper>> {
    match (&settings.tls, challenges) {
        (Mode::Acme(acme), Some(challenges)) => {
            let keeper = CertificateKeeper::new(acme.clone(), Arc::clone(challenges));
            Ok(Some(keeper.map_err(|e| in_file(settings, &e))?))
        }
        _ => Ok(None),
    }
}

/// Runs the keeper, and anew if it ever breaks: without it the certificate ends.
async fn keep(keeper: CertificateKeeper, stop: CancellationToken) {
    while let Err(e) = tokio::spawn(keeper.clone().run(stop.clone())).await {
        error!(
            "what orders certificates broke ({e}): it begins again in {KEEPER_AGAIN:?}; please report it"
        );
        tokio::select! {
            () = tokio::time::sleep(KEEPER_AGAIN) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// What `validate` looks at of a certificate that is ordered at start.
pub fn check_acme(settings: &Settings) -> anyhow::Result<()> {
    keeper(settings, Some(&Arc::default())).map(|_| ())
}

impl AnswersChallenges for Challenges {
    fn answer(&self, token: &str) -> Option<String> {
        self.text(token)
    }
}

fn front(
    settings: &Settings,
    catalogue: Arc<Catalogue>,
    challenges: Option<Arc<Challenges>>,
) -> Front {
    Front::new(FrontParts {
        catalogue,
        store: Arc::new(Store::new(settings.memory)),
        fleet: Arc::new(Fleet::default()),
        public: settings.public.clone(),
        policy: settings.policy.clone(),
        voice: settings.voice.clone(),
        websocket: settings.websocket.clone(),
        timezone_offset: settings.timezone_offset,
        plain_http: settings.plain_http.clone(),
        behind_proxy: settings.behind_proxy,
        trusted: settings.trusted.clone(),
        proxy: settings.proxy.clone(),
        idle: settings.limits.idle,
        drain: settings.limits.drain,
        challenges: challenges.map(|challenges| challenges as Arc<dyn AnswersChallenges>),
        clock: SystemTime::now,
    })
}

/// What would hurt devices, from the address and from the certificates.
pub(crate) fn audit(
    settings: &Settings,
    certificates: Option<&Certificates>,
    ports: &[u16],
) -> Vec<Finding> {
    let around = Surroundings {
        bound: settings.bind.ip,
        ports,
        tls: settings.tls != Mode::Off,
        behind_proxy: settings.behind_proxy,
        http_ends: settings.plain_http.ends(),
        websocket: match &settings.voice {
            Voice::WebSocket { url, .. } => Some(url),
            Voice::Mqtt { .. } | Voice::Unreachable => None,
        },
        passed_on: PassedOn {
            voice: settings.proxy.passes_on(WEBSOCKET_PATH),
            vision: settings.proxy.passes_on(VISION_PATH),
        },
    };
    let mut findings = address_audit::audit(&settings.public, &around);
    if let Mode::Acme(acme) = &settings.tls
        && !settings.behind_proxy
    {
        // A CA sends no PROXY header.
        let both = ports.iter().zip(&settings.bind.ports);
        let direct = both.filter(|(_, port)| !port.proxy_protocol);
        let direct: Vec<_> = direct.map(|(number, _)| *number).collect();
        findings.extend(acme::audit(acme, &direct));
    }
    findings.extend(audit_certificates(settings, certificates));
    findings
}

fn audit_certificates(settings: &Settings, certificates: Option<&Certificates>) -> Vec<Finding> {
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

/// Certificates as configured; faults name the file that names them.
pub(crate) fn certificates(settings: &Settings) -> anyhow::Result<Option<Arc<Certificates>>> {
    Certificates::load(&settings.tls, SystemTime::now()).map_err(|e| in_file(settings, &e))
}

/// An error, each of its lines with the file that names what it speaks of.
fn in_file(settings: &Settings, error: &dyn std::error::Error) -> anyhow::Error {
    let file = settings
        .file
        .as_deref()
        .unwrap_or(Path::new(crate::config::DEFAULT_FILE));
    let lines: Vec<_> = error
        .to_string()
        .lines()
        .map(|line| format!("{}: {line}", file.display()))
        .collect();
    anyhow::anyhow!(lines.join("\n"))
}

/// The start-up lines, the guide's own first.
fn announce(settings: &Settings, listeners: &Listeners, catalogue: &Catalogue) {
    for (address, proxied) in listeners.addresses() {
        let takes = if settings.tls == Mode::Off {
            "HTTP"
        } else {
            "HTTP and TLS"
        };
        let header = if proxied {
            " behind a PROXY header"
        } else {
            ""
        };
        info!(%address, "listening, {takes}{header}");
    }
    info!(
        dir = %settings.catalogue.dir.display(), images = catalogue.snapshot().len(),
        "firmware folder, files named {{model}}_{{version}}.bin"
    );
    for (model, version) in &settings.policy.pins {
        let snapshot = catalogue.snapshot();
        if !snapshot
            .model(model)
            .iter()
            .any(|entry| entry.version == *version)
        {
            warn!(%model, %version, "gateway.firmware.pin: no file has this version now: its devices are offered nothing");
        }
    }
    info!("OTA接口是           {}", settings.public.ota_url());
    info!("视觉分析接口是        {}", settings.public.vision_url());
}

/// SIGHUP: certificates and firmware are read again.
async fn follow_hangups(
    mut hangup: Signal,
    catalogue: Arc<Catalogue>,
    certificates: Option<Arc<Audited>>,
) {
    while hangup.recv().await.is_some() {
        info!("SIGHUP: certificates and firmware are read again (settings need a restart)");
        catalogue.look_again();
        if let Some(certificates) = &certificates {
            look(&certificates.kept, Certificates::reload).await;
            certificates.warn_of_all();
        }
    }
}

/// Takes up certificate files that change.
async fn watch_certificates(certificates: Arc<Audited>) {
    let mut every = tokio::time::interval(CERTIFICATE_LOOK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if look(&certificates.kept, Certificates::reload_if_changed).await {
            certificates.warn_of_all();
        }
    }
}

/// Says what of the certificates would hurt devices from this day on: what was
/// said already is not said every day.
async fn audit_daily(certificates: Arc<Audited>) {
    let start = tokio::time::Instant::now() + AUDIT;
    let mut daily = tokio::time::interval_at(start, AUDIT);
    loop {
        daily.tick().await;
        certificates.warn_of_news();
    }
}

/// Looks for new certificates by `how`; whether there are any.
async fn look(
    certificates: &Arc<Certificates>,
    how: fn(&Certificates, SystemTime) -> bool,
) -> bool {
    let certificates = Arc::clone(certificates);
    let look = spawn_blocking(move || how(&certificates, SystemTime::now()));
    // A failed look has said why.
    look.await.unwrap_or(false)
}

/// The certificates, and what was said of them.
struct Audited {
    kept: Arc<Certificates>,
    settings: Settings,
    told: Mutex<Vec<String>>,
}

impl Audited {
    /// What there is to say at start has been said.
    fn new(kept: Arc<Certificates>, settings: Settings) -> Self {
        let mut told = Vec::new();
        news(&mut told, audit_certificates(&settings, Some(&kept)));
        Self {
            kept,
            settings,
            told: Mutex::new(told),
        }
    }

    fn warn_of_all(&self) {
        self.told().clear();
        self.warn_of_news();
    }

    fn warn_of_news(&self) {
        let findings = audit_certificates(&self.settings, Some(&self.kept));
        for finding in news(&mut self.told(), findings) {
            warn!("{finding}");
        }
    }

    fn told(&self) -> MutexGuard<'_, Vec<String>> {
        lock(&self.told)
    }
}

/// Those of the findings that were not told of last time.
fn news(told: &mut Vec<String>, findings: Vec<Finding>) -> Vec<Finding> {
    let topics = findings.iter().map(tls::audit::topic).collect();
    let before = std::mem::replace(told, topics);
    let is_new = |finding: &Finding| !before.contains(&tls::audit::topic(finding));
    findings.into_iter().filter(is_new).collect()
}

/// What of this machine a configuration depends on.
pub fn machine() -> Machine {
    let addresses: Vec<IpAddr> = getifaddrs()
        .into_iter()
        .flatten()
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
        })
        .filter(|ip| !ip.is_loopback())
        .collect();
    let first = || addresses.iter().find(|ip| ip.is_ipv4()).copied();
    Machine {
        local_ip: route_outside()
            .or_else(first)
            .unwrap_or(Ipv4Addr::LOCALHOST.into()),
        addresses,
        now: Timestamp::now(),
        time_zone: TimeZone::system(),
    }
}

/// The address from which this machine would speak to the outside. Connecting a
/// datagram socket sends nothing.
fn route_outside() -> Option<IpAddr> {
    let outside = SocketAddr::from(([198, 51, 100, 1], 9)); // RFC 5737: documentation
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(outside).ok()?;
    socket
        .local_addr()
        .ok()
        .map(|a| a.ip())
        .filter(|ip| !ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_says_what_is_new_and_no_more() {
        let ends = |when: &str, hours: u32| {
            Finding::new(format!("a.pem ends {when} ({hours} h left): no."), "none.")
        };
        let other = || Finding::new("b.pem is self-signed.", "none.");
        let mut told = Vec::new();
        let mut said = |findings| news(&mut told, findings).len();
        assert_eq!(said(vec![other(), ends("within 30 days", 700)]), 2);
        assert_eq!(said(vec![other(), ends("within 30 days", 676)]), 0);
        assert_eq!(said(vec![other(), ends("within two weeks", 330)]), 1);
        assert_eq!(said(vec![ends("within two weeks", 306)]), 0);
        assert_eq!(said(vec![other(), ends("within a week", 160)]), 2);
    }
}
