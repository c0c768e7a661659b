//! Devices whose ids are no MAC addresses: they are answered and kept, and count for nothing.

use super::*;
use crate::support::server::Setup;

const OTHER: &str = "somebody";
const OURS: &str = "02:00:00:00:00:01";

#[test]
fn an_end_counts_and_is_told_of_where_the_id_is_a_mac_address() {
    let setup = Setup::new().file(FILE, Image::new("1.7.0").build());
    let server = setup.start(&config("10m"));
    for device in [OTHER, OURS] {
        assert!(check_in(&server, device, "1.6.0").is_some());
        assert!(check_in(&server, device, "1.7.0").is_none());
        assert_eq!(end(&server, device), "succeeded");
    }
    server.event("offer.succeeded", &[("device", OURS)]);
    assert_eq!(server.events("offer.succeeded", &[]).len(), 1);
    let metrics = server.admin("GET", "/metrics", &server.admin_token(), "");
    let succeeded = "xiaozhi_ota_offers_total{end=\"succeeded\"} 1\n";
    assert!(metrics.text().contains(succeeded), "{}", metrics.text());
}
