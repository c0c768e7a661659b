//! Words for the log about files, once the snapshot shows what they say: who reads that an
//! image is ready may ask for it at once.

use super::super::homes;
use super::super::name;
use super::super::signing::{self, ModelImage};
use super::super::snapshot::{Entry, ServedFile};
use super::unusable::Unusable;
use crate::event::text::Text;
use crate::event::{Event, Severity, Value, event};
use crate::util::paths::absolute;
use std::collections::BTreeMap;
use std::mem;
use std::path::Path;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};
use xiaozhi_device::hex::encode;
use xiaozhi_device::image::{AppImage, Verdict};
use xiaozhi_device::project::Projects;

/// Number of warnings of one kind that a start says file by file: whoever has thousands of
/// odd files knows them, and would find nothing else in the log.
const SHOWN: usize = 10;

/// Lines that wait to be said.
#[derive(Debug, Default)]
pub(super) struct News {
    lines: Vec<Event>,
    /// Number of warnings so far, by their kind and that of their reason, and whether one is of a
    /// file that `inspect` leaves out of a folder; `None` once all that lay there was read. What
    /// changes from then on is said, each file of it.
    at_start: Option<BTreeMap<[&'static str; 2], (usize, bool)>>,
}

impl News {
    /// Begins to count.
    pub(super) fn begin(&mut self) {
        self.at_start = Some(BTreeMap::new());
    }

    pub(super) fn push(&mut self, event: Event) {
        if let (Some(count), Some(Value::Text(file))) = (&mut self.at_start, event.field("file"))
            && event.kind.severity == Severity::Warning
        {
            let kind = [event.kind.id, reason(&event).kind.id];
            let (count, has_other) = count.entry(kind).or_default();
            *count += 1;
            *has_other |= !file.ends_with(".bin");
            if *count > SHOWN {
                return;
            }
        }
        self.lines.push(event);
    }

    pub(super) fn extend(&mut self, events: impl IntoIterator<Item = Event>) {
        events.into_iter().for_each(|event| self.push(event));
    }

    /// Returns the lines, which are said now.
    pub(super) fn take(&mut self) -> Vec<Event> {
        mem::take(&mut self.lines)
    }

    /// Says how many were not said of the files of `dir`, for all of them were looked at.
    pub(super) fn end(&mut self, dir: &Path) {
        for ([_, kind], (count, has_other)) in self.at_start.take().into_iter().flatten() {
            if let Some(more) = count.checked_sub(SHOWN).filter(|more| *more > 0) {
                self.lines.push(event!(
                    FILES_MORE,
                    more = more,
                    kind = kind,
                    dir = absolute(dir),
                    others = has_other.then_some("/*"),
                ));
            }
        }
    }
}

/// Returns the reason at the bottom of an event, which is itself where it has none.
fn reason(event: &Event) -> &Event {
    match event.field("why").or_else(|| event.field("what")) {
        Some(Value::Event(why)) => reason(why),
        _ => event,
    }
}

/// Returns what is said of an image that is offered: that it is, and what an operator
/// should know of it. `foreign` says what is no ESP image, `twin` is another file of its model whose version has the same
/// rank, `notes` the file with its release notes.
pub(super) fn ready(
    entry: &Entry,
    foreign: Option<Event>,
    twin: Option<&Entry>,
    notes: Option<String>,
    projects: &Projects,
) -> Vec<Event> {
    let (file, app) = (&entry.file, entry.app.as_deref());
    let mut news = vec![event!(
        FILE_READY,
        file = file,
        model = &entry.model,
        version = entry.version.as_str(),
        chip = app.map(|app| app.chip.to_string()),
        revision = app.and_then(AppImage::revisions),
        project = app.map(|app| &app.project),
        home = app.and_then(homes::named),
        bytes = entry.size(),
        sha256 = encode(&entry.sha256),
        notes = notes,
    )];
    let remarks = app.map(|app| app.remarks(Some(&entry.version), projects));
    let remarks = remarks.iter().flatten();
    news.extend(remarks.map(|remark| event!(FILE_REMARK, file = file, what = Event::from(remark))));
    let odd = name::odd_model(file);
    news.extend(odd.map(|odd| event!(FILE_REMARK, file = file, what = odd)));
    news.extend(foreign.map(|foreign| {
        let kind = foreign.kind.id;
        let what = event!(IMAGE_FOREIGN_OFFERED, what = foreign);
        event!(FILE_FOREIGN, file = file, what = what, kind = kind)
    }));
    news.extend(twin.map(|twin| {
        let images = ModelImage::of(entry).zip(ModelImage::of(twin));
        let apart = images.and_then(|(one, other)| signing::twins_apart(one, other));
        apart.unwrap_or_else(|| {
            let spelt = delete_apart(&[entry, twin]);
            event!(FILE_TWIN, file = file, other = &twin.file, apart = spelt)
        })
    }));
    news
}

/// Returns the command that deletes the one of two files whose name has letters and accents
/// apart, where the names look the same; by number, for no screen shows what is what.
fn delete_apart(twins: &[&Entry; 2]) -> Option<String> {
    let [one, other] = twins.map(|twin| &*twin.file);
    if !one.nfc().eq(other.nfc()) {
        return None;
    }
    let apart = twins.iter().find(|twin| !is_nfc(&twin.file))?;
    let path = absolute(&apart.path);
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    let typed = bytes.map(|byte| match byte {
        b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
        0x20..=0x7E => char::from(*byte).to_string(),
        byte => format!("\\x{byte:02x}"),
    });
    Some(format!("rm $'{}'", typed.collect::<String>()))
}

/// Returns what is said of a file that can be fetched and is offered to nobody. An image
/// has a reason for that: its name.
pub(super) fn served(file: &ServedFile, why: Option<&Unusable>, verdict: &Verdict) -> Event {
    let name = &file.file;
    match (why, verdict) {
        (Some(why), _) => event!(
            FILE_REFUSED,
            file = name,
            why = Event::from(why),
            served = Text::new(
                "（固件本身完整，仍可按此文件名下载）",
                " (the image is whole, and given for download under this name all the same)",
            ),
        ),
        (None, Verdict::Foreign(foreign)) => event!(
            FILE_SERVED,
            file = name,
            what = Event::from(foreign),
            bytes = file.size(),
            sha256 = encode(&file.sha256),
        ),
        (None, _) => event!(
            FILE_SERVED,
            file = name,
            bytes = file.size(),
            sha256 = encode(&file.sha256)
        ),
    }
}
