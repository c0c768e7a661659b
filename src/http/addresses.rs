//! Addresses that a device is handed: those that are configured, else those by which it
//! has just come.

use super::forwarded;
use super::request::Head;
use crate::ota::public_url::{OtaUrl, PublicAddress, Source};
use crate::ota::reached::{Way, reached};
use crate::ota::websocket_url::WebSocketUrl;
use crate::server::Peer;
use hyper::header::HOST;
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use xiaozhi_device::endpoint::{self, AddressKind};

/// Way in which an OTA address is made up that nobody configured.
#[derive(Debug, Clone)]
pub(crate) struct MadeUp {
    /// The one address that is listened on, if it is one.
    pub(crate) bound: Option<IpAddr>,
    /// True where nothing stands in front: what a request asked for counts.
    pub(crate) by_request: bool,
}

/// Addresses that devices are handed.
#[derive(Debug)]
pub(super) struct Addresses {
    public: PublicAddress,
    /// Download address in front of a file's name, where it is the same for all; `None`
    /// where devices could not read it.
    download_base: Option<String>,
    made_up: Option<MadeUp>,
    websocket: WebSocketUrl,
    /// This machine's address, as it is now.
    own: fn() -> Option<Ipv4Addr>,
}

/// Addresses for one request.
#[derive(Debug)]
pub(super) struct Reached<'a> {
    addresses: &'a Addresses,
    /// `None` where there is none that a device reads.
    ota: Option<Cow<'a, OtaUrl>>,
    /// Sign that something in front passed the request on, so that the address by which it
    /// came is no device's.
    sign: Option<&'a str>,
}

impl Addresses {
    pub(super) fn new(
        public: PublicAddress,
        made_up: Option<MadeUp>,
        websocket: WebSocketUrl,
        own: fn() -> Option<Ipv4Addr>,
    ) -> Self {
        let is_readable = made_up.is_none() && public.ota().is_readable();
        Self {
            download_base: is_readable.then(|| public.ota().download_base()),
            public,
            made_up,
            websocket,
            own,
        }
    }

    /// Returns whether addresses are made up from what a request says, and where it came.
    pub(super) fn depend_on_requests(&self) -> bool {
        self.made_up
            .as_ref()
            .is_some_and(|made_up| made_up.by_request)
    }

    /// Returns the addresses for a request.
    pub(super) fn of<'a>(&'a self, peer: Peer, head: &'a Head) -> Reached<'a> {
        let by_request = self.made_up.as_ref().filter(|made_up| made_up.by_request);
        let sign = by_request.and_then(|_| forwarded::sign(head));
        let ota = match &self.made_up {
            None => Some(Cow::Borrowed(self.public.ota())),
            Some(made_up) => self.made_up(made_up, peer, head, sign).map(Cow::Owned),
        };
        Reached {
            addresses: self,
            ota,
            sign,
        }
    }

    fn made_up(
        &self,
        made_up: &MadeUp,
        peer: Peer,
        head: &Head,
        sign: Option<&str>,
    ) -> Option<OtaUrl> {
        let own = || match made_up.bound {
            Some(IpAddr::V4(ip)) => Some(ip),
            Some(IpAddr::V6(_)) => None,
            None => (self.own)(),
        };
        let port = self.public.url().effective_port();
        let by_request = made_up.by_request && sign.is_none();
        let way = Way {
            host: host(head).filter(|_| by_request),
            secure: peer.secure && by_request,
            local: peer.local.filter(|_| by_request),
            // Whoever asked what stands in front is not on this machine.
            from_here: peer.address.ip().is_loopback() && sign.is_none(),
        };
        reached(way, own, port)
    }
}

/// Returns the host that a request asks for. One that names two names none.
fn host(head: &Head) -> Option<&[u8]> {
    if let Some(authority) = head.uri.authority() {
        return Some(authority.as_str().as_bytes());
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = hosts.next()?.as_bytes();
    hosts.next().is_none().then_some(host)
}

impl Reached<'_> {
    /// Returns the OTA address; `None` where there is none that a device reads.
    pub(super) fn ota(&self) -> Option<&OtaUrl> {
        self.ota.as_deref()
    }

    /// Returns the setting that gives the OTA address, where it is another one than the
    /// guide's.
    pub(super) fn setting(&self) -> Option<&'static str> {
        let is_other = self.addresses.public.source() == Source::Ota;
        is_other.then_some(Source::Ota.setting())
    }

    /// Returns the sign that something in front passed the request on, which nobody
    /// configured.
    pub(super) fn sign(&self) -> Option<&str> {
        self.sign
    }

    /// Returns the download address in front of a file's name; `None` where devices could
    /// not read it.
    pub(super) fn download_base(&self) -> Option<Cow<'_, str>> {
        if self.addresses.made_up.is_none() {
            return self.addresses.download_base.as_deref().map(Cow::Borrowed);
        }
        let base = self.ota()?.download_base();
        let is_readable = endpoint::read(&base, AddressKind::Http).is_ok();
        is_readable.then_some(Cow::Owned(base))
    }

    /// Returns the WebSocket address; `None` where there is none that a device reads.
    pub(super) fn websocket(&self) -> Option<Cow<'_, str>> {
        let addresses = self.addresses;
        addresses.websocket.at(self.ota(), addresses.own)
    }
}
