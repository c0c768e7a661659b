//! Certificate resolver: chooses the certificate for each client, and replaces them:
//! the whole set at once, connections going on, the last good set staying when a new
//! one is bad.

use super::acme::{self, Challenge, Challenges};
use super::pem::Pair;
use super::{Mode, PairPaths, TlsError, self_signed};
use crate::event::{self, Event, event, tell};
use crate::util::file_state::FileState;
use crate::util::sync::lock;
use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

/// Certificates in use.
#[derive(Debug)]
pub(crate) struct Certificates {
    /// Mode that changes only while `tried` is held.
    mode: ArcSwap<Mode>,
    current: ArcSwap<Vec<Pair>>,
    /// State of the files at the last attempt, good or bad, so that each state is tried
    /// and reported once.
    tried: Mutex<Vec<Option<FileState>>>,
    /// Time from which a certificate of our own may be signed again.
    next_signing: Mutex<SystemTime>,
    challenges: Arc<Challenges>,
    /// Events of the files that could not be taken up at the last attempt.
    faults: Mutex<Vec<Event>>,
}

/// Time that a failed signing rests.
const SIGN_AGAIN: Duration = Duration::from_secs(3600);

impl Certificates {
    /// Loads or signs what `mode` asks for; `None` when TLS is off.
    pub(crate) fn load(mode: &Mode, now: SystemTime) -> Result<Option<Arc<Self>>, TlsError> {
        if *mode == Mode::Off {
            return Ok(None);
        }
        // Before the files are read: a change in between is then seen later.
        let tried = states(mode);
        let pairs = all(first(mode, now))?;
        Ok(Some(Arc::new(Self {
            mode: ArcSwap::from_pointee(mode.clone()),
            current: ArcSwap::from_pointee(pairs),
            tried: Mutex::new(tried),
            next_signing: Mutex::new(now),
            challenges: Arc::default(),
            faults: Mutex::default(),
        })))
    }

    /// Returns the answers to a CA's challenges.
    pub(crate) fn challenges(&self) -> Arc<Challenges> {
        Arc::clone(&self.challenges)
    }

    /// Returns why files are not in use that should be: what was said at the last attempt.
    pub(crate) fn faults(&self) -> Vec<Event> {
        lock(&self.faults).clone()
    }

    /// Returns whether a CA may come to look for its answer in a handshake.
    pub(super) fn answers_challenges(&self) -> bool {
        matches!(&**self.mode.load(), Mode::Acme(acme) if acme.challenge == Challenge::TlsAlpn01)
    }

    /// Returns the certificates, as configured.
    pub(crate) fn pairs(&self) -> Arc<Vec<Pair>> {
        self.current.load_full()
    }

    /// Takes up files that changed since the last attempt, and signs a certificate of
    /// our own anew when it nears its end. Returns whether anything is new. Blocks on
    /// the disk.
    pub(crate) fn reload_if_changed(&self, now: SystemTime) -> bool {
        let mode = self.mode.load_full();
        let seen = states(&mode);
        let due = match &*mode {
            Mode::SelfSigned { names, .. } => {
                let unfit = |pair: &Pair| self_signed::unfit(pair, names, now).is_some();
                // A disk that is full now is not tried again every moment.
                let mut next = lock(&self.next_signing);
                let due = *next <= now && self.current.load().iter().any(unfit);
                if due {
                    *next = now + SIGN_AGAIN;
                }
                due
            }
            Mode::Off | Mode::Files(_) | Mode::Acme(_) => *self.tried() != seen,
        };
        due && self.reload(now)
    }

    /// Takes up other names for the certificate that is signed here, if its names follow
    /// this machine's addresses. It is signed anew at the next look. Returns whether they
    /// are others.
    pub(crate) fn follow(&self, new: Vec<String>, now: SystemTime) -> bool {
        let _held = self.tried();
        let mode = self.mode.load_full();
        let Mode::SelfSigned {
            dir,
            names,
            follows: true,
        } = &*mode
        else {
            return false;
        };
        if *names == new {
            return false;
        }
        let dir = dir.clone();
        let follows = true;
        self.mode.store(Arc::new(Mode::SelfSigned {
            dir,
            names: new,
            follows,
        }));
        *lock(&self.next_signing) = now;
        true
    }

    /// Takes up the files as they are. Returns whether anything is new. Of a pair that
    /// cannot be used the last good one stays. Blocks on the disk.
    pub(crate) fn reload(&self, now: SystemTime) -> bool {
        // Held to the end: of two reloads the later one has the last word.
        let mut tried = self.tried();
        let mode = self.mode.load_full();
        *tried = states(&mode);
        let current = self.current.load_full();
        let (mut pairs, mut good) = (Vec::new(), true);
        let loaded = load(&mode, now);
        let mut faults = Vec::new();
        if loaded.is_empty() {
            *lock(&self.faults) = faults;
            return false;
        }
        for (i, loaded) in loaded.into_iter().enumerate() {
            let kept = || current.get(i).cloned();
            match loaded {
                Ok(pair) => pairs.push(pair),
                Err(e) => {
                    good = false;
                    for (setting, error) in e.by_setting() {
                        let fault =
                            event!(CERTIFICATE_NOT_REPLACED, setting = setting, error = error);
                        event::say(&fault);
                        faults.push(fault);
                    }
                    pairs.extend(kept());
                }
            }
        }
        *lock(&self.faults) = faults;
        let same = current.len() == pairs.len()
            && current
                .iter()
                .zip(&pairs)
                .all(|(a, b)| a.certified.cert == b.certified.cert);
        self.current.store(Arc::new(pairs));
        match (same, good) {
            (false, _) => tell!(CERTIFICATES_REPLACED),
            (true, true) => tell!(CERTIFICATES_SAME),
            (true, false) => {}
        }
        !same
    }

    /// Takes up what `mode` asks for from now on, all of it or nothing. What a CA gives
    /// comes later, and what answers until then goes on. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// Those of a start.
    pub(crate) fn change(&self, mode: &Mode, now: SystemTime) -> Result<(), TlsError> {
        let mut tried = self.tried();
        if matches!(mode, Mode::Acme(_)) {
            self.mode.store(Arc::new(mode.clone()));
            // The next look takes up what lies there.
            tried.clear();
            return Ok(());
        }
        let seen = states(mode);
        self.current.store(Arc::new(all(first(mode, now))?));
        self.mode.store(Arc::new(mode.clone()));
        lock(&self.faults).clear();
        *tried = seen;
        tell!(CERTIFICATES_REPLACED);
        Ok(())
    }

    fn tried(&self) -> MutexGuard<'_, Vec<Option<FileState>>> {
        lock(&self.tried)
    }
}

/// Returns all pairs, or everything that is wrong with them.
fn all(loaded: Vec<Result<Pair, TlsError>>) -> Result<Vec<Pair>, TlsError> {
    let (mut pairs, mut faults) = (Vec::new(), Vec::new());
    for loaded in loaded {
        match loaded {
            Ok(pair) => pairs.push(pair),
            Err(TlsError::Pairs(fault)) => faults.extend(fault),
            Err(e) => return Err(e),
        }
    }
    if faults.is_empty() {
        Ok(pairs)
    } else {
        Err(TlsError::Pairs(faults))
    }
}

/// Loads each configured certificate, or says what is wrong with it.
fn load(mode: &Mode, now: SystemTime) -> Vec<Result<Pair, TlsError>> {
    match mode {
        Mode::Off => Vec::new(),
        Mode::SelfSigned { dir, names, .. } => {
            vec![self_signed::ensure(dir, names, now).map_err(TlsError::from)]
        }
        Mode::Files(paths) => {
            let load = |(i, paths)| Pair::load(paths).map_err(|e| TlsError::Pairs(vec![(i, e)]));
            paths.iter().enumerate().map(load).collect()
        }
        // Until there is one, what answers now goes on.
        Mode::Acme(acme) if !acme.paths().cert.exists() => Vec::new(),
        Mode::Acme(acme) => vec![Pair::load(&acme.paths()).map_err(TlsError::Kept)],
    }
}

/// Loads the certificates that the server starts with. Of a CA's certificate any is
/// better than none: one that has ended, or lacks a name, still serves most devices
/// until the next one is there; else one of our own answers.
fn first(mode: &Mode, now: SystemTime) -> Vec<Result<Pair, TlsError>> {
    let acme = match mode {
        Mode::SelfSigned { dir, names, .. } => {
            let own = self_signed::at_any_rate(dir, names, now);
            return vec![own.map_err(TlsError::from)];
        }
        Mode::Acme(acme) => acme,
        Mode::Off | Mode::Files(_) => return load(mode, now),
    };
    match load(mode, now).pop() {
        Some(Ok(pair)) => return vec![Ok(pair)],
        Some(Err(e)) => {
            for (_, error) in e.by_setting() {
                tell!(CERTIFICATE_STAND_IN, error = error);
            }
        }
        None => {}
    }
    let own = self_signed::at_any_rate(&acme.folder(), &acme.names, now);
    vec![own.map_err(TlsError::from)]
}

/// Returns the state of each file; `None` for one that is not there.
fn states(mode: &Mode) -> Vec<Option<FileState>> {
    let state = |path: &Path| Some(FileState::from(&fs::metadata(path).ok()?));
    match mode {
        Mode::Files(pairs) => pairs
            .iter()
            .flat_map(|PairPaths { cert, key }| [state(cert), state(key)])
            .collect(),
        Mode::Acme(acme) => vec![state(&acme.paths().cert)],
        // What we write ourselves nobody else changes.
        Mode::Off | Mode::SelfSigned { .. } => Vec::new(),
    }
}

impl ResolvesServerCert for Certificates {
    /// Chooses a certificate that the client can use: the one of the name that it asks
    /// for; if nobody has that name, or it names none, or an IP address (rustls shows
    /// neither), the first one. Of several for one name the ECDSA one where the client
    /// can check it: signing costs a tenth.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Some(mut protocols) = hello.alpn()
            && protocols.next() == Some(acme::PROTOCOL)
            && protocols.next().is_none()
        {
            // A CA wants its answer, and nothing but that.
            return self.challenges.certificate(hello.server_name()?);
        }
        let pairs = self.current.load();
        let usable = |pair: &&Pair| {
            pair.certified
                .key
                .choose_scheme(hello.signature_schemes())
                .is_some()
        };
        let pick = |covers: &dyn Fn(&Pair) -> bool| {
            let fitting = || pairs.iter().filter(|p| covers(p)).filter(usable);
            fitting().find(|p| p.is_ecdsa).or_else(|| fitting().next())
        };
        let by_name = hello.server_name().and_then(|name| {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            pick(&|pair| pair.names.iter().any(|n| matches(n, &name)))
        });
        let default_names = pairs
            .first()
            .map(|p| p.names.as_slice())
            .unwrap_or_default();
        by_name
            .or_else(|| pick(&|pair| pair.names.iter().any(|n| default_names.contains(n))))
            .or_else(|| pick(&|_| true))
            .map(|pair| Arc::clone(&pair.certified))
    }
}

/// Returns whether a certificate's name covers `name`: a wildcard stands for one whole
/// label, the first (RFC 6125, section 6.4.3).
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(suffix) => name
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest == suffix),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards_stand_for_one_label() {
        assert!(matches("*.example.com", "ota.example.com"));
        assert!(!matches("*.example.com", "a.ota.example.com"));
        assert!(!matches("*.example.com", "example.com"));
        assert!(!matches("*.example.com", ".example.com"));
        assert!(matches("ota.example.com", "ota.example.com"));
    }
}
