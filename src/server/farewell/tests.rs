//! Whole connections, over sockets: what becomes of the delivery of a body.

mod world;

use crate::server::watched::PATIENCE;
use socket2::SockRef;
use std::net::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use world::{BODY, LONG, SHORT, World, ask, reply, resets};

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
        // It goes by the length: TLS's goodbye would be answered by a reset of one that has
        // closed.
        let mut all = Vec::new();
        if let Err(error) = client.read_to_end(&mut all).await {
            assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
        }
        assert!(all.len() > BODY, "{}", all.len());
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
    // One of a few: the machine may be busy.
    for attempt in 1.. {
        let (mut client, mut server) = World::new(LONG).await.plain();
        ask(&mut client, "/other", "Connection: close\r\n").await;
        let begun = Instant::now();
        client.read_to_end(&mut Vec::new()).await.unwrap();
        server.over().await;
        if begun.elapsed() < PATIENCE {
            break;
        }
        assert!(attempt < 10, "its client is waited for");
    }
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
