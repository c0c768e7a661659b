//! From the file's tree to typed settings. Everything that cannot be meant is a
//! fault and stops the start; what can be meant but would hurt a device is left
//! to the audits.

use super::admin::admin;
use super::behind::{Around, upstream};
use super::fault::{About, ConfigFault, ConfigFaults, Faults};
use super::gateway::{cors, firmware, fleet, limits, plain_http, tls};
use super::listen::{DEFAULT_HTTP_PORT, Proxies, behind_proxy, bind};
use super::places::Places;
use super::proxy::proxy;
use super::raw::{Kind, Node};
use super::room::{self, Room};
use super::section::Section;
use super::upstream::{expect_texts, log, public, voice, websocket};
use super::{duplicates, leftovers, python};
use crate::admin::settings::AdminSettings;
use crate::event::event;
use crate::event::text::Lang;
use crate::firmware::FolderSettings;
use crate::fleet::settings::{FleetRoom, FleetSettings};
use crate::http::cors::Cors;
use crate::http::plain::PlainHttp;
use crate::http::proxy::ProxySettings;
use crate::http::proxy::upstream::UpstreamSettings;
use crate::ota::credentials::Voice;
use crate::ota::decide::Policy;
use crate::ota::public_url::{PublicAddress, Scheme, Source, WEBSOCKET_PATH};
use crate::ota::websocket_url::WebSocketUrl;
use crate::server::{Bind, Limits, Trusted};
use crate::telemetry::logs;
use crate::tls::Mode;
use crate::util::memory::Memory;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::SystemTime;

/// The facts of this machine on which a configuration depends.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The address under which the local network reaches this machine.
    pub local_ip: IpAddr,
    /// All of its addresses.
    pub addresses: Vec<IpAddr>,
    /// Its names, in small letters, as far as it knows them without asking the network.
    pub names: Vec<String>,
    /// Address and ports on which this server listens already; `None` before it does.
    /// What is derived from ports and address is so from these, for other ones need a
    /// restart.
    pub bound: Option<Bind>,
    /// The time.
    pub now: Timestamp,
    /// The time zone in which dates are meant.
    pub time_zone: TimeZone,
    /// Doubt about the time zone, if there is any.
    pub zone_doubt: Option<ZoneDoubt>,
    /// Its memory.
    pub memory: Memory,
    /// The state folder, where none is configured: under systemd that of the unit.
    pub state: PathBuf,
}

/// Doubt about the time zone that the environment names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZoneDoubt {
    /// This machine does not know it, and takes UTC.
    Unknown(String),
    /// It is written as `UTC+8`, which POSIX takes for eight hours *behind* UTC.
    Reversed(String),
}

/// A configuration that can be run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file it came from; `None` when there was none.
    pub file: Option<PathBuf>,
    /// The lines of its keys.
    pub places: Places,
    /// The log, and its level.
    pub log: logs::Settings,
    /// Addresses and ports to listen on.
    pub bind: Bind,
    /// The admin address, where this server is watched and operated.
    pub admin: AdminSettings,
    /// Deadlines and bounds.
    pub limits: Limits,
    /// Certificates.
    pub tls: Mode,
    /// The public address.
    pub public: PublicAddress,
    /// The address for a public address that is derived: the one that is listened on, or
    /// this machine's.
    pub local_ip: IpAddr,
    /// This machine's address.
    pub machine_ip: IpAddr,
    /// The value of `gateway.behind_proxy`.
    pub behind_proxy: bool,
    /// The addresses in it.
    pub trusted: Trusted,
    /// The end of plain HTTP for devices.
    pub plain_http: PlainHttp,
    /// The web pages that may have a token.
    pub cors: Cors,
    /// The way of devices to their voice server.
    pub voice: Voice,
    /// The WebSocket address of devices that have no MQTT, which a `GET` shows.
    pub websocket: WebSocketUrl,
    /// The value of `server.timezone_offset`, in minutes.
    pub timezone_offset: i32,
    /// The policy of offers.
    pub policy: Policy,
    /// The firmware folder.
    pub catalogue: FolderSettings,
    /// The folder of what this server itself keeps.
    pub state: PathBuf,
    /// The way to the ends of offers.
    pub fleet: FleetSettings,
    /// The servers behind this one.
    pub proxy: ProxySettings,
    /// The server that answers all but firmware, in upstream mode.
    pub upstream: Option<UpstreamSettings>,
    /// The value of `gateway.firmware.memory`, in bytes.
    pub memory: u64,
    /// The number of bytes of bodies that may be gathered at once.
    pub bodies: u64,
    /// The room for what is known of devices.
    pub devices: FleetRoom,
    /// The memory of this machine, by which the defaults go.
    pub machine_memory: Memory,
    /// Warnings: what is taken otherwise than its writer may think.
    pub warnings: Vec<ConfigFault>,
}

impl Settings {
    /// Returns the WebSocket address as it is seen from this machine; `None` if devices
    /// could read none.
    pub(crate) fn websocket_url(&self) -> Option<Cow<'_, str>> {
        let ota = self.public.ota();
        let own = || match self.machine_ip {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        };
        self.websocket
            .at(Some(ota).filter(|ota| ota.is_readable()), own)
    }

    /// Returns the language that the file asks for; `None` where it says nothing.
    pub(crate) fn asked_lang(&self) -> Option<Lang> {
        let is_asked = self.places.is_written("gateway.log.lang");
        is_asked.then_some(self.log.style.lang)
    }

    /// Makes up the public address of this machine's, where none is configured.
    pub(crate) fn make_up(&mut self, port: u16, now: SystemTime) {
        let scheme = made_up_scheme(self.behind_proxy, &self.plain_http, now);
        self.public = PublicAddress::derived(scheme, self.local_ip, port);
    }

    /// Tells whether each device is handed the address that it has just reached: none is
    /// configured, and nothing stands in front.
    pub(crate) fn hands_out_reached(&self) -> bool {
        self.public.source() == Source::Derived && !self.behind_proxy
    }
}

/// Returns the scheme of an address that is made up: where nothing stands in front and plain
/// HTTP is over, each device comes by the other one, and is handed that.
fn made_up_scheme(behind_proxy: bool, plain_http: &PlainHttp, now: SystemTime) -> Scheme {
    if behind_proxy || plain_http.allowed(now) {
        Scheme::Http
    } else {
        Scheme::Https
    }
}

/// Turns the file's tree into settings, or says everything that is wrong.
pub(super) fn resolve(
    mut root: Node,
    faults: Faults,
    machine: &Machine,
) -> Result<Settings, ConfigFaults> {
    duplicates::check(&root, &faults);
    merges_of_nothing(&root, &faults);
    without_quotes(&mut root);
    let settings = settings_of(&root, &faults, machine);
    let warnings = faults.into_result()?;
    Ok(Settings {
        warnings,
        ..settings
    })
}

/// Reads every key; what is wrong is noted.
pub(super) fn settings_of(root: &Node, faults: &Faults, machine: &Machine) -> Settings {
    let places = Places::of(faults.file(), root);
    leftovers::check(root, faults);
    let root = Section::root(root, faults);
    let server = root.section("server");
    let gateway = root.section("gateway");
    for section in [
        &root,
        &server,
        &server.section("auth"),
        &root.section("manager-api"),
        &root.section("log"),
    ] {
        section.near_misses();
    }
    gateway.only_known();
    expect_texts(&root);

    let bind = bind(&server, &gateway);
    let bound = machine.bound.as_ref().unwrap_or(&bind);
    // One address of several: the others lead nowhere.
    let local_ip = bound
        .ip
        .filter(|ip| !ip.is_unspecified())
        .unwrap_or(machine.local_ip);
    let plain_http = plain_http(&gateway, machine);
    let Proxies {
        behind_proxy,
        trusted,
    } = behind_proxy(&gateway, &bind);
    let scheme = made_up_scheme(behind_proxy, &plain_http, machine.now.into());
    let first_port = bound.ports.first().map_or(DEFAULT_HTTP_PORT, |p| p.number);
    let public = public(&server, || {
        PublicAddress::derived(scheme, local_ip, first_port)
    });
    let setting = server.about(match public.source() {
        Source::Ota => "ota",
        Source::VisionExplain | Source::Derived => "vision_explain",
    });
    let tls = tls(&gateway.section("tls"), &public, &setting, machine);
    let ports = if gateway.has("ports") {
        gateway.about("ports")
    } else {
        server.about("http_port")
    };
    let proxy = proxy(&gateway.section("proxy"), &bind, &ports, &public, machine);
    let admin = admin(&gateway, &bind, &tls);
    let around = Around {
        bind: &bind,
        ports: &ports,
        public: &public,
        setting: &setting,
        admin: admin.listen,
        machine,
    };
    let upstream = upstream(&gateway, &around);
    let passes_voice = proxy.passes_on(WEBSOCKET_PATH);
    let websocket = websocket(&server, &public, passes_voice);
    let has_tokens = python::is_true(&server.section("auth"), "enabled").unwrap_or(false);
    let voice = voice(&root, &server, &websocket, &public, machine, has_tokens);
    let behind = !proxy.routes.is_empty();
    let fits = Room::of(machine.memory, behind);
    let section = gateway.section("firmware");
    let (policy, catalogue, memory) = firmware(&root, &section, &public);
    let settings = Settings {
        file: None,
        places,
        log: log(&root.section("log"), &gateway.section("log")),
        admin,
        limits: limits(&gateway.section("limits"), fits),
        timezone_offset: python::hours(&server, "timezone_offset").unwrap_or(8 * 60),
        bind,
        tls,
        public,
        local_ip,
        behind_proxy,
        trusted,
        plain_http,
        cors: cors(&gateway, has_tokens),
        voice,
        websocket,
        machine_ip: machine.local_ip,
        policy,
        catalogue,
        state: gateway
            .path("state")
            .unwrap_or_else(|| machine.state.clone()),
        fleet: fleet(&gateway.section("fleet")),
        upstream,
        proxy,
        memory: memory.unwrap_or(fits.images),
        bodies: fits.bodies,
        devices: fits.devices,
        machine_memory: machine.memory,
        warnings: Vec::new(),
    };
    let connections = settings.limits.connections;
    room::check(&gateway, connections, memory, machine.memory, behind);
    what_fits_together(&settings, machine, &gateway, &setting);
    settings
}

/// Faults `<<` that merges nothing to xiaozhi-server: in quotes, or of what is no
/// mapping.
fn merges_of_nothing(node: &Node, faults: &Faults) {
    match &node.kind {
        Kind::Map(entries) => {
            for (key, value) in entries {
                if key == "<<" {
                    let about = faults.about("<<", value.line);
                    about.fault(if value.is_source() {
                        event!(CONFIG_QUOTED_MERGE)
                    } else {
                        event!(CONFIG_EMPTY_MERGE)
                    });
                }
                merges_of_nothing(value, faults);
            }
        }
        Kind::List(items) => items
            .iter()
            .for_each(|item| merges_of_nothing(item, faults)),
        Kind::Null | Kind::Scalar(_) => {}
    }
}

/// Takes the quotes away that mean something: below `gateway` they mean nothing, and
/// `"null"` is null there.
fn without_quotes(root: &mut Node) {
    let Kind::Map(entries) = &mut root.kind else {
        return;
    };
    let gateway = entries.iter_mut().filter(|(key, _)| key == "gateway");
    gateway.for_each(|(_, node)| quoted_null(node));
}

fn quoted_null(node: &mut Node) {
    match &mut node.kind {
        Kind::Scalar(scalar) => {
            if matches!(&*scalar.text, "" | "~" | "null" | "Null" | "NULL") {
                node.kind = Kind::Null;
            }
        }
        Kind::List(items) => items.iter_mut().for_each(quoted_null),
        Kind::Map(entries) => entries.iter_mut().for_each(|(_, node)| quoted_null(node)),
        Kind::Null => {}
    }
}

/// Faults settings that are good one by one and cannot be meant together. `setting` is
/// the key of the public address.
fn what_fits_together(
    settings: &Settings,
    machine: &Machine,
    gateway: &Section<'_>,
    setting: &About<'_>,
) {
    if settings.plain_http.allowed(machine.now.into()) {
        return;
    }
    let about = || {
        let value = gateway.text("http_fallback");
        gateway.about("http_fallback").value(value)
    };
    // A proxy on a list can say who came to it over https.
    let told = !settings.trusted.is_empty();
    if settings.behind_proxy && !told {
        about()
            .beside(&gateway.about("behind_proxy"))
            .warn(event!(CONFIG_PROXY_OVER_HTTP));
    }
    if matches!(settings.tls, Mode::Off) && !told {
        let mode = gateway.section("tls");
        let about = about().beside(&mode.about("mode"));
        about.fault(event!(CONFIG_NO_DOOR));
    }
    if settings.hands_out_reached() {
        let url = settings.public.ota_url();
        about().warn(event!(CONFIG_HTTPS_MADE_UP, url = url));
    }
    if settings.public.url().scheme == Scheme::Http {
        let address = settings.public.source().setting();
        let url = settings.public.ota_url();
        let event = event!(CONFIG_HTTP_ADDRESS, url = url, setting = address);
        about().beside(setting).fault(event);
    }
}

#[cfg(test)]
pub(super) mod tests;

#[cfg(test)]
mod places;
#[cfg(test)]
mod secrets;
