use super::*;

fn findings(vision: &str, change: impl FnOnce(&mut Surroundings<'_>)) -> Vec<String> {
    let url = Url::parse(vision).unwrap();
    let secure = url.scheme == Scheme::Https;
    let mut around = Surroundings {
        bound: None,
        ports: &[8003, 443],
        tls: true,
        behind_proxy: false,
        http_ends: false,
        websocket: Some(if secure {
            "wss://h/xiaozhi/v1/"
        } else {
            "ws://h:8000/xiaozhi/v1/"
        }),
        passed_on: PassedOn {
            voice: false,
            vision: true,
        },
    };
    change(&mut around);
    audit(&PublicAddress::from_vision_explain(&url), &around)
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn one(vision: &str, words: &str) {
    let all = findings(vision, |_| {});
    assert!(
        all.len() == 1 && all[0].contains(words) && all[0].contains("Remedy: "),
        "{vision}: {all:?}"
    );
}

#[test]
fn a_good_address_has_no_finding() {
    for good in [
        "https://ota.example.com/mcp/vision/explain",
        "http://192.168.1.100:8003/mcp/vision/explain",
    ] {
        assert_eq!(findings(good, |_| {}), [""; 0], "{good}");
    }
}

#[test]
fn each_fault_is_found_by_its_name() {
    one(
        "http://127.0.0.1:8003/mcp/vision/explain",
        "the device itself",
    );
    one(
        "http://localhost:8003/mcp/vision/explain",
        "the device itself",
    );
    one("http://0.0.0.0:8003/mcp/vision/explain", "no address");
    one(
        "http://172.17.0.2:8003/mcp/vision/explain",
        "inside of Docker",
    );
    one(
        "http://xiaozhi-server:8003/mcp/vision/explain",
        "without a dot",
    );
    one(
        "http://ota.example.com:8004/mcp/vision/explain",
        "nobody here listens",
    );
    one("http://ota.example.com:8003/vision", "does not end with");
}

#[test]
fn a_proxy_in_front_answers_for_the_port() {
    assert_eq!(
        findings("http://ota.example.com:8004/mcp/vision/explain", |a| a
            .behind_proxy =
            true),
        [""; 0]
    );
}

#[test]
fn an_address_that_is_not_listened_on() {
    let lan = "http://192.168.1.100:8003/mcp/vision/explain";
    let bound = |ip: [u8; 4]| findings(lan, |a| a.bound = Some(ip.into()));
    assert!(bound([127, 0, 0, 1])[0].contains("only 127.0.0.1 is listened on"));
    assert!(bound([10, 0, 0, 1])[0].contains("only 10.0.0.1 is listened on"));
    assert_eq!(bound([192, 168, 1, 100]), [""; 0]);
    assert_eq!(bound([0, 0, 0, 0]), [""; 0]);
}

#[test]
fn schemes_that_do_not_fit_together() {
    let found = findings("https://ota.example.com/mcp/vision/explain", |a| {
        a.tls = false;
    });
    assert!(found[0].contains("gateway.tls.mode is off"), "{found:?}");
    let found = findings("https://ota.example.com/mcp/vision/explain", |a| {
        a.websocket = Some("ws://h/");
    });
    assert!(found[0].contains("hears the voice"), "{found:?}");
    let found = findings("http://ota.example.com:8003/mcp/vision/explain", |a| {
        a.websocket = Some("wss://h/");
    });
    assert!(found[0].contains("plain http"), "{found:?}");
    let found = findings("http://ota.example.com:8003/mcp/vision/explain", |a| {
        a.http_ends = true;
    });
    assert!(found[0].contains("403"), "{found:?}");
}

#[test]
fn one_line_of_4g_firmware_goes_by_the_port() {
    let here = "https://ota.example.com/mcp/vision/explain";
    let found = |url: &'static str, passed_on, http_ends| {
        let all = findings(here, |a| {
            a.websocket = Some(url);
            a.passed_on.voice = passed_on;
            a.http_ends = http_ends;
        });
        let modem = all.into_iter().find(|f| f.contains("ML307"));
        modem.unwrap_or_default()
    };
    assert_eq!(found("wss://voice.example.com/v1/", false, false), "");
    assert_eq!(found("ws://voice.example.com:8000/v1/", false, false), "");
    let tls = found("wss://voice.example.com:8443/v1/", false, false);
    assert!(tls.contains("plain text to any port but 443"), "{tls}");
    let plain = found("ws://voice.example.com:443/v1/", false, false);
    assert!(plain.contains("TLS to port 443"), "{plain}");
    // Our own ports take both.
    assert_eq!(found("wss://ota.example.com:8003/v1/", true, false), "");
    assert!(found("wss://ota.example.com:8003/v1/", true, true).contains("8003 too"));
}

#[test]
fn an_address_that_is_made_up_may_be_one_that_devices_misread() {
    let around = Surroundings {
        bound: Some(IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 7])),
        ports: &[8003],
        tls: true,
        behind_proxy: false,
        http_ends: false,
        websocket: None,
        passed_on: PassedOn {
            voice: false,
            vision: false,
        },
    };
    let address = PublicAddress::derived(IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 7]), 8003);
    assert!(!address.is_readable());
    let found = audit(&address, &around);
    assert!(
        found.len() == 1 && found[0].to_string().contains("IPv6 literal"),
        "{found:?}"
    );
}

#[test]
fn what_nobody_here_passes_on_is_missed() {
    let here = "https://ota.example.com/mcp/vision/explain";
    let voice = |url: &'static str, passed_on| {
        findings(here, |a| {
            a.websocket = Some(url);
            a.passed_on.voice = passed_on;
        })
    };
    for (url, missed) in [
        ("wss://ota.example.com/xiaozhi/v1/", true),
        ("wss://OTA.example.com:8003/xiaozhi/v1/", true),
        ("ws://ota.example.com:8003/xiaozhi/v1/", true),
        ("wss://ota.example.com:8000/xiaozhi/v1/", false),
        ("wss://voice.example.com/xiaozhi/v1/", false),
    ] {
        let found = voice(url, false);
        let missing = |found: &[String]| found.iter().any(|f| f.contains("passes it on"));
        assert_eq!(missing(&found), missed, "{url}: {found:?}");
        assert!(!missing(&voice(url, true)), "{url}");
    }
    let vision = |behind_proxy| {
        findings(here, |a| {
            a.passed_on.vision = false;
            a.behind_proxy = behind_proxy;
        })
    };
    assert!(vision(false)[0].contains("pictures get a 404"));
    assert_eq!(vision(true), [""; 0]);
}
