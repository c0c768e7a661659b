//! Of the voice server: what a check hands out for it, and what answers there.

use crate::probe::rule::Rule;

/// The voice server is not there.
pub static UNREACHABLE: Rule = Rule::new(
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

/// No 101.
pub static STATUS: Rule = Rule::new(
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
pub static NO_HELLO: Rule = Rule::new(
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
pub static BAD_HELLO: Rule = Rule::new(
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
pub static WS_BEHIND_HTTPS: Rule = Rule::new(
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
pub static EMPTY_MQTT: Rule = Rule::new(
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

/// Both.
pub static MQTT_AND_WEBSOCKET: Rule = Rule::new(
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

/// Neither.
pub static NO_PROTOCOL: Rule = Rule::new(
    "no-protocol",
    (
        "既没有 websocket 也没有 mqtt：设备沿用旧设置，新设备无法对话。",
        "There is neither websocket nor mqtt: a device keeps what it has, and a new one cannot talk.",
    ),
    ("配置 server.websocket。", "set server.websocket."),
);
