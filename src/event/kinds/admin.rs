//! The admin address: where this server is watched and operated, and by whom.

use super::super::Kind;
use super::super::Severity::{Error, Info, Warning};
use super::{PLACE, why};

kinds! { ADMIN:
    /// The admin address answers.
    ADMIN_LISTENING = Kind::new("admin.listening", Info, "admin", &["address", "url", "protocols", "token_file?"],
        "管理页面：{url} （{用 |token_file| 中的令牌登录；}{protocols}；gateway.admin 设为 listen: off 则关闭）",
        "operator's page: {url} ({sign in with the token in |token_file|; }{protocols}; gateway.admin with `listen: off` turns it off)");
    /// The default admin address cannot be listened on.
    ADMIN_NOT_LISTENING = Kind::new("admin.not-listening", Warning, "admin", &["address", "why"],
        "没有管理地址，设备照常得到应答：{why}",
        "there is no admin address, and devices are served all the same: {why}");
    /// Another process has the port of the admin address.
    ADMIN_IN_USE = why("admin.in-use", &["address"],
        "gateway.admin.listen：无法监听 {address}，该端口已被另一个进程占用（可用 ss -ltnp 查看）：请停止它，或将 gateway.admin.listen 改为其他端口，或设为 off",
        "gateway.admin.listen: cannot listen on {address}, for another process has this port (`ss -ltnp` tells): stop it, or set \
         gateway.admin.listen to another port, or to off");
    /// The admin address cannot be listened on for another reason.
    ADMIN_LISTEN_FAILS = why("admin.listen-fails", &["address", "what"],
        "gateway.admin.listen：{address}：{what}", "gateway.admin.listen: {address}: {what}");
    /// A token would go over the wire in clear.
    CONFIG_ADMIN_IN_CLEAR = of_keys!("config.admin-in-clear", Error, [],
        "令牌会以明文经过网络，因为 gateway.tls.mode 为 off{（|beside|}{ 位于 |beside_place|）}：请将 gateway.admin.listen 设为回环地址（127.0.0.1:8009）或 off，或启用 TLS",
        "tokens would go over the network in clear, for gateway.tls.mode is off{ (|beside|}{ stands at |beside_place|)}: set \
         gateway.admin.listen to a loopback address (127.0.0.1:8009) or off, or turn TLS on");
    /// The admin address has a port of devices.
    CONFIG_ADMIN_PORT = of_keys!("config.admin-port", Error, ["port"],
        "设备使用端口 {port}{（|beside|}{ 位于 |beside_place|）}：管理地址需要另一个端口",
        "devices come to port {port}{ (|beside|}{ stands at |beside_place|)}: the admin address needs a port of its own");
    /// The file of a token cannot be read.
    ADMIN_TOKEN_UNREADABLE = why("admin-token.unreadable", &["file", "error"],
        "无法读取令牌文件 {file}：{error}：请写入令牌（openssl rand -hex 24），并让本服务器的用户可以读取",
        "the file of the token, {file}, cannot be read: {error}: write a token into it (openssl rand -hex 24), and let this server's user read it");
    /// The file of a token is empty.
    ADMIN_TOKEN_EMPTY = why("admin-token.empty", &["file"],
        "令牌文件 {file} 为空：请写入令牌（openssl rand -hex 24）",
        "the file of the token, {file}, is empty: write a token into it (openssl rand -hex 24)");
    /// The file of a token holds what no header can carry.
    ADMIN_TOKEN_SPACED = why("admin-token.spaced", &["file"],
        "令牌文件 {file} 中有空格、换行或 ASCII 以外的字符：请只写一个令牌（openssl rand -hex 24）",
        "the file of the token, {file}, has blanks, lines or letters beyond ASCII in it: write one token into it, and nothing else (openssl rand -hex 24)");
    /// A token can be guessed.
    ADMIN_TOKEN_SHORT = why("admin-token.short", &["file", "least"],
        "令牌文件 {file} 中的令牌太短，可能被猜到：请写至少 {least} 个字符（openssl rand -hex 24）",
        "the token in {file} is so short that it can be guessed: write {least} characters or more (openssl rand -hex 24)");
    /// Two files hold one token.
    ADMIN_TOKEN_TWICE = why("admin-token.twice", &["file", "other"],
        "{file} 中的令牌与“{other}”的相同，日志将无法区分是谁：请各写一个",
        "{file} holds the same token as that of {other}, so that nobody could tell who it was: write one of its own into each");
    /// Everybody on this machine may read a token.
    ADMIN_TOKEN_OPEN = Kind::new("admin-token.open", Warning, "admin", &["place?~", "key?", "file", "mode"],
        "{|key|：}本机的每个用户都能读取令牌文件 {file}（权限 {mode}）：请执行 chmod o= {file}",
        "{|key|: }every user of this machine may read the token in {file} (mode {mode}): chmod o= {file}").lead(PLACE);
    /// The token that this server makes cannot be had.
    ADMIN_NO_TOKEN = Kind::new("admin.no-token", Warning, "admin", &["dir", "error"],
        "状态目录 {dir} 中没有可用的令牌 admin.token（{error}）：只有 gateway.admin.tokens 中的令牌有效",
        "there is no token of this server's own, admin.token in the state folder {dir} ({error}): those of gateway.admin.tokens alone are taken");
    /// Somebody put another token in the place of this server's own.
    ADMIN_TOKEN_REPLACED = Kind::new("admin-token.replaced", Info, "admin", &["file"],
        "{file} 中的令牌已更换：新令牌从现在起有效，以前的不再有效",
        "another token stands in {file}: it is taken from now on, and the one before no longer");
    /// Somebody removed this server's own token.
    ADMIN_TOKEN_ANEW = Kind::new("admin-token.anew", Warning, "admin", &["file"],
        "{file} 已被删除：已生成新令牌，从现在起有效，以前的不再有效",
        "{file} was removed: a new token was made and lies there; it is taken from now on, and the one before no longer");
    /// The file of this server's own token is of no use.
    ADMIN_TOKEN_KEPT = Kind::new("admin-token.kept", Warning, "admin", &["file", "why"],
        "无法从 {file} 读取令牌（{why}）：以前的令牌继续有效，文件保持原样；用它的命令现在会失败，重启时会换成新的令牌。",
        "no token could be read from {file} ({why}): the one before is taken as ever, and the file is left as it is; commands that read it fail \
         now, and a restart makes a new token.")
        .remedy("请写入 43 个 base64url 字符的令牌，或删除该文件（会生成新的），然后再次发送 SIGHUP。",
            "write a token of 43 base64url characters into it, or delete it, which makes a new one; then send SIGHUP again.");
    /// The folder was not looked at yet.
    READY_NO_CATALOGUE = Kind::new("ready.catalogue", Warning, "", &["dir"],
        "固件目录 {dir} 还没有读完一遍", "the firmware folder {dir} has not been looked at yet");
    /// The firmware folder cannot be read.
    READY_FOLDER = Kind::new("ready.folder", Error, "", &["dir", "error"],
        "无法读取固件目录 {dir}：{error}。它可能已被移走，或没有挂载",
        "the firmware folder {dir} cannot be read: {error}. It may have been moved away, or is not mounted");
    /// There is no certificate yet.
    READY_NO_CERTIFICATE = Kind::new("ready.certificate", Error, "", &[],
        "还没有证书，TLS 连接会失败：日志中有原因", "there is no certificate yet, and TLS connections fail: the log has the reason");
    /// There is no state folder.
    READY_NO_STATE = Kind::new("ready.state", Error, "", &["dir"],
        "无法写入 gateway.state（{dir}）：日志中有原因", "gateway.state ({dir}) cannot be written: the log has the reason");
    /// The store is still being read.
    READY_STORE_UNREAD = Kind::new("ready.store-unread", Warning, "", &["dir"],
        "仍在读取 gateway.state（{dir}）中已知的设备", "what is known of devices is still being read from gateway.state ({dir})");
    /// Somebody sent a wrong token.
    ADMIN_WRONG_TOKEN = Kind::new("admin.wrong-token", Warning, "admin", &["peer"],
        "收到错误的令牌：如果不是您，请查看谁能访问管理地址（gateway.admin.listen）（每个客户端每小时提示一次）",
        "a wrong token came: if it was not yours, see who can reach the admin address (gateway.admin.listen) (said once an hour for each client)");
    /// Somebody guesses at tokens.
    ADMIN_GUESSING = Kind::new("admin.guessing", Warning, "admin", &["peer", "count"],
        "已收到 {count} 个错误的令牌，来自该地址的其他错误令牌得到 429；正确的令牌不受影响（每个客户端每小时提示一次）",
        "{count} wrong tokens came from this address, and further ones get a 429; a right one is taken as ever (said once an hour for each client)");
    /// Somebody asks by a name that is not the admin address's.
    ADMIN_MISDIRECTED = Kind::new("admin.misdirected", Warning, "admin", &["peer", "host"],
        "以 {host} 访问管理地址，得到 421：如果这是您的名称，请列入 gateway.admin.names（每个名称每小时提示一次）",
        "the admin address was asked for as {host}, and answered 421: if that name is yours, list it in gateway.admin.names (said once an hour for each name)");
    /// Somebody gave a device another try.
    ADMIN_RETRIED = Kind::new("admin.retried", Info, "admin", &["device", "file?", "count", "by", "peer"],
        "设备 {device} 可以重新尝试失败过的固件{（|file|）}，由 {by} 安排：下次签到（设备重启）时可以再得到",
        "the device {device} may try again what failed on it{ (|file|)}, by order of {by}: it can get it at its next check-in, which is at its next boot");
    /// Nothing was to be tried again.
    ADMIN_NOTHING_FAILED = why("admin.nothing-failed", &["device", "file?"],
        "没有固件{（|file|）}在设备 {device} 上失败过，或次数已清零：什么也没有改变",
        "no image{ (|file|)} failed on the device {device}, or its failures count no more: nothing was changed");
    /// Somebody had a device forgotten. Which one is forgotten, too.
    ADMIN_FORGOT = Kind::new("admin.forgot", Info, "admin", &["by", "peer"],
        "{by} 删除了一台设备的记录；它再次签到时按新设备对待",
        "{by} had a device forgotten; if it checks in again, it is a new device");
    /// Somebody published a file.
    ADMIN_PUBLISHED = Kind::new("admin.published", Info, "admin", &["file", "by", "peer"],
        "{by} 发布了 {file}", "{by} published {file}");
    /// Somebody deleted a file.
    ADMIN_DELETED = Kind::new("admin.deleted", Info, "admin", &["file", "by", "peer"],
        "{by} 删除了 {file}", "{by} deleted {file}");
}
