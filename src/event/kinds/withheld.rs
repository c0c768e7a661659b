//! Reasons why an image is withheld from a device.

use super::super::Kind;
use super::super::Severity::Info;
use super::super::text::Text;

const LEAD: Text = Text::new("未下发：", "not offered: ");

/// The device, its version and the file stand in front of a reason's own fields.
const fn reason(
    id: &'static str,
    fields: &'static [&'static str],
    zh: &'static str,
    en: &'static str,
) -> Kind {
    Kind::new(id, Info, "checkin", fields, zh, en).lead(LEAD)
}

kinds! { REASONS:
    /// Another project's firmware.
    WITHHELD_PROJECT = reason("withheld.project", &["image", "runs"],
        "该固件属于项目 {image}，而设备运行的是 {runs}：刷入后设备不会再向任何服务器请求更新；如果两者是同一项目，请将两个名称都写入 gateway.firmware.projects",
        "the image is of the project {image}, and the device runs {runs}: after it the device would ask nobody any more; \
         if they are one project, list both in gateway.firmware.projects");
    /// Another chip's image.
    WITHHELD_CHIP = reason("withheld.chip", &["image", "chip"],
        "该固件用于 {image}，而设备是 {chip}",
        "the image is for {image}, and the device is an {chip}");
    /// No slot is long enough.
    WITHHELD_SIZE = reason("withheld.size", &["size", "room"],
        "其 {size} 字节超过设备上任何应用分区，最大的只有 {room} 字节",
        "its {size} bytes fit no app slot of the device, the longest of which has {room}");
    /// The slot that would take it is too short.
    WITHHELD_SLOT_SIZE = reason("withheld.slot-size", &["size", "slot", "room"],
        "其 {size} 字节放不进应用分区 {slot}（{room} 字节）",
        "its {size} bytes do not fit the app slot {slot} of {room} bytes");
    /// There is no second slot.
    WITHHELD_NO_SLOT = reason("withheld.no-slot", &[],
        "设备的分区表中除正在运行的分区外没有应用分区：只能用线刷",
        "the device's partition table has no app slot besides the one that runs: it can only be flashed by cable");
    /// The chip is too old.
    WITHHELD_REVISION_LOW = reason("withheld.revision-low", &["needed", "has"],
        "该固件要求芯片版本 {needed} 或更高，而设备为 {has}：请为较早的芯片另行构建（ESP32-P4 v3.0 之前的芯片：CONFIG_ESP32P4_SELECTS_REV_LESS_V3=y），\
         与它一起放入目录，每台设备会得到适合其芯片的一个",
        "the image needs chip revision {needed} or later, and the device has {has}: build one for earlier chips, too (on the \
         ESP32-P4 before v3.0: CONFIG_ESP32P4_SELECTS_REV_LESS_V3=y), and put it beside this one; each device gets the one for its chip");
    /// The chip is too new.
    WITHHELD_REVISION_HIGH = reason("withheld.revision-high", &["allowed", "has"],
        "该固件最高支持芯片版本 {allowed}，而设备为 {has}：请为较新的芯片另行构建（ESP32-P4 v3.0 及以上的芯片：CONFIG_ESP32P4_SELECTS_REV_LESS_V3=n），\
         与它一起放入目录，每台设备会得到适合其芯片的一个",
        "the image allows chip revisions up to {allowed}, and the device has {has}: build one for later chips, too (on the \
         ESP32-P4 from v3.0 on: CONFIG_ESP32P4_SELECTS_REV_LESS_V3=n), and put it beside this one; each device gets the one for its chip");
    /// Firmware 2.x for a layout of 1.x.
    WITHHELD_NO_ASSETS = reason("withheld.no-assets", &[],
        "2.x 固件需要名为 assets 的分区，而设备没有：请用线刷一次",
        "firmware 2.x needs a partition named assets, and the device has none: flash it by cable once");
    /// No ESP image for an ESP32.
    WITHHELD_NO_IMAGE = reason("withheld.no-image", &[],
        "这不是 ESP 固件，而设备是 ESP32 芯片，只接受 ESP 固件",
        "this is no ESP image, and the device has an ESP32's chip, which takes no other");
    /// The version that runs, in another build.
    WITHHELD_SAME_VERSION = reason("withheld.same-version", &["inside"],
        "该固件内的版本为 {inside}，与设备所运行的另一构建相同，而 2.0.0 之前的固件拒绝与自身版本相同的固件；请用更高的 PROJECT_VER 构建",
        "the image holds {inside}, which the device runs in another build, and firmware before 2.0.0 refuses an image of \
         its own version; build it with a higher PROJECT_VER");
    /// Forced several times, in vain.
    WITHHELD_FAILED = reason("withheld.failed", &["times?", "device?"],
        "它在该设备上失败了{ |times| 次}：设备取走了它（或被强制升级），之后仍运行原来的版本，或没有按时回来；在文件改变之前不再提供给它",
        "it failed on the device{ |times| times}: it was fetched, or forced, and the device went on with what it ran before, or did not \
         come again in time; it is not offered to it again until the file changes")
        .remedy("可用 xiaozhi-ota retry{ |'device'|} 再试一次", "xiaozhi-ota retry{ |'device'|} lets it try again");
    /// What failed is not read yet.
    WITHHELD_UNREAD = reason("withheld.unread", &[],
        "刚刚启动，还在读取哪些固件曾在设备上失败（gateway.state）；读完即可升级",
        "the server has just started, and is still reading what failed on devices (gateway.state); it is offered once that is read");
    /// What failed is a newer program's.
    WITHHELD_NEWER_STORE = reason("withheld.newer-store", &[],
        "gateway.state 中的记录由更新版本的程序写入，本程序读不懂，不知道它是否曾在该设备上失败：请运行更新的版本",
        "what lies in gateway.state was written by a newer version of this program, and nobody knows whether it failed on the device: \
         run the newer version");
    /// What people ordered cannot be read.
    WITHHELD_ORDERS_UNREAD = reason("withheld.orders-unread", &[],
        "无法读取 gateway.state 中的 orders.json，其中可能有命令；日志中的 orders.unreadable 或 orders.newer 说明原因，能够读取之后即可升级",
        "orders.json in gateway.state cannot be read, and people may have ordered otherwise: the log says why (orders.unreadable, \
         orders.newer); it is offered once that can be read");
    /// The device fetched an image, and does not say what it runs.
    WITHHELD_UNSAID = reason("withheld.unsaid", &[],
        "设备取走了固件，之后的签到却没有说明它运行什么（既无版本也无 application.elf_sha256）：在它说明之前，或算作失联之前（gateway.fleet.silent_after），\
         不再提供固件，否则它可能一次又一次地刷入同一固件；如果前面有代理，请检查它是否丢掉了签到的正文",
        "the device fetched an image, and its check-in does not say what it runs since, neither by a version nor by application.elf_sha256: \
         it is offered nothing until it does, or counts as silent (gateway.fleet.silent_after), for it might install the same image again \
         and again; if there is a proxy in front, see whether it loses the body of check-ins");
    /// Too much failed, or nobody can read what did.
    WITHHELD_TOO_MUCH_FAILED = reason("withheld.too-much-failed", &["device?"],
        "不知道它是否曾在该设备上失败：失败过的固件太多，或其记录已损坏（见 store.damaged）",
        "nobody knows whether it failed on the device: so many images did, or what is stored of them is damaged (see store.damaged)")
        .remedy("请检查设备，再运行 xiaozhi-ota retry{ |'device'|}", "look at the device, then run xiaozhi-ota retry{ |'device'|}");
    /// The device runs it.
    WITHHELD_RUNNING = reason("withheld.running", &[],
        "设备已在运行这一固件", "the device runs this very image already");
    /// The device runs it, and the file's name says otherwise.
    WITHHELD_RUNNING_NAMED = reason("withheld.running-misnamed", &["inside"],
        "设备已在运行这一固件：它报告的是固件内的版本 {inside}，文件名应与之一致",
        "the device runs this very image already: it reports {inside}, the version inside, which the file's name should have");
    /// Nobody could remember what protects the device.
    WITHHELD_NO_ROOM = reason("withheld.no-room", &[],
        "服务器已记不下更多设备：记不住的设备不会被强制升级，也不会得到 default_*.bin，否则无人知道它是否已多次失败，或曾有自己的固件；见 fleet.full 和 fleet.crowded",
        "there is no room to remember another device: one that is not remembered has nothing forced on it and gets no default_*.bin, \
         for nobody would know how often it failed, or whether it had files of its own; see fleet.full and fleet.crowded");
    /// It would have to be forced, and is no ESP image.
    WITHHELD_FORCE_NO_IMAGE = reason("withheld.force-no-image", &[],
        "设备只比较版本号中的数字，会拒绝它；由于它不是 ESP 固件，无法证明强制下发会结束，因此不强制",
        "the device compares the numbers of a version only and would refuse it; it is not forced, for nothing proves that \
         this would end: it is no ESP image");
    /// It would have to be forced, and the device names no hash.
    WITHHELD_FORCE_NO_DEVICE_HASH = reason("withheld.force-no-device-hash", &["inside"],
        "设备只比较版本号中的数字，会拒绝它；固件内的版本为 {inside}，而设备未报告 application.elf_sha256，无法证明强制下发会结束，因此不强制",
        "the device compares the numbers of a version only and would refuse it; it is not forced, for nothing proves that \
         this would end: the image holds {inside}, and the device reports no application.elf_sha256 to know it by");
    /// It would have to be forced, and the image names no hash.
    WITHHELD_FORCE_NO_IMAGE_HASH = reason("withheld.force-no-image-hash", &["inside"],
        "设备只比较版本号中的数字，会拒绝它；固件内的版本为 {inside}，且没有 ELF 哈希可供识别，无法证明强制下发会结束，因此不强制",
        "the device compares the numbers of a version only and would refuse it; it is not forced, for nothing proves that \
         this would end: the image holds {inside}, and no ELF hash to know it by");
    /// A pin without a file.
    WITHHELD_PIN_MISSING = reason("withheld.pin-missing", &[],
        "gateway.firmware.pin 指定了此版本，但没有可下发的文件具有该版本",
        "gateway.firmware.pin names this version, and no file that can be offered has it");
    /// Somebody else's files, most likely, for a board under a new name.
    WITHHELD_RENAMED = reason("withheld.renamed", &["old"],
        "该设备以前的型号 {old} 有自己的文件，现在的型号没有：default 文件可能属于另一种板子，因此不下发；如果板子改了名，请写 gateway.firmware.alias",
        "the device came as {old} before, which had files of its own, and its model now has none: default files may be another \
         board's and are kept from it; if the board was renamed, write gateway.firmware.alias");
    /// The same, for a board that had its files by an alias.
    WITHHELD_UNALIASED = reason("withheld.unaliased", &["files"],
        "该设备以前通过 gateway.firmware.alias 得到型号 {files} 的文件，而该设置已不再如此：default 文件可能属于另一种板子，因此不下发；如果两个名称仍是同一型号，请写回该设置",
        "the device had the files of {files} before, by gateway.firmware.alias, which no longer says so: default files may be another \
         board's and are kept from it; if the two names are one model still, write the alias again");
    /// Somebody else's files, most likely, for a board whose own lies there under another name.
    WITHHELD_NEAR_NAME = reason("withheld.near-name", &["near"],
        "文件 {near} 是给该设备的型号的，只是名称（或位置）不对：default 文件可能属于另一种板子，因此不下发；请将它改名或移走，怎样改见随后的记录",
        "{near} is meant for this device's model, and has not its name or place: default files may be another board's and are kept \
         from it until that file is renamed or taken away; the line that follows says how");
    /// No address that devices read.
    WITHHELD_NO_ADDRESS = reason("withheld.no-address", &[],
        "本服务器没有设备能够识别的地址：请将 server.vision_explain 或 server.ota 设为域名或 IPv4 地址",
        "this server has no address that devices can read: set server.vision_explain or server.ota to a name or an IPv4 \
         address");
    /// Its owner has not taken it on.
    WITHHELD_NOT_ACTIVATED = reason("withheld.not-activated", &[],
        "设备尚未激活：绑定之前不下发固件",
        "the device is not activated, and gets no firmware until it is bound");
    /// Its owner wants no updates.
    WITHHELD_UPDATES_OFF = reason("withheld.updates-off", &[],
        "上游服务器关闭了这台设备的自动升级（manager-api 的应答中没有 firmware）",
        "the upstream has automatic updates off for this device (manager-api's reply has no firmware)");
    /// Another server's reply is nearly as long as devices can read.
    WITHHELD_LONG_REPLY = reason("withheld.long-reply", &[],
        "上游应答几乎占满设备能读取的 8 KB，没有下发固件的余地",
        "what the upstream answers takes up nearly all of the 8 KB that devices can read, and leaves no room for an offer");
    /// The server is about to end, and a download with it.
    WITHHELD_STOPPING = reason("withheld.stopping", &[],
        "服务器正在停止：设备在下次检查时才会收到它",
        "the server is being stopped: the device is offered it at its next check");
    /// Further files below those that were named.
    WITHHELD_MORE = reason("withheld.more", &["more"],
        "以及其后的其他文件", "further files below these");
}
