//! Router: finds out what a path asks for, however it is spelt.

use super::spelling;
use percent_encoding::percent_decode_str;

/// Resource that a path names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// The OTA interface itself.
    CheckIn,
    /// `/activate` below it.
    Activate,
    /// `/download/{file}` below it: the name as it stands in the URL.
    Download(&'a str),
    /// Token of a CA's http-01 challenge.
    Challenge(&'a str),
    /// Nothing, below a path where only we answer.
    Nothing,
    /// A part of the OTA address, or all of it behind something: a server behind this one
    /// may have it.
    Part,
    /// Nothing of ours: a server behind this one may have it.
    Other,
}

/// Paths under which the OTA interface is served, without a last slash.
#[derive(Debug)]
pub(super) struct Router {
    bases: Vec<String>,
    /// The same, as [`spelling::plain`] has them.
    plain: Vec<String>,
}

impl Router {
    pub(super) fn new(mut bases: Vec<String>) -> Self {
        // The longest first, for one may stand below another.
        bases.sort_by_key(|base| std::cmp::Reverse(base.len()));
        let plain = bases.iter().filter_map(|base| spelling::plain(base));
        let plain = plain
            .map(Into::into)
            .filter(|base: &String| !base.is_empty());
        Self {
            plain: plain.collect(),
            bases,
        }
    }

    pub(super) fn route<'a>(&self, path: &'a str) -> Route<'a> {
        match behind(&self.bases, path) {
            // People type the address with and without its last slash, and a
            // 404 would strand the device.
            Some("" | "/") => Route::CheckIn,
            Some("/activate" | "/activate/") => Route::Activate,
            Some(rest) => match rest.strip_prefix("/download/") {
                Some(name) => Route::Download(name.trim_matches('/')),
                None => self.meant(path),
            },
            None => match path.strip_prefix("/.well-known/acme-challenge/") {
                Some(token) => Route::Challenge(token),
                None => self.meant(path),
            },
        }
    }

    /// Finds out what a path asks for that is spelt as none of ours.
    fn meant<'a>(&self, path: &'a str) -> Route<'a> {
        let plain = spelling::plain(path);
        // A file's name is taken as it stands, and may be what leaves no plain path.
        let rest = plain.as_deref().map(|plain| self.rest(plain));
        let may_be_file =
            rest.is_none_or(|rest| rest.is_some_and(|rest| rest.starts_with("/download")));
        if may_be_file
            && let Some((folder, name)) = path.trim_end_matches('/').rsplit_once('/')
            && let Some(folder) = spelling::plain(folder)
            && self.rest(&folder) == Some("/download")
        {
            return Route::Download(name);
        }
        let Some(plain) = plain else {
            // A server behind may take it for the very path that is ours.
            let decoded = percent_decode_str(path).decode_utf8_lossy();
            return match behind(&self.bases, path).or_else(|| behind(&self.bases, &decoded)) {
                Some(_) => Route::Nothing,
                None => Route::Other,
            };
        };
        match self.rest(&plain) {
            Some("") => Route::CheckIn,
            Some("/activate") => Route::Activate,
            Some(_) => Route::Nothing,
            None if self.is_part(&plain) => Route::Part,
            None => Route::Other,
        }
    }

    /// Returns the rest of a plain path behind the base that it lies below. An address
    /// that was pasted behind itself is the same one.
    fn rest<'p>(&self, plain: &'p str) -> Option<&'p str> {
        let mut rest = behind(&self.plain, plain)?;
        while let Some(less) = behind(&self.plain, rest) {
            rest = less;
        }
        Some(rest)
    }

    /// Returns whether a plain path is the beginning or the end of a base, or has all of
    /// one at its end.
    fn is_part(&self, plain: &str) -> bool {
        self.plain.iter().any(|base| {
            below(base, plain).is_some()
                || (plain.starts_with('/') && base.ends_with(plain))
                || plain.ends_with(base.as_str())
        })
    }

    /// Returns whether a part of a plain path is nearly one of a base's: somebody looks
    /// for us.
    pub(super) fn is_near(&self, plain: &str) -> bool {
        let mut parts = plain.split('/').filter(|part| !part.is_empty());
        parts.any(|part| {
            let mut wanted = self.plain.iter().flat_map(|base| base.split('/'));
            wanted.any(|wanted| !wanted.is_empty() && spelling::is_nearly(part, wanted))
        })
    }
}

/// Returns the rest of `path` behind the base that it lies below, if it lies below one.
fn behind<'a>(bases: &[String], path: &'a str) -> Option<&'a str> {
    bases.iter().find_map(|base| below(path, base))
}

/// Returns the rest of `path` behind `base`, if it is that or lies below it.
pub(super) fn below<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(base)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_paths_with_and_without_a_slash() {
        let router = Router::new(vec![
            "/xiaozhi/ota".into(),
            "/edge/xiaozhi/ota".into(),
            "/xiaozhi/ota/own".into(),
        ]);
        for (path, route) in [
            ("/xiaozhi/ota", Route::CheckIn),
            ("/xiaozhi/ota/", Route::CheckIn),
            ("/edge/xiaozhi/ota/", Route::CheckIn),
            ("/xiaozhi/ota/own", Route::CheckIn),
            ("/xiaozhi/ota/activate", Route::Activate),
            ("/xiaozhi/ota/download/a_1.bin", Route::Download("a_1.bin")),
            (
                "/edge/xiaozhi/ota/download/x/../y",
                Route::Download("x/../y"),
            ),
            ("/xiaozhi/ota/download/", Route::Download("")),
            ("/xiaozhi/ota/download", Route::Nothing),
            ("/xiaozhi/ota/download/a_1.bin/", Route::Download("a_1.bin")),
            ("/xiaozhi/ota/download//a_1.bin", Route::Download("a_1.bin")),
            ("/xiaozhi/ota/else", Route::Nothing),
            ("/xiaozhi/ota/ota", Route::Nothing),
            ("/xiaozhi/ota/../v1", Route::Nothing),
            ("/xiaozhi/%6fta/../v1", Route::Nothing),
            ("/x/../xiaozhi/ota/", Route::Other),
            ("/xiaozhi/%6ftas/", Route::Other),
            ("/xiaozhi/otad", Route::Other),
            ("/.well-known/acme-challenge/t", Route::Challenge("t")),
            ("/.well-known/acme-challenge", Route::Other),
            ("/", Route::Part),
            ("", Route::Part),
            ("/Xiaozhi/", Route::Part),
            ("/ota", Route::Part),
            ("/else/xiaozhi/ota/", Route::Part),
            ("/xiaozhi/v1/", Route::Other),
            ("/iaozhi/ota", Route::Other),
        ] {
            assert_eq!(router.route(path), route, "{path}");
        }
    }

    #[test]
    fn other_spellings_lead_to_the_same() {
        let router = Router::new(vec!["/xiaozhi/ota".into(), "/Edge/xiaozhi/ota".into()]);
        for (path, route) in [
            ("//xiaozhi/ota/", Route::CheckIn),
            ("/xiaozhi/ota//", Route::CheckIn),
            ("/xiaozhi/%6fta/", Route::CheckIn),
            ("/edge/XIAOZHI/OTA", Route::CheckIn),
            ("/xiaozhi/ota/xiaozhi/ota/", Route::CheckIn),
            ("/xiaozhi/ota/Activate", Route::Activate),
            ("/xiaozhi/ota//activate//", Route::Activate),
            (
                "//XiaoZhi/ota//Download/A_1.bin",
                Route::Download("A_1.bin"),
            ),
            (
                "/XiaoZhi/ota/download/%2e%2e%2fb",
                Route::Download("%2e%2e%2fb"),
            ),
            ("/XiaoZhi/OTA/else", Route::Nothing),
            ("/XiaoZhi/OTA/../v1", Route::Other),
        ] {
            assert_eq!(router.route(path), route, "{path}");
        }
        assert!(router.is_near("/xiaozhu/other") && router.is_near("/otta"));
        assert!(!router.is_near("/wp-login.php") && !router.is_near(""));
    }
}
