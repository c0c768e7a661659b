//! Names of release notes: `{model}_{version}.md`.

use super::ImageName;

/// End of the name of notes.
pub(in crate::firmware) const END: &str = ".md";

/// Returns the image's name, as it were, to which notes of this name belong.
pub(in crate::firmware) fn image_of(file: &str) -> Option<ImageName> {
    let stem = file.strip_suffix(END)?;
    super::parse(&format!("{stem}.bin")).ok()
}
