//! What the page on images shows.

use super::super::support::server::Setup;
use std::fs;
use xiaozhi_image_builder::zip::Zip;
use xiaozhi_image_builder::{Flash, Image, merged};

/// A folder, and what is run in it.
pub(super) fn scene(name: &str) -> (Setup, &'static str) {
    let setup = Setup::new();
    let write = |file: &str, content: &[u8]| {
        let path = setup.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let shown = match name {
        "inspect" => {
            write("data/bin/esp32s3_1.6.6.bin", &of_real_size("1.6.6"));
            write("merged-binary.bin", &merged(&Image::new("1.6.6"), 0));
            "inspect data/bin/esp32s3_1.6.6.bin merged-binary.bin"
        }
        "publish" => {
            write("build/xiaozhi.bin", &of_real_size("1.6.6"));
            "publish build/xiaozhi.bin --model esp32s3"
        }
        _ => {
            let full = Flash::v2_16mb().build(&[("ota_0", &of_real_size("2.1.0"))]);
            let packed = Zip::new().file("merged-binary.bin", &full).bytes();
            write("v2.1.0_bread-compact-wifi.zip", &packed);
            "publish v2.1.0_bread-compact-wifi.zip --dry-run"
        }
    };
    (setup, shown)
}

/// An image of a megabyte and more, for what is said of lengths.
fn of_real_size(version: &str) -> Vec<u8> {
    let mut image = Image::new(version);
    image.payload = image.payload.repeat(8192);
    image.build()
}
