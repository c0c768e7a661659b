//! Words for the log about an image, once the snapshot shows it: who reads that one is
//! ready may ask for it at once.

use super::super::name;
use super::super::snapshot::Entry;
use crate::event::{Event, event};
use xiaozhi_device::hex::encode;
use xiaozhi_device::image::Foreign;
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
        event!(FILE_FOREIGN, file = file, what = what)
    }));
    news.extend(twin.map(|twin| event!(FILE_TWIN, file = file, other = &twin.file)));
    news
}
