//! Knows what a xiaozhi-esp32 device is, and what its images are: all that a server and a
//! probe must mean alike.
//!
//! Everything here takes bytes or values and returns values. The manifest keeps it so:
//! no runtime, no HTTP, no clock, and nothing here opens a file.
//!
//! * [`checkin`] reads what a device says of itself, by a JSON reader of its own that
//!   keeps what stood before a fault.
//! * [`image`] tells what a firmware file is, from its bytes; [`chip`] and [`project`]
//!   name what it is made for and whose it is.
//! * [`flash`] finds the app in a full flash image.
//! * [`version`] has the two orders of versions: ours, and the device's.
//! * [`guards`] holds an image against a device.
//! * [`endpoint`] reads an address as a device reads it, [`host`] judges where its host
//!   leads, [`redact`] leaves out of a message what may be secret, and [`private`] out of a
//!   report what is its owner's.
//! * [`mac`] reads the addresses by which devices name themselves.
//! * [`hex`] writes and reads hexadecimal.

pub mod checkin;
pub mod chip;
pub mod endpoint;
pub mod flash;
pub mod guards;
pub mod hex;
pub mod host;
pub mod image;
mod json;
pub mod mac;
pub mod private;
pub mod project;
pub mod redact;
pub mod version;
