//! Kinds of files that are no image: reasons inside other events.

use super::super::Kind;
use super::why;

kinds! { IMAGES:
    /// No flash holds it.
    IMAGE_TOO_LONG = why("image.too-long", &["length", "longest"],
        "它有 {length} 字节，而 ESP32 最大的 flash 只有 {longest} 字节：这不是固件，请移走",
        "it has {length} bytes, and the largest flash of an ESP32 has {longest}: this is no firmware, take it away");
    /// What the folder says and what was read are not one state.
    IMAGE_CHANGED = why("image.changed", &[], "读取期间文件发生了变化", "it changed while it was read");
    /// A fault of this program shows in it.
    IMAGE_BREAKS = why("image.breaks", &["why"],
        "查看该文件会使本程序出错：请连同文件一起报告（{why}）",
        "to look into it breaks this program: please report it, with the file ({why})");
    /// Nothing in it.
    IMAGE_EMPTY = why("image.empty", &[], "文件是空的：请重新复制", "the file is empty: copy it again");
    /// Room for a file, and no file in it.
    IMAGE_BLANK = why("image.blank", &["bytes", "fill"],
        "开头是 {bytes} 个 {fill} 字节：复制不完整，或磁盘已满；请重新复制",
        "nothing but {fill} stands at its beginning (bytes: {bytes}): it was not copied whole, or the disk was full; copy it again");
    /// All of an app image but its first byte.
    IMAGE_FIRST_BYTE = why("image.first-byte", &["byte"],
        "首字节是 {byte}，而固件应为 0xe9：文件已损坏；请重新复制",
        "its first byte is {byte}, and an image's is 0xe9: it is damaged; copy it again");
    /// An app image with something in front.
    IMAGE_FRONT = why("image.front", &["bytes", "from"],
        "这是前面多了内容的应用固件：固件从偏移 {bytes} 处才开始，而不是 0；是下载或保存它的程序加上的，请重新下载，或将固件截取出来（tail -c +{from} FILE > NEW）",
        "it is an app image with something in front: the image begins at offset {bytes}, and not at 0; whatever fetched or saved it has \
         put that there; fetch it again, or cut the image out (tail -c +{from} FILE > NEW)");
    /// It ends within what its header promises.
    IMAGE_CUT = why("image.cut", &["size", "part"],
        "文件在 {size} 字节处结束（{part}）：被截断，或仍在复制中；请重新复制",
        "it ends after byte {size}, in its {part}: it was cut off or is still being copied; copy it again");
    /// No image has so many segments, or none.
    IMAGE_SEGMENT_COUNT = why("image.segment-count", &["count"],
        "头部记录了 {count} 个段，而固件有 1 到 16 个：文件已损坏；请重新复制",
        "its header counts {count} segments, and an image has 1 to 16: it is damaged; copy it again");
    /// The flag at offset 23 is neither 0 nor 1.
    IMAGE_HASH_FLAG = why("image.hash-flag", &["flag"],
        "头部已损坏（哈希标志为 {flag}）：请重新复制", "its header is damaged (hash flag {flag}): copy it again");
    /// A segment that no image can have.
    IMAGE_SEGMENT_LENGTH = why("image.segment-length", &["number", "length"],
        "第 {number} 段声称长度为 {length} 字节，这不可能：文件已损坏；请重新复制",
        "its segment {number} claims a length, in bytes, of {length}, which none has: it is damaged; copy it again");
    /// The XOR of all segments is another than the image says.
    IMAGE_CHECKSUM = why("image.checksum", &[],
        "校验和与内容不符：文件已损坏；请重新复制", "its checksum does not fit its content: it is damaged; copy it again");
    /// The SHA-256 of the image is another than the image says.
    IMAGE_HASH = why("image.hash", &[],
        "SHA-256 与内容不符：文件已损坏；请重新复制", "its SHA-256 does not fit its content: it is damaged; copy it again");
    /// An image without an app descriptor.
    IMAGE_BOOTLOADER = why("image.bootloader", &[],
        "这是引导加载程序，或其他没有应用描述符的镜像；请使用应用固件 build/xiaozhi.bin",
        "this is a bootloader, or another image without an app descriptor; use the app image, build/xiaozhi.bin");
    /// Bootloader, partition table and app in one file.
    IMAGE_FULL_FLASH = why("image.full-flash", &["command?"],
        "这是完整的 flash 镜像（引导加载程序、分区表和应用合在一起）；请使用应用固件 build/xiaozhi.bin{，或取出其中的应用并发布：|command|}",
        "this is a full flash image (bootloader, partition table and app in one); use the app image, build/xiaozhi.bin{, or have the app \
         that is in it taken out and published: |command|}");
    /// A partition table.
    IMAGE_PARTITION_TABLE = why("image.partition-table", &[],
        "这是分区表（partition-table.bin）：分区表只能用线刷；请使用应用固件 build/xiaozhi.bin",
        "this is a partition table (partition-table.bin), which can only be flashed by cable; use the app image, build/xiaozhi.bin");
    /// A partition that is no app.
    IMAGE_FLASH_PART = why("image.flash-part", &["what"],
        "这是 flash 或磁盘中不属于应用的部分（{what}），从设备读出的可能含有 Wi-Fi 密码，因此不下发也不供下载；请使用应用固件 build/xiaozhi.bin",
        "this is a part of a flash chip or of a disk that is no app ({what}); read back from a device it may hold Wi-Fi passwords, so it \
         is neither offered nor given for download; use the app image, build/xiaozhi.bin");
    /// Assets or models, damaged.
    IMAGE_DATA_DAMAGED = why("image.data-damaged", &["what"],
        "它的开头与 {what} 相同，但长度或校验和不符：文件已损坏、被截断，或后面粘了别的内容；请重新复制",
        "it begins as {what} does, and its lengths or its checksum do not fit: it is damaged, cut off, or has something stuck to it; \
         copy it again");
    /// A private key.
    IMAGE_PRIVATE_KEY = why("image.private-key", &[],
        "这是私钥或密钥（例如 NVS 或 flash 加密的密钥），绝不会下发，也不供下载：请将它移出固件目录，并请使用应用固件 build/xiaozhi.bin",
        "this is a private key, or a key for NVS or flash encryption, which is neither offered nor given for download: take it out of \
         the firmware folder, and use the app image, build/xiaozhi.bin");
    /// Shares the magic byte, and nothing else.
    IMAGE_ESP8266 = why("image.esp8266", &[],
        "这是 ESP8266 的镜像，没有小智固件能在其上运行；请使用应用固件 build/xiaozhi.bin",
        "this is an image for the ESP8266, which no xiaozhi firmware runs on; use the app image, build/xiaozhi.bin");
    /// Bytes behind the image that are no padding and no signature.
    IMAGE_TRAILING = why("image.trailing", &["bytes", "length"],
        "镜像之后还有 {bytes} 字节，既不是填充也不是签名：它与别的文件合并过，或是连同旧数据一起从 flash 读出的；请使用构建产物 \
         build/xiaozhi.bin，或将它截取出来：镜像本身完整，长 {length} 字节（head -c {length} FILE > NEW）",
        "what follows the image is neither padding nor a signature (bytes: {bytes}): it was merged with something, or read back \
         from flash with what stood there before; use the app image as the build made it, build/xiaozhi.bin, or cut it out: \
         the image itself is whole and has {length} bytes (head -c {length} FILE > NEW)");
    /// A signature block of secure boot v2 that is not what was signed.
    IMAGE_SIGNATURE = why("image.signature", &[],
        "安全启动签名与内容不符：请重新签名", "its secure boot signature does not fit its content: sign the image again");
    /// A device that runs it would restart at every check.
    IMAGE_UNSAFE_VERSION = why("image.unsafe-version", &["version"],
        "固件内的版本 {version} 会使设备在每次检查时重启，因为其中某一部分不是小于 2147483648 的数字；请用只含数字和点的 PROJECT_VER 构建",
        "the version inside, {version}, restarts a device at every check, for a part of it is no number below 2147483648; \
         build it with a PROJECT_VER of numbers and dots");
    /// A link out of the folder.
    IMAGE_LINK_OUT = why("image.link-out", &["target", "what"],
        "这是指向固件目录之外（{target}）的链接，而那里不是完整的应用固件（{what}）：通过这样的链接只提供应用固件；请将文件本身复制到目录中",
        "it is a link to {target}, outside of the firmware folder, and no whole app image is there ({what}): through such a link \
         nothing else is given out; copy the file itself into the folder");
    /// It is refused for what it is.
    IMAGE_STRICT = why("image.strict", &["what"],
        "{what}，而 gateway.firmware.verify 为 strict。请复制应用固件（build/xiaozhi.bin），或写 verify: warn",
        "{what}, and gateway.firmware.verify is strict. Copy an app image (build/xiaozhi.bin), or write verify: warn");
    /// It is offered for what it is.
    IMAGE_FOREIGN_OFFERED = why("image.foreign-offered", &["what"],
        "{what}。它会下发给未报告 ESP32 芯片的设备，因为它可能供其他类型的设备使用；ESP32 在首字节就会拒绝它。gateway.firmware.verify: strict 可禁止下发此类文件",
        "{what}. It is offered to devices that report no ESP32's chip, for it may be meant for another kind; an ESP32 refuses \
         it at its first byte. gateway.firmware.verify: strict keeps such files back");
    /// It is refused for the server that its devices would ask.
    IMAGE_HOME_REFUSED = why("image.home-refused", &["homes", "ours", "whom"],
        "固件内编译的 OTA 地址是 {homes}，而不是公网地址 {ours}，且 gateway.firmware.foreign_home 为 refuse：{whom}。请用公网地址（CONFIG_OTA_URL）重新构建；\
         如果那个地址也通向本服务器，或确实要下发，请写 foreign_home: warn",
        "the OTA address in it is {homes}, and not the public address {ours}, and gateway.firmware.foreign_home is refuse: {whom}. Build \
         it with the public address (CONFIG_OTA_URL); where the other one leads here, too, or is meant, write foreign_home: warn");
    /// Its devices may ask another server.
    REMARK_HOME = why("image.other-home", &["homes", "ours", "whom"],
        "固件内编译的 OTA 地址是 {homes}，而不是公网地址 {ours}：{whom}。除非那个地址也通向本服务器，请用公网地址（CONFIG_OTA_URL）重新构建；gateway.firmware.foreign_home: refuse 可禁止下发此类固件",
        "the OTA address in it is {homes}, and not the public address {ours}: {whom}. Unless the other one leads here, too, build it \
         with the public address (CONFIG_OTA_URL); gateway.firmware.foreign_home: refuse keeps such images back");
    /// Another project's.
    REMARK_PROJECT = why("image.other-project", &["project"],
        "其项目是 {project}，而不是 xiaozhi：报告其他项目的设备不会得到它，因为刷入后这样的设备不会再向任何服务器请求更新；请使用 xiaozhi-esp32 的应用固件，\
         或者，如果项目是有意改名的，请将两个名称都写入 gateway.firmware.projects（[xiaozhi, {project}]）",
        "its project is {project}, and not xiaozhi: no device that reports another project is offered it, for after it such a \
         device would ask nobody any more; use the app image of xiaozhi-esp32, or, if the project was renamed on purpose, list \
         its names in gateway.firmware.projects ([xiaozhi, {project}])");
    /// Its version would restart xiaozhi firmware.
    REMARK_UNSAFE_VERSION = why("image.strange-version", &["inside", "project"],
        "固件内的版本 {inside} 会使小智设备在每次检查时重启，因为其中某一部分不是数字；此固件属于项目 {project}，其规则在此未知，而报告该版本的设备不会再收到任何固件信息",
        "the version inside, {inside}, would restart a xiaozhi device at every check, for a part of it is no number; this image \
         is of the project {project}, whose rules are not known here, and devices that report this version are told nothing \
         about firmware any more");
    /// Name and content disagree.
    REMARK_MISNAMED = why("image.misnamed", &["named", "inside"],
        "文件名写的是 {named}，而固件内是 {inside}：设备运行后会报告 {inside}，不会再次得到它；请按固件内的版本命名文件",
        "the file's name says {named}, and the image holds {inside}: devices report {inside} once they run it, and are not \
         offered it again; name the file after the version inside");
    /// No chip runs it.
    REMARK_NO_REVISION = why("image.no-revision", &["min", "max"],
        "没有芯片能运行它，因为它要求的最低芯片版本 {min} 高于最高版本 {max}：不会下发给报告芯片版本的设备；请检查 CONFIG_ESP32XX_REV_MIN 和 REV_MAX 后重新构建",
        "no chip runs it, for the lowest revision that it takes, {min}, is above the highest, {max}: no device that reports its chip's \
         revision is offered it; look at REV_MIN and REV_MAX of the chip in menuconfig, and build it again");
    /// Damage may pass unseen.
    REMARK_NO_HASH = why("image.no-hash", &[],
        "没有附加 SHA-256，损坏可能在这里和设备上都一时无法发现：构建时请不要使用 --dont-append-digest",
        "no SHA-256 is appended, so that damage to it may pass for a while unseen, here and on the device: build it without \
         --dont-append-digest");
}
