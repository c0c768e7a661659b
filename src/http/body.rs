//! Bodies of replies. Each of ours knows its length beforehand, so that it is
//! sent with a `Content-Length` and never in chunks.

use super::proxy::download::Relayed;
use super::request::Request;
use crate::event::tell;
use crate::event::text::Text;
use crate::firmware::store::{ImageContent, OpenImage};
use crate::server::Delivery;
use crate::util::counts::{COUNTS, Download};
use crate::util::threads::{self, NoThread};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Size in bytes of one slice of an image in memory that is handed to the connection at
/// once; nothing is copied.
const SLICE: u64 = 256 * 1024;
/// Size in bytes of one read of a file: what a slow download holds in memory.
const BLOCK: u64 = 64 * 1024;

/// Part that reads images, as messages name it.
pub(super) const DISK: Text = Text::new("读取固件", "the reading of an image");

/// The body of a reply.
#[derive(Debug)]
pub(crate) enum ReplyBody {
    /// A short text or JSON, or nothing.
    Short(Bytes),
    /// An image or a part of it.
    Image(Box<Image>),
    /// A backend's reply.
    Relayed(Box<Relayed>),
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Short(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Short(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Image(image) => image
                .poll_block(cx)
                .map(|block| block.map(|block| block.map(Frame::data))),
            Self::Relayed(relayed) => Pin::new(&mut **relayed).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Short(bytes) => bytes.is_empty(),
            Self::Image(image) => image.at == image.end,
            Self::Relayed(relayed) => relayed.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Short(bytes) => bytes.len() as u64,
            Self::Image(image) => image.end - image.at,
            // Only what a backend sends without one, and too long to gather, has no
            // length here.
            Self::Relayed(relayed) => return relayed.size_hint(),
        })
    }
}

/// An image on its way out.
#[derive(Debug)]
pub(crate) struct Image {
    content: ImageContent,
    at: u64,
    end: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    log: DownloadLog,
    /// Delivery that it is the body of; `None` where nobody counts it.
    delivery: Option<Delivery>,
}

/// Fields of the log line that is written when the image is over.
#[derive(Debug)]
pub(super) struct DownloadLog {
    file: String,
    /// `Device-Id`, where it was sent, which the firmware's own downloads have not; else the
    /// device that the token in the URL names.
    device: Option<String>,
    peer: SocketAddr,
    total: u64,
    since: Instant,
    failed: bool,
}

impl DownloadLog {
    /// Makes the log of a download of `total` bytes that begins now.
    pub(super) fn new(request: Request<'_>, file: &str, total: u64) -> Self {
        Self {
            file: file.to_owned(),
            device: request.device(),
            peer: request.peer.address,
            total,
            since: Instant::now(),
            failed: false,
        }
    }

    /// Takes the device that the token names, if there is one.
    pub(super) fn of_device(&mut self, device: Option<String>) {
        self.device = self.device.take().or(device);
    }
}

impl Image {
    /// Makes a body of `start..end` of `content`, which lies within it. How it ends counts for
    /// `delivery`.
    pub(super) fn new(
        content: ImageContent,
        start: u64,
        end: u64,
        log: DownloadLog,
        delivery: Option<Delivery>,
    ) -> Self {
        COUNTS.download_begun();
        Self {
            content,
            at: start,
            end,
            reading: None,
            log,
            delivery,
        }
    }

    /// Returns the delivery that it is the body of, if somebody counts it.
    pub(super) fn delivery(&self) -> Option<&Delivery> {
        self.delivery.as_ref()
    }

    fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.at == self.end {
            return Poll::Ready(None);
        }
        let block = match &self.content {
            ImageContent::Memory(bytes) => {
                let next = self.end.min(self.at + SLICE);
                Ok(bytes.slice(index(self.at)..index(next)))
            }
            ImageContent::File(image) => {
                ready!(poll_read(&mut self.reading, image, self.at, self.end, cx))
            }
        };
        match &block {
            Ok(bytes) => {
                self.at += bytes.len() as u64;
                COUNTS.handed_over(bytes.len() as u64);
                if self.at == self.end
                    && let Some(delivery) = &self.delivery
                {
                    delivery.body_is_taken();
                }
            }
            Err(e) => {
                if let Some(delivery) = &self.delivery {
                    delivery.cut();
                }
                // hyper closes the connection in front of the promised length,
                // and the device keeps what it runs.
                self.log.failed = true;
                tell!(
                    DOWNLOAD_CUT,
                    device = self.log.device.as_deref(),
                    file = &self.log.file,
                    peer = self.log.peer,
                    error = e,
                );
            }
        }
        Poll::Ready(Some(block))
    }
}

/// Converts a position in an image in memory: it fits.
fn index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// Reads the next block of a file, off the async threads.
fn poll_read(
    reading: &mut Option<JoinHandle<io::Result<Bytes>>>,
    image: &Arc<OpenImage>,
    at: u64,
    end: u64,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Bytes>> {
    let task = if let Some(task) = reading {
        task
    } else {
        let image = Arc::clone(image);
        let read = move || image.read(at, index(BLOCK.min(end - at)));
        reading.insert(threads::beside(DISK, read).map_err(NoThread::into_io)?)
    };
    let result = ready!(Pin::new(task).poll(cx));
    *reading = None;
    Poll::Ready(result.unwrap_or_else(|e| Err(io::Error::other(e))))
}

impl Drop for Image {
    fn drop(&mut self) {
        if self.at != self.end
            && let Some(delivery) = &self.delivery
        {
            delivery.cut();
        }
        let DownloadLog {
            file,
            device,
            peer,
            total,
            since,
            failed,
        } = &self.log;
        let device = device.as_deref();
        let (left, seconds) = (
            self.end - self.at,
            since.elapsed().max(Duration::from_millis(1)).as_secs_f64(),
        );
        COUNTS.download_ended(if left == 0 {
            Download::Whole
        } else {
            Download::Cut
        });
        if left == 0 {
            let seconds = format!("{seconds:.1}");
            tell!(
                DOWNLOAD_DONE,
                device = device,
                file = file,
                peer = *peer,
                bytes = *total,
                seconds = seconds
            );
        } else if !failed {
            let (bytes, seconds) = (total - left, format!("{seconds:.1}"));
            tell!(
                DOWNLOAD_LEFT,
                device = device,
                file = file,
                peer = *peer,
                bytes = bytes,
                of = *total,
                seconds = seconds
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{DeliveryEnd, Peer};
    use std::future::poll_fn;
    use std::sync::Mutex;
    use std::time::SystemTime;

    #[derive(Debug, Default, Clone)]
    struct Ends(Arc<Mutex<Vec<&'static str>>>);

    impl DeliveryEnd for Ends {
        fn whole(&self) {
            self.0.lock().unwrap().push("whole");
        }

        fn cut(&self) {
            self.0.lock().unwrap().push("cut");
        }
    }

    #[tokio::test]
    async fn an_image_that_is_dropped_in_the_middle_is_cut_at_once() {
        let length = 2 * SLICE + 1;
        for blocks in 0..=3 {
            let ends = Ends::default();
            let delivery = Delivery::new(ends.clone());
            let (head, ()) = hyper::Request::new(()).into_parts();
            let peer = Peer {
                address: ([192, 0, 2, 1], 1).into(),
                secure: false,
                relayed: false,
                unknown: false,
                local: None,
            };
            let request = Request {
                head: &head,
                peer,
                now: SystemTime::UNIX_EPOCH,
            };
            let log = DownloadLog::new(request, "a_1.bin", length);
            let content = ImageContent::Memory(vec![7; index(length)].into());
            let mut image = Image::new(content, 0, length, log, Some(delivery.clone()));
            for _ in 0..blocks {
                poll_fn(|cx| image.poll_block(cx)).await.unwrap().unwrap();
            }
            drop(image);
            let now = ends.0.lock().unwrap().clone();
            assert_eq!(now.is_empty(), blocks == 3, "{blocks}: {now:?}");
            drop(delivery);
            assert_eq!(*ends.0.lock().unwrap(), ["cut"], "{blocks}");
        }
    }
}
