//! Compares a configuration that was read again with the one that runs.

use super::audit::audit_address;
use super::machine::network;
use crate::admin::settings::AdminSettings;
use crate::config::{Places, Settings};
use crate::event::{Event, event};
use crate::firmware::FolderSettings;
use crate::fleet::settings::FleetSettings;
use crate::ota::credentials::Voice;
use crate::ota::decide::Policy;
use crate::ota::public_url::{PublicAddress, Scheme, Source};
use crate::server::Limits;
use crate::telemetry::logs;
use crate::tls::Mode;
use std::time::SystemTime;

/// Outcome of a configuration that was read again.
#[derive(Debug)]
pub(super) struct Changes {
    /// The settings that run from now on.
    pub(super) settings: Settings,
    /// The keys that it differs in from what ran until now.
    pub(super) taken: Vec<&'static str>,
    /// The keys that differ in the file and need a restart.
    pub(super) waiting: Vec<(&'static str, Wait)>,
}

/// Reason why a key needs a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// The thing that it sets is made once.
    Itself,
    /// Its new value is good only once that of this key holds, too.
    For(&'static str),
    /// Fewer connections may be taken with it, by the limit of open files.
    Files,
}

impl Wait {
    /// Returns what is said of a key that waits.
    pub(super) fn event(self, key: &'static str) -> Event {
        match self {
            Self::Itself => event!(CONFIG_NEEDS_RESTART, key = key),
            Self::For(other) => event!(CONFIG_WAITS_FOR_KEY, key = key, other = other),
            Self::Files => event!(CONFIG_WAITS_FOR_FILES, key = key),
        }
    }
}

/// Facts about this process that a change depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Process<'a> {
    /// The ports, as bound.
    pub(super) ports: &'a [u16],
    /// True where each connection may have a second one, to a server behind.
    pub(super) has_room_behind: bool,
    pub(super) now: SystemTime,
}

impl Changes {
    fn take<T: PartialEq>(&mut self, key: &'static str, new: T, of: fn(&mut Settings) -> &mut T) {
        let running = of(&mut self.settings);
        if *running != new {
            *running = new;
            self.taken.push(key);
        }
    }

    fn wait(&mut self, key: &'static str, differs: bool) {
        if differs {
            self.waiting.push((key, Wait::Itself));
        }
    }

    /// Compares the running settings with `new`, and takes over what can change while
    /// connections go on.
    pub(super) fn between(running: &Settings, new: Settings, process: Process<'_>) -> Self {
        let mut changes = Self {
            settings: running.clone(),
            taken: Vec::new(),
            waiting: Vec::new(),
        };
        changes.take_addresses(&new, process);
        let new_host = new.public.host();
        // Each field has its line: one that is added is decided on here.
        let Settings {
            file,
            places,
            log:
                logs::Settings {
                    level,
                    file: log,
                    style,
                    turnover,
                    rate,
                },
            bind,
            admin,
            limits,
            tls,
            public: _,
            local_ip,
            machine_ip,
            behind_proxy,
            trusted,
            plain_http: _,
            cors: _,
            voice: _,
            websocket: _,
            timezone_offset,
            policy,
            catalogue,
            state,
            fleet,
            proxy: _,
            upstream,
            memory,
            bodies: _,
            devices: _,
            machine_memory: _,
            warnings,
        } = new;
        changes.settings.file = file;
        changes.settings.places = places.clone();
        let new_places = places;
        changes.settings.local_ip = local_ip;
        changes.settings.machine_ip = machine_ip;
        changes.settings.warnings = warnings;
        changes.take("log.log_level", level, |s| &mut s.log.level);
        changes.wait("log.log_file", running.log.file != log);
        let of_log = (running.log.style, running.log.turnover, running.log.rate);
        changes.wait("gateway.log", of_log != (style, turnover, rate));
        changes.wait("gateway.ip", running.bind.ip != bind.ip);
        changes.wait("gateway.ports", running.bind.ports != bind.ports);
        let behind = (running.behind_proxy, &running.trusted) != (behind_proxy, &trusted);
        changes.wait("gateway.behind_proxy", behind);
        changes.take_admin(admin);
        changes.take_tls(tls, &new_host);
        changes.take("server.timezone_offset", timezone_offset, |s| {
            &mut s.timezone_offset
        });
        let is_written = |key| {
            let mut places = [&running.places, &new_places].into_iter();
            places.any(|places| places.is_written(key))
        };
        changes.take_limits(&limits, is_written("gateway.limits.connections"));
        changes.take("gateway.upstream", upstream, |s| &mut s.upstream);
        // The default goes by which folders there are, and holds to the end.
        let is_moved = running.state != state && is_written("gateway.state");
        changes.wait("gateway.state", is_moved);
        changes.take_fleet(fleet);
        changes.take_firmware(policy, catalogue);
        changes.wait("gateway.firmware.memory", running.memory != memory);
        let places = [&running.places, &changes.settings.places];
        let waiting = changes.waiting.iter_mut().map(|(key, _)| key);
        for key in changes.taken.iter_mut().chain(waiting) {
            *key = as_written(key, &places);
        }
        changes
    }

    /// Takes the addresses that devices are handed, all or none: they are made of each
    /// other. None where the file's are good only once it listens otherwise, too.
    fn take_addresses(&mut self, new: &Settings, process: Process<'_>) {
        let running = self.settings.clone();
        let mut keys = Vec::new();
        keys.extend(public_keys(&running.public, &new.public));
        keys.extend(voice_keys(&running, new));
        if running.proxy != new.proxy {
            keys.push("gateway.proxy");
        }
        if running.plain_http != new.plain_http {
            keys.push("gateway.http_fallback");
        }
        if running.cors.origins != new.cors.origins {
            keys.push("gateway.cors");
        }
        if running.cors.guards != new.cors.guards && !keys.contains(&"server.auth.enabled") {
            keys.push("server.auth.enabled");
        }
        let mut candidate = running.clone();
        candidate.public = new.public.clone();
        candidate.voice = new.voice.clone();
        candidate.websocket.clone_from(&new.websocket);
        candidate.proxy = new.proxy.clone();
        candidate.plain_http = new.plain_http.clone();
        candidate.cors = new.cors.clone();
        let door = if running.bind.ports != new.bind.ports {
            Some("gateway.ports")
        } else if running.bind.ip != new.bind.ip {
            Some("gateway.ip")
        } else if (running.tls == Mode::Off) != (new.tls == Mode::Off) {
            Some("gateway.tls.mode")
        } else if (running.behind_proxy, &running.trusted) != (new.behind_proxy, &new.trusted) {
            Some("gateway.behind_proxy")
        } else {
            None
        };
        let worse = || {
            let network = network();
            let count = |settings: &Settings, ports: &[u16]| {
                audit_address(settings, ports, &network, &[]).len()
            };
            count(&candidate, process.ports) > count(new, &new.bind.numbers())
        };
        let proxy_differs = running.proxy != new.proxy;
        let reason = match door {
            // What goes to a server behind may come back to a port that is ours still.
            Some(door) if worse() || is_closed(&candidate, process.now) || proxy_differs => {
                Some(Wait::For(door))
            }
            _ if !process.has_room_behind && grows_behind(&running, new) => Some(Wait::Files),
            _ => None,
        };
        if let Some(wait) = reason {
            let keys = keys.into_iter().map(|key| (key, wait));
            self.waiting.extend(keys);
        } else {
            self.settings = candidate;
            self.taken.extend(keys);
        }
    }

    fn take_admin(&mut self, new: AdminSettings) {
        let AdminSettings {
            listen,
            names,
            tokens,
        } = new;
        let running = &self.settings.admin;
        let differ = (running.listen != listen, running.names != names);
        self.wait("gateway.admin.listen", differ.0);
        self.wait("gateway.admin.names", differ.1);
        self.take("gateway.admin.tokens", tokens, |s| &mut s.admin.tokens);
    }

    fn take_tls(&mut self, new: Mode, new_host: &str) {
        let key = match (&self.settings.tls, &new) {
            (Mode::Acme(running), Mode::Acme(new)) if running.challenge != new.challenge => {
                return self.wait("gateway.tls.acme.challenge", true);
            }
            (Mode::Acme(running), Mode::Acme(new)) if running.names != new.names => {
                let mut renamed = running.clone();
                renamed.names.clone_from(&new.names);
                if renamed == *new {
                    "gateway.tls.names"
                } else {
                    "gateway.tls"
                }
            }
            (Mode::Acme(_), Mode::Acme(_)) => "gateway.tls.acme",
            // What a handshake offers is made once: whether a CA may look in one, too.
            (running, new) if !swappable(running) || !swappable(new) => {
                return self.wait("gateway.tls.mode", running != new);
            }
            // Names that follow this machine's addresses do so at any time, and are no
            // change of the file.
            (Mode::SelfSigned { follows: true, .. }, Mode::SelfSigned { follows: true, .. })
                if names(&self.settings.tls)
                    .iter()
                    .any(|name| name == new_host) =>
            {
                self.settings.tls = new;
                return;
            }
            (Mode::SelfSigned { .. }, Mode::SelfSigned { .. }) => "gateway.tls.names",
            (Mode::Files(_), Mode::Files(_)) => "gateway.tls.certificates",
            _ => "gateway.tls.mode",
        };
        // Names follow the public address, and wait with it. Nobody here knows what
        // those of a file are.
        let has_host = names(&new).iter().any(|name| name == new_host);
        let may_follow = has_host || matches!(new, Mode::Files(_));
        if may_follow && self.settings.public.host() != new_host {
            return self.wait(key, self.settings.tls != new);
        }
        self.take(key, new, |s| &mut s.tls);
    }

    fn take_limits(&mut self, new: &Limits, is_written: bool) {
        let Limits {
            connections,
            handshake,
            headers,
            idle,
            drain,
        } = *new;
        // The default goes by whether there are servers behind, and holds to the end.
        let differs = self.settings.limits.connections != connections;
        self.wait("gateway.limits.connections", differs && is_written);
        self.take("gateway.limits.handshake", handshake, |s| {
            &mut s.limits.handshake
        });
        self.take("gateway.limits.headers", headers, |s| &mut s.limits.headers);
        self.take("gateway.limits.idle", idle, |s| &mut s.limits.idle);
        self.take("gateway.limits.drain", drain, |s| &mut s.limits.drain);
    }

    fn take_fleet(&mut self, new: FleetSettings) {
        let FleetSettings {
            silent_after,
            track,
        } = new;
        self.take("gateway.fleet.silent_after", silent_after, |s| {
            &mut s.fleet.silent_after
        });
        self.take("gateway.fleet.track", track, |s| &mut s.fleet.track);
    }

    fn take_firmware(&mut self, policy: Policy, folder: FolderSettings) {
        let Policy {
            default_for,
            pins,
            aliases,
            projects,
        } = policy;
        self.take("gateway.firmware.default_for", default_for, |s| {
            &mut s.policy.default_for
        });
        self.take("gateway.firmware.pin", pins, |s| &mut s.policy.pins);
        self.take("gateway.firmware.alias", aliases, |s| &mut s.policy.aliases);
        self.take("gateway.firmware.projects", projects, |s| {
            &mut s.policy.projects
        });
        let FolderSettings {
            dir,
            ttl,
            verify,
            projects,
            // It is the one that was read at the start.
            config: _,
            // It is made of the public address, and waits with that.
            home: _,
            foreign_home,
        } = folder;
        self.wait("gateway.firmware.dir", self.settings.catalogue.dir != dir);
        self.take("firmware_cache_ttl", ttl, |s| &mut s.catalogue.ttl);
        self.take("gateway.firmware.verify", verify, |s| {
            &mut s.catalogue.verify
        });
        self.take("gateway.firmware.foreign_home", foreign_home, |s| {
            &mut s.catalogue.foreign_home
        });
        self.settings.catalogue.projects = projects;
        self.settings.catalogue.home = self.settings.public.home();
    }
}

/// Tells whether certificates of this kind come and go under one TLS setup.
fn swappable(mode: &Mode) -> bool {
    matches!(mode, Mode::SelfSigned { .. } | Mode::Files(_))
}

/// The names that a certificate is made for here.
fn names(mode: &Mode) -> &[String] {
    match mode {
        Mode::SelfSigned { names, .. } => names,
        Mode::Acme(acme) => &acme.names,
        Mode::Off | Mode::Files(_) => &[],
    }
}

/// Tells whether nobody could connect, or devices would be handed what is not served.
fn is_closed(settings: &Settings, now: SystemTime) -> bool {
    let no_tls = settings.tls == Mode::Off && settings.trusted.is_empty();
    !settings.plain_http.allowed(now) && (no_tls || settings.public.url().scheme == Scheme::Http)
}

/// Tells whether connections take a second one now, to a server behind.
fn grows_behind(running: &Settings, new: &Settings) -> bool {
    running.proxy.routes.is_empty() && !new.proxy.routes.is_empty()
}

/// Returns the key that stands in the file where a setting has two.
fn as_written(key: &'static str, places: &[&Places]) -> &'static str {
    let is_written = |key: &str| places.iter().any(|places| places.is_written(key));
    let other = match key {
        "gateway.ip" => "server.ip",
        "gateway.ports" => "server.http_port",
        "log.log_file" => "log.log_dir",
        "server.auth_key" => "manager-api.secret",
        _ => return key,
    };
    if !is_written(key) && is_written(other) {
        other
    } else {
        key
    }
}

fn public_keys(running: &PublicAddress, new: &PublicAddress) -> Vec<&'static str> {
    let mut keys = Vec::new();
    if running.ota_url() != new.ota_url() || running.source() != new.source() {
        keys.push(match (running.source(), new.source()) {
            (Source::Ota, _) | (_, Source::Ota) => "server.ota",
            (Source::VisionExplain, _) | (_, Source::VisionExplain) => "server.vision_explain",
            (Source::Derived, Source::Derived) => "this machine's own address",
        });
    }
    if running != new && !keys.contains(&"server.vision_explain") {
        let vision = |public: &PublicAddress| {
            let is_set = public.vision_is_set();
            is_set.then(|| public.vision_url().to_owned())
        };
        if vision(running) != vision(new) {
            keys.push("server.vision_explain");
        }
    }
    keys
}

fn voice_keys(running: &Settings, new: &Settings) -> Vec<&'static str> {
    let mut keys = Vec::new();
    match (&running.voice, &new.voice) {
        (
            Voice::Mqtt {
                endpoint,
                signature_key,
            },
            Voice::Mqtt {
                endpoint: endpoint_now,
                signature_key: key_now,
            },
        ) => {
            if endpoint != endpoint_now {
                keys.push("server.mqtt_gateway");
            }
            if signature_key != key_now {
                keys.push("server.mqtt_signature_key");
            }
        }
        (Voice::WebSocket { auth }, Voice::WebSocket { auth: auth_now }) => {
            match (auth, auth_now) {
                (Some(auth), Some(now)) => {
                    if auth.key != now.key {
                        keys.push("server.auth_key");
                    }
                    if auth.allowed_devices != now.allowed_devices {
                        keys.push("server.auth.allowed_devices");
                    }
                }
                (None, None) => {}
                _ => keys.push("server.auth.enabled"),
            }
        }
        _ => keys.push("server.mqtt_gateway"),
    }
    if running.websocket != new.websocket {
        keys.insert(0, "server.websocket");
    }
    keys
}

#[cfg(test)]
mod tests;
