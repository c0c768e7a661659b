//! Whoever is turned away is told why: tables of what people bring, and the event that
//! each of it must raise.

mod acme;
mod addresses;
mod behind;
mod certificates;
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
mod voice;
