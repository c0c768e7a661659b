//! Images that can be offered and fetched at one moment. A snapshot never changes; the
//! catalogue swaps in a new one.

mod changed;

use super::name::near::{NameIndex, NearFile};
use super::name::{self, ImageName, model_key};
use crate::event::{Event, kinds};
use crate::util::file_state::FileState;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use xiaozhi_device::guards::Candidate;
use xiaozhi_device::hex;
use xiaozhi_device::image::{AppImage, Inspection, Verdict};
use xiaozhi_device::version::Version;

/// All but the unreserved characters of RFC 3986, section 2.3, is encoded: the
/// device's URL parser knows no others.
const URL_NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One file that can be fetched.
#[derive(Debug)]
pub struct ServedFile {
    /// The file's name, without a folder.
    pub file: String,
    /// Path of the file. Only the scan makes it; no URL ever does.
    pub path: PathBuf,
    /// The state of the file when it was read.
    pub identity: FileState,
    /// SHA-256 of the whole file.
    pub sha256: [u8; 32],
    /// The name as it stands in a URL.
    pub url_name: String,
    /// The strong entity tag, in quotes: the hash in hexadecimal.
    pub etag: String,
    /// The modification time as an HTTP date.
    pub last_modified: String,
}

impl ServedFile {
    /// Takes a file that was read whole, with the SHA-256 of what was read.
    pub fn new(path: PathBuf, file: String, identity: FileState, sha256: [u8; 32]) -> Self {
        // httpdate knows the years 1970 to 9999 only, and panics elsewhere.
        let seconds = u64::try_from(identity.modified.0)
            .unwrap_or(0)
            .min(253_402_300_799);
        Self {
            url_name: utf8_percent_encode(&file, URL_NAME).to_string(),
            etag: format!("\"{}\"", hex::encode(&sha256)),
            last_modified: httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds)),
            path,
            file,
            identity,
            sha256,
        }
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.identity.size
    }
}

/// One image that can be offered.
#[derive(Debug)]
pub struct Entry {
    /// The file that it is.
    pub served: Arc<ServedFile>,
    /// The model that the name gives.
    pub model: String,
    /// The version that the name promises.
    pub version: Version,
    /// Description inside the image; `None` for a file that is no ESP image.
    pub app: Option<Box<AppImage>>,
}

impl Deref for Entry {
    type Target = ServedFile;

    fn deref(&self) -> &ServedFile {
        &self.served
    }
}

impl Entry {
    /// Makes the entry of a file that was read whole.
    pub fn new(
        path: PathBuf,
        file: String,
        name: ImageName,
        identity: FileState,
        inspection: Inspection,
    ) -> Self {
        let Inspection {
            sha256, verdict, ..
        } = inspection;
        Self {
            served: Arc::new(ServedFile::new(path, file, identity, sha256)),
            model: name.model,
            version: name.version,
            app: match verdict {
                Verdict::App(app) => Some(app),
                Verdict::Foreign(_) | Verdict::Rejected(_) => None,
            },
        }
    }

    /// Returns what is held against a device.
    pub(crate) fn candidate(&self) -> Candidate<'_> {
        Candidate {
            app: self.app.as_deref(),
            version: &self.version,
            size: self.size(),
        }
    }
}

/// Everything that can be offered, by model and by file name. The empty default
/// is that of a folder that nobody has looked at yet.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The models of all files in the folder, usable or not; `None` before the
    /// first look.
    models: Option<HashSet<String>>,
    by_model: HashMap<String, Vec<Arc<Entry>>>,
    by_file: HashMap<String, Arc<ServedFile>>,
    /// Whole files of which nobody knows yet what they are. Some have no model.
    unread: HashMap<String, Option<ImageName>>,
    /// Reason why a file that lies there is not used.
    unused: HashMap<String, Event>,
    /// The same files by the model in their names, highest version first.
    unused_of: HashMap<String, Vec<(Version, String)>>,
    /// The names of all files, for models that have none.
    names: Arc<NameIndex>,
    /// Warnings that hold of the files.
    warnings: Vec<Event>,
}

/// File that is not used, and the reason.
#[derive(Debug, Clone, Copy)]
pub struct UnusedFile<'a> {
    /// Its name.
    pub file: &'a str,
    /// The reason.
    pub why: &'a Event,
}

/// Numbers of the files in the folder, by what is made of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verdicts {
    /// Files that are offered.
    pub ready: usize,
    /// Files that can be fetched, and are offered to no device.
    pub served: usize,
    /// Files that are not used, for their names or for what is in them.
    pub refused: usize,
    /// Files that somebody is writing.
    pub waiting: usize,
    /// Files that are whole and not read yet.
    pub unread: usize,
}

impl Snapshot {
    /// Sorts the entries in: highest version first, equal ones by file name, so
    /// that the same folder always gives the same offers.
    pub fn new(entries: impl IntoIterator<Item = Arc<Entry>>, models: HashSet<String>) -> Self {
        let mut snapshot = Self {
            models: Some(models),
            ..Self::default()
        };
        for entry in entries {
            snapshot
                .by_model
                .entry(entry.model.clone())
                .or_default()
                .push(Arc::clone(&entry));
            let served = Arc::clone(&entry.served);
            snapshot.by_file.insert(served.file.clone(), served);
        }
        for entries in snapshot.by_model.values_mut() {
            entries.sort_by(|a, b| b.version.cmp(&a.version).then_with(|| a.file.cmp(&b.file)));
        }
        snapshot
    }

    /// Adds files that can be fetched, and are offered to nobody.
    #[must_use]
    pub(crate) fn with_served(mut self, files: impl IntoIterator<Item = Arc<ServedFile>>) -> Self {
        let files = files.into_iter().map(|file| (file.file.clone(), file));
        self.by_file.extend(files);
        self
    }

    /// Adds the files, by name, that are whole and not read yet.
    #[must_use]
    pub(crate) fn with_unread(
        mut self,
        files: impl IntoIterator<Item = (String, Option<ImageName>)>,
    ) -> Self {
        self.unread = files.into_iter().collect();
        self
    }

    /// Adds the files that lie there and are not used, by name, with the reason.
    #[must_use]
    pub(crate) fn with_unused(mut self, files: impl IntoIterator<Item = (String, Event)>) -> Self {
        self.unused = files.into_iter().collect();
        for file in self.unused.keys() {
            if let Ok(ImageName { model, version }) = name::parse(file) {
                let of_model = self.unused_of.entry(model).or_default();
                of_model.push((version, file.clone()));
            }
        }
        for files in self.unused_of.values_mut() {
            files.sort_by(|(a, file), (b, other)| b.cmp(a).then_with(|| file.cmp(other)));
        }
        self
    }

    /// Adds the names of all files that lie there, whatever they are.
    #[must_use]
    pub(crate) fn with_names(mut self, names: Arc<NameIndex>) -> Self {
        self.names = names;
        self
    }

    /// Adds the warnings that hold of the files.
    #[must_use]
    pub(crate) fn with_warnings(mut self, warnings: Vec<Event>) -> Self {
        self.warnings = warnings;
        self
    }

    /// Returns the warnings that hold of the files, as the log has them: some of each kind, and
    /// how many more there are.
    pub(crate) fn warnings(&self) -> &[Event] {
        &self.warnings
    }

    /// Returns the names of all files, ready to be compared.
    pub(crate) fn names(&self) -> &NameIndex {
        &self.names
    }

    /// The images of a model, highest version first.
    pub(crate) fn model(&self, model: &str) -> &[Arc<Entry>] {
        let entries = self.by_model.get(&*model_key(model));
        entries.map_or(&[], Vec::as_slice)
    }

    /// Returns the file whose name is nearest to one of these models, none of which has
    /// a file; `others` are further names of the device.
    pub(crate) fn near(&self, models: &[&str], others: &[&str]) -> Option<NearFile> {
        self.names.nearest(models, others)
    }

    /// Returns the file whose name is nearest to one that cannot be fetched, and the file
    /// itself where it can be: such a one is nearer than others.
    pub(crate) fn near_file(&self, asked: &str) -> Option<(&str, Option<&ServedFile>)> {
        let served = |file: &str| self.file(file).is_some();
        let near = self.names.nearest_file(asked, served);
        let near = near.or_else(|| self.names.nearest_file(asked, |_| true))?;
        Some((near, self.file(near).map(|file| &**file)))
    }

    /// Returns why a file is not used that lies there.
    pub(crate) fn unused(&self, file: &str) -> Option<&Event> {
        self.unused.get(file)
    }

    /// Returns the highest file for `model` that is not used, in a version that is `wanted`.
    pub(crate) fn unused_of(
        &self,
        model: &str,
        wanted: impl Fn(&Version) -> bool,
    ) -> Option<UnusedFile<'_>> {
        let mut files = self.unused_of.get(&*model_key(model))?.iter();
        let (_, file) = files.find(|(version, _)| wanted(version))?;
        let why = self.unused.get(file)?;
        Some(UnusedFile { file, why })
    }

    /// The file of that name.
    pub(crate) fn file(&self, file: &str) -> Option<&Arc<ServedFile>> {
        self.by_file.get(file)
    }

    /// Tells whether the folder has a file for `model`, even one that cannot be offered
    /// now. Before the first look every model may have one.
    pub(crate) fn may_have(&self, model: &str) -> bool {
        self.models
            .as_ref()
            .is_none_or(|models| models.contains(&*model_key(model)))
    }

    /// Returns whether a file may still turn out to be an image for `model` in a version that
    /// is `wanted`: one that is not read yet. Before the first look any may.
    pub(crate) fn may_yet_have(&self, model: &str, wanted: impl Fn(&Version) -> bool) -> bool {
        let model = model_key(model);
        let fits = |name: &ImageName| name.model == model && wanted(&name.version);
        self.models.is_none() || self.unread.values().flatten().any(fits)
    }

    /// Returns whether the file of that name is there, and not read yet.
    pub(crate) fn is_unread(&self, file: &str) -> bool {
        self.unread.contains_key(file)
    }

    /// Returns every image that can be offered, in no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.by_model.values().flatten()
    }

    /// Returns every file that can be fetched, offered or not, in no order.
    pub(crate) fn served(&self) -> impl Iterator<Item = &Arc<ServedFile>> {
        self.by_file.values()
    }

    /// Returns the names of the files that are not read yet, in no order.
    pub(crate) fn unread(&self) -> impl Iterator<Item = &str> {
        self.unread.keys().map(String::as_str)
    }

    /// Returns the files that are not used, each with the reason, in no order.
    pub(crate) fn all_unused(&self) -> impl Iterator<Item = UnusedFile<'_>> {
        let unused = self.unused.iter();
        unused.map(|(file, why)| UnusedFile { file, why })
    }

    /// Returns the number of images that can be offered.
    pub(crate) fn len(&self) -> usize {
        self.by_model.values().map(Vec::len).sum()
    }

    /// Counts the files by what is made of each.
    pub fn verdicts(&self) -> Verdicts {
        let is_waiting = |why: &&Event| why.kind.id == kinds::FILE_WAITING.id;
        let waiting = self.unused.values().filter(is_waiting).count();
        Verdicts {
            ready: self.len(),
            served: self.by_file.len() - self.len(),
            refused: self.unused.len() - waiting,
            waiting,
            unread: self.unread.len(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::event::event;
    use xiaozhi_device::image;
    use xiaozhi_image_builder::Image;

    /// An entry as the scan would make it of a file that is no image, for tests
    /// of what stands above.
    pub(crate) fn entry(file: &str) -> Arc<Entry> {
        entry_with(file, 26, image::inspect(b"firmware"))
    }

    /// An entry of a real image, padded to `size` bytes.
    pub(crate) fn image_entry(file: &str, image: &Image, size: u64) -> Arc<Entry> {
        entry_with(file, size, image::inspect(&image.build()))
    }

    fn entry_with(file: &str, size: u64, inspection: Inspection) -> Arc<Entry> {
        let identity = FileState {
            inode: (1, 1),
            size,
            modified: (1_700_000_000, 0),
            changed: (1_700_000_000, 0),
        };
        Arc::new(Entry::new(
            PathBuf::from("data/bin").join(file),
            file.into(),
            name::parse(file).unwrap(),
            identity,
            inspection,
        ))
    }

    pub(crate) fn snapshot(files: &[&str]) -> Snapshot {
        let models = files
            .iter()
            .map(|f| name::parse(f).unwrap().model)
            .collect();
        Snapshot::new(files.iter().map(|f| entry(f)), models)
    }

    /// The names of files, ready to be compared.
    pub(crate) fn names(files: &[&str]) -> Arc<NameIndex> {
        Arc::new(NameIndex::new(files.iter().copied()))
    }

    #[test]
    fn files_are_counted_by_what_is_made_of_each() {
        assert_eq!(Snapshot::default().verdicts(), Verdicts::default());
        let unused = [
            ("b_1.0.bin", event!(FILE_WAITING, file = "b_1.0.bin")),
            ("c_1.0.bin", event!(FILE_WAITING, file = "c_1.0.bin")),
            ("d.txt", event!(IMAGE_CHANGED)),
        ];
        let snapshot = snapshot(&["a_1.0.bin", "a_2.0.bin", "e_1.0.bin"])
            .with_served([Arc::clone(&entry("assets_1.0.bin").served)])
            .with_unread([("f_1.0.bin".to_owned(), None)])
            .with_unused(unused.map(|(file, why)| (file.to_owned(), why)));
        let expected = Verdicts {
            ready: 3,
            served: 1,
            refused: 1,
            waiting: 2,
            unread: 1,
        };
        assert_eq!(snapshot.verdicts(), expected);
    }

    #[test]
    fn highest_first_and_names_encoded() {
        let s = snapshot(&[
            "a_1.9.bin",
            "a_1.10.bin",
            "a_1.10-rc1.bin",
            "b_1.0.bin",
            "小 b+_1.0.bin",
        ]);
        let versions: Vec<_> = s.model("a").iter().map(|e| e.version.as_str()).collect();
        assert_eq!(versions, ["1.10", "1.10-rc1", "1.9"]);
        assert!(s.model("c").is_empty());
        assert_eq!(s.model("b").first().map(|e| &*e.file), Some("b_1.0.bin"));
        let odd = s.file("小 b+_1.0.bin").map(|e| e.url_name.as_str());
        assert_eq!(odd, Some("%E5%B0%8F%20b%2B_1.0.bin"));
        assert_eq!(
            entry("a_1.bin").last_modified,
            "Tue, 14 Nov 2023 22:13:20 GMT"
        );
    }

    #[test]
    fn a_modification_time_outside_of_http_dates_is_clamped() {
        let mut identity = entry("a_1.bin").identity;
        for (seconds, date) in [
            (-5, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (i64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            identity.modified.0 = seconds;
            let e = ServedFile::new(PathBuf::new(), "a_1.bin".into(), identity, [0; 32]);
            assert_eq!(e.last_modified, date);
        }
    }
}
