//! Names, protocols and cipher suites that a TLS client asks for, and what is wrong with them.

use super::tls::{Case, Hello, asked, extension, long, speaks, start, told};
use crate::support::certificate::Key;

#[test]
fn what_a_client_asks_for_is_named() {
    let named = |names: &[&str]| Hello::with(asked(names));
    let mut table: Vec<Case> = Vec::new();
    let long_label: &'static str =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.cn";
    // Names that the TLS library takes for none.
    for (names, fields) in [
        (
            &["ota..example.com"][..],
            &[("name", "ota..example.com"), ("fault", "between two dots")],
        ),
        (
            &["ota.example.com:8003"],
            &[("name", ":8003"), ("fault", "a port")],
        ),
        (
            &["小智.example.com"],
            &[("name", "小智"), ("fault", "xn--")],
        ),
        (
            &["*.example.com"],
            &[("name", "*"), ("fault", "a wildcard")],
        ),
        (
            &["a.example.com", "b.example.com"],
            &[("name", "b.example.com"), ("fault", "more than one")],
        ),
        (&[""], &[("name", "\"\""), ("fault", "is empty")]),
        (&["-x.cn"], &[("name", "-x.cn"), ("fault", "'-'")]),
        (
            &["h/xiaozhi"],
            &[("name", "h/xiaozhi"), ("fault", "an address")],
        ),
        (
            &[" ota.my.cn"],
            &[("name", "ota.my.cn"), ("fault", "a blank")],
        ),
        (&["[::1]"], &[("name", "[::1]"), ("fault", "IPv6")]),
        (&[long_label], &[("name", "aaaa"), ("fault", "too long")]),
    ] {
        table.push((named(names), "tls.server-name", fields));
    }
    // One that holds none.
    for body in [&b""[..], b"\0\0"] {
        let hello = Hello::with(extension(0, body));
        table.push((hello, "tls.server-name", &[("fault", "holds no name")]));
    }
    // Protocols, beside a name with which all is well.
    for list in [&b""[..], &long(b""), &long(b"\0"), &long(b"\x02h2\0")] {
        let hello = [asked(&["ota.example.com"]), extension(16, list)].concat();
        table.push((Hello::with(hello), "tls.protocols", &[]));
    }
    table.push((Hello::with(speaks("acme-tls/1")), "tls.no-challenge", &[]));
    table.push((
        Hello::with(extension(0x0a0a, b"").repeat(2)),
        "tls.broken",
        &[],
    ));
    told(&start(Key::P256), table);
}

#[test]
fn suites_that_are_none_of_todays_are_named() {
    let suites = |suites| Hello {
        suites,
        ..Hello::good()
    };
    let chinese = Hello {
        extra: extension(43, &[2, 3, 4]),
        ..suites(&[0x00c6, 0x00c7])
    };
    let table: Vec<Case> = vec![
        // What stands for nothing, and what is a signal.
        (
            suites(&[0x0a0a, 0x00ff]),
            "tls.cipher-suites",
            &[("lacks", "the list is empty")],
        ),
        (
            suites(&[0xcc13, 0xcc14]),
            "tls.cipher-suites",
            &[("lacks", "known here"), ("offered", "CHACHA20 (draft)")],
        ),
        (
            chinese,
            "tls.cipher-suites",
            &[
                ("lacks", "those of China's SM4"),
                ("offered", "TLS_SM4_GCM_SM3"),
            ],
        ),
        (
            suites(&[0x1301]),
            "tls.cipher-suites",
            &[("lacks", "does not offer TLS 1.3")],
        ),
    ];
    told(&start(Key::P256), table);
}
