//! Sessions of people who signed in, in memory: a restart signs everybody out. Pure but for a
//! lock and chance: times are given.

use super::auth::{AdminToken, Caller, hash};
use crate::event::Event;
use crate::util::once::age;
use crate::util::sync::lock;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// Time after which somebody has to sign in again.
pub(crate) const LIFE: Duration = Duration::from_hours(12);
/// Most sessions of a token at once. Of more, its oldest goes: whoever has one signs nobody of
/// another one out.
const MOST: usize = 256;
/// Length of a session's name and of its word against forged forms, in random bytes.
const RANDOM: usize = 32;

/// Somebody who signed in, as one of his requests sees him.
#[derive(Clone)]
pub(crate) struct Session {
    /// Bearer of the token by which he signed in.
    pub(crate) caller: Caller,
    /// Word that his forms must send back: no other site knows it.
    pub(crate) csrf: String,
    id: [u8; 32],
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({}, {})", self.caller.name, self.caller.role)
    }
}

impl Session {
    /// Tells whether a form has this session's word.
    pub(super) fn confirms(&self, csrf: &str) -> bool {
        verify_slices_are_equal(self.csrf.as_bytes(), csrf.as_bytes()).is_ok()
    }
}

/// All sessions, by the hash of what their cookie holds.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<[u8; 32], Kept>>);

struct Kept {
    session: Session,
    /// Hash of the token: with it goes what it opened.
    token: [u8; 32],
    since: SystemTime,
    /// Event that is said on the next page.
    notice: Option<Event>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sessions({})", lock(&self.0).len())
    }
}

impl Sessions {
    /// Begins a session of a token's bearer. Returns what its cookie holds; `None` where the
    /// system has no random bytes.
    pub(super) fn begin(&self, token: &AdminToken, now: SystemTime) -> Option<String> {
        let (cookie, csrf) = (random()?, random()?);
        let id = hash(cookie.as_bytes());
        let caller = Caller {
            name: token.name.clone(),
            role: token.role,
        };
        let kept = Kept {
            session: Session { caller, csrf, id },
            token: token.hash,
            since: now,
            notice: None,
        };
        let mut all = lock(&self.0);
        all.retain(|_, kept| kept.is_alive(now));
        let of_token = all.iter().filter(|(_, kept)| kept.token == token.hash);
        if of_token.clone().count() >= MOST {
            let oldest = of_token.min_by_key(|(_, kept)| kept.since);
            let oldest = oldest.map(|(id, _)| *id);
            oldest.and_then(|oldest| all.remove(&oldest));
        }
        all.insert(id, kept);
        Some(cookie)
    }

    /// Returns the session of a cookie, if its token is one of those that count now.
    pub(crate) fn find(
        &self,
        cookie: &str,
        tokens: &[AdminToken],
        now: SystemTime,
    ) -> Option<Session> {
        let id = hash(cookie.as_bytes());
        let all = lock(&self.0);
        let kept = all.get(&id)?;
        let is_one = |token: &AdminToken| {
            let (role, name) = (kept.session.caller.role, &kept.session.caller.name);
            token.hash == kept.token && token.role == role && token.name == *name
        };
        let is_good = kept.is_alive(now) && tokens.iter().any(is_one);
        is_good.then(|| kept.session.clone())
    }

    /// Ends the session of a cookie.
    pub(super) fn end(&self, cookie: &str) {
        lock(&self.0).remove(&hash(cookie.as_bytes()));
    }

    /// Keeps something to be said on the next page of a session.
    pub(super) fn notice(&self, session: &Session, notice: Event) {
        if let Some(kept) = lock(&self.0).get_mut(&session.id) {
            kept.notice = Some(notice);
        }
    }

    /// Takes what is to be said on this page.
    pub(super) fn take_notice(&self, session: &Session) -> Option<Event> {
        lock(&self.0).get_mut(&session.id)?.notice.take()
    }
}

impl Kept {
    /// A clock that was set back ends it, too.
    fn is_alive(&self, now: SystemTime) -> bool {
        age(self.since, now).is_some_and(|age| age < LIFE)
    }
}

fn random() -> Option<String> {
    let mut bytes = [0; RANDOM];
    rand::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::auth::Role;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn token(name: &str, role: Role) -> AdminToken {
        AdminToken {
            name: name.to_owned(),
            role,
            hash: hash(name.as_bytes()),
        }
    }

    #[test]
    fn a_session_lasts_as_long_as_its_token_and_twelve_hours_at_most() {
        let (sessions, one) = (Sessions::default(), token("one", Role::Operate));
        let cookie = sessions.begin(&one, START).unwrap();
        let find = |cookie: &str, tokens: &[AdminToken], now| {
            let found = sessions.find(cookie, tokens, now);
            found.map(|session| session.caller.name)
        };
        let name = Some("one".to_owned());
        assert_eq!(find(&cookie, std::slice::from_ref(&one), START), name);
        // Who came before it began, and is answered behind it, ends it no more than he begins it.
        let before = START - Duration::from_secs(1);
        assert_eq!(find(&cookie, std::slice::from_ref(&one), before), name);
        let other = token("other", Role::Operate);
        assert_eq!(find(&cookie, &[other.clone(), one.clone()], START), name);
        assert_eq!(find(&cookie, &[other], START), None);
        // What may less now may less at once.
        assert_eq!(find(&cookie, &[token("one", Role::Read)], START), None);
        assert_eq!(find("", std::slice::from_ref(&one), START), None);
        let just = START + LIFE - Duration::from_secs(1);
        assert_eq!(find(&cookie, std::slice::from_ref(&one), just), name);
        assert_eq!(
            find(&cookie, std::slice::from_ref(&one), START + LIFE),
            None
        );
        sessions.end(&cookie);
        assert_eq!(find(&cookie, &[one], START), None);
    }

    #[test]
    fn each_has_its_own_word_and_the_oldest_goes() {
        let (sessions, one) = (Sessions::default(), token("one", Role::Read));
        let begin = |n: u64| {
            sessions
                .begin(&one, START + Duration::from_secs(n))
                .unwrap()
        };
        let other = token("other", Role::Operate);
        let first = sessions.begin(&other, START).unwrap();
        let cookies: Vec<_> = (0..=MOST as u64).map(begin).collect();
        let now = START + Duration::from_secs(MOST as u64);
        let find = |n: usize| sessions.find(&cookies[n], std::slice::from_ref(&one), now);
        assert!(find(0).is_none());
        // Nobody else is signed out by it.
        assert!(sessions.find(&first, &[other], now).is_some());
        let (two, three) = (find(1).unwrap(), find(2).unwrap());
        assert!(two.confirms(&two.csrf) && !two.confirms(&three.csrf) && !two.confirms(""));
        // `Debug` is what a log may show.
        assert_eq!(format!("{two:?}"), "Session(one, read)");
    }
}
