//! Files that are kept for a CA: account, order, certificate, waits.

use super::error::OrderError;
use crate::event::{Event, Value, event, tell};
use crate::util::{durable, small_file};
use std::fs;
use std::io;
use std::path::Path;
use tokio::task::spawn_blocking;

/// Writes a file of ours, whole or not at all.
pub(super) async fn save(path: &Path, content: Vec<u8>) -> Result<(), OrderError> {
    blocking(path, move |path| {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        // Where a folder knows no fsync, a power cut costs an order at worst.
        durable::replace(path, &content, 0o600).map(|_| ())
    })
    .await
}

/// Fails where `length` bytes could not be kept: a certificate that would be
/// lost is not ordered.
pub(super) async fn rehearse(path: &Path, length: usize) -> Result<(), OrderError> {
    blocking(path, move |path| {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        durable::rehearse(path, length)
    })
    .await
}

async fn blocking(
    path: &Path,
    work: impl FnOnce(&Path) -> io::Result<()> + Send + 'static,
) -> Result<(), OrderError> {
    let (path, place) = (path.to_owned(), path.to_owned());
    let done = spawn_blocking(move || work(&place)).await;
    done.unwrap_or_else(|e| Err(io::Error::other(e)))
        .map_err(|error| OrderError::Keep { path, error })
}

/// Removes a file of ours, best effort.
pub(super) async fn remove(path: &Path) {
    if let Err(error) = tokio::fs::remove_file(path).await
        && error.kind() != io::ErrorKind::NotFound
    {
        tell!(ACME_FILE_STAYS, file = path, error = &error);
    }
}

/// Reads a file of ours.
pub(super) async fn read(path: &Path) -> io::Result<Vec<u8>> {
    let path = path.to_owned();
    let read = spawn_blocking(move || small_file::read(&path)).await;
    read.unwrap_or_else(|e| Err(io::Error::other(e)))
}

/// Returns the line and column at which a file of ours cannot be read. The library's
/// own message may hold a part of a key.
pub(super) fn place(error: &serde_json::Error) -> Event {
    let (line, column) = (error.line(), error.column());
    event!(ACME_FILE_CHANGED, line = line, column = column)
}

/// Keeps an account that is of no use any more under another name, and says so.
pub(super) async fn put_aside(path: &Path, extension: &str, why: impl Into<Value>) {
    let (aside, why) = (path.with_extension(extension), why.into());
    match tokio::fs::rename(path, &aside).await {
        Ok(()) => tell!(ACME_ACCOUNT_ASIDE, file = path, aside = &aside, why = why),
        Err(error) => tell!(ACME_ACCOUNT_STUCK, file = path, error = &error, why = why),
    }
}
