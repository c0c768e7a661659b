//! `gateway.proxy`: what goes to servers behind this one.

use super::fault::About;
use super::ourselves::is_our_port;
use super::section::Section;
use super::{Machine, values, wanted};
use crate::event::{Event, event};
use crate::http::proxy::{ProxyRoute, ProxySettings};
use crate::ota::public_url::{PublicAddress, Url, VISION_PATH, WEBSOCKET_PATH};
use crate::server::Bind;

/// Reads what goes to servers behind this one. `ports` is the setting that says where
/// this one listens.
pub(super) fn proxy<'a>(
    section: &Section<'a>,
    bind: &Bind,
    ports: &About<'_>,
    public: &PublicAddress,
    machine: &Machine,
) -> ProxySettings {
    section.only_known();
    let default = ProxySettings::default();
    let mut routes: Vec<ProxyRoute> = Vec::new();
    let mut written: Vec<About<'a>> = Vec::new();
    let mut add = |section: &Section<'a>, key: &str, path: &str, text: &str| {
        let same =
            |(r, _): &(&ProxyRoute, _)| r.path.trim_end_matches('/') == path.trim_end_matches('/');
        let about = || section.about(key).value(text);
        if let Some((twin, there)) = routes.iter().zip(&written).find(same) {
            let event = event!(CONFIG_ROUTE_TWICE, path = path, other = &twin.setting);
            about().beside(there).fault(event);
        } else if let Some(to) = backend(about(), ports, text, path, bind, machine, public) {
            written.push(about());
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
        let is_path = path.starts_with('/')
            && path
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"?#%\\*".contains(&b));
        let is_ours = |ours: &String| {
            path.strip_prefix(ours.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match to {
            Some(to) if is_path && public.served_paths().iter().any(is_ours) => {
                more.fault(path, Some(to), event!(CONFIG_ROUTE_OTA));
            }
            Some(to) if is_path => add(&more, path, path, to),
            to => more.fault(path, to, event!(CONFIG_VALUE, wanted = wanted::ROUTE)),
        }
    }
    let body_limit = section.size("body_limit", wanted::SIZE);
    if body_limit == Some(0) {
        let event = event!(CONFIG_VALUE, wanted = wanted::SIZE);
        section.fault("body_limit", section.text("body_limit"), event);
    }
    ProxySettings {
        routes,
        body_limit: body_limit.unwrap_or(default.body_limit),
        timeout: section.duration("timeout").unwrap_or(default.timeout),
        idle: section.duration("idle").unwrap_or(default.idle),
    }
}

/// Reads the address of a server behind this one, to which `path` goes.
fn backend(
    about: About<'_>,
    ports: &About<'_>,
    text: &str,
    path: &str,
    bind: &Bind,
    machine: &Machine,
    public: &PublicAddress,
) -> Option<Url> {
    let url = match as_http(text, path) {
        Ok(url) => url,
        Err(event) => {
            about.fault(event);
            return None;
        }
    };
    if is_our_port(&url, bind, machine, public) {
        about.beside(ports).fault(event!(CONFIG_BACKEND_ITSELF));
        return None;
    }
    Some(url)
}

/// Reads an address as that of an HTTP server, as which a WebSocket begins: `ws` means the
/// same, and so does nothing. The path that goes there anyway may be written, too.
fn as_http(text: &str, path: &str) -> Result<Url, Event> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => ("http".to_owned(), text),
    };
    let is_plain = matches!(scheme.as_str(), "http" | "ws");
    // What is left of a scheme is no host.
    let schemes = ["https", "http", "wss", "ws", ""];
    let behind = schemes.iter().find_map(|scheme| rest.strip_prefix(scheme));
    let is_cut = !text.contains("://")
        && (behind
            .is_some_and(|rest| rest.starts_with("//") || rest.starts_with([':', ';', '：']))
            || rest.contains("//"));
    let is_host = |c: char| c.is_ascii_alphanumeric() || "._-[]".contains(c);
    let is_word = rest.parse::<u32>().is_ok() || values::boolean(rest).is_some();
    let names_host = rest.starts_with(is_host) || !rest.is_ascii();
    if !is_plain || is_cut || is_word || !names_host {
        return Err(event!(CONFIG_BACKEND_SCHEME, write = in_form(rest, path)));
    }
    let url = Url::parse(&format!("http://{rest}"));
    let mut url = url.map_err(|e| event!(CONFIG_ADDRESS, what = Event::from(&e)))?;
    let own = [path, ""].map(|path| path.trim_end_matches('/'));
    if !own.contains(&url.path.trim_end_matches('/')) {
        return Err(event!(CONFIG_BACKEND_PATH, write = url.origin()));
    }
    url.path = String::new();
    Ok(url)
}

/// Returns the form in which a server behind this one is written, with as much of the text as
/// can be kept: no user, no query, no path.
fn in_form(text: &str, path: &str) -> String {
    let port = if path == VISION_PATH { 8004 } else { 8000 };
    let schemes = ["https", "http", "wss", "ws"].iter();
    let mut behind = schemes.filter_map(|scheme| text.strip_prefix(scheme));
    let text = behind
        .find(|rest| rest.starts_with([':', '/', ';', '：']))
        .unwrap_or(text);
    let text = text.trim_start_matches([':', ';', '：']);
    let text = text.trim_start_matches('/');
    let authority = text.split('/').next().unwrap_or_default();
    let with_port = match authority.trim_start_matches(':') {
        word if values::boolean(word).is_some() && word.parse::<u16>().is_err() => {
            format!("127.0.0.1:{port}")
        }
        number if number.parse::<u16>().is_ok() => format!("127.0.0.1:{number}"),
        authority if authority.contains(':') => authority.to_owned(),
        authority => format!("{authority}:{port}"),
    };
    let written = Url::parse(&format!("http://{with_port}"));
    written.map_or_else(|_| format!("http://127.0.0.1:{port}"), |url| url.origin())
}

#[cfg(test)]
mod tests {
    use super::super::resolve::tests::{good, read};
    use std::time::Duration;

    #[test]
    fn a_backend_that_cannot_be_meant_is_refused_by_name() {
        for (yaml, words) in [
            (
                "gateway: {proxy: {websockets: 'http://h:1'}}",
                "did you mean `websocket`?",
            ),
            (
                "gateway: {proxy: {websocket: 'https://h:8000'}}",
                "gateway.proxy.websocket: \"https://h:8000\": servers behind this one are reached over http",
            ),
            (
                "gateway: {proxy: {websocket: 'wss://me:hush@h:8000/xiaozhi/v1/'}}",
                "write http://127.0.0.1:8000",
            ),
            (
                "gateway: {proxy: {vision: 'tcp://h/mcp/vision/explain'}}",
                "write http://h:8004",
            ),
            (
                "gateway: {proxy: {vision: 'http://h:8004/mcp/vision'}}",
                "write http://h:8004 without a path",
            ),
            (
                "gateway: {proxy: {websocket: 8000}}",
                "write http://127.0.0.1:8000",
            ),
            (
                "gateway: {proxy: {websocket: ':8000'}}",
                "write http://127.0.0.1:8000",
            ),
            (
                "gateway: {proxy: {websocket: 'http:/127.0.0.1:8001'}}",
                "write http://127.0.0.1:8001",
            ),
            (
                "gateway: {proxy: {websocket: 'ws//127.0.0.1:8001'}}",
                "write http://127.0.0.1:8001",
            ),
            (
                "gateway: {proxy: {websocket: '//127.0.0.1:8001'}}",
                "write http://127.0.0.1:8001",
            ),
            (
                "gateway: {proxy: {websocket: 'ws:127.0.0.1:8001'}}",
                "write http://127.0.0.1:8001",
            ),
            (
                "gateway: {proxy: {websocket: true}}",
                "write http://127.0.0.1:8000",
            ),
            (
                "gateway: {proxy: {websocket: 'ws://127.0.0.1:8000/xiaozhi/v1/?token=hush'}}",
                "without user name, '?' or '#'",
            ),
            (
                "gateway: {proxy: {vision: 'http://127.0.0.1:8003'}}",
                "gateway.proxy.vision: \"http://127.0.0.1:8003\": this is a port of this server itself",
            ),
            (
                "gateway: {proxy: {vision: 'http://192.168.1.100:8443'}}",
                "this is a port of this server itself",
            ),
            (
                "gateway: {proxy: {routes: {/xiaozhi/ota/x: 'http://h:1'}}}",
                "gateway.proxy.routes./xiaozhi/ota/x: \"http://h:1\": this is the OTA interface",
            ),
            (
                "server: {ota: 'http://h/my/firmware'}\ngateway: {proxy: {routes: {/my/firmware: 'http://h:1'}}}",
                "this is the OTA interface",
            ),
            (
                "gateway: {proxy: {routes: {mcp: 'http://h:1'}}}",
                "write a path and the server behind it",
            ),
            (
                "gateway: {proxy: {routes: {/a: [x]}}}",
                "write a path and the server behind it",
            ),
            (
                "gateway: {proxy: {routes: {/a: 'http://h:1', /a/: 'http://h:2'}}}",
                "/a/ goes by gateway.proxy.routes./a already",
            ),
            (
                "gateway: {proxy: {body_limit: 0}}",
                "gateway.proxy.body_limit: \"0\"",
            ),
        ] {
            let found = read(yaml).err().unwrap_or_default();
            assert!(found.iter().any(|f| f.contains(words)), "{yaml}: {found:?}");
        }
    }

    #[test]
    fn what_goes_to_servers_behind_this_one() {
        let s = good(
            "gateway:\n  proxy:\n    websocket: http://127.0.0.1:8000\n    vision: http://xiaozhi:8004/\n    \
             routes: {/xiaozhi/otaku: 'http://192.168.1.7:8003', /: 'http://h'}\n    \
             body_limit: 5MB\n    timeout: 5s\n    idle: 2m\n",
        );
        let routes = s.proxy.routes.iter();
        let routes: Vec<_> = routes
            .map(|r| format!("{} {} {}", r.setting, r.path, r.to.origin()))
            .collect();
        assert_eq!(
            routes,
            [
                "gateway.proxy.websocket /xiaozhi/v1/ http://127.0.0.1:8000",
                "gateway.proxy.vision /mcp/vision/explain http://xiaozhi:8004",
                "gateway.proxy.routes./xiaozhi/otaku /xiaozhi/otaku http://192.168.1.7:8003",
                "gateway.proxy.routes./ / http://h",
            ]
        );
        assert_eq!(
            (s.proxy.body_limit, s.proxy.timeout, s.proxy.idle),
            (5_000_000, Duration::from_secs(5), Duration::from_secs(120))
        );
        let none = good("").proxy;
        assert!(none.routes.is_empty() && !none.passes_on("/xiaozhi/v1/"));
    }

    #[test]
    fn a_voice_server_may_be_written_as_devices_have_it() {
        for text in [
            "ws://127.0.0.1:8000",
            "WS://127.0.0.1:8000/",
            "ws://127.0.0.1:8000/xiaozhi/v1/",
            "ws://127.0.0.1:8000/xiaozhi/v1",
            "127.0.0.1:8000",
            "127.0.0.1:8000/xiaozhi/v1/",
            "http://127.0.0.1:8000/xiaozhi/v1/",
            "HTTP://127.0.0.1:8000",
        ] {
            let s = good(&format!("gateway: {{proxy: {{websocket: '{text}'}}}}"));
            assert_eq!(
                s.proxy.routes[0].to.to_string(),
                "http://127.0.0.1:8000",
                "{text}"
            );
        }
        for (yaml, to) in [
            (
                "vision: 'http://h:8004/mcp/vision/explain'",
                "http://h:8004",
            ),
            ("vision: 'h:8004'", "http://h:8004"),
            ("vision: localhost", "http://localhost"),
            (
                "routes: {/mcp_endpoint/: 'ws://h:8005/mcp_endpoint/'}",
                "http://h:8005",
            ),
            ("routes: {/a: '[fd00::7]:80'}", "http://[fd00::7]:80"),
        ] {
            let s = good(&format!("gateway: {{proxy: {{{yaml}}}}}"));
            assert_eq!(s.proxy.routes[0].to.to_string(), to, "{yaml}");
        }
    }

    #[test]
    fn devices_are_told_of_the_websocket_that_they_reach() {
        let passed_on = "gateway: {proxy: {websocket: 'http://127.0.0.1:8000'}}";
        let by_route = "gateway: {proxy: {routes: {/xiaozhi: 'http://127.0.0.1:8000'}}}";
        let https = "server: {vision_explain: 'https://d.com/edge/mcp/vision/explain'}\n";
        let other_port = "server: {vision_explain: 'https://d.com:8443/mcp/vision/explain'}\n";
        let own = "server: {websocket: 'ws://voice/', vision_explain: 'https://d.com/mcp/vision/explain'}\n";
        for (yaml, websocket) in [
            (String::new(), "ws://192.168.1.100:8000/xiaozhi/v1/"),
            (passed_on.into(), "ws://192.168.1.100:8003/xiaozhi/v1/"),
            (by_route.into(), "ws://192.168.1.100:8003/xiaozhi/v1/"),
            (https.into(), "wss://d.com/xiaozhi/v1/"),
            (format!("{https}{passed_on}"), "wss://d.com/xiaozhi/v1/"),
            (other_port.into(), "wss://d.com:8443/xiaozhi/v1/"),
            (format!("{own}{passed_on}"), "ws://voice/"),
        ] {
            assert_eq!(
                good(&yaml).websocket_url().as_deref(),
                Some(websocket),
                "{yaml}"
            );
        }
    }
}
