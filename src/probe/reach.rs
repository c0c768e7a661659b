//! Finds IPv4 addresses that lead no device to a server, whatever this machine
//! makes of them. (Of IPv6 there is nothing to say: a device has IPv4 alone.)

use super::report::{Evidence, Finding};
use super::rules::address as literals;
use super::rules::connect as names;
use crate::event::reach::leads;
use crate::event::text::Lang;
use std::net::Ipv4Addr;
use xiaozhi_device::host::{HostFault, Nowhere, judge};

/// Judges an address that is written as such. This machine, and its Docker, may be
/// reached from here; only the caller knows whether they are meant.
pub(crate) fn literal(nowhere: Nowhere, evidence: impl Into<Evidence>) -> Finding {
    match nowhere {
        Nowhere::Loopback => Finding::warn(&literals::LOOPBACK, evidence),
        Nowhere::Container => Finding::warn(&literals::CONTAINER_ADDRESS, evidence),
        Nowhere::Unspecified => Finding::fail(&literals::UNSPECIFIED_ADDRESS, evidence),
        Nowhere::LinkLocal => Finding::fail(&literals::LINK_LOCAL_ADDRESS, evidence),
        Nowhere::FakeIp => Finding::fail(&literals::FAKE_ADDRESS, evidence),
        Nowhere::Example | Nowhere::Multicast | Nowhere::Reserved => {
            Finding::fail(&literals::NOBODYS_ADDRESS, evidence)
        }
    }
}

/// Judges a name by the addresses that this machine finds for it. Devices may be
/// told others by their resolver, so it is no failure; and what works here from
/// then on proves nothing.
pub(crate) fn name(name: &str, addresses: &[Ipv4Addr]) -> Option<Finding> {
    let of = |ip: &Ipv4Addr| Nowhere::of(*ip).map(|nowhere| (*ip, nowhere));
    let (ip, nowhere) = addresses.iter().find_map(of)?;
    // Of `localhost` it was said before it was looked up.
    if judge(name) == Some(HostFault::Nowhere(Nowhere::Loopback)) {
        return None;
    }
    let words = leads(nowhere);
    let evidence = Evidence::both(
        format!("{name} = {ip}（{}）", words.to(Lang::Zh)),
        format!("{name} = {ip} ({})", words.to(Lang::En)),
    );
    Some(Finding::warn(&names::NAME_LEADS_NOWHERE, evidence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_fine_with_such_an_address() {
        let found = |host: &str, ips: &[[u8; 4]]| {
            let ips: Vec<Ipv4Addr> = ips.iter().map(|ip| Ipv4Addr::from(*ip)).collect();
            name(host, &ips).map(|f| f.evidence.to_string())
        };
        assert_eq!(found("ota.example.com", &[[8, 8, 8, 8]]), None);
        assert_eq!(found("ota.example.com", &[]), None);
        assert_eq!(found("LOCALHOST", &[[127, 0, 0, 1]]), None);
        assert_eq!(
            found("ota.example.com", &[[8, 8, 8, 8], [198, 18, 0, 7]]).as_deref(),
            Some("ota.example.com = 198.18.0.7 (the fake-ip of a proxy)")
        );
        assert_eq!(
            found("ota.example.com", &[[127, 0, 1, 1]]).as_deref(),
            Some("ota.example.com = 127.0.1.1 (this machine)")
        );
    }
}
