//! Queries of the API, read strictly: a filter that is misspelt would else show everything.

use super::reply::{BadPart, Refusal};
use crate::event::text::Text;
use crate::fleet::{Filter, OfferEnd};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use std::time::{Duration, SystemTime};

/// Number of items of a page where none is asked for.
const LIMIT: usize = 100;
/// Largest number of items of a page.
const MOST: usize = 1000;

const ONE_OF: Text = Text::new("请写以下之一：", "write one of ");
const NO_KEY: Text = Text::new(
    "没有这个键：这里不接受任何键",
    "no such key: none is taken here",
);
const UNKNOWN_KEY: Text = Text::new("没有这个键，可用的键：", "no such key: there are ");
const TWICE: Text = Text::new("出现了两次", "it stands there twice");
const NO_UTF8: Text = Text::new("不是 UTF-8", "it is no UTF-8");
const HTTP_OR_HTTPS: Text = Text::new("请写 http 或 https", "write http or https");
const TRUE_OR_FALSE: Text = Text::new("请写 true 或 false", "write true or false");
const FROM_ONE_TO: Text = Text::new("请写一个数：从 1 到 ", "write a number from 1 to ");
const TIME: Text = Text::new(
    "请写时间，例如 2026-06-14T08:00:00Z，或时长：15m、1h、7d",
    "write a time such as 2026-06-14T08:00:00Z, or for how long: 15m, 1h, 7d",
);

/// Query for devices, and for a page of them.
#[derive(Debug, Clone)]
pub(super) struct DeviceQuery {
    pub(super) filter: Filter,
    /// Keys of the filter that are asked for, with their values as they were written.
    pub(super) asked: Vec<(&'static str, String)>,
    pub(super) limit: usize,
    pub(super) after: Option<String>,
}

/// Query for offers, and for a page of them.
#[derive(Debug, Clone)]
pub(super) struct OfferQuery {
    pub(super) end: Option<OfferEnd>,
    pub(super) file: Option<String>,
    /// True where only the newest offer of each device is wanted.
    pub(super) newest: bool,
    pub(super) limit: usize,
    pub(super) after: Option<String>,
}

impl DeviceQuery {
    /// Reads a query.
    pub(super) fn read(query: Option<&str>, now: SystemTime) -> Result<Self, Refusal> {
        const KEYS: [&str; 10] = [
            "model",
            "version",
            "board",
            "end",
            "file",
            "transport",
            "seen_since",
            "q",
            "limit",
            "after",
        ];
        let values = values(query, KEYS)?;
        let asked = KEYS.into_iter().zip(values.iter().cloned());
        let asked = asked.filter(|(key, _)| !["limit", "after"].contains(key));
        let asked = asked.filter_map(|(key, value)| Some((key, value?)));
        let asked = asked.collect();
        let [
            model,
            version,
            board,
            end,
            file,
            transport,
            seen_since,
            q,
            limit,
            after,
        ] = values;
        let filter = Filter {
            model,
            version,
            board,
            end: end.map(|text| self::end(&text)).transpose()?,
            file,
            is_secure: transport.map(|text| is_secure(&text)).transpose()?,
            seen_since: seen_since.map(|text| since(&text, now)).transpose()?,
            q,
        };
        Ok(Self {
            filter,
            asked,
            limit: self::limit(limit)?,
            after,
        })
    }
}

impl OfferQuery {
    /// Reads a query.
    pub(super) fn read(query: Option<&str>) -> Result<Self, Refusal> {
        let keys = ["limit", "after", "end", "file", "newest"];
        let [limit, after, end, file, newest] = values(query, keys)?;
        Ok(Self {
            end: end.map(|text| self::end(&text)).transpose()?,
            file,
            newest: newest.map_or(Ok(false), |text| truth(&text))?,
            limit: self::limit(limit)?,
            after,
        })
    }
}

/// Stretch of time that a view over time shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// Two days, by the hour.
    Days,
    /// A month, by the day.
    Month,
    /// A year, by the week.
    Year,
}

impl Span {
    /// Every one, the shortest first.
    pub(super) const ALL: [Self; 3] = [Self::Days, Self::Month, Self::Year];

    /// Returns its name in a query.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Days => "days",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// Reads a query for one. `None` leaves it to what there is.
    pub(super) fn read(query: Option<&str>) -> Result<Option<Self>, Refusal> {
        let [span] = values_among(query, ["past"])?;
        let Some(text) = span else {
            return Ok(None);
        };
        let found = Self::ALL.into_iter().find(|span| span.key() == text);
        let keys = || Self::ALL.map(Self::key).join(", ");
        let refused = || bad(format!("past: {text:?}"), ONE_OF, keys());
        found.map(Some).ok_or_else(refused)
    }
}

/// Refuses a part of a query.
pub(super) fn bad(part: String, why: Text, list: impl Into<String>) -> Refusal {
    let list = list.into();
    Refusal::BadQuery(BadPart { part, why, list })
}

/// Reads a query for a page of a list: the number of items before it.
pub(super) fn place(query: Option<&str>) -> Result<usize, Refusal> {
    let [after] = values_among(query, ["after"])?;
    let read = after.map_or(Ok(0), |text| text.parse());
    read.map_err(|_| bad("after".into(), Text::new("请写一个数", "take a number"), ""))
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
            let why = if keys.is_empty() { NO_KEY } else { UNKNOWN_KEY };
            return Err(bad(format!("{key:?}"), why, keys.join(", ")));
        };
        let place = &mut values[at];
        if place.is_some() {
            return Err(bad(key, TWICE, ""));
        }
        *place = Some(value);
    }
    Ok(values.map(|value| value.filter(|value| !value.is_empty())))
}

/// Returns the values of `keys` among others, which are those of whoever led here: a page where
/// nothing is filtered shows the same without them.
fn values_among<const N: usize>(
    query: Option<&str>,
    keys: [&str; N],
) -> Result<[Option<String>; N], Refusal> {
    let pairs = query.unwrap_or_default().split('&');
    let own = pairs.filter(|pair| keys.contains(&pair.split('=').next().unwrap_or_default()));
    values(Some(&own.collect::<Vec<_>>().join("&")), keys)
}

fn decoded(text: &str) -> Result<String, Refusal> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8();
    let decoded = decoded.map(std::borrow::Cow::into_owned);
    decoded.map_err(|_| bad(format!("{text:?}"), NO_UTF8, ""))
}

fn end(text: &str) -> Result<OfferEnd, Refusal> {
    OfferEnd::from_key(text).ok_or_else(|| {
        let ends = OfferEnd::ALL.map(OfferEnd::key).join(", ");
        bad(format!("end: {text:?}"), ONE_OF, ends)
    })
}

fn is_secure(text: &str) -> Result<bool, Refusal> {
    match text {
        "http" => Ok(false),
        "https" => Ok(true),
        _ => Err(bad(format!("transport: {text:?}"), HTTP_OR_HTTPS, "")),
    }
}

fn truth(text: &str) -> Result<bool, Refusal> {
    text.parse()
        .map_err(|_| bad(format!("newest: {text:?}"), TRUE_OR_FALSE, ""))
}

fn limit(text: Option<String>) -> Result<usize, Refusal> {
    let Some(text) = text else {
        return Ok(LIMIT);
    };
    let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or_else(|| bad(format!("limit: {text:?}"), FROM_ONE_TO, MOST.to_string()))
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
    found.ok_or_else(|| bad(format!("seen_since: {text:?}"), TIME, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn read(query: &str) -> DeviceQuery {
        DeviceQuery::read(Some(query), now()).unwrap_or_else(|e| panic!("{query}: {e}"))
    }

    #[test]
    fn each_key_is_read() {
        let query = read(
            "model=a%20b&version=1.6&board=c+d&end=rolled-back&file=e_1.bin&transport=https&q=%E5%B0%8F&limit=7&after=x&&",
        );
        let Filter {
            model,
            version,
            board,
            end,
            file,
            is_secure,
            seen_since,
            q,
        } = query.filter;
        let texts = [model, version, board, file, q];
        let texts = texts.map(Option::unwrap);
        assert_eq!(texts, ["a b", "1.6", "c d", "e_1.bin", "小"]);
        assert_eq!((end, seen_since), (Some(OfferEnd::RolledBack), None));
        assert_eq!(is_secure, Some(true));
        assert_eq!(read("transport=http").filter.is_secure, Some(false));
        assert_eq!((query.limit, query.after.as_deref()), (7, Some("x")));
        let asked = read("after=x&q=%E5%B0%8F&model=a+b&end=&limit=3").asked;
        assert_eq!(asked, [("model", "a b".to_owned()), ("q", "小".to_owned())]);
        let query = read("model=&q=");
        assert!(query.filter.model.is_none() && query.filter.q.is_none());
        assert_eq!((query.limit, query.after), (100, None));
        assert_eq!(read("limit=1000").limit, 1000);
    }

    #[test]
    fn times_and_spans() {
        for (text, ago) in [
            ("90s", 90),
            ("15m", 900),
            ("1h", 3600),
            ("7d", 7 * 86_400),
            ("2023-11-14T21:13:20Z", 3600),
            ("2023-11-15T05:13:20%2B08:00", 3600),
            ("2023-11-15T05:13:20+08:00", 3600),
        ] {
            let since = read(&format!("seen_since={text}")).filter.seen_since;
            assert_eq!(since, Some(now() - Duration::from_secs(ago)), "{text}");
        }
        // Before all time is all time.
        let since = read("seen_since=9999999999999d").filter.seen_since;
        assert_eq!(since, Some(SystemTime::UNIX_EPOCH));
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
            ("transport=tls", "transport: \"tls\": write http or https"),
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
            let found = DeviceQuery::read(Some(query), now());
            let found = found.unwrap_err().to_string();
            assert!(found.contains(words), "{query}: {found}");
        }
        assert!(nothing(Some("")).is_ok() && nothing(None).is_ok() && nothing(Some("a")).is_err());
        assert!(OfferQuery::read(Some("end=silent&file=a_1.bin&limit=2")).is_ok());
        assert!(OfferQuery::read(Some("q=1")).is_err());
        assert_eq!(Span::read(Some("past=year")), Ok(Some(Span::Year)));
        assert_eq!(Span::read(None), Ok(None));
        assert!(Span::read(Some("past=ever")).is_err());
        let led = "utm_source=a&past=year&%FF";
        assert_eq!(Span::read(Some(led)), Ok(Some(Span::Year)));
        assert_eq!(place(Some("a=b&after=3")), Ok(3));
        assert!(place(Some("after=3&after=4")).is_err());
        assert!(OfferQuery::read(Some("newest=true")).unwrap().newest);
        assert!(!OfferQuery::read(Some("newest=")).unwrap().newest);
        assert!(OfferQuery::read(Some("newest=1")).is_err());
    }
}
