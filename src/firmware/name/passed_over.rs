//! Names of what is plainly no firmware, and lies beside it all the same: the leavings
//! of file systems, browsers and editors, checksums, pages to read.

/// Names of what systems and servers of files put into every folder, in lower case.
const KEPT_BY_SYSTEMS: [&str; 22] = [
    "@eadir",
    "@recently-snapshot",
    "@recycle",
    "@tmp",
    "#recycle",
    "#snapshot",
    "$recycle.bin",
    "__macosx",
    "desktop.ini",
    "ehthumbs.db",
    "icon\r",
    "lost+found",
    "network trash folder",
    "recycler",
    "system volume information",
    "temporary items",
    "thumbs.db",
    "thumbs.db:encryptable",
    "md5sums",
    "sha1sums",
    "sha256sums",
    "sha512sums",
];

/// Beginnings of pages that come with firmware, in lower case.
const PAGES: [&str; 6] = [
    "readme",
    "license",
    "licence",
    "changelog",
    "checksums",
    "md5sum",
];

/// Ends of names that are never a firmware's, in lower case: checksums and signatures,
/// what is still being fetched, what editors and locks leave behind.
const ENDS: [&str; 48] = [
    ".!qb",
    ".!ut",
    ".aria2",
    ".asc",
    ".b2",
    ".b3",
    ".bc!",
    ".cfg.part",
    ".crc",
    ".crc32",
    ".crdownload",
    ".download",
    ".downloading",
    ".filepart",
    ".lck",
    ".lock",
    ".md5",
    ".md5sum",
    ".md5sums",
    ".minisig",
    ".opdownload",
    ".part",
    ".partial",
    ".sfv",
    ".sha1",
    ".sha1sum",
    ".sha224",
    ".sha256",
    ".sha256sum",
    ".sha256sums",
    ".sha384",
    ".sha512",
    ".sha512sum",
    ".sig",
    ".swo",
    ".swp",
    ".swx",
    ".td",
    ".td.cfg",
    ".temp",
    ".tmp",
    ".upload",
    ".uploading",
    ".xltd",
    ":zone.identifier",
    // As Linux shows it where Windows keeps the colon in a private character.
    "\u{f03a}zone.identifier",
    ".zone.identifier",
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
        || PAGES.iter().any(|page| lower.starts_with(page))
        || lower.starts_with("sha256sum")
        || (lower.len() > 1 && lower.starts_with('#') && lower.ends_with('#'))
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
        ] {
            assert!(!is_passed_over(file), "{file}");
        }
    }
}
