//! Images that failed on a device, and what is foreseen of them.

use super::*;
use crate::fleet::outcome::{Failure, History};

#[test]
fn what_failed_on_a_device_is_not_foreseen() {
    let (fleet, files) = (Fleet::default(), snapshot(&["a_1.5.bin"]));
    let plain = Policy::default();
    offered(
        &fleet,
        1,
        &Said::new("a", "1.0"),
        (&Snapshot::default(), &plain),
        0,
    );
    let known = fleet
        .devices(&crate::fleet::Filter::default(), None, 1)
        .devices;
    let file = entry(&files, "a_1.5.bin");
    let content = Content::of(&file.sha256);
    let failure = |content, times| Failure {
        content,
        times,
        at: 0,
    };
    let other = |n: u8| failure(Content([n; 16]), 1);
    let ids = |failed: Vec<Failure>| {
        let mut crowd = Crowd::default();
        for (id, record) in &known {
            let mut record = record.clone();
            record.history = Some(Box::new(History {
                offers: Vec::new(),
                failed: failed.clone(),
            }));
            crowd.add(id, &record);
        }
        let forecast = crowd.forecast(&files, &plain, file);
        let stays = forecast.stays.iter();
        let stays = stays.map(|stays| stays.why.kind.id).collect::<Vec<_>>();
        (forecast.gets, stays)
    };
    assert_eq!(ids(vec![failure(content, 1), other(1)]), (1, vec![]));
    assert_eq!(ids(vec![failure(content, 2)]), (0, vec!["withheld.failed"]));
    let many = |times| (0..16).map(|n| failure(Content([n; 16]), times)).collect();
    // Each of them is offered again, and whichever makes room for another.
    assert_eq!(ids(many(1)), (1, vec![]));
    let too_much = (0, vec!["withheld.too-much-failed"]);
    assert_eq!(ids(many(2)), too_much);
    assert_eq!(ids(vec![Failure::UNKNOWN]), too_much);
}
