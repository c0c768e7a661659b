//! `/devices/{mac}`: all that is known of a device, and why each file would or would not go to
//! it now.

use super::layout::Tab;
use super::reader::Reader;
use super::show::{self, device_path, devices_path, message, of_path, short, stranger};
use super::words::words;
use crate::admin::parts::Sources;
use crate::admin::reply::Refusal;
use crate::admin::standing::{self, FailedImage, Ordered, StandingOrders};
use crate::admin::time::rfc3339;
use crate::event::kinds::{self, WITHHELD_FAILED, WITHHELD_TOO_MUCH_FAILED};
use crate::event::text::{Lang, Text};
use crate::event::{Value, event};
use crate::fleet::{DeviceId, Fate, Offer, OfferEnd, Prospect, Record};
use crate::util::fate::{self, Facts, end_of, plain, short as end_words};
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
    COMES = "连接", "Connects";
    FROM = "来自", "from";
    CLIENT = "客户端 ID", "Client id";
    ANSWER = "最近答复", "Last answer";
    NOW = "各固件文件现在是否下发给它", "Would it get each file now, and why";
    NOW_ABOUT = "假设它现在以上次的报告签到，按本服务器的判断", "What this server would decide if the device checked in now as it did last";
    NO_FILES = "固件目录里没有可以下发的文件", "No file in the firmware folder can be offered";
    OTHER_FILES = "其他型号的文件", "Files of other models";
    TO_FIRMWARE = "打开固件页", "Open the page of firmware";
    FILE = "文件", "File";
    WOULD = "是否下发", "Now";
    WHY = "原因", "Why";
    GETS = "下发", "gets it";
    RUNS_IT = "正在运行", "runs it";
    STAYS = "不下发", "does not get it";
    NOT_FOR_IT = "不是给它的", "not for it";
    OFFERS = "升级记录", "Update history";
    OFFERS_ABOUT = "最近的在前；只保留最近几次", "Newest first; only the last few are kept";
    NO_OFFERS = "还没有给它下发过固件", "No update was offered to it yet";
    WHEN = "下发时间", "Offered";
    VERSION = "版本", "Version";
    END = "结果", "Result";
    FAILED = "升级失败的固件", "Failed firmware";
    FAILED_ABOUT = "失败两次的固件不再提供给它，直到文件改变或重试", "A file that failed twice is not offered again, until it changes or you let the device try again";
    TIMES = "失败次数", "Failed";
    THEN = "之后", "From now on";
    GIVEN_UP = "不再提供给它", "not offered to it any more";
    ONCE_MORE = "下次签到时会再给它一次", "offered once more at its next check-in";
    NOT_NOW = "现在不下发给它，原因见下面的表格", "not offered now: the table below says why";
    NO_FILE = "文件已不在固件目录中", "the file is gone";
    OLDER = "以前下发过的一个固件", "an earlier file";
    ORDERED = "已安排", "Ordered";
    AGAIN = "设备下次启动时再试一次：", "another try at its next boot:";
    ALL_FAILED = "所有失败过的固件", "all that failed";
    FAILED_HERE = "在这台设备上失败过", "failed here";
    ON_OTHERS = "同样失败的设备", "Devices on which it failed the same way";
    NO_FIRMWARE = "这里没有适合该型号的固件：", "There is no firmware here for the model";
    NO_FIRMWARE_NOW = "没有下发：这里没有适合该型号的固件", "nothing was offered: there is no firmware here for its model";
    PUBLISH = "发布固件", "Publish firmware";
    TRY_AGAIN = "再试一次", "Try again";
    TRY_ALL = "全部再试一次", "Try all again";
    FORGET = "删除设备记录…", "Forget this device…";
}

/// Things that are known of a device.
struct View {
    id: DeviceId,
    record: Record,
    failed: Vec<FailedImage>,
    ordered: Vec<Ordered>,
    prospects: Vec<Prospect>,
    /// False where no file here is for a device of its models.
    has_files: bool,
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
            has_files: source.has_files(&[&record.profile]) != [false],
            record,
            id,
        })
    });
    let view = view.await?.ok_or(Refusal::NoDevice)?;
    let now = (sources.clock)();
    let body = html! {
        div id="device" data-live {
            (view.advice(&reader))
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
    /// Says on top what is wrong, and what to do about it.
    fn advice(&self, reader: &Reader) -> Markup {
        let newest = self.newest_failure();
        html! {
            @if let Some((offer, failed)) = newest {
                (self.failed_last(reader, offer, failed))
            }
            @if !self.has_files {
                div.hand {
                    p {
                        (reader.say(NO_FIRMWARE)) " "
                        @if let Some(model) = self.record.named() { strong { (short(&plain(model))) } }
                    }
                    p { a href="/firmware" { (reader.say(PUBLISH)) } }
                }
            }
        }
    }

    /// Returns its newest offer, where that failed and nobody has ordered another try since.
    fn newest_failure(&self) -> Option<(&Offer, &FailedImage)> {
        let offer = self.record.history.as_deref()?.offers.last()?;
        let content = hex::encode(&offer.image.content.0);
        let mut failed = self.failed.iter();
        let failed = failed.find(|failed| failed.content == content)?;
        offer.end.is_failure().then_some((offer, failed))
    }

    fn failed_last(&self, reader: &Reader, offer: &Offer, failed: &FailedImage) -> Markup {
        let (file, times) = (&*offer.image.file, failed.times);
        let said = match offer.end {
            OfferEnd::Silent => event!(OFFER_NOT_BACK, file = file, times = times),
            _ => event!(
                OFFER_DID_NOT_RUN,
                file = file,
                times = times,
                runs = self.record.build.version()
            ),
        };
        let on_others = devices_path(&[("file", file), ("end", offer.end.key())]);
        let is_here = self.fate(failed).is_some();
        // It works, and what failed is gone: nothing is left to do.
        let is_over = !is_here && offer.end != OfferEnd::Silent;
        html! {
            div.hand.bad[!is_over] {
                p { @if is_over { (stranger(&said.words(reader.lang))) } @else { (message(&said, reader.lang)) } }
                p {
                    (self.then(reader, failed))
                    " · " a href=(on_others) { (reader.say(ON_OTHERS)) }
                    @if is_here { " · " a href="/firmware" { (reader.say(TO_FIRMWARE)) } }
                }
            }
        }
    }

    /// Says what becomes of an image that failed.
    fn then(&self, reader: &Reader, failed: &FailedImage) -> Markup {
        // Another version may be pinned, or a higher one go out.
        html! {
            @match self.fate(failed) {
                None => (reader.say(NO_FILE)),
                Some(_) if failed.given_up => (reader.say(GIVEN_UP)),
                Some(Fate::Gets(_)) => (reader.say(ONCE_MORE)),
                Some(_) => a href="#now" { (reader.say(NOT_NOW)) },
            }
        }
    }

    /// Returns why it got nothing at its last check-in, in words: those of a file of which the
    /// same holds now, which has all that they name.
    fn answer(&self, facts: &Facts<'_>, id: &'static str, lang: Lang) -> String {
        if id == "up-to-date" && !self.has_files {
            return NO_FIRMWARE_NOW.to(lang).to_owned();
        }
        let same = self.prospects.iter().map(|one| one.fate.why());
        let mut same = same.filter(|why| why.kind.id == id);
        match (same.next(), kinds::all().find(|kind| kind.id == id)) {
            (Some(why), _) => why.words(lang),
            // What is not known would stand there as dots, and what to do stands above.
            (None, Some(kind))
                if kind.remedy.is_some() || kind.fields.iter().any(|name| !name.contains('?')) =>
            {
                fate::answer(Some(id), lang).into_owned()
            }
            (None, _) => facts.why(id, lang),
        }
    }

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
        let words = why.map(|id| self.answer(&facts, id, lang));
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
                    html! { span title=[why] { (stranger(&words)) } }
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
            .filter(|failed| failed.given_up && self.fate(failed).is_some())
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
                    (self.then(reader, failed))
                    // Of what is gone there is nothing to try.
                    @if failed.given_up && self.fate(failed).is_some() {
                        " " (self.retry(reader, failed.file.as_deref(), TRY_AGAIN))
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
        let why = one.fate.why();
        html! {
            tr {
                td.name { (short(&one.file)) }
                td.nowrap { span class=(class) title=(why.kind.id) { (reader.say(words)) } }
                td.text {
                    // What to do there is a button here.
                    @match why.field("times") {
                        Some(Value::Number(times)) if *why.kind == WITHHELD_FAILED => {
                            (reader.say(FAILED_HERE)) " (" (times) "×)"
                        },
                        _ if *why.kind == WITHHELD_TOO_MUCH_FAILED => (stranger(&why.words(reader.lang))),
                        _ => (stranger(&why.advice(reader.lang))),
                    }
                    // What was forced in vain is in no list of failures.
                    @if *why.kind == WITHHELD_FAILED && !self.failed.iter().any(|failed| failed.given_up) {
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
