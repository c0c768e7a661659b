//! The gate: whose token it is, and how many wrong ones came from where.

use super::auth::{AdminToken, GUESSES, Guess, Guesses, find};
use super::reply::Refusal;
use crate::event::{Event, event};
use crate::util::network::customer;
use crate::util::once::{HOUR, Once};
use arc_swap::ArcSwap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

/// Number of clients and names of which it is remembered that they were told of.
const REMEMBERED: usize = 1024;

/// Tokens, and who tries wrong ones.
pub(super) struct Gate {
    tokens: Arc<ArcSwap<Vec<AdminToken>>>,
    guesses: Guesses,
    said: Once,
    clock: fn() -> SystemTime,
}

impl Gate {
    /// Takes the tokens, which may change.
    pub(super) fn new(tokens: Arc<ArcSwap<Vec<AdminToken>>>, clock: fn() -> SystemTime) -> Self {
        Self {
            tokens,
            guesses: Guesses::default(),
            said: Once::new(HOUR, REMEMBERED),
            clock,
        }
    }

    /// Returns the tokens that count now.
    pub(super) fn tokens(&self) -> Arc<Vec<AdminToken>> {
        self.tokens.load_full()
    }

    /// Returns which token this is; a wrong one is counted.
    pub(super) fn token(&self, token: &[u8], address: IpAddr) -> Result<AdminToken, Refusal> {
        let found = find(token, &self.tokens.load()).cloned();
        found.ok_or_else(|| self.wrong(address))
    }

    /// Counts a wrong token.
    fn wrong(&self, address: IpAddr) -> Refusal {
        let guess = self.guesses.count(address, (self.clock)());
        let client = customer(address);
        match guess {
            Guess::Counted => {
                let event = || event!(ADMIN_WRONG_TOKEN, peer = address);
                self.say(&("wrong", client), event);
                Refusal::WrongToken
            }
            Guess::TooMany { left, is_first } => {
                let event = || event!(ADMIN_GUESSING, peer = address, count = GUESSES);
                if is_first {
                    self.say(&("guessing", client), event);
                }
                Refusal::TooManyGuesses(left)
            }
        }
    }

    /// Says an event of a thing once an hour.
    pub(super) fn say(&self, thing: &impl Hash, event: impl FnOnce() -> Event) {
        if self.said.is_due(thing, (self.clock)()) {
            crate::event::say(&event());
        }
    }
}
