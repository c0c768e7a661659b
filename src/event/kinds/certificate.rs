//! Certificates: what an audit finds, and how they are signed and ordered.

use super::super::Kind;
use super::super::Severity::{Error, Info, Warning};
use super::{found, hint, why};

kinds! { CERTIFICATES:
    /// No authority vouches for it.
    CERTIFICATE_SELF_SIGNED = found("certificate.self-signed", &["place?", "setting", "file"],
        "{file} 是自签名证书：原版 Wi-Fi 固件只信任公共证书颁发机构，会拒绝它（4G 模组以及内置该证书的固件可以接受）。",
        "{file} is self-signed: stock Wi-Fi firmware trusts public authorities only and will refuse it (4G modems, and \
         firmware built with this certificate, accept it).")
        .remedy("使用公共机构签发的证书（gateway.tls.mode: acme 或 files），或让设备使用 http。",
            "use a certificate of a public authority (gateway.tls.mode: acme or files), or serve devices over http.");
    /// No authority vouches for what answers until an order is done.
    CERTIFICATE_INTERIM = found("certificate.interim", &["place?", "setting", "file", "directory"],
        "{file} 是自签名证书：原版 Wi-Fi 固件只信任公共证书颁发机构，会拒绝它（4G 模组以及内置该证书的固件可以接受）。",
        "{file} is self-signed: stock Wi-Fi firmware trusts public authorities only and will refuse it (4G modems, and \
         firmware built with this certificate, accept it).")
        .remedy("除非日志中有申请失败的记录（acme.failed），否则无需处理：在 {directory} 签发之前由它应答。",
            "none, unless the log tells of failed orders: it answers until {directory} has given one.");
    /// The one that answers lacks the name, and another one is ordered.
    CERTIFICATE_NAME_ORDERED = found("certificate.name-ordered", &["place?", "setting", "host", "names", "directory"],
        "正在使用的证书不适用于 {host}（它适用于 {names}）：Wi-Fi 设备会检查域名并拒绝连接，直到 {directory} 签发已申请的证书。",
        "The certificate in use is not made for {host} (it is for {names}): Wi-Fi devices check the name and will refuse the \
         connection until {directory} has given the one that is ordered.")
        .remedy("除非日志中有申请失败的记录（acme.failed），否则无需处理。",
            "none, unless the log tells of failed orders (acme.failed).");
    /// None has the name of the public address.
    CERTIFICATE_NAME = found("certificate.name", &["place?", "setting", "host", "names?"],
        "这里没有适用于 {host} 的证书{（现有证书适用于 |names|）}：Wi-Fi 设备会检查域名并拒绝连接。",
        "No certificate here is made for {host}{ (they are for |names|)}: Wi-Fi devices check the name and will refuse the \
         connection.")
        .remedy("为该域名申请证书{，或在公网地址中使用 |names| 之一}。",
            "get one for that name{, or use one of |names| in the public address}.");
    /// An address stands there as a name.
    CERTIFICATE_NAME_FORM = found("certificate.name-form", &["place?", "setting", "host", "file"],
        "{host} 在 {file} 中写成了域名（DNS:），而 IP 地址应写在 IP: 中：设备（mbedTLS）接受它，浏览器和 curl 会拒绝连接。",
        "{host} stands in {file} as a host name (DNS:), and an address belongs there as IP: devices (mbedTLS) take it, browsers and \
         curl refuse the connection.")
        .remedy("重新签发，写 subjectAltName=IP:{host},DNS:{host}（较旧的 mbedTLS 只看 DNS:）。",
            "have it made again with subjectAltName=IP:{host},DNS:{host} (older mbedTLS looks at DNS: only).");
    /// The chain is missing.
    CERTIFICATE_ALONE = found("certificate.no-chain", &["place?", "setting", "file"],
        "{file} 只包含服务器自己的证书，缺少上级证书链：设备找不到其信任的根证书，会拒绝它。",
        "{file} holds only its own certificate, not the chain above it: devices cannot find the way to a root that they know \
         and will refuse it.")
        .remedy("指定包含完整证书链的文件（fullchain.pem）。", "name the file with the whole chain (fullchain.pem).");
    /// The chain has a gap.
    CERTIFICATE_GAP = found("certificate.chain-gap", &["place?", "setting", "file", "number"],
        "{file} 不是完整的证书链：缺少签发第 {number} 张证书的上级证书，其余证书没有签发任何一张：设备找不到其信任的根证书，会拒绝它。",
        "{file} is no chain: the certificate that signed number {number} in it is missing, and others in it sign nothing: \
         devices cannot find the way to a root that they know and will refuse it.")
        .remedy("将服务器自己的证书放在最前，其后依次为颁发机构提供的上级证书（fullchain.pem）。",
            "put the server's own certificate first and behind it those above it, as the authority gave them (fullchain.pem).");
    /// The RSA key is long.
    CERTIFICATE_KEY_LONG = found("certificate.key-long", &["place?", "setting", "file", "bits"],
        "{file} 的 RSA 密钥有 {bits} 位：每次握手都会使设备和本服务器的计算量成倍增加。",
        "{file} has an RSA key of {bits} bits: each handshake costs a device and this server many times the work.")
        .remedy("使用 P-256 密钥，或 2048 位的 RSA 密钥。", "make a P-256 key, or an RSA one of 2048 bits.");
    /// The curve is one that devices lack.
    CERTIFICATE_CURVE = found("certificate.curve", &["place?", "setting", "file"],
        "{file} 的密钥所用曲线超过 384 位：未编入该曲线的固件会拒绝此证书。",
        "{file} has a key on a curve of more than 384 bits: firmware that is built without it refuses the certificate.")
        .remedy("使用 P-256 密钥，或 2048 位的 RSA 密钥。", "make a P-256 key, or an RSA one of 2048 bits.");
    /// It has ended.
    CERTIFICATE_EXPIRED = found("certificate.expired", &["place?", "setting", "file", "acme"],
        "{file} 已过期：浏览器以及会检查日期的固件会拒绝它。",
        "{file} has expired: browsers, and devices whose firmware was built to check dates, will refuse it.")
        .remedy("续期；新文件无需重启即会被采用。由 ACME 申请的，请查看日志中最近一次申请（acme.failed）。",
            "renew it; the new file is taken up without a restart. Of one that is ordered by ACME, see what the log says of \
             the last order (acme.failed).");
    /// It has not begun.
    CERTIFICATE_EARLY = found("certificate.not-yet-valid", &["place?", "setting", "file"],
        "{file} 尚未生效：会检查日期的客户端会拒绝它。",
        "{file} does not hold yet: clients that check dates will refuse it.")
        .remedy("请检查本机时钟是否正确。", "see whether this machine's clock is right.");
    /// It ends soon. `days` is the step, 30, 14, 7 or 1, behind which it lies.
    CERTIFICATE_EXPIRING = found("certificate.expiring", &["place?", "setting", "file", "days", "hours~", "acme"],
        "{file} 将在 {days} 天内到期（剩余 {hours} 小时）：此后浏览器以及会检查日期的固件会拒绝它。",
        "{file} ends within {days} d ({hours} h left): from then on browsers, and devices whose firmware was built to \
         check dates, will refuse it.")
        .remedy("续期；新文件无需重启即会被采用。由 ACME 申请的，请查看日志中最近一次申请（acme.failed）。",
            "renew it; the new file is taken up without a restart. Of one that is ordered by ACME, see what the log says of \
             the last order (acme.failed).");
    /// The certificates are not in order.
    CERTIFICATE_ORDER = found("certificate.order", &["place?", "setting", "file", "leaf"],
        "{file} 中的证书顺序不对（服务器自己的是第 {leaf} 张）：这里已按正确顺序发送，其他程序不会。",
        "The certificates in {file} are not in order (the server's own is number {leaf}): they are sent in order here, which other \
         programs do not.")
        .remedy("将服务器自己的证书放在最前，其后依次为签发它的证书：cat 服务器证书.pem 中间证书.pem > fullchain.pem。",
            "put the server's own first, and behind each the one that signed it: cat server.pem intermediate.pem > fullchain.pem.");
    /// A certificate stands there twice.
    CERTIFICATE_DOUBLES = found("certificate.doubles", &["place?", "setting", "file", "count"],
        "{file} 中有 {count} 张重复的证书：这里只发送一次。",
        "Certificates stand twice in {file} (doubles: {count}): each is sent once here.")
        .remedy("删去重复的证书。", "take the doubles out.");
    /// There are several keys.
    CERTIFICATE_KEYS = found("certificate.several-keys", &["place?", "setting", "file", "count"],
        "{file} 中有 {count} 个私钥：这里使用与证书相符的一个，其他程序使用第一个。",
        "{file} holds {count} private keys: the one that belongs to the certificate is used here, and other programs use the first.")
        .remedy("只保留与证书相符的一个。", "keep the one that belongs to the certificate.");
    /// There are no names.
    CERTIFICATE_NO_NAMES = found("certificate.no-san", &["place?", "setting", "file"],
        "{file} 的 subjectAltName 中没有域名或 IP 地址（或没有这个扩展），域名至多写在 CN 中：浏览器和 curl 会拒绝它。",
        "{file} has no host name or address as its subjectAltName, and one in its CN at most: browsers and curl refuse it.")
        .remedy("签发时加上 -addext subjectAltName=DNS:域名（openssl req），或向公共机构申请。",
            "have it made with -addext subjectAltName=DNS:NAME (openssl req), or get one of a public authority.");
    /// A name is one of no host.
    CERTIFICATE_NAME_ODD = found("certificate.name-odd", &["place?", "setting", "file", "name"],
        "{file} 中的名称 {name} 不适用于任何主机：设备和浏览器只接受小写 ASCII 的域名（中文域名用 xn-- 形式），不含协议、端口和末尾的点；\
         * 只能是最前面的一级，其后至少两级。",
        "The name {name} in {file} stands for no host: devices and browsers know names in ASCII (xn-- for others), without scheme, \
         port or a dot at the end, and one *. at the beginning, with two labels behind it at least.")
        .remedy("申请时写出完整的域名，或写 *.example.com 这样的名称。", "have it made for the whole name, or for one as *.example.com.");
    /// A date is written as devices do not read it.
    CERTIFICATE_DATE_FORM = found("certificate.date-form", &["place?", "setting", "file", "subject", "date"],
        "{file} 中 {subject} 的日期写作 {date}，设备不能读取（只认 YYMMDDHHMMSSZ 或 YYYYMMDDHHMMSSZ）：设备会拒绝它（mbedTLS 返回 -0x2400）。",
        "A date of {subject} in {file} is written as {date}, which devices do not read (YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ): they \
         refuse it (mbedTLS says -0x2400).")
        .remedy("用 openssl 或由公共机构重新签发。", "have it made again by openssl, or by a public authority.");
    /// It is an authority's own.
    CERTIFICATE_IS_CA = found("certificate.is-ca", &["place?", "setting", "file"],
        "{file} 的第一张是颁发机构的证书（CA:TRUE），不是服务器的：浏览器、curl 和一些固件会拒绝它。",
        "The first certificate in {file} is an authority's (CA:TRUE), and no server's: browsers, curl and some firmware refuse it.")
        .remedy("让该机构为服务器签发一张（openssl x509 -req -CA ca.pem -CAkey ca.key，加上 basicConstraints=CA:FALSE），放在最前。",
            "let that authority sign one for the server (openssl x509 -req -CA ca.pem -CAkey ca.key, with \
             basicConstraints=CA:FALSE), and put that first.");
    /// It is not made for servers.
    CERTIFICATE_NOT_FOR_SERVERS = found("certificate.not-for-servers", &["place?", "setting", "file", "lacks"],
        "{file} 不是服务器用的证书（缺少 {lacks}）：设备会拒绝它（mbedTLS 返回 -0x2700）。",
        "{file} is not made for servers ({lacks} is missing): devices refuse it (mbedTLS says -0x2700).")
        .remedy("重新签发，加上 extendedKeyUsage=serverAuth 和 keyUsage=digitalSignature。",
            "have it made again with extendedKeyUsage=serverAuth and keyUsage=digitalSignature.");
    /// Something in the chain is weak.
    CERTIFICATE_WEAK = found("certificate.weak", &["place?", "setting", "file", "subject", "how"],
        "{file} 中的 {subject} 使用了{how}：设备会拒绝它（mbedTLS 返回 -0x2700）。",
        "{subject} in {file} has {how}: devices refuse it (mbedTLS says -0x2700).")
        .remedy("重新签发，使用 SHA-256 和 P-256 或 2048 位的 RSA 密钥。", "have it made again with SHA-256, and a P-256 or 2048-bit RSA key.");
    /// Something in the chain is Ed25519.
    CERTIFICATE_CHAIN_ED25519 = found("certificate.chain-ed25519", &["place?", "setting", "file", "subject"],
        "{file} 中的 {subject} 使用 Ed25519：设备（mbedTLS）无法解析，会拒绝整条证书链。",
        "{subject} in {file} uses Ed25519, which devices (mbedTLS) cannot read: they refuse the whole chain.")
        .remedy("由使用 P-256 或 RSA 密钥的机构签发。", "let an authority with a P-256 or RSA key sign it.");
    /// The chain is long.
    CERTIFICATE_LONG = found("certificate.long", &["place?", "setting", "file", "count", "bytes"],
        "{file} 中的 {count} 张证书共 {bytes} 字节，超过一条 TLS 记录（16384）：设备会拒绝它（mbedTLS 返回 -0x7080）。",
        "What {file} sends, {bytes} bytes (certificates: {count}), is more than one TLS record (16384): devices refuse it (mbedTLS \
         says -0x7080).")
        .remedy("只保留服务器证书和签发它的中间证书。", "keep the server's own and the intermediates that signed it.");
    /// An intermediate has ended.
    CERTIFICATE_CHAIN_EXPIRED = found("certificate.chain-expired", &["place?", "setting", "file", "subject", "day"],
        "{file} 中的上级证书 {subject} 已于 {day} 过期：浏览器以及会检查日期的固件会拒绝整条证书链。",
        "The authority's certificate {subject} in {file} ended on {day}: browsers, and devices whose firmware was built to check \
         dates, refuse the whole chain.")
        .remedy("从颁发机构下载现用的证书（certbot：certbot renew --force-renewal）；自建机构请重新签发它。",
            "get the present one from the authority (of certbot: certbot renew --force-renewal); make an own authority's anew.");
    /// An intermediate has not begun.
    CERTIFICATE_CHAIN_EARLY = found("certificate.chain-early", &["place?", "setting", "file", "subject", "day"],
        "{file} 中的上级证书 {subject} 从 {day} 起才有效：会检查日期的客户端会拒绝它。",
        "The authority's certificate {subject} in {file} does not hold before {day}: clients that check dates refuse it.")
        .remedy("请检查本机时钟是否正确。", "see whether this machine's clock is right.");
    /// Browsers know the root, and devices do not.
    CERTIFICATE_ROOT_UNKNOWN = found("certificate.root-unknown", &["place?", "setting", "file", "root"],
        "{file} 的证书链通向 {root}，浏览器认识它，而设备（Espressif 的根证书包）没有：原版 Wi-Fi 固件会拒绝连接。",
        "The chain in {file} leads to {root}, which browsers know and devices (Espressif's bundle) do not: stock Wi-Fi firmware will \
         refuse the connection.")
        .remedy("使用颁发机构提供的完整证书链（含交叉签名的中间证书）；Let's Encrypt：certbot certonly --preferred-chain \"ISRG Root X1\" \
             --force-renewal -d 域名。",
            "use the whole chain that the authority gives, cross-signed intermediates included; of Let's Encrypt: certbot certonly \
             --preferred-chain \"ISRG Root X1\" --force-renewal -d NAME.");
    /// The root is too young for some firmware.
    CERTIFICATE_ROOT_YOUNG = found("certificate.root-young", &["place?", "setting", "file", "root"],
        "{file} 的证书链通向 {root}，用 ESP-IDF 5.3 和 5.4 构建的固件没有它，会拒绝连接。",
        "The chain in {file} leads to {root}, which firmware built with ESP-IDF 5.3 and 5.4 lacks: that refuses the connection.")
        .remedy("改用根证书更早的机构（如 Let's Encrypt），或向该机构索取交叉签名的证书链。",
            "use an authority with an older root (as Let's Encrypt), or ask this one for a cross-signed chain.");
    /// The root is on its way out.
    CERTIFICATE_ROOT_OLD = hint("certificate.root-old", &["place?", "setting", "file", "root"],
        "{file} 的证书链通向 {root}，它已从浏览器的列表中移除：ESP-IDF 5.3 到 5.5 的固件有它，更新的可能没有。",
        "The chain in {file} leads to {root}, which browsers' lists hold no more: firmware of ESP-IDF 5.3 to 5.5 has it, later one \
         may not.")
        .remedy("暂时无需处理；下次更换证书时选用通向现行根证书的链。", "none now; choose a chain to a present root with the next certificate.");
    /// A cross-signed one leads devices astray.
    CERTIFICATE_CROSS_SIGNED = found("certificate.cross-signed", &["place?", "setting", "file", "last", "root"],
        "{file} 的证书链止于交叉签名的 {last}，其签发者 {root} 设备不认识：原版 Wi-Fi 固件会拒绝连接，尽管它认识 {last} 自己的根证书。",
        "The chain in {file} ends at the cross-signed {last}, whose issuer {root} devices do not know: stock Wi-Fi firmware will \
         refuse the connection, though it has the root of that name.")
        .remedy("从文件中删去该交叉签名的证书（最后一张）。", "take that cross-signed certificate (the last one) out of the file.");
    /// A signature in the chain is not by the one above.
    CERTIFICATE_BAD_SIGNATURE = found("certificate.bad-signature", &["place?", "setting", "file", "last", "issuer"],
        "{file} 的证书链不成立：{last} 写明由 {issuer} 签发，但签名用的是另一个同名机构的密钥：设备会拒绝整条证书链，内置根证书也无济于事。",
        "The chain in {file} does not hold: {last} names {issuer} as its issuer, and another key than that one's signed it: devices \
         refuse the whole chain, whatever roots they have.")
        .remedy("换成真正签发 {last} 的证书：重新下载颁发机构提供的 fullchain.pem；自建机构请用现用的密钥重新签发。",
            "put the certificate there that did sign {last}: get fullchain.pem from the authority again; of an authority of your own, \
             sign it again with the present key.");
    /// A certificate may not sign what stands below it.
    CERTIFICATE_UNABLE = found("certificate.not-authority", &["place?", "setting", "file", "subject", "why"],
        "{file} 中的 {subject} 不能签发它下面的证书：{why}：设备会拒绝整条证书链，内置根证书也无济于事。",
        "{subject} in {file} may not sign what stands below it: {why}: devices refuse the whole chain, whatever roots they have.")
        .remedy("重新签发该中间证书，加上 basicConstraints=critical,CA:TRUE 和 keyUsage=critical,keyCertSign,cRLSign（pathlen 要够大或不写）。",
            "have that intermediate made again with basicConstraints=critical,CA:TRUE and keyUsage=critical,keyCertSign,cRLSign (and a \
             pathlen that is high enough, or none).");
    /// An extension that devices do not know.
    CERTIFICATE_EXTENSION = found("certificate.extension", &["place?", "setting", "file", "subject", "extension"],
        "{file} 中的 {subject} 有设备不认识的关键扩展（{extension}）：设备会拒绝它（mbedTLS 返回 -0x2562）。",
        "{subject} in {file} has a critical extension that devices do not know ({extension}): they refuse it (mbedTLS says -0x2562).")
        .remedy("重新签发，不带该扩展。", "have it made again without it.");
    /// Nobody knows who signed it.
    CERTIFICATE_AUTHORITY = found("certificate.authority", &["place?", "setting", "file", "issuer", "who"],
        "{file} 由 {issuer} 签发：{who}：原版 Wi-Fi 固件会拒绝连接（4G 模组以及内置该根证书的固件可以接受）。",
        "{file} is signed by {issuer}: {who}: stock Wi-Fi firmware will refuse the connection (4G modems, and firmware built with \
         that root, accept it).")
        .remedy("使用公共机构签发的证书（gateway.tls.mode: acme，或 certbot certonly -d 域名），或让设备使用 http。",
            "use a certificate of a public authority (gateway.tls.mode: acme, or certbot certonly -d NAME), or serve devices over http.");
    /// Let's Encrypt's for trials.
    AUTHORITY_STAGING = why("authority.staging", &[],
        "这是 Let's Encrypt 的测试环境（--staging、--test-cert），没有客户端信任它",
        "that is Let's Encrypt's staging (--staging, --test-cert), which no client trusts");
    /// Cloudflare's for its own way to a server.
    AUTHORITY_CLOUDFLARE = why("authority.cloudflare-origin", &[],
        "这是 Cloudflare 源站证书，只有 Cloudflare 自己信任它：只能用于经由其代理（橙色云）的域名",
        "that is a Cloudflare Origin certificate, which Cloudflare alone trusts: it serves behind its proxy (the orange cloud) only");
    /// A tool's of this machine.
    AUTHORITY_LOCAL = why("authority.local", &[],
        "这是本机工具（mkcert、Caddy、step-ca 等）自建的机构，只有安装了其根证书的机器信任它",
        "that is an authority which a tool (mkcert, Caddy, step-ca) made, and only machines with its root trust it");
    /// Somebody's own.
    AUTHORITY_OWN = why("authority.unknown", &[],
        "浏览器和设备都不认识这个机构（自建的机构，或缺少通向公共根证书的中间证书）",
        "neither browsers nor devices know it (an authority of one's own, or an intermediate is missing)");
    /// Every certificate is ECDSA.
    CERTIFICATE_ONLY_ECDSA = hint("certificate.only-ecdsa", &["place?", "setting"],
        "这里的证书都是 ECDSA：Wi-Fi 设备都能使用，较旧的 4G 模组固件可能只支持 RSA（日志中会有 tls.key-type）。",
        "Every certificate here is ECDSA: Wi-Fi devices take it, and older firmware of 4G modems may take RSA only (the log then \
         says tls.key-type).")
        .remedy("有这样的设备时，再列出一张 RSA 证书，各客户端会得到它能验证的一张：certbot certonly --key-type rsa --cert-name 域名-rsa -d 域名，\
             然后把两对都列在 gateway.tls.certificates 中（gateway.tls.mode: files）。",
            "where there are such devices, list an RSA certificate beside it, and each client gets the one that it can check: certbot \
             certonly --key-type rsa --cert-name NAME-rsa -d NAME, then list both pairs in gateway.tls.certificates \
             (gateway.tls.mode: files).");
    /// A CA cannot come to the port of the challenge.
    ACME_PORT = found("certificate.acme-port", &["place?", "setting", "challenge", "port"],
        "gateway.tls.acme.challenge 为 {challenge}，公共机构会访问端口 {port}，而本服务器没有监听该端口：否则得不到证书，Wi-Fi 设备会拒绝代为应答的自签名证书。",
        "gateway.tls.acme.challenge is {challenge}, for which a public CA comes to port {port}, and this server does not \
         listen there: without that no certificate comes, and Wi-Fi devices refuse the self-signed one that answers instead.")
        .remedy("将 {port} 加入 gateway.ports，或将这些域名的端口 {port} 转发到已监听的端口之一。",
            "add {port} to gateway.ports, or forward port {port} of the names to one of these ports.");
    /// New files were taken up.
    CERTIFICATES_REPLACED = Kind::new("certificate.replaced", Info, "resolver", &[], "已更换证书", "certificates replaced");
    /// They were read again.
    CERTIFICATES_SAME = Kind::new("certificate.same", Info, "resolver", &[],
        "已重新读取证书：没有变化", "certificates read again: they are the same");
    /// New files are of no use.
    CERTIFICATE_NOT_REPLACED = Kind::new("certificate.not-replaced", Error, "resolver", &["setting", "error"],
        "未更换证书，继续使用上一份有效的证书：{setting}：{error}",
        "certificate not replaced, the last good one stays in use: {setting}: {error}");
    /// The kept one is of no use.
    CERTIFICATE_STAND_IN = Kind::new("certificate.stand-in", Warning, "resolver", &["error"],
        "{error}：在得到新证书之前由自签名证书应答", "{error}: a self-signed one answers until another one comes");
    /// A reason to sign one: there was none.
    CERTIFICATE_NONE = why("certificate.none", &[], "原来没有", "there was none");
    /// A reason to sign one: the kept one is of no use.
    CERTIFICATE_UNREADABLE = why("certificate.unreadable", &[],
        "无法读取已保存的证书", "the kept one could not be read");
    /// A reason to sign one: the kept one ends.
    CERTIFICATE_ENDS_SOON = why("certificate.ends-soon", &[],
        "已保存的证书即将到期", "the kept one ends soon");
    /// A reason to sign one: it is to hold for other names.
    CERTIFICATE_NAMES_CHANGED = why("certificate.names-changed", &[],
        "域名有变化", "the names changed");
    /// A reason to sign one that is not known any more.
    CERTIFICATE_DUE = why("certificate.due", &[], "需要重新生成", "it was to be made anew");
    /// One was signed here.
    CERTIFICATE_SIGNED = Kind::new("certificate.signed", Info, "self_signed", &["cert", "names", "why", "key?", "unsure?"],
        "已签发自签名证书（{why}）", "certificate signed, for {why}");
    /// One should be signed, and cannot be kept.
    CERTIFICATE_KEPT_UNFIT = Kind::new("certificate.kept-unfit", Warning, "self_signed", &["names", "reason", "why"],
        "无法保存新证书，继续使用已保存的证书，尽管{reason}（{why}）。",
        "no new certificate can be kept, and the kept one stays in use, though {reason} ({why}).")
        .remedy("按括号中的原因处理（腾出空间、使该处可写）；一小时内或下次启动时会生成新证书",
            "mend what the bracket names (make room, or make it writable); a new one is then made within an hour, or at the next start");
    /// It is in memory only.
    CERTIFICATE_UNKEPT = Kind::new("certificate.unkept", Warning, "self_signed", &["names", "why"],
        "证书仅存在于内存中，下次启动会另行生成：此前被告知信任它的客户端需要重新设置（{why}）。",
        "the certificate is in memory only, and the next start makes another one: whoever was told to trust it has to be told \
         again ({why}).")
        .remedy("按括号中的原因处理（腾出空间、使该处可写、更改所有者），然后重启",
            "mend what the bracket names (make room, make it writable, or give it to this user), and restart");
    /// An account with a CA was made.
    ACME_ACCOUNT = Kind::new("acme.account", Info, "order", &["directory", "file"], "已创建 ACME 账户", "ACME account made");
    /// An account is of no use.
    ACME_ACCOUNT_ASIDE = Kind::new("acme.account-aside", Warning, "files", &["file", "aside", "why"],
        "ACME 账户无法使用（{why}）：已移到一旁，将另行创建",
        "the ACME account is of no use, for {why}: it was put aside, and another one is made");
    /// An account is of no use, and in the way.
    ACME_ACCOUNT_STUCK = Kind::new("acme.account-stuck", Warning, "files", &["file", "error", "why"],
        "ACME 账户无法使用（{why}），且无法移到一旁：将另行创建并取代它",
        "the ACME account is of no use, for {why}, and could not be put aside: another one is made and takes its place");
    /// A file of ours stays.
    ACME_FILE_STAYS = Kind::new("acme.file-stays", Warning, "files", &["file", "error"], "无法删除", "cannot be removed");
    /// The CA knows nothing of renewals.
    ACME_NOT_RENEWAL = Kind::new("acme.not-renewal", Info, "order", &["error"],
        "证书机构不接受作为续期的申请：按新申请处理", "the CA does not take the order as a renewal: ordered as a new one");
    /// An order that was kept is no address.
    ACME_ORDER_STRANGE = Kind::new("acme.order-strange", Warning, "signing", &["file"],
        "此前等待签发的申请不是 https 地址：将重新申请", "the order that the CA was to sign is no https address: another one is made");
    /// An order that was kept cannot be read.
    ACME_ORDER_UNREADABLE = Kind::new("acme.order-unreadable", Warning, "signing", &["file", "why"],
        "无法读取此前等待签发的申请：将重新申请", "the order that the CA was to sign cannot be read: another one is made");
    /// The kept certificate is of no use.
    ACME_KEPT_UNFIT = Kind::new("acme.kept-unfit", Warning, "keeper", &["file", "what"],
        "{file}：{what}：将另行申请证书", "{file}: {what}: another certificate is ordered");
    /// The CA says when to renew.
    ACME_WINDOW = Kind::new("acme.window", Info, "keeper", &["from", "to", "why"],
        "证书机构建议了续期时间", "the CA says when to renew the certificate");
    /// One is ordered.
    ACME_ORDERED = Kind::new("acme.ordered", Info, "keeper", &["names", "directory", "challenge"],
        "正在申请证书", "a certificate is ordered");
    /// One that was to be signed is asked for again.
    ACME_ASKED_AGAIN = Kind::new("acme.asked-again", Info, "keeper", &["names", "directory", "challenge"],
        "再次向证书机构索取此前等待签发的证书", "the CA is asked again for the certificate that it was to sign");
    /// One came.
    ACME_OBTAINED = Kind::new("acme.obtained", Info, "keeper", &["names", "until", "file"],
        "已获得证书", "certificate obtained");
    /// One is kept from before.
    ACME_KEPT = Kind::new("acme.kept", Info, "keeper", &["until", "renewal"], "继续使用已保存的证书", "certificate kept");
    /// None came.
    ACME_FAILED = Kind::new("acme.failed", Error, "keeper", &["names", "why", "until?", "directory", "next"],
        "未能获得 {names} 的新证书：{why}。在此期间由现有证书或自签名证书应答",
        "no new certificate for {names}: {why}. Meanwhile the last one, or a self-signed one, answers");
    /// A reason why none came: the CA is not to be had.
    ACME_UNREACHABLE = why("acme.unreachable", &["error"], "无法联系证书机构：{error}", "the CA cannot be asked: {error}");
    /// The CA refuses.
    ACME_REFUSED = why("acme.refused", &["step", "said", "kind", "check"],
        "证书机构拒绝{step}：它说 {said}（{kind}）；{check}", "the CA refuses to {step}: it says {said} ({kind}); {check}");
    /// The CA does not believe that the names are ours.
    ACME_PROOF = why("acme.proof", &["proofs"], "{proofs}", "{proofs}");
    /// One challenge failed.
    ACME_PROOF_FAILED = why("acme.proof-failed", &["name", "challenge", "said", "kind", "check"],
        "{name} 的 {challenge} 验证失败：它说 {said}（{kind}）；{check}",
        "{name} by {challenge} failed: it says {said} ({kind}); {check}");
    /// The CA does not offer the configured challenge.
    ACME_NOT_OFFERED = why("acme.not-offered", &["name", "challenge", "offered"],
        "证书机构不为 {name} 提供 {challenge} 验证，只提供 {offered}：请检查 gateway.tls.acme.challenge",
        "the CA does not offer {challenge} for {name}, only {offered}: check gateway.tls.acme.challenge");
    /// An order failed that counts already.
    ACME_SPENT = why("acme.spent", &["why"],
        "这次申请已计入证书机构的限额，因此下一次申请需要等待：{why}",
        "this order counts against the CA's limits, so the next one waits: {why}");
    /// The certificate did not come for a day.
    ACME_LOST = why("acme.lost", &[], "证书机构签发的证书一天内都未能取得", "what the CA signed could not be fetched for a day");
    /// The order ended without a reason.
    ACME_SILENT = why("acme.silent", &["status"],
        "申请结束但没有证书，证书机构没有说明原因（状态：{status}）：请查看该机构的日志或网站",
        "the order ended without a certificate, and the CA does not say why (its status: {status}): see the CA's own log or site");
    /// The certificate cannot be used.
    ACME_USELESS = why("acme.useless", &["error"],
        "证书机构发来的证书无法使用：{error}：请告知该机构，或换一个（gateway.tls.acme.directory）",
        "what the CA sent as the certificate cannot be used: {error}: tell the CA, or use another one (gateway.tls.acme.directory)");
    /// The certificate lacks names.
    ACME_LACKS = why("acme.lacks", &["names"], "证书机构签发的证书不适用于 {names}", "the CA's certificate does not hold for {names}");
    /// A file that is kept for a CA was changed.
    ACME_FILE_CHANGED = why("acme.file-changed", &["line", "column"],
        "从第 {line} 行第 {column} 列起不是原来保存的内容", "it is not what was kept there, from line {line}, column {column} on");
    /// The kept key of an order is damaged.
    ACME_SIGNING_KEY = why("acme.signing-key", &["file"],
        "{file}：其中的密钥已损坏：会另行申请", "{file}: the key in it is damaged: another certificate is ordered");
    /// An answer or a key cannot be made.
    ACME_MAKE = why("acme.make", &["error"], "无法提出申请：{error}", "the order cannot be made: {error}");
    /// The disk does not take a file.
    ACME_KEEP = why("acme.keep", &["path", "error"],
        "{path}：{error}：账户、密钥和证书都保存在那里；请检查是否有空间以及该用户是否可以写入",
        "{path}: {error}: account, key and certificate are kept there; check that there is room and that this user may write");
    /// The server is to end.
    ACME_STOPPED = why("acme.stopped", &[], "服务器正在停止", "the server ends");
    /// What to check: DNS.
    ACME_CHECK_DNS = why("acme.check-dns", &["name"],
        "请检查 DNS（dig）：{name}：地址是否为本机，以及是否有过时的 AAAA 记录",
        "check (by dig) that DNS has an address for {name} which is this machine's, and no stale AAAA");
    /// What to check: the way to the port.
    ACME_CHECK_PORT = why("acme.check-port", &["port", "name"],
        "请检查从互联网能否访问 {name} 的端口 {port} 并到达这里：gateway.ports、防火墙、路由器的转发，以及可能存在的 AAAA 记录",
        "check that port {port} of {name} is reached from the internet and leads here: gateway.ports, firewall, the router's \
         forwarding, and the AAAA record if there is one");
    /// What to check: who ends TLS.
    ACME_CHECK_TLS = why("acme.check-tls", &["name"],
        "请检查本服务器前面（代理、CDN）是否没有终止 {name} 的 TLS，或改用 challenge: http-01",
        "check that nothing in front of this server (a proxy, a CDN) ends the TLS of {name}, or use challenge: http-01");
    /// What to check: that it is this server.
    ACME_CHECK_HERE = why("acme.check-here", &["port", "name"],
        "请检查从互联网访问 {name} 的端口 {port} 是否到达本服务器而不是别的服务器，IPv6 也一样",
        "check that port {port} of {name} is reached from the internet and leads to this server, not to another one, by IPv6 too");
    /// What to check: CAA.
    ACME_CHECK_CAA = why("acme.check-caa", &["name"], "请检查 CAA 记录是否允许该机构：{name}", "check that the CAA record of {name} allows this CA");
    /// What to check: the number of orders.
    ACME_CHECK_RATE = why("acme.check-rate", &[],
        "该域名申请的证书过多：没有设置可以改变，只能等待",
        "too many were ordered for this domain: no setting helps, waiting does");
    /// What to check: the names.
    ACME_CHECK_NAMES = why("acme.check-names", &[],
        "请检查该机构是否为 gateway.tls.names 中的每个域名签发证书", "check that this CA issues for each of gateway.tls.names");
    /// What to check: the e-mail address.
    ACME_CHECK_EMAIL = why("acme.check-email", &[], "请检查 gateway.tls.acme.email", "check gateway.tls.acme.email");
    /// What to check: the message.
    ACME_CHECK_MESSAGE = why("acme.check-message", &[],
        "请打开该消息中的地址：需要有人在那里同意", "open the address in that message: a person has to agree there");
    /// What to check: nothing.
    ACME_CHECK_NOTHING = why("acme.check-nothing", &[], "会另行创建账户", "another account is made");
    /// What to do: wait.
    ACME_CHECK_LATER = why("acme.check-later", &[],
        "这是证书机构一方的错误，会自动重试", "that is a fault of the CA's own, and it is tried again");
    /// What to check where no challenge failed and the CA's word is not known.
    ACME_CHECK_SAID = why("acme.check-said", &[],
        "请按它所说的处理；DNS 和端口与此无关", "do what it says; DNS and ports have no part in it");
    /// What to check where the CA's word is not known.
    ACME_CHECK_ALL = why("acme.check-all", &["name", "port"],
        "请检查 DNS 是否将 {name} 指向本服务器，以及其端口 {port} 能否从互联网访问",
        "check that DNS leads {name} to this server, and that its port {port} is reached from the internet");
    /// None is ordered yet.
    ACME_WAITS = Kind::new("acme.waits", Info, "keeper", &["names", "next", "kept"],
        "暂不申请证书：证书机构要求等待，或此前的申请占用了其限额",
        "no certificate is ordered yet: the CA asked for this wait, or earlier orders count against its limits");
}
