//! HTTP: routes, requests, bodies, and one door out (`reply`) that keeps the device's
//! rules.

mod addresses;
mod ambiguous;
mod bodies;
mod body;
mod charset;
mod checkin;
mod conditional;
pub mod cors;
mod counted;
mod download;
mod forwarded;
mod front;
mod gate;
mod input;
mod near_models;
mod no_json;
pub mod plain;
pub mod proxy;
mod range;
mod reply;
mod request;
mod router;
mod spelling;
mod turned_away;
mod upgrade_headers;
mod wanted;

pub(crate) use addresses::MadeUp;
pub(crate) use bodies::BodyBudget;
pub(crate) use front::{Front, FrontParts, FrontSettings};
pub(crate) use proxy::{BackendState, SeenBackend};

/// Source of answers to http-01 challenges, by which a CA checks that a name is ours.
pub(crate) trait AnswersChallenges: std::fmt::Debug + Send + Sync {
    /// Returns the answer to this token, while a challenge is pending.
    fn answer(&self, token: &str) -> Option<String>;
}
