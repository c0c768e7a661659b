//! `ClientHello` (RFC 5246 and RFC 8446), read for what the client offered, where no
//! handshake came of it. Where one does, nobody reads it but rustls.

/// ALPN protocol in which a CA checks that a name is ours (RFC 8737).
pub(super) const CHALLENGE: &[u8] = b"acme-tls/1";

/// Version that TLS 1.3 names in `supported_versions`.
pub(super) const TLS13: u16 = 0x0304;

/// Content type of a TLS handshake record (RFC 8446, section 5.1). No HTTP method begins
/// with it.
pub(super) const HANDSHAKE: u8 = 0x16;
/// Type of the message.
const CLIENT_HELLO: u8 = 1;

/// Offers of a client, in the numbers of the protocol. A list is `None` where the
/// client says nothing of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hello {
    /// Highest version that it speaks, as it was said before TLS 1.3.
    pub(super) version: u16,
    pub(super) suites: Vec<u16>,
    /// Versions that it speaks (`supported_versions`).
    pub(super) versions: Option<Vec<u16>>,
    /// Groups for the exchange of keys (`supported_groups`).
    pub(super) groups: Option<Vec<u16>>,
    /// Signatures that it can check (`signature_algorithms`).
    pub(super) schemes: Option<Vec<u16>>,
    /// Names that it asks for (`server_name`), whatever stands in them.
    pub(super) names: Option<Vec<Vec<u8>>>,
    /// Protocols that it would speak inside (ALPN).
    pub(super) protocols: Option<Vec<Vec<u8>>>,
}

impl Hello {
    /// Reads the beginning of a connection. Of a hello that is cut off, what came
    /// counts; `None` where it is none, or where its first fields did not come.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let message = message(bytes);
        let mut rest = Cursor(&message);
        if rest.byte()? != CLIENT_HELLO {
            return None;
        }
        rest.take(3)?;
        let mut hello = Self {
            version: rest.number()?,
            ..Self::default()
        };
        // The random.
        rest.take(32)?;
        rest.short_list()?;
        hello.suites = numbers(rest.list()?);
        if rest.short_list().is_some()
            && let Some(extensions) = rest.list()
        {
            hello.read_extensions(extensions);
        }
        Some(hello)
    }

    fn read_extensions(&mut self, extensions: &[u8]) {
        let mut rest = Cursor(extensions);
        while let (Some(kind), Some(body)) = (rest.number(), rest.list()) {
            let mut body = Cursor(body);
            match kind {
                // One that holds nothing, not even a list, was sent all the same.
                0 => self.names = Some(body.list().map(names).unwrap_or_default()),
                10 => self.groups = body.list().map(numbers),
                13 => self.schemes = body.list().map(numbers),
                16 => self.protocols = Some(body.list().map(protocols).unwrap_or_default()),
                43 => self.versions = body.short_list().map(numbers),
                _ => {}
            }
        }
    }

    /// Tells whether the client speaks this version.
    pub(super) fn speaks(&self, version: u16) -> bool {
        match &self.versions {
            Some(versions) => versions.contains(&version),
            None => self.version >= version && version < 0x0304,
        }
    }
}

/// Puts the first message together, which may be in several records.
fn message(bytes: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    let mut rest = Cursor(bytes);
    while rest.byte() == Some(HANDSHAKE) {
        // The record's version says nothing.
        if rest.number().is_none() {
            break;
        }
        match rest.list() {
            Some(part) => message.extend_from_slice(part),
            None => break,
        }
    }
    message
}

fn numbers(list: &[u8]) -> Vec<u16> {
    let mut rest = Cursor(list);
    std::iter::from_fn(|| rest.number()).collect()
}

fn names(list: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = Cursor(list);
    let name = || {
        rest.byte()?;
        rest.list().map(<[u8]>::to_vec)
    };
    std::iter::from_fn(name).collect()
}

fn protocols(list: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = Cursor(list);
    std::iter::from_fn(|| rest.short_list().map(<[u8]>::to_vec)).collect()
}

/// Bytes that are still to be read.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Takes what two bytes of length stand in front of; of what is cut off, that which
    /// came.
    fn list(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.number()?);
        self.take(length.min(self.0.len()))
    }

    /// Takes what one byte of length stands in front of.
    fn short_list(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.byte()?);
        self.take(length.min(self.0.len()))
    }
}

/// Returns whether a number stands for nothing (RFC 8701).
pub(super) fn is_grease(number: u16) -> bool {
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

/// Makes hellos for the tests of this room.
#[cfg(test)]
pub(super) mod made {
    /// Writes `body` behind its length in two bytes.
    pub(in crate::server) fn long(body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&length[..], body].concat()
    }

    pub(in crate::server) fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &long(body)].concat()
    }

    pub(in crate::server) fn list(numbers: &[u16]) -> Vec<u8> {
        long(
            &numbers
                .iter()
                .flat_map(|n| n.to_be_bytes())
                .collect::<Vec<_>>(),
        )
    }

    /// Writes a hello as one record.
    pub(in crate::server) fn hello(version: u16, suites: &[u16], extensions: &[u8]) -> Vec<u8> {
        let body = [
            &version.to_be_bytes()[..],
            &[7; 32],
            &[0],
            &list(suites),
            &[1, 0],
            &long(extensions),
        ]
        .concat();
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let message = [&[1][..], &length[1..], &body].concat();
        [&[0x16, 3, 1][..], &long(&message)].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::made::{extension, hello, list, long};
    use super::*;
    use proptest::prelude::*;

    fn whole() -> Vec<u8> {
        let name = [&[0][..], &long(b"ota.example.com")].concat();
        let extensions = [
            extension(0, &long(&name)),
            extension(10, &list(&[29, 23])),
            extension(13, &list(&[0x0403, 0x0401])),
            extension(16, &long(b"\x02h2\x08http/1.1")),
            extension(43, &[4, 3, 4, 3, 3]),
            extension(0x0a0a, b"grease"),
        ];
        hello(0x0303, &[0x1301, 0xc02b], &extensions.concat())
    }

    #[test]
    fn everything_that_is_offered_is_read() {
        let read = Hello::read(&whole()).unwrap();
        let expected = Hello {
            version: 0x0303,
            suites: vec![0x1301, 0xc02b],
            versions: Some(vec![0x0304, 0x0303]),
            groups: Some(vec![29, 23]),
            schemes: Some(vec![0x0403, 0x0401]),
            names: Some(vec![b"ota.example.com".to_vec()]),
            protocols: Some(vec![b"h2".to_vec(), b"http/1.1".to_vec()]),
        };
        assert_eq!(read, expected);
        assert!(read.speaks(0x0304) && read.speaks(0x0303) && !read.speaks(0x0302));
        let old = Hello::read(&hello(0x0302, &[0x002f], &[])).unwrap();
        assert!(old.speaks(0x0301) && !old.speaks(0x0303) && !old.speaks(0x0304));
    }

    #[test]
    fn a_hello_in_many_records_is_one() {
        let one = whole();
        for size in [1, 7, 100] {
            let parts = one[5..].chunks(size);
            let many: Vec<u8> = parts
                .flat_map(|part| [&[0x16, 3, 1][..], &long(part)].concat())
                .collect();
            assert_eq!(Hello::read(&many), Hello::read(&one), "{size}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_none(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Hello::read(&bytes);
        }

        #[test]
        fn a_hello_that_is_cut_holds_no_more_than_the_whole(at in 0_usize..200) {
            let one = whole();
            let cut = Hello::read(&one[..at.min(one.len())]);
            let whole = Hello::read(&one).unwrap();
            if let Some(cut) = cut {
                prop_assert!(whole.suites.starts_with(&cut.suites));
                prop_assert_eq!(cut.version, whole.version);
            }
        }
    }
}
