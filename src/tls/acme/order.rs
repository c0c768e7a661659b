//! One order: from the account to the certificate.

use super::challenges::Challenges;
use super::client::{CaClient, Directory};
use super::eab::EabKey;
use super::error::{NEW_ACCOUNT, OrderError, Proof};
use super::files::{place, put_aside, read, save};
use super::signing::{CHECKING, Issued, Signing};
use super::{AcmeSettings, Challenge};
use crate::event::tell;
use crate::event::text::Text;
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error,
    Identifier, NewAccount, NewOrder, Order, OrderStatus,
};
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::io;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Let's Encrypt's profile of certificates of six days: the only ones for IP addresses.
const FOR_ADDRESSES: &str = "shortlived";

/// Suffix of the name of an account that cannot be read.
const UNREAD: &str = "json.unread";
/// Suffix of the name of an account that belongs to another contract.
const OTHER: &str = "json.other";

/// Reasons for which an account is of no use.
const OTHER_DIRECTORY: Text = Text::new("它属于另一个目录", "it belongs to another directory");
const OTHER_CONTRACT: Text = Text::new(
    "它绑定的是另一个 key_id，或没有绑定",
    "it is bound to another key_id, or to none",
);
const DAMAGED: Text = Text::new("其中的密钥已损坏", "its key is damaged");

/// Account as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedAccount {
    email: Option<String>,
    /// Key id of the contract that it is bound to.
    #[serde(default)]
    contract: Option<String>,
    credentials: AccountCredentials,
}

/// Reads the kept account; one that is of no use is put aside.
pub(super) async fn read_account(
    settings: &AcmeSettings,
) -> Result<Option<(Vec<u8>, SavedAccount)>, OrderError> {
    let path = settings.account();
    let text = match read(&path).await {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OrderError::Keep { path, error }),
    };
    let kept: SavedAccount = match serde_json::from_slice(&text) {
        Ok(kept) => kept,
        Err(error) => {
            put_aside(&path, UNREAD, place(&error)).await;
            return Ok(None);
        }
    };
    if directory(&text).as_ref() != Some(&settings.directory) {
        put_aside(&path, UNREAD, OTHER_DIRECTORY).await;
        return Ok(None);
    }
    let wanted = settings.eab.as_ref().map(|eab| &eab.key_id);
    if wanted.is_some() && kept.contract.as_ref() != wanted {
        put_aside(&path, OTHER, OTHER_CONTRACT).await;
        return Ok(None);
    }
    Ok(Some((text, kept)))
}

/// Returns the kept account, or none.
pub(super) async fn kept_account(
    settings: &AcmeSettings,
    client: &CaClient,
) -> Result<Option<Account>, OrderError> {
    let path = settings.account();
    let Some((text, kept)) = read_account(settings).await? else {
        return Ok(None);
    };
    let credentials = Account::builder_with_http(Box::new(client.clone()))
        .from_credentials(kept.credentials)
        .await;
    let account = match credentials {
        Ok(account) => account,
        Err(Error::KeyRejected | Error::Crypto) => {
            put_aside(&path, UNREAD, DAMAGED).await;
            return Ok(None);
        }
        Err(error) => {
            return Err(OrderError::met(Text::new(
                "使用账户",
                "take up the account",
            ))(error));
        }
    };
    if kept.email != settings.email {
        let contacts = contacts(settings);
        let contacts: Vec<_> = contacts.iter().map(String::as_str).collect();
        let updated = account.update_contacts(&contacts).await;
        updated.map_err(OrderError::met(Text::new(
            "修改账户的电子邮件地址",
            "change the account's e-mail address",
        )))?;
        // The credentials are gone into the account: read once more.
        if let Ok(kept) = serde_json::from_slice::<SavedAccount>(&text) {
            let SavedAccount {
                contract,
                credentials,
                ..
            } = kept;
            save_account(settings, contract, credentials).await?;
        }
    }
    Ok(Some(account))
}

/// Returns the directory of a kept account, which the library shows to nobody: it asks
/// whatever stands there.
fn directory(account: &[u8]) -> Option<String> {
    let kept: serde_json::Value = serde_json::from_slice(account).ok()?;
    let directory = kept.get("credentials")?.get("directory")?.as_str()?;
    Some(directory.to_owned())
}

/// Returns the kept account, else makes another one, bound to the contract that is
/// configured.
pub(super) async fn account(
    settings: &AcmeSettings,
    client: &CaClient,
    contract: Option<&EabKey>,
    directory: Directory,
) -> Result<Account, OrderError> {
    if let Some(account) = kept_account(settings, client).await? {
        return Ok(account);
    }
    if directory.wants_binding && contract.is_none() {
        return Err(OrderError::Unbound(settings.directory.clone()));
    }
    let (account, credentials) = match new_account(settings, client, contract).await {
        // It knows of no contracts.
        Err(Error::Api(_)) if contract.is_some() && !directory.wants_binding => {
            new_account(settings, client, None).await
        }
        Err(Error::Api(problem)) if contract.is_some() && OrderError::is_of_contract(&problem) => {
            return Err(OrderError::Contract(problem));
        }
        made => made,
    }
    .map_err(OrderError::met(NEW_ACCOUNT))?;
    let contract = settings.eab.as_ref().map(|eab| eab.key_id.clone());
    save_account(settings, contract, credentials).await?;
    tell!(
        ACME_ACCOUNT,
        directory = &settings.directory,
        file = &settings.account()
    );
    Ok(account)
}

async fn new_account(
    settings: &AcmeSettings,
    client: &CaClient,
    contract: Option<&EabKey>,
) -> Result<(Account, AccountCredentials), Error> {
    let contacts = contacts(settings);
    let contacts: Vec<_> = contacts.iter().map(String::as_str).collect();
    let wanted = NewAccount {
        contact: &contacts,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let key = contract.map(EabKey::key);
    Account::builder_with_http(Box::new(client.clone()))
        .create(&wanted, settings.directory.clone(), key.as_ref())
        .await
}

fn contacts(settings: &AcmeSettings) -> Vec<String> {
    let contact = |email: &String| format!("mailto:{email}");
    settings.email.iter().map(contact).collect()
}

async fn save_account(
    settings: &AcmeSettings,
    contract: Option<String>,
    credentials: AccountCredentials,
) -> Result<(), OrderError> {
    let kept = SavedAccount {
        email: settings.email.clone(),
        contract,
        credentials,
    };
    let text = serde_json::to_string(&kept).map_err(|e| OrderError::Make(e.to_string().into()))?;
    save(&settings.account(), text.into_bytes()).await
}

/// Orders a certificate for the configured names. `begins` is waited for before
/// the CA is told to look for its answers.
pub(super) async fn order(
    settings: &AcmeSettings,
    challenges: &Arc<Challenges>,
    account: &Account,
    replaces: Option<CertificateIdentifier<'static>>,
    begins: impl Future<Output = ()>,
    stop: &CancellationToken,
) -> Result<Issued, OrderError> {
    let prove = async {
        let mut order = new_order(settings, account, replaces).await?;
        prove(settings, challenges, &mut order, begins).await?;
        Ok::<_, OrderError>(order)
    };
    let mut order = tokio::select! {
        biased;
        order = prove => order?,
        () = stop.cancelled() => return Err(OrderError::Stopped),
    };
    // From here on the CA spends a certificate: that is not broken off, and
    // asked for again whatever comes between.
    let signing = Signing::begin(settings, order.url()).await?;
    signing.finish(settings, &mut order).await
}

async fn new_order(
    settings: &AcmeSettings,
    account: &Account,
    replaces: Option<CertificateIdentifier<'static>>,
) -> Result<Order, OrderError> {
    let identifiers: Vec<_> = settings
        .names
        .iter()
        .map(|name| match name.parse() {
            Ok(ip) => Identifier::Ip(ip),
            Err(_) => Identifier::Dns(name.clone()),
        })
        .collect();
    let has_address = identifiers.iter().any(|id| matches!(id, Identifier::Ip(_)));
    let short = has_address
        && account
            .profiles()
            .any(|profile| profile.name == FOR_ADDRESSES);
    let wanted = || match NewOrder::new(&identifiers) {
        wanted if short => wanted.profile(FOR_ADDRESSES),
        wanted => wanted,
    };
    let met = OrderError::met(Text::new("接受申请", "take the order"));
    let Some(replaces) = replaces else {
        return account.new_order(&wanted()).await.map_err(met);
    };
    match account.new_order(&wanted().replaces(replaces)).await {
        // That it replaces another one is a courtesy, not a condition.
        Err(e) if OrderError::minds_replacing(&e) => {
            tell!(ACME_NOT_RENEWAL, error = e.to_string());
            account.new_order(&wanted()).await.map_err(met)
        }
        other => other.map_err(met),
    }
}

/// Shows the CA that every name is ours.
async fn prove(
    settings: &AcmeSettings,
    challenges: &Arc<Challenges>,
    order: &mut Order,
    begins: impl Future<Output = ()>,
) -> Result<(), OrderError> {
    let mut begins = Some(begins);
    let wanted = match settings.challenge {
        Challenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
        Challenge::Http01 => ChallengeType::Http01,
    };
    // Answered until the CA has made up its mind.
    let mut pending = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(OrderError::met(Text::new(
            "说明需要哪些验证",
            "show what it wants to see",
        )))?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = authorization.identifier().to_string();
        let offered: Vec<_> = authorization
            .challenges
            .iter()
            .map(|challenge| label(&challenge.r#type))
            .collect();
        let Some(mut challenge) = authorization.challenge(wanted.clone()) else {
            return Err(OrderError::NotOffered {
                name,
                challenge: settings.challenge,
                offered: offered.join(", "),
            });
        };
        let text = challenge.key_authorization();
        let answer = challenges.answer(
            settings.challenge,
            &name,
            &challenge.token,
            text.as_str(),
            text.digest().as_ref(),
        );
        pending.push(answer.map_err(|e| OrderError::Make(e.to_string().into()))?);
        if let Some(begins) = begins.take() {
            begins.await;
        }
        match challenge.set_ready().await {
            Ok(()) => {}
            // It has looked already.
            Err(Error::Api(problem)) => {
                let challenge = settings.challenge.to_string();
                return Err(OrderError::Proof(vec![Proof {
                    name,
                    challenge,
                    problem,
                }]));
            }
            Err(e) => return Err(OrderError::Unreachable(e)),
        }
    }
    match order.poll_ready(&CHECKING).await {
        Ok(OrderStatus::Ready) => Ok(()),
        Err(e @ Error::Other(_)) => Err(OrderError::Unreachable(e)),
        outcome => {
            let proofs = failed(order).await;
            if !proofs.is_empty() {
                return Err(OrderError::Proof(proofs));
            }
            match outcome {
                Ok(status) => Err(OrderError::Silent(
                    format!("{status:?}").to_ascii_lowercase(),
                )),
                Err(e) => Err(OrderError::met(Text::new(
                    "确认域名属于我们",
                    "believe that the names are ours",
                ))(e)),
            }
        }
    }
}

/// Returns the challenges of an order that failed, with the CA's problem of each.
async fn failed(order: &mut Order) -> Vec<Proof> {
    let mut proofs = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if authorization.refresh().await.is_err() {
            continue;
        }
        let name = authorization.identifier().to_string();
        for challenge in &authorization.challenges {
            if let Some(problem) = &challenge.error {
                proofs.push(Proof {
                    name: name.clone(),
                    challenge: label(&challenge.r#type),
                    problem: problem.clone(),
                });
            }
        }
    }
    proofs
}

fn label(challenge: &ChallengeType) -> String {
    match challenge {
        ChallengeType::Http01 => "http-01".to_owned(),
        ChallengeType::Dns01 => "dns-01".to_owned(),
        ChallengeType::TlsAlpn01 => "tls-alpn-01".to_owned(),
        ChallengeType::Unknown(other) => other.clone(),
        other => format!("{other:?}"),
    }
}
