//! Bodies that are taken as they come: for as long as anything does, and for nothing where what
//! was sent is refused.

use axum::body::{Body, BodyDataStream};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hyper::body::Bytes;
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// Time for which nothing may come.
const STILL: Duration = Duration::from_secs(60);
/// Number of bytes that are taken in vain at most.
const DRAINED: u64 = 1 << 30;

/// Takes what comes, but for more than `most` bytes, and drops it: a browser reads no answer
/// while it sends.
pub(in crate::admin) async fn drain(body: Body, most: u64) {
    let (mut body, mut taken) = (unless_still(body).into_data_stream(), 0);
    while let Some(Ok(bytes)) = body.next().await
        && taken < most.min(DRAINED)
    {
        taken += bytes.len() as u64;
    }
}

/// Ends a body from which nothing comes for a minute.
pub(super) fn unless_still(body: Body) -> Body {
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
