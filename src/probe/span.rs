//! Names many kinds of device in few words: those that a fault hits.

use super::line::{Hardware, Kind, Line};
use crate::event::text::Lang;

/// Releases of the firmware on one kind of hardware, without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) hardware: Hardware,
    /// First line, where older ones with this hardware are not meant.
    pub(crate) from: Option<Line>,
    /// First line behind the span, where newer ones are not meant.
    pub(crate) before: Option<Line>,
}

impl Span {
    /// Sums up some kinds, in the order of [`Kind::all`].
    pub(crate) fn of(kinds: &[Kind]) -> Vec<Self> {
        let mut spans: Vec<Self> = Vec::new();
        for kind in kinds {
            let before = kind.line.next();
            match spans.last_mut() {
                Some(span) if span.hardware == kind.hardware && span.before == Some(kind.line) => {
                    span.before = before;
                }
                _ => spans.push(Self {
                    hardware: kind.hardware,
                    from: Some(kind.line).filter(|line| *line > kind.hardware.since()),
                    before,
                }),
            }
        }
        spans
    }

    /// Names the span by releases, as people do.
    pub(crate) fn words(self, lang: Lang) -> String {
        let hardware = self.hardware;
        let from = self.from.map(Line::first_release);
        let before = self.before.map(Line::first_release);
        match (lang, from, before) {
            (Lang::Zh, None, None) => format!("{hardware}（所有版本）"),
            (Lang::Zh, Some(from), None) => format!("{hardware}（{from} 及以后）"),
            (Lang::Zh, None, Some(before)) => format!("{hardware}（{before} 以前）"),
            (Lang::Zh, Some(from), Some(before)) => {
                format!("{hardware}（{from} 起，{before} 以前）")
            }
            (Lang::En, None, None) => format!("{hardware} with any firmware"),
            (Lang::En, Some(from), None) => format!("{hardware} since {from}"),
            (Lang::En, None, Some(before)) => format!("{hardware} before {before}"),
            (Lang::En, Some(from), Some(before)) => {
                format!("{hardware} from {from} to before {before}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_few_as_can_be() {
        let all: Vec<Kind> = Kind::all().collect();
        let whole = |hardware| Span {
            hardware,
            from: None,
            before: None,
        };
        assert_eq!(Span::of(&all), Hardware::ALL.map(whole));
        assert_eq!(Span::of(&[]), []);
        let cased: Vec<Kind> = Kind::all()
            .filter(|kind| kind.reads_names_by_case())
            .collect();
        let told = |lang| Span::of(&cased).iter().map(|s| s.words(lang)).collect();
        let en: Vec<String> = told(Lang::En);
        assert_eq!(
            en,
            [
                "Wi-Fi from 1.7.7 to before 1.8.5",
                "ML307 with any firmware",
                "EC801E before 1.8.5"
            ]
        );
        let zh: Vec<String> = told(Lang::Zh);
        assert_eq!(
            zh,
            [
                "Wi-Fi（1.7.7 起，1.8.5 以前）",
                "ML307（所有版本）",
                "EC801E（1.8.5 以前）"
            ]
        );
    }
}
