//! This process, the connections that it has, and the store.

use super::Facts;
use super::events::line;
use super::units::{bytes, millis};
use crate::admin::page::reader::Reader;
use crate::admin::page::show::stranger;
use crate::admin::page::words::words;
use crate::admin::server_source::StoreView;
use crate::event::lately::Said;
use crate::event::text::Text;
use crate::util::counts::{COUNTS, Download, LeftOut, TurnedAway};
use maud::{Markup, html};

words! {
    VERSION = "版本", "Version";
    BUILT = "构建时间", "Built";
    STARTED = "启动时间", "Running since";
    PROCESS = "进程", "Process";
    MEMORY = "占用内存", "Memory in use";
    OF = "可用：", "of ";
    SYSTEM = "系统", "System";
    KERNEL = "内核", "Kernel";
    CONTAINER = "容器", "Container";
    INSIDE = "在容器内运行", "runs in one";
    OUTSIDE = "不在容器内", "none";
    CHECKS = "自检（/readyz）", "Checks (/readyz)";
    OK = "正常", "well";
    LACKS = "有问题", "not well";
    CPUS = "处理器", "Processors";
    OPEN = "现在打开的连接", "Open now";
    MOST = "最多允许", "May be open at once";
    ACCEPTED = "启动以来接受的", "Let in since the start";
    TURNED = "启动以来被拒绝的", "Turned away since the start";
    SHAKEN = "成功的 TLS 握手", "TLS handshakes that came to their end";
    UNSHAKEN = "失败的 TLS 握手", "TLS handshakes that failed";
    WHOLE = "完整的下载", "Downloads that came whole";
    CUT = "中断的下载", "Downloads that were cut";
    FAILED = "因缺少文件或内存而未能接受的", "Not taken for want of files or memory";
    LEFT_OUT = "没有写进日志的行", "Lines that are not in the log";
    COUNTED = "启动以来的次数", "Counted since the start";
    WELL = "正常", "Well";
    READING = "仍在读取", "Still being read";
    AILING = "有问题", "Not well";
    STATE = "状态", "State";
    FOLDER = "状态目录", "State folder";
    SIZE = "大小", "Size";
    NONE = "没有（只在内存中）", "none (in memory only)";
    DEVICES = "记住的设备", "Devices that are known";
    LAG = "尚未写入的最早消息已等待", "The oldest unwritten news has waited";
    NOTHING_WAITS = "全部已写入", "all is written";
    ROWS = "启动以来写入的行", "Rows written since the start";
    ERRORS = "启动以来的错误", "Errors since the start";
    LAST_ERROR = "最近说过的", "Said of it last";
}

/// Shows this process, and the machine that it runs on.
pub(super) fn process(reader: &Reader, facts: &Facts) -> Markup {
    let process = &facts.view.process;
    let memory = process.resident.map(bytes);
    html! {
        dl.facts {
            (fact(reader, VERSION, &html! { "xiaozhi-ota " (process.version) }))
            (fact(reader, BUILT, &reader.time(millis(process.built))))
            (fact(reader, STARTED, &reader.time(millis(process.started))))
            (fact(reader, MEMORY, &html! {
                (memory.as_deref().unwrap_or("?"))
                @if let Some(all) = process.memory {
                    span.soft { " (" (reader.say(OF)) (bytes(all)) ", " (process.memory_of.to(reader.lang)) ")" }
                }
            }))
            (fact(reader, SYSTEM, &html! { bdi { (process.system) } }))
            (fact(reader, KERNEL, &html! { bdi { (process.kernel) } " " (process.processor) }))
            (fact(reader, CONTAINER, &html! {
                (reader.say(if process.in_container { INSIDE } else { OUTSIDE }))
            }))
            (fact(reader, CPUS, &html! { (process.processors) }))
            (fact(reader, PROCESS, &html! { (process.id) }))
            (fact(reader, CHECKS, &html! {
                @for (n, check) in facts.checks.iter().enumerate() {
                    @if n > 0 { ", " }
                    code { (check.name) } " "
                    @match &check.why {
                        None => span.good { (reader.say(OK)) },
                        Some(_) => strong.bad { (reader.say(LACKS)) },
                    }
                }
            }))
        }
    }
}

/// Shows the connections of this moment, and what became of those before.
pub(super) fn connections(reader: &Reader) -> Markup {
    let rows = counted().into_iter();
    html! {
        div.cards {
            (card(reader, OPEN, COUNTS.connections_open()))
            (card(reader, MOST, COUNTS.permits()))
            (card(reader, ACCEPTED, COUNTS.connections_accepted()))
        }
        div.scroll tabindex="0" role="region" aria-label=(reader.say(COUNTED)) {
            table {
                tbody {
                    @for (name, count) in rows {
                        tr { th scope="row" { (reader.say(name)) } td.n { (count) } }
                    }
                }
            }
        }
    }
}

/// Lists what was counted of connections since the start.
pub(super) fn counted() -> [(Text, u64); 7] {
    let turned = TurnedAway::ALL
        .iter()
        .map(|reason| COUNTS.connections_turned_away(*reason));
    let failed = COUNTS.failed_handshakes().map(|(_, count)| count);
    let left_out = LeftOut::ALL
        .iter()
        .map(|reason| COUNTS.lines_left_out(*reason));
    [
        (TURNED, turned.sum()),
        (FAILED, COUNTS.failed_accepts()),
        (SHAKEN, COUNTS.handshakes()),
        (UNSHAKEN, failed.sum()),
        (WHOLE, COUNTS.downloads(Download::Whole)),
        (CUT, COUNTS.downloads(Download::Cut)),
        (LEFT_OUT, left_out.sum()),
    ]
}

/// Shows how the store is.
pub(super) fn store(reader: &Reader, store: &StoreView, lately: &[Said]) -> Markup {
    let is_of_store = |said: &&Said| said.event.kind.id.starts_with("store.");
    let last = lately.iter().find(is_of_store);
    html! {
        dl.facts {
            (fact(reader, STATE, &html! {
                @if store.is_reading {
                    span.warn { (reader.say(READING)) }
                } @else if let Some(why) = &store.why {
                    strong.bad { (reader.say(AILING)) } ": " (stranger(&why.words(reader.lang)))
                } @else {
                    span.good { (reader.say(WELL)) }
                }
            }))
            (fact(reader, FOLDER, &html! { bdi.mono { (store.dir.display()) } }))
            (fact(reader, SIZE, &html! {
                (store.bytes.map_or_else(|| reader.say(NONE).to_owned(), bytes))
            }))
            (fact(reader, DEVICES, &html! { (store.devices) }))
            @if store.bytes.is_some() {
            (fact(reader, LAG, &html! {
                @if store.lag.is_zero() { (reader.say(NOTHING_WAITS)) } @else {
                    (format!("{:.1} s", store.lag.as_secs_f64()))
                }
            }))
            (fact(reader, ROWS, &html! { (COUNTS.store_rows()) }))
            (fact(reader, ERRORS, &html! { (COUNTS.store_errors()) }))
            }
            @if let Some(last) = last {
                (fact(reader, LAST_ERROR, &html! {
                    (reader.time(millis(last.at))) br; (line(reader, &last.event))
                }))
            }
        }
    }
}

/// Shows a fact and its name.
pub(super) fn fact(reader: &Reader, name: Text, value: &Markup) -> Markup {
    html! { dt { (reader.say(name)) } dd { (value) } }
}

fn card(reader: &Reader, name: Text, number: u64) -> Markup {
    html! { div.card { span.number { (number) } (reader.say(name)) } }
}
