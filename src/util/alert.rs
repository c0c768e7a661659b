//! Names of TLS alerts, as other programs and the documents write them.

use rustls::AlertDescription;

/// Returns an alert's name as in RFC 8446, section 6: `HandshakeFailure` is
/// `handshake_failure`.
pub(crate) fn alert_name(alert: AlertDescription) -> String {
    let mut name = String::new();
    for c in format!("{alert:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    // rustls spells it the British way, and a run of capitals is one word.
    name.replace("unrecognised", "unrecognized")
        .replace("_c_a", "_ca")
}
