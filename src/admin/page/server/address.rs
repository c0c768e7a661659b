//! Addresses, certificates, and the servers behind this one.

use super::Facts;
use super::about::fact;
use crate::admin::page::finding::finding_card;
use crate::admin::page::reader::Reader;
use crate::admin::page::show::stranger;
use crate::admin::page::words::words;
use crate::admin::server_source::{BackendState, BackendView, CertificateView, ServerView};
use crate::event::text::{Lang, Text};
use crate::event::{Event, Kind, Severity, Value, kinds};
use crate::util::paths::absolute;
use jiff::Timestamp;
use maud::{Markup, html};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

words! {
    OTA = "OTA 地址（填入设备）", "OTA address (to type into a device)";
    DOWNLOADS = "下载地址", "Downloads";
    VOICE = "语音地址", "Voice";
    NO_VOICE = "没有设备能读懂的地址", "none that devices can read";
    VISION = "视觉地址", "Vision";
    FROM = "取自", "Taken from";
    MADE_UP = "没有配置（server.ota 或 server.vision_explain），根据本机地址得出", "this machine: neither server.ota nor server.vision_explain is configured";
    BY_REQUEST = "每台设备得到的是它访问本服务器所用的协议、主机名和端口；上面的地址只在看不出时使用",
        "each device is handed the scheme, host and port by which it came; these addresses only where that does not show";
    LISTENS = "监听的地址", "Listening on";
    SPEAKS = "协议", "Protocols";
    FOR = "用途", "For";
    OF_DEVICES = "设备", "devices";
    OF_PROXY = "设备，经由发送 PROXY 头的代理", "devices, behind a proxy that sends a PROXY header";
    OF_ADMIN = "本页面和管理接口", "this page, and the admin API";
    AUDIT = "地址检查", "Audit of the addresses";
    NO_FINDING = "检查没有发现设备会遇到的问题。", "The audit finds nothing that devices would stumble over.";
    ABOVE = "检查发现的问题列在本页最上方，共", "What the audit finds wrong stands at the top of this page: ";
    HINTS = "提示（不是问题）", "Hints (nothing is wrong)";
    NO_TLS = "没有启用 TLS（gateway.tls.mode 为 off），因此没有证书。", "TLS is off (gateway.tls.mode), and there are no certificates.";
    NO_CERTIFICATE = "还没有证书，TLS 连接会失败。", "There is no certificate yet, and TLS connections fail.";
    FILE = "文件", "File";
    IN_MEMORY = "只在内存中", "in memory only";
    NAMES = "用于", "Made for";
    KEY = "密钥", "Key";
    LEFT = "有效期", "Validity";
    SELF_SIGNED = "自签名", "signed by itself";
    CHAIN = "证书链", "Chain";
    BY = "签发者", "signed by";
    UNTIL = "至", "until";
    NO_BACKENDS = "没有配置（gateway.proxy）：语音和视觉由别的服务器直接应答。", "None is configured (gateway.proxy): others answer voice and vision themselves.";
    PATH = "路径", "Path";
    BACKEND = "服务器", "Server";
    SETTING = "设置", "Setting";
    STATE = "状态", "State";
    NOT_ASKED = "启动以来还没有请求经过", "not asked since the start";
    ANSWERS = "应答了最近一次请求", "answered the last request";
    FAILS = "没有应答最近一次请求", "did not answer the last request";
}

/// Shows the addresses that devices are handed, and those that are listened on.
pub(super) fn addresses(reader: &Reader, view: &ServerView) -> Markup {
    let address = &view.address;
    let is_hint = |severity| severity == Severity::Info;
    let audit = &address.audit;
    let hints: Vec<_> = audit
        .iter()
        .filter(|event| is_hint(event.kind.severity))
        .collect();
    let wrong = audit.len() - hints.len();
    html! {
        dl.facts {
            (fact(reader, OTA, &html! { bdi.mono { (address.ota) } }))
            (fact(reader, DOWNLOADS, &html! { bdi.mono { (address.downloads) } "…" }))
            (fact(reader, VOICE, &html! {
                @match &address.voice {
                    Some(voice) => bdi.mono { (voice) },
                    None => span.bad { (reader.say(NO_VOICE)) },
                }
            }))
            (fact(reader, VISION, &html! { bdi.mono { (address.vision) } }))
            (fact(reader, FROM, &html! {
                @match address.setting {
                    Some(setting) => code { (setting) },
                    None => (reader.say(MADE_UP)),
                }
            }))
        }
        @if address.is_by_request { p.soft { (reader.say(BY_REQUEST)) } }
        (listeners(reader, view))
        h3 { (reader.say(AUDIT)) }
        @if wrong == 0 { p.good { (reader.say(NO_FINDING)) } } @else {
            p { a href="#findings-title" { (reader.say(ABOVE)) (wrong) } }
        }
        @if !hints.is_empty() {
            details id="hints" {
                summary { (reader.say(HINTS)) ": " (hints.len()) }
                @for hint in hints { (finding_card(reader, hint)) }
            }
        }
    }
}

fn listeners(reader: &Reader, view: &ServerView) -> Markup {
    let what = |is_admin, is_proxied| match (is_admin, is_proxied) {
        (true, _) => OF_ADMIN,
        (false, true) => OF_PROXY,
        (false, false) => OF_DEVICES,
    };
    html! {
        div.scroll tabindex="0" role="region" aria-label=(reader.say(LISTENS)) {
            table {
                thead { tr { @for name in [LISTENS, SPEAKS, FOR] { th scope="col" { (reader.say(name)) } } } }
                tbody {
                    @for each in &view.listeners {
                        tr {
                            td { bdi.mono { (each.address) } }
                            td { (each.protocols) }
                            td { (reader.say(what(each.is_admin, each.is_proxied))) }
                        }
                    }
                }
            }
        }
    }
}

/// Returns how long a certificate holds from `now` on, in words.
pub(super) fn left(not_after: i64, now: SystemTime, lang: Lang) -> String {
    const DAY: i64 = 86_400;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let left = not_after.saturating_sub(i64::try_from(now).unwrap_or(i64::MAX));
    let ago = left.saturating_neg() / DAY;
    match left {
        ..0 => lang.pick(
            format!("已于 {ago} 天前过期"),
            format!("ended {ago} days ago"),
        ),
        0..172_800 => lang.pick(
            format!("还剩 {} 小时", left / 3600),
            format!("{} hours left", left / 3600),
        ),
        _ => lang.pick(
            format!("还剩 {} 天", left / DAY),
            format!("{} days left", left / DAY),
        ),
    }
}

/// Tells whether the audit finds that a certificate does not hold, or not for long.
fn is_ending(audit: &[Event], file: &Path) -> bool {
    const ENDING: [&Kind; 3] = [
        &kinds::CERTIFICATE_EXPIRED,
        &kinds::CERTIFICATE_EXPIRING,
        &kinds::CERTIFICATE_EARLY,
    ];
    let is_it = |found: &Event| match found.field("file") {
        Some(Value::Text(found)) => absolute(Path::new(&**found)) == file,
        _ => false,
    };
    let mut of_time = audit.iter().filter(|found| ENDING.contains(&found.kind));
    of_time.any(is_it)
}

/// Writes the day of a time in seconds since 1970.
pub(super) fn day(seconds: i64) -> String {
    let time = Timestamp::from_second(seconds);
    time.map_or_else(
        |_| seconds.to_string(),
        |time| time.strftime("%F").to_string(),
    )
}

/// Shows the certificates that answer.
pub(super) fn certificates(reader: &Reader, facts: &Facts) -> Markup {
    let has_tls = facts
        .view
        .listeners
        .iter()
        .any(|each| each.protocols.contains("TLS"));
    html! {
        @if !has_tls { p.soft { (reader.say(NO_TLS)) } }
        @else if facts.view.certificates.is_empty() { p.bad { (reader.say(NO_CERTIFICATE)) } }
        @for each in &facts.view.certificates { (certificate(reader, each, facts)) }
    }
}

fn certificate(reader: &Reader, each: &CertificateView, facts: &Facts) -> Markup {
    let audit = &facts.view.address.audit;
    let is_ending = each
        .file
        .as_ref()
        .is_some_and(|file| is_ending(audit, file));
    html! {
        div.card {
            dl.facts {
                (fact(reader, FILE, &html! {
                    @match &each.file {
                        Some(file) => bdi.mono { (file.display()) },
                        None => (reader.say(IN_MEMORY)),
                    }
                }))
                (fact(reader, NAMES, &html! { (stranger(&each.names.join(", "))) }))
                (fact(reader, LEFT, &html! {
                    strong.bad[is_ending] { (left(each.not_after, facts.now, reader.lang)) }
                    span.soft { " (" (day(each.not_before)) " – " (day(each.not_after)) ")" }
                }))
                (fact(reader, KEY, &html! {
                    (each.key)
                    @if each.is_self_signed { ", " (reader.say(SELF_SIGNED)) }
                }))
                (fact(reader, CHAIN, &html! {
                    ol.plain {
                        @for link in &each.chain {
                            li {
                                (stranger(&link.subject))
                                span.soft {
                                    ", " (reader.say(BY)) " " (stranger(&link.issuer)) ", "
                                    (reader.say(UNTIL)) " " (day(link.not_after))
                                }
                            }
                        }
                    }
                }))
            }
        }
    }
}

/// Returns the state of a server behind this one in words, and whether it is good.
pub(super) fn state(state: &BackendState) -> (Text, Option<bool>) {
    match state {
        BackendState::NotAsked => (NOT_ASKED, None),
        BackendState::Answers => (ANSWERS, Some(true)),
        BackendState::Fails(_) => (FAILS, Some(false)),
    }
}

/// Shows the servers behind this one, as far as it is known how they are.
pub(super) fn backends(reader: &Reader, backends: &[BackendView]) -> Markup {
    if backends.is_empty() {
        return html! { p.soft { (reader.say(NO_BACKENDS)) } };
    }
    let class = |is_good| match is_good {
        None => "soft",
        Some(true) => "good",
        Some(false) => "bad",
    };
    html! {
        @for each in backends {
            @let (words, is_good) = state(&each.state);
            div.card {
                dl.facts {
                    (fact(reader, PATH, &html! { bdi.mono { (each.path) } }))
                    (fact(reader, BACKEND, &html! { bdi.mono { (each.address) } }))
                    (fact(reader, STATE, &html! {
                        strong class=(class(is_good)) { (reader.say(words)) }
                        @if let BackendState::Fails(why) = &each.state {
                            ": " (stranger(&why.words(reader.lang)))
                        }
                    }))
                    (fact(reader, SETTING, &html! { code { (each.setting) } }))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::event;
    use std::time::Duration;

    #[test]
    fn what_is_left_of_a_certificate_is_said_as_long_as_it_is() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for (not_after, words) in [
            (1_000_000_000 - 1, "ended 0 days ago"),
            (1_000_000_000 - 3 * 86_400, "ended 3 days ago"),
            (1_000_000_000 + 7200, "2 hours left"),
            (1_000_000_000 + 13 * 86_400, "13 days left"),
        ] {
            assert_eq!(left(not_after, now, Lang::En), words);
        }
        assert!(left(i64::MIN, now, Lang::En).ends_with("days ago"));
        assert_eq!(day(i64::MAX), i64::MAX.to_string());
        assert_eq!(day(0), "1970-01-01");
    }

    #[test]
    fn what_is_bad_about_a_certificate_the_audit_says() {
        let ends = event!(
            CERTIFICATE_EXPIRING,
            setting = "",
            file = Path::new("/certs/a.pem"),
            days = 30u64,
            hours = 700u64,
            acme = false
        );
        let other = event!(CERTIFICATE_SELF_SIGNED, setting = "", file = "/certs/b.pem");
        let audit = [ends, other];
        assert!(is_ending(&audit, Path::new("/certs/a.pem")));
        assert!(!is_ending(&audit, Path::new("/certs/b.pem")));
        assert!(!is_ending(&[], Path::new("/certs/a.pem")));
    }
}
