//! The admin address: its socket and its tokens.

use super::house::House;
use super::refused;
use super::releases::Releases;
use crate::admin::settings::{ReadTokens, read_tokens};
use crate::admin::{Admin, AdminParts, AdminToken, Hosts, ListenerView, Role, hash, metrics};
use crate::config::{ConfigFaults, Settings};
use crate::event::{self, Event, event, tell};
use crate::fleet::state_folder::{StateFolder, TokenRead};
use crate::server::{Bind, Limits, ListenError, Listeners, Port, Service, Trusted, Workers};
use crate::tls::Mode;
use crate::util::nofile;
use crate::util::paths::absolute;
use crate::util::sync::lock;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// Name under which the log shows the bearer of this server's own token.
pub(super) const OWN: &str = "admin.token";

/// Returns the deadlines of the admin address: those of devices.
fn of_admin(limits: &Limits) -> Limits {
    Limits {
        connections: nofile::of_admin(),
        ..limits.clone()
    }
}

/// The admin address, bound, on which nothing is accepted yet.
#[derive(Debug)]
pub(super) struct AdminDoor {
    listeners: Listeners,
    address: SocketAddr,
    running: RunningAdmin,
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
    let bearers = Bearers {
        own,
        others: Vec::new(),
    };
    let running = RunningAdmin {
        state: state.cloned(),
        bearers: Arc::new(Mutex::new(bearers)),
        tokens: Arc::default(),
        limits: Arc::default(),
    };
    running.change(RunningAdmin::read(settings)?, &settings.limits);
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
        running,
    }))
}

/// Returns what is spoken on the ports of devices.
pub(super) fn of_devices(tls: &Mode) -> &'static str {
    match tls {
        Mode::Off => "HTTP",
        _ => "HTTP + TLS",
    }
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
        Ok(token) => Some(own(&token)),
        Err(error) => {
            let dir = absolute(&settings.state);
            tell!(ADMIN_NO_TOKEN, dir = dir, error = &error);
            None
        }
    }
}

fn own(token: &str) -> AdminToken {
    AdminToken {
        name: OWN.to_owned(),
        role: Role::Operate,
        hash: hash(token.as_bytes()),
    }
}

/// Parts of the admin address that SIGHUP changes.
#[derive(Debug, Clone)]
pub(super) struct RunningAdmin {
    /// Folder of the own token.
    state: Option<StateFolder>,
    /// Held while one of them is replaced.
    bearers: Arc<Mutex<Bearers>>,
    /// All tokens, as requests are held against them.
    tokens: Arc<ArcSwap<Vec<AdminToken>>>,
    limits: Arc<ArcSwap<Limits>>,
}

/// Tokens by where they come from.
#[derive(Debug)]
struct Bearers {
    /// Token in the state folder.
    own: Option<AdminToken>,
    /// Tokens of the configuration.
    others: Vec<AdminToken>,
}

impl RunningAdmin {
    /// Reads the files of tokens that the configuration names.
    ///
    /// # Errors
    ///
    /// One of them is of no use.
    pub(super) fn read(settings: &Settings) -> Result<Vec<AdminToken>, ConfigFaults> {
        let ReadTokens {
            tokens,
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
        Ok(tokens)
    }

    /// Takes these tokens from the next request on, and the deadlines of devices from the
    /// next connection on.
    pub(super) fn change(&self, others: Vec<AdminToken>, limits: &Limits) {
        let mut bearers = lock(&self.bearers);
        bearers.others = others;
        self.tokens.store(Arc::new(bearers.all()));
        self.limits.store(Arc::new(of_admin(limits)));
    }

    /// Reads the token in the state folder again, and takes it from the next request on. What
    /// became of it is said.
    pub(super) fn read_own(&self) {
        let Some(state) = &self.state else {
            return;
        };
        let mut bearers = lock(&self.bearers);
        let file = state.path().join(OWN);
        let token = match state.read_admin_token_again() {
            TokenRead::Same => return,
            TokenRead::Kept(why) if bearers.own.is_some() => {
                tell!(ADMIN_TOKEN_KEPT, file = file, why = why);
                return;
            }
            TokenRead::Kept(why) => {
                tell!(ADMIN_NO_TOKEN, dir = state.path(), error = why);
                return;
            }
            TokenRead::Replaced(token) => {
                tell!(ADMIN_TOKEN_REPLACED, file = file);
                token
            }
            TokenRead::Made(token) => {
                tell!(ADMIN_TOKEN_ANEW, file = file);
                token
            }
        };
        bearers.own = Some(own(&token));
        self.tokens.store(Arc::new(bearers.all()));
    }
}

impl Bearers {
    fn all(&self) -> Vec<AdminToken> {
        self.others.iter().chain(&self.own).cloned().collect()
    }
}

impl AdminDoor {
    /// Returns what may change while it runs.
    pub(super) fn running(&self) -> RunningAdmin {
        self.running.clone()
    }

    /// True where tokens come over a network: TLS alone is taken there.
    fn is_tls_only(&self) -> bool {
        !self.address.ip().is_loopback()
    }

    fn protocols(&self, settings: &Settings) -> &'static str {
        match (self.is_tls_only(), &settings.tls) {
            (true, _) => "TLS",
            (false, tls) => of_devices(tls),
        }
    }

    /// Returns all addresses that are listened on, those of devices first.
    pub(super) fn listeners(&self, settings: &Settings, devices: &Listeners) -> Vec<ListenerView> {
        let devices = devices
            .addresses()
            .map(|(address, is_proxied)| ListenerView {
                address,
                protocols: of_devices(&settings.tls),
                is_proxied,
                is_admin: false,
            });
        let own = ListenerView {
            address: self.address,
            protocols: self.protocols(settings),
            is_proxied: false,
            is_admin: true,
        };
        devices.chain([own]).collect()
    }

    /// Says where it is, and where a token lies.
    pub(super) fn announce(&self, settings: &Settings) {
        let state = self.running.state.as_ref();
        let has_own = lock(&self.running.bearers).own.is_some();
        let file = state
            .filter(|_| has_own)
            .map(|state| absolute(&state.path().join(OWN)));
        tell!(
            ADMIN_LISTENING,
            address = self.address,
            url = self.url(settings),
            protocols = self.protocols(settings),
            token_file = file
        );
    }

    /// Returns the address of the page: by a name of the operator's, where he lists one.
    fn url(&self, settings: &Settings) -> String {
        let scheme = match self.protocols(settings) {
            "TLS" => "https",
            _ => "http",
        };
        let named = settings.admin.names.first();
        match named.filter(|_| self.is_tls_only()) {
            Some(name) => format!("{scheme}://{name}:{}/", self.address.port()),
            None => format!("{scheme}://{}/", self.address),
        }
    }

    /// Returns its listeners, and what serves there.
    pub(super) fn service(
        self,
        settings: &Settings,
        house: House,
        releases: Arc<Releases>,
        tls: Option<Arc<ServerConfig>>,
    ) -> (Listeners, Service<Admin>) {
        let house = Arc::new(house);
        let measured = Arc::clone(&house);
        let parts = AdminParts {
            hosts: Hosts {
                names: settings.admin.names.clone(),
                listened: self.address.ip(),
            },
            tls_only: self.is_tls_only(),
            tokens: self.running.tokens,
            readiness: house.clone(),
            fleet: house.clone(),
            server: house,
            releases,
            metrics: Arc::new(move || metrics::render(&*measured)),
            clock: SystemTime::now,
        };
        let service = Service {
            handler: Arc::new(Admin::new(parts)),
            tls,
            limits: self.running.limits,
            fair: true,
            trusted: Trusted::default(),
        };
        (self.listeners, service)
    }
}
