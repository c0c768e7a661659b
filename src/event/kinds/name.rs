//! Names of files that fit no rule, and files that cannot be read: reasons inside other
//! events.

use super::super::Kind;
use super::why;

/// Makes a kind of a name that does not fit, with the sign in it that does not, and a
/// name that would do.
macro_rules! misnamed {
    ($id:literal, [$($field:literal),*], $zh:literal, $en:literal $(,)?) => {
        why(
            $id,
            &[$($field,)* "name?", "taken?"],
            concat!($zh, "{；可改名为 |name|}{（|taken| 已有文件；如果只是它的副本，请删除）}"),
            concat!($en, "{; |name| would do}{ (|taken| is there already; if this is a copy of it, delete it)}"),
        )
    };
}

kinds! { NAMES:
    /// The name does not end in `.bin`.
    NAME_NOT_BIN = misnamed!("name.not-bin", ["sign?"],
        "不是固件文件：文件名必须以 .bin 结尾（小写）{，而其后是 |sign|}",
        "not a firmware file: the name must end in .bin (lower case){, and |sign| follows}");
    /// The name holds no version.
    NAME_NO_VERSION = misnamed!("name.no-version", ["sign?"],
        "文件名中没有版本号{（|sign| 不能在那里）}：请改名为 型号_版本.bin，版本以数字开头，只含字母、数字、'.'、'_' 和 '-'（esp32s3_1.6.6.bin）",
        "the name holds no version{ (|sign| does not fit there)}: rename it to model_version.bin, the version starting with a \
         digit and made of letters, digits, '.', '_' and '-' (esp32s3_1.6.6.bin)");
    /// The name would garble logs and addresses.
    NAME_CONTROL = misnamed!("name.control-character", ["sign?"],
        "文件名含有控制字符{ |sign|}：请改名为 型号_版本.bin",
        "the name holds a control character{, |sign|}: rename it to model_version.bin");
    /// Nobody could ask for it.
    NAME_NOT_UTF8 = misnamed!("name.not-utf8", ["sign?"],
        "文件名不是 UTF-8{（字节 |sign|）}：请改名为 型号_版本.bin",
        "the name is not UTF-8{ (the byte |sign|)}: rename it to model_version.bin");
    /// The firmware's parser throws on its version.
    NAME_UNSAFE_VERSION = misnamed!("name.unsafe-version", ["version"],
        "收到版本 {version} 的设备会在每次检查时重启，因为其中某一部分不是小于 2147483648 的数字：请改名",
        "a device that is offered version {version} restarts at every check, for a part of it is no number below 2147483648: \
         rename the file");
    /// Something with files in it.
    NAME_ARCHIVE = why("name.archive", &["command?", "other?"],
        "这是压缩包，放在这里不会读取其中的内容{：取出其中的应用固件并发布：|command|}{：|other|}",
        "this is an archive, and nothing in it is looked at here{: to publish the app image that is in it: |command|}{: |other|}");
    /// Bootloader, partition table and app in one, by its name.
    NAME_FULL_FLASH = why("name.full-flash", &[],
        "从名称看，这是完整的 flash 镜像，但内容不是：请重新复制，再交给 xiaozhi-ota publish，它会取出其中的应用固件；或复制应用固件 build/xiaozhi.bin，\
         命名为 型号_版本.bin（esp32s3_1.6.6.bin）",
        "by its name this is a full flash image, and its content is none: copy it again, and have xiaozhi-ota publish take the app out \
         of it; or copy the app image, build/xiaozhi.bin, as model_version.bin (esp32s3_1.6.6.bin)");
    /// A model that nobody types.
    NAME_ODD_MODEL = misnamed!("name.odd-model", ["model"],
        "只下发给型号恰好为 {model}（含空格、下划线和不可见字符）的设备，而没有设备这样报告",
        "it is offered only to devices whose model is {model} to the letter, with its blanks, underscores and signs that nobody \
         sees; none reports such a model");
    /// A folder, a pipe, a device.
    IMAGE_NO_FILE = why("image.no-file", &["what", "holds?"],
        "这是{what}，不是普通文件{：其中的文件（例如 |holds|）不会被读取，请移到上一级固件目录中}",
        "this is {what}, and no regular file{: files in it (such as |holds|) are not looked at, move them up into the firmware folder}");
    /// The system does not let us, or the disk fails.
    IMAGE_UNREADABLE = why("image.unreadable", &["reason", "what"],
        "无法读取（{reason}）：{what}", "it cannot be read ({reason}): {what}");
    /// A link that leads nowhere.
    READ_DANGLING = why("read.dangling-link", &["target"],
        "它是指向 {target} 的链接，而那里没有文件：请将文件放回那里，或删除链接",
        "it is a link to {target}, and nothing is there: put the file there, or delete the link");
    /// A link that leads to itself.
    READ_LOOP = why("read.link-loop", &["target"],
        "它是指向 {target} 的链接，而该链接又回到自身：请删除链接",
        "it is a link to {target}, which leads back to it: delete the link");
    /// Permissions keep this server out.
    READ_DENIED = why("read.denied", &["path", "mode", "owner", "user"],
        "{path} 属于用户 {owner}，权限为 {mode}，而本服务器以用户 {user} 运行：请执行 chmod a+rX {'path'}，或用 chown 交给该用户",
        "{path} belongs to user {owner} with mode {mode}, and this server runs as user {user}: chmod a+rX {'path'}, or give it to that \
         user (chown)");
    /// A folder on the way keeps this server out.
    READ_WAY_DENIED = why("read.way-denied", &["path", "folder", "mode", "owner", "user"],
        "通往 {path} 的目录 {folder} 属于用户 {owner}，权限为 {mode}，而本服务器以用户 {user} 运行，不能进入：chmod a+x {'folder'}",
        "{folder}, on the way to {path}, belongs to user {owner} with mode {mode}, and this server runs as user {user}, whom it does not \
         let through: chmod a+x {'folder'}");
    /// The disk, most likely.
    READ_FAILED = why("read.failed", &[],
        "请检查其权限（chmod a+r）或磁盘", "see to its permissions (chmod a+r) or its disk");
    /// A link in a folder's place leads nowhere.
    WAY_DANGLING = why("way.dangling-link", &["path", "target"],
        "{path} 是指向 {target} 的链接，而那里什么也没有：请建立该目录（mkdir -p {'target'}）、挂载它，或修改链接",
        "{path} is a link to {target}, and nothing is there: make that folder (mkdir -p {'target'}), mount what belongs there, or let the \
         link lead elsewhere");
    /// A link in a folder's place leads to itself.
    WAY_LOOP = why("way.link-loop", &["path", "target"],
        "{path} 是指向 {target} 的链接，而它又回到自身：请删除链接（rm {'path'}）",
        "{path} is a link to {target}, which leads back to it: delete the link (rm {'path'})");
    /// A file in a folder's place.
    WAY_NO_FOLDER = why("way.no-folder", &["path"],
        "{path} 不是目录，而这里需要目录：请将它移走，或改用其他目录",
        "{path} is no folder, and one is wanted there: move it away, or name another folder");
    /// A folder in a file's place.
    WAY_IS_FOLDER = why("way.is-folder", &["path"],
        "{path} 是目录，而这里需要文件：请写其中一个文件的名称",
        "{path} is a folder, and a file is wanted: name one in it");
    /// This user may not write there.
    WAY_DENIED = why("way.denied", &["path", "mode", "owner", "user"],
        "{path} 属于用户 {owner}，权限为 {mode}，而本服务器以用户 {user} 运行，不能写入：chown {user} {'path'}",
        "{path} belongs to user {owner} with mode {mode}, and this server runs as user {user}, who may not write there: chown {user} \
         {'path'}");
    /// Notes from nowhere.
    NOTES_STANDARD_INPUT = why("notes.standard-input", &[],
        "--notes 不读取标准输入：请将发布说明写入文件，并写出文件名",
        "--notes takes no standard input: write the notes into a file, and name it");
    /// Notes that the system does not give.
    NOTES_UNREADABLE = why("notes.unreadable", &["path", "reason"],
        "{path}：无法读取发布说明：{reason}", "{path}: the notes cannot be read: {reason}");
    /// More than anybody reads.
    NOTES_TOO_LONG = why("notes.too-long", &["path", "longest"],
        "{path}：发布说明超过 {longest} 字节：请缩短", "{path}: these notes have more than {longest} bytes: shorten them");
    /// No word in them.
    NOTES_EMPTY = why("notes.empty", &["path"],
        "{path}：发布说明是空的", "{path}: these notes are empty: nothing is in the file, or blanks alone");
    /// No text.
    NOTES_NOT_UTF8 = why("notes.not-utf8", &["path", "line"],
        "{path}：发布说明第 {line} 行不是 UTF-8：请将文件保存为 UTF-8",
        "{path}: line {line} of these notes is not UTF-8: save the file as UTF-8");
    /// A sign that would steer the terminal of whoever reads them.
    NOTES_CONTROL = why("notes.control-character", &["path", "line", "sign"],
        "{path}：发布说明第 {line} 行含有控制字符 {sign}：请删除它",
        "{path}: line {line} of these notes holds the control character {sign}: take it out");
    /// The image has others.
    NOTES_EXISTS = why("notes.exists", &["path"],
        "{path}：该固件已有另一份发布说明：请用 --force 覆盖，或不带 --notes 发布",
        "{path}: notes of this image are there already, and say something else: overwrite them with --force, or publish without \
         --notes");
    /// The folder takes no file.
    NOTES_UNKEPT = why("notes.unkept", &["path", "reason"],
        "{path}：无法写入发布说明：{reason}", "{path}: the notes cannot be written there: {reason}");
    /// Only its owner may read it.
    WAY_SHUT = why("way.shut-to-others", &["path", "mode", "owner"],
        "除 {owner} 之外的用户无法读取 {path}（权限为 {mode}）：服务器是以 {owner} 运行的吗？如果不是，请执行 chmod a+rX {'path'}",
        "others than {owner} cannot read {path} (mode {mode}): is the server run by {owner}? If it is not: chmod a+rX {'path'}");
}
