//! Watch over a state folder while the server runs: whether it is still this server's, and
//! what becomes of it where somebody removed it, or put another one in its place.
//!
//! Each change is said once. Nothing is written to a folder that another process has.

use super::hold::{Found, Hold, TRIES, Taken};
use super::secret::{self, Again};
use super::{StateFolder, rights, unfinished};
use crate::event::{Event, Value, event, say, tell};
use crate::util::sync::lock;
use std::io;
use std::sync::atomic::Ordering;

/// Outcome of reading the administrator's token again.
pub enum TokenRead {
    /// It is the one in use.
    Same,
    /// The file holds another one, which is in use from here on.
    Replaced(String),
    /// The file was removed: this new one lies there, and is in use from here on.
    Made(String),
    /// The file is of no use, for this reason: what was in use goes on.
    Kept(Value),
}

impl StateFolder {
    /// Tells whether the folder was this server's when somebody looked last. It touches no
    /// disk. Returns the number of folders that were taken in the place of another.
    ///
    /// # Errors
    ///
    /// It is not, and the event says why. That was said in the log.
    pub fn standing(&self) -> Result<u64, Event> {
        match &*lock(&self.0.lost) {
            Some(lost) => Err(lost.clone()),
            None => Ok(self.0.number.load(Ordering::Acquire)),
        }
    }

    /// Looks whether the folder at its path is still the one that this server has, and takes
    /// what is there in its place: the lock that was removed, or another folder, which gets
    /// the secrets in use. It may wait for a disk. Returns what [`Self::standing`] does.
    ///
    /// # Errors
    ///
    /// There is none, another process has it, or nothing can be written there.
    pub fn look(&self) -> Result<u64, Event> {
        let mut ours = lock(&self.0.hold);
        let Some(hold) = &mut *ours else {
            return self.standing();
        };
        let dir = self.path();
        // Who has it for long is not waited for each time.
        let tries = if self.standing().is_ok() { TRIES } else { 1 };
        let done = match hold.look(dir) {
            Ok(Found::Same) => Ok(()),
            Ok(Found::NoLock) => self.take_lock(hold, tries),
            Ok(Found::Another) => self.take_another(hold, tries),
            Err(error) => Err(Value::from(&error)),
        };
        match done {
            Ok(()) => self.is_here(),
            Err(why) => self.is_lost(why),
        }
        self.standing()
    }

    fn is_here(&self) {
        if lock(&self.0.lost).take().is_some() {
            tell!(STATE_BACK, dir = self.path());
        }
    }

    fn is_lost(&self, why: Value) {
        let lost = event!(STATE_LOST, dir = self.path(), why = why);
        let mut known = lock(&self.0.lost);
        if known.as_ref() != Some(&lost) {
            say(&lost);
            *known = Some(lost);
        }
    }

    /// Takes the lock in the same folder, where it is not the one that is held.
    fn take_lock(&self, hold: &mut Hold, tries: u32) -> Result<(), Value> {
        let dir = self.path();
        let holder = hold.take_lock(dir, tries);
        if let Some(holder) = holder.map_err(|error| Value::from(&error))? {
            return Err(holder.into());
        }
        if self.standing().is_err() {
            // Another process may have had it.
            return self.settle_in();
        }
        tell!(STATE_LOCK_AGAIN, dir = dir);
        Ok(())
    }

    /// Takes the folder that stands in the place of the one that is held.
    fn take_another(&self, hold: &mut Hold, tries: u32) -> Result<(), Value> {
        let taken = Hold::take(self.path(), tries).map_err(|error| Value::from(&error))?;
        match taken {
            Taken::Held(event) => Err(event.into()),
            Taken::Ours(taken) => {
                self.settle_in()?;
                *hold = taken;
                Ok(())
            }
        }
    }

    /// Puts what is in use into a folder that was taken in the place of another.
    fn settle_in(&self) -> Result<(), Value> {
        let dir = self.path();
        if let Some(event) = unfinished(dir) {
            return Err(event.into());
        }
        self.see_to_rights();
        let has_another_key = self.keep_secrets()?;
        self.0.number.fetch_add(1, Ordering::AcqRel);
        *lock(&self.0.lost) = None;
        tell!(STATE_TAKEN_AGAIN, dir = dir);
        if has_another_key {
            tell!(STATE_OTHER_KEY, file = dir.join(secret::TOKEN_KEY));
        }
        Ok(())
    }

    /// Writes the secrets in use to a folder that lacks them. Returns whether it has another
    /// key of tokens.
    fn keep_secrets(&self) -> Result<bool, Value> {
        let secrets = lock(&self.0.secrets);
        let keep = |name: &str, secret| {
            let kept = secret::keep(&self.path().join(name), secret, self.is_shut());
            kept.map_err(|error| Value::from(format!("{name}: {error}")))
        };
        let key = secrets.key.as_ref();
        let key = key.map(|key| keep(secret::TOKEN_KEY, key)).transpose()?;
        // Another one of these counts once it is read.
        if let Some(token) = &secrets.admin {
            keep(secret::ADMIN_TOKEN, token)?;
        }
        Ok(key == Some(Again::Another))
    }

    /// Reads the administrator's token again. Where its file was removed, a new one is made:
    /// that is how a token is replaced that somebody else knows.
    pub fn read_admin_token_again(&self) -> TokenRead {
        if let Err(lost) = self.look() {
            let why = lost.field("why").cloned();
            return TokenRead::Kept(why.unwrap_or(lost.into()));
        }
        let file = self.path().join(secret::ADMIN_TOKEN);
        let mut secrets = lock(&self.0.secrets);
        let (token, is_made) = match secret::read(&file) {
            Ok(token) => {
                secret::shut(&file, rights::is_shut(self.path()));
                if secrets.admin == Some(token) {
                    return TokenRead::Same;
                }
                (token, false)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => match secret::make(&file) {
                Ok(token) => (token, true),
                Err(error) => return TokenRead::Kept((&error).into()),
            },
            Err(error) => return TokenRead::Kept((&error).into()),
        };
        secrets.admin = Some(token);
        let token = secret::written(&token);
        if is_made {
            TokenRead::Made(token)
        } else {
            TokenRead::Replaced(token)
        }
    }
}
