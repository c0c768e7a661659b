use super::*;
use crate::event::witness::witness;
use std::sync::atomic::{AtomicU32, Ordering};

/// Keeps what was said.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn begin() -> (Self, tracing::subscriber::DefaultGuard) {
        let lines = Self::default();
        let noted = lines.clone();
        let guard = witness(move |event| lock(&noted.0).push(event.to_string()));
        (lines, guard)
    }

    fn said(&self) -> Vec<String> {
        lock(&self.0).clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_begins_again_and_is_said_once() {
    let (lines, _guard) = Lines::begin();
    let stop = CancellationToken::new();
    let runs = AtomicU32::new(0);
    Supervisor::new(stop.clone())
        .task(Text::new("监视", "the watch"), || async {
            match runs.fetch_add(1, Ordering::Relaxed) {
                0 => panic!("the first time"),
                1 => {
                    blocking(|| panic!("on another thread")).await.unwrap_or(());
                }
                2 => {}
                _ => stop.cancel(),
            }
        })
        .await;
    assert_eq!(runs.load(Ordering::Relaxed), 4);
    let said = lines.said();
    assert_eq!(said.len(), 3, "{said:#?}");
    for (line, words) in said.iter().zip([
        "the watch broke and begins again in 1s; please report it: ",
        "the watch broke and begins again in 2s; please report it: ",
        "the watch broke and begins again in 4s; please report it: it ended by itself",
    ]) {
        assert!(line.starts_with(words), "{line}");
    }
    assert!(said[0].contains("the first time"), "{said:#?}");
    assert!(said[1].contains("on another thread"), "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_rest_ends_with_the_process() {
    let (lines, _guard) = Lines::begin();
    let stop = CancellationToken::new();
    let supervisor = Supervisor::new(stop.clone());
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let task = supervisor.task(ENDED, move || {
        counted.fetch_add(1, Ordering::Relaxed);
        async { panic!("again") }
    });
    let begun = tokio::time::Instant::now();
    tokio::join!(task, async {
        sleep(Duration::from_secs(3600)).await;
        stop.cancel();
    });
    assert_eq!(begun.elapsed(), Duration::from_secs(3600));
    // 1 + 2 + … + 256 = 511 s, and every 300 s from there.
    assert_eq!(runs.load(Ordering::Relaxed), 9 + (3600 - 511) / 300 + 1);
    assert_eq!(lines.said().len(), runs.load(Ordering::Relaxed) as usize);
}

#[test]
fn a_thread_begins_again_until_it_returns() {
    let (lines, _guard) = Lines::begin();
    let mut runs = 0;
    thread(Text::new("目录", "the catalogue"), || {
        runs += 1;
        assert!(runs > 1, "the first time");
    });
    assert_eq!(runs, 2);
    assert_eq!(lines.said().len(), 1, "{:#?}", lines.said());
}

#[test]
fn rests_grow_are_bounded_and_are_forgotten() {
    let mut rests = Rests::new(FIRST_REST);
    let all: Vec<_> = (0..100).map(|_| rests.after(Duration::ZERO)).collect();
    assert_eq!(all[..3], [1, 2, 4].map(Duration::from_secs));
    assert!(all[20..].iter().all(|rest| *rest == LONGEST_REST));
    assert_eq!(rests.after(STEADY), FIRST_REST);
    let hour = Duration::from_secs(3600);
    let mut rests = Rests::new(hour);
    assert_eq!([rests.after(STEADY), rests.after(hour)], [hour; 2]);
}

#[tokio::test]
async fn what_cannot_begin_again_ends_the_process_with_its_reason() {
    for (done, work, words) in [
        (
            false,
            (|| panic!("no runtime")) as fn(),
            "worker 1 broke and cannot begin again; please report it: no runtime",
        ),
        (true, || panic!("no runtime"), "worker 1 broke"),
        (false, || {}, "worker 1 broke and cannot begin again"),
    ] {
        let end = End::default();
        let here = end.clone();
        let thread = std::thread::spawn(move || here.unless_done("worker 1", || done, work));
        let reason = end.asked().await.unwrap().to_string();
        thread.join().unwrap();
        assert!(
            reason.starts_with(words.split(": ").next().unwrap()),
            "{reason}"
        );
        // The first one counts.
        end.ask(event!(PART_LOST, part = "another", error = ENDED));
        assert_eq!(end.asked().await.unwrap().to_string(), reason);
    }
    let end = End::default();
    end.unless_done("worker 1", || true, || {});
    assert!(end.asked().now_or_never().is_none());
}

#[test]
fn a_panic_is_said_by_its_supervisor_or_by_the_hook() {
    static HOOK: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let before = panic::take_hook();
    on_panic(move |info| {
        lock(&HOOK).push(info.to_string());
        before(info);
    });
    let of_hook = |words: &str| lock(&HOOK).iter().any(|said| said.contains(words));
    let broken = caught(|| panic!("supervised: 1\n2")).unwrap_err();
    let said = broken.to_string();
    assert!(said.contains("supervise/tests.rs:"), "{said}");
    assert!(said.ends_with("supervised: 1 2"), "{said}");
    assert!(!of_hook("supervised: 1"));
    let other = std::thread::spawn(|| panic!("nobody supervises this"));
    assert!(other.join().is_err() && of_hook("nobody supervises this"));
}
