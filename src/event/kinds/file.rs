//! The firmware folder and its files.

use super::super::Kind;
use super::super::Severity::{Error, Info, Warning};
use super::why;

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
    /// The folder was not there.
    FOLDER_MADE = Kind::new("folder.made", Info, "catalogue", &["dir"],
        "固件目录原来不存在，已新建；如果固件在别处，请检查 gateway.firmware.dir 的拼写、启动时所在的目录和挂载",
        "the firmware folder was not there, and has been made; if the firmware lies elsewhere, look at the spelling of \
         gateway.firmware.dir, at the folder in which this server was started, and at mounts");
    /// It is no folder, and none can be made.
    FOLDER_UNKEPT = why("folder.unkept", &["dir", "error", "what?"],
        "{dir}：无法用作固件目录（{error}）{：|what|}", "{dir}: cannot be kept: {error}{: |what|}");
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
        &["file", "model", "version", "chip?", "revision?", "project?", "home?", "bytes", "sha256", "notes?"],
        "固件就绪{（发布说明：|notes|）}", "image ready{ (release notes: |notes|)}");
    /// What its content has to be known for.
    FILE_REMARK = Kind::new("file.remark", Warning, "catalogue", &["file", "what"], "{what}", "{what}");
    /// It is no ESP image.
    FILE_FOREIGN = Kind::new("file.foreign", Warning, "catalogue", &["file", "what", "kind"], "{what}", "{what}");
    /// It has a twin.
    FILE_TWIN = Kind::new("file.twin", Warning, "catalogue", &["file", "other", "apart?"],
        "同一型号有两个版本相同的文件：只下发按名称排在前面的一个，请删除另一个{（两个名称看起来相同：其中一个的字母与附加符号是分开写的（NFD，来自 Mac），要删除的就是它：|apart|）}",
        "two files of one model have versions of the same rank: the first by name is offered, delete one{ (their names look the same, and \
         one has letters and accents apart, NFD, as a Mac writes them; this deletes that one: |apart|)}");
    /// It has a twin for other chips.
    FILE_TWIN_CHIPS = Kind::new("file.twin-chips", Info, "catalogue", &["file", "chips", "other", "others"],
        "同一型号有两个版本相同的文件，供不同的芯片使用，每台设备得到适合其芯片的一个：{file} 用于 {chips}，{other} 用于 {others}；\
         没有上报芯片版本的设备（ESP-IDF 5 之前的固件）得到按名称排在前面的一个",
        "two files of one model and version are for different chips, and each device gets the one for its own: {file} for {chips}, \
         {other} for {others}; a device that does not report its chip's revision (firmware before ESP-IDF 5) gets the first by name");
    /// It is not signed, and an earlier one is.
    FILE_UNSIGNED = Kind::new("file.unsigned", Warning, "catalogue", &["file", "model", "other", "before?", "scheme"],
        "{file} 没有签名，而型号 {model} 较早的固件 {other} 有签名{（密钥摘要 |before|）}：开启了安全启动的设备下载完之后会拒绝它，并在每次启动时重试。",
        "{file} is not signed, and {other}, an earlier image of the model {model}, is{ (digest of its key: |before|)}: a device \
         whose secure boot is on refuses it after the whole download, at every boot.")
        .remedy("用同一密钥签名（espsecure sign-data --version {scheme} --keyfile 密钥 --output 新文件 文件），或将它移走。",
            "sign it with the same key (espsecure sign-data --version {scheme} --keyfile KEY --output NEW FILE), or take it away.");
    /// It is signed by another key.
    FILE_OTHER_KEY = Kind::new("file.other-key", Warning, "catalogue", &["file", "model", "other", "key?", "before?", "scheme"],
        "{file} 与型号 {model} 较早的固件 {other} 由不同的密钥签名{（密钥摘要 |key|；}{较早的为 |before|）}：开启了安全启动的设备只接受 eFuse 中\
         已有摘要的密钥，下载完之后会拒绝它，并在每次启动时重试。",
        "{file} and {other}, an earlier image of the model {model}, are signed by different keys{ (digest |key|;}{ before: |before|)}: \
         a device whose secure boot is on takes only keys whose digests its eFuses hold, and refuses it after the whole download, \
         at every boot.")
        .remedy("用同一密钥签名（espsecure sign-data --version {scheme} --keyfile 密钥 --output 新文件 文件）；若是有意更换密钥，请先下发一个由新旧两个密钥签名的固件。",
            "sign it with the same key (espsecure sign-data --version {scheme} --keyfile KEY --output NEW FILE); if the key was changed on \
             purpose, offer an image first that both keys have signed.");
    /// It can be fetched, and is offered to nobody.
    FILE_SERVED = Kind::new("file.served", Info, "catalogue", &["file", "what?", "bytes", "sha256"],
        "文件可供下载，但不会下发给任何设备{：|what|}", "file given for download, and offered to no device{: |what|}");
    /// It cannot be used.
    FILE_REFUSED = Kind::new("file.refused", Warning, "catalogue", &["file", "why", "served?"],
        "文件未被使用：{why}{|served|}", "file not used: {why}{|served|}");
    /// A start would say the same of many.
    FILES_MORE = Kind::new("files.more", Warning, "catalogue", &["more", "kind", "dir", "others?"],
        "还有 {more} 个文件也是如此（{kind}，见上面的记录），启动时不再逐个列出；查看全部：xiaozhi-ota inspect {'dir'}{|others|}",
        "further files like those named above ({kind}): {more}; a start does not name each; all of them: xiaozhi-ota inspect \
         {'dir'}{|others|}");
    /// It may not be whole yet.
    FILE_WAITING = Kind::new("file.waiting", Info, "catalogue", &["file"],
        "文件正在写入，或刚刚出现：写完后下发", "file is being written, or appeared just now: offered when it is whole");
    /// It is gone.
    FILE_REMOVED = Kind::new("file.removed", Info, "catalogue", &["file", "version?"],
        "固件已撤下：文件已不存在", "image removed: the file is gone");
    /// It is written to.
    FILE_CHANGING = Kind::new("file.changing", Info, "catalogue", &["file", "version?"],
        "固件已撤下：文件正在被修改", "image withdrawn: the file is being changed");
    /// It is streamed.
    FILE_STREAMED = Kind::new("file.streamed", Warning, "store", &["file", "error"],
        "无法将固件读入内存，改为边读边发", "the image could not be read into memory and is streamed");
}
