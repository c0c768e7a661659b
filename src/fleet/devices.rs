//! Devices in order of their ids. A million addresses are kept: each takes no more room than
//! it has bits, which an id that may be a text does not.

use super::id::DeviceId;
use std::collections::BTreeMap;
use std::ops::Bound::{self, Excluded, Unbounded};
use xiaozhi_device::mac::Mac;

/// Values by ids.
#[derive(Debug)]
pub(super) struct Devices<T> {
    macs: BTreeMap<Mac, Box<T>>,
    others: BTreeMap<Box<str>, Box<T>>,
}

impl<T> Default for Devices<T> {
    fn default() -> Self {
        Self {
            macs: BTreeMap::new(),
            others: BTreeMap::new(),
        }
    }
}

impl<T> Devices<T> {
    /// Returns the number of them.
    pub(super) fn len(&self) -> usize {
        self.macs.len() + self.others.len()
    }

    /// Returns one.
    pub(super) fn get(&self, id: &DeviceId) -> Option<&T> {
        let found = match id {
            DeviceId::Mac(mac) => self.macs.get(mac),
            DeviceId::Other(text) => self.others.get(text),
        };
        found.map(|found| &**found)
    }

    /// Returns one, to change it.
    pub(super) fn get_mut(&mut self, id: &DeviceId) -> Option<&mut T> {
        let found = match id {
            DeviceId::Mac(mac) => self.macs.get_mut(mac),
            DeviceId::Other(text) => self.others.get_mut(text),
        };
        found.map(|found| &mut **found)
    }

    /// Puts one in the place of its id.
    pub(super) fn insert(&mut self, id: &DeviceId, value: T) {
        let value = Box::new(value);
        match id {
            DeviceId::Mac(mac) => drop(self.macs.insert(*mac, value)),
            DeviceId::Other(text) => drop(self.others.insert(text.clone(), value)),
        }
    }

    /// Removes one.
    pub(super) fn remove(&mut self, id: &DeviceId) -> Option<T> {
        let found = match id {
            DeviceId::Mac(mac) => self.macs.remove(mac),
            DeviceId::Other(text) => self.others.remove(text),
        };
        found.map(|found| *found)
    }

    /// Returns those behind an id, or all, in order.
    pub(super) fn behind(&self, after: Option<&DeviceId>) -> impl Iterator<Item = (DeviceId, &T)> {
        let (mac, text) = places(after);
        let macs = mac.map(|mac| self.macs.range((mac, Unbounded)));
        let others = self.others.range::<str, _>((text, Unbounded));
        let macs = macs.into_iter().flatten();
        let macs = macs.map(|(mac, value)| (DeviceId::Mac(*mac), &**value));
        macs.chain(others.map(|(text, value)| (DeviceId::Other(text.clone()), &**value)))
    }

    /// Returns the same, to change them.
    pub(super) fn behind_mut(
        &mut self,
        after: Option<&DeviceId>,
    ) -> impl Iterator<Item = (DeviceId, &mut T)> {
        let (mac, text) = places(after);
        let macs = mac.map(|mac| self.macs.range_mut((mac, Unbounded)));
        let others = self.others.range_mut::<str, _>((text, Unbounded));
        let macs = macs.into_iter().flatten();
        let macs = macs.map(|(mac, value)| (DeviceId::Mac(*mac), &mut **value));
        macs.chain(others.map(|(text, value)| (DeviceId::Other(text.clone()), &mut **value)))
    }
}

/// Returns where addresses and texts begin that lie behind an id: addresses come first.
fn places(after: Option<&DeviceId>) -> (Option<Bound<Mac>>, Bound<&str>) {
    match after {
        None => (Some(Unbounded), Unbounded),
        Some(DeviceId::Mac(mac)) => (Some(Excluded(*mac)), Unbounded),
        Some(DeviceId::Other(text)) => (None, Excluded(&**text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_in_order_behind_any_of_them() {
        let names = ["00:00:00:00:00:01", "02:00:00:00:00:00", "a", "b"];
        let ids = names.map(DeviceId::new);
        let mut devices = Devices::default();
        for (number, id) in ids.iter().enumerate().rev() {
            devices.insert(id, number);
        }
        assert_eq!(devices.len(), 4);
        for (number, id) in ids.iter().enumerate() {
            let behind: Vec<_> = devices.behind(Some(id)).map(|(id, _)| id).collect();
            assert_eq!(behind, ids[number + 1..]);
            let changed: Vec<_> = devices.behind_mut(Some(id)).map(|(id, _)| id).collect();
            assert_eq!(changed, behind);
            assert_eq!(devices.get(id), Some(&number));
            *devices.get_mut(id).unwrap() += 0;
        }
        let all: Vec<_> = devices.behind(None).map(|(id, _)| id).collect();
        assert_eq!(all, ids);
        for (number, id) in ids.iter().enumerate() {
            assert_eq!(devices.remove(id), Some(number));
            assert_eq!(devices.get(id), None);
            assert_eq!(devices.remove(id), None);
        }
        assert_eq!(devices.behind(None).count(), 0);
    }
}
