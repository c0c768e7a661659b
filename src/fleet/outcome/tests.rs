use super::*;
use proptest::prelude::*;

mod joined;

const TERM: u64 = 10_000;

fn build(version: &str, hash: Option<u8>) -> Arc<Build> {
    Arc::new(Build {
        reported: Some(version.into()),
        elf_sha256: hash.map(|byte| [byte; 32]),
        ..Build::default()
    })
}

fn image(version: &str, hash: Option<u8>) -> Arc<OfferedImage> {
    Arc::new(OfferedImage {
        file: format!("a_{version}.bin").into(),
        version: version.into(),
        inside: Some(version.into()),
        elf_sha256: hash.map(|byte| [byte; 32]),
        content: Content([version.as_bytes()[0]; 16]),
    })
}

/// One device, and the server that follows it.
struct World {
    history: History,
    before: Arc<Build>,
    images: [Arc<OfferedImage>; 2],
    served: u64,
    number: u16,
    attempt: u8,
    boot: u32,
    changes: Vec<Change>,
    term: u64,
    /// What the store knows, while it is not read yet.
    stored: Option<History>,
    /// What the device said since then that it runs.
    said: Option<Arc<Build>>,
}

impl World {
    fn new() -> Self {
        Self {
            history: History::default(),
            before: build("1.0", Some(1)),
            images: [image("2.0", Some(2)), image("30.0", Some(3))],
            served: 0,
            number: 0,
            attempt: 0,
            boot: 1,
            changes: Vec::new(),
            term: TERM,
            stored: None,
            said: None,
        }
    }

    fn now(&self) -> Moment {
        Moment {
            wall: 1_800_000_000_000 + self.served,
            served: self.served,
            term: self.term,
        }
    }

    fn offer(&mut self, image: usize, is_forced: bool) {
        let (now, boot) = (self.now(), is_forced.then_some(self.boot));
        let image = Arc::clone(&self.images[image]);
        let before = Arc::clone(&self.before);
        let fresh = self.number.wrapping_add(1);
        let (number, changes) = self.history.offered(&image, &before, boot, fresh, now);
        self.number = number;
        self.changes.extend(changes.into_iter().flatten());
    }

    fn check(&mut self, runs: &Arc<Build>) {
        self.boot += 1;
        let change = self.history.checked(runs, self.now());
        self.changes.extend(change);
        self.said = Some(Arc::clone(runs));
    }

    /// Starts anew: nothing is known but what comes from now on.
    fn start(&mut self) {
        if self.stored.is_none() {
            self.stored = Some(std::mem::take(&mut self.history));
            self.said = None;
        }
    }

    /// Reads what was stored.
    fn read(&mut self) {
        let Some(mut stored) = self.stored.take() else {
            return;
        };
        let now = self.now();
        self.changes.extend(stored.restarted(now));
        let since = std::mem::replace(&mut self.history, stored);
        let said = self.said.as_deref().filter(|build| build.is_said());
        let changes = self.history.join(Some(since), said, now);
        self.changes.extend(changes);
    }

    fn step(&mut self, step: &str) {
        self.served += 1000;
        let now = self.now();
        let change = match step {
            "a" | "b" => {
                self.offer(usize::from(step == "b"), false);
                None
            }
            "force" => {
                self.offer(0, true);
                None
            }
            "begin" => self
                .history
                .begun(self.number, now)
                .and_then(|(attempt, change)| {
                    self.attempt = attempt;
                    change
                }),
            "whole" => self.history.fetched(self.number, now),
            "cut" => self.history.cut(self.number, self.attempt, now),
            "late" => {
                self.served += self.term;
                None
            }
            "wait" => {
                self.served += self.term;
                self.history.waited(self.now())
            }
            // Somebody changes `gateway.fleet.silent_after`.
            "shorter" | "usual" | "longer" => {
                self.term = match step {
                    "shorter" => TERM / 4,
                    "usual" => TERM,
                    _ => 4 * TERM,
                };
                None
            }
            "start" | "read" => {
                if step == "start" {
                    self.start();
                } else {
                    self.read();
                }
                None
            }
            "look" => self.history.waited(now),
            "restart" => self.history.restarted(now),
            "old" | "new" | "newer" | "other" | "unsaid" => {
                let runs = match step {
                    "old" => Arc::clone(&self.before),
                    "new" => build("2.0", Some(2)),
                    "newer" => build("30.0", Some(3)),
                    "unsaid" => Arc::default(),
                    _ => build("9.9", Some(9)),
                };
                self.check(&runs);
                None
            }
            step => panic!("{step}"),
        };
        self.changes.extend(change);
    }

    fn ends(&self) -> Vec<&'static str> {
        let offers = self.history.offers.iter();
        offers.map(|offer| offer.end.key()).collect()
    }
}

fn played(steps: &str) -> World {
    let mut world = World::new();
    for step in steps.split_whitespace() {
        world.step(step);
    }
    world
}

#[test]
fn an_offer_ends_as_the_device_shows() {
    for (steps, ends) in [
        ("old", &[][..]),
        ("old a", &["offered"]),
        ("old a begin", &["fetching"]),
        ("old a begin whole", &["fetched"]),
        ("old a begin whole new", &["succeeded"]),
        ("old a begin whole old", &["rolled-back"]),
        ("old a begin whole other", &["interrupted"]),
        ("old a begin whole wait", &["silent"]),
        ("old a begin whole late old", &["silent"]),
        ("old a begin whole wait old", &["silent"]),
        ("old a begin whole wait new", &["succeeded"]),
        ("old a begin whole late new", &["succeeded"]),
        ("old a begin whole old new", &["succeeded"]),
        ("old a begin whole restart new", &["succeeded"]),
        ("old a begin whole restart old", &["rolled-back"]),
        ("old a begin cut", &["interrupted"]),
        ("old a begin restart", &["interrupted"]),
        ("old a begin wait", &["interrupted"]),
        ("old a begin wait whole", &["fetched"]),
        ("old a wait", &["interrupted"]),
        ("old a wait begin whole new", &["succeeded"]),
        ("old a new", &["succeeded"]),
        ("old a begin cut new", &["succeeded"]),
        ("old a begin cut old a", &["offered"]),
        ("old a begin old a cut begin whole new", &["succeeded"]),
        // Twice at once: the first is cut, the second comes whole.
        ("old a begin begin cut whole", &["fetched"]),
        ("old a begin whole begin cut new", &["succeeded"]),
        ("old a begin whole begin whole old", &["rolled-back"]),
        ("old a b", &["superseded", "offered"]),
        (
            "old a begin cut b begin whole newer",
            &["superseded", "succeeded"],
        ),
        ("old a b new", &["succeeded", "offered"]),
        (
            "old a begin whole old a begin whole old",
            &["rolled-back"; 2],
        ),
        (
            "old a begin whole wait old a begin whole wait",
            &["silent"; 2],
        ),
        ("old a begin whole new old", &["succeeded"]),
        (
            "old a begin whole new b begin whole old",
            &["succeeded", "rolled-back"],
        ),
        // A body that was lost, or broke before it said what runs, ends nothing.
        ("old a begin whole unsaid", &["fetched"]),
        ("old a begin whole unsaid old", &["rolled-back"]),
        ("old a begin whole unsaid new", &["succeeded"]),
        ("old a begin whole unsaid wait", &["silent"]),
        ("old a begin whole late unsaid", &["fetched"]),
        ("old a begin whole late unsaid look", &["silent"]),
        ("old a begin whole wait unsaid new", &["succeeded"]),
        ("unsaid a begin whole new unsaid", &["succeeded"]),
        // Flashed by hand with what an older offer was.
        (
            "old a begin whole old b begin whole newer new",
            &["rolled-back", "succeeded"],
        ),
    ] {
        assert_eq!(played(steps).ends(), ends, "{steps}");
    }
}

/// Whoever changes the term sees it on the devices that wait already.
#[test]
fn a_term_that_changes_is_reckoned_from_its_begin() {
    for (steps, end) in [
        // Each step takes a second, and the usual term ten: what is looked at below came
        // whole three to five seconds before.
        ("old a begin whole old", "rolled-back"),
        ("old a begin whole look look look", "fetched"),
        ("old a begin whole look look shorter look", "silent"),
        ("old a begin whole look look shorter old", "silent"),
        ("old a begin whole longer late usual look", "silent"),
        ("old a begin whole shorter usual look look", "fetched"),
        ("old a begin whole late longer look", "fetched"),
        ("old a begin whole late longer old", "rolled-back"),
        ("old a begin whole late longer usual look", "silent"),
        ("old a begin whole look shorter restart look", "silent"),
        ("old a begin look look shorter look", "interrupted"),
        ("old a look look shorter look", "interrupted"),
        // What ended stays ended, but for a success.
        ("old a begin whole wait longer look old", "silent"),
        ("old a begin whole wait longer new", "succeeded"),
    ] {
        assert_eq!(played(steps).ends(), [end], "{steps}");
    }
}

#[test]
fn who_says_half_of_what_it_runs_says_as_much() {
    let checked = |image: OfferedImage, before: Build, now: Build| {
        let mut world = World::new();
        world.images[0] = Arc::new(image);
        world.before = Arc::new(before);
        for step in ["a", "begin", "whole"] {
            world.step(step);
        }
        world.check(&Arc::new(now));
        world.ends()[0]
    };
    let hash = |byte| Build {
        elf_sha256: Some([byte; 32]),
        ..Build::default()
    };
    let hashed = || (*image("2.0", Some(2))).clone();
    let foreign = || (*image("2.0", None)).clone();
    let both = || (*build("1.0", Some(1))).clone();
    let version = |version| (*build(version, None)).clone();
    for (image, before, now, end) in [
        (hashed(), both(), hash(2), "succeeded"),
        (hashed(), both(), hash(1), "rolled-back"),
        (hashed(), version("1.0"), hash(1), "interrupted"),
        // The image has no hash: one of what runs says nothing of it.
        (foreign(), both(), hash(1), "fetched"),
        (foreign(), both(), version("1.0"), "rolled-back"),
        (foreign(), Build::default(), version("2.0"), "succeeded"),
        (foreign(), Build::default(), version("1.0"), "interrupted"),
        // Nobody said 0.0.0.
        (
            OfferedImage {
                inside: Some("0.0.0".into()),
                ..foreign()
            },
            both(),
            Build::default(),
            "fetched",
        ),
    ] {
        let shown = format!("{image:?} {before:?} {now:?}");
        assert_eq!(checked(image, before, now), end, "{shown}");
    }
}

#[test]
fn an_attempt_that_is_over_cuts_nothing() {
    let mut world = played("old a begin");
    let first = world.attempt;
    world.step("begin");
    assert_ne!(first, world.attempt);
    let now = world.now();
    assert_eq!(world.history.cut(world.number, first, now), None);
    assert_eq!(world.ends(), ["fetching"]);
}

#[test]
fn a_failure_is_counted_once_an_offer_and_forgiven_by_a_success() {
    let failed = |steps: &str| {
        let world = played(steps);
        world.history.times_failed(world.images[0].content)
    };
    assert_eq!(failed("old a begin whole old old old"), Some(1));
    assert_eq!(failed("old a begin whole wait old look wait"), Some(1));
    assert_eq!(failed("old a begin whole old a begin whole wait"), Some(2));
    assert_eq!(failed("old a begin cut a begin cut a wait"), Some(0));
    assert_eq!(failed("old a begin whole wait new"), Some(0));
    let mut world = played("old a begin whole old a begin whole old");
    let content = world.images[0].content;
    let (other, now) = (world.images[1].content, world.now().wall);
    assert_eq!(world.history.retry(Some(other), now), 0);
    // An order that is older than the failure.
    assert_eq!(world.history.retry(Some(content), now - TERM), 0);
    assert_eq!(world.history.retry(Some(content), now), 1);
    assert_eq!(world.history.times_failed(content), Some(0));
}

#[test]
fn what_is_forced_is_counted_by_boots_and_forgiven_to_who_got_on() {
    let mut world = World::new();
    let (content, before) = (world.images[0].content, Arc::clone(&world.before));
    for boots in 1..4 {
        for _ in 0..3 {
            world.step("force");
        }
        let runs = Arc::clone(&world.before);
        assert_eq!(world.history.times_forced(content, &before), boots);
        world.check(&runs);
    }
    let other = build("1.1", None);
    assert_eq!(world.history.times_forced(content, &other), 0);
    world.before = other;
    world.step("force");
    assert_eq!(world.history.times_forced(content, &world.before), 1);
    assert_eq!(world.history.retry(None, world.now().wall), 0);
    assert_eq!(world.history.times_forced(content, &world.before), 0);
}

#[test]
fn an_image_is_known_by_its_hash_or_by_a_version_that_was_not_there_before() {
    let runs = |image: &OfferedImage, now: &Build, before: &Build| image.runs_on(now, before);
    let (one, two) = (image("2.0", Some(2)), image("2.0", None));
    let before = build("1.0", Some(1));
    assert!(runs(&one, &build("2.0", Some(2)), &before));
    assert!(runs(&one, &build("1.0", Some(2)), &before));
    assert!(runs(&one, &build("2.0", None), &before));
    assert!(runs(&one, &build("2.0", Some(7)), &before));
    assert!(runs(&two, &build("2.0", Some(7)), &before));
    assert!(!runs(&one, &build("1.0", Some(1)), &before));
    // Another build of one version says nothing by its version.
    let before = build("2.0", Some(1));
    assert!(!runs(&one, &build("2.0", Some(1)), &before));
    assert!(runs(&one, &build("2.0", Some(2)), &before));
    assert!(!runs(&two, &build("2.0", Some(1)), &before));
}

#[test]
fn what_is_kept_is_bounded() {
    let mut world = World::new();
    for n in 0..40u8 {
        let fresh = image(&format!("{}.0", 100 + u32::from(n)), None);
        let fresh = OfferedImage {
            content: Content([n; 16]),
            ..(*fresh).clone()
        };
        world.images[0] = Arc::new(fresh);
        for step in ["a", "begin", "whole", "old"].repeat(2) {
            world.step(step);
        }
    }
    let history = &world.history;
    assert_eq!(
        (history.offers.len(), history.failed.len()),
        (OFFERS, FAILED)
    );
    assert_eq!(history.times_failed(Content([3; 16])), Some(2));
    assert_eq!(history.times_failed(Content([99; 16])), None);
}

proptest! {
    /// No order of events leads to a state without a way out, counts a device twice in one
    /// offer, or calls a cut transfer a failure.
    #[test]
    fn every_order_of_events_ends(
        steps in prop::collection::vec(
            prop::sample::select(vec![
                "old", "new", "newer", "other", "unsaid", "a", "b", "force", "begin", "whole",
                "cut", "look", "wait", "late", "restart", "shorter", "usual", "longer",
                "start", "read",
            ]),
            0..60,
        ),
        back in 0u64..100_000,
    ) {
        let mut world = World::new();
        let mut is_whole = std::collections::HashMap::new();
        for (at, step) in steps.iter().enumerate() {
            let changes = world.changes.len();
            let before = world.ends();
            world.step(step);
            let new: Vec<_> = world.changes[changes..].to_vec();
            if *step == "whole" {
                is_whole.insert(world.number, true);
            }
            if matches!(*step, "a" | "b" | "force") && world.ends().len() > before.len() {
                is_whole.remove(&world.number);
            }
            let last = world.history.offers.last();
            if matches!(*step, "look" | "wait") && let Some(last) = last.filter(|l| l.end.is_open()) {
                prop_assert!(world.served < last.since + world.term, "{} {:?}", at, steps);
            }
            if *step == "unsaid" {
                prop_assert!(new.is_empty(), "{} {:?}", at, steps);
            }
            for change in new {
                prop_assert_ne!(change.from, Some(change.to));
                if change.to.is_failure() {
                    // Only what came whole fails, and at most once.
                    prop_assert_eq!(change.from, Some(OfferEnd::Fetched), "{}", step);
                    let is_whole = is_whole.contains_key(&world.number) || *step == "read";
                    prop_assert!(is_whole, "{} {:?}", at, steps);
                }
            }
            prop_assert!(world.history.offers.len() <= OFFERS);
            // Only the newest is open, and it has a term.
            let offers = &world.history.offers;
            let older = offers.len().saturating_sub(1);
            for offer in &offers[..older] {
                prop_assert!(!offer.end.is_open(), "{:?}", world.ends());
            }
            if let Some(last) = offers.last() && last.end.is_open() {
                prop_assert!(last.since <= world.served);
            }
            let failures: u32 = world.history.failed.iter().map(|failed| failed.times).sum();
            let failed = world.changes.iter().filter(|change| change.to.is_failure());
            prop_assert!(failures as usize <= failed.count());
        }
        world.read();
        // A clock that jumps back, or one that was lost, holds nothing up for ever.
        world.served = world.served.saturating_sub(back);
        let now = world.now();
        world.history.restarted(now);
        world.served += world.term;
        let now = world.now();
        world.history.waited(now);
        prop_assert_eq!(world.history.waits_since(), None, "{:?}", world.ends());
        // And every offer goes on, or is followed by one that does.
        world.step("a");
        world.step("begin");
        world.step("whole");
        world.step("new");
        prop_assert!(world.ends().contains(&"succeeded"), "{:?}", world.ends());
    }
}
