//! What HTTP makes of the decisions: routes, bodies, and one door out
//! (`reply`) that keeps the device's rules.

mod activity;
mod backend;
mod body;
mod checkin;
mod conditional;
mod download;
mod forwarded;
mod front;
mod hops;
mod input;
mod kept;
mod names;
mod paced;
pub mod plain;
pub mod proxy;
mod range;
mod refusals;
mod relayed;
mod reply;
mod request;
mod router;
mod tunnel;
mod upgrade;

pub use front::{AnswersChallenges, Front, Parts};
