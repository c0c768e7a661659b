//! Tests of frames, and of the life of a WebSocket without a network: the clock stands
//! still while anybody is busy, and jumps to the next timer when nobody is.

use super::*;
use proptest::prelude::*;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{DuplexStream, ReadBuf, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const IDLE: Duration = Duration::from_secs(600);
const DRAIN: Duration = Duration::from_secs(60);
/// "hi", unmasked.
const HI: &[u8] = &[0x81, 2, b'h', b'i'];

/// A WebSocket that is carried, from both of its ends.
struct Carried {
    device: DuplexStream,
    voice: DuplexStream,
    stop: CancellationToken,
    carrying: JoinHandle<()>,
    begun: Instant,
}

fn session() -> Session {
    Session {
        device: "aa:bb".to_owned(),
        peer: ([127, 0, 0, 1], 1).into(),
        backend: "http://h:1".to_owned(),
        idle: IDLE,
        drain: DRAIN,
        open: TunnelCount::count(&Arc::default()),
        watch: ResetWatch::default(),
    }
}

fn carried() -> Carried {
    let ((device, client), (voice, backend)) = (duplex(4096), duplex(4096));
    let stop = CancellationToken::new();
    let carrying = tokio::spawn(carry(client, backend, session(), stop.clone()));
    Carried {
        device,
        voice,
        stop,
        carrying,
        begun: Instant::now(),
    }
}

impl Carried {
    /// Sends a frame from the voice server to the device.
    async fn hi(&mut self) {
        self.voice.write_all(HI).await.unwrap();
        let mut came = [0; HI.len()];
        self.device.read_exact(&mut came).await.unwrap();
        assert_eq!(came, HI);
    }

    /// Returns all that is left on both sides, and when it was over.
    async fn rest(mut self) -> (Vec<u8>, Vec<u8>, Duration) {
        let (mut device, mut voice) = (Vec::new(), Vec::new());
        let both = async {
            tokio::join!(
                self.device.read_to_end(&mut device),
                self.voice.read_to_end(&mut voice)
            )
        };
        let (of_device, of_voice) = both.await;
        of_device.unwrap();
        of_voice.unwrap();
        (device, voice, self.begun.elapsed())
    }
}

fn nearly(limit: Duration) -> Duration {
    limit.saturating_sub(Duration::from_millis(1))
}

#[tokio::test(start_paused = true)]
async fn an_end_goes_through_at_once_and_the_other_side_may_finish() {
    let mut open = carried();
    open.device.shutdown().await.unwrap();
    assert_eq!(open.voice.read(&mut [0]).await.unwrap(), 0);
    open.hi().await;
    open.voice.shutdown().await.unwrap();
    assert_eq!(open.device.read(&mut [0]).await.unwrap(), 0);
    open.carrying.await.unwrap();
    assert_eq!(open.begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_half_is_ended_once_it_is_still() {
    let mut open = carried();
    open.device.shutdown().await.unwrap();
    assert_eq!(open.voice.read(&mut [0]).await.unwrap(), 0);
    for _ in 0..5 {
        sleep(nearly(HALF)).await;
        open.hi().await;
    }
    let since = Instant::now();
    open.carrying.await.unwrap();
    assert_eq!(since.elapsed(), HALF);
    assert_eq!(open.device.read(&mut [0]).await.unwrap(), 0);
}

/// A side that is cut off, as by a reset.
struct Cut;

impl AsyncRead for Cut {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
}

impl AsyncWrite for Cut {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn what_breaks_ends_both_sides_at_once() {
    let stop = CancellationToken::new();
    for device_is_cut in [true, false] {
        let begun = Instant::now();
        let (mut whole, ours) = duplex(64);
        if device_is_cut {
            carry(Cut, ours, session(), stop.clone()).await;
        } else {
            carry(ours, Cut, session(), stop.clone()).await;
        }
        assert_eq!(whole.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_stands_still_is_ended_and_one_that_moves_is_not() {
    let mut moves = carried();
    for n in 0..10 {
        sleep(nearly(IDLE)).await;
        // A byte either way is enough.
        if n % 2 == 0 {
            moves.hi().await;
        } else {
            moves.device.write_all(b"x").await.unwrap();
            moves.voice.read_exact(&mut [0]).await.unwrap();
        }
    }
    assert!(!moves.carrying.is_finished());
    let still = carried();
    let (device, voice, took) = still.rest().await;
    assert_eq!(
        (device, voice),
        (CLOSE_TO_CLIENT.into(), CLOSE_TO_SERVER.into())
    );
    assert_eq!(took, IDLE);
}

#[tokio::test(start_paused = true)]
async fn who_speaks_when_the_server_stops_may_go_on_for_a_while() {
    let goodbye = (CLOSE_TO_CLIENT.to_vec(), CLOSE_TO_SERVER.to_vec());
    let quiet = carried();
    quiet.stop.cancel();
    let (device, voice, took) = quiet.rest().await;
    assert_eq!(((device, voice), took), (goodbye.clone(), STILL));

    let mut speaks = carried();
    speaks.stop.cancel();
    while speaks.begun.elapsed() + STILL / 2 < GOODBYE {
        speaks.hi().await;
        sleep(STILL / 2).await;
    }
    speaks.hi().await;
    let (device, voice, took) = speaks.rest().await;
    assert_eq!(((device, voice), took), (goodbye, GOODBYE));
}

fn frame(length: usize, masked: bool) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut frame = vec![0x82];
    match u16::try_from(length) {
        Ok(short @ 0..126) => frame.push(mask | short.to_be_bytes()[1]),
        Ok(medium) => {
            frame.push(mask + 126);
            frame.extend(medium.to_be_bytes());
        }
        Err(_) => {
            frame.push(mask + 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(vec![0x55; length + if masked { 4 } else { 0 }]);
    frame
}

#[test]
fn our_own_goodbyes_are_whole_frames() {
    for goodbye in [CLOSE_TO_CLIENT, CLOSE_TO_SERVER] {
        let mut frames = Frames::default();
        frames.see(goodbye);
        assert!(frames.are_whole());
    }
}

proptest! {
    #[test]
    fn frames_are_whole_exactly_where_they_end(
        lengths in prop::collection::vec((prop_oneof![0usize..130, 60_000usize..70_000], any::<bool>()), 1..4),
        cuts in prop::collection::vec(1usize..400, 1..20),
    ) {
        let mut ends = vec![0];
        let mut bytes = Vec::new();
        for (length, masked) in lengths {
            bytes.extend(frame(length, masked));
            ends.push(bytes.len());
        }
        let mut frames = Frames::default();
        let mut at = 0;
        for cut in cuts.iter().cycle() {
            prop_assert_eq!(frames.are_whole(), ends.contains(&at));
            let n = (*cut).min(bytes.len() - at);
            if n == 0 {
                break;
            }
            frames.see(&bytes[at..at + n]);
            at += n;
        }
    }
}
