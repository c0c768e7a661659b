//! Rules on replies over HTTP: to a check, and to a download.

use crate::probe::rule::Rule;

/// Redirect: 3xx.
pub(crate) static REDIRECT: Rule = Rule::new(
    "redirect",
    (
        "服务器用重定向回答。设备的 HTTP 客户端不跟随任何重定向，检查和升级都会失败。",
        "The server answers with a redirect, and the device's HTTP client follows none: the check, or the update, fails.",
    ),
    (
        "不要在设备路径上重定向（包括 http 到 https）。让两个协议都直接回答 200，并让下发的地址带正确的协议：\
         在 server.vision_explain（或 server.ota）里写 https://…，由 xiaozhi-ota 直接监听，不再经过 Nginx。",
        "never redirect on a device's path, http to https included. Answer both schemes with 200, and hand out addresses \
         of the right scheme: https://… in server.vision_explain (or server.ota), with xiaozhi-ota listening itself and \
         no Nginx before it.",
    ),
);

/// Neither 200 nor 3xx.
pub(crate) static STATUS: Rule = Rule::new(
    "status",
    (
        "设备只接受状态码 200（检查从 1.6.6 起，下载从 1.7.0 起；更早的固件不看状态码，收到什么就用什么）。",
        "A device takes no other status than 200: for a check since 1.6.6, for a download since 1.7.0. Before that it takes \
         whatever comes.",
    ),
    (
        "查看服务器日志里同一时刻的这个请求；404 多半是路径不对，502/504 是后端没有运行，403 是防火墙或访问限制。",
        "look for this request in the server's log: 404 is mostly a wrong path, 502 and 504 a backend that is down, 403 a \
         firewall or an access rule.",
    ),
);

/// 206 to a request without `Range`.
pub(crate) static PARTIAL_CONTENT: Rule = Rule::new(
    "partial-content",
    (
        "服务器用 206 回答了没有 Range 的下载。1.7.0 起的固件只接受 200。",
        "The server answers 206 to a download without Range, and firmware since 1.7.0 takes no other status than 200.",
    ),
    (
        "检查前面的 CDN 或缓存：对没有 Range 的请求要回答 200 和完整文件。",
        "look at the CDN or cache in front: a request without Range gets 200 and the whole file.",
    ),
);

/// Nothing within the device's patience.
pub(crate) static NO_REPLY: Rule = Rule::new(
    "no-reply",
    (
        "连接建立了，但没有等到回答。设备最多等 30 秒，然后在 10、20、40… 秒后重试，一共十次。",
        "The connection stands, and no answer comes. A device waits for 30 s and tries again after 10, 20, 40, … s, ten \
         times in all.",
    ),
    (
        "检查服务器进程是否卡住、后端是否可达、防火墙是否丢弃数据。",
        "see whether the server hangs, its backend is down, or a firewall drops what it sends.",
    ),
);

/// Something else than HTTP.
pub(crate) static NOT_HTTP: Rule = Rule::new(
    "not-http",
    (
        "这个端口回答的不是 HTTP。",
        "What answers on this port is no HTTP.",
    ),
    (
        "检查端口：8003 是 HTTP，8000 是 WebSocket，1883 是 MQTT。",
        "look at the port: 8003 is HTTP, 8000 the WebSocket, 1883 MQTT.",
    ),
);

/// A head without an end, a chunk without a length.
pub(crate) static BROKEN_HTTP: Rule = Rule::new(
    "broken-http",
    (
        "回答的 HTTP 格式有误，设备无法解析。",
        "The reply is HTTP that cannot be read.",
    ),
    (
        "检查设备和服务器之间的代理。",
        "look at what stands between device and server.",
    ),
);

/// `Transfer-Encoding: chunked`.
pub(crate) static CHUNKED: Rule = Rule::new(
    "chunked",
    (
        "回答是分块传输（chunked），设备读到的长度是 0：下载一定失败，1.7.7 以前的 Wi-Fi 固件连检查也失败。",
        "The reply comes in chunks, which a device reads as a length of 0: a download fails always, a check with Wi-Fi \
         firmware before 1.7.7.",
    ),
    (
        "让服务器发送 Content-Length；在 Nginx 里关闭 gzip 和动态改写（sub_filter），或改用 xiaozhi-ota 直接监听。",
        "send a Content-Length. In Nginx turn off gzip and what rewrites replies (sub_filter), or let xiaozhi-ota listen \
         itself.",
    ),
);

/// `Content-Encoding`.
pub(crate) static COMPRESSED: Rule = Rule::new(
    "compressed",
    (
        "回答被压缩了，设备不会解压。",
        "The reply is compressed, and a device does not unpack it.",
    ),
    (
        "在设备路径上关闭压缩（Nginx：gzip off;）。",
        "turn compression off on device paths (Nginx: gzip off;).",
    ),
);

/// Neither a length nor chunks.
pub(crate) static NO_CONTENT_LENGTH: Rule = Rule::new(
    "no-content-length",
    (
        "回答没有 Content-Length：下载一定失败，1.7.7 以前的 Wi-Fi 固件连检查也失败。",
        "The reply has no Content-Length: a download fails always, a check with Wi-Fi firmware before 1.7.7.",
    ),
    ("让服务器发送 Content-Length。", "send a Content-Length."),
);

/// `Content-Length: 0`.
pub(crate) static ZERO_CONTENT_LENGTH: Rule = Rule::new(
    "zero-content-length",
    (
        "回答是空的（Content-Length: 0）。",
        "The reply is empty (Content-Length: 0).",
    ),
    (
        "检查服务器上的文件是否为空，以及代理是否丢掉了正文。",
        "see whether the file on the server is empty, or a proxy drops the body.",
    ),
);

/// A length that is no number.
pub(crate) static BAD_CONTENT_LENGTH: Rule = Rule::new(
    "bad-content-length",
    (
        "Content-Length 不是设备能用的数字：下载一定失败；检查时，ML307 会崩溃重启，1.7.7 以前的 Wi-Fi 固件失败，其余的当作 0。",
        "Content-Length is no number that a device can use: a download fails always. In a check an ML307 aborts, Wi-Fi \
         firmware before 1.7.7 fails, and the rest takes it for 0.",
    ),
    (
        "修正服务器或代理。",
        "mend the server, or the proxy before it.",
    ),
);

/// `content-length`.
pub(crate) static LOWER_CASE_NAMES: Rule = Rule::new(
    "lower-case-names",
    (
        "响应头的名字不是 Content-Length 这种大小写。ML307 模组，以及 1.7.7 起、1.8.5 以前的所有固件，都按大小写查找，找不到长度，下载失败。",
        "Header names are not written as Content-Length is. The ML307, and any firmware from 1.7.7 to before 1.8.5, look \
         for that very spelling: they find no length, and the download fails.",
    ),
    (
        "让服务器用首字母大写的响应头；很多 Rust、Go（HTTP/2）程序默认发小写，xiaozhi-ota 发首字母大写。",
        "send names in Title-Case; many servers and proxies write lower case by default, xiaozhi-ota does not.",
    ),
);

/// Fewer bytes than were announced.
pub(crate) static CUT_SHORT: Rule = Rule::new(
    "cut-short",
    (
        "连接在正文传完之前断开，设备会报告升级（或检查）失败；检查时，1.7.7 以前的 Wi-Fi 固件会崩溃重启。",
        "The connection ends before the body does, and the device gives up; in a check, Wi-Fi firmware before 1.7.7 aborts \
         and restarts.",
    ),
    (
        "检查代理的超时和缓冲设置、服务器磁盘，以及文件是否在传输中被替换。",
        "look at the proxy's timeouts and buffers, at the server's disk, and whether the file is replaced meanwhile.",
    ),
);

/// Silence in the middle of a body.
pub(crate) static STALLED: Rule = Rule::new(
    "stalled",
    (
        "正文传到一半停住了。设备等 30 秒后放弃。",
        "The body stops in the middle. A device waits for 30 s and gives up.",
    ),
    (
        "检查网络、代理缓冲和服务器负载。",
        "look at the network, the proxy's buffers and the server's load.",
    ),
);

/// A reply that takes long.
pub(crate) static SLOW_REPLY: Rule = Rule::new(
    "slow-reply",
    (
        "回答太慢。设备开机时在等它，期间什么也不做；30 秒没有回答就算失败。",
        "The answer takes long. A device does nothing else while it waits for it at its start, and gives up after 30 s.",
    ),
    (
        "查看服务器负载；xiaozhi-server 的检查不应超过一秒。",
        "look at the server's load; a check should not take a second.",
    ),
);

/// Body that fills the device's queue of 8 KB.
pub(crate) static TOO_LONG: Rule = Rule::new(
    "too-long",
    (
        "回答超过 8 KB：设备的接收队列满了以后就不再读取，从此卡死，没有超时，只能断电重启。",
        "The reply is longer than 8 KB: a device stops reading once its queue is full, and hangs for good, without a timeout, \
         until it is switched off and on.",
    ),
    (
        "去掉回答里多余的内容。",
        "leave out what devices don't need.",
    ),
);

/// Body that is no JSON.
pub(crate) static NOT_JSON: Rule = Rule::new(
    "not-json",
    ("检查的回答不是 JSON。", "The answer to a check is no JSON."),
    (
        "确认这是 OTA 地址，而不是网页、登录页或代理的错误页。",
        "see whether this is the OTA address, and no web page, login page or proxy's error page.",
    ),
);

/// `null`.
pub(crate) static NULL_FIELD: Rule = Rule::new(
    "null-field",
    (
        "回答里有 null。1.6.6 以前的固件不检查类型：version、url、激活码是 null 时会崩溃并不断重启。",
        "There is a null in the reply. Firmware before 1.6.6 looks at no type: it crashes, at every start, where version, \
         url or an activation's texts are null.",
    ),
    (
        "没有值的字段不要写；没有升级时 url 写 \"\"。",
        "leave out what has no value; with no update, url is \"\".",
    ),
);

/// A number for a text, and the like.
pub(crate) static WRONG_TYPE: Rule = Rule::new(
    "wrong-type",
    (
        "字段的类型不对，固件会忽略它。1.6.6 以前的固件不检查 version、url 和激活码的类型，会崩溃并不断重启。",
        "A value is of the wrong type, and firmware passes over it. Before 1.6.6 it crashes, at every start, where version, \
         url or an activation's texts are not texts.",
    ),
    (
        "version 和 url 是字符串，force、timestamp 是数字，firmware、websocket、mqtt 是对象。",
        "version and url are strings; force and timestamp numbers; firmware, websocket and mqtt objects.",
    ),
);

/// More than 15 characters.
pub(crate) static LONG_KEY: Rule = Rule::new(
    "long-key",
    (
        "websocket 或 mqtt 里有超过 15 个字符的键。设备把每个键写进 NVS，键太长会中止并重启。",
        "There is a key of more than 15 characters in websocket or mqtt. A device writes each to its flash (NVS), where \
         such a key aborts it.",
    ),
    (
        "去掉固件不认识的键。",
        "take out keys that firmware does not know.",
    ),
);

/// Value longer than NVS holds.
pub(crate) static LONG_VALUE: Rule = Rule::new(
    "long-value",
    (
        "websocket 或 mqtt 里有 4000 字节以上的值，NVS 存不下，设备会中止并重启。",
        "There is a value of 4000 bytes or more in websocket or mqtt, which a device's flash (NVS) does not take: it \
         aborts.",
    ),
    ("缩短这个值。", "make it shorter."),
);

/// `{"success":false,…}`, `{"error":"…"}`.
pub(crate) static REQUEST_ERROR: Rule = Rule::new(
    "request-error",
    (
        "服务器拒绝了这次检查：设备得不到固件信息，也得不到语音服务器地址。",
        "The server refuses the check: the device learns nothing of firmware, nor of its voice server.",
    ),
    (
        "检查 Device-Id 和 Client-Id 是否被代理去掉；看服务器日志。",
        "see whether a proxy takes Device-Id and Client-Id out; look into the server's log.",
    ),
);

/// No `firmware`, or half of one.
pub(crate) static NO_FIRMWARE: Rule = Rule::new(
    "no-firmware",
    (
        "回答里没有完整的 firmware（version 和 url）。1.6 以前的固件把它当作检查失败，反复重试。",
        "The reply has no whole firmware object (version and url). Firmware before 1.6 takes that for a failed check, and \
         tries again and again.",
    ),
    (
        "没有升级时也要返回设备自己的版本和 \"url\":\"\"。",
        "with no update, send the device's own version and \"url\":\"\".",
    ),
);

/// An offered version on which the parser throws.
pub(crate) static CRASH_VERSION: Rule = Rule::new(
    "crash-version",
    (
        "下发的版本号不是由点分隔的数字（或数字太大）。设备的解析器会抛出异常并重启，每次检查都如此。",
        "The offered version is not made of numbers that fit 31 bits, with dots between. The device's parser throws, and \
         the device restarts, at every check.",
    ),
    (
        "把固件文件改名为只含数字和点的版本，例如 esp32s3_1.6.6.bin。",
        "rename the file to a version of numbers and dots, as in esp32s3_1.6.6.bin.",
    ),
);

/// The device's own version, on which the parser throws.
pub(crate) static OWN_VERSION_CRASHES: Rule = Rule::new(
    "own-version-crashes",
    (
        "设备自己的版本号不能被它的解析器接受；回答里只要有 firmware，设备就会重启。",
        "The device's own version is one that its parser cannot take: any firmware object restarts it.",
    ),
    (
        "对这种设备不要返回 firmware；用串口刷一次版本号正确的固件。",
        "send such a device no firmware object, and flash it by cable with a version of numbers and dots.",
    ),
);

/// Version that is handed out, and not installed.
pub(crate) static NOT_NEWER: Rule = Rule::new(
    "not-newer",
    (
        "给出了下载地址，但设备自己比较版本后认为它不是新版本，不会安装。",
        "A download address is handed out, and the device, which compares the versions itself, does not find that version \
         newer: it installs nothing.",
    ),
    (
        "提高文件名里的版本号；降级要用 force: 1（xiaozhi-ota 的 gateway.firmware.pin 会这样做）。",
        "raise the version in the file's name; to go down takes force: 1 (gateway.firmware.pin of xiaozhi-ota does that).",
    ),
);

/// Newer version without an address.
pub(crate) static EMPTY_URL: Rule = Rule::new(
    "empty-url",
    (
        "下发了新版本却没有下载地址：设备每次开机都会尝试升级并失败。",
        "A newer version is offered without an address: the device tries to update at every start, and fails.",
    ),
    (
        "没有可下载的文件时，返回设备自己的版本。",
        "with no file to fetch, send the device's own version.",
    ),
);

/// `"force": true`.
pub(crate) static FORCE_NOT_A_NUMBER: Rule = Rule::new(
    "force-not-a-number",
    (
        "force 不是数字，1.6.6 起的固件不会强制安装（更早的固件把 true 当作 1）。",
        "force is no number, and firmware since 1.6.6 forces nothing (before, true was a 1).",
    ),
    ("写 \"force\": 1。", "write \"force\": 1."),
);

/// Forced to install what it runs.
pub(crate) static FORCE_LOOP: Rule = Rule::new(
    "force-loop",
    (
        "force: 1 指向设备已经在运行的版本：设备每次检查都会重新安装，永远停不下来。",
        "force: 1 names the version that the device runs: it installs it again at every check, for ever.",
    ),
    (
        "只在设备报告的版本不同时才发送 force。",
        "send force only while the device reports another version.",
    ),
);

/// `http://` to a device that checks over https.
pub(crate) static HTTP_BEHIND_HTTPS: Rule = Rule::new(
    "http-behind-https",
    (
        "OTA 地址是 https，下发的固件地址却是 http://。前面的代理一旦把 http 重定向到 https，下载就失败（1.6.0 升级 1.6.1 的故障）。",
        "The OTA address is https, and the firmware's is http://. Where a proxy redirects http to https the download fails \
         (as from 1.6.0 to 1.6.1).",
    ),
    (
        "把 server.vision_explain（或 server.ota）改成 https:// 地址。",
        "put the https:// address into server.vision_explain (or server.ota).",
    ),
);

/// A device is to be activated first.
pub(crate) static ACTIVATION: Rule = Rule::new(
    "activation",
    (
        "回答里有 activation：设备会显示（播报）激活码，并反复请求 …/activate（没有 challenge 时，或固件早于 1.6 时，反复检查），直到在控制台里绑定。",
        "There is an activation object: the device shows (and speaks) its code, and asks …/activate (without a challenge, \
         and before 1.6, it checks again) until it is bound in the console.",
    ),
    (
        "在智控台绑定这台设备；不用激活的部署不要返回 activation。",
        "bind the device in the console; a deployment without activation leaves the object out.",
    ),
);

/// Neither 200 nor 202 to a device that is to be activated.
pub(crate) static ACTIVATE_REFUSED: Rule = Rule::new(
    "activate-refused",
    (
        "服务器要求激活，但设备请求 …/activate 时得不到 200（已激活）或 202（请稍后再问）：激活永远完成不了，设备停在激活界面。",
        "The server wants the device activated, and …/activate is answered with neither 200 (done) nor 202 (ask again): \
         activation never ends, and the device does nothing else.",
    ),
    (
        "让 OTA 路径下的 activate 也到达同一个服务器（在代理里转发 /xiaozhi/ota/ 下的所有路径），不要重定向。",
        "pass activate below the OTA path on to the same server (in a proxy, everything below /xiaozhi/ota/), and never \
         redirect it.",
    ),
);

/// Seconds for milliseconds, hours for minutes.
pub(crate) static SERVER_TIME: Rule = Rule::new(
    "server-time",
    (
        "server_time 的单位不对，设备的时钟会错。",
        "server_time is in other units than the device reads, and its clock will be wrong.",
    ),
    (
        "timestamp 用毫秒，timezone_offset 用分钟。",
        "timestamp is in milliseconds, timezone_offset in minutes.",
    ),
);

/// No `server_time` at all.
pub(crate) static NO_SERVER_TIME: Rule = Rule::new(
    "no-server-time",
    (
        "没有 server_time：设备的时钟停在 1970 年。",
        "There is no server_time: the device's clock stays in 1970.",
    ),
    ("返回 server_time。", "send server_time."),
);

/// The other form of the address is not answered.
pub(crate) static MISSING_SLASH: Rule = Rule::new(
    "missing-slash",
    (
        "地址末尾多一个或少一个斜杠时得不到 200。手工输入地址时常会漏掉它，设备就再也检查不成。",
        "With its last slash added or left out the address is not answered with 200. It is typed by hand, and a device \
         with the other form is stranded.",
    ),
    (
        "让 /xiaozhi/ota 和 /xiaozhi/ota/ 回答相同的内容，不要重定向。",
        "answer /xiaozhi/ota and /xiaozhi/ota/ alike, without a redirect.",
    ),
);
