//! State of one file of the folder, and the rules by which events change it. Nothing is
//! offered that somebody is writing, and nothing stays hidden that is whole.
//!
//! Whole is what lay there at start, what its writer has closed, what was moved in,
//! and what nobody has touched for [`SETTLE`] where the kernel says nothing (network
//! file systems, hard links).

use crate::util::file_state::FileState;
use std::time::Duration;

/// Time for which a file that no kernel event speaks of must stay the same.
pub(super) const SETTLE: Duration = Duration::from_secs(2);
/// Time for which a writer may pause. An upload that stalls for longer is given up, and
/// truncate(2) writes and never closes.
pub(super) const WRITER_GONE: Duration = Duration::from_secs(600);

/// Time since the keeper began.
pub(super) type Moment = Duration;

/// Knowledge of one file. A look that does not find it ends that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum State {
    /// Nothing.
    #[default]
    Unknown,
    /// It was made. Its writer may not have begun; or it is a hard link.
    Created,
    /// Bytes came, the last ones then, and no close since.
    Writing { last: Moment },
    /// The kernel says that it is whole. It was not looked at since.
    Told,
    /// Without such word: it looks like this since then.
    Settling { seen: FileState, since: Moment },
    /// Whole in this state, and to be read.
    Due { seen: FileState },
    /// It is being read in this state.
    Reading { seen: FileState },
    /// It was read in this state, and can be fetched.
    Offered { verified: FileState, news: Since },
    /// It was read in this state, or could not be, and is not offered.
    Refused { seen: FileState, hope: Hope },
    /// Its name, its kind or its length tell enough; or it cannot even be looked at,
    /// which may pass.
    Unusable { may_pass: bool },
}

/// Knowledge that came since a file was read that is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// Nothing new.
    Nothing,
    /// The kernel says that it is whole: if it looks different, that is why.
    Told,
    /// Only its change time moved (chmod, a hard link, a backup), to this state. The
    /// content is the same unless somebody set the modification time back, which
    /// reading it again will show.
    Due { seen: FileState },
    /// It is being read again in this state.
    Reading { seen: FileState },
}

/// Chance that a reason to refuse a file passes while the file stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hope {
    /// It is the content.
    None,
    /// It could not be opened: it is worth a try every second.
    Open,
    /// The disk failed, and may take long to fail again: it is tried when the folder
    /// is looked at unasked.
    Disk,
}

/// Reason to look at the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// The keeper begins: all that lies there counts as whole.
    Start,
    /// The kernel, or somebody, said that something changed.
    Told,
    /// It was time.
    Unasked,
}

/// Something that happens to a file, or is found out about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileEvent {
    /// The kernel: it came into being.
    Created,
    /// The kernel: bytes were written or cut.
    Written,
    /// The kernel: a writer closed it, or it was moved here whole.
    Closed,
    /// The kernel: it was deleted or moved away; and it is not there.
    Gone,
    /// Events were lost: what the kernel said of writers is void. So is a reading under
    /// way.
    Lost,
    /// Forget the verdict on its content.
    Again,
    /// A look at the folder: it looks like this.
    Seen { state: FileState, on: Occasion },
    /// A look: nothing is in it.
    Empty,
    /// A look: it cannot be used for another reason.
    Unusable { may_pass: bool },
    /// Its reading begins.
    Begun,
    /// It was read, from this state on.
    Read { of: FileState, found: ReadResult },
    /// It cannot be opened, though it is offered.
    Shut,
    /// It can be opened, which failed before.
    Open,
}

/// Result of reading a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadResult {
    /// It can be offered.
    Good,
    /// It cannot.
    Bad(Hope),
    /// It was not in the expected state before and after. Now it looks like this, if
    /// it is there.
    Changed { now: Option<FileState> },
}

/// Something that is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Nothing,
    /// The folder is worth a look.
    Look,
    /// It is waited for, which is worth a word.
    Wait,
    /// It is to be read.
    Queue,
    /// The image that was read is to be offered.
    Offer,
    /// The reason not to use it is worth a word.
    Refuse,
}

impl State {
    /// Returns whether it can be fetched.
    pub(super) fn is_offered(&self) -> bool {
        matches!(self, Self::Offered { .. })
    }

    /// Returns whether it is whole, and nobody knows yet what it is.
    pub(super) fn is_unread(&self) -> bool {
        matches!(self, Self::Due { .. } | Self::Reading { .. })
    }

    /// The state in which it is to be read.
    pub(super) fn due(&self) -> Option<FileState> {
        match *self {
            Self::Due { seen }
            | Self::Offered {
                news: Since::Due { seen },
                ..
            } => Some(seen),
            _ => None,
        }
    }

    /// Returns when it is worth a look though nothing happens.
    pub(super) fn wakes(&self) -> Option<Moment> {
        match self {
            Self::Settling { since, .. } => Some(*since + SETTLE),
            Self::Writing { last } => Some(*last + WRITER_GONE),
            _ => None,
        }
    }
}

/// Returns what becomes of a file by what happens at `now`, and what is to be done.
pub(super) fn step(state: State, event: FileEvent, now: Moment) -> (State, Action) {
    match event {
        FileEvent::Created => (State::Created, Action::Look),
        // A slow copy sends an event for each block and must not cost a look each.
        FileEvent::Written if matches!(state, State::Writing { .. }) => {
            (State::Writing { last: now }, Action::Nothing)
        }
        FileEvent::Written => (State::Writing { last: now }, Action::Look),
        FileEvent::Closed => (closed(state), Action::Look),
        FileEvent::Gone | FileEvent::Lost => (unheard(state), Action::Look),
        FileEvent::Again => (again(state), Action::Queue),
        FileEvent::Seen { state: seen, on } => see(state, seen, on, now),
        FileEvent::Empty => match state {
            // A copy that has just begun.
            State::Created | State::Writing { .. } => (state, Action::Wait),
            _ => (State::Unusable { may_pass: false }, Action::Refuse),
        },
        FileEvent::Unusable { may_pass } => match state {
            // It is still a writer's, and goes on being one.
            State::Writing { .. } => (state, Action::Refuse),
            _ => (State::Unusable { may_pass }, Action::Refuse),
        },
        FileEvent::Begun => (begin(state), Action::Nothing),
        FileEvent::Read { of, found } => read(state, of, found, now),
        FileEvent::Shut => match state {
            State::Offered { verified, .. } => {
                let (seen, hope) = (verified, Hope::Open);
                (State::Refused { seen, hope }, Action::Refuse)
            }
            _ => (state, Action::Nothing),
        },
        FileEvent::Open => match state {
            State::Refused {
                seen,
                hope: Hope::Open,
            } => (State::Due { seen }, Action::Queue),
            _ => (state, Action::Nothing),
        },
    }
}

fn closed(state: State) -> State {
    match state {
        // It may have been opened and closed, and nothing written; else it looks
        // different.
        State::Offered { verified, .. } => State::Offered {
            verified,
            news: Since::Told,
        },
        _ => State::Told,
    }
}

/// Returns what is left once the kernel's word on writers is void.
fn unheard(state: State) -> State {
    match state {
        State::Created | State::Writing { .. } | State::Told => State::Unknown,
        State::Offered {
            verified,
            news: Since::Told,
        } => State::Offered {
            verified,
            news: Since::Nothing,
        },
        State::Reading { seen } => State::Due { seen },
        State::Offered {
            verified,
            news: Since::Reading { seen },
        } => State::Offered {
            verified,
            news: Since::Due { seen },
        },
        _ => state,
    }
}

fn again(state: State) -> State {
    match state {
        State::Offered { verified: seen, .. }
        | State::Refused { seen, .. }
        | State::Reading { seen } => State::Due { seen },
        _ => state,
    }
}

fn begin(state: State) -> State {
    match state {
        State::Due { seen } => State::Reading { seen },
        State::Offered {
            verified,
            news: Since::Due { seen },
        } => State::Offered {
            verified,
            news: Since::Reading { seen },
        },
        _ => state,
    }
}

fn see(state: State, seen: FileState, on: Occasion, now: Moment) -> (State, Action) {
    let due = (State::Due { seen }, Action::Queue);
    // Since now, as far as anybody knows.
    let settling = State::Settling { seen, since: now };
    match state {
        State::Told => due,
        State::Unknown if on == Occasion::Start => due,
        State::Writing { last } if now.saturating_sub(last) < WRITER_GONE => (state, Action::Wait),
        State::Settling { seen: before, .. } if before != seen => (settling, Action::Wait),
        State::Settling { since, .. } if now.saturating_sub(since) >= SETTLE => due,
        State::Settling { .. } => (state, Action::Wait),
        State::Due { seen: before } if before.same_but_for_change_time(&seen) => due,
        State::Reading { seen: before } if before == seen => (state, Action::Nothing),
        State::Offered { verified, news } => see_offered(verified, news, seen, now),
        State::Refused { seen: before, hope } if before == seen => {
            if hope == Hope::Disk && on == Occasion::Unasked {
                due
            } else {
                // Nothing has changed that could make it better.
                (state, Action::Nothing)
            }
        }
        State::Refused { .. } => (settling, Action::Nothing),
        State::Unknown
        | State::Created
        | State::Writing { .. }
        | State::Due { .. }
        | State::Reading { .. }
        | State::Unusable { .. } => (settling, Action::Wait),
    }
}

fn see_offered(verified: FileState, news: Since, seen: FileState, now: Moment) -> (State, Action) {
    let offered = |news| State::Offered { verified, news };
    if verified == seen {
        // What the kernel said of this state must not vouch for the next.
        return (offered(Since::Nothing), Action::Nothing);
    }
    if verified.same_but_for_change_time(&seen) {
        return match news {
            Since::Reading { seen: before } if before == seen => (offered(news), Action::Nothing),
            _ => (offered(Since::Due { seen }), Action::Queue),
        };
    }
    match news {
        Since::Told => (State::Due { seen }, Action::Queue),
        _ => (State::Settling { seen, since: now }, Action::Wait),
    }
}

/// A result counts for the reading that was last begun, and only if nothing was
/// heard of the file since.
fn read(state: State, of: FileState, found: ReadResult, now: Moment) -> (State, Action) {
    let before = match state {
        State::Reading { seen } if seen == of => None,
        State::Offered {
            verified,
            news: Since::Reading { seen },
        } if seen == of => Some(verified),
        _ => return (state, Action::Nothing),
    };
    match found {
        ReadResult::Good => {
            let (verified, news) = (of, Since::Nothing);
            (State::Offered { verified, news }, Action::Offer)
        }
        ReadResult::Bad(hope) => (State::Refused { seen: of, hope }, Action::Refuse),
        ReadResult::Changed { now: state_now } => match (before, state_now) {
            // A second chmod in a row leaves the content what it was.
            (Some(verified), Some(seen)) if verified.same_but_for_change_time(&seen) => {
                let news = Since::Due { seen };
                (State::Offered { verified, news }, Action::Look)
            }
            // It goes on changing.
            _ => {
                let (seen, since) = (of, now);
                (State::Settling { seen, since }, Action::Look)
            }
        },
    }
}

#[cfg(test)]
mod tests;
