//! The files, and those that wait to be published.

use super::facts::{PATH, SIZE, facts, hindrance, look_only, part, short_size, until, warnings};
use crate::admin::counted::FileCounts;
use crate::admin::fleet_source::FileView;
use crate::admin::page::layout::Tab;
use crate::admin::page::reader::Reader;
use crate::admin::page::show::{devices_path, message, stranger};
use crate::admin::page::words::{self, words};
use crate::admin::parts::Sources;
use crate::admin::release_source::{ReleaseSource, Said};
use crate::admin::reply::Refusal;
use crate::event::Event;
use crate::event::text::Text;
use crate::firmware::drafts::Draft;
use crate::firmware::notes::beginning;
use crate::fleet::{Content, OfferEnd};
use crate::util::fate::ENDS;
use crate::util::terminal::one_line;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use std::collections::BTreeMap;
use std::time::SystemTime;
use xiaozhi_device::checkin::DEFAULT_MODEL;
use xiaozhi_device::hex;
use xiaozhi_device::version::Version;

words! {
    SEND = "发布固件", "Publish firmware";
    CHOOSE = "把文件拖到这里，或点击选择", "Drop a file here, or choose one";
    TAKES = "可以是应用固件（build/xiaozhi.bin）、完整的 flash 镜像（merged-binary.bin）或发布压缩包（v2.1.0_板子.zip），最大 64 MiB。",
        "An app image (build/xiaozhi.bin), a full flash image (merged-binary.bin) or a release archive (v2.1.0_board.zip), of up to 64 MiB.";
    NOT_YET = "上传后不会立即生效：先告诉您哪些设备会收到它，再由您决定是否发布。",
        "Nothing goes live by that: you are shown first which devices would get it, and then decide.";
    UPLOAD = "上传并查看", "Upload and look at it";
    SENDING = "正在上传", "Upload";
    READING = "已上传，正在检查…", "Uploaded, being looked at…";
    FAILED = "上传中断，没有留下任何内容。请重试", "The upload was cut off, and nothing of it was kept. Try again";
    ONE = "一次只能上传一个文件，没有发送任何内容。", "One file at a time: nothing was sent.";
    WAITING_TITLE = "等待发布", "Waiting to be published";
    WAITING_ABOUT = "这些文件还没有发给任何设备，一小时后自动删除", "No device gets these yet; they go after an hour";
    FILE = "文件", "File";
    SENT_BY = "上传者", "Sent by";
    UNTIL = "保留到", "Waits until";
    FILES = "固件目录中的文件", "Files in the firmware folder";
    FOLDER = "目录：", "Folder: ";
    NOTHING = "还没有固件。可以在上面发布一个文件；也可以把文件复制到固件目录，命名为 型号_版本.bin（例如 lichuang-dev_2.0.0.bin）。",
        "There is no firmware yet. Publish a file above; or copy one into the folder as model_version.bin (lichuang-dev_2.0.0.bin).";
    UNNAMED = "不属于任何型号", "Of no model";
    OF_DEFAULT = "default：没有自己型号固件的设备", "default: devices without files of their own model";
    MODEL = "型号 ", "Model ";
    OLDER = "更早的版本", "Older versions";
    READY = "已就绪：会下发", "ready: it is offered";
    SERVED = "仅供下载，不下发", "for download only, offered to nobody";
    WAITING = "等待读取", "waiting to be read";
    REFUSED = "不可用", "refused";
    COULD_GET = "适用的已知设备", "Known devices that it fits";
    COUNTING = "正在清点设备，请稍后重新载入本页", "the devices are being counted: load this page again in a moment";
    OF_MODEL = "该型号的设备", "devices of this model";
    OFFERED_LAST = "最近一次下发是它的设备", "devices that were offered it last";
    OFFERS = "下发结果", "How its offers ended";
    NO_OFFERS = "尚未下发", "none yet";
    NOTES = "发布说明", "Release notes";
    MORE_LINES = "（还有更多行：{}）", "(further lines: {})";
    DOWNLOAD = "下载", "Download";
    DELETE = "删除…", "Delete…";
    UNREAD = "正在读取这个文件，请稍候", "The file is still being read: wait a moment";
}

/// All that the page shows.
struct View {
    folder: String,
    takes_none: Option<Event>,
    drafts: Vec<Draft>,
    files: Vec<(FileView, Said)>,
}

/// Shows the files.
pub(super) async fn list(
    State(sources): State<Sources>,
    reader: Reader,
) -> Result<Response, Refusal> {
    let now = (sources.clock)();
    let view = sources.looking(move |source, releases| view(releases, source.files(), now));
    let make = || {
        let sources = sources.clone();
        async move { sources.blocking(FileCounts::of).await.ok() }
    };
    let (view, counts) = tokio::join!(view, sources.counted.files.get(make));
    let view = view?;
    let body = html! {
        (send(&reader, view.takes_none.as_ref()))
        div id="drafts" data-live { (drafts(&reader, &view.drafts)) }
        h2 { (reader.say(FILES)) }
        p.soft.small { (reader.say(FOLDER)) bdi.mono { (view.folder) } }
        div id="files" data-live { (files(&reader, &view.files, counts.as_deref())) }
    };
    let title = reader.say(words::FIRMWARE);
    Ok(reader.page(Some(Tab::Firmware), title, &body))
}

fn view(releases: &dyn ReleaseSource, files: Vec<FileView>, now: SystemTime) -> View {
    let said = releases.said(&files);
    View {
        folder: releases.folder(),
        takes_none: releases.takes_none(),
        drafts: releases.drafts(now),
        files: files.into_iter().zip(said).collect(),
    }
}

/// Shows the form, or why nothing can be sent: before anybody sends it.
fn send(reader: &Reader, takes_none: Option<&Event>) -> Markup {
    html! {
        h2 { (reader.say(SEND)) }
        @if let Some(why) = takes_none {
            (hindrance(reader, why))
        } @else if !reader.may_operate() {
            (look_only(reader))
        } @else {
            form.drop method="post" action="/firmware/upload" enctype="multipart/form-data"
                data-upload data-reading=(reader.say(READING)) data-failed=(reader.say(FAILED)) data-one=(reader.say(ONE)) {
                (reader.csrf())
                label for="file" { strong { (reader.say(CHOOSE)) } }
                input type="file" id="file" name="file" required accept=".bin,.zip" aria-describedby="takes";
                p.soft id="takes" { (reader.say(TAKES)) " " (reader.say(NOT_YET)) }
                p { button type="submit" { (reader.say(UPLOAD)) } }
                div data-progress hidden {
                    progress max="1" value="0" aria-label=(reader.say(SENDING)) {}
                    " " output {}
                }
            }
        }
    }
}

fn drafts(reader: &Reader, drafts: &[Draft]) -> Markup {
    let head = [
        (FILE, false),
        (SIZE, true),
        (SENT_BY, false),
        (UNTIL, false),
    ];
    html! {
        @if !drafts.is_empty() {
            h2 { (reader.say(WAITING_TITLE)) }
            div.scroll tabindex="0" role="region" aria-label=(reader.say(WAITING_TITLE)) {
                table {
                    caption { (reader.say(WAITING_ABOUT)) }
                    thead {
                        tr { @for (name, is_number) in head { th.n[is_number] scope="col" { (reader.say(name)) } } }
                    }
                    tbody {
                        @for draft in drafts {
                            tr {
                                td { a href={ (PATH) "/drafts/" (draft.id) } { (stranger(draft.name())) } }
                                td.n { (short_size(reader, draft.size)) }
                                td { (stranger(&draft.by)) }
                                td.nowrap { (until(reader, draft.until())) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn files(reader: &Reader, files: &[(FileView, Said)], counts: Option<&FileCounts>) -> Markup {
    // What is of no model comes last, and what is for the others in front of it.
    let mut models = BTreeMap::<(u8, &str), Vec<&(FileView, Said)>>::new();
    for file in files {
        let key = match file.0.model.as_deref() {
            None => (2, ""),
            Some(model) if model == DEFAULT_MODEL => (1, model),
            Some(model) => (0, model),
        };
        models.entry(key).or_default().push(file);
    }
    for files in models.values_mut() {
        files.sort_by_cached_key(|file| {
            let version = file.0.version.as_deref().unwrap_or_default();
            std::cmp::Reverse(Version::new(version))
        });
    }
    html! {
        @if files.is_empty() { p { (reader.say(NOTHING)) } }
        @for ((place, model), files) in &models {
            h3 {
                @match place {
                    0 => { (reader.say(MODEL)) (stranger(model)) }
                    1 => (reader.say(OF_DEFAULT)),
                    _ => (reader.say(UNNAMED)),
                }
            }
            @let shown = if *place == 2 { files.len() } else { 1 };
            @for file in files.iter().take(shown) { (card(reader, file, counts)) }
            @if files.len() > shown {
                details id={ "older-" (hex::encode(model.as_bytes())) } {
                    summary { (reader.say(OLDER)) " (" (files.len() - shown) ")" }
                    @for file in files.iter().skip(shown) { (card(reader, file, counts)) }
                }
            }
        }
    }
}

fn card(reader: &Reader, (view, said): &(FileView, Said), counts: Option<&FileCounts>) -> Markup {
    let (class, verdict): (&str, Text) = match view.verdict {
        "ready" => ("good", READY),
        "served" => ("soft", SERVED),
        "waiting" => ("warn", WAITING),
        _ => ("bad", REFUSED),
    };
    let app = view.entry.as_ref().and_then(|entry| entry.app.as_deref());
    let is_offered = view.verdict == "ready";
    let path = format!("{PATH}/files/{}", part(&view.file));
    html! {
        article.card {
            p { strong { (stranger(&view.file)) } " " span class=(class) { (reader.say(verdict)) } }
            @if let Some(why) = &view.why {
                p.say { (message(why, reader.lang)) }
            } @else if view.verdict == "waiting" {
                p { (reader.say(UNREAD)) }
            }
            (warnings(reader, &said.warnings))
            @if app.is_some() || view.size.is_some() {
                dl.facts {
                    (facts(reader, app, view.size))
                    @if is_offered { (counted(reader, view, counts)) }
                }
            }
            (notes(reader, &view.file, said))
            p {
                @if matches!(view.verdict, "ready" | "served") {
                    a.button.second href=(path) download { (reader.say(DOWNLOAD)) } " "
                }
                @if reader.may_operate() {
                    a.button.second href={ (path) "/delete" } { (reader.say(DELETE)) }
                }
            }
        }
    }
}

/// Shows for how many devices a file is, and how its offers ended. One that is new here may not
/// be counted yet.
fn counted(reader: &Reader, view: &FileView, counts: Option<&FileCounts>) -> Markup {
    let counts = counts.and_then(|counts| {
        let could_get = counts.could_get.get(&view.file)?;
        let content = view.sha256.as_ref().map(Content::of);
        let ends = content.and_then(|content| counts.ends.get(&content));
        Some((*could_get, ends.copied().unwrap_or_default()))
    });
    html! {
        dt { (reader.say(COULD_GET)) }
        @match counts {
            None => dd.soft { (reader.say(COUNTING)) },
            Some((could_get, ends)) => {
                dd {
                    (could_get)
                    @if let Some(model) = view.model.as_deref().filter(|model| *model != DEFAULT_MODEL) {
                        " · " a href=(devices_path(&[("model", model)])) { (reader.say(OF_MODEL)) }
                    }
                }
                dt { (reader.say(OFFERS)) }
                dd {
                    (ended(reader, &ends))
                    @if ends.iter().any(|count| *count > 0) {
                        " · " a href=(devices_path(&[("file", &view.file)])) { (reader.say(OFFERED_LAST)) }
                    }
                }
            }
        }
    }
}

/// Shows how the offers of a file ended, as far as any did.
fn ended(reader: &Reader, ends: &[u64; OfferEnd::ALL.len()]) -> Markup {
    let words = |end: OfferEnd| ENDS.iter().find(|words| words.key == end.key());
    let counts = OfferEnd::ALL.into_iter().zip(ends);
    let counts: Vec<_> = counts
        .filter(|(_, count)| **count > 0)
        .filter_map(|(end, count)| Some((end, words(end)?, count)))
        .collect();
    html! {
        @if counts.is_empty() { span.soft { (reader.say(NO_OFFERS)) } }
        @for (at, (end, words, count)) in counts.iter().enumerate() {
            @if at > 0 { " · " }
            span.bad[end.is_failure()] title=(reader.say(words.long)) { (reader.say(words.short)) " " (count) }
        }
    }
}

fn notes(reader: &Reader, file: &str, said: &Said) -> Markup {
    html! {
        @match &said.notes {
            None => "",
            Some(Err(why)) => div.hand { p { (message(why, reader.lang)) } },
            Some(Ok(text)) => {
                @let (lines, more) = beginning(text);
                details id={ "notes-" (hex::encode(file.as_bytes())) } {
                    summary { (reader.say(NOTES)) }
                    pre { bdi { @for line in lines { (one_line(&line)) "\n" } } }
                    @if more > 0 {
                        p.soft.small { (reader.say(MORE_LINES).replace("{}", &more.to_string())) }
                    }
                }
            }
        }
    }
}
