//! A file is sent: its form is read as it comes, into a draft.
//!
//! Nobody is cut off for being slow. A form that stands still for a minute, is cut, or breaks
//! a rule leaves nothing: the draft vanishes with what was kept of it. Before a refusal the
//! rest of the form is taken and dropped, for a browser that is still sending would not read
//! it.

use super::facts::PATH;
use crate::admin::page::drain::{drain, unless_still};
use crate::admin::page::reader::Reader;
use crate::admin::parts::Sources;
use crate::admin::reply::Refusal;
use crate::admin::session::Session;
use crate::event::kinds::DRAFT_TOO_LONG;
use crate::event::{Event, event};
use crate::firmware::drafts::{LONGEST, Upload};
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use hyper::StatusCode;
use hyper::body::Body as _;
use tokio::runtime::Handle;

/// Number of bytes that are written at once: each time takes a thread.
const BLOCK: usize = 256 << 10;
/// Number of bytes that a form may have around the longest file.
pub(super) const AROUND: u64 = 64 << 10;
/// Longest field that is no file, in bytes.
const LONGEST_TEXT: usize = 1024;

/// Takes a form with a file. Its first field is the session's word against forged forms, its
/// second one the file.
pub(super) async fn upload(
    State(sources): State<Sources>,
    reader: Reader,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let length = body.size_hint().exact();
    let body = unless_still(body);
    if length.is_some_and(|length| length > LONGEST + AROUND) {
        drain(body, u64::MAX).await;
        return Err(too_long());
    }
    let request = Request::from_parts(parts, body);
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|error| Refusal::BadBody(error.body_text()))?;
    match take(&sources, &reader.session, &mut form, length).await {
        Ok(to) => Ok(Redirect::to(&to).into_response()),
        Err(refusal) => {
            // A field that is left half read is read to its end by the next.
            while let Ok(Some(field)) = form.next_field().await {
                drop(field);
            }
            Err(refusal)
        }
    }
}

/// Reads the form, and returns where the draft is shown.
async fn take(
    sources: &Sources,
    session: &Session,
    form: &mut Multipart,
    length: Option<u64>,
) -> Result<String, Refusal> {
    let word = match form.next_field().await.map_err(|e| broken(&e))? {
        Some(field) if field.name() == Some("csrf") => text(field).await?,
        _ => return Err(Refusal::Forged),
    };
    if !session.confirms(&word) {
        return Err(Refusal::Forged);
    }
    let file = form.next_field().await.map_err(|e| broken(&e))?;
    let file = file.filter(|field| field.name() == Some("file"));
    let file = file.ok_or_else(|| Refusal::BadBody("no field named file follows csrf".into()))?;
    let coming = begin(sources, &file, length).await?;
    let coming = copy(file, coming).await?;
    while form.next_field().await.map_err(|e| broken(&e))?.is_some() {}
    let (by, now) = (session.caller.name.clone(), (sources.clock)());
    let draft = coming
        .blocking(move |upload| upload.finish(&by, now))
        .await?;
    let draft = draft.map_err(|why| Refusal::Said(StatusCode::BAD_REQUEST, Box::new(why)))?;
    Ok(format!("{PATH}/drafts/{}", draft.id))
}

/// An upload, whose file is removed on a thread that may block, wherever its request ends: a
/// disk that hangs would hold up everybody else.
struct Coming(Option<Upload>);

impl Coming {
    /// Does something with it, on a thread that may block.
    async fn blocking<T: Send + 'static>(
        mut self,
        work: impl FnOnce(Upload) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let upload = self.0.take().ok_or(Refusal::Late)?;
        let done = tokio::task::spawn_blocking(move || work(upload)).await;
        done.map_err(|_| Refusal::Late)
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        // Without a runtime nobody else waits for this thread.
        if let Some(upload) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn_blocking(move || drop(upload));
        }
    }
}

async fn begin(
    sources: &Sources,
    file: &Field<'_>,
    length: Option<u64>,
) -> Result<Coming, Refusal> {
    let name = file.file_name().unwrap_or_default().to_owned();
    let (releases, now) = (std::sync::Arc::clone(&sources.releases), (sources.clock)());
    let begun = tokio::task::spawn_blocking(move || {
        let begun = releases.begin(&name, length, now);
        begun.map(|upload| Coming(Some(upload)))
    });
    let begun = begun.await.map_err(|_| Refusal::Late)?;
    Ok(begun?)
}

/// Writes a file as it comes.
async fn copy(mut file: Field<'_>, mut coming: Coming) -> Result<Coming, Refusal> {
    let mut block = Vec::with_capacity(BLOCK);
    loop {
        let bytes = file.chunk().await.map_err(|e| broken(&e))?;
        let is_over = bytes.is_none();
        block.extend_from_slice(&bytes.unwrap_or_default());
        if block.len() >= BLOCK || is_over {
            (coming, block) = write(coming, block).await?;
        }
        if is_over {
            return Ok(coming);
        }
    }
}

async fn write(coming: Coming, mut block: Vec<u8>) -> Result<(Coming, Vec<u8>), Refusal> {
    let written = coming.blocking(move |mut upload| {
        upload.write(&block)?;
        block.clear();
        Ok::<_, Event>((Coming(Some(upload)), block))
    });
    written.await?.map_err(|why| {
        let is_long = why.kind.id == DRAFT_TOO_LONG.id;
        let status = if is_long {
            StatusCode::PAYLOAD_TOO_LARGE
        } else {
            StatusCode::INSUFFICIENT_STORAGE
        };
        Refusal::Said(status, Box::new(why))
    })
}

/// Reads a short field.
async fn text(mut field: Field<'_>) -> Result<String, Refusal> {
    let mut text = Vec::new();
    while let Some(bytes) = field.chunk().await.map_err(|e| broken(&e))? {
        text.extend_from_slice(&bytes);
        if text.len() > LONGEST_TEXT {
            return Err(Refusal::LongBody(LONGEST_TEXT));
        }
    }
    String::from_utf8(text).map_err(|_| Refusal::BadBody("a field is no UTF-8".to_owned()))
}

fn too_long() -> Refusal {
    let why = event!(DRAFT_TOO_LONG, longest = LONGEST);
    Refusal::Said(StatusCode::PAYLOAD_TOO_LARGE, Box::new(why))
}

fn broken(error: &MultipartError) -> Refusal {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_long(),
        _ => Refusal::BadBody(error.body_text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firmware::drafts::{Drafts, FOLDER};
    use std::fs;
    use std::sync::Arc;
    use std::time::SystemTime;

    #[test]
    fn a_disk_that_hangs_holds_up_no_worker() {
        let state = tempfile::tempdir().unwrap();
        let drafts = Arc::new(Drafts::open(state.path()));
        let begun = drafts.begin("a_1.0.bin", Some(1), SystemTime::UNIX_EPOCH);
        let coming = Coming(Some(begun.unwrap()));
        let count = || fs::read_dir(state.path().join(FOLDER)).unwrap().count();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.max_blocking_threads(1).build().unwrap();
        // The only thread that may block does.
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let blocked = runtime.spawn_blocking(move || wait.recv());
        runtime.block_on(async move { drop(coming) });
        assert_eq!(count(), 1);
        drop(go_on);
        assert!(runtime.block_on(blocked).unwrap().is_err());
        runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
        assert_eq!(count(), 0);
    }
}
