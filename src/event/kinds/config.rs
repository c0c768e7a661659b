//! Faults of the configuration, and what in it may be meant otherwise than it is taken.
//! Places and keys are added to the fields of each.

use super::super::Kind;
use super::super::Severity::{Error, Warning};
use super::{PLACE, found, hint};

kinds! { CONFIGURATION:
    /// The file is empty.
    CONFIG_EMPTY = of_key!("config.empty", Warning, [],
        "文件为空或只有注释，所有设置均为默认值，任何设备都可以接入：如果原来有内容，请恢复",
        "it is empty, or has comments only, so that every setting has its default, and nobody is kept out: if something stood there, restore it");
    /// No key of the file is read.
    CONFIG_NOTHING_READ = of_key!("config.nothing-read", Warning, [],
        "文件中没有任何一个键是本服务器或 xiaozhi-server 会读取的，所有设置均为默认值，任何设备都可以接入：请确认放在这里的是正确的文件；\
         server: 和 gateway: 要写在行首",
        "none of the keys in this file is read by this server or by xiaozhi-server, so that every setting has its default, and nobody \
         is kept out: put the right file here; `server:` and `gateway:` stand at the very start of a line");
    /// The file of a running server holds nothing any more.
    CONFIG_EMPTIED = of_key!("config.emptied", Error, [],
        "文件为空，或其中没有任何会被读取的键，采用它会让任何设备都可以接入：请恢复文件的内容；若确实要清除所有设置，请重启本服务",
        "it is empty, or none of its keys is read, and with it nobody would be kept out: restore what stood in it; to let go of every \
         setting, restart the server");
    /// Another file was meant to be it.
    CONFIG_MISNAMED = of_key!("config.misnamed", Warning, ["other"],
        "没有这个文件，而 {other} 不会被读取，所有设置均为默认值，任何设备都可以接入：请改名，或用 --config 指定它",
        "there is no such file, and {other} is not read, so that every setting has its default, and nobody is kept out: rename \
         it, or name it with --config");
    /// A key is nearly one that is read.
    CONFIG_NEAR_MISS = of_key!("config.near-miss", Warning, ["near", "sign?"],
        "不会被读取{（其中有 |sign|）}：是否要写 `{near}`？", "is not read here{ (it holds |sign|)}: did you mean `{near}`?");
    /// A key stands in another section than it should.
    CONFIG_MISPLACED = of_key!("config.misplaced", Warning, ["at", "sign?"],
        "写在这里不会被读取{（其中有 |sign|）}：它属于 `{at}`（每个点是一层，缩进两个空格）",
        "is not read in this place{ (it holds |sign|)}: it belongs at `{at}` (each dot is a level, two blanks further in)");
    /// A key with dots in it.
    CONFIG_DOTS = of_key!("config.dots", Warning, ["write"],
        "是一个带点的键，YAML 不把点当作层级，因此不会被读取：请写成 `{write}`，或每一层单独一行、缩进两个空格",
        "is one key with dots in it, which are no levels to YAML, so that it is not read: write `{write}`, or each level on a line of its own, \
         two blanks further in");
    /// A key of another program, for what has another name here.
    CONFIG_OTHER_NAME = of_key!("config.other-name", Warning, ["at", "form"],
        "不会被读取（xiaozhi-server 的发布版也不读取它）：请用 `{at}`，例如 {form}",
        "is not read here, nor by a released xiaozhi-server: write `{at}` for it, such as {form}");
    /// A comment stands where a value should.
    CONFIG_COMMENT = of_key!("config.comment", Warning, [],
        "没有值：# 后面是注释，不会被读取；如果那是它的值，请去掉 # 或给值加上引号",
        "has no value: what stands behind # is a comment, and is not read; if that was to be the value, take the # out, or put the \
         value in quotes");
    /// A sign of another width in a key, which both programs take as it is.
    CONFIG_SIGN_IN_KEY = of_key!("config.sign-in-key", Warning, ["sign"],
        "其中有 {sign}，它会成为密钥的一部分：如果是误输入的引号或空格，请在两边都去掉",
        "it holds {sign}, which becomes a part of the key: if that is a quote or a blank that slipped in, take it out in both \
         programs");
    /// A tab that the other reader of this file does not take.
    CONFIG_TAB_FOR_PYTHON = of_key!("config.tab-for-python", Warning, [],
        "该行的值前或值后有制表符：这里可以读取，但 xiaozhi-server 会因此无法启动：请改为空格",
        "a tab stands before or behind the value on this line: it is read here, but xiaozhi-server does not start with it: write \
         blanks in its place");
    /// The environment names a time zone that is not known.
    CONFIG_UNKNOWN_ZONE = of_key!("config.unknown-zone", Warning, [],
        "没有这个名称的时区，日志时间和 gateway.http_fallback 的日期都按 UTC：请写 Asia/Shanghai 这样的名称，或写 CST-8；设备的时钟由 \
         server.timezone_offset 决定，不受影响",
        "no time zone has that name, so that the log's times and the day of gateway.http_fallback are those of UTC: write one \
         such as Asia/Shanghai, or CST-8; devices' clocks go by server.timezone_offset");
    /// The environment names a time zone the wrong way round.
    CONFIG_REVERSED_ZONE = of_key!("config.reversed-zone", Warning, [],
        "按 POSIX 这表示比 UTC 晚（西区），与字面相反，日志时间和 gateway.http_fallback 的日期会差很多小时：请写 Asia/Shanghai 这样的名称，或 UTC-8",
        "POSIX takes this for hours behind UTC, the other way round than it reads, so that the log's times and the day of \
         gateway.http_fallback are many hours off: write a name such as Asia/Shanghai, or UTC-8 for eight hours ahead");
    /// A setting is written more than once.
    CONFIG_DUPLICATE_KEY = of_key!("config.duplicate-key", Warning, ["earlier?~", "last?~"],
        "写了不止一次{（第 |earlier|}{、|last| 行）}：与 xiaozhi-server 一样，以最后一个为准：请删去其他的",
        "it is written more than once{ (lines |earlier|}{ and |last|)}: the last one counts, as in xiaozhi-server: take the others out");
    /// Plain HTTP is over, and what the proxy came by is not known.
    CONFIG_PROXY_OVER_HTTP = of_keys!("config.proxy-over-http", Warning, [],
        "已不再提供明文 HTTP，而 gateway.behind_proxy 为 true：如果代理以明文 HTTP 连接，每台设备都会得到 403{（|beside|}{ 位于 |beside_place|）}：\
         让代理改用 https，或在 gateway.behind_proxy 中列出它的地址并让它发送 X-Forwarded-Proto，或删去 http_fallback",
        "plain HTTP is over, and gateway.behind_proxy is true: every device gets a 403 if the proxy comes over plain HTTP\
         { (|beside|}{ stands at |beside_place|)}: let it come over https, or list its addresses in gateway.behind_proxy and let it \
         send X-Forwarded-Proto, or take http_fallback out");
    /// Plain HTTP is over, and no address is configured.
    CONFIG_HTTPS_MADE_UP = of_key!("config.https-made-up", Warning, ["url"],
        "已不再提供明文 HTTP，而没有配置地址：每台设备会得到它访问本服务器所用的 https 地址（看不出时为 {url}），证书必须包含其中的主机名：\
         请将 server.ota 设为 https 地址",
        "plain HTTP is over, and no address is configured: each device is handed the https address by which it comes ({url} where that does \
         not show), and the certificate must hold its host: give server.ota an https address");
    /// Blanks around an address.
    CONFIG_OUTER_BLANKS = of_key!("config.outer-blanks", Warning, [],
        "地址前后有空格：这里会去掉，但 xiaozhi-server 会原样下发，设备因此连接失败：请删去",
        "blanks stand in front of the address or behind it: they are left out here, and xiaozhi-server hands them to devices, which then \
         fail to connect: take them out");
    /// A port takes a PROXY header from anybody.
    CONFIG_PROXY_HEADER_FROM_ANYBODY = of_key!("config.proxy-header-from-anybody", Warning, ["port"],
        "端口 {port} 接受任何人发来的 PROXY 头，能连到它的客户端可以冒充任何地址：请在 gateway.behind_proxy 中列出代理的地址",
        "port {port} takes a PROXY header from anybody, so that any client that reaches it can claim any address: list the \
         proxy's addresses in gateway.behind_proxy");
    /// Everybody is a proxy.
    CONFIG_TRUSTS_EVERYBODY = of_key!("config.trusts-everybody", Warning, ["network"],
        "{network} 包括所有人，任何客户端都可以冒充任何地址：请只列出代理自己的地址",
        "{network} is everybody, so that any client can claim any address: list the proxy's own addresses only");
    /// The mode of TLS does not use it.
    CONFIG_UNUSED = of_keys!("config.unused", Warning, ["mode", "wanted"],
        "不会被使用，因为 gateway.tls.mode 为 {mode}{（|beside|}{ 位于 |beside_place|）}：请写 mode: {wanted}，或删去它",
        "is not used, for gateway.tls.mode is {mode}{ (|beside|}{ stands at |beside_place|)}: write mode: {wanted}, or take it out");
    /// More than there is memory for.
    CONFIG_MEMORY = of_key!("config.memory", Warning, ["memory", "of", "fit"],
        "占用的内存可能超过 {memory}（{of}）允许的范围，届时内核会结束本进程；这里的默认值是 {fit}：请改小或删去它，或增加内存",
        "may take more than its part of {memory}, {of}, and the kernel ends this process for that; the default is {fit} here: write less, \
         take it out, or give it more memory");
    /// A size without a unit.
    CONFIG_BYTES = of_key!("config.bytes", Warning, ["bytes", "write"],
        "没有写单位，因此是 {bytes} 字节：请写 {write}；若确实是字节，请写 {bytes}b",
        "no unit is written, so that it is bytes: write {write}, or {bytes}b if bytes are meant");
    /// A device on the list that none is called.
    CONFIG_NO_DEVICE = of_key!("config.no-device", Warning, ["write"],
        "设备报告的 MAC 地址是小写、用冒号分隔的（与 xiaozhi-server 比较时一字不差），因此没有设备与它相符，仍然需要令牌：请写 {write}",
        "devices report their MAC address in lower case with colons, and xiaozhi-server compares to the letter, so that no device is this one, \
         and all need a token: write {write}");
    /// A pattern on the list of devices.
    CONFIG_EVERY_DEVICE = of_key!("config.every-device", Warning, [],
        "这里只能逐个列出 MAC 地址，没有通配符，因此没有设备与它相符：若要让所有设备不用令牌，请在两边都设 server.auth.enabled: false",
        "MAC addresses are listed here one by one, and there is no pattern, so that no device is this one: to let every device in without a \
         token, set server.auth.enabled: false in both programs");
    /// A list of projects with one name.
    CONFIG_ONE_PROJECT = of_key!("config.one-project", Warning, ["project"],
        "只列出了 {project}，不会改变什么：请列出表示本项目的每个名称，例如 [xiaozhi, my-fork]",
        "lists {project} alone, which changes nothing: list every name that means this project, as in [xiaozhi, my-fork]");
    /// Nobody can tell whether it is in quotes.
    CONFIG_UNSURE_QUOTES = of_key!("config.unsure-quotes", Warning, [],
        "它前面的行有两种读法，无法判断它是否带引号（带引号时 xiaozhi-server 视为真），这里视为 false：请写不带引号的 true 或 false",
        "the lines before it are read in two ways, so that nobody can tell whether it stands in quotes, which would make it true \
         to xiaozhi-server; it is taken for false: write true or false without quotes");
    /// A boolean in quotes.
    CONFIG_QUOTED_BOOLEAN = of_key!("config.quoted-boolean", Warning, [],
        "带引号时对 xiaozhi-server 是文本，而它把任何文本都视为真，因此这里也为真：请写不带引号的 true 或 false",
        "in quotes it is a text to xiaozhi-server, which takes every text for true, and so it is true here, too: write true or \
         false without quotes");
    /// A boolean in a spelling that is none to Python.
    CONFIG_BOOLEAN_SPELLING = of_key!("config.boolean-spelling", Warning, [],
        "这样写时 xiaozhi-server 视为真（凡是非空、非零的都是），因此这里也为真：请写不带引号的 true 或 false",
        "in this spelling xiaozhi-server takes it for true, as it does whatever is neither empty nor zero, and so it is true here, \
         too: write true or false without quotes");
    /// Hours in quotes.
    CONFIG_TEXT_FOR_HOURS = of_key!("config.text-for-hours", Warning, [],
        "对 xiaozhi-server 是文本，它会将其重复六十次；这里取其中的数字：请不带引号和前导零书写，例如 8 或 -3.5",
        "it is a text to xiaozhi-server, which would repeat it sixty times; the number is taken here: write it without quotes and \
         leading zeros, such as 8 or -3.5");
    /// A text that is none without quotes.
    CONFIG_UNQUOTED_TEXT = of_key!("config.unquoted-text", Warning, ["is"],
        "不带引号时对 xiaozhi-server 是{is}，而它需要文本，会因此出错；这里视为文本：请加上引号",
        "without quotes it is {is} to xiaozhi-server, which needs a text and fails at it; it is taken for a text here: put it in \
         quotes");
    /// One device where a list is wanted.
    CONFIG_TEXT_FOR_LIST = of_key!("config.text-for-list", Warning, [],
        "对 xiaozhi-server 是一个文本，而不是列表，其中没有任何设备：请放在方括号中",
        "it is one text to xiaozhi-server, and no list: no device is on it: put it in brackets");
    /// A device that is a number.
    CONFIG_UNQUOTED_DEVICE = of_key!("config.unquoted-device", Warning, ["device"],
        "{device} 不带引号时对 xiaozhi-server 是数字；该设备会得到令牌，两种情况下都可用：请加上引号",
        "{device} is a number to xiaozhi-server unless it is quoted; this device is given a token, which works either way: put \
         it in quotes");
    /// No address of a voice server can be made up.
    CONFIG_NO_VOICE = of_key!("config.no-voice", Warning, ["url", "why"],
        "没有设置，这里也得不出设备能读懂的地址：{url}：{why}。不会下发地址，设备没有语音。",
        "it is not set, and no address for it can be made up here that devices can read: of {url}, {why}. None is handed out, \
         and devices have no voice.")
        .remedy("设为域名或 IPv4 地址，例如 ws://192.168.1.100:8000/xiaozhi/v1/。",
            "set it to a name or an IPv4 address, as in ws://192.168.1.100:8000/xiaozhi/v1/.");
    /// A value is not one of those that are wanted.
    CONFIG_VALUE = of_key!("config.value", Error, ["wanted"], "{wanted}", "{wanted}");
    /// A value is not written.
    CONFIG_MISSING = of_key!("config.missing", Error, ["wanted"], "没有写：{wanted}", "missing: {wanted}");
    /// A list without items.
    CONFIG_EMPTY_LIST = of_key!("config.empty-list", Error, ["wanted"], "列表为空：{wanted}", "the list is empty: {wanted}");
    /// A value of nothing.
    CONFIG_EMPTY_VALUE = of_key!("config.empty-value", Error, [],
        "为空：请写一个值，或删去该键", "it is empty: write a value, or take the key out");
    /// Something else where a mapping is wanted.
    CONFIG_NOT_MAPPING = of_key!("config.not-mapping", Error, ["write?"],
        "必须是映射：在它下面缩进书写 `键: 值` 的行{，或写成一行：`|write|`}",
        "must be a mapping: indented `key: value` lines below it{, or on one line: `|write|`}");
    /// Something else where a scalar is wanted.
    CONFIG_NOT_SCALAR = of_key!("config.not-scalar", Error, [],
        "必须是单个值，而不是列表或映射", "must be a plain value, not a list or mapping");
    /// Something else where a port is wanted.
    CONFIG_NOT_PORT = of_key!("config.not-port", Error, [],
        "必须是单个值或映射", "must be a plain value or a mapping");
    /// A key that is not known.
    CONFIG_UNKNOWN_KEY = of_key!("config.unknown-key", Error, ["near?", "elsewhere?", "known?", "sign?"],
        "没有这个键{（其中有 |sign|）}{：是否要写 `|near|`？}{：它属于 `|elsewhere|`（每个点是一层）}{：可用的有 |known|}",
        "no such key{ (it holds |sign|)}{: did you mean `|near|`?}{: it belongs at `|elsewhere|` (each dot is a level)}{: write one of |known|}");
    /// A section is written more than once.
    CONFIG_DUPLICATE_SECTION = of_key!("config.duplicate-section", Error, ["earlier?~", "last?~"],
        "写了不止一次{（第 |earlier|}{、|last| 行）}，只有最后一个会生效，其他的内容会丢失，尤其是谁可以接入：请合并为一个",
        "it is written more than once{ (lines |earlier|}{ and |last|)}, and only the last one would count: what stands in the \
         others, who may come in above all, would be lost: put them together into one");
    /// A merge key in quotes.
    CONFIG_QUOTED_MERGE = of_key!("config.quoted-merge", Error, [],
        "带引号时对 xiaozhi-server 不起合并作用，只是普通的键：请去掉引号",
        "in quotes it merges nothing to xiaozhi-server, and is a key like any other: take the quotes away");
    /// A merge key of what is no mapping.
    CONFIG_EMPTY_MERGE = of_key!("config.empty-merge", Error, [],
        "只能合并映射，这里什么也合并不了：请写 <<: *名称，其中“名称”是某个映射的锚点（&名称）",
        "it merges nothing, for it is no mapping: write <<: *name, where &name stands at a mapping");
    /// An item that is there already.
    CONFIG_TWICE = of_keys!("config.twice", Error, [],
        "重复列出{（|beside|}{ 位于 |beside_place|）}：每个端口只写一次",
        "listed twice{ (|beside|}{ stands at |beside_place|)}: write each port once");
    /// A key where its file is wanted.
    CONFIG_HOLDS_KEY = of_key!("config.holds-key", Error, [],
        "这是密钥或证书本身，而这里要写它的文件名：请存入文件并写文件名；看过本文件的人也就看到了密钥",
        "this is the key or certificate itself, where the name of its file is wanted: write it to a file and name that; whoever \
         has seen this file has seen the key");
    /// An address where a file is wanted.
    CONFIG_NOT_FILE = of_key!("config.not-file", Error, [],
        "这是网址，而这里要写本机文件或目录的名称",
        "this is an address, and the name of a file or folder of this machine is wanted");
    /// A placeholder where a key is wanted.
    CONFIG_PLACEHOLDER = of_key!("config.placeholder", Error, ["is"],
        "这是{is}，它自己会成为密钥，看过模板的人都知道：请在这里写密钥，与 xiaozhi-server 和 MQTT 网关的相同",
        "this is {is}, and would itself be the key, which everybody knows who has seen it: write the key here, the same that \
         xiaozhi-server and the MQTT gateway have");
    /// A value that is true to Python, and may not be meant to be.
    CONFIG_TRUE_TO_PYTHON = super::why("config.true-to-python", &[],
        "xiaozhi-server 把它视为真；若本意为 false，请写不带引号的 false",
        "xiaozhi-server takes it for true: if false is meant, write false without quotes");
    /// Tokens without a key.
    CONFIG_NO_KEY = of_key!("config.no-key", Error, ["meant?"],
        "{|meant|；若本意为 true，}令牌需要 xiaozhi-server 用来校验的密钥：请在两边把 server.auth_key（或 manager-api.secret）设为相同的值",
        "{|meant|; or, if true is meant, }tokens need the key that xiaozhi-server checks them with: set server.auth_key to the same value in both (or \
         manager-api.secret)");
    /// The text `null`.
    CONFIG_QUOTED_NULL = of_key!("config.quoted-null", Error, [],
        "带引号时对 xiaozhi-server 是主机名：请写不带引号的 null，或删去该键",
        "in quotes it is the name of a host to xiaozhi-server: write null without quotes, or take the key out");
    /// An address that cannot be read.
    CONFIG_ADDRESS = of_key!("config.address", Error, ["what"], "地址有误：{what}", "{what}");
    /// A network that is not named by its first address.
    CONFIG_NETWORK = of_key!("config.network", Error, ["network", "address"],
        "网络请写 {network}，单个地址请写 {address}",
        "write {network} for the network, or {address} for the one address");
    /// The name of a project that is none.
    CONFIG_PROJECT = of_key!("config.project", Error, ["bytes"],
        "请按固件中的写法填写项目名，最多 {bytes} 字节（可用 xiaozhi-ota inspect 查看）",
        "write a project's name as the image has it, of {bytes} bytes at most (xiaozhi-ota inspect shows it)");
    /// Mode `files` without files.
    CONFIG_NO_CERTIFICATE = of_key!("config.no-certificate", Error, [],
        "gateway.tls.certificates 没有列出文件：请在其中写 cert 和 key",
        "gateway.tls.certificates names no file: list cert and key there");
    /// A name that no CA gives a certificate for.
    CONFIG_WILDCARD = of_keys!("config.wildcard", Error, [],
        "泛域名只能通过 DNS 向 CA 证明，本服务器不支持{（|beside|}{ 位于 |beside_place|）}：请逐个列出域名",
        "a wildcard can be proved to a CA by DNS only, which this server does not do{ (|beside|}{ stands at |beside_place|)}: list \
         each name");
    /// A name that the internet does not know.
    CONFIG_PRIVATE_NAME = of_key!("config.private-name", Error, [],
        "公共 CA 不会为它签发证书，因为互联网上没有它：请列出公网域名，或将 acme.directory 设为自己的 CA",
        "no public CA gives a certificate for it, for the internet does not know it: list public names, or set acme.directory to \
         a CA of your own");
    /// A name that no CA signs, for it is none of DNS.
    CONFIG_NO_DNS_NAME = of_keys!("config.no-dns-name", Error, ["why"],
        "CA 不会为它签发证书：{why}", "no CA gives a certificate for it: {why}");
    /// More names than a CA takes.
    CONFIG_TOO_MANY_NAMES = of_key!("config.too-many-names", Error, ["names", "most"],
        "{names} 个域名超过了公共 CA 一份证书所允许的 {most} 个：请减少",
        "{names} names are more than the {most} that a public CA puts into one certificate: list fewer");
    /// A public address that the internet does not know.
    CONFIG_PRIVATE_HOST = of_keys!("config.private-host", Error, [],
        "acme 模式以公网地址的主机为域名，而公共 CA 不会为它签发证书{（|beside|}{ 位于 |beside_place|）}：\
         请将 server.ota 或 server.vision_explain 设为公网 https 地址，或列出 gateway.tls.names",
        "mode acme takes the public address's host as the name, and no public CA gives a certificate for this one\
         { (|beside|}{ stands at |beside_place|)}: set server.ota or server.vision_explain to a public https address, or list \
         gateway.tls.names");
    /// Origins are listed, and every page may ask.
    CONFIG_CORS_UNUSED = of_key!("config.cors-unused", Warning, [],
        "不会有任何作用，因为 server.auth.enabled 未启用：那时没有令牌，任何网页都可以读取应答",
        "does nothing, for server.auth.enabled is not true: there is no token then, and any page may read replies");
    /// Nothing is there to hold images against.
    CONFIG_HOME_UNKNOWN = of_key!("config.home-unknown", Warning, [],
        "不会有任何作用，因为没有配置公网地址，固件内的 OTA 地址无从比较：请写 server.ota 或 server.vision_explain",
        "does nothing, for no public address is configured that the OTA addresses in images could be held against: write server.ota or \
         server.vision_explain");
    /// Neither HTTP nor HTTPS.
    CONFIG_NO_DOOR = of_keys!("config.no-door", Error, [],
        "已不再提供明文 HTTP，而 gateway.tls.mode 为 off，谁也无法连接{（|beside|}{ 位于 |beside_place|）}：请设置其中之一",
        "plain HTTP is over and gateway.tls.mode is off, so that nobody could connect{ (|beside|}{ stands at |beside_place|)}: set \
         one of the two");
    /// HTTP is over, and handed out.
    CONFIG_HTTP_ADDRESS = of_keys!("config.http-address", Error, ["url", "setting"],
        "已不再提供明文 HTTP，而公网地址为 {url}，下发给设备的地址无人应答{（|beside|}{ 位于 |beside_place|）}：请将 {setting} 设为 https 地址",
        "plain HTTP is over, but the public address is {url}, so that devices would be handed what is not served\
         { (|beside|}{ stands at |beside_place|)}: give {setting} an https address");
    /// A path that goes elsewhere already.
    CONFIG_ROUTE_TWICE = of_keys!("config.route-twice", Error, ["path", "other"],
        "{path} 已由 {other} 转发{（|beside|}{ 位于 |beside_place|）}：请删去其中之一",
        "{path} goes by {other} already{ (|beside|}{ stands at |beside_place|)}: take one of them out");
    /// A path that is answered here.
    CONFIG_ROUTE_OTA = of_key!("config.route-ota", Error, [],
        "这是由本服务器应答的 OTA 接口：请删去", "this is the OTA interface, which is answered here: take it out");
    /// A server behind this one by another scheme.
    CONFIG_BACKEND_SCHEME = of_key!("config.backend-scheme", Error, ["write"],
        "后面的服务器以 http 访问，不使用 TLS：请写 {write}",
        "servers behind this one are reached over http, without TLS: write {write}");
    /// A server behind this one with a path.
    CONFIG_BACKEND_PATH = of_key!("config.backend-path", Error, ["write"],
        "请求自己的路径保持不变：请写不带路径的 {write}",
        "the request's own path is kept: write {write} without a path");
    /// This server behind itself.
    CONFIG_BACKEND_ITSELF = of_keys!("config.backend-itself", Error, [],
        "这是本服务器自己的端口（gateway.ports），请求会循环转发{（|beside|}{ 位于 |beside_place|）}：\
         请让 xiaozhi-server 使用另一个端口（server.http_port）并写在这里",
        "this is a port of this server itself (gateway.ports), and requests would go round in circles\
         { (|beside|}{ stands at |beside_place|)}: give xiaozhi-server another one (server.http_port) and name that");
    /// This server as its own upstream.
    CONFIG_UPSTREAM_ITSELF = of_keys!("config.upstream-itself", Error, [],
        "这是本服务器自己的地址，设备的签到会循环转发{（|beside|}{ 位于 |beside_place|）}：请写上游服务器自己的 OTA 地址，\
         例如 manager-api 的 http://127.0.0.1:8002/xiaozhi/ota/",
        "this is an address of this server itself, and check-ins would go round in circles{ (|beside|}{ stands at |beside_place|)}: \
         write the upstream's own OTA address, such as manager-api's http://127.0.0.1:8002/xiaozhi/ota/");
    /// The admin address as the upstream.
    CONFIG_UPSTREAM_ADMIN = of_key!("config.upstream-admin", Error, [],
        "这是本服务器自己的管理地址（gateway.admin.listen），它不应答签到：请写上游服务器自己的 OTA 地址，\
         例如 manager-api 的 http://127.0.0.1:8002/xiaozhi/ota/",
        "this is the address at which this server itself is operated (gateway.admin.listen), which answers no check-in: write the \
         upstream's own OTA address, such as manager-api's http://127.0.0.1:8002/xiaozhi/ota/");
    /// A path that is none of an OTA interface.
    CONFIG_UPSTREAM_PATH = of_key!("config.upstream-path", Warning, ["write"],
        "xiaozhi 服务器的 OTA 地址以 /ota/ 结尾（末尾的斜杠也算），其他地址多半应答 404：请写 {write}",
        "the OTA address of a xiaozhi server ends in /ota/, the last slash included, and others mostly answer 404: write {write}");
    /// Certificates that cannot be used.
    CONFIG_CERTIFICATE = of_key!("config.certificate", Error, ["what"], "{what}", "{what}");
    /// What a setting names is none of its kind on this machine.
    CONFIG_UNUSABLE = of_key!("config.unusable", Error, ["what"], "{what}", "{what}");
    /// An alias of names without files.
    ALIAS_NO_FILE = found("alias.no-file", &["place?", "setting", "old", "new"],
        "{old} 和 {new} 是同一型号，而固件目录中没有任何一个名称的文件：这个别名不起作用。",
        "{old} and {new} are one model, and the firmware folder has no file of either name: this alias does nothing.")
        .remedy("请检查两个名称的拼写（与设备报告的逐字一致），或放入 {new}_版本.bin。",
            "look at the spelling of both, which counts to the letter as devices report them, or put {new}_version.bin there.");
    /// An alias one of whose names is nearly a file's.
    ALIAS_NEAR = found("alias.near", &["place?", "setting", "name", "near", "rename?", "model?"],
        "固件目录中没有型号 {name} 的文件，而 {near} 的名称与它相近：名称须逐字一致，大小写和空格也算。",
        "the firmware folder has no file of {name}, and the name of {near} is nearly that: names count to the letter, case and \
         blanks too.")
        .remedy("{在别名中改写 |model|，或}{将文件改名为 |rename|}。", "{write |model| in the alias, or }{call the file |rename|}.");
    /// An alias whose new name has no file yet.
    ALIAS_NO_NEW = hint("alias.no-new", &["place?", "setting", "old", "new"],
        "没有 {new} 的文件：两个名称的设备都得到 {old} 的文件。如果不是这样打算，请检查 {new} 的拼写。",
        "no file has the name {new}: devices of both names get those of {old}; where that is not meant, look at how {new} is spelt.");
    /// An alias whose old name has files, too.
    ALIAS_BOTH = hint("alias.both", &["place?", "setting", "old", "new"],
        "{old} 和 {new} 都有自己的文件：两个名称的设备都得到其中版本最高的。如果它们是两种板子，请删去这个别名。",
        "{old} and {new} have files each: devices of both names get the highest version of all; if they are two boards, take this \
         alias out.");
}
