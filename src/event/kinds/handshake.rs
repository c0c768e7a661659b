//! TLS handshakes that came to nothing, each by its reason.

use super::super::Kind;
use super::super::Severity::{Info, Warning};
use super::why;

/// Makes a kind of a handshake that failed, of a client that may be a device.
macro_rules! failed {
    ($id:literal, $severity:ident, [$($field:literal),*], $zh:literal, $en:literal $(,)?) => {
        Kind::new(
            $id,
            $severity,
            "handshake",
            &["peer", $($field),*],
            concat!($zh, "（每个客户端每小时提示一次）。"),
            concat!($en, " (said once an hour for each client)."),
        )
    };
}

kinds! { HANDSHAKES:
    /// A client that is too old.
    TLS_OLD = failed!("tls.old-version", Warning, ["version"],
        "TLS 握手失败：客户端最高只支持 {version}，而这里只用 TLS 1.2 和 1.3",
        "the TLS handshake failed: the client speaks {version} at most, and TLS 1.2 and 1.3 are spoken here")
        .remedy("升级该设备（或其 4G 模组）的固件；在此之前给它 http:// 地址（gateway.http_fallback: true），\
             或由前面的 Nginx（ssl_protocols TLSv1.1 TLSv1.2 TLSv1.3）接收其 TLS 再以 http 转发（gateway.behind_proxy）。",
            "update the firmware of the device, or of its modem; until then give it an http:// address (gateway.http_fallback: \
             true), or let Nginx in front (ssl_protocols TLSv1.1 TLSv1.2 TLSv1.3) take its TLS and pass it on over http \
             (gateway.behind_proxy).");
    /// A client that can check other keys than ours only.
    TLS_KEY_TYPE = failed!("tls.key-type", Warning, ["wanted", "kind"],
        "TLS 握手失败：客户端只能验证 {wanted} 密钥的证书，而这里没有这样的证书",
        "the TLS handshake failed: the client can check certificates with {wanted} keys only, and none here has one")
        .remedy("为同一域名再申请一张证书，两张都列在 gateway.tls.certificates 中，各客户端会得到它能验证的一张：\
             certbot certonly --key-type {kind} --cert-name 域名-{kind} -d 域名。",
            "get a second certificate for the same name and list both in gateway.tls.certificates, where each client gets the \
             one that it can check: certbot certonly --key-type {kind} --cert-name NAME-{kind} -d NAME.");
    /// A client that takes ECDSA signatures with a hash of which no key here signs.
    TLS_HASH = failed!("tls.hash", Warning, ["wanted"],
        "TLS 握手失败：客户端只接受使用 {wanted} 的 ECDSA 签名，而这里 P-256 密钥用 SHA-256 签名，只有更长曲线的密钥才用这样的哈希",
        "the TLS handshake failed: the client takes ECDSA signatures with {wanted} only, and here a P-256 key signs with SHA-256, and \
         a key on a longer curve alone with such a hash")
        .remedy("让该客户端也接受 ECDSA+SHA256（签名算法列表）；或为同一域名再申请一张证书，两张都列在 gateway.tls.certificates 中：\
             certbot certonly --key-type ecdsa --elliptic-curve secp384r1 --cert-name 域名-p384 -d 域名（RSA 则用 --key-type rsa）。",
            "let the client take ECDSA+SHA256, too (its list of signature algorithms); or get a second certificate for the same name \
             and list both in gateway.tls.certificates: certbot certonly --key-type ecdsa --elliptic-curve secp384r1 --cert-name \
             NAME-p384 -d NAME (or --key-type rsa, where it takes those).");
    /// A client without a cipher suite that is safe.
    TLS_CIPHER_SUITES = failed!("tls.cipher-suites", Warning, ["lacks", "offered?"],
        "TLS 握手失败：没有共同的加密套件：客户端提供的套件中{lacks}{：|offered|}",
        "the TLS handshake failed for want of a common cipher suite: of those that the client offers {lacks}{: |offered|}")
        .remedy("升级该设备（或其 4G 模组）的固件，或在模组中启用 ECDHE 与 AES-GCM；在此之前给它 http:// 地址（gateway.http_fallback: true），\
             或由前面的 Nginx 接收其 TLS（gateway.behind_proxy）。",
            "update the firmware of the device, or of its modem, or switch ECDHE with AES-GCM on there; until then give it an \
             http:// address (gateway.http_fallback: true), or let Nginx in front take its TLS (gateway.behind_proxy).");
    /// A client without a curve of ours.
    TLS_GROUPS = failed!("tls.groups", Warning, ["offered"],
        "TLS 握手失败：没有共同的密钥交换曲线：客户端提供 {offered}，而这里用 X25519 和 P-256（secp256r1）",
        "the TLS handshake failed for want of a common curve: the client offers {offered}, and X25519 and P-256 (secp256r1) are \
         used here")
        .remedy("在其固件中启用 secp256r1（ESP-IDF：CONFIG_MBEDTLS_ECP_DP_SECP256R1_ENABLED=y）；在此之前给它 http:// 地址\
             （gateway.http_fallback: true），或由前面的 Nginx 接收其 TLS（gateway.behind_proxy）。",
            "switch secp256r1 on in its firmware (ESP-IDF: CONFIG_MBEDTLS_ECP_DP_SECP256R1_ENABLED=y); until then give it an \
             http:// address (gateway.http_fallback: true), or let Nginx in front take its TLS (gateway.behind_proxy).");
    /// A client that can check no signature of today.
    TLS_SIGNATURES = failed!("tls.signatures", Warning, ["offered"],
        "TLS 握手失败：客户端不能验证这里的任何签名：它提供 {offered}，而这里用 SHA-256 及以上",
        "the TLS handshake failed: the client can check none of the signatures here: it offers {offered}, and SHA-256 and above \
         are used here")
        .remedy("升级该设备（或其 4G 模组）的固件；在此之前给它 http:// 地址（gateway.http_fallback: true），或由前面的 Nginx 接收其 TLS\
             （gateway.behind_proxy）。",
            "update the firmware of the device, or of its modem; until then give it an http:// address (gateway.http_fallback: \
             true), or let Nginx in front take its TLS (gateway.behind_proxy).");
    /// A client that asks for a name that is none.
    TLS_SERVER_NAME = failed!("tls.server-name", Warning, ["name?", "fault"],
        "TLS 握手失败：客户端要找的服务器名{ |name| }无法使用：{fault}（RFC 6066）；本服务器的 TLS 库拒绝这样的名称",
        "the TLS handshake failed: the server name{ |name|,} that the client asks for cannot be used: {fault} (RFC 6066), and the \
         TLS library here refuses such ones")
        .remedy("在设备中填写只含字母、数字、'-' 和 '.' 的主机名（中文域名写成 xn--…）或 IPv4 地址；无法更改时给它 http:// 地址\
             （gateway.http_fallback: true）。",
            "give the device an address with a host name of letters, digits, '-' and '.' (xn--… for others), or with an IPv4 \
             address; where that cannot be changed, an http:// address (gateway.http_fallback: true).");
    /// A client whose list of protocols is none.
    TLS_PROTOCOLS = failed!("tls.protocols", Warning, [],
        "TLS 握手失败：客户端的协议列表（ALPN）是空的，或其中有空的名称（RFC 7301），本服务器的 TLS 库拒绝这样的列表",
        "the TLS handshake failed: the client's list of protocols (ALPN) is empty, or holds an empty name (RFC 7301), and the TLS \
         library here refuses such ones")
        .remedy("在其固件或程序中不设置 ALPN，或设为 http/1.1；无法更改时给它 http:// 地址（gateway.http_fallback: true）。",
            "set no ALPN in its firmware or program, or http/1.1; where that cannot be changed, give it an http:// address \
             (gateway.http_fallback: true).");
    /// A client that offers what is spoken here, in a form that is not.
    TLS_SSL2_HELLO = failed!("tls.ssl2-hello", Warning, ["version"],
        "TLS 握手失败：客户端支持 {version}，但它的第一条消息是 SSL 2.0 的格式，而 TLS 1.2 起不再接受这种格式（RFC 6176）",
        "the TLS handshake failed: the client speaks {version}, but its first message has the form of SSL 2.0, which nobody may \
         send who speaks TLS 1.2 (RFC 6176)")
        .remedy("在其 TLS 库中关闭 SSL 2.0 兼容的 ClientHello（OpenSSL：SSL_OP_NO_SSLv2；Java：去掉 SSLv2Hello），或升级该设备的固件；\
             在此之前给它 http:// 地址（gateway.http_fallback: true）。",
            "switch the hello of SSL 2.0 off in its TLS library (OpenSSL: SSL_OP_NO_SSLv2; Java: take SSLv2Hello out), or update \
             the firmware of the device; until then give it an http:// address (gateway.http_fallback: true).");
    /// A CA, or who plays one, finds nothing.
    TLS_NO_CHALLENGE = failed!("tls.no-challenge", Info, ["name?"],
        "有证书机构来验证 tls-alpn-01{（|name|）}，而这里没有待验证的申请",
        "a certificate authority came to look for a tls-alpn-01 answer{ for |name|}, and no order here waits for one")
        .remedy("如果由另一个 ACME 程序申请证书，请让它使用 http-01 或 DNS 验证，或改用 gateway.tls.mode: acme。",
            "where another ACME client orders certificates, let it use http-01 or DNS, or use gateway.tls.mode: acme.");
    /// A client that does not trust us.
    CERTIFICATE_DISTRUSTED = failed!("certificate.distrusted", Warning, ["alert", "why"],
        "客户端拒绝了我们的证书（{alert}）：{why}",
        "the client refuses our certificate ({alert}): {why}")
        .remedy("用 xiaozhi-ota probe 和公网地址检查，它会像设备一样评判证书；4G 模组和 http:// 地址不检查证书。",
            "run xiaozhi-ota probe with the public address: it judges the certificate as devices do; 4G modems check none, and \
             neither does an http:// address.");
    /// A client's reason: nobody whom it knows.
    DISTRUST_AUTHORITY = why("distrust.authority", &[],
        "它不认识签发者：证书是自签名的，或缺少证书链，或设备里没有这个根证书",
        "it knows nobody who vouches for it: it is self-signed, its chain is missing, or the device lacks that root");
    /// A client's reason: another name, most of the time.
    DISTRUST_NAME = why("distrust.name", &[],
        "证书不适用于它所访问的域名，或内容不合它的要求（密钥太短、签名算法太旧）",
        "it is not made for the name that the client came by, or something in it is not as the client wants it (a short key, an \
         old signature)");
    /// A client's reason: the date.
    DISTRUST_TIME = why("distrust.time", &[],
        "证书已过期，或客户端的时钟不对",
        "it has ended, or the client's clock is wrong");
    /// A client's reason: it was revoked.
    DISTRUST_REVOKED = why("distrust.revoked", &[], "证书已被吊销", "it was revoked");
    /// A client's reason: a kind that it cannot use.
    DISTRUST_KIND = why("distrust.kind", &[],
        "它不能使用这种密钥、签名或用途（extendedKeyUsage）的证书",
        "it cannot use such a key, signature or purpose (extendedKeyUsage)");
    /// A client's reason, which it keeps to itself.
    DISTRUST_SILENT = why("distrust.silent", &[],
        "它没有说明原因（浏览器对自签名证书这样回答）",
        "it does not say why (browsers answer a self-signed one so)");
    /// A client that gives up.
    TLS_ALERT = failed!("tls.alert", Warning, ["alert", "why"],
        "TLS 握手失败：客户端以 {alert} 结束：{why}",
        "the TLS handshake failed: the client ended it with {alert}: {why}");
    /// What an alert means: the answer is not what it can use.
    ALERT_NO_GROUND = why("alert.no-ground", &[],
        "它不能使用服务器所选的版本、加密套件、曲线或签名：请升级其固件，或给它 http:// 地址",
        "it cannot use the version, cipher suite, curve or signature that was chosen: update its firmware, or give it an http:// \
         address");
    /// What an alert means: the answer cannot be read.
    ALERT_UNREADABLE = why("alert.unreadable", &[],
        "它读不了我们的回答：可能是证书链太长（只留服务器证书和中间证书），或中间有设备改动了内容",
        "it cannot read our answer: the chain may be too long for it (keep the server's certificate and the intermediates), or \
         something on the way changes it");
    /// What an alert means: what came is not what was sent.
    ALERT_DAMAGED = why("alert.damaged", &[],
        "它收到的内容与我们发出的不符，或签名不对：中间可能有设备改动了内容，或其固件有缺陷",
        "what it got is not what was sent, or a signature is wrong: something on the way may change it, or its firmware is at \
         fault");
    /// What an alert means: no memory.
    ALERT_MEMORY = why("alert.memory", &[],
        "它内部出错，设备上多半是内存不足：请缩短证书链，使用 P-256 密钥",
        "it broke, most likely for want of memory on a device: shorten the chain, and use a P-256 key");
    /// An alert that says nothing.
    ALERT_OTHER = why("alert.other", &[], "它没有说明原因", "it does not say why");
    /// A client that leaves.
    TLS_ENDED = failed!("tls.ended", Info, ["stage"],
        "TLS 握手失败：客户端{stage}断开了连接，没有说明原因",
        "the TLS handshake failed: the client ended the connection {stage}, and did not say why")
        .remedy("端口扫描和健康检查无需处理（健康检查请用 http）；如果是设备，它可能不信任证书：请用 xiaozhi-ota probe 检查。",
            "none for a port scan or a health check (let that come over http); a device may not trust the certificate: see what \
             xiaozhi-ota probe says.");
    /// A client that takes too long.
    TLS_LATE = failed!("tls.late", Info, ["stage"],
        "TLS 握手失败：未能及时完成（gateway.limits.handshake），{stage}停住了",
        "the TLS handshake failed: it was not over in time (gateway.limits.handshake), and stood still {stage}")
        .remedy("网络很慢时调大 gateway.limits.handshake；大的数据包在途中丢失时（VPN、PPPoE）调小 MTU。",
            "raise gateway.limits.handshake where the network is slow, and lower the MTU where large packets are lost on the way \
             (VPN, PPPoE).");
    /// A client whose turn did not come in time.
    TLS_CROWDED = failed!("tls.crowded", Warning, ["end", "others", "own"],
        "TLS 握手失败：服务器忙于其他握手，{end}；同时还有 {others} 个握手在等待，\
         其中 {own} 个来自同一网络（IPv6 按 /56 计）",
        "the TLS handshake failed: this server was busy with others, and {end}; others that were waiting: {others}, of those from the same network (IPv6: its /56): {own}")
        .remedy("其中大多来自同一网络时，那里有人在大量握手：如果不是您的设备，用防火墙限制它（nft、iptables 的 connlimit）；\
             否则请使用 ECDSA P-256 证书（比 RSA 便宜得多），或换更快的机器。",
            "where most of them are from that network, somebody there begins very many: if these are not your devices, limit it \
             in the firewall (connlimit in nft and iptables); else use a certificate with an ECDSA P-256 key, which costs far less than \
             RSA, or a faster machine.");
    /// Something that is no TLS.
    TLS_BROKEN = failed!("tls.broken", Info, ["error"],
        "TLS 握手失败：客户端发来的内容不符合 TLS：{error}",
        "the TLS handshake failed: what the client sent is not as TLS has it: {error}")
        .remedy("端口扫描无需处理；如果是设备，请检查中间是否有设备改动了内容。",
            "none for a port scan; of a device, see what on the way may change it.");
    /// A client that rustls does not go on with.
    TLS_REFUSED = failed!("tls.refused", Warning, ["error"],
        "TLS 握手失败：客户端与服务器没有共同之处：{error}",
        "the TLS handshake failed for want of common ground: {error}")
        .remedy("升级该设备（或其 4G 模组）的固件；在此之前给它 http:// 地址（gateway.http_fallback: true）。",
            "update the firmware of the device, or of its modem; until then give it an http:// address (gateway.http_fallback: \
             true).");
}
