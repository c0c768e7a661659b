//! The download of an image that was offered, known by the token in its address.

use super::news::say_end;
use super::outcome::{Change, Content, History, Moment};
use super::token::TokenFile;
use super::{DeviceId, Fleet};
use crate::firmware::snapshot::ServedFile;
use std::sync::Arc;
use std::time::SystemTime;

/// A download that counts for a device's offer.
#[derive(Debug)]
pub struct Fetch {
    fleet: Arc<Fleet>,
    id: DeviceId,
    offer: u16,
    attempt: u8,
}

impl Fleet {
    /// Takes that a download of `file` begins, whose address carries `token`. `None` where it
    /// counts for nothing: the token is forged, another file's, or of an offer that is over.
    pub fn fetch(
        self: &Arc<Self>,
        token: &str,
        file: &ServedFile,
        now: SystemTime,
    ) -> Option<Fetch> {
        let file = TokenFile {
            name: &file.file,
            content: Content::of(&file.sha256),
        };
        let ticket = self.key.read(token, file)?;
        if !self.may_learn(now) {
            return None;
        }
        let id = DeviceId::Mac(ticket.mac);
        let moment = self.moment(now);
        let mut attempt = None;
        self.step(&id, |history| {
            let newest = history.offers.last()?;
            // Numbers come again, contents do not.
            if newest.image.content != file.content {
                return None;
            }
            let (number, change) = history.begun(ticket.offer, moment)?;
            attempt = Some(number);
            change
        });
        Some(Fetch {
            fleet: Arc::clone(self),
            id,
            offer: ticket.offer,
            attempt: attempt?,
        })
    }

    /// Changes the history of a device, and says what follows.
    fn step(&self, id: &DeviceId, step: impl FnOnce(&mut History) -> Option<Change>) {
        let mut shard = self.table.shard(id);
        let change = self
            .table
            .change(&mut shard, id, |record| step(record.history.as_mut()?));
        let ended = change.flatten().and_then(|change| shard.ended(id, change));
        drop(shard);
        if let Some(ended) = &ended {
            say_end(ended);
        }
    }
}

impl Fetch {
    /// Returns the id of the device whose download it is.
    pub fn device(&self) -> String {
        self.id.to_string()
    }

    /// Takes that the client has all of it, and has ended the connection or gone on.
    pub fn whole(&self) {
        let (offer, now) = (self.offer, self.now());
        self.fleet
            .step(&self.id, |history| history.fetched(offer, now));
    }

    /// Takes that it was cut.
    pub fn cut(&self) {
        let (offer, attempt, now) = (self.offer, self.attempt, self.now());
        self.fleet
            .step(&self.id, |history| history.cut(offer, attempt, now));
    }

    fn now(&self) -> Moment {
        self.fleet.moment(SystemTime::now())
    }
}
