//! `gateway.upstream`: the xiaozhi server that answers all but firmware.

use super::fault::About;
use super::proxy::is_ourselves;
use super::section::Section;
use super::{Machine, values, wanted};
use crate::event::{Event, event};
use crate::http::proxy::upstream::UpstreamSettings;
use crate::ota::public_url::{PublicAddress, Url};
use crate::ota::upstream::Kind;
use crate::server::Bind;
use std::time::Duration;

/// Longest time that a check-in may wait: the device gives up after 30 s.
const LONGEST: Duration = Duration::from_secs(20);
/// Greatest age of what is told again.
const OLDEST: Duration = Duration::from_secs(30 * 86_400);

/// Reads upstream mode. `ports` is the setting that says where this server listens.
pub(super) fn upstream(
    gateway: &Section<'_>,
    bind: &Bind,
    ports: &About<'_>,
    public: &PublicAddress,
    machine: &Machine,
) -> Option<UpstreamSettings> {
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
    let url = url.and_then(|text| {
        let about = section.about("url").value(text);
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(error) => {
                about.fault(event!(CONFIG_ADDRESS, what = Event::from(&error)));
                return None;
            }
        };
        if is_ourselves(&url, bind, machine, public) {
            about.beside(ports).fault(event!(CONFIG_BACKEND_ITSELF));
            return None;
        }
        Some(url)
    });
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
