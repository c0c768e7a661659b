//! Which firmware a device runs and through which hardware it speaks. The rules
//! that it goes by follow from these two.

use std::fmt;

/// A line of the firmware, between whose first and last release the rules that
/// matter here did not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Line {
    /// Before 1.6.0: `firmware` must be there; no `force`.
    #[value(name = "v1.5")]
    V1_5,
    /// 1.6.0 to 1.7.x: values are taken without a look at their type.
    #[value(name = "v1.6")]
    V1_6,
    /// 1.8.0 to 1.9.x: a HTTP client of its own, which compares header names by
    /// case.
    #[value(name = "v1.8")]
    V1_8,
    /// 2.0.0 and later: header names in any case; sounds in `assets`.
    #[value(name = "v2")]
    V2,
}

impl Line {
    /// Every line, the oldest first.
    pub const ALL: [Self; 4] = [Self::V1_5, Self::V1_6, Self::V1_8, Self::V2];

    /// The line that a version belongs to; the newest for what is no version.
    pub fn of_version(version: &str) -> Self {
        let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(0), _) | (Some(1), Some(0..=5) | None) => Self::V1_5,
            (Some(1), Some(6 | 7)) => Self::V1_6,
            (Some(1), _) => Self::V1_8,
            _ => Self::V2,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_5 => "v1.5",
            Self::V1_6 => "v1.6",
            Self::V1_8 => "v1.8",
            Self::V2 => "v2",
        })
    }
}

/// The hardware that a device speaks through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Client {
    /// The chip's own Wi-Fi and mbedTLS.
    Wifi,
    /// China Mobile's ML307 4G modem, which brings its own HTTP and TLS.
    Ml307,
    /// Quectel's EC801E 4G modem: its own TLS, the firmware's HTTP.
    Ec801e,
}

impl Client {
    /// Every kind of hardware.
    pub const ALL: [Self; 3] = [Self::Wifi, Self::Ml307, Self::Ec801e];

    /// 4G.
    pub fn is_modem(self) -> bool {
        self != Self::Wifi
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wifi => "Wi-Fi",
            Self::Ml307 => "ML307",
            Self::Ec801e => "EC801E",
        })
    }
}

/// The code that reads a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpClient {
    /// `EspHttp` over ESP-IDF's `esp_http_client` (esp-ml307 before 3.0).
    EspHttp,
    /// `HttpClient` (esp-ml307 3.0 on) while it compared names by case.
    StrictHttpClient,
    /// `HttpClient` since.
    HttpClient,
    /// `Ml307Http`: the modem's own client, its headers read by case.
    Ml307Http,
}

/// A line of the firmware on a kind of hardware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The firmware.
    pub line: Line,
    /// The hardware.
    pub client: Client,
}

impl Kind {
    /// Every one that exists, the oldest first.
    pub fn all() -> impl Iterator<Item = Self> {
        let of_line = |line| Client::ALL.map(|client| Self { line, client });
        Line::ALL
            .into_iter()
            .flat_map(of_line)
            .filter(|kind| kind.exists())
    }

    /// Firmware knows the EC801E since 1.8 (esp-ml307 3.0).
    pub fn exists(self) -> bool {
        self.client != Client::Ec801e || self.line >= Line::V1_8
    }

    /// What reads its replies.
    pub fn http(self) -> HttpClient {
        match (self.client, self.line) {
            (Client::Ml307, _) => HttpClient::Ml307Http,
            (_, Line::V1_5 | Line::V1_6) => HttpClient::EspHttp,
            (_, Line::V1_8) => HttpClient::StrictHttpClient,
            (_, Line::V2) => HttpClient::HttpClient,
        }
    }

    /// Whether it finds a header only under its usual name in Title-Case.
    pub fn reads_names_by_case(self) -> bool {
        matches!(
            self.http(),
            HttpClient::StrictHttpClient | HttpClient::Ml307Http
        )
    }

    /// Whether it holds the server's certificate against anything. Modems are
    /// told not to (`AT+MSSLCFG="auth",0,0`).
    pub fn verifies(self) -> bool {
        self.client == Client::Wifi
    }

    /// Whether it looks at the status of a check. Before 1.8 the body was parsed
    /// whatever the status said (`Ota::CheckVersion`).
    pub fn minds_status(self) -> bool {
        self.line >= Line::V1_8
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.line, self.client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_their_lines() {
        for (version, line) in [
            ("0.9.9", Line::V1_5),
            ("1.5.8", Line::V1_5),
            ("1.6.0", Line::V1_6),
            ("1.7.6", Line::V1_6),
            ("1.8.0", Line::V1_8),
            ("1.9.2_2", Line::V1_8),
            ("2.0.0", Line::V2),
            ("x", Line::V2),
        ] {
            assert_eq!(Line::of_version(version), line, "{version}");
        }
    }

    #[test]
    fn ten_kinds() {
        assert_eq!(Kind::all().count(), 10);
    }
}
