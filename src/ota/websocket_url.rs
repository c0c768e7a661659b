//! The WebSocket address that a device is handed.

use super::public_url::{OtaUrl, WEBSOCKET_PATH};
use std::borrow::Cow;
use std::net::Ipv4Addr;
use xiaozhi_device::endpoint::{self, AddressKind};

/// WebSocket address that devices are handed, or the way in which it is made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebSocketUrl {
    /// The same for every device: `server.websocket`, or that of the configured OTA
    /// address.
    Fixed(String),
    /// This server passes the voice on: devices come back to where they have just come.
    Here,
    /// The voice server listens on this port of the host to which they have come.
    Beside(u16),
    /// It listens on this port of this machine, whose address is looked up; only the OTA
    /// address is configured.
    OnMachine(u16),
}

impl WebSocketUrl {
    /// Returns the address for a device that has come to `ota`, which is `None` where
    /// devices could not read it. `own` is this machine's address.
    pub(crate) fn at(
        &self,
        ota: Option<&OtaUrl>,
        own: impl FnOnce() -> Option<Ipv4Addr>,
    ) -> Option<Cow<'_, str>> {
        let url = match self {
            Self::Fixed(url) => return Some(Cow::Borrowed(url)),
            Self::Here => ota?.websocket_url(WEBSOCKET_PATH),
            Self::Beside(port) => match ota {
                Some(ota) => beside(&ota.url().host, *port),
                None => beside(&own()?.to_string(), *port),
            },
            Self::OnMachine(port) => beside(&own()?.to_string(), *port),
        };
        let is_readable = endpoint::read(&url, AddressKind::WebSocket).is_ok();
        is_readable.then_some(Cow::Owned(url))
    }

    /// Tells whether nobody wrote it.
    pub(crate) fn is_made_up(&self) -> bool {
        !matches!(self, Self::Fixed(_))
    }
}

/// Returns the address of a voice server at `port` of a host.
pub(crate) fn beside(host: &str, port: u16) -> String {
    format!("ws://{host}:{port}{WEBSOCKET_PATH}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ota::public_url::Url;

    #[test]
    fn it_has_the_host_to_which_a_device_has_come() {
        let ota = |text: &str| OtaUrl::new(Url::parse(text).unwrap());
        let (plain, secure) = (
            ota("http://nas.lan:18003/xiaozhi/ota"),
            ota("https://ota.my.com/xiaozhi/ota"),
        );
        let own = || Some(Ipv4Addr::new(192, 168, 1, 5));
        let fixed = WebSocketUrl::Fixed("wss://v/".into());
        for (url, ota, expected) in [
            (&fixed, Some(&plain), Some("wss://v/")),
            (&fixed, None, Some("wss://v/")),
            (
                &WebSocketUrl::Here,
                Some(&plain),
                Some("ws://nas.lan:18003/xiaozhi/v1/"),
            ),
            (
                &WebSocketUrl::Here,
                Some(&secure),
                Some("wss://ota.my.com/xiaozhi/v1/"),
            ),
            (&WebSocketUrl::Here, None, None),
            (
                &WebSocketUrl::Beside(8000),
                Some(&secure),
                Some("ws://ota.my.com:8000/xiaozhi/v1/"),
            ),
            (
                &WebSocketUrl::Beside(8000),
                None,
                Some("ws://192.168.1.5:8000/xiaozhi/v1/"),
            ),
            (
                &WebSocketUrl::OnMachine(8000),
                Some(&plain),
                Some("ws://192.168.1.5:8000/xiaozhi/v1/"),
            ),
        ] {
            assert_eq!(url.at(ota, own).as_deref(), expected, "{url:?}");
        }
        assert_eq!(
            WebSocketUrl::OnMachine(8000).at(Some(&plain), || None),
            None
        );
    }
}
