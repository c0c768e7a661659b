//! Standing events: what was said of this server itself and still is so, until it is said to
//! be mended. Nothing is worked out a second time: the words are those of whoever found it.
//!
//! What somebody else remembers anyhow is not here: what the audits found, files that are not
//! used, servers behind that do not answer.

use super::{Event, Kind, Severity, kinds};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most events of one kind that stand. Strangers can make some of them: the oldest goes.
const MOST: usize = 32;

/// A kind of which events stand.
struct Rule {
    kind: &'static Kind,
    /// Fields that say of what it is: of one thing the last event counts.
    of: &'static [&'static str],
    /// Kinds that end it. Where there are none it stands until this process ends, or until
    /// somebody calls [`Standing::ended`], or whoever shows it sees that it is mended.
    until: &'static [&'static Kind],
}

const fn rule(
    kind: &'static Kind,
    of: &'static [&'static str],
    until: &'static [&'static Kind],
) -> Rule {
    Rule { kind, of, until }
}

static RULES: [Rule; 33] = [
    rule(&kinds::CONFIG_REFUSED, &["what"], &[&kinds::RELOAD]),
    rule(&kinds::CONFIG_NEEDS_RESTART, &["key"], &[&kinds::RELOAD]),
    rule(&kinds::CONFIG_WAITS_FOR_KEY, &["key"], &[&kinds::RELOAD]),
    rule(&kinds::CONFIG_WAITS_FOR_FILES, &["key"], &[&kinds::RELOAD]),
    rule(&kinds::ADMIN_TOKEN_OPEN, &["file"], &[]),
    rule(
        &kinds::ADMIN_NO_TOKEN,
        &[],
        &[&kinds::ADMIN_TOKEN_REPLACED, &kinds::ADMIN_TOKEN_ANEW],
    ),
    rule(
        &kinds::ACME_FAILED,
        &[],
        &[&kinds::ACME_OBTAINED, &kinds::ACME_KEPT],
    ),
    rule(
        &kinds::ACME_NAME_UNKNOWN,
        &["name"],
        &[&kinds::ACME_OBTAINED],
    ),
    rule(
        &kinds::ACME_NAME_PRIVATE,
        &["name"],
        &[&kinds::ACME_OBTAINED],
    ),
    rule(
        &kinds::ACME_NAME_ELSEWHERE,
        &["name"],
        &[&kinds::ACME_OBTAINED],
    ),
    rule(
        &kinds::ACME_NAME_FOREIGN,
        &["name"],
        &[&kinds::ACME_OBTAINED],
    ),
    rule(
        &kinds::CERTIFICATE_STAND_IN,
        &[],
        &[&kinds::CERTIFICATES_REPLACED],
    ),
    rule(
        &kinds::CERTIFICATE_UNKEPT,
        &[],
        &[&kinds::CERTIFICATE_SIGNED],
    ),
    rule(
        &kinds::CERTIFICATE_KEPT_UNFIT,
        &[],
        &[&kinds::CERTIFICATE_SIGNED],
    ),
    rule(&kinds::CLOCK_BEHIND, &[], &[&kinds::CLOCK_SET]),
    rule(&kinds::STATE_UNWRITABLE, &[], &[]),
    rule(&kinds::STATE_UNLOCKED, &[], &[]),
    rule(&kinds::STATE_SHARED, &[], &[]),
    rule(&kinds::STATE_WIDE, &[], &[]),
    rule(&kinds::ORDERS_NEWER, &[], &[]),
    rule(&kinds::ORDERS_UNREADABLE, &[], &[]),
    rule(&kinds::ORDERS_ODD, &[], &[]),
    rule(&kinds::FILES_LIMITED, &[], &[]),
    rule(
        &kinds::FOLDER_UNREADABLE,
        &[],
        &[&kinds::FOLDER_BACK, &kinds::FOLDER_UNAVAILABLE],
    ),
    rule(
        &kinds::FOLDER_UNAVAILABLE,
        &[],
        &[&kinds::FOLDER_BACK, &kinds::FOLDER_UNREADABLE],
    ),
    rule(&kinds::FOLDER_UNWATCHED, &[], &[]),
    rule(&kinds::LOG_FILE_LATER, &[], &[]),
    rule(&kinds::LOG_FAULT, &["output"], &[]),
    rule(&kinds::ADDRESS_IN_FRONT, &[], &[&kinds::CONFIG_CHANGED]),
    rule(&kinds::MODEL_NEAR, &["file"], &[]),
    rule(&kinds::MODEL_UNNAMEABLE, &["file"], &[]),
    rule(&kinds::MODEL_RENAMED, &["new"], &[]),
    rule(&kinds::MODEL_UNALIASED, &["model"], &[]),
];

fn rule_of(kind: &Kind) -> Option<&'static Rule> {
    RULES.iter().find(|rule| ptr::eq(rule.kind, kind))
}

/// Tells whether an event of this kind stands, or ends one that does: it is made whatever
/// level the log takes.
pub(super) fn is_noted(kind: &Kind) -> bool {
    kind.severity != Severity::Info && rule_of(kind).is_some() || !STANDING.is_empty() && ends(kind)
}

fn ends(kind: &Kind) -> bool {
    let mut all = RULES.iter().flat_map(|rule| rule.until);
    all.any(|until| ptr::eq(*until, kind))
}

/// Events that stand in this process.
pub(crate) static STANDING: Standing = Standing::new();

/// Events that stand, in the order in which they were said.
#[derive(Debug)]
pub(crate) struct Standing {
    events: Mutex<Vec<Event>>,
    /// Number of them, for whoever says something that may end one.
    count: AtomicUsize,
}

impl Standing {
    const fn new() -> Self {
        Self {
            events: Mutex::new(Vec::new()),
            count: AtomicUsize::new(0),
        }
    }

    /// Returns all that stands.
    pub(crate) fn all(&self) -> Vec<Event> {
        self.events().clone()
    }

    /// Notes an event that is said: it stands from now on, or ends what does.
    pub(crate) fn note(&self, event: &Event) {
        let kind = event.kind;
        if !self.is_empty() && ends(kind) {
            self.keep(|before| {
                let rule = rule_of(before.kind);
                !rule.is_some_and(|rule| rule.until.iter().any(|until| ptr::eq(*until, kind)))
            });
        }
        if kind.severity == Severity::Info {
            return;
        }
        let Some(rule) = rule_of(kind) else {
            return;
        };
        let is_same = |before: &Event| {
            let mut of = rule.of.iter();
            before.kind == kind && of.all(|name| before.field(name) == event.field(name))
        };
        let mut events = self.events();
        events.retain(|before| !is_same(before));
        let of_kind = || events.iter().filter(|before| before.kind == kind);
        if of_kind().count() >= MOST
            && let Some(oldest) = events.iter().position(|before| before.kind == kind)
        {
            events.remove(oldest);
        }
        events.push(event.clone());
        self.count.store(events.len(), Ordering::Relaxed);
    }

    /// Takes that what was said is mended, where no event says so: those of `kind` of which
    /// `is_it` holds.
    pub(crate) fn ended(&self, kind: &Kind, is_it: impl Fn(&Event) -> bool) {
        if !self.is_empty() {
            self.keep(|before| before.kind != kind || !is_it(before));
        }
    }

    fn keep(&self, stands: impl Fn(&Event) -> bool) {
        let mut events = self.events();
        events.retain(stands);
        self.count.store(events.len(), Ordering::Relaxed);
    }

    fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::event;

    fn ids(standing: &Standing) -> Vec<&'static str> {
        let all = standing.all().into_iter();
        all.map(|event| event.kind.id).collect()
    }

    #[test]
    fn what_was_said_stands_until_it_is_said_to_be_mended() {
        let standing = Standing::new();
        let refused = |what: &str| event!(CONFIG_REFUSED, what = what);
        standing.note(&refused("one"));
        standing.note(&refused("other"));
        standing.note(&refused("one"));
        standing.note(&event!(CLOCK_BEHIND, now = "1970", built = "2026"));
        let two = ["config.refused", "config.refused", "clock.behind"];
        assert_eq!(ids(&standing), two);
        // What has nothing to do with it ends nothing.
        standing.note(&event!(CERTIFICATES_REPLACED));
        standing.note(&event!(FILES_READ, files = 1u64, seconds = 1u64));
        assert_eq!(ids(&standing), two);
        standing.note(&event!(RELOAD));
        assert_eq!(ids(&standing), ["clock.behind"]);
        standing.note(&event!(CLOCK_SET));
        assert!(ids(&standing).is_empty() && standing.is_empty());
    }

    #[test]
    fn a_token_that_is_there_again_is_lacking_no_more() {
        for back in [
            event!(ADMIN_TOKEN_REPLACED, file = "f"),
            event!(ADMIN_TOKEN_ANEW, file = "f"),
        ] {
            let standing = Standing::new();
            standing.note(&event!(ADMIN_NO_TOKEN, dir = "d", error = "e"));
            standing.note(&event!(RELOAD));
            assert_eq!(ids(&standing), ["admin.no-token"]);
            standing.note(&back);
            assert!(standing.is_empty());
        }
    }

    #[test]
    fn what_is_no_news_of_the_server_does_not_stand() {
        let standing = Standing::new();
        standing.note(&event!(LOG_DROPPED, lines = 1u64));
        standing.note(&event!(STOPPED));
        assert!(standing.is_empty());
    }

    #[test]
    fn strangers_fill_a_place_that_is_bounded() {
        let standing = Standing::new();
        standing.note(&event!(CLOCK_BEHIND, now = "1970", built = "2026"));
        for number in 0..10 * MOST {
            let file = number.to_string();
            standing.note(&event!(MODEL_NEAR, device = "d", model = "m", file = &file));
        }
        let all = standing.all();
        assert_eq!(all.len(), MOST + 1);
        assert_eq!(all[0].kind.id, "clock.behind");
        let last = (10 * MOST - 1).to_string();
        assert_eq!(all[MOST].field("file"), Some(&last.into()));
        standing.ended(&kinds::MODEL_NEAR, |_| true);
        assert_eq!(standing.all().len(), 1);
    }

    #[test]
    fn what_stands_is_worth_a_look_and_is_named_by_fields_that_it_has() {
        for rule in &RULES {
            assert!(rule.kind.severity != Severity::Info, "{}", rule.kind.id);
            for name in rule.of {
                assert!(rule.kind.fields.contains(name), "{}: {name}", rule.kind.id);
            }
            let of_kind = RULES.iter().filter(|other| other.kind == rule.kind);
            assert_eq!(of_kind.count(), 1, "{}", rule.kind.id);
        }
    }
}
