//! Images whose signature is another than that of the model's earlier ones: a device whose
//! secure boot is on refuses them after the whole download, at every boot.

use super::folder::scan::inspect_file;
use super::name;
use super::snapshot::Entry;
use crate::event::{Event, event};
use std::fs;
use std::path::Path;
use xiaozhi_device::hex;
use xiaozhi_device::image::{AppImage, Signature, SigningChange, Verdict};
use xiaozhi_device::version::Version;

/// An image of a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelImage<'a> {
    /// The file's name.
    pub(crate) file: &'a str,
    /// The version that its name promises.
    pub(crate) version: &'a Version,
    /// Description inside the image.
    pub(crate) app: &'a AppImage,
}

impl<'a> ModelImage<'a> {
    /// Takes what a snapshot has, unless it is no image.
    pub(crate) fn of(entry: &'a Entry) -> Option<Self> {
        Some(Self {
            file: &entry.file,
            version: &entry.version,
            app: entry.app.as_deref()?,
        })
    }
}

/// Returns of each image of a model, by its file, what its signature lacks beside the highest
/// signed one below it.
pub(crate) fn changes<'a>(
    model: &str,
    mut images: Vec<ModelImage<'a>>,
) -> Vec<(&'a str, Option<Event>)> {
    // Of equal versions the first by name counts, which so comes last.
    images.sort_by(|a, b| a.version.cmp(b.version).then_with(|| b.file.cmp(a.file)));
    let mut signed: Vec<ModelImage<'_>> = Vec::new();
    let mut changes = Vec::with_capacity(images.len());
    for equals in images.chunk_by(|a, b| a.version == b.version) {
        changes.extend(equals.iter().map(|image| {
            let earlier = signed.iter().find(|other| is_earlier(**other, *image));
            let change = earlier.and_then(|earlier| change(model, *image, *earlier));
            (image.file, change)
        }));
        for image in equals.iter().filter(|image| image.app.signature.is_some()) {
            // One for each chip.
            signed.retain(|other| other.app.chip != image.app.chip);
            signed.push(*image);
        }
    }
    changes
}

/// Returns what an image's signature lacks beside that of an `earlier` one.
fn change(model: &str, image: ModelImage<'_>, earlier: ModelImage<'_>) -> Option<Event> {
    let keys = |app: &AppImage| {
        let digests: Vec<String> = app.key_digests.iter().map(|key| hex::encode(key)).collect();
        (!digests.is_empty()).then(|| digests.join(", "))
    };
    let (file, other) = (image.file, earlier.file);
    let scheme = match earlier.app.signature? {
        Signature::V1 => 1_u8,
        Signature::V2 => 2,
    };
    Some(match image.app.signing_change(earlier.app)? {
        SigningChange::Unsigned => {
            let before = keys(earlier.app);
            event!(
                FILE_UNSIGNED,
                file = file,
                model = model,
                other = other,
                before = before,
                scheme = scheme
            )
        }
        SigningChange::OtherKey => event!(
            FILE_OTHER_KEY,
            file = file,
            model = model,
            other = other,
            key = keys(image.app),
            before = keys(earlier.app),
            scheme = scheme,
        ),
    })
}

fn is_earlier(other: ModelImage<'_>, image: ModelImage<'_>) -> bool {
    other.app.signature.is_some()
        && other.app.chip == image.app.chip
        && other.version < image.version
}

/// Returns what is to be said of an image because of the other images that its model has in
/// a folder: that its signature differs from theirs, or that one is for other chips.
pub(crate) fn beside(dir: &Path, path: &Path, app: &AppImage) -> Vec<Event> {
    let file = path.file_name().and_then(|name| name.to_str());
    let Some((file, name)) = file.and_then(|file| Some((file, name::parse(file).ok()?))) else {
        return Vec::new();
    };
    let (model, version) = (name.model.as_str(), &name.version);
    let image = ModelImage { file, version, app };
    let change = change_in(dir, model, image);
    change
        .into_iter()
        .chain(twin_in(dir, model, image))
        .collect()
}

/// Holds an image against the earlier ones of a folder. What cannot be read is passed over.
fn change_in(dir: &Path, model: &str, image: ModelImage<'_>) -> Option<Event> {
    let mut earlier = images_of(dir, model);
    earlier.retain(|(file, version)| file != image.file && version < image.version);
    earlier.sort_by(|(_, a), (_, b)| b.cmp(a));
    earlier.into_iter().find_map(|(file, version)| {
        let app = app_of(&dir.join(&file))?;
        let (file, version) = (file.as_str(), &version);
        let other = ModelImage {
            file,
            version,
            app: &app,
        };
        is_earlier(other, image).then(|| change(model, image, other))
    })?
}

/// Returns another file of the folder with the same model and version, which is for other
/// chips, or for other revisions of this one.
fn twin_in(dir: &Path, model: &str, image: ModelImage<'_>) -> Option<Event> {
    let mut twins = images_of(dir, model);
    twins.retain(|(file, version)| file != image.file && version == image.version);
    twins.sort();
    twins.into_iter().find_map(|(file, version)| {
        let app = app_of(&dir.join(&file))?;
        let (file, version) = (file.as_str(), &version);
        twins_apart(
            image,
            ModelImage {
                file,
                version,
                app: &app,
            },
        )
    })
}

/// Returns what is said of two images of one model and version of which no chip runs both.
pub(crate) fn twins_apart(image: ModelImage<'_>, other: ModelImage<'_>) -> Option<Event> {
    image.app.shares_no_chip_with(other.app).then(|| {
        event!(
            FILE_TWIN_CHIPS,
            file = image.file,
            chips = chips(image.app),
            other = other.file,
            others = chips(other.app),
        )
    })
}

/// Names the chips that run an image: `esp32p4 >=v3.0`.
pub(crate) fn chips(app: &AppImage) -> String {
    match app.revisions() {
        Some(revisions) => format!("{} {revisions}", app.chip),
        None => app.chip.to_string(),
    }
}

fn images_of(dir: &Path, model: &str) -> Vec<(String, Version)> {
    let items = fs::read_dir(dir).into_iter().flatten().flatten();
    let named = items.filter_map(|item| {
        let file = item.file_name().into_string().ok()?;
        let name = name::parse(&file).ok()?;
        (!file.starts_with('.') && name.model == model).then_some((file, name.version))
    });
    named.collect()
}

fn app_of(path: &Path) -> Option<AppImage> {
    match inspect_file(path).ok()?.verdict {
        Verdict::App(app) => Some(*app),
        Verdict::Foreign(_) | Verdict::Rejected(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firmware::snapshot::tests::image_entry;
    use proptest::prelude::*;
    use std::sync::Arc;
    use xiaozhi_device::image;
    use xiaozhi_image_builder::{Image, signed};

    fn entry(file: &str, chip: u16, key: u8) -> Arc<Entry> {
        let image = Image {
            chip,
            ..Image::new("1.0")
        };
        let entry = image_entry(file, &image, 4096);
        let mut entry = Arc::into_inner(entry).unwrap();
        if key > 0
            && let Verdict::App(app) = image::inspect(&signed(&image.build(), &[key])).verdict
        {
            entry.app = Some(app);
        }
        Arc::new(entry)
    }

    proptest! {
        #[test]
        fn each_is_held_against_the_highest_signed_one_below_it(
            images in prop::collection::vec((0..4u8, 0..3u8, any::<bool>()), 0..8),
        ) {
            let entries: Vec<_> = images.iter().enumerate().map(|(at, (version, key, is_c3))| {
                entry(&format!("a_1.{version}.0-{at}.bin"), if *is_c3 { 5 } else { 9 }, *key)
            }).collect();
            let of = || entries.iter().filter_map(|entry| ModelImage::of(entry));
            let mut found = changes("a", of().collect());
            found.sort_by_key(|(file, _)| *file);
            let mut wanted: Vec<_> = of().map(|image| {
                let below = of().filter(|other| is_earlier(*other, image));
                let earlier = below.max_by(|a, b| {
                    a.version.cmp(b.version).then_with(|| b.file.cmp(a.file))
                });
                (image.file, earlier.and_then(|earlier| change("a", image, earlier)))
            }).collect();
            wanted.sort_by_key(|(file, _)| *file);
            prop_assert_eq!(found, wanted);
        }
    }
}
