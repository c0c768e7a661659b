//! Deliveries: tells whether a body came to its client whole, as far as that can be known.
//!
//! What a write took lies in our kernel, and a device that loses power then has nothing of
//! it. A body counts as whole when all of it was handed over, **and** its client then closed
//! cleanly, having acknowledged all, or sent another request on the same connection.
//! Everything else is cut: a reset, a timeout, a client that says nothing, a stop of ours.
//! A proxy in between acknowledges for its clients: behind one the end is the proxy's.
//!
//! How the firmware ends a download (78/xiaozhi-esp32 `main/ota.cc`, which reads until a read
//! returns 0, at `Content-Length`, and closes at once; 78/esp-ml307):
//!
//! - v1.5 to v1.7.6 on Wi-Fi (esp-ml307 1.7 to 2.2, `esp_http.cc`: `esp_http_client`) says
//!   nothing of `Connection`, so the connection lives on, and the device closes it: a FIN, over
//!   TLS too, for ESP-IDF closes the socket without a `close_notify`.
//! - v1.7.7 and later on Wi-Fi, and the EC801E modem (3.0 on, `src/http_client.cc`), say
//!   `Connection: close`, and close as soon as they have counted the length. Both sides end at
//!   once, and whoever is first is not settled. lwIP answers a `close` with a reset, in place
//!   of a FIN, where bytes lie unread (`tcp_close_shutdown`), and our `close_notify` is such
//!   bytes: so it waits for the device's FIN ([`PATIENCE`](super::watched)).
//! - It cannot wait for ever: v1.7.7 to v1.8.2 over TLS (3.0.0 to 3.2.0, `src/esp/esp_ssl.cc`)
//!   join the thread that reads before they close, and that thread reads until the server ends.
//! - The ML307 modem (`src/ml307/ml307_http.cc`, all versions) speaks HTTP itself, and is told
//!   `AT+MHTTPDEL` when the length is there. What it then sends is not in any source: where it
//!   resets, its downloads count as cut, and what the device reports next tells the rest.

use crate::util::sync::lock;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Receiver of a delivery's end. Exactly one of these is called, once.
pub(crate) trait DeliveryEnd: Debug + Send + Sync {
    /// Takes that the client has all of the body.
    fn whole(&self);
    /// Takes that the client may lack a part of it.
    fn cut(&self);
}

/// Delivery of one body, in the extensions of its reply; whoever makes the body keeps
/// another handle. It is cut where both are dropped before its end.
#[derive(Debug, Clone)]
pub(crate) struct Delivery(Arc<Course>);

#[derive(Debug)]
struct Course {
    receiver: Box<dyn DeliveryEnd>,
    /// True once the connection has taken the last of the body.
    is_taken: AtomicBool,
    has_ended: AtomicBool,
}

impl Delivery {
    /// Begins a delivery, the end of which is told to `receiver`.
    pub(crate) fn new(receiver: impl DeliveryEnd + 'static) -> Self {
        Self(Arc::new(Course {
            receiver: Box::new(receiver),
            is_taken: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
        }))
    }

    /// Notes that the connection takes the last of the body.
    pub(crate) fn body_is_taken(&self) {
        self.0.is_taken.store(true, Ordering::Release);
    }

    /// Ends it: the body failed, or was dropped in the middle.
    pub(crate) fn cut(&self) {
        self.0.end(|receiver| receiver.cut());
    }

    pub(super) fn whole(&self) {
        self.0.end(|receiver| receiver.whole());
    }

    fn has_ended(&self) -> bool {
        self.0.has_ended.load(Ordering::Acquire)
    }

    fn is_taken(&self) -> bool {
        self.0.is_taken.load(Ordering::Acquire)
    }
}

impl Course {
    fn end(&self, tell: impl FnOnce(&dyn DeliveryEnd)) {
        if !self.has_ended.swap(true, Ordering::AcqRel) {
            tell(&*self.receiver);
        }
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        self.end(|receiver| receiver.cut());
    }
}

/// Delivery of a connection that has no end yet. A connection that has none pays for a look
/// at `is_pending`.
#[derive(Debug, Default)]
pub(super) struct PendingDelivery {
    is_pending: AtomicBool,
    /// True where the connection is to leave, and nobody waits long for its client.
    is_in_haste: AtomicBool,
    state: Mutex<Option<Pending>>,
}

#[derive(Debug)]
struct Pending {
    delivery: Delivery,
    hand_over: HandOver,
    /// True once the client has ended its side.
    is_shut: bool,
}

/// Progress of the body's last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HandOver {
    /// It is not in the kernel yet.
    Under,
    /// It is, and the client had sent nothing since it asked: whatever comes is a sign.
    Done,
    /// It is, and there was something from the client already: a request that followed at
    /// once, or the end of its side. That says nothing of what it got.
    Behind,
}

/// Thing that came from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    Bytes,
    /// End of its side, with or without TLS's goodbye.
    End,
}

impl PendingDelivery {
    /// Begins with the delivery of another reply. One before it that has no end yet is cut:
    /// its client asks for the next body before it has this one, as no device does.
    pub(super) fn put(&self, delivery: Delivery) {
        let pending = Pending {
            delivery,
            hand_over: HandOver::Under,
            is_shut: false,
        };
        let before = lock(&self.state).replace(pending);
        self.is_pending.store(true, Ordering::Relaxed);
        if let Some(before) = before {
            before.delivery.cut();
        }
    }

    /// Returns whether there is one.
    pub(super) fn is_pending(&self) -> bool {
        self.is_pending.load(Ordering::Relaxed)
    }

    /// Takes that all that was written is in the kernel. `has_come` tells whether something
    /// from the client has come already.
    pub(super) fn is_flushed(&self, has_come: impl FnOnce() -> bool) {
        if let Some(pending) = &mut *lock(&self.state)
            && pending.hand_over == HandOver::Under
            && pending.delivery.is_taken()
        {
            pending.hand_over = if has_come() {
                HandOver::Behind
            } else {
                HandOver::Done
            };
        }
    }

    /// Takes that something came. `is_sent` tells whether the kernel has sent all: a client
    /// that goes on has it, and one that asks ahead may not.
    pub(super) fn has_come(&self, came: Came, is_sent: impl FnOnce() -> bool) {
        let mut state = lock(&self.state);
        let Some(pending) = &mut *state else { return };
        // One that is close by asks for the next before it is known here that all is in the
        // kernel; one that asks ahead has done so before the last of it was taken.
        let is_sign = came == Came::Bytes
            && pending.hand_over != HandOver::Behind
            && pending.delivery.is_taken()
            && is_sent();
        match (came, pending.hand_over) {
            (Came::Bytes, _) if is_sign => {
                let whole = state.take();
                self.is_pending.store(false, Ordering::Relaxed);
                drop(state);
                if let Some(pending) = whole {
                    pending.delivery.whole();
                }
            }
            // A later end of its side, all acknowledged, still tells.
            (Came::Bytes, _) => pending.hand_over = pending.hand_over.behind(),
            // Whether it has acknowledged all shows when both sides have ended.
            (Came::End, _) => pending.is_shut = true,
        }
    }

    /// Cuts it, if there is one.
    pub(super) fn cut(&self) {
        if let Some(delivery) = self.end() {
            delivery.cut();
        }
    }

    /// Returns whether it waits for a sign of its client alone.
    pub(super) fn is_handed_over(&self) -> bool {
        let state = lock(&self.state);
        state.as_ref().is_some_and(|pending| {
            pending.hand_over != HandOver::Under && !pending.delivery.has_ended()
        })
    }

    /// Returns whether the client has ended its side, and all was handed over: mostly it is
    /// gone, and what is sent to it now, such as TLS's goodbye, is answered by a reset. That its
    /// end was seen before the last byte was known to be in the kernel says nothing: one that
    /// is close by has read all, and closed, by then. One that shut its side early, which no
    /// device does, has its reply by its length.
    pub(super) fn is_gone(&self) -> bool {
        let state = lock(&self.state);
        state
            .as_ref()
            .is_some_and(|pending| pending.is_shut && pending.hand_over != HandOver::Under)
    }

    /// Returns whether the client has ended its side.
    pub(super) fn is_shut(&self) -> bool {
        lock(&self.state)
            .as_ref()
            .is_some_and(|pending| pending.is_shut)
    }

    /// Takes that the connection is to make room.
    pub(super) fn make_haste(&self) {
        self.is_in_haste.store(true, Ordering::Relaxed);
    }

    /// Returns whether the connection is to make room.
    pub(super) fn is_in_haste(&self) -> bool {
        self.is_in_haste.load(Ordering::Relaxed)
    }

    /// Takes the delivery of a connection that has ended, if all of it was handed over; else
    /// it is cut.
    pub(super) fn take(&self) -> Option<Delivery> {
        let may_be_whole = self.is_handed_over();
        let delivery = self.end()?;
        if may_be_whole {
            return Some(delivery);
        }
        delivery.cut();
        None
    }

    fn end(&self) -> Option<Delivery> {
        self.is_pending.store(false, Ordering::Relaxed);
        let pending = lock(&self.state).take()?;
        Some(pending.delivery)
    }
}

impl HandOver {
    /// Returns the stage at which what came before the end is no sign.
    fn behind(self) -> Self {
        match self {
            Self::Under => Self::Under,
            Self::Done | Self::Behind => Self::Behind,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
