//! Findings of an audit: what can be meant but would hurt devices.
//! It stands alone, for `ota` and `tls` both make findings and must not know each
//! other.

use std::fmt;

/// One finding. The server runs all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The setting that it comes from, in dots.
    pub setting: String,
    /// The fault, and what happens to a device.
    pub consequence: String,
    /// The remedy.
    pub remedy: String,
}

impl Finding {
    /// Makes a finding of two sentences or more.
    pub fn new(
        setting: impl Into<String>,
        consequence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            setting: setting.into(),
            consequence: consequence.into(),
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Remedy: {}", self.consequence, self.remedy)
    }
}
