//! Downloads: whole, in part, conditional, and while the file changes.

use super::support::reply::find_end_of_head;
use super::support::server::{SCHEMES, Setup, request};
use super::support::{Reply, Server, noise, until};
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;

const FILE: &str = "esp32s3_1.6.6.bin";
const PATH: &str = "/xiaozhi/ota/download/esp32s3_1.6.6.bin";
/// Larger than all buffers between server and client together.
const BIG: usize = 48 << 20;

fn server(memory: &str, content: &[u8]) -> Server {
    let config = format!("log: {{log_level: DEBUG}}\ngateway:\n  firmware: {{memory: {memory}}}\n");
    let server = Setup::new().file(FILE, content).start(&config);
    server.event("file.ready", &[("file", FILE)]); // A big one is ready only after the start.
    server
}

fn get(headers: &[(&str, &str)]) -> Vec<u8> {
    request("GET", PATH, headers, b"")
}

#[test]
fn every_byte_from_memory_and_from_the_file_over_both_schemes() {
    let content = noise(4 << 20, 7);
    for memory in ["0", "64MiB"] {
        let server = server(memory, &content);
        for round in 0..2 {
            for scheme in SCHEMES {
                let reply = server.send(scheme, &get(&[]));
                assert_eq!((reply.status, reply.whole), (200, true));
                assert_eq!(reply.header("Content-Length"), Some("4194304"));
                assert_eq!(reply.header("Accept-Ranges"), Some("bytes"));
                assert!(
                    reply.body == content,
                    "memory {memory}, round {round}, {scheme}"
                );
            }
            if memory != "0" {
                server.line("image kept in memory");
            }
        }
        server.event("download.sent", &[("file", FILE), ("bytes", "4194304")]);
    }
}

#[test]
fn the_entity_tag_is_the_hash() {
    let server = server("0", b"hello");
    let reply = server.get(PATH);
    assert_eq!(
        reply.header("Etag"),
        Some("\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\"")
    );
    let head = server.send("http", &request("HEAD", PATH, &[], b""));
    assert_eq!((head.status, head.body.len()), (200, 0));
    for name in [
        "Content-Length",
        "Etag",
        "Last-Modified",
        "Accept-Ranges",
        "Content-Type",
    ] {
        assert_eq!(head.header(name), reply.header(name), "{name}");
    }
}

#[test]
fn parts_for_clients_that_ask_for_them() {
    for memory in ["0", "1MiB"] {
        let content = noise(200_000, 3);
        let server = server(memory, &content);
        let etag = server.get(PATH).header("Etag").unwrap().to_owned();
        let ask = |headers: &[(&str, &str)]| server.send("http", &get(headers));
        let part = ask(&[("Range", "bytes=100000-150000")]);
        assert_eq!(part.status, 206);
        assert_eq!(
            part.header("Content-Range"),
            Some("bytes 100000-150000/200000")
        );
        assert!(part.whole && part.body == content[100_000..=150_000]);
        assert_eq!(ask(&[("Range", "bytes=-10")]).body, content[199_990..]);
        let beyond = ask(&[("Range", "bytes=200000-")]);
        assert_eq!(
            (beyond.status, beyond.header("Content-Range")),
            (416, Some("bytes */200000"))
        );
        assert_eq!(ask(&[("Range", "bytes=0-1,5-6")]).status, 200);
        assert_eq!(
            ask(&[("Range", "bytes=0-1"), ("If-Range", &etag)]).status,
            206
        );
        assert_eq!(
            ask(&[("Range", "bytes=0-1"), ("If-Range", "\"other\"")]).status,
            200
        );
        assert_eq!(ask(&[("If-None-Match", &etag)]).status, 304);
        assert_eq!(
            ask(&[("If-Modified-Since", "Fri, 31 Dec 2100 23:59:59 GMT")]).status,
            304
        );
        let old = ask(&[("If-Modified-Since", "Thu, 01 Jan 1970 00:00:01 GMT")]);
        assert!(old.status == 200 && old.body == content);
    }
}

/// Begins a download and reads only its first bytes.
fn begin(server: &Server) -> (TcpStream, Vec<u8>) {
    let mut stream = server.tcp();
    stream.write_all(&get(&[])).unwrap();
    let mut bytes = vec![0; 100_000];
    stream.read_exact(&mut bytes).unwrap();
    (stream, bytes)
}

/// Reads the rest, however it ends.
fn finish((mut stream, mut bytes): (TcpStream, Vec<u8>)) -> Reply {
    let head = Reply::parse(&bytes[..find_end_of_head(&bytes).unwrap()], true);
    let length: usize = head.header("Content-Length").unwrap().parse().unwrap();
    let total = find_end_of_head(&bytes).unwrap() + length;
    let mut block = vec![0; 1 << 20];
    while bytes.len() < total {
        match stream.read(&mut block) {
            Ok(n) if n > 0 => bytes.extend_from_slice(&block[..n]),
            Ok(_) | Err(_) => break,
        }
    }
    Reply::parse(&bytes, false)
}

#[test]
fn what_was_begun_is_finished_from_the_old_content() {
    let (old, new) = (noise(BIG, 1), noise(BIG, 2));
    for memory in ["0", "64MiB"] {
        let server = server(memory, &old);
        if memory != "0" {
            server.get(PATH);
            server.line("image kept in memory");
        }
        let (replaced, deleted) = (begin(&server), begin(&server));
        fs::write(server.bin().join(".new"), &new).unwrap();
        fs::rename(server.bin().join(".new"), server.bin().join(FILE)).unwrap();
        let reply = finish(replaced);
        assert!(
            reply.whole && reply.body == old,
            "replaced, memory {memory}"
        );
        fs::remove_file(server.bin().join(FILE)).unwrap();
        let reply = finish(deleted);
        assert!(reply.whole && reply.body == old, "deleted, memory {memory}");
    }
}

#[test]
fn a_file_that_is_written_to_ends_the_download_and_never_mixes_into_it() {
    let old = noise(BIG, 1);
    for case in ["overwritten", "truncated", "rewritten"] {
        let server = server("0", &old);
        let begun = begin(&server);
        let path = server.bin().join(FILE);
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        match case {
            "overwritten" => file.write_all_at(&noise(BIG, 2), 0).unwrap(),
            "truncated" => file.set_len(10 << 20).unwrap(),
            _ => fs::write(&path, noise(BIG, 3)).unwrap(),
        }
        let reply = finish(begun);
        assert!(
            !reply.whole,
            "{case}: a short or mixed body must not look whole"
        );
        assert!(
            old.starts_with(&reply.body),
            "{case}: bytes of the new content came"
        );
        server.event("download.cut", &[("file", FILE)]);
    }
}

#[test]
fn what_is_in_memory_does_not_care_what_happens_to_the_file() {
    let old = noise(BIG, 1);
    let server = server("64MiB", &old);
    server.get(PATH);
    server.line("image kept in memory");
    let begun = begin(&server);
    OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(server.bin().join(FILE))
        .unwrap();
    let reply = finish(begun);
    assert!(reply.whole && reply.body == old);
    // But nothing of it is handed out any more.
    until("404", || (server.get(PATH).status == 404).then_some(()));
}

#[test]
fn many_at_once() {
    let content = noise(1 << 20, 5);
    for memory in ["0", "64MiB"] {
        let server = server(memory, &content);
        std::thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| {
                    let reply = server.get(PATH);
                    assert!(reply.whole && reply.body == content);
                });
            }
        });
    }
}

#[test]
fn one_open_file_is_enough_however_many_fetch_it() {
    let server = server("0", &noise(BIG, 5));
    let images = || {
        let open = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
        let targets = open.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
        targets.filter(|target| target.ends_with(FILE)).count()
    };
    let begun: Vec<_> = (0..8).map(|_| begin(&server)).collect();
    assert_eq!(images(), 1);
    drop(begun);
    until("no open file", || (images() == 0).then_some(()));
}

#[test]
fn a_file_that_cannot_be_read_as_it_was_verified_is_not_served() {
    let server = server("0", b"content");
    // Its content is gone at the same moment as the server is asked: either
    // answer is right, but never other bytes.
    for i in 0..50 {
        fs::write(server.bin().join(FILE), format!("content {i}")).unwrap();
        let reply = server.get(PATH);
        match reply.status {
            200 => {
                let etag = reply.header("Etag").unwrap().trim_matches('"').to_owned();
                assert!(!reply.whole || sha256(&reply.body) == etag);
            }
            404 | 503 => reply.hold_to_contract("changing"),
            other => panic!("{other}"),
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    use aws_lc_rs::digest::{SHA256, digest};
    xiaozhi_device::hex::encode(digest(&SHA256, bytes).as_ref())
}
