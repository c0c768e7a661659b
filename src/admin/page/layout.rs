//! Frame of all pages: head, navigation, what is said of the last act, foot. The only place
//! where a page becomes a reply.

use super::assets::{ICON, SCRIPT, STYLE};
use super::reader::Reader;
use super::show::message;
use super::words;
use crate::admin::reply::{Page, with_type};
use crate::event::text::{Lang, Text};
use crate::event::{Event, Severity};
use crate::util::terminal::one_line;
use axum::response::Response;
use hyper::StatusCode;
use maud::{DOCTYPE, Markup, html};

/// A page in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Fleet,
    Devices,
    Firmware,
    Server,
    Acts,
}

const TABS: [(Tab, &str, Text); 5] = [
    (Tab::Fleet, "/", words::FLEET),
    (Tab::Devices, "/devices", words::DEVICES),
    (Tab::Firmware, "/firmware", words::FIRMWARE),
    (Tab::Server, "/server", words::SERVER),
    (Tab::Acts, "/acts", words::ACTS),
];

impl Reader {
    /// Makes a page. What a device sent is text in `body`, which maud escapes, and stands in
    /// `<bdi>`, so that it does not turn what is written around it.
    pub(super) fn page(&self, tab: Option<Tab>, title: &str, body: &Markup) -> Response {
        self.page_with(StatusCode::OK, tab, title, body)
    }

    /// Makes a page with another status.
    pub(super) fn page_with(
        &self,
        status: StatusCode,
        tab: Option<Tab>,
        title: &str,
        body: &Markup,
    ) -> Response {
        let top = html! {
            nav aria-label=(self.lang.pick("主导航", "Main")) {
                ul {
                    @for (each, path, name) in TABS {
                        li {
                            a href=(path) aria-current=[(tab == Some(each)).then_some("page")] {
                                (self.say(name))
                            }
                        }
                    }
                }
            }
            div.who {
                span {
                    bdi { (self.session.caller.name) }
                    @if !self.may_operate() { (self.say(words::MAY_LOOK)) }
                }
                (other_language(self.lang, &self.at))
                form method="post" action="/sign-out" {
                    (self.csrf())
                    button.second type="submit" { (self.say(words::SIGN_OUT)) }
                }
            }
        };
        let notice = self.notice.as_ref();
        let body = html! {
            @if let Some(notice) = notice { (said(notice, self.lang)) }
            (body)
        };
        reply(status, self.lang, title, &top, &body)
    }

    /// Returns the field that every form of a session sends back.
    pub(super) fn csrf(&self) -> Markup {
        html! { input type="hidden" name="csrf" value=(self.session.csrf); }
    }
}

/// Shows an event as something to be noticed, with what to do about it.
pub(super) fn said(event: &Event, lang: Lang) -> Markup {
    let class = match event.kind.severity {
        Severity::Info => "notice good",
        Severity::Warning => "notice",
        Severity::Error => "notice bad",
    };
    html! {
        div class=(class) role="status" { p { (message(event, lang)) } }
    }
}

/// Links the same page in the other language.
pub(super) fn other_language(lang: Lang, at: &str) -> Markup {
    let (code, name) = lang.pick(("en", "en"), ("zh", "zh-CN"));
    let between = if at.contains('?') { '&' } else { '?' };
    html! {
        a href={ (at) (between) "lang=" (code) } lang=(name) hreflang=(name) {
            (words::OTHER_LANGUAGE.to(lang))
        }
    }
}

/// Makes the reply of a page of which nothing is known but its parts.
pub(super) fn reply(
    status: StatusCode,
    lang: Lang,
    title: &str,
    top: &Markup,
    body: &Markup,
) -> Response {
    let title = one_line(title);
    let page = html! {
        (DOCTYPE)
        html lang=(lang.pick("zh-CN", "en")) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · xiaozhi-ota" }
                link rel="icon" href=(ICON.path);
                link rel="stylesheet" href=(STYLE.path);
                script src=(SCRIPT.path) defer {}
            }
            body {
                a.skip href="#main" { (words::SKIP.to(lang)) }
                header.top { div { (top) } }
                main id="main" {
                    h1 { bdi { (title) } }
                    (body)
                }
            }
        }
    };
    let bytes = page.into_string().into_bytes();
    let mut reply = with_type(status, "text/html; charset=utf-8", bytes);
    reply.extensions_mut().insert(Page);
    reply
}
