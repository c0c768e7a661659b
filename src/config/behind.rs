//! `gateway.upstream`: the xiaozhi server that answers all but firmware.

use super::fault::About;
use super::ourselves::{is_admin, is_our_port, is_public};
use super::section::Section;
use super::{Machine, values, wanted};
use crate::event::{Event, event};
use crate::http::proxy::upstream::UpstreamSettings;
use crate::ota::public_url::{PublicAddress, Url};
use crate::ota::upstream::Kind;
use crate::server::Bind;
use std::net::SocketAddr;
use std::time::Duration;

/// Longest time that a check-in may wait: the device gives up after 30 s.
const LONGEST: Duration = Duration::from_secs(20);
/// End of the path of every xiaozhi server's OTA interface.
const OTA_END: &str = "/ota/";
/// Greatest age of what is told again.
const OLDEST: Duration = Duration::from_secs(30 * 86_400);

/// Settings of this server beside which the upstream is read.
pub(super) struct Around<'a> {
    /// Addresses and ports on which it listens.
    pub(super) bind: &'a Bind,
    /// The setting that says so.
    pub(super) ports: &'a About<'a>,
    /// Its public address.
    pub(super) public: &'a PublicAddress,
    /// The setting that says so, or would.
    pub(super) setting: &'a About<'a>,
    /// Address at which it is watched and operated.
    pub(super) admin: Option<SocketAddr>,
    /// Its machine.
    pub(super) machine: &'a Machine,
}

/// Reads upstream mode.
pub(super) fn upstream(gateway: &Section<'_>, around: &Around<'_>) -> Option<UpstreamSettings> {
    if !gateway.has("upstream") {
        return None;
    }
    let section = gateway.section("upstream");
    section.only_known();
    let url = section.text("url");
    if url.is_none() {
        let event = event!(CONFIG_MISSING, wanted = wanted::UPSTREAM_URL);
        section.fault("url", None, event);
    }
    let url = url.and_then(|text| address(section.about("url").value(text), text, around));
    let kind = section.text("kind");
    let known = [Kind::ManagerApi, Kind::Other];
    let found = kind.and_then(|text| known.into_iter().find(|kind| kind.name() == text));
    match kind {
        None => {
            let event = event!(CONFIG_MISSING, wanted = wanted::UPSTREAM_KIND);
            section.fault("kind", None, event);
        }
        Some(text) if found.is_none() => {
            let event = event!(CONFIG_VALUE, wanted = wanted::UPSTREAM_KIND);
            section.fault("kind", Some(text), event);
        }
        Some(_) => {}
    }
    let up_to = |longest: Duration| {
        move |text: &str| values::duration(text).filter(|time| !time.is_zero() && *time <= longest)
    };
    let timeout = section.read("timeout", wanted::UPSTREAM_TIMEOUT, up_to(LONGEST));
    let keep = section.read("keep", wanted::UPSTREAM_KEEP, up_to(OLDEST));
    Some(UpstreamSettings {
        url: url?,
        kind: found?,
        timeout: timeout.unwrap_or(UpstreamSettings::TIMEOUT),
        keep: keep.unwrap_or(UpstreamSettings::KEEP),
    })
}

/// Reads the address of the server behind.
fn address(about: About<'_>, text: &str, around: &Around<'_>) -> Option<Url> {
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => {
            about.fault(event!(CONFIG_ADDRESS, what = Event::from(&error)));
            return None;
        }
    };
    let (machine, public) = (around.machine, around.public);
    if is_our_port(&url, around.bind, machine, public) {
        about
            .beside(around.ports)
            .fault(event!(CONFIG_UPSTREAM_ITSELF));
        return None;
    }
    if is_public(&url, machine, public) {
        about
            .beside(around.setting)
            .fault(event!(CONFIG_UPSTREAM_ITSELF));
        return None;
    }
    if is_admin(&url, around.admin, machine) {
        about.fault(event!(CONFIG_UPSTREAM_ADMIN));
        return None;
    }
    if !url.path.ends_with(OTA_END) {
        let write = with_path(&url);
        about.warn(event!(CONFIG_UPSTREAM_PATH, write = write));
    }
    Some(url)
}

/// Returns an address with the path that was meant, most likely.
fn with_path(url: &Url) -> String {
    let end = OTA_END.trim_end_matches('/');
    let path = match url.path.find(OTA_END) {
        Some(at) => &url.path[..at],
        None => url.path.strip_suffix(end).unwrap_or_default(),
    };
    let path = if path.is_empty() { "/xiaozhi" } else { path };
    format!("{}{path}{OTA_END}", url.origin())
}

#[cfg(test)]
mod tests;
