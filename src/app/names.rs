//! Looks up the names that devices are handed, off the way of every request.

use crate::ota::address_audit::Lookup;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Time for all names together. The resolver waits longer for a server that is silent,
/// and is left to it.
const DEADLINE: Duration = Duration::from_secs(5);

/// Looks up names, all at once. Blocks for a while.
pub(super) fn look_up(names: Vec<String>) -> Vec<Lookup> {
    let until = Instant::now() + DEADLINE;
    let asked: Vec<_> = names
        .into_iter()
        .map(|name| {
            let (answer, answered) = mpsc::channel();
            let host = name.clone();
            let begun = thread::Builder::new()
                .name("names".to_owned())
                .spawn(move || {
                    // Nobody listens any more where it took too long.
                    let _ = answer.send(addresses(&host));
                });
            (name, begun.map(|_| answered))
        })
        .collect();
    let lookups = asked.into_iter().map(|(host, answered)| {
        let found = answered.and_then(|answered| {
            let left = until.saturating_duration_since(Instant::now());
            let late = |_| Err(io::Error::from(io::ErrorKind::TimedOut));
            answered.recv_timeout(left).unwrap_or_else(late)
        });
        let found = found.map_err(|error| reason(&error));
        Lookup { host, found }
    });
    lookups.collect()
}

fn addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> = (host, 0)
        .to_socket_addrs()?
        .map(|address| address.ip().to_canonical())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses)
}

/// Returns the resolver's own words, without those of Rust in front.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.rsplit_once("address information: ");
    words.map_or(text.as_str(), |(_, words)| words).to_owned()
}
