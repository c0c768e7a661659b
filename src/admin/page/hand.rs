//! Part of the first page: what needs a hand, each with its remedy.

use super::reader::Reader;
use super::show::{device_path, devices_path, message, number, short};
use super::words::words;
use crate::admin::counted::Counts;
use crate::event::{Event, Severity, event};
use crate::fleet::{FailedDevice, ImageEnds, OfferEnd};
use maud::{Markup, html};

words! {
    TITLE = "需要处理", "What needs a hand";
    NOTHING = "一切正常，没有需要处理的事", "All is well: nothing needs a hand";
    TRY_AGAIN = "再试一次", "Try again";
    SEE_DEVICE = "查看这台设备", "See the device";
    SEE_FIRMWARE = "查看固件", "See the firmware";
    SEE_SERVER = "查看服务器", "See the server";
    BACK = "已回退的设备", "devices that went back";
    SILENT = "失联的设备", "devices that are silent";
    GONE = "该文件已不在固件目录中，不会再有设备得到它",
        "The file is not in the firmware folder any more: no other device gets it";
    GIVEN_UP = "不再提供给它", "not offered to it any more";
    LATEST = "最近的几台：", "The latest of them:";
    MORE_FILES = "还有其他失败的文件，见下面的表格", "Other files failed, too: see the table below";
}

/// Number of images that are shown each by itself.
const IMAGES: usize = 5;

/// Lists what was found at this server, and what failed on devices. `None` for counts that
/// are not made yet.
pub(super) fn list(reader: &Reader, findings: &[Event], counts: Option<&Counts>) -> Markup {
    let images: Vec<_> = counts
        .map(|counts| {
            counts
                .overview
                .images
                .iter()
                .filter(|image| needs_a_hand(image, counts))
        })
        .into_iter()
        .flatten()
        .collect();
    let is_nothing = findings.is_empty() && images.is_empty() && counts.is_some();
    html! {
        section id="hand" data-live aria-labelledby="hand-title" {
            h2 id="hand-title" { (reader.say(TITLE)) }
            @for finding in findings { (found(reader, finding)) }
            @if let Some(counts) = counts {
                @for image in images.iter().take(IMAGES) { (failed(reader, image, counts)) }
            }
            @if images.len() > IMAGES { p { (reader.say(MORE_FILES)) } }
            @if is_nothing { div.hand.good { p { (reader.say(NOTHING)) } } }
        }
    }
}

/// Tells whether somebody has to do something about an image: others may get it, or devices
/// are gone.
fn needs_a_hand(image: &ImageEnds, counts: &Counts) -> bool {
    let is_offered = counts.offered.contains(&image.image.content);
    image.stands(OfferEnd::Silent) > 0 || is_offered && image.stands(OfferEnd::RolledBack) > 0
}

fn found(reader: &Reader, finding: &Event) -> Markup {
    let class = match finding.kind.severity {
        Severity::Error => "hand bad",
        Severity::Warning | Severity::Info => "hand",
    };
    // What is wrong with a file is mended where files are.
    let is_of_file = ["file.", "image.", "model.", "name."]
        .iter()
        .any(|begin| finding.kind.id.starts_with(begin));
    let (path, words) = if is_of_file {
        ("/firmware", SEE_FIRMWARE)
    } else {
        ("/server", SEE_SERVER)
    };
    html! {
        div class=(class) {
            p { (message(finding, reader.lang)) }
            p { a href=(path) { (reader.say(words)) } }
        }
    }
}

fn failed(reader: &Reader, image: &ImageEnds, counts: &Counts) -> Markup {
    let is_offered = counts.offered.contains(&image.image.content);
    match &*image.latest {
        [device] => on_one(reader, image, device, is_offered),
        _ => on_several(reader, image, is_offered),
    }
}

/// Shows an image that failed on one device.
fn on_one(reader: &Reader, image: &ImageEnds, failed: &FailedDevice, is_offered: bool) -> Markup {
    let (device, file) = (failed.id.to_string(), &*image.image.file);
    let version = &*image.image.version;
    let said = match failed.end {
        _ if failed.is_given_up() => {
            event!(
                OFFER_GIVEN_UP,
                device = device,
                file = file,
                times = failed.times
            )
        }
        OfferEnd::Silent => event!(
            OFFER_SILENT,
            device = device,
            file = file,
            version = version
        ),
        _ => event!(
            OFFER_ROLLED_BACK,
            device = device,
            file = file,
            version = version
        ),
    };
    html! {
        div.hand.bad {
            p { (message(&said, reader.lang)) }
            @if !is_offered { p.soft { (reader.say(GONE)) } }
            // A paragraph holds no form.
            div {
                @if failed.is_given_up() && is_offered { (again(reader, failed, file)) " " }
                a href=(device_path(&failed.id)) { (reader.say(SEE_DEVICE)) }
                " · "
                a href="/firmware" { (reader.say(SEE_FIRMWARE)) }
            }
        }
    }
}

fn on_several(reader: &Reader, image: &ImageEnds, is_offered: bool) -> Markup {
    let file = &*image.image.file;
    let [back, silent] = [OfferEnd::RolledBack, OfferEnd::Silent].map(|end| image.stands(end));
    let some = |count: u64| (count > 0).then_some(count);
    let said = event!(
        OFFER_FAILS,
        file = file,
        devices = back + silent,
        back = some(back),
        silent = some(silent)
    );
    let listed = |end: OfferEnd| devices_path(&[("file", file), ("end", end.key())]);
    html! {
        div.hand.bad {
            p { (message(&said, reader.lang)) }
            @if !is_offered { p.soft { (reader.say(GONE)) } }
            p {
                a href="/firmware" { (reader.say(SEE_FIRMWARE)) }
                @if back > 0 {
                    " · "
                    a href=(listed(OfferEnd::RolledBack)) { (reader.say(BACK)) " (" (number(back)) ")" }
                }
                @if silent > 0 {
                    " · "
                    a href=(listed(OfferEnd::Silent)) { (reader.say(SILENT)) " (" (number(silent)) ")" }
                }
            }
            @if back + silent > image.latest.len() as u64 { p.small { (reader.say(LATEST)) } }
            ul.plain.small {
                @for failed in &image.latest {
                    li {
                        a.mono href=(device_path(&failed.id)) { (short(&failed.id.to_string())) }
                        @if let Some(board) = failed.profile.named() { " " (short(board)) }
                        " · "
                        (crate::util::fate::short(failed.end.key(), reader.lang))
                        @if is_offered && failed.is_given_up() {
                            " · " (reader.say(GIVEN_UP)) " " (again(reader, failed, file))
                        }
                    }
                }
            }
        }
    }
}

/// Returns the button by which a device gets a file again; nothing for whoever may look only.
fn again(reader: &Reader, failed: &FailedDevice, file: &str) -> Markup {
    html! {
        @if reader.may_operate() {
            form.inline method="post" action={ (device_path(&failed.id)) "/retry" } {
                (reader.csrf())
                input type="hidden" name="file" value=(file);
                input type="hidden" name="to" value="/";
                button.second type="submit" { (reader.say(TRY_AGAIN)) }
            }
        }
    }
}
