//! A large fleet, in numbers: a few devices in each run of the tests, a million of them where
//! `MILLION=long` says so, as `tests/long million` does.

use super::*;
use std::time::Instant;

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Makes devices of a fleet that has much in common, each with one offer.
fn devices() -> impl Fn(u64) -> Changed {
    let profiles: Vec<Arc<Profile>> = (0..200)
        .map(|n| {
            let profile = Profile {
                board_name: Some(format!("a-board-{n}").into()),
                board_type: Some("a-board".into()),
                chip_name: Some("esp32s3".into()),
                flash_size: Some(16 << 20),
                ..Profile::default()
            };
            profile.into()
        })
        .collect();
    let builds: Vec<Arc<Build>> = (0..50)
        .map(|n| {
            let build = Build {
                reported: Some(format!("1.0.{n}").into()),
                elf_sha256: Some([n; 32]),
                slot: Some("ota_0".into()),
                ..Build::default()
            };
            build.into()
        })
        .collect();
    let images: Vec<Arc<OfferedImage>> = (0..50)
        .map(|n| {
            let image = OfferedImage {
                file: format!("a-board_1.1.{n}.bin").into(),
                version: format!("1.1.{n}").into(),
                content: Content([n; 16]),
                ..OfferedImage::default()
            };
            image.into()
        })
        .collect();
    let own: Arc<OwnModel> = OwnModel {
        named: "a-board".into(),
        files: "a-board".into(),
    }
    .into();
    let offered = kinds::all().next().unwrap();
    move |n: u64| {
        let at = |len: usize| usize::try_from(n).unwrap() % len;
        let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let client = [mixed, n].map(u64::to_be_bytes).concat();
        let client = ClientId::Uuid(client.try_into().unwrap());
        let (profile, build) = (&profiles[at(200)], &builds[at(50)]);
        let mut record = Record::new(client, Arc::clone(profile), Arc::clone(build), NOW);
        record.set_address(Ipv4Addr::from(u32::try_from(n).unwrap()).into());
        record.boots = 12;
        record.is_settled = true;
        record.why = Some(offered);
        record.own = Some(Arc::clone(&own));
        let mut history = History::default();
        history.offers.push(Offer {
            number: u16::try_from(n & 0xffff).unwrap(),
            end: OfferEnd::Succeeded,
            attempt: 1,
            forced: 0,
            forced_at: 0,
            image: Arc::clone(&images[at(50)]),
            before: Arc::clone(build),
            at: NOW,
            since: 123_456_789,
        });
        if n.is_multiple_of(100) {
            history.failed.push(Failure {
                content: Content([7; 16]),
                times: 2,
                at: NOW,
            });
        }
        record.history = Some(Box::new(history));
        (
            DeviceId::Mac(Mac::from_bits(mixed >> 16).unwrap()),
            Some(record),
        )
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "it is there for what it prints")]
fn a_large_fleet_is_written_read_swept_and_wiped() {
    let is_long = std::env::var("MILLION").is_ok_and(|size| size == "long");
    let count: u64 = if is_long { 1_000_000 } else { 20_000 };
    let folder = tempfile::tempdir().unwrap();
    let mut database = opened(&folder);
    let device = devices();
    let begun = Instant::now();
    for from in (1..=count).step_by(2000) {
        let batch: Vec<_> = (from..from + 2000).map(&device).collect();
        database.write(&batch, 0, NOW).unwrap();
    }
    println!("written: {:?}", begun.elapsed());
    database.settle().unwrap();
    drop(database);
    let bytes = fs::metadata(place(&folder).file()).unwrap().len();
    println!("file: {} MB", bytes / 1_000_000);
    let before = resident();
    let begun = Instant::now();
    let mut database = opened(&folder);
    let mut load = database.load(u64::MAX);
    while !load.next().unwrap().is_empty() {}
    println!("failed known: {:?}, {}", begun.elapsed(), load.number());
    let mut load = load.others();
    while !load.next().unwrap().is_empty() {}
    let took = begun.elapsed();
    println!("read: {count} rows in {took:?}");
    println!(
        "resident: {} MB more",
        (resident().saturating_sub(before)) / 1000
    );
    assert_eq!((load.number(), load.damaged()), (count, 0));
    let (begun, mut steps) = (Instant::now(), 1);
    database.begin_sweep(true).unwrap();
    while database.sweep(NOW).unwrap() {
        steps += 1;
    }
    println!("swept: {:?} in {steps} steps", begun.elapsed());
    let gone = device(1).0;
    database.write(&[(gone.clone(), None)], 0, NOW).unwrap();
    let traces = [Trace::Id(row::key(&gone).split_off(1))];
    let begun = Instant::now();
    let wiped = database.wipe(&traces).unwrap();
    println!("looked through: {:?}, {wiped:?}", begun.elapsed());
    database.owed = Owed::Unknown;
    let (begun, before) = (Instant::now(), resident());
    let wiped = database.wipe(&[]).unwrap();
    println!("written anew: {:?}, {wiped:?}", begun.elapsed());
    println!("resident: {} kB more", resident().saturating_sub(before));
    assert!(wiped.is_done && wiped.is_anew);
    let begun = Instant::now();
    reader::check(&place(&folder)).unwrap();
    println!("checked: {:?}", begun.elapsed());
    assert!(bytes < 400 * count);
}
