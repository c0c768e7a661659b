//! The log: `2025-12-18 10:00:00 - INFO - [ota_handler] - ...`, one line an
//! event, to the console and, if asked for, to a file.
//!
//! A request never waits for it. Lines go to memory, a thread of their own
//! writes them; when a disk or a terminal stalls for longer than the memory
//! lasts, lines are dropped and their number is said. (tracing-appender would
//! wake its thread for every line, which costs more than the check-in that the
//! line tells of, and can't say in the log what it dropped. tracing-subscriber keeps
//! spans, of which there are none here.)

use super::account::Whose;
use super::line::Style;
use super::output::{LogFile, Output, Turnover, no_file, open};
use super::sink::Sinks;
use crate::event::text::Text;
use crate::event::{Event, event, gathering, tell};
use crate::util::durable;
use crate::util::paths::absolute;
use crate::util::supervise;
use crate::util::threads::NoThread;
use crate::util::way;
use arc_swap::ArcSwap;
use jiff::Timestamp;
use std::cell::Cell;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::SetGlobalDefaultError;
use tracing::{Level, Metadata, Subscriber};
use tracing_core::callsite;

/// `gateway.log.rate` where it is not written.
pub const RATE: u32 = 1 << 20;

/// Place of the log, and how much of it there is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `log.log_level`.
    pub level: Level,
    /// `log.log_dir` and `log.log_file`.
    pub file: Option<PathBuf>,
    /// `gateway.log`: in which language, and in which form.
    pub style: Style,
    /// The same: when the file turns over.
    pub turnover: Turnover,
    /// `gateway.log.rate`: bytes of lines that a second brings.
    pub rate: u32,
}

/// Writes what is left when it is dropped; hold it until the end of `main`.
#[derive(Debug)]
pub(crate) struct Logs {
    sinks: Arc<Sinks>,
    /// The threads that write, one an output.
    threads: Vec<Option<JoinHandle<()>>>,
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
        let log = LogFile::new(path, file, settings.turnover);
        outputs.push(Output::File(log));
    }
    let sinks = Sinks::new(settings.style, settings.rate, &outputs);
    let mut threads = Vec::with_capacity(outputs.len());
    for (number, mut output) in outputs.into_iter().enumerate() {
        let writer = Arc::clone(&sinks);
        let part = Text::new("写日志", "what writes the log");
        let thread = thread::Builder::new()
            .name("log".into())
            .spawn(move || supervise::thread(part, || writer.write_out(number, &mut output)))
            .map_err(|error| NoThread { part, error })?;
        threads.push(Some(thread));
    }
    let threshold = Threshold(Arc::new(ArcSwap::from_pointee(settings.level)));
    let lines = LineSubscriber {
        threshold: threshold.clone(),
        sinks: Arc::clone(&sinks),
    };
    tracing::subscriber::set_global_default(lines)?;
    if let Some(fault) = later {
        tell!(LOG_FILE_LATER, what = fault);
    }
    Ok(Logs {
        sinks,
        threads,
        threshold,
    })
}

impl Drop for Logs {
    fn drop(&mut self) {
        let threads = &mut self.threads;
        self.sinks.close(|number| {
            if let Some(thread) = threads.get_mut(number).and_then(Option::take) {
                let _ = thread.join();
            }
        });
    }
}

/// Formats events and hands the lines to the sinks. A whole subscriber, for
/// nothing here has use for spans.
struct LineSubscriber {
    threshold: Threshold,
    sinks: Arc<Sinks>,
}

/// Lines that are handed over as one.
#[derive(Default)]
struct Lines {
    text: String,
    /// Time of the first of them, and whose they are.
    first: Option<(Timestamp, Whose)>,
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
        thread_local!(static LINES: Cell<Lines> = const { Cell::new(Lines {
            text: String::new(),
            first: None,
        }) });
        // Taken, and not borrowed: should the writing of a value panic, that is said from
        // here, too.
        let mut lines = LINES.take();
        let start = lines.text.len();
        // What is said together is of one moment.
        let now = lines.first.map_or_else(Timestamp::now, |(now, _)| now);
        let style = self.sinks.style();
        if let Some(whose) = style.write(event, now, &mut lines.text) {
            match gathering() {
                // The server's own errors wait for nobody.
                Some(_) if *event.metadata().level() == Level::ERROR => {
                    self.sinks.hand_over(whose, &lines.text[start..], now);
                    lines.text.truncate(start);
                }
                Some(client) => {
                    lines
                        .first
                        .get_or_insert((now, Whose::Client(Some(client))));
                }
                None => {
                    lines.first.get_or_insert((now, whose));
                }
            }
        }
        if gathering().is_none()
            && let Some((now, whose)) = lines.first.take()
        {
            self.sinks.hand_over(whose, &lines.text, now);
            lines.text.clear();
        }
        LINES.set(lines);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
