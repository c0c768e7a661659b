//! Words about an address that a device misreads.

use super::{AddressFault, AddressKind, Effect, LONGEST_HOST, LONGEST_LABEL, Misread};
use std::fmt;

impl AddressKind {
    /// Returns an example of such an address.
    fn form(self) -> &'static str {
        match self {
            Self::Http => "http://192.168.1.100:8003/… or https://ota.example.com/…",
            Self::WebSocket => {
                "ws://192.168.1.100:8000/xiaozhi/v1/ or wss://voice.example.com/xiaozhi/v1/"
            }
            Self::Mqtt => "192.168.1.100:1883, without scheme and path",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aborts => "abort",
            Self::Mute => "mute",
            Self::Fails => "fail",
        })
    }
}

impl Misread {
    /// Says what the device makes of the address, and what becomes of it.
    pub fn consequence(&self) -> String {
        format!("{}, {}", self.what(), self.becomes())
    }

    /// Says how to write the address.
    pub fn remedy(&self) -> String {
        let more = match self.fault {
            AddressFault::Ipv6 => "use a host name or an IPv4 address, as in ",
            AddressFault::User => "take user name and password out, as in ",
            AddressFault::ColonInPath => {
                "write the port, too (:80, or :443 behind wss), or take the colon out, as in "
            }
            AddressFault::HostSign if self.part.is_ascii() => {
                "write host and port in ASCII letters and digits, as in "
            }
            AddressFault::HostSign => {
                "write host and port in ASCII, the colon too (':', not '：'), as in "
            }
            AddressFault::PathSign => "write it as %XX, or take it out, as in ",
            AddressFault::Long | AddressFault::HostLong => "shorten it, as in ",
            _ if self.kind == AddressKind::Mqtt && self.part.starts_with("//") => {
                "take the scheme in front away, as in "
            }
            _ => "write a port from 1 to 65535, as in ",
        };
        match self.fault {
            AddressFault::NoScheme | AddressFault::Scheme | AddressFault::NoHost => {
                format!("write {}", self.kind.form())
            }
            _ => format!("{more}{}", self.kind.form()),
        }
    }

    fn what(&self) -> String {
        let Self { part, kind, .. } = self;
        let first = match kind {
            AddressKind::Http => "what stands behind the colon",
            AddressKind::WebSocket => "what stands behind the first colon after the scheme",
            AddressKind::Mqtt => "what stands behind the first colon",
        };
        match self.fault {
            AddressFault::NoScheme => {
                format!("it has no scheme, and devices take {part:?} for no address")
            }
            AddressFault::Scheme => format!(
                "its scheme must be {}, in lower case, and not {part:?}",
                match kind {
                    AddressKind::WebSocket => "ws or wss",
                    _ => "http or https",
                }
            ),
            AddressFault::NoHost => format!("it names no host in {part:?}"),
            AddressFault::HostSign => format!("its host holds {part:?}, which no host name has"),
            AddressFault::Ipv6 => {
                format!("{part:?} is an IPv6 address, which devices cut at its first colon")
            }
            AddressFault::User => {
                format!("devices know no user name and cut {part:?} at its first colon")
            }
            AddressFault::NoPort => format!("devices take {first} for the port, and nothing does"),
            AddressFault::NoNumber => {
                format!("devices take {first} for the port, and {part:?} is no number")
            }
            AddressFault::Huge => {
                format!("devices take {first} for the port, and {part:?} is above 2147483647")
            }
            AddressFault::OtherPort(read) if self.may_work() => format!(
                "devices take {first} for the port, and of {part:?} some read {read}, others nothing"
            ),
            AddressFault::OtherPort(read) => format!(
                "devices take {first} for the port, and read {read} from {part:?}, which is no port from 1 to 65535 as \
                 it stands"
            ),
            AddressFault::ColonInPath => format!(
                "it names no port, and devices take what stands behind the colon in its path, {part:?}, for one"
            ),
            AddressFault::PathSign => {
                format!("its path holds {part:?}, which breaks the device's request")
            }
            AddressFault::HostLong => format!(
                "its host {part:?} is no name: that has at most {LONGEST_HOST} bytes, and {LONGEST_LABEL} between two dots"
            ),
            AddressFault::Long => {
                format!("it has {part}, and devices take at most {}", kind.longest())
            }
        }
    }

    fn becomes(&self) -> &'static str {
        match (self.effect, self.kind) {
            (Effect::Aborts, AddressKind::Mqtt) => "and abort when they start MQTT, at every boot",
            (Effect::Aborts, _) if self.fault == AddressFault::Long => {
                "and abort when they are handed it, at every boot"
            }
            (Effect::Aborts, _) => "and abort whenever they are spoken to",
            (Effect::Mute, AddressKind::WebSocket) if self.fault == AddressFault::Scheme => {
                "which devices take for ws, without TLS and on port 80 where none is written: where that is not meant they \
                 are mute"
            }
            (Effect::Mute, _) => "so that devices are mute",
            (Effect::Fails, _) => "so that devices fail to connect",
        }
    }
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.consequence(), self.remedy())
    }
}
