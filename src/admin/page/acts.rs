//! `/acts`: who ordered what, when, and from where.

use super::layout::Tab;
use super::reader::Reader;
use super::show::stranger;
use super::words::{self, words};
use crate::admin::fleet_source::FleetSource;
use crate::admin::parts::Sources;
use crate::admin::query;
use crate::admin::reply::Refusal;
use crate::event::text::Text;
use crate::fleet::orders::{Act, ActKind};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::{Markup, html};
use std::time::UNIX_EPOCH;

words! {
    NONE = "还没有人操作过。发布、删除、重试和忘记设备都会记在这里",
        "Nobody has ordered anything yet. Publishing, deleting, retrying and forgetting are kept here.";
    ABOUT = "最近的操作在前，与命令一同保存在状态目录的 orders.json 里",
        "The newest first; they are kept in orders.json in the state folder";
    WHEN = "时间", "When";
    WHO = "谁（令牌的名字）", "Who (name of the token)";
    FROM = "来自", "From";
    WHAT = "做了什么", "What";
    DEVICE = "设备", "Device";
    FILE = "文件", "File";
    RETRY = "重试", "retry";
    FORGET = "忘记设备", "forget a device";
    PUBLISH = "发布固件", "publish a file";
    DELETE = "删除固件", "delete a file";
    ALL = "全部失败过的", "all that failed";
    FORGOTTEN = "已忘记", "forgotten";
}

/// Number of acts on a page.
const SHOWN: usize = 100;

/// Shows what people ordered, a page at a time. An act that is new moves the others down: some
/// are met twice then, and none is missed.
pub(super) async fn acts(
    State(sources): State<Sources>,
    reader: Reader,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let first = query::place(query.as_deref())?;
    let acts = sources.single(FleetSource::acts).await?;
    let body = html! {
        div id="acts" data-live {
            @if acts.is_empty() {
                p.soft { (reader.say(NONE)) }
            } @else {
                @let after = first.saturating_add(SHOWN);
                @let shown = acts.get(first..after.min(acts.len())).unwrap_or_default();
                @if !shown.is_empty() { (table(&reader, shown)) }
                (pages(&reader, first, (after < acts.len()).then_some(after)))
            }
        }
    };
    Ok(reader.page(Some(Tab::Acts), reader.say(words::ACTS), &body))
}

fn pages(reader: &Reader, first: usize, next: Option<usize>) -> Markup {
    html! {
        @if first > 0 || next.is_some() {
            nav.pages aria-label=(reader.say(words::PAGES)) {
                @if first > 0 { a href="/acts" { (reader.say(words::FIRST_PAGE)) } }
                @if let Some(next) = next {
                    a rel="next" href={ "/acts?after=" (next) } { (reader.say(words::NEXT_PAGE)) }
                }
            }
        }
    }
}

fn table(reader: &Reader, acts: &[Act]) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                caption { (reader.say(ABOUT)) }
                thead {
                    tr {
                        @for name in [WHEN, WHAT, DEVICE, FILE, WHO, FROM] {
                            th scope="col" { (reader.say(name)) }
                        }
                    }
                }
                tbody {
                    @for act in acts { (row(reader, act)) }
                }
            }
        }
    }
}

fn row(reader: &Reader, act: &Act) -> Markup {
    let what: Option<Text> = match act.kind {
        ActKind::Retry => Some(RETRY),
        ActKind::Forget => Some(FORGET),
        ActKind::Publish => Some(PUBLISH),
        ActKind::Delete => Some(DELETE),
        ActKind::Other(_) => None,
    };
    let is_of_device = matches!(act.kind, ActKind::Retry | ActKind::Forget);
    html! {
        tr {
            td.nowrap { (time(reader, act)) }
            td {
                @match (&act.kind, what) {
                    (ActKind::Other(name), _) => (stranger(name)),
                    (_, words) => (words.map_or("", |words| reader.say(words))),
                }
            }
            td {
                @match &act.device {
                    Some(device) => span.mono { (stranger(device)) },
                    None if is_of_device => span.soft { (reader.say(FORGOTTEN)) },
                    None => "",
                }
            }
            td {
                @match &act.file {
                    Some(file) => (stranger(file)),
                    None if act.kind == ActKind::Retry => span.soft { (reader.say(ALL)) },
                    None => "",
                }
            }
            td { (stranger(&act.by)) }
            td { bdi.mono { (act.from) } }
        }
    }
}

fn time(reader: &Reader, act: &Act) -> Markup {
    let at = act.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    reader.time(u64::try_from(at.as_millis()).unwrap_or(u64::MAX))
}
