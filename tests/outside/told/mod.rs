//! Whoever is turned away is told why: tables of what people bring, and the event that
//! each of it must raise.

mod acme;
mod addresses;
mod behind;
mod certificates;
mod check_ins;
mod configuration;
mod configuration_files;
mod connections;
mod contracts;
mod files;
mod files_apart;
mod files_served;
mod handed_out;
mod machine;
mod models;
mod names;
mod requests;
mod screens;
mod terminal;
mod tls;
mod tls_names;
mod unreadable;
mod voice;

/// Returns a file's name as the log shows it: what would steer a terminal, or is not seen
/// there, by its number.
fn shown(file: &str) -> String {
    let is_shown = |c: char| {
        !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
    };
    let show = |c: char| match c {
        '\n' => "\\n".to_owned(),
        c if is_shown(c) => c.to_string(),
        c => c.escape_unicode().to_string(),
    };
    file.chars().map(show).collect()
}
