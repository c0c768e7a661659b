use super::*;
use futures_util::FutureExt;
use std::future::pending;
use std::pin::pin;
use tokio::time::{advance, sleep};

/// Shares with a permit for each place, as accepting has them.
struct World {
    shares: Arc<Shares>,
    permits: Arc<Semaphore>,
}

impl World {
    fn new(limit: usize, is_fair: bool) -> Self {
        let permits = Arc::new(Semaphore::new(limit));
        let shares = Arc::new(Shares::new(limit, Arc::clone(&permits), is_fair));
        Self { shares, permits }
    }

    fn client(&self, number: u8) -> Client {
        self.shares.client(IpAddr::from([192, 0, 2, number]), true)
    }

    /// Lets one more connection of a client in; its permit is gone for good.
    fn enter(&self, number: u8) -> Option<Place> {
        let taken = self.permits.forget_permits(1);
        let place = self.shares.enter(self.client(number), Instant::now());
        if place.is_none() {
            self.permits.add_permits(taken);
        }
        place
    }

    fn make_room(&self, number: u8) -> Room {
        self.shares.make_room(self.client(number), Instant::now())
    }

    fn waiting(&self) -> usize {
        lock(&self.shares.table).waiting()
    }
}

fn is_to_go(place: &mut Place) -> bool {
    place.unless_going(pin!(pending::<()>())).now_or_never() == Some(None)
}

fn is_made(room: &Room, by: &Place) -> bool {
    matches!(room, Room::Made(wait) if Arc::ptr_eq(wait, &by.wait))
}

#[tokio::test(start_paused = true)]
async fn an_owner_has_a_quarter_of_what_is_free_and_then_its_oldest_makes_room() {
    let world = World::new(1000, true);
    // While half are free, there is no share.
    let many: Vec<_> = (0..500).map(|_| world.enter(1).unwrap()).collect();
    assert!(many.iter().all(|place| place.probation.is_none()));
    drop(many);
    let mut held: Vec<_> = (0..100).map(|_| world.enter(1).unwrap()).collect();
    assert!(held.iter().all(|place| place.probation.is_none()));
    // There is room still, and none is old: further ones come on probation.
    let mut further = world.enter(1).unwrap();
    assert!(further.probation.is_some());
    assert!(world.enter(2).unwrap().probation.is_none(), "another owner");
    advance(OLD).await;
    assert_eq!(
        world.enter(1).map(|place| place.probation.is_some()),
        Some(false)
    );
    assert!(is_to_go(&mut held[0]));
    assert!(!is_to_go(&mut held[1]));
    // Its time is over, and it is beyond the share still.
    held.push(world.enter(1).unwrap());
    assert!(is_to_go(&mut further));
}

#[tokio::test(start_paused = true)]
async fn who_has_asked_in_time_is_on_probation_no_more() {
    let world = World::new(1000, true);
    world.permits.forget_permits(500);
    let _held: Vec<_> = (0..100).map(|_| world.enter(1).unwrap()).collect();
    let (mut asked, mut shaken) = (world.enter(1).unwrap(), world.enter(1).unwrap());
    let _more: Vec<_> = (0..50).map(|_| world.enter(1).unwrap()).collect();
    assert!(!is_to_go(&mut asked) && !is_to_go(&mut shaken));
    asked.wait().has_come();
    advance(OLD / 2).await;
    // Here it was the server that took its time.
    shaken.wait().goes_on();
    advance(OLD / 2).await;
    assert!(!is_to_go(&mut asked) && !is_to_go(&mut shaken));
    advance(OLD / 2).await;
    assert!(!is_to_go(&mut asked) && is_to_go(&mut shaken));
}

#[tokio::test(start_paused = true)]
async fn an_owner_with_its_share_does_not_get_the_last_permit() {
    let world = World::new(1000, true);
    let mut held: Vec<_> = std::iter::from_fn(|| world.enter(1)).collect();
    assert_eq!(held.len(), 999);
    assert!(world.enter(2).is_some());
    // Whoever has asked counts no more.
    for place in &held[..935] {
        place.wait().has_come();
    }
    assert_eq!(world.waiting(), 64);
    assert!(world.enter(1).is_none());
    held[935].wait().has_come();
    held.push(world.enter(1).unwrap());
    drop(held);
    assert_eq!(world.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_none_is_free_the_longest_waiting_of_the_biggest_owner_goes() {
    let world = World::new(10, true);
    let mut first = world.enter(1).unwrap();
    let mut big: Vec<_> = (0..3).map(|_| world.enter(2).unwrap()).collect();
    let asked: Vec<_> = (0..6).map(|_| world.enter(3).unwrap()).collect();
    for place in &asked {
        place.wait().has_come();
    }
    // It has come just now, and most have asked.
    assert!(matches!(world.make_room(4), Room::None));
    advance(OLD).await;
    assert!(is_made(&world.make_room(4), &big[0]));
    assert!(big[0].wait().is_leaving());
    assert!(is_to_go(&mut big[0]) && !is_to_go(&mut first) && !is_to_go(&mut big[1]));
    drop(big.remove(0));
    // Of two that are as big, the one goes that was let go before.
    drop(big.remove(0));
    assert!(is_made(&world.make_room(4), &big[0]));
    assert!(is_made(&world.make_room(4), &first));
    assert!(
        matches!(world.make_room(4), Room::None),
        "nobody else waits"
    );
}

#[tokio::test(start_paused = true)]
async fn where_half_do_nothing_but_wait_one_of_any_age_goes() {
    let world = World::new(3, true);
    let asked = world.enter(1).unwrap();
    asked.wait().has_come();
    let held = [world.enter(2).unwrap(), world.enter(3).unwrap()];
    assert!(is_made(&world.make_room(4), &held[0]));
    assert!(
        matches!(world.make_room(4), Room::None),
        "one of three is no half"
    );
}

#[tokio::test(start_paused = true)]
async fn who_came_once_is_not_pushed_out_by_those_that_come_again_at_once() {
    let world = World::new(3, true);
    let mut held: Vec<_> = (1..=3).map(|number| world.enter(number).unwrap()).collect();
    let push_out = |held: &mut Vec<Place>, number| {
        let room = world.make_room(number);
        let gone = held.iter().position(|place| is_made(&room, place)).unwrap();
        drop(held.remove(gone));
        world.permits.add_permits(1);
        held.push(world.enter(number).unwrap());
    };
    for number in [4, 5, 1, 2] {
        push_out(&mut held, number);
    }
    push_out(&mut held, 200);
    for round in 0..1000_u32 {
        push_out(&mut held, u8::try_from(round % 5 + 1).unwrap());
        let came_once = held
            .iter()
            .any(|place| place.wait.owner == IpAddr::from([192, 0, 2, 200]));
        assert!(came_once, "after {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_to_go_and_has_asked_meanwhile_stays() {
    let world = World::new(2, true);
    let mut held = [world.enter(1).unwrap(), world.enter(1).unwrap()];
    assert!(is_made(&world.make_room(2), &held[0]));
    held[0].wait().has_come();
    assert!(!is_to_go(&mut held[0]) && !held[0].wait().is_leaving());
    assert!(is_made(&world.make_room(2), &held[1]));
    // The server took its time for the handshake.
    held[1].wait().goes_on();
    assert!(!is_to_go(&mut held[1]));
    assert_eq!(world.waiting(), 1);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_waits_one_that_rests_closes_politely() {
    let world = World::new(2, true);
    let mut held = [world.enter(1).unwrap(), world.enter(2).unwrap()];
    for place in &held {
        place.wait().has_come();
    }
    assert!(matches!(world.make_room(3), Room::None));
    assert!(held[1].wait().rests() && held[0].wait().rests());
    assert!(is_made(&world.make_room(3), &held[1]));
    let going = |place: &mut Place| poll_fn(|cx| place.poll_going(cx)).now_or_never();
    assert_eq!(going(&mut held[1]), Some(Going::Politely));
    assert_eq!(going(&mut held[1]), None, "it is told once");
    // A next request that has begun is waited for.
    held[0].wait().waits();
    assert!(matches!(world.make_room(3), Room::Made(_)));
    assert_eq!(going(&mut held[0]), Some(Going::Now));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_to_go_is_woken() {
    let world = World::new(1, true);
    let mut place = world.enter(1).unwrap();
    let woken = tokio::spawn(async move {
        let work = sleep(Duration::from_secs(60));
        place.unless_going(pin!(work)).await
    });
    tokio::task::yield_now().await;
    assert!(matches!(world.make_room(2), Room::Made(_)));
    assert_eq!(woken.await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn behind_one_proxy_nobody_is_refused_and_one_still_goes() {
    let world = World::new(1000, false);
    let mut held: Vec<_> = (0..1000).map(|_| world.enter(1).unwrap()).collect();
    assert!(is_made(&world.make_room(1), &held[0]));
    assert!(is_to_go(&mut held[0]));
}

#[test]
fn an_ipv6_network_is_one_owner() {
    let ip = |text: &str| text.parse().unwrap();
    // What one customer gets of a provider counts as one.
    let world = World::new(1, true);
    let of = |text| world.shares.client(ip(text), true).owner;
    assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:ff::1"));
    assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:100::1"));
}

#[tokio::test(start_paused = true)]
async fn a_stranger_waits_whatever_it_has_asked() {
    let permits = Arc::new(Semaphore::new(4));
    let shares = Shares::new(4, Arc::clone(&permits), true).knowing(true);
    let world = World {
        shares: Arc::new(shares),
        permits,
    };
    let mut held: Vec<_> = (1..=4).map(|number| world.enter(number).unwrap()).collect();
    for place in &held {
        place.wait().has_come();
        assert!(!place.wait().rests());
    }
    assert_eq!(world.shares.counts(), (4, 0));
    let known = |place: &Place, holds| place.wait().acquaintance().unwrap().is_known(holds);
    // Of those that may not have all, half stay.
    for place in &held[..3] {
        known(place, false);
        known(place, false);
    }
    assert_eq!(world.waiting(), 2);
    known(&held[3], true);
    assert_eq!(world.waiting(), 1);
    advance(OLD).await;
    assert!(is_made(&world.make_room(5), &held[2]) && is_to_go(&mut held[2]));
    // It asks on, and goes all the same.
    held[2].wait().waits();
    assert!(is_to_go(&mut held[2]));
    // Their number is given back.
    held.clear();
    let later = world.enter(6).unwrap();
    known(&later, false);
    assert_eq!(world.waiting(), 0);
}
