//! Does this certificate serve this public address? What would make a device
//! refuse it, and what to change.

use super::Mode;
use super::pem::Pair;
use crate::finding::Finding;
use rustls::pki_types::ServerName;
use std::net::IpAddr;
use std::time::SystemTime;
use webpki::EndEntityCert;

/// Judges the certificates against the host of an https public address. `pairs`
/// may be empty where `mode` says enough.
pub fn audit(host: &str, mode: &Mode, pairs: &[Pair], now: SystemTime) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Mode::SelfSigned { dir, .. } = mode {
        findings.push(self_signed(&dir.join("self-signed.crt").display()));
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    // Who asks for an address gets the first certificate, whatever its names.
    let asked = if host.parse::<IpAddr>().is_ok() {
        &pairs[..pairs.len().min(1)]
    } else {
        pairs
    };
    let names: Vec<&str> = match mode {
        Mode::SelfSigned { names, .. } => names.iter().map(String::as_str).collect(),
        // What is there may be about to be replaced: what is wanted counts.
        Mode::Acme(acme) => acme.names.iter().map(String::as_str).collect(),
        Mode::Off | Mode::Files(_) => asked
            .iter()
            .flat_map(|p| p.names.iter().map(String::as_str))
            .collect(),
    };
    let covered = match mode {
        Mode::SelfSigned { names, .. } => names.iter().any(|name| name.eq_ignore_ascii_case(host)),
        Mode::Acme(acme) => acme
            .names
            .iter()
            .any(|name| name.eq_ignore_ascii_case(host)),
        Mode::Off | Mode::Files(_) => {
            asked.is_empty() || asked.iter().any(|pair| covers(pair, host))
        }
    };
    if !covered {
        findings.push(Finding::new(
            format!("No certificate here is made for {host} (they are for {}): Wi-Fi devices check the name and will refuse the connection.", names.join(", ")),
            "get one for that name, or use one of those names in the public address.",
        ));
    }
    for pair in pairs {
        let file = pair.paths.cert.display();
        if pair.is_self_signed {
            if matches!(mode, Mode::Files(_) | Mode::Acme(_)) {
                findings.push(self_signed(&file));
            }
        } else if pair.certified.cert.len() == 1 {
            findings.push(Finding::new(
                format!("{file} holds only its own certificate, not the chain above it: devices cannot find the way to a root that they know and will refuse it."),
                "name the file with the whole chain (fullchain.pem).",
            ));
        }
        let seconds = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |d| d.as_secs());
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        if pair.not_after < seconds {
            findings.push(Finding::new(
                format!("{file} has expired: devices whose firmware checks dates, 4G modems and browsers among them, will refuse it."),
                "renew it; the new file is taken up without a restart.",
            ));
        } else if pair.not_before > seconds {
            findings.push(Finding::new(
                format!("{file} does not hold yet: clients that check dates will refuse it."),
                "see whether this machine's clock is right.",
            ));
        }
    }
    findings
}

fn self_signed(file: &dyn std::fmt::Display) -> Finding {
    Finding::new(
        format!(
            "{file} is self-signed: stock Wi-Fi firmware trusts public authorities only and will refuse it (4G modems, and firmware built with this certificate, accept it)."
        ),
        "use a certificate of a public authority (gateway.tls.mode: files), or serve devices over http.",
    )
}

fn covers(pair: &Pair, host: &str) -> bool {
    let Some(leaf) = pair.certified.cert.first() else {
        return false;
    };
    let (Ok(leaf), Ok(name)) = (EndEntityCert::try_from(leaf), ServerName::try_from(host)) else {
        return false;
    };
    leaf.verify_is_valid_for_subject_name(&name).is_ok()
}
