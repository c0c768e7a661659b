//! Orders of events, and what they lead to.

mod world;

use super::*;
use proptest::prelude::*;
use world::{Deed, World, deed};

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_offers_what_is_written_or_hides_what_is_whole(
        lies_there in any::<bool>(),
        is_silent in prop::bool::weighted(0.2),
        deeds in prop::collection::vec(deed(), 0..60),
    ) {
        let mut world = World::new(is_silent);
        if lies_there {
            let mut inode = world.inode(7, true);
            inode.changed = None;
            world.file = Some(inode);
            let state = world.look_of_the_file().unwrap();
            world.step(FileEvent::Seen { state, on: Occasion::Start });
        }
        for deed in deeds {
            world.happens(deed);
            world.is_safe(matches!(deed, Deed::Look))?;
        }
        world.settles()?;
        if world.is_whole_and_good() {
            prop_assert!(world.state.is_offered(), "hidden: {:?}", world.state);
        }
        // A writer that goes on pausing is given up, and not before.
        if world.is_being_written() {
            world.now += WRITER_GONE;
            world.settles()?;
            let file = world.file.clone().unwrap();
            prop_assert_eq!(world.state.is_offered(), file.is_good && file.look.size > 0);
        }
    }
}

fn seen(tick: i64) -> FileState {
    FileState {
        inode: (1, 1),
        size: 7,
        modified: (1, 0),
        changed: (tick, 0),
    }
}

fn seconds(seconds: u64) -> Moment {
    Duration::from_secs(seconds)
}

/// The states that events lead to, one a second.
fn after(events: &[FileEvent]) -> State {
    let moments = (0..).map(seconds);
    let steps = events.iter().zip(moments);
    steps.fold(State::default(), |state, (event, now)| {
        step(state, *event, now).0
    })
}

#[test]
fn what_lies_there_at_start_is_whole_and_later_it_must_stand_still() {
    let state = seen(1);
    let at_start = FileEvent::Seen {
        state,
        on: Occasion::Start,
    };
    let later = FileEvent::Seen {
        state,
        on: Occasion::Told,
    };
    assert_eq!(after(&[at_start]).due(), Some(state));
    assert_eq!(after(&[later, later]).due(), None);
    assert_eq!(after(&[later, later, later]).due(), Some(state));
    assert_eq!(
        after(&[FileEvent::Created, FileEvent::Closed, later]).due(),
        Some(state)
    );
}

#[test]
fn a_change_of_permissions_reads_again_and_withdraws_nothing() {
    let on = Occasion::Start;
    let state = seen(1);
    let found = ReadResult::Good;
    let offered = [
        FileEvent::Seen { state, on },
        FileEvent::Begun,
        FileEvent::Read { of: state, found },
    ];
    let again = |found| {
        let (state, on) = (seen(2), Occasion::Told);
        let more = [
            FileEvent::Seen { state, on },
            FileEvent::Begun,
            FileEvent::Read { of: state, found },
        ];
        after(&[&offered[..], &more].concat())
    };
    assert!(after(&offered).is_offered() && again(ReadResult::Good).is_offered());
    let now = Some(seen(3));
    assert!(again(ReadResult::Changed { now }).is_offered());
    assert!(!again(ReadResult::Changed { now: None }).is_offered());
    assert!(!again(ReadResult::Bad(Hope::None)).is_offered());
}

#[test]
fn one_look_is_enough_for_a_writer_that_writes_often() {
    let (state, action) = step(State::Created, FileEvent::Written, seconds(1));
    assert_eq!(action, Action::Look);
    let (state, action) = step(state, FileEvent::Written, seconds(2));
    assert_eq!(action, Action::Nothing);
    // Even while it is too long already, or of a name that nobody uses.
    let (state, _) = step(state, FileEvent::Unusable { may_pass: false }, seconds(3));
    assert_eq!(
        step(state, FileEvent::Written, seconds(4)).1,
        Action::Nothing
    );
}
