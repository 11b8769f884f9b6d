//! Tests that drive the simulator as a client does.
mod access;
mod behaviour;
mod client;
mod cluster;
mod containers;
mod definitions;
mod firewall;
mod machine_backups;
mod machines;
mod parameters;
mod permissions;
mod reads;
mod tasks;
mod templates;
mod transport;
mod volumes;
