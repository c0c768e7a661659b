//! Shares of connections. What runs short is held by those who don't ask: a connection
//! *waits* from accept, and from the first byte of a next request, until all of a request
//! has come. One owner of addresses has no more than its share of such connections, and
//! when none is free, one of the biggest owner's goes. Who has asked is never in the way:
//! downloads, answers and tunnels count for nobody.
//!
//! Where requests are somebody's who can be known, the admin address, asking is not enough:
//! a connection waits until its client [is known](Acquaintance), so that no stranger who reads no
//! answer holds what those need whose address it is.
//!
//! Only whoever has it in its own hands goes. A connection that is to go reads first what
//! has come, and stays where that is all of its request, or a step of the handshake that
//! waited for us.

mod report;
mod table;

use crate::util::counts::{COUNTS, Counts, TurnedAway};
use crate::util::network::customer;
use crate::util::sync::{lock, take_one};
use futures_util::task::AtomicWaker;
use report::Report;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;
use table::Table;
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep_until};

/// Number of waiting connections that an owner may always have: a household, an office.
const ALWAYS: usize = 64;
/// Time that every connection has for its request, whoever else wants to come. A line
/// that loses a packet sends it again within this.
pub(super) const OLD: Duration = Duration::from_secs(3);

/// Connections that wait, of all ports.
#[derive(Debug)]
pub(super) struct Shares {
    limit: usize,
    /// Permits that are left for all.
    permits: Arc<Semaphore>,
    /// False where all come from one proxy, which names nobody.
    is_fair: bool,
    /// True where a client that is not known waits, whatever it has asked.
    knows_clients: bool,
    /// Number of connections of known clients that may not have all.
    guests: AtomicUsize,
    begun: Instant,
    /// True while connections are short; may lag behind.
    is_short: AtomicBool,
    table: Mutex<Table<Arc<Wait>>>,
    report: Report,
    /// Counts of what becomes of them, if it is counted.
    meter: Option<&'static Counts>,
}

/// Client, as the shares see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    owner: IpAddr,
    has_share: bool,
}

/// Answer to who asks for a permit where none is free.
#[derive(Debug)]
pub(super) enum Room {
    /// This one goes.
    Made(Arc<Wait>),
    /// Nobody has to go: the permits are held by those who asked, or have just come.
    None,
    /// The client itself has its share.
    Refused,
}

/// State of a connection that stays.
const STAYS: u8 = 0;
/// State of one that is to go as it is.
const GOES: u8 = 1;
/// State of one that is to close as HTTP does it, behind what it still has to say.
const CLOSES: u8 = 2;
/// State of one that has heard of it.
const CLOSING: u8 = 3;
/// State of one that has ended.
const ENDED: u8 = 4;

/// Way in which a connection is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Going {
    /// Now: no whole request has come.
    Now,
    /// Between two requests.
    Politely,
}

/// Connection as the table has it, where others decide whether it may stay.
#[derive(Debug)]
pub(super) struct Wait {
    shares: Arc<Shares>,
    owner: IpAddr,
    /// Twice its number in the table, and one more where it rests; 0 where it is not in
    /// there. Written with the table locked.
    at: AtomicU64,
    state: AtomicU8,
    waker: AtomicWaker,
    is_known: AtomicBool,
    is_guest: AtomicBool,
}

/// The client of a request, as it is handed to who can tell whether it is known.
#[derive(Debug, Clone)]
pub(crate) struct Acquaintance(Arc<Wait>);

/// A connection among all, to its end.
#[derive(Debug)]
pub(super) struct Place {
    wait: Arc<Wait>,
    /// Time at which one that came beyond its owner's share must have asked.
    probation: Option<Pin<Box<Sleep>>>,
}

impl Shares {
    /// Makes shares of `limit` connections in all, of which `permits` are left.
    pub(super) fn new(limit: usize, permits: Arc<Semaphore>, is_fair: bool) -> Self {
        Self {
            limit,
            permits,
            is_fair,
            knows_clients: false,
            guests: AtomicUsize::new(0),
            begun: Instant::now(),
            is_short: AtomicBool::new(false),
            table: Mutex::default(),
            report: Report::default(),
            meter: None,
        }
    }

    /// Has what becomes of these connections counted, if they are devices': what
    /// `/metrics` shows is held against the permits of those.
    #[must_use]
    pub(super) fn measured(self, are_devices: bool) -> Self {
        Self {
            meter: are_devices.then_some(&COUNTS),
            ..self
        }
    }

    /// Has clients wait until they are known, if they can be.
    #[must_use]
    pub(super) fn knowing(self, knows_clients: bool) -> Self {
        Self {
            knows_clients,
            ..self
        }
    }

    /// Returns where what becomes of these connections is counted, if it is.
    pub(super) fn meter(&self) -> Option<&'static Counts> {
        self.meter
    }

    /// Returns the client at an address. Of one that brings many, or is not known yet,
    /// `has_share` is false.
    pub(super) fn client(&self, address: IpAddr, has_share: bool) -> Client {
        Client {
            owner: if self.is_fair {
                customer(address)
            } else {
                Ipv4Addr::UNSPECIFIED.into()
            },
            has_share: has_share && self.is_fair,
        }
    }

    /// Lets a connection in that has its permit and waits from `now` on. `None` if its
    /// owner has its share.
    ///
    /// While half of all are free, nobody is in anybody's way: thousands of devices behind
    /// one router may shake hands at once, as slowly as they like. Below that the share is
    /// a quarter of what is free. Beyond it its own longest-waiting one makes room; where
    /// none is old, it may come on probation, but does not get the last permit.
    pub(super) fn enter(self: &Arc<Self>, client: Client, now: Instant) -> Option<Place> {
        let owner = client.owner;
        let wait = Arc::new(Wait {
            shares: Arc::clone(self),
            owner,
            at: AtomicU64::new(0),
            state: AtomicU8::new(STAYS),
            waker: AtomicWaker::new(),
            is_known: AtomicBool::new(false),
            is_guest: AtomicBool::new(false),
        });
        let free = self.permits.available_permits();
        let age = now.duration_since(self.begun);
        let (mut goes, mut probation) = (None, None);
        let mut table = self.ranked(free);
        if client.has_share && table.count(owner) >= self.share(free) {
            goes = let_old_go(&mut table, owner, age);
            if goes.is_none() && free == 0 {
                return None;
            }
            if goes.is_none() {
                probation = Some(Box::pin(sleep_until(now + OLD)));
            }
        }
        let number = table.wait(owner, age, Arc::clone(&wait));
        wait.at.store(2 * number, Relaxed);
        drop(table);
        if let Some(goes) = goes {
            goes.hear();
        }
        Some(Place { wait, probation })
    }

    /// Makes room for a client that has no permit yet, where none is free: the
    /// longest-waiting one of the biggest owner goes, if it is old, or of any age where
    /// half of all do nothing but wait; else one that rests between two requests.
    pub(super) fn make_room(&self, client: Client, now: Instant) -> Room {
        let age = now.duration_since(self.begun);
        let mut table = self.ranked(0);
        let mut goes = None;
        if client.has_share && table.count(client.owner) >= self.share(0) {
            goes = let_old_go(&mut table, client.owner, age);
            if goes.is_none() {
                return Room::Refused;
            }
        }
        goes = goes.or_else(|| {
            let is_any = 2 * table.waiting() >= self.limit;
            let latest = if is_any { age } else { age.checked_sub(OLD)? };
            let owner = table.biggest()?;
            let goes = table.let_longest_go(owner, latest)?;
            goes.is_asked(GOES);
            Some(goes)
        });
        let idle = if goes.is_none() {
            table.take_idle()
        } else {
            None
        };
        if let Some(idle) = &idle {
            idle.is_asked(CLOSES);
        }
        drop(table);
        match (goes, idle) {
            (Some(goes), _) => {
                goes.hear();
                Room::Made(goes)
            }
            (None, Some(idle)) => {
                idle.waker.wake();
                Room::Made(idle)
            }
            (None, None) => Room::None,
        }
    }

    /// Returns the numbers of those that wait and of those that rest.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        let table = lock(&self.table);
        (table.waiting(), table.resting())
    }

    /// Returns the table, ranked if connections are short.
    fn ranked(&self, free: usize) -> MutexGuard<'_, Table<Arc<Wait>>> {
        let mut table = lock(&self.table);
        let short = ALWAYS.max(self.limit / 4);
        let is_short = table.rank(free, short, short.max(self.limit / 2));
        if is_short != self.is_short.load(Relaxed) {
            self.is_short.store(is_short, Relaxed);
        }
        table
    }

    /// Returns the number of waiting connections that one owner may have.
    fn share(&self, free: usize) -> usize {
        if free >= self.limit.div_ceil(2) {
            return self.limit;
        }
        ALWAYS.max(free / 4)
    }

    /// Judges one that came on probation. Returns the time of the next look, if there is
    /// to be one.
    fn judge(&self, wait: &Wait) -> Option<Instant> {
        let (free, now) = (self.permits.available_permits(), Instant::now());
        let mut table = self.ranked(free);
        let since = self.begun + table.since(wait.owner, wait.at.load(Relaxed) / 2)?;
        if now < since + OLD {
            return Some(since + OLD);
        }
        if table.count(wait.owner) > self.share(free) {
            table.let_go(wait.owner, wait.at.load(Relaxed) / 2);
            wait.is_asked(GOES);
            drop(table);
            wait.hear();
        }
        None
    }
}

/// Lets the longest-waiting one of an owner go, if it is old.
fn let_old_go(table: &mut Table<Arc<Wait>>, owner: IpAddr, now: Duration) -> Option<Arc<Wait>> {
    let goes = table.let_longest_go(owner, now.checked_sub(OLD)?)?;
    goes.is_asked(GOES);
    Some(goes)
}

impl Wait {
    /// Notes, with the table locked, that it is asked to go; it is not in there any more.
    fn is_asked(&self, state: u8) {
        self.at.store(0, Relaxed);
        self.state.store(state, Release);
    }

    /// Wakes it where it was asked to go for want of a request; without the lock, for that
    /// can be a system call.
    fn hear(&self) {
        self.waker.wake();
        if let Some(meter) = self.shares.meter {
            meter.turned_away(TurnedAway::MadeRoom);
        }
        self.shares.report.note(&self.shares, self.owner);
    }

    /// Returns the address in whose name it waits.
    pub(super) fn owner(&self) -> IpAddr {
        self.owner
    }

    /// Returns whether it was asked to go, and still is on its way.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.state.load(Acquire), GOES | CLOSES | CLOSING)
    }

    /// Tells whether its client could be known, and is not.
    pub(super) fn is_stranger(&self) -> bool {
        self.shares.knows_clients && !self.is_known.load(Relaxed)
    }

    /// Returns its client, where that can be known.
    pub(super) fn acquaintance(self: &Arc<Self>) -> Option<Acquaintance> {
        let knows = self.shares.knows_clients;
        knows.then(|| Acquaintance(Arc::clone(self)))
    }

    /// Notes that all of a request has come: it stays, whatever it was asked, but for a
    /// stranger.
    pub(super) fn has_come(&self) {
        if self.is_stranger() {
            return;
        }
        let mut table = lock(&self.shares.table);
        self.stays(&mut table);
    }

    /// Notes that a part of a request has come. A stranger has waited all the while.
    pub(super) fn waits(self: &Arc<Self>) {
        if !self.is_stranger() {
            self.waits_anew();
        }
    }

    fn waits_anew(self: &Arc<Self>) {
        let now = Instant::now();
        let mut table = lock(&self.shares.table);
        self.stays(&mut table);
        let age = now.duration_since(self.shares.begun);
        let number = table.wait(self.owner, age, Arc::clone(self));
        self.at.store(2 * number, Relaxed);
    }

    /// Notes that it waits from now on, if it waits at all: before, it waited for us.
    pub(super) fn goes_on(self: &Arc<Self>) {
        let is_waiting = self.at.load(Relaxed) > 0 || self.state.load(Acquire) == GOES;
        if is_waiting {
            self.waits_anew();
        }
    }

    /// Notes that it rests between two requests. Returns false where nobody has to know,
    /// for there are connections enough.
    pub(super) fn rests(self: &Arc<Self>) -> bool {
        let is_short = self.shares.is_short.load(Relaxed) && !self.is_stranger();
        if is_short {
            let mut table = lock(&self.shares.table);
            self.leave(&mut table);
            let number = table.rest(Arc::clone(self));
            self.at.store(2 * number + 1, Relaxed);
        }
        is_short
    }

    /// Takes it out of the table, and off the way out.
    fn stays(&self, table: &mut Table<Arc<Self>>) {
        self.leave(table);
        // One that closes does so behind this request.
        let _ = self.state.compare_exchange(GOES, STAYS, AcqRel, Relaxed);
    }

    fn leave(&self, table: &mut Table<Arc<Self>>) {
        match self.at.swap(0, Relaxed) {
            0 => {}
            at if at % 2 == 1 => drop(table.end_rest(at / 2)),
            at => drop(table.end_wait(self.owner, at / 2)),
        }
    }
}

impl Acquaintance {
    /// Notes that the client is known, and stays as whoever has asked does. Of those without
    /// `holds` half of all connections at most do; further ones may be let go as strangers are.
    pub(crate) fn is_known(&self, holds: bool) {
        let wait = &self.0;
        if !wait.is_stranger() {
            return;
        }
        if !holds {
            if !take_one(&wait.shares.guests, wait.shares.limit / 2) {
                return;
            }
            wait.is_guest.store(true, Relaxed);
        }
        wait.is_known.store(true, Relaxed);
        wait.has_come();
    }
}

impl Place {
    /// Returns what is known of the connection.
    pub(super) fn wait(&self) -> &Arc<Wait> {
        &self.wait
    }

    /// Returns ready when the connection is to end.
    pub(super) fn poll_going(&mut self, cx: &mut Context<'_>) -> Poll<Going> {
        while let Some(probation) = &mut self.probation
            && probation.as_mut().poll(cx).is_ready()
        {
            match self.wait.shares.judge(&self.wait) {
                Some(next) => probation.as_mut().reset(next),
                None => self.probation = None,
            }
        }
        let wait = &self.wait;
        wait.waker.register(cx.waker());
        match wait.state.load(Acquire) {
            GOES => Poll::Ready(Going::Now),
            CLOSES => {
                wait.state.store(CLOSING, Release);
                Poll::Ready(Going::Politely)
            }
            _ => Poll::Pending,
        }
    }

    /// Does the work of a client that waits, unless it is to go; what has come is read
    /// first.
    pub(super) async fn unless_going<T>(
        &mut self,
        mut work: Pin<&mut impl Future<Output = T>>,
    ) -> Option<T> {
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            match self.poll_going(cx) {
                Poll::Ready(Going::Now) => Poll::Ready(None),
                _ => Poll::Pending,
            }
        })
        .await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.wait.at.load(Relaxed) > 0 {
            self.wait.leave(&mut lock(&self.wait.shares.table));
        }
        self.wait.state.store(ENDED, Release);
        if self.wait.is_guest.load(Relaxed) {
            self.wait.shares.guests.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
