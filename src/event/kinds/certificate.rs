//! Certificates: what an audit finds, and how they are signed and ordered.

use super::super::Kind;
use super::super::Severity::{Error, Info, Warning};
use super::{found, why};

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
    CERTIFICATE_NAME = found("certificate.name", &["place?", "setting", "host", "names"],
        "这里没有适用于 {host} 的证书（现有证书适用于 {names}）：Wi-Fi 设备会检查域名并拒绝连接。",
        "No certificate here is made for {host} (they are for {names}): Wi-Fi devices check the name and will refuse the \
         connection.")
        .remedy("为该域名申请证书，或在公网地址中使用上述域名之一。",
            "get one for that name, or use one of those names in the public address.");
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
    /// The RSA key is short.
    CERTIFICATE_KEY_SHORT = found("certificate.key-short", &["place?", "setting", "file", "bits"],
        "{file} 的 RSA 密钥只有 {bits} 位：公共机构不签发此类密钥，如今的客户端会拒绝它。",
        "{file} has an RSA key of {bits} bits: public authorities sign no such key, and clients of today refuse it.")
        .remedy("使用 P-256 密钥，或 2048 位的 RSA 密钥。", "make a P-256 key, or an RSA one of 2048 bits.");
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
        "{file} ends within {days} days ({hours} h left): from then on browsers, and devices whose firmware was built to \
         check dates, will refuse it.")
        .remedy("续期；新文件无需重启即会被采用。由 ACME 申请的，请查看日志中最近一次申请（acme.failed）。",
            "renew it; the new file is taken up without a restart. Of one that is ordered by ACME, see what the log says of \
             the last order (acme.failed).");
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
    CERTIFICATE_NOT_REPLACED = Kind::new("certificate.not-replaced", Error, "resolver", &["error"],
        "未更换证书，继续使用上一份有效的证书：{error}",
        "certificate not replaced, the last good one stays in use: {error}");
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
        "无法保存新证书，继续使用已保存的证书，尽管 {reason}（{why}）。",
        "no new certificate can be kept, and the kept one stays in use, though {reason} ({why}).")
        .remedy("腾出空间或使该处可写；一小时内或下次启动时会生成新证书",
            "make room there or make it writable; a new one is then made within an hour, or at the next start");
    /// It is in memory only.
    CERTIFICATE_UNKEPT = Kind::new("certificate.unkept", Warning, "self_signed", &["names", "why"],
        "证书仅存在于内存中，下次启动会另行生成：此前被告知信任它的客户端需要重新设置（{why}）。",
        "the certificate is in memory only, and the next start makes another one: whoever was told to trust it has to be told \
         again ({why}).")
        .remedy("腾出空间或使该处可写，然后重启", "make room there or make it writable, and restart");
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
    ACME_KEPT_UNFIT = Kind::new("acme.kept-unfit", Warning, "keeper", &["what"],
        "{what}：将另行申请", "{what}: another one is ordered");
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
        "证书机构拒绝{step}：它说 {said}（{kind}）；请检查：{check}", "the CA refuses to {step}: it says {said} ({kind}); check {check}");
    /// The CA does not believe that the names are ours.
    ACME_PROOF = why("acme.proof", &["proofs"], "{proofs}", "{proofs}");
    /// One challenge failed.
    ACME_PROOF_FAILED = why("acme.proof-failed", &["name", "challenge", "said", "kind", "check"],
        "{name} 的 {challenge} 验证失败：它说 {said}（{kind}）；请检查：{check}",
        "{name} by {challenge} failed: it says {said} ({kind}); check {check}");
    /// The CA does not offer the configured challenge.
    ACME_NOT_OFFERED = why("acme.not-offered", &["name", "challenge", "offered"],
        "证书机构不为 {name} 提供 {challenge} 验证，只提供 {offered}：请检查 gateway.tls.acme.challenge",
        "the CA does not offer {challenge} for {name}, only {offered}: check gateway.tls.acme.challenge");
    /// An order failed that counts already.
    ACME_SPENT = why("acme.spent", &["why"],
        "证书机构已准备签发，因此下一次申请需要等待：{why}", "the CA was to sign already, so the next order waits: {why}");
    /// The certificate did not come for a day.
    ACME_LOST = why("acme.lost", &[], "证书机构签发的证书一天内都未能取得", "what the CA signed could not be fetched for a day");
    /// The order ended without a reason.
    ACME_SILENT = why("acme.silent", &["status"],
        "申请结束但没有证书，证书机构没有说明原因（{status}）",
        "the order ended without a certificate, and the CA does not say why ({status})");
    /// The certificate cannot be used.
    ACME_USELESS = why("acme.useless", &["error"], "证书机构签发的证书无法使用：{error}", "the CA's certificate cannot be used: {error}");
    /// The certificate lacks names.
    ACME_LACKS = why("acme.lacks", &["names"], "证书机构签发的证书不适用于 {names}", "the CA's certificate does not hold for {names}");
    /// An answer or a key cannot be made.
    ACME_MAKE = why("acme.make", &["error"], "{error}", "{error}");
    /// The disk does not take a file.
    ACME_KEEP = why("acme.keep", &["path", "error"],
        "{path}：{error}：账户、密钥和证书都保存在那里；请检查是否有空间以及该用户是否可以写入",
        "{path}: {error}: account, key and certificate are kept there; check that there is room and that this user may write");
    /// The server is to end.
    ACME_STOPPED = why("acme.stopped", &[], "服务器正在停止", "the server ends");
    /// What to check: DNS.
    ACME_CHECK_DNS = why("acme.check-dns", &["name"],
        "DNS 中 {name} 的地址是否为本机（dig {name}），以及是否有过时的 AAAA 记录",
        "that DNS has an address for {name} which is this machine's (dig {name}), and no stale AAAA");
    /// What to check: the way to the port.
    ACME_CHECK_PORT = why("acme.check-port", &["port", "name"],
        "从互联网能否访问 {name} 的端口 {port} 并到达这里：gateway.ports、防火墙、路由器的转发，以及可能存在的 AAAA 记录",
        "that port {port} of {name} is reached from the internet and leads here: gateway.ports, firewall, the router's \
         forwarding, and the AAAA record if there is one");
    /// What to check: who ends TLS.
    ACME_CHECK_TLS = why("acme.check-tls", &["name"],
        "本服务器前面（代理、CDN）是否没有终止 {name} 的 TLS，或改用 challenge: http-01",
        "that nothing in front of this server (a proxy, a CDN) ends the TLS of {name}, or use challenge: http-01");
    /// What to check: that it is this server.
    ACME_CHECK_HERE = why("acme.check-here", &["port", "name"],
        "从互联网访问 {name} 的端口 {port} 是否到达本服务器而不是别的服务器，IPv6 也一样",
        "that port {port} of {name} is reached from the internet and leads to this server, not to another one, by IPv6 too");
    /// What to check: CAA.
    ACME_CHECK_CAA = why("acme.check-caa", &["name"], "{name} 的 CAA 记录是否允许该机构", "that the CAA record of {name} allows this CA");
    /// What to check: the number of orders.
    ACME_CHECK_RATE = why("acme.check-rate", &[],
        "该域名已申请了多少证书；没有设置可以改变，只能等待",
        "how many certificates were ordered for this domain; no setting helps, waiting does");
    /// What to check: the names.
    ACME_CHECK_NAMES = why("acme.check-names", &[],
        "该机构是否为 gateway.tls.names 中的每个域名签发证书", "that this CA issues for each of gateway.tls.names");
    /// What to check: the e-mail address.
    ACME_CHECK_EMAIL = why("acme.check-email", &[], "gateway.tls.acme.email", "gateway.tls.acme.email");
    /// What to check: the directory.
    ACME_CHECK_DIRECTORY = why("acme.check-directory", &[],
        "gateway.tls.acme.directory：该机构要求账户绑定合同，这里不支持",
        "gateway.tls.acme.directory: this CA wants accounts bound to a contract, which is not supported");
    /// What to check: the message.
    ACME_CHECK_MESSAGE = why("acme.check-message", &[],
        "该消息中的地址：需要有人在那里同意", "the address in that message: a person has to agree there");
    /// What to check: nothing.
    ACME_CHECK_NOTHING = why("acme.check-nothing", &[], "无需检查：会另行创建账户", "nothing: another account is made");
    /// What to check where the CA's word is not known.
    ACME_CHECK_ALL = why("acme.check-all", &["name", "port"],
        "DNS 是否将 {name} 指向本服务器，以及其端口 {port} 能否从互联网访问",
        "that DNS leads {name} to this server, and that its port {port} is reached from the internet");
    /// None is ordered yet.
    ACME_WAITS = Kind::new("acme.waits", Info, "keeper", &["names", "next", "kept"],
        "暂不申请证书：证书机构要求等待，或此前的申请占用了其限额",
        "no certificate is ordered yet: the CA asked for this wait, or earlier orders count against its limits");
}
