//! `xiaozhi-ota probe`: shows what a device would meet at an OTA address.

use super::output::{self, print_in, print_json};
use super::values;
use crate::event::text::Lang;
use crate::probe::connect::Network;
use crate::probe::device::Device;
use crate::probe::dial::Place;
use crate::probe::line::{Hardware, Kind, Line};
use crate::probe::pace::Pace;
use crate::probe::report::{ProbeReport, StepVerdict};
use crate::probe::run::{News, Probe as Run};
use crate::probe::tls;
use crate::tls::roots_named;
use crate::util::screen::Screen;
use crate::util::terminal::{columns, one_line};
use crate::util::threads;
use anyhow::{Context as _, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use xiaozhi_device::chip::Chip;

/// Time between two changes of the line on the terminal.
const REDRAW: Duration = Duration::from_millis(200);
/// Version of a device for which none was given: below every release that is of
/// interest, and by the rules of the first one that takes its voice server from the
/// reply.
const VERSION: &str = "1.6.0";
const LINE: Line = Line::V1_6_2;

#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "the text of --help")]
pub(super) struct ProbeArgs {
    /// The OTA address, as it is typed into a device
    url: String,

    /// The device's model: board.type and board.name
    #[arg(long, default_value = "esp32s3")]
    board: String,

    /// The version that the device runs [default: 1.6.0, by the rules of 1.6.2, the
    /// first that is told its voice server]
    #[arg(long)]
    version: Option<String>,

    /// The device's chip: esp32, esp32s3, esp32c3, ...
    #[arg(long, default_value = "esp32s3", value_parser = chip)]
    chip: Chip,

    /// The device's MAC address [default: one that no device has]
    #[arg(long, default_value = "02:78:7a:6f:74:61", value_parser = mac, hide_default_value = true)]
    mac: String,

    /// Firmware line whose rules hold [default: that of --version]
    #[arg(long, value_name = "LINE")]
    firmware_line: Option<Line>,

    /// The hardware that the device speaks through
    #[arg(long, default_value = "wifi")]
    client: Hardware,

    /// Megabytes of flash, which say how long an image may be
    #[arg(long, default_value = "16", value_parser = PossibleValuesParser::new(["4", "8", "16"]))]
    flash: String,

    /// Take the image no faster than so, as devices do: 48KB/s
    #[arg(long, value_parser = values::pace)]
    pace: Option<Pace>,

    /// Leave a step out
    #[arg(long, value_parser = ["websocket"], value_name = "STEP")]
    skip: Vec<String>,

    /// Go on after a certificate that the device refuses; it is reported all the
    /// same
    #[arg(long)]
    insecure: bool,

    /// Certificates (PEM) that the device trusts too, as firmware with a bundle
    /// of its own does
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Address of a host, whatever its name says: ota.example.com=203.0.113.7, or
    /// ota.example.com:443=127.0.0.1:8443 for one port
    #[arg(long, value_name = "HOST=ADDRESS")]
    resolve: Vec<Place>,

    /// Print the findings as JSON
    #[arg(long)]
    json: bool,

    /// The language of the findings [default: that of LC_ALL, LC_MESSAGES or
    /// LANG]
    #[arg(long)]
    lang: Option<Lang>,
}

impl ProbeArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (asked, json) = (self.lang, self.json);
        let lang = values::language(asked);
        let probe = self.probe(lang)?;
        let runtime = threads::runtime("names").context("the runtime cannot be started")?;
        let mut line = Ticker::new(lang);
        let report = runtime.block_on(probe.run(|news| line.show(news)));
        line.clear();
        // A look-up that hangs must not keep the program.
        runtime.shutdown_background();
        if json {
            print_json(&serde_json::to_string_pretty(&report.json(lang))?)?;
        } else {
            let width = output::screen(asked).width();
            print_in(asked, &in_words(&report, lang, width)?)?;
        }
        Ok(match report.verdict() {
            StepVerdict::Ok | StepVerdict::Skipped => ExitCode::SUCCESS,
            StepVerdict::Warn => ExitCode::from(1),
            StepVerdict::Fail => ExitCode::from(2),
        })
    }

    fn probe(self, lang: Lang) -> anyhow::Result<Run> {
        let line = self.firmware_line;
        let of_version = self.version.as_deref().map_or(LINE, Line::of_version);
        let version = self.version.unwrap_or_else(|| VERSION.to_owned());
        let kind = Kind {
            line: line.unwrap_or(of_version),
            hardware: self.client,
        };
        if !kind.exists() {
            bail!(
                "there is no firmware {} for the {}: it came with 1.7.7; give --version 1.8.5 or --firmware-line v1.8.5",
                kind.line,
                kind.hardware
            );
        }
        let authorities = match &self.ca {
            Some(file) => roots_named(file)?,
            None => Vec::new(),
        };
        for (name, value) in [("--board", &self.board), ("--version", &version)] {
            if value.is_empty() || value.chars().any(char::is_control) {
                bail!("{name} {value:?}: it must be a word without control characters");
            }
        }
        Ok(Run {
            url: self.url,
            network: Network {
                kind,
                tls: tls::TlsClient::new(kind, authorities)?,
                places: self.resolve,
                insecure: self.insecure,
                lang,
            },
            skip_websocket: !self.skip.is_empty(),
            pace: self.pace,
            device: Device {
                kind,
                uuid: Device::uuid_of(&self.mac),
                board: self.board,
                version,
                chip: self.chip,
                mac: self.mac,
                flash: self.flash.parse().context("--flash")?,
                v2_layout: kind.line == Line::V2,
                // Of an image that nobody else has.
                elf_sha256: [0x5A; 32],
                second_slot: false,
            },
        })
    }
}

/// Writes a report for people.
fn in_words(
    report: &ProbeReport,
    lang: Lang,
    width: Option<usize>,
) -> Result<String, std::fmt::Error> {
    let mut text = format!(
        "{}\n{} {}\n\n",
        one_line(&report.url),
        lang.pick("模拟设备：", "as a device:"),
        one_line(&report.device)
    );
    report.write(lang, width, &mut text)?;
    Ok(text)
}

fn chip(name: &str) -> Result<Chip, String> {
    Chip::from_name(name)
        .ok_or_else(|| "no such chip: esp32, esp32s3, esp32c3, esp32c6, esp32p4, ...".to_owned())
}

/// Parses a MAC address, and writes it as the firmware does: lower case, colons.
fn mac(text: &str) -> Result<String, String> {
    let lower = text.to_ascii_lowercase().replace('-', ":");
    let pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
    if lower.split(':').count() == 6 && lower.split(':').all(pair) {
        Ok(lower)
    } else {
        Err("it must be six pairs of hexadecimal digits: aa:bb:cc:dd:ee:ff".to_owned())
    }
}

/// Line on the terminal that names the step under way.
struct Ticker {
    lang: Lang,
    screen: Screen,
    drawn: Option<Instant>,
    began: Instant,
}

impl Ticker {
    fn new(lang: Lang) -> Self {
        Self {
            lang,
            screen: Screen::of(&io::stderr()).with_utf8(lang == Lang::Zh),
            drawn: None,
            began: Instant::now(),
        }
    }

    fn show(&mut self, news: News) {
        if !self.screen.redraws() {
            return;
        }
        let text = match news {
            News::Begins(step) => {
                self.began = Instant::now();
                format!("{} ...", step.name())
            }
            News::Downloading(progress) => {
                let whole = progress.of == Some(progress.bytes);
                if !whole && self.drawn.is_some_and(|at| at.elapsed() < REDRAW) {
                    return;
                }
                self.drawn = Some(Instant::now());
                let speed =
                    progress.bytes as f64 / 1024.0 / self.began.elapsed().as_secs_f64().max(0.001);
                let megabytes = |bytes: u64| bytes as f64 / 1_048_576.0;
                let done = megabytes(progress.bytes);
                match progress.of.filter(|of| *of > 0) {
                    Some(of) => {
                        let begin = self.lang.pick("下载", "download");
                        let percent = progress.bytes * 100 / of;
                        let of_all = megabytes(of);
                        let end = format!("{percent:3} % {done:.1}/{of_all:.1} MB {speed:.0} KB/s");
                        // Four more for blanks and brackets, and one for the cursor.
                        let others = columns(begin) + columns(&end) + 5;
                        let width = self.screen.width().unwrap_or(80);
                        let room = width.saturating_sub(others).min(30);
                        let cells = usize::try_from(progress.bytes * room as u64 / of);
                        let bar = "#".repeat(cells.unwrap_or(room).min(room));
                        format!("{begin} [{bar:<room$}] {end}")
                    }
                    None => format!(
                        "{} {done:.1} MB {speed:.0} KB/s",
                        self.lang.pick("下载", "download")
                    ),
                }
            }
        };
        // A closed stderr leaves nobody to tell. On a terminal that was made narrower the
        // line is cut (DECAWM off) and does not wrap, for then it could not be drawn over.
        let _ = write!(io::stderr(), "\r\x1b[K\x1b[?7l{text}\x1b[?7h");
    }

    fn clear(&self) {
        if self.screen.redraws() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_are_written_as_devices_write_them() {
        let written = mac("AA-BB-CC-DD-EE-FF");
        assert_eq!(written.as_deref(), Ok("aa:bb:cc:dd:ee:ff"));
        for text in ["", "aa:bb", "aa:bb:cc:dd:ee:fg", "aabbccddeeff"] {
            assert!(mac(text).is_err(), "{text}");
        }
    }
}
