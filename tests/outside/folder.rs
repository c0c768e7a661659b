//! A firmware folder in which some files take long to read, cannot be opened, or are
//! larger than any flash; and one that goes away and comes back.

use super::support::server::{BINARY, Server, Setup, without_privilege};
use super::support::until;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use xiaozhi_image_builder::Image;

/// Nobody looks at the folder unasked.
const WATCHED: &str = "firmware_cache_ttl: 86400\n";

/// The server, whose reading of one of its files never comes to an end.
fn with_endless(setup: &Setup, file: &str) -> Command {
    let mut command = Command::new("strace");
    // Beside the server, which is the child itself.
    command.args(["-D", "-f", "-o", "/dev/null", "-P"]);
    let place = setup.path().canonicalize().unwrap();
    command.arg(place.join("data/bin").join(file));
    command.args(["-e", "inject=read:error=EINTR:delay_enter=50000", BINARY]);
    command
}

#[track_caller]
fn is_offered(server: &Server, model: &str, file: &str) {
    until(file, || {
        server
            .offered(model, "1.0.0")
            .filter(|offered| offered == file)
    });
}

#[track_caller]
fn is_not_offered(server: &Server, model: &str) {
    until("nothing to be offered", || {
        server.offered(model, "1.0.0").is_none().then_some(())
    });
}

#[test]
fn what_is_read_is_offered_while_another_file_takes_for_ever() {
    let setup = Setup::new()
        .file("a_1.5.bin", Image::new("1.5").build())
        .file(
            "b_2.0.bin",
            [Image::new("2.0").build(), vec![0xFF; 4096]].concat(),
        )
        .file("c_1.5.bin", Image::new("1.5").build());
    let mut slow = with_endless(&setup, "b_2.0.bin");
    let server = setup.start_early(WATCHED, &mut slow);
    is_offered(&server, "a", "a_1.5.bin");
    is_offered(&server, "c", "c_1.5.bin");

    // Whom the slow one could serve is not up to date; whom it could not, is.
    assert_eq!(server.offered("b", "1.0"), None);
    let device = ("device", "aa:bb:cc:dd:ee:ff");
    server.event("still-reading", &[device, ("version", "1.0")]);
    assert_eq!(server.events("up-to-date", &[]), [""; 0]);
    for (model, version) in [("b", "2.0"), ("a", "1.5")] {
        server.offered(model, version);
        server.event("up-to-date", &[device, ("version", version)]);
    }
    assert_eq!(server.events("still-reading", &[]).len(), 1);

    // It has a name already.
    let reply = server.get("/xiaozhi/ota/download/b_2.0.bin");
    reply.hold_to_contract("a file that is being read");
    assert_eq!(reply.status, 503);
    assert_eq!(reply.header("Retry-After"), Some("2"));
    let reply = server.get("/xiaozhi/ota/download/b_3.0.bin");
    assert_eq!(reply.status, 404);

    // And what happens to the others is seen.
    let path = server.bin().join("a_1.5.bin");
    let mut writer = OpenOptions::new().append(true).open(path).unwrap();
    writer.write_all(b"more").unwrap();
    is_not_offered(&server, "a");
    fs::remove_file(server.bin().join("c_1.5.bin")).unwrap();
    is_not_offered(&server, "c");
}

#[test]
fn what_no_flash_holds_hides_nothing() {
    let sparse = |path: &Path, gigabytes: u64| {
        File::create(path)
            .unwrap()
            .set_len(gigabytes << 30)
            .unwrap();
    };
    let setup = Setup::new().file("a_1.5.bin", Image::new("1.5").build());
    sparse(&setup.path().join("data/bin/a_8.0.bin"), 50);
    sparse(&setup.path().join("data/bin/a_9.0.bin"), 2);
    let server = setup.start(WATCHED);
    let too_long = |file: &str| {
        server.event("file.refused", &[("file", file), ("why", "image.too-long")]);
    };
    too_long("a_8.0.bin");
    too_long("a_9.0.bin");
    is_offered(&server, "a", "a_1.5.bin");
    for (version, gigabytes) in [("1.6", 50), ("1.7", 2)] {
        let file = format!("b_{version}.bin");
        sparse(&server.bin().join(&file), gigabytes);
        too_long(&file);
        let file = format!("a_{version}.bin");
        fs::write(server.bin().join(&file), Image::new(version).build()).unwrap();
        is_offered(&server, "a", &file);
    }
    // One that grows beyond all bounds loses its place, and no other.
    let grows = OpenOptions::new()
        .write(true)
        .open(server.bin().join("a_1.7.bin"));
    grows.unwrap().set_len(50 << 30).unwrap();
    is_offered(&server, "a", "a_1.6.bin");
}

/// Something that is done to the folder.
type Deed<'a> = &'a dyn Fn();

#[test]
fn what_cannot_be_opened_is_not_offered_until_it_can() {
    let setup = Setup::new();
    let builds = setup.path().join("builds");
    fs::create_dir(&builds).unwrap();
    fs::write(builds.join("a.bin"), Image::new("1.5").build()).unwrap();
    symlink(
        "../../builds/a.bin",
        setup.path().join("data/bin/a_1.5.bin"),
    )
    .unwrap();
    let server = setup.start_by(WATCHED, &mut without_privilege());
    let (build, away) = (builds.join("a.bin"), server.dir.path().join("away"));
    let mode = |mode| fs::set_permissions(&build, Permissions::from_mode(mode)).unwrap();
    let ways: [(Deed<'_>, Deed<'_>); 2] = [
        (&|| fs::rename(&builds, &away).unwrap(), &|| {
            fs::rename(&away, &builds).unwrap();
        }),
        (&|| mode(0), &|| mode(0o644)),
    ];
    for (n, (shut, open)) in ways.into_iter().enumerate() {
        is_offered(&server, "a", "a_1.5.bin");
        // What happens where a link leads, no kernel tells.
        shut();
        assert_eq!(server.offered("a", "1.0").as_deref(), Some("a_1.5.bin"));
        let reply = server.get("/xiaozhi/ota/download/a_1.5.bin");
        reply.hold_to_contract("a file that cannot be opened");
        assert_eq!(reply.status, 503);
        // The next one is not sent there.
        is_not_offered(&server, "a");
        until("the reason", || {
            let said = server.events("file.refused", &[("why", "image.unreadable")]);
            (said.len() == n + 1).then_some(())
        });
        open();
        is_offered(&server, "a", "a_1.5.bin");
    }
    let reply = server.get("/xiaozhi/ota/download/a_1.5.bin");
    assert_eq!(reply.status, 200);
}

/// Who comes back is seen within 3 s and offered within 5: once in three times even on
/// a machine that keeps everybody waiting.
fn comes_back(mut again: impl FnMut() -> Instant, mut is_back: impl FnMut()) {
    let mut took = Vec::new();
    for _ in 0..3 {
        let since = again();
        is_back();
        took.push(since.elapsed());
        if since.elapsed() < Duration::from_secs(5) {
            return;
        }
    }
    panic!("not within 5 s: {took:?}");
}

/// A folder goes away by `away` and comes back by `back`, which run where the server
/// does.
fn goes_away_and_comes_back(server: &Server, away: Deed<'_>, back: Deed<'_>) {
    let file = "a_1.5.bin";
    is_offered(server, "a", file);
    comes_back(
        || {
            away();
            is_not_offered(server, "a");
            let since = Instant::now();
            back();
            since
        },
        || is_offered(server, "a", file),
    );
    // And it is watched again: nobody would look.
    let other = server.bin().join("a_1.6.bin");
    fs::write(&other, Image::new("1.6").build()).unwrap();
    is_offered(server, "a", "a_1.6.bin");
    fs::remove_file(&other).unwrap();
    is_offered(server, "a", file);
}

fn one_image() -> Setup {
    Setup::new().file("a_1.5.bin", Image::new("1.5").build())
}

#[test]
fn a_folder_that_is_moved_away_and_back_is_kept_again() {
    let server = one_image().start(WATCHED);
    let rename = |from: &str, to: &str| {
        let path = |name| server.dir.path().join(name);
        fs::rename(path(from), path(to)).unwrap();
    };
    // The folder itself; and one above it, of which the folder's watch hears nothing.
    goes_away_and_comes_back(
        &server,
        &|| {
            rename("data/bin", "data/away");
        },
        &|| rename("data/away", "data/bin"),
    );
    goes_away_and_comes_back(
        &server,
        &|| {
            rename("data", "away");
        },
        &|| rename("away", "data"),
    );
    // A file in its place.
    goes_away_and_comes_back(
        &server,
        &|| {
            rename("data/bin", "data/away");
            fs::write(server.bin(), "a file").unwrap();
        },
        &|| {
            fs::remove_file(server.bin()).unwrap();
            rename("data/away", "data/bin");
        },
    );
    // Another folder, which has nothing for anybody.
    goes_away_and_comes_back(
        &server,
        &|| {
            rename("data/bin", "data/away");
            fs::create_dir(server.bin()).unwrap();
        },
        &|| {
            fs::remove_dir(server.bin()).unwrap();
            rename("data/away", "data/bin");
        },
    );
}

#[test]
fn a_link_that_is_pointed_elsewhere_is_followed() {
    let server = one_image().start(WATCHED);
    let place = |name: &str| server.dir.path().join("data").join(name);
    let image = Image::new("1.6").build();
    for release in ["one", "two"] {
        fs::create_dir(place(release)).unwrap();
    }
    fs::write(place("one").join("a_1.6.bin"), &image).unwrap();
    fs::write(place("two").join("a_1.7.bin"), &image).unwrap();
    fs::rename(server.bin(), place("zero")).unwrap();
    let point_at = |release: &str| {
        symlink(release, place("next")).unwrap();
        fs::rename(place("next"), server.bin()).unwrap();
        Instant::now()
    };
    for (release, file) in [("one", "a_1.6.bin"), ("two", "a_1.7.bin")] {
        comes_back(
            || {
                point_at("zero");
                is_offered(&server, "a", "a_1.5.bin");
                point_at(release)
            },
            || is_offered(&server, "a", file),
        );
    }
}

#[test]
fn a_folder_that_is_mounted_over_and_unmounted_is_kept_again() {
    let setup = one_image();
    // It is mounted and unmounted where the server sees it, when a test says so.
    // The pipe stays open, or an order that comes between two of them would be lost.
    let script = format!(
        "mkfifo orders; exec 3<>orders; (while read -r order <&3; do eval \"$order\"; done) & exec {BINARY} 3>&-"
    );
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
    let server = setup.start_by(WATCHED, &mut command);
    let order = |order: &str| fs::write(server.dir.path().join("orders"), order).unwrap();
    goes_away_and_comes_back(
        &server,
        &|| order("mount -t tmpfs tmpfs data/bin\n"),
        &|| order("umount data/bin\n"),
    );
    // The other way round: what is there lies on what is mounted.
    order("mount -t tmpfs tmpfs data/bin; cp -a data/bin data/kept; touch mounted\n");
    until("the mount", || {
        server.dir.path().join("mounted").exists().then_some(())
    });
    is_not_offered(&server, "a");
    order("umount data/bin; exit\n");
    is_offered(&server, "a", "a_1.5.bin");
}

#[test]
fn a_folder_that_may_not_be_read_for_a_while_is_kept_again() {
    let server = one_image().start_by(WATCHED, &mut without_privilege());
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let (bin, data) = (server.bin(), server.dir.path().join("data"));
    let file = bin.join("a_1.5.bin");
    for path in [&bin, &data, &file] {
        goes_away_and_comes_back(&server, &|| mode(path, 0), &|| mode(path, 0o755));
    }
    // It can be searched, and not listed: what is known to be there can be opened.
    mode(&bin, 0o311);
    server.event("folder.unreadable", &[]);
    assert_eq!(server.offered("a", "1.0").as_deref(), Some("a_1.5.bin"));
    assert_eq!(server.get("/xiaozhi/ota/download/a_1.5.bin").status, 200);
    // It can be listed, and not searched.
    mode(&bin, 0o644);
    is_not_offered(&server, "a");
    mode(&bin, 0o755);
    is_offered(&server, "a", "a_1.5.bin");
}
