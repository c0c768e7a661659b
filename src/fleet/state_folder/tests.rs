use super::hold::AGAIN;
use super::rights::share_of;
use super::*;
use crate::event::Value;
use crate::event::witness::witness;
use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::{Arc, Mutex};
use std::thread;

mod lost;

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Returns the ids of what is said meanwhile.
fn said<T>(of: impl FnOnce() -> T) -> (T, Vec<&'static str>) {
    let ids = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&ids);
    let guard = witness(move |event| to.lock().unwrap().push(event.kind.id));
    let value = of();
    drop(guard);
    let ids = ids.lock().unwrap().clone();
    (value, ids)
}

fn names(dir: &Path) -> BTreeSet<String> {
    let items = fs::read_dir(dir).unwrap();
    items
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn it_is_made_for_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("data/state");
    let (folder, said) = said(|| StateFolder::open(&state).unwrap());
    assert_eq!(said, [""; 0]);
    assert_eq!((folder.path(), mode(&state)), (&*state, 0o700));
    // What lies beside it is read by others.
    assert_eq!(mode(&dir.path().join("data")) & 0o755, 0o755);
    assert_eq!(mode(&state.join(LOCK)), 0o600);
}

#[test]
fn one_server_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    assert_eq!(is_held(&state), None);
    let first = StateFolder::open(&state).unwrap();
    assert_eq!(is_held(&state), Some(true));
    let Err(StateError::Held(event)) = StateFolder::open(&state) else {
        panic!("two of them");
    };
    assert_eq!(
        event.field("pid"),
        Some(&Value::from(std::process::id())),
        "{event}"
    );
    assert!(event.to_string().contains("gateway.state"), "{event}");
    drop(first);
    assert_eq!(is_held(&state), Some(false));
    // What was left in the lock holds nobody up, nor does who only asks.
    fs::write(state.join(LOCK), "1\n").unwrap();
    let asks = open_lock(&state.join(LOCK), false).unwrap();
    asks.try_lock_shared().unwrap();
    let asker = thread::spawn(move || {
        thread::sleep(3 * AGAIN);
        drop(asks);
    });
    StateFolder::open(&state).unwrap();
    asker.join().unwrap();
}

#[test]
fn what_cannot_be_written_is_named_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    symlink("nowhere", dir.path().join("link")).unwrap();
    fs::create_dir_all(dir.path().join("d/lock")).unwrap();
    for (state, reason) in [
        ("file", "way.no-folder"),
        ("file/below", "way.no-folder"),
        ("link", "way.dangling-link"),
        ("d", "way.is-folder"),
    ] {
        let Err(StateError::Unwritable(event)) = StateFolder::open(&dir.path().join(state)) else {
            panic!("{state}");
        };
        let Some(Value::Event(what)) = event.field("what") else {
            panic!("{state}: {event}");
        };
        assert_eq!(what.kind.id, reason, "{state}: {event}");
        assert!(event.to_string().contains("gateway.state"), "{event}");
    }
    assert!(matches!(
        StateFolder::open(Path::new("/proc/state")),
        Err(StateError::Unwritable(_))
    ));
}

#[test]
fn only_what_is_ours_alone_is_shut() {
    let dir = tempfile::tempdir().unwrap();
    set_mode(dir.path(), 0o755);
    fs::write(dir.path().join("orders.json"), "").unwrap();
    let (folder, said_then) = said(|| StateFolder::open(dir.path()).unwrap());
    assert_eq!(
        (said_then, mode(dir.path())),
        (vec!["state.narrowed"], 0o700)
    );
    drop(folder);
    // A folder of data may be another program's to read.
    fs::write(dir.path().join(".config.yaml"), "").unwrap();
    for (wide, event) in [
        (0o750, "state.wide"),
        (0o755, "state.wide"),
        (0o1777, "state.wide"),
        (0o777, "state.replaceable"),
        (0o770, "state.replaceable"),
    ] {
        set_mode(dir.path(), wide);
        let (_folder, said) = said(|| StateFolder::open(dir.path()).unwrap());
        assert_eq!((said, mode(dir.path())), (vec![event], wide), "{wide:o}");
    }
}

#[test]
fn a_secret_that_others_could_read_is_shut_and_told_of() {
    for (wide, is_told) in [(0o700, false), (0o711, true), (0o777, true)] {
        let dir = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(dir.path()).unwrap();
        folder.key().unwrap();
        folder.admin_token().unwrap();
        drop(folder);
        let files = ["token.key", "admin.token"].map(|name| dir.path().join(name));
        set_mode(&files[0], 0o604);
        set_mode(&files[1], 0o660);
        set_mode(dir.path(), wide);
        let folder = StateFolder::open(dir.path()).unwrap();
        let ((), said) = said(|| {
            folder.key().unwrap();
            folder.admin_token().unwrap();
        });
        let expected = if is_told { 2 } else { 0 };
        assert_eq!(said, vec!["state.secret-open"; expected], "{wide:o}");
        for file in files {
            assert_eq!(mode(&file), 0o600);
        }
    }
}

#[test]
fn secrets_are_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let folder = StateFolder::open(&state).unwrap();
    let (key, token) = (folder.key().unwrap(), folder.admin_token().unwrap());
    assert_ne!(key, [0; 32]);
    assert!(
        token.len() == 43
            && token
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    );
    let file = state.join("admin.token");
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{token}\n"));
    assert_eq!(read_admin_token(&state).unwrap(), token);
    // Somebody copied it back.
    set_mode(&file, 0o644);
    fs::write(&file, &token).unwrap();
    let ((again, same), said) = said(|| (folder.key().unwrap(), folder.admin_token().unwrap()));
    assert_eq!((again, &*same, said), (key, &*token, vec![]));
    for name in ["admin.token", "token.key"] {
        assert_eq!(mode(&state.join(name)), 0o600);
    }
    assert_eq!(names(&state).len(), 3);
    let other = tempfile::tempdir().unwrap();
    assert_ne!(StateFolder::open(other.path()).unwrap().key().unwrap(), key);
}

#[test]
fn a_broken_secret_is_set_aside() {
    for broken in [
        &b""[..],
        b"\n",
        b"hush",
        b"\xff\xfe",
        &[b'A'; 44],
        &vec![b'#'; 2 << 20],
    ] {
        let dir = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(dir.path()).unwrap();
        let file = dir.path().join("token.key");
        fs::write(&file, broken).unwrap();
        let (key, said) = said(|| folder.key().unwrap());
        assert_eq!(said, ["state.set-aside"], "{broken:?}");
        assert_eq!(folder.key().unwrap(), key);
        let aside = names(dir.path());
        let aside = aside
            .iter()
            .find(|name| name.starts_with("token.key.broken-"));
        assert_eq!(fs::read(dir.path().join(aside.unwrap())).unwrap(), broken);
    }
    let dir = tempfile::tempdir().unwrap();
    let folder = StateFolder::open(dir.path()).unwrap();
    for number in 1..=3 {
        let file = dir.path().join("admin.token");
        let _ = fs::remove_file(&file);
        fs::create_dir(&file).unwrap();
        assert!(read_admin_token(dir.path()).is_err());
        assert_eq!(folder.admin_token().unwrap().len(), 43);
        // None took another's place.
        assert_eq!(names(dir.path()).len(), 2 + number);
    }
}

#[test]
fn a_key_that_cannot_be_kept_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let folder = StateFolder::open(dir.path()).unwrap();
    fs::remove_dir_all(dir.path()).unwrap();
    assert!(folder.key().is_err());
}

#[test]
fn where_it_is_when_nobody_says() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path();
    let of = |folders: &str| default_place(Some(OsStr::new(folders)), base);
    assert_eq!(of("/var/lib/a:/var/lib/b"), Path::new("/var/lib/a/state"));
    let found = || default_place(None, base);
    let [plain, of_unit] = places(base);
    assert_eq!((found(), of("")), (plain.clone(), plain.clone()));
    fs::create_dir(&of_unit).unwrap();
    assert_eq!(found(), plain);
    // By hand, where a unit's server has run.
    drop(StateFolder::open(&of_unit).unwrap());
    assert_eq!(found(), of_unit);
    // By hand before, and by a unit now.
    drop(StateFolder::open(&plain).unwrap());
    assert_eq!(found(), plain);
    let _unit = StateFolder::open(&of_unit).unwrap();
    assert_eq!(found(), of_unit);
}

#[test]
fn shares_are_told_by_the_kernels_numbers() {
    for (kind, share) in [
        (0x6969, Some("NFS")),
        (0xFF53_4D42, Some("SMB")),
        (0xEF53, None),
        (0x0102_1994, None),
    ] {
        assert_eq!(share_of(kind), share);
    }
}
