//! Diagnostics: the state of this server as text, to paste into an issue.

use super::Facts;
use super::about::counted;
use super::address::{day, left, state};
use super::events::{weight, words_of};
use super::mask::{Mask, configured};
use super::settings::value;
use super::units::{bytes, millis};
use crate::admin::page::words::words;
use crate::admin::server_source::{BackendState, SettingValue};
use crate::admin::time::rfc3339;
use crate::event::text::{Lang, Text};
use crate::event::{Event, Severity};
use crate::fleet::OfferEnd;
use crate::util::counts::{COUNTS, CheckIn, Transport};
use crate::util::terminal::one_line;
use std::fmt::Display;
use std::time::SystemTime;

words! {
    TITLE = "诊断信息", "diagnostics";
    MADE = "时间", "made at";
    BUILT = "构建于", "built";
    SYSTEM = "系统", "system";
    KERNEL = "内核", "kernel";
    CONTAINER = "容器", "container";
    YES = "是", "yes";
    NO = "否", "no";
    STARTED = "启动于", "running since";
    MEMORY = "内存", "memory";
    CHECKS = "自检（/readyz）", "checks (/readyz)";
    FINDINGS = "发现的问题", "findings";
    NONE = "没有", "none";
    LISTENS = "监听", "listening on";
    ADDRESSES = "下发的地址", "addresses handed out";
    BY_REQUEST = "按每台设备访问的地址下发", "each device is handed the address by which it came";
    CERTIFICATES = "证书", "certificates";
    BACKENDS = "后面的服务器", "servers behind this one";
    STORE = "设备记录", "store";
    LAG = "等待写入", "lag";
    FLEET = "设备", "fleet";
    ENDS = "启动以来的升级结果", "ends of offers since the start";
    CHECK_INS = "启动以来的签到", "check-ins since the start";
    CONNECTIONS = "连接", "connections";
    OPEN = "现在打开", "open now";
    WRITTEN = "设置（写在文件里的）", "settings that are written";
    DEFAULTS = "设置（默认值）", "settings by default";
    DEVICES = "已设置（不显示），台数", "set (not shown), devices";
    EVENTS = "最近的事件（不含单台设备的平常事件）", "last events (without those of single devices that are as they should be)";
}

/// Text that is written line by line.
struct Lines {
    text: String,
    lang: Lang,
}

impl Lines {
    fn heading(&mut self, name: Text) {
        self.text.push_str("\n## ");
        self.text.push_str(name.to(self.lang));
        self.text.push('\n');
    }

    /// Writes a line. A stranger's text ends neither it nor the block that it stands in.
    fn line(&mut self, line: &str) {
        self.text.push_str(&one_line(line).replace("```", "'''"));
        self.text.push('\n');
    }

    fn fact(&mut self, name: Text, value: impl Display) {
        let name = name.to(self.lang);
        self.line(&format!("{name}: {value}"));
    }
}

/// Writes the diagnostics.
pub(super) fn write(lang: Lang, facts: &Facts) -> String {
    let mut to = Lines {
        text: "```\n".to_owned(),
        lang,
    };
    let mask = Mask::of(&facts.view);
    to.line(&format!("# xiaozhi-ota {}", TITLE.to(lang)));
    process(&mut to, facts);
    checks(&mut to, facts);
    to.heading(FINDINGS);
    for finding in &facts.findings {
        let finding = mask.finding(finding);
        event(&mut to, &finding, "");
    }
    if facts.findings.is_empty() {
        to.line(NONE.to(lang));
    }
    addresses(&mut to, facts);
    certificates(&mut to, facts);
    backends(&mut to, facts, &mask);
    counts(&mut to, facts, &mask);
    settings(&mut to, facts);
    to.heading(EVENTS);
    for said in &facts.lately {
        let is_of_one = said
            .event
            .field("device")
            .or(said.event.field("peer"))
            .is_some();
        if said.event.kind.severity != Severity::Info || !is_of_one {
            let masked = mask.said(&said.event);
            event(&mut to, &masked, &format!("{} ", time(said.at)));
        }
    }
    to.text.push_str("```\n");
    to.text
}

fn time(time: SystemTime) -> String {
    rfc3339(millis(time))
}

fn process(to: &mut Lines, facts: &Facts) {
    let process = &facts.view.process;
    let lang = to.lang;
    to.fact(MADE, time(facts.now));
    to.line(&format!(
        "xiaozhi-ota {}, {} {}, {}, {}",
        process.version,
        BUILT.to(lang),
        time(process.built),
        process.processor,
        if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        },
    ));
    to.fact(STARTED, time(process.started));
    to.fact(SYSTEM, &process.system);
    to.fact(KERNEL, &process.kernel);
    let in_container = if process.in_container { YES } else { NO };
    to.fact(CONTAINER, in_container.to(lang));
    let size = |of: Option<u64>| of.map_or_else(|| "?".to_owned(), bytes);
    to.fact(
        MEMORY,
        format!(
            "{} / {} ({}), CPU: {}",
            size(process.resident),
            size(process.memory),
            process.memory_of.to(lang),
            process.processors
        ),
    );
}

fn checks(to: &mut Lines, facts: &Facts) {
    let checks = facts.checks.iter().map(|check| {
        let why = check.why.as_ref().map_or("ok", |why| why.kind.id);
        format!("{} {why}", check.name)
    });
    let checks: Vec<_> = checks.collect();
    to.fact(CHECKS, checks.join(", "));
}

fn addresses(to: &mut Lines, facts: &Facts) {
    let (view, lang) = (&facts.view, to.lang);
    to.heading(LISTENS);
    for each in &view.listeners {
        let what = match (each.is_admin, each.is_proxied) {
            (true, _) => ", admin",
            (false, true) => ", proxy_protocol",
            (false, false) => "",
        };
        to.line(&format!("{}, {}{what}", each.address, each.protocols));
    }
    let address = &view.address;
    to.heading(ADDRESSES);
    to.line(&format!("OTA: {}", address.ota));
    to.line(&format!("download: {}", address.downloads));
    to.line(&format!(
        "voice: {}",
        address.voice.as_deref().unwrap_or("-")
    ));
    to.line(&format!("vision: {}", address.vision));
    to.line(&format!("setting: {}", address.setting.unwrap_or("-")));
    if address.is_by_request {
        to.line(BY_REQUEST.to(lang));
    }
}

fn certificates(to: &mut Lines, facts: &Facts) {
    to.heading(CERTIFICATES);
    let lang = to.lang;
    for each in &facts.view.certificates {
        let file = each.file.as_ref().map(|file| file.display().to_string());
        let left = left(each.not_after, facts.now, lang);
        to.line(&format!(
            "{}: {}, {}, {} – {} ({left})",
            file.as_deref().unwrap_or("-"),
            each.key,
            each.names.join(" "),
            day(each.not_before),
            day(each.not_after),
        ));
        for link in &each.chain {
            let (subject, issuer) = (&link.subject, &link.issuer);
            to.line(&format!("  {subject} <- {issuer}, {}", day(link.not_after)));
        }
    }
    if facts.view.certificates.is_empty() {
        to.line(NONE.to(lang));
    }
}

fn backends(to: &mut Lines, facts: &Facts, mask: &Mask) {
    to.heading(BACKENDS);
    let lang = to.lang;
    for each in &facts.view.backends {
        let (words, _) = state(&each.state);
        let why = match &each.state {
            BackendState::Fails(why) => format!(": {}", mask.finding(why).words(lang)),
            BackendState::NotAsked | BackendState::Answers => String::new(),
        };
        let (setting, path, address) = (&each.setting, &each.path, &each.address);
        to.line(&format!(
            "{setting}: {path} -> {address}, {}{why}",
            words.to(lang)
        ));
    }
    if facts.view.backends.is_empty() {
        to.line(NONE.to(lang));
    }
}

fn counts(to: &mut Lines, facts: &Facts, mask: &Mask) {
    let (store, lang) = (&facts.view.store, to.lang);
    to.heading(STORE);
    let size = store.bytes.map_or_else(|| "-".to_owned(), bytes);
    to.line(&format!("{}: {size}", store.dir.display()));
    match &store.why {
        None => to.line("ok"),
        Some(why) => event(to, &mask.finding(why), ""),
    }
    to.fact(LAG, format!("{} ms", store.lag.as_millis()));
    to.heading(FLEET);
    to.line(&format!("devices: {}", store.devices));
    let ends = OfferEnd::ALL.iter().enumerate();
    let ends = ends.map(|(number, end)| format!("{} {}", end.key(), COUNTS.offers(number)));
    let ends: Vec<_> = ends.collect();
    to.fact(ENDS, ends.join(", "));
    let ways = |outcome| {
        Transport::ALL
            .iter()
            .map(move |way| COUNTS.check_ins(outcome, *way))
    };
    let outcomes = CheckIn::ALL.iter().map(|outcome| {
        let count: u64 = ways(*outcome).sum();
        format!("{} {count}", outcome.label())
    });
    let outcomes: Vec<_> = outcomes.collect();
    to.fact(CHECK_INS, outcomes.join(", "));
    to.heading(CONNECTIONS);
    to.fact(
        OPEN,
        format!("{} / {}", COUNTS.connections_open(), COUNTS.permits()),
    );
    for (name, count) in counted() {
        to.line(&format!("{}: {count}", name.to(lang)));
    }
}

fn settings(to: &mut Lines, facts: &Facts) {
    let lang = to.lang;
    for (heading, is_written) in [(WRITTEN, true), (DEFAULTS, false)] {
        to.heading(heading);
        let all = facts.view.settings.iter();
        for each in all.filter(|each| each.place.is_some() == is_written) {
            let text = match &each.value {
                SettingValue::Devices(devices) => {
                    format!("{}: {}", DEVICES.to(lang), devices.len())
                }
                other => configured(&value(other, lang)),
            };
            let place = each.place.as_ref();
            let place = place.map_or_else(String::new, |place| format!("  # {place}"));
            to.line(&format!("{}: {text}{place}", each.key));
        }
    }
}

fn event(to: &mut Lines, event: &Event, before: &str) {
    let (words, rest) = words_of(event, to.lang);
    let weight = weight(event.kind.severity).to(to.lang);
    let rest = if rest.is_empty() {
        rest
    } else {
        format!(" {rest}")
    };
    to.line(&format!(
        "{before}{weight}: {words}{rest} event={}",
        event.kind.id
    ));
}
