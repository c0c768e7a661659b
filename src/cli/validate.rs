//! `xiaozhi-ota validate`: what a configuration comes to.

use crate::app;
use crate::config::{self, Machine, Settings};
use crate::http::plain::PlainHttp;
use crate::ota::credentials::Voice;
use crate::ota::decide::DefaultFor;
use crate::tls::{Certificates, Mode};
use clap::Args;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// The configurations to check [default: the one of --config]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Validate {
    pub(super) fn run(self, config: Option<PathBuf>) -> anyhow::Result<ExitCode> {
        let files: Vec<Option<PathBuf>> = if self.files.is_empty() {
            vec![config]
        } else {
            self.files.into_iter().map(Some).collect()
        };
        let machine = app::machine();
        let mut good = true;
        for file in files {
            match judge(file, &machine) {
                Ok(text) => io::stdout().write_all(text.as_bytes())?,
                Err(e) => {
                    good = false;
                    for line in format!("{e:#}").lines() {
                        writeln!(io::stderr(), "error: {line}")?;
                    }
                }
            }
        }
        Ok(if good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

fn judge(file: Option<PathBuf>, machine: &Machine) -> anyhow::Result<String> {
    let settings = config::load(file.as_deref(), machine)?;
    // Files are read; a certificate of our own is made at start, not here.
    let certificates = match &settings.tls {
        Mode::Files(_) => Certificates::load(&settings.tls, SystemTime::now())?,
        Mode::Off | Mode::SelfSigned { .. } => None,
    };
    let mut text = describe(&settings)?;
    for warning in &settings.warnings {
        writeln!(text, "warning: {warning}")?;
    }
    let findings = app::audit(&settings, certificates.as_deref(), &settings.bind.ports);
    for finding in findings {
        writeln!(text, "warning: {finding}")?;
    }
    Ok(text)
}

fn describe(settings: &Settings) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let file = settings.file.as_ref().map_or_else(
        || format!("no {}: every setting has its default", config::DEFAULT_FILE),
        |file| format!("{}: good", file.display()),
    );
    writeln!(text, "{file}")?;
    let mut line =
        |what: &str, value: &dyn std::fmt::Display| writeln!(text, "  {what:<18} {value}");
    line(
        "OTA address",
        &format_args!(
            "{} (from {})",
            settings.public.ota_url(),
            settings.public.source()
        ),
    )?;
    line(
        "downloads",
        &format_args!("{}{{file}}", settings.public.download_base()),
    )?;
    line("vision address", &settings.public.vision_url())?;
    let ip = settings
        .bind
        .ip
        .map_or_else(|| "every address".to_owned(), |ip| ip.to_string());
    line(
        "listens on",
        &format_args!("{ip}, ports {}", list(&settings.bind.ports)),
    )?;
    match &settings.tls {
        Mode::Off => line("TLS", &"off")?,
        Mode::SelfSigned { dir, names } => line(
            "TLS",
            &format_args!(
                "self-signed, kept in {}, for {}",
                dir.display(),
                list(names)
            ),
        )?,
        Mode::Files(pairs) => {
            for pair in pairs {
                line(
                    "TLS",
                    &format_args!("{} with key {}", pair.cert.display(), pair.key.display()),
                )?;
            }
        }
    }
    match &settings.plain_http {
        PlainHttp::Allowed => line("plain HTTP", &"served")?,
        PlainHttp::Until { day, .. } => {
            line("plain HTTP", &format_args!("served to the end of {day}"))?
        }
        PlainHttp::Refused => line("plain HTTP", &"refused (403)")?,
    }
    match &settings.voice {
        Voice::Mqtt {
            endpoint,
            signature_key,
        } => {
            let key = if signature_key.is_some() {
                "signed with a key (masked)"
            } else {
                "without a password"
            };
            line("voice", &format_args!("MQTT at {endpoint}, {key}"))?;
        }
        Voice::WebSocket { url, auth: None } => line(
            "voice",
            &format_args!("WebSocket at {url}, without a token"),
        )?,
        Voice::WebSocket {
            url,
            auth: Some(auth),
        } => line(
            "voice",
            &format_args!(
                "WebSocket at {url}, with a token (key masked), {} devices without",
                auth.allowed_devices.len()
            ),
        )?,
    }
    line(
        "time zone",
        &format_args!("{:+} min from UTC", settings.timezone_offset),
    )?;
    line(
        "firmware",
        &format_args!(
            "{}, looked at every {:?} and on change, {} MiB in memory",
            settings.catalogue.dir.display(),
            settings.catalogue.ttl,
            settings.memory >> 20
        ),
    )?;
    line(
        "default_*.bin for",
        &match settings.policy.default_for {
            DefaultFor::Unmatched => {
                "devices whose model has no file here, and those that name none"
            }
            DefaultFor::Unreported => "devices that name no model",
        },
    )?;
    for (model, version) in &settings.policy.pins {
        line("pin", &format_args!("{model} to {version}"))?;
    }
    let limits = &settings.limits;
    line(
        "limits",
        &format_args!(
            "{} connections, handshake {:?}, headers {:?}, idle {:?}, drain {:?}",
            limits.connections, limits.handshake, limits.headers, limits.idle, limits.drain
        ),
    )?;
    let log = settings.log.file.as_ref().map_or_else(
        || "console".to_owned(),
        |f| format!("console and {}", f.display()),
    );
    line(
        "log",
        &format_args!("{log}, {} and above", settings.log.level),
    )?;
    Ok(text)
}

fn list<T: ToString>(items: &[T]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
