//! Signals: the first asks for an end, the second forces it.

use crate::event::tell;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
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
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = Stop::default();
    let told = stop.clone();
    tokio::spawn(async move {
        wait(&mut terminate, &mut interrupt).await;
        tell!(STOP_ASKED);
        told.asked.cancel();
        wait(&mut terminate, &mut interrupt).await;
        tell!(STOP_FORCED);
        told.forced.cancel();
    });
    Ok(stop)
}

async fn wait(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Installs the handler of SIGHUP.
pub(crate) fn on_hangup() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}
