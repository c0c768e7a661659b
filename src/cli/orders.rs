//! `xiaozhi-ota retry` and `xiaozhi-ota forget`: what an operator orders about a device. The
//! server writes an order down before it acknowledges it.

use super::ask::{AskArgs, AskError, Asked, Asker, device_id, device_path};
use super::device_view::Device;
use super::output::{Failure, print_json};
use crate::event::event;
use crate::util::terminal::one_line;
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct RetryArgs {
    /// Its MAC address, in any spelling, or the id that it sends
    #[arg(value_name = "DEVICE", value_parser = device_id)]
    device: String,

    /// The file to try again, by its name in the firmware folder [default: all
    /// that failed on it]
    file: Option<String>,

    #[command(flatten)]
    ask: AskArgs,
}

#[derive(Debug, Args)]
pub(super) struct ForgetArgs {
    /// Its MAC address, in any spelling, or the id that it sends
    #[arg(value_name = "DEVICE", value_parser = device_id)]
    device: String,

    #[command(flatten)]
    ask: AskArgs,
}

/// Outcome of an order to try again.
#[derive(Debug, Deserialize)]
struct Retried {
    device: String,
    retried: u64,
    // An older server does not tell it.
    cleared: Option<u64>,
}

impl RetryArgs {
    pub(super) fn run(&self, config: Option<&Path>) -> Result<ExitCode, Failure> {
        self.ask.run(config, |asker| {
            let path = device_path(&self.device) + "/retry";
            let body = self.file.as_ref().map(|file| json!({"file": file}));
            let answer = asker.order("POST", &path, body.as_ref());
            let answer = asker.of_device(&self.device, answer);
            let json = self.of_file(asker, answer)?;
            let retried: Retried = asker.read(&json)?;
            if asker.is_json {
                print_json(&json.to_string())?;
                return Ok(());
            }
            let (device, count) = (one_line(&retried.device), retried.retried);
            let is_once = count == 0 && retried.cleared.is_some_and(|cleared| cleared > 0);
            let text = match (count, &self.file) {
                (0, file) if is_once => {
                    let file = file.as_deref().map(one_line);
                    let zh = file.clone().map_or_else(String::new, |file| format!("{file} "));
                    let en = file.unwrap_or_else(|| "what failed on it".to_owned());
                    asker.lang.pick(
                        format!("{device}：{zh}只失败过一次，本来就会再给它；失败次数重新计算\n"),
                        format!("{device}: {en} failed once, and is offered to it again anyway; its count begins anew\n"),
                    )
                }
                (0, Some(file)) => {
                    let file = one_line(file);
                    asker.lang.pick(
                        format!("{device}：{file} 没有在它上面失败过，什么也没有改变\n"),
                        format!("{device}: {file} did not fail on it, and nothing was changed\n"),
                    )
                }
                (0, None) => asker.lang.pick(
                    format!("{device}：没有固件在它上面失败过，什么也没有改变\n"),
                    format!("{device}: nothing failed on it, nothing was changed\n"),
                ),
                (_, Some(file)) => {
                    let file = one_line(file);
                    asker.lang.pick(
                        format!("{device}：下次签到（设备重启）时会再得到 {file}\n"),
                        format!("{device}: it can get {file} again at its next check-in, which is at its next boot\n"),
                    )
                }
                (count, None) => asker.lang.pick(
                    format!("{device}：失败过的固件（{count} 个）下次签到（设备重启）时可以再得到\n"),
                    format!(
                        "{device}: it can get what failed on it again (images: {count}) at its next check-in, which is at its next boot\n"
                    ),
                ),
            };
            asker.print(&text)?;
            Ok(())
        })
    }

    /// Says of a file that was not offered which ones were.
    fn of_file(&self, asker: &Asker, answer: Asked<Value>) -> Asked<Value> {
        answer.map_err(|error| match error {
            AskError::Refused(_, json) if json["error"]["id"] == "no-file" => {
                let known = asker.get(&device_path(&self.device));
                let known = known.and_then(|json| asker.read::<Device>(&json));
                let offers = known.map(|device| device.offers).unwrap_or_default();
                let mut files: Vec<_> = offers.into_iter().map(|offer| offer.file).collect();
                files.dedup();
                let files = (!files.is_empty()).then_some(&*files);
                let (device, file) = (&self.device, self.file.as_deref().unwrap_or_default());
                let event = event!(ASK_NO_FILE, device = device, file = file, files = files);
                AskError::Refused(event, json)
            }
            error => error,
        })
    }
}

impl ForgetArgs {
    pub(super) fn run(&self, config: Option<&Path>) -> Result<ExitCode, Failure> {
        self.ask.run(config, |asker| {
            let answer = asker.order("DELETE", &device_path(&self.device), None);
            let json = asker.of_device(&self.device, answer)?;
            if asker.is_json {
                print_json(&json.to_string())?;
                return Ok(());
            }
            let device = one_line(&self.device);
            asker.print(&asker.lang.pick(
                format!("{device}：已删除，包括失败过的固件和对它的命令；它再次签到时按新设备对待\n"),
                format!(
                    "{device}: forgotten, with what failed on it and what was ordered about it; if it checks in again, it is a new device\n"
                ),
            ))?;
            Ok(())
        })
    }
}
