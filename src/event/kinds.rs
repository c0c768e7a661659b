//! Every kind of event. The id of one never changes once it was released; its words
//! may.

use super::Kind;
use super::Severity::{self, Warning};
use super::text::Text;

/// Declares the kinds of a file, and a list of them.
macro_rules! kinds {
    ($all:ident: $($(#[$doc:meta])* $name:ident = $kind:expr;)*) => {
        $($(#[$doc])* pub static $name: Kind = $kind;)*
        pub(super) static $all: &[&Kind] = &[$(&$name),*];
    };
}

/// Makes a kind that speaks of a key and its value.
macro_rules! of_key {
    ($id:literal, $severity:ident, [$($field:literal),*], $zh:literal, $en:literal $(,)?) => {
        Kind::new(
            $id,
            $severity,
            "app",
            &["place?~", "key?", "value?", $($field),*],
            concat!("{|key|：}{|value|：}", $zh),
            concat!("{|key|: }{|value|: }", $en),
        )
        .lead(PLACE)
    };
}

/// Makes a kind that speaks of a key, its value, and another key that it clashes with.
macro_rules! of_keys {
    ($id:literal, $severity:ident, [$($field:literal),*], $zh:literal, $en:literal $(,)?) => {
        of_key!($id, $severity, ["beside?", "beside_place?~" $(, $field)*], $zh, $en)
    };
}

/// Place in front of a message about the configuration.
const PLACE: Text = Text::new("{place}：", "{place}: ");

/// Makes a kind of what an audit finds, behind the setting that it speaks of. It can be
/// meant, and would hurt devices.
const fn found(
    id: &'static str,
    fields: &'static [&'static str],
    zh: &'static str,
    en: &'static str,
) -> Kind {
    let lead = Text::new("{place}：{setting}：", "{place}: {setting}: ");
    Kind::new(id, Warning, "audit", fields, zh, en).lead(lead)
}

/// Makes a kind of a hint that an audit gives: all is as it should be, and some devices
/// may want more.
const fn hint(
    id: &'static str,
    fields: &'static [&'static str],
    zh: &'static str,
    en: &'static str,
) -> Kind {
    let mut kind = found(id, fields, zh, en);
    kind.severity = Severity::Info;
    kind
}

/// Makes a kind of a reason inside another event, which has the severity and the room of
/// its own.
const fn why(
    id: &'static str,
    fields: &'static [&'static str],
    zh: &'static str,
    en: &'static str,
) -> Kind {
    Kind::new(id, Severity::Info, "", fields, zh, en)
}

mod acme;
mod address;
mod admin;
mod archive;
mod ask;
mod backup;
mod certificate;
mod check_in;
mod config;
mod config_text;
mod connection;
mod file;
mod forecast;
mod foreign;
mod handshake;
mod image;
mod misread;
mod name;
mod pair;
mod process;
mod publish;
mod request;
mod state;
mod store;
mod upstream;
mod withheld;

pub use acme::*;
pub use address::*;
pub use admin::*;
pub use archive::*;
pub use ask::*;
pub use backup::*;
pub use certificate::*;
pub use check_in::*;
pub use config::*;
pub use config_text::*;
pub use connection::*;
pub use file::*;
pub use forecast::*;
pub use foreign::*;
pub use handshake::*;
pub use image::*;
pub use misread::*;
pub use name::*;
pub use pair::*;
pub use process::*;
pub use publish::*;
pub use request::*;
pub use state::*;
pub use store::*;
pub use upstream::*;
pub use withheld::*;

/// Returns the kinds of TLS handshakes that failed.
pub fn handshakes() -> impl Iterator<Item = &'static Kind> {
    // What has no room is a reason within one of them.
    let kinds = HANDSHAKES.iter().copied();
    kinds.filter(|kind| !kind.room.is_empty())
}

/// Returns every kind, in the order in which the documents show them.
pub fn all() -> impl Iterator<Item = &'static Kind> {
    [
        PROCESS,
        CONFIGURATION,
        CONFIGURATION_TEXT,
        CHECK_INS,
        REASONS,
        FILES,
        NAMES,
        IMAGES,
        FOREIGN,
        ARCHIVES,
        PUBLISHING,
        MISREAD,
        REQUESTS,
        CONNECTIONS,
        HANDSHAKES,
        PAIRS,
        CERTIFICATES,
        ORDERS,
        ADDRESSES,
        ADMIN,
        ASKING,
        STATE,
        FORECASTS,
        BACKUPS,
        STORE,
        UPSTREAM,
    ]
    .into_iter()
    .flatten()
    .copied()
}
