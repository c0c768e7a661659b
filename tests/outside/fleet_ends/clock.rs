//! Clocks that are not set, and time that passes by months.

use super::{FILE, all, check_in, config, end, ends, fetch, known};
use crate::support::server::{Server, Setup, request, with_clock};
use crate::support::until;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};
use xiaozhi_image_builder::Image;

const DEVICE: &str = "02:00:00:00:06:01";
const DAY: i64 = 24;

/// Starts under a clock that is so many hours off.
fn started(hours: i64) -> Server {
    let setup = Setup::new().file(FILE, Image::new("1.7.0").build());
    let mut command = with_clock(&setup, &format!("{hours:+}h"));
    setup.start_by(&config("10m"), &mut command)
}

/// Sets the clock so many hours off, and waits until it is. No device that is a MAC address
/// asks for that.
#[track_caller]
fn set_clock(server: &Server, hours: i64) {
    let draft = server.dir.path().join("clock.new");
    fs::write(&draft, format!("{hours:+}h")).unwrap();
    fs::rename(draft, server.dir.path().join("clock")).unwrap();
    until("the other time", || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let headers = [("Device-Id", "clock"), ("Client-Id", "c")];
        let told = server.send("http", &request("POST", "/xiaozhi/ota/", &headers, b"{}"));
        let told = told.json()["server_time"]["timestamp"].as_i64()?;
        let off = told / 1000 - i64::try_from(now.as_secs()).unwrap() - hours * 3600;
        (off.abs() < 600).then_some(())
    });
}

#[test]
#[ignore = "needs faketime"]
fn before_the_build_nothing_is_learned_and_every_answer_is_as_it_is_else() {
    let server = started(-DAY * 365 * 15);
    for _ in 0..2 {
        let path = check_in(&server, DEVICE, "1.6.0").unwrap();
        assert!(path.contains(FILE), "{path}");
        assert!(server.get(&path).whole);
    }
    server.settle();
    assert_eq!(all(&server).len(), 0);
    let (_, fleet) = server.admin_json("GET", "/api/v1/fleet", "");
    assert_eq!(fleet["devices"], 0);
    // The clock is set, and it is learned from now on.
    set_clock(&server, 0);
    fetch(&server, DEVICE);
    check_in(&server, DEVICE, "1.7.0");
    assert_eq!(ends(&server, DEVICE), ["succeeded"]);
    assert_eq!(known(&server, DEVICE).unwrap()["boots"], 2);
    // It is lost again, and what was learned is not.
    set_clock(&server, -DAY * 365 * 15);
    assert!(check_in(&server, DEVICE, "1.5.0").is_some());
    let known = known(&server, DEVICE).unwrap();
    assert_eq!(
        (&known["version"], &known["boots"]),
        (&"1.7.0".into(), &2.into())
    );
}

#[test]
#[ignore = "needs faketime"]
fn an_address_is_kept_for_thirty_days() {
    let mut server = started(0);
    check_in(&server, DEVICE, "1.6.0");
    let address = |server: &Server| known(server, DEVICE).unwrap()["address"].clone();
    assert_eq!(address(&server), "127.0.0.1");
    set_clock(&server, 29 * DAY);
    assert_eq!(address(&server), "127.0.0.1");
    set_clock(&server, 31 * DAY);
    until("the address to go", || {
        address(&server).is_null().then_some(())
    });
    // The offer's term has nothing to do with that clock.
    assert_eq!(end(&server, DEVICE), "offered");
    // In the store it is gone, too.
    let stored = |server: &Server| {
        let file = server.dir.path().join("data/state/fleet.db");
        let open = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = rusqlite::Connection::open_with_flags(file, open).unwrap();
        let kept =
            "SELECT count(*) FROM device WHERE id = x'01020000000601' AND address IS NOT NULL";
        connection
            .query_row(kept, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    until("the store to lose it", || {
        (stored(&server) == 0).then_some(())
    });
    server.signal("TERM");
    assert!(server.end().success());
}
