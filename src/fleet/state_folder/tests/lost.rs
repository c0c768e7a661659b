//! A folder that somebody removes, or puts another in the place of, while it is held.

use super::*;
use crate::fleet::state_folder::TokenRead;
use std::process::{Command, Stdio};

/// A folder that is held, and its secrets.
struct Bench {
    dir: tempfile::TempDir,
    state: PathBuf,
    folder: StateFolder,
    secrets: ([u8; 32], String),
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let folder = StateFolder::open(&state).unwrap();
        let secrets = (folder.key().unwrap(), folder.admin_token().unwrap());
        Self {
            dir,
            state,
            folder,
            secrets,
        }
    }

    /// Looks, and returns the number of folders if it is held, and what was said.
    fn look(&self) -> (Option<u64>, Vec<&'static str>) {
        let (found, said) = said(|| self.folder.look());
        assert_eq!(found, self.folder.standing());
        (found.ok(), said)
    }

    fn move_away(&self) {
        fs::rename(&self.state, self.dir.path().join("away")).unwrap();
    }

    fn is_kept_out(&self) -> bool {
        matches!(StateFolder::open(&self.state), Err(StateError::Held(_)))
    }

    fn secrets_there(&self) -> ([u8; 32], String) {
        let key = secret::read(&self.state.join("token.key")).unwrap();
        (key, read_admin_token(&self.state).unwrap())
    }
}

#[test]
fn a_lock_that_is_removed_lets_nobody_in_and_is_made_again() {
    let bench = Bench::new();
    assert_eq!(bench.look(), (Some(0), vec![]));
    let file = bench.state.join(LOCK);
    fs::remove_file(&file).unwrap();
    assert!(bench.is_kept_out());
    assert_eq!(bench.look(), (Some(0), vec!["state.lock-again"]));
    assert_eq!(bench.look(), (Some(0), vec![]));
    assert_eq!(is_held(&bench.state), Some(true));
    // Another one in its place.
    fs::remove_file(&file).unwrap();
    fs::write(&file, "1\n").unwrap();
    assert_eq!(bench.look(), (Some(0), vec!["state.lock-again"]));
    assert!(bench.is_kept_out());
    bench.folder.release();
    StateFolder::open(&bench.state).unwrap();
    // What was released is not taken again.
    fs::remove_file(&file).unwrap();
    assert_eq!(bench.look(), (Some(0), vec![]));
    assert!(!file.exists());
}

/// The file in a folder is all that there is where no folder can be locked.
#[test]
fn a_server_that_takes_the_lock_alone_is_seen() {
    let bench = Bench::new();
    let file = bench.state.join(LOCK);
    fs::remove_file(&file).unwrap();
    fs::write(&file, "77\nthere\n").unwrap();
    let mut other = Command::new("flock")
        .args(["-x", file.to_str().unwrap(), "sh", "-c", "echo; read x"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0];
    io::Read::read_exact(other.stdout.as_mut().unwrap(), &mut first).unwrap();
    assert_eq!(bench.look(), (None, vec!["state.lost"]));
    assert_eq!(bench.look(), (None, vec![]));
    let lost = bench.folder.standing().unwrap_err().to_string();
    assert!(lost.contains("process 77 on there"), "{lost}");
    drop(other.stdin.take());
    other.wait().unwrap();
    // It may have written what it liked.
    assert_eq!(bench.look(), (Some(1), vec!["state.taken-again"]));
    assert!(bench.is_kept_out());
}

#[test]
fn a_folder_that_comes_back_is_the_same() {
    let bench = Bench::new();
    bench.move_away();
    assert_eq!(bench.look(), (None, vec!["state.lost"]));
    assert_eq!(bench.look(), (None, vec![]));
    assert!(matches!(
        bench.folder.read_admin_token_again(),
        TokenRead::Kept(_)
    ));
    // Of another kind, that is another thing to say.
    fs::write(&bench.state, "").unwrap();
    assert_eq!(bench.look(), (None, vec!["state.lost"]));
    assert_eq!(bench.look(), (None, vec![]));
    fs::remove_file(&bench.state).unwrap();
    fs::rename(bench.dir.path().join("away"), &bench.state).unwrap();
    assert_eq!(bench.look(), (Some(0), vec!["state.back"]));
    assert_eq!(bench.look(), (Some(0), vec![]));
}

#[test]
fn a_folder_that_is_made_anew_gets_what_is_in_use() {
    let bench = Bench::new();
    for number in 1..=3 {
        fs::remove_dir_all(&bench.state).unwrap();
        if number == 2 {
            assert_eq!(bench.look(), (None, vec!["state.lost"]));
        }
        fs::create_dir(&bench.state).unwrap();
        set_mode(&bench.state, 0o755);
        let said = vec!["state.narrowed", "state.taken-again"];
        assert_eq!(bench.look(), (Some(number), said));
        assert_eq!(bench.look(), (Some(number), vec![]));
        assert!(bench.is_kept_out());
        assert_eq!(mode(&bench.state), 0o700);
        assert_eq!(bench.secrets_there(), bench.secrets);
        assert!(matches!(
            bench.folder.read_admin_token_again(),
            TokenRead::Same
        ));
    }
}

#[test]
fn a_folder_that_another_has_is_left_alone_until_it_goes() {
    let bench = Bench::new();
    bench.move_away();
    let other = StateFolder::open(&bench.state).unwrap();
    let (key, token) = (other.key().unwrap(), other.admin_token().unwrap());
    let before = names(&bench.state);
    assert_eq!(bench.look(), (None, vec!["state.lost"]));
    assert_eq!(bench.look(), (None, vec![]));
    assert_eq!(names(&bench.state), before);
    assert!(matches!(
        bench.folder.read_admin_token_again(),
        TokenRead::Kept(_)
    ));
    drop(other);
    // Its secrets stay: they may be what others know.
    let said = vec!["state.taken-again", "state.other-key"];
    assert_eq!(bench.look(), (Some(1), said));
    assert_eq!(bench.secrets_there(), (key, token.clone()));
    let TokenRead::Replaced(read) = bench.folder.read_admin_token_again() else {
        panic!("the token is another");
    };
    assert_eq!(read, token);
}

#[test]
fn a_restore_that_was_interrupted_keeps_it_out() {
    let bench = Bench::new();
    bench.move_away();
    fs::create_dir(&bench.state).unwrap();
    fs::write(bench.state.join(RESTORE_JOURNAL), "").unwrap();
    assert_eq!(bench.look(), (None, vec!["state.lost"]));
    assert!(!bench.state.join("token.key").exists());
    fs::remove_file(bench.state.join(RESTORE_JOURNAL)).unwrap();
    assert_eq!(bench.look().0, Some(1));
}

#[test]
fn a_token_is_read_again() {
    let bench = Bench::new();
    let (file, old) = (bench.state.join("admin.token"), &bench.secrets.1);
    let read = || bench.folder.read_admin_token_again();
    assert!(matches!(read(), TokenRead::Same));
    let other = "A".repeat(43);
    fs::write(&file, &other).unwrap();
    set_mode(&file, 0o644);
    let TokenRead::Replaced(token) = read() else {
        panic!("it was replaced");
    };
    assert_eq!((token, mode(&file)), (other.clone(), 0o600));
    // What cannot be read replaces nothing.
    for broken in ["", "\n", "hush"] {
        fs::write(&file, broken).unwrap();
        assert!(matches!(read(), TokenRead::Kept(_)), "{broken}");
        assert_eq!(fs::read_to_string(&file).unwrap(), broken);
    }
    fs::write(&file, &other).unwrap();
    assert!(matches!(read(), TokenRead::Same));
    fs::remove_file(&file).unwrap();
    let TokenRead::Made(token) = read() else {
        panic!("it was removed");
    };
    assert!(token != other && token != *old);
    assert_eq!(read_admin_token(&bench.state).unwrap(), token);
    assert!(matches!(read(), TokenRead::Same));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(matches!(read(), TokenRead::Kept(_)));
}
