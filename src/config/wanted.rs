//! Texts that say what to write where something else stands.

use crate::event::text::Text;

pub(super) const BOOLEAN: Text = Text::new("请写 true 或 false", "write true or false");
pub(super) const PORT: Text = Text::new(
    "请写 1 到 65535 的端口号",
    "write a port number from 1 to 65535",
);
pub(super) const PORT_ZEROS: Text = Text::new(
    "端口号不能以 0 开头（8,003 是 8 和 3 两个数）：请写 1 到 65535 的端口号",
    "no port begins with 0 (8,003 is two numbers, 8 and 3): write a port number from 1 to 65535",
);
pub(super) const ONE_PORT: Text = Text::new("请至少写一个端口", "write at least one port");
pub(super) const DURATION: Text = Text::new(
    "请写大于零、不超过一天的时间，例如 10s 或 2m",
    "write a time above zero and up to a day, such as 10s or 2m",
);
pub(super) const SILENT_AFTER: Text = Text::new(
    "请写 5s 到一天的时间，例如 10m",
    "write a time from 5s to a day, such as 10m",
);
pub(super) const SECONDS: Text = Text::new("请写秒数，0 或以上", "write seconds, 0 or more");
pub(super) const HOURS: Text = Text::new(
    "请写与 UTC 相差的小时数，例如 +8（中国）或 -3.5，不写时区名称，也不写分钟",
    "write the hours from UTC as a number, such as +8 (China) or -3.5, no name of a zone and no minutes",
);
pub(super) const IP: Text = Text::new(
    "请写本机的 IP 地址，或写 0.0.0.0 表示所有地址",
    "write an IP address of this machine, or 0.0.0.0 for all",
);
pub(super) const PROXIES: Text = Text::new(
    "请写 true，或代理的地址",
    "write true, or the proxy's addresses",
);
pub(super) const NETWORKS: Text = Text::new(
    "请写 true、false，或代理的地址和网络，例如 [10.0.0.0/8, 192.0.2.7, fd00::/8]",
    "write true, false, or the proxy's addresses and networks, such as [10.0.0.0/8, 192.0.2.7, fd00::/8]",
);
pub(super) const HTTP_FALLBACK: Text = Text::new(
    "请写 true、false，或明文 HTTP 的最后一天，例如 2026-12-31",
    "write true, false, or the last day of plain HTTP as 2026-12-31",
);
pub(super) const ORIGIN: Text = Text::new(
    "请按浏览器发送的形式写网页的来源：协议、主机和端口，例如 https://pages.example.com 或 http://192.168.1.5:8006；不带路径，不能用 * 或 null",
    "write the origin of web pages as a browser sends it: scheme, host and port, such as https://pages.example.com or \
     http://192.168.1.5:8006; no path, and neither * nor null",
);
pub(super) const TLS_MODE: Text = Text::new(
    "请写 self-signed、files、acme 或 off",
    "write self-signed, files, acme or off",
);
pub(super) const CERTIFICATES: Text = Text::new(
    "请写 cert 和 key，或删去它",
    "name cert and key, or take it out",
);
pub(super) const CERT: Text = Text::new(
    "请写包含证书及其证书链的 PEM 文件",
    "name the PEM file with the certificate and its chain",
);
pub(super) const KEY: Text = Text::new(
    "请写包含证书私钥的 PEM 文件",
    "name the PEM file with the certificate's private key",
);
pub(super) const NAMES: Text = Text::new(
    "请至少写一个名称，或删去它",
    "write at least one name, or take it out",
);
pub(super) const NAME: Text = Text::new(
    "只写主机名和 IP 地址，不带协议、端口和路径",
    "write host names and IP addresses only, no scheme, port or path",
);
pub(super) const DIRECTORY: Text = Text::new(
    "请写 CA 的 ACME 目录的 https 地址，例如 https://ca.lan:14000/dir，不带用户名、? 和 #",
    "write the https address of the CA's ACME directory, as in https://ca.lan:14000/dir, without user name, ? and #",
);
pub(super) const EMAIL: Text = Text::new(
    "请写一个邮箱地址，例如 me@example.com",
    "write one e-mail address, such as me@example.com",
);
pub(super) const KEY_ID: Text = Text::new(
    "请写 CA 提供的 EAB key id",
    "write the key id for EAB that the CA gave",
);
pub(super) const HMAC_FILE: Text = Text::new(
    "请写保存 CA 所提供 HMAC 密钥的文件",
    "name the file that holds the HMAC key that the CA gave",
);
pub(super) const UNDERSCORE: Text = Text::new(
    "公共 CA 不接受带下划线的域名，请改用连字符",
    "public CAs take no underscore in a name: use a hyphen, in DNS, too",
);
pub(super) const DIGITS: Text = Text::new(
    "它既不是 IP 地址，也不是域名（最后一段全是数字）",
    "it is no IP address, and no name either, for its last part is a number",
);
pub(super) const LONG_NAME: Text = Text::new(
    "域名最长 253 个字符，每一段最长 63 个",
    "a name has 253 characters at most, and each part of it 63",
);
pub(super) const LABELS: Text = Text::new(
    "域名的每一段都不能为空，也不能以连字符开头或结尾",
    "a part of the name is empty, or begins or ends with a hyphen",
);
pub(super) const PUNYCODE: Text = Text::new(
    "请写成 punycode，例如 xn--…（可用 python3 -c 'print(\"小智.cn\".encode(\"idna\").decode())' 转换）",
    "write it as punycode, xn--... (python3 -c 'print(\"小智.cn\".encode(\"idna\").decode())' makes it)",
);
pub(super) const CHALLENGE: Text = Text::new(
    "请写 tls-alpn-01 或 http-01",
    "write tls-alpn-01 or http-01",
);
pub(super) const DEFAULT_FOR: Text = Text::new(
    "请写 unmatched 或 unreported",
    "write unmatched or unreported",
);
pub(super) const VERIFY: Text = Text::new("请写 warn 或 strict", "write warn or strict");
pub(super) const FOREIGN_HOME: Text = Text::new("请写 warn 或 refuse", "write warn or refuse");
pub(super) const PIN: Text = Text::new(
    "请写其某个文件的版本，例如 1.6.6",
    "write the version of one of its files, such as 1.6.6",
);
pub(super) const MEMORY: Text = Text::new(
    "请写大小，例如 256MiB，或写 0",
    "write a size such as 256MiB, or 0",
);
pub(super) const SIZE: Text = Text::new("请写大小，例如 16MiB", "write a size such as 16MiB");
pub(super) const LOG_SIZE: Text = Text::new(
    "请写大小，例如 64MiB（至少 1KiB）",
    "write a size such as 64MiB (1KiB at least)",
);
pub(super) const LOG_RATE: Text = Text::new(
    "请写大小，例如 1MiB（16KiB 到 1GiB）",
    "write a size such as 1MiB (from 16KiB to 1GiB)",
);
pub(super) const LOG_KEEP: Text = Text::new("请写 0 到 1000 的数", "write a number from 0 to 1000");
pub(super) const LANG: Text = Text::new("请写 en 或 zh", "write en or zh");
pub(super) const FORMAT: Text = Text::new("请写 text 或 json", "write text or json");
pub(super) const CONNECTIONS: Text =
    Text::new("请写 1 到 1000000 的数", "write a number from 1 to 1000000");
pub(super) const ROUTE: Text = Text::new(
    "请写路径和后面的服务器，例如 /mcp_endpoint/: http://127.0.0.1:8005（其下的所有路径都会转发，不写通配符）",
    "write a path and the server behind it, as in /mcp_endpoint/: http://127.0.0.1:8005 (all below the path goes there, too, without any *)",
);
pub(super) const UPSTREAM_URL: Text = Text::new(
    "请写上游服务器的 OTA 地址，例如 http://127.0.0.1:8002/xiaozhi/ota/",
    "write the OTA address of the server that answers all but firmware, such as http://127.0.0.1:8002/xiaozhi/ota/",
);
pub(super) const UPSTREAM_KIND: Text = Text::new(
    "请写 manager-api（应答中没有 firmware 表示该设备关闭了自动升级）或 other（没有 firmware 不表示什么）",
    "write manager-api (a reply without firmware means that automatic updates are off for the device) or other (it means nothing)",
);
pub(super) const UPSTREAM_TIMEOUT: Text = Text::new(
    "请写大于零、不超过 20s 的时间（设备最多等待 30 秒），例如 2s",
    "write a time above zero and up to 20s, for devices wait 30 seconds at most, such as 2s",
);
pub(super) const UPSTREAM_KEEP: Text = Text::new(
    "请写大于零、不超过 30 天的时间，例如 24h 或 7d",
    "write a time above zero and up to 30 days, such as 24h or 7d",
);
pub(super) const LOG_LEVEL: Text = Text::new(
    "请写 DEBUG、INFO、WARNING 或 ERROR",
    "write DEBUG, INFO, WARNING or ERROR",
);
pub(super) const ALIAS: Text = Text::new(
    "请写 {旧型号: 新型号}，两者都是设备报告的名称",
    "write {old: new}, two names that devices report for one model",
);
pub(super) const ALIAS_SELF: Text = Text::new(
    "两边是同一个名称：请写另一个型号，或删去它",
    "both are one name: write another model's, or take it out",
);
pub(super) const ALIAS_DEFAULT: Text = Text::new(
    "default 不是型号，而是给没有文件的型号的：请写设备报告的名称",
    "default is no model, but for models without files: write the names that devices report",
);
pub(super) const ALIAS_PINS: Text = Text::new(
    "gateway.firmware.alias 说这两个名称是同一型号，而它们的 pin 不同：请只留一个",
    "gateway.firmware.alias makes it one model with another name, which is pinned to another version: leave one pin",
);
pub(super) const ADMIN_LISTEN: Text = Text::new(
    "请写本机的地址和端口，例如 127.0.0.1:8009 或 '[::1]:8009'；只写端口则为回环地址；off 表示关闭",
    "write an address of this machine with its port, such as 127.0.0.1:8009 or '[::1]:8009', a port alone for \
     loopback's, or off",
);
pub(super) const ADMIN_NAME: Text = Text::new(
    "请写浏览器地址栏中的主机名，例如 ota.example.com：不带协议、端口和路径",
    "write the host as it stands in the address that is asked for, such as ota.example.com: no scheme, port or path",
);
pub(super) const ADMIN_TOKEN_NAME: Text = Text::new(
    "请写这个令牌的名称，每个令牌不同，最多 64 字节：日志中用它表示是谁",
    "name the token, each by its own name of up to 64 bytes: the log says by it who it was",
);
pub(super) const ADMIN_ROLE: Text = Text::new(
    "请写 read（只能查看）或 operate（还能操作）",
    "write read (may look) or operate (may change something, too)",
);
pub(super) const ADMIN_TOKEN_FILE: Text = Text::new(
    "请写存有令牌的文件，令牌至少 16 个字符（openssl rand -hex 24）",
    "name the file with the token, of 16 characters or more (openssl rand -hex 24)",
);
