//! A running server, asked by the commands about devices: where it is, the token that it is
//! shown, and what its refusals mean here.

use super::admin_client::{AdminClient, ClientReply, Trust};
use super::output::{self, Failure, Printed, print_in, print_json};
use super::patience::Patience;
use crate::app;
use crate::config::{self, Settings};
use crate::event::text::Lang;
use crate::event::{Event, event};
use crate::tls::roots_named;
use crate::util::locale::Locale;
use crate::util::paths::absolute;
use crate::util::small_file;
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Most devices of a page that the server gives.
pub(super) const PAGE: usize = 1000;
/// Number of devices that are named where one is not known.
const NEAR: usize = 5;

/// Options of every command that asks a running server.
#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "the text of --help")]
pub(super) struct AskArgs {
    /// The server to ask: http://127.0.0.1:PORT, https://HOST:PORT [default: the
    /// one of this configuration, by gateway.admin.listen]
    #[arg(long, value_name = "URL")]
    server: Option<String>,

    /// File with the token to show [default: admin.token in the state folder of
    /// this configuration, for a server on this machine]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Also trust the certificates in this PEM file; a server on this machine is
    /// taken whatever its certificate
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Take any certificate of the server
    #[arg(long)]
    insecure: bool,

    /// Print what the server says, as JSON
    #[arg(long)]
    pub(super) json: bool,

    /// The language of the output [default: gateway.log.lang, else that of
    /// LC_ALL, LC_MESSAGES or LANG]
    #[arg(long)]
    lang: Option<Lang>,
}

/// A running server, and the token that it is shown.
#[derive(Debug)]
pub(super) struct Asker {
    client: AdminClient,
    token: String,
    token_file: PathBuf,
    /// Language of the output.
    pub(super) lang: Lang,
    /// Language that was asked for by name.
    asked: Option<Lang>,
    pub(super) is_json: bool,
}

/// Reason why a command did not do what it was to do.
#[derive(Debug)]
pub(super) enum AskError {
    /// The server was not asked, or its answer could not be read or shown.
    Unasked(anyhow::Error),
    /// The server said no.
    Refused(Event, Value),
}

impl From<Event> for AskError {
    fn from(event: Event) -> Self {
        Self::Unasked(event.into())
    }
}

impl From<anyhow::Error> for AskError {
    fn from(error: anyhow::Error) -> Self {
        Self::Unasked(error)
    }
}

pub(super) type Asked<T> = Result<T, AskError>;

impl AskArgs {
    /// Asks a server by `ask`, and says what came of it. Exit code 0: it is done. 1: the
    /// server said no. What keeps it from being asked is a failure.
    pub(super) fn run(
        &self,
        config: Option<&Path>,
        ask: impl FnOnce(&Asker) -> Asked<()>,
    ) -> Result<ExitCode, Failure> {
        let asker = self.open(config)?;
        match ask(&asker) {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(AskError::Unasked(error)) => Err(asker.failure(error)),
            Err(AskError::Refused(event, body)) => {
                if asker.is_json {
                    let printed = print_json(&body.to_string());
                    printed.map_err(|error| asker.failure(error))?;
                }
                output::report(&asker.failure(event.into()));
                Ok(ExitCode::FAILURE)
            }
        }
    }

    fn open(&self, config: Option<&Path>) -> Result<Asker, Failure> {
        let is_told = self.server.is_some() && self.token_file.is_some();
        let settings = match config::load(config, &app::machine()) {
            Ok(settings) => Some(settings),
            // Nothing of it is needed, and nobody named it.
            Err(_) if is_told && config.is_none() => None,
            Err(error) => {
                let lang = self.lang.or(error.lang);
                let error = error.into();
                return Err(Failure { error, lang });
            }
        };
        let of_config = settings.as_ref().and_then(Settings::asked_lang);
        let can_show = !output::screen(self.lang).is_ascii();
        let of_config = of_config.filter(|lang| can_show || *lang == Lang::En);
        let asked = self.lang.or(of_config);
        let lang = asked.unwrap_or_else(|| Locale::of_environment().lang);
        let failure = |error| Failure {
            error,
            lang: Some(lang),
        };
        let client = self.client(settings.as_ref()).map_err(failure)?;
        let is_elsewhere = self.server.is_some() && !client.is_of_this_machine();
        if is_elsewhere && self.token_file.is_none() {
            let address = client.address();
            return Err(failure(
                event!(ASK_TOKEN_ELSEWHERE, address = address).into(),
            ));
        }
        // Where nobody answers, a token is of no use, and need not be there yet.
        client
            .greet(Patience::GREETING)
            .map_err(|event| failure(event.into()))?;
        let token = self.token(settings.as_ref());
        let (token_file, token) = token.map_err(|event| failure(event.into()))?;
        Ok(Asker {
            client,
            token,
            token_file,
            lang,
            asked: self.lang,
            is_json: self.json,
        })
    }

    fn client(&self, settings: Option<&Settings>) -> anyhow::Result<AdminClient> {
        let roots = self.ca.as_deref().map(roots_named).transpose()?;
        let trust = Trust {
            roots: roots.unwrap_or_default(),
            is_blind: self.insecure,
        };
        let client = match (&self.server, settings) {
            (Some(server), _) => AdminClient::named(server, trust),
            (None, Some(settings)) => AdminClient::of(settings).map(|client| client.with(trust)),
            (None, None) => Err(event!(ASK_OFF)),
        };
        Ok(client?)
    }

    /// Returns the token to show, and its file.
    fn token(&self, settings: Option<&Settings>) -> Result<(PathBuf, String), Event> {
        let named = match (&self.token_file, settings) {
            (Some(named), _) => named,
            (None, Some(settings)) => return app::admin_token(settings),
            (None, None) => return Err(event!(ASK_TOKEN_MISSING, file = "admin.token")),
        };
        let file = absolute(named);
        let token = match small_file::read_or_pipe(named) {
            Ok(bytes) => String::from_utf8(bytes.trim_ascii().to_vec()).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(event!(ASK_TOKEN_DENIED, file = file, error = &error));
            }
            Err(error) => {
                return Err(event!(ASK_TOKEN_UNREADABLE, file = file, error = &error));
            }
        };
        // A header cannot carry anything else.
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            let error = io::Error::from(io::ErrorKind::InvalidData);
            return Err(event!(ASK_TOKEN_UNREADABLE, file = file, error = &error));
        }
        Ok((file, token))
    }
}

impl Asker {
    fn failure(&self, error: anyhow::Error) -> Failure {
        Failure {
            error,
            lang: Some(self.lang),
        }
    }

    /// Writes text for people.
    pub(super) fn print(&self, text: &str) -> anyhow::Result<Printed> {
        print_in(self.asked, text)
    }

    /// Asks for something, and returns the JSON of the answer.
    pub(super) fn get(&self, path: &str) -> Asked<Value> {
        self.order("GET", path, None)
    }

    /// Sends a request, and returns the JSON of the answer.
    pub(super) fn order(&self, method: &str, path: &str, body: Option<&Value>) -> Asked<Value> {
        let body = body.map(Value::to_string);
        let said = (Some(&*self.token), body.as_deref());
        let patience = if method == "GET" {
            Patience::ANSWER
        } else {
            Patience::ORDER
        };
        let reply = self.client.send(method, path, said, patience)?;
        if reply.status == 200 {
            let json = serde_json::from_slice(&reply.body);
            return json.map_err(|_| self.other_version().into());
        }
        Err(self.refused(&reply))
    }

    /// Reads an answer.
    pub(super) fn read<T: DeserializeOwned>(&self, json: &Value) -> Asked<T> {
        let read = T::deserialize(json);
        read.map_err(|_| self.other_version().into())
    }

    fn other_version(&self) -> Event {
        let own = env!("CARGO_PKG_VERSION");
        event!(
            ASK_OTHER_VERSION,
            address = self.client.address(),
            own = own
        )
    }

    /// Says what a refusal means, by the id that the server gives.
    fn refused(&self, reply: &ClientReply) -> AskError {
        let json: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let error = &json["error"];
        let said = error["message"].as_str().unwrap_or_default().to_owned();
        let (address, file) = (self.client.address(), &self.token_file);
        let event = match error["id"].as_str().unwrap_or_default() {
            "no-token" | "wrong-token" => {
                event!(ASK_WRONG_TOKEN, address = address, file = file)
            }
            "too-many-guesses" => event!(ASK_TOO_MANY_GUESSES, address = address, file = file),
            "forbidden" => event!(ASK_FORBIDDEN, file = file),
            "misdirected" => event!(ASK_MISDIRECTED, address = address),
            "not-kept" => event!(ASK_NOT_KEPT, said = said),
            "late" => event!(ASK_BUSY, address = address),
            "not-found" | "method-not-allowed" | "" => self.other_version(),
            _ => event!(
                ASK_REFUSED,
                address = address,
                status = reply.status,
                said = said
            ),
        };
        AskError::Refused(event, json)
    }

    /// Says of a device that is not known which ones are near it.
    pub(super) fn of_device<T>(&self, id: &str, answer: Asked<T>) -> Asked<T> {
        answer.map_err(|error| match error {
            AskError::Refused(_, json) if json["error"]["id"] == "no-device" => {
                let near = self.near(id);
                let near = (!near.is_empty()).then_some(&*near);
                AskError::Refused(event!(ASK_NO_DEVICE, device = id, near = near), json)
            }
            error => error,
        })
    }

    /// Returns ids of devices that may be meant by one that is not known.
    fn near(&self, id: &str) -> Vec<String> {
        let wanted = digits(id);
        let searched = match wanted.split_at_checked(6) {
            // A slip of the finger is in one half of an address.
            Some((first, last)) if wanted.len() == 12 => vec![first.to_owned(), last.to_owned()],
            _ => vec![id.to_owned()],
        };
        let mut near = Vec::new();
        for q in searched {
            let q = utf8_percent_encode(&q, NON_ALPHANUMERIC);
            let page = self.get(&format!("/api/v1/devices?limit={PAGE}&q={q}"));
            let page = page.unwrap_or_default();
            for device in page["devices"].as_array().into_iter().flatten() {
                let known = device["mac"].as_str().unwrap_or_default().to_owned();
                let is_near = wanted.len() != 12 || differences(&wanted, &digits(&known)) <= 2;
                if is_near && near.len() < NEAR && !near.contains(&known) {
                    near.push(known);
                }
            }
        }
        near
    }
}

/// Returns the hexadecimal digits of an address.
fn digits(id: &str) -> String {
    let digits = id.chars().filter(char::is_ascii_hexdigit);
    digits.collect::<String>().to_ascii_lowercase()
}

fn differences(one: &str, other: &str) -> usize {
    let length = one.len().abs_diff(other.len());
    length
        + one
            .bytes()
            .zip(other.bytes())
            .filter(|(a, b)| a != b)
            .count()
}

/// Returns the path of a device in the API.
pub(super) fn device_path(id: &str) -> String {
    let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
    format!("/api/v1/devices/{id}")
}

/// Reads the id of a device on the command line.
pub(super) fn device_id(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("write a MAC address, in any spelling, or the id that the device sends".into());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_encoded_whole() {
        assert_eq!(
            device_path("a/../b?c"),
            "/api/v1/devices/a%2F%2E%2E%2Fb%3Fc"
        );
        assert_eq!(device_path("é"), "/api/v1/devices/%C3%A9");
        assert!(device_id("").is_err() && device_id("x").is_ok());
    }

    #[test]
    fn slips_are_counted_in_digits() {
        let wanted = digits("AA-BB-CC-DD-EE-0F");
        assert_eq!(wanted, "aabbccddee0f");
        assert_eq!(differences(&wanted, &digits("aa:bb:cc:dd:ee:0f")), 0);
        assert_eq!(differences(&wanted, &digits("aa:bb:cc:dd:ee:f0")), 2);
        assert_eq!(differences(&wanted, &digits("aa:bb:cc:dd:ee")), 2);
    }
}
