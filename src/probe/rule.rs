//! What a finding is known by.

use super::text::Text;

/// A rule of the device. What breaks it is found by its name.
#[derive(Debug)]
pub struct Rule {
    /// Its name in `--json`: `redirect`. Never changes once it was released.
    pub id: &'static str,
    /// What is wrong with the server, and what a device does about it.
    pub what: Text,
    /// What to change.
    pub remedy: Text,
}

impl Rule {
    /// A rule with its texts, each in Chinese and in English.
    pub const fn new(
        id: &'static str,
        what: (&'static str, &'static str),
        remedy: (&'static str, &'static str),
    ) -> Self {
        Self {
            id,
            what: Text::new(what.0, what.1),
            remedy: Text::new(remedy.0, remedy.1),
        }
    }
}

/// Rules are the same when their names are.
impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}
