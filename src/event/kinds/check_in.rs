//! Check-ins and downloads. The words of the firmware guide stay Chinese in every
//! language: its readers search for them.

use super::super::Kind;
use super::super::Severity::{Info, Warning};

/// The room of the lines that the firmware guide shows.
const GUIDE: &str = "ota_handler";

const fn guide(id: &'static str, fields: &'static [&'static str], words: &'static str) -> Kind {
    Kind::new(id, Info, GUIDE, fields, words, words)
}

/// Makes a kind of a download that finds no file, with the one that is meant, most likely.
macro_rules! missing {
    ($id:literal, $zh:literal, $en:literal $(, $unused:literal)?) => {
        Kind::new(
            $id,
            Info,
            "download",
            &["device?", "peer", "file", $($unused,)? "near?", "right?"],
            concat!($zh, "{；名称最接近的文件是 |near|}{，请改用地址 |right|}（每个客户端每小时提示一次）"),
            concat!($en, "{; the nearest name here is that of |near|}{: the address to use is |right|} (said once an hour for each client)"),
        )
    };
}

kinds! { CHECK_INS:
    /// A device asks.
    CHECK_IN = guide("check-in", &["device", "peer"], "OTA请求设备ID: {device}");
    /// How many files there are for its model. `reported` is the model that it named,
    /// where another one's files are looked through.
    CANDIDATES = guide("candidates", &["model", "count", "peer", "reported?"], "查找型号 {model} 的固件，找到 {count} 个候选");
    /// There is no room for what protects devices.
    FLEET_FULL = Kind::new("fleet.full", Warning, "checkin", &["device", "limit", "what", "follows"],
        "已为 {limit} 台设备记住{what}，没有位置再记该设备：已记住的设备照旧受保护；{follows}。如果您没有这么多设备，就是有人在编造设备：\
         请在防火墙上拦截（每小时提示一次）",
        "{limit} devices are remembered for {what}, and there is no room for this one: those stay protected, and {follows}. If you \
         have fewer devices, somebody makes them up: keep that out by the firewall (said once an hour)");
    /// There is no room for what devices say of themselves.
    FLEET_CROWDED = Kind::new("fleet.crowded", Warning, "checkin", &["device", "limit"],
        "各设备对自己的描述（型号、分区表、所运行的固件，相同的只记一份）已占满 {limit} 内存，{device} 的新描述没有记下：已知的设备不受影响；新设备照常得到应答和升级，\
         但不会显示它是什么；已多次启动、而所运行的固件没有其他设备报告过、也不是从这里取得的设备不会得到升级（withheld.no-room）。如果您的设备没有这么多种类，\
         就是有人在编造设备：请在防火墙上拦截，并用 xiaozhi-ota forget 删除它们（每小时提示一次）",
        "what devices say of themselves (board, partition table, build; what several say is kept once) fills the {limit} of memory that \
         there are for it, and what {device} says anew is not kept. Known devices go on; new ones are answered and updated as ever, and \
         not shown as what they are; one that was seen at two boots is offered nothing while it runs what no other reported and what it \
         did not get from here (withheld.no-room). If your devices are not of so many kinds, somebody makes them up: keep that out by the \
         firewall, and remove them by xiaozhi-ota forget (said once an hour)");
    /// A device runs what it was offered.
    OFFER_SUCCEEDED = Kind::new("offer.succeeded", Info, "fleet", &["device", "file", "version"],
        "设备 {device} 已升级到 {version}（{file}）",
        "the device {device} runs {version} now ({file})");
    /// A device went back to what it ran.
    OFFER_ROLLED_BACK = Kind::new("offer.rolled-back", Warning, "fleet", &["device", "file", "version"],
        "设备 {device} 取走了 {version}（{file}），却又以原来的版本启动：新固件未能运行，引导程序已回退。如果多台设备如此，请撤下该文件",
        "the device {device} fetched {version} ({file}), and came back with what it ran before: the new image did not run, and its boot loader \
         rolled back. Where several devices do so, take the file away");
    /// A device did not come again.
    OFFER_SILENT = Kind::new("offer.silent", Warning, "fleet", &["device", "file", "version"],
        "设备 {device} 取走了 {version}（{file}），之后没有按时回来（gateway.fleet.silent_after）：新固件可能无法启动，或被引导程序拒绝而设备仍在运行旧版本，\
         或设备已断电。如果多台设备如此，请撤下该文件",
        "the device {device} fetched {version} ({file}), and did not come again in time (gateway.fleet.silent_after): the image may not start, or its \
         boot loader refused it and the device runs on, or it is off. Where several devices do so, take the file away");
    /// An image failed often enough on a device.
    OFFER_GIVEN_UP = Kind::new("offer.given-up", Warning, "fleet", &["device", "file", "times"],
        "{file} 在设备 {device} 上失败了 {times} 次，在文件改变之前不再提供给它；再试一次：xiaozhi-ota retry {'device'} {'file'}",
        "{file} failed on the device {device} {times} times, and is offered to it no more until it changes; to try again: xiaozhi-ota retry \
         {'device'} {'file'}");
    /// An image failed on several devices.
    OFFER_FAILS = Kind::new("offer.fails", Warning, "fleet", &["file", "devices", "back?", "silent?"],
        "{file} 在 {devices} 台设备上失败了{：|back| 台退回了原来的版本}{；|silent| 台取走后没有按时回来}。",
        "{file} failed on {devices} devices{; went back to what they ran before: |back|}{; fetched it and did not come back in time: |silent|}.")
        .remedy("先把该文件移出固件目录，免得更多设备得到它；修好后以更高的版本发布。如果问题出在设备本身（例如当时断电），可以让它们再试一次。",
            "take the file out of the firmware folder first, so that no other device gets it; publish it mended, under a higher version. If \
             the devices were at fault (without power, say), let them try again.");
    /// An image failed on devices, and was taken away since. Pages say it.
    OFFER_FAILED_AND_GONE = Kind::new("offer.failed-and-gone", Warning, "fleet", &["file", "silent", "back?", "next?"],
        "{file} 已从固件目录撤下，不会再有设备得到它。取走它后一直没有回来的设备：{silent} 台{；退回了原来的版本的设备：|back| 台}{。下次启动时会给它们 |next|}。",
        "{file} was taken away, and no other device gets it. Devices that fetched it and have not come back since: {silent}{; devices that went \
         back to what they ran before: |back|}{. At their next boot they are offered |next|}.")
        .remedy("请将没有回来的设备断电再通电；如果设备已不在，请删除其记录。",
            "switch those that have not come back off and on; if one is gone for good, forget it.");
    /// An image did not run on a device. Its page says it.
    OFFER_DID_NOT_RUN = Kind::new("offer.did-not-run", Warning, "fleet", &["file", "times", "runs"],
        "{file} 在这台设备上没有启动成功（{times} 次）：设备已退回 {runs}，工作正常。",
        "{file} did not start on this device (times: {times}). It went back to {runs}, and works.")
        .remedy("如果它在别的设备上也失败了，就是文件有问题：请删除它，修好后以更高的版本发布。如果只在这台设备上失败，可以再试一次，并接上串口线查看原因。",
            "if it failed on other devices, too, the file is bad: delete it, and publish a mended one under a higher version. If only here, try again, \
             with a serial cable to see why.");
    /// A device did not come back with an image. Its page says it.
    OFFER_NOT_BACK = Kind::new("offer.not-back", Warning, "fleet", &["file", "times"],
        "设备取走了 {file}，之后没有按时回来（{times} 次）：固件可能无法启动，或设备已断电。",
        "the device fetched {file}, and did not come back in time (times: {times}): the file may not start, or the device is off.")
        .remedy("请到设备旁查看，断电再通电。如果别的设备也没有回来，就是文件有问题：请删除它，修好后以更高的版本发布。如果设备已不在，请删除其记录。",
            "go and look at it, and switch it off and on. If others did not come back, either, the file is bad: delete it, and publish a mended one \
             under a higher version. If the device is gone for good, forget it.");
    /// Its model has no file, and one lies there that was meant for it, most likely.
    MODEL_NEAR = Kind::new("model.near", Warning, "checkin", &["device", "model", "file", "unpack?", "name?", "alias?", "default?"],
        "该设备的型号 {model} 没有文件，而 {file} 的名称与它相近：{|unpack|}{要被找到，文件必须在固件目录中并名为 |name|}{；如果两个名称是同一型号，可写 gateway.firmware.alias: |alias|}{。|default|}（每小时提示一次）",
        "no file is here for this device's model {model}, and the name of {file} is nearly that{: |unpack|}{: to be found it must lie in the firmware folder \
         itself as |name|}{; or, if two names mean one model, write gateway.firmware.alias: |alias|}{. |default|} (named once an hour)");
    /// No file's name can carry its model, and one lies there that was meant for it.
    MODEL_UNNAMEABLE = Kind::new("model.unnameable", Warning, "checkin", &["device", "model", "file", "name?", "alias", "default?"],
        "任何文件名都无法写下该设备的型号 {model}，因为其中下划线后的数字会被当成版本号。{file} 很可能是给它的：{请改名为 |name|，并}写上 \
         gateway.firmware.alias: {alias}{。|default|}（每小时提示一次）",
        "no file name can carry this device's model {model}, for the digit behind its underscore is read as the version. {file} is \
         meant for it, most likely: {rename it to |name|, and }write gateway.firmware.alias: {alias}{. |default|} (named once an hour)");
    /// Its model has a newer file, which is not used.
    MODEL_UNUSED = Kind::new("model.unused", Warning, "checkin", &["device", "model", "version", "file", "why"],
        "该设备的型号 {model} 有更新的文件 {file}，但未被使用，因此设备停留在 {version}：{why}（每小时提示一次）",
        "a newer file is here for this device's model {model}, and is not used, so the device stays at {version}: {file}: {why} \
         (named once an hour)");
    /// It calls itself otherwise than before.
    MODEL_RENAMED = Kind::new("model.renamed", Warning, "checkin", &["device", "old", "files?", "new", "alias"],
        "该设备以前的型号是 {old}{（使用 |files| 的文件）}，现在自称 {new}，而 {new} 没有文件：板子在新版固件中改了名，或被线刷了别的固件。如果是同一块板子，请写 \
         gateway.firmware.alias: {alias}，或将文件改名为 {new}_版本.bin（每小时提示一次）",
        "this device came as {old} before{ (with the files of |files|)} and calls itself {new} now, for which there is no file: the board was renamed in its new \
         firmware, or flashed with another one by cable. If it is the same board, write gateway.firmware.alias: {alias}, or name its \
         files {new}_version.bin (named once an hour)");
    /// The alias by which it had files is gone.
    MODEL_UNALIASED = Kind::new("model.unaliased", Warning, "checkin", &["device", "model", "files", "alias"],
        "该设备的型号 {model} 以前通过 gateway.firmware.alias 得到 {files} 的文件，而该设置已不再如此，{model} 自己没有文件，因此不下发固件。如果不是有意去掉，请写回 \
         gateway.firmware.alias: {alias}，或将文件改名为 {model}_版本.bin（每小时提示一次）",
        "this device's model {model} had the files of {files} by gateway.firmware.alias, which no longer says so, and has none of \
         its own: it gets no firmware. If that was not meant, write gateway.firmware.alias: {alias} again, or name its files \
         {model}_version.bin (named once an hour)");
    /// It is handed an image. `setting` is the key that gives the address, where it is
    /// another one than the words name.
    OFFER = guide("offer", &["device", "version", "url", "peer", "force?", "setting?"],
        "为设备 {device} 下发固件 {version} [如果地址前缀有误，请检查配置文件中的server.vision_explain]-> {url}");
    /// There is nothing newer. `withheld` counts the newer files that were not offered.
    UP_TO_DATE = guide("up-to-date", &["device", "version", "peer", "withheld?"], "设备 {device} 固件已是最新: {version}");
    /// Files that could be meant for it are still being read.
    STILL_READING = Kind::new("still-reading", Info, "checkin", &["device", "version"],
        "固件文件仍在读取中，尚不知道该设备会得到什么：它下次重启时会再次询问",
        "firmware files are still being read, and what this device gets is not known yet: it asks again when it restarts");
    /// Firmware is no longer spoken of to it.
    SILENT = Kind::new("device.version-aborts", Warning, "checkin", &["device", "version"],
        "该设备自己的版本号会使它在每次收到固件信息时重启，因此不向它提及固件；请用线刷一个只含数字和点的版本",
        "the device's own version restarts it at every check that mentions firmware: it is told nothing about firmware; \
         flash it by cable with a version of numbers and dots");
    /// It has no body.
    CHECK_IN_NO_BODY = Kind::new("check-in.no-body", Warning, "checkin", &["device", "peer"],
        "签到没有正文，因此不知道型号，不下发固件（除非请求头写明了型号）：设备都会发送正文，请检查前面的代理是否去掉了它，或没有转发 Content-Length\
         （每个客户端每小时提示一次）",
        "the check-in has no body, so its board is not known and no firmware is offered (unless a header names the board): every \
         device sends one, so see whether a proxy in front takes it away, or Content-Length is missing (said once an hour for \
         each client)");
    /// Its body breaks off.
    CHECK_IN_NO_JSON = Kind::new("check-in.no-json", Warning, "checkin", &["device", "peer", "why", "offset", "fault", "identified"],
        "签到的正文不是合法的 JSON：{why}。错误之前的内容照常使用；若其中没有型号，则不下发固件（每个客户端每小时提示一次）",
        "the check-in's body is no JSON: {why}. What stood in front of the fault is used, and if no board was named there, no \
         firmware is offered (said once an hour for each client)");
    /// Its body is compressed.
    CHECK_IN_ENCODED = Kind::new("check-in.encoded", Warning, "checkin", &["device", "peer", "coding"],
        "签到的正文经过压缩（Content-Encoding: {coding}），这里不解压，因此不知道型号，不下发固件：设备自己不压缩，请检查前面的代理（每个客户端每小时提示一次）",
        "the check-in's body is compressed (Content-Encoding: {coding}), and nobody here unpacks it, so its board is not known \
         and no firmware is offered: no device compresses, so see to a proxy in front (said once an hour for each client)");
    /// Its body is too long.
    CHECK_IN_TOO_BIG = Kind::new("check-in.too-big", Info, "checkin", &["device?", "peer", "limit", "of?"],
        "签到被拒绝（413）：正文超过 {limit} 字节；设备的正文只有 1 至 2 KB（每个客户端每小时提示一次）",
        "check-in refused (413): its body is larger than {limit} bytes; a device's has 1 to 2 KB (said once an hour for each \
         client)");
    /// Its body did not come.
    CHECK_IN_TOO_SLOW = Kind::new("check-in.too-slow", Info, "checkin", &["device?", "peer", "limit", "bytes", "of?"],
        "签到被拒绝（408）：正文在 {limit}（limits.idle）内没有到齐，只收到 {bytes}{ / |of|} 字节：线路太慢或丢包，或前面的代理没有转发正文（每个客户端每小时提示一次）",
        "check-in refused (408): its body did not come whole within {limit} (limits.idle); bytes that came: {bytes}{ of |of|}; the \
         line is slow or loses packets, or a proxy in front keeps the body (said once an hour for each client)");
    /// Its body ended before the length that it announced.
    CHECK_IN_CUT = Kind::new("check-in.cut", Info, "checkin", &["device?", "peer", "bytes", "of?"],
        "签到被拒绝：连接在正文中途结束，只收到 {bytes}{ / |of|} 字节：线路中断，或前面的代理截断了正文（每个客户端每小时提示一次）",
        "check-in refused: the connection ended within its body; bytes that came: {bytes}{ of |of|}; the line broke, or a proxy in \
         front cut the body (said once an hour for each client)");
    /// Its body comes in chunks that are none.
    CHECK_IN_CHUNKS = Kind::new("check-in.chunks", Info, "checkin", &["device?", "peer", "bytes", "error"],
        "签到被拒绝（400）：分块传输的正文在 {bytes} 字节之后不符合 HTTP（{error}）：前面的代理有错（每个客户端每小时提示一次）",
        "check-in refused (400): its chunked body is not as HTTP has it ({error}; bytes before that: {bytes}): a fault of a proxy in \
         front (said once an hour for each client)");
    /// It says not who asks.
    CHECK_IN_UNNAMED = Kind::new("check-in.unnamed", Info, "checkin", &["device?", "peer", "missing"],
        "签到被拒绝：缺少请求头 {missing}；设备都会发送它，请检查前面的代理是否去掉了它（每个客户端每小时提示一次）",
        "check-in refused: no {missing} header; every device sends it, so see whether a proxy in front takes it away (said once \
         an hour for each client)");
    /// A download's path holds no name of a file.
    DOWNLOAD_BAD_NAME = missing!("download.bad-name", "下载被拒绝：文件名无效", "download refused: invalid filename");
    /// No such image is offered.
    DOWNLOAD_UNKNOWN = missing!("download.unknown", "下载被拒绝：这里没有可提供的该固件{；固件目录中有该文件，但未被使用：|unused|}",
        "download refused: no such image is offered here{; the file lies in the firmware folder, and is not used: |unused|}", "unused?");
    /// The image is not read yet.
    DOWNLOAD_STILL_READING = Kind::new("download.still-reading", Info, "download", &["device?", "peer", "file"],
        "下载暂不可用：该文件仍在读取中", "download refused for now: the file is still being read");
    /// The file is no longer what was inspected.
    DOWNLOAD_CHANGED = Kind::new("download.changed", Warning, "download", &["device?", "peer", "file", "error"],
        "下载被拒绝：文件已无法按校验时的状态读取", "download refused: the file cannot be read as it was verified");
    /// The file failed under way.
    DOWNLOAD_CUT = Kind::new("download.cut", Warning, "download", &["device?", "file", "peer", "error"],
        "下载中断：文件读取失败或已改变", "download cut");
    /// Every byte was handed to the network.
    DOWNLOAD_DONE = Kind::new("download.sent", Info, "download", &["device?", "file", "peer", "bytes", "seconds"],
        "固件已全部交给网络", "download handed to the network");
    /// The device went away.
    DOWNLOAD_LEFT = Kind::new("download.unfinished", Info, "download", &["device?", "file", "peer", "bytes", "of", "seconds"],
        "下载未完成：设备断开、停滞过久，或本服务器正在停止",
        "download not finished: the device went away, stood still for too long, or this server stops");
    /// Plain HTTP has ended, and a proxy does not say how the device came.
    HTTP_UNTOLD = Kind::new("plain-http.untold", Info, "checkin", &["device?", "peer", "setting?"],
        "已拒绝：明文 HTTP 已停用，而前面的代理没有说明设备是否经 https 而来；请让它从 gateway.behind_proxy 所列地址{（设置 |setting|）}发送 X-Forwarded-Proto，\
         或将 TLS 直接转到这里（每天提示一次）",
        "refused: plain HTTP has ended, and the proxy does not say that the device came over https: let it send \
         X-Forwarded-Proto from an address in gateway.behind_proxy{ (set |setting|)}, or pass TLS on to here (named once a day)");
    /// Plain HTTP has ended.
    HTTP_ENDED = Kind::new("plain-http.refused", Info, "checkin", &["device?", "peer", "method", "path", "url?"],
        "已拒绝：以明文 HTTP 请求了 {path}，而明文 HTTP 已停用{：设备中的 OTA 地址应填 |url|}（每天提示一次）",
        "refused: it asked for {path} over plain HTTP, which has ended{: the OTA address to type into a device is |url|} (named \
         once a day)");
    /// Plain HTTP will end.
    HTTP_ENDS = Kind::new("plain-http.ends", Info, "checkin", &["device", "peer", "last_day"],
        "该设备仍使用明文 HTTP（每天提示一次）", "the device still comes over plain HTTP (named once a day)");
    /// Plain HTTP is served.
    HTTP_USED = Kind::new("plain-http.used", Info, "checkin", &["device", "peer"],
        "该设备使用明文 HTTP（每天提示一次）", "the device comes over plain HTTP (named once a day)");
}
