//! Finds what in the addresses that leave this server would keep a device from what it
//! needs: updates, downloads, pictures, voice. Each finding says what would happen to the
//! device and what to change.

mod hosts;
mod names;
mod schemes;
#[cfg(test)]
mod tests;
mod written;

pub(crate) use names::{Lookup, to_look_up};

use super::network::Network;
use super::public_url::{PublicAddress, Scheme, Source, Url, VISION_PATH};
use crate::event::text::Text;
use crate::event::{Event, event};
use std::net::IpAddr;
use xiaozhi_device::endpoint::{self, AddressKind};
use xiaozhi_device::redact;

/// Facts that the audit holds the addresses against.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings<'a> {
    /// The address on which this process listens; `None` is every one.
    pub(crate) bound: Option<IpAddr>,
    /// The ports on which this process listens.
    pub(crate) ports: &'a [u16],
    /// The ports among them that take nothing but a PROXY header first.
    pub(crate) proxied: &'a [u16],
    /// True where those ports answer TLS.
    pub(crate) tls: bool,
    /// `gateway.behind_proxy`: somebody else answers the public address.
    pub(crate) behind_proxy: bool,
    /// True where plain HTTP is, or will be, refused on device paths.
    pub(crate) http_ends: bool,
    /// The WebSocket address handed to devices, if one is.
    pub(crate) websocket: Option<&'a str>,
    /// Its origin.
    pub(crate) websocket_from: Origin,
    /// The MQTT endpoint handed to devices, if one is.
    pub(crate) mqtt: Option<&'a str>,
    /// The paths of voice and vision that go to a server behind this one.
    pub(crate) passed_on: PassedOn,
    /// This machine's networks.
    pub(crate) network: &'a Network,
    /// Outcomes of the names that devices are handed, as far as they were looked up.
    pub(crate) lookups: &'a [Lookup],
}

/// Origin of an address that devices are handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Somebody wrote it, or the one that it is made of.
    Written,
    /// Nobody did: it is made of what this machine knows of itself.
    MadeUp,
}

/// The paths of xiaozhi-server's that are passed on to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PassedOn {
    /// The WebSocket.
    pub(crate) voice: bool,
    /// Pictures.
    pub(crate) vision: bool,
}

/// Use of an address that devices are handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Check-ins and downloads; `server.vision_explain` is of pictures, too.
    Ota,
    /// Pictures.
    Vision,
    /// Voice.
    WebSocket,
    /// Voice by MQTT.
    Mqtt,
}

/// One address that devices are handed.
#[derive(Debug, Clone)]
struct Handed<'a> {
    role: Role,
    /// The setting that gives it, or would.
    setting: &'static str,
    /// The address as it may be shown.
    url: String,
    host: &'a str,
    from: Origin,
}

impl Handed<'_> {
    /// Returns what becomes of devices that do not get there.
    fn effect(&self) -> Text {
        if self.from == Origin::MadeUp {
            return match self.role {
                Role::Ota | Role::Vision => Text::new(
                    "设备会得到它访问本服务器所用的地址，只有看不出那个地址的才会得到它；请勿把它填入设备",
                    "each device is handed the address by which it comes to this server, and this one only where that does not \
                     show; do not type it into devices",
                ),
                Role::WebSocket | Role::Mqtt => Text::new(
                    "得到它的设备没有语音",
                    "devices that are handed it have no voice",
                ),
            };
        }
        effect_of(self.role)
    }

    /// Returns how its setting is written.
    fn form(&self) -> &'static str {
        form_of(self.setting)
    }

    /// Returns the two forms in which it is written: an address of its own network, and a
    /// public name.
    fn forms(&self) -> [&'static str; 2] {
        let form = self.form();
        form.split_once(", ")
            .map_or([form; 2], |(one, other)| [one, other])
    }
}

/// Returns what becomes of devices that do not get to an address.
fn effect_of(role: Role) -> Text {
    match role {
        Role::Ota => Text::new(
            "设备无法从那里下载固件，会停留在现有版本",
            "devices cannot fetch firmware from there and stay on what they have",
        ),
        Role::Vision => Text::new(
            "设备的图片无法上传",
            "the pictures of devices do not get there",
        ),
        Role::WebSocket => Text::new("设备没有语音", "devices have no voice"),
        Role::Mqtt => Text::new(
            "设备连不上 MQTT，没有语音",
            "devices do not get to MQTT and have no voice",
        ),
    }
}

/// Returns how a setting is written.
fn form_of(setting: &str) -> &'static str {
    match setting {
        "server.ota" => {
            "http://192.168.1.100:8003/xiaozhi/ota/, https://ota.example.com/xiaozhi/ota/"
        }
        "server.websocket" => {
            "ws://192.168.1.100:8000/xiaozhi/v1/, wss://voice.example.com/xiaozhi/v1/"
        }
        "server.mqtt_gateway" => "192.168.1.100:1883, mqtt.example.com:8883",
        _ => {
            "http://192.168.1.100:8003/mcp/vision/explain, https://ota.example.com/mcp/vision/explain"
        }
    }
}

/// Lists the addresses that devices are handed.
fn handed<'a>(address: &'a PublicAddress, around: &Surroundings<'a>) -> Vec<Handed<'a>> {
    let mut all = vec![Handed {
        role: Role::Ota,
        setting: address.source().setting(),
        url: address.url().to_string(),
        host: &address.url().host,
        // Behind a proxy it is handed out as it is, as if somebody had written it.
        from: if address.source() == Source::Derived && !around.behind_proxy {
            Origin::MadeUp
        } else {
            Origin::Written
        },
    }];
    if address.source() == Source::Ota && address.vision_is_set() {
        let vision = endpoint::read(address.vision_url(), AddressKind::Http);
        all.extend(vision.ok().map(|read| Handed {
            role: Role::Vision,
            setting: "server.vision_explain",
            url: address.vision_url().to_owned(),
            host: read.host,
            from: Origin::Written,
        }));
    }
    if let Some(websocket) = around.websocket
        && let Ok(read) = endpoint::read(websocket, AddressKind::WebSocket)
        // Of a host that is made up once it is said once.
        && !(around.websocket_from == Origin::MadeUp && read.host == address.url().host)
    {
        all.push(Handed {
            role: Role::WebSocket,
            setting: "server.websocket",
            url: redact::shown(websocket).into_owned(),
            host: read.host,
            from: around.websocket_from,
        });
    }
    if let Some(mqtt) = around.mqtt
        && let Ok(read) = endpoint::read(mqtt, AddressKind::Mqtt)
    {
        all.push(Handed {
            role: Role::Mqtt,
            setting: "server.mqtt_gateway",
            url: redact::shown(mqtt).into_owned(),
            host: read.host,
            from: Origin::Written,
        });
    }
    all
}

/// Judges every address that devices are handed.
pub(crate) fn audit(address: &PublicAddress, around: &Surroundings<'_>) -> Vec<Event> {
    let url = address.url();
    let setting = address.source().setting();
    let mut found = Vec::new();
    let handed = handed(address, around);
    for one in &handed {
        found.extend(hosts::audit(one, around).or_else(|| names::audit(one, around)));
    }
    found.extend(names::private_beside_public(&handed, around));
    found.extend(vision_path(address));
    if !around.behind_proxy {
        found.extend(bound(url, around));
        found.extend(port(url, setting, around));
        found.extend(scheme(url, setting, around));
        found.extend(voice_unserved(url, around));
        found.extend(vision_unserved(address, around));
    }
    // Of one that is made up devices get the scheme by which they come.
    let is_plain = url.scheme == Scheme::Http && address.source() != Source::Derived;
    if is_plain && around.http_ends {
        let url = url.to_string();
        found.push(event!(ADDRESS_HTTP_ENDS, url = url, setting = setting));
    }
    found.extend(schemes::audit(address, around));
    found.extend(written::audit(address, around));
    if around.behind_proxy && address.source() == Source::Derived {
        let url = address.ota_url();
        found.push(event!(
            ADDRESS_BEHIND_PROXY,
            setting = "server.ota",
            url = url
        ));
    }
    found
}

/// Tells whether a host and port are this server's: the public address's, or this machine's.
fn is_here(host: &str, port: u16, url: &Url, around: &Surroundings<'_>) -> bool {
    let is_own = |ip| around.network.own(ip).is_some();
    let is_ours = host.eq_ignore_ascii_case(&url.host) || host.parse().is_ok_and(is_own);
    is_ours && around.ports.contains(&port)
}

fn vision_path(address: &PublicAddress) -> Option<Event> {
    let vision = address.vision_url();
    let is_whole = vision.trim_end_matches('/').ends_with(VISION_PATH);
    (address.source() == Source::VisionExplain && !is_whole).then(|| {
        event!(
            ADDRESS_VISION_PATH,
            setting = "server.vision_explain",
            vision = vision,
            path = VISION_PATH,
            downloads = address.ota().download_base()
        )
    })
}

fn bound(url: &Url, around: &Surroundings<'_>) -> Option<Event> {
    let bound = around.bound.filter(|ip| !ip.is_unspecified())?;
    // A public address may be forwarded to a private one; between two private
    // ones nobody forwards.
    let elsewhere = matches!(url.ip(), Some(IpAddr::V4(ip)) if ip.is_private() && ip != bound);
    let unreached = elsewhere || (bound.is_loopback() && url.ip() != Some(bound));
    unreached.then(|| {
        event!(
            ADDRESS_NOT_BOUND,
            setting = "gateway.ip",
            url = url.to_string(),
            bound = bound
        )
    })
}

fn port(url: &Url, setting: &str, around: &Surroundings<'_>) -> Option<Event> {
    let port = url.effective_port();
    if around.proxied.contains(&port) {
        let url = url.to_string();
        let event = event!(
            ADDRESS_PROXY_PORT,
            setting = setting,
            url = url,
            port = port
        );
        return Some(event);
    }
    (!around.ports.contains(&port)).then(|| {
        event!(
            ADDRESS_PORT,
            url = url.to_string(),
            port = port,
            ports = around.ports,
            setting = setting
        )
    })
}

fn scheme(url: &Url, setting: &str, around: &Surroundings<'_>) -> Option<Event> {
    let unanswered = url.scheme == Scheme::Https && !around.tls;
    unanswered.then(|| event!(ADDRESS_TLS_OFF, url = url.to_string(), setting = setting))
}

/// A voice address that is this server's, which answers there only what it passes on.
fn voice_unserved(url: &Url, around: &Surroundings<'_>) -> Option<Event> {
    let voice = around.websocket.filter(|_| !around.passed_on.voice)?;
    let read = endpoint::read(voice, AddressKind::WebSocket).ok()?;
    is_here(read.host, read.port, url, around).then(|| {
        event!(
            ADDRESS_VOICE_UNSERVED,
            setting = "server.websocket",
            voice = redact::shown(voice)
        )
    })
}

/// The same of the vision address.
fn vision_unserved(address: &PublicAddress, around: &Surroundings<'_>) -> Option<Event> {
    let missed = address.vision_is_set() && !around.passed_on.vision;
    let vision = Url::parse(address.vision_url()).ok().filter(|_| missed)?;
    let port = vision.effective_port();
    is_here(&vision.host, port, address.url(), around).then(|| {
        event!(
            ADDRESS_VISION_UNSERVED,
            setting = "server.vision_explain",
            vision = address.vision_url()
        )
    })
}
