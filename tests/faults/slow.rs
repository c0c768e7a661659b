//! Readers and writers that take their time at every stage of a connection.

use super::crowd::{Crowd, Role, addresses, hello};
use super::sized;
use super::watch::{IMAGE, Scenario, image};
use crate::support::noise;
use crate::support::server::{PATIENT, Server, Setup, check_in};
use std::net::SocketAddr;

/// What nobody fetches to its end.
const LARGE: &str = "large_1.0.bin";

fn server(limits: &str) -> Server {
    let config = format!(
        "gateway:\n  ip: 127.0.0.1\n  ports: [0, {{port: 0, proxy_protocol: true}}]\n  behind_proxy: [127.0.1.0/24]\n{limits}"
    );
    Setup::new()
        .file(IMAGE, image())
        .file(LARGE, noise(16 << 20, 1))
        .start(&config)
}

#[test]
fn readers_of_a_byte_and_of_none() {
    let Some(scenario) = Scenario::new("readers_of_a_byte_and_of_none") else {
        return;
    };
    let server = server(PATIENT);
    let ask = format!("GET /xiaozhi/ota/download/{LARGE} HTTP/1.1\r\nHost: x\r\n\r\n");
    let roles = [
        Role::sending(&ask).reading(1, 2048),
        Role::sending(&ask).reading(0, 2048),
        // Its window was wide before it closed.
        Role::sending(&ask).reading(0, 1 << 20),
    ];
    let size = sized(60, 1000);
    let mut crowd = Crowd::new(server.address(), size, &addresses(5), &roles);
    let did = format!("{size} downloads, read by the byte or not at all");
    // The image itself is kept in memory, once.
    let most = 16 + (size as u64 * 48).div_ceil(1024) + 16;
    scenario
        .most(most)
        .kept(sized(40, 64))
        .run(&server, did, |meanwhile| {
            crowd.come();
            crowd.act_until_sent();
            meanwhile.while_it_asks(|| crowd.act());
            assert_eq!(crowd.size(), size);
            crowd.leave();
        });
}

/// All that is sent by the byte.
fn drips() -> Vec<Role> {
    let whole = check_in("faults", "1.6.6");
    let body = "POST /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n";
    let hello = hello();
    vec![
        Role::sending(b"").then(b"\r").writing(1),
        Role::sending(&hello[..5]).writing(1),
        Role::sending(&hello).writing(1),
        // The greeting in pieces of a record each would have.
        Role::sending(&hello).writing(hello.len() / 3),
        Role::sending(&whole).writing(1),
        Role::sending(b"GET /").then(b"x").writing(1),
        Role::sending(body).then(b" ").writing(70),
    ]
}

#[test]
fn writers_of_a_byte_at_every_stage() {
    let Some(scenario) = Scenario::new("writers_of_a_byte_at_every_stage") else {
        return;
    };
    let server = server(PATIENT);
    let size = sized(70, 1000);
    let mut crowd = Crowd::new(server.address(), size, &addresses(5), &drips());
    let header = Role::sending(b"PROXY TCP4 203.0.113.1 127.0.0.1 1 2\r\nGET /").writing(1);
    let binary = Role::sending(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c").writing(1);
    let port: SocketAddr = ([127, 0, 0, 1], server.ports[1]).into();
    let mut proxies = Crowd::new(port, size / 5, &addresses(1), &[header, binary]);
    let did = format!("{} who write by the byte, at every stage", size + size / 5);
    scenario.most(64).run(&server, did, |meanwhile| {
        crowd.come();
        proxies.come();
        meanwhile.while_it_asks(|| {
            crowd.act();
            proxies.act();
        });
        crowd.leave();
        proxies.leave();
    });
}

/// The same, under limits that let them go.
#[test]
fn writers_of_a_byte_are_let_go() {
    let Some(scenario) = Scenario::new("writers_of_a_byte_are_let_go") else {
        return;
    };
    let short = sized("1s", "3s");
    let server = server(&format!(
        "  limits: {{handshake: {short}, headers: {short}, idle: {short}}}\n"
    ));
    let size = sized(70, 1000);
    let drips: Vec<_> = drips().into_iter().map(Role::once).collect();
    let mut crowd = Crowd::new(server.address(), size, &addresses(5), &drips);
    let did = format!("{size} who write by the byte, under limits of {short}");
    // The device keeps to the limits but where the machine keeps it waiting.
    let run = |crowd: &mut Crowd| {
        crowd.come();
        crowd.act_to_the_end();
    };
    if super::is_long() {
        scenario.run(&server, did, |_| run(&mut crowd));
    } else {
        run(&mut crowd);
    }
    assert!(crowd.told(408) > 0, "{:?}", crowd.told);
}
