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

#[test]
fn a_file_that_changes_is_read_again() {
    let dir = temporary();
    let dir = dir.path();
    whole(dir);
    let file = dir.join("data/bin/y_1.0.bin");
    let end = AtomicBool::new(false);
    let write = |letter: u8| {
        // As `scp` and editors write: in place, a part at a time.
        let mut to = fs::File::create(&file).unwrap();
        for _ in 0..50 {
            to.write_all(&[letter; 8192]).unwrap();
            thread::sleep(Duration::from_millis(1));
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
        for n in 0..4 {
            let (backup, to) = (format!("b{n}.tar"), temporary());
            good(dir, &["backup", &backup]);
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
        }
    });
}
