//! A draft: what it is, and what would happen to how many devices before it goes live.

use super::facts::{PATH, drop_form, facts, look_only, millis, size, until, warnings};
use crate::admin::fleet_source::Orderer;
use crate::admin::page::guard::Fields;
use crate::admin::page::layout::Tab;
use crate::admin::page::reader::Reader;
use crate::admin::page::show::{message, stranger};
use crate::admin::page::words::words;
use crate::admin::parts::Sources;
use crate::admin::release_source::{Needs, Outcome, Plan, Ready, Verdict, Wish};
use crate::admin::reply::Refusal;
use crate::event::{Event, event, tell};
use crate::fleet::Forecast;
use crate::server::Peer;
use crate::util::terminal::one_line;
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use hyper::StatusCode;
use maud::{Markup, html};

words! {
    NOBODY = "现在没有已知设备会收到它。", "No device that is known here would get this.";
    MEANT = "是不是指：", "Did you mean:";
    OF_DEVICES = "（{} 台设备）", " ({} devices)";
    OF_DEVICE = "（1 台设备）", " (1 device)";
    IS_READY = "可以发布。发布后它的文件名是：", "It can be published. As a file it will be called:";
    NOT_LIVE = "这个文件还没有发布，没有设备会收到它。", "This file is not published yet: no device gets it.";
    IS_REFUSED = "不能发布", "It cannot be published";
    NOT_NOW = "现在无法发布：固件目录写不进去", "It cannot be published now: the firmware folder does not take it";
    IS_THERE = "已经发布过", "It is published already";
    LACKS = "还需确认一项", "One thing is open";
    KNOWN = "已知的型号：", "Models that are known here:";
    FIND_MODEL = "型号一般是固件源码 main/boards 下的目录名，例如 lichuang-dev；设备签到后，在“设备”页面可以看到它报告的型号。",
        "It is mostly the name of the folder in the firmware's main/boards, such as lichuang-dev; what a device reports stands on its page under Devices.";
    INSIDE = "里面是什么", "What is in it";
    TAKEN_FROM = "固件取自", "The image is taken from";
    LEFT = "不发布的部分", "Left out";
    WOULD = "发布后会怎样", "What would happen";
    NO_DEVICES = "还没有设备签到过，因此不知道会有多少设备收到它。设备签到（开机）后，这里会列出数量。",
        "No device has checked in here yet, so nobody knows how many would get it. Once devices have, their number stands here.";
    GETS = "台设备下次签到（开机）时会收到它", "devices get it at their next check-in, which is at their next boot";
    RUNS = "台设备已在运行它", "devices run it already";
    STAYS = "台设备不会收到它", "devices do not get it";
    HELD = "台设备因上游的应答而不会收到它", "devices are held back by what the upstream says";
    OF_KNOWN = "它适用的已知设备：", "Known devices that it is for: ";
    NONE_OF = "它不适用于任何已知设备。已知设备：", "It is for none of the devices that are known here. Known: ";
    WHY_NOT = "为什么有的设备不会收到", "Why some do not get it";
    WHY_NONE = "为什么没有设备会收到", "Why none gets it";
    DEVICES = "设备数", "Devices";
    NOW_ON = "现在的版本", "Now on";
    REASON = "原因", "Reason";
    LOOK_AT = "发布前请看", "Look at this first";
    REPLACES = "同名文件会被替换。收到过旧文件的设备会收到这一个。", "A file of this name is replaced: devices are offered this one from then on.";
    PUBLISH = "发布", "Publish";
    PUBLISH_OVER = "替换并发布", "Replace and publish";

    ANOTHER = "以其他型号或版本发布", "Publish it as another model or version";
    MODEL = "型号（设备报告的 board.name 或 board.type）", "Model, as devices report it (board.name or board.type)";
    VERSION = "版本（留空则用固件里的）", "Version (leave it empty for the one inside)";
    VERSION_IS = "以数字开头，只含字母、数字、'.'、'_' 和 '-'，例如 1.6.6", "A digit first, then letters, digits, '.', '_' and '-': 1.6.6";
    SHOW = "查看结果", "Check again";
    WHICH = "请选择是哪一个：", "Choose which one it is:";
    SAY_VERSION = "请填写另一个版本：", "Give it another version:";
    RAISE = "可以提高版本号，或替换那个文件：", "Raise its version, or replace that file:";
    REPLACE = "替换那个文件", "Replace that file";
    BESIDE = "可以用同级的另一种写法与它并存，每台设备会得到适合自己芯片的那个：", "Publish it beside that one, in another spelling of the same rank; each device gets the one for its chip:";
    BESIDE_AS = "以此版本发布：", "Publish it as ";
    SENT = "上传者：", "Sent by ";
    WAITS = "自动删除：", "Removed ";
    AGAIN = "请换一个文件重新上传。", "Send another file.";
    BACK = "返回固件列表", "Back to the firmware";
}

/// Number of models for which there is a button.
const BUTTONS: usize = 12;

fn gone() -> Refusal {
    Refusal::Said(StatusCode::NOT_FOUND, Box::new(event!(DRAFT_GONE)))
}

/// Shows a draft.
pub(super) async fn show(
    State(sources): State<Sources>,
    reader: Reader,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let wish = Wish::of_query(query.as_deref());
    let (asked, now) = (wish.clone(), (sources.clock)());
    // To look at it again nobody waits for those who publish.
    let plan = if sources.releases.is_read(&id) {
        let plan = sources.looking(move |_, releases| releases.plan(&id, &asked, now));
        plan.await?
    } else {
        let plan = sources.releasing(move |releases| releases.plan(&id, &asked, now));
        plan.await?
    };
    let plan = plan.ok_or_else(gone)?;
    let draft = &plan.draft;
    let here = format!("{PATH}/drafts/{}", draft.id);
    let body = html! {
        @if plan.verdict() != Some(Verdict::There) { p.soft { (reader.say(NOT_LIVE)) } }
        @match &plan.outcome {
            Outcome::Ready(ready) => (verdict_ready(&reader, ready, &wish, &here)),
            Outcome::Refused { why, needs, hints } => {
                (verdict_refused(&reader, why, needs, hints))
                (mending(&reader, needs, &wish, &here))
            }
        }
        @if let Outcome::Ready(ready) = &plan.outcome {
            h2 { (reader.say(WOULD)) }
            (consequence(&reader, ready))
            @if !ready.warnings.is_empty() || ready.replaces {
                h2 { (reader.say(LOOK_AT)) }
                (warnings(&reader, &ready.warnings))
                @if ready.replaces { div.hand { p { (reader.say(REPLACES)) } } }
            }
        }
        @if reader.may_operate() {
            div {
                @if let Outcome::Ready(ready) = &plan.outcome {
                    (publish_form(&reader, ready, &wish, &here))
                }
                (drop_form(&reader, &draft.id))
            }
        } @else {
            (look_only(&reader))
        }
        (what_is_inside(&reader, &plan))
        @if let Outcome::Ready(ready) = &plan.outcome {
            details id="another" {
                summary { (reader.say(ANOTHER)) }
                @if !ready.known.is_empty() { p { (reader.say(KNOWN)) } }
                (model_buttons(&ready.known, &wish, &here, true))
                (wish_form(&reader, &wish, &here, &ready.known))
            }
        }
        p.soft.small {
            (reader.say(SENT)) (stranger(&draft.by)) " · " (reader.time(millis(draft.at))) " · "
            (reader.say(WAITS)) (until(&reader, draft.until(), now))
        }
        p { a href=(PATH) { (reader.say(BACK)) } }
    };
    Ok(reader.page(Some(Tab::Firmware), draft.name(), &body))
}

/// Tells whether devices are known, and none of them would get a file.
fn is_for_nobody(ready: &Ready) -> bool {
    let forecast = ready.forecast.as_ref();
    forecast.is_some_and(|forecast| forecast.gets == 0)
}

fn verdict_ready(reader: &Reader, ready: &Ready, wish: &Wish, here: &str) -> Markup {
    if is_for_nobody(ready) {
        return html! {
            div.hand role="alert" {
                p { strong { (reader.say(NOBODY)) } }
                @if !ready.meant.is_empty() {
                    p { (reader.say(MEANT)) }
                    @for (model, devices) in ready.meant.iter().take(BUTTONS) {
                        form.inline method="get" action=(here) {
                            input type="hidden" name="model" value=(model);
                            (hidden("version", wish.version.as_deref()))
                            button type="submit" { (stranger(model)) (of_devices(reader, *devices)) }
                        }
                    }
                }
                p { (reader.say(IS_READY)) " " (stranger(&ready.file)) }
                @for hint in &ready.hints { p.say { (message(hint, reader.lang)) } }
            }
        };
    }
    html! {
        div.hand.good {
            p { (reader.say(IS_READY)) " " strong { (stranger(&ready.file)) } }
            @for hint in &ready.hints { p.say { (message(hint, reader.lang)) } }
        }
    }
}

fn of_devices(reader: &Reader, devices: u64) -> String {
    let words = if devices == 1 { OF_DEVICE } else { OF_DEVICES };
    reader.say(words).replace("{}", &devices.to_string())
}

fn verdict_refused(reader: &Reader, why: &Event, needs: &Needs, hints: &[Event]) -> Markup {
    let (class, title) = match needs {
        Needs::File => ("hand bad", IS_REFUSED),
        Needs::Place => ("hand bad", NOT_NOW),
        Needs::Nothing => ("hand", IS_THERE),
        _ => ("hand", LACKS),
    };
    html! {
        div class=(class) role="alert" {
            p { strong { (reader.say(title)) } }
            p { (message(why, reader.lang)) }
            @for hint in hints { p.say { (message(hint, reader.lang)) } }
            @if *needs == Needs::File { p { (reader.say(AGAIN)) } }
        }
    }
}

fn mending(reader: &Reader, needs: &Needs, wish: &Wish, here: &str) -> Markup {
    html! {
        @match needs {
            Needs::File | Needs::Nothing | Needs::Place => "",
            Needs::Model { candidates, known } => (model_forms(reader, candidates, known, wish, here)),
            Needs::Version => {
                p { (reader.say(SAY_VERSION)) }
                (wish_form(reader, wish, here, &[]))
            }
            Needs::Name => {
                p { (reader.say(RAISE)) }
                (wish_form(reader, wish, here, &[]))
                (replace_form(reader, wish, here))
            }
            Needs::Rank(version) => {
                p { (reader.say(BESIDE)) }
                form.inline method="get" action=(here) {
                    (hidden("model", wish.model.as_deref()))
                    input type="hidden" name="version" value=(version);
                    button type="submit" { (reader.say(BESIDE_AS)) (stranger(version)) }
                }
                (replace_form(reader, wish, here))
            }
        }
    }
}

/// Asks for the model: by buttons where some are likely, and by a field.
fn model_forms(
    reader: &Reader,
    candidates: &[String],
    known: &[String],
    wish: &Wish,
    here: &str,
) -> Markup {
    let (likely, words) = if candidates.is_empty() {
        (known, KNOWN)
    } else {
        (candidates, WHICH)
    };
    html! {
        @if !likely.is_empty() {
            p { (reader.say(words)) }
            (model_buttons(likely, wish, here, candidates.is_empty()))
        }
        @if candidates.is_empty() {
            form method="get" action=(here) {
                label for="model" { (reader.say(MODEL)) }
                input type="text" id="model" name="model" value=[shown(wish.model.as_deref())] list="models"
                    autocomplete="off" maxlength="200" required aria-describedby="find-model";
                (models(known))
                p.soft.small id="find-model" { (reader.say(FIND_MODEL)) }
                (hidden("version", wish.version.as_deref()))
                p { button type="submit" { (reader.say(SHOW)) } }
            }
        }
    }
}

fn model_buttons(models: &[String], wish: &Wish, here: &str, is_second: bool) -> Markup {
    html! {
        @for model in models.iter().take(BUTTONS) {
            form.inline method="get" action=(here) {
                input type="hidden" name="model" value=(model);
                (hidden("version", wish.version.as_deref()))
                button class=[is_second.then_some("second")] type="submit" { (stranger(model)) }
            }
        }
    }
}

fn models(known: &[String]) -> Markup {
    html! { datalist id="models" { @for model in known { option value=(model) {} } } }
}

/// Returns what somebody wished, as it can stand in a page: with a character that nobody sees
/// it is refused, and he is to see why.
fn shown(value: Option<&str>) -> Option<String> {
    value.map(one_line)
}

fn hidden(name: &str, value: Option<&str>) -> Markup {
    html! { @if let Some(value) = shown(value) { input type="hidden" name=(name) value=(value); } }
}

fn replace_form(reader: &Reader, wish: &Wish, here: &str) -> Markup {
    html! {
        form.inline method="get" action=(here) {
            (hidden("model", wish.model.as_deref()))
            (hidden("version", wish.version.as_deref()))
            input type="hidden" name="replace" value="1";
            button.second type="submit" { (reader.say(REPLACE)) }
        }
    }
}

fn wish_form(reader: &Reader, wish: &Wish, here: &str, known: &[String]) -> Markup {
    html! {
        form method="get" action=(here) {
            label for="model" { (reader.say(MODEL)) }
            input type="text" id="model" name="model" value=[shown(wish.model.as_deref())] autocomplete="off"
                maxlength="200" list=[(!known.is_empty()).then_some("models")];
            @if !known.is_empty() { (models(known)) }
            label for="version" { (reader.say(VERSION)) }
            input type="text" id="version" name="version" value=[shown(wish.version.as_deref())] autocomplete="off"
                maxlength="100" aria-describedby="version-is";
            p.soft.small id="version-is" { (reader.say(VERSION_IS)) }
            p { button.second type="submit" { (reader.say(SHOW)) } }
        }
    }
}

fn publish_form(reader: &Reader, ready: &Ready, wish: &Wish, here: &str) -> Markup {
    let name = if ready.replaces {
        PUBLISH_OVER
    } else {
        PUBLISH
    };
    html! {
        form.inline method="post" action={ (here) "/publish" } {
            (reader.csrf())
            // What was shown is what is done, whatever devices report meanwhile.
            input type="hidden" name="model" value=(ready.model);
            (hidden("version", wish.version.as_deref()))
            (hidden("replace", wish.replaces.then_some("1")))
            (hidden("over", ready.over.as_deref()))
            button class=[is_for_nobody(ready).then_some("second")] type="submit" { (reader.say(name)) }
        }
    }
}

fn consequence(reader: &Reader, ready: &Ready) -> Markup {
    html! {
        @match &ready.forecast {
            Some(forecast) if forecast.of_model == 0 => {
                p { (reader.say(NONE_OF)) (forecast.known) }
                p.soft.say { (message(&ready.effect, reader.lang)) }
            }
            Some(forecast) => (foreseen(reader, forecast)),
            None => {
                p { (reader.say(NO_DEVICES)) }
                p.say { (message(&ready.effect, reader.lang)) }
            }
        }
    }
}

fn foreseen(reader: &Reader, forecast: &Forecast) -> Markup {
    let stay: u64 = forecast.stays.iter().map(|stays| stays.devices).sum();
    let why_not = if forecast.gets > 0 { WHY_NOT } else { WHY_NONE };
    let held = (forecast.held > 0).then_some((forecast.held, HELD));
    let stay = stay.saturating_sub(forecast.held);
    let numbers = [(forecast.gets, GETS), (forecast.runs, RUNS), (stay, STAYS)];
    let numbers = numbers.into_iter().chain(held);
    html! {
        p { (reader.say(OF_KNOWN)) (forecast.of_model) }
        div.cards {
            @for (number, words) in numbers {
                div.card { span.number { (number) } (reader.say(words)) }
            }
        }
        @if !forecast.stays.is_empty() {
            div.scroll tabindex="0" role="region" aria-label=(reader.say(why_not)) {
                table {
                    caption { (reader.say(why_not)) }
                    thead {
                        tr {
                            th.n scope="col" { (reader.say(DEVICES)) }
                            th scope="col" { (reader.say(NOW_ON)) }
                            th scope="col" { (reader.say(REASON)) }
                        }
                    }
                    tbody {
                        @for stays in &forecast.stays {
                            tr {
                                td.n { (stays.devices) }
                                td { (stranger(&stays.versions())) }
                                td { div.say { (message(&stays.why, reader.lang)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn what_is_inside(reader: &Reader, plan: &Plan) -> Markup {
    let inside = plan.inside.as_ref();
    html! {
        h2 { (reader.say(INSIDE)) }
        dl.facts {
            @match inside {
                Some(inside) => {
                    (facts(reader, inside.app.as_ref(), Some(inside.size)))
                    @if let Some(place) = &inside.place {
                        dt { (reader.say(TAKEN_FROM)) } dd { (stranger(&place.message(reader.lang))) }
                    }
                    @if !inside.left.is_empty() {
                        dt { (reader.say(LEFT)) }
                        dd { @for (at, left) in inside.left.iter().enumerate() { @if at > 0 { ", " } (stranger(&left.in_words(reader.lang))) } }
                    }
                }
                None => { dt { (reader.say(super::facts::SIZE)) } dd { (size(reader, plan.draft.size)) } }
            }
        }
    }
}

/// Publishes a draft.
pub(super) async fn publish(
    State(sources): State<Sources>,
    reader: Reader,
    Path(id): Path<String>,
    Extension(peer): Extension<Peer>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Refusal> {
    let (wish, now) = (Wish::of(&fields), (sources.clock)());
    let name = reader.session.caller.name.clone();
    let done = sources.releasing(move |releases| {
        let by = Orderer {
            name: &name,
            from: peer.address.ip(),
            now,
        };
        let done = releases.publish(&id, &wish, by)?;
        tell!(
            ADMIN_PUBLISHED,
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

/// Throws a draft away.
pub(super) async fn throw_away(
    State(sources): State<Sources>,
    reader: Reader,
    Path(id): Path<String>,
    Extension(_fields): Extension<Fields>,
) -> Result<Response, Refusal> {
    let now = (sources.clock)();
    let file = sources.releasing(move |releases| releases.throw_away(&id, now));
    let file = file.await?.ok_or_else(gone)?;
    let notice = event!(PAGE_THROWN_AWAY, file = file);
    sources.sessions.notice(&reader.session, notice);
    Ok(Redirect::to(PATH).into_response())
}
