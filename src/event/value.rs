//! Values of an event's fields.

use super::Event;
use super::text::{Lang, Text};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// None: the field is left out.
    Absent,
    /// A text. Strangers may have written it.
    Text(Cow<'static, str>),
    /// A text of ours, in both languages.
    Words(Text),
    /// Address and port of somebody.
    Socket(SocketAddr),
    /// Address of somebody.
    Ip(IpAddr),
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
            Self::Socket(SocketAddr::V4(address)) => {
                write_v4(*address.ip(), Some(address.port()), to);
            }
            Self::Ip(IpAddr::V4(ip)) => write_v4(*ip, None, to),
            Self::Socket(address) => {
                let _ = write!(to, "{address}");
            }
            Self::Ip(ip) => {
                let _ = write!(to, "{ip}");
            }
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

impl Value {
    /// Returns the value as a reader of `lang` reads it.
    pub(crate) fn in_words(&self, lang: Lang) -> String {
        let mut text = String::new();
        self.write(lang, &mut text);
        text
    }

    /// Cuts texts of more than so many bytes, and lists of more than so many values.
    pub(super) fn shorten(&mut self, longest: usize) {
        match self {
            Self::Text(text) if text.len() > longest => {
                let end = text.floor_char_boundary(longest);
                let mut cut = text.get(..end).unwrap_or_default().to_owned();
                cut.push('…');
                *text = Cow::Owned(cut);
            }
            Self::List(values) => {
                values.truncate(longest / 16);
                for value in values {
                    value.shorten(longest);
                }
            }
            Self::Event(event) => event.shorten(longest),
            _ => {}
        }
    }
}

/// Writes an address as `Display` does, which takes several times as long: three lines of
/// each check-in have one.
fn write_v4(ip: Ipv4Addr, port: Option<u16>, to: &mut String) {
    let mut text = [0; "255.255.255.255:65535".len()];
    let mut from = text.len();
    let mut put = |byte: u8| {
        from -= 1;
        text[from] = byte;
    };
    if let Some(port) = port {
        put_number(port, &mut put);
        put(b':');
    }
    for (n, octet) in ip.octets().into_iter().rev().enumerate() {
        if n > 0 {
            put(b'.');
        }
        put_number(octet.into(), &mut put);
    }
    to.push_str(str::from_utf8(&text[from..]).unwrap_or_default());
}

/// Puts the digits of a number, the last one first.
fn put_number(mut number: u16, put: &mut impl FnMut(u8)) {
    loop {
        let [digit, _] = (number % 10).to_le_bytes();
        put(b'0' + digit);
        number /= 10;
        if number == 0 {
            return;
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
    SocketAddr, address => Self::Socket(address);
    IpAddr, ip => Self::Ip(ip);
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn addresses_are_written_as_everywhere(address in any::<SocketAddr>()) {
            let mut text = String::new();
            Value::from(address).write(Lang::En, &mut text);
            Value::from(address.ip()).write(Lang::En, &mut text);
            prop_assert_eq!(text, format!("{address}{}", address.ip()));
        }
    }
}
