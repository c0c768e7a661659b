//! `xiaozhi-ota validate`: checks a configuration, and shows what it comes to.

use super::output::{print, report, screen};
use crate::app;
use crate::config::{self, Machine, Settings};
use crate::event::Severity;
use crate::event::text::Lang;
use crate::firmware::Verify;
use crate::http::plain::PlainHttp;
use crate::http::proxy::ProxySettings;
use crate::ota::credentials::{TokenAuth, Voice};
use crate::ota::decide::DefaultFor;
use crate::telemetry::line::{Format, Style};
use crate::tls::Mode;
use crate::util::terminal::{file_name, one_line};
use clap::Args;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use xiaozhi_device::redact;

#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// The configurations to check [default: the one of --config]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl ValidateArgs {
    pub(super) fn run(self, config: Option<PathBuf>) -> anyhow::Result<ExitCode> {
        let files: Vec<Option<PathBuf>> = if self.files.is_empty() {
            vec![config]
        } else {
            self.files.into_iter().map(Some).collect()
        };
        let machine = app::machine();
        let mut good = true;
        for file in files {
            match judge(file.as_deref(), &machine) {
                Ok(text) => drop(print(&text)?),
                Err(e) => {
                    good = false;
                    report(&e);
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

fn judge(file: Option<&Path>, machine: &Machine) -> anyhow::Result<String> {
    let settings = config::load(file, machine)?;
    // Files are read; a certificate of our own is made at start, not here.
    let certificates = match &settings.tls {
        Mode::Files(_) => app::certificates(&settings)?,
        Mode::Off | Mode::SelfSigned { .. } | Mode::Acme(_) => None,
    };
    let of_ca = app::check_acme(&settings)?;
    let mut text = describe(&settings)?;
    let lang = language(&settings);
    for warning in &settings.warnings {
        let words = warning.event.advice(lang);
        let line = format!("{}: warning: {words}", warning.place);
        writeln!(text, "{}", one_line(&line))?;
    }
    let lookups = app::look_up_names(&settings);
    let ports = settings.bind.numbers();
    let findings = app::audit(&settings, certificates.as_deref(), &ports, &lookups);
    for finding in findings.into_iter().chain(of_ca) {
        let (setting, advice) = (finding.setting(), finding.advice(lang));
        let place = settings.places.place(setting);
        let weight = match finding.kind.severity {
            Severity::Info => "hint",
            Severity::Warning | Severity::Error => "warning",
        };
        let line = format!("{place}: {weight}: {setting}: {advice}");
        writeln!(text, "{}", one_line(&line))?;
    }
    Ok(text)
}

/// Returns the language of the log, where the terminal can show it.
fn language(settings: &Settings) -> Lang {
    if screen(None).is_ascii() {
        Lang::En
    } else {
        settings.log.style.lang
    }
}

fn describe(settings: &Settings) -> Result<String, std::fmt::Error> {
    let mut text = settings.file.as_ref().map_or_else(
        || {
            format!(
                "no {}: every setting has its default\n",
                config::DEFAULT_FILE
            )
        },
        |file| format!("{}: good\n", file_name(file)),
    );
    for (what, value) in doors(settings).into_iter().chain(rooms(settings)) {
        writeln!(text, "  {what:<18} {}", one_line(&value))?;
    }
    Ok(text)
}

/// Lists what is seen from outside.
fn doors(settings: &Settings) -> Vec<(&'static str, String)> {
    let public = &settings.public;
    let ip = settings
        .bind
        .ip
        .map_or_else(|| "every address".to_owned(), |ip| ip.to_string());
    let ports = settings.bind.ports.iter().map(|port| {
        let header = if port.proxy_protocol {
            " (PROXY protocol)"
        } else {
            ""
        };
        format!("{}{header}", port.number)
    });
    let ports: Vec<_> = ports.collect();
    let mut lines = vec![
        (
            "OTA address",
            format!("{} (from {})", public.ota_url(), public.source()),
        ),
        (
            "downloads",
            format!("{}{{file}}", public.ota().download_base()),
        ),
        ("vision address", public.vision_url().to_owned()),
        ("listens on", format!("{ip}, ports {}", list(&ports))),
    ];
    if settings.hands_out_reached() {
        let how = "the scheme, host and port by which each device comes; these only where that does not show";
        lines.insert(1, ("handed out", how.into()));
    }
    match &settings.tls {
        Mode::Off => lines.push(("TLS", "off".into())),
        Mode::SelfSigned { dir, names, .. } => {
            lines.push((
                "TLS",
                format!(
                    "self-signed, kept in {}, for {}",
                    dir.display(),
                    list(names)
                ),
            ));
        }
        Mode::Acme(acme) => lines.push((
            "TLS",
            format!(
                "ordered from {} by {}{}, kept in {}, for {}",
                acme.directory,
                acme.challenge,
                acme.eab.as_ref().map_or_else(String::new, |eab| format!(
                    " under the contract {}",
                    eab.key_id
                )),
                acme.paths().cert.display(),
                list(&acme.names)
            ),
        )),
        Mode::Files(pairs) => lines.extend(pairs.iter().map(|p| {
            (
                "TLS",
                format!("{} with key {}", p.cert.display(), p.key.display()),
            )
        })),
    }
    lines.push((
        "plain HTTP",
        match &settings.plain_http {
            PlainHttp::Allowed => "served".into(),
            PlainHttp::Until { day, .. } => format!("served to the end of {day}"),
            PlainHttp::Refused => "refused (403)".into(),
        },
    ));
    let voice = match &settings.voice {
        Voice::Mqtt {
            endpoint,
            signature_key: Some(_),
        } => format!("MQTT at {endpoint}, signed with a key (masked)"),
        Voice::Mqtt {
            endpoint,
            signature_key: None,
        } => format!("MQTT at {endpoint}, without a password"),
        Voice::WebSocket { auth } => websocket(settings, auth.as_ref()),
    };
    lines.push(("voice", voice));
    lines
}

fn websocket(settings: &Settings, auth: Option<&TokenAuth>) -> String {
    let Some(url) = settings.websocket_url() else {
        return "none: no address that devices can read".to_owned();
    };
    let token = match auth {
        None => "without a token".to_owned(),
        Some(auth) => {
            let without = auth.allowed_devices.len();
            format!("with a token (key masked), {without} devices without")
        }
    };
    format!("WebSocket at {}, {token}", redact::shown(&url))
}

/// Lists what is not seen from outside.
fn rooms(settings: &Settings) -> Vec<(&'static str, String)> {
    let (catalogue, limits) = (&settings.catalogue, &settings.limits);
    let proxy = match (settings.behind_proxy, settings.trusted.is_empty()) {
        (false, _) => "none".to_owned(),
        (true, true) => {
            "it answers the public address; nothing it says of its clients is believed".to_owned()
        }
        (true, false) => format!(
            "it answers the public address; what {} says of its clients is believed",
            settings.trusted
        ),
    };
    let mut lines = vec![("proxy in front", proxy)];
    lines.extend(passed_on(&settings.proxy));
    lines.extend([
        (
            "time zone",
            format!("{:+} min from UTC", settings.timezone_offset),
        ),
        (
            "firmware",
            format!(
                "{}, looked at every {:?} and on change, up to {} MiB of it in memory",
                catalogue.dir.display(),
                catalogue.ttl,
                settings.memory >> 20
            ),
        ),
        (
            "no ESP images",
            match catalogue.verify {
                Verify::Warn => "offered, with a warning".into(),
                Verify::Strict => "refused".into(),
            },
        ),
        (
            "default_*.bin for",
            match settings.policy.default_for {
                DefaultFor::Unmatched => {
                    "devices whose model has no file here, and those that name none".into()
                }
                DefaultFor::Unreported => "devices that name no model".into(),
            },
        ),
    ]);
    lines.extend(
        settings
            .policy
            .pins
            .iter()
            .map(|(model, version)| ("pin", format!("{model} to {version}"))),
    );
    let aliases = settings.policy.aliases.models().into_iter();
    lines.extend(aliases.map(|names| ("one model", names.join(", "))));
    lines.push((
        "limits",
        format!(
            "{} connections, handshake {:?}, headers {:?}, idle {:?}, drain {:?}",
            limits.connections, limits.handshake, limits.headers, limits.idle, limits.drain
        ),
    ));
    let log = settings.log.file.as_ref().map_or_else(
        || "console".to_owned(),
        |f| format!("console and {}", f.display()),
    );
    let Style { lang, format } = settings.log.style;
    let form = match (lang, format) {
        (Lang::En, Format::Text) => "in English",
        (Lang::Zh, Format::Text) => "in Chinese",
        (Lang::En, Format::Json) => "in English, as JSON",
        (Lang::Zh, Format::Json) => "in Chinese, as JSON",
    };
    let log = format!("{log}, {} and above, {form}", settings.log.level);
    lines.push(("log", log));
    lines
}

/// Lists what goes to servers behind this one.
fn passed_on(proxy: &ProxySettings) -> Vec<(&'static str, String)> {
    let mut lines: Vec<_> = proxy
        .routes
        .iter()
        .map(|route| {
            let (path, to) = (&route.path, route.to.origin());
            ("passed on", format!("{path} to {to} ({})", route.setting))
        })
        .collect();
    if !lines.is_empty() {
        lines.push((
            "behind this one",
            format!(
                "bodies up to {} KiB, replies within {:?}, WebSockets that are still for up to {:?}",
                proxy.body_limit >> 10,
                proxy.timeout,
                proxy.idle
            ),
        ));
    }
    lines
}

fn list<T: ToString>(items: &[T]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
