//! The server as others meet it: the built binary, real sockets, real clients.
//!
//! One binary holds every test of this kind, for linking costs more than
//! running. `tests/run` runs it with the foreign clients that it needs.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that meets something unexpected is to fail where it stands"
)]

mod support;

mod acme;
mod admin;
mod architecture;
mod backup;
mod behind_proxy;
mod catalogue;
mod certificates;
mod command_line;
mod configuration;
mod contract;
mod cors;
mod dependencies;
mod deploy;
mod disks;
mod dockerfile;
mod documents;
mod download;
mod esptool;
mod events;
#[path = "../faults/mod.rs"]
mod faults;
mod flash_images;
mod fleet_commands;
mod fleet_ends;
mod folder;
mod golden;
mod held_back;
mod homes;
mod image_files;
mod kept_versions;
mod known_devices;
mod limits;
mod listeners;
mod log_bounds;
mod logs;
mod memory;
mod metrics;
mod million;
mod notes;
mod old_kernel;
mod orders;
mod page_door;
mod page_firmware;
mod page_fleet;
mod page_server;
mod peers;
mod plain_http;
mod probe;
mod probe_documents;
mod probe_hostile;
mod probe_json;
mod probe_nginx;
mod probe_own;
mod probe_tls;
mod probe_update;
mod probe_voice;
mod probe_wrong;
mod proxy;
mod proxy_bodies;
mod proxy_protocol;
mod prune;
mod publish;
mod reload;
mod resets;
mod rights;
mod secrets;
mod shares;
mod simulate;
mod simulate_bad;
mod smuggling;
mod state;
mod stops;
mod threads;
mod told;
mod turns;
mod updates;
mod upstream;
mod websocket;
mod websocket_library;
