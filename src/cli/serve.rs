//! `xiaozhi-ota serve`, the default.

use super::output::{self, Failure};
use crate::config::Settings;
use crate::event::tell;
use crate::event::text::Text;
use crate::util::supervise;
use crate::util::threads::{self, NoThread};
use crate::{app, config, telemetry::logs};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

pub(super) fn run(file: Option<&Path>) -> Result<ExitCode, Failure> {
    let settings = config::load(file, &app::machine()).map_err(anyhow::Error::from)?;
    let lang = settings.asked_lang();
    serve(settings).map_err(|error| Failure { error, lang })
}

fn serve(settings: Settings) -> anyhow::Result<ExitCode> {
    let has_file = settings.log.file.is_some();
    let logs = logs::start(&settings.log)?;
    // A panic belongs into the log; the connection that met it ends, no other.
    supervise::on_panic(|panic| {
        tell!(PANIC, what = panic.to_string());
    });
    let outcome = match threads::runtime("disk-main") {
        Ok(runtime) => {
            let outcome = runtime.block_on(app::serve(settings, logs.threshold()));
            // A read that hangs on a dead disk must not keep the process.
            runtime.shutdown_timeout(Duration::from_millis(100));
            outcome
        }
        Err(error) => {
            let part = Text::new("主线程的任务", "the tasks of the main thread");
            Err(NoThread { part, error }.into())
        }
    };
    if let Err(e) = &outcome
        && has_file
    {
        // The console gets it on stderr, at the end of the program.
        if let Some(ended) = e.downcast_ref::<app::Ended>() {
            tell!(ENDED, why = &ended.0);
        } else if let Some(faults) = output::faults(e) {
            for fault in faults {
                tell!(NOT_STARTED, why = &fault.event);
            }
        } else if let Some(event) = app::reason(e) {
            tell!(NOT_STARTED, why = event);
        } else {
            tell!(NOT_STARTED, why = format!("{e:#}"));
        }
    }
    drop(logs);
    outcome.map(|()| ExitCode::SUCCESS)
}
