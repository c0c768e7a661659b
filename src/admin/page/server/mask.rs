//! Masks of the diagnostics: what is a device's, or its owner's, is left out of them. They are
//! pasted where everybody reads.

use crate::admin::server_source::ServerView;
use crate::event::{Event, Value};
use std::collections::HashSet;
use std::net::IpAddr;
use xiaozhi_device::private;

/// Texts in the place of what is left out.
const MAC: &str = "[MAC]";
const ADDRESS: &str = "[address]";
const DEVICE: &str = "[device]";
const MAIL: &str = "[e-mail]";

/// Fields of events that name a device or a client, whatever is in them.
const NAMES: [&str; 6] = ["device", "peer", "client", "busiest", "ssid", "proxy"];

/// Addresses that may be shown: this server's own.
#[derive(Debug, Default)]
pub(super) struct Mask {
    own: HashSet<IpAddr>,
}

impl Mask {
    /// Knows the addresses of a server.
    pub(super) fn of(view: &ServerView) -> Self {
        let listeners = view.listeners.iter().map(|each| each.address.ip());
        let own = view.process.addresses.iter().copied().chain(listeners);
        Self { own: own.collect() }
    }

    fn is_shown(&self, address: IpAddr) -> bool {
        address.is_loopback()
            || address.is_unspecified()
            || self.own.contains(&address.to_canonical())
    }

    /// Masks an event about this server: addresses that an audit speaks of are its own.
    pub(super) fn finding(&self, event: &Event) -> Event {
        self.event(event, event.kind.room != "audit")
    }

    /// Masks an event that may be about clients.
    pub(super) fn said(&self, event: &Event) -> Event {
        self.event(event, true)
    }

    fn event(&self, event: &Event, has_addresses: bool) -> Event {
        event.map(&|name, value| {
            if NAMES.contains(&name) {
                return Value::from(DEVICE);
            }
            self.value(value, has_addresses)
        })
    }

    fn value(&self, value: Value, has_addresses: bool) -> Value {
        match value {
            Value::Ip(ip) if has_addresses && !self.is_shown(ip) => Value::from(ADDRESS),
            Value::Socket(address) if has_addresses && !self.is_shown(address.ip()) => {
                Value::from(ADDRESS)
            }
            Value::Text(text) => {
                let text = private::masked(&text);
                let text = without_macs(&text);
                let text = without_mail(&text);
                Value::from(if has_addresses {
                    self.without_addresses(&text)
                } else {
                    text
                })
            }
            Value::List(values) => {
                let values = values.into_iter();
                Value::List(
                    values
                        .map(|value| self.value(value, has_addresses))
                        .collect(),
                )
            }
            other => other,
        }
    }

    /// Leaves out of a text every IP address that is not this server's.
    fn without_addresses(&self, text: &str) -> String {
        let is_part = |c: char| c.is_ascii_hexdigit() || c == '.' || c == ':';
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(is_part) {
            let (before, behind) = rest.split_at(start);
            shown.push_str(before);
            let end = behind.find(|c| !is_part(c)).unwrap_or(behind.len());
            let (word, behind) = behind.split_at(end);
            rest = behind;
            let word_end = word.trim_end_matches(['.', ':']).len();
            let (word, tail) = word.split_at(word_end);
            let address = address_of(word);
            let is_secret = address.is_some_and(|(address, _)| !self.is_shown(address));
            match address.filter(|_| is_secret) {
                Some((_, port)) => {
                    shown.push_str(ADDRESS);
                    shown.push_str(port);
                }
                None => shown.push_str(word),
            }
            shown.push_str(tail);
        }
        shown.push_str(rest);
        shown
    }
}

/// Reads an address, and what stands behind it: a colon and a port.
fn address_of(word: &str) -> Option<(IpAddr, &str)> {
    if let Ok(address) = word.parse() {
        return Some((address, ""));
    }
    let (host, _) = word.split_once(':')?;
    let address: IpAddr = host.parse().ok()?;
    Some((address, &word[host.len()..]))
}

/// Masks a text that somebody configured: addresses in it are his own.
pub(super) fn configured(text: &str) -> String {
    without_mail(&without_macs(text))
}

/// Leaves out of a text every e-mail address.
fn without_mail(text: &str) -> String {
    let words = text.split_inclusive(|c: char| c.is_whitespace() || c == ',');
    let mask = |word: &str| {
        let bare = word.trim_end_matches(|c: char| c.is_whitespace() || c == ',');
        let is_mail = bare
            .split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
        if is_mail {
            format!("{MAIL}{}", &word[bare.len()..])
        } else {
            word.to_owned()
        }
    };
    words.map(mask).collect()
}

/// Leaves out of a text every MAC address, in whatever spelling.
pub(super) fn without_macs(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut shown = String::with_capacity(text.len());
    let (mut from, mut at) = (0, 0);
    while at < bytes.len() {
        let is_begin = at == 0 || !bytes.get(at - 1).is_some_and(u8::is_ascii_hexdigit);
        match mac_at(&bytes[at..]).filter(|_| is_begin) {
            Some(length) => {
                shown.push_str(text.get(from..at).unwrap_or_default());
                shown.push_str(MAC);
                at += length;
                from = at;
            }
            None => at += 1,
        }
    }
    shown.push_str(text.get(from..).unwrap_or_default());
    shown
}

/// Returns the length of the MAC address that a text begins with: six pairs of digits, and
/// nothing, a sign, or a colon that is written as a path has it between them.
fn mac_at(text: &[u8]) -> Option<usize> {
    let separators: [&[u8]; 7] = [b":", b"-", b"_", b".", b"%3A", b"%3a", b""];
    separators.into_iter().find_map(|separator| {
        let mut rest = text;
        for pair in 0..6 {
            if pair > 0 {
                rest = rest.strip_prefix(separator)?;
            }
            let (digits, behind) = rest.split_at_checked(2)?;
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            rest = behind;
        }
        let is_end = !rest.first().is_some_and(u8::is_ascii_hexdigit);
        is_end.then_some(text.len() - rest.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::event;
    use crate::event::text::Lang;
    use proptest::prelude::*;

    fn mask() -> Mask {
        Mask {
            own: [IpAddr::from([192, 168, 1, 2])].into(),
        }
    }

    #[test]
    fn no_mac_address_is_left_in_whatever_spelling() {
        for mac in [
            "aa:bb:cc:dd:ee:ff",
            "AA-BB-CC-DD-EE-FF",
            "aa_bb_cc_dd_ee_ff",
            "aabbccddeeff",
            "AA%3ABB%3ACC%3ADD%3AEE%3AFF",
            "aa%3abb%3acc%3add%3aee%3aff",
            "00.11.22.33.44.55",
        ] {
            for text in [
                mac.to_owned(),
                format!("the device {mac}."),
                format!("/xiaozhi/ota/{mac}/x"),
                format!("智{mac}能"),
                format!("{mac},{mac}"),
            ] {
                let shown = without_macs(&text);
                assert_eq!(shown, text.replace(mac, MAC), "{text}");
            }
        }
        // A hash is none, nor is a time.
        for text in ["0123456789abcdef", "12:34:56", "2026-06-15", "a", ""] {
            assert_eq!(without_macs(text), text);
        }
    }

    #[test]
    fn no_address_is_left_but_the_servers_own() {
        let mask = mask();
        for (text, shown) in [
            ("192.168.1.2:8003", "192.168.1.2:8003"),
            ("127.0.0.1", "127.0.0.1"),
            ("http://10.0.0.7:8003/x", "http://[address]:8003/x"),
            ("10.0.0.7, 10.0.0.8.", "[address], [address]."),
            ("[2001:db8::1]:443", "[[address]]:443"),
            ("of 2001:db8::1: x", "of [address]: x"),
            ("version 1.10.2, 12:30", "version 1.10.2, 12:30"),
            ("1.2.3.4.5", "1.2.3.4.5"),
        ] {
            assert_eq!(mask.without_addresses(text), shown, "{text}");
        }
    }

    #[test]
    fn an_event_names_no_device_and_no_client() {
        let peer = "203.0.113.9:4711".parse::<std::net::SocketAddr>().unwrap();
        let why = event!(ADMIN_WRONG_TOKEN, peer = peer);
        let event = event!(ENDED, why = why).with("path", "/aabbccddeeff?from=203.0.113.9");
        let text = format!("{:?}", mask().said(&event));
        for secret in ["203.0.113", "4711", "aabbcc"] {
            assert!(!text.contains(secret), "{text}");
        }
        let audit = event!(
            ADDRESS_LOOPBACK,
            setting = "server.ota",
            host = "10.9.8.7",
            url = "http://10.9.8.7/",
            effect = "x",
            form = "y"
        );
        let shown = mask().finding(&audit).message(Lang::En);
        assert!(shown.contains("10.9.8.7"), "{shown}");
        let mail = configured("ops@example.com, https://me.example.com/ 11:22:33:44:55:66");
        assert_eq!(mail, "[e-mail], https://me.example.com/ [MAC]");
    }

    proptest! {
        #[test]
        fn whatever_a_stranger_writes_is_masked_without_a_panic(text in "\\PC{0,40}") {
            let _ = mask().without_addresses(&text);
            let _ = configured(&text);
        }

        #[test]
        fn every_address_of_another_goes(ip in any::<IpAddr>(), around in "[ ,;/=(]") {
            let mask = Mask::default();
            prop_assume!(!mask.is_shown(ip));
            let shown = mask.without_addresses(&format!("x{around}{ip}{around}y"));
            prop_assert!(!shown.contains(&ip.to_string()), "{}", shown);
        }

        #[test]
        fn every_mac_goes(bytes in any::<[u8; 6]>(), separator in "(:|-|_|)") {
            let mac: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let mac = mac.join(&separator);
            let shown = without_macs(&format!("x {mac} y"));
            prop_assert_eq!(shown, "x [MAC] y");
        }
    }
}
