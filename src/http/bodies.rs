//! Memory for bodies of requests that are being gathered: one budget for all workers,
//! from which a body takes what has come of it, and not what it announces.
//!
//! A body of up to [`EXEMPT`] bytes takes nothing, so that a device's own, of 1 to 3 KB,
//! touches nothing that others do. When the budget is used up, the large body that began
//! first goes: a device's comes in one round trip, and whoever waits for longest with one
//! is no device. A body takes what comes only once there is room for it, so that the
//! budget is a bound; what it has taken goes back when it is dropped, whatever ended it.
//!
//! What is gathered lies in one mapping of its own, which goes back to the kernel when the
//! last large body has ended: on the heap between what connections hold, it would be kept
//! for ever after one storm.

use crate::util::once::Once;
use crate::util::sync::lock;
use bytes::BytesMut;
use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Number of bytes of a body that take nothing from the budget.
pub(super) const EXEMPT: usize = 4 * 1024;
/// Time between two log lines about a budget that is used up.
const SAY: Duration = Duration::from_secs(60);

/// Size in bytes of the pieces in which a body is gathered. They are all of one size, so
/// that what one gives back fits the next, and none is copied to grow.
const PIECE: usize = 2 * 1024;
/// Size in bytes from which on an allocation is a mapping of its own, whatever came before
/// (glibc's `M_MMAP_THRESHOLD` grows up to 32 MiB).
const MAPPED: usize = 33 << 20;

/// Budget of all bodies.
#[derive(Debug)]
pub(crate) struct BodyBudget {
    bytes: usize,
    free: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
    pieces: Mutex<PiecePool>,
    said: Once,
    /// Number of bodies that went since the last log line.
    gone: AtomicUsize,
}

/// Large bodies of which more is to come, by the order in which they began.
#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    bodies: BTreeMap<u64, Large>,
}

/// Mapping, in pieces. It goes when all that hold a piece of it have.
#[derive(Debug, Default)]
struct PiecePool {
    free: Vec<BytesMut>,
    rest: BytesMut,
    /// Number of pieces that bodies have.
    out: usize,
}

#[derive(Debug)]
struct Large {
    bytes: usize,
    go: oneshot::Sender<()>,
}

/// Error of a body that has to go: others have no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crowded;

impl BodyBudget {
    /// Makes a budget of so many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let bytes = bytes.min(Semaphore::MAX_PERMITS);
        Self {
            bytes,
            free: Arc::new(Semaphore::new(bytes)),
            waiting: Mutex::default(),
            pieces: Mutex::default(),
            said: Once::new(SAY, 1),
            gone: AtomicUsize::new(0),
        }
    }

    /// Returns its size in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts a body that went, and returns how many others did since that was said
    /// last; `None` where it is not to be said now.
    pub(super) fn note_gone(&self, now: SystemTime) -> Option<usize> {
        let others = self.gone.fetch_add(1, Ordering::Relaxed);
        self.said.is_due("", now).then(|| {
            self.gone.store(0, Ordering::Relaxed);
            others
        })
    }

    /// Begins to count a body, which is large.
    pub(super) fn enter(self: &Arc<Self>) -> Held {
        let (go, told) = oneshot::channel();
        let mut waiting = lock(&self.waiting);
        let number = waiting.next;
        waiting.next += 1;
        waiting.bodies.insert(number, Large { bytes: 0, go });
        Held {
            budget: Arc::clone(self),
            number,
            told,
            pieces: Vec::new(),
            taken: None,
        }
    }

    fn piece(&self) -> BytesMut {
        let mut pool = lock(&self.pieces);
        pool.out += 1;
        if let Some(piece) = pool.free.pop() {
            return piece;
        }
        if pool.rest.capacity() < PIECE {
            pool.rest = BytesMut::with_capacity(self.bytes.max(MAPPED));
        }
        let rest = pool.rest.split_off(PIECE);
        mem::replace(&mut pool.rest, rest)
    }

    fn give_back(&self, pieces: Vec<BytesMut>) {
        let mut pool = lock(&self.pieces);
        pool.out -= pieces.len();
        for mut piece in pieces {
            piece.clear();
            pool.free.push(piece);
        }
        if pool.out == 0 {
            let unused = mem::take(&mut *pool);
            drop(pool);
            // Not under the lock: the kernel takes its time.
            drop(unused);
        }
    }

    /// Tells large bodies to go, those that began first, until so many bytes are free.
    fn make_room(&self, bytes: usize) {
        let mut waiting = lock(&self.waiting);
        let mut freed = 0;
        while freed < bytes
            && let Some((_, large)) = waiting.bodies.pop_first()
        {
            freed += large.bytes;
            // One that has just ended gives back what it has, too.
            let _ = large.go.send(());
        }
    }
}

/// One large body, and what it has taken from the budget.
#[derive(Debug)]
pub(super) struct Held {
    budget: Arc<BodyBudget>,
    number: u64,
    told: oneshot::Receiver<()>,
    pieces: Vec<BytesMut>,
    taken: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// Waits until it has to go.
    pub(super) async fn told(&mut self) -> Crowded {
        // Its sender goes nowhere but by a word of the budget.
        let _ = (&mut self.told).await;
        Crowded
    }

    /// Takes so many bytes more, once there is room for them.
    pub(super) async fn take(&mut self, bytes: usize) -> Result<(), Crowded> {
        let count = u32::try_from(bytes).map_err(|_| Crowded)?;
        let free = Arc::clone(&self.budget.free);
        let more = match Arc::clone(&free).try_acquire_many_owned(count) {
            Ok(more) => more,
            Err(_) if bytes > self.budget.bytes => return Err(Crowded),
            Err(_) => {
                self.budget.make_room(bytes);
                tokio::select! {
                    biased;
                    crowded = self.told() => return Err(crowded),
                    // It is never closed.
                    more = free.acquire_many_owned(count) => more.map_err(|_| Crowded)?,
                }
            }
        };
        if let Some(large) = lock(&self.budget.waiting).bodies.get_mut(&self.number) {
            large.bytes += bytes;
        }
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            taken @ None => *taken = Some(more),
        }
        Ok(())
    }

    /// Adds bytes that were taken. They are copied: each part of a body would keep the
    /// whole buffer in which it came.
    pub(super) fn push(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let last = match self.pieces.last_mut() {
                Some(last) if last.len() < PIECE => last,
                _ => {
                    self.pieces.push(self.budget.piece());
                    continue;
                }
            };
            let (now, rest) = data.split_at(data.len().min(PIECE - last.len()));
            last.extend_from_slice(now);
            data = rest;
        }
    }

    /// Returns the body, which is whole: it waits for nobody, and is answered.
    pub(super) fn join(&mut self) -> Vec<u8> {
        lock(&self.budget.waiting).bodies.remove(&self.number);
        let whole = self.pieces.concat();
        self.budget.give_back(mem::take(&mut self.pieces));
        whole
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.budget.waiting).bodies.remove(&self.number);
        // In front of what it took, which is free once its memory is.
        self.budget.give_back(mem::take(&mut self.pieces));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use proptest::prelude::*;

    fn free(budget: &BodyBudget) -> usize {
        budget.free.available_permits()
    }

    #[tokio::test]
    async fn the_one_that_began_first_goes_and_what_it_took_goes_back() {
        let budget = Arc::new(BodyBudget::new(100));
        let mut bodies: Vec<_> = (0..4).map(|_| budget.enter()).collect();
        for body in &mut bodies {
            assert_eq!(body.take(25).await, Ok(()));
        }
        assert_eq!(free(&budget), 0);
        let mut newest = budget.enter();
        let mut takes = Box::pin(newest.take(10));
        assert!(takes.as_mut().now_or_never().is_none());
        // One is enough, and it is the first.
        assert_eq!(bodies[0].told().now_or_never(), Some(Crowded));
        assert!(bodies[1].told().now_or_never().is_none());
        assert!(takes.as_mut().now_or_never().is_none());
        drop(bodies.remove(0));
        assert_eq!(takes.await, Ok(()));
        assert_eq!(free(&budget), 15);
        drop((bodies, newest));
        assert_eq!(
            (free(&budget), lock(&budget.waiting).bodies.len()),
            (100, 0)
        );
    }

    #[tokio::test]
    async fn one_that_is_whole_or_larger_than_all_keeps_nobody_waiting_for_ever() {
        let budget = Arc::new(BodyBudget::new(100));
        let mut whole = budget.enter();
        whole.take(90).await.unwrap();
        assert!(whole.join().is_empty());
        let mut other = budget.enter();
        assert_eq!(other.take(101).await, Err(Crowded));
        // There is nobody else to go.
        assert_eq!(other.take(20).await, Err(Crowded));
        let mut third = budget.enter();
        assert_eq!(third.take(10).await, Ok(()));
    }

    #[test]
    fn it_is_said_once_a_minute_with_how_many_went_meanwhile() {
        let budget = BodyBudget::new(1);
        let start = SystemTime::UNIX_EPOCH + SAY;
        assert_eq!(budget.note_gone(start), Some(0));
        assert_eq!(
            (budget.note_gone(start), budget.note_gone(start)),
            (None, None)
        );
        assert_eq!(budget.note_gone(start + SAY), Some(2));
        assert_eq!(budget.note_gone(start + SAY * 2), Some(0));
    }

    #[test]
    fn pieces_are_put_together_and_their_mapping_goes_with_the_last() {
        let budget = Arc::new(BodyBudget::new(1 << 20));
        let parts = [vec![1; 5000], vec![2; 1], vec![3; 4000]];
        let mut bodies: Vec<_> = (0..3).map(|_| budget.enter()).collect();
        for body in &mut bodies {
            for part in &parts {
                body.push(part);
            }
        }
        let out = || lock(&budget.pieces).out;
        assert_eq!(out(), 15);
        assert_eq!(bodies[0].join(), parts.concat());
        bodies[0].push(&parts[0]);
        assert_eq!((out(), bodies[0].join()), (13, parts[0].clone()));
        assert_eq!((out(), lock(&budget.pieces).free.len()), (10, 5));
        bodies.clear();
        let pool = lock(&budget.pieces);
        assert_eq!((pool.out, pool.free.len(), pool.rest.capacity()), (0, 0, 0));
    }

    proptest! {
        /// Whatever comes and goes in whatever order, what is taken is what is held.
        #[test]
        fn what_is_held_is_never_more_and_all_goes_back(
            steps in prop::collection::vec((0..6_usize, 1..40_usize, 0..4_u8), 1..200),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let budget = Arc::new(BodyBudget::new(100));
                let mut bodies: [Option<(Held, usize)>; 6] = [const { None }; 6];
                for (at, bytes, what) in steps {
                    if what == 0 {
                        bodies[at] = None;
                        continue;
                    }
                    let (held, had) = bodies[at].get_or_insert_with(|| (budget.enter(), 0));
                    match held.take(bytes).now_or_never() {
                        Some(Ok(())) => *had += bytes,
                        // It waits for others to go, or has to go itself.
                        None | Some(Err(Crowded)) => bodies[at] = None,
                    }
                    for body in &mut bodies {
                        if body.as_mut().is_some_and(|(held, _)| held.told().now_or_never().is_some()) {
                            *body = None;
                        }
                    }
                    let had: usize = bodies.iter().flatten().map(|(_, had)| had).sum();
                    assert_eq!(free(&budget), 100 - had);
                }
                drop(bodies);
                assert_eq!((free(&budget), lock(&budget.waiting).bodies.len()), (100, 0));
            });
        }
    }
}
