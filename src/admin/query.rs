//! Queries of the API, read strictly: a filter that is misspelt would else show everything.

use super::fleet_source::{DeviceView, ENDS};
use super::reply::Refusal;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use std::time::{Duration, SystemTime};

/// Number of items of a page where none is asked for.
const LIMIT: usize = 100;
/// Largest number of items of a page.
const MOST: usize = 1000;

/// Which devices are asked for, and which page of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DeviceQuery {
    model: Option<String>,
    version: Option<String>,
    board: Option<String>,
    end: Option<String>,
    seen_since: Option<SystemTime>,
    /// In lower case.
    q: Option<String>,
    pub(super) limit: usize,
    pub(super) after: Option<String>,
}

/// Which offers are asked for, and which page of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OfferQuery {
    pub(super) end: Option<String>,
    pub(super) file: Option<String>,
    pub(super) limit: usize,
    pub(super) after: Option<String>,
}

impl DeviceQuery {
    /// Reads a query.
    pub(super) fn read(query: Option<&str>, now: SystemTime) -> Result<Self, Refusal> {
        let keys = [
            "model",
            "version",
            "board",
            "end",
            "seen_since",
            "q",
            "limit",
            "after",
        ];
        let mut values = values(query, keys)?;
        let [model, version, board, end, seen_since, q, limit, after] =
            std::array::from_fn(|at| values[at].take());
        Ok(Self {
            model,
            version,
            board,
            end: end.map(self::end).transpose()?,
            seen_since: seen_since.map(|text| since(&text, now)).transpose()?,
            q: q.map(|text| text.to_lowercase()),
            limit: self::limit(limit)?,
            after,
        })
    }

    /// Tells whether a device is among those that are asked for.
    pub(super) fn wants(&self, device: &DeviceView) -> bool {
        let is =
            |wanted: &Option<String>, known: &Option<String>| wanted.is_none() || wanted == known;
        let newest = || device.offers.first().map(|offer| offer.end);
        is(&self.model, &device.model)
            && is(&self.version, &device.version)
            && (is(&self.board, &device.board_name) || is(&self.board, &device.board_type))
            && self.end.as_deref().is_none_or(|end| newest() == Some(end))
            && self
                .seen_since
                .is_none_or(|since| device.last_seen >= since)
            && self.q.as_deref().is_none_or(|q| holds(device, q))
    }
}

/// Tells whether a text in lower case is in what tells a device from others.
fn holds(device: &DeviceView, q: &str) -> bool {
    let texts = [
        Some(&device.mac),
        device.board_name.as_ref(),
        device.board_type.as_ref(),
        device.version.as_ref(),
        device.client_id.as_ref(),
    ];
    let holds = |text: &String| text.to_lowercase().contains(q);
    let address = device.address.map(|address| address.to_string());
    // A MAC address is written in many ways.
    let bare = |text: &str| text.replace([':', '-'], "");
    let is_mac = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'-')
    };
    let digits = bare(q);
    let of_mac = || {
        is_mac(q)
            && is_mac(&device.mac)
            && !digits.is_empty()
            && bare(&device.mac).contains(&digits)
    };
    texts.into_iter().flatten().any(holds) || address.as_ref().is_some_and(holds) || of_mac()
}

impl OfferQuery {
    /// Reads a query.
    pub(super) fn read(query: Option<&str>) -> Result<Self, Refusal> {
        let mut values = values(query, ["limit", "after", "end", "file"])?;
        let [limit, after, end, file] = std::array::from_fn(|at| values[at].take());
        Ok(Self {
            end: end.map(self::end).transpose()?,
            file,
            limit: self::limit(limit)?,
            after,
        })
    }
}

/// Reads a query that has no keys.
pub(super) fn nothing(query: Option<&str>) -> Result<(), Refusal> {
    values(query, []).map(|[]| ())
}

/// Returns the values of `keys`, each of which may stand there once. One of nothing is
/// none, as forms send it.
fn values<const N: usize>(
    query: Option<&str>,
    keys: [&str; N],
) -> Result<[Option<String>; N], Refusal> {
    let mut values = [const { None }; N];
    let pairs = query.unwrap_or_default().split('&');
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decoded(key)?, decoded(value)?);
        let Some(at) = keys.iter().position(|known| *known == key) else {
            let known = if keys.is_empty() {
                "none is taken here".to_owned()
            } else {
                format!("there are {}", keys.join(", "))
            };
            return Err(Refusal::BadQuery(format!("{key:?}: no such key: {known}")));
        };
        let place = &mut values[at];
        if place.is_some() {
            return Err(Refusal::BadQuery(format!("{key}: it stands there twice")));
        }
        *place = Some(value);
    }
    Ok(values.map(|value| value.filter(|value| !value.is_empty())))
}

fn decoded(text: &str) -> Result<String, Refusal> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8();
    let decoded = decoded.map(std::borrow::Cow::into_owned);
    decoded.map_err(|_| Refusal::BadQuery(format!("{text:?}: it is no UTF-8")))
}

fn end(text: String) -> Result<String, Refusal> {
    if ENDS.contains(&text.as_str()) {
        return Ok(text);
    }
    let ends = ENDS.join(", ");
    Err(Refusal::BadQuery(format!(
        "end: {text:?}: write one of {ends}"
    )))
}

fn limit(text: Option<String>) -> Result<usize, Refusal> {
    let Some(text) = text else {
        return Ok(LIMIT);
    };
    let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or_else(|| {
        Refusal::BadQuery(format!("limit: {text:?}: write a number from 1 to {MOST}"))
    })
}

/// Reads a time by RFC 3339, or for how long: `90s`, `15m`, `1h`, `7d`.
fn since(text: &str, now: SystemTime) -> Result<SystemTime, Refusal> {
    let span = || {
        let unit = text.chars().next_back()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        let number = text.strip_suffix(unit)?;
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let number = is_number.then(|| number.parse::<u64>().ok())??;
        let span = Duration::from_secs(number.checked_mul(seconds)?);
        let since = now.checked_sub(span);
        Some(
            since
                .unwrap_or(SystemTime::UNIX_EPOCH)
                .max(SystemTime::UNIX_EPOCH),
        )
    };
    // A `+` of an offset that was not encoded is a blank now.
    let time = || text.replace(' ', "+").parse::<Timestamp>().ok();
    let found = span().or_else(|| time().map(SystemTime::from));
    found.ok_or_else(|| {
        Refusal::BadQuery(format!(
            "seen_since: {text:?}: write a time such as 2026-06-14T08:00:00Z, or for how long: 15m, 1h, 7d"
        ))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::fleet_source::OfferView;
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn now() -> SystemTime {
        NOW + Duration::from_secs(1_700_000_000)
    }

    fn read(query: &str) -> DeviceQuery {
        DeviceQuery::read(Some(query), now()).unwrap_or_else(|e| panic!("{query}: {e}"))
    }

    /// A device of a MAC address that was seen before so many seconds.
    pub(in super::super) fn device(mac: &str, ago: u64) -> DeviceView {
        DeviceView {
            mac: mac.to_owned(),
            client_id: Some("7B94-client".to_owned()),
            model: Some("esp32s3".to_owned()),
            board_name: Some("bread-compact-wifi".to_owned()),
            board_type: Some("bread".to_owned()),
            chip: None,
            revision: None,
            flash: None,
            version: Some("1.6.6".to_owned()),
            elf_sha256: None,
            slot: None,
            first_seen: NOW,
            last_seen: now() - Duration::from_secs(ago),
            address: Some([192, 0, 2, 7].into()),
            transport: "http",
            boots: 1,
            why: None,
            offers: ["silent", "succeeded"]
                .map(|end| OfferView {
                    file: "esp32s3_1.6.7.bin".to_owned(),
                    version: "1.6.7".to_owned(),
                    end,
                    at: NOW,
                })
                .into(),
        }
    }

    #[test]
    fn each_filter_keeps_who_it_is_about() {
        let known = device("aa:bb:cc:dd:ee:0f", 3600);
        for query in [
            "",
            "model=esp32s3",
            "version=1.6.6",
            "board=bread",
            "board=bread-compact-wifi",
            "end=silent",
            "seen_since=1h",
            "seen_since=2h",
            "seen_since=7d",
            "seen_since=2023-11-14T21:13:20Z",
            "seen_since=2023-11-15T05:13:20%2B08:00",
            "seen_since=2023-11-15T05:13:20+08:00",
            "q=CC:DD",
            "q=CC-DD",
            "q=ccdd",
            "q=compact",
            "q=1.6",
            "q=0.2.7",
            "q=b94-",
            "q=",
            "limit=5",
            "model=esp32s3&q=bread&end=silent",
            "&&",
        ] {
            assert!(read(query).wants(&known), "{query}");
        }
        for query in [
            "model=esp32",
            "version=1.6",
            "board=compact",
            "end=succeeded",
            "seen_since=59m",
            "seen_since=2023-11-14T21:13:21Z",
            "q=zz",
            "q=ccdc",
            "model=esp32s3&q=zz",
            "q=%E5%B0%8F",
        ] {
            assert!(!read(query).wants(&known), "{query}");
        }
        assert!(!read("q=-").wants(&DeviceView {
            client_id: None,
            board_name: None,
            ..known.clone()
        }));
        let mut untold = known;
        untold.offers.clear();
        assert!(!read("end=silent").wants(&untold));
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (query, words) in [
            (
                "models=x",
                "\"models\": no such key: there are model, version",
            ),
            ("model=a&model=b", "model: it stands there twice"),
            ("model=&model=b", "model: it stands there twice"),
            (
                "end=failed",
                "end: \"failed\": write one of offered, fetching",
            ),
            ("limit=0", "limit: \"0\": write a number from 1 to 1000"),
            ("limit=1001", "limit: \"1001\""),
            ("limit=-1", "limit: \"-1\""),
            ("limit=x", "limit: \"x\""),
            (
                "seen_since=yesterday",
                "seen_since: \"yesterday\": write a time such as",
            ),
            ("seen_since=7w", "seen_since"),
            ("seen_since=d", "seen_since"),
            ("seen_since=99999999999999999999d", "seen_since"),
            ("q=%ff", "it is no UTF-8"),
        ] {
            let found = DeviceQuery::read(Some(query), now())
                .unwrap_err()
                .to_string();
            assert!(found.contains(words), "{query}: {found}");
        }
        // Before all time is all time.
        assert_eq!(
            read("seen_since=9999999999999d").seen_since,
            Some(SystemTime::UNIX_EPOCH)
        );
        assert_eq!(read("limit=1000&after=x").limit, 1000);
        assert_eq!(read("").limit, 100);
        assert!(nothing(Some("")).is_ok() && nothing(None).is_ok() && nothing(Some("a")).is_err());
        assert!(OfferQuery::read(Some("end=silent&file=a_1.bin&limit=2")).is_ok());
        assert!(OfferQuery::read(Some("q=1")).is_err());
    }
}
