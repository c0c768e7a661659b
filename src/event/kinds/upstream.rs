//! Events of the xiaozhi server that stands behind this one in upstream mode.

use super::super::Kind;
use super::super::Severity::{Info, Warning};
use super::why;

kinds! { UPSTREAM:
    /// Who answers check-ins, in upstream mode.
    UPSTREAM_MODE = Kind::new("upstream.mode", Info, "upstream", &["upstream", "kind"],
        "设备的签到由上游服务器 {upstream}（{kind}）应答，固件由本服务器下发",
        "check-ins are answered by {upstream} ({kind}), and firmware by this server");
    /// Check-ins are answered here again.
    UPSTREAM_OFF = Kind::new("upstream.off", Info, "upstream", &[],
        "没有上游服务器了：设备的签到由本服务器应答",
        "there is no upstream any more: check-ins are answered by this server");
    /// The server behind answers no check-ins.
    UPSTREAM_DOWN = Kind::new("upstream.down", Warning, "upstream", &["upstream", "why"],
        "上游服务器 {upstream} 没有可用的应答：{why}；恢复之前，已绑定的设备会得到它上次应答的内容，其余设备得到 503 并自行重试（只提示一次）",
        "the upstream {upstream} gives no answer that can be used: {why}; until it does, devices that are bound are told again what it answered \
         them last, and all others get 503 and try again by themselves (said once)");
    /// It answers again.
    UPSTREAM_BACK = Kind::new("upstream.back", Info, "upstream", &["upstream"],
        "上游服务器 {upstream} 恢复应答", "the upstream {upstream} answers again");
    /// It answered one device what no device can be given.
    UPSTREAM_BAD_REPLY = Kind::new("upstream.bad-reply", Warning, "upstream", &["device", "upstream", "why"],
        "上游服务器 {upstream} 对这台设备的应答不能使用：{why}（每台设备每天提示一次）",
        "what the upstream {upstream} answers this device is of no use: {why} (said once a day for each device)");
    /// A block of its reply is left out.
    UPSTREAM_LEFT_OUT = Kind::new("upstream.left-out", Warning, "upstream", &["device?", "upstream?", "block", "what"],
        "上游应答中的 {block} 没有转给设备：{what}", "{block} of the upstream's reply does not reach the device: {what}");
    /// A device is told what was kept for it.
    UPSTREAM_KEPT = Kind::new("upstream.kept", Info, "upstream", &["device", "age", "why"],
        "上游没有可用的应答，设备得到的是 {age} 前的内容：{why}",
        "the upstream has no answer, and the device is told what it was told {age} ago: {why}");
    /// A device is turned away until the server behind answers.
    UPSTREAM_UNANSWERED = Kind::new("upstream.unanswered", Info, "upstream", &["device", "why"],
        "上游没有可用的应答，也没有为这台设备保留的内容：以 503 应答，设备会自行重试：{why}",
        "the upstream has no answer, and nothing is kept for this device: it gets 503, and tries again by itself: {why}");
    /// Number of devices that are offered nothing for it.
    UPSTREAM_HOLDS = Kind::new("upstream.holds", Info, "upstream", &["unbound", "off"],
        "因上游的应答而不下发固件的设备：未激活 {unbound} 台，关闭了自动升级 {off} 台（数目改变时提示，每小时最多一次）",
        "devices that are offered nothing because of what the upstream answers: not activated {unbound}, automatic updates off {off} \
         (said when it changes, once an hour at most)");
    /// What is kept cannot be read or written.
    UPSTREAM_KEEPS_NOTHING = Kind::new("upstream.keeps-nothing", Warning, "upstream", &["file", "error"],
        "{file}：{error}；上游没有应答时，没有内容可以转给已绑定的设备（恢复之前只提示一次）",
        "{file}: {error}; while the upstream does not answer, there is nothing to tell devices that are bound (said once until \
         that is mended)");
    /// What is kept can be read and written again.
    UPSTREAM_KEEPS = Kind::new("upstream.keeps", Info, "upstream", &["file"],
        "{file}：重新可以读写", "{file} can be read and written again");

    /// No reply came in time.
    UPSTREAM_LATE = why("upstream.late", &["limit"], "{limit} 内没有应答", "no reply within {limit}");
    /// It cannot be reached.
    UPSTREAM_UNREACHED = why("upstream.unreached", &["error"], "{error}", "{error}");
    /// A status that is none of a check-in's.
    UPSTREAM_STATUS = why("upstream.status", &["status"], "应答的状态为 {status}，而不是 200", "it answers with status {status} in place of 200");
    /// Nothing is there under its path.
    UPSTREAM_NOT_FOUND = why("upstream.not-found", &[],
        "应答的状态为 404：请检查 gateway.upstream.url 的路径，包括末尾的斜杠",
        "it answers with status 404: look at the path in gateway.upstream.url, the last slash included");
    /// A redirect, which no device follows.
    UPSTREAM_REDIRECT = why("upstream.redirect", &["status", "to"],
        "状态为 {status}，重定向到 {to}：请将 gateway.upstream.url 改为该地址",
        "status {status}, a redirect to {to}: write that address into gateway.upstream.url");
    /// The body broke off.
    UPSTREAM_CUT = why("upstream.cut", &["error"], "应答中断：{error}", "the reply broke off: {error}");
    /// The body is compressed, though nobody asked for that.
    UPSTREAM_CODED = why("upstream.coded", &["coding"], "应答以 {coding} 压缩，而没有人要求", "the reply is in {coding}, which nobody asked for");
    /// The body is longer than any reply.
    UPSTREAM_TOO_BIG = why("upstream.too-big", &["limit"], "应答超过 {limit} 字节", "the reply is longer than {limit} bytes");
    /// Too many check-ins wait for it.
    UPSTREAM_CROWDED = why("upstream.crowded", &["limit"], "已有 {limit} 个请求在等待上游", "{limit} requests wait for the upstream already");
    /// Its turn came too late.
    UPSTREAM_QUEUED = why("upstream.queued", &["limit"],
        "等待上游的请求太多，{limit} 内没有轮到它", "many requests wait for the upstream, and its turn did not come within {limit}");
    /// It failed a moment ago, and one request at a time tries whether it is back.
    UPSTREAM_TRIED = why("upstream.tried", &[], "上游刚才没有应答，正由另一个请求试探", "it did not answer a moment ago, and another request tries it just now");
    /// The reply is no JSON.
    UPSTREAM_NO_JSON = why("upstream.no-json", &[], "应答不是 JSON 对象", "the reply is no JSON object");
    /// The reply has nothing for a device.
    UPSTREAM_NO_BLOCK = why("upstream.no-block", &[],
        "应答中没有 websocket、mqtt 或 activation", "the reply has none of websocket, mqtt and activation");
    /// A value of another kind than firmware expects.
    UPSTREAM_UNFIT_FORM = why("upstream.unfit-form", &["key"],
        "{key} 的类型不是固件所要求的", "{key} is of another type than firmware expects");
    /// A null.
    UPSTREAM_UNFIT_NULL = why("upstream.unfit-null", &["key"],
        "{key} 为 null，会使设备重启", "{key} is null, on which devices restart");
    /// A key that is too long.
    UPSTREAM_UNFIT_KEY = why("upstream.unfit-key", &["key", "longest"],
        "键 {key} 超过 {longest} 字节，会使设备重启", "the key {key} has more than {longest} bytes, on which devices restart");
    /// A value that is too long.
    UPSTREAM_UNFIT_VALUE = why("upstream.unfit-value", &["key", "longest"],
        "{key} 的值超过 {longest} 字节，会使设备重启", "the value of {key} has more than {longest} bytes, on which devices restart");
    /// Too many levels.
    UPSTREAM_UNFIT_DEEP = why("upstream.unfit-deep", &["most"],
        "嵌套超过 {most} 层", "it goes down more than {most} levels");
    /// No JSON to a device.
    UPSTREAM_UNFIT_JSON = why("upstream.unfit-json", &[],
        "其中有设备读不懂的 JSON", "there is JSON in it that devices cannot read");
    /// No address.
    UPSTREAM_UNFIT_NO_ADDRESS = why("upstream.unfit-no-address", &["key"],
        "没有 {key}，设备会没有语音", "there is no {key}, and the device would have no voice");
    /// An address that devices misread.
    UPSTREAM_UNFIT_ADDRESS = why("upstream.unfit-address", &["key", "what"],
        "{key}：{what}", "{key}: {what}");
    /// No room.
    UPSTREAM_UNFIT_ROOM = why("upstream.unfit-room", &["longest"],
        "应答会超过设备能读取的 {longest} 字节", "the reply would be longer than the {longest} bytes that devices can read");
}
