//! Authorization at the admin address: tokens and roles, hosts by which it is asked for, and a
//! bound on guesses. Pure but for a lock: times are given.

use crate::util::network::customer;
use crate::util::once::age;
use crate::util::sync::lock;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// Number of wrong tokens that an address may send in [`WHILE`].
pub(crate) const GUESSES: u32 = 30;
/// Time for which wrong tokens are counted.
const WHILE: Duration = Duration::from_secs(600);
/// Number of addresses whose wrong tokens are counted. Who is beyond them starts anew, and
/// needs more of them than a token can be guessed with.
const REMEMBERED: usize = 4096;

/// Rights of a token's bearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May look.
    Read,
    /// May change something, too.
    Operate,
}

impl Role {
    /// Reads a role as the configuration has it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "read" => Some(Self::Read),
            "operate" => Some(Self::Operate),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Operate => "operate",
        })
    }
}

/// A token, as it is kept: its hash tells nobody what it is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AdminToken {
    /// Name under which the log shows what its bearer did.
    pub(crate) name: String,
    /// Its bearer's rights.
    pub(crate) role: Role,
    /// SHA-256 of the token.
    pub(crate) hash: [u8; 32],
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AdminToken({}, {})", self.name, self.role)
    }
}

/// Returns the hash of a token, which is what is kept and compared.
pub(crate) fn hash(token: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token).as_ref());
    hash
}

/// Bearer of a right token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Name of the token.
    pub(crate) name: String,
    /// Rights of its bearer.
    pub(crate) role: Role,
}

/// Returns what the value of `Authorization` shows: a token, if one is there.
pub(crate) fn bearer(authorization: Option<&[u8]>) -> Option<&[u8]> {
    authorization.and_then(token)
}

/// Returns which token this is. Each is compared, whichever is right, so that the time tells
/// nothing.
pub(crate) fn find<'a>(given: &[u8], tokens: &'a [AdminToken]) -> Option<&'a AdminToken> {
    let given = hash(given);
    let mut found = None;
    for token in tokens {
        if verify_slices_are_equal(&given, &token.hash).is_ok() {
            found = Some(token);
        }
    }
    found
}

/// Returns the token in `Bearer TOKEN`; the scheme is written in any case (RFC 9110,
/// section 11.1).
fn token(value: &[u8]) -> Option<&[u8]> {
    let scheme = value.get(..7)?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") {
        return None;
    }
    let token = value[7..].trim_ascii();
    (!token.is_empty()).then_some(token)
}

/// Hosts by which the admin address may be asked for. A web page that makes its own name
/// lead here (DNS rebinding) asks for that name.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    /// Names of the configuration, in lower case.
    pub(crate) names: Vec<String>,
    /// Address that is listened on.
    pub(crate) listened: IpAddr,
}

impl Hosts {
    /// Tells whether a `Host`, whatever its port, is ours. `local` is the address to which
    /// the client connected.
    pub(crate) fn is_ours(&self, host: &str, local: Option<IpAddr>) -> bool {
        let Some(name) = without_port(host) else {
            return false;
        };
        if let Ok(ip) = name.parse::<IpAddr>() {
            let ip = ip.to_canonical();
            let is_named = self.names.iter().any(|known| known.parse() == Ok(ip));
            let is_listened = !ip.is_unspecified()
                && (ip == self.listened.to_canonical()
                    || local.is_some_and(|local| local.to_canonical() == ip));
            return ip.is_loopback() || is_listened || is_named;
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_it = |known: &str| known.eq_ignore_ascii_case(name);
        is_it("localhost") || self.names.iter().any(|known| is_it(known))
    }
}

/// Returns the host of `host:port`, or of `[v6]:port`; `None` for what is neither.
fn without_port(host: &str) -> Option<&str> {
    let is_port = |rest: &str| {
        rest.is_empty()
            || rest
                .strip_prefix(':')
                .is_some_and(|port| port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit()))
    };
    let (name, rest) = match host.strip_prefix('[') {
        Some(inside) => inside.split_once(']')?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    (!name.is_empty() && is_port(rest)).then_some(name)
}

/// Count of wrong tokens by address (IPv6: by a provider's customer). Only a wrong token is
/// refused by it: who guesses from a proxy's address keeps nobody out who has one.
#[derive(Debug, Default)]
pub(crate) struct Guesses {
    counted: Mutex<HashMap<IpAddr, Count>>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    wrong: u32,
    since: SystemTime,
}

impl Count {
    /// Returns the time that is left; `None` where it is over. A clock that was set back
    /// begins anew.
    fn left(self, now: SystemTime) -> Option<Duration> {
        let age = age(self.since, now)?;
        WHILE.checked_sub(age).filter(|left| !left.is_zero())
    }
}

/// Answer to a wrong token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Guess {
    /// One of few.
    Counted,
    /// One too many: each further one is answered so until this time is over. It is compared all
    /// the same, and a right one is taken.
    TooMany {
        left: Duration,
        /// True for the first one.
        is_first: bool,
    },
}

impl Guesses {
    /// Counts a wrong token from `address`.
    pub(crate) fn count(&self, address: IpAddr, now: SystemTime) -> Guess {
        let client = customer(address);
        let mut counted = lock(&self.counted);
        if counted.len() >= REMEMBERED && !counted.contains_key(&client) {
            counted.retain(|_, count| count.left(now).is_some());
            // Whoever has the fewest is the likeliest to have been mistaken.
            if counted.len() >= REMEMBERED
                && let Some(least) = counted.iter().min_by_key(|(_, count)| count.wrong)
            {
                let least = *least.0;
                counted.remove(&least);
            }
        }
        let count = counted.entry(client).or_insert(Count {
            wrong: 0,
            since: now,
        });
        let left = count.left(now).unwrap_or_else(|| {
            *count = Count {
                wrong: 0,
                since: now,
            };
            WHILE
        });
        count.wrong = count.wrong.saturating_add(1);
        match count.wrong {
            ..=GUESSES => Guess::Counted,
            wrong => Guess::TooMany {
                left,
                is_first: wrong == GUESSES + 1,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn tokens() -> Vec<AdminToken> {
        let token = |name: &str, role, token: &str| AdminToken {
            name: name.to_owned(),
            role,
            hash: hash(token.as_bytes()),
        };
        vec![
            token("a", Role::Read, "aaaaaaaaaaaaaaaa"),
            token("b", Role::Operate, "bbbbbbbbbbbbbbbb"),
        ]
    }

    #[test]
    fn a_bearer_is_who_shows_a_token() {
        let tokens = tokens();
        let look = |value: &str| {
            let token = bearer(Some(value.as_bytes()))?;
            Some(find(token, &tokens).map(|token| (token.name.clone(), token.role)))
        };
        let b = Some(Some(("b".to_owned(), Role::Operate)));
        for scheme in ["Bearer", "bearer", "BEARER"] {
            assert_eq!(look(&format!("{scheme} bbbbbbbbbbbbbbbb")), b, "{scheme}");
        }
        assert!(look("Bearer  aaaaaaaaaaaaaaaa ").flatten().is_some());
        for wrong in [
            "aaaaaaaaaaaaaaa",
            "aaaaaaaaaaaaaaaaa",
            "Aaaaaaaaaaaaaaaa",
            "x",
        ] {
            assert_eq!(look(&format!("Bearer {wrong}")), Some(None), "{wrong}");
        }
        for nothing in ["", "Bearer", "Bearer ", "Basic YTpi", "aaaaaaaaaaaaaaaa"] {
            assert_eq!(look(nothing), None, "{nothing}");
        }
        assert_eq!(bearer(None), None);
        assert_eq!(find(b"x", &[]), None);
        // `Debug` is what a log may show.
        assert_eq!(format!("{:?}", tokens[0]), "AdminToken(a, read)");
    }

    #[test]
    fn hosts_that_are_ours() {
        let hosts = |listened: &str| Hosts {
            names: vec!["ota.example.com".to_owned(), "fd00::7".to_owned()],
            listened: listened.parse().unwrap(),
        };
        let local = Some("192.0.2.5".parse().unwrap());
        for host in [
            "localhost",
            "LOCALHOST:8009",
            "localhost.",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:8009",
            "ota.example.com",
            "Ota.Example.Com:443",
            "ota.example.com.",
            "[fd00::7]",
            "192.0.2.5:8009",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(hosts("0.0.0.0").is_ours(host, local), "{host}");
        }
        for host in [
            "",
            ":8009",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.0.2.6",
            "0.0.0.0",
            "[::]",
            "[::1",
            "localhost:80:80",
            "localhost:x",
            "[::1]x",
            "ota.example.com:123456",
            "user@localhost",
            "::1",
        ] {
            assert!(!hosts("0.0.0.0").is_ours(host, local), "{host}");
        }
        assert!(hosts("192.0.2.9").is_ours("192.0.2.9:8009", None));
        assert!(!hosts("192.0.2.9").is_ours("192.0.2.5", None));
    }

    #[test]
    fn guesses_are_counted_by_client_and_forgotten_in_time() {
        let guesses = Guesses::default();
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let (one, other): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        for _ in 0..GUESSES {
            assert_eq!(guesses.count(one, start), Guess::Counted);
        }
        let too_many = |seconds, is_first| Guess::TooMany {
            left: Duration::from_secs(seconds),
            is_first,
        };
        assert_eq!(guesses.count(one, start), too_many(600, true));
        let later = start + Duration::from_secs(100);
        assert_eq!(guesses.count(one, later), too_many(500, false));
        assert_eq!(guesses.count(other, later), Guess::Counted);
        assert_eq!(guesses.count(one, start + WHILE), Guess::Counted);
        // A clock that goes back keeps nobody waiting for years.
        assert_eq!(guesses.count(one, start - WHILE), Guess::Counted);
    }

    #[test]
    fn no_crowd_makes_it_grow_or_frees_who_guesses() {
        let guesses = Guesses::default();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let one: IpAddr = [192, 0, 2, 1].into();
        for _ in 0..=GUESSES {
            guesses.count(one, now);
        }
        for number in 0..10_000 {
            guesses.count(Ipv4Addr::from_bits(0x0a00_0000 + number).into(), now);
        }
        assert_eq!(lock(&guesses.counted).len(), REMEMBERED);
        assert!(matches!(guesses.count(one, now), Guess::TooMany { .. }));
    }
}
