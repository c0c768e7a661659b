//! Whatever slips into a file, no message about it shows a secret, and none is a panic.

use super::tests::read;
use proptest::prelude::*;

proptest! {
    /// Whatever slips into a line with a key, no message shows it.
    #[test]
    fn no_message_about_a_slip_holds_a_secret(
        section in "(server:\n  |manager-api:\n  |gateway:\n  tls: \\{|server: \\{|gateway:\n  |)",
        key in "(auth_key|secret|mqtt_signature_key|authkey|auth-key|key|cert|Auth_Key|ota_addr|“auth_key”|- |-)",
        between in "(：|:| : |: |=| |:\u{a0}|:\t|: #|: “|: \\$\\{|: !x |: \\{\\{ |: >\n   )",
        behind in "(|”|\\}|#x| #x|\n  ip: x|\n    port: 1|\n http_port: x|：x|: x)",
    ) {
        let yaml = format!("{section}{key}{between}HUSHhush9HUSHhush9{behind}\n");
        let said = match read(&yaml) {
            Ok(settings) => settings.warnings.iter().map(ToString::to_string).collect(),
            Err(faults) => faults,
        };
        prop_assert!(!said.concat().contains("HUSH"), "{}: {:?}", yaml, said);
    }

    #[test]
    fn any_key_and_value_are_judged_without_a_panic(
        section in "(server|gateway|log|gateway: \\{tls|x)", key in any::<String>(), value in any::<String>(),
    ) {
        let key = format!("{key:?}");
        let value = format!("{value:?}");
        let _ = read(&format!("{section}:\n  {key}: {value}\n"));
        let _ = read(&format!("{section}:\n  {value}\n{key}: {value}\n"));
    }
}
