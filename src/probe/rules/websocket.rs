//! Rules on the voice server: what a check hands out for it, and what answers
//! there.

use crate::probe::rule::Rule;

/// The voice server is not there.
pub(crate) static UNREACHABLE: Rule = Rule::new(
    "websocket-unreachable",
    (
        "语音服务器连接不上：设备能升级，但不能对话（显示“无法连接服务，请稍后再试”）。",
        "The voice server cannot be reached: the device updates, and cannot talk.",
    ),
    (
        "检查 server.websocket 的主机和端口、防火墙，以及 xiaozhi-server 是否在运行。",
        "look at host and port of server.websocket, at the firewall, and whether xiaozhi-server runs.",
    ),
);

const WRITTEN: (&str, &str) = (
    "写成 ws://主机:端口/路径 或 wss://域名/路径；路径或参数里有冒号时要写出端口；不要用 IPv6 地址和用户名。",
    "write ws://HOST:PORT/PATH or wss://NAME/PATH; with a colon in path or query the port must be written; no IPv6 address, \
     no user name.",
);

/// A port on which `std::stoi` throws.
pub(crate) static ABORTS: Rule = Rule::new(
    "websocket-aborts",
    (
        "设备把 WebSocket 地址里第一个冒号后面的内容当作端口，而它不是能读的数字：设备一被唤醒就崩溃重启。",
        "The device takes what stands behind the first colon of the WebSocket address for the port, and it is no number that \
         it can read: the device aborts and restarts whenever it is spoken to.",
    ),
    WRITTEN,
);

/// Another host or port than was meant.
pub(crate) static MUTE: Rule = Rule::new(
    "websocket-mute",
    (
        "设备读出的 WebSocket 主机、端口或协议与本意不同：它连不上，或连到别处，不能对话。",
        "The device reads another host, port or scheme from the WebSocket address than is meant: it connects to nothing, or \
         to something else, and cannot talk.",
    ),
    WRITTEN,
);

/// Another status than 101.
pub(crate) static STATUS: Rule = Rule::new(
    "websocket-status",
    (
        "这个地址没有升级成 WebSocket（应回答 HTTP/1.1 101）。",
        "The address does not turn into a WebSocket (HTTP/1.1 101).",
    ),
    (
        "检查路径（/xiaozhi/v1/）和端口；代理要转发 Upgrade 和 Connection 头；401/403 说明令牌不对，两边的 auth_key 要一致。",
        "look at path (/xiaozhi/v1/) and port; a proxy must pass Upgrade and Connection on; 401 and 403 mean that the \
         token is refused: both programs need the same auth_key.",
    ),
);

/// Silence, or a close.
pub(crate) static NO_HELLO: Rule = Rule::new(
    "websocket-no-hello",
    (
        "WebSocket 已连接，但 10 秒内没有收到服务器的 hello，设备放弃对话。",
        "The WebSocket stands, and no hello comes within 10 s: the device gives up.",
    ),
    (
        "查看 xiaozhi-server 的日志：多半是认证失败或模块初始化出错。",
        "look into xiaozhi-server's log: authentication, mostly, or a module that did not start.",
    ),
);

/// A hello that the firmware does not take.
pub(crate) static BAD_HELLO: Rule = Rule::new(
    "websocket-bad-hello",
    (
        "服务器的 hello 里没有 \"transport\":\"websocket\"，设备不接受它。",
        "The server's hello has no \"transport\":\"websocket\", and the device does not take it.",
    ),
    (
        "检查这个地址后面是不是 xiaozhi-server。",
        "see whether it is xiaozhi-server that answers there.",
    ),
);

/// `ws://` to a device that checks over https.
pub(crate) static WS_BEHIND_HTTPS: Rule = Rule::new(
    "ws-behind-https",
    (
        "OTA 地址是 https，WebSocket 地址却是不加密的 ws://。",
        "The OTA address is https, and the WebSocket's is ws://, without TLS.",
    ),
    (
        "把 server.websocket 改成 wss:// 地址。",
        "put a wss:// address into server.websocket.",
    ),
);

/// `"mqtt": {}`.
pub(crate) static EMPTY_MQTT: Rule = Rule::new(
    "empty-mqtt",
    (
        "回答里有 mqtt，但没有 endpoint。1.6.2 起的固件优先使用 MQTT，于是连不上语音服务器。",
        "There is an mqtt object without an endpoint. Since 1.6.2 it wins over websocket, and the device finds no voice \
         server.",
    ),
    (
        "不用 MQTT 时不要返回 mqtt。",
        "leave mqtt out where it is not used.",
    ),
);

/// A port on which `std::stoi` throws.
pub(crate) static MQTT_ABORTS: Rule = Rule::new(
    "mqtt-aborts",
    (
        "设备把 mqtt.endpoint 里第一个冒号后面的内容当作端口，而它不是能读的数字：1.6.2 起的固件每次开机都崩溃重启。",
        "The device takes what stands behind the first colon of mqtt.endpoint for the port, and it is no number that it can \
         read: firmware since 1.6.2 aborts and restarts at every boot.",
    ),
    (
        "写成 主机 或 主机:端口，不带协议、路径和用户名（xiaozhi-server 的 mqtt_gateway）。",
        "write HOST or HOST:PORT, without scheme, path and user name (mqtt_gateway of xiaozhi-server).",
    ),
);

/// Another host or port than was meant.
pub(crate) static MQTT_MUTE: Rule = Rule::new(
    "mqtt-mute",
    (
        "设备读出的 MQTT 主机或端口与本意不同，连不上，不能对话。1.6.2 以前的固件把整个 endpoint 当作主机名，端口固定为 8883（TLS）。",
        "The device reads another host or port from mqtt.endpoint than is meant, and cannot talk. Firmware before 1.6.2 takes \
         all of it for the host's name, on port 8883 with TLS.",
    ),
    (
        "写成 主机 或 主机:端口，不带协议、路径和用户名；1.6.2 以前的固件只能用主机名，端口 8883。",
        "write HOST or HOST:PORT, without scheme, path and user name; for firmware before 1.6.2 the host's name alone, on port \
         8883.",
    ),
);

/// Both `mqtt` and `websocket`.
pub(crate) static MQTT_AND_WEBSOCKET: Rule = Rule::new(
    "mqtt-and-websocket",
    (
        "同时返回了 mqtt 和 websocket，设备只用 mqtt。",
        "Both mqtt and websocket are handed out, and the device uses mqtt alone.",
    ),
    (
        "只返回要用的那一个。",
        "hand out the one that is to be used.",
    ),
);

/// Neither `mqtt` nor `websocket`.
pub(crate) static NO_PROTOCOL: Rule = Rule::new(
    "no-protocol",
    (
        "既没有 websocket 也没有 mqtt：设备沿用旧设置，新设备无法对话。",
        "There is neither websocket nor mqtt: a device keeps what it has, and a new one cannot talk.",
    ),
    ("配置 server.websocket。", "set server.websocket."),
);
