//! From the file's tree to typed settings. Everything that cannot be meant is a
//! fault and stops the start; what can be meant but would hurt a device is left
//! to the audits.

use super::gateway::{firmware, limits, plain_http, tls};
use super::listen::{DEFAULT_HTTP_PORT, Proxies, behind_proxy, bind};
use super::places::Places;
use super::proxy::proxy;
use super::raw::Node;
use super::section::{Faults, Section};
use super::upstream::{log, public, voice, websocket};
use super::{Fault, duplicates, values};
use crate::firmware::FolderSettings;
use crate::http::plain::PlainHttp;
use crate::http::proxy::{ProxySettings, WEBSOCKET_PATH};
use crate::ota::credentials::Voice;
use crate::ota::decide::Policy;
use crate::ota::public_url::{PublicAddress, Scheme, Source};
use crate::server::{Bind, Limits, Trusted};
use crate::telemetry::logs;
use crate::tls::Mode;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::net::IpAddr;
use std::path::PathBuf;

/// What of this machine a configuration depends on.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The address under which the local network reaches this machine.
    pub local_ip: IpAddr,
    /// All of its addresses.
    pub addresses: Vec<IpAddr>,
    /// Where this server listens already; `None` before it does. What is derived from
    /// ports and address is so from these, for other ones need a restart.
    pub bound: Option<Bind>,
    /// The time.
    pub now: Timestamp,
    /// The time zone in which dates are meant.
    pub time_zone: TimeZone,
}

/// A configuration that can be run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file it came from; `None` when there was none.
    pub file: Option<PathBuf>,
    /// Where to log, and from which level on.
    pub log: logs::Settings,
    /// Where to listen.
    pub bind: Bind,
    /// Deadlines and bounds.
    pub limits: Limits,
    /// Certificates.
    pub tls: Mode,
    /// The public address.
    pub public: PublicAddress,
    /// This machine's address, for a public address that is derived.
    pub local_ip: IpAddr,
    /// `gateway.behind_proxy`.
    pub behind_proxy: bool,
    /// The addresses in it.
    pub trusted: Trusted,
    /// Until when devices may come over plain HTTP.
    pub plain_http: PlainHttp,
    /// How devices reach their voice server.
    pub voice: Voice,
    /// The WebSocket address that a `GET` shows; `None` where devices could read
    /// none.
    pub websocket: Option<String>,
    /// `server.timezone_offset`, in minutes.
    pub timezone_offset: i32,
    /// Who is offered what.
    pub policy: Policy,
    /// The firmware folder.
    pub catalogue: FolderSettings,
    /// What goes to servers behind this one.
    pub proxy: ProxySettings,
    /// `gateway.firmware.memory`, in bytes.
    pub memory: u64,
    /// What is taken otherwise than its writer may think.
    pub warnings: Vec<String>,
}

/// Turns the file's tree into settings, or says everything that is wrong.
pub(super) fn resolve(
    root: &Node,
    places: &Places,
    machine: &Machine,
) -> Result<Settings, Vec<Fault>> {
    let faults = Faults::default();
    let mut warnings = Vec::new();
    duplicates::check(root, places, &faults, &mut warnings);
    as_quoted(places, &faults);
    let root = Section::root(root, &faults);
    let server = root.section("server");
    let gateway = root.section("gateway");
    near_misses(&root, &server, &mut warnings);
    gateway.only(
        &[
            "ip",
            "ports",
            "http_fallback",
            "behind_proxy",
            "tls",
            "firmware",
            "limits",
            "proxy",
        ],
        &["admin", "fleet"],
    );

    let bind = bind(&server, &gateway);
    let bound = machine.bound.as_ref().unwrap_or(&bind);
    // One address of several: the others lead nowhere.
    let local_ip = bound
        .ip
        .filter(|ip| !ip.is_unspecified())
        .unwrap_or(machine.local_ip);
    let public = public(
        &server,
        local_ip,
        bound.ports.first().map_or(DEFAULT_HTTP_PORT, |p| p.number),
    );
    let tls = tls(&gateway.section("tls"), &public, machine, &mut warnings);
    let plain_http = plain_http(&gateway, machine);
    let Proxies {
        behind_proxy,
        trusted,
    } = behind_proxy(&gateway, &bind, &mut warnings);
    let proxy = proxy(&gateway.section("proxy"), &bind, &public, machine);
    let passes_voice = proxy.passes_on(WEBSOCKET_PATH);
    let websocket = websocket(&server, &public, passes_voice, machine);
    let voice = voice(&root, &server, &websocket, &mut warnings);
    let (policy, catalogue, memory) = firmware(&root, &gateway.section("firmware"), &mut warnings);
    let timezone = "write the hours from UTC, such as +8 or -3.5";
    let mut settings = Settings {
        file: None,
        log: log(&root.section("log")),
        limits: limits(&gateway.section("limits")),
        timezone_offset: server
            .read("timezone_offset", timezone, |t| {
                values::hours_as_minutes(t).filter(|m| m.abs() <= 14 * 60)
            })
            .unwrap_or(8 * 60),
        bind,
        tls,
        public,
        local_ip,
        behind_proxy,
        trusted,
        plain_http,
        voice,
        websocket: websocket.ok(),
        policy,
        catalogue,
        proxy,
        memory,
        warnings,
    };
    what_fits_together(&mut settings, machine, &gateway);
    faults.into_result().map(|()| settings)
}

/// Keys beside `gateway` that were to be one that is read here.
fn near_misses(root: &Section<'_>, server: &Section<'_>, warnings: &mut Vec<String>) {
    let sections = [
        "gateway",
        "server",
        "manager-api",
        "firmware_cache_ttl",
        "log",
    ];
    root.near_misses(&sections, &[], warnings);
    let below = |section: &str| {
        let keys = duplicates::READ
            .iter()
            .filter_map(|key| key.strip_prefix(section));
        let keys = keys.filter(|key| !key.contains('.'));
        keys.collect::<Vec<_>>()
    };
    let others = ["udp_gateway", "mqtt_manager_api"];
    server.near_misses(&below("server."), &others, warnings);
    let auth = server.section("auth");
    auth.near_misses(&below("server.auth."), &[], warnings);
}

/// What means something else in quotes than it seems to.
fn as_quoted(places: &Places, faults: &Faults) {
    if let Some(line) = places.quoted_merge() {
        let message = format!(
            "in quotes (line {line}) it merges nothing to xiaozhi-server, and is a key like any other: take the quotes away"
        );
        faults.add("<<", None, message);
    }
    let enabled = "server.auth.enabled";
    // What reads as true means the same to both, and so does nothing.
    if let Some(text) = places.quoted(enabled)
        && values::boolean(text.trim()) == Some(false)
    {
        let message = "in quotes it is a text to xiaozhi-server, which takes every text for true: write true or false without quotes";
        faults.add(enabled, Some(text), message);
    }
}

/// Settings that are good one by one and cannot be meant together.
fn what_fits_together(settings: &mut Settings, machine: &Machine, gateway: &Section<'_>) {
    if settings.plain_http.allowed(machine.now.into()) {
        return;
    }
    let value = gateway.text("http_fallback");
    // A proxy on a list can say who came to it over https.
    let told = !settings.trusted.is_empty();
    if settings.behind_proxy && !told {
        settings.warnings.push(
            "gateway.http_fallback: plain HTTP is over, and gateway.behind_proxy is true: every device gets a 403 if \
             the proxy comes over plain HTTP; let it come over https, or list its addresses in gateway.behind_proxy and let it send \
             X-Forwarded-Proto, or take http_fallback out"
                .into(),
        );
    }
    if matches!(settings.tls, Mode::Off) && !told {
        gateway.fault("http_fallback", value, "plain HTTP is over and gateway.tls.mode is off: nobody could connect; set one of the two");
    }
    if settings.public.url().scheme == Scheme::Http {
        let setting = match settings.public.source() {
            Source::Ota => "server.ota",
            Source::VisionExplain | Source::Derived => "server.vision_explain",
        };
        gateway.fault(
            "http_fallback",
            value,
            format!(
                "plain HTTP is over, but the public address is {}: devices would be handed what is not served; \
                 give {setting} an https address",
                settings.public.ota_url()
            ),
        );
    }
}

#[cfg(test)]
mod tests;
