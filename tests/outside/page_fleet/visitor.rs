//! Somebody who signed in and looks at pages, and pages as a browser would take them apart.

use crate::support::admin::ask;
use crate::support::{Reply, Server};
use percent_encoding::percent_decode_str;

/// Somebody who signed in.
pub(crate) struct Visitor<'a> {
    pub(super) server: &'a Server,
    cookie: String,
}

impl<'a> Visitor<'a> {
    #[track_caller]
    pub(crate) fn of(server: &'a Server) -> Self {
        Self::by(server, &server.admin_token())
    }

    #[track_caller]
    pub(super) fn by(server: &'a Server, token: &str) -> Self {
        let mut visitor = Self {
            server,
            cookie: String::new(),
        };
        let reply = visitor.post("/sign-in", &[("token", token)]);
        assert_eq!(reply.status, 303, "{}", reply.text());
        let cookies = reply.headers.iter();
        let mut cookies = cookies.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        let cookie = cookies.next().expect("a session").1.split(';').next();
        cookie.unwrap().clone_into(&mut visitor.cookie);
        visitor
    }

    #[track_caller]
    pub(super) fn ask(&self, path: &str, lang: &str) -> Reply {
        let host = self.server.admin_address().to_string();
        let headers = [("Cookie", &*self.cookie), ("Accept-Language", lang)];
        ask(
            &mut self.server.admin_tcp(),
            "GET",
            path,
            &host,
            &headers,
            "",
        )
    }

    /// A page that is there.
    #[track_caller]
    pub(crate) fn page(&self, path: &str, lang: &str) -> String {
        let reply = self.ask(path, lang);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        let text = reply.text().to_owned();
        holds_together(&text);
        text
    }

    /// Sends a form as it was made, from a page of this server.
    #[track_caller]
    pub(super) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let host = self.server.admin_address().to_string();
        let origin = format!("http://{host}");
        let headers = [
            ("Cookie", &*self.cookie),
            ("Origin", &*origin),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let encoded = fields.iter().map(|(name, value)| {
            let value =
                percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            format!("{name}={value}")
        });
        let body = encoded.collect::<Vec<_>>().join("&");
        ask(
            &mut self.server.admin_tcp(),
            "POST",
            path,
            &host,
            &headers,
            &body,
        )
    }

    /// Sends a form of a page, as a browser does where its button is pushed.
    #[track_caller]
    pub(super) fn push(&self, form: &Form) -> Reply {
        let fields: Vec<_> = form
            .fields
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        self.post(&form.action, &fields)
    }
}

/// A form of a page.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) action: String,
    pub(super) fields: Vec<(String, String)>,
}

/// The forms of a page that change something.
pub(super) fn forms(page: &str) -> Vec<Form> {
    let forms = page.split("<form ").skip(1).filter_map(|form| {
        let form = form.split("</form>").next().unwrap();
        let head = form.split('>').next().unwrap();
        if attribute(head, "method") != Some("post".to_owned()) {
            return None;
        }
        let fields = form.split("<input ").skip(1).filter_map(|input| {
            let input = input.split('>').next().unwrap();
            Some((
                attribute(input, "name")?,
                attribute(input, "value").unwrap_or_default(),
            ))
        });
        Some(Form {
            action: attribute(head, "action").unwrap(),
            fields: fields.collect(),
        })
    });
    forms.collect()
}

/// The form of a page whose path ends so.
#[track_caller]
pub(super) fn form(page: &str, ending: &str) -> Form {
    let found = forms(page)
        .into_iter()
        .find(|form| form.action.ends_with(ending));
    found.unwrap_or_else(|| panic!("no form {ending}: {page}"))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, behind) = tag.split_once(&format!("{name}=\""))?;
    Some(plain(behind.split('"').next().unwrap()))
}

/// The path behind a link of these words.
#[track_caller]
pub(super) fn link(page: &str, words: &str) -> Option<String> {
    let at = page.find(&format!(">{words}</a>"))?;
    let (_, tag) = page[..at].rsplit_once("<a ").unwrap();
    attribute(tag, "href")
}

/// The paths of devices that a page links, in its order.
pub(super) fn devices(page: &str) -> Vec<String> {
    let links = page.split("href=\"/devices/").skip(1);
    let ids = links.map(|link| link.split('"').next().unwrap());
    let ids = ids.filter(|id| !id.contains('/'));
    let decoded = ids.map(|id| {
        percent_decode_str(&plain(id))
            .decode_utf8()
            .unwrap()
            .into_owned()
    });
    decoded.collect()
}

/// A text without what HTML makes of it.
pub(super) fn plain(text: &str) -> String {
    let pairs = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&amp;", "&"),
    ];
    pairs
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// What a reader sees of a page or a part of one, without tags.
pub(super) fn words(page: &str) -> String {
    let mut text = String::new();
    for piece in page.split('<') {
        text += piece.split_once('>').map_or(piece, |(_, behind)| behind);
        text.push(' ');
    }
    plain(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The part of a page with this id, up to the end of its element.
#[track_caller]
pub(super) fn part(page: &str, id: &str) -> String {
    let (before, behind) = page
        .split_once(&format!(" id=\"{id}\""))
        .unwrap_or_else(|| panic!("no {id}: {page}"));
    let name = before.rsplit('<').next().unwrap();
    let name = name.split(' ').next().unwrap();
    let (begin, end) = (format!("<{name}"), format!("</{name}>"));
    let (mut depth, mut at) = (1, 0);
    while depth > 0 {
        let close = at + behind[at..].find(&end).expect("an end");
        depth += behind[at..close].matches(&begin).count();
        depth -= 1;
        at = close + end.len();
    }
    behind[..at - end.len()].to_owned()
}

/// Elements of our pages.
const ELEMENTS: [&str; 61] = [
    "a",
    "bdi",
    "body",
    "br",
    "button",
    "caption",
    "code",
    "datalist",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "form",
    "g",
    "h1",
    "h2",
    "h3",
    "head",
    "header",
    "html",
    "input",
    "label",
    "li",
    "link",
    "main",
    "meta",
    "nav",
    "ol",
    "option",
    "p",
    "pre",
    "rect",
    "script",
    "section",
    "select",
    "span",
    "strong",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "ul",
    "em",
    "figure",
    "figcaption",
    "output",
    "progress",
    "small",
    "fieldset",
    "legend",
    "article",
    "textarea",
    "b",
    "i",
];
/// Elements that have no end.
const EMPTY: [&str; 5] = ["br", "input", "link", "meta", "hr"];

/// Holds a page to what it may be: every element is one of ours and is closed in its turn, no
/// attribute runs or styles anything, nothing steers the text around it.
#[track_caller]
pub(crate) fn holds_together(page: &str) {
    let mut open: Vec<String> = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").unwrap();
    while let Some((text, behind)) = rest.split_once('<') {
        let (tag, behind) = tag(behind);
        // What somebody typed into a field stands there as he typed it, but for what no text has.
        let typed = attribute(tag, "value").unwrap_or_default();
        let is_steered = text.contains(steers) || tag.contains(|c| steers(c) && !typed.contains(c));
        assert!(!is_steered, "{text:?}<{tag:?}");
        rest = behind;
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap();
        assert!(ELEMENTS.contains(&name), "<{tag}>");
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "</{name}> in {open:?}");
            continue;
        }
        for attribute in attributes(&tag[name.len()..]) {
            let is_plain = attribute
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-');
            assert!(
                is_plain && !attribute.starts_with("on") && attribute != "style",
                "<{tag}>"
            );
        }
        if !EMPTY.contains(&name) {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "{open:?}");
    let is_raw = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    assert!(!page.contains(is_raw), "{page:?}");
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    // As a number of a picture, or of a table: a form's word may have these letters by chance.
    let is_number = |found: &str| found.contains(">NaN") || found.contains("=\"NaN");
    assert!(!is_number(page), "{page}");
}

/// Tells whether a character turns the text around it, or is none that a page shows.
fn steers(c: char) -> bool {
    let turns = ['\u{200e}', '\u{200f}', '\u{61c}'];
    c.is_control() && c != '\n'
        || turns.contains(&c)
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Splits what stands behind a `<` at the `>` that ends the tag.
#[track_caller]
fn tag(behind: &str) -> (&str, &str) {
    let mut is_quoted = false;
    for (at, c) in behind.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            '>' if !is_quoted => return (&behind[..at], &behind[at + 1..]),
            _ => {}
        }
    }
    panic!("no end: <{behind}");
}

/// The names of the attributes in a tag.
fn attributes(tag: &str) -> Vec<&str> {
    let outside = tag.split('"').step_by(2);
    let names = outside.flat_map(|part| part.split([' ', '=', '\n']));
    names.filter(|name| !name.is_empty()).collect()
}
