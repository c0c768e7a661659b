//! Line of newcomers: whoever came first goes for the next, where there are too many. Most
//! leave it before, for they settle or are forgotten, and none of those takes the place of one
//! who waits.

use super::id::DeviceId;
use std::collections::{HashMap, VecDeque};

/// Number of places of those who left that may lie in the line, beside as many as wait.
const LEFT_OVER: usize = 64;

/// Newcomers, in the order of their coming.
#[derive(Debug, Default)]
pub(super) struct Newcomers {
    /// Places, the first one's in front. Those who left do not take theirs along, and one who
    /// comes again has another: the place that counts is the one in `places`.
    line: VecDeque<(u64, DeviceId)>,
    places: HashMap<DeviceId, u64>,
    next: u64,
}

impl Newcomers {
    /// Returns the number of those who wait.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Puts one behind all others.
    pub(super) fn join(&mut self, id: &DeviceId) {
        self.places.insert(id.clone(), self.next);
        self.line.push_back((self.next, id.clone()));
        self.next += 1;
        // Once for as many that came as are looked at.
        if self.line.len() > 2 * self.places.len() + LEFT_OVER {
            let places = &self.places;
            self.line
                .retain(|(place, id)| places.get(id) == Some(place));
        }
    }

    /// Takes that one settled, or is gone.
    pub(super) fn leave(&mut self, id: &DeviceId) {
        self.places.remove(id);
    }

    /// Takes out whoever has waited longest.
    pub(super) fn take_first(&mut self) -> Option<DeviceId> {
        while let Some((place, id)) = self.line.pop_front() {
            if self.places.get(&id) == Some(&place) {
                self.places.remove(&id);
                return Some(id);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(number: u8) -> DeviceId {
        DeviceId::new(&format!("device {number}"))
    }

    proptest! {
        /// It is a plain list of those who wait, whoever left and came again, and holds not
        /// much more than they.
        #[test]
        fn it_is_a_line_of_those_who_wait(
            steps in prop::collection::vec((0u8..4, 0u8..20), 0..600),
        ) {
            let mut newcomers = Newcomers::default();
            let mut line: Vec<DeviceId> = Vec::new();
            for (step, number) in steps {
                let id = id(number);
                match step {
                    0 | 1 if !line.contains(&id) => {
                        newcomers.join(&id);
                        line.push(id);
                    }
                    0 | 1 => {
                        newcomers.leave(&id);
                        line.retain(|one| *one != id);
                    }
                    2 => {
                        newcomers.leave(&id);
                        line.retain(|one| *one != id);
                    }
                    _ => {
                        let first = (!line.is_empty()).then(|| line.remove(0));
                        prop_assert_eq!(newcomers.take_first(), first);
                    }
                }
                prop_assert_eq!(newcomers.len(), line.len());
                prop_assert!(newcomers.line.len() <= 2 * 20 + LEFT_OVER + 1);
            }
            for id in line {
                prop_assert_eq!(newcomers.take_first(), Some(id));
            }
            prop_assert_eq!(newcomers.take_first(), None);
        }
    }
}
