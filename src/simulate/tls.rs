//! The handshake of the probe's own client, counted instead of explained.

use super::failure::{Failure, FailureKind};
use super::plan::Trust;
use crate::probe::dial::CONNECT;
use crate::probe::line::{Hardware, Kind, Line};
use crate::probe::report::Finding;
use crate::probe::rules::tls as rules;
use crate::probe::tls;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Client that secures connections as Wi-Fi devices do.
pub(super) struct FleetTls {
    tls: tls::TlsClient,
    insecure: bool,
}

impl FleetTls {
    /// Makes a client of Wi-Fi devices: their offer is the same in every line of
    /// the firmware.
    pub(super) fn new(trust: &Trust) -> Result<Self, String> {
        let kind = Kind {
            line: Line::V2,
            hardware: Hardware::Wifi,
        };
        let tls = tls::TlsClient::new(kind, trust.roots.clone()).map_err(|e| e.to_string())?;
        Ok(Self {
            tls,
            insecure: trust.insecure,
        })
    }

    /// Shakes hands, and refuses a certificate that a device refuses.
    pub(super) async fn secure(
        &self,
        stream: TcpStream,
        host: &str,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        match self.tls.handshake(stream, host, CONNECT).await {
            Ok(secured) => match secured.findings.iter().find(|f| f.is_failure()) {
                Some(finding) if !self.insecure => {
                    Err(Failure::with(FailureKind::Tls, named(finding)))
                }
                _ => Ok(secured.stream),
            },
            Err(refused) => Err(refused.findings.first().map_or_else(
                || Failure::new(FailureKind::Tls),
                |finding| Failure::with(kind_of(finding), named(finding)),
            )),
        }
    }
}

fn kind_of(finding: &Finding) -> FailureKind {
    if *finding.rule == rules::HANDSHAKE_CUT {
        FailureKind::CutShort
    } else if *finding.rule == rules::HANDSHAKE_TIMEOUT {
        FailureKind::Silent
    } else {
        FailureKind::Tls
    }
}

fn named(finding: &Finding) -> String {
    format!("{}: {}", finding.rule.id, finding.evidence)
}
