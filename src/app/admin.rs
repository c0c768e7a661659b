//! The admin address: its socket, its tokens, and what it shows.

use super::refused;
use crate::admin::settings::{ReadTokens, read_tokens};
use crate::admin::{
    Admin, AdminParts, AdminToken, Check, FileView, FleetSource, Hosts, OrderError, Readiness,
    Role, hash,
};
use crate::config::{ConfigFaults, Settings};
use crate::event::text::Lang;
use crate::event::{self, Event, event, tell};
use crate::firmware::catalogue::Catalogue;
use crate::firmware::name;
use crate::fleet::state_folder::StateFolder;
use crate::fleet::{DeviceId, Fleet};
use crate::server::{Bind, Limits, ListenError, Listeners, Port, Service, Trusted, Workers};
use crate::tls::Certificates;
use crate::util::paths::absolute;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// Number of connections that the admin address has at once. They are beside those of
/// devices.
const CONNECTIONS: usize = 64;
/// Name under which the log shows the bearer of this server's own token.
pub(super) const OWN: &str = "admin.token";

/// Returns the deadlines of the admin address: those of devices.
pub(super) fn limits(limits: &Limits) -> Limits {
    Limits {
        connections: CONNECTIONS,
        ..limits.clone()
    }
}

/// The admin address, bound, on which nothing is accepted yet.
#[derive(Debug)]
pub(super) struct AdminDoor {
    listeners: Listeners,
    address: SocketAddr,
    tokens: Tokens,
}

/// Binds the admin address, and reads its tokens. `None` where it is off, or where the
/// default one cannot be had: devices are served all the same.
///
/// # Errors
///
/// A configured address cannot be listened on, or a file of a token is of no use.
pub(super) fn open(
    settings: &Settings,
    state: Option<&StateFolder>,
    workers: &Workers,
) -> anyhow::Result<Option<AdminDoor>> {
    let Some(address) = settings.admin.listen else {
        return Ok(None);
    };
    let own = own_token(settings, state);
    let tokens = Tokens {
        file: own
            .is_some()
            .then(|| state.map(|state| state.path().join(OWN)))
            .flatten(),
        own,
        running: Arc::default(),
    };
    tokens.change(tokens.read(settings)?);
    let bind = Bind {
        ip: Some(address.ip()),
        ports: vec![Port::from(address.port())],
    };
    let listeners = match Listeners::bind(&bind, workers) {
        Ok(listeners) => listeners,
        Err(error) => {
            let why = why_not(address, &error);
            if settings.places.is_written("gateway.admin.listen") {
                let key = "gateway.admin.listen".to_owned();
                return Err(refused(settings, [(key, why)]).into());
            }
            tell!(ADMIN_NOT_LISTENING, address = address, why = why);
            return Ok(None);
        }
    };
    let port = listeners.ports().first().copied();
    Ok(Some(AdminDoor {
        listeners,
        address: SocketAddr::new(address.ip(), port.unwrap_or(address.port())),
        tokens,
    }))
}

fn why_not(address: SocketAddr, error: &ListenError) -> Event {
    match error {
        ListenError::InUse { .. } => event!(ADMIN_IN_USE, address = address),
        error => event!(
            ADMIN_LISTEN_FAILS,
            address = address,
            what = Event::from(error)
        ),
    }
}

/// Returns the token that lies in the state folder.
fn own_token(settings: &Settings, state: Option<&StateFolder>) -> Option<AdminToken> {
    // Without the folder that has been said.
    let state = state?;
    match state.admin_token() {
        Ok(token) => Some(AdminToken {
            name: OWN.to_owned(),
            role: Role::Operate,
            hash: hash(token.as_bytes()),
        }),
        Err(error) => {
            let dir = absolute(&settings.state);
            tell!(ADMIN_NO_TOKEN, dir = dir, error = &error);
            None
        }
    }
}

/// Tokens of the admin address, which SIGHUP reads again.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    own: Option<AdminToken>,
    /// File of the own one.
    file: Option<PathBuf>,
    running: Arc<ArcSwap<Vec<AdminToken>>>,
}

impl Tokens {
    /// Reads the files of tokens.
    ///
    /// # Errors
    ///
    /// One of them is of no use.
    pub(super) fn read(&self, settings: &Settings) -> Result<Vec<AdminToken>, ConfigFaults> {
        let ReadTokens {
            mut tokens,
            faults,
            warnings,
        } = read_tokens(&settings.admin.tokens);
        if !faults.is_empty() {
            return Err(refused(settings, faults));
        }
        for (key, warning) in warnings {
            let place = settings.places.place(&key).to_string();
            event::say(&warning.of("key", key).of("place", place));
        }
        tokens.extend(self.own.clone());
        Ok(tokens)
    }

    /// Takes `tokens` from the next request on.
    pub(super) fn change(&self, tokens: Vec<AdminToken>) {
        self.running.store(Arc::new(tokens));
    }
}

impl AdminDoor {
    /// Returns its tokens.
    pub(super) fn tokens(&self) -> Tokens {
        self.tokens.clone()
    }

    /// True where tokens come over a network: TLS alone is taken there.
    fn is_tls_only(&self) -> bool {
        !self.address.ip().is_loopback()
    }

    /// Says where it is, and where a token lies.
    pub(super) fn announce(&self, settings: &Settings) {
        let protocols = match (self.is_tls_only(), &settings.tls) {
            (true, _) => "TLS",
            (false, crate::tls::Mode::Off) => "HTTP",
            (false, _) => "HTTP + TLS",
        };
        let file = self.tokens.file.clone();
        tell!(
            ADMIN_LISTENING,
            address = self.address,
            protocols = protocols,
            token_file = file
        );
    }

    /// Returns its listeners, and what serves there.
    pub(super) fn service(
        self,
        settings: &Settings,
        readiness: Ready,
        fleet: FleetView,
        tls: Option<Arc<ServerConfig>>,
        limits: &Arc<ArcSwap<Limits>>,
    ) -> (Listeners, Service<Admin>) {
        let parts = AdminParts {
            hosts: Hosts {
                names: settings.admin.names.clone(),
                listened: self.address.ip(),
            },
            tls_only: self.is_tls_only(),
            tokens: self.tokens.running,
            readiness: Arc::new(readiness),
            fleet: Arc::new(fleet),
            metrics: None,
            clock: SystemTime::now,
        };
        let service = Service {
            handler: Arc::new(Admin::new(parts)),
            tls,
            limits: Arc::clone(limits),
            fair: true,
            trusted: Trusted::default(),
        };
        (self.listeners, service)
    }
}

/// Looks whether this server can do its work.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) catalogue: Arc<Catalogue>,
    /// `None` where no TLS is spoken.
    pub(super) certificates: Option<Arc<Certificates>>,
    /// The firmware folder.
    pub(super) dir: PathBuf,
    /// The state folder.
    pub(super) state: PathBuf,
    /// True where the state folder is this server's.
    pub(super) has_state: bool,
}

impl Readiness for Ready {
    fn checks(&self) -> Vec<Check> {
        let dir = || absolute(&self.dir);
        let looked = self.catalogue.has_looked();
        let no_certificate = |kept: &Arc<Certificates>| kept.pairs().is_empty();
        let lacks = self.certificates.as_ref().is_some_and(no_certificate);
        let state = || absolute(&self.state);
        let check = |name, why| Check { name, why };
        vec![
            check(
                "catalogue",
                (!looked).then(|| event!(READY_NO_CATALOGUE, dir = dir())),
            ),
            check("certificate", lacks.then(|| event!(READY_NO_CERTIFICATE))),
            check(
                "store",
                (!self.has_state).then(|| event!(READY_NO_STATE, dir = state())),
            ),
        ]
    }
}

/// View of devices and files, for the admin address.
#[derive(Debug)]
pub(super) struct FleetView {
    fleet: Arc<Fleet>,
    catalogue: Arc<Catalogue>,
}

impl FleetView {
    /// Shows what these know.
    pub(super) fn new(fleet: Arc<Fleet>, catalogue: Arc<Catalogue>) -> Self {
        Self { fleet, catalogue }
    }
}

/// Reason why no order is taken.
const NO_ORDERS: &str = "this server keeps no orders";

impl FleetView {
    fn known(&self, device: &DeviceId) -> Result<(), OrderError> {
        let known = self.fleet.find(device);
        known.map(drop).ok_or(OrderError::NoDevice)
    }
}

impl FleetSource for FleetView {
    fn fleet(&self) -> &Fleet {
        &self.fleet
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
                why: why.map(|why| why.kind.id),
                words: why.map(|why| why.message(Lang::En)),
                could_get: 0,
            }
        };
        let offered: HashSet<_> = snapshot.entries().map(|entry| &*entry.file).collect();
        let served = snapshot.served().map(|served| {
            let is_offered = offered.contains(&*served.file);
            let verdict = if is_offered { "ready" } else { "served" };
            FileView {
                size: Some(served.size()),
                sha256: Some(served.sha256),
                ..view(&served.file, verdict, None)
            }
        });
        let unread = snapshot
            .unread()
            .map(|(file, _)| view(file, "waiting", None));
        let unused = snapshot.all_unused();
        let unused = unused.map(|unused| view(unused.file, "refused", Some(unused.why)));
        let mut files: Vec<_> = served.chain(unread).chain(unused).collect();
        files.sort_by(|a, b| a.file.cmp(&b.file));
        files
    }

    fn retry(&self, device: &DeviceId, _file: Option<&str>) -> Result<u64, OrderError> {
        self.known(device)?;
        Err(OrderError::NotKept(NO_ORDERS.to_owned()))
    }

    fn forget(&self, device: &DeviceId) -> Result<(), OrderError> {
        self.known(device)?;
        Err(OrderError::NotKept(NO_ORDERS.to_owned()))
    }
}
