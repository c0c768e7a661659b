//! Numbers and texts one behind the other, as they stand in the headers of a zip archive.

/// The rest of some bytes. Numbers are little-endian (APPNOTE.TXT, 4.4.1.1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Begins with these bytes.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Begins at a place; `None` where the bytes end before it.
    pub(super) fn at(bytes: &'a [u8], at: usize) -> Option<Self> {
        bytes.get(at..).map(Self)
    }

    /// Returns the number of bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    /// Takes so many bytes.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*front)
    }

    /// Takes a number of two bytes.
    pub(super) fn u16(&mut self) -> Option<u16> {
        self.chunk().map(u16::from_le_bytes)
    }

    /// Takes a number of four bytes.
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.chunk().map(u32::from_le_bytes)
    }

    /// Takes a number of eight bytes.
    pub(super) fn u64(&mut self) -> Option<u64> {
        self.chunk().map(u64::from_le_bytes)
    }
}

/// Extra fields are not what they say they are.
#[derive(Debug)]
pub(super) struct BadExtra;

/// Finds the extra field of a kind (APPNOTE.TXT, 4.5.1). Up to three bytes behind the last
/// field are left: some programs fill up with them.
pub(super) fn extra_field(extra: &[u8], kind: u16) -> Result<Option<&[u8]>, BadExtra> {
    let mut fields = Fields::new(extra);
    let mut found = None;
    while let (Some(its), Some(length)) = (fields.u16(), fields.u16()) {
        let field = fields.take(length.into()).ok_or(BadExtra)?;
        // Readers disagree on which of two counts.
        if its == kind && found.replace(field).is_some() {
            return Err(BadExtra);
        }
    }
    Ok(found)
}

/// The sizes of a member, and where its own header is. Of a number that says `u32::MAX` the
/// real one stands in the field for zip64 (APPNOTE.TXT, 4.5.3), in the order of these.
pub(super) fn widened<const N: usize>(
    numbers: [u32; N],
    extra: &[u8],
) -> Result<[u64; N], BadExtra> {
    const ZIP64: u16 = 1;
    let mut wide = Fields::new(extra_field(extra, ZIP64)?.unwrap_or_default());
    let mut widened = [0; N];
    for (number, widened) in numbers.into_iter().zip(&mut widened) {
        *widened = match number {
            u32::MAX => wide.u64().ok_or(BadExtra)?,
            number => number.into(),
        };
    }
    Ok(widened)
}
