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
use crate::event::text::Lang;
use crate::server::Peer;
use axum::extract::{Form, FromRequest as _, Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use hyper::header::{HeaderValue, RETRY_AFTER, SET_COOKIE};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use maud::html;
use serde::Deserialize;

words! {
    SIGN_IN = "登录", "Sign in";
    TOKEN = "令牌", "Token";
    WHERE = "令牌在状态目录的 admin.token 文件里（启动日志 event=admin.listening 这一行的 token_file=）：",
        "The token is in the file admin.token of the state folder (the log line with event=admin.listening names it, token_file=):";
    EXPLAIN = "登录后 12 小时内有效；服务器重启后需重新登录。",
        "You stay signed in for 12 hours, or until the server restarts.";
    WRONG = "令牌不正确。请复制整行，前后不要有别的字符", "This token is wrong. Copy the whole line, and nothing else";
    GUESSED = "来自该地址的错误令牌过多，请稍后再试；正确的令牌仍然有效", "Too many wrong tokens came from this address: wait a while; a right one is taken as ever";
    FORGED = "请求不是从本页面发出的，请在这里重新登录", "The request did not come from this page: sign in here";
    NO_CHANCE = "系统没有可用的随机数，无法登录", "The system has no random bytes, and nobody can sign in";
}

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
        None => form(&parts, StatusCode::OK, "/", None),
    }
}

/// Shows the form in the place of a page, for whoever is not signed in.
pub(crate) fn instead(parts: &Parts) -> Response {
    if let Some(chosen) = choose_language(parts) {
        return chosen;
    }
    let to = match parts.method {
        Method::GET => address(parts),
        // What was to be changed was not; it is not done by signing in.
        _ => "/".to_owned(),
    };
    form(parts, StatusCode::UNAUTHORIZED, &to, None)
}

/// Takes a token, and begins a session.
pub(super) async fn sign_in(State(sources): State<Sources>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(peer) = parts.extensions.get::<Peer>().copied() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let lang = language(&parts.headers);
    if !is_ours(&parts.headers, peer.secure) {
        let why = FORGED.to(lang);
        return form(&parts, StatusCode::FORBIDDEN, "/", Some(why));
    }
    let read = Request::from_parts(parts.clone(), body);
    let Ok(Form(Form_ { token, to })) = Form::<Form_>::from_request(read, &()).await else {
        let why = WRONG.to(lang);
        return form(&parts, StatusCode::BAD_REQUEST, "/", Some(why));
    };
    let to = local(&to);
    let gate: &Gate = &sources.gate;
    let token = match gate.token(token.trim().as_bytes(), peer.address.ip()) {
        Ok(token) => token,
        Err(Refusal::TooManyGuesses(left)) => {
            let why = GUESSED.to(lang);
            let mut refused = form(&parts, StatusCode::TOO_MANY_REQUESTS, &to, Some(why));
            let left = HeaderValue::from(left.as_secs().max(1));
            refused.headers_mut().insert(RETRY_AFTER, left);
            return refused;
        }
        Err(_) => return form(&parts, StatusCode::UNAUTHORIZED, &to, Some(WRONG.to(lang))),
    };
    // A name that was there before is nobody's any more.
    for old in cookies(&parts.headers, name(peer.secure)) {
        sources.sessions.end(old);
    }
    let Some(session) = sources.sessions.begin(&token, (sources.clock)()) else {
        let why = NO_CHANCE.to(lang);
        return form(&parts, StatusCode::SERVICE_UNAVAILABLE, &to, Some(why));
    };
    let mut reply = Redirect::to(&to).into_response();
    set_cookie(&mut reply, peer.secure, &session, LIFE.as_secs());
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
    for session in cookies(&parts.headers, name(is_secure)) {
        sources.sessions.end(session);
    }
    let mut reply = Redirect::to("/sign-in").into_response();
    set_cookie(&mut reply, is_secure, "", 0);
    reply
}

/// Returns the name of the cookie. A browser takes `__Host-` from this very host over TLS
/// only (RFC 6265bis, section 4.1.3.2).
pub(crate) const fn name(is_secure: bool) -> &'static str {
    if is_secure {
        "__Host-xiaozhi-ota"
    } else {
        "xiaozhi-ota"
    }
}

fn set_cookie(reply: &mut Response, is_secure: bool, value: &str, age: u64) {
    let secure = if is_secure { "; Secure" } else { "" };
    let name = name(is_secure);
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

fn form(parts: &Parts, status: StatusCode, to: &str, why: Option<&str>) -> Response {
    let lang: Lang = language(&parts.headers);
    let body = html! {
        div.narrow {
            @if let Some(why) = why {
                div.notice.bad role="alert" { p id="why" { (why) } }
            }
            form method="post" action="/sign-in" {
                input type="hidden" name="to" value=(to);
                label for="token" { (TOKEN.to(lang)) }
                input type="password" id="token" name="token" required autofocus
                    autocomplete="current-password" aria-describedby=[why.map(|_| "why")];
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
