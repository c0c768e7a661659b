//! Table of connections by the owner of their address: those that wait for the rest of a
//! request, and, while connections are short, those that rest between two.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

/// Number of owners of which it is remembered that they had to be let go.
const REMEMBERED: usize = 4096;

/// Connections of one owner that wait, the longest-waiting first, each with the time
/// since which it does.
type Waits<W> = BTreeMap<u64, (Duration, W)>;

/// Place of an owner among all: the biggest is last. Of two that are as big, the one goes
/// first that had to be let go more often: those that come again at once would otherwise
/// push out whoever came once.
type Rank = (usize, u32, Reverse<u64>, IpAddr);

/// Connections, each under a number that is never given again.
#[derive(Debug)]
pub(super) struct Table<W> {
    holders: HashMap<IpAddr, Waits<W>>,
    waiting: usize,
    idle: BTreeMap<u64, W>,
    /// Number that was given last.
    last: u64,
    /// Kept while connections are short, so that a connection costs no more than its
    /// place in the map meanwhile.
    ranking: Option<Ranking>,
}

#[derive(Debug, Default)]
struct Ranking {
    order: BTreeSet<Rank>,
    let_go: HashMap<IpAddr, u32>,
}

impl<W> Default for Table<W> {
    fn default() -> Self {
        Self {
            holders: HashMap::new(),
            waiting: 0,
            idle: BTreeMap::new(),
            last: 0,
            ranking: None,
        }
    }
}

impl<W> Table<W> {
    /// Begins to rank owners where connections run short, and ends it where there are
    /// plenty; in between it stays as it is. Returns whether they are ranked.
    pub(super) fn rank(&mut self, free: usize, short: usize, plenty: usize) -> bool {
        match &mut self.ranking {
            None if free < short => {
                let mut ranking = Ranking::default();
                ranking.rank_all(&self.holders);
                self.ranking = Some(ranking);
            }
            Some(_) if free > plenty => self.ranking = None,
            _ => {}
        }
        self.ranking.is_some()
    }

    /// Returns the number of connections that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Returns the number of those that rest.
    #[cfg(test)]
    pub(super) fn resting(&self) -> usize {
        self.idle.len()
    }

    /// Returns the number of those of one owner.
    pub(super) fn count(&self, owner: IpAddr) -> usize {
        self.holders.get(&owner).map_or(0, BTreeMap::len)
    }

    /// Returns the time since which a connection waits, if it does.
    pub(super) fn since(&self, owner: IpAddr, number: u64) -> Option<Duration> {
        let (since, _) = self.holders.get(&owner)?.get(&number)?;
        Some(*since)
    }

    /// Adds a connection that waits from `now` on, later than the others but for what two
    /// threads are apart, and returns its number.
    pub(super) fn wait(&mut self, owner: IpAddr, now: Duration, wait: W) -> u64 {
        self.last += 1;
        let waits = self.holders.entry(owner).or_default();
        if let Some(ranking) = &mut self.ranking {
            ranking.remove(owner, waits);
        }
        waits.insert(self.last, (now, wait));
        self.waiting += 1;
        if let Some(ranking) = &mut self.ranking {
            ranking.insert(owner, waits);
        }
        self.last
    }

    /// Takes out one that waits.
    pub(super) fn end_wait(&mut self, owner: IpAddr, number: u64) -> Option<W> {
        let Entry::Occupied(mut holder) = self.holders.entry(owner) else {
            return None;
        };
        let waits = holder.get_mut();
        if let Some(ranking) = &mut self.ranking {
            ranking.remove(owner, waits);
        }
        let taken = waits.remove(&number);
        self.waiting -= usize::from(taken.is_some());
        if waits.is_empty() {
            holder.remove();
        } else if let Some(ranking) = &mut self.ranking {
            ranking.insert(owner, waits);
        }
        taken.map(|(_, wait)| wait)
    }

    /// Takes out one that waits and has to go, and remembers that of its owner.
    pub(super) fn let_go(&mut self, owner: IpAddr, number: u64) -> Option<W> {
        let taken = self.end_wait(owner, number)?;
        if let Some(ranking) = &mut self.ranking {
            if ranking.let_go.len() >= REMEMBERED && !ranking.let_go.contains_key(&owner) {
                *ranking = Ranking::default();
                ranking.rank_all(&self.holders);
            }
            let waits = self.holders.get(&owner);
            waits.inspect(|waits| ranking.remove(owner, waits));
            *ranking.let_go.entry(owner).or_default() += 1;
            waits.inspect(|waits| ranking.insert(owner, waits));
        }
        Some(taken)
    }

    /// Lets the longest-waiting one of an owner go, if it has waited since `latest`.
    pub(super) fn let_longest_go(&mut self, owner: IpAddr, latest: Duration) -> Option<W> {
        let (number, (since, _)) = self.holders.get(&owner)?.first_key_value()?;
        if *since > latest {
            return None;
        }
        self.let_go(owner, *number)
    }

    /// Returns the owner of most of those that wait, while owners are ranked.
    pub(super) fn biggest(&self) -> Option<IpAddr> {
        let (.., owner) = self.ranking.as_ref()?.order.last()?;
        Some(*owner)
    }

    /// Adds one that rests, and returns its number.
    pub(super) fn rest(&mut self, idle: W) -> u64 {
        self.last += 1;
        self.idle.insert(self.last, idle);
        self.last
    }

    /// Takes out one that rests.
    pub(super) fn end_rest(&mut self, number: u64) -> Option<W> {
        self.idle.remove(&number)
    }

    /// Takes out the one that rests longest.
    pub(super) fn take_idle(&mut self) -> Option<W> {
        self.idle.pop_first().map(|(_, idle)| idle)
    }
}

impl Ranking {
    fn rank_all<W>(&mut self, holders: &HashMap<IpAddr, Waits<W>>) {
        let ranks = holders.iter();
        let ranks = ranks.filter_map(|(owner, waits)| self.of(*owner, waits));
        self.order = ranks.collect();
    }

    fn of<W>(&self, owner: IpAddr, waits: &Waits<W>) -> Option<Rank> {
        let (first, _) = waits.first_key_value()?;
        let let_go = self.let_go.get(&owner).copied().unwrap_or_default();
        Some((waits.len(), let_go, Reverse(*first), owner))
    }

    fn insert<W>(&mut self, owner: IpAddr, waits: &Waits<W>) {
        let rank = self.of(owner, waits);
        self.order.extend(rank);
    }

    fn remove<W>(&mut self, owner: IpAddr, waits: &Waits<W>) {
        if let Some(rank) = self.of(owner, waits) {
            self.order.remove(&rank);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn owner(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    #[derive(Debug, Clone)]
    enum Step {
        Wait(u8),
        EndWait(usize),
        LetLongestGo(u8, u64),
        LetBiggestGo,
        Rest,
        EndRest(usize),
        TakeIdle,
        Rank(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u8..5).prop_map(Step::Wait),
            2 => any::<usize>().prop_map(Step::EndWait),
            1 => (0u8..5, 0u64..60).prop_map(|(owner, latest)| Step::LetLongestGo(owner, latest)),
            2 => Just(Step::LetBiggestGo),
            1 => Just(Step::Rest),
            1 => any::<usize>().prop_map(Step::EndRest),
            1 => Just(Step::TakeIdle),
            1 => (0usize..10).prop_map(Step::Rank),
        ]
    }

    /// One that waits, in the model: its owner, its number, and since when.
    type Model = Vec<(IpAddr, u64, Duration)>;

    /// The longest-waiting one of the biggest owner, as anybody would look for it.
    fn biggest(waits: &Model, let_go: &HashMap<IpAddr, u32>) -> Option<IpAddr> {
        let rank = |(owner, number, _): &(IpAddr, u64, Duration)| {
            let mine = waits.iter().filter(|(of, ..)| of == owner);
            let first = mine.clone().map(|(_, number, _)| *number).min();
            let gone = let_go.get(owner).copied().unwrap_or_default();
            (mine.count(), gone, Reverse(first.unwrap_or(*number)))
        };
        waits
            .iter()
            .max_by_key(|wait| rank(wait))
            .map(|(of, ..)| *of)
    }

    proptest! {
        #[test]
        fn the_table_is_what_a_plain_list_is(steps in prop::collection::vec(step(), 1..120)) {
            let mut table = Table::default();
            let (mut waits, mut idle): (Model, Vec<u64>) = (Vec::new(), Vec::new());
            let mut let_go: Option<HashMap<IpAddr, u32>> = None;
            for (now, step) in steps.into_iter().enumerate() {
                let now = Duration::from_secs(now as u64);
                // What is put in is the number that it will have.
                let next = table.last + 1;
                let gone = match step {
                    Step::Wait(of) => {
                        let number = table.wait(owner(of), now, next);
                        waits.push((owner(of), number, now));
                        None
                    }
                    Step::EndWait(which) if !waits.is_empty() => {
                        let (of, number, _) = waits.remove(which % waits.len());
                        prop_assert_eq!(table.end_wait(of, number), Some(number));
                        // And is not there a second time.
                        prop_assert_eq!(table.end_wait(of, number), None);
                        None
                    }
                    Step::LetLongestGo(of, latest) => {
                        let latest = Duration::from_secs(latest);
                        let mine = waits.iter().find(|(whose, ..)| *whose == owner(of));
                        let expected = mine.filter(|(.., since)| *since <= latest).copied();
                        let gone = table.let_longest_go(owner(of), latest);
                        prop_assert_eq!(gone, expected.map(|(_, number, _)| number));
                        gone
                    }
                    Step::LetBiggestGo => {
                        let expected = let_go.as_ref().and_then(|let_go| biggest(&waits, let_go));
                        prop_assert_eq!(table.biggest(), expected);
                        expected.and_then(|of| table.let_longest_go(of, now))
                    }
                    Step::Rest => {
                        idle.push(table.rest(next));
                        None
                    }
                    Step::EndRest(which) if !idle.is_empty() => {
                        let number = idle.remove(which % idle.len());
                        prop_assert_eq!(table.end_rest(number), Some(number));
                        None
                    }
                    Step::TakeIdle => {
                        let expected = (!idle.is_empty()).then(|| idle.remove(0));
                        prop_assert_eq!(table.take_idle(), expected);
                        None
                    }
                    Step::Rank(free) => {
                        if table.rank(free, 3, 6) {
                            let_go.get_or_insert_default();
                        } else {
                            let_go = None;
                        }
                        prop_assert!(let_go.is_some() || free >= 3);
                        prop_assert!(let_go.is_none() || free <= 6);
                        None
                    }
                    Step::EndWait(_) | Step::EndRest(_) => None,
                };
                if let Some(gone) = gone {
                    let at = waits.iter().position(|(_, number, _)| *number == gone);
                    let (of, ..) = waits.remove(at.unwrap());
                    if let Some(let_go) = &mut let_go {
                        *let_go.entry(of).or_default() += 1;
                    }
                }
                prop_assert_eq!(table.waiting(), waits.len());
                for of in (0..5).map(owner) {
                    let count = waits.iter().filter(|(whose, ..)| *whose == of).count();
                    prop_assert_eq!(table.count(of), count);
                }
                prop_assert_eq!(table.holders.values().filter(|waits| waits.is_empty()).count(), 0);
                let ranked = table.ranking.as_ref().map(|ranking| ranking.order.len());
                prop_assert_eq!(ranked, let_go.is_some().then_some(table.holders.len()));
            }
        }
    }

    #[test]
    fn no_more_owners_are_remembered_than_there_is_room_for() {
        let mut table = Table::default();
        table.rank(0, 1, 2);
        for number in 0..=u32::try_from(REMEMBERED).unwrap() {
            let of = IpAddr::from(number.to_be_bytes());
            table.wait(of, Duration::ZERO, ());
            assert!(table.let_longest_go(of, Duration::ZERO).is_some());
        }
        assert_eq!(table.ranking.unwrap().let_go.len(), 1);
    }
}
