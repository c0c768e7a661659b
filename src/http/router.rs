//! Router: finds out what a path asks for.

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
    /// Nothing of ours: a server behind this one may have it.
    Other,
}

/// Paths under which the OTA interface is served, without a last slash.
#[derive(Debug)]
pub(super) struct Router {
    bases: Vec<String>,
}

impl Router {
    pub(super) fn new(mut bases: Vec<String>) -> Self {
        // The longest first, for one may stand below another.
        bases.sort_by_key(|base| std::cmp::Reverse(base.len()));
        Self { bases }
    }

    /// Returns the rest of `path` behind the base that it lies below, if it lies below
    /// one.
    fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.bases.iter().find_map(|base| below(path, base))
    }

    pub(super) fn route<'a>(&self, path: &'a str) -> Route<'a> {
        match self.below(path) {
            // People type the address with and without its last slash, and a
            // 404 would strand the device.
            Some("" | "/") => Route::CheckIn,
            Some("/activate" | "/activate/") => Route::Activate,
            Some(rest) => rest
                .strip_prefix("/download/")
                .map_or(Route::Nothing, Route::Download),
            // A server behind may take it for the very path that is ours.
            None if path.contains('%') && self.below(&decoded(path)).is_some() => Route::Nothing,
            None => path
                .strip_prefix("/.well-known/acme-challenge/")
                .map_or(Route::Other, Route::Challenge),
        }
    }
}

/// Returns the rest of `path` behind `base`, if it is that or lies below it.
pub(super) fn below<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(base)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
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
            ("/xiaozhi/ota//", Route::Nothing),
            ("/xiaozhi/%6fta/", Route::Nothing),
            ("/xiaozhi/%6ftas/", Route::Other),
            ("/xiaozhi/otad", Route::Other),
            ("/.well-known/acme-challenge/t", Route::Challenge("t")),
            ("/.well-known/acme-challenge", Route::Other),
            ("/", Route::Other),
            ("", Route::Other),
        ] {
            assert_eq!(router.route(path), route, "{path}");
        }
    }
}
