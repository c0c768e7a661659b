//! When to ask the CA for a certificate, and when not to. Pure: the time and
//! the chance are arguments.

use std::time::{Duration, SystemTime};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// How many refused orders an hour may see. Let's Encrypt takes five failed
/// validations of a name.
const REFUSALS: usize = 4;
/// How long two certificates for the same names lie apart at least, however
/// often a CA's renewal information asks for another: Let's Encrypt gives five
/// in a week.
const APART: Duration = Duration::from_secs(34 * 3600);
/// No `Retry-After` is longer than this, and no clock that was set back makes a
/// wait longer.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// From when until when a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) from: SystemTime,
    pub(super) until: SystemTime,
}

impl Life {
    pub(super) fn length(&self) -> Duration {
        self.until.duration_since(self.from).unwrap_or_default()
    }
}

/// When the CA would have a certificate renewed (RFC 9773).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: SystemTime,
    pub(super) end: SystemTime,
}

/// What kept a certificate from coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nobody was asked, or nobody answered: asking again soon costs the CA
    /// little.
    Unreachable,
    /// The CA did not believe us. Each such order counts against its limits.
    Refused,
    /// The CA has had enough of us.
    Limited,
}

impl Trouble {
    /// The first wait and the longest one.
    fn waits(self) -> (Duration, Duration) {
        match self {
            Self::Unreachable => (Duration::from_secs(5), HOUR),
            Self::Refused => (5 * MINUTE, DAY),
            Self::Limited => (HOUR, DAY),
        }
    }
}

/// When a certificate is to be renewed: within the CA's window, else from two
/// thirds of its life on, each certificate at a moment of its own (`chance`, 0
/// to 1), so that a fleet of servers does not come at once.
pub(super) fn renewal(life: Life, window: Option<Window>, chance: f64) -> SystemTime {
    let length = life.length();
    let at = match window {
        Some(Window { start, end }) if start < end => {
            let width = end.duration_since(start).unwrap_or_default();
            start + width.mul_f64(chance)
        }
        _ => life.from + length.mul_f64(2.0 / 3.0 + chance / 24.0),
    };
    // Even a CA that is in no hurry must not see it end.
    at.min(life.until - length / 10)
        .max(life.from + apart(life))
}

/// How long after `life` began the next one may be asked for.
fn apart(life: Life) -> Duration {
    (life.length() / 10).min(APART)
}

/// What has happened, and until when it forbids another order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    failures: u32,
    hold: Option<SystemTime>,
    /// Refused orders of the last hour, oldest first. They outlive a restart,
    /// for a service that ends and begins in a circle must not use up the
    /// limits.
    refusals: Vec<SystemTime>,
}

impl Plan {
    pub(super) fn new(refusals: Vec<SystemTime>) -> Self {
        Self {
            refusals,
            ..Self::default()
        }
    }

    /// When to order what is wanted at `wanted`.
    pub(super) fn order_at(&self, wanted: SystemTime, now: SystemTime) -> SystemTime {
        let hold = self.hold.map(|hold| hold.min(now + LONGEST));
        let free = self
            .refusals
            .iter()
            .rev()
            .nth(REFUSALS - 1)
            .map(|oldest| (*oldest + HOUR).min(now + HOUR));
        wanted
            .max(hold.unwrap_or(wanted))
            .max(free.unwrap_or(wanted))
    }

    /// A certificate came.
    pub(super) fn succeeded(&mut self, life: Life, now: SystemTime) {
        self.failures = 0;
        self.refusals.clear();
        self.hold = Some(now + apart(life));
    }

    /// None came: waits longer each time, and as long as the CA asks.
    pub(super) fn failed(
        &mut self,
        trouble: Trouble,
        retry_after: Option<SystemTime>,
        now: SystemTime,
        chance: f64,
    ) {
        let (first, longest) = trouble.waits();
        let doubled = first
            .saturating_mul(1 << self.failures.min(20))
            .min(longest);
        self.failures = self.failures.saturating_add(1);
        let asked = retry_after.unwrap_or(now).min(now + LONGEST);
        self.hold = Some(asked.max(now + doubled.mul_f64(1.0 + chance / 4.0)));
        if trouble == Trouble::Refused {
            self.refusals.push(now);
            let old = self.refusals.len().saturating_sub(REFUSALS);
            self.refusals.drain(..old);
        }
    }

    /// Refused orders that a restart should know of.
    pub(super) fn refusals(&self) -> &[SystemTime] {
        &self.refusals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn life(days: u64) -> Life {
        Life {
            from: START,
            until: START + Duration::from_secs(days * 86_400),
        }
    }

    #[test]
    fn from_two_thirds_on() {
        assert_eq!(renewal(life(90), None, 0.0), START + 60 * DAY);
        let late = renewal(life(90), None, 1.0);
        assert!(late > START + 63 * DAY && late < START + 64 * DAY);
        assert_eq!(renewal(life(6), None, 0.0), START + 4 * DAY);
    }

    #[test]
    fn within_the_cas_window() {
        let window = |start: u64, end: u64| {
            Some(Window {
                start: START + Duration::from_secs(start * 86_400),
                end: START + Duration::from_secs(end * 86_400),
            })
        };
        assert_eq!(renewal(life(90), window(40, 42), 0.5), START + 41 * DAY);
        // A window that is over or makes no sense, and one behind the end.
        assert_eq!(renewal(life(90), window(0, 1), 0.0), START + APART);
        assert_eq!(renewal(life(90), window(50, 50), 0.0), START + 60 * DAY);
        assert_eq!(renewal(life(90), window(100, 200), 0.5), START + 81 * DAY);
    }

    #[test]
    fn a_restart_knows_of_refusals() {
        let mut plan = Plan::default();
        let mut now = START + DAY;
        for _ in 0..REFUSALS {
            now = plan.order_at(now, now);
            plan.failed(Trouble::Refused, None, now, 0.0);
        }
        let known = plan.refusals().to_vec();
        assert_eq!(known.len(), REFUSALS);
        let again = Plan::new(known.clone());
        assert_eq!(again.order_at(now, now), known[0] + HOUR);
        // But one that has failed seldom tries at once.
        let again = Plan::new(known[1..].to_vec());
        assert_eq!(again.order_at(now, now), now);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing_for_long() {
        let mut plan = Plan::default();
        plan.failed(Trouble::Refused, None, START + 900 * DAY, 0.0);
        assert!(plan.order_at(START, START) <= START + LONGEST);
    }

    fn troubles() -> impl Strategy<Value = Trouble> {
        prop_oneof![
            Just(Trouble::Unreachable),
            Just(Trouble::Refused),
            Just(Trouble::Limited)
        ]
    }

    proptest! {
        #[test]
        fn limits_are_kept_whatever_happens(
            events in prop::collection::vec((troubles(), 0u64..200_000, 0.0..1.0f64, any::<bool>()), 1..60)
        ) {
            let (mut plan, mut now) = (Plan::default(), START);
            let mut refused = Vec::new();
            for (trouble, retry, chance, asked) in events {
                now = plan.order_at(now, now);
                let retry = asked.then(|| now + Duration::from_secs(retry));
                plan.failed(trouble, retry, now, chance);
                let next = plan.order_at(now, now);
                prop_assert!(next >= now + trouble.waits().0);
                prop_assert!(next <= now + LONGEST);
                prop_assert!(retry.is_none_or(|retry| next >= retry));
                if trouble == Trouble::Refused {
                    refused.push(now);
                }
            }
            for hour in refused.windows(REFUSALS + 1) {
                prop_assert!(hour[REFUSALS] >= hour[0] + HOUR);
            }
        }

        #[test]
        fn waits_grow(trouble in troubles()) {
            let mut plan = Plan::default();
            let (mut now, mut last) = (START, Duration::ZERO);
            for _ in 0..40 {
                plan.failed(trouble, None, now, 0.0);
                let next = plan.order_at(now, now);
                let wait = next.duration_since(now).unwrap_or_default();
                prop_assert!(wait >= last || wait >= trouble.waits().1);
                prop_assert!(wait <= DAY);
                last = wait;
                now = next;
            }
        }

        #[test]
        fn renewed_neither_too_early_nor_too_late(
            seconds in 20u64..400 * 86_400, start in 0u64..900 * 86_400, width in 0u64..90 * 86_400,
            chance in 0.0..1.0f64, has_window in any::<bool>()
        ) {
            let life = Life { from: START, until: START + Duration::from_secs(seconds) };
            let start = START + Duration::from_secs(start);
            let window = has_window.then(|| Window { start, end: start + Duration::from_secs(width) });
            let at = renewal(life, window, chance);
            prop_assert!(at >= life.from + apart(life));
            prop_assert!(at <= life.until - life.length() / 10);
            let mut plan = Plan::default();
            plan.succeeded(life, START);
            prop_assert!(plan.order_at(START, START) >= START + apart(life));
        }
    }
}
