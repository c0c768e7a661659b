//! Text in which the store keeps what many devices share: JSON, so that people and other
//! programs read it, too. Its names are not those of the types in memory, which may change.

use crate::fleet::about::{Build, KeptPartition, Profile};
use crate::fleet::outcome::{Content, OfferedImage};
use serde::{Deserialize, Serialize};
use xiaozhi_device::hex;

/// Label, type, subtype and size of a partition.
type SaidPartition<T> = (T, Option<u64>, Option<u64>, Option<u64>);

#[derive(Serialize, Deserialize)]
struct SaidProfile<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model_header: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    board_name: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    board_type: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<T>,
    #[serde(default)]
    has_board: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    chip_name: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chip_model: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chip_revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flash_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partitions: Option<Vec<SaidPartition<T>>>,
}

#[derive(Serialize, Deserialize)]
struct SaidBuild<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version_header: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idf: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elf_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<T>,
}

#[derive(Serialize, Deserialize)]
struct SaidImage<T> {
    file: T,
    version: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    inside: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elf_sha256: Option<String>,
    sha256_begin: String,
}

/// A value that rows name by its number.
pub(super) trait Said: Sized + Default {
    /// Table that holds it.
    const TABLE: Table;

    /// Writes it.
    fn write(&self) -> String;

    /// Reads it. `None` where the text is none of ours.
    fn read(text: &str) -> Option<Self>;
}

/// Table of values that rows name by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Table {
    Profile,
    Build,
    Image,
}

impl Table {
    pub(super) const ALL: [Self; 3] = [Self::Profile, Self::Build, Self::Image];

    /// Picks what is meant for this table.
    pub(super) fn pick<T>(self, [profile, build, image]: [T; 3]) -> T {
        match self {
            Self::Profile => profile,
            Self::Build => build,
            Self::Image => image,
        }
    }
}

fn written(value: &impl Serialize) -> String {
    // Nothing of it can fail: there are no maps, and no numbers but whole ones.
    serde_json::to_string(value).unwrap_or_default()
}

fn hash(text: Option<&str>) -> Option<[u8; 32]> {
    hex::decode(text?)
}

impl Said for Profile {
    const TABLE: Table = Table::Profile;

    fn write(&self) -> String {
        let partitions = self.partitions.as_deref().map(|table| {
            let line = |line: &KeptPartition| (line.kind, line.subtype, line.size);
            let lines = table.iter().map(|own| (&*own.label, line(own)));
            lines.map(|(label, (a, b, c))| (label, a, b, c)).collect()
        });
        written(&SaidProfile {
            model_header: self.model_header.as_deref(),
            board_name: self.board_name.as_deref(),
            board_type: self.board_type.as_deref(),
            model: self.model.as_deref(),
            has_board: self.has_board,
            chip_name: self.chip_name.as_deref(),
            chip_model: self.chip_model,
            chip_revision: self.chip_revision,
            flash_size: self.flash_size,
            partitions,
        })
    }

    fn read(text: &str) -> Option<Self> {
        let said: SaidProfile<Box<str>> = serde_json::from_str(text).ok()?;
        let line = |(label, kind, subtype, size)| KeptPartition {
            label,
            kind,
            subtype,
            size,
        };
        let partitions = said.partitions;
        Some(Self {
            model_header: said.model_header,
            board_name: said.board_name,
            board_type: said.board_type,
            model: said.model,
            has_board: said.has_board,
            chip_name: said.chip_name,
            chip_model: said.chip_model,
            chip_revision: said.chip_revision,
            flash_size: said.flash_size,
            partitions: partitions.map(|table| table.into_iter().map(line).collect()),
        })
    }
}

impl Said for Build {
    const TABLE: Table = Table::Build;

    fn write(&self) -> String {
        written(&SaidBuild {
            version_header: self.version_header.as_deref(),
            version: self.reported.as_deref(),
            project: self.project.as_deref(),
            idf: self.idf_version.as_deref(),
            elf_sha256: self.elf_sha256.map(|hash| hex::encode(&hash)),
            slot: self.slot.as_deref(),
        })
    }

    fn read(text: &str) -> Option<Self> {
        let said: SaidBuild<Box<str>> = serde_json::from_str(text).ok()?;
        Some(Self {
            version_header: said.version_header,
            reported: said.version,
            project: said.project,
            idf_version: said.idf,
            elf_sha256: hash(said.elf_sha256.as_deref()),
            slot: said.slot,
        })
    }
}

impl Said for OfferedImage {
    const TABLE: Table = Table::Image;

    fn write(&self) -> String {
        written(&SaidImage {
            file: &*self.file,
            version: &*self.version,
            inside: self.inside.as_deref(),
            elf_sha256: self.elf_sha256.map(|hash| hex::encode(&hash)),
            sha256_begin: hex::encode(&self.content.0),
        })
    }

    fn read(text: &str) -> Option<Self> {
        let said: SaidImage<Box<str>> = serde_json::from_str(text).ok()?;
        Some(Self {
            file: said.file,
            version: said.version,
            inside: said.inside,
            elf_sha256: hash(said.elf_sha256.as_deref()),
            content: Content(hex::decode(&said.sha256_begin)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written once is read for ever: a name that changes needs a migration.
    #[test]
    fn the_texts_are_those_of_version_1() {
        let profile = r#"{"model_header":"m","board_name":"bn","board_type":"bt","model":"o","has_board":true,"chip_name":"ESP32-S3","chip_model":9,"chip_revision":2,"flash_size":16777216,"partitions":[["nvs",1,2,16384],["x",null,null,null]]}"#;
        let build = format!(
            r#"{{"version_header":"1.0.0","version":"1.0.1","project":"xiaozhi","idf":"v5.4","elf_sha256":"{}","slot":"ota_0"}}"#,
            "ab".repeat(32)
        );
        let image = format!(
            r#"{{"file":"m_1.0.0.bin","version":"1.0.0","inside":"1.0.0","elf_sha256":"{}","sha256_begin":"{}"}}"#,
            "cd".repeat(32),
            "ef".repeat(16)
        );
        assert_eq!(Profile::read(profile).unwrap().write(), profile);
        assert_eq!(Build::read(&build).unwrap().write(), build);
        assert_eq!(OfferedImage::read(&image).unwrap().write(), image);
        assert_eq!(Profile::read("{}").unwrap(), Profile::default());
        assert_eq!(Build::read("{}").unwrap(), Build::default());
        for text in ["", "[]", "\u{0}"] {
            assert!(Profile::read(text).is_none(), "{text}");
            assert!(Build::read(text).is_none(), "{text}");
            assert!(OfferedImage::read(text).is_none(), "{text}");
        }
        // A field of another type is not passed over.
        assert!(Profile::read(r#"{"board_name":1}"#).is_none());
        assert!(Build::read(r#"{"version":1}"#).is_none());
        let file = image.replace(r#""m_1.0.0.bin""#, "1");
        assert!(file != image && OfferedImage::read(&file).is_none());
    }
}
