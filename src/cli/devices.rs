//! `xiaozhi-ota devices`: the devices of a running server, a line each, as a table or CSV.

use super::ask::{AskArgs, Asked, Asker, PAGE};
use super::csv;
use super::device_view::{Device, Page, cell, name_cell, table, widths};
use super::output::{Failure, Printed, print_csv, print_json, print_json_part};
use crate::event::text::Lang;
use crate::util::fate::ENDS;
use crate::util::when::Times;
use clap::Args;
use clap::builder::PossibleValuesParser;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Columns of a board's name, a version and a file in the table.
const BOARD: usize = 24;
const VERSION: usize = 12;
const FILE: usize = 40;

#[derive(Debug, Args)]
pub(super) struct DevicesArgs {
    /// Only devices with this in their MAC address (in any spelling: aa-bb, AABB),
    /// board, version, address or client id
    #[arg(value_name = "TEXT")]
    text: Option<String>,

    /// Only devices of this model, by which `fleet` counts them: the most precise
    /// name that they report; default for those that report none
    #[arg(long)]
    model: Option<String>,

    /// Only devices that run this version
    #[arg(long)]
    version: Option<String>,

    /// Only devices with this board.name or board.type
    #[arg(long)]
    board: Option<String>,

    /// Only devices whose newest offer ended so
    #[arg(long, value_parser = PossibleValuesParser::new(ENDS.iter().map(|end| end.key)))]
    end: Option<String>,

    /// Only devices that came since then: 15m, 1h, 7d, or 2026-06-14T08:00:00Z
    #[arg(long, value_name = "TIME")]
    seen_since: Option<String>,

    /// The same
    #[arg(long, value_name = "TEXT", conflicts_with = "text")]
    q: Option<String>,

    /// No more than so many devices [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,

    /// Print CSV (RFC 4180), with a header
    #[arg(long, conflicts_with = "json")]
    csv: bool,

    #[command(flatten)]
    ask: AskArgs,
}

impl DevicesArgs {
    pub(super) fn run(&self, config: Option<&Path>) -> Result<ExitCode, Failure> {
        self.ask.run(config, |asker| {
            let mut output = if asker.is_json {
                Output::Json { is_begun: false }
            } else if self.csv {
                Output::Csv { is_begun: false }
            } else {
                Output::Table {
                    widths: Vec::new(),
                    times: Times::here(),
                }
            };
            self.pages(asker, &mut output)
        })
    }

    /// Shows a page after the other, as long as somebody reads.
    fn pages(&self, asker: &Asker, output: &mut Output) -> Asked<()> {
        let mut left = self.limit.unwrap_or(u64::MAX);
        let mut count = 0;
        let mut after = None;
        loop {
            let most = left.min(PAGE as u64);
            let json = asker.get(&self.path(most, after.as_deref()))?;
            let page: Page = asker.read(&json)?;
            count += page.devices.len();
            left = left.saturating_sub(page.devices.len() as u64);
            // A page of nothing that has another one would have no end.
            let next = page.next.filter(|_| !page.devices.is_empty() && left > 0);
            let printed = output.page(asker, &page.devices, &json, next.is_none())?;
            if printed == Printed::Unwanted {
                return Ok(());
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        if count == 0 && matches!(output, Output::Table { .. }) {
            asker.print(&self.nothing(asker.lang))?;
        }
        Ok(())
    }

    fn filters(&self) -> [(&'static str, Option<&str>); 6] {
        [
            ("model", self.model.as_deref()),
            ("version", self.version.as_deref()),
            ("board", self.board.as_deref()),
            ("end", self.end.as_deref()),
            ("seen_since", self.seen_since.as_deref()),
            ("q", self.text.as_deref().or(self.q.as_deref())),
        ]
    }

    fn path(&self, most: u64, after: Option<&str>) -> String {
        let mut path = format!("/api/v1/devices?limit={most}");
        for (key, value) in self.filters().into_iter().chain([("after", after)]) {
            if let Some(value) = value {
                let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
                // Writing to a String cannot fail.
                let _ = write!(path, "&{key}={value}");
            }
        }
        path
    }

    fn nothing(&self, lang: Lang) -> String {
        let is_filtered = self.filters().iter().any(|(_, value)| value.is_some());
        let text = if is_filtered {
            lang.pick("没有这样的设备。\n", "No device is like that.\n")
        } else {
            lang.pick("还没有设备签到过。\n", "No device has checked in yet.\n")
        };
        text.to_owned()
    }
}

/// Way in which devices are shown.
enum Output {
    Table {
        /// Widths of the columns, once a page was shown.
        widths: Vec<usize>,
        times: Times,
    },
    Csv {
        is_begun: bool,
    },
    Json {
        is_begun: bool,
    },
}

impl Output {
    fn page(
        &mut self,
        asker: &Asker,
        devices: &[Device],
        json: &Value,
        is_last: bool,
    ) -> anyhow::Result<Printed> {
        match self {
            Self::Table { widths: _, .. } if devices.is_empty() => Ok(Printed::Whole),
            Self::Table {
                widths: known,
                times,
            } => {
                let rows = devices.iter().map(|device| row(device, times, asker.lang));
                let rows: Vec<_> = rows.collect();
                if known.is_empty() {
                    let head = [head(asker.lang)];
                    *known = widths(&[&head[..], &rows[..]].concat());
                    asker.print(&table(&head, known, 0))?;
                }
                asker.print(&table(&rows, known, 0))
            }
            Self::Csv { is_begun } => {
                let mut text = String::new();
                if !std::mem::replace(is_begun, true) {
                    csv::line(csv::HEAD.into_iter().map(str::to_owned), &mut text);
                }
                for device in devices {
                    csv::device(device, &mut text);
                }
                print_csv(&text)
            }
            Self::Json { is_begun } => {
                let begin = if std::mem::replace(is_begun, true) {
                    ","
                } else {
                    "{\"devices\":["
                };
                let each = json["devices"].as_array().into_iter().flatten();
                let each: Vec<_> = each.map(Value::to_string).collect();
                let text = begin.to_owned() + &each.join(",");
                if is_last {
                    // Where no more were wanted, it says where they go on.
                    let next = &json["next"];
                    print_json(&format!("{text}],\"next\":{next}}}"))
                } else {
                    print_json_part(&text)
                }
            }
        }
    }
}

fn head(lang: Lang) -> Vec<String> {
    let head = lang.pick(
        [
            "设备",
            "板子",
            "版本",
            "最近签到",
            "最近答复",
            "结果",
            "最近下发的文件",
        ],
        ["DEVICE", "BOARD", "RUNS", "SEEN", "ANSWER", "END", "FILE"],
    );
    head.map(str::to_owned).to_vec()
}

fn row(device: &Device, times: &Times, lang: Lang) -> Vec<String> {
    let file = device.newest().map_or("-", |offer| &offer.file);
    vec![
        name_cell(&device.mac, BOARD),
        cell(device.named(), BOARD),
        cell(device.version.as_deref().unwrap_or("-"), VERSION),
        times.short(&device.last_seen),
        device.answer(lang).into_owned(),
        device.end(lang).into_owned(),
        name_cell(file, FILE),
    ]
}
