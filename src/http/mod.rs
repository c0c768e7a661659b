//! HTTP: routes, requests, bodies, and one door out (`reply`) that keeps the device's
//! rules.

mod body;
mod charset;
mod checkin;
mod conditional;
mod download;
mod forwarded;
mod front;
mod handed;
mod input;
pub mod plain;
pub mod proxy;
mod range;
mod reply;
mod request;
mod router;
mod sought;
mod spelling;
mod turned_away;
mod unmatched;
mod upgrade_headers;

pub(crate) use front::{AnswersChallenges, Front, FrontParts, FrontSettings};
pub(crate) use handed::MadeUp;
