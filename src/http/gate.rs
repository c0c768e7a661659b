//! Gate of plain HTTP: lets requests in by it, or not, and names who comes by it.

use super::plain::PlainHttp;
use super::request::{Request, device_id, shown};
use super::turned_away::TurnedAway;
use crate::event::tell;
use crate::util::network::customer;
use crate::util::once::Once;
use std::sync::Arc;

/// Gate of plain HTTP.
#[derive(Debug)]
pub(super) struct PlainHttpGate {
    pub(super) plain_http: PlainHttp,
    pub(super) behind_proxy: bool,
    pub(super) has_trusted: bool,
    pub(super) named: Arc<Once>,
    pub(super) turned_away: Arc<TurnedAway>,
}

impl PlainHttpGate {
    /// Returns whether a request may come as it does, and names who comes over plain HTTP.
    /// `url` is the OTA address that is right.
    pub(super) fn lets_in(
        &self,
        request: Request<'_>,
        url: impl FnOnce() -> Option<String>,
    ) -> bool {
        let is_allowed = self.plain_http.allowed(request.now);
        self.name(request, is_allowed, url);
        request.peer.secure || is_allowed
    }

    /// Names who comes over plain HTTP, so that an operator knows when the migration is
    /// over. Behind a proxy that says nothing of it nobody here sees how it came: only that
    /// it is refused is said, for that shows nowhere else.
    fn name(&self, request: Request<'_>, is_allowed: bool, url: impl FnOnce() -> Option<String>) {
        let (peer, now) = (request.peer, request.now);
        let unlisted = self.behind_proxy && !self.has_trusted;
        let is_untold = peer.relayed || unlisted;
        if peer.secure || (is_untold && is_allowed) {
            return;
        }
        let id = device_id(&request.head.headers);
        let ip = peer.address.ip();
        let is_due = match &id {
            Some(id) => {
                // Who is let in is answered, and makes lines of its own.
                let may = || is_allowed || self.turned_away.may_name(id, ip, now);
                self.named.is_due_if(&**id, now, may)
            }
            // A download names no device, and a browser is none.
            None => !is_allowed && self.named.is_due(&customer(ip), now),
        };
        if !is_due {
            return;
        }
        let device = id.as_deref().map(shown);
        if is_untold {
            let setting = unlisted.then(|| format!("gateway.behind_proxy: [{ip}]"));
            tell!(HTTP_UNTOLD, device = device, peer = ip, setting = setting);
        } else if !is_allowed {
            tell!(
                HTTP_ENDED,
                device = device,
                peer = ip,
                method = request.method(),
                path = request.path(),
                url = url(),
            );
        } else if let PlainHttp::Until { day, .. } = &self.plain_http {
            tell!(HTTP_ENDS, device = device, peer = ip, last_day = day);
        } else {
            tell!(HTTP_USED, device = device, peer = ip);
        }
    }
}
