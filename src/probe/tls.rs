//! Placeholder of the handshake.

use super::line::Kind;
use super::report::Finding;
use rustls::pki_types::CertificateDer;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// Offers.
pub struct Client;
/// Done.
pub struct Secured {
    /// The connection.
    pub stream: TcpStream,
    /// What was seen.
    pub seen: String,
    /// What is wrong.
    pub findings: Vec<Finding>,
}
/// Not done.
pub struct Refused {
    /// Why.
    pub findings: Vec<Finding>,
}
impl Client {
    /// Makes it.
    pub fn new(_kind: Kind, _roots: Vec<CertificateDer<'static>>) -> Result<Self, rustls::Error> {
        Ok(Self)
    }
    /// Shakes hands.
    pub async fn handshake(
        &self,
        _stream: TcpStream,
        _host: &str,
        _limit: Duration,
    ) -> Result<Secured, Refused> {
        std::future::ready(Err(Refused {
            findings: Vec::new(),
        }))
        .await
    }
    /// Names a failure.
    pub async fn diagnose<F>(
        &self,
        refused: Refused,
        _host: &str,
        _again: impl Fn() -> F,
    ) -> Vec<Finding>
    where
        F: Future<Output = io::Result<TcpStream>>,
    {
        std::future::ready(refused.findings).await
    }
}
