//! Tells what the body of a check-in is that is no JSON: each has another remedy.

use crate::event::text::Text;

/// Returns whether a body is an object, as far as it begins like one.
pub(super) fn is_object(body: &[u8]) -> bool {
    let begin = begin(body);
    // UTF-16 is none.
    begin.starts_with(b"{") && begin.get(1) != Some(&0)
}

/// Returns what a body is that is no JSON from `offset` on, and what to do. `identified` says
/// that it names a board.
pub(super) fn why(body: &[u8], offset: usize, identified: bool) -> Text {
    let begin = begin(body);
    if is_object(body) {
        return broken(body, offset, identified);
    }
    // What some hand has typed, or a program has sent that is no device.
    let is_form = begin.contains(&b'=') && begin.iter().all(u8::is_ascii_graphic);
    match begin {
        _ if begin.starts_with(b"--") => FORM,
        [0x1f, 0x8b, ..] | [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Text::new(
                "它经过压缩，却没有 Content-Encoding；设备不压缩，请检查前面的代理",
                "it is compressed, and no Content-Encoding says so; no device compresses, so see to a proxy in front",
            )
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => Text::new(
            "它是 UTF-16；请让发送它的程序改用 UTF-8，或在 Content-Type 中写明 charset=utf-16",
            "it is UTF-16; let what sends it use UTF-8, or say charset=utf-16 in Content-Type",
        ),
        [b'<', ..] => Text::new(
            "它是网页或 XML；设备发送 JSON，请检查前面的代理",
            "it is a web page or XML; a device sends JSON, so see to a proxy in front",
        ),
        [b'[' | b'"' | b'-' | b'0'..=b'9', ..]
        | [b't', b'r', b'u', b'e']
        | [b'n', b'u', b'l', b'l'] => Text::new(
            "它不是 JSON 对象（{…}），而是列表或单个的值；请检查发送它的程序或前面的代理",
            "it is a list or one value, and no object ({…}); see to what sends it, or to a proxy in front",
        ),
        _ if is_form => FORM,
        _ => Text::new(
            "它不以 { 开头；设备发送 JSON，请检查发送它的程序或前面的代理",
            "it does not begin with {; a device sends JSON, so see to what sends it, or to a proxy in front",
        ),
    }
}

const FORM: Text = Text::new(
    "它是表单；设备发送 JSON，请检查发送它的程序或前面的代理",
    "it is a form; a device sends JSON, so see to what sends it, or to a proxy in front",
);

/// Says of an object why it is none.
fn broken(body: &[u8], offset: usize, identified: bool) -> Text {
    if offset >= body.trim_ascii_end().len() {
        Text::new(
            "它没有到末尾就断了；请检查前面的代理是否截断了正文，或 Content-Length 是否太小",
            "it ends before it is whole; see whether a proxy in front cuts it, or Content-Length is too small",
        )
    } else if identified {
        Text::new(
            "多半是 Wi-Fi 名称中有引号或反斜杠，而固件没有转义；可以升级固件，或给 Wi-Fi 改名",
            "most likely the Wi-Fi's name holds a quote or a backslash, which firmware does not escape; update the firmware, or \
             rename the Wi-Fi",
        )
    } else {
        Text::new(
            "它在写明型号之前就不符合 JSON；请检查该设备的固件，或途中改动它的程序",
            "it goes wrong before it names a board; see to that device's firmware, or to what changes it on the way",
        )
    }
}

/// Returns a body without what may stand in front of it.
fn begin(body: &[u8]) -> &[u8] {
    let mark = "\u{feff}".as_bytes();
    body.strip_prefix(mark).unwrap_or(body).trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::text::Lang;
    use proptest::prelude::*;
    use xiaozhi_device::checkin::{CheckIn, Report};

    fn said(body: &[u8]) -> Option<&'static str> {
        let report = Report::read(body);
        let fault = report.fault?;
        let identified = CheckIn {
            report,
            ..CheckIn::default()
        };
        Some(why(body, fault.offset, !identified.is_unidentified()).to(Lang::En))
    }

    #[test]
    fn what_is_no_json_is_named_as_what_it_is() {
        for (body, words) in [
            (&b"\x1f\x8b\x08\0"[..], "compressed"),
            (b"\x78\x9c\xab", "compressed"),
            (b"\xff\xfe{\0", "UTF-16"),
            (b"{\0}\0", "UTF-16"),
            (b"\0{\0}", "UTF-16"),
            (b"<html>", "web page"),
            (b"[1, 2]", "list"),
            (b"\"x\"", "one value"),
            (b"null", "one value"),
            (b"version=1.0&board=a", "form"),
            (b"--x\r\nContent-Disposition: form-data", "form"),
            (b"x", "begin with {"),
            (b"{\"board\":{\"type\":\"a\"", "before it is whole"),
            (b"{\"board\":{\"type\":\"a\",\"ssid\":\"x\"y\"}}", "Wi-Fi"),
            (b"{board: 1}", "before it names"),
        ] {
            let said = said(body).unwrap();
            assert!(said.contains(words), "{words}: {said}");
        }
    }

    proptest! {
        #[test]
        fn every_fault_has_words(body in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(said(&body).is_none_or(|said| !said.is_empty()));
        }
    }
}
