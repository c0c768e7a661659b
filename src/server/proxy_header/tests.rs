//! Tests of headers as the protocol has them, and of everything else.

use super::*;
use proptest::prelude::*;

fn v2_header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap_or(u16::MAX).to_be_bytes();
    [V2, &[0x20 | command, family], &length, rest].concat()
}

fn v2_addresses(from: SocketAddr, to: SocketAddr, behind: &[u8]) -> Vec<u8> {
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let rest = [
        &octets(from.ip())[..],
        &octets(to.ip()),
        &from.port().to_be_bytes(),
        &to.port().to_be_bytes(),
        behind,
    ]
    .concat();
    v2_header(1, if from.is_ipv4() { 0x11 } else { 0x21 }, &rest)
}

fn v1_line(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
    let (fi, ti, fp, tp) = (from.ip(), to.ip(), from.port(), to.port());
    format!("PROXY {family} {fi} {ti} {fp} {tp}\r\n").into_bytes()
}

fn whole(length: usize, client: Option<&str>) -> Header {
    let client = client.and_then(|text| text.parse().ok());
    let origin = client.map_or(Origin::Unknown, Origin::Client);
    Header { length, origin }
}

#[test]
fn the_protocols_own_examples() {
    let line = b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n";
    assert_eq!(parse(line), Ok(Some(whole(47, Some("192.168.0.1:56324")))));
    let longest = "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
        ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    assert!(longest.len() < V1_LONGEST);
    let client = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
    assert_eq!(
        parse(longest.as_bytes()),
        Ok(Some(whole(longest.len(), Some(client))))
    );
    assert_eq!(parse(b"PROXY UNKNOWN\r\n"), Ok(Some(whole(15, None))));
    let longest = "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
        ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    assert_eq!(longest.len(), V1_LONGEST);
    assert_eq!(parse(longest.as_bytes()), Ok(Some(whole(V1_LONGEST, None))));
}

#[test]
fn lines_that_are_not_as_the_protocol_has_it() {
    for line in [
        "PROXY \r\n",
        "PROXY\r\n",
        "PROXY TCP4\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        "PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
        "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP6 2001:db8::1 192.0.2.2 1 2\r\n",
        "PROXY TCP6 [2001:db8::1] [2001:db8::2] 1 2\r\n",
        "PROXY TCP4 192.0.2.1\r\n192.0.2.2 1 2\r\n",
    ] {
        let found = parse(line.as_bytes());
        assert!(
            matches!(found, Err(HeaderError::Line | HeaderError::Missing)),
            "{line:?}: {found:?}"
        );
    }
    let endless = [V1, &[b'x'; V1_LONGEST][..]].concat();
    assert_eq!(parse(&endless[..V1_LONGEST - 1]), Ok(None));
    assert_eq!(parse(&endless[..V1_LONGEST]), Err(HeaderError::LongLine));
}

#[test]
fn what_begins_otherwise_is_told_at_once() {
    for bytes in [
        &b"G"[..],
        b"POST / HTTP/1.1",
        &[0x16, 3, 1],
        b"PRI *",
        b"\r\nG",
        b"\0",
    ] {
        assert_eq!(parse(bytes), Err(HeaderError::Missing), "{bytes:?}");
    }
    assert_eq!(
        (parse(b""), parse(b"P"), parse(b"\r\n")),
        (Ok(None), Ok(None), Ok(None))
    );
}

#[test]
fn version_2_by_its_commands_and_families() {
    let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 0x04, 1, 0xbb];
    let client = Some("192.0.2.1:56324");
    assert_eq!(parse(&v2_header(1, 0x11, &v4)), Ok(Some(whole(28, client))));
    // Whatever stands behind the addresses is passed over.
    let tlv = [&v4[..], &[0x20, 0, 200, 1]].concat();
    assert_eq!(
        parse(&v2_header(1, 0x11, &tlv)),
        Ok(Some(whole(32, client)))
    );
    for (command, family, length) in [
        (0, 0x00, 0),
        (0, 0x11, 0),
        (0, 0xff, 7),
        (1, 0x00, 0),
        (1, 0x00, 9),
        (1, 0x12, 12),
        (1, 0x22, 36),
        (1, 0x31, 216),
        (1, 0x32, 216),
        (0, 0x00, V2_LONGEST),
    ] {
        let header = v2_header(command, family, &vec![7; length]);
        let origin = match command {
            0 => Origin::Proxy,
            _ => Origin::Unknown,
        };
        let length = 16 + length;
        assert_eq!(
            parse(&header),
            Ok(Some(Header { length, origin })),
            "{command} {family:x}"
        );
    }
    for (command, family, length, fault) in [
        (2, 0x11, 12, HeaderError::Command),
        (15, 0x11, 12, HeaderError::Command),
        (1, 0x13, 12, HeaderError::Family),
        (1, 0x41, 12, HeaderError::Family),
        (1, 0x01, 12, HeaderError::Family),
        (1, 0x11, 11, HeaderError::Short),
        (1, 0x21, 35, HeaderError::Short),
        (1, 0x31, 215, HeaderError::Short),
        (1, 0x11, V2_LONGEST + 1, HeaderError::Long),
        (0, 0x00, 65535, HeaderError::Long),
    ] {
        let header = v2_header(command, family, &vec![7; length]);
        // It is known from the head, before the rest has come.
        assert_eq!(
            parse(&header[..V2_HEAD]),
            Err(fault),
            "{command} {family:x}"
        );
        assert_eq!(parse(&header), Err(fault), "{command} {family:x}");
    }
    let other = [V2, &[0x31, 0x11, 0, 12], &v4].concat();
    assert_eq!(parse(&other), Err(HeaderError::Version));
}

fn pairs() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    let v4 = any::<([u8; 4], [u8; 4], u16, u16)>()
        .prop_map(|(a, b, p, q)| ((a, p).into(), (b, q).into()));
    let v6 = any::<([u8; 16], [u8; 16], u16, u16)>()
        .prop_map(|(a, b, p, q)| ((a, p).into(), (b, q).into()));
    prop_oneof![v4, v6]
}

proptest! {
    #[test]
    fn a_header_says_its_client_and_takes_nothing_behind_it(
        (from, to) in pairs(),
        behind in proptest::collection::vec(any::<u8>(), 0..64),
        tlvs in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        for header in [v1_line(from, to), v2_addresses(from, to, &tlvs)] {
            let expected = Header { length: header.len(), origin: Origin::Client(client(from.ip(), from.port())) };
            prop_assert_eq!(parse(&[&header[..], &behind].concat()), Ok(Some(expected)));
            for length in 0..header.len() {
                prop_assert_eq!(parse(&header[..length]), Ok(None));
            }
        }
    }

    #[test]
    fn any_bytes_are_judged_without_a_panic(
        begin in prop_oneof![Just(&b""[..]), Just(V1), Just(&b"PROXY TCP4 1.1.1.1 "[..]), Just(V2), Just(&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"[..])],
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let bytes = [begin, &bytes].concat();
        if let Ok(Some(header)) = parse(&bytes) {
            prop_assert!(header.length <= bytes.len());
            // It ends at its length and nowhere before.
            prop_assert_eq!(parse(&bytes[..header.length]), Ok(Some(header)));
            for length in 0..header.length {
                prop_assert_eq!(parse(&bytes[..length]), Ok(None));
            }
        }
    }
}
