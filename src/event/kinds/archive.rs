//! Archives and full flash images out of which no image can be taken: reasons inside other
//! events.

use super::super::Kind;
use super::why;

/// Makes a kind of an archive that no build makes, with what to do.
macro_rules! odd {
    ($id:literal, [$($field:literal),*], $zh:literal, $en:literal $(,)?) => {
        why(
            $id,
            &["member" $(, $field)*],
            concat!("{member}：", $zh, "；不会从这样的压缩包中取任何内容：请向构建者重新获取，或直接发布固件本身"),
            concat!("{member}: ", $en, "; nothing is taken from such an archive; get it anew from whoever built it, or publish \
                     the image itself"),
        )
    };
}

kinds! { ARCHIVES:
    /// The archive is too long.
    ARCHIVE_TOO_LARGE = why("archive.too-large", &["bytes", "longest"],
        "它有 {bytes} 字节，而压缩包最多 {longest} 字节：请直接发布固件本身",
        "it has {bytes} bytes, and an archive may have {longest}: publish the image itself");
    /// Its directory is not there, or makes no sense.
    ARCHIVE_DAMAGED = why("archive.damaged", &["what"],
        "它被截断或已损坏（{what}）：请重新下载", "it is cut off or damaged, for {what}: download it again");
    /// It is one of several files.
    ARCHIVE_SPLIT = why("archive.split", &[],
        "它是分卷压缩包中的一卷：请先合并，或直接发布固件本身",
        "it is a part of an archive in several files: join them, or publish the image itself");
    /// It has too many members.
    ARCHIVE_MEMBERS = why("archive.members", &["count", "most"],
        "它声称有 {count} 个成员，而压缩包最多 {most} 个：请只打包固件，或直接发布",
        "it says that it has {count} members, and an archive may have {most}: pack the image alone, or publish it as it is");
    /// A member with which it would unpack to too much.
    ARCHIVE_BOMB = why("archive.bomb", &["member", "bytes", "most"],
        "{member}：它声称解压后有 {bytes} 字节，而压缩包与其内容合计最多 {most} 字节：请直接发布固件本身",
        "{member}: it says that it unpacks to {bytes} bytes, and the archive and what is in it may have {most} together: publish \
         the image itself");
    /// A member whose name no file should have.
    ARCHIVE_NAME = odd!("archive.name", ["why"], "它的名称{why}", "its name {why}");
    /// Two members of one name.
    ARCHIVE_TWICE = odd!("archive.twice", [], "有两个成员使用这个名称", "two members have this name");
    /// A member that takes a password.
    ARCHIVE_ENCRYPTED = why("archive.encrypted", &["member"],
        "{member}：它已加密：请用密码解压，再发布其中的固件",
        "{member}: it is encrypted: unpack it with its password, and publish the image");
    /// A member that is packed by another method.
    ARCHIVE_METHOD = why("archive.method", &["member", "method"],
        "{member}：它以 {method} 压缩，而本程序只解压 deflate：请解压后发布其中的固件",
        "{member}: it is packed by {method}, and this program unpacks deflate: unpack it, and publish the image");
    /// A member that leads to another file.
    ARCHIVE_LINK = odd!("archive.link", [], "它是链接", "it is a link");
    /// A member that is no file.
    ARCHIVE_SPECIAL = odd!("archive.special", ["what"], "它是{what}", "it is {what}");
    /// A member that is an archive, or compressed.
    ARCHIVE_NESTED = why("archive.nested", &["member", "what"],
        "{member}：它是压缩包中的压缩包（{what}）：请解压外层，再发布其中的内容",
        "{member}: it is an archive in the archive ({what}): unpack this one, and publish what is in it");
    /// A member that says two things of itself, or another than it is.
    ARCHIVE_LIES = odd!("archive.lies", ["what"],
        "{what}：它已损坏，或有意欺骗", "{what}: it is damaged or made to deceive");
    /// Two members that share bytes.
    ARCHIVE_OVERLAP = odd!("archive.overlap", ["other"],
        "它与 {other} 共用一些字节", "it shares bytes with {other}");
    /// Bytes behind a member that are no member's.
    ARCHIVE_STRAY_BEHIND = odd!("archive.stray-behind", ["bytes"],
        "它后面有 {bytes} 个不属于任何成员的字节", "{bytes} bytes that belong to no member stand behind it");
    /// Bytes in front of a member that are no member's.
    ARCHIVE_STRAY_BEFORE = odd!("archive.stray-before", ["bytes"],
        "它前面有 {bytes} 个不属于任何成员的字节", "{bytes} bytes that belong to no member stand in front of it");
    /// Several images, of which nobody can tell the right one.
    ARCHIVE_SEVERAL = why("archive.several", &["count", "members"],
        "其中有 {count} 个固件：{members}；请解压后发布需要的那一个",
        "it holds {count} images: {members}; unpack it, and publish the one that is meant");
    /// An app image, and a full flash image with another app.
    ARCHIVE_DIFFERENT = why("archive.different", &["app", "flash"],
        "{app} 不是 {flash} 中的应用固件：请解压后发布需要的那一个",
        "{app} is not the app that is in {flash}: unpack it, and publish the one that is meant");
    /// No file at all.
    ARCHIVE_NO_FILE = why("archive.no-file", &[],
        "其中没有文件；应有应用固件（xiaozhi.bin）或完整的 flash 镜像（merged-binary.bin）",
        "it holds no file; it must hold an app image (xiaozhi.bin) or a full flash image (merged-binary.bin)");
    /// No image at all.
    ARCHIVE_NO_IMAGE = why("archive.no-image", &["held"],
        "其中没有固件：应有应用固件（xiaozhi.bin）或完整的 flash 镜像（merged-binary.bin）；其中有：{held}",
        "it holds no image: it must hold an app image (xiaozhi.bin) or a full flash image (merged-binary.bin); in it are {held}");
    /// What is nearly an image.
    ARCHIVE_HELD = why("archive.held", &["member", "what"], "{member}（{what}）", "{member}: {what}");
    /// No partition table in it.
    FLASH_NO_TABLE = why("flash.no-table", &[],
        "其中没有分区表，0x8000 处和引导加载程序之后都没有：它不是完整的 flash 镜像，或已损坏，或是从启用 flash 加密的芯片上读出的。请使用应用固件，或构建生成的完整镜像",
        "no partition table is in it, neither at 0x8000 nor behind a bootloader: it is no full flash image, it is damaged, or it was \
         read from a chip whose flash is encrypted. Take the app image, or the full image of the build");
    /// A partition table that is damaged.
    FLASH_TABLE = why("flash.table", &["offset", "why"],
        "{offset} 处的分区表已损坏：{why}。请重新获取该文件",
        "the partition table at {offset} is damaged: {why}. Get the file again");
    /// Its MD5 is another one.
    FLASH_TABLE_CHECKSUM = why("flash.table-checksum", &[], "MD5 不符", "its MD5 does not fit");
    /// A line that no table has.
    FLASH_TABLE_LINE = why("flash.table-line", &["number"], "第 {number} 行不是分区表的行", "line {number} of it is none");
    /// No mark at its end.
    FLASH_TABLE_NO_END = why("flash.table-no-end", &[], "没有结尾", "it has no end");
    /// Two partitions for one purpose.
    FLASH_TABLE_TWICE = why("flash.table-twice", &["what"], "其中有两个 {what}", "{what} stands in it twice");
    /// A partition table without a slot that is looked at.
    FLASH_NO_SLOT = why("flash.no-slot", &["partitions?"],
        "其中没有应用分区：分区表里既没有 ota_0，也没有 factory{，只有 |partitions|}。请使用构建生成的应用固件",
        "it has no slot for an app: its partition table has neither ota_0 nor factory{, but |partitions|}. Take the app image of the \
         build");
    /// Erased flash where the app should be.
    FLASH_EMPTY = why("flash.empty", &["slot", "offset"],
        "{offset} 处的分区 {slot} 是空的：制作镜像时没有放入应用。请使用应用固件，或重新制作完整镜像",
        "its slot {slot} at {offset} is empty: the image was made without an app. Take the app image, or make the full image again");
    /// The file ends in front of the slot.
    FLASH_BEYOND = why("flash.beyond", &["slot", "offset"],
        "它在 {offset} 处的分区 {slot} 之前就结束了：被截断，或制作时没有放入应用。请重新获取该文件",
        "it ends in front of its slot {slot} at {offset}: it is cut off, or was made without an app. Get the file again");
    /// A slot whose content is no image.
    FLASH_UNREADABLE = why("flash.unreadable", &["slot", "offset"],
        "{offset} 处的分区 {slot} 中不是固件：已加密或已损坏。请使用构建生成的应用固件，或未加密的镜像",
        "what its slot {slot} at {offset} holds is no image: it is encrypted or damaged. Take the app image of the build, or an image \
         that is not encrypted");
    /// A slot whose image does not work out.
    FLASH_DAMAGED = why("flash.damaged", &["slot", "offset", "what"],
        "{offset} 处的分区 {slot} 中的应用已损坏：{what}。请重新获取该文件",
        "the app in its slot {slot} at {offset} is damaged: {what}. Get the file again");
    /// The image in a slot has no end.
    FLASH_ENDS = why("flash.ends", &["part"],
        "分区或文件在其{part}中就结束了", "the slot or the file ends within its {part}");
    /// Two slots that hold different things.
    FLASH_DIFFERENT = why("flash.different", &["ota_0", "factory"],
        "它的两个分区中是不同的应用：{ota_0} 和 {factory}，无法知道该用哪一个。请使用构建生成的应用固件",
        "its slots hold different apps, {ota_0} and {factory}, and which one is meant is not known. Take the app image of the build");
    /// Slot, and the version of what it holds.
    FLASH_SLOT = why("flash.slot", &["slot", "offset", "version"],
        "{offset} 处的 {slot}（版本 {version}）", "{slot} at {offset} (version {version})");
    /// Slot whose content cannot be read.
    FLASH_SLOT_UNREADABLE = why("flash.slot-unreadable", &["slot", "offset"],
        "{offset} 处的 {slot}（无法读取）", "{slot} at {offset} (unreadable)");
}
