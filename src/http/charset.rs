//! Bodies in another character set than UTF-8, as their `Content-Type` says.

use encoding_rs::{Encoding, UTF_8, UTF_16LE};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap};

/// Returns a body in UTF-8. What its `Content-Type` does not say, or says by a name that
/// nobody knows, is left as it is: device firmware names no character set.
pub(super) fn in_utf8(headers: &HeaderMap, body: Bytes) -> Bytes {
    let named = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let Some(label) = named.and_then(charset) else {
        return body;
    };
    if is_utf32(&label) {
        return utf32(&body).map_or(body, Bytes::from);
    }
    match encoding(&label) {
        Some(encoding) if encoding != UTF_8 => {
            let (text, ..) = encoding.decode(&body);
            Bytes::from(text.into_owned())
        }
        _ => body,
    }
}

/// Returns the parameter `charset` of a media type, in lower case.
fn charset(media_type: &str) -> Option<String> {
    let mut parameters = media_type.split(';').skip(1);
    parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    })
}

/// Finds an encoding by its name, as the WHATWG has it or Python.
fn encoding(label: &str) -> Option<&'static Encoding> {
    let dashed = label.replace('_', "-");
    let known = match dashed.as_str() {
        "latin-1" | "l1" => "latin1",
        "cp936" | "ms936" | "euc-cn" => "gbk",
        "cp950" => "big5",
        "cp932" | "ms932" => "shift_jis",
        "cp949" => "euc-kr",
        // Without a mark Python takes it for the machine's own order.
        "utf-16" | "utf16" | "utf-16-le" => return Some(UTF_16LE),
        "utf-16-be" => "utf-16be",
        other => other,
    };
    Encoding::for_label(known.as_bytes())
}

fn is_utf32(label: &str) -> bool {
    label.starts_with("utf-32") || label.starts_with("utf_32") || label.starts_with("utf32")
}

/// Decodes UTF-32, by its mark or else in the order in which most machines have it.
fn utf32(body: &[u8]) -> Option<String> {
    let is_big = body.starts_with(&[0, 0, 0xfe, 0xff]) || body.starts_with(&[0, 0, 0]);
    let (units, []) = body.as_chunks::<4>() else {
        return None;
    };
    let signs = units.iter().map(|unit| {
        let number = if is_big {
            u32::from_be_bytes(*unit)
        } else {
            u32::from_le_bytes(*unit)
        };
        char::from_u32(number)
    });
    let text: Option<String> = signs.collect();
    text.map(|text| text.trim_start_matches('\u{feff}').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn read(media_type: &str, body: &[u8]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(media_type).unwrap());
        let body = in_utf8(&headers, Bytes::copy_from_slice(body));
        String::from_utf8_lossy(&body).into_owned()
    }

    #[test]
    fn bodies_are_read_in_the_character_set_that_they_name() {
        let utf16: Vec<u8> = "小智".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "\u{feff}小智"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        let utf32: Vec<u8> = "小智"
            .chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect();
        let gbk = b"\xd0\xa1\xd6\xc7";
        for (charset, body) in [
            ("gbk", &gbk[..]),
            ("\"GBK\"", gbk),
            ("gb2312", gbk),
            ("GB18030", gbk),
            ("cp936", gbk),
            ("utf-16", &utf16),
            ("UTF-16LE", &utf16),
            ("utf_16_le", &utf16),
            ("utf-16", &big),
            ("utf-16be", &big),
            ("utf-32", &utf32),
            ("utf-8", "小智".as_bytes()),
            ("utf8", "小智".as_bytes()),
            ("nonsense", "小智".as_bytes()),
            ("", "小智".as_bytes()),
        ] {
            let media_type = format!("application/json; charset={charset}");
            assert_eq!(read(&media_type, body), "小智", "{charset}");
        }
        assert_eq!(read("application/json", "小智".as_bytes()), "小智");
        assert_eq!(read("text/plain;x=y;Charset=latin-1", b"\xe9"), "é");
    }

    #[test]
    fn no_bytes_make_it_panic() {
        for label in ["utf-32", "utf-16", "gbk", "big5"] {
            for body in [
                &b""[..],
                b"\xff",
                b"\xff\xfe",
                b"\0\0\xfe\xff\0\x11\0\0",
                b"abcde",
            ] {
                let _ = read(&format!("a/b; charset={label}"), body);
            }
        }
    }
}
