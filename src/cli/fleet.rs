//! `xiaozhi-ota fleet`: what the devices of a running server run, how their newest offers
//! ended, and which of them need a look. No longer than a screen.

use super::ask::{AskArgs, AskError, Asked, Asker, device_path};
use super::device_view::{Device, cell, name_cell, table, widths};
use super::output::{Failure, print_json};
use crate::event::text::Lang;
use crate::util::fate::{ENDS, is_failure};
use crate::util::when::Times;
use clap::Args;
use jiff::Timestamp;
use serde::Deserialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Lines of a screen.
const SCREEN: usize = 24;
/// Most files that are shown which fail.
const FAILING: usize = 2;
/// Most models that are shown, and versions of each.
const MODELS: usize = 4;
const VERSIONS: usize = 4;
/// Number of devices that need a look which are shown: at most, and where other lines take
/// the room.
const LOOKS: usize = 10;
const FEWEST_LOOKS: usize = 3;
/// Columns of a name in the table.
const NAME: usize = 24;
const FILE: usize = 40;
/// Columns of an address.
const ADDRESS: usize = 80;

#[derive(Debug, Args)]
pub(super) struct FleetArgs {
    #[command(flatten)]
    ask: AskArgs,
}

/// The fleet in numbers, as the API has it.
#[derive(Debug, Default, Deserialize)]
struct Fleet {
    devices: u64,
    // An older server does not tell it.
    #[serde(default)]
    others: u64,
    #[serde(default)]
    failing: Vec<Failing>,
    models: Vec<Model>,
    versions: Vec<Version>,
    ends: BTreeMap<String, u64>,
    transports: Transports,
    seen: Seen,
    #[serde(default)]
    held: Held,
    #[serde(default)]
    upstream: Option<Upstream>,
}

/// The server that answers all but firmware.
#[derive(Debug, Deserialize)]
struct Upstream {
    address: String,
    answers: Option<bool>,
}

/// Devices that the upstream holds.
#[derive(Debug, Default, Deserialize)]
struct Held {
    not_activated: u64,
    updates_off: u64,
}

/// Newest offers of devices.
#[derive(Debug, Deserialize)]
struct Offers {
    offers: Vec<OfferToDevice>,
}

#[derive(Debug, Deserialize)]
struct OfferToDevice {
    mac: String,
    at: String,
}

#[derive(Debug, Deserialize)]
struct Model {
    model: String,
    devices: u64,
}

#[derive(Debug, Deserialize)]
struct Failing {
    file: String,
    devices: u64,
}

#[derive(Debug, Deserialize)]
struct Version {
    model: String,
    version: String,
    devices: u64,
}

#[derive(Debug, Default, Deserialize)]
struct Transports {
    http: u64,
    https: u64,
}

#[derive(Debug, Default, Deserialize)]
struct Seen {
    hour: u64,
    day: u64,
    week: u64,
}

impl FleetArgs {
    pub(super) fn run(&self, config: Option<&Path>) -> Result<ExitCode, Failure> {
        self.ask.run(config, |asker| {
            let json = asker.get("/api/v1/fleet")?;
            let fleet: Fleet = asker.read(&json)?;
            if asker.is_json {
                print_json(&json.to_string())?;
                return Ok(());
            }
            let looks = looks(asker, &fleet)?;
            asker.print(&fleet.in_words(&looks, &Times::here(), asker.lang))?;
            Ok(())
        })
    }
}

/// Returns the devices whose newest offer failed last, the latest first: as many as may be
/// shown.
fn looks(asker: &Asker, fleet: &Fleet) -> Asked<Vec<Device>> {
    let mut failed = Vec::new();
    for (end, count) in &fleet.ends {
        if is_failure(end) && *count > 0 {
            let path = format!("/api/v1/offers?newest=true&limit={LOOKS}&end={end}");
            let page: Offers = asker.read(&asker.get(&path)?)?;
            failed.extend(page.offers);
        }
    }
    failed.sort_by_cached_key(|offer| Reverse(offer.at.parse::<Timestamp>().ok()));
    let mut looks: Vec<Device> = Vec::new();
    for offer in failed.iter().take(LOOKS) {
        match asker.get(&device_path(&offer.mac)) {
            Ok(json) => {
                let device: Device = asker.read(&json)?;
                // It may have come again meanwhile.
                let newest = device.newest();
                if newest.is_some_and(|offer| is_failure(&offer.end)) {
                    looks.push(device);
                }
            }
            // Somebody had it forgotten meanwhile.
            Err(AskError::Refused(_, json)) if json["error"]["id"] == "no-device" => {}
            Err(error) => return Err(error),
        }
    }
    Ok(looks)
}

impl Fleet {
    fn in_words(&self, looks: &[Device], times: &Times, lang: Lang) -> String {
        if self.devices == 0 && self.others == 0 {
            return lang
                .pick(
                    "还没有设备签到过。请把服务器启动时打印的 OTA 地址填入设备；若已填写，可用 xiaozhi-ota probe 检查该地址。\n",
                    "No device has checked in yet. Type the OTA address that the server prints at its start into a device; if you did, \
                     `xiaozhi-ota probe` tries that address.\n",
                )
                .to_owned();
        }
        let mut text = self.head(lang) + &self.upstream(lang) + &self.held(lang);
        text += &self.models(lang);
        text += &self.ends(lang);
        text += &self.failing(lang);
        let used = text.lines().count();
        text += &self.looks(looks, used, times, lang);
        text + lang.pick(
            "\n列出设备：xiaozhi-ota devices；查看一台：xiaozhi-ota device MAC；重试：xiaozhi-ota retry MAC\n",
            "\nmore: xiaozhi-ota devices, xiaozhi-ota device MAC; another try: xiaozhi-ota retry MAC\n",
        )
    }

    fn head(&self, lang: Lang) -> String {
        let (Seen { hour, day, week }, Transports { http, https }) = (&self.seen, &self.transports);
        let (devices, others) = (self.devices, self.others);
        let besides = if others == 0 {
            String::new()
        } else {
            lang.pick(
                format!("（另有 {others} 台没有 MAC 地址，不计入）"),
                format!(", besides {others} that have no MAC address and are not counted"),
            )
        };
        match lang {
            Lang::Zh => format!(
                "设备 {devices} 台{besides}；签到过的：一小时内 {hour}，一天内 {day}，一周内 {week}；使用 http {http}，https {https}\n"
            ),
            Lang::En => format!(
                "devices: {devices}{besides}; seen within an hour {hour}, a day {day}, a week {week}; over http {http}, over https {https}\n"
            ),
        }
    }

    /// Returns whether the upstream answers.
    fn upstream(&self, lang: Lang) -> String {
        let Some(Upstream { address, answers }) = &self.upstream else {
            return String::new();
        };
        let state = match answers {
            None => lang.pick("还没有向它发过请求", "not asked yet"),
            Some(true) => lang.pick("应答正常", "it answers"),
            Some(false) => lang.pick(
                "没有应答（原因见日志中的 upstream.down）",
                "it does not answer (upstream.down in the log says why)",
            ),
        };
        let address = cell(address, ADDRESS);
        lang.pick(
            format!("上游服务器 {address}：{state}\n"),
            format!("upstream {address}: {state}\n"),
        )
    }

    /// Returns how many devices are offered nothing because of what the upstream answered.
    fn held(&self, lang: Lang) -> String {
        let Held {
            not_activated,
            updates_off,
        } = self.held;
        if not_activated + updates_off == 0 {
            return String::new();
        }
        lang.pick(
            format!("因上游的应答而不下发固件：未激活 {not_activated} 台，关闭了自动升级 {updates_off} 台\n"),
            format!("held back by what the upstream says: not activated {not_activated}, automatic updates off {updates_off}\n"),
        )
    }

    /// Returns on how many devices each file failed, the worst first.
    fn failing(&self, lang: Lang) -> String {
        let shown = self.failing.iter().take(FAILING).map(|failing| {
            let (file, count) = (name_cell(&failing.file, FILE), failing.devices);
            match (lang, count) {
                (Lang::Zh, _) => format!("{file} 在 {count} 台设备上失败"),
                (Lang::En, 1) => format!("{file} failed on 1 device"),
                (Lang::En, _) => format!("{file} failed on {count} devices"),
            }
        });
        let mut shown: Vec<_> = shown.collect();
        if let more @ 1.. = self.failing.len().saturating_sub(FAILING) {
            shown.push(lang.pick(
                format!("另有 {more} 个文件"),
                format!("other files: {more}"),
            ));
        }
        if shown.is_empty() {
            return String::new();
        }
        format!("  {}\n", shown.join(lang.pick("；", "; ")))
    }

    fn models(&self, lang: Lang) -> String {
        let mut rows = Vec::new();
        for model in self.models.iter().take(MODELS) {
            let of_model = |version: &&Version| version.model == model.model;
            let versions: Vec<_> = self.versions.iter().filter(of_model).collect();
            let shown = versions.iter().take(VERSIONS);
            let shown = shown.map(|one| {
                let (version, count) = (cell(&one.version, NAME), one.devices);
                lang.pick(
                    format!("{version}（{count}）"),
                    format!("{version} ({count})"),
                )
            });
            let mut shown: Vec<_> = shown.collect();
            if let more @ 1.. = versions.len().saturating_sub(VERSIONS) {
                shown.push(lang.pick(
                    format!("另有 {more} 个版本"),
                    format!("other versions: {more}"),
                ));
            }
            rows.push(vec![
                cell(&model.model, NAME),
                model.devices.to_string(),
                shown.join(lang.pick("、", ", ")),
            ]);
        }
        let mut text = lang
            .pick("\n型号和版本\n", "\nmodels and versions\n")
            .to_owned();
        text += &table(&rows, &widths(&rows), 2);
        if let more @ 1.. = self.models.len().saturating_sub(MODELS) {
            text += &lang.pick(
                format!("  另有 {more} 个型号（--json 列出全部）\n"),
                format!("  other models: {more} (--json has all)\n"),
            );
        }
        text
    }

    fn ends(&self, lang: Lang) -> String {
        let mut rows = Vec::new();
        for end in &ENDS {
            let count = self.ends.get(end.key).copied().unwrap_or(0);
            if count > 0 {
                let (short, meaning) = (end.short.to(lang), end.long.to(lang));
                rows.push(vec![
                    short.to_owned(),
                    count.to_string(),
                    meaning.to_owned(),
                ]);
            }
        }
        if rows.is_empty() {
            return lang
                .pick(
                    "\n还没有给设备下发过固件。\n",
                    "\nNo device was offered anything yet.\n",
                )
                .to_owned();
        }
        let head = lang.pick(
            "\n每台设备最近一次下发\n",
            "\nnewest offer of each device\n",
        );
        head.to_owned() + &table(&rows, &widths(&rows), 2)
    }

    /// Returns the devices that need a look: at most as many as a screen has room for, of
    /// which so many lines are used.
    fn looks(&self, looks: &[Device], used: usize, times: &Times, lang: Lang) -> String {
        let failed = |(end, count): (&String, &u64)| if is_failure(end) { *count } else { 0 };
        let all: u64 = self.ends.iter().map(failed).sum();
        if looks.is_empty() {
            return String::new();
        }
        // The headline, what is left out, and what to type next stand around them.
        let room = SCREEN.saturating_sub(used + 5).clamp(FEWEST_LOOKS, LOOKS);
        let rows = looks.iter().take(room).map(|device| {
            let offer = device.newest().cloned().unwrap_or_default();
            vec![
                name_cell(&device.mac, NAME),
                cell(device.named(), NAME),
                device.end(lang).into_owned(),
                name_cell(&offer.file, FILE),
                times.short(&offer.at),
            ]
        });
        let rows: Vec<_> = rows.collect();
        let mut text = lang
            .pick("\n需要查看\n", "\nthese need a look\n")
            .to_owned();
        text += &table(&rows, &widths(&rows), 2);
        let more = all.saturating_sub(rows.len() as u64);
        if more > 0 {
            // Writing to a String cannot fail.
            let _ = match lang {
                Lang::Zh => writeln!(
                    text,
                    "  另有 {more} 台：xiaozhi-ota devices --end rolled-back（或 silent）"
                ),
                Lang::En => writeln!(
                    text,
                    "  and {more} more: xiaozhi-ota devices --end rolled-back (or silent)"
                ),
            };
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::device_view::Offer;
    use super::*;
    use jiff::tz::TimeZone;

    fn times() -> Times {
        Times {
            zone: TimeZone::UTC,
            now: "2026-06-14T08:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_large_fleet_fits_a_screen() {
        let models = (0..9).map(|n| Model {
            model: format!("model-{n}"),
            devices: 9 - n,
        });
        let versions = (0..81).map(|n| Version {
            model: format!("model-{}", n / 9),
            version: format!("1.{}.0", n % 9),
            devices: 1,
        });
        let fleet = Fleet {
            devices: 1_000_000,
            models: models.collect(),
            versions: versions.collect(),
            others: 3,
            failing: (0..9)
                .map(|n| Failing {
                    file: format!("a_{n}.bin"),
                    devices: 9 - n,
                })
                .collect(),
            ends: ENDS.iter().map(|end| (end.key.to_owned(), 500)).collect(),
            ..Fleet::default()
        };
        let look = Device {
            mac: "aa:bb:cc:dd:ee:01".to_owned(),
            offers: vec![Offer {
                file: "a_1.bin".to_owned(),
                end: "silent".to_owned(),
                at: "2026-06-14T07:00:00Z".to_owned(),
                ..Offer::default()
            }],
            ..Device::default()
        };
        let looks = vec![look; 700];
        for lang in [Lang::En, Lang::Zh] {
            let text = fleet.in_words(&looks, &times(), lang);
            assert!(text.lines().count() <= SCREEN + FEWEST_LOOKS, "{text}");
            assert!(text.contains("aa:bb:cc:dd:ee:01") && text.contains("06-14 07:00"));
            assert!(
                text.contains("a_0.bin") && !text.contains("a_2.bin"),
                "{text}"
            );
            assert!(text.contains("997") && text.contains("--end"), "{text}");
        }
    }

    #[test]
    fn an_upstream_is_shown_with_those_that_it_holds() {
        let fleet = |answers: Option<bool>| {
            let fleet = serde_json::json!({
                "devices": 26, "models": [], "versions": [], "ends": {},
                "transports": {"http": 26, "https": 0}, "seen": {"hour": 1, "day": 2, "week": 3},
                "held": {"not_activated": 21, "updates_off": 1},
                "upstream": {"address": "http://127.0.0.1:8002/xiaozhi/ota/", "answers": answers, "why": null},
            });
            let fleet: Fleet = serde_json::from_value(fleet).unwrap();
            [Lang::En, Lang::Zh].map(|lang| fleet.in_words(&[], &times(), lang))
        };
        let at = "upstream http://127.0.0.1:8002/xiaozhi/ota/: ";
        for (answers, en, zh) in [
            (None, "not asked yet", "还没有"),
            (Some(true), "it answers\n", "应答正常"),
            (Some(false), "it does not answer (upstream.down", "没有应答"),
        ] {
            let [ours, theirs] = fleet(answers);
            assert!(ours.contains(&format!("{at}{en}")), "{ours}");
            assert!(theirs.contains(zh), "{theirs}");
            let held =
                "held back by what the upstream says: not activated 21, automatic updates off 1\n";
            assert!(ours.contains(held), "{ours}");
        }
    }

    #[test]
    fn an_empty_fleet_is_told_what_to_do() {
        let fleet = Fleet::default();
        let text = fleet.in_words(&[], &times(), Lang::En);
        assert!(text.contains("OTA address"), "{text}");
    }
}
