//! Breaker in front of a server that fails for everybody: one request at a time tries
//! whether it is back, all others are answered at once.

use crate::util::sync::lock;
use std::sync::Mutex;

/// Number of failures in a row on which it opens: of the transport, or each of another device.
const ENOUGH: usize = 3;

/// Outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was answered.
    Answered,
    /// Something answers, which tells no more than that.
    Reached,
    /// No connection.
    Unreached,
    /// No reply, or not the whole of one, to the device of this hash: that may be its own.
    Failed(u64),
    /// A reply that is of no use to the device of this hash.
    Unfit(u64),
}

/// State of the breaker.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    is_open: bool,
    /// True while one tries.
    is_tried: bool,
    /// Number of failures of the transport since the last answer.
    unreached: usize,
    /// Devices that had none, or one of no use, since.
    unfit: Vec<u64>,
}

/// Request that may go on. While it lasts, and the breaker is open, no other does.
pub(super) struct Trial<'a> {
    breaker: &'a Mutex<Breaker>,
    is_trial: bool,
}

impl Breaker {
    /// Lets a request go on, or not.
    pub(super) fn admit(breaker: &Mutex<Self>) -> Option<Trial<'_>> {
        let mut state = lock(breaker);
        let is_trial = state.is_open;
        if is_trial && std::mem::replace(&mut state.is_tried, true) {
            return None;
        }
        Some(Trial { breaker, is_trial })
    }

    /// Notes what a request came to. Returns whether it is open now.
    pub(super) fn note(&mut self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Answered => {
                self.unreached = 0;
                self.unfit.clear();
                self.is_open = false;
            }
            Outcome::Unreached => {
                self.unreached += 1;
                self.is_open |= self.unreached >= ENOUGH;
            }
            Outcome::Reached => {
                self.unreached = 0;
                self.is_open = self.unfit.len() >= ENOUGH;
            }
            Outcome::Failed(device) => {
                self.blame(device);
                self.is_open |= self.unfit.len() >= ENOUGH;
            }
            Outcome::Unfit(device) => {
                self.unreached = 0;
                self.blame(device);
                // It answers: one device's bad reply keeps nobody else away.
                self.is_open = self.unfit.len() >= ENOUGH;
            }
        }
        self.is_open
    }

    fn blame(&mut self, device: u64) {
        if self.unfit.len() < ENOUGH && !self.unfit.contains(&device) {
            self.unfit.push(device);
        }
    }
}

impl Drop for Trial<'_> {
    /// Whoever gave up lets the next one try.
    fn drop(&mut self) {
        if self.is_trial {
            lock(self.breaker).is_tried = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Answered, Failed, Reached, Unfit, Unreached};
    use proptest::prelude::*;

    fn after(outcomes: &[Outcome]) -> Breaker {
        let mut breaker = Breaker::default();
        for outcome in outcomes {
            breaker.note(*outcome);
        }
        breaker
    }

    #[test]
    fn it_opens_on_what_fails_for_everybody() {
        for (outcomes, is_open) in [
            (&[Unreached, Unreached][..], false),
            (&[Unreached, Unreached, Unreached], true),
            (&[Unreached, Unreached, Answered, Unreached], false),
            (&[Unfit(1), Unfit(1), Unfit(1), Unfit(1)], false),
            (&[Unfit(1), Unfit(2), Unfit(3)], true),
            (&[Unfit(1), Unfit(2), Answered, Unfit(3)], false),
            // It is back, and has nothing for one device.
            (&[Unreached, Unreached, Unreached, Unfit(1)], false),
            (&[Unreached, Unreached, Unreached, Answered], false),
            (&[Unreached, Unreached, Unreached, Reached], false),
            (&[Unreached, Unreached, Unreached, Failed(1)], true),
            // Whatever one device does is that device's alone.
            (&[Failed(1), Failed(1), Failed(1), Failed(1)], false),
            (&[Failed(1), Unfit(2), Failed(3)], true),
            (&[Unfit(1), Unfit(2), Unfit(3), Reached], true),
        ] {
            assert_eq!(after(outcomes).is_open, is_open, "{outcomes:?}");
        }
    }

    #[test]
    fn one_at_a_time_tries() {
        let breaker = Mutex::new(after(&[]));
        let both = (Breaker::admit(&breaker), Breaker::admit(&breaker));
        assert!(both.0.is_some() && both.1.is_some());
        lock(&breaker).is_open = true;
        let first = Breaker::admit(&breaker);
        assert!(first.is_some() && Breaker::admit(&breaker).is_none());
        drop(first);
        assert!(Breaker::admit(&breaker).is_some());
        // One that went on before it opened is no trial, and ends none.
        let _trial = Breaker::admit(&breaker);
        drop(both);
        assert!(Breaker::admit(&breaker).is_none());
    }

    proptest! {
        #[test]
        fn an_answer_always_closes_it(outcomes in prop::collection::vec(
            prop_oneof![
                Just(Answered), Just(Reached), Just(Unreached), (0..4u64).prop_map(Unfit), (0..4u64).prop_map(Failed),
            ], 0..30)
        ) {
            let mut breaker = after(&outcomes);
            prop_assert!(breaker.unfit.len() <= ENOUGH);
            prop_assert!(!breaker.note(Answered));
        }
    }
}
