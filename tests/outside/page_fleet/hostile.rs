//! Devices that say anything: whatever it is, pages show it as text, and stay what they are.

use super::visitor::{Visitor, devices, words};
use super::{CONFIG, check_in_with, image, setup};
use serde_json::json;

/// Names, versions, ids that strangers may send.
pub(crate) fn hostile() -> Vec<String> {
    let written = [
        "<script>alert(1)</script>",
        "</title><script>alert(1)</script>",
        "\"><script>alert(1)</script>",
        "'><img src=x onerror=alert(1)>",
        "\" onmouseover=\"alert(1)",
        "' onmouseover='alert(1)",
        "`onmouseover=alert(1)`",
        "<svg/onload=alert(1)>",
        "</svg><script>alert(1)</script>",
        "</table></div></main>",
        "<!-- ",
        "--><script>alert(1)</script>",
        "<![CDATA[ ]]>",
        "<style>*{display:none}</style>",
        "<base href=//evil.example>",
        "<meta http-equiv=refresh content=0>",
        "<iframe src=//evil.example>",
        "<form action=//evil.example>",
        "javascript:alert(1)",
        "//evil.example/",
        "https://evil.example/?a=b#c",
        "&lt;script&gt;",
        "&#60;script&#62;",
        "%3Cscript%3E",
        "{{7*7}}",
        "${7*7}",
        "a/b/../c",
        ".",
        "..",
        "=Lg",
        "a?b=c&d=e#f",
        "a b  c\td",
        "\u{202e}nib.0.1_a",
        "\u{2066}a\u{2069}\u{200f}",
        "שלום 1.0",
        "a\u{200b}b\u{feff}",
        "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
        "小智\u{3000}A",
        "😀👨‍👩‍👧",
        "=cmd|' /C calc'!A0",
        "\\\\host\\share",
        "'; DROP TABLE device; --",
    ];
    let mut all: Vec<_> = written.map(str::to_owned).into();
    all.push("W".repeat(4000));
    all
}

#[test]
fn whatever_a_device_says_is_text() {
    let server = setup().file("a_1.7.0.bin", image("1.7.0")).start(CONFIG);
    let hostile = hostile();
    for (number, text) in hostile.iter().enumerate() {
        let body = json!({
            "application": {"name": text, "version": text, "elf_sha256": text, "idf_version": text},
            "board": {"type": text, "name": text, "ssid": text},
            "chip_model_name": text,
            "ota": {"label": text},
        });
        let device = format!("02:00:00:00:00:{number:02x}");
        check_in_with(
            &server,
            &device,
            text.split_at(text.len().min(1000)).0,
            &body,
        );
        // As its id, too, as far as a header can carry it.
        let id: String = text
            .chars()
            .filter(|c| !c.is_control())
            .take(1000)
            .collect();
        check_in_with(&server, &id, "c", &body);
    }
    let visitor = Visitor::of(&server);
    let mut seen = 0;
    for lang in ["en", "zh"] {
        for path in ["/", "/firmware", "/server", "/acts"] {
            visitor.page(path, lang);
        }
        let mut next = Some("/devices".to_owned());
        while let Some(path) = next {
            let page = visitor.page(&path, lang);
            for id in devices(&page) {
                // Browsers take the dots of such a path for steps.
                let path =
                    percent_encoding::utf8_percent_encode(&id, percent_encoding::NON_ALPHANUMERIC);
                let page = visitor.page(&format!("/devices/{path}"), lang);
                visitor.page(&format!("/devices/{path}/forget"), lang);
                assert!(page.len() < 40_000, "{id}");
                seen += 1;
            }
            next = super::visitor::link(&page, super::list_next(lang));
        }
    }
    assert!(seen >= 2 * 2 * (hostile.len() - 2), "{seen}");
    // What is searched for, too.
    for text in &hostile {
        let text = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
        let page = visitor.page(&format!("/devices?q={text}"), "en");
        assert!(words(&page).contains("It looks at"), "{text}");
        for path in ["model", "version", "file", "board"] {
            visitor.page(&format!("/devices?{path}={text}"), "zh");
        }
    }
}
