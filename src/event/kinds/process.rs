//! Start and end, configuration, log.

use super::super::Kind;
use super::super::Severity::{Error, Info, Warning};
use super::{PLACE, found, why};

kinds! { PROCESS:
    /// The configuration was read.
    CONFIG_READ = Kind::new("config.read", Info, "app", &["file"], "已读取配置", "configuration read");
    /// There is none.
    CONFIG_ABSENT = Kind::new("config.absent", Info, "app", &["file"],
        "没有 {file}：所有设置均为默认值", "no {file}: every setting has its default");
    /// SIGHUP came.
    RELOAD = Kind::new("reload", Info, "reload", &[],
        "SIGHUP：重新读取配置、证书和固件", "SIGHUP: configuration, certificates and firmware are read again");
    /// It was read again, and these keys were taken up.
    CONFIG_CHANGED = Kind::new("config.changed", Info, "reload", &["keys"],
        "已重新读取配置并采用改动", "configuration read again and taken up");
    /// It was read again, and holds nothing new that can be taken up.
    CONFIG_SAME = Kind::new("config.same", Info, "reload", &[],
        "已重新读取配置：没有可采用的改动", "configuration read again: nothing is taken up");
    /// Something in it changed that a running server cannot take up.
    CONFIG_NEEDS_RESTART = Kind::new("config.needs-restart", Warning, "reload", &["place?", "key"],
        "{key} 已改动，需要重启才能生效：运行中的服务继续使用原来的设置",
        "{key} is another now and needs a restart: what runs keeps the old one").lead(PLACE);
    /// Something in it is good only together with another key, which needs a restart.
    CONFIG_WAITS_FOR_KEY = Kind::new("config.needs-restart-with", Warning, "reload", &["place?", "key", "other"],
        "{key} 已改动，需要重启才能生效，因为它要与 {other} 一起改变：运行中的服务继续使用原来的设置",
        "{key} is another now and needs a restart, for {other} does: what runs keeps the old one").lead(PLACE);
    /// Something in it takes more open files than there are.
    CONFIG_WAITS_FOR_FILES = Kind::new("config.needs-restart-files", Warning, "reload", &["place?", "key"],
        "{key} 已改动，需要重启才能生效，因为转发的连接占用两个文件，打开文件数的限制（LimitNOFILE= 或 ulimit -Hn）因此只允许更少的连接：\
         运行中的服务继续使用原来的设置",
        "{key} is another now and needs a restart, for a connection that is passed on takes two files, and the limit of open \
         files (LimitNOFILE= or ulimit -Hn) lets fewer be taken then: what runs keeps the old one").lead(PLACE);
    /// It is faulty now.
    CONFIG_REFUSED = Kind::new("config.refused", Error, "reload", &["what"],
        "未采用配置的任何改动，一切照旧：{what}", "configuration not taken up, all goes on as it is: {what}");
    /// A port is listened on.
    LISTENING = Kind::new("listening", Info, "app", &["address", "protocols", "proxy_protocol?"],
        "正在监听，{protocols}", "listening, {protocols}");
    /// What the firmware folder holds at start.
    FOLDER = Kind::new("folder", Info, "app", &["dir", "images"],
        "固件目录，文件名形如 型号_版本.bin", "firmware folder, files named model_version.bin");
    /// A pin that no file answers.
    PIN_MISSING = found("pin.missing", &["place?", "setting", "model", "version"],
        "没有 {model} 的 {version} 版本可供下发，其设备不会得到任何固件",
        "no file of {model} that can be offered has version {version}: its devices are offered nothing");
    /// A pin whose model is nearly one that has files.
    PIN_NEAR = found("pin.near", &["place?", "setting", "model", "version", "near"],
        "没有型号为 {model} 的文件，因此该项不起作用：名称相近的 {near} 没有固定版本，其设备会得到最新的文件（型号按字母区分，大小写和空格也算）。",
        "no file is of the model {model}, so that this pin holds no device: {near}, whose name is nearly that, is pinned to nothing, and its \
         devices are offered the newest file (names count to the letter, case and blanks too).")
        .remedy("请写 {near}: {version}。", "write {near}: {version}.");
    /// The OTA address, as the firmware guide shows it.
    OTA_ADDRESS = Kind::new("address.ota", Info, "app", &["url"], "OTA接口是           {url}", "OTA接口是           {url}");
    /// The vision address, as the firmware guide shows it.
    VISION_ADDRESS = Kind::new("address.vision", Info, "app", &["url"], "视觉分析接口是        {url}", "视觉分析接口是        {url}");
    /// A certificate that answers from the start on.
    CERTIFICATE_IN_USE = Kind::new("certificate.in-use", Info, "app", &["file?", "key", "names", "until"],
        "正在使用证书", "certificate in use");
    /// The clock was never set since the machine got its power.
    CLOCK_BEHIND = Kind::new("clock.behind", Warning, "app", &["now", "built"],
        "本机时钟（{now}）早于本程序的构建时间（{built}），说明尚未校时。在此期间：设备会按本服务器下发的时间把自己的时钟设错；语音令牌带着错误的时间，\
         语音服务器可能拒绝；日志时间和证书到期判断不可信，申请证书会失败",
        "the clock of this machine ({now}) is behind the build of this program ({built}), so it was never set. Until it is: devices set \
         their own clocks by the time that they are handed here; tokens for the voice server carry a wrong time, and it may refuse them; \
         times in this log and the ends of certificates are not to be trusted, and no certificate can be ordered")
        .remedy("启用网络校时（timedatectl set-ntp true，或安装 chrony）；没有 RTC 的设备（如树莓派）让本服务在 time-sync.target 之后启动。\
                 校时后无需重启",
            "have it set by the network (timedatectl set-ntp true, or install chrony), and on a machine without a battery clock, as a \
             Raspberry Pi, start this server after time-sync.target; no restart is needed once it is set.");
    /// The clock was set.
    CLOCK_SET = Kind::new("clock.set", Info, "app", &[], "本机时钟已校准", "the clock of this machine has been set");
    /// Something that must run for ever broke, and begins again.
    PART_BROKE = Kind::new("part.broke", Error, "supervise", &["part", "again", "error"],
        "“{part}”出错，{again} 后重新开始；请报告此问题：{error}",
        "{part} broke and begins again in {again}; please report it: {error}");
    /// It cannot begin again.
    PART_LOST = why("part.lost", &["part", "error"],
        "“{part}”出错，且无法重新开始；请报告此问题：{error}",
        "{part} broke and cannot begin again; please report it: {error}");
    /// The process ends for something that broke and cannot begin again.
    ENDED = Kind::new("ended", Error, "serve", &["why"], "进程结束：{why}", "{why}");
    /// A fault of this program.
    PANIC = Kind::new("panic", Error, "serve", &["what"],
        "本程序的错误，请报告：{what}", "a fault of this program, please report it: {what}");
    /// The start failed.
    NOT_STARTED = Kind::new("not-started", Error, "serve", &["why"], "未能启动：{why}", "not started: {why}");
    /// Another process has the port.
    LISTEN_IN_USE = why("listen.in-use", &["address"],
        "无法监听 {address}：该端口已被另一个进程占用（xiaozhi-server、Nginx，或本服务器已在运行？可用 ss -ltnp 查看）：请停止它，或在 \
         gateway.ports 中改用其他端口",
        "cannot listen on {address}: another process has this port (xiaozhi-server, Nginx, or this server already running? \
         `ss -ltnp` tells): stop it, or choose other ports in gateway.ports");
    /// The right to a port is missing.
    LISTEN_DENIED = why("listen.denied", &["address"],
        "无法监听 {address}：1024 以下的端口需要权限：请以带有 AmbientCapabilities=CAP_NET_BIND_SERVICE 的服务运行，或对程序文件执行 \
         setcap cap_net_bind_service=+ep",
        "cannot listen on {address}: ports below 1024 need a permission: run it as a service with \
         AmbientCapabilities=CAP_NET_BIND_SERVICE, or `setcap cap_net_bind_service=+ep` the binary");
    /// The address is another machine's.
    LISTEN_NOT_OURS = why("listen.not-ours", &["ip"],
        "无法监听：本机没有 {ip} 这个地址：请写本机自己的地址（ip addr 可以查看），或写 0.0.0.0 表示所有地址",
        "cannot listen: this machine has no address {ip}: write one of its own (`ip addr` shows them), or 0.0.0.0 for all");
    /// The system has another reason.
    LISTEN_FAILS = why("listen.fails", &["address", "error"],
        "无法监听 {address}：{error}", "cannot listen on {address}: {error}");
    /// A thread cannot be started.
    LISTEN_WORKER = why("listen.worker", &["error"],
        "无法启动处理连接的线程：{error}；请调高进程和线程数的限制（ulimit -u、systemd 的 TasksMax=、容器的 --pids-limit），\
         若是打开的文件过多，则调高其限制（ulimit -n、LimitNOFILE=）",
        "a thread that serves connections cannot be started: {error}; raise the limit of processes and threads (ulimit -u, TasksMax= of \
         systemd, --pids-limit of a container), or that of open files where those are too many (ulimit -n, LimitNOFILE=)");
    /// Another thread cannot be started.
    THREAD_NONE = why("thread.none", &["part", "error"],
        "无法为“{part}”启动线程：{error}；请调高进程和线程数的限制（ulimit -u、systemd 的 TasksMax=、容器的 --pids-limit），\
         若是打开的文件过多，则调高其限制（ulimit -n、LimitNOFILE=）",
        "no thread can be started for {part}: {error}; raise the limit of processes and threads (ulimit -u, TasksMax= of systemd, \
         --pids-limit of a container), or that of open files where those are too many (ulimit -n, LimitNOFILE=)");
    /// What there is memory for.
    MEMORY_ROOM = Kind::new("memory.room", Info, "app", &["memory?", "of", "connections", "images", "bodies", "devices"],
        "{of}{：|memory|}；同时最多 {connections} 个连接，内存中最多保留 {images} 的固件，最多同时接收 {bodies} 的请求正文，最多记住 {devices} 台多次启动的设备\
         （gateway.limits.connections、gateway.firmware.memory；不写则随内存而定）",
        "{of}{ is |memory|}; room for: connections at once {connections}, images in memory {images}, bodies that are being gathered \
         {bodies}, devices that came more than once {devices} (gateway.limits.connections and gateway.firmware.memory; where they are not written they follow the memory)");
    /// Variables of other images ask for a user that this process is not.
    USER_OTHER = Kind::new("user.other", Warning, "app", &["asked", "user"],
        "设置了 {asked}，但本进程以 {user} 运行：这里不会按变量切换用户",
        "{asked} is set, and this process runs as {user}: no variable changes its user here")
        .remedy("在 compose 文件中写 user: \"用户:组\"（docker run --user），让该用户拥有 certs 和 state 目录，并删除这些变量。",
            "write user: \"USER:GROUP\" into the compose file (docker run --user), have that user own the folders certs and state, and take the \
             variables out.");
    /// The first signal.
    STOP_ASKED = Kind::new("stop.asked", Info, "shutdown", &[],
        "收到停止请求：不再下发固件；再次发送信号则立即结束", "asked to stop: nothing more is offered; a second signal ends at once");
    /// The second signal.
    STOP_FORCED = Kind::new("stop.forced", Warning, "shutdown", &[],
        "收到第二个信号，立即结束", "ended at once by a second signal");
    /// What is under way may finish.
    STOP_DRAINING = Kind::new("stop.draining", Info, "listener", &["connections", "drain"],
        "正在停止：已开始的请求在 {drain} 内完成，此前检查仍会得到回复，但不下发固件；再来一次信号则立即结束",
        "stopping: what was begun is finished, within {drain}, and check-ins are answered until then, without an offer; a \
         second signal ends it at once");
    /// What did not finish is cut.
    STOP_CUT = Kind::new("stop.cut", Warning, "listener", &["connections"],
        "等待时间已到：切断剩余连接", "the drain time is over: what is left is cut");
    /// The end.
    STOPPED = Kind::new("stopped", Info, "app", &[], "已停止", "stopped");
    /// The log file cannot be opened.
    LOG_UNOPENED = why("log.unopened", &["path", "error", "what?"],
        "log.log_file：{path}：{error}{：|what|}：请写一个可写的普通文件的名称（log.log_dir 和 log.log_file），或删去这两个键",
        "log.log_file: {path}: {error}{: |what|}: name a file that can be written to (log.log_dir and log.log_file), or take the two keys out");
    /// There is no log file that could turn over.
    CONFIG_NO_LOG_FILE = Kind::new("config.no-log-file", Warning, "app", &["place?~", "key?", "value?"],
        "{|key|：}{|value|：}不会被使用，因为没有日志文件：请写 log.log_dir 或 log.log_file，或删去它",
        "{|key|: }{|value|: }is not used, for there is no log file: write log.log_dir or log.log_file, or take it out").lead(PLACE);
    /// The log file is a pipe without a reader.
    LOG_PIPE = why("log.pipe", &[],
        "它是没有程序在读的管道：请写普通文件，或先启动读取它的程序",
        "it is a pipe that nobody reads: name a regular file, or start its reader first");
    /// The log file is a device or a socket.
    LOG_NO_FILE = why("log.no-file", &["is"],
        "它是{is}，无法打开：请写普通文件，或删去它，标准输出也有每一行",
        "it is {is}, which cannot be opened: name a regular file, or take it out: standard output has every line, too");
    /// The log file has no room yet.
    LOG_FILE_LATER = Kind::new("log.file-later", Warning, "logs", &["what"],
        "{what}。在此之前日志只写到控制台", "{what}. Until then the log goes to the console only");
    /// Lines were lost.
    LOG_DROPPED = Kind::new("log.dropped", Warning, "logs", &["lines"],
        "部分日志未能及时写出，已丢弃", "log lines were dropped, for they could not be written in time");
    /// An output takes nothing.
    LOG_FAULT = Kind::new("log.fault", Warning, "logs", &["output", "error", "what?"],
        "{output}：{error}{：|what|}：恢复可写之前，该处的日志会丢失；请检查磁盘与权限",
        "{output}: {error}{: |what|}: lines are lost there until it can be written again; see to its disk and permissions");
    /// An output holds its writer up.
    LOG_STALLED = Kind::new("log.stalled", Warning, "logs", &["output", "seconds", "memory"],
        "{output}：写入已卡住 {seconds} 秒：之后的日志先留在内存中（最多 {memory}），再多就会丢失；请检查该磁盘或网络盘，若是管道，请检查读取它的程序",
        "{output}: a write has been stuck for {seconds} s: lines wait in memory ({memory} at most) and are lost after that; see to the \
         disk or network share, or, if it is a pipe, to the program that reads it");
    /// Clients made more lines than the log takes.
    LOG_LEFT_OUT = Kind::new("log.left-out", Warning, "logs", &["lines", "bytes", "seconds", "rate", "burst", "busiest?"],
        "过去 {seconds} 秒内有 {lines} 行日志（{bytes} 字节）没有写出：客户端产生的日志超过上限（每秒 {rate}，瞬间 {burst}）{；最多的是（行数）：|busiest|}。其他客户端的日志和本服务器自己的消息不受影响，请求照常应答。",
        "lines that were left out within {seconds} s: {lines} (bytes: {bytes}), for clients made more of them than the log takes ({rate} a \
         second, {burst} at once){; the busiest, with their lines: |busiest|}. Other clients' lines and what the server says of itself are not \
         touched, and requests are answered as ever.")
        .remedy("查看这些地址在做什么：若不是您的设备，请在防火墙中拒绝它们；若是前面的代理，请在 gateway.behind_proxy 中列出它，日志才会写明真正的客户端；如果确实有这么多设备，请调高 gateway.log.rate。",
            "see what those addresses do: if they are none of your devices, shut them out in a firewall; if one is a proxy in front, list it \
             in gateway.behind_proxy, so that the log knows its clients; for a fleet this large raise gateway.log.rate.");
    /// Older log files beyond those that are kept are gone.
    LOG_OLDER_GONE = Kind::new("log.older-gone", Info, "logs", &["path", "keep", "count"],
        "已删除 {path} 的较早的旧文件 {count} 个：gateway.log.keep 为 {keep}",
        "older files of {path} beyond gateway.log.keep ({keep}) that were removed: {count}");
    /// They stay, for they cannot be removed.
    LOG_OLDER_STAYS = Kind::new("log.older-stays", Warning, "logs", &["path", "keep", "error"],
        "无法删除 {path}：{error}；它超出了 gateway.log.keep（{keep}），会一直留着。",
        "{path} cannot be removed: {error}; it is beyond gateway.log.keep ({keep}), and stays.")
        .remedy("自己删除它，并让本服务器的用户可以在该文件夹中删除文件（ls -ld 可以查看）。",
            "remove it, and let this server's user remove files in that folder (see ls -ld).");
    /// The log file has its size, and no new one can be begun.
    LOG_NOT_TURNED_OVER = Kind::new("log.not-turned-over", Warning, "logs", &["path", "error"],
        "{path} 已达到 gateway.log.max_size，但无法换新文件：{error}。日志继续写入该文件，它会不断变大；每分钟重试一次。",
        "{path} has the size of gateway.log.max_size, and no new file can be begun: {error}. Lines go on into it, and it grows; it is \
         tried again each minute.")
        .remedy("让本服务器的用户可以在该文件夹中新建和改名文件（ls -ld 可以查看），并检查磁盘空间。",
            "let this server's user make and rename files in that folder (see ls -ld), and see to the room on its disk.");
}
