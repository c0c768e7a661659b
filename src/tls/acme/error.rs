//! Errors of an order: which name, which challenge, what the CA said, and what to
//! check.

use super::Challenge;
use super::schedule::Trouble;
use super::unreachable::Unreachable;
use crate::event::text::Text;
use crate::event::{Event, Value, event};
use crate::tls::pem::PairError;
use instant_acme::{Error, Problem};
use std::fmt::{self, Write as _};
use std::io;
use std::path::PathBuf;

/// Error that kept a certificate from coming.
#[derive(Debug)]
pub(super) enum OrderError {
    /// The CA could not be asked, or did not answer.
    Unreachable(Error),
    /// The CA refuses a request.
    Refused {
        /// Step that it was asked for.
        step: Text,
        /// Problem document of the CA.
        problem: Problem,
    },
    /// The CA makes no account without a contract, and none is configured.
    Unbound(String),
    /// The CA refuses the contract that is configured.
    Contract(Problem),
    /// The CA does not believe that the names are ours.
    Proof(Vec<Proof>),
    /// The CA does not offer the configured challenge.
    NotOffered {
        /// Name that was to be proven.
        name: String,
        challenge: Challenge,
        /// Challenges that the CA offers.
        offered: String,
    },
    /// An order failed that the CA was to sign already.
    Spent(Box<OrderError>),
    /// The certificate could not be fetched for a day.
    Lost,
    /// The order ended without a reason.
    Silent(String),
    /// The certificate cannot be used.
    Useless(PairError),
    /// The certificate lacks names.
    Lacks(String),
    /// The answer to a challenge, or the key, cannot be made.
    Make(Value),
    /// The disk does not take a file.
    Keep { path: PathBuf, error: io::Error },
    /// The server is to end.
    Stopped,
}

impl From<&OrderError> for Event {
    fn from(error: &OrderError) -> Self {
        match error {
            OrderError::Unreachable(error) => event!(ACME_UNREACHABLE, error = unreachable(error)),
            OrderError::Unbound(directory) => event!(ACME_EAB_WANTED, directory = directory),
            OrderError::Contract(problem) => event!(
                ACME_REFUSED,
                step = NEW_ACCOUNT,
                said = said(problem),
                kind = kind(problem),
                check = event!(ACME_CHECK_EAB),
            ),
            OrderError::Refused { step, problem } => event!(
                ACME_REFUSED,
                step = *step,
                said = said(problem),
                kind = kind(problem),
                check = remedy(problem, None),
            ),
            OrderError::Proof(proofs) => {
                event!(
                    ACME_PROOF,
                    proofs = Value::List(proofs.iter().map(told).collect())
                )
            }
            OrderError::NotOffered {
                name,
                challenge,
                offered,
            } => event!(
                ACME_NOT_OFFERED,
                name = name,
                challenge = challenge.to_string(),
                offered = offered,
            ),
            OrderError::Spent(error) => event!(ACME_SPENT, why = Self::from(&**error)),
            OrderError::Lost => event!(ACME_LOST),
            OrderError::Silent(status) => event!(ACME_SILENT, status = status),
            OrderError::Useless(error) => event!(ACME_USELESS, error = error.in_short()),
            OrderError::Lacks(names) => event!(ACME_LACKS, names = names),
            OrderError::Make(error) => event!(ACME_MAKE, error = error.clone()),
            OrderError::Keep { path, error } => event!(ACME_KEEP, path = path, error = error),
            OrderError::Stopped => event!(ACME_STOPPED),
        }
    }
}

/// Tells why the CA could not be asked.
fn unreachable(error: &Error) -> Value {
    let ours = match error {
        Error::Other(error) => error.downcast_ref::<Unreachable>(),
        _ => None,
    };
    ours.map_or_else(
        || event!(ACME_CA_STRANGE, error = error.to_string()).into(),
        |error| Event::from(error).into(),
    )
}

/// The step in which an account is made.
pub(super) const NEW_ACCOUNT: Text = Text::new("创建账户", "make an account");

impl From<Unreachable> for OrderError {
    fn from(error: Unreachable) -> Self {
        Self::Unreachable(Error::Other(Box::new(error)))
    }
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Event::from(self).fmt(f)
    }
}

/// Tells of a challenge that failed.
fn told(proof: &Proof) -> Value {
    let Proof {
        name,
        challenge,
        problem,
    } = proof;
    Value::from(event!(
        ACME_PROOF_FAILED,
        name = name,
        challenge = challenge,
        said = said(problem),
        kind = kind(problem),
        check = remedy(problem, Some((name, challenge))),
    ))
}

/// Challenge that failed.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) name: String,
    pub(super) challenge: String,
    pub(super) problem: Problem,
}

impl OrderError {
    /// Converts an error that instant-acme met while the CA was to take a `step`.
    pub(super) fn met(step: Text) -> impl Fn(Error) -> Self {
        move |error| match error {
            Error::Api(problem) => Self::Refused { step, problem },
            error => Self::Unreachable(error),
        }
    }

    /// Returns the kind of trouble, which says how soon to try again.
    pub(super) fn trouble(&self) -> Trouble {
        let problems: Vec<&Problem> = match self {
            // It was asked, and did not come to an end.
            Self::Unreachable(Error::Timeout(_)) => return Trouble::Refused,
            Self::Unreachable(_) | Self::Unbound(_) | Self::Keep { .. } | Self::Stopped => {
                return Trouble::Unreachable;
            }
            Self::Refused { problem, .. } => vec![problem],
            Self::Spent(fault) => {
                return match fault.trouble() {
                    Trouble::Limited => Trouble::Limited,
                    _ => Trouble::Spent,
                };
            }
            Self::Lost => return Trouble::Spent,
            Self::Proof(proofs) => proofs.iter().map(|proof| &proof.problem).collect(),
            _ => return Trouble::Refused,
        };
        if problems.iter().any(|p| kind(p) == "rateLimited") {
            Trouble::Limited
        } else if problems
            .iter()
            .all(|p| matches!(kind(p), "badNonce" | "serverInternal"))
        {
            Trouble::Unreachable
        } else {
            Trouble::Refused
        }
    }

    /// Returns whether an order that the CA was to sign may be asked for again.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Stopped => true,
            Self::Refused { problem, .. } => {
                matches!(kind(problem), "badNonce" | "serverInternal" | "rateLimited")
                    || problem.status.is_some_and(|status| status >= 500)
            }
            _ => false,
        }
    }

    /// Returns whether a CA that makes no account may mean the contract by it, and not the
    /// number of requests or the e-mail address.
    pub(super) fn is_of_contract(problem: &Problem) -> bool {
        !matches!(
            kind(problem),
            "rateLimited" | "badNonce" | "serverInternal" | "invalidContact" | "unsupportedContact"
        )
    }

    /// Returns whether the CA has forgotten the account.
    pub(super) fn has_lost_account(&self) -> bool {
        match self {
            Self::Spent(fault) => fault.has_lost_account(),
            Self::Refused { problem, .. } => kind(problem) == "accountDoesNotExist",
            _ => false,
        }
    }

    /// Returns whether the CA may mind the certificate that is to be replaced. CAs have
    /// many words for that, so every one counts that does not say something else for
    /// certain.
    pub(super) fn minds_replacing(error: &Error) -> bool {
        match error {
            Error::Api(problem) => !matches!(
                kind(problem),
                "rateLimited" | "badNonce" | "accountDoesNotExist"
            ),
            Error::Other(error) => error.downcast_ref::<Unreachable>().is_none(),
            _ => false,
        }
    }
}

/// Returns the last word of a problem's type: `urn:ietf:params:acme:error:dns`.
fn kind(problem: &Problem) -> &str {
    let kind = problem.r#type.as_deref().unwrap_or_default();
    kind.rsplit(':').next().unwrap_or_default()
}

/// Returns what the CA says of it, in quotes.
fn said(problem: &Problem) -> String {
    let mut text = format!("{:?}", problem.detail.as_deref().unwrap_or("nothing"));
    for sub in &problem.subproblems {
        let name = sub
            .identifier
            .as_ref()
            .map_or_else(String::new, |id| format!("{}: ", id.authorized(false)));
        let detail = sub.detail.as_deref().unwrap_or_default();
        let _ = write!(text, ", {name}{detail:?}");
    }
    text
}

/// Returns what to check first.
fn remedy(problem: &Problem, proof: Option<(&str, &str)>) -> Event {
    let challenge = proof.map_or("", |(_, challenge)| challenge);
    let each = Text::new(
        "gateway.tls.names 中的每个域名",
        "each of gateway.tls.names",
    );
    let name = proof.map_or(each.into(), |(name, _)| Value::from(name));
    let port = if challenge == "http-01" { 80u16 } else { 443 };
    match kind(problem) {
        "dns" => event!(ACME_CHECK_DNS, name = name),
        "connection" => event!(ACME_CHECK_PORT, port = port, name = name),
        "tls" => event!(ACME_CHECK_TLS, name = name),
        "unauthorized" | "incorrectResponse" if proof.is_some() => {
            event!(ACME_CHECK_HERE, port = port, name = name)
        }
        "caa" => event!(ACME_CHECK_CAA, name = name),
        "rateLimited" => event!(ACME_CHECK_RATE),
        "rejectedIdentifier" | "unsupportedIdentifier" | "malformed" => event!(ACME_CHECK_NAMES),
        "invalidContact" | "unsupportedContact" => event!(ACME_CHECK_EMAIL),
        "externalAccountRequired" => event!(ACME_CHECK_EAB),
        "userActionRequired" => event!(ACME_CHECK_MESSAGE),
        "accountDoesNotExist" => event!(ACME_CHECK_NOTHING),
        "serverInternal" | "badNonce" => event!(ACME_CHECK_LATER),
        _ if proof.is_none() => event!(ACME_CHECK_SAID),
        _ => event!(ACME_CHECK_ALL, name = name, port = port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str) -> Problem {
        let text = format!(r#"{{"type": "urn:ietf:params:acme:error:{kind}", "detail": "no"}}"#);
        serde_json::from_str(&text).unwrap()
    }

    fn proof(kind: &str) -> OrderError {
        OrderError::Proof(vec![Proof {
            name: "ota.example.com".into(),
            challenge: "tls-alpn-01".into(),
            problem: problem(kind),
        }])
    }

    #[test]
    fn says_what_to_check() {
        for (kind, words) in [
            ("dns", "DNS has an address for ota.example.com"),
            ("connection", "port 443 of ota.example.com"),
            ("tls", "challenge: http-01"),
            ("caa", "the CAA record of ota.example.com"),
            ("unheard-of", "DNS leads ota.example.com"),
        ] {
            let said = proof(kind).to_string();
            assert!(said.contains(words), "{said}");
            let begin = format!("ota.example.com by tls-alpn-01 failed: it says \"no\" ({kind})");
            assert!(said.starts_with(&begin), "{said}");
        }
    }

    #[test]
    fn waits_by_what_it_cost() {
        assert_eq!(proof("dns").trouble(), Trouble::Refused);
        assert_eq!(proof("rateLimited").trouble(), Trouble::Limited);
        let met =
            |kind| OrderError::met(Text::new("", "take the order"))(Error::Api(problem(kind)));
        assert_eq!(met("badNonce").trouble(), Trouble::Unreachable);
        assert_eq!(met("rejectedIdentifier").trouble(), Trouble::Refused);
        assert!(met("accountDoesNotExist").has_lost_account());
    }

    #[test]
    fn what_was_to_be_signed_is_spent_or_asked_for_again() {
        let met = |kind| {
            OrderError::met(Text::new("", "issue the certificate"))(Error::Api(problem(kind)))
        };
        for (kind, may_pass, trouble) in [
            ("serverInternal", true, Trouble::Spent),
            ("badNonce", true, Trouble::Spent),
            ("rateLimited", true, Trouble::Limited),
            ("orderNotReady", false, Trouble::Spent),
            ("malformed", false, Trouble::Spent),
        ] {
            assert_eq!(met(kind).may_pass(), may_pass, "{kind}");
            let spent = OrderError::Spent(Box::new(met(kind)));
            assert_eq!(spent.trouble(), trouble, "{kind}");
        }
        assert!(OrderError::Unreachable(Error::Str("cut")).may_pass());
        let lost = OrderError::Spent(Box::new(met("accountDoesNotExist")));
        assert!(lost.has_lost_account());
    }

    #[test]
    fn a_renewal_is_ordered_as_a_new_one_whatever_the_ca_minds() {
        for (kind, minds) in [
            ("unauthorized", true),
            ("malformed", true),
            ("alreadyReplaced", true),
            ("unheard-of", true),
            ("rateLimited", false),
            ("badNonce", false),
            ("accountDoesNotExist", false),
        ] {
            let error = Error::Api(problem(kind));
            assert_eq!(OrderError::minds_replacing(&error), minds, "{kind}");
        }
        assert!(!OrderError::minds_replacing(&Error::Timeout(None)));
    }
}
