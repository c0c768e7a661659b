//! Signatures of secure boot behind an image, and the keys that made them.

use super::{AppImage, u32_at};
use aws_lc_rs::digest::{SHA256, digest};

/// Length of a signature block of secure boot v2 (`ets_secure_boot_sig_block_t`).
pub(super) const BLOCK: usize = 1216;
/// Length of what a block's checksum covers.
const COVERED: usize = 1196;

/// A secure boot signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// 68 bytes behind the image. Its content is not looked at.
    V1,
    /// A sector of its own behind the image. Its first block is checked against
    /// its own CRC, and against the image where it names its SHA-256.
    V2,
}

/// Difference between the signatures of two images that makes a device which runs the one
/// refuse the other, if its secure boot is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningChange {
    /// The later one is not signed.
    Unsigned,
    /// No key has signed both, or they are signed for two versions of secure boot.
    OtherKey,
}

impl AppImage {
    /// Returns what its signature lacks for devices that run `earlier`, a signed image: the
    /// eFuses of a device hold the digests of the keys that it takes, three at most.
    pub fn signing_change(&self, earlier: &Self) -> Option<SigningChange> {
        let before = earlier.signature?;
        let Some(signature) = self.signature else {
            return Some(SigningChange::Unsigned);
        };
        let (keys, known) = (&self.key_digests, &earlier.key_digests);
        // Of what names no key nothing can be said.
        let is_named = !keys.is_empty() && !known.is_empty();
        let is_known = keys.iter().any(|key| known.contains(key));
        (signature != before || is_named && !is_known).then_some(SigningChange::OtherKey)
    }
}

/// Tells whether a block of secure boot v2 is what was signed. Versions 2 (RSA) and 3
/// (ECDSA) are known; only with P-384 does a block name another hash than SHA-256. A later
/// version is taken as it is.
pub(super) fn is_whole(block: &[u8; BLOCK], signed: Option<[u8; 32]>) -> bool {
    let names = || signed.is_some_and(|sum| block[4..36] == sum);
    match (block[1], block[2]) {
        (2, _) | (3, 0) => has_its_checksum(block) && names(),
        (3, _) => has_its_checksum(block),
        _ => true,
    }
}

/// Returns the digest of the key of each block, as `espsecure signature-info-v2` prints it
/// and `espefuse burn-key-digest` burns it: SHA-256 of the key as it stands in the block.
pub(super) fn key_digests(sector: &[u8]) -> Vec<[u8; 32]> {
    let (blocks, _) = sector.as_chunks::<BLOCK>();
    let digests = blocks.iter().map_while(|block| {
        let key = match (block[0], block[1], block[2]) {
            (0xE7, 2, _) => &block[36..812],
            // With P-384 the hash of the image in front of it is longer.
            (0xE7, 3, 1) => &block[52..149],
            (0xE7, 3, _) => &block[36..101],
            _ => return None,
        };
        let digest = digest(&SHA256, key);
        has_its_checksum(block).then(|| digest.as_ref().try_into().ok())?
    });
    digests.collect()
}

fn has_its_checksum(block: &[u8; BLOCK]) -> bool {
    crc32(&block[..COVERED], 0) == u32_at(block, COVERED)
}

/// CRC-32 (ISO-HDLC), bit by bit: it is made of little. `before` is that of the bytes in
/// front; Espressif begins with `u32::MAX` where others begin with 0.
pub(super) fn crc32(bytes: &[u8], before: u32) -> u32 {
    !bytes.iter().fold(!before, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & 0u32.wrapping_sub(crc & 1))
        })
    })
}
