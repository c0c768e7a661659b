//! Orders certificates, while the server runs.

use super::refused;
use crate::config::{ConfigError, Settings};
use crate::event::Event;
use crate::event::text::Text;
use crate::http::AnswersChallenges;
use crate::server::shutdown::Stop;
use crate::tls::Mode;
use crate::tls::acme::{CertificateKeeper, Challenges, RootError, preflight};
use crate::util::supervise::Supervisor;
use crate::util::threads;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Pause after the order of certificates broke off: a CA counts tries.
const AGAIN: Duration = Duration::from_secs(3600);
/// Time that a CA has at a stop for what it is signing.
const SIGNED: Duration = Duration::from_secs(10);

impl AnswersChallenges for Challenges {
    fn answer(&self, token: &str) -> Option<String> {
        self.text(token)
    }
}

/// Returns what orders certificates, if they are ordered.
pub(super) fn keeper(
    settings: &Settings,
    challenges: Option<&Arc<Challenges>>,
) -> anyhow::Result<Option<CertificateKeeper>> {
    match (&settings.tls, challenges) {
        (Mode::Acme(acme), Some(challenges)) => {
            let keeper = CertificateKeeper::new(acme.clone(), Arc::clone(challenges));
            Ok(Some(keeper.map_err(|e| fault(settings, &e))?))
        }
        _ => Ok(None),
    }
}

/// Makes an error of what keeps the settings from being used. The key of a contract is
/// the operator's own, like the configuration: nobody else puts it right.
fn fault(settings: &Settings, error: &RootError) -> anyhow::Error {
    let faults = refused(settings, [(error.setting().to_owned(), Event::from(error))]);
    match error {
        RootError::Eab(_) => ConfigError { faults, lang: None }.into(),
        RootError::File(_) | RootError::Root { .. } | RootError::Rustls(_) => faults.into(),
    }
}

/// Looks at what `validate` can see of a certificate that is ordered at start.
pub(crate) fn check_acme(settings: &Settings) -> anyhow::Result<Vec<Event>> {
    let Mode::Acme(acme) = &settings.tls else {
        return Ok(Vec::new());
    };
    let runtime = threads::runtime("names")?;
    let findings = runtime.block_on(preflight::look(acme));
    // A look-up that hangs must not keep the program.
    runtime.shutdown_background();
    findings.map_err(|e| fault(settings, &e))
}

/// Begins to order certificates, as `keepers` has them, until the stop.
pub(super) fn spawn(
    supervisor: Supervisor,
    keepers: watch::Receiver<CertificateKeeper>,
    stop: &Stop,
) -> JoinHandle<()> {
    let (supervisor, stop) = (supervisor.resting(AGAIN), stop.asked.clone());
    tokio::spawn(async move {
        let keep = || keep(keepers.clone(), stop.clone());
        supervisor
            .task(Text::new("申请证书", "what orders certificates"), keep)
            .await;
    })
}

/// Runs the keeper of this moment until the server stops. One that is replaced brings
/// an order that its CA signs just now to its end.
async fn keep(mut keepers: watch::Receiver<CertificateKeeper>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let keeper = keepers.borrow_and_update().clone();
        let end = stop.child_token();
        let mut run = pin!(keeper.run(end.clone()));
        tokio::select! {
            () = &mut run => return,
            changed = keepers.changed() => {
                if changed.is_ok() {
                    end.cancel();
                }
                run.await;
            }
        }
    }
}

/// Waits for an order that the CA is working on, for a moment: a certificate that it is
/// signing just now is not lost.
pub(super) async fn finish(orders: JoinHandle<()>, stop: &Stop) {
    tokio::select! {
        _ = timeout(SIGNED, orders) => {}
        () = stop.forced.cancelled() => {}
    }
}
