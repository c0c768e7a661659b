//! Keys that stand in the file twice.
//!
//! Of equal keys the last one wins, as in `PyYAML`. So a second `server:` wipes
//! out the first one with its `auth`, and whoever wrote it does not hear of it.
//! What says where to listen, who may come in and with which key must not fall
//! away like that.

use super::full_name;
use super::places::Places;
use super::raw::Node;
use super::section::Faults;
use std::collections::HashMap;

/// The sections whose loss would change who is let in, where, or with which key.
const GUARDED: [&str; 3] = ["server", "gateway", "manager-api"];
/// The keys of xiaozhi-server's that are read here; of its others nothing is said.
pub(super) const READ: [&str; 19] = [
    "firmware_cache_ttl",
    "log",
    "log.log_dir",
    "log.log_file",
    "log.log_level",
    "manager-api.secret",
    "server.auth",
    "server.auth.allowed_devices",
    "server.auth.enabled",
    "server.auth_key",
    "server.http_port",
    "server.ip",
    "server.mqtt_gateway",
    "server.mqtt_signature_key",
    "server.ota",
    "server.port",
    "server.timezone_offset",
    "server.vision_explain",
    "server.websocket",
];

/// Looks for keys that stand twice: a section that guards something is a fault, a
/// single setting that is read here a warning.
pub(super) fn check(root: &Node, places: &Places, faults: &Faults, warnings: &mut Vec<String>) {
    look("", root, places, faults, warnings);
}

fn look(path: &str, node: &Node, places: &Places, faults: &Faults, warnings: &mut Vec<String>) {
    let entries = match node {
        Node::Map(entries) => entries,
        Node::List(items) => {
            for (i, item) in items.iter().enumerate() {
                look(&format!("{path}[{i}]"), item, places, faults, warnings);
            }
            return;
        }
        Node::Null | Node::Scalar(_) => return,
    };
    for (key, values) in repeated(entries) {
        let name = full_name(path, key);
        if !is_read(&name) {
            continue;
        }
        let lines = places.named(&name);
        let is_section = values.iter().any(|value| matches!(value, Node::Map(_)));
        if GUARDED.contains(&&*name) || is_section && name != "log" {
            let message = format!(
                "it is written more than once{lines}, and only the last one would count: what stands in the others, who may come in \
                 above all, would be lost; put them together into one"
            );
            faults.add(&name, None, message);
        } else {
            warnings.push(format!(
                "{name} is written more than once{lines}: the last one counts, as in xiaozhi-server; take the others out"
            ));
        }
    }
    for (key, node) in entries {
        let name = full_name(path, key);
        if is_read(&name) {
            look(&name, node, places, faults, warnings);
        }
    }
}

fn is_read(name: &str) -> bool {
    GUARDED.contains(&name) || READ.contains(&name) || name.starts_with("gateway.")
}

/// The keys that a mapping has more than once, each with all its values.
fn repeated(entries: &[(String, Node)]) -> Vec<(&str, Vec<&Node>)> {
    let mut known = HashMap::new();
    let mut keys: Vec<(&str, Vec<&Node>)> = Vec::new();
    for (key, value) in entries {
        let at = *known.entry(key.as_str()).or_insert(keys.len());
        match keys.get_mut(at) {
            Some((_, values)) => values.push(value),
            None => keys.push((key, vec![value])),
        }
    }
    keys.retain(|(_, values)| values.len() > 1);
    keys
}
