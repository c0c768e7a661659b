//! The state folder, and what lies in it.

use super::super::Kind;
use super::super::Severity::{Error, Info, Warning};
use super::why;

kinds! { STATE:
    /// Another server has the folder.
    STATE_HELD = why("state.held", &["dir", "pid?", "host?"],
        "状态目录 {dir} 正被另一个服务器使用{（进程 |pid|）}{（主机 |host|）}：一个目录只能由一个服务器使用。请停止那个服务器，或为本服务器在 \
         gateway.state 中写另一个目录",
        "the state folder {dir} is held by another server{: process |pid|}{ on |host|}, and one folder is for one server: stop that one, or \
         give this server a folder of its own in gateway.state");
    /// A restore was interrupted.
    STATE_UNFINISHED = why("state.unfinished", &["journal"],
        "恢复备份时中断（{journal}）：目录中的文件一部分是原来的，一部分是备份中的。请再次执行 xiaozhi-ota restore，它会先完成上次的恢复",
        "a restore was interrupted ({journal}): some files are those of before, some those of the backup; run xiaozhi-ota restore \
         again, which finishes that first");
    /// The folder cannot be written.
    STATE_UNWRITABLE = Kind::new("state.unwritable", Warning, "state", &["dir", "error", "what?"],
        "无法写入状态目录 {dir}（{error}）{：|what|}。本服务器照常应答设备，但只在内存中记住它们：重启后会忘记，命令也不会被接受。",
        "the state folder {dir} cannot be written ({error}){: |what|}. Devices are answered as ever, and what they say is learned in memory \
         only: a restart forgets it, and orders are not taken.")
        .remedy("让本服务器的用户可以写入该目录：若它在只读挂载中，请为它单独挂载可写的卷（docker-compose.yml 和 systemd 单元中有示例）；若属于别的用户，\
                 请 chown；或在 gateway.state 中写另一个目录。然后重启。",
            "let this server's user write there: where it lies on a mount that is read-only, mount a volume of its own for it (see \
             docker-compose.yml and the systemd unit); where it belongs to somebody else, chown it; or name another folder in \
             gateway.state. Then restart.");
    /// The folder knows no locks.
    STATE_UNLOCKED = Kind::new("state.unlocked", Warning, "state", &["dir", "error"],
        "状态目录 {dir} 所在的文件系统不支持文件锁（{error}），因此无法发现另一个服务器也在使用它。",
        "the file system of the state folder {dir} knows no locks ({error}), so that a second server in it would go unnoticed.")
        .remedy("在 gateway.state 中写本机磁盘上的目录。", "name a folder on a disk of this machine in gateway.state.");
    /// The folder lies on a share.
    STATE_SHARED = Kind::new("state.shared", Warning, "state", &["dir", "kind"],
        "状态目录 {dir} 位于网络共享（{kind}）：锁和数据库在那里都不可靠，网络中断时设备的记录会丢失，数据库可能损坏。",
        "the state folder {dir} lies on a network share ({kind}): neither locks nor databases can be relied on there; what devices said is \
         lost while the network is, and the database may break.")
        .remedy("在 gateway.state 中写本机磁盘上的目录，并用 backup 备份它。",
            "name a folder on a disk of this machine in gateway.state, and have `backup` copy it.");
    /// The folder was open to others, and is no more.
    STATE_NARROWED = Kind::new("state.narrowed", Info, "state", &["dir", "mode"],
        "状态目录原来的权限是 {mode}，其中有密钥，现已改为 0700",
        "the state folder's mode was {mode}; keys lie in it, so that it is 0700 now");
    /// The folder is open to others, and stays so.
    STATE_WIDE = Kind::new("state.wide", Warning, "state", &["dir", "mode", "error?"],
        "其他用户可以进入状态目录 {dir}（权限 {mode}），其中有密钥{；权限未能改为 0700：|error|}。",
        "other users can enter the state folder {dir} (mode {mode}), and keys lie in it{; the mode could not be made 0700: |error|}.")
        .remedy("chmod 700 该目录；如果其中还有别的文件，请在 gateway.state 中写一个单独的目录。",
            "chmod 700 it; where other things lie in it, too, name a folder of its own in gateway.state.");
    /// Others can put something else in the place of what lies in the folder.
    STATE_REPLACEABLE = Kind::new("state.replaceable", Warning, "state", &["dir", "mode", "error?"],
        "其他用户可以替换或删除状态目录 {dir} 中的文件（权限 {mode}），包括密钥、令牌和命令{；权限未能改为 0700：|error|}。",
        "other users can replace and delete the files in the state folder {dir} (mode {mode}), with its keys, tokens and orders{; the mode could \
         not be made 0700: |error|}.")
        .remedy("请执行 chmod 700 {'dir'}；如果其中还有供其他用户读取的文件，请执行 chmod go-w {'dir'}，并在 gateway.state 中写一个单独的目录。",
            "chmod 700 {'dir'}; where other things lie in it that others are to read, chmod go-w {'dir'}, and name a folder of its own in \
             gateway.state.");
    /// A secret was, or is, open to others.
    STATE_SECRET_OPEN = Kind::new("state.secret-open", Warning, "state", &["file", "mode", "error?"],
        "其他用户曾能读取或改写密钥文件 {file}（权限 {mode}）{；权限未能改为 0600：|error|}，他们可能已知道其内容。",
        "other users could read or change the secret in {file} (mode {mode}){; the mode could not be made 0600: |error|}, and may know it.")
        .remedy("若未改为 0600，请执行 chmod 600 {'file'}。要换一个新的：删除该文件，admin.token 随后发送 SIGHUP，token.key 随后重启。",
            "where it is not 0600 now, chmod 600 {'file'}. To have a new one delete the file, then send SIGHUP for admin.token, or restart for \
             token.key.");
    /// The folder is not this server's any more.
    STATE_LOST = Kind::new("state.lost", Error, "state", &["dir", "why"],
        "本服务器在运行中失去了状态目录 {dir}：{why}。不会再写入该目录；设备照常得到应答，但所得知的情况只留在内存中，命令也不会被接受。",
        "the state folder {dir} was lost while this server runs: {why}. Nothing is written there; devices are answered as ever, but what they say \
         is learned in memory only, and orders are not taken.")
        .remedy("请恢复该目录，或在原处建立或挂载另一个本服务器的用户可以写入的目录；如果被另一个服务器占用，请停止那个服务器。\
                 本服务器会自动重新占用它，无需重启。",
            "bring the folder back, or make or mount one in its place that this server's user may write; where another server has it, stop that \
             one. It is taken again by itself, and no restart is needed.");
    /// The folder is there again.
    STATE_BACK = Kind::new("state.back", Info, "state", &["dir"],
        "状态目录 {dir} 又可以使用了", "the state folder {dir} can be used again");
    /// Another folder was taken in the place of the one that was held.
    STATE_TAKEN_AGAIN = Kind::new("state.taken-again", Warning, "state", &["dir"],
        "状态目录 {dir} 在运行中被删除、替换或被另一个服务器占用过：本服务器已重新占用它，缺少的密钥、令牌和命令按正在使用的写回，已知的设备也会写回",
        "the state folder {dir} was removed or replaced while this server runs, or another server had it: this server has taken it again, and \
         writes to it what it lacks: the key, the token and the orders in use, and what is known of devices");
    /// The lock was removed.
    STATE_LOCK_AGAIN = Kind::new("state.lock-again", Warning, "state", &["dir"],
        "状态目录 {dir} 中的 lock 文件在运行中被删除或替换，已重新建立并锁住：它防止两个服务器使用同一个目录，请不要删除",
        "the file `lock` in the state folder {dir} was removed or replaced while this server runs; it has been made and locked again. It keeps two \
         servers from one folder: leave it where it is");
    /// A folder that was taken has another key of tokens.
    STATE_OTHER_KEY = Kind::new("state.other-key", Warning, "state", &["file"],
        "{file} 中的密钥与正在使用的不同，保持原样：它从下次启动起生效，此前发出的下载地址届时不再计入设备",
        "{file} holds another key than the one in use, and stays: it counts from the next start on, and downloads by addresses that were handed out \
         before count for no device then");
    /// A file in it made no sense.
    STATE_SET_ASIDE = Kind::new("state.set-aside", Warning, "state", &["file", "moved", "why"],
        "{file} 无法使用（{why}），已改名为 {moved}，并从头开始新的文件。",
        "{file} cannot be used ({why}); it has been renamed to {moved}, and a new one is begun.")
        .remedy("若有备份，请停止服务器后恢复该文件；否则可以删除改名后的文件。",
            "if you have a backup, stop the server and put the file back; if not, the renamed one may be deleted.");
    /// There may be orders, and this version cannot read them.
    ORDERS_NEWER = Kind::new("orders.newer", Warning, "state", &["file", "version"],
        "{file} 是更新版本的服务器写的（版本 {version}），本版本读不懂其中的命令：在此之前不下发任何新固件，也不接受命令；该文件保持原样。",
        "{file} was written by a newer version of this server (version {version}), and this one cannot read the orders in it: until they can \
         be read nothing new is offered and no order is taken; the file is left as it is.")
        .remedy("请重新使用那个较新的版本；若确实要留在本版本，请把该文件移走（其中的命令将失效）。",
            "go back to that newer version; to stay with this one move the file away, which lets go of the orders in it.");
    /// There may be orders, and they cannot be read.
    ORDERS_UNREADABLE = Kind::new("orders.unreadable", Warning, "state", &["file", "error"],
        "无法读取 {file}（{error}）：其中可能有命令，因此不下发任何新固件，也不接受命令。",
        "{file} cannot be read ({error}); there may be orders in it, so that nothing new is offered and no order is taken.")
        .remedy("检查磁盘和该文件的权限；每秒会重新读取一次，无需重启。",
            "see to its disk and to the rights of the file; it is read again each second, without a restart.");
    /// They can be read by now.
    ORDERS_READ = Kind::new("orders.read", Info, "state", &["file"],
        "{file} 又可以读取了：其中的命令已生效，固件照常下发", "{file} can be read again: the orders in it hold, and images are offered as ever");
    /// Some orders cannot be read.
    ORDERS_ODD = Kind::new("orders.odd", Warning, "state", &["file", "acts"],
        "{file} 中有 {acts} 条命令无法读懂，保持原样；其余的照常生效。",
        "acts in {file} that make no sense: {acts}. They are left as they are, and the others hold.")
        .remedy("如果手工改过该文件，请停止服务器后改正。", "if somebody edited the file, stop the server and mend it.");
    /// An order cannot be kept, for there is no place.
    ORDERS_NO_FOLDER = why("orders.no-folder", &[],
        "未接受该命令：状态目录不可写，重启后命令会丢失。请让 gateway.state 可写并重启",
        "the order was not taken: the state folder cannot be written, and a restart would forget it; see to gateway.state, and restart");
    /// An order could not be written.
    ORDERS_UNWRITTEN = why("orders.unwritten", &["file", "error"],
        "未接受该命令：无法写入 {file}（{error}）。请检查磁盘空间和权限，然后重试",
        "the order was not taken: {file} could not be written ({error}); see to the room on its disk and to its rights, and try again");
    /// An order cannot be kept, for the folder is not this server's now.
    ORDERS_AWAY = why("orders.away", &["why"],
        "未接受该命令：{why}", "the order was not taken: {why}");
    /// Orders cannot be written to a folder that was taken again.
    ORDERS_UNKEPT = Kind::new("orders.unkept", Warning, "state", &["file", "error"],
        "无法将已有的命令写回 {file}（{error}）：它们现在仍然有效，但重启后会丢失；会一直重试。",
        "the orders in force could not be written to {file} again ({error}): they hold, but a restart would forget them; it is tried again.")
        .remedy("检查磁盘空间和该文件的权限；无需重启。", "see to the room on its disk and to the rights of the file; no restart is needed.");
    /// An act that was not done stands among those that were.
    ORDERS_STAND = Kind::new("orders.stand", Warning, "state", &["error"],
        "刚才的发布或删除没有成功，但“操作记录”里仍列着它（{error}）。",
        "a file was not published, or not deleted, just now, and still stands among the acts ({error}).")
        .remedy("检查磁盘空间；这条记录可以忽略。", "see to the room on the disk; that act may be passed over.");
    /// No order is taken where others cannot be read.
    ORDERS_UNKNOWN = why("orders.unknown", &["file"],
        "未接受该命令：{file} 中已有的命令无法读取，见日志中的 orders.newer 或 orders.unreadable",
        "the order was not taken: those that stand in {file} cannot be read; the log says why (orders.newer, orders.unreadable)");
    /// There is no state folder where a command looked.
    STATE_NOT_FOUND = why("state.not-found", &["dirs"],
        "没有状态目录，查看过：{dirs}。请在服务器运行的目录中、以能读取它的用户执行，或在配置的 gateway.state 中写明该目录（用 --config 指定配置）",
        "there is no state folder; looked at: {dirs}. Run this in the folder where the server runs, as a user who may read it, or name the \
         folder as gateway.state in the configuration (--config names that)");
}
