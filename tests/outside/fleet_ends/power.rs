//! Devices that lose their power while the end of an image lies in our kernel: it has left
//! the server's hands, and nobody ever had it.

use super::{all, check_in, config, ends_of, fetch};
use crate::faults::sized;
use crate::support::kernel::held;
use crate::support::server::{Setup, request};
use crate::support::{PATIENCE, Server, noise, until};
use socket2::{Domain, SockRef, Socket, Type};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;
use xiaozhi_image_builder::Image;

/// Bytes of an image, and those of them that a device leaves unread: well below what the
/// server has lie unsent (64 KiB), so that the last of them surely leave its hands.
const LENGTH: usize = 200_000;
const TAIL: usize = 32 * 1024;

fn mac(number: usize) -> String {
    format!("02:00:00:00:01:{number:02x}")
}

/// Begins a download with a device's small window, and reads all but the tail of it.
fn all_but_the_tail(server: &Server, path: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&server.address().into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&request("GET", path, &[], b"")).unwrap();
    let mut block = [0; 4096];
    let mut got = 0;
    while got < LENGTH - TAIL {
        let more = stream.read(&mut block).unwrap();
        assert!(more > 0, "it ended after {got} bytes");
        got += more;
    }
    stream
}

#[test]
fn what_lies_in_our_kernel_was_not_fetched_and_is_no_failure() {
    let image = Image {
        payload: noise(LENGTH, 3),
        ..Image::new("1.7.0")
    };
    let server = Setup::new()
        .file(super::FILE, image.build())
        .start(&config("10s"));
    let count = sized(30, 200);
    let devices: Vec<_> = (0..count).map(mac).collect();
    let mut silent = Vec::new();
    for (number, device) in devices.iter().enumerate() {
        let path = check_in(&server, device, "1.6.0").unwrap();
        silent.push((number, all_but_the_tail(&server, &path)));
    }
    // All of it is out of the server's hands.
    until("every body to be written", || {
        let sent = server.events("download.sent", &[]).len();
        (sent == count).then_some(())
    });
    until("every tail to lie in our kernel", || {
        let sockets = held(server.address());
        let unsent = sockets.iter().filter(|socket| socket.unsent > 0).count();
        (unsent == count).then_some(())
    });
    let mut met: BTreeSet<String> = all(&server).iter().flat_map(ends_of).collect();
    // A third says nothing more, a third is reset, and a third ends its side and is reset.
    silent.retain(|(number, stream)| {
        match number % 3 {
            0 => return true,
            1 => SockRef::from(stream)
                .set_linger(Some(Duration::ZERO))
                .unwrap(),
            _ => stream.shutdown(Shutdown::Write).unwrap(),
        }
        false
    });
    until("every offer to be interrupted", || {
        let known = all(&server);
        let ends: Vec<_> = known.iter().flat_map(ends_of).collect();
        assert_eq!(ends.len(), count);
        met.extend(ends.iter().cloned());
        ends.iter().all(|end| end == "interrupted").then_some(())
    });
    assert!(
        met.iter()
            .all(|end| ["fetching", "interrupted"].contains(&&**end)),
        "{met:?}"
    );
    // They come back with what they ran, and none of it was the image's fault.
    for device in &devices {
        assert!(check_in(&server, device, "1.6.0").is_some());
    }
    let ends: Vec<_> = all(&server).iter().flat_map(ends_of).collect();
    assert!(
        ends.len() == count && ends.iter().all(|end| end == "offered"),
        "{ends:?}"
    );
    for end in ["offer.silent", "offer.rolled-back"] {
        assert_eq!(server.events(end, &[]).len(), 0);
    }
    // The same offer goes on to its end.
    fetch(&server, &devices[0]);
    check_in(&server, &devices[0], "1.7.0");
    assert_eq!(super::ends(&server, &devices[0]), ["succeeded"]);
    eprintln!("| {count} devices lost their power before the end: met {met:?} |");
}
