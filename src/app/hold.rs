//! The hold on the state folder while this server runs: whether it is still ours, and what
//! goes on in a folder that was taken in the place of another.

use super::admin::RunningAdmin;
use super::fleet::{Known, retries};
use crate::event::say;
use crate::event::text::Text;
use crate::fleet::state_folder::StateFolder;
use crate::util::supervise::{Supervisor, blocking};
use crate::util::sync::lock;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::time::{MissedTickBehavior, interval};

/// Period between two looks at the folder.
const LOOK: Duration = Duration::from_secs(1);

/// Everybody who is told that another folder was taken.
#[derive(Clone)]
pub(super) struct Hold {
    folder: StateFolder,
    known: Known,
    /// The admin address; `None` where it is off.
    admin: Option<RunningAdmin>,
}

/// State of what follows from another folder.
#[derive(Default)]
struct Done {
    /// Number of the folder that all have gone on in.
    number: u64,
    /// True once it was said that the orders could not be written.
    is_said: bool,
}

/// Looks at the state folder each second, where there is one.
pub(super) fn keep(supervisor: &Supervisor, hold: Option<Hold>) {
    let Some(hold) = hold else {
        return;
    };
    let kept = supervisor.clone();
    let done = Arc::new(Mutex::new(Done::default()));
    tokio::spawn(async move {
        let watch = || watch(&hold, &done);
        kept.task(
            Text::new("查看状态目录", "the look at the state folder"),
            watch,
        )
        .await;
    });
}

async fn watch(hold: &Hold, done: &Arc<Mutex<Done>>) {
    let mut every = interval(LOOK);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let (hold, done) = (hold.clone(), Arc::clone(done));
        // A share that hangs holds up this look alone.
        blocking(move || hold.look(&mut lock(&done))).await;
    }
}

impl Hold {
    /// Makes one, where there is a folder to hold.
    pub(super) fn new(
        folder: Option<&StateFolder>,
        known: &Known,
        admin: Option<&RunningAdmin>,
    ) -> Option<Self> {
        Some(Self {
            folder: folder?.clone(),
            known: known.clone(),
            admin: admin.cloned(),
        })
    }

    fn look(&self, done: &mut Done) {
        let Ok(number) = self.folder.look() else {
            return;
        };
        if number == done.number {
            if self.known.orders.is_unknown() {
                self.known.orders.read_again();
                self.known.hear_orders();
            }
            return;
        }
        if let Err(event) = self.known.orders.follow() {
            if !done.is_said {
                say(&event);
            }
            done.is_said = true;
            return;
        }
        let orders = retries(&self.known.orders);
        self.known.fleet.ordered(orders, SystemTime::now());
        if let Some(admin) = &self.admin {
            admin.read_own();
        }
        *done = Done {
            number,
            is_said: false,
        };
    }
}
