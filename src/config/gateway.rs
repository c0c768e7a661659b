//! Our own section, `gateway`, strict about its keys.

use super::acme::acme;
use super::fault::About;
use super::room::Room;
use super::section::{Section, Text};
use super::{Machine, values, wanted};
use crate::event::event;
use crate::event::text::Lang;
use crate::firmware::name::{is_version, model_key};
use crate::firmware::{FolderSettings, ForeignHome, Verify};
use crate::fleet::settings::{FleetSettings, SHORTEST_SILENCE};
use crate::http::cors::{Cors, Origin};
use crate::http::plain::PlainHttp;
use crate::ota::alias::Aliases;
use crate::ota::decide::{DefaultFor, Policy};
use crate::ota::public_url::PublicAddress;
use crate::server::Limits;
use crate::telemetry::line::{Format, Style};
use crate::telemetry::logs;
use crate::telemetry::output::{self, Turnover};
use crate::tls::{Mode, PairPaths};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::time::Duration;
use xiaozhi_device::checkin::DEFAULT_MODEL;
use xiaozhi_device::endpoint;
use xiaozhi_device::project::{self, Projects};
use xiaozhi_device::version::{Version, is_device_safe};

/// Longest name of a model: what a file's name holds.
const LONGEST_NAME: usize = 255;

/// Folder of the certificate that this server signs itself.
const CERTIFICATE_DIR: &str = "certs";

/// Reads until when devices may come over plain HTTP.
pub(super) fn plain_http(gateway: &Section<'_>, machine: &Machine) -> PlainHttp {
    let read = |text: &str| {
        if let Some(allowed) = values::boolean(text) {
            return Some(if allowed {
                PlainHttp::Allowed
            } else {
                PlainHttp::Refused
            });
        }
        let next_day = values::date(text)?.tomorrow().ok()?;
        let end = next_day
            .to_zoned(machine.time_zone.clone())
            .ok()?
            .timestamp();
        Some(PlainHttp::Until {
            end: end.into(),
            day: text.to_owned(),
        })
    };
    gateway
        .read("http_fallback", wanted::HTTP_FALLBACK, read)
        .unwrap_or(PlainHttp::Allowed)
}

/// Reads which web pages may have a token. `guards` says that there is one.
pub(super) fn cors(gateway: &Section<'_>, guards: bool) -> Cors {
    let given = gateway.texts("cors").unwrap_or_default();
    if !given.is_empty() && !guards {
        gateway.about("cors").warn(event!(CONFIG_CORS_UNUSED));
    }
    let read = |text: &Text<'_>| {
        let origin = Origin::parse(text.text());
        if origin.is_none() {
            let event = event!(CONFIG_VALUE, wanted = wanted::ORIGIN);
            text.about().fault(event);
        }
        origin
    };
    Cors {
        guards,
        origins: given.iter().filter_map(read).collect(),
    }
}

/// Reads where certificates come from. `setting` is the key of the
/// public address.
pub(super) fn tls(
    section: &Section<'_>,
    public: &PublicAddress,
    setting: &About<'_>,
    machine: &Machine,
) -> Mode {
    section.only_known();
    let pairs: Vec<_> = section
        .sections("certificates")
        .iter()
        .filter_map(pair)
        .collect();
    let has_pairs = section.has("certificates");
    if section.items("certificates").is_some_and(|i| i.is_empty()) {
        let event = event!(CONFIG_EMPTY_LIST, wanted = wanted::CERTIFICATES);
        section.fault("certificates", None, event);
    }
    let has_acme = section.has("acme");
    let mode = section.text("mode").unwrap_or(match (has_pairs, has_acme) {
        (true, _) => "files",
        (false, true) => "acme",
        (false, false) => "self-signed",
    });
    let is_off = values::boolean(mode) == Some(false);
    let unused = |key: &str, wanted: &str| {
        if section.has(key) && (is_off || ["files", "self-signed", "acme"].contains(&mode)) {
            let mode = if is_off { "off" } else { mode };
            let about = section.about(key).beside(&section.about("mode"));
            about.warn(event!(CONFIG_UNUSED, mode = mode, wanted = wanted));
        }
    };
    if mode != "files" {
        unused("certificates", "files");
    }
    if mode != "acme" {
        unused("acme", "acme");
    }
    match mode {
        "files" => {
            if !has_pairs {
                section.fault("mode", Some(mode), event!(CONFIG_NO_CERTIFICATE));
            }
            Mode::Files(pairs)
        }
        "self-signed" => {
            let named = named(section);
            let made_up = || self_signed_names(&public.host(), &machine.addresses);
            Mode::SelfSigned {
                dir: CERTIFICATE_DIR.into(),
                follows: named.is_none(),
                names: named.map_or_else(made_up, |names| {
                    names.iter().map(|name| name.text().to_owned()).collect()
                }),
            }
        }
        // YAML 1.1 makes a boolean of `off`; PyYAML's users know.
        _ if is_off => Mode::Off,
        "acme" => {
            let names = named(section);
            let names = names.as_deref();
            Mode::Acme(acme(section, names, public, setting, CERTIFICATE_DIR))
        }
        _ => {
            let event = event!(CONFIG_VALUE, wanted = wanted::TLS_MODE);
            section.fault("mode", Some(mode), event);
            Mode::Off
        }
    }
}

fn pair(section: &Section<'_>) -> Option<PairPaths> {
    section.only_known();
    let (cert, key) = (section.path("cert"), section.path("key"));
    if cert.is_none() {
        let event = event!(CONFIG_MISSING, wanted = wanted::CERT);
        section.fault("cert", None, event);
    }
    if key.is_none() {
        let event = event!(CONFIG_MISSING, wanted = wanted::KEY);
        section.fault("key", None, event);
    }
    Some(PairPaths {
        cert: cert?,
        key: key?,
    })
}

/// Reads the names that are listed.
fn named<'a>(section: &Section<'a>) -> Option<Vec<Text<'a>>> {
    let names = section.texts("names")?;
    if names.is_empty() {
        let event = event!(CONFIG_EMPTY_LIST, wanted = wanted::NAMES);
        section.fault("names", None, event);
    }
    for given in &names {
        let name = given.text();
        let plausible = |c: char| c.is_ascii_alphanumeric() || "-._*".contains(c);
        let is_name =
            !name.is_empty() && name.chars().all(plausible) && endpoint::is_short_enough(name);
        if !is_name && name.parse::<IpAddr>().is_err() {
            let is_word = |c: char| c.is_alphanumeric() || "-._*。．".contains(c);
            let is_foreign = !name.is_ascii() && name.chars().all(is_word);
            let wanted = if is_foreign {
                wanted::PUNYCODE
            } else {
                wanted::NAME
            };
            given.about().fault(event!(CONFIG_VALUE, wanted = wanted));
        } else if name.parse::<IpAddr>().is_err() && !has_labels(name) {
            let event = event!(CONFIG_VALUE, wanted = wanted::LABELS);
            given.about().fault(event);
        }
    }
    Some(names)
}

/// Tells whether each part of a name is one. A dot at its end is left out by who orders the
/// certificate.
fn has_labels(name: &str) -> bool {
    let mut labels = name.strip_suffix('.').unwrap_or(name).split('.');
    labels.all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
}

/// Returns the names of a certificate that nobody named: the host of the public address,
/// and this machine's addresses.
pub(crate) fn self_signed_names(host: &str, addresses: &[IpAddr]) -> Vec<String> {
    let mut names = vec![host.to_owned()];
    let local = addresses
        .iter()
        .filter(|ip| ip.is_ipv4()) // IPv6 ones change daily, and no device uses them.
        .map(ToString::to_string)
        .chain([
            "localhost".to_owned(),
            Ipv4Addr::LOCALHOST.to_string(),
            Ipv6Addr::LOCALHOST.to_string(),
        ]);
    for name in local {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Reads who is offered what, the folder, and how much of it is to be kept in memory.
pub(super) fn firmware(
    root: &Section<'_>,
    section: &Section<'_>,
    public: &PublicAddress,
) -> (Policy, FolderSettings, Option<u64>) {
    section.only_known();
    let ttl = root.read("firmware_cache_ttl", wanted::SECONDS, values::duration);
    let default_for = section.read("default_for", wanted::DEFAULT_FOR, |text| match text {
        "unmatched" => Some(DefaultFor::Unmatched),
        "unreported" => Some(DefaultFor::Unreported),
        _ => None,
    });
    let verify = section.read("verify", wanted::VERIFY, |text| match text {
        "warn" => Some(Verify::Warn),
        "strict" => Some(Verify::Strict),
        _ => None,
    });
    let home = public.home();
    let foreign_home = foreign_home(section, home.is_some());
    let aliases = aliases(&section.section("alias"));
    let pins = pins(&section.section("pin"), &aliases);
    let projects = projects(section);
    let memory = section.size("memory", wanted::MEMORY);
    let policy = Policy {
        default_for: default_for.unwrap_or_default(),
        pins,
        aliases,
        projects: projects.clone(),
    };
    let catalogue = FolderSettings {
        dir: section.path("dir").unwrap_or_else(|| "data/bin".into()),
        ttl: ttl
            .unwrap_or(Duration::from_secs(30))
            .clamp(Duration::from_secs(1), Duration::from_secs(86_400)),
        verify: verify.unwrap_or_default(),
        projects,
        config: None,
        home,
        foreign_home,
    };
    (policy, catalogue, memory)
}

/// Reads what becomes of images that carry another home. That shows only where there is an
/// address to hold them against (`has_home`).
fn foreign_home(section: &Section<'_>, has_home: bool) -> ForeignHome {
    let given = section.read("foreign_home", wanted::FOREIGN_HOME, |text| match text {
        "warn" => Some(ForeignHome::Warn),
        "refuse" => Some(ForeignHome::Refuse),
        _ => None,
    });
    if given == Some(ForeignHome::Refuse) && !has_home {
        section
            .about("foreign_home")
            .warn(event!(CONFIG_HOME_UNKNOWN));
    }
    given.unwrap_or_default()
}

/// Reads which names are one model.
fn aliases(section: &Section<'_>) -> Aliases {
    let mut aliases = Aliases::default();
    for (old, new) in section.pairs() {
        let names = [old.trim(), new.unwrap_or_default().trim()];
        let [one, other] = names.map(model_key);
        let is_name = |name: &str| {
            !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(char::is_control)
        };
        let wanted = if names.contains(&DEFAULT_MODEL) {
            wanted::ALIAS_DEFAULT
        } else if !names.into_iter().all(is_name) {
            wanted::ALIAS
        } else if one == other {
            wanted::ALIAS_SELF
        } else {
            aliases.add(&one, &other);
            continue;
        };
        section.fault(old, new, event!(CONFIG_VALUE, wanted = wanted));
    }
    aliases
}

/// Reads the version that each model is held at. One model has one, whatever its names.
fn pins(section: &Section<'_>, aliases: &Aliases) -> HashMap<String, Version> {
    let mut pins = HashMap::<String, Version>::new();
    for (model, version) in section.pairs() {
        let key = model_key(model).into_owned();
        let other = aliases.others(&key).find_map(|name| pins.get(name));
        let wanted = match version {
            Some(v) if !is_version(v) || !is_device_safe(v) => wanted::PIN,
            None => wanted::PIN,
            Some(v) if other.is_some_and(|other| other.as_str() != v) => wanted::ALIAS_PINS,
            Some(v) => {
                pins.insert(key, Version::new(v));
                continue;
            }
        };
        section.fault(model, version, event!(CONFIG_VALUE, wanted = wanted));
    }
    pins
}

fn projects(section: &Section<'_>) -> Projects {
    let given = section.texts("projects").unwrap_or_default();
    for name in &given {
        if name.text().is_empty() || name.text().len() > project::LONGEST {
            name.about()
                .fault(event!(CONFIG_PROJECT, bytes = project::LONGEST));
        }
    }
    if let [one] = &given[..] {
        let event = event!(CONFIG_ONE_PROJECT, project = format!("{:?}", one.text()));
        section.about("projects").warn(event);
    }
    Projects::new(given.iter().map(|name| name.text().to_owned()).collect())
}

/// Smallest size of a log file: what is less is missing its unit.
const LEAST_LOG: u64 = 1 << 10;

/// Reads `gateway.log`: when the file turns over. Without a file (`has_file`) that means
/// nothing.
pub(super) fn turnover(section: &Section<'_>, has_file: bool) -> Turnover {
    let default = Turnover::default();
    let max_size = section.size("max_size", wanted::LOG_SIZE);
    if let Some(size) = max_size.filter(|size| *size < LEAST_LOG) {
        let event = event!(CONFIG_VALUE, wanted = wanted::LOG_SIZE);
        section.fault("max_size", Some(&size.to_string()), event);
    }
    let keep = section.read("keep", wanted::LOG_KEEP, |text| {
        let keep = u32::try_from(values::integer(text)?).ok();
        keep.filter(|keep| *keep <= output::MOST)
    });
    for key in ["max_size", "keep"] {
        if !has_file && section.has(key) {
            section.about(key).warn(event!(CONFIG_NO_LOG_FILE));
        }
    }
    Turnover {
        max_size: max_size.unwrap_or(default.max_size),
        keep: keep.unwrap_or(default.keep),
    }
}

/// Smallest and largest number of bytes that a second brings to the log: what is less is
/// missing its unit, too.
const LOG_RATES: RangeInclusive<u64> = 16 << 10..=1 << 30;

/// Reads `gateway.log`: how many bytes of it a second brings.
pub(super) fn log_rate(section: &Section<'_>) -> u32 {
    let Some(size) = section.size("rate", wanted::LOG_RATE) else {
        return logs::RATE;
    };
    let rate = u32::try_from(size).ok();
    rate.filter(|_| LOG_RATES.contains(&size))
        .unwrap_or_else(|| {
            let event = event!(CONFIG_VALUE, wanted = wanted::LOG_RATE);
            section.fault("rate", section.text("rate"), event);
            logs::RATE
        })
}

/// Reads `gateway.log`: in which language and form lines are written.
pub(super) fn log_style(section: &Section<'_>) -> Style {
    section.only_known();
    let default = Style::default();
    let lang = section.read("lang", wanted::LANG, |text| match text {
        "en" => Some(Lang::En),
        "zh" => Some(Lang::Zh),
        _ => None,
    });
    let format = section.read("format", wanted::FORMAT, |text| match text {
        "text" => Some(Format::Text),
        "json" => Some(Format::Json),
        _ => None,
    });
    Style {
        lang: lang.unwrap_or(default.lang),
        format: format.unwrap_or(default.format),
    }
}

/// Longest silence that may be waited for.
const LONGEST_SILENCE: Duration = Duration::from_secs(86_400);

/// Reads how the ends of offers are told.
pub(super) fn fleet(section: &Section<'_>) -> FleetSettings {
    section.only_known();
    let default = FleetSettings::default();
    let silent_after = section.read("silent_after", wanted::SILENT_AFTER, |text| {
        let term = values::duration(text)?;
        (SHORTEST_SILENCE..=LONGEST_SILENCE)
            .contains(&term)
            .then_some(term)
    });
    FleetSettings {
        silent_after: silent_after.unwrap_or(default.silent_after),
        track: section.boolean("track").unwrap_or(default.track),
    }
}

/// Reads deadlines and bounds.
pub(super) fn limits(section: &Section<'_>, room: Room) -> Limits {
    section.only_known();
    let default = Limits::default();
    let connections = section.read("connections", wanted::CONNECTIONS, |text| {
        usize::try_from(values::integer(text)?)
            .ok()
            .filter(|n| (1..=1_000_000).contains(n))
    });
    Limits {
        connections: connections.unwrap_or(room.connections),
        handshake: section.duration("handshake").unwrap_or(default.handshake),
        headers: section.duration("headers").unwrap_or(default.headers),
        idle: section.duration("idle").unwrap_or(default.idle),
        drain: section.duration("drain").unwrap_or(default.drain),
    }
}

#[cfg(test)]
mod tests;
