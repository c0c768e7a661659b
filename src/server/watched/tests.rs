use super::*;
use crate::server::shares::{Place, Shares};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// A connection, the client's end of it, and its place.
struct World {
    ours: Watched<DuplexStream>,
    theirs: DuplexStream,
    shares: Arc<Shares>,
    place: Place,
}

impl World {
    fn new() -> Self {
        Self::with_room(100_000)
    }

    fn with_room(bytes: usize) -> Self {
        let shares = Arc::new(Shares::new(1, Arc::new(Semaphore::new(0)), true));
        let client = shares.client([192, 0, 2, 1].into(), true);
        let place = shares.enter(client, Instant::now()).unwrap();
        let (ours, theirs) = duplex(bytes);
        let ours = Watched::new(
            ours,
            Arc::default(),
            Arc::clone(place.wait()),
            Arc::default(),
        );
        Self {
            ours,
            theirs,
            shares,
            place,
        }
    }

    async fn comes(&mut self, text: &str) {
        self.theirs.write_all(text.as_bytes()).await.unwrap();
        let mut read = vec![0; text.len()];
        self.ours.read_exact(&mut read).await.unwrap();
    }

    async fn goes(&mut self, text: &str) {
        self.ours.write_all(text.as_bytes()).await.unwrap();
    }

    /// Has the reader want more, where there is nothing.
    async fn wants_more(&mut self) {
        let mut byte = [0];
        tokio::select! {
            biased;
            _ = self.ours.read(&mut byte) => panic!("there was something"),
            () = std::future::ready(()) => {}
        }
    }

    /// Says what the connection counts as.
    fn counts_as(&self) -> &'static str {
        match self.shares.counts() {
            (1, 0) => "waits",
            (0, 1) => "rests",
            (0, 0) => "asked",
            _ => "twice",
        }
    }
}

#[tokio::test]
async fn whoever_takes_much_lets_others_have_their_pass() {
    let mut world = World::with_room(16 * TURN);
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let block = vec![7; TURN / 2];
    let ours = &mut world.ours;
    let mut write = || Pin::new(&mut *ours).poll_write(&mut cx, &block).is_ready();
    let turns: Vec<_> = (0..6).map(|_| write()).collect();
    assert_eq!(turns, [true, true, false, true, true, false]);
}

#[tokio::test]
async fn a_connection_waits_until_all_of_a_request_has_come() {
    let mut world = World::new();
    for (comes, counts) in [
        ("", "waits"),
        ("POST /x HTTP/1.1\r\nContent-Length: 2\r\n", "waits"),
        ("\r\n{", "waits"),
        ("}", "asked"),
    ] {
        world.comes(comes).await;
        assert_eq!(world.counts_as(), counts, "behind {comes:?}");
    }
    world.goes("HTTP/1.1 200 OK\r\n\r\n").await;
    assert_eq!(world.counts_as(), "asked");
    world.wants_more().await;
    assert_eq!(world.counts_as(), "rests");
    // In one piece, and in two.
    world.comes("GET /x HTTP/1.1\r\n\r\n").await;
    assert_eq!(world.counts_as(), "asked");
    world.wants_more().await;
    world.comes("GE").await;
    assert_eq!(world.counts_as(), "waits");
    world.comes("T /x HTTP/1.1\r\n\r\n").await;
    assert_eq!(world.counts_as(), "asked");
    drop((world.ours, world.place));
    assert_eq!(world.shares.counts(), (0, 0));
}

#[tokio::test]
async fn a_download_is_never_one_that_waits() {
    let mut world = World::new();
    // Nothing of its body comes, and it is sent an image all the same.
    world
        .comes("GET /x HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
        .await;
    world.goes("HTTP/1.1 100 Continue\r\n\r\n").await;
    world.goes("HTTP/1.1 200 OK\r\n\r\n").await;
    assert_eq!(world.counts_as(), "waits");
    world.goes(&"image".repeat(2000)).await;
    assert_eq!(world.counts_as(), "asked");
}

#[tokio::test]
async fn half_a_request_behind_a_whole_one_waits_once_that_is_answered() {
    let mut world = World::new();
    world.comes("GET /x HTTP/1.1\r\n\r\nGET /y HT").await;
    assert_eq!(world.counts_as(), "waits");
    world.goes(&"image".repeat(2000)).await;
    assert_eq!(world.counts_as(), "asked");
    world.wants_more().await;
    assert_eq!(world.counts_as(), "waits");
}

#[tokio::test]
async fn where_no_end_can_be_told_a_reply_is_one() {
    let mut world = World::new();
    let head = "POST /x HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n";
    world.comes(head).await;
    assert_eq!(world.counts_as(), "waits");
    world.goes("HTTP/1.1 100 Continue\r\n\r\n").await;
    assert_eq!(world.counts_as(), "waits");
    world.goes("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    assert_eq!(world.counts_as(), "asked");
    // Whatever comes behind it is no request that is whole.
    world.comes("0\r\n").await;
    assert_eq!(world.counts_as(), "waits");
}

#[tokio::test]
async fn a_tunnel_never_waits_and_a_refused_one_may() {
    for (reply, counts) in [
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "asked"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "waits"),
    ] {
        let mut world = World::new();
        world.comes("GET /a HTTP/1.1\r\n\r\n").await;
        world.goes("HTTP/1.1 200 OK\r\n\r\n").await;
        world
            .comes("GET /x HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
            .await;
        assert_eq!(world.counts_as(), "asked");
        world.goes(reply).await;
        world.comes("GET /y").await;
        assert_eq!(world.counts_as(), counts, "{reply}");
    }
}

#[tokio::test]
async fn who_was_answered_gets_no_second_answer() {
    let half = "POST /x HTTP/1.1\r\nContent-Length: 9\r\n\r\n";
    let mut world = World::new();
    world.comes(half).await;
    assert!(world.ours.unanswered().is_some());
    let mut world = World::new();
    world.comes(half).await;
    world.goes("HTTP/1.1 413 Content Too Large\r\n\r\n").await;
    assert!(world.ours.unanswered().is_none());
}
