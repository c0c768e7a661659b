//! Signals: the first asks for an end, the second forces it.

use crate::event::tell;
use crate::event::text::Text;
use crate::util::supervise::Supervisor;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Requests to end the process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    /// Cancelled by the first signal: accept nothing new, finish open connections.
    pub asked: CancellationToken,
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
