//! Keys that are not read where they stand: written in another way, in another section, or
//! by the name that another program has for them.

use super::keys;
use super::signs::{OddSign, as_meant};

/// Meaning that a key which is not read was to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meant {
    /// A key of the same section, written otherwise.
    Near(&'static str),
    /// A key of another section, by its whole name.
    Elsewhere(&'static str),
    /// The key that says here what this one says in another program, by its whole name, and
    /// a value for it.
    Instead(&'static str, &'static str),
    /// Key and value without a blank between them: the key, and what stands for the colon
    /// where it is another sign.
    Joined(String, Option<OddSign>),
    /// Key and value with another sign between them than a colon: the key.
    Assigned(String),
}

/// Keys of xiaozhi-server that this server does not read, by their sections: nobody is told
/// of them, though they are written nearly like others. `config.yaml` and
/// `config_from_api.yaml` have them, earlier editions and the web console's parameters, too.
const UPSTREAM: [(&str, &[&str]); 5] = [
    (
        "",
        &[
            "ASR",
            "CMD_exit",
            "Intent",
            "LLM",
            "Memory",
            "TTS",
            "VAD",
            "VLLM",
            "close_connection_no_voice_time",
            "context_providers",
            "delete_audio",
            "enable_greeting",
            "enable_stop_tts_notify",
            "enable_wakeup_words_response_cache",
            "enable_websocket_ping",
            "end_prompt",
            "exit_commands",
            "iot",
            "mcp_endpoint",
            "module_test",
            "music",
            "plugins",
            "prompt",
            "prompt_template",
            "read_config_from_api",
            "selected_module",
            "stop_tts_notify_voice",
            "system_error_response",
            "tool_call_timeout",
            "tts_audio_send_delay",
            "tts_timeout",
            "use_private_config",
            "voiceprint",
            "wakeup_words",
            "xiaozhi",
        ],
    ),
    (
        "server",
        &[
            "allow_user_register",
            "fronted_url",
            "mcp_endpoint",
            "mqtt_manager_api",
            "name",
            "secret",
            "token",
            "udp_gateway",
            "voice_print",
        ],
    ),
    ("server.auth", &["expire_seconds", "tokens"]),
    ("log", &["data_dir", "log_format", "log_format_file"]),
    ("manager-api", &["url"]),
];

/// Names that other editions, pull requests and programs have for what is read here. A name
/// stands as [`folded`] makes it.
const OTHERS: [(&[&str], &str, &str); 12] = [
    (
        &[
            "otaaddr",
            "otaaddress",
            "otaurl",
            "otahost",
            "otaip",
            "otaserver",
            "otadomain",
            "otabaseurl",
            "otaendpoint",
            "otadownloadurl",
            "downloadurl",
            "downloadaddr",
            "downloadhost",
            "downloadbase",
            "downloadbaseurl",
            "firmwareurl",
            "firmwareaddr",
            "firmwarehost",
            "firmwarebaseurl",
            "firmwaredownloadurl",
            "publicurl",
            "publicaddr",
            "publicaddress",
            "publichost",
            "publicip",
            "externalurl",
            "externalip",
            "externalhost",
            "baseurl",
            "domain",
            "hostname",
        ],
        "server.ota",
        "http://192.168.1.100:8003/xiaozhi/ota/",
    ),
    (
        &[
            "otaport",
            "otahttpport",
            "webport",
            "downloadport",
            "firmwareport",
        ],
        "server.http_port",
        "8003",
    ),
    (
        &[
            "host",
            "listen",
            "bind",
            "bindaddress",
            "bindip",
            "listenip",
            "address",
        ],
        "server.ip",
        "0.0.0.0",
    ),
    (
        &[
            "wsurl",
            "ws",
            "wss",
            "websocketurl",
            "websocketaddr",
            "websocketaddress",
            "wsaddr",
            "wsaddress",
        ],
        "server.websocket",
        "ws://192.168.1.100:8000/xiaozhi/v1/",
    ),
    (
        &["vision", "visionurl", "visionaddr", "visionexplainurl"],
        "server.vision_explain",
        "http://192.168.1.100:8003/mcp/vision/explain",
    ),
    (
        &["timezone", "tz", "utcoffset", "tzoffset"],
        "server.timezone_offset",
        "+8",
    ),
    (
        &[
            "mqtt",
            "mqtturl",
            "mqttendpoint",
            "mqttaddr",
            "mqttbroker",
            "mqttserver",
            "mqtthost",
        ],
        "server.mqtt_gateway",
        "192.168.1.100:1883",
    ),
    (
        &["mqttkey", "mqttsecret", "signaturekey"],
        "server.mqtt_signature_key",
        "…",
    ),
    (
        &["httpsport", "tlsport", "sslport"],
        "gateway.ports",
        "[8003, 443]",
    ),
    (
        &[
            "ssl",
            "https",
            "cert",
            "certfile",
            "sslcert",
            "sslcertificate",
            "certificate",
            "keyfile",
            "sslkey",
            "sslcertificatekey",
            "tlscert",
            "tlskey",
        ],
        "gateway.tls.certificates",
        "[{cert: fullchain.pem, key: privkey.pem}]",
    ),
    (
        &[
            "bindir",
            "firmwaredir",
            "firmwarepath",
            "firmwarefolder",
            "otadir",
            "otapath",
        ],
        "gateway.firmware.dir",
        "data/bin",
    ),
    (
        &["firmwarecache", "cachettl", "firmwarettl"],
        "firmware_cache_ttl",
        "30",
    ),
];

/// Names that say enough in one section alone.
const OF_SECTION: [(&str, &[&str], &str, &str); 8] = [
    ("log", &["level"], "log.log_level", "INFO"),
    (
        "log",
        &["dir", "directory", "path", "folder"],
        "log.log_dir",
        "tmp",
    ),
    (
        "log",
        &["file", "filename", "name"],
        "log.log_file",
        "server.log",
    ),
    (
        "server",
        &[
            "authenabled",
            "enableauth",
            "authentication",
            "authrequired",
            "needauth",
        ],
        "server.auth.enabled",
        "true",
    ),
    (
        "server.auth",
        &["secret", "key", "authkey", "signaturekey", "password"],
        "server.auth_key",
        "…",
    ),
    (
        "server.auth",
        &["devices", "whitelist", "allowlist", "allowed"],
        "server.auth.allowed_devices",
        "[\"aa:bb:cc:dd:ee:ff\"]",
    ),
    (
        "",
        &["logging", "logs", "logger"],
        "log",
        "{log_level: INFO}",
    ),
    (
        "",
        &[
            "xiaozhiota",
            "网关",
            "otaserver",
            "otagateway",
            "xiaozhigateway",
        ],
        "gateway",
        "{ports: [8003, 8443]}",
    ),
];

/// Words that say too little to be taken for a key of another section.
const TOO_GENERAL: [&str; 12] = [
    "dir", "email", "format", "idle", "key", "memory", "mode", "names", "root", "secret",
    "timeout", "verify",
];
/// Words among them that no key of xiaozhi-server's is called at the very start of a line.
const OF_START: [&str; 6] = ["dir", "email", "memory", "mode", "names", "verify"];
/// Names of [`OTHERS`] that say too little where they do not stand below `server`.
const OF_SERVER: [&str; 9] = [
    "address", "cert", "domain", "host", "hostname", "https", "listen", "mqtt", "vision",
];

/// Returns a key without all in which people write it otherwise: case, dashes, dots, blanks,
/// quotes and signs of another width.
pub(super) fn folded(key: &str) -> String {
    let meant = as_meant(key);
    let letters = meant.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// Tells whether an uppermost key is one of this server's, one of xiaozhi-server's, or is
/// meant for one.
pub(super) fn is_of_either(key: &str) -> bool {
    let is_upstream = UPSTREAM
        .iter()
        .any(|(name, keys)| name.is_empty() && keys.contains(&key));
    let is_general = OF_START.contains(&&*folded(key));
    is_upstream || keys::of_section("").contains(&key) || !is_general && meant("", key).is_some()
}

/// Finds what a key of a section was meant for. `name` is the section's.
pub(super) fn meant(section: &str, key: &str) -> Option<Meant> {
    let own = UPSTREAM.iter().find(|(name, _)| *name == section);
    if own.is_some_and(|(_, keys)| keys.contains(&key)) {
        return None;
    }
    let known = keys::of_section(section);
    let folded = folded(key);
    if folded.is_empty() {
        return None;
    }
    let assigned = key.split_once('=').map(|(name, _)| name.trim());
    if let Some(name) = assigned.filter(|name| known.contains(name)) {
        return Some(Meant::Assigned(name.to_owned()));
    }
    if let Some((joined, odd)) = joined(key, &known) {
        return Some(Meant::Joined(joined, odd));
    }
    if let Some(same) = known.iter().find(|known| self::folded(known) == folded) {
        return Some(Meant::Near(same));
    }
    let is_ours = section.starts_with("gateway");
    let near = likeliest(key, &known).filter(|(distance, near)| {
        let most = if is_ours {
            near.len() / 3
        } else {
            near.len() / 8
        };
        *distance <= 1 + most && (is_ours || near.len() > 3)
    });
    let near = near.map(|(_, near)| Meant::Near(near));
    // Among our own keys the nearest is meant; xiaozhi-server's are others' too.
    if is_ours {
        near.or_else(|| elsewhere(section, &folded))
    } else {
        elsewhere(section, &folded).or(near)
    }
}

/// Finds a key that is read elsewhere, or by another name.
fn elsewhere(section: &str, folded: &str) -> Option<Meant> {
    let is_ours = section.starts_with("gateway");
    // `server.vision_explain: …` in dots, as other programs' files have it.
    let whole = keys::KEYS.iter().map(|known| known.name);
    let mut whole = whole.filter(|name| name.contains('.'));
    if let Some(whole) = whole.find(|name| self::folded(name) == folded) {
        return Some(Meant::Elsewhere(whole));
    }
    let other = OF_SECTION
        .iter()
        .find(|(of, names, ..)| *of == section && names.contains(&folded));
    if let Some((.., instead, value)) = other {
        return Some(Meant::Instead(instead, value));
    }
    if is_ours || section == "server" || section.is_empty() && !OF_SERVER.contains(&folded) {
        let other = OTHERS.iter().find(|(names, ..)| names.contains(&folded));
        if let Some((_, instead, value)) = other {
            let instead = if is_ours && *instead == "server.ip" {
                "gateway.ip"
            } else {
                instead
            };
            return Some(Meant::Instead(instead, value));
        }
    }
    let is_start = section.is_empty() && OF_START.contains(&folded);
    if !is_ours && TOO_GENERAL.contains(&folded) && !is_start {
        return None;
    }
    best(section, &keys::named(|own| self::folded(own) == folded)).map(Meant::Elsewhere)
}

/// Returns the odd sign in a key, for the message.
pub(super) fn odd_sign(key: &str) -> Option<String> {
    OddSign::find(key).map(OddSign::shown)
}

/// Returns the key in front of a colon that no blank follows: `port:8003` is one word.
fn joined(key: &str, known: &[&'static str]) -> Option<(String, Option<OddSign>)> {
    let meant = as_meant(key);
    let (name, rest) = meant.split_once(':')?;
    let name = name.trim();
    let odd = if key.contains(':') {
        None
    } else {
        OddSign::find(key)
    };
    (!rest.is_empty() && known.contains(&name)).then(|| (name.to_owned(), odd))
}

/// Returns the place that is meant of several: the section that is nearest.
fn best(section: &str, places: &[&'static str]) -> Option<&'static str> {
    let here = |place: &&&str| {
        let above = place.rsplit_once('.').map_or("", |(above, _)| above);
        above.trim_end_matches("[]") == section
    };
    if places.iter().any(|place| here(&place)) {
        return None;
    }
    let shared = |place: &&&str| {
        let both = place.split('.').zip(section.split('.'));
        both.take_while(|(a, b)| a == b).count()
    };
    places.iter().rev().max_by_key(shared).copied()
}

/// Returns the known key that is written most like this one, and by how many signs it
/// differs.
pub(super) fn likeliest(key: &str, known: &[&'static str]) -> Option<(usize, &'static str)> {
    let key = as_meant(key).to_lowercase();
    let distances = known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(k, &key), *k));
    distances.min()
}
