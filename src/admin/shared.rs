//! Values that take long to make: each is made once for all who ask, kept for a moment, and
//! nobody waits long for one.

use crate::util::sync::lock;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Mutex as Turn;
use tokio::time::{Instant, timeout_at};

/// Time for which a value is as good as new.
const FRESH: Duration = Duration::from_secs(5);
/// Time for which an older one is better than none, while it is made anew.
const OLD: Duration = Duration::from_secs(60);
/// Longest time that somebody waits for a new one.
const PATIENCE: Duration = Duration::from_millis(120);

/// Returns the time to which somebody waits who begins now. Whoever asks for several values in
/// turn takes it once.
pub(super) fn patience() -> Instant {
    Instant::now() + PATIENCE
}

/// A value that is made when somebody asks for it.
pub(super) struct Shared<T> {
    kept: Arc<Mutex<Kept<T>>>,
    /// Held by whoever makes it.
    turn: Arc<Turn<()>>,
}

struct Kept<T> {
    /// The value, with the time at which its making began.
    made: Option<(Instant, Arc<T>)>,
    /// Time before which the making of a good one did not begin.
    spoiled: Option<Instant>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        let kept = Kept {
            made: None,
            spoiled: None,
        };
        Self {
            kept: Arc::new(Mutex::new(kept)),
            turn: Arc::default(),
        }
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl<T> Kept<T> {
    /// Returns the value if it is no older than this, whatever was changed since.
    fn within(&self, age: Duration) -> Option<Arc<T>> {
        let (begun, value) = self.made.as_ref()?;
        (begun.elapsed() < age).then(|| Arc::clone(value))
    }

    fn fresh(&self) -> Option<Arc<T>> {
        let (begun, _) = self.made.as_ref()?;
        let is_spoiled = self.spoiled.is_some_and(|spoiled| *begun <= spoiled);
        self.within(FRESH).filter(|_| !is_spoiled)
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    /// Returns the value; an older one where making it takes long; `None` where that takes
    /// long and there is none. It is made all the same, for whoever asks next. `make` returns
    /// `None` where it cannot be made.
    pub(super) async fn get<F>(&self, make: impl Fn() -> F) -> Option<Arc<T>>
    where
        F: Future<Output = Option<T>> + Send + 'static,
    {
        self.get_until(patience(), make).await
    }

    /// Returns the same, for whoever waits no longer than to `end`.
    pub(super) async fn get_until<F>(&self, end: Instant, make: impl Fn() -> F) -> Option<Arc<T>>
    where
        F: Future<Output = Option<T>> + Send + 'static,
    {
        loop {
            if let Some(fresh) = lock(&self.kept).fresh() {
                return Some(fresh);
            }
            self.begin(&make);
            let waited = timeout_at(end, self.turn.lock()).await;
            if waited.is_err() || Instant::now() >= end {
                let kept = lock(&self.kept);
                return kept.fresh().or_else(|| kept.within(OLD));
            }
        }
    }

    /// Begins to make it, unless somebody does.
    fn begin<F>(&self, make: impl Fn() -> F)
    where
        F: Future<Output = Option<T>> + Send + 'static,
    {
        let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() else {
            return;
        };
        let (make, kept) = (make(), Arc::clone(&self.kept));
        // It goes on without whoever asked.
        tokio::spawn(async move {
            let _turn = turn;
            let begun = Instant::now();
            if let Some(made) = make.await {
                lock(&kept).made = Some((begun, Arc::new(made)));
            }
        });
    }

    /// Takes that something was changed, which the value does not show.
    pub(super) fn spoil(&self) {
        lock(&self.kept).spoiled = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::time::{advance, sleep};

    /// Makes a number each time, which takes so long.
    fn counting(
        made: &Arc<AtomicUsize>,
        takes: Duration,
    ) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = Option<usize>> + Send>> {
        let made = Arc::clone(made);
        move || {
            let made = Arc::clone(&made);
            Box::pin(async move {
                sleep(takes).await;
                Some(made.fetch_add(1, Ordering::Relaxed))
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_made_once_for_all_who_ask() {
        let (value, number) = (Shared::default(), Arc::default());
        let make = counting(&number, PATIENCE / 2);
        let (one, other) = tokio::join!(value.get(&make), value.get(&make));
        assert_eq!((one.as_deref(), other.as_deref()), (Some(&0), Some(&0)));
        advance(FRESH.saturating_sub(PATIENCE)).await;
        assert_eq!(value.get(&make).await.as_deref(), Some(&0));
        advance(PATIENCE).await;
        assert_eq!(value.get(&make).await.as_deref(), Some(&1));
        // What was changed shows at once.
        value.spoil();
        assert_eq!(value.get(&make).await.as_deref(), Some(&2));
        assert_eq!(number.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_long_for_it() {
        let (value, number) = (Shared::default(), Arc::default());
        let make = counting(&number, PATIENCE * 10);
        let begun = Instant::now();
        assert_eq!(value.get(&make).await, None);
        assert_eq!(begun.elapsed(), PATIENCE);
        advance(PATIENCE * 10).await;
        assert_eq!(value.get(&make).await.as_deref(), Some(&0));
        // An older one is better than none, for a while, and never two are made at once.
        advance(FRESH).await;
        assert_eq!(value.get(&make).await.as_deref(), Some(&0));
        assert_eq!(value.get(&make).await.as_deref(), Some(&0));
        advance(PATIENCE * 10).await;
        assert_eq!(value.get(&make).await.as_deref(), Some(&1));
        advance(OLD).await;
        assert_eq!(value.get(&make).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn several_in_turn_take_no_longer_than_one() {
        let (one, other, number) = (Shared::default(), Shared::default(), Arc::default());
        let make = counting(&number, PATIENCE * 10);
        let (begun, end) = (Instant::now(), patience());
        assert_eq!(one.get_until(end, &make).await, None);
        assert_eq!(other.get_until(end, &make).await, None);
        assert_eq!(begun.elapsed(), PATIENCE);
        // It is made all the same.
        sleep(PATIENCE * 11).await;
        assert!(other.get_until(end, &make).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_made_is_none() {
        let shared = Shared::<()>::default();
        let begun = Instant::now();
        let make = || async {
            sleep(PATIENCE / 4).await;
            None
        };
        assert_eq!(shared.get(make).await, None);
        assert!(begun.elapsed() >= PATIENCE);
    }
}
