//! Order from when the CA may sign it until its certificate is kept. Each certificate
//! counts against the CA's limits, so one that is signed already is asked for again,
//! also after a restart, and not ordered anew.

use super::AcmeSettings;
use super::error::OrderError;
use super::files::{place, read, remove, save};
use crate::event::text::Text;
use crate::event::{event, tell};
use hyper::Uri;
use instant_acme::{Account, Order, OrderStatus, RetryPolicy};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

/// Time that a signed certificate is asked for: no longer than a lost one is missed.
const PATIENCE: Duration = Duration::from_secs(86_400);

/// Time for the CA to look for its answers, and to sign.
pub(super) const CHECKING: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_secs(120));
/// Key and the chain that came for it, as PEM.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) key: String,
    pub(super) chain: String,
}

impl Issued {
    /// Returns both as one file, so that no power cut can part them.
    pub(super) fn file(&self) -> String {
        format!("{}\n{}", self.key.trim_end(), self.chain)
    }
}

/// Order and its key, as they are kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Signing {
    names: Vec<String>,
    /// Time of its begin, in seconds since 1970.
    since: u64,
    order: String,
    key: String,
}

impl Signing {
    /// Makes a key and keeps it, before anything is signed for it.
    pub(super) async fn begin(settings: &AcmeSettings, order: &str) -> Result<Self, OrderError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| make(&e))?;
        let signing = Self {
            names: settings.names.clone(),
            since: seconds(SystemTime::now()),
            order: order.to_owned(),
            key: key.serialize_pem(),
        };
        let text =
            serde_json::to_vec(&signing).map_err(|e| OrderError::Make(e.to_string().into()))?;
        save(&settings.signing(), text).await?;
        Ok(signing)
    }

    /// Returns the order that an earlier attempt left, if it is for the names of now.
    pub(super) async fn kept(settings: &AcmeSettings) -> Option<Self> {
        let path = settings.signing();
        let text = read(&path).await.ok()?;
        match serde_json::from_slice::<Self>(&text) {
            Ok(signing) if signing.names == settings.names && signing.is_address() => {
                return Some(signing);
            }
            Ok(signing) if signing.names == settings.names => {
                tell!(ACME_ORDER_STRANGE, file = &path);
            }
            Ok(_) => {}
            Err(error) => tell!(ACME_ORDER_UNREADABLE, file = &path, why = place(&error)),
        }
        remove(&path).await;
        None
    }

    /// Returns whether the order is an address, which the library takes for granted.
    fn is_address(&self) -> bool {
        let address = self.order.parse::<Uri>();
        address.is_ok_and(|uri| uri.scheme_str() == Some("https") && uri.host().is_some())
    }

    /// Asks again for what the CA was to sign.
    pub(super) async fn resume(
        &self,
        settings: &AcmeSettings,
        account: &Account,
    ) -> Result<Issued, OrderError> {
        if !is_fresh(self.since, seconds(SystemTime::now())) {
            remove(&settings.signing()).await;
            return Err(OrderError::Lost);
        }
        let order = account.order(self.order.clone()).await;
        match order.map_err(OrderError::met(Text::new(
            "给出等待签发的申请",
            "show the order that it was to sign",
        ))) {
            Ok(mut order) => self.finish(settings, &mut order).await,
            Err(fault) if fault.may_pass() => Err(fault),
            Err(fault) => Err(given_up(settings, fault).await),
        }
    }

    /// Has the CA sign it, and waits for that.
    pub(super) async fn finish(
        &self,
        settings: &AcmeSettings,
        order: &mut Order,
    ) -> Result<Issued, OrderError> {
        match self.signed(settings, order).await {
            Ok(chain) => Ok(Issued {
                key: self.key.clone(),
                chain,
            }),
            Err(fault) if fault.may_pass() && order.state().status != OrderStatus::Invalid => {
                Err(fault)
            }
            Err(fault) => Err(given_up(settings, fault).await),
        }
    }

    async fn signed(
        &self,
        settings: &AcmeSettings,
        order: &mut Order,
    ) -> Result<String, OrderError> {
        if order.state().status == OrderStatus::Ready {
            let mut params = CertificateParams::new(self.names.clone()).map_err(|e| make(&e))?;
            params.distinguished_name = DistinguishedName::new();
            // What the library says of it may hold a part of it.
            let key = KeyPair::from_pem(&self.key).map_err(|_| {
                let file = settings.signing();
                OrderError::Make(event!(ACME_SIGNING_KEY, file = &file).into())
            })?;
            let request = params.serialize_request(&key).map_err(|e| make(&e))?;
            let finalized = order.finalize_csr(request.der()).await;
            finalized.map_err(OrderError::met(Text::new("完成申请", "finalize the order")))?;
        }
        let chain = order.poll_certificate(&CHECKING).await;
        chain.map_err(OrderError::met(Text::new(
            "签发证书",
            "issue the certificate",
        )))
    }
}

/// Removes the order that is kept, since nothing more is to be had of it.
async fn given_up(settings: &AcmeSettings, fault: OrderError) -> OrderError {
    remove(&settings.signing()).await;
    OrderError::Spent(Box::new(fault))
}

fn make(error: &rcgen::Error) -> OrderError {
    OrderError::Make(error.to_string().into())
}

fn seconds(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Returns whether an order is neither too old nor from a clock that stood in the
/// future.
fn is_fresh(since: u64, now: u64) -> bool {
    now.abs_diff(since) < PATIENCE.as_secs()
}
