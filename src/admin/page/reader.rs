//! The reader of a page: session, language, and the address that was asked for.

use crate::admin::auth::Role;
use crate::admin::parts::Sources;
use crate::admin::session::Session;
use crate::admin::time::rfc3339;
use crate::event::Event;
use crate::event::text::{Lang, Text};
use crate::util::when::Times;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Redirect, Response};
use hyper::HeaderMap;
use hyper::StatusCode;
use hyper::header::{ACCEPT_LANGUAGE, COOKIE, HeaderValue, SET_COOKIE};
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use maud::{Markup, html};

/// Name of the cookie that keeps the language which somebody chose.
const LANGUAGE: &str = "language";

/// Reader of a page.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub(super) session: Session,
    pub(super) lang: Lang,
    /// Path and query of the page.
    pub(super) at: String,
    /// Outcome of what he did before, said once.
    pub(super) notice: Option<Event>,
    pub(super) times: Times,
}

impl Reader {
    /// Returns words in his language.
    pub(super) fn say(&self, words: Text) -> &'static str {
        words.to(self.lang)
    }

    /// Shows a time, in milliseconds since 1970, and how long ago that was.
    pub(super) fn time(&self, millis: u64) -> Markup {
        let at = rfc3339(millis);
        html! { time datetime=(at) { (self.times.long(&at, self.lang)) } }
    }

    /// Shows a time to the second, in milliseconds since 1970, as short as it is told apart.
    pub(super) fn moment(&self, millis: u64) -> Markup {
        let at = rfc3339(millis);
        html! { time datetime=(at) title=(self.times.long(&at, self.lang)) { (self.times.to_second(&at)) } }
    }

    /// Tells whether he may change something.
    pub(super) fn may_operate(&self) -> bool {
        self.session.caller.role >= Role::Operate
    }
}

impl FromRequestParts<Sources> for Reader {
    type Rejection = StatusCode;

    async fn from_request_parts(
        parts: &mut Parts,
        sources: &Sources,
    ) -> Result<Self, Self::Rejection> {
        // The guard of every page has let nobody pass without one.
        let session = parts.extensions.get::<Session>().cloned();
        let session = session.ok_or(StatusCode::UNAUTHORIZED)?;
        let is_shown = parts.method == hyper::Method::GET && !is_fetched_by_script(&parts.headers);
        Ok(Self {
            notice: is_shown
                .then(|| sources.sessions.take_notice(&session))
                .flatten(),
            session,
            lang: language(&parts.headers),
            at: address(parts),
            times: Times::at((sources.clock)()),
        })
    }
}

/// Tells whether a script fetches a page, and not somebody who reads it (Fetch Metadata,
/// section 2.2): what it takes, nobody sees.
fn is_fetched_by_script(head: &HeaderMap) -> bool {
    head.get("sec-fetch-mode")
        .is_some_and(|mode| mode != "navigate")
}

/// Returns path and query of a request, as a link may have them; the first page's where a browser
/// takes them for another host's (`//host`, and `/\host`, which is the same to it).
pub(super) fn address(parts: &Parts) -> String {
    let at = parts.uri.path_and_query().map(PathAndQuery::as_str);
    let is_here = |at: &&str| {
        let rest = at.strip_prefix('/');
        rest.is_some_and(|rest| !rest.starts_with(['/', '\\']))
    };
    at.filter(is_here).unwrap_or("/").to_owned()
}

/// Returns the values of the cookies of a name. Whoever serves another port of this host can
/// put one of a longer path in front of ours (RFC 6265, section 5.4): no place says which is ours.
pub(crate) fn cookies<'a>(head: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let values = head.get_all(COOKIE).iter();
    let pairs = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .filter(move |(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// Returns the language that was chosen, else the one that the browser asks for (RFC 9110,
/// section 12.5.4), else English.
pub(super) fn language(head: &HeaderMap) -> Lang {
    if let Some(chosen) = cookies(head, LANGUAGE).find_map(parse) {
        return chosen;
    }
    let mut best = (Lang::En, 0.0);
    let asked = head.get_all(ACCEPT_LANGUAGE).iter();
    for part in asked
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
    {
        let (range, weight) = part.split_once(';').unwrap_or((part, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Some(1.0), |q| {
            q.trim()
                .parse::<f32>()
                .ok()
                .filter(|q| (0.0..=1.0).contains(q))
        });
        let lang = parse(range.trim().split('-').next().unwrap_or_default());
        if let (Some(lang), Some(weight)) = (lang, weight)
            && weight > best.1
        {
            best = (lang, weight);
        }
    }
    best.0
}

/// Takes the language that a link of ours chose, and leads to the page itself.
pub(super) fn choose_language(parts: &Parts) -> Option<Response> {
    let query = parts.uri.query()?;
    let chosen = |pair: &str| pair.strip_prefix("lang=").and_then(parse);
    let lang = query.split('&').find_map(chosen)?;
    let others: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.starts_with("lang="))
        .collect();
    let path = address(parts);
    let path = path.split('?').next().unwrap_or("/");
    let mut to = path.to_owned();
    if !others.is_empty() {
        to = format!("{path}?{}", others.join("&"));
    }
    let cookie = format!(
        "{LANGUAGE}={}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax",
        lang.pick("zh", "en")
    );
    // `//host` would lead elsewhere.
    let mut reply = Redirect::to(&format!("/{}", to.trim_start_matches('/'))).into_response();
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        reply.headers_mut().append(SET_COOKIE, cookie);
    }
    Some(reply)
}

/// Reads the name of a language.
fn parse(name: &str) -> Option<Lang> {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    match () {
        () if is("zh") => Some(Lang::Zh),
        () if is("en") => Some(Lang::En),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderName;

    fn head(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut head = HeaderMap::new();
        for (name, value) in pairs {
            head.append(name, HeaderValue::from_static(value));
        }
        head
    }

    #[test]
    fn the_language_is_the_readers() {
        for (asked, lang) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Lang::Zh),
            ("zh", Lang::Zh),
            ("ZH-hans-cn", Lang::Zh),
            ("en-US,en;q=0.9,zh;q=0.8", Lang::En),
            ("en;q=0.3, zh;q=0.5", Lang::Zh),
            ("de,fr;q=0.9,zh;q=0.1", Lang::Zh),
            ("de, fr", Lang::En),
            ("zh;q=0", Lang::En),
            ("zh;q=nan", Lang::En),
            ("zh;q=7", Lang::En),
            ("", Lang::En),
        ] {
            assert_eq!(
                language(&head(&[(ACCEPT_LANGUAGE, asked)])),
                lang,
                "{asked}"
            );
        }
        let chosen = |cookie| head(&[(ACCEPT_LANGUAGE, "zh"), (COOKIE, cookie)]);
        assert_eq!(language(&chosen("a=b; language=en")), Lang::En);
        assert_eq!(language(&chosen("language=xx")), Lang::Zh);
        assert_eq!(language(&chosen("language=xx; language=en")), Lang::En);
    }

    #[test]
    fn no_address_is_another_hosts() {
        for (asked, at) in [
            ("/", "/"),
            ("/acts?a=//b", "/acts?a=//b"),
            ("//evil.example/acts", "/"),
            ("/\\evil.example", "/"),
            ("*", "/"),
        ] {
            let request = hyper::Request::builder().uri(asked).body(()).unwrap();
            assert_eq!(address(&request.into_parts().0), at, "{asked}");
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let head = head(&[(COOKIE, "xa=1;a=2; a=3"), (COOKIE, "b = 4; c=5=6")]);
        for (name, values) in [
            ("a", &["2", "3"][..]),
            ("xa", &["1"]),
            ("c", &["5=6"]),
            ("d", &[]),
        ] {
            assert!(cookies(&head, name).eq(values.iter().copied()), "{name}");
        }
    }
}
