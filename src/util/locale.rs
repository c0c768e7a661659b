//! Language and character set of the one who started the program, by the environment.

use crate::event::text::Lang;

/// Language and characters that the environment names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Locale {
    /// The language in which to speak.
    pub(crate) lang: Lang,
    /// True where the terminal takes UTF-8.
    pub(crate) is_utf8: bool,
}

impl Locale {
    /// Returns the locale of this process.
    pub(crate) fn of_environment() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    /// Reads the variables as POSIX has it (XBD 8.2: of three the first that says
    /// something counts), and `LANGUAGE` as GNU does. Chinese is for who can see it.
    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&str; 3]| {
            let mut said = names.into_iter().filter_map(&variable);
            said.find(|value| !value.is_empty()).unwrap_or_default()
        };
        let messages = first(["LC_ALL", "LC_MESSAGES", "LANG"]);
        // Who names the language of messages alone names their characters, too.
        let characters = match first(["LC_ALL", "LC_CTYPE", "LANG"]) {
            none if none.is_empty() => messages.clone(),
            characters => characters,
        };
        let is_utf8 = is_utf8(&characters);
        let listed = variable("LANGUAGE").unwrap_or_default();
        let of_list = || listed.split(':').find_map(spoken);
        let is_posix = messages.is_empty() || ["C", "POSIX"].contains(&messages.as_str());
        let lang = (!is_posix).then(of_list).flatten();
        let lang = lang.or_else(|| spoken(&messages)).unwrap_or(Lang::En);
        Self {
            lang: if is_utf8 { lang } else { Lang::En },
            is_utf8,
        }
    }
}

/// Returns the language of a locale, if it is spoken here.
fn spoken(locale: &str) -> Option<Lang> {
    let name = locale.split(['_', '-', '.', '@']).next()?;
    match name.to_ascii_lowercase().as_str() {
        "zh" | "chinese" => Some(Lang::Zh),
        "en" | "english" => Some(Lang::En),
        _ => None,
    }
}

/// Tells whether a locale's characters are UTF-8: `zh_CN` alone is GB 2312, and `UTF-8`
/// alone is what macOS sends along.
fn is_utf8(locale: &str) -> bool {
    let (name, set) = locale.split_once('.').unwrap_or((locale, locale));
    let set = set.split('@').next().unwrap_or_default();
    let set = set.replace('-', "").to_ascii_lowercase();
    !name.is_empty() && set == "utf8"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_environment_says() {
        for (variables, lang, is_utf8) in [
            ("LANG=zh_CN.UTF-8", Lang::Zh, true),
            ("LANG=zh_TW.utf8@x", Lang::Zh, true),
            ("LANG=en_US.UTF-8", Lang::En, true),
            ("LANG=de_DE.UTF-8", Lang::En, true),
            ("LANG=C.UTF-8", Lang::En, true),
            ("LANG=C", Lang::En, false),
            ("LANG=POSIX", Lang::En, false),
            ("", Lang::En, false),
            ("LANG=", Lang::En, false),
            ("LANG=zh_CN", Lang::En, false),
            ("LANG=zh_CN.GBK", Lang::En, false),
            ("LANG=zh_CN.GB18030", Lang::En, false),
            ("LC_ALL=C LANG=zh_CN.UTF-8", Lang::En, false),
            ("LC_ALL= LANG=zh_CN.UTF-8", Lang::Zh, true),
            ("LC_MESSAGES=zh_CN.UTF-8 LANG=en_US.UTF-8", Lang::Zh, true),
            ("LC_MESSAGES=zh_CN.UTF-8", Lang::Zh, true),
            ("LC_MESSAGES=zh_CN.UTF-8 LANG=C", Lang::En, false),
            ("LC_CTYPE=UTF-8 LANG=zh_CN", Lang::Zh, true),
            ("LC_CTYPE=C LANG=zh_CN.UTF-8", Lang::En, false),
            ("LANGUAGE=zh_CN:en LANG=en_US.UTF-8", Lang::Zh, true),
            ("LANGUAGE=fr:en:zh LANG=zh_CN.UTF-8", Lang::En, true),
            ("LANGUAGE=fr LANG=zh_CN.UTF-8", Lang::Zh, true),
            ("LANGUAGE=zh_CN LANG=C", Lang::En, false),
            ("LANGUAGE=zh_CN LC_ALL=en_US.GBK", Lang::En, false),
        ] {
            let value = |name: &str| {
                let mut pairs = variables.split(' ').filter_map(|pair| pair.split_once('='));
                let found = pairs.find(|(known, _)| *known == name);
                found.map(|(_, value)| value.to_owned())
            };
            let locale = Locale { lang, is_utf8 };
            assert_eq!(Locale::of(value), locale, "{variables}");
        }
    }
}
