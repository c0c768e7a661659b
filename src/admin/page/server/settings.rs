//! Settings as they came out: what is written first, then the defaults.

use crate::admin::page::reader::Reader;
use crate::admin::page::words::words;
use crate::admin::server_source::{ServerView, SettingValue, SettingView};
use crate::event::text::Lang;
use maud::{Markup, html};

words! {
    FILE = "配置文件：", "File: ";
    NO_FILE = "没有配置文件：所有设置均为默认值。", "There is no file: every setting has its default.";
    NOTHING = "文件里没有写本服务器读取的设置。", "Nothing that this server reads is written in it.";
    DEFAULTS = "默认值", "Defaults";
    MASKED = "已设置（不显示）", "set (not shown)";
    UNSET = "没有", "none";
}

/// Writes a value as it may be shown.
pub(super) fn value(value: &SettingValue, lang: Lang) -> String {
    match value {
        SettingValue::Text(text) => text.clone(),
        SettingValue::Words(words) => words.to(lang).to_owned(),
        SettingValue::Masked => MASKED.to(lang).to_owned(),
        SettingValue::Devices(devices) => devices.join(", "),
        SettingValue::Unset => UNSET.to(lang).to_owned(),
    }
}

/// Shows the settings.
pub(super) fn settings(reader: &Reader, view: &ServerView) -> Markup {
    let (written, defaults): (Vec<_>, Vec<_>) =
        view.settings.iter().partition(|each| each.place.is_some());
    html! {
        p {
            @match &view.file {
                Some(file) => { (reader.say(FILE)) bdi.mono { (file.display()) } },
                None => (reader.say(NO_FILE)),
            }
        }
        @if !written.is_empty() {
            (list(reader, &written))
        } @else if view.file.is_some() {
            p.soft { (reader.say(NOTHING)) }
        }
        details id="defaults" {
            summary { (reader.say(DEFAULTS)) " (" (defaults.len()) ")" }
            (list(reader, &defaults))
        }
    }
}

fn list(reader: &Reader, settings: &[&SettingView]) -> Markup {
    html! {
        dl.facts {
            @for each in settings {
                dt { code { (each.key) } }
                dd {
                    (shown(reader, &each.value))
                    @if let Some(place) = &each.place {
                        " " span.soft.small { "(" bdi.mono { (place) } ")" }
                    }
                }
            }
        }
    }
}

fn shown(reader: &Reader, of: &SettingValue) -> Markup {
    let text = value(of, reader.lang);
    html! {
        @match of {
            SettingValue::Text(_) | SettingValue::Devices(_) => bdi.mono { (text) },
            SettingValue::Words(_) | SettingValue::Masked | SettingValue::Unset => span.soft { (text) },
        }
    }
}
