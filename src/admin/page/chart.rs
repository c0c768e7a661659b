//! Pictures: numbers in, SVG out. Pure. No text stands in one, for it would shrink with the
//! picture: names and numbers stand beside it, in HTML, and in a table.

use maud::{Markup, html};

/// Number of colours (classes `s0` to `s5` of the style).
pub(super) const COLOURS: usize = 6;
/// Width of a bar and height of a column, in units of the picture.
const ROOM: u64 = 1000;
/// Least length of a part that is not nothing, in the same.
const LEAST: u64 = 6;
/// Width of a column with its gap, and of the gap.
const COLUMN: u64 = 10;
const GAP: u64 = 2;

/// Part of a bar or column: the number of its colour, and how much it is.
pub(super) type Part = (usize, u64);

/// Column of a chart over time.
#[derive(Debug, Clone, Default)]
pub(super) struct Column {
    /// Words that show where somebody points at it.
    pub(super) label: String,
    /// Parts, the lowest first.
    pub(super) parts: Vec<Part>,
}

/// Height of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Beside that of the others.
    Count,
    /// As high as there is room, so that shares show.
    Share,
}

/// Draws a bar whose parts are those of a whole. The table in which it stands says all that
/// it shows.
pub(super) fn bar(parts: &[Part], whole: u64) -> Markup {
    let parts = stretches(parts, whole.into());
    html! {
        svg.bar viewBox={ "0 0 " (ROOM) " 10" } preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect.track x="0" y="0" width=(ROOM) height="10" {}
            @for (colour, from, length) in parts {
                rect class=(class(colour)) x=(from) y="0" width=(length) height="10" {}
            }
        }
    }
}

/// Draws columns over time. `label` says what they show, to whoever does not see them.
pub(super) fn columns(columns: &[Column], scale: Scale, label: &str) -> Markup {
    let highest = columns.iter().map(Column::sum).max().unwrap_or(0);
    let width = COLUMN * (columns.len() as u64).max(1);
    html! {
        svg.time viewBox={ "0 0 " (width) " " (ROOM) } preserveAspectRatio="none" role="img" aria-label=(label) focusable="false" {
            @for (at, column) in (0u64..).zip(columns) {
                g {
                    title { (column.label) }
                    // It is pointed at wherever the pointer stands above it.
                    rect.blank x=(at * COLUMN) y="0" width=(COLUMN) height=(ROOM) {}
                    @for (colour, from, length) in column.stretches(scale, highest) {
                        rect class=(class(colour)) x=(at * COLUMN) y=(ROOM - from - length)
                            width=(COLUMN - GAP) height=(length) {}
                    }
                }
            }
        }
    }
}

/// Lists which colour is what.
pub(super) fn key(names: &[(usize, Markup)]) -> Markup {
    html! {
        ul.key {
            @for (colour, name) in names {
                li {
                    svg viewBox="0 0 10 10" aria-hidden="true" focusable="false" {
                        rect class=(class(*colour)) width="10" height="10" {}
                    }
                    (name)
                }
            }
        }
    }
}

impl Column {
    fn sum(&self) -> u128 {
        self.parts.iter().map(|(_, part)| u128::from(*part)).sum()
    }

    fn stretches(&self, scale: Scale, highest: u128) -> Vec<(usize, u64, u64)> {
        let whole = match scale {
            Scale::Count => highest,
            Scale::Share => self.sum(),
        };
        stretches(&self.parts, whole)
    }
}

fn class(colour: usize) -> String {
    format!("s{}", colour.min(COLOURS - 1))
}

/// Returns where each part begins, and how long it is. No part that is not nothing is so
/// short that nobody sees it, and none lies beyond the room.
fn stretches(parts: &[Part], whole: u128) -> Vec<(usize, u64, u64)> {
    let (mut sum, mut from) = (0u128, 0);
    let mut found = Vec::with_capacity(parts.len());
    for (colour, part) in parts.iter().filter(|(_, part)| *part > 0) {
        sum += u128::from(*part);
        let end = (sum * u128::from(ROOM)).checked_div(whole).unwrap_or(0);
        let end = u64::try_from(end).unwrap_or(ROOM);
        let end = end.max(from + LEAST).min(ROOM);
        let begin = from.min(ROOM - LEAST);
        found.push((*colour, begin, end - begin));
        from = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values of an attribute in each of the coloured rectangles.
    fn values(svg: &str, name: &str) -> Vec<u64> {
        let rects = svg.split("<rect class=\"s").skip(1);
        let value = |rect: &str| {
            let (_, behind) = rect.split_once(&format!(" {name}=\"")).unwrap();
            behind.split('"').next().unwrap().parse().unwrap()
        };
        rects.map(value).collect()
    }

    fn part() -> impl Strategy<Value = Part> {
        let number = prop_oneof![0..3u64, 0..1000u64, any::<u64>(), Just(u64::MAX)];
        (0..9usize, number)
    }

    proptest! {
        #[test]
        fn parts_of_a_bar_stay_within_it(parts in prop::collection::vec(part(), 0..12), whole in any::<u64>()) {
            let svg = bar(&parts, whole).into_string();
            let (x, width) = (values(&svg, "x"), values(&svg, "width"));
            prop_assert_eq!(x.len(), parts.iter().filter(|(_, part)| *part > 0).count());
            for (x, width) in x.iter().zip(&width) {
                prop_assert!(x + width <= ROOM && *width >= LEAST, "{svg}");
            }
            prop_assert!(!svg.contains("NaN") && !svg.contains("\"-"));
        }

        #[test]
        fn columns_stay_within_the_picture(
            parts in prop::collection::vec(prop::collection::vec(part(), 0..7), 0..60),
            is_share in any::<bool>(),
        ) {
            let scale = if is_share { Scale::Share } else { Scale::Count };
            let made: Vec<_> = parts.iter().map(|parts| Column {
                label: "x".to_owned(),
                parts: parts.clone(),
            }).collect();
            let svg = columns(&made, scale, "x").into_string();
            let value = |name| values(&svg, name);
            let width = COLUMN * (made.len() as u64).max(1);
            for (x, w) in value("x").iter().zip(value("width")) {
                prop_assert!(x + w <= width, "{svg}");
            }
            for (y, height) in value("y").iter().zip(value("height")) {
                prop_assert!(y + height <= ROOM && height >= LEAST, "{svg}");
            }
            prop_assert!(!svg.contains("NaN") && !svg.contains("\"-"));
        }

        #[test]
        fn labels_are_inert(label in "\\PC{0,40}") {
            let hostile = format!("</title><script>{label}\"'&");
            let column = Column { label: hostile.clone(), parts: vec![(0, 1)] };
            let svg = columns(&[column], Scale::Count, &hostile).into_string();
            prop_assert!(!svg.contains("<script"), "{svg}");
            prop_assert_eq!(svg.matches("</title>").count(), 1);
            prop_assert_eq!(svg.matches('<').count(), svg.matches('>').count());
        }
    }

    #[test]
    fn lengths_are_those_of_the_numbers() {
        let svg = bar(&[(0, 25), (2, 50)], 100).into_string();
        assert_eq!(values(&svg, "x"), [0, 250]);
        assert_eq!(values(&svg, "width"), [250, 500]);
        let column = |parts: &[Part]| Column {
            label: String::new(),
            parts: parts.to_vec(),
        };
        let made = [column(&[(0, 1), (1, 3)]), column(&[]), column(&[(0, 2)])];
        let svg = columns(&made, Scale::Count, "").into_string();
        assert_eq!(values(&svg, "height"), [250, 750, 500]);
        assert_eq!(values(&svg, "y"), [750, 0, 500]);
        let svg = columns(&made, Scale::Share, "").into_string();
        assert_eq!(values(&svg, "height"), [250, 750, 1000]);
        assert!(columns(&[], Scale::Share, "").into_string().contains("svg"));
    }
}
