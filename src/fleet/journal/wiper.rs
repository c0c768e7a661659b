//! Wiping of what is left of forgotten devices, behind all other work.
//!
//! Most often the file is only read: a million devices are 180 MB, which take 0.1 s. Where it
//! has to be written anew, which takes them 2 s and 1 MB of memory, nothing else is written to
//! the store meanwhile; what devices say waits in memory, and no check-in waits for it. It is not done again for a minute, whoever forgets how much.

use crate::event::tell;
use crate::fleet::database::{Database, Fault, Trace};
use std::path::Path;
use std::time::{Duration, Instant};

/// Time between two tries.
const AGAIN: Duration = Duration::from_secs(1);
/// Time after which all may be written anew once more.
const MINUTE: Duration = Duration::from_secs(60);
/// Time after which it is tried again where there is no room for it.
const HOUR: Duration = Duration::from_secs(3600);

/// The one who wipes.
#[derive(Debug, Default)]
pub(super) struct Wiper {
    /// Traces of devices that were forgotten, which may be in the file still.
    traces: Vec<Trace>,
    /// Time of the next try.
    next: Option<Instant>,
}

impl Wiper {
    /// Takes traces of devices that were forgotten, and are in the store still.
    pub(super) fn take(
        &mut self,
        traces: Vec<Trace>,
        database: &mut Database,
    ) -> Result<(), Fault> {
        self.traces.extend(traces);
        if self.traces.is_empty() {
            return Ok(());
        }
        database.owe_wipe()
    }

    /// Looks for what is left of them in the store, which is this file, and wipes it.
    pub(super) fn work(
        &mut self,
        database: &mut Database,
        file: &Path,
        now: Instant,
    ) -> Result<(), Fault> {
        if !database.owes_wipe() || self.next.is_some_and(|next| now < next) {
            return Ok(());
        }
        self.next = Some(now + AGAIN);
        match database.wipe(&self.traces) {
            Ok(wiped) => {
                if wiped.is_anew {
                    self.next = Some(now + MINUTE);
                }
                if !wiped.is_done {
                    return Ok(());
                }
                self.traces.clear();
                // What only they had in common with nobody goes, too.
                database.begin_sweep(true)
            }
            Err(fault @ (Fault::Full | Fault::Locked)) => {
                // All else can be written: it is no trouble of the store's.
                self.next = Some(now + HOUR);
                tell!(STORE_NOT_WIPED, file = file, error = fault.to_string());
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }
}
