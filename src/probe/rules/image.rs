//! Rules on images, and on what follows once one is installed.

use crate::probe::rule::Rule;

const ANOTHER_COPY: (&str, &str) = (
    "重新复制完整的文件；用 xiaozhi-ota publish 放入固件，它会先检查再改名。",
    "copy the file again, whole; xiaozhi-ota publish checks it first, and puts it there in one step.",
);

const APP_IMAGE: (&str, &str) = (
    "使用编译产物里的应用镜像 build/xiaozhi.bin，不要用 merged-binary.bin。",
    "use the app image that the build makes, build/xiaozhi.bin, and not merged-binary.bin.",
);

/// No ESP image.
pub(crate) static NOT_AN_IMAGE: Rule = Rule::new(
    "not-an-image",
    (
        "下载到的不是 ESP32 固件：设备在第一个字节（应为 0xE9）就会失败。",
        "What comes is no ESP32 image: the device fails at its first byte, which must be 0xE9.",
    ),
    APP_IMAGE,
);

/// Image that ends early.
pub(crate) static TRUNCATED_IMAGE: Rule = Rule::new(
    "truncated-image",
    (
        "固件不完整：设备下载完才发现，显示“升级失败”，下次开机再来一遍；1.8 以前的固件会立即重启，没完没了。",
        "The image is not whole: the device finds out after the download, shows “upgrade failed”, and does it again at its \
         next start. Firmware before 1.8 restarts at once, and so never stops.",
    ),
    ANOTHER_COPY,
);

/// Wrong checksum or hash.
pub(crate) static DAMAGED_IMAGE: Rule = Rule::new(
    "damaged-image",
    (
        "固件损坏（校验不符）：设备下载完才发现，显示“升级失败”，下次开机再来一遍；1.8 以前的固件会立即重启，没完没了。",
        "The image is damaged (its checksum does not fit): the device finds out after the download, shows “upgrade \
         failed”, and does it again at its next start. Firmware before 1.8 restarts at once, and so never stops.",
    ),
    ANOTHER_COPY,
);

/// `merged-binary.bin`.
pub(crate) static MERGED_IMAGE: Rule = Rule::new(
    "merged-image",
    (
        "这是整片闪存镜像（引导程序、分区表和应用合在一起），不能用于 OTA。",
        "This is a full flash image (bootloader, partition table and app in one), which cannot be installed over the air.",
    ),
    APP_IMAGE,
);

/// No app descriptor.
pub(crate) static BOOTLOADER: Rule = Rule::new(
    "bootloader",
    (
        "这是引导程序，或没有应用描述的镜像。",
        "This is a bootloader, or another image without an app descriptor.",
    ),
    APP_IMAGE,
);

/// Image of another family.
pub(crate) static ESP8266_IMAGE: Rule = Rule::new(
    "esp8266-image",
    ("这是 ESP8266 的镜像。", "This is an image for the ESP8266."),
    APP_IMAGE,
);

/// Bytes behind the image.
pub(crate) static TRAILING_BYTES: Rule = Rule::new(
    "trailing-bytes",
    (
        "固件后面跟着不明数据：文件损坏，或与别的东西合并过。",
        "Bytes follow the image that are neither padding nor a signature: it is damaged, or was merged with something.",
    ),
    APP_IMAGE,
);

/// Version that restarts every device that installs it.
pub(crate) static VERSION_INSIDE_CRASHES: Rule = Rule::new(
    "version-inside-crashes",
    (
        "固件内部的版本号不是数字和点：设备升级后每次检查都会崩溃重启，只能用线刷恢复。",
        "The version inside the image is not made of numbers and dots: once installed, the device restarts at every check, \
         and only a cable helps.",
    ),
    (
        "用只含数字和点的 PROJECT_VER 重新编译。",
        "build it with a PROJECT_VER of numbers and dots.",
    ),
);

/// Image for another chip.
pub(crate) static WRONG_CHIP: Rule = Rule::new(
    "wrong-chip",
    (
        "固件是给另一种芯片的，设备下载后拒绝它。",
        "The image is for another chip, and the device refuses it after the download.",
    ),
    (
        "按设备的型号（board.type）给文件命名，放入为这种芯片编译的固件。",
        "put an image that was built for this chip under this model's name (board.type).",
    ),
);

/// Image for another revision of the chip.
pub(crate) static CHIP_REVISION: Rule = Rule::new(
    "chip-revision",
    (
        "固件要求另一种芯片版本。",
        "The image wants another revision of the chip.",
    ),
    (
        "按设备的芯片版本重新编译（CONFIG_ESP32…_REV_MIN）。",
        "build it for the revision of the devices (CONFIG_ESP32…_REV_MIN).",
    ),
);

/// Longer than the slot.
pub(crate) static TOO_BIG: Rule = Rule::new(
    "too-big",
    (
        "固件比设备空闲的应用分区大，写到分区末尾时失败。",
        "The image is longer than the slot that would take it: writing fails at the slot's end.",
    ),
    (
        "使用为这种闪存大小编译的固件。",
        "use an image that was built for this size of flash.",
    ),
);

/// Partition table with `factory` alone.
pub(crate) static NO_SLOT: Rule = Rule::new(
    "no-slot",
    (
        "设备的分区表没有第二个应用分区，不能 OTA 升级。",
        "The device has no second slot for an app and cannot update over the air.",
    ),
    (
        "用线刷；4 MB 闪存的板子不支持 OTA。",
        "flash it by cable; boards with 4 MB of flash know no updates.",
    ),
);

/// Firmware 2.x over 1.x.
pub(crate) static NO_ASSETS: Rule = Rule::new(
    "no-assets",
    (
        "2.x 固件需要 assets 分区，1.x 的分区表没有，不能通过 OTA 升级。",
        "Firmware 2.x needs a partition named assets, which the layout of 1.x has not: it cannot be installed over the air.",
    ),
    (
        "用线把设备刷到 2.x 一次，以后就能 OTA。",
        "flash such a device with 2.x by cable, once.",
    ),
);

/// Version that runs already, to firmware before 2.0.0.
pub(crate) static SAME_VERSION: Rule = Rule::new(
    "same-version",
    (
        "固件内部的版本与设备正在运行的相同：2.0.0 以前的固件下载后拒绝它，每次开机都再下载一遍。",
        "The image holds the version that the device runs: firmware before 2.0.0 refuses it after the download, and \
         fetches it again at every start.",
    ),
    (
        "提高 PROJECT_VER 后重新编译；文件名里的版本要与固件内部的一致。",
        "build it with a higher PROJECT_VER; the version in the file's name must be the one inside.",
    ),
);

/// The image holds another version than was offered.
pub(crate) static OTHER_VERSION: Rule = Rule::new(
    "other-version",
    (
        "固件内部的版本与下发的版本不同：设备升级后报告内部的版本。",
        "The image holds another version than was offered: after the update the device reports the one inside.",
    ),
    (
        "按固件内部的版本给文件命名。",
        "name the file after the version inside.",
    ),
);

/// The image is of another project than the device runs.
pub(crate) static OTHER_PROJECT: Rule = Rule::new(
    "other-project",
    (
        "固件属于另一个项目，不是 xiaozhi：设备会照样安装；如果它不是改了名的 xiaozhi，设备从此不再询问任何服务器，只能用数据线刷回。",
        "The image is of another project than xiaozhi. The device installs it all the same, and unless this is xiaozhi under \
         another name, it asks no server any more and has to be flashed by cable.",
    ),
    (
        "换成 xiaozhi-esp32 构建的 build/xiaozhi.bin；如果是有意改名，在本服务器上把两个名字写进 gateway.firmware.projects。",
        "use the build/xiaozhi.bin of xiaozhi-esp32; if the project was renamed on purpose, list both names in this server's \
         gateway.firmware.projects.",
    ),
);

/// Update that is offered again.
pub(crate) static LOOP: Rule = Rule::new(
    "loop",
    (
        "升级并重启后，服务器又下发了同一个固件：设备会在每次开机时重新安装，永远停不下来。",
        "After the update and the restart the same firmware is offered again: the device installs it at every start, for \
         ever.",
    ),
    (
        "文件名里的版本要与固件内部的一致；force 只在版本不同时发送。",
        "name the file after the version inside; send force only while the reported version differs.",
    ),
);

/// Another update that is offered after the restart.
pub(crate) static ANOTHER_UPDATE: Rule = Rule::new(
    "another-update",
    (
        "升级后服务器又下发了另一个固件，设备要连续升级。",
        "After the update another one is offered: the device goes on from there.",
    ),
    (
        "确认这是有意的；直接下发最终版本更快、更安全。",
        "see that this is meant; to offer the last version at once is quicker and safer.",
    ),
);

/// The check after the restart is not answered.
pub(crate) static NOT_MARKED_VALID: Rule = Rule::new(
    "not-marked-valid",
    (
        "升级后的第一次检查没有得到 200：新固件不会被标记为有效，设备再次重启时会回滚。",
        "The first check after the update is not answered with 200: the image is not marked valid, and the next restart \
         rolls the device back.",
    ),
    (
        "升级期间保持服务器在线，并对新版本也回答 200。",
        "keep the server up while devices update, and answer the new version with 200, too.",
    ),
);
