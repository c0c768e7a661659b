//! The admin address: its socket and its tokens.

use super::house::House;
use super::refused;
use crate::admin::settings::{ReadTokens, read_tokens};
use crate::admin::{Admin, AdminParts, AdminToken, Hosts, Role, hash, metrics};
use crate::config::{ConfigFaults, Settings};
use crate::event::{self, Event, event, tell};
use crate::fleet::state_folder::StateFolder;
use crate::server::shutdown::Stop;
use crate::server::{Bind, Limits, ListenError, Listeners, Port, Service, Trusted, Workers};
use crate::tls::Mode;
use crate::util::paths::absolute;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
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
fn of_admin(limits: &Limits) -> Limits {
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
    running: RunningAdmin,
}

/// Serves the admin address, if there is one, until asked to stop.
pub(super) async fn serve(
    admin: Option<(Listeners, Service<Admin>)>,
    workers: &Workers,
    stop: &Stop,
) -> Result<(), ListenError> {
    match admin {
        Some((listeners, service)) => listeners.serve(service, workers, stop).await,
        None => Ok(()),
    }
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
    let running = RunningAdmin {
        file: own
            .is_some()
            .then(|| state.map(|state| state.path().join(OWN)))
            .flatten(),
        own,
        tokens: Arc::default(),
        limits: Arc::default(),
    };
    running.change(running.read(settings)?, &settings.limits);
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

/// Parts of the admin address that SIGHUP changes.
#[derive(Debug, Clone)]
pub(super) struct RunningAdmin {
    own: Option<AdminToken>,
    /// File of the own one.
    file: Option<PathBuf>,
    tokens: Arc<ArcSwap<Vec<AdminToken>>>,
    limits: Arc<ArcSwap<Limits>>,
}

impl RunningAdmin {
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

    /// Takes `tokens` from the next request on, and the deadlines of devices from the next
    /// connection on.
    pub(super) fn change(&self, tokens: Vec<AdminToken>, limits: &Limits) {
        self.tokens.store(Arc::new(tokens));
        self.limits.store(Arc::new(of_admin(limits)));
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

    /// Says where it is, and where a token lies.
    pub(super) fn announce(&self, settings: &Settings) {
        let protocols = match (self.is_tls_only(), &settings.tls) {
            (true, _) => "TLS",
            (false, Mode::Off) => "HTTP",
            (false, _) => "HTTP + TLS",
        };
        let file = self.running.file.clone();
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
        house: House,
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
            fleet: house,
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
