//! Counts of check-ins, by what they came to.

use super::reply::Reply;
use crate::ota::decide::{Decision, Outcome};
use crate::util::counts::{COUNTS, CheckIn, Counts, Transport};
use hyper::StatusCode;

/// Counts a check-in that was decided, of a device that came over TLS or not.
pub(super) fn decision(decision: &Decision<'_>, secure: bool) {
    COUNTS.check_in(outcome(decision), Transport::of(secure));
}

/// Counts a check-in that was refused, and returns the reply to it.
pub(super) fn refused(reply: Reply, secure: bool) -> Reply {
    COUNTS.check_in(CheckIn::Refused, Transport::of(secure));
    reply
}

/// Counts a check-in that was refused, if the status of the reply says so, and returns that
/// reply. One without an id is told so with 200, and counted where that is found.
pub(super) fn unless_refused(reply: Reply, secure: bool) -> Reply {
    count_status(&COUNTS, reply.status(), secure);
    reply
}

fn count_status(counts: &Counts, status: StatusCode, secure: bool) {
    if status != StatusCode::OK {
        counts.check_in(CheckIn::Refused, Transport::of(secure));
    }
}

fn outcome(decision: &Decision<'_>) -> CheckIn {
    match decision.outcome {
        Outcome::Offer { force: true, .. } => CheckIn::Forced,
        Outcome::Offer { force: false, .. } => CheckIn::Offered,
        Outcome::UpToDate if decision.is_early => CheckIn::StillReading,
        Outcome::UpToDate if decision.withheld.is_empty() => CheckIn::UpToDate,
        Outcome::UpToDate => CheckIn::Withheld,
        Outcome::Silent => CheckIn::Silent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firmware::snapshot::Snapshot;
    use crate::firmware::snapshot::tests::{entry, snapshot};
    use crate::ota::decide::{Policy, decide};
    use xiaozhi_device::checkin::{CheckIn as Reported, Report};
    use xiaozhi_device::guards::Reason;

    /// Outcome for a device of this version, and with the offer taken back.
    fn counted(snapshot: &Snapshot, version: &str) -> (CheckIn, CheckIn) {
        let body = format!(r#"{{"board":{{"type":"a"}},"application":{{"version":"{version}"}}}}"#);
        let check_in = Reported {
            report: Report::read(body.as_bytes()),
            ..Reported::default()
        };
        let policy = Policy::default();
        let mut decision = decide(&check_in, snapshot, &policy, &());
        let at_first = outcome(&decision);
        decision.withdraw(Reason::NoAddress);
        (at_first, outcome(&decision))
    }

    #[test]
    fn every_decision_has_its_outcome() {
        let files = snapshot(&["a_2.0.4.bin"]);
        let offered = (CheckIn::Offered, CheckIn::Withheld);
        assert_eq!(counted(&files, "1.0.0"), offered);
        assert_eq!(
            counted(&files, "3.0.0"),
            (CheckIn::UpToDate, CheckIn::UpToDate)
        );
        assert_eq!(counted(&files, "2.0.x"), (CheckIn::Silent, CheckIn::Silent));
        let models = ["a".to_owned()].into();
        let unread = [("a_2.0.4.bin".to_owned(), name("a_2.0.4.bin"))];
        let early = Snapshot::new([entry("b_1.0.bin")], models).with_unread(unread);
        assert_eq!(counted(&early, "1.0.0").0, CheckIn::StillReading);
    }

    fn name(file: &str) -> Option<crate::firmware::name::ImageName> {
        crate::firmware::name::parse(file).ok()
    }

    #[test]
    fn a_forced_offer_is_one_of_its_own() {
        let files = snapshot(&["a_2.0.4.bin"]);
        let body = br#"{"board":{"type":"a"},"application":{"version":"1.0.0"}}"#;
        let check_in = Reported {
            report: Report::read(body),
            ..Reported::default()
        };
        let policy = Policy::default();
        let mut decision = decide(&check_in, &files, &policy, &());
        if let Outcome::Offer { force, .. } = &mut decision.outcome {
            *force = true;
        }
        assert_eq!(outcome(&decision), CheckIn::Forced);
    }

    #[test]
    fn a_reply_with_an_error_is_a_check_in_that_was_refused() {
        // Of its own: other tests count at the same time.
        let counts = Counts::new();
        let refused = |way| counts.check_ins(CheckIn::Refused, way);
        count_status(&counts, StatusCode::OK, true);
        assert_eq!(
            (refused(Transport::Https), refused(Transport::Http)),
            (0, 0)
        );
        count_status(&counts, StatusCode::FORBIDDEN, true);
        assert_eq!(
            (refused(Transport::Https), refused(Transport::Http)),
            (1, 0)
        );
        count_status(&counts, StatusCode::BAD_REQUEST, false);
        assert_eq!(
            (refused(Transport::Https), refused(Transport::Http)),
            (1, 1)
        );
    }
}
