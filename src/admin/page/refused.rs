//! Refusals, as pages in the reader's language.

use super::layout;
use super::reader::{Reader, address, choose_language, language};
use super::words;
use crate::admin::parts::Sources;
use crate::admin::reply::Refusal;
use crate::admin::session::Session;
use crate::event::text::{Lang, Text};
use crate::util::terminal::shown;
use axum::extract::FromRequestParts as _;
use axum::response::{IntoResponse as _, Response};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use maud::html;

/// Shows why a page, or an act, is not had. `reader` is `None` for whoever is not signed in.
pub(super) fn page(refusal: &Refusal, reader: Option<&Reader>, parts: &Parts) -> Response {
    let lang = reader.map_or_else(|| language(&parts.headers), |reader| reader.lang);
    // Status and the head are those of the API.
    let plain = refusal.clone().into_response();
    let title = match refusal {
        Refusal::NotFound | Refusal::NoDevice | Refusal::NoFile => words::NOT_FOUND,
        _ => words::REFUSED,
    };
    let back = back(parts, plain.status() != StatusCode::NOT_FOUND);
    let body = html! {
        div.notice.bad role="alert" { p { bdi { (shown(&in_words(refusal, lang))) } } }
        p { a href=(back) { (words::BACK.to(lang)) } }
    };
    let title = title.to(lang);
    let mut reply = match reader {
        // What a form was sent to is no page in any language.
        Some(reader) if parts.method == Method::POST => {
            let reader = Reader {
                at: back,
                ..reader.clone()
            };
            reader.page_with(plain.status(), None, title, &body)
        }
        Some(reader) => reader.page_with(plain.status(), None, title, &body),
        None => layout::reply(plain.status(), lang, title, &html! {}, &body),
    };
    for (name, value) in plain.headers() {
        if !reply.headers().contains_key(name) {
            reply.headers_mut().insert(name, value.clone());
        }
    }
    reply
}

/// Shows why there is no page, in its frame to whoever signed in.
pub(crate) async fn refuse(refusal: &Refusal, sources: &Sources, mut parts: Parts) -> Response {
    if parts.extensions.get::<Session>().is_some()
        && let Some(chosen) = choose_language(&parts)
    {
        return chosen;
    }
    let reader = Reader::from_request_parts(&mut parts, sources).await.ok();
    page(refusal, reader.as_ref(), &parts)
}

/// Returns a page that is near: that of the thing of which something was asked, if it is there;
/// else the one in the navigation.
fn back(parts: &Parts, is_there: bool) -> String {
    let address = address(parts);
    let path = address.split('?').next().unwrap_or_default();
    let names: Vec<_> = path.split('/').skip(1).collect();
    match &names[..] {
        ["devices", of, _] | ["firmware", "drafts", of, _] if is_there && !of.is_empty() => {
            let (thing, _) = path.rsplit_once('/').unwrap_or_default();
            thing.to_owned()
        }
        [tab @ ("devices" | "firmware" | "server" | "acts"), _, ..] => format!("/{tab}"),
        _ => "/".to_owned(),
    }
}

fn in_words(refusal: &Refusal, lang: Lang) -> String {
    const FORGED: Text = Text::new(
        "请求不是从本页面发出的，或者页面已过期。请返回，重新载入页面后再试",
        "the request did not come from this page, or the page was too old: go back, load it again, and try once more",
    );
    let words = match refusal {
        Refusal::Forged => FORGED,
        Refusal::BadHost => Text::new(
            "请求里的 Host 不止一个，或无法读取",
            "the request has several Hosts, or one that cannot be read",
        ),
        Refusal::Misdirected => Text::new(
            "不能用这个名字访问本服务器：请使用它监听的地址，或把名字写进 gateway.admin.names",
            "this server is not asked for by this name: use the address that it listens on, or list the name in gateway.admin.names",
        ),
        Refusal::PlainHttp => Text::new(
            "该地址使用 TLS：请用 https:// 访问",
            "this address speaks TLS: ask for https://",
        ),
        Refusal::NoToken => Text::new("请先登录", "sign in first"),
        Refusal::WrongToken => Text::new(
            "令牌不正确：见状态目录中的 admin.token，或 gateway.admin.tokens",
            "the token is wrong: see admin.token in the state folder, or gateway.admin.tokens",
        ),
        Refusal::TooManyGuesses(_) => Text::new(
            "来自该地址的错误令牌过多；正确的令牌仍然有效",
            "too many wrong tokens came from this address; a right one is taken as ever",
        ),
        Refusal::Forbidden => Text::new(
            "这个令牌只能查看：此操作需要角色为 operate 的令牌（gateway.admin.tokens）",
            "this token may look only: this needs one with the role operate (gateway.admin.tokens)",
        ),
        Refusal::NotFound => Text::new("没有这个页面", "there is no such page"),
        Refusal::MethodNotAllowed => Text::new(
            "这个地址不接受这种请求",
            "this address does not take this kind of request",
        ),
        Refusal::NoDevice => Text::new(
            "没有这台设备：它从未签到，或已被忘记",
            "there is no such device: it never checked in, or was forgotten",
        ),
        Refusal::StillReading => Text::new(
            "还在从状态目录读取设备的记录，这台设备还不知道：请稍后再试",
            "what is known of devices is still being read from the state folder: try again in a moment",
        ),
        Refusal::NoFile => Text::new(
            "没有给该设备下发过这个文件",
            "this device was not offered a file of this name",
        ),
        Refusal::LongBody(_) => Text::new("发送的内容太长", "what was sent is too long"),
        Refusal::Late => Text::new(
            "耗时过长，操作可能仍会完成：请先查看结果，再决定是否重试",
            "this took too long, and may be done all the same: look what came of it before you try again",
        ),
        Refusal::BadQuery(_) => Text::new("请求无法理解", "the request cannot be understood"),
        // What a form of ours lacks says nothing to whoever filled it in.
        Refusal::BadBody(_) => Text::new(
            "表单无法读取：请返回，重新载入页面后再试",
            "the form cannot be read: go back, load the page again, and try once more",
        ),
        Refusal::Said(_, why) => return why.message(lang),
        Refusal::NotKept(_) => Text::new(
            "无法写下这个操作，因此没有执行",
            "the order cannot be written down, and was not taken",
        ),
    };
    let words = words.to(lang);
    let between = lang.pick("：", ": ");
    match refusal {
        Refusal::BadQuery(part) => format!("{words}{between}{}", part.words(lang)),
        Refusal::NotKept(why) => format!("{words}{between}{}", why.message(lang)),
        _ => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_leads_to_a_page() {
        for (path, is_there, to) in [
            ("/nowhere", false, "/"),
            ("/nowhere/at/all", false, "/"),
            ("/devices", true, "/"),
            ("/devices/02:aa", false, "/devices"),
            ("/devices/02:aa/retry?a=b", true, "/devices/02:aa"),
            ("/devices/02:aa/retry", false, "/devices"),
            ("/firmware/upload", true, "/firmware"),
            ("/firmware/drafts/ab/publish", true, "/firmware/drafts/ab"),
            ("/firmware/drafts/ab", false, "/firmware"),
            // What stands in between is a file.
            ("/firmware/files/a_1.bin/delete", true, "/firmware"),
            ("//elsewhere/devices/a/b", true, "/"),
        ] {
            let request = hyper::Request::builder().uri(path).body(()).unwrap();
            assert_eq!(back(&request.into_parts().0, is_there), to, "{path}");
        }
    }
}
