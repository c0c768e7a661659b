//! `/devices/{mac}`: all that is known of a device, and why each file would or would not go to
//! it now.

use super::layout::Tab;
use super::reader::Reader;
use super::show::{self, device_path, of_path, short, stranger};
use super::words::words;
use crate::admin::parts::Sources;
use crate::admin::reply::Refusal;
use crate::admin::standing::{self, FailedImage, Ordered, StandingOrders};
use crate::admin::time::rfc3339;
use crate::event::kinds::{WITHHELD_FAILED, WITHHELD_TOO_MUCH_FAILED};
use crate::event::text::Text;
use crate::fleet::{DeviceId, Fate, Offer, OfferEnd, Prospect, Record};
use crate::util::fate::{Facts, end_of, short as end_words};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};
use std::time::{SystemTime, UNIX_EPOCH};
use xiaozhi_device::hex;

words! {
    REPORTED = "设备报告的情况", "What it reported";
    BOARD = "板子", "Board";
    CHIP = "芯片", "Chip";
    RUNS = "运行版本", "Runs";
    LAST_SEEN = "最近签到", "Last seen";
    FIRST_SEEN = "首次签到", "First seen";
    BOOTS = "启动次数", "Boots seen";
    COMES = "连接", "Comes";
    FROM = "来自", "from";
    CLIENT = "客户端 ID", "Client id";
    ANSWER = "最近答复", "Last answer";
    NOW = "各固件文件现在会不会给它", "Why each file would or would not go to it now";
    NOW_ABOUT = "假设它现在以上次的报告签到，按本服务器的判断", "As this server decides, if the device checked in now as it did last";
    NO_FILES = "固件目录里没有可以下发的文件", "No file in the firmware folder can be offered";
    OTHER_FILES = "其他型号的文件", "Files of other models";
    TO_FIRMWARE = "打开固件页", "Open the page of firmware";
    FILE = "文件", "File";
    WOULD = "会不会", "Now";
    WHY = "原因", "Why";
    GETS = "会得到", "gets it";
    RUNS_IT = "正在运行", "runs it";
    STAYS = "不会", "does not get it";
    NOT_FOR_IT = "不是给它的", "not for it";
    OFFERS = "给它下发过的固件", "Its offers";
    OFFERS_ABOUT = "最近的在前；只保留最近几次", "The newest first; the last few are kept";
    NO_OFFERS = "没有给它下发过固件", "It was offered nothing yet";
    WHEN = "时间", "When";
    VERSION = "版本", "Version";
    END = "结果", "End";
    FAILED = "在它上面失败过的固件", "What failed on it";
    FAILED_ABOUT = "失败两次的固件不再提供给它，直到文件改变或重试", "What failed twice is offered to it no more, until the file changes or it is tried again";
    TIMES = "次数", "Times";
    THEN = "之后", "From now on";
    GIVEN_UP = "不再提供给它", "is offered to it no more";
    ONCE_MORE = "下次签到时会再给它一次", "is offered to it once more at its next check-in";
    NOT_NOW = "现在不会给它，原因见下面的表格", "is not offered to it now: why stands below";
    NO_FILE = "已不在固件目录中，不会给它", "is in the firmware folder no more, and not offered";
    OLDER = "以前下发过的一个固件", "an image of before";
    ORDERED = "已安排", "Ordered";
    AGAIN = "再试一次，下次签到（设备重启）时给它：", "another try, at its next check-in, which is at its next boot:";
    ALL_FAILED = "所有失败过的固件", "all that failed";
    TRY_AGAIN = "再试一次", "Try again";
    TRY_ALL = "全部再试一次", "Try all of it again";
    FORGET = "忘记这台设备…", "Forget this device…";
}

/// Things that are known of a device.
struct View {
    id: DeviceId,
    record: Record,
    failed: Vec<FailedImage>,
    ordered: Vec<Ordered>,
    prospects: Vec<Prospect>,
}

/// Shows a device.
pub(super) async fn device(
    State(sources): State<Sources>,
    reader: Reader,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let id = of_path(id)?;
    let view = sources.single(move |source| {
        let record = source.fleet().find(&id)?;
        let orders = StandingOrders::of(source.acts());
        Some(View {
            failed: standing::failed(&record),
            ordered: orders.waiting(&id, &record),
            prospects: source.prospects(&record),
            record,
            id,
        })
    });
    let view = view.await?.ok_or(Refusal::NoDevice)?;
    let now = (sources.clock)();
    let body = html! {
        div id="device" data-live {
            (view.facts(&reader, now))
            (view.failures(&reader))
            (view.offers(&reader))
            (view.files(&reader))
        }
        @if reader.may_operate() {
            p { a.button.second href={ (device_path(&view.id)) "/forget" } { (reader.say(FORGET)) } }
        }
    };
    let title = crate::util::terminal::one_line(&view.id.to_string());
    Ok(reader.page(Some(Tab::Devices), &title, &body))
}

fn millis(time: SystemTime) -> u64 {
    let age = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
}

impl View {
    fn facts(&self, reader: &Reader, now: SystemTime) -> Markup {
        let record = &self.record;
        let (profile, build, lang) = (&record.profile, &record.build, reader.lang);
        let (device, client) = (self.id.to_string(), record.client.to_string());
        let hash = build.elf_sha256.map(|hash| hex::encode(&hash));
        let facts = Facts {
            device: &device,
            board: profile.board_name.as_deref().or(profile.named()),
            board_type: profile.board_type.as_deref(),
            chip: profile.chip_name.as_deref(),
            revision: profile.chip_revision,
            flash: profile.flash_size,
            version: Some(build.version()),
            slot: build.slot.as_deref(),
            elf_sha256: hash.as_deref(),
            times: self.failed.iter().map(|failed| failed.times.into()).max(),
        };
        let why = record.why.map(|kind| kind.id);
        let words = why.map(|id| facts.why(id, lang));
        let text = |text: Option<String>| text.map(|text| stranger(&text));
        let scheme = if record.is_secure { "https" } else { "http" };
        let address = record
            .address(millis(now))
            .map(|address| address.to_string());
        let rows = [
            (BOARD, text(facts.board(lang))),
            (CHIP, text(facts.chip(lang))),
            (RUNS, text(facts.build(lang))),
            (LAST_SEEN, Some(reader.time(record.last_seen))),
            (FIRST_SEEN, Some(reader.time(record.first_seen))),
            (BOOTS, Some(html! { (record.boots) })),
            (
                COMES,
                Some(html! {
                    (scheme)
                    @if let Some(address) = address { " " (reader.say(FROM)) " " bdi.mono { (address) } }
                }),
            ),
            (CLIENT, (!client.is_empty()).then(|| stranger(&client))),
            (
                ANSWER,
                words.map(|words| {
                    html! {
                        (stranger(&words))
                        @if let Some(id) = why { " " code.soft { (id) } }
                    }
                }),
            ),
        ];
        html! {
            section aria-labelledby="reported" {
                h2 id="reported" { (reader.say(REPORTED)) }
                dl.facts {
                    @for (name, value) in rows {
                        @if let Some(value) = value { dt { (reader.say(name)) } dd { (value) } }
                    }
                    @for order in &self.ordered {
                        dt { (reader.say(ORDERED)) }
                        dd { (ordered(reader, order)) }
                    }
                }
            }
        }
    }

    fn failures(&self, reader: &Reader) -> Markup {
        let given_up = self
            .failed
            .iter()
            .filter(|failed| is_given_up(failed))
            .count();
        html! {
            @if !self.failed.is_empty() {
                section aria-labelledby="failed" {
                    h2 id="failed" { (reader.say(FAILED)) }
                    (table(reader, FAILED_ABOUT, &[FILE, VERSION, TIMES, THEN], &html! {
                        @for failed in &self.failed { (self.failure(reader, failed)) }
                    }))
                    @if given_up > 1 { (self.retry(reader, None, TRY_ALL)) }
                }
            }
        }
    }

    fn failure(&self, reader: &Reader, failed: &FailedImage) -> Markup {
        html! {
            tr {
                td.name {
                    @match &failed.file {
                        Some(file) => (short(file)),
                        None => (reader.say(OLDER)),
                    }
                }
                td { @if let Some(version) = &failed.version { (short(version)) } }
                td.n { (failed.times) }
                td {
                    @if is_given_up(failed) {
                        (reader.say(GIVEN_UP)) " "
                        (self.retry(reader, failed.file.as_deref(), TRY_AGAIN))
                    } @else {
                        // Another version may be pinned, or a higher one go out.
                        @match self.fate(failed) {
                            Some(Fate::Gets(_)) => (reader.say(ONCE_MORE)),
                            Some(_) => a href="#now" { (reader.say(NOT_NOW)) },
                            None => (reader.say(NO_FILE)),
                        }
                    }
                }
            }
        }
    }

    /// Returns what would become of an image that failed, if it is in the folder.
    fn fate(&self, failed: &FailedImage) -> Option<&Fate> {
        let is_it = |one: &&Prospect| hex::encode(&one.content.0) == failed.content;
        let all = self.prospects.iter().filter(is_it);
        // Under several names one of them may be offered.
        all.map(|one| &one.fate)
            .max_by_key(|fate| matches!(fate, Fate::Gets(_)))
    }

    fn offers(&self, reader: &Reader) -> Markup {
        let offers = self
            .record
            .history
            .iter()
            .flat_map(|history| &history.offers);
        let offers: Vec<_> = offers.rev().collect();
        html! {
            section aria-labelledby="offers" {
                h2 id="offers" { (reader.say(OFFERS)) }
                @if offers.is_empty() {
                    p.soft { (reader.say(NO_OFFERS)) }
                } @else {
                    (table(reader, OFFERS_ABOUT, &[WHEN, FILE, VERSION, END], &html! {
                        @for offer in offers { (offered(reader, offer)) }
                    }))
                }
            }
        }
    }

    /// Shows what would become of each file, those of other models apart.
    fn files(&self, reader: &Reader) -> Markup {
        let is_other = |one: &&Prospect| matches!(one.fate, Fate::None(_));
        let (others, own): (Vec<_>, Vec<_>) = self.prospects.iter().partition(is_other);
        let rows = |about: Text, prospects: &[&Prospect]| {
            let head = [FILE, WOULD, WHY];
            table(
                reader,
                about,
                &head,
                &html! {
                    @for one in prospects { (self.file(reader, one)) }
                },
            )
        };
        html! {
            section aria-labelledby="now" {
                h2 id="now" { (reader.say(NOW)) }
                @if self.prospects.is_empty() {
                    p.soft { (reader.say(NO_FILES)) }
                    p { a href="/firmware" { (reader.say(TO_FIRMWARE)) } }
                }
                @if !own.is_empty() { (rows(NOW_ABOUT, &own)) }
                @if !others.is_empty() {
                    // Where nothing is for it, that is what somebody looks for.
                    details id="others" open[own.is_empty()] {
                        summary { (reader.say(OTHER_FILES)) " (" (others.len()) ")" }
                        (rows(OTHER_FILES, &others))
                    }
                }
            }
        }
    }

    fn file(&self, reader: &Reader, one: &Prospect) -> Markup {
        let (class, words) = match one.fate {
            Fate::Gets(_) => ("good", GETS),
            Fate::Runs(_) => ("good", RUNS_IT),
            Fate::Stays(_) => ("warn", STAYS),
            Fate::None(_) => ("soft", NOT_FOR_IT),
        };
        let why = one.fate.why().clone().of("device", self.id.to_string());
        html! {
            tr {
                td.name { (short(&one.file)) }
                td.nowrap { span class=(class) { (reader.say(words)) } }
                td.text {
                    (stranger(&why.advice(reader.lang))) " " code.soft { (why.kind.id) }
                    // What was forced in vain is in no list of failures.
                    @if *why.kind == WITHHELD_FAILED && !self.failed.iter().any(is_given_up) {
                        " " (self.retry(reader, Some(&one.file), TRY_AGAIN))
                    } @else if *why.kind == WITHHELD_TOO_MUCH_FAILED {
                        " " (self.retry(reader, None, TRY_ALL))
                    }
                }
            }
        }
    }

    /// Returns the button for another try; nothing for whoever may look only.
    fn retry(&self, reader: &Reader, file: Option<&str>, words: Text) -> Markup {
        html! {
            @if reader.may_operate() {
                form.inline method="post" action={ (device_path(&self.id)) "/retry" } {
                    (reader.csrf())
                    @if let Some(file) = file { input type="hidden" name="file" value=(file); }
                    button.second type="submit" { (reader.say(words)) }
                }
            }
        }
    }
}

fn is_given_up(failed: &FailedImage) -> bool {
    failed.given_up
}

fn ordered(reader: &Reader, order: &Ordered) -> Markup {
    html! {
        time datetime=(order.at) { (reader.times.short(&order.at)) } " "
        (reader.say(AGAIN)) " "
        @match &order.file {
            Some(file) => (short(file)),
            None => (reader.say(ALL_FAILED)),
        }
    }
}

fn offered(reader: &Reader, offer: &Offer) -> Markup {
    let (at, key) = (rfc3339(offer.at), offer.end.key());
    let class = match offer.end {
        OfferEnd::Succeeded => "good",
        end if end.is_failure() => "bad",
        _ => "plain",
    };
    html! {
        tr {
            td.nowrap { time datetime=(at) { (reader.times.short(&at)) } }
            td.name { (short(&offer.image.file)) }
            td { (short(&offer.image.version)) }
            td.text {
                strong class=(class) { (end_words(key, reader.lang)) }
                @if let Some(end) = end_of(key) { br; span.small { (reader.say(end.long)) } }
            }
        }
    }
}

fn table(reader: &Reader, about: Text, head: &[Text], rows: &Markup) -> Markup {
    let head = html! {
        @for name in head {
            th scope="col" class=[(*name == TIMES).then_some("n")] { (reader.say(*name)) }
        }
    };
    show::table(reader.say(about), &head, rows)
}
