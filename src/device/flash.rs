//! Stands in for the reader of full flash images.

/// Stub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlashFault {
    /// Stub.
    NoTable,
}

/// Stub.
#[derive(Debug)]
pub struct FlashApp<'a> {
    /// Stub.
    pub bytes: &'a [u8],
    /// Stub.
    pub slot: String,
    /// Stub.
    pub offset: u64,
    /// Stub.
    pub left: Vec<Left>,
}

/// Stub.
#[derive(Debug)]
pub struct Left {
    /// Stub.
    pub what: String,
    /// Stub.
    pub offset: u64,
    /// Stub.
    pub bytes: u64,
}

/// Tells nothing.
pub fn is_flash(_flash: &[u8]) -> bool {
    false
}

/// Returns nothing.
pub fn app_in(_flash: &[u8]) -> Result<FlashApp<'_>, FlashFault> {
    Err(FlashFault::NoTable)
}

impl std::fmt::Display for FlashFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no table")
    }
}
