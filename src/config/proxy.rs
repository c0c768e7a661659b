//! `gateway.proxy`: what goes to servers behind this one.

use super::section::Section;
use super::{Machine, values};
use crate::http::proxy::{ProxyRoute, ProxySettings, WEBSOCKET_PATH};
use crate::ota::public_url::{PublicAddress, Scheme, Url, VISION_PATH};
use crate::server::Bind;
use std::net::IpAddr;

pub(super) fn proxy(
    section: &Section<'_>,
    bind: &Bind,
    public: &PublicAddress,
    machine: &Machine,
) -> ProxySettings {
    section.only(
        &[
            "websocket",
            "vision",
            "routes",
            "body_limit",
            "timeout",
            "idle",
        ],
        &[],
    );
    let default = ProxySettings::default();
    let mut routes: Vec<ProxyRoute> = Vec::new();
    let mut add = |section: &Section<'_>, key: &str, path: &str, text: &str| {
        let same = |r: &&ProxyRoute| r.path.trim_end_matches('/') == path.trim_end_matches('/');
        if let Some(twin) = routes.iter().find(same) {
            let what = format!("{} goes by {} already", path, twin.setting);
            section.fault(key, Some(text), what);
        } else if let Some(to) = backend(section, key, text, bind, machine) {
            routes.push(ProxyRoute {
                setting: section.key(key),
                path: path.to_owned(),
                to,
            });
        }
    };
    for (key, path) in [("websocket", WEBSOCKET_PATH), ("vision", VISION_PATH)] {
        if let Some(text) = section.text(key) {
            add(section, key, path, text);
        }
    }
    let more = section.section("routes");
    for (path, to) in more.pairs() {
        let wanted =
            "write a path and the server behind it, as in /mcp_endpoint/: http://127.0.0.1:8005";
        let is_path = path.starts_with('/')
            && path
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"?#%\\".contains(&b));
        let is_ours = |ours: &String| {
            path.strip_prefix(ours.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match to {
            Some(to) if is_path && public.served_paths().iter().any(is_ours) => more.fault(
                path,
                Some(to),
                "this is the OTA interface, which is answered here: take it out",
            ),
            Some(to) if is_path => add(&more, path, path, to),
            to => more.fault(path, to, wanted),
        }
    }
    ProxySettings {
        routes,
        body_limit: section
            .read("body_limit", "write a size such as 16MiB", |text| {
                values::size(text).filter(|size| *size > 0)
            })
            .unwrap_or(default.body_limit),
        timeout: section.duration("timeout").unwrap_or(default.timeout),
        idle: section.duration("idle").unwrap_or(default.idle),
    }
}

/// The address of a server behind this one.
fn backend(
    section: &Section<'_>,
    key: &str,
    text: &str,
    bind: &Bind,
    machine: &Machine,
) -> Option<Url> {
    let fault = |what: &str| section.fault(key, Some(text), what);
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(e) => {
            fault(&e.to_string());
            return None;
        }
    };
    if url.scheme != Scheme::Http {
        fault("servers behind this one are reached over http: write http://host:port");
        return None;
    }
    if !matches!(url.path.as_str(), "" | "/") {
        fault("write http://host:port without a path: the request's own path is kept");
        return None;
    }
    if is_here(&url, machine) && bind.numbers().contains(&url.effective_port()) {
        fault(
            "this is a port of this server itself (gateway.ports): requests would go round in circles; give \
             xiaozhi-server another one (server.http_port) and name that",
        );
        return None;
    }
    Some(url)
}

fn is_here(url: &Url, machine: &Machine) -> bool {
    let own =
        |ip: IpAddr| ip.is_loopback() || ip.is_unspecified() || machine.addresses.contains(&ip);
    url.host.eq_ignore_ascii_case("localhost") || url.ip().is_some_and(own)
}
