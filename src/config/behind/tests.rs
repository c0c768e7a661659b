use super::super::resolve::tests::{faults, good};
use super::*;
use crate::event::text::Lang;

fn yaml(url: &str, more: &str) -> String {
    format!("{more}gateway: {{upstream: {{url: '{url}', kind: manager-api}}}}")
}

const PUBLIC: &str =
    "server: {vision_explain: 'https://ota.example.com/edge/mcp/vision/explain'}\n";
const PORT: &str = "server: {ota: 'http://198.51.100.7:9000/xiaozhi/ota/'}\n";

#[test]
fn this_servers_own_address_is_none_of_an_upstream() {
    for (url, more) in [
        ("http://127.1:8003/xiaozhi/ota/", ""),
        ("http://0x7f.1:8003/other/ota/", ""),
        ("http://2130706433:8443/xiaozhi/ota/", ""),
        ("http://0:8003/xiaozhi/ota/", ""),
        ("http://localhost.:8003/xiaozhi/ota/", ""),
        ("http://[::ffff:192.168.1.100]:8003/xiaozhi/ota/", ""),
        ("https://ota.example.com/edge/xiaozhi/ota/", PUBLIC),
        ("https://OTA.example.com./xiaozhi/ota", PUBLIC),
        ("https://ota.example.com:443/xiaozhi/ota/activate", PUBLIC),
        ("http://ota.example.com:8003/manager/xiaozhi/ota/", PUBLIC),
        ("http://198.51.100.7:9000/xiaozhi/ota/", PORT),
    ] {
        let found = faults(&yaml(url, more));
        let words = "check-ins would go round in circles";
        assert!(found.iter().any(|f| f.contains(words)), "{url}: {found:?}");
        let own = "http://127.0.0.1:8002/xiaozhi/ota/";
        assert!(found.iter().all(|f| f.contains(own)), "{url}: {found:?}");
    }
    for (url, more) in [
        ("http://127.0.0.1:8002/xiaozhi/ota/", ""),
        ("https://ota.example.com/manager/xiaozhi/ota/", PUBLIC),
        // Another server may have port 80.
        ("http://ota.example.com/xiaozhi/ota/", PUBLIC),
        ("https://ota.example.com:8002/xiaozhi/ota/", PUBLIC),
        ("http://198.51.100.7:8002/xiaozhi/ota/", PORT),
        ("http://manager-api:8003/xiaozhi/ota/", ""),
    ] {
        let settings = good(&yaml(url, more));
        let kinds = settings.warnings.iter().map(|fault| fault.event.kind.id);
        let kinds: Vec<_> = kinds.filter(|id| id.contains("upstream")).collect();
        assert!(kinds.is_empty(), "{url}: {kinds:?}");
    }
}

#[test]
fn nor_is_the_address_at_which_it_is_operated() {
    for (url, is_it) in [
        ("http://127.0.0.1:8009/xiaozhi/ota/", true),
        ("http://localhost:8009/xiaozhi/ota/", true),
        ("http://192.168.1.100:8009/xiaozhi/ota/", false),
        ("http://127.0.0.1:8010/xiaozhi/ota/", false),
    ] {
        let found = super::super::resolve::tests::read(&yaml(url, "")).err();
        let found = found.unwrap_or_default();
        let says = |fault: &String| fault.contains("(gateway.admin.listen)");
        assert_eq!(found.iter().any(says), is_it, "{url}: {found:?}");
    }
}

#[test]
fn an_address_that_does_not_end_as_they_do_is_doubted() {
    for (path, write) in [
        ("/xiaozhi/ota", Some("/xiaozhi/ota/")),
        ("/xiaozhi/ota/activate", Some("/xiaozhi/ota/")),
        ("/edge/xiaozhi/ota", Some("/edge/xiaozhi/ota/")),
        ("/xiaozhi/otaMag", Some("/xiaozhi/ota/")),
        ("", Some("/xiaozhi/ota/")),
        ("/", Some("/xiaozhi/ota/")),
        ("/xiaozhi/ota/", None),
        ("/api/ota/", None),
    ] {
        let settings = good(&yaml(&format!("http://h:8002{path}"), ""));
        let warnings = settings.warnings.iter();
        let words: Vec<_> = warnings.map(|fault| fault.event.words(Lang::En)).collect();
        let says = |write: &str| {
            let write = format!("write http://h:8002{write}");
            words.iter().any(|words| words.ends_with(&write))
        };
        match write {
            Some(write) => assert!(says(write), "{path}: {words:?}"),
            None => assert!(words.is_empty(), "{path}: {words:?}"),
        }
    }
}

#[test]
fn days_are_times_too() {
    let settings = good(
        "gateway: {upstream: {url: 'http://h/xiaozhi/ota/', kind: other, keep: 7d, timeout: 3s}}",
    );
    let upstream = settings.upstream.unwrap();
    assert_eq!(upstream.keep, Duration::from_secs(7 * 86_400));
    let found = faults("gateway: {upstream: {url: 'http://h/', kind: other, keep: 31d}}");
    assert!(found[0].contains("30 days, such as 24h or 7d"), "{found:?}");
}
