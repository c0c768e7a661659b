//! `xiaozhi-ota health`: asks the server of this configuration whether it is alive, and what
//! it lacks. Containers and monitors call it.

use super::admin_client::{AdminClient, ClientReply};
use super::output::print;
use super::patience::Patience;
use super::values::duration;
use crate::config::Settings;
use crate::event::Event;
use crate::event::text::Lang;
use crate::{app, config};
use clap::Args;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// Fail, too, where the server is alive and lacks something
    #[arg(long)]
    ready: bool,

    /// Time for the answer: shorter than that of whoever runs this, so that it can
    /// say what is wrong
    #[arg(long, value_name = "TIME", default_value = "2500ms", value_parser = duration)]
    within: Duration,
}

impl HealthArgs {
    pub(super) fn run(self, file: Option<&Path>) -> anyhow::Result<ExitCode> {
        let settings = config::load(file, &app::machine())?;
        let client = AdminClient::of(&settings)?;
        let patience = Patience::within(self.within);
        client.greet(patience)?;
        let readiness = readiness(&client, &settings, patience);
        let is_ready = matches!(&readiness, Ok(reply) if reply.status == 200);
        let words = match readiness {
            Ok(reply) => words(&reply.body),
            // It is alive all the same.
            Err(event) => format!("not known to be ready: {}\n", event.message(Lang::En)),
        };
        print(&format!("alive: {}\n{words}", client.address()))?;
        Ok(if is_ready || !self.ready {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// Asks whether the server can do its work. It says why it cannot to who shows a token, which
/// is done where there is something to say, and a token that this user may read.
fn readiness(
    client: &AdminClient,
    settings: &Settings,
    patience: Patience,
) -> Result<ClientReply, Event> {
    let ask = |token| client.send("GET", "/readyz", (token, None), patience);
    let reply = ask(None)?;
    if reply.status == 200 {
        return Ok(reply);
    }
    let Ok((_, token)) = app::admin_token(settings) else {
        return Ok(reply);
    };
    Ok(ask(Some(&token)).unwrap_or(reply))
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
