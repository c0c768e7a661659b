//! Words for the log about an image, once the snapshot shows it: who reads that one is
//! ready may ask for it at once.

use super::super::name;
use super::super::signing::{self, ModelImage};
use super::super::snapshot::{Entry, ServedFile};
use super::unusable::Unusable;
use crate::event::text::Text;
use crate::event::{Event, event};
use xiaozhi_device::hex::encode;
use xiaozhi_device::image::{AppImage, Foreign, Verdict};
use xiaozhi_device::project::Projects;

/// Returns what is said of an image that is offered: that it is, and what an operator
/// should know of it. `twin` is another file of its model whose version has the same
/// rank.
pub(super) fn ready(
    entry: &Entry,
    foreign: Option<Foreign>,
    twin: Option<&Entry>,
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
        bytes = entry.size(),
        sha256 = encode(&entry.sha256),
    )];
    let remarks = app.map(|app| app.remarks(Some(&entry.version), projects));
    let remarks = remarks.iter().flatten();
    news.extend(remarks.map(|remark| event!(FILE_REMARK, file = file, what = Event::from(remark))));
    let odd = name::odd_model(file);
    news.extend(odd.map(|odd| event!(FILE_REMARK, file = file, what = odd)));
    news.extend(foreign.map(|foreign| {
        let what = event!(IMAGE_FOREIGN_OFFERED, what = Event::from(&foreign));
        let kind = Event::from(&foreign).kind.id;
        event!(FILE_FOREIGN, file = file, what = what, kind = kind)
    }));
    news.extend(twin.map(|twin| {
        let images = ModelImage::of(entry).zip(ModelImage::of(twin));
        let apart = images.and_then(|(one, other)| signing::twins_apart(one, other));
        apart.unwrap_or_else(|| event!(FILE_TWIN, file = file, other = &twin.file))
    }));
    news
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
