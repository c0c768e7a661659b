//! The time served, on which the ends of terms depend: a process that is killed loses a
//! second of it.

use super::*;

/// Time served as the store has it.
fn served(bench: &Bench) -> i64 {
    let connection = Connection::open(bench.file()).unwrap();
    let served = "SELECT value FROM meta WHERE name = 'served'";
    connection.query_row(served, [], |row| row.get(0)).unwrap()
}

#[test]
fn it_is_written_every_second_while_a_term_runs_and_seldom_else() {
    let mut bench = Bench::new(folder());
    bench.turns(2);
    for (has_terms, expected) in [(false, 0), (true, 9), (false, 9), (true, 19)] {
        lock(&bench.memory.0).has_terms = has_terms;
        for _ in 0..10 {
            bench.turn();
            lock(&bench.memory.0).served += u64::from(has_terms);
        }
        let served = served(&bench);
        assert!(
            (expected - 1..=expected).contains(&served),
            "{has_terms}: {served}"
        );
    }
}

#[test]
fn where_the_store_cannot_be_written_it_is_tried_no_more_often() {
    let mut bench = Bench::new(folder());
    bench.turns(2);
    lock(&bench.memory.0).has_terms = true;
    let holder = Connection::open(bench.file()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    bench.turns(60);
    let errors = bench.writer.tries();
    assert!((5..15).contains(&errors), "{errors}");
    holder.execute_batch("ROLLBACK").unwrap();
    bench.turns(11);
    assert_eq!(bench.why(), None);
}

/// Else terms of devices that are on their way would seem to be over.
#[test]
fn a_reading_that_breaks_off_counts_no_time_twice() {
    let mut bench = Bench::new(written());
    lock(&bench.memory.0).breaks_off = true;
    let broken_off = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bench.turn()));
    assert!(broken_off.is_err());
    // The thread goes on with another writer.
    let place = Place::new(bench.folder.path().to_owned());
    let kept: Arc<dyn Kept> = Arc::clone(&bench.memory) as _;
    let state = Arc::clone(bench.writer.state());
    bench.writer = Writer::new(place, kept, state, Options::default());
    bench.turns(2);
    assert!(bench.is_written());
    assert_eq!(bench.memory.known().len(), 9);
    assert_eq!(lock(&bench.memory.0).served, 77);
}
