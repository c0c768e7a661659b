//! Devices as CSV (RFC 4180), which people open in spreadsheets: nothing that a device sent
//! becomes a formula there, or steers a terminal.

use super::device_view::Device;
use crate::event::unseen::is_unshown;

/// Names of the columns: those of the API.
pub(super) const HEAD: [&str; 20] = [
    "mac",
    "client_id",
    "board_name",
    "board_type",
    "chip",
    "revision",
    "flash",
    "version",
    "elf_sha256",
    "slot",
    "first_seen",
    "last_seen",
    "address",
    "transport",
    "boots",
    "why",
    "offer_file",
    "offer_version",
    "offer_end",
    "offer_at",
];

/// Writes a device, with its newest offer, as a line.
pub(super) fn device(device: &Device, to: &mut String) {
    let Device { board, .. } = device;
    let offer = device.newest().cloned().unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
    let cells = [
        device.mac.clone(),
        text(&device.client_id),
        text(&board.name),
        text(&board.r#type),
        text(&device.chip),
        number(device.revision),
        number(device.flash),
        text(&device.version),
        text(&device.elf_sha256),
        text(&device.slot),
        device.first_seen.clone(),
        device.last_seen.clone(),
        text(&device.address),
        device.transport.clone(),
        device.boots.to_string(),
        text(&device.why),
        offer.file,
        offer.version,
        offer.end,
        offer.at,
    ];
    line(cells, to);
}

/// Writes cells as a line.
pub(super) fn line(cells: impl IntoIterator<Item = String>, to: &mut String) {
    for (at, text) in cells.into_iter().enumerate() {
        if at > 0 {
            to.push(',');
        }
        cell(&text, to);
    }
    to.push_str("\r\n");
}

/// Writes a cell. One that a spreadsheet would take for a formula gets an apostrophe, by
/// which it is a text.
fn cell(text: &str, to: &mut String) {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let is_quoted = text.contains(['"', ',', '\r', '\n', '\t']) || text.trim() != text;
    if is_quoted {
        to.push('"');
    }
    if is_formula {
        to.push('\'');
    }
    for c in text.chars() {
        match c {
            '"' => to.push_str("\"\""),
            // CSV has them, in quotes.
            '\t' | '\r' | '\n' => to.push(c),
            c if is_unshown(c) => to.extend(c.escape_default()),
            c => to.push(c),
        }
    }
    if is_quoted {
        to.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_each_is_one_cell() {
        for (text, expected) in [
            ("esp32s3", "esp32s3"),
            ("", ""),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("a=1", "a=1"),
            (
                "=HYPERLINK(\"x\",\"y\")",
                "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\"",
            ),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\nb", "\"a\nb\""),
            (" a", "\" a\""),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("小智", "小智"),
        ] {
            let mut cell_of = String::new();
            cell(text, &mut cell_of);
            assert_eq!(cell_of, expected);
        }
    }

    #[test]
    fn every_column_has_its_cell() {
        let mut text = String::new();
        device(&Device::default(), &mut text);
        assert_eq!(text.matches(',').count() + 1, HEAD.len());
        assert!(text.ends_with("\r\n"));
    }
}
