//! Replies of another xiaozhi server: whatever it sends, what reaches a device is what devices
//! can read, and reads the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::time::UNIX_EPOCH;
use xiaozhi_ota::ota::reply::Firmware;
use xiaozhi_ota::ota::upstream::{Hold, Kind, LONGEST_REPLY, Reply, read};

fuzz_target!(init: xiaozhi_ota_fuzz::init(), |body: &[u8]| {
    for kind in [Kind::ManagerApi, Kind::Other] {
        match read(body, kind) {
            Err(fault) => assert!(!fault.event().kind.id.is_empty()),
            Ok(reply) => judge(reply, kind),
        }
    }
});

fn judge(mut reply: Reply, kind: Kind) {
    let firmware = Firmware::up_to_date("1.6.0");
    if reply.make_room(Some(&firmware), 25).is_err() {
        return;
    }
    let told = reply.write(Some(&firmware));
    assert!(told.len() + 25 <= LONGEST_REPLY);
    let text = std::str::from_utf8(&told).expect("JSON is UTF-8");
    assert!(text.ends_with(r#""firmware":{"version":"1.6.0","url":""}}"#));
    let again = read(&told, kind).expect("it is a reply");
    assert!(again.left_out.is_empty(), "{text}");
    // Of an activation that was left out nothing is seen any more.
    if reply.left_out.is_empty() {
        assert_eq!(again.is_bound(), reply.is_bound());
        let are_unbound = [&again, &reply].map(|reply| reply.hold == Some(Hold::Unbound));
        assert_eq!(are_unbound[0], are_unbound[1]);
    }
    if reply.is_bound() {
        let kept = Reply::kept(&reply.keep(), true, UNIX_EPOCH, 480).expect("it is a reply");
        assert_eq!(kept.hold, Some(Hold::UpdatesOff));
        assert!(kept.is_bound() && kept.left_out.is_empty());
    }
}
