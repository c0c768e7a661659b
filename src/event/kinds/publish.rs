//! Publishing, and taking away: why a file is not put into the firmware folder or not taken
//! out of it, and what follows for devices. Reasons inside other events, in the words of
//! commands and pages.

use super::super::Kind;
use super::why;

kinds! { PUBLISHING:
    /// The file itself cannot be read.
    PUBLISH_UNREADABLE = why("publish.unreadable", &["path", "reason"],
        "{path}：无法读取：{reason}", "{path}: it cannot be read: {reason}");
    /// It, or what is in it, would not be offered.
    PUBLISH_REFUSED = why("publish.refused", &["path", "inside?", "why"],
        "{path}：{|inside|：}{why}", "{path}: {|inside|: }{why}");
    /// It is data that devices fetch.
    PUBLISH_DATA = why("publish.data", &["path", "what"],
        "{path}：{what}。把它放进固件目录即可供下载：请复制到那里",
        "{path}: {what}. It is given for download where it lies in the firmware folder: copy it there");
    /// It is something that is known, and no firmware.
    PUBLISH_OTHER = why("publish.other", &["path", "what"],
        "{path}：{what}。没有设备会安装它", "{path}: {what}. No device installs that");
    /// It is nothing that is known.
    PUBLISH_FOREIGN = why("publish.foreign", &["path", "what"],
        "{path}：{what}。不会下发给任何 ESP32", "{path}: {what}. No ESP32 is offered it");
    /// It tells no version.
    PUBLISH_NO_VERSION = why("publish.no-version", &["path", "what"],
        "{path}：{what}，因此没有版本号", "{path}: {what}, and so tells no version");
    /// A version that no file name can carry.
    PUBLISH_VERSION_NAME = why("publish.version-name", &["version"],
        "版本 {version} 不能用在文件名中", "the version {version} cannot stand in a file name");
    /// A version that restarts devices.
    PUBLISH_UNSAFE_VERSION = why("publish.unsafe-version", &["version"],
        "收到版本 {version} 的设备会在每次检查时重启，因为其中某一部分不是小于 2147483648 的数字",
        "a device that is offered version {version} restarts at every check, for a part of it is no number below 2147483648");
    /// A model that no file name can carry.
    PUBLISH_MODEL_NAME = why("publish.model-name", &["model", "why"],
        "型号 {model} 不能用在文件名中：{why}", "the model {model} cannot stand in a file name: {why}");
    /// Nothing tells the model.
    PUBLISH_NO_MODEL = why("publish.no-model", &["path"],
        "{path}：固件本身不说明适用于哪个型号，这个文件名也没有说明",
        "{path}: an image does not say which model it is for, and this name does not either");
    /// The name may mean either of two models.
    PUBLISH_EITHER_MODEL = why("publish.either-model", &["path", "one", "other"],
        "{path}：名称以厂商开头，设备报告的型号可能是 {one}，也可能是 {other}",
        "{path}: its name begins with a manufacturer, and devices may report the board as {one} or as {other}");
    /// Another source of the same run has that name.
    PUBLISH_SECOND = why("publish.second", &["path", "target", "first"],
        "{path}：它与 {first} 都对应 {target}，而后者先发布，内容不同",
        "{path}: it comes to {target}, and so does {first}, which goes first and holds something else");
    /// The same image is there already.
    PUBLISH_SAME = why("publish.same", &["path"],
        "{path}：已经存在，且内容相同", "{path}: it is there already, with the same content");
    /// Another file of that name is there already.
    PUBLISH_EXISTS = why("publish.exists", &["path"],
        "{path}：已经存在，但内容不同", "{path}: it is there already, with other content");
    /// The file of that name is for other chips.
    PUBLISH_FOR_OTHERS = why("publish.for-others", &["path", "theirs", "ours"],
        "{path}：已经存在，适用于 {theirs}，而这个固件适用于 {ours}",
        "{path}: it is there already, and is for {theirs}, while this image is for {ours}");
    /// The folder takes no file.
    PUBLISH_FOLDER = why("publish.folder", &["dir", "reason"],
        "{dir}：无法写入：{reason}", "{dir}: nothing can be written there: {reason}");
    /// The file's name tells another version than the image holds.
    PUBLISH_DISAGREES = why("publish.disagrees", &["file", "named", "inside"],
        "文件名 {file} 中是 {named}，而其中的固件是 {inside}：以后者为准，因为设备运行它之后报告的就是它",
        "the name {file} says {named}, and the image in it holds {inside}: that one counts, for devices report it once they run \
         the image");
    /// What is published is no ESP image.
    PUBLISH_NO_ESP = why("publish.no-esp", &["what"],
        "{what}：ESP32 看到首字节就会拒绝它", "{what}: an ESP32 refuses it at its first byte");
    /// Most devices of 1.x are withheld it.
    PUBLISH_NEEDS_ASSETS = why("publish.needs-assets", &[],
        "固件 2.x 需要名为 assets 的分区：刷入 1.x 的设备没有它，在用数据线刷入一次 2.x 之前不会收到它",
        "firmware 2.x needs a partition named assets: a device on which 1.x was flashed has none, and is not offered it until 2.x \
         was flashed by cable once");
    /// The app slot of a full flash image.
    PUBLISH_SLOT = why("publish.slot", &["slot", "offset"], "{slot}（位于 {offset}）", "{slot} at {offset}");
    /// A member of an archive, and what is taken out of that.
    PUBLISH_MEMBER = why("publish.member", &["member", "slot?"], "{member}{，|slot|}", "{member}{, |slot|}");
    /// A part of a full flash image that is not published.
    PUBLISH_PART = why("publish.part", &["what", "bytes", "offset"],
        "{what}（{bytes} 字节，位于 {offset}）", "{what} ({bytes} bytes at {offset})");
    /// Its place may not outlive a power cut.
    PUBLISH_UNSYNCED = why("publish.unsynced", &["reason"],
        "该目录所在的文件系统无法确认写入（{reason}）：如果一分钟内断电，这次操作可能丢失；断电后请查看",
        "the folder's file system could not be made to write the file down ({reason}): a power cut within the next minute may undo \
         this; see that it is still there after one");
    /// Devices of a model.
    PUBLISH_WHOM = why("publish.whom", &["model", "which?"],
        "型号为 {model} 的设备{（|which|）}", "devices of the model {model}{ |which|}");
    /// Devices without files of their own model.
    PUBLISH_WHOM_DEFAULT = why("publish.whom-default", &["which?"],
        "没有自己型号固件的设备{（|which|）}", "devices without files of their own model{ |which|}");
    /// Those with a chip.
    PUBLISH_WITH_CHIP = why("publish.with-chip", &["chips", "project?"],
        "芯片为 {chips}{，运行项目 |project|}", "with the chip {chips}{, which run the project |project|}");
    /// Those without an ESP32's.
    PUBLISH_WITHOUT_CHIP = why("publish.without-chip", &[],
        "没有报告 ESP32 芯片", "that report no ESP32's chip");
    /// It is offered.
    PUBLISH_OFFERED = why("publish.offered", &["whom", "version"],
        "正在运行的服务器会在下次检查时把它下发给{whom}，只要设备的版本低于 {version}",
        "a running server offers it to {whom} below {version} at their next check");
    /// Devices are brought to it.
    PUBLISH_PINNED = why("publish.pinned", &["whom"],
        "该版本已被固定：正在运行的服务器会在下次检查时让{whom}换成它",
        "a running server brings {whom} to it at their next check, for it is pinned");
    /// It is not offered.
    PUBLISH_NOT_OFFERED = why("publish.not-offered", &[], "它不会被下发", "it is not offered");
    /// Another version is pinned.
    PUBLISH_OTHER_PIN = why("publish.other-pin", &["model", "pin"],
        "gateway.firmware.pin 将型号 {model} 固定在 {pin}", "gateway.firmware.pin holds the model {model} at {pin}");
    /// A higher one is there.
    PUBLISH_LOWER = why("publish.lower", &["model", "highest", "version"],
        "固件目录中型号 {model} 已有更高的 {highest}：只有那个版本不适合的设备才会得到 {version}",
        "the folder holds {highest} for the model {model}, which is higher: a device gets {version} only where that one does not \
         fit it");
    /// The disk, or this user's rights, took no removal.
    REMOVE_FAILED = why("remove.failed", &["reason", "what?"],
        "{reason}{：|what|}", "{reason}{: |what|}");
    /// It is not what was judged.
    REMOVE_CHANGED = why("remove.changed", &[],
        "期间它发生了变化", "it changed meanwhile");
    /// Nothing is there.
    REMOVE_GONE = why("remove.gone", &[],
        "固件目录中没有这个文件", "there is no such file in the firmware folder");
    /// It is a link.
    REMOVE_LINK = why("remove.link", &["target"],
        "它是指向 {target} 的链接，因此不会在这里删除：请手工删除（rm）",
        "it is a link to {target}, and is not deleted here: delete it by hand (rm)");
    /// A link leads to it.
    REMOVE_LINKED = why("remove.linked", &["link"],
        "链接 {link} 指向它，删除后该链接就会失效：请先删除链接",
        "{link} is a link to it, and would lead nowhere: delete the link first");
    /// It is a folder, or something else that is no file.
    REMOVE_NO_FILE = why("remove.no-file", &[],
        "它不是普通文件，因此不会在这里删除：请手工删除",
        "it is no regular file, and is not deleted here: delete it by hand");
    /// Too many drafts wait.
    DRAFT_TOO_MANY = why("draft.too-many", &["most"],
        "已有 {most} 个文件在等待发布：请先发布或丢弃其中一个",
        "{most} files wait to be published already: publish one of them, or throw one away");
    /// They are too long together.
    DRAFT_TOO_MUCH = why("draft.too-much", &["most"],
        "等待发布的文件合计已接近上限（{most} 字节）：请先发布或丢弃其中一个",
        "the files that wait to be published may have {most} bytes together: publish one of them, or throw one away");
    /// A file is too long.
    DRAFT_TOO_LONG = why("draft.too-long", &["longest"],
        "文件太大：最多 {longest} 字节。没有固件需要这么大；更大的压缩包请用 xiaozhi-ota publish 发布",
        "the file is too long: it may have {longest} bytes. No image needs more; publish a larger archive with xiaozhi-ota publish");
    /// No file was sent, or nothing in it.
    DRAFT_EMPTY = why("draft.empty", &[],
        "没有选择文件，或文件是空的", "no file was chosen, or nothing is in it");
    /// It cannot be kept.
    DRAFT_UNWRITTEN = why("draft.unwritten", &["dir", "reason"],
        "无法写入 {dir}（{reason}）：磁盘可能已满，请清理后再试；没有留下任何内容",
        "nothing can be written to {dir} ({reason}): the disk may be full, make room and try again; nothing of the file was kept");
    /// It is not there any more.
    DRAFT_GONE = why("draft.gone", &[],
        "这个文件已不在等待：它已发布或被丢弃，或已等待超过一小时。如需发布请重新上传",
        "this file does not wait any more: it was published or thrown away, or has waited for an hour. Send it again to publish it");
    /// Known devices tell which of two boards is meant.
    PUBLISH_REPORTED = why("publish.reported", &["model", "other", "devices"],
        "文件名可能指两种板子，{model} 或 {other}；按 {model} 处理，因为有 {devices} 台已知设备报告它，而没有设备报告 {other}",
        "its name may be two boards', {model} and {other}; it is taken for {model}, which is reported by known devices \
         ({devices}), and {other} by none");
    /// A removal may not outlive a power cut.
    REMOVE_UNSYNCED = why("remove.unsynced", &["reason"],
        "该目录所在的文件系统无法确认写入（{reason}）：如果一分钟内断电，文件可能重新出现",
        "the folder's file system could not be made to write this down ({reason}): a power cut within the next minute may bring \
         the file back");
    /// Its model is held at it.
    REMOVE_PINNED = why("remove.pinned", &["model", "pin"],
        "gateway.firmware.pin 将型号 {model} 固定在 {pin}：固定仍然有效，删除后这些设备不会收到任何固件，直到有该版本的文件，或修改该设置",
        "gateway.firmware.pin holds the model {model} at {pin}: that stays, and once the file is gone its devices are offered nothing until \
         there is a file of this version again, or the setting is changed");
    /// The firmware folder lies on a mount that is read-only.
    MOUNT_READ_ONLY = why("mount.read-only", &["dir", "mount", "root", "kind", "how"],
        "固件目录 {dir} 以只读方式挂载（挂载点 {mount}，文件系统 {kind}，来源路径 {root}），因此不能在此发布或删除。{how}",
        "the firmware folder {dir} is mounted read-only (at {mount}, from {root}, {kind}), so that nothing can be published or deleted \
         here. {how}");
    /// What to change in a container's description.
    MOUNT_IN_CONTAINER = why("mount.in-container", &["mount", "dir", "user"],
        "处理办法：在 docker-compose.yml 的 volumes 中，去掉以 :{mount}:ro 结尾那一行的 :ro；让用户 {user} 可以写入 {dir}（在宿主机上对对应的目录执行 \
         chown {user}）；再执行 docker compose up -d",
        "Remedy: in docker-compose.yml, under volumes, take the :ro off the line that ends in :{mount}:ro; let the user {user} write to \
         {dir} (on the host: chown {user}, of the folder that it is there); then docker compose up -d");
    /// What to change in a unit.
    MOUNT_OF_UNIT = why("mount.of-unit", &["dir"],
        "处理办法：执行 systemctl edit xiaozhi-ota，加入 [Service] 和 ReadWritePaths={dir}，让服务的用户可以写入该目录，再执行 systemctl restart xiaozhi-ota",
        "Remedy: systemctl edit xiaozhi-ota, add [Service] and ReadWritePaths={dir}, let the service's user write there, then systemctl \
         restart xiaozhi-ota");
    /// What to change elsewhere.
    MOUNT_ELSEWHERE = why("mount.elsewhere", &["mount"],
        "处理办法：以可写方式重新挂载（mount -o remount,rw {'mount'}），或将 gateway.firmware.dir 改为可写的目录",
        "Remedy: mount it so that it can be written (mount -o remount,rw {'mount'}), or set gateway.firmware.dir to a folder that can be");
    /// A file is published, as whoever did it reads it.
    PAGE_PUBLISHED = why("page.published", &["file", "effect", "lower?", "warning?"],
        "{file} 已发布：{effect}{。|lower|}{。请注意：|warning|}",
        "{file} is published: {effect}{. But |lower|}{. Note: |warning|}");
    /// A file is published, and the catalogue does not take it.
    PAGE_UNOFFERED = why("page.unoffered", &["file", "why", "warning?"],
        "{file} 已放入固件目录，但不会下发：{why}{。请注意：|warning|}",
        "{file} is in the firmware folder, but is not offered: {why}{. Note: |warning|}");
    /// A file is there, and cannot be fetched.
    PAGE_UNREADABLE = why("page.unreadable", &["file", "reason"],
        "无法读取 {file}（{reason}）。请检查固件目录所在的磁盘和该文件的权限，然后重试",
        "{file} cannot be read ({reason}): see to the disk of the firmware folder and to the rights of the file, then try again");
    /// A link of the folder leads to what is replaced.
    PUBLISH_LINKED = why("publish.linked", &["link"],
        "链接 {link} 指向这个文件名：通过它得到文件的设备也会收到新内容",
        "{link} is a link to this name: devices that get it by that name get the new content, too");
    /// A file is deleted.
    PAGE_DELETED = why("page.deleted", &["file", "warning?"],
        "{file} 已删除{。请注意：|warning|}", "{file} is deleted{. Note: |warning|}");
    /// A draft was thrown away.
    PAGE_THROWN_AWAY = why("page.thrown-away", &["file"],
        "{file} 已丢弃，没有发布任何内容", "{file} was thrown away, and nothing was published");
    /// It will be offered.
    PAGE_OFFERED = why("page.offered", &["whom", "version"],
        "{whom}，版本低于 {version} 的，下次签到（开机）时会收到它",
        "{whom} get it at their next check-in, which is at their next boot, where they report a version below {version}");
    /// Devices will be brought to it.
    PAGE_PINNED = why("page.pinned", &["whom"],
        "{whom}下次签到（开机）时会换成它，不论现在是什么版本，因为该版本已被固定",
        "{whom} are brought to it at their next check-in, whatever they run, for it is pinned");
    /// What is offered is no ESP image.
    PAGE_NO_ESP = why("page.no-esp", &[],
        "这不是 ESP 固件，ESP32 看到首字节就会拒绝它：只下发给不报告 ESP32 芯片的设备。如果不需要，请设置 gateway.firmware.verify: strict，或删除它",
        "this is no ESP image, and an ESP32 refuses it at its first byte: it is offered to devices that report no ESP32's chip. If it is \
         not meant, set gateway.firmware.verify: strict, or delete it");
}
