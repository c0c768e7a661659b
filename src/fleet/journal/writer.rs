//! The writer, one turn after the other. It has no clock of its own.

use super::health::State;
use super::hours::Hours;
use super::kept::{Kept, Taken};
use super::trouble::{Trouble, Weight};
use super::wiper::Wiper;
use crate::event::{Event, event, say, tell};
use crate::fleet::database::{Database, Fault, Options, Place, Read};
use crate::fleet::state_folder::StateFolder;
use crate::util::counts::COUNTS;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time between two turns.
const TICK: Duration = Duration::from_millis(500);
/// Time between two steps of a sweep.
const SWEEP_TICK: Duration = Duration::from_millis(50);
/// Number of devices that are written in one transaction.
pub(super) const BATCH: usize = 2_000;
/// Time between two looks at the file.
const LOOK: Duration = Duration::from_secs(2);
/// Time after which the time served is written where nothing else is, while a term depends on
/// it: a process that is killed adds no more than this to any.
const TERM_TICK: Duration = Duration::from_secs(1);
/// Time in which no second broken store is moved aside.
const MINUTE: Duration = Duration::from_secs(60);
/// Time between two sweeps that nothing else calls for.
const DAY: Duration = Duration::from_secs(86_400);
/// Number of devices from which on it is said that the reading begins.
const MANY: u64 = 50_000;
/// Time between two looks at all of a store that is not large.
const HOUR: Duration = Duration::from_secs(3600);

/// Time of a turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) at: Instant,
    pub(super) wall: SystemTime,
}

impl Now {
    fn since_1970(self) -> Duration {
        self.wall.duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// Returns the milliseconds since 1970.
    fn millis(self) -> u64 {
        u64::try_from(self.since_1970().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The one who writes the store.
pub(super) struct Writer {
    place: Place,
    kept: Arc<dyn Kept>,
    state: Arc<State>,
    options: Options,
    /// The folder, which may be lost; `None` where nobody watches it.
    folder: Option<StateFolder>,
    /// Number of the folder in which the store was opened last.
    number: u64,
    database: Option<Database>,
    trouble: Option<Trouble>,
    looked: Option<Instant>,
    /// Time at which the time served was written last.
    wrote: Option<Instant>,
    hours: Hours,
    swept: Option<Instant>,
    wiper: Wiper,
    checked: Option<Instant>,
    /// Time at which a broken store was moved aside last.
    aside: Option<Instant>,
}

impl Writer {
    /// Makes one for a place.
    pub(super) fn new(
        place: Place,
        kept: Arc<dyn Kept>,
        state: Arc<State>,
        options: Options,
    ) -> Self {
        Self {
            place,
            kept,
            state,
            options,
            folder: None,
            number: 0,
            database: None,
            trouble: None,
            looked: None,
            wrote: None,
            hours: Hours::default(),
            swept: None,
            wiper: Wiper::default(),
            checked: None,
            aside: None,
        }
    }

    /// Takes the folder: nothing is written while it is not this server's.
    pub(super) fn held_by(self, folder: StateFolder) -> Self {
        let folder = Some(folder);
        Self { folder, ..self }
    }

    /// Returns the number of tries that failed since the trouble began that there is.
    #[cfg(test)]
    pub(super) fn tries(&self) -> u64 {
        self.trouble.as_ref().map_or(0, |trouble| trouble.tries)
    }

    #[cfg(test)]
    pub(super) fn database(&self) -> &Database {
        self.database.as_ref().unwrap()
    }

    pub(super) fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Does what is to be done now. Returns the time until the next turn.
    pub(super) fn turn(&mut self, now: Now) -> Duration {
        let waits = self.trouble.as_ref().map(|trouble| trouble.until);
        if let Some(until) = waits.filter(|until| *until > now.at) {
            return TICK.min(until - now.at);
        }
        match self.work(now) {
            Ok(is_sweeping) => {
                self.recovered(now);
                if is_sweeping { SWEEP_TICK } else { TICK }
            }
            Err(fault) => {
                self.failed(&fault, now);
                TICK
            }
        }
    }

    /// Writes all that waits, whatever the pause, and closes the store.
    pub(super) fn finish(&mut self, now: Now) {
        self.hours.are_due();
        self.looked = None;
        if let Err(fault) = self.work(now) {
            self.failed(&fault, now);
            // What was removed or broken is begun anew at once.
            let is_anew = |trouble: &Trouble| trouble.until <= now.at;
            if self.trouble.as_ref().is_some_and(is_anew)
                && let Err(fault) = self.work(now)
            {
                self.failed(&fault, now);
            }
        }
        if let Some(database) = self.database.take() {
            // Whoever reads meanwhile keeps the log. It is read again at the next start.
            let _ = database.settle();
        }
    }

    /// Returns whether a sweep is under way.
    fn work(&mut self, now: Now) -> Result<bool, Fault> {
        if let Some(folder) = &self.folder {
            let number = folder.standing().map_err(|_| Fault::Away)?;
            if number != self.number {
                self.looked = None;
            }
        }
        self.look(now)?;
        let mut database = match self.database.take() {
            Some(database) => database,
            None => self.open()?,
        };
        let done = self.work_on(&mut database, now);
        self.database = Some(database);
        done
    }

    /// Opens the store, in the folder as it is now.
    fn open(&mut self) -> Result<Database, Fault> {
        let number = match &self.folder {
            // Nothing may be begun where another server writes.
            Some(folder) => folder.look().map_err(|_| Fault::Away)?,
            None => 0,
        };
        let database = Database::open(&self.place, self.options)?;
        if number != self.number && self.state.is_read() {
            // Another server may have written to it meanwhile, also where it is the same.
            self.state.forget_file();
            self.kept.all_changed();
        }
        self.number = number;
        Ok(database)
    }

    fn work_on(&mut self, database: &mut Database, now: Now) -> Result<bool, Fault> {
        if !self.state.knows(database.identity()) {
            if self.state.knows_another(database.identity()) {
                // What was written is in that one.
                self.kept.all_changed();
            }
            self.read(database, now)?;
        }
        if let Some(fault) = database.unwritable() {
            return Err(fault.clone());
        }
        // Taken first: what is forgotten is removed by the write that follows.
        self.wiper.take(self.state.forgotten(), database)?;
        self.write(database, now)?;
        self.count(database, now)?;
        self.wiper.work(database, self.place.file(), now.at)?;
        let is_due = self
            .swept
            .is_none_or(|last| now.at.duration_since(last) >= DAY);
        if is_due {
            self.swept = Some(now.at);
        }
        database.begin_sweep(is_due)?;
        let is_sweeping = database.sweep(now.millis())?;
        self.state.written(now.at);
        Ok(is_sweeping)
    }

    /// Looks now and then whether the store is still the one that is open.
    fn look(&mut self, now: Now) -> Result<(), Fault> {
        let Some(database) = &mut self.database else {
            return Ok(());
        };
        let is_due = self
            .looked
            .is_none_or(|last| now.at.duration_since(last) >= LOOK);
        if !is_due {
            return Ok(());
        }
        self.looked = Some(now.at);
        database.look()?;
        let checked = *self.checked.get_or_insert(now.at);
        if now.at.duration_since(checked) >= HOUR && self.state.is_read() {
            self.checked = Some(now.at);
            database.check()?;
        }
        Ok(())
    }

    /// Reads a store that was not read before: that of the start, or one that was put in the
    /// place of another.
    fn read(&self, database: &mut Database, now: Now) -> Result<(), Fault> {
        // For how long it took, which is nobody's decision.
        let begun = Instant::now();
        let file = self.place.file();
        let about = database.rows();
        if about >= MANY {
            tell!(STORE_READING, file = file, devices = about);
        }
        let served = database.served()?;
        if !self.state.is_read() && self.state.read_served() {
            self.kept.read_served(served);
        }
        let mut load = database.load(self.kept.served());
        self.read_all(&mut || load.next())?;
        self.kept.failures_known();
        let failed = load.number();
        let mut load = load.others();
        self.read_all(&mut || load.next())?;
        let (devices, damaged) = (load.number(), load.damaged());
        self.kept.all_read();
        database.has_rows(devices);
        self.state.read(database.identity());
        self.state.written(now.at);
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        if devices > 0 {
            tell!(
                STORE_READ,
                file = file,
                devices = devices,
                failed = failed,
                millis = millis
            );
        }
        if damaged > 0 {
            tell!(STORE_DAMAGED, file = file, devices = damaged);
        }
        Ok(())
    }

    fn read_all(&self, next: &mut dyn FnMut() -> Result<Vec<Read>, Fault>) -> Result<(), Fault> {
        loop {
            let devices = next()?;
            if devices.is_empty() {
                return Ok(());
            }
            self.kept.read(devices);
        }
    }

    /// Writes what changed. Where nothing did, it writes the time served, if a term depends on
    /// it, or something failed before.
    fn write(&mut self, database: &mut Database, now: Now) -> Result<(), Fault> {
        let is_old = |last| now.at.duration_since(last) >= TERM_TICK;
        let is_due = self.wrote.is_none_or(is_old) && self.kept.has_terms();
        let mut is_tried = self.trouble.is_none() && !is_due;
        loop {
            let kept = &*self.kept;
            let taken = Taken::new(kept, BATCH);
            if taken.devices.is_empty() && is_tried {
                return Ok(());
            }
            if let Err(fault) = database.write(&taken.devices, kept.served(), now.millis()) {
                if fault == Fault::Full {
                    // The log may hold room that the store itself could take.
                    let _ = database.settle();
                }
                return Err(fault);
            }
            is_tried = true;
            self.wrote = Some(now.at);
            let devices = taken.written().len();
            COUNTS.store_wrote(devices as u64);
            if devices < BATCH {
                return Ok(());
            }
        }
    }

    /// Adds counts to those of this hour, once in a minute.
    fn count(&mut self, database: &mut Database, now: Now) -> Result<(), Fault> {
        if !self.hours.is_due(now.at) {
            return Ok(());
        }
        self.hours
            .take(&*self.kept, now.since_1970().as_secs() / 3600);
        // The time served is written with them, also where no device says anything.
        database.write(&[], self.kept.served(), now.millis())?;
        self.hours.write(database, now.at)
    }

    /// Tells that the store can be written again, if anybody heard that it could not.
    fn recovered(&mut self, now: Now) {
        if let Some(trouble) = self.trouble.take()
            && let Some(seconds) = trouble.over(now.at)
        {
            let file = self.place.file();
            let tries = trouble.tries;
            tell!(
                STORE_RECOVERED,
                file = file,
                seconds = seconds,
                tries = tries
            );
        }
    }

    fn failed(&mut self, fault: &Fault, now: Now) {
        let is_lost = |folder: &StateFolder| folder.look().is_err();
        let closer = match fault {
            Fault::Full | Fault::Locked | Fault::Away => None,
            // What is wrong with the store is the folder.
            _ if self.folder.as_ref().is_some_and(is_lost) => Some(Fault::Away),
            Fault::Failing(_) => self.place.refuses(),
            _ => None,
        };
        let fault = closer.as_ref().unwrap_or(fault);
        match fault {
            Fault::Broken(error) => return self.broken(error, now),
            Fault::Gone => return self.gone(now),
            Fault::Away => {
                if let Some(database) = self.database.take() {
                    database.leave();
                }
            }
            // Only a new connection finds out whether these are over.
            Fault::Newer { .. }
            | Fault::ReadOnly(_)
            | Fault::Failing(_)
            | Fault::NoFile(_)
            | Fault::Older { .. } => {
                self.database = None;
            }
            Fault::Full | Fault::Locked => {}
        }
        self.troubled(fault, now);
    }

    /// Returns the trouble that there is now, from a moment on where there was none.
    fn in_trouble(&mut self, now: Now) -> &mut Trouble {
        self.trouble.get_or_insert_with(|| Trouble::new(now.at))
    }

    /// Takes a fault that has to pass by itself.
    fn troubled(&mut self, fault: &Fault, now: Now) {
        let weight = self.in_trouble(now).failed_again(fault, now.at);
        let why = (weight != Weight::None).then(|| self.event(fault));
        let is_away = *fault == Fault::Away;
        if let (Weight::News, Some(why)) = (weight, &why)
            && !is_away
        {
            // That the folder is lost was said by whoever saw it.
            say(why);
        }
        self.state.failed(why);
        if self.state.is_read() || is_away {
            return;
        }
        if matches!(fault, Fault::Newer { .. }) && weight == Weight::News {
            self.kept.is_newer();
        } else if self.database.is_none() && self.place.holds_nothing() {
            // There is none, and none can be begun: there is nothing to know.
            self.nothing_to_read();
        }
    }

    fn event(&self, fault: &Fault) -> Event {
        let file = self.place.file();
        if *fault == Fault::Away {
            let folder = self.folder.as_ref();
            let lost = folder.and_then(|folder| folder.standing().err());
            return lost.unwrap_or_else(|| fault.event(file));
        }
        let is_open = self.database.is_some();
        let is_unread = !self.state.is_read() && (is_open || !self.place.holds_nothing());
        match fault {
            Fault::Newer { .. } => fault.event(file),
            _ if is_unread => fault.unread(file),
            _ => fault.event(file),
        }
    }

    /// Moves a broken store aside, and begins a new one with all that is in memory.
    fn broken(&mut self, error: &str, now: Now) {
        if let Some(database) = self.database.take() {
            database.leave();
        }
        let is_recent = self
            .aside
            .is_some_and(|last| now.at.duration_since(last) < MINUTE);
        if is_recent {
            // A disk that breaks each new one, too, is not to be filled with them.
            return self.troubled(&Fault::Failing(error.to_owned()), now);
        }
        match self.place.move_aside(now.wall) {
            Ok(aside) => {
                let file = self.place.file();
                let why = event!(STORE_BROKEN, file = file, aside = aside, error = error);
                self.aside = Some(now.at);
                self.anew(&Fault::Broken(error.to_owned()), why, now);
            }
            Err(error) => {
                let fault = Fault::from(error);
                self.troubled(&fault, now);
            }
        }
    }

    fn gone(&mut self, now: Now) {
        if let Some(database) = self.database.take() {
            database.leave_gone();
        }
        let why = event!(STORE_GONE, file = self.place.file());
        self.anew(&Fault::Gone, why, now);
    }

    /// Begins anew with all that is in memory, at the next turn. Until it is written there is
    /// a reason why not, and an end to tell of.
    fn anew(&mut self, fault: &Fault, why: Event, now: Now) {
        say(&why);
        self.in_trouble(now).failed(fault, now.at);
        self.state.failed(Some(why));
        self.looked = None;
        if self.state.is_read() {
            self.kept.all_changed();
        } else if self.place.holds_nothing() {
            self.nothing_to_read();
        }
    }

    /// Takes that what the store held, if it held anything, is lost.
    fn nothing_to_read(&self) {
        self.kept.failures_known();
        self.kept.all_read();
        self.state.read(None);
        self.kept.all_changed();
    }
}
