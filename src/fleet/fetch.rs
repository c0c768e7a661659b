//! Fetches: downloads that a token ties to an offer.

use super::Fleet;
use crate::firmware::snapshot::ServedFile;
use std::sync::Arc;
use std::time::SystemTime;

/// Fetch of an offered file, which has one end.
#[derive(Debug)]
pub struct Fetch(());

impl Fetch {
    /// Takes that the device has the whole file.
    pub fn whole(&self) {
        let Self(()) = self;
    }

    /// Takes that the device may lack a part of it.
    pub fn cut(&self) {
        let Self(()) = self;
    }
}

impl Fleet {
    /// Begins the fetch of `file` that `token`, from the URL, ties to an offer. Returns `None`
    /// where it is no token of ours, or not of this file: then nothing counts.
    pub fn fetch(
        self: &Arc<Self>,
        _token: &str,
        _file: &ServedFile,
        _now: SystemTime,
    ) -> Option<Fetch> {
        None
    }
}
