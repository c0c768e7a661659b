//! Schedule of orders: when to ask the CA for a certificate, and when not to. Pure: the
//! time and the chance are arguments.

use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Number of refused orders that an hour may see. Let's Encrypt takes five failed
/// validations of a name.
const REFUSALS: usize = 4;
/// Time between two certificates for the same names at least, however often a CA's
/// renewal information asks for another: Let's Encrypt gives five in a week.
const APART: Duration = Duration::from_secs(34 * 3600);
/// Number of certificates for the same names that may come closer together than that,
/// where each restart asks for another one because the last is not to be found.
const ISSUED: usize = 4;
/// Number of [`APART`]s in the week of that limit.
const WEEK: u32 = 5;
/// Longest wait, whatever `Retry-After` asks for, and however far a clock was set back.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// Validity of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: SystemTime,
    pub(super) until: SystemTime,
}

impl Validity {
    pub(super) fn length(&self) -> Duration {
        self.until.duration_since(self.from).unwrap_or_default()
    }
}

/// Window in which the CA would have a certificate renewed (RFC 9773).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RenewalWindow {
    pub(super) start: SystemTime,
    pub(super) end: SystemTime,
}

/// Trouble that kept a certificate from coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nobody was asked, or nobody answered: asking again soon costs the CA
    /// little.
    Unreachable,
    /// The CA did not believe us. Each such order counts against its limits.
    Refused,
    /// The CA has had enough of us.
    Limited,
    /// It may have signed a certificate that never came here: another one for
    /// the same names counts against its limits.
    Spent,
}

impl Trouble {
    /// Returns the first wait and the longest one.
    fn waits(self) -> (Duration, Duration) {
        match self {
            Self::Unreachable => (Duration::from_secs(5), HOUR),
            Self::Refused => (5 * MINUTE, DAY),
            Self::Limited | Self::Spent => (HOUR, DAY),
        }
    }
}

/// Returns when a certificate is to be renewed: within the CA's window, else from two
/// thirds of its life on, each certificate at a moment of its own (`chance`, 0 to 1),
/// so that a fleet of servers does not come at once.
pub(super) fn renewal(life: Validity, window: Option<RenewalWindow>, chance: f64) -> SystemTime {
    let length = life.length();
    let at = match window {
        Some(RenewalWindow { start, end }) if start < end => {
            let width = end.duration_since(start).unwrap_or_default();
            start + width.mul_f64(chance)
        }
        _ => life.from + length.mul_f64(2.0 / 3.0 + chance / 24.0),
    };
    // Even a CA that is in no hurry must not see it end.
    at.min(life.until - length / 10)
        .max(life.from + apart(life))
}

/// Returns the time from the begin of `life` to when the next one may be asked for.
fn apart(life: Validity) -> Duration {
    (life.length() / 10).min(APART)
}

/// State that a restart must know, in seconds since 1970: a service that ends and
/// begins in a circle must not use up the CA's limits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    /// Time until which the CA is left alone.
    hold: Option<u64>,
    /// Number of orders in a row that cost the CA something and gave nothing.
    failures: u32,
    refusals: Vec<u64>,
    issued: Vec<u64>,
}

/// Orders of the past, and the times until which they forbid another one.
#[derive(Debug, Default)]
pub(super) struct OrderPlan {
    /// Time until which the CA is left alone, because it asked for that or because an
    /// order cost it much.
    hold: Option<SystemTime>,
    /// Time until which we wait by ourselves. A restart lifts it: somebody may have put
    /// right what was wrong.
    wait: Option<SystemTime>,
    /// Numbers of orders in a row that gave nothing: those that cost the CA something,
    /// and those that did not.
    failures: u32,
    unreachable: u32,
    /// Refused orders of the last hour, oldest first, and those that nobody
    /// knows the end of.
    refusals: Vec<SystemTime>,
    /// Times until which the last certificates for these names count as many.
    issued: Vec<SystemTime>,
}

impl OrderPlan {
    pub(super) fn new(record: &Record, now: SystemTime) -> Self {
        let moment = |s: &u64| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(*s));
        let moments = |seconds: &[u64]| seconds.iter().filter_map(moment).collect();
        let mut plan = Self {
            hold: record.hold.as_ref().and_then(moment),
            failures: record.failures,
            refusals: moments(&record.refusals),
            issued: moments(&record.issued),
            ..Self::default()
        };
        plan.bound(now);
        plan
    }

    pub(super) fn record(&self) -> Record {
        let seconds = |at: &SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).ok();
        // Rounded up: a restart must not come a moment too early.
        let seconds = |at| seconds(at).map(|d| d.as_secs() + u64::from(d.subsec_nanos() > 0));
        Record {
            hold: self.hold.as_ref().and_then(seconds),
            failures: self.failures,
            refusals: self.refusals.iter().filter_map(seconds).collect(),
            issued: self.issued.iter().filter_map(seconds).collect(),
        }
    }

    /// Forgets the certificates that came: they were for other names, and no reason to
    /// wait.
    pub(super) fn forget_issued(&mut self) {
        self.issued.clear();
    }

    /// Returns when to order what is wanted at `wanted`.
    pub(super) fn order_at(&mut self, wanted: SystemTime, now: SystemTime) -> SystemTime {
        self.bound(now);
        let last = |moments: &[SystemTime], n: usize| moments.iter().rev().nth(n - 1).copied();
        let free = last(&self.refusals, REFUSALS).map(|oldest| oldest + HOUR);
        let few = last(&self.issued, ISSUED);
        let limits = [self.hold, self.wait, free, few];
        limits.into_iter().flatten().fold(wanted, SystemTime::max)
    }

    /// Shortens waits that come from a clock that stood in the future, or from a file
    /// that says so. Kept, not worked out at each look: a moment that moves along with
    /// the clock never comes.
    fn bound(&mut self, now: SystemTime) {
        let latest = now + LONGEST;
        for moment in [&mut self.hold, &mut self.wait].into_iter().flatten() {
            *moment = latest.min(*moment);
        }
        for moment in &mut self.issued {
            *moment = latest.min(*moment);
        }
        // Written down in whole seconds, rounded up.
        self.refusals
            .retain(|at| *at <= now + Duration::from_secs(1));
    }

    /// Notes that an order goes to where the CA may refuse it. A run that ends in the
    /// middle of it leaves it as a refused one.
    pub(super) fn begins(&mut self, now: SystemTime) {
        self.refusals.push(now);
        let old = self.refusals.len().saturating_sub(REFUSALS);
        self.refusals.drain(..old);
    }

    /// Notes that a certificate came.
    pub(super) fn succeeded(&mut self, life: Validity, now: SystemTime) {
        let mut issued = std::mem::take(&mut self.issued);
        issued.push(now + apart(life) * WEEK);
        let old = issued.len().saturating_sub(ISSUED);
        issued.drain(..old);
        *self = Self {
            issued,
            wait: Some(now + apart(life)),
            ..Self::default()
        };
    }

    /// Notes that none came: waits longer each time, and as long as the CA asks.
    /// `begun` says whether the order was told of as one that [`begins`](Self::begins).
    pub(super) fn failed(
        &mut self,
        trouble: Trouble,
        begun: bool,
        retry_after: Option<SystemTime>,
        now: SystemTime,
        chance: f64,
    ) {
        let refused = trouble == Trouble::Refused;
        if refused && !begun {
            self.begins(now);
        } else if begun && !refused {
            self.refusals.pop();
        }
        let count = if trouble == Trouble::Unreachable {
            &mut self.unreachable
        } else {
            &mut self.failures
        };
        let (first, longest) = trouble.waits();
        let doubled = first.saturating_mul(1 << (*count).min(20)).min(longest);
        *count = count.saturating_add(1);
        let own = now + doubled.mul_f64(1.0 + chance / 4.0);
        if matches!(trouble, Trouble::Limited | Trouble::Spent) {
            self.hold = self.hold.max(Some(own));
        } else {
            self.wait = Some(own);
        }
        if let Some(asked) = retry_after {
            self.hold = self.hold.max(Some(asked));
        }
        self.bound(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn life(days: u64) -> Validity {
        Validity {
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
            Some(RenewalWindow {
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

    /// Returns the plan as it is after a restart.
    fn again(plan: &OrderPlan, now: SystemTime) -> OrderPlan {
        let text = serde_json::to_string(&plan.record()).unwrap();
        OrderPlan::new(&serde_json::from_str(&text).unwrap(), now)
    }

    #[test]
    fn a_restart_knows_of_refusals() {
        let mut plan = OrderPlan::default();
        let mut now = START + DAY;
        let first = now;
        for _ in 0..REFUSALS - 1 {
            now = plan.order_at(now, now);
            plan.failed(Trouble::Refused, false, None, now, 0.0);
        }
        // One that has failed seldom tries at once.
        assert_eq!(again(&plan, now).order_at(now, now), now);
        // One that ended in the middle of it may have been refused.
        plan.begins(now);
        assert_eq!(again(&plan, now).order_at(now, now), first + HOUR);
        plan.failed(Trouble::Refused, true, None, now, 0.0);
        assert_eq!(again(&plan, now).order_at(now, now), first + HOUR);
        // But it has cost nothing where the CA did not get to look.
        plan.failed(Trouble::Unreachable, true, None, now, 0.0);
        assert_eq!(again(&plan, now).order_at(now, now), now);
    }

    #[test]
    fn a_restart_lifts_no_wait_that_the_ca_asked_for() {
        let now = START + DAY;
        for (trouble, asked, wait) in [
            (Trouble::Unreachable, None, Duration::ZERO),
            (Trouble::Refused, None, Duration::ZERO),
            (Trouble::Unreachable, Some(2 * HOUR), 2 * HOUR),
            (Trouble::Limited, Some(3 * HOUR), 3 * HOUR),
            (Trouble::Limited, None, HOUR),
            (Trouble::Spent, None, HOUR),
        ] {
            let mut plan = OrderPlan::default();
            plan.failed(trouble, false, asked.map(|asked| now + asked), now, 0.0);
            let mut plan = again(&plan, now);
            assert_eq!(plan.order_at(now, now), now + wait, "{trouble:?}");
            let later = now + 4 * HOUR;
            assert_eq!(plan.order_at(later, later), later);
            // Nor does it begin to count anew.
            plan.failed(Trouble::Spent, false, None, later, 0.0);
            let next = plan.order_at(later, later);
            let doubled = if trouble == Trouble::Unreachable {
                HOUR
            } else {
                2 * HOUR
            };
            assert_eq!(next, later + doubled, "{trouble:?}");
        }
    }

    #[test]
    fn restarts_that_lose_the_certificate_spend_few() {
        let (mut plan, mut now, mut given) = (OrderPlan::default(), START + DAY, Vec::new());
        while now < START + 30 * DAY {
            plan = again(&plan, now);
            if plan.order_at(now, now) <= now {
                plan.succeeded(life(90), now);
                given.push(now);
            }
            now += 10 * MINUTE;
        }
        // Once in a while one is replaced at once: a file that was deleted.
        assert_eq!(given[1], given[0] + 10 * MINUTE);
        for week in given.windows(6) {
            assert!(week[5] > week[0] + 7 * DAY, "more than five in a week");
        }
        plan.forget_issued();
        assert_eq!(again(&plan, now).order_at(now, now), now);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing_for_long() {
        let future = START + 900 * DAY;
        for trouble in [Trouble::Refused, Trouble::Limited, Trouble::Spent] {
            let mut plan = OrderPlan::default();
            plan.succeeded(life(90), future);
            for _ in 0..REFUSALS {
                let asked = Some(future + 2 * DAY);
                plan.failed(trouble, false, asked, future, 0.0);
            }
            for mut plan in [again(&plan, START), again(&plan, future), plan] {
                let mut now = START;
                while plan.order_at(now, now) > now {
                    now += HOUR;
                    assert!(now <= START + LONGEST, "{trouble:?}: {plan:?}");
                }
            }
        }
    }

    fn troubles() -> impl Strategy<Value = Trouble> {
        prop_oneof![
            Just(Trouble::Unreachable),
            Just(Trouble::Refused),
            Just(Trouble::Limited),
            Just(Trouble::Spent)
        ]
    }

    proptest! {
        #[test]
        fn limits_are_kept_whatever_happens(
            events in prop::collection::vec((troubles(), 0u64..200_000, 0.0..1.0f64, any::<bool>(), any::<bool>()), 1..60)
        ) {
            let (mut plan, mut now) = (OrderPlan::default(), START);
            let mut refused = Vec::new();
            for (trouble, retry, chance, asked, begun) in events {
                now = plan.order_at(now, now);
                let retry = asked.then(|| now + Duration::from_secs(retry));
                if begun {
                    plan.begins(now);
                }
                plan.failed(trouble, begun, retry, now, chance);
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
            let mut plan = OrderPlan::default();
            let (mut now, mut last) = (START, Duration::ZERO);
            for _ in 0..40 {
                plan.failed(trouble, false, None, now, 0.0);
                let next = plan.order_at(now, now);
                let wait = next.duration_since(now).unwrap();
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
            let life = Validity { from: START, until: START + Duration::from_secs(seconds) };
            let start = START + Duration::from_secs(start);
            let window = has_window.then(|| RenewalWindow { start, end: start + Duration::from_secs(width) });
            let at = renewal(life, window, chance);
            prop_assert!(at >= life.from + apart(life));
            prop_assert!(at <= life.until - life.length() / 10);
            let mut plan = OrderPlan::default();
            plan.succeeded(life, START);
            prop_assert!(plan.order_at(START, START) >= START + apart(life));
        }
    }
}
