//! The public address, and whatever else devices are handed: what an audit finds.

use super::super::Kind;
use super::found;

const REACHABLE_ZH: &str = "将 {setting} 设为设备可以访问的地址（http://192.168.1.100:8003{path}、https://ota.example.com{path}）。";
const REACHABLE: &str = "set {setting} to an address that devices can reach (http://192.168.1.100:8003{path}, \
                         https://ota.example.com{path}).";
const HOST: &[&str] = &["place?", "setting", "host", "url", "path"];

kinds! { ADDRESSES:
    /// An IPv6 literal.
    ADDRESS_IPV6 = found("address.ipv6", &["place?", "host", "url", "setting"],
        "{url} 中的 {host} 是 IPv6 地址：设备的 URL 解析器会在第一个 ':' 处截断而失败。为避免设备无休止地重试，不下发任何固件。",
        "{host} in {url} is an IPv6 literal: the device's URL parser splits it at its first ':' and fails. So that nobody tries \
         for ever, no firmware is offered.")
        .remedy("将 {setting} 设为域名或 IPv4 地址。", "set {setting} to a host name or an IPv4 address.");
    /// 0.0.0.0.
    ADDRESS_UNSPECIFIED = found("address.unspecified", HOST,
        "{url} 中的 {host} 不是有效的地址：设备无法连接，会停留在现有固件。",
        "{host} in {url} is no address: a device cannot connect to it and stays on its firmware.")
        .remedy(REACHABLE_ZH, REACHABLE);
    /// The device itself.
    ADDRESS_LOOPBACK = found("address.loopback", HOST,
        "{url} 中的 {host} 指设备自身：设备会在自己身上寻找固件而失败。",
        "{host} in {url} is the device itself: it will look for its firmware there and fail.")
        .remedy(REACHABLE_ZH, REACHABLE);
    /// A container's.
    ADDRESS_DOCKER = found("address.docker", HOST,
        "{url} 中的 {host} 是 Docker 内部地址：本机之外的设备都无法访问。",
        "{host} in {url} is an address inside of Docker: no device can reach it from outside of this machine.")
        .remedy(REACHABLE_ZH, REACHABLE);
    /// A short name.
    ADDRESS_NO_DOT = found("address.no-dot", HOST,
        "{url} 中的 {host} 是不含点的名称：只有路由器认识该名称时设备才能解析（容器名或主机名通常不行）。",
        "{host} in {url} is a name without a dot: a device resolves it only where its router knows that name (a container's \
         or a host's short name mostly is not).")
        .remedy(REACHABLE_ZH, REACHABLE);
    /// `server.vision_explain` is not whole.
    ADDRESS_VISION_PATH = found("address.vision-path", &["place?", "setting", "vision", "path", "downloads"],
        "server.vision_explain（{vision}）没有以 {path} 结尾：下载地址将从其主机开始（{downloads}）。",
        "server.vision_explain ({vision}) does not end with {path}: download addresses start at its host ({downloads}).")
        .remedy("填写完整的视觉分析地址，或在 server.ota 中给出 OTA 地址。",
            "write the whole vision address, or give the OTA address in server.ota.");
    /// Another address is listened on.
    ADDRESS_NOT_BOUND = found("address.not-bound", &["place?", "setting", "url", "bound"],
        "下发的地址是 {url}，但只监听了 {bound}：设备无法连接。",
        "{url} is handed out, but only {bound} is listened on: devices cannot connect to it.")
        .remedy("将 gateway.ip 设为设备所用的地址，或设为 0.0.0.0 以监听所有地址。",
            "set gateway.ip to the address that devices use, or to 0.0.0.0 for all.");
    /// Another port is listened on.
    ADDRESS_PORT = found("address.port", &["place?", "url", "port", "ports", "setting"],
        "{url} 指向端口 {port}，而本服务器没有监听它（端口：{ports}）：所有下载都会连接失败。",
        "{url} means port {port}, and nobody here listens on it (ports: {ports}): every download will fail to connect.")
        .remedy("将 {port} 加入 gateway.ports，或在 {setting} 中使用上述端口之一；如果前面有程序转发，请设置 gateway.behind_proxy: true。",
            "add {port} to gateway.ports, or put one of those ports into {setting}, or set gateway.behind_proxy: true if \
             something in front forwards it.");
    /// TLS is off.
    ADDRESS_TLS_OFF = found("address.tls-off", &["place?", "url", "setting"],
        "{url} 是 https，而 gateway.tls.mode 为 off：设备发起的握手无人应答。",
        "{url} is https, and gateway.tls.mode is off: devices will try a handshake that nobody answers.")
        .remedy("将 gateway.tls.mode 设为 self-signed 或 files，或在 {setting} 中使用 http。",
            "set gateway.tls.mode to self-signed or files, or use http in {setting}.");
    /// Plain HTTP will end.
    ADDRESS_HTTP_ENDS = found("address.http-ends", &["place?", "url", "setting"],
        "下发给设备的是 {url}，而明文 HTTP 会在 gateway.http_fallback 所写的日期停用：此后其下载会得到 403。",
        "Devices are handed {url}, and plain HTTP ends on the day that gateway.http_fallback names: from then on their \
         downloads get a 403.")
        .remedy("在该日期之前为 {setting} 设置 https 地址。", "give {setting} an https address before that day.");
    /// Nobody answers the voice address.
    ADDRESS_VOICE_UNSERVED = found("address.voice-unserved", &["place?", "setting", "voice"],
        "下发给设备的 {voice} 就是本服务器，而这里没有转发它：设备将没有语音。",
        "Devices are handed {voice}, which is this server, and nobody here passes it on: they will have no voice.")
        .remedy("将 gateway.proxy.websocket 设为 xiaozhi-server（http://127.0.0.1:8000），或将 server.websocket 设为设备能够访问它的地址。",
            "set gateway.proxy.websocket to xiaozhi-server (http://127.0.0.1:8000), or server.websocket to where devices reach \
             it.");
    /// Nobody answers the vision address.
    ADDRESS_VISION_UNSERVED = found("address.vision-unserved", &["place?", "setting", "vision"],
        "xiaozhi-server 下发给设备的 {vision} 就是本服务器，而这里没有转发它：设备上传的图片会得到 404。",
        "xiaozhi-server hands devices {vision}, which is this server, and nobody here passes it on: their pictures get a 404.")
        .remedy("转发它（gateway.proxy.vision: http://127.0.0.1:8004，xiaozhi-server 用 server.http_port: 8004，本服务器用 gateway.ports: [8003, 8443]），\
                 或在 server.ota 中给出 OTA 地址，在 server.vision_explain 中给出 xiaozhi-server 自己的地址。",
            "pass it on (gateway.proxy.vision: http://127.0.0.1:8004, with server.http_port: 8004 for xiaozhi-server and \
             gateway.ports: [8003, 8443] for this server), or give the OTA address in server.ota and xiaozhi-server's own in \
             server.vision_explain.");
    /// Voice without TLS beside an https address.
    ADDRESS_VOICE_PLAIN = found("address.voice-plain", &["place?", "setting", "voice"],
        "下发给设备的 {voice} 没有加密，而 OTA 地址是 https：途经网络的人可以听到语音并读到令牌。",
        "Devices are handed {voice} beside an https OTA address: whoever sits on the way hears the voice and reads the token.")
        .remedy("将 server.websocket 设为 wss:// 地址。", "set server.websocket to a wss:// address.");
    /// Firmware without TLS beside a wss address.
    ADDRESS_FIRMWARE_PLAIN = found("address.firmware-plain", &["place?", "setting", "voice"],
        "下发给设备的是 {voice}，而 OTA 地址是明文 http：保护语音的手段没有保护固件。",
        "Devices are handed {voice} beside a plain http OTA address: what protects the voice does not protect the firmware.")
        .remedy("为 server.vision_explain（或 server.ota）设置 https 地址。",
            "give server.vision_explain (or server.ota) an https address.");
    /// A modem speaks no TLS there.
    ADDRESS_MODEM_PLAIN = found("address.modem-plain", &["place?", "setting", "voice", "port"],
        "下发给设备的是 {voice}：固件为 1.6.2 至 1.7.6 的 4G 设备（ML307）无论地址写什么，只在 443 端口使用 TLS，对端口 {port} 使用明文，将没有语音。\
         Wi-Fi 设备和更新的固件按地址所写连接。",
        "Devices are handed {voice}: 4G devices (ML307) with firmware 1.6.2 to 1.7.6 speak plain text to any port but 443, \
         {port} too, whatever the scheme says, and will have no voice. Wi-Fi devices and later firmware do as the scheme says.")
        .remedy("如果有这样的设备，请将 WebSocket 端口改为 443，或先为它们升级固件。",
            "if you have such devices, give the WebSocket port 443, or update them first.");
    /// A modem speaks TLS there.
    ADDRESS_MODEM_TLS = found("address.modem-tls", &["place?", "setting", "voice"],
        "下发给设备的是 {voice}：固件为 1.6.2 至 1.7.6 的 4G 设备（ML307）无论地址写什么，都会在 443 端口使用 TLS，将没有语音。\
         Wi-Fi 设备和更新的固件按地址所写连接。",
        "Devices are handed {voice}: 4G devices (ML307) with firmware 1.6.2 to 1.7.6 speak TLS to port 443, whatever the scheme \
         says, and will have no voice. Wi-Fi devices and later firmware do as the scheme says.")
        .remedy("如果有这样的设备，请将 WebSocket 端口改为 443 以外的端口，或先为它们升级固件。",
            "if you have such devices, give the WebSocket port another than 443, or update them first.");
}
