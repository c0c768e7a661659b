//! Turns of the handshakes of one worker.
//!
//! A step of a handshake is 100 to 600 us of cryptography in one piece, and a worker
//! runs its tasks in the order in which they became ready: behind a thousand hellos from
//! one address everybody else, with TLS and without, would wait for all of them. So one
//! step is made at a time, and between two of them everything that is ready has its pass,
//! those that have just come included: who brings a hello joins his owner's line, which
//! costs next to nothing, and one of each line is served in turn.
//!
//! The usher, a task of the worker, hands the turn on. Woken by whoever has had it, it
//! stands behind all that is ready at that moment. Where nobody waits the turn is free
//! again, and the whole cost is one more pass through the run queue; where somebody does,
//! the kernel is asked for what has come before the turn goes on, so that a newcomer is
//! known after one step and not after the sixty tasks for which tokio lets it wait.
//!
//! A pass may be long, where very much is ready. One step for each would then be next to
//! none, and so turns follow one another until they have had as much time as all else.

mod queue;

pub(super) use queue::{Crowd, Queue, Step};

use crate::util::sync::lock;
use queue::Ticket;
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};
use tokio::task::yield_now;

/// Turns of one worker. Its lock is never shared by threads.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    turn: Turn,
    queue: Queue<IpAddr, Waker>,
    usher: Option<Waker>,
    /// Time that the last turn took, where it has been given back and the usher has not
    /// seen it yet; none was taken where nobody waits.
    back: Option<Duration>,
}

#[derive(Debug, Default)]
enum Turn {
    #[default]
    Free,
    /// Somebody has it, or it waits for the usher.
    Taken,
    /// It is the turn of somebody who does not know yet.
    Of(Ticket<IpAddr>),
}

impl State {
    fn is_turn_of(&self, ticket: &Ticket<IpAddr>) -> bool {
        matches!(&self.turn, Turn::Of(called) if called == ticket)
    }

    fn give_back(&mut self, since: Option<Instant>) {
        self.turn = Turn::Taken;
        let since = since.filter(|_| !self.queue.is_empty());
        self.back = Some(since.map_or(Duration::ZERO, |since| since.elapsed()));
        if let Some(usher) = &self.usher {
            usher.wake_by_ref();
        }
    }
}

impl Turns {
    /// Hands the turn on for as long as the worker lives: without it nobody has a second
    /// one.
    pub(super) async fn usher(self: Arc<Self>) {
        let (mut last, mut owed) = (None, Duration::ZERO);
        loop {
            if let Some(turn) = poll_fn(|cx| self.poll_back(cx)).await {
                let now = Instant::now();
                let passed = last.map_or(turn, |last| now.duration_since(last));
                let all_else = passed.saturating_sub(turn);
                owed = (owed + all_else).saturating_sub(turn);
                last = Some(now);
                if owed.is_zero() {
                    // Comes back behind what the kernel has for us.
                    yield_now().await;
                }
            } else {
                (last, owed) = (None, Duration::ZERO);
            }
            if let Some(next) = self.hand_on() {
                next.wake();
            }
        }
    }

    /// Waits until the turn is given back, and returns how long it took; `None` where
    /// nobody waits for the next one.
    fn poll_back(&self, cx: &Context<'_>) -> Poll<Option<Duration>> {
        let mut state = lock(&self.0);
        if let Some(turn) = state.back.take() {
            return Poll::Ready(Some(turn).filter(|_| !state.queue.is_empty()));
        }
        if !state
            .usher
            .as_ref()
            .is_some_and(|usher| usher.will_wake(cx.waker()))
        {
            state.usher = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Gives the turn to the next one, and returns what wakes it.
    fn hand_on(&self) -> Option<Waker> {
        let mut state = lock(&self.0);
        let (turn, waker) = match state.queue.take() {
            Some((ticket, waker)) => (Turn::Of(ticket), Some(waker)),
            None => (Turn::Free, None),
        };
        state.turn = turn;
        waker
    }

    /// Makes the spot of one of an owner's connections, which does not wait yet.
    pub(super) fn spot(&self, owner: IpAddr) -> Spot<'_> {
        Spot {
            turns: self,
            owner,
            step: Step::First,
            now: Now::Elsewhere,
        }
    }
}

/// Spot of one connection in its owner's line. Whoever drops it leaves the line, or gives
/// the turn back.
#[derive(Debug)]
pub(super) struct Spot<'a> {
    turns: &'a Turns,
    /// Owner as the shares know it. All that a proxy brings without naming its clients
    /// has one: nobody knows whose it is.
    owner: IpAddr,
    step: Step,
    now: Now,
}

#[derive(Debug)]
enum Now {
    Elsewhere,
    Waits(Ticket<IpAddr>),
    HasTheTurn(Instant),
}

impl Spot<'_> {
    /// Takes the turn, or waits for it.
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.turns.0);
        match &self.now {
            Now::HasTheTurn(_) => return Poll::Ready(()),
            Now::Elsewhere if matches!(state.turn, Turn::Free) => {}
            Now::Elsewhere => {
                let ticket = state.queue.join(self.owner, self.step, cx.waker().clone());
                self.now = Now::Waits(ticket);
                return Poll::Pending;
            }
            Now::Waits(ticket) if state.is_turn_of(ticket) => {}
            Now::Waits(ticket) => {
                if let Some(waker) = state.queue.call(ticket) {
                    waker.clone_from(cx.waker());
                }
                return Poll::Pending;
            }
        }
        state.turn = Turn::Taken;
        self.now = Now::HasTheTurn(Instant::now());
        Poll::Ready(())
    }

    /// Waits for a turn, and polls `work` in it once: a step, after which the turn is over.
    pub(super) fn poll_step<T>(
        &mut self,
        cx: &mut Context<'_>,
        work: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        ready!(self.poll(cx));
        let done = work(cx);
        self.step = Step::Further;
        self.leave();
        done
    }

    /// Returns whether it waits.
    pub(super) fn waits(&self) -> bool {
        matches!(self.now, Now::Waits(_))
    }

    /// Counts those that wait for a turn, and those of its owner among them.
    pub(super) fn crowd(&self) -> Crowd {
        lock(&self.turns.0).queue.crowd(&self.owner)
    }

    /// Leaves the queue, or gives back the turn.
    pub(super) fn leave(&mut self) {
        let mut state = lock(&self.turns.0);
        match std::mem::replace(&mut self.now, Now::Elsewhere) {
            Now::Elsewhere => {}
            Now::Waits(ticket) if !state.is_turn_of(&ticket) => state.queue.leave(&ticket),
            // One that goes without having used its turn is nobody's loss.
            Now::Waits(_) => state.give_back(None),
            Now::HasTheTurn(since) => state.give_back(Some(since)),
        }
    }
}

impl Drop for Spot<'_> {
    fn drop(&mut self) {
        if !matches!(self.now, Now::Elsewhere) {
            self.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::task::JoinSet;

    const GREEDY: [u8; 4] = [127, 0, 0, 2];
    const NEWCOMER: [u8; 4] = [127, 0, 0, 3];

    /// Takes a step, and notes whose it was.
    async fn step(turns: Arc<Turns>, address: [u8; 4], order: Arc<Mutex<Vec<[u8; 4]>>>) {
        let mut spot = turns.spot(address.into());
        let note = |_: &mut Context<'_>| {
            lock(&order).push(address);
            Poll::Ready(())
        };
        poll_fn(|cx| spot.poll_step(cx, note)).await;
    }

    #[tokio::test]
    async fn a_newcomer_does_not_wait_for_a_crowd() {
        let turns = Arc::<Turns>::default();
        let order = Arc::<Mutex<Vec<_>>>::default();
        let usher = tokio::spawn(Arc::clone(&turns).usher());
        let mut tasks = JoinSet::new();
        for address in [GREEDY; 200].into_iter().chain([NEWCOMER]) {
            tasks.spawn(step(Arc::clone(&turns), address, Arc::clone(&order)));
        }
        tasks.join_all().await;
        let order = lock(&order).clone();
        assert_eq!(order.len(), 201);
        let place = order.iter().position(|one| *one == NEWCOMER);
        assert!(place.is_some_and(|place| place <= 2), "{place:?}");
        usher.abort();
    }

    #[tokio::test]
    async fn whoever_goes_holds_up_nobody() {
        let turns = Arc::<Turns>::default();
        let usher = tokio::spawn(Arc::clone(&turns).usher());
        let steps = Arc::new(AtomicUsize::new(0));
        let mut cx = Context::from_waker(Waker::noop());
        // One has the turn, and the next one is to have it.
        let mut has = turns.spot(GREEDY.into());
        assert!(has.poll(&cx).is_ready(), "it was free");
        let mut waits = turns.spot(GREEDY.into());
        let mut goes = turns.spot(NEWCOMER.into());
        assert!(waits.poll(&cx).is_pending() && goes.poll(&cx).is_pending());
        assert_eq!(waits.crowd(), Crowd { all: 2, own: 1 });
        drop(goes);
        assert_eq!(waits.crowd(), Crowd { all: 1, own: 1 });
        drop(has);
        while waits.crowd().all > 0 {
            yield_now().await;
        }
        // It was called, and goes all the same.
        drop(waits);
        let mut last = turns.spot(NEWCOMER.into());
        let count = |_: &mut Context<'_>| Poll::Ready(steps.fetch_add(1, Ordering::Relaxed));
        while last.poll_step(&mut cx, count).is_pending() {
            yield_now().await;
        }
        assert_eq!(steps.load(Ordering::Relaxed), 1);
        usher.abort();
    }
}
