use super::super::logs::RATE;
use super::*;
use crate::event::Value;
use crate::event::text::Lang;
use proptest::prelude::*;

fn at(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(1_800_000_000_000_000 + microseconds).unwrap()
}

fn client(n: u32) -> Whose {
    Whose::Client(Some(IpAddr::from(n.to_be_bytes())))
}

/// A line of so many bytes.
fn line(bytes: usize) -> String {
    format!("{}\n", "x".repeat(bytes - 1))
}

/// Sends as much as the log takes of `whose`, a line each `every` microseconds, and returns
/// the bytes of it.
fn flood(account: &mut Account, whose: Whose, from: i64, seconds: i64, every: usize) -> usize {
    let line = line(2000);
    let end = from + seconds * 1_000_000;
    let sent = (from..end).step_by(every);
    let taken = sent.filter(|now| account.take(whose, &line, at(*now)) == Room::Some);
    taken.count() * line.len()
}

const MIB: usize = 1 << 20;

#[test]
fn one_client_alone_has_most_of_the_burst_and_then_the_whole_rate() {
    let mut account = Account::new(RATE, at(0));
    // At once, as a router's devices after a power cut.
    let burst = flood(&mut account, client(1), 0, 1, 100);
    assert!((7 * MIB / 2..5 * MIB).contains(&burst), "{burst}");
    let rate = flood(&mut account, client(1), 1_000_000, 10, 500);
    assert!(rate.abs_diff(10 * MIB) < 8192, "{rate}");
}

#[test]
fn whoever_comes_with_a_line_finds_room_whatever_others_send() {
    for floods in [1u32, 100, 1000] {
        let mut account = Account::new(RATE, at(0));
        let text = line(400);
        let (mut now, mut found) = (0, 0);
        for round in 0..60 {
            for n in 0..floods * 1000u32.div_ceil(floods) {
                now += 20;
                account.take(client(n % floods), &text, at(now));
            }
            let room = account.take(client(1_000_000 + round), &text, at(now));
            found += u32::from(room == Room::Some);
        }
        // Of a thousand one may share all that it has with another.
        assert!(found >= 55, "{floods}: {found} of 60");
        assert!(account.is_to_be_told());
        for (whose, bytes) in [(Whose::Client(None), 200), (Whose::Server, 200_000)] {
            assert_eq!(account.take(whose, &line(bytes), at(now)), Room::Some);
        }
    }
}

#[test]
fn clients_that_send_too_much_get_the_same() {
    let mut account = Account::new(RATE, at(0));
    let text = line(400);
    let mut taken = [0u32; 4];
    for n in 0..100_000 {
        let who = [0, 1, 2, 3, 0, 0][n % 6];
        let now = at(i64::try_from(n).unwrap() * 100);
        let client = client(u32::try_from(who).unwrap());
        taken[who] += u32::from(account.take(client, &text, now) == Room::Some);
    }
    let (least, most) = (taken.iter().min().unwrap(), taken.iter().max().unwrap());
    assert!(most - least < most / 5, "{taken:?}");
}

#[test]
fn what_was_left_out_is_told_soon_and_then_once_a_minute() {
    let mut account = Account::new(RATE, at(0));
    assert_eq!(account.tell(at(0), true), None);
    while account.take(client(1), &line(400), at(0)) != Room::NoMore {}
    for _ in 0..5 {
        assert_eq!(account.take(client(1), &line(400), at(0)), Room::None);
    }
    let v6 = Whose::Client(Some("2001:db8:1:203::9".parse().unwrap()));
    let big = format!("a\n{}", line(4 * MIB));
    for _ in 0..2 {
        assert_eq!(account.take(v6, &big, at(10)), Room::None);
    }
    assert_eq!(account.take(Whose::Client(None), &big, at(10)), Room::None);
    assert_eq!(account.tell(at(SOON - 1), false), None);
    let told = account.tell(at(SOON), false).unwrap();
    let number = |name: &str| told.field(name).cloned();
    assert_eq!(number("lines"), Some(Value::Number(6 + 3 * 2)));
    let bytes = 6 * 400 + 3 * (2 + 4 * MIB);
    assert_eq!(number("bytes"), Some(Value::from(bytes)));
    let words = told.message(Lang::En);
    assert!(
        words.contains("0.0.0.1 (6), 2001:db8:1:200::/56 (4)"),
        "{words}"
    );
    // The next is a minute later, of what came since; an end waits for nothing.
    assert!(!account.is_to_be_told());
    assert_eq!(account.take(v6, &big, at(SOON + 5)), Room::NoMore);
    assert_eq!(account.tell(at(SOON + MINUTE - 1), false), None);
    assert!(account.tell(at(SOON + MINUTE), false).is_some());
    account.take(v6, &big, at(SOON + MINUTE));
    // A clock that was set back by a year.
    let back = -365 * 86_400_000_000;
    assert_eq!(account.tell(at(back), false), None);
    assert!(account.tell(at(back + MINUTE), false).is_some());
    account.take(v6, &big, at(back + MINUTE));
    assert!(account.tell(at(back + MINUTE), true).is_some());
}

#[test]
fn of_many_clients_the_busiest_are_named_and_none_is_wronged() {
    let mut account = Account::new(RATE, at(0));
    assert_eq!(
        account.take(Whose::Server, &line(4 * MIB), at(0)),
        Room::Some
    );
    for n in 0..10_000u32 {
        account.take(client(n), "line\n", at(0));
        account.take(client(77_777), "line\n", at(0));
    }
    assert!(account.left_out.clients.len() <= COUNTED);
    let told = account.tell(at(0), true).unwrap();
    let Some(Value::List(busiest)) = told.field("busiest") else {
        panic!("{told:?}")
    };
    let Value::Text(first) = &busiest[0] else {
        panic!("{told:?}")
    };
    let (address, count) = first.split_once(" (").unwrap();
    assert_eq!(address, "0.1.47.209");
    let count: u32 = count.trim_end_matches(')').parse().unwrap();
    assert!((5_000..=10_000).contains(&count), "{count}");
}

#[test]
fn a_clock_that_jumps_stops_nothing() {
    let mut account = Account::new(RATE, at(0));
    flood(&mut account, client(1), 0, 1, 100);
    let hour = 3_600_000_000;
    for jump in [hour, -hour, 2 * hour] {
        let taken = flood(&mut account, client(1), jump, 3, 500);
        assert!(taken >= 3 * MIB - 8192, "{jump}: {taken}");
    }
    // Threads that come in another order than they read the clock bring no time twice.
    let mut account = Account::new(RATE, at(0));
    let mut taken = 0;
    for n in 0..25_000 {
        for late in [0, 9_000] {
            let room = account.take(client(1), &line(400), at(n * 80 - late));
            taken += usize::from(room == Room::Some) * 400;
        }
    }
    assert!(taken <= 6 * MIB, "{taken}");
}

#[test]
fn every_share_goes_with_the_rate() {
    for rate in [16 << 10, 1 << 30] {
        let mut account = Account::new(rate, at(0));
        let part = line(usize::try_from(rate / 64).unwrap());
        // Three quarters of what the reserve leaves of four seconds: 180 parts of 256.
        let mut taken = 0;
        while account.take(client(1), &part, at(0)) == Room::Some {
            taken += 1;
        }
        assert_eq!(taken, 180, "{rate}");
        while account.take(Whose::Server, &part, at(0)) == Room::Some {
            taken += 1;
        }
        assert_eq!(taken, 256, "{rate}");
        for _ in 0..64 {
            let room = account.take(Whose::Server, &part, at(1_000_000));
            assert_eq!(room, Room::Some, "{rate}");
        }
        assert_ne!(
            account.take(Whose::Server, &part, at(1_000_000)),
            Room::Some
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_more_is_taken_than_the_bound(
        lines in prop::collection::vec((0u32..4, 0usize..300_000, 0i64..200_000, any::<bool>()), 1..200),
    ) {
        let mut account = Account::new(RATE, at(0));
        let (mut now, mut taken) = (0, 0.0);
        for (who, bytes, later, is_server) in lines {
            now += later;
            let text = line(bytes + 1);
            let whose = if is_server { Whose::Server } else { client(who) };
            let room = account.take(whose, &text, at(now));
            if room == Room::Some {
                taken += f64::from(u32::try_from(text.len()).unwrap());
            }
            let time = f64::from(u32::try_from(now).unwrap()) / 1e6;
            let rate = f64::from(RATE);
            prop_assert!(taken <= 4.0 * rate + rate * time + 1.0);
            prop_assert!((0.0..=4.0 * rate).contains(&account.owed));
        }
    }
}
