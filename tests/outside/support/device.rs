//! A device that checks in, installs and restarts.

use super::server::{post, request};
use super::{Reply, Server};
use serde_json::json;
use xiaozhi_image_builder::hex;

const CHECK_IN: &str = "/xiaozhi/ota/";

/// A device that behaves as the firmware does (`main/ota.cc`).
pub(crate) struct Device {
    pub(crate) model: &'static str,
    pub(crate) version: String,
    pub(crate) elf: Option<String>,
    /// What else it reports.
    pub(crate) more: serde_json::Value,
    pub(crate) installed: Vec<String>,
}

impl Device {
    pub(crate) fn new(version: &str) -> Self {
        Self {
            model: "a",
            version: version.to_owned(),
            elf: Some("ee".repeat(32)),
            more: json!({"chip_model_name": "esp32s3"}),
            installed: Vec::new(),
        }
    }

    pub(crate) fn check_in(&self, server: &Server) -> Reply {
        let mut body = json!({
            "application": {"name": "xiaozhi", "version": self.version, "idf_version": "v5.4.1"},
            "board": {"type": self.model},
        });
        if let Some(elf) = &self.elf {
            body["application"]["elf_sha256"] = json!(elf);
        }
        for (key, value) in self.more.as_object().unwrap() {
            body[key] = value.clone();
        }
        let reply = server.send("http", &post(CHECK_IN, body.to_string().as_bytes()));
        assert_eq!(reply.status, 200);
        reply.hold_to_contract("a check-in");
        reply
    }

    /// The file that it is offered.
    pub(crate) fn offered(&self, server: &Server) -> Option<String> {
        let json = self.check_in(server).json();
        let url = json["firmware"]["url"].as_str()?;
        let file = url.rsplit('/').next().unwrap();
        (!file.is_empty()).then(|| file.to_owned())
    }

    /// One boot: a check, and an update if there is one for it.
    pub(crate) fn boot(&mut self, server: &Server) {
        let json = self.check_in(server).json();
        let firmware = &json["firmware"];
        let (offered, url) = (
            firmware["version"].as_str().unwrap(),
            firmware["url"].as_str().unwrap(),
        );
        let force = firmware.get("force").is_some_and(|f| f == 1);
        if url.is_empty() || !(force || is_newer(&self.version, offered)) {
            return;
        }
        let path = url.splitn(4, '/').nth(3).unwrap();
        let image = server.send("http", &request("GET", &format!("/{path}"), &[], b""));
        assert_eq!(image.status, 200);
        self.install(&image.body);
        self.installed
            .push(url.rsplit('/').next().unwrap().to_owned());
    }

    /// Boots what it got: version and hash are now those inside.
    pub(crate) fn install(&mut self, image: &[u8]) {
        assert_eq!(image[0], 0xE9, "the device would show: upgrade failed");
        let text = image[0x30..0x50].split(|b| *b == 0).next().unwrap();
        let inside = String::from_utf8(text.to_vec()).unwrap();
        assert!(
            self.version.starts_with('2') || inside != self.version,
            "the device would say: Firmware version is the same, and restart"
        );
        self.version = inside;
        if let Some(elf) = &mut self.elf {
            *elf = hex(&image[0xB0..0xD0]);
        }
    }

    /// Twenty boots; what was installed.
    pub(crate) fn live(mut self, server: &Server) -> Vec<String> {
        for _ in 0..20 {
            self.boot(server);
        }
        self.installed
    }
}

/// `IsNewVersionAvailable`, as the firmware writes it.
fn is_newer(own: &str, offered: &str) -> bool {
    let parts = |version: &str| -> Vec<u32> {
        let leading = |part: &str| {
            let end = part
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(part.len());
            part[..end].parse().unwrap()
        };
        version.split('.').map(leading).collect()
    };
    parts(offered) > parts(own)
}
