//! The firmware folder and its files.

use super::super::Kind;
use super::super::Severity::{Error, Info, Warning};

kinds! { FILES:
    /// The kernel does not tell of changes.
    FOLDER_UNWATCHED = Kind::new("folder.unwatched", Warning, "catalogue", &["dir", "error", "every"],
        "无法监视固件目录，改为每 {every} 查看一次（请调高 fs.inotify.max_user_watches 或 max_user_instances）",
        "the firmware folder cannot be watched and is looked at every {every} instead (raise fs.inotify.max_user_watches or \
         max_user_instances)");
    /// What reads the kernel's word broke.
    FOLDER_WATCH_BROKE = Kind::new("folder.watch-broke", Error, "catalogue", &["error"],
        "读取固件目录变化通知的程序出错，将重新查看该目录；请报告此问题：{error}",
        "what reads the kernel's word on the firmware folder broke, and the folder is looked at anew; please report it: {error}");
    /// The folder is back.
    FOLDER_BACK = Kind::new("folder.back", Info, "catalogue", &["dir"],
        "固件目录恢复可读", "the firmware folder can be read again");
    /// The folder cannot be read.
    FOLDER_UNREADABLE = Kind::new("folder.unreadable", Error, "catalogue", &["dir", "error", "what?"],
        "无法读取固件目录：最后已知的文件仍会下发{：|what|}",
        "the firmware folder cannot be read: the last known files stay offered{: |what|}");
    /// The folder is gone, or holds nothing that can be read.
    FOLDER_UNAVAILABLE = Kind::new("folder.unavailable", Error, "catalogue", &["dir", "error", "what?"],
        "无法读取固件目录：不下发任何固件{：|what|}", "the firmware folder cannot be read: nothing is offered{: |what|}");
    /// Its last file is gone.
    MODEL_GONE = Kind::new("model.gone", Warning, "catalogue", &["model"],
        "该型号已没有文件：其设备可能会得到 default_*.bin",
        "no file of this model is left: its devices may be offered default_*.bin now");
    /// Reading goes on.
    FILES_READING = Kind::new("files.reading", Info, "catalogue", &["done", "total"],
        "正在读取固件文件", "reading firmware files");
    /// Reading is over.
    FILES_READ = Kind::new("files.read", Info, "catalogue", &["files", "seconds"],
        "固件文件读取完毕", "firmware files read");
    /// An image can be offered.
    FILE_READY = Kind::new("file.ready", Info, "catalogue",
        &["file", "model", "version", "chip?", "project?", "bytes", "sha256"],
        "固件就绪", "image ready");
    /// What its content has to be known for.
    FILE_REMARK = Kind::new("file.remark", Warning, "catalogue", &["file", "what"], "{what}", "{what}");
    /// It is no ESP image.
    FILE_FOREIGN = Kind::new("file.foreign", Warning, "catalogue", &["file", "what"], "{what}", "{what}");
    /// It has a twin.
    FILE_TWIN = Kind::new("file.twin", Warning, "catalogue", &["file", "other"],
        "同一型号有两个版本相同的文件：只下发按名称排在前面的一个，请删除另一个",
        "two files of one model have versions of the same rank: the first by name is offered, delete one");
    /// It cannot be used.
    FILE_REFUSED = Kind::new("file.refused", Warning, "catalogue", &["file", "why"],
        "文件未被使用：{why}", "file not used: {why}");
    /// It may not be whole yet.
    FILE_WAITING = Kind::new("file.waiting", Info, "catalogue", &["file"],
        "文件正在写入，或刚刚出现：写完后下发", "file is being written, or appeared just now: offered when it is whole");
    /// It is gone.
    FILE_REMOVED = Kind::new("file.removed", Info, "catalogue", &["file", "version"],
        "固件已撤下：文件已不存在", "image removed: the file is gone");
    /// It is written to.
    FILE_CHANGING = Kind::new("file.changing", Info, "catalogue", &["file", "version?"],
        "固件已撤下：文件正在被修改", "image withdrawn: the file is being changed");
    /// It is streamed.
    FILE_STREAMED = Kind::new("file.streamed", Warning, "store", &["file", "error"],
        "无法将固件读入内存，改为边读边发", "the image could not be read into memory and is streamed");
}
