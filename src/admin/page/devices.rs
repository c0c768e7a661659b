//! `/devices`: search, and all devices, a page at a time.

use super::layout::Tab;
use super::reader::Reader;
use super::show::{self, device, devices_path, number, short};
use super::words::{self, words};
use crate::admin::parts::Sources;
use crate::admin::query::DeviceQuery;
use crate::admin::reply::Refusal;
use crate::admin::scan;
use crate::admin::time::rfc3339;
use crate::event::text::Text;
use crate::fleet::{DeviceId, Record};
use crate::util::fate::{self, ENDS, end_of, plain};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::{Markup, html};

words! {
    SEARCH = "搜索", "Search";
    LOOKS_AT = "按 MAC 地址（任何写法）、板子、版本、IP 地址或客户端 ID 查找，只写一部分也可以，不分大小写",
        "It looks at the MAC address in any spelling, the board, the version, the IP address and the client id; a part of one is enough, in upper or lower case";
    TEXT = "查找", "Look for";
    END = "最近一次下发的结果", "End of the newest offer";
    SEEN = "签到", "Checked in";
    ANY = "不限", "any";
    EVER = "任何时候", "ever";
    LAST_HOUR = "一小时内", "within an hour";
    LAST_DAY = "一天内", "within a day";
    LAST_WEEK = "一周内", "within a week";
    ONLY = "只显示：", "Only:";
    REMOVE = "去掉这一条", "leave this out";
    MODEL = "型号", "model";
    VERSION = "版本", "version";
    BOARD = "板子", "board";
    FILE = "文件", "file";
    SCHEME = "协议", "scheme";
    SEEN_SINCE = "签到时间", "checked in since";
    ALL = "已知设备：", "Devices that are known:";
    NOBODY = "还没有设备签到过：首页说明怎样开始", "No device has checked in yet: the first page says how to begin";
    TO_START = "打开首页", "Open the first page";
    NOTHING = "没有这样的设备", "No device is like that";
    SHOW_ALL = "显示全部设备", "Show all devices";
    ABOUT = "设备，按 MAC 地址排列", "Devices, by their MAC addresses";
    DEVICE = "设备", "Device";
    BOARD_HEAD = "板子", "Board";
    SCHEME_HEAD = "协议", "Scheme";
    RUNS = "运行版本", "Runs";
    OFFER = "最近一次下发", "Newest offer";
    LAST_SEEN = "最近签到", "Last seen";
    NO_OFFER = "没有", "none";
}

/// Shows a page of the devices that are asked for.
pub(super) async fn devices(
    State(sources): State<Sources>,
    reader: Reader,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = DeviceQuery::read(query.as_deref(), (sources.clock)())?;
    let (asked, is_first) = (query.asked.clone(), query.after.is_none());
    let read = sources.blocking(move |source| {
        let records = scan::records(source.fleet(), &query)?;
        Ok::<_, Refusal>((records, source.fleet().len()))
    });
    let ((devices, next), known) = read.await??;
    let body = html! {
        (form(&reader, &asked))
        (only(&reader, &asked))
        div id="devices" data-live {
            @if devices.is_empty() {
                (nothing(&reader, known == 0 && asked.is_empty()))
            } @else {
                @if asked.is_empty() { p.soft { (reader.say(ALL)) " " (number(known as u64)) } }
                (table(&reader, &devices))
            }
            (pages(&reader, &asked, is_first, next.as_deref()))
        }
    };
    Ok(reader.page(Some(Tab::Devices), reader.say(words::DEVICES), &body))
}

fn value<'a>(asked: &'a [(&'static str, String)], key: &str) -> &'a str {
    let found = asked.iter().find(|(known, _)| *known == key);
    found.map_or("", |(_, value)| value)
}

fn form(reader: &Reader, asked: &[(&'static str, String)]) -> Markup {
    let of_form = ["q", "end", "seen_since"];
    let (end, seen) = (value(asked, "end"), value(asked, "seen_since"));
    let spans = [
        ("", EVER),
        ("1h", LAST_HOUR),
        ("1d", LAST_DAY),
        ("7d", LAST_WEEK),
    ];
    let is_other = spans.iter().all(|(span, _)| *span != seen);
    html! {
        form role="search" method="get" action="/devices" {
            div.search {
                div {
                    label for="q" { (reader.say(TEXT)) }
                    input type="search" id="q" name="q" value=(value(asked, "q")) aria-describedby="looks-at";
                }
                div.little {
                    label for="end" { (reader.say(END)) }
                    select id="end" name="end" {
                        option value="" { (reader.say(ANY)) }
                        @for each in &ENDS {
                            option value=(each.key) selected[each.key == end] { (reader.say(each.short)) }
                        }
                    }
                }
                div.little {
                    label for="seen_since" { (reader.say(SEEN)) }
                    select id="seen_since" name="seen_since" {
                        @for (span, words) in spans {
                            option value=(span) selected[span == seen] { (reader.say(words)) }
                        }
                        @if is_other { option value=(seen) selected { (plain(seen)) } }
                    }
                }
                @for (key, value) in asked.iter().filter(|(key, _)| !of_form.contains(key)) {
                    input type="hidden" name=(key) value=(value);
                }
                button type="submit" { (reader.say(SEARCH)) }
            }
            p.soft.small id="looks-at" { (reader.say(LOOKS_AT)) }
        }
    }
}

/// Shows what is asked for beside the form, with a link that leaves it out.
fn only(reader: &Reader, asked: &[(&'static str, String)]) -> Markup {
    let name = |key: &str| -> Option<Text> {
        Some(match key {
            "model" => MODEL,
            "version" => VERSION,
            "board" => BOARD,
            "file" => FILE,
            "transport" => SCHEME,
            "end" => END,
            "seen_since" => SEEN_SINCE,
            _ => return None,
        })
    };
    let shown = |key: &str, value: &str| match end_of(value).filter(|_| key == "end") {
        Some(end) => html! { (reader.say(end.short)) },
        None => short(value),
    };
    let others = |left: &str| {
        let others = asked.iter().filter(|(key, _)| *key != left);
        let others: Vec<_> = others.map(|(key, value)| (*key, &**value)).collect();
        devices_path(&others)
    };
    let named: Vec<_> = asked
        .iter()
        .filter_map(|(key, value)| Some((*key, name(key)?, value)))
        .collect();
    html! {
        @if !named.is_empty() {
            ul.key {
                li.soft { (reader.say(ONLY)) }
                @for (key, name, value) in named {
                    li {
                        (reader.say(name)) " " strong { (shown(key, value)) } " "
                        a href=(others(key)) { (reader.say(REMOVE)) }
                    }
                }
            }
        }
    }
}

fn nothing(reader: &Reader, is_empty: bool) -> Markup {
    html! {
        @if is_empty {
            p { (reader.say(NOBODY)) }
            p { a href="/" { (reader.say(TO_START)) } }
        } @else {
            p { strong { (reader.say(NOTHING)) } }
            p.soft { (reader.say(LOOKS_AT)) }
            p { a href="/devices" { (reader.say(SHOW_ALL)) } }
        }
    }
}

fn table(reader: &Reader, devices: &[(DeviceId, Record)]) -> Markup {
    let head = html! {
        @for name in [DEVICE, BOARD_HEAD, RUNS, OFFER, LAST_SEEN, SCHEME_HEAD] {
            th scope="col" { (reader.say(name)) }
        }
    };
    let rows = html! { @for (id, record) in devices { (row(reader, id, record)) } };
    show::table(reader.say(ABOUT), &head, &rows)
}

fn row(reader: &Reader, id: &DeviceId, record: &Record) -> Markup {
    let seen = rfc3339(record.last_seen);
    html! {
        tr {
            td.nowrap { (device(id)) }
            td.name { @match record.named() { Some(board) => (short(&plain(board))), None => span.soft { "-" } } }
            td.name { (short(&plain(record.build.version()))) }
            td.name { (offer(reader, record)) }
            td.nowrap { time datetime=(seen) { (reader.times.short(&seen)) } }
            td { (if record.is_secure { "https" } else { "http" }) }
        }
    }
}

/// Shows the newest offer of a device, and how it ended.
fn offer(reader: &Reader, record: &Record) -> Markup {
    let history = record.history.as_deref();
    let Some((history, offer)) = history.and_then(|all| Some((all, all.offers.last()?))) else {
        return html! { span.soft { (reader.say(NO_OFFER)) } };
    };
    let key = offer.end.key();
    let is_given_up = offer.end.is_failure() && history.has_given_up(offer.image.content);
    let words = if is_given_up {
        fate::given_up(key, reader.lang)
    } else {
        fate::short(key, reader.lang).into_owned()
    };
    html! {
        (short(&offer.image.file)) " "
        span.bad[offer.end.is_failure()].good[offer.end == crate::fleet::OfferEnd::Succeeded] { (words) }
    }
}

fn pages(
    reader: &Reader,
    asked: &[(&'static str, String)],
    is_first: bool,
    next: Option<&str>,
) -> Markup {
    let with = |after: Option<&str>| {
        let asked = asked.iter().map(|(key, value)| (*key, &**value));
        let after = after.map(|after| ("after", after));
        let all: Vec<_> = asked.chain(after).collect();
        devices_path(&all)
    };
    html! {
        @if !is_first || next.is_some() {
            nav.pages aria-label=(reader.say(words::PAGES)) {
                @if !is_first { a href=(with(None)) { (reader.say(words::FIRST_PAGE)) } }
                @if next.is_some() { a rel="next" href=(with(next)) { (reader.say(words::NEXT_PAGE)) } }
            }
        }
    }
}
