//! Many clients of one kind, on one thread: each opens a connection, sends what it has
//! to send at its pace, reads at its pace, and comes back when it is let go.

use crate::support::PATIENCE;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use socket2::{Domain, SockRef, Socket, Type};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one of them does.
#[derive(Clone)]
pub(super) struct Role {
    /// What it sends first.
    begins: Vec<u8>,
    /// What it goes on to send, over and over.
    repeats: Vec<u8>,
    /// How many bytes it sends at once.
    writes: usize,
    /// How many bytes it reads at once.
    reads: usize,
    /// Its receive buffer.
    window: Option<usize>,
    /// Whether it comes back when it is let go.
    again: bool,
}

impl Role {
    /// Sends this, reads what comes, and waits.
    pub(super) fn sending(begins: impl AsRef<[u8]>) -> Self {
        Self {
            begins: begins.as_ref().to_vec(),
            repeats: Vec::new(),
            writes: 256 << 10,
            reads: 64 << 10,
            window: None,
            again: true,
        }
    }

    /// Goes on to send this, for ever.
    pub(super) fn then(self, repeats: impl AsRef<[u8]>) -> Self {
        // Whoever sends much at once does not send it by the byte.
        let times = (64 << 10) / repeats.as_ref().len();
        let repeats = repeats.as_ref().repeat(times);
        Self { repeats, ..self }
    }

    /// Sends so many bytes at once.
    pub(super) fn writing(self, writes: usize) -> Self {
        Self { writes, ..self }
    }

    /// Reads so many bytes at once, through a window of so many.
    pub(super) fn reading(self, reads: usize, window: usize) -> Self {
        let window = Some(window);
        let role = Self { reads, ..self };
        Self { window, ..role }
    }

    /// Does not come back.
    pub(super) fn once(self) -> Self {
        let again = false;
        Self { again, ..self }
    }
}

/// Clients of some roles and addresses, in turn.
pub(super) struct Crowd {
    to: SocketAddr,
    from: Vec<[u8; 4]>,
    roles: Vec<Role>,
    members: Vec<Option<Member>>,
    next: Instant,
    /// How often one was let go without a word.
    pub(super) let_go: usize,
    /// What they were told, by status; 0 for what is no HTTP.
    pub(super) told: BTreeMap<u16, usize>,
}

struct Member {
    stream: TcpStream,
    sent: usize,
    heard: Vec<u8>,
    is_told: bool,
}

impl Crowd {
    /// A crowd of this size that has not come yet.
    pub(super) fn new(to: SocketAddr, size: usize, from: &[[u8; 4]], roles: &[Role]) -> Self {
        Self {
            to,
            from: from.to_vec(),
            roles: roles.to_vec(),
            members: (0..size).map(|_| None).collect(),
            next: Instant::now(),
            let_go: 0,
            told: BTreeMap::new(),
        }
    }

    /// Everybody who is not there comes once more, if his role says so. One who cannot
    /// connect yet does so later.
    pub(super) fn come(&mut self) {
        for n in 0..self.members.len() {
            if self.members[n].is_none() {
                let from = self.from[n % self.from.len()];
                let role = &self.roles[n % self.roles.len()];
                let mut member = Member::new(from, self.to, role);
                // A client that has something to say does not wait for the others.
                member.write(role);
                self.members[n] = Some(member);
            }
        }
    }

    /// How many are there.
    pub(super) fn size(&self) -> usize {
        self.members.iter().flatten().count()
    }

    /// Everybody does the next thing that he has to do; a crowd that is asked more often
    /// takes its time.
    pub(super) fn act(&mut self) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + Duration::from_millis(30);
        for n in 0..self.members.len() {
            let role = &self.roles[n % self.roles.len()];
            let Some(member) = &mut self.members[n] else {
                continue;
            };
            let is_there = member.write(role) && member.read(role);
            if let Some(status) = member.status() {
                *self.told.entry(status).or_default() += 1;
            }
            if !is_there {
                if !member.is_told {
                    self.let_go += 1;
                }
                self.members[n] = None;
                if role.again {
                    let from = self.from[n % self.from.len()];
                    self.members[n] = Some(Member::new(from, self.to, role));
                }
            }
        }
    }

    /// Acts until nobody is there any more.
    #[track_caller]
    pub(super) fn act_to_the_end(&mut self) {
        let end = Instant::now() + PATIENCE;
        while self.size() > 0 {
            self.act();
            assert!(Instant::now() < end, "{} are never let go", self.size());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Acts until everybody has sent what he begins with, or is gone.
    #[track_caller]
    pub(super) fn act_until_sent(&mut self) {
        let end = Instant::now() + PATIENCE;
        loop {
            self.act();
            let roles = &self.roles;
            let lacks = |(n, member): (usize, &Option<Member>)| {
                let begins = roles[n % roles.len()].begins.len();
                member.as_ref().is_some_and(|member| member.sent < begins)
            };
            let lacking = self
                .members
                .iter()
                .enumerate()
                .filter(|m| lacks(*m))
                .count();
            if lacking == 0 {
                return;
            }
            assert!(Instant::now() < end, "{lacking} cannot send");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How often they were told this status.
    pub(super) fn told(&self, status: u16) -> usize {
        self.told.get(&status).copied().unwrap_or_default()
    }

    /// Everybody resets his connection.
    pub(super) fn leave(&mut self) {
        for member in self.members.iter_mut().filter_map(Option::take) {
            reset(member.stream);
        }
    }
}

impl Member {
    fn new(from: [u8; 4], to: SocketAddr, role: &Role) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
        if let Some(window) = role.window {
            socket.set_recv_buffer_size(window).unwrap();
        }
        socket.set_nonblocking(true).unwrap();
        // What a full backlog keeps waiting is connected when there is room.
        let _ = socket.connect(&to.into());
        Self {
            stream: socket.into(),
            sent: 0,
            heard: Vec::new(),
            is_told: false,
        }
    }

    /// Sends the next part; `false` if it cannot any more.
    fn write(&mut self, role: &Role) -> bool {
        let begins = &role.begins;
        let mut left = role.writes;
        while left > 0 {
            let part = match self.sent.checked_sub(begins.len()) {
                None => &begins[self.sent..],
                Some(_) if role.repeats.is_empty() => return true,
                Some(beyond) => &role.repeats[beyond % role.repeats.len()..],
            };
            match self.stream.write(&part[..left.min(part.len())]) {
                Ok(n) => {
                    self.sent += n;
                    left -= n;
                }
                Err(e) if is_later(e.kind()) => return true,
                // What was said before is still to be heard.
                Err(_) => {
                    self.read(role);
                    return false;
                }
            }
        }
        true
    }

    /// Reads the next part; `false` at the end.
    fn read(&mut self, role: &Role) -> bool {
        if role.reads == 0 {
            return true;
        }
        let mut block = vec![0; role.reads];
        match self.stream.read(&mut block) {
            Ok(0) => false,
            Ok(n) => {
                // Enough to see a status by.
                let room = 64_usize.saturating_sub(self.heard.len());
                self.heard.extend_from_slice(&block[..n.min(room)]);
                true
            }
            Err(e) => is_later(e.kind()),
        }
    }

    /// The status that it is told, once.
    fn status(&mut self) -> Option<u16> {
        if self.is_told || self.heard.len() < 12 {
            return None;
        }
        self.is_told = true;
        let text = String::from_utf8_lossy(&self.heard);
        let status = text
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3));
        Some(status.and_then(|status| status.parse().ok()).unwrap_or(0))
    }
}

fn is_later(kind: ErrorKind) -> bool {
    // Not yet connected counts as well.
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::NotConnected)
}

/// Ends a connection at once, with a reset.
pub(super) fn reset(stream: TcpStream) {
    let lingered = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    lingered.unwrap();
    drop(stream);
}

/// The first words of a TLS client.
pub(super) fn hello() -> Vec<u8> {
    let config = ClientConfig::builder()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// Addresses of this machine, so many from 127.0.1.1 on.
pub(super) fn addresses(count: u8) -> Vec<[u8; 4]> {
    (1..=count).map(|n| [127, 0, 1, n]).collect()
}
