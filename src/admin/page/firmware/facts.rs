//! Parts of the pages of firmware: what an image says of itself, and what is said of it.

use crate::admin::page::reader::Reader;
use crate::admin::page::show::{message, stranger};
use crate::admin::page::words::words;
use crate::admin::time::rfc3339;
use crate::event::Event;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::time::{SystemTime, UNIX_EPOCH};
use xiaozhi_device::image::AppImage;

words! {
    PROJECT = "项目", "Project";
    VERSION = "版本", "Version";
    CHIP = "芯片", "Chip";
    BUILT = "构建时间", "Built";
    IDF = "ESP-IDF", "ESP-IDF";
    SIZE = "大小", "Size";
    HOMES = "其中的 OTA 地址", "OTA addresses in it";
    BYTES = "字节", "bytes";
    NO_VERSION = "（空）", "(empty)";
    LOOK_ONLY = "这个令牌只能查看：发布和删除需要角色为 operate 的令牌（gateway.admin.tokens）",
        "This token may look only: to publish and delete takes one with the role operate (gateway.admin.tokens)";
}

/// Path of the list.
pub(super) const PATH: &str = "/firmware";

/// Letters that stand in a part of a path as they are (RFC 3986, section 2.3).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Returns a name as a part of a path.
pub(super) fn part(name: &str) -> String {
    utf8_percent_encode(name, PLAIN).to_string()
}

/// Shows a length.
pub(super) fn size(reader: &Reader, bytes: u64) -> Markup {
    let bytes_word = reader.say(BYTES);
    // Three digits are enough of what a flash has two of.
    let mib = bytes as f64 / f64::from(1 << 20);
    html! {
        @if bytes < 1 << 20 { (bytes) " " (bytes_word) }
        @else { (format!("{mib:.2} MiB")) " (" (bytes) " " (bytes_word) ")" }
    }
}

/// Shows a length in a table.
pub(super) fn short_size(reader: &Reader, bytes: u64) -> Markup {
    let kib = bytes.div_ceil(1 << 10);
    html! {
        @if bytes < 1 << 10 { (bytes) " " (reader.say(BYTES)) }
        @else if bytes < 1 << 20 { (kib) " KiB" }
        @else { (format!("{:.2} MiB", bytes as f64 / f64::from(1 << 20))) }
    }
}

/// Shows what an image says of itself.
pub(super) fn facts(reader: &Reader, app: Option<&AppImage>, bytes: Option<u64>) -> Markup {
    html! {
        @if let Some(app) = app {
            dt { (reader.say(PROJECT)) } dd { (stranger(&app.project)) }
            dt { (reader.say(VERSION)) }
            dd {
                @if app.version.trim().is_empty() { (reader.say(NO_VERSION)) }
                @else { (stranger(&app.version)) }
            }
            dt { (reader.say(CHIP)) }
            dd { bdi { (app.chip) @if let Some(revisions) = app.revisions() { " " (revisions) } } }
            dt { (reader.say(BUILT)) } dd { (stranger(&app.built)) }
            dt { (reader.say(IDF)) } dd { (stranger(&app.idf_version)) }
        }
        @if let Some(bytes) = bytes {
            dt { (reader.say(SIZE)) } dd { (size(reader, bytes)) }
        }
        @if let Some(app) = app && !app.homes.is_empty() {
            dt { (reader.say(HOMES)) }
            dd { @for home in &app.homes { (stranger(&home.to_string())) " " } }
        }
    }
}

/// Shows what may not be meant.
pub(super) fn warnings(reader: &Reader, warnings: &[Event]) -> Markup {
    html! {
        @for warning in warnings {
            div.hand { p.say { (message(warning, reader.lang)) } }
        }
    }
}

/// Shows what keeps everybody from something.
pub(super) fn hindrance(reader: &Reader, why: &Event) -> Markup {
    html! { div.notice role="status" { p.say { (message(why, reader.lang)) } } }
}

/// Says so to whoever may look only.
pub(super) fn look_only(reader: &Reader) -> Markup {
    html! { p.soft { (reader.say(LOOK_ONLY)) } }
}

/// Returns a time in milliseconds since 1970.
pub(super) fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Shows the time until which something waits, to the minute.
pub(super) fn until(reader: &Reader, at: SystemTime) -> Markup {
    let at = rfc3339(millis(at));
    html! { time datetime=(at) { (reader.times.short(&at)) } }
}
