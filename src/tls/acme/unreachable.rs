//! Reasons why a CA could not be asked, in words.

use crate::event::text::Text;
use crate::event::{Event, event};
use hyper::StatusCode;
use std::fmt;
use std::io;
use std::time::Duration;

/// Time for one answer of the CA.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Error where the CA could not be asked.
#[derive(Debug)]
pub(super) enum Unreachable {
    /// The CA names what is no https address.
    Address(String),
    /// The port speaks no TLS.
    NoTls { host: String },
    /// Nobody answers under its name.
    Connect { host: String, error: io::Error },
    /// Its certificate is none that counts.
    Trust { host: String, error: io::Error },
    /// The connection ended, or what came by it is neither TLS nor HTTP.
    Broke {
        host: String,
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer cannot be read.
    Body {
        host: String,
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody answers, and not as a CA does.
    Status {
        host: String,
        status: StatusCode,
        /// Address that a redirect names.
        to: Option<String>,
    },
    /// No answer came.
    Late { host: String },
    /// The directory is something else.
    NotDirectory { directory: String, what: Text },
    /// A variable names what is no proxy.
    ProxyValue { variable: &'static str, why: Text },
    /// The proxy does not open the way.
    Proxy {
        proxy: String,
        variable: &'static str,
        host: String,
        fault: ProxyFault,
    },
}

/// Fault of a proxy.
#[derive(Debug)]
pub(super) enum ProxyFault {
    /// It does not answer.
    Io(io::Error),
    /// It wants to know who asks.
    WantsUser,
    /// It says no.
    Refuses(String),
}

impl From<io::Error> for ProxyFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<&Unreachable> for Event {
    fn from(error: &Unreachable) -> Self {
        match error {
            Unreachable::Address(address) => event!(ACME_CA_ADDRESS, address = address),
            Unreachable::NoTls { host } => event!(ACME_CA_NO_TLS, host = host),
            Unreachable::Connect { host, error } => {
                event!(ACME_CA_CONNECT, host = host, error = error)
            }
            Unreachable::Trust { host, error } => {
                event!(ACME_CA_TRUST, host = host, error = error)
            }
            Unreachable::Broke { host, error } => {
                event!(ACME_CA_BROKE, host = host, error = error.to_string())
            }
            Unreachable::Body { host, error } => {
                event!(ACME_CA_BODY, host = host, error = error.to_string())
            }
            Unreachable::Status { host, status, to } => event!(
                ACME_CA_STATUS,
                host = host,
                status = status.to_string(),
                to = to.as_ref()
            ),
            Unreachable::Late { host } => {
                event!(ACME_CA_LATE, host = host, seconds = PATIENCE.as_secs())
            }
            Unreachable::NotDirectory { directory, what } => {
                event!(ACME_CA_NO_DIRECTORY, directory = directory, what = *what)
            }
            Unreachable::ProxyValue { variable, why } => {
                event!(ACME_PROXY_VALUE, variable = *variable, why = *why)
            }
            Unreachable::Proxy {
                proxy,
                variable,
                host,
                fault,
            } => match fault {
                ProxyFault::Io(error) => event!(
                    ACME_PROXY_SILENT,
                    proxy = proxy,
                    variable = *variable,
                    error = error
                ),
                ProxyFault::WantsUser => {
                    event!(ACME_PROXY_USER, proxy = proxy, variable = *variable)
                }
                ProxyFault::Refuses(said) => event!(
                    ACME_PROXY_REFUSES,
                    proxy = proxy,
                    variable = *variable,
                    host = host,
                    said = format!("{said:?}")
                ),
            },
        }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Event::from(self).fmt(f)
    }
}

impl std::error::Error for Unreachable {}

impl Unreachable {
    /// Tells whether it holds whatever this machine's network is like just now.
    pub(super) fn is_definite(&self) -> bool {
        match self {
            Self::Address(_)
            | Self::NoTls { .. }
            | Self::Trust { .. }
            | Self::Status { .. }
            | Self::NotDirectory { .. }
            | Self::ProxyValue { .. } => true,
            Self::Proxy { fault, .. } => !matches!(fault, ProxyFault::Io(_)),
            Self::Connect { .. } | Self::Broke { .. } | Self::Body { .. } | Self::Late { .. } => {
                false
            }
        }
    }
}
