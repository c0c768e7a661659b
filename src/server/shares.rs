//! Shares of connections: when they run short, one address gets no more than its share,
//! so that one bad client cannot lock out everybody else.

use crate::util::sync::lock;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

/// Number of connections that an address may always hold: a household, an office.
const ALWAYS: usize = 64;

/// Counts connections by address.
#[derive(Debug)]
pub(super) struct Shares {
    limit: usize,
    /// Permits that are left for all.
    permits: Arc<Semaphore>,
    held: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection of an address; taken off the count when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Arc<Shares>,
    address: IpAddr,
}

impl Shares {
    /// Makes shares of `limit` connections in all, of which `permits` are left.
    pub(super) fn new(limit: usize, permits: Arc<Semaphore>) -> Self {
        Self {
            limit,
            permits,
            held: Mutex::default(),
        }
    }

    /// Counts one more connection of `address`. `None` if fewer than a quarter
    /// of all are left and it has a sixteenth already.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Share> {
        let address = owner(address);
        let free = self.permits.available_permits();
        let mut held = lock(&self.held);
        let count = held.entry(address).or_default();
        if free < self.limit / 4 && *count >= ALWAYS.max(self.limit / 16) {
            return None;
        }
        *count += 1;
        Some(Share {
            shares: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = lock(&self.shares.held);
        if let Some(count) = held.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.address);
            }
        }
    }
}

/// Returns the network that counts as one client: a customer's IPv6 network is a /64.
pub(crate) fn owner(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_gets_its_share_and_no_more_when_it_is_short() {
        let permits = Arc::new(Semaphore::new(1600));
        let shares = Arc::new(Shares::new(1600, Arc::clone(&permits)));
        let take = |address| {
            let share = shares.take(address)?;
            permits.forget_permits(1);
            Some(share)
        };
        let greedy = IpAddr::from([192, 0, 2, 1]);
        let held: Vec<_> = (0..1201).filter_map(|_| take(greedy)).collect();
        assert_eq!(held.len(), 1201, "there is plenty");
        assert!(take(greedy).is_none());
        let other = IpAddr::from([192, 0, 2, 2]);
        let others: Vec<_> = (0..101).filter_map(|_| take(other)).collect();
        assert_eq!(others.len(), 100);
        drop(held);
        assert!(take(greedy).is_some());
        drop(others);
        assert!(shares.held.lock().is_ok_and(|held| held.is_empty()));
    }

    #[test]
    fn an_ipv6_network_is_one_owner() {
        let ip = |text: &str| text.parse().unwrap();
        assert_eq!(owner(ip("2001:db8::1")), owner(ip("2001:db8::ffff:1")));
        assert_ne!(owner(ip("2001:db8::1")), owner(ip("2001:db8:0:1::1")));
        assert_eq!(owner(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
    }
}
