//! A file is deleted: what follows is said first.

use super::facts::{PATH, hindrance, look_only, part};
use crate::admin::fleet_source::Orderer;
use crate::admin::page::guard::Fields;
use crate::admin::page::layout::Tab;
use crate::admin::page::reader::Reader;
use crate::admin::page::show::{message, stranger};
use crate::admin::page::words::words;
use crate::admin::parts::Sources;
use crate::admin::release_source::Leaving;
use crate::admin::reply::Refusal;
use crate::event::{event, tell};
use crate::server::Peer;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use hyper::StatusCode;
use maud::{Markup, html};

words! {
    TITLE = "删除 ", "Delete ";
    FOLLOWS = "删除后会怎样", "What follows";
    GONE = "文件会从固件目录中删除，无法撤销。", "The file is deleted from the firmware folder. That cannot be undone.";
    NOT_OFFERED = "现在没有向任何设备下发它。", "It is offered to nobody now.";
    GETS = "台已知设备下次签到时本会收到它", "known devices would get it at their next check-in";
    RUNS = "台已知设备正在运行它，它们会继续运行", "known devices run it, and go on running it";
    INSTEAD = "它们会改为收到：", "These get in its place:";
    DEVICES = "设备数", "Devices";
    FILE = "文件", "File";
    NOTHING = "什么也不会收到", "nothing";
    UNDER_WAY = "正在进行的下载不受影响。", "A download that is under way goes on.";
    NOTES_STAY = "发布说明会保留：", "Its release notes stay: ";
    FAILED_STAYS = "设备上失败过的记录和历史会保留。", "What is known of it stays: how its offers ended, and on which devices it failed.";
    DELETE = "删除这个文件", "Delete this file";
    BACK = "返回，不删除", "Back, and delete nothing";
}

fn gone() -> Refusal {
    Refusal::Said(StatusCode::NOT_FOUND, Box::new(event!(REMOVE_GONE)))
}

/// Shows what follows.
pub(super) async fn show(
    State(sources): State<Sources>,
    reader: Reader,
    Path(file): Path<String>,
) -> Result<Response, Refusal> {
    let asked = file.clone();
    let leaving = sources.releasing(move |releases| releases.leaving(&asked));
    let leaving = leaving.await?.ok_or_else(gone)?;
    let body = html! {
        @if let Some(why) = &leaving.hindrance { (hindrance(&reader, why)) }
        h2 { (reader.say(FOLLOWS)) }
        (follows(&reader, &leaving))
        @if leaving.hindrance.is_none() {
            @if reader.may_operate() {
                form.inline method="post" action={ (PATH) "/files/" (part(&file)) "/delete" } {
                    (reader.csrf())
                    input type="hidden" name="shown" value=(leaving.shown);
                    button.danger type="submit" { (reader.say(DELETE)) }
                }
            } @else {
                (look_only(&reader))
            }
        }
        a.button.second href=(PATH) { (reader.say(BACK)) }
    };
    let title = format!("{}{file}", reader.say(TITLE));
    Ok(reader.page(Some(Tab::Firmware), &title, &body))
}

fn follows(reader: &Reader, leaving: &Leaving) -> Markup {
    let departure = &leaving.departure;
    html! {
        @if leaving.model.is_some() {
            div.cards {
                div.card { span.number { (departure.gets) } (reader.say(GETS)) }
                div.card { span.number { (departure.runs) } (reader.say(RUNS)) }
            }
            @if !departure.instead.is_empty() {
                div.scroll tabindex="0" role="region" aria-label=(reader.say(INSTEAD)) {
                    table {
                        caption { (reader.say(INSTEAD)) }
                        thead {
                            tr {
                                th.n scope="col" { (reader.say(DEVICES)) }
                                th scope="col" { (reader.say(FILE)) }
                            }
                        }
                        tbody {
                            @for (file, devices) in &departure.instead {
                                tr {
                                    td.n { (devices) }
                                    td {
                                        @match file {
                                            Some(file) => (stranger(file)),
                                            None => span.soft { (reader.say(NOTHING)) },
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        ul {
            li { (reader.say(GONE)) }
            @if leaving.model.is_none() { li { (reader.say(NOT_OFFERED)) } }
            li { (reader.say(UNDER_WAY)) }
            li { (reader.say(FAILED_STAYS)) }
            @if let Some(notes) = &leaving.notes { li { (reader.say(NOTES_STAY)) (stranger(notes)) } }
        }
        @if let Some(pin) = &leaving.pin { div.hand { p { (message(pin, reader.lang)) } } }
    }
}

/// Deletes a file.
pub(super) async fn delete(
    State(sources): State<Sources>,
    reader: Reader,
    Path(file): Path<String>,
    Extension(peer): Extension<Peer>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Refusal> {
    let (name, now) = (reader.session.caller.name.clone(), (sources.clock)());
    let shown = fields.get("shown").unwrap_or_default().to_owned();
    let done = sources.releasing(move |releases| {
        let by = Orderer {
            name: &name,
            from: peer.address.ip(),
            now,
        };
        let done = releases.delete(&file, &shown, by)?;
        tell!(
            ADMIN_DELETED,
            file = &done.file,
            by = name.as_str(),
            peer = peer.address
        );
        Ok::<_, Refusal>(done)
    });
    let done = done.await??;
    sources.counted.spoil();
    sources.sessions.notice(&reader.session, done.said);
    Ok(Redirect::to(PATH).into_response())
}
