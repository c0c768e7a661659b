//! Memory of a device, as far as a decision asks for it.

use crate::firmware::name::model_key;
use xiaozhi_device::guards::Reason;

/// Memory of the device that checks in. It is asked only where it matters.
pub trait DeviceMemory {
    /// Returns the number of times that the file with this SHA-256 was forced on the device
    /// while it reported what it reports now; the check-ins of one boot count as one.
    fn forced(&self, sha256: &[u8; 32]) -> Result<u32, Unknown>;

    /// Returns the number of times that the file with this SHA-256 failed on the device: it
    /// was fetched, and the device went on with what it ran before, or did not come again in
    /// time.
    fn failed(&self, sha256: &[u8; 32]) -> Result<u32, Unknown>;

    /// Returns the model under which the device had files of its own last, unless it came as
    /// it does now, `named` so, before it had any: anybody can give another's id.
    fn own_model(&self, named: Option<&str>) -> Result<Option<OwnModel>, Unknown>;
}

/// Error where a device is not remembered, and there is no room for what would protect it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

impl From<NoRoom> for Unknown {
    fn from(NoRoom: NoRoom) -> Self {
        Self::NoRoom
    }
}

/// Reason why nobody knows what a device went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// It is still being read.
    Unread,
    /// A newer program wrote it.
    Newer,
    /// Nobody can read what people ordered.
    Orders,
    /// So much failed on it that not all of that is remembered, or it cannot be read.
    TooMuch,
    /// There is no room to remember it.
    NoRoom,
    /// It fetched an image, and has not said since what it runs.
    Unsaid,
}

impl Unknown {
    /// Returns why an image is withheld for it.
    pub(super) fn reason(self) -> Reason<'static> {
        match self {
            Self::Unread => Reason::Unread,
            Self::Newer => Reason::NewerStore,
            Self::Orders => Reason::UnknownOrders,
            Self::TooMuch => Reason::TooMuchFailed,
            Self::NoRoom => Reason::NoRoom,
            Self::Unsaid => Reason::Unsaid,
        }
    }
}

/// Model under which a device had files of its own. An alias makes two names one, and
/// can be taken out of the settings again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct OwnModel {
    /// The name that the device gave.
    pub named: Box<str>,
    /// The name that those files have.
    pub files: Box<str>,
}

impl OwnModel {
    /// Tells whether `model` is the name that its files have.
    pub(crate) fn has_files_of(&self, model: &str) -> bool {
        model_key(model) == model_key(&self.files)
    }

    /// Returns why `default` is kept from a device that calls itself by `models` now.
    pub(super) fn keeps_back<'a>(
        &self,
        mut models: impl Iterator<Item = &'a str>,
    ) -> Reason<'static> {
        let owned = |text: &str| text.to_owned().into();
        if models.any(|model| model_key(model) == model_key(&self.named)) {
            let files = owned(&self.files);
            Reason::Unaliased { files }
        } else {
            let old = owned(&self.named);
            Reason::Renamed { old }
        }
    }
}

/// No memory: a device that is seen for the first time.
impl DeviceMemory for () {
    fn forced(&self, _: &[u8; 32]) -> Result<u32, Unknown> {
        Ok(0)
    }

    fn failed(&self, _: &[u8; 32]) -> Result<u32, Unknown> {
        Ok(0)
    }

    fn own_model(&self, _: Option<&str>) -> Result<Option<OwnModel>, Unknown> {
        Ok(None)
    }
}
