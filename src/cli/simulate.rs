//! `xiaozhi-ota simulate`: a fleet of devices against a server.

use super::output::{print_in, print_json};
use super::values::{duration, language, pace};
use crate::event::text::Lang;
use crate::probe::address::{self, Use};
use crate::probe::dial::Place;
use crate::probe::line::{Hardware, Kind, Line};
use crate::probe::pace::Pace;
use crate::simulate::bad::BadShares;
use crate::simulate::plan::{Board, MacPrefix, Plan, Trust};
use crate::simulate::rate::Rate;
use crate::simulate::{self, Summary};
use crate::tls::roots_named;
use crate::util::threads;
use anyhow::{Context as _, bail};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use xiaozhi_device::version::is_device_safe;

/// Size of the largest fleet.
const MOST_DEVICES: i64 = 1_000_000;

/// Text at the end of --help.
const EXAMPLES: &str = "\
Examples:
  A power cut in a town: 20,000 devices at once, one check each
    xiaozhi-ota simulate https://ota.example.com/xiaozhi/ota/ -n 20000
  A real update of 500 devices of two boards, some of which lose connections
    xiaozhi-ota simulate https://ota.example.com/xiaozhi/ota/ -n 500 \\
      --ramp 60s --pace 48KB/s --boards esp32s3:70,bread-compact-wifi:30 \\
      --version 1.6.0 --fail 2%
  A release that goes wrong here and there, on devices that are switched on
  again later; --json has how every offer ended
    xiaozhi-ota simulate https://ota.example.com/xiaozhi/ota/ -n 500 \\
      --bad 3%:verify,3%:crash,2%:dead --power-loss 5% --boots 3 --json
  A server that has no public name yet
    xiaozhi-ota simulate https://ota.example.com/xiaozhi/ota/ \\
      --resolve ota.example.com=192.168.1.5:8443";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct SimulateArgs {
    /// The OTA address, as it would be typed into a device
    url: String,

    /// Number of devices
    #[arg(short = 'n', long, value_name = "N", default_value = "100",
          value_parser = clap::value_parser!(u32).range(1..=MOST_DEVICES))]
    devices: u32,

    /// Switch them on over this time [default: all at once, as after a power cut]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    ramp: Option<Duration>,

    /// Speed at which each takes an image; real ones manage 30 to 65 KB/s [default:
    /// as fast as it comes]
    #[arg(long, value_name = "RATE", value_parser = pace)]
    pace: Option<Pace>,

    /// Boards and their shares: esp32s3:70,esp-box@esp32c3:30; the chip is
    /// esp32s3 where none is named
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "esp32s3"
    )]
    boards: Vec<Board>,

    /// The version that all of them run at first
    #[arg(long, value_name = "VERSION", default_value = "1.6.0")]
    version: String,

    /// Firmware line whose rules they keep to [default: that of the version that
    /// each runs]
    #[arg(long, value_enum, value_name = "LINE")]
    firmware_line: Option<Line>,

    /// Their flash in megabytes
    #[arg(long, value_name = "MB", default_value = "16", value_parser = flash)]
    flash: u8,

    /// Make this share of all checks and downloads fail: requests and downloads
    /// cut in the middle, power cuts in a download
    #[arg(long, value_name = "SHARE", default_value = "0%")]
    fail: Rate,

    /// Of the devices that fetch an image, let so many meet a bad release, as in
    /// 3%:verify,3%:crash,2%:dead
    ///
    /// verify: the boot loader refuses it; the device runs on with the old version
    /// and reports that at its next boot (see --boots). crash: it crashes at its
    /// first boot and is rolled back; the device checks at once, with the old
    /// version. dead: the device never comes again. Each share is a chance for every
    /// device by itself: of 100 devices 3% may be one or six. The seed says which;
    /// each meets the same with every image. None of them counts as up to date.
    #[arg(long, value_name = "LIST")]
    bad: Option<BadShares>,

    /// Let this share of the devices lose their power once when the last byte of an
    /// image has left the server, and its end lies unread in the kernel
    ///
    /// The image is not installed. The connection is reset after 1 s, or stays
    /// silent for 10 s; the device boots 10 s later, with the old version, and asks
    /// again.
    #[arg(long, value_name = "SHARE", default_value = "0%")]
    power_loss: Rate,

    /// A device that is offered nothing, or runs on with the old version, is
    /// switched on again 12 s later, until it has booted so often
    #[arg(long, value_name = "N", default_value = "1",
          value_parser = clap::value_parser!(u16).range(1..))]
    boots: u16,

    /// Time after a fetched image within which a device has to check: `devices` of
    /// --json calls its offer silent else
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    silent_after: Duration,

    /// Number of times that a device which failed or gave up is switched off and on
    /// again; a real one asks again only then
    #[arg(long, value_name = "N", default_value = "0")]
    restarts: u16,

    /// End after this time at the latest [default: when every device is up to
    /// date, failed or has given up]
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,

    /// Another number is other chances: which boards, and what befalls whom; the same
    /// one is the same fleet again
    ///
    /// The MAC addresses are the same whatever the number is. To a server that has
    /// met them, a second run is the same devices, which went back to --version and
    /// may have failed its images: see --mac-prefix.
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,

    /// First half of their MAC addresses; another one for each run is devices that the
    /// server has never met
    ///
    /// `xiaozhi-ota forget MAC` has it forget one; what is not forgotten stays in its
    /// counts, so that simulations belong on a server of their own, with a state
    /// folder that can be thrown away.
    #[arg(long, value_name = "BYTES", default_value = "02:00:00")]
    mac_prefix: MacPrefix,

    /// Take any certificate (real Wi-Fi devices do not)
    #[arg(long)]
    insecure: bool,

    /// Also trust the certificates in this PEM file
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Address of a host, whatever its name says: HOST[:PORT]=ADDRESS[:PORT]; can
    /// be repeated
    #[arg(long, value_name = "PLACE")]
    resolve: Vec<Place>,

    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,

    /// The language of what is said [default: that of the environment]
    #[arg(long, value_enum)]
    lang: Option<Lang>,
}

impl SimulateArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (asked, json) = (self.lang, self.json);
        let lang = language(asked);
        let summary = self.play(lang)?;
        if json {
            print_json(&summary.json().to_string())?;
        } else {
            print_in(asked, &summary.text(lang))?;
        }
        Ok(if summary.is_good() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn play(self, lang: Lang) -> anyhow::Result<Summary> {
        let plan = self.plan(lang)?;
        let runtime = threads::runtime("names").context("the runtime cannot be started")?;
        let outcome = runtime.block_on(simulate::run(plan, lang));
        // A name that is still looked up must not keep the process.
        runtime.shutdown_background();
        outcome.map_err(|e| anyhow::anyhow!(e.describe(lang)))
    }

    fn plan(self, lang: Lang) -> anyhow::Result<Plan> {
        if !is_device_safe(&self.version) {
            bail!(
                "--version {:?}: a device that reports this restarts at every check; write numbers and dots",
                self.version
            );
        }
        let hardware = Hardware::Wifi;
        let kind = Kind {
            line: self
                .firmware_line
                .unwrap_or_else(|| Line::of_version(&self.version)),
            hardware,
        };
        let (target, _) = address::parse(&self.url, Use::Ota, kind).map_err(|finding| {
            anyhow::anyhow!("{}: {}", finding.evidence, finding.rule.what.to(lang))
        })?;
        let trust = Trust {
            insecure: self.insecure,
            roots: match &self.ca {
                Some(file) => roots_named(file).context("--ca")?,
                None => Vec::new(),
            },
        };
        Ok(Plan {
            url: self.url,
            target,
            devices: self.devices,
            ramp: self.ramp.unwrap_or_default(),
            pace: self.pace,
            boards: self.boards,
            version: self.version,
            line: self.firmware_line,
            hardware,
            flash: self.flash,
            fail: self.fail,
            bad: self.bad.unwrap_or_default(),
            power_loss: self.power_loss,
            boots: self.boots,
            silent_after: self.silent_after,
            restarts: self.restarts,
            time: self.time,
            seed: self.seed,
            macs: self.mac_prefix,
            places: self.resolve,
            trust,
        })
    }
}

/// Parses a size of flash for which the firmware has partition tables.
fn flash(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(megabytes @ (4 | 8 | 16)) => Ok(megabytes),
        _ => Err("it must be 4, 8 or 16".to_owned()),
    }
}
