//! The door of the page: who is let in, and what is said to whoever is not.

use super::support::admin::ask;
use super::support::server::Setup;
use super::support::{Reply, Server};

/// The admin address at a port that the kernel chooses.
const ADMIN: &str = "gateway:\n  admin: {listen: 0}\n";

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
        let headers = [
            ("Origin", &*origin),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
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
