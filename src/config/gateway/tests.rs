use super::super::resolve::tests::{good, read};
use crate::firmware::ForeignHome;
use crate::fleet::settings::FleetSettings;
use std::path::Path;
use xiaozhi_device::version::Version;

#[test]
fn names_that_are_one_model() {
    let s =
        good("gateway: {firmware: {alias: {a: b, c: b, 7: d, ' e ': f}, pin: {a: 1.0, b: 1.0}}}");
    assert_eq!(s.warnings, []);
    let others = |name: &str| s.policy.aliases.others(name).collect::<Vec<_>>();
    assert_eq!(others("a"), ["b", "c"]);
    assert_eq!(others("7"), ["d"]);
    assert_eq!(others("f"), ["e"]);
    assert_eq!(s.policy.pin("c").map(Version::as_str), Some("1.0"));
    // A circle is one model, as a chain is.
    let s = good("gateway: {firmware: {alias: {a: b, b: c, c: a}}}");
    assert_eq!(s.policy.aliases.others("b").collect::<Vec<_>>(), ["a", "c"]);
    // Of a name that stands twice the last one counts, and both lines are named.
    let s = good("gateway:\n  firmware:\n    alias:\n      a: b\n      a: c\n");
    assert_eq!(s.policy.aliases.others("a").collect::<Vec<_>>(), ["c"]);
    let said: Vec<_> = s.warnings.iter().map(ToString::to_string).collect();
    assert!(
        said[0].contains("c.yaml:5: gateway.firmware.alias.a"),
        "{said:?}"
    );
}

#[test]
fn what_is_no_alias_is_refused_by_its_line() {
    for (alias, words) in [
        ("{a: a}", "alias.a: \"a\": both are one name"),
        ("{re\u{301}: r\u{e9}}", "both are one name"),
        ("{a: default}", "default is no model"),
        ("{default: a}", "default is no model"),
        ("{a: }", "alias.a: write {old: new}"),
        ("{a: [b, c]}", "alias.a: write {old: new}"),
        ("{a: {b: c}}", "alias.a: write {old: new}"),
        ("{a: ' '}", "write {old: new}"),
        ("{a: \"b\\nc\"}", "write {old: new}"),
        ("[a, b]", "alias: must be a mapping"),
        ("a", "alias: must be a mapping"),
        (
            "{a: b, b: c}, pin: {a: 1.0, c: 1.1}",
            "pin.c: \"1.1\": gateway.firmware.alias makes it one model",
        ),
    ] {
        let yaml = format!("gateway:\n  firmware: {{alias: {alias}}}\n");
        let said = read(&yaml).err().unwrap_or_default().join("\n");
        let place = "c.yaml:2: gateway.firmware.";
        assert!(
            said.starts_with(place) && said.contains(words),
            "{yaml}: {said}"
        );
    }
}

#[test]
fn another_home_is_one_beside_the_public_address() {
    let home = |yaml: &str| {
        let catalogue = good(yaml).catalogue;
        (
            catalogue.home.map(|home| home.to_string()),
            catalogue.foreign_home,
        )
    };
    let (warn, refuse) = (ForeignHome::Warn, ForeignHome::Refuse);
    assert_eq!(home(""), (None, warn));
    let yaml = |path: &str| {
        format!(
            "server: {{ota: 'https://ota.example.com:8443/my/{path}/'}}\ngateway: {{firmware: {{foreign_home: refuse}}}}\n"
        )
    };
    let ota = "https://ota.example.com:8443/my/ota/";
    assert_eq!(home(&yaml("ota")), (Some(ota.to_owned()), refuse));
    assert_eq!(good(&yaml("ota")).warnings, []);
    // One that would not be found in an image says nothing of it.
    assert_eq!(home(&yaml("firmware")), (None, refuse));
    assert_eq!(good(&yaml("firmware")).warnings.len(), 1);
    let vision =
        "server: {vision_explain: 'http://ota.example.com:8003/edge/mcp/vision/explain'}\n";
    let ota = "http://ota.example.com:8003/edge/xiaozhi/ota/";
    assert_eq!(home(vision), (Some(ota.to_owned()), warn));
    // Nothing is there to compare with, and whoever asks for it should know.
    let s = good("gateway:\n  firmware: {foreign_home: refuse}\n");
    let said: Vec<_> = s.warnings.iter().map(ToString::to_string).collect();
    let words = "c.yaml:2: gateway.firmware.foreign_home: ";
    assert!(said.len() == 1 && said[0].contains(words), "{said:?}");
    let said = read("gateway: {firmware: {foreign_home: strict}}").unwrap_err();
    assert!(said[0].contains("write warn or refuse"), "{said:?}");
}

#[test]
fn the_state_folder_and_the_ends_of_offers() {
    let s = good("");
    assert_eq!(s.state, Path::new("data/state"));
    assert_eq!(s.fleet, FleetSettings::default());
    let s = good("gateway: {state: /srv/state, fleet: {silent_after: 5s, track: no}}");
    assert_eq!(s.state, Path::new("/srv/state"));
    let (silent_after, track) = (s.fleet.silent_after, s.fleet.track);
    assert_eq!((silent_after.as_secs(), track), (5, false));
    assert_eq!(s.warnings, []);
    for (yaml, words) in [
        ("{fleet: {silent_after: 4999ms}}", "from 5s to a day"),
        ("{fleet: {silent_after: 25h}}", "from 5s to a day"),
        ("{fleet: {silent_after: soon}}", "from 5s to a day"),
        ("{fleet: {track: maybe}}", "true or false"),
        ("{fleet: {silent: 1m}}", "gateway.fleet.silent: no such key"),
        ("{fleet: on}", "must be a mapping"),
        ("{state: }", "gateway.state"),
        ("{state: '~/state'}", "gateway.state"),
    ] {
        let said = read(&format!("gateway: {yaml}")).err().unwrap_or_default();
        assert!(said.join("\n").contains(words), "{yaml}: {said:?}");
    }
}
