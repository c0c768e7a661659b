//! Sign-in by token, and sign-out.

use super::guard::Fields;
use super::layout::{other_language, reply};
use super::reader::{Reader, address, choose_language, cookies, language};
use super::words::words;
use crate::admin::gate::Gate;
use crate::admin::origin::is_ours;
use crate::admin::parts::Sources;
use crate::admin::reply::Refusal;
use crate::admin::session::LIFE;
use crate::event::text::{Lang, Text};
use crate::server::Peer;
use axum::extract::{Form, FromRequest as _, Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use hyper::HeaderMap;
use hyper::header::{HOST, HeaderValue, ORIGIN, RETRY_AFTER, SET_COOKIE};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, StatusCode};
use maud::html;
use serde::Deserialize;
use std::time::Duration;

words! {
    SIGN_IN = "登录", "Sign in";
    TOKEN = "令牌", "Token";
    WHERE = "令牌在服务器那台机器上，状态目录的 admin.token 文件里（启动日志的 event=admin.listening 一行写明它的位置）。在启动服务器的目录里：",
        "The token lies on the server's machine, in the file admin.token of the state folder (the log line with event=admin.listening says where). In the folder where the server was started:";
    SIGNED_OUT = "您已退出登录", "You are signed out";
    NOT_DONE = "您已不在登录状态，刚才的操作没有执行：请登录后再做一次", "You were not signed in any more, and what you asked for was not done: sign in, and do it again";
    EXPLAIN = "登录后 12 小时内有效；服务器重启后需重新登录。",
        "You stay signed in for 12 hours, or until the server restarts.";
    WRONG = "令牌不正确。请复制整行，前后不要有别的字符", "This token is wrong. Copy the whole line, and nothing else";
    GUESSED = "来自该地址的错误令牌过多，请稍后再试；正确的令牌仍然有效", "Too many wrong tokens came from this address: wait a while; a right one is taken as ever";
    FORGED = "请求不是从本页面发出的，请在这里重新登录", "The request did not come from this page: sign in here";
    NO_CHANCE = "系统没有可用的随机数，无法登录", "The system has no random bytes, and nobody can sign in";
}

/// Query of the form that is shown to whoever has just signed out.
const OUT: &str = "out";
/// Longest address to which somebody is led back, in bytes.
const LONGEST: usize = 512;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Form_ {
    token: String,
    to: String,
}

/// Shows the form.
pub(super) async fn show(request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match choose_language(&parts) {
        Some(chosen) => chosen,
        None if parts.uri.query() == Some(OUT) => {
            form(&parts, StatusCode::OK, "/", Note::SignedOut)
        }
        None => form(&parts, StatusCode::OK, "/", Note::None),
    }
}

/// Shows the form in the place of a page, for whoever is not signed in.
pub(crate) fn instead(parts: &Parts) -> Response {
    if let Some(chosen) = choose_language(parts) {
        return chosen;
    }
    let (to, note) = match parts.method {
        Method::GET => (address(parts), Note::None),
        _ if parts.uri.path() == "/sign-out" => ("/".to_owned(), Note::SignedOut),
        // What was to be changed was not; it is not done by signing in.
        _ => ("/".to_owned(), Note::Wrong(NOT_DONE)),
    };
    form(parts, StatusCode::UNAUTHORIZED, &to, note)
}

/// Takes a token, and begins a session.
pub(super) async fn sign_in(State(sources): State<Sources>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(peer) = parts.extensions.get::<Peer>().copied() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if !is_ours(&parts.headers, peer.secure) {
        return form(&parts, StatusCode::FORBIDDEN, "/", Note::Wrong(FORGED));
    }
    let read = Request::from_parts(parts.clone(), body);
    let Ok(Form(Form_ { token, to })) = Form::<Form_>::from_request(read, &()).await else {
        return form(&parts, StatusCode::BAD_REQUEST, "/", Note::Wrong(WRONG));
    };
    let to = local(&to);
    let gate: &Gate = &sources.gate;
    let token = match gate.token(token.trim().as_bytes(), peer.address.ip()) {
        Ok(token) => token,
        Err(Refusal::TooManyGuesses(left)) => {
            let why = Note::Wrong(GUESSED);
            let mut refused = form(&parts, StatusCode::TOO_MANY_REQUESTS, &to, why);
            let left = HeaderValue::from(left.as_secs().max(1));
            refused.headers_mut().insert(RETRY_AFTER, left);
            return refused;
        }
        Err(_) => return form(&parts, StatusCode::UNAUTHORIZED, &to, Note::Wrong(WRONG)),
    };
    // A name that was there before is nobody's any more.
    end(&sources, &parts.headers, peer.secure);
    let Some(session) = sources.sessions.begin(&token, (sources.clock)()) else {
        let why = Note::Wrong(NO_CHANCE);
        return form(&parts, StatusCode::SERVICE_UNAVAILABLE, &to, why);
    };
    let mut reply = Redirect::to(&to).into_response();
    set_cookie(&mut reply, &parts.headers, peer.secure, (&session, LIFE));
    reply
}

/// Ends a session.
pub(super) async fn sign_out(
    State(sources): State<Sources>,
    _reader: Reader,
    axum::Extension(_fields): axum::Extension<Fields>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let is_secure = parts
        .extensions
        .get::<Peer>()
        .is_some_and(|peer| peer.secure);
    end(&sources, &parts.headers, is_secure);
    let mut reply = Redirect::to(&format!("/sign-in?{OUT}")).into_response();
    set_cookie(&mut reply, &parts.headers, is_secure, ("", Duration::ZERO));
    reply
}

/// Ends the sessions of whoever sends this.
fn end(sources: &Sources, head: &HeaderMap, is_secure: bool) {
    for name in names(head, is_secure) {
        for session in cookies(head, &name) {
            sources.sessions.end(session);
        }
    }
}

/// Returns the names that the cookie may have. A proxy on this host may have spoken TLS to the
/// browser.
pub(crate) fn names(head: &HeaderMap, is_secure: bool) -> Vec<String> {
    let plain = (!is_secure).then(|| name(head, false));
    [name(head, true)].into_iter().chain(plain).collect()
}

/// Returns the name of the cookie. A browser takes `__Host-` from this very host over TLS
/// only (RFC 6265bis, section 4.1.3.2). Cookies know no ports (section 8.5), and servers of
/// several places may be reached at several ports of one host: the port is in the name.
fn name(head: &HeaderMap, is_secure: bool) -> String {
    let host = head.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let prefix = if is_secure { "__Host-" } else { "" };
    match host.and_then(|host| host.port_u16()) {
        Some(port) => format!("{prefix}xiaozhi-ota-{port}"),
        None => format!("{prefix}xiaozhi-ota"),
    }
}

fn set_cookie(
    reply: &mut Response,
    head: &HeaderMap,
    is_secure: bool,
    (value, life): (&str, Duration),
) {
    let origin = head.get(ORIGIN).map(HeaderValue::as_bytes);
    let is_secure = is_secure || origin.is_some_and(|origin| origin.starts_with(b"https://"));
    let secure = if is_secure { "; Secure" } else { "" };
    let (name, age) = (name(head, is_secure), life.as_secs());
    let cookie =
        format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        reply.headers_mut().append(SET_COOKIE, cookie);
    }
}

/// Returns the address on this server to which somebody is led back; the first page where it
/// is none.
fn local(to: &str) -> String {
    let is_path = to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/sign-");
    let is_plain = |b: u8| b.is_ascii_graphic() && b != b'\\';
    if is_path && to.len() <= LONGEST && to.bytes().all(is_plain) {
        to.to_owned()
    } else {
        "/".to_owned()
    }
}

/// Words above the form.
#[derive(Debug, Clone, Copy)]
enum Note {
    None,
    SignedOut,
    Wrong(Text),
}

fn form(parts: &Parts, status: StatusCode, to: &str, note: Note) -> Response {
    let lang: Lang = language(&parts.headers);
    let body = html! {
        div.narrow {
            @match note {
                Note::None => {},
                Note::SignedOut => div.notice.good role="status" { p { (SIGNED_OUT.to(lang)) } },
                Note::Wrong(why) => div.notice.bad role="alert" { p id="why" { (why.to(lang)) } },
            }
            form method="post" action="/sign-in" {
                input type="hidden" name="to" value=(to);
                label for="token" { (TOKEN.to(lang)) }
                input type="password" id="token" name="token" required autofocus
                    autocomplete="current-password" aria-describedby=[matches!(note, Note::Wrong(_)).then_some("why")];
                p { button type="submit" { (SIGN_IN.to(lang)) } }
            }
            p.soft { (WHERE.to(lang)) }
            pre tabindex="0" { "cat data/state/admin.token" }
            p.soft { (EXPLAIN.to(lang)) }
        }
    };
    // Who reads another language is still on his way to the same page.
    let top = html! { strong { "xiaozhi-ota" } div.who { (other_language(lang, to)) } };
    reply(status, lang, SIGN_IN.to(lang), &top, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_of_a_host_has_a_cookie_of_its_own() {
        for (host, own) in [
            ("127.0.0.1:8009", "xiaozhi-ota-8009"),
            ("[::1]:8009", "xiaozhi-ota-8009"),
            ("[::1]", "xiaozhi-ota"),
            ("ota.example.com", "xiaozhi-ota"),
            ("a b", "xiaozhi-ota"),
        ] {
            let mut head = HeaderMap::new();
            head.insert(HOST, HeaderValue::from_static(host));
            let secure = format!("__Host-{own}");
            assert_eq!(names(&head, true), [&*secure], "{host}");
            assert_eq!(names(&head, false), [&*secure, own], "{host}");
            for (origin, begin) in [
                ("http://a", format!("{own}=")),
                ("https://a", format!("{secure}=")),
            ] {
                head.insert(ORIGIN, HeaderValue::from_static(origin));
                let mut reply = Response::default();
                set_cookie(&mut reply, &head, false, ("a", LIFE));
                let cookie = reply.headers()[SET_COOKIE].to_str().unwrap();
                assert!(cookie.starts_with(&begin), "{cookie}");
                assert_eq!(cookie.ends_with("; Secure"), origin == "https://a");
            }
        }
    }

    #[test]
    fn nobody_is_led_elsewhere() {
        for good in ["/", "/devices?q=a&after=b", "/devices/aa:bb:cc:dd:ee:ff"] {
            assert_eq!(local(good), good);
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "evil",
            "/a b",
            "/a\nSet-Cookie: b",
            "/sign-out",
            "/sign-in",
            "javascript:alert(1)",
        ] {
            assert_eq!(local(bad), "/", "{bad}");
        }
    }
}
