//! The command line as a person or a script uses it: the real program, its output, its exit codes, what it leaves behind.
mod acceptance;
mod check;
mod coverage;
mod environment;
mod examples;
mod interrupt;
mod lock;
mod machines;
mod ports;
mod rebuild;
mod reconcile;
mod repository;
mod secrets;
mod setup;
mod strangers;
mod templates;
mod usage;
