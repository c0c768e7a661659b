//! Fleet: from the state folder to the memory that answers, and the clock of its terms.

use crate::app::clock::built;
use crate::config::Settings;
use crate::event::text::Text;
use crate::event::{self, tell};
use crate::fleet::journal::{Journal, Kept};
use crate::fleet::orders::Orders;
use crate::fleet::state_folder::StateFolder;
use crate::fleet::{Content, DeviceId, Fleet, FleetStart, Knowledge, LastReplies, Retry, TokenKey};
use crate::util::addresses::own_addresses;
use crate::util::counts::COUNTS;
use crate::util::once::HOUR;
use crate::util::supervise::{Supervisor, blocking};
use crate::util::threads::NoThread;
use arc_swap::ArcSwap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Longest time that the store may hold up the first answer, and between two looks at it.
const FIRST_READ: Duration = Duration::from_millis(300);
const LOOK: Duration = Duration::from_millis(5);
/// Period in which terms are looked at.
const TICK: Duration = Duration::from_secs(1);
/// Time between two counts of the devices that the server behind holds, at least.
const HELD_LOOK: Duration = Duration::from_secs(2);
/// Number of rounds in which terms end at one tick: some 50,000 of them, as many as the store
/// takes in a second.
const ROUNDS: usize = 50;
/// Number of ticks between two looks at the addresses of this machine.
const NETWORK_LOOK: u32 = 3;

/// Parts of what is known of devices.
#[derive(Clone)]
pub(super) struct Known {
    /// Memory, which answers.
    pub(super) fleet: Arc<Fleet>,
    /// Orders of people.
    pub(super) orders: Arc<Orders>,
    /// Writer of the store.
    pub(super) journal: Arc<Journal>,
    /// Last replies of the server behind, in upstream mode.
    pub(super) replies: Arc<LastReplies>,
}

/// Makes the memory of devices, reads the orders about them, and begins to read what earlier
/// runs knew.
///
/// # Errors
///
/// There is no thread for the store.
pub(super) fn known(settings: &Settings, state: Option<&StateFolder>) -> Result<Known, NoThread> {
    let (orders, odd) = Orders::open(state);
    odd.iter().for_each(event::say);
    let fleet = Fleet::new(FleetStart {
        settings: settings.fleet,
        room: settings.devices,
        key: key(state),
        built: built(),
        is_kept: state.is_some(),
        retries: retries(&orders),
    });
    fleet.orders_are_unknown(orders.is_unknown());
    let fleet = Arc::new(fleet);
    let journal = Journal::start(state, Arc::clone(&fleet) as Arc<dyn Kept>)?;
    Ok(Known {
        fleet,
        orders: Arc::new(orders),
        journal: Arc::new(journal),
        replies: Arc::new(LastReplies::new(state)),
    })
}

impl Known {
    /// Takes whether orders can be read by now, and what they say where they could not before.
    pub(super) fn hear_orders(&self) {
        let are_unknown = self.orders.is_unknown();
        if !are_unknown && self.fleet.has_unknown_orders() {
            self.fleet.ordered(retries(&self.orders), SystemTime::now());
        }
        self.fleet.orders_are_unknown(are_unknown);
    }
}

/// Returns the orders in force to try images again.
pub(super) fn retries(orders: &Orders) -> Vec<Retry> {
    let retries = orders.retries().into_iter().map(|order| {
        let at = order.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        (DeviceId::new(&order.device), order.content.map(Content), at)
    });
    retries.collect()
}

/// Returns the key of tokens. Where it cannot be kept, tokens count until the next start.
fn key(state: Option<&StateFolder>) -> TokenKey {
    let made = || {
        let mut bytes = [0; 32];
        // Without randomness there is no TLS either, and no start.
        let _ = aws_lc_rs::rand::fill(&mut bytes);
        bytes
    };
    let Some(folder) = state else {
        return TokenKey::new(&made());
    };
    TokenKey::new(&folder.key().unwrap_or_else(|error| {
        let dir = folder.path();
        tell!(STATE_UNWRITABLE, dir = dir, error = &error);
        let key = made();
        folder.remember_key(key);
        key
    }))
}

/// Keeps the clock of the fleet's terms.
pub(super) fn keep(supervisor: &Supervisor, known: &Known) {
    let (kept, known) = (supervisor.clone(), known.clone());
    tokio::spawn(async move {
        let tick = || tick(&known);
        kept.task(Text::new("跟踪升级结果", "the following of offers"), tick)
            .await;
    });
}

/// Waits until it is known what failed on devices, for a moment at most: until then nothing
/// is offered.
pub(super) async fn wait(known: &Known) {
    let is_known = async {
        while known.fleet.knowledge() == Knowledge::Nothing {
            sleep(LOOK).await;
        }
    };
    // A large store, or one that is locked, holds up no answer.
    let _ = timeout(FIRST_READ, is_known).await;
}

/// Writes what the store lacks, and ends its writer.
pub(super) async fn end(known: &Known) {
    let (journal, replies) = (Arc::clone(&known.journal), Arc::clone(&known.replies));
    blocking(move || {
        journal.end();
        replies.end();
    })
    .await;
}

/// Counts the devices that the server behind has offered nothing, while there is one: for
/// whoever measures, and for the log.
pub(super) fn count_held(supervisor: &Supervisor, known: &Known, running: &Arc<ArcSwap<Settings>>) {
    let (kept, fleet) = (supervisor.clone(), Arc::clone(&known.fleet));
    let running = Arc::clone(running);
    tokio::spawn(async move {
        let part = Text::new(
            "统计上游未放行的设备",
            "the count of devices that the upstream holds",
        );
        let count = || keep_count(&fleet, &running);
        kept.task(part, count).await;
    });
}

async fn keep_count(fleet: &Arc<Fleet>, running: &ArcSwap<Settings>) {
    let mut said = SaidHeld::default();
    let mut pause = HELD_LOOK;
    loop {
        sleep(pause).await;
        // Before all is read, the numbers grow with what is.
        if running.load().upstream.is_none() || fleet.knowledge() != Knowledge::Everything {
            COUNTS.set_held([0; 2]);
            continue;
        }
        let (fleet, begin) = (Arc::clone(fleet), Instant::now());
        let held = blocking(move || fleet.held()).await;
        // A million devices take tenths of a second: one look in a hundred of that.
        pause = HELD_LOOK.max(begin.elapsed() * 100);
        let Some(held) = held else { continue };
        COUNTS.set_held(held);
        if said.is_due(held, Instant::now()) {
            let [unbound, off] = held;
            tell!(UPSTREAM_HOLDS, unbound = unbound, off = off);
        }
    }
}

/// Numbers of held devices that were said last, and when.
#[derive(Debug, Default)]
struct SaidHeld {
    held: [u64; 2],
    at: Option<Instant>,
}

impl SaidHeld {
    /// Tells whether these are to be said now: the first of any at once, a change after an
    /// hour.
    fn is_due(&mut self, held: [u64; 2], now: Instant) -> bool {
        let is_early = |at| now.saturating_duration_since(at) < HOUR;
        if held == self.held || self.at.is_some_and(is_early) {
            return false;
        }
        (self.held, self.at) = (held, Some(now));
        true
    }
}

async fn tick(known: &Known) {
    let mut every = interval(TICK);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut until_look, mut has_network) = (0, true);
    loop {
        every.tick().await;
        if until_look == 0 {
            has_network = own_addresses().iter().any(is_of_network);
            until_look = NETWORK_LOOK;
        }
        until_look -= 1;
        for _ in 0..ROUNDS {
            if !known.fleet.tick(has_network, SystemTime::now()) {
                break;
            }
            // Who waits for a connection waits for no million devices.
            yield_now().await;
        }
        known.hear_orders();
        let lag = Duration::from_millis(known.journal.health().lag_ms);
        COUNTS.set_store_lag(lag);
    }
}

/// Tells whether devices may reach an address: one that a machine gives itself while it has
/// no network is none.
fn is_of_network(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_link_local(),
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_are_held_are_said_at_once_and_a_change_after_an_hour() {
        let (mut said, begin) = (SaidHeld::default(), Instant::now());
        let mut at = |minutes: u32, held| said.is_due(held, begin + minutes * HOUR / 60);
        assert!(!at(0, [0, 0]));
        assert!(at(10, [1, 0]));
        assert!(!at(11, [1, 1]) && !at(69, [20, 1]));
        assert!(at(70, [21, 2]));
        assert!(!at(200, [21, 2]));
        assert!(at(201, [0, 0]));
    }
}
