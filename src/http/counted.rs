//! Counts of check-ins, by what they came to.

use super::reply::Reply;
use crate::ota::decide::{Decision, Outcome};
use crate::util::counts::{COUNTS, CheckIn, Transport};
use hyper::StatusCode;

/// Counts a check-in that was decided, of a device that came over TLS or not.
pub(super) fn decision(decision: &Decision<'_>, secure: bool) {
    COUNTS.check_in(outcome(decision), Transport::of(secure));
}

/// Counts a check-in that was refused, if the reply to it says so, and returns that reply.
pub(super) fn unless_refused(reply: Reply, secure: bool) -> Reply {
    if reply.status() != StatusCode::OK {
        COUNTS.check_in(CheckIn::Refused, Transport::of(secure));
    }
    reply
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
