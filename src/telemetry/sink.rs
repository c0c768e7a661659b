//! Lines on their way to the outputs, and the threads that write them.

use super::account::{Account, Room, Whose, burst};
use super::line::Style;
use super::output::Output;
use crate::event::standing::STANDING;
use crate::event::text::Text;
use crate::event::{self, Event, Value, event, kinds};
use crate::util::counts::{COUNTS, LeftOut};
use crate::util::size::shown;
use crate::util::sync::lock;
use jiff::Timestamp;
use std::io::{self, Write as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Longest time that lines are gathered for one write.
const GATHER: Duration = Duration::from_millis(20);
/// Bytes of lines that wait for a stalled output before lines are dropped: at least, where
/// fewer may come at once.
const MEMORY: u64 = 4 << 20;
/// Bytes of memory for lines that are kept between two writes.
const KEPT: usize = 256 << 10;
/// Time after which a write that has not returned is said on the other output.
const STALLED: Duration = Duration::from_secs(10);
/// Period after which an output that still takes nothing is named again.
const AGAIN: Duration = Duration::from_secs(3600);
/// Time between two looks whether it is time to tell what was left out.
const LOOK: Duration = Duration::from_secs(1);

/// All outputs, and the account of what goes there.
#[derive(Debug)]
pub(super) struct Sinks {
    style: Style,
    account: Mutex<Account>,
    sinks: Vec<Sink>,
}

/// Lines on their way to one output.
#[derive(Debug)]
pub(super) struct Sink {
    /// Name of the output, in front of what is wrong with it.
    output: Value,
    /// Bytes of lines that wait at most: what comes at once must find room, while its
    /// writer is still busy with what came before.
    memory: u64,
    waiting: Mutex<Waiting>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    dropped: u64,
    /// Something was left out, and is to be told when it is time.
    is_left_out: bool,
    /// Begin of the write that is under way, until it was found to have stalled.
    writing: Option<Instant>,
    closed: bool,
    finished: bool,
}

impl Sinks {
    /// Makes the places for the lines of `outputs`, by the names that these have in
    /// messages. Of lines a second brings `rate` bytes.
    pub(super) fn new(style: Style, rate: u32, outputs: &[Output]) -> Arc<Self> {
        let sink = |output: &Output| Sink {
            memory: burst(rate).max(MEMORY),
            output: match output {
                Output::Console => Text::new("控制台", "the console").into(),
                Output::File(log) => format!("log.log_file: {}", log.path.display()).into(),
            },
            waiting: Mutex::default(),
            news: Condvar::new(),
        };
        Arc::new(Self {
            style,
            account: Mutex::new(Account::new(rate, Timestamp::now())),
            sinks: outputs.iter().map(sink).collect(),
        })
    }

    pub(super) fn style(&self) -> Style {
        self.style
    }

    /// Hands lines to every output, if the account has room for them.
    pub(super) fn hand_over(&self, whose: Whose, lines: &str, now: Timestamp) {
        let room = lock(&self.account).take(whose, lines, now);
        match room {
            Room::Some => return self.push(lines, None),
            // Those who write tell it when it is time.
            Room::NoMore => self.sinks.iter().for_each(Sink::look_soon),
            Room::None => {}
        }
        COUNTS.left_out(LeftOut::Rate, count(lines.as_bytes()));
    }

    /// Hands lines to every output but one, and says on the others who is held up.
    fn push(&self, lines: &str, but: Option<&Sink>) {
        let is_meant = |sink: &&Sink| !but.is_some_and(|but| std::ptr::eq(*sink, but));
        for sink in self.sinks.iter().filter(is_meant) {
            if let Some(since) = sink.push(lines) {
                let event = event!(
                    LOG_STALLED,
                    output = sink.output.clone(),
                    seconds = since.as_secs(),
                    memory = shown(sink.memory)
                );
                let line = self.line(&event);
                for other in self.sinks.iter().filter(|o| !std::ptr::eq(*o, sink)) {
                    other.push(&line);
                }
            }
        }
    }

    /// Makes the line of an event that comes from here, and keeps the event as others are.
    fn line(&self, event: &Event) -> String {
        event::keep(event.clone());
        let mut line = String::new();
        self.style.write_event(event, Timestamp::now(), &mut line);
        line
    }

    /// Tells what was left out, if it is time to, or at the end. Returns whether some was
    /// that is not told yet.
    fn tell_left_out(&self, is_end: bool) -> bool {
        let mut account = lock(&self.account);
        let told = account.tell(Timestamp::now(), is_end);
        let is_left = account.is_to_be_told();
        drop(account);
        if let Some(event) = told {
            self.push(&self.line(&event), None);
        }
        is_left
    }

    /// Says what is wrong with an output: on the others, or else where anybody may read it.
    fn say_fault(&self, of: &Sink, event: &Event) {
        let line = self.line(event);
        if self.sinks.len() > 1 {
            self.push(&line, Some(of));
        } else {
            drop(io::stderr().write_all(line.as_bytes()));
        }
    }

    /// Writes what comes to the output of that number, until the end.
    pub(super) fn write_out(&self, number: usize, output: &mut Output) {
        if let Some(sink) = self.sinks.get(number) {
            sink.write_out(self, output);
        }
    }

    /// Has every writer end when it has written all, and waits for that one by one.
    pub(super) fn close(&self, mut wait: impl FnMut(usize)) {
        self.tell_left_out(true);
        for sink in &self.sinks {
            sink.waiting().closed = true;
            sink.news.notify_one();
        }
        for (number, sink) in self.sinks.iter().enumerate() {
            // A console that nobody reads must not keep the process from ending.
            let waiting = sink.waiting();
            let patience = Duration::from_secs(2);
            let done = sink
                .news
                .wait_timeout_while(waiting, patience, |w| !w.finished);
            if done.is_ok_and(|(w, _)| w.finished) {
                wait(number);
            }
        }
    }
}

impl Sink {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }

    /// Takes lines or counts them as dropped. The lock is only ever held to copy
    /// memory. Returns, once, for how long its writer has been waiting for the output.
    fn push(&self, lines: &str) -> Option<Duration> {
        let mut waiting = self.waiting();
        let since = waiting.writing.map(|begun| begun.elapsed());
        let stalled = since.filter(|since| *since >= STALLED);
        if stalled.is_some() {
            waiting.writing = None;
        }
        if (waiting.lines.len() + lines.len()) as u64 > self.memory {
            waiting.dropped += count(lines.as_bytes());
            COUNTS.left_out(LeftOut::Output, count(lines.as_bytes()));
            return stalled;
        }
        let first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(lines.as_bytes());
        drop(waiting);
        if first {
            self.news.notify_one();
        }
        stalled
    }

    /// Has the writer look when it is time to tell what was left out.
    fn look_soon(&self) {
        self.waiting().is_left_out = true;
        self.news.notify_one();
    }

    /// Waits for lines, for the end, or for the time to look what was left out.
    fn wait(&self) -> bool {
        let mut waiting = self.waiting();
        while waiting.lines.is_empty() && waiting.dropped == 0 && !waiting.closed {
            if waiting.is_left_out {
                let (now, look) = self
                    .news
                    .wait_timeout(waiting, LOOK)
                    .unwrap_or_else(PoisonError::into_inner);
                waiting = now;
                if look.timed_out() {
                    break;
                }
            } else {
                waiting = self
                    .news
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
        waiting.closed
    }

    /// Writes what comes to `output`, until the end. A fault of it is said on the other
    /// outputs, or else on standard error: when it begins, when its reason changes, and each
    /// hour.
    fn write_out(&self, sinks: &Sinks, output: &mut Output) {
        let mut batch = Vec::new();
        let mut told: Option<(String, Instant)> = None;
        let mut troubled: Option<Instant> = None;
        let mut is_well = false;
        loop {
            if !self.wait() {
                thread::sleep(GATHER);
            }
            // Asked in this order: what is left out after the look sets it again.
            if std::mem::take(&mut self.waiting().is_left_out) && sinks.tell_left_out(false) {
                self.waiting().is_left_out = true;
            }
            let mut waiting = self.waiting();
            std::mem::swap(&mut batch, &mut waiting.lines);
            let dropped = std::mem::take(&mut waiting.dropped);
            let end = waiting.closed && batch.is_empty() && dropped == 0;
            waiting.finished = end;
            waiting.writing = Some(Instant::now());
            drop(waiting);
            if end {
                self.news.notify_all();
                return;
            }
            if dropped > 0 {
                let line = sinks.line(&event!(LOG_DROPPED, lines = dropped));
                batch.extend_from_slice(line.as_bytes());
            }
            let written = output.write(&batch);
            self.waiting().writing = None;
            if let Err(error) = &written {
                let why = error.to_string();
                let is_told =
                    |(before, at): &(String, Instant)| *before == why && at.elapsed() < AGAIN;
                if !told.as_ref().is_some_and(is_told) {
                    let fault = event!(
                        LOG_FAULT,
                        output = self.output.clone(),
                        error = why.clone(),
                        what = output.cause(error)
                    );
                    sinks.say_fault(self, &fault);
                    told = Some((why, Instant::now()));
                }
                // A full disk: the lines are lost, and that is said when there
                // is room again. An end in that state must not wait for it.
                let mut waiting = self.waiting();
                if !waiting.closed {
                    let lost = count(&batch);
                    let lost = lost - u64::from(dropped > 0);
                    waiting.dropped += lost + dropped;
                    drop(waiting);
                    COUNTS.left_out(LeftOut::Output, lost);
                    thread::sleep(Duration::from_secs(1));
                }
                is_well = false;
            } else {
                told = None;
                if !std::mem::replace(&mut is_well, true) {
                    self.is_mended(output);
                }
            }
            if let Some(event) = output.trouble()
                && troubled.is_none_or(|at| at.elapsed() >= AGAIN)
            {
                sinks.push(&sinks.line(&event), None);
                troubled = Some(Instant::now());
            }
            batch.clear();
            batch.shrink_to(KEPT);
        }
    }

    /// Takes that its output can be written.
    fn is_mended(&self, output: &Output) {
        let is_this = |event: &Event| event.field("output") == Some(&self.output);
        STANDING.ended(&kinds::LOG_FAULT, is_this);
        if matches!(output, Output::File(_)) {
            STANDING.ended(&kinds::LOG_FILE_LATER, |_| true);
        }
    }
}

/// Counts lines.
fn count(lines: &[u8]) -> u64 {
    lines.split(|b| *b == b'\n').skip(1).count() as u64
}

#[cfg(test)]
mod tests;
