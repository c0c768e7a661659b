//! The firmware-update front door for xiaozhi-esp32 voice devices, as one
//! process: it terminates TLS and plain HTTP on the same ports, tells each
//! device whether there is firmware for it, and serves that firmware.
//!
//! A tour, in the order in which a check-in meets the rooms:
//!
//! * [`cli`] reads the command line, [`config`] the file, and [`app`] puts the
//!   parts together before the first byte is served.
//! * [`server`] accepts the connection, tells TLS from HTTP by the first byte,
//!   and bounds what any client can hold. [`tls`] gives it certificates.
//! * `trust` knows the roots of devices and what they make of a chain, for [`tls`] and
//!   for `probe`.
//! * [`http`] routes the request, reads it, and is the one door through which
//!   replies leave.
//! * [`ota`] decides, and writes the answer: pure functions of what the device
//!   said, what there is, and what the operator wants.
//! * [`fleet`] remembers what each device was told.
//! * [`xiaozhi_device`], a crate of its own, is what server and probe must mean
//!   alike: what a device says of itself, what an image is, and why one would fail
//!   on the other.
//! * [`firmware`] knows what there is: the files in `data/bin`, and their bytes.
//! * `probe` is the other side: a device, played; `simulate` is a fleet of
//!   them.
//! * [`admin`] is how this server is watched and operated: who may, and what there is
//!   to ask.
//! * `backup` puts all that is kept into one file, and back.
//! * [`telemetry`] is what the operator sees, [`event`] all that is said there, with ids,
//!   fields and words in two languages.
//! * [`util`] is the ground floor: what every room needs and none owns.
//!
//! `tests/fuzz` builds it with `--cfg fuzzing`: without the rooms that its targets
//! never call, in a quarter of the time.

#[cfg(not(fuzzing))]
pub mod admin;
#[cfg(not(fuzzing))]
pub mod app;
#[cfg(not(fuzzing))]
mod backup;
#[cfg(not(fuzzing))]
pub mod cli;
#[cfg(not(fuzzing))]
pub mod config;
pub mod event;
pub mod firmware;
pub mod fleet;
#[cfg(not(fuzzing))]
pub mod http;
pub mod ota;
#[cfg(not(fuzzing))]
mod probe;
#[cfg(not(fuzzing))]
pub mod server;
#[cfg(not(fuzzing))]
mod simulate;
#[cfg(not(fuzzing))]
pub mod telemetry;
#[cfg(not(fuzzing))]
pub mod tls;
#[cfg(not(fuzzing))]
mod trust;
pub mod util;
