//! Rules on the handshake, and on the certificates in it.

use crate::probe::rule::Rule;

/// TLS to a port that speaks plain HTTP, or the other way round.
pub(crate) static WRONG_SCHEME: Rule = Rule::new(
    "wrong-scheme",
    (
        "地址的协议与端口不符：https 地址指向了明文端口，或者 http 地址指向了 TLS 端口。",
        "The address's scheme is not what its port speaks: https to a port without TLS, or http to one with it.",
    ),
    (
        "让地址与端口一致：明文端口用 http://，TLS 端口用 https://；或者在这个端口上启用 TLS。",
        "make the two agree: http:// for a port without TLS, https:// for one with it; or turn TLS on there.",
    ),
);

/// The certificate is signed with its own key.
pub(crate) static SELF_SIGNED: Rule = Rule::new(
    "self-signed",
    (
        "证书是自签名的。Wi-Fi 设备只信任固件内置的公共根证书，会拒绝连接。",
        "The certificate is signed with its own key. Wi-Fi devices trust the public roots that their firmware has, and \
         refuse the connection.",
    ),
    (
        "换成公共机构签发的证书（例如 Let's Encrypt），或者用 http:// 提供服务；固件内置了这张证书时，用 --ca 指定它。",
        "use a certificate of a public authority (such as Let's Encrypt), or serve over http://; if the firmware holds \
         this very certificate, name it with --ca.",
    ),
);

/// A private authority.
pub(crate) static UNKNOWN_ISSUER: Rule = Rule::new(
    "unknown-issuer",
    (
        "签发证书的机构不是公共机构。Wi-Fi 设备不认识它，会拒绝连接。",
        "No public authority stands behind the certificate. Wi-Fi devices do not know its issuer, and refuse the \
         connection.",
    ),
    (
        "换成公共机构签发的证书；固件内置了自己的根证书时，用 --ca 指定那个文件。",
        "use a certificate of a public authority; if the firmware has roots of its own, name their file with --ca.",
    ),
);

/// The intermediates are missing.
pub(crate) static LEAF_ONLY_CHAIN: Rule = Rule::new(
    "leaf-only-chain",
    (
        "服务器只发送了自己的证书，没有发送中间证书。浏览器会自己补上，设备不会，因此会拒绝连接。",
        "The server sends its own certificate without those above it. Browsers fetch what is missing; a device does \
         not, and refuses the connection.",
    ),
    (
        "配置完整的证书链（fullchain.pem，不是 cert.pem）。",
        "configure the whole chain (fullchain.pem, not cert.pem).",
    ),
);

/// Certificates that do not lead to one another.
pub(crate) static BROKEN_CHAIN: Rule = Rule::new(
    "broken-chain",
    (
        "发送的证书连不成一条链：有一张的签发者不在其中，或者签名对不上，设备会拒绝连接。",
        "The certificates sent are no chain: an issuer is missing among them, or a signature does not fit. Devices \
         refuse the connection.",
    ),
    (
        "按机构给出的顺序配置完整的证书链：自己的证书在前，其后是它的签发者，不要混入无关的证书。",
        "put the server's own certificate first and its issuers behind it, as the authority gave them, and nothing \
         else.",
    ),
);

/// An issuer stands before what it issued.
pub(crate) static WRONG_ORDER: Rule = Rule::new(
    "wrong-order",
    (
        "证书链的顺序不对。mbedTLS 只在一张证书之后寻找它的签发者，找不到就拒绝连接；浏览器不在乎顺序。",
        "The chain is out of order. mbedTLS looks for an issuer only behind what it issued, and refuses the connection; \
         browsers take any order.",
    ),
    (
        "把证书按顺序排好：自己的证书在前，每张之后是它的签发者。",
        "sort them: the server's own certificate first, each followed by its issuer.",
    ),
);

/// The chain goes past the root that devices know.
pub(crate) static CROSS_SIGNED_ROOT: Rule = Rule::new(
    "cross-signed-root",
    (
        "链的末尾是一张交叉签名证书，指向固件没有的根。设备认识更下面的根，但 ESP-IDF 默认只看链的末尾，会拒绝连接。",
        "The chain ends in a cross-signed certificate, which leads to a root that firmware lacks. Devices know a root \
         further down, but ESP-IDF looks at the chain's end only, and refuses the connection.",
    ),
    (
        "从证书链中去掉最后那张交叉签名的证书，或者让机构给出不带它的链。",
        "take that last, cross-signed certificate out of the chain, or have the authority give one without it.",
    ),
);

/// A root that only some firmware has.
pub(crate) static OLD_ROOT: Rule = Rule::new(
    "old-root",
    (
        "证书链的末尾指向一个已被 Mozilla 移除的旧根。用 ESP-IDF 5.x 编译的固件还认识它，更新的固件（ESP-IDF 6 起）不认识，会拒绝连接。",
        "The chain's end leads to an old root that Mozilla has removed. Firmware built with ESP-IDF 5.x still has it; \
         newer firmware (from ESP-IDF 6 on) does not, and refuses the connection.",
    ),
    (
        "换用通向现行根的证书链：去掉末尾的交叉签名证书，或者向机构要新的链。",
        "serve a chain to a current root: take the cross-signed certificate at its end out, or ask the authority for a \
         newer chain.",
    ),
);

/// A root that is younger than the bundle.
pub(crate) static ROOT_NOT_IN_BUNDLE: Rule = Rule::new(
    "root-not-in-espressif-bundle",
    (
        "证书链只通向一个新的根，浏览器认识它，而乐鑫的证书包（ESP-IDF 5.3 至 5.5）里没有，Wi-Fi 设备会拒绝连接。",
        "The chain leads only to a new root, which Espressif's bundle (ESP-IDF 5.3 to 5.5) lacks, whatever browsers \
         say. Wi-Fi devices refuse the connection.",
    ),
    (
        "发送机构给出的完整证书链（包括交叉签名证书），或者选用旧根的链（例如 ISRG Root X1）。",
        "send the authority's whole chain, its cross-signed certificates included, or choose a chain to an older root \
         (such as ISRG Root X1).",
    ),
);

/// Certificate for other names.
pub(crate) static WRONG_NAME: Rule = Rule::new(
    "wrong-name",
    (
        "证书不是为这个主机名（或 IP）签发的，Wi-Fi 设备会拒绝连接。",
        "The certificate is not made for this host name (or address). Wi-Fi devices refuse the connection.",
    ),
    (
        "为地址里的主机名申请证书，或者在地址里使用证书中的名字。",
        "get a certificate for the host in the address, or use one of the certificate's names there.",
    ),
);

/// No subjectAltName.
pub(crate) static NAME_IN_SUBJECT_ONLY: Rule = Rule::new(
    "name-in-subject-only",
    (
        "证书没有 subjectAltName，名字只写在 CN 里。mbedTLS 接受，浏览器和其他客户端不接受。",
        "The certificate has no subjectAltName: its name stands in the CN alone. mbedTLS takes that; browsers and others \
         do not.",
    ),
    (
        "重新签发，把名字写进 subjectAltName。",
        "have it made anew, with its names in the subjectAltName.",
    ),
);

/// Certificate whose time is over.
pub(crate) static EXPIRED_CERTIFICATE: Rule = Rule::new(
    "expired-certificate",
    (
        "证书已过期。原版固件不检查日期（MBEDTLS_HAVE_TIME_DATE 默认关闭），还能连接；浏览器和打开了日期检查的固件会拒绝。",
        "The certificate has expired. Stock firmware checks no dates (MBEDTLS_HAVE_TIME_DATE is off by default) and \
         still connects; browsers refuse it, and so does firmware that checks them.",
    ),
    (
        "续签证书，并检查自动续签为什么没有生效。",
        "renew it, and see why it was not renewed in time.",
    ),
);

/// Certificate whose time is yet to come.
pub(crate) static NOT_YET_VALID: Rule = Rule::new(
    "not-yet-valid",
    (
        "证书还没有到生效时间。原版固件不检查日期，还能连接；浏览器和打开了日期检查的固件会拒绝。",
        "The certificate is not valid yet. Stock firmware checks no dates and connects; browsers refuse it, and so does \
         firmware that checks them.",
    ),
    (
        "检查签发机器和这台机器的时钟，必要时重新签发。",
        "look at the clocks of the machine that signed it and of this one; have it made anew if need be.",
    ),
);

/// A key that mbedTLS does not know.
pub(crate) static ED25519_CERTIFICATE: Rule = Rule::new(
    "ed25519-certificate",
    (
        "证书使用 Ed25519，mbedTLS 无法解析（-0x262e），握手失败。",
        "The certificate uses Ed25519, which mbedTLS cannot read (-0x262e): the handshake fails.",
    ),
    (
        "换成 P-256（ECDSA）或 RSA 2048 的证书。",
        "use a P-256 (ECDSA) or RSA 2048 certificate.",
    ),
);

/// Key or signature below what mbedTLS takes.
pub(crate) static WEAK_CERTIFICATE: Rule = Rule::new(
    "weak-certificate",
    (
        "证书太弱：RSA 密钥不足 2048 位，或者用 SHA-1、MD5 签名。mbedTLS 的默认策略不接受，Wi-Fi 设备会拒绝连接。",
        "The certificate is too weak: an RSA key below 2048 bits, or a signature by SHA-1 or MD5. mbedTLS does not take \
         it by default, and Wi-Fi devices refuse the connection.",
    ),
    (
        "换成 P-256 或 RSA 2048、用 SHA-256 签名的证书。",
        "use P-256 or RSA 2048, signed with SHA-256.",
    ),
);

/// Certificates longer than a record.
pub(crate) static LONG_CERTIFICATES: Rule = Rule::new(
    "long-certificates",
    (
        "证书链超过 16 KB，放不进 mbedTLS 的一条记录，Wi-Fi 设备握手失败。",
        "The certificates take more than 16 KB, which is all that mbedTLS takes in a record: the handshake of Wi-Fi \
         devices fails.",
    ),
    (
        "去掉链中多余的证书，减少证书里的名字。",
        "take out what the chain does not need, and have fewer names in the certificate.",
    ),
);

/// Certificate for something else than TLS servers.
pub(crate) static NOT_FOR_SERVERS: Rule = Rule::new(
    "not-for-servers",
    (
        "证书的扩展密钥用途不包含服务器认证（serverAuth），Wi-Fi 设备会拒绝连接。",
        "The certificate's extended key usage leaves TLS servers (serverAuth) out. Wi-Fi devices refuse the connection.",
    ),
    (
        "用包含 serverAuth 用途的证书。",
        "use a certificate with serverAuth among its usages.",
    ),
);

/// Certificate that is made otherwise than others expect.
pub(crate) static ODD_CERTIFICATE: Rule = Rule::new(
    "odd-certificate",
    (
        "证书的形式不合常规（例如把 CA 证书当作服务器证书，或者是版本 1）。mbedTLS 接受，浏览器和其他客户端不接受。",
        "The certificate is not made as it should be (a CA's own as a server's, or version 1). mbedTLS takes it; \
         browsers and others do not.",
    ),
    (
        "重新签发一张普通的服务器证书（版本 3，CA:FALSE）。",
        "have it made anew as a plain server certificate (version 3, CA:FALSE).",
    ),
);

/// Certificate that is no X.509 at all.
pub(crate) static UNREADABLE_CERTIFICATE: Rule = Rule::new(
    "unreadable-certificate",
    (
        "服务器发来的证书无法解析，握手失败。",
        "The certificate cannot be read, and the handshake fails.",
    ),
    ("重新签发并配置证书。", "have it made and configured anew."),
);

/// TLS 1.2 is off.
pub(crate) static TLS13_ONLY: Rule = Rule::new(
    "tls13-only",
    (
        "服务器只接受 TLS 1.3。ESP-IDF 默认不启用 TLS 1.3，设备只会 TLS 1.2，握手失败。",
        "The server takes TLS 1.3 only. ESP-IDF builds without it by default: devices speak TLS 1.2, and the handshake \
         fails.",
    ),
    (
        "在服务器或前面的代理上同时启用 TLS 1.2。",
        "turn TLS 1.2 on beside it, at the server or the proxy in front.",
    ),
);

/// No AES-GCM in TLS 1.2.
pub(crate) static CHACHA_ONLY: Rule = Rule::new(
    "chacha-only",
    (
        "服务器在 TLS 1.2 下只接受 ChaCha20-Poly1305，而 ESP-IDF 默认不编译它，握手失败。",
        "With TLS 1.2 the server takes ChaCha20-Poly1305 only, which ESP-IDF builds without by default: the handshake \
         fails.",
    ),
    (
        "启用 ECDHE-ECDSA/RSA-AES128-GCM-SHA256。",
        "turn ECDHE-ECDSA/RSA-AES128-GCM-SHA256 on.",
    ),
);

/// The server asks who the client is.
pub(crate) static CLIENT_CERTIFICATE: Rule = Rule::new(
    "client-certificate",
    (
        "服务器要求客户端证书（双向 TLS），而设备没有，握手失败。",
        "The server demands a client's certificate (mutual TLS). Devices have none, and the handshake fails.",
    ),
    (
        "对设备使用的地址关闭客户端证书验证。",
        "demand none on the address that devices use.",
    ),
);

/// Handshake that is not judged: what a device offers beyond the probe's own TLS
/// may decide.
pub(crate) static CANNOT_BE_JUDGED: Rule = Rule::new(
    "cannot-be-judged",
    (
        "探测程序无法替设备作出判断：设备的 TLS 还有探测程序没有的算法（CBC、CCM、RSA 密钥交换、P-521、brainpool），也许能通过。",
        "The probe cannot tell: a device's TLS has what the probe's lacks (CBC, CCM, RSA key exchange, P-521, brainpool), \
         and may get through.",
    ),
    (
        "启用 ECDHE-AES128-GCM-SHA256 和 P-256 或 X25519，就不再有疑问；或者用真实设备试一次。",
        "turn ECDHE with AES128-GCM-SHA256 and P-256 or X25519 on, and there is no doubt; or try with a real device.",
    ),
);

/// The server ended the handshake, and said why.
pub(crate) static TLS_ALERT: Rule = Rule::new(
    "tls-alert",
    (
        "服务器拒绝了握手，并发来 TLS 警报。",
        "The server refused the handshake with a TLS alert.",
    ),
    (
        "查看服务器日志；unrecognized_name 表示没有为这个主机名配置证书，protocol_version 表示没有启用 TLS 1.2。",
        "look at the server's log; unrecognized_name means no certificate for this host, protocol_version no TLS 1.2.",
    ),
);

/// Bytes of the server that are no proper TLS.
pub(crate) static BAD_HANDSHAKE: Rule = Rule::new(
    "bad-handshake",
    (
        "服务器的握手消息不合规范，握手失败。",
        "What the server says in the handshake is not proper TLS, and the handshake fails.",
    ),
    (
        "检查这个端口上运行的是什么，以及中间有没有改动流量的设备。",
        "see what runs on that port, and what on the way meddles with it.",
    ),
);

/// The server is silent.
pub(crate) static HANDSHAKE_TIMEOUT: Rule = Rule::new(
    "handshake-timeout",
    (
        "连接建立了，但服务器没有完成 TLS 握手，设备等到超时。",
        "The connection stands, but the server does not finish the handshake, and a device waits in vain.",
    ),
    (
        "检查这个端口是否真的提供 TLS，以及负载和防火墙。",
        "see whether that port speaks TLS at all, and look at load and firewalls.",
    ),
);

/// The server goes away.
pub(crate) static HANDSHAKE_CUT: Rule = Rule::new(
    "handshake-cut",
    (
        "握手还没完成，连接就被关闭了。",
        "The connection was closed in the midst of the handshake.",
    ),
    (
        "检查服务器日志、端口是否提供 TLS，以及中间的防火墙（未备案的域名也会被这样切断）。",
        "look at the server's log, whether that port speaks TLS, and at firewalls on the way (in mainland China an \
         unregistered domain is cut like this).",
    ),
);
