//! Summary of a configuration for `validate`: a line for each thing, in both languages.

use crate::config::{Settings, time_shown};
use crate::event::text::Lang;
use crate::firmware::{ForeignHome, Verify};
use crate::http::plain::PlainHttp;
use crate::http::proxy::ProxySettings;
use crate::http::proxy::upstream::UpstreamSettings;
use crate::ota::credentials::{TokenAuth, Voice};
use crate::ota::decide::DefaultFor;
use crate::ota::public_url::Source;
use crate::ota::upstream::Kind;
use crate::telemetry::line::{Format, Style};
use crate::tls::Mode;
use crate::util::size;
use xiaozhi_device::redact;

/// Settings of what devices are told in a check-in, which the upstream tells them.
const IDLE: [&str; 5] = [
    "server.websocket",
    "server.mqtt_gateway",
    "server.mqtt_signature_key",
    "server.auth",
    "server.auth_key",
];

/// A thing, and what it is set to.
type Line = (&'static str, String);

/// Lists all that is worth a look.
pub(super) fn lines(settings: &Settings, lang: Lang) -> Vec<Line> {
    let mut lines = doors(settings, lang);
    lines.extend(tls(settings, lang));
    let plain = match &settings.plain_http {
        PlainHttp::Allowed => lang.pick("提供", "served").to_owned(),
        PlainHttp::Until { day, .. } => lang.pick(
            format!("提供到 {day} 当天结束"),
            format!("served to the end of {day}"),
        ),
        PlainHttp::Refused => lang.pick("拒绝（403）", "refused (403)").to_owned(),
    };
    lines.push((lang.pick("明文 HTTP", "plain HTTP"), plain));
    match &settings.upstream {
        None => lines.push((lang.pick("语音", "voice"), voice(settings, lang))),
        Some(upstream) => {
            lines.extend(answers(upstream, lang));
            lines.extend(idle(settings, lang));
        }
    }
    lines.push(in_front(settings, lang));
    lines.extend(devices(settings, lang));
    lines.push(admin(settings, lang));
    lines.extend(passed_on(&settings.proxy, lang));
    lines.extend(firmware(settings, lang));
    lines.extend(limits(settings, lang));
    lines
}

/// Lists what is seen from outside.
fn doors(settings: &Settings, lang: Lang) -> Vec<Line> {
    let public = &settings.public;
    let ip = settings.bind.ip.map_or_else(
        || lang.pick("所有地址", "every address").to_owned(),
        |ip| ip.to_string(),
    );
    let ports = settings.bind.ports.iter().map(|port| {
        let header = if port.proxy_protocol {
            lang.pick("（PROXY 协议）", " (PROXY protocol)")
        } else {
            ""
        };
        format!("{}{header}", port.number)
    });
    let ports = list(&ports.collect::<Vec<_>>(), lang);
    let (url, source) = (public.ota_url(), public.source());
    let of_zh = match source {
        Source::Derived => "取自本机自己的地址".to_owned(),
        Source::Ota | Source::VisionExplain => format!("取自 {source}"),
    };
    let mut lines = vec![(
        lang.pick("OTA 地址", "OTA address"),
        lang.pick(
            format!("{url}（{of_zh}）"),
            format!("{url} (from {source})"),
        ),
    )];
    if settings.hands_out_reached() {
        let how = lang.pick(
            "每台设备访问本服务器所用的协议、主机名和端口；看不出时才用这些",
            "the scheme, host and port by which each device comes; these only where that does not show",
        );
        lines.push((lang.pick("下发的地址", "handed out"), how.to_owned()));
    }
    let listens = lang.pick(
        format!("{ip}，端口 {ports}"),
        format!("{ip}, ports {ports}"),
    );
    lines.extend([
        (
            lang.pick("下载", "downloads"),
            format!("{}{{file}}", public.ota().download_base()),
        ),
        (
            lang.pick("视觉地址", "vision address"),
            public.vision_url().to_owned(),
        ),
        (lang.pick("监听", "listens on"), listens),
    ]);
    lines
}

/// Says who answers what in upstream mode.
fn answers(upstream: &UpstreamSettings, lang: Lang) -> [Line; 3] {
    let url = &upstream.url;
    let [timeout, keep] = [upstream.timeout, upstream.keep].map(time_shown);
    let theirs = lang.pick(
        format!("{url}（激活、语音地址、服务器时间；{timeout} 内没有应答时，已绑定的设备得到 {keep} 内最后一次的内容）"),
        format!("{url} (activation, voice address, server time; without an answer within {timeout} devices that are bound are told their last one, if it is no older than {keep})"),
    );
    let ours = lang.pick(
        "本服务器（下发哪个固件、下载）",
        "this server (which firmware is offered, downloads)",
    );
    let held = match upstream.kind {
        Kind::ManagerApi => lang.pick(
            "manager-api：应答中没有 firmware 的设备关闭了自动升级，不下发固件",
            "manager-api: a device whose reply has no firmware has automatic updates off, and is offered nothing",
        ),
        Kind::Other => lang.pick(
            "other：应答中有没有 firmware 不表示什么",
            "other: whether a reply has firmware means nothing",
        ),
    };
    [
        (lang.pick("签到应答", "check-ins"), theirs),
        (lang.pick("固件", "firmware"), ours.to_owned()),
        (lang.pick("上游类型", "upstream kind"), held.to_owned()),
    ]
}

/// Names what is set and counts for nothing in upstream mode.
fn idle(settings: &Settings, lang: Lang) -> Option<Line> {
    let keys = IDLE.iter().filter(|key| settings.places.is_written(key));
    let keys: Vec<_> = keys.map(|key| (*key).to_owned()).collect();
    if keys.is_empty() {
        return None;
    }
    let keys = list(&keys, lang);
    let what = lang.pick(
        format!("{keys}（设备从上游服务器得到语音地址和令牌；xiaozhi-server 仍可读取这些设置）"),
        format!("{keys} (the upstream says where devices speak, and with which token; xiaozhi-server may read these all the same)"),
    );
    Some((lang.pick("不起作用的设置", "do not count here"), what))
}

/// Says where certificates come from.
fn tls(settings: &Settings, lang: Lang) -> Vec<Line> {
    let lines = match &settings.tls {
        Mode::Off => vec![lang.pick("关闭", "off").to_owned()],
        Mode::SelfSigned { dir, names, .. } => {
            let (dir, names) = (dir.display(), list(names, lang));
            vec![lang.pick(
                format!("自签名，保存在 {dir}，用于 {names}"),
                format!("self-signed, kept in {dir}, for {names}"),
            )]
        }
        Mode::Acme(acme) => {
            let (from, by, names) = (&acme.directory, &acme.challenge, list(&acme.names, lang));
            let paths = acme.paths();
            let kept = paths.cert.display();
            let contract = acme.eab.as_ref().map_or_else(String::new, |eab| {
                lang.pick(
                    format!("（账户绑定 {}）", eab.key_id),
                    format!(" under the contract {}", eab.key_id),
                )
            });
            vec![lang.pick(
                format!("以 {by} 向 {from} 申请{contract}，保存在 {kept}，用于 {names}"),
                format!("ordered from {from} by {by}{contract}, kept in {kept}, for {names}"),
            )]
        }
        Mode::Files(pairs) => {
            let pairs = pairs.iter().map(|pair| {
                let (cert, key) = (pair.cert.display(), pair.key.display());
                lang.pick(
                    format!("{cert}，密钥 {key}"),
                    format!("{cert} with key {key}"),
                )
            });
            pairs.collect()
        }
    };
    lines.into_iter().map(|line| ("TLS", line)).collect()
}

/// Says where what is known of devices lies, and by what the ends of offers are told.
fn devices(settings: &Settings, lang: Lang) -> [Line; 2] {
    let fleet = &settings.fleet;
    let term = fleet.silent_after;
    let tracked = if fleet.track {
        lang.pick(
            "每台设备的下载地址各不相同",
            "each device has download addresses of its own",
        )
    } else {
        lang.pick(
            "所有设备的下载地址相同（gateway.fleet.track: false）",
            "download addresses are the same for all (gateway.fleet.track: false)",
        )
    };
    [
        (
            lang.pick("状态目录", "state folder"),
            settings.state.display().to_string(),
        ),
        (
            lang.pick("升级结果", "ends of offers"),
            lang.pick(
                format!("取走固件后 {term:?} 没有签到算失联；{tracked}"),
                format!(
                    "silent if no check-in comes within {term:?} after the download; {tracked}"
                ),
            ),
        ),
    ]
}

/// Says where this server is watched and operated.
fn admin(settings: &Settings, lang: Lang) -> Line {
    let what = lang.pick("管理地址", "admin address");
    let Some(address) = settings.admin.listen else {
        return (what, lang.pick("关闭", "off").to_owned());
    };
    let tokens = settings.admin.tokens.iter();
    let tokens: Vec<_> = tokens
        .map(|token| format!("{} ({})", token.name, token.role))
        .collect();
    let tokens = if tokens.is_empty() {
        String::new()
    } else {
        let tokens = list(&tokens, lang);
        lang.pick(
            format!("，另有令牌 {tokens}"),
            format!(", tokens besides its own: {tokens}"),
        )
    };
    (what, format!("{address}{tokens}"))
}

fn voice(settings: &Settings, lang: Lang) -> String {
    match &settings.voice {
        Voice::Mqtt {
            endpoint,
            signature_key: Some(_),
        } => lang.pick(
            format!("MQTT {endpoint}，以密钥签名（不显示）"),
            format!("MQTT at {endpoint}, signed with a key (masked)"),
        ),
        Voice::Mqtt {
            endpoint,
            signature_key: None,
        } => lang.pick(
            format!("MQTT {endpoint}，没有密码"),
            format!("MQTT at {endpoint}, without a password"),
        ),
        Voice::WebSocket { auth } => websocket(settings, auth.as_ref(), lang),
    }
}

fn websocket(settings: &Settings, auth: Option<&TokenAuth>, lang: Lang) -> String {
    let Some(url) = settings.websocket_url() else {
        let none = lang.pick(
            "无：没有设备能读懂的地址",
            "none: no address that devices can read",
        );
        return none.to_owned();
    };
    let token = match auth {
        None => lang.pick("不带令牌", "without a token").to_owned(),
        Some(auth) => {
            let without = auth.allowed_devices.len();
            lang.pick(
                format!("带令牌（密钥不显示），{without} 台设备不带"),
                format!("with a token (key masked), {without} devices without"),
            )
        }
    };
    let url = redact::shown(&url);
    lang.pick(
        format!("WebSocket {url}，{token}"),
        format!("WebSocket at {url}, {token}"),
    )
}

/// Says what stands in front, and what is believed of it.
fn in_front(settings: &Settings, lang: Lang) -> Line {
    let trusted = &settings.trusted;
    let what = match (settings.behind_proxy, trusted.is_empty()) {
        (false, _) => lang.pick("无", "none").to_owned(),
        (true, true) => lang
            .pick(
                "由它应答公网地址；它所说的客户端信息一概不信",
                "it answers the public address; nothing it says of its clients is believed",
            )
            .to_owned(),
        (true, false) => lang.pick(
            format!("由它应答公网地址；{trusted} 所说的客户端信息可信"),
            format!(
                "it answers the public address; what {trusted} says of its clients is believed"
            ),
        ),
    };
    (lang.pick("前面的代理", "proxy in front"), what)
}

/// Lists what goes to servers behind this one.
fn passed_on(proxy: &ProxySettings, lang: Lang) -> Vec<Line> {
    let routes = proxy.routes.iter().map(|route| {
        let (path, to, setting) = (&route.path, route.to.origin(), &route.setting);
        let line = lang.pick(
            format!("{path} 转发到 {to}（{setting}）"),
            format!("{path} to {to} ({setting})"),
        );
        (lang.pick("转发", "passed on"), line)
    });
    let mut lines: Vec<_> = routes.collect();
    if !lines.is_empty() {
        let (body, timeout, idle) = (size::shown(proxy.body_limit), proxy.timeout, proxy.idle);
        let line = lang.pick(
            format!("请求体最大 {body}，{timeout:?} 内应答，WebSocket 最长可静止 {idle:?}"),
            format!("bodies up to {body}, replies within {timeout:?}, WebSockets that are still for up to {idle:?}"),
        );
        lines.push((lang.pick("后面的服务器", "behind this one"), line));
    }
    lines
}

/// Lists the time zone, and what is offered to whom.
fn firmware(settings: &Settings, lang: Lang) -> Vec<Line> {
    let catalogue = &settings.catalogue;
    let (dir, ttl, memory) = (
        catalogue.dir.display(),
        catalogue.ttl,
        size::shown(settings.memory),
    );
    let minutes = settings.timezone_offset;
    let verify = match catalogue.verify {
        Verify::Warn => lang.pick("下发，并给出警告", "offered, with a warning"),
        Verify::Strict => lang.pick("拒绝", "refused"),
    };
    let foreign_home = match (catalogue.foreign_home, &catalogue.home) {
        (_, None) => lang.pick(
            "下发（没有公网地址可比较）",
            "offered (there is no public address to hold them against)",
        ),
        (ForeignHome::Warn, Some(_)) => lang.pick("下发，并给出警告", "offered, with a warning"),
        (ForeignHome::Refuse, Some(_)) => lang.pick("拒绝", "refused"),
    };
    let default_for = match settings.policy.default_for {
        DefaultFor::Unmatched => lang.pick(
            "型号在这里没有文件的设备，以及不报告型号的设备",
            "devices whose model has no file here, and those that name none",
        ),
        DefaultFor::Unreported => lang.pick("不报告型号的设备", "devices that name no model"),
    };
    let mut lines = vec![
        (
            lang.pick("时区", "time zone"),
            lang.pick(
                format!("与 UTC 相差 {minutes:+} 分钟"),
                format!("{minutes:+} min from UTC"),
            ),
        ),
        (
            lang.pick("固件", "firmware"),
            lang.pick(
                format!("{dir}，每 {ttl:?} 及有改动时查看，内存中最多保留 {memory}"),
                format!(
                    "{dir}, looked at every {ttl:?} and on change, up to {memory} of it in memory"
                ),
            ),
        ),
        (lang.pick("非 ESP 镜像", "no ESP images"), verify.to_owned()),
        (
            lang.pick("别家地址的固件", "other homes"),
            foreign_home.to_owned(),
        ),
        (
            lang.pick("default_*.bin 给", "default_*.bin for"),
            default_for.to_owned(),
        ),
    ];
    let mut pins: Vec<_> = settings.policy.pins.iter().collect();
    pins.sort_unstable_by_key(|(model, _)| *model);
    lines.extend(pins.into_iter().map(|(model, version)| {
        let line = lang.pick(
            format!("{model} 固定在 {version}"),
            format!("{model} to {version}"),
        );
        (lang.pick("固定版本", "pin"), line)
    }));
    let aliases = settings.policy.aliases.models().into_iter();
    lines.extend(aliases.map(|names| (lang.pick("同一型号", "one model"), list(&names, lang))));
    lines
}

/// Lists bounds, and how the log is written.
fn limits(settings: &Settings, lang: Lang) -> [Line; 2] {
    let limits = &settings.limits;
    let (most, handshake, headers) = (limits.connections, limits.handshake, limits.headers);
    let (idle, drain) = (limits.idle, limits.drain);
    let bounds = lang.pick(
        format!(
            "{most} 个连接，握手 {handshake:?}，请求头 {headers:?}，静止 {idle:?}，停止时等待 {drain:?}"
        ),
        format!(
            "{most} connections, handshake {handshake:?}, headers {headers:?}, idle {idle:?}, drain {drain:?}"
        ),
    );
    let level = settings.log.level;
    let log = settings.log.file.as_ref().map(|file| file.display());
    let log = match log {
        None => lang.pick("控制台", "console").to_owned(),
        Some(file) => lang.pick(format!("控制台和 {file}"), format!("console and {file}")),
    };
    let Style {
        lang: of_log,
        format,
    } = settings.log.style;
    let form = match (of_log, format) {
        (Lang::En, Format::Text) => lang.pick("英文", "in English"),
        (Lang::Zh, Format::Text) => lang.pick("中文", "in Chinese"),
        (Lang::En, Format::Json) => lang.pick("英文，JSON 格式", "in English, as JSON"),
        (Lang::Zh, Format::Json) => lang.pick("中文，JSON 格式", "in Chinese, as JSON"),
    };
    let log = lang.pick(
        format!("{log}，{level} 及以上，{form}"),
        format!("{log}, {level} and above, {form}"),
    );
    [
        (lang.pick("限制", "limits"), bounds),
        (lang.pick("日志", "log"), log),
    ]
}

fn list<T: ToString>(items: &[T], lang: Lang) -> String {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    items.join(lang.pick("、", ", "))
}
