//! Orders about a device: the API's and the pages' are the same acts, and said by the same
//! events.

use super::auth::Caller;
use super::fleet_source::{FleetSource, OrderError, Orderer, RetryDone};
use super::reply::Refusal;
use crate::event::{self, Event, event};
use crate::fleet::DeviceId;
use crate::server::Peer;
use std::time::SystemTime;

/// Somebody who orders something, and when.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) caller: Caller,
    pub(super) peer: Peer,
    pub(super) now: SystemTime,
}

impl Order {
    fn by(&self) -> Orderer<'_> {
        Orderer {
            name: &self.caller.name,
            from: self.peer.address.ip(),
            now: self.now,
        }
    }

    /// Lets a device have again what failed on it: a file, or all. Returns what is said of
    /// that, too.
    ///
    /// # Errors
    ///
    /// Nobody knows the device, or the file on it; or the order cannot be written down.
    pub(super) fn retry(
        &self,
        source: &dyn FleetSource,
        id: &DeviceId,
        file: Option<&str>,
    ) -> Result<(RetryDone, Event), Refusal> {
        let done = source.retry(id, file, self.by()).map_err(refused)?;
        let device = id.to_string();
        if done.cleared == 0 {
            return Ok((
                done,
                event!(ADMIN_NOTHING_FAILED, device = device, file = file),
            ));
        }
        let said = event!(
            ADMIN_RETRIED,
            device = device,
            file = file,
            count = done.cleared,
            by = &self.caller.name,
            peer = self.peer.address
        );
        event::say(&said);
        Ok((done, said))
    }

    /// Forgets a device, whole. Returns what is said of that.
    ///
    /// # Errors
    ///
    /// Nobody knows the device, or the order cannot be written down.
    pub(super) fn forget(&self, source: &dyn FleetSource, id: &DeviceId) -> Result<Event, Refusal> {
        source.forget(id, self.by()).map_err(refused)?;
        let (by, peer) = (&self.caller.name, self.peer.address);
        let said = event!(ADMIN_FORGOT, by = by, peer = peer);
        event::say(&said);
        Ok(said)
    }
}

fn refused(error: OrderError) -> Refusal {
    match error {
        OrderError::NoDevice => Refusal::NoDevice,
        OrderError::StillReading => Refusal::StillReading,
        OrderError::NoFile => Refusal::NoFile,
        OrderError::NotKept(why) => Refusal::NotKept(why),
    }
}
