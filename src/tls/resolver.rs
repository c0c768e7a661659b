//! Which certificate a client gets, and how they are replaced: the whole set at
//! once, connections going on, the last good set staying when a new one is bad.

use super::pem::Pair;
use super::{Mode, PairPaths, TlsError, self_signed};
use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tracing::{error, info};

/// The certificates in use.
#[derive(Debug)]
pub struct Certificates {
    mode: Mode,
    current: ArcSwap<Vec<Pair>>,
    /// The state of the files at the last attempt, good or bad, so that each
    /// state is tried and reported once.
    tried: Mutex<Vec<FileState>>,
}

/// Inode, length, modification and change time; `None` when there is no file.
type FileState = Option<(u64, u64, i64, i64, i64, i64)>;

impl Certificates {
    /// Loads or signs what `mode` asks for; `None` when TLS is off.
    pub fn load(mode: &Mode, now: SystemTime) -> Result<Option<Arc<Self>>, TlsError> {
        if *mode == Mode::Off {
            return Ok(None);
        }
        // Before the files are read: a change in between is then seen later.
        let tried = states(mode);
        let pairs = load(mode, now)?;
        Ok(Some(Arc::new(Self {
            mode: mode.clone(),
            current: ArcSwap::from_pointee(pairs),
            tried: Mutex::new(tried),
        })))
    }

    /// The certificates, as configured.
    pub fn pairs(&self) -> Arc<Vec<Pair>> {
        self.current.load_full()
    }

    /// Takes up files that changed since the last attempt, and signs a
    /// certificate of our own anew when it nears its end. Blocks on the disk.
    pub fn reload_if_changed(&self, now: SystemTime) {
        if let Mode::SelfSigned { names, .. } = &self.mode {
            let due = self
                .current
                .load()
                .iter()
                .any(|pair| self_signed::unfit(pair, names, now).is_some());
            if due {
                self.reload(now);
            }
            return;
        }
        let seen = states(&self.mode);
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if *tried != seen {
            *tried = seen;
            drop(tried);
            self.reload(now);
        }
    }

    /// Takes up the files as they are; on any fault the last good set stays.
    /// Blocks on the disk.
    pub fn reload(&self, now: SystemTime) {
        match load(&self.mode, now) {
            Ok(pairs) => {
                let same = {
                    let current = self.current.load();
                    current.len() == pairs.len()
                        && current
                            .iter()
                            .zip(&pairs)
                            .all(|(a, b)| a.certified.cert == b.certified.cert)
                };
                self.current.store(Arc::new(pairs));
                if same {
                    info!("certificates read again: they are the same");
                } else {
                    info!("certificates replaced");
                }
            }
            Err(e) => error!("certificates not replaced, the last good ones stay in use: {e}"),
        }
    }
}

fn load(mode: &Mode, now: SystemTime) -> Result<Vec<Pair>, TlsError> {
    match mode {
        Mode::Off => Ok(Vec::new()),
        Mode::SelfSigned { dir, names } => Ok(vec![self_signed::ensure(dir, names, now)?]),
        Mode::Files(paths) => Ok(paths.iter().map(Pair::load).collect::<Result<_, _>>()?),
    }
}

fn states(mode: &Mode) -> Vec<FileState> {
    let state = |path| {
        let m = fs::metadata(path).ok()?;
        Some((
            m.ino(),
            m.size(),
            m.mtime(),
            m.mtime_nsec(),
            m.ctime(),
            m.ctime_nsec(),
        ))
    };
    match mode {
        Mode::Files(pairs) => pairs
            .iter()
            .flat_map(|PairPaths { cert, key }| [state(cert), state(key)])
            .collect(),
        // What we write ourselves nobody else changes.
        Mode::Off | Mode::SelfSigned { .. } => Vec::new(),
    }
}

impl ResolvesServerCert for Certificates {
    /// Never without an answer that the client can use: the certificate of the
    /// name it asks for; if nobody has that name, or it names none, or an IP
    /// address (rustls shows neither), the first one. Of several for one name
    /// the ECDSA one where the client can check it: signing costs a tenth.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
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

/// RFC 6125, section 6.4.3: a wildcard stands for one whole label, the first.
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
