//! Models without a file, beside files whose names are nearly theirs.
