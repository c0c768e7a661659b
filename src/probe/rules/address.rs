//! Of addresses: the one that is typed into a device, and those that it is
//! handed.

use crate::probe::rule::Rule;

/// Too short to be one.
pub static NO_ADDRESS: Rule = Rule::new(
    "no-address",
    (
        "这不是一个地址，设备不会发起检查。",
        "This is no address, and the device does not check at all.",
    ),
    (
        "填写完整的 OTA 地址，例如 https://ota.example.com/xiaozhi/ota/。",
        "give the whole OTA address, as in https://ota.example.com/xiaozhi/ota/.",
    ),
);

/// White space, a control character, a letter outside of ASCII.
pub static BAD_CHARACTER: Rule = Rule::new(
    "bad-character",
    (
        "地址里有设备无法发送的字符（空格、中文或控制字符），请求行会被破坏。",
        "The address holds a character that breaks the device's request line (white space, a control character, or one \
         outside of ASCII).",
    ),
    (
        "去掉这个字符；文件名中的特殊字符要用 %XX 编码。",
        "take it out; in a file's name, write it as %XX.",
    ),
);

/// No `://`.
pub static NO_SCHEME: Rule = Rule::new(
    "no-scheme",
    (
        "地址没有以 http:// 或 https:// 开头，设备的解析器会拒绝它。相对地址也不行。",
        "The address has no scheme, and the device's parser refuses it. A relative address is none.",
    ),
    (
        "写出完整地址：协议、主机、端口和路径。",
        "write it whole: scheme, host, port and path.",
    ),
);

/// Neither http nor https, or neither ws nor wss.
pub static UNKNOWN_SCHEME: Rule = Rule::new(
    "unknown-scheme",
    (
        "设备在这里不认识这种协议。",
        "The device does not speak that scheme here.",
    ),
    (
        "OTA 和固件地址用 http:// 或 https://，WebSocket 地址用 ws:// 或 wss://。",
        "use http:// or https:// for check-ins and firmware, ws:// or wss:// for the WebSocket.",
    ),
);

/// `HTTPS://`.
pub static UPPER_CASE_SCHEME: Rule = Rule::new(
    "upper-case-scheme",
    (
        "设备按大小写比较协议名，会把这个地址当作不加密的地址，在 TLS 端口上说明文。",
        "The device compares the scheme by case: it takes this for an address without TLS and speaks plain text to a \
         TLS port.",
    ),
    ("把协议写成小写。", "write the scheme in lower case."),
);

/// `user:password@`.
pub static USER_NAME: Rule = Rule::new(
    "user-name",
    (
        "设备的解析器不认识地址中的用户名，会在第一个冒号处把主机切断。",
        "The device's parser knows no user name: it cuts the host at the first colon.",
    ),
    ("去掉用户名和密码。", "take the user name and password out."),
);

/// `[::1]`.
pub static IPV6_LITERAL: Rule = Rule::new(
    "ipv6-literal",
    (
        "设备的解析器在第一个冒号处切开主机和端口，IPv6 地址会被切断。",
        "The device's parser splits host and port at the first colon, and breaks an IPv6 address there.",
    ),
    (
        "改用域名或 IPv4 地址。",
        "use a host name or an IPv4 address.",
    ),
);

/// Nothing between `://` and the path.
pub static NO_HOST: Rule = Rule::new(
    "no-host",
    ("地址里没有主机名。", "The address names no host."),
    (
        "写上设备能访问的域名或 IP。",
        "give the host name or IP address that devices reach.",
    ),
);

/// Not 1 to 65535; of a WebSocket whose port is left out, what follows a colon in
/// its path.
pub static BAD_PORT: Rule = Rule::new(
    "bad-port",
    (
        "端口不是 1 到 65535 的数字：新固件拒绝这个地址，旧固件会崩溃重启。",
        "The port is no number from 1 to 65535: newer firmware refuses the address, older firmware restarts on it.",
    ),
    (
        "改正端口，或去掉它使用默认端口；WebSocket 地址的路径里有冒号时，要写出端口。",
        "mend the port, or leave it out for the scheme's own; a WebSocket address with a colon in its path needs it.",
    ),
);

/// `#`.
pub static FRAGMENT: Rule = Rule::new(
    "fragment",
    (
        "设备会把 # 后面的部分也发给服务器。",
        "The device sends what follows the # to the server, too.",
    ),
    ("去掉 # 及其后面的内容。", "take it out."),
);

/// No `/ota` in its path.
pub static NOT_AN_OTA_PATH: Rule = Rule::new(
    "not-an-ota-path",
    (
        "路径里没有 /ota，这多半不是 OTA 地址。",
        "There is no /ota in the path: this is probably not the OTA address.",
    ),
    (
        "填写服务器启动时打印的 OTA 地址，通常以 /xiaozhi/ota/ 结尾。",
        "give the OTA address that the server prints at its start; it mostly ends with /xiaozhi/ota/.",
    ),
);

/// `0.0.0.0`.
pub static UNSPECIFIED_ADDRESS: Rule = Rule::new(
    "unspecified-address",
    (
        "0.0.0.0 不是可以连接的地址。",
        "0.0.0.0 is no address that a device can connect to.",
    ),
    (
        "在 server.vision_explain（或 server.ota）里写设备能访问的地址。",
        "put an address that devices reach into server.vision_explain (or server.ota).",
    ),
);

/// `127.0.0.1`, `localhost`.
pub static LOOPBACK: Rule = Rule::new(
    "loopback",
    (
        "这个地址指的是设备自己：在服务器本机能通，在设备上不通。",
        "This address is the device itself: it works on the server's own machine, and on no device.",
    ),
    (
        "在 server.vision_explain（或 server.ota）里写设备能访问的地址；探测时也用那个地址。",
        "put an address that devices reach into server.vision_explain (or server.ota), and probe that one.",
    ),
);

/// `172.17.x.x`.
pub static CONTAINER_ADDRESS: Rule = Rule::new(
    "container-address",
    (
        "这是 Docker 内部的地址，外面的设备访问不到。",
        "This is an address inside of Docker, which no device outside reaches.",
    ),
    (
        "在 server.vision_explain（或 server.ota）里写宿主机或公网地址。",
        "put the host's or the public address into server.vision_explain (or server.ota).",
    ),
);

/// No dot in it.
pub static SHORT_NAME: Rule = Rule::new(
    "short-name",
    (
        "没有点的主机名（容器名、机器名）通常只有本机能解析，设备解析不了。",
        "A name without a dot (a container's, a machine's) is mostly known to that machine alone, and no device \
         resolves it.",
    ),
    (
        "改用完整域名或 IP 地址。",
        "use a full domain name or an IP address.",
    ),
);

/// TLS elsewhere than on 443.
pub static ML307_PORT: Rule = Rule::new(
    "ml307-port",
    (
        "2.x 固件的 ML307 只在端口 443 上使用 TLS，在这个端口上会说明文。",
        "An ML307 with 2.x firmware uses TLS on port 443 only: it speaks plain text to this port.",
    ),
    (
        "让服务器监听 443，并从地址里去掉端口。",
        "listen on 443, and leave the port out of the address.",
    ),
);

/// `ws://` to a modem that always uses TLS.
pub static MODEM_NEEDS_WSS: Rule = Rule::new(
    "modem-needs-wss",
    (
        "1.8 以前的 4G 固件对 WebSocket 总是使用 TLS，即使地址是 ws://。",
        "4G firmware before 1.8 always uses TLS for the WebSocket, whatever the address says.",
    ),
    (
        "下发 wss:// 地址，并让那个端口说 TLS。",
        "hand out a wss:// address, on a port that speaks TLS.",
    ),
);

/// Plain text to a modem.
pub static MODEM_PLAIN: Rule = Rule::new(
    "modem-plain",
    (
        "不少 4G 模组的固件只肯使用 TLS，明文地址可能连不上。",
        "Much 4G firmware insists on TLS: an address without it may not work.",
    ),
    (
        "4G 设备请使用 https:// 和 wss://，端口 443。",
        "give 4G devices https:// and wss://, on port 443.",
    ),
);
