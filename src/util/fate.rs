//! Fate of devices and their offers, in words for people: how an offer ended, what a device was
//! answered and why. Commands and pages say the same by this. What a device sent is hostile:
//! nothing of it is returned before it went through [`plain`].

use super::terminal::one_line;
use crate::event::text::{Lang, Text};
use crate::event::{Event, Kind, Value, kinds, redacted};
use std::borrow::Cow;

/// Words for an end of an offer.
pub(crate) struct End {
    /// Its name in the API.
    pub(crate) key: &'static str,
    /// Words for a table.
    pub(crate) short: Text,
    /// Meaning of it, in a sentence.
    pub(crate) long: Text,
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
pub(crate) static ENDS: [End; 8] = [
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
pub(crate) fn end_of(key: &str) -> Option<&'static End> {
    ENDS.iter().find(|end| end.key == key)
}

/// Tells whether an end is a failure of the image.
pub(crate) fn is_failure(key: &str) -> bool {
    ["rolled-back", "silent"].contains(&key)
}

/// Returns the short words for an end.
pub(crate) fn short(key: &str, lang: Lang) -> Cow<'_, str> {
    end_of(key).map_or_else(
        || plain(key).into(),
        |end| Cow::Borrowed(end.short.to(lang)),
    )
}

/// Returns the same of an image that failed so often that the device gets it no more.
pub(crate) fn given_up(key: &str, lang: Lang) -> String {
    let short = short(key, lang);
    lang.pick(format!("{short}，不再提供"), format!("{short}, given up"))
}

/// Returns what a device was answered last, in a few words: with the reason where something
/// is withheld, as its event's id has it.
pub(crate) fn answer(why: Option<&str>, lang: Lang) -> Cow<'_, str> {
    match why {
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

/// Facts of a device, as far as they are known: what it reported, and what failed on it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Facts<'a> {
    /// Its id.
    pub(crate) device: &'a str,
    /// Name of its board.
    pub(crate) board: Option<&'a str>,
    /// Type of its board.
    pub(crate) board_type: Option<&'a str>,
    /// Name of its chip.
    pub(crate) chip: Option<&'a str>,
    /// Revision of its chip: 100 * major + minor.
    pub(crate) revision: Option<u64>,
    /// Size of its flash, in bytes.
    pub(crate) flash: Option<u64>,
    /// Version that it runs.
    pub(crate) version: Option<&'a str>,
    /// Label of the slot from which it runs.
    pub(crate) slot: Option<&'a str>,
    /// ELF hash of what it runs, in hex.
    pub(crate) elf_sha256: Option<&'a str>,
    /// Number of times that the image failed which failed most often.
    pub(crate) times: Option<u64>,
}

impl Facts<'_> {
    /// Returns why it gets what it gets, from the id of its last answer, in the words of the
    /// event that says so.
    pub(crate) fn why(&self, id: &str, lang: Lang) -> String {
        match id {
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
        }
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
        let text = |text: Option<&str>| text.map(|text| Value::from(plain(text)));
        match name {
            "device" => Some(Value::from(self.device)),
            "chip" => text(self.chip),
            "version" => text(self.version),
            "has" => self.revision.map(|revision| Value::from(written(revision))),
            "times" => self.times.map(Value::from),
            _ => None,
        }
    }

    /// Returns its board: the name, and the type where that is another.
    pub(crate) fn board(&self, lang: Lang) -> Option<String> {
        Some(match (self.board.map(plain), self.board_type.map(plain)) {
            (Some(name), Some(kind)) if name != kind => lang.pick(
                format!("{name}（类型 {kind}）"),
                format!("{name} (type {kind})"),
            ),
            (Some(name), _) => name,
            (None, kind) => kind?,
        })
    }

    /// Returns its chip, with revision and flash.
    pub(crate) fn chip(&self, lang: Lang) -> Option<String> {
        let revision = self.revision.map(written);
        let flash = self.flash.map(|flash| {
            let megabytes = flash >> 20;
            lang.pick(
                format!("{megabytes} MB 闪存"),
                format!("{megabytes} MB of flash"),
            )
        });
        let parts = [self.chip.map(plain), revision, flash];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(lang.pick("，", ", ")))
    }

    /// Returns what it runs: version, slot, begin of the ELF hash.
    pub(crate) fn build(&self, lang: Lang) -> Option<String> {
        let version = plain(self.version?);
        let slot = self
            .slot
            .map(plain)
            .map(|slot| lang.pick(format!("分区 {slot}"), format!("from the slot {slot}")));
        let hash = self.elf_sha256.map(|hash| {
            let begin = plain(hash.get(..8).unwrap_or(hash));
            format!("ELF {begin}…")
        });
        let parts = [Some(version), slot, hash];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        Some(parts.join(lang.pick("，", ", ")))
    }
}

/// Returns the revision of a chip as Espressif writes it; it is reported as 100 * major +
/// minor.
fn written(revision: u64) -> String {
    format!("v{}.{}", revision / 100, revision % 100)
}

/// Returns a stranger's text as a part of one line, without what may be secret in it.
pub(crate) fn plain(text: &str) -> String {
    one_line(&redacted(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_said_in_a_line_and_what_is_not_known_is_left_out() {
        let facts = Facts {
            device: "02:00:00:00:00:01",
            board: Some("a\u{202e}b"),
            board_type: Some("c"),
            chip: Some("esp32s3"),
            revision: Some(102),
            flash: Some(16 << 20),
            version: Some("1.6.0"),
            slot: Some("ota_0"),
            elf_sha256: Some("0123456789abcdef"),
            times: None,
        };
        let said = |facts: &Facts<'_>, lang| {
            [facts.board(lang), facts.chip(lang), facts.build(lang)].map(Option::unwrap_or_default)
        };
        let english = [
            "a\\u{202e}b (type c)",
            "esp32s3, v1.2, 16 MB of flash",
            "1.6.0, from the slot ota_0, ELF 01234567…",
        ];
        assert_eq!(said(&facts, Lang::En), english);
        assert!(
            said(&facts, Lang::Zh)
                .iter()
                .all(|said| !said.contains('{') || said.contains("\\u{"))
        );
        assert_eq!(said(&Facts::default(), Lang::En), ["", "", ""]);
    }

    #[test]
    fn every_end_and_answer_has_words() {
        for lang in [Lang::Zh, Lang::En] {
            for end in &ENDS {
                assert_eq!(short(end.key, lang), end.short.to(lang));
                assert!(given_up(end.key, lang).starts_with(end.short.to(lang)));
                assert!(!end.long.to(lang).is_empty());
            }
            assert_eq!(short("new\u{7}", lang), "new\\u{7}");
            for why in [
                None,
                Some("offer"),
                Some("up-to-date"),
                Some("withheld.chip"),
                Some("new.one"),
            ] {
                assert!(!answer(why, lang).is_empty(), "{why:?}");
            }
        }
        let failures = ENDS.iter().filter(|end| is_failure(end.key));
        assert_eq!(failures.count(), 2);
    }
}
