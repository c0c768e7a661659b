//! Names of what is plainly no firmware, and lies beside it all the same: the leavings
//! of file systems, browsers and editors, checksums, pages to read.

/// Names of what systems and servers of files put into every folder, in lower case.
const KEPT_BY_SYSTEMS: [&str; 44] = [
    "@eadir",
    "@eadir@synoeastream",
    "@eadir@synoresource",
    "@recently-snapshot",
    "@recycle",
    "@tmp",
    "#recycle",
    "#snapshot",
    "$recycle.bin",
    ":2e_ds_store",
    ":2eds_store",
    "__macosx",
    "_gsdata_",
    "4913",
    "albumartsmall.jpg",
    "bootex.log",
    "desktop.ini",
    "dfsr",
    "dfsrprivate",
    "ehthumbs.db",
    "flash_args",
    "flasher_args.json",
    "folder.jpg",
    "icon",
    "icon\r",
    "index.htm",
    "index.html",
    "indexervolumeguid",
    "lost+found",
    "lost.dir",
    "network trash folder",
    "nohup.out",
    "recycler",
    "synofile_thumb_m.jpg",
    "synofile_thumb_s.jpg",
    "synofile_thumb_xl.jpg",
    "system volume information",
    "temporary items",
    "thevolumesettingsfolder",
    "thumbs.db",
    "thumbs.db:encryptable",
    "volumeconfiguration",
    "web.config",
    "wpsettings.dat",
];

/// Beginnings of pages that come with firmware, in lower case.
const PAGES: [&str; 18] = [
    "changelog",
    "checksum",
    "licence",
    "license",
    "readme",
    "release-notes",
    "release_notes",
    "releasenotes",
    "使用说明",
    "使用說明",
    "更新日志",
    "更新说明",
    "自述",
    "请先读我",
    "说明",
    "說明",
    "版本说明",
    "校验",
];

/// Whole names of such pages and of what builds and publishes, in lower case, less their ends.
const WORDS: [&str; 14] = [
    "authors",
    "changes",
    "contributing",
    "copying",
    "copyright",
    "docker-compose",
    "dockerfile",
    "hashes",
    "history",
    "makefile",
    "news",
    "notice",
    "todo",
    "version",
];

/// Names of the ways to sum up a file, in lower case, as they stand in the names of lists of
/// sums, and behind those of the files that were summed up.
const SUMS: [&str; 21] = [
    "b2", "b2sum", "b3", "b3sum", "blake2", "blake2b", "blake3", "crc", "crc32", "md5", "sha",
    "sha1", "sha224", "sha256", "sha3", "sha384", "sha512", "sm3", "xxh", "xxh3", "xxh64",
];

/// Ends of names that are never a firmware's, in lower case: signatures, what is still being
/// fetched, what editors, locks and systems leave behind.
const ENDS: [&str; 67] = [
    ".!qb",
    ".!sync",
    ".!ut",
    ".115chrome",
    ".aria2",
    ".asc",
    ".baiduyun.p.downloading",
    ".bc!",
    ".bts",
    ".cfg.part",
    ".crdownload",
    ".dctmp",
    ".download",
    ".downloading",
    ".fdmdownload",
    ".filepart",
    ".ftpquota",
    ".icloud",
    ".idm",
    ".incomplete",
    ".inprogress",
    ".jc!",
    ".ksy",
    ".lck",
    ".lock",
    ".md",
    ".minisig",
    ".opdownload",
    ".par2",
    ".part",
    ".partial",
    ".pending",
    ".qbt",
    ".qkdownloading",
    ".rsync-tmp",
    ".sfv",
    ".sig",
    ".swo",
    ".swp",
    ".swx",
    ".td",
    ".td.cfg",
    ".tdl",
    ".temp",
    ".tmp",
    ".torrent",
    ".unfinished",
    ".upload",
    ".uploading",
    ".xltd",
    ".~tmp",
    "@synoeastream",
    "@synoresource",
    ":afp_afpinfo",
    ":com.apple.quarantine",
    ":zone.identifier",
    ":zone.identifier:$data",
    // As Linux shows it where Windows keeps the colon in a private character.
    "\u{f03a}zone.identifier",
    ".zone.identifier",
    "_zone.identifier",
    ".dpkg-dist",
    ".dpkg-new",
    ".rpmnew",
    ".lnk.tmp",
    ".fuse_hidden",
    ".nfs",
    "~",
];

/// Tells whether a name is passed over without a word.
pub fn is_passed_over(file: &str) -> bool {
    // Hidden, and the temporary files of those who copy (rsync, editors, publish).
    if file.starts_with('.') || file.starts_with("~$") {
        return true;
    }
    let lower = file.to_ascii_lowercase();
    if KEPT_BY_SYSTEMS.contains(&&*lower) {
        return true;
    }
    // A firmware's name is judged by the grammar, whatever it begins with.
    if lower.ends_with(".bin") {
        return false;
    }
    ENDS.iter().any(|end| lower.ends_with(end))
        || is_sum(&lower)
        || is_page(&lower)
        || is_found(&lower)
        || (lower.len() > 1 && lower.starts_with('#') && lower.ends_with('#'))
}

/// Tells whether a name is that of a page.
fn is_page(lower: &str) -> bool {
    let mut parts = lower.split('.');
    let (word, _end) = (parts.next().unwrap_or_default(), parts.next());
    PAGES.iter().any(|page| lower.starts_with(page))
        || WORDS.contains(&word) && parts.next().is_none()
}

/// Tells whether a name is that of sums: a list of them (`SHA256SUMS`, `md5.txt`), or those of
/// one file (`a_1.0.bin.sha256.txt`).
fn is_sum(lower: &str) -> bool {
    let name = lower.strip_suffix(".txt").unwrap_or(lower);
    let end = name.rsplit_once('.').map_or(name, |(_, end)| end);
    let end = end.strip_suffix('s').unwrap_or(end);
    let end = end.strip_suffix("sum").unwrap_or(end);
    SUMS.contains(&end.trim_end_matches(['-', '_'])) || SUMS.contains(&name)
}

/// Tells whether a name is that of what a check of a disk has found: `FOUND.000`,
/// `FILE0000.CHK`.
fn is_found(lower: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let chk = lower
        .strip_prefix("file")
        .and_then(|rest| rest.strip_suffix(".chk"));
    lower.strip_prefix("found.").is_some_and(is_number) || chk.is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beside_firmware_and_is_none() {
        for file in [
            ".DS_Store",
            "._xmini-c3_2.0.6.bin",
            ".~lock.xmini-c3_2.0.6.bin#",
            ".xmini-c3_2.0.6.bin.AbC123",
            ".gitignore",
            "@eaDir",
            "@Recycle",
            "#recycle",
            "$RECYCLE.BIN",
            "Thumbs.db",
            "desktop.ini",
            "lost+found",
            "System Volume Information",
            "Icon\r",
            "~$xmini-c3_2.0.6.bin",
            "xmini-c3_2.0.6.bin.md5",
            "xmini-c3_2.0.6.bin.SHA256",
            "SHA256SUMS",
            "sha256sum.txt",
            "xmini-c3_2.0.6.bin.part",
            "Unconfirmed 123.crdownload",
            "xmini-c3_2.0.6.bin.tmp",
            "xmini-c3_2.0.6.bin:Zone.Identifier",
            "xmini-c3_2.0.6.bin\u{f03a}Zone.Identifier",
            "README.md",
            "Readme.txt",
            "LICENSE",
            "xmini-c3_2.0.6.bin~",
            "xmini-c3_2.0.6.bin.swp",
            "#xmini-c3_2.0.6.bin#",
            "md5.txt",
            "checksum.txt",
            "CHECKSUM",
            "checksums-sha256.txt",
            "B2SUMS",
            "SHA3SUMS",
            "sha1sum",
            "hashes.txt",
            "xmini-c3_2.0.6.md5.txt",
            "xmini-c3_2.0.6.bin.par2",
            "xmini-c3_2.0.6.bin.b2sum",
            "xmini-c3_2.0.6.bin.blake3",
            "xmini-c3_2.0.6.bin.sm3",
            "xmini-c3_2.0.6.bin.sha256.txt",
            "xmini-c3_2.0.6.bin.incomplete",
            "xmini-c3_2.0.6.bin.inprogress",
            "xmini-c3_2.0.6.bin.qkdownloading",
            "xmini-c3_2.0.6.bin.torrent",
            "xmini-c3_2.0.6.bin@SynoEAStream",
            "xmini-c3_2.0.6.bin:Zone.Identifier:$DATA",
            "SYNOFILE_THUMB_M.jpg",
            "@eaDir@SynoEAStream",
            "Icon",
            "FOUND.000",
            "FILE0000.CHK",
            "IndexerVolumeGuid",
            "WPSettings.dat",
            "COPYING",
            "NOTICE",
            "NOTICE.txt",
            "说明.txt",
            "使用说明.txt",
            "index.html",
        ] {
            assert!(is_passed_over(file), "{file}");
        }
    }

    #[test]
    fn what_may_be_meant_is_not_passed_over() {
        for file in [
            "xmini-c3_2.0.6.bin",
            "readme-board_1.0.bin",
            "xmini-c3_2.0.6.BIN",
            "xmini-c3_2.0.6.bin.txt",
            "xmini-c3_2.0.6",
            "v2.1.0_xmini-c3.zip",
            "notes.txt",
            "old",
            "~xmini-c3_2.0.6.bin",
            "#",
            "news-board_1.0.img",
            "noticeboard_1.0",
            "icon_1.0",
            "a_1.0.bin.txt",
            "sha256-board_1.0.zip",
        ] {
            assert!(!is_passed_over(file), "{file}");
        }
    }
}
