//! Fleet: from the state folder to the memory that answers, and the clock of its terms.

use crate::app::clock::built;
use crate::config::Settings;
use crate::event::text::Text;
use crate::event::{self, tell};
use crate::fleet::orders::Orders;
use crate::fleet::state_folder::StateFolder;
use crate::fleet::{Content, DeviceId, Fleet, FleetStart, TokenKey};
use crate::util::addresses::own_addresses;
use crate::util::supervise::Supervisor;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{MissedTickBehavior, interval};

/// Period in which terms are looked at.
const TICK: Duration = Duration::from_secs(1);
/// Number of ticks between two looks at the addresses of this machine.
const NETWORK_LOOK: u32 = 3;

/// Makes the memory of devices, and reads the orders about them.
pub(super) fn fleet(settings: &Settings, state: Option<&StateFolder>) -> (Arc<Fleet>, Orders) {
    let (orders, odd) = Orders::open(state);
    odd.iter().for_each(event::say);
    let retries = orders.retries().into_iter().map(|order| {
        let at = order.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        (DeviceId::new(&order.device), order.content.map(Content), at)
    });
    let fleet = Fleet::new(FleetStart {
        settings: settings.fleet,
        key: key(state),
        built: built(),
        is_kept: false,
        retries: retries.collect(),
    });
    if orders.is_unknown() {
        fleet.is_newer();
    }
    (Arc::new(fleet), orders)
}

/// Returns the key of tokens. Where it cannot be kept, tokens count until the next start.
fn key(state: Option<&StateFolder>) -> TokenKey {
    let made = || {
        let mut bytes = [0; 32];
        // Without randomness there is no TLS either, and no start.
        let _ = aws_lc_rs::rand::fill(&mut bytes);
        bytes
    };
    let kept = state.map(|folder| {
        folder.key().inspect_err(|error| {
            let dir = folder.path();
            tell!(STATE_UNWRITABLE, dir = dir, error = error);
        })
    });
    TokenKey::new(&kept.and_then(Result::ok).unwrap_or_else(made))
}

/// Keeps the clock of the fleet's terms.
pub(super) fn keep(supervisor: &Supervisor, fleet: &Arc<Fleet>) {
    let (kept, fleet) = (supervisor.clone(), Arc::clone(fleet));
    tokio::spawn(async move {
        let tick = || tick(&fleet);
        kept.task(Text::new("跟踪升级结果", "the following of offers"), tick)
            .await;
    });
}

async fn tick(fleet: &Arc<Fleet>) {
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
        fleet.tick(has_network, SystemTime::now());
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
