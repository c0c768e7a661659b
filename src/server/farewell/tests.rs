//! Whole connections, over sockets: what becomes of the delivery of a body.

use super::super::connection::{self, Accepted, ConnectionContext};
use super::super::delivery::tests::Witness;
use super::super::reset_watch::ResetWatch;
use super::super::shares::Shares;
use super::super::turns::Turns;
use super::super::{Delivery, Handler, Limits, Peer, Port, Service, Trusted};
use arc_swap::ArcSwap;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::{Request, Response};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use socket2::SockRef;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

/// Runs out where something is broken.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time that ends nothing in these tests.
const LONG: Duration = Duration::from_secs(3600);
/// Time after which a client that does nothing is given up, where a test is about that.
const SHORT: Duration = Duration::from_millis(300);
/// Length of a body that no kernel takes whole from who has nobody that reads: above every
/// default of both buffers.
const HUGE: usize = 64 * 1024 * 1024;
const BODY: usize = 100_000;

/// Body of so many bytes.
#[derive(Debug)]
struct Image {
    left: usize,
    fault: Option<Fault>,
    delivery: Option<Delivery>,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Fails,
    Panics,
}

impl Body for Image {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if self.left <= BODY / 2
            && let Some(fault) = self.fault
        {
            assert!(matches!(fault, Fault::Fails), "as it should");
            return Poll::Ready(Some(Err(io::ErrorKind::InvalidData.into())));
        }
        let block = self.left.min(50_000);
        self.left -= block;
        if self.left == 0
            && let Some(delivery) = &self.delivery
        {
            delivery.body_is_taken();
        }
        Poll::Ready(Some(Ok(Frame::data(vec![7; block].into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if self.left > 0
            && let Some(delivery) = &self.delivery
        {
            delivery.cut();
        }
    }
}

/// Handler of `/image`, which counts, and of all else, which does not.
#[derive(Debug, Default)]
struct Images {
    witnesses: Mutex<Vec<Witness>>,
}

impl Handler for Images {
    type Body = Image;

    async fn handle(
        self: Arc<Self>,
        _: Peer,
        _: &ResetWatch,
        request: Request<Incoming>,
    ) -> Response<Image> {
        let (path, query) = (request.uri().path(), request.uri().query());
        let delivery = (path == "/image").then(|| {
            let witness = Witness::default();
            self.witnesses.lock().unwrap().push(witness.clone());
            Delivery::new(witness)
        });
        let mut reply = Response::new(Image {
            left: match (query, &delivery) {
                (Some("huge"), _) => HUGE,
                (Some("small"), _) | (_, None) => 10,
                _ => BODY,
            },
            fault: match query {
                Some("fails") => Some(Fault::Fails),
                Some("panics") => Some(Fault::Panics),
                _ => None,
            },
            delivery: delivery.clone(),
        });
        if let Some(delivery) = delivery {
            reply.extensions_mut().insert(delivery);
        }
        reply
    }

    fn turned_away() -> Bytes {
        Bytes::new()
    }
}

/// Connection to a server, and the server's task.
struct World {
    client: TcpStream,
    images: Arc<Images>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    roots: Arc<RootCertStore>,
}

const HOST: &str = "localhost";

fn tls() -> (ServerConfig, Arc<RootCertStore>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![HOST.into()]).unwrap();
    let leaf = params.self_signed(&key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(leaf.der().clone()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    (config, Arc::new(roots))
}

impl World {
    async fn new(idle: Duration) -> Self {
        Self::with(idle, idle, false).await
    }

    async fn with(headers: Duration, idle: Duration, proxy_protocol: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        let (stream, address) = accepted.unwrap();
        let (config, roots) = tls();
        let images = Arc::<Images>::default();
        let limits = Limits {
            headers,
            idle,
            ..Limits::default()
        };
        let shares = Arc::new(Shares::new(9, Arc::new(Semaphore::new(9)), true));
        let service = Service {
            handler: Arc::clone(&images),
            tls: Some(Arc::new(config)),
            limits: Arc::new(ArcSwap::from_pointee(limits)),
            fair: true,
            trusted: Trusted::default(),
        };
        let since = Instant::now();
        let client_of = shares.client(address.ip(), true);
        let turns = Arc::<Turns>::default();
        tokio::spawn(Arc::clone(&turns).usher());
        let accepted = Accepted {
            stream,
            address,
            port: Port {
                number: 0,
                proxy_protocol,
            },
            place: shares.enter(client_of, since).unwrap(),
            since,
            turns,
        };
        let context = Arc::new(ConnectionContext::new(service, shares));
        let stop = CancellationToken::new();
        let task = tokio::spawn(connection::serve(accepted, context, stop.clone()));
        Self {
            client: client.unwrap(),
            images,
            stop,
            task,
            roots,
        }
    }

    /// Shakes hands over the connection.
    async fn over_tls(self) -> (TlsStream<TcpStream>, Rest) {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from(HOST).unwrap();
        let stream = connector.connect(name, self.client).await.unwrap();
        let rest = Rest {
            images: self.images,
            stop: self.stop,
            task: self.task,
        };
        (stream, rest)
    }

    fn plain(self) -> (TcpStream, Rest) {
        let rest = Rest {
            images: self.images,
            stop: self.stop,
            task: self.task,
        };
        (self.client, rest)
    }
}

/// Server's side of a connection.
struct Rest {
    images: Arc<Images>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Rest {
    fn ends(&self) -> Vec<Vec<&'static str>> {
        let witnesses = self.images.witnesses.lock().unwrap();
        witnesses.iter().map(Witness::ends).collect()
    }

    /// Waits until the first one has its end.
    async fn first(&self) -> &'static str {
        let ends = async {
            loop {
                if let Some([end]) = self.ends().first().map(Vec::as_slice) {
                    return *end;
                }
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, ends).await.expect("it has no end")
    }

    /// Waits until the connection is over, and returns the ends.
    async fn over(&mut self) -> Vec<&'static str> {
        let over = timeout(PATIENCE, &mut self.task).await;
        // One that panicked is over, too.
        let _ = over.expect("the connection goes on");
        self.ends().concat()
    }
}

async fn ask(stream: &mut (impl AsyncWrite + Unpin), target: &str, more: &str) {
    let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}

/// Reads a reply, and returns the length of its body.
async fn reply(stream: &mut (impl AsyncRead + Unpin)) -> usize {
    let read = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let (_, length) = head.split_once("content-length: ").unwrap();
        let length = length.split("\r\n").next().unwrap().parse().unwrap();
        stream.read_exact(&mut vec![0; length]).await.unwrap();
        length
    };
    timeout(PATIENCE, read).await.expect("no reply")
}

fn resets(stream: &TcpStream) {
    let linger = Some(Duration::ZERO);
    SockRef::from(stream).set_linger(linger).unwrap();
}

const ENDS: [&str; 2] = ["", "Connection: close\r\n"];

#[tokio::test]
async fn a_client_that_closes_behind_the_last_byte_has_all() {
    for more in ENDS {
        for target in ["/image", "/image?small"] {
            let (mut client, mut server) = World::new(LONG).await.plain();
            ask(&mut client, target, more).await;
            reply(&mut client).await;
            assert!(server.ends().concat().is_empty(), "{target} {more}");
            drop(client);
            assert_eq!(server.over().await, ["whole"], "{target} {more}");
        }
    }
}

#[tokio::test]
async fn over_tls_with_or_without_its_goodbye() {
    for more in ENDS {
        for says_goodbye in [true, false] {
            let (mut client, mut server) = World::new(LONG).await.over_tls().await;
            ask(&mut client, "/image", more).await;
            reply(&mut client).await;
            if says_goodbye {
                client.shutdown().await.unwrap();
            }
            // A close with something unread would be a reset: nothing has come.
            drop(client);
            assert_eq!(server.over().await, ["whole"], "{more} {says_goodbye}");
        }
    }
}

#[tokio::test]
async fn a_next_request_tells_at_once() {
    let (mut client, mut server) = World::new(LONG).await.plain();
    ask(&mut client, "/image", "").await;
    reply(&mut client).await;
    ask(&mut client, "/other", "").await;
    assert_eq!(server.first().await, "whole");
    reply(&mut client).await;
    // And every one by itself.
    ask(&mut client, "/image", "").await;
    reply(&mut client).await;
    resets(&client);
    drop(client);
    assert_eq!(server.over().await, ["whole", "cut"]);

    let (mut client, mut server) = World::new(LONG).await.over_tls().await;
    ask(&mut client, "/image", "").await;
    reply(&mut client).await;
    ask(&mut client, "/image", "").await;
    reply(&mut client).await;
    drop(client);
    assert_eq!(server.over().await, ["whole", "whole"]);
}

#[tokio::test]
async fn a_client_that_waits_for_our_end_gets_it_soon() {
    let version = "GET /image HTTP/1.0\r\n\r\n";
    let close = "GET /image HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    for request in [version, close] {
        let (mut client, mut server) = World::new(LONG).await.plain();
        client.write_all(request.as_bytes()).await.unwrap();
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.unwrap();
        assert!(all.len() > BODY);
        assert!(server.ends().concat().is_empty());
        drop(client);
        assert_eq!(server.over().await, ["whole"]);
    }
    let (mut client, mut server) = World::new(LONG).await.over_tls().await;
    client.write_all(close.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    // With TLS's goodbye: without it this is an error.
    client.read_to_end(&mut all).await.unwrap();
    drop(client);
    assert_eq!(server.over().await, ["whole"]);
}

#[tokio::test]
async fn a_client_that_shuts_its_side_before_it_reads_has_all_once_that_is_acknowledged() {
    for more in ENDS {
        let (mut client, mut server) = World::new(LONG).await.plain();
        ask(&mut client, "/image", more).await;
        client.shutdown().await.unwrap();
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.unwrap();
        assert_eq!(server.over().await, ["whole"]);

        let (mut client, mut server) = World::new(LONG).await.over_tls().await;
        ask(&mut client, "/image", more).await;
        client.shutdown().await.unwrap();
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.unwrap();
        assert_eq!(server.over().await, ["whole"]);
    }
}

#[tokio::test]
async fn the_end_of_a_client_that_does_not_read_says_nothing() {
    for more in ENDS {
        // It resets, or stays as it is.
        for has_reset in [true, false] {
            let idle = if has_reset { LONG } else { SHORT };
            let (mut client, mut server) = World::with(LONG, idle, false).await.plain();
            ask(&mut client, "/image?huge", more).await;
            client.shutdown().await.unwrap();
            client.read_exact(&mut [0; 1000]).await.unwrap();
            if has_reset {
                resets(&client);
                drop(client);
                assert_eq!(server.over().await, ["cut"], "{more}");
            } else {
                assert_eq!(server.over().await, ["cut"], "{more}");
            }
        }
    }
}

#[tokio::test]
async fn a_reset_is_a_cut_wherever_it_comes() {
    for more in ENDS {
        for read_all in [true, false] {
            let (mut client, mut server) = World::new(LONG).await.plain();
            ask(&mut client, "/image", more).await;
            if read_all {
                reply(&mut client).await;
            } else {
                client.read_exact(&mut [0; 1000]).await.unwrap();
            }
            resets(&client);
            drop(client);
            assert_eq!(server.over().await, ["cut"], "{more} {read_all}");
        }
        let (mut client, mut server) = World::new(LONG).await.over_tls().await;
        ask(&mut client, "/image", more).await;
        reply(&mut client).await;
        resets(client.get_ref().0);
        drop(client);
        assert_eq!(server.over().await, ["cut"], "{more}");
    }
    // Behind our end, too.
    let (mut client, mut server) = World::new(LONG).await.plain();
    ask(&mut client, "/image", "Connection: close\r\n").await;
    client.read_to_end(&mut Vec::new()).await.unwrap();
    resets(&client);
    drop(client);
    assert_eq!(server.over().await, ["cut"]);
}

#[tokio::test]
async fn whoever_says_nothing_any_more_is_cut_at_the_deadline() {
    for more in ENDS {
        // Everything acknowledged, and then the tail in our kernel.
        for target in ["/image", "/image?huge"] {
            let (mut client, mut server) = World::new(SHORT).await.plain();
            ask(&mut client, target, more).await;
            if target == "/image" {
                reply(&mut client).await;
            }
            assert_eq!(server.over().await, ["cut"], "{target} {more}");
            drop(client);
        }
        // What the kernel takes at once, and nobody reads.
        let (mut client, mut server) = World::new(SHORT).await.plain();
        ask(&mut client, "/image", more).await;
        assert_eq!(server.over().await, ["cut"], "{more}");
        drop(client);
    }
}

#[tokio::test]
async fn a_body_that_fails_is_cut_at_once() {
    for target in ["/image?fails", "/image?panics"] {
        let (mut client, mut server) = World::new(LONG).await.plain();
        ask(&mut client, target, "").await;
        client.read_exact(&mut [0; 100]).await.unwrap();
        assert_eq!(server.first().await, "cut", "{target}");
        assert_eq!(server.over().await, ["cut"], "{target}");
        drop(client);
    }
}

#[tokio::test]
async fn what_is_asked_ahead_is_no_sign() {
    for has_reset in [false, true] {
        let (mut client, mut server) = World::new(LONG).await.plain();
        let both = "GET /image HTTP/1.1\r\nHost: h\r\n\r\nGET /other HTTP/1.1\r\nHost: h\r\n\r\n";
        client.write_all(both.as_bytes()).await.unwrap();
        reply(&mut client).await;
        reply(&mut client).await;
        assert!(server.ends().concat().is_empty());
        if has_reset {
            resets(&client);
        }
        drop(client);
        let expected = if has_reset { "cut" } else { "whole" };
        assert_eq!(server.over().await, [expected]);
    }
    // Behind one that nobody reads yet.
    let (mut client, mut server) = World::new(LONG).await.plain();
    ask(&mut client, "/image?huge", "").await;
    client.read_exact(&mut [0; 1000]).await.unwrap();
    ask(&mut client, "/other", "").await;
    resets(&client);
    drop(client);
    assert_eq!(server.over().await, ["cut"]);
}

#[tokio::test]
async fn a_stop_waits_for_who_closes_and_for_nobody_else() {
    for more in ENDS {
        for closes in [true, false] {
            let (mut client, mut server) = World::new(LONG).await.plain();
            ask(&mut client, "/image", more).await;
            reply(&mut client).await;
            server.stop.cancel();
            let client = (!closes).then_some(client);
            let expected = if closes { "whole" } else { "cut" };
            assert_eq!(server.over().await, [expected], "{more}");
            drop(client);
        }
        // The second signal.
        let (mut client, mut server) = World::new(LONG).await.plain();
        ask(&mut client, "/image", more).await;
        reply(&mut client).await;
        server.task.abort();
        assert_eq!(server.over().await, ["cut"], "{more}");
        drop(client);
    }
}

#[tokio::test]
async fn a_proxys_header_changes_nothing() {
    for (has_reset, expected) in [(false, "whole"), (true, "cut")] {
        let (mut client, mut server) = World::with(LONG, LONG, true).await.plain();
        let header = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n";
        client.write_all(header).await.unwrap();
        ask(&mut client, "/image", "").await;
        reply(&mut client).await;
        if has_reset {
            resets(&client);
        }
        drop(client);
        assert_eq!(server.over().await, [expected]);
    }
}

#[tokio::test]
async fn what_nobody_counts_ends_as_ever() {
    let (mut client, mut server) = World::new(LONG).await.plain();
    ask(&mut client, "/other", "Connection: close\r\n").await;
    let begun = Instant::now();
    client.read_to_end(&mut Vec::new()).await.unwrap();
    server.over().await;
    assert!(begun.elapsed() < super::super::watched::PATIENCE);
}

#[tokio::test]
async fn clients_may_end_their_side_and_then_all() {
    let (mut client, mut server) = World::new(LONG).await.plain();
    ask(&mut client, "/image", "").await;
    reply(&mut client).await;
    SockRef::from(&client).shutdown(Shutdown::Write).unwrap();
    let mut end = [0];
    assert_eq!(client.read(&mut end).await.unwrap(), 0);
    assert_eq!(server.over().await, ["whole"]);
}
