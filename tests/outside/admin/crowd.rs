//! Crowds at the admin address: whoever reads no answer locks nobody out.

use super::super::support::admin::ask;
use super::super::support::server::Setup;
use super::super::support::{Server, until};
use super::{READER, secret};

use socket2::{Domain, Socket, Type};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// More connections than the admin address has.
const CROWD: usize = 80;

/// A server whose deadlines let nobody go.
fn patient() -> Server {
    let setup = Setup::new();
    secret(&setup, "reader", READER);
    setup.start(
        "gateway:\n  limits: {headers: 1h, idle: 1h}\n  admin:\n    listen: 0\n    \
         tokens: [{name: dashboard, role: read, token_file: reader}]\n",
    )
}

/// Connections from another address of this machine, on each of which much is asked for and
/// nothing read.
fn crowd(server: &Server, from: Ipv4Addr, path: &str, more: &str) -> Vec<TcpStream> {
    let address = server.admin_address();
    let asked = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{more}\r\n").repeat(400);
    let connect = |_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
        socket.connect(&address.into()).unwrap();
        let mut stream = TcpStream::from(socket);
        stream
            .set_write_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        // It may have been turned away already, or its requests may be more than are taken.
        let _ = stream.write_all(asked.as_bytes());
        stream
    };
    (0..CROWD).map(connect).collect()
}

/// Asks as somebody whose token may do everything, until that is answered.
fn operates(server: &Server) {
    let token = server.admin_token();
    until("an answer", || {
        let mut stream = server.admin_tcp();
        let bearer = format!("Bearer {token}");
        let request = format!(
            "GET /api/v1/fleet HTTP/1.1\r\nHost: {}\r\nAuthorization: {bearer}\r\nConnection: close\r\n\r\n",
            server.admin_address()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut reply = String::new();
        std::io::Read::read_to_string(&mut stream, &mut reply).ok()?;
        reply.starts_with("HTTP/1.1 200").then_some(())
    });
}

fn style(server: &Server) -> String {
    let host = server.admin_address().to_string();
    let page = ask(&mut server.admin_tcp(), "GET", "/sign-in", &host, &[], "");
    let text = page.text();
    let at = text.find("/assets/page-").unwrap();
    text[at..].split('"').next().unwrap().to_owned()
}

#[test]
fn strangers_who_read_nothing_lock_nobody_out() {
    let server = patient();
    let path = style(&server);
    // From elsewhere, and from where the operator is, too.
    for from in [Ipv4Addr::new(127, 0, 0, 9), Ipv4Addr::LOCALHOST] {
        let held = crowd(&server, from, &path, "");
        for _ in 0..3 {
            operates(&server);
        }
        assert_eq!(server.check_in("x", "1.0").status, 200);
        drop(held);
    }
}

#[test]
fn who_may_look_locks_out_nobody_who_may_do_more() {
    let server = patient();
    let bearer = format!("Authorization: Bearer {READER}\r\n");
    let held = crowd(&server, Ipv4Addr::new(127, 0, 0, 9), "/metrics", &bearer);
    for _ in 0..3 {
        operates(&server);
    }
    drop(held);
}
