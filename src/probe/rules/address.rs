//! Rules on addresses: the one that is typed into a device, and those that it is
//! handed.

use crate::probe::rule::Rule;

/// Address that is too short to be one.
pub(crate) static NO_ADDRESS: Rule = Rule::new(
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
pub(crate) static BAD_CHARACTER: Rule = Rule::new(
    "bad-character",
    (
        "地址里有不属于地址的字符（空格、中文或控制字符）。1.7.7 以前的 Wi-Fi 固件拒绝整个地址；主机名里有它，谁也连不上；路径里的，\
         其他设备原样发送，能不能得到回答由服务器决定。",
        "The address holds a character that belongs in none (white space, a control character, or one outside of ASCII). \
         Wi-Fi firmware before 1.7.7 refuses the whole address; in a host nobody gets by with it; in a path other devices \
         send it as it is, and the server decides what comes of that.",
    ),
    (
        "去掉这个字符；文件名中的特殊字符要用 %XX 编码。",
        "take it out; in a file's name, write it as %XX.",
    ),
);

/// Blank at the end: `…/ota/ `, as it was pasted in.
pub(crate) static TRAILING_BLANK: Rule = Rule::new(
    "trailing-blank",
    (
        "地址后面有空格，配网页面不会去掉它。1.7.7 以前的 Wi-Fi 固件拒绝这个地址，检查不会发出；其他设备把空格一起发出去（POST …/ota/  \
         HTTP/1.1，两个空格），有的服务器照常回答，有的回答 400。",
        "There is a blank behind the address, and the set-up page keeps it. Wi-Fi firmware before 1.7.7 refuses such an \
         address and asks nobody; other devices send it (POST …/ota/  HTTP/1.1, two blanks), which some servers answer and \
         some with a 400.",
    ),
    (
        "在设备里重新填写地址，去掉末尾的空格；已经这样填写的设备，要靠服务器照常回答。",
        "type the address in again without the blank; for devices that have it so, let the server answer it all the same.",
    ),
);

/// No `://`.
pub(crate) static NO_SCHEME: Rule = Rule::new(
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
pub(crate) static UNKNOWN_SCHEME: Rule = Rule::new(
    "unknown-scheme",
    (
        "设备在这里不认识这种协议：能用它的固件把它当作不加密的 http（或 ws）。",
        "No device knows that scheme here: firmware that gets by with it takes it for http (or ws), without TLS.",
    ),
    (
        "OTA 和固件地址用 http:// 或 https://，WebSocket 地址用 ws:// 或 wss://，都用小写。",
        "use http:// or https:// for check-ins and firmware, ws:// or wss:// for the WebSocket, in lower case.",
    ),
);

/// `HTTPS://`.
pub(crate) static UPPER_CASE_SCHEME: Rule = Rule::new(
    "upper-case-scheme",
    (
        "ML307 按大小写比较协议名，不会为这个地址打开 TLS，在 TLS 端口上说明文。",
        "An ML307 compares the scheme by case: it turns no TLS on for this one and speaks plain text to a TLS port.",
    ),
    ("把协议写成小写。", "write the scheme in lower case."),
);

/// `user:password@`.
pub(crate) static USER_NAME: Rule = Rule::new(
    "user-name",
    (
        "1.7.7 起的固件和 ML307 不认识地址中的用户名，会在第一个冒号处把主机切断；更早的 Wi-Fi 固件认得它，但不发送。",
        "Firmware since 1.7.7, and any ML307, knows no user name: it cuts the host at the first colon. Wi-Fi firmware before \
         knows it, and does not send it.",
    ),
    ("去掉用户名和密码。", "take the user name and password out."),
);

/// IPv6 address: `[::1]`.
pub(crate) static IPV6_LITERAL: Rule = Rule::new(
    "ipv6-literal",
    (
        "设备用不了 IPv6 地址：1.7.7 起的解析器在第一个冒号处把它切断，更早的固件也没有可用的 IPv6。",
        "No device gets by with an IPv6 address: parsers since 1.7.7 break it at its first colon, and firmware before has no \
         IPv6 that would lead there.",
    ),
    (
        "改用域名或 IPv4 地址。",
        "use a host name or an IPv4 address.",
    ),
);

/// Nothing between `://` and the path.
pub(crate) static NO_HOST: Rule = Rule::new(
    "no-host",
    ("地址里没有主机名。", "The address names no host."),
    (
        "写上设备能访问的域名或 IP。",
        "give the host name or IP address that devices reach.",
    ),
);

/// Port that is not 1 to 65535.
pub(crate) static BAD_PORT: Rule = Rule::new(
    "bad-port",
    (
        "端口不是 1 到 65535 的数字，设备拒绝这个地址。",
        "The port is no number from 1 to 65535, and the device refuses the address.",
    ),
    (
        "改正端口，或去掉它使用默认端口。",
        "mend the port, or leave it out for the scheme's own.",
    ),
);

/// Fragment: `#`.
pub(crate) static FRAGMENT: Rule = Rule::new(
    "fragment",
    (
        "设备会把 # 后面的部分也发给服务器（1.7.7 以前的 Wi-Fi 固件除外）。",
        "The device sends what follows the # to the server, too (Wi-Fi firmware before 1.7.7 does not).",
    ),
    ("去掉 # 及其后面的内容。", "take it out."),
);

/// No `/ota` in its path.
pub(crate) static NOT_AN_OTA_PATH: Rule = Rule::new(
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
pub(crate) static UNSPECIFIED_ADDRESS: Rule = Rule::new(
    "unspecified-address",
    (
        "0 开头的地址（0.0.0.0）不是可以连接的地址。",
        "What begins with a 0 (0.0.0.0) is no address that a device can connect to.",
    ),
    (
        "在 server.vision_explain（或 server.ota）里写设备能访问的地址。",
        "put an address that devices reach into server.vision_explain (or server.ota).",
    ),
);

/// `127.0.0.1`, `localhost`.
pub(crate) static LOOPBACK: Rule = Rule::new(
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
pub(crate) static CONTAINER_ADDRESS: Rule = Rule::new(
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

/// `169.254.x.x`.
pub(crate) static LINK_LOCAL_ADDRESS: Rule = Rule::new(
    "link-local-address",
    (
        "169.254 开头的地址是机器在没有路由器分配时自拟的，设备不用这种地址，也到不了那里。",
        "169.254.x.x is what a machine gives itself where no router gives it an address. Devices take none such, and don't \
         get there.",
    ),
    (
        "让服务器从路由器得到地址（或配置固定的内网地址），再用那个地址。",
        "let the server have an address of its network, by DHCP or fixed, and use that.",
    ),
);

/// `198.18.x.x`.
pub(crate) static FAKE_ADDRESS: Rule = Rule::new(
    "fake-address",
    (
        "198.18、198.19 开头的地址是这台机器上的代理（Clash 等的 fake-ip）给的假地址，设备到不了。",
        "198.18.x.x and 198.19.x.x are made up by a proxy on this machine (the fake-ip of Clash and its like): they lead no \
         device anywhere.",
    ),
    (
        "填写服务器真实的地址或域名。",
        "give the server's own address, or its name.",
    ),
);

/// Multicast, reserved, or an address for examples.
pub(crate) static NOBODYS_ADDRESS: Rule = Rule::new(
    "nobodys-address",
    (
        "没有服务器会有这个地址：它是多播、保留的，或是文档里的示例地址（192.0.2、198.51.100、203.0.113 开头）。",
        "No server has this address: it is multicast, reserved, or one for examples (192.0.2.x, 198.51.100.x, 203.0.113.x).",
    ),
    (
        "填写服务器真实的地址或域名。",
        "give the server's own address, or its name.",
    ),
);

/// Name without a dot.
pub(crate) static SHORT_NAME: Rule = Rule::new(
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

/// `wss://` elsewhere than on 443, or `ws://` there.
pub(crate) static ML307_PORT: Rule = Rule::new(
    "ml307-port",
    (
        "1.6.2 到 1.7.6 固件的 ML307 对 WebSocket 只看端口：443 上用 TLS，别的端口上说明文，不管地址里写的是 wss 还是 ws。",
        "For the WebSocket an ML307 with firmware 1.6.2 to 1.7.6 goes by the port alone: TLS on 443, plain text on any \
         other, whether the address says wss or ws.",
    ),
    (
        "wss:// 用 443 端口，ws:// 用别的端口；或者升级这些设备。",
        "hand out wss:// on port 443 and ws:// on any other; or update these devices.",
    ),
);
