//! Builds zip archives record by record (PKWARE's APPNOTE.TXT), well-formed ones and ones that
//! no program would write.

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use std::io::Write as _;

/// What stands behind a member's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Descriptor {
    /// Nothing: its own header says all.
    #[default]
    None,
    /// Checksum and sizes, of four or eight bytes, with a signature or without. Its own
    /// header says none of them.
    Behind {
        /// Whether a signature stands in front.
        signed: bool,
        /// Whether sizes have eight bytes.
        wide: bool,
    },
}

/// A member, and what its two headers say of it. All of it may be set to anything.
#[derive(Debug, Clone)]
pub struct Member {
    /// Name in the directory.
    pub name: Vec<u8>,
    /// Name in its own header.
    pub own_name: Vec<u8>,
    /// General purpose flags, but for the one of the descriptor.
    pub flags: u16,
    /// 0 is stored, 8 deflate.
    pub method: u16,
    /// Method in its own header.
    pub own_method: u16,
    /// CRC-32, and number of bytes packed and unpacked, in the directory.
    pub sizes: (u32, u64, u64),
    /// The same in its own header.
    pub own_sizes: (u32, u64, u64),
    /// The same in the descriptor.
    pub descriptor_sizes: (u32, u64, u64),
    /// What stands behind its bytes.
    pub descriptor: Descriptor,
    /// Whether sizes and offset stand in fields for zip64.
    pub wide: bool,
    /// Extra fields in the directory, and in its own header.
    pub extra: [Vec<u8>; 2],
    /// System and version that made it; 3 << 8 is Unix.
    pub made_by: u16,
    /// External attributes; the upper half is a mode of Unix.
    pub external: u32,
    /// Offset of its own header, where it is not to be the true one.
    pub at: Option<u64>,
    /// Bytes that are no member's, in front of its own header.
    pub stray: Vec<u8>,
    /// Its bytes, as they are packed.
    pub packed: Vec<u8>,
}

impl Member {
    /// A file that is stored as it is.
    pub fn stored(name: &str, bytes: &[u8]) -> Self {
        let length = bytes.len() as u64;
        let sizes = (crc32(bytes), length, length);
        Self {
            name: name.into(),
            own_name: name.into(),
            flags: if name.is_ascii() { 0 } else { 1 << 11 },
            method: 0,
            own_method: 0,
            sizes,
            own_sizes: sizes,
            descriptor_sizes: sizes,
            descriptor: Descriptor::None,
            wide: false,
            extra: Default::default(),
            made_by: 0x0314,
            external: 0o100_644 << 16,
            at: None,
            stray: Vec::new(),
            packed: bytes.to_vec(),
        }
    }

    /// A file that is deflated.
    pub fn deflated(name: &str, bytes: &[u8]) -> Self {
        let mut member = Self::stored(name, bytes);
        member.packed = deflate(bytes);
        member.method = 8;
        member.own_method = 8;
        let sizes = (member.sizes.0, member.packed.len() as u64, member.sizes.2);
        member.says(sizes)
    }

    /// Sets what all its headers say: CRC-32, number of bytes packed and unpacked.
    #[must_use]
    pub fn says(mut self, sizes: (u32, u64, u64)) -> Self {
        self.sizes = sizes;
        self.own_sizes = sizes;
        self.descriptor_sizes = sizes;
        self
    }

    /// Has checksum and sizes behind its bytes, as what was packed as it came.
    #[must_use]
    pub fn streamed(mut self, signed: bool, wide: bool) -> Self {
        self.descriptor = Descriptor::Behind { signed, wide };
        self.own_sizes = (0, 0, 0);
        self
    }

    /// Sets anything.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }

    fn flags(&self) -> u16 {
        match self.descriptor {
            Descriptor::None => self.flags,
            Descriptor::Behind { .. } => self.flags | 1 << 3,
        }
    }

    /// Returns its own header, its bytes, and what stands behind them.
    fn whole(&self) -> Vec<u8> {
        let (crc, packed, unpacked) = self.own_sizes;
        let sizes = [unpacked, packed];
        let mut extra = self.extra[1].clone();
        if self.wide {
            extra.extend(wide_field(&sizes));
        }
        let mut bytes = b"PK\x03\x04\x14\0".to_vec();
        bytes.extend(self.flags().to_le_bytes());
        bytes.extend(self.own_method.to_le_bytes());
        bytes.extend([0, 0, 0x21, 0]);
        bytes.extend(crc.to_le_bytes());
        bytes.extend([packed, unpacked].map(|n| narrow(n, self.wide)).concat());
        bytes.extend([&self.own_name, &extra].map(|b| short(b.len())).concat());
        bytes.extend([&self.own_name[..], &extra, &self.packed].concat());
        if let Descriptor::Behind { signed, wide } = self.descriptor {
            let (crc, packed, unpacked) = self.descriptor_sizes;
            if signed {
                bytes.extend(b"PK\x07\x08");
            }
            bytes.extend(crc.to_le_bytes());
            for size in [packed, unpacked] {
                if wide {
                    bytes.extend(size.to_le_bytes());
                } else {
                    bytes.extend(narrow(size, false));
                }
            }
        }
        bytes
    }

    /// Returns its entry in the directory.
    fn entry(&self, at: u64) -> Vec<u8> {
        let (crc, packed, unpacked) = self.sizes;
        let at = self.at.unwrap_or(at);
        let mut extra = self.extra[0].clone();
        if self.wide {
            extra.extend(wide_field(&[unpacked, packed, at]));
        }
        let mut bytes = b"PK\x01\x02".to_vec();
        bytes.extend(self.made_by.to_le_bytes());
        bytes.extend([20, 0]);
        bytes.extend(self.flags().to_le_bytes());
        bytes.extend(self.method.to_le_bytes());
        bytes.extend([0, 0, 0x21, 0]);
        bytes.extend(crc.to_le_bytes());
        bytes.extend([packed, unpacked].map(|n| narrow(n, self.wide)).concat());
        bytes.extend([&self.name, &extra].map(|b| short(b.len())).concat());
        // No comment, the first disk, no text.
        bytes.extend([0; 6]);
        bytes.extend(self.external.to_le_bytes());
        bytes.extend(narrow(at, self.wide));
        bytes.extend([&self.name[..], &extra].concat());
        bytes
    }
}

/// An archive to be built.
#[derive(Debug, Clone, Default)]
pub struct Zip {
    /// The members, in the order in which they stand.
    pub members: Vec<Member>,
    /// Whether the directory ends as zip64 has it.
    pub wide: bool,
    /// The number of members that it says it has, where that is not to be the true one.
    pub count: Option<u64>,
    /// Number of this file, of several.
    pub disk: u16,
    /// Comment at the end.
    pub comment: Vec<u8>,
    /// Bytes in front of the directory that are no member's.
    pub stray: Vec<u8>,
}

impl Zip {
    /// An archive without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file, deflated.
    #[must_use]
    pub fn file(self, name: &str, bytes: &[u8]) -> Self {
        self.member(Member::deflated(name, bytes))
    }

    /// Adds a folder, whose name ends with a `/`.
    #[must_use]
    pub fn folder(self, name: &str) -> Self {
        self.member(Member::stored(name, b"").with(|m| m.external = 0o040_755 << 16 | 0x10))
    }

    /// Adds a member.
    #[must_use]
    pub fn member(mut self, member: Member) -> Self {
        self.members.push(member);
        self
    }

    /// Sets anything of the member that was added last.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Member)) -> Self {
        set(self.members.last_mut().unwrap());
        self
    }

    /// Returns the file.
    ///
    /// # Panics
    ///
    /// If a name, an extra field or the comment is longer than 64 KB.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut directory = Vec::new();
        for member in &self.members {
            bytes.extend(&member.stray);
            directory.extend(member.entry(bytes.len() as u64));
            bytes.extend(member.whole());
        }
        bytes.extend(&self.stray);
        let count = self.count.unwrap_or(self.members.len() as u64);
        let (size, at) = (directory.len() as u64, bytes.len() as u64);
        bytes.extend(directory);
        if self.wide {
            let end = bytes.len() as u64;
            bytes.extend(b"PK\x06\x06");
            bytes.extend(44u64.to_le_bytes());
            bytes.extend([45, 3, 45, 0]);
            bytes.extend([u32::from(self.disk), 0].map(u32::to_le_bytes).concat());
            bytes.extend([count, count, size, at].map(u64::to_le_bytes).concat());
            bytes.extend(b"PK\x06\x07\0\0\0\0");
            bytes.extend(end.to_le_bytes());
            bytes.extend(1u32.to_le_bytes());
        }
        bytes.extend(b"PK\x05\x06");
        bytes.extend(self.disk.to_le_bytes());
        bytes.extend([0; 2]);
        for _ in 0..2 {
            let narrow = u16::try_from(count).unwrap_or(u16::MAX);
            bytes.extend(if self.wide { u16::MAX } else { narrow }.to_le_bytes());
        }
        bytes.extend([size, at].map(|n| narrow(n, self.wide)).concat());
        bytes.extend(short(self.comment.len()));
        bytes.extend(&self.comment);
        bytes
    }
}

/// Returns bytes as deflate packs them.
///
/// # Panics
///
/// Never: memory takes all that is written to it.
pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns an extra field of a kind.
///
/// # Panics
///
/// If it is longer than 64 KB.
pub fn extra(kind: u16, content: &[u8]) -> Vec<u8> {
    let mut field = kind.to_le_bytes().to_vec();
    field.extend(short(content.len()));
    field.extend(content);
    field
}

/// Returns the CRC-32 of bytes.
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// The field for zip64.
fn wide_field(numbers: &[u64]) -> Vec<u8> {
    let numbers: Vec<_> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    extra(1, &numbers)
}

/// A number of four bytes, or the mark of one that stands elsewhere.
fn narrow(n: u64, is_elsewhere: bool) -> [u8; 4] {
    let n = if is_elsewhere {
        u32::MAX
    } else {
        u32::try_from(n).unwrap_or(u32::MAX)
    };
    n.to_le_bytes()
}

fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap().to_le_bytes()
}
