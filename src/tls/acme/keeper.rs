//! The task that keeps a certificate: orders it, renews it, and tries again.

use super::client::{self, CaClient};
use super::eab::EabKey;
use super::error::OrderError;
use super::files;
use super::order;
use super::preflight;
use super::proxy::ProxyRules;
use super::schedule::{OrderPlan, Record, RenewalWindow, Trouble, Validity, renewal};
use super::signing::Issued;
use super::signing::Signing;
use super::{AcmeSettings, Challenges, RootError};
use crate::event::text::Text;
use crate::event::{self, Event, Value, event, tell};
use crate::tls::pem::Pair;
use crate::tls::self_signed::normal;
use aws_lc_rs::rand::fill;
use futures_util::FutureExt;
use instant_acme::{Account, CertificateIdentifier, Error};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Time between two looks whether something is due: a machine that slept, or whose
/// clock was set, must not sleep on.
const LOOK: Duration = Duration::from_secs(60);
/// Shortest and longest time between two questions to the CA about renewal, whatever it
/// asks for.
const ASK: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(86_400));
/// Room in bytes that a key and a chain of a few certificates need, and more.
const LENGTH: usize = 32 * 1024;

/// Keeps a certificate: orders it, renews it, and tries again.
#[derive(Debug, Clone)]
pub(crate) struct CertificateKeeper {
    settings: AcmeSettings,
    challenges: Arc<Challenges>,
    trust: Arc<ClientConfig>,
    contract: Option<EabKey>,
    proxy: ProxyRules,
}

/// Memory of the keeper from one look to the next.
struct Memory {
    plan: OrderPlan,
    /// Set once the CA was told to look for our answers in this attempt.
    begun: bool,
    /// Place within its window at which this certificate is renewed, 0 to 1.
    chance: f64,
    window: Option<RenewalWindow>,
    /// Time at which the CA is to be asked for the window.
    ask: SystemTime,
    /// Certificate that the CA gave and the disk did not take.
    unsaved: Option<Issued>,
    /// Fault of the file that was logged last, so that it is logged once.
    told: Option<Value>,
    /// Time of the renewal that was announced.
    announced: Option<SystemTime>,
    /// Time of the next order, where one was due and the log said that it waits.
    waits: Option<SystemTime>,
    /// True once the names were looked at.
    has_looked: bool,
}

/// State that a restart must know, and the names that it holds for.
#[derive(Default, Serialize, Deserialize)]
struct SavedPlan {
    names: Vec<String>,
    record: Record,
}

impl CertificateKeeper {
    /// Makes a keeper with the configured root.
    pub(crate) fn new(
        settings: AcmeSettings,
        challenges: Arc<Challenges>,
    ) -> Result<Self, RootError> {
        let trust = client::trust(&settings)?;
        let contract = settings.eab.as_ref().map(EabKey::load).transpose()?;
        Ok(Self {
            settings,
            challenges,
            trust,
            contract,
            proxy: ProxyRules::of_environment(),
        })
    }

    /// Works until asked to stop. An order that the CA is about to sign is
    /// brought to its end.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut memory = Memory {
            plan: self.kept_plan().await,
            begun: false,
            chance: chance(),
            window: None,
            ask: SystemTime::UNIX_EPOCH,
            unsaved: None,
            told: None,
            announced: None,
            waits: None,
            has_looked: false,
        };
        while !stop.is_cancelled() {
            let now = SystemTime::now();
            let held = self.held(&mut memory).await;
            let wanted = match held.as_ref().map(|pair| (pair, life(pair))) {
                Some((pair, life)) if life.until > now && memory.unsaved.is_none() => {
                    let asked = AssertUnwindSafe(self.ask_for_window(&mut memory, pair, now));
                    tokio::select! {
                        // The library panics where an address that the CA names is none.
                        _ = asked.catch_unwind() => {}
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
            if wanted <= now {
                self.say_waiting(&mut memory, at);
            }
            let rest = at.duration_since(now).unwrap_or_default().min(LOOK);
            tokio::select! {
                () = sleep(rest) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    fn client(&self) -> CaClient {
        CaClient::new(Arc::clone(&self.trust), self.proxy.clone())
    }

    /// Returns the account, once the CA has been seen to be one.
    async fn account(&self, memory: &mut Memory, client: &CaClient) -> Result<Account, OrderError> {
        // What is of no use is so without a CA.
        order::read_account(&self.settings).await?;
        // Whatever answers instead of a CA is named, and not what the library makes of it.
        let directory = client.directory(&self.settings.directory).await?;
        if !client.is_proxied() {
            self.look_at_names(memory).await;
        }
        order::account(&self.settings, client, self.contract.as_ref(), directory).await
    }

    /// Says once, before the first order, what of the names would keep a CA from believing
    /// that they are ours.
    async fn look_at_names(&self, memory: &mut Memory) {
        if !std::mem::replace(&mut memory.has_looked, true) {
            for finding in preflight::names(&self.settings, Some(&self.challenges)).await {
                event::say(&finding);
            }
        }
    }

    /// Returns the kept certificate, if it holds for all names.
    async fn held(&self, memory: &mut Memory) -> Option<Pair> {
        let paths = self.settings.paths();
        let fault = match files::read(&paths.cert).await {
            Ok(text) => match Pair::parse(&paths, &text, &text) {
                Ok(pair) => match self.settings.lacking(&pair) {
                    lacking if lacking.is_empty() => {
                        memory.told = None;
                        return Some(pair);
                    }
                    lacking => Some(event!(PAIR_LACKS, names = &*lacking).into()),
                },
                Err(e) => Some(e.in_short()),
            },
            // What is missing at the first start is no fault.
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some((&error).into()),
        };
        if memory.told != fault {
            if let Some(what) = &fault {
                tell!(ACME_KEPT_UNFIT, file = &paths.cert, what = what.clone());
            }
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
        let client = self.client();
        // Without an account nothing was ever ordered here, and a stranger's
        // certificate is none of the CA's.
        let account = match order::kept_account(&self.settings, &client).await {
            Ok(account) => account,
            Err(error) => {
                memory.ask = now + ASK.1 / 4;
                debug!(%error, "the CA does not say when to renew the certificate");
                return;
            }
        };
        let (Some(account), Some(id)) = (account, id(pair)) else {
            return;
        };
        match account.renewal_info(&id).await {
            Ok((info, retry)) => {
                memory.ask = now + retry.clamp(ASK.0, ASK.1);
                let window = RenewalWindow {
                    start: info.suggested_window.start.into(),
                    end: info.suggested_window.end.into(),
                };
                if memory.window != Some(window) {
                    tell!(
                        ACME_WINDOW,
                        from = shown(window.start),
                        to = shown(window.end),
                        why = info.explanation_url.as_deref().unwrap_or("as planned"),
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
        let client = self.client();
        memory.begun = false;
        // Here, too.
        let obtained = AssertUnwindSafe(self.obtain(memory, held, &client, stop)).catch_unwind();
        let odd = |_| {
            let why = Text::new(
                "证书机构给出的一个地址不是地址：请检查 gateway.tls.acme.directory",
                "an address that the CA names is none: check gateway.tls.acme.directory",
            );
            Err(OrderError::Make(why.into()))
        };
        let outcome = obtained.await.unwrap_or_else(odd);
        let now = SystemTime::now();
        let fault = match outcome {
            Ok(pair) => {
                memory.plan.succeeded(life(&pair), now);
                memory.chance = chance();
                memory.window = None;
                memory.ask = SystemTime::UNIX_EPOCH;
                self.keep_plan(&memory.plan).await;
                tell!(
                    ACME_OBTAINED,
                    names = &*pair.names,
                    until = shown(life(&pair).until),
                    file = &pair.paths.cert,
                );
                return;
            }
            Err(OrderError::Stopped) => return,
            Err(fault) => fault,
        };
        if fault.has_lost_account() {
            // Nor does another one get what that one ordered.
            files::remove(&self.settings.signing()).await;
            let path = self.settings.account();
            let why = Text::new("证书机构已不认识它", "the CA does not know it any more");
            files::put_aside(&path, "json.lost", why).await;
        }
        let trouble = match &fault {
            fault if fault.has_lost_account() => Trouble::Unreachable,
            fault => fault.trouble(),
        };
        let after = client.retry_after();
        memory
            .plan
            .failed(trouble, memory.begun, after, now, chance());
        self.keep_plan(&memory.plan).await;
        let next = memory.plan.order_at(now, now);
        memory.waits = Some(next);
        tell!(
            ACME_FAILED,
            names = &*self.settings.names,
            why = Event::from(&fault),
            until = held.map(|held| shown(life(held).until)),
            directory = &self.settings.directory,
            next = shown(next),
        );
    }

    /// Logs that an order waits: of a wait that an earlier run brought about nobody has
    /// heard in this one.
    fn say_waiting(&self, memory: &mut Memory, next: SystemTime) {
        if memory.waits.replace(next) != Some(next) {
            tell!(
                ACME_WAITS,
                names = &*self.settings.names,
                next = shown(next),
                kept = &self.settings.waits(),
            );
        }
    }

    async fn obtain(
        &self,
        memory: &mut Memory,
        held: Option<&Pair>,
        client: &CaClient,
        stop: &CancellationToken,
    ) -> Result<Pair, OrderError> {
        let paths = self.settings.paths();
        let issued = match memory.unsaved.take() {
            Some(issued) => issued,
            None => self.issued(memory, held, client, stop).await?,
        };
        let file = issued.file();
        let spent = |fault| OrderError::Spent(Box::new(fault));
        let pair = Pair::parse(&paths, file.as_bytes(), file.as_bytes());
        let pair = pair.map_err(|e| spent(OrderError::Useless(e)))?;
        let lacking = self.settings.lacking(&pair);
        if !lacking.is_empty() {
            return Err(spent(OrderError::Lacks(lacking.join(", "))));
        }
        if let Err(fault) = files::save(&paths.cert, file.into_bytes()).await {
            memory.unsaved = Some(issued);
            return Err(fault);
        }
        files::remove(&self.settings.signing()).await;
        Ok(pair)
    }

    /// Returns the certificate of the order that the CA was to sign, else of a new one.
    async fn issued(
        &self,
        memory: &mut Memory,
        held: Option<&Pair>,
        client: &CaClient,
        stop: &CancellationToken,
    ) -> Result<Issued, OrderError> {
        let signing = Signing::kept(&self.settings).await;
        let (names, directory) = (&*self.settings.names, &self.settings.directory);
        let challenge = self.settings.challenge.to_string();
        if signing.is_some() {
            tell!(
                ACME_ASKED_AGAIN,
                names = names,
                directory = directory,
                challenge = challenge
            );
        } else {
            tell!(
                ACME_ORDERED,
                names = names,
                directory = directory,
                challenge = challenge
            );
        }
        files::rehearse(&self.settings.paths().cert, LENGTH).await?;
        let account = tokio::select! {
            account = self.account(memory, client) => account?,
            () = stop.cancelled() => return Err(OrderError::Stopped),
        };
        if let Some(signing) = signing {
            return tokio::select! {
                issued = signing.resume(&self.settings, &account) => issued,
                () = stop.cancelled() => Err(OrderError::Stopped),
            };
        }
        // Only a CA that says when to renew knows what is renewed.
        let replaces = held.filter(|_| memory.window.is_some()).and_then(id);
        let begins = async {
            memory.begun = true;
            memory.plan.begins(SystemTime::now());
            self.keep_plan(&memory.plan).await;
        };
        let (settings, challenges) = (&self.settings, &self.challenges);
        order::order(settings, challenges, &account, replaces, begins, stop).await
    }

    /// Returns the plan with what an earlier run knew of the CA.
    async fn kept_plan(&self) -> OrderPlan {
        let text = files::read(&self.settings.waits()).await;
        let kept: Option<SavedPlan> = text.ok().and_then(|t| serde_json::from_slice(&t).ok());
        let SavedPlan { names, record } = kept.unwrap_or_default();
        let mut plan = OrderPlan::new(&record, SystemTime::now());
        if names != self.names() {
            plan.forget_issued();
        }
        plan
    }

    /// Writes down what a restart must know. Best effort: without it a restart tries
    /// once too often.
    async fn keep_plan(&self, plan: &OrderPlan) {
        let (names, record) = (self.names(), plan.record());
        if let Ok(text) = serde_json::to_vec(&SavedPlan { names, record })
            && let Err(error) = files::save(&self.settings.waits(), text).await
        {
            debug!(%error, "what a restart should know of the CA is not kept");
        }
    }

    /// Returns the names as a CA compares them.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .settings
            .names
            .iter()
            .map(|name| normal(name))
            .collect();
        names.sort_unstable();
        names
    }
}

fn announce(memory: &mut Memory, life: Validity, at: SystemTime) {
    if memory.announced != Some(at) {
        memory.announced = Some(at);
        let (until, renewal) = (shown(life.until), shown(at));
        tell!(ACME_KEPT, until = until, renewal = renewal);
    }
}

/// Returns the identifier of the certificate in the CA's renewal information (RFC
/// 9773).
fn id(pair: &Pair) -> Option<CertificateIdentifier<'static>> {
    let leaf = pair.certified.cert.first()?;
    CertificateIdentifier::try_from(leaf)
        .ok()
        .map(CertificateIdentifier::into_owned)
}

fn life(pair: &Pair) -> Validity {
    let moment = |seconds: i64| {
        SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    };
    Validity {
        from: moment(pair.not_before),
        until: moment(pair.not_after),
    }
}

fn shown(at: SystemTime) -> String {
    let local = |at: Timestamp| at.to_zoned(TimeZone::system()).strftime("%FT%T%:z");
    Timestamp::try_from(at).map_or_else(|_| "?".to_owned(), |at| local(at).to_string())
}

/// Returns a random number from 0 to 1. A generator that fails makes it 0, which is as
/// good.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    let _ = fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}
