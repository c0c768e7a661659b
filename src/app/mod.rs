//! The composition root: from settings to parts, from parts to listeners, and
//! to the end. Everything that can fail is built before the first byte is
//! served.

mod acme;
mod admin;
mod audit;
mod behind;
mod changes;
mod clock;
mod fleet;
mod hold;
mod house;
pub(crate) mod known;
mod machine;
mod names;
mod past;
pub(crate) mod publishing;
mod releases;
mod reload;
mod said;
mod server_view;

pub(crate) use acme::check_acme;
pub(crate) use audit::{audit, audit_names, look_up_names};
pub(crate) use machine::machine;

use crate::admin::settings::read_tokens;
use crate::config::{ConfigFault, ConfigFaults, Settings};
use crate::event::text::Text;
use crate::event::{self, Event, Value, event, tell};
use crate::firmware::catalogue::{Catalogue, CatalogueError};
use crate::firmware::store::Store;
use crate::fleet::state_folder::{self, StateError, StateFolder};
use crate::http::{AnswersChallenges, BodyBudget, Front, FrontParts, FrontSettings, MadeUp};
use crate::ota::public_url::Source;
use crate::server::shutdown::Stop;
use crate::server::{
    self, Limits, ListenError, Listeners, Service, Workers, check_address, raise_file_limit,
    shutdown,
};
use crate::telemetry::logs::{LogError, Threshold};
use crate::tls::acme::Challenges;
use crate::tls::{self, Certificates};
use crate::util::allocator;
use crate::util::paths::absolute;
use crate::util::supervise::{End, Supervisor, blocking};
use crate::util::threads::NoThread;
use crate::util::way;
use anyhow::Context as _;
use arc_swap::ArcSwap;
use audit::Auditor;
use hold::Hold;
use house::House;
use releases::Releases;
use reload::Reloader;
use said::{announce, say_certificates, say_room, say_source};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Mutex, watch};
use tokio::time::{MissedTickBehavior, interval};

/// Longest time that the first look at the firmware folder may hold up the first answer.
const FIRST_LOOK: Duration = Duration::from_millis(200);
/// Period between looks at certificate files. Links into other folders, as certbot makes
/// them, are beyond what the kernel's watches follow.
const CERTIFICATE_LOOK: Duration = Duration::from_secs(2);
/// Period between looks at this machine's address, where something follows it.
const ADDRESS_LOOK: Duration = Duration::from_secs(2);

/// Reason why a running server ended that nobody asked to.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Ended(pub(crate) Event);

/// Runs the server until it is asked to stop.
pub(crate) async fn serve(mut settings: Settings, threshold: Threshold) -> anyhow::Result<()> {
    say_source(&settings);
    let stop = shutdown::on_signals().context("signals cannot be handled")?;
    let hangup = shutdown::on_hangup().context("signals cannot be handled")?;
    // One that is passed on holds another to the server behind.
    let files_each = 1 + u64::from(!settings.proxy.routes.is_empty());
    let connections = raise_file_limit(settings.limits.connections, files_each);
    say_room(&settings, connections);
    let broken = End::default();
    let workers = Workers::start(&broken)?;
    let listeners = listen(&settings, &workers)?;
    let ports = listeners.ports();
    if settings.public.source() == Source::Derived
        && let Some(&port) = ports.first()
    {
        // A port that the kernel chose is known only now.
        settings.make_up(port, SystemTime::now());
    }
    let state = state_folder(&settings)?;
    let known = fleet::known(&settings, state.as_ref())?;
    let admin = admin::open(&settings, state.as_ref(), &workers)?;
    let certificates = certificates(&settings)?;
    let tls = certificates.clone().map(tls::server_config).transpose()?;
    let challenges = certificates.as_ref().map(|kept| kept.challenges());
    let keeper = acme::keeper(&settings, challenges.as_ref())?;
    let catalogue = Arc::new(catalogue(&settings)?);
    let running = Arc::new(ArcSwap::from_pointee(settings.clone()));
    let auditor = Arc::new(Auditor::new(
        Arc::clone(&running),
        certificates.clone(),
        Arc::clone(&catalogue),
        ports.clone(),
    ));
    catalogue.wait_for_first_look(FIRST_LOOK);
    auditor.say_news();
    say_certificates(certificates.as_deref());
    announce(&settings, &listeners, admin.as_ref(), &catalogue);
    allocator::give_back();

    fleet::wait(&known).await;
    let limits = limits(&settings, connections);
    let store = Arc::new(Store::new(settings.memory));
    let releases = Releases::new(&known, &catalogue, &store, state.as_ref(), &running);
    let releases = Arc::new(releases);
    let front = front(&settings, &catalogue, &store, &known, challenges, &stop);
    let front = Arc::new(front);
    let running_admin = admin.as_ref().map(admin::AdminDoor::running);
    let admin = admin.map(|admin| {
        let house = House {
            known: known.clone(),
            catalogue: Arc::clone(&catalogue),
            store,
            certificates: certificates.clone(),
            front: Arc::clone(&front),
            auditor: Arc::clone(&auditor),
            listeners: admin.listeners(&settings, &listeners),
            running: Arc::clone(&running),
            settings: settings.clone(),
            state: state.clone(),
            started: SystemTime::now(),
        };
        admin.service(&settings, house, Arc::clone(&releases), tls.clone())
    });
    let hold = Hold::new(state.as_ref(), &known, running_admin.as_ref());
    let (keepers, of_now) = keeper.map(watch::channel).unzip();
    let reloader = Arc::new(Reloader {
        running,
        ports,
        connections,
        threshold,
        front: Arc::clone(&front),
        fleet: Arc::clone(&known.fleet),
        limits: Arc::clone(&limits),
        admin: running_admin,
        catalogue,
        certificates,
        keepers,
        auditor: Arc::clone(&auditor),
    });
    let supervisor = Supervisor::new(stop.asked.clone());
    fleet::keep(&supervisor, &known);
    fleet::count_held(&supervisor, &known, &reloader.running);
    releases::keep(&supervisor, &releases);
    hold::keep(&supervisor, hold);
    keep_all(&supervisor, auditor, reloader, hangup);
    // It runs once connections are accepted: a CA comes by one of them.
    let orders = of_now.map(|keepers| acme::spawn(supervisor, keepers, &stop));
    let service = of_devices(&settings, front, tls, &limits);
    let devices = listeners.open(service, &workers, &stop)?;
    let admin = admin.map(|(listeners, service)| listeners.open(service, &workers, &stop));
    let open = [Some(devices), admin.transpose()?].into_iter().flatten();
    tokio::select! {
        () = server::serve(open.collect(), &limits, &stop) => {}
        Some(reason) = broken.asked() => return Err(Ended(reason).into()),
    }
    workers.end();
    if let Some(orders) = orders {
        acme::finish(orders, &stop).await;
    }
    fleet::end(&known).await;
    // From here on another server may have it.
    state.iter().for_each(StateFolder::release);
    tell!(STOPPED);
    Ok(())
}

/// Returns what serves devices.
fn of_devices(
    settings: &Settings,
    front: Arc<Front>,
    tls: Option<Arc<rustls::ServerConfig>>,
    limits: &Arc<ArcSwap<Limits>>,
) -> Service<Front> {
    Service {
        handler: front,
        tls,
        limits: Arc::clone(limits),
        // Behind a proxy that nobody here knows, every connection may come from
        // one address.
        fair: !settings.behind_proxy || !settings.trusted.is_empty(),
        trusted: settings.trusted.clone(),
    }
}

/// Binds the ports of devices.
fn listen(settings: &Settings, workers: &Workers) -> anyhow::Result<Listeners> {
    Listeners::bind(&settings.bind, workers).map_err(|error| match error {
        ListenError::NotOurs { .. } => {
            let what = [(ip_setting(settings).to_owned(), Event::from(&error))];
            refused(settings, what).into()
        }
        error => error.into(),
    })
}

/// Returns the limits that hold from the start on, with room for so many connections.
fn limits(settings: &Settings, connections: usize) -> Arc<ArcSwap<Limits>> {
    Arc::new(ArcSwap::from_pointee(Limits {
        connections,
        ..settings.limits.clone()
    }))
}

/// Takes the state folder. Without one that can be written devices are answered all the same.
fn state_folder(settings: &Settings) -> anyhow::Result<Option<StateFolder>> {
    match StateFolder::open(&settings.state) {
        Ok(folder) => Ok(Some(folder)),
        Err(StateError::Held(what) | StateError::Unfinished(what)) => {
            Err(refused(settings, [("gateway.state".to_owned(), what)]).into())
        }
        Err(StateError::Unwritable(event)) => {
            event::say(&event);
            Ok(None)
        }
    }
}

/// Returns the state folder of a configuration, for a command that needs what a server keeps
/// there. It is the one that the server finds which is started in the same place.
///
/// # Errors
///
/// There is none, and the event names where it was looked for.
pub(crate) fn find_state(settings: &Settings) -> Result<PathBuf, Event> {
    if settings.state.is_dir() {
        return Ok(settings.state.clone());
    }
    let dirs = state_places(settings);
    Err(event!(STATE_NOT_FOUND, dirs = &*dirs))
}

/// Returns where the state folder of these settings is looked for.
pub(crate) fn state_places(settings: &Settings) -> Vec<String> {
    let mut dirs = vec![absolute(&settings.state)];
    if !settings.places.is_written("gateway.state") {
        let others = state_folder::places(Path::new("")).map(|place| absolute(&place));
        dirs.extend(
            others
                .into_iter()
                .filter(|other| *other != absolute(&settings.state)),
        );
    }
    dirs.iter().map(|dir| dir.display().to_string()).collect()
}

/// Returns the token of the server that runs with these settings, and the file that it lies in.
///
/// # Errors
///
/// There is no state folder, or no token in it, or this user may not read it.
pub(crate) fn admin_token(settings: &Settings) -> Result<(PathBuf, String), Event> {
    let dir = find_state(settings)?;
    let file = absolute(&dir).join(admin::OWN);
    match state_folder::read_admin_token(&dir) {
        Ok(token) => Ok((file, token)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(event!(ASK_TOKEN_DENIED, file = file, error = &error))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(event!(ASK_TOKEN_MISSING, file = file))
        }
        Err(error) => Err(event!(ASK_TOKEN_UNREADABLE, file = file, error = &error)),
    }
}

/// Begins to keep the firmware folder.
fn catalogue(settings: &Settings) -> anyhow::Result<Catalogue> {
    Catalogue::start(settings.catalogue.clone()).map_err(|error| match error {
        CatalogueError::Folder(error) => {
            let dir = absolute(&settings.catalogue.dir);
            let what = way::to_write(&dir.join("a"));
            let what = event!(FOLDER_UNKEPT, dir = dir, error = &error, what = what);
            refused(settings, [("gateway.firmware.dir".to_owned(), what)]).into()
        }
        CatalogueError::Thread(none) => none.into(),
    })
}

/// Starts what runs for ever beside the connections.
fn keep_all(
    supervisor: &Supervisor,
    auditor: Arc<Auditor>,
    reloader: Arc<Reloader>,
    hangup: tokio::signal::unix::Signal,
) {
    let (daily, kept) = (Arc::clone(&auditor), supervisor.clone());
    tokio::spawn(async move {
        let each_day = || daily.each_day();
        kept.task(Text::new("每日检查", "the daily audit"), each_day)
            .await;
    });
    let (kept, followed) = (supervisor.clone(), Arc::clone(&auditor));
    tokio::spawn(async move {
        let follow = || follow_address(&followed);
        kept.task(
            Text::new("查看本机地址", "the look at this machine's address"),
            follow,
        )
        .await;
    });
    let kept = supervisor.clone();
    tokio::spawn(async move {
        kept.task(Text::new("查看时钟", "the look at the clock"), clock::watch)
            .await;
    });
    let kept = supervisor.clone();
    if reloader.certificates.is_some() {
        tokio::spawn(async move {
            let watch = || watch_certificates(&auditor);
            kept.task(
                Text::new("查看证书文件", "the look at the certificate files"),
                watch,
            )
            .await;
        });
    }
    let kept = supervisor.clone();
    let hangup = Mutex::new(hangup);
    tokio::spawn(async move {
        let follow = || reloader.follow(&hangup);
        kept.task(
            Text::new("按 SIGHUP 重新加载", "what SIGHUP asks for"),
            follow,
        )
        .await;
    });
}

/// Follows this machine's address.
async fn follow_address(auditor: &Arc<Auditor>) {
    let mut every = interval(ADDRESS_LOOK);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let auditor = Arc::clone(auditor);
        blocking(move || auditor.follow_address()).await;
    }
}

/// Takes up certificate files that change.
async fn watch_certificates(auditor: &Auditor) {
    let mut every = interval(CERTIFICATE_LOOK);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        auditor.look(Certificates::reload_if_changed).await;
    }
}

fn front(
    settings: &Settings,
    catalogue: &Arc<Catalogue>,
    store: &Arc<Store>,
    known: &fleet::Known,
    challenges: Option<Arc<Challenges>>,
    stop: &Stop,
) -> Front {
    let parts = FrontParts {
        catalogue: Arc::clone(catalogue),
        store: Arc::clone(store),
        fleet: Arc::clone(&known.fleet),
        replies: Arc::clone(&known.replies),
        roots: tls::of_machine,
        bodies: Arc::new(BodyBudget::new(settings.bodies)),
        behind_proxy: settings.behind_proxy,
        trusted: settings.trusted.clone(),
        challenges: challenges.map(|challenges| challenges as Arc<dyn AnswersChallenges>),
        clock: SystemTime::now,
        own_address: machine::own_address,
        ending: stop.ending.clone(),
    };
    Front::new(parts, front_settings(settings))
}

/// Returns what the front door answers by.
fn front_settings(settings: &Settings) -> FrontSettings {
    FrontSettings {
        public: settings.public.clone(),
        made_up: (settings.public.source() == Source::Derived).then(|| MadeUp {
            bound: settings.bind.ip.filter(|ip| !ip.is_unspecified()),
            by_request: settings.hands_out_reached(),
        }),
        policy: settings.policy.clone(),
        voice: settings.voice.clone(),
        websocket: settings.websocket.clone(),
        timezone_offset: settings.timezone_offset,
        plain_http: settings.plain_http.clone(),
        cors: settings.cors.clone(),
        proxy: settings.proxy.clone(),
        upstream: settings.upstream.clone(),
        idle: settings.limits.idle,
        drain: settings.limits.drain,
    }
}

/// Loads certificates as configured; faults name the line of their setting.
pub(crate) fn certificates(settings: &Settings) -> anyhow::Result<Option<Arc<Certificates>>> {
    Certificates::load(&settings.tls, SystemTime::now())
        .map_err(|e| refused(settings, e.by_setting()).into())
}

/// Makes an error of what is wrong with what settings name, each with its line. It may be
/// right at the next start.
fn refused(
    settings: &Settings,
    faults: impl IntoIterator<Item = (String, impl Into<Value>)>,
) -> ConfigFaults {
    let faults = faults.into_iter().map(|(key, what)| {
        let what: Value = what.into();
        let place = settings.places.place(&key);
        let fault = if key.starts_with("gateway.tls") {
            event!(CONFIG_CERTIFICATE, what = what)
        } else {
            event!(CONFIG_UNUSABLE, what = what)
        };
        ConfigFault::new(place, &key, fault)
    });
    ConfigFaults(faults.collect())
}

/// Returns an error as an event, where it is one.
pub(crate) fn reason(error: &anyhow::Error) -> Option<Event> {
    if let Some(event) = error.downcast_ref::<Event>() {
        return Some(event.clone());
    }
    if let Some(LogError::File(event)) = error.downcast_ref() {
        return Some((**event).clone());
    }
    if let Some(Ended(event)) = error.downcast_ref() {
        return Some(event.clone());
    }
    if let Some(LogError::Thread(none)) = error.downcast_ref() {
        return Some(Event::from(none));
    }
    if let Some(none) = error.downcast_ref::<NoThread>() {
        return Some(Event::from(none));
    }
    error.downcast_ref::<ListenError>().map(Event::from)
}

/// Finds what would stop the start on this machine, as far as it can be seen without
/// starting: an address that is another machine's, a folder or a log that cannot be one.
/// Whether this user may write there is left to the start, which may be another's.
pub(crate) fn check_machine(settings: &Settings) -> Result<(), ConfigFaults> {
    let mut found = Vec::new();
    if let Some(Err(error)) = settings.bind.ip.map(check_address) {
        found.push((ip_setting(settings), Event::from(&error)));
    }
    let folder = way::to_folder(&settings.catalogue.dir);
    found.extend(folder.map(|what| ("gateway.firmware.dir", what)));
    let folder = way::to_folder(&settings.state);
    found.extend(folder.map(|what| ("gateway.state", what)));
    if let Some(Err(error)) = settings.admin.listen.map(|at| check_address(at.ip())) {
        found.push(("gateway.admin.listen", Event::from(&error)));
    }
    let log = settings.log.file.as_deref().and_then(way::to_write);
    let log = log.filter(|what| what.kind.id != event::kinds::WAY_DENIED.id);
    found.extend(log.map(|what| ("log.log_file", what)));
    let found = found.into_iter().map(|(key, what)| (key.to_owned(), what));
    let mut found: Vec<_> = found.collect();
    found.extend(read_tokens(&settings.admin.tokens).faults);
    if found.is_empty() {
        return Ok(());
    }
    Err(refused(settings, found))
}

/// Returns the key that says on which address to listen.
fn ip_setting(settings: &Settings) -> &'static str {
    if settings.places.is_written("gateway.ip") {
        "gateway.ip"
    } else {
        "server.ip"
    }
}
