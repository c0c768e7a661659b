//! Requests that belong to a check, and are made beside it.

use super::{Answer, Probe, exchange};
use crate::probe::address::Target;
use crate::probe::connect::Families;
use crate::probe::report::{Evidence, Finding};
use crate::probe::rules::reply as replies;
use crate::probe::serial;
use crate::probe::wire::{Framing, PATIENCE, Wire};

impl Probe {
    /// Asks to be activated, as the device does until it is: 202 says not yet.
    pub(super) async fn activation(&self, target: &Target, answer: &Answer) -> Option<Finding> {
        if !answer.reply.activation {
            return None;
        }
        let slash = if target.path.ends_with('/') { "" } else { "/" };
        let asked = Target {
            path: format!("{}{slash}activate", target.path),
            ..target.clone()
        };
        let stream = self.network.open(&asked, Families::First).await.stream?;
        let mut wire = Wire::new(stream, PATIENCE);
        let (said, serial) = match exchange(&mut wire, &self.device.activate(&asked)).await {
            Ok((head, ..)) => {
                // `EspHttp::Open` fails on a reply without a body.
                let read = !self.device.kind.opens_with_the_head()
                    || matches!(head.framing(), Framing::Length(1..));
                if read && matches!(head.status, 200 | 202) {
                    return None;
                }
                let code = head.status;
                let serial = if read {
                    format!("E (…) Ota: Failed to activate, code: {code}, body: …")
                } else {
                    serial::NO_HEADERS.to_owned()
                };
                let to = head.line("Location").map(|line| format!("\n{line}"));
                (
                    format!("{}{}", head.status_line, to.unwrap_or_default()),
                    serial,
                )
            }
            Err(e) => (
                e.to_string(),
                "E (…) Ota: Failed to open HTTP connection".to_owned(),
            ),
        };
        let evidence = format!("POST {}\n{said}", asked.path);
        Some(Finding::fail(&replies::ACTIVATE_REFUSED, evidence).serial(serial))
    }

    /// Asks under the address's other form: with its last slash, or without.
    pub(super) async fn other_slash(&self, target: &Target, answer: &Answer) -> Option<Finding> {
        // With a blank at its end it has no slash there.
        if !answer.taken || target.path.contains('?') || target.path.ends_with(' ') {
            return None;
        }
        let path = match target.path.strip_suffix('/') {
            Some("") => return None,
            Some(path) => path.to_owned(),
            None => format!("{}/", target.path),
        };
        let other = Target {
            path,
            ..target.clone()
        };
        let stream = self.network.open(&other, Families::First).await.stream?;
        let mut wire = Wire::new(stream, PATIENCE);
        let said = match exchange(&mut wire, &self.device.check(&other)).await {
            Ok((head, _, _)) if [200, answer.status].contains(&head.status) => return None,
            Ok((head, _, _)) => head.status_line.into(),
            Err(e) => Evidence::from(&e),
        };
        let asked = format!("POST {}\n", other.path);
        Some(Finding::warn(&replies::MISSING_SLASH, said.after(&asked)))
    }
}
