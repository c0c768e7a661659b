//! A client of the admin address, and its replies held against their description.

use super::event::field;
use super::server::exchange;
use super::{PATIENCE, Reply, Server};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

impl Server {
    /// Where the admin address is.
    #[track_caller]
    pub(crate) fn admin_address(&self) -> SocketAddr {
        let line = self.event("admin.listening", &[]);
        field(&line, "address").unwrap().parse().unwrap()
    }

    /// The token that the server made.
    pub(crate) fn admin_token(&self) -> String {
        let file = self.dir.path().join("data/state/admin.token");
        fs::read_to_string(file).unwrap().trim().to_owned()
    }

    /// A connection to the admin address.
    #[track_caller]
    pub(crate) fn admin_tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.admin_address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Asks the admin address with a token (none, where it is empty).
    #[track_caller]
    pub(crate) fn admin(&self, method: &str, path: &str, token: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", &*bearer)];
        let headers = if token.is_empty() { &[][..] } else { &headers };
        let host = self.admin_address().to_string();
        ask(&mut self.admin_tcp(), method, path, &host, headers, body)
    }

    /// Asks with the server's own token, and holds the reply against the description.
    #[track_caller]
    pub(crate) fn admin_json(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let reply = self.admin(method, path, &self.admin_token(), body);
        let json = reply.json();
        let description = self.admin("GET", "/api/v1/openapi.json", &self.admin_token(), "");
        hold(&description.json(), method, path, reply.status, &json);
        (reply.status, json)
    }
}

/// Sends one request, and reads its reply.
#[track_caller]
pub(crate) fn ask(
    stream: &mut (impl Read + Write),
    method: &str,
    path: &str,
    host: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    let mut text = format!("{method} {path} HTTP/1.1\r\n");
    if !host.is_empty() {
        text.extend(["Host: ", host, "\r\n"]);
    }
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    if !body.is_empty() {
        text.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
    }
    exchange(stream, (text + "\r\n" + body).as_bytes())
}

/// Holds a reply against what the description says of its path, method and status.
#[track_caller]
pub(crate) fn hold(description: &Value, method: &str, path: &str, status: u16, json: &Value) {
    let path = path.split('?').next().unwrap();
    let parts: Vec<_> = path.split('/').collect();
    let is_it = |template: &str| {
        let template: Vec<_> = template.split('/').collect();
        template.len() == parts.len()
            && template
                .iter()
                .zip(&parts)
                .all(|(known, part)| known.starts_with('{') || known == part)
    };
    let paths = description["paths"].as_object().unwrap();
    let item = paths.iter().find(|(template, _)| is_it(template));
    let (_, item) = item.unwrap_or_else(|| panic!("{path} is not described"));
    let replies = &item[&method.to_lowercase()]["responses"];
    let reply = &replies[&status.to_string()];
    assert!(
        reply.is_object(),
        "{method} {path}: {status} is not described"
    );
    let schema = &reply["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{method} {path}: {status} is no JSON");
    if let Err(fault) = fits(description, schema, json) {
        panic!("{method} {path}: {status}: {fault}\n{json:#}");
    }
}

/// Keywords of JSON Schema that are understood here. Another one would go unheld.
const KEYWORDS: [&str; 14] = [
    "$ref",
    "type",
    "properties",
    "required",
    "items",
    "enum",
    "oneOf",
    "additionalProperties",
    "propertyNames",
    "description",
    "example",
    "format",
    "minimum",
    "examples",
];

/// Says where `json` is not as `schema` has it. Nothing may be there that is not described.
fn fits(root: &Value, schema: &Value, json: &Value) -> Result<(), String> {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root
            .pointer(reference.trim_start_matches('#'))
            .ok_or(reference)?,
        None => schema,
    };
    for keyword in schema.as_object().into_iter().flat_map(|map| map.keys()) {
        assert!(KEYWORDS.contains(&keyword.as_str()), "{keyword}");
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fitting = choices.iter().filter(|one| fits(root, one, json).is_ok());
        return match fitting.count() {
            1 => Ok(()),
            count => Err(format!("{json} fits {count} of {}", schema["oneOf"])),
        };
    }
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        _ => return Err(format!("no type: {schema}")),
    };
    let own = match json {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.contains(&own) {
        return Err(format!("{json} is no {types:?}"));
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(json)
    {
        return Err(format!("{json} is none of {values:?}"));
    }
    match json {
        Value::String(text) if schema["format"] == "date-time" => text
            .parse::<jiff::Timestamp>()
            .map(drop)
            .map_err(|error| format!("{text}: {error}")),
        Value::Array(items) => items.iter().enumerate().try_for_each(|(at, item)| {
            fits(root, &schema["items"], item).map_err(|fault| format!("[{at}]: {fault}"))
        }),
        Value::Object(fields) => {
            for name in schema["required"].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap();
                if !fields.contains_key(name) {
                    return Err(format!("{name} is missing"));
                }
            }
            fields.iter().try_for_each(|(name, value)| {
                let known = match &schema["properties"][name] {
                    Value::Null => &schema["additionalProperties"],
                    known => known,
                };
                if !known.is_object() {
                    return Err(format!("{name} is not described"));
                }
                fits(root, known, value).map_err(|fault| format!("{name}: {fault}"))
            })
        }
        _ => Ok(()),
    }
}
