//! Account of the log: bytes of lines that it takes, in all and of each client. Pure.
//!
//! A second brings so many bytes, and [`SECONDS`] of them may be owed at once. What is owed
//! is known of each client, too, and goes down with the whole: nobody may owe more than
//! [`TIMES`] what is left. So one client alone has three quarters of the burst and then the whole
//! rate, thousands of devices behind its router among them; of a hundred that each send
//! more than there is room for, all have the same, and whoever comes with a line or two
//! always finds room. A reserve is for what no client makes: errors, and what is said of the
//! server itself.

use crate::event::{Event, event};
use crate::util::network::{CUSTOMER, customer};
use crate::util::size::shown;
use jiff::Timestamp;
use std::cmp::Reverse;
use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

/// Number of seconds of which all bytes may come at once.
const SECONDS: u8 = 4;
/// Part of those, as a divisor, that clients leave to the server.
const RESERVE: f64 = 16.0;
/// Number of times that one client may owe what is left.
const TIMES: f64 = 3.0;

/// Number of cells that clients' debts are kept in. Each client has three of them, and what
/// it owes is the smallest, so that of a thousand who owe much hardly one makes another owe
/// what is theirs. Nobody is forgotten, and no number of clients makes it more.
const CELLS: usize = 1 << 14;

/// Number of clients whose lines that are left out are counted.
const COUNTED: usize = 64;
/// Number of those that are named.
const NAMED: usize = 3;

/// Microseconds from the first line that is left out until that is said.
const SOON: i64 = 1_000_000;
/// Microseconds between two such lines.
const MINUTE: i64 = 60_000_000;
/// Microseconds by which one thread may have read the clock before another, and come here
/// after it. More is a clock that was set back.
const BESIDE: i64 = 10_000_000;

/// Origin of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The server.
    Server,
    /// A client; `None` where it is not known.
    Client(Option<IpAddr>),
}

/// Room for a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// There is some.
    Some,
    /// There is none, for the first time since it was last told.
    NoMore,
    /// There is none.
    None,
}

/// Returns the bytes of lines that may come at once, where a second brings `rate`.
pub(super) fn burst(rate: u32) -> u64 {
    u64::from(SECONDS) * u64::from(rate)
}

/// Account of the log.
#[derive(Debug)]
pub(super) struct Account {
    /// Bytes of lines that a second brings.
    rate: u32,
    /// Time up to which it is reckoned, in microseconds.
    at: i64,
    owed: f64,
    cells: Box<[Cell]>,
    hasher: RandomState,
    /// Number of times that nothing was owed: what a cell holds of an earlier one is paid.
    round: u32,
    /// Factor of what stands in the cells, so that it goes down for all of them at once.
    scale: f64,
    left_out: LeftOut,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    round: u32,
    owed: f64,
}

/// Lines that were left out since that was last told.
#[derive(Debug, Default)]
struct LeftOut {
    lines: u64,
    bytes: u64,
    /// Time of the first.
    since: i64,
    /// Time at which it is told.
    due: i64,
    clients: Vec<(Option<IpAddr>, u64)>,
}

impl Account {
    /// Opens an account to which a second brings `rate` bytes.
    pub(super) fn new(rate: u32, now: Timestamp) -> Self {
        Self {
            rate,
            at: now.as_microsecond(),
            owed: 0.0,
            cells: vec![Cell::default(); CELLS].into(),
            hasher: RandomState::default(),
            round: 1,
            scale: 1.0,
            left_out: LeftOut {
                due: i64::MIN,
                ..LeftOut::default()
            },
        }
    }

    /// Takes lines, or leaves them out and counts them.
    pub(super) fn take(&mut self, whose: Whose, lines: &str, now: Timestamp) -> Room {
        self.pay(now.as_microsecond());
        let bytes = f64::from(u32::try_from(lines.len()).unwrap_or(u32::MAX));
        let burst = f64::from(SECONDS) * f64::from(self.rate);
        let left = burst - self.owed;
        let client = match whose {
            Whose::Server if bytes <= left => {
                self.owed += bytes;
                return Room::Some;
            }
            Whose::Server => None,
            Whose::Client(client) => {
                let client = client.map(customer);
                let left = left - burst / RESERVE;
                let cells = self.cells_of(client);
                let held = cells.map(|cell| self.in_cell(cell));
                let owed = held.into_iter().fold(f64::MAX, f64::min) + bytes;
                if bytes <= left && owed <= TIMES * left {
                    self.owed += bytes;
                    let round = self.round;
                    for (cell, has) in cells.into_iter().zip(held) {
                        let owed = owed.max(has) / self.scale;
                        self.cells[cell] = Cell { round, owed };
                    }
                    return Room::Some;
                }
                client
            }
        };
        self.left_out.count(client, lines, self.at)
    }

    /// Takes off what the time since the last line has brought.
    fn pay(&mut self, now: i64) {
        let passed = now.saturating_sub(self.at);
        if passed < -BESIDE {
            self.at = now;
        }
        let Ok(passed) = u32::try_from(passed.min(MINUTE)) else {
            return;
        };
        self.at = now;
        if self.owed == 0.0 {
            return;
        }
        let before = self.owed;
        self.owed -= f64::from(self.rate) * f64::from(passed) / 1e6;
        if self.owed > 0.0 {
            self.scale *= self.owed / before;
            if self.scale < 1e-9 {
                for cell in &mut self.cells {
                    cell.owed *= self.scale;
                }
                self.scale = 1.0;
            }
        } else {
            self.owed = 0.0;
            self.scale = 1.0;
            self.round = self.round.wrapping_add(1);
        }
    }

    fn cells_of(&self, client: Option<IpAddr>) -> [usize; 3] {
        let hash = self.hasher.hash_one(client).to_le_bytes();
        [0, 2, 4].map(|at| usize::from(u16::from_le_bytes([hash[at], hash[at + 1]])) % CELLS)
    }

    fn in_cell(&self, cell: usize) -> f64 {
        let Cell { round, owed } = self.cells[cell];
        if round == self.round {
            owed * self.scale
        } else {
            0.0
        }
    }

    /// Tells whether something was left out that was not told.
    pub(super) fn is_to_be_told(&self) -> bool {
        self.left_out.lines > 0
    }

    /// Tells what was left out, if it is time to, or at the end.
    pub(super) fn tell(&mut self, now: Timestamp, is_end: bool) -> Option<Event> {
        let now = now.as_microsecond();
        let left_out = &mut self.left_out;
        // The clock may have been set back.
        left_out.due = left_out.due.min(now.saturating_add(MINUTE));
        if left_out.lines == 0 || now < left_out.due && !is_end {
            return None;
        }
        let next = LeftOut {
            due: now.saturating_add(MINUTE),
            ..LeftOut::default()
        };
        let LeftOut {
            lines,
            bytes,
            since,
            mut clients,
            ..
        } = std::mem::replace(left_out, next);
        clients.sort_unstable_by_key(|(_, lines)| Reverse(*lines));
        let busiest: Vec<String> = clients
            .iter()
            .filter_map(|(client, lines)| Some(format!("{} ({lines})", named((*client)?))))
            .take(NAMED)
            .collect();
        let seconds = u64::try_from(now.saturating_sub(since)).unwrap_or_default();
        Some(event!(
            LOG_LEFT_OUT,
            lines = lines,
            bytes = bytes,
            seconds = seconds.div_ceil(1_000_000),
            rate = shown(u64::from(self.rate)),
            burst = shown(burst(self.rate)),
            busiest = (!busiest.is_empty()).then_some(&*busiest)
        ))
    }
}

impl LeftOut {
    /// Counts lines that are left out.
    fn count(&mut self, client: Option<IpAddr>, text: &str, now: i64) -> Room {
        let is_first = self.lines == 0;
        if is_first {
            self.since = now;
            self.due = self.due.max(now.saturating_add(SOON));
        }
        let lines = text.matches('\n').count() as u64;
        self.lines += lines;
        self.bytes += text.len() as u64;
        if let Some((_, count)) = self.clients.iter_mut().find(|(known, _)| *known == client) {
            *count += lines;
        } else if self.clients.len() < COUNTED {
            self.clients.push((client, lines));
        } else {
            // Who has many stays, and of nobody more is said than there were.
            self.clients.retain_mut(|(_, count)| {
                *count = count.saturating_sub(lines);
                *count > 0
            });
        }
        if is_first { Room::NoMore } else { Room::None }
    }
}

fn named(client: IpAddr) -> String {
    let mut name = client.to_string();
    if client.is_ipv6() {
        // Writing to a String cannot fail.
        let _ = write!(name, "/{CUSTOMER}");
    }
    name
}

#[cfg(test)]
mod tests;
