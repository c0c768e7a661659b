//! Reasons for which the server behind gives no answer.

use crate::event::{Event, Value, event};
use crate::ota::upstream::Fault;
use hyper::StatusCode;
use std::time::Duration;

/// Longest reply, in bytes. Devices read 8 KB.
pub(super) const LONGEST: usize = 64 * 1024;
/// Number of bytes of a redirect's address, or a coding, that are shown.
pub(super) const SHOWN: usize = 200;

/// Reason why there is no answer, or none that is of use.
#[derive(Debug)]
pub(super) enum NoReply {
    Late(Duration),
    Unreached(Value),
    Cut(String),
    Status(StatusCode),
    Redirect(StatusCode, String),
    Coded(String),
    TooBig,
    Reply(Fault),
    /// So many wait already.
    Crowded(usize),
    /// It waited for its turn, and there was no time left for an answer.
    Queued(Duration),
    /// The connection ended without an answer.
    Closed(Value),
    /// One tries just now whether it is back.
    Tried,
}

impl NoReply {
    /// Tells whether the way there failed, and not the reply.
    pub(super) fn is_of_transport(&self) -> bool {
        let is_of_one = matches!(self, Self::Late(_) | Self::Closed(_) | Self::Cut(_));
        is_of_one || self.is_of_all()
    }

    /// Tells whether it would be the same for every device: there is no connection.
    pub(super) fn is_of_all(&self) -> bool {
        matches!(self, Self::Unreached(_))
    }

    /// Tells whether the server behind was not asked, or not for long enough.
    pub(super) fn is_unasked(&self) -> bool {
        matches!(self, Self::Crowded(_) | Self::Queued(_) | Self::Tried)
    }

    /// Tells whether it says that the device waits for its owner.
    pub(super) fn is_of_unbound(&self) -> bool {
        matches!(
            self,
            Self::Reply(Fault::Unfit {
                is_unbound: true,
                ..
            })
        )
    }

    /// Returns it in words.
    pub(super) fn event(&self) -> Event {
        match self {
            Self::Late(limit) => event!(UPSTREAM_LATE, limit = format!("{limit:?}")),
            Self::Unreached(error) | Self::Closed(error) => {
                event!(UPSTREAM_UNREACHED, error = error.clone())
            }
            Self::Cut(error) => event!(UPSTREAM_CUT, error = error),
            Self::Status(StatusCode::NOT_FOUND) => event!(UPSTREAM_NOT_FOUND),
            Self::Status(status) => event!(UPSTREAM_STATUS, status = status.as_u16()),
            Self::Redirect(status, to) => {
                event!(UPSTREAM_REDIRECT, status = status.as_u16(), to = to)
            }
            Self::Coded(coding) => event!(UPSTREAM_CODED, coding = coding),
            Self::TooBig => event!(UPSTREAM_TOO_BIG, limit = LONGEST),
            Self::Reply(fault) => fault.event(),
            Self::Crowded(limit) => event!(UPSTREAM_CROWDED, limit = *limit),
            Self::Queued(limit) => event!(UPSTREAM_QUEUED, limit = format!("{limit:?}")),
            Self::Tried => event!(UPSTREAM_TRIED),
        }
    }
}
