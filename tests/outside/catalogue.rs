//! The firmware folder while people copy, replace and delete in it.

use super::support::server::{BINARY, Setup};
use super::support::{Server, make_pipe, noise, until};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, Instant};
use xiaozhi_image_builder::Image;

/// Nobody looks at the folder unasked: what is seen of it, the kernel has told. (How
/// soon it then counts, the keeper's own tests say.)
const WATCHED: &str = "firmware_cache_ttl: 86400\n";

#[track_caller]
fn is_offered(server: &Server, file: &str) {
    until(file, || {
        server
            .offered("esp32s3", "1.0.0")
            .filter(|offered| offered == file)
    });
}

#[track_caller]
fn is_withdrawn(server: &Server) {
    until("nothing to be offered", || {
        server.offered("esp32s3", "1.0.0").is_none().then_some(())
    });
}

#[test]
fn what_lies_there_at_start_is_offered_at_once() {
    let server = Server::start("", &["esp32s3_1.6.6.bin"]);
    assert_eq!(
        server.offered("esp32s3", "1.0.0").as_deref(),
        Some("esp32s3_1.6.6.bin")
    );
}

#[test]
fn copied_moved_renamed_replaced_deleted() {
    let server = Server::start(WATCHED, &[]);
    assert_eq!(server.offered("esp32s3", "1.0.0"), None);
    let bin = server.bin();
    fs::write(bin.join("esp32s3_1.6.5.bin"), "one").unwrap();
    is_offered(&server, "esp32s3_1.6.5.bin");
    let elsewhere = server.dir.path().join("upload.bin");
    fs::write(&elsewhere, "two").unwrap();
    fs::rename(&elsewhere, bin.join("esp32s3_1.6.6.bin")).unwrap();
    is_offered(&server, "esp32s3_1.6.6.bin");
    fs::rename(bin.join("esp32s3_1.6.6.bin"), bin.join("esp32s3_1.7.0.bin")).unwrap();
    is_offered(&server, "esp32s3_1.7.0.bin");
    let etag = || {
        server
            .get("/xiaozhi/ota/download/esp32s3_1.7.0.bin")
            .header("Etag")
            .map(str::to_owned)
    };
    let before = etag();
    fs::write(&elsewhere, "three").unwrap();
    fs::rename(&elsewhere, bin.join("esp32s3_1.7.0.bin")).unwrap();
    until("the new content", || {
        etag().filter(|tag| Some(tag) != before.as_ref())
    });
    fs::remove_file(bin.join("esp32s3_1.7.0.bin")).unwrap();
    is_offered(&server, "esp32s3_1.6.5.bin");
    fs::remove_file(bin.join("esp32s3_1.6.5.bin")).unwrap();
    is_withdrawn(&server);
    for event in ["file.ready", "file.removed"] {
        server.event(
            event,
            &[("file", "esp32s3_1.6.5.bin"), ("version", "1.6.5")],
        );
    }
}

#[test]
fn a_file_that_is_being_written_is_not_offered() {
    let server = Server::start(WATCHED, &["esp32s3_1.5.0.bin"]);
    let path = server.bin().join("esp32s3_1.6.6.bin");
    let content = noise(300_000, 1);
    let mut file = File::create(&path).unwrap();
    for part in content.chunks(30_000) {
        file.write_all(part).unwrap();
        file.flush().unwrap();
        assert_eq!(
            server.offered("esp32s3", "1.0.0").as_deref(),
            Some("esp32s3_1.5.0.bin")
        );
    }
    server.event("file.waiting", &[("file", "esp32s3_1.6.6.bin")]);
    assert_eq!(
        server.get("/xiaozhi/ota/download/esp32s3_1.6.6.bin").status,
        404
    );
    drop(file);
    is_offered(&server, "esp32s3_1.6.6.bin");
    assert_eq!(
        server.get("/xiaozhi/ota/download/esp32s3_1.6.6.bin").body,
        content
    );
}

#[test]
fn a_writer_that_pauses_for_longer_than_any_patience_is_still_a_writer() {
    let server = Server::start("firmware_cache_ttl: 1\n", &["esp32s3_1.5.0.bin"]);
    stays_unoffered_while_it_is_written(&server, "esp32s3_1.6.6.bin", "1.5.0");
}

/// Writes a file in two halves, with a pause after which it would look settled to
/// whoever knows nothing of its writer.
fn stays_unoffered_while_it_is_written(server: &Server, file: &str, offered: &str) {
    let offered = format!("esp32s3_{offered}.bin");
    let mut writer = File::create(server.bin().join(file)).unwrap();
    writer.write_all(b"half").unwrap();
    server.event("file.waiting", &[("file", file)]);
    // Several looks at the folder would go by.
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end {
        assert_eq!(server.offered("esp32s3", "1.0.0").as_ref(), Some(&offered));
        std::thread::sleep(Duration::from_millis(100));
    }
    writer.write_all(b" and half").unwrap();
    drop(writer);
    is_offered(server, file);
}

#[test]
fn a_file_that_is_rewritten_in_place_is_withdrawn_meanwhile() {
    let server = Server::start(WATCHED, &["esp32s3_1.6.6.bin"]);
    let path = server.bin().join("esp32s3_1.6.6.bin");
    let mut file = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&path)
        .unwrap();
    file.write_all(b"new ").unwrap();
    is_withdrawn(&server);
    file.write_all(b"content").unwrap();
    drop(file);
    is_offered(&server, "esp32s3_1.6.6.bin");
    assert_eq!(
        server.get("/xiaozhi/ota/download/esp32s3_1.6.6.bin").body,
        b"new content"
    );
}

#[test]
fn links_count_once_they_stand_still() {
    let server = Server::start(WATCHED, &[]);
    let target = server.dir.path().join("build.bin");
    // Behind a symbolic link that leads out of the folder nothing but an image is taken.
    fs::write(&target, Image::new("1.2.0").build()).unwrap();
    fs::hard_link(&target, server.bin().join("esp32s3_1.1.0.bin")).unwrap();
    until("the hard link", || {
        server
            .offered("esp32s3", "1.0.0")
            .filter(|f| f == "esp32s3_1.1.0.bin")
    });
    symlink(&target, server.bin().join("esp32s3_1.2.0.bin")).unwrap();
    until("the symbolic link", || {
        server
            .offered("esp32s3", "1.0.0")
            .filter(|f| f == "esp32s3_1.2.0.bin")
    });
}

#[test]
fn what_cannot_be_used_is_named_once_and_hides_nothing() {
    let setup = Setup::new()
        .file("esp32s3_1.6.6.bin", "good")
        .file("nounderscore.bin", "x")
        .file("esp32s3_2.0.x.bin", "x")
        .file("esp32s3_3.0.bin", "")
        .file("notes.txt", "x")
        .file(".hidden_1.0.bin", "x");
    fs::create_dir(setup.path().join("data/bin/esp32s3_4.0.bin")).unwrap();
    symlink("nowhere", setup.path().join("data/bin/esp32s3_5.0.bin")).unwrap();
    let pipe = setup.path().join("data/bin/esp32s3_6.0.bin");
    make_pipe(&pipe);
    let server = setup.start("firmware_cache_ttl: 1\n");
    assert_eq!(
        server.offered("esp32s3", "1.0.0").as_deref(),
        Some("esp32s3_1.6.6.bin")
    );
    let unused = [
        ("nounderscore.bin", "name.no-version"),
        ("esp32s3_2.0.x.bin", "name.unsafe-version"),
        ("esp32s3_3.0.bin", "image.empty"),
        ("notes.txt", "name.not-bin"),
        ("esp32s3_4.0.bin", "image.no-file"),
        ("esp32s3_5.0.bin", "image.unreadable"),
        ("esp32s3_6.0.bin", "image.no-file"),
    ];
    // A few more looks at the folder, each of which would say it again.
    fs::write(server.bin().join("esp32s3_1.6.7.bin"), "more").unwrap();
    is_offered(&server, "esp32s3_1.6.7.bin");
    fs::remove_file(server.bin().join("esp32s3_1.6.7.bin")).unwrap();
    is_offered(&server, "esp32s3_1.6.6.bin");
    for (file, why) in unused {
        server.event("file.refused", &[("file", file), ("why", why)]);
        assert_eq!(server.events_of("", &[("file", file)]).len(), 1, "{file}");
        assert_eq!(
            server.get(&format!("/xiaozhi/ota/download/{file}")).status,
            if file.ends_with(".bin") { 404 } else { 400 }
        );
    }
    let hidden = [("file", ".hidden_1.0.bin")];
    assert_eq!(server.events_of("", &hidden), [""; 0]);
}

#[test]
fn a_folder_that_is_deleted_and_made_again_is_kept_again() {
    let server = Server::start("firmware_cache_ttl: 1\n", &["esp32s3_1.6.6.bin"]);
    fs::remove_dir_all(server.bin()).unwrap();
    until("nothing", || {
        server.offered("esp32s3", "1.0.0").is_none().then_some(())
    });
    server.event("folder.unavailable", &[]);
    fs::create_dir(server.bin()).unwrap();
    fs::write(server.bin().join("esp32s3_1.6.7.bin"), "again").unwrap();
    until("the new file", || server.offered("esp32s3", "1.0.0"));
    // And it is watched again.
    server.event("folder.back", &[]);
    fs::write(server.bin().join("esp32s3_1.6.8.bin"), "and again").unwrap();
    is_offered(&server, "esp32s3_1.6.8.bin");
}

#[test]
fn pins_and_defaults_from_the_configuration() {
    let files = [
        "esp32s3_1.6.5.bin",
        "esp32s3_1.6.6.bin",
        "default_1.0.0.bin",
    ];
    let server = Server::start(
        "gateway:\n  firmware: {pin: {esp32s3: 1.6.5}, default_for: unreported}\n",
        &files,
    );
    // The same device is to have no files of its own before.
    assert_eq!(
        server.offered("", "0.0.1").as_deref(),
        Some("default_1.0.0.bin")
    );
    assert_eq!(
        server.offered("esp32s3", "1.0.0").as_deref(),
        Some("esp32s3_1.6.5.bin")
    );
    assert_eq!(server.offered("esp32s3", "1.6.5"), None);
    assert_eq!(server.offered("esp32s3", "1.6.6"), None);
    server.event("withheld.force-no-image", &[("file", "esp32s3_1.6.5.bin")]);
    assert_eq!(server.offered("other", "0.0.1"), None);
    assert_eq!(server.offered("", "0.0.1"), None);
}

#[test]
fn a_model_whose_file_is_unusable_gets_no_other_boards_firmware() {
    let setup = Setup::new()
        .file("default_9.0.0.bin", "another board's")
        .file("esp32s3_2.0.x.bin", "unsafe version")
        .file("other_1.5.0.bin", "x");
    let server = setup.start("");
    assert_eq!(server.offered("esp32s3", "1.0.0"), None);
    assert_eq!(
        server.offered("unknown", "1.0.0").as_deref(),
        Some("default_9.0.0.bin")
    );
    // While its file is being written anew, and after.
    let path = server.bin().join("other_1.5.0.bin");
    let mut file = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)
        .unwrap();
    file.write_all(b"half").unwrap();
    server.event("file.changing", &[("file", "other_1.5.0.bin")]);
    assert_eq!(server.offered("other", "1.0.0"), None);
    drop(file);
    until("the new one", || server.offered("other", "1.0.0"));
}

#[test]
fn a_start_with_many_files_offers_nobody_anothers() {
    let mut setup = Setup::new().file("default_9.0.0.bin", "another board's");
    for i in 0..40 {
        setup = setup.file(&format!("esp32s3_1.{i}.0.bin"), noise(4 << 20, i));
    }
    let server = setup.start_early("", &mut Command::new(BINARY));
    let last = until("its own", || {
        let offered = server.offered("esp32s3", "1.0.0");
        assert_ne!(offered.as_deref(), Some("default_9.0.0.bin"));
        offered
    });
    // The highest is read first.
    assert_eq!(last, "esp32s3_1.39.0.bin");
}

#[test]
fn a_change_of_permissions_or_a_backup_withdraws_nothing() {
    let server = Server::start("", &["esp32s3_1.6.6.bin"]);
    let path = server.bin().join("esp32s3_1.6.6.bin");
    for i in 0..20 {
        fs::hard_link(&path, server.dir.path().join(format!("backup{i}"))).unwrap();
        assert!(server.offered("esp32s3", "1.0.0").is_some());
        assert_eq!(
            server.get("/xiaozhi/ota/download/esp32s3_1.6.6.bin").status,
            200
        );
    }
    for gone in ["file.changing", "file.removed"] {
        assert_eq!(server.events(gone, &[]), [""; 0]);
    }
}

#[test]
fn a_pin_that_no_file_has_is_told() {
    let server = Server::start(
        "gateway:\n  firmware: {pin: {esp32s3: 1.6.5}}\n",
        &["default_1.0.0.bin"],
    );
    server.event("pin.missing", &[("model", "esp32s3"), ("version", "1.6.5")]);
    assert_eq!(server.offered("esp32s3", "0.0.1"), None);
}

#[test]
fn a_folder_that_is_made_again_at_once_is_watched_again() {
    // The new folder may well have the old one's inode.
    let server = Server::start(WATCHED, &["esp32s3_1.6.6.bin"]);
    for version in ["1.7.0", "1.8.0"] {
        fs::remove_dir_all(server.bin()).unwrap();
        fs::create_dir(server.bin()).unwrap();
        let file = format!("esp32s3_{version}.bin");
        fs::write(server.bin().join(&file), version).unwrap();
        // It may have come before the new watch, and must then look settled.
        is_offered(&server, &file);
    }
    // Without a watch this one would look settled, too.
    stays_unoffered_while_it_is_written(&server, "esp32s3_1.9.0.bin", "1.8.0");
}
