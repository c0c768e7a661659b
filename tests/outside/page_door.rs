//! The door of the page: who is let in, and what is said to whoever is not.

use super::support::admin::ask;
use super::support::server::Setup;
use super::support::{Reply, Server};
use std::fs;

/// The admin address at a port that the kernel chooses.
const ADMIN: &str = "gateway:\n  admin: {listen: 0}\n";

/// Media type of a form without a file.
const FIELDS: &str = "application/x-www-form-urlencoded";

/// A browser, whose cookies are as a test wants them.
struct Browser<'a> {
    server: &'a Server,
    cookie: String,
}

impl<'a> Browser<'a> {
    fn of(server: &'a Server) -> Self {
        Self::by(server, &server.admin_token())
    }

    #[track_caller]
    fn by(server: &'a Server, token: &str) -> Self {
        let mut browser = Self {
            server,
            cookie: String::new(),
        };
        let reply = browser.post("/sign-in", &format!("token={token}"));
        assert_eq!(reply.status, 303, "{}", reply.text());
        let cookie = reply.header("Set-Cookie").unwrap().split(';').next();
        cookie.unwrap().clone_into(&mut browser.cookie);
        browser
    }

    #[track_caller]
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let host = self.server.admin_address().to_string();
        let mut all = vec![("Cookie", &*self.cookie), ("Accept", "text/html")];
        all.extend(headers);
        let mut stream = self.server.admin_tcp();
        ask(&mut stream, method, path, &host, &all, body)
    }

    #[track_caller]
    fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "")
    }

    #[track_caller]
    fn post(&self, path: &str, form: &str) -> Reply {
        let origin = format!("http://{}", self.server.admin_address());
        self.post_from(&origin, path, FIELDS, form)
    }

    #[track_caller]
    fn post_from(&self, origin: &str, path: &str, kind: &str, form: &str) -> Reply {
        let headers = [("Origin", origin), ("Content-Type", kind)];
        self.send("POST", path, &headers, form)
    }

    /// The word of his session, which every form sends back.
    #[track_caller]
    fn csrf(&self) -> String {
        let page = self.get("/acts");
        let (_, rest) = page.text().split_once("name=\"csrf\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

#[test]
fn a_planted_cookie_locks_nobody_out() {
    let server = Setup::new().start(ADMIN);
    let mut browser = Browser::of(&server);
    let own = browser.cookie.clone();
    // A browser sends one of a longer path first.
    browser.cookie = format!("xiaozhi-ota=planted; {own}");
    assert_eq!(browser.get("/devices").status, 200);
    let other = Browser::of(&server).cookie;
    browser.cookie = format!("xiaozhi-ota=planted; {own}; {other}");
    let form = format!("csrf={}", browser.csrf());
    assert_eq!(browser.post("/sign-out", &form).status, 303);
    for cookie in [own, other] {
        browser.cookie = cookie;
        assert_eq!(browser.get("/devices").status, 401);
    }
}

#[test]
fn a_browser_that_is_refused_gets_a_page_and_a_program_does_not() {
    let server = Setup::new().start(ADMIN);
    let at = server.admin_address().to_string();
    let wrong = ("Authorization", "Bearer wrong");
    for (host, extra, status, words) in [
        ("evil.example", None, 421, "不能用这个名字访问"),
        (&*at, Some(wrong), 401, "令牌不正确"),
        (&at, Some(("Host", "b")), 400, "Host 不止一个"),
    ] {
        let asked = |accept: &'static str| {
            let mut headers = vec![("Accept", accept), ("Accept-Language", "zh")];
            headers.extend(extra);
            ask(
                &mut server.admin_tcp(),
                "GET",
                "/devices",
                host,
                &headers,
                "",
            )
        };
        let page = asked("text/html,*/*;q=0.8");
        assert_eq!(page.status, status, "{words}");
        let kind = page.header("Content-Type").unwrap();
        assert!(kind.starts_with("text/html"), "{kind}");
        assert!(page.text().contains(words), "{words}: {}", page.text());
        let plain = asked("*/*");
        assert_eq!(plain.status, status);
        assert!(plain.json()["error"]["id"].is_string(), "{words}");
    }
}

#[test]
fn what_changes_something_comes_from_our_forms_by_whoever_may() {
    let setup = Setup::new();
    fs::write(setup.path().join("reader"), "reader-reader-reader").unwrap();
    let server = setup.start(
        "gateway:\n  admin: {listen: 0, tokens: [{name: desk, role: read, token_file: reader}]}\n",
    );
    let (operator, reader) = (
        Browser::of(&server),
        Browser::by(&server, "reader-reader-reader"),
    );
    let own = format!("http://{}", server.admin_address());
    // Every row there is: a test beside the list of rows holds it against this file.
    for row in include_str!("page_door.txt").lines() {
        let [_, role, brings, path] = row.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        let path = path
            .replace("{mac}", "02:00:00:00:00:01")
            .replace("{id}", "aa")
            .replace("{name}", "a_1.0.bin");
        let (kind, field): (_, fn(&str) -> String) = if brings == "File" {
            ("multipart/form-data; boundary=b", |csrf| {
                format!(
                    "--b\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n--b--\r\n"
                )
            })
        } else {
            (FIELDS, |csrf| format!("csrf={csrf}"))
        };
        let is_refused = |who: &Browser<'_>, origin: &str, csrf: &str, words: &str| {
            let reply = who.post_from(origin, &path, kind, &field(csrf));
            assert_eq!(reply.status, 403, "{row}: {}", reply.text());
            assert!(reply.text().contains(words), "{row}: {}", reply.text());
        };
        let forged = "did not come from this page";
        let word = operator.csrf();
        for (origin, csrf) in [
            (&*own, ""),
            (&own, &*reader.csrf()),
            ("http://evil.example", &word),
            ("null", &word),
        ] {
            is_refused(&operator, origin, csrf, forged);
        }
        if role == "operate" {
            is_refused(&reader, &own, &reader.csrf(), "may look only");
        }
    }
    // Nobody was signed out.
    assert_eq!(operator.get("/acts").status, 200);
}

#[test]
fn what_is_wrong_is_said_in_the_readers_language() {
    let server = Setup::new().start(ADMIN);
    server.check_in("a", "1.0");
    let browser = Browser::of(&server);
    let csrf = browser.csrf();
    let zh = ("Accept-Language", "zh");
    for (query, words, english) in [
        ("end=failed", "请写以下之一", "write one of"),
        ("nothing=1", "没有这个键", "no such key"),
    ] {
        let reply = browser.send("GET", &format!("/devices?{query}"), &[zh], "");
        assert_eq!(reply.status, 400);
        let text = reply.text();
        assert!(text.contains(words) && !text.contains(english), "{text}");
    }
    // No order can be written down.
    let orders = server.dir.path().join("data/state/orders.json");
    let _ = fs::remove_file(&orders);
    fs::create_dir_all(orders.join("in/the/way")).unwrap();
    let page = browser.get("/devices");
    let (_, device) = page.text().split_once("href=\"/devices/").unwrap();
    let device = device.split('"').next().unwrap();
    let origin = format!("http://{}", server.admin_address());
    let headers = [zh, ("Origin", &origin), ("Content-Type", FIELDS)];
    let path = format!("/devices/{device}/forget");
    let reply = browser.send("POST", &path, &headers, &format!("csrf={csrf}"));
    assert_eq!(reply.status, 503, "{}", reply.text());
    let text = reply.text();
    assert!(text.contains("未接受该命令：无法写入"), "{text}");
    assert!(!text.contains("was not taken"), "{text}");
}

#[test]
fn the_other_language_is_a_link_away_where_there_is_no_page_too() {
    let server = Setup::new().start(ADMIN);
    let browser = Browser::of(&server);
    let csrf = browser.csrf();
    let link_of = |page: &Reply| {
        let (before, _) = page.text().split_once("\" lang=\"zh-CN\"").unwrap();
        before.rsplit('"').next().unwrap().replace("&amp;", "&")
    };
    for (page, status, to) in [
        (browser.get("/nowhere?a=b"), 404, "/nowhere?a=b"),
        (browser.get("/devices/x/retry"), 405, "/devices/x/retry"),
        // The link of a form that was refused leads to where the form stands.
        (
            browser.post("/devices/02:aa/retry", "csrf=x"),
            403,
            "/devices/02:aa",
        ),
        (
            browser.post("/firmware/drafts/aa/publish", &format!("csrf={csrf}")),
            404,
            "/firmware",
        ),
    ] {
        assert_eq!(page.status, status, "{to}: {}", page.text());
        let chosen = browser.get(&link_of(&page));
        assert_eq!(chosen.status, 303, "{to}: {}", chosen.text());
        assert_eq!(chosen.header("Location"), Some(to));
        let cookie = chosen.header("Set-Cookie").unwrap();
        assert!(cookie.starts_with("language=zh;"), "{cookie}");
    }
}

#[test]
fn a_path_that_is_no_text_is_no_page() {
    let server = Setup::new().start(ADMIN);
    let browser = Browser::of(&server);
    let form = format!("csrf={}", browser.csrf());
    for path in [
        "/devices/%ff",
        "/firmware/drafts/%ff",
        "/firmware/files/%ff",
        "/firmware/files/%ff/delete",
    ] {
        let reply = browser.get(path);
        assert_eq!(reply.status, 404, "{path}: {}", reply.text());
        assert!(reply.text().contains("no such page"), "{}", reply.text());
    }
    for path in [
        "/devices/%ff/forget",
        "/firmware/drafts/%ff/publish",
        "/firmware/drafts/%ff/drop",
        "/firmware/files/%ff/delete",
    ] {
        let reply = browser.post(path, &form);
        assert_eq!(reply.status, 404, "{path}: {}", reply.text());
        assert!(reply.text().contains("no such page"), "{}", reply.text());
    }
}
