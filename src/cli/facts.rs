//! Facts that an app image states of itself, as `inspect` shows them.

use serde::Serialize;
use xiaozhi_device::hex::encode;
use xiaozhi_device::image::{AppImage, Signature};

/// Description of an app image, from its own fields.
#[derive(Serialize)]
pub(super) struct Facts {
    project: String,
    version: String,
    idf_version: String,
    built: String,
    /// Name, or id where no name is known.
    chip: String,
    chip_id: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_revision: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_revision: Option<u16>,
    /// Length without padding and signature, in bytes.
    length: u64,
    hash_appended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'static str>,
    /// Digests of the keys that signed it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    key_digests: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elf_sha256: Option<String>,
    secure_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_efuse_block: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_efuse_block: Option<u16>,
    /// OTA addresses in its data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ota_addresses: Vec<String>,
}

impl From<&AppImage> for Facts {
    fn from(app: &AppImage) -> Self {
        Self {
            project: app.project.clone(),
            version: app.version.clone(),
            idf_version: app.idf_version.clone(),
            built: app.built.clone(),
            chip: app.chip.to_string(),
            chip_id: app.chip.0,
            min_revision: app.min_revision,
            max_revision: app.max_revision,
            length: app.length,
            hash_appended: app.hash_appended,
            signature: app.signature.map(|signature| match signature {
                Signature::V1 => "secure boot v1",
                Signature::V2 => "secure boot v2",
            }),
            key_digests: app.key_digests.iter().map(|key| encode(key)).collect(),
            elf_sha256: app.elf_sha256.map(|sum| encode(&sum)),
            secure_version: app.secure_version,
            min_efuse_block: app.min_efuse_block,
            max_efuse_block: app.max_efuse_block,
            ota_addresses: app.homes.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Facts {
    /// Lists what a reader wants to know, each with its name.
    pub(super) fn in_words(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![
            ("project", self.project.clone()),
            ("version", shown_version(&self.version).to_owned()),
            (
                "built",
                format!("{} with ESP-IDF {}", self.built, self.idf_version),
            ),
            (
                "chip",
                format!(
                    "{}{}",
                    self.chip,
                    range("revision", self.min_revision, self.max_revision)
                ),
            ),
        ];
        let blocks = range("eFuse block", self.min_efuse_block, self.max_efuse_block);
        if !blocks.is_empty() {
            lines.push(("needs", blocks.trim_start_matches(", ").to_owned()));
        }
        if self.secure_version > 0 {
            lines.push((
                "rollback",
                format!("secure version {}", self.secure_version),
            ));
        }
        if let Some(elf) = &self.elf_sha256 {
            lines.push(("ELF SHA-256", elf.clone()));
        }
        let hash = if self.hash_appended {
            "SHA-256 appended and right"
        } else {
            "no SHA-256 appended"
        };
        let signature = self
            .signature
            .map_or_else(|| "not signed".to_owned(), |s| format!("signed for {s}"));
        lines.push((
            "image",
            format!("{} bytes, {hash}, {signature}", self.length),
        ));
        let keys = self.key_digests.iter().cloned();
        lines.extend(keys.map(|key| ("key digest", key)));
        let homes = self.ota_addresses.iter().cloned();
        lines.extend(homes.map(|home| ("OTA address", home)));
        lines
    }
}

/// Returns the version inside an image as a table has it: it can be empty.
fn shown_version(version: &str) -> &str {
    if version.trim().is_empty() {
        "(empty)"
    } else {
        version
    }
}

/// Writes a range of revisions, with a comma in front; nothing where none is set.
pub(super) fn range(what: &str, min: Option<u16>, max: Option<u16>) -> String {
    let shown = |revision: u16| format!("v{}.{}", revision / 100, revision % 100);
    match (min, max) {
        (None, None) => String::new(),
        (Some(min), None) => format!(", {what} {} and later", shown(min)),
        (None, Some(max)) => format!(", {what} up to {}", shown(max)),
        (Some(min), Some(max)) => format!(", {what} {} to {}", shown(min), shown(max)),
    }
}
