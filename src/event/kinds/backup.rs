//! Backups, and the way back.

use super::super::Kind;
use super::why;

kinds! { BACKUPS:
    /// Something has the name already.
    BACKUP_EXISTS = why("backup.exists", &["file"],
        "{file} 已存在，未作改动：请用别的文件名，或用 --force 覆盖它",
        "{file} is there already, and was left as it is: name another file, or overwrite this one with --force");
    /// The backup cannot be written.
    BACKUP_UNWRITTEN = why("backup.unwritten", &["file", "error", "what?"],
        "无法写入备份 {file}：{error}{：|what|}。没有留下不完整的备份；请检查磁盘空间和权限，或写到别处",
        "the backup {file} cannot be written: {error}{: |what|}. No half of one was left; see to the room on that disk and to its rights, or \
         write it elsewhere");
    /// The folder of the backup is not there.
    BACKUP_NO_FOLDER = why("backup.no-folder", &["file", "dir"],
        "无法写入备份 {file}：文件夹 {dir} 不存在，请先创建它（mkdir -p）",
        "the backup {file} cannot be written: there is no folder {dir}; make it first (mkdir -p)");
    /// The backup would lie in a folder that is backed up.
    BACKUP_INSIDE = why("backup.inside", &["file", "dir"],
        "没有备份到 {file}：{dir} 本身就在备份之中，而固件目录里的文件任何人都能下载，备份里有私钥和令牌。请写到别处",
        "no backup was made in {file}: {dir} is itself backed up, and a file of the firmware folder is given to whoever asks, while a \
         backup has keys and tokens in it. Write it elsewhere");
    /// The backup would overwrite what it is made of.
    BACKUP_ITSELF = why("backup.itself", &["file"],
        "没有备份：{file} 正是要备份的文件之一，会被覆盖。请用别的文件名",
        "no backup was made: {file} is one of the files that are backed up, and would be overwritten. Name another file");
    /// The backup would take the place of a device or a pipe.
    BACKUP_NO_FILE = why("backup.no-file", &["file"],
        "没有备份：{file} 不是普通文件（而是设备、管道或套接字）。请用普通的文件名",
        "no backup was made: {file} is a device, a pipe or a socket, and no regular file. Name a file");
    /// No restore would take it.
    BACKUP_TOO_MANY = why("backup.too-many", &["files"],
        "没有备份：有 {files} 个文件，多到无法从一个备份恢复。它们多半在固件目录中：xiaozhi-ota prune 可以删除旧固件，其余的请移到别处",
        "no backup was made: there are {files} files, more than a restore takes of one backup. Most of them lie in the firmware folder, it is \
         likely: xiaozhi-ota prune takes old images away, and what is none belongs elsewhere");
    /// Nothing but a configuration would be in it.
    BACKUP_NOTHING = why("backup.nothing", &["dirs", "dir"],
        "没有备份：既没有状态目录（找过：{dirs}），也没有固件目录（找过：{dir}）。配置里的相对路径从当前文件夹算起：请在服务器的文件夹里执行",
        "no backup was made, for there is neither a state folder (looked at: {dirs}) nor a firmware folder (looked at: {dir}). Relative \
         paths of the configuration start in the current folder: run this in the server's folder");
    /// A file cannot be read.
    BACKUP_UNREAD = why("backup.unread", &["file", "error"],
        "无法读取 {file}：{error}。请以运行服务器的用户（或 root）执行",
        "{file} cannot be read: {error}. Run this as the user who runs the server, or as root");
    /// A file changes all the time.
    BACKUP_CHANGING = why("backup.changing", &["file"],
        "{file} 在读取时一直在变化：请等写入完成后重试",
        "{file} kept changing while it was read: wait until whoever writes it has ended, and try again");
    /// The database cannot be copied.
    BACKUP_DATABASE = why("backup.database", &["file", "error"],
        "无法复制数据库 {file}：{error}。如果它已损坏，重新启动服务器会把它移到一边并新建一个",
        "the database {file} cannot be copied: {error}. If it is broken, a start of the server moves it aside and begins a new one");
    /// Standard input and output are no files.
    BACKUP_STREAM = why("backup.stream", &[],
        "备份须是一个文件，不能是 -：恢复前要完整检查它，再读第二遍",
        "a backup is a file, and - is none: before a restore it is read whole, and then once more");
    /// It is no backup.
    BACKUP_NONE = why("backup.none", &["file"],
        "{file} 不是 xiaozhi-ota backup 做的备份：未作任何改动",
        "{file} is no backup as xiaozhi-ota backup makes one: nothing was touched");
    /// It is a newer version's.
    BACKUP_NEWER = why("backup.newer", &["file", "version"],
        "{file} 是更新版本的服务器做的备份（版本 {version}），请用那个版本恢复：未作任何改动",
        "{file} was made by a newer version of this program (layout {version}); restore it with that one: nothing was touched");
    /// It ends too early.
    BACKUP_CUT = why("backup.cut", &["file", "member?"],
        "{file} 不完整{，在 |member| 处中断}：未作任何改动。请重新复制它，或用另一个备份",
        "{file} ends too early{, in |member|}: nothing was touched. Copy it again, or take another backup");
    /// Its members cannot be told apart any more.
    BACKUP_BROKEN = why("backup.broken", &["file", "member?"],
        "{file} 已损坏{，位于 |member| 或其后}：未作任何改动。请重新复制它，或用另一个备份",
        "{file} is damaged{, in |member| or behind it}: nothing was touched. Copy it again, or take another backup");
    /// Members are not what they were.
    BACKUP_DAMAGED = why("backup.damaged", &["file", "members"],
        "{file} 已损坏，与校验和不符的内容：{members}。未作任何改动。请重新复制它，或用另一个备份",
        "{file} is damaged; what differs from its checksum: {members}. Nothing was touched. Copy it again, or take another backup");
    /// A member is none of a backup.
    BACKUP_ODD = why("backup.odd", &["file", "member", "why"],
        "{file} 中的 {member} 不是备份应有的内容（{why}）：未作任何改动",
        "{member} in {file} is nothing that a backup has ({why}): nothing was touched");
    /// Files are in the way.
    RESTORE_EXISTS = why("restore.exists", &["files", "count"],
        "已有 {count} 个文件会被覆盖，未作任何改动：{files}。用 --force 覆盖它们",
        "files that would be overwritten, so that nothing was touched: {count}, such as {files}. --force overwrites them");
    /// A server is running.
    RESTORE_HELD = why("restore.held", &["why"],
        "服务器正在运行，未作任何改动：{why}", "a server is running, and nothing was touched: {why}");
    /// A member has no place.
    RESTORE_UNPLACED = why("restore.unplaced", &["member"],
        "按备份中的配置，{member} 没有去处，或与另一个文件的去处相同：未作任何改动",
        "{member} has no place by the configuration in the backup, or the place of another: nothing was touched");
    /// The configuration lay elsewhere.
    RESTORE_CONFIG = why("restore.config", &["from"],
        "备份中的配置原来在 {from}，请用 --config 指明要恢复到哪里：未作任何改动",
        "the configuration in the backup lay at {from}; say with --config where it is to go: nothing was touched");
    /// A link leads elsewhere.
    RESTORE_LINK = why("restore.link", &["path", "link", "owner"],
        "未作任何改动：通往 {path} 的链接 {link} 是用户 {owner} 建立的，却指向别人的文件；以 root 执行时不会跟随这样的链接，否则该用户可以借此覆盖任何文件。\
         如果这个链接是对的，请由 root 重新建立它；或以用户 {owner} 执行",
        "nothing was touched: on the way to {path} the link {link} was made by user {owner}, and leads to what is somebody else's; root follows \
         none such, for that user could have any file overwritten by it. If the link is right, let root make it anew, or run this as user \
         {owner}");
    /// A file cannot take its place.
    RESTORE_FAILED = why("restore.failed", &["path", "error"],
        "无法写入 {path}：{error}。一切恢复原样；请检查磁盘空间、权限和挂载",
        "{path} cannot be written: {error}. All is as it was; see to the room on that disk, to its rights and to mounts");
    /// Neither forward nor back.
    RESTORE_STUCK = why("restore.stuck", &["journal", "path", "error"],
        "恢复在中途停下，也无法撤回：{path}：{error}。待办的步骤在 {journal} 中：请排除原因后再次执行 xiaozhi-ota restore",
        "the restore stopped halfway and could not be undone: {path}: {error}. What is left to do stands in {journal}: see to the reason, and \
         run xiaozhi-ota restore again");
}
