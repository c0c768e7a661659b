//! Bytes at one place of a file that is read piece by piece.

/// Flash is erased, and images are signed, by sectors of so many bytes.
pub(super) const SECTOR: u64 = 4096;

/// The bytes that stand at one place of the file, as far as they came.
#[derive(Debug)]
pub(super) struct Window<const N: usize> {
    at: u64,
    pub(super) bytes: [u8; N],
    filled: usize,
}

impl<const N: usize> Default for Window<N> {
    fn default() -> Self {
        Self::at(u64::MAX)
    }
}

impl<const N: usize> Window<N> {
    pub(super) fn at(at: u64) -> Self {
        Self {
            at,
            bytes: [0; N],
            filled: 0,
        }
    }

    pub(super) fn place(&self) -> u64 {
        self.at
    }

    /// Takes its part of a piece that stands at `at`.
    pub(super) fn see(&mut self, at: u64, piece: &[u8]) {
        let Some(wanted) = self.at.checked_add(self.filled as u64) else {
            return;
        };
        let Some(skip) = wanted.checked_sub(at).map(usize::try_from) else {
            return;
        };
        let here = skip.ok().and_then(|skip| piece.get(skip..)).unwrap_or(&[]);
        let room = &mut self.bytes[self.filled..];
        let n = here.len().min(room.len());
        room[..n].copy_from_slice(&here[..n]);
        self.filled += n;
    }

    pub(super) fn seen(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}
