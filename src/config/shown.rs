//! Settings as they came out, key by key: for whoever looks at a server that runs. No secret
//! is among them.

use super::Settings;
use super::keys::KEYS;
use super::time_shown;
use crate::admin::{SettingValue, SettingView};
use crate::event::text::Text;
use crate::firmware::{ForeignHome, Verify};
use crate::http::plain::PlainHttp;
use crate::ota::credentials::Voice;
use crate::ota::decide::DefaultFor;
use crate::ota::public_url::Source;
use crate::ota::websocket_url::WebSocketUrl;
use crate::server::Port;
use crate::telemetry::line::Format;
use crate::tls::Mode;
use crate::tls::acme::AcmeSettings;
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;
use xiaozhi_device::redact;

const EVERY_ADDRESS: Text = Text::new("所有地址", "every address");
const MADE_UP: Text = Text::new("根据本机地址得出", "made up from this machine's address");
const NO_VOICE: Text = Text::new("没有设备能读懂的地址", "none that devices can read");

impl Settings {
    /// Lists the settings that hold, in the order of the documents. One whose place another
    /// key takes is not there.
    pub(crate) fn shown(&self) -> Vec<SettingView> {
        let keys = KEYS.iter().map(|key| key.name);
        let keys = keys.filter(|key| !key.contains("[]"));
        let shown = keys.filter_map(|key| {
            let place = self.places.is_written(key).then(|| self.places.place(key));
            Some(SettingView {
                key,
                value: self.value(key)?,
                place: place.map(|place| place.to_string()),
            })
        });
        shown.collect()
    }

    /// Returns the value of a key; `None` where it does not hold.
    fn value(&self, key: &str) -> Option<SettingValue> {
        let (section, own) = key.rsplit_once('.').unwrap_or(("", key));
        match section {
            "server" | "server.auth" | "manager-api" => self.of_server(key),
            "" => Some(duration(self.catalogue.ttl)),
            "log" | "gateway.log" => Some(self.of_log(key)),
            "gateway.tls" => Some(self.of_tls(own)),
            "gateway.tls.acme" | "gateway.tls.acme.eab" => self.of_acme(own),
            "gateway.firmware" => Some(self.of_firmware(own)),
            "gateway.admin" => Some(self.of_admin(own)),
            "gateway.proxy" => Some(self.of_proxy(own)),
            "gateway.upstream" => Some(self.of_upstream(own)),
            "gateway.fleet" | "gateway.limits" => Some(self.of_limits(own)),
            _ => self.of_gateway(own),
        }
    }

    /// Returns the value of a key that xiaozhi-server reads, too.
    fn of_server(&self, key: &str) -> Option<SettingValue> {
        let is_written = |key| self.places.is_written(key);
        let auth = match &self.voice {
            Voice::WebSocket { auth } => auth.as_ref(),
            Voice::Mqtt { .. } => None,
        };
        // A key that is written and not used is as secret as one that is.
        let secret = |is_used: bool| (is_used || is_written(key)).then_some(SettingValue::Masked);
        Some(match key {
            // `gateway.ip` stands in its place.
            "server.ip" if is_written("gateway.ip") || !is_written("server.ip") => return None,
            "server.ip" => self.ip(),
            "server.http_port" if is_written("gateway.ports") => return None,
            "server.http_port" => text(self.bind.ports.first()?.number),
            "server.port" => match &self.websocket {
                WebSocketUrl::Beside(port) | WebSocketUrl::OnMachine(port) => text(port),
                WebSocketUrl::Fixed(_) | WebSocketUrl::Here => return None,
            },
            "server.websocket" => self
                .websocket_url()
                .map_or(SettingValue::Words(NO_VOICE), |url| {
                    text(redact::shown(&url))
                }),
            "server.vision_explain" => text(redact::shown(self.public.vision_url())),
            "server.ota" if self.public.source() == Source::Derived => SettingValue::Words(MADE_UP),
            "server.ota" => text(redact::shown(&self.public.ota_url())),
            "server.timezone_offset" => text(hours(self.timezone_offset)),
            "server.auth.enabled" => text(self.cors.guards),
            "server.auth.allowed_devices" => {
                let devices = auth.map(|auth| auth.allowed_devices.iter().cloned());
                let mut devices: Vec<_> = devices.into_iter().flatten().collect();
                devices.sort_unstable();
                if devices.is_empty() {
                    SettingValue::Unset
                } else {
                    SettingValue::Devices(devices)
                }
            }
            "server.auth_key" => secret(auth.is_some() && !is_written("manager-api.secret"))
                .unwrap_or(SettingValue::Unset),
            "manager-api.secret" => return secret(false),
            "server.mqtt_gateway" => match &self.voice {
                Voice::Mqtt { endpoint, .. } => text(redact::shown(endpoint)),
                Voice::WebSocket { .. } => SettingValue::Unset,
            },
            "server.mqtt_signature_key" => match &self.voice {
                Voice::Mqtt {
                    signature_key: Some(_),
                    ..
                } => SettingValue::Masked,
                _ => secret(false).unwrap_or(SettingValue::Unset),
            },
            _ => return None,
        })
    }

    fn ip(&self) -> SettingValue {
        self.bind
            .ip
            .map_or(SettingValue::Words(EVERY_ADDRESS), text)
    }

    fn of_log(&self, key: &str) -> SettingValue {
        let file = self.log.file.as_deref();
        let (style, turnover) = (self.log.style, self.log.turnover);
        match key {
            "log.log_level" => text(self.log.level),
            "log.log_dir" => file
                .and_then(Path::parent)
                .map_or(SettingValue::Unset, path),
            "log.log_file" => file.map_or(SettingValue::Unset, path),
            "gateway.log.lang" => text(style.lang.pick("zh", "en")),
            "gateway.log.format" => text(match style.format {
                Format::Text => "text",
                Format::Json => "json",
            }),
            "gateway.log.rate" => size(self.log.rate.into()),
            "gateway.log.max_size" => size(turnover.max_size),
            _ => text(turnover.keep),
        }
    }

    fn of_gateway(&self, own: &str) -> Option<SettingValue> {
        Some(match own {
            "ip" if self.places.is_written("server.ip")
                && !self.places.is_written("gateway.ip") =>
            {
                return None;
            }
            "ip" => self.ip(),
            "ports" => list(self.bind.ports.iter().map(|port| match port {
                Port {
                    number,
                    proxy_protocol: true,
                } => format!("{number} (proxy_protocol)"),
                Port { number, .. } => number.to_string(),
            })),
            "http_fallback" => match &self.plain_http {
                PlainHttp::Allowed => text(true),
                PlainHttp::Until { day, .. } => text(day),
                PlainHttp::Refused => text(false),
            },
            "behind_proxy" if self.trusted.is_empty() => text(self.behind_proxy),
            "behind_proxy" => text(&self.trusted),
            "cors" => list(&self.cors.origins),
            "state" => path(&self.state),
            _ => return None,
        })
    }

    fn of_tls(&self, own: &str) -> SettingValue {
        match (own, &self.tls) {
            ("mode", mode) => text(match mode {
                Mode::Off => "off",
                Mode::SelfSigned { .. } => "self-signed",
                Mode::Files(_) => "files",
                Mode::Acme(_) => "acme",
            }),
            ("certificates", Mode::Files(pairs)) => {
                list(pairs.iter().map(|pair| {
                    format!("cert: {}, key: {}", pair.cert.display(), pair.key.display())
                }))
            }
            ("names", Mode::SelfSigned { names, .. }) => list(names),
            ("names", Mode::Acme(acme)) => list(&acme.names),
            _ => SettingValue::Unset,
        }
    }

    fn of_acme(&self, own: &str) -> Option<SettingValue> {
        let Mode::Acme(acme) = &self.tls else {
            return None;
        };
        let AcmeSettings {
            email, root, eab, ..
        } = acme;
        let unset = || SettingValue::Unset;
        Some(match own {
            "email" => email.as_ref().map_or_else(unset, text),
            "directory" => text(redact::shown(&acme.directory)),
            "challenge" => text(acme.challenge),
            "root" => root.as_deref().map_or_else(unset, path),
            "key_id" => eab.as_ref().map_or_else(unset, |eab| text(&eab.key_id)),
            _ => eab.as_ref().map_or_else(unset, |eab| path(&eab.hmac_file)),
        })
    }

    fn of_firmware(&self, own: &str) -> SettingValue {
        let (policy, folder) = (&self.policy, &self.catalogue);
        match own {
            "dir" => path(&folder.dir),
            "default_for" => text(match policy.default_for {
                DefaultFor::Unmatched => "unmatched",
                DefaultFor::Unreported => "unreported",
            }),
            "pin" => {
                let mut pins: Vec<_> = policy.pins.iter().collect();
                pins.sort_unstable_by_key(|(model, _)| *model);
                let pins = pins.into_iter();
                list(pins.map(|(model, version)| format!("{model}: {version}")))
            }
            "alias" => list(
                policy
                    .aliases
                    .written()
                    .map(|(old, new)| format!("{old}: {new}")),
            ),
            "projects" => list(policy.projects.names()),
            "memory" => size(self.memory),
            "verify" => text(match folder.verify {
                Verify::Warn => "warn",
                Verify::Strict => "strict",
            }),
            _ => text(match folder.foreign_home {
                ForeignHome::Warn => "warn",
                ForeignHome::Refuse => "refuse",
            }),
        }
    }

    fn of_admin(&self, own: &str) -> SettingValue {
        let admin = &self.admin;
        match own {
            "listen" => admin.listen.map_or_else(|| text("off"), text),
            "names" => list(&admin.names),
            _ => list(admin.tokens.iter().map(|token| {
                let (name, role, file) = (&token.name, token.role, token.file.display());
                format!("{name} ({role}): {file}")
            })),
        }
    }

    fn of_proxy(&self, own: &str) -> SettingValue {
        let proxy = &self.proxy;
        let of = |key: &str| {
            let key = format!("gateway.proxy.{key}");
            let mut routes = proxy.routes.iter();
            routes.find(|route| route.setting == key)
        };
        match own {
            "websocket" | "vision" => of(own).map_or(SettingValue::Unset, |route| {
                text(redact::shown(&route.to.origin()))
            }),
            "routes" => {
                let own = ["websocket", "vision"].map(|key| format!("gateway.proxy.{key}"));
                let routes = proxy.routes.iter();
                let routes = routes.filter(|route| !own.contains(&route.setting));
                list(routes.map(|route| {
                    let to = route.to.origin();
                    format!("{}: {}", route.path, redact::shown(&to))
                }))
            }
            "body_limit" => size(proxy.body_limit),
            "timeout" => duration(proxy.timeout),
            _ => duration(proxy.idle),
        }
    }

    fn of_upstream(&self, own: &str) -> SettingValue {
        let Some(upstream) = &self.upstream else {
            return SettingValue::Unset;
        };
        match own {
            "url" => text(redact::shown(&upstream.url.to_string())),
            "kind" => text(upstream.kind.name()),
            "timeout" => duration(upstream.timeout),
            _ => duration(upstream.keep),
        }
    }

    fn of_limits(&self, own: &str) -> SettingValue {
        let limits = &self.limits;
        match own {
            "silent_after" => duration(self.fleet.silent_after),
            "track" => text(self.fleet.track),
            "connections" => text(limits.connections),
            "handshake" => duration(limits.handshake),
            "headers" => duration(limits.headers),
            "idle" => duration(limits.idle),
            _ => duration(limits.drain),
        }
    }
}

fn text(value: impl Display) -> SettingValue {
    SettingValue::Text(value.to_string())
}

fn path(path: &Path) -> SettingValue {
    text(path.display())
}

/// Returns a list; none where nothing is in it.
fn list<T: Display>(items: impl IntoIterator<Item = T>) -> SettingValue {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() {
        return SettingValue::Unset;
    }
    text(items.join(", "))
}

/// Writes a time as it could be configured.
fn duration(time: Duration) -> SettingValue {
    text(time_shown(time))
}

/// Writes a size as it could be configured.
fn size(bytes: u64) -> SettingValue {
    match bytes {
        b if b > 0 && b % (1 << 20) == 0 => text(format!("{}MiB", b >> 20)),
        b if b > 0 && b % (1 << 10) == 0 => text(format!("{}KiB", b >> 10)),
        b => text(b),
    }
}

/// Writes minutes from UTC as hours.
fn hours(minutes: i32) -> String {
    let hours = f64::from(minutes) / 60.0;
    format!("{hours:+}")
}

#[cfg(test)]
mod tests {
    use super::super::resolve::tests::good;
    use super::*;

    /// The settings of a file: each key, its value, and the line that it stands on.
    fn shown(yaml: &str) -> Vec<(&'static str, SettingValue, Option<String>)> {
        let all = good(yaml).shown().into_iter();
        all.map(|each| (each.key, each.value, each.place)).collect()
    }

    fn value(yaml: &str, key: &str) -> Option<SettingValue> {
        let found = shown(yaml).into_iter().find(|(known, ..)| *known == key);
        found.map(|(_, value, _)| value)
    }

    #[test]
    fn every_key_is_shown_or_another_stands_in_its_place() {
        let acme = "gateway: {tls: {names: [a.example.com], acme: {email: a@example.com}}}";
        let mqtt = "server: {mqtt_gateway: 'a.example.com:8883', mqtt_signature_key: x7Kq9}";
        let old = "server: {ip: 127.0.0.1, websocket: 'wss://a.example.com/xiaozhi/v1/'}\n\
                   manager-api: {secret: x7Kq9}";
        let all: Vec<_> = ["", acme, mqtt, old].into_iter().flat_map(shown).collect();
        for key in KEYS.iter().filter(|key| !key.name.contains("[]")) {
            assert!(
                all.iter().any(|(known, ..)| *known == key.name),
                "{}",
                key.name
            );
        }
    }

    #[test]
    fn a_value_is_the_one_that_holds_and_says_where_it_stands() {
        let yaml = "server:\n  ip: 10.0.0.1\n  http_port: 81\ngateway:\n  ip: 127.0.0.1\n  \
                    ports: [82, {port: 83, proxy_protocol: true}]\n  behind_proxy: [10.0.0.0/8]\n";
        let all = shown(yaml);
        let of = |key: &str| all.iter().find(|(known, ..)| *known == key);
        assert!(of("server.ip").is_none() && of("server.http_port").is_none());
        let ip = of("gateway.ip").unwrap();
        assert_eq!(ip.1, text("127.0.0.1"));
        assert_eq!(ip.2.as_deref(), Some("c.yaml:5"));
        assert_eq!(
            of("gateway.ports").unwrap().1,
            text("82, 83 (proxy_protocol)")
        );
        assert_eq!(of("gateway.behind_proxy").unwrap().1, text("10.0.0.0/8"));
        assert_eq!(of("gateway.state").unwrap().2, None);
        for (yaml, key, expected) in [
            ("", "gateway.ip", SettingValue::Words(EVERY_ADDRESS)),
            ("", "server.ota", SettingValue::Words(MADE_UP)),
            ("", "server.timezone_offset", text("+8")),
            (
                "server: {timezone_offset: -5.5}",
                "server.timezone_offset",
                text("-5.5"),
            ),
            ("", "gateway.fleet.silent_after", text("10m")),
            ("", "gateway.log.max_size", text("64MiB")),
            ("firmware_cache_ttl: 90", "firmware_cache_ttl", text("90s")),
            (
                "gateway: {http_fallback: 2030-01-02}",
                "gateway.http_fallback",
                text("2030-01-02"),
            ),
            (
                "gateway: {firmware: {pin: {a: 1.10}, alias: {x: y}}}",
                "gateway.firmware.alias",
                text("x: y"),
            ),
            (
                "gateway: {proxy: {routes: {/a/: 'http://127.0.0.1:1'}}}",
                "gateway.proxy.routes",
                text("/a/: http://127.0.0.1:1"),
            ),
            (
                "gateway: {admin: {listen: off}}",
                "gateway.admin.listen",
                text("off"),
            ),
        ] {
            assert_eq!(value(yaml, key), Some(expected), "{yaml}: {key}");
        }
    }

    #[test]
    fn no_secret_is_shown_whether_it_is_used_or_not() {
        for yaml in [
            "server: {auth_key: H7shhPassw0rd, auth: {enabled: true}}",
            "server: {auth_key: H7shhPassw0rd}",
            "manager-api: {secret: H7shhPassw0rd}\nserver: {auth: {enabled: true}}",
            "server: {mqtt_gateway: 'a.example.com:8883', mqtt_signature_key: H7shhPassw0rd}",
            "server: {mqtt_signature_key: H7shhPassw0rd}",
            "server: {websocket: 'wss://a.example.com/xiaozhi/v1/?token=H7shhPassw0rd'}",
            "server: {websocket: 'wss://a.example.com/?H7shhPassw0rd'}",
        ] {
            let Ok(settings) = super::super::resolve::tests::read(yaml) else {
                continue;
            };
            let shown = format!("{:?}", settings.shown());
            assert!(
                !shown.contains("H7shh") && !shown.contains("Passw0rd"),
                "{shown}"
            );
        }
        let masked = value("server: {auth_key: H7shhPassw0rd}", "server.auth_key");
        assert_eq!(masked, Some(SettingValue::Masked));
    }
}
