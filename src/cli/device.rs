//! `xiaozhi-ota device`: all that a running server knows of a device, in words.

use super::ask::{AskArgs, device_id, device_path};
use super::device_view::{Device, Ordered, table, widths};
use super::output::{Failure, print_json};
use crate::event::shell;
use crate::event::text::Lang;
use crate::util::fate::{end_of, is_failure, plain};
use crate::util::terminal::one_line;
use crate::util::when::Times;
use clap::Args;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct DeviceArgs {
    /// Its MAC address, in any spelling, or the id that it sends
    #[arg(value_name = "DEVICE", value_parser = device_id)]
    device: String,

    #[command(flatten)]
    ask: AskArgs,
}

impl DeviceArgs {
    pub(super) fn run(&self, config: Option<&Path>) -> Result<ExitCode, Failure> {
        self.ask.run(config, |asker| {
            let json = asker.get(&device_path(&self.device));
            let json = asker.of_device(&self.device, json)?;
            let device: Device = asker.read(&json)?;
            if asker.is_json {
                print_json(&json.to_string())?;
            } else {
                asker.print(&device.in_words(&Times::here(), asker.lang))?;
            }
            Ok(())
        })
    }
}

impl Device {
    fn in_words(&self, times: &Times, lang: Lang) -> String {
        let mut text = one_line(&self.mac) + "\n";
        let rows = self.rows(times, lang);
        text += &table(&rows, &widths(&rows), 2);
        text += &self.offers(times, lang);
        text + &self.advice(lang)
    }

    fn rows(&self, times: &Times, lang: Lang) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        let mut row = |zh: &str, en: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                rows.push(vec![lang.pick(zh, en).to_owned(), value]);
            }
        };
        let facts = self.facts();
        row("板子", "board", facts.board(lang));
        row("芯片", "chip", facts.chip(lang));
        row("运行版本", "runs", facts.build(lang));
        let seen = times.long(&self.last_seen, lang);
        row("最近签到", "last seen", Some(seen));
        let first = times.long(&self.first_seen, lang);
        row("首次签到", "first seen", Some(first));
        row("启动次数", "boots seen", Some(self.boots.to_string()));
        let transport = plain(&self.transport);
        let came = self.address.as_deref().map(plain).map_or_else(
            || transport.clone(),
            |ip| {
                lang.pick(
                    format!("来自 {ip}，使用 {transport}"),
                    format!("from {ip}, over {transport}"),
                )
            },
        );
        row("连接", "comes", Some(came));
        let client = self.client_id.as_deref();
        row("客户端 ID", "client id", client.map(one_line));
        let why = self.why(lang).map(|words| {
            let id = self.why.as_deref().map(plain).unwrap_or_default();
            lang.pick(format!("{words}（{id}）"), format!("{words} ({id})"))
        });
        row("最近答复", "last answer", why);
        for order in &self.ordered {
            row("已安排", "ordered", Some(order.in_words(times, lang)));
        }
        rows
    }

    fn offers(&self, times: &Times, lang: Lang) -> String {
        if self.offers.is_empty() {
            return lang
                .pick(
                    "\n没有给它下发过固件。\n",
                    "\nIt was offered nothing yet.\n",
                )
                .to_owned();
        }
        let mut text = lang
            .pick(
                "\n给它下发过的固件，最近的在前\n",
                "\nits offers, newest first\n",
            )
            .to_owned();
        for offer in &self.offers {
            let (at, file) = (times.short(&offer.at), one_line(&offer.file));
            let (short, end) = (offer.short(lang), end_of(&offer.end));
            let meaning = end.map(|end| end.long.to(lang)).unwrap_or_default();
            let colon = if meaning.is_empty() {
                ""
            } else {
                lang.pick("：", ": ")
            };
            // Writing to a String cannot fail.
            let _ = write!(text, "  {at}  {file}\n    {short}{colon}{meaning}\n");
        }
        text
    }

    /// Returns what to type next, where something failed.
    fn advice(&self, lang: Lang) -> String {
        let id = self.word();
        let mut text = String::new();
        for failed in self.failed.iter().filter(|failed| failed.given_up) {
            let line = if let Some(file) = &failed.file {
                let (shown, word) = (one_line(file), shell::quoted(file));
                lang.pick(
                    format!("{shown} 不再提供给它；再试一次：xiaozhi-ota retry {id} {word}\n"),
                    format!("{shown} is offered to it no more; to try again: xiaozhi-ota retry {id} {word}\n"),
                )
            } else {
                lang.pick(
                    format!("以前下发过的一个固件不再提供给它；再试一次：xiaozhi-ota retry {id}\n"),
                    format!("an image of before is offered to it no more; to try again: xiaozhi-ota retry {id}\n"),
                )
            };
            // Several without a name have one line.
            if !text.contains(&line) {
                text += &line;
            }
        }
        let is_newest = self.newest().is_some_and(|offer| is_failure(&offer.end));
        if text.is_empty() && is_newest && !self.failed.is_empty() {
            text += &lang.pick(
                format!("它再来时会再得到一次该固件；若再次失败，则不再提供，直到文件改变或执行 xiaozhi-ota retry {id}\n"),
                format!(
                    "It is offered the file once more when it comes again. What fails twice is offered no more, until the file changes, \
                     or by: xiaozhi-ota retry {id}\n"
                ),
            );
        }
        if text.is_empty() {
            return text;
        }
        format!("\n{text}")
    }
}

impl Ordered {
    fn in_words(&self, times: &Times, lang: Lang) -> String {
        let at = times.short(&self.at);
        let what = match &self.file {
            Some(file) => one_line(file),
            None => lang.pick("所有失败过的固件", "all that failed").to_owned(),
        };
        lang.pick(
            format!("{at} 安排了再试一次 {what}；下次签到时给它"),
            format!("another try of {what} at {at}; it gets it at its next check-in"),
        )
    }
}
