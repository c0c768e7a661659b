//! The store of what is known of devices.

use super::super::Kind;
use super::super::Severity::{Error, Info, Warning};
use super::why;

kinds! { STORE:
    /// A large one is being read.
    STORE_READING = Kind::new("store.reading", Info, "store", &["file", "devices"],
        "正在读取设备记录（约 {devices} 台）。在此期间设备照常得到应答，但不会下发它可能安装失败过的固件",
        "what is known of devices is being read (about {devices}). Devices are answered meanwhile, and get no file that they might \
         have failed");
    /// It was read.
    STORE_READ = Kind::new("store.read", Info, "store", &["file", "devices", "failed", "millis"],
        "已读取 {devices} 台设备的记录，其中 {failed} 台有安装失败的固件（{millis} 毫秒）",
        "what is known of devices was read: {devices}, of which {failed} have images that failed on them ({millis} ms)");
    /// Some rows hold nothing that can be read.
    STORE_DAMAGED = Kind::new("store.damaged", Warning, "store", &["file", "devices"],
        "{file} 中有 {devices} 台设备的记录（全部或部分）无法读取，无法读取的部分视为未知；设备下次检查时会重新记录。不知道哪些固件曾在其上失败的设备，\
         在执行 retry 之前不会得到升级（withheld.too-much-failed）。",
        "what {file} holds of {devices} devices cannot be read, or not all of it: that part counts as unknown, and each is learned anew at \
         its next check. One of which nobody knows what failed on it is offered nothing until a retry (withheld.too-much-failed).")
        .remedy("如果不是您改动过该文件，请检查磁盘，并考虑从备份恢复。",
            "unless you changed the file yourself, see to the disk, and think of restoring a backup.");
    /// An older one was brought to this version.
    STORE_MIGRATED = Kind::new("store.migrated", Info, "store", &["file", "from", "to", "copy"],
        "已将 {file} 从版本 {from} 升级到版本 {to}；升级前的副本为 {copy}，不再需要时可以删除",
        "{file} was brought from version {from} to {to}; {copy} is a copy from before, which can be removed once nobody wants to go back");
    /// A newer program wrote it.
    STORE_NEWER = Kind::new("store.newer", Error, "store", &["file", "version", "known"],
        "{file} 是较新的程序写的（版本 {version}，本程序只认识到 {known}），因此不会读取也不会改动它。设备照常得到应答，但不会下发任何新的固件，\
         所得知的情况也不会保存。",
        "a newer program wrote {file} (version {version}; this one knows up to {known}), so it is neither read nor changed. Devices are \
         answered, but nothing new is offered, and what is learned of them is not kept.")
        .remedy("请运行较新的程序；或者将该文件（连同 -wal 和 -shm）移走，并把旁边升级前的副本（fleet.db.before-N，N 比 {known} 大一）放回原处；没有副本时，\
                 本服务器会立即新建一个，但会忘记哪些设备安装失败过。",
            "run the newer program; or move the file away, with its -wal and -shm, and put the copy of before the update that lies \
             beside it (fleet.db.before-N, N being one more than {known}) in its place; where there is none, a new one is begun at once, and knows nothing of what failed on \
             which device.");
    /// It is broken, and was moved aside.
    STORE_BROKEN = Kind::new("store.broken", Error, "store", &["file", "aside", "error"],
        "{file} 已损坏（{error}），已移到 {aside}，并新建了一个：内存中已知的设备都会写入，其余设备在下次检查时重新记录，安装失败的记录可能因此丢失。",
        "{file} is broken ({error}); it was moved to {aside}, and a new one is begun: all that is in memory is written to it, other devices \
         are learned anew at their next check, and what had failed on them may be forgotten.")
        .remedy("请检查磁盘；需要较早的记录时，从备份恢复。",
            "see to the disk; restore a backup if what was known before is needed.");
    /// It is gone, or another file stands in its place.
    STORE_GONE = Kind::new("store.gone", Warning, "store", &["file"],
        "{file} 在运行中被删除或替换：内存中已知的全部设备会重新写入",
        "{file} was removed or replaced while this server runs: all that is in memory is written anew");
    /// There is a file, and nothing in it.
    STORE_EMPTY = Kind::new("store.empty", Warning, "store", &["file"],
        "{file} 是空文件（0 字节），系统崩溃或断电可能会这样：其中若有设备记录，已经丢失，包括哪些固件在哪些设备上安装失败过，它们可能再次下发。现在重新开始记录。",
        "{file} is empty (0 bytes), as a crash of the system or a power cut may leave it: what it knew of devices is lost, if it knew any, and \
         what had failed on them may be offered again. A new one is begun.")
        .remedy("如需以前的记录，请停止服务器并恢复备份（xiaozhi-ota restore）；否则无需处理，设备下次检查时会重新记录。如果是第一次启动时中断，什么也没有丢失。",
            "to have it back, stop the server and restore a backup (xiaozhi-ota restore); or go on: each device is learned anew at its next check. \
             After a first start that was cut off nothing is lost.");
    /// Something that is no file stands in its place.
    STORE_NO_FILE = Kind::new("store.no-file", Error, "store", &["file", "found"],
        "{file} 不是普通文件，而是{found}：不会打开它。设备照常得到应答，所得知的情况先留在内存中，重启会丢失。",
        "{file} is no regular file but {found}, and is not opened: devices are answered as ever, and what is learned of them stays in memory, which \
         a restart loses.")
        .remedy("请将它移走（在容器中，挂载不存在的文件会变成目录：请挂载整个状态目录）；随后会立即新建该文件，无需重启。",
            "move it away (in a container, a mount of a file that is not there becomes a folder: mount the state folder whole); the file is begun \
             at once, and no restart is needed.");
    /// No room is left.
    STORE_FULL = Kind::new("store.full", Error, "store", &["file"],
        "{file} 所在的磁盘已满：设备照常得到应答，所得知的情况先留在内存中，重启会丢失。",
        "no room for {file}: devices are answered as ever, and what is learned of them stays in memory, which a restart loses.")
        .remedy("请在该磁盘上腾出空间；无需重启。", "make room on its disk; no restart is needed.");
    /// Another process holds it.
    STORE_LOCKED = Kind::new("store.locked", Warning, "store", &["file"],
        "{file} 被另一个程序锁住：所得知的情况先留在内存中，重启会丢失。",
        "another program has locked {file}: what is learned of devices stays in memory, which a restart loses.")
        .remedy("请结束占用它的程序（fuser 或 lsof 可以查看）；无需重启。",
            "end the program that holds it (fuser or lsof names it); no restart is needed.");
    /// It cannot be written.
    STORE_READ_ONLY = Kind::new("store.read-only", Error, "store", &["file", "error"],
        "无法写入 {file}：{error}：设备照常得到应答，所得知的情况先留在内存中，重启会丢失。",
        "{file} cannot be written: {error}: devices are answered as ever, and what is learned of them stays in memory, which a restart loses.")
        .remedy("请让本服务器的用户可以写该文件及其文件夹（gateway.state），并检查磁盘是否以只读方式挂载；无需重启。",
            "let this server's user write the file and its folder (gateway.state), and see whether the disk is mounted read-only; no restart \
             is needed.");
    /// It cannot be used for another reason.
    STORE_FAILING = Kind::new("store.failing", Error, "store", &["file", "error"],
        "{file}：{error}：设备照常得到应答，所得知的情况先留在内存中，重启会丢失。",
        "{file}: {error}: devices are answered as ever, and what is learned of them stays in memory, which a restart loses.")
        .remedy("请检查该磁盘和文件夹（gateway.state）；无需重启。",
            "see to its disk and folder (gateway.state); no restart is needed.");
    /// There is one, and nobody knows what it says.
    STORE_UNREAD = Kind::new("store.unread", Error, "store", &["file", "error"],
        "无法读取 {file}：{error}。读到之前不知道哪些设备安装失败过哪些固件，因此不会下发可能失败过的固件；设备照常得到应答，并会一直重试。",
        "{file} cannot be read: {error}. Until it is, nobody knows what failed on which device, and no device is offered what it might \
         have failed; devices are answered as ever, and it is tried again.")
        .remedy("请检查磁盘、权限，以及是否有其他程序占用它；若不需要其中的记录，可将该文件移走。无需重启。",
            "see to its disk and its permissions, and to other programs that hold it; or move the file away, if what it holds is not \
             needed. No restart is needed.");
    /// It can be written again.
    STORE_RECOVERED = Kind::new("store.recovered", Info, "store", &["file", "seconds", "tries"],
        "{file} 又可以写入了（中断 {seconds} 秒，{tries} 次尝试失败），期间的情况已全部写入",
        "{file} can be written again, after {seconds} s and {tries} tries that failed, and what was learned meanwhile is in it");
    /// Nobody can be shown what happened over time.
    STORE_PAST_UNREAD = why("store.past-unread", &["dir", "error"],
        "无法读取 {dir} 中的历史计数：{error}",
        "what was counted over time cannot be read in {dir}: {error}");
    /// What is left of a forgotten device cannot be wiped yet.
    STORE_NOT_WIPED = Kind::new("store.not-wiped", Warning, "store", &["file", "error"],
        "被遗忘的设备已从 {file} 中删除，但文件的空闲部分可能仍有其痕迹，暂时无法清除：{error}；一小时后重试。",
        "a forgotten device was removed from {file}, but unused parts of the file may hold traces of it, which cannot be wiped yet: {error}; \
         it is tried again in an hour.")
        .remedy("请腾出该文件两倍大小的磁盘空间，并结束占用它的程序。",
            "make twice as much room on its disk as the file takes, and end programs that hold it.");
    /// Copies beside the store may know a device that is forgotten.
    STORE_COPIES = Kind::new("store.copies", Warning, "store", &["files"],
        "已忘记一台设备，但以前留下的副本中可能还有它：{files}。不再需要时请删除它们，备份文件也是如此",
        "a device is forgotten, and copies from before may still know it: {files}. Delete them once they are not needed, and backups, too");
    /// The process ends, and something was not written.
    STORE_UNWRITTEN = Kind::new("store.unwritten", Warning, "store", &["file", "devices"],
        "结束时 {devices} 台设备的最新情况未能写入 {file}",
        "at the end, what was learned last of {devices} devices was not written to {file}");
}
