//! Orders about a device: another try, and to forget it.

use super::guard::Fields;
use super::layout::Tab;
use super::reader::Reader;
use super::show::{device_path, of_path};
use super::words::{self, words};
use crate::admin::order::Order;
use crate::admin::parts::Sources;
use crate::admin::reply::Refusal;
use crate::server::Peer;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;

words! {
    TITLE = "忘记设备", "Forget a device";
    LOST = "会从内存、记录和磁盘上删除：", "These are removed from memory, from the store and from the disk:";
    LOST_REPORT = "它报告的情况，以及给它下发过的固件和结果", "what it reported, and its offers with how they ended";
    LOST_FAILED = "哪些固件在它上面失败过：失败过的固件会再次提供给它", "what failed on it: that is offered to it again";
    LOST_ORDERS = "操作记录中它的名字", "its name in the list of acts";
    BACK = "它再次签到时，按新设备对待。备份中的记录不受影响。无法撤销。",
        "If it checks in again, it is a new device. Backups keep what they have. This cannot be undone.";
    FORGET = "忘记它", "Forget it";
    KEEP = "保留它", "Keep it";
}

type Id = Result<Path<String>, PathRejection>;

impl Order {
    fn of(sources: &Sources, reader: &Reader, peer: Peer) -> Self {
        Self {
            caller: reader.session.caller.clone(),
            peer,
            now: (sources.clock)(),
        }
    }
}

/// Lets a device have again what failed on it: the file of the form, or all.
pub(super) async fn retry(
    State(sources): State<Sources>,
    reader: Reader,
    id: Id,
    Extension(peer): Extension<Peer>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Refusal> {
    let id = of_path(id)?;
    let order = Order::of(&sources, &reader, peer);
    let file = fields.get("file").filter(|file| !file.is_empty());
    let file = file.map(str::to_owned);
    // Back to where the button was.
    let to = match fields.get("to") {
        Some("/") => "/".to_owned(),
        _ => device_path(&id),
    };
    let done = sources.single(move |source| order.retry(source, &id, file.as_deref()));
    let (_, said) = done.await??;
    sources.counted.spoil();
    sources.sessions.notice(&reader.session, said);
    Ok(Redirect::to(&to).into_response())
}

/// Says what is lost with a device, and asks.
pub(super) async fn ask(
    State(sources): State<Sources>,
    reader: Reader,
    id: Id,
) -> Result<Response, Refusal> {
    let id = of_path(id)?;
    let path = device_path(&id);
    let shown = crate::util::terminal::one_line(&id.to_string());
    let known = sources.single(move |source| source.fleet().find(&id).is_some());
    if !known.await? {
        return Err(Refusal::NoDevice);
    }
    let body = html! {
        p { bdi.mono { (shown) } }
        p { (reader.say(LOST)) }
        ul {
            @for words in [LOST_REPORT, LOST_FAILED, LOST_ORDERS] { li { (reader.say(words)) } }
        }
        p { (reader.say(BACK)) }
        @if reader.may_operate() {
            form.inline method="post" action={ (path) "/forget" } {
                (reader.csrf())
                button.danger type="submit" { (reader.say(FORGET)) }
            }
        } @else {
            p.soft { (reader.say(words::MAY_LOOK)) }
        }
        a.button.second href=(path) { (reader.say(KEEP)) }
    };
    Ok(reader.page(Some(Tab::Devices), reader.say(TITLE), &body))
}

/// Forgets a device.
pub(super) async fn forget(
    State(sources): State<Sources>,
    reader: Reader,
    id: Id,
    Extension(peer): Extension<Peer>,
    Extension(_fields): Extension<Fields>,
) -> Result<Response, Refusal> {
    let id = of_path(id)?;
    let order = Order::of(&sources, &reader, peer);
    let done = sources.single(move |source| order.forget(source, &id));
    let said = done.await??;
    sources.counted.spoil();
    sources.sessions.notice(&reader.session, said);
    Ok(Redirect::to("/devices").into_response())
}
