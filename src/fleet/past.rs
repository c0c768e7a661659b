//! Past of the fleet, from the counts that the store keeps of each hour for a year.

use std::collections::BTreeMap;

/// Kind of counts that say how many devices run each version in an hour: a state, and no sum.
pub(crate) const VERSIONS: &str = "versions";
/// Kind of counts of check-ins by the way in which they came.
pub(super) const TRANSPORTS: &str = "transports";
/// Label of the versions that are too many to be named.
pub(super) const OTHERS: &str = "others";

/// Hours after 1970, the last one excluded.
pub type Hours = std::ops::Range<u64>;

/// Counts of one stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// Number of devices by version, of whatever model, as they were counted last in it; the
    /// version is `None` for those that are not named. Empty where nobody counted: the server
    /// was off, or the hour is young.
    pub versions: BTreeMap<Option<String>, u64>,
    /// Number of check-ins over plain HTTP, and over TLS.
    pub transports: [u64; 2],
}

/// Returns the label of a model's version.
pub(super) fn label(model: &str, version: &str) -> String {
    format!("{model} {version}")
}

impl Step {
    /// Takes a count of devices by its label.
    pub(super) fn add_version(&mut self, label: &str, count: u64) {
        // A model may have blanks in it.
        let version = label
            .rsplit_once(' ')
            .map(|(_, version)| version.to_owned());
        *self.versions.entry(version).or_default() += count;
    }

    /// Takes a count of check-ins by its label.
    pub(super) fn add_transport(&mut self, label: &str, count: u64) {
        let [http, https] = &mut self.transports;
        match label {
            "http" => *http += count,
            "https" => *https += count,
            // A newer program's.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_for_all_models() {
        let mut step = Step::default();
        for (label, count) in [
            (&*label("a", "1.0"), 1),
            (&*label("b board", "1.0"), 2),
            (&*label("a", "1.1"), 4),
            (&*label("", ""), 8),
            (OTHERS, 16),
        ] {
            step.add_version(label, count);
        }
        let counts: Vec<_> = step
            .versions
            .iter()
            .map(|(version, count)| (version.as_deref(), *count))
            .collect();
        let expected = [
            (None, 16),
            (Some(""), 8),
            (Some("1.0"), 3),
            (Some("1.1"), 4),
        ];
        assert_eq!(counts, expected);
    }
}
