//! Files that change meanwhile, and whose they are afterwards.

use super::*;

/// Root restores for the user who runs the server.
#[test]
fn what_root_restores_is_the_servers() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let one = temporary();
    whole(one.path());
    good(one.path(), &["backup", FILE]);
    let other = temporary();
    let own = other.path().metadata().unwrap().uid();
    // Who is not root gives nothing away.
    let owner = if own == 0 { 12_345 } else { own };
    chown(other.path(), Some(owner), Some(owner)).unwrap();
    good(
        other.path(),
        &[
            "restore",
            one.path().join(FILE).to_str().unwrap(),
            "--force",
        ],
    );
    for name in [
        "data",
        "data/.config.yaml",
        "data/bin/x_1.0.bin",
        "data/state",
        "data/state/lock",
        "certs/acme/x",
        "certs/b.key",
    ] {
        let found = other.path().join(name).metadata().unwrap().uid();
        assert_eq!(found, owner, "{name}");
    }
}

/// Time without a write after which a file counts as settled, with a margin for this test.
const SETTLED: Duration = Duration::from_millis(30);

#[test]
fn a_file_that_changes_is_read_again() {
    let dir = temporary();
    let dir = dir.path();
    whole(dir);
    let file = dir.join("data/bin/y_1.0.bin");
    let (end, stalls) = (AtomicBool::new(false), AtomicUsize::new(0));
    let writing = Mutex::new(());
    let write = |letter: u8| {
        // As `scp` and editors write: in place, a part at a time.
        let _writing = writing.lock().unwrap();
        let mut to = fs::File::create(&file).unwrap();
        let mut last = Instant::now();
        for _ in 0..50 {
            to.write_all(&[letter; 8192]).unwrap();
            thread::sleep(Duration::from_millis(1));
            // A busy machine lets a writer wait, and nobody can know that it goes on.
            if last.elapsed() > SETTLED {
                stalls.fetch_add(1, Ordering::Relaxed);
            }
            last = Instant::now();
        }
    };
    write(b'a');
    thread::scope(|scope| {
        let _over = Over(&end);
        scope.spawn(|| {
            for letter in b"bcdefghij".iter().cycle() {
                if end.load(Ordering::Relaxed) {
                    break;
                }
                write(*letter);
                thread::sleep(Duration::from_millis(400));
            }
        });
        let mut seen = 0;
        for n in 0..40 {
            let (backup, to) = (format!("b{n}.tar"), temporary());
            let stalled = stalls.load(Ordering::Relaxed);
            let made = run(dir, &["backup", &backup]);
            drop(writing.lock().unwrap());
            if stalls.load(Ordering::Relaxed) != stalled {
                continue;
            }
            assert_eq!(made.code, 0, "{made:?}");
            let tar = Command::new("tar")
                .arg("xf")
                .arg(dir.join(&backup))
                .current_dir(to.path())
                .status();
            assert!(tar.unwrap().success());
            let read = fs::read(to.path().join("firmware/y_1.0.bin")).unwrap();
            let first = read[0];
            assert_eq!(read.len(), 50 * 8192);
            assert!(read.iter().all(|b| *b == first));
            seen += 1;
            if seen == 4 {
                return;
            }
        }
        panic!("the writer of this test was stalled in 40 rounds, and {seen} could be judged");
    });
}
