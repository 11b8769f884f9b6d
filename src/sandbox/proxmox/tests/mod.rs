//! Tests that drive the simulator as a client does.
mod behaviour;
mod client;
mod replay;
