//! A device as the API has it, in words for people. What a device sent is hostile: nothing of
//! it is shown before it went through [`plain`].

use crate::event::text::{Lang, Text};
use crate::event::{Event, Kind, Value, kinds, shell};
use crate::util::terminal::{columns, one_line};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::borrow::Cow;
use unicode_width::UnicodeWidthChar as _;
use xiaozhi_device::redact;

/// A device, as the API has it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Device {
    pub(super) mac: String,
    pub(super) client_id: Option<String>,
    #[serde(default)]
    pub(super) board: Board,
    pub(super) chip: Option<String>,
    pub(super) revision: Option<u64>,
    pub(super) flash: Option<u64>,
    pub(super) version: Option<String>,
    pub(super) elf_sha256: Option<String>,
    pub(super) slot: Option<String>,
    pub(super) first_seen: String,
    pub(super) last_seen: String,
    pub(super) address: Option<String>,
    pub(super) transport: String,
    pub(super) boots: u64,
    pub(super) why: Option<String>,
    pub(super) offers: Vec<Offer>,
    // An older server does not tell it.
    #[serde(default)]
    pub(super) failed: Vec<Failed>,
    #[serde(default)]
    pub(super) ordered: Vec<Ordered>,
}

/// Image that failed on a device.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Failed {
    pub(super) file: Option<String>,
    pub(super) times: u64,
    /// True where the device gets it no more.
    #[serde(default)]
    pub(super) given_up: bool,
}

/// Order to try again that the device has not followed yet.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Ordered {
    pub(super) file: Option<String>,
    pub(super) at: String,
}

/// Board of a device.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Board {
    pub(super) name: Option<String>,
    pub(super) r#type: Option<String>,
}

/// Offer to a device.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Offer {
    pub(super) file: String,
    pub(super) version: String,
    pub(super) end: String,
    pub(super) at: String,
}

/// A page of devices.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) devices: Vec<Device>,
    pub(super) next: Option<String>,
}

/// Words for an end of an offer.
pub(super) struct End {
    /// Its name in the API.
    pub(super) key: &'static str,
    /// Words for a table.
    pub(super) short: Text,
    /// Meaning of it, in a sentence.
    pub(super) long: Text,
}

const fn end(
    key: &'static str,
    zh: &'static str,
    en: &'static str,
    long_zh: &'static str,
    long_en: &'static str,
) -> End {
    End {
        key,
        short: Text::new(zh, en),
        long: Text::new(long_zh, long_en),
    }
}

/// Every end of an offer, failures first.
pub(super) static ENDS: [End; 8] = [
    end(
        "rolled-back",
        "已回退",
        "rolled back",
        "新固件未能运行，设备退回了原来的版本",
        "the new image did not run, and the device went back to what it ran before",
    ),
    end(
        "silent",
        "失联",
        "silent",
        "取走固件后没有按时回来：新固件可能无法启动，或被引导程序拒绝，或设备已断电",
        "it fetched the image and did not come back in time: the image may not start, the boot loader refused it, or the device is off",
    ),
    end(
        "interrupted",
        "未下载完",
        "interrupted",
        "没有下载，或没有下载完整，与固件无关；下次签到时再给它",
        "it was not fetched, or not whole, which says nothing of the image; it is offered again at the next check-in",
    ),
    end(
        "offered",
        "已下发",
        "offered",
        "已告知设备，尚未开始下载",
        "the device was told of it, and has not begun to fetch it",
    ),
    end(
        "fetching",
        "下载中",
        "fetching",
        "正在下载",
        "it is being fetched",
    ),
    end(
        "fetched",
        "已下载",
        "fetched",
        "已下载完整，等待设备重启后签到",
        "it was fetched whole; the device's check-in after its restart is awaited",
    ),
    end(
        "superseded",
        "已被取代",
        "superseded",
        "下载之前又有别的固件下发给它",
        "another file was offered before this one was fetched",
    ),
    end(
        "succeeded",
        "成功",
        "succeeded",
        "设备已在运行它",
        "the device runs it",
    ),
];

/// Returns the words for an end; none for one that this version does not know.
pub(super) fn end_of(key: &str) -> Option<&'static End> {
    ENDS.iter().find(|end| end.key == key)
}

/// Tells whether an end is a failure of the image.
pub(super) fn is_failure(key: &str) -> bool {
    ["rolled-back", "silent"].contains(&key)
}

impl Offer {
    /// Returns the short words of its end.
    pub(super) fn short(&self, lang: Lang) -> Cow<'_, str> {
        end_of(&self.end).map_or_else(
            || plain(&self.end).into(),
            |end| Cow::Borrowed(end.short.to(lang)),
        )
    }
}

impl Device {
    /// Returns the name of its board, as far as it is known.
    pub(super) fn named(&self) -> &str {
        let board = &self.board;
        let name = board.name.as_deref().or(board.r#type.as_deref());
        name.unwrap_or("-")
    }

    /// Returns its newest offer.
    pub(super) fn newest(&self) -> Option<&Offer> {
        self.offers.first()
    }

    /// Tells whether its newest offer is of a file that it gets no more.
    pub(super) fn is_given_up(&self) -> bool {
        let newest = self.newest().map(|offer| &offer.file);
        let mut failed = self.failed.iter().filter(|failed| failed.given_up);
        failed.any(|failed| failed.file.as_ref() == newest)
    }

    /// Returns the end of its newest offer in a few words.
    pub(super) fn end(&self, lang: Lang) -> Cow<'_, str> {
        match self.newest() {
            None => "-".into(),
            Some(offer) if self.is_given_up() => lang
                .pick(
                    format!("{}，不再提供", offer.short(lang)),
                    format!("{}, given up", offer.short(lang)),
                )
                .into(),
            Some(offer) => offer.short(lang),
        }
    }

    /// Returns its id as a word of a command.
    pub(super) fn word(&self) -> String {
        shell::quoted(&self.mac).into_owned()
    }

    /// Returns what it was answered last, in a few words: with the reason where something is
    /// withheld, as its event's id has it.
    pub(super) fn answer(&self, lang: Lang) -> Cow<'_, str> {
        match self.why.as_deref() {
            None => "-".into(),
            Some("offer") => lang.pick("已下发", "offered").into(),
            Some("up-to-date") => lang.pick("最新", "up to date").into(),
            Some(id) => match id.strip_prefix("withheld.").map(plain) {
                Some(why) => lang
                    .pick(format!("不提供：{why}"), format!("held back: {why}"))
                    .into(),
                None => plain(id).into(),
            },
        }
    }

    /// Returns why it gets what it gets, in the words of the event that says so.
    pub(super) fn why(&self, lang: Lang) -> Option<String> {
        let id = self.why.as_deref()?;
        Some(match id {
            "offer" => lang
                .pick(
                    "最近一次签到时给它下发了固件，结果见下面最近的一条",
                    "it was offered an image at its last check-in; what became of that stands below",
                )
                .to_owned(),
            "up-to-date" => lang
                .pick(
                    "已是最新：没有更新的固件给它",
                    "it is up to date: there is no newer file for it",
                )
                .to_owned(),
            id => match kinds::all().find(|kind| kind.id == id) {
                // What may be secret is taken out of its fields: of the whole, a MAC address in a
                // command would be taken for a password.
                Some(kind) => one_line(&self.event(kind).message(lang)),
                // A newer server's.
                None => plain(id),
            },
        })
    }

    /// Returns the event of a reason, with its fields as far as they are known here.
    fn event(&self, kind: &'static Kind) -> Event {
        let fields = kind.fields.iter().filter_map(|name| {
            let needed = (!name.contains('?')).then(|| Value::from("…"));
            let name = name.trim_end_matches(['?', '~']);
            Some((name, self.field(name).or(needed)?))
        });
        Event::new(kind, fields.collect())
    }

    fn field(&self, name: &str) -> Option<Value> {
        let text = |text: &Option<String>| text.as_deref().map(|text| Value::from(plain(text)));
        match name {
            "device" => Some(Value::from(&self.mac)),
            "chip" => text(&self.chip),
            "version" => text(&self.version),
            "has" => self.revision.map(|revision| Value::from(written(revision))),
            "times" => {
                let most = self.failed.iter().map(|failed| failed.times).max();
                if let Some(times) = most {
                    return Some(Value::from(times));
                }
                let failed = |offer: &&Offer| is_failure(&offer.end);
                let file = &self.offers.iter().find(failed)?.file;
                let same = self.offers.iter().filter(|offer| offer.file == *file);
                Some(Value::from(same.filter(failed).count()))
            }
            _ => None,
        }
    }
}

/// Returns the revision of a chip as Espressif writes it; it is reported as 100 * major +
/// minor.
pub(super) fn written(revision: u64) -> String {
    format!("v{}.{}", revision / 100, revision % 100)
}

/// Returns a stranger's text as a part of one line, without what may be secret in it.
pub(super) fn plain(text: &str) -> String {
    one_line(&redact::shown(text))
}

/// Returns a stranger's text for a table, cut to so many columns.
pub(super) fn cell(text: &str, most: usize) -> String {
    cut(plain(text), most)
}

/// Returns the name of a device or a file for a table, which people type as it is: nothing
/// of it is taken for a secret.
pub(super) fn name_cell(text: &str, most: usize) -> String {
    cut(one_line(text), most)
}

fn cut(mut shown: String, most: usize) -> String {
    if columns(&shown) <= most {
        return shown;
    }
    let (mut width, mut end) = (0, 0);
    for (at, c) in shown.char_indices() {
        width += c.width().unwrap_or(0);
        if width >= most {
            break;
        }
        end = at + c.len_utf8();
    }
    shown.truncate(end);
    shown.push('…');
    shown
}

/// Returns the cells of a table in columns, a row a line, behind so many blanks.
pub(super) fn table(rows: &[Vec<String>], widths: &[usize], indent: usize) -> String {
    let mut text = String::new();
    for row in rows {
        let start = text.len();
        text.extend(std::iter::repeat_n(' ', indent));
        for (at, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if at + 1 < row.len() {
                let width = widths.get(at).copied().unwrap_or(0);
                let blanks = width.saturating_sub(columns(cell)) + 2;
                text.extend(std::iter::repeat_n(' ', blanks));
            }
        }
        let end = text.trim_end_matches(' ').len().max(start);
        text.truncate(end);
        text.push('\n');
    }
    text
}

/// Returns the width of each column of a table.
pub(super) fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths = Vec::new();
    for row in rows {
        widths.resize(row.len().max(widths.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = columns(cell).max(*width);
        }
    }
    widths
}

/// Times for people, in the zone of this machine.
#[derive(Debug)]
pub(super) struct Times {
    pub(super) zone: TimeZone,
    pub(super) now: Timestamp,
}

impl Times {
    /// Returns those of this moment, here.
    pub(super) fn here() -> Self {
        Self {
            zone: TimeZone::system(),
            now: Timestamp::now(),
        }
    }

    /// Returns a time to the minute, without a year where it is this one.
    pub(super) fn short(&self, time: &str) -> String {
        let Ok(time) = time.parse::<Timestamp>() else {
            return plain(time);
        };
        let time = time.to_zoned(self.zone.clone());
        let this_year = self.now.to_zoned(self.zone.clone()).year();
        let format = if time.year() == this_year {
            "%m-%d %H:%M"
        } else {
            "%Y-%m-%d"
        };
        time.strftime(format).to_string()
    }

    /// Returns a time to the second, with its zone, and how long ago that was.
    pub(super) fn long(&self, time: &str, lang: Lang) -> String {
        let Ok(time) = time.parse::<Timestamp>() else {
            return plain(time);
        };
        let shown = time.to_zoned(self.zone.clone());
        let shown = shown.strftime("%Y-%m-%d %H:%M:%S %:z");
        let seconds = self.now.duration_since(time).as_secs();
        let ago = |count: i64, zh: &str, en: &str| {
            lang.pick(format!("{count} {zh}前"), format!("{count} {en} ago"))
        };
        let age = match seconds {
            ..60 => lang.pick("刚刚", "just now").to_owned(),
            60..3600 => ago(seconds / 60, "分钟", "min"),
            3600..172_800 => ago(seconds / 3600, "小时", "h"),
            _ => ago(seconds / 86_400, "天", "days"),
        };
        lang.pick(format!("{shown}（{age}）"), format!("{shown} ({age})"))
    }
}

#[cfg(test)]
mod tests;
