//! Reasons why a command that asks a running server gets no answer, or not the one that was
//! wanted.

use super::super::Kind;
use super::why;

kinds! { ASKING:
    /// There is no admin address.
    ASK_OFF = why("ask.off", &[],
        "没有可以询问的管理地址：gateway.admin.listen 为 off。请将它设为 127.0.0.1:8009 并重启服务器；若要询问另一台服务器，请用 --server",
        "there is no admin address to ask: gateway.admin.listen is off. Set it to 127.0.0.1:8009 and restart the server; --server names \
         another one");
    /// The kernel chose the port.
    ASK_PORT_UNKNOWN = why("ask.port-unknown", &[],
        "gateway.admin.listen 的端口为 0，实际端口由内核选择，只有日志中有（admin.listening）：请用 --server http://127.0.0.1:端口 指定，或在配置中写一个端口",
        "gateway.admin.listen has port 0, and which one the kernel chose says only the log (admin.listening): give it by --server \
         http://127.0.0.1:PORT, or write a port into the configuration");
    /// Nobody answers.
    ASK_SILENT = why("ask.silent", &["address", "error"],
        "{address} 没有应答（{error}）：服务器在运行吗？用的是这份配置吗（--config）？若它在容器中，请用 docker exec 在容器内执行，或用 --server 指定地址",
        "{address} does not answer ({error}): is the server running, and with this configuration (--config)? If it runs in a container, \
         run this inside (docker exec), or name its address by --server");
    /// Somebody takes the connection, and does not answer.
    ASK_HANGS = why("ask.hangs", &["address", "seconds", "look?"],
        "{address} 接受了连接，但没有在 {seconds} 秒内应答{；命令是否已被接受，请用 |look| 查看}：服务器可能已卡死或过载，也可能是别的程序占用了该端口。请查看服务器的日志和机器的负载，若一直如此，请重启服务器",
        "{address} took the connection, and did not answer within {seconds} s{; whether the order was taken says |look|}: the server hangs or \
         has too much to do, or another program has the port. See its log and the load of its machine, and restart it if it stays so");
    /// Something else answers.
    ASK_STRANGER = why("ask.stranger", &["address"],
        "在 {address} 应答的不是本服务器的管理地址，令牌没有发给它：可能是别的程序占用了该端口，也可能是没有管理地址的旧版本。请查看服务器的日志（admin.listening、admin.not-listening）和 gateway.admin.listen",
        "what answers at {address} is no admin address of this server, and was shown no token: another program may have the port, or the \
         server is an older one. See the server's log (admin.listening, admin.not-listening) and gateway.admin.listen");
    /// The server wants TLS.
    ASK_WANTS_TLS = why("ask.wants-tls", &["address"],
        "{address} 只接受 TLS：请用 --server https://{address}",
        "{address} takes TLS only: use --server https://{address}");
    /// An address makes no sense.
    ASK_BAD_SERVER = why("ask.bad-server", &["value"],
        "--server {value}：请写 http://127.0.0.1:8009 或 https://名称:端口，后面不要有路径",
        "--server {value}: write http://127.0.0.1:8009 or https://NAME:PORT, and no path behind it");
    /// A token would go over the network in clear.
    ASK_IN_CLEAR = why("ask.in-clear", &["address"],
        "令牌会以明文经过网络到达 {address}：http:// 只用于本机，请用 https://",
        "the token would go to {address} over the network in clear: http:// is for this machine only, use https://");
    /// A certificate is not trusted.
    ASK_UNTRUSTED = why("ask.untrusted", &["address", "error"],
        "不信任 {address} 的证书（{error}），令牌没有发给它：请用 --ca 文件 指定签发它的证书；确信中间没有别人时可用 --insecure",
        "the certificate of {address} is not trusted ({error}), and it was shown no token: name the one that signed it by --ca FILE; \
         --insecure is for where nobody can stand between");
    /// Another machine's server is to be shown this one's token.
    ASK_TOKEN_ELSEWHERE = why("ask.token-elsewhere", &["address"],
        "{address} 不在本机，而 admin.token 是本机服务器的令牌，没有发给它：请用 --token-file 文件 指定那台服务器的令牌（其 gateway.admin.tokens 中的一个）",
        "{address} is on another machine, and was not shown admin.token, which is for the server on this one: name a file with a token of that \
         server by --token-file FILE (one of its gateway.admin.tokens)");
    /// Another user's token.
    ASK_TOKEN_DENIED = why("ask.token-denied", &["file", "error"],
        "无权读取令牌 {file}（{error}）：它属于运行服务器的用户。请以该用户或 root 执行（sudo；在容器中用 docker exec），或用 --token-file 指定 gateway.admin.tokens 中的一个令牌文件",
        "the token in {file} may not be read ({error}), for it is the server's user's: run this as that user or root (sudo; docker exec \
         for a container), or name the file of one of gateway.admin.tokens by --token-file");
    /// There is no token yet.
    ASK_TOKEN_MISSING = why("ask.token-missing", &["file"],
        "没有令牌 {file}：服务器第一次启动时会生成它。它用这份配置启动过吗（--config）？状态目录不可写时也没有令牌，日志中有 state.unwritable",
        "there is no token {file}: the server makes it at its first start. Was it started with this configuration (--config)? Where its \
         state folder cannot be written there is none, and the log has state.unwritable");
    /// A file holds no token.
    ASK_TOKEN_UNREADABLE = why("ask.token-unreadable", &["file", "error"],
        "无法使用令牌文件 {file}（{error}）：请指定只含一个令牌的文件",
        "the token in {file} cannot be used ({error}): name a file with one token in it, and nothing else");
    /// The token is nobody's.
    ASK_WRONG_TOKEN = why("ask.wrong-token", &["address", "file"],
        "{address} 的服务器不认识 {file} 中的令牌：该服务器可能用的是另一个状态目录或另一份配置（--config），或令牌文件在它启动后改过（发送 SIGHUP 使其重新读取）",
        "the server at {address} does not know the token in {file}: it may run with another state folder or configuration (--config), or the \
         file was changed since it was started (SIGHUP has it read again)");
    /// Too many wrong tokens came.
    ASK_TOO_MANY_GUESSES = why("ask.too-many-guesses", &["address", "file"],
        "{address} 的服务器不认识 {file} 中的令牌，而且从本机已收到太多错误的令牌：正确的令牌仍会立即被接受，请改用状态目录中的 admin.token",
        "the server at {address} does not know the token in {file}, and too many wrong ones came from here: a right one is taken at once, so \
         use admin.token in the state folder");
    /// The token may look only.
    ASK_FORBIDDEN = why("ask.forbidden", &["file"],
        "{file} 中的令牌只能查看：此命令需要角色为 operate 的令牌（gateway.admin.tokens，或状态目录中的 admin.token）",
        "the token in {file} may look only: this takes one with the role operate (gateway.admin.tokens, or admin.token in the state folder)");
    /// The server goes by other names.
    ASK_MISDIRECTED = why("ask.misdirected", &["address"],
        "服务器不认可以 {address} 的名称访问它：请用它监听的地址，或在 gateway.admin.names 中列出该名称",
        "the server does not answer to the name in {address}: use the address that it listens on, or list the name in gateway.admin.names");
    /// Nobody knows the device.
    ASK_NO_DEVICE = why("ask.no-device", &["device", "near?"],
        "没有设备 {device}：它从未向该服务器签到，或已被删除{；相近的有：|near|}。xiaozhi-ota devices 列出全部",
        "there is no device {device}: it never checked in at this server, or was forgotten{; near it are: |near|}. `xiaozhi-ota devices` lists \
         all");
    /// The device was not offered the file.
    ASK_NO_FILE = why("ask.no-file", &["device", "file", "files?"],
        "设备 {device} 没有被下发过 {file}{；下发过的有：|files|}。不写文件则重试它失败过的全部",
        "{file} was not offered to the device {device}{; what was: |files|}. Without a file all that failed on it is tried again");
    /// An order could not be written.
    ASK_NOT_KEPT = why("ask.not-kept", &["said"],
        "服务器没有接受该命令，什么也没有改变：{said}", "the server did not take the order, and nothing was changed: {said}");
    /// The server has much to do.
    ASK_BUSY = why("ask.busy", &["address"],
        "{address} 的服务器现在太忙，没有及时应答：请稍后再试", "the server at {address} is too busy to answer in time: try again in a moment");
    /// The server does not know the request.
    ASK_OTHER_VERSION = why("ask.other-version", &["address", "own"],
        "{address} 的服务器与本命令（{own}）版本不同，不能这样应答：更新后请重启服务器，或使用与服务器同一版本的命令",
        "the server at {address} is of another version than this command ({own}), and does not answer so: restart it after an update, or use \
         the command of its own version");
    /// The server refuses for another reason.
    ASK_REFUSED = why("ask.refused", &["address", "status", "said"],
        "{address} 的服务器拒绝了请求（HTTP {status}）：{said}", "the server at {address} refused (HTTP {status}): {said}");
}
