//! The log: `2025-12-18 10:00:00 - INFO - [ota_handler] - ...`, one line an
//! event, to the console and, if asked for, to a file.
//!
//! A request never waits for it. Lines go to memory, a thread of their own
//! writes them; when a disk or a terminal stalls for longer than the memory
//! lasts, lines are dropped and their number is said. (tracing-appender would
//! wake its thread for every line, which costs more than the check-in that the
//! line tells of, and can't say in the log what it dropped. tracing-subscriber keeps
//! spans, of which there are none here.)

use super::line::Style;
use crate::event::text::Text;
use crate::event::{Event, Value, event, tell};
use crate::util::durable;
use crate::util::file_state::FileState;
use crate::util::paths::absolute;
use crate::util::supervise;
use crate::util::sync::lock;
use crate::util::threads::NoThread;
use crate::util::way;
use arc_swap::ArcSwap;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::cell::Cell;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::SetGlobalDefaultError;
use tracing::{Level, Metadata, Subscriber};
use tracing_core::callsite;

/// Longest time that lines are gathered for one write.
const GATHER: Duration = Duration::from_millis(20);
/// Bytes of lines that wait for a stalled output before lines are dropped.
const MEMORY: usize = 4 << 20;
/// Time after which a write that has not returned is said on the other output.
const STALLED: Duration = Duration::from_secs(10);
/// Period after which an output that still takes nothing is named again.
const AGAIN: Duration = Duration::from_secs(3600);

/// Permissions of the log file: it names devices and their addresses.
const MODE: u32 = 0o640;

/// Place of the log, and how much of it there is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `log.log_level`.
    pub level: Level,
    /// `log.log_dir` and `log.log_file`.
    pub file: Option<PathBuf>,
    /// `gateway.log`: in which language, and in which form.
    pub style: Style,
}

/// Writes what is left when it is dropped; hold it until the end of `main`.
#[derive(Debug)]
pub(crate) struct Logs {
    sinks: Vec<(Arc<Sink>, Option<JoinHandle<()>>)>,
    threshold: Threshold,
}

impl Logs {
    /// Returns the threshold, which can change while the server runs.
    pub(crate) fn threshold(&self) -> Threshold {
        self.threshold.clone()
    }
}

/// Reason why there is no log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The file of `log.log_dir` and `log.log_file`.
    #[error("{0}")]
    File(Box<Event>),
    /// The writer's thread.
    #[error(transparent)]
    Thread(#[from] NoThread),
    /// Somebody else has set up logging in this process.
    #[error(transparent)]
    Taken(#[from] SetGlobalDefaultError),
}

/// From which level on there are lines.
#[derive(Debug, Clone)]
pub(crate) struct Threshold(Arc<ArcSwap<Level>>);

impl Threshold {
    /// Has lines from this level on.
    pub(crate) fn set(&self, level: Level) {
        if **self.0.load() != level {
            self.0.store(Arc::new(level));
            // Each place in the code remembers whether it is heard.
            callsite::rebuild_interest_cache();
        }
    }
}

/// Begins to log, for the whole process.
pub(crate) fn start(settings: &Settings) -> Result<Logs, LogError> {
    let style = settings.style;
    let mut outputs = vec![Output::Console];
    let mut later = None;
    if let Some(path) = settings.file.as_deref().map(absolute) {
        let fault = |error: &io::Error| {
            let what = no_file(&path, error).or_else(|| way::to_write(&path));
            event!(LOG_UNOPENED, path = &path, error = error, what = what)
        };
        let file = match open(&path) {
            Ok(file) => Some(file),
            // Devices are answered all the same, and the disk may have room again.
            Err(error) if durable::is_full(&error) => {
                later = Some(fault(&error));
                None
            }
            Err(error) => return Err(LogError::File(Box::new(fault(&error)))),
        };
        outputs.push(Output::File {
            path,
            file,
            torn: false,
        });
    }
    let all: Vec<Arc<Sink>> = outputs
        .iter()
        .map(|output| Arc::new(output.sink()))
        .collect();
    let mut sinks = Vec::with_capacity(all.len());
    for (at, mut output) in outputs.into_iter().enumerate() {
        let writer = Arc::clone(&all[at]);
        // A fault of one output is said on the other.
        let other = all.iter().find(|sink| !Arc::ptr_eq(sink, &writer));
        let other = other.map(Arc::clone);
        let sink = Arc::clone(&writer);
        let part = Text::new("写日志", "what writes the log");
        let thread = thread::Builder::new()
            .name("log".into())
            .spawn(move || {
                supervise::thread(part, || {
                    writer.write_out(style, &mut output, other.as_deref());
                });
            })
            .map_err(|error| NoThread { part, error })?;
        sinks.push((sink, Some(thread)));
    }
    let threshold = Threshold(Arc::new(ArcSwap::from_pointee(settings.level)));
    let lines = LineSubscriber {
        threshold: threshold.clone(),
        style,
        sinks: all,
    };
    tracing::subscriber::set_global_default(lines)?;
    if let Some(fault) = later {
        tell!(LOG_FILE_LATER, what = fault);
    }
    Ok(Logs { sinks, threshold })
}

impl Drop for Logs {
    fn drop(&mut self) {
        for (sink, _) in &self.sinks {
            sink.waiting().closed = true;
            sink.news.notify_one();
        }
        for (sink, thread) in &mut self.sinks {
            // A console that nobody reads must not keep the process from ending.
            let waiting = sink.waiting();
            let patience = Duration::from_secs(2);
            let done = sink
                .news
                .wait_timeout_while(waiting, patience, |w| !w.finished);
            if done.is_ok_and(|(w, _)| w.finished)
                && let Some(thread) = thread.take()
            {
                let _ = thread.join();
            }
        }
    }
}

/// Lines on their way to one output.
#[derive(Debug)]
struct Sink {
    /// Name of the output, in front of what is wrong with it.
    output: Value,
    waiting: Mutex<Waiting>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    dropped: u64,
    /// Begin of the write that is under way, until it was found to have stalled.
    writing: Option<Instant>,
    closed: bool,
    finished: bool,
}

enum Output {
    Console,
    File {
        path: PathBuf,
        /// `None` while it cannot be opened.
        file: Option<File>,
        /// The last write failed and may have left half a line.
        torn: bool,
    },
}

impl Sink {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }

    /// Takes a line or counts it as dropped. The lock is only ever held to copy
    /// memory. Returns, once, for how long its writer has been waiting for the output.
    fn push(&self, line: &str) -> Option<Duration> {
        let mut waiting = self.waiting();
        let since = waiting.writing.map(|begun| begun.elapsed());
        let stalled = since.filter(|since| *since >= STALLED);
        if stalled.is_some() {
            waiting.writing = None;
        }
        if waiting.lines.len() + line.len() > MEMORY {
            waiting.dropped += 1;
            return stalled;
        }
        let first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line.as_bytes());
        drop(waiting);
        if first {
            self.news.notify_one();
        }
        stalled
    }

    /// Writes what comes to `output`, until the end. A fault of it is said on the other
    /// output, or else on standard error: when it begins, when its reason changes, and each
    /// hour.
    fn write_out(&self, style: Style, output: &mut Output, other: Option<&Self>) {
        let mut batch = Vec::new();
        let mut told: Option<(String, Instant)> = None;
        loop {
            let mut waiting = self.waiting();
            while waiting.lines.is_empty() && waiting.dropped == 0 && !waiting.closed {
                waiting = self
                    .news
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            let closed = waiting.closed;
            drop(waiting);
            if !closed {
                thread::sleep(GATHER);
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
                let mut line = String::new();
                style.write_event(&event!(LOG_DROPPED, lines = dropped), &mut line);
                batch.extend_from_slice(line.as_bytes());
            }
            let written = output.write(&batch);
            self.waiting().writing = None;
            if let Err(error) = &written {
                let why = error.to_string();
                let is_told =
                    |(before, at): &(String, Instant)| *before == why && at.elapsed() < AGAIN;
                if !told.as_ref().is_some_and(is_told) {
                    let mut line = String::new();
                    let fault = event!(
                        LOG_FAULT,
                        output = self.output.clone(),
                        error = why.clone(),
                        what = output.cause(error)
                    );
                    style.write_event(&fault, &mut line);
                    match other {
                        Some(other) => drop(other.push(&line)),
                        // The last that anybody may read.
                        None => drop(io::stderr().write_all(line.as_bytes())),
                    }
                    told = Some((why, Instant::now()));
                }
                // A full disk: the lines are lost, and that is said when there
                // is room again. An end in that state must not wait for it.
                let mut waiting = self.waiting();
                if !waiting.closed {
                    let lost = batch.split(|b| *b == b'\n').count() as u64 - 1;
                    waiting.dropped += lost - u64::from(dropped > 0) + dropped;
                    drop(waiting);
                    thread::sleep(Duration::from_secs(1));
                }
            } else {
                told = None;
            }
            batch.clear();
            batch.shrink_to(MEMORY / 16);
        }
    }
}

impl Output {
    /// Makes the place for its lines, by the name that it has in messages.
    fn sink(&self) -> Sink {
        let output = match self {
            Self::Console => Text::new("控制台", "the console").into(),
            Self::File { path, .. } => format!("log.log_file: {}", path.display()).into(),
        };
        Sink {
            output,
            waiting: Mutex::default(),
            news: Condvar::new(),
        }
    }

    /// Returns why it cannot be written, where that can be seen.
    fn cause(&self, error: &io::Error) -> Option<Event> {
        match self {
            Self::Console => None,
            Self::File { path, .. } => no_file(path, error).or_else(|| way::to_write(path)),
        }
    }

    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        match self {
            Self::Console => {
                let mut out = io::stdout().lock();
                out.write_all(batch)?;
                out.flush()
            }
            Self::File { path, file, torn } => {
                // logrotate, or xiaozhi-server's own rotation, moved it away.
                let inode = |m: io::Result<fs::Metadata>| Some(FileState::from(&m.ok()?).inode);
                let there = inode(fs::metadata(&*path));
                let file = match file {
                    Some(file) if there == inode(file.metadata()) => file,
                    file => file.insert(open(path)?),
                };
                let begin: &[u8] = if std::mem::replace(torn, true) {
                    b"\n"
                } else {
                    b""
                };
                file.write_all(begin)?;
                file.write_all(batch)?;
                *torn = false;
                Ok(())
            }
        }
    }
}

/// Returns what stands in the file's place and cannot be opened, where that is the reason.
fn no_file(path: &Path, error: &io::Error) -> Option<Event> {
    if error.raw_os_error() != Some(Errno::ENXIO as i32) {
        return None;
    }
    let kind = fs::metadata(path).ok()?.file_type();
    if kind.is_fifo() {
        return Some(event!(LOG_PIPE));
    }
    let is = if kind.is_socket() {
        Text::new("套接字", "a socket")
    } else {
        Text::new("当前没有的设备", "a device that is not there now")
    };
    Some(event!(LOG_NO_FILE, is = is))
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    // Without this flag a pipe is opened when somebody reads it, or never.
    let opened = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(MODE)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path);
    let file = opened?;
    fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
    let about = file.metadata()?;
    let mode = about.permissions().mode();
    if about.is_file() && mode & 0o777 & !MODE != 0 {
        // One that was made before, or by xiaozhi-server. Somebody else's stays as
        // it is.
        let _ = file.set_permissions(Permissions::from_mode(mode & MODE));
    }
    Ok(file)
}

/// Formats events and hands the lines to the sinks. A whole subscriber, for
/// nothing here has use for spans.
struct LineSubscriber {
    threshold: Threshold,
    style: Style,
    sinks: Vec<Arc<Sink>>,
}

impl LineSubscriber {
    /// Says on the other outputs that the writer of `stalled` waits for it.
    fn say_stalled(&self, stalled: &Arc<Sink>, since: Duration) {
        let mut line = String::new();
        let event = event!(
            LOG_STALLED,
            output = stalled.output.clone(),
            seconds = since.as_secs()
        );
        self.style.write_event(&event, &mut line);
        let others = self.sinks.iter();
        for other in others.filter(|sink| !Arc::ptr_eq(sink, stalled)) {
            other.push(&line);
        }
    }
}

impl Subscriber for LineSubscriber {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Other crates' events are about their insides. (What `enabled!` asks
        // about is neither event nor span.)
        let ours = metadata.target().starts_with("xiaozhi_ota");
        *metadata.level()
            <= if ours {
                **self.threshold.0.load()
            } else {
                Level::WARN
            }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let level = **self.threshold.0.load();
        Some(LevelFilter::from_level(level.max(Level::WARN)))
    }

    fn event(&self, event: &tracing::Event<'_>) {
        thread_local!(static LINE: Cell<String> = const { Cell::new(String::new()) });
        // Taken, and not borrowed: should the writing of a value panic, that is said from
        // here, too.
        let mut line = LINE.take();
        line.clear();
        self.style.write(event, &mut line);
        for sink in &self.sinks {
            if let Some(since) = sink.push(&line) {
                self.say_stalled(sink, since);
            }
        }
        LINE.set(line);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[cfg(test)]
mod tests;
