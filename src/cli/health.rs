//! `xiaozhi-ota health`: asks the server of this configuration whether it is alive, and what
//! it lacks. Containers and monitors call it.

use super::admin_client::AdminClient;
use super::output::print;
use crate::{app, config};
use clap::Args;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// Fail, too, where the server is alive and lacks something
    #[arg(long)]
    ready: bool,
}

impl HealthArgs {
    pub(super) fn run(self, file: Option<&Path>) -> anyhow::Result<ExitCode> {
        let settings = config::load(file, &app::machine())?;
        let client = AdminClient::of(&settings)?;
        let address = client.address();
        client.greet()?;
        let readiness = client.get("/readyz")?;
        let is_ready = readiness.status == 200;
        print(&format!("alive: {address}\n{}", words(&readiness.body)))?;
        Ok(if is_ready || !self.ready {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// Returns what `/readyz` says, a line for each part.
fn words(body: &[u8]) -> String {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let ready = if json["ready"] == true {
        "ready"
    } else {
        "not ready"
    };
    let mut words = format!("{ready}\n");
    for (name, check) in json["checks"].as_object().into_iter().flatten() {
        let why = match check["why"].as_str() {
            None => "ok",
            Some(why) => why,
        };
        // Writing to a String cannot fail.
        let _ = writeln!(words, "  {name}: {why}");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_its_line() {
        let body = br#"{"ready":false,"checks":{"catalogue":{"ok":true,"why":null},"store":{"ok":false,"why":"it is full"}}}"#;
        assert_eq!(
            words(body),
            "not ready\n  catalogue: ok\n  store: it is full\n"
        );
        assert_eq!(words(br#"{"ready":true,"checks":{}}"#), "ready\n");
        assert_eq!(words(b"nonsense"), "not ready\n");
    }
}
