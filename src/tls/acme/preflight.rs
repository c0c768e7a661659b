//! Look before an order at what would keep a CA from giving a certificate: whether its
//! directory is one, and where the names lead.

use super::authorities::{BINDING, is_of};
use super::client::CaClient;
use super::eab::EabKey;
use super::proxy::ProxyRules;
use super::{AcmeSettings, Challenges, RootError, client, is_public, no_contract};
use crate::event::{Event, event};
use crate::util::addresses::own_addresses;
use aws_lc_rs::rand::fill;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Time for all of it: an order does not wait for longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Length of the answer that is read, in bytes.
const ANSWER: u64 = 4096;

/// Looks at what `validate` can see. Of what may only be so at this moment it says
/// nothing.
pub(crate) async fn look(settings: &AcmeSettings) -> Result<Vec<Event>, RootError> {
    if let Some(eab) = &settings.eab {
        EabKey::load(eab)?;
    }
    let rules = ProxyRules::of_environment();
    let client = CaClient::new(client::trust(settings)?, rules);
    let looked = async {
        let directory = match client.directory(&settings.directory).await {
            Ok(directory) => directory,
            Err(error) if error.is_definite() => {
                return vec![event!(
                    ACME_DIRECTORY,
                    setting = "gateway.tls.acme.directory",
                    why = Event::from(&error)
                )];
            }
            // Without a network nothing can be said of names either.
            Err(_) => return Vec::new(),
        };
        // Of those that are known to want one the audit says so.
        let is_news = directory.wants_binding && !is_of(&settings.directory, &BINDING);
        let mut findings: Vec<_> = no_contract(settings, is_news).into_iter().collect();
        if !client.is_proxied() {
            findings.extend(names(settings, None).await);
        }
        findings
    };
    Ok(timeout(PATIENCE, looked).await.unwrap_or_default())
}

/// Looks where the names lead, before the CA does: with the server itself behind
/// `challenges` an own question must come back here.
pub(super) async fn names(
    settings: &AcmeSettings,
    challenges: Option<&Arc<Challenges>>,
) -> Vec<Event> {
    let looked = async {
        let mut findings = Vec::new();
        for name in &settings.names {
            findings.extend(one_name(settings, name, challenges).await);
        }
        findings
    };
    timeout(PATIENCE, looked).await.unwrap_or_default()
}

async fn one_name(
    settings: &AcmeSettings,
    name: &str,
    challenges: Option<&Arc<Challenges>>,
) -> Option<Event> {
    let setting = "gateway.tls.names";
    let port = settings.challenge.port();
    let addresses: BTreeSet<IpAddr> = match lookup_host((name, port)).await {
        Ok(found) => found.map(|address| address.ip()).collect(),
        Err(error) => {
            return Some(event!(
                ACME_NAME_UNKNOWN,
                setting = setting,
                name = name,
                error = &error
            ));
        }
    };
    let list: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let own: BTreeSet<IpAddr> = own_addresses().into_iter().collect();
    let own_list: Vec<_> = own.iter().map(ToString::to_string).collect();
    let own_list = (!own_list.is_empty()).then_some(&*own_list);
    let mut fault = None;
    if let Some(challenges) = challenges {
        for ip in &addresses {
            match ask_ourselves(challenges, name, SocketAddr::new(*ip, port)).await {
                Answer::Ours => return None,
                Answer::Other(answer) => {
                    return Some(event!(
                        ACME_NAME_ELSEWHERE,
                        setting = setting,
                        name = name,
                        port = port,
                        address = *ip,
                        answer = answer,
                        own = own_list
                    ));
                }
                Answer::Silence(error) => fault = Some(error),
            }
        }
    }
    let is_ours = addresses
        .iter()
        .any(|ip| own.contains(ip) || ip.is_loopback());
    let is_known = addresses.iter().any(|ip| is_public(*ip));
    if is_ours {
        None
    } else if !is_known && settings.is_public_authority() {
        Some(event!(
            ACME_NAME_PRIVATE,
            setting = setting,
            name = name,
            addresses = &*list
        ))
    } else {
        let error = fault.map(|error| error.to_string());
        Some(event!(
            ACME_NAME_FOREIGN,
            setting = setting,
            name = name,
            addresses = &*list,
            own = own_list,
            port = port,
            error = error
        ))
    }
}

/// Answer to a question that only this server can answer.
enum Answer {
    /// It is this server.
    Ours,
    /// It is another one: the first line of what it says.
    Other(String),
    /// Nobody answers, which behind a router may be so from within only.
    Silence(io::Error),
}

/// Asks for an answer that was made up for this question. Every port here speaks plain
/// HTTP, too, and gives it.
async fn ask_ourselves(challenges: &Arc<Challenges>, name: &str, to: SocketAddr) -> Answer {
    let mut random = [0; 16];
    let _ = fill(&mut random);
    let mut token = "self-check-".to_owned();
    for byte in random {
        // Writing to a String cannot fail.
        let _ = write!(token, "{byte:02x}");
    }
    let answer = format!("{token}.here");
    let _pending = challenges.answer_text(&token, &answer);
    let request = format!(
        "GET /.well-known/acme-challenge/{token} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
    );
    let asked = async {
        let mut stream = TcpStream::connect(to).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut text = Vec::new();
        // What came before a connection broke counts.
        let read = stream.take(ANSWER).read_to_end(&mut text).await;
        if text.is_empty() {
            read.map(|_| text)
        } else {
            Ok(text)
        }
    };
    // A part of the time, for there may be another address.
    let asked = timeout(PATIENCE / 3, asked).await;
    match asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Err(error) => Answer::Silence(error),
        Ok(text) if text.windows(answer.len()).any(|at| at == answer.as_bytes()) => Answer::Ours,
        Ok(text) => {
            let line = text.split(|b| matches!(b, b'\r' | b'\n')).next();
            let line = String::from_utf8_lossy(line.unwrap_or_default()).into_owned();
            Answer::Other(format!("{:?}", line.chars().take(80).collect::<String>()))
        }
    }
}
