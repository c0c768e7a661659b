//! Images as they come, held against what an image must be.
//!
//! A fleet gets the same image many times over, and a hash costs many times what a
//! comparison does. So the device that is the furthest leaves a copy of what came
//! and hashes it; every device behind it is compared with that copy, byte by byte.
//! An image that differs is hashed apart, from the first byte on.

use super::failure::{Failure, FailureKind};
use crate::probe::device::Device;
use crate::probe::image::judge;
use crate::probe::reply::Update;
use crate::probe::rules::image as rules;
use std::cell::RefCell;
use std::rc::Rc;
use xiaozhi_device::image::{Inspector, Verdict};

/// Number of copies that are kept, and the length of the longest in bytes.
const KEPT: usize = 4;
const LONGEST: u64 = 16 << 20;

/// Copies of images: never more than [`KEPT`], those of devices under way included.
#[derive(Debug, Default)]
pub(super) struct Images(RefCell<Vec<Rc<Copied>>>);

/// Copy of what has come from one address so far.
#[derive(Debug)]
struct Copied {
    url: String,
    length: u64,
    content: RefCell<Content>,
}

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    inspector: Inspector,
    /// Verdict on the whole image, once it is there.
    verdict: Option<Rc<Verdict>>,
}

impl Images {
    /// Begins an image of so many bytes from this address.
    pub(super) fn begin(&self, url: &str, length: u64) -> Incoming {
        match self.copy_of(url, length) {
            Some(copied) => Incoming(Way::Together { copied, at: 0 }),
            None => Incoming(Way::Alone(Box::default())),
        }
    }

    /// Returns the copy to compare with, or `None` where there is no room for one.
    fn copy_of(&self, url: &str, length: u64) -> Option<Rc<Copied>> {
        // Behind a question mark stands who asks, if anything.
        let url = url.split('?').next().unwrap_or_default();
        let mut kept = self.0.borrow_mut();
        let same = |c: &Rc<Copied>| c.url == url && c.length == length;
        if let Some(known) = kept.iter().find(|c| same(c) && !c.is_bad()) {
            return Some(Rc::clone(known));
        }
        // One that a device still holds would stay in memory all the same.
        let is_idle = |c: &Rc<Copied>| Rc::strong_count(c) == 1;
        let mut place = kept.iter().position(|c| is_idle(c) && c.is_bad());
        if kept.len() >= KEPT {
            place = place.or_else(|| kept.iter().position(is_idle));
        }
        if let Some(place) = place {
            kept.remove(place);
        }
        if length > LONGEST || kept.len() >= KEPT {
            return None;
        }
        let new = Rc::new(Copied {
            url: url.to_owned(),
            length,
            content: RefCell::default(),
        });
        kept.push(Rc::clone(&new));
        Some(new)
    }
}

impl Copied {
    /// Returns whether the copy turned out to be no good image.
    fn is_bad(&self) -> bool {
        let verdict = &self.content.borrow().verdict;
        verdict
            .as_ref()
            .is_some_and(|verdict| !matches!(**verdict, Verdict::App(_)))
    }
}

/// Image on its way to one device.
#[derive(Debug)]
pub(super) struct Incoming(Way);

#[derive(Debug)]
enum Way {
    /// The same as the copy so far.
    Together { copied: Rc<Copied>, at: usize },
    /// Different from the copy, or without one.
    Alone(Box<Inspector>),
}

impl Incoming {
    /// Takes the next piece.
    pub(super) fn update(&mut self, piece: &[u8]) {
        let (copied, at) = match &mut self.0 {
            Way::Alone(inspector) => return inspector.update(piece),
            Way::Together { copied, at } => (copied, at),
        };
        let mut content = copied.content.borrow_mut();
        let known = (content.bytes.len() - *at).min(piece.len());
        let (seen, new) = piece.split_at(known);
        let is_open = new.is_empty() || content.verdict.is_none();
        if is_open && content.bytes[*at..*at + known] == *seen {
            *at += piece.len();
            content.bytes.extend_from_slice(new);
            content.inspector.update(new);
            return;
        }
        let mut inspector = Box::new(hashed(&content.bytes[..*at]));
        drop(content);
        inspector.update(piece);
        self.0 = Way::Alone(inspector);
    }

    /// Judges the image, now that it has come to its end.
    pub(super) fn judge(self) -> Rc<Verdict> {
        let (copied, at) = match self.0 {
            Way::Alone(inspector) => return Rc::new(inspector.finish().verdict),
            Way::Together { copied, at } => (copied, at),
        };
        let mut content = copied.content.borrow_mut();
        if at < content.bytes.len() {
            return Rc::new(hashed(&content.bytes[..at]).finish().verdict);
        }
        if let Some(verdict) = &content.verdict {
            return Rc::clone(verdict);
        }
        let inspector = std::mem::take(&mut content.inspector);
        let verdict = Rc::new(inspector.finish().verdict);
        content.verdict = Some(Rc::clone(&verdict));
        verdict
    }
}

fn hashed(bytes: &[u8]) -> Inspector {
    let mut inspector = Inspector::new();
    inspector.update(bytes);
    inspector
}

/// Image that a device can boot.
pub(super) struct Installed {
    pub(super) version: Rc<str>,
    pub(super) elf: [u8; 32],
}

/// Judges an image that came whole, as the device does.
pub(super) fn installed(
    verdict: &Verdict,
    size: u64,
    update: &Update,
    device: &Device,
) -> Result<Installed, Failure> {
    let (app, findings) = judge(verdict, size, &update.version, device);
    if let Some(app) = app {
        return Ok(Installed {
            version: app.version.as_str().into(),
            elf: app.elf_sha256.unwrap_or_default(),
        });
    }
    let Some(finding) = findings.first() else {
        return Err(Failure::new(FailureKind::ImageDamaged));
    };
    let kind = match finding.rule {
        // It is fetched again at every boot.
        rule if *rule == rules::SAME_VERSION => FailureKind::Loop,
        _ if matches!(verdict, Verdict::App(_)) => FailureKind::ImageUnfit,
        _ => FailureKind::ImageDamaged,
    };
    let detail = format!("{}: {}", finding.rule.id, finding.evidence);
    Err(Failure::with(kind, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use xiaozhi_image_builder::Image;

    fn judge(images: &Images, bytes: &[u8]) -> Rc<Verdict> {
        let mut incoming = images.begin("u", bytes.len() as u64);
        for piece in bytes.chunks(100) {
            incoming.update(piece);
        }
        incoming.judge()
    }

    #[test]
    fn a_known_image_is_compared_to_the_last_byte() {
        let good = Image::new("1.7.0").build();
        let images = Images::default();
        let mut bad = good.clone();
        bad[400] ^= 1;
        assert!(matches!(*judge(&images, &bad), Verdict::Rejected(_)));
        for _ in 0..2 {
            assert!(matches!(*judge(&images, &good), Verdict::App(_)));
        }
        for at in [0, 99, 100, 101, 500, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let verdict = judge(&images, &bad);
            assert!(!matches!(*verdict, Verdict::App(_)), "{at}: {verdict:?}");
        }
        // Cut off, it is no image either, whatever length was promised.
        let mut incoming = images.begin("u", good.len() as u64);
        incoming.update(&good[..good.len() - 1]);
        assert!(matches!(*incoming.judge(), Verdict::Rejected(_)));
        assert!(matches!(*judge(&images, &good), Verdict::App(_)));
    }

    #[test]
    fn memory_has_a_bound_whatever_addresses_there_are() {
        let images = Images::default();
        let many: Vec<_> = (0..100)
            .map(|n| images.begin(&format!("http://h/{n}"), 1000))
            .collect();
        let together = |incoming: &&Incoming| matches!(incoming.0, Way::Together { .. });
        assert_eq!(many.iter().filter(together).count(), KEPT);
        drop(many);
        let next = images.begin("http://h/new?token=1", 1000);
        assert!(together(&&next), "room is made once nobody holds it");
        assert!(together(&&images.begin("http://h/new?token=2", 1000)));
        assert_eq!(images.0.borrow().len(), KEPT);
        assert!(!together(&&images.begin("http://h/long", LONGEST + 1)));
    }

    proptest! {
        /// Holds that a device is told what it would be told alone: devices take
        /// turns in any order, in pieces of any size, and some of them get a
        /// damaged image.
        #[test]
        fn together_or_alone_makes_no_difference(
            turns in prop::collection::vec((0usize..4, 1usize..400), 1..60),
            damage in prop::collection::vec(prop::option::of(0usize..600), 4),
        ) {
            let good = Image::new("1.7.0").build();
            let images = Images::default();
            let mut devices: Vec<_> = damage.iter().map(|damage| {
                let mut bytes = good.clone();
                if let Some(at) = damage {
                    let at = at % bytes.len();
                    bytes[at] ^= 0x10;
                }
                (bytes, 0, images.begin("u", good.len() as u64))
            }).collect();
            for (device, length) in turns {
                let (bytes, at, incoming) = &mut devices[device];
                let end = (*at + length).min(bytes.len());
                incoming.update(&bytes[*at..end]);
                *at = end;
            }
            for (bytes, at, incoming) in devices {
                let expected = hashed(&bytes[..at]).finish().verdict;
                prop_assert_eq!(&*incoming.judge(), &expected);
            }
        }
    }
}
