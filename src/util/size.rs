//! Sizes as messages show them. Pure.

/// Returns a size in the largest unit in which it is a whole number, of bytes up to MiB.
pub(crate) fn shown(size: u64) -> String {
    match size {
        0 => "0 MiB".to_owned(),
        size if size.trailing_zeros() >= 20 => format!("{} MiB", size >> 20),
        size if size.trailing_zeros() >= 10 => format!("{} KiB", size >> 10),
        size => format!("{size} bytes"),
    }
}
