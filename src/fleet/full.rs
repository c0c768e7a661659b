//! Places that are full, and what follows for new devices.

use super::Fleet;
use super::about::kept;
use crate::event::text::{Lang, Text};
use crate::event::{event, say};
use crate::util::sync::lock;
use std::mem;
use std::time::SystemTime;

/// Words of a place that is full: for what it remembers devices, and what follows for new
/// ones.
pub(super) type Full = (Text, Text);

pub(super) const FORCED_IN_VAIN: Full = (
    Text::new("强制升级的次数", "what was forced on them"),
    Text::new(
        "该设备和其他新设备不会被强制升级，否则可能陷入无尽的循环",
        "nothing is forced on this one and others that are new, for that might be a loop without end",
    ),
);
pub(super) const FILES_OF_THEIR_OWN: Full = (
    Text::new("自己的固件型号", "files of their own"),
    Text::new(
        "没有自己固件的新设备不会得到 default_*.bin，因为它们可能是改了名的型号",
        "others that are new and have no files of their own get no default_*.bin, for they may be boards that were renamed",
    ),
);
pub(super) const DEVICES: Full = (
    Text::new("已多次启动的设备", "that they were seen at two boots"),
    Text::new(
        "新设备仍会得到回答和升级，但只记住最近的一部分；如有不再存在的设备，可用 xiaozhi-ota forget 删除",
        "new ones are answered and updated as ever, but only the latest of them are remembered; those that are no more can be \
         removed by xiaozhi-ota forget",
    ),
);

impl Fleet {
    /// Takes that a place is full, to be said once an hour, and not by the check-in that finds
    /// it: its lines are its client's, and left out where that makes too many.
    pub(super) fn tell_full(
        &self,
        device: &str,
        (what, follows): Full,
        limit: usize,
        now: SystemTime,
    ) {
        if self.said.is_due(&("full", what.to(Lang::En)), now) {
            lock(&self.full).push(event!(
                FLEET_FULL,
                device = kept(device),
                limit = limit,
                what = what,
                follows = follows,
            ));
        }
    }

    /// Takes that there is no room for what a device says anew of itself, to be said as
    /// [`Self::tell_full`] does.
    pub(super) fn tell_crowded(&self, device: &str, now: SystemTime) {
        if self.said.is_due(&("full", "descriptions"), now) {
            let (_, most) = self.commons().fill();
            let limit = format!("{} KiB", most >> 10);
            lock(&self.full).push(event!(FLEET_CROWDED, device = kept(device), limit = limit));
        }
    }

    /// Says which places are full.
    pub(super) fn say_full(&self) {
        let full = mem::take(&mut *lock(&self.full));
        full.iter().for_each(say);
    }
}
