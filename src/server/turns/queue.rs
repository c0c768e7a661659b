//! Queue of turns: one line for each owner, and a round in which each of them that has
//! somebody waiting is served once.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Step of a handshake that costs. What was begun comes before what is new: it is paid
/// for in part, and holds memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::server) enum Step {
    /// The client has answered ours.
    Further,
    /// The client's first message is whole.
    First,
}

/// Place of one that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) struct Ticket<K> {
    owner: K,
    step: Step,
    number: u64,
}

/// Number of those that wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::server) struct Crowd {
    /// Number of all.
    pub(in crate::server) all: usize,
    /// Number of those of one owner.
    pub(in crate::server) own: usize,
}

/// Everybody that waits, each with what calls it.
#[derive(Debug)]
pub(in crate::server) struct Queue<K, W> {
    lines: HashMap<K, Line<W>>,
    /// Owners of the lines by their places in the round.
    round: BTreeMap<u64, K>,
    /// Number of the next ticket, and of the next place.
    next: u64,
    count: usize,
}

#[derive(Debug)]
struct Line<W> {
    place: u64,
    waiting: BTreeMap<(Step, u64), W>,
}

impl<K, W> Default for Queue<K, W> {
    fn default() -> Self {
        Self {
            lines: HashMap::new(),
            round: BTreeMap::new(),
            next: 0,
            count: 0,
        }
    }
}

impl<K: Copy + Eq + Hash, W> Queue<K, W> {
    /// Puts one more at the end of its owner's line; a line that is new is last in the
    /// round.
    pub(in crate::server) fn join(&mut self, owner: K, step: Step, call: W) -> Ticket<K> {
        let number = self.next;
        self.next += 1;
        let round = &mut self.round;
        let line = self.lines.entry(owner).or_insert_with(|| {
            round.insert(number, owner);
            Line {
                place: number,
                waiting: BTreeMap::new(),
            }
        });
        line.waiting.insert((step, number), call);
        self.count += 1;
        Ticket {
            owner,
            step,
            number,
        }
    }

    /// Returns what calls the one with this ticket, while it waits.
    pub(super) fn call(&mut self, ticket: &Ticket<K>) -> Option<&mut W> {
        let line = self.lines.get_mut(&ticket.owner)?;
        line.waiting.get_mut(&(ticket.step, ticket.number))
    }

    /// Takes one out that waits no longer. A line that is empty loses its place.
    pub(super) fn leave(&mut self, ticket: &Ticket<K>) {
        let Some(line) = self.lines.get_mut(&ticket.owner) else {
            return;
        };
        if line.waiting.remove(&(ticket.step, ticket.number)).is_none() {
            return;
        }
        self.count -= 1;
        if line.waiting.is_empty() {
            self.round.remove(&line.place);
            self.lines.remove(&ticket.owner);
        }
    }

    /// Takes out the one whose turn it is. The rest of its line goes to the end of the
    /// round.
    pub(in crate::server) fn take(&mut self) -> Option<(Ticket<K>, W)> {
        let (_, owner) = self.round.pop_first()?;
        let line = self.lines.get_mut(&owner)?;
        let ((step, number), call) = line.waiting.pop_first()?;
        self.count -= 1;
        if line.waiting.is_empty() {
            self.lines.remove(&owner);
        } else {
            line.place = self.next;
            self.round.insert(self.next, owner);
            self.next += 1;
        }
        let ticket = Ticket {
            owner,
            step,
            number,
        };
        Some((ticket, call))
    }

    /// Returns whether nobody waits.
    pub(in crate::server) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the number of those that wait.
    pub(in crate::server) fn len(&self) -> usize {
        self.count
    }

    /// Counts those that wait, and those of an owner among them.
    pub(super) fn crowd(&self, owner: &K) -> Crowd {
        Crowd {
            all: self.count,
            own: self.lines.get(owner).map_or(0, |line| line.waiting.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeSet, HashSet};

    /// The same, as slow as it is plain: owners in the order of the round, and all that
    /// wait in the order in which they came.
    #[derive(Default)]
    struct Model {
        round: Vec<u8>,
        waiting: Vec<(u8, Step, u64)>,
    }

    impl Model {
        fn join(&mut self, owner: u8, step: Step, number: u64) {
            if !self.round.contains(&owner) {
                self.round.push(owner);
            }
            self.waiting.push((owner, step, number));
        }

        fn leave(&mut self, number: u64) {
            self.waiting.retain(|waiting| waiting.2 != number);
            let waiting = &self.waiting;
            self.round
                .retain(|owner| waiting.iter().any(|one| one.0 == *owner));
        }

        fn take(&mut self) -> Option<u64> {
            let owner = *self.round.first()?;
            self.round.remove(0);
            let line = self.waiting.iter().filter(|one| one.0 == owner);
            let number = line.min_by_key(|one| (one.1, one.2))?.2;
            self.waiting.retain(|waiting| waiting.2 != number);
            if self.waiting.iter().any(|one| one.0 == owner) {
                self.round.push(owner);
            }
            Some(number)
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Act {
        Join(u8, bool),
        Leave(usize),
        Take,
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            4 => (0_u8..5, any::<bool>()).prop_map(|(owner, first)| Act::Join(owner, first)),
            1 => any::<usize>().prop_map(Act::Leave),
            3 => Just(Act::Take),
        ];
        prop::collection::vec(act, 0..200)
    }

    fn step(is_first: bool) -> Step {
        if is_first { Step::First } else { Step::Further }
    }

    proptest! {
        #[test]
        fn it_serves_whom_the_model_serves(acts in acts()) {
            let (mut queue, mut model) = (Queue::default(), Model::default());
            let mut tickets = Vec::new();
            let mut next = 0;
            for act in acts {
                match act {
                    Act::Join(owner, is_first) => {
                        tickets.push((queue.join(owner, step(is_first), next), next));
                        model.join(owner, step(is_first), next);
                        next += 1;
                    }
                    // One that has been served already, too.
                    Act::Leave(which) if !tickets.is_empty() => {
                        let (ticket, number) = tickets[which % tickets.len()];
                        queue.leave(&ticket);
                        model.leave(number);
                        prop_assert!(queue.call(&ticket).is_none());
                    }
                    Act::Leave(_) => {}
                    Act::Take => {
                        prop_assert_eq!(queue.take().map(|taken| taken.1), model.take());
                    }
                }
                prop_assert_eq!(queue.is_empty(), model.waiting.is_empty());
                for owner in 0..5 {
                    let own = model.waiting.iter().filter(|one| one.0 == owner).count();
                    let all = model.waiting.len();
                    prop_assert_eq!(queue.crowd(&owner), Crowd { all, own });
                }
            }
            // And nobody is lost.
            while let Some((_, number)) = queue.take() {
                prop_assert_eq!(model.take(), Some(number));
            }
            prop_assert!(model.waiting.is_empty());
            prop_assert!(queue.lines.is_empty() && queue.round.is_empty());
        }

        #[test]
        fn nobody_is_served_twice_while_another_waits(acts in acts()) {
            let mut queue = Queue::default();
            let mut tickets = Vec::new();
            // Of each owner that waits, who was served meanwhile.
            let mut meanwhile: [HashSet<u8>; 5] = Default::default();
            for act in acts {
                match act {
                    Act::Join(owner, is_first) => {
                        tickets.push((queue.join(owner, step(is_first), owner), owner));
                    }
                    Act::Leave(which) if !tickets.is_empty() => {
                        queue.leave(&tickets[which % tickets.len()].0);
                    }
                    Act::Leave(_) => {}
                    Act::Take => {
                        let Some((_, served)) = queue.take() else { continue };
                        meanwhile[usize::from(served)].clear();
                        for waiting in (0..5).filter(|waiting| *waiting != served) {
                            let waits = queue.crowd(&waiting).own > 0;
                            let is_new = meanwhile[usize::from(waiting)].insert(served);
                            prop_assert!(!waits || is_new, "{served} before {waiting}");
                        }
                    }
                }
                for owner in 0..5 {
                    if queue.crowd(&owner).own == 0 {
                        meanwhile[usize::from(owner)].clear();
                    }
                }
            }
        }
    }

    #[test]
    fn one_of_many_owners_waits_for_one_of_each() {
        let mut queue = Queue::default();
        for number in 0..1000 {
            queue.join("greedy", Step::First, number);
            queue.join("greedy too", Step::First, number);
        }
        queue.join("newcomer", Step::First, 7);
        let owners: BTreeSet<_> = (0..3).map(|_| queue.take().unwrap().0.owner).collect();
        assert!(owners.contains("newcomer"));
    }

    #[test]
    fn what_was_begun_comes_first_in_its_line() {
        let mut queue = Queue::default();
        for (step, name) in [
            (Step::First, "first"),
            (Step::First, "second"),
            (Step::Further, "begun"),
        ] {
            queue.join((), step, name);
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.take().map(|taken| taken.1)).collect();
        assert_eq!(order, ["begun", "first", "second"]);
    }
}
