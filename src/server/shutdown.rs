//! Signals: the first asks for an end, the second forces it.

use crate::event::tell;
use crate::event::text::Text;
use crate::util::supervise::Supervisor;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Flag that the end was asked for, for whoever looks often.
#[derive(Debug, Clone, Default)]
pub struct Ending(Arc<AtomicBool>);

impl Ending {
    /// Returns whether the end was asked for.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Notes that it is.
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Requests to end the process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    /// Cancelled by the first signal: finish what was begun, and offer nothing more.
    pub asked: CancellationToken,
    /// Set before that.
    pub ending: Ending,
    /// Cancelled by the second one: cut what is left.
    pub forced: CancellationToken,
}

/// Installs the handlers of SIGTERM and SIGINT.
pub(crate) fn on_signals() -> io::Result<Stop> {
    let terminate = signal(SignalKind::terminate())?;
    let interrupt = signal(SignalKind::interrupt())?;
    let stop = Stop::default();
    let told = stop.clone();
    let signals = Mutex::new((terminate, interrupt));
    tokio::spawn(async move {
        let supervisor = Supervisor::new(told.forced.clone());
        let follow = || async {
            let mut signals = signals.lock().await;
            if !told.asked.is_cancelled() {
                wait(&mut signals).await;
                tell!(STOP_ASKED);
                told.ending.ask();
                told.asked.cancel();
            }
            wait(&mut signals).await;
            tell!(STOP_FORCED);
            told.forced.cancel();
        };
        supervisor
            .task(Text::new("等待信号", "what waits for signals"), follow)
            .await;
    });
    Ok(stop)
}

async fn wait((terminate, interrupt): &mut (Signal, Signal)) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Installs the handler of SIGHUP.
pub(crate) fn on_hangup() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}
