//! Rules by which findings are known.

use crate::event::text::Text;

/// Rule of the device. What breaks it is found by its name.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Name in `--json`: `redirect`. Never changes once it was released.
    pub(crate) id: &'static str,
    /// Text that says what is wrong with the server, and what a device does about
    /// it.
    pub(crate) what: Text,
    /// Text that says what to change.
    pub(crate) remedy: Text,
}

impl Rule {
    /// Makes a rule with its texts, each in Chinese and in English.
    pub(crate) const fn new(
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

/// Compares rules by their names.
impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}
