//! A fleet of devices on one machine, against one server.
//!
//! * [`plan`] says what is played, `random` what befalls each device: the same
//!   plan with the same seed is the same fleet.
//! * `life` is one device from its first boot until it has nothing more to do;
//!   `network` opens its connections, from `ports` of its own where they are
//!   scarce, `tls` secures them, `exchange` is a check or a download on one of
//!   them, `image` holds what came against what an image must be.
//! * `bad` says what a device meets, and `book` keeps how every offer ended.
//! * `failure` lists the errors, `tally` counts everything, `histogram` the
//!   times that it took.
//! * [`run()`] plays the whole, `view` shows it meanwhile, [`summary`] at its
//!   end.
//!
//! One thread does it all, so that its cost can be told; nothing here is shared
//! between threads.

pub(crate) mod bad;
mod book;
mod exchange;
mod failure;
mod histogram;
mod image;
mod life;
mod network;
pub(crate) mod plan;
mod ports;
mod random;
pub(crate) mod rate;
pub(crate) mod run;
pub(crate) mod summary;
mod tally;
mod tls;
mod view;

pub(crate) use run::run;
pub(crate) use summary::Summary;
