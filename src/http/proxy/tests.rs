use super::*;

fn proxy(public: &PublicAddress) -> Proxy {
    let to = Url::parse("http://127.0.0.1:8000");
    let to = to.unwrap();
    let route = |path: &str| ProxyRoute {
        setting: path.to_owned(),
        path: path.to_owned(),
        to: to.clone(),
    };
    let routes = [
        WEBSOCKET_PATH,
        VISION_PATH,
        "/mcp_endpoint/",
        "/mcp_endpoint/call",
    ];
    let settings = ProxySettings {
        routes: routes.map(route).into(),
        ..ProxySettings::default()
    };
    Proxy::new(settings, public, Duration::from_secs(30))
}

#[test]
fn the_longest_path_wins_and_our_own_prefix_is_taken_off() {
    let vision = Url::parse("https://h/edge/mcp/vision/explain");
    let vision = vision.unwrap();
    let proxy = proxy(&PublicAddress::from_vision_explain(&vision));
    for (path, to) in [
        ("/xiaozhi/v1/", Some("/xiaozhi/v1/")),
        ("/xiaozhi/v1", Some("/xiaozhi/v1")),
        ("/xiaozhi/v1/x?a=%2F&b", Some("/xiaozhi/v1/x?a=%2F&b")),
        ("/edge/xiaozhi/v1/", Some("/xiaozhi/v1/")),
        ("/edge/mcp/vision/explain", Some("/mcp/vision/explain")),
        ("/mcp_endpoint/x", Some("/mcp_endpoint/x")),
        ("/mcp_endpoint/call?x", Some("/mcp_endpoint/call?x")),
        ("/xiaozhi/v10/", None),
        ("/edge/mcp_endpoint/x", None),
        ("/", None),
    ] {
        let uri: Uri = path.parse().unwrap();
        let route = proxy.find(uri.path());
        let target = route.and_then(|route| route.target(&uri));
        let expected = to.map(|to| format!("http://127.0.0.1:8000{to}"));
        assert_eq!(target.map(|t| t.to_string()), expected, "{path}");
    }
    let most_precise = proxy
        .find("/mcp_endpoint/call")
        .map(|o| o.route.path.clone());
    assert_eq!(most_precise.as_deref(), Some("/mcp_endpoint/call"));
}
