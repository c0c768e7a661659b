//! Ground floor: small things that every room needs and that are no room's
//! own business. It knows nobody.

pub(crate) mod addresses;
pub(crate) mod alert;
pub(crate) mod allocator;
pub mod counts;
pub mod durable;
pub(crate) mod fate;
pub mod file_state;
pub(crate) mod host;
pub mod http_answer;
pub(crate) mod locale;
pub mod memory;
pub(crate) mod mounts;
pub(crate) mod network;
pub(crate) mod nofile;
pub(crate) mod once;
pub(crate) mod paths;
pub(crate) mod screen;
pub(crate) mod size;
pub(crate) mod small_file;
pub(crate) mod supervise;
pub(crate) mod sync;
pub(crate) mod teller;
pub mod terminal;
pub(crate) mod threads;
pub(crate) mod way;
pub(crate) mod when;
