//! Files of the firmware folder that are no app image, named as what they are.

use crate::command_line::run;
use crate::support::device::Device;
use crate::support::server::Setup;
use crate::support::{Server, noise};
use serde_json::json;
use std::fs;
use xiaozhi_image_builder::{Image, assets, merged, models, nvs_page};

/// A file, the id of the reason, and what the message must name besides.
type Row = (&'static str, Vec<u8>, &'static str, &'static str);

/// Bytes with something in front, long enough to be looked into.
fn begins(head: &[u8]) -> Vec<u8> {
    let mut bytes = head.to_vec();
    bytes.resize(head.len() + 2000, 0x11);
    bytes
}

/// Bytes with something at a place.
fn has(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0x11; 2048];
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

fn utf16(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().flat_map(u16::to_le_bytes);
    [0xFF, 0xFE].into_iter().chain(units).collect()
}

/// Files that are meant for other kinds of devices at most: no ESP32 is offered one.
#[rustfmt::skip]
fn foreign() -> Vec<Row> {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("zip", begins(b"PK\x03\x04\x14\0"), "image.zip", ""),
        ("zip-empty", begins(b"PK\x05\x06"), "image.zip", ""),
        ("gzip", begins(b"\x1f\x8b\x08\0"), "image.gzip", ""),
        ("bzip2", begins(b"BZh91AY"), "image.bzip2", ""),
        ("xz", begins(b"\xfd7zXZ\0"), "image.xz", ""),
        ("7z", begins(b"7z\xbc\xaf\x27\x1c"), "image.archive", "7z"),
        ("rar", begins(b"Rar!\x1a\x07\x01\0"), "image.archive", "RAR"),
        ("zstd", begins(b"\x28\xb5\x2f\xfd"), "image.archive", "zstd"),
        ("lz4", begins(b"\x04\x22\x4d\x18"), "image.archive", "lz4"),
        ("cab", begins(b"MSCF\0\0"), "image.archive", "cab"),
        ("tar", has(257, b"ustar\x0000"), "image.archive", "tar"),
        ("note", text("release notes"), "image.text", "UTF-8"),
        ("not-found", text("404: Not Found"), "image.text", "UTF-8"),
        ("bom", text("\u{feff}说明"), "image.text", "UTF-8"),
        ("windows", utf16("固件说明"), "image.text", "UTF-16"),
        ("gbk", b"\xb9\xcc\xbc\xfe\xcb\xb5\xc3\xf7".to_vec(), "image.text", "GBK"),
        ("page", text("<!DOCTYPE html><title>404</title>"), "image.web-page", ""),
        ("login", text("\r\n <HTML><body>请登录</body>"), "image.web-page", ""),
        ("s3", text("<?xml version=\"1.0\"?><Error></Error>"), "image.answer", "XML"),
        ("pan", text("{\"errno\":-9,\"errmsg\":\"文件不存在\"}"), "image.answer", "JSON"),
        ("lfs", text("version https://git-lfs.github.com/spec/v1\n"), "image.git-lfs", ""),
        ("ihex", text(":020000040000FA\r\n:10010000"), "image.encoded", "Intel HEX"),
        ("srec", text("S00F000068656C6C6F202020\n"), "image.encoded", "S-record"),
        ("base64", text("6QICT8A=").repeat(20), "image.encoded", "Base64"),
        ("csv", text("nvs, data, nvs, 0x9000, 0x4000,\n"), "image.partition-csv", ""),
        ("python", text("#!/usr/bin/env python3\n"), "image.source", ""),
        ("script", text("const fs = require('fs');\n"), "image.source", ""),
        ("powershell", begins(b"\xff\xfe\xe9\0\x06\0\x02\0"), "image.rewritten", "UTF-16"),
        ("reencoded", begins(b"\xef\xbf\xbd\x06\x02O"), "image.rewritten", "UTF-8"),
        ("http", begins(b"HTTP/1.1 200 OK\r\n\r\n\xe9"), "image.answer", "HTTP"),
        ("upload", begins(b"--b\r\nContent-Disposition: x\r\n\r\n\xe9"), "image.encoded", "multipart"),
        ("shortcut", begins(b"L\0\0\0\x01\x14\x02\0"), "image.document", "shortcut"),
        ("uf2", begins(b"UF2\n\x57\x51\x5d\x9e"), "image.uf2", ""),
        ("elf", begins(b"\x7fELF\x01\x01"), "image.elf", ""),
        ("mac", begins(b"\xcf\xfa\xed\xfe"), "image.program", "Mach-O"),
        ("dfu", [&begins(b"\x01")[..], b"\0\x01UFD\x10\0\0\0\0"].concat(), "image.dfu", ""),
        ("png", begins(b"\x89PNG\r\n\x1a\n"), "image.document", "PNG"),
        ("jpg", begins(b"\xff\xd8\xff\xe0"), "image.document", "JPEG"),
        ("pdf", begins(b"%PDF-1.7"), "image.document", "PDF"),
        ("squashfs", begins(b"hsqs"), "image.file-system", "squashfs"),
        ("mcuboot", begins(b"\x3d\xb8\xf3\x96"), "image.container", "MCUboot"),
        ("zigbee", begins(b"\x1e\xf1\xee\x0b\0\x01"), "image.container", "Zigbee"),
        ("plus", begins(b"ESP\0\x03"), "image.container", "esp-bootloader-plus"),
        ("rbl", begins(b"RBL\0"), "image.container", "RBL"),
        ("pre-encrypted", begins(b"\xcf\xb6\x88\x07"), "image.pre-encrypted", ""),
        ("delta", begins(b"\x10\xde\xcd\xfc"), "image.delta", "esp_delta_ota"),
        ("bsdiff", begins(b"BSDIFF40"), "image.delta", "bsdiff"),
        ("split-zip", begins(b"PK00PK\x03\x04"), "image.zip", ""),
        ("wim", begins(b"MSWIM\0\0\0"), "image.archive", "WIM"),
        ("egg", begins(b"EGGA"), "image.archive", "EGG"),
        ("alz", begins(b"ALZ\x01"), "image.archive", "ALZ"),
        ("ace", has(7, b"**ACE**"), "image.archive", "ACE"),
        ("old-tar", old_tar(), "image.archive", "tar"),
        ("git-crypt", [&b"\0GITCRYPT\0"[..], &noise(300, 3)].concat(), "image.locked", "git-crypt"),
        ("age", [&b"age-encryption.org/v1\n"[..], &noise(300, 3)].concat(), "image.locked", "age"),
        ("gpg", [&b"\x8c\x0d\x04\x09\x03\x02"[..], &noise(3000, 3)].concat(), "image.locked", "OpenPGP"),
        ("openssl", begins(b"Salted__"), "image.locked", "openssl"),
        ("vault", text("$ANSIBLE_VAULT;1.1;AES256\n6162\n"), "image.locked", "ansible-vault"),
        ("f2fs", has(1024, b"\x10\x20\xf5\xf2"), "image.file-system", "F2FS"),
        ("iso", [&[0; 32768][..], b"\x01CD001", &[1; 99]].concat(), "image.file-system", "ISO"),
        ("btrfs", [&[0; 65600][..], b"_BHRfS_M"].concat(), "image.file-system", "btrfs"),
        ("qcow", begins(b"QFI\xfb"), "image.file-system", "qcow"),
        ("matter", begins(b"\x1e\xf1\xee\x1b"), "image.container", "Matter"),
        ("gbl", begins(b"\xeb\x17\xa6\x03"), "image.container", "GBL"),
        ("ips", begins(b"PATCH"), "image.delta", "IPS"),
        ("rdiff", begins(b"rs\x026"), "image.delta", "rdiff"),
        ("detools", begins(b"\0\xb0\x85\x05\0\xa0\x04\0"), "image.delta", "detools"),
        ("detools-lzma", begins(b"\x01\xb0\x85\x05\x5d\0\0\x80"), "image.delta", "detools, lzma"),
        ("detools-hs", begins(b"\x04\xb0\x85\x05\x44\x80"), "image.delta", "heatshrink"),
        ("esp8266", begins(b"\xea\x04\x02\x40"), "image.esp8266-ota", ""),
        ("encrypted", [&[1][..], &noise(9000, 5)].concat(), "image.encrypted", ""),
        ("unknown", begins(b"\x01\x02\x03"), "image.foreign", ""),
    ]
}

/// The header of a tar archive without a mark, and its checksum.
fn old_tar() -> Vec<u8> {
    let mut header = b"xiaozhi.bin".to_vec();
    header.resize(148, b'0');
    header.extend([b' '; 8]);
    header.resize(512, 0);
    let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.resize(2048, 1);
    header
}

/// Files that nobody is given.
#[rustfmt::skip]
fn refused() -> Vec<Row> {
    let image = Image::new("1.0");
    let bootloader = Image {
        descriptor: false,
        ..image.clone()
    };
    let table = &merged(&image, 0)[0x8000..0x8C00];
    let mut otadata = 1u32.to_le_bytes().to_vec();
    otadata.resize(28, 0xFF);
    otadata.extend(0x4743_989Au32.to_le_bytes());
    otadata.resize(0x2000, 0xFF);
    let files: &[(&str, &[u8])] = &[("index.json", b"{}"), ("a.png", b"picture")];
    let (assets, models) = (assets(files), models(files));
    let dump = [vec![0x22; 0x5000], nvs_page(), vec![0xFF; 0x1000]].concat();
    let built = image.build();
    let behind = |front: &[u8]| [front, &built].concat();
    // As `nvs_partition_gen generate-key` writes it.
    let mut keys = noise(64, 7);
    keys.extend([1, 2, 3, 4]);
    keys.resize(4096, 0xFF);
    let crash = |header: usize| {
        let mut dump = vec![0x10, 2, 0, 0, 2, 1, 0, 0];
        dump.resize(header, 9);
        dump.extend(b"\x7fELF\x01\x01\x01");
        dump.resize(0x1000, 9);
        dump
    };
    let mut core = has(0, b"\x7fELF\x01\x01");
    core[16..18].copy_from_slice(&[4, 0]);
    let disk = |at: usize, mark: &[u8]| {
        let mut disk = vec![0; 0x2000];
        disk[0] = 0xEB;
        disk[510..512].copy_from_slice(&[0x55, 0xAA]);
        disk[at..at + mark.len()].copy_from_slice(mark);
        disk
    };
    let mut esp8266 = has(0, b"\xe9\x01\x02\x40");
    esp8266[4..12].copy_from_slice(&[0, 0, 0x10, 0x40, 0, 0, 0x10, 0x40]);
    vec![
        ("merged-0", merged(&image, 0), "image.full-flash", ""),
        ("merged-1000", merged(&image, 0x1000), "image.full-flash", ""),
        ("merged-2000", merged(&image, 0x2000), "image.full-flash", ""),
        ("bootloader", bootloader.build(), "image.bootloader", ""),
        ("table", table.to_vec(), "image.partition-table", ""),
        ("otadata", otadata, "image.flash-part", "otadata"),
        ("nvs", nvs_page(), "image.flash-part", "NVS"),
        ("dump", dump, "image.flash-part", "NVS"),
        ("littlefs", has(8, b"littlefs"), "image.flash-part", "LittleFS"),
        ("fat", has(510, &[0x55, 0xAA]), "image.flash-part", "FAT"),
        ("old", esp8266, "image.esp8266", ""),
        ("zeros", vec![0; 300], "image.blank", ""),
        ("erased", vec![0xFF; 0x2000], "image.blank", ""),
        ("nothing", Vec::new(), "image.empty", ""),
        ("cut-assets", assets[..assets.len() - 1].to_vec(), "image.data-damaged", "assets.bin"),
        ("cut-models", models[..models.len() - 1].to_vec(), "image.data-damaged", "srmodels.bin"),
        ("key", b"-----BEGIN RSA PRIVATE KEY-----\n".to_vec(), "image.private-key", ""),
        ("pkcs8", [b"\x30\x41\x02\x01\x00\x30".to_vec(), vec![7; 61]].concat(), "image.private-key", ""),
        ("sec1", [b"\x30\x77\x02\x01\x01\x04".to_vec(), vec![7; 115]].concat(), "image.private-key", ""),
        ("pkcs12", [b"\x30\x82\x01\x00\x02\x01\x03\x30".to_vec(), vec![7; 252]].concat(), "image.private-key", ""),
        ("keys-11-26_05-36", keys.clone(), "image.private-key", "NVS"),
        ("cut-keys", keys[..600].to_vec(), "image.private-key", "NVS"),
        ("flash-key", noise(32, 3), "image.private-key", ""),
        ("xts-key", noise(64, 3), "image.private-key", ""),
        ("putty", b"PuTTY-User-Key-File-3: ssh-ed25519\n".to_vec(), "image.private-key", ""),
        ("age-key", b"# created: 2026\nAGE-SECRET-KEY-1XXXX\n".to_vec(), "image.private-key", ""),
        ("jwk", b"{\"kty\": \"EC\", \"d\": \"x\"}".to_vec(), "image.private-key", ""),
        ("openssh", b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3\n".to_vec(), "image.private-key", ""),
        ("crash", crash(24), "image.flash-part", "core dump"),
        ("old-crash", crash(20), "image.flash-part", "core dump"),
        ("core", core, "image.flash-part", "core dump"),
        ("console", b"==== CORE DUMP START ====\nbA==\n".to_vec(), "image.flash-part", "core dump"),
        ("nvs-source", b"key,type,encoding,value\nssid,data,string,x\n".to_vec(), "image.flash-part", "NVS"),
        ("ntfs", disk(3, b"NTFS    "), "image.flash-part", "NTFS"),
        ("exfat", disk(3, b"EXFAT   "), "image.flash-part", "exFAT"),
        ("gpt", disk(512, b"EFI PART"), "image.flash-part", "GPT"),
        ("mbr", disk(450, b"\x83\0\0\0\0\x08\0\0\0\0\x10"), "image.flash-part", "MBR"),
        ("lf", behind(b"\n"), "image.front", "offset 1,"),
        ("crlf", behind(b"\r\n"), "image.front", "tail -c +3 "),
        ("mark", behind(b"\xef\xbb\xbf"), "image.front", "offset 3"),
        ("pad-zeros", behind(&[0; 16]), "image.front", "offset 16"),
        ("pad-ones", behind(&[0xFF; 4]), "image.front", "offset 4"),
        ("chunk", behind(b"eb90\r\n"), "image.front", "offset 6"),
        ("jks", b"\xfe\xed\xfe\xed\0\0\0\x02".to_vec(), "image.private-key", ""),
    ]
}

/// Starts a server, and moves the files into its folder: a start would name the first of each
/// kind alone.
fn beside(rows: &[Row], config: &str) -> Server {
    let server = Setup::new().start(config);
    let bin = server.bin();
    for (model, bytes, ..) in rows {
        let (part, file) = (bin.join(".part"), bin.join(format!("{model}_1.0.bin")));
        fs::write(&part, bytes).unwrap();
        fs::rename(part, file).unwrap();
    }
    server
}

/// Holds `inspect` and `publish` to it, in a folder of their own.
fn hold_the_command_line_to_it((model, bytes, id, names): &Row, state: &str) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("xiaozhi.bin"), bytes).unwrap();
    let (ok, text, _) = run(dir.path(), &["inspect", "--json", "xiaozhi.bin"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["state"], state, "{model}: {text}");
    assert_eq!(ok, state != "rejected", "{model}");
    assert!(
        json["reason"].as_str().unwrap().contains(names),
        "{id}: {text}"
    );
    let publish = ["publish", "xiaozhi.bin", "--model", "a", "--version", "1.0"];
    let (ok, _, error) = run(dir.path(), &publish);
    // Of these `publish` takes the app, where there is one.
    if ["image.full-flash", "image.zip"].contains(id) {
        let command = "xiaozhi-ota publish xiaozhi.bin";
        let is_named = json["reason"].as_str().unwrap().contains(command);
        assert_eq!(is_named, ok, "{text}{error}");
        assert_eq!(ok, *id == "image.full-flash", "{model}: {error}");
        return;
    }
    assert!(
        !ok && error.contains(json["reason"].as_str().unwrap()),
        "{id}: {error}"
    );
    // What has a name is no firmware of another kind of device either.
    if !["image.foreign", "image.text"].contains(id) {
        let (ok, _, error) = run(dir.path(), &[&publish[..], &["--foreign"]].concat());
        assert!(
            !ok && error.contains(json["reason"].as_str().unwrap()),
            "{id}: {error}"
        );
    }
    let left = fs::read_dir(dir.path().join("data/bin"));
    assert_eq!(left.map_or(0, Iterator::count), 0, "{model}");
}

#[test]
fn what_is_no_app_image_is_named_once_and_offered_to_no_esp32() {
    let rows = foreign();
    let server = beside(&rows, "firmware_cache_ttl: 1\n");
    for row @ (model, _, id, names) in &rows {
        let file = format!("{model}_1.0.bin");
        let line = server.event("file.foreign", &[("file", &file), ("kind", id)]);
        assert!(line.contains(names), "{line}");
        for (more, is_offered) in [
            (json!({"chip_model_name": "esp32s3"}), false),
            (json!({"chip_model_name": "ESP32-P4"}), false),
            (json!({"chip_model_name": "Espressif ESP32-C5"}), false),
            (json!({"chip_model_name": " esp32c61"}), false),
            (json!({"chip_model_name": "esp32x9"}), false),
            (json!({"chip_info": {"model": 18}}), false),
            (json!({"chip_model_name": "bk7258"}), true),
        ] {
            let device = Device {
                model,
                more: more.clone(),
                ..Device::new("0.9")
            };
            assert_eq!(
                device.offered(&server).is_some(),
                is_offered,
                "{model}: {more}"
            );
        }
        hold_the_command_line_to_it(row, "foreign");
    }
    for (model, ..) in &rows {
        let file = format!("{model}_1.0.bin");
        assert_eq!(server.events("file.foreign", &[("file", &file)]).len(), 1);
    }
}

#[test]
fn strict_refuses_each_by_its_name() {
    let rows = foreign();
    let server = beside(&rows, "gateway:\n  firmware: {verify: strict}\n");
    for (model, _, _, names) in &rows {
        let file = format!("{model}_1.0.bin");
        let refused = [
            ("file", &*file),
            ("why", "image.strict"),
            ("message", names),
        ];
        server.event("file.refused", &refused);
        let path = format!("/xiaozhi/ota/download/{file}");
        assert_eq!(server.get(&path).status, 404);
    }
}

#[test]
fn parts_of_a_flash_chip_and_secrets_are_given_to_nobody() {
    let rows = refused();
    let server = beside(&rows, "firmware_cache_ttl: 1\n");
    for row @ (model, _, id, names) in &rows {
        let file = format!("{model}_1.0.bin");
        let refused = [("file", &*file), ("why", id), ("message", names)];
        server.event("file.refused", &refused);
        assert_eq!(
            server.events_of("file.", &[("file", &file)]).len(),
            1,
            "{file}"
        );
        assert_eq!(server.offered(model, "0.9"), None, "{file}");
        let path = format!("/xiaozhi/ota/download/{file}");
        assert_eq!(server.get(&path).status, 404, "{file}");
        hold_the_command_line_to_it(row, "rejected");
    }
}
