//! A world with one name in it, writers, a kernel that tells of them late or loses its
//! words, and a keeper that knows of it only what it is told. What is true is asked of
//! the world.

use super::super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

const GLANCE: Duration = Duration::from_secs(1);

/// A content of which the other half is another one.
const TORN: u32 = 0;

/// Somebody who has a file open for writing.
#[derive(Debug, Clone, Copy)]
struct Writer {
    /// Moment of its last write, or of the last word of it, if it has written and nobody
    /// closed the file since: whose close that was, the kernel doesn't say.
    wrote: Option<Moment>,
    /// True where the keeper was told of that, and the word was not lost.
    is_told: bool,
}

/// File that a name leads to.
#[derive(Debug, Clone)]
pub(super) struct Inode {
    pub(super) look: FileState,
    content: u32,
    pub(super) is_good: bool,
    /// Moment at which its content came to be what it is; `None`: before the keeper began.
    pub(super) changed: Option<Moment>,
    writers: Vec<Writer>,
}

/// The kernel's word about the name.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Word {
    Created,
    Written,
    Closed,
    Other,
    Lost,
}

/// A reading under way.
#[derive(Debug, Clone, Copy)]
struct Reading {
    of: FileState,
    /// The state and the content that are found at its beginning.
    first: Option<(FileState, u32)>,
    is_readable: bool,
}

pub(super) struct World {
    pub(super) now: Moment,
    /// The file system's clock, which ticks less often than things happen.
    tick: i64,
    inodes: u64,
    contents: u32,
    pub(super) file: Option<Inode>,
    can_be_opened: bool,
    disk_fails: bool,
    /// Words of the kernel that the keeper has not heard yet.
    words: VecDeque<Word>,
    /// True where the kernel says nothing of this folder, as of a network's.
    is_silent: bool,

    pub(super) state: State,
    /// The content that the keeper verified last: what it offers, if it offers anything.
    verified: u32,
    reading: Option<Reading>,
    looked_unasked: Moment,
    /// Moment at which something was offered that had not stood still, without a word of
    /// the kernel's.
    hasty: Option<Moment>,
}

/// Something that somebody does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deed {
    Create,
    OpenForWriting,
    Write {
        within_a_tick: bool,
        is_good: bool,
    },
    /// Cuts it to nothing.
    Cut,
    Close,
    MoveIn {
        is_good: bool,
    },
    Link,
    Delete,
    TouchChangeTime,
    Shut,
    Open,
    DiskFails,
    DiskRecovers,
    /// The kernel's queue overflows.
    Overflow,
    /// So many words reach the keeper.
    Hear(usize),
    Look,
    AskAgain,
    BeginToRead,
    EndReading,
    Pause(u64),
}

pub(super) fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => Just(Deed::Create),
        1 => Just(Deed::OpenForWriting),
        5 => (any::<bool>(), prop::bool::weighted(0.8))
            .prop_map(|(within_a_tick, is_good)| Deed::Write { within_a_tick, is_good }),
        1 => Just(Deed::Cut),
        3 => Just(Deed::Close),
        2 => prop::bool::weighted(0.8).prop_map(|is_good| Deed::MoveIn { is_good }),
        1 => Just(Deed::Link),
        1 => Just(Deed::Delete),
        1 => Just(Deed::TouchChangeTime),
        1 => Just(Deed::Shut),
        2 => Just(Deed::Open),
        1 => Just(Deed::DiskFails),
        2 => Just(Deed::DiskRecovers),
        1 => Just(Deed::Overflow),
        6 => (1usize..5).prop_map(Deed::Hear),
        5 => Just(Deed::Look),
        1 => Just(Deed::AskAgain),
        5 => Just(Deed::BeginToRead),
        5 => Just(Deed::EndReading),
        5 => prop::sample::select(vec![1, 100, 900, 2_100, 5_000, 700_000]).prop_map(Deed::Pause),
    ]
}

impl World {
    pub(super) fn new(is_silent: bool) -> Self {
        Self {
            is_silent,
            now: Moment::ZERO,
            tick: 1,
            inodes: 0,
            contents: TORN,
            file: None,
            can_be_opened: true,
            disk_fails: false,
            words: VecDeque::new(),
            state: State::default(),
            verified: TORN,
            reading: None,
            looked_unasked: Moment::ZERO,
            hasty: None,
        }
    }

    /// A new file, not yet under the name.
    pub(super) fn inode(&mut self, size: u64, is_good: bool) -> Inode {
        self.tick += 1;
        self.inodes += 1;
        self.contents += 1;
        Inode {
            look: FileState {
                inode: (1, self.inodes),
                size,
                modified: (self.tick, 0),
                changed: (self.tick, 0),
            },
            content: self.contents,
            is_good,
            changed: Some(self.now),
            writers: Vec::new(),
        }
    }

    fn say(&mut self, word: Word) {
        if !self.is_silent {
            self.words.push_back(word);
        }
    }

    pub(super) fn look_of_the_file(&self) -> Option<FileState> {
        self.file.as_ref().map(|file| file.look)
    }

    pub(super) fn happens(&mut self, deed: Deed) {
        match deed {
            Deed::Create if self.file.is_none() => {
                let mut inode = self.inode(0, true);
                inode.writers.push(Writer {
                    wrote: None,
                    is_told: false,
                });
                self.file = Some(inode);
                self.say(Word::Created);
            }
            Deed::OpenForWriting => {
                if let Some(file) = &mut self.file {
                    file.writers.push(Writer {
                        wrote: None,
                        is_told: false,
                    });
                }
            }
            Deed::Write {
                within_a_tick,
                is_good,
            } => self.write(within_a_tick, is_good, 7),
            Deed::Cut => self.write(false, true, 0),
            Deed::Close => {
                if let Some(file) = &mut self.file
                    && file.writers.pop().is_some()
                {
                    for writer in &mut file.writers {
                        writer.wrote = None;
                    }
                    self.say(Word::Closed);
                }
            }
            Deed::MoveIn { is_good } => {
                self.file = Some(self.inode(7, is_good));
                self.say(Word::Closed);
            }
            Deed::Link if self.file.is_none() => {
                self.file = Some(self.inode(7, true));
                self.say(Word::Created);
            }
            Deed::Delete if self.file.take().is_some() => self.say(Word::Other),
            Deed::TouchChangeTime => {
                self.tick += 1;
                if let Some(file) = &mut self.file {
                    file.look.changed.0 = self.tick;
                    self.say(Word::Other);
                }
            }
            Deed::Shut => self.can_be_opened = false,
            Deed::Open => self.can_be_opened = true,
            Deed::DiskFails => self.disk_fails = true,
            Deed::DiskRecovers => self.disk_fails = false,
            Deed::Overflow => self.overflow(),
            Deed::Hear(count) => (0..count).for_each(|_| self.hear()),
            Deed::Look => self.look(),
            Deed::AskAgain => drop(self.step(FileEvent::Again)),
            Deed::BeginToRead => self.begin_to_read(),
            Deed::EndReading => self.end_reading(),
            Deed::Pause(millis) => self.now += Duration::from_millis(millis),
            Deed::Create | Deed::Link | Deed::Delete => {}
        }
    }

    fn write(&mut self, within_a_tick: bool, is_good: bool, length: u64) {
        self.contents += 1;
        let (now, content) = (self.now, self.contents);
        // Where nobody tells, only the times do.
        self.tick += i64::from(!within_a_tick || self.is_silent);
        let tick = self.tick;
        let Some(file) = &mut self.file else { return };
        let Some(writer) = file.writers.last_mut() else {
            return;
        };
        (writer.wrote, writer.is_told) = (Some(now), false);
        (file.content, file.is_good, file.changed) = (content, is_good, Some(now));
        // Mostly the same: only the times may tell.
        file.look.size = length;
        (file.look.modified.0, file.look.changed.0) = (tick, tick);
        self.say(Word::Written);
    }

    /// Loses the words that are not heard; those that were heard of writers count no more.
    /// A write of which neither a word nor a time stamp tells is beyond anybody's knowledge.
    fn overflow(&mut self) {
        self.words.clear();
        self.say(Word::Lost);
        self.tick += 1;
        if let Some(file) = &mut self.file {
            (file.look.modified.0, file.look.changed.0) = (self.tick, self.tick);
        }
    }

    fn hear(&mut self) {
        let Some(word) = self.words.pop_front() else {
            return;
        };
        let event = match word {
            Word::Created => FileEvent::Created,
            Word::Written => {
                // The words of the writers of one file come in order.
                if let Some(file) = &mut self.file
                    && !self.words.contains(&Word::Written)
                {
                    for writer in &mut file.writers {
                        // Its pause begins when the keeper hears of it.
                        writer.wrote = writer.wrote.map(|_| self.now);
                        writer.is_told = writer.wrote.is_some();
                    }
                }
                FileEvent::Written
            }
            Word::Closed => FileEvent::Closed,
            Word::Other if self.file.is_none() => FileEvent::Gone,
            Word::Other => return,
            Word::Lost => {
                if let Some(file) = &mut self.file {
                    for writer in &mut file.writers {
                        writer.is_told = false;
                    }
                }
                FileEvent::Lost
            }
        };
        self.step(event);
    }

    pub(super) fn step(&mut self, event: FileEvent) -> Action {
        let (state, action) = step(self.state, event, self.now);
        self.state = state;
        action
    }

    fn look(&mut self) {
        let on = if self.now >= self.looked_unasked + Duration::from_secs(30) {
            self.looked_unasked = self.now;
            Occasion::Unasked
        } else {
            Occasion::Told
        };
        match self.look_of_the_file() {
            None => self.state = State::default(),
            Some(look) if look.size == 0 => drop(self.step(FileEvent::Empty)),
            Some(state) => drop(self.step(FileEvent::Seen { state, on })),
        }
        self.glance();
    }

    /// Finds what a download, or the keeper's own glance, finds by opening it.
    fn glance(&mut self) {
        let is_there = self.file.is_some();
        if self.can_be_opened && is_there {
            self.step(FileEvent::Open);
        } else if is_there {
            self.step(FileEvent::Shut);
        }
    }

    fn begin_to_read(&mut self) {
        if let (Some(of), None) = (self.state.due(), self.reading) {
            self.step(FileEvent::Begun);
            self.reading = Some(Reading {
                of,
                first: self.file.as_ref().map(|file| (file.look, file.content)),
                is_readable: self.can_be_opened && self.file.is_some(),
            });
        }
    }

    fn end_reading(&mut self) {
        let Some(Reading {
            of,
            first,
            is_readable,
        }) = self.reading.take()
        else {
            return;
        };
        let now = self.look_of_the_file();
        let mut content = TORN;
        let found = match (first, &self.file) {
            _ if !is_readable => ReadResult::Bad(Hope::Open),
            (Some((before, _)), _) if before != of => ReadResult::Changed { now },
            (Some(_), Some(_)) if self.disk_fails => ReadResult::Bad(Hope::Disk),
            (Some((before, first)), Some(file)) if file.look == before => {
                if file.content == first {
                    content = first;
                }
                if file.is_good {
                    ReadResult::Good
                } else {
                    ReadResult::Bad(Hope::None)
                }
            }
            // Written to; or deleted or renamed over, which moves the change time of
            // what is open.
            _ => ReadResult::Changed { now },
        };
        if self.step(FileEvent::Read { of, found }) == Action::Offer {
            self.verified = content;
            let stood_still = |at: Moment| self.now.saturating_sub(at) >= SETTLE;
            let hasty = |file: &Inode| !file.changed.is_none_or(stood_still);
            if self.is_silent && self.file.as_ref().is_some_and(hasty) {
                self.hasty = Some(self.now);
            }
        }
    }

    /// Somebody writes whom the keeper knows of.
    pub(super) fn is_being_written(&self) -> bool {
        let patient = |at: Moment| self.now.saturating_sub(at) < WRITER_GONE;
        let known = |writer: &Writer| writer.is_told && writer.wrote.is_some_and(patient);
        self.file
            .as_ref()
            .is_some_and(|file| file.writers.iter().any(known))
    }

    /// Somebody writes, whoever knows of it.
    fn is_unfinished(&self) -> bool {
        let patient = |at: Moment| self.now.saturating_sub(at) < WRITER_GONE;
        let at_work = |writer: &Writer| writer.wrote.is_some_and(patient);
        self.file
            .as_ref()
            .is_some_and(|file| file.writers.iter().any(at_work))
    }

    pub(super) fn is_whole_and_good(&self) -> bool {
        let whole = |file: &Inode| file.look.size > 0 && file.is_good;
        self.file.as_ref().is_some_and(whole) && !self.is_unfinished()
    }

    /// Checks what must hold at any moment, and once the keeper has heard everything and
    /// looked.
    pub(super) fn is_safe(&self, has_just_looked: bool) -> Result<(), TestCaseError> {
        if !self.state.is_offered() {
            return Ok(());
        }
        prop_assert!(!self.is_being_written(), "offered while it is written");
        prop_assert_eq!(self.hasty, None, "offered before it stood still");
        if has_just_looked && self.words.is_empty() {
            let there = self.file.as_ref().map(|file| (file.content, file.is_good));
            prop_assert_eq!(there, Some((self.verified, true)), "another content");
            prop_assert!(self.can_be_opened, "offered, and cannot be opened");
        }
        Ok(())
    }

    /// The keeper's own rhythm, until everything that it waits for has come.
    pub(super) fn settles(&mut self) -> Result<(), TestCaseError> {
        (self.can_be_opened, self.disk_fails) = (true, false);
        let is_broken = |state| matches!(state, State::Refused { hope, .. } if hope == Hope::Disk);
        let seconds = if is_broken(self.state) { 31 } else { 0 } + 4;
        for _ in 0..=seconds {
            while !self.words.is_empty() {
                self.hear();
            }
            self.look();
            self.is_safe(true)?;
            // One may be under way, which comes to nothing.
            for _ in 0..2 {
                self.begin_to_read();
                self.end_reading();
            }
            self.is_safe(false)?;
            self.now += GLANCE;
        }
        Ok(())
    }
}
