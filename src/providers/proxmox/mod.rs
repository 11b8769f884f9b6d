//! see ../mod.rs
