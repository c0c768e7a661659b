//! The command line: one file a subcommand.

mod admin_client;
mod ask;
mod backup;
mod csv;
mod device;
mod device_view;
mod devices;
mod facts;
mod fleet;
mod forecast;
mod health;
mod inspect;
mod manual;
mod notes;
mod orders;
mod output;
mod patience;
mod probe;
mod prune;
mod publish;
mod serve;
mod simulate;
mod summary;
mod validate;
mod values;

use crate::config::ConfigError;
use crate::util::screen::Screen;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use output::Failure;

/// Firmware updates for xiaozhi-esp32 devices over HTTP and HTTPS, from one
/// process.
///
/// Without a subcommand it serves: put firmware into data/bin as
/// {model}_{version}.bin (esp32s3_1.6.6.bin), and type the OTA address that it
/// prints at start into your devices.
#[derive(Debug, Parser)]
#[expect(clippy::doc_markdown, reason = "the text of --help")]
#[command(
    version,
    after_help = "Exit code of the server: 0 when it was asked to end, 78 when the configuration is refused, else 1.\n\nSignals: SIGTERM finishes what was begun and ends, a second one ends at once;\nSIGHUP reads configuration, certificates and firmware again."
)]
pub struct Cli {
    /// The configuration, shared with xiaozhi-server [default: data/.config.yaml
    /// if it is there]
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve check-ins and firmware (this is what happens without a subcommand)
    Serve,
    /// Check a configuration and show what it comes to, secrets masked
    ///
    /// Exit code 0: it is good, warnings included. 1: it cannot be meant, and
    /// the server would not start.
    Validate(validate::ValidateArgs),
    /// Ask the running server of this configuration whether it is alive, and what
    /// it lacks: the health check of containers
    ///
    /// Exit code 0: it is alive. 1: it is not, or cannot be asked; with --ready,
    /// it lacks something, too.
    Health(health::HealthArgs),
    /// Look into firmware files: what they are, and which devices would get them
    ///
    /// Exit code 0: none would be rejected. 1: one would be, for it would fail on
    /// every device. 2: one cannot be read, or an option is wrong.
    Inspect(inspect::InspectArgs),
    /// Put firmware into the firmware folder as {model}_{version}.bin, whole or
    /// not at all
    ///
    /// The app image is taken out of an archive or a full flash image, and
    /// inspected. A running server offers it at once; a file of the same name,
    /// and its notes, are overwritten only with --force.
    ///
    /// Exit code 0: all are published; of several, those count that are there
    /// already with the same content. 1: one was refused, and is named; the
    /// others are published. 2: an option is wrong, or the configuration cannot
    /// be read. With --dry-run the same.
    Publish(publish::PublishArgs),
    /// Remove the oldest images of each model from the firmware folder, and what
    /// a killed publish left there
    ///
    /// What is pinned stays, and what a known device runs; and so does whatever is no
    /// app image with a version, default_*.bin and links: each is named. The notes of
    /// an image go with it.
    ///
    /// Exit code 0: done. 1: a file could not be removed, or the folder not be
    /// read; the others are. 2: an option is wrong. With --dry-run the same.
    Prune(prune::PruneArgs),
    /// Put configuration, certificates, firmware and state into one file
    ///
    /// FILE is a tar file with a SHA256SUMS in it (`tar xf`, `sha256sum -c`). Private
    /// keys are in it, so that only its owner can read it: keep it as safe as those.
    /// A server may be running meanwhile.
    ///
    /// Exit code 0: it is made, whole. 1: it is not, and nothing was left. 2: an
    /// option is wrong.
    Backup(backup::BackupArgs),
    /// Put back what `backup` kept, all of it or nothing
    ///
    /// The server is not to run meanwhile. The whole backup is checked first; a file
    /// that is damaged is named, and nothing is touched. What is there is overwritten
    /// only with --force. Files go where the configuration in the backup says. One
    /// that is killed is finished by the next.
    ///
    /// Exit code 0: done. 1: nothing was changed, and the reason is said. 2: an
    /// option is wrong.
    Restore(backup::RestoreArgs),
    /// Show what the devices of the running server run, how their newest offers
    /// ended, and which need a look
    ///
    /// Exit code 0: done. 1: the server said no. 2: it cannot be asked, or an option
    /// is wrong.
    Fleet(fleet::FleetArgs),
    /// List the devices of the running server, a line each
    ///
    /// Exit code 0: done. 1: the server said no. 2: it cannot be asked, or an option
    /// is wrong.
    Devices(devices::DevicesArgs),
    /// Show all that is known of a device: what it runs, and how each offer ended
    ///
    /// Exit code 0: done. 1: no such device is known, or the server said no. 2: it
    /// cannot be asked, or an option is wrong.
    Device(device::DeviceArgs),
    /// Let a device have again what failed on it: a file, or all
    ///
    /// What failed twice on a device is offered to it no more until the file changes,
    /// or this says so. Exit code 0: done, also where nothing had failed. 1: no such
    /// device or file, or the server said no. 2: it cannot be asked, or an option is
    /// wrong.
    Retry(orders::RetryArgs),
    /// Forget a device: nothing of it is kept
    ///
    /// Exit code 0: done. 1: no such device is known, or the server said no. 2: it
    /// cannot be asked, or an option is wrong.
    Forget(orders::ForgetArgs),
    /// Play a device against an OTA address, this server's or any other's, and
    /// say where it would fail
    ///
    /// Exit code 0: it gets the whole way. 1: it does, and something is to be
    /// said. 2: a device would fail.
    Probe(probe::ProbeArgs),
    /// Play a fleet of devices against a server: boot storms, updates, failures
    ///
    /// Each device checks as the firmware does (ten tries, 10 s apart at first
    /// and twice as long each time), fetches the image that it is offered, looks
    /// into every byte of it, restarts and checks again. The live view goes to
    /// stderr, the summary to stdout; Ctrl-C ends it with the summary.
    ///
    /// Exit code 0: every device ended up to date. 1: some failed or gave up, met
    /// a bad release (`--bad`), or the time ran out. 2: the server could not be
    /// reached at all, or an option is wrong.
    Simulate(Box<simulate::SimulateArgs>),
    /// Write man pages, and completions for bash, zsh and fish
    ///
    /// The Debian package has them already. Exit code 0: done. 1: the folder cannot be
    /// written. 2: an option is wrong.
    Manual(manual::ManualArgs),
}

/// Exit code of a start whose configuration is refused (`EX_CONFIG` in
/// `sysexits.h`), which the systemd unit does not try again.
const REFUSED: u8 = 78;

impl Cli {
    /// Reads the command line. What is wrong with it, or its help, is shown.
    pub fn of_command_line() -> Result<Self, ExitCode> {
        // Where nobody measures, lines are as they are written.
        let width = Screen::of(&io::stdout()).width().unwrap_or(0);
        let parsed = Self::command().term_width(width).try_get_matches();
        parsed
            .and_then(|matches| Self::from_arg_matches(&matches))
            .map_err(output::usage)
    }

    /// Runs the subcommand. Errors go to stderr, one line each.
    pub fn run(self) -> ExitCode {
        // Where a file reaches a limit (`ulimit -f`) this signal would end the process;
        // with a handler the write fails, like any other. Without one it is as before.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
        let command = self.command.unwrap_or(Command::Serve);
        // Of those whose 1 is a finding.
        let failure = match &command {
            Command::Inspect(_)
            | Command::Publish(_)
            | Command::Fleet(_)
            | Command::Devices(_)
            | Command::Device(_)
            | Command::Retry(_)
            | Command::Forget(_)
            | Command::Probe(_)
            | Command::Simulate(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        };
        let serves = matches!(command, Command::Serve);
        let outcome: Result<_, Failure> = match command {
            Command::Serve => serve::run(self.config.as_deref()),
            Command::Validate(validate) => validate.run(self.config).map_err(Failure::from),
            Command::Health(health) => {
                let outcome = health.run(self.config.as_deref());
                outcome.map_err(Failure::from)
            }
            Command::Inspect(inspect) => {
                let outcome = inspect.run(self.config.as_deref());
                outcome.map_err(Failure::from)
            }
            Command::Publish(publish) => {
                let outcome = publish.run(self.config.as_deref());
                outcome.map_err(Failure::from)
            }
            Command::Prune(prune) => {
                let outcome = prune.run(self.config.as_deref());
                outcome.map_err(Failure::from)
            }
            Command::Backup(backup) => backup.run(self.config.as_deref()),
            Command::Restore(restore) => restore.run(self.config.as_deref()),
            Command::Fleet(fleet) => fleet.run(self.config.as_deref()),
            Command::Devices(devices) => devices.run(self.config.as_deref()),
            Command::Device(device) => device.run(self.config.as_deref()),
            Command::Retry(retry) => retry.run(self.config.as_deref()),
            Command::Forget(forget) => forget.run(self.config.as_deref()),
            Command::Probe(probe) => probe.run().map_err(Failure::from),
            Command::Simulate(simulate) => simulate.run().map_err(Failure::from),
            Command::Manual(manual) => manual.run(Self::command()).map_err(Failure::from),
        };
        match outcome {
            Ok(code) => code,
            Err(e) => {
                output::report(&e);
                // What is refused now is refused at the next start, too.
                if serves && e.error.is::<ConfigError>() {
                    ExitCode::from(REFUSED)
                } else {
                    failure
                }
            }
        }
    }
}
