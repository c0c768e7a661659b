//! Connections, and servers behind this one.

use super::super::Kind;
use super::super::Severity::{Info, Warning};
use super::why;

kinds! { CONNECTIONS:
    /// Too few files may be opened.
    FILES_LIMITED = Kind::new("limit.open-files", Warning, "listener", &["wanted", "connections", "files"],
        "打开文件数的限制不足以支持 gateway.limits.connections：请调高（LimitNOFILE= 或 ulimit -Hn）",
        "the limit of open files allows fewer connections than gateway.limits.connections: raise it (LimitNOFILE= or ulimit \
         -Hn)");
    /// All connections are taken.
    CONNECTIONS_FULL = Kind::new("limit.connections", Warning, "listener", &["address", "limit"],
        "连接数已达上限：新连接需等待，没有发完请求的连接会被断开以腾出位置（gateway.limits.connections）",
        "connection limit reached: new ones wait, and those that have sent no whole request make room (gateway.limits.connections)");
    /// One client has its share.
    SHARE_FULL = Kind::new("limit.share", Warning, "listener", &["address?", "peer", "proxy?", "limit?"],
        "连接紧张，而该客户端没有发完请求的连接已占满其份额：新连接已拒绝，能应答的都答以 503。设备会立即发完请求；如果那不是您的路由器或代理，请在防火墙上拦截该地址（每个客户端每小时提示一次）",
        "connections run short, and this client has its share of those that have sent no whole request: refused, with a 503 where \
         that can be said. Devices send theirs at once; if that is no router or proxy of yours, keep the address out with a \
         firewall (said once an hour for each client)");
    /// Connections of one client made room.
    CONNECTIONS_LET_GO = Kind::new("limit.let-go", Warning, "listener", &["peer?", "count", "held"],
        "为给他人腾出位置，已断开{ |peer| 的}没有发完请求的连接 {count} 个，能应答的都答以 503；这样的连接还有 {held} 个。设备会立即发完请求，被断开的会自己重试；\
         如果那不是您的路由器或代理，请在防火墙上拦截该地址，否则请检查那里的线路，或调高 gateway.limits.connections（每个客户端每分钟提示一次）",
        "connections{ of |peer|} without a whole request that were let go to make room, with a 503 where that can be said: \
         {count}; still held: {held}. Devices send theirs at once, and those that were let go try again: if that is no router or \
         proxy of yours, keep the address out with a firewall, else see to the line there, or raise gateway.limits.connections \
         (said once a minute for each client)");
    /// Connections of further clients made room.
    CONNECTIONS_LET_GO_MORE = Kind::new("limit.let-go-more", Warning, "listener", &["count"],
        "为给他人腾出位置，还断开了其他客户端的没有发完请求的连接 {count} 个：前面几条记录是断开最多的客户端（每分钟提示一次）",
        "connections of other clients without a whole request that were let go to make room: {count}; the lines before this one \
         name the clients with the most (said once a minute)");
    /// No file descriptor is left.
    ACCEPT_FAILS = Kind::new("accept.fails", Warning, "listener", &["address", "error"],
        "暂时无法接受连接：请调高打开文件数的限制（LimitNOFILE=）",
        "no connection can be accepted for now: raise the limit of open files (LimitNOFILE=)");
    /// TLS where there is none.
    TLS_OFF = Kind::new("tls.off", Warning, "connection", &["peer"],
        "客户端使用 TLS，而 gateway.tls.mode 为 off：请在设备中改填 http:// 地址，或将 gateway.tls.mode 设为 acme、files 或 self-signed（每个客户端每小时提示一次）",
        "a client speaks TLS, but gateway.tls.mode is off: type an http:// address into it, or set gateway.tls.mode to acme, \
         files or self-signed (said once an hour for each client)");
    /// A proxy that is not listed.
    PROXY_UNLISTED = Kind::new("proxy-header.unlisted", Warning, "connection", &["peer"],
        "已关闭：gateway.behind_proxy 未列出该地址，而此端口（gateway.ports 中的 proxy_protocol）只供代理使用；设备和浏览器需使用其他端口\
         （每个客户端每小时提示一次）",
        "closed: gateway.behind_proxy does not list its address, and this port (proxy_protocol in gateway.ports) is for \
         proxies that send a PROXY header; HAProxy does with send-proxy, Nginx with proxy_protocol on; devices and browsers \
         need another port (said once an hour for each client)");
    /// A PROXY port on which no whole PROXY header came.
    PROXY_HEADER_LATE = Kind::new("proxy-header.late", Warning, "connection", &["peer"],
        "已关闭：PROXY 头未能及时完整到达（limits.headers），而此端口（gateway.ports 中的 proxy_protocol）供发送 PROXY 头的代理使用：\
         HAProxy 用 send-proxy，Nginx 用 proxy_protocol on；设备和浏览器需使用其他端口（每个客户端每小时提示一次）",
        "closed: no whole PROXY header came in time (limits.headers), and this port (proxy_protocol in gateway.ports) is for \
         proxies that send a PROXY header; HAProxy does with send-proxy, Nginx with proxy_protocol on; devices and browsers \
         need another port (said once an hour for each client)");
    /// A PROXY port on which something else came.
    PROXY_HEADER_FAULTY = Kind::new("proxy-header.faulty", Warning, "connection", &["peer", "why"],
        "已关闭：{why}；此端口（gateway.ports 中的 proxy_protocol）供发送 PROXY 头的代理使用：HAProxy 用 send-proxy，Nginx 用 proxy_protocol on；\
         设备和浏览器需使用其他端口（每个客户端每小时提示一次）",
        "closed: {why}, and this port (proxy_protocol in gateway.ports) is for proxies that send a PROXY header; HAProxy does \
         with send-proxy, Nginx with proxy_protocol on; devices and browsers need another port (said once an hour for each \
         client)");
    /// A reason to close a port for proxies: no header.
    PROXY_HEADER_MISSING = why("proxy-header.missing", &[], "连接开头没有 PROXY 头", "it begins without a PROXY header");
    /// A header that ends too soon.
    PROXY_HEADER_CUT = why("proxy-header.cut", &[], "连接在 PROXY 头中途结束", "it ended within its PROXY header");
    /// A line that is none.
    PROXY_HEADER_LINE = why("proxy-header.line", &[],
        "PROXY 头（版本 1）不符合协议", "its PROXY header (version 1) is not as the protocol has it");
    /// A line that is too long.
    PROXY_HEADER_LONG_LINE = why("proxy-header.long-line", &["longest"],
        "PROXY 头（版本 1）超过 {longest} 字节", "its PROXY header (version 1) is longer than {longest} bytes");
    /// A version that nobody knows.
    PROXY_HEADER_VERSION = why("proxy-header.version", &[],
        "PROXY 头的版本既不是 1 也不是 2", "its PROXY header is of another version than 1 or 2");
    /// A command that nobody knows.
    PROXY_HEADER_COMMAND = why("proxy-header.command", &[],
        "PROXY 头（版本 2）中有协议未定义的命令", "its PROXY header (version 2) has a command that the protocol does not know");
    /// A family that nobody knows.
    PROXY_HEADER_FAMILY = why("proxy-header.family", &[],
        "PROXY 头（版本 2）中有协议未定义的地址族",
        "its PROXY header (version 2) has an address family that the protocol does not know");
    /// A header that is too short for what it says.
    PROXY_HEADER_SHORT = why("proxy-header.short", &[],
        "PROXY 头（版本 2）太短，放不下其地址", "its PROXY header (version 2) is too short for its addresses");
    /// A header that is too long.
    PROXY_HEADER_LONG = why("proxy-header.long", &["longest"],
        "PROXY 头（版本 2）超过 {longest} 字节", "its PROXY header (version 2) is longer than {longest} bytes");
    /// A server behind answers again.
    BACKEND_BACK = Kind::new("backend.back", Info, "proxy", &["backend", "setting"],
        "后端恢复应答", "the backend answers again");
    /// A server behind does not answer.
    BACKEND_DOWN = Kind::new("backend.down", Warning, "proxy", &["backend", "setting", "why"],
        "后端没有应答：{why}；恢复之前其客户端会收到错误（只提示一次）",
        "the backend does not answer: {why}; its clients get an error until it does (said once)");
    /// A server behind answers, and begins no WebSocket.
    BACKEND_NO_UPGRADE = Kind::new("backend.no-upgrade", Warning, "proxy",
        &["device?", "peer", "path", "status", "backend", "setting", "why"],
        "请求了语音地址 {path}，而后端 {backend}（{setting}）的回答是 {status}，没有建立 WebSocket，设备没有语音：{why}（每个客户端每小时提示一次）",
        "asked for the voice at {path}, and the backend {backend} ({setting}) answers {status} in place of a WebSocket; the device \
         has no voice: {why} (said once an hour for each client)");
    /// A server behind answers, and does not do what was asked.
    BACKEND_REFUSES = Kind::new("backend.refuses", Warning, "proxy",
        &["device?", "peer", "path", "status", "backend", "setting", "why"],
        "请求了 {path}，而后端 {backend}（{setting}）的回答是 {status}：{why}（每个客户端每小时提示一次）",
        "asked for {path}, and the backend {backend} ({setting}) answers {status}: {why} (said once an hour for each client)");
    /// A WebSocket began.
    WEBSOCKET_OPENED = Kind::new("websocket.opened", Info, "proxy", &["device", "peer", "backend", "open"],
        "WebSocket 已建立", "WebSocket opened");
    /// A WebSocket was closed by a side of it.
    WEBSOCKET_CLOSED = ended("websocket.closed", TUNNEL, "WebSocket 已结束：正常关闭", "WebSocket ended: closed");
    /// A WebSocket broke off.
    WEBSOCKET_BROKE = ended("websocket.broke", BROKEN_TUNNEL, "WebSocket 已结束：连接中断：{error}", "WebSocket ended: broke off: {error}");
    /// Nothing moved on a WebSocket.
    WEBSOCKET_STILL = ended("websocket.still", STILL_TUNNEL, "WebSocket 已结束：{idle} 内没有数据", "WebSocket ended: still for {idle}");
    /// This server stops.
    WEBSOCKET_STOPPED = ended("websocket.stopped", TUNNEL, "WebSocket 已结束：本服务器正在停止", "WebSocket ended: this server stops");
}

/// Fields of a WebSocket that ended.
const TUNNEL: &[&str] = &["device?", "peer?", "backend?", "seconds?", "up?", "down?"];
const BROKEN_TUNNEL: &[&str] = &[
    "error", "device?", "peer?", "backend?", "seconds?", "up?", "down?",
];
const STILL_TUNNEL: &[&str] = &[
    "idle", "device?", "peer?", "backend?", "seconds?", "up?", "down?",
];

const fn ended(
    id: &'static str,
    fields: &'static [&'static str],
    zh: &'static str,
    en: &'static str,
) -> Kind {
    Kind::new(id, Info, "proxy", fields, zh, en)
}
