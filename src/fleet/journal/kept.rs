//! Memory of the fleet, as the journal sees it that keeps it.

use crate::fleet::database::Changed;
use crate::fleet::id::DeviceId;
use crate::fleet::record::Record;
use std::mem;

/// The call that is made where much waits.
pub(crate) type Call = Box<dyn Fn() + Send + Sync>;

/// Memory whose changes are written, and that is read into at the start.
pub(crate) trait Kept: Send + Sync + 'static {
    /// Takes up to `most` changed devices, each with its record as it is now; None: it is gone.
    fn take_changed(&self, most: usize) -> Vec<(DeviceId, Option<Record>)>;
    /// Takes what is to be called, from wherever a device changes, once so many did since they
    /// were taken last. It never blocks.
    fn call_at(&self, changes: usize, call: Call) {
        // Memory that needs no haste is written all the same.
        drop((changes, call));
    }
    /// Marks devices as changed again: they could not be written. One that changed since
    /// then is to be written as it is now.
    fn changed_again(&self, devices: Vec<(DeviceId, Option<Record>)>);
    /// Marks every device that is known as changed: the store is another one.
    fn all_changed(&self);
    /// Returns the number of changed devices that wait.
    fn waiting(&self) -> usize;
    /// Returns the time served, in ms (`outcome::Moment::served`), to be kept beside the
    /// devices.
    fn served(&self) -> u64;
    /// Tells whether a term runs, whose end the time served decides.
    fn has_terms(&self) -> bool;
    /// Takes the time that earlier runs served, as it was read, in ms: first of all, and once.
    fn read_served(&self, served: u64);
    /// Takes devices that were read: first those on which anything failed, then, behind
    /// `failures_known`, all others. What is in memory already is newer, and one that is gone
    /// there stays gone. A walk that broke off begins anew: one can come twice. Records of one
    /// walk that say the same share it.
    fn read(&self, devices: Vec<(DeviceId, Record)>);
    /// Takes that all is known that failed on any device.
    fn failures_known(&self);
    /// Takes that all devices were read. It may come after `is_newer`: that store is gone.
    fn all_read(&self);
    /// Takes that the store is of a newer program, and cannot be read: nothing new may be
    /// offered, until `all_read` comes.
    fn is_newer(&self);
    /// Takes the counts since they were taken last: kind, label and count, bounded by the
    /// giver. The journal asks every minute and adds them to those of the hour; those of the
    /// kind `versions` take the place of what it has for the hour.
    fn take_hour(&self) -> Vec<(&'static str, String, u64)>;
}

/// Changes that were taken to be written. Whatever keeps them from it, they wait again.
pub(super) struct Taken<'k> {
    kept: &'k dyn Kept,
    /// The devices.
    pub(super) devices: Vec<Changed>,
}

impl<'k> Taken<'k> {
    /// Takes up to `most` of them.
    pub(super) fn new(kept: &'k dyn Kept, most: usize) -> Self {
        let devices = kept.take_changed(most);
        Self { kept, devices }
    }

    /// Takes that they were written.
    pub(super) fn written(mut self) -> Vec<Changed> {
        mem::take(&mut self.devices)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.devices.is_empty() {
            self.kept.changed_again(mem::take(&mut self.devices));
        }
    }
}
