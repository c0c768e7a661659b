//! Files that are no ESP image, each named as what it is, with what to take instead:
//! reasons inside other events.

use super::super::Kind;
use super::why;

kinds! { FOREIGN:
    /// No ESP image.
    IMAGE_FOREIGN = why("image.foreign", &[], "这不是 ESP 固件", "this is no ESP image");
    /// What a linker makes.
    IMAGE_ELF = why("image.elf", &[],
        "这不是 ESP 固件，而是 ELF 文件（请使用旁边的 .bin）", "this is no ESP image but an ELF file (use the .bin beside it)");
    /// An archive.
    IMAGE_ZIP = why("image.zip", &["command?"],
        "这不是 ESP 固件，而是 zip 压缩包（xiaozhi-ota publish 会取出其中的应用固件并发布{：|command|}）",
        "this is no ESP image but a zip archive (xiaozhi-ota publish takes the app image out of it{: |command|})");
    /// A compressed file.
    IMAGE_GZIP = why("image.gzip", &[],
        "这不是 ESP 固件，而是 gzip 文件（请先解压，再将其中的固件交给 xiaozhi-ota publish）",
        "this is no ESP image but a gzip file (unpack it, and give the image in it to xiaozhi-ota publish)");
    /// A compressed file.
    IMAGE_BZIP2 = why("image.bzip2", &[],
        "这不是 ESP 固件，而是 bzip2 文件（请先解压，再将其中的固件交给 xiaozhi-ota publish）",
        "this is no ESP image but a bzip2 file (unpack it, and give the image in it to xiaozhi-ota publish)");
    /// A compressed file.
    IMAGE_XZ = why("image.xz", &[],
        "这不是 ESP 固件，而是 xz 文件（请先解压，再将其中的固件交给 xiaozhi-ota publish）",
        "this is no ESP image but an xz file (unpack it, and give the image in it to xiaozhi-ota publish)");
    /// What a browser saves in place of a file.
    IMAGE_WEB_PAGE = why("image.web-page", &[],
        "这不是 ESP 固件，而是网页（请下载文件本身）", "this is no ESP image but a web page (fetch the file itself)");
    /// A stand-in.
    IMAGE_GIT_LFS = why("image.git-lfs", &[],
        "这不是 ESP 固件，而是 Git LFS 指针（用 git lfs pull 取得文件）",
        "this is no ESP image but a Git LFS pointer (git lfs pull fetches the file)");
    /// Another chip family's.
    IMAGE_OLD_ESP = why("image.esp8266-ota", &[],
        "这不是 ESP32 固件，而是 ESP8266 的镜像", "this is no ESP image but an image for the ESP8266");
    /// Another archive or compressed file.
    IMAGE_ARCHIVE = why("image.archive", &["what"],
        "这不是 ESP 固件，而是压缩包或压缩文件（{what}；请先解压，再将其中的固件 xiaozhi.bin 或 merged-binary.bin 交给 xiaozhi-ota publish）",
        "this is no ESP image but an archive or a compressed file ({what}; unpack it, and give the image in it, xiaozhi.bin or \
         merged-binary.bin, to xiaozhi-ota publish)");
    /// An encrypted file.
    IMAGE_LOCKED = why("image.locked", &["what"],
        "这不是 ESP 固件，而是加密的文件（{what}；请先解密，取其中的应用固件 build/xiaozhi.bin）",
        "this is no ESP image but an encrypted file ({what}; decrypt it, and take the app image, build/xiaozhi.bin)");
    /// An answer for programs.
    IMAGE_ANSWER = why("image.answer", &["what"],
        "这不是 ESP 固件，而是服务器返回的 {what}（多半是下载出错时的错误信息；请重新下载文件本身）",
        "this is no ESP image but a server's answer in {what}, an error mostly (fetch the file itself)");
    /// A text.
    IMAGE_TEXT = why("image.text", &["what"],
        "这不是 ESP 固件，而是文本（{what}；可能是说明，也可能是下载出错时的错误信息；请使用 build/xiaozhi.bin）",
        "this is no ESP image but a text ({what}; a note, or what a server said in place of the file; use build/xiaozhi.bin)");
    /// A program's source.
    IMAGE_SOURCE = why("image.source", &[],
        "这不是 ESP 固件，而是源代码或脚本（请使用编译得到的 build/xiaozhi.bin）",
        "this is no ESP image but source code or a script (use what it is built into, build/xiaozhi.bin)");
    /// A partition table's text.
    IMAGE_PARTITION_CSV = why("image.partition-csv", &[],
        "这不是 ESP 固件，而是分区表的文本（partitions.csv；请使用 build/xiaozhi.bin）",
        "this is no ESP image but the text of a partition table (partitions.csv; use build/xiaozhi.bin)");
    /// Bytes written as text.
    IMAGE_ENCODED = why("image.encoded", &["what"],
        "这不是 ESP 固件，而是写成文本的字节（{what}；请使用构建产物中的 .bin 文件）",
        "this is no ESP image but bytes written as text ({what}; use the .bin of the build)");
    /// An image that was written as a text.
    IMAGE_REWRITTEN = why("image.rewritten", &["what"],
        "这曾是 ESP 固件，但被某个程序当作文本重写，内容已损坏（{what}；多半是 PowerShell 的 >；请重新下载：curl.exe -o 文件 地址）",
        "this was an ESP image until a program wrote it as if it were a text, which destroyed it ({what}; PowerShell's > mostly; \
         fetch it again: curl.exe -o FILE URL)");
    /// Blocks for a disk-like bootloader.
    IMAGE_UF2 = why("image.uf2", &[],
        "这不是 ESP 固件，而是 UF2 文件（供 USB 拖放刷写；请使用构建产物中的 .bin 文件）",
        "this is no ESP image but a UF2 file (for flashing by USB; use the .bin of the build)");
    /// A file for USB DFU.
    IMAGE_DFU = why("image.dfu", &[],
        "这不是 ESP 固件，而是 DFU 文件（供 USB 刷写；请使用构建产物中的 .bin 文件）",
        "this is no ESP image but a DFU file (for flashing by USB; use the .bin of the build)");
    /// A program for another system.
    IMAGE_PROGRAM = why("image.program", &["what"],
        "这不是 ESP 固件，而是其他系统的程序（{what}；请使用 build/xiaozhi.bin）",
        "this is no ESP image but a program for another system ({what}; use build/xiaozhi.bin)");
    /// A picture, a sound, a document.
    IMAGE_DOCUMENT = why("image.document", &["what"],
        "这不是 ESP 固件，而是图片、音频或文档（{what}；请使用 build/xiaozhi.bin）",
        "this is no ESP image but a picture, a sound or a document ({what}; use build/xiaozhi.bin)");
    /// A file system.
    IMAGE_FILE_SYSTEM = why("image.file-system", &["what"],
        "这不是 ESP 固件，而是文件系统镜像（{what}；请使用 build/xiaozhi.bin）",
        "this is no ESP image but the image of a file system ({what}; use build/xiaozhi.bin)");
    /// Firmware in a container.
    IMAGE_CONTAINER = why("image.container", &["what"],
        "这不是 ESP 应用固件，而是另一种固件容器（{what}；小智的引导加载程序不认识它；请使用 build/xiaozhi.bin）",
        "this is no ESP image but firmware in another container ({what}; the device's bootloader does not know it; use \
         build/xiaozhi.bin)");
    /// An image for `esp_encrypted_img`.
    IMAGE_PRE_ENCRYPTED = why("image.pre-encrypted", &[],
        "这不是 ESP 应用固件，而是预加密的固件（esp_encrypted_img；小智固件不会解密它；请使用加密之前的 build/xiaozhi.bin，防窃听请用 HTTPS）",
        "this is no ESP image but a pre-encrypted one (esp_encrypted_img; xiaozhi firmware does not decrypt it; use the \
         build/xiaozhi.bin that it was made from, and HTTPS against eavesdroppers)");
    /// The difference between two images.
    IMAGE_DELTA = why("image.delta", &["what"],
        "这不是 ESP 应用固件，而是差分升级包（{what}；小智固件不会应用它；请使用完整的 build/xiaozhi.bin）",
        "this is no ESP image but the difference between two ({what}; xiaozhi firmware does not apply it; use the whole \
         build/xiaozhi.bin)");
    /// Encrypted, most likely.
    IMAGE_RANDOM = why("image.encrypted", &[],
        "这不是 ESP 固件：其内容像随机数据，多半经过加密或压缩（例如从开启 flash 加密的设备读出；请使用未加密的 build/xiaozhi.bin，设备写入时会自行加密）",
        "this is no ESP image: its bytes look random, so it is encrypted or compressed (read back from a device with flash \
         encryption, perhaps; use the plain build/xiaozhi.bin, which such a device encrypts itself)");
    /// Assets.
    IMAGE_ASSETS = why("image.assets", &[],
        "这不是应用固件，而是 assets 分区的内容（assets.bin：字体、图片、声音；设备按 assets.download_url 下载，不作为固件下发）",
        "this is no app image but what the partition assets holds (assets.bin: fonts, pictures, sounds; devices fetch it from \
         assets.download_url and are never offered it)");
    /// Models of wake words.
    IMAGE_MODELS = why("image.models", &[],
        "这不是应用固件，而是唤醒词模型（srmodels.bin；它属于 assets 或 model 分区，不作为固件下发）",
        "this is no app image but models of wake words (srmodels.bin, for the partition assets or model; devices are never \
         offered it)");
}
