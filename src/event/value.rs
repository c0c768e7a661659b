//! Values of an event's fields.

use super::Event;
use super::text::{Lang, Text};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// None: the field is left out.
    Absent,
    /// A text. Strangers may have written it.
    Text(Cow<'static, str>),
    /// A text of ours, in both languages.
    Words(Text),
    /// A number without a sign.
    Number(u64),
    /// A yes or no.
    Flag(bool),
    /// Several values.
    List(Vec<Value>),
    /// Event that is the reason.
    Event(Box<Event>),
}

impl Value {
    /// Writes the value as a reader of `lang` reads it.
    pub fn write(&self, lang: Lang, to: &mut String) {
        // Writing to a String cannot fail.
        match self {
            Self::Absent => {}
            Self::Text(text) => to.push_str(text),
            Self::Words(text) => to.push_str(text.to(lang)),
            Self::Number(number) => {
                let _ = write!(to, "{number}");
            }
            Self::Flag(flag) => {
                let _ = write!(to, "{flag}");
            }
            Self::List(values) => {
                for (n, value) in values.iter().enumerate() {
                    if n > 0 {
                        to.push_str(lang.pick("、", ", "));
                    }
                    value.write(lang, to);
                }
            }
            Self::Event(event) => {
                event.write(lang, to);
            }
        }
    }
}

macro_rules! from {
    ($($from:ty, $name:ident => $to:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($name: $from) -> Self {
                $to
            }
        }
    )*};
}

from! {
    &str, text => Self::Text(Cow::Owned(text.to_owned()));
    &String, text => Self::Text(Cow::Owned(text.clone()));
    String, text => Self::Text(Cow::Owned(text));
    &Path, path => Self::Text(Cow::Owned(path.display().to_string()));
    &PathBuf, path => Self::Text(Cow::Owned(path.display().to_string()));
    PathBuf, path => Self::Text(Cow::Owned(path.display().to_string()));
    Text, words => Self::Words(words);
    SocketAddr, address => Self::Text(Cow::Owned(address.to_string()));
    IpAddr, address => Self::Text(Cow::Owned(address.to_string()));
    &io::Error, error => Self::Text(Cow::Owned(error.to_string()));
    u8, number => Self::Number(number.into());
    u16, number => Self::Number(number.into());
    u32, number => Self::Number(number.into());
    u64, number => Self::Number(number);
    usize, number => Self::Number(number as u64);
    bool, flag => Self::Flag(flag);
    Event, event => Self::Event(Box::new(event));
    &Event, event => Self::Event(Box::new(event.clone()));
}

impl From<Cow<'_, str>> for Value {
    fn from(text: Cow<'_, str>) -> Self {
        Self::Text(Cow::Owned(text.into_owned()))
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}

impl From<&[String]> for Value {
    fn from(values: &[String]) -> Self {
        Self::List(values.iter().map(Self::from).collect())
    }
}

impl From<&[&str]> for Value {
    fn from(values: &[&str]) -> Self {
        Self::List(values.iter().map(|text| Self::from(*text)).collect())
    }
}

impl From<&[usize]> for Value {
    fn from(numbers: &[usize]) -> Self {
        Self::List(numbers.iter().map(|number| Self::from(*number)).collect())
    }
}

impl From<&[u16]> for Value {
    fn from(numbers: &[u16]) -> Self {
        Self::List(numbers.iter().map(|number| Self::from(*number)).collect())
    }
}
