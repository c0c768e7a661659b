use super::*;
use std::collections::HashSet;
use std::thread;

#[test]
fn what_many_threads_count_is_all_there() {
    let counts = Counts::new();
    thread::scope(|scope| {
        for _ in 0..2 * LANES {
            scope.spawn(|| {
                for _ in 0..1000 {
                    counts.check_in(CheckIn::Offered, Transport::Https);
                    counts.handed_over(3);
                }
            });
        }
    });
    let threads = 2 * LANES as u64;
    let found = counts.check_ins(CheckIn::Offered, Transport::Https);
    assert_eq!(found, threads * 1000);
    assert_eq!(counts.download_bytes(), threads * 3000);
}

#[test]
fn two_threads_write_to_two_lanes() {
    let lane = || LANE.with(|lane| *lane);
    let here = lane();
    assert_eq!(lane(), here);
    // Others may have begun between any two of them.
    let others = (0..4).map(|_| thread::spawn(move || LANE.with(|lane| *lane)));
    let others: HashSet<_> = others.map(|other| other.join().unwrap()).collect();
    assert!(others.len() > 1, "{others:?}");
    assert_eq!(align_of::<Lane>(), 128);
}

/// Counts one of everything, and returns what each counter says.
fn one_of_each(counts: &'static Counts) -> Vec<u64> {
    for outcome in CheckIn::ALL {
        for transport in Transport::ALL {
            counts.check_in(*outcome, *transport);
        }
    }
    kinds::handshakes().for_each(|kind| counts.handshake_failed(kind));
    for end in Download::ALL {
        counts.download_ended(*end);
    }
    for reason in TurnedAway::ALL {
        counts.turned_away(*reason);
    }
    for reason in LeftOut::ALL {
        counts.left_out(*reason, 1);
    }
    (0..ENDS).for_each(|end| counts.offer_ended(end));
    counts.download_begun();
    counts.handed_over(1);
    counts.accept_failed();
    counts.shaken();
    counts.store_failed();
    counts.store_wrote(1);
    drop(counts.connection());
    let mut found = vec![
        counts.downloads_begun(),
        counts.download_bytes(),
        counts.failed_accepts(),
        counts.handshakes(),
        counts.store_errors(),
        counts.store_rows(),
        counts.connections_accepted(),
    ];
    let ways = |outcome: &CheckIn| {
        let (outcome, ways) = (*outcome, Transport::ALL.iter());
        ways.map(move |way| (outcome, *way))
    };
    let check_ins = CheckIn::ALL.iter().flat_map(ways);
    found.extend(check_ins.map(|(outcome, way)| counts.check_ins(outcome, way)));
    found.extend(counts.failed_handshakes().map(|(_, number)| number));
    found.extend(Download::ALL.iter().map(|end| counts.downloads(*end)));
    let reasons = TurnedAway::ALL.iter();
    found.extend(reasons.map(|reason| counts.connections_turned_away(*reason)));
    let reasons = LeftOut::ALL.iter();
    found.extend(reasons.map(|reason| counts.lines_left_out(*reason)));
    found.extend((0..ENDS).map(|end| counts.offers(end)));
    found
}

#[test]
fn everything_has_a_place_of_its_own() {
    static OWN: Counts = Counts::new();
    let found = one_of_each(&OWN);
    assert!(found.iter().all(|number| *number == 1), "{found:?}");
    // One place is that of connections which closed.
    let spare = HANDSHAKES - kinds::handshakes().count();
    assert_eq!(found.len(), PLACES - 1 - spare);
}

#[test]
fn no_kind_of_a_failed_handshake_is_without_a_place() {
    let ids: Vec<_> = kinds::handshakes().map(|kind| kind.id).collect();
    assert!(ids.len() <= HANDSHAKES);
    assert!(ids.contains(&kinds::CERTIFICATE_DISTRUSTED.id), "{ids:?}");
    // A reason within an event is no kind of its own.
    assert!(!ids.contains(&kinds::DISTRUST_TIME.id), "{ids:?}");
    // What is none of them counts as none of them.
    let counts = Counts::new();
    counts.handshake_failed(&kinds::STOPPED);
    assert!(counts.failed_handshakes().all(|(_, number)| number == 0));
}

#[test]
fn a_connection_is_open_until_it_goes() {
    static OWN: Counts = Counts::new();
    let (one, two) = (OWN.connection(), OWN.connection());
    assert_eq!(OWN.connections_open(), 2);
    // On whatever thread that is.
    thread::spawn(move || drop(one)).join().unwrap();
    assert_eq!(OWN.connections_open(), 1);
    drop(two);
    assert_eq!((OWN.connections_open(), OWN.connections_accepted()), (0, 2));
}

#[test]
fn an_end_beyond_the_last_is_nobody_elses() {
    let counts = Counts::new();
    counts.offer_ended(ENDS);
    assert!(counts.failed_handshakes().all(|(_, number)| number == 0));
    assert_eq!(counts.offers(ENDS), 0);
    counts.set_store_lag(Duration::MAX);
    assert_eq!(counts.store_lag(), Duration::from_millis(u64::MAX));
}

#[test]
fn labels_are_told_apart() {
    let labels: HashSet<_> = CheckIn::ALL.iter().map(|value| value.label()).collect();
    assert_eq!(labels.len(), CheckIn::ALL.len());
    assert_eq!(Transport::of(true).label(), "https");
    assert_eq!(Transport::of(false).label(), "http");
}
