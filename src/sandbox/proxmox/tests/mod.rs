//! Tests that drive the simulator as a client does.
mod access;
mod behaviour;
mod client;
mod cluster;
mod firewall;
mod machine_backups;
mod machines;
mod parameters;
mod permissions;
mod reads;
mod templates;
mod volumes;
