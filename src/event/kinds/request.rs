//! Requests that nobody here answers as they were meant: paths, methods, and what is no
//! request at all.

use super::super::Kind;
use super::super::Severity::{Info, Warning};
use super::why;

kinds! { REQUESTS:
    /// Nothing is at this path.
    PATH_UNKNOWN = Kind::new("path.unknown", Warning, "request", &["device?", "peer", "method", "path", "url?", "missing?"],
        "请求了 {path}，而这里没有这个路径：已回答 404{。设备中的 OTA 地址应填 |url|}{。它发来了设备的正文，却没有请求头 |missing|：请检查前面的代理是否去掉了它}（每个客户端每小时提示一次）",
        "asked for {path}, and nothing is there: answered 404{. The OTA address to type into a device is |url|}{. Its body is a \
         device's, and it has no header |missing|: see whether a proxy in front takes that away} (said once an hour for each client)");
    /// Nothing is at this path, for whom a device and a monitor may be.
    PATH_AGENT = Kind::new("path.agent", Info, "request", &["peer", "method", "path", "agent", "url?"],
        "请求了 {path}，而这里没有这个路径：已回答 404；从 User-Agent（{agent}）看，对方是监控程序或设备\
         {：设备中的 OTA 地址应填 |url|，监控程序请求它会得到 200}（每个客户端每小时提示一次）",
        "asked for {path}, and nothing is there: answered 404; its User-Agent, {agent}, is a monitor's or a device's{: the OTA \
         address to type into a device is |url|, and a monitor that asks for that gets a 200} (said once an hour for each client)");
    /// An image at a path where none is given out.
    PATH_IMAGE = Kind::new("path.image", Warning, "request", &["device?", "peer", "method", "path", "near?", "right?"],
        "请求了 {path}，而固件不在这个路径：已回答 404{。这里没有该名称的文件，最接近的是 |near|}{。该文件的下载地址是 |right|}。请检查前面的代理是否改写了路径，以及 \
         server.vision_explain（或 server.ota）的路径（每个客户端每小时提示一次）",
        "asked for {path}, and no image is given out there: answered 404{. No file has that name, and \
         the nearest one's is |near|}{. That file's address is |right|}. See whether a proxy in front \
         changes paths, and what path server.vision_explain (or server.ota) has (said once an hour for each client)");
    /// An address has named too many.
    NAMES_MORE = Kind::new("names.more", Warning, "request", &["peer", "limit"],
        "{peer} 在一小时内已有 {limit} 条记录提到从未在此签到的设备，或这里没有的文件；本小时内不再逐条记录它提到的其他名称。如果那是您的设备（同一路由器之后），请按前面的记录处理；\
         否则是有人在编造名称，可在防火墙上拦截该地址",
        "{limit} lines within an hour have told of devices that never checked in here, or of files that are not here, and all were \
         named by {peer}: further names from there are not told one by one in this hour. Where they are your devices, behind one \
         router, do as the lines before say; else somebody makes names up, and a firewall can keep that address out");
    /// A check-in at an address of which a part is missing, or stands there besides.
    PATH_PART = Kind::new("path.part", Warning, "request", &["device", "peer", "path", "url?"],
        "该设备在 {path} 签到，已照常回答；但这不是 OTA 地址{，请在设备中改填 |url|}，否则换一个服务器就会失败（每个客户端每小时提示一次）",
        "a device checks in at {path}, and is answered; that is not the OTA address, and another server would not{: \
         type |url| into the device} (said once an hour for each client)");
    /// A check-in where voice is.
    PATH_VOICE = Kind::new("path.voice", Warning, "request", &["device?", "peer", "path", "url?"],
        "设备在语音地址 {path} 签到，不会得到固件{：设备中的 OTA 地址应填 |url|}（每个客户端每小时提示一次）",
        "a device checks in at {path}, the address of the voice, and gets no firmware{: the OTA address to type into it \
         is |url|} (said once an hour for each client)");
    /// A path of xiaozhi-server's that nobody passes on.
    PATH_UNSERVED = Kind::new("path.unserved", Warning, "request", &["device?", "peer", "method", "path", "setting"],
        "请求了 {path}，它属于 xiaozhi-server，而这里没有转发：已回答 404。请设置 {setting}（改成其实际地址），或让设备直接访问 xiaozhi-server\
         （每个客户端每小时提示一次）",
        "asked for {path}, which is xiaozhi-server's, and nobody here passes it on: answered 404. Set {setting} (with its own \
         address), or send devices to xiaozhi-server itself (said once an hour for each client)");
    /// Beside a path of xiaozhi-server's that is passed on.
    PATH_BESIDE = Kind::new("path.beside", Warning, "request", &["device?", "peer", "method", "path", "right", "setting", "besides?"],
        "请求了 {path}：已回答 404。xiaozhi-server 的路径是 {right}，请在 {setting} 中使用它{；这里还没有转发它：请同时设置 |besides|（改成其实际地址），\
         或让设备直接访问 xiaozhi-server}（每个客户端每小时提示一次）",
        "asked for {path}: answered 404. The path of xiaozhi-server is {right}: use it in {setting}{, and set |besides| (with its \
         own address), for nobody here passes it on yet, or send devices to xiaozhi-server itself} (said once an hour for each client)");
    /// A method that a path of ours does not know.
    METHOD_NOT_ALLOWED = Kind::new("method.not-allowed", Info, "request", &["device?", "peer", "method", "path", "allowed"],
        "对 {path} 使用了 {method}：已回答 405；这里只接受 {allowed}（每个客户端每小时提示一次）",
        "asked for {path} by {method}: answered 405; it takes {allowed} (said once an hour for each client)");
    /// A WebSocket that a proxy in front made a plain request of.
    WEBSOCKET_NO_UPGRADE = Kind::new("websocket.no-upgrade", Warning, "request", &["device?", "peer", "path", "why", "setting?"],
        "请求了语音地址 {path}，但无法建立 WebSocket：{why}，设备没有语音。前面有 Nginx 时，在该 location 中加入：proxy_http_version 1.1; proxy_set_header \
         Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";{ 此外，这里没有转发语音，请设置 |setting|}（每个客户端每小时提示一次）",
        "asked for the voice at {path}, and it cannot become a WebSocket: {why}; the device has no voice. Where Nginx stands in \
         front, put into that location: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header \
         Connection \"upgrade\";{ Besides, nobody here passes voice on: set |setting|} (said once an hour for each client)");
    /// A WebSocket where check-ins are.
    WEBSOCKET_AT_OTA = Kind::new("websocket.at-ota", Warning, "request", &["device?", "peer", "path", "right"],
        "在 OTA 地址 {path} 请求 WebSocket，设备没有语音：语音地址以 {right} 结尾，请检查 server.websocket（每个客户端每小时提示一次）",
        "asked for a WebSocket at {path}, the OTA address; the device has no voice: the voice's address ends in {right}, so see to \
         server.websocket (said once an hour for each client)");
    /// The voice's path in a browser, or asked for by a monitor.
    WEBSOCKET_PLAIN = Kind::new("websocket.plain-get", Info, "request", &["peer", "path", "why"],
        "请求了语音地址 {path}，但不是 WebSocket（{why}），已作为普通请求转发；浏览器或监控程序如此是正常的，设备如此则没有语音：请检查前面的代理\
         （每个客户端每小时提示一次）",
        "asked for the voice at {path}, not by WebSocket ({why}), and was passed on as it is: right for a browser or a monitor; \
         if it was a device, see to the proxy in front (said once an hour for each client)");
    /// A reason why it is no WebSocket: the header is missing.
    NO_UPGRADE_HEADER = why("websocket.no-upgrade-header", &[],
        "缺少 Upgrade: websocket 请求头", "there is no header Upgrade: websocket");
    /// A reason why it is no WebSocket: the other header says otherwise.
    NO_CONNECTION_UPGRADE = why("websocket.no-connection-upgrade", &["connection?"],
        "Connection 请求头不是 Upgrade{（而是 |connection|）}", "its header Connection is not Upgrade{ but |connection|}");
    /// A reason why it is no WebSocket: HTTP/1.0 knows none.
    UPGRADE_OVER_HTTP_1_0 = why("websocket.http-1.0", &[],
        "它使用 HTTP/1.0（Nginx 的默认值），其中没有 WebSocket", "it came by HTTP/1.0, Nginx's default, which knows no WebSocket");
    /// Large bodies use up their memory.
    BODIES_FULL = Kind::new("limit.bodies", Warning, "request", &["device?", "peer", "path", "bytes", "limit", "others?"],
        "接收中的大请求正文（超过 4 KiB）已占满 {limit} 字节：最早开始的来自 {peer}（已收到 {bytes} 字节），已回答 503 并关闭{；上次提示以来另有 |others| 个同样处理}。\
         设备的正文只有 1 到 3 KB，不受影响；若不是您的程序，可在防火墙上拦截该地址（每分钟最多提示一次）",
        "large bodies (above 4 KiB) that are still coming use up the {limit} bytes that there are for them: the one that began first, \
         from {peer}, with {bytes} bytes so far, is answered 503 and closed{; others since this was said last: |others|}. A device's \
         body has 1 to 3 KB and is not held up; where it is no program of yours, a firewall can keep that address out (said once a minute \
         at most)");
    /// A PROXY header that nobody here waits for.
    PROXY_HEADER_UNEXPECTED = Kind::new("proxy-header.unexpected", Warning, "connection", &["peer", "version", "port", "setting"],
        "已拒绝：连接以 PROXY 头（版本 {version}）开头，而端口 {port} 没有为此设置：请设置 {setting}（保留其他端口），或在代理上关闭它（HAProxy 的 send-proxy、Nginx 的 \
         proxy_protocol on、负载均衡的 Proxy Protocol）（每个客户端每小时提示一次）",
        "refused: it begins with a PROXY header (version {version}), and port {port} is not set up for one: set {setting} \
         (and keep the other ports), or turn it off in the proxy (HAProxy's send-proxy, Nginx's proxy_protocol on, a load \
         balancer's Proxy Protocol) (said once an hour for each client)");
    /// A second PROXY header.
    PROXY_HEADER_TWICE = Kind::new("proxy-header.twice", Warning, "connection", &["peer", "version", "port"],
        "已拒绝：第一个 PROXY 头之后又有一个（版本 {version}），端口 {port} 只接受一个：前面的两个代理都在发送，请在其中一个上关闭（每个客户端每小时提示一次）",
        "refused: a second PROXY header (version {version}) follows the first, and port {port} takes one: two proxies in a row \
         send it; turn it off in one of them (said once an hour for each client)");
    /// What came is no request that could be read.
    REQUEST_UNREADABLE = Kind::new("request.unreadable", Info, "connection", &["device?", "peer", "why", "url?", "begins?"],
        "已拒绝：{why}{；设备中的 OTA 地址应填 |url|}（每个客户端每小时提示一次）",
        "refused: {why}{; the OTA address to type into a device is |url|} (said once an hour for each client)");
    /// A head that did not come whole.
    REQUEST_LATE = Kind::new("request.late", Info, "connection", &["device?", "peer", "bytes", "limit", "begins?"],
        "已关闭：请求头在 {limit}（limits.headers）内没有到齐，只收到 {bytes} 字节：线路太慢或中断，或者对方不是 HTTP 客户端（每个客户端每小时提示一次）",
        "closed: the head of its request did not come whole within {limit} (limits.headers); bytes that came: {bytes}; the line is \
         slow or broke, or it is no HTTP client (said once an hour for each client)");
    /// A connection on which nothing came.
    REQUEST_SILENT = Kind::new("request.silent", Info, "connection", &["peer", "limit"],
        "已关闭：连接后 {limit}（limits.headers）内什么也没有发送；浏览器预先建立的连接如此是正常的，设备如此多半是线路丢弃了较大的数据包（MTU）\
         （每个客户端每小时提示一次）",
        "closed: it connected and sent nothing within {limit} (limits.headers): usual for a browser's spare connection; if it is \
         a device, the line mostly drops large packets (MTU) (said once an hour for each client)");
    /// TLS inside of what should be HTTP.
    REQUEST_TLS = why("request.tls", &[],
        "这里应为 HTTP，收到的却是 TLS：前面的程序把 TLS 又包了一层，或使用了 SSL 2",
        "TLS where HTTP should be: something in front wraps TLS into TLS, or it speaks SSL 2");
    /// HTTP/2.
    REQUEST_HTTP2 = why("request.http2", &[],
        "对方直接使用 HTTP/2，这里使用 HTTP/1.1：请在客户端或前面的代理上改用 HTTP/1.1",
        "it speaks HTTP/2 without asking, and here HTTP/1.1 is spoken: set the client, or the proxy in front, to HTTP/1.1");
    /// MQTT.
    REQUEST_MQTT = why("request.mqtt", &[],
        "对方使用 MQTT，而这里是 HTTP：server.mqtt_gateway 应为 MQTT 网关的地址和端口，而不是本服务器的",
        "it speaks MQTT, and this is HTTP: server.mqtt_gateway should be the address and port of the MQTT gateway, and not those \
         of this server");
    /// Another protocol.
    REQUEST_FOREIGN = why("request.foreign", &["protocol"],
        "对方使用 {protocol}，而这里是 HTTP 和 HTTPS：端口扫描无需处理；如果是您的程序，请改正它使用的端口",
        "it speaks {protocol}, and this is HTTP and HTTPS: nothing to do for a port scan; a program of yours needs another port");
    /// No protocol that anybody knows.
    REQUEST_NO_HTTP = why("request.no-http", &["error?"],
        "收到的不是 HTTP 请求{（|error|）}：端口扫描无需处理；如果是设备或您的程序，请检查它使用的地址和端口",
        "what came is no HTTP request{ (|error|)}: nothing to do for a port scan; of a device or a program of yours, look at the \
         address and port that it uses");
    /// A body that no header announces.
    REQUEST_UNANNOUNCED = why("request.unannounced-body", &[],
        "请求后面还有内容，而请求头没有说明它的长度（缺少 Content-Length，或它太小），因此没有当作正文：请检查客户端或前面的代理",
        "more came behind its request than a header announces (Content-Length is missing, or too small), and was not taken for its \
         body: see to the client, or a proxy in front");
    /// A version of HTTP that is not spoken.
    REQUEST_VERSION = why("request.version", &["version"],
        "它使用 {version}，这里使用 HTTP/1.0 和 HTTP/1.1（须大写）",
        "it speaks {version}, and here HTTP/1.0 and HTTP/1.1 are spoken (in capital letters)");
    /// No version at all.
    REQUEST_NO_VERSION = why("request.no-version", &[],
        "请求行没有 HTTP 版本（HTTP/0.9）：请让客户端使用 HTTP/1.1",
        "its first line has no version of HTTP (HTTP/0.9): let the client speak HTTP/1.1");
    /// A blank in front of the method.
    REQUEST_INDENTED = why("request.indented", &[],
        "请求方法前面有空格：客户端或前面的代理有错",
        "a blank stands in front of its method: a fault of the client, or of a proxy in front");
    /// A blank within the address.
    REQUEST_BLANK = why("request.blank", &[],
        "地址中间有空格：请检查设备中填写的 OTA 地址",
        "a blank stands within its address: look at the OTA address that was typed into the device");
    /// Blanks in front of the address.
    REQUEST_SPACED = why("request.spaced", &[],
        "请求方法与路径之间有多个空格：请检查设备中填写的 OTA 地址",
        "more than one blank stands in front of its path: look at the OTA address that was typed into the device");
    /// A first line with a sign that has no place there.
    REQUEST_LINE = why("request.line", &["error"],
        "请求的第一行无法读取（{error}）：请检查设备中填写的 OTA 地址：形如 http://主机:端口/路径，路径以 / 开头，\
         其中不能有 < > ` 等符号，中文须为 UTF-8 或 %XX",
        "its first line cannot be read ({error}): look at the OTA address that was typed into the device: it is \
         http://HOST:PORT/PATH, the path begins with / and holds no signs such as < > `, and what is not ASCII must be UTF-8 or %XX");
    /// A header that cannot be read.
    REQUEST_HEADER = why("request.header", &["error"],
        "有一个请求头不符合 HTTP（{error}）：客户端或前面的代理有错", "a header is not as HTTP has it ({error}): a fault of the client, or of a proxy in front");
    /// A head that is too long.
    REQUEST_TOO_LONG = why("request.too-long", &["limit"],
        "请求头（含地址）超过 {limit} 字节：浏览器请清除该站点的 Cookie，前面的代理请减少它添加的请求头",
        "its head, address and headers, is longer than {limit} bytes: in a browser delete this site's cookies; let a proxy in \
         front add less");
    /// Too many headers.
    REQUEST_TOO_MANY = why("request.too-many", &["limit"],
        "请求头超过 {limit} 个：请让前面的代理少添加一些", "it has more than {limit} headers: let a proxy in front add less");
    /// A head that ended early.
    REQUEST_CUT = why("request.cut", &["bytes"],
        "连接在请求头中途结束（收到 {bytes} 字节）：线路中断，或者对方只是在扫描端口",
        "the connection ended within the head of its request (bytes that came: {bytes}): the line broke, or it only scans ports");
    /// A request that a backend might read otherwise.
    REQUEST_REFUSED = Kind::new("request.refused", Info, "request", &["device?", "peer", "path", "status", "error"],
        "对 {path} 的请求被拒绝（{status}）：{error}；前面或后面的服务器可能会有不同的理解，请检查客户端或前面的代理（每个客户端每小时提示一次）",
        "a request for {path} is refused ({status}): {error}; a server in front or behind might read it otherwise, so see to the \
         client, or a proxy in front (said once an hour for each client)");
    /// A web page of somebody else's asks for a token.
    PAGE_FOREIGN = Kind::new("page.foreign", Warning, "request", &["device?", "peer", "path", "origin", "setting?"],
        "浏览器中来自 {origin} 的网页在 {path} 索取令牌：已回答 403，因为启用 server.auth.enabled 后，其他来源的网页得不到令牌{。如果这是您的网页，请写 |setting|}（每个客户端每小时提示一次）",
        "a web page of {origin} asked for a token at {path}: answered 403, for with server.auth.enabled pages of other origins get \
         none{. If the page is yours, write |setting|} (said once an hour for each client)");
    /// An upload that is too large.
    UPLOAD_TOO_BIG = Kind::new("upload.too-big", Info, "proxy", &["device?", "peer", "path", "limit"],
        "对 {path} 的上传被拒绝（413）：正文超过 {limit} 字节（gateway.proxy.body_limit）（每个客户端每小时提示一次）",
        "an upload to {path} is refused (413): its body is larger than {limit} bytes (gateway.proxy.body_limit) (said once an \
         hour for each client)");
    /// An upload that stood still.
    UPLOAD_TOO_SLOW = Kind::new("upload.too-slow", Info, "proxy", &["device?", "peer", "path", "limit"],
        "对 {path} 的上传被放弃（408）：{limit}（gateway.proxy.timeout）内没有数据到达（每个客户端每小时提示一次）",
        "an upload to {path} is given up (408): nothing of its body came within {limit} (gateway.proxy.timeout) (said once an \
         hour for each client)");
    /// An upload that ended early.
    UPLOAD_CUT = Kind::new("upload.cut", Info, "proxy", &["device?", "peer", "path", "error"],
        "对 {path} 的上传中断（400）：{error}（每个客户端每小时提示一次）",
        "an upload to {path} broke off (400): {error} (said once an hour for each client)");
    /// A reason why a backend gives no answer: it wants TLS.
    BACKEND_TLS = why("backend.tls", &[],
        "它在这个端口上使用 TLS（https），而本服务器以 http 访问后端：请让它另开一个 http 端口（监听 127.0.0.1 或内网），并把该端口写进 setting 所示的设置",
        "it speaks TLS (https) on this port, and this server reaches backends over http: give it a port for http as well, on \
         127.0.0.1 or inside your network, and write that port into the setting that is named behind");
    /// A reason why a backend gives no answer: it hung up.
    BACKEND_CLOSED = why("backend.closed", &["error"],
        "它没有回答就关闭了连接（{error}）：请查看它的日志，并检查 setting 所示设置中的端口是否使用 http 而不是 https",
        "it closed the connection without a reply ({error}): look into its log, and whether the port in the setting that \
         is named behind speaks http and not https");
    /// A reason why a backend gives no answer: it is none of HTTP's.
    BACKEND_NO_HTTP = why("backend.no-http", &["error"],
        "它的回答不是 HTTP（{error}）：请检查 setting 所示设置中的端口",
        "what it answers is no HTTP ({error}): look at the port in the setting that is named behind");
}
