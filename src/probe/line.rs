//! Lines of the firmware, and the hardware through which a device speaks. The rules
//! that a device goes by follow from these two.
//!
//! A boundary between two lines is where one of these rules changed: in the
//! firmware's own sources, or with the esp-ml307 that a release was built with
//! (`main/idf_component.yml` asks for a range, and the newest of it at the time of
//! the release is taken for what went in).

use std::fmt;

/// Line of the firmware, between whose first and last release the rules that matter
/// here did not change. Each is named after its first release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Line {
    /// Before 1.6.0: `firmware` must be there; no `force`, no `.../activate`.
    #[value(name = "v1.5")]
    V1_5,
    /// 1.6.0: values are taken without a look at their type; OTA and voice address
    /// are compiled in.
    #[value(name = "v1.6")]
    V1_6,
    /// 1.6.2: reads `websocket`, and a port behind MQTT's host. esp-ml307 2.0: an
    /// ML307 goes by the port 443 for TLS to a WebSocket.
    #[value(name = "v1.6.2")]
    V1_6_2,
    /// 1.6.6: looks at the status of a check and at the types of values.
    /// esp-ml307 2.1: a head without a length is read, too.
    #[value(name = "v1.6.6")]
    V1_6_6,
    /// 1.7.0 to 1.7.2: looks at the status of a download.
    #[value(name = "v1.7")]
    V1_7,
    /// 1.7.5 and 1.7.6: numbers in `mqtt` are stored.
    #[value(name = "v1.7.5")]
    V1_7_5,
    /// 1.7.7: esp-ml307 3.0, which brings `HttpClient` for all hardware. It
    /// compares header names by case.
    #[value(name = "v1.7.7")]
    V1_7_7,
    /// 1.8.0 and 1.8.1: `HttpClient` queues 8 KB at most (esp-ml307 3.0.2).
    #[value(name = "v1.8")]
    V1_8,
    /// 1.8.2 to 1.8.4: an ML307 uses its own HTTP again (esp-ml307 3.2.0), and the
    /// queue is limited where memory is short only.
    #[value(name = "v1.8.2")]
    V1_8_2,
    /// 1.8.5 to 1.9.1: `HttpClient` takes header names in any case (esp-ml307
    /// 3.2.5).
    #[value(name = "v1.8.5")]
    V1_8_5,
    /// 1.9.2 to 1.9.4: the queue is limited again (esp-ml307 3.3.3).
    #[value(name = "v1.9.2")]
    V1_9_2,
    /// 2.0.0 and later: sounds in `assets`.
    #[value(name = "v2")]
    V2,
}

impl Line {
    /// Every line, the oldest first.
    pub(crate) const ALL: [Self; 12] = [
        Self::V1_5,
        Self::V1_6,
        Self::V1_6_2,
        Self::V1_6_6,
        Self::V1_7,
        Self::V1_7_5,
        Self::V1_7_7,
        Self::V1_8,
        Self::V1_8_2,
        Self::V1_8_5,
        Self::V1_9_2,
        Self::V2,
    ];

    /// Returns the line that a version belongs to; the newest for what is no
    /// version.
    pub(crate) fn of_version(version: &str) -> Self {
        // As the firmware's own parser reads it: the digits of each part.
        let number = |part: &str| {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            part.get(..digits)?.parse::<u32>().ok()
        };
        let mut parts = version.split('.').map(number);
        let Some(major) = parts.next().flatten() else {
            return Self::V2;
        };
        let mut next = || parts.next().flatten().unwrap_or(0);
        let version = (major, next(), next());
        let begun = |line: &Self| line.first() <= version;
        Self::ALL.into_iter().rfind(begun).unwrap_or(Self::V1_5)
    }

    /// Returns the number of its first release.
    fn first(self) -> (u32, u32, u32) {
        match self {
            Self::V1_5 => (0, 0, 0),
            Self::V1_6 => (1, 6, 0),
            Self::V1_6_2 => (1, 6, 2),
            Self::V1_6_6 => (1, 6, 6),
            Self::V1_7 => (1, 7, 0),
            Self::V1_7_5 => (1, 7, 5),
            Self::V1_7_7 => (1, 7, 7),
            Self::V1_8 => (1, 8, 0),
            Self::V1_8_2 => (1, 8, 2),
            Self::V1_8_5 => (1, 8, 5),
            Self::V1_9_2 => (1, 9, 2),
            Self::V2 => (2, 0, 0),
        }
    }

    /// Returns its first release as people write it.
    pub(crate) fn first_release(self) -> String {
        let (major, minor, patch) = self.first();
        format!("{major}.{minor}.{patch}")
    }

    /// Returns the line after it.
    pub(crate) fn next(self) -> Option<Self> {
        Self::ALL.into_iter().find(|line| *line > self)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V1_5 => f.write_str("v1.5"),
            Self::V2 => f.write_str("v2"),
            line => {
                let (major, minor, patch) = line.first();
                write!(f, "v{major}.{minor}")?;
                match patch {
                    0 => Ok(()),
                    patch => write!(f, ".{patch}"),
                }
            }
        }
    }
}

/// Hardware that a device speaks through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Hardware {
    /// The chip's own Wi-Fi and mbedTLS.
    Wifi,
    /// China Mobile's ML307 4G modem, which brings its own HTTP and TLS.
    Ml307,
    /// Quectel's EC801E 4G modem: its own TLS, the firmware's HTTP.
    Ec801e,
}

impl Hardware {
    /// Every kind of hardware.
    pub(crate) const ALL: [Self; 3] = [Self::Wifi, Self::Ml307, Self::Ec801e];

    /// Returns whether the hardware is a 4G modem.
    pub(crate) fn is_modem(self) -> bool {
        self != Self::Wifi
    }

    /// Returns the first line that knows it: the EC801E came with esp-ml307 3.0.
    pub(crate) fn since(self) -> Line {
        match self {
            Self::Wifi | Self::Ml307 => Line::V1_5,
            Self::Ec801e => Line::V1_7_7,
        }
    }
}

impl fmt::Display for Hardware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wifi => "Wi-Fi",
            Self::Ml307 => "ML307",
            Self::Ec801e => "EC801E",
        })
    }
}

/// Code that reads a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HttpStack {
    /// `EspHttp` over ESP-IDF's `esp_http_client` (esp-ml307 before 3.0).
    EspHttp,
    /// `HttpClient` (esp-ml307 3.0 on) while it compared names by case.
    StrictHttpClient,
    /// `HttpClient` since it compares names in any case.
    HttpClient,
    /// `Ml307Http`: the modem's own client, its headers read by case.
    Ml307Http,
}

/// Kind of request to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `POST` to the OTA address.
    Check,
    /// `GET` of `firmware.url`.
    Download,
}

/// Line of the firmware on a kind of hardware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) line: Line,
    pub(crate) hardware: Hardware,
}

impl Kind {
    /// Returns every kind that exists, each hardware by itself, the oldest line
    /// first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let of_hardware = |hardware| Line::ALL.map(|line| Self { line, hardware });
        Hardware::ALL
            .into_iter()
            .flat_map(of_hardware)
            .filter(|kind| kind.exists())
    }

    /// Returns whether its firmware knows its hardware.
    pub(crate) fn exists(self) -> bool {
        self.line >= self.hardware.since()
    }

    /// Returns the client that reads its replies (`CreateHttp` of the boards, since
    /// esp-ml307 3.0 of the networks). 3.0 and 3.1 had no `Ml307Http`.
    pub(crate) fn http(self) -> HttpStack {
        match (self.hardware, self.line) {
            (Hardware::Ml307, Line::V1_7_7 | Line::V1_8) => HttpStack::StrictHttpClient,
            (Hardware::Ml307, _) => HttpStack::Ml307Http,
            (_, line) if line < Line::V1_7_7 => HttpStack::EspHttp,
            (_, line) if line < Line::V1_8_5 => HttpStack::StrictHttpClient,
            _ => HttpStack::HttpClient,
        }
    }

    /// Returns whether it finds a header only under its usual name in Title-Case.
    pub(crate) fn reads_names_by_case(self) -> bool {
        matches!(
            self.http(),
            HttpStack::StrictHttpClient | HttpStack::Ml307Http
        )
    }

    /// Returns whether its `EspHttp::Open` waits for the head of a reply, and fails
    /// where that tells no length (esp-ml307 before 2.1).
    pub(crate) fn opens_with_the_head(self) -> bool {
        self.http() == HttpStack::EspHttp && self.line < Line::V1_6_6
    }

    /// Returns whether a body of 8 KB stops it for good: what came is queued until
    /// all of it is there, and no more than that (`HttpClient::OnTcpData`). From
    /// 3.2.0 to 3.3.2 of esp-ml307 that held with less than 32 or 64 KB of free
    /// memory only.
    pub(crate) fn stops_at_the_queue(self) -> bool {
        let limited = self.line == Line::V1_8 || self.line >= Line::V1_9_2;
        let queues = matches!(
            self.http(),
            HttpStack::StrictHttpClient | HttpStack::HttpClient
        );
        limited && queues
    }

    /// Returns whether it verifies the server's certificate. Modems are told not to
    /// (`AT+MSSLCFG="auth",0,0`).
    pub(crate) fn verifies(self) -> bool {
        self.hardware == Hardware::Wifi
    }

    /// Returns whether it reads the answer to a check under this status. Before
    /// 1.6.6 the body was parsed whatever the status said (`Ota::CheckVersion`),
    /// but for an error that an ML307 met (`Ml307Http::Open` before esp-ml307 2.1).
    pub(crate) fn reads_a_check_under(self, status: u16) -> bool {
        status == 200 || self.line < Line::V1_6_6 && !self.opens_no(status)
    }

    /// Returns whether it flashes what comes under this status: before 1.7.0 it did
    /// (`Ota::Upgrade`), with the same exception.
    pub(crate) fn flashes_under(self, status: u16) -> bool {
        status == 200 || self.line < Line::V1_7 && !self.opens_no(status)
    }

    /// Returns whether its modem's client opens no such reply.
    pub(crate) fn opens_no(self, status: u16) -> bool {
        self.hardware == Hardware::Ml307 && self.line < Line::V1_6_6 && status >= 400
    }

    /// Returns whether it takes `websocket` of a reply for its voice server. Before
    /// 1.6.2 that was compiled in (`CONFIG_WEBSOCKET_URL`).
    pub(crate) fn reads_websocket(self) -> bool {
        self.line >= Line::V1_6_2
    }

    /// Returns the same hardware with the first firmware, from its own on, that
    /// reads `websocket`.
    #[must_use]
    pub(crate) fn with_websocket(self) -> Self {
        Self {
            line: self.line.max(Line::V1_6_2),
            ..self
        }
    }

    /// Returns whether the port alone says if it speaks TLS to a WebSocket: an
    /// ML307 with esp-ml307 1.9.1 to 2.2 (`Ml307SslTransport::Connect`).
    pub(crate) fn goes_by_the_port(self) -> bool {
        let lines = Line::V1_6_2..Line::V1_7_7;
        self.hardware == Hardware::Ml307 && lines.contains(&self.line)
    }

    /// Returns whether it speaks TLS to a WebSocket of this scheme and port.
    pub(crate) fn websocket_tls(self, scheme: &str, port: u16) -> bool {
        if self.goes_by_the_port() {
            port == 443
        } else {
            self.takes_for_wss(scheme)
        }
    }

    /// Returns whether a scheme means TLS to it: compared by case, every other is
    /// `ws` (`WifiBoard::CreateWebSocket`, since esp-ml307 3.0
    /// `WebSocket::Connect`).
    pub(crate) fn takes_for_wss(self, scheme: &str) -> bool {
        scheme == "wss" || scheme == "https" && self.line >= Line::V1_7_7
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.line, self.hardware)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_their_lines() {
        for (version, line) in [
            ("0.9.9", Line::V1_5),
            ("1", Line::V1_5),
            ("1.5.8", Line::V1_5),
            ("1.6.0", Line::V1_6),
            ("1.6.1", Line::V1_6),
            ("1.6.2-beta", Line::V1_6_2),
            ("1.6.6", Line::V1_6_6),
            ("1.7.2", Line::V1_7),
            ("1.7.6", Line::V1_7_5),
            ("1.7.7", Line::V1_7_7),
            ("1.8", Line::V1_8),
            ("1.8.4", Line::V1_8_2),
            ("1.8.10", Line::V1_8_5),
            ("1.9.2_2", Line::V1_9_2),
            ("2.0.0", Line::V2),
            ("x", Line::V2),
        ] {
            assert_eq!(Line::of_version(version), line, "{version}");
        }
        for line in Line::ALL {
            if line > Line::V1_5 {
                assert_eq!(Line::of_version(&line.first_release()), line);
            }
        }
    }

    #[test]
    fn every_line_has_its_name_on_the_command_line() {
        use clap::ValueEnum as _;

        for line in Line::ALL {
            let name = line.to_string();
            assert_eq!(Line::from_str(&name, false), Ok(line), "{name}");
        }
        assert_eq!(Line::value_variants(), Line::ALL);
    }

    #[test]
    fn kinds_and_what_reads_their_replies() {
        assert_eq!(Kind::all().count(), 12 + 12 + 6);
        let http = |version: &str, hardware| {
            let line = Line::of_version(version);
            Kind { line, hardware }.http()
        };
        for (version, wifi, ml307) in [
            ("1.5.9", HttpStack::EspHttp, HttpStack::Ml307Http),
            ("1.7.6", HttpStack::EspHttp, HttpStack::Ml307Http),
            (
                "1.7.7",
                HttpStack::StrictHttpClient,
                HttpStack::StrictHttpClient,
            ),
            (
                "1.8.1",
                HttpStack::StrictHttpClient,
                HttpStack::StrictHttpClient,
            ),
            ("1.8.4", HttpStack::StrictHttpClient, HttpStack::Ml307Http),
            ("1.8.5", HttpStack::HttpClient, HttpStack::Ml307Http),
            ("2.4.2", HttpStack::HttpClient, HttpStack::Ml307Http),
        ] {
            let found = (
                http(version, Hardware::Wifi),
                http(version, Hardware::Ml307),
            );
            assert_eq!(found, (wifi, ml307), "{version}");
        }
    }

    #[test]
    fn statuses_and_sockets_by_release() {
        let kind = |version: &str, hardware| Kind {
            line: Line::of_version(version),
            hardware,
        };
        for (version, hardware, check, download) in [
            ("1.6.2", Hardware::Wifi, true, true),
            ("1.6.6", Hardware::Wifi, false, true),
            ("1.7.0", Hardware::Wifi, false, false),
            ("1.6.2", Hardware::Ml307, false, false),
            ("1.6.6", Hardware::Ml307, false, true),
        ] {
            let kind = kind(version, hardware);
            let taken = (kind.reads_a_check_under(404), kind.flashes_under(404));
            assert_eq!(taken, (check, download), "{version} {hardware}");
        }
        assert!(kind("1.6.0", Hardware::Ml307).reads_a_check_under(302));
        for (version, hardware, scheme, port, tls) in [
            ("1.6.2", Hardware::Ml307, "ws", 443, true),
            ("1.7.6", Hardware::Ml307, "wss", 8443, false),
            ("1.7.7", Hardware::Ml307, "wss", 8443, true),
            ("1.7.7", Hardware::Ml307, "ws", 443, false),
            ("1.6.2", Hardware::Wifi, "https", 443, false),
            ("2.0.0", Hardware::Wifi, "https", 443, true),
            ("2.0.0", Hardware::Wifi, "WSS", 443, false),
        ] {
            let speaks = kind(version, hardware).websocket_tls(scheme, port);
            assert_eq!(speaks, tls, "{version} {hardware} {scheme} {port}");
        }
    }
}
