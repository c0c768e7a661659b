//! `/server`: what this server is at this moment, what was found wrong with it, and what it
//! said of late. `/server/diagnostics`: the same as text, without what is anybody's secret.

mod about;
mod address;
mod diagnostics;
mod events;
mod mask;
mod settings;
mod units;

use super::finding::findings;
use super::layout::Tab;
use super::reader::Reader;
use super::words::{self, words};
use crate::admin::parts::Sources;
use crate::admin::readiness::Check;
use crate::admin::reply::{Refusal, text};
use crate::admin::server_source::ServerView;
use crate::event::Event;
use crate::event::lately::Said;
use crate::event::text::Text;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use maud::{Markup, html};
use std::sync::Arc;
use std::time::SystemTime;

words! {
    FINDINGS = "本服务器的问题", "Problems of this server";
    PROCESS = "运行状况", "This process";
    ADDRESSES = "地址", "Addresses";
    CERTIFICATES = "证书", "Certificates";
    BACKENDS = "上游服务器", "Upstream servers";
    CONNECTIONS = "连接", "Connections";
    STORE = "设备记录", "Store of devices";
    SETTINGS = "设置", "Settings";
    EVENTS = "最近的事件", "Last events";
    DIAGNOSTICS = "诊断信息", "Diagnostics";
    JUMP = "本页内容", "On this page";
    PASTE = "可以粘贴到问题报告里的文本：版本、系统、设置、发现的问题和最近的事件。其中没有密钥和令牌，设备的 MAC 地址和网络地址已隐去；本服务器的域名、目录和证书名称会写明，发布之前请看一遍。",
        "Text to paste into an issue: version, system, settings, what was found wrong, the last events. No key or token is in it, and MAC and network addresses of devices are masked; host names, folders and certificates of this server are named, so look it over before you post it.";
    AS_TEXT = "以纯文本打开", "Open as plain text";
    SHOW_TEXT = "显示文本", "Show the text";
}

/// Facts of one moment, which the page and the diagnostics show.
struct Facts {
    findings: Vec<Event>,
    checks: Vec<Check>,
    view: ServerView,
    lately: Vec<Said>,
    now: SystemTime,
}

impl Facts {
    /// Gathers them on a thread that may block.
    async fn gather(sources: &Sources) -> Result<Self, Refusal> {
        let server = Arc::clone(&sources.server);
        let readiness = Arc::clone(&sources.readiness);
        let now = (sources.clock)();
        // Not among the few that look through the fleet: whoever looks for a fault waits for
        // none of them, and costs as little with a million devices.
        let facts = tokio::task::spawn_blocking(move || Self {
            findings: server.findings(),
            checks: readiness.checks(),
            view: server.view(),
            lately: server.lately(),
            now,
        });
        facts.await.map_err(|_| Refusal::Late)
    }
}

/// Shows this server.
pub(super) async fn server(
    State(sources): State<Sources>,
    reader: Reader,
) -> Result<Response, Refusal> {
    let facts = Facts::gather(&sources).await?;
    let view = &facts.view;
    let sections: [(&str, Text, Markup); 9] = [
        ("findings", FINDINGS, findings(&reader, &facts.findings)),
        ("process", PROCESS, about::process(&reader, &facts)),
        ("addresses", ADDRESSES, address::addresses(&reader, view)),
        (
            "certificates",
            CERTIFICATES,
            address::certificates(&reader, &facts),
        ),
        (
            "backends",
            BACKENDS,
            address::backends(&reader, &view.backends),
        ),
        ("connections", CONNECTIONS, about::connections(&reader)),
        (
            "store",
            STORE,
            about::store(&reader, &view.store, &facts.lately),
        ),
        ("settings", SETTINGS, settings::settings(&reader, view)),
        ("events", EVENTS, events::events(&reader, &facts.lately)),
    ];
    let diagnostics = diagnostics::write(reader.lang, &facts);
    let body = html! {
        nav.jump aria-label=(reader.say(JUMP)) {
            ul {
                @for (id, name, _) in &sections { (jump(&reader, id, *name)) }
                (jump(&reader, "diagnostics", DIAGNOSTICS))
            }
        }
        @for (id, name, shown) in &sections {
            h2 id={ (id) "-title" } { (reader.say(*name)) }
            section id=(id) data-live aria-labelledby={ (id) "-title" } { (shown) }
        }
        h2 id="diagnostics-title" { (reader.say(DIAGNOSTICS)) }
        section aria-labelledby="diagnostics-title" {
            p { (reader.say(PASTE)) }
            p {
                a.button.second href="/server/diagnostics" { (reader.say(AS_TEXT)) }
            }
            details {
                summary { (reader.say(SHOW_TEXT)) }
                textarea.mono.wide readonly rows="20" aria-label=(reader.say(DIAGNOSTICS)) {
                    // What stands right behind the tag is left out by browsers if it ends a line.
                    "\n" (diagnostics)
                }
            }
        }
    };
    Ok(reader.page(Some(Tab::Server), reader.say(words::SERVER), &body))
}

fn jump(reader: &Reader, id: &str, name: Text) -> Markup {
    html! { li { a href={ "#" (id) "-title" } { (reader.say(name)) } } }
}

/// Answers with the text to paste into an issue.
pub(super) async fn as_text(
    State(sources): State<Sources>,
    reader: Reader,
) -> Result<Response, Refusal> {
    let facts = Facts::gather(&sources).await?;
    Ok(text(
        StatusCode::OK,
        &diagnostics::write(reader.lang, &facts),
    ))
}
