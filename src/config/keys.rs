//! Every key of the file that is read here, with its default and what it is for. What
//! is strict about keys goes by this list, and the table in the documents is held
//! against it.

/// A key that is read here.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its full name in dots. `[]` stands for the items of a list.
    pub name: &'static str,
    /// Its default.
    pub default: KeyDefault,
    /// Its meaning, in one line.
    pub meaning: &'static str,
}

/// The default of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyDefault {
    /// A value that could be written there.
    Value(&'static str),
    /// A rule in words, with names in code quotes.
    Words(&'static str),
    /// Nothing.
    Unset,
}

use KeyDefault::{Unset, Value, Words};

const fn key(name: &'static str, default: KeyDefault, meaning: &'static str) -> Key {
    Key {
        name,
        default,
        meaning,
    }
}

/// All keys: first those that xiaozhi-server reads, too.
pub const KEYS: &[Key] = &[
    key(
        "server.ip",
        Words("every address"),
        "where to listen, if `gateway.ip` is not set",
    ),
    key(
        "server.http_port",
        Value("8003"),
        "the first port, if `gateway.ports` is not set",
    ),
    key(
        "server.port",
        Value("8000"),
        "xiaozhi-server's voice port, for the WebSocket address that is made up",
    ),
    key(
        "server.websocket",
        Words("made up from the public address, or from this machine"),
        "WebSocket address handed to devices",
    ),
    key(
        "server.vision_explain",
        Words("made up from this machine and the first port"),
        "public address: scheme, host, port and path prefix of download addresses",
    ),
    key(
        "server.ota",
        Words("from `vision_explain`"),
        "public OTA address whole",
    ),
    key(
        "server.timezone_offset",
        Value("+8"),
        "hours from UTC, for the device's clock",
    ),
    key(
        "server.auth.enabled",
        Value("false"),
        "hand out WebSocket tokens",
    ),
    key(
        "server.auth.allowed_devices",
        Unset,
        "MAC addresses that need no token",
    ),
    key(
        "server.auth_key",
        Words("`manager-api.secret`"),
        "the key that xiaozhi-server checks tokens with",
    ),
    key(
        "server.mqtt_gateway",
        Unset,
        "`host:port`; devices get MQTT instead of the WebSocket",
    ),
    key(
        "server.mqtt_signature_key",
        Unset,
        "makes the MQTT password",
    ),
    key(
        "manager-api.secret",
        Unset,
        "the key, if `server.auth_key` is not set",
    ),
    key(
        "firmware_cache_ttl",
        Value("30"),
        "seconds between two looks at the folder",
    ),
    key(
        "log.log_level",
        Value("INFO"),
        "DEBUG, INFO, WARNING or ERROR",
    ),
    key(
        "log.log_dir",
        Unset,
        "the folder of a log file besides the console",
    ),
    key("log.log_file", Unset, "the name of that file"),
    key("gateway.ip", Words("`server.ip`"), "where to listen"),
    key(
        "gateway.ports",
        Words("`[server.http_port, 8443]`"),
        "where to listen; each takes HTTP and TLS",
    ),
    key(
        "gateway.ports[].port",
        Unset,
        "the port of an item that says more",
    ),
    key(
        "gateway.ports[].proxy_protocol",
        Value("false"),
        "whether every connection begins with a PROXY header there",
    ),
    key(
        "gateway.http_fallback",
        Value("true"),
        "plain HTTP for devices, or its last day",
    ),
    key(
        "gateway.behind_proxy",
        Value("false"),
        "whether something in front answers the public address, or its addresses",
    ),
    key(
        "gateway.cors",
        Unset,
        "origins of web pages that may have a token, with `server.auth.enabled`",
    ),
    key(
        "gateway.tls.mode",
        Words("`files` with certificates, `acme` with `acme`, else `self-signed`"),
        "where certificates come from",
    ),
    key(
        "gateway.tls.certificates",
        Unset,
        "the files of certificates",
    ),
    key(
        "gateway.tls.certificates[].cert",
        Unset,
        "PEM file with a certificate and its chain",
    ),
    key(
        "gateway.tls.certificates[].key",
        Unset,
        "PEM file with its private key",
    ),
    key(
        "gateway.tls.names",
        Words("the public host; self-signed, this machine's addresses, too"),
        "names in the certificate",
    ),
    key("gateway.tls.acme.email", Unset, "where the CA may write to"),
    key(
        "gateway.tls.acme.directory",
        Words("Let's Encrypt"),
        "the CA's ACME directory",
    ),
    key(
        "gateway.tls.acme.challenge",
        Value("tls-alpn-01"),
        "how names are proved to the CA",
    ),
    key(
        "gateway.tls.acme.root",
        Unset,
        "PEM file with the root of a private CA's directory",
    ),
    key(
        "gateway.tls.acme.eab.key_id",
        Unset,
        "key id of the contract that the account is bound to (EAB)",
    ),
    key(
        "gateway.tls.acme.eab.hmac_file",
        Unset,
        "file with that contract's HMAC key, as base64",
    ),
    key(
        "gateway.firmware.dir",
        Value("data/bin"),
        "the firmware folder",
    ),
    key(
        "gateway.firmware.default_for",
        Value("unmatched"),
        "who gets `default_*.bin`",
    ),
    key(
        "gateway.firmware.pin",
        Unset,
        "versions that models are held at",
    ),
    key(
        "gateway.firmware.alias",
        Unset,
        "names that are one model, `{old: new}`",
    ),
    key(
        "gateway.firmware.projects",
        Unset,
        "names that are one project",
    ),
    key(
        "gateway.firmware.memory",
        Words("256MiB, less where memory is short"),
        "how much of the images is kept in memory",
    ),
    key(
        "gateway.firmware.verify",
        Value("warn"),
        "what is done with files that are no ESP images",
    ),
    key(
        "gateway.firmware.foreign_home",
        Value("warn"),
        "what is done with images in which another server's OTA address is compiled in",
    ),
    key(
        "gateway.state",
        Words("`data/state`; under systemd `$STATE_DIRECTORY/state`"),
        "the folder of what this server itself keeps: devices, orders, keys",
    ),
    key(
        "gateway.fleet.silent_after",
        Value("10m"),
        "how long a device may be still after it fetched an image",
    ),
    key(
        "gateway.fleet.track",
        Value("true"),
        "whether download addresses say which device they are for",
    ),
    key(
        "gateway.log.lang",
        Value("en"),
        "language of the log and of `validate`: `en` or `zh`; the firmware guide's own lines keep their words",
    ),
    key(
        "gateway.log.format",
        Value("text"),
        "`text`, or `json` for one object a line",
    ),
    key(
        "gateway.log.rate",
        Value("1MiB"),
        "how much log a second brings, in all; four times that at once",
    ),
    key(
        "gateway.log.max_size",
        Value("64MiB"),
        "size at which the log file turns over; only with a log file",
    ),
    key(
        "gateway.log.keep",
        Value("3"),
        "how many older log files stay; only with a log file",
    ),
    key(
        "gateway.admin.listen",
        Value("127.0.0.1:8009"),
        "where this server is watched and operated, or `off`",
    ),
    key(
        "gateway.admin.names",
        Unset,
        "names by which that address may be asked for",
    ),
    key(
        "gateway.admin.tokens",
        Unset,
        "tokens beside the one that this server makes",
    ),
    key(
        "gateway.admin.tokens[].name",
        Unset,
        "name under which the log shows who it was",
    ),
    key(
        "gateway.admin.tokens[].role",
        Unset,
        "`read`, or `operate` for who may change something",
    ),
    key(
        "gateway.admin.tokens[].token_file",
        Unset,
        "file with the token",
    ),
    key(
        "gateway.proxy.websocket",
        Unset,
        "server that `/xiaozhi/v1/` goes to",
    ),
    key(
        "gateway.proxy.vision",
        Unset,
        "server that `/mcp/vision/explain` goes to",
    ),
    key(
        "gateway.proxy.routes",
        Unset,
        "servers that other paths go to",
    ),
    key(
        "gateway.proxy.body_limit",
        Value("16MiB"),
        "what one request's body may hold",
    ),
    key(
        "gateway.proxy.timeout",
        Value("60s"),
        "how long such a server may let a request wait",
    ),
    key(
        "gateway.proxy.idle",
        Value("10m"),
        "how long a WebSocket may be still",
    ),
    key(
        "gateway.upstream.url",
        Unset,
        "OTA address of the xiaozhi server that answers all but firmware",
    ),
    key(
        "gateway.upstream.kind",
        Unset,
        "`manager-api` or `other`: what a reply without `firmware` means",
    ),
    key(
        "gateway.upstream.timeout",
        Value("2s"),
        "how long a check-in waits for it",
    ),
    key(
        "gateway.upstream.keep",
        Value("24h"),
        "how old a reply may be that is told again while it is away",
    ),
    key(
        "gateway.limits.connections",
        Words("16000, less where memory is short"),
        "how many connections there may be at once",
    ),
    key(
        "gateway.limits.handshake",
        Value("10s"),
        "how long a TLS handshake may take",
    ),
    key(
        "gateway.limits.headers",
        Value("10s"),
        "how long a request's head may take",
    ),
    key(
        "gateway.limits.idle",
        Value("60s"),
        "how long a request's body may take, and a reply may stand still",
    ),
    key(
        "gateway.limits.drain",
        Value("5m"),
        "how long downloads may go on at the end",
    ),
];

/// The keys whose values are mappings with keys of the operator's own.
const FREE: [&str; 3] = [
    "gateway.firmware.alias",
    "gateway.firmware.pin",
    "gateway.proxy.routes",
];

/// Returns the full name of a key below another.
pub(super) fn below(section: &str, key: &str) -> String {
    if section.is_empty() {
        key.to_owned()
    } else {
        format!("{section}.{key}")
    }
}

/// Returns the keys of a section, in the order of the list.
pub(super) fn of_section(section: &str) -> Vec<&'static str> {
    let mut keys = Vec::new();
    for key in KEYS {
        let rest = match section {
            "" => Some(key.name),
            section => key
                .name
                .strip_prefix(section)
                .and_then(|rest| rest.strip_prefix('.')),
        };
        let first = rest.and_then(|rest| rest.split(['.', '[']).next());
        keys.extend(first.filter(|first| !keys.contains(first)));
    }
    keys
}

/// Tells whether it is a key, or a section, that is read here.
pub(super) fn is_known(name: &str) -> bool {
    KEYS.iter().any(|key| {
        let rest = key.name.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

/// Tells whether a key of this name is read somewhere.
pub(super) fn is_word(word: &str) -> bool {
    let mut words = KEYS.iter().flat_map(|key| key.name.split(['.', '[', ']']));
    !word.is_empty() && words.any(|known| known == word)
}

/// Tells whether the keys below are the operator's own.
pub(super) fn is_free(name: &str) -> bool {
    FREE.contains(&name)
}

/// Returns the sections and keys whose own name `is` it, outermost first.
pub(super) fn named(is: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut found = Vec::new();
    for key in KEYS {
        let ends = key.name.match_indices('.').map(|(at, _)| at);
        for end in ends.chain([key.name.len()]) {
            let name = key.name[..end].trim_end_matches("[]");
            let own = name.rsplit('.').next().unwrap_or(name);
            if is(own) && !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found.sort_by_key(|name| name.matches('.').count());
    found
}

/// Tells whether a key's value is a mapping.
pub(super) fn is_section(name: &str) -> bool {
    let has_keys = |key: &Key| {
        let rest = key.name.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    FREE.contains(&name) || KEYS.iter().any(has_keys)
}

#[cfg(test)]
mod tests;
