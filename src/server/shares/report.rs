//! Report of who was let go: for each owner a line a minute with a count, and no more
//! lines than a reader looks at.

use super::Shares;
use crate::event::tell;
use crate::util::sync::lock;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::sleep;

/// Number of owners that are counted apart, and of those that a line is said of.
const OWNERS: (usize, usize) = (4096, 8);
/// Time until the first line, which shall have a count, and between two.
const SAY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Numbers of connections that were let go since the last line.
#[derive(Debug, Default)]
pub(super) struct Report {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    by_owner: HashMap<IpAddr, usize>,
    /// Number of those whose owners are not counted apart.
    others: usize,
    /// True while there is a task that says it.
    is_followed: bool,
}

impl Report {
    /// Notes that a connection of `owner` was let go.
    pub(super) fn note(&self, shares: &Arc<Shares>, owner: IpAddr) {
        let mut counts = lock(&self.counts);
        if counts.by_owner.len() < OWNERS.0 || counts.by_owner.contains_key(&owner) {
            *counts.by_owner.entry(owner).or_default() += 1;
        } else {
            counts.others += 1;
        }
        if !counts.is_followed
            && let Ok(runtime) = Handle::try_current()
        {
            counts.is_followed = true;
            runtime.spawn(follow(Arc::clone(shares)));
        }
    }

    fn take(&self) -> Option<(Vec<(IpAddr, usize)>, usize)> {
        let mut counts = lock(&self.counts);
        counts.is_followed = !counts.by_owner.is_empty();
        let mut by_owner: Vec<_> = counts.by_owner.drain().collect();
        by_owner.sort_unstable_by_key(|(owner, count)| (Reverse(*count), *owner));
        let others = std::mem::take(&mut counts.others);
        counts.is_followed.then_some((by_owner, others))
    }
}

/// Says what there is to say until there is nothing more.
async fn follow(shares: Arc<Shares>) {
    sleep(SAY.0).await;
    while let Some((by_owner, others)) = shares.report.take() {
        let (named, rest) = by_owner.split_at(by_owner.len().min(OWNERS.1));
        for (owner, count) in named {
            tell!(
                CONNECTIONS_LET_GO,
                peer = shown(*owner),
                count = *count,
                held = lock(&shares.table).count(*owner),
            );
        }
        let others = others + rest.iter().map(|(_, count)| count).sum::<usize>();
        if others > 0 {
            tell!(CONNECTIONS_LET_GO_MORE, count = others);
        }
        sleep(SAY.1).await;
    }
}

/// Returns an owner as the log names it; `None` where all are one.
fn shown(owner: IpAddr) -> Option<String> {
    match owner {
        IpAddr::V4(ip) if ip.is_unspecified() => None,
        IpAddr::V4(ip) => Some(ip.to_string()),
        IpAddr::V6(ip) => Some(format!("{ip}/56")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Semaphore;

    #[test]
    fn owners_are_counted_the_biggest_first_and_no_more_than_there_is_room_for() {
        let report = Report::default();
        let shares = Arc::new(Shares::new(1, Arc::new(Semaphore::new(0)), true));
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        for number in 0..5000 {
            report.note(&shares, address(number));
        }
        report.note(&shares, address(7));
        let (by_owner, others) = report.take().unwrap();
        assert_eq!(by_owner.len(), OWNERS.0);
        assert_eq!(by_owner[0], (address(7), 2));
        assert_eq!(others, 5000 - OWNERS.0);
        assert!(report.take().is_none(), "it is said once");
    }

    #[test]
    fn networks_are_shown_with_their_length() {
        let shown = |text: &str| shown(text.parse().unwrap());
        assert_eq!(shown("192.0.2.1").as_deref(), Some("192.0.2.1"));
        assert_eq!(shown("2001:db8::").as_deref(), Some("2001:db8::/56"));
        assert_eq!(shown("0.0.0.0"), None);
    }
}
