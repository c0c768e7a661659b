//! Check-ins that do not say what runs: their bodies were lost or broke on the way, or they never
//! said it.

use super::*;

const DEVICE: &str = "02:00:00:00:00:01";
const OLD: &str = r#"{"application":{"version":"1.0"},"board":{"name":"a"}}"#;
const NEW: &str = r#"{"application":{"version":"2.0"},"board":{"name":"a"}}"#;

/// A fleet, and a device of it that was offered version 2.0 and fetched it.
struct World {
    fleet: Fleet,
    files: Snapshot,
    second: u64,
}

/// Returns a folder with these files, each of its own content.
fn files(names: &[&str]) -> Snapshot {
    let entry = |name: &&str| {
        let version = name.split('_').nth(1).unwrap().trim_end_matches(".bin");
        image_entry(name, &Image::new(version), 2048)
    };
    let entries: Vec<_> = names.iter().map(entry).collect();
    Snapshot::new(entries, ["a".to_owned(), "default".to_owned()].into())
}

impl World {
    fn new() -> Self {
        Self {
            fleet: Fleet::default(),
            files: files(&["a_2.0.bin", "default_3.0.bin"]),
            second: 0,
        }
    }

    /// Lets the device come a minute later, and returns what it is told.
    fn come(&mut self, body: &str) -> String {
        self.second += 60;
        let device = (DEVICE, body);
        told(
            &self.fleet,
            device,
            &self.files,
            &Policy::default(),
            self.second,
        )
    }

    fn fetch(&self) {
        let id = DeviceId::new(DEVICE);
        let moment = self
            .fleet
            .moment(UNIX_EPOCH + Duration::from_secs(self.second));
        let mut shard = self.fleet.table.shard(&id);
        let history = shard.get_mut(&id).unwrap().history.as_mut().unwrap();
        let number = history.offers.last().unwrap().number;
        history.begun(number, moment).unwrap();
        history.fetched(number, moment).unwrap();
    }

    fn known(&self) -> Record {
        self.fleet.find(&DeviceId::new(DEVICE)).unwrap()
    }

    fn ends(&self) -> Vec<&'static str> {
        let history = self.known().history.unwrap();
        history.offers.iter().map(|offer| offer.end.key()).collect()
    }

    /// Lets the term pass.
    fn wait(&self) {
        self.fleet.read_served(600_000);
        let now = UNIX_EPOCH + Duration::from_secs(self.second);
        self.fleet.tick(true, now);
    }
}

#[test]
fn they_end_no_offer_and_take_nothing_from_what_is_known() {
    for (then, end) in [(OLD, "rolled-back"), (NEW, "succeeded")] {
        let mut world = World::new();
        assert_eq!(world.come(OLD), "a_2.0.bin");
        world.fetch();
        // Of what it says in a part of a body nothing counts, for the rest was lost.
        for body in [
            r#"{"chip_model_name":"esp32s3"}"#,
            "",
            "{",
            "{}",
            "nonsense",
            r#"{"board":{"name":"a"}}"#,
            "\0",
        ] {
            let told = world.come(body);
            assert!(
                !told.contains(".bin forced") && !told.ends_with(".bin"),
                "{body}: {told}"
            );
            assert_eq!(world.ends(), ["fetched"], "{body}");
            let known = world.known();
            assert_eq!(known.build.version(), "1.0", "{body}");
            assert_eq!(known.named(), Some("a"), "{body}");
        }
        // It was there all the same.
        assert_eq!(world.known().boots, 8);
        world.come(then);
        assert_eq!(world.ends()[0], end);
    }
    // Where it never says so, it is silent in the end.
    let mut world = World::new();
    world.come(OLD);
    world.fetch();
    world.come("");
    world.wait();
    assert_eq!(world.ends(), ["silent"]);
    world.come("");
    assert_eq!(world.ends(), ["silent"]);
    world.come(NEW);
    assert_eq!(world.ends(), ["succeeded"]);
}

/// It came before the store was read, and what it did not say then the store says.
#[test]
fn what_is_read_later_is_not_overruled_by_one() {
    let mut world = World::new();
    world.come(OLD);
    world.fetch();
    let old = world.known();
    for (body, version, end) in [
        ("", "1.0", "fetched"),
        (r#"{"chip_model_name":"esp32s3"}"#, "1.0", "fetched"),
        (NEW, "2.0", "succeeded"),
        (OLD, "1.0", "rolled-back"),
    ] {
        let start = FleetStart {
            is_kept: true,
            ..FleetStart::default()
        };
        let mut world = World {
            fleet: Fleet::new(start),
            ..World::new()
        };
        world.come(body);
        world.fleet.failures_known();
        world.fleet.read(vec![(DeviceId::new(DEVICE), old.clone())]);
        world.fleet.all_read();
        let known = world.known();
        assert_eq!(known.build.version(), version, "{body}");
        assert_eq!(known.named(), Some("a"), "{body}");
        assert_eq!(world.ends(), [end], "{body}");
    }
}

/// It would install the same image at each of its boots.
#[test]
fn who_never_says_what_runs_is_not_offered_what_it_fetched_again_and_again() {
    let mut world = World::new();
    let never = r#"{"board":{"name":"a"}}"#;
    for n in 1..=2 {
        assert_eq!(world.come(never), "a_2.0.bin");
        world.fetch();
        for _ in 0..3 {
            let told = world.come(never);
            assert!(told.contains("Unsaid"), "{told}");
            assert_eq!(world.known().why.unwrap().id, "withheld.unsaid");
        }
        // Another image is none for it either: the end of this one is still to be seen.
        world.files = files(&["a_2.0.bin", "a_2.1.bin"]);
        assert!(world.come(never).contains("Unsaid"));
        world.files = files(&["a_2.0.bin"]);
        world.wait();
        assert_eq!(world.ends(), vec!["silent"; n]);
    }
    assert!(world.come(never).contains("Failed { times: 2 }"));
    // What it has not fetched yet is offered, however little it says.
    world.files = files(&["a_2.0.bin", "a_2.1.bin"]);
    assert_eq!(world.come(never), "a_2.1.bin");
    assert_eq!(world.come(never), "a_2.1.bin");
}

#[test]
fn what_was_fetched_lies_between_two_boots_however_fast() {
    let mut world = World::new();
    world.come(OLD);
    // At the very moment of the check-in, as the clock has it.
    world.fetch();
    world.second -= 59;
    world.come(OLD);
    assert_eq!(world.known().boots, 2);
}
