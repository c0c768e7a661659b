//! The server on Linux 3.10, which some NAS have: it does without what came later.

use super::fleet_ends::{FILE, check_in, fetch, until_end};
use super::support::server::{self, BINARY, Setup};
use super::support::until;
use std::process::Command;
use xiaozhi_image_builder::Image;

fn on_it(arguments: &[&str]) -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/old_kernel.py");
    let mut command = Command::new("python3");
    command.args([script, BINARY]).args(arguments);
    command
}

#[test]
#[cfg_attr(
    not(target_arch = "x86_64"),
    ignore = "the filter has the numbers of x86_64"
)]
fn a_device_updates_and_is_followed() {
    let setup = Setup::new().file(FILE, Image::new("1.7.0").build());
    let admin = "gateway:\n  admin: {listen: 0}\n";
    let server = setup.start_by(admin, &mut on_it(&[]));
    let device = "02:00:00:00:03:10";
    fetch(&server, device);
    assert_eq!(check_in(&server, device, "1.7.0"), None);
    until_end(&server, device, "succeeded");
    let tls = server.send("https", &server::check_in("esp32s3", "1.6.0"));
    assert_eq!(tls.status, 200);
    let dir = server.config_file().parent().unwrap().join("..");
    for arguments in [
        &["validate"][..],
        &[
            "publish",
            "data/bin/esp32s3_1.7.0.bin",
            "--model",
            "another",
        ],
        &["backup", "backup.tar"],
    ] {
        let done = on_it(arguments).current_dir(&dir).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {done:?}");
    }
    until("what is published to be offered", || {
        server.offered("another", "1.6.0")
    });
}
