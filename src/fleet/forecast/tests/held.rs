use super::*;
use crate::event::Kind;
use crate::event::kinds::{UP_TO_DATE, WITHHELD_NOT_ACTIVATED, WITHHELD_UPDATES_OFF};

#[test]
fn who_is_held_by_the_upstream_gets_nothing_while_there_is_one() {
    let versions = ["1.0", "1.0", "1.0", "1.5", "1.5"];
    let held: [&Kind; 5] = [
        &WITHHELD_NOT_ACTIVATED,
        &WITHHELD_UPDATES_OFF,
        &UP_TO_DATE,
        &WITHHELD_NOT_ACTIVATED,
        &UP_TO_DATE,
    ];
    let (fleet, none, plain) = (Fleet::default(), Snapshot::default(), Policy::default());
    let mut records = Vec::new();
    for (device, (version, why)) in versions.iter().zip(held).enumerate() {
        let said = Said::new("a", version);
        offered(&fleet, device, &said, (&none, &plain), 0);
        let mut record = fleet.find(&id(device)).unwrap();
        record.why = Some(why);
        records.push(record);
    }
    let files = snapshot(&["a_1.4.bin", "a_1.5.bin"]);
    let forecast = |heeds, file| {
        let mut crowd = Crowd::new(heeds);
        for (device, record) in records.iter().enumerate() {
            crowd.add(&id(device), record);
        }
        let forecast = crowd.forecast(&files, &plain, entry(&files, file));
        let gone = crowd.departure(&files, &plain, entry(&files, file));
        assert_eq!(gone.gets, forecast.gets);
        let stays: u64 = forecast.stays.iter().map(|stays| stays.devices).sum();
        assert_eq!(forecast.of_model, forecast.gets + forecast.runs + stays);
        forecast
    };
    let beside = forecast(Heeds::Upstream, "a_1.5.bin");
    assert_eq!((beside.gets, beside.held), (1, 2));
    let words = beside.events().into_iter();
    let words: Vec<_> = words.map(|event| event.words(Lang::En)).collect();
    assert!(
        words[0].ends_with("; held back by what the upstream says: 2"),
        "{words:?}"
    );
    let lines = words.join("\n");
    for id in ["withheld.not-activated", "withheld.updates-off"] {
        assert!(lines.contains(&format!("({id})")), "{lines}");
    }
    // What is not the highest would not go to them either, and not for the highest.
    let lower = forecast(Heeds::Upstream, "a_1.4.bin");
    let why: Vec<_> = lower.stays.iter().map(|stays| stays.why.kind.id).collect();
    assert!(
        !why.contains(&"forecast.held") && lower.held == 2,
        "{why:?}"
    );
    let alone = forecast(Heeds::Nobody, "a_1.5.bin");
    assert_eq!((alone.gets, alone.held), (3, 0));
    for (heeds, gets) in [(Heeds::Upstream, 0), (Heeds::Nobody, 1)] {
        let prospects = prospects(&records[1], heeds, &files, &plain);
        let is_got = prospects
            .iter()
            .filter(|one| matches!(one.fate, Fate::Gets(_)));
        assert_eq!(is_got.count(), gets);
    }
}
