//! A file is sent: its form is read as it comes, into a draft.
//!
//! Nobody is cut off for being slow. A form that stands still for a minute, is cut, or breaks
//! a rule leaves nothing: the draft vanishes with what was kept of it. Before a refusal the
//! rest of the form is taken and dropped, for a browser that is still sending would not read
//! it.

use super::facts::{PATH, part};
use crate::admin::page::reader::Reader;
use crate::admin::parts::Sources;
use crate::admin::reply::Refusal;
use crate::admin::session::Session;
use crate::event::kinds::DRAFT_TOO_LONG;
use crate::event::{Event, event};
use crate::firmware::drafts::{LONGEST, Upload};
use axum::body::{Body, BodyDataStream};
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hyper::StatusCode;
use hyper::body::{Body as _, Bytes};
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// Time for which nothing may come.
const STILL: Duration = Duration::from_secs(60);
/// Number of bytes that are written at once: each time takes a thread.
const BLOCK: usize = 256 << 10;
/// Number of bytes that a form may have around the longest file.
pub(super) const AROUND: u64 = 64 << 10;
/// Number of bytes of a form that is too long that are taken before the answer.
const DRAINED: u64 = 1 << 30;
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
        drain(body).await;
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
    let upload = begin(sources, &file, length).await?;
    let upload = copy(file, upload).await?;
    let mut model = None;
    while let Some(field) = form.next_field().await.map_err(|e| broken(&e))? {
        if field.name() == Some("model") {
            model = Some(text(field).await?);
        }
    }
    let by = session.caller.name.clone();
    let draft = upload.finish(&by, (sources.clock)());
    let draft = draft.map_err(|why| Refusal::Said(StatusCode::BAD_REQUEST, Box::new(why)))?;
    let model = model.filter(|model| !model.trim().is_empty());
    let query = model.map(|model| format!("?model={}", part(model.trim())));
    Ok(format!(
        "{PATH}/drafts/{}{}",
        draft.id,
        query.unwrap_or_default()
    ))
}

async fn begin(
    sources: &Sources,
    file: &Field<'_>,
    length: Option<u64>,
) -> Result<Upload, Refusal> {
    let name = file.file_name().unwrap_or_default().to_owned();
    let (releases, now) = (std::sync::Arc::clone(&sources.releases), (sources.clock)());
    let begun = tokio::task::spawn_blocking(move || releases.begin(&name, length, now));
    let begun = begun.await.map_err(|_| Refusal::Late)?;
    Ok(begun?)
}

/// Writes a file as it comes.
async fn copy(mut file: Field<'_>, mut upload: Upload) -> Result<Upload, Refusal> {
    let mut block = Vec::with_capacity(BLOCK);
    loop {
        let bytes = file.chunk().await.map_err(|e| broken(&e))?;
        let is_over = bytes.is_none();
        block.extend_from_slice(&bytes.unwrap_or_default());
        if block.len() >= BLOCK || is_over {
            (upload, block) = write(upload, block).await?;
        }
        if is_over {
            return Ok(upload);
        }
    }
}

async fn write(mut upload: Upload, mut block: Vec<u8>) -> Result<(Upload, Vec<u8>), Refusal> {
    let written = tokio::task::spawn_blocking(move || {
        upload.write(&block)?;
        block.clear();
        Ok::<_, Event>((upload, block))
    });
    let written = written.await.map_err(|_| Refusal::Late)?;
    written.map_err(|why| {
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

/// Takes what comes, and drops it: a browser reads no answer while it sends.
async fn drain(body: Body) {
    let (mut body, mut taken) = (body.into_data_stream(), 0);
    while let Some(Ok(bytes)) = body.next().await
        && taken < DRAINED
    {
        taken += bytes.len() as u64;
    }
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

/// Ends a body from which nothing comes for a minute.
fn unless_still(body: Body) -> Body {
    Body::from_stream(moving(body.into_data_stream(), STILL))
}

fn moving(
    body: BodyDataStream,
    still: Duration,
) -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(body, move |mut body| async move {
        match timeout(still, body.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(bytes))) => Ok(Some((bytes, body))),
            Ok(Some(Err(error))) => Err(io::Error::other(error)),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    })
    .into_stream()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Instant, sleep};

    /// A body of which a byte comes after each of these pauses, in seconds.
    fn slow(pauses: Vec<u64>) -> Body {
        let bytes = stream::iter(pauses).then(|pause| async move {
            sleep(Duration::from_secs(pause)).await;
            Ok::<_, io::Error>(Bytes::from_static(b"x"))
        });
        Body::from_stream(bytes)
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_slow_goes_on_and_who_stands_still_does_not() {
        let begun = Instant::now();
        let mut body = unless_still(slow(vec![59; 60])).into_data_stream();
        let mut count = 0;
        while let Some(bytes) = body.next().await {
            count += bytes.unwrap().len();
        }
        assert_eq!((count, begun.elapsed().as_secs()), (60, 59 * 60));
        let begun = Instant::now();
        let mut body = unless_still(slow(vec![1, 61, 1])).into_data_stream();
        assert!(body.next().await.unwrap().is_ok());
        assert!(body.next().await.unwrap().is_err());
        assert!(body.next().await.is_none());
        assert_eq!(begun.elapsed().as_secs(), 61);
    }
}
