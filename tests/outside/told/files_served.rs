//! Files without a version in their names: what is whole can be fetched, and is offered to
//! nobody; what may hold secrets cannot.

use crate::command_line::run;
use crate::support::server::{Setup, request};
use crate::support::until;
use std::fs;
use std::os::unix::fs::symlink;
use xiaozhi_image_builder::{Image, assets, merged, models, nvs_page};

const FILES: &[(&str, &[u8])] = &[
    ("index.json", b"{\"version\":1}"),
    ("emoji.png", b"picture"),
];

fn path(file: &str) -> String {
    format!("/xiaozhi/ota/download/{file}")
}

#[test]
fn a_whole_file_of_its_own_kind_is_served_and_never_offered() {
    let mut generated = assets(FILES);
    // A partition that was erased before.
    generated.resize(0x4000, 0xFF);
    let setup = Setup::new()
        .file("assets.bin", assets(FILES))
        .file("generated_assets.bin", &generated)
        .file("assets_A.bin", assets(FILES))
        .file("srmodels.bin", models(FILES))
        // A version makes no image of it.
        .file("a_2.0.bin", assets(FILES))
        .file("a_1.0.bin", Image::new("1.0").build());
    let server = setup.start("firmware_cache_ttl: 1\n");
    for (file, kind) in [
        ("assets.bin", "image.assets"),
        ("generated_assets.bin", "image.assets"),
        ("assets_A.bin", "image.assets"),
        ("srmodels.bin", "image.models"),
        ("a_2.0.bin", "image.assets"),
    ] {
        server.event("file.served", &[("file", file), ("what", kind)]);
        let whole = fs::read(server.bin().join(file)).unwrap();
        let reply = server.get(&path(file));
        assert_eq!((reply.status, &reply.body), (200, &whole), "{file}");
        reply.hold_to_contract("a download of assets");
        let length = whole.len().to_string();
        assert_eq!(reply.header("Content-Length"), Some(&*length));
        let part = request("GET", &path(file), &[("Range", "bytes=2-5")], b"");
        let part = server.send("http", &part);
        assert_eq!((part.status, &part.body[..]), (206, &whole[2..6]), "{file}");
        let etag = reply.header("Etag").unwrap().to_owned();
        let again = request("GET", &path(file), &[("If-None-Match", &etag)], b"");
        assert_eq!(server.send("http", &again).status, 304, "{file}");
        assert_eq!(
            server
                .send("http", &request("HEAD", &path(file), &[], b""))
                .status,
            200
        );
    }
    // The only image is offered, whatever the others are called.
    assert_eq!(server.offered("a", "0.9").as_deref(), Some("a_1.0.bin"));
    for model in ["assets", "generated_assets", "srmodels", ""] {
        assert_eq!(server.offered(model, "0.9"), None, "{model}");
    }
    // Said once, through several looks; and of another content again.
    fs::write(server.bin().join("a_1.1.bin"), Image::new("1.1").build()).unwrap();
    until("another look", || server.offered("a", "1.0"));
    assert_eq!(
        server.events_of("file.", &[("file", "assets.bin")]).len(),
        1
    );
    fs::write(server.bin().join("assets.bin"), assets(&FILES[..1])).unwrap();
    until("the new assets", || {
        let reply = server.get(&path("assets.bin"));
        (reply.status == 200 && reply.body == assets(&FILES[..1])).then_some(())
    });
    fs::write(server.bin().join("assets.bin"), &assets(FILES)[..100]).unwrap();
    let damaged = [("file", "assets.bin"), ("why", "image.data-damaged")];
    server.event("file.refused", &damaged);
    assert_eq!(server.get(&path("assets.bin")).status, 404);
    fs::remove_file(server.bin().join("srmodels.bin")).unwrap();
    server.event("file.removed", &[("file", "srmodels.bin")]);
    assert_eq!(server.get(&path("srmodels.bin")).status, 404);
}

#[test]
fn without_a_version_nothing_else_gets_out() {
    let image = Image::new("1.0");
    let good = image.build();
    let setup = Setup::new()
        .file("xiaozhi.bin", &good)
        .file("merged-binary.bin", merged(&image, 0))
        .file("dump.bin", [&[7; 4096][..], &nvs_page()].concat())
        .file("nvs.bin", nvs_page())
        .file("cut.bin", &good[..300])
        .file("twice.bin", [&good[..], &good].concat())
        .file("release.bin", b"PK\x03\x04 and so on")
        .file("notes.bin", "notes")
        .file("firmware.bin", [1, 2, 3, 0])
        .file("key.bin", "-----BEGIN PRIVATE KEY-----\n");
    let server = setup.start("");
    for (file, why) in [
        ("merged-binary.bin", "image.full-flash"),
        ("dump.bin", "image.flash-part"),
        ("nvs.bin", "image.flash-part"),
        ("cut.bin", "image.cut"),
        ("twice.bin", "image.trailing"),
        ("release.bin", "image.zip"),
        ("notes.bin", "name.no-version"),
        ("firmware.bin", "name.no-version"),
        ("key.bin", "image.private-key"),
    ] {
        server.event("file.refused", &[("file", file), ("why", why)]);
        assert_eq!(
            server.events_of("file.", &[("file", file)]).len(),
            1,
            "{file}"
        );
        assert_eq!(server.get(&path(file)).status, 404, "{file}");
    }
    // A whole image holds no secrets; its name still wants mending.
    server.event(
        "file.refused",
        &[("file", "xiaozhi.bin"), ("why", "name.no-version")],
    );
    let reply = server.get(&path("xiaozhi.bin"));
    assert_eq!((reply.status, reply.body), (200, good));
    assert_eq!(server.offered("xiaozhi", "0.9"), None);
}

#[test]
fn a_link_that_leads_out_of_the_folder_is_followed_to_images_only() {
    let setup = Setup::new();
    let outside = |file: &str, bytes: &[u8]| {
        let place = setup.path().join(file);
        fs::write(&place, bytes).unwrap();
        place
    };
    let image = outside("image", &Image::new("1.0").build());
    let secret = outside("secret", b"root:$6$abc:19000:0:99999:7:::\n");
    let sounds = outside("sounds", &assets(FILES));
    let dump = outside("flash-dump", &merged(&Image::new("1.0"), 0));
    let unknown = outside("unknown", &[1, 2, 3, 0]);
    let bin = setup.path().join("data/bin");
    fs::create_dir(bin.join("old")).unwrap();
    fs::write(bin.join("old/assets.bin"), assets(FILES)).unwrap();
    for (name, target) in [
        ("image_1.0.bin", &image),
        ("image.bin", &image),
        ("secret_1.0.bin", &secret),
        ("secret.bin", &secret),
        ("sounds.bin", &sounds),
        ("dump.bin", &dump),
        ("unknown_1.0.bin", &unknown),
        // Within the folder a link is a name like another.
        ("inside.bin", &bin.join("old/assets.bin")),
    ] {
        symlink(target, bin.join(name)).unwrap();
    }
    let (ok, text, _) = run(
        setup.path(),
        &["inspect", "data/bin/secret_1.0.bin", "data/bin/inside.bin"],
    );
    assert!(
        !ok && text.contains("secret_1.0.bin: rejected: it is a link"),
        "{text}"
    );
    assert!(text.contains("inside.bin: data"), "{text}");
    fs::remove_dir_all(bin.join("old")).unwrap();
    fs::write(bin.join("assets.bin"), assets(FILES)).unwrap();
    fs::remove_file(bin.join("inside.bin")).unwrap();
    symlink("assets.bin", bin.join("inside.bin")).unwrap();
    let server = setup.start("");
    for (file, why) in [
        ("secret_1.0.bin", "image.link-out"),
        ("secret.bin", "image.link-out"),
        ("sounds.bin", "image.link-out"),
        ("dump.bin", "image.full-flash"),
        ("unknown_1.0.bin", "image.link-out"),
    ] {
        server.event("file.refused", &[("file", file), ("why", why)]);
        assert_eq!(server.get(&path(file)).status, 404, "{file}");
    }
    server.event("file.ready", &[("file", "image_1.0.bin")]);
    for file in ["image_1.0.bin", "image.bin", "inside.bin"] {
        assert_eq!(server.get(&path(file)).status, 200, "{file}");
    }
    assert_eq!(
        server.offered("image", "0.9").as_deref(),
        Some("image_1.0.bin")
    );
    assert_eq!(server.offered("secret", "0.9"), None);
}
