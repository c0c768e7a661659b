//! A reply as it came over the wire, and the device's rules that it must keep.

/// Status line, headers in their order and spelling, body.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) version: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the whole announced body came.
    pub(crate) whole: bool,
}

impl Reply {
    /// Takes a reply apart. `bodiless`: it answers a `HEAD`.
    pub(crate) fn parse(bytes: &[u8], bodiless: bool) -> Self {
        let end = find_end_of_head(bytes)
            .unwrap_or_else(|| panic!("no reply: {:?}", String::from_utf8_lossy(bytes)));
        let head = std::str::from_utf8(&bytes[..end]).expect("an ASCII head");
        let mut lines = head.trim_end().split("\r\n");
        let status_line = lines.next().unwrap();
        let (version, rest) = status_line.split_once(' ').unwrap();
        let headers: Vec<_> = lines
            .map(|line| {
                line.split_once(": ")
                    .unwrap_or_else(|| panic!("a header line: {line:?}"))
            })
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut reply = Self {
            version: version.to_owned(),
            status: rest[..3].parse().unwrap(),
            headers,
            body: bytes[end..].to_vec(),
            whole: true,
        };
        if !bodiless && reply.status != 304 {
            let announced: usize = reply
                .header("Content-Length")
                .expect("a length")
                .parse()
                .unwrap();
            assert!(
                reply.body.len() <= announced,
                "more came than was announced"
            );
            reply.whole = reply.body.len() == announced;
        }
        reply
    }

    /// A header by its exact spelling, as the modem firmware looks for it.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text")
    }

    /// The JSON, a download address in it without its token: that is another for each
    /// device and offer.
    pub(crate) fn json(&self) -> serde_json::Value {
        let mut json = self.whole_json();
        if let Some(url) = json.pointer_mut("/firmware/url")
            && let Some((bare, _)) = url.as_str().and_then(|url| url.split_once("?t="))
        {
            *url = bare.into();
        }
        json
    }

    /// The JSON as it came.
    pub(crate) fn whole_json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The download URL and the version of a check-in's reply.
    pub(crate) fn firmware(&self) -> (String, String) {
        let json = self.json();
        let text = |key: &str| json["firmware"][key].as_str().expect("a string").to_owned();
        (text("version"), text("url"))
    }

    /// What every reply on a device's path must keep, errors included.
    #[track_caller]
    pub(crate) fn hold_to_contract(&self, asked: &str) {
        let shown = format!(
            "{asked}\n{} {}\n{:#?}",
            self.version, self.status, self.headers
        );
        assert!(
            !(300..400).contains(&self.status) || self.status == 304,
            "a redirect: {shown}"
        );
        for (name, _) in &self.headers {
            let title_case = name.split('-').all(|word| {
                let mut letters = word.chars();
                letters.next().is_some_and(|c| c.is_ascii_uppercase())
                    && letters.all(|c| c.is_ascii_lowercase())
            });
            assert!(title_case, "{name} is not in Title-Case: {shown}");
        }
        let count = |wanted: &str| {
            self.headers
                .iter()
                .filter(|(n, _)| n.eq_ignore_ascii_case(wanted))
                .count()
        };
        assert_eq!(count("transfer-encoding"), 0, "{shown}");
        assert_eq!(count("content-encoding"), 0, "{shown}");
        assert_eq!(count("location"), 0, "{shown}");
        if self.status != 304 {
            assert_eq!(count("content-length"), 1, "{shown}");
        }
        if self.status >= 400 {
            assert_ne!(
                self.body.first(),
                Some(&0xE9),
                "old firmware would flash this: {shown}"
            );
            assert!(self.body.is_ascii() && self.body.len() < 400, "{shown}");
        }
    }
}

/// Where the body begins.
pub(crate) fn find_end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .map(|at| at + 4)
}
