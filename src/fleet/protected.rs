//! Protection of devices from a loop of images that were forced in vain, and from another
//! board's files behind a rename. It is never forgotten for the sake of others, for anybody
//! can invent devices, and those can be forced, too: a place that is full takes no newcomer,
//! and on who cannot be remembered nothing is forced. Devices stand here by their hash.

use super::outcome::Content;
use crate::ota::device_memory::{NoRoom, OwnModel};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Time within which check-ins belong to one boot: a device that failed has tried to
/// download first.
pub(super) const BOOT: Duration = Duration::from_secs(10);

/// Number of devices in each place, and of models in all. What these take, by the numbers
/// that a table of the standard library fills up to: 6 MB, 9 MB and 1 MB.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) forced: usize,
    pub(super) own: usize,
    pub(super) models: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            forced: 7 << 14,
            own: 7 << 15,
            models: 1 << 12,
        }
    }
}

/// Returns the number by which an image is known.
pub(super) fn image(content: Content) -> u64 {
    let begin = content.0.first_chunk();
    begin.map_or(0, |begin| u64::from_ne_bytes(*begin))
}

/// Hashes of a device and of the version that it reports.
#[derive(Debug, Clone, Copy)]
pub(super) struct Id {
    pub(super) device: u64,
    pub(super) version: u64,
}

/// Image that was forced on a device, and how often.
#[derive(Debug)]
struct ForcedRecord {
    /// Version that the device reported meanwhile.
    version: u64,
    image: u64,
    times: u32,
    /// Time at which it was counted last.
    counted: SystemTime,
}

/// Model of its own as which a device had files last.
#[derive(Debug, Clone)]
pub(super) struct OwnRecord {
    pub(super) model: Arc<OwnModel>,
    /// Hash of the name under which it came first, where that had no files. Who comes under
    /// it again was never another board: somebody else gave its id.
    pub(super) at_first: Option<u64>,
}

/// Places of protected devices.
#[derive(Debug, Default)]
pub(super) struct Protected {
    room: Room,
    forced: HashMap<u64, ForcedRecord>,
    own: HashMap<u64, OwnRecord>,
    /// Models in those, each once.
    models: HashSet<Arc<OwnModel>>,
    /// Set once a device with files of its own found no room.
    has_lost: bool,
}

impl Protected {
    #[cfg(test)]
    pub(super) fn new(room: Room) -> Self {
        Self {
            room,
            ..Self::default()
        }
    }

    /// Returns the number of devices that each place holds.
    pub(super) fn room(&self) -> Room {
        self.room
    }

    /// Returns the number of times that an image was forced on a device while it reported
    /// this version.
    pub(super) fn forced(&self, id: Id, image: u64) -> Result<u32, NoRoom> {
        match self.forced.get(&id.device) {
            Some(record) if record.version == id.version && record.image == image => {
                Ok(record.times)
            }
            Some(_) => Ok(0),
            None if self.forced.len() < self.room.forced => Ok(0),
            None => Err(NoRoom),
        }
    }

    /// Counts an image that is forced, once a boot. Each worker may have asked for the last
    /// place at once: who was told so is remembered beyond it.
    pub(super) fn count(&mut self, id: Id, image: u64, now: SystemTime) {
        let record = ForcedRecord {
            version: id.version,
            image,
            times: 1,
            counted: now,
        };
        let known = self.forced.entry(id.device).or_insert(record);
        if (known.version, known.image) != (id.version, image) {
            *known = ForcedRecord {
                version: id.version,
                image,
                times: 1,
                counted: now,
            };
            return;
        }
        // A clock that was set back must not stop the count for years.
        let apart = now.duration_since(known.counted);
        if apart.unwrap_or_else(|ahead| ahead.duration()) >= BOOT {
            known.times = known.times.saturating_add(1);
            known.counted = now;
        }
    }

    /// Forgets what was forced on a device that reports another version: it has got on.
    pub(super) fn got_on(&mut self, id: Id) {
        let known = self.forced.get(&id.device);
        if known.is_some_and(|known| known.version != id.version) {
            self.forced.remove(&id.device);
        }
    }

    /// Returns the model of its own as which a device had files last. An error says that it
    /// may have had some, and found no room.
    pub(super) fn own(&self, device: u64) -> Result<Option<&OwnRecord>, NoRoom> {
        match self.own.get(&device) {
            None if self.has_lost => Err(NoRoom),
            known => Ok(known),
        }
    }

    /// Forgets the model of a device that is remembered elsewhere from now on.
    pub(super) fn leave_own(&mut self, device: u64) {
        self.own.remove(&device);
    }

    /// Tells whether an image was forced on a device: this one, or any.
    pub(super) fn was_forced(&self, device: u64, image: Option<u64>) -> bool {
        let known = self.forced.get(&device);
        known.is_some_and(|known| image.is_none_or(|image| known.image == image))
    }

    /// Forgets that an image was forced on a device: this one, or any.
    pub(super) fn retry(&mut self, device: u64, image: Option<u64>) {
        if self.was_forced(device, image) {
            self.forced.remove(&device);
        }
    }

    /// Forgets a device.
    pub(super) fn forget(&mut self, device: u64) {
        self.own.remove(&device);
        self.forced.remove(&device);
    }

    /// Remembers the model of its own as which a device has files.
    pub(super) fn keep_own(
        &mut self,
        device: u64,
        model: OwnModel,
        at_first: Option<u64>,
    ) -> Result<(), NoRoom> {
        let has_place = self.own.len() < self.room.own || self.own.contains_key(&device);
        let model = if let Some(model) = self.models.get(&model).filter(|_| has_place) {
            Arc::clone(model)
        } else if has_place && self.models.len() < self.room.models {
            let model = Arc::new(model);
            self.models.insert(Arc::clone(&model));
            model
        } else {
            self.has_lost = true;
            return Err(NoRoom);
        };
        self.own.insert(device, OwnRecord { model, at_first });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    const ROOM: Room = Room {
        forced: 6,
        own: 6,
        models: 3,
    };

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    /// A check-in of a device that reports a version, at which an image is forced, if that
    /// may be.
    type Step = (u64, u64, Option<u64>, u64);

    proptest! {
        /// Whatever others do, what was forced on a device is counted as if it were alone.
        /// It is told that it cannot be only where it is not among as many as there is
        /// room for.
        #[test]
        fn a_count_is_ones_own(
            steps in prop::collection::vec(
                (0u64..20, 0u64..2, prop::option::weighted(0.8, 0u64..2), 1u64..30),
                0..200,
            ),
        ) {
            let mut protected = Protected::new(ROOM);
            let mut alone: HashMap<u64, Protected> = HashMap::new();
            let mut now = 0;
            for (device, version, image, later) in steps as Vec<Step> {
                now += later;
                let id = Id { device, version };
                let one = alone.entry(device).or_default();
                let is_there = protected.forced.contains_key(&device);
                match image {
                    None => {
                        protected.got_on(id);
                        one.got_on(id);
                    }
                    Some(image) => {
                        let told = protected.forced(id, image);
                        if told.is_ok() {
                            prop_assert_eq!(told, one.forced(id, image));
                            protected.count(id, image, at(now));
                            one.count(id, image, at(now));
                        } else {
                            prop_assert!(!is_there && protected.forced.len() == ROOM.forced);
                        }
                    }
                }
                prop_assert!(protected.forced.len() <= ROOM.forced);
            }
        }

        /// A model that was kept stays, whoever comes; who found no room may have had one.
        #[test]
        fn a_model_is_kept_or_known_to_be_lost(
            steps in prop::collection::vec((0u64..20, 0u8..5), 0..100),
        ) {
            let mut protected = Protected::new(ROOM);
            let mut kept = HashMap::new();
            let mut is_lost = false;
            for (device, name) in steps {
                let name = format!("{name}").into_boxed_str();
                let model = OwnModel { named: name.clone(), files: name };
                match protected.keep_own(device, model.clone(), None) {
                    Ok(()) => {
                        kept.insert(device, model);
                    }
                    Err(NoRoom) => is_lost = true,
                }
                prop_assert!(kept.len() <= ROOM.own && protected.models.len() <= ROOM.models);
                for device in 0..20 {
                    let own = protected.own(device).map(|own| own.map(|own| (*own.model).clone()));
                    let expected = match kept.get(&device) {
                        None if is_lost => Err(NoRoom),
                        own => Ok(own.cloned()),
                    };
                    prop_assert_eq!(own, expected);
                }
            }
        }
    }

    #[test]
    fn a_clock_that_is_set_back_stops_no_count() {
        let mut protected = Protected::default();
        let id = Id {
            device: 1,
            version: 1,
        };
        for second in [100_000, 50, 20, 25] {
            protected.count(id, 7, at(second));
        }
        assert_eq!(protected.forced(id, 7), Ok(3));
    }
}
