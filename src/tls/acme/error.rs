//! Errors of an order: which name, which challenge, what the CA said, and what to
//! check.

use super::Challenge;
use super::client::Unreachable;
use super::schedule::Trouble;
use crate::tls::pem::PairError;
use instant_acme::{Error, Problem};
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

/// Error that kept a certificate from coming.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    /// The CA could not be asked, or did not answer.
    #[error("the CA cannot be asked: {0}")]
    Unreachable(Error),
    /// The CA refuses a request.
    #[error(
        "the CA refuses to {what}: {}; check {}",
        said(problem),
        remedy(problem, None)
    )]
    Refused {
        /// Step that it was asked for.
        what: String,
        /// Problem document of the CA.
        problem: Problem,
    },
    /// The CA does not believe that the names are ours.
    #[error("{}", proofs(.0))]
    Proof(Vec<Proof>),
    /// The CA does not offer the configured challenge.
    #[error(
        "the CA does not offer {challenge} for {name}, only {offered}: check gateway.tls.acme.challenge"
    )]
    NotOffered {
        /// Name that was to be proven.
        name: String,
        challenge: Challenge,
        /// Challenges that the CA offers.
        offered: String,
    },
    /// An order failed that the CA was to sign already.
    #[error("the CA was to sign already, so the next order waits: {0}")]
    Spent(Box<OrderError>),
    /// The certificate could not be fetched for a day.
    #[error("what the CA signed could not be fetched for a day")]
    Lost,
    /// The order ended without a reason.
    #[error("the order ended without a certificate, and the CA does not say why ({0})")]
    Silent(String),
    /// The certificate cannot be used.
    #[error("the CA's certificate cannot be used: {0}")]
    Useless(PairError),
    /// The certificate lacks names.
    #[error("the CA's certificate does not hold for {0}")]
    Lacks(String),
    /// The answer to a challenge, or the key, cannot be made.
    #[error("{0}")]
    Make(String),
    /// The disk does not take a file.
    #[error("{}: {error}: account, key and certificate are kept there; check that there is room and that this user may write", path.display())]
    Keep { path: PathBuf, error: io::Error },
    /// The server is to end.
    #[error("the server ends")]
    Stopped,
}

/// Challenge that failed.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) name: String,
    pub(super) challenge: String,
    pub(super) problem: Problem,
}

impl OrderError {
    /// Converts an error that instant-acme met while the CA was to do `what`.
    pub(super) fn met(what: &str) -> impl Fn(Error) -> Self {
        move |error| match error {
            Error::Api(problem) => Self::Refused {
                what: what.to_owned(),
                problem,
            },
            error => Self::Unreachable(error),
        }
    }

    /// Returns the kind of trouble, which says how soon to try again.
    pub(super) fn trouble(&self) -> Trouble {
        let problems: Vec<&Problem> = match self {
            // It was asked, and did not come to an end.
            Self::Unreachable(Error::Timeout(_)) => return Trouble::Refused,
            Self::Unreachable(_) | Self::Keep { .. } | Self::Stopped => {
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

fn said(problem: &Problem) -> String {
    let mut text = format!(
        "it says {:?} ({})",
        problem.detail.as_deref().unwrap_or("nothing"),
        kind(problem)
    );
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

fn proofs(proofs: &[Proof]) -> String {
    let line = |proof: &Proof| {
        format!(
            "{} by {} failed: {}; check {}",
            proof.name,
            proof.challenge,
            said(&proof.problem),
            remedy(&proof.problem, Some((&proof.name, &proof.challenge)))
        )
    };
    proofs.iter().map(line).collect::<Vec<_>>().join("; ")
}

/// Returns what to check first.
fn remedy(problem: &Problem, proof: Option<(&str, &str)>) -> String {
    let (name, challenge) = proof.unwrap_or(("each name", ""));
    let port = if challenge == "http-01" { 80 } else { 443 };
    match kind(problem) {
        "dns" => format!(
            "that DNS has an address for {name} which is this machine's (dig {name}), and no stale AAAA"
        ),
        "connection" => format!(
            "that port {port} of {name} is reached from the internet and leads here: gateway.ports, firewall, the \
             router's forwarding, and the AAAA record if there is one"
        ),
        "tls" => format!(
            "that nothing in front of this server (a proxy, a CDN) ends the TLS of {name}, or use challenge: http-01"
        ),
        "unauthorized" | "incorrectResponse" if proof.is_some() => format!(
            "that port {port} of {name} is reached from the internet and leads to this server, not to another one, by \
             IPv6 too"
        ),
        "caa" => format!("that the CAA record of {name} allows this CA"),
        "rateLimited" => {
            "how many certificates were ordered for this domain; no setting helps, waiting does"
                .to_owned()
        }
        "rejectedIdentifier" | "unsupportedIdentifier" | "malformed" => {
            "that this CA issues for each of gateway.tls.names".to_owned()
        }
        "invalidContact" | "unsupportedContact" => "gateway.tls.acme.email".to_owned(),
        "externalAccountRequired" => {
            "gateway.tls.acme.directory: this CA wants accounts bound to a contract, which is not supported"
                .to_owned()
        }
        "userActionRequired" => "the address in that message: a person has to agree there".to_owned(),
        "accountDoesNotExist" => "nothing: another account is made".to_owned(),
        _ => format!(
            "that DNS leads {name} to this server, and that its port {port} is reached from the internet"
        ),
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
            ("dns", "dig ota.example.com"),
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
        let met = |kind| OrderError::met("take the order")(Error::Api(problem(kind)));
        assert_eq!(met("badNonce").trouble(), Trouble::Unreachable);
        assert_eq!(met("rejectedIdentifier").trouble(), Trouble::Refused);
        assert!(met("accountDoesNotExist").has_lost_account());
    }

    #[test]
    fn what_was_to_be_signed_is_spent_or_asked_for_again() {
        let met = |kind| OrderError::met("issue the certificate")(Error::Api(problem(kind)));
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
