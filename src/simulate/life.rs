//! Life of one device, from its first boot until it has nothing more to do
//! (`Application::CheckNewVersion`, `Ota::Upgrade` in the firmware's `main`).

use super::bad::{Bad, Fate};
use super::book::Book;
use super::exchange::{self, Link, Offer};
use super::failure::{Failure, FailureKind};
use super::image::{Images, Installed, installed};
use super::network::Connect;
use super::plan::Plan;
use super::random::Random;
use super::tally::{DeviceState, Tally};
use crate::probe::address::{self, Target, Use};
use crate::probe::device::Device;
use crate::probe::reply::Update;
use crate::probe::wire::Framing;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, sleep_until};

/// Number of tries of a check (`MAX_RETRY`).
const TRIES: u32 = 10;
/// Pause before the second try; before each further one it is twice as long.
const BACK_OFF: Duration = Duration::from_secs(10);
/// Time between the end of a download and the restart into the new image.
const REBOOT: Duration = Duration::from_secs(3);
/// Time until somebody switches a device off and on that does not do what it
/// should.
const SWITCHED: Duration = Duration::from_secs(10);
/// Time between the end of a download and the check of a device whose new image has
/// crashed: it boots twice.
const CRASH: Duration = Duration::from_secs(4);
/// Time for which a device that is offered nothing runs on until its next boot:
/// more than the 10 s within which a second check tells of no other boot.
const RUNS_ON: Duration = Duration::from_secs(12);
/// Length of an image's end that a device leaves unread where its power fails
/// behind the last byte: what the kernels on the way hold at the least, in bytes.
const TAIL: u64 = 32 * 1024;
/// Time in which that end comes.
const TAIL_COMES: Duration = Duration::from_secs(1);
/// Most updates of one device: more than this lead nowhere.
const MOST_UPDATES: u8 = 3;
/// Most cuts of one device: after so many its download has failed.
const MOST_CUTS: u8 = 20;
/// Pause of a device that has found this machine short of something.
const SHORTAGE: Duration = Duration::from_secs(1);

/// Everything that all devices share.
pub(super) struct SimulatedFleet<N> {
    pub(super) plan: Plan,
    pub(super) network: N,
    /// One permit for each connection that may be open.
    pub(super) permits: Semaphore,
    pub(super) tally: RefCell<Tally>,
    pub(super) book: RefCell<Book>,
    pub(super) images: Images,
    /// Notified when every device has come to its end.
    pub(super) done: Notify,
}

impl<N: Connect> SimulatedFleet<N> {
    /// Makes a fleet that is switched off.
    pub(super) fn new(plan: Plan, network: N, at_once: usize) -> Self {
        let tally = Tally::new(plan.devices, &plan.first_version());
        Self {
            permits: Semaphore::new(at_once.min(Semaphore::MAX_PERMITS)),
            tally: RefCell::new(tally),
            book: RefCell::new(Book::new(plan.devices, plan.silent_after, plan.macs)),
            images: Images::default(),
            done: Notify::new(),
            plan,
            network,
        }
    }
}

/// Lives the whole life of a device.
pub(super) async fn live<N: Connect>(fleet: Rc<SimulatedFleet<N>>, number: u32) {
    let on = Instant::now() + fleet.plan.switched_on(number);
    let mut life = Life::new(&fleet, number);
    sleep_until(on).await;
    loop {
        match life.boot().await {
            Next::End(state) => {
                fleet.book.borrow_mut().left(number);
                life.enter(state);
                break;
            }
            Next::Restart(pause) => {
                life.enter(DeviceState::Rebooting);
                sleep(pause).await;
            }
            Next::PowerCut => {
                life.enter(DeviceState::Rebooting);
                sleep(SWITCHED).await;
                life.roll_back();
            }
        }
    }
    let ended = fleet.tally.borrow().ended();
    if ended == fleet.plan.devices {
        fleet.done.notify_one();
    }
}

/// Next step of a device after a boot.
enum Next {
    End(DeviceState),
    /// Restart into the image that it has just written, or confirmed, or the next
    /// boot of one that runs on.
    Restart(Duration),
    /// Power off and on again, and back to the old image if the new one was never
    /// confirmed.
    PowerCut,
}

/// Failure of a check or a download.
enum Broken {
    /// Injected, and counted where it was.
    Cut,
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// State of a device while it lives. Small, for there are many: what it says of
/// itself is made up anew each time.
struct Life<'a, N> {
    fleet: &'a SimulatedFleet<N>,
    number: u32,
    random: Random,
    state: DeviceState,
    version: Rc<str>,
    /// SHA-256 of the ELF file behind the image that it runs; `None` for the first
    /// image.
    elf: Option<[u8; 32]>,
    second_slot: bool,
    /// Version and hash to go back to at a restart, until a check has confirmed
    /// what runs.
    before: Option<(Rc<str>, Option<[u8; 32]>)>,
    fate: Fate,
    /// Bad release that it met, once it has fetched one.
    met: Option<Bad>,
    boots: u16,
    updates: u8,
    cuts: u8,
    restarts: u16,
}

impl<'a, N: Connect> Life<'a, N> {
    fn new(fleet: &'a SimulatedFleet<N>, number: u32) -> Self {
        Self {
            fleet,
            number,
            // Not the same as what makes up its names.
            random: Random::of(!fleet.plan.seed, number),
            state: DeviceState::Off,
            version: fleet.plan.first_version(),
            elf: None,
            second_slot: false,
            before: None,
            fate: fleet.plan.fate(number),
            met: None,
            boots: 0,
            updates: 0,
            cuts: 0,
            restarts: fleet.plan.restarts,
        }
    }

    async fn boot(&mut self) -> Next {
        self.boots = self.boots.saturating_add(1);
        let Some(offer) = self.check_with_patience().await else {
            return self.despair(DeviceState::GivenUp);
        };
        self.enter_in_book(&offer);
        match offer {
            Offer::Nothing => {
                self.confirm();
                // No bad release that it fetched is what it is to run.
                self.run_on(self.met.map_or(DeviceState::UpToDate, Bad::state))
            }
            Offer::Restart(why) => {
                self.note(Failure::with(FailureKind::Restarts, why));
                Next::End(DeviceState::Failed)
            }
            // `esp_ota_begin` refuses while what runs is not confirmed; the check
            // has done that, and the next boot will update.
            Offer::Image(_) if self.before.is_some() => {
                self.confirm();
                Next::Restart(SWITCHED)
            }
            Offer::Image(update) => self.update(&update).await,
        }
    }

    /// Notes a check in the book of truth, and what was answered.
    fn enter_in_book(&self, offer: &Offer) {
        // What was fetched, and runs, waits for this check to be confirmed.
        let is_new = self.before.is_some();
        let mut book = self.fleet.book.borrow_mut();
        book.checked(self.number, is_new, Instant::now());
        if let Offer::Image(update) = offer {
            self.fleet.tally.borrow_mut().offered += 1;
            book.offered(self.number, &update.url);
        }
    }

    /// Ends a boot that leaves nothing to do: the device runs on until its next one,
    /// if the plan has one.
    fn run_on(&self, state: DeviceState) -> Next {
        if self.boots < self.fleet.plan.boots {
            Next::Restart(RUNS_ON)
        } else {
            Next::End(state)
        }
    }

    /// Meets a bad release, now that its image has come.
    fn meet(&mut self, bad: Bad) -> Next {
        self.met = Some(bad);
        self.fleet.book.borrow_mut().met(self.number, bad);
        match bad {
            Bad::Verify => self.run_on(bad.state()),
            Bad::Crash => {
                self.updates += 1;
                let mut tally = self.fleet.tally.borrow_mut();
                tally.updates += 1;
                tally.rolled_back += 1;
                Next::Restart(CRASH)
            }
            Bad::Dead => Next::End(bad.state()),
        }
    }

    /// Ends a boot that failed: the device is switched off and on as often as the
    /// plan allows.
    fn despair(&mut self, state: DeviceState) -> Next {
        match self.restarts.checked_sub(1) {
            Some(left) => {
                self.restarts = left;
                Next::PowerCut
            }
            None => Next::End(state),
        }
    }

    /// Checks until there is an answer, ten times at most.
    async fn check_with_patience(&mut self) -> Option<Offer> {
        let mut delay = BACK_OFF;
        for left in (0..TRIES).rev() {
            // What is open takes much room, and most devices wait.
            match Box::pin(self.check()).await {
                Ok(offer) => {
                    self.fleet.tally.borrow_mut().checks += 1;
                    return Some(offer);
                }
                // Counted where it was made to happen.
                Err(Broken::Cut) => {}
                Err(Broken::Failed(failure)) => {
                    self.fleet.tally.borrow_mut().checks_failed += 1;
                    self.note(failure);
                }
            }
            if left > 0 {
                self.enter(DeviceState::BackingOff);
                sleep(delay).await;
                delay *= 2;
            }
        }
        None
    }

    async fn check(&mut self) -> Result<Offer, Broken> {
        let fleet = self.fleet;
        let (_permit, mut link) = self.open(&fleet.plan.target, DeviceState::Checking).await?;
        let device = self.device();
        let request = device.check(&fleet.plan.target);
        if self.random.happens(fleet.plan.fail.0) {
            fleet.tally.borrow_mut().injected.checks_cut += 1;
            let half = &request[..request.len() / 2];
            // That it fails is what was wanted.
            let _ = link.send(half).await;
            return Err(Broken::Cut);
        }
        let begun = Instant::now();
        let offer = exchange::check(&mut link, &fleet.plan.target, &device, &request).await?;
        fleet.tally.borrow_mut().check.record(begun.elapsed());
        exchange::close(link, device.kind).await;
        Ok(offer)
    }

    async fn update(&mut self, update: &Update) -> Next {
        let url = &update.url;
        if let Some(bad) = self.met.filter(|_| self.updates >= MOST_UPDATES) {
            // It would crash for ever.
            return Next::End(bad.state());
        }
        let downloaded = Box::pin(self.download(update)).await;
        // One that came whole is no longer on its way.
        self.fleet.book.borrow_mut().cut(self.number);
        let image = match downloaded {
            Ok(image) => image,
            Err(Broken::Failed(failure)) => {
                self.fleet.tally.borrow_mut().downloads_failed += 1;
                self.note(failure);
                return self.despair(DeviceState::Failed);
            }
            Err(Broken::Cut) if self.cuts >= MOST_CUTS => return self.despair(DeviceState::Failed),
            Err(Broken::Cut) => return Next::PowerCut,
        };
        self.fleet.tally.borrow_mut().downloads += 1;
        // What reports the same after the restart is offered the same again.
        let is_same = image.version == self.version && self.elf == Some(image.elf);
        if is_same || self.updates >= MOST_UPDATES {
            let detail = format!("{} to {}: {url}", self.version, image.version);
            self.note(Failure::with(FailureKind::Loop, detail));
            return Next::End(DeviceState::Failed);
        }
        if let Some(bad) = self.fate.bad {
            return self.meet(bad);
        }
        self.updates += 1;
        self.second_slot = !self.second_slot;
        let mut tally = self.fleet.tally.borrow_mut();
        tally.updates += 1;
        tally.unconfirmed += 1;
        tally.now_runs(&self.version, &image.version);
        let old = std::mem::replace(&mut self.version, image.version);
        self.before = Some((old, self.elf.replace(image.elf)));
        Next::Restart(REBOOT)
    }

    async fn download(&mut self, update: &Update) -> Result<Installed, Broken> {
        let fleet = self.fleet;
        let url = &update.url;
        let device = self.device();
        let (target, _) = address::parse(url, Use::Firmware, device.kind).map_err(|finding| {
            Failure::with(
                FailureKind::BadAddress,
                format!("{}: {}", finding.rule.id, finding.evidence),
            )
        })?;
        let (_permit, mut link) = self.open(&target, DeviceState::Downloading).await?;
        let begun = Instant::now();
        let request = device.download(&target);
        let most = u64::from(device.flash) << 20;
        let length = exchange::fetch(&mut link, &request, device.kind, most).await?;
        fleet.book.borrow_mut().fetching(self.number);
        let cut = self.cut(length);
        let power = self.fate.power_loss;
        let end = power.map(|_| length - TAIL.min(length / 2));
        let mut image = fleet.images.begin(url, length);
        let mut body = link.body(Framing::Length(length));
        let mut got = 0;
        while let Some(piece) = body.next().await? {
            got += piece.len() as u64;
            fleet.tally.borrow_mut().bytes += piece.len() as u64;
            if let Some((_, power)) = cut.filter(|(at, _)| got > *at) {
                self.cuts += 1;
                let injected = &mut fleet.tally.borrow_mut().injected;
                if power {
                    injected.power_cuts += 1;
                } else {
                    injected.downloads_cut += 1;
                }
                // Over TLS all of it may have been read ahead: a clean end would say that
                // it came.
                exchange::lose(link);
                return Err(Broken::Cut);
            }
            if end.is_some_and(|end| got >= end) {
                return Err(self.lose_power(link, power == Some(true)).await);
            }
            image.update(&piece);
            if let Some(pace) = fleet.plan.pace {
                sleep_until(begun + pace.after(got)).await;
            }
        }
        fleet.tally.borrow_mut().download.record(begun.elapsed());
        exchange::hang_up(link).await;
        fleet.book.borrow_mut().fetched(self.number, Instant::now());
        Ok(installed(&image.judge(), length, update, &device)?)
    }

    /// Loses the power of the whole device while the end of an image lies unread in
    /// the kernels: the server has sent it, and nobody ever had it. Nothing is
    /// heard of the connection, or only a reset, once the device is on again.
    async fn lose_power(&mut self, link: Link, silent: bool) -> Broken {
        self.fate.power_loss = None;
        self.fleet.tally.borrow_mut().injected.power_losses += 1;
        sleep(if silent { SWITCHED } else { TAIL_COMES }).await;
        exchange::lose(link);
        Broken::Cut
    }

    /// Draws whether this download is cut: behind which byte, and whether the whole
    /// device loses its power.
    fn cut(&mut self, length: u64) -> Option<(u64, bool)> {
        let happens = self.random.happens(self.fleet.plan.fail.0);
        let (at, power) = (self.random.below(length), self.random.happens(500_000));
        happens.then_some((at, power))
    }

    /// Opens a connection, once it is this device's turn.
    async fn open(
        &mut self,
        target: &Target,
        then: DeviceState,
    ) -> Result<(SemaphorePermit<'a>, Link), Failure> {
        let fleet = self.fleet;
        loop {
            self.enter(DeviceState::Waiting);
            let Ok(permit) = fleet.permits.acquire().await else {
                return Err(Failure::new(FailureKind::OutOfFiles));
            };
            self.enter(then);
            let begun = Instant::now();
            let slow = then == DeviceState::Downloading && fleet.plan.pace.is_some();
            match fleet.network.open(target, slow).await {
                Ok(stream) => {
                    fleet.tally.borrow_mut().connect.record(begun.elapsed());
                    return Ok((permit, exchange::link(stream)));
                }
                Err(failure) if failure.kind.is_ours() => {
                    self.note(failure);
                    drop(permit);
                    self.enter(DeviceState::Waiting);
                    sleep(SHORTAGE).await;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Returns the device as it is now.
    fn device(&self) -> Device {
        let mut device = self.fleet.plan.device(self.number);
        device.kind = self.fleet.plan.kind(&self.version);
        (*self.version).clone_into(&mut device.version);
        device.elf_sha256 = self.elf.unwrap_or(device.elf_sha256);
        device.second_slot = self.second_slot;
        device
    }

    /// Confirms the image that runs, for a check was answered.
    fn confirm(&mut self) {
        if self.before.take().is_some() {
            self.fleet.tally.borrow_mut().unconfirmed -= 1;
        }
    }

    /// Goes back to the image that ran before, where no check has confirmed the new
    /// one.
    fn roll_back(&mut self) {
        if let Some((version, elf)) = self.before.take() {
            let mut tally = self.fleet.tally.borrow_mut();
            tally.unconfirmed -= 1;
            tally.rolled_back += 1;
            tally.now_runs(&self.version, &version);
            self.second_slot = !self.second_slot;
            (self.version, self.elf) = (version, elf);
        }
    }

    fn note(&self, failure: Failure) {
        self.fleet.tally.borrow_mut().note(failure);
    }

    fn enter(&mut self, state: DeviceState) {
        self.fleet.tally.borrow_mut().moved(self.state, state);
        self.state = state;
    }
}

#[cfg(test)]
mod tests;
