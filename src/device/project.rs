//! Knows projects by their name, which the build writes into the image and the device
//! reports as `application.name`.

/// The voice assistant itself, whose rules are known here.
pub const XIAOZHI: &str = "xiaozhi";
/// The longest name that an image can hold, in bytes
/// (`esp_app_desc_t.project_name` in ESP-IDF's `esp_app_desc.h`, less its end).
pub const LONGEST: usize = 31;

/// Names of one project: `gateway.firmware.projects`, for those who renamed it on
/// purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Projects(Vec<String>);

impl Projects {
    /// Each name is a project of its own.
    pub const DISTINCT: &'static Self = &Self(Vec::new());

    /// Takes all these names for one.
    pub fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    /// Returns these names.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Tells whether two names mean one project.
    pub fn are_one(&self, a: &str, b: &str) -> bool {
        let has = |name: &str| self.0.iter().any(|known| known == name);
        a == b || has(a) && has(b)
    }

    /// Tells whether a name means the voice assistant itself.
    pub fn is_xiaozhi(&self, name: &str) -> bool {
        self.are_one(name, XIAOZHI)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_project() {
        let renamed = Projects::new(vec!["xiaozhi".into(), "my-fork".into()]);
        assert!(renamed.are_one("my-fork", "xiaozhi") && renamed.is_xiaozhi("my-fork"));
        assert!(!renamed.are_one("hello_world", "xiaozhi"));
        assert!(renamed.are_one("hello_world", "hello_world"));
        assert!(
            !Projects::DISTINCT.is_xiaozhi("my-fork") && Projects::DISTINCT.is_xiaozhi(XIAOZHI)
        );
    }
}
