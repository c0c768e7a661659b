//! The device, played: the rules of the firmware from the other side.
//!
//! In the order in which a device goes through them:
//!
//! * [`mod@line`] says which firmware on which hardware is played ([`span`]: many
//!   of them in few words), [`device`] what it says of itself.
//! * [`address`] takes an address apart as the device does, [`reach`] knows those
//!   that lead no device anywhere.
//! * [`dial`] finds and opens connections, [`tls`] shakes hands and judges
//!   certificates; [`connect`] is the whole way.
//! * [`wire`] speaks HTTP over it in raw bytes, [`framing`] says what a device
//!   makes of a reply's head, [`reply`] of a check's JSON, [`serial`] what it
//!   writes where that goes wrong.
//! * [`websocket`] goes as far as the voice server's hello, [`download`] fetches
//!   the image (at a [`pace`]), [`mod@image`] says what the device would make of
//!   it.
//! * [`run`] takes the steps in their order; [`report`] is what was found,
//!   [`table`] that in words. [`rule`] is what a finding is known by, [`rules`]
//!   are all of them, [`text`] are the two languages.
//!
//! It judges servers, this one among them, so it shares none of the code that answers:
//! what HTTP, TLS and replies must be like stands here a second time, written from the
//! device's side. Shared is what both sides must mean alike, [`xiaozhi_device`].
//!
//! Each rule says on which kinds of device it bites; what does not hit the one that is
//! played is a warning that names the others. A rule's name is a promise to those who
//! read `--json`. Certificates are judged after the handshake, so that `--insecure` can
//! go on; a handshake that fails is tried again with other offers, only to give the
//! failure its name. Every wait has an end, as on the device, and whatever a server
//! sends is bounded before it is kept and escaped before it is shown.

pub(crate) mod address;
pub(crate) mod connect;
pub(crate) mod device;
pub(crate) mod dial;
pub(crate) mod download;
pub(crate) mod framing;
pub(crate) mod image;
pub(crate) mod line;
pub(crate) mod pace;
pub(crate) mod reach;
pub(crate) mod reply;
pub(crate) mod report;
pub(crate) mod rule;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod serial;
pub(crate) mod span;
pub(crate) mod table;
pub(crate) mod tls;
pub(crate) mod websocket;
pub(crate) mod wire;
