//! The public address, and whatever else devices are handed: what an audit finds.

use super::super::Kind;
use super::super::Severity::Warning;
use super::{PLACE, found};

const REACHABLE_ZH: &str = "将 {setting} 设为设备可以访问的地址（{form}）。";
const REACHABLE: &str = "set {setting} to an address that devices can reach ({form}).";
const HOST: &[&str] = &["place?", "setting", "host", "url", "effect", "form"];
const WHY: &[&str] = &["place?", "setting", "host", "url", "why", "effect", "form"];
const OWN: &[&str] = &[
    "place?",
    "setting",
    "host",
    "url",
    "why",
    "interface?",
    "effect",
    "form",
];

kinds! { ADDRESSES:
    /// An IPv6 literal.
    ADDRESS_IPV6 = found("address.ipv6", &["place?", "host", "url", "setting"],
        "{url} 中的 {host} 是 IPv6 地址：设备的 URL 解析器会在第一个 ':' 处截断而失败。没有经由域名或 IPv4 地址访问的设备得不到任何固件，\
         以免它们无休止地重试。",
        "{host} in {url} is an IPv6 literal: the device's URL parser splits it at its first ':' and fails. So that nobody tries \
         for ever, a device that does not come by a name or an IPv4 address is offered no firmware.")
        .remedy("将 {setting} 设为域名或 IPv4 地址。", "set {setting} to a host name or an IPv4 address.");
    /// 0.0.0.0.
    ADDRESS_UNSPECIFIED = found("address.unspecified", HOST,
        "{url} 中的 {host} 不是可以连接的地址（它在监听时表示本机的所有地址）：{effect}。",
        "{host} in {url} is no address to connect to (to a server that listens it means all of its own): {effect}.")
        .remedy(REACHABLE_ZH, REACHABLE);
    /// The device itself.
    ADDRESS_LOOPBACK = found("address.loopback", HOST,
        "{url} 中的 {host} 指设备自身：{effect}。",
        "{host} in {url} is the device itself: {effect}.")
        .remedy(REACHABLE_ZH, REACHABLE);
    /// A container's.
    ADDRESS_DOCKER = found("address.docker", WHY,
        "{url} 中的 {host} {why}：{effect}。",
        "{host} in {url} {why}: {effect}.")
        .remedy("将 {setting} 设为宿主机的地址或域名，并映射端口（{form}）。",
            "set {setting} to the address or the name of the machine that runs Docker, with the port that it publishes ({form}).");
    /// A short name.
    ADDRESS_NO_DOT = found("address.no-dot", HOST,
        "{url} 中的 {host} 是不含点的名称，只有路由器认识它时设备才能解析（容器名、Compose 服务名或主机名通常不行）：否则{effect}。",
        "{host} in {url} is a name without a dot, which a device resolves only where its router knows it (a container's, a Compose \
         service's or a host's short name mostly is not): else {effect}.")
        .remedy(REACHABLE_ZH, REACHABLE);
    /// A template's text.
    ADDRESS_PLACEHOLDER = found("address.placeholder", HOST,
        "{url} 中的 {host} 是示例或模板里的文字，不是你自己的地址：{effect}。",
        "{host} in {url} stands in examples and templates, and is not your own: {effect}.")
        .remedy("将 {setting} 设为设备访问本服务器所用的地址（{form}），或删去它。",
            "set {setting} to the address by which your devices reach it ({form}), or take it out.");
    /// Something in front of this server that nobody configured.
    ADDRESS_IN_FRONT = Kind::new("address.in-front", Warning, "request", &["peer", "sign", "url?"],
        "来自 {peer} 的请求像是由前面的代理转来的（{sign}），而设备使用的地址没有配置：其中的主机名和协议可能是代理自己的，因此不据此下发\
         {；这样来的设备得到的是本机地址 |url|}（每个客户端每小时提示一次）。",
        "a request from {peer} was passed on by a proxy in front, it seems ({sign}), and the address that devices use is not \
         configured: its host and scheme may be the proxy's own, so no device is handed them{; who comes like this gets |url|, \
         which is this machine's} (said once an hour for each client).")
        .remedy("如果 {peer} 是您的代理：将 server.vision_explain 设为设备访问代理所用的地址（http://主机:端口/mcp/vision/explain，或 https://…），\
                 并设置 gateway.behind_proxy: true（或 [{peer}]）。",
            "if {peer} is a proxy of yours, set server.vision_explain to the address by which devices reach it \
             (http://HOST:PORT/mcp/vision/explain, or https://…), and gateway.behind_proxy: true (or [{peer}]).");
    /// Numbers that are no IPv4 address.
    ADDRESS_NUMBERS = found("address.numbers", &["place?", "setting", "host", "url", "read?", "effect", "form"],
        "{url} 中的 {host} 不是 IPv4 地址（四个 0 到 255 的数字，不带前导零）{；Wi-Fi 设备会把它读作 |read|，其他设备各不相同}：连不上或连到别处时，{effect}。",
        "{host} in {url} is no IPv4 address (four numbers from 0 to 255, without leading zeros){; Wi-Fi devices read it as |read|, \
         others otherwise}: where they get nowhere, or elsewhere, {effect}.")
        .remedy("将 {setting} 中的地址写成 ip -4 addr 所显示的样子（{form}）。",
            "write the address in {setting} as `ip -4 addr` shows it ({form}).");
    /// A host that no device reaches.
    ADDRESS_NOWHERE = found("address.nowhere", WHY,
        "{url} 中的 {host} {why}：{effect}。",
        "{host} in {url} {why}: {effect}.")
        .remedy(REACHABLE_ZH, REACHABLE);
    /// 169.254.
    ADDRESS_LINK_LOCAL = found("address.link-local", HOST,
        "{url} 中的 {host} 是机器没有从路由器得到地址时自拟的地址，设备没有这样的地址，也到不了那里：{effect}。",
        "{host} in {url} is what a machine gives itself where no router gives it an address; devices take none such and don't get \
         there: {effect}.")
        .remedy("让本机从路由器得到地址（DHCP）或配置固定地址，再将 {setting} 设为它（{form}）。",
            "let this machine have an address of its network, by DHCP or fixed, and set {setting} to it ({form}).");
    /// A tunnel's.
    ADDRESS_TUNNEL = found("address.tunnel", OWN,
        "{url} 中的 {host} {why}{（本机接口 |interface|）}，只有隧道里的机器认识它：{effect}。",
        "{host} in {url} {why}{ (the interface |interface| of this machine)}, and nobody outside of that tunnel knows it: {effect}.")
        .remedy("将 {setting} 设为本机在局域网中的地址、公网地址或域名（{form}）；查看地址：ip -4 addr。",
            "set {setting} to this machine's address in its own network, or a public one or a name ({form}); `ip -4 addr` shows \
             them.");
    /// A virtual switch's.
    ADDRESS_VIRTUAL_SWITCH = found("address.virtual-switch", OWN,
        "{url} 中的 {host} {why}{（本机接口 |interface|）}，只有这台计算机认识它：{effect}。",
        "{host} in {url} {why}{ (the interface |interface| of this machine)}, and only this computer knows it: {effect}.")
        .remedy("将 {setting} 设为这台计算机在局域网中的地址（{form}），并把端口转发进来：WSL 用 networkingMode=mirrored 或 netsh interface portproxy，\
                 虚拟机用桥接网络。",
            "set {setting} to the address of this computer in its own network ({form}), and let the port in: networkingMode=mirrored \
             or `netsh interface portproxy` for WSL, a bridged network for a virtual machine.");
    /// `.local`.
    ADDRESS_MDNS = found("address.mdns", HOST,
        "{url} 中的 {host} 要用组播（mDNS）查询：只有同一局域网中的 Wi-Fi 设备可能查到，许多路由器和 Docker 不转发组播，4G 设备查不到：\
         查不到时{effect}。",
        "{host} in {url} is asked for by multicast (mDNS): at most Wi-Fi devices in the same network find it, many routers and \
         Docker pass no multicast on, and 4G devices never find it. Where it is not found, {effect}.")
        .remedy("将 {setting} 设为 IPv4 地址或域名（{form}）。", "set {setting} to an IPv4 address or a domain's name ({form}).");
    /// `.lan`.
    ADDRESS_LOCAL_NAME = found("address.local-name", HOST,
        "{url} 中的 {host} 是内部名称，只有使用本网络自己的 DNS（路由器）的设备能解析，4G 设备和别处的设备不能：不能解析时{effect}。",
        "{host} in {url} is an internal name: devices that ask this network's own name server (the router) may resolve it, 4G \
         devices and those elsewhere don't. Where it is not resolved, {effect}.")
        .remedy("如果有别处的设备，请将 {setting} 设为 IPv4 地址或公网域名（{form}）；检查：nslookup {'host'} 路由器地址。",
            "with devices elsewhere, set {setting} to an IPv4 address or a public name ({form}); `nslookup {'host'} ROUTER` shows \
             whether the router knows it.");
    /// A private address beside a public one.
    ADDRESS_PRIVATE = found("address.private", &["place?", "setting", "url", "other", "beside", "effect", "form"],
        "{url} 是内网地址，而 {other} 是公网地址（{beside}）：不在这个内网中的设备，{effect}。",
        "{url} is an address of a private network, and {other} is a public one ({beside}): of devices that are not in that \
         network, {effect}.")
        .remedy("如果有别处的设备（包括 4G），请将 {setting} 也设为公网地址或域名（{form}）。",
            "with devices elsewhere, 4G ones among them, set {setting} to a public address or name, too ({form}).");
    /// Another machine of the same network.
    ADDRESS_ELSEWHERE = found("address.elsewhere", &["place?", "setting", "host", "url", "leads", "own", "effect"],
        "{url} 指向 {leads}，而本机的地址是 {own}：{host} 是另一台机器，{effect}。",
        "{url} leads to {leads}, and this machine has {own}: {host} is another machine, and {effect}.")
        .remedy("将 {setting} 设为本机的地址，或改正域名的 A 记录；如果那里有程序转发到这里，请设置 gateway.behind_proxy: true。",
            "set {setting} to this machine's address, or mend the name's A record; if something there passes it on to here, set \
             gateway.behind_proxy: true.");
    /// A name without an address.
    ADDRESS_UNRESOLVED = found("address.unresolved", &["place?", "setting", "host", "url", "error", "effect"],
        "本机查不到 {url} 中 {host} 的地址（{error}）：如果设备也查不到，{effect}。",
        "This machine finds no address for {host} in {url} ({error}): if devices find none either, {effect}.")
        .remedy("检查 {setting} 的拼写和 DNS 记录（nslookup {'host'} 223.5.5.5）；如果是本机的 DNS 有问题，请修复它。会自动再查。",
            "look at the spelling in {setting} and at the DNS records (`nslookup {'host'} 223.5.5.5`); if this machine's own DNS is \
             at fault, mend that. It is looked up again by itself.");
    /// A name with IPv6 addresses alone.
    ADDRESS_ONLY_IPV6 = found("address.only-ipv6", &["place?", "setting", "host", "url", "leads", "effect"],
        "{url} 中的 {host} 只有 IPv6 地址（{leads}），而设备只用 IPv4：{effect}。",
        "{host} in {url} has IPv6 addresses only ({leads}), and devices have IPv4 alone: {effect}.")
        .remedy("给 {host} 加一条 A 记录（IPv4）。", "give {host} an A record (IPv4).");
    /// A name that leads nowhere, here.
    ADDRESS_LEADS_NOWHERE = found("address.leads-nowhere", &["place?", "setting", "host", "url", "leads", "is", "effect"],
        "在本机上 {url} 中的 {host} 指向 {leads}（{is}）：如果设备查到的也是它，{effect}。设备问的可能是另一个 DNS，这里看不到。",
        "On this machine {host} in {url} leads to {leads} ({is}): if devices are told the same, {effect}. They may ask another name \
         server, which shows nothing here.")
        .remedy("在设备所在的网络里查询（nslookup {'host'} 223.5.5.5）；从 hosts 文件里删掉它，或关掉代理的 fake-ip。",
            "look it up in the devices' network (`nslookup {'host'} 223.5.5.5`); take it out of the hosts file, or turn the proxy's \
             fake-ip off.");
    /// No address yet.
    ADDRESS_NO_NETWORK = found("address.no-network", &["place?", "setting", "url"],
        "本机还没有 IPv4 地址（{url} 只在本机可用）：联网之后，设备会得到它访问本机所用的地址，无需重启；届时会再次打印 OTA 地址。",
        "This machine has no IPv4 address yet ({url} works on itself alone): once it has, devices are handed the address by which \
         they come, without a restart, and the OTA address is printed again.")
        .remedy("检查网线、Wi-Fi 和 DHCP（ip -4 addr）。", "look at the cable, the Wi-Fi and DHCP (`ip -4 addr`).");
    /// A placeholder that counts as unset.
    ADDRESS_UNFILLED = Kind::new("address.unfilled", Warning, "audit", &["place?~", "key?", "value?", "instead"],
        "{|key|：}{|value|：}仍含有模板里的文字（你的…），视为没有设置：{instead}。",
        "{|key|: }{|value|: }a template's text (你的…) stands in it still, and it counts as unset: {instead}.")
        .lead(PLACE)
        .remedy("写上真实的地址，或删去它。", "write the true address, or take it out.");
    /// MQTT without TLS beside an https address.
    ADDRESS_MQTT_PLAIN = found("address.mqtt-plain", &["place?", "setting", "endpoint", "port"],
        "下发给设备的 MQTT 地址是 {endpoint}，而 OTA 地址是 https：设备只在 8883 端口使用 TLS，对端口 {port} 使用明文，途经网络的人可以读到密码和语音密钥。",
        "Devices are handed {endpoint} for MQTT beside an https OTA address: they speak TLS to port 8883 alone and plain text to \
         {port}, and whoever sits on the way reads the password and the key of the voice.")
        .remedy("让 MQTT 服务在 8883 端口提供 TLS，并将 {setting} 设为 主机:8883。",
            "let the MQTT server speak TLS on port 8883, and set {setting} to HOST:8883.");
    /// A port of TLS, at which devices speak plain MQTT.
    ADDRESS_MQTT_PORT = found("address.mqtt-port", &["place?", "setting", "endpoint", "port"],
        "下发给设备的 MQTT 地址是 {endpoint}：设备（Wi-Fi 和 4G）只在 8883 端口使用 TLS，对端口 {port} 使用明文；如果那里需要 TLS，设备没有语音。",
        "Devices are handed {endpoint} for MQTT: they, Wi-Fi and 4G ones, speak TLS to port 8883 alone and plain text to {port}; \
         where that port wants TLS they have no voice.")
        .remedy("TLS 用 8883 端口，明文用 1883。", "use port 8883 for TLS, and 1883 for plain text.");
    /// Pictures without TLS beside an https address.
    ADDRESS_VISION_PLAIN = found("address.vision-plain", &["place?", "setting", "vision"],
        "xiaozhi-server 下发给设备的 {vision} 没有加密，而 OTA 地址是 https：途经网络的人可以看到设备的图片。",
        "xiaozhi-server hands devices {vision} beside an https OTA address: whoever sits on the way sees their pictures.")
        .remedy("将 {setting} 设为 https 地址。", "set {setting} to an https address.");
    /// `server.vision_explain` is not whole.
    ADDRESS_VISION_PATH = found("address.vision-path", &["place?", "setting", "vision", "path", "downloads"],
        "server.vision_explain（{vision}）没有以 {path} 结尾：下载地址将从其主机开始（{downloads}）。",
        "server.vision_explain ({vision}) does not end with {path}: download addresses start at its host ({downloads}).")
        .remedy("填写完整的视觉分析地址，或在 server.ota 中给出 OTA 地址。",
            "write the whole vision address, or give the OTA address in server.ota.");
    /// A sign behind which nothing of the address stands.
    ADDRESS_SIGN = found("address.sign", &["place?", "setting", "url", "sign", "effect", "form"],
        "{url} 中有 {sign}：设备只用一个地址，{sign} 及其后的内容会被当作路径的一部分：服务器不认识那个路径时，{effect}。",
        "{sign} stands in {url}: devices use one address, and take {sign} and what stands behind it for a part of the path; where the \
         server does not know that path, {effect}.")
        .remedy("{setting} 只写一个地址（{form}）。", "write one address in {setting}, and nothing behind it ({form}).");
    /// The path of another interface.
    ADDRESS_PATH = found("address.path", &["place?", "setting", "url", "is", "effect", "form"],
        "{url} 中是{is}：{effect}。", "{url} has {is}: {effect}.")
        .remedy("改正 {setting} 的路径（{form}）。", "write the path that belongs into {setting} ({form}).");
    /// The port of another scheme.
    ADDRESS_SCHEME_PORT = found("address.scheme-port", &["place?", "setting", "url", "port", "speaks", "effect", "form"],
        "{url} 的端口是 {port}：{speaks}：如果确实如此，{effect}。",
        "{url} names port {port}: {speaks}. Where that is so, {effect}.")
        .remedy("改正 {setting} 的协议或端口，使两者相符（{form}）。", "mend the scheme or the port in {setting}, so that one goes with the other ({form}).");
    /// Nothing says what the proxy's address is.
    ADDRESS_BEHIND_PROXY = found("address.behind-proxy", &["place?", "setting", "url"],
        "gateway.behind_proxy 已启用，而没有配置地址：下发给所有设备的是本机自己的地址 {url}，而不是前面的代理的地址；不能直接访问本机的设备下载不到固件。",
        "gateway.behind_proxy is set and no address is configured: every device is handed this machine's own address, {url}, and not that of \
         what stands in front; devices that cannot reach this machine itself get no firmware.")
        .remedy("将 {setting} 设为设备访问代理所用的地址（https://ota.example.com/xiaozhi/ota/），或删去 gateway.behind_proxy。",
            "set {setting} to the address by which devices come to the proxy (https://ota.example.com/xiaozhi/ota/), or take \
             gateway.behind_proxy out.");
    /// A port of ours for MQTT.
    ADDRESS_MQTT_HERE = found("address.mqtt-here", &["place?", "setting", "endpoint", "port"],
        "下发给设备的 MQTT 地址 {endpoint} 是本服务器自己的端口 {port}，这里只有 HTTP：所有设备都没有语音。",
        "Devices are handed {endpoint} for MQTT, and port {port} is this server's own, which speaks HTTP: no device has a voice.")
        .remedy("将 {setting} 设为 MQTT 网关的地址（192.168.1.100:1883），或删去它以使用 WebSocket。",
            "set {setting} to the address of the MQTT gateway (192.168.1.100:1883), or take it out, for the WebSocket.");
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
    /// A port for a proxy alone.
    ADDRESS_PROXY_PORT = found("address.proxy-port", &["place?", "setting", "url", "port"],
        "{url} 指向端口 {port}，而该端口（gateway.ports 中的 proxy_protocol）只接受先发送 PROXY 头的代理：直接来的设备会被断开，下载不到固件。",
        "{url} means port {port}, which takes a proxy's PROXY header first (proxy_protocol in gateway.ports): devices that come to it \
         themselves are cut off, and fetch no firmware.")
        .remedy("在 {setting} 中使用代理的地址，并设置 gateway.behind_proxy: [代理的地址]；或使用不带 proxy_protocol 的端口。",
            "put the proxy's address into {setting}, and set gateway.behind_proxy: [ADDRESS OF THE PROXY]; or use a port without \
             proxy_protocol.");
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
