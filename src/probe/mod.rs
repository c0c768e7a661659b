//! The device, played: the rules of the firmware from the other side.
//!
//! In the order in which a device goes through them:
//!
//! * [`mod@line`] says which firmware on which hardware is played, [`device`] what
//!   it says of itself.
//! * [`address`] takes an address apart as the device does.
//! * [`dial`] finds and opens connections, [`wire`] speaks HTTP over them in raw
//!   bytes.
//! * [`tls`] shakes hands with the server, and judges its certificates.
//! * [`rule`] is what a finding is known by, [`rules`] are all of them,
//!   [`report`] is what was found, [`text`] the two languages.

pub mod address;
pub mod connect;
pub mod device;
pub mod dial;
pub mod download;
pub mod framing;
pub mod image;
pub mod line;
pub mod pace;
pub mod reply;
pub mod report;
pub mod rule;
pub mod rules;
pub mod run;
pub mod text;
pub mod tls;
pub mod websocket;
pub mod wire;
