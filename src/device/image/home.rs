//! OTA addresses that an image carries.
//!
//! The build compiles one in (`CONFIG_OTA_URL` of the firmware's `main/Kconfig.projbuild`),
//! and a device asks it to which its user has typed in no other one
//! (`Ota::GetCheckVersionUrl` in `main/ota.cc`).
//!
//! In the image it is a text as C has it, with a zero behind it. What ends otherwise is none:
//! a longer path, a format such as `https://%s/ota`, a sentence that goes on. What stands *in
//! front* of it does not count, for the linker keeps a text that is the end of another one
//! only there (`bfd/merge.c` in GNU binutils merges the tails of strings).

use memchr::memmem::Finder;
use std::fmt;
use std::net::Ipv6Addr;

/// The longest address that is kept, in bytes.
const LONGEST: usize = 256;
/// The most addresses that are kept. A build has one, and firmware that lets its user choose
/// a few.
const MOST: usize = 32;
/// The part of an address that is looked for first: it is in few other texts.
const MARKER: &[u8; 3] = b"://";
/// Both schemes, as the last bytes that were seen hold them. Devices read no capital letters
/// (`HttpClient::ParseUrl` in esp-ml307's `src/http_client.cc`).
const HTTPS: u64 = u64::from_be_bytes(*b"https://");
const HTTP: u64 = u64::from_be_bytes(*b"\0http://");
/// The bytes among them that `HTTP` has.
const SEVEN: u64 = u64::MAX >> 8;

/// Address at which devices check in: `http(s)://host[:port]/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    text: String,
    is_tls: bool,
    /// In small letters, an IPv6 address in brackets.
    host: String,
    port: u16,
    /// Without its last slash.
    path: String,
}

impl Home {
    /// Reads an address; `None` where a device could not.
    pub fn parse(text: &str) -> Option<Self> {
        let (is_tls, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://")?),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = if authority.starts_with('[') {
            let (host, port) = authority.split_at(authority.find(']')? + 1);
            let port = match port {
                "" => None,
                port => Some(port.strip_prefix(':')?),
            };
            (host, port)
        } else {
            match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            }
        };
        let port = match port {
            Some(port) => number(port)?,
            None if is_tls => 443,
            None => 80,
        };
        let is_path = path
            .bytes()
            .all(|byte| is_sign(byte) && !b"?#".contains(&byte));
        Some(Self {
            text: text.to_owned(),
            is_tls,
            host: host_of(host)?,
            port,
            path: path.trim_end_matches('/').to_owned(),
        })
        .filter(|_| is_path)
    }

    /// Tells whether both lead to the same place: scheme, host, port and path are the same,
    /// whatever the case of the host, a port that goes without saying, and a last slash.
    pub fn is_one_with(&self, other: &Self) -> bool {
        let place = |home: &Self| (home.is_tls, home.port);
        place(self) == place(other) && self.host == other.host && self.path == other.path
    }

    /// Tells whether the address is one of check-ins by its looks, and no format for one: its
    /// path ends in `/ota`.
    pub fn is_ota(&self) -> bool {
        let mut escapes = self.path.split('%').skip(1);
        let is_hex = |escape: &str| {
            let digits = escape.as_bytes().first_chunk::<2>();
            digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        self.path.ends_with("/ota") && escapes.all(is_hex)
    }
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Writes a host in one form; `None` where it is none.
fn host_of(host: &str) -> Option<String> {
    if let Some(inner) = host.strip_prefix('[') {
        let ip: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{ip}]"));
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let host = host.strip_suffix('.').unwrap_or(host);
    (!host.is_empty() && host.bytes().all(is_name)).then(|| host.to_ascii_lowercase())
}

fn number(port: &str) -> Option<u16> {
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| is_number && *port > 0)
}

/// Tells whether an address may hold this sign (RFC 3986, section 2).
fn is_sign(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)
}

/// Finds OTA addresses in data that comes piece by piece, wherever the pieces are cut, in
/// memory that does not depend on the data.
#[derive(Debug)]
pub(super) struct HomeFinder {
    marker: Finder<'static>,
    /// The last eight bytes that were seen.
    before: u64,
    /// A text that may be an address, from its scheme on, as far as it came; empty where none
    /// has begun.
    text: Vec<u8>,
    found: Vec<Home>,
}

impl HomeFinder {
    pub(super) fn new() -> Self {
        Self {
            marker: Finder::new(MARKER),
            before: 0,
            text: Vec::new(),
            found: Vec::new(),
        }
    }

    /// Returns what was found, in the order of the data; of two that are one the first.
    pub(super) fn found(&self) -> &[Home] {
        &self.found
    }

    /// Takes the next piece of a segment.
    pub(super) fn see(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Some((&first, behind_first)) = rest.split_first() {
            if !self.text.is_empty() {
                self.take(first);
                rest = behind_first;
            } else if let Some((passed, behind)) = self
                .behind_marker(rest)
                .and_then(|end| rest.split_at_checked(end))
            {
                self.pass(passed);
                rest = behind;
            } else {
                return self.pass(rest);
            }
        }
    }

    /// Ends a segment: what follows in the file lies elsewhere in memory.
    pub(super) fn end_segment(&mut self) {
        self.before = 0;
        self.text.clear();
    }

    /// Returns where the first marker ends whose last byte is in `rest`.
    fn behind_marker(&self, rest: &[u8]) -> Option<usize> {
        let [.., second_last, last] = self.before.to_be_bytes();
        let mut seam = [second_last, last, 0, 0];
        let mut length = 2;
        for (byte, to) in rest.iter().zip(&mut seam[2..]) {
            *to = *byte;
            length += 1;
        }
        let at_seam = seam[..length]
            .windows(MARKER.len())
            .position(|window| window == MARKER);
        // The seam begins two bytes in front of the rest.
        at_seam.map(|at| at + 1).or_else(|| {
            let at = self.marker.find(rest)?;
            Some(at + MARKER.len())
        })
    }

    /// Takes bytes that end with a marker, or hold none.
    fn pass(&mut self, passed: &[u8]) {
        for byte in passed.iter().skip(passed.len().saturating_sub(8)) {
            self.before = (self.before << 8) | u64::from(*byte);
        }
        let scheme: &[u8] = if self.before == HTTPS {
            b"https://"
        } else if self.before & SEVEN == HTTP {
            b"http://"
        } else {
            return;
        };
        self.text.clear();
        self.text.extend(scheme);
    }

    /// Takes the next byte of what may be an address.
    fn take(&mut self, byte: u8) {
        if byte == 0 {
            self.keep();
        }
        if !is_sign(byte) {
            self.text.clear();
        } else if self.text.len() <= LONGEST {
            self.text.push(byte);
        }
        // An address may stand at the end of another one.
        self.pass(&[byte]);
    }

    /// Keeps a text that has ended, if it is an OTA address.
    fn keep(&mut self) {
        if self.text.len() > LONGEST || self.found.len() >= MOST {
            return;
        }
        let text = std::str::from_utf8(&self.text);
        let home = text.ok().and_then(Home::parse).filter(Home::is_ota);
        self.found
            .extend(home.filter(|home| !self.found.iter().any(|known| known.is_one_with(home))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Inspector, Verdict, inspect};
    use proptest::prelude::*;
    use xiaozhi_image_builder::{Image, texts};

    /// Finds addresses in data whose pieces end at `cuts`.
    fn found(data: &[u8], cuts: &[usize]) -> Vec<String> {
        let mut finder = HomeFinder::new();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (data.len() + 1)).collect();
        cuts.extend([0, data.len()]);
        cuts.sort_unstable();
        for piece in cuts.windows(2) {
            finder.see(&data[piece[0]..piece[1]]);
        }
        finder.found().iter().map(ToString::to_string).collect()
    }

    /// Finds them without pieces: the end of each text, from its last scheme on.
    fn wanted(data: &[u8]) -> Vec<String> {
        let mut texts: Vec<_> = data.split(|byte| *byte == 0).collect();
        texts.pop(); // No zero is behind it.
        let mut homes = Vec::<Home>::new();
        for text in texts {
            let text: String = text.iter().map(|byte| char::from(*byte)).collect();
            let from = text.rfind("http://").max(text.rfind("https://"));
            let home = from.and_then(|from| Home::parse(&text[from..]));
            let home = home.filter(|home| home.is_ota() && home.text.len() <= LONGEST);
            homes.extend(home.filter(|home| !homes.iter().any(|known| known.is_one_with(home))));
        }
        homes.truncate(MOST);
        homes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn addresses_of_every_host_are_found_and_nothing_else_is() {
        for home in [
            "https://api.example.com/xiaozhi/ota/",
            "http://192.168.1.100:8003/xiaozhi/ota/",
            "http://[fe80::1]:8003/ota",
            "https://OTA.example.com/a%20b/ota",
            "http://h/ota",
        ] {
            assert_eq!(found(format!("\0{home}\0").as_bytes(), &[]), [home]);
            // The end of a longer text, which the linker keeps there only.
            assert_eq!(found(format!("see {home}\0").as_bytes(), &[]), [home]);
            assert_eq!(found(format!("x{home}\0").as_bytes(), &[]), [home]);
            assert_eq!(found(format!("http://{home}\0").as_bytes(), &[]), [home]);
            for behind in ["activate", " ", "\n", "/%s", "?a=b", "\u{e9}", ""] {
                let text = format!("{home}{behind}");
                assert_eq!(found(text.as_bytes(), &[]), [""; 0], "{text}");
                if !behind.is_empty() {
                    assert_eq!(
                        found(format!("{text}\0").as_bytes(), &[]),
                        [""; 0],
                        "{text}"
                    );
                }
            }
        }
        for other in [
            "https://%s/xiaozhi/ota/",
            "http://h:%d/ota",
            "http://h/%s/ota",
            "http://h:0/ota",
            "http://h:65536/ota",
            "http://h:+80/ota",
            "http://h:/ota",
            "http:///ota",
            "http://a@h/ota",
            "http://[::1/ota",
            "http://h/?/ota",
            "http://h/#/ota",
            "HTTP://h/ota",
            "ws://h/ota",
            "https:/h/ota",
            "http://h",
            "http://h/xiaozhi/ota.bin",
            "http://h/xota",
            "h/ota",
        ] {
            assert_eq!(
                found(format!("\0{other}\0").as_bytes(), &[]),
                [""; 0],
                "{other}"
            );
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let long = |length: usize| format!("http://h/{}/ota", "x".repeat(length - 13));
        let kept = found(format!("{}\0", long(LONGEST)).as_bytes(), &[]);
        assert_eq!(kept, [long(LONGEST)]);
        let kept = found(format!("{}\0", long(LONGEST + 1)).as_bytes(), &[]);
        assert_eq!(kept, [""; 0]);
        // One that is too long hides none at its end.
        let kept = found(format!("{}http://h/ota\0", long(4000)).as_bytes(), &[]);
        assert_eq!(kept, ["http://h/ota"]);
        let many: Vec<_> = (0..40).map(|n| format!("http://h{n}/ota/\0")).collect();
        let many = many.concat();
        assert_eq!(found(many.as_bytes(), &[]).len(), MOST);
        let one = "http://h/ota/\0http://H:80/ota\0http://h./ota//\0";
        assert_eq!(found(one.as_bytes(), &[]), ["http://h/ota/"]);
    }

    #[test]
    fn two_addresses_are_one_by_scheme_host_port_and_path() {
        let is_one = |a: &str, b: &str| {
            let [a, b] = [a, b].map(|text| Home::parse(text).unwrap_or_else(|| panic!("{text}")));
            assert_eq!(a.is_one_with(&b), b.is_one_with(&a));
            a.is_one_with(&b)
        };
        let home = "https://ota.example.com/xiaozhi/ota/";
        for same in [
            home,
            "https://OTA.Example.com:443/xiaozhi/ota",
            "https://ota.example.com./xiaozhi/ota/",
        ] {
            assert!(is_one(home, same), "{same}");
        }
        for other in [
            "http://ota.example.com/xiaozhi/ota/",
            "http://ota.example.com:443/xiaozhi/ota/",
            "https://ota.example.com:8443/xiaozhi/ota/",
            "https://ota.example.org/xiaozhi/ota/",
            "https://ota.example.com/XiaoZhi/ota/",
            "https://ota.example.com/ota/",
        ] {
            assert!(!is_one(home, other), "{other}");
        }
        assert!(is_one("http://[0:0::1]/ota", "http://[::1]:80/ota"));
    }

    #[test]
    fn the_data_of_segments_counts_and_nothing_around_it() {
        let home = "http://192.168.1.100:8003/xiaozhi/ota/";
        let app = |bytes: &[u8]| match inspect(bytes).verdict {
            Verdict::App(app) => app,
            other => panic!("{other:?}"),
        };
        let image = Image {
            rodata: texts(&["before", home, "behind"]),
            ..Image::new("2.0.0")
        };
        let homes = app(&image.build()).homes;
        assert_eq!(
            homes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [home]
        );
        let plain = Image::new("2.0.0").build();
        assert_eq!(app(&plain).homes, []);
        // Nothing is read on from one segment into what lies behind it.
        let cut = b"http://h/xiaozhi/ota".to_vec();
        let split = Image {
            rodata: cut.clone(),
            payload: cut,
            ..Image::new("2.0.0")
        };
        assert_eq!(app(&split.build()).homes, []);
        // A signature of version 1 may hold any bytes.
        let mut signature = vec![0; 4];
        signature.extend(texts(&["http://h/ota", "http://i/ota"]));
        signature.resize(68, 1);
        let signed = app(&[plain, signature].concat());
        assert!(signed.signature.is_some() && signed.homes.is_empty());
    }

    fn text() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("http"),
            Just("https"),
            Just("://"),
            Just(":"),
            Just("/"),
            Just("ota"),
            Just("/ota"),
            Just("/ota/"),
            Just("h"),
            Just("[::1]"),
            Just(":80"),
            Just("%s"),
            Just("\0"),
            Just(" "),
            Just("x"),
            Just("http://a/ota\0"),
            Just("https://b:8003/xiaozhi/ota/\0"),
        ];
        prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn an_address_is_found_wherever_the_pieces_are_cut(
            data in text(), cuts in prop::collection::vec(any::<usize>(), 0..12),
        ) {
            prop_assert_eq!(found(data.as_bytes(), &cuts), wanted(data.as_bytes()));
            let each: Vec<_> = (0..data.len()).collect();
            prop_assert_eq!(found(data.as_bytes(), &each), wanted(data.as_bytes()));
        }

        #[test]
        fn an_inspector_finds_the_same_in_any_pieces(
            front in 0..70usize, cut in 1..600usize, pad in 0..40usize,
        ) {
            let home = "https://ota.example.com/xiaozhi/ota/";
            let mut rodata = vec![0x3A; front];
            rodata.extend(home.bytes().chain([0]));
            rodata.resize(rodata.len().next_multiple_of(4), 0);
            let mut bytes = Image { rodata, ..Image::new("2.0.0") }.build();
            bytes.resize(bytes.len() + pad, 0xFF);
            let mut inspector = Inspector::new();
            bytes.chunks(cut).for_each(|piece| inspector.update(piece));
            let inspection = inspector.finish();
            prop_assert_eq!(&inspection, &inspect(&bytes));
            let Verdict::App(app) = inspection.verdict else { panic!("no app") };
            prop_assert_eq!(app.homes.len(), 1);
        }

        #[test]
        fn padding_is_no_home(before in 0..20usize, home in "https?://[a-z]{1,9}(:80)?/ota/?") {
            let mut bytes = Image::new("2.0.0").build();
            bytes.resize(bytes.len() + before, 0);
            bytes.extend(home.bytes().chain([0]));
            if let Verdict::App(app) = inspect(&bytes).verdict {
                prop_assert_eq!(app.homes, []);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            if let Some(home) = Home::parse(&text) {
                prop_assert_eq!(home.to_string(), text);
                prop_assert!(home.is_one_with(&home));
            }
        }
    }
}
