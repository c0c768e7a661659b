//! Part of the first page: what needs attention, each with its remedy.

use super::finding::files_of;
use super::reader::Reader;
use super::show::{device_path, devices_path, encoded, message, number, short};
use super::words::words;
use crate::admin::counted::{Counts, SHOWN_IMAGES};
use crate::event::text::Text;
use crate::event::{Event, Severity, event};
use crate::fleet::{FailedDevice, ImageEnds, OfferEnd};
use maud::{Markup, html};

words! {
    TITLE = "需要处理", "Needs attention";
    NOTHING = "一切正常，没有需要处理的事", "All is well: nothing needs attention";
    TRY_AGAIN = "再试一次", "Try again";
    SEE_DEVICE = "查看这台设备", "See the device";
    SEE_FIRMWARE = "查看固件", "See the firmware";
    SEE_SERVER = "查看服务器", "See the server";
    BACK = "已回退的设备", "devices that went back";
    SILENT = "失联的设备", "devices that are silent";
    WILL_TRY = "台将再试一次", "of them to try again";
    DELETE = "删除", "Delete";
    FORGET = "删除记录…", "Forget…";
    ALL_FINDINGS = "本服务器的全部问题", "All problems of this server";
    NO_FIRMWARE = "没有固件的设备", "Devices without firmware here";
    MODELS = "型号数", "models";
    PUBLISH = "发布固件", "Publish firmware";
    GIVEN_UP = "不再提供给它", "not offered to it any more";
    LATEST = "最近的几台：", "The latest of them:";
    MORE_FILES = "还有其他失败的文件，见下面的表格", "Other files failed, too: see the table below";
}

/// Number of findings at this server that are shown in front of the fleet.
const FINDINGS: usize = 8;

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
    let without = counts.map_or((0, 0), |counts| counts.without);
    // Where nobody came yet nothing is said to be well.
    let is_nothing = findings.is_empty()
        && images.is_empty()
        && without.1 == 0
        && counts.is_some_and(|counts| !counts.is_empty);
    html! {
        section id="hand" data-live aria-label=(reader.say(TITLE)) {
            @if is_nothing || !findings.is_empty() || !images.is_empty() || without.1 > 0 {
                h2 { (reader.say(TITLE)) }
            }
            @for finding in findings.iter().take(FINDINGS) { (found(reader, finding)) }
            @if findings.len() > FINDINGS {
                p { a href="/server#findings-title" { (reader.say(ALL_FINDINGS)) " (" (findings.len()) ")" } }
            }
            @if let Some(counts) = counts {
                @for image in images.iter().take(SHOWN_IMAGES) { (failed(reader, image, counts)) }
            }
            @if images.len() > SHOWN_IMAGES { p { (reader.say(MORE_FILES)) } }
            @if without.1 > 0 {
                div.hand {
                    p {
                        (reader.say(NO_FIRMWARE)) ": " strong { (number(without.1)) }
                        " (" (reader.say(MODELS)) ": " (number(without.0)) ")"
                    }
                    p { a href="/firmware" { (reader.say(PUBLISH)) } }
                }
            }
            @if is_nothing { div.hand.good { p { (reader.say(NOTHING)) } } }
        }
    }
}

/// Tells whether somebody has to do something about an image: others may get it, or devices
/// are gone.
fn needs_a_hand(image: &ImageEnds, counts: &Counts) -> bool {
    let is_offered = counts.offered.contains_key(&image.image.content);
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
            p { (files_of(finding, reader.lang)) (message(finding, reader.lang)) }
            p { a href=(path) { (reader.say(words)) } }
        }
    }
}

fn failed(reader: &Reader, image: &ImageEnds, counts: &Counts) -> Markup {
    let offered = counts.offered.get(&image.image.content);
    match (offered, &*image.latest) {
        (Some(file), [device]) => on_one(reader, image, device, file),
        (Some(file), _) => on_several(reader, image, file),
        (None, _) => gone(reader, image, counts),
    }
}

/// Links to where a file is deleted; for whoever may.
fn delete(reader: &Reader, file: &str) -> Markup {
    html! {
        @if reader.may_operate() {
            " · "
            a href={ "/firmware/files/" (encoded(file)) "/delete" } { (reader.say(DELETE)) " " (short(file)) "…" }
        }
    }
}

/// Shows an image that failed on one device.
fn on_one(reader: &Reader, image: &ImageEnds, failed: &FailedDevice, now: &str) -> Markup {
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
            // A paragraph holds no form.
            div {
                @if failed.is_given_up() { (again(reader, failed, file)) " " }
                a href=(device_path(&failed.id)) { (reader.say(SEE_DEVICE)) }
                " · "
                a href="/firmware" { (reader.say(SEE_FIRMWARE)) }
                (delete(reader, now))
            }
        }
    }
}

fn on_several(reader: &Reader, image: &ImageEnds, now: &str) -> Markup {
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
    html! {
        div.hand.bad {
            p { (message(&said, reader.lang)) }
            p {
                a href="/firmware" { (reader.say(SEE_FIRMWARE)) }
                (delete(reader, now))
                (listed(reader, image, OfferEnd::RolledBack, BACK))
                (listed(reader, image, OfferEnd::Silent, SILENT))
            }
            (latest(reader, image, true))
        }
    }
}

/// Shows an image that failed, and is in the folder no more. Those that went back work, and get
/// what there is: those that did not come back are what is left to do.
fn gone(reader: &Reader, image: &ImageEnds, counts: &Counts) -> Markup {
    let [back, silent] = [OfferEnd::RolledBack, OfferEnd::Silent].map(|end| image.stands(end));
    let said = event!(
        OFFER_FAILED_AND_GONE,
        file = &*image.image.file,
        silent = silent,
        back = (back > 0).then_some(back),
        next = counts.next.get(&image.image.content)
    );
    html! {
        div.hand {
            p { (message(&said, reader.lang)) }
            p {
                a href="/firmware" { (reader.say(SEE_FIRMWARE)) }
                (listed(reader, image, OfferEnd::RolledBack, BACK))
                (listed(reader, image, OfferEnd::Silent, SILENT))
            }
            (latest(reader, image, false))
        }
    }
}

/// Links the devices on which the newest offer of an image ended in a way. The list has those,
/// too, which were told to try again since.
fn listed(reader: &Reader, image: &ImageEnds, end: OfferEnd, words: Text) -> Markup {
    let (all, stands) = (image.count(end), image.stands(end));
    let to = devices_path(&[("file", &image.image.file), ("end", end.key())]);
    html! {
        @if stands > 0 {
            " · "
            a href=(to) {
                (reader.say(words)) " (" (number(all))
                @if all > stands { ", " (number(all - stands)) " " (reader.say(WILL_TRY)) }
                ")"
            }
        }
    }
}

/// Lists the devices on which an image failed, the latest of them.
fn latest(reader: &Reader, image: &ImageEnds, is_offered: bool) -> Markup {
    let file = &*image.image.file;
    let all = image.stands(OfferEnd::RolledBack) + image.stands(OfferEnd::Silent);
    html! {
            @if all > image.latest.len() as u64 { p.small { (reader.say(LATEST)) } }
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
                        @if !is_offered && failed.end == OfferEnd::Silent && reader.may_operate() {
                            " · " a href={ (device_path(&failed.id)) "/forget" } { (reader.say(FORGET)) }
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
