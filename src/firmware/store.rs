//! The bytes of an image: from memory while it is hot, else from the file.
//!
//! A device that gets one wrong byte is a brick. So what is kept in memory was
//! hashed after it was read and is found by that hash, and what is streamed is
//! looked at again after every block: a file that is written to ends the
//! download, and the device keeps what it runs.

use super::folder::scan;
use super::snapshot::ServedFile;
use crate::event::tell;
use crate::util::file_state::FileState;
use crate::util::sync::lock;
use bytes::Bytes;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use tracing::debug;

/// Source of the bytes of one image.
#[derive(Debug, Clone)]
pub(crate) enum ImageContent {
    /// The whole image, verified.
    Memory(Bytes),
    /// A file to be read block by block.
    File(Arc<OpenImage>),
}

/// Keeps hot images in memory, and at most one open file for each image that is
/// streamed, however many devices fetch it.
#[derive(Debug)]
pub(crate) struct Store {
    budget: u64,
    state: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    /// Verified contents by their hash, with the time of the last use.
    memory: HashMap<[u8; 32], (Bytes, u64)>,
    used: u64,
    clock: u64,
    loading: bool,
    open: HashMap<[u8; 32], Weak<OpenImage>>,
}

impl Store {
    /// Keeps up to `budget` bytes of images in memory: `gateway.firmware.memory`.
    pub(crate) fn new(budget: u64) -> Self {
        Self {
            budget,
            state: Mutex::default(),
        }
    }

    /// Returns the number of bytes of images in memory.
    pub(crate) fn used(&self) -> u64 {
        self.state().used
    }

    /// The content of `entry` if it is in memory. Never waits for a disk.
    pub(crate) fn hot(&self, entry: &ServedFile) -> Option<ImageContent> {
        let mut state = self.state();
        state.clock += 1;
        let now = state.clock;
        let (bytes, used) = state.memory.get_mut(&entry.sha256)?;
        *used = now;
        Some(ImageContent::Memory(bytes.clone()))
    }

    /// Opens `entry`'s file, or shares the handle that another download has.
    /// Fails when the file is no longer in the state that was verified. Blocks
    /// on the disk: not for async threads.
    pub(crate) fn open(&self, entry: &ServedFile) -> io::Result<ImageContent> {
        let shared = self.state().open.get(&entry.sha256).and_then(Weak::upgrade);
        // The same content in another file is no reason to share a handle
        // whose own file may be going bad.
        if let Some(image) =
            shared.filter(|image| image.is_of(entry) && image.is_verified().is_ok())
        {
            return Ok(ImageContent::File(image));
        }
        let image = Arc::new(OpenImage::open(entry)?);
        let mut state = self.state();
        state.open.retain(|_, image| image.strong_count() > 0);
        state.open.insert(entry.sha256, Arc::downgrade(&image));
        Ok(ImageContent::File(image))
    }

    /// Tells whether somebody should call [`Store::load`] for `entry`. One image is loaded
    /// at a time: `true` goes to one caller, who must call it.
    pub(crate) fn should_load(&self, entry: &ServedFile) -> bool {
        let mut state = self.state();
        if state.loading || state.memory.contains_key(&entry.sha256) {
            return false;
        }
        // Room is made before a byte is read, so that the budget is a bound.
        state.loading = entry.size() <= self.budget && state.make_room(self.budget - entry.size());
        state.loading
    }

    /// Reads `entry` into memory. Blocks on the disk: not for async threads.
    pub(crate) fn load(&self, entry: &ServedFile) {
        let loaded = read_verified(entry);
        let mut state = self.state();
        state.loading = false;
        match loaded {
            Ok(bytes) => {
                state.clock += 1;
                let now = state.clock;
                state.used += entry.size();
                state.memory.insert(entry.sha256, (bytes, now));
                debug!(file = %entry.file, bytes = entry.size(), used = state.used, "image kept in memory");
            }
            Err(e) => {
                tell!(FILE_STREAMED, file = &entry.file, error = &e);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, Cache> {
        lock(&self.state)
    }
}

impl Cache {
    /// Drops what was unused for longest until no more than `allowed` is used.
    /// What a download still holds would not be freed, and so stays.
    fn make_room(&mut self, allowed: u64) -> bool {
        while self.used > allowed {
            let unused = self
                .memory
                .iter()
                .filter(|(_, (bytes, _))| bytes.is_unique());
            let Some(oldest) = unused
                .min_by_key(|(_, (_, used))| *used)
                .map(|(sum, _)| *sum)
            else {
                return false;
            };
            if let Some((bytes, _)) = self.memory.remove(&oldest) {
                self.used -= bytes.len() as u64;
            }
        }
        true
    }
}

fn read_verified(entry: &ServedFile) -> io::Result<Bytes> {
    let size = usize::try_from(entry.size()).map_err(io::Error::other)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(io::Error::other)?;
    // One byte more than promised would show a file that grew.
    scan::open(&entry.path)?
        .take(entry.size() + 1)
        .read_to_end(&mut bytes)?;
    if scan::hash_reader(&mut bytes.as_slice())? == entry.sha256 {
        Ok(bytes.into())
    } else {
        Err(changed())
    }
}

fn changed() -> io::Error {
    io::Error::other("the file changed after it was verified")
}

/// A firmware file that stays open while it is streamed: deleted or replaced,
/// it goes on giving the old content.
#[derive(Debug)]
pub(crate) struct OpenImage {
    file: File,
    sha256: [u8; 32],
    verified: Mutex<FileState>,
}

impl OpenImage {
    fn open(entry: &ServedFile) -> io::Result<Self> {
        let file = scan::open(&entry.path)?;
        let image = Self {
            file,
            sha256: entry.sha256,
            verified: Mutex::new(entry.identity),
        };
        // Either it is as it was, or that was proven just now.
        image.is_verified()?;
        Ok(image)
    }

    /// Reads exactly `length` bytes at `offset`, or fails if the file is not in
    /// the verified state afterwards. Blocks on the disk.
    pub(crate) fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let mut block = vec![0; length];
        // A deletion can come between two looks, but hardly three times.
        for _ in 0..3 {
            self.file.read_exact_at(&mut block, offset)?;
            // After the read: a write that came in between has moved the times.
            if self.is_verified()? {
                return Ok(block.into());
            }
        }
        Err(changed())
    }

    /// Tells whether the file is in the verified state. Where only the change time moved,
    /// it is hashed again, and this is `false` once: a block read before that proof is not
    /// covered by it.
    fn is_verified(&self) -> io::Result<bool> {
        let now = FileState::from(&self.file.metadata()?);
        let mut verified = self.verified();
        if now == *verified {
            return Ok(true);
        }
        if !now.same_but_for_change_time(&verified) {
            return Err(changed());
        }
        // Unlinked or renamed over, most likely, and the content is what it
        // was; but a write whose modification time was set back looks the same.
        let sum = scan::hash_reader(&mut At {
            file: &self.file,
            offset: 0,
        })?;
        if sum != self.sha256 || FileState::from(&self.file.metadata()?) != now {
            return Err(changed());
        }
        *verified = now;
        Ok(false)
    }

    fn is_of(&self, entry: &ServedFile) -> bool {
        self.verified().same_but_for_change_time(&entry.identity)
    }

    fn verified(&self) -> MutexGuard<'_, FileState> {
        lock(&self.verified)
    }
}

/// Reads from a position of its own; the handle's is shared.
struct At<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buffer, self.offset)?;
        self.offset += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn entry(dir: &Path, file: &str, content: &[u8]) -> ServedFile {
        let path = dir.join(file);
        fs::write(&path, content).unwrap();
        let identity = settled(dir, &path);
        let inspection = scan::inspect(&mut scan::open(&path).unwrap(), &identity).unwrap();
        ServedFile::new(path, file.into(), identity, inspection.sha256)
    }

    /// The state of a file once the file system's clock has moved on: what is
    /// written to it from then on shows.
    fn settled(dir: &Path, path: &Path) -> FileState {
        let identity = FileState::from(&fs::metadata(path).unwrap());
        loop {
            let later = dir.join("later");
            fs::write(&later, "").unwrap();
            if FileState::from(&fs::metadata(&later).unwrap()).changed > identity.changed {
                return identity;
            }
        }
    }

    fn streamed(store: &Store, e: &ServedFile) -> Arc<OpenImage> {
        match store.open(e).unwrap() {
            ImageContent::File(f) => f,
            ImageContent::Memory(_) => panic!("open() never gives memory"),
        }
    }

    #[test]
    fn the_least_recently_used_image_makes_room() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(100);
        let entries: Vec<_> = (0..3u8)
            .map(|i| entry(dir.path(), &format!("a_{i}.bin"), &[i; 40]))
            .collect();
        for e in &entries[..2] {
            assert!(store.should_load(e) && !store.should_load(e));
            store.load(e);
        }
        assert!(store.hot(&entries[0]).is_some());
        assert!(store.should_load(&entries[2]));
        store.load(&entries[2]);
        assert!(store.hot(&entries[0]).is_some() && store.hot(&entries[1]).is_none());
        assert_eq!(store.state().used, 80);
        // What a download holds is not dropped, for it would not be freed.
        let held = [store.hot(&entries[0]), store.hot(&entries[2])];
        assert!(!store.should_load(&entries[1]));
        drop(held);
        assert!(store.should_load(&entries[1]));
        let big = entry(dir.path(), "b_1.bin", &[9; 101]);
        assert!(!store.should_load(&big));
    }

    #[test]
    fn a_file_that_changed_is_neither_loaded_nor_opened() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(100);
        let e = entry(dir.path(), "a_1.bin", b"old content");
        fs::write(&e.path, b"new content").unwrap();
        assert!(store.should_load(&e));
        store.load(&e);
        assert!(store.hot(&e).is_none() && store.open(&e).is_err());
    }

    #[test]
    fn what_was_begun_is_finished_from_the_old_content_or_fails() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(0);
        let e = entry(dir.path(), "a_1.bin", b"0123456789");
        let image = streamed(&store, &e);
        assert!(Arc::ptr_eq(&image, &streamed(&store, &e)));
        assert_eq!(image.read(0, 5).unwrap(), "01234");
        // Renamed over, then even deleted: the old content goes on.
        fs::write(dir.path().join("new"), b"abcdefghij").unwrap();
        fs::rename(dir.path().join("new"), &e.path).unwrap();
        assert_eq!(image.read(5, 5).unwrap(), "56789");
        fs::remove_file(&e.path).unwrap();
        assert_eq!(image.read(5, 5).unwrap(), "56789");

        // Written to in place, or cut: no byte more.
        let e = entry(dir.path(), "a_2.bin", b"9876543210");
        let image = streamed(&store, &e);
        fs::OpenOptions::new()
            .write(true)
            .open(&e.path)
            .unwrap()
            .write_all_at(b"x", 9)
            .unwrap();
        assert!(image.read(0, 5).is_err());
        let e = entry(dir.path(), "a_3.bin", b"5555555555");
        let image = streamed(&store, &e);
        fs::OpenOptions::new()
            .write(true)
            .open(&e.path)
            .unwrap()
            .set_len(7)
            .unwrap();
        assert!(image.read(5, 5).is_err());
    }

    #[test]
    fn a_modification_time_that_is_set_back_hides_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(0);
        let e = entry(dir.path(), "a_1.bin", b"0123456789");
        let image = streamed(&store, &e);
        let file = fs::OpenOptions::new().write(true).open(&e.path).unwrap();
        let before = file.metadata().unwrap().modified().unwrap();
        file.write_all_at(b"x", 9).unwrap();
        file.set_times(fs::FileTimes::new().set_modified(before))
            .unwrap();
        assert!(image.read(0, 5).is_err());
    }
}
