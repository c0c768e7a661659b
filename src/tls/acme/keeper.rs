//! The task that keeps a certificate: orders it, renews it, and tries again.

use super::client::{self, Client};
use super::fault::Fault;
use super::order::{self, Issued};
use super::schedule::{Life, Plan, Trouble, Window, renewal};
use super::{Challenges, RootError, Settings};
use crate::tls::pem::{Pair, PairError};
use aws_lc_rs::rand::fill;
use instant_acme::{CertificateIdentifier, Error};
use jiff::Timestamp;
use rustls::ClientConfig;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

/// How often it is looked whether something is due: a machine that slept, or
/// whose clock was set, must not sleep on.
const LOOK: Duration = Duration::from_secs(60);
/// How often the CA is asked when it would have a certificate renewed, at most
/// and at least, whatever it asks for.
const ASK: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(86_400));
/// A key and a chain of a few certificates, with room to spare.
const LENGTH: usize = 32 * 1024;

/// Keeps a certificate: orders it, renews it, and tries again.
#[derive(Debug)]
pub struct Keeper {
    settings: Settings,
    challenges: Arc<Challenges>,
    trust: Arc<ClientConfig>,
}

/// What the keeper remembers from one look to the next.
struct Memory {
    plan: Plan,
    /// Where within its window this certificate is renewed.
    chance: f64,
    window: Option<Window>,
    /// When the CA is to be asked for the window.
    ask: SystemTime,
    /// What the CA gave and the disk did not take.
    unsaved: Option<Issued>,
    /// What is wrong with the file, so that it is said once.
    told: String,
    /// The renewal that was announced.
    announced: Option<SystemTime>,
}

impl Keeper {
    /// Reads the configured root.
    pub fn new(settings: Settings, challenges: Arc<Challenges>) -> Result<Self, RootError> {
        let trust = client::trust(&settings)?;
        Ok(Self {
            settings,
            challenges,
            trust,
        })
    }

    /// Works until asked to stop. An order that the CA is about to sign is
    /// brought to its end.
    pub async fn run(self, stop: CancellationToken) {
        let mut memory = Memory {
            plan: Plan::new(self.refusals().await),
            chance: chance(),
            window: None,
            ask: SystemTime::UNIX_EPOCH,
            unsaved: None,
            told: String::new(),
            announced: None,
        };
        while !stop.is_cancelled() {
            let now = SystemTime::now();
            let held = self.held(&mut memory).await;
            let wanted = match held.as_ref().map(|pair| (pair, life(pair))) {
                Some((pair, life)) if life.until > now && memory.unsaved.is_none() => {
                    tokio::select! {
                        () = self.ask_for_window(&mut memory, pair, now) => {}
                        () = stop.cancelled() => return,
                    }
                    let at = renewal(life, memory.window, memory.chance);
                    announce(&mut memory, life, at);
                    at
                }
                _ => now,
            };
            let at = memory.plan.order_at(wanted, now);
            if at <= now {
                self.attempt(&mut memory, held.as_ref(), &stop).await;
                continue;
            }
            let rest = at.duration_since(now).unwrap_or_default().min(LOOK);
            tokio::select! {
                () = sleep(rest) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// The kept certificate, if it holds for all names.
    async fn held(&self, memory: &mut Memory) -> Option<Pair> {
        let paths = self.settings.paths();
        let fault = match order::read(&paths.cert).await {
            Ok(text) => match Pair::parse(&paths, &text, &text) {
                Ok(pair) => match self.settings.lacking(&pair) {
                    lacking if lacking.is_empty() => {
                        memory.told.clear();
                        return Some(pair);
                    }
                    lacking => format!(
                        "{} does not hold for {}: another one is ordered",
                        paths.cert.display(),
                        lacking.join(", ")
                    ),
                },
                Err(e) => format!("{e}: another one is ordered"),
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                let path = paths.cert;
                format!(
                    "{}: another one is ordered",
                    PairError::Read { path, error }
                )
            }
        };
        if memory.told != fault {
            warn!("{fault}");
            memory.told = fault;
        }
        None
    }

    /// Asks the CA when it would have `pair` renewed, now and then.
    async fn ask_for_window(&self, memory: &mut Memory, pair: &Pair, now: SystemTime) {
        if now < memory.ask && memory.ask < now + 2 * ASK.1 {
            return;
        }
        memory.ask = now + ASK.1;
        let client = Client::new(Arc::clone(&self.trust));
        // Without an account nothing was ever ordered here, and a stranger's
        // certificate is none of the CA's.
        let account = order::kept_account(&self.settings, &client).await;
        let (Ok(Some(account)), Some(id)) = (account, id(pair)) else {
            return;
        };
        match account.renewal_info(&id).await {
            Ok((info, retry)) => {
                memory.ask = now + retry.clamp(ASK.0, ASK.1);
                let window = Window {
                    start: info.suggested_window.start.into(),
                    end: info.suggested_window.end.into(),
                };
                if memory.window != Some(window) {
                    info!(
                        from = %shown(window.start), to = %shown(window.end),
                        why = info.explanation_url.as_deref().unwrap_or("as planned"),
                        "the CA says when to renew the certificate"
                    );
                    memory.window = Some(window);
                }
            }
            // Not every CA offers it: then two thirds of the lifetime count.
            Err(Error::Unsupported(_)) => memory.window = None,
            Err(error) => {
                memory.ask = now + ASK.1 / 4;
                debug!(%error, "the CA does not say when to renew the certificate");
            }
        }
    }

    async fn attempt(&self, memory: &mut Memory, held: Option<&Pair>, stop: &CancellationToken) {
        let client = Client::new(Arc::clone(&self.trust));
        let outcome = self.obtain(memory, held, &client, stop).await;
        let now = SystemTime::now();
        let fault = match outcome {
            Ok(pair) => {
                memory.plan.succeeded(life(&pair), now);
                memory.chance = chance();
                memory.window = None;
                memory.ask = SystemTime::UNIX_EPOCH;
                self.keep_refusals(memory).await;
                info!(
                    names = %pair.names.join(", "), until = %shown(life(&pair).until),
                    file = %pair.paths.cert.display(), "certificate obtained"
                );
                return;
            }
            Err(Fault::Stopped) => return,
            Err(fault) => fault,
        };
        if fault.has_lost_account() {
            let path = self.settings.account();
            warn!(file = %path.display(), "the CA does not know this account any more: it is put aside");
            let _ = tokio::fs::rename(&path, path.with_extension("json.lost")).await;
        }
        let trouble = match &fault {
            fault if fault.has_lost_account() => Trouble::Unreachable,
            fault => fault.trouble(),
        };
        let after = client.retry_after();
        memory.plan.failed(trouble, after, now, chance());
        if trouble == Trouble::Refused {
            self.keep_refusals(memory).await;
        }
        let next = memory.plan.order_at(now, now);
        let serving = match held.map(life) {
            Some(life) if life.until > now => {
                format!("the one until {} stays in use", shown(life.until))
            }
            Some(_) => "the one that has ended stays in use".to_owned(),
            None => "what was in use until now, or a self-signed one, answers".to_owned(),
        };
        error!(
            directory = %self.settings.directory, next = %shown(next),
            "no new certificate for {}: {fault}. Meanwhile {serving}", self.settings.names.join(", ")
        );
    }

    async fn obtain(
        &self,
        memory: &mut Memory,
        held: Option<&Pair>,
        client: &Client,
        stop: &CancellationToken,
    ) -> Result<Pair, Fault> {
        let paths = self.settings.paths();
        let issued = if let Some(issued) = memory.unsaved.take() {
            issued
        } else {
            info!(
                names = %self.settings.names.join(", "), directory = %self.settings.directory,
                challenge = %self.settings.challenge, "a certificate is ordered"
            );
            order::rehearse(&paths.cert, LENGTH).await?;
            let account = tokio::select! {
                account = order::account(&self.settings, client) => account?,
                () = stop.cancelled() => return Err(Fault::Stopped),
            };
            // Only a CA that says when to renew knows what is renewed.
            let replaces = held.filter(|_| memory.window.is_some()).and_then(id);
            order::order(&self.settings, &self.challenges, &account, replaces, stop).await?
        };
        let file = issued.file();
        let pair = Pair::parse(&paths, file.as_bytes(), file.as_bytes()).map_err(Fault::Useless)?;
        let lacking = self.settings.lacking(&pair);
        if !lacking.is_empty() {
            return Err(Fault::Lacks(lacking.join(", ")));
        }
        if let Err(fault) = order::save(&paths.cert, file.into_bytes()).await {
            memory.unsaved = Some(issued);
            return Err(fault);
        }
        Ok(pair)
    }

    /// What an earlier run was refused.
    async fn refusals(&self) -> Vec<SystemTime> {
        let text = order::read(&self.settings.file("refused")).await;
        let seconds: Vec<u32> = text
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let moment = |s| SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(s));
        seconds.into_iter().map(moment).collect()
    }

    /// Best effort: without it a restart tries once too often.
    async fn keep_refusals(&self, memory: &Memory) {
        let path = self.settings.file("refused");
        if memory.plan.refusals().is_empty() {
            let _ = tokio::fs::remove_file(path).await;
            return;
        }
        let since = |at: &SystemTime| at.duration_since(SystemTime::UNIX_EPOCH);
        let seconds: Vec<u64> = memory
            .plan
            .refusals()
            .iter()
            .filter_map(|at| since(at).ok().map(|d| d.as_secs()))
            .collect();
        if let Ok(text) = serde_json::to_vec(&seconds) {
            let _ = order::save(&path, text).await;
        }
    }
}

fn announce(memory: &mut Memory, life: Life, at: SystemTime) {
    if memory.announced != Some(at) {
        memory.announced = Some(at);
        info!(until = %shown(life.until), renewal = %shown(at), "certificate kept");
    }
}

/// What a CA calls the certificate in its renewal information (RFC 9773).
fn id(pair: &Pair) -> Option<CertificateIdentifier<'static>> {
    let leaf = pair.certified.cert.first()?;
    CertificateIdentifier::try_from(leaf)
        .ok()
        .map(CertificateIdentifier::into_owned)
}

fn life(pair: &Pair) -> Life {
    let moment = |seconds: i64| {
        SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    };
    Life {
        from: moment(pair.not_before),
        until: moment(pair.not_after),
    }
}

fn shown(at: SystemTime) -> String {
    Timestamp::try_from(at).map_or_else(|_| "?".to_owned(), |at| format!("{at:.0}"))
}

/// A number from 0 to 1. A generator that fails makes it 0, which is as good.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    let _ = fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}
