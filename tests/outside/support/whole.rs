//! What the harness adds to a configuration of a test.

use std::borrow::Cow;

/// Deadlines that a stall of a test's own thread does not overrun. A test that is
/// about a deadline has its own.
pub(crate) const PATIENT: &str = "  limits: {handshake: 1h, headers: 1h, idle: 1h, drain: 1h}\n";

/// Keeps servers that run side by side from wanting one admin address.
const NO_ADMIN: &str = "  admin: {listen: off}\n";

/// A configuration with what it does not say of ports, limits and the admin address.
pub(crate) fn whole(config: &str) -> String {
    let config = &*without_admin(config);
    let mut ours = String::new();
    if !config.contains("ports") {
        ours += "  ip: 127.0.0.1\n  ports: [0, 0]\n";
    }
    if !config.contains("limits") {
        ours += PATIENT;
    }
    match config.split_once("gateway:\n") {
        Some((before, after)) => format!("{before}gateway:\n{ours}{after}"),
        // Another test writes all of it.
        None if has_gateway(config) => config.to_owned(),
        None => format!("{config}\ngateway:\n{ours}"),
    }
}

/// Turns the admin address off at the end of the section, so that no line of it moves.
fn without_admin(config: &str) -> Cow<'_, str> {
    if config.contains("admin:") {
        return config.into();
    }
    if config.contains("gateway: {") {
        let with = "gateway: {admin: {listen: off}, ";
        return config.replacen("gateway: {", with, 1).into();
    }
    let Some((before, section)) = config.split_once("gateway:\n") else {
        let is_ours = has_gateway(config);
        return if is_ours {
            config.into()
        } else {
            format!("{config}\ngateway:\n{NO_ADMIN}").into()
        };
    };
    let is_inside = |line: &&str| line.starts_with([' ', '#', '-', '\n']);
    let lines = section.split_inclusive('\n').take_while(is_inside);
    let end = lines.map(str::len).sum();
    let (section, after) = section.split_at(end);
    let line_end = if section.is_empty() || section.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{before}gateway:\n{section}{line_end}{NO_ADMIN}{after}").into()
}

/// Tells whether a configuration has a section of ours, as YAML or as JSON.
fn has_gateway(config: &str) -> bool {
    config.contains("\"gateway\"") || config.lines().any(|line| line.starts_with("gateway"))
}
