//! `/`: what needs attention, what devices run, and how their newest offers ended.

use super::chart::{Part, bar, key};
use super::layout::Tab;
use super::reader::Reader;
use super::show::{self, colour, devices_path, number, percent, short};
use super::words::{self, words};
use super::{hand, past, start};
use crate::admin::counted::Counts;
use crate::admin::parts::Sources;
use crate::admin::query::Span;
use crate::admin::reply::Refusal;
use crate::event::text::Text;
use crate::fleet::{ImageEnds, OfferEnd, Summary};
use crate::util::fate::{ENDS, end_of};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use hyper::header::{HeaderName, HeaderValue};
use maud::{Markup, html};
use std::collections::HashMap;
use xiaozhi_device::checkin::DEFAULT_MODEL;
use xiaozhi_device::hex;

words! {
    COUNTING = "正在清点设备，本页稍后会自动重新载入", "The devices are being counted: this page loads itself again in a moment";
    KNOWN = "已知设备", "known devices";
    HOUR = "一小时内签到过", "checked in within the last hour";
    DAY = "一天内签到过", "within the last day";
    WEEK = "一周内签到过", "within the last week";
    NOT_ACTIVATED = "上游表示尚未激活、因而不下发固件的设备：", "Devices that are not activated, by the upstream, and are offered nothing:";
    UPDATES_OFF = "上游关闭了自动升级的设备：", "Devices whose automatic updates are off, by the upstream:";
    OTHERS = "另有没有 MAC 地址的设备，不计入下面的数字：", "Devices without a MAC address, which are not counted here:";
    VERSIONS = "型号和版本", "Models and versions";
    VERSIONS_OF = "各型号、各版本的设备数", "Devices by model and version";
    MODEL = "型号", "Model";
    VERSION = "版本", "Version";
    DEVICES = "设备数", "Devices";
    SHARE = "占比", "Share";
    ENDS_TITLE = "升级结果", "How updates ended";
    ENDS_OF = "每台设备最近一次升级，按文件", "The last update of each device, by file";
    NO_OFFERS = "还没有给设备下发过固件：固件目录里没有比设备更新、又适合它的文件", "No update was offered yet: no file in the firmware folder fits a device and is newer than what it runs";
    NO_FILES = "固件目录中没有可下发的文件。", "The firmware folder has no file that can be offered.";
    PUBLISH = "发布固件", "Publish firmware";
    FILE = "文件", "File";
    MEANING = "这些词的意思", "What these words mean";
    MORE = "其余", "The rest";
    LEFT_OUT = "未显示的行（GET /api/v1/fleet 列出全部）：", "Rows that are not shown (GET /api/v1/fleet lists all):";
    OVER_TIME = "变化趋势", "Over time";
    WAY = "从 http 到 https", "From http to https";
    WAY_OF = "设备最近一次签到使用的协议", "Devices by the scheme of their last check-in";
    SCHEME = "协议", "Scheme";
    UNNAMED = "（未报告，或报告为 default）", "(names none, or default)";
    NO_VERSION = "（未报告，或报告为 0.0.0）", "(none, or 0.0.0)";
}

/// Number of rows of a table that are shown at once.
const ROWS: usize = 12;
/// Number of rows of it in all: strangers can invent more, and the page is to stay small.
const MOST: usize = 24;
/// Header by which a browser loads a page again.
const REFRESH: HeaderName = HeaderName::from_static("refresh");

/// Shows the fleet.
pub(super) async fn fleet(
    State(sources): State<Sources>,
    reader: Reader,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let span = Span::read(query.as_deref())?;
    let server = sources.server.clone();
    let findings = tokio::task::spawn_blocking(move || server.findings());
    let make = || {
        let (sources, now) = (sources.clone(), (sources.clock)());
        async move {
            let counted = sources.blocking(move |source| Counts::of(source, now));
            counted.await.ok()
        }
    };
    let counts = sources.counted.counts.get(make);
    let past = past::read(&sources, &reader, span);
    let (findings, counts, past) = tokio::join!(findings, counts, past);
    let findings = findings.map_err(|_| Refusal::Late)?;
    let title = reader.say(words::FLEET);
    let body = html! {
        (hand::list(&reader, &findings, counts.as_deref()))
        @match counts.as_deref() {
            None => p.soft { (reader.say(COUNTING)) },
            Some(counts) if counts.is_empty => (start::steps(&reader, &counts.start)),
            Some(counts) => {
                (numbers(&reader, counts, &past))
                (start::again(&reader, &counts.start))
            }
        }
    };
    let mut page = reader.page(Some(Tab::Fleet), title, &body);
    if counts.is_none() {
        // Without a script, too.
        page.headers_mut()
            .insert(REFRESH, HeaderValue::from_static("1"));
    }
    Ok(page)
}

fn numbers(reader: &Reader, counts: &Counts, past: &past::Shown) -> Markup {
    let summary = &counts.overview.summary;
    html! {
        div id="numbers" data-live {
            (cards(reader, summary))
            @if counts.others > 0 {
                p.soft { (reader.say(OTHERS)) " " (number(counts.others)) }
            }
            @for (held, words) in summary.held.into_iter().zip([NOT_ACTIVATED, UPDATES_OFF]) {
                @if held > 0 {
                    p.soft { (reader.say(words)) " " (number(held)) }
                }
            }
        }
        section id="versions" data-live aria-labelledby="versions-title" {
            h2 id="versions-title" { (reader.say(VERSIONS)) }
            (versions(reader, summary))
        }
        section id="ends" data-live aria-labelledby="ends-title" {
            h2 id="ends-title" { (reader.say(ENDS_TITLE)) }
            @if counts.overview.images.is_empty() && counts.start.ready == 0 {
                p { (reader.say(NO_FILES)) " " a href="/firmware" { (reader.say(PUBLISH)) } }
            } @else {
                (ends(reader, &counts.overview.images))
            }
        }
        section id="way" data-live aria-labelledby="way-title" {
            h2 id="way-title" { (reader.say(WAY)) }
            (way(reader, summary))
        }
        section id="past" data-live aria-labelledby="past-title" {
            h2 id="past-title" { (reader.say(OVER_TIME)) }
            (past.links(reader))
            (past.versions(reader, &counts.versions))
            (past.transports(reader))
        }
    }
}

fn cards(reader: &Reader, summary: &Summary) -> Markup {
    let [hour, day, week] = summary.seen;
    let seen = |within: &str| devices_path(&[("seen_since", within)]);
    let cards = [
        (devices_path(&[]), summary.devices, KNOWN),
        (seen("1h"), hour, HOUR),
        (seen("1d"), day, DAY),
        (seen("7d"), week, WEEK),
    ];
    html! {
        div.cards {
            @for (path, count, words) in cards {
                div.card {
                    a href=(path) { span.number { (number(count)) } (reader.say(words)) }
                }
            }
        }
    }
}

/// Makes a table of rows, of which those beyond the first dozen are opened by whoever wants
/// them. There are so many in `all`.
fn table(
    reader: &Reader,
    (id, about): (&str, Text),
    head: &Markup,
    rows: &[Markup],
    all: usize,
) -> Markup {
    let about = reader.say(about);
    let shown = |about: &str, rows: &[Markup]| {
        let rows = html! { @for row in rows { (row) } };
        show::table(about, head, &rows)
    };
    let left_out = all.saturating_sub(rows.len());
    // One more row takes no more room than what opens it.
    let first = if rows.len() <= ROWS + 1 {
        rows.len()
    } else {
        ROWS
    };
    let (first, rest) = rows.split_at(first);
    html! {
        (shown(about, first))
        @if !rest.is_empty() {
            details id=(id) {
                summary { (reader.say(MORE)) " (" (rest.len()) ")" }
                (shown(&format!("{about} ({})", reader.say(MORE)), rest))
                @if left_out > 0 {
                    p.soft { (reader.say(LEFT_OUT)) " " (number(left_out as u64)) }
                }
            }
        }
    }
}

fn versions(reader: &Reader, summary: &Summary) -> Markup {
    let head = html! {
        th scope="col" { (reader.say(MODEL)) }
        th scope="col" { (reader.say(VERSION)) }
        th.n scope="col" { (reader.say(DEVICES)) }
        th.share scope="col" { (reader.say(SHARE)) }
    };
    let rows = summary.versions.iter().take(MOST).map(|(model, version, count)| {
        let path = devices_path(&[("model", model), ("version", version)]);
        html! {
            tr {
                td.name { @if model.is_empty() || model == DEFAULT_MODEL { (reader.say(UNNAMED)) } @else { (short(model)) } }
                td.name { @if version.is_empty() || version == "0.0.0" { (reader.say(NO_VERSION)) } @else { (short(version)) } }
                td.n { a href=(path) { (number(*count)) } }
                td.share { (bar(&[(0, *count)], summary.devices)) }
            }
        }
    });
    let rows: Vec<_> = rows.collect();
    let all = summary.versions.len();
    table(reader, ("more-versions", VERSIONS_OF), &head, &rows, all)
}

fn ends(reader: &Reader, images: &[ImageEnds]) -> Markup {
    if images.is_empty() {
        return html! { p.soft { (reader.say(NO_OFFERS)) } };
    }
    // A column that is empty everywhere says nothing.
    let is_met = |end: &OfferEnd| images.iter().any(|image| image.count(*end) > 0);
    let met: Vec<_> = ENDS
        .iter()
        .filter_map(|end| OfferEnd::from_key(end.key))
        .filter(is_met)
        .collect();
    let words = |end: OfferEnd| end_of(end.key()).map_or("", |words| reader.say(words.short));
    let mut names: HashMap<&str, usize> = HashMap::new();
    for image in images {
        *names.entry(&image.image.file).or_default() += 1;
    }
    let head = html! {
        th scope="col" { (reader.say(FILE)) }
        th.share scope="col" { (reader.say(SHARE)) }
        @for end in &met { th.n scope="col" { (words(*end)) } }
    };
    let rows = images.iter().take(MOST).map(|image| {
        let file = &*image.image.file;
        let whole = image.ends.iter().sum();
        let parts: Vec<Part> = met.iter().map(|end| (colour(*end), image.count(*end))).collect();
        html! {
            tr {
                td.name {
                    (short(file))
                    // One name held several contents.
                    @if names.get(file).is_some_and(|count| *count > 1) {
                        span.soft.small { " " (hex::encode(&image.image.content.0[..4])) "…" }
                    }
                }
                td.share { (bar(&parts, whole)) }
                @for end in &met {
                    td.n {
                        @match image.count(*end) {
                            0 => span.soft { "0" },
                            count => a href=(devices_path(&[("file", file), ("end", end.key())])) { (number(count)) },
                        }
                    }
                }
            }
        }
    });
    let rows: Vec<_> = rows.collect();
    let keys: Vec<_> = met
        .iter()
        .map(|end| (colour(*end), html! { (words(*end)) }))
        .collect();
    html! {
        (table(reader, ("more-ends", ENDS_OF), &head, &rows, images.len()))
        (key(&keys))
        details id="meanings" {
            summary { (reader.say(MEANING)) }
            dl.facts {
                @for end in &met {
                    @if let Some(end) = end_of(end.key()) {
                        dt { (reader.say(end.short)) }
                        dd { (reader.say(end.long)) }
                    }
                }
            }
        }
    }
}

fn way(reader: &Reader, summary: &Summary) -> Markup {
    let [http, https] = summary.transports;
    let head = html! {
        th scope="col" { (reader.say(SCHEME)) }
        th.n scope="col" { (reader.say(DEVICES)) }
        th.n scope="col" { "%" }
        th.share scope="col" { (reader.say(SHARE)) }
    };
    let rows = [("https", https, 2), ("http", http, 1)].map(|(name, count, colour)| {
        html! {
            tr {
                td { (name) }
                td.n { a href=(devices_path(&[("transport", name)])) { (number(count)) } }
                td.n { (percent(count, summary.devices)) }
                td.share { (bar(&[(colour, count)], summary.devices)) }
            }
        }
    });
    table(reader, ("more-schemes", WAY_OF), &head, &rows, rows.len())
}
