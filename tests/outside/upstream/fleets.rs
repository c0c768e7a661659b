//! Whole fleets through it, as the simulator plays them.

use super::super::simulate;
use super::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// A server in front of one that answers each device by what `answer` makes of its number,
/// and of how often that device asked.
fn in_front(answer: impl Fn(u8, u32) -> Vec<u8> + Send + 'static) -> (StandIn, Server) {
    let stand_in = StandIn::new(bound());
    let asked = Mutex::new(HashMap::<String, u32>::new());
    stand_in.does(move |request, connection| {
        let device = request.headers("device-id")[0].to_owned();
        let number = u8::from_str_radix(&device[device.len() - 2..], 16).unwrap();
        let mut asked = asked.lock().unwrap();
        let times = asked.entry(device).or_default();
        *times += 1;
        connection.send(answer(number, *times));
    });
    let server = Setup::new()
        .file("esp32s3_1.7.0.bin", Image::new("1.7.0").build())
        .start(&format!(
            "server: {{vision_explain: 'http://{}/mcp/vision/explain'}}\n{}",
            simulate::HOST,
            stand_in.config("manager-api", "")
        ));
    (stand_in, server)
}

#[test]
fn those_who_may_are_updated_and_the_others_stay_as_they_are() {
    let (_stand_in, server) = in_front(|number, _| match number % 4 {
        0 => ok(&format!(
            "{{{BOUND},{ACTIVATION},\"firmware\":{NOT_ACTIVATED}}}"
        )),
        1 => ok(&format!("{{{BOUND}}}")),
        _ => ok(&bound()),
    });
    let (code, json, said) = simulate::run("http", server.address(), &["-n", "80"]);
    assert_eq!(code, 0, "{json}\n{said}");
    let versions = &json["versions"];
    let of = |version: &str| versions[version].as_u64().unwrap_or(0);
    assert_eq!(of("1.6.0") + of("1.7.0"), 80, "{versions}");
    let of_them = json["devices"].as_array().unwrap().iter().filter(|device| {
        let mac = device["mac"].as_str().unwrap();
        u8::from_str_radix(&mac[mac.len() - 2..], 16).unwrap() % 4 < 2
    });
    assert_eq!(of("1.6.0"), of_them.count() as u64, "{versions}");
    assert!(of("1.6.0") > 0 && of("1.7.0") > 0, "{versions}");
    assert_eq!(json["errors"], json!([]));
}

#[test]
fn devices_that_came_while_it_was_away_are_updated_at_their_next_try() {
    let is_back = AtomicBool::new(false);
    let (_stand_in, server) = in_front(move |_, times| {
        // It is when the first comes again.
        if times > 1 || is_back.load(Ordering::Relaxed) {
            is_back.store(true, Ordering::Relaxed);
            ok(&bound())
        } else {
            reply("500 Internal Server Error", "", "{}")
        }
    });
    // Over a second, for while it is away one at a time tries whether it is back.
    let arguments = ["-n", "30", "--ramp", "1s"];
    let (code, json, said) = simulate::run("http", server.address(), &arguments);
    assert_eq!(code, 0, "{json}\n{said}");
    assert_eq!(json["updates"], 30, "{json}");
    // Whoever did not get through at first was told to come again, and did.
    assert_eq!(json["checks"]["answered"], 60, "{json}");
    let failed = json["checks"]["failed"].as_u64().unwrap();
    assert!((30..60).contains(&failed), "{json}");
}
