//! Orders of events, and what each of them ends in.

use super::*;
use proptest::prelude::*;

/// Receiver of ends that keeps them.
#[derive(Debug, Clone, Default)]
pub(in crate::server) struct Witness(Arc<Mutex<Vec<&'static str>>>);

impl Witness {
    /// Returns the ends that were told.
    pub(in crate::server) fn ends(&self) -> Vec<&'static str> {
        lock(&self.0).clone()
    }
}

impl DeliveryEnd for Witness {
    fn whole(&self) {
        lock(&self.0).push("whole");
    }

    fn cut(&self) {
        lock(&self.0).push("cut");
    }
}

/// Thing that happens to a connection.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Another reply with a body that counts.
    Put,
    /// The last of its body is taken.
    Taken,
    /// The body fails.
    Failed,
    /// All is in the kernel, and the client had sent something, or nothing.
    Flushed(bool),
    /// Something comes, and all has been sent, or not.
    Bytes(bool),
    End,
    /// The connection breaks.
    Broken,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Put),
        4 => Just(Step::Taken),
        1 => Just(Step::Failed),
        4 => any::<bool>().prop_map(Step::Flushed),
        2 => any::<bool>().prop_map(Step::Bytes),
        2 => Just(Step::End),
        1 => Just(Step::Broken),
    ]
}

/// Delivery as the world outside has it.
struct Told {
    witness: Witness,
    body: Delivery,
    is_taken: bool,
    is_flushed: bool,
    is_signed: bool,
}

proptest! {
    #[test]
    fn each_has_one_end_and_none_is_whole_without_a_sign(
        steps in prop::collection::vec(step(), 0..20),
        // What the connection's last wait finds, or nothing where its task is dropped.
        last in prop::option::of(any::<bool>()),
    ) {
        let pending = PendingDelivery::default();
        let mut told: Vec<Told> = Vec::new();
        for step in steps {
            let now = told.last_mut();
            match (step, now) {
                (Step::Put, _) => {
                    let witness = Witness::default();
                    let body = Delivery::new(witness.clone());
                    pending.put(body.clone());
                    told.push(Told {
                        witness,
                        body,
                        is_taken: false,
                        is_flushed: false,
                        is_signed: false,
                    });
                }
                (Step::Taken, Some(now)) => {
                    now.body.body_is_taken();
                    now.is_taken = true;
                }
                (Step::Failed, Some(now)) if !now.is_taken => now.body.cut(),
                (Step::Flushed(has_come), now) => {
                    pending.is_flushed(|| has_come);
                    if let Some(now) = now {
                        now.is_flushed |= now.is_taken;
                    }
                }
                (Step::Bytes(is_sent), now) => {
                    pending.has_come(Came::Bytes, || is_sent);
                    if let Some(now) = now {
                        now.is_signed |= now.is_flushed && is_sent;
                    }
                }
                (Step::End, _) => pending.has_come(Came::End, || true),
                (Step::Broken, _) => pending.cut(),
                (Step::Taken | Step::Failed, _) => {}
            }
        }
        let has_closed = last == Some(true);
        match pending.take() {
            Some(delivery) if has_closed => delivery.whole(),
            Some(delivery) if last.is_some() => delivery.cut(),
            _ => {}
        }
        drop(pending);
        let count = told.len();
        for (number, told) in told.into_iter().enumerate() {
            let Told { witness, body, is_taken, is_flushed, is_signed } = told;
            drop(body);
            let ends = witness.ends();
            prop_assert_eq!(ends.len(), 1, "{:?}", ends);
            if ends == ["whole"] {
                prop_assert!(is_taken && is_flushed);
                prop_assert!(is_signed || (has_closed && number + 1 == count));
            }
        }
    }
}

#[test]
fn a_delivery_that_nobody_ends_is_cut() {
    let witness = Witness::default();
    let delivery = Delivery::new(witness.clone());
    let other = delivery.clone();
    drop(delivery);
    assert!(witness.ends().is_empty());
    drop(other);
    assert_eq!(witness.ends(), ["cut"]);
}

#[test]
fn a_request_behind_the_last_byte_is_a_sign_and_one_beside_it_is_none() {
    let end_of = |has_come, is_sent| {
        let (pending, witness) = (PendingDelivery::default(), Witness::default());
        let body = Delivery::new(witness.clone());
        pending.put(body.clone());
        pending.has_come(Came::Bytes, || true);
        pending.is_flushed(|| false);
        assert!(!pending.is_handed_over());
        body.body_is_taken();
        pending.is_flushed(|| has_come);
        assert!(pending.is_handed_over());
        pending.has_come(Came::Bytes, || is_sent);
        // A later one says no more.
        pending.has_come(Came::Bytes, || true);
        (witness.ends(), pending.is_pending())
    };
    assert_eq!(end_of(false, true), (vec!["whole"], false));
    for (has_come, is_sent) in [(true, true), (true, false), (false, false)] {
        assert_eq!(end_of(has_come, is_sent), (vec![], true));
    }
}

#[test]
fn a_client_that_ended_behind_the_last_byte_is_gone() {
    for has_come in [false, true] {
        let pending = PendingDelivery::default();
        let body = Delivery::new(Witness::default());
        pending.put(body.clone());
        body.body_is_taken();
        pending.is_flushed(|| has_come);
        pending.has_come(Came::End, || true);
        assert!(pending.is_shut());
        assert!(pending.is_gone());
        assert!(pending.take().is_some());
    }
}
