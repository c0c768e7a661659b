//! What came, held against what an image must be.
//!
//! A fleet gets the same image many times over, and a hash costs many times
//! what a comparison does. So whoever is the furthest leaves a copy of what came
//! and hashes it; everybody behind is compared with that copy, byte by byte.
//! Who got something else is hashed apart, from the first byte on.

use crate::firmware::image::{Inspector, Verdict};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Copies that are kept, and how long each may be in bytes.
const KEPT: usize = 4;
const LONGEST: u64 = 16 << 20;

/// The copies, the newest first.
#[derive(Debug, Default)]
pub(super) struct Images(RefCell<VecDeque<Rc<Copied>>>);

/// What has come from one address so far.
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
    /// Once it is all there.
    verdict: Option<Rc<Verdict>>,
}

impl Images {
    /// Begins with so many bytes from this address.
    pub(super) fn begin(&self, url: &str, length: u64) -> Incoming {
        if length > LONGEST {
            return Incoming(Way::Alone(Box::default()));
        }
        let mut kept = self.0.borrow_mut();
        let known = kept.iter().find(|c| c.url == url && c.length == length);
        let copied = known.cloned().unwrap_or_else(|| {
            kept.truncate(KEPT - 1);
            let new = Rc::new(Copied {
                url: url.to_owned(),
                length,
                content: RefCell::default(),
            });
            kept.push_front(Rc::clone(&new));
            new
        });
        Incoming(Way::Together { copied, at: 0 })
    }

    /// Judges what came, now that it has come to its end.
    pub(super) fn judge(&self, incoming: Incoming) -> Rc<Verdict> {
        let (copied, at) = match incoming.0 {
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
        if !matches!(*verdict, Verdict::App(_)) {
            // The next one may be better; nobody is to be held against this.
            self.0.borrow_mut().retain(|c| !Rc::ptr_eq(c, &copied));
        }
        verdict
    }
}

/// An image on its way to one device.
#[derive(Debug)]
pub(super) struct Incoming(Way);

#[derive(Debug)]
enum Way {
    /// So far the same as the copy.
    Together { copied: Rc<Copied>, at: usize },
    /// Another one.
    Alone(Box<Inspector>),
}

impl Incoming {
    /// The next piece.
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
}

fn hashed(bytes: &[u8]) -> Inspector {
    let mut inspector = Inspector::new();
    inspector.update(bytes);
    inspector
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Image;
    use proptest::prelude::*;

    fn judge(images: &Images, bytes: &[u8]) -> Rc<Verdict> {
        let mut incoming = images.begin("u", bytes.len() as u64);
        for piece in bytes.chunks(100) {
            incoming.update(piece);
        }
        images.judge(incoming)
    }

    #[test]
    fn a_known_image_is_compared_to_the_last_byte() {
        let good = Image::new("1.7.0").build();
        let images = Images::default();
        let mut bad = good.clone();
        bad[400] ^= 1;
        assert!(matches!(*judge(&images, &bad), Verdict::Rejected(_)));
        assert_eq!(images.0.borrow().len(), 0, "a bad copy is not kept");
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
        assert!(matches!(*images.judge(incoming), Verdict::Rejected(_)));
        assert!(matches!(*judge(&images, &good), Verdict::App(_)));
    }

    proptest! {
        /// Devices take turns in any order, in pieces of any size, and some of
        /// them get a damaged image: each is told what a device alone would be.
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
                prop_assert_eq!(&*images.judge(incoming), &expected);
            }
        }
    }
}
