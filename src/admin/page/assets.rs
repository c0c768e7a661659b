//! Style, script and icon of the pages: within the program, each under a name with the hash of
//! what it holds, so that a browser keeps it for good and a new version is another name.

use crate::admin::reply::with_type;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use std::sync::LazyLock;
use xiaozhi_device::hex;

/// An asset.
pub(super) struct Asset {
    /// Path under which it is fetched.
    pub(super) path: String,
    media_type: &'static str,
    bytes: &'static [u8],
}

/// The style of all pages.
pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let bytes = include_bytes!("assets/page.css");
    Asset::new("page", "css", "text/css; charset=utf-8", bytes)
});
/// The script, without which all works.
pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let bytes = include_bytes!("assets/page.js");
    Asset::new("page", "js", "text/javascript; charset=utf-8", bytes)
});
/// The icon.
pub(super) static ICON: LazyLock<Asset> = LazyLock::new(|| {
    let bytes = include_bytes!("assets/icon.svg");
    Asset::new("icon", "svg", "image/svg+xml", bytes)
});

impl Asset {
    fn new(name: &str, end: &str, media_type: &'static str, bytes: &'static [u8]) -> Self {
        let hash = crate::admin::auth::hash(bytes);
        let hash = hex::encode(&hash[..8]);
        Self {
            path: format!("/assets/{name}-{hash}.{end}"),
            media_type,
            bytes,
        }
    }

    fn reply(&self) -> Response {
        let mut reply = with_type(StatusCode::OK, self.media_type, self.bytes.to_vec());
        let for_good = HeaderValue::from_static("public, max-age=31536000, immutable");
        reply.headers_mut().insert(CACHE_CONTROL, for_good);
        reply
    }
}

/// Answers with the style.
pub(super) async fn style() -> Response {
    STYLE.reply()
}

/// Answers with the script.
pub(super) async fn script() -> Response {
    SCRIPT.reply()
}

/// Answers with the icon.
pub(super) async fn icon() -> Response {
    ICON.reply()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_small_and_ask_nobody_else() {
        let most = [(&STYLE, 15 * 1024), (&SCRIPT, 8 * 1024), (&ICON, 1024)];
        for (asset, most) in most {
            let text = std::str::from_utf8(asset.bytes).unwrap();
            assert!(asset.bytes.len() <= most, "{}", asset.path);
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !text.contains("//") || asset.path.ends_with(".js"),
                "{text}"
            );
            assert!(!text.contains("http") && !text.contains("@import"));
        }
        let lines = std::str::from_utf8(SCRIPT.bytes).unwrap().lines().count();
        assert!(lines <= 150, "{lines}");
    }
}
