//! Connection to a server that serves images, each of which is a delivery.

use crate::server::connection::{self, Accepted, ConnectionContext};
use crate::server::delivery::tests::Witness;
use crate::server::reset_watch::ResetWatch;
use crate::server::shares::Shares;
use crate::server::turns::Turns;
use crate::server::{Delivery, Handler, Limits, Peer, Port, Service, Trusted};
use arc_swap::ArcSwap;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::{Request, Response};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use socket2::SockRef;
use std::io;
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
use tokio_util::task::TaskTracker;

/// Runs out where something is broken.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Time that ends nothing in these tests.
pub(super) const LONG: Duration = Duration::from_secs(3600);
/// Time after which a client that does nothing is given up, where a test is about that.
pub(super) const SHORT: Duration = Duration::from_millis(300);
/// Length of a body that no kernel takes whole from who has nobody that reads: above every
/// default of both buffers.
const HUGE: usize = 64 * 1024 * 1024;
pub(super) const BODY: usize = 100_000;

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
pub(super) struct World {
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
    pub(super) async fn new(idle: Duration) -> Self {
        Self::with(idle, idle, false).await
    }

    pub(super) async fn with(headers: Duration, idle: Duration, proxy_protocol: bool) -> Self {
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
        let context = Arc::new(ConnectionContext::new(service, shares, TaskTracker::new()));
        let stop = CancellationToken::new();
        let task = tokio::spawn(connection::serve(accepted, context, stop.clone(), false));
        Self {
            client: client.unwrap(),
            images,
            stop,
            task,
            roots,
        }
    }

    /// Shakes hands over the connection.
    pub(super) async fn over_tls(self) -> (TlsStream<TcpStream>, Rest) {
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

    pub(super) fn plain(self) -> (TcpStream, Rest) {
        let rest = Rest {
            images: self.images,
            stop: self.stop,
            task: self.task,
        };
        (self.client, rest)
    }
}

/// Server's side of a connection.
pub(super) struct Rest {
    images: Arc<Images>,
    pub(super) stop: CancellationToken,
    pub(super) task: JoinHandle<()>,
}

impl Rest {
    pub(super) fn ends(&self) -> Vec<Vec<&'static str>> {
        let witnesses = self.images.witnesses.lock().unwrap();
        witnesses.iter().map(Witness::ends).collect()
    }

    /// Waits until the first one has its end.
    pub(super) async fn first(&self) -> &'static str {
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
    pub(super) async fn over(&mut self) -> Vec<&'static str> {
        let over = timeout(PATIENCE, &mut self.task).await;
        // One that panicked is over, too.
        let _ = over.expect("the connection goes on");
        self.ends().concat()
    }
}

pub(super) async fn ask(stream: &mut (impl AsyncWrite + Unpin), target: &str, more: &str) {
    let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}

/// Reads a reply, and returns the length of its body.
pub(super) async fn reply(stream: &mut (impl AsyncRead + Unpin)) -> usize {
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

pub(super) fn resets(stream: &TcpStream) {
    let linger = Some(Duration::ZERO);
    SockRef::from(stream).set_linger(linger).unwrap();
}
