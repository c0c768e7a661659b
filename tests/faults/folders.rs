//! A firmware folder that goes away under those who download from it, and one with all
//! kinds of things in it that are no images.

use super::crowd::{Crowd, Role, addresses};
use super::sized;
use super::watch::{IMAGE, Scenario, image};
use crate::support::backend::Backend;
use crate::support::server::{
    BINARY, PATIENT, Server, Setup, read_reply, request, without_privilege,
};
use crate::support::{make_pipe, noise, until};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

const LARGE: &str = "large_1.0.bin";
const LARGE_PATH: &str = "/xiaozhi/ota/download/large_1.0.bin";

fn large() -> Vec<u8> {
    noise(16 << 20, 1)
}

/// Downloads that have begun, and are as far as their first block.
fn begun(server: &Server, count: usize) -> Vec<(TcpStream, Vec<u8>)> {
    let begin = |_| {
        let mut stream = server.tcp();
        let ask = request("GET", LARGE_PATH, &[("Connection", "close")], b"");
        stream.write_all(&ask).unwrap();
        let mut first = vec![0; 4096];
        stream.read_exact(&mut first).unwrap();
        (stream, first)
    };
    (0..count).map(begin).collect()
}

/// They are whole, or end before their end: there is no third.
fn whole_or_cut(downloads: Vec<(TcpStream, Vec<u8>)>, content: &[u8]) -> usize {
    let ends = downloads.into_iter().map(|(stream, first)| {
        let reply = read_reply(&mut first.as_slice().chain(stream), false);
        assert_eq!(reply.status, 200);
        assert!(content.starts_with(&reply.body), "other bytes came");
        usize::from(reply.whole)
    });
    ends.sum()
}

/// The server, in whose own view of the disk a test can have things done.
fn ordered() -> (Setup, Command) {
    let script = format!(
        "mkfifo orders; exec 3<>orders; (while read -r order <&3; do eval \"$order\"; done) & exec {BINARY} 3>&-"
    );
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
    (
        Setup::new().file(IMAGE, image()).file(LARGE, large()),
        command,
    )
}

/// What is done to the folder, in a shell, and undone.
const AWAY: [(&str, &str); 5] = [
    ("mv data/bin data/away", "mv data/away data/bin"),
    ("mv data away", "mv away data"),
    (
        "mv data/bin data/away; mkdir data/bin",
        "rmdir data/bin; mv data/away data/bin",
    ),
    ("mount -t tmpfs tmpfs data/bin", "umount data/bin"),
    (
        "mount --bind /dev/null data/bin/large_1.0.bin",
        "umount data/bin/large_1.0.bin",
    ),
];

fn goes_away_under_downloads(name: &'static str, memory: &str) {
    let Some(scenario) = Scenario::new(name) else {
        return;
    };
    let (setup, mut command) = ordered();
    let config = format!("gateway:\n{PATIENT}  firmware: {{memory: {memory}}}\n");
    let server = setup.start_by(&config, &mut command);
    let order = |order: &str| {
        let order = format!("{order}; touch done\n");
        fs::write(server.dir.path().join("orders"), &order).unwrap();
        let done = server.dir.path().join("done");
        until(&order, || fs::remove_file(&done).ok());
    };
    let size = sized(5, 100);
    let did = format!("folder moved, replaced, mounted over {size} downloads");
    scenario.checks_only().kept(96).run(&server, did, |_| {
        for (away, back) in AWAY {
            let downloads = begun(&server, size);
            order(away);
            // What is open stays open, whatever becomes of its path.
            assert_eq!(whole_or_cut(downloads, &large()), size, "{away}");
            order(back);
            until("it is back", || {
                let reply = server.get(LARGE_PATH);
                (reply.status == 200 && reply.whole).then_some(())
            });
        }
    });
}

#[test]
fn the_folder_goes_away_under_downloads_from_it() {
    goes_away_under_downloads("the_folder_goes_away_under_downloads_from_it", "0");
}

#[test]
fn the_folder_goes_away_under_downloads_from_memory() {
    goes_away_under_downloads("the_folder_goes_away_under_downloads_from_memory", "64MiB");
}

/// Makes one of each kind of thing that is no image.
fn strange(bin: &Path) -> UnixListener {
    make_pipe(&bin.join("pipe_1.0.bin"));
    let socket = UnixListener::bind(bin.join("socket_1.0.bin")).unwrap();
    symlink("/dev/zero", bin.join("zero_1.0.bin")).unwrap();
    symlink("/dev/full", bin.join("full_1.0.bin")).unwrap();
    symlink("/proc/self/mem", bin.join("mem_1.0.bin")).unwrap();
    symlink("/proc/kmsg", bin.join("kmsg_1.0.bin")).unwrap();
    fs::create_dir(bin.join("folder_1.0.bin")).unwrap();
    symlink("loop_1.1.bin", bin.join("loop_1.0.bin")).unwrap();
    symlink("loop_1.0.bin", bin.join("loop_1.1.bin")).unwrap();
    symlink("self_1.0.bin", bin.join("self_1.0.bin")).unwrap();
    symlink(".", bin.join("here_1.0.bin")).unwrap();
    symlink("gone", bin.join("dead_1.0.bin")).unwrap();
    File::create(bin.join("empty_1.0.bin")).unwrap();
    let sparse = File::create(bin.join("sparse_1.0.bin")).unwrap();
    sparse.set_len(10 << 30).unwrap();
    fs::write(bin.join("shut_1.0.bin"), "firmware").unwrap();
    fs::set_permissions(bin.join("shut_1.0.bin"), Permissions::from_mode(0o000)).unwrap();
    socket
}

const STRANGE: [&str; 13] = [
    "pipe", "socket", "zero", "full", "mem", "kmsg", "folder", "loop", "self", "here", "dead",
    "empty", "sparse",
];

#[test]
fn strange_files() {
    let Some(scenario) = Scenario::new("strange_files") else {
        return;
    };
    let setup = Setup::new().file(IMAGE, image()).file(LARGE, large());
    let bin = setup.path().join("data/bin");
    let _socket = strange(&bin);
    let config = format!("gateway:\n{PATIENT}  firmware: {{memory: 0}}\n");
    let server = setup.start_early(&config, &mut without_privilege());
    for file in [IMAGE, LARGE] {
        server.event("file.ready", &[("file", file)]);
    }
    let did = format!(
        "{} kinds of things that are no images, and one that grows",
        STRANGE.len() + 1
    );
    scenario.most(64).run(&server, did, |meanwhile| {
        // At the start they were there; and now they come again.
        for name in fs::read_dir(&bin).unwrap().map(|item| item.unwrap().path()) {
            if name != bin.join(IMAGE) && name != bin.join(LARGE) {
                let _ = fs::remove_file(&name);
                let _ = fs::remove_dir(&name);
            }
        }
        let _socket = strange(&bin);
        let mut grows = File::create(bin.join("grows_1.0.bin")).unwrap();
        meanwhile.while_it_asks(|| grows.write_all(&[7; 4096]).unwrap());
        for name in STRANGE.into_iter().chain(["shut"]) {
            let path = format!("/xiaozhi/ota/download/{name}_1.0.bin");
            let reply = server.get(&path);
            reply.hold_to_contract(&path);
            assert!(
                [404, 503].contains(&reply.status),
                "{name}: {}",
                reply.status
            );
            assert_eq!(server.offered(name, "0.1"), None, "{name}");
        }
        let downloads = begun(&server, sized(5, 100));
        OpenOptions::new()
            .write(true)
            .open(bin.join(LARGE))
            .unwrap()
            .set_len(6 << 20)
            .unwrap();
        let whole = whole_or_cut(downloads, &large());
        assert_eq!(whole, 0, "a file that was cut looked whole");
    });
}

/// Two configurations in turn, under a crowd of check-ins and downloads, and beside
/// what is passed on.
#[test]
fn reloads_under_load() {
    let Some(scenario) = Scenario::new("reloads_under_load") else {
        return;
    };
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.reply("fine");
        }
    });
    let config = |version: &str, level: &str| {
        format!(
            "log: {{log_level: {level}}}\ngateway:\n{PATIENT}  proxy: {{routes: {{/x/: 'http://{}'}}}}\n  firmware: {{pin: {{a: {version}}}}}\n",
            backend.address
        )
    };
    let configs = [config("1.0", "INFO"), config("2.0", "DEBUG")];
    let server = Setup::new().file(IMAGE, image()).start(&configs[0]);
    let ask =
        |method, path: &str| Role::sending(request(method, path, &[("Connection", "close")], b""));
    let roles = [
        ask("GET", "/xiaozhi/ota/"),
        ask("GET", "/xiaozhi/ota/download/faults_1.6.6.bin"),
        ask("GET", "/x/"),
        ask("POST", "/xiaozhi/ota/activate"),
    ];
    let size = sized(20, 400);
    let mut crowd = Crowd::new(server.address(), size, &addresses(5), &roles);
    let did = format!("SIGHUP without end, {size} who ask again and again");
    let mut round = 0;
    scenario.kept(64).open(size).run(&server, did, |meanwhile| {
        crowd.come();
        meanwhile.while_it_asks(|| {
            crowd.act();
            server.configure(&configs[round % 2]);
            server.signal("HUP");
            round += 1;
        });
        crowd.leave();
    });
    assert!(
        crowd.told.len() == 1 && crowd.told(200) > 0,
        "{:?}",
        crowd.told
    );
    assert_eq!(crowd.let_go, 0);
    assert!(server.events("config.refused", &[]).is_empty());
}
