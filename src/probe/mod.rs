//! The device, played: the rules of the firmware from the other side.
//!
//! In the order in which a device goes through them:
//!
//! * [`line`] says which firmware on which hardware is played, [`device`] what
//!   it says of itself.
//! * [`address`] takes an address apart as the device does.
//! * [`dial`] finds and opens connections, [`wire`] speaks HTTP over them in raw
//!   bytes; [`pace`] is how fast it takes an image.
//! * [`rule`] is what a finding is known by, [`rules`] are all of them,
//!   [`report`] is what was found, [`text`] the two languages.

pub mod address;
pub mod device;
pub mod dial;
pub mod line;
pub mod pace;
pub mod report;
pub mod rule;
pub mod rules;
pub mod text;
pub mod wire;
