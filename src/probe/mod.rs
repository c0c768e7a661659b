//! The device, played: the rules of the firmware from the other side.
//!
//! In the order in which a device goes through them:
//!
//! * [`line`] says which firmware on which hardware is played, [`device`] what
//!   it says of itself.
//! * [`address`] takes an address apart as the device does.
//! * [`tls`] shakes hands with the server, and judges its certificates.
//! * [`rule`] is what a finding is known by, [`rules`] are all of them,
//!   [`report`] is what was found, [`text`] the two languages.

pub mod address;
pub mod device;
pub mod line;
pub mod report;
pub mod rule;
pub mod rules;
pub mod text;
pub mod tls;
