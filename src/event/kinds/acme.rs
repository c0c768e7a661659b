//! Reasons why a CA will give no certificate, as far as they can be seen from here.

use super::super::Kind;
use super::super::Severity::Warning;
use super::{found, hint, why};

kinds! { ORDERS:
    /// Something in front ends the TLS of the challenge.
    ACME_BEHIND_PROXY = found("acme.behind-proxy", &["place?", "setting", "challenge"],
        "前面的代理会应答公网地址，CA 的 {challenge} 握手到达的是它而不是这里：申请证书会失败。",
        "what stands in front answers the public address, so that a CA's handshake ({challenge}) ends there and not here: no \
         certificate comes.")
        .remedy("让代理持有证书（此处 gateway.tls.mode: off）；或让它原样转发 443 端口的 TCP，并删去 behind_proxy；或改用 \
            gateway.tls.acme.challenge: http-01，并让它将 /.well-known/acme-challenge/ 转发到这里。",
            "let the proxy have the certificate (gateway.tls.mode: off here); or let it pass on port 443 as TCP, and take \
             behind_proxy out; or set gateway.tls.acme.challenge: http-01, and let it pass /.well-known/acme-challenge/ on to \
             here.");
    /// Something in front has the path of the challenge.
    ACME_BEHIND_PROXY_HTTP = found("acme.behind-proxy-http", &["place?", "setting", "challenge"],
        "前面的代理会应答公网地址，CA 的 {challenge} 请求先到达它的 80 端口：如果它不将 /.well-known/acme-challenge/ 转发到这里，\
         申请证书会失败。",
        "what stands in front answers the public address, and a CA's request ({challenge}) comes to its port 80: unless it passes \
         /.well-known/acme-challenge/ on to here, no certificate comes.")
        .remedy("在代理中将 80 端口的 /.well-known/acme-challenge/ 以明文 HTTP 转发到这里；或让代理持有证书（此处 gateway.tls.mode: off）。",
            "have it pass /.well-known/acme-challenge/ of port 80 on to here by plain HTTP; or let it have the certificate \
             (gateway.tls.mode: off here).");
    /// Nobody but this machine can connect.
    ACME_LOOPBACK = found("acme.loopback", &["place?", "setting", "port"],
        "本服务器只监听本机回环地址，公共 CA 无法访问端口 {port}：申请证书会失败。",
        "this server listens on the loopback only, where no public CA comes to port {port}: no certificate comes.")
        .remedy("删去 gateway.ip，或写本机对外的地址。", "take gateway.ip out, or write the address that the outside reaches.");
    /// A CA refuses the e-mail address.
    ACME_EMAIL = found("acme.email", &["place?", "setting", "email"],
        "{email} 的域名是示例或本地域名，收不到邮件，公共 CA 会拒绝：申请证书会失败。",
        "{email} is of a domain where no mail comes (for examples, or local ones), which public CAs refuse: no certificate comes.")
        .remedy("写真实的邮箱地址，或删去 email。", "write an address that somebody reads, or take email out.");
    /// The key of a contract is open to all.
    ACME_EAB_OPEN = found("acme.eab-open", &["place?", "setting", "file", "mode"],
        "{file} 的权限为 {mode}，本机的任何用户都能读取其中的密钥，并以你的名义申请证书。",
        "{file} has the mode {mode}: every user of this machine can read the key in it, and order certificates in your name.")
        .remedy("chmod 600 {'file'}", "chmod 600 {'file'}");
    /// A CA makes no account without a contract.
    ACME_EAB_MISSING = found("acme.eab-missing", &["place?", "setting", "directory"],
        "{directory} 要求账户绑定（External Account Binding），而没有配置：它不会创建账户，也就得不到证书。",
        "{directory} wants the account to be bound to a contract (external account binding), and none is configured: it makes no \
         account, and no certificate comes.")
        .remedy("在 CA 的网站获取 EAB 的 key id 和 HMAC 密钥，写入 gateway.tls.acme.eab 的 key_id 和 hmac_file（保存密钥的文件）。",
            "get a key id and an HMAC key for EAB at the CA's site, and set gateway.tls.acme.eab with key_id and hmac_file, \
             the file that holds the key.");
    /// The directory cannot be used.
    ACME_DIRECTORY = found("acme.directory", &["place?", "setting", "why"],
        "证书机构无法使用：{why}", "the CA cannot be used: {why}");
    /// The directory is none of those that the authority has.
    ACME_DIRECTORY_UNKNOWN = found("acme.directory-unknown", &["place?", "setting", "directory", "known"],
        "{directory} 不是该机构的 ACME 目录地址（acme-v01 和 acme-staging 已停用，路径也不能省略）：申请证书会失败。",
        "{directory} is no ACME directory of that authority (acme-v01 and acme-staging are gone, and the path belongs to it): no \
         certificate comes.")
        .remedy("写其中之一：{known}。", "write one of {known}.");
    /// The directory is a whole host.
    ACME_DIRECTORY_ROOT = found("acme.directory-root", &["place?", "setting", "directory"],
        "{directory} 没有路径，而 ACME 目录几乎都有：申请证书多半会失败。",
        "{directory} has no path, and nearly every ACME directory has one: probably no certificate comes.")
        .remedy("写该机构文档中的完整地址（step-ca 是 https://主机:端口/acme/acme/directory）。",
            "write the whole address from the CA's documents (step-ca's is https://HOST:PORT/acme/acme/directory).");
    /// The directory is for trials.
    ACME_TRIAL = found("acme.trial", &["place?", "setting", "directory"],
        "{directory} 是测试环境，没有客户端信任它签发的证书：Wi-Fi 设备会拒绝连接。",
        "{directory} is for trials, and no client trusts what it signs: Wi-Fi devices refuse the connection.")
        .remedy("试验成功后换成正式的目录（Let's Encrypt 删去 directory 即可）。",
            "when the trial is done, use the real directory (of Let's Encrypt, take directory out).");
    /// A public CA is to sign an IP address, which few do.
    ACME_NAME_ADDRESS = found("acme.name-address", &["place?", "setting", "name", "directory"],
        "{name} 是 IP 地址，多数公共 CA 不通过 ACME 为 IP 地址签发证书，{directory} 可能会拒绝整个申请。",
        "{name} is an IP address, which most public CAs do not sign by ACME: {directory} may refuse the whole order.")
        .remedy("使用域名；或用 Let's Encrypt（删去 directory），它为 IP 地址签发六天的证书。",
            "use a host name, or Let's Encrypt (take directory out), which signs addresses for six days.");
    /// Let's Encrypt signs an IP address for days.
    ACME_NAME_SHORT = hint("acme.name-short", &["place?", "setting", "name"],
        "{name} 是 IP 地址：Let's Encrypt 只为它签发六天的证书，每隔几天续期一次，其验证端口须一直能从互联网访问；较旧的固件（mbedTLS 2.28）\
         不认证书中的 IP 地址，会拒绝连接。",
        "{name} is an IP address: Let's Encrypt signs it for six days and this server renews it every few, for which the port of the \
         challenge has to stay open to the internet; older firmware (mbedTLS 2.28) knows no IP addresses in certificates and refuses \
         the connection.")
        .remedy("有域名时请使用域名。", "where you have a host name, use that.");
    /// Devices are sent past the certificate.
    ACME_PLAIN_ADDRESS = found("acme.plain-address", &["place?", "setting", "url", "name?"],
        "{url} 是 http 地址，设备会用明文 HTTP 下载；而这里申请了证书，至多用于以 https 填写的检查地址。",
        "{url} is an http address: devices download by plain HTTP, and the certificate that is ordered here serves at most those that \
         check in by https.")
        .remedy("将 {setting} 改为 https 地址{（https://|name|/xiaozhi/ota/）}；不需要证书则 gateway.tls.mode: off。",
            "set {setting} to an https address{ (https://|name|/xiaozhi/ota/)}; where no certificate is wanted, gateway.tls.mode: off.");
    /// DNS knows no such name.
    ACME_NAME_UNKNOWN = Kind::new("acme.name-unknown", Warning, "keeper", &["setting", "name", "error"],
        "{name} 在 DNS 中没有地址（{error}），CA 找不到本服务器：申请证书会失败。",
        "DNS has no address for {name} ({error}), so that a CA does not find this server: no certificate comes.")
        .remedy("在 DNS 中为 {name} 添加指向本机公网地址的 A 记录；检查拼写。",
            "add an A record for {name} with this machine's public address; check the spelling.");
    /// A name leads where no CA comes.
    ACME_NAME_PRIVATE = Kind::new("acme.name-private", Warning, "keeper", &["setting", "name", "addresses"],
        "{name} 在这里解析为 {addresses}，公共 CA 无法访问这样的地址：如果公网 DNS 也是如此，申请证书会失败。",
        "{name} leads to {addresses} here, where no public CA comes: if that is so in public DNS, too, no certificate comes.")
        .remedy("让公网 DNS 中 {name} 的记录指向公网地址。", "let the record of {name} in public DNS have a public address.");
    /// A name leads to another server.
    ACME_NAME_ELSEWHERE = Kind::new("acme.name-elsewhere", Warning, "keeper", &["setting", "name", "port", "address", "answer", "own?"],
        "{name} 的端口 {port} 在 {address} 上由另一个服务器应答（{answer}），而不是本服务器{（本机地址：|own|）}：CA 到达的是它，\
         申请证书会失败。",
        "another server answers at port {port} of {name} ({address} says {answer}), and not this one{, whose machine has |own|}: a CA \
         comes there, and no certificate comes.")
        .remedy("将 DNS 指向本机；若经过路由器，将端口 {port} 转发到本服务器；停用占用该端口的程序，并检查过时的 AAAA 记录。",
            "let DNS lead to this machine, or the router forward port {port} to this server; stop what else has that port, and \
             look for a stale AAAA record.");
    /// A name leads to an address that is not this machine's.
    ACME_NAME_FOREIGN = Kind::new("acme.name-foreign", Warning, "keeper", &["setting", "name", "addresses", "own?", "port", "error?"],
        "{name} 指向 {addresses}，不是本机的地址{（|own|）}{，从这里也无法连接（|error|）}：在路由器后面这很正常，否则 CA 会到达别处，\
         申请证书会失败。",
        "{name} leads to {addresses}, which is none of this machine's addresses{ (|own|)}{, and nobody answers there (|error|)}: behind a \
         router that is as it should be; else a CA comes to another machine, and no certificate comes.")
        .remedy("如果在路由器后面，检查端口 {port} 是否转发到这里；否则将 DNS 指向本机。",
            "behind a router, see that it forwards port {port} to here; else let DNS lead to this machine.");
    /// A reason: the CA makes no account without a contract.
    ACME_EAB_WANTED = why("acme.eab-wanted", &["directory"],
        "{directory} 要求账户绑定：请设置 gateway.tls.acme.eab 的 key_id 和 hmac_file（在 CA 的网站获取）",
        "{directory} wants the account to be bound to a contract: set gateway.tls.acme.eab with key_id and hmac_file, which the CA's \
         site gives");
    /// What to check: the contract.
    ACME_CHECK_EAB = why("acme.check-eab", &[],
        "请检查 gateway.tls.acme.eab 的 key_id 以及 hmac_file 中的密钥：是否来自该机构、是否完整、是否仍有效（有的只能使用一次）",
        "check gateway.tls.acme.eab: that key_id and the key in hmac_file are this CA's, whole, and not used up (some hold for one account)");
    /// A reason: the CA names what is no https address.
    ACME_CA_ADDRESS = why("acme.ca-address", &["address"],
        "{address} 不是 https 地址：请检查 gateway.tls.acme.directory；如果是证书机构自己给出的，请告知该机构",
        "{address} is no https address: check gateway.tls.acme.directory; where the CA itself names it, tell the CA");
    /// A reason: no TLS.
    ACME_CA_NO_TLS = why("acme.ca-no-tls", &["host"],
        "{host} 说的不是 TLS（多半是明文 HTTP 的端口）：请检查 gateway.tls.acme.directory 中的端口",
        "{host} speaks no TLS (a port for plain HTTP, probably): check the port in gateway.tls.acme.directory");
    /// A reason: its answer is no ACME.
    ACME_CA_STRANGE = why("acme.ca-strange", &["error"],
        "它的应答不合 ACME（{error}）：请检查 gateway.tls.acme.directory，以及途中是否有代理代为应答",
        "its answer is none that ACME knows ({error}): check gateway.tls.acme.directory, and whether a proxy on the way answers instead");
    /// A reason: nobody answers.
    ACME_CA_CONNECT = why("acme.ca-connect", &["host", "error"],
        "{host} 没有应答（{error}）：请检查本机的 DNS、外网连接（需要代理时设置 HTTPS_PROXY）以及 gateway.tls.acme.directory",
        "{host} does not answer ({error}): check this machine's DNS, its way to the internet (HTTPS_PROXY where that is through a \
         proxy), and gateway.tls.acme.directory");
    /// A reason: its certificate does not count.
    ACME_CA_TRUST = why("acme.ca-trust", &["host", "error"],
        "{host} 的证书不可信（{error}）：请检查 gateway.tls.acme.directory，私有 CA 的根证书写在 gateway.tls.acme.root",
        "{host} cannot be trusted ({error}): check gateway.tls.acme.directory, and name a private CA's root in gateway.tls.acme.root");
    /// A reason: it broke off.
    ACME_CA_BROKE = why("acme.ca-broke", &["host", "error"], "{host} 中断了连接（{error}）：请检查途中是否有防火墙或代理切断 TLS，以及 gateway.tls.acme.directory",
        "{host} broke off ({error}): check whether a firewall or proxy on the way to it cuts TLS off, and gateway.tls.acme.directory");
    /// A reason: its answer cannot be read.
    ACME_CA_BODY = why("acme.ca-body", &["host", "error"],
        "{host} 的应答无法读取（{error}）：请检查途中是否有代理代为应答",
        "{host} sent an answer that cannot be read ({error}): check whether a proxy on the way answers instead");
    /// A reason: it does not answer as a CA does.
    ACME_CA_STATUS = why("acme.ca-status", &["host", "status", "to?"],
        "{host} 的应答为 {status}{，指向 |to|}，不是 CA 的应答：请检查 gateway.tls.acme.directory，以及途中是否有代理或防火墙代为应答；\
         CA 停机维护时会自行恢复",
        "{host} answers {status}{, which leads to |to|}, and not as a CA does: check gateway.tls.acme.directory, and whether a proxy or a \
         firewall on the way to it answers instead; a CA that is down for maintenance comes back by itself");
    /// A reason: it does not answer in time.
    ACME_CA_LATE = why("acme.ca-late", &["host", "seconds"],
        "{host} 在 {seconds} 秒内没有应答：请检查本机的外网连接",
        "{host} did not answer within {seconds} s: check this machine's way to the internet");
    /// A reason: the directory is something else.
    ACME_CA_NO_DIRECTORY = why("acme.ca-no-directory", &["directory", "what"],
        "{directory} 返回的是{what}，不是 ACME 目录：请在 gateway.tls.acme.directory 中写该机构文档给出的目录地址（Let's Encrypt 可不写）",
        "{directory} is {what}, and no ACME directory: write the address of the directory that the CA's documents name in \
         gateway.tls.acme.directory (Let's Encrypt's needs none)");
    /// A reason: what is named as a proxy is none.
    ACME_PROXY_VALUE = why("acme.proxy-value", &["variable", "why"],
        "环境变量 {variable}：{why}；或将该 CA 的主机写入 NO_PROXY",
        "the environment's {variable}: {why}; or put the CA's host into NO_PROXY");
    /// A reason: the proxy does not answer.
    ACME_PROXY_SILENT = why("acme.proxy-silent", &["proxy", "variable", "error"],
        "{variable} 指定的代理 {proxy} 没有应答（{error}）：请检查其地址和是否在运行，或将该 CA 的主机写入 NO_PROXY",
        "the proxy {proxy} of {variable} does not answer ({error}): check its address and that it runs, or put the CA's host into \
         NO_PROXY");
    /// A reason: the proxy wants to know who asks.
    ACME_PROXY_USER = why("acme.proxy-user", &["proxy", "variable"],
        "{variable} 指定的代理 {proxy} 要求用户名和密码（407）：请写 http://用户:密码@{proxy}，特殊字符用百分号编码",
        "the proxy {proxy} of {variable} wants another user and password (407): write http://USER:PASSWORD@{proxy}, with signs \
         percent-encoded");
    /// A reason: the proxy says no.
    ACME_PROXY_REFUSES = why("acme.proxy-refuses", &["proxy", "variable", "host", "said"],
        "{variable} 指定的代理 {proxy} 不为 {host} 打开通道：它说 {said}；请在代理中放行该主机，或写入 NO_PROXY",
        "the proxy {proxy} of {variable} opens no way to {host}: it says {said}; allow that host there, or put it into NO_PROXY");
    /// The key of a contract cannot be used.
    EAB_FILE = why("acme.eab-file", &["file", "why"], "{file}：{why}", "{file}: {why}");
    /// A reason: the file with the key cannot be read.
    EAB_UNREAD = why("acme.eab-unread", &["error"],
        "无法读取（{error}）：请写保存 HMAC 密钥的文件，该用户须能读取", "it cannot be read ({error}): name the file that holds the HMAC key, which this user can read");
    /// A reason: the file holds no key.
    EAB_NO_KEY = why("acme.eab-no-key", &["why"], "{why}", "{why}");
}
